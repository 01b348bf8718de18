"""How fast a run goes: as the configuration allows, and with no more mails claimed than are soon on their way."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from digest.config import MailConfig

if TYPE_CHECKING:
    from digest.store import Store

RATE = "mail"  # of all that goes to the relay, by whichever process

# Who leaves is heard at the claim, so a mail is claimed about so long before it goes.
AHEAD_S = 0.25
_MOST_AT_ONCE = 200  # rows in one transaction
_MEASURED_S = 0.02
_CAUGHT_UP_S = 0.1
_TAKEN_AHEAD_S = 1.0  # moments that one process takes at once; the others wait for as long


class Pace:
    """Even spacing at exactly so many a second. Of the machine's own clock, since it is about the wire, not about dates."""

    wanted = 1  # how many mails there are to send, about

    def __init__(self, per_second: float) -> None:
        self.gap_s = 1 / per_second if per_second else 0.0
        self._next = 0.0

    def delay(self) -> float:
        """Seconds until the next mail may start."""
        return max(0.0, self._next - time.monotonic()) if self.gap_s else 0.0

    def slots(self) -> int:
        """How many mails may start within the time for which rows are claimed."""
        delay = self.delay()
        return 1 + int((AHEAD_S - delay) / self.gap_s) if delay <= AHEAD_S else 0

    def take(self) -> None:
        if not self.gap_s:
            return
        now = time.monotonic()
        # Counted from the slot and not from now, so that late wake-ups do not add up; a longer pause is not caught up.
        self._next = (self._next if now - self._next < max(self.gap_s, _CAUGHT_UP_S) else now) + self.gap_s


class SharedPace(Pace):
    """The same over many processes: each mail has a moment that was taken for it, some of them at once, and nobody else has.

    `take_slots(count, gap_s)` gives the seconds until the first of so many. Those whose moment has passed are not caught up.
    """

    def __init__(self, per_second: float, take_slots: Callable[[int, float], float]) -> None:
        super().__init__(per_second)
        self._take_slots = take_slots
        self._left = 0

    def delay(self) -> float:
        if not self.gap_s:
            return 0.0
        late = time.monotonic() - self._next - max(self.gap_s, _CAUGHT_UP_S)
        if late > 0 and self._left:
            missed = min(self._left, 1 + int(late / self.gap_s))
            self._left -= missed
            self._next += missed * self.gap_s
        if not self._left:
            if self.wanted <= 0:
                return 0.0
            count = max(1, min(self.wanted, int(_TAKEN_AHEAD_S / self.gap_s)))
            asked = time.monotonic()
            self._next = asked + self._take_slots(count, self.gap_s)
            self._left = count
        return max(0.0, self._next - time.monotonic())

    def slots(self) -> int:
        return min(super().slots(), self._left)

    def take(self) -> None:
        self._left = max(0, self._left - 1)
        self._next += self.gap_s


def own_pace(mail: MailConfig) -> Pace:
    """The rate of [mail.smtp], where one process at a time mails."""
    return Pace(_rate(mail))


def shared_pace(mail: MailConfig, store: Store, clock: Callable[[], datetime]) -> Pace:
    """The same rate for all processes of the store together."""

    def take_slots(count: int, gap_s: float) -> float:
        now = clock()
        return (store.take_slots(RATE, count, gap_s, now=now) - now).total_seconds()

    return SharedPace(_rate(mail), take_slots)


def _rate(mail: MailConfig) -> float:
    return mail.smtp.per_second if mail.transport == "smtp" else 0.0


class Window:
    """How many deliveries may be claimed and not answered: one for each connection, and as many as go out in a quarter second."""

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self._rate = 0.0
        self._count, self._since = 0, time.monotonic()

    @property
    def size(self) -> int:
        return self._lanes + min(int(self._rate * AHEAD_S), 2 * _MOST_AT_ONCE)

    @property
    def batch(self) -> int:
        """So many rows are worth a transaction: half of what is claimed ahead, so that the other half is on its way meanwhile."""
        return max(1, min((self.size - self._lanes) // 2, _MOST_AT_ONCE))

    def measure(self, answers: int) -> None:
        """Counts answers, and from time to time how many came in a second."""
        self._count += answers
        taken = time.monotonic() - self._since
        if taken >= _MEASURED_S and self._count:
            now = self._count / taken
            self._rate = (self._rate + now) / 2 if self._rate else now
            self._count, self._since = 0, time.monotonic()
