"""Feeds as RSS 2.0 and Atom 1.0 (RFC 4287): a head, and the entries as entries.py writes them.

Heads too are what feedgen writes, byte for byte (a test holds it): its import alone took 70 ms and 15 MiB of every run
(2026-11). What it has no words for is added: the stylesheet instruction, and the links to hub and archives.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from digest.formats import Publication
from digest.formats.entries import hexadecimal, rfc822, xml_attribute, xml_text
from digest.formats.frame import FEEDS
from digest.formats.items import EDITIONS_FILES, Feed, digest_feed, editions_feed
from digest.model import Page
from digest.render import Renderer, clean

RSS, ATOM = FEEDS[0][2], FEEDS[1][2]
_HISTORY = "http://purl.org/syndication/history/1.0"
_RSS_HEAD = """<?xml version='1.0' encoding='UTF-8'?>
<?xml-stylesheet type="text/css" href="%(style)s"?>
<rss xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" version="2.0">
  <channel>
    <title>%(title)s</title>
    <link>%(home)s</link>
    <description>%(about)s</description>
    <atom:link href="%(own)s" rel="self" type="application/rss+xml"/>
%(more)s    <docs>http://www.rssboard.org/rss-specification</docs>
    <generator>digest</generator>
    <language>%(language)s</language>
    <lastBuildDate>%(updated)s</lastBuildDate>
"""  # noqa: E501
_RSS_TAIL = b"  </channel>\n</rss>\n"
_ATOM_HEAD = """<?xml version='1.0' encoding='UTF-8'?>
<?xml-stylesheet type="text/css" href="%(style)s"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="%(language)s">
  <id>%(id)s</id>
  <title>%(title)s</title>
  <updated>%(updated)s</updated>
  <author>
    <name>%(author)s</name>
  </author>
  <link href="%(own)s" rel="self" type="application/atom+xml"/>
  <link href="%(home)s" rel="alternate" type="text/html"/>
%(more)s  <generator>digest</generator>
  <subtitle>%(about)s</subtitle>
"""
_ATOM_TAIL = b"</feed>\n"


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
    head = _RSS_HEAD % (_facts(feed) | ours)
    entries = chain.from_iterable(item.written.rss for item in feed.items)
    return b"".join([head.encode(), *entries, _RSS_TAIL])


def atom(feed: Feed) -> bytes:
    """Atom 1.0."""
    ours = {
        "updated": feed.updated.isoformat(),
        "own": xml_attribute(feed.urls[1]),
        "more": _more(feed, 1, "  ", "link"),
    }
    head = _ATOM_HEAD % (_facts(feed) | ours)
    entries = chain.from_iterable(item.written.atom for item in feed.items)
    return b"".join([head.encode(), *entries, _ATOM_TAIL])


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
