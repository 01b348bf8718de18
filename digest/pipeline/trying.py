"""Trying again: after a refusal for now, after a run that was killed, and with a server that wants to be left alone."""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from digest.config import MailConfig
from digest.journal import Left, Said, Wait
from digest.mail.replies import verdict
from digest.model import Delivery, Receipt, Subscriber

if TYPE_CHECKING:
    from digest.store import Store

log = logging.getLogger(__name__)

# RFC 5321, 4.5.4.1: at least 30 minutes to the second try; we give up long before its 4-5 days (mail.expire_after_h).
RETRY_FIRST = timedelta(minutes=30)
RETRY_LAST = timedelta(hours=4)
# Each further try of a mail of which nobody knows whether it was taken may be one copy more: 30 minutes, 2 hours, 8, then every
# 16. The last try of a day and a half is more than a day after the first, should the server have had none of them.
DOUBT_TIMES, DOUBT_LAST = 4, timedelta(hours=16)
# A server that ends our session (421) is left alone for so long, twice as long the next time (the figures of Postfix).
BACK_OFF_FIRST_S = 300.0
BACK_OFF_LAST_S = 4000.0


def place_of(store: Store) -> str:
    """How journals name the store that they belong to."""
    return hashlib.sha256(store.secret()).hexdigest()[:16]


def retry_at(
    now: datetime,
    attempt: int,
    *,
    first: timedelta = RETRY_FIRST,
    times: int = 2,
    last: timedelta = RETRY_LAST,
) -> datetime:
    """When to try again after this many attempts: after `first`, then so many `times` as long each time, and `last` at most. Of an
    edition's mail 30 minutes, 1 hour, 2 hours, then every 4.

    >>> from datetime import UTC
    >>> retry_at(datetime(2026, 11, 19, 6, tzinfo=UTC), 2).isoformat()
    '2026-11-19T07:00:00+00:00'
    """
    return now + min(first * int(times ** min(max(attempt - 1, 0), 10)), last)


def recover(store: Store, mail: MailConfig, left: Left, mark: str, now: datetime) -> None:
    """What the journal of a killed run knows is recorded; what it began and has no answer to is in doubt."""
    answers, again = known_from(store, left, now)
    if answers:
        store.record_receipts(answers, now=now)
    resend = mail.in_doubt == "resend"
    doubtful = store.recover_in_doubt(holder=mark, now=now, resend=resend, untouched=again)
    tell_doubtful(doubtful, resend=resend)


def known_from(
    store: Store, left: Left, now: datetime
) -> tuple[list[tuple[Delivery, Receipt, datetime | None]], list[int]]:
    """What a journal knows for sure: answers to record, and the ids of deliveries that no server has."""
    answers, again = [], left.untouched(store.claimed_under(left.mark)) if left.mark else []
    for number, said in left.said.items():
        receipt = said.receipt
        found = verdict(receipt.reply_code, receipt.enhanced_code, receipt.text, stage=said.stage)
        if receipt.status == "accepted" or found in ("retry", "rejected"):
            answers.append(_noted(number, said, now))
        else:
            # Was it the reader, or the server's mood? The run that could tell is gone: ask again.
            again.append(number)
    return answers, again


def tell_doubtful(count: int, *, resend: bool) -> None:
    if count:
        fate = "sent again with the same Message-ID" if resend else "held"
        log.warning("%d mails were in flight when a run ended: %s (mail.in_doubt)", count, fate)


def _noted(number: int, said: Said, now: datetime) -> tuple[Delivery, Receipt, datetime | None]:
    """An answer from the journal. Of its delivery the store needs to know the number only."""
    nobody = Subscriber(id=0, address="", status="confirmed", since=now)
    delivery = Delivery(
        id=number, edition_id=0, digest="", edition="", subscriber=nobody, message_id="", date=now, attempt=0
    )
    receipt = said.receipt
    again = retry_at(now, said.attempt) if receipt.status == "deferred" else None
    return delivery, receipt, again


def pause(now: datetime, reason: str, before: Wait | None, *, first_s: float = BACK_OFF_FIRST_S) -> Wait:
    """How long a server that ended our session is left alone: twice as long as `before`, the pause that ended just now."""
    seconds = min(before.seconds * 2, BACK_OFF_LAST_S) if before else first_s
    return Wait(until=now + timedelta(seconds=seconds), seconds=seconds, reason=reason)


def pause_of(store: Store, name: str) -> Wait | None:
    """The last pause of all processes of the store, which may be over."""
    found = store.wait(name)
    return Wait(until=found[0], seconds=found[1], reason=found[2]) if found else None


def in_words(wait: Wait) -> str:
    """Why nothing is sent, and until when."""
    return f"{wait.reason} It asked to be left alone: nothing is sent before {wait.until:%Y-%m-%d %H:%M} UTC."
