"""The days of dated sources: which may still grow, and which have stayed the same."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from digest.store.database import Database, Row, moment, stamp
from digest.utf8 import plain


class Day(Struct, frozen=True, kw_only=True):
    """One day of a source. `fingerprint` is that of the papers it listed, "" where it was never read; an open day is asked
    again."""

    source: str
    day: date
    state: Literal["open", "closed"]
    papers: int
    fingerprint: str
    asked_at: datetime
    changed_at: datetime


class Days:
    """The part of the store that knows which days may still grow."""

    _db: Database

    def days_of(self, source: str) -> list[Day]:
        """The days of one source, oldest first."""
        with self._db.reading():
            rows = self._db.rows("days_of", source=plain(source))
        return [_day(row) for row in rows]

    def open_days(self) -> list[Day]:
        """The days of all sources that are to be asked again, oldest first."""
        with self._db.reading():
            return [_day(row) for row in self._db.rows("open_days")]

    def record_day(self, day: Day) -> None:
        """Notes what is known of a day, in place of what was noted before."""
        with self._db.writing():
            self._db.run(
                "put_day",
                source=plain(day.source),
                day=day.day.isoformat(),
                state=day.state,
                papers=day.papers,
                fingerprint=plain(day.fingerprint),
                asked_at=stamp(day.asked_at),
                changed_at=stamp(day.changed_at),
            )


def _day(row: Row) -> Day:
    source, day, state, papers, fingerprint, asked_at, changed_at = row
    return Day(
        source=source,
        day=date.fromisoformat(day),
        state=state,
        papers=papers,
        fingerprint=fingerprint,
        asked_at=moment(asked_at),
        changed_at=moment(changed_at),
    )
