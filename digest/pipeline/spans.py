"""A span of deliveries goes out, beside others: in other threads, in other processes, on other machines.

deliver.py sends; here is what many need and one does not: a mark for what is claimed, with a lease, so that a process that stood
still sends no more; journals side by side, settled by whoever finds them left behind; one rate and one pause for all.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from digest.config import MailConfig
from digest.errors import LeaseHeld
from digest.journal import Journal, Left, Wait, journals_in, left_behind, read_journal
from digest.model import Delivery, DeliveryReport, Message, Span
from digest.pipeline.deliver import Sending, ticks
from digest.pipeline.pace import RATE, shared_pace
from digest.pipeline.trying import in_words, known_from, pause, pause_of, place_of, tell_doubtful
from digest.process import is_dead

if TYPE_CHECKING:
    from digest.smtp import Transport
    from digest.store import Store

log = logging.getLogger(__name__)

# A lease lasts so long in the store, and less here: clocks of two machines may differ by MARGIN_S.
LEASE_S = 60.0
MARGIN_S = 15.0
RENEW_S = 10.0
# What another machine had in hand is left to its journal for so long: a worker that was killed there is soon started again.
GRACE = timedelta(minutes=5)
# A server that cannot be reached is tried again sooner than one that asked to be left alone.
_UNREACHABLE_S = 30.0
_LISTEN_S = 1.0
_AGAIN = timedelta(seconds=5)
_AFTER_A_FAULT = timedelta(minutes=5)  # of ours: a template, say


def deliver_span(
    store: Store,
    open_transport: Callable[[], Transport],
    compose: Callable[[Delivery], Message | None],
    mail: MailConfig,
    span: Span,
    *,
    owner: str,
    clock: Callable[[], datetime],
    folder: Path,
    stop: threading.Event | None = None,
) -> tuple[DeliveryReport, datetime | None]:
    """Sends what of a span is queued or due again: the counts of this call, `queued` and `held` as they are at its end, and when it
    is worth another try; None when nothing of it waits.

    Several may work on one span, or think so: a delivery is sent by the mark under which it was claimed, as long as the lease of
    that lasts. What a predecessor left is recovered from the journals in `folder`, which only processes of this machine use; what
    another machine had in hand is in doubt once that had time to recover it. `owner` is this process (process.this_process).

    Raises what the store raises, and LeaseHeld when this process stood still for so long that its work was given to another.
    """
    now, smtp = clock(), mail.transport == "smtp"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    place = place_of(store)
    take_up(store, mail, folder, now=now)
    before = pause_of(store, RATE) if smtp else None
    if before is not None and before.holds(now):
        rest = store.rest_of(span)
        return DeliveryReport(queued=rest.queued, held=rest.sending, error=in_words(before)), before.until
    # Where this ends by an error the lease stays, and the journal: whoever comes next settles them.
    lease = Lease(store, owner, clock)
    later = _recover(store, mail, span, lease.mark, folder, place=place, now=now)
    sending = _Sender(store, compose, mail, span, lease, clock, stop or threading.Event(), folder, place)
    if span.due_at < now - sending.too_old:
        store.expire_span(span, now=now)
    sending.run(open_transport, None)
    return sending.ended(before, later)


class Lease:
    """The mark of one call and its lease, counted by a clock that goes on while the machine sleeps."""

    def __init__(self, store: Store, owner: str, clock: Callable[[], datetime]) -> None:
        self._store, self._owner, self._clock = store, owner, clock
        self.mark = f"{owner} {clock().isoformat()} {secrets.token_hex(4)}"
        self._renewed = ticks()
        store.begin_mark(self.mark, owner, now=clock(), ttl_s=LEASE_S)

    def keep(self) -> None:
        """Renews it in time. Raises LeaseHeld when it was given to another."""
        began = ticks()
        if began - self._renewed >= RENEW_S:
            self._store.renew_mark(self.mark, self._owner, now=self._clock(), ttl_s=LEASE_S)
            self._renewed = began

    def check(self) -> None:
        """Raises LeaseHeld when it may be another's by now. Called before each mail, in any thread."""
        if ticks() - self._renewed >= LEASE_S - MARGIN_S:
            raise LeaseHeld(
                "This worker was silent for too long to go on: its deliveries may have been given to another.",
                holder="",
            )

    def end(self) -> None:
        self._store.end_mark(self.mark, now=self._clock())


class _Sender(Sending):
    """A run over one span."""

    def __init__(
        self,
        store: Store,
        compose: Callable[[Delivery], Message | None],
        mail: MailConfig,
        span: Span,
        lease: Lease,
        clock: Callable[[], datetime],
        stop: threading.Event,
        folder: Path,
        place: str,
    ) -> None:
        name = hashlib.sha256(lease.mark.encode()).hexdigest()[:16]
        journal = Journal.among_many(folder, name, store=place, mark=lease.mark)
        super().__init__(store, compose, mail, lease.mark, clock, stop, journal)
        self.span, self.lease = span, lease
        self.renew, self.renew_every, self.check = self._keep, timedelta(), lease.check
        self.heeded: Wait | None = None
        self._listened = time.monotonic()
        self.counts = store.delivery_counts(span=span)
        self.total = self.counts.get("queued", 0) + self.counts.get("deferred", 0)
        self.pace = shared_pace(mail, store, clock)

    def _keep(self) -> None:
        self.lease.keep()
        if self.mail.transport == "smtp" and time.monotonic() - self._listened >= _LISTEN_S:
            self._listened = time.monotonic()
            self._heed(pause_of(self.store, RATE))

    def _heed(self, wait: Wait | None) -> None:
        """Another worker was asked to stop, which goes for all."""
        if wait is not None and wait.holds(self.clock()) and self.judge.error is None:
            self.heeded = wait
            self.judge.error = in_words(wait)

    def ended(self, before: Wait | None, later: datetime | None) -> tuple[DeliveryReport, datetime | None]:
        """The report of a run that is over, and when the next is worth while."""
        assert self.span is not None
        now, error = self.clock(), self.judge.error
        if self.mail.in_doubt == "hold":
            self.store.release_claimed(self.mark, untouched=(), resend=False, now=now)
        self.lease.end()
        wait = self._pause(before, now) if self.judge.refused else self.heeded
        if wait is not None:
            error = in_words(wait)
        if error is not None and self.heeded is None:
            log.error("%s", error)
        rest, after = self.store.rest_of(self.span), self.store.delivery_counts(span=self.span)
        again = [moment for moment in (later, rest.retry_at) if moment is not None]
        if rest.queued:
            soon = _AGAIN if error is None else _AFTER_A_FAULT
            again.append(max(self.span.due_at, now + soon) if wait is None else wait.until)
        worth = min(again, default=None)
        if worth is not None and wait is not None:
            worth = max(worth, wait.until)
        report = replace(self.report(self.counts, after), queued=rest.queued, held=rest.sending, error=error)
        return report, worth

    def _pause(self, before: Wait | None, now: datetime) -> Wait:
        """The server ended this run: all leave it alone for a while, twice as long where that was just done and it said nothing."""
        again = before is not None and now < before.until + timedelta(seconds=before.seconds)
        first = {} if self.judge.heard_any or self.judge.back_off else {"first_s": _UNREACHABLE_S}
        last = before if again and not self.judge.heard_any else None
        wait = pause(now, self.judge.error or "", last, **first)
        self.store.put_wait(RATE, wait.until, wait.seconds, wait.reason)
        return wait


# ------------------------------------------------------------------ what others left


def take_up(store: Store, mail: MailConfig, folder: Path, *, now: datetime) -> None:
    """Settles every journal in the folder whose process has ended, or gave up: what it knows is recorded, what it never began is
    queued, and what it began and has no answer to is in doubt."""
    for path in journals_in(folder):
        with left_behind(path, store=place_of(store)) as left:
            if left is not None:
                store.end_mark(left.holder, now=now)
                _settle(store, mail, left, now)


def take_up_one(store: Store, mail: MailConfig, path: Path, *, now: datetime) -> None:
    """Settles the journal of a run of one process that was killed, after which its mails became the work of many. A run that is at
    work still keeps its own. The pause that a server asked that run for goes for all."""
    left = read_journal(path, store=place_of(store))
    holder = left.holder.rpartition(" ")[0]
    if not holder or (store.lease_holder("run", now=now) == holder and not is_dead(holder)):
        return
    _settle(store, mail, left, now)
    if left.wait is not None:
        store.put_wait(RATE, left.wait.until, left.wait.seconds, left.wait.reason)
    path.unlink(missing_ok=True)


def _settle(store: Store, mail: MailConfig, left: Left, now: datetime) -> None:
    answers, untouched = known_from(store, left, now)
    if answers:
        store.record_receipts(answers, now=now, holder=left.holder)
    resend = mail.in_doubt == "resend"
    doubtful = store.release_claimed(left.holder, untouched=untouched, resend=resend, now=now)
    tell_doubtful(doubtful, resend=resend)


def _recover(
    store: Store, mail: MailConfig, span: Span, mark: str, folder: Path, *, place: str, now: datetime
) -> datetime | None:
    """Settles what others claimed of the span and will not send any more; when to look again after those that still may."""
    later: list[datetime] = []
    for claimed in store.claimed_by_others(span, mark):
        if not store.end_mark(claimed.mark, now=now, is_dead=is_dead):
            later.append(claimed.until or now + _AGAIN)
            continue
        left = _journal_of(claimed.mark, folder, place)
        if left is None and not _is_ours(claimed.mark, mark) and now < claimed.since + GRACE:
            later.append(claimed.since + GRACE)
            continue
        _settle(store, mail, left or Left(holder=claimed.mark), now)
    return min(later, default=None)


def _journal_of(mark: str, folder: Path, place: str) -> Left | None:
    """The journal of a process that lives and stood still for too long: it has its lock still."""
    for path in journals_in(folder):
        left = read_journal(path, store=place)
        if left.holder == mark:
            return left
    return None


def _is_ours(mark: str, own: str) -> bool:
    """Was it made on this machine? Marks begin with host/process/start."""
    return mark.rsplit("/", 2)[0] == own.rsplit("/", 2)[0]
