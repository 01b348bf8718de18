"""Feed documents (RSS 0.9x, 1.0, 2.0, Atom) → items: the fields every feed has, raw, whatever the format calls them."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from typing import Any

from digest.model import Listing
from digest.patterns import late
from digest.sources import _dates, _items_quick, _xml
from digest.sources._bytes import refused, unicode_text
from digest.sources._item import (
    HEADS,
    LOCAL,
    NAME_PARTS,
    RICH,
    ROOTS,
    Feed,
    Item,
    Links,
    feed_of,
    is_strange,
    is_web,
    join,
    local,
    person,
    place_links,
    says_where,
    take,
)
from digest.sources._paper import MAX_ENTRIES, MAX_MARKUP
from digest.sources._sniff import HEAD_CHARS, xml_root

# feedparser: 50 µs for an element, and quadratic time for an author's name of one word (it looks for a mail address in it).
MAX_TOLERANT_CHARS = 1_000_000
MAX_TOLERANT_TAGS = 30_000
MAX_TOLERANT_REFERENCES = 100_000  # 1 KB each
_IN_CAPITALS = ("RSS", "CHANNEL")  # RSS by hand, and CDF
# Without the declaration's end feedparser looks for it from each quotation mark.
_DECLARATION = late(r"\s*<\?xml\b[^<>]{0,200}\?>")
_DECLARED = '<?xml version="1.0" encoding="utf-8"?>\n'
_LONG_WORD = late(r"([\w.+-]{150})[\w.+-]+")
_LONG_BLANK = late(r"(\s{100})\s+")  # and the square of their number for lines that hold nothing

_XML_BASE = "{http://www.w3.org/XML/1998/namespace}base"
_ABOUT = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"


def is_feed(listing: Listing) -> bool:
    """Is this an RSS or Atom document, by its root element?"""
    head = (
        unicode_text(listing)[:HEAD_CHARS]
        if b"\0" in listing.body[:200]
        else listing.body[:HEAD_CHARS].decode("utf-8", "replace")
    )
    return xml_root(head.lstrip("\ufeff \t\r\n")) in ROOTS


def read_items(listing: Listing, notes: list[str]) -> Feed:
    """Everything of the document that is an item, in document order. Raises ParseError for what is no RSS and no Atom."""
    if feed := _items_quick.read(listing) or _streamed(listing):
        return feed
    root, mended = _xml.parse(listing, notes)
    if root is None:
        return _read_tolerantly(mended, listing, notes)
    if root.tag in _IN_CAPITALS:
        return _read_tolerantly(mended or unicode_text(listing), listing, notes, "names in capitals")
    name = local(root.tag)
    if name not in ROOTS:
        raise refused(listing, f"XML with the root element <{name}>, neither RSS nor Atom")
    base = listing.base_url or feed_base(root)
    elements = islice(root.iter("{*}item", "{*}entry"), MAX_ENTRIES + 1)
    heads = _head(root, name, listing)
    feed = feed_of(heads, [_item(element, base, root) for element in elements])
    if not feed.items and not heads:
        raise refused(listing, "a feed with neither items nor a title", "Fetch it again.")
    feed.sound = not notes
    return feed


def _streamed(listing: Listing) -> Feed | None:
    """A sound document whose texts hold markup, each item read and let go of as soon as it ends: the tree of 10 MB takes 60. None
    where that may not give what the whole tree gives: faults to mend, an item within another, none at all, and no address to
    count from."""
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
    if root is None or (name := local(root.tag)) not in ROOTS:
        return None
    return feed_of(_head(root, name, listing), items)


def feed_base(root: Any) -> str:
    """What relative links are resolved against where the fetched address is unknown: the feed's own absolute link."""
    for element in root.iter("{*}link"):
        url = (element.get("href") or element.text or "").strip()
        if is_web(url) and says_where(element.get("rel")):
            return url
    return ""


def _head(root: Any, name: str, listing: Listing) -> dict[str, str]:
    """The texts in the head of a feed, by their names."""
    channel = root if name == "feed" else next(root.iterchildren("{*}channel"), None)
    if channel is None:
        if next(root.iter("{*}item", "{*}entry"), None) is None:
            raise refused(listing, "RSS without a channel and without items", "Fetch it again.")
        return {}
    children = ((_field(child), child) for child in channel)
    return {field: _text(child) for field, child in children if field in HEADS}


def _text(element: Any) -> str:
    """The text; of an element with markup inside, the markup too (the cleaning takes it away, and knows where words end)."""
    if not len(element):
        return element.text or ""
    from lxml import etree

    inside = "".join(etree.tostring(child, encoding="unicode") for child in islice(element, MAX_MARKUP))
    return (element.text or "") + inside


def _item(element: Any, base: str, root: Any) -> Item:
    item = Item(authors=[], categories=[], identifiers=[])
    links: Links = []
    persons: list[str] = []
    for child in _own_first(element):
        field = LOCAL.get(child.tag) or _field(child)
        if field == "author":
            persons += _persons(child)
        elif field == "creator" and (names := _names(child)):
            item.authors += names
        elif field == "authors" and len(child):
            item.authors += map(_person, islice(child.iterchildren("{*}author"), MAX_MARKUP))
        elif field == "subject" and len(child):
            item.categories += _values(child)
        else:
            take(item, links, field, child, _text(child) if field in RICH else child.text or "")
    item.authors = item.authors or persons
    for holder in (root, element):
        if own := holder.get(_XML_BASE):
            base = join(base, own)
    place_links(item, links, element.get(_ABOUT) or "", base)
    return item


def _own_first(element: Any) -> Iterator[Any]:
    """The parts of an item, those of strange vocabularies behind all others."""
    own = element.tag.rpartition("}")[0]
    strange = False
    for child in element:
        if is_strange(child.tag, own):
            strange = True
        else:
            yield child
    if strange:
        yield from (child for child in element if is_strange(child.tag, own))


def _field(child: Any) -> str:
    """The local name of an element; empty for a reference that was not expanded. Ask LOCAL first."""
    tag = child.tag
    return local(tag) if isinstance(tag, str) else ""


def _names(creator: Any) -> list[str]:
    """Those of a list within a creator: `<rdf:Seq><rdf:li>`."""
    return [each.text or "" for each in creator.iterfind("{*}Seq/{*}li")] if len(creator) else []


def _values(subject: Any) -> list[str]:
    """Those within a subject: `<rdf:Description><rdf:value>`, `<rdf:Bag><rdf:li>`."""
    return [each.text or "" for each in islice(subject.iter("{*}value", "{*}li"), MAX_MARKUP)]


def _persons(element: Any) -> list[str]:
    """J-STAGE: all authors in one element, `<author><en><name>`, in English first; and then in the journal's language again."""
    first = element[0] if len(element) else None
    if (
        first is not None
        and _field(first) in _LANGUAGES
        and (names := _named_in(first) or _named_in(element))
    ):
        return names
    return [_person(element)]


def _named_in(element: Any) -> list[str]:
    return [each.text or "" for each in islice(element.iter("{*}name"), MAX_MARKUP)]


_LANGUAGES = ("en", "ja")


def _person(element: Any) -> str:
    """Atom: `<author><name>`. RSS: a text. JOSS: the parts of the name, each by itself."""
    parts: dict[str, str] = {}
    for child in element:
        if (field := LOCAL.get(child.tag) or _field(child)) == "name":
            return _text(child)
        parts.setdefault(field, (child.text or "").strip())
    return " ".join(filter(None, map(parts.get, NAME_PARTS))) or person(element.text or "")


# --- the tolerant road


def _read_tolerantly(text: str, listing: Listing, notes: list[str], why: str = "not well-formed XML") -> Feed:
    """What lxml refuses even when mended, and what is written in capitals, by feedparser: handed the bytes only, so that it can
    fetch nothing."""
    import feedparser

    _guard_tolerant(text, listing)
    said = _DECLARATION.match(text)
    whole = _DECLARED + _LONG_WORD.sub(r"\1", _LONG_BLANK.sub(r"\1", text[said.end() :] if said else text))
    try:
        parsed = feedparser.parse(
            BytesIO(whole.encode("utf-8", "replace")),
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    # What its old SGML parser is known to raise on broken declarations, addresses and dates.
    except (AssertionError, ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise refused(listing, f"broken XML ({error})", "Fetch it again.") from None
    if not parsed.version and not parsed.entries:
        raise refused(listing, "broken XML, neither RSS nor Atom", "Fetch it again.")
    notes.append(f"{why}: read with the tolerant reader")
    base = listing.base_url or _said(parsed.feed, "link")
    items = [_tolerant_item(entry, base) for entry in parsed.entries]
    return Feed(
        title=parsed.feed.get("title", ""),
        description=parsed.feed.get("subtitle", ""),
        sound=False,
        items=items,
    )


def _guard_tolerant(text: str, listing: Listing) -> None:
    """Raises ParseError for what feedparser would take too long for, or too much memory."""
    tags = text.count("<")
    if len(text) > MAX_TOLERANT_CHARS or tags > MAX_TOLERANT_TAGS:
        raise refused(
            listing, f"{len(text)} characters of XML with {tags} tags, not well-formed", "Fetch it again."
        )
    if text.count("&") > MAX_TOLERANT_REFERENCES:
        raise refused(
            listing, f"more than {MAX_TOLERANT_REFERENCES} references in XML that is not well-formed"
        )
    if tags - 2 * text.count("</") - text.count("/>") > 5_000:
        raise refused(listing, "XML with thousands of tags that are never closed; no feed is like that")


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
        cover=_dates.rfc3339(_said(entry, "prism_coverdate")),
        announce_type=_said(entry, "arxiv_announce_type"),
    )


def _said(entry: Any, name: str) -> str:
    """A text of the entry itself: `in` first, since feedparser's own `get` gives one date for another."""
    value = entry[name] if name in entry else ""  # noqa: SIM401
    return value if isinstance(value, str) else ""
