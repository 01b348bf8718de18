"""arXiv's search results (https://arxiv.org/search/), simple, advanced and by author, with and without abstracts.

Page layout of 2018 to 2025. Every abstract stands there twice, cut and whole, with the words that were searched for marked.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin, urlsplit

from digest import identity
from digest.errors import ListingChanged
from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources import _arxiv, _arxiv_found, _math
from digest.sources._bytes import guard_html, has_end, is_utf8, refused, unicode_text
from digest.sources._paging import number_in_query, with_query
from digest.sources._paper import MAX_ENTRIES, Raw, finish, plural
from digest.sources._plain import without_links

NAME_OF_KIND = "arxiv-search"

_RESULTS = late(r"Showing ([\d,]{1,12})\s*[–—-]\s*([\d,]{1,12}) of ([\d,]{1,12}) results")
_NONE_FOUND = late(r"your query .{0,600}?produced no results", re.I | re.S)
_VERSION = late(r"v(\d{1,3})-abstract-(?:full|short)$")
_SUBMITTED = late(r"\bSubmitted\s+(\d{1,2} [A-Z][a-z]+,? \d{4})")
_FIRST = late(r"\bv1\s+submitted\s+(\d{1,2} [A-Z][a-z]+,? \d{4})")
_IS_CATEGORY = late(r"[a-z][a-z-]+(?:\.[A-Za-z-]+)?")
_LABEL = late(r"^Abstract ?:")
_MORE = late(r"^\s*+[△▽]?\s*+(?:More|Less)\s*$")
_MORE_BEHIND = late(r"[△▽] (?:More|Less)$")


def read(listing: Listing) -> Reading:
    """Results in page order. Empty only where the page says that the query produced none.

    `stated` is the number of all results; `next_url` the page's own "Next", never on another host. Raises ListingChanged where
    results stand without their ids or titles.
    """
    if not listing.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return _read_text(listing)
    from selectolax.lexbor import LexborHTMLParser

    guard_html(listing.body, listing.location)
    body = listing.body if is_utf8(listing.body) else unicode_text(listing).encode("utf-8", "replace")
    tree = LexborHTMLParser(body)
    _math.unrender(tree, body)
    notes: list[str] = []
    nodes = tree.css(".arxiv-result")[: MAX_ENTRIES + 1]
    # The end of the list ends its last result too.
    ends = (f"</{nodes[-1].tag}".encode(), b"</ol") if nodes else ()
    if nodes and max(map(body.lower().rfind, ends)) < body.rfind(b"arxiv-result"):
        nodes.pop()
        notes.append(f"truncated: the page breaks off inside a result; {len(nodes)} whole ones were read")
    elif not has_end(body):
        notes.append("truncated: the page has no end; results may be missing")
    raws = [raw for node in nodes if (raw := _result(node))]
    if broken := len(nodes) - len(raws):
        notes.append(f"{plural(broken, 'result', 'results')} could not be read: no id or no title")
    words = tree.body.text()[:200_000] if tree.body is not None else ""
    if not raws:
        return _without_papers(listing, words, nodes, notes)
    last, total = _stated(words, len(nodes), notes)
    return Reading(
        kind=NAME_OF_KIND,
        papers=finish(raws, notes),
        stated=total,
        listed_on=listing.listed_on,
        next_url=_next_url(listing, tree, last, total),
        notes=tuple(notes),
    )


def _read_text(listing: Listing) -> Reading:
    """The page as copied text, or as programs make text of it, with its links."""
    text = without_links(unicode_text(listing))
    notes: list[str] = []
    raws = _arxiv_found.results(text, notes)
    if not raws:
        return _without_papers(listing, text[:200_000], [], notes)
    _, total = _stated(text[:200_000], len(raws), notes)
    return Reading(
        kind=NAME_OF_KIND,
        papers=finish(raws, notes),
        stated=total,
        listed_on=listing.listed_on,
        notes=tuple(notes),
    )


def _stated(words: str, read: int, notes: list[str]) -> tuple[int, int | None]:
    """The number of the page's last result and of all results, as the page says them; with a note where it shows others than were
    read."""
    first, last, total = _range(words)
    if last and last - first + 1 != read:
        notes.append(f"the page says that results {first}-{last} are shown, {read} were read")
    return last, total


def _without_papers(listing: Listing, words: str, nodes: list[Any], notes: list[str]) -> Reading:
    if notes and any(note.startswith("truncated") for note in notes):
        raise refused(listing, "the page breaks off before its first whole result", "Fetch it again.")
    if not nodes and _NONE_FOUND.search(words):
        return Reading(kind=NAME_OF_KIND, papers=(), stated=0, listed_on=listing.listed_on, empty=True)
    raise refused(
        listing,
        "a search page of arXiv without results that have an id and a title",
        "The layout changed, or nothing was searched for: give the address of the results, such as "
        "https://arxiv.org/search/?query=…&searchtype=all.",
        kind=ListingChanged,
    )


def _range(words: str) -> tuple[int, int, int | None]:
    """`Showing 1–50 of 77,800 results`: first, last and all; (0, 0, None) where the page does not say."""
    found = _RESULTS.search(words)
    if not found:
        return 0, 0, None
    first, last, total = (int(number.replace(",", "") or 0) for number in found.groups())
    return first, last, total


def _next_url(listing: Listing, tree: Any, last: int, total: int | None) -> str:
    """The page's link "Next", or `start=…` behind the last result of a page that shows no links."""
    if urlsplit(listing.base_url).scheme not in ("http", "https"):
        return ""
    link = tree.css_first("a.pagination-next")
    if link is None:
        more = total is not None and last < total and last > number_in_query(listing.base_url, "start")
        return (
            with_query(listing.base_url, start=str(last))
            if more and not tree.css_first("nav.pagination")
            else ""
        )
    href = (link.attributes.get("href") or "").strip()
    hidden = "is-invisible" in (link.attributes.get("class") or "") or "disabled" in link.attributes
    if not href or hidden:
        return ""
    address = urljoin(listing.base_url, href)
    return address if _same_site(address, listing.base_url) and address != listing.base_url else ""


def _same_site(one: str, other: str) -> bool:
    return urlsplit(one)[:2] == urlsplit(other)[:2]


# --- one result


def _result(node: Any) -> Raw | None:
    link = node.css_first(".list-title a[href*='/abs/']") or node.css_first("a[href*='/abs/']")
    arxiv = identity.arxiv_id((link.attributes.get("href") or "").strip()) if link else None
    title = node.css_first("p.title") or node.css_first(".title")
    if not arxiv or title is None or not title.text().strip():
        return None
    authors = node.css_first("p.authors")
    authors_text = " ".join(authors.text().split()).removeprefix("Authors:").strip() if authors else ""
    abstract, version = _abstract(node)
    fields = _fields(node)
    comment = fields.get("Comments", "")
    doi = node.css_first("a[href*='doi.org/']")
    found_doi = identity.doi(doi.attributes.get("href") or "") if doi else None
    published, updated = _dates(node)
    return Raw(
        title=title.text(),
        abstract=abstract,
        ids={"arxiv": arxiv[0]} | ({"doi": found_doi} if found_doi else {}),
        version=arxiv[1] or version,
        authors=_author_names(authors, authors_text),
        authors_raw=authors_text or None,
        authors_cut=bool(_arxiv.CUT_AUTHORS.search(authors_text)),
        categories=_categories(node),
        announce=_arxiv.fate(comment, abstract),
        published=published,
        updated=updated,
        links=_arxiv.links(arxiv[0]),
        comment=_arxiv.commented(comment, fields.get("Journal ref", "")),
    )


def _author_names(node: Any, text: str) -> list[str]:
    if node is None:
        return []
    names = [" ".join(link.text().split()) for link in node.css("a")]
    return names or _arxiv.names(text)


def _abstract(node: Any) -> tuple[str, int | None]:
    """The whole abstract without its More and Less, and the version, which stands nowhere but in the id of its element."""
    holder = (
        node.css_first(".abstract-full") or node.css_first(".abstract-short") or node.css_first("p.abstract")
    )
    if holder is None:
        return "", None
    version = _VERSION.search(holder.attributes.get("id") or "")
    for link in holder.css("a"):
        if _MORE.match(link.text()):
            link.decompose()
    text = _LABEL.sub("", " ".join(holder.text().split()))
    return _MORE_BEHIND.sub("", text).strip(), int(version[1]) if version else None


def _categories(node: Any) -> list[str]:
    """The tags, the primary category first; other tags are those of the DOI."""
    names = (tag.text().strip() for tag in node.css("span.tag"))
    return [name for name in names if name != "doi" and _IS_CATEGORY.fullmatch(name)]


def _dates(node: Any) -> tuple[str | None, str | None]:
    """Version 1 and the one shown: `Submitted 3 May, 2025; v1 submitted 1 May, 2025; originally announced May 2025.`"""
    for line in node.css("p.is-size-7"):
        text = " ".join(line.text().split())
        if found := _SUBMITTED.search(text):
            first = _FIRST.search(text)
            days = [_arxiv.day(match[1]) for match in (first, found) if match]
            stamps = [day.isoformat() if day else None for day in days]
            return stamps[0], stamps[1] if len(stamps) > 1 else None
    return None, None


def _fields(node: Any) -> dict[str, str]:
    """The labelled lines below a result: Comments, Journal ref, Report number, classes."""
    fields: dict[str, str] = {}
    for line in node.css("p.comments"):
        label, colon, value = " ".join(line.text().split()).partition(":")
        if colon:
            fields.setdefault(label.strip(), value.strip())
    return fields
