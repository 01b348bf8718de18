"""The address of a listing's next page."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from digest.model import Listing


def with_query(listing: Listing, **query: str) -> str:
    """The address that gave the page, with these names of its query set; "" where the page is no answer from the web."""
    parts = urlsplit(listing.base_url)
    if parts.scheme not in ("http", "https"):
        return ""
    kept = [
        (name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in query
    ]
    address = urlunsplit(parts._replace(query=urlencode([*kept, *query.items()]), fragment=""))
    return "" if address == listing.base_url else address


def number_in_query(listing: Listing, name: str, default: int = 0) -> int:
    """A number of the query of the address that gave the page."""
    found = dict(parse_qsl(urlsplit(listing.base_url).query)).get(name, "")
    return int(found) if found.isascii() and found.isdigit() and len(found) < 10 else default
