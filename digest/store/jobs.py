"""Jobs for workers, in the tables of their engine (procrastinate), enqueued in the transactions that create what they are about.

A job is a word to begin, no more: what is to be done, and whether it was, stands in our own tables. So a job that comes twice does
no harm, and one that is lost is made again (spans_left_out).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from digest.errors import StoreError
from digest.model import Span, edition_place
from digest.store.database import Database, moment, stamp, whole

# Mail waits so long for the pages that it links to; release_deliveries ends the wait.
HELD = timedelta(minutes=10)
# So many at once are worth new statistics: the planner would take the table for as good as empty.
_MANY = 50


class Job(Struct, frozen=True, kw_only=True):
    """What a worker is to do: `args` are plain values. It may begin `at` that moment (None: now). Of jobs with one `lock` one is
    done at a time; of those with one `queueing_lock` only one waits."""

    task: str
    args: Mapping[str, object]
    at: datetime | None = None
    lock: str = ""
    queueing_lock: str = ""


def span_job(span: Span, *, at: datetime | None = None) -> Job:
    """The job that carries these deliveries; its args are those of a Span."""
    return Job(task="deliver", args=span_fields(span), at=at)


def span_fields(span: Span) -> dict[str, object]:
    """A span as jobs and queries take it."""
    return {
        "edition_id": span.edition_id,
        "due_at": stamp(span.due_at),
        "first": span.first,
        "last": span.last,
    }


def engine_there(database: Database) -> bool:
    """Are the engine's tables in this database? Inside of a transaction."""
    return database.dialect == "postgres" and bool(database.value("engine_there"))


class Jobs:
    """The part of the store that knows jobs. On SQLite there are none."""

    _db: Database

    def enqueue(self, jobs: Sequence[Job]) -> list[int]:
        """The engine's numbers of these jobs, which workers see once the transaction of the caller (together()) is over.

        Raises StoreError on SQLite, and where the engine's tables are missing.
        """
        with self._db.writing(alone=False):
            if not engine_there(self._db):
                raise StoreError(
                    'Jobs need PostgreSQL with the tables of the engine. Give [store] a "postgresql://…" url and start '
                    "`digest worker` once, which makes them."
                )
            rows = [
                (job.task, job.lock or None, job.queueing_lock or None, job.args, job.at and stamp(job.at))
                for job in jobs
            ]
            found = self._db.rows("enqueue_jobs", jobs=msgspec.json.encode(rows).decode()) if rows else []
            if len(rows) >= _MANY:
                self._db.run("analyze_jobs")
        return [row[0] for row in found]

    def hold_deliveries(self, edition: tuple[str, str], *, until: datetime) -> None:
        """The jobs that carry the mails of an edition, given as (digest, edition id), begin at `until` at the earliest: its pages
        are not there yet. release_deliveries ends that."""
        with self._db.writing(alone=False):
            row = self._edition_row(*edition)
            if row is not None and engine_there(self._db):
                self._db.run("hold_jobs", edition_id=row, until=stamp(until))

    @whole
    def release_deliveries(self, edition: int | tuple[str, str], *, now: datetime) -> int:
        """The pages of an edition, given by its row or as (digest, edition id), are published: its jobs that were held back may
        begin, and workers hear of it. How many there were; a second call finds none."""
        with self._db.writing(alone=False):
            row = edition if isinstance(edition, int) else self._edition_row(*edition)
            if row is None or not engine_there(self._db):
                return 0
            released = self._db.run("release_jobs", edition_id=row, held=stamp(now + HELD))
            if released:
                self._db.rows("wake_workers", queue="deliver")
            return released

    def held_editions(self) -> list[int]:
        """The rows of the editions that have jobs held back, or put off."""
        with self._db.reading():
            return [row[0] for row in self._db.rows("held_editions")] if engine_there(self._db) else []

    def _edition_row(self, digest: str, edition_id: str) -> int | None:
        day, part = edition_place(edition_id)
        found: int | None = self._db.value("edition_row", digest=digest, date=day, part=part)
        return found

    def spans_left_out(self, *, now: datetime, batch: int, older_than: datetime | None = None) -> list[Span]:
        """Deliveries that could go now, or that were being sent when a run ended, and that no job carries which waits or is being
        done; up to `batch` in each span, earliest first. Those that are held (mail.in_doubt) are among them once they are due since
        before `older_than`, to be given up. Empty on SQLite."""
        with self._db.reading():
            if not engine_there(self._db):
                return []
            too_old = stamp(older_than) if older_than else ""
            rows = self._db.rows("spans_left_out", now=stamp(now), batch=batch, older_than=too_old)
        return [
            Span(edition_id=edition, due_at=moment(due_at), first=first, last=last)
            for edition, due_at, first, last in rows
        ]

    def job_counts(self) -> dict[str, dict[str, int]]:
        """How many jobs there are, by task and by the engine's status (todo, doing, succeeded, failed …)."""
        with self._db.reading():
            rows = self._db.rows("job_counts") if engine_there(self._db) else []
        found: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for task, status, count in rows:
            found[task][status] = count
        return dict(found)

    @whole
    def requeue_jobs(self, engine_ids: Sequence[int], *, now: datetime) -> int:
        """How many jobs that these workers of the engine, which are dead, were doing wait again, from `now` on."""
        if not engine_ids:
            return 0
        with self._db.writing(alone=False):
            if not engine_there(self._db):
                return 0
            return len(self._db.rows("requeue_jobs", ids=self._db.array(list(engine_ids)), now=stamp(now)))


class Spans:
    """Gathers, in ascending order, the deliveries of one edition into spans of up to `batch` that are due at one moment."""

    def __init__(self, edition_id: int, batch: int) -> None:
        self._edition_id, self._batch = edition_id, batch
        self._open: dict[datetime, list[int]] = {}  # due at: first, last, how many
        self.full: list[Span] = []

    def add(self, number: int, due_at: datetime) -> None:
        found = self._open.setdefault(due_at, [number, number, 0])
        found[1] = number
        found[2] += 1
        if found[2] == self._batch:
            self.full.append(self._span(due_at, self._open.pop(due_at)))

    def all(self) -> list[Span]:
        """Every span, earliest due first."""
        rest = [self._span(due_at, found) for due_at, found in self._open.items()]
        return sorted([*self.full, *rest], key=lambda span: (span.due_at, span.first))

    def _span(self, due_at: datetime, found: list[int]) -> Span:
        return Span(edition_id=self._edition_id, due_at=due_at, first=found[0], last=found[1])


def held_jobs(spans: Iterable[Span], issued_at: datetime) -> Iterator[Job]:
    """The jobs of an edition whose pages are not there yet."""
    return (span_job(span, at=max(span.due_at, issued_at + HELD)) for span in spans)
