"""Bytes of a page → text, whatever they say of themselves; and the guards that keep a hostile page from costing minutes."""

from __future__ import annotations

import codecs
import re

from digest.errors import ParseError
from digest.model import Listing

MAX_DEPTH = 256
MAX_ATTRIBUTES = 1_000
MAX_TAGS = 500_000  # 5,000 papers with 100 each; 1.5 s to parse

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(
    rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]+)|<meta[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9._:-]+)",
    re.I,
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]+)", re.I)
_LETTERS = re.compile(rb"[A-Za-z]")
_HIGH = re.compile(rb"[\xc0-\xff]")


def unicode_text(listing: Listing) -> str:
    """The page as text, without its byte order mark: by mark, by declaration, as UTF-8, and else as the likeliest one-byte code."""
    body = listing.body
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    if wide := _utf16_without_mark(body):
        return body.decode(wide, "replace")
    for name in (_declared(listing), "utf-8"):
        if text := _decoded(body, name):
            return text
    return body.decode(_one_byte_code(body), "replace")


def is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _utf16_without_mark(body: bytes) -> str:
    """UTF-16 tells itself by the zero bytes beside ASCII: `<\\0?\\0`."""
    head = body[:200]
    if len(head) < 4 or b"\0" not in head:
        return ""
    even, odd = head[::2].count(0), head[1::2].count(0)
    least = len(head) // 4
    return "utf-16-be" if even > least and odd == 0 else "utf-16-le" if odd > least and even == 0 else ""


def _declared(listing: Listing) -> str:
    if found := _DECLARED.search(listing.body[:4096]):
        return (found[1] or found[2]).decode("ascii")
    found_in_header = _CHARSET.search(listing.content_type)
    return found_in_header[1] if found_in_header else ""


def _decoded(body: bytes, name: str) -> str:
    """Empty where the declaration is unknown or wrong."""
    if not name or name.lower().replace("_", "-").startswith(("utf-16", "utf16", "utf-32", "utf-7")):
        return ""  # a one-byte text cannot be what it says here
    try:
        if codecs.lookup(name).name == "iso8859-1":
            name = "windows-1252"  # WHATWG: what says latin-1 is windows-1252
        return body.decode(name)
    except (LookupError, UnicodeDecodeError):
        return ""


def _one_byte_code(body: bytes) -> str:
    """A guess by the share of high letters: Latin text has few, Hebrew only 0xE0–0xFA, Cyrillic the rest."""
    words = re.sub(rb"<[^<>]*>", b" ", body[:200_000])
    high = _HIGH.findall(words)
    if len(high) <= len(_LETTERS.findall(words)) * 0.5:
        return "cp1252"
    hebrew = sum(1 for c in high if 0xE0 <= c[0] <= 0xFA)
    return "cp1255" if hebrew >= 0.97 * len(high) else "cp1251"


# --- guards

# Measured with selectolax 1.0.2: 5,000 open tags 0.05 s, 100,000 60 s; 10,000 attributes 0.3 s, 300,000 over 10 minutes.
_MANY_ATTRIBUTES = re.compile(
    rb"<[a-zA-Z](?:[^>\"']{300}|(?:[^>\"']*\"[^\"]*\"){60}|(?:[^>\"']*'[^']*'){60})"
)
# Atomic groups: nothing may be read a second way, or a hostile page costs exponential time right here.
_TOO_MANY_ATTRIBUTES = re.compile(
    rb"<[a-zA-Z][^\s/>]*+(?>[\s/]*=?[^\s>=/]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'>]*))?){%d}"
    % MAX_ATTRIBUTES
)
_TAG = re.compile(rb"<(/?)([a-zA-Z][a-zA-Z0-9]*)(?>[^<>\"'/]+|/(?!>)|\"[^\"]*\"|'[^']*')*+(/?)>")
_FLAT = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dt dd option tr td th".split()
)
_CHUNK = 16_384


def guard_html(body: bytes, location: str) -> None:
    """Raises ParseError for a page nested deeper than 256 levels or with more than 1,000 attributes in one tag.

    Both cost HTML parsers quadratic time. A rough count settles nearly every page in a tenth of the parse's time.
    """
    if body.count(b"<") > MAX_TAGS:
        raise ParseError(
            f"{location}: more than {MAX_TAGS} tags in one page. Is this the right page?", url=location
        )
    if _drift(body) > 4 * MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise ParseError(
            f"{location}: the page nests tags deeper than {MAX_DEPTH} levels, as no listing does. Save it again from a browser.",
            url=location,
        )
    if _MANY_ATTRIBUTES.search(body) and _TOO_MANY_ATTRIBUTES.search(body):
        raise ParseError(
            f"{location}: a tag of the page has more than {MAX_ATTRIBUTES} attributes, as in no listing. Is this the right page?",
            url=location,
        )


def _drift(body: bytes) -> int:
    """An upper bound of the depth, up to what one chunk can add: opening minus closing tags, highest value on the way."""
    highest = open_tags = 0
    for start in range(0, len(body), _CHUNK):
        end = start + _CHUNK
        open_tags += (
            body.count(b"<", start, end) - 2 * body.count(b"</", start, end) - body.count(b"/>", start, end)
        )
        highest = max(highest, open_tags)
    return highest


def _depth(body: bytes) -> int:
    deepest = depth = 0
    for found in _TAG.finditer(body):
        if found[3] or found[2].lower() in _FLAT:
            continue
        depth = max(depth - 1, 0) if found[1] else depth + 1
        deepest = max(deepest, depth)
    return deepest
