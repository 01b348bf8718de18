"""Collect: every source read, every paper on record, and for each source what became of it. One never stops another."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from digest.config import DigestConfig, SourceConfig
from digest.errors import FetchError, ParseError, Stopped
from digest.model import Listing, Outcome, SourceReport
from digest.sources import read

if TYPE_CHECKING:
    from digest.store import Store


def collect(
    sources: Sequence[tuple[SourceConfig, Sequence[DigestConfig]]],
    fetch: Callable[[SourceConfig], Iterable[Listing | FetchError]],
    store: Store,
    *,
    now: datetime,
    stopped: Callable[[], bool] = lambda: False,
    done: Callable[[SourceReport], None] = lambda report: None,
) -> list[SourceReport]:
    """One report for each source, in order. What is new is offered to all the digests that stand beside the source, also
    to those whose edition is not due now: tomorrow the listing may not show it any more. `done` hears of each report.
    Raises Stopped between two sources when `stopped` says so.
    """
    reports = []
    for source, digests in sources:
        if stopped():
            raise Stopped(
                f"told to stop before {source.name} was read. What was read is kept; the next run goes on."
            )
        tally = _Tally(source, [d.name for d in digests], {d.name for d in digests if d.updates})
        for listing in fetch(source):
            tally.add(listing, store, now=now)
        reports.append(tally.report())
        done(reports[-1])
    return reports


class _Tally:
    """Adds up what the listings of one source gave."""

    def __init__(self, source: SourceConfig, followers: list[str], updates_for: set[str]) -> None:
        self._source = source
        self._followers, self._updates_for = followers, updates_for
        self._started = time.perf_counter()
        self._counts: Counter[str] = Counter()
        self._kinds: set[str] = set()
        self._stated: int | None = None
        self._failures: list[tuple[Outcome, str]] = []
        self._notes: list[str] = []

    def add(self, listing: Listing | FetchError, store: Store, *, now: datetime) -> None:
        if isinstance(listing, FetchError):
            self._failures.append((listing.outcome, str(listing)))
            return
        try:
            reading = read(listing, self._source.kind)
        except ParseError as error:
            self._failures.append(("parse-failed", str(error)))
            return
        self._kinds.add(reading.kind)
        if reading.truncated:
            self._failures.append(
                ("suspect", f"{listing.location}: {reading.truncated}. Fetch or save the page again.")
            )
        self._notes += [f"{listing.location}: {note}" for note in reading.notes if note != reading.truncated]
        if reading.stated is not None:
            self._stated = (self._stated or 0) + reading.stated
        named = [paper for paper in reading.papers if paper.title.strip()]
        self._counts["read"] += len(reading.papers)
        self._counts["failed"] += len(reading.papers) - len(named)
        if len(named) < len(reading.papers):
            self._notes.append(
                f"{listing.location}: {len(reading.papers) - len(named)} papers have no title and were left out"
            )
        listed_on = listing.listed_on or reading.listed_on
        sightings = store.record_sightings(
            self._source.name,
            named,
            now=now,
            listed_on=listed_on,
            followers=self._followers,
            updates_for=self._updates_for,
        )
        self._counts.update(sighting.status for sighting in sightings)

    def report(self) -> SourceReport:
        outcome: Outcome = "new" if self._counts["new"] or self._counts["updated"] else "quiet"
        if self._failures:
            outcome = self._failures[0][0]
        return SourceReport(
            name=self._source.name,
            kind=" ".join(sorted(self._kinds)) or self._source.kind,
            outcome=outcome,
            stated=self._stated,
            read=self._counts["read"],
            new=self._counts["new"],
            updated=self._counts["updated"],
            seen=self._counts["seen"],
            failed=self._counts["failed"],
            seconds=round(time.perf_counter() - self._started, 3),
            error="\n".join(message for _, message in self._failures) or None,
            notes=tuple(self._notes),
        )


def with_dropped(reports: Iterable[SourceReport], dropped: Counter[str]) -> list[SourceReport]:
    """The reports with the number of papers that selection left out, by source."""
    return [replace(report, dropped=dropped[report.name]) for report in reports]
