"""Notices: whoever asked for it is told that there was no edition, and what the sources said.

Silence may be a quiet day or a fault; a reader cannot know which.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import date, datetime, time, timedelta
from email.utils import parseaddr
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from digest.addresses import ascii_address
from digest.choices import next_due
from digest.config import Config, DigestConfig
from digest.cron import cron, due_times
from digest.model import FAILED_OUTCOMES, Preferences, RunReport, Said
from digest.outcomes import said_to_readers

if TYPE_CHECKING:
    from digest.store import Store

_report = msgspec.json.Decoder(RunReport).decode


def queue_notices(digest: DigestConfig, config: Config, store: Store, *, day: date, now: datetime) -> int:
    """Queues the notices of a digest that has no edition of `day` after today's run for it; how many are new.

    None for a day that is over, and none while another run of the same day is to come by its cron line.
    """
    if day != now.astimezone(config.site.zone).date() or store.next_part(digest.name, day) > 1:
        return 0
    if not store.has_wishers() or _comes_again(digest, config, now):
        return 0
    domain = parseaddr(config.mail.from_)[1].rpartition("@")[2]

    @cache
    def due(preferences: Preferences) -> datetime:
        return next_due(preferences, now, site_timezone=config.site.timezone)

    def message_id(reader: int) -> str:
        token = hashlib.sha256(f"{config.site.url}\0{digest.name}\0{day}\0{reader}".encode()).hexdigest()[:24]
        return f"<{day:%Y%m%d}.notice.{token}@{ascii_address(domain)}>"

    return store.queue_notices(digest.name, day, due=due, message_id=message_id, now=now)


def _comes_again(digest: DigestConfig, config: Config, now: datetime) -> bool:
    if not digest.schedule:
        return False
    local = now.astimezone(config.site.zone)
    midnight = datetime.combine(local.date() + timedelta(days=1), time(), config.site.zone)
    later = due_times(cron(digest, config), now + timedelta(minutes=1), midnight - timedelta(seconds=1))
    return next(later, None) is not None


def said_by_sources(store: Store, config: Config, digest: str, day: date) -> tuple[Said, ...]:
    """What the sources of a digest said in its last run of a day, those that failed first; () where no run has ended well."""
    ended = [run for run in store.runs_of(digest, day) if run.status in ("done", "degraded")]
    if not ended:
        return ()
    names: defaultdict[tuple[bool, str], list[str]] = defaultdict(list)
    for source in _report(ended[-1].report).sources:
        if any(follower.name == digest for follower in config.followers(source.name)):
            names[source.outcome not in FAILED_OUTCOMES, said_to_readers(source)].append(source.name)
    return tuple(Said(names=tuple(names[key]), words=key[1]) for key in sorted(names, key=lambda key: key[0]))
