"""The search page, what it shows of a paper, and the index that a static host is searched by.

`digest serve` answers /search/ itself (web/search.py), with the same page. Without a web door search.js reads `search/index.json`
and the parts `search/0001.json` …, the newest first, and finds what searching.py would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from digest.config import OTHER_SLUG, slugs_of
from digest.editions import anchor_of
from digest.formats import Publication, SearchChunk
from digest.formats.channels import lists_of
from digest.formats.frame import FeedLink, archive_page
from digest.labels import record_path, slug_of
from digest.model import Hit, Page, Place, edition_path
from digest.render import Renderer, clean, safe_url
from digest.searching import MAX_CHARS, Query, author_names, pieces
from digest.text import gist, isolate, truncate
from digest.utf8 import plain_json
from digest.words import date_words

PER_PAGE = 20
SNIPPET_CHARS = 240
SHOWN_AUTHORS = 3
# Where the address of a paper's source comes from, in this order.
_SOURCES = ("abstract", "html", "hf", "pdf")


# ---------------------------------------------------------------- pages


def chunks(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`search/0001.json` and so on: the parts of the index that are to be written. None where a web door answers."""
    if not publication.config.web.enabled:
        for chunk in publication.chunks:
            yield publication.page(f"search/{chunk.number:04}.json", _chunk(publication, chunk))


def page(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`search/index.html`; on a static host also `search/search.js` and `search/index.json`, which says how many parts there are.

    With a web door the file is a page without script, for a copy of the archive: its form leads to that door.
    """
    variables = page_variables(publication)
    if not publication.config.web.enabled:
        yield publication.page("search/search.js", renderer.render("archive/search.js"))
        document = {"schema": 1, "chunks": publication.chunk_count}
        yield publication.page("search/index.json", msgspec.json.encode(document) + b"\n")
        # Beside the page: so a copy of the archive finds its own, wherever it lies.
        variables["search_script"] = "search.js"
    yield archive_page(publication, renderer, "search", "search/", **variables)


def page_variables(
    publication: Publication,
    *,
    query: str = "",
    error: str = "",
    found: SearchView | None = None,
) -> dict[str, Any]:
    """What archive/search.html has beside the variables of every page. `query` stands in the box; `error` says why it is refused;
    `found` is None where nothing was searched for."""
    return {
        "title": f"{truncate(found.query, 80) if found else 'Search'}: {publication.title}",
        "description": "Search titles, authors and abstracts.",
        "query": clean(query)[:MAX_CHARS],
        "error": error,
        "found": found,
        "lists": lists_of(publication),
        "years": [
            {"year": year, "url": f"{publication.url}{year:04}/"}
            for year in sorted({head.date.year for head in publication.heads}, reverse=True)
        ],
    }


class SearchView(Struct, frozen=True, kw_only=True):
    """A page of results: the search in its plain form, how many papers it found in all, those of this page (the first of them is
    number `first`), the addresses of the pages before and after ("" for none), and the feeds of the search."""

    query: str
    total: int
    first: int
    papers: tuple[HitView, ...]
    previous_url: str
    next_url: str
    feeds: list[FeedLink]

    @property
    def last(self) -> int:
        return self.first + len(self.papers) - 1


class HitView(Struct, frozen=True, kw_only=True):
    """A paper that was found. Texts are pieces, True for what the search found in them."""

    title: tuple[tuple[str, bool], ...]
    snippet: tuple[tuple[str, bool], ...]
    authors: tuple[tuple[str, bool], ...]
    organization: str
    url: str
    page_url: str
    record_url: str
    date: str


def view_hit(hit: Hit, query: Query, publication: Publication) -> HitView:
    """A paper in words. `record_url` is "" where papers have no pages of their own."""
    paper = hit.paper
    place = f"{publication.url}{place_path(hit.place)}"
    return HitView(
        title=pieces(clean(paper.title) or "(untitled)", query, field="title"),
        snippet=snippet(clean(gist(paper.abstract, paper.gist)), clean(paper.abstract), query),
        authors=_authors(hit, query),
        organization=truncate(clean(paper.organization or ""), 80),
        url=source_url(hit) or place,
        page_url=place,
        record_url=publication.record_url(hit.place.key),
        date=date_words(hit.place.date),
    )


def snippet(summary: str, abstract: str, query: Query) -> tuple[tuple[str, bool], ...]:
    """The gist where it has what was looked for, or nothing has; else the part of the abstract that has it."""
    found = pieces(summary, query)
    if not any(marked for _, marked in found):
        cut = pieces(abstract, query, width=SNIPPET_CHARS)
        if any(marked for _, marked in cut) or not found:
            return cut
    return found


def _authors(hit: Hit, query: Query) -> tuple[tuple[str, bool], ...]:
    """The first names; and those that were looked for, so that one sees why the paper was found."""
    names = [isolate(truncate(clean(name), 60)) for name in author_names(hit.paper)]
    shown, rest = names[:SHOWN_AUTHORS], names[SHOWN_AUTHORS:]
    wanted = [name for name in rest if any(marked for _, marked in pieces(name, query, field="author"))]
    shown += wanted[:SHOWN_AUTHORS]
    more = len(names) - len(shown)
    tail: tuple[tuple[str, bool], ...] = ((f" and {more} more", False),) if more else ()
    return (*pieces(", ".join(shown), query, field="author"), *tail)


def source_url(hit: Hit) -> str:
    """The address of a paper at its source; "" where none is known."""
    return next((url for kind in _SOURCES if (url := safe_url(hit.paper.links.get(kind, "")))), "")


def place_path(place: Place) -> str:
    """Where a digest shows a paper, from its root: "2026/11/19/#p-2611.10421"."""
    return f"{edition_path(place.date, place.part)}#{quote(place.anchor or anchor_of(place.key))}"


# ---------------------------------------------------------------- the index


def _chunk(publication: Publication, chunk: SearchChunk) -> bytes:
    topics = slugs_of(publication.digest.topics)
    has_record = publication.digest.has_records
    document = {"schema": 1, "papers": [_document(hit, topics, has_record=has_record) for hit in chunk.hits]}
    return plain_json(document) + b"\n"


def _document(hit: Hit, topics: dict[str, str], *, has_record: bool = True) -> dict[str, Any]:
    """A paper of the index; what it has not is left out. Addresses count from the digest's root, but for `url`. `topics` and
    `categories` are the slugs by which searches find them."""
    paper = hit.paper
    facts: dict[str, Any] = {
        "title": clean(paper.title),
        "authors": [clean(name) for name in author_names(paper)],
        "organization": clean(paper.organization or ""),
        "abstract": clean(paper.abstract),
        "gist": clean(gist(paper.abstract, paper.gist)),
        "topics": _each({topics.get(hit.topic, ""), slug_of(hit.topic) or OTHER_SLUG}),
        "categories": _each({slug_of(name) for name in paper.categories}),
        "date": hit.place.date.isoformat(),
        "url": source_url(hit),
        "place": place_path(hit.place),
        "record": record_path(hit.place.key) if has_record else "",
    }
    return {name: value for name, value in facts.items() if value}


def _each(slugs: set[str]) -> Sequence[str]:
    return sorted(slugs - {""})
