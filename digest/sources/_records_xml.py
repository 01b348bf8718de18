"""XML of index services → element tree, whatever their DTD declares: entities become characters, nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

from digest.model import Listing
from digest.patterns import late
from digest.sources import _xml
from digest.sources._bytes import codec, declared_in, refused, unicode_text
from digest.sources._paper import MAX_MARKUP, plural

_PART = 1 << 16
_STOP = late(r"(?<![.\s])\.$")


def parse(listing: Listing, notes: list[str], root: str, record: str) -> Any:
    """The root element. `root` and `record` are patterns of the names that the whole and its records have.

    The DOCTYPE is dropped unread; HTML's entities, which the DTDs of DBLP and PubMed declare, become their characters. A
    document that breaks off is read up to the end of its last whole record, with a note. Raises ParseError.
    """
    text = _xml._trimmed(unicode_text(listing))
    tree, error = _xml._strict(text.encode("utf-8", "replace"), listing)
    if tree is not None:
        return tree
    if len(text) > 4 * _xml.MAX_MENDED_CHARS or text.count("&") > _xml.MAX_REFERENCES:
        raise refused(listing, f"a large document that is not well-formed XML ({error})", "Fetch it again.")
    cut, whole = _cut(text, root, record)
    text = _xml._REFERENCE.sub(_xml._reference, _xml._NOT_XML.sub("", cut))
    tree, fault = _xml._strict(text.encode("utf-8", "replace"), listing)
    if tree is None:
        raise refused(listing, f"broken XML ({fault or error})", "Fetch it again.")
    if whole is not None:
        notes.append(_breaks_off(whole))
    return tree


def _breaks_off(whole: int) -> str:
    return f"truncated: the XML breaks off; {plural(whole, 'whole record was', 'whole records were')} read"


def is_large(listing: Listing) -> bool:
    """Is it beyond the measure of a tree, but can be read record by record? Services write such answers in UTF-8, and declare no
    entities of their own."""
    body = listing.body
    return (
        _xml.is_beyond_measure(body)
        and b"<!ENTITY" not in body
        and codec(declared_in(listing)) in ("", "utf-8")
    )


def each_record(
    listing: Listing, notes: list[str], roots: Collection[str], names: Collection[str]
) -> Iterator[Any]:
    """The records, children of a root of one of these names, of a document too large for a tree. Each can be looked at until the
    next is asked for. One that breaks off has a note; raises ParseError for what else is not well-formed, and where what is no
    record, or one alone, is beyond measure."""
    from lxml import etree

    parser: Any = etree.XMLPullParser(("start", "end"), tag=[*roots, *names], recover=False, **_xml._SAFELY)
    root: Any = None
    whole = tags = attributes = 0
    try:
        for part in _parts(listing.body):
            tags, attributes = tags + part.count(b"<"), attributes + part.count(b"=")
            parser.feed(part)
            for event, element in parser.read_events():
                if root is None and element.getparent() is None and element.tag in roots:
                    root = element
                if event == "end" and element.getparent() is root is not None:
                    yield element
                    whole += 1
                    _forget(element, root)
                    # Of what came in this part the rest may be of the next record.
                    tags, attributes = part.count(b"<"), part.count(b"=")
            if tags > _xml.MAX_TAGS or attributes > _xml.MAX_ATTRIBUTES:
                _xml.refuse_size(listing)
    except etree.XMLSyntaxError as error:
        raise refused(
            listing, f"a large document that is not well-formed XML ({error})", "Fetch it again."
        ) from None
    try:
        parser.close()
    except etree.XMLSyntaxError:
        notes.append(_breaks_off(whole))


def _parts(body: bytes) -> Iterator[bytes]:
    """The document without its DOCTYPE, in pieces. Latin-1 has a character for each byte, so that none is lost."""
    yield _xml._trimmed(body[:_PART].decode("latin-1")).encode("latin-1")
    for start in range(_PART, len(body), _PART):
        yield body[start : start + _PART]


def _forget(record: Any, root: Any) -> None:
    """A record that was read, and all that stood before it: the parser still needs its place."""
    record.clear()
    while record.getprevious() is not None:
        del root[0]


def _cut(text: str, root: str, record: str) -> tuple[str, int | None]:
    """The text, closed after its last whole record where the end of the root is missing, and then the number of those."""
    opened = re.search(rf"<({root})\b[^<>]*>", text)
    if not opened or re.search(rf"</{opened[1]}\s*>", text[-2000:]):
        return text, None
    ends = [found.end() for found in re.finditer(rf"</(?:{record})\s*>", text)]
    if not ends:
        return text, None
    inner = [name for name in ("hits",) if f"<{name}" in text]
    closing = "".join(f"</{name}>" for name in (*inner, opened[1]))
    return text[: ends[-1]] + closing, len(ends)


def markup(element: Any) -> str:
    """The text of an element with the markup in it (the cleaning knows where words end); "" for no element."""
    if element is None:
        return ""
    if not len(element):
        return element.text or ""
    from html import escape

    from lxml import etree

    inside = "".join(etree.tostring(child, encoding="unicode") for child in islice(element, MAX_MARKUP))
    return escape(element.text or "", quote=False) + inside


def plain(element: Any) -> str:
    """The text of an element without markup, in one line; "" for no element."""
    return "" if element is None else " ".join("".join(element.itertext()).split())


def without_stop(title: str) -> str:
    """A title without the full stop that these services end every title with; an ellipsis stays."""
    return _STOP.sub("", title.rstrip())
