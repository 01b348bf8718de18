"""What is queued goes out: claim → send → record; and when to try again, to go on, or to stop.

The calling thread alone touches the store, the threads of the connections alone touch the wire. One transaction records a
batch of answers and claims the next rows; the journal knows the rest, so that a program killed at any moment leaves at most
one mail for each connection of which nobody knows whether it was taken.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from digest.config import MailConfig
from digest.errors import ConfigError, DigestError, LeaseHeld, MailError, StoreError, UsageError
from digest.journal import Journal, Wait, read_journal
from digest.model import Delivery, DeliveryReport, Message, Receipt, Span
from digest.pipeline.judging import Judge, is_policy_refusal
from digest.pipeline.lanes import Landed, Lanes
from digest.pipeline.pace import AHEAD_S, Window, own_pace
from digest.pipeline.trying import DOUBT_LAST, DOUBT_TIMES, in_words, pause, place_of, recover, retry_at
from digest.scores import HALF_LIFE, LIMIT

if TYPE_CHECKING:
    from digest.smtp import Transport
    from digest.store import Store

log = logging.getLogger(__name__)

RENEW_EVERY = timedelta(minutes=1)
# Without that for so long it may be another's soon: it lasts for a quarter of an hour (App).
LOST_S = 10 * 60.0
_HEARTBEAT_S = 0.2


def deliver(
    store: Store,
    open_transport: Callable[[], Transport],
    compose: Callable[[Delivery], Message | None],
    mail: MailConfig,
    *,
    holder: str,
    clock: Callable[[], datetime],
    stop: threading.Event | None = None,
    progress: Callable[[int, int], None] | None = None,
    renew: Callable[[], None] | None = None,
    journal: Path,
) -> DeliveryReport:
    """Sends what is queued or due again, and returns the counts of this run; `queued` is what waits when it ends, `held`
    what is in doubt then and not sent again (mail.in_doubt = "hold").

    To be called under the lease of a run: every row that it finds in `sending` is in doubt, since nobody else is at work.
    `compose` gives the message, or None where there is nothing to send, and runs in the calling thread, as `progress(done,
    total)` and `renew` do. `stop` claims nothing more and returns when the mails in flight are through. `journal` is where
    receipts are noted until they are in the store.

    One refused recipient is a receipt. A server that cannot be used ends the run: `error` says what, where and the mend,
    and what has not gone out stays queued. One that asked for a pause is not connected to before that is over. Raises what
    the store raises, StoreError where the journal cannot be written, and LeaseHeld from `renew`.
    """
    now = clock()
    mark = f"{holder} {now.isoformat()}"
    place = place_of(store)
    before = store.open_delivery_counts()
    left = read_journal(journal, store=place)
    recover(store, mail, left, mark, now)
    store.expire(now=now, older_than=now - timedelta(hours=mail.expire_after_h), holder=mark)
    sending = Sending(
        store,
        compose,
        mail,
        mark,
        clock,
        stop or threading.Event(),
        Journal(journal, store=place, mark=mark),
    )
    sending.renew, sending.progress, sending.total = renew, progress, before.get("queued", 0)
    sending.run(open_transport, left.wait if mail.transport == "smtp" else None)
    after = store.open_delivery_counts()
    report = sending.report(before, after)
    return replace(report, error=_with_remainder(sending.judge.error, report.queued))


def ticks() -> float:
    """Seconds by a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _with_remainder(error: str | None, queued: int) -> str | None:
    return f"{error} Mails that wait: {queued}." if error and queued else error


class Sending:
    """The state of one run: what is claimed, what flies, what came back and is not yet recorded.

    With a `span` it is one of many: only what is of the span is claimed and recorded, `renew` is called all the time, and
    `check` before each mail.
    """

    progress: Callable[[int, int], None] | None = None
    renew: Callable[[], None] | None = None
    renew_every = RENEW_EVERY
    lost_s = LOST_S
    check: Callable[[], None] | None = None
    span: Span | None = None
    settled = False
    total = 0

    def __init__(
        self,
        store: Store,
        compose: Callable[[Delivery], Message | None],
        mail: MailConfig,
        mark: str,
        clock: Callable[[], datetime],
        stop: threading.Event,
        journal: Journal,
    ) -> None:
        self.store, self.compose, self.mail, self.mark = store, compose, mail, mark
        self.clock, self.stop, self.journal = clock, stop, journal
        self.judge = Judge(stop)
        self.too_old = timedelta(hours=mail.expire_after_h)
        self.pace = own_pace(mail)
        self.waiting: deque[Delivery] = deque()
        self.unsent: list[Delivery] = []  # came back from the connections
        self.answers: list[tuple[Delivery, Receipt, datetime | None]] = []
        self.setbacks: list[tuple[Delivery, str]] = []
        self.refusals: list[tuple[Delivery, Receipt]] = []  # by policy
        self.unknown: list[tuple[Delivery, Receipt]] = []  # no such user
        self.failing: list[int] = []  # subscribers whose mail failed, not for good
        self.tally: Counter[str] = Counter()
        self.unbuilt: set[str] = set()  # why messages could not be built: each reason is logged once
        self.dry = False
        self.renewed_at = clock()
        self._held_at = ticks()

    def run(self, open_transport: Callable[[], Transport], wait: Wait | None) -> None:
        now = self.clock()
        if wait is not None and wait.holds(now):
            self.judge.error = in_words(wait)
            self.journal.close(settled=True, wait=wait)
            return
        # Two writers of one folder gain nothing; a server is waited for, so there several connections pay.
        most = self.mail.smtp.connections if self.mail.transport == "smtp" else 1
        self.window = Window(most)
        try:
            lanes = Lanes(open_transport, most, self.judge, self.journal, self.check, self._holds_lease)
            with lanes as self.lanes, self._drained():
                while self._goes_on():
                    self._keep_lease()  # first: whoever stood still may have lost what is claimed to another run
                    self._give_back()
                    self._exchange()
                    self._ask_who_left()
                    self._launch()
                    self._rest()
                    self._land()
            self.settled = self.judge.fatal is None
        finally:
            self.journal.close(settled=self.settled, wait=self._wait_after(wait))
        if self.judge.fatal is not None:
            raise self.judge.fatal

    def _goes_on(self) -> bool:
        if self.judge.ended_early():
            return False
        return bool(self.waiting or self.unsent or self.lanes.flying or not self.dry)

    @contextmanager
    def _drained(self) -> Iterator[None]:
        """Whatever ends the run, Ctrl-C too: what is in flight is still finished and recorded, the rest is released."""
        try:
            yield
        finally:
            self.judge.over = True
            self.waiting.extend(self.lanes.recall())
            while self.lanes.flying:
                self._keep_lease()
                self._ask_who_left()
                self.lanes.wait(_HEARTBEAT_S, enough=len(self.lanes.flying))
                self._land()
            if not isinstance(self.judge.fatal, LeaseHeld):
                self._settle()

    def _wait_after(self, before: Wait | None) -> Wait | None:
        if not self.judge.back_off or self.judge.error is None or self.span is not None:
            return None
        refused_again = before is not None and not self.judge.heard_any
        wait = pause(self.clock(), self.judge.error, before if refused_again else None)
        self.judge.error = in_words(wait)
        return wait

    # -------------------------------------------------------------- claim and record

    def _exchange(self, *, all_of_it: bool = False) -> None:
        """Records the answers and claims as many rows as there is room for, in one transaction, once that is worth one."""
        room = max(self._room(), 0)
        worth = 1 if self.pace.gap_s and not self.waiting else self.window.batch
        if not (self.answers or room):
            return
        if not (all_of_it or max(len(self.answers), room) >= worth or not self.lanes.flying):
            return
        self._settle_unknown()
        now, answers = self.clock(), self.answers
        how = {"now": now, "holder": self.mark, "older_than": now - self.too_old, "span": self.span}
        if answers:
            claimed = self.store.record_receipts(answers, claim=room, **how)  # type: ignore[arg-type]
            self.answers = []
            self.tally.update(receipt.status for _, receipt, _ in answers)
        else:
            claimed = self.store.claim(limit=room, **how)  # type: ignore[arg-type]
        if room:
            self.dry = len(claimed) < room
        self.waiting.extend(claimed)
        self._count_failures(now)
        if answers:
            self._report_progress()

    def _give_back(self) -> None:
        """What came back unsent is claimed anew: its reader may have left meanwhile."""
        if self.unsent:
            self._release(self.unsent)
            self.unsent, self.dry = [], False

    def _release(self, deliveries: Sequence[Delivery]) -> None:
        self.store.release(deliveries, now=self.clock(), holder=self.mark)

    def _room(self) -> int:
        if self.dry or self.judge.closed():
            return 0
        room = self.window.size - len(self.lanes.flying) - len(self.waiting)
        counted = self.total - sum(self.tally.values()) - len(self.lanes.flying)
        # There may be more than was counted, deferred mails that are due again, say: that there is none only a claim tells.
        least = 0 if self.lanes.flying and not self.waiting else 1
        self.pace.wanted = max(counted, least)
        return min(room, self.pace.slots() - len(self.waiting)) if self.pace.gap_s else room

    def _count_failures(self, now: datetime) -> None:
        failing, self.failing = self.failing, []
        for number in failing:
            if self.store.add_score(number, 1.0, now=now, half_life=HALF_LIFE) >= LIMIT:
                self.store.suppress_subscriber(number, "bounced", now=now)

    # -------------------------------------------------------------- out

    def _launch(self) -> None:
        while self.waiting and not self.judge.ended_early() and self.pace.delay() == 0:
            try:
                self._start(self.waiting[0])
            except StoreError as error:
                self.judge.broken(error)
                return
            except DigestError as error:  # a template, say: none of the others could be built either
                self.judge.error = str(error)
                return
            self.waiting.popleft()

    def _start(self, delivery: Delivery) -> None:
        try:
            message = self.compose(delivery)
        except (MailError, ValueError) as error:
            # One message that cannot be built is no reason to keep the others; mended in time, it still goes out.
            log.error(
                "delivery %d: the message could not be built: %s",
                delivery.id,
                type(error).__name__,
                extra={"delivery": delivery.id},
            )
            self._defer(delivery, Receipt(status="deferred", text=f"could not be built: {error}"))
        except (ConfigError, UsageError) as error:
            # The digest of this edition is gone from the configuration, say; those of the others are not.
            if str(error) not in self.unbuilt:
                log.error(
                    "delivery %d and all like it wait: %s",
                    delivery.id,
                    error,
                    extra={"delivery": delivery.id},
                )
            self.unbuilt.add(str(error))
            self._defer(delivery, Receipt(status="deferred", text=f"could not be built: {error}"))
        else:
            if message is None:
                self.answers.append((delivery, Receipt(status="skipped", text="nothing chosen"), None))
                return
            self.pace.take()
            self.lanes.put(delivery, message)

    def _rest(self) -> None:
        """Waits for what is worth doing next."""
        patience = _HEARTBEAT_S
        if self.pace.gap_s:
            delay = self.pace.delay() - (0 if self.waiting else AHEAD_S)
            patience = min(patience, delay) if delay > 0 else patience
        if self.lanes.flying:
            self.lanes.wait(patience, enough=self.window.batch)
        elif self.pace.delay() and not self.answers:
            self.stop.wait(patience)

    # -------------------------------------------------------------- in

    def _land(self) -> None:
        landed = self.lanes.take()
        self.window.measure(len(landed))
        for delivery, how in landed:
            if how.receipt is not None:
                self._answered(delivery, how.receipt, how)
            elif how.error is not None:
                self._failed(delivery, how.error)
            elif how.returned:
                self.unsent.append(delivery)

    def _answered(self, delivery: Delivery, receipt: Receipt, how: Landed) -> None:
        log.debug(
            "delivery %d: %s %s %s", delivery.id, how.verdict, receipt.reply_code, receipt.enhanced_code
        )
        match how.verdict:
            case "accepted":
                self.answers.append((delivery, receipt, None))
            case "retry" | "back-off":
                self._defer(delivery, replace(receipt, status="deferred"))
            case "suppress":
                self.unknown.append((delivery, receipt))
            case "stop":
                self.refusals.append((delivery, receipt))
            case "soft" if is_policy_refusal(receipt, how.verdict):
                # Not final until the run is over: many of them mean us, and then no reader loses a mail.
                self.refusals.append((delivery, receipt))
            case "soft":
                self._rejected(delivery, receipt, counts=True)
            case "rejected":
                self._rejected(delivery, receipt)

    def _rejected(self, delivery: Delivery, receipt: Receipt, *, counts: bool = False) -> None:
        self.answers.append((delivery, replace(receipt, status="rejected"), None))
        if counts:
            self.failing.append(delivery.subscriber.id)

    def _failed(self, delivery: Delivery, error: MailError) -> None:
        log.warning("delivery %d: %s", delivery.id, error, extra={"delivery": delivery.id})
        if not error.in_doubt:
            self.setbacks.append((delivery, str(error)))
        elif self.mail.in_doubt == "resend":
            # Not at once, nor often: a server that loses its answer to this mail would get it over and over.
            again = retry_at(self.clock(), delivery.attempt, times=DOUBT_TIMES, last=DOUBT_LAST)
            receipt = Receipt(status="deferred", text="in doubt: no answer to the whole message")
            self.answers.append((delivery, receipt, again))

    def _defer(self, delivery: Delivery, receipt: Receipt) -> None:
        self.answers.append((delivery, receipt, retry_at(self.clock(), delivery.attempt)))

    # -------------------------------------------------------------- the end

    def _settle(self) -> None:
        """Rows that were claimed and have no answer of their own are queued as if nothing had been.

        So are, when the run ended early, those whose server refused us rather than them, and those whose connection was lost
        before the message was through; until here they stay claimed, so that none is tried twice in one run.
        """
        back = [*self.waiting, *self.unsent]
        self.waiting.clear()
        self.unsent = []
        self.judge.heard_all()
        if self.judge.ended_early():
            back += [delivery for delivery, _ in (*self.unknown, *self.refusals, *self.setbacks)]
            self.unknown, self.refusals, self.setbacks = [], [], []
        if back:
            self._release(back)
        for delivery, receipt in self.refusals:
            self._rejected(delivery, receipt, counts=True)
        for delivery, text in self.setbacks:
            self._defer(delivery, Receipt(status="deferred", text=text))
        self._settle_unknown(at_the_end=True)
        self._exchange(all_of_it=True)

    def _settle_unknown(self, *, at_the_end: bool = False) -> None:
        """Readers whose mailbox is not there are given up, once enough is known of the server that says so."""
        if not (self.unknown and (at_the_end or self.judge.trusts_refusals())):
            return
        unknown, self.unknown = self.unknown, []
        now = self.clock()
        self.store.record_receipts(
            [(d, replace(receipt, status="rejected"), None) for d, receipt in unknown],
            now=now,
            holder=self.mark,
            span=self.span,
        )
        self.tally["rejected"] += len(unknown)
        for delivery, _ in unknown:
            self.store.suppress_subscriber(delivery.subscriber.id, "bounced", now=now)

    def _keep_lease(self) -> None:
        if self.renew is None or self.judge.fatal is not None:
            return
        now, began, every = self.clock(), ticks(), self.renew_every
        if now - self.renewed_at < every and began - self._held_at < every.total_seconds():
            return
        try:
            self.renew()
            self._held_at = began
        except DigestError as error:
            self.judge.broken(error)  # no more is claimed; what is in flight is still finished and recorded
        self.renewed_at = now

    def _holds_lease(self) -> bool:
        """Asked before each mail, in any thread: a process that stood still, and a machine that slept, find that out here."""
        return self.renew is None or ticks() - self._held_at < self.lost_s

    def _ask_who_left(self) -> None:
        try:
            self.lanes.ask(self.store.unwanted)
        except StoreError as error:
            self.judge.broken(error)

    def report(self, before: Mapping[str, int], after: Mapping[str, int]) -> DeliveryReport:
        """The counts of this run, from those of all deliveries `before` and `after` it; without its error."""
        return DeliveryReport(
            queued=after.get("queued", 0),
            accepted=self.tally["accepted"],
            deferred=self.tally["deferred"],
            rejected=self.tally["rejected"],
            skipped=self.tally["skipped"],
            suppressed=after.get("suppressed", 0) - before.get("suppressed", 0),
            expired=after.get("expired", 0) - before.get("expired", 0),
            held=after.get("sending", 0),  # nothing flies any more: they are in doubt, and stay so
        )

    def _report_progress(self) -> None:
        if self.progress is not None:
            done = sum(self.tally.values())
            self.progress(done, max(done, self.total))
