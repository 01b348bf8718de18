"""Letters, the mails that are no edition: queued → sending → accepted | rejected | expired; queued again after a deferral."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from digest.model import Letter
from digest.store.database import Database, Row, moment, stamp, whole
from digest.store.numbers import next_id
from digest.store.subscribers import ON_THE_LIST, subscriber_of

# The link in a letter ends after 48 hours. A letter is sent in seconds: one that was taken longer ago was left.
LETTER_LIFE = timedelta(hours=48)
LETTER_HELD = timedelta(minutes=10)


class Letters:
    """The part of the store that knows letters."""

    _db: Database

    @whole
    def queue_letter(
        self, number: int, kind: Literal["confirm", "known"], *, message_id: str, now: datetime
    ) -> bool:
        """Queues a letter to a subscriber; False where one of that kind waits already, whose link is still good."""
        with self._db.writing():
            since = stamp(now - LETTER_LIFE)
            if self._db.value("letter_waits", subscriber_id=number, kind=kind, since=since):
                return False
            self._db.run(
                "queue_letter",
                id=next_id(self._db, "letter"),
                subscriber_id=number,
                kind=kind,
                message_id=message_id,
                now=stamp(now),
            )
            return True

    @whole
    def claim_letters(self, *, now: datetime, holder: str, limit: int) -> list[Letter]:
        """Up to `limit` letters to send now, marked as being sent by `holder`; also those that were taken ten minutes ago
        and not finished.

        The status of its subscriber is asked anew: who has answered by now needs no question, and who has left no link to
        their choices. Such a letter expires, and one that is older than its link is good for.
        """
        at = stamp(now)
        claimed: list[Letter] = []
        with self._db.writing():
            while len(claimed) < limit:
                found = [
                    _letter_of(row)
                    for row in self._db.rows(
                        "due_letters",
                        now=at,
                        abandoned=stamp(now - LETTER_HELD),
                        limit=limit - len(claimed),
                    )
                ]
                good = [letter for letter in found if _is_wanted(letter) and now - letter.date <= LETTER_LIFE]
                old = [{"id": letter.id, "now": at} for letter in found if letter not in good]
                self._db.many("expire_letter", old)
                self._db.many(
                    "start_letter", [{"id": letter.id, "holder": holder, "now": at} for letter in good]
                )
                claimed += good
                if not old:
                    break
        return claimed

    @whole
    def record_letter(
        self,
        number: int,
        status: Literal["accepted", "queued", "rejected"],
        *,
        retry_at: datetime | None = None,
        now: datetime,
    ) -> None:
        """What became of the letter of this number; "queued" is to be tried again at `retry_at`, at once if not given."""
        with self._db.writing():
            if status == "accepted":
                self._db.run("letter_accepted", id=number, now=stamp(now))
            else:
                self._db.run(
                    "letter_not_accepted",
                    id=number,
                    status=status,
                    retry_at=stamp(retry_at or now),
                    now=stamp(now),
                )

    def next_letter(self) -> datetime | None:
        """When there is a letter to send next; None where none waits. One in a process's hand counts from when it would be
        taken for left."""
        with self._db.reading():
            waits, held = self._db.one("next_letters") or (None, None)
        moments = [moment(waits)] if waits else []
        # A microsecond later, since it is left for longer than LETTER_HELD then.
        moments += [moment(held) + LETTER_HELD + timedelta(microseconds=1)] if held else []
        return min(moments, default=None)


def _letter_of(row: Row) -> Letter:
    number, kind, message_id, date, attempt, *subscriber = row
    return Letter(
        id=number,
        kind=kind,
        subscriber=subscriber_of(subscriber),
        message_id=message_id,
        date=moment(date),
        attempt=attempt + 1,
    )


def _is_wanted(letter: Letter) -> bool:
    if letter.kind == "confirm":
        return letter.subscriber.status == "pending"
    return letter.subscriber.status in ON_THE_LIST
