"""Tally: the listings of one source put on record one by one, each in one transaction, and what they come to in the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from digest.asks import day_address, first_asks, has_given_up, is_settled, missed_address
from digest.calendar import calendar_of
from digest.errors import DigestError, FetchError
from digest.model import FAILED_OUTCOMES, Listing, NotModified, Outcome, Paper, Reading, SourceReport
from digest.outcomes import Facts, Past, Verdict, is_far_less, judge, missing_of
from digest.pipeline.gather import Taken, Wanted, known_days

if TYPE_CHECKING:
    from digest.store import Answer, Day, Store

HISTORY = 200  # a week of good runs, also where a source is asked every hour and has mostly not changed


class _DayRead(Struct):
    """What this run has seen of one listing day."""

    keys: set[str]
    fresh: int = 0
    same: bool = False
    failed: bool = False
    more: bool = False


def promise_days(wanted: Wanted, store: Store) -> None:
    """Notes the days that are to be asked for as open, before they are: a run that dies on the way leaves none out."""
    from digest.store import Day

    known = known_days(wanted, store)
    asks = first_asks(wanted.source, until=wanted.until, known=known, since=wanted.since)
    for day in {ask.day for ask in asks if ask.day is not None} - known.keys():
        store.record_day(
            Day(
                source=wanted.source.name,
                day=day,
                state="open",
                papers=0,
                fingerprint="",
                asked_at=wanted.now,
                changed_at=wanted.as_of,
            )
        )


class Tally:
    """Adds up what the listings of one source gave."""

    def __init__(
        self,
        wanted: Wanted,
        store: Store,
        *,
        followers: Sequence[str],
        updates_for: frozenset[str],
        keep_pages: bool,
        spent_s: float = 0.0,
    ) -> None:
        self._wanted, self._source, self._store = wanted, wanted.source, store
        self._followers, self._updates_for, self._keep = followers, updates_for, keep_pages
        self._started = time.perf_counter() - spent_s
        self._counts: Counter[str] = Counter()
        self._kinds: set[str] = set()
        self._stated: dict[str, int] = {}
        self._sections: Counter[str] = Counter()
        self._sections_stated: Counter[str] = Counter()
        self._failures: list[tuple[Outcome, str]] = []
        self._notes: list[str] = []
        self._papers: list[Paper] = []
        self._listed_on: date | None = None
        self._truncated = ""
        self._empty = False
        self._days: dict[date, _DayRead] = {}
        self._next_url = ""
        self._pending: list[Answer] = []
        self._whole: list[Answer] = []
        self._own_same = False
        self._dated = bool(day_address(self._source))

    # --- one listing

    def add(self, taken: Taken, position: int) -> None:
        """Puts one listing on record: its papers, what came of it, the page itself, and how to ask for it next time."""
        if taken.skipped:
            self._counts["skipped"] += 1
            return
        self._counts["asked"] += 1
        self._own_same |= isinstance(taken.listing, NotModified) and not (taken.ask.day or taken.ask.route)
        before = self._counts["new"]
        if taken.cut:
            self._notes.append(
                f"{taken.ask.url}: more pages follow, and max_pages = {self._source.max_pages} of this source ends here"
            )
        with self._store.together():
            if isinstance(taken.reading, Reading) and isinstance(taken.listing, Listing):
                self._add_reading(taken, taken.listing, taken.reading, position)
            elif isinstance(taken.listing, NotModified):
                self._counts["not_modified"] += 1
                self._record(taken, position, "not-modified", "the server says it has not changed")
            else:
                self._pending = []
                self._add_failure(taken, position)
            if not taken.more:
                self._whole += self._pending
                self._pending = []
            if self._source.watch:  # each page is read once, whatever it comes to
                self._remember_answers()
        self._note_day(taken, fresh=self._counts["new"] - before)

    def _add_failure(self, taken: Taken, position: int) -> None:
        error = taken.listing if isinstance(taken.listing, FetchError) else taken.reading
        assert isinstance(error, DigestError)
        outcome: Outcome = error.outcome if isinstance(error, FetchError) else "parse-failed"
        self._failures.append((outcome, str(error)))
        self._record(taken, position, outcome, str(error))

    def _add_reading(self, taken: Taken, listing: Listing, reading: Reading, position: int) -> None:
        named = [paper for paper in reading.papers if paper.title.strip()]
        nameless = len(reading.papers) - len(named)
        self._note_facts(taken, listing, reading, nameless)
        sightings = self._store.record_sightings(
            self._source.name,
            named,
            now=self._wanted.now,
            listed_on=taken.day,
            followers=self._followers,
            updates_for=self._updates_for,
        )
        counts = Counter[str](sighting.status for sighting in sightings)
        self._counts.update({"read": len(reading.papers), "failed": nameless, **counts})
        why = reading.truncated or ("the page says that it is empty" if reading.empty else "")
        outcome: Outcome = "new" if counts["new"] or counts["updated"] else "quiet"
        self._record(taken, position, "suspect" if reading.truncated else outcome, why, counts, nameless)
        self._note_answer(listing, reading)

    def _note_facts(self, taken: Taken, listing: Listing, reading: Reading, nameless: int) -> None:
        self._kinds.add(reading.kind)
        if reading.truncated:
            self._truncated = f"{listing.location}: {reading.truncated}. Fetch or save the page again."
        self._notes += [f"{listing.location}: {note}" for note in reading.notes if note != reading.truncated]
        if nameless:
            papers = "1 paper has" if nameless == 1 else f"{nameless} papers have"
            self._notes.append(f"{listing.location}: {papers} no title and cannot be shown")
        if reading.stated is not None:
            # The pages of one listing all say the same total; those of several listings add up.
            part = listing.location if self._source.path else f"{taken.ask.route} {taken.day}"
            self._stated[part] = max(reading.stated, self._stated.get(part, 0))
        self._next_url = reading.next_url
        self._sections.update(reading.section_counts)
        self._sections_stated.update(reading.section_stated)
        self._empty = self._empty or reading.empty
        self._papers += reading.papers
        if reading.listed_on and (self._dated or taken.ask.day in (None, reading.listed_on)):
            self._listed_on = max(reading.listed_on, self._listed_on or reading.listed_on)

    def _record(
        self,
        taken: Taken,
        position: int,
        outcome: Outcome,
        why: str,
        counts: Counter[str] | None = None,
        nameless: int = 0,
    ) -> None:
        from digest.store import ReadingRow

        listing = taken.listing if isinstance(taken.listing, Listing) else None
        reading = taken.reading if isinstance(taken.reading, Reading) else None
        counts = counts or Counter()
        row = ReadingRow(
            run_at=self._wanted.run_at,
            position=position,
            source=self._source.name,
            kind=reading.kind if reading else self._source.kind,
            location=listing.location if listing else taken.ask.url,
            base_url=listing.base_url if listing else "",
            content_type=listing.content_type if listing else "",
            listed_on=taken.day,
            fetched_at=(listing.fetched_at if listing else None) or self._wanted.now,
            page="",  # it is hashed where it is kept
            outcome=outcome,
            stated=reading.stated if reading else None,
            sections=reading.section_counts if reading else {},
            parsed=len(reading.papers) if reading else 0,
            new=counts["new"],
            updated=counts["updated"],
            seen=counts["seen"],
            failed=nameless,
            why=why,
        )
        self._store.record_reading(row, body=listing.body if listing else None, keep=self._keep)

    def _note_answer(self, listing: Listing, reading: Reading) -> None:
        """How to ask next time; only of a listing that was whole: what was cut, holds less than it says, or had a page that could
        not be had, is asked for again without conditions. So is what is suspect in the end, and what a run had that died before it
        could tell: a server that says "not modified" would end that alarm."""
        from digest.store import Answer, page_hash

        lacks = any(reading.section_counts.get(name, 0) < n for name, n in reading.section_stated.items())
        if reading.truncated or lacks:
            self._pending = []
        elif listing.etag or listing.last_modified or self._source.watch:
            self._pending.append(
                Answer(
                    source=self._source.name,
                    url=listing.location,
                    audience=self._wanted.audience,
                    etag=listing.etag,
                    last_modified=listing.last_modified,
                    page=page_hash(listing.body),
                    next_url=reading.next_url,
                    answered_at=self._wanted.now,
                )
            )

    def _remember_answers(self) -> None:
        for answer in self._whole:
            self._store.record_answer(answer)
        self._whole = []

    # --- days that grow

    def _note_day(self, taken: Taken, *, fresh: int) -> None:
        grows = self._dated and taken.ask.day is not None
        if not grows and not (missed_address(self._source) and not taken.ask.route):
            return
        day = taken.day
        if day is None:
            return
        read = self._days.setdefault(day, _DayRead(keys=set()))
        read.fresh += fresh
        read.more = taken.more  # of the last page: it says that another one follows, which nobody asked for
        if isinstance(taken.reading, Reading):
            read.keys |= {paper.key for paper in taken.reading.papers}
            read.failed = read.failed or bool(taken.reading.truncated)
        elif isinstance(taken.listing, NotModified):
            read.same = True
        else:
            read.failed = True

    def _record_days(self) -> list[tuple[date, int, int]]:
        """Of each day that was read before and read to its end now: how many papers it had, and has."""
        before = {day.day: day for day in self._store.days_of(self._source.name)}
        compared = []
        for day, read in self._days.items():
            known = before.get(day)
            if (
                known is not None
                and known.fingerprint
                and not read.same
                and not read.failed
                and not read.more
            ):
                compared.append((day, known.papers, len(read.keys)))
            self._store.record_day(self._day(day, read, known))
        had = [known.day for known in before.values() if known.fingerprint]
        for known in before.values():
            if known.state == "open" and known.day not in self._days and self._is_over(known, had):
                self._store.record_day(replace(known, state="closed"))
        return compared

    def _is_over(self, day: Day, read: Collection[date]) -> bool:
        """Is nothing more expected of a day? Its window is over, or it was asked for in vain for long enough, while others were
        `read`."""
        if day.fingerprint and self._dated:
            return self._is_settled(day.day, day.day)
        over = has_given_up(self._source, day.changed_at.date(), self._wanted.until, read)
        if over:
            self._notes.append(
                f"the listing of {day.day} could not be read to its end, and is asked for no more; "
                f"`digest run --since {day.day}` asks once more"
            )
        return over

    def _day(self, day: date, read: _DayRead, before: Day | None) -> Day:
        from digest.store import Day

        unread = read.failed or read.more
        fingerprint = sha256("\n".join(sorted(read.keys)).encode("utf-8", "replace")).hexdigest()[:20]
        if before is not None and (read.same or unread):
            fingerprint = before.fingerprint
        elif unread:
            fingerprint = ""
        stays = before is not None and fingerprint == before.fingerprint and not read.fresh
        changed_at = before.changed_at if before is not None and stays else self._wanted.as_of
        known = before.papers + read.fresh if before else 0
        complete = not self._dated or self._is_settled(day, changed_at.date())
        return Day(
            source=self._source.name,
            day=day,
            state="closed" if complete and not unread else "open",
            papers=max(known, len(read.keys)) if read.same or unread else len(read.keys),
            fingerprint=fingerprint,
            asked_at=self._wanted.now,
            changed_at=changed_at,
        )

    def _is_settled(self, day: date, changed: date) -> bool:
        return is_settled(
            day, changed=changed, today=self._wanted.until, window_days=self._source.lookback_days
        )

    # --- the whole source

    def close(self, place: int, notes: Sequence[str] = ()) -> SourceReport:
        """The report of the source, its outcome judged beside its last runs; the ledger has it too."""
        if self._source.watch and not self._counts["asked"]:
            self._counts["skipped"] += 1  # an emptied folder has nothing new either
        with self._store.together():
            days = self._record_days()
            past = self._past()
            missing = missing_of(self._papers)
            kind = " ".join(sorted(self._kinds)) or self._last_kind()
            facts = self._facts(kind, missing, days)
            if self._own_same and past and past[0].listed_on:
                shown = max(past[0].listed_on, facts.listed_on or past[0].listed_on)
                facts = replace(facts, listed_on=shown)
            verdict = judge(facts, past, calendar_of(kind, self._source.url), now=self._wanted.now)
            if verdict.outcome in ("new", "quiet", "not-yet", "holiday") and (short := self._short_day(kind)):
                verdict = Verdict(outcome="suspect", why=short)
            if verdict.outcome != "suspect":
                self._remember_answers()
            report = self._report(kind, verdict.outcome, verdict.why, notes)
            self._record_run(place, report, missing, past)
        return report

    def _short_day(self, kind: str) -> str:
        """The newest day that is over and was read in this run, where it holds far less than the days before it."""
        calendar = calendar_of(kind, self._source.url)
        if not self._dated or calendar is None:
            return ""
        days = [day for day in self._store.days_of(self._source.name) if day.day < self._wanted.until]
        days = [day for day in reversed(days) if day.fingerprint and not calendar.reason(day.day)]
        if (
            not days
            or days[0].day not in self._days
            or not is_far_less(days[0].papers, [d.papers for d in days[1:]])
        ):
            return ""
        return f"The list of {days[0].day} holds only {days[0].papers} papers, far less than those of the days before."

    def _facts(self, kind: str, missing: dict[str, float], days: list[tuple[date, int, int]]) -> Facts:
        return Facts(
            kind=kind,
            failures=tuple(self._failures),
            asked=self._counts["asked"],
            not_modified=self._counts["not_modified"] + self._counts["skipped"],
            listed_on=self._listed_on,
            empty=self._empty,
            parsed=self._counts["read"],
            stated=sum(self._stated.values()) if self._stated else None,
            # OAI-PMH counts the deleted records too, of which there is nothing to read.
            complete=bool(self._source.url)
            and "oai" not in self._kinds
            and not self._next_url
            and not self._counts["not_modified"],
            section_counts=dict(self._sections),
            section_stated=dict(self._sections_stated),
            new=self._counts["new"],
            updated=self._counts["updated"],
            seen=self._counts["seen"],
            failed=self._counts["failed"],
            missing=missing,
            truncated=self._truncated,
            dated_ask=self._dated,
            days=tuple(days),
        )

    def _last_kind(self) -> str:
        """What a listing was recognised as when it was last read."""
        runs = self._store.source_runs(self._source.name, limit=1) if self._source.kind == "auto" else []
        return runs[0].kind if runs else self._source.kind

    def _past(self) -> list[Past]:
        return [
            Past(
                outcome=run.outcome,
                parsed=run.parsed,
                missing=run.missing,
                listed_on=run.listed_on,
                partial=run.partial,
                run_at=run.run_at,
            )
            for run in self._store.source_runs(self._source.name, limit=HISTORY)
        ]

    def _report(self, kind: str, outcome: Outcome, why: str, notes: Sequence[str]) -> SourceReport:
        errors = [message for _, message in self._failures]
        errors += [self._truncated] if self._truncated else []
        if outcome in FAILED_OUTCOMES and not errors:
            errors = [f"{self._source.name}: {why}"]
        return SourceReport(
            name=self._source.name,
            kind=kind,
            outcome=outcome,
            stated=sum(self._stated.values()) if self._stated else None,
            read=self._counts["read"],
            new=self._counts["new"],
            updated=self._counts["updated"],
            seen=self._counts["seen"],
            failed=self._counts["failed"],
            seconds=round(time.perf_counter() - self._started, 3),
            error="\n".join(errors) or None,
            notes=(*self._notes, *notes),
            why=why,
        )

    def _record_run(
        self, place: int, report: SourceReport, missing: dict[str, float], past: Sequence[Past]
    ) -> None:
        from digest.store import SourceRun

        listed_on = self._listed_on or (past[0].listed_on if past and self._counts["not_modified"] else None)
        self._store.record_source_run(
            SourceRun(
                run_at=self._wanted.run_at,
                source=report.name,
                position=place,
                kind=report.kind,
                outcome=report.outcome,
                listed_on=listed_on,
                partial=self._counts["not_modified"] > 0,
                stated=report.stated,
                parsed=report.read,
                new=report.new,
                updated=report.updated,
                seen=report.seen,
                dropped=0,
                failed=report.failed,
                missing=missing,
                why=report.why,
                seconds=report.seconds,
            )
        )
