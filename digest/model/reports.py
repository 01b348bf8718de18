"""What a run says of itself: its sources, editions, files and mails, as `digest run --json` and the run ledger have it."""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import Struct

Outcome = Literal[
    "new", "quiet", "not-modified", "holiday", "not-yet", "stale",
    "suspect", "parse-failed", "unreachable", "refused",
]  # fmt: skip
FAILED_OUTCOMES: frozenset[str] = frozenset({"suspect", "parse-failed", "unreachable", "refused"})


class SourceReport(Struct, frozen=True, kw_only=True):
    """One source of one run, as `digest run --json` shows it (docs/interface.md, 3). `why` gives the reason of the outcome, in
    words for the operator: why zero, why suspect, until when it waits."""

    name: str
    kind: str
    outcome: Outcome
    stated: int | None = None
    read: int = 0
    new: int = 0
    updated: int = 0
    seen: int = 0
    dropped: int = 0
    failed: int = 0
    seconds: float = 0.0
    error: str | None = None
    notes: tuple[str, ...] = ()
    why: str = ""


class EditionReport(Struct, frozen=True, kw_only=True):
    id: str
    number: int
    part: int
    papers: int
    url: str


class DigestReport(Struct, frozen=True, kw_only=True):
    """What came of one digest. `notices` counts the readers who asked to hear of it when there is no edition, and are told."""

    name: str
    edition: EditionReport | None = None
    waiting: int = 0
    dropped: int = 0
    notices: int = 0


class TargetReport(Struct, frozen=True, kw_only=True):
    """What one [[publish]] target took; `error` says why it did not take all."""

    name: str
    kind: str
    written: int = 0
    unchanged: int = 0
    error: str | None = None


class PublishReport(Struct, frozen=True, kw_only=True):
    """Files below `site.output`, then elsewhere. `pinged` feeds were told to the WebSub hub, `unpinged` it did not
    want to hear of. `outdated`: by digest, the settings that its earlier pages still show as they were."""

    written: int = 0
    unchanged: int = 0
    targets: tuple[TargetReport, ...] = ()
    pinged: int = 0
    unpinged: int = 0
    outdated: dict[str, tuple[str, ...]] = {}


class DeliveryReport(Struct, frozen=True, kw_only=True):
    """What became of the mail of one run. `held` counts what waits in doubt for the operator (mail.in_doubt = "hold")."""

    queued: int = 0
    accepted: int = 0
    deferred: int = 0
    rejected: int = 0
    suppressed: int = 0
    expired: int = 0
    held: int = 0
    skipped: int = 0
    error: str | None = None


class LookupReport(Struct, frozen=True, kw_only=True):
    """What became of the papers known by their title alone that one run looked up elsewhere."""

    looked_up: int = 0
    hits: int = 0
    misses: int = 0
    failed: int = 0
    seconds: float = 0.0


class RunReport(Struct, frozen=True, kw_only=True):
    """What one run did: the object of `digest run --json` and of the run ledger."""

    date: date
    seconds: float
    sources: tuple[SourceReport, ...] = ()
    digests: tuple[DigestReport, ...] = ()
    published: PublishReport = PublishReport()
    deliveries: DeliveryReport = DeliveryReport()
    lookups: LookupReport = LookupReport()
    dry_run: bool = False

    @property
    def degraded(self) -> bool:
        """Some source, [[publish]] target or recipient failed: exit code 3."""
        return (
            any(source.outcome in FAILED_OUTCOMES or source.failed for source in self.sources)
            or any(target.error for target in self.published.targets)
            or self.deliveries.error is not None
            or self.deliveries.rejected > 0
            or self.deliveries.deferred > 0
            or self.deliveries.held > 0
            or self.deliveries.expired > 0
        )
