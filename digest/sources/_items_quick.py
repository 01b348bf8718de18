"""Feeds whose texts hold no markup, read as they go by: without a tree, and without lxml, which takes time and memory to import.

expat says whether a document is sound. Where it is, and has neither comments nor CDATA nor instructions, each `<` begins a tag:
so the document is divided there. What lxml may refuse or see otherwise is left to it: anything but XML 1.0 in UTF-8, a document
type, markup in a text, an item in an unusual place, a prefix that means two things, no address to count from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pyexpat import ExpatError, ParserCreate

from digest.model import Listing
from digest.patterns import late
from digest.sources import _item, _xml
from digest.sources._item import HEADS, ITEMS, RICH, Feed, Item, Links
from digest.sources._paper import MAX_ENTRIES

MAX_DEPTH = 100  # of the 256 that lxml reads
MAX_CHARS = 1_000_000  # of one text or tag; lxml reads ten million
_PIECE = 1 << 17
_MAX_TAGS_REMEMBERED = 1_000
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PLAIN_NAMESPACE = late(r"(?:https?://[A-Za-z0-9.-]+(?:/[\w/.~-]*)?|urn:[\w.:-]+)(?:#[\w.-]*)?", re.A)


class _OtherError(Exception):
    """Not for this reader."""


def read(listing: Listing) -> Feed | None:
    """What the tree of the document would give; None where that is not certain."""
    body = listing.body.lstrip()
    if (
        body[:1] != b"<" or b"\0" in body or _xml.is_beyond_measure(body)
    ):  # expat reads UTF-16 too, by its zeros
        return None
    try:
        reader = _Reader(listing.base_url, _namespaces(body), chain.from_iterable(_parts(body)))
        reader.read()
    except (ExpatError, _OtherError):
        return None
    return _item.feed_of(reader.heads, reader.items) if reader.items else None


# --- is it sound?


def _namespaces(body: bytes) -> dict[str | None, str]:
    """What the prefixes in a sound document stand for."""
    found: dict[str | None, str] = {"xml": "http://www.w3.org/XML/1998/namespace"}

    def declared(prefix: str | None, address: str | None) -> None:
        address = address or ""
        if (
            len(found) > _xml.MAX_PREFIXES
            or found.setdefault(prefix, address) != address
            or (address and not _PLAIN_NAMESPACE.fullmatch(address))
        ):
            raise _OtherError

    def opened(*_: object) -> None:
        found.setdefault(
            None, ""
        )  # the root says nothing of names without a prefix: nor may what is inside of it
        parser.StartElementHandler = None

    parser = ParserCreate(namespace_separator="}")
    parser.StartElementHandler = opened
    parser.XmlDeclHandler, parser.StartNamespaceDeclHandler = _check_declaration, declared
    parser.StartDoctypeDeclHandler = parser.ProcessingInstructionHandler = _refuse
    parser.CommentHandler = parser.StartCdataSectionHandler = _refuse
    parser.Parse(body, True)
    return found


def _check_declaration(version: str, encoding: str | None, _: int) -> None:
    if version != "1.0" or (encoding or "utf-8").lower() != "utf-8":
        raise _OtherError


def _refuse(*_: object) -> None:
    raise _OtherError


# --- tags and texts


def _parts(body: bytes) -> Iterator[list[str]]:
    """The document behind its declaration, divided at each `<`: a tag, `>`, and the text behind it. Not all at once."""
    start = body.index(b"<", 1) if body.startswith(b"<?") else 0
    while start < len(body):
        end = start + _PIECE
        end = len(body) if end >= len(body) else body.rfind(b"<", start, end)
        if end == start:
            end = body.find(b"<", start + 1, start + MAX_CHARS)
        if end < 0:
            raise _OtherError
        text = body[start + 1 : end].decode()
        yield (text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text).split("<")
        start = end


# Its field, its name without a prefix, its attributes, and is it empty?
_Tag = tuple[str, str, dict[str, str], bool]

_TAG = late(r"([^\s/]++)((?:\s++[^\s=]++\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'))*+)\s*+(/?)")
_ATTRIBUTE = late(r"([^\s=]++)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)')")
_REFERENCE = late(r"&(?:#x([0-9a-fA-F]+)|#0*+([0-9]+)|([a-z]+));")  # int() takes 4,300 digits
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_BLANKS = str.maketrans("\t\n", "  ")


def _unescaped(text: str) -> str:
    return _REFERENCE.sub(_referred, text) if "&" in text else text


def _referred(found: re.Match[str]) -> str:
    hexadecimal, decimal, name = found.groups()
    return _NAMED[name] if name else chr(int(hexadecimal, 16) if hexadecimal else int(decimal))


class _Reader:
    """Reads a document from its tags and texts in turn: each method goes on behind the tag it is given, up to the end of that."""

    def __init__(self, base: str, namespaces: dict[str | None, str], pieces: Iterator[str]) -> None:
        self.base = base
        self.namespaces = namespaces
        self.abouts = [
            f"{prefix}:about" for prefix, address in namespaces.items() if prefix and address == _RDF
        ]
        self.pieces = pieces
        self.tags: dict[str, _Tag] = {}
        self.names: dict[str, tuple[str, str]] = {}
        self.heads: dict[str, str] = {}
        self.items: list[Item] = []
        self.root: dict[str, str] = {}  # its attributes

    def read(self) -> None:
        name, _, self.root, is_empty = self._tag(next(self.pieces).partition(">")[0])
        if name not in _item.ROOTS or is_empty:
            raise _OtherError
        self._holder(is_head=name == "feed", is_root=True)

    def _holder(self, *, is_head: bool, is_root: bool) -> None:
        """The root or a channel: items, and where it is the head of the feed what that says."""
        has_head = is_head
        for piece in self.pieces:
            tag, _, text = piece.partition(">")
            if tag[0] == "/":
                return
            field, exact, attributes, is_empty = self.tags.get(tag) or self._tag(tag)
            if exact in ITEMS:
                self._item(attributes, is_empty)
            elif exact == "channel" and is_root and not has_head:
                has_head = True
                if not is_empty:
                    self._holder(is_head=True, is_root=False)
            else:
                text = "" if is_empty else _unescaped(text)
                if not is_empty and (piece := next(self.pieces))[0] != "/":
                    self._skip(piece, has_markup=field in HEADS)
                if is_head and field in HEADS:
                    self.heads[field] = text
                if exact == "link":
                    self._count_from(attributes.get("href") or text)

    def _item(self, attributes: dict[str, str], is_empty: bool) -> None:
        item = Item(authors=[], categories=[], identifiers=[])
        links: Links = []
        persons: list[str] = []
        if not is_empty:
            self._fill(item, links, persons)
        item.authors = item.authors or persons
        about = next(filter(None, map(attributes.get, self.abouts)), "")
        _item.place_links(item, links, about, self._counted_from(attributes))
        if len(self.items) <= MAX_ENTRIES:
            self.items.append(item)

    def _fill(self, item: Item, links: Links, persons: list[str]) -> None:
        known, pieces = self.tags.get, self.pieces
        for piece in pieces:
            tag, _, text = piece.partition(">")
            if tag[0] == "/":
                return
            field, exact, attributes, is_empty = known(tag) or self._tag(tag)
            text = "" if is_empty else _unescaped(text) if "&" in text else text
            if field == "author":
                persons.append(_item.person("") if is_empty else self._person(text))
                continue
            if not is_empty and (piece := next(pieces))[0] != "/":
                self._skip(piece, has_markup=field in RICH)
            if exact in ITEMS:
                raise _OtherError
            _item.take(item, links, field, attributes, text)
            if not self.base and exact == "link":
                self._count_from(attributes.get("href") or text)

    def _person(self, text: str) -> str:
        named = None
        for piece in self.pieces:
            if piece[0] == "/":
                break
            tag, _, inside = piece.partition(">")
            field, exact, _, is_empty = self.tags.get(tag) or self._tag(tag)
            if exact in ITEMS or exact == "link" or (not is_empty and next(self.pieces)[0] != "/"):
                raise _OtherError
            if field == "name" and named is None:
                named = "" if is_empty else _unescaped(inside)
        return _item.person(text) if named is None else named

    def _skip(self, piece: str, *, has_markup: bool) -> None:
        """Goes to the end of an element in which another begins with `piece`."""
        if has_markup:
            raise _OtherError
        depth = 1
        while True:
            if piece[0] == "/":
                depth -= 1
                if not depth:
                    return
            else:
                _, exact, _, is_empty = self._tag(piece.partition(">")[0])
                depth += not is_empty
                if depth > MAX_DEPTH or exact in ITEMS or (exact == "link" and not self.base):
                    raise _OtherError
            piece = next(self.pieces)

    def _tag(self, tag: str) -> _Tag:
        whole = _TAG.fullmatch(tag)
        if not whole or "xml:id" in tag:  # a ">" in a value; what lxml holds to be wrong
            raise _OtherError
        field, exact = self.names.get(whole[1]) or self._name(whole[1])
        attributes = {name: one or other for name, one, other in _ATTRIBUTE.findall(whole[2])}
        for name, value in attributes.items():
            if "&" in value or "\n" in value or "\t" in value:
                attributes[name] = _unescaped(value.translate(_BLANKS))
        read = field, exact, attributes, whole[3] == "/"
        if field != "link" and len(self.tags) < _MAX_TAGS_REMEMBERED:
            self.tags[tag] = read
        return read

    def _name(self, name: str) -> tuple[str, str]:
        prefix, _, exact = name.rpartition(":")
        self.names[name] = _item.local(f"{self.namespaces.get(prefix or None, '')}}}{exact}"), exact
        return self.names[name]

    def _count_from(self, address: str) -> None:
        address = address.strip()
        if not self.base and address.startswith(("http://", "https://")):
            self.base = address

    def _counted_from(self, opened: dict[str, str]) -> str:
        base = self.base
        if not base:
            raise _OtherError
        for holder in (self.root, opened):
            if own := holder.get("xml:base"):
                base = _item.join(base, own)
        return base
