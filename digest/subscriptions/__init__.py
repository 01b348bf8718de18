"""Who gets mail: the rules of subscribing, confirming, choosing and leaving. The store keeps the facts, and asks them again at
each claim of a mail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from digest.choices import in_zone, next_due, next_mail, preferences_problems, topic_slugs
from digest.config import Config
from digest.errors import TokenExpired, TokenInvalid, UsageError
from digest.formats.subscribing import Flow
from digest.mail.ids import message_id
from digest.mail.letters import CONFIRM_HOURS
from digest.model import ON_THE_LIST, Preferences, Subscriber, SubscriberStatus
from digest.subscriptions.lists import Imported, Refused, export_rows, import_rows, moment_of
from digest.subscriptions.operator import (
    add,
    allow,
    checked_address,
    erase,
    has_left,
    remove,
    why_never,
)
from digest.tokens import Purpose, Tokens

if TYPE_CHECKING:
    from digest.store import Store

__all__ = [
    "CONSENT",
    "Imported",
    "Link",
    "Refused",
    "State",
    "Subscriptions",
    "add",
    "allow",
    "checked_address",
    "erase",
    "export_rows",
    "has_left",
    "import_rows",
    "moment_of",
    "remove",
    "why_never",
]

# For how long back it is said what a topic brings.
LATELY = timedelta(days=28)
# The version of the words to which people agree in the form (templates/web/subscribe.html).
CONSENT = "form 2026-11"
UNDO_HOURS = 24
ASK_EVERY = timedelta(hours=24)
ASK_TIMES = 3

State = SubscriberStatus | Literal["expired", "unknown"]


class Link(Struct, frozen=True, kw_only=True):
    """What a link leads to: the state of its subscriber; "expired" for one whose time has passed, "unknown" for none of ours.
    `changed`: this very call brought it about."""

    state: State
    subscriber: Subscriber | None = None
    changed: bool = False


UNKNOWN = Link(state="unknown")


class Subscriptions:
    """The rules over one store. Every method is harmless when repeated."""

    def __init__(self, store: Store, config: Config, tokens: Tokens) -> None:
        self._store, self._config, self._tokens = store, config, tokens
        self._flows: tuple[object, dict[str, list[Flow]]] = (None, {})

    # ------------------------------------------------------------ asking

    def subscribe(
        self, address: str, *, digests: Sequence[str], preferences: Preferences, now: datetime
    ) -> None:
        """Asks an address whether it wants to subscribe: a letter is queued, at most one a day, three until it answers.

        Who reads a digest already gets a letter with the link to their choices; who is suppressed gets nothing. The caller
        cannot tell these apart. Raises UsageError for what is no address, and for choices that are none.
        """
        checked = checked_address(address, tests=False)
        self._check(digests, preferences)
        with self._store.together():
            known, gone = self._store.subscriber(checked), self._store.suppression(checked)
            reads = known is not None and known.status in ON_THE_LIST
            # Letters to a reader are counted apart: whoever leaves later may still be asked.
            times, last = self._store.asked(checked, reader=reads)
            never = (known is not None and known.status == "suppressed") or (
                gone is not None and gone.reason != "erased"
            )
            if never or _was_just_asked(last, now) or (times >= ASK_TIMES and not reads):
                self._store.note_nothing(now=now)
                return
            self._store.note_asked(checked, now=now, reader=reads)
            reader = self._store.add_pending(
                checked, digests=digests, preferences=preferences, consent=CONSENT, now=now
            )
            self._queue(reader, "known" if reads else "confirm", now)

    def send_again(self, token: str, *, now: datetime) -> Link:
        """A new letter for a confirm link that has ended, within the same limits; the state of its subscriber."""
        link = self.look("confirm", token, now=now)
        reader = link.subscriber
        if reader is None or reader.status != "pending":
            return link
        with self._store.together():
            times, last = self._store.asked(reader.address)
            if times < ASK_TIMES and not _was_just_asked(last, now):
                self._store.note_asked(reader.address, now=now)
                self._queue(reader, "confirm", now)
        return Link(state="pending", subscriber=reader)

    def _queue(self, reader: Subscriber, kind: Literal["confirm", "known"], now: datetime) -> None:
        import secrets

        own_id = message_id(now, kind, self._config.mail.domain, secrets.token_hex(12))
        self._store.queue_letter(reader.id, kind, message_id=own_id, now=now)

    def _check(self, digests: Sequence[str], preferences: Preferences) -> None:
        names = [digest.name for digest in self._config.digest]
        problems = [f'There is no digest "{name}".' for name in digests if name not in names]
        if problems := problems + preferences_problems(preferences, topic_slugs(self._config.digest)):
            raise UsageError(" ".join(problems))

    # ------------------------------------------------------------ by a link

    def look(self, purpose: Purpose, token: str, *, now: datetime) -> Link:
        """The state behind a link. Changes nothing."""
        expired = False
        try:
            number = self._tokens.read(purpose, token, nonce_of=self._store.nonce_of, now=now)
        except TokenInvalid:
            return UNKNOWN
        except TokenExpired as error:
            number, expired = error.subscriber_id, True
        subscriber = self._store.subscriber_by_id(number)
        if subscriber is None:
            return UNKNOWN
        # An ended link of somebody who answered long ago says that they did.
        expired = expired or self._is_of_before(purpose, token, subscriber)
        if expired and (purpose == "undo" or subscriber.status == "pending"):
            return Link(state="expired", subscriber=subscriber)
        subscriber = self._awake(subscriber, now)
        return Link(state=subscriber.status, subscriber=subscriber)

    def _awake(self, reader: Subscriber, now: datetime) -> Subscriber:
        """Whose pause is over is a reader again, also where the store will hear that from the next run only."""
        until, today = reader.paused_until, now.astimezone(self._config.site.zone).date()
        is_over = reader.status == "paused" and until is not None and until <= today
        return replace(reader, status="confirmed", paused_until=None) if is_over else reader

    def _is_of_before(self, purpose: Purpose, token: str, subscriber: Subscriber) -> bool:
        """Was this link made when they were asked, or left, an earlier time? It says nothing of this one."""
        waiting = {"confirm": ("pending", CONFIRM_HOURS), "undo": ("unsubscribed", UNDO_HOURS)}
        status, hours = waiting.get(purpose, ("", 0))
        if subscriber.status != status or subscriber.changed_at is None:
            return False
        # Links end at full minutes.
        made_at = self._tokens.end(purpose, token) - timedelta(hours=hours)
        return made_at < subscriber.changed_at - timedelta(minutes=1)

    def confirm(self, token: str, *, now: datetime) -> Link:
        """Makes a reader of who was asked. Of nobody else: who has left since does not come back by an old link."""
        link = self.look("confirm", token, now=now)
        if link.state != "pending" or link.subscriber is None:
            return link
        return self._changed(link.subscriber, self._store.confirm_subscriber(link.subscriber.id, now=now))

    def unsubscribe(self, token: str, *, now: datetime) -> Link:
        """Takes the reader off, with all that is queued for them. Effective when this returns."""
        link = self.look("unsubscribe", token, now=now)
        if link.subscriber is None:
            return link
        return self._changed(link.subscriber, self._store.leave(link.subscriber.id, now=now))

    def can_undo(self, reader: Subscriber, *, now: datetime) -> bool:
        """Did they leave within the last day, and were a reader until then?"""
        left_at = reader.changed_at
        is_late = left_at is None or left_at + timedelta(hours=UNDO_HOURS) <= now
        return not is_late and self._store.left_as_reader(reader.id)

    def undo(self, token: str, *, now: datetime) -> Link:
        """Brings back a reader who left within the last day, by the link on the page that said so. Of nobody else it makes one."""
        link = self.look("undo", token, now=now)
        reader = link.subscriber
        if link.state != "unsubscribed" or reader is None:
            return link
        if reader.changed_at is None or reader.changed_at + timedelta(hours=UNDO_HOURS) < now:
            return Link(state="expired", subscriber=reader)
        return self._changed(reader, self._store.return_subscriber(reader.id, now=now))

    def change(
        self,
        token: str,
        *,
        digests: Sequence[str],
        preferences: Preferences,
        paused_until: date | None,
        now: datetime,
    ) -> Link:
        """Stores choices; what waits gets its new hour. Raises UsageError for choices that are none."""
        link = self.look("manage", token, now=now)
        if link.state not in ON_THE_LIST or link.subscriber is None:
            return link
        self._check(digests, preferences)
        number, zone = link.subscriber.id, self._config.site.timezone

        def due(issued_at: datetime) -> datetime:
            return next_due(preferences, issued_at, site_timezone=zone)

        with self._store.together():
            changed = self._store.set_choices(
                number, digests=digests, preferences=preferences, paused_until=paused_until, now=now
            )
            if changed:
                self._store.reschedule(number, due, now=now)
                self._store.reschedule_notices(number, due, now=now)
        return self._changed(link.subscriber, changed)

    def flows(self, today: date) -> dict[str, list[Flow]]:
        """What each topic brought lately, by slug: one Flow for each digest that showed papers of it. It is the same until there is
        another edition."""
        at = (today, self._store.newest_indexed())
        if self._flows[0] != at:
            self._flows = at, self._flows_until(today)
        return self._flows[1]

    def _flows_until(self, today: date) -> dict[str, list[Flow]]:
        found: defaultdict[str, list[Flow]] = defaultdict(list)
        for digest in self._config.digest:
            counts, days, first = self._store.topics_since(digest.name, today - LATELY)
            weeks = max(((today - first).days + 1) / 7, 1.0) if first else 1.0
            for slug, papers in counts.items():
                found[slug].append(Flow(papers, days, weeks))
        return found

    def next_mail(self, reader: Subscriber, *, now: datetime) -> datetime | None:
        """When a reader's next mail goes out, by their own clock: one that waits, or that of the next run, if it brings something.
        None for who gets none, and where no run has a schedule."""
        if reader.status != "confirmed":
            return None
        moments = [self._store.next_due_of(reader.id), next_mail(reader, self._config, now)]
        if reader.preferences.empty:
            moments.append(self._store.next_notice_of(reader.id))
        first = min((moment for moment in moments if moment), default=None)
        zone = self._config.site.timezone
        return first and in_zone(reader.preferences, max(first, now), site_timezone=zone)

    def export(self, token: str, *, now: datetime) -> dict[str, Any] | None:
        """All that is stored of a person, ready for JSON; None for a link that is not theirs."""
        reader = self.look("manage", token, now=now).subscriber
        if reader is None:
            return None
        return {
            "schema": 1,
            "address": reader.address,
            "status": reader.status,
            "since": reader.since.isoformat(),
            "changed_at": reader.changed_at.isoformat() if reader.changed_at else None,
            "consent": reader.consent,
            "digests": list(reader.digests),
            "preferences": msgspec.to_builtins(reader.preferences),
            "paused_until": reader.paused_until.isoformat() if reader.paused_until else None,
            "mails": [
                {"digest": digest, "edition": edition, "status": status, "date": on.isoformat()}
                for edition, digest, status, on in self._store.deliveries_of(reader.id)
            ],
            "letters": [
                {"kind": kind, "digest": digest or None, "status": status, "date": on.isoformat()}
                for kind, digest, status, on in self._store.letters_of(reader.id)
            ],
        }

    def erase(self, token: str, *, now: datetime) -> tuple[Link, list[str]]:
        """Erases all data of a person; the Message-IDs of their mails, for a folder that holds copies."""
        reader = self.look("manage", token, now=now).subscriber
        if reader is None:
            return UNKNOWN, []
        message_ids = self._store.erase_subscriber(reader.address, now=now)
        return Link(state="unknown", changed=message_ids is not None), message_ids or []

    def _changed(self, before: Subscriber, changed: bool) -> Link:
        after = self._store.subscriber_by_id(before.id)
        return Link(state=after.status, subscriber=after, changed=changed) if after else UNKNOWN

    # ------------------------------------------------------------ links

    def manage_url(self, subscriber: Subscriber) -> str:
        return self._url("manage", self._tokens.make("manage", subscriber))

    def unsubscribe_url(self, subscriber: Subscriber) -> str:
        return self._url("unsubscribe", self._tokens.make("unsubscribe", subscriber))

    def undo_url(self, subscriber: Subscriber, now: datetime) -> str:
        until = now + timedelta(hours=UNDO_HOURS)
        return self._url("undo", self._tokens.make("undo", subscriber, until=until))

    def _url(self, page: str, token: str) -> str:
        return f"{self._config.site.url}{page}/?t={token}"


def _was_just_asked(last: datetime | None, now: datetime) -> bool:
    """A moment to come was noted by a clock that was wrong, and keeps nobody from being asked."""
    return last is not None and last <= now < last + ASK_EVERY
