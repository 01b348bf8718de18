"""Who leaves: by a click, because their mailbox refuses our mail, or with all their data. And what another store knows of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict

from digest.errors import StoreError
from digest.model import ON_THE_LIST
from digest.store.database import Database, day, stamp, whole
from digest.store.numbers import retire_ids
from digest.store.subscribers import by_address, by_number, digests_of, preferences_of
from digest.store.suppressions import asking, fold, hashed, hashed_with, own_secret, secret_of


class Wishes(Struct, frozen=True, kw_only=True):
    """Who gets no mail: folded addresses that left or are suppressed, and the keyed hashes of those that may be known by nothing
    else, with reason and time; they were made with this `secret`. And what all others on the list chose."""

    left: frozenset[str]
    suppressed: frozenset[str]
    hashes: dict[str, tuple[str, str]]
    secret: bytes
    choices: dict[str, Choices]


class Choices(Struct, frozen=True):
    """What a reader on the list chose, as the store keeps it."""

    status: str
    digests: str
    preferences: str
    paused_until: str


class Heard(Struct, frozen=True):
    """How many readers were let go since they wished so elsewhere, how many who are on the list there are not on this one, and
    how many mails that waited here had ended there."""

    let_go: int = 0
    newer: int = 0
    ended: int = 0


_MAILBOX = "mailbox"

# How the mails of an edition (digest, date, part) ended elsewhere, by their Message-ID.
Ended = Callable[[str, str, int], dict[str, str]]


class Leaving:
    """The part of the store that lets subscribers go. What waits for them is suppressed in the same transaction."""

    _db: Database

    def mailbox_note(self) -> bytes:
        """How far the mailbox with their mails was read (app/post.py knows the form); b"" before the first time."""
        with self._db.reading():
            return str(self._db.value("meta_value", key=_MAILBOX) or "").encode()

    def put_mailbox_note(self, note: bytes) -> None:
        """Keeps that in place of what was noted before."""
        if note != self.mailbox_note():
            with self._db.writing():
                self._db.run("set_meta", key=_MAILBOX, value=note.decode())

    @whole
    def leave(self, number: int, *, now: datetime) -> bool:
        """Unsubscribes; False for who is not on the list and was not asked to be, and for an unknown number."""
        with self._db.writing():
            known = by_number(self._db, number)
            if known is None:
                return False
            self._suppress_deliveries(number, now)
            if known.status not in (*ON_THE_LIST, "pending"):
                return False
            self._db.run("set_status", id=number, status="unsubscribed", now=stamp(now))
            return True

    @whole
    def remove_subscriber(self, address: str, *, now: datetime) -> bool:
        """Unsubscribes by address; True when it was on the list."""
        with self._db.writing():
            known = by_address(self._db, fold(address))
            return known is not None and self.leave(known.id, now=now)

    @whole
    def return_subscriber(self, number: int, *, now: datetime) -> bool:
        """Takes an unsubscription back: confirmed again, or paused as before, `since` as it was. False for who is not unsubscribed,
        or was no reader when they left. What was suppressed when they left stays so."""
        with self._db.writing():
            return bool(self._db.run("return_subscriber", id=number, now=stamp(now)))

    def left_as_reader(self, number: int) -> bool:
        """Is there an unsubscription to be taken back? There is none of who was asked only, and did not want to."""
        with self._db.reading():
            return bool(self._db.value("left_as_reader", id=number))

    @whole
    def suppress_subscriber(
        self, number: int, reason: Literal["bounced", "complained"], *, now: datetime
    ) -> bool:
        """This address gets no mail any more, also if it asks again; False for an unknown number, and if it was so already.

        A hash of the address keeps it so beyond the row.
        """
        with self._db.writing():
            known = by_number(self._db, number)
            if known is None or known.status == "suppressed":
                return False
            self._db.run(
                "suppress", hash=hashed(self._db, fold(known.address)), reason=reason, since=stamp(now)
            )
            self._suppress_deliveries(number, now)
            self._db.run("set_status", id=number, status="suppressed", now=stamp(now))
            return True

    @whole
    def allow_address(self, address: str, *, now: datetime) -> bool:
        """Lifts the suppression of an address, which may then ask again: a suppressed subscriber becomes unsubscribed. False
        if there was none."""
        with self._db.writing():
            lifted = self._db.run("lift_suppression", hash=hashed(self._db, fold(address))) > 0
            known = by_address(self._db, fold(address))
            if known is not None and known.status == "suppressed":
                self._db.run("set_status", id=known.id, status="unsubscribed", now=stamp(now))
                self._db.run("set_score", id=known.id, score=0.0, scored_at="")
                lifted = True
            return lifted

    def had_left(self, number: int) -> bool:
        """Whether somebody who is asked now had left before, or been a reader: only they can take that back."""
        with self._db.reading():
            return bool(self._db.value("had_left", id=number))

    @whole
    def expire_pending(self, *, older_than: datetime) -> int:
        """How many subscribers were forgotten because they were asked before `older_than` and did not answer, with the letters
        to them. Who had been a reader before, or had left, is unsubscribed again instead: to be asked, by whomever, does not undo
        that. How often an address was asked stays known."""
        with self._db.writing():
            found = self._db.rows("pending_before", older_than=stamp(older_than))
            for number, had_left in found:
                if had_left:
                    self._db.run("set_status", id=number, status="unsubscribed", now=stamp(older_than))
            self._delete([number for number, had_left in found if not had_left])
            if self._db.value("meta_value", key="to_wipe") is not None:
                self._db.wipe_afterwards()  # also what an earlier process could not finish
            return len(found)

    @whole
    def erase_subscriber(self, address: str, *, now: datetime) -> list[str] | None:
        """Deletes all that is known of an address, whatever its status; None for an unknown one. Gives the Message-IDs of the
        mails to it.

        What stays is a keyed hash, so that it is not subscribed again by mistake ("erased", or why it was suppressed before), nor
        asked more often than any other: how often it was since it last confirmed stays known.
        On SQLite no byte of the address is then in the file of the database or its log (a copy from before a change of the
        schema is another file: copies()). PostgreSQL takes the rows out of every view at once, and overwrites them when it
        vacuums; its own logs and backups are up to who runs it.
        """
        with self._db.writing():
            known = by_address(self._db, fold(address))
            if known is None:
                return None
            found = hashed(self._db, fold(address))
            reason = "bounced" if known.status == "suppressed" else "erased"
            self._db.run("suppress_once", hash=found, reason=reason, since=stamp(now))
            self._db.run("forget_askings", hash=asking(self._db, fold(address), reader=True))
            message_ids = sorted(one for (one,) in self._db.rows("message_ids_of", id=known.id))
            self._delete([known.id])
            return message_ids

    def wishes(self, *, damaged: bool = False) -> Wishes:
        """Who left, was erased, or is suppressed, and what the others chose. Who left and is asked again, by whomever, has left.
        Where the store is `damaged` choices that cannot be read are left out."""
        secret = own_secret(self._db)
        with self._db.reading():
            left, suppressed = (
                {row[1] for row in self._db.rows("folded_by_status", status=name)}
                for name in ("unsubscribed", "suppressed")
            )
            asked = self._db.rows("folded_by_status", status="pending")
            left |= {folded for number, folded in asked if self.had_left(number)}
            hashes = {row[0]: (row[1], row[2]) for row in self._db.rows("all_suppressions")}
        return Wishes(
            left=frozenset(left),
            suppressed=frozenset(suppressed),
            hashes=hashes,
            secret=secret,
            choices=self._choices(damaged),
        )

    def _choices(self, damaged: bool) -> dict[str, Choices]:
        try:
            with self._db.reading():
                rows = self._db.rows("all_choices")
        except StoreError:
            if not damaged:
                raise
            return {}
        found = {row[0]: Choices(*row[1:]) for row in rows if row[1] in ON_THE_LIST}
        return {folded: chosen for folded, chosen in found.items() if _is_sound(chosen)}

    def ended_mails(self, digest: str, dated: str, part: int) -> dict[str, str]:
        """What became of the mails of an edition that do not wait any more, by Message-ID."""
        with self._db.reading():
            return dict(self._db.rows("ended_of", digest=digest, date=dated, part=part))

    @whole
    def respect(self, wishes: Wishes, ended: Ended, *, now: datetime) -> Heard:
        """Lets go who is gone elsewhere: unsubscribed, suppressed or erased as there. Of those who are not known here a hash is
        kept, so that no list brings them in: they may ask again themselves unless they were suppressed. Who is on both lists gets
        what they chose there. Mails that wait here and `ended` there end as they did, where the one store was the other once."""
        with self._db.writing():
            done = 0
            if wishes.secret == secret_of(self._db):
                done = self._end_as(ended, now)
                rows = [
                    {"hash": h, "reason": reason, "since": at} for h, (reason, at) in wishes.hashes.items()
                ]
                self._db.many("suppress_once", rows)
            everybody = [
                row
                for status in (*ON_THE_LIST, "pending", "unsubscribed")
                for row in self._db.rows("folded_by_status", status=status)
            ]
            known = {folded for _, folded in everybody}
            known.update(row[1] for row in self._db.rows("folded_by_status", status="suppressed"))
            for reason, folded in (("erased", wishes.left - known), ("bounced", wishes.suppressed - known)):
                rows = [
                    {"hash": hashed(self._db, each), "reason": reason, "since": stamp(now)}
                    for each in sorted(folded)
                ]
                self._db.many("suppress_once", rows)
            let_go = sum(self._let_go(number, folded, wishes, now) for number, folded in everybody)
            rows = [
                {"folded": folded, "now": stamp(now), **asdict(chosen)}
                for folded, chosen in wishes.choices.items()
            ]
            self._db.many("choose", rows)
            here = {
                row[1] for status in ON_THE_LIST for row in self._db.rows("folded_by_status", status=status)
            }
            return Heard(let_go, len(wishes.choices.keys() - here), done)

    def _end_as(self, ended: Ended, now: datetime) -> int:
        count = 0
        for digest, dated, part in self._db.rows("editions_unsent"):
            how = ended(digest, dated, part)
            unsent = self._db.rows("unsent_of", digest=digest, date=dated, part=part)
            rows = [
                {"id": number, "status": how[message_id], "now": stamp(now)}
                for number, message_id in unsent
                if message_id in how
            ]
            self._db.many("end_alone", rows)
            count += len(rows)
        return count

    def _let_go(self, number: int, folded: str, wishes: Wishes, now: datetime) -> bool:
        reason, _ = wishes.hashes.get(hashed_with(wishes.secret, folded), ("", ""))
        if reason == "erased":
            return self.erase_subscriber(folded, now=now) is not None
        if reason or folded in wishes.suppressed:
            return self.suppress_subscriber(
                number, "complained" if reason == "complained" else "bounced", now=now
            )
        return folded in wishes.left and self.leave(number, now=now)

    def _suppress_deliveries(self, number: int, now: datetime) -> None:
        self._db.run("suppress_joined_of", subscriber_id=number, now=stamp(now))
        self._db.run("suppress_deliveries_of", subscriber_id=number, now=stamp(now))

    def _delete(self, numbers: list[int]) -> None:
        if not numbers:
            return
        retire_ids(self._db)
        ids = [{"id": number} for number in numbers]
        for query in ("delete_letters_of", "delete_deliveries_of", "delete_subscriber"):
            self._db.many(query, ids)
        self._db.wipe_afterwards()


def _is_sound(chosen: Choices) -> bool:
    """A disk may change letters in the midst of a text, of which the database knows nothing."""
    try:
        digests_of(chosen.digests), preferences_of(chosen.preferences), day(chosen.paused_until)
    except StoreError:
        return False
    return True
