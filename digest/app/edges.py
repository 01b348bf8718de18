"""The part of App that all others stand on: the edges of a configuration, built when first used, and the lease."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Self

from digest import __version__
from digest.app.opening import template_folders
from digest.config import Config, DigestConfig, SourceConfig
from digest.errors import LeaseHeld, StoreError
from digest.fetch import ARXIV_INTERVAL_S, Fetcher
from digest.process import is_dead, this_process

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


class Edges:
    """A configuration and what it names, opened when first used; `alone` keeps other processes out. A context manager."""

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

    def __enter__(self) -> Self:
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
        return f"paper-digest/{__version__} (+{self.config.site.url}; {self.config.contact})"

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

    def today(self, now: datetime) -> date:
        """The local date of a moment: the date of the edition that a run at that moment makes."""
        return now.astimezone(self.config.site.zone).date()

    @property
    def is_shared(self) -> bool:
        """Is the work done by `digest worker` processes?"""
        return self.config.engine.kind == "procrastinate"

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
