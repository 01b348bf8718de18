"""Feed bytes → element tree: strictly first, then with the usual faults mended; never entities, never the network."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any, NoReturn, cast

from digest.model import Listing
from digest.patterns import late
from digest.sources._bytes import codec, declared_in, refused, unicode_text

MAX_PREFIXES = 50
# 120 bytes in memory for an element, twice that for an attribute. An answer of PubMed has the most: 250,000 for 1,000 articles.
MAX_TAGS = 1_000_000
MAX_ATTRIBUTES = 600_000
MAX_MENDED_CHARS = 5_000_000
MAX_REFERENCES = 200_000
_SAFELY: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
_FATAL = ("depth", "huge", "amplification", "too long", "too large", "Buffer size")
_DOCTYPE = late(r"<!DOCTYPE[^<>\[]*(?:\[.*?\]\s*)?>", re.S | re.I)
# So many at most: each is remembered until all are found, which for a million took 230 MiB.
_BEFORE_DOCTYPE = late(r"(?>(?:\s++|<\?.*?\?>|<!--.*?-->){0,1000})", re.S)
_DECLARATION = late(r"<\?xml[^>]*\?>")
_ROOT = late(r"<((?:[A-Za-z_][\w.-]*:)?(?:rss|feed|rdf|channel))\b([^<>]*)>", re.I)
_ITEM_END = late(r"</((?:[A-Za-z_][\w.-]*:)?(?:item|entry))\s*>", re.I)
# XML 1.0, 2.2, by what it leaves out: a class of all that it allows takes 12 ms to compile.
_NOT_XML = late("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCE = late(r"&(?:#(\d{1,8})|#[xX]([0-9a-fA-F]{1,7})|([A-Za-z][A-Za-z0-9]{0,31}));|&")
_PREFIX = late(r"</?([A-Za-z_][\w.-]*):|\s([A-Za-z_][\w.-]*):[\w.-]+\s*=")
_KEPT_NAMES = frozenset(["amp", "lt", "gt", "quot", "apos"])
_NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "prism": "http://prismstandard.org/namespaces/basic/2.0/",
    "arxiv": "http://arxiv.org/schemas/atom",
    "atom": "http://www.w3.org/2005/Atom",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}


def parse(listing: Listing, notes: list[str]) -> tuple[Any | None, str]:
    """The root element, and the text it was read from where the bytes alone would not do.

    The root is None where the mended text too is refused: then the tolerant reader may try. Notes say what was done. Raises
    ParseError for a document nested deeper than 256 levels (libxml2's own limit) and for one cut before its first whole item.
    """
    body = listing.body
    if is_bare(body):
        root, error = _strict(_in_utf8(listing), listing)
        if root is not None:
            return root, ""
    else:
        error = ""
    whole = unicode_text(listing)
    text = _trimmed(whole)
    if whole[: _start(whole)].strip("\ufeff\0 \t\r\n\v\f"):
        notes.append("what stands before the document was left out")
    root, second = _strict(text.encode("utf-8", "replace"), listing)
    if root is not None:
        if "encoding" in error.lower() or "not proper UTF-8" in error:
            notes.append("the page is not in the encoding it declares; the likeliest one was used")
        return root, text
    if len(text) > MAX_MENDED_CHARS or text.count("&") > MAX_REFERENCES:
        raise refused(listing, f"a large document that is not well-formed XML ({second})", "Fetch it again.")
    text = _whole_items(text, listing, notes)
    mended = _declared_prefixes(_REFERENCE.sub(_reference, _NOT_XML.sub("", text)))
    root, _ = _strict(mended.encode("utf-8", "replace"), listing)
    if root is not None and not any(note.startswith("truncated") for note in notes):
        notes.append(f"not well-formed XML, mended: {second or error}")
    return root, mended


def items_of(listing: Listing) -> Iterator[tuple[str, Any]]:
    """The items of a feed, as ("start", element) and ("end", element), while the document is read; none where it should not be
    read without a look at the whole of it. Raises `faults` for what is not well-formed."""
    from lxml import etree

    if not is_bare(listing.body) or is_beyond_measure(listing.body):
        return iter(())
    body = _in_utf8(listing)
    context = etree.iterparse(
        BytesIO(body), events=("start", "end"), tag=("{*}item", "{*}entry"), recover=False, **_SAFELY
    )
    return cast("Iterator[tuple[str, Any]]", context)


def faults() -> type[Exception]:
    from lxml import etree

    return etree.XMLSyntaxError


def is_bare(body: bytes) -> bool:
    return b"<!DOCTYPE" not in body[:4096] and b"<!ENTITY" not in body


def _in_utf8(listing: Listing) -> bytes:
    """The document in UTF-8, where it says another encoding too: lxml takes that at its word (see _bytes.codec)."""
    if codec(declared_in(listing)) in ("", "utf-8"):
        return listing.body.lstrip()
    return _trimmed(unicode_text(listing)).encode("utf-8", "replace")


def is_beyond_measure(body: bytes) -> bool:
    return body.count(b"<") > MAX_TAGS or body.count(b"=") > MAX_ATTRIBUTES


def refuse_size(listing: Listing) -> NoReturn:
    raise refused(
        listing,
        f"XML beyond all measure (more than {MAX_TAGS} tags or {MAX_ATTRIBUTES} attributes); no feed is like that",
    )


def _strict(body: bytes, listing: Listing) -> tuple[Any | None, str]:
    from lxml import etree

    if is_beyond_measure(body):
        refuse_size(listing)
    parser = etree.XMLParser(recover=False, **_SAFELY)
    try:
        return etree.fromstring(body, parser), ""
    except etree.XMLSyntaxError as error:
        message = str(error)
        if any(word in message for word in _FATAL):
            raise refused(listing, f"XML beyond all measure ({message}); no feed is like that") from None
        return None, message
    except ValueError as error:
        return None, str(error)


def _start(text: str) -> int:
    """Where the document begins, behind whatever noise: messages of PHP, blank lines."""
    start = text.find("<?xml", 0, 4096)
    return start if start >= 0 else max(text.find("<"), 0)


def _trimmed(text: str) -> str:
    """Without noise before the document, its declaration (it is decoded already) and its DOCTYPE (no entity is expanded)."""
    text = text[_start(text) :]
    text = _DECLARATION.sub("", text, count=1)
    before = _BEFORE_DOCTYPE.match(text)
    at = before.end() if before else 0
    doctype = _DOCTYPE.match(text, at)  # one that stands elsewhere belongs to a text
    return (text[:at] + text[doctype.end() :] if doctype else text).lstrip()


def _whole_items(text: str, listing: Listing, notes: list[str]) -> str:
    """A document without its closing tag was cut: what follows the last whole item is dropped, and what is open is closed."""
    root = _ROOT.search(text)
    if not root or re.search(rf"</{re.escape(root[1])}\s*>", text[-2000:]):
        return text
    ends = list(_ITEM_END.finditer(text))
    if not ends:
        raise refused(listing, "the feed breaks off before its first whole item", "Fetch it again.")
    notes.append(
        f"truncated: the feed breaks off; {len(ends)} whole {'item was' if len(ends) == 1 else 'items were'} read"
    )
    channel = re.search(r"<((?:[\w.-]+:)?channel)\b", text[root.end() :], re.I)
    inside = channel and f"</{channel[1]}" not in text[: ends[-1].end()]
    return text[: ends[-1].end()] + (f"</{channel[1]}>" if channel and inside else "") + f"</{root[1]}>"


def _reference(found: re.Match[str]) -> str:
    """References that XML knows stay; HTML's names become characters; forbidden numbers go; a bare & is escaped."""
    decimal, hexadecimal, name = found.groups()
    if decimal or hexadecimal:
        code = int(decimal) if decimal else int(hexadecimal, 16)
        return found[0] if code < 0x110000 and not _NOT_XML.match(chr(code)) else ""
    if name in _KEPT_NAMES:
        return found[0]
    shown = html.unescape(found[0]) if name else ""
    return shown if name and shown != found[0] else f"&amp;{found[0][1:]}"


def _declared_prefixes(text: str) -> str:
    root = _ROOT.search(text)
    if not root:
        return text
    used = {first or second for first, second in _PREFIX.findall(text)} - {"xml", "xmlns"}
    if len(used) > MAX_PREFIXES:
        return text
    missing = sorted(prefix for prefix in used if f"xmlns:{prefix}" not in text)
    added = "".join(
        f' xmlns:{prefix}="{_NAMESPACES.get(prefix, "urn:undeclared:" + prefix)}"' for prefix in missing
    )
    return text[: root.end(1)] + added + text[root.end(1) :] if added else text
