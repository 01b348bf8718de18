"""Letters go out: the question whether an address wants to subscribe, the link to their choices for who does already, and notices.

The first two do not wait for a run and its lease: somebody sits before the page that promised them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from digest.errors import MailError, StoreError
from digest.model import Letter, Message, Preferences
from digest.pipeline.pace import Pace
from digest.pipeline.trying import retry_at

if TYPE_CHECKING:
    from digest.smtp import Transport
    from digest.store import Store

log = logging.getLogger(__name__)

# The link in a letter ends after 48 hours, so trying begins sooner than for an edition, and ends with the link.
RETRY_FIRST = timedelta(minutes=5)
RETRY_LAST = timedelta(hours=2)
# A server that takes each mail and never says so would send a stranger dozens of copies in that time.
TRIES_IN_DOUBT = 3
BATCH = 20
# Who leaves is heard at the claim: a letter goes so soon after it, or is claimed anew.
FRESH = timedelta(seconds=2)
# So often it is noted that letters are on their way: a server may take ten minutes to say that it has one.
KEEP_EVERY_S = 60.0
NOTICES = "notices"  # the pause of those that nobody waits for


# Of a reader, and the moment of a notice to them: an edition from then on makes it needless.
HeardSince = Callable[[Preferences, datetime], datetime]


class LettersReport(Struct, frozen=True, kw_only=True):
    """What became of the letters of one call. `error` is why it ended early, with the mend; the rest stays queued."""

    accepted: int = 0
    deferred: int = 0
    rejected: int = 0
    error: str | None = None


def letter_retry_at(now: datetime, attempt: int) -> datetime:
    """When a letter is tried again after this many attempts: 5, 10, 20 minutes, … at most 2 hours."""
    return retry_at(now, attempt, first=RETRY_FIRST, last=RETRY_LAST)


def send_letters(
    store: Store,
    open_transport: Callable[[], Transport],
    compose: Callable[[Letter], Message],
    *,
    holder: str,
    clock: Callable[[], datetime],
    stop: threading.Event | None = None,
    heard_since: HeardSince | None = None,
    pace: Pace | None = None,
    for_s: float | None = None,
    done: Callable[[], None] = lambda: None,
) -> LettersReport:
    """Sends every letter that waits and is due: those that somebody asked for, or with `heard_since` (Store.claim_notices) notices
    instead. At most one process sends a letter: it is claimed first. None is begun before `pace` says so, or after `for_s` seconds;
    `done` is called after each.

    A server that cannot be used ends the call, and so do `stop` and any fault; what was claimed is queued again then, but for a
    letter whose third try ended without an answer. One that cannot be composed, since its address is none or its digest gone, is
    rejected, and keeps no other from going.
    """
    stop, pace = stop or threading.Event(), pace or Pace(0.0)
    batch = most = min(BATCH, 1 + int(1 / pace.gap_s)) if pace.gap_s else BATCH
    end = clock() + timedelta(seconds=for_s) if for_s is not None else None
    counts = {"accepted": 0, "deferred": 0, "rejected": 0}
    claimed: list[Letter] = []
    transport, error = None, None
    try:
        while not stop.is_set() and (end is None or clock() < end):
            claimed = _claim(store, clock(), holder, batch, heard_since)
            if not claimed:
                break
            transport, at, delay = transport or open_transport(), clock(), 0.0
            pace.wanted = len(claimed)
            while claimed and clock() - at < FRESH:
                delay = pace.delay()
                if delay > FRESH.total_seconds() or stop.wait(delay):
                    break
                pace.take()
                pace.wanted -= 1
                with _kept(store, claimed, holder, clock):
                    counts[_send(store, transport, compose, claimed[0], clock)] += 1
                del claimed[0]
                done()
            batch = min(most, 2 * batch) if clock() - at < FRESH else 1
            store.put_back_letters(claimed, now=clock())
            claimed = []
            if delay > FRESH.total_seconds():
                if end is not None and clock() + timedelta(seconds=delay) >= end:
                    break
                stop.wait(delay)
    except MailError as fault:
        error = str(fault)
        if fault.in_doubt and claimed[0].attempt >= TRIES_IN_DOUBT:
            log.warning("letter %d: whether it was taken was never said; it is given up", claimed[0].id)
            store.record_letter(claimed[0].id, "rejected", now=clock())
            counts["rejected"] += 1
            del claimed[0]
        counts["deferred"] += len(claimed)
    finally:
        for letter in claimed:
            again = letter_retry_at(clock(), letter.attempt)
            store.record_letter(letter.id, "queued", retry_at=again, now=clock())
        if transport is not None:
            transport.close()
    return LettersReport(**counts, error=error)


def _claim(
    store: Store, now: datetime, holder: str, limit: int, heard_since: HeardSince | None
) -> list[Letter]:
    if heard_since is None:
        return store.claim_letters(now=now, holder=holder, limit=limit)
    return store.claim_notices(now=now, holder=holder, limit=limit, heard_since=heard_since)


@contextmanager
def _kept(
    store: Store, letters: Sequence[Letter], holder: str, clock: Callable[[], datetime]
) -> Iterator[None]:
    """What is claimed stays ours for as long as this block lasts; with this process that ends."""
    over, mine = threading.Event(), tuple(letters)

    def keep() -> None:
        while not over.wait(KEEP_EVERY_S):
            try:
                store.keep_letters(mine, holder, now=clock())
            except StoreError as error:
                log.warning("%s Another process may send a letter that is on its way.", error)

    thread = threading.Thread(target=keep, name="letters", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _send(
    store: Store,
    transport: Transport,
    compose: Callable[[Letter], Message],
    letter: Letter,
    clock: Callable[[], datetime],
) -> str:
    try:
        message = compose(letter)
    except MailError:
        log.warning("letter %d: its address is none, or its digest is gone; it is given up", letter.id)
        store.record_letter(letter.id, "rejected", now=clock())
        return "rejected"
    receipt = transport.send(letter.subscriber.address, message, message_id=letter.message_id)
    log.debug("letter %d: %s %s", letter.id, receipt.status, receipt.reply_code)
    now = clock()
    if receipt.status == "deferred":
        store.record_letter(letter.id, "queued", retry_at=letter_retry_at(now, letter.attempt), now=now)
        return "deferred"
    done: Literal["accepted", "rejected"] = "accepted" if receipt.status == "accepted" else "rejected"
    store.record_letter(letter.id, done, now=now)
    return done
