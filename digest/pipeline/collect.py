"""Collect: every source read, every paper on record, and for each source what became of it. One never stops another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from digest.config import DigestConfig, SourceConfig
from digest.errors import Stopped
from digest.model import SourceReport
from digest.pipeline.gather import Taken, Wanted, routes_gap
from digest.pipeline.tally import Tally, promise_days

if TYPE_CHECKING:
    from digest.store import Store

# What a run may wait for: a batch that is not out yet, or an old one that is still served as today's.
WAITABLE = frozenset({"not-yet", "stale"})


class Reader(Struct, frozen=True, kw_only=True):
    """One source of a run: what is wanted of it, and the digests that stand beside it."""

    wanted: Wanted
    digests: Sequence[DigestConfig]

    @property
    def source(self) -> SourceConfig:
        return self.wanted.source


def collect(
    readers: Sequence[Reader],
    take: Callable[[Reader], Iterable[Taken]],
    store: Store,
    *,
    keep_pages: bool = True,
    stopped: Callable[[], bool] = lambda: False,
    done: Callable[[SourceReport], None] = lambda report: None,
) -> list[SourceReport]:
    """One report for each source, in order. What is new is offered to all the digests that stand beside the source, also
    to those whose edition is not due now: tomorrow the listing may not show it any more. `done` hears of each report.
    Raises Stopped between two sources when `stopped` says so.
    """
    reports = []
    positions = count(store.next_reading(readers[0].wanted.run_at) if readers else 1)
    for place, reader in enumerate(readers):
        if stopped():
            raise Stopped(
                f"told to stop before {reader.source.name} was read. What was read is kept; the next run goes on."
            )
        reports.append(collected(reader, take(reader), store, place, positions, keep_pages))
        done(reports[-1])
    return reports


def collected(
    reader: Reader,
    taken: Iterable[Taken],
    store: Store,
    place: int,
    positions: Iterator[int],
    keep_pages: bool,
    *,
    spent_s: float = 0.0,
) -> SourceReport:
    """The report of one source, all that it gives put on record as it comes. `spent_s` seconds of work went before."""
    tally = Tally(
        reader.wanted,
        store,
        followers=[digest.name for digest in reader.digests],
        updates_for=frozenset(digest.name for digest in reader.digests if digest.updates),
        keep_pages=keep_pages,
        spent_s=spent_s,
    )
    promise_days(reader.wanted, store)
    shown = []
    for item in taken:
        tally.add(item, next(positions))
        if reader.source.routes:
            shown.append(item)
    return tally.close(place, routes_gap(shown, reader.source))


def with_dropped(reports: Iterable[SourceReport], dropped: Counter[str], store: Store) -> list[SourceReport]:
    """The reports with the number of papers that selection left out, by source; the ledger hears of it too."""
    told = [replace(report, dropped=dropped[report.name]) for report in reports]
    for report in told:
        if report.dropped:
            newest = store.source_runs(report.name, limit=1)
            if newest:
                store.record_source_run(replace(newest[0], dropped=report.dropped))
    return told
