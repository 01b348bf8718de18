"""Feeds whose texts hold no markup, read as they go by: by expat, which builds no tree, and takes no time and memory to import.

What lxml may refuse or see otherwise is left to it: anything but sound XML 1.0 in UTF-8, a document type, markup in a text, an
item in an unusual place, no address to count from.
"""

from __future__ import annotations

import re
from pyexpat import ExpatError, ParserCreate

from digest.model import Listing
from digest.patterns import late
from digest.sources import _item, _xml
from digest.sources._item import HEADS, ITEMS, LOCAL, RICH, Feed, Item, Links, local
from digest.sources._paper import MAX_ENTRIES

MAX_DEPTH = 100  # of the 256 that lxml reads
MAX_CHARS = 1_000_000  # of one text or tag; lxml reads ten million
_PIECE = 1 << 16
_BASE, _ID = (f"http://www.w3.org/XML/1998/namespace}}{name}" for name in ("base", "id"))
_ABOUT = "http://www.w3.org/1999/02/22-rdf-syntax-ns#}about"
_PLAIN_NAMESPACE = late(r"(?:https?://[A-Za-z0-9.-]+(?:/[\w/.~-]*)?|urn:[\w.:-]+)(?:#[\w.-]*)?", re.A)
# What stands in these is taken; of the last two only where lxml finds an item or a channel.
_HOLDERS = frozenset(["item", "entry", "author", "channel", "other:item", "other:entry", "other:channel"])


class _OtherError(Exception):
    """Not for this reader."""


def read(listing: Listing) -> Feed | None:
    """What the tree of the document would give; None where that is not certain."""
    body = listing.body.lstrip()
    if body[:1] != b"<" or _xml.is_beyond_measure(body):
        return None
    reader = _Reader(listing.base_url)
    parser = ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.XmlDeclHandler, parser.StartDoctypeDeclHandler = _check_declaration, _refuse
    parser.StartNamespaceDeclHandler, parser.ProcessingInstructionHandler = (
        _check_namespace,
        _check_instruction,
    )
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.texts.append
    view = memoryview(body)
    try:
        for at in range(0, len(body), _PIECE):
            parser.Parse(view[at : at + _PIECE], at + _PIECE >= len(body))
            unread = at + _PIECE - parser.CurrentByteIndex
            if unread > MAX_CHARS or sum(map(len, reader.texts)) > MAX_CHARS:
                return None
    except (ExpatError, _OtherError):
        return None
    return _item.feed_of(reader.heads, reader.items) if reader.items else None


def _refuse(*_: object) -> None:
    raise _OtherError


def _check_declaration(version: str, encoding: str | None, _: int) -> None:
    if version != "1.0" or (encoding or "utf-8").lower() != "utf-8":
        raise _OtherError


def _check_namespace(_: str | None, address: str | None) -> None:
    if address and not _PLAIN_NAMESPACE.fullmatch(address):
        raise _OtherError


def _check_instruction(target: str, _: str) -> None:
    if ":" in target:
        raise _OtherError


class _Reader:
    """Takes the elements of one depth, `level`: those in the head of the feed, in an item, or in an author of an item."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.heads: dict[str, str] = {}
        self.items: list[Item] = []
        self.root: dict[str, str] = {}  # its attributes
        self.heading = self.headed = False  # in the head of the feed, and was there one?
        self.depth, self.level = 0, 2
        # The item that is open, its attributes, and what is put into it at its end.
        self.item: Item | None = None
        self.opened: dict[str, str] = {}
        self.links: Links = []
        self.persons: list[str] = []
        # An author that is open: the name found in it.
        self.in_author = False
        self.named: str | None = None
        # The last element at that depth, and its text; that before the first element in it, where there is one.
        self.name = ""
        self.attributes: dict[str, str] = {}
        self.texts: list[str] = []
        self.before: str | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth = depth = self.depth + 1
        if attributes and _ID in attributes:
            raise _OtherError
        if depth == self.level:
            self.name = name = LOCAL.get(tag) or local(tag)
            self.attributes = attributes
            self.texts.clear()
            if name in _HOLDERS:
                self._open(tag)
        elif depth > self.level:
            self._inside(tag)
        else:
            self._open_root(tag, attributes)

    def end(self, tag: str) -> None:
        depth = self.depth
        self.depth = depth - 1
        if depth == self.level:
            text = "".join(self.texts)
            if self.before is not None:
                text, self.before = self.before, None
            if self.in_author:
                if self.named is None and self.name == "name":
                    self.named = text
            elif self.item is not None:
                _item.take(self.item, self.links, self.name, self.attributes, text)
            elif self.heading and self.name in HEADS:
                self.heads[self.name] = text
            if not self.base and _exact(tag) == "link":
                self._count_from(text)
        elif depth < self.level:
            self._close(depth)

    def _open_root(self, tag: str, attributes: dict[str, str]) -> None:
        name = local(tag)
        if name not in _item.ROOTS:
            raise _OtherError
        self.root = attributes
        self.heading = self.headed = name == "feed"

    def _open(self, tag: str) -> None:
        exact = _exact(tag)
        if self.name == "author":
            if self.item is None or self.in_author:
                return
            self.in_author, self.named = True, None
        elif exact == "channel" and self.depth == 2 and not self.headed:
            self.heading = self.headed = True
        elif exact in ITEMS and self.item is None:
            self.item = Item(authors=[], categories=[], identifiers=[])
            self.opened, self.links, self.persons = self.attributes, [], []
        else:
            raise _OtherError
        self.level = self.depth + 1

    def _inside(self, tag: str) -> None:
        """An element in one of those that are taken: of no use."""
        if self.before is None:
            self.before = "".join(self.texts)
        exact = _exact(tag)
        if (
            self.depth > MAX_DEPTH
            or self.in_author
            or self.name in (HEADS if self.item is None else RICH)
            or exact in ITEMS
            or (exact == "link" and not self.base)
        ):
            raise _OtherError

    def _close(self, depth: int) -> None:
        self.level = depth
        if self.in_author:
            self.in_author = False
            if self.named is None and self.name != "author":  # elements, and no name
                raise _OtherError
            self.persons.append(_item.person("".join(self.texts)) if self.named is None else self.named)
        elif item := self.item:
            self.item = None
            item.authors = item.authors or self.persons
            _item.place_links(item, self.links, self.opened.get(_ABOUT, ""), self._counted_from())
            if len(self.items) <= MAX_ENTRIES:
                self.items.append(item)
        else:
            self.heading = False

    def _counted_from(self) -> str:
        base = self.base
        if not base:
            raise _OtherError
        for holder in (self.root, self.opened):
            if own := holder.get(_BASE):
                base = _item.join(base, own)
        return base

    def _count_from(self, text: str) -> None:
        url = (self.attributes.get("href") or text).strip()
        if url.startswith(("http://", "https://")):
            self.base = url


def _exact(tag: str) -> str:
    return tag.rpartition("}")[2]
