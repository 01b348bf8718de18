"""Who asked for mail, and what they chose."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import msgspec

from digest.errors import StoreError
from digest.model import ON_THE_LIST, Preferences, Subscriber, Suppression
from digest.store.database import Database, day, decoder, moment, stamp
from digest.store.numbers import next_id
from digest.store.suppressions import asking, fold, hashed, suppression_of
from digest.utf8 import plain

# Most readers chose the same: what was read once is shared.
digests_of = lru_cache(4096)(decoder(tuple[str, ...]))
preferences_of = lru_cache(4096)(decoder(Preferences))


def subscriber_of(row: Sequence[Any]) -> Subscriber:
    number, address, status, digests, preferences, since, changed_at, nonce, consent, paused_until = row
    return Subscriber(
        id=number,
        address=address,
        status=status,
        digests=digests_of(digests),
        preferences=preferences_of(preferences),
        since=moment(since),
        changed_at=moment(changed_at),
        nonce=nonce,
        consent=consent,
        paused_until=day(paused_until) if status == "paused" else None,
    )


def by_address(db: Database, folded: str) -> Subscriber | None:
    """Inside of a transaction: the subscriber of an address in its folded spelling, in whatever status."""
    row = db.one("subscriber", folded=folded)
    return subscriber_of(row) if row else None


def by_number(db: Database, number: int) -> Subscriber | None:
    """The same by the subscriber's number."""
    row = db.one("subscriber_by_id", id=number)
    return subscriber_of(row) if row else None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _digest_names(digests: Sequence[str]) -> str:
    return _json(list(dict.fromkeys(digests)))


def _refuse_suppressed(address: str, known: Subscriber | None, found: Suppression | None) -> None:
    if found is None and (known is None or known.status != "suppressed"):
        return
    shown = plain(address).strip()
    why = {
        "erased": "its owner left and had all data erased",
        "complained": "its owner complained of our mail",
    }.get(found.reason if found else "", "its mailbox refused our mail")
    raise StoreError(
        f"{shown} is suppressed: {why}. It was not added. Has its owner asked for mail again since, then "
        f"`digest subscribers allow {shown}`; else ask for another address."
    )


class Subscribers:
    """The part of the store that knows subscribers."""

    _db: Database

    # --- to find them

    def subscriber(self, address: str) -> Subscriber | None:
        """The subscriber of this address, in whatever spelling and status."""
        with self._db.reading():
            return by_address(self._db, fold(address))

    def subscriber_by_id(self, number: int) -> Subscriber | None:
        """The subscriber of this number, in whatever status; None where there is none, or none any more."""
        with self._db.reading():
            return by_number(self._db, number)

    def nonce_of(self, number: int) -> str | None:
        """What goes into the tokens of a subscriber (tokens.py); None for an unknown number."""
        found = self.subscriber_by_id(number)
        return found.nonce if found else None

    def subscribers(self, status: str | None = None) -> list[Subscriber]:
        """All subscribers, or those of one status, in the order in which they came."""
        with self._db.reading():
            if status is None:
                return [subscriber_of(row) for row in self._db.rows("subscribers")]
            return [subscriber_of(row) for row in self._db.rows("subscribers_of_status", status=status)]

    # --- to be one

    def add_subscriber(
        self,
        address: str,
        *,
        digests: Sequence[str],
        now: datetime,
        preferences: Preferences | None = None,
        since: datetime | None = None,
        consent: str = "operator",
    ) -> tuple[Subscriber, bool]:
        """The subscriber, confirmed by the word of the operator, and whether the address was not on the list before.

        `digests` empty: every digest; `since` is when they agreed, now if not given. For who is on the list the digests are
        added, and their own choices and pause stay. Raises StoreError for a suppressed address.
        """
        folded = fold(address)
        with self._db.writing():
            known = by_address(self._db, folded)
            _refuse_suppressed(address, known, suppression_of(self._db, hashed(self._db, folded)))
            if known is not None and known.status in ON_THE_LIST:
                merged = (*known.digests, *digests) if known.digests and digests else ()
                self._db.run("set_digests", id=known.id, digests=_digest_names(merged))
            else:
                self._start(
                    known,
                    address,
                    "confirmed",
                    digests,
                    preferences,
                    since=since or now,
                    consent=consent,
                    now=now,
                )
                self._db.run("forget_askings", hash=asking(self._db, folded))
            found = by_address(self._db, folded)
        assert found is not None
        return found, known is None or known.status not in ON_THE_LIST

    def _start(
        self,
        known: Subscriber | None,
        address: str,
        status: str,
        digests: Sequence[str],
        preferences: Preferences | None,
        *,
        since: datetime,
        consent: str,
        now: datetime,
    ) -> None:
        """A row in this status: a new one, or that of `known`, whose nonce stays, so that links in old mails go on."""
        chosen = preferences or (known.preferences if known else Preferences())
        fields = {
            "address": plain(address).strip(),
            "status": status,
            "digests": _digest_names(digests),
            "preferences": _json(chosen),
            "since": stamp(since),
            "consent": consent,
            "now": stamp(now),
        }
        if known is not None:
            self._db.run("restart_subscriber", id=known.id, **fields)
            return
        fields["nonce"] = secrets.token_hex(8)
        self._db.run("insert_subscriber", id=next_id(self._db, "subscriber"), folded=fold(address), **fields)

    def add_pending(
        self, address: str, *, digests: Sequence[str], preferences: Preferences, consent: str, now: datetime
    ) -> Subscriber:
        """The subscriber who is to be asked: new, or one who left or has not answered yet, with these choices, `since` now.

        Who is confirmed, paused or suppressed is given back as they are.
        """
        with self._db.writing():
            known = by_address(self._db, fold(address))
            if known is None or known.status in ("pending", "unsubscribed"):
                self._start(
                    known, address, "pending", digests, preferences, since=now, consent=consent, now=now
                )
            found = by_address(self._db, fold(address))
        assert found is not None
        return found

    def confirm_subscriber(self, number: int, *, now: datetime) -> bool:
        """Makes a pending subscriber a reader, since now; False for any other. An erasure of before is forgotten, and how
        often the address was asked."""
        with self._db.writing():
            if not self._db.run("confirm_subscriber", id=number, now=stamp(now)):
                return False
            reader = by_number(self._db, number)
            assert reader is not None
            folded = fold(reader.address)
            self._db.run("forget_askings", hash=asking(self._db, folded))
            self._db.run("lift_erasure", hash=hashed(self._db, folded))
            return True

    # --- to choose

    def set_choices(
        self,
        number: int,
        *,
        digests: Sequence[str],
        preferences: Preferences,
        paused_until: date | None,
        now: datetime,
    ) -> bool:
        """What a reader wants from now on; False for who is not on the list. With a day they are paused until then."""
        with self._db.writing():
            return bool(
                self._db.run(
                    "set_choices",
                    id=number,
                    digests=_digest_names(digests),
                    preferences=_json(preferences),
                    status="paused" if paused_until else "confirmed",
                    paused_until=paused_until.isoformat() if paused_until else "",
                    now=stamp(now),
                )
            )

    def resume_paused(self, today: date, *, now: datetime) -> int:
        """How many readers go on today, or should have before."""
        with self._db.writing():
            return self._db.run("resume_paused", today=today.isoformat(), now=stamp(now))
