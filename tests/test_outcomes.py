"""What a run means: one row for each outcome and each reason of it, and the words that say why."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.calendar import EASTERN, ArxivCalendar, Calendar, HuggingFaceCalendar
from digest.model import FAILED_OUTCOMES, Outcome, Paper
from digest.outcomes import Facts, Past, Verdict, judge, missing_of
from digest.pipeline.collect import WAITABLE

FRIDAY = date(2026, 11, 20)
MORNING = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
ARXIV, HUGGING_FACE = ArxivCalendar(), HuggingFaceCalendar()
WHOLE = {"title": 0.0, "abstract": 0.0, "authors": 0.0, "link": 0.0}


def facts(**known: object) -> Facts:
    """A run that read 100 papers of Friday's listing, 60 of them new."""
    usual = {"kind": "arxiv", "listed_on": FRIDAY, "parsed": 100, "new": 60, "seen": 40, "missing": WHOLE}
    return Facts(**{**usual, **known})  # type: ignore[arg-type]


def nothing(**known: object) -> Facts:
    return facts(**{"parsed": 0, "new": 0, "seen": 0, "missing": {}, "empty": True, **known})


def history(*parsed: int, outcome: Outcome = "new", **known: object) -> list[Past]:
    """Daily runs before Friday's, newest first."""
    runs = []
    for n, count in enumerate(parsed, 1):
        run = {"outcome": outcome, "parsed": count, "missing": WHOLE, "run_at": MORNING - timedelta(n)}
        runs.append(Past(**{**run, **known}))  # type: ignore[arg-type]
    return runs


def verdict(
    found: Facts, past: list[Past] | None = None, calendar: Calendar | None = None, now: datetime = MORNING
) -> Verdict:
    return judge(found, past or [], calendar, now=now)


TABLE: list[tuple[str, Facts, list[Past], Calendar | None, datetime, Outcome, str]] = [
    ("fresh papers", facts(), [], ARXIV, MORNING, "new", "60 new of 100 papers"),
    ("new versions only", facts(new=0, updated=3), [], None, MORNING, "new", "3 updated"),
    ("all known", facts(new=0, seen=100), [], ARXIV, MORNING, "quiet", "All 100 papers listed were known before."),
    ("the one known", facts(parsed=1, new=0, seen=1), [], None, MORNING, "quiet", "The one paper listed was known before."),
    ("unchanged", nothing(asked=2, not_modified=2, empty=False), [], None, MORNING, "not-modified", "Nothing has changed"),
    (
        "unchanged on a Saturday",
        nothing(asked=1, not_modified=1, empty=False, listed_on=None),
        history(100, listed_on=FRIDAY),
        ARXIV,
        datetime(2026, 11, 21, 12, tzinfo=UTC),
        "not-modified",
        "Saturday",
    ),
    (
        "Friday's page on Saturday",
        facts(new=0, seen=100),
        history(100, listed_on=FRIDAY),
        ARXIV,
        datetime(2026, 11, 21, 12, tzinfo=UTC),
        "holiday",
        "(Saturday)",
    ),
    (
        "Thanksgiving",
        facts(new=0, seen=100, listed_on=date(2026, 11, 26)),
        [],
        ARXIV,
        datetime(2026, 11, 27, 12, tzinfo=UTC),
        "holiday",
        "(Thanksgiving)",
    ),
    (
        "an empty feed on Sunday",
        nothing(listed_on=date(2026, 11, 22)),
        history(*[100] * 10),
        ArxivCalendar(24),
        datetime(2026, 11, 22, 12, tzinfo=UTC),
        "holiday",
        "The page is empty: no listing is made for Sunday 2026-11-22 (Sunday).",
    ),
    (
        "an empty weekend at Hugging Face",
        nothing(listed_on=date(2026, 11, 21)),
        history(*[30] * 10),
        HUGGING_FACE,
        datetime(2026, 11, 21, 20, tzinfo=UTC),
        "holiday",
        "weekend",
    ),
    (
        "yesterday's page in the morning",
        facts(new=0, seen=100, listed_on=date(2026, 11, 19)),
        history(100, listed_on=date(2026, 11, 19)),
        ARXIV,
        MORNING,
        "not-yet",
        "should be out by now",
    ),
    (
        "yesterday's page at five past eight",
        facts(new=0, seen=100, listed_on=date(2026, 11, 19)),
        [],
        ARXIV,
        datetime(2026, 11, 19, 20, 5, tzinfo=EASTERN),
        "not-yet",
        "is expected",
    ),
    (
        "yesterday's page, unchanged",
        nothing(asked=1, not_modified=1, empty=False, listed_on=None),
        history(100, listed_on=date(2026, 11, 19)),
        ARXIV,
        MORNING,
        "not-yet",
        "Thursday 2026-11-19",
    ),
    (
        "a weekday that Hugging Face has not begun",
        nothing(listed_on=FRIDAY, dated_ask=True),
        history(*[30] * 10),
        HUGGING_FACE,
        MORNING,
        "not-yet",
        "yet to come",
    ),
    (
        "a page of last week",
        facts(listed_on=date(2026, 11, 13)),
        [],
        ARXIV,
        MORNING,
        "stale",
        "Friday 2026-11-13",
    ),
    (
        "an older page than was read before",
        facts(listed_on=date(2026, 11, 19)),
        history(100, 100, listed_on=FRIDAY),
        ARXIV,
        MORNING,
        "stale",
        "an old copy",
    ),
    (
        "last week's page, unchanged",
        nothing(asked=1, not_modified=1, empty=False, listed_on=None),
        history(*[100] * 5, listed_on=date(2026, 11, 13)),
        ARXIV,
        MORNING,
        "stale",
        "Friday 2026-11-13",
    ),
    ("a page that breaks off", facts(truncated="page: truncated."), [], None, MORNING, "suspect", "Not all of a page"),
    (
        "a section of which half was read",
        facts(section_counts={"new": 60, "cross": 12}, section_stated={"new": 60, "cross": 25}),
        [],
        ARXIV,
        MORNING,
        "suspect",
        '25 papers under "cross", and 12',
    ),
    (
        "less than the listing says, read to its end",
        facts(stated=120, complete=True),
        [],
        None,
        MORNING,
        "suspect",
        "120 papers, and 100",
    ),
    (
        "less than the listing says, of which a page was read",
        facts(stated=120),
        [],
        None,
        MORNING,
        "new",
        "60 new",
    ),
    ("far fewer", facts(parsed=29, new=29), history(*[100] * 7), None, MORNING, "suspect", "Only 29 papers"),
    ("fewer", facts(parsed=30, new=30), history(*[100] * 7), None, MORNING, "new", "30 new"),
    (
        "no abstracts any more",
        facts(missing={**WHOLE, "abstract": 1.0}),
        history(*[100] * 7),
        ARXIV,
        MORNING,
        "suspect",
        "without abstract",
    ),
    (
        "never had abstracts",
        facts(missing={**WHOLE, "abstract": 1.0}),
        history(*[100] * 7, missing={**WHOLE, "abstract": 1.0}),
        ARXIV,
        MORNING,
        "new",
        "60 new",
    ),
    ("no titles", facts(missing={**WHOLE, "title": 1.0}, new=0, failed=100), [], None, MORNING, "suspect", "no title"),
    (
        "a day that lost its papers",
        facts(days=((date(2026, 11, 19), 40, 3),)),
        [],
        HUGGING_FACE,
        MORNING,
        "suspect",
        "held 40 papers",
    ),
    (
        "empty where there were a hundred",
        nothing(),
        history(*[100] * 7),
        ARXIV,
        MORNING,
        "suspect",
        "100 papers",
    ),
    (
        "empty late on a weekday at Hugging Face",
        nothing(dated_ask=True),
        history(*[30] * 7),
        HUGGING_FACE,
        datetime(2026, 11, 20, 20, tzinfo=UTC),
        "suspect",
        "empty",
    ),
    (
        "empty in an archive of a few papers a day",
        nothing(),
        history(2, 5, 1, 3, 4, 2, 1, 6),
        ARXIV,
        MORNING,
        "quiet",
        "says that it is empty",
    ),
    ("empty at first", nothing(), [], ARXIV, MORNING, "quiet", "says that it is empty"),
    (
        "a broken page",
        nothing(empty=False, failures=(("parse-failed", "page: no list."),)),
        [],
        None,
        MORNING,
        "parse-failed",
        "page: no list.",
    ),
    (
        "a dead server among others",
        facts(asked=3, failures=(("unreachable", "host: no answer."),)),
        [],
        None,
        MORNING,
        "unreachable",
        "The others gave 100 papers",
    ),
    (
        "not allowed",
        nothing(empty=False, failures=(("refused", "host: robots.txt."),)),
        [],
        None,
        MORNING,
        "refused",
        "robots.txt",
    ),
    ("nothing to read", nothing(asked=0, empty=False), [], None, MORNING, "quiet", "nothing to read"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "past", "calendar", "now", "outcome", "words"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_a_run_has_the_outcome_and_says_why(
    found: Facts, past: list[Past], calendar: Calendar | None, now: datetime, outcome: Outcome, words: str
) -> None:
    got = verdict(found, past, calendar, now)
    assert got.outcome == outcome, got.why
    assert words in got.why
    assert got.why.endswith(".")


def test_the_table_has_every_outcome() -> None:
    assert {row[5] for row in TABLE} == {
        "new", "quiet", "not-modified", "holiday", "not-yet", "stale",
        "suspect", "parse-failed", "unreachable", "refused",
    }  # fmt: skip


def test_only_what_may_still_come_is_waited_for() -> None:
    waited = {row[5] for row in TABLE if (verdict(row[1], row[2], row[3], row[4]).outcome in WAITABLE)}
    assert waited == {"not-yet", "stale"}


# --- comparison


def test_a_fault_that_stays_keeps_its_alarm() -> None:
    past = history(*[100] * 20)
    for n in range(10):
        got = verdict(facts(parsed=10, new=0, seen=10), past)
        assert got.outcome == "suspect", n
        past = [Past(outcome=got.outcome, parsed=10, missing=WHOLE, run_at=MORNING), *past]


def test_two_runs_as_small_make_small_ones_usual() -> None:
    assert verdict(facts(parsed=20), history(100, 100, 100, 30, 100, 100, 100)).outcome == "suspect"
    assert verdict(facts(parsed=20), history(100, 30, 100, 30, 100, 100, 100)).outcome == "new"


def test_a_run_of_which_some_was_unchanged_is_neither_compared_nor_compared_with() -> None:
    assert verdict(facts(parsed=5, asked=4, not_modified=3), history(*[100] * 7)).outcome == "new"
    shortened = history(5, 5, 5, 5, 5, partial=True) + history(*[100] * 7)
    assert verdict(facts(parsed=5), shortened).outcome == "suspect"


def test_a_list_that_is_still_growing_is_not_called_short() -> None:
    past = history(*[40] * 10)
    morning, night = MORNING, datetime(2026, 11, 20, 22, tzinfo=UTC)
    assert verdict(facts(parsed=2, new=2), past, HUGGING_FACE, morning).outcome == "new"
    assert verdict(facts(parsed=2, new=2), past, HUGGING_FACE, night).outcome == "suspect"


def test_a_list_that_does_not_grow_may_be_called_short_as_soon_as_it_is_out() -> None:
    evening = datetime(2026, 11, 20, 1, 30, tzinfo=UTC)  # half past eight in New York, the day before
    assert verdict(facts(parsed=5), history(*[100] * 7), ARXIV, evening).outcome == "suspect"


@pytest.mark.parametrize(
    "day", [date(2026, 12, 21), date(2026, 12, 23), date(2027, 1, 5), date(2027, 1, 6)], ids=str
)
def test_half_as_many_papers_are_enough_around_the_turn_of_the_year_and_only_then(day: date) -> None:
    morning = datetime(day.year, day.month, day.day, 6, tzinfo=UTC)
    found = verdict(facts(parsed=20, listed_on=day), history(*[100] * 7), ARXIV, morning)
    assert found.outcome == ("new" if date(2026, 12, 22) <= day <= date(2027, 1, 5) else "suspect")


def test_a_short_list_that_is_uneven_may_be_shorter_but_not_empty() -> None:
    past = history(20, 60, 25, 55, 22, 58, 24)
    assert verdict(facts(parsed=2), past, ARXIV).outcome == "new"
    assert verdict(nothing(), past, ARXIV).outcome == "suspect"


def test_weekends_that_may_be_short_make_no_short_weekday_usual() -> None:
    days = [FRIDAY - timedelta(n) for n in range(1, 15)]
    past = [run for day in days for run in history(3 if day.weekday() > 4 else 40, listed_on=day)]
    night = datetime(2026, 11, 20, 22, tzinfo=UTC)
    assert verdict(facts(parsed=4), past, HUGGING_FACE, night).outcome == "suspect"


def test_a_page_that_once_bore_a_day_to_come_makes_no_later_one_an_old_copy() -> None:
    past = history(100, listed_on=FRIDAY + timedelta(3))
    assert verdict(facts(), past, ARXIV).outcome == "new"
    assert verdict(facts(), history(100, listed_on=FRIDAY), ARXIV).outcome == "new"


def test_a_listing_that_failed_alone_is_told_without_others() -> None:
    failed = facts(failures=(("unreachable", "The server is gone."),), parsed=0)
    assert verdict(failed).why == "A listing failed: The server is gone."


def test_a_weekend_is_not_held_against_weekdays() -> None:
    saturday = datetime(2026, 11, 21, 22, tzinfo=UTC)
    weekend = facts(parsed=2, new=2, listed_on=date(2026, 11, 21))
    assert verdict(weekend, history(*[40] * 10), HUGGING_FACE, saturday).outcome == "new"
    assert verdict(facts(parsed=2, listed_on=None), history(*[40] * 5), None, saturday).outcome == "new"


def test_one_odd_paper_is_no_change_of_the_layout() -> None:
    odd = {**WHOLE, "abstract": 1 / 3}
    assert verdict(facts(parsed=3, missing=odd), history(*[3] * 7)).outcome == "new"


PASTS = st.lists(
    st.builds(
        Past,
        outcome=st.sampled_from(["new", "quiet", "not-modified", "suspect", "stale"]),
        parsed=st.integers(0, 500),
        missing=st.just(WHOLE),
        listed_on=st.none() | st.dates(date(2026, 10, 1), FRIDAY),
        run_at=st.just(MORNING),
    ),
    max_size=30,
)
CALENDARS = st.sampled_from([None, ARXIV, HUGGING_FACE])


@given(st.integers(1, 500), CALENDARS)
def test_a_first_run_over_todays_page_alarms_by_nothing(parsed: int, calendar: Calendar | None) -> None:
    assert verdict(facts(parsed=parsed, new=parsed), [], calendar).outcome == "new"


@given(PASTS, st.integers(0, 3), st.booleans(), CALENDARS)
def test_zero_papers_from_a_page_never_pass_without_a_reason(
    past: list[Past], unchanged: int, empty: bool, calendar: Calendar | None
) -> None:
    got = verdict(nothing(asked=3, not_modified=unchanged, empty=empty), past, calendar)
    assert got.outcome not in ("new", "parse-failed", "unreachable", "refused")
    assert len(got.why) > 15


@given(PASTS, st.integers(0, 500), CALENDARS)
def test_more_papers_are_never_more_suspect(past: list[Past], parsed: int, calendar: Calendar | None) -> None:
    fewer = verdict(facts(parsed=parsed, new=0, empty=not parsed), past, calendar)
    more = verdict(facts(parsed=parsed + 1, new=0), past, calendar)
    if more.outcome in FAILED_OUTCOMES and fewer.outcome not in ("not-yet", "holiday"):
        assert fewer.outcome in FAILED_OUTCOMES


# --- fields


def test_the_shares_of_missing_fields() -> None:
    whole = Paper(
        key="a", title="A", abstract="B", authors=("C",), links={"abstract": "https://example.org/a"}
    )
    joined = Paper(key="b", title="A", authors_raw="C and others", links={"pdf": "https://example.org/b"})
    bare = Paper(key="c", title=" ")
    assert missing_of([]) == {}
    assert missing_of([whole]) == WHOLE
    assert missing_of([whole, whole, joined, bare]) == {
        "title": 0.25,
        "abstract": 0.5,
        "authors": 0.25,
        "link": 0.25,
    }
