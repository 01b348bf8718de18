"""Edition → a message: built once, cut at the personal lines, joined for each subscriber.

A message is rendered once with marks where the personal facts go. Every line without a mark is encoded once; the few
lines with one are filled in, wrapped and encoded for each subscriber. Both parts are quoted-printable, whose lines
are encoded one by one (RFC 2045, 6.7): so the joined message equals one built alone, byte for byte, is plain ASCII on
every server, and keeps the trailing spaces of format=flowed (RFC 3676) alive.
"""

from __future__ import annotations

import logging
import re
from base64 import b64encode
from binascii import b2a_qp
from datetime import datetime
from email.utils import format_datetime, parseaddr
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit

from msgspec import Struct

from digest.addresses import ascii_address
from digest.config import DigestConfig, MailConfig, SiteConfig
from digest.errors import MailError
from digest.mail.budget import LIMIT, WARN, Plan, fit_plan
from digest.model import Delivery, Edition, Page
from digest.render import EditionView, PaperView, Renderer, clean, safe_url, sender_of, view_edition
from digest.text import display_width, isolate, truncate, wrap
from digest.words import day_words, schedule_words

log = logging.getLogger("digest.mail")

TEXT_COLUMNS = 72
SUBJECT_CHARS = 70
NAME_CHARS = 36

# What a subscriber's own copy adds. Marks are noncharacters, which no text of a paper can hold (render.clean), so a
# title cannot pass for one. A further personal fact, such as the address that unsubscribes in one click, is one more
# name here and one more line in `_personal`.
PERSONAL = ("address", "since")
_MARK = re.compile("\ufdd0([a-z_]+)\ufdd1")

Piece = bytes | str


class Part(Struct, frozen=True):
    """A body part cut at its personal lines: encoded bytes, and as text the lines that still hold marks."""

    pieces: tuple[Piece, ...]
    html: bool

    def encode(self, facts: dict[str, str]) -> bytes:
        """The part in its transfer encoding, with CRLF line ends."""
        return b"".join(p if isinstance(p, bytes) else self._line(p, facts) for p in self.pieces)

    def _line(self, line: str, facts: dict[str, str]) -> bytes:
        from markupsafe import escape

        filled = _MARK.sub(lambda match: str(escape(facts[match[1]])) if self.html else facts[match[1]], line)
        return quoted_printable(filled if self.html else flow(filled))


class Composed(Struct, frozen=True, kw_only=True):
    """An edition's message, ready for any number of subscribers.

    `dropped` is how many papers the byte budget left out, `without_gist` how many stand without their gist.
    """

    subject: str
    head: bytes
    boundary: str
    text: Part
    html: Part
    dropped: int = 0
    without_gist: int = 0

    def message(self, delivery: Delivery) -> bytes:
        """The complete message (RFC 5322) of one delivery, with CRLF line ends and no line above 998 octets.

        Raises MailError, permanent, for an address that no header can carry.
        """
        facts = _personal(delivery)
        edge = f"--{self.boundary}".encode()
        return b"".join((
            _personal_head(delivery, facts["address"]),
            self.head,
            b"\r\n" + edge + b"\r\n" + _TEXT_HEAD,
            self.text.encode(facts),
            edge + b"\r\n" + _HTML_HEAD,
            self.html.encode(facts),
            edge + b"--\r\n",
        ))  # fmt: skip


def compose(
    edition: Edition,
    *,
    site: SiteConfig,
    digest: DigestConfig,
    mail: MailConfig,
    url: str,
    renderer: Renderer,
) -> Composed:
    """The message of an edition; `url` is the public address of its digest's root, with a final slash.

    The HTML part stays below 85,000 encoded bytes: gists go first, then papers, each with a note and a link.
    """
    view, plan, variables = _planned(edition, site, digest, mail, url, renderer)
    personal: dict[str, Any] = {name: f"\ufdd0{name}\ufdd1" for name in PERSONAL}
    subject = variables["subject"]
    text = renderer.render("edition.txt", **variables, **personal)
    html = renderer.render("edition.html", **variables, **personal)
    # "=_" never stands in quoted-printable (RFC 2045, 6.7), so no body can hold the boundary.
    boundary = f"=_{sha256(f'{edition.guid} {subject}'.encode()).hexdigest()[:24]}"
    composed = Composed(
        subject=subject,
        head=_fixed_head(subject, boundary, site, digest, mail, url),
        boundary=boundary,
        text=cut(text, html=False),
        html=cut(html, html=True),
        dropped=view.count - plan.shown,
        without_gist=plan.without_gist,
    )
    _warn(edition, composed)
    return composed


def web_copies(
    edition: Edition,
    *,
    site: SiteConfig,
    digest: DigestConfig,
    mail: MailConfig,
    url: str,
    renderer: Renderer,
) -> list[Page]:
    """`email.html` and `email.txt` of an edition: the mail without anything personal."""
    _, _, variables = _planned(edition, site, digest, mail, url, renderer)
    impersonal = dict.fromkeys(PERSONAL, "")
    folder = f"{digest.path}/{edition.path}" if digest.path else edition.path
    html = renderer.render("edition.html", **variables, **impersonal)
    text = renderer.render("edition.txt", **variables, **impersonal)
    flowed = "\n".join(flow(line) for line in text.splitlines())
    return [
        Page(path=f"{folder}email.html", body=html.encode()),
        Page(path=f"{folder}email.txt", body=f"{flowed}\n".encode()),
    ]


# ---------------------------------------------------------------- what the templates are given


def _planned(
    edition: Edition, site: SiteConfig, digest: DigestConfig, mail: MailConfig, url: str, renderer: Renderer
) -> tuple[EditionView, Plan, dict[str, Any]]:
    """What both templates are given, after the byte budget has decided which papers and gists there is room for."""
    view = view_edition(edition, site=site, url=url)
    variables = _variables(edition, view, site, digest, mail, url, renderer)

    pick, row = (renderer.macro("edition-paper.html", name) for name in ("pick", "row"))

    def fragment(paper: PaperView, is_pick: bool, with_gist: bool) -> str:
        return (pick if is_pick else row)(paper, with_gist)

    def frame_size(sections: list[dict[str, Any]]) -> int:
        marks = dict.fromkeys(PERSONAL, "x" * 320)
        return len(quoted_printable(renderer.render("edition.html", **variables, sections=sections, **marks)))

    plan = fit_plan(edition, view, fragment, frame_size, lambda fragment: len(quoted_printable(fragment)))
    return view, plan, {**variables, "sections": plan.sections}


def _variables(
    edition: Edition,
    view: EditionView,
    site: SiteConfig,
    digest: DigestConfig,
    mail: MailConfig,
    url: str,
    renderer: Renderer,
) -> dict[str, Any]:
    subject = make_subject(edition, renderer)
    return {
        "edition": view,
        "subject": subject,
        "preheader": view.teaser if view.teaser != subject else f"{view.teaser} {view.title}",
        "site_title": clean(digest.title or site.title),
        "home_url": url,
        "feeds_url": f"{url}feeds/",
        "unsubscribe_url": _mailto(mail),
        "schedule": schedule_words(digest.schedule, site.timezone),
        "topic_count": len(digest.topics),
        "sender": sender_of(site),
    }


def make_subject(edition: Edition, renderer: Renderer) -> str:
    """10 to 70 characters on one line: how many papers, and the names of the first."""
    subject = renderer.render(
        "subject.txt", count=edition.count, names=short_names(edition), date=edition.date
    )
    subject = " ".join(subject.split())
    return subject if len(subject) <= SUBJECT_CHARS else f"{subject[: SUBJECT_CHARS - 1].rstrip()}…"


_EMOJI = re.compile(
    "[\u200b-\u200d\u2060\ufe0f\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\U000e0000-\U000e007f]"
)


def short_names(edition: Edition, limit: int = 6) -> list[str]:
    """Short names of the first papers: what stands before a title's colon, or its first words; without emoji, and each
    isolated when it runs from right to left."""
    found = []
    for entry in edition.entries[:limit]:
        title = " ".join(_EMOJI.sub("", clean(entry.paper.title)).split())
        head, colon, _ = title.partition(": ")
        name = head if colon and 2 < len(head) <= NAME_CHARS else truncate(title, NAME_CHARS)
        found += [isolate(name)] if name else []
    return found


def _mailto(mail: MailConfig) -> str:
    address = ascii_address(mail.unsubscribe or parseaddr(mail.from_)[1])
    bare = f"mailto:{quote(address, safe='@+')}"
    # Above 70 characters some programs fold the header there, and the address is broken.
    return full if len(full := f"{bare}?subject=unsubscribe") <= 68 else bare


def _warn(edition: Edition, composed: Composed) -> None:
    size = len(composed.html.encode(dict.fromkeys(PERSONAL, "")))
    if composed.dropped or composed.without_gist:
        log.warning(
            "edition %s: the mail leaves out %d papers and %d gists to stay below %d bytes; the page has them all. "
            "Narrow the digest with include or exclude rules, or split it in two.",
            edition.id, composed.dropped, composed.without_gist, LIMIT,
        )  # fmt: skip
    elif size > WARN:
        log.warning("edition %s: the mail's HTML has %d bytes; above %d it is cut.", edition.id, size, LIMIT)


# ---------------------------------------------------------------- bodies

_TEXT_HEAD = b'Content-Type: text/plain; charset="utf-8"; format=flowed\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
_HTML_HEAD = (
    b'Content-Type: text/html; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
)


def cut(text: str, *, html: bool) -> Part:
    """A rendered part, cut at the lines that hold marks."""
    pieces: list[Piece] = []
    run: list[str] = []
    for line in text.splitlines():
        if "\ufdd0" in line:
            pieces += [quoted_printable("\n".join([*run, ""])), line] if run else [line]
            run = []
        else:
            run.append(line if html else flow(line))
    if run:
        pieces.append(quoted_printable("\n".join([*run, ""])))
    return Part(tuple(pieces), html)


def quoted_printable(text: str) -> bytes:
    """Lines of text as quoted-printable with CRLF (RFC 2045, 6.7); each line ends in one."""
    crlf = "\r\n".join(text.split("\n")).removesuffix("\r\n") + "\r\n"
    encoded = b2a_qp(crlf.encode(), istext=True)
    # A relay may put ">" before a line that begins with "From " and break a signature.
    return re.sub(rb"(?m)^From ", b"=46rom ", encoded)


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


# ---------------------------------------------------------------- headers


def _personal(delivery: Delivery) -> dict[str, str]:
    """The personal facts of a delivery, one for each name in PERSONAL."""
    return {"address": mailable(delivery.subscriber.address), "since": day_words(delivery.subscriber.since)}


_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)


def mailable(address: str) -> str:
    """The address with its domain as A-labels (RFC 5890). Raises MailError, permanent, when it is not exactly one
    plain address: Python's own header classes would take "a@x, b@y" (RFC 5322, 3.4.1)."""
    found = ascii_address(address)
    if len(found) > 254 or not _ADDRESS.fullmatch(found):
        raise MailError(
            f"{address!r} is no address that mail can carry (one address, ASCII before the @). "
            "Remove it with `digest subscribers remove` and add the right one.",
            permanent=True,
        )
    return found


def _personal_head(delivery: Delivery, address: str) -> bytes:
    message_id = f"<{delivery.message_id.strip('<>')}>"
    date: datetime = delivery.date
    return f"Date: {format_datetime(date)}\r\nMessage-ID: {message_id}\r\nTo: {address}\r\n".encode("ascii")


def _fixed_head(
    subject: str, boundary: str, site: SiteConfig, digest: DigestConfig, mail: MailConfig, url: str
) -> bytes:
    """The headers that are the same in every copy, up to and with the empty line.

    Written here and not by email.message, which encodes a long List-Unsubscribe as words, so that clients show no
    button (python/cpython 87659), and makes encoded words of 76 characters where RFC 2047 allows 75 (seen in 3.11.7).
    """
    name, address = parseaddr(mail.from_)
    address = ascii_address(address)
    host = ascii_address(urlsplit(site.url).hostname or "localhost")
    lines = [
        _with_phrase("From", clean(name), address),
        f"Subject: {_words(subject, len('Subject: '))}",
        # The part in brackets names the list for ever (RFC 2919); the phrase may change.
        _with_phrase("List-ID", clean(digest.title or site.title), f"{digest.name}.{host}"),
        f"List-Unsubscribe: <{_mailto(mail)}>",
        f"List-Archive: <{safe_url(url)}>",
        "Auto-Submitted: auto-generated",
        "Precedence: bulk",
        f"Content-Language: {site.language}",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")


def _with_phrase(header: str, phrase: str, address: str) -> str:
    """A header of a phrase and an address in angle brackets, folded between them when it is long (RFC 5322, 3.2.5)."""
    if not phrase:
        return f"{header}: <{address}>"
    if re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=^_`{|}~ -]{1,60}", phrase):
        shown = phrase
    elif phrase.isascii() and len(phrase) <= 60:
        shown = '"' + re.sub(r'([\\"])', r"\\\1", phrase) + '"'
    else:
        shown = _words(phrase, len(header) + 2)
    last = shown.rpartition("\n")[2]
    space = " " if len(header) + len(last) + len(address) < 70 else "\r\n "
    return f"{header}: {shown}{space}<{address}>"


def _words(text: str, used: int) -> str:
    """Header text as it is where it can be, else as encoded words of at most 75 characters, each whole in itself
    (RFC 2047, 2 and 5), folded to lines of 76. `used` columns of the first line are taken."""
    if text.isascii() and "=?" not in text and used + len(text) <= 78:
        return text
    words: list[bytes] = []
    chunk = b""
    room = (76 - used - len(_WORD % "")) // 4 * 3
    for letter in text:
        encoded = letter.encode()
        if len(chunk) + len(encoded) > room:
            words, chunk, room = [*words, chunk], b"", 45
        chunk += encoded
    return "\r\n ".join(_WORD % b64encode(word).decode("ascii") for word in [*words, chunk])


_WORD = "=?utf-8?b?%s?="
