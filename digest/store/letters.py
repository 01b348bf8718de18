"""Letters, the mails that are no edition: queued → sending → accepted | rejected | expired; queued again after a deferral."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Literal

from digest.model import ON_THE_LIST, Letter, Preferences, Subscriber
from digest.store.database import Database, Row, day, moment, stamp, whole
from digest.store.numbers import next_id
from digest.store.subscribers import digests_of, preferences_of, subscriber_of

# The link in a letter ends after 48 hours. A letter is sent in seconds: one that was taken longer ago was left.
LETTER_LIFE = timedelta(hours=48)
LETTER_HELD = timedelta(minutes=10)
# So long an edition waits for its mail at most, which is to go out within eight days, and expires some days later.
WAITS_MOST = timedelta(days=30)
_READERS = 500  # read at once
# In the JSON of preferences. A quotation mark in a reader's own words is escaped there, so that none of them passes for this.
_WISH = '%"empty":true%'


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
    def queue_notices(
        self,
        digest: str,
        day: date,
        *,
        due: Callable[[Preferences], datetime | None],
        message_id: Callable[[int], str],
        now: datetime,
    ) -> int:
        """Queues a notice that `digest` had no edition on `day` to each of its readers who wants to hear that; how many are new.

        One for each reader and day, however often it is asked for. Of who gets one mail in some days, one waits and says what the
        last of them was like.
        """
        count = 0
        with self._db.writing():
            for number, preferences in self._wishers(digest):
                at = due(preferences)
                if at is None:
                    continue
                facts = {
                    "subscriber_id": number,
                    "digest": digest,
                    "day": day.isoformat(),
                    "due_at": stamp(at),
                    "now": stamp(now),
                }
                if self._db.run("renew_notice", **facts) or self._db.value(
                    "has_notice", subscriber_id=number, digest=digest, day=day.isoformat()
                ):
                    continue
                self._db.run(
                    "queue_notice", id=next_id(self._db, "letter"), message_id=message_id(number), **facts
                )
                count += 1
        return count

    @whole
    def reschedule_notices(self, number: int, due: Callable[[datetime], datetime], *, now: datetime) -> None:
        """Moves the notices that wait for a subscriber to the hour that they chose: `due` of now."""
        with self._db.writing():
            self._db.run("move_notices", subscriber_id=number, due_at=stamp(due(now)), now=stamp(now))

    def next_notice_of(self, number: int) -> datetime | None:
        """When the next notice to a subscriber is due; None where none waits."""
        with self._db.reading():
            at = self._db.value("next_notice_of", subscriber_id=number)
        return moment(at) if at else None

    def has_wishers(self) -> bool:
        """Is there a reader who wants to hear when there is nothing?"""
        with self._db.reading():
            return bool(self._db.rows("wishers_after", id=0, wish=_WISH, limit=1))

    def _wishers(self, digest: str) -> Iterator[tuple[int, Preferences]]:
        after = 0
        while rows := self._db.rows("wishers_after", id=after, wish=_WISH, limit=_READERS):
            for number, digests, preferences in rows:
                if digest in (digests_of(digests) or (digest,)):
                    yield number, preferences_of(preferences)
            after = rows[-1][0]

    def letters_of(self, number: int) -> list[tuple[str, str, str, datetime]]:
        """Kind, digest ("" where it is about none), status and date of all letters to a subscriber, oldest first."""
        with self._db.reading():
            rows = self._db.rows("letters_of", subscriber_id=number)
        return [(kind, digest, status, moment(at)) for kind, digest, status, at in rows]

    def claim_letters(self, *, now: datetime, holder: str, limit: int) -> list[Letter]:
        """Up to `limit` letters that somebody asked for to send now, marked as being sent by `holder`; also those that were taken
        ten minutes ago and not finished.

        The status of its subscriber is asked anew: who has answered by now needs no question, and who has left no link to
        their choices. Such a letter expires, and one that is older than its link is good for.
        """
        return self._claim_all("due_letters", _is_wanted, now, holder, limit)

    def claim_notices(
        self,
        *,
        now: datetime,
        holder: str,
        limit: int,
        heard_since: Callable[[Preferences, datetime], datetime],
    ) -> list[Letter]:
        """The same of notices, which expire for who has left, wants none any more, or gets an edition after all: one that waits, or
        was due from the moment on that `heard_since` gives for that of the notice."""

        def is_wanted(letter: Letter) -> bool:
            reader, since = letter.subscriber, heard_since(letter.subscriber.preferences, letter.date)
            return _wants_notice(reader, letter.digest) and not self._db.value(
                "hears_of_edition",
                subscriber_id=reader.id,
                digest=letter.digest,
                since=stamp(since),
                oldest=(since - WAITS_MOST).date().isoformat(),
            )

        return self._claim_all("due_notices", is_wanted, now, holder, limit)

    def _claim_all(
        self, query: str, is_wanted: Callable[[Letter], bool], now: datetime, holder: str, limit: int
    ) -> list[Letter]:
        claimed: list[Letter] = []
        while len(claimed) < limit:
            # Of many that nobody wants any more: others write in between.
            good, expired = self._claim_some(query, is_wanted, now, holder, limit - len(claimed))
            claimed += good
            if not expired:
                break
        return claimed

    @whole
    def _claim_some(
        self, query: str, is_wanted: Callable[[Letter], bool], now: datetime, holder: str, limit: int
    ) -> tuple[list[Letter], bool]:
        at = stamp(now)
        with self._db.writing():
            rows = self._db.rows(query, now=at, abandoned=stamp(now - LETTER_HELD), limit=limit)
            found = [_letter_of(row) for row in rows]
            good = [letter for letter in found if now - letter.date <= LETTER_LIFE and is_wanted(letter)]
            old = [{"id": letter.id, "now": at} for letter in found if letter not in good]
            self._db.many("expire_letter", old)
            self._db.many("start_letter", [{"id": letter.id, "holder": holder, "now": at} for letter in good])
        return good, bool(old)

    @whole
    def keep_letters(self, letters: Sequence[Letter], holder: str, *, now: datetime) -> None:
        """They are in the hand of `holder` still: whoever has not heard of them for LETTER_HELD takes them for left."""
        with self._db.writing():
            fields = [{"id": letter.id, "holder": holder, "now": stamp(now)} for letter in letters]
            self._db.many("keep_letter", fields)

    @whole
    def put_back_letters(self, letters: Sequence[Letter], *, now: datetime, holder: str = "") -> None:
        """They were claimed and not tried: they are due as before. With a `holder` only those that it holds still."""
        if letters:
            with self._db.writing():
                fields = [{"id": letter.id, "holder": holder, "now": stamp(now)} for letter in letters]
                self._db.many("put_back_letter", fields)

    @whole
    def record_letter(
        self,
        number: int,
        status: Literal["accepted", "queued", "rejected"],
        *,
        retry_at: datetime | None = None,
        now: datetime,
        holder: str = "",
    ) -> None:
        """What became of the letter of this number; "queued" is to be tried again at `retry_at`, at once if not given. Of a
        `holder` an answer other than accepted counts only while it holds the letter."""
        with self._db.writing():
            if status == "accepted":
                self._db.run("letter_accepted", id=number, now=stamp(now))
            else:
                self._db.run(
                    "letter_not_accepted",
                    id=number,
                    status=status,
                    retry_at=stamp(retry_at or now),
                    holder=holder,
                    now=stamp(now),
                )

    def next_letter(self, *, notices: bool = False) -> datetime | None:
        """When there is a letter to send next, with `notices` one of these; None where none waits. One in a process's hand counts
        from when it would be taken for left."""
        with self._db.reading():
            waits, held = self._db.one("next_notices" if notices else "next_letters") or (None, None)
        moments = [moment(waits)] if waits else []
        # A microsecond later, since it is left for longer than LETTER_HELD then.
        moments += [moment(held) + LETTER_HELD + timedelta(microseconds=1)] if held else []
        return min(moments, default=None)


def _letter_of(row: Row) -> Letter:
    number, kind, message_id, date, attempt, digest, listed_on, *subscriber = row
    return Letter(
        id=number,
        kind=kind,
        subscriber=subscriber_of(subscriber),
        message_id=message_id,
        date=moment(date),
        attempt=attempt + 1,
        digest=digest,
        day=day(listed_on),
    )


def _is_wanted(letter: Letter) -> bool:
    if letter.kind == "confirm":
        return letter.subscriber.status == "pending"
    return letter.subscriber.status in ON_THE_LIST


def _wants_notice(reader: Subscriber, digest: str) -> bool:
    return reader.status == "confirmed" and reader.preferences.empty and reader.reads(digest)
