"""arXiv: listing pages (new, recent, pastweek, month, year, catchup; layout of 2024 and the one before). Feeds: arxiv_feed.py.

Page layout seen 2026-06. A page repeats id='articles' for each section, with its heading inside the list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import islice
from typing import Any

from msgspec import Struct

from digest import identity
from digest.errors import ListingChanged
from digest.model import Announce, Listing, Reading
from digest.patterns import late
from digest.sources import _arxiv, _arxiv_quick, _items, _math, _names
from digest.sources._bytes import (
    MAX_SOUP_CHARS,
    MAX_SOUP_TAGS,
    MAX_TAGS,
    guard_html,
    guard_nesting,
    has_end,
    refused,
    soup_of,
    tags_in,
    unicode_text,
)
from digest.sources._paging import number_in_query, with_query
from digest.sources._paper import MAX_ENTRIES, Raw, finish, plural

NAME_OF_KIND = "arxiv"
MAX_FRAME_CHARS = 200_000  # of a page without papers
MAX_HEADING_CHARS = 1_000
MAX_BEFORE_TITLE = 60  # elements and texts between the link to an abstract and the title

_TOTAL = late(rb"otal of (\d{1,9}) entries")
_TOTAL_SHOWN = late(r"otal of ([0-9]{1,9}) entries")
_NUMBER = late(r"\s*\[(\d{1,9})\]")
_EMPTY = late(r"No updates (?:today\b|for this time period\b|for [A-Z][a-z]{2}, \d\d? [A-Z])")
_BEYOND = late(r"No further updates for [A-Z]")


class _Page(Struct):
    """What the lists of a page hold. `numbers` are those of the entries read (`[26]`), which run on over pages."""

    raws: list[Raw]
    numbers: list[int]
    sections: list[_arxiv.Section]
    days: list[date]
    broken: int = 0


class _Entry(Struct):
    """A dt with its links, and the dd behind it with its parts: of each class the first."""

    dt: Any
    links: list[Any]
    dd: Any = None
    parts: dict[str, Any] = {}


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
    body = listing.body
    try:
        tree, rows = _parsed(body, listing.location)
    except UnicodeDecodeError:
        body = unicode_text(listing).encode("utf-8", "replace")
        tree, rows = _parsed(body, listing.location)
    notes: list[str] = []
    page = _entries(tree, rows, listing.location)
    if page.raws and _breaks_off(body):
        page.raws.pop()
        page.numbers.pop()
        page.sections[-1].read -= 1
        notes.append(f"truncated: the page breaks off inside an entry; {len(page.raws)} whole ones were read")
    elif not has_end(body):
        notes.append("truncated: the page has no end; entries may be missing")
    stated = _stated(body, tree)
    listed_on = max(page.days, default=listing.listed_on)
    if not page.raws:
        return _without_papers(listing, stated, listed_on, tree, notes)
    if page.broken:
        notes.append(f"{plural(page.broken, 'entry', 'entries')} could not be read: no id or no title")
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


def _stated(body: bytes, tree: Any) -> int | None:
    """The total of the listing, also where the page has markup or no-break spaces within these words."""
    found: Any = _TOTAL.search(body)
    if not found and (frame := tree.css_first(".paging")) is not None:
        found = _TOTAL_SHOWN.search(" ".join(frame.text().split()))
    return int(found[1]) if found else None


def _parsed(body: bytes, location: str) -> tuple[Any, list[_arxiv_quick.Entries]]:
    """The tree of the page, and the rows of entries that were taken out before the parse: each has left a stub in the tree.

    Raises UnicodeDecodeError for what is not UTF-8.
    """
    rest, rows = _arxiv_quick.divided(body) if tags_in(body) <= MAX_TAGS else (body, [])
    rest.decode()
    if rows:
        guard_html(rest, location)
        tree = _tree(rest)
        if _arxiv_quick.hold(tree, rows):
            return tree, rows
    guard_html(body, location)
    return _tree(body), []


def _tree(body: bytes) -> Any:
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(body)
    _math.unrender(tree, body)
    return tree


def _next_url(listing: Listing, page: _Page, stated: int | None) -> str:
    """The page behind the last entry of this one: `skip=…` on list pages, `page=…` on catchup pages (2,000 entries each)."""
    skipped = number_in_query(listing.base_url, "skip")
    reached = page.numbers[-1] or skipped + len(page.raws) + page.broken
    if stated is None or reached >= stated:
        return ""
    if "/catchup/" in listing.base_url:
        return with_query(listing.base_url, page=str(number_in_query(listing.base_url, "page", 1) + 1))
    return with_query(listing.base_url, skip=str(reached)) if reached > skipped else ""


def _without_papers(
    listing: Listing, stated: int | None, listed_on: date | None, tree: Any, notes: list[str]
) -> Reading:
    """An empty day says so and states no total, or 0; beyond the end of a list the page says "No updates" and a total."""
    if any("truncated" in note for note in notes):
        raise refused(listing, "the page breaks off before its first whole entry", "Fetch it again.")
    frame = tree.css_first("#dlpage") or tree.body
    words = " ".join(frame.text()[:MAX_FRAME_CHARS].split()) if frame is not None else ""
    empty = bool(_EMPTY.search(words)) or (stated == 0 and "No updates" in words)
    if empty and not stated:
        return Reading(kind=NAME_OF_KIND, papers=(), stated=stated, listed_on=listed_on, empty=True)
    if empty or _BEYOND.search(words):
        raise refused(
            listing,
            f"the page says no updates and yet a total of {stated} entries: it lies beyond the end of the list",
            "Leave skip=… or page=… out of the address.",
            kind=ListingChanged,
        )
    raws = list(_tolerant_entries(tree.html or "")) if len(listing.body) <= MAX_SOUP_CHARS else []
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
    raise refused(
        listing,
        "a page of arXiv without its list (dl with dt, dd and list-title) and without the words of an empty day",
        "The layout changed, or this is no listing: give an address such as https://arxiv.org/list/cs.CL/new.",
        kind=ListingChanged,
    )


# All that is read, so that one search of the page finds it: headings, and of each entry the dt, its links, the dd, its parts.
_PARTS = (
    "h1, h2, h3, h4, dt, dt a[title='Abstract'], dt a[href*='/html/'], dd, dd .list-title, dd .list-authors,"
    " dd .list-comments, dd .list-journal-ref, dd .list-subjects, dd .list-doi, dd p"
)


def _entries(tree: Any, rows: list[_arxiv_quick.Entries], location: str) -> _Page:
    """All entries with their section. A list without a heading is a section without a name."""
    page = _Page([], [], [_arxiv.Section("")], [])
    parts = tree.css(_PARTS)
    guard_nesting(parts, location)
    for found in _in_page_order(parts, rows):
        if not isinstance(found, _arxiv.Shown):
            _heading(found, page)
            continue
        if len(page.raws) > MAX_ENTRIES:
            break
        raw = _raw(found, page.sections[-1].announce)
        if raw:
            page.raws.append(raw)
            page.numbers.append(found.number)
            page.sections[-1].read += 1
        else:
            page.broken += 1
    return page


def _in_page_order(parts: list[Any], rows: list[_arxiv_quick.Entries]) -> Iterator[Any]:
    """Headings as they are, and what is shown of each dt with a dd, or without one where its links say that it is an entry."""
    entry: _Entry | None = None
    left = iter(rows)
    for node in parts:
        tag = node.tag
        if tag in ("dt", "dd", "h1", "h2", "h3", "h4"):
            if entry is not None and (entry.dd is not None or (entry.links and tag != "dd")):
                yield _shown(entry)
                entry = None
            if tag == "dt":
                entry = _Entry(node, [])
                if rows and node.attrs.get("class") == _arxiv_quick.MARK:
                    yield from next(left)
                    entry = None
            elif tag != "dd":
                yield node
            elif entry is not None:
                entry.dd, entry.parts = node, {}
        elif entry is not None:
            if entry.dd is None:
                entry.links.append(node)
            else:
                for name in _part_names(tag, node.attrs.get("class")):
                    entry.parts.setdefault(name, node)
    if entry is not None and (entry.dd is not None or entry.links):
        yield _shown(entry)


@lru_cache(maxsize=64)
def _part_names(tag: str, classes: str | None) -> tuple[str, ...]:
    """`list-title`, `mathjax`; those of a paragraph are `p`, `p.mathjax`."""
    names = (classes or "").split()
    return ("p", *(f"p.{name}" for name in names)) if tag == "p" else tuple(names)


def _heading(node: Any, page: _Page) -> None:
    """An `h3` opens a section and may name a day, newest of all that of the page; so does the `h1` of a catchup page. Headings of
    the levels beside do where they say what an `h3` says."""
    text = node.text()[:MAX_HEADING_CHARS]
    if node.tag != "h1":
        section = _arxiv.section(text)
        if node.tag == "h3" or section.announce or section.stated is not None:
            page.sections.append(section)
    elif not text.strip().startswith("Catchup"):
        return
    if day := _arxiv.day(text):
        page.days.append(day)


def _shown(entry: _Entry) -> _arxiv.Shown:
    """What the page shows of an entry. Without a title nothing else counts, and it is an entry without an id."""
    mark = entry.dt.text()
    number = _NUMBER.match(mark)
    arxiv, html = _addresses(entry)
    title = entry.parts.get("list-title")
    authors, authors_text = _authors(entry.parts.get("list-authors"))
    subjects, doi = entry.parts.get("list-subjects"), entry.parts.get("list-doi")
    return _arxiv.Shown(
        id=arxiv if title is not None else None,
        html=html,
        number=int(number[1]) if number else 0,
        mark=mark,
        title=_undescribed(title, "Title:") if title is not None else "",
        authors=authors,
        authors_text=authors_text,
        comment=_field(entry.parts.get("list-comments"), "Comments:"),
        journal=_field(entry.parts.get("list-journal-ref"), "Journal-ref:"),
        doi=doi.text() if doi else "",
        subjects=subjects.text() if subjects else "",
        abstract=_abstract(entry),
    )


def _raw(shown: _arxiv.Shown, section: Announce | None) -> Raw | None:
    if shown.id is None:
        return None
    ids, links = {"arxiv": shown.id[0]}, _arxiv.links(shown.id[0])
    if shown.doi and (doi := identity.doi(shown.doi)):
        ids["doi"] = doi
    if shown.html:
        links["html"] = f"{_arxiv.SITE}{shown.html}" if shown.html.startswith("/") else shown.html
    authors, text = shown.authors, shown.authors_text.removeprefix("Authors:").strip()
    if text == "(author list is unavailable)":
        authors, text = [], ""
    return Raw(
        title=shown.title,
        abstract=shown.abstract,
        ids=ids,
        version=shown.id[1],
        authors=_names.without_and(authors) or _names.split(_arxiv.CUT_AUTHORS.sub("", text).strip(" ,")),
        authors_raw=text or None,
        authors_cut="(" in text and "not shown" in text.lower() and bool(_arxiv.CUT_AUTHORS.search(text)),
        categories=_arxiv.CATEGORY.findall(shown.subjects),
        announce=_announce(shown, section),
        links=links,
        comment=_arxiv.commented(shown.comment, shown.journal),
    )


def _addresses(entry: _Entry) -> tuple[tuple[str, int | None] | None, str]:
    """The id in the link titled Abstract, else in the first to /abs/; and the address of the HTML where there is one."""
    abstract = html = None
    for link in entry.links:
        if abstract is None and link.attrs.get("title") == "Abstract":
            abstract = link
        elif html is None and "/html/" in (href := link.attrs.get("href") or ""):
            html = href
    abstract = abstract or entry.dt.css_first("a[href*='/abs/']")
    href = (abstract.attrs.get("href") or "") if abstract else ""
    return identity.arxiv_id(href.strip()), html or ""


def _undescribed(node: Any, name: str) -> str:
    """The text without its label: an element of its own, or what pages rebuilt by others leave of it, its bare words."""
    label = node.first_child
    if label is not None and label.tag == "span" and label.attrs.get("class") == "descriptor":
        return str(node.text())[len(label.text()) :]
    label = node.css_first(".descriptor")
    if label:
        label.decompose()
    return str(node.text()).strip().removeprefix(name)


def _field(node: Any, name: str) -> str:
    if node is None:
        return ""
    _show_addresses(node)
    return _undescribed(node, name)


def _abstract(entry: _Entry) -> str:
    """The paragraph, its line breaks as spaces and its links as addresses, where arXiv shows "this https URL". Without the space
    around: a text that is too long is cut where it is cut of an entry that needs no tree."""
    node = entry.parts.get("p.mathjax")
    if node is None and "p" in entry.parts:
        node = entry.dd.css_first(".meta p") or entry.parts["p"]
    if node is None:
        return ""
    first = node.first_child
    if first is None or (first.next is None and first.is_text_node):
        return str(node.text()).strip()
    _show_addresses(node)
    for line_break in node.css("br"):
        line_break.replace_with(" ")
    return str(node.text()).strip()


def _show_addresses(node: Any) -> None:
    if "this http" in node.text():
        for link in node.css("a"):
            if (link.text() or "").strip().startswith("this http"):
                link.replace_with(link.attributes.get("href") or "")


def _authors(node: Any) -> tuple[list[str], str]:
    """The names that are links, as nearly all are, and the whole text."""
    if node is None:
        return [], ""
    pieces = node.text(separator="\0").split("\0")
    text = " ".join("".join(pieces).split())
    first = node.first_child
    if first is not None and first.tag == "a" and {piece.strip() for piece in pieces[1::2]} <= {","}:
        return pieces[::2], text
    return [link.text() for link in node.css("a")], text


def _marked(mark: str) -> Announce | None:
    return "replace" if "(replaced)" in mark else "cross" if "(cross-list" in mark else None


def _announce(shown: _arxiv.Shown, section: Announce | None) -> Announce | None:
    kind = _marked(shown.mark) or section or "new"
    if kind == "replace" and "withdrawn" in f"{shown.comment} {shown.abstract}".lower():
        return "withdrawn" if _arxiv.is_withdrawn(shown.comment, shown.abstract) else kind
    return kind


def _breaks_off(body: bytes) -> bool:
    """Does the page end inside an entry? Browsers' way of closing what is open would make a half paper of it."""
    body = body.lower()
    last = body.rfind(b"<dd")
    return last > body.rfind(b"</dd") and b"</dl" not in body[last:]


def _strings_between(link: Any, title: Any) -> Iterator[str]:
    for each in islice(link.next_elements, MAX_BEFORE_TITLE):
        if each is title:
            return
        if isinstance(each, str):
            yield each


def _tolerant_entries(html: str) -> Iterator[Raw]:
    """Titles by their class, wherever they stand, with the abstract link before them and the mark behind that: `(replaced)`."""
    from bs4 import Tag

    if html.count("<") > MAX_SOUP_TAGS:
        return
    found = soup_of(html).select("a[href*='/abs/'], .list-title")
    titles_in = Counter(id(tag.parent) for tag in found if "list-title" in tag.get_attribute_list("class"))
    link = None
    for title in found:
        if "list-title" not in title.get_attribute_list("class"):
            link = title
            continue
        arxiv = identity.arxiv_id(str(link["href"])) if link else None
        if not link or not arxiv:
            continue
        if label := title.find(class_="descriptor", recursive=False):
            label.extract()
        # Where titles share a box, nobody knows whose authors stand in it.
        names = title.find_next_sibling(class_="list-authors") if titles_in[id(title.parent)] == 1 else None
        yield Raw(
            title="".join(islice(title.strings, 1_000)),  # titles may stand in titles in titles
            ids={"arxiv": arxiv[0]},
            authors=[name.get_text() for name in names.select("a")] if isinstance(names, Tag) else [],
            links=_arxiv.links(arxiv[0]),
            announce=_marked(" ".join(_strings_between(link, title))) or "new",
        )
