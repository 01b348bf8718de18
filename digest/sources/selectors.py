"""Any HTML page, read by the CSS selectors of the configuration (docs/sources.md, "selectors").

`item` finds the papers of the page, every other selector looks inside an item; `empty` and `next` look at the whole page.
`selector@attribute` takes an attribute, `@attribute` one of the item itself, `~ selector` looks at what follows the item up to
the next one (lists of `dt` and `dd`, tables with two rows for a paper).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urldefrag, urljoin

from msgspec import Struct

from digest.checks import SELECTORS, Selector, css_problem, selector_of
from digest.errors import ListingChanged, ParseError
from digest.identity import is_web_address
from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources._bytes import guard_html, refused, soup_of, unicode_text
from digest.sources._elements import (
    LABELS,
    authors_in,
    categories_in,
    date_in,
    ids_in,
    taker,
    text_of,
)
from digest.sources._nearest import nearest, tags_of
from digest.sources._paper import MAX_PAPERS, Raw, finish
from digest.sources._sniff import page_title
from digest.text import clean

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

KIND = "selectors"
# BeautifulSoup builds an object for each, and each selector looks at each (see MAX_DEPTH). A page of 1,000 papers has 40,000.
MAX_TAGS = 60_000
MAX_DEPTH = 250  # a selector may look at everything around an element, once for each element
_WHOLE_PAGE = ("empty", "next")
_MEND = "Mend it in this source's selectors; `digest sources test NAME` shows what each of them finds."


class Found(Struct, frozen=True, kw_only=True):
    """What one selector found: in how many items something, in how many nothing, the first value, and, where it found
    nothing at all, what to do. For `item`, `empty` and `next` `having` counts elements of the page, and `lacking` is None.
    """

    name: str
    selector: str
    having: int
    lacking: int | None = None
    first: str = ""
    hint: str = ""


def read(listing: Listing, selectors: Mapping[str, str]) -> Reading:
    """Papers in page order, unique by key; `next_url` where `next` finds a link to another page.

    Empty only where `item` finds nothing and `empty` finds something. Raises ListingChanged where `item` finds nothing, or
    `title` nothing in any item, with the nearest thing that is there; ParseError for selectors that cannot be used.
    """
    page = _Page(listing, selectors)
    if not page.items and page.says_empty:
        return Reading(kind=KIND, papers=(), empty=True, stated=0)
    for name in ("item", "title"):
        if hint := page.hint(name):
            raise ListingChanged(f"{listing.location}: {hint} {page.looks}{_MEND}", url=listing.location)
    notes = [hint for name in page.selectors if name not in _WHOLE_PAGE and (hint := page.hint(name))]
    papers = finish(page.raws(notes), notes, trusted_ids=False)
    if page.nested:
        notes.append(f"items inside another item left out: {page.nested}; a selector with > is more exact")
    if page.unplaced:
        notes.append(
            f"relative links left out: {page.unplaced}; the page does not say where it is from. Give its url in place of a path"
        )
    return Reading(kind=KIND, papers=papers, next_url=page.next_url(), notes=tuple(notes))


def survey(listing: Listing, selectors: Mapping[str, str]) -> list[Found]:
    """What each selector finds on a page, in the order of the documentation. Raises ParseError for what cannot be read."""
    page = _Page(listing, selectors)
    return [page.found(name) for name in SELECTORS if name in page.selectors]


class _Page:
    """A parsed page, the selectors, and the items that they find on it."""

    def __init__(self, listing: Listing, selectors: Mapping[str, str]) -> None:
        self.listing = listing
        self.selectors = _usable(selectors, listing)
        self.text = unicode_text(listing).replace("\0", "")
        self.soup = _soup(self.text, listing)
        self.base = _base(self.soup, listing)
        found = self._select("item", self.soup)
        self.items = _outermost(found)[: MAX_PAPERS + 1]
        self.nested = len(found) - len(self.items) if len(self.items) <= MAX_PAPERS else 0
        self.unplaced = 0
        self._values: dict[str, list[list[str]]] = {}
        self._starts = {id(item) for item in self.items}
        self._followed = any(selector.follows for selector in self.selectors.values())

    # --- what a selector finds

    def _select(self, name: str, within: Tag) -> list[Tag]:
        selector = self.selectors.get(name)
        if selector is None:
            return []
        if not selector.css:
            return [within]
        compiled = _compiled(selector.css)
        if not selector.follows:
            return list(compiled.select(within))
        after = list(self._after(within))
        return [
            tag for sibling in after for tag in chain(_itself(compiled, sibling), compiled.select(sibling))
        ]

    def _after(self, item: Tag) -> Iterator[Tag]:
        """The elements beside an item, up to the next item."""
        for sibling in item.next_siblings:
            if id(sibling) in self._starts:
                return
            if hasattr(sibling, "select"):  # an element, no text
                yield cast("Tag", sibling)

    def values(self, name: str) -> list[list[str]]:
        """For each item (for `next` and `empty`, for the page) the texts or attributes found, in page order, no empty ones."""
        if name not in self._values:
            selector = self.selectors.get(name)
            take = taker(name, selector.attribute if selector else "")
            within = [self.soup] if name in _WHOLE_PAGE else self.items
            self._values[name] = [
                [value for tag in self._select(name, place) if (value := take(tag))] for place in within
            ]
        return self._values[name]

    # --- papers

    def raws(self, notes: list[str]) -> Iterator[Raw]:
        return (self._raw(number) for number in range(self._whole(notes)))

    def _whole(self, notes: list[str]) -> int:
        """How many of the items are whole: of a page that breaks off the last one may be half."""
        count = len(self.items)
        if not _breaks_off(self.text):
            return count
        if count > 1 and (self._followed or not _goes_on(self.items[-1])):
            notes.append(
                "truncated: the page breaks off; the last paper was left out, since it may be half of one"
            )
            return count - 1
        notes.append("truncated: the page has no end; papers may be missing")
        return count

    def _raw(self, number: int) -> Raw:
        """The paper of the item of that number (0 is the first)."""
        of = {name: self.values(name)[number] for name in SELECTORS if name not in (*_WHOLE_PAGE, "item")}
        link, pdf = self._address(of["link"]), self._address(of["pdf"])
        ids, version = ids_in(link, pdf, of["doi"])
        authors, joined = authors_in(of["authors"])
        return Raw(
            title=LABELS["title"].sub("", of["title"][0] if of["title"] else ""),
            abstract=LABELS["abstract"].sub("", " ".join(of["abstract"])),
            ids=ids,
            version=version,
            authors=authors,
            authors_raw=joined,
            authors_joined=joined is not None,
            categories=categories_in(of["categories"]),
            published=next((day for value in of["date"] if (day := date_in(value))), None),
            links={"abstract": link, "pdf": pdf},
        )

    def _address(self, values: list[str]) -> str:
        """The first of them that is a web address, absolute; "" for none."""
        for value in values:
            url = _joined(self.base, value)
            if is_web_address(url):
                return url
            self.unplaced += not self.base and not re.match(r"[\w+.-]+:|#", value)
        return ""

    # --- the page as a whole

    @property
    def says_empty(self) -> bool:
        return bool(self._select("empty", self.soup))

    def next_url(self) -> str:
        """The absolute address of the next page; "" where there is none, or it is this page."""
        here = {urldefrag(url)[0] for url in (self.listing.location, self.listing.base_url)}
        for value in self.values("next")[0]:
            url = urldefrag(_joined(self.base, value))[0]
            if is_web_address(url) and url not in here:
                return url
        return ""

    # --- telling what was found, and why nothing

    def found(self, name: str) -> Found:
        lacking = None
        if name == "item":
            having, first = len(self.items), text_of(self.items[0]) if self.items else ""
        else:
            values = self.values(name)
            having, first = sum(map(bool, values)), next((each[0] for each in values if each), "")
            if name in _WHOLE_PAGE:
                having = len(self._select(name, self.soup))
            else:
                lacking = len(values) - having
        return Found(
            name=name,
            selector=self.selectors[name].text,
            having=having,
            lacking=lacking,
            first=clean(first),
            hint=self.hint(name),
        )

    def hint(self, name: str) -> str:
        """Where a selector finds nothing at all: what it finds, and the nearest thing that is there. Else ""."""
        selector = self.selectors[name]
        if name in _WHOLE_PAGE:  # no next page and no word of emptiness: as on most pages
            return ""
        shown = f'{name} = "{selector.text}"'
        if name == "item":
            if self.items:
                return ""
            count = sum(1 for _ in tags_of([self.soup]))
            return f"{shown} finds none of the {count} elements of this page. {nearest(selector.css, [self.soup])}"
        if not self.items or any(self.values(name)):
            return ""
        elements = sum(len(self._select(name, item)) for item in self.items)
        if not elements:
            return f"{shown} finds nothing in any of {len(self.items)} items. {nearest(selector.css, self.items)}".rstrip()
        what = "no address" if name in ("link", "pdf") else "no text"
        if selector.attribute:
            what = f'no attribute "{selector.attribute}"'
        return f"{shown} finds {elements} elements in {len(self.items)} items, with {what} in any of them."

    @property
    def looks(self) -> str:
        """What the page looks like, for one that is not as expected: its title, and whether a script is to fill it."""
        title = page_title(self.text)
        looks = f'The title of the page is "{title}". ' if title else ""
        if len(self.soup.get_text(" ", strip=True)) < 400 and self.soup.find("script"):
            looks += (
                "It holds hardly any text: a script may fill it, and none is run. "
                "Look for a feed or data address of the site. "
            )
        return looks


# --- the selectors and the page


def _usable(selectors: Mapping[str, str], listing: Listing) -> dict[str, Selector]:
    lacking = [name for name in ("item", "title") if not selectors.get(name)]
    if lacking:
        raise refused(
            listing,
            f"no selector for {' and '.join(lacking)}",
            'The kind "selectors" is read with selectors = { item = "…", title = "…" } of a [[source]], by `digest '
            "sources test NAME` and `digest run`.",
        )
    usable = {name: selector_of(selectors[name]) for name in SELECTORS if selectors.get(name)}
    for name, selector in usable.items():
        if problem := css_problem(selector.css):
            raise ParseError(
                f"{listing.location}: {name} = {selector.text!r}: {problem}", url=listing.location
            )
    return usable


def _compiled(css: str) -> Any:
    import soupsieve

    return soupsieve.compile(css)  # remembered there


def _itself(compiled: Any, tag: Tag) -> list[Tag]:
    return [tag] if compiled.match(tag) else []


def _soup(text: str, listing: Listing) -> BeautifulSoup:
    guard_html(listing.body if listing.body.isascii() else text.encode("utf-8", "replace"), listing.location)
    if (tags := text.count("<")) > MAX_TAGS:
        raise refused(
            listing,
            f"{tags} tags, and pages of more than {MAX_TAGS} are not read by selectors",
            "Ask the site for fewer entries on a page.",
        )
    soup = soup_of(text)
    if _is_deep(soup):
        raise refused(
            listing,
            f"tags nested deeper than {MAX_DEPTH} levels; no listing is like that",
            "Open it in a browser: is this the right page?",
        )
    return soup


def _is_deep(soup: BeautifulSoup) -> bool:
    depths = {id(soup): 0}
    for tag in tags_of([soup]):
        depths[id(tag)] = depth = depths[id(tag.parent)] + 1
        if depth > MAX_DEPTH:
            return True
    return False


def _outermost(tags: Sequence[Tag]) -> list[Tag]:
    """Without those that stand inside another one: rows of a table within a row, entries of a list within an entry."""
    inside: set[int] = set()
    kept = []
    for tag in tags:
        if id(tag) not in inside:
            kept.append(tag)
            inside.update(map(id, tags_of([tag])))
    return kept


def _base(soup: BeautifulSoup, listing: Listing) -> str:
    """What relative links are resolved against: the page's own `base`, else where it was fetched, else its canonical address."""
    own = soup.select_one("base[href]")
    fetched = listing.base_url
    if own:
        fetched = _joined(fetched, str(own["href"]))
    if not fetched and (
        canonical := soup.select_one("link[rel=canonical][href], meta[property='og:url'][content]")
    ):
        fetched = str(canonical.get("href") or canonical.get("content"))
    return fetched if fetched.startswith(("http://", "https://")) else ""


def _joined(base: str, href: str) -> str:
    try:
        return urljoin(base, href.strip())
    except ValueError:
        return ""


# An element that needs its end tag (HTML, 13.1.2.4): a page that is whole closes them, also where a minifier left out </body>.
_NEEDS_END = ("ul", "ol", "dl", "table", "section", "main", "article", "div")
_UNSEEN = late(r"<!--.*?(?:-->|\Z)|<(script|style|template)\b.*?(?:</\1\s*>|\Z)", re.S | re.I)
_UNFINISHED = late(r"<[a-zA-Z/!][^<>]*\Z")


def _breaks_off(text: str) -> bool:
    """Does the page end before its end: inside a tag, or without </html> and </body> and with lists or boxes still open?"""
    seen = _UNSEEN.sub(" ", text).rstrip()
    if _UNFINISHED.search(seen[-2_000:]):
        return True
    lower = seen.lower()
    if "</body" in lower[-20_000:] or "</html" in lower[-20_000:]:
        return False
    return any(
        len(re.findall(rf"<{name}[\s>]", lower)) > len(re.findall(rf"</{name}\s*>", lower))
        for name in _NEEDS_END
    )


def _goes_on(item: Tag) -> bool:
    """Is there an element behind this one? Then its own end was read."""
    return any(
        parent.find_next_sibling() for parent in chain([item], item.parents) if parent.name != "[document]"
    )
