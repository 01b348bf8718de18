"""What is queued goes out: claim → send → record; and when to try again, to go on, or to stop.

The calling thread alone touches the store, the workers alone touch the wire. One transaction records what a server said
and claims the next row, so that a program killed at any moment leaves at most one row for each connection in `sending`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING

from digest.config import MailConfig
from digest.errors import ConfigError, DigestError, LeaseHeld, MailError, StoreError, UsageError
from digest.model import Delivery, DeliveryReport, Receipt

if TYPE_CHECKING:
    from digest.smtp import Transport
    from digest.store import Store

log = logging.getLogger(__name__)

# RFC 5321, 4.5.4.1: at least 30 minutes to the second try; we give up long before its 4-5 days (mail.expire_after_h).
RETRY_FIRST = timedelta(minutes=30)
RETRY_LAST = timedelta(hours=4)
RENEW_EVERY = timedelta(minutes=1)
_HEARTBEAT_S = 1.0
# A server that answers 5.7.x ("policy", "relaying denied") to every fifth of at least ten means us, not its readers.
_POLICY_REFUSALS = 10
_POLICY_SHARE = 5


def deliver(
    store: Store,
    open_transport: Callable[[], Transport],
    compose: Callable[[Delivery], bytes],
    mail: MailConfig,
    *,
    holder: str,
    clock: Callable[[], datetime],
    stop: threading.Event | None = None,
    progress: Callable[[int, int], None] | None = None,
    address: str | None = None,
    renew: Callable[[], None] | None = None,
) -> DeliveryReport:
    """Sends what is queued or due again, and returns the counts of this run; `queued` is what waits when it ends, `held`
    what is in doubt then and not sent again (mail.in_doubt = "hold").

    To be called under the lease of a run: every row that it finds in `sending` is in doubt, since nobody else is at work.
    `compose` gives the bytes of a message and runs in the calling thread, as `progress(done, total)` and `renew` do.
    `stop` claims nothing more and returns when the mails in flight are through. `address` sends to this one only.

    One refused recipient is a receipt. A server that cannot be used ends the run: `error` says what, where and the mend,
    and what has not gone out stays queued. Raises what the store raises, and LeaseHeld from `renew`.
    """
    now = clock()
    mark = f"{holder} {now.isoformat()}"
    _recover(store, mail, mark, now)
    too_old = now - timedelta(hours=mail.expire_after_h)
    expired = store.expire(now=now, older_than=too_old, holder=mark)
    before = store.delivery_counts()
    sending = _Sending(store, compose, mail, mark, clock, stop or threading.Event(), address)
    sending.renew, sending.progress, sending.total = renew, progress, before.get("queued", 0)
    sending.run(open_transport)
    after = store.delivery_counts()
    return DeliveryReport(
        queued=after.get("queued", 0),
        accepted=sending.tally["accepted"],
        deferred=sending.tally["deferred"],
        rejected=sending.tally["rejected"],
        suppressed=after.get("suppressed", 0) - before.get("suppressed", 0),
        expired=expired,
        held=after.get("sending", 0),  # nothing flies any more: they are in doubt, and stay so
        error=_with_remainder(sending.error, after.get("queued", 0)),
    )


def retry_at(now: datetime, attempt: int) -> datetime:
    """When to try again after this many attempts: 30 minutes, 1 hour, 2 hours, then every 4.

    >>> from datetime import UTC
    >>> retry_at(datetime(2026, 11, 19, 6, tzinfo=UTC), 2).isoformat()
    '2026-11-19T07:00:00+00:00'
    """
    return now + min(RETRY_FIRST * (1 << min(max(attempt - 1, 0), 10)), RETRY_LAST)


def _recover(store: Store, mail: MailConfig, mark: str, now: datetime) -> None:
    resend = mail.in_doubt == "resend"
    doubtful = store.recover_in_doubt(holder=mark, now=now, resend=resend)
    if doubtful:
        fate = "sent again with the same Message-ID" if resend else "held"
        log.warning("%d mails were in flight when a run ended: %s (mail.in_doubt)", doubtful, fate)


def _with_remainder(error: str | None, queued: int) -> str | None:
    return f"{error} Mails that wait: {queued}." if error and queued else error


class _Sending:
    """The state of one run: what flies, what came back and is not yet recorded, and why no more is claimed."""

    progress: Callable[[int, int], None] | None = None
    renew: Callable[[], None] | None = None
    total = 0

    def __init__(
        self,
        store: Store,
        compose: Callable[[Delivery], bytes],
        mail: MailConfig,
        mark: str,
        clock: Callable[[], datetime],
        stop: threading.Event,
        address: str | None,
    ) -> None:
        self.store, self.compose, self.mail, self.mark = store, compose, mail, mark
        self.clock, self.stop, self.address = clock, stop, address
        # Two writers of one folder gain nothing; a server is waited for, so there several connections pay.
        self.lanes = mail.smtp.connections if mail.transport == "smtp" else 1
        self.pace = _Pace(mail.smtp.per_second if mail.transport == "smtp" else 0.0)
        self.flying: dict[Future[Receipt], Delivery] = {}
        self.answers: list[tuple[Delivery, Receipt, datetime | None]] = []
        self.setbacks: list[tuple[Delivery, str]] = []
        self.refusals: list[tuple[Delivery, Receipt]] = []
        self.tally: Counter[str] = Counter()
        self.unbuilt: set[str] = set()  # why messages could not be built: each reason is logged once
        self.error: str | None = None
        self.fatal: BaseException | None = None
        self.over = self.dry = False
        self.proven = False  # has the server answered since the last lost connection?
        self.renewed_at = clock()

    def run(self, open_transport: Callable[[], Transport]) -> None:
        with _Wire(open_transport, self.lanes) as wire:
            try:
                while not self._closed():
                    self._launch(wire, self._exchange())
                    if self.flying:
                        self._land()
                    elif not self.answers:
                        self.stop.wait(self.pace.delay())
            finally:
                # Whatever ended the run, Ctrl-C too: what is in flight is still finished and recorded.
                self._drain()
        if self.fatal is not None:
            raise self.fatal

    def _drain(self) -> None:
        self.over = True
        while self.flying:
            self._land()
            self._exchange()
        self._settle_refusals()
        self._exchange()
        self._settle_setbacks()

    def _closed(self) -> bool:
        return self.over or self.dry or self._ended_early()

    def _ended_early(self) -> bool:
        return self.error is not None or self.fatal is not None or self.stop.is_set()

    def _exchange(self) -> list[Delivery]:
        """Records all answers and claims as many rows as there is room for, in one transaction."""
        room = self._room()
        if not self.answers and not room:
            return []
        now, claimed = self.clock(), []
        apart = room if self.address or not self.answers else 0
        if self.answers:
            claimed = self.store.record_receipts(self.answers, now=now, claim=room - apart, holder=self.mark)
            self.tally.update(receipt.status for _, receipt, _ in self.answers)
            self.answers = []
            self._report_progress()
        if apart:
            claimed = self.store.claim(now=now, holder=self.mark, limit=room, address=self.address)
        self.dry = self.dry or len(claimed) < room
        return claimed

    def _room(self) -> int:
        if self._closed():
            return 0
        free = self.lanes - len(self.flying)
        return free if not self.pace.gap_s else min(free, 1 if self.pace.delay() == 0 else 0)

    def _launch(self, wire: _Wire, claimed: Sequence[Delivery]) -> None:
        waiting = list(claimed)
        try:
            while waiting:
                self._start(wire, waiting[0])
                del waiting[0]
        except StoreError as error:
            self.fatal = error
        except DigestError as error:  # a template, say: none of the others could be built either
            self.error = str(error)
        finally:
            if waiting:
                self.store.release(waiting, now=self.clock())

    def _start(self, wire: _Wire, delivery: Delivery) -> None:
        try:
            message = self.compose(delivery)
        except (MailError, ValueError) as error:
            # One message that cannot be built is no reason to keep the others; mended in time, it still goes out.
            log.error("delivery %d: the message could not be built: %s", delivery.id, type(error).__name__)
            self._defer(delivery, Receipt(status="deferred", text=f"could not be built: {error}"))
        except (ConfigError, UsageError) as error:
            # The digest of this edition is gone from the configuration, say; those of the others are not.
            if str(error) not in self.unbuilt:
                log.error("delivery %d and all like it wait: %s", delivery.id, error)
            self.unbuilt.add(str(error))
            self._defer(delivery, Receipt(status="deferred", text=f"could not be built: {error}"))
        else:
            self.pace.take()
            self.flying[wire.send(delivery, message)] = delivery

    def _land(self) -> None:
        """Waits for the next result and takes it, with all others that are there by then."""
        self._keep_lease()
        free = len(self.flying) < self.lanes and not self._closed()
        patience = min(_HEARTBEAT_S, self.pace.delay()) if free and self.pace.gap_s else _HEARTBEAT_S
        done, _ = wait(self.flying, timeout=patience, return_when=FIRST_COMPLETED)
        for future in done:
            delivery, error = self.flying.pop(future), future.exception()
            if error is None:
                self._answered(delivery, future.result())
            elif isinstance(error, MailError):
                self._failed(delivery, error)
            else:
                self.fatal = error

    def _answered(self, delivery: Delivery, receipt: Receipt) -> None:
        log.debug(
            "delivery %d: %s %s %s", delivery.id, receipt.status, receipt.reply_code, receipt.enhanced_code
        )
        self.proven = True
        if receipt.status == "deferred":
            self._defer(delivery, receipt)
            return
        self.tally["answered"] += 1
        if receipt.status == "rejected" and (receipt.enhanced_code or "").startswith("5.7."):
            self._refused_by_policy(delivery, receipt)
        else:
            self.answers.append((delivery, receipt, None))

    def _refused_by_policy(self, delivery: Delivery, receipt: Receipt) -> None:
        """Not final until the run is over: many of them mean that the server refuses us, and then no reader loses a mail."""
        self.refusals.append((delivery, receipt))
        if len(self.refusals) >= max(_POLICY_REFUSALS, self.tally["answered"] / _POLICY_SHARE):
            self.error = self.error or (
                f"The mail server refuses our mail by its own policy ({receipt.reply_code} {receipt.enhanced_code}), "
                f"{len(self.refusals)} times in this run: no reader is at fault, and all mail stays queued. "
                'Ask who runs it, or check "username", "host" and "from" in [mail]; then run `digest send`.'
            )

    def _failed(self, delivery: Delivery, error: MailError) -> None:
        """One lost connection among answers is an accident; one at the start or two in a row are a server that is gone."""
        log.warning("delivery %d: %s", delivery.id, error)
        if not error.in_doubt:
            self.setbacks.append((delivery, str(error)))
        elif self.mail.in_doubt == "resend":
            # Not at once: a server that loses its answer to this mail would get it over and over.
            self._defer(delivery, Receipt(status="deferred", text="in doubt: no answer to the whole message"))
        if error.permanent or error.reply_code is not None or not self.proven:
            self.error = self.error or str(error)
        self.proven = False

    def _defer(self, delivery: Delivery, receipt: Receipt) -> None:
        self.answers.append((delivery, receipt, retry_at(self.clock(), delivery.attempt)))

    def _settle_refusals(self) -> None:
        """Those of a server that blocks us are queued as if nothing had been; a few among many are their readers' own."""
        if not self.refusals or isinstance(self.fatal, LeaseHeld):
            return
        if self._ended_early():
            self.store.release([delivery for delivery, _ in self.refusals], now=self.clock())
        else:
            self.answers += [(delivery, receipt, None) for delivery, receipt in self.refusals]

    def _settle_setbacks(self) -> None:
        """Rows whose connection was lost before the message was through: nothing of them was taken.

        Until here they stay claimed, so that none is tried twice in one run. Did the run end early, they are queued as
        if nothing had been; otherwise it is their own connection that failed, and they wait as other deferred mails.
        """
        if not self.setbacks or isinstance(self.fatal, LeaseHeld):
            return  # whoever took the lease over has found them in `sending`
        if self._ended_early():
            self.store.release([delivery for delivery, _ in self.setbacks], now=self.clock())
            return
        for delivery, text in self.setbacks:
            self._defer(delivery, Receipt(status="deferred", text=text))
        self._exchange()

    def _keep_lease(self) -> None:
        now = self.clock()
        if self.renew is None or self.fatal is not None or now - self.renewed_at < RENEW_EVERY:
            return
        try:
            self.renew()
        except DigestError as error:
            self.fatal = error  # no more is claimed; what is in flight is still finished and recorded
        self.renewed_at = now

    def _report_progress(self) -> None:
        if self.progress is not None:
            done = self.tally["accepted"] + self.tally["deferred"] + self.tally["rejected"]
            self.progress(done, max(done, self.total))


class _Wire:
    """Worker threads with a transport each, opened when first needed and handed from mail to mail."""

    def __init__(self, open_transport: Callable[[], Transport], lanes: int) -> None:
        self._open_transport = open_transport
        self._idle: SimpleQueue[Transport] = SimpleQueue()
        self._pool = ThreadPoolExecutor(lanes, thread_name_prefix="deliver")

    def send(self, delivery: Delivery, message: bytes) -> Future[Receipt]:
        return self._pool.submit(self._send, delivery, message)

    def _send(self, delivery: Delivery, message: bytes) -> Receipt:
        try:
            transport = self._idle.get_nowait()
        except Empty:
            transport = self._open_transport()
        try:
            return transport.send(delivery.subscriber.address, message, message_id=delivery.message_id)
        finally:
            self._idle.put(transport)

    def __enter__(self) -> _Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        while not self._idle.empty():
            self._idle.get_nowait().close()


class _Pace:
    """Even spacing at exactly so many a second. Of the machine's own clock, since it is about the wire, not about dates."""

    def __init__(self, per_second: float) -> None:
        self.gap_s = 1 / per_second if per_second else 0.0
        self._next = 0.0

    def delay(self) -> float:
        """Seconds until the next mail may start."""
        return max(0.0, self._next - time.monotonic()) if self.gap_s else 0.0

    def take(self) -> None:
        now = time.monotonic()
        # Counted from the slot and not from now, so that late wake-ups do not add up; a longer pause is not caught up.
        self._next = (self._next if now - self._next < self.gap_s else now) + self.gap_s
