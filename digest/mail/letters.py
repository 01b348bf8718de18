"""Mails that are no edition: the question whether an address wants to subscribe, and the link to their choices for who does.

Nothing stands in them that the person who filled in the form could have written, so that nobody can send words to a stranger.
"""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from hashlib import sha256
from typing import Any

from digest.addresses import ascii_url
from digest.config import Config
from digest.mail.headers import from_header, mailable, subject_header
from digest.mail.parts import HTML_TYPE, TEXT_TYPE, flow, quoted_printable
from digest.model import Letter, Message
from digest.render import Renderer, clean, sender_of
from digest.text import truncate
from digest.tokens import Tokens

CONFIRM_HOURS = 48


def letter(
    letter: Letter,
    config: Config,
    renderer: Renderer,
    tokens: Tokens,
) -> Message:
    """A letter as a mail with the null sender, since nobody is to answer it (RFC 3834, 3.3). Its link ends 48 hours after it was
    asked for, whenever it goes out.

    Raises MailError, permanent, for an address that no header can carry.
    """
    title = clean(config.site.title)
    subject = {
        # Not a question: some filters for spam count a mark at its end (one of the four points that greylist, seen 2026-11).
        "confirm": f"Confirm that you want {truncate(title, 44)} by mail",
        "known": f"Your subscription to {truncate(title, 48)}",
    }[letter.kind]
    variables: dict[str, Any] = {
        "site_title": title,
        "subject": subject,
        "address": mailable(letter.subscriber.address),
        "link": _link(letter, config, tokens),
        "hours": CONFIRM_HOURS,
        "home_url": config.home_url,
        "sender": sender_of(config.site),
    }
    text = renderer.render(f"{letter.kind}.txt", **variables)
    html = renderer.render(f"{letter.kind}.html", **variables)
    boundary = f"=_{sha256(letter.message_id.encode()).hexdigest()[:24]}"
    edge = f"--{boundary}\r\n".encode()
    pieces = (
        _head(letter, subject, boundary, config),
        edge + TEXT_TYPE,
        b"".join(quoted_printable(flow(line)) for line in text.splitlines()),
        edge + HTML_TYPE,
        quoted_printable(html),
        f"--{boundary}--\r\n".encode(),
    )
    return Message(pieces=pieces, sender="")


def _link(letter: Letter, config: Config, tokens: Tokens) -> str:
    root = ascii_url(config.site.url)
    if letter.kind == "known":
        return f"{root}manage/?t={tokens.make('manage', letter.subscriber)}"
    until = letter.date + timedelta(hours=CONFIRM_HOURS)
    return f"{root}confirm/?t={tokens.make('confirm', letter.subscriber, until=until)}"


def _head(letter: Letter, subject: str, boundary: str, config: Config) -> bytes:
    lines = [
        f"Date: {format_datetime(letter.date)}",
        f"Message-ID: <{letter.message_id.strip('<>')}>",
        from_header(config.mail),
        f"To: {mailable(letter.subscriber.address)}",
        subject_header(subject),
        # RFC 3834, 5: it answers what somebody sent in, by a form; no vacation note is to answer it.
        "Auto-Submitted: auto-replied",
        "Precedence: bulk",
        f"Content-Language: {config.site.language}",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
        "",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")
