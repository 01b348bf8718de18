"""Feeds as RSS 2.0 and Atom 1.0 (RFC 4287): a head by feedgen, and the entries as entries.py writes them.

What feedgen leaves to its caller, seen in 1.0.0: it stamps feeds with the time of the build unless told otherwise, takes the
RSS channel's link from whichever link came last, writes none of a channel's links but the first to itself, and has no
stylesheet instruction. It makes each head once, with marks at the places that differ from feed to feed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from digest.formats import Publication
from digest.formats.entries import hexadecimal, rfc822, xml_attribute, xml_text
from digest.formats.frame import FEEDS
from digest.formats.items import EDITIONS_FILES, Feed, digest_feed, editions_feed
from digest.model import Page
from digest.render import Renderer, clean

RSS, ATOM = FEEDS[0][2], FEEDS[1][2]
_HISTORY = "http://purl.org/syndication/history/1.0"
_EPOCH = "1970-01-01T00:00:00+00:00"
_EPOCH_RSS = "Thu, 01 Jan 1970 00:00:00 +0000"


def feeds(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`editions.xml` and `editions-atom.xml` with one item for each edition, `rss.xml` and `atom.xml` of all papers."""
    whole = [file for _, file, _ in FEEDS]
    for feed, files in ((editions_feed(publication), EDITIONS_FILES), (digest_feed(publication), whole)):
        for file, body in zip(files, rss_and_atom(feed), strict=False):
            yield publication.page(file, body)


def rss_and_atom(feed: Feed) -> tuple[bytes, bytes]:
    """RSS 2.0 and Atom 1.0. In RSS too, atom:link leads to the hub and along the chain of archives (RFC 5005, appendix B)."""
    head, tail = _rss_head()
    facts = _facts(feed)
    ours = {
        "title": hexadecimal(feed.title),
        "updated": rfc822(feed.updated),
        "own": xml_attribute(feed.urls[0]),
    }
    more = _more(feed, 0, "    ", "atom:link")
    rss = [
        (head % (facts | ours | {"more": more})).encode(),
        *[item.written.rss for item in feed.items],
        tail,
    ]
    head, end = _atom_head()
    ours = {"updated": feed.updated.isoformat(), "own": xml_attribute(feed.urls[1])}
    more = _more(feed, 1, "  ", "link")
    atom = [
        (head % (facts | ours | {"more": more})).encode(),
        *[item.written.atom for item in feed.items],
        end,
    ]
    return b"".join(rss), b"".join(atom)


def _facts(feed: Feed) -> dict[str, str]:
    """What stands in the heads of both formats, escaped."""
    texts = {
        "title": feed.title,
        "id": feed.id,
        "language": feed.site.language,
        "about": feed.description,
        "author": feed.author,
    }
    facts = {name: xml_text(clean(text)) for name, text in texts.items()}
    return facts | {"home": xml_attribute(feed.home), "style": xml_attribute(f"{feed.root}feeds/feed.css")}


def _more(feed: Feed, number: int, indent: str, tag: str) -> str:
    """The lines of a head that not every feed has; `number` is that of the format in tuples of addresses."""
    kind = FEEDS[number][2]
    # An archive never changes, so nobody need be told of it.
    lines = [_link(tag, "hub", feed.site.hub, "")] if feed.site.hub and not feed.current else []
    if feed.current:
        lines.append(_link(tag, "current", feed.current[number], kind))
    if feed.previous:
        lines.append(_link(tag, "prev-archive", feed.previous[number], kind))
    if feed.current:
        lines.append(f'<fh:archive xmlns:fh="{_HISTORY}"/>')
    return "".join(f"{indent}{line}\n" for line in lines)


def _link(tag: str, rel: str, href: str, kind: str) -> str:
    media = f' type="{kind}"' if kind else ""
    return f'<{tag} href="{xml_attribute(href)}" rel="{rel}"{media}/>'


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
