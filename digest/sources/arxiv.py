"""arXiv: listing pages (new, recent, pastweek, month; layout of 2024 and the one before) and the feeds of rss.arxiv.org.

Page layout seen 2026-06. A page repeats id='articles' for each section, with its heading inside the list.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from digest import identity
from digest.errors import ListingChanged, ParseError
from digest.model import Announce, Listing, Paper, Reading
from digest.sources import _items, _names
from digest.sources._bytes import guard_html, is_utf8, unicode_text
from digest.sources._dates import MONTHS
from digest.sources._paper import MAX_ENTRIES, Raw, finish

SITE = "https://arxiv.org"
NAME_OF_KIND = "arxiv"

_TOTAL = re.compile(rb"otal of (\d{1,9}) entries")
_SHOWING = re.compile(r"showing (?:first |last )?(\d+) of (\d+) entries", re.I)
_DATE = re.compile(r"\b(\d{1,2}) ([A-Z][a-z]{2})[a-z]* (\d{4}|\d{2})\b")
_CATEGORY = re.compile(r"\(([a-z][a-z-]+(?:\.[A-Za-z-]+)?)\)")
_EMPTY = re.compile(r"No updates (?:today|for this time period)\.", re.I)
_CUT_AUTHORS = re.compile(r"et al\.?\s*\((\d+) additional authors? not shown\)", re.I)
_WITHDRAWN = re.compile(
    r"\b(?:this|the) (?:paper|article|manuscript|submission|work) (?:has been|is|was) (?:now )?withdrawn\b|\bwithdrawn by\b",
    re.I,
)


def read(listing: Listing) -> Reading:
    """Papers of a listing page or feed of arXiv, in page order. Empty only for a day the page itself calls empty.

    `stated` is the page's "Total of N entries" (of the whole listing, not of this page); `section_counts` counts the
    papers by section: new, cross, replace, replace-cross (pages cannot tell the last two apart; withdrawn ones stand among
    the replaced). Raises ListingChanged where the lists or their titles are missing.
    """
    if _items.is_feed(listing):
        return _read_feed(listing)
    return _read_page(listing)


# --- the page


def _read_page(listing: Listing) -> Reading:
    from selectolax.lexbor import LexborHTMLParser

    guard_html(listing.body, listing.location)
    body = listing.body if is_utf8(listing.body) else unicode_text(listing).encode("utf-8", "replace")
    tree = LexborHTMLParser(body)
    notes: list[str] = []
    raws, shown = _entries(tree, notes)
    if raws and _breaks_off(body):
        raws.pop()
        notes.append(f"truncated: the page breaks off inside an entry; {len(raws)} whole ones were read")
    elif b"<html" in body[:2000].lower() and b"</html" not in body[-2000:].lower():
        notes.append("truncated: the page has no end; entries may be missing")
    stated = int(found[1]) if (found := _TOTAL.search(body)) else None
    listed_on = _page_day(tree) or listing.listed_on
    if not raws:
        return _without_papers(listing, stated, listed_on, tree, notes)
    if shown and shown != len(raws):
        notes.append(f"the headings say {shown} entries are shown, {len(raws)} were read")
    return _reading(raws, notes, stated=stated, listed_on=listed_on)


def _reading(raws: list[Raw], notes: list[str], *, stated: int | None, listed_on: date | None) -> Reading:
    papers = finish(raws, notes)
    return Reading(
        kind=NAME_OF_KIND,
        papers=papers,
        stated=stated,
        section_counts=_section_counts(papers),
        listed_on=listed_on,
        notes=tuple(notes),
    )


def _section_counts(papers: Iterable[Paper]) -> dict[str, int]:
    counts = Counter(
        "replace" if paper.announce == "withdrawn" else paper.announce or "new" for paper in papers
    )
    return {
        section: counts[section]
        for section in ("new", "cross", "replace", "replace-cross")
        if counts[section]
    }


def _without_papers(
    listing: Listing, stated: int | None, listed_on: date | None, tree: Any, notes: list[str]
) -> Reading:
    """An empty day says so and states no total; beyond the end of a list the page says "No updates" and a total."""
    if any("truncated" in note for note in notes):
        raise ParseError(
            f"{listing.location}: the page breaks off before its first whole entry. Fetch it again.",
            url=listing.location,
        )
    frame = tree.css_first("#dlpage") or tree.body
    empty = frame is not None and bool(_EMPTY.search(frame.text()))
    if empty and not stated:
        return Reading(kind=NAME_OF_KIND, papers=(), stated=stated, listed_on=listed_on, empty=True)
    if empty:
        raise ListingChanged(
            f"{listing.location}: the page says no updates and yet a total of {stated} entries: it lies beyond the end "
            "of the list. Leave skip=… out of the address.",
            url=listing.location,
        )
    raws = list(_tolerant_entries(tree.html or ""))
    if raws:
        return _reading(
            raws,
            [*notes, "read with the tolerant reader: the list was not where it used to be"],
            stated=stated,
            listed_on=listed_on,
        )
    raise ListingChanged(
        f"{listing.location}: a page of arXiv without its list (dl with dt, dd and list-title) and without the words of an empty "
        "day. The layout changed, or this is no listing: give an address such as https://arxiv.org/list/cs.CL/new.",
        url=listing.location,
    )


def _entries(tree: Any, notes: list[str]) -> tuple[list[Raw], int]:
    """All entries with their section, and how many the headings say are shown on this page."""
    raws: list[Raw] = []
    section: Announce | None = None
    heading = None
    shown = broken = 0
    for node in tree.css("h3, dt, dd"):
        if node.tag == "h3":
            title = node.text()
            section = _section(title)
            if found := _SHOWING.search(title):
                shown += int(found[1])
        elif node.tag == "dt":
            heading = node
        elif len(raws) > MAX_ENTRIES:
            break
        elif heading is not None:
            raw = _entry(heading, node, section)
            heading = None
            if raw:
                raws.append(raw)
            else:
                broken += 1
    if broken and raws:
        notes.append(f"{broken} entries could not be read: no id or no title")
    return raws, shown


def _section(heading: str) -> Announce | None:
    """New, Cross and Replacement submissions of a `new` page; elsewhere a heading is a day and the mark alone tells."""
    word = heading.strip()[:5].lower()
    return (
        "new"
        if word.startswith("new")
        else "cross"
        if word == "cross"
        else "replace"
        if word == "repla"
        else None
    )


def _entry(dt: Any, dd: Any, section: Announce | None) -> Raw | None:
    link = dt.css_first("a[title='Abstract']") or dt.css_first("a[href*='/abs/']")
    arxiv = identity.arxiv_id((link.attributes.get("href") or "").strip()) if link else None
    title = dd.css_first(".list-title")
    if not arxiv or title is None:
        return None
    comment = _field(dd, ".list-comments")
    abstract = _abstract(dd)
    authors = dd.css_first(".list-authors")
    authors_text = " ".join(authors.text().split()).removeprefix("Authors:").strip() if authors else ""
    return Raw(
        title=_undescribed(title),
        abstract=abstract,
        ids={"arxiv": arxiv[0]} | _doi(dd),
        version=arxiv[1],
        authors=_author_names(authors, authors_text),
        authors_raw=authors_text or None,
        authors_cut=bool(_CUT_AUTHORS.search(authors_text)),
        categories=_categories(dd),
        announce=_announce(dt, section, comment, abstract),
        links=_links(arxiv[0], dt),
        comment=comment or None,
    )


def _undescribed(node: Any) -> str:
    """The text without its label: `Title:` is an element of its own."""
    label = node.css_first(".descriptor")
    if label:
        label.decompose()
    return str(node.text())


def _field(dd: Any, selector: str) -> str:
    node = dd.css_first(selector)
    if node is None:
        return ""
    for link in node.css("a"):
        if (link.text() or "").strip().startswith("this http"):
            link.replace_with(link.attributes.get("href") or "")
    return _undescribed(node)


def _abstract(dd: Any) -> str:
    """The paragraph, its line breaks as spaces and its links as addresses, where arXiv shows "this https URL"."""
    node = dd.css_first("p.mathjax") or dd.css_first(".meta p") or dd.css_first("p")
    if node is None:
        return ""
    for link in node.css("a"):
        if (link.text() or "").strip().startswith("this http"):
            link.replace_with(link.attributes.get("href") or "")
    for line_break in node.css("br"):
        line_break.replace_with(" ")
    return str(node.text())


def _author_names(node: Any, text: str) -> list[str]:
    if node is None:
        return []
    return [link.text() for link in node.css("a")] or _names.split(_CUT_AUTHORS.sub("", text).strip(" ,"))


def _categories(dd: Any) -> list[str]:
    node = dd.css_first(".list-subjects")
    return _CATEGORY.findall(node.text()) if node else []


def _doi(dd: Any) -> dict[str, str]:
    node = dd.css_first(".list-doi")
    found = identity.doi(node.text()) if node else None
    return {"doi": found} if found else {}


def _announce(dt: Any, section: Announce | None, comment: str, abstract: str) -> Announce | None:
    mark = dt.text()
    kind: Announce = section or "new"
    if "(replaced)" in mark:
        kind = "replace"
    elif "(cross-list" in mark:
        kind = "cross"
    if kind == "replace" and (_WITHDRAWN.search(comment) or _WITHDRAWN.search(abstract)):
        return "withdrawn"
    return kind


def _links(arxiv: str, dt: Any = None) -> dict[str, str]:
    links = {"abstract": f"{SITE}/abs/{arxiv}", "pdf": f"{SITE}/pdf/{arxiv}"}
    if dt is not None and (html := dt.css_first("a[href*='/html/']")):
        href = html.attributes.get("href") or ""
        links["html"] = f"{SITE}{href}" if href.startswith("/") else href
    return links


def _page_day(tree: Any) -> date | None:
    """The newest day that a heading names; None on a month's page."""
    days = [day for heading in tree.css("h3") if (day := _day(heading.text()))]
    return max(days, default=None)


def _day(text: str) -> date | None:
    found = _DATE.search(text)
    if not found or found[2].lower() not in MONTHS:
        return None
    year = int(found[3])
    try:
        return date(year if year > 99 else 2000 + year, MONTHS[found[2].lower()], int(found[1]))
    except ValueError:
        return None


def _breaks_off(body: bytes) -> bool:
    """Does the page end inside an entry? Browsers' way of closing what is open would make a half paper of it."""
    return (
        body.rfind(b"<dd") > body.rfind(b"</dd")
        and b"</dl" not in body[body.rfind(b"<dd") :]
        and b"</dd" in body
    )


def _tolerant_entries(html: str) -> Iterator[Raw]:
    """Titles by their class, wherever they stand, with the abstract link before them."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(html, "lxml")
    for title in soup.select(".list-title"):
        link = title.find_previous("a", href=re.compile("/abs/"))
        arxiv = identity.arxiv_id(str(link["href"])) if link else None
        if not arxiv:
            continue
        label = title.select_one(".descriptor")
        if label:
            label.extract()
        box = title.parent
        authors = [a.get_text() for a in box.select(".list-authors a")] if box else []
        yield Raw(
            title=title.get_text(),
            ids={"arxiv": arxiv[0]},
            authors=authors,
            links=_links(arxiv[0]),
            announce="new",
        )


# --- the feed

_ANNOUNCED = re.compile(
    r"^\s*arXiv:\s*(?P<id>\S+?)\s+Announce Type:\s*(?P<type>[a-z-]+)\s*(?:Abstract:\s*)?", re.I
)
_TYPES: dict[str, Announce] = {
    "new": "new",
    "cross": "cross",
    "replace": "replace",
    "replace-cross": "replace-cross",
}


def _read_feed(listing: Listing) -> Reading:
    notes: list[str] = []
    feed = _items.read_items(listing, notes)
    if feed.title.strip().lower().startswith("feed error for query"):
        raise ParseError(
            f"{listing.location}: arXiv answers with an error: {' '.join(feed.description.split())[:300]} "
            "Check the name of the archive in the address.",
            url=listing.location,
        )
    raws = [_announced(item) for item in feed.items]
    if not raws:
        if any("truncated" in note for note in notes):
            raise ParseError(
                f"{listing.location}: the feed breaks off before its first whole item. Fetch it again.",
                url=listing.location,
            )
        return Reading(
            kind=NAME_OF_KIND,
            papers=(),
            listed_on=_feed_day(feed, raws) or listing.listed_on,
            empty=True,
            notes=tuple(notes),
        )
    return _reading(raws, notes, stated=None, listed_on=_feed_day(feed, raws) or listing.listed_on)


def _feed_day(feed: _items.Feed, raws: list[Raw]) -> date | None:
    """The day of the announcement. The feed's own `updated` and `lastBuildDate` are the time of the build and say nothing."""
    days = Counter(raw.published[:10] for raw in raws if raw.published)
    stamp = days.most_common(1)[0][0] if days else (feed.published or "")[:10]
    try:
        return datetime.fromisoformat(stamp).date() if stamp else None
    except ValueError:
        return None


def _announced(item: _items.Item) -> Raw:
    arxiv = identity.arxiv_id(item.guid) or identity.arxiv_id(item.link)
    said = _ANNOUNCED.match(item.summary)
    kind = _TYPES.get((item.announce_type or (said["type"] if said else "")).strip().lower())
    abstract = re.sub(r"^\s*Abstract:\s*", "", item.summary[said.end() :] if said else item.summary)
    if kind == "replace" and _WITHDRAWN.search(abstract[:400]):
        kind = "withdrawn"
    creators = ", ".join(item.authors)
    versioned = identity.arxiv_id(said["id"]) if said else None
    return Raw(
        title=item.title,
        abstract=abstract,
        ids=({"arxiv": arxiv[0]} if arxiv else {}) | ({"doi": item.doi} if item.doi else {}),
        version=(arxiv[1] if arxiv else None) or (versioned[1] if versioned else None),
        authors=_names.split(creators),
        authors_raw=creators or None,
        authors_joined=True,
        categories=item.categories,
        announce=kind,
        published=item.published,
        links=_links(arxiv[0]) if arxiv else {"abstract": item.link},
        comment=item.comment or None,
    )
