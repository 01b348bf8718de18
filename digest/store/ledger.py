"""Leases, so that two processes never run the same day at once, and the ledger of runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from msgspec import Struct

from digest.errors import LeaseHeld
from digest.store.database import Database, Row, moment, stamp, whole
from digest.utf8 import plain


class RunRow(Struct, frozen=True, kw_only=True):
    """One run of one digest. `status` is running, done, degraded or failed; `report` is the JSON of its RunReport, `setup` the
    JSON of what it was set up with, b"" where that was not noted."""

    id: int
    digest: str
    date: date
    started_at: datetime
    finished_at: datetime | None
    status: str
    report: bytes
    setup: bytes = b""


class Ledger:
    """The part of the store that knows runs."""

    _db: Database

    @whole
    def acquire_lease(
        self, name: str, holder: str, *, now: datetime, ttl_s: float, is_dead: Callable[[str], bool]
    ) -> int:
        """The fencing number of the lease, now held: it grows by one with each new holder.

        A name with a stroke is a part: while "run" is held nobody gets "run/issue", and nobody "run" while a part of it is held.
        Raises LeaseHeld while another one holds it, has not let it expire, and is not dead.
        """
        with self._db.writing():
            for other, held_by, expires_at in self._db.rows("leases_beside", name=name):
                if stamp(now) < expires_at and not is_dead(held_by):
                    raise _held(other, held_by, expires_at)
            row = self._db.one("lease", name=name)
            held_by, fence, expires_at = row or ("", 0, "")
            if held_by not in ("", holder) and stamp(now) < expires_at and not is_dead(held_by):
                raise _held(name, held_by, expires_at)
            fence += held_by != holder
            self._db.run("put_lease", name=name, holder=holder, fence=fence, expires_at=_expiry(now, ttl_s))
            return int(fence)

    @whole
    def renew_lease(self, name: str, holder: str, *, now: datetime, ttl_s: float) -> None:
        """Holds the lease for longer. Raises LeaseHeld when another one has taken it over: stop at once."""
        with self._db.writing():
            row = self._db.one("lease", name=name)
            held_by, fence, _ = row or ("", 0, "")
            if held_by != holder:
                raise LeaseHeld(
                    f'"{name}" was taken over by {held_by or "nobody"} after it had expired; this process stops. '
                    '"digest status" says what was done.',
                    holder=held_by,
                )
            self._db.run("put_lease", name=name, holder=holder, fence=fence, expires_at=_expiry(now, ttl_s))

    def lease_holder(self, name: str, *, now: datetime) -> str:
        """Who holds a lease now; "" for nobody."""
        with self._db.reading():
            held_by, _, expires_at = self._db.one("lease", name=name) or ("", 0, "")
        return str(held_by) if stamp(now) < expires_at else ""

    @whole
    def release_lease(self, name: str, holder: str) -> None:
        """Gives the lease back; nothing happens when another one holds it."""
        with self._db.writing():
            self._db.run("release_lease", name=name, holder=holder)

    @whole
    def start_run(self, digest: str, day: date, *, now: datetime, setup: bytes = b"") -> int:
        """The number of a new row of the ledger, its status `running`.

        To be called under the lease: runs that started before and are `running` still were killed, and become `failed`; but
        not those that workers share, which nobody's death ends.
        """
        with self._db.writing():
            self._db.run("fail_killed_runs", now=stamp(now))
            row = int(self._db.value("next_run_id"))
            self._db.run(
                "start_run",
                id=row,
                digest=digest,
                date=day.isoformat(),
                now=stamp(now),
                setup=plain(setup.decode()),
            )
            return row

    @whole
    def finish_run(self, run_id: int, *, now: datetime, status: str, report: bytes) -> None:
        """Notes how a run ended: done, degraded or failed, with the JSON of its report."""
        with self._db.writing():
            self._db.run(
                "finish_run", id=run_id, status=status, report=plain(report.decode()), now=stamp(now)
            )

    def last_runs(self, limit: int) -> list[RunRow]:
        """The last runs, newest first."""
        with self._db.reading():
            rows = self._db.rows("last_runs", limit=limit)
        return [run_of(row) for row in rows]

    def all_runs(self) -> list[RunRow]:
        """All runs, oldest first."""
        with self._db.reading():
            return [run_of(row) for row in self._db.rows("all_runs")]

    def runs_of(self, digest: str, day: date) -> list[RunRow]:
        """The runs for this digest and local date, oldest first."""
        with self._db.reading():
            return [run_of(row) for row in self._db.rows("runs_of", digest=digest, date=day.isoformat())]

    def run_done(self, digest: str, day: date, *, since: datetime | None = None) -> bool:
        """Has a run for this digest and local date, started at `since` or later, ended done or degraded?"""
        after = stamp(since) if since else ""
        with self._db.reading():
            return bool(self._db.value("run_done", digest=digest, date=day.isoformat(), since=after))


def run_of(row: Row) -> RunRow:
    number, digest, day, started_at, finished_at, status, report, setup = row
    return RunRow(
        id=number,
        digest=digest,
        date=date.fromisoformat(day),
        started_at=moment(started_at),
        finished_at=moment(finished_at) if finished_at else None,
        status=status,
        report=report.encode(),
        setup=setup.encode(),
    )


def _held(name: str, holder: str, until: str) -> LeaseHeld:
    return LeaseHeld(
        f'"{name}" is being done by another process ({holder}) until {until}. '
        "Wait for it to end; if it hangs, stop it, and run again.",
        holder=holder,
    )


def _expiry(now: datetime, ttl_s: float) -> str:
    return stamp(now + timedelta(seconds=ttl_s))
