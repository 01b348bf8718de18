"""A day's run that processes share: begun by one, its sources read by many, issued by one.

Sources are fetched and read side by side, those of several runs too. They are put on record in their order, and runs one after the
other in that in which they began, as one process does it: so the editions are the same.

Each step is one transaction that also holds the jobs for the next one. So a process that dies anywhere leaves either nothing of a
step, or all of it and who goes on; and a step that is done twice finds that it is done.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from digest.app.daily import (
    DayRun,
    Order,
    added,
    end_failed,
    end_well,
    look_up,
    pause_until,
    setup_of,
    tidy,
    waited,
    with_notices,
)
from digest.config import DigestConfig, SourceConfig
from digest.errors import LeaseHeld, Stopped
from digest.model import DeliveryReport, RunReport, SourceReport
from digest.pipeline.collect import WAITABLE, with_dropped
from digest.pipeline.gather import gather
from digest.pipeline.replay import Setup
from digest.pipeline.shared import pack, record
from digest.pipeline.tally import promise_days
from digest.store.jobs import Job

if TYPE_CHECKING:
    from digest.app.fleet import Fleet
    from digest.pipeline.collect import Reader
    from digest.store import PartRow, RunRow

log = logging.getLogger(__name__)

# A day's run that failed is begun anew after so long, while its grace lasts.
AGAIN = timedelta(minutes=15)
_BUSY_S = 2.0

_setup = msgspec.json.Decoder(Setup).decode
_report = msgspec.json.Decoder(SourceReport).decode
_run_report = msgspec.json.Decoder(RunReport).decode

Sources = Sequence[tuple[SourceConfig, Sequence[DigestConfig]]]


def begin(
    app: Fleet,
    digests: Sequence[DigestConfig],
    sources: Sources,
    *,
    day: date,
    now: datetime,
    since: datetime | None,
    again: bool,
) -> int | None:
    """Puts a run in the ledger, with a part and a job for each of its sources; its number, or None (App.begin_shared_run)."""
    if since is not None and is_begun(app, digests, day, since):
        return None
    with app.alone("begin"), app.store.together():
        if since is not None and is_begun(app, digests, day, since):
            return None
        now = app.store.free_moment(now)
        order = Order(now=now, day=day, digests=digests, sources=sources, again=again)
        setup = msgspec.json.encode(setup_of(order))
        runs = [app.store.start_run(digest.name, day, now=now, setup=setup) for digest in digests]
        app.store.share_run(runs, [source.name for source, _ in sources])
        collects = [Job(task="collect", args={"run": runs[0], "place": n}) for n in range(len(sources))]
        app.store.enqueue(collects or [Job(task="issue", args={"run": runs[0]})])
    return runs[0]


def is_begun(app: Fleet, digests: Iterable[DigestConfig], day: date, since: datetime) -> bool:
    """Is the day's run of one of these digests done, at work, or failed a short while ago?"""
    tried_since = app.clock() - AGAIN
    return any(
        app.store.run_begun(digest.name, day.isoformat(), since=since, tried_since=tried_since)
        for digest in digests
    )


def at_work(app: Fleet, run: int) -> SharedRun | None:
    """A shared run; None for one that has ended, or never was: its jobs have nothing to do."""
    rows = app.store.shared_run(run)
    return SharedRun(app, rows) if rows and rows[0].status == "running" else None


class SharedRun:
    """A run that is at work in parts, on the edges of an App. `rows` are its rows of the ledger, one for each digest."""

    def __init__(self, app: Fleet, rows: Sequence[RunRow]) -> None:
        self._app, self._rows = app, rows
        self.id, self._began, self.day = rows[0].id, rows[0].started_at, rows[0].date
        self.numbers = [row.id for row in rows]
        # As it was when the run began, for all workers alike; but headers, which are keys perhaps, are not in the store.
        setup = _setup(rows[0].setup)
        headers = {source.name: source.headers for source in app.config.source}
        sources = [
            (
                replace(source, headers=headers.get(source.name, {})),
                [
                    DigestConfig(name=name, updates=name in setup.updates_for)
                    for name in setup.followers[source.name]
                ],
            )
            for source in setup.sources
        ]
        self._digests, self._again = setup.digests, setup.again
        self._day_run = DayRun(
            app,
            Order(now=self._began, day=self.day, digests=setup.digests, sources=sources, again=setup.again),
        )

    def parts(self) -> list[PartRow]:
        """Its sources in their order, as they are at this moment."""
        return self._app.store.run_parts(self.id)

    # ------------------------------------------------------------ a source

    def take(self, part: PartRow) -> None:
        """Fetches and reads one source, and keeps what it gave until it is its turn to be put on record."""
        app = self._app
        app.share_turns()
        began = time.perf_counter()
        reader = self._reader(part)
        promise_days(reader.wanted, app.store)
        visit = app.fetcher.visit(reader.source, now=reader.wanted.now)
        taken = []
        for item in gather(reader.wanted, visit, app.store, stopped=app.stop.is_set):
            taken.append(item)
            app.renew_in_time()
        if app.stop.is_set():
            raise Stopped(
                f"told to stop while {part.source} was read. Nothing of it is kept; another worker reads it."
            )
        app.store.put_taken(part.run_id, part.place, pack(taken, time.perf_counter() - began))

    def _reader(self, part: PartRow) -> Reader:
        now = self._app.clock() if part.report else None  # the first time at the moment of the run
        return self._day_run.readers(now, [part.source])[0]

    def record(self, part: PartRow) -> None:
        """Puts a part on record, in the caller's transaction, with the job for what comes next."""
        store = self._app.store
        reader = self._reader(part)
        report = record(
            reader,
            store.taken(self.id, part.place),
            store,
            place=part.place,
            keep_pages=self._app.config.store.keep_pages_days > 0,
        )
        report, again_at = self._waiting(part, reader.source, report)
        store.end_part(self.id, part.place, msgspec.json.encode(report), again=again_at is not None)
        if again_at is not None:
            store.enqueue([Job(task="collect", args={"run": self.id, "place": part.place}, at=again_at)])
        parts = self.parts()
        if all(part.state == "recorded" for part in parts):
            store.enqueue([Job(task="issue", args={"run": self.id})])
        elif _rests(parts):
            _go_on_behind(self._app, self.id)

    def _waiting(
        self, part: PartRow, source: SourceConfig, report: SourceReport
    ) -> tuple[SourceReport, datetime | None]:
        """The report of all readings of a source in this run, and when to ask it again; None for not any more."""
        if part.report:
            report = added(_report(part.report), report)
        is_todays = self._app.today(self._began) == self.day
        if not (is_todays and source.wait_until and report.outcome in WAITABLE):
            return report, None
        end, now = self._day_run.wait_end(source), self._app.clock()
        local = self._day_run.local(end)
        if end > now:
            log.info("%s: its batch is not out; waiting until %s at most", source.name, local)
            return report, now + timedelta(seconds=pause_until(end, now))
        return (waited(report, local) if part.report else report), None

    # ------------------------------------------------------------ the edition

    def finish(self) -> RunReport | None:
        """Issues, publishes, lets the mails go and closes the run; None where it is not all on record, or another
        one has closed it meanwhile."""
        app = self._app
        if any(part.state != "recorded" for part in self.parts()):
            return None
        # A predecessor that died after the editions were issued has left what came of it.
        report = _run_report(self._rows[0].report) if self._rows[0].report else self._issue()
        app.hold(report.digests)
        report = replace(report, published=app.publish())
        app.let_go(report.digests)
        now = app.clock()
        report = replace(report, seconds=round(max(0.0, (now - self._began).total_seconds()), 3))
        with app.store.together():
            if at_work(app, self.id) is None:
                return None
            report = with_notices(app, report, self._digests, now=self._began)
            end_well(app, self.numbers, report)
            app.store.enqueue([Job(task="tidy", args={"run": self.id})])
        return report

    def _issue(self) -> RunReport:
        app = self._app
        app.wake()
        with app.store.together():
            app.renew()  # who stood still for so long that another one issued meanwhile finds that out here
            issued = [
                app.issue_edition(digest, day=self.day, now=self._began, again=self._again)
                for digest in self._digests
            ]
            dropped: Counter[str] = sum((i.dropped for i in issued), Counter())
            report = RunReport(
                date=self.day,
                seconds=0.0,
                sources=tuple(with_dropped([_report(p.report) for p in self.parts()], dropped, app.store)),
                digests=tuple(i.report for i in issued),
                deliveries=DeliveryReport(queued=sum(i.queued for i in issued)),
            )
            app.store.note_run(self.numbers, msgspec.json.encode(report))
            _go_on_behind(app, self.id)
        return report


def record_next(app: Fleet, run: int) -> bool:
    """Puts the next part of a run on record, if it is there and no other run is in front; False where nothing was done."""
    with app.store.together():
        shared = at_work(app, run)
        part = _next(shared.parts()) if shared else None
        if shared is None or part is None or _is_behind(app, run):
            return False
        shared.record(part)
    return True


def _is_behind(app: Fleet, run: int) -> bool:
    """Is a run that began earlier still to be put on record and issued? One that waits for a batch lets others by."""
    for other in app.store.open_shared_runs():
        if other == run:
            return False
        if not app.store.shared_run(other)[0].report and not _rests(app.store.run_parts(other)):
            return True
    return False


def _go_on_behind(app: Fleet, run: int) -> None:
    """Leaves a job for the run that is next behind this one, if what it waits for is there: its own jobs have ended."""
    runs = app.store.open_shared_runs()
    for other in runs[runs.index(run) + 1 :] if run in runs else runs:
        parts = app.store.run_parts(other)
        part = _next(parts)
        if part is not None:
            app.store.enqueue([Job(task="collect", args={"run": other, "place": part.place})])
        if part is not None or not _rests(parts):
            return


def _rests(parts: Sequence[PartRow]) -> bool:
    """Has every source of a run been read, and is there nothing to do until some of them are asked again?"""
    return all(part.report and part.state != "taken" for part in parts) and any(
        part.state == "asked" for part in parts
    )


def _next(parts: Sequence[PartRow]) -> PartRow | None:
    """The part to put on record next: in the order of the sources, and those that were asked again after all."""
    first = next((part for part in parts if not part.report), None)
    if first is not None:
        return first if first.state == "taken" else None
    return next((part for part in parts if part.state == "taken"), None)


def tidy_run(app: Fleet, run: int) -> None:
    """What comes after a shared run (App.tidy_run). To be called as the only one that tidies."""
    rows = app.store.shared_run(run)
    if not rows or not rows[0].report:
        return
    lookups = look_up(app, rows[0].started_at)
    tidy(app, rows[0].started_at)
    report = replace(_run_report(rows[0].report), lookups=lookups)
    app.store.note_run([row.id for row in rows], msgspec.json.encode(report))
    while lookups.hits and not app.stop.is_set():
        try:
            with app.alone("issue"):
                app.publish()
            return
        except LeaseHeld:
            app.stop.wait(_BUSY_S)


def end_lost(app: Fleet, run: int) -> str:
    """Ends a shared run for which no job is left, since one failed for good; what was lost, in words, "" for nothing."""
    with app.store.together():
        shared = at_work(app, run)
        if shared is None or app.store.has_live_jobs(run):
            return ""
        if _next(shared.parts()) is not None and _is_behind(app, run):
            return ""  # its jobs have ended well; the run in front leaves it the next one
        open_parts = ", ".join(part.source for part in shared.parts() if part.state != "recorded")
        reason = f"a job of it failed by a fault of the program ({open_parts or 'issue'}); the log of its worker says where"
        end_failed(app, shared.numbers, shared.day, reason)
        _go_on_behind(app, run)
        return f"run {run} of {shared.day} failed: {reason}"
