"""The composition root: `open_app(config)` builds the edges and hands them down. The only place where floors meet.

An App is made of parts, each on those before it: edges.py, pages.py, post.py, and fleet.py beside health.py. daily.py and
sharing.py are the day, in one process or in many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from digest.app.edges import utc_now
from digest.app.fleet import Fleet
from digest.app.health import Watch
from digest.app.opening import problems_in_use, store_file
from digest.app.post import Progress
from digest.asks import on_day
from digest.config import Config, DigestConfig, SourceConfig
from digest.cron import newest_due
from digest.errors import ConfigError, DigestError
from digest.model import (
    Candidate,
    DeliveryReport,
    Edition,
    Letter,
    LetterKind,
    Listing,
    Paper,
    Preferences,
    Reading,
    RunReport,
    Said,
    SourceReport,
    Subscriber,
)
from digest.paths import exists
from digest.selection import Chosen

__all__ = ["App", "open_app", "utc_now"]


class App(Fleet, Watch):
    """What the three doors share: plain methods with plain arguments. Use as a context manager."""

    # ------------------------------------------------------------ the day

    def daily(
        self,
        now: datetime,
        *,
        day: date | None = None,
        due_day: date | None = None,
        digests: Sequence[DigestConfig] | None = None,
        adhoc: Sequence[SourceConfig] = (),
        again: bool = False,
        dry_run: bool = False,
        since: date | None = None,
        wait: bool = True,
        source_done: Callable[[SourceReport], None] = lambda report: None,
        progress: Progress = lambda what, done, total: None,
    ) -> RunReport:
        """The main job once: collect, issue, publish, deliver. `adhoc` sources replace the configured ones.

        `day` is a date given by hand: the edition's, and the newest listing day that is asked for. `due_day` is the edition's
        date of a run that is made for its schedule; without either it is today's. With `since` dated sources are also asked
        for the days from there on that were never read. With `wait` a run waits for a batch that is not out, until the
        `wait_until` of its source.

        Raises LeaseHeld when another run is at work; StoreError, PublishError and RenderError when the day cannot be
        finished. What was done until then stands, and the next run goes on from there.
        """
        from digest.app.daily import DayRun, Order

        digests = self.config.digest if digests is None else digests
        order = Order(
            now=now,
            day=day or due_day or self.today(now),
            given_day=day,
            since=since,
            digests=digests,
            sources=self._sources(digests, adhoc),
            adhoc=bool(adhoc),
            again=again,
            dry_run=dry_run,
            wait=wait and day is None and due_day in (None, self.today(now)),
            source_done=source_done,
            progress=progress,
        )
        if dry_run:
            self._rehearse_without_a_store()
        if self._scratch is None:
            self.share_turns()
        run = DayRun(self, order)
        run.prepare()
        with self.alone(), self.store.rehearsal() if dry_run else nullcontext():
            report = run.on_record()
        if not adhoc:  # what was read by hand says nothing of the digests' own runs
            self.report_run(report)
        if not dry_run and not self.is_shared:
            self.send_notices_alone()
        return report

    def _rehearse_without_a_store(self) -> None:
        """A dry run of a program that never ran leaves no store behind either."""
        from digest.store import open_store

        file = store_file(self.config)
        if file is not None and not exists(file):
            import tempfile

            self._scratch = tempfile.TemporaryDirectory(prefix="digest-dry-run-")
            self.__dict__["store"] = open_store("sqlite:///store.db", base=Path(self._scratch.name))

    def send(
        self,
        *,
        notices_s: float | None = None,
        progress: Progress = lambda what, done, total: None,
    ) -> DeliveryReport:
        """Delivers what is queued or due again, after publishing the pages that it links to: a run may have died between the two;
        then notices, for `notices_s` seconds at most. The report's `error` is what stopped either. Where workers deliver, it is
        left to them. Raises LeaseHeld when another run is at work, and PublishError, after which nothing is sent."""
        if self.is_shared:
            return self.hand_over()
        with self.alone():
            self.wake()
            if self.mail_is_due():
                self.publish()
            report = self.deliver(lambda done, total: progress("deliver", done, total))
            fault = self.send_notices(for_s=notices_s, done=self.renew_in_time)
        return report if report.error or not fault else replace(report, error=fault)

    # ------------------------------------------------------------ a run that processes share

    def begin_due_run(self, digest: DigestConfig, trigger: Any, *, now: datetime) -> int | None:
        """Begins the run for the newest time within grace_h at which the digest was due, unless it was begun; its number, or None.

        The key is the local date, so a time that comes twice in autumn counts from its first coming.
        """
        due = newest_due(digest, trigger, now)
        if due is None:
            return None
        first = due.astimezone(self.config.site.zone).replace(fold=0)
        return self.begin_shared_run([digest], day=first.date(), now=now, since=first)

    def begin_shared_run(
        self,
        digests: Sequence[DigestConfig],
        *,
        day: date,
        now: datetime,
        since: datetime | None = None,
        again: bool = False,
    ) -> int | None:
        """Puts a run for these digests and local date in the ledger, with a part and a job for each of its sources; its number.

        With `since` nothing is done, and the answer is None, where a run of that day was begun at that moment or later, by
        whomever, and has not failed, or did so a short while ago. Raises LeaseHeld while a run of one process is at work, and
        StoreError.
        """
        from digest.app.sharing import begin

        sources = self._sources(digests, ())
        return begin(self, digests, sources, day=day, now=now, since=since, again=again)

    def collect_part(self, run: int, place: int) -> None:
        """Fetches and reads one source of a shared run, and puts on record, in the order of the sources, all that is read by now.

        Who records the last one leaves the job that issues. A source whose batch is not out is asked again later, by a job of
        its own. Raises LeaseHeld while another one is at this source; Stopped, after which nothing of it is kept; StoreError.
        """
        from digest.app.sharing import at_work, record_next

        shared = at_work(self, run)
        if shared is None:
            return  # it is over
        with self.alone(f"collect/{shared.parts()[place].source}"):
            part = shared.parts()[place]
            if part.state == "asked":
                shared.take(part)
            while record_next(self, run):
                pass

    def finish_shared_run(self, run: int) -> RunReport | None:
        """Issues the editions of a shared run, publishes them, lets their mails go, and closes it in the ledger; its report, or
        None where it is over.

        Raises LeaseHeld while another run issues or publishes; StoreError, PublishError and RenderError: to be called again.
        """
        from digest.app.sharing import at_work

        with self.alone("issue"):
            shared = at_work(self, run)
            return shared.finish() if shared else None

    def tidy_run(self, run: int) -> None:
        """What comes after a shared run: papers known by their title alone are looked up, old pages forgotten.

        Raises LeaseHeld, StoreError, PublishError and RenderError: to be called again.
        """
        from digest.app.sharing import tidy_run

        with self.alone("tidy"):
            tidy_run(self, run)

    def end_lost_runs(self) -> list[str]:
        """Ends the shared runs for which no job is left, since one failed for good; what was lost, in words. The schedule begins
        them anew."""
        from digest.app.sharing import end_lost

        found = [end_lost(self, run) for run in self.store.open_shared_runs()]
        return [words for words in found if words]

    # ------------------------------------------------------------ is it in order?

    def check_templates(self, now: datetime) -> None:
        """Renders every page and mail of the newest edition, or of a sample where there is none, and keeps none of it.

        Raises RenderError for the first template that fails.
        """
        from digest.editions import make_edition
        from digest.pipeline.publish import trial_pages

        for digest in self.config.digest:
            editions = self.store.latest_editions(digest.name, limit=1) or [
                make_edition(
                    digest,
                    now.date(),
                    part=1,
                    number=1,
                    issued_at=now,
                    chosen=_sample(now),
                    authority="sample,2026",
                )
            ]
            for _ in trial_pages(digest, self.config, self.renderer, editions[0]):
                pass
            self._try_mail(editions[0], now)

    def _try_mail(self, edition: Edition, now: datetime) -> None:
        from digest.mail.compose import composer
        from digest.mail.letters import letter
        from digest.mail.notices import notices
        from digest.tokens import Tokens

        tokens, reader = (
            Tokens(b""),
            Subscriber(id=0, address="reader@example.org", status="pending", since=now),
        )
        compose = composer(self.config, self.renderer, tokens, lambda digest, edition_id: edition)
        for chosen in (Preferences(), Preferences(topics=(), empty=True)):
            compose(self._copy_for(edition, replace(reader, preferences=chosen), now))
        kinds: tuple[LetterKind, ...] = ("confirm", "known", "notice")
        for kind in kinds:
            sample = Letter(
                id=0,
                kind=kind,
                subscriber=reader,
                message_id="<sample@localhost>",
                date=now,
                attempt=1,
                digest=edition.digest,
                day=edition.date,
            )
            if kind == "notice":
                notices(self.config, self.renderer, tokens, _sample_said)(sample)
            else:
                letter(sample, self.config, self.renderer, tokens)

    # ------------------------------------------------------------ reading without a store

    def readings(self, source: SourceConfig, *, now: datetime) -> Iterator[tuple[str, Reading | DigestError]]:
        """For each listing of a source its location and its reading, or the error that names what is wrong with it."""
        from digest.sources import read

        today = replace(source, url=on_day(source.url, now.astimezone(UTC).date()))
        for listing in self.fetcher.fetch(today, now=now):
            if not isinstance(listing, Listing):
                yield listing.url or source.url or source.path, listing
                continue
            try:
                yield listing.location, read(listing, source.kind, selectors=source.selectors)
            except DigestError as error:
                yield listing.location, error


def open_app(config: Config, *, clock: Callable[[], datetime] = utc_now) -> App:
    """An App over a configuration; edges are opened when first used. Raises ConfigError for an unknown source kind or theme, and
    for a saved search that makes no sense."""
    problems = problems_in_use(config)
    if problems:
        raise ConfigError(problems, path=config.file)
    return App(config, clock=clock)


def _sample_said(digest: str, day: date, days: int) -> tuple[Said, ...]:
    return (Said(names=("sample",), words="nothing new"),)


def _sample(now: datetime) -> list[Chosen]:
    paper = Paper(
        key="title:sample",
        title="A sample of a paper",
        abstract="We show how a page looks. It has two sentences.",
    )
    candidate = Candidate(paper_id=1, paper=paper, change="new", source="sample", found_at=now)
    return [Chosen(candidate=candidate, topic="")]
