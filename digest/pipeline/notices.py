"""Notices: whoever asked for it is told that there was no edition, and what the sources said.

Silence may be a quiet day or a fault; a reader cannot know which.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from digest.choices import next_due
from digest.config import Config, DigestConfig
from digest.cron import cron, due_times
from digest.mail.ids import message_id
from digest.model import FAILED_OUTCOMES, Preferences, RunReport, Said, SourceReport
from digest.outcomes import said_to_readers

if TYPE_CHECKING:
    from digest.store import Store

MOST = 50  # lines about sources; those that say the same share one
_report = msgspec.json.Decoder(RunReport).decode


def queue_notices(digest: DigestConfig, config: Config, store: Store, *, day: date, now: datetime) -> int:
    """Queues the notices of a digest that has no edition of `day` after a run for it; how many are new.

    None while another run of the same day is to come by its cron line.
    """
    if store.next_part(digest.name, day) > 1 or not store.has_wishers():
        return 0
    if _comes_again(digest, config, day, now):
        return 0

    @cache
    def due(preferences: Preferences) -> datetime | None:
        at = next_due(preferences, now, site_timezone=config.site.timezone)
        is_theirs = preferences.frequency == "weekly" or preferences.hour is not None or at == now
        return at if is_theirs else None  # on a day that is none of theirs nobody misses a mail

    def id_for(reader: int) -> str:
        return message_id(day, "notice", config.mail.domain, config.site.url, digest.name, day, reader)

    return store.queue_notices(digest.name, day, due=due, message_id=id_for, now=now)


def _comes_again(digest: DigestConfig, config: Config, day: date, now: datetime) -> bool:
    if not digest.schedule:
        return False
    midnight = datetime.combine(day + timedelta(days=1), time(), config.site.zone)
    second = timedelta(seconds=1)
    return next(due_times(cron(digest, config), now + second, midnight - second), None) is not None


def said_by_sources(
    store: Store, config: Config, digest: str, day: date, *, days: int = 1
) -> tuple[Said, ...]:
    """What the sources of a digest said in its last run of a day, or of so many days up to that one, where a failure counts more
    than what came later; those that failed first. () where no run has ended well."""
    last: dict[str, SourceReport] = {}
    for each in (day - timedelta(days=n) for n in reversed(range(days))):
        ended = [run for run in store.runs_of(digest, each) if run.status in ("done", "degraded")]
        for report in _report(ended[-1].report).sources if ended else ():
            follows = any(follower.name == digest for follower in config.followers(report.name))
            if follows and (report.outcome in FAILED_OUTCOMES or not _has_failed(last.get(report.name))):
                last[report.name] = report
    names: defaultdict[tuple[bool, str], list[str]] = defaultdict(list)
    for name, report in last.items():
        names[not _has_failed(report), said_to_readers(report)].append(name)
    found = [Said(names=tuple(names[key]), words=key[1]) for key in sorted(names, key=lambda key: key[0])]
    more = tuple(name for said in found[MOST:] for name in said.names)
    return (*found[:MOST], Said(names=more, words="other reasons")) if more else tuple(found)


def _has_failed(report: SourceReport | None) -> bool:
    return report is not None and report.outcome in FAILED_OUTCOMES
