"""The address of a listing's next page."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit


def with_query(url: str, **changes: object) -> str:
    """An http(s) address with other values for these parameters; "" for what is none, and where nothing would change."""
    if not url.startswith(("http://", "https://")):
        return ""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return ""
    kept = [(name, changes.pop(name, value)) for name, value in pairs]
    address = urlunsplit(parts._replace(query=urlencode([*kept, *changes.items()]), fragment=""))
    return "" if address == url else address


def query(url: str) -> dict[str, str]:
    """The parameters of an address; of a repeated one the last. Empty for what is no address."""
    try:
        return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    except ValueError:
        return {}


def number_in_query(url: str, name: str, default: int = 0) -> int:
    """A number of the query of an address."""
    found = query(url).get(name, "")
    return int(found) if found.isascii() and found.isdigit() and len(found) < 10 else default
