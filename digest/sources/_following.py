"""Answers of interfaces to papers: how many they say that there are, and where the papers behind these are."""

from __future__ import annotations

from digest.model import Listing
from digest.patterns import late
from digest.sources._paging import query, with_query
from digest.sources._records import Json, mapping, mappings, number, string


def next_url(data: Json, listing: Listing, total: int | None, notes: list[str]) -> str:
    """The address of the papers behind these; "" where nothing says that there are more."""
    return (
        _next_posts(data, listing, notes)
        or _next_hits(data, listing)
        or _next_offset(data, listing, total)
        or _next_stated(data)
    )


_TOTALS = (
    "total",
    "count",
    "hitCount",
    "totalHits",
    "totalCount",
    "totalRecords",
    "total_records",
    "numFound",
)


def total_of(data: Json) -> int | None:
    """How many papers there are, as the answer says by itself, or within `hits` (Zenodo, INSPIRE) or `response` (Solr)."""
    for place in (data, mapping(data.get("hits")), mapping(data.get("response"))):
        if (name := next((name for name in _TOTALS if name in place), "")) and not isinstance(
            place[name], list
        ):
            return number(place[name])
    return None


def _next_hits(data: Json, listing: Listing) -> str:
    """The address of the results behind these, as Europe PMC states it; before 2021 it gave the mark in it alone."""
    held = mapping(data.get("resultList")).get("result")
    if not isinstance(held, list) or len(held) < (number(mapping(data.get("request")).get("pageSize")) or 25):
        return ""
    if (stated := string(data.get("nextPageUrl"))).startswith(("http://", "https://")):
        return stated
    mark = string(data.get("nextCursorMark"))
    if not mark or mark == query(listing.base_url).get("cursorMark"):
        return ""
    return with_query(listing.base_url, cursorMark=mark)


# api.biorxiv.org: the days, or how many days or posts, then how many posts stand before, and the format.
_POSTS = late(
    r"(https?://[^?#]{1,300}/(?:details|pubs)/\w{1,20}/(?:\d{4}-\d\d-\d\d/\d{4}-\d\d-\d\d|\d{1,4}d?))(?:/\d{1,9})?(/\w{1,9})?/?(\?[^#]*)?"
)


def _next_posts(data: Json, listing: Listing, notes: list[str]) -> str:
    """The address of the posts behind these, while the interface of bioRxiv and medRxiv says that there are more. The number of
    posts is none of papers: each version is one."""
    said = next(iter(mappings(data.get("messages"))), {})
    here, total = number(said.get("count")), number(said.get("total"))
    reached = (number(said.get("cursor")) or 0) + (here or 0)
    if not here or total is None or reached >= total:
        return ""
    found = _POSTS.fullmatch(listing.base_url)
    if not found:
        notes.append(f"the answer says that there are {total} posts, and holds those up to {reached}")
        return ""
    return f"{found[1]}/{reached}{found[2] or ''}{found[3] or ''}"


def _next_offset(data: Json, listing: Listing, total: int | None) -> str:
    """The address of the results behind these, at CORE (`totalHits`, `results`), OpenReview (`count`, `notes`), and where Solr
    answers: HAL, PLOS, ADS."""
    solr = mapping(data.get("response"))
    held = solr.get("docs") or (data.get("results") if "totalHits" in data else data.get("notes"))
    if not isinstance(held, list) or not held or total is None:
        return ""
    name, stated = ("start", solr.get("start")) if solr else ("offset", data.get("offset"))
    behind = (number(stated) or number(query(listing.base_url).get(name)) or 0) + len(held)
    return with_query(listing.base_url, **{name: behind}) if behind < total else ""


def _next_stated(data: Json) -> str:
    """The address of the results behind these, where the answer has it: Zenodo, INSPIRE, JSON:API."""
    for stated in (mapping(data.get("links")).get("next"), data.get("next")):
        if isinstance(stated, str) and stated.startswith(("http://", "https://")):
            return stated
    return ""
