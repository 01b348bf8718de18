"""The shapes of readers: who they are, what they chose, and the mails on their way to them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

Frequency = Literal["daily", "weekdays", "weekly"]
SubscriberStatus = Literal["pending", "confirmed", "paused", "unsubscribed", "suppressed"]
# Who reads, or will again when a pause is over.
ON_THE_LIST: tuple[SubscriberStatus, ...] = ("confirmed", "paused")
LetterKind = Literal["confirm", "known", "notice"]
Day = date  # where a field is called `date`


class Preferences(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a subscriber chose; the defaults are every paper, as soon as an edition is out.

    `topics` are slugs ("other" for papers without a topic; a pick counts by its topic), None for all of them, those to come
    too. `weekly_on` is a weekday, 0 for Monday. `hour` is a local hour in `timezone` (a name like "Europe/Berlin"; "" for
    site.timezone), None for as soon as the edition is out. `most` papers in one mail, 0 for no limit. `follow` and `mute` are
    rules as in [[digest]] include: what is followed comes whatever its topic, what is muted never does. `empty`: a mail is wanted
    also where there is nothing, with the reason.
    """

    topics: tuple[str, ...] | None = None
    frequency: Frequency = "daily"
    weekly_on: int = 4
    hour: int | None = None
    timezone: str = ""
    most: int = 0
    follow: tuple[str, ...] = ()
    mute: tuple[str, ...] = ()
    text_only: bool = False
    empty: bool = False


class Subscriber(Struct, frozen=True, kw_only=True):
    """A person who asked for mail. `digests` empty means every digest. `since` is when the address was confirmed, or asked
    while it is pending; `changed_at` when its status last changed.

    `nonce` goes into every token of theirs (tokens.py) and dies with the row. `consent` says how they asked: "form 2026-11"
    (the version of the words they agreed to), "operator", "import". `paused_until` is the day on which a paused one goes on.
    """

    id: int
    address: str
    status: SubscriberStatus
    digests: tuple[str, ...] = ()
    preferences: Preferences = Preferences()
    since: datetime
    changed_at: datetime | None = None
    nonce: str = ""
    consent: str = ""
    paused_until: date | None = None

    def reads(self, digest: str) -> bool:
        """Did they choose the digest of this name, or all?"""
        return not self.digests or digest in self.digests


class Suppression(Struct, frozen=True, kw_only=True):
    """Why an address, of which only a keyed hash is kept, gets no mail: its mailbox is gone, its owner complained, or left
    and had all data erased."""

    reason: Literal["bounced", "complained", "erased"]
    since: datetime


class Delivery(Struct, frozen=True, kw_only=True):
    """One mail on its way to one subscriber: an edition, with those before it that waited for the same mail.

    Message-ID and Date are fixed when it is queued (RFC 5322, 3.6.4). `editions` are the ids of all its editions, oldest first,
    `edition` the last of them. It is to go out at `due_at` or soon after.
    """

    id: int
    edition_id: int
    digest: str
    edition: str
    editions: tuple[str, ...] = ()
    subscriber: Subscriber
    message_id: str
    date: datetime
    attempt: int
    due_at: datetime | None = None


class Span(Struct, frozen=True, kw_only=True):
    """Deliveries that one job carries: those of one edition that were queued for the moment `due_at`, ids `first` to `last`."""

    edition_id: int
    due_at: datetime
    first: int
    last: int


class Letter(Struct, frozen=True, kw_only=True):
    """A mail that is no edition: the question whether an address wants to subscribe ("confirm"), the link to their choices for who
    is subscribed already and asked again ("known"), or, to who wants to hear it, that there was no edition ("notice"): of `digest`,
    last on the local date `day`."""

    id: int
    kind: LetterKind
    subscriber: Subscriber
    message_id: str
    date: datetime
    attempt: int
    digest: str = ""
    day: Day | None = None


class Said(Struct, frozen=True, kw_only=True):
    """What some sources have in common of a day without an edition, in words for readers."""

    names: tuple[str, ...]
    words: str


class Message(Struct, frozen=True, kw_only=True):
    """A mail as it goes over the wire, in pieces that many mails may share.

    Joined, the pieces are the whole message of RFC 5322: ASCII, CRLF line ends, the last one too, and no line that begins
    with a dot, so that nothing is left to do to them (RFC 5321, 4.5.2). `sender` is the envelope sender: "" for the null
    sender `<>`, None for the address in mail.from.
    """

    pieces: tuple[bytes, ...]
    sender: str | None = None

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))


class Receipt(Struct, frozen=True, kw_only=True):
    """What the receiving side said of one message: accepted, deferred (try later) or rejected (final). `skipped` is our own:
    the edition holds nothing that this reader chose, and no mail was made.

    `reply_code` as in RFC 5321, `enhanced_code` as in RFC 3463, both None for the folder transport.
    """

    status: Literal["accepted", "deferred", "rejected", "skipped"]
    reply_code: int | None = None
    enhanced_code: str | None = None
    text: str = ""
