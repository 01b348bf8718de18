"""The body parts of a mail: text cut at its personal lines, wrapped and encoded once, filled in for each reader.

Every line without a mark is encoded once; the few lines with one are filled in, wrapped and encoded for each subscriber.
Quoted-printable encodes line by line (RFC 2045, 6.7): so the joined message equals one built alone, byte for byte, is plain
ASCII on every server, and keeps the trailing spaces of format=flowed (RFC 3676) alive.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from msgspec import Struct

from digest.text import display_width, wrap

TEXT_COLUMNS = 72

# What a subscriber's own copy adds. Marks are noncharacters, which no text of a paper can hold (render.clean), so a
# title cannot pass for one. A further personal fact is one more name here and one more line in headers.Postmark.
PERSONAL = ("address", "since", "chosen", "manage_url", "unsubscribe_url")
_MARK = re.compile("\ufdd0([a-z_]+)\ufdd1")
_FRAGMENT = re.compile("\ufdd2([0-9]+)\ufdd3")

TEXT_TYPE = b'Content-Type: text/plain; charset="utf-8"; format=flowed\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
HTML_TYPE = b'Content-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'

# Bytes that all copies share, or a line cut at its marks: text, name of a fact, text, …
Piece = bytes | tuple[str, ...]


def mark(name: str) -> str:
    """What stands for a personal fact in a rendered template."""
    return f"\ufdd0{name}\ufdd1"


def fragment_mark(number: int) -> str:
    """What stands for a fragment that is encoded already: lines of its own."""
    return f"\ufdd2{number}\ufdd3\n"


class Part(Struct, frozen=True):
    """A body part: encoded bytes, and at the places `personal` the lines that are filled in for each reader."""

    pieces: tuple[Piece, ...]
    personal: tuple[int, ...]
    html: bool

    def fill(self, facts: dict[str, str]) -> list[bytes]:
        """The part in its transfer encoding, with CRLF line ends, in pieces."""
        found: list[Any] = list(self.pieces)
        for at in self.personal:
            found[at] = self._line(found[at], facts)
        return found

    def encode(self, facts: dict[str, str]) -> bytes:
        return b"".join(self.fill(facts))

    def _line(self, line: tuple[str, ...], facts: dict[str, str]) -> bytes:
        if not self.html:
            return quoted_printable(flow("".join([_fact(n, text, facts) for n, text in enumerate(line)])))
        from markupsafe import escape

        return quoted_printable(
            "".join([text if n % 2 == 0 else str(escape(facts[text])) for n, text in enumerate(line)])
        )


def _fact(number: int, text: str, facts: dict[str, str]) -> str:
    return facts[text] if number % 2 else text


def cut(text: str, *, html: bool, fragments: Sequence[bytes] = ()) -> Part:
    """A rendered part, cut at the lines that hold marks; what stands for a fragment is that fragment, not a copy. A block of
    plain text, as far as the next empty line, is shared with all parts that have it too: mails of different choices do."""
    pieces: list[Piece] = []
    personal: list[int] = []
    run: list[str] = []

    def add(piece: Piece | None) -> None:
        if run:
            pieces.append(_encoded(run) if html else block(tuple(run)))
            run.clear()
        if piece is not None:
            pieces.append(piece)

    for whole in text.splitlines():
        for number, line in enumerate(_FRAGMENT.split(whole) if "\ufdd2" in whole else (whole,)):
            if number % 2:
                add(fragments[int(line)])
            elif "\ufdd0" in line:
                add(tuple(_MARK.split(line)))
                personal.append(len(pieces) - 1)
            elif line or line == whole:
                run.append(line)
                if not line and not html:
                    add(None)
    add(None)
    return Part(tuple(pieces), tuple(personal), html)


def _encoded(lines: Sequence[str]) -> bytes:
    return b"".join([quoted_printable(line) for line in lines])


@lru_cache(maxsize=4_000)
def block(lines: tuple[str, ...]) -> bytes:
    """Paragraphs of plain text, each wrapped and encoded."""
    return b"".join([quoted_printable(flow(line)) for line in lines])


def quoted_printable(text: str) -> bytes:
    """Lines of text as quoted-printable with CRLF (RFC 2045, 6.7); each line ends in one."""
    crlf = "\r\n".join(text.split("\n")).removesuffix("\r\n") + "\r\n"
    encoded = b2a_qp(crlf.encode(), istext=True)
    if b"\nFrom " in encoded or b"\n." in encoded or b"=20\r\n" in encoded or encoded.startswith(_UNSAFE):
        return b"\r\n".join([_safe(line) for line in encoded.split(b"\r\n")])
    return encoded


# A relay may put ">" before a line that begins with "From " and break a signature; a dot there would have to be doubled on the
# wire (RFC 5321, 4.5.2).
_UNSAFE = (b"From ", b".")


def _safe(line: bytes) -> bytes:
    """A line of quoted-printable with its first sign encoded where it must not stand there, and broken where it is too long:
    by that, or because b2a_qp gives 77 signs to one that ends in a space (seen in 3.11.7)."""
    if line.startswith(_UNSAFE):
        line = b"=%02X" % line[0] + line[1:]
    if len(line) <= 76:
        return line
    at = 75 - line[73:75][::-1].find(b"=") - 1 if b"=" in line[73:75] else 75
    return line[:at] + b"=\r\n" + _safe(line[at:])


def flow(line: str) -> str:
    """A paragraph as lines of at most 72 columns, stuffed, soft ends marked by a space (RFC 3676, 4.1 to 4.4).

    Where no space stood (between Han signs, inside an endless word) the end is hard: a soft one would put a space there.
    """
    if line == "-- ":
        return line
    bare = line.replace("\u00a0", " ").rstrip()
    if display_width(bare) <= TEXT_COLUMNS:
        return _stuffed(bare)
    words = bare.split()
    if bare.isascii() and all(len(word) <= TEXT_COLUMNS - 2 or "://" in word for word in words):
        return " \n".join(map(_stuffed, _filled(words)))
    bare, flowed, at = " ".join(words), "", 0
    for part in wrap(bare, TEXT_COLUMNS - 2):
        start = bare.index(part, at)
        flowed += f"{' ' if start > at else ''}\n{_stuffed(part)}" if flowed else _stuffed(part)
        at = start + len(part)
    return flowed


def _filled(words: list[str]) -> Iterator[str]:
    """Lines of words that break at spaces only, as text.wrap makes them: most lines of most mails."""
    line = words[0]
    for word in words[1:]:
        if len(line) + 1 + len(word) > TEXT_COLUMNS - 2:
            yield line
            line = word
        else:
            line = f"{line} {word}"
    yield line


def _stuffed(line: str) -> str:
    return f" {line}" if line.startswith((" ", ">", "From ")) else line
