"""Whose turn it is with a host: never two requests to it at once, and a rest between the end of one and the start of the next."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Lock
from typing import Protocol

# How long to wait before asking again for a turn that another request holds: nobody knows when that one ends.
_ASK_AGAIN_S = 0.05


class Turns(Protocol):
    """Whose turn it is with a host, over all processes that share it. `now` is real time: the wire knows no other."""

    def take_turn(self, host: str, *, holder: str, now: datetime, ttl_s: float) -> float:
        """0.0: the turn is ours until `end_turn`, or for `ttl_s` seconds; else the seconds to wait before asking again.

        While the host rests that is the time left of its rest. While another request holds the turn it is a moment, since
        it can end at any time: more than a source has left of its time is read as "closed until then".
        """
        ...

    def end_turn(self, host: str, *, holder: str, now: datetime, free_at: datetime) -> None:
        """Gives the turn back; the next request to the host goes out at `free_at` or later (a Retry-After, perhaps)."""
        ...

    def robots(self, origin: str, *, now: datetime) -> str | None:
        """What the robots.txt of an origin says ("": everything is allowed); None where unknown or out of date."""
        ...

    def remember_robots(self, origin: str, text: str, *, until: datetime) -> None:
        """Keeps what the robots.txt of an origin says until a moment."""
        ...


class MemoryTurns:
    """The turns of one process, for use without a store; its threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: dict[str, tuple[str, datetime]] = {}
        self._free_at: dict[str, datetime] = {}
        self._robots: dict[str, tuple[str, datetime]] = {}

    def take_turn(self, host: str, *, holder: str, now: datetime, ttl_s: float) -> float:
        with self._lock:
            if host in self._held and self._held[host][1] > now:
                return _ASK_AGAIN_S
            rest = (self._free_at.get(host, now) - now).total_seconds()
            if rest > 0:
                return rest
            self._held[host] = (holder, now + timedelta(seconds=ttl_s))
            return 0.0

    def end_turn(self, host: str, *, holder: str, now: datetime, free_at: datetime) -> None:
        with self._lock:
            # Who overstayed does not take the turn from the next one, but what the server said of its rest holds.
            if host in self._held and self._held[host][0] == holder:
                del self._held[host]
            self._free_at[host] = max(free_at, self._free_at.get(host, free_at))

    def robots(self, origin: str, *, now: datetime) -> str | None:
        with self._lock:
            text, until = self._robots.get(origin, ("", now))
            return text if until > now else None

    def remember_robots(self, origin: str, text: str, *, until: datetime) -> None:
        with self._lock:
            self._robots[origin] = (text, until)
