"""Feeds as RSS 2.0 and Atom 1.0 (RFC 4287): a head by feedgen, and the entries as entries.py writes them.

What feedgen leaves to its caller, seen in 1.0.0: it stamps feeds with the time of the build unless told otherwise, takes the
RSS channel's link from whichever link came last, writes none of a channel's links but the first to itself, and has no
stylesheet instruction. It makes each head once, with marks at the places that differ from feed to feed.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import format_datetime
from functools import cache
from typing import Any

from digest.formats import Publication
from digest.formats.entries import hexadecimal, xml_attribute, xml_text
from digest.formats.frame import FEEDS
from digest.formats.items import EDITIONS_FILES, Feed, digest_feed, editions_feed
from digest.model import Page
from digest.render import Renderer, clean

RSS, ATOM = FEEDS[0][2], FEEDS[1][2]
_HISTORY = "http://purl.org/syndication/history/1.0"
_EPOCH = "1970-01-01T00:00:00+00:00"
_EPOCH_RSS = "Thu, 01 Jan 1970 00:00:00 +0000"


def feeds(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`rss.xml` and `atom.xml` of all papers, `editions.xml` and `editions-atom.xml` with one item for each edition."""
    for feed, files in ((editions_feed(publication), EDITIONS_FILES), (digest_feed(publication), None)):
        names = files or [file for _, file, _ in FEEDS]
        yield publication.page(names[0], rss(feed))
        yield publication.page(names[1], atom(feed))


def rss(feed: Feed) -> bytes:
    """RSS 2.0, with atom:link to itself, to its hub and along the chain of archives (RFC 5005, appendix B)."""
    head, tail = _rss_head()
    title = hexadecimal(feed.title)
    updated = format_datetime(feed.updated)
    return b"".join([_filled(head, feed, 0, RSS, title, updated), *[item.rss for item in feed.items], tail])


def atom(feed: Feed) -> bytes:
    """Atom 1.0."""
    head, tail = _atom_head()
    title, updated = xml_text(feed.title), feed.updated.isoformat()
    return b"".join([_filled(head, feed, 1, ATOM, title, updated), *[item.atom for item in feed.items], tail])


def _filled(head: str, feed: Feed, number: int, kind: str, title: str, updated: str) -> bytes:
    """The head with what is this feed's; `number` is that of the format in tuples of addresses, `kind` its media type."""
    links = [("hub", feed.site.hub, "")] if feed.site.hub else []
    if feed.current:
        links.append(("current", feed.current[number], kind))
    if feed.previous:
        links.append(("prev-archive", feed.previous[number], kind))
    tag, indent = ("atom:link", "    ") if number == 0 else ("link", "  ")
    more = [f"{indent}{_link(tag, *link)}\n" for link in links]
    if feed.current:
        more.append(f'{indent}<fh:archive xmlns:fh="{_HISTORY}"/>\n')
    facts = {
        "title": title,
        "updated": updated,
        "more": "".join(more),
        "id": feed.id,
        "home": feed.home,
        "own": feed.urls[number],
        "style": f"{feed.root}feeds/feed.css",
        "language": feed.site.language,
        "about": feed.description,
        "author": feed.author,
    }
    escaped = {name: xml_attribute(clean(text)) for name, text in facts.items() if name not in _READY}
    return (head % (facts | escaped)).encode()


def _link(tag: str, rel: str, href: str, kind: str) -> str:
    media = f' type="{kind}"' if kind else ""
    return f'<{tag} href="{xml_attribute(href)}" rel="{rel}"{media}/>'


# What is markup already, or escaped in its own way.
_READY = frozenset({"title", "updated", "more"})


@cache
def _rss_head() -> tuple[str, bytes]:
    """The head of an RSS feed with marks for %, and what closes it."""
    generator = _generator()
    generator.link(href="%(own)s", rel="self", type=RSS)
    # Last, since feedgen takes the last link for the channel's.
    generator.link(href="%(home)s", rel="alternate", type="text/html")
    text = generator.rss_str(pretty=True).decode().replace(_EPOCH_RSS, "%(updated)s")
    return _cut(text, f'rel="self" type="{RSS}"/>\n', "  </channel>")


@cache
def _atom_head() -> tuple[str, bytes]:
    generator = _generator()
    generator.link(href="%(own)s", rel="self", type=ATOM)
    generator.link(href="%(home)s", rel="alternate", type="text/html")
    text = generator.atom_str(pretty=True).decode().replace(_EPOCH, "%(updated)s")
    return _cut(text, 'rel="alternate" type="text/html"/>\n', "</feed>")


def _generator() -> Any:
    from feedgen.feed import FeedGenerator

    generator = FeedGenerator()
    # Items have dc:creator.
    generator.load_extension("dc", atom=False, rss=True)
    generator.id("%(id)s")
    generator.title("%(title)s")
    generator.description("%(about)s")
    generator.author({"name": "%(author)s"})
    generator.language("%(language)s")
    generator.generator("digest")
    generator.updated(_EPOCH)
    return generator


def _cut(text: str, link: str, end: str) -> tuple[str, bytes]:
    """Head and tail of a feed without entries: a mark after its last link, and the stylesheet before its root."""
    declaration, mark, rest = text.partition("?>\n")
    style = '<?xml-stylesheet type="text/css" href="%(style)s"?>\n'
    before, tag, tail = rest.partition(end)
    return f"{declaration}{mark}{style}{before.replace(link, link + '%(more)s')}", f"{tag}{tail}".encode()
