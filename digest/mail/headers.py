"""The headers of a mail, written here and not by email.message.

That encodes a long List-Unsubscribe as words, so that clients show no button (python/cpython 87659), and makes encoded words
of 76 characters where RFC 2047 allows 75 (seen in 3.11.7).
"""

from __future__ import annotations

import re
from base64 import b64encode
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from typing import Literal
from urllib.parse import quote, urlsplit

from digest.addresses import ascii_address, ascii_url
from digest.config import Config, DigestConfig, MailConfig
from digest.errors import MailError
from digest.model import Delivery, Letter, Preferences, Subscriber
from digest.render import clean
from digest.tokens import Tokens
from digest.words import WEEKDAYS, counted, day_words, schedule_words


class Postmark:
    """What differs from copy to copy: the reader's address, their links, and the envelope sender that failures come back to."""

    def __init__(self, config: Config, tokens: Tokens) -> None:
        self._site, self._mail, self._tokens = config.site, config.mail, tokens
        self._digests = {digest.name: digest for digest in config.digest}
        self._by_link, self._zone = config.web.enabled, config.site.zone
        self._root = ascii_url(config.site.url)
        self._mailto = mailto_of(config.mail)
        local, _, domain = ascii_address(config.mail.bounces).rpartition("@")
        self._bounces = (local, domain) if local else None
        self._answered = bool(local and config.mail.mailbox.host)
        self._chosen = lru_cache(maxsize=4096)(self._chosen_words)

    def facts(self, subscriber: Subscriber, digest: str) -> dict[str, str]:
        """The personal facts, one for each name in PERSONAL. Raises MailError for an address that no header can carry."""
        return {
            "address": mailable(subscriber.address),
            "since": _day_words(subscriber.since.astimezone(self._zone).date()),
            "chosen": self._chosen(subscriber.preferences, digest),
            "manage_url": self._link("manage", subscriber) if self._by_link else "",
            "unsubscribe_url": self._link("unsubscribe", subscriber) if self._by_link else self._mailto,
        }

    def _link(self, page: Literal["manage", "unsubscribe"], subscriber: Subscriber) -> str:
        return f"{self._root}{page}/?t={self._tokens.make(page, subscriber)}"

    def _chosen_words(self, preferences: Preferences, digest: str) -> str:
        """How often and what, behind "asked for it on …": ": once a week, on Friday, at 07:00 (UTC), 3 topics"."""
        chosen, zone = self._digests[digest], self._site.timezone
        often = {
            "daily": "every day" if preferences.hour is not None else schedule_words(chosen.schedule, zone),
            "weekdays": "every weekday",
            "weekly": f"once a week, on {WEEKDAYS[preferences.weekly_on % 7]}",
        }[preferences.frequency]
        hour = (
            ""
            if preferences.hour is None
            else f"at {preferences.hour:02}:00 ({preferences.timezone or zone})"
        )
        topics = len(chosen.topics) if preferences.topics is None else len(preferences.topics)
        words = [" ".join(filter(None, (often, hour))), counted(topics, "topic") if topics else ""]
        shown = ", ".join(filter(None, words))
        return f": {shown}" if shown else ""

    def sender(self, subscriber: Subscriber) -> str | None:
        """The envelope sender: an address of its own for each reader (VERP), None for that of mail.from."""
        if self._bounces is None:
            return None
        local, domain = self._bounces
        return f"{local}+{self._tokens.make('bounce', subscriber)}@{domain}"

    def head(self, copy: Delivery | Letter, facts: dict[str, str], sender: str | None) -> bytes:
        """The headers of one copy, each ending in CRLF. The link comes first in List-Unsubscribe (RFC 2369, 3.2) and each
        address whole on a line of its own; RFC 8058 wants both headers, and a link of https."""
        message_id = copy.message_id.strip("<>")
        lines = [f"Date: {_date(copy.date)}", f"Message-ID: <{message_id}>", f"To: {facts['address']}"]
        if self._by_link:
            mailto = f"mailto:{sender}?subject=unsubscribe" if sender and self._answered else self._mailto
            # Folded between the two addresses only: some programs find no address on a line that begins with its name alone.
            lines += [f"List-Unsubscribe: <{facts['unsubscribe_url']}>,", f" <{mailto}>"]
            if self._root.startswith("https:"):
                lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
        else:
            lines.append(f"List-Unsubscribe: <{self._mailto}>")
        return "".join([f"{line}\r\n" for line in lines]).encode("ascii")


_day_words = lru_cache(maxsize=4096)(day_words)
_date = lru_cache(maxsize=4096)(format_datetime)


def mailto_of(mail: MailConfig) -> str:
    """Where "unsubscribe me" mails go to."""
    address = ascii_address(mail.unsubscribe or mail.address)
    bare = f"mailto:{quote(address, safe='@+')}"
    # Above 70 characters some programs fold the header there, and the address is broken.
    return full if len(full := f"{bare}?subject=unsubscribe") <= 68 else bare


def from_header(mail: MailConfig) -> str:
    name, address = parseaddr(mail.from_)
    return _with_phrase("From", clean(name), ascii_address(address))


def subject_header(subject: str) -> str:
    return f"Subject: {_words(subject, len('Subject: '))}"


def list_head(subject: str, config: Config, digest: DigestConfig, content_type: str) -> bytes:
    """The headers that are the same in every copy of an edition, (RFC 2369, 2919, 3834). An empty
    `content_type` is left to who writes the body."""
    host = ascii_address(urlsplit(config.site.url).hostname or "localhost").replace(":", "-")
    home = ascii_url(config.digest_url(digest.name))
    contact = f"mailto:{quote(ascii_address(config.contact), safe='@+')}"
    lines = [
        from_header(config.mail),
        subject_header(subject),
        # The part in brackets names the list for ever (RFC 2919); the phrase may change.
        _with_phrase("List-Id", clean(digest.title or config.site.title), f"{digest.name}.{host}"),
        f"List-Subscribe: <{f'{ascii_url(config.site.url)}subscribe/' if config.web.enabled else contact}>",
        f"List-Archive: <{home}>",
        f"List-Help: <{home}>",
        f"List-Owner: <{contact}>",
        "List-Post: NO",
        "Auto-Submitted: auto-generated",
        "Precedence: bulk",
        f"Content-Language: {config.site.language}",
        "MIME-Version: 1.0",
    ] + ([f"Content-Type: {content_type}"] if content_type else [])
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


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


def _with_phrase(header: str, phrase: str, address: str) -> str:
    """A header of a phrase and an address in angle brackets, folded between them when it is long (RFC 5322, 3.2.5)."""
    if not phrase:
        return f"{header}: <{address}>"
    if re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=^_`{|}~ -]{1,60}", phrase):
        shown = phrase
    elif phrase.isascii() and len(phrase) <= 60 and "=?" not in phrase:
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
