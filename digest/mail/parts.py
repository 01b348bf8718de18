"""The body parts of a mail: text cut at its personal lines, wrapped and encoded once, filled in for each reader.

Every line without a mark is encoded once; the few lines with one are filled in, wrapped and encoded for each subscriber.
Quoted-printable encodes line by line (RFC 2045, 6.7): so the joined message equals one built alone, byte for byte, is plain
ASCII on every server, and keeps the trailing spaces of format=flowed (RFC 3676) alive.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from collections.abc import Sequence
from functools import lru_cache

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

Piece = bytes | str


def mark(name: str) -> str:
    """What stands for a personal fact in a rendered template."""
    return f"\ufdd0{name}\ufdd1"


def fragment_mark(number: int) -> str:
    """What stands for a fragment that is encoded already: a line of its own."""
    return f"\ufdd2{number}\ufdd3\n"


class Part(Struct, frozen=True):
    """A body part cut at its personal lines: encoded bytes, and as text the lines that still hold marks."""

    pieces: tuple[Piece, ...]
    html: bool

    def fill(self, facts: dict[str, str]) -> list[bytes]:
        """The part in its transfer encoding, with CRLF line ends, in pieces."""
        return [p if isinstance(p, bytes) else self._line(p, facts) for p in self.pieces]

    def encode(self, facts: dict[str, str]) -> bytes:
        return b"".join(self.fill(facts))

    def _line(self, line: str, facts: dict[str, str]) -> bytes:
        from markupsafe import escape

        filled = _MARK.sub(lambda match: str(escape(facts[match[1]])) if self.html else facts[match[1]], line)
        return quoted_printable(filled if self.html else flow(filled))


def cut(text: str, *, html: bool, fragments: Sequence[bytes] = ()) -> Part:
    """A rendered part, cut at the lines that hold marks; lines that stand for a fragment are that fragment, not a copy."""
    pieces: list[Piece] = []
    run: list[bytes] = []

    def end_run() -> None:
        if run:
            pieces.append(b"".join(run))
            run.clear()

    for line in text.splitlines():
        if "\ufdd0" in line:
            end_run()
            pieces.append(line)
        elif line.startswith("\ufdd2") and (found := _FRAGMENT.fullmatch(line)):
            end_run()
            pieces.append(fragments[int(found[1])])
        else:
            run.append(quoted_printable(line) if html else flowed(line))
    end_run()
    return Part(tuple(pieces), html)


@lru_cache(maxsize=20_000)
def flowed(line: str) -> bytes:
    """A paragraph of plain text, wrapped and encoded: mails of different choices have most of theirs in common."""
    return quoted_printable(flow(line))


def quoted_printable(text: str) -> bytes:
    """Lines of text as quoted-printable with CRLF (RFC 2045, 6.7); each line ends in one."""
    crlf = "\r\n".join(text.split("\n")).removesuffix("\r\n") + "\r\n"
    encoded = b2a_qp(crlf.encode(), istext=True)
    # A relay may put ">" before a line that begins with "From " and break a signature; a dot there would have to be doubled on
    # the wire (RFC 5321, 4.5.2).
    return re.sub(rb"(?m)^(From |\.)", lambda match: b"=46rom " if match[0] != b"." else b"=2E", encoded)


def flow(line: str) -> str:
    """A paragraph as lines of at most 72 columns, stuffed, soft ends marked by a space (RFC 3676, 4.1 to 4.4).

    Where no space stood (between Han signs, inside an endless word) the end is hard: a soft one would put a space there.
    """
    if line == "-- ":
        return line
    bare = line.replace("\u00a0", " ").rstrip()
    if display_width(bare) <= TEXT_COLUMNS:
        return _stuffed(bare)
    bare, flowed, at = " ".join(bare.split()), "", 0
    for part in wrap(bare, TEXT_COLUMNS - 2):
        start = bare.index(part, at)
        flowed += f"{' ' if start > at else ''}\n{_stuffed(part)}" if flowed else _stuffed(part)
        at = start + len(part)
    return flowed


def _stuffed(line: str) -> str:
    return f" {line}" if line.startswith((" ", ">", "From ")) else line
