"""Feed documents (RSS 0.9x, 1.0, 2.0, Atom) → items: the fields every feed has, raw, whatever the format calls them."""

from __future__ import annotations

import re
from io import BytesIO
from itertools import islice
from typing import Any
from urllib.parse import urljoin

from msgspec import Struct

from digest.errors import ParseError
from digest.model import Listing
from digest.patterns import late
from digest.sources import _dates, _xml
from digest.sources._bytes import unicode_text
from digest.sources._paper import MAX_ENTRIES, MAX_MARKUP
from digest.sources._sniff import HEAD_CHARS, xml_root

# feedparser: 50 µs for an element, and quadratic time for an author's name of one word (it looks for a mail address in it).
MAX_TOLERANT_CHARS = 1_000_000
MAX_TOLERANT_TAGS = 30_000
_LONG_WORD = late(r"([\w.+-]{150})[\w.+-]+")

_XML_BASE = "{http://www.w3.org/XML/1998/namespace}base"
_ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"


class Item(Struct, kw_only=True):
    """One item: texts raw (HTML as it stands), dates as RFC 3339 or full dates, addresses absolute where that was possible."""

    title: str = ""
    link: str = ""
    pdf: str = ""
    guid: str = ""
    permalink: bool = True
    summary: str = ""
    content: str = ""
    authors: list[str] = []
    categories: list[str] = []
    identifiers: list[str] = []
    doi: str = ""
    published: str | None = None
    updated: str | None = None
    announce_type: str = ""
    comment: str = ""
    journal: str = ""
    primary: str = ""


class Feed(Struct, kw_only=True):
    """A feed document. `sound` is false where it had to be mended, so that "no items" proves nothing."""

    title: str = ""
    description: str = ""
    published: str | None = None
    stated: int | None = None
    start: int = 0
    sound: bool = True
    items: list[Item] = []


def is_feed(listing: Listing) -> bool:
    """Is this an RSS or Atom document, by its root element?"""
    head = (
        unicode_text(listing)[:HEAD_CHARS]
        if b"\0" in listing.body[:200]
        else listing.body[:HEAD_CHARS].decode("utf-8", "replace")
    )
    return xml_root(head.lstrip("\ufeff \t\r\n")) in ("rss", "feed", "rdf")


def read_items(listing: Listing, notes: list[str]) -> Feed:
    """Everything of the document that is an item, in document order. Raises ParseError for what is no RSS and no Atom."""
    if feed := _streamed(listing):
        return feed
    root, mended = _xml.parse(listing, notes)
    if root is None:
        return _read_tolerantly(mended, listing, notes)
    name = _local(root.tag)
    if name not in ("rss", "feed", "rdf"):
        raise ParseError(
            f"{listing.location}: XML with the root element <{name}>, neither RSS nor Atom.",
            url=listing.location,
        )
    feed = _head(root, name, listing)
    feed.sound = not notes
    base = listing.base_url or feed_base(root)
    elements = islice(root.iter("{*}item", "{*}entry"), MAX_ENTRIES + 1)
    feed.items = [_item(element, base, root) for element in elements]
    return feed


def _streamed(listing: Listing) -> Feed | None:
    """A sound document, each item read and let go of as soon as it ends: the tree of 10 MB takes 60. None where that may not give
    what the whole tree gives: faults to mend, an item within another, none at all, and no address to count from."""
    items: list[Item] = []
    root, base, inside = None, listing.base_url, False
    try:
        for event, element in _xml.items_of(listing):
            if event == "start":
                if inside:
                    return None
                inside = True
                continue
            inside = False
            root = element.getroottree().getroot() if root is None else root
            base = base or feed_base(root)
            if not base:
                return None
            if len(items) <= MAX_ENTRIES:
                items.append(_item(element, base, root))
            element.clear(keep_tail=True)
    except _xml.faults():
        return None
    if root is None or (name := _local(root.tag)) not in ("rss", "feed", "rdf"):
        return None
    feed = _head(root, name, listing)
    feed.items = items
    return feed


def feed_base(root: Any) -> str:
    """What relative links are resolved against where the fetched address is unknown: the feed's own absolute link."""
    for element in root.iter("{*}link"):
        url = (element.get("href") or element.text or "").strip()
        if url.startswith(("http://", "https://")):
            return url
    return ""


def _head(root: Any, name: str, listing: Listing) -> Feed:
    channel = root if name == "feed" else next(root.iterchildren("{*}channel"), None)
    if channel is None:
        if next(root.iter("{*}item"), None) is None:
            raise ParseError(
                f"{listing.location}: RSS without a channel and without items. Fetch it again.",
                url=listing.location,
            )
        return Feed()
    texts = {
        _local(child.tag): _text(child)
        for child in channel
        if isinstance(child.tag, str) and _local(child.tag) not in ("item", "entry")
    }
    total, start = texts.get("totalresults", "").strip(), texts.get("startindex", "").strip()
    return Feed(
        title=texts.get("title", ""),
        description=texts.get("description", ""),
        published=_dates.rfc3339(texts.get("pubdate") or texts.get("date", "")),
        stated=int(total) if total.isascii() and total.isdigit() and len(total) < 10 else None,
        start=int(start) if start.isascii() and start.isdigit() and len(start) < 10 else 0,
    )


_LOCAL: dict[str, str] = {}


def _local(tag: str) -> str:
    """`{namespace}Name` → `name`; those of media vocabularies with a prefix, since they are about pictures."""
    name = _LOCAL.get(tag)
    if name is None:
        namespace, _, name = tag.rpartition("}")
        name = name.lower()
        if "media" in namespace or "itunes" in namespace or "search.yahoo" in namespace:
            name = f"other:{name}"
        if len(_LOCAL) < 1000:
            _LOCAL[tag] = name
    return name


def _text(element: Any) -> str:
    """The text; of an element with markup inside, the markup too (the cleaning takes it away, and knows where words end)."""
    if not len(element):
        return element.text or ""
    from lxml import etree

    inside = "".join(etree.tostring(child, encoding="unicode") for child in islice(element, MAX_MARKUP))
    return (element.text or "") + inside


def _item(element: Any, base: str, root: Any) -> Item:
    item = Item(authors=[], categories=[], identifiers=[])
    links: list[tuple[str, str, str]] = []
    persons: list[str] = []
    for child in element:
        field = _LOCAL.get(child.tag) or _field(child)
        if field == "author":
            persons.append(_person(child))
        elif field in ("category", "subject"):
            item.categories.append(child.get("term") or child.text or "")
        elif field == "link":
            links.append(
                (
                    child.get("rel") or "alternate",
                    child.get("href") or child.text or "",
                    child.get("type") or "",
                )
            )
        else:
            _take(item, field, child)
    item.authors = item.authors or persons
    about = element.get(_ABOUT) or ""
    base = _base(element, base, root)
    _place_links(item, links, about, base)
    return item


def _field(child: Any) -> str:
    """The local name of an element; empty for a reference that was not expanded. Ask _LOCAL first."""
    tag = child.tag
    return _local(tag) if isinstance(tag, str) else ""


def _base(element: Any, base: str, root: Any) -> str:
    for holder in (root, element):
        if own := holder.get(_XML_BASE):
            base = join(base, own)
    return base


def _take(item: Item, field: str, child: Any) -> None:
    """One child element into its field. The first of a kind counts, but for those that may repeat."""
    if name := _TEXTS.get(field):
        if not getattr(item, name):
            setattr(item, name, _text(child))
    elif field in ("guid", "id"):
        item.guid = item.guid or (child.text or "").strip()
        item.permalink = child.get("isPermaLink", "true") != "false"
    elif field in ("identifier", "url"):
        item.identifiers.append((child.text or "").strip())
    elif field in ("published", "pubdate", "date", "issued", "created", "publicationdate"):
        item.published = item.published or _dates.rfc3339(child.text or "")
    elif field in ("updated", "modified"):
        item.updated = _dates.rfc3339(child.text or "")
    elif field == "primary_category":
        item.primary = item.primary or child.get("term") or ""
    elif field == "creator":
        item.authors.append(_text(child))


_TEXTS = {
    "title": "title",
    "description": "summary",
    "summary": "summary",
    "abstract": "summary",
    "encoded": "content",
    "content": "content",
    "doi": "doi",
    "announce_type": "announce_type",
    "comment": "comment",
    "journal_ref": "journal",
    "journal_reference": "journal",
}
_MAIL_AND_NAME = late(r"\s*\S+@\S+\s*\((.*)\)\s*$", re.S)


def _person(element: Any) -> str:
    """Atom: `<author><name>`. RSS: `mail (Name)`, or a name."""
    for child in element:
        if (_LOCAL.get(child.tag) or _field(child)) == "name":
            return child.text or ""
    text = element.text or ""
    found = _MAIL_AND_NAME.match(text)
    return found[1] if found else "" if "@" in text else text


def _place_links(item: Item, links: list[tuple[str, str, str]], about: str, base: str) -> None:
    for rel, href, kind in links:
        href = join(base, href.strip())
        if kind == "application/pdf":
            item.pdf = item.pdf or href
        elif rel == "alternate" and not item.link:
            item.link = href
    if not item.link and item.permalink and item.guid.startswith(("http://", "https://")):
        item.link = item.guid
    if not item.link:
        item.link = next(
            (url for url in (*item.identifiers, about) if url.startswith(("http://", "https://"))), ""
        )


def join(base: str, href: str) -> str:
    if href.startswith(("https://", "http://")) or not href:
        return href
    try:
        return urljoin(base, href)
    except ValueError:
        return ""


# --- the tolerant road


def _read_tolerantly(text: str, listing: Listing, notes: list[str]) -> Feed:
    """What lxml refuses even when mended, by feedparser: handed the bytes only, so that it can fetch nothing."""
    import feedparser

    tags = text.count("<")
    if len(text) > MAX_TOLERANT_CHARS or tags > MAX_TOLERANT_TAGS:
        raise ParseError(
            f"{listing.location}: {len(text)} characters of XML with {tags} tags, not well-formed. Fetch it again.",
            url=listing.location,
        )
    if tags - 2 * text.count("</") - text.count("/>") > 5_000:
        raise ParseError(
            f"{listing.location}: XML with thousands of tags that are never closed; no feed is like that.",
            url=listing.location,
        )
    try:
        parsed = feedparser.parse(
            BytesIO(_LONG_WORD.sub(r"\1", text).encode("utf-8", "replace")),
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    # What its old SGML parser is known to raise on broken declarations, addresses and dates.
    except (AssertionError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ParseError(
            f"{listing.location}: broken XML ({error}). Fetch it again.", url=listing.location
        ) from None
    if not parsed.version and not parsed.entries:
        raise ParseError(
            f"{listing.location}: broken XML, neither RSS nor Atom. Fetch it again.", url=listing.location
        )
    notes.append("not well-formed XML: read with the tolerant reader")
    base = listing.base_url or _said(parsed.feed, "link")
    items = [_tolerant_item(entry, base) for entry in parsed.entries]
    return Feed(
        title=parsed.feed.get("title", ""),
        description=parsed.feed.get("subtitle", ""),
        sound=False,
        items=items,
    )


def _tolerant_item(entry: Any, base: str) -> Item:
    content = entry.get("content") or [{}]
    return Item(
        title=_said(entry, "title"),
        link=join(base, _said(entry, "link")),
        guid=_said(entry, "id"),
        summary=_said(entry, "summary"),
        content=_said(content[0], "value"),
        authors=[name for author in entry.get("authors", []) if (name := _said(author, "name"))],
        categories=[_said(tag, "term") for tag in entry.get("tags", [])],
        identifiers=[_said(entry, "dc_identifier")],
        doi=_said(entry, "prism_doi"),
        published=_dates.rfc3339(_said(entry, "published")),
        updated=_dates.rfc3339(_said(entry, "updated")),
        announce_type=_said(entry, "arxiv_announce_type"),
    )


def _said(entry: Any, name: str) -> str:
    """A text of the entry itself: `in` first, since feedparser's own `get` gives one date for another."""
    value = entry[name] if name in entry else ""  # noqa: SIM401
    return value if isinstance(value, str) else ""
