"""What tells whether the program does its work: the last runs of a digest, what waits, and what the watch has noted."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from digest.store.database import Database, Row, moment
from digest.store.numbers import next_id

_WATCH = "watch"


class RunMark(Struct, frozen=True):
    """One run of a digest without its report. `status` is running, done, degraded or failed."""

    id: int
    started_at: datetime
    finished_at: datetime | None
    status: str


class Health:
    """The part of the store that monitoring asks. Every question is as quick after years as on the first day."""

    _db: Database

    def finished_runs(self, digest: str, *, limit: int) -> list[RunMark]:
        """The last runs of a digest that ended done or degraded, the newest first."""
        return self._marks("finished_runs", digest, limit)

    def newest_run(self, digest: str) -> RunMark | None:
        """The run of a digest that began last, however it ended; None before the first."""
        # A run for an older date may be the newest: the last few dates are looked at.
        return max(self._marks("newest_runs", digest, 10), key=lambda mark: mark.id, default=None)

    def _marks(self, query: str, digest: str, limit: int) -> list[RunMark]:
        with self._db.reading():
            marks = [_mark(row) for row in self._db.rows(query, digest=digest, limit=limit)]
        return sorted(marks, key=lambda mark: (mark.started_at, mark.id), reverse=True)

    def run_report(self, number: int) -> bytes:
        """The JSON of a run's report; b"" where it has none."""
        with self._db.reading():
            return str(self._db.value("run_report", id=number) or "").encode()

    def live_deliveries(self) -> dict[str, int]:
        """How many deliveries are queued, being sent and deferred. What is ended is not counted: that would be a walk through
        every mail there ever was."""
        with self._db.reading():
            return dict(self._db.rows("live_deliveries"))

    def deliveries_ever(self) -> int:
        """How many deliveries were ever queued, also those of subscribers who were erased."""
        with self._db.reading():
            return next_id(self._db, "delivery") - 1

    def subscriber_counts(self) -> dict[str, int]:
        """Subscribers by status; an absent status counts 0."""
        with self._db.reading():
            return dict(self._db.rows("subscriber_counts"))

    def letters_waiting(self) -> int:
        """How many letters are queued or being sent."""
        with self._db.reading():
            return int(self._db.value("count_letters"))

    def watch_notes(self) -> bytes:
        """What the watch noted last (app/health.py knows its form); b"" before the first time."""
        with self._db.reading():
            return str(self._db.value("meta_value", key=_WATCH) or "").encode()

    def put_watch_notes(self, notes: bytes) -> None:
        """Keeps what the watch noted in place of what it noted before."""
        with self._db.writing():
            self._db.run("set_meta", key=_WATCH, value=notes.decode())


def _mark(row: Row) -> RunMark:
    number, started_at, finished_at, status = row
    return RunMark(number, moment(started_at), moment(finished_at) if finished_at else None, status)
