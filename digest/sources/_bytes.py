"""Bytes of a page → text, whatever they say of themselves; and the guards that keep a hostile page from costing minutes."""

from __future__ import annotations

import codecs
import re
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

from digest.errors import ParseError
from digest.model import Listing
from digest.patterns import late

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

MAX_DEPTH = 1_000
MAX_FOUND_DEPTH = 250  # of what is read; it takes the text of each with all that stands in it
MAX_UNWATCHED_STEPS = 400_000_000
MAX_ATTRIBUTES = 100
MAX_TAGS = 500_000  # 5,000 papers with 100 each; 1.5 s to parse
MAX_SOUP_TAGS, MAX_SOUP_CHARS = 30_000, 3_000_000  # BeautifulSoup takes 40 µs and 1 KB for each tag
# A page of 15 MB can hold five million attributes, each 264 bytes in memory, or two million objects of JSON with 232.
MAX_ALL_ATTRIBUTES = 600_000
MAX_UNCOUNTED_BYTES = 1_500_000
MAX_JSON_VALUES = 600_000
MAX_REOPENED = 600_000
MAX_ATTRIBUTES_READ = 100_000_000

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = late(
    rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]+)|<meta[^>]{0,200}?charset\s*=\s*[\"']?([A-Za-z0-9._:-]+)",
    re.I,
)
_CHARSET = late(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]+)", re.I)
# Python's own inventions: no page is written in them, some cost quadratic time, some raise what no other codec raises.
_NO_PAGES = frozenset(["idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "charmap"])
# By Python's names.
_AS_BROWSERS = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932", "big5": "big5hkscs",
}  # fmt: skip
_ONE_BYTE = frozenset(
    [f"cp{number}" for number in (866, 874, *range(1250, 1259))]
    + [f"iso8859-{number}" for number in range(2, 17)]
    + ["koi8-r", "koi8-u", "mac-roman", "mac-cyrillic"]
)


def refused(
    listing: Listing, what: str, mend: str = "", *, kind: type[ParseError] = ParseError
) -> ParseError:
    """The error that says what is wrong with a page, and what to do."""
    what = what.removesuffix(".")  # where a service's own words end with one
    return kind(f"{listing.location}: {what}.{f' {mend}' if mend else ''}", url=listing.location)


def soup_of(text: str) -> BeautifulSoup:
    """The tree of BeautifulSoup, without its warnings of what looks like an address or like XML: that is told by what is found."""
    from bs4 import BeautifulSoup

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return BeautifulSoup(text, "lxml")


def unicode_text(listing: Listing) -> str:
    """The page as text, without its byte order mark: by mark, by declaration, as UTF-8, and else as what is likeliest.

    UTF-8 that is declared as a one-byte code is UTF-8, and so is what has fewer bad bytes than other signs in it: U+FFFD stands
    for each of them.
    """
    body = listing.body
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    if wide := _utf16_without_mark(body):
        return body.decode(wide, "replace")
    if body.isascii():
        return body.decode("ascii")
    declared = codec(declared_in(listing))
    for name in ("utf-8", declared) if declared in _ONE_BYTE else (declared, "utf-8"):
        if text := _decoded(body, name):
            return text
    text = body.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    signs = len(text) - len(text.encode("ascii", "ignore"))
    if signs >= 2 * bad:
        return text
    from digest.sources import _guess

    return body.decode(_guess.likeliest(body), "replace")


def is_utf8(body: bytes) -> bool:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def is_utf16(body: bytes) -> bool:
    return body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or bool(_utf16_without_mark(body))


def _utf16_without_mark(body: bytes) -> str:
    """UTF-16 tells itself by the zero bytes beside ASCII: `<\\0?\\0`."""
    head = body[:200]
    if len(head) < 4 or b"\0" not in head:
        return ""
    even, odd = head[::2].count(0), head[1::2].count(0)
    least = len(head) // 4
    return "utf-16-be" if even > least and odd == 0 else "utf-16-le" if odd > least and even == 0 else ""


def declared_in(listing: Listing) -> str:
    """The name of the encoding that the page, or else its answer, says; "" for none."""
    head = listing.body[:4096].partition(b"<![CDATA[")[0]  # a page within a feed says nothing of the feed
    if found := _DECLARED.search(head):
        return (found[1] or found[2]).decode("ascii")
    found_in_header = _CHARSET.search(listing.content_type)
    return found_in_header[1] if found_in_header else ""


def codec(name: str) -> str:
    """Python's name of an encoding, as browsers take it (https://encoding.spec.whatwg.org/#names-and-labels): what is declared as
    Latin-1 is mostly windows-1252. "" for what no page is written in, and for what a page of one-byte text cannot be."""
    try:
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        return ""
    if known.replace("_", "-") in _NO_PAGES or known.startswith(("utf-16", "utf-32", "utf-7")):
        return ""
    return _AS_BROWSERS.get(known, known)


def _decoded(body: bytes, name: str) -> str:
    """Empty where it is in another encoding."""
    try:
        return body.decode(name) if name else ""
    except (LookupError, UnicodeError):
        return ""


# --- guards

# Measured with selectolax 1.0.2: 20,000 open tags 1 s, 28,000 2 s, 100,000 60 s; 10,000 attributes 0.3 s, 20,000 1.3 s,
# 300,000 over 10 minutes; 10 MB of tags with 990 attributes each 5.5 s, with 100 each 1.1 s.
QUOTED_MARK = late(rb"=\s*+(?:\"[^\"<>]*+[<>]|'[^'<>]*+[<>])")
_NO_SIGNS = bytes(set(range(256)) - set(b"=\"'<>"))
# Atomic groups: nothing may be read a second way, or a hostile page costs exponential time right here. What stands in the name of a
# tag that is never closed begins none of its own; what stands in its attributes may, so these are read again for each.
_ONE_ATTRIBUTE = rb"(?>[\s/]*+=?[^\s>=/]++(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s\"'>]*+))?)"
_ATTRIBUTES = rb"[^\s/>]*+(?=(?P<attributes>%b{0,%d}(?P<last>%b)?))" % (
    _ONE_ATTRIBUTE,
    MAX_ATTRIBUTES - 1,
    _ONE_ATTRIBUTE,
)
_TAG = late(rb"<[a-zA-Z]" + _ATTRIBUTES)
_LONG_TAG = late(rb"<[a-zA-Z](?=[^>]{%d})" % (2 * MAX_ATTRIBUTES) + _ATTRIBUTES)
_TOKEN = late(
    rb"<!--(?:-?>|.*?(?:--!?>|\Z))|<[!?][^>]*>|</[^a-zA-Z][^>]*>"  # comments, also those that only look like one
    rb"|<(/?)([a-zA-Z][^\s/>]*+)(?>(?>[\s/]+(?!>)|=?[^\s/>=]+(?:\s*=\s*(?>\"[^\"]*\"|'[^']*'|[^\s>]*))?)*)\s*(/?)>",
    re.S,
)
_PLAIN_TOKEN = late(
    rb"<(?:!--(?:-?>|.*?(?:--!?>|\Z))|[!?][^>]*>|/[^a-zA-Z][^>]*>|(/?[a-zA-Z][^\s/>]*+))", re.S
)
# Without what stands in a line, and so cannot end a block: a link with pictures in it is read again and again otherwise.
_STYLE_OR_BLOCK = late(
    rb"<(?:(/?)(a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?![^\s/>])[^>]*+"
    rb"|(?!/|!|span|img|svg|path|br|time|script|input|button|label|sup|sub)[a-zA-Z])",
    re.I,
)
# The letters first, and no re.I for the whole: then the search leaps from `<` to `<`.
_STYLE = rb"(?=[bcefinstuBCEFINSTU])(?i:b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?![^\s/>])"
_STYLED = late(rb"<" + _STYLE + rb"[^>]*+")
_LINK = late(rb"<[aA](?![^\s/>])[^>]*+")
# A link that is not plainly one with at most eight attributes: a fifth of the time that counting them takes.
_LIGHT = 1 + 8
_HEAVY = (
    rb"[aA](?![^\s/>])(?!(?>(?:\s++[a-zA-Z-]++(?>(?:\s*+=\s*+(?:\"[^\"<>]*+\"|'[^'<>]*+'))?)){0,8})\s*+>)"
)
_HEAVY_LINK = late(rb"<" + _HEAVY)
_STYLED_OR_HEAVY = late(rb"<(?:" + _HEAVY + rb"|" + _STYLE + rb")")
_QUOTED = late(rb"\"[^\"\0]*\"|'[^'\0]*'")
_ATTRIBUTE = late(rb"[\s/]+[^\s/=>]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]*))?")
_PLAIN_TAG = late(rb"<[a-zA-Z][^>]*")
_FLAT = frozenset(
    b"area base br col embed hr img input link meta param source track wbr p li dt dd option tr td th".split()
)


def tags_in(body: bytes) -> int:
    """How many `<` a page has, counted up to one more than MAX_TAGS.

    bytes.count looks at each byte for itself, and takes up to four times as long.
    """
    return len(body) - len(body.replace(b"<", b"", MAX_TAGS + 1))


def guard_html(body: bytes, location: str) -> None:
    """Raises ParseError for a page whose parse would cost minutes: too many tags, nested too deep, attributes without end.

    HTML parsers take quadratic time for the last two. What cannot take more than two seconds by its mere number of tags is not
    looked at tag by tag.
    """
    tags = tags_in(body)
    if tags > MAX_TAGS:
        _refuse(location, f"more than {MAX_TAGS} tags in one page")
    # Where no quoted value holds `<` or `>`, every tag ends at its first `>`: all that follows is then cheap to see.
    plain = not _has_quoted_mark(body)
    if _may_be_deep(body, tags, plain) and _is_deep(body):
        _refuse(location, f"tags nested deeper than {MAX_DEPTH} levels")
    read = 0
    for tag in (_LONG_TAG if plain else _TAG).finditer(body):
        read += len(tag["attributes"])
        if tag["last"]:
            _refuse(location, f"a tag with more than {MAX_ATTRIBUTES} attributes")
        if read > MAX_ATTRIBUTES_READ:
            _refuse(location, "tags without end in one another")
    if len(body) > MAX_UNCOUNTED_BYTES and _attributes(body, plain) > MAX_ALL_ATTRIBUTES:
        _refuse(location, f"more than {MAX_ALL_ATTRIBUTES} attributes in one page")
    if _may_reopen(body, tags) and _reopened(body) > MAX_REOPENED:
        _refuse(location, "bold, slanted or other styles that are opened and never closed")


def guard_nesting(found: Sequence[Any], location: str) -> None:
    """Raises ParseError where elements that were found on a page stand in one another, since nothing closes them: the text of each
    would be all that follows. Looked at are some ten of them, which are in page order."""
    for element in (*found[:: len(found) // 10 + 1], *found[-1:]):
        depth = 0
        while (element := element.parent) is not None:
            depth += 1
            if depth > MAX_FOUND_DEPTH:
                _refuse(
                    location, f"what is listed stands deeper than {MAX_FOUND_DEPTH} levels in one another"
                )


def _may_reopen(body: bytes, tags: int) -> bool:
    """False only where styles and links that are left open can do no harm. Of links only one is open at a time."""
    if tags * _LIGHT <= MAX_REOPENED and not _STYLED_OR_HEAVY.search(body):
        return False
    styled = sum(map(len, _STYLED.findall(body))) // 2
    if tags * (styled + _LIGHT) <= MAX_REOPENED and not _HEAVY_LINK.search(body):
        return False
    return tags * (styled + _heaviest_link(body)) > MAX_REOPENED


def _heaviest_link(body: bytes) -> int:
    """How many attributes a link of the page has at most, and the link itself; never counted too low."""
    if b"\0" in body:
        return MAX_ATTRIBUTES
    links = b"\0".join(_LINK.findall(body))
    bare = _QUOTED.sub(b" ", links).replace(b"/", b" ")
    return max(len(link.split()) for link in bare.split(b"\0"))


def _reopened(body: bytes) -> int:
    """How much a browser's parser may add: a style that is open where a block begins is opened again in it, attributes and all.

    https://html.spec.whatwg.org/multipage/parsing.html#reconstruct-the-active-formatting-elements; of the same tag at most three.
    """
    opened: dict[bytes, list[bytes]] = {}
    count = added = 0
    for found in _STYLE_OR_BLOCK.finditer(body):
        end, name = found.groups()
        if not name:
            if count:
                added += sum(_weight(tag) for same in opened.values() for tag in same)
                if added > MAX_REOPENED:
                    break
            continue
        name = name.lower()
        same = opened.setdefault(name, [])
        if same and (end or name == b"a"):
            same.pop()
            count -= 1
        if not end and same.count(found[0]) < 3:
            same.append(found[0])
            count += 1
    return added


@lru_cache(maxsize=1024)
def _weight(tag: bytes) -> int:
    """An element and its attributes; all that it may have where a quoted `>` hides some."""
    return MAX_ATTRIBUTES if tag.count(b'"') % 2 else 1 + len(_ATTRIBUTE.findall(tag))


def _attributes(body: bytes, plain: bool) -> int:
    """How many there can be at most: each stands behind white space, a slash or a quoted value."""
    tags = (
        (found[0] for found in _TOKEN.finditer(body, 0, _last_end(body)))
        if not plain
        else _PLAIN_TAG.findall(body)
    )
    inside = b"".join(tags)
    return (
        len(inside)
        - len(inside.translate(None, b" \t\n\f\r/"))
        + (inside.count(b'"') + inside.count(b"'")) // 2
    )


def has_end(body: bytes) -> bool:
    """Has a page of HTML its end? HTML lets that be left out, as minifiers do, but not the end of the page's foot."""
    if b"<html" not in body[:2000].lower():
        return True
    tail = body[-20_000:].lower()
    return b"</html" in tail[-2000:] or b"</footer>" in tail or is_saved_whole(body)


def is_saved_whole(body: bytes) -> bool:
    """Did SingleFile save this page? It leaves out what HTML lets it leave out, the end of the page too, and writes a page whole or
    not at all."""
    return b"saved with singlefile" in body[:4000].lower() and body.rstrip().endswith(b">")


def guard_json(listing: Listing) -> None:
    """Raises ParseError for JSON with more objects and lists than any answer has."""
    body = listing.body
    if (
        body.lstrip(b"\xef\xbb\xbf\xfe\xff\0 \t\r\n")[:1] in (b"{", b"[")
        and body.count(b"{") + body.count(b"[") > MAX_JSON_VALUES
    ):
        _refuse(listing.location, f"JSON with more than {MAX_JSON_VALUES} objects and lists")


def _has_quoted_mark(body: bytes) -> bool:
    """QUOTED_MARK, asked first of the signs alone, without values that hold none: of a page without one that takes a third of the
    time. What it looks for does not begin with `=""`, so none is lost."""
    signs = body.translate(None, _NO_SIGNS).replace(b'=""', b'""')
    return bool(QUOTED_MARK.search(signs) and QUOTED_MARK.search(body))


def _refuse(location: str, what: str) -> NoReturn:
    raise ParseError(
        f"{location}: {what}; no listing is like that. Open it in a browser: is this the right page?",
        url=location,
    )


def _last_end(body: bytes) -> int:
    """Where the last tag ends: one that no `>` follows is none, and each `<` of such would be followed to the end of the page."""
    return body.rfind(b">") + 1


def _may_be_deep(body: bytes, tags: int, plain: bool) -> bool:
    """False only where depth can do no harm. A parser takes at most as many steps for a tag as elements are open before it."""
    if tags * tags // 2 <= MAX_UNWATCHED_STEPS:
        return False
    opened = tags - body.count(b"</")
    if opened * (tags - opened // 2) <= MAX_UNWATCHED_STEPS:
        return False
    if not plain:
        return True
    stack = [b"<"]  # what closes each, below it what nothing closes
    for name in _PLAIN_TOKEN.findall(body, 0, _last_end(body)):
        if name == stack[-1]:  # a tag closes only what was opened last, so that nothing is counted too low
            stack.pop()
        elif name and name[0] != 47 and name not in _FLAT:  # "/"
            stack.append(b"/" + name)
            if len(stack) > MAX_DEPTH:
                return True  # or a page of self-closed images, say: _is_deep knows
    return False


def _is_deep(body: bytes) -> bool:
    """Is anything nested deeper than MAX_DEPTH? Never counted too low: a closing tag counts only if it fits the last open one."""
    stack: list[bytes] = []
    for found in _TOKEN.finditer(body, 0, _last_end(body)):
        end, name, itself = found.groups()
        if name is None:
            continue
        name = name.lower()
        inside_svg = bool(stack) and stack[-1] == b"svg"
        if name in _FLAT:
            if inside_svg:
                stack[-1] = b""  # HTML breaks out of an image: from here on `<path/>` opens an element
            continue
        if itself and not end and inside_svg:
            continue
        if not end:
            stack.append(name)
            if len(stack) > MAX_DEPTH:
                return True
        elif stack and stack[-1] == name:
            stack.pop()
    return False
