"""The part of App that shares a day's run with other processes: begun by one, collected by many, issued by one.

Each step is one transaction that also holds the jobs for the next one. So a process that dies anywhere leaves either nothing of a
step, or all of it and who goes on; and a step that is done twice finds that it is done.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from digest.config import Config, DigestConfig, SourceConfig
from digest.cron import due_times
from digest.errors import LeaseHeld, Stopped
from digest.model import DeliveryReport, DigestReport, PublishReport, RunReport, SourceReport
from digest.process import is_dead

if TYPE_CHECKING:
    from typing import Any

    from digest.app.daily import DayRun
    from digest.fetch import Fetcher
    from digest.pipeline.collect import Reader
    from digest.pipeline.issue import Issued
    from digest.store import FailedJob, PartRow, RunRow, Store, WorkerRow

log = logging.getLogger(__name__)

# The lease of the worker that begins runs.
LEADER = "leader"
# A worker that was not heard of for so long is taken for dead; one of this machine is known to be.
SILENT = timedelta(seconds=30)
# A day's run that failed is begun anew after so long, while its grace lasts.
AGAIN = timedelta(minutes=15)
_BUSY_S = 2.0
# Mails wait so long for the pages that they link to, and as long again each time that these are tried.
HOLD = timedelta(minutes=30)

_report = msgspec.json.Decoder(SourceReport).decode
_run_report = msgspec.json.Decoder(RunReport).decode


class FleetState(Struct, frozen=True, kw_only=True):
    """Who is at work, and what waits: `leader` and `silent` are ids of workers, `jobs` counts by task and status, `failed` are the
    newest jobs that were given up."""

    leader: str = ""
    workers: Sequence[WorkerRow] = ()
    silent: frozenset[str] = frozenset()
    jobs: dict[str, dict[str, int]] = {}
    failed: Sequence[FailedJob] = ()


class SharedRun(Struct, frozen=True, kw_only=True):
    """A run that is at work in parts: its number, its rows of the ledger, one for each digest, and how one process does it."""

    id: int
    rows: Sequence[RunRow]
    day_run: DayRun
    digests: Sequence[DigestConfig]
    again: bool
    waits: bool

    @property
    def began(self) -> datetime:
        return self.rows[0].started_at

    @property
    def day(self) -> date:
        return self.rows[0].date

    @property
    def numbers(self) -> list[int]:
        return [row.id for row in self.rows]


class Fleet:
    """What App does with runs that workers share. App gives the edges."""

    config: Config
    clock: Callable[[], datetime]
    stop: threading.Event
    _turns: object | None

    if TYPE_CHECKING:

        @property
        def store(self) -> Store: ...
        @property
        def fetcher(self) -> Fetcher: ...
        def share_turns(self) -> None: ...
        def alone(self, part: str = "") -> AbstractContextManager[None]: ...
        def renew_in_time(self) -> None: ...
        def wake(self) -> None: ...
        def today(self, now: datetime) -> date: ...
        def publish(self) -> PublishReport: ...
        def _sources(
            self, digests: Sequence[DigestConfig], adhoc: Sequence[SourceConfig]
        ) -> list[tuple[SourceConfig, Sequence[DigestConfig]]]: ...

    @property
    def is_shared(self) -> bool:
        """Is the work done by `digest worker` processes?"""
        return self.config.engine.kind == "procrastinate"

    @property
    def batch(self) -> int:
        """How many deliveries a job carries; 0 where nobody takes jobs, or no worker was ever here to make their tables."""
        return self.config.engine.batch if self.is_shared and self.store.engine_there() else 0

    def fleet_state(self, now: datetime) -> FleetState:
        """The workers of this store, and their jobs. Changes nothing."""
        workers = self.store.workers()
        return FleetState(
            leader=self.store.lease_holder(LEADER, now=now),
            workers=workers,
            silent=frozenset(row.id for row in workers if row.seen_at < now - SILENT or is_dead(row.id)),
            jobs=self.store.job_counts(),
            failed=self.store.failed_jobs(),
        )

    # ------------------------------------------------------------ the beginning

    def begin_due_run(self, digest: DigestConfig, trigger: Any, *, now: datetime) -> int | None:
        """Begins the run for the newest time within grace_h at which the digest was due, unless it was begun; its number, or None.

        The key is the local date, so a time that comes twice in autumn counts from its first coming.
        """
        due = max(due_times(trigger, now - timedelta(hours=digest.grace_h), now), default=None)
        if due is None:
            return None
        first = due.astimezone(self.config.site.zone).replace(fold=0)
        return self.begin_shared_run([digest], day=first.date(), now=now, since=first)

    def begin_shared_run(
        self,
        digests: Sequence[DigestConfig],
        *,
        day: date,
        now: datetime,
        since: datetime | None = None,
        again: bool = False,
    ) -> int | None:
        """Puts a run for these digests and local date in the ledger, with a part and a job for each of its sources; its number.

        With `since` None, and nothing is done, where a run of that day was begun at that moment or later, by whomever, and has
        not failed, or did so less than AGAIN ago. Raises LeaseHeld while a run of one process is at work, and StoreError.
        """
        from digest.app.daily import setup_of

        tried_since = self.clock() - AGAIN
        with self.alone("begin"), self.store.together():
            if since is not None and any(
                self.store.run_begun(d.name, day.isoformat(), since=since, tried_since=tried_since)
                for d in digests
            ):
                return None
            now = self.store.free_moment(now)
            order = self._order(now, day, digests, self._sources(digests, ()), again=again)
            setup = msgspec.json.encode(setup_of(order))
            runs = [self.store.start_run(digest.name, day, now=now, setup=setup) for digest in digests]
            self.store.share_run(runs, [source.name for source, _ in order.sources])
            self._enqueue_all(runs[0], range(len(order.sources)))
        return runs[0]

    def _order(
        self,
        now: datetime,
        day: date,
        digests: Sequence[DigestConfig],
        sources: Sequence[tuple[SourceConfig, Sequence[DigestConfig]]],
        *,
        again: bool,
    ) -> Any:
        from digest.app.daily import Order

        return Order(
            now=now,
            day=day,
            given_day=None,
            since=None,
            digests=digests,
            sources=sources,
            adhoc=False,
            again=again,
            dry_run=False,
            wait=False,
            source_done=lambda report: None,
            progress=lambda what, done, total: None,
        )

    def _enqueue_all(self, run: int, places: Iterable[int]) -> None:
        jobs = [("collect", {"run": run, "place": place}) for place in places]
        for task, args in jobs or [("issue", {"run": run})]:
            self._enqueue(task, args)

    def _enqueue(self, task: str, args: dict[str, int], at: datetime | None = None) -> None:
        from digest.store.jobs import Job

        self.store.enqueue([Job(task=task, args=dict(args), at=at)])

    def shared_run(self, run: int) -> SharedRun | None:
        """A shared run that is at work; None for one that has ended, or never was: its jobs have nothing to do."""
        from digest.app.daily import DayRun
        from digest.pipeline.replay import Setup

        rows = self.store.shared_run(run)
        if not rows or rows[0].status != "running":
            return None
        setup = msgspec.json.decode(rows[0].setup, type=Setup)
        # As it was when the run began, for all workers alike; but headers, which are keys perhaps, are not in the store.
        headers = {source.name: source.headers for source in self.config.source}
        updates = frozenset(setup.updates_for)
        sources = [
            (
                replace(source, headers=headers.get(source.name, {})),
                [DigestConfig(name=name, updates=name in updates) for name in setup.followers[source.name]],
            )
            for source in setup.sources
        ]
        began, day = rows[0].started_at, rows[0].date
        order = self._order(began, day, setup.digests, sources, again=setup.again)
        return SharedRun(
            id=rows[0].id,
            rows=rows,
            day_run=DayRun(self, order),  # type: ignore[arg-type]  # which is an App
            digests=setup.digests,
            again=setup.again,
            waits=self.today(began) == day,
        )

    # ------------------------------------------------------------ a source

    def collect_part(self, run: int, place: int) -> None:
        """Fetches and reads one source of a shared run, and puts on record, in the order of the sources, all that is read by now.

        Who records the last one leaves the job that issues. A source whose batch is not out is asked again later, by a job of
        its own. Raises LeaseHeld while another one is at this source; Stopped, after which nothing of it is kept; StoreError.
        """
        shared = self.shared_run(run)
        if shared is None:
            log.info("run %d is over: its source %d is not read", run, place, extra={"run": run})
            return
        part = self.store.run_parts(shared.id)[place]
        with self.alone(f"collect/{part.source}"):
            part = self.store.run_parts(shared.id)[place]
            if part.state == "asked":
                self._take_part(shared, part)
            while self._record_next(run):
                pass

    def _take_part(self, shared: SharedRun, part: PartRow) -> None:
        from digest.pipeline.gather import gather
        from digest.pipeline.shared import pack
        from digest.pipeline.tally import promise_days

        if self._turns is None:
            self.share_turns()
        began = time.perf_counter()
        reader = self._reader(shared, part)
        promise_days(reader.wanted, self.store)
        visit = self.fetcher.visit(reader.source, now=reader.wanted.now)
        taken = []
        for item in gather(reader.wanted, visit, self.store, stopped=self.stop.is_set):
            taken.append(item)
            self.renew_in_time()
        if self.stop.is_set():
            raise Stopped(
                f"told to stop while {part.source} was read. Nothing of it is kept; another worker reads it."
            )
        self.store.put_taken(part.run_id, part.place, pack(taken, time.perf_counter() - began))

    def _reader(self, shared: SharedRun, part: PartRow) -> Reader:
        now = self.clock() if part.report else None  # the first time at the moment of the run
        return shared.day_run.readers(now, [part.source])[0]

    def _record_next(self, run: int) -> bool:
        """Puts the next part on record, if it is there; False where it is not, or none is left."""
        from digest.pipeline.shared import record

        with self.store.together():
            shared = self.shared_run(run)
            parts = self.store.run_parts(run) if shared else []
            part = _next(parts)
            if shared is None or part is None:
                return False
            reader = self._reader(shared, part)
            report = record(
                reader,
                self.store.taken(run, part.place),
                self.store,
                place=part.place,
                keep_pages=self.config.store.keep_pages_days > 0,
            )
            report, again_at = self._waiting(shared, part, reader.source, report)
            self.store.end_part(run, part.place, msgspec.json.encode(report), again=again_at is not None)
            if again_at is not None:
                self._enqueue("collect", {"run": run, "place": part.place}, again_at)
            elif all(other.state == "recorded" for other in parts if other.place != part.place):
                self._enqueue("issue", {"run": run})
        return True

    def _waiting(
        self, shared: SharedRun, part: PartRow, source: SourceConfig, report: SourceReport
    ) -> tuple[SourceReport, datetime | None]:
        """The report of all readings of a source in this run, and when to ask it again; None for not any more."""
        from digest.app.daily import added, pause_until, waited
        from digest.pipeline.collect import WAITABLE

        if part.report:
            report = added(_report(part.report), report)
        if not (shared.waits and source.wait_until and report.outcome in WAITABLE):
            return report, None
        end, now = shared.day_run.wait_end(source), self.clock()
        local = f"{end.astimezone(self.config.site.zone):%H:%M}"
        if end > now:
            log.info("%s: its batch is not out; waiting until %s at most", source.name, local)
            return report, now + timedelta(seconds=pause_until(end, now))
        return (waited(report, local) if part.report else report), None

    # ------------------------------------------------------------ the edition

    def finish_shared_run(self, run: int) -> RunReport | None:
        """Issues the editions of a shared run, publishes them, lets their mails go, and closes it in the ledger; its report, or
        None where it is over.

        Raises LeaseHeld while another run issues or publishes; StoreError, PublishError and RenderError: to be called again.
        """
        with self.alone("issue"):
            shared = self.shared_run(run)
            if shared is None:
                return None
            # A predecessor that died after the editions were issued has left what came of it.
            report = _run_report(shared.rows[0].report) if shared.rows[0].report else self._issue(shared)
            self.hold(report.digests)
            report = replace(report, published=self.publish())
            self.let_go(report.digests)
            now = self.clock()
            report = replace(report, seconds=round(max(0.0, (now - shared.began).total_seconds()), 3))
            status = "degraded" if report.degraded else "done"
            with self.store.together():
                if self.shared_run(run) is None:
                    return None
                for number in shared.numbers:
                    self.store.finish_run(number, now=now, status=status, report=msgspec.json.encode(report))
                self._enqueue("tidy", {"run": run})
        return report

    def _issue(self, shared: SharedRun) -> RunReport:
        from digest.pipeline.collect import with_dropped

        self.wake()
        with self.store.together():
            issued = [
                self.issue_edition(digest, day=shared.day, now=shared.began, again=shared.again)
                for digest in shared.digests
            ]
            dropped: Counter[str] = sum((i.dropped for i in issued), Counter())
            reports = [_report(part.report) for part in self.store.run_parts(shared.id)]
            report = RunReport(
                date=shared.day,
                seconds=0.0,
                sources=tuple(with_dropped(reports, dropped, self.store)),
                digests=tuple(i.report for i in issued),
                deliveries=DeliveryReport(queued=sum(i.queued for i in issued)),
            )
            self.store.note_run(shared.numbers, msgspec.json.encode(report))
        return report

    def issue_edition(self, digest: DigestConfig, *, day: date, now: datetime, again: bool) -> Issued:
        """The digest's edition of `day`, in one transaction. Its mails wait for its pages, where they are the work of others."""
        from digest.pipeline.issue import issue

        with self.store.together():
            issued = issue(digest, self.config, self.store, day=day, now=now, again=again, batch=self.batch)
            self.hold([issued.report])
        return issued

    def hold(self, digests: Iterable[DigestReport]) -> None:
        """Mails that others send wait for the pages that they link to. From now on: the run may have begun long ago."""
        for edition in self._carried(digests):
            self.store.hold_deliveries(edition, until=self.clock() + HOLD)

    def let_go(self, digests: Iterable[DigestReport]) -> None:
        """The pages are published: the mails that link to them may go."""
        for edition in self._carried(digests):
            self.store.release_deliveries(edition, now=self.clock() + HOLD)

    def _carried(self, digests: Iterable[DigestReport]) -> list[tuple[str, str]]:
        return (
            [(digest.name, digest.edition.id) for digest in digests if digest.edition] if self.batch else []
        )

    def tidy_run(self, run: int) -> None:
        """What comes after a shared run: papers known by their title alone are looked up, old pages forgotten.

        Raises LeaseHeld, StoreError, PublishError and RenderError: to be called again.
        """
        from digest.app.daily import look_up, tidy

        rows = self.store.shared_run(run)
        if not rows or not rows[0].report:
            return
        with self.alone("tidy"):
            began = rows[0].started_at
            lookups = look_up(self, began)  # type: ignore[arg-type]  # which is an App
            tidy(self, began)  # type: ignore[arg-type]
            report = msgspec.json.decode(rows[0].report, type=RunReport)
            self.store.note_run(
                [row.id for row in rows], msgspec.json.encode(replace(report, lookups=lookups))
            )
            while lookups.hits and not self.stop.is_set():
                try:
                    with self.alone("issue"):
                        self.publish()
                    return
                except LeaseHeld:
                    self.stop.wait(_BUSY_S)

    # ------------------------------------------------------------ what is left lying

    def hand_over(self) -> DeliveryReport:
        """Leaves what is due to workers, after publishing the pages that it links to; what is queued then.

        Raises LeaseHeld while another run issues or publishes, StoreError and PublishError.
        """
        with self.alone("issue"):
            self.wake()
            self.publish()
        if self.batch:
            self.carry_left_out()
        return DeliveryReport(queued=self.store.open_delivery_counts()["queued"])

    def carry_left_out(self) -> int:
        """Makes a job for each span of mails that are due and that no job carries; how many those were."""
        from digest.store.jobs import span_job

        spans = self.store.spans_left_out(now=self.clock(), batch=self.config.engine.batch)
        if spans:
            with self.store.together(alone=False):
                self.store.enqueue([span_job(span) for span in spans])
        return len(spans)

    def end_lost_runs(self) -> list[str]:
        """Ends the shared runs for which no job is left, since one failed for good; what was lost, in words. The schedule begins
        them anew."""
        lost = []
        for run in self.store.open_shared_runs():
            with self.store.together():
                shared = self.shared_run(run)
                if shared is None or self.store.has_live_jobs(run):
                    continue
                parts = self.store.run_parts(run)
                open_parts = ", ".join(part.source for part in parts if part.state != "recorded") or "issue"
                reason = f"a job of it failed by a fault of the program ({open_parts}); its log has it"
                record = msgspec.json.encode({"schema": 1, "date": shared.day, "error": reason})
                for number in shared.numbers:
                    self.store.finish_run(number, now=self.clock(), status="failed", report=record)
                lost.append(f"run {run} of {shared.day} failed: {reason}")
        return lost


def _next(parts: Sequence[PartRow]) -> PartRow | None:
    """The part to put on record next: in the order of the sources, and those that were asked again after all."""
    first = next((part for part in parts if not part.report), None)
    if first is not None:
        return first if first.state == "taken" else None
    return next((part for part in parts if part.state == "taken"), None)
