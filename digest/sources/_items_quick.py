"""Feeds whose texts hold no markup, read as they go by: without a tree, and without lxml, which takes time and memory to import.

A document without comments, CDATA and instructions is divided at each `<`, which begins a tag. That it is well-formed (XML 1.0 and
its namespaces) is seen on the way: each tag ends in its turn, each reference stands for a character, each prefix for one namespace.
What lxml may refuse or see otherwise is left to it: anything but XML 1.0 in UTF-8, a document type, markup in a text, an item in an
unusual place, a prefix that means two things, a name that is not of ASCII, a vocabulary that nobody
knows, no address to count from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from operator import itemgetter

from digest.model import Listing
from digest.patterns import late
from digest.sources import _item
from digest.sources._item import HEADS, ITEMS, NAME_PARTS, NESTED, Feed, Item, Links
from digest.sources._paper import MAX_ENTRIES
from digest.sources._xml import MAX_ATTRIBUTES, MAX_PREFIXES, MAX_TAGS

MAX_DEPTH = 100  # of the 256 that lxml reads
MAX_CHARS = 1_000_000  # of one text or tag; lxml reads ten million
_PIECE = 1 << 17
_MAX_TAGS_REMEMBERED = 1_000
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_RESERVED = ("http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/")
_PLAIN_NAMESPACE = late(r"(?:https?://[A-Za-z0-9.-]+(?:/[\w/.~-]*)?|urn:[\w.:-]+)(?:#[\w.-]*)?", re.A)


class _OtherError(Exception):
    """Not for this reader."""


def read(listing: Listing) -> Feed | None:
    """What the tree of the document would give; None where that is not certain."""
    body = listing.body.lstrip()
    if body[:1] != b"<" or len(body.translate(None, _CONTROLS)) != len(body):
        return None
    try:
        reader = _Reader(listing.base_url, chain.from_iterable(_parts(body)))
        reader.read()
    except (_OtherError, StopIteration, UnicodeDecodeError):
        return None
    return _item.feed_of(reader.heads, reader.items) if reader.items else None


# --- tags and texts


# XML 1.0, 2.2
_CHARACTERS = ((9, 10, 13), range(32, 0xD800), range(0xE000, 0xFFFE), range(0x10000, 0x110000))
_CONTROLS = bytes({*range(32)} - {*b"\t\n\r"})
_DECLARATION = late(
    rb"<\?xml\s+version\s*=\s*(?:\"1\.0\"|'1\.0')(?:\s+encoding\s*=\s*(?i:\"utf-8\"|'utf-8'))?"
    rb"(?:\s+standalone\s*=\s*(?:\"(?:yes|no)\"|'(?:yes|no)'))?\s*\?>\s*(?=<)"
)
_WRONG_REFERENCE = late(r"&(?!amp;|lt;|gt;|quot;|apos;|#[0-9]+;|#x[0-9a-fA-F]+;)")
_NUMBERED = late(r"&#(?:x0*+([0-9a-fA-F]*)|0*+([0-9]*));")


def _parts(body: bytes) -> Iterator[list[str]]:
    """The document behind its declaration, divided at each `<`: a tag, `>`, and the text behind it. Not all at once."""
    start, tags = 0, 0
    if body.startswith(b"<?"):
        declared = _DECLARATION.match(body)
        if declared is None:
            raise _OtherError
        start = declared.end()
    while start < len(body):
        end = start + _PIECE
        end = len(body) if end >= len(body) else body.rfind(b"<", start, end)
        if end == start:
            end = body.find(b"<", start + 1, start + MAX_CHARS)
        if end < 0:
            raise _OtherError
        text = body[start + 1 : end].decode()
        _check_characters(text)
        pieces = (text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text).split("<")
        tags += len(pieces)
        if tags > MAX_TAGS:
            raise _OtherError
        yield pieces
        start = end


def _check_characters(text: str) -> None:
    """Is every character, and whatever stands for one, allowed where it stands?"""
    if "\ufffe" in text or "\uffff" in text or ("]" in text and "]]>" in text):
        raise _OtherError
    if "&" in text and _WRONG_REFERENCE.search(text):
        raise _OtherError
    if "#" in text and "&#" in text:
        for hexadecimal, decimal in _NUMBERED.findall(text):
            if len(hexadecimal) > 6 or len(decimal) > 7:
                raise _OtherError
            code = int(hexadecimal, 16) if hexadecimal else int(decimal or 0)
            if not any(code in allowed for allowed in _CHARACTERS):
                raise _OtherError


# Its field, its name without a prefix, its attributes, is it empty, and the tag that ends it, behind its `<`
_Tag = tuple[str, str, dict[str, str], bool, str]
# The same of all tags that differ in the values between their quotation marks only, with the names of the attributes.
_Shape = tuple[str, str, tuple[str, ...], bool, str]

_NAME = r"[A-Za-z_][\w.-]*+(?::[A-Za-z_][\w.-]*+)?"
_TAG = late(rf"({_NAME})((?>(?:\s++{_NAME}\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'))*))\s*+(/?)", re.A)
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

    def __init__(self, base: str, pieces: Iterator[str]) -> None:
        self.base = base
        self.pieces = pieces
        self.namespaces: dict[str, str] = {}  # of all prefixes; of names without one by ""
        self.scope: set[str] = set()  # the prefixes that the root declares
        self.tags: dict[str, _Tag] = {}
        self.shapes: dict[tuple[str, ...], _Shape] = {}
        self.names: dict[str, tuple[str, str]] = {}
        self.attributes = 0
        self.heads: dict[str, str] = {}
        self.items: list[Item] = []
        self.root: dict[str, str] = {}  # its attributes

    def read(self) -> None:
        tag, closed, _ = next(self.pieces).partition(">")
        if not closed:
            raise _OtherError
        name, _, self.root, is_empty, end = self._tag(tag, is_root=True)
        if name not in _item.ROOTS or is_empty:
            raise _OtherError
        rest = self._holder(end, is_head=name == "feed", is_root=True)
        if rest.strip(_WHITE) or next(self.pieces, None) is not None:
            raise _OtherError

    def _holder(self, end: str, *, is_head: bool, is_root: bool) -> str:
        """The root or a channel: items, and where it is the head of the feed what that says. Gives what stands behind its end."""
        has_head = is_head
        for piece in self.pieces:
            tag, closed, text = piece.partition(">")
            if tag[:1] == "/":
                _check_end(piece, end)
                return text
            if not closed:
                raise _OtherError
            field, exact, attributes, is_empty, its_end = self.tags.get(tag) or self._tag(tag)
            if exact in ITEMS:
                self._item(attributes, is_empty, its_end)
            elif exact == "channel" and is_root and not has_head:
                has_head = True
                if not is_empty:
                    self._holder(its_end, is_head=True, is_root=False)
            else:
                text = "" if is_empty else _unescaped(text)
                if not is_empty and not (piece := next(self.pieces)).startswith(its_end):
                    self._skip(piece, its_end, has_markup=field in HEADS)
                if is_head and field in HEADS:
                    self.heads[field] = text
                if exact == "link" and _item.says_where(attributes.get("rel")):
                    self._count_from(attributes.get("href") or text)
        raise _OtherError

    def _item(self, attributes: dict[str, str], is_empty: bool, end: str) -> None:
        item = Item(authors=[], categories=[], identifiers=[])
        links: Links = []
        persons: list[str] = []
        if not is_empty:
            self._fill(item, links, persons, end)
        item.authors = item.authors or persons
        _item.place_links(item, links, attributes.get("rdf:about", ""), self._counted_from(attributes))
        if len(self.items) <= MAX_ENTRIES:
            self.items.append(item)

    def _fill(self, item: Item, links: Links, persons: list[str], end: str) -> None:
        known, pieces = self.tags.get, self.pieces
        for piece in pieces:
            tag, closed, text = piece.partition(">")
            if tag[:1] == "/":
                _check_end(piece, end)
                return
            if not closed:
                raise _OtherError
            field, exact, attributes, is_empty, its_end = known(tag) or self._tag(tag)
            text = "" if is_empty else _unescaped(text) if "&" in text else text
            if field == "author":
                persons.append(_item.person("") if is_empty else self._person(text, its_end))
                continue
            if not is_empty and not (piece := next(pieces)).startswith(its_end):
                self._skip(piece, its_end, has_markup=field in NESTED)
            if exact in ITEMS:
                raise _OtherError
            _item.take(item, links, field, attributes, text)
            if not self.base and exact == "link" and _item.says_where(attributes.get("rel")):
                self._count_from(attributes.get("href") or text)
        raise _OtherError

    def _person(self, text: str, end: str) -> str:
        named, first = None, next(self.pieces)
        if first.startswith("name>") and (self.tags.get("name") or self._tag("name"))[0] == "name":
            _check_end(next(self.pieces), "/name>")
            named = _unescaped(first[5:])
            first = next(self.pieces)
            if first.startswith(end):
                return named  # as most are
        for piece in chain((first,), self.pieces):
            tag, closed, inside = piece.partition(">")
            if tag[:1] == "/":
                _check_end(piece, end)
                return _item.person(text) if named is None else named
            if not closed:
                raise _OtherError
            field, exact, _, is_empty, its_end = self.tags.get(tag) or self._tag(tag)
            if exact in ITEMS or exact == "link" or field in NAME_PARTS:
                raise _OtherError
            if not is_empty:
                _check_end(next(self.pieces), its_end)
            if field == "name" and named is None:
                named = "" if is_empty else _unescaped(inside)
        raise _OtherError

    def _skip(self, piece: str, end: str, *, has_markup: bool) -> None:
        """Goes to the end of an element in which `piece` is the first that does not end it as it mostly is."""
        ends = [end]
        while True:
            tag, closed, _ = piece.partition(">")
            if tag[:1] == "/":
                _check_end(piece, ends.pop())
                if not ends:
                    return
            elif has_markup or not closed:
                raise _OtherError
            else:
                _, exact, _, is_empty, its_end = self.tags.get(tag) or self._tag(tag)
                if not is_empty:
                    ends.append(its_end)
                if len(ends) > MAX_DEPTH or exact in ITEMS or (exact == "link" and not self.base):
                    raise _OtherError
            piece = next(self.pieces)

    # --- one tag

    def _tag(self, tag: str, *, is_root: bool = False) -> _Tag:
        parts = tag.split('"')
        shape, values = tuple(parts[::2]), parts[1::2]
        known = self.shapes.get(shape)
        if known and len(known[2]) == len(values) and not ("&" in tag or "\n" in tag or "\t" in tag):
            field, exact, names, is_empty, end = known
            self._count(len(names))
            return field, exact, dict(zip(names, values, strict=True)), is_empty, end
        whole = _TAG.fullmatch(tag)
        if not whole or "xml:id" in tag:  # a ">" in a value; what lxml holds to be wrong
            raise _OtherError
        found = _ATTRIBUTE.findall(whole[2])
        attributes = {name: one or other for name, one, other in found}
        self._count(len(found))
        if len(attributes) != len(found):
            raise _OtherError
        for name, value in attributes.items():
            if "&" in value or "\n" in value or "\t" in value:
                attributes[name] = _unescaped(value.translate(_BLANKS))
        declares = "xmlns" in whole[2]
        self._check_prefixes(whole[1], attributes, is_root, declares)
        field, exact = self.names.get(whole[1]) or self._name(whole[1])
        read = field, exact, attributes, whole[3] == "/", f"/{whole[1]}>"
        if len(self.tags) < _MAX_TAGS_REMEMBERED and field != "link":
            self.tags[tag] = read
        elif len(self.shapes) < _MAX_TAGS_REMEMBERED and not (declares or any("'" in part for part in shape)):
            self.shapes[shape] = field, exact, tuple(attributes), read[3], read[4]
        return read

    def _count(self, attributes: int) -> None:
        self.attributes += attributes
        if self.attributes > MAX_ATTRIBUTES:
            raise _OtherError

    def _check_prefixes(self, name: str, attributes: dict[str, str], is_root: bool, declares: bool) -> None:
        """Each prefix is declared by the root or by this very tag, and stands for one namespace all over the document. Names
        without one belong to the namespace that the root says."""
        here = self._declared(attributes, is_root) if declares else set()
        if is_root:
            self.scope = here
            self.namespaces.setdefault("", "")
        used = [each.split(":") for each in (name, *attributes) if ":" in each and each[:6] != "xmlns:"]
        if any(prefix != "xml" and prefix not in self.scope and prefix not in here for prefix, _ in used):
            raise _OtherError
        if len(used) > len(set(map(itemgetter(1), used))):  # of two namespaces, or of one by two prefixes
            raise _OtherError

    def _declared(self, attributes: dict[str, str], is_root: bool) -> set[str]:
        here = set()
        for name, address in attributes.items():
            if name != "xmlns" and name[:6] != "xmlns:":
                continue
            prefix = name[6:]
            if (prefix and not address) or prefix[:3].lower() == "xml" or address in _RESERVED:
                raise _OtherError
            if not (prefix or is_root) and self.namespaces[""] != address:
                raise _OtherError
            if (prefix == "rdf") != (address == _RDF) and prefix:
                raise _OtherError
            if address and not _PLAIN_NAMESPACE.fullmatch(address):
                raise _OtherError
            if self.namespaces.setdefault(prefix, address) != address or len(self.namespaces) > MAX_PREFIXES:
                raise _OtherError
            here.add(prefix)
        return here

    def _name(self, name: str) -> tuple[str, str]:
        prefix, _, exact = name.rpartition(":")
        tag = f"{self.namespaces.get(prefix, '')}}}{exact}"
        self.names[name] = _item.local(tag), exact
        if self.names[name][0] in _item.ORDERED and _item.is_strange(tag, self.namespaces.get("", "")):
            raise _OtherError
        return self.names[name]

    # --- addresses

    def _count_from(self, address: str) -> None:
        address = address.strip()
        if not self.base and _item.is_web(address):
            self.base = address

    def _counted_from(self, opened: dict[str, str]) -> str:
        base = self.base
        if not base:
            raise _OtherError
        for holder in (self.root, opened):
            if own := holder.get("xml:base"):
                base = _item.join(base, own)
        return base


_WHITE = " \t\n\r"


def _check_end(piece: str, end: str) -> None:
    """Does it begin with this end of an element?"""
    if not piece.startswith(end):
        tag, closed, _ = piece.partition(">")
        if not closed or tag.rstrip(_WHITE) != end[:-1]:
            raise _OtherError
