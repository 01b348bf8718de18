"""An item of a feed, and its bytes as one entry: RSS 2.0, Atom (RFC 4287) and JSON Feed 1.1.

Each is what feedgen writes for the same item, byte for byte (a test holds it), in a quarter of the time. Texts of an item are clean
(render.clean): no control characters, on one line; so what is left to escape in XML are three letters.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from html import escape
from typing import NamedTuple

import msgspec
from msgspec import Struct


class Item(Struct, frozen=True, kw_only=True, dict=True):
    """A paper, or an edition, in a feed. `summary` is plain text; `content` is HTML of p, a, em and code only.

    `published` is the paper's own date where it has one, else that of its edition. `updated` grows with every edition
    that shows the paper again: for a new version it is the moment the edition was issued. Neither is later than `issued`, when
    its edition was: readers hide what lies in the future.
    """

    id: str
    title: str
    url: str
    summary: str
    content: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    published: datetime
    updated: datetime
    issued: datetime

    @cached_property
    def written(self) -> Written:
        """Its bytes, shared by all feeds that have it."""
        return written(self)


class Written(NamedTuple):
    """An item in each format, with the indentation and line ends that it has in a feed. RSS and Atom are in pieces, of which they
    share the longest."""

    rss: tuple[bytes, bytes, bytes]
    atom: tuple[bytes, bytes, bytes]
    json: bytes


def written(item: Item) -> Written:
    """The item in all three formats; each text is escaped and encoded once for both that are XML."""
    text = _escaped(item)
    return Written(_rss(item, text), _atom(item, text), _json(item))


class _Escaped(NamedTuple):
    """The texts of an item as character data in UTF-8; of the summary, which is plain text, as HTML. `tags` and `names` are
    its categories and authors."""

    id: bytes
    title: bytes
    url: bytes
    content: bytes
    summary: bytes
    tags: list[bytes]
    names: list[bytes]


def _escaped(item: Item) -> _Escaped:
    """All at once, since most of the time would go into the calls: NUL, which no clean text holds, parts them."""
    one = (item.id, item.title, item.url, item.content, xml_text(item.summary))
    whole = "\0".join((*one, *item.categories, *item.authors)).encode()
    whole = whole.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    id_, title, url, content, summary, *rest = whole.split(b"\0")
    tags = len(item.categories)
    return _Escaped(id_, title, url, content, summary, rest[:tags], rest[tags:])


_RSS = b"""    <item>
      <title>%b</title>
      <link>%b</link>
      <description>%b"""
_RSS_END = b"""
      <guid isPermaLink="false">%b</guid>
%b      <pubDate>%b</pubDate>
%b    </item>
"""


def _rss(item: Item, text: _Escaped) -> tuple[bytes, bytes, bytes]:
    """`<item>`, indented as a child of `channel`. RSS has no author without a mail address; Dublin Core has."""
    summary, end = b"", b"</description>"
    if text.summary:
        # Readers take a description for HTML. Where there is no gist, it is the whole content.
        summary, end = text.summary + b"</description>\n      <content:encoded>", b"</content:encoded>"
    tail = _RSS_END % (
        text.id,
        b"".join([b"      <category>%b</category>\n" % tag for tag in text.tags]),
        rfc822(item.published).encode(),
        b"".join([b"      <dc:creator>%b</dc:creator>\n" % name for name in text.names]),
    )
    return _RSS % (hexadecimal(item.title).encode(), text.url, summary), text.content, end + tail


_ATOM = b"""  <entry>
    <id>%b</id>
    <title>%b</title>
    <updated>%b</updated>
%b    <content type="html">"""
_ATOM_END = b"""</content>
    <link href="%b"/>
%b%b    <published>%b</published>
  </entry>
"""


def _atom(item: Item, text: _Escaped) -> tuple[bytes, bytes, bytes]:
    """`<entry>`, indented as a child of `feed`. Summary and content declare themselves HTML (4287, 3.1.1.2)."""
    head = _ATOM % (
        text.id,
        text.title,
        item.updated.isoformat().encode(),
        b"".join([b"    <author>\n      <name>%b</name>\n    </author>\n" % name for name in text.names]),
    )
    tail = _ATOM_END % (
        text.url.replace(b'"', b"&quot;"),
        b'    <summary type="html">%b</summary>\n' % text.summary if text.summary else b"",
        b"".join([b'    <category term="%b"/>\n' % tag.replace(b'"', b"&quot;") for tag in text.tags]),
        item.published.isoformat().encode(),
    )
    return head, text.content, tail


def _json(item: Item) -> bytes:
    """An object of `items`, indented as a member of that array."""
    found = msgspec.json.encode(
        _JsonItem(
            id=item.id,
            url=item.url,
            title=item.title,
            summary=item.summary,
            content_html=item.content,
            date_published=item.published,
            date_modified=item.updated,
            authors=[_Author(name) for name in item.authors],
            tags=item.categories,
        )
    )
    # A line end within a string is written \n, so those that are found are the layout's.
    return b"\n  " + msgspec.json.format(found, indent=1).replace(b"\n", b"\n  ")


class _Author(Struct, gc=False):
    name: str


class _JsonItem(Struct, omit_defaults=True, kw_only=True, gc=False):
    """The object as the standard has it; what is empty is left out."""

    id: str
    url: str
    title: str
    summary: str = ""
    content_html: str
    date_published: datetime
    date_modified: datetime
    authors: list[_Author] = []
    tags: tuple[str, ...] = ()


def rfc822(moment: datetime) -> str:
    """A moment in UTC as RSS has it, whatever the locale: "Thu, 19 Nov 2026 06:00:00 +0000"."""
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    time = (moment.hour, moment.minute, moment.second)
    return "%s, %02d %s %04d %02d:%02d:%02d +0000" % (day, moment.day, month, moment.year, *time)  # noqa: UP031


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def xml_text(text: str) -> str:
    """`text` as character data."""
    return escape(text, quote=False)


def xml_attribute(text: str) -> str:
    """`text` between double quotes."""
    return escape(text, quote=False).replace('"', "&quot;")


def hexadecimal(text: str) -> str:
    """`text` as a title of RSS, < and & as hexadecimal references (RSS Board profile, "character data"): readers that unescape
    twice leave those alone."""
    return text.replace("&", "&#x26;").replace("<", "&#x3C;").replace(">", "&#x3E;")
