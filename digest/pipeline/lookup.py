"""Look up: papers known by their title alone are searched for elsewhere, after the mail is out. It never raises for the network."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from digest.config import LookupConfig, SourceConfig
from digest.errors import ParseError, Stopped
from digest.fetch import ARXIV_INTERVAL_S
from digest.matching import BASES, choose, merged, question
from digest.model import Listing, LookupReport, Paper
from digest.pipeline.gather import Visit

if TYPE_CHECKING:
    from digest.store import Store, Unresolved

log = logging.getLogger(__name__)

TIMEOUT_S = 20.0
LEAST_S = 0.1  # with less time left nobody is asked
MAX_BYTES = 4 * 1024 * 1024  # five records with thousands of authors each
# A request to arXiv is tried three times, each after a rest that no timeout counts.
ARXIV_RESTS = 3

# After the first miss in a week, after the second in a month, then never: who does not know a paper by then never will.
MISS_DAYS = (7, 30)
FAILED_DAYS_AT_MOST = 7
# So much earlier than in so many days, so that the run at the same hour of that day finds it due.
EARLY = timedelta(hours=1)


class _Answer(Struct, frozen=True, kw_only=True):
    """What the services say of a paper; `paper` has what was found, None for nothing. `service` gave or owes the answer."""

    outcome: Literal["hit", "miss", "failed"]
    service: str = ""
    paper: Paper | None = None


def look_up(
    store: Store,
    config: LookupConfig,
    visit: Callable[[SourceConfig], Visit],
    *,
    now: datetime,
    clock: Callable[[], datetime],
    stopped: Callable[[], bool],
    contact: str = "",
    bases: Mapping[str, str] = BASES,
    arxiv_interval_s: float = ARXIV_INTERVAL_S,
    done: Callable[[], None] = lambda: None,
    monotonic: Callable[[], float] = time.monotonic,
) -> LookupReport:
    """Looks up the issued papers that are due, newest first, and puts on record what was found, each in one transaction.

    `now` is the beginning of the run; lookups bear the time of `clock`, and one later than `now` in any case, since a replay
    does them again between two runs. At most `config.per_run` papers and `config.seconds` seconds. A service that fails is not
    asked again in this run. Ends at once when `stopped`; what was found until then is kept. `done` hears of each paper.
    """
    started = monotonic()
    tally: Counter[str] = Counter()
    if config.enabled and config.services:
        asking = _Asking(
            config,
            visit,
            lambda: started + config.seconds - monotonic(),
            stopped=stopped,
            contact=contact,
            bases=bases,
            arxiv_interval_s=arxiv_interval_s,
        )
        for unresolved in store.unresolved(now=now, limit=config.per_run):
            answer = asking.resolve(unresolved.paper)
            if answer is None:
                break
            _record(store, unresolved, answer, now, max(clock(), now + timedelta(microseconds=1)))
            tally[answer.outcome] += 1
            done()
    return LookupReport(
        looked_up=tally.total(),
        hits=tally["hit"],
        misses=tally["miss"],
        failed=tally["failed"],
        seconds=round(monotonic() - started, 3),
    )


class _Asking:
    """The questions of one run."""

    def __init__(
        self,
        config: LookupConfig,
        visit: Callable[[SourceConfig], Visit],
        seconds_left: Callable[[], float],
        *,
        stopped: Callable[[], bool],
        contact: str,
        bases: Mapping[str, str],
        arxiv_interval_s: float,
    ) -> None:
        self._services = [name for name in dict.fromkeys(config.services) if name in bases]
        self._visit, self._seconds_left, self._stopped = visit, seconds_left, stopped
        self._contact, self._bases, self._arxiv_interval_s = contact, bases, arxiv_interval_s
        self._closed: set[str] = set()

    def resolve(self, paper: Paper) -> _Answer | None:
        """The services in their order until one knows the paper; None where none was asked: no time or no service is left."""
        asked, owing = False, ""
        for service in self._services:
            url = question(service, paper, bases=self._bases, contact=self._contact)
            if not url:
                continue
            if service in self._closed:
                owing = owing or _name(service)
                continue
            timeout_s = self._time_for(service)
            if self._stopped() or timeout_s < LEAST_S:
                return _Answer(outcome="failed") if asked and not self._stopped() else None
            try:
                records = self._ask(service, url, timeout_s)
            except Stopped:
                return None
            asked = True
            if records is None:
                self._closed.add(service)
                owing = owing or _name(service)
            elif chosen := choose(paper, records):
                return _Answer(outcome="hit", service=_name(service), paper=merged(paper, chosen))
        if owing:
            return _Answer(outcome="failed", service=owing) if asked else None
        return _Answer(outcome="miss")

    def _time_for(self, service: str) -> float:
        """Seconds of network time for a request: a turn may be waited for as long again, and at arXiv the rests come on top."""
        rests = ARXIV_RESTS * self._arxiv_interval_s if service == "arxiv" else 0.0
        return min(TIMEOUT_S, (self._seconds_left() - rests) / 2)

    def _ask(self, service: str, url: str, timeout_s: float) -> Sequence[Paper] | None:
        """The records of a service's answer; None where it gives none that can be read. Raises Stopped."""
        from digest.sources import read

        source = SourceConfig(
            name=_name(service), kind=service, url=url, timeout_s=timeout_s, max_bytes=MAX_BYTES
        )
        answer = self._visit(source).ask(url)
        if isinstance(answer, Listing):
            try:
                return read(answer, service).papers
            except ParseError as error:
                log.info("%s: %s Not asked again in this run.", source.name, error)
        else:
            log.info("%s: %s Not asked again in this run.", source.name, answer)
        return None


def _name(service: str) -> str:
    """The name of a service as a source of sightings."""
    return f"lookup:{service}"


def _record(store: Store, unresolved: Unresolved, answer: _Answer, now: datetime, moment: datetime) -> None:
    """What was found is a sighting that nobody is offered, so that the paper is known by its ids and not new under them."""
    from digest.store import Lookup
    from digest.store.known import plain_paper

    attempts = unresolved.attempts + 1
    paper = answer.paper and plain_paper(answer.paper)
    with store.together():
        if paper is not None:
            store.record_sightings(
                answer.service, [paper], now=moment, listed_on=None, followers=(), updates_for=frozenset()
            )
        store.record_lookup(
            Lookup(
                paper_id=unresolved.paper_id,
                looked_up_at=moment,
                outcome=answer.outcome,
                attempts=attempts,
                retry_at=_retry_at(answer.outcome, attempts, now),
                service=answer.service,
                found=msgspec.json.encode(paper) if paper is not None else b"",
            )
        )


def _retry_at(outcome: str, attempts: int, now: datetime) -> datetime | None:
    if outcome == "failed":
        days = min(2 ** min(attempts - 1, FAILED_DAYS_AT_MOST), FAILED_DAYS_AT_MOST)
    elif outcome == "miss" and attempts <= len(MISS_DAYS):
        days = MISS_DAYS[attempts - 1]
    else:
        return None
    return now + timedelta(days=days) - EARLY
