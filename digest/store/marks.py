"""Marks: under which deliveries are claimed by one of many workers, and until when it may send them.

A mark is a lease of its own (table leases), held by a process for one span of deliveries. What it claimed is its until the lease
is over: then whoever comes ends the mark first, so that the holder cannot renew it any more, and says what becomes of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from digest.errors import LeaseHeld
from digest.model import Span
from digest.store.database import Database, moment, stamp, whole
from digest.store.jobs import span_fields

_NAME = "deliver "
_FORGOTTEN = timedelta(hours=1)


class Rest(Struct, frozen=True, kw_only=True):
    """What is left of a span: how many deliveries are queued and deferred, when the first deferred one is due, and how many are
    being sent or in doubt."""

    queued: int = 0
    deferred: int = 0
    retry_at: datetime | None = None
    sending: int = 0


class Claimed(Struct, frozen=True, kw_only=True):
    """A mark under which deliveries of a span are being sent: when the last of them was claimed, and until when its lease lasts
    (None: it is over)."""

    mark: str
    since: datetime
    until: datetime | None


class Marks:
    """The part of the store that knows who sends which deliveries of a span."""

    _db: Database

    @whole
    def begin_mark(self, mark: str, owner: str, *, now: datetime, ttl_s: float) -> None:
        """A new mark of this process, for so many seconds. Those that ended long ago and that nobody ended are forgotten."""
        expires_at = stamp(now + timedelta(seconds=ttl_s))
        with self._db.writing(alone=False):
            self._db.run("forget_marks", older_than=stamp(now - _FORGOTTEN))
            self._db.run("put_lease", name=_NAME + mark, holder=owner, fence=1, expires_at=expires_at)

    @whole
    def renew_mark(self, mark: str, owner: str, *, now: datetime, ttl_s: float) -> None:
        """Holds it for so many seconds from now. Raises LeaseHeld when it was ended: nothing more may be sent under it."""
        expires_at = stamp(now + timedelta(seconds=ttl_s))
        with self._db.writing(alone=False):
            if not self._db.run("renew_mark", name=_NAME + mark, holder=owner, expires_at=expires_at):
                raise LeaseHeld(
                    "This worker was silent for too long: its deliveries were given to another. It goes on with other work.",
                    holder="",
                )

    @whole
    def end_mark(self, mark: str, *, now: datetime, is_dead: Callable[[str], bool] | None = None) -> bool:
        """Ends a mark for good; whether that could be done: not while its lease lasts and its process is not known dead.

        Without `is_dead` it is ended in any case, as its own process does.
        """
        with self._db.writing(alone=False):
            row = self._db.one("mark_to_end", name=_NAME + mark)
            if row is not None and is_dead is not None:
                owner, expires_at = row
                if owner and stamp(now) < expires_at and not is_dead(owner):
                    return False
            self._db.run("delete_lease", name=_NAME + mark)
            return True

    def claimed_by_others(self, span: Span, mark: str) -> list[Claimed]:
        """The other marks under which deliveries of the span are being sent, or were when a process ended."""
        with self._db.reading():
            rows = self._db.rows("marks_of_span", mark=mark, prefix=_NAME, **span_fields(span))
        return [
            Claimed(mark=found, since=moment(since), until=moment(until) if until else None)
            for found, since, until in rows
        ]

    @whole
    def release_claimed(self, mark: str, *, untouched: Sequence[int], resend: bool, now: datetime) -> int:
        """What becomes of the deliveries that are still claimed under a mark that was ended; how many of them are in doubt.

        The `untouched` are queued as if nothing had been, the others with `resend` to be sent again, same Message-ID and Date;
        without it they are held, and nobody's.
        """
        at = stamp(now)
        with self._db.writing(alone=False):
            fields = [{"id": number, "holder": mark, "now": at} for number in untouched]
            self._db.many("release_delivery", fields)
            query = "requeue_claimed" if resend else "hold_claimed"
            return self._db.run(query, holder=mark, now=at)

    @whole
    def expire_span(self, span: Span, *, now: datetime) -> int:
        """Gives up what of the span waits or is held; how many those were. What was joined to one expires with it."""
        at = stamp(now)
        with self._db.writing(alone=False):
            ids = [row[0] for row in self._db.rows("to_expire_in_span", **span_fields(span))]
            self._db.many("end_delivery", [{"id": n, "status": "expired", "now": at} for n in ids])
            return len(ids)

    def rest_of(self, span: Span) -> Rest:
        """What is left to do of a span."""
        with self._db.reading():
            rows = {row[0]: row[1:] for row in self._db.rows("rest_of_span", **span_fields(span))}
        (queued, _), (deferred, again), (sending, _) = (
            rows.get(status, (0, None)) for status in ("queued", "deferred", "sending")
        )
        retry_at = moment(again) if again else None
        return Rest(queued=queued, deferred=deferred, retry_at=retry_at, sending=sending)
