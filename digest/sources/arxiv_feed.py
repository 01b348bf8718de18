"""arXiv's feeds: RSS and Atom of rss.arxiv.org (2024 on), RSS 1.0 of export.arxiv.org (before), and the answers of the API.

Read by the kind "arxiv", which tells them from pages. Formats: https://info.arxiv.org/help/rss.html and
https://info.arxiv.org/help/api/user-manual.html (OpenSearch 1.1 for the totals).
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime

from msgspec import structs

from digest import identity
from digest.model import Announce, Listing, Reading
from digest.patterns import late
from digest.sources import _arxiv, _items, _publishers
from digest.sources._bytes import refused
from digest.sources._item import Feed, Item
from digest.sources._paging import number_in_query, with_query
from digest.sources._paper import Raw, finish
from digest.text import clean

# "arXiv:2611.00001v1 Announce Type: new", a line by itself, or what programs that write feeds anew make of it in HTML.
_ANNOUNCED = late(
    r"^\s*(?:<p\b[^<>]{0,200}>\s*)?arXiv:\s*(?P<id>\S+?)\s+Announce Type:\s*(?P<type>[a-z-]+)\s*"
    r"(?:</?(?:br|p)\b[^<>]{0,200}>\s*){0,4}(?:Abstract:\s*)?",
    re.I,
)
_BEGINNING = 300
_TYPES: dict[str, Announce] = {
    "new": "new",
    "cross": "cross",
    "replace": "replace",
    "replace-cross": "replace-cross",
}


def read(listing: Listing) -> Reading:
    """Papers of a feed or of an API answer, in document order. Empty only for a well-formed document that says so.

    Raises ParseError for arXiv's own error messages, and for an API answer that states results and holds none.
    """
    notes: list[str] = []
    feed = _items.read_items(listing, notes)
    return _read_api(feed, listing, notes) if _is_api(feed) else _read_feed(feed, listing, notes)


def _is_api(feed: Feed) -> bool:
    return (
        feed.title.strip().lower().startswith("arxiv query")
        or feed.stated is not None
        or any("arxiv.org/api/" in item.guid for item in feed.items[:1])
    )


def of_arxiv(item: Item) -> Raw | None:
    """A paper of arXiv in another's feed, as its announcement or the entry of the API says it; None for other items."""
    announced = item.announce_type or "Announce Type:" in (item.summary or item.content)[:_BEGINNING]
    if not (announced or item.primary) or not (identity.arxiv_id(item.guid) or identity.arxiv_id(item.link)):
        return None
    item.summary = item.summary or item.content
    return _announced(item) if announced else _entry(item)


# --- announcements


def _read_feed(feed: Feed, listing: Listing, notes: list[str]) -> Reading:
    if feed.title.strip().lower().startswith("feed error for query"):
        said = " ".join(feed.description.split())[:300].rstrip(".")
        raise refused(
            listing, f"arXiv answers with an error: {said}", "Check the name of the archive in the address."
        )
    listed_on = _day(feed) or listing.listed_on
    _refuse_cut_without_items(feed, listing, notes)
    papers = finish([_announced(item) for item in feed.items], notes)
    return Reading(
        kind="arxiv",
        papers=papers,
        section_counts=_arxiv.section_counts(papers),
        listed_on=listed_on,
        empty=not feed.items,
        notes=tuple(notes),
    )


def _refuse_cut_without_items(feed: Feed, listing: Listing, notes: list[str]) -> None:
    if not feed.items and any("truncated" in note for note in notes):
        raise refused(listing, "the feed breaks off before its first whole item", "Fetch it again.")


def _day(feed: Feed) -> date | None:
    """The day of the announcement. `updated` and `lastBuildDate` are the time of the build and say nothing.

    RSS 1.0 dates the feed on the evening before, at 20:30 in New York, which is the day itself in UTC.
    """
    days = Counter(item.published[:10] for item in feed.items if item.published)
    stamp = days.most_common(1)[0][0] if days else feed.published or ""
    try:
        moment = datetime.fromisoformat(stamp) if stamp else None
    except ValueError:
        return None
    return moment and (moment.astimezone(UTC) if moment.tzinfo else moment).date()


def without_announcement(raw: Raw) -> Raw:
    """A paper of a program that keeps the descriptions of these feeds as abstracts, without the line that announces it: by this it
    has its id, version and how it is announced, and the day is that of the announcement."""
    said = _ANNOUNCED.match(raw.abstract) if "Announce Type:" in raw.abstract[:_BEGINNING] else None
    named = identity.arxiv_id(said["id"]) if said else None
    if not said or not named:
        return raw
    kind = _TYPES.get(said["type"].lower())
    is_new = kind in ("new", None)
    return structs.replace(
        raw,
        abstract=raw.abstract[said.end() :],
        ids={"arxiv": named[0]} | raw.ids,
        version=raw.version or named[1],
        announce=kind,
        published=raw.published if is_new else None,
        updated=raw.updated if is_new else raw.updated or raw.published,
    )


def _announced(item: Item) -> Raw:
    old = _old_title(item)
    arxiv = identity.arxiv_id(item.guid) or identity.arxiv_id(item.link)
    said = _ANNOUNCED.match(item.summary)
    kind = old or _TYPES.get((item.announce_type or (said["type"] if said else "")).strip().lower())
    text = item.summary[said.end() :] if said else item.summary
    text, described = (text, "") if item.authors else _publishers.behind_authors(text)
    abstract = re.sub(r"^\s*Abstract:\s*", "", text)
    if kind == "replace" and _arxiv.is_withdrawn(abstract[:400]):
        kind = "withdrawn"
    creators = described or ", ".join(item.authors)
    cut = _arxiv.CUT_AUTHORS.search(creators)
    versioned = identity.arxiv_id(said["id"] if said else item.identifiers[-1] if old else "")
    return Raw(
        title=item.title,
        abstract=abstract,
        ids=({"arxiv": arxiv[0]} if arxiv else {}) | ({"doi": item.doi} if item.doi else {}),
        version=(arxiv[1] if arxiv else None) or (versioned[1] if versioned else None),
        authors=_arxiv.names(creators),
        authors_raw=creators or None,
        authors_cut=bool(cut),
        authors_joined=True,
        categories=item.categories,
        announce=kind,
        # The date of an item is that of its announcement: of version 1 for a new paper, of the latest for a replaced one.
        published=item.published if kind in ("new", None) else None,
        updated=item.published if kind in ("replace", "replace-cross", "withdrawn") else None,
        links=_arxiv.links(arxiv[0]) if arxiv else {"abstract": item.link},
        comment=_arxiv.commented(item.comment, item.journal),
    )


_OLD_TITLE = late(
    r"\.?\s*\(arXiv:\s*(?P<id>[^\s()]{1,40})(?:\s*\[(?P<category>[^\]\s]{1,30})\])?\s*(?P<mark>UPDATED|CROSS LISTED)?\)\s*$"
)
_TAG = late(r"<[a-zA-Z/][^<>]*>")


def _old_title(item: Item) -> Announce | None:
    """RSS 1.0 writes id, primary category and announce type behind the title, and authors as links, the collaboration first."""
    found = _OLD_TITLE.search(item.title[-120:])
    if not found:
        return None
    item.title = item.title[: len(item.title) - len(item.title[-120:]) + found.start()]
    item.identifiers.append(found["id"])
    item.categories = item.categories or [found["category"] or ""]
    item.authors = [_TAG.sub("", clean(author)).replace(": ", ", ", 1) for author in item.authors]
    return {"UPDATED": "replace", "CROSS LISTED": "cross"}.get(found["mark"], "new")  # type: ignore[return-value]


# --- the API


def _read_api(feed: Feed, listing: Listing, notes: list[str]) -> Reading:
    _refuse_error(feed, listing)
    _refuse_cut_without_items(feed, listing, notes)
    _refuse_missing_entries(feed, listing)
    return Reading(
        kind="arxiv",
        papers=finish((_entry(item) for item in feed.items), notes),
        stated=feed.stated,
        listed_on=listing.listed_on,
        empty=not feed.items,
        next_url=_next_url(feed, listing),
        notes=tuple(notes),
    )


def _refuse_error(feed: Feed, listing: Listing) -> None:
    """What is wrong stands in the summary of an entry titled Error (API manual, 3.4)."""
    for item in feed.items[:1]:
        if "/api/errors" in item.guid or (item.title.strip() == "Error" and not identity.arxiv_id(item.guid)):
            raise refused(
                listing,
                f"arXiv answers with an error: {clean(item.summary)[:300].rstrip('.')}",
                "Check search_query, id_list, start and max_results in the address.",
            )


def _refuse_missing_entries(feed: Feed, listing: Listing) -> None:
    if feed.items or feed.stated == 0:
        return
    if feed.stated is None:
        why = "no entry and no total. Fetch it again"
    elif feed.start >= feed.stated:
        why = f"{feed.stated} results and start={feed.start}: it lies beyond their end. Take a smaller start"
    else:
        why = f"{feed.stated} results and no entry, a known fault of that service. Ask again later"
    raise refused(listing, f"this answer of arXiv's API states {why}")


_CATEGORY = late(r"[a-z][a-z-]+(?:\.[A-Za-z-]+)?")


def _entry(item: Item) -> Raw:
    arxiv = identity.arxiv_id(item.guid) or identity.arxiv_id(item.link)
    # A collaboration may be followed by a colon, which the service takes for an author.
    authors = [name for name in item.authors if name.strip(" :;,")]
    kept = {"authors": "; ".join(item.authors)} if authors != item.authors else {}
    return Raw(
        title=item.title,
        abstract=item.summary,
        ids=({"arxiv": arxiv[0]} if arxiv else {}) | ({"doi": item.doi} if item.doi else {}),
        version=arxiv[1] if arxiv else None,
        authors=authors,
        # Classes of MSC and ACM stand beside them: "14J60 (Primary) 14F05", "I.2.7".
        categories=[name for name in (item.primary, *item.categories) if _CATEGORY.fullmatch(name)],
        published=item.published,
        updated=item.updated,
        source=({"id": item.guid} if arxiv and item.guid else {}) | kept,
        links=(_arxiv.links(arxiv[0]) | {"pdf": item.pdf})
        if arxiv
        else {"abstract": item.link, "pdf": item.pdf},
        announce=_arxiv.fate(item.comment, item.summary),
        comment=_arxiv.commented(item.comment, item.journal),
    )


def _next_url(feed: Feed, listing: Listing) -> str:
    """The same query with `start` behind the last entry of this answer, while results are left."""
    reached = feed.start + len(feed.items)
    if feed.stated is None or reached >= feed.stated or reached <= number_in_query(listing.base_url, "start"):
        return ""
    return with_query(listing.base_url, start=str(reached))
