"""The parts of a mail that came back: its delivery status, its notice in words, and the tokens somewhere in it. Pure.

Whoever knows the address may send anything there, so that every step here is bounded: only the first WINDOW bytes are looked
at, only the first _READ of them are taken apart, and no word is longer than an address, no line than a line may be.
"""

from __future__ import annotations

import binascii
import quopri
import re
from base64 import b64decode
from collections.abc import Iterator
from email.errors import MessageError, MissingHeaderBodySeparatorDefect
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from typing import Any

from msgspec import Struct

# A report says what it has to say ahead of the mail that it returns; that begins, with its headers, within this.
WINDOW = 1024 * 1024
_READ = 128 * 1024
# A returned mail has two or three boundaries. Each line is compared with the boundary of every part around it.
_MOST_BOUNDARIES = 10
_BOUNDARY = re.compile(rb"boundary[\s*0-9]*+=", re.IGNORECASE)
# The parameters of a field take the square of their number where they stand in quotes.
_LONG_FIELD = re.compile(
    rb"(?<![^\r\n])(content-type:(?>[^\r\n]|(?:\r\n?|\n)[ \t]){2000})(?>(?:[^\r\n]|(?:\r\n?|\n)[ \t])+)",
    re.IGNORECASE,
)
_MOST_PARTS = 200
_NOTICE = 16 * 1024
_BLOCKS = 50

# An address has 320 characters at most (RFC 5321, 4.5.3.1) and a line 998 (RFC 5322, 2.1.1); patterns of addresses take the square
# of the length of a word, of what is blank, and of a line.
_LONG_WORD = re.compile(rb"\S{320}(?=\S)")
_LONG_BLANK = re.compile(rb"([ \t\f\v\x1c-\x1f]{100})[ \t\f\v\x1c-\x1f]+")
_LONG_LINE = re.compile(rb"[^\r\n]{998}\S*+(?=[ \t])")
_BASE64 = re.compile(rb"^(?:[A-Za-z0-9+/]{40,78}\r?\n)+[A-Za-z0-9+/]{0,78}={0,2}", re.MULTILINE)
_MARKUP = re.compile(r"<[^<>]*>")
# What the standard library raises over broken MIME.
BROKEN = (LookupError, ValueError, TypeError, AttributeError, AssertionError, RecursionError, MessageError)

# The classes, subjects and details of RFC 3463: no version number and no IP address looks like it.
STATUS = re.compile(r"(?<![\d.])([245]\.[0-7]\.\d{1,3})(?![\d.]*\d)")
REPLY = re.compile(r"(?<![\w.:-])([45][0-5]\d)(?=[ -](?!\d))")


class Outcome(Struct, frozen=True, kw_only=True):
    """What a delivery status says of one recipient (RFC 3464, 2.3). `failed` is final, `delayed` is not; `status` of RFC 3463.
    `recipient` is whom the mail was addressed to, `final` whom it was to be given to in the end."""

    failed: bool = False
    delayed: bool = False
    status: str = ""
    recipient: str = ""
    final: str = ""
    diagnostic: str = ""


def parsed(raw: bytes) -> Message:
    """The mail as far as it can be read within bounds; one with too many parts, with its own headers only."""
    window = _LONG_WORD.sub(rb"\g<0>\n ", raw[:_READ].replace(b"\0", b""))
    window = _LONG_LINE.sub(rb"\g<0>\n", _LONG_BLANK.sub(rb"\1", window))
    window = _LONG_FIELD.sub(rb"\1", window)
    nested = len(_BOUNDARY.findall(window)) > _MOST_BOUNDARIES
    try:
        return BytesParser(policy=compat32).parsebytes(window, headersonly=nested)
    except BROKEN:
        return BytesParser(policy=compat32).parsebytes(window, headersonly=True)


def header(message: Message, name: str) -> str:
    """The first header of this name, unfolded, its encoded words decoded as far as they can be, and what is written in UTF-8
    (RFC 6532) or Latin-1 without being encoded; "" for none."""
    from email.header import decode_header, make_header

    written = next((str(value) for key, value in message.raw_items() if key.lower() == name), "")
    found = " ".join(_read_raw(written).split())[:2000]
    try:
        return str(make_header(decode_header(found)))
    except BROKEN:
        return found


def _read_raw(written: str) -> str:
    if written.isascii():
        return written
    data = written.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def parts(message: Message) -> Iterator[Message]:
    """Message and its parts in order, but not what a returned mail is made of."""
    waiting = [message]
    for _ in range(_MOST_PARTS):
        if not waiting:
            return
        part = waiting.pop()
        yield part
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting += reversed(_payload(part))


def fields(part: Message) -> list[dict[str, str]]:
    """The groups of fields of a delivery status or a feedback report, names in lower case, also where it was encoded."""
    groups: list[dict[str, str]] = []
    for block in re.split(r"\n[ \t]*\n", _plain(part).replace("\r\n", "\n"))[:_BLOCKS]:
        group: dict[str, str] = {}
        for line in re.sub(r"\n[ \t]+", " ", block[:20_000]).split("\n"):
            name, colon, value = line.partition(":")
            if colon:
                group.setdefault(name.strip().lower(), value.strip())
        if group:
            groups.append(group)
    return groups


def _plain(part: Message) -> str:
    """The content of a part as text. What email.parser took for messages, since that is the type's name, is joined again."""
    payload = _payload(part)
    if isinstance(payload, list):
        text = "\n\n".join(
            "\n".join(f"{name}: {value}" for name, value in one.items()) + _gap(one) + _plain(one)
            for one in payload[:_BLOCKS]
        )
    else:
        text = payload
    encoding = str(part.get("content-transfer-encoding", "")).strip().lower()
    data = text.encode("utf-8", "surrogateescape")
    if encoding == "base64":
        data = _unpacked(data)
    elif encoding == "quoted-printable":
        data = quopri.decodestring(data)
    return data.decode("utf-8", "replace")


def _gap(one: Message) -> str:
    """What stood between the fields and the rest: no empty line where they were cut at a line that is no field, such as the second
    half of one in quoted-printable."""
    return "\n" if any(isinstance(each, MissingHeaderBodySeparatorDefect) for each in one.defects) else "\n\n"


def _payload(part: Message) -> Any:
    """The parts of a part as list, or else its content as text, as it stands."""
    try:
        return part.get_payload() or ""
    except BROKEN:  # a charset that is none, in the notation of RFC 2231
        return ""


def outcomes(message: Message) -> list[Outcome]:
    """What the delivery status in this mail says of each recipient; empty for a mail without one."""
    found = []
    for part in parts(message):
        if part.get_content_type() in ("message/delivery-status", "message/global-delivery-status"):
            found += [one for group in fields(part) if (one := _outcome(group)) is not None]
    return found


def _outcome(group: dict[str, str]) -> Outcome | None:
    if not group.keys() & {"action", "status", "final-recipient", "original-recipient"}:
        return None
    action, diagnostic = group.get("action", "").lower(), group.get("diagnostic-code", "")
    status = first_status(group.get("status", ""))
    if status[1:] in ("", ".0.0"):
        status = first_status(diagnostic) or status
    known = action.startswith(("fail", "error", "delayed", "delivered", "relayed", "expanded"))
    final = group.get("final-recipient", "")
    return Outcome(
        failed=action.startswith(("fail", "error")) or (not known and status.startswith("5")),
        delayed=action.startswith("delayed") or (not known and status.startswith("4")),
        status=status,
        recipient=_address(group.get("original-recipient") or final),
        final=_address(final),
        diagnostic=diagnostic[:2000],
    )


def _address(value: str) -> str:
    """What stands behind the type of an address (RFC 3464, 2.3.1)."""
    return value.rpartition(";")[2].strip(" <>")[:320]


def first_status(text: str) -> str:
    """The first code of RFC 3463 in a text, "5.1.1", or ""."""
    found = STATUS.search(text[:4000])
    return found[1] if found else ""


def notice(message: Message) -> str:
    """What a report says in words ahead of the mail that it returns: plain text, at most 16 KiB."""
    text, is_html = first_text(message)
    return _MARKUP.sub(" ", text) if is_html else text


def first_text(message: Message) -> tuple[str, bool]:
    """The first part in words, at most 16 KiB of it, and whether it is HTML; "" where there is none."""
    for part in parts(message):
        if part.get_content_maintype() != "text" or part.get_content_subtype() == "rfc822-headers":
            continue
        data = part.get_payload(decode=True)
        if isinstance(data, bytes) and data.strip():
            text = _decoded(data[:_NOTICE], str(part.get_content_charset("utf-8")))
            return text, part.get_content_subtype() == "html"
    return "", False


def _decoded(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset, "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")


def reason(text: str, recipients: tuple[str, ...]) -> str:
    """The lines of a notice that give the reason: around a reply code, else around the recipient. At most 2,000 characters."""
    lines = text.splitlines()[:2000]
    for found in (
        lambda line: STATUS.search(line) or REPLY.search(line),
        lambda line: any(one.lower() in line.lower() for one in recipients),
    ):
        at = next((n for n, line in enumerate(lines) if found(line[:2000])), None)
        if at is not None:
            return "\n".join(lines[at : at + 4])[:2000]
    return ""


# ------------------------------------------------------------------ tokens


def find(pattern: re.Pattern[bytes], raw: bytes) -> str:
    """The first group of a pattern where it first occurs: as it stands, in quoted-printable, or in base64; "" for nowhere."""
    window = raw[:WINDOW]
    for text in _readings(window):
        found = pattern.search(text)
        if found:
            return found[1].decode("ascii")
    return ""


def _readings(window: bytes) -> Iterator[bytes]:
    yield window
    if b"=" in window:
        yield quopri.decodestring(window)
    for block in _BASE64.finditer(window):
        data = _unpacked(block[0])
        yield data
        if b"=" in data:
            yield quopri.decodestring(data)


def _unpacked(data: bytes) -> bytes:
    """Base64, as far as it goes."""
    bare = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    try:
        return b64decode(bare[: len(bare) // 4 * 4] + _tail(bare))
    except (ValueError, binascii.Error):
        return b""


def _tail(bare: bytes) -> bytes:
    left = len(bare) % 4
    return bare[-left:] + b"=" * (4 - left) if left >= 2 else b""
