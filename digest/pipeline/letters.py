"""Letters go out: the question whether an address wants to subscribe, the link to their choices for who does already, and notices.

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
from digest.pipeline.pace import Pace

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
    per_second: float = 0.0,
) -> LettersReport:
    """Sends every letter that waits and is due, `per_second` at most (0: no limit). At most one process sends a letter: it is
    claimed first.

    A server that cannot be used ends the call, and so do `stop` and any fault; what was claimed is queued again then. A letter that
    cannot be composed, since its address is none or its digest gone, is rejected, and keeps no other from going.
    """
    stop, pace = stop or threading.Event(), Pace(per_second)
    # What is claimed is left to others after ten minutes, and asked for its reader no more.
    batch = min(BATCH, 1 + int(per_second)) if per_second else BATCH
    counts = {"accepted": 0, "deferred": 0, "rejected": 0}
    claimed: list[Letter] = []
    transport, error = None, None
    try:
        while not stop.is_set() and (claimed := store.claim_letters(now=clock(), holder=holder, limit=batch)):
            transport = transport or open_transport()
            while claimed and not stop.wait(pace.delay()):
                pace.take()
                letter = claimed[0]
                message = _composed(letter, compose)
                status = _send(store, transport, message, letter, clock()) if message else "rejected"
                if message is None:
                    store.record_letter(letter.id, "rejected", now=clock())
                counts[status] += 1
                del claimed[0]
            if claimed:
                break
    except MailError as fault:
        error = str(fault)
        counts["deferred"] += len(claimed)
    finally:
        for letter in claimed:
            again = clock() if stop.is_set() else retry_at(clock(), letter.attempt)
            store.record_letter(letter.id, "queued", retry_at=again, now=clock())
        if transport is not None:
            transport.close()
    return LettersReport(**counts, error=error)


def _composed(letter: Letter, compose: Callable[[Letter], Message]) -> Message | None:
    """None for a letter to what no server takes as an address, and for a notice of a digest that is gone."""
    try:
        return compose(letter)
    except MailError:
        what = "its digest is gone" if letter.kind == "notice" else "its address is none"
        log.warning("letter %d: %s, and the letter is given up", letter.id, what)
        return None


def _send(store: Store, transport: Transport, message: Message, letter: Letter, now: datetime) -> str:
    receipt = transport.send(letter.subscriber.address, message, message_id=letter.message_id)
    log.debug("letter %d: %s %s", letter.id, receipt.status, receipt.reply_code)
    if receipt.status == "deferred":
        store.record_letter(letter.id, "queued", retry_at=retry_at(now, letter.attempt), now=now)
        return "deferred"
    done = "accepted" if receipt.status == "accepted" else "rejected"
    store.record_letter(letter.id, "accepted" if done == "accepted" else "rejected", now=now)
    return done
