"""Cron lines: when a digest is due, by the clock of its site. Pure: time comes in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from digest.config import Config, DigestConfig
from digest.errors import ConfigError


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


def cron(digest: DigestConfig, config: Config) -> Any:
    """The digest's cron line as a trigger in site.timezone. Raises ConfigError for a line that is none."""
    from apscheduler.triggers.cron import CronTrigger

    try:
        minute, hour, day, month, weekday = digest.schedule.split()
        if day != "*" and weekday != "*":
            raise ValueError("day of month and weekday are both given; give one of them")
        return CronTrigger(
            minute=minute,
            hour=hour,
            day=day,
            month=month,
            day_of_week=_weekdays(weekday),
            timezone=config.site.zone,
        )
    except ValueError as error:
        raise ConfigError(
            f'{config.file}, [[digest]] "{digest.name}": "schedule" {digest.schedule!r} is no cron line ({error}). '
            'Write minute, hour, day, month, weekday: "0 7 * * mon-fri".',
            path=config.file,
            key="schedule",
        ) from None


def _weekdays(field: str) -> str:
    """The weekday field of a cron line as APScheduler wants it: there 0 is Monday, in crontab(5) 0 and 7 are Sunday."""
    names = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")

    def days(part: str) -> str:
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        if not first.isdigit():
            return part
        numbers = range(int(first), int(last if dash else 6 if slash else first) + 1, int(step or 1))
        if not numbers or numbers[-1] > 7:
            raise ValueError(f"no weekday {part!r}; write 0 to 7 or mon to sun")
        return ",".join(names[number] for number in numbers)

    return ",".join(days(part) for part in field.split(","))
