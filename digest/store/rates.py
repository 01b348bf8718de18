"""What all processes of a store together may do so often, and pauses that one of them was asked for and all keep."""

from __future__ import annotations

from datetime import datetime, timedelta

from digest.store.database import Database, moment, stamp, whole
from digest.utf8 import plain

# Moments further ahead than so many processes can have taken, and so long besides, are those of a clock that was wrong.
_TAKEN, _AHEAD = 1000, timedelta(hours=1)


class Rates:
    """The part of the store that knows rates, by name."""

    _db: Database

    @whole
    def take_slots(self, name: str, count: int, gap_s: float, *, now: datetime) -> datetime:
        """The first of `count` moments, `gap_s` seconds apart, that nobody else gets: now, or behind those that are taken."""
        with self._db.writing(alone=False):
            next_at = self._change(name)
            first = max(now, moment(next_at)) if next_at else now
            if first - now > _AHEAD + timedelta(seconds=_TAKEN * gap_s):
                first = now
            self._db.run("set_next", name=name, next_at=stamp(first + timedelta(seconds=count * gap_s)))
        return first

    def _change(self, name: str) -> str:
        """The next free moment of a rate, whose row is ours until the end of the transaction."""
        if (row := self._db.one("rate_to_change", name=name)) is None:
            self._db.run("add_rate", name=name)
            row = self._db.one("rate_to_change", name=name)
        assert row is not None
        return str(row[0])

    @whole
    def put_wait(self, name: str, until: datetime, seconds: float, reason: str) -> None:
        """All wait until then; `seconds` is how long that pause is. A longer one that stands already stays, but for one that would
        begin after this one: a clock that was wrong noted it."""
        with self._db.writing(alone=False):
            self._change(name)
            row = self._db.one("wait_of", name=name)
            if row is None or moment(row[0]) < until or moment(row[0]) - timedelta(seconds=row[1]) > until:
                self._db.run(
                    "set_wait", name=name, wait_until=stamp(until), wait_s=seconds, reason=plain(reason)
                )

    def wait(self, name: str) -> tuple[datetime, float, str] | None:
        """The last pause of this name, also one that is over: until when, how many seconds, why. None when there was none."""
        with self._db.reading():
            row = self._db.one("wait_of", name=name)
        return (moment(row[0]), float(row[1]), str(row[2])) if row else None
