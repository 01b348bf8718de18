"""Letters go out: the question whether an address wants to subscribe, the link to their choices for who does already, and notices.

The first two do not wait for a run and its lease: somebody sits before the page that promised them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
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
    claim: Callable[..., list[Letter]] = store.claim_letters
    if heard_since is not None:
        claim = partial(store.claim_notices, heard_since=heard_since)
    end = clock() + timedelta(seconds=for_s) if for_s is not None else None
    sending = _Sending(
        store, open_transport, compose, holder, clock, stop or threading.Event(), pace or Pace(0.0), done
    )
    error = None
    try:
        sending.run(claim, end)
    except MailError as fault:
        error = str(fault)
        sending.stopped_by(fault)
    finally:
        sending.close()
    return LettersReport(**sending.counts, error=error)


class _Sending:
    """The state of one call: the letters that are claimed and not sent yet, and what became of the others."""

    def __init__(
        self,
        store: Store,
        open_transport: Callable[[], Transport],
        compose: Callable[[Letter], Message],
        holder: str,
        clock: Callable[[], datetime],
        stop: threading.Event,
        pace: Pace,
        done: Callable[[], None],
    ) -> None:
        self._store, self._open_transport, self._compose = store, open_transport, compose
        self._holder, self._clock, self._stop, self._pace, self._done = holder, clock, stop, pace, done
        self._transport: Transport | None = None
        self._claimed: list[Letter] = []
        self.counts = {"accepted": 0, "deferred": 0, "rejected": 0}

    def run(self, claim: Callable[..., list[Letter]], end: datetime | None) -> None:
        gap_s = self._pace.gap_s
        batch = most = min(BATCH, 1 + int(1 / gap_s)) if gap_s else BATCH
        while not self._stop.is_set() and (end is None or self._clock() < end):
            self._claimed = claim(now=self._clock(), holder=self._holder, limit=batch)
            if not self._claimed:
                return
            self._transport = self._transport or self._open_transport()
            at = self._clock()
            delay = self._send_fresh(self._transport, at)
            batch = min(most, 2 * batch) if self._clock() - at < FRESH else 1
            self._store.put_back_letters(self._claimed, now=self._clock(), holder=self._holder)
            self._claimed = []
            if delay > FRESH.total_seconds():
                if end is not None and self._clock() + timedelta(seconds=delay) >= end:
                    return
                self._stop.wait(delay)

    def _send_fresh(self, transport: Transport, at: datetime) -> float:
        """Sends what was claimed at that moment, for as long as that is fresh; the seconds that the next has to wait."""
        delay, self._pace.wanted = 0.0, len(self._claimed)
        while self._claimed and self._clock() - at < FRESH:
            delay = self._pace.delay()
            if delay > FRESH.total_seconds() or self._stop.wait(delay):
                break
            self._pace.take()
            self._pace.wanted -= 1
            with self._kept():
                self.counts[self._send(transport, self._claimed[0])] += 1
            del self._claimed[0]
            self._done()
        return delay

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """What is claimed stays ours for as long as this block lasts; with this process that ends."""
        over, mine = threading.Event(), tuple(self._claimed)

        def keep() -> None:
            while not over.wait(KEEP_EVERY_S):
                try:
                    self._store.keep_letters(mine, self._holder, now=self._clock())
                except StoreError as error:
                    log.warning("%s Another process may send a letter that is on its way.", error)

        thread = threading.Thread(target=keep, name="letters", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _send(self, transport: Transport, letter: Letter) -> Literal["accepted", "deferred", "rejected"]:
        try:
            message = self._compose(letter)
        except MailError:
            log.warning("letter %d: its address is none, or its digest is gone; it is given up", letter.id)
            self._store.record_letter(letter.id, "rejected", now=self._clock())
            return "rejected"
        receipt = transport.send(letter.subscriber.address, message, message_id=letter.message_id)
        log.debug("letter %d: %s %s", letter.id, receipt.status, receipt.reply_code)
        if receipt.status == "deferred":
            self._try_again(letter)
            return "deferred"
        done: Literal["accepted", "rejected"] = "accepted" if receipt.status == "accepted" else "rejected"
        self._store.record_letter(letter.id, done, now=self._clock())
        return done

    def _try_again(self, letter: Letter) -> None:
        now = self._clock()
        again = letter_retry_at(now, letter.attempt)
        self._store.record_letter(letter.id, "queued", retry_at=again, now=now, holder=self._holder)

    def stopped_by(self, fault: MailError) -> None:
        """A letter of which nobody knows whether it was taken is given up after some tries; all others wait."""
        if fault.in_doubt and self._claimed[0].attempt >= TRIES_IN_DOUBT:
            letter = self._claimed[0]
            log.warning("letter %d: whether it was taken was never said; it is given up", letter.id)
            self._store.record_letter(letter.id, "rejected", now=self._clock(), holder=self._holder)
            self.counts["rejected"] += 1
            del self._claimed[0]
        self.counts["deferred"] += len(self._claimed)

    def close(self) -> None:
        """What is claimed is queued again."""
        for letter in self._claimed:
            self._try_again(letter)
        if self._transport is not None:
            self._transport.close()
