"""arXiv: listing pages (new, recent, pastweek, month, year, catchup; layout of 2024 and the one before). Feeds: arxiv_feed.py.

Page layout seen 2026-06. A page repeats id='articles' for each section, with its heading inside the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from msgspec import Struct

from digest import identity
from digest.errors import ListingChanged, ParseError
from digest.model import Announce, Listing, Reading
from digest.sources import _arxiv, _items, _names
from digest.sources._bytes import guard_html, is_utf8, unicode_text
from digest.sources._paging import number_in_query, with_query
from digest.sources._paper import MAX_ENTRIES, Raw, finish

NAME_OF_KIND = "arxiv"

_TOTAL = re.compile(rb"otal of (\d{1,9}) entries")
_NUMBER = re.compile(r"\s*\[(\d{1,9})\]")
_EMPTY = re.compile(r"No updates (?:today\b|for this time period\b|for [A-Z][a-z]{2}, \d\d? [A-Z])")
_BEYOND = re.compile(r"No further updates for [A-Z]")


class _Page(Struct):
    """What the lists of a page hold. `numbers` are those of the entries read (`[26]`), which run on over pages."""

    raws: list[Raw]
    numbers: list[int]
    sections: list[_arxiv.Section]
    broken: int = 0


def read(listing: Listing) -> Reading:
    """Papers of a listing page or feed of arXiv, in page order. Empty only for a day the page itself calls empty.

    `stated` is the page's "Total of N entries" (of the whole listing, not of this page); `section_counts` counts the
    papers by section: new, cross, replace, replace-cross (pages cannot tell the last two apart; withdrawn ones stand among
    the replaced); `section_stated` is what the headings say of each on this page. `next_url` is the listing's next page,
    while the total says that entries are left. Raises ListingChanged where the lists or their titles are missing.
    """
    if _items.is_feed(listing):
        from digest.sources import arxiv_feed

        return arxiv_feed.read(listing)
    return _read_page(listing)


def _read_page(listing: Listing) -> Reading:
    from selectolax.lexbor import LexborHTMLParser

    guard_html(listing.body, listing.location)
    body = listing.body if is_utf8(listing.body) else unicode_text(listing).encode("utf-8", "replace")
    tree = LexborHTMLParser(body)
    notes: list[str] = []
    page = _entries(tree)
    if page.raws and _breaks_off(body):
        page.raws.pop()
        page.numbers.pop()
        page.sections[-1].read -= 1
        notes.append(f"truncated: the page breaks off inside an entry; {len(page.raws)} whole ones were read")
    elif b"<html" in body[:2000].lower() and b"</html" not in body[-2000:].lower():
        notes.append("truncated: the page has no end; entries may be missing")
    stated = int(found[1]) if (found := _TOTAL.search(body)) else None
    listed_on = _page_day(tree) or listing.listed_on
    if not page.raws:
        return _without_papers(listing, stated, listed_on, tree, notes)
    if page.broken:
        notes.append(f"{page.broken} entries could not be read: no id or no title")
    notes += _arxiv.mismatches(page.sections)
    papers = finish(page.raws, notes)
    return Reading(
        kind=NAME_OF_KIND,
        papers=papers,
        stated=stated,
        section_counts=_arxiv.section_counts(papers),
        section_stated=_arxiv.section_stated(page.sections),
        listed_on=listed_on,
        next_url=_next_url(listing, page, stated),
        notes=tuple(notes),
    )


def _next_url(listing: Listing, page: _Page, stated: int | None) -> str:
    """The page behind the last entry of this one: `skip=…` on list pages, `page=…` on catchup pages (2,000 entries each)."""
    skipped = number_in_query(listing, "skip")
    reached = page.numbers[-1] or skipped + len(page.raws) + page.broken
    if stated is None or reached >= stated:
        return ""
    if "/catchup/" in listing.base_url:
        return with_query(listing, page=str(number_in_query(listing, "page", 1) + 1))
    return with_query(listing, skip=str(reached)) if reached > skipped else ""


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
    words = " ".join(frame.text().split()) if frame is not None else ""
    empty = bool(_EMPTY.search(words))
    if empty and not stated:
        return Reading(kind=NAME_OF_KIND, papers=(), stated=stated, listed_on=listed_on, empty=True)
    if empty or _BEYOND.search(words):
        raise ListingChanged(
            f"{listing.location}: the page says no updates and yet a total of {stated} entries: it lies beyond the end "
            "of the list. Leave skip=… or page=… out of the address.",
            url=listing.location,
        )
    raws = list(_tolerant_entries(tree.html or ""))
    if raws:
        notes.append("read with the tolerant reader: the list was not where it used to be")
        papers = finish(raws, notes)
        return Reading(
            kind=NAME_OF_KIND,
            papers=papers,
            stated=stated,
            section_counts=_arxiv.section_counts(papers),
            listed_on=listed_on,
            notes=tuple(notes),
        )
    raise ListingChanged(
        f"{listing.location}: a page of arXiv without its list (dl with dt, dd and list-title) and without the words of an empty "
        "day. The layout changed, or this is no listing: give an address such as https://arxiv.org/list/cs.CL/new.",
        url=listing.location,
    )


def _entries(tree: Any) -> _Page:
    """All entries with their section. A list without a heading is a section without a name."""
    page = _Page([], [], [_arxiv.Section("")])
    term = None
    for node in tree.css("h3, dt, dd"):
        if node.tag == "h3":
            page.sections.append(_arxiv.section(node.text()))
        elif node.tag == "dt":
            term = node
        elif len(page.raws) > MAX_ENTRIES:
            break
        elif term is not None:
            raw = _entry(term, node, page.sections[-1].announce)
            if raw:
                number = _NUMBER.match(term.text())
                page.raws.append(raw)
                page.numbers.append(int(number[1]) if number else 0)
                page.sections[-1].read += 1
            else:
                page.broken += 1
            term = None
    return page


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
    if authors_text == "(author list is unavailable)":
        authors, authors_text = None, ""
    return Raw(
        title=_undescribed(title),
        abstract=abstract,
        ids={"arxiv": arxiv[0]} | _doi(dd),
        version=arxiv[1],
        authors=_author_names(authors, authors_text),
        authors_raw=authors_text or None,
        authors_cut=bool(_arxiv.CUT_AUTHORS.search(authors_text)),
        categories=_categories(dd),
        announce=_announce(dt, section, comment, abstract),
        links=_links(arxiv[0], dt),
        comment=_arxiv.commented(comment, _field(dd, ".list-journal-ref")),
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
    return [link.text() for link in node.css("a")] or _names.split(
        _arxiv.CUT_AUTHORS.sub("", text).strip(" ,")
    )


def _categories(dd: Any) -> list[str]:
    node = dd.css_first(".list-subjects")
    return _arxiv.CATEGORY.findall(node.text()) if node else []


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
    if kind == "replace" and _arxiv.is_withdrawn(comment, abstract):
        return "withdrawn"
    return kind


def _links(arxiv: str, dt: Any) -> dict[str, str]:
    links = _arxiv.links(arxiv)
    if html := dt.css_first("a[href*='/html/']"):
        href = html.attributes.get("href") or ""
        links["html"] = f"{_arxiv.SITE}{href}" if href.startswith("/") else href
    return links


def _page_day(tree: Any) -> date | None:
    """The newest day that a heading names (`h3`; on a catchup page the `h1`); None on the page of a month or year."""
    headings = tree.css("h3") + [h1 for h1 in tree.css("h1") if h1.text().strip().startswith("Catchup")]
    return max((day for heading in headings if (day := _arxiv.day(heading.text()))), default=None)


def _breaks_off(body: bytes) -> bool:
    """Does the page end inside an entry? Browsers' way of closing what is open would make a half paper of it."""
    last = body.rfind(b"<dd")
    return last > body.rfind(b"</dd") and b"</dl" not in body[last:]


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
            links=_arxiv.links(arxiv[0]),
            announce="new",
        )
