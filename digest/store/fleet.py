"""Work that many processes share: who they are, runs in parts, and what their engine's own tables say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from digest.store.database import Database, Row, moment, stamp
from digest.store.jobs import engine_there
from digest.store.ledger import RunRow, run_of
from digest.utf8 import plain

# In meta: the newest migration of the engine's that its tables have.
ENGINE_SCHEMA = "engine_schema"


class WorkerRow(Struct, frozen=True, kw_only=True):
    """A process at work: `id` as process.this_process() says it, `engine_id` the engine's number of it (None before it has one),
    `doing` what it does, in words."""

    id: str
    engine_id: int | None
    version: str
    queues: tuple[str, ...]
    doing: str
    started_at: datetime
    seen_at: datetime


class PartRow(Struct, frozen=True, kw_only=True):
    """One source of a shared run. `report` is the JSON of its SourceReport, b"" before it was first put on record; a part that is
    `asked` and has a report waits to be asked again."""

    run_id: int
    place: int
    source: str
    state: str
    report: bytes


class FailedJob(Struct, frozen=True, kw_only=True):
    """A job that a fault of the program ended for good. `args` is JSON."""

    id: int
    task: str
    args: str
    attempts: int


class Fleet:
    """The part of the store that knows workers and what they share."""

    _db: Database

    # --- who is at work

    def put_worker(self, row: WorkerRow) -> None:
        """Notes a worker, or that it still lives and what it does."""
        with self._db.writing(alone=False):
            self._db.run(
                "put_worker",
                id=row.id,
                engine_id=row.engine_id,
                version=row.version,
                queues=" ".join(row.queues),
                doing=plain(row.doing),
                started_at=stamp(row.started_at),
                seen_at=stamp(row.seen_at),
            )

    def workers(self) -> list[WorkerRow]:
        """The workers, oldest first."""
        with self._db.reading():
            rows = self._db.rows("workers")
        return [_worker(row) for row in rows]

    def workers_heard(self, within: timedelta) -> list[WorkerRow]:
        """The workers that said so short a while ago that they live, by the clock that wrote it: the database's."""
        rows = self.workers()
        since = self.server_time() - within if rows else None
        return [row for row in rows if since is not None and row.seen_at >= since]

    def remove_worker(self, row: WorkerRow) -> None:
        """Forgets a worker that has ended, and frees what it held of runs."""
        with self._db.writing():
            self._db.run("remove_worker", id=row.id)
            self._db.run("release_leases", holder=row.id)
            if row.engine_id is not None and engine_there(self._db):
                self._db.rows("remove_engine", id=row.engine_id)

    def release_leases(self, holder: str) -> None:
        """Frees what a holder that does nothing any more holds of runs, and the lead."""
        with self._db.writing():
            self._db.run("release_leases", holder=holder)

    # --- runs in parts

    def run_begun(self, digest: str, day: str, *, since: datetime, tried_since: datetime) -> bool:
        """Is there a run for this digest and local date, started at `since` or later, that is done, at work in parts, or failed at
        `tried_since` or later?"""
        with self._db.reading():
            return bool(
                self._db.value(
                    "run_begun", digest=digest, date=day, since=stamp(since), tried_since=stamp(tried_since)
                )
            )

    def share_run(self, runs: Sequence[int], sources: Sequence[str]) -> None:
        """Makes a run of several rows of the ledger one that workers share: a part for each source, in order."""
        with self._db.writing():
            for run in runs:
                self._db.run("share_run", id=run)
            self._db.many(
                "put_part",
                [
                    {"run_id": runs[0], "place": place, "source": plain(source)}
                    for place, source in enumerate(sources)
                ],
            )

    def free_moment(self, now: datetime) -> datetime:
        """`now`, or the first microsecond after it at which no run started: readings are known by the start of their run."""
        with self._db.reading():
            while self._db.value("run_at", started_at=stamp(now)):
                now += timedelta(microseconds=1)
        return now

    def shared_run(self, run: int) -> list[RunRow]:
        """The rows of a shared run, one for each digest; empty where there is none with this number."""
        with self._db.reading():
            return [run_of(row) for row in self._db.rows("shared_run", id=run)]

    def open_shared_runs(self) -> list[int]:
        """The numbers of the shared runs that are at work, oldest first."""
        with self._db.reading():
            return [row[0] for row in self._db.rows("open_shared_runs")]

    def note_run(self, runs: Sequence[int], report: bytes) -> None:
        """Notes what a run has come to so far, or what came after its end; its status stays."""
        with self._db.writing():
            for run in runs:
                self._db.run("note_run", id=run, report=plain(report.decode()))

    def run_parts(self, run: int) -> list[PartRow]:
        """The parts of a shared run, in their order."""
        with self._db.reading():
            rows = self._db.rows("run_parts", run_id=run)
        return [
            PartRow(run_id=number, place=place, source=source, state=state, report=report.encode())
            for number, place, source, state, report in rows
        ]

    def put_taken(self, run: int, place: int, taken: bytes) -> None:
        """Keeps what a source gave until it is its turn to be put on record; what another worker has kept already stays."""
        with self._db.writing():
            self._db.run("put_taken", run_id=run, place=place, taken=taken)

    def taken(self, run: int, place: int) -> bytes:
        """What was kept of a part that is `taken`."""
        with self._db.reading():
            return bytes(self._db.value("taken", run_id=run, place=place) or b"")

    def end_part(self, run: int, place: int, report: bytes, *, again: bool) -> None:
        """Notes the report of a part that is on record, and drops what was kept of it. `again`: it will be asked once more."""
        with self._db.writing():
            self._db.run(
                "end_part",
                run_id=run,
                place=place,
                state="asked" if again else "recorded",
                report=plain(report.decode()),
            )

    # --- the engine's own tables

    def engine_there(self) -> bool:
        """Are the engine's tables in this database?"""
        with self._db.reading():
            return engine_there(self._db)

    def server_time(self) -> datetime:
        """What time it is by the clock of the database's server; with SQLite that is this machine's."""
        with self._db.reading():
            return moment(self._db.value("server_time"))

    def install_engine(self, schema: str, migrations: Sequence[tuple[str, str]]) -> str:
        """Makes the engine's tables where they are not, or brings them up to date: `migrations` are names, ascending, and SQL.

        What was done, in words; "" for nothing. Only one process at a time does this.
        """
        newest = migrations[-1][0]
        with self._db.writing():
            known = self._db.value("meta_value", key=ENGINE_SCHEMA)
            if not engine_there(self._db):
                self._db.execute(schema.replace("%", "%%"), {})
                known, done = newest, "its tables were made"
            else:
                # Tables that somebody else made are taken to be those of the engine that is installed here.
                todo = [(name, sql) for name, sql in migrations if known is not None and name > known]
                for _, sql in todo:
                    self._db.execute(sql.replace("%", "%%"), {})
                done = f"its tables were brought up to {newest}" if todo else ""
            if known is None or known < newest or done:
                self._db.run("set_meta", key=ENGINE_SCHEMA, value=newest)
        return done

    def due_jobs(self, queues: Sequence[str], *, until: datetime) -> int:
        """How many jobs of these queues wait and may begin by `until`."""
        with self._db.reading():
            return int(self._db.value("due_jobs", queues=self._db.array(list(queues)), until=stamp(until)))

    def has_live_jobs(self, run: int) -> bool:
        """Does a job of this shared run wait, or is one being done?"""
        with self._db.reading():
            return engine_there(self._db) and bool(self._db.value("live_jobs_of_run", run=str(run)))

    def failed_jobs(self, limit: int = 20) -> list[FailedJob]:
        """The newest jobs that a fault of the program ended for good."""
        with self._db.reading():
            rows = self._db.rows("failed_jobs", limit=limit) if engine_there(self._db) else []
        return [FailedJob(id=n, task=task, args=args, attempts=tried) for n, task, args, tried in rows]

    def end_job(self, job: int, engine_id: int, status: str) -> bool:
        """Notes that a job of this engine worker "succeeded" or "failed"; False where it is that of another by now."""
        with self._db.writing(alone=False):
            return bool(self._db.rows("end_job", id=job, engine_id=engine_id, status=status))

    def put_back_job(self, job: int, engine_id: int, *, at: datetime) -> bool:
        """Lets a job of this engine worker be done again from `at` on; False where it is that of another by now."""
        with self._db.writing(alone=False):
            return bool(self._db.rows("put_back_job", id=job, engine_id=engine_id, at=stamp(at)))

    def silent_engines(self, seconds: float) -> list[int]:
        """The engine's workers that it has not heard of for so long."""
        with self._db.reading():
            rows = self._db.rows("silent_engines", seconds=seconds) if engine_there(self._db) else []
        return [row[0] for row in rows]

    def remove_engines(self, numbers: Sequence[int]) -> None:
        """Makes the engine forget workers of its own that are gone."""
        with self._db.writing(alone=False):
            for number in numbers:
                self._db.rows("remove_engine", id=number)

    def put_back_orphans(self) -> int:
        """How many jobs were given back that no worker has, though they are being done."""
        with self._db.writing(alone=False):
            return len(self._db.rows("put_back_orphans")) if engine_there(self._db) else 0

    def forget_ended(self, *, older_than: datetime) -> int:
        """How many jobs were forgotten that ended before `older_than`; with them go the parts of runs that did."""
        with self._db.writing():
            self._db.run("forget_parts", older_than=stamp(older_than))
            return (
                self._db.run("delete_ended_jobs", older_than=stamp(older_than))
                if engine_there(self._db)
                else 0
            )


def _worker(row: Row) -> WorkerRow:
    number, engine_id, version, queues, doing, started_at, seen_at = row
    return WorkerRow(
        id=number,
        engine_id=engine_id,
        version=version,
        queues=tuple(queues.split()),
        doing=doing,
        started_at=moment(started_at),
        seen_at=moment(seen_at),
    )
