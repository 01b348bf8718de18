"""The main job of one day, in order: collect, wait for what is not out, issue, publish, deliver, look up, tidy."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from digest.config import DigestConfig, SourceConfig
from digest.errors import Stopped
from digest.model import DeliveryReport, LookupReport, RunReport, SourceReport
from digest.pipeline.collect import WAITABLE, Reader, collect, with_dropped
from digest.pipeline.gather import Taken, Wanted, audience_of, gather
from digest.pipeline.replay import Setup
from digest.utf8 import plain

if TYPE_CHECKING:
    from digest.app.fleet import Fleet
    from digest.app.post import Progress

log = logging.getLogger(__name__)

# While a run waits for a batch, its source is asked again so often.
POLL_S = 600.0
PENDING = timedelta(days=7)
# Why a run ended that says nothing itself.
_ENDS: dict[type[BaseException], str] = {KeyboardInterrupt: "interrupted"}


class Order(Struct, frozen=True, kw_only=True):
    """What one run is to do. `day` is the edition's local date, `given_day` the same where it was given by hand."""

    now: datetime
    day: date
    given_day: date | None = None
    since: date | None = None
    digests: Sequence[DigestConfig]
    sources: Sequence[tuple[SourceConfig, Sequence[DigestConfig]]]
    adhoc: bool = False
    again: bool = False
    dry_run: bool = False
    wait: bool = False
    source_done: Callable[[SourceReport], None] = lambda report: None
    progress: Progress = lambda what, done, total: None


def setup_of(order: Order) -> Setup:
    """What decides a run beside the pages that it reads."""
    followers = {source.name: tuple(d.name for d in digests) for source, digests in order.sources}
    everyone = {d.name: d for _, digests in order.sources for d in digests}
    return Setup(
        again=order.again,
        digests=tuple(order.digests),
        # A header is a key, perhaps: it is of no use to a replay, and stays out of the store. A path may be no UTF-8.
        sources=tuple(replace(source, headers={}, path=plain(source.path)) for source, _ in order.sources),
        followers=followers,
        updates_for=tuple(name for name, digest in everyone.items() if digest.updates),
    )


class DayRun:
    """One run of the day on the edges of an App."""

    def __init__(self, app: Fleet, order: Order) -> None:
        self._app, self._order = app, order
        self._taken: dict[str, list[Taken]] = {}

    def prepare(self) -> None:
        """A dry run fetches before its rehearsal begins, which keeps every other writer out of the store until its end."""
        if self._order.dry_run:
            self._taken = {reader.source.name: list(self._take(reader)) for reader in self.readers()}

    def on_record(self) -> RunReport:
        """The day, with its beginning and its end in the run ledger."""
        app, order = self._app, self._order
        started = time.perf_counter()
        # What was read by hand does not stand for a digest's own run of the day.
        names = [""] if order.adhoc else [digest.name for digest in order.digests]
        setup = msgspec.json.encode(setup_of(order))
        runs = [app.store.start_run(name, order.day, now=order.now, setup=setup) for name in names]
        try:
            report = replace(self._day(), seconds=round(time.perf_counter() - started, 3))
            with app.store.together():
                digests = [] if order.adhoc or order.given_day else order.digests
                report = with_notices(app, report, digests, now=order.now)
                end_well(app, runs, report)
        except BaseException as error:
            reason = str(error) or _ENDS.get(type(error), type(error).__name__)
            end_failed(app, runs, order.day, plain(reason))
            raise
        return report

    # --- the steps

    def _day(self) -> RunReport:
        app, order = self._app, self._order
        reports = self._collect(self.readers())
        if order.wait and not order.dry_run:
            reports = self._wait(reports)
        app.wake()
        issued = [
            app.issue_edition(digest, day=order.day, now=order.now, again=order.again)
            for digest in order.digests
        ]
        dropped: Counter[str] = sum((i.dropped for i in issued), Counter())
        order.progress("publish", 0, 0)
        published = app.publish(dry_run=order.dry_run)
        if order.dry_run or app.is_shared:
            deliveries = DeliveryReport(queued=sum(i.queued for i in issued))
        else:
            deliveries = app.deliver(lambda done, total: order.progress("deliver", done, total))
        lookups = LookupReport()
        if not order.dry_run:
            app.let_go(i.report for i in issued)
            lookups = look_up(app, order.now)
            if lookups.hits:
                app.publish()
            tidy(app, order.now)
        return RunReport(
            date=order.day,
            seconds=0.0,
            sources=tuple(with_dropped(reports, dropped, app.store)),
            digests=tuple(i.report for i in issued),
            published=published,
            deliveries=deliveries,
            lookups=lookups,
            dry_run=order.dry_run,
        )

    def readers(self, now: datetime | None = None, only: Iterable[str] | None = None) -> list[Reader]:
        """What is wanted of each source of the run, or of those named; asked for at `now`, or when the run began."""
        order = self._order
        now = now or order.now
        today = now.astimezone(UTC).date()
        until = min(order.given_day or today, today)  # of a day to come no list is complete, nor even begun
        return [
            Reader(
                wanted=Wanted(
                    source=source,
                    run_at=order.now,
                    now=now,
                    until=until,
                    since=order.since,
                    audience=audience_of(source, [digest.name for digest in digests]),
                ),
                digests=digests,
            )
            for source, digests in order.sources
            if only is None or source.name in only
        ]

    def _take(self, reader: Reader) -> Iterable[Taken]:
        if reader.source.name in self._taken:
            return self._taken[reader.source.name]
        visit = self._app.fetcher.visit(reader.source, now=reader.wanted.now)
        return self._renewing(gather(reader.wanted, visit, self._app.store, stopped=self._app.stop.is_set))

    def _renewing(self, taken: Iterable[Taken]) -> Iterator[Taken]:
        """A source of many pages and long rests may take longer than the lease lasts."""
        for item in taken:
            if not self._order.dry_run:
                self._app.renew_in_time()
            yield item

    def _collect(self, readers: Sequence[Reader]) -> list[SourceReport]:
        reports = collect(
            readers,
            self._take,
            self._app.store,
            keep_pages=self._app.config.store.keep_pages_days > 0,
            stopped=self._app.stop.is_set,
            done=self._order.source_done,
        )
        if self._app.stop.is_set():
            raise Stopped(
                "told to stop while the sources were read. What was read is kept; the next run goes on."
            )
        return reports

    # --- waiting for a batch that is not out

    def _wait(self, reports: list[SourceReport]) -> list[SourceReport]:
        """The reports, after the sources whose batch was not out have been asked again until it was, or until their hour."""
        ends = {source.name: self.wait_end(source) for source, _ in self._order.sources if source.wait_until}
        asked_again: set[str] = set()
        while True:
            now = self._app.clock()
            late = {r.name: ends[r.name] for r in reports if r.outcome in WAITABLE and r.name in ends}
            pending = {name: end for name, end in late.items() if end > now}
            if not pending:
                return [
                    waited(r, self.local(late[r.name])) if r.name in asked_again & late.keys() else r
                    for r in reports
                ]
            asked_again |= pending.keys()
            pause = pause_until(min(pending.values()), now)
            for name, end in pending.items():
                until = self.local(end)
                log.info(
                    "%s: its batch is not out; waiting until %s at most", name, until, extra={"source": name}
                )
            self._order.progress("wait", 0, int(pause))
            if self._app.rest(pause):
                raise Stopped(
                    "told to stop while waiting for a batch. What was read is kept; the next run goes on."
                )
            fresh = {r.name: r for r in self._collect(self.readers(self._app.clock(), pending))}
            reports = [added(r, fresh[r.name]) if r.name in fresh else r for r in reports]

    def wait_end(self, source: SourceConfig) -> datetime:
        """Until when the run waits for a source with a `wait_until`."""
        zone = self._app.config.site.zone
        return datetime.combine(self._order.day, clock_time.fromisoformat(source.wait_until), zone)

    def local(self, moment: datetime) -> str:
        """The hour of a moment by the clock of the site."""
        return f"{moment.astimezone(self._app.config.site.zone):%H:%M}"


# --- afterwards


def end_well(app: Fleet, runs: Iterable[int], report: RunReport) -> None:
    """Closes a run in the ledger, which has a row for each digest."""
    _end(app, runs, "degraded" if report.degraded else "done", msgspec.json.encode(report))


def end_failed(app: Fleet, runs: Iterable[int], day: date, reason: str) -> None:
    """The same where there is no report."""
    _end(app, runs, "failed", msgspec.json.encode({"schema": 1, "date": day, "error": reason}))


def _end(app: Fleet, runs: Iterable[int], status: str, report: bytes) -> None:
    for run in runs:
        app.store.finish_run(run, now=app.clock(), status=status, report=report)


def look_up(app: Fleet, now: datetime) -> LookupReport:
    """Looks up papers that are known by their title alone. What is found shows in the archive when it is published again."""
    from digest.pipeline.lookup import look_up

    return look_up(
        app.store,
        app.config.lookup,
        lambda source: app.fetcher.visit(source, now=now),
        now=now,
        clock=app.clock,
        stopped=app.stop.is_set,
        contact=app.config.site.contact,
        arxiv_interval_s=app.arxiv_interval_s,
        done=app.renew,
    )


def tidy(app: Fleet, now: datetime) -> None:
    """Forgets pages that are old, and who never confirmed in a week."""
    config = app.config.store
    app.store.prune_pages(
        older_than=now - timedelta(days=config.keep_pages_days),
        max_bytes=config.keep_pages_mb * 1024 * 1024,
    )
    app.store.expire_pending(older_than=now - PENDING)


def with_notices(
    app: Fleet, report: RunReport, digests: Sequence[DigestConfig], *, now: datetime
) -> RunReport:
    """The report of a run with the number of readers that are told of a digest that it has no edition. To be called in the
    transaction that ends the run: its report says why there is none."""
    without = {each.name for each in report.digests if each.edition is None}
    if not without:
        return report
    from digest.pipeline.notices import queue_notices

    told = {
        digest.name: queue_notices(digest, app.config, app.store, day=report.date, now=now)
        for digest in digests
        if digest.name in without
    }
    return replace(
        report, digests=tuple(replace(each, notices=told.get(each.name, 0)) for each in report.digests)
    )


# --- waiting


def pause_until(end: datetime, now: datetime) -> float:
    """The seconds after which to ask again for a batch that is waited for until `end`."""
    return min(POLL_S, max(1.0, (end - now).total_seconds()))


def waited(report: SourceReport, until: str) -> SourceReport:
    """The report of a source whose batch did not come."""
    note = f"waited until {until}; the edition goes out without it, and what comes later is in the next one"
    return replace(report, why=f"{report.why.rstrip('.')}; {note}", notes=(*report.notes, note))


def added(first: SourceReport, second: SourceReport) -> SourceReport:
    """Two readings of one source in one run: the outcome of the second, and what both brought."""
    return replace(
        second,
        new=first.new + second.new,
        updated=first.updated + second.updated,
        seconds=round(first.seconds + second.seconds, 3),
        outcome="new"
        if second.outcome in ("quiet", "not-modified") and first.new + first.updated
        else second.outcome,
    )
