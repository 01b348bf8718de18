"""The connections of a run: served by one thread (digest.smtp.loop), fed from one queue, what they hear put in one list."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from digest.errors import DigestError, MailError
from digest.journal import Journal
from digest.mail.replies import Stage, Verdict
from digest.model import Delivery, Message, Receipt
from digest.pipeline.judging import Judge

if TYPE_CHECKING:
    from digest.smtp import Lane, Mail, Transport
    from digest.smtp.loop import Loop

# A mail goes out within about a quarter of a second (pace.AHEAD_S). One that no connection has taken for so long, since the server
# stands still, comes back: its reader may have left meanwhile.
STALE_S = 2.0


class Landed(Struct, frozen=True, gc=False):
    """What became of one delivery that was put on a lane: an answer with its verdict, an error, or (`returned`) nothing."""

    number: int
    receipt: Receipt | None = None
    verdict: Verdict = "accepted"
    error: MailError | None = None
    returned: bool = False


class Lanes:
    """Up to `most` connections, opened as mails come. One thread, the one that made it, puts mails in and takes out what landed.

    `flying` are the deliveries that were put and have not landed. `check` is asked before each mail, and raises where none may
    be sent any more. So is `may_send`: while it says no, mails come back.
    """

    def __init__(
        self,
        open_transport: Callable[[], Transport],
        most: int,
        judge: Judge,
        journal: Journal,
        check: Callable[[], None] | None = None,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        self.most, self.judge, self.journal, self.check = most, judge, journal, check
        self.may_send = may_send
        self.open_transport = open_transport
        self.flying: dict[int, Delivery] = {}
        self.landed: deque[Landed] = deque()
        self.queue: deque[tuple[float, Mail]] = deque()  # since when it waits
        self.enough = 1  # so many results are worth waking the calling thread
        self.awake = threading.Event()
        self.unwanted: frozenset[int] = frozenset()  # what is not to go any more, of those that fly
        self._asked_at = time.monotonic()
        self._loop: Loop | None = None

    def put(self, delivery: Delivery, message: Message) -> None:
        """Sends this message, as soon as a connection is free."""
        loop = self._loop or self._start()
        mail = self._mail(
            recipient=delivery.subscriber.address,
            message=message,
            message_id=delivery.message_id,
            number=delivery.id,
        )
        self.flying[delivery.id] = delivery
        self.queue.append((time.monotonic(), mail))
        loop.wake()

    def _start(self) -> Loop:
        # Here, since a run that has nothing to send needs none of it.
        from digest.smtp import Mail
        from digest.smtp.loop import Loop

        self._mail = Mail
        self._loop = Loop(self.open_transport, self.most, self)
        return self._loop

    def take(self) -> list[tuple[Delivery, Landed]]:
        """What has landed since the last call, with its delivery."""
        found = []
        while self.landed:
            # Ctrl-C may come between any two of these: nothing that has landed is to fly on.
            landed = self.landed[0]
            delivery = self.flying.pop(landed.number, None)
            self.landed.popleft()
            if delivery is not None:
                found.append((delivery, landed))
        self._look_after_loop()
        return found

    def _look_after_loop(self) -> None:
        if self._loop is not None and (error := self._loop.fault()) is not None:
            self.judge.broken(error)

    def ask(self, unwanted: Callable[[Sequence[int]], frozenset[int]]) -> None:
        """Asks, from time to time, which of the mails in flight are not to go any more. A server may take minutes to want the
        message of one whose envelope it has."""
        if self.flying and time.monotonic() - self._asked_at >= STALE_S:
            self.unwanted = unwanted(list(self.flying))
            self._asked_at = time.monotonic()

    def recall(self) -> list[Delivery]:
        """What no connection has taken yet; it does not fly any more."""
        found = []
        with suppress(IndexError):
            while True:
                found.append(self.flying.pop(self.queue.popleft()[1].number))
        return found

    def wait(self, seconds: float, *, enough: int) -> None:
        """Waits until so many have landed or a connection has nothing to do, at most so long."""
        self.enough = enough
        if len(self.landed) < enough:
            self.awake.wait(seconds)
        self.awake.clear()

    def __enter__(self) -> Lanes:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._loop is not None:
            self._loop.end()
            self._look_after_loop()

    # ------------------------------------------------------ in the thread of the loop (digest.smtp.loop.Feed)

    def waits(self) -> bool:
        return bool(self.queue) and not self.judge.closed()

    def lane(self) -> Lane:
        return _Lane(self)

    def rests(self, lane: Lane) -> None:
        self.awake.set()

    def broken(self, lane: Lane, error: Exception | None) -> None:
        if error is not None:
            self.judge.broken(error)
        assert isinstance(lane, _Lane)
        lane.give_up()


class _Lane:
    """What one connection asks and tells (digest.smtp.Lane)."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes, self._judge, self._journal = lanes, lanes.judge, lanes.journal
        self._held: set[int] = set()

    def next(self) -> Mail | None:
        queue = self._lanes.queue
        while queue and not self._judge.closed():
            try:
                since, mail = queue.popleft()
            except IndexError:  # the other thread has taken it back
                break
            if time.monotonic() - since < STALE_S:
                self._held.add(mail.number)
                return mail
            self.returned(mail)
        return None

    def is_wanted(self, mail: Mail) -> bool:
        return mail.number not in self._lanes.unwanted and self._lanes.may_send()

    def begun(self, mail: Mail) -> None:
        self._journal.begun(mail.number)
        if self._lanes.check is not None:
            self._check(self._lanes.check, mail)

    def _check(self, check: Callable[[], None], mail: Mail) -> None:
        """After the note: whoever takes over while this thread stands still, here, takes the mail for one that was sent."""
        try:
            check()
        except DigestError:
            self._journal.back(mail.number)
            raise

    def answered(self, mail: Mail, receipt: Receipt, stage: Stage, then: Mail | None = None) -> None:
        number = mail.number
        begun = then.number if then is not None else None
        try:
            self._journal.said(number, self._lanes.flying[number].attempt, receipt, stage, begun)
        finally:  # what cannot be noted can perhaps be recorded
            self._land(Landed(number, receipt, self._judge.heard(receipt, stage)))
        if then is not None and self._lanes.check is not None:
            self._check(self._lanes.check, then)

    def failed(self, mail: Mail, error: MailError) -> None:
        try:
            if not error.in_doubt:
                self._journal.back(mail.number)
        finally:
            self._judge.failed(error)
            self._land(Landed(mail.number, error=error))

    def returned(self, mail: Mail) -> None:
        self._land(Landed(mail.number, returned=True))

    def give_up(self) -> None:
        """The connection is over. Has it mails, something broke, and nobody knows what became of them."""
        for number in list(self._held):
            self._land(Landed(number))
        self._lanes.awake.set()

    def _land(self, landed: Landed) -> None:
        lanes = self._lanes
        self._held.discard(landed.number)
        lanes.landed.append(landed)
        if len(lanes.landed) >= lanes.enough and not lanes.awake.is_set():
            lanes.awake.set()
