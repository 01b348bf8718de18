"""A year of listings, with its weekends, holidays and changes of clocks: no false alarm, and no planted fault missed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import ClassVar
from zoneinfo import ZoneInfo

import pytest
from msgspec import Struct
from msgspec.structs import replace

from digest.calendar import EASTERN, ArxivCalendar, Calendar, HuggingFaceCalendar, arxiv_days
from digest.model import FAILED_OUTCOMES
from digest.outcomes import Facts, Past, Verdict
from digest.pipeline.collect import WAITABLE
from listing_pages import arxiv_feed, arxiv_page, daily_papers, facts_of, run

FIRST, LAST = date(2026, 1, 5), date(2027, 1, 4)
WHOLE = {"title": 0.0, "abstract": 0.0, "authors": 0.0, "link": 0.0}
SCHEDULES = {
    "Berlin at six": (ZoneInfo("Europe/Berlin"), time(6)),
    "Tokyo at noon": (ZoneInfo("Asia/Tokyo"), time(12)),
    "New York at a quarter past eight": (EASTERN, time(20, 15)),
    "London at eleven at night": (ZoneInfo("Europe/London"), time(23)),
}


def moments(schedule: str) -> Iterator[datetime]:
    """A run a day, in UTC; the hour is that of the wall clock there."""
    zone, hour = SCHEDULES[schedule]
    for n in range((LAST - FIRST).days + 1):
        yield datetime.combine(FIRST + timedelta(n), hour, zone).astimezone(UTC)


def poisson(random: Random, mean: float) -> int:
    if mean > 60:
        return max(0, round(random.gauss(mean, math.sqrt(mean))))
    count, product, floor = 0, random.random(), math.exp(-mean)
    while product > floor:
        count, product = count + 1, product * random.random()
    return count


def is_winter_break(day: date) -> bool:
    return (day.month, day.day) >= (12, 23) or (day.month, day.day) <= (1, 3)


class Archive:
    """An arXiv listing whose days have `mean` new papers: Tuesday's, with the weekend's, is the largest, the winter break's are
    small, each has cross-lists and replacements besides, and each comes up to forty minutes after its hour."""

    WEEKDAYS = (0.9, 1.35, 1.1, 1.0, 0.95)
    SECTIONS: ClassVar = {"new": 1.0, "cross": 0.5, "replace": 0.6}

    def __init__(self, mean: float, seed: int, hour: int = 20) -> None:
        random = Random(f"{mean} {seed}")
        self.calendar: Calendar = ArxivCalendar(hour)
        self.days = arxiv_days(FIRST - timedelta(40), LAST + timedelta(3))
        self._out, self._sizes = {}, {}
        for day in self.days:
            at = datetime.combine(day - timedelta(1), time(20), EASTERN) + timedelta(hours=hour - 20)
            self._out[day] = at.astimezone(UTC) + timedelta(minutes=random.randrange(40))
            usual = mean * self.WEEKDAYS[day.weekday()] * (0.5 if is_winter_break(day) else 1)
            usual *= random.lognormvariate(0, 0.18)
            self._sizes[day] = {name: poisson(random, usual * part) for name, part in self.SECTIONS.items()}

    def shown(self, now: datetime) -> date:
        """The day of the page that the site shows: the newest that is out."""
        return max(day for day in self.days if self._out[day] <= now)

    def is_out(self, day: date, now: datetime) -> bool:
        return self._out[day] <= now

    def facts(self, now: datetime) -> Facts:
        return self.facts_of_day(self.shown(now))

    def facts_of_day(self, day: date) -> Facts:
        sections = {name: count for name, count in self._sizes[day].items() if count}
        parsed = sum(sections.values())
        return Facts(
            kind="arxiv",
            listed_on=day,
            parsed=parsed,
            stated=parsed or None,
            empty=not parsed,
            section_counts=sections,
            section_stated=sections,
            missing=WHOLE if parsed else {},
        )


class ArchiveFeed(Archive):
    """Its feed: made at midnight of New York, and empty on a day without a listing."""

    def __init__(self, mean: float, seed: int) -> None:
        super().__init__(mean, seed, hour=24)

    def facts(self, now: datetime) -> Facts:
        today = self.calendar.today(now)
        made = today if self._out.get(today, now) <= now else today - timedelta(1)
        if made not in self._sizes:
            return Facts(kind="arxiv", listed_on=made, empty=True)
        feed = self.facts_of_day(made)
        return replace(feed, section_stated={}, stated=None)


class DailyPapers:
    """Hugging Face: a list grows through its UTC day; a third of it comes after the morning; weekends have next to nothing."""

    def __init__(self, mean: float, seed: int) -> None:
        random = Random(f"{mean} {seed}")
        self.calendar: Calendar = HuggingFaceCalendar()
        self._arrivals: dict[date, list[datetime]] = {}
        for n in range((LAST - FIRST).days + 10):
            day = FIRST - timedelta(5) + timedelta(n)
            off = bool(self.calendar.reason(day))
            usual = (
                mean * (0.06 if off else 0.5 if is_winter_break(day) else 1) * random.lognormvariate(0, 0.2)
            )
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            hours = [random.triangular(0, 26, 8) for _ in range(poisson(random, usual))]
            self._arrivals[day] = [start + timedelta(hours=hour) for hour in hours]

    def size(self, day: date, now: datetime) -> int:
        return sum(at <= now for at in self._arrivals[day])

    def facts(self, now: datetime) -> Facts:
        return self._facts([self.calendar.today(now)], now)

    def _facts(self, days: list[date], now: datetime) -> Facts:
        parsed = sum(self.size(day, now) for day in days)
        return Facts(
            kind="huggingface",
            asked=len(days),
            dated_ask=True,
            listed_on=max(days),
            parsed=parsed,
            empty=not self.size(max(days), now),
            missing=WHOLE if parsed else {},
        )


class DailyPapersWithLookback(DailyPapers):
    """The same, with the three days before asked again."""

    def facts(self, now: datetime) -> Facts:
        today = self.calendar.today(now)
        return self._facts([today - timedelta(n) for n in range(4)], now)


Site = Archive | DailyPapers
SITES: dict[str, Callable[[int], Site]] = {
    "an archive of two papers a day": lambda seed: Archive(2, seed),
    "an archive of eight": lambda seed: Archive(8, seed),
    "an archive of 25": lambda seed: Archive(25, seed),
    "an archive of 120": lambda seed: Archive(120, seed),
    "an archive of 600": lambda seed: Archive(600, seed),
    "a feed of 25": lambda seed: ArchiveFeed(25, seed),
    "a feed of 120": lambda seed: ArchiveFeed(120, seed),
    "daily papers": lambda seed: DailyPapers(28, seed),
    "daily papers with the days before": lambda seed: DailyPapersWithLookback(28, seed),
}


class Run(Struct):
    now: datetime
    facts: Facts
    verdict: Verdict


def year(
    site: Site, schedule: str, change: Callable[[int, datetime, Facts], Facts] = lambda n, now, facts: facts
) -> list[Run]:
    """Every run of the year: papers are new when their day was not read before; `change` may spoil what the page gave."""
    past: list[Past] = []
    runs: list[Run] = []
    newest = date.min
    for n, now in enumerate(moments(schedule)):
        facts = change(n, now, site.facts(now))
        fresh = facts.parsed if facts.listed_on and facts.listed_on > newest else 0
        newest = max(newest, facts.listed_on or newest)
        facts = replace(facts, new=fresh, seen=facts.parsed - fresh)
        verdict, past = run(facts, past, site.calendar, now)
        runs.append(Run(now, facts, verdict))
    return runs


def is_alarm(verdict: Verdict) -> bool:
    return verdict.outcome in FAILED_OUTCOMES or verdict.outcome == "stale"


# Each schedule with some site and each site with some schedule; `make torture` has all of them.
YEARS = [
    pytest.param(name, schedule, marks=[] if (n + k) % 4 == 0 else pytest.mark.torture)
    for n, name in enumerate(SITES)
    for k, schedule in enumerate(SCHEDULES)
]


@pytest.mark.parametrize(("name", "schedule"), YEARS)
def test_a_lawful_year_has_no_false_alarm(name: str, schedule: str) -> None:
    runs = year(SITES[name](1), schedule)
    assert len(runs) == 365
    assert [(r.now, r.verdict) for r in runs if is_alarm(r.verdict)] == []


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_not_yet_is_said_only_of_a_listing_that_is_not_out_and_every_listing_is_news_once(
    schedule: str,
) -> None:
    site = Archive(120, 1)
    runs = year(site, schedule)
    for one in runs:
        if one.verdict.outcome in WAITABLE:
            assert not site.is_out(site.calendar.today(one.now), one.now), one
    assert any((one.verdict.outcome in WAITABLE) for one in runs) == (
        schedule == "New York at a quarter past eight"
    )
    read = [one.facts.listed_on for one in runs if one.verdict.outcome == "new"]
    assert len(read) == len(set(read))
    if schedule != "New York at a quarter past eight":
        first, last = runs[0].facts.listed_on, runs[-1].facts.listed_on
        assert first is not None and last is not None
        assert read == arxiv_days(first, last)
        off = Counter(one.verdict.outcome for one in runs if one.verdict.outcome != "new")
        assert off["holiday"] == 365 - len(read)


def test_the_words_of_a_day_off_name_it() -> None:
    why = [
        one.verdict.why for one in year(Archive(120, 1), "Berlin at six") if one.verdict.outcome == "holiday"
    ]
    for name in ("Saturday", "Sunday", "Thanksgiving", "Juneteenth", "Labor Day", "winter break"):
        assert any(f"({name})" in words for words in why), name


def test_pages_through_the_parsers_come_to_the_same_outcomes() -> None:
    """Every fifth day of the year as a page: a listing, its feed, and daily papers in the evening."""
    for site, schedule, page in (
        (Archive(8, 2), "Berlin at six", _as_listing),
        (ArchiveFeed(25, 2), "Tokyo at noon", _as_feed),
        (DailyPapers(28, 2), "London at eleven at night", _as_daily_papers),
    ):
        spoken = [one.verdict.outcome for one in year(site, schedule)]
        read = year(site, schedule, lambda n, now, facts, page=page: page(facts) if n % 5 == 0 else facts)  # type: ignore[misc]
        assert [one.verdict.outcome for one in read] == spoken


def _as_listing(facts: Facts) -> Facts:
    assert facts.listed_on
    sections = {name: facts.section_counts.get(name, 0) for name in ("new", "cross", "replace")}
    return facts_of(arxiv_page(facts.listed_on, **sections).encode())


def _as_feed(facts: Facts) -> Facts:
    assert facts.listed_on
    return facts_of(arxiv_feed(facts.listed_on, facts.parsed).encode())


def _as_daily_papers(facts: Facts) -> Facts:
    assert facts.listed_on
    found = facts_of(daily_papers(facts.listed_on, facts.parsed).encode())
    return replace(found, listed_on=facts.listed_on, dated_ask=True)  # asked for by its date


# --- the same year, with faults


def _empty(facts: Facts) -> Facts:
    return Facts(kind=facts.kind, listed_on=facts.listed_on, empty=True, dated_ask=facts.dated_ask)


def _first_entries(facts: Facts) -> Facts:
    return replace(
        facts, parsed=min(25, facts.parsed // 5), section_counts={}, section_stated={}, stated=None
    )


def _third(facts: Facts) -> Facts:
    """A third of each section, under headings that are whole: alone the number would not be below 30 % of what is usual."""
    counts = {name: count // 3 for name, count in facts.section_counts.items()}
    return replace(facts, parsed=sum(counts.values()), section_counts=counts)


def _without(field: str) -> Callable[[Facts], Facts]:
    return lambda facts: replace(facts, missing={**WHOLE, field: 0.6})


def _short_section(facts: Facts) -> Facts:
    counts = {**facts.section_counts, "new": facts.section_counts["new"] - 1}
    return replace(facts, section_counts=counts, parsed=facts.parsed - 1)


def _cut(facts: Facts) -> Facts:
    return replace(facts, parsed=facts.parsed * 9 // 10, truncated="page: truncated: the page has no end.")


def _broken(facts: Facts) -> Facts:
    return Facts(kind=facts.kind, failures=(("parse-failed", "page: no list."),))


def _older(facts: Facts) -> Facts:
    assert facts.listed_on
    return replace(facts, listed_on=arxiv_days(facts.listed_on - timedelta(14), facts.listed_on)[-3])


def _through_the_parser(spoil: Callable[[str], str]) -> Callable[[Facts], Facts]:
    def fault(facts: Facts) -> Facts:
        assert facts.listed_on
        if facts.kind == "huggingface":
            page = daily_papers(facts.listed_on, facts.parsed)
            return replace(facts_of(spoil(page).encode()), listed_on=facts.listed_on, dated_ask=True)
        sections = {name: facts.section_counts.get(name, 0) for name in ("new", "cross", "replace")}
        return facts_of(spoil(arxiv_page(facts.listed_on, **sections)).encode())

    return fault


ARXIV_FAULTS: dict[str, Callable[[Facts], Facts]] = {
    "empty": _empty,
    "a third of each section": _third,
    "only its first entries": _first_entries,
    "abstracts missing": _without("abstract"),
    "authors missing": _without("authors"),
    "a paper of a section missing": _short_section,
    "cut": _cut,
    "broken": _broken,
    "an older page": _older,
    "a page cut in two": _through_the_parser(lambda page: page[: len(page) // 2]),
    "a page with its classes renamed": _through_the_parser(lambda page: page.replace("list-title", "t")),
    "a page without abstracts": _through_the_parser(lambda page: page.replace("<p class='mathjax'>", "<!--")),
}
DAILY_FAULTS: dict[str, Callable[[Facts], Facts]] = {
    "empty": _empty,
    "three papers of all": lambda facts: replace(facts, parsed=3),
    "abstracts missing": _without("abstract"),
    "broken": _broken,
    "cut": _cut,
    "an answer with its keys renamed": _through_the_parser(lambda page: page.replace('"title"', '"name"')),
    "an answer cut in two": _through_the_parser(lambda page: page[: len(page) // 2]),
}


def planted(runs: list[Run], calendar: Calendar, faults: list[str], random: Random) -> dict[int, str]:
    """Faults on working days, from the fourth week on, five days apart at least."""
    days = [
        n
        for n, one in enumerate(runs)
        if n > 20 and one.verdict.outcome == "new" and not calendar.reason(calendar.today(one.now))
    ]
    chosen: list[int] = []
    while len(chosen) < len(faults):
        n = random.choice(days)
        if all(abs(n - other) >= 5 for other in chosen):
            chosen.append(n)
    return dict(zip(sorted(chosen), faults, strict=True))


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.torture) for n in (2, 3))])
def test_fifty_planted_faults_are_found_and_nothing_else(seed: int) -> None:
    found = 0
    for site, schedule, kinds, count in (
        (Archive(120, seed), "Berlin at six", ARXIV_FAULTS, 33),
        (DailyPapers(40, seed), "London at eleven at night", DAILY_FAULTS, 17),
    ):
        faults = [list(kinds)[n % len(kinds)] for n in range(count)]
        where = planted(year(site, schedule), site.calendar, faults, Random(seed))

        def spoil(
            n: int, now: datetime, facts: Facts, where: dict[int, str] = where, kinds: object = kinds
        ) -> Facts:
            return kinds[where[n]](facts) if n in where else facts  # type: ignore[index]

        for n, one in enumerate(year(site, schedule, spoil)):
            assert is_alarm(one.verdict) == (n in where), (n, where.get(n), one)
            found += n in where
    assert found == 50


def test_an_old_page_that_is_served_for_days_is_first_late_and_then_stale() -> None:
    """Ten times in the year the site stops for three listings; each run of such a time says so, and none before or after."""
    site = Archive(120, 1)
    stops = [arxiv_days(FIRST + timedelta(30 + 33 * n), LAST)[:4] for n in range(10)]

    def stopped(n: int, now: datetime, facts: Facts) -> Facts:
        for last, *missed in stops:
            if facts.listed_on in missed:
                return site.facts_of_day(last)
        return facts

    said: dict[date, list[str]] = {}
    for one in year(site, "Berlin at six", stopped):
        shown = site.shown(one.now)
        if any(shown in missed for _, *missed in stops):
            said.setdefault(shown, []).append(one.verdict.outcome)
        else:
            assert one.verdict.outcome not in WAITABLE, one
    for _, *missed in stops:
        assert [{*said[day]} for day in missed] == [{"not-yet"}, {"stale"}, {"stale"}]
