"""An item as the bytes of one entry: RSS 2.0, Atom (RFC 4287) and JSON Feed 1.1.

Each is what feedgen writes for the same item, byte for byte (a test holds it), a tenth of the time. Texts of an item are clean
(render.clean): no control characters, on one line; so what is left to escape in XML are three letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from digest.formats.items import Item

_CATEGORY = ("      <category>", "</category>\n")
_CREATOR = ("      <dc:creator>", "</dc:creator>\n")
_AUTHOR = ("    <author>\n      <name>", "</name>\n    </author>\n")
_TERM = ('    <category term="', '"/>\n')


class Escaped(NamedTuple):
    """The texts of an item as character data; of the summary, which is plain text, as HTML."""

    id: str
    title: str
    url: str
    content: str
    summary: str
    categories: list[str]
    authors: list[str]


def escaped(item: Item) -> Escaped:
    """All at once, since most of the time would go into the calls: NUL, which no clean text holds, parts them."""
    tags = len(item.categories)
    one = (item.id, item.title, item.url, item.content, xml_text(item.summary))
    id_, title, url, content, summary, *rest = xml_text(
        "\0".join((*one, *item.categories, *item.authors))
    ).split("\0")
    return Escaped(id_, title, url, content, summary, rest[:tags], rest[tags:])


def rss_item(item: Item) -> bytes:
    """`<item>`, indented as a child of `channel`. RSS has no author without a mail address; Dublin Core has."""
    text = item.escaped
    # Readers take a description for HTML. Where there is no gist, it is the whole content.
    bodies = (
        f"<description>{text.summary}</description>\n      <content:encoded>{text.content}</content:encoded>"
        if item.summary
        else f"<description>{text.content}</description>"
    )
    return (
        "    <item>\n"
        f"      <title>{hexadecimal(item.title)}</title>\n"
        f"      <link>{text.url}</link>\n"
        f"      {bodies}\n"
        f'      <guid isPermaLink="false">{text.id}</guid>\n'
        f"{_each(*_CATEGORY, text.categories)}"
        f"      <pubDate>{rfc822(item.published)}</pubDate>\n"
        f"{_each(*_CREATOR, text.authors)}"
        "    </item>\n"
    ).encode()


def atom_entry(item: Item) -> bytes:
    """`<entry>`, indented as a child of `feed`. Summary and content declare themselves HTML (4287, 3.1.1.2)."""
    text = item.escaped
    summary = f'    <summary type="html">{text.summary}</summary>\n' if item.summary else ""
    url = text.url.replace('"', "&quot;")
    categories = [term.replace('"', "&quot;") for term in text.categories]
    return (
        "  <entry>\n"
        f"    <id>{text.id}</id>\n"
        f"    <title>{text.title}</title>\n"
        f"    <updated>{item.updated.isoformat()}</updated>\n"
        f"{_each(*_AUTHOR, text.authors)}"
        f'    <content type="html">{text.content}</content>\n'
        f'    <link href="{url}"/>\n'
        f"{summary}"
        f"{_each(*_TERM, categories)}"
        f"    <published>{item.published.isoformat()}</published>\n"
        "  </entry>\n"
    ).encode()


def _each(before: str, after: str, texts: Sequence[str]) -> str:
    """Each of `texts` in an element of its own."""
    return f"{before}{(after + before).join(texts)}{after}" if texts else ""


def json_item(item: Item) -> bytes:
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
