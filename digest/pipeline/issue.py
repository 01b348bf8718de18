"""Issue: what waits for a digest becomes its edition of the day, frozen together with one delivery per subscriber."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from digest.choices import next_due
from digest.config import Config, DigestConfig
from digest.editions import make_edition
from digest.mail.ids import message_id
from digest.model import DigestReport, Edition, EditionReport, Preferences, Subscriber
from digest.selection import select

if TYPE_CHECKING:
    from digest.store import Planned, Store


class Issued(Struct, frozen=True, kw_only=True):
    """What came of one digest: its report, the edition if there is a new one, and what was left out, by source."""

    report: DigestReport
    edition: Edition | None = None
    queued: int = 0
    dropped: Counter[str] = Counter()


def issue(
    digest: DigestConfig,
    config: Config,
    store: Store,
    *,
    day: date,
    now: datetime,
    again: bool = False,
    batch: int = 0,
) -> Issued:
    """The digest's edition of `day`, if papers wait and none was issued for that day yet (or `again`).

    One transaction holds the edition, its entries and the queued deliveries, so a run that dies here has either issued
    or not. Papers that come after the day's edition wait for the next one. With `batch` the deliveries are the work of others:
    jobs of up to so many, in the same transaction.
    """
    # Noted by the first run, so that feeds have their ids for good before there is anything in them.
    authority = store.feed_authority(_authority(config.site.url, day))
    waiting = store.waiting(digest.name)
    part = store.next_part(digest.name, day)
    if not waiting or (part > 1 and not again):
        return Issued(report=DigestReport(name=digest.name, waiting=len(waiting)))
    selection = select(waiting, digest)
    sources = {candidate.paper_id: candidate.source for candidate in waiting}
    dropped = Counter(sources[d.paper_id] for d in selection.decisions if not d.kept)
    if not selection.kept:
        store.drop(digest.name, selection.decisions)
        return Issued(report=DigestReport(name=digest.name, dropped=dropped.total()), dropped=dropped)
    edition = make_edition(
        digest,
        day,
        part=part,
        number=store.next_number(digest.name),
        issued_at=now,
        chosen=selection.kept,
        authority=authority,
        previous=store.previous_day(digest.name, day),
    )
    queued = store.issue(edition, selection.decisions, _envelope(edition, config), batch=batch)
    # The digest may be one that a configuration of today does not have any more.
    report = _report(edition, config.url_of(digest))
    return Issued(
        report=DigestReport(name=digest.name, edition=report, dropped=dropped.total()),
        edition=edition,
        queued=queued,
        dropped=dropped,
    )


def _report(edition: Edition, root: str) -> EditionReport:
    return EditionReport(
        id=edition.id,
        number=edition.number,
        part=edition.part,
        papers=edition.count,
        url=root + edition.path,
    )


def _envelope(edition: Edition, config: Config) -> Callable[[Subscriber], Planned | None]:
    from digest.store import Planned

    domain = config.mail.domain

    @cache
    def due(preferences: Preferences) -> datetime:
        return next_due(preferences, edition.issued_at, site_timezone=config.site.timezone)

    def planned(subscriber: Subscriber) -> Planned:
        due_at = due(subscriber.preferences)
        own_id = message_id(edition.date, edition.part, domain, edition.guid, subscriber.id)
        return Planned(message_id=own_id, date=due_at, due_at=due_at)

    return planned


def _authority(url: str, day: date) -> str:
    """Who names things in tag URIs (RFC 4151): a host, at a time when it was ours. An address of IPv6 is written as a name."""
    return f"{(urlsplit(url).hostname or '').replace(':', '-')},{day.year}"
