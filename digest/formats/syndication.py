"""Feeds as RSS 2.0 and Atom 1.0 (RFC 4287): a head by feedgen (heads.py), and the entries as entries.py writes them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from digest.formats import Publication
from digest.formats._heads import ATOM_HEAD, ATOM_TAIL, RSS_HEAD, RSS_TAIL
from digest.formats.entries import hexadecimal, rfc822, xml_attribute, xml_text
from digest.formats.frame import FEEDS
from digest.formats.items import EDITIONS_FILES, Feed, digest_feed, editions_feed
from digest.model import Page
from digest.render import Renderer, clean

RSS, ATOM = FEEDS[0][2], FEEDS[1][2]
_HISTORY = "http://purl.org/syndication/history/1.0"


def feeds(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`editions.xml` and `editions-atom.xml` with one item for each edition, `rss.xml` and `atom.xml` of all papers."""
    whole = [file for _, file, _ in FEEDS]
    for feed, files in ((editions_feed(publication), EDITIONS_FILES), (digest_feed(publication), whole)):
        yield publication.page(files[0], rss(feed))
        yield publication.page(files[1], atom(feed))


def rss(feed: Feed) -> bytes:
    """RSS 2.0, in which atom:link too leads to the hub and along the chain of archives (RFC 5005, appendix B)."""
    ours = {
        "title": hexadecimal(feed.title),
        "updated": rfc822(feed.updated),
        "own": xml_attribute(feed.urls[0]),
        "more": _more(feed, 0, "    ", "atom:link"),
    }
    head = RSS_HEAD % (_facts(feed) | ours)
    entries = chain.from_iterable(item.written.rss for item in feed.items)
    return b"".join([head.encode(), *entries, RSS_TAIL])


def atom(feed: Feed) -> bytes:
    """Atom 1.0."""
    ours = {
        "updated": feed.updated.isoformat(),
        "own": xml_attribute(feed.urls[1]),
        "more": _more(feed, 1, "  ", "link"),
    }
    head = ATOM_HEAD % (_facts(feed) | ours)
    entries = chain.from_iterable(item.written.atom for item in feed.items)
    return b"".join([head.encode(), *entries, ATOM_TAIL])


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
