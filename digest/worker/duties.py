"""What a worker does beside its jobs: it says that it lives and gives the jobs of the dead back; as the leader it begins the runs
that are due, sees to mails that no job carries, and answers the mail of readers.

Leader is who holds the lease. What a leader does is one transaction each that finds what was done before, so that two of them in
turn, or for a moment both, do nothing twice.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from digest.app.fleet import LEADER
from digest.app.post import SILENT
from digest.cron import cron
from digest.errors import DigestError, LeaseHeld, StoreError
from digest.process import is_dead
from digest.store import WorkerRow

if TYPE_CHECKING:
    from digest.app import App

log = logging.getLogger("digest.worker")

LEADER_TTL_S = 15.0
_BEAT_S = 3.0
_LEAD_S = 5.0
_SWEEP_S = 30.0
_LETTERS_S = 20.0
_NOTICES_S = 15.0  # then letters that somebody waits for are looked for again
_MAILBOX_S = 300.0
_WATCH_S = 300.0
_FORGET_S = 3600.0
_KEPT = timedelta(days=1)  # a job that has ended


class Duties:
    """The duties of one worker. `row` is how it is known to others, `doing` says what it does."""

    def __init__(self, app: App, row: WorkerRow, doing: Callable[[], str]) -> None:
        self._app, self._row, self._doing = app, row, doing
        self._leads = self._lost = self._left = False
        self._triggers = [(d, cron(d, app.config)) for d in app.config.digest if d.schedule]
        self._ended = threading.Event()
        self._lock = threading.Lock()

    def start(self) -> None:
        """From now on the duties are done every few seconds, until `stop`; each in a thread, by a clock that nobody sets."""
        for duty in (self.rescue, self.lead):
            self._safely(duty)()
        for seconds, duty in (
            (_BEAT_S, self.beat),
            (_BEAT_S, self.rescue),
            (_LEAD_S, self.lead),
            (_SWEEP_S, self._as_leader(self.sweep)),
            (_LETTERS_S, self._as_leader(self.letters)),
            (_MAILBOX_S, self._as_leader(self.mailbox)),
            (_WATCH_S, self._as_leader(self.watch)),
            (_FORGET_S, self._as_leader(self.forget)),
        ):
            done = self._safely(duty)
            threading.Thread(target=self._every, args=(seconds, done), name=duty.__name__).start()

    def _every(self, seconds: float, duty: Callable[[], None]) -> None:
        while not self._ended.wait(seconds):
            duty()

    def stop(self) -> None:
        """Ends the duties, without waiting for one that is at work."""
        self._ended.set()

    def all_once(self) -> None:
        """Every duty in turn, for a worker that does not stay. Raises StoreError."""
        for duty in (self.beat, self.rescue, self.lead):
            duty()
        if self._leads:
            for duty in (self.sweep, self.letters, self.mailbox, self.watch, self.forget):
                self._safely(duty)()

    def _as_leader(self, duty: Callable[[], None]) -> Callable[[], None]:
        def done() -> None:
            if self._leads:
                duty()

        done.__name__ = duty.__name__
        return done

    def _safely(self, duty: Callable[[], None]) -> Callable[[], None]:
        """The duty; what goes wrong in it is logged, and it is done again in its time."""

        def done() -> None:
            if self._left:
                return
            try:
                duty()
            except StoreError as error:
                if not self._lost:
                    log.warning("%s", error)
                self._lost = True
            except DigestError as error:
                log.error("%s: %s", duty.__name__, error)
            except Exception:
                log.exception("%s failed by a fault of the program; please report it", duty.__name__)
            else:
                if self._lost and duty == self.beat:
                    log.info("the store answers again")
                    self._lost = False

        return done

    # ------------------------------------------------------------ of every worker

    def registered(self, engine_id: int | None) -> None:
        """The engine knows this worker by a new number: the jobs that it had under the last one are given back."""
        with self._lock:
            before, self._row = self._row.engine_id, replace(self._row, engine_id=engine_id)
        store = self._app.store
        if before is not None and before != engine_id:
            store.requeue_jobs([before], now=self._app.clock())
        self.beat()

    def beat(self) -> None:
        """Says that this worker lives, and what it does."""
        with self._lock:
            if not self._left:
                # By the clock by which others judge it (rescue): those of two machines differ.
                now = self._app.store.server_time()
                self._app.store.put_worker(replace(self._row, seen_at=now, doing=self._doing()))

    def rescue(self) -> None:
        """Gives back the jobs of workers that are dead: known to be, on this machine; not heard of, on others."""
        store, now = self._app.store, self._app.clock()
        rows, heard = store.workers(), {row.id for row in store.workers_heard(SILENT)}
        alive = set()
        for row in rows:
            if row.id == self._row.id or (row.id in heard and not is_dead(row.id)):
                alive.add(row.engine_id)
                continue
            engines = [] if row.engine_id is None else [row.engine_id]
            count = store.requeue_jobs(engines, now=now)
            store.remove_worker(row)
            log.warning(
                "The worker %s is gone; %s.",
                row.id,
                f"{count} of its jobs are given back" if count else "it had no job",
            )
        nobodys = [
            number for number in store.silent_engines(2 * SILENT.total_seconds()) if number not in alive
        ]
        if nobodys:
            count = store.requeue_jobs(nobodys, now=now)
            store.remove_engines(nobodys)
            log.warning("%d jobs of workers that nobody knows are given back.", count)
        store.put_back_orphans()

    def lead(self) -> None:
        """Takes or keeps the lead, and, with it, begins the runs that are due and ends those that cannot."""
        app = self._app
        try:
            app.store.acquire_lease(
                LEADER, self._row.id, now=app.clock(), ttl_s=LEADER_TTL_S, is_dead=is_dead
            )
        except LeaseHeld:
            self._leads = False
            return
        if not self._leads:
            log.info("This worker leads: it begins the runs that are due.")
        self._leads = True
        for lost in app.end_lost_runs():
            log.error("%s.", lost)
        for digest, trigger in self._triggers:
            try:
                run = app.begin_due_run(digest, trigger, now=app.clock())
            except LeaseHeld as held:
                log.info("%s: %s It is begun after that.", digest.name, held)
                continue
            if run is not None:
                log.info("%s: run %d has begun", digest.name, run, extra={"digest": digest.name, "run": run})

    def leave(self) -> None:
        """Says that this worker has ended: its jobs, its leases and the lead are free."""
        with self._lock:
            self._left = True
        store = self._app.store
        if self._row.engine_id is not None:
            store.requeue_jobs([self._row.engine_id], now=self._app.clock())
        store.remove_worker(self._row)

    # ------------------------------------------------------------ of the leader

    def sweep(self) -> None:
        """A job for each span of mails that are due and that no job carries."""
        self._app.wake()
        count = self._app.carry_left_out()
        if count:
            log.info("%d spans of mails that no job carried are due", count)

    def letters(self) -> None:
        """Sends the letters that wait: confirmations above all, and some notices."""
        report = self._app.send_letters()
        if report.error:
            log.error("mail: %s", report.error)
        self._app.send_notices(for_s=_NOTICES_S)

    def mailbox(self) -> None:
        """Takes the reports of failed mail, and requests to leave, that have come."""
        if self._app.config.mail.mailbox.host:
            self._app.read_mailbox()

    def watch(self) -> None:
        """Mails the operator when a digest has become silent."""
        self._app.watch(self._app.clock())

    def forget(self) -> None:
        """Forgets jobs that have ended."""
        self._app.store.forget_ended(older_than=self._app.clock() - _KEPT)


def row_of(
    holder: str, version: str, queues: tuple[str, ...], now: datetime, engine_id: int | None = None
) -> WorkerRow:
    """How a worker is known to others."""
    return WorkerRow(
        id=holder,
        engine_id=engine_id,
        version=version,
        queues=queues,
        doing="",
        started_at=now,
        seen_at=now,
    )
