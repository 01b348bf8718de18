"""What a run over a source means: the facts of its listings, beside its last runs and its calendar, come to one outcome. Pure.

A broken page must never pass for a quiet day, and a lawful quiet day must not alarm: it is held against what is usual for
this source, and against the days on which its site publishes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from math import sqrt

from msgspec import Struct

from digest.calendar import Calendar, behind, is_year_end, latest
from digest.model import FAILED_OUTCOMES, Outcome, Paper, SourceReport

# Compared with the last runs that read something (reliability: far fewer papers, fields that were there before).
COMPARED_RUNS = 7
COMMON_RUNS = 14
MIN_RUNS = 3
FEW = 0.3
MISSING = 0.2
USUALLY_MISSING = 0.05
# Below SHORT papers chance is reckoned with. From NEVER_EMPTY on it leaves no list empty; below TINY it may, unless the list is
# as good as always as long (EVEN: the spread of its roots; that of counts which are due to chance is 0.5). Found by trying
# invented years (tests/test_a_year.py), in which papers come by chance and days differ by a fifth; no site promises them.
SHORT = 100
NEVER_EMPTY = 20
TINY = 12
EVEN = 0.15
FIELDS = ("title", "abstract", "authors", "link")


class Facts(Struct, frozen=True, kw_only=True):
    """What the listings of one source gave in one run.

    `asked` counts the listings asked for, `not_modified` those that had not changed. `listed_on` is the newest day that the
    listings say they are of. `empty`: a listing says that it holds nothing. `stated` is what the pages say the whole holds; it
    must be reached only where they were read to their end (`complete`). `missing` is `missing_of` the papers; `truncated` says
    where a page breaks off. `dated_ask`: the days were asked for by date, so that an old day's listing is none that comes late;
    `days` are those that had been asked for before: the day, its papers then and now.
    """

    kind: str
    failures: tuple[tuple[Outcome, str], ...] = ()
    asked: int = 1
    not_modified: int = 0
    listed_on: date | None = None
    empty: bool = False
    parsed: int = 0
    stated: int | None = None
    complete: bool = False
    section_counts: dict[str, int] = {}
    section_stated: dict[str, int] = {}
    new: int = 0
    updated: int = 0
    seen: int = 0
    failed: int = 0
    missing: dict[str, float] = {}
    truncated: str = ""
    dated_ask: bool = False
    days: tuple[tuple[date, int, int], ...] = ()


class Past(Struct, frozen=True, kw_only=True):
    """An earlier run of the same source, as far as later ones are held against it. `partial`: some listings had not changed
    and were not read again, so that its number of papers is not the usual one."""

    outcome: Outcome
    parsed: int
    missing: dict[str, float] = {}
    listed_on: date | None = None
    run_at: datetime
    partial: bool = False


class Verdict(Struct, frozen=True, kw_only=True):
    """The outcome and its reason: one sentence for the operator, which for no papers says why there are none."""

    outcome: Outcome
    why: str


def missing_of(papers: Iterable[Paper]) -> dict[str, float]:
    """The share of papers, from 0 to 1, without title, abstract, authors and any link; empty for no papers."""
    rows = [
        (
            not paper.title.strip(),
            not paper.abstract,
            not (paper.authors or paper.authors_raw),
            not paper.links,
        )
        for paper in papers
    ]
    return {name: round(sum(row[n] for row in rows) / len(rows), 4) for n, name in enumerate(FIELDS) if rows}


def judge(facts: Facts, past: Sequence[Past], calendar: Calendar | None, *, now: datetime) -> Verdict:
    """The outcome of one source's run. `past` are its last runs, newest first, 20 or more where there are as many.

    What cannot be right comes first (a listing that failed, was cut, or holds less than it says or than is usual), then what
    is late, then what was found. Without past runs nothing alarms by comparison; runs that failed are not compared with, so
    that a fault that stays keeps its alarm for as long as good runs are among those given.
    """
    return (
        _failure(facts)
        or _contradiction(facts)
        or _unlike_before(facts, past, calendar, now)
        or _late(facts, past, calendar, now)
        or _nothing(facts, past, calendar, now)
        or _found(facts, calendar, now)
    )


# --- what the listings say of themselves


def _failure(facts: Facts) -> Verdict | None:
    if not facts.failures:
        return None
    outcome, message = facts.failures[0]
    more = len(facts.failures) - 1
    others = f" So did {more} more of {facts.asked} listings." if more else ""
    rest = f" The others gave {_papers(facts.parsed)}." if facts.asked > more + 1 else ""
    return Verdict(outcome=outcome, why=f"A listing failed: {message}{others}{rest}")


def _contradiction(facts: Facts) -> Verdict | None:
    """Less than the page itself says it holds."""
    if facts.truncated:
        return _suspect(f"Not all of a page came: {facts.truncated}")
    for section, stated in facts.section_stated.items():
        read = facts.section_counts.get(section, 0)
        if read < stated:
            return _suspect(
                f'The page says that it shows {stated} papers under "{section}", and {read} could be read.'
            )
    if facts.complete and facts.stated and facts.parsed < facts.stated:
        return _suspect(
            f"The listing says that it holds {_papers(facts.stated)}, and {facts.parsed} could be read."
        )
    if _lacks(facts, "title"):
        return _suspect(f"{_share(facts.missing['title'])} of the {_papers(facts.parsed)} have no title.")
    for day, before, now in facts.days:
        if now < FEW * before and before - now > 1:
            return _suspect(
                f"The list of {_day(day)} held {_papers(before)} when it was last read, and now {now}."
            )
    return None


def _lacks(facts: Facts, field: str) -> bool:
    """Is the field gone from more papers than can be chance? One odd paper of three is no change of the layout."""
    share = facts.missing.get(field, 0.0)
    return share > MISSING and (share * facts.parsed >= 1.5 or facts.parsed == 1)


# --- held against the last runs


def _unlike_before(
    facts: Facts, past: Sequence[Past], calendar: Calendar | None, now: datetime
) -> Verdict | None:
    if not facts.parsed:
        return None
    for field in FIELDS:
        before = [run.missing.get(field, 0.0) for run in _good(past) if run.parsed][:COMPARED_RUNS]
        if _lacks(facts, field) and len(before) >= MIN_RUNS and _median(before) <= USUALLY_MISSING:
            return _suspect(
                f"{_share(facts.missing[field])} of the {_papers(facts.parsed)} come without {field}, which nearly all had "
                f"in the last {len(before)} runs: the layout may have changed."
            )
    usual = _usual(facts, past, calendar, now)
    if usual is None or not is_far_less(facts.parsed * _thinness(facts, calendar), usual):
        return None
    return _suspect(f"Only {_papers(facts.parsed)}, where the last runs read {_typical(usual):g}.")


def _good(past: Sequence[Past]) -> list[Past]:
    return [run for run in past if run.outcome not in FAILED_OUTCOMES]


def _usual(facts: Facts, past: Sequence[Past], calendar: Calendar | None, now: datetime) -> list[int] | None:
    """How many papers comparable listings had, newest first; None where this run cannot be compared.

    A run of unchanged listings reads less by right; a list that is still added to and one of a day off may be short.
    """
    if facts.not_modified:
        return None
    runs = [run for run in _good(past) if not run.partial and (run.parsed or run.outcome == "quiet")]
    if calendar is None:
        # Not all that is listed daily has a calendar here: a weekend's page is compared with those of weekends.
        return [run.parsed for run in runs if _is_weekend(run.run_at) == _is_weekend(now)]
    day = facts.listed_on or calendar.today(now)
    growing = calendar.grows and day >= calendar.today(now) and calendar.due(now) < day
    if calendar.reason(day) or growing:
        return None
    # Friday's page read thrice is one listing.
    once = {run.listed_on or run.run_at: run for run in reversed(runs)}
    return [
        run.parsed
        for key, run in reversed(once.items())
        if not (run.listed_on and calendar.reason(run.listed_on))
    ]


def _thinness(facts: Facts, calendar: Calendar | None) -> int:
    """What a listing counts: twice in the weeks in which half as much is submitted everywhere."""
    return 2 if calendar is not None and facts.listed_on is not None and is_year_end(facts.listed_on) else 1


def is_far_less(parsed: int, usual: Sequence[int]) -> bool:
    """Below 30 % of what is usual, and so that neither the unevenness of the list nor chance explains it.

    A list that was nearly as short twice in the last 14 runs is short at times. In short lists (a small archive, a few papers
    a day) chance alone goes far down: by three and a half standard deviations, and more the fewer the runs; of the square
    roots, since for counts theirs hardly depend on the size.
    """
    if sum(map(bool, usual)) < MIN_RUNS:
        return False
    typical = _typical(usual)
    if parsed >= FEW * typical or parsed >= sorted(usual[:COMMON_RUNS])[1] / 2:
        return False
    if typical >= SHORT or (not parsed and typical >= NEVER_EMPTY):
        return True
    spread = _spread([sqrt(count) for count in usual])
    if typical < TINY and spread > EVEN:
        return False
    return sqrt(parsed) < sqrt(typical) - (3.5 + 6 / len(usual)) * spread


def _typical(usual: Sequence[int]) -> float:
    """The median of the last runs that read something."""
    return _median([count for count in usual if count][:COMPARED_RUNS])


# The module `statistics` costs a run 25 ms of imports.


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _spread(values: Sequence[float]) -> float:
    """The standard deviation of the values, taken as all there are."""
    mean = sum(values) / len(values)
    return sqrt(sum((value - mean) ** 2 for value in values) / len(values))


# --- what the calendar says


def _late(facts: Facts, past: Sequence[Past], calendar: Calendar | None, now: datetime) -> Verdict | None:
    """The batch that is to be there now is not, and an older one is in its place."""
    if calendar is None or facts.dated_ask:
        return None
    today = calendar.today(now)
    # An empty feed of a Sunday is no listing, and a day to come is a page's mistake.
    days = [run.listed_on for run in past if run.listed_on and run.listed_on <= today]
    read = [day for day in days if not calendar.reason(day)]
    unchanged = _is_unchanged(facts)
    shown = facts.listed_on or (max(read, default=None) if unchanged else None)
    if shown is None:
        return None
    if read and shown < max(read):
        return Verdict(
            outcome="stale",
            why=f"The page shows the listing of {_day(shown)}, and that of {_day(max(read))} was read before: an old copy.",
        )
    expected = latest(calendar, today)
    if shown >= expected:
        return None
    late = behind(calendar, shown, now)
    if late > 1:
        return Verdict(
            outcome="stale",
            why=f"The page still shows the listing of {_day(shown)}; the newest that is out by now is of {_day(expected)}.",
        )
    due = "should be out by now" if late else "is expected"
    return Verdict(
        outcome="not-yet",
        why=f"The listing of {_day(expected)} {due}; the page still shows that of {_day(shown)}.",
    )


def _nothing(facts: Facts, past: Sequence[Past], calendar: Calendar | None, now: datetime) -> Verdict | None:
    """No papers, and why: nothing changed, a day off, too early, or nothing where there must be something."""
    if facts.parsed:
        return None
    off = _day_off(calendar, now)
    if _is_unchanged(facts):
        because = f"; {off}" if off else ""
        return Verdict(outcome="not-modified", why=f"Nothing has changed since the last run{because}.")
    if not facts.empty:
        return Verdict(
            outcome="quiet", why="There was nothing to read." if not facts.asked else "No papers were listed."
        )
    if off:
        return Verdict(outcome="holiday", why=f"The page is empty: {off}.")
    if calendar is not None:
        day = facts.listed_on or calendar.today(now)
        if day >= calendar.today(now) and calendar.due(now) < day:
            return Verdict(
                outcome="not-yet",
                why=f"The listing of {_day(day)} is still empty; its papers are yet to come.",
            )
    usual = _usual(facts, past, calendar, now)
    if usual and is_far_less(0, usual):
        return _suspect(
            f"The page says that it is empty, where the last runs read {_typical(usual):g} papers."
        )
    return Verdict(outcome="quiet", why="The page says that it is empty.")


def _is_unchanged(facts: Facts) -> bool:
    return facts.not_modified >= max(facts.asked, 1)


def _found(facts: Facts, calendar: Calendar | None, now: datetime) -> Verdict:
    if facts.new or facts.updated:
        parts = [f"{facts.new} new" if facts.new else "", f"{facts.updated} updated" if facts.updated else ""]
        return Verdict(
            outcome="new", why=f"{' and '.join(filter(None, parts))} of {_papers(facts.parsed)} listed."
        )
    known = (
        "The one paper listed was known before"
        if facts.parsed == 1
        else f"All {facts.parsed} papers listed were known before"
    )
    if off := _day_off(calendar, now):
        return Verdict(outcome="holiday", why=f"{known}: {off}.")
    return Verdict(outcome="quiet", why=f"{known}.")


def _day_off(calendar: Calendar | None, now: datetime) -> str:
    if calendar is None:
        return ""
    day = calendar.today(now)
    reason = calendar.reason(day)
    return f"no listing is made for {_day(day)} ({reason})" if reason else ""


# --- words

# Behind the reason of a source whose batch was waited for stands how long.
WAITED = "; waited until "
# To readers, who cannot mend anything: what the calendar says is said as it is, and no address of a source.
_SAID: dict[Outcome, str] = {
    "new": "new papers, none of which is meant for this digest",
    "quiet": "nothing new",
    "not-modified": "nothing new",
    "suspect": "could not be read as usual; what is missing comes in a later edition",
    "parse-failed": "could not be read; what is missing comes in a later edition",
    "unreachable": "could not be reached; what is missing comes in a later edition",
    "refused": "could not be read; what is missing comes in a later edition",
}


def said_to_readers(report: SourceReport) -> str:
    """What a source gave on a day without an edition, in words that begin small and end without a stop."""
    if report.outcome == "new" and not report.new:
        return "new versions of known papers, which this digest does not show"
    told = _SAID.get(report.outcome) or report.why.partition(WAITED)[0].rstrip(".")
    return told[:1].lower() + told[1:]


def _suspect(why: str) -> Verdict:
    return Verdict(outcome="suspect", why=why)


def _is_weekend(moment: datetime) -> bool:
    return moment.astimezone(UTC).weekday() >= 5


def _day(day: date) -> str:
    return f"{day:%A} {day}"


def _papers(count: int) -> str:
    return f"{count} {'paper' if count == 1 else 'papers'}"


def _share(share: float) -> str:
    return f"{share:.0%}"
