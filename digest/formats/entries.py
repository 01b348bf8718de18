"""An item as the bytes of one entry: RSS 2.0, Atom (RFC 4287) and JSON Feed 1.1.

Each is what feedgen writes for the same item, byte for byte (a test holds it), a tenth of the time. Texts of an item are clean
(render.clean): no control characters, on one line; so what is left to escape in XML are three letters.
"""

from __future__ import annotations

from email.utils import format_datetime
from html import escape
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from digest.formats.items import Item


def rss_item(item: Item) -> bytes:
    """`<item>`, indented as a child of `channel`. RSS has no author without a mail address; Dublin Core has."""
    content = xml_text(item.content)
    # Readers take a description for HTML. Where there is no gist, it is the whole content.
    bodies = (
        (
            f"      <description>{xml_text(xml_text(item.summary))}</description>\n"
            f"      <content:encoded>{content}</content:encoded>\n"
        )
        if item.summary
        else f"      <description>{content}</description>\n"
    )
    categories = [f"      <category>{xml_text(term)}</category>\n" for term in item.categories]
    creators = [f"      <dc:creator>{xml_text(name)}</dc:creator>\n" for name in item.authors]
    return (
        "    <item>\n"
        f"      <title>{hexadecimal(item.title)}</title>\n"
        f"      <link>{xml_text(item.url)}</link>\n"
        f"{bodies}"
        f'      <guid isPermaLink="false">{xml_text(item.id)}</guid>\n'
        f"{''.join(categories)}"
        f"      <pubDate>{format_datetime(item.published)}</pubDate>\n"
        f"{''.join(creators)}"
        "    </item>\n"
    ).encode()


def atom_entry(item: Item) -> bytes:
    """`<entry>`, indented as a child of `feed`. Summary and content declare themselves HTML (4287, 3.1.1.2)."""
    authors = [f"    <author>\n      <name>{xml_text(name)}</name>\n    </author>\n" for name in item.authors]
    summary = (
        f'    <summary type="html">{xml_text(xml_text(item.summary))}</summary>\n' if item.summary else ""
    )
    categories = [f'    <category term="{xml_attribute(term)}"/>\n' for term in item.categories]
    return (
        "  <entry>\n"
        f"    <id>{xml_text(item.id)}</id>\n"
        f"    <title>{xml_text(item.title)}</title>\n"
        f"    <updated>{item.updated.isoformat()}</updated>\n"
        f"{''.join(authors)}"
        f'    <content type="html">{xml_text(item.content)}</content>\n'
        f'    <link href="{xml_attribute(item.url)}"/>\n'
        f"{summary}"
        f"{''.join(categories)}"
        f"    <published>{item.published.isoformat()}</published>\n"
        "  </entry>\n"
    ).encode()


def json_item(item: Item) -> bytes:
    """An object of `items`, indented as a member of that array."""
    facts = {
        "id": item.id,
        "url": item.url,
        "title": item.title,
        "summary": item.summary,
        "content_html": item.content,
        "date_published": item.published,
        "date_modified": item.updated,
        "authors": [{"name": name} for name in item.authors],
        "tags": item.categories,
    }
    found = msgspec.json.encode({name: value for name, value in facts.items() if value})
    # A line end within a string is written \n, so those that are found are the layout's.
    return b"\n  " + msgspec.json.format(found, indent=1).replace(b"\n", b"\n  ")


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
