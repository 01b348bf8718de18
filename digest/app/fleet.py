"""The part of App for work that many processes share: who is at work, and what is left to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from digest.app.post import SILENT, Post
from digest.config import DigestConfig
from digest.model import DeliveryReport, DigestReport
from digest.process import is_dead

if TYPE_CHECKING:
    from digest.pipeline.issue import Issued
    from digest.store import FailedJob, WorkerRow

# The lease of the worker that begins runs.
LEADER = "leader"
# Mails wait so long for the pages that they link to, and as long again each time that these are tried.
HOLD = timedelta(minutes=30)


class FleetState(Struct, frozen=True, kw_only=True):
    """Who is at work, and what waits: `leader` and `silent` are ids of workers, `jobs` counts by task and status, `failed` are the
    newest jobs that were given up."""

    leader: str = ""
    workers: Sequence[WorkerRow] = ()
    silent: frozenset[str] = frozenset()
    jobs: dict[str, dict[str, int]] = {}
    failed: Sequence[FailedJob] = ()


class Fleet(Post):
    """What App does beside other processes."""

    @property
    def batch(self) -> int:
        """How many deliveries a job carries; 0 where nobody takes jobs, or no worker was ever here to make their tables."""
        return self.config.engine.batch if self.is_shared and self.store.engine_there() else 0

    def fleet_state(self, now: datetime) -> FleetState:
        """The workers of this store, and their jobs. Changes nothing."""
        workers, heard = self.store.workers(), {row.id for row in self.store.workers_heard(SILENT)}
        return FleetState(
            leader=self.store.lease_holder(LEADER, now=now),
            workers=workers,
            silent=frozenset(row.id for row in workers if row.id not in heard or is_dead(row.id)),
            jobs=self.store.job_counts(),
            failed=self.store.failed_jobs(),
        )

    # ------------------------------------------------------------ mails that others send

    def issue_edition(self, digest: DigestConfig, *, day: date, now: datetime, again: bool) -> Issued:
        """The digest's edition of `day`, in one transaction. Its mails wait for its pages, where they are the work of others."""
        from digest.pipeline.issue import issue

        with self.store.together():
            issued = issue(digest, self.config, self.store, day=day, now=now, again=again, batch=self.batch)
            self.hold([issued.report])
        return issued

    def hold(self, digests: Iterable[DigestReport]) -> None:
        """Mails that others send wait for the pages that they link to. From now on: the run may have begun long ago."""
        for edition in self._carried(digests):
            self.store.hold_deliveries(edition, until=self.clock() + HOLD)

    def let_go(self, digests: Iterable[DigestReport]) -> None:
        """The pages are published: the mails that link to them may go."""
        for edition in self._carried(digests):
            self.store.release_deliveries(edition, now=self.clock() + HOLD)

    def _let_published_go(self) -> None:
        """The mails of every edition whose pages are there may go: who issued it may have died before it could say so."""
        for edition in self.store.held_editions():
            if not self.store.unpublished(edition):
                self.store.release_deliveries(edition, now=self.clock() + HOLD)

    def _carried(self, digests: Iterable[DigestReport]) -> list[tuple[str, str]]:
        return (
            [(digest.name, digest.edition.id) for digest in digests if digest.edition] if self.batch else []
        )

    def hand_over(self) -> DeliveryReport:
        """Leaves what is due to workers, after publishing the pages that it links to; what is queued then.

        Raises LeaseHeld while another run issues or publishes, StoreError and PublishError.
        """
        with self.alone("issue"):
            self.wake()
            self.publish()
            self._let_published_go()
        if self.batch:
            self.carry_left_out()
        return DeliveryReport(queued=self.store.open_delivery_counts()["queued"])

    def carry_left_out(self) -> int:
        """Makes a job for each span of mails that are due and that no job carries; how many those were."""
        from digest.store.jobs import span_job

        now = self.clock()
        too_old = now - timedelta(hours=self.config.mail.expire_after_h)
        spans = self.store.spans_left_out(now=now, batch=self.config.engine.batch, older_than=too_old)
        if spans:
            with self.store.together(alone=False):
                self.store.enqueue([span_job(span) for span in spans])
        return len(spans)
