"""What the jobs mean: plain functions of the App, each called in a thread that has an App of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from digest.errors import LeaseHeld, Stopped, StoreError
from digest.logs import about
from digest.model import RunReport, Span
from digest.store.jobs import Job, span_job

if TYPE_CHECKING:
    from digest.app import App

log = logging.getLogger("digest.worker")

# A part of a run that another process is at is tried again so soon, by a new job.
BUSY_S = 2.0


class Again(Exception):
    """A job was told to stop: it is somebody's job again, at once."""


class Apps:
    """An App for each thread of work, opened when it first works, and left when its store failed."""

    def __init__(self, opened: Callable[[], App]) -> None:
        self._open, self._mine = opened, threading.local()
        self._all: dict[int, App] = {}
        self._doing: dict[int, str] = {}
        self._lock = threading.Lock()
        self._stopped = False

    @property
    def doing(self) -> str:
        """What is done now, in words; "" for nothing."""
        with self._lock:
            return ", ".join(sorted(self._doing.values()))

    def work(self, words: str, what: Callable[[App], None]) -> None:
        """Calls `what` with the App of this thread. Raises Again when told to stop, and what `what` raises."""
        app = self._app()
        me = threading.get_ident()
        with self._lock:
            self._doing[me] = words
        try:
            if app.stop.is_set():
                raise Again
            with about(job=words):
                what(app)
        except StoreError:
            self._leave(app)
            raise
        except Stopped as stopped:
            log.info("%s: %s", words, stopped)
            raise Again from stopped
        finally:
            with self._lock:
                del self._doing[me]

    def stop(self) -> None:
        """Finishes what is in flight, in every thread."""
        with self._lock:
            self._stopped = True
            for app in self._all.values():
                app.stop.set()

    def close(self) -> None:
        """Closes what was opened; when no thread works any more."""
        with self._lock:
            apps, self._all = list(self._all.values()), {}
        for app in apps:
            app.close()
        self._mine = threading.local()

    def _app(self) -> App:
        app: App | None = getattr(self._mine, "app", None)
        if app is None:
            app = self._mine.app = self._open()
            with self._lock:
                self._all[id(app)] = app
                if self._stopped:
                    app.stop.set()
        return app

    def _leave(self, app: App) -> None:
        with self._lock:
            self._all.pop(id(app), None)
        self._mine.app = None
        app.close()


class Tasks:
    """The jobs by the names of their queues. `told` hears of each run that has ended."""

    def __init__(self, apps: Apps, told: Callable[[RunReport], None]) -> None:
        self._apps, self._told = apps, told

    def by_name(self) -> dict[str, Callable[..., None]]:
        return {
            "collect": self.collect,
            "issue": self.issue,
            "deliver": self.deliver,
            "tidy": self.tidy,
        }

    def collect(self, run: int, place: int) -> None:
        """Reads one source of a shared run."""
        job = Job(task="collect", args={"run": run, "place": place})
        self._try(job, f"collect {run}/{place}", lambda app: app.collect_part(run, place))

    def issue(self, run: int) -> None:
        """Issues and publishes the editions of a shared run."""

        def work(app: App) -> None:
            report = app.finish_shared_run(run)
            if report is not None:
                self._told(report)
                app.report_run(report)

        self._try(Job(task="issue", args={"run": run}), f"issue {run}", work)

    def tidy(self, run: int) -> None:
        """What comes after a shared run."""
        job = Job(task="tidy", args={"run": run})
        self._try(job, f"tidy {run}", lambda app: app.tidy_run(run))

    def deliver(self, edition_id: int, due_at: str, first: int, last: int) -> None:
        """Sends the mails of a span, and leaves a job for those that are due again later."""
        span = Span(edition_id=edition_id, due_at=datetime.fromisoformat(due_at), first=first, last=last)
        job = span_job(span)

        def work(app: App) -> None:
            _, again_at = app.deliver_span(span)
            if again_at is not None:
                app.store.enqueue([replace(job, at=again_at)])

        self._try(job, f"deliver {first}-{last}", work)

    def _try(self, job: Job, words: str, work: Callable[[App], None]) -> None:
        """Does a job; one that another process keeps from being done is left as a new one for a moment later."""

        def tried(app: App) -> None:
            try:
                work(app)
            except LeaseHeld as held:
                log.debug("%s: %s", words, held)
                app.store.enqueue([replace(job, at=datetime.now(UTC) + timedelta(seconds=BUSY_S))])

        self._apps.work(words, tried)
