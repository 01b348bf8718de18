"""A source → its listings: files below a path, or the answers of addresses, asked politely. The only reader of the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import quote

from digest.config import SourceConfig
from digest.errors import FetchError
from digest.fetch.faults import answer_of
from digest.fetch.files import listings
from digest.fetch.turns import MemoryTurns, Turns
from digest.model import Listing, NotModified, Validators

if TYPE_CHECKING:
    from digest.fetch.addresses import Lookup
    from digest.fetch.asking import Asking
    from digest.fetch.manners import Errand

__all__ = ["Fetcher", "MemoryTurns", "Turns", "Visit"]

_PRINTABLE_ASCII = "".join(map(chr, range(0x20, 0x7F)))
ARXIV_INTERVAL_S = 3.0


class Fetcher:
    """Reads sources. `turns` says whose turn it is with a host, for all that share it (without one: for this Fetcher), and
    `holder` who we are there. A busy host is asked again after `backoff_s`, then twice as long. `stop` ends every waiting."""

    def __init__(
        self,
        *,
        user_agent: str,
        resolve: Callable[[str], Path],
        turns: Turns | None = None,
        holder: str = "",
        backoff_s: float = 1.0,
        arxiv_interval_s: float = ARXIV_INTERVAL_S,
        stop: Event | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        # A header carries ASCII; what a title or an address has beyond it goes out as in a URL.
        self._user_agent = quote(user_agent, safe=_PRINTABLE_ASCII)
        self._resolve, self._lookup = resolve, lookup
        self._turns, self._holder = turns or MemoryTurns(), holder
        self._backoff_s, self._arxiv_interval_s = backoff_s, arxiv_interval_s
        self._stop = stop or Event()

    def visit(self, source: SourceConfig, *, now: datetime) -> Visit:
        """All that one run asks of one source; costs nothing until something is asked. `now` stands on its listings."""
        return Visit(source, resolve=self._resolve, asking=lambda: self._asking, now=now)

    def fetch(self, source: SourceConfig, *, now: datetime) -> Iterator[Listing | FetchError]:
        """The listings of a source, files in the order of their names; a listing that cannot be had is its FetchError.

        One unreadable file does not hide the others. Nothing is raised for a missing path or a dead server: that is an
        answer of the source, and the run goes on to the next one.
        """
        visit = self.visit(source, now=now)
        if not source.url:
            yield from visit.files()
            return
        answer = visit.ask(source.url)
        if not isinstance(answer, NotModified):  # which comes only where there were validators
            yield answer

    @cached_property
    def _asking(self) -> Asking:
        # Only here: files are read without the libraries of the wire, whose import takes longer than the reading.
        from digest.fetch.addresses import system_lookup
        from digest.fetch.asking import Asking
        from digest.fetch.manners import Manners
        from digest.fetch.robots import Robots
        from digest.fetch.wire import Wire

        manners = Manners(
            Wire(user_agent=self._user_agent, lookup=self._lookup or system_lookup),
            self._turns,
            holder=self._holder,
            backoff_s=self._backoff_s,
            arxiv_interval_s=self._arxiv_interval_s,
            stop=self._stop,
        )
        return Asking(manners, Robots(manners, self._turns))


class Visit:
    """One visit to one source. Its requests have `timeout_s` of network time together; waiting for our turn is not counted."""

    def __init__(
        self,
        source: SourceConfig,
        *,
        resolve: Callable[[str], Path],
        asking: Callable[[], Asking],
        now: datetime,
    ) -> None:
        self._source, self._resolve, self._asking, self._now = source, resolve, asking, now

    def files(self) -> Iterator[Listing | FetchError]:
        """The listings below the source's path, in the order of their names, each read when it is asked for."""
        return listings(self._source, self._resolve, self._now)

    def ask(self, url: str, *, validators: Validators | None = None) -> Listing | NotModified | FetchError:
        """The answer of one address; NotModified only where `validators` were given and the server says that they hold.

        Raises Stopped when told to stop while it waits; whatever the address or the server is, is a FetchError that is returned.
        """
        return answer_of(url, partial(self._ask, url, validators))

    def _ask(self, url: str, validators: Validators | None) -> Listing | NotModified:
        return self._asking().ask(url, self._errand, validators=validators, now=self._now)

    @cached_property
    def _errand(self) -> Errand:
        from digest.fetch.manners import Budget, Errand

        return Errand(source=self._source, budget=Budget(self._source.timeout_s))
