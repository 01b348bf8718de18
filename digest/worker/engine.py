"""The engine: procrastinate on the PostgreSQL of the store. The only module that imports it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digest.errors import DigestError, StoreError, UsageError
from digest.worker.tasks import Again

try:
    import procrastinate
    import psycopg
    from procrastinate import exceptions, jobs, manager, retry, schema, worker
except ImportError as error:
    raise UsageError(
        'The engine is not installed. Install it: pip install "paper-digest[distributed]"'
    ) from error

if TYPE_CHECKING:
    from digest.store import Store

log = logging.getLogger("digest.worker")

# What ends a session with the database, and not the process.
LOST = (exceptions.ConnectorException, psycopg.Error, StoreError, OSError)

_FAULTS = 4  # so often a job is done that fails by a fault of the program
_FAILURES = 60  # and one that fails by what the operator can mend: a day at the longest pause
_POLL_S = 1.0
_HEARTBEAT_S = 5.0
_OPEN_S = 10.0
# That the engine itself forgets silent workers is not wanted: whose jobs would these be? (duties.py)
_NEVER_S = 10 * 365 * 24 * 3600.0


def install(store: Store) -> str:
    """Makes the engine's tables, or brings them up to date; what was done, in words, "" for nothing. Raises StoreError."""
    folder = Path(schema.SchemaManager.get_migrations_path())
    files = sorted(path for path in folder.glob("*.sql"))
    migrations = [(path.stem, path.read_text(encoding="utf-8")) for path in files]
    return store.install_engine(schema.SchemaManager.get_schema(), migrations)


def pause_after(error: BaseException, attempts: int) -> float | None:
    """The seconds after which a job that failed so often before is done again; None for never."""
    if isinstance(error, StoreError):
        return min(60.0, 2.0**attempts)
    if isinstance(error, DigestError):
        return min(900.0, 15.0 * 2.0**attempts) if attempts < _FAILURES else None
    return 10.0 * 6.0**attempts if attempts < _FAULTS - 1 else None


class _Retry(retry.BaseRetryStrategy):
    """When a job that ended with an error is done again."""

    def get_retry_decision(self, *, exception: BaseException, job: jobs.Job) -> retry.RetryDecision | None:
        if isinstance(exception, Again):
            return retry.RetryDecision(retry_at=datetime.now(UTC))
        pause = pause_after(exception, job.attempts)
        if pause is None:
            log.error(
                "%s failed by a fault of the program, and is not done again; please report it.",
                job.call_string,
                exc_info=exception,
            )
            return None
        level = logging.ERROR if not isinstance(exception, StoreError) else logging.WARNING
        known = isinstance(exception, DigestError)
        log.log(
            level,
            "%s: %s Done again in %.0f s.",
            job.call_string,
            exception if known else f"a fault of the program; please report it ({exception!r}).",
            pause,
            exc_info=None if known else exception,
        )
        return retry.RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=pause))


class _Jobs(manager.JobManager):
    """The engine's list of jobs; what became of one is noted only while it is ours, and again until it is noted."""

    def __init__(
        self, connector: Any, store: Store, *, registered: Callable[[int], None], stopping: Callable[[], bool]
    ) -> None:
        super().__init__(connector)
        self._store, self._registered, self._stopping = store, registered, stopping

    async def register_worker(self) -> int:
        number = await super().register_worker()
        await asyncio.to_thread(self._registered, number)
        return number

    async def finish_job(self, job: jobs.Job, status: jobs.Status, delete_job: bool) -> None:
        state = "succeeded" if status == jobs.Status.SUCCEEDED else "failed"
        await self._note(job, lambda: self._store.end_job(_id(job), job.worker_id or 0, state))

    async def retry_job(
        self,
        job: jobs.Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        at = retry_at or datetime.now(UTC)
        await self._note(job, lambda: self._store.put_back_job(_id(job), job.worker_id or 0, at=at))

    async def _note(self, job: jobs.Job, note: Callable[[], bool]) -> None:
        pause = 0.5
        while True:
            try:
                if not await asyncio.to_thread(note):
                    log.warning("%s was given to another worker meanwhile.", job.call_string)
                return
            except StoreError as error:
                if self._stopping():
                    log.warning("%s could not be noted; another worker takes it: %s", job.call_string, error)
                    return
            await asyncio.sleep(pause)
            pause = min(10.0, 2 * pause)


def _id(job: jobs.Job) -> int:
    assert job.id is not None
    return job.id


class Session:
    """One connection with the engine: `run` takes jobs until `stop`, or until the connection is lost (LOST)."""

    def __init__(
        self,
        url: str,
        store: Store,
        tasks: dict[str, Callable[..., None]],
        *,
        queues: Sequence[str],
        at_once: int,
        registered: Callable[[int], None],
        stopping: Callable[[], bool],
    ) -> None:
        connector = procrastinate.PsycopgConnector(
            conninfo=url, min_size=1, max_size=3, timeout=_OPEN_S, kwargs={"application_name": "digest"}
        )
        self._app = procrastinate.App(connector=connector)
        self._app.job_manager = _Jobs(connector, store, registered=registered, stopping=stopping)
        for name, work in tasks.items():
            self._app.task(name=name, queue=name, retry=_Retry())(work)
        self._queues, self._at_once = list(queues), at_once
        self._worker: worker.Worker | None = None
        self._stopped = False

    def stop(self) -> None:
        """From any thread: no further job is taken, and `run` ends when those at work have ended."""
        self._stopped = True
        if self._worker:
            self._worker.stop()  # type: ignore[no-untyped-call]

    async def run(self, *, wait: bool) -> None:
        """Takes jobs; without `wait` until none is left that may begin now. Raises what LOST names."""
        async with self._app.open_async():
            self._worker = worker.Worker(
                self._app,
                queues=self._queues,
                concurrency=self._at_once,
                wait=wait,
                fetch_job_polling_interval=_POLL_S,
                update_heartbeat_interval=_HEARTBEAT_S,
                stalled_worker_timeout=_NEVER_S,
                install_signal_handlers=False,
                listen_notify=wait,
            )
            if not self._stopped:
                await self._worker.run()  # type: ignore[no-untyped-call]


def quiet(names: Iterable[str] = ("procrastinate", "psycopg.pool")) -> None:
    """What the engine's own logs say of jobs and connections is said by ours, in words for the operator; not with --verbose."""
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        return
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL)
