"""Editions → RSS 2.0 and Atom 1.0 (RFC 4287), by feedgen.

What feedgen leaves to its caller, seen in 1.0.0: it stamps feeds with the time of the build unless told otherwise,
adds entries in front, takes the RSS channel's link from whichever link came last, and has no stylesheet instruction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from digest.formats import Publication
from digest.formats.items import Item, feed_updated
from digest.model import Page
from digest.render import Renderer, clean


def feeds(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`rss.xml` and `atom.xml`, and the stylesheet that shows them in a browser."""
    yield publication.page("feeds/feed.css", renderer.render("archive/feed.css"))
    found = publication.items
    generator = _generator(publication, found)
    for entry in feed_entries(found):
        generator.add_entry(entry, order="append")
    yield publication.page("rss.xml", _rss(publication, generator))
    yield publication.page("atom.xml", _atom(publication, generator))


def feed_entries(found: Sequence[Item]) -> list[Any]:
    """feedgen's entries of these items; one entry may stand in any number of feeds."""
    from feedgen.entry import FeedEntry
    from feedgen.ext.dc import DcEntryExtension

    def entry(item: Item) -> Any:
        made = FeedEntry()
        # RSS 2.0 has no author without a mail address; Dublin Core has.
        made.register_extension("dc", DcEntryExtension, atom=False, rss=True)
        made.id(item.id)
        made.title(item.title)
        made.link(href=item.url, rel="alternate")
        made.published(item.published)
        made.updated(item.updated)
        if item.summary:
            # With a type, since RSS readers take a description for HTML (RFC 4287, 3.1.1.2).
            made.summary(escape(item.summary, quote=False), type="html")
        made.content(item.content, type="html")
        made.category([{"term": term} for term in item.categories])
        if item.authors:
            made.author([{"name": name} for name in item.authors])
            made.dc.dc_creator(list(item.authors))
        return made

    return [entry(item) for item in found]


def _generator(publication: Publication, found: Sequence[Item]) -> Any:
    from feedgen.feed import FeedGenerator

    site = publication.site
    generator = FeedGenerator()
    generator.load_extension("dc", atom=False, rss=True)
    generator.id(_feed_id(publication))
    generator.title(clean(publication.digest.title or site.title))
    generator.description("New research papers, one item for each.")
    generator.author({"name": clean(site.publisher or site.title)})
    generator.language(site.language)
    generator.generator("digest")
    generator.updated(feed_updated(publication, found))
    return generator


def _feed_id(publication: Publication) -> str:
    """The permanent id of the feed: a tag URI with the authority of its editions, which outlives a change of address."""
    authority = publication.latest[0].guid.split(":")[1:2] if publication.latest else []
    return clean(f"tag:{authority[0]}:feed/{publication.digest.name}") if authority else publication.url


def _rss(publication: Publication, generator: Any) -> bytes:
    _link(generator, publication, "rss.xml", "application/rss+xml")
    text = generator.rss_str(pretty=True)
    # RSS Board profile, "character data": < and & in titles as hexadecimal references, for readers that unescape twice.
    text = re.sub(rb"<title>[^<]*</title>", _hexadecimal, text)
    return _with_stylesheet(text, publication)


def _atom(publication: Publication, generator: Any) -> bytes:
    _link(generator, publication, "atom.xml", "application/atom+xml")
    return _with_stylesheet(generator.atom_str(pretty=True), publication)


def _link(generator: Any, publication: Publication, name: str, kind: str) -> None:
    """Self and home; home comes last, since feedgen takes the last link for the RSS channel's."""
    generator.link(href=f"{publication.url}{name}", rel="self", type=kind, replace=True)
    generator.link(href=publication.url, rel="alternate", type="text/html")


def _hexadecimal(match: re.Match[bytes]) -> bytes:
    return match[0].replace(b"&lt;", b"&#x3C;").replace(b"&amp;", b"&#x26;").replace(b"&gt;", b"&#x3E;")


def _with_stylesheet(text: bytes, publication: Publication) -> bytes:
    declaration, end, rest = text.partition(b"?>\n")
    address = escape(f"{publication.url}feeds/feed.css")
    return declaration + end + f'<?xml-stylesheet type="text/css" href="{address}"?>\n'.encode() + rest
