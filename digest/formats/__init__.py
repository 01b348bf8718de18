"""Editions → pages: archive, feeds and data files as bytes. Pure; website.py puts them on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from msgspec import Struct, field

from digest.config import Config, DigestConfig, SiteConfig
from digest.labels import FOLDERS, record_path
from digest.model import Edition, EditionHead, EditionTitles, Entry, Hit, Page, Paper, PaperRecord, Place

if TYPE_CHECKING:
    from digest.formats.citations import Citation
    from digest.formats.entries import Item
    from digest.render import EditionView, PaperView, Renderer

T = TypeVar("T")
# So many things made are kept, of three kinds: an item and its bytes take 9 kB, the others little.
MADE_AT_MOST = 6000


class Made:
    """What was made of entries, kept for all pages and feeds that show them: words, rows, items."""

    def __init__(self) -> None:
        self._by_id: dict[tuple[str, int], tuple[Entry, object, Any]] = {}
        self._by_guid: dict[tuple[str, str, object], list[tuple[Entry, Any]]] = {}

    def once(self, kind: str, entry: Entry, make: Callable[[], T], by: object) -> T:
        """What `make` gives, made once for an entry and for what else it is made `by`; also where it was read anew."""
        # It is kept with its entry: an id is good for as long as what it names.
        known = self._by_id.get((kind, id(entry)))
        if known is not None and known[1] == by:
            return known[2]  # type: ignore[no-any-return]
        if len(self._by_id) >= MADE_AT_MOST:
            self._by_id.clear()
            self._by_guid.clear()
        # Of one entry there are two where something was found out after it was issued.
        equal = self._by_guid.setdefault((kind, entry.guid, by), [])
        made = next((made for other, made in equal if other == entry), None)
        if made is None:
            made = make()
            equal.append((entry, made))
        self._by_id[kind, id(entry)] = entry, by, made
        return made


class Shown(Struct, frozen=True):
    """An entry and the edition that it stands in, which may come without its other entries. `row` is it as a row of a page, where
    an earlier run made that; `place` is where a row is kept (Place.id), 0 where none is."""

    entry: Entry
    edition: Edition
    place: int = 0
    row: str = ""


class Kept(Struct, frozen=True):
    """A paper of which only its row on a page is wanted, as an earlier run made it, and where it stands."""

    place: Place
    row: str


class Channel(Struct, frozen=True, kw_only=True):
    """A view of a digest with a page of its own, and feeds: a topic, a category, an author, a saved search.

    `path` counts from the digest's root ("topics/vision/"); `papers` is how many it has in all. `shown` are its newest, newest
    first, each paper once: enough for page and feeds, empty where only the channel's name is wanted. `feeds` is False for
    authors whom nobody named in the configuration: they have a page only, and `older` papers that follow on it. `changed` is
    when it last got or lost a paper, as far as that is known.
    """

    kind: Literal["topic", "category", "author", "search"]
    slug: str
    name: str
    papers: int
    shown: tuple[Shown, ...] = ()
    older: tuple[Kept, ...] = ()
    feeds: bool = True
    query: str = ""
    changed: datetime | None = None

    @property
    def path(self) -> str:
        return f"{FOLDERS[self.kind]}/{self.slug}/"

    @property
    def title(self) -> str:
        """Its name as pages show it."""
        from digest.render import clean

        return clean(self.name) or self.slug


class SearchChunk(Struct, frozen=True, kw_only=True):
    """A part of the index that a static host is searched by: up to CHUNK papers, in the order in which they were first shown.
    All but the last never grow. `number` counts from 1."""

    number: int
    hits: tuple[Hit, ...]


class Publication(Struct, frozen=True, kw_only=True, dict=True):
    """What is published of one digest.

    `url` is the public address of the digest's root, with a final slash, `authority` who names its feeds. `heads` are all its
    editions, oldest first.
    `latest` are the newest editions, newest first, enough for home page and feeds; `earlier` those behind them that the feed of
    editions names. `editions` are those whose own pages (and months and years) are to be written; `issued` the same as they were
    issued, without what was found out later. `channels` and `records` are those whose pages are to be written, `relinked` are
    records of which nothing has changed but whom of their authors they link to, `catalogue` are all channels that have feeds,
    without entries. `author_pages` are the slugs of all authors who have a page. `chunks` are parts of the search index to be
    written, of `chunk_count` in all. All parts of a publication share `made` and `new_rows`, the rows that were made, by place.
    """

    config: Config
    digest: DigestConfig
    url: str
    authority: str = ""
    heads: tuple[EditionHead, ...] = ()
    latest: tuple[Edition, ...] = ()
    earlier: tuple[EditionTitles, ...] = ()
    editions: tuple[Edition, ...] = ()
    issued: tuple[Edition, ...] = ()
    channels: tuple[Channel, ...] = ()
    catalogue: tuple[Channel, ...] = ()
    records: tuple[PaperRecord, ...] = ()
    relinked: tuple[PaperRecord, ...] = ()
    author_pages: frozenset[str] = frozenset()
    chunks: tuple[SearchChunk, ...] = ()
    chunk_count: int = 0
    made: Made = field(default_factory=Made)
    new_rows: dict[int, str] = field(default_factory=dict)

    @property
    def site(self) -> SiteConfig:
        return self.config.site

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of channels that the digest has."""
        return frozenset(channel.kind for channel in self.catalogue)

    @cached_property
    def topic_pages(self) -> frozenset[str]:
        """The slugs of the topics that have a page."""
        return frozenset(channel.slug for channel in self.catalogue if channel.kind == "topic")

    @cached_property
    def title(self) -> str:
        """That of the digest, or else of the site, as pages show it."""
        from digest.render import clean

        return clean(self.digest.title or self.site.title)

    @cached_property
    def items(self) -> list[Item]:
        """The items of the feeds, built once for all of them."""
        from digest.formats.items import make_items

        return make_items(self)

    @cached_property
    def edition_items(self) -> list[Item]:
        """The items of the feed of editions."""
        from digest.formats.items import make_edition_items

        return make_edition_items(self)

    @cached_property
    def citations(self) -> dict[str, tuple[Paper, str, Citation]]:
        """What was cited in this part, by key: paper, page and citation (citations.cited)."""
        return {}

    def item(self, shown: Shown) -> Item:
        """The item of an entry, built once for all feeds that have it."""
        from digest.formats.items import make_item

        entry, edition = shown.entry, shown.edition

        def make() -> Item:
            return make_item(entry, edition, self._page_of(edition), self.paper(shown))

        return self.made.once("item", entry, make, self._place_of(edition))

    def paper(self, shown: Shown) -> PaperView:
        """An entry in words."""
        from digest.render import view_paper

        entry, edition = shown.entry, shown.edition

        def make() -> PaperView:
            return view_paper(entry, self._page_of(edition), root=self.url if self.digest.has_records else "")

        return self.made.once("paper", entry, make, self._place_of(edition))

    def row(self, shown: Shown, by: Callable[[PaperView], str]) -> str:
        """An entry as a row of a page."""
        if shown.row:
            return shown.row
        by_and_place = (by, self._place_of(shown.edition))
        row = self.made.once("row", shown.entry, lambda: by(self.paper(shown)), by_and_place)
        if shown.place:
            self.new_rows[shown.place] = row
        return row

    def record_url(self, key: str) -> str:
        """The address of a paper's own page; "" where papers have none."""
        return f"{self.url}{record_path(key)}" if self.digest.has_records else ""

    def _page_of(self, edition: Edition) -> str:
        return f"{self.url}{edition.path}"

    def _place_of(self, edition: Edition) -> tuple[str, str, datetime]:
        return self.url, edition.id, edition.issued_at

    @cached_property
    def newest(self) -> EditionView | None:
        """The newest edition in words; None before the first."""
        return self._view(self.latest[0]) if self.latest else None

    def view(self, edition: Edition) -> EditionView:
        """An edition in words; that of the newest is made once."""
        if self.newest is not None and edition.id == self.latest[0].id:
            return self.newest
        return self._view(edition)

    def _view(self, edition: Edition) -> EditionView:
        from digest.render import view_edition

        return view_edition(
            edition, site=self.site, url=self.url, paper=lambda entry: self.paper(Shown(entry, edition))
        )

    def page(self, path: str, body: str | bytes) -> Page:
        """A page of this digest; `path` counts from the digest's root."""
        return Page(path=self.digest.folder + path, body=body.encode() if isinstance(body, str) else body)


Format = Callable[[Publication, "Renderer"], Iterator[Page]]

# In writing order: a page before what links to it, so that no feed or home page ever links into nothing.
# Modules are named, not imported: each brings its own heavy library.
FORMATS: dict[str, str | Format] = {
    "data": "digest.formats.archive:data",
    "citations": "digest.formats.citations:editions",
    "records": "digest.formats.records:pages",
    "papers' sitemap": "digest.formats.sitemaps:papers",
    "editions": "digest.formats.archive:editions",
    "months": "digest.formats.archive:months",
    "channels": "digest.formats.channels:pages",
    "lists": "digest.formats.channels:lists",
    "feeds page": "digest.formats.feeds:page",
    "opml": "digest.formats.opml:subscriptions",
    "search": "digest.formats.search:chunks",
    "search page": "digest.formats.search:page",
    "edition feeds": "digest.formats.feeds:editions",
    "channel feeds": "digest.formats.feeds:channels",
    "syndication": "digest.formats.syndication:feeds",
    "jsonfeed": "digest.formats.jsonfeed:feed",
    "home": "digest.formats.archive:home",
    "sitemap": "digest.formats.sitemaps:whole",
    "not found": "digest.formats.archive:not_found",
}


# Made part by part, so that a rebuild of ten years fits into memory. The others come once, after all parts.
PARTS = frozenset(
    {
        *("data", "citations", "records", "editions", "months", "channels", "search"),
        *("papers' sitemap", "edition feeds", "channel feeds"),
    }
)


def parts_of(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """The pages of the editions, papers, channels and chunks of a publication, in writing order, with paths below
    `site.output`. The same publication gives the same bytes at any time. Raises RenderError for a faulty template."""
    for name, entry in FORMATS.items():
        if name in PARTS:
            yield from _load(entry)(publication, renderer)


def wholes_of(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """The pages that show the digest as a whole, after those of its parts: feeds and home come last."""
    for name, entry in FORMATS.items():
        if name not in PARTS:
            yield from _load(entry)(publication, renderer)


def pages(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """Every page of every format."""
    yield from parts_of(publication, renderer)
    yield from wholes_of(publication, renderer)


def _load(entry: str | Format) -> Format:
    if not isinstance(entry, str):
        return entry
    module, _, function = entry.partition(":")
    found: Format = getattr(import_module(module), function)
    return found
