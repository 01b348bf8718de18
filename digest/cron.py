"""Cron lines: when a digest is due, by the clock of its site. Pure: time comes in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from digest.config import Config, DigestConfig
from digest.errors import ConfigError
from digest.patterns import late


def due_times(trigger: Any, start: datetime, end: datetime) -> Iterator[datetime]:
    """The moments from `start` up to and including `end` at which a trigger is due, in UTC, ascending.

    Counted in UTC: arithmetic on local times loses the fold, and the hour that comes twice would never end.
    """
    moment = start.astimezone(UTC)
    while True:
        fire = trigger.get_next_fire_time(None, moment)
        if fire is None or fire.astimezone(UTC) > end:
            return
        due = fire.astimezone(UTC)
        if due >= moment:
            yield due
        moment = max(due, moment) + timedelta(seconds=1)


def newest_due(digest: DigestConfig, trigger: Any, now: datetime) -> datetime | None:
    """The last time up to now, and within the digest's grace_h, at which its trigger was due; None where there is none."""
    return max(due_times(trigger, now - timedelta(hours=digest.grace_h), now), default=None)


def cron(digest: DigestConfig, config: Config) -> Any:
    """The digest's cron line as a trigger in site.timezone. Raises ConfigError for a line that is none."""
    from apscheduler.triggers.cron import CronTrigger

    try:
        return CronTrigger(**_fields(digest.schedule), timezone=config.site.zone)
    except ValueError as error:
        raise ConfigError(
            f'{config.file}, [[digest]] "{digest.name}": {_told(digest.schedule, error)}',
            path=config.file,
            key="schedule",
        ) from None


def cron_problem(schedule: str) -> str:
    """What is wrong with a cron line, and the mend; "" for one that is right."""
    try:
        _fields(schedule)
    except ValueError as error:
        return _told(schedule, error)
    return ""


def _told(schedule: str, error: ValueError) -> str:
    return f'"schedule" {schedule!r} is no cron line ({error}). Write minute, hour, day, month, weekday: "0 7 * * mon-fri".'


def _fields(schedule: str) -> dict[str, str]:
    """The fields of a cron line as APScheduler wants them. Raises ValueError for a line that is none."""
    fields = schedule.split()
    if len(fields) != 5:
        raise ValueError("it has not five fields")
    minute, hour, day, month, weekday = fields
    if day != "*" and weekday != "*":
        raise ValueError("day of month and weekday are both given; give one of them")
    return {
        "minute": _listed(minute, _MINUTES, 0, 59, "no minute {}; write 0 to 59"),
        "hour": _listed(hour, _HOURS, 0, 23, "no hour {}; write 0 to 23"),
        "day": _days(day),
        "month": _listed(month, _MONTHS, 1, 12, "no month {}; write 1 to 12 or jan to dec"),
        "day_of_week": _weekdays(weekday),
    }


# By number: what each is called, where it has a name.
_MINUTES, _HOURS, _DAYS = ("",) * 60, ("",) * 24, ("",) * 32
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PART = late(r"(\*|[a-z]{3}|\d{1,2})(?:-([a-z]{3}|\d{1,2}))?(?:/(\d{1,2}))?")


def _days(field: str) -> str:
    """The days of a month, "last" among them: the last one, which APScheduler knows."""
    parts = field.casefold().split(",")
    numbers = [part for part in parts if part != "last"]
    days = _listed(",".join(numbers), _DAYS, 1, 31, "no day {}; write 1 to 31, or last") if numbers else ""
    return ",".join(filter(None, (days, "last" if "last" in parts else "")))


def _weekdays(field: str) -> str:
    """The weekday field of a cron line as APScheduler wants it: there 0 is Monday, in crontab(5) 0 and 7 are Sunday."""
    numbers = _numbers(field, _WEEKDAYS, 0, 6, "no weekday {}; write 0 to 7 or mon to sun")
    return "*" if numbers is None else ",".join(_WEEKDAYS[number] for number in numbers)


def _listed(field: str, names: Sequence[str], least: int, most: int, wrong: str) -> str:
    numbers = _numbers(field, names, least, most, wrong)
    return "*" if numbers is None else ",".join(map(str, numbers))


def _numbers(field: str, names: Sequence[str], least: int, most: int, wrong: str) -> list[int] | None:
    """What a field means; None for all. APScheduler takes names for spans without steps, and what stands behind
    them for nothing."""
    if field == "*":
        return None
    found: list[int] = []
    for part in field.casefold().split(","):
        try:
            found += _span(part, names, least, most)
        except ValueError:
            raise ValueError(wrong.format(repr(part))) from None
    return found


def _span(part: str, names: Sequence[str], least: int, most: int) -> range:
    """The numbers that a part of a field means: one, those from one to another, or all; of these each, or every so many. Raises
    ValueError for what means none."""
    written = _PART.fullmatch(part)
    if written is None or (written[1] == "*" and written[2]):
        raise ValueError(part)
    begin, end, step = written.groups()
    first = least if begin == "*" else _number(begin, names)
    unsaid = most if begin == "*" or step else first
    last = _number(end, names) if end else unsaid
    if last == 0 and first and names is _WEEKDAYS:  # sat-sun
        last = len(names) - 1
    numbers = range(first, last + 1, int(step or 1))
    if not numbers or numbers.step > most - least + 1 or first < least or numbers[-1] >= len(names):
        raise ValueError(part)
    return numbers


def _number(written: str, names: Sequence[str]) -> int:
    return int(written) if written.isdigit() else names.index(written)
