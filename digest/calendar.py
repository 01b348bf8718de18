"""When a source has news: the days on which arXiv lists papers and Hugging Face collects them. Pure: time comes in.

arXiv announces at 20:00 in New York, Sunday to Thursday, and dates the listing with the next day: Thursday evening's is Friday's.
Nothing is announced on Friday and Saturday evening, on the evening of a holiday, and on the Sunday after a Friday that is one.
Its feeds are made at midnight, of that day's listing, and are empty on a day without. Hugging Face's days are UTC dates.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from msgspec import Struct

EASTERN = ZoneInfo("America/New_York")
ANNOUNCED_AT = 20
FEED_MADE_AT = 24
# Announcements run late at times; a listing is not missing before so long after its hour.
GRACE = timedelta(hours=2)
# A weekday's list on Hugging Face that is empty at this hour (UTC) stays so; earlier, papers are still being put in.
DAILY_PAPERS_DUE = time(18)
MAX_BEHIND = 9

_DAY = timedelta(days=1)

# Evenings (New York) without an announcement besides Friday's and Saturday's. Years that are whole: what is not here was, or is
# to be, announced. Source: arXiv's own table, arXiv/arxiv-base arxiv/db/arxiv_holidays_seed.sql at 104eb02 (2026-05), which holds
# all that info.arxiv.org/help/availability.html named for 2023, 2025 and 2026. A year's list is published around its beginning.
HOLIDAYS: dict[int, dict[str, str]] = {
    2023: {
        "01-16": "Martin Luther King Day",
        "06-14": "arXiv staff retreat",
        "06-19": "Juneteenth",
        "07-04": "Independence Day",
        "08-17": "arXiv strategy meeting",
        "09-04": "Labor Day",
        "11-23": "Thanksgiving",
        "12-25": "winter break",
        "12-27": "winter break",
    },
    2024: {
        "01-15": "Martin Luther King Day",
        "05-22": "arXiv staff retreat",
        "06-19": "Juneteenth",
        "07-04": "Independence Day",
        "09-02": "Labor Day",
        "10-08": "arXiv staff retreat",
        "11-28": "Thanksgiving",
        "12-25": "winter break",
        "12-26": "winter break",
        "12-31": "winter break",
    },
    2025: {
        "01-01": "New Year's Day",
        "01-20": "Martin Luther King Day",
        "06-19": "Juneteenth",
        "07-04": "Independence Day",
        "07-06": "Independence Day",  # a Sunday
        "09-01": "Labor Day",
        "11-27": "Thanksgiving",
        "12-25": "Christmas Day",
        "12-30": "winter break",
    },
    2026: {
        "01-01": "New Year's Day",
        "01-19": "Martin Luther King Day",
        "06-19": "Juneteenth",
        "07-03": "Independence Day",
        "09-07": "Labor Day",
        "11-26": "Thanksgiving",
        "12-25": "winter break",
        "12-29": "winter break",
        "12-31": "winter break",
    },
}


class Calendar(Protocol):
    """When a source's listings come out. `grows`: a day's list is added to all day long; its size says nothing before its end."""

    @property
    def grows(self) -> bool: ...

    def today(self, now: datetime) -> date:
        """The day whose listing is the newest there can be now, were there one for every day."""

    def due(self, now: datetime) -> date:
        """The newest day whose listing must be out by now."""

    def reason(self, day: date) -> str | None:
        """Why a day may be without a listing ("Saturday", "Thanksgiving"); None for a day that has one."""


# --- arXiv


def arxiv_days(first: date, last: date) -> list[date]:
    """The dates that arXiv's listings carry, from `first` to `last`, both included, in order.

    In a year whose holidays are not known yet they are all weekdays: to ask for a listing that does not exist costs a request, not
    to ask for one that does costs a day.
    """
    days = [first + n * _DAY for n in range((last - first).days + 1)]
    return [
        day
        for day in days
        if day.weekday() < 5 and not (_evening(day).year in HOLIDAYS and arxiv_holiday(day))
    ]


def arxiv_holiday(day: date) -> str | None:
    """Why no listing carries this date ("Saturday", "Thanksgiving": the evening before it had no announcement), or None."""
    if day.weekday() >= 5:
        return f"{day:%A}"
    evening = _evening(day)
    return _holiday(evening) or (_holiday(evening - 2 * _DAY) if day.weekday() == 0 else None)


def _evening(day: date) -> date:
    """The evening of the announcement that makes the listing of `day`."""
    return day - _DAY


def _holiday(day: date) -> str | None:
    if day.year in HOLIDAYS:
        return HOLIDAYS[day.year].get(f"{day:%m-%d}")
    return _usual_holiday(day)


def _usual_holiday(day: date) -> str | None:
    """The rule for a year without data: the holidays that every year since 2023 has had, and the winter break as a whole,
    since which of its evenings are left out changes from year to year."""
    if (day.month, day.day) >= (12, 24) or (day.month, day.day) == (1, 1):
        return "winter break"
    nth = (day.day - 1) // 7 + 1
    by_weekday = {
        (1, 0, 3): "Martin Luther King Day",
        (9, 0, 1): "Labor Day",
        (11, 3, 4): "Thanksgiving",
    }
    fixed = {(6, 19): "Juneteenth", (7, 4): "Independence Day"}
    # On a Saturday it is kept on the Friday before, on a Sunday on the Monday after.
    kept = {0: [day, day - _DAY], 4: [day, day + _DAY]}.get(day.weekday(), [day])
    return by_weekday.get((day.month, day.weekday(), nth)) or next(
        (name for other in kept if (name := fixed.get((other.month, other.day)))), None
    )


class ArxivCalendar(Struct, frozen=True):
    """Listing pages at 20:00 in New York on the evening before their date, feeds (`hour` 24) at the midnight that follows."""

    hour: int = ANNOUNCED_AT

    @property
    def grows(self) -> bool:
        return False

    def today(self, now: datetime) -> date:
        # Hours of the wall clock, also on the days it is changed.
        wall = now.astimezone(EASTERN).replace(tzinfo=None)
        return (wall + timedelta(hours=24 - self.hour)).date()

    def due(self, now: datetime) -> date:
        return latest(self, self.today(now - GRACE))

    def reason(self, day: date) -> str | None:
        return arxiv_holiday(day)


# --- Hugging Face


class HuggingFaceCalendar(Struct, frozen=True):
    """Daily papers: a list for each UTC date, filled in the course of the day; weekends and two holidays may stay empty."""

    @property
    def grows(self) -> bool:
        return True

    def today(self, now: datetime) -> date:
        return now.astimezone(UTC).date()

    def due(self, now: datetime) -> date:
        today = self.today(now)
        return latest(self, today if now.astimezone(UTC).time() >= DAILY_PAPERS_DUE else today - _DAY)

    def reason(self, day: date) -> str | None:
        if day.weekday() >= 5:
            return "weekend"
        return {(12, 25): "Christmas Day", (1, 1): "New Year's Day"}.get((day.month, day.day))


# --- any


def is_year_end(day: date) -> bool:
    """The two weeks around the turn of the year, when listings are about half as long as others: the whole world is on holiday."""
    return (day.month, day.day) >= (12, 22) or (day.month, day.day) <= (1, 5)


def latest(calendar: Calendar, day: date) -> date:
    """The newest day up to `day` that has a listing."""
    while calendar.reason(day):
        day -= _DAY
    return day


def behind(calendar: Calendar, day: date, now: datetime) -> int:
    """How many listings after that of `day` must be out by now, at most MAX_BEHIND."""
    due, count = calendar.due(now), 0
    while due > day and count < MAX_BEHIND:
        due, count = latest(calendar, due - _DAY), count + 1
    return count


def calendar_of(kind: str, url: str) -> Calendar | None:
    """The calendar of what is fetched from `url` as `kind`; None where none is known, and for files: they may be of any day."""
    parts = urlsplit(url)
    host, path = parts.hostname or "", f"{parts.path.rstrip('/')}/"
    if parts.scheme not in ("http", "https"):
        return None
    if kind == "arxiv" or host == "arxiv.org" or host.endswith(".arxiv.org"):
        if host == "rss.arxiv.org" or "/rss/" in path or "/atom/" in path:
            return ArxivCalendar(FEED_MADE_AT)
        # Search, API and OAI-PMH answer what is asked, in no rhythm; a month's page is of no day, one of catchup of a past one.
        return ArxivCalendar() if path.endswith(_DAILY_LISTINGS) else None
    if kind == "huggingface" or host in ("huggingface.co", "www.huggingface.co"):
        return HuggingFaceCalendar() if not any(word in path for word in _OTHER_PAPERS) else None
    return None


_DAILY_LISTINGS = ("/new/", "/recent/", "/pastweek/")
_OTHER_PAPERS = ("/trending/", "/week/", "/month/")
