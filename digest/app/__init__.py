"""The composition root: `open_app(config)` builds the edges and hands them down. The only place where floors meet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from digest import __version__
from digest.app.fleet import Fleet
from digest.app.health import Watch
from digest.app.opening import problems_in_use, template_folders
from digest.app.post import Post, Progress
from digest.asks import on_day
from digest.config import Config, DigestConfig, SourceConfig
from digest.errors import ConfigError, DigestError, LeaseHeld, StoreError, UsageError
from digest.fetch import ARXIV_INTERVAL_S, Fetcher
from digest.model import (
    Candidate,
    Edition,
    Letter,
    LetterKind,
    Listing,
    Paper,
    Preferences,
    PublishReport,
    Reading,
    RunReport,
    Said,
    SourceReport,
    Subscriber,
)
from digest.process import is_dead, this_process
from digest.selection import Chosen
from digest.website import Website

if TYPE_CHECKING:
    import tempfile

    from digest.render import Renderer
    from digest.store import Store

LEASE = "run"
# Longer than any pause between two renewals; a dead holder on this machine is noticed at once (process.py).
LEASE_TTL_S = 15 * 60.0
_LEASE_POLL_S = 5.0
# It is held for longer after so much time, while much is read or written.
RENEW_S = 60.0
# That of a part of a run sooner: a worker that stood still for half a minute is taken for dead.
_RENEW_PART_S = 10.0
# The lease keeps processes apart, this the threads of one: they follow each other, and no two do the same part of a run.
_AT_WORK = threading.RLock()
_PARTS: set[str] = set()
_PARTS_LOCK = threading.Lock()


def utc_now() -> datetime:
    return datetime.now(UTC)


class _StoreTurns:
    """Whose turn it is with a host, over all processes of the store (digest.fetch.Turns)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.end_turn, self.robots = store.end_turn, store.robots
        self.remember_robots = store.remember_robots

    def take_turn(self, host: str, *, holder: str, now: datetime, ttl_s: float) -> float:
        return self._store.take_turn(host, holder=holder, now=now, ttl_s=ttl_s, is_dead=is_dead)


class App(Post, Watch, Fleet):
    """What the three doors share: plain methods with plain arguments. Use as a context manager."""

    def __init__(self, config: Config, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.config = config
        self.clock = clock
        self.stop = threading.Event()
        self.arxiv_interval_s = ARXIV_INTERVAL_S
        self._holder = this_process()
        self._turns: _StoreTurns | None = None
        self._renewed = time.monotonic()
        self._lease = LEASE
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> App:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of what was opened."""
        if "store" in self.__dict__:
            self.store.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    # ------------------------------------------------------------ edges, built when first used

    @cached_property
    def store(self) -> Store:
        from digest.store import open_store

        return open_store(self.config.store.url, base=self.config.resolve("."))

    @property
    def user_agent(self) -> str:
        """Who asks: the program, and where its operator can be found."""
        contact = self.config.site.contact or self.config.mail.address
        return f"paper-digest/{__version__} (+{self.config.site.url}; {contact})"

    @cached_property
    def fetcher(self) -> Fetcher:
        return Fetcher(
            user_agent=self.user_agent,
            resolve=self.config.resolve,
            turns=self._turns,
            holder=self._holder,
            stop=self.stop,
            arxiv_interval_s=self.arxiv_interval_s,
        )

    def share_turns(self) -> None:
        """From now on sources are asked in turn with every other process of this store."""
        if self._turns is None:
            self._turns = _StoreTurns(self.store)

    @cached_property
    def renderer(self) -> Renderer:
        from digest.render import Renderer

        return Renderer(template_folders(self.config), language=self.config.site.language)

    # ------------------------------------------------------------ the day

    def today(self, now: datetime) -> date:
        """The local date of a moment: the date of the edition that a run at that moment makes."""
        return now.astimezone(self.config.site.zone).date()

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
        from digest.store import open_store, sqlite_file

        file = sqlite_file(self.config.store.url, self.config.resolve("."))
        if file is not None and not file.exists():
            import tempfile

            self._scratch = tempfile.TemporaryDirectory(prefix="digest-dry-run-")
            self.__dict__["store"] = open_store("sqlite:///store.db", base=Path(self._scratch.name))

    def _sources(
        self, digests: Sequence[DigestConfig], adhoc: Sequence[SourceConfig]
    ) -> list[tuple[SourceConfig, Sequence[DigestConfig]]]:
        if adhoc:
            return [(source, self.config.digest) for source in adhoc]
        names = {digest.name for digest in digests}
        found: list[tuple[SourceConfig, Sequence[DigestConfig]]] = []
        for source in self.config.source:
            followers = self.config.followers(source.name)
            if source.enabled and any(digest.name in names for digest in followers):
                found.append((source, followers))
        return found

    # ------------------------------------------------------------ pages

    def rebuild(self) -> PublishReport:
        """Rewrites `site.output` from the store: every page of every edition, then the feeds."""
        with self.alone():
            return self.publish(everything=True)

    def publish(self, *, everything: bool = False, dry_run: bool = False) -> PublishReport:
        """Writes what is to be published, copies it to the [[publish]] targets and tells the hub. Raises PublishError and
        RenderError for our own folder; what fails elsewhere is in the report."""
        from digest.pipeline.elsewhere import send_elsewhere
        from digest.pipeline.publish import publish

        website = Website(self.config.resolve(self.config.site.output), dry_run=dry_run)
        report = publish(
            self.config, self.store, self.renderer, website, everything=everything, done=self.renew_in_time
        )
        self.renew()
        if dry_run:
            return report
        return send_elsewhere(
            self.config,
            website,
            report,
            user_agent=self.user_agent,
            title=self._newest_title(),
            done=self.renew,
        )

    def outdated(self) -> dict[str, tuple[str, ...]]:
        """The settings that pages written before still show as they were, by digest."""
        from digest.pipeline.looks import outdated

        return outdated(self.config, self.store, self.renderer)

    def _newest_title(self) -> str:
        heads = [head for digest in self.config.digest for head in self.store.edition_heads(digest.name)]
        return f"edition {max(heads, key=lambda head: head.date).id}" if heads and self.config.publish else ""

    def preview(self, out: Path, *, day: date | None = None) -> tuple[Edition, PublishReport]:
        """Mail, text and pages of an edition (the newest, or that of `day`) written below `out`; nothing else is touched."""
        from digest.pipeline.publish import AllThere, digest_pages, index

        edition = self.newest_edition(day)
        digest = self.config.digest_named(edition.digest)
        index(self.config, self.store)
        pages = digest_pages(digest, self.config, self.store, self.renderer, [edition], published=AllThere())
        return edition, Website(out).write(pages)

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

    def newest_edition(self, day: date | None = None) -> Edition:
        """The newest edition of any digest, or the newest part of a day's. Raises UsageError where there is none."""
        found: list[Edition] = []
        for digest in self.config.digest:
            if day is None:
                found += self.store.latest_editions(digest.name, limit=1)
            else:
                part = self.store.next_part(digest.name, day) - 1
                edition = self.store.edition(digest.name, day, part) if part else None
                found += [edition] if edition else []
        if not found:
            raise UsageError(f"no edition {f'of {day}' if day else 'yet'}. Make one with `digest run`.")
        return max(found, key=lambda edition: edition.issued_at)

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

    # ------------------------------------------------------------ the lease

    @contextmanager
    def alone(self, part: str = "") -> Iterator[None]:
        """Keeps every other run, on this machine and others, out of the store; with the name of a `part` whole runs, and who does
        the same part. Raises LeaseHeld."""
        name = f"{LEASE}/{part}" if part else LEASE
        with _only_here(f"{name} {self.config.store.url}") if part else _AT_WORK:
            before, self._lease = self._lease, name
            try:
                self._take_lease()
                try:
                    yield
                finally:
                    self._give_lease(name)
            finally:
                self._lease = before

    def _take_lease(self) -> None:
        try:
            self.store.acquire_lease(
                self._lease, self._holder, now=self.clock(), ttl_s=LEASE_TTL_S, is_dead=is_dead
            )
        except StoreError:
            # Perhaps only the answer was lost: nobody is to wait for a lease of which its holder knows nothing.
            with suppress(StoreError):
                self.store.release_lease(self._lease, self._holder)
            raise

    def _give_lease(self, name: str) -> None:
        try:
            self.store.release_lease(name, self._holder)
        except StoreError:  # whether it was given back is not known then: once more does no harm
            self.store.release_lease(name, self._holder)

    def rest(self, seconds: float) -> bool:
        """Lets other runs work for so long, in the middle of one of ours; True when told to stop meanwhile."""
        self._give_lease(LEASE)
        _AT_WORK.release()
        try:
            stopped = self.stop.wait(seconds)
        finally:
            _AT_WORK.acquire()
        while not stopped:
            try:
                self._take_lease()
            except LeaseHeld:
                stopped = self.stop.wait(_LEASE_POLL_S)
            else:
                return False
        return True

    def renew_in_time(self) -> None:
        """Holds the lease for longer, where that was not done for a minute: to read many pages or write ten years takes longer
        than it lasts. Raises LeaseHeld."""
        if time.monotonic() - self._renewed > (RENEW_S if self._lease == LEASE else _RENEW_PART_S):
            self.renew()

    def renew(self) -> None:
        """Holds the lease for longer. Raises LeaseHeld when another one has taken it over."""
        self._renewed = time.monotonic()
        self.store.renew_lease(self._lease, self._holder, now=self.clock(), ttl_s=LEASE_TTL_S)


@contextmanager
def _only_here(name: str) -> Iterator[None]:
    with _PARTS_LOCK:
        if name in _PARTS:
            raise LeaseHeld(f'"{name.split()[0]}" is being done by another thread of this process.')
        _PARTS.add(name)
    try:
        yield
    finally:
        with _PARTS_LOCK:
            _PARTS.discard(name)


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
