"""How a host is asked: when it is our turn, with a rest between two requests, and again later where it is busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Event
from urllib.parse import urlsplit

from msgspec import Struct
from urllib3.response import HTTPResponse

from digest.config import SourceConfig
from digest.errors import FetchError, Stopped
from digest.fetch.addresses import Place
from digest.fetch.faults import too_slow
from digest.fetch.turns import Turns
from digest.fetch.wire import Answer, NoAnswer, Wire

_TRIES = 3
_BUSY = (429, 500, 502, 503, 504)
# A longer Retry-After is not waited for, but kept: a later run asks. None is believed for longer than a day.
_PATIENCE_S = 60.0
_REST_AT_MOST_S = 24 * 3600.0
# What a turn may take beyond the time of its source, before another process takes it for dead.
_GRACE_S = 10.0
_ARXIV_PATHS = ("/list/", "/catchup/", "/api/query", "/oai2", "/oai/")


class Budget:
    """The seconds of network time that one visit has left. Waiting for our turn costs nothing of it."""

    def __init__(self, seconds: float) -> None:
        self.left = seconds

    @contextmanager
    def spending(self) -> Iterator[float]:
        """Gives the moment (time.monotonic()) when it is used up, and takes off what the time inside took."""
        started = time.monotonic()
        try:
            yield started + self.left
        finally:
            self.left -= time.monotonic() - started


class Errand(Struct, frozen=True, kw_only=True):
    """On whose behalf a host is asked: the source, and what its visit has left."""

    source: SourceConfig
    budget: Budget


class Manners:
    """Asks hosts, one request at a time to each, over all processes that share the turns."""

    def __init__(
        self, wire: Wire, turns: Turns, *, holder: str, backoff_s: float, arxiv_interval_s: float, stop: Event
    ) -> None:
        self._wire, self._turns, self._holder, self._stop = wire, turns, holder, stop
        self._backoff_s, self._arxiv_interval_s = backoff_s, arxiv_interval_s
        self._ended: dict[str, float] = {}
        self._longest: dict[str, float] = {}

    def get(
        self,
        place: Place,
        errand: Errand,
        *,
        headers: Mapping[str, str],
        read: Callable[[HTTPResponse], bytes],
        delay_s: float = 0.0,
    ) -> Answer:
        """The answer of a place, also one that is no page; asked up to three times where it is busy or gives none.

        `delay_s` is the rest that the host itself wants between two requests. Raises FetchError where there is no answer, or
        one to wait for longer than we do: then nobody asks before the time that the server named.
        """
        host = _turn_of(place)
        interval = max(self._interval(place, errand.source), delay_s)
        self._longest[host] = max(interval, self._longest.get(host, 0.0))
        attempt = 0
        while True:
            attempt += 1
            self._wait_for_turn(host, interval, place, errand)
            answer, asked = self._one_request(host, interval, place, errand, headers, read)
            if isinstance(answer, Answer) and answer.status not in _BUSY:
                return answer
            pause = max(asked, self._backoff_s * 2 ** (attempt - 1))
            final = attempt == _TRIES or (isinstance(answer, NoAnswer) and answer.final)
            if final or pause > min(_PATIENCE_S, errand.budget.left):
                raise _gave_up(place, answer, attempt, asked)
            self._rest(pause, place)
            errand.budget.left -= max(0.0, pause - interval)

    def _one_request(
        self,
        host: str,
        interval: float,
        place: Place,
        errand: Errand,
        headers: Mapping[str, str],
        read: Callable[[HTTPResponse], bytes],
    ) -> tuple[Answer | NoAnswer, float]:
        """The answer, and for how many seconds a busy server asked to be left alone. The turn is over when the body is in."""
        rest = asked = 0.0
        try:
            with errand.budget.spending() as deadline:
                answer = self._wire.get(place, errand.source, headers=headers, deadline=deadline, read=read)
            if isinstance(answer, Answer) and answer.status in _BUSY:
                rest = asked = _retry_after(answer.headers.get("Retry-After", ""))
            return answer, asked
        finally:
            now = datetime.now(UTC)
            free_at = now + timedelta(seconds=max(interval, rest))
            self._turns.end_turn(host, holder=self._holder, now=now, free_at=free_at)
            self._ended[host] = time.monotonic()

    def _wait_for_turn(self, host: str, interval: float, place: Place, errand: Errand) -> None:
        """Raises FetchError where the host is to rest for longer than we wait: at once, and says until when."""
        if errand.budget.left <= 0:
            raise too_slow(place.name, errand.source.timeout_s)
        # The last request to this host may have been of a source with a shorter interval.
        self._rest(self._ended.get(host, -interval) + interval - time.monotonic(), place)
        while True:
            now = datetime.now(UTC)
            ttl = max(errand.budget.left, 0.0) + _GRACE_S
            wait = self._turns.take_turn(host, holder=self._holder, now=now, ttl_s=ttl)
            if wait <= 0:
                return
            if wait > max(min(errand.budget.left, _PATIENCE_S), self._longest[host]):
                raise _closed(place, now + timedelta(seconds=wait))
            self._rest(wait, place)

    def _rest(self, seconds: float, place: Place) -> None:
        if seconds > 0 and self._stop.wait(seconds):
            raise Stopped(
                f"told to stop before {place.name} was asked. What was read is kept; the next run goes on."
            )

    def _interval(self, place: Place, source: SourceConfig) -> float:
        """Seconds between the end of one request and the start of the next (arXiv's terms of use: one in three seconds)."""
        path = urlsplit(place.name).path  # of the page, also while its site's robots.txt is asked for
        arxiv = (
            _is_arxiv(place.host)
            or source.kind.startswith("arxiv")
            or source.kind == "oai"
            or path == "/oai"
            or path.startswith(_ARXIV_PATHS)
        )
        return max(source.min_interval_s, self._arxiv_interval_s if arxiv else 0.0)


def _is_arxiv(host: str) -> bool:
    return host.rstrip(".") == "arxiv.org" or host.rstrip(".").endswith(".arxiv.org")


def _turn_of(place: Place) -> str:
    """The host whose turn it is: all of arXiv's are one, as its terms of use say."""
    return "arxiv.org" if _is_arxiv(place.host) else place.netloc


def _retry_after(value: str) -> float:
    """Seconds that a Retry-After asks for (RFC 9110, 10.2.3: seconds or a date); 0.0 where it says nothing of sense."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), _REST_AT_MOST_S)
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max(0.0, (when - datetime.now(UTC)).total_seconds()), _REST_AT_MOST_S)


def _closed(place: Place, until: datetime) -> FetchError:
    return FetchError(
        f"{place.name}: its host wants no request before {until:%Y-%m-%d %H:%M:%S} UTC, so none was sent. Run again after that.",
        url=place.name,
    )


def _gave_up(place: Place, answer: Answer | NoAnswer, attempts: int, asked: float) -> FetchError:
    tries = "" if attempts == 1 else f" ({attempts} times)"
    if isinstance(answer, NoAnswer):
        return FetchError(
            f"{place.name}: no connection to the host{tries}: {answer.reason}. Check the address and the network, then run again.",
            url=place.name,
        )
    mend = "It is busy or out of order; run again later."
    if asked:
        until = datetime.now(UTC) + timedelta(seconds=asked)
        mend = f"It is to be left alone until {until:%Y-%m-%d %H:%M:%S} UTC; nothing is asked there before. Run again after that."
    return FetchError(
        f"{place.name}: the server answered {answer.status}{tries}. {mend}",
        url=place.name,
        status=answer.status,
    )
