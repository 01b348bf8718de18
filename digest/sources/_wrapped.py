"""What browsers put round a listing: they save a page with its pictures as MHTML (RFC 2557), a mail whose first part of HTML is
the page; text and JSON they show, and save, as a page of one `<pre>`, and XML in a box of their viewer. What services that fetch
pages put round them: JSON. And what people put round a text: the fence of a code block, `>` or blanks before each line; the head
and the foot of each sheet that they printed."""

from __future__ import annotations

import html
import re
from typing import Any

import msgspec
from msgspec import structs

from digest.model import Listing
from digest.patterns import late
from digest.sources._bytes import is_utf16, unicode_text
from digest.sources._mails import in_page
from digest.sources._printed import without_sheets

HEAD_BYTES = 4_000
LISTED_BYTES = 64_000
MAX_PARTS = 1_000

_BOUNDARY = late(
    rb"^content-type:\s*multipart/related;[^\0]{0,1000}?boundary=(?:\"([^\"\r\n]{1,200})\"|([^\s;]{1,200}))",
    re.I | re.M,
)
_HTML = late(rb"^content-type:\s*(text/html[^\r\n]{0,200})", re.I | re.M)
_ENCODING = late(rb"^content-transfer-encoding:\s*([\w-]{1,40})", re.I | re.M)
_ADDRESS = late(rb"^content-location:\s*(https?://[^\s\0]{1,2000})", re.I | re.M)
_HEAD_END = late(rb"\r?\n\r?\n")
_BEFORE = late(
    r"\s*(?:<!doctype[^<>]{0,200}>\s*)?(?:<html[^<>]{0,500}>\s*)?(?:<head[^<>]{0,200}>(?:(?!</head).){0,3000}</head>\s*)?"
    r"(?:<body[^<>]{0,500}>\s*)?<pre[^<>]{0,500}>",
    re.I | re.S,
)
_BEHIND = late(r"</pre>\s*(?:<div[^<>]{0,200}></div>\s*){0,3}(?:</body>\s*)?(?:</html>\s*)?\Z", re.I)
_TAG = late(r"</?[a-zA-Z][^<>]*>")
_VIEWER = '<div id="webkit-xml-viewer-source-xml">'
# Chrome's view of a page's source: a table of lines.
_SOURCE_LINE = late(r"<td class=\"?line-content\"?[^<>]{0,100}>")
_VIEWED = late(r"</div>\s*<div (?:class=\"(?:header|pretty-print)\"|id=\"tree\")")


_FENCED = late(rb"\s*(`{3,}|~{3,})[\w+-]{0,20}[ \t]*\r?\n(.*?)\r?\n?\1\s*", re.S)
_OPENED = late(rb"\s*(`{3,}|~{3,})[\w+-]{0,20}[ \t]*\r?\n")
_UNQUOTED = late(rb"^(?!>)(?=.*[^\s])", re.M)
_QUOTE = late(rb"^> ?", re.M)
_UNINDENTED = late(rb"^(?=\S)", re.M)
MAX_TEXT_BYTES = 20_000_000
# A page that a program wrote as XML: to a browser all behind such a script is script.
_SCRIPT_AS_XML = late(rb"<script\b[^<>]{0,1000}/>")
_EMPTY_AS_XML = late(
    rb"<(a|article|b|button|dd|div|dl|dt|em|form|h[1-6]|i|iframe|label|li|main|nav|noscript|p|script|section|span|strong|style|textarea|title"
    rb"|ul)((?:\s[^<>]*)?)/>"
)


# Firecrawl's `{"data": {"html": "…", "metadata": {"sourceURL": "…"}}}`, proxies' `{"contents": "…", "status": {…}}`.
_PAGES = ("rawHtml", "html", "contents", "content", "body", "markdown")
_IN_JSON = late(rb"\"(?:" + "|".join(_PAGES).encode() + rb")\"\s*:\s*\"")


# What pages that list papers themselves have in their first entry or before: these are not searched for a mail.
_LISTED = (b"list-title", b"arxiv-result", b"Daily Papers")


def unwrapped(listing: Listing) -> Listing:
    """The listing within what is round it, with the address it was saved from where no other is known; any other as it is. What is
    in UTF-16, as Windows' consoles save it, in UTF-8; but for XML, which says itself what it is in."""
    if is_utf16(listing.body) and not (text := unicode_text(listing)).lstrip().startswith("<?xml"):
        listing = structs.replace(listing, body=text.encode("utf-8", "replace"), content_type="")
    head = listing.body[:HEAD_BYTES]
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and _IN_JSON.search(head):
        listing = _of_json(listing)
    if (bare := without_sheets(_bare(listing.body))) is not listing.body:
        listing = structs.replace(listing, body=bare)
    head = listing.body[:HEAD_BYTES]
    if b"<html" in head and _SCRIPT_AS_XML.search(listing.body):
        return structs.replace(listing, body=_EMPTY_AS_XML.sub(rb"<\1\2></\1>", listing.body))
    if text := _text_in(listing, head):
        return structs.replace(listing, body=text.encode("utf-8", "replace"), content_type="")
    return _of_one_file(listing, head)


def _of_json(listing: Listing) -> Listing:
    """The page that such JSON holds, HTML rather than Markdown; what is the record of a paper stands."""
    try:
        data = msgspec.json.decode(listing.body.removeprefix(b"\xef\xbb\xbf"), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return listing
    held = data["data"] if isinstance(data.get("data"), dict) else data
    if "authors" in held or "abstract" in held:
        return listing
    pages = {name: page for name in _PAGES if isinstance(page := held.get(name), str)}
    page = next((page for page in pages.values() if page.lstrip().startswith("<")), pages.get("markdown"))
    if not page:
        return listing
    metadata = held.get("metadata")
    address = held.get("url") or (metadata.get("sourceURL") if isinstance(metadata, dict) else "")
    if not isinstance(address, str) or not address.startswith(("http://", "https://")):
        address = ""
    return structs.replace(
        listing,
        body=page.encode("utf-8", "replace"),
        content_type="",
        base_url=listing.base_url or address,
    )


def _text_in(listing: Listing, head: bytes) -> str:
    """The text that a page shows, of a viewer or of a mail; "" for any other page."""
    viewed = b"<pre" in head or _VIEWER.encode() in head or b"line-content" in head
    if viewed and (text := _shown(unicode_text(listing))):
        return text
    if head.lstrip()[:1] != b"<" or any(mark in listing.body[:LISTED_BYTES] for mark in _LISTED):
        return ""
    return in_page(unicode_text(listing)) if b"\\\\" in listing.body else ""


def _bare(body: bytes) -> bytes:
    """A text without the end that DOS gave it (Ctrl-Z), the fence of a code block, what stands before each of its lines, and the
    line ends that were made of line ends."""
    if b"\r\r\n" in body[:HEAD_BYTES]:
        body = body.replace(b"\r\r\n", b"\r\n")
    if body.endswith(b"\x1a"):
        body = body.rstrip(b"\x1a")
    start = body[:HEAD_BYTES].lstrip(b"\xef\xbb\xbf\r\n")[:1]
    if start not in (b"`", b"~", b">", b" ", b"\t") or len(body) > MAX_TEXT_BYTES:
        return body
    if fenced := _FENCED.fullmatch(body):
        return fenced[2]
    if (opened := _OPENED.match(body)) and b"\n" + opened[1] not in body[opened.end() :]:
        return body[opened.end() :]
    if start == b">":
        return body if _UNQUOTED.search(body) else _QUOTE.sub(b"", body)
    if body.lstrip()[:1] in (b"<", b"{", b"[") or _UNINDENTED.search(body):
        return body
    lines = body.splitlines(keepends=True)
    blanks = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return b"".join(line[blanks:] if line.strip() else line for line in lines)


def _shown(page: str) -> str:
    """The text that a page of a viewer shows; "" for any other page."""
    if (at := page.find(_VIEWER, 0, HEAD_BYTES)) >= 0 and (end := _VIEWED.search(page, at)):
        return page[at + len(_VIEWER) : end.start()]
    if "line-gutter" in page[:HEAD_BYTES] and (lines := _SOURCE_LINE.split(page)[1:]):
        source = "\n".join(line.partition("</td>")[0] for line in lines)
        return html.unescape(_TAG.sub("", source))
    begun = _BEFORE.match(page)
    ended = _BEHIND.search(page, max(len(page) - 1_000, 0))
    if not begun or not ended or "</pre" in page[begun.end() : ended.start()].lower():
        return ""
    return html.unescape(_TAG.sub("", page[begun.end() : ended.start()]))


def _of_one_file(listing: Listing, head: bytes) -> Listing:
    """The page of an MHTML file."""
    if head[:1].isalpha() and b"multipart/related" in head.lower() and (found := _BOUNDARY.search(head)):
        for part in listing.body.split(b"--" + (found[1] or found[2]), MAX_PARTS)[1:]:
            part = part.removeprefix(b"\r").removeprefix(b"\n")
            end = _HEAD_END.search(part, 0, HEAD_BYTES)
            said = part[: end.start()] if end else b""
            if end and (kind := _HTML.search(said)):
                address = _ADDRESS.search(said)
                return structs.replace(
                    listing,
                    body=_decoded(part[end.end() :], said),
                    content_type=kind[1].decode("ascii", "replace"),
                    base_url=listing.base_url or (address[1].decode("ascii", "replace") if address else ""),
                )
    return listing


def _decoded(body: bytes, said: bytes) -> bytes:
    encoding = found[1].lower() if (found := _ENCODING.search(said)) else b""
    if encoding == b"quoted-printable":
        import quopri

        return quopri.decodestring(body)
    if encoding == b"base64":
        import binascii

        try:
            return binascii.a2b_base64(body)
        except ValueError:
            return b""
    return body
