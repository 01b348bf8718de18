"""When arXiv lists papers and Hugging Face collects them, held to arXiv's own table and to what its pages showed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.calendar import (
    EASTERN,
    HOLIDAYS,
    ArxivCalendar,
    Calendar,
    HuggingFaceCalendar,
    arxiv_days,
    arxiv_holiday,
    behind,
    calendar_of,
    latest,
)

BERLIN = ZoneInfo("Europe/Berlin")


def eastern(*when: int) -> datetime:
    return datetime(*when, tzinfo=EASTERN).astimezone(UTC)  # type: ignore[arg-type, misc]


# --- arXiv: which days


def test_thursday_evening_is_listed_as_friday_and_nothing_until_monday() -> None:
    assert arxiv_days(date(2026, 11, 19), date(2026, 11, 24)) == [
        date(2026, 11, 19),
        date(2026, 11, 20),
        date(2026, 11, 23),
        date(2026, 11, 24),
    ]
    assert arxiv_holiday(date(2026, 11, 20)) is None
    assert arxiv_holiday(date(2026, 11, 21)) == "Saturday"
    assert arxiv_holiday(date(2026, 11, 22)) == "Sunday"


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (date(2026, 11, 26), None),  # Thanksgiving itself shows what was announced the evening before
        (date(2026, 11, 27), "Thanksgiving"),
        (date(2025, 7, 4), None),
        (date(2025, 7, 7), "Independence Day"),  # Monday: on Friday the 4th nothing was frozen, on Sunday nothing announced
        (date(2026, 6, 22), "Juneteenth"),
        (date(2026, 12, 28), "winter break"),
        (date(2026, 12, 29), None),
        (date(2026, 12, 30), "winter break"),
        (date(2027, 1, 1), "winter break"),  # the evening of 31 December 2026, which is in the table
        (date(2024, 10, 9), "arXiv staff retreat"),
    ],
)  # fmt: skip
def test_a_holiday_takes_the_listing_of_the_next_day(day: date, reason: str | None) -> None:
    assert arxiv_holiday(day) == reason
    assert arxiv_days(day, day) == ([] if reason else [day])


def test_the_number_of_listings_of_a_year_is_what_the_table_leaves() -> None:
    for year in (2024, 2025, 2026):
        first, last = date(year, 1, 2), date(year, 12, 31)
        weekdays = sum((first + timedelta(n)).weekday() < 5 for n in range((last - first).days + 1))
        taken = {arxiv_evening_listing(date.fromisoformat(f"{year}-{day}")) for day in HOLIDAYS[year]}
        taken = {day for day in taken if first <= day <= last}
        assert len(arxiv_days(first, last)) == weekdays - len(taken)


def arxiv_evening_listing(holiday: date) -> date:
    """The weekday whose listing falls away: the next day's, and Monday's for a Friday."""
    day = holiday + timedelta(1)
    while day.weekday() >= 5:
        day += timedelta(1)
    return day


def test_a_year_without_data_keeps_the_usual_holidays_and_asks_for_every_weekday() -> None:
    assert arxiv_holiday(date(2028, 1, 18)) == "Martin Luther King Day"
    assert arxiv_holiday(date(2028, 9, 5)) == "Labor Day"
    assert arxiv_holiday(date(2028, 11, 24)) == "Thanksgiving"
    assert arxiv_holiday(date(2028, 6, 20)) == "Juneteenth"
    assert arxiv_holiday(date(2028, 12, 27)) == "winter break"
    assert arxiv_holiday(date(2028, 6, 21)) is None
    assert arxiv_days(date(2028, 11, 23), date(2028, 11, 27)) == [
        date(2028, 11, 23),
        date(2028, 11, 24),
        date(2028, 11, 27),
    ]


def test_the_rule_knows_what_the_table_says_outside_the_winter_break() -> None:
    """Staff meetings no rule foresees; all else of the years with data the rule would have known."""
    from digest.calendar import _usual_holiday

    for year, evenings in HOLIDAYS.items():
        for day, name in evenings.items():
            if "arXiv" not in name and day != "07-06":
                assert _usual_holiday(date.fromisoformat(f"{year}-{day}")), (year, day)


def test_a_holiday_on_a_saturday_is_kept_on_friday_and_on_a_sunday_on_monday() -> None:
    assert arxiv_holiday(date(2027, 6, 21)) == "Juneteenth"  # Saturday 19 June 2027
    assert arxiv_holiday(date(2027, 7, 6)) == "Independence Day"  # Sunday 4 July 2027


# --- arXiv: from when on


def test_a_listing_is_due_two_hours_after_eight_in_new_york() -> None:
    assert ArxivCalendar().due(eastern(2026, 11, 19, 21, 59)) == date(2026, 11, 19)
    assert ArxivCalendar().due(eastern(2026, 11, 19, 22, 0)) == date(2026, 11, 20)
    assert ArxivCalendar().due(eastern(2026, 11, 22, 21, 0)) == date(2026, 11, 20)
    assert ArxivCalendar().due(eastern(2026, 11, 22, 22, 0)) == date(2026, 11, 23)
    assert ArxivCalendar().due(eastern(2026, 11, 26, 23, 0)) == date(2026, 11, 26)


@pytest.mark.parametrize(
    ("before", "after"),
    [((2026, 3, 6), (2026, 3, 9)), ((2026, 10, 30), (2026, 11, 2))],
)
def test_the_hour_is_that_of_new_york_also_when_its_clocks_change(
    before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    for last, hour in ((before, 20), (after, 20)):
        evening = date(*last)
        if evening.weekday() == 4:
            evening -= timedelta(1)
        out = eastern(evening.year, evening.month, evening.day, hour, 0)
        calendar = ArxivCalendar()
        assert calendar.today(out - timedelta(minutes=1)) == evening
        assert calendar.today(out) == evening + timedelta(1)


def test_between_the_two_changes_of_clocks_berlin_is_an_hour_nearer() -> None:
    """From the second Sunday of March to the last one, 01:00 in Berlin is 20:00 in New York, else it is 19:00."""
    calendar = ArxivCalendar()
    assert calendar.today(datetime(2026, 3, 12, 1, 0, tzinfo=BERLIN)) == date(2026, 3, 12)
    assert calendar.today(datetime(2026, 4, 9, 1, 0, tzinfo=BERLIN)) == date(2026, 4, 8)


def test_a_feed_is_made_at_midnight_and_not_at_eight() -> None:
    feed = calendar_of("arxiv", "https://rss.arxiv.org/rss/cs.CL")
    assert feed is not None
    assert feed.today(eastern(2026, 11, 19, 23, 59)) == date(2026, 11, 19)
    assert feed.today(eastern(2026, 11, 20, 0, 0)) == date(2026, 11, 20)
    assert feed.due(eastern(2026, 11, 20, 1, 59)) == date(2026, 11, 19)
    assert feed.due(eastern(2026, 11, 20, 2, 0)) == date(2026, 11, 20)


def test_days_behind_are_counted_in_listings_not_in_days() -> None:
    now = eastern(2026, 11, 23, 9, 0)
    assert behind(ArxivCalendar(), date(2026, 11, 23), now) == 0
    assert behind(ArxivCalendar(), date(2026, 11, 20), now) == 1
    assert behind(ArxivCalendar(), date(2026, 11, 19), now) == 2
    assert behind(ArxivCalendar(), date(2024, 11, 19), now) == 9


MOMENTS = st.datetimes(datetime(2023, 2, 1), datetime(2032, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, st.sampled_from([ArxivCalendar(), ArxivCalendar(24), HuggingFaceCalendar()]))
def test_what_is_due_is_a_day_with_a_listing_and_never_one_to_come(now: datetime, calendar: Calendar) -> None:
    due = calendar.due(now)
    assert calendar.reason(due) is None
    assert due <= latest(calendar, calendar.today(now))
    assert calendar.due(now + timedelta(hours=1)) >= due
    assert behind(calendar, due, now) == 0


@given(MOMENTS)
def test_every_certain_day_is_among_those_that_are_asked_for(now: datetime) -> None:
    day = now.date()
    if arxiv_holiday(day) is None:
        assert arxiv_days(day, day) == [day]


# --- Hugging Face


def test_weekends_may_stay_empty_and_a_weekday_has_until_evening() -> None:
    calendar = HuggingFaceCalendar()
    assert calendar.reason(date(2026, 11, 21)) == "weekend"
    assert calendar.reason(date(2026, 11, 20)) is None
    assert calendar.reason(date(2026, 12, 25)) == "Christmas Day"
    assert calendar.due(datetime(2026, 11, 20, 17, 59, tzinfo=UTC)) == date(2026, 11, 19)
    assert calendar.due(datetime(2026, 11, 20, 18, 0, tzinfo=UTC)) == date(2026, 11, 20)
    assert calendar.due(datetime(2026, 11, 23, 6, 0, tzinfo=UTC)) == date(2026, 11, 20)
    assert calendar.today(datetime(2026, 11, 21, 0, 30, tzinfo=BERLIN)) == date(2026, 11, 20)


# --- whose


@pytest.mark.parametrize(
    ("kind", "url", "calendar"),
    [
        ("auto", "https://arxiv.org/list/cs.CL/new", ArxivCalendar()),
        ("arxiv", "https://export.arxiv.org/list/cs/pastweek?skip=0&show=50", ArxivCalendar()),
        ("arxiv", "http://127.0.0.1:8080/list/cs.CL/new", ArxivCalendar()),
        ("feed", "https://rss.arxiv.org/atom/cs.CL+cs.LG", ArxivCalendar(24)),
        ("auto", "https://export.arxiv.org/rss/math", ArxivCalendar(24)),
        ("auto", "https://export.arxiv.org/api/query?search_query=cat:cs.CL", None),
        ("auto", "https://oaipmh.arxiv.org/oai?verb=ListRecords", None),
        ("auto", "https://arxiv.org/list/math/2011-02", None),
        ("auto", "https://notarxiv.org/list/cs.CL/new", None),
        ("auto", "https://huggingface.co/papers", HuggingFaceCalendar()),
        ("huggingface", "http://127.0.0.1/api/daily_papers?date=2026-11-19", HuggingFaceCalendar()),
        ("auto", "https://huggingface.co/papers/month/2026-11", None),
        ("feed", "https://journal.example.org/rss", None),
        ("arxiv", "", None),
        ("arxiv", "examples/listings/new.html", None),
    ],
)
def test_the_calendar_follows_from_the_kind_and_the_address(
    kind: str, url: str, calendar: Calendar | None
) -> None:
    assert calendar_of(kind, url) == calendar
