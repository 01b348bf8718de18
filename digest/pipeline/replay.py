"""Replay: a day done again from the pages that were kept, in a fresh store, to be held beside what was sent then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from digest.config import Config, DigestConfig, SourceConfig
from digest.errors import ParseError, UsageError
from digest.model import Edition, Listing, Paper, Reading
from digest.pipeline.issue import issue
from digest.sources import read

if TYPE_CHECKING:
    from digest.store import ReadingRow, RunRow, Store

_READ = frozenset({"new", "quiet", "suspect"})


class Setup(Struct, frozen=True, kw_only=True):
    """What decided a run beside the pages it read: kept in the ledger, so that the day can be done again.

    `digests` had their edition made, `followers` were offered what each source showed, `updates_for` also its new versions.
    """

    again: bool
    digests: tuple[DigestConfig, ...]
    sources: tuple[SourceConfig, ...]
    followers: dict[str, tuple[str, ...]]
    updates_for: tuple[str, ...]

    def source(self, name: str) -> SourceConfig:
        found = next((source for source in self.sources if source.name == name), None)
        return found or SourceConfig(name=name)


class _Run(Struct, frozen=True, kw_only=True):
    """One run of the ledger: those of several digests that began together, and the listings that it read."""

    started_at: datetime
    day: date
    setup: Setup
    rows: Sequence[RunRow]
    readings: Sequence[ReadingRow]


class Replayed(Struct, frozen=True, kw_only=True):
    """One edition of the day as it was sent and as the kept pages give it again; None where there is none."""

    digest: str
    edition: str
    sent: Edition | None
    again: Edition | None

    @property
    def same(self) -> bool:
        """Byte for byte."""
        return msgspec.json.encode(self.sent) == msgspec.json.encode(self.again)

    @property
    def differences(self) -> list[str]:
        """In words: papers that only one of the two has, and those that look different in it."""
        sent, again = _by_guid(self.sent), _by_guid(self.again)
        found = [f"only in the edition that was sent: {sent[guid]}" for guid in sent if guid not in again]
        found += [f"only in the replay: {again[guid]}" for guid in again if guid not in sent]
        if not found and not self.same:
            found.append("the same papers, with other facts, order or topics")
        return found


def replay(day: date, store: Store, fresh: Store, config: Config) -> list[Replayed]:
    """The editions of a day, made again in the store `fresh` from the pages that `store` has kept.

    Everything since the oldest run whose pages are all there is done again in its order; what was known before is copied.
    Raises UsageError where a page of the day is no longer kept, or no run of that day is on record.
    """
    runs = list(_runs(store, day))
    kept = list(_with_pages(runs, store))
    if not any(run.day == day for run in kept):
        raise UsageError(_why_not(day, runs))
    store.copy_before(kept[0].started_at, fresh)
    for before, run in zip([None, *kept], kept, strict=False):
        _look_up_again(store, fresh, before.started_at if before else None, run.started_at)
        store.copy_corrections(run.started_at, fresh)
        _do_again(run, store, fresh, config)
    names = {digest.name for run in kept if run.day == day for digest in run.setup.digests}
    return list(_compared(day, sorted(names), store, fresh))


def _why_not(day: date, runs: Sequence[_Run]) -> str:
    if not any(run.day == day for run in runs):
        return (
            f"no run of {day} is on record with its pages. `digest status` shows the last runs; those made before the store "
            "had schema 2 kept none."
        )
    return (
        f"the pages that were read on {day} are no longer kept. "
        "Raise keep_pages_days and keep_pages_mb in [store] for the days to come."
    )


def _runs(store: Store, day: date) -> Iterator[_Run]:
    """The runs up to a day's last one, oldest first. Runs of programs that kept no setup are left out."""
    rows = [row for row in store.all_runs() if row.setup]
    last = max((row.started_at for row in rows if row.date == day), default=None)
    groups = [(start, list(group)) for start, group in groupby(rows, key=lambda row: row.started_at)]
    readings = list(store.readings_since(groups[0][0])) if groups and last else []
    for place, (start, group) in enumerate(groups):
        if last is None or start > last:
            return
        end = groups[place + 1][0] if place + 1 < len(groups) else None
        yield _Run(
            started_at=start,
            day=group[0].date,
            setup=msgspec.json.decode(group[0].setup, type=Setup),
            rows=group,
            readings=[r for r in readings if r.run_at >= start and (end is None or r.run_at < end)],
        )


def _with_pages(runs: Sequence[_Run], store: Store) -> Iterator[_Run]:
    """The runs from the first on after which no page is missing."""
    complete = [all(store.has_page(r.page) for r in run.readings if r.outcome in _READ) for run in runs]
    first = len(runs) - next((n for n, whole in enumerate(reversed(complete)) if not whole), len(runs))
    yield from runs[first:]


def _do_again(run: _Run, store: Store, fresh: Store, config: Config) -> None:
    for row in run.readings:
        if row.outcome in _READ:
            _sight_again(row, run.setup, store, fresh)
    for ledger in run.rows:
        digests = [d for d in run.setup.digests if ledger.digest in ("", d.name)]
        for digest in digests:
            # A run that failed may have issued before it did, or not.
            was_issued = _was_issued(store, digest.name, run)
            if ledger.status in ("done", "degraded") or was_issued:
                again = run.setup.again or was_issued
                issue(digest, config, fresh, day=run.day, now=run.started_at, again=again)


def _look_up_again(store: Store, fresh: Store, after: datetime | None, until: datetime) -> None:
    """What was found elsewhere between two runs is known again: it decides what is new from then on."""
    for lookup in store.lookups_between(after, until):
        if lookup.found:
            paper = msgspec.json.decode(lookup.found, type=Paper)
            fresh.record_sightings(
                lookup.service,
                [paper],
                now=lookup.looked_up_at,
                listed_on=None,
                followers=(),
                updates_for=frozenset(),
            )


def _sight_again(row: ReadingRow, setup: Setup, store: Store, fresh: Store) -> None:
    source = setup.source(row.source)
    body = store.page(row.page)
    assert body is not None, "_with_pages has seen to it"
    listing = Listing(
        location=row.location,
        body=body,
        content_type=row.content_type,
        base_url=row.base_url,
        fetched_at=row.fetched_at,
        listed_on=row.listed_on,
    )
    try:
        reading: Reading = read(listing, source.kind, selectors=source.selectors)
    except ParseError:
        return  # a reader of a newer version; the comparison shows what it costs
    fresh.record_sightings(
        row.source,
        [paper for paper in reading.papers if paper.title.strip()],
        now=row.fetched_at,
        listed_on=row.listed_on,
        followers=setup.followers.get(row.source, ()),
        updates_for=frozenset(setup.updates_for),
    )


def _was_issued(store: Store, digest: str, run: _Run) -> bool:
    return any(edition.issued_at == run.started_at for edition in _editions(store, digest, run.day))


def _editions(store: Store, digest: str, day: date) -> list[Edition]:
    parts = range(1, store.next_part(digest, day))
    return [edition for part in parts if (edition := store.edition(digest, day, part))]


def _compared(day: date, digests: Sequence[str], store: Store, fresh: Store) -> Iterator[Replayed]:
    for digest in digests:
        sent = {edition.id: edition for edition in _editions(store, digest, day)}
        again = {edition.id: edition for edition in _editions(fresh, digest, day)}
        for name in sorted(sent.keys() | again.keys()):
            yield Replayed(digest=digest, edition=name, sent=sent.get(name), again=again.get(name))


def _by_guid(edition: Edition | None) -> dict[str, str]:
    entries = edition.entries if edition else ()
    return {entry.guid: entry.paper.title for entry in entries}
