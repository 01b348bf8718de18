"""Letters go out: the question whether an address wants to subscribe, and the link to their choices for who does already.

They do not wait for a run and its lease: somebody sits before the page that promised them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from digest.errors import MailError
from digest.model import Letter, Message

if TYPE_CHECKING:
    from digest.smtp import Transport
    from digest.store import Store

log = logging.getLogger(__name__)

# The link in a letter ends after 48 hours, so trying begins sooner than for an edition, and ends with the link.
RETRY_FIRST = timedelta(minutes=5)
RETRY_LAST = timedelta(hours=2)
BATCH = 20


class LettersReport(Struct, frozen=True, kw_only=True):
    """What became of the letters of one call. `error` is why it ended early, with the mend; the rest stays queued."""

    accepted: int = 0
    deferred: int = 0
    rejected: int = 0
    error: str | None = None


def retry_at(now: datetime, attempt: int) -> datetime:
    """When a letter is tried again after this many attempts: 5, 10, 20 minutes, … at most 2 hours."""
    return now + min(RETRY_FIRST * (1 << min(max(attempt - 1, 0), 10)), RETRY_LAST)


def send_letters(
    store: Store,
    open_transport: Callable[[], Transport],
    compose: Callable[[Letter], Message],
    *,
    holder: str,
    clock: Callable[[], datetime],
    stop: threading.Event | None = None,
) -> LettersReport:
    """Sends every letter that waits and is due. At most one process sends a letter: it is claimed first.

    A server that cannot be used ends the call; what was claimed is queued again.
    """
    stop = stop or threading.Event()
    counts = {"accepted": 0, "deferred": 0, "rejected": 0}
    transport, error = None, None
    try:
        while not stop.is_set() and error is None:
            claimed = store.claim_letters(now=clock(), holder=holder, limit=BATCH)
            if not claimed:
                break
            transport = transport or open_transport()
            for number, letter in enumerate(claimed):
                try:
                    status = _send(store, transport, compose(letter), letter, clock())
                except MailError as fault:
                    error = str(fault)
                    for each in claimed[number:]:
                        store.record_letter(
                            each.id, "queued", retry_at=retry_at(clock(), each.attempt), now=clock()
                        )
                    counts["deferred"] += len(claimed) - number
                    break
                counts[status] += 1
    finally:
        if transport is not None:
            transport.close()
    return LettersReport(**counts, error=error)


def _send(store: Store, transport: Transport, message: Message, letter: Letter, now: datetime) -> str:
    receipt = transport.send(letter.subscriber.address, message, message_id=letter.message_id)
    log.debug("letter %d: %s %s", letter.id, receipt.status, receipt.reply_code)
    if receipt.status == "deferred":
        store.record_letter(letter.id, "queued", retry_at=retry_at(now, letter.attempt), now=now)
        return "deferred"
    done = "accepted" if receipt.status == "accepted" else "rejected"
    store.record_letter(letter.id, "accepted" if done == "accepted" else "rejected", now=now)
    return done
