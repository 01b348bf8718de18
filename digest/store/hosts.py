"""Whose turn it is with a host, over all processes of the store, and what its robots.txt says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from digest.store.database import Database, moment, stamp, whole
from digest.utf8 import plain

POLL_S = 0.25
# Of a process that died nobody knows when it last asked the host. The strictest host that we know wants 3 s between requests.
PAUSE_AFTER_DEATH_S = 3.0
# A moment that lies further ahead was set by a clock that was wrong.
MAX_AHEAD_S = 24 * 60 * 60.0


class Hosts:
    """The part of the store that knows hosts. It serves all threads and processes, so that a turn is nobody's twice."""

    _db: Database

    @whole
    def take_turn(
        self,
        host: str,
        *,
        holder: str,
        now: datetime,
        ttl_s: float,
        is_dead: Callable[[str], bool] = lambda holder: False,
    ) -> float:
        """0.0: the host is ours until `end_turn`, or for `ttl_s` seconds. Otherwise the seconds after which to ask again.

        One that holds it must end its turn before it takes another, threads of one holder included. The turn of a dead
        process is taken over after a pause, that of one whose `ttl_s` is over at once.
        """
        host = plain(host)
        with self._db.writing():
            held_by, held_until, free_at = self._db.one("turn", host=host) or ("", "", "")
            wait, held = _ahead(free_at, now), _ahead(held_until, now) if held_by else 0.0
            if held and not is_dead(held_by):
                return min(held, POLL_S)
            if held:
                wait = max(wait, PAUSE_AFTER_DEATH_S)
                self._put(host, "", "", now + timedelta(seconds=wait))
            if wait:
                return wait
            self._db.run(
                "put_turn",
                host=host,
                holder=plain(holder),
                held_until=stamp(now + timedelta(seconds=ttl_s)),
                free_at=free_at,
            )
            return 0.0

    @whole
    def end_turn(self, host: str, *, holder: str, now: datetime, free_at: datetime) -> None:
        """Gives the host back; nobody gets it before `free_at`, nor before a later moment that was set earlier.

        One whose turn was taken over by another leaves that turn alone: only `free_at` counts then.
        """
        host = plain(host)
        with self._db.writing():
            held_by, held_until, before = self._db.one("turn", host=host) or ("", "", "")
            if _ahead(before, now):
                free_at = max(free_at, moment(before))
            if held_by == plain(holder):
                held_by, held_until = "", ""
            self._put(host, held_by, held_until, free_at)

    def _put(self, host: str, holder: str, held_until: str, free_at: datetime) -> None:
        self._db.run("put_turn", host=host, holder=holder, held_until=held_until, free_at=stamp(free_at))

    def robots(self, origin: str, *, now: datetime) -> str | None:
        """The robots.txt of an origin (`https://example.org`), "" for an empty one; None when it must be asked for (anew)."""
        with self._db.reading():
            row = self._db.one("robots", host=plain(origin))
        return row[0] if row and _ahead(row[1], now) else None

    @whole
    def remember_robots(self, origin: str, text: str, *, until: datetime) -> None:
        """Notes what an origin's robots.txt says, for as long as that may be believed."""
        with self._db.writing():
            self._db.run("put_robots", host=plain(origin), robots=plain(text), until=stamp(until))


def _ahead(until: str, now: datetime) -> float:
    """The seconds from now until then; 0.0 for the past, for never, and for what no right clock can have set."""
    seconds = (moment(until) - now).total_seconds() if until else 0.0
    return seconds if 0.0 < seconds <= MAX_AHEAD_S else 0.0
