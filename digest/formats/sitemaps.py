"""All pages for search engines (sitemaps.org): an index, parts of 50,000 addresses, and a part for the papers of each edition.

An edition's part never changes, so that the address of no paper has to be asked of the store again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from digest.formats import Publication
from digest.formats.channels import lists_of, path_of
from digest.labels import record_map_path
from digest.model import Page
from digest.render import Renderer

# Of addresses in one file, and of files in one index (sitemaps.org, "Using Sitemap index files").
MOST = 50_000


def papers(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`papers/sitemap-2026-11-19.xml` of each edition to be written: its papers' own pages, which stand below that folder as the
    protocol wants. None where papers have no pages."""
    for edition in publication.editions if publication.digest.has_records else ():
        keys = dict.fromkeys(entry.paper.key for entry in edition.entries)
        yield publication.page(
            record_map_path(edition.id), _urls(renderer, [*map(publication.record_url, keys)])
        )


def whole(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`sitemap-1.xml` …: home, editions, months, channels with feeds; `sitemap.xml`: the index of these and of papers' parts."""
    urls = list(_pages(publication))
    parts = []
    for number, start in enumerate(range(0, len(urls), MOST), 1):
        parts.append(f"sitemap-{number}.xml")
        yield publication.page(parts[-1], _urls(renderer, urls[start : start + MOST]))
    if publication.digest.has_records:
        parts += [record_map_path(head.id) for head in publication.heads]
    files = [publication.url + part for part in parts[-MOST:]]
    yield publication.page("sitemap.xml", renderer.render("archive/sitemap-index.xml", urls=files))


def robots(urls: Iterable[str]) -> Page:
    """`robots.txt` at the site's root (RFC 9309), which names the maps of the digests at these addresses."""
    maps = "".join(f"Sitemap: {url}sitemap.xml\n" for url in urls)
    return Page(path="robots.txt", body=f"User-agent: *\nAllow: /\n{maps}".encode())


def _urls(renderer: Renderer, urls: Sequence[str]) -> str:
    return renderer.render("archive/sitemap.xml", urls=urls)


def _pages(publication: Publication) -> Iterator[str]:
    url, heads = publication.url, publication.heads
    yield from (url, f"{url}feeds/")
    yield from sorted(
        {f"{url}{head.date:%Y}/" for head in heads} | {f"{url}{head.date:%Y/%m}/" for head in heads}
    )
    yield from (url + head.path for head in heads)
    yield from (found.url for found in lists_of(publication))
    yield from (url + path_of(channel) for channel in publication.catalogue)
