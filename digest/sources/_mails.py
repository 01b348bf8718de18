"""What is round a mail of arXiv: headers, encodings, parts, marks of quotation, a page of HTML. And what programs that it went
through made of its lines: bars of one or four strokes, a blank line behind each line."""

from __future__ import annotations

import html
import re
from email.message import Message
from itertools import islice, pairwise

from digest.patterns import late

HEAD_CHARS = 20_000

HEADER = late(r"[A-Za-z][A-Za-z0-9-]{0,40}:")
_ENCODED = late(r"^(?:content-transfer-encoding|content-type)\s*:", re.I | re.M)
_QUOTED_BAR = late(r"^> ?\\\\[ \t\r]*$", re.M)
_QUOTED = late(r"^> ?", re.M)
_FORWARDED = late(
    r"^[ \t]*(?:-{2,} ?(?:Forwarded|Original) message ?-{2,}|Begin forwarded message:)[ \t\r]*$", re.I | re.M
)
# No mail has so many parts, nor a field so long, and the library takes the square of both.
MAX_BOUNDARIES = 10
_BOUNDARY = late(r"boundary[\s*0-9]*+=", re.I)
_ENDLESS = late(r"(?<![^\r\n])content-type:(?>[^\r\n]|(?:\r\n?|\n)[ \t]){2000}", re.I)
_SOFT_BROKEN_RULER = late(r"^-{40,}=\r?\n-+", re.M)
_BAR = late(r"^\\\\[ \t\r]*$", re.M)
# Markdown writes a stroke as two, and shows two as one.
_OTHER_BAR = late(r"^(\\|\\{4})[ \t]*\n{1,3}(?:arXiv:|Paper)", re.M)
_ONE_STROKE = late(r"^\\(?=[ \t]*(?:\(.*)?$)", re.M)
_ESCAPED = late(r"\\([!-/:-@\[-`{-~])")
_LINES_LOOKED_AT = 40


def unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def lines_of(text: str) -> list[str]:
    """The lines; programs that print texts put a form feed before the first of a page, some a blank line behind each line."""
    lines = [line.rstrip() for line in text.replace("\f", "").split("\n")]
    first = next((at for at, line in enumerate(lines) if line == "\\\\"), len(lines))
    near = lines[first : first + _LINES_LOOKED_AT]
    if len(near) < 6 or any(here and after for here, after in pairwise(near)):
        return lines
    return "\n".join(lines).replace("\n\n", "\n").split("\n")


def body_of(text: str) -> str:
    """The text of a mail saved with its headers, decoded as they say (RFC 2045); of a forwarded one without its `>`."""
    return _with_bars(_unquoted(text))


def in_head(pattern: str, text: str, body: str) -> str:
    """What the first head has that has it: that of a forwarded mail, of the listing in a mail, of the mail."""
    inner = _FORWARDED.search(body[:HEAD_CHARS])
    for head in map(_head, (body[inner.end() :] if inner else "", body, text)):
        if found := re.search(pattern, head, re.M):
            return found[1].strip()
    return ""


def _head(text: str) -> str:
    """The header lines that a text begins with, those of a saved mail or the two of a listing file."""
    found: list[str] = []
    for line in islice(text.lstrip(" \r\n\f\ufeff").split("\n", 500), 500):
        if not line.strip() or not (
            HEADER.match(line) or line[0] in " \t" or (not found and line.startswith("From "))
        ):
            break
        found.append(line.rstrip("\r"))
    return "\n".join(found)


def _unquoted(text: str) -> str:
    if _ENCODED.search(_head(text)):
        return _decoded(text)
    if _SOFT_BROKEN_RULER.search(text):
        import quopri

        return quopri.decodestring(text.encode("utf-8", "replace")).decode("utf-8", "replace")
    if not _QUOTED_BAR.search(text):
        return text
    first = _QUOTED.search(text)  # before it stands who wrote
    return _QUOTED.sub("", text[first.start() :]) if first else text


def _with_bars(text: str) -> str:
    """The text with bars of two strokes, where these became one or four on the way."""
    found = _OTHER_BAR.search(text)
    if not found or _BAR.search(text):
        return text
    return _ESCAPED.sub(r"\1", text) if len(found[1]) == 4 else _ONE_STROKE.sub(r"\\\\", text)


def _decoded(text: str) -> str:
    """The listing in a mail."""
    if sum(1 for _ in islice(_BOUNDARY.finditer(text), MAX_BOUNDARIES + 1)) > MAX_BOUNDARIES:
        return text
    try:
        return text if _ENDLESS.search(text) else _listing_in(text.lstrip("\r\n\ufeff"), text)
    except RecursionError:  # a mail in a mail in a mail
        return text


def _listing_in(mail: str, otherwise: str) -> str:
    """The first part that has a bar: a text, which may be that of an attached mail, else one of HTML. Else the first text."""
    from email import message_from_bytes

    message = message_from_bytes(mail.encode("utf-8", "surrogateescape"))
    parts = list(islice(message.walk(), 100))
    plain = [_text_of(part) for part in parts if part.get_content_type() == "text/plain"]
    if found := next((text for text in plain if _has_bar(text)), ""):
        return found
    pages = (_text_of(part) for part in parts if part.get_content_type() == "text/html")
    return next(filter(None, map(in_page, pages)), plain[0] if plain else otherwise)


def _has_bar(text: str) -> bool:
    return any(pattern.search(unix(text)) for pattern in (_BAR, _QUOTED_BAR, _OTHER_BAR))


def _text_of(part: Message) -> str:
    """In UTF-8, whatever the part says, else in its own charset where that is known."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    for charset in ("utf-8", part.get_content_charset("latin-1")):
        try:
            return payload.decode(charset)
        except (LookupError, ValueError):
            continue
    return payload.decode("latin-1")


# --- a page of HTML with a mail in it

_BAR_IN_PAGE = late(
    r"(?:>|^)[ \t]*\\\\(?>(?:\s|&nbsp;|</?[a-z][^<>]{0,300}>)*)(?:arXiv:|Paper).{0,1500}?Title:",
    re.I | re.M | re.S,
)
_PRE = late(r"(<pre\b[^<>]{0,300}>.*?</pre\s*>)", re.I | re.S)
_UNSHOWN = late(r"<(style|script|head)\b[^<>]{0,300}>.*?</\1\s*>", re.I | re.S)
_BREAK = late(r"[ ]*<br\b[^<>]{0,100}>[ ]*", re.I)
_BLOCK = late(
    r"(?:[ ]*</?(?:p|div|li|ul|ol|tr|td|table|tbody|blockquote|h[1-6]|pre)(?:\s[^<>]{0,500})?>)+[ ]*", re.I
)
_TAG = late(r"</?[a-z][^<>]{0,2000}>", re.I)
_SPACE = late(r"[ \t\r\n]+")


def in_page(page: str) -> str:
    """The lines of a page of HTML as a browser shows them, where they have an entry of a mail; "" for any other page."""
    if "\\\\" not in page or not _BAR_IN_PAGE.search(page):
        return ""
    parts = _PRE.split(_UNSHOWN.sub("", page))
    parts[::2] = [_SPACE.sub(" ", part) for part in parts[::2]]
    return html.unescape(_TAG.sub("", _BLOCK.sub("\n", _BREAK.sub("\n", "".join(parts)))))
