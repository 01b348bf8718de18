"""Dates, counts and schedules in words, as pages, feeds and mail say them. English for now: a language is one such room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from digest.config import SiteConfig

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def date_words(day: date) -> str:
    """Thursday, 19 November 2026"""
    return f"{WEEKDAYS[day.weekday()]}, {day_words(day)}"


def edition_words(day: date, part: int) -> str:
    """Thursday, 19 November 2026, part 2"""
    return f"{date_words(day)}, part {part}" if part > 1 else date_words(day)


def day_words(day: date) -> str:
    """19 November 2026"""
    return f"{day.day} {month_words(day)}"


def day_month(day: date) -> str:
    """19 November"""
    return f"{day.day} {MONTHS[day.month - 1]}"


def month_words(day: date) -> str:
    """November 2026"""
    return f"{MONTHS[day.month - 1]} {day.year}"


def time_words(at: datetime, site: SiteConfig) -> str:
    """07:00 CET, in the time zone of the site."""
    local = at.astimezone(site.zone)
    name = local.tzname() or "UTC"
    return f"{local:%H:%M} {f'UTC{name}' if name[0] in '+-' else name}"


def counted(number: int, word: str) -> str:
    """1 paper, 30 papers, 6,214 papers"""
    return f"{number:,} {word if number == 1 else f'{word}s'}"


def schedule_words(schedule: str, timezone: str) -> str:
    """A cron line in words: "every weekday at 07:00 (Europe/Berlin)"; "" for one that needs more words than that."""
    fields = schedule.split()
    if len(fields) != 5 or not (fields[0].isdigit() and fields[1].isdigit()) or fields[2:4] != ["*", "*"]:
        return ""
    days = {
        "*": "every day",
        "mon-fri": "every weekday",
        "mon-sun": "every day",
        "sat,sun": "every Saturday and Sunday",
    }
    names = {name[:3].lower(): name for name in WEEKDAYS}
    listed = [names.get(day, "") for day in fields[4].lower().split(",")]
    when = days.get(fields[4].lower()) or (f"every {in_words(listed)}" if all(listed) else "")
    zone = "UTC" if timezone in ("UTC", "Etc/UTC") else f"({timezone})"
    return f"{when} at {int(fields[1]):02}:{int(fields[0]):02} {zone}" if when else ""


def in_words(names: Sequence[str]) -> str:
    """a, b and c"""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
