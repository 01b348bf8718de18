"""Who asked for mail, and who has left."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

import msgspec

from digest.addresses import ascii_domain
from digest.errors import StoreError
from digest.model import Preferences, Subscriber
from digest.store.database import Database, Row, day, moment, stamp
from digest.store.known import plain

# Most readers chose the same: what was read once is shared.
_list = lru_cache(4096)(msgspec.json.Decoder(tuple[str, ...]).decode)
_preferences = lru_cache(4096)(msgspec.json.Decoder(Preferences).decode)


def fold(address: str) -> str:
    """One spelling per mailbox: case folded, the domain as A-labels. (By RFC 5321 local parts may differ by case.)"""
    local, _, domain = plain(address).strip().rpartition("@")
    host = domain.lower() if domain.isascii() else ascii_domain(domain)
    if host is None:
        raise StoreError(f'"{plain(address)}" is no address: its domain cannot exist. Check the spelling.')
    return f"{local.casefold()}@{host}"


def subscriber_of(row: Row) -> Subscriber:
    number, address, status, digests, preferences, since, changed_at, nonce, consent, paused_until = row
    return Subscriber(
        id=number,
        address=address,
        status=status,
        digests=_list(digests),
        preferences=_preferences(preferences),
        since=moment(since),
        changed_at=moment(changed_at),
        nonce=nonce,
        consent=consent,
        paused_until=day(paused_until),
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


class Subscribers:
    """The part of the store that knows subscribers."""

    _db: Database

    def add_subscriber(
        self, address: str, *, digests: Sequence[str], now: datetime
    ) -> tuple[Subscriber, bool]:
        """The subscriber, confirmed, and whether the address was not on the list before. `digests` empty: every digest.

        Who unsubscribed is confirmed again; for who is on the list the digests are added. Raises StoreError for a suppressed
        address: its mailbox refused our mail or complained of it.
        """
        with self._db.writing():
            row = self._db.one("subscriber", folded=fold(address))
            if row is None:
                self._insert_subscriber(address, digests, now)
                added = True
            else:
                added = self._confirm(subscriber_of(row), address, digests, now)
            found = self._db.one("subscriber", folded=fold(address))
        assert found is not None
        return subscriber_of(found), added

    def _insert_subscriber(self, address: str, digests: Sequence[str], now: datetime) -> None:
        self._db.run(
            "insert_subscriber",
            id=int(self._db.value("next_subscriber_id")),
            folded=fold(address),
            address=plain(address).strip(),
            status="confirmed",
            digests=_json(list(dict.fromkeys(digests))),
            preferences="{}",
            since=stamp(now),
            now=stamp(now),
            nonce=secrets.token_hex(8),
            consent="operator",
        )

    def _confirm(self, known: Subscriber, address: str, digests: Sequence[str], now: datetime) -> bool:
        if known.status == "suppressed":
            raise StoreError(
                f"{known.address} is suppressed: its mailbox refused our mail or complained of it. It was not added. "
                "Ask its owner for another address."
            )
        on_the_list = known.status == "confirmed"
        wanted = tuple(digests)
        if on_the_list:
            wanted = tuple(dict.fromkeys((*known.digests, *digests))) if known.digests and digests else ()
        self._db.run(
            "change_subscriber",
            id=known.id,
            address=known.address if on_the_list else plain(address).strip(),
            status="confirmed",
            digests=_json(wanted),
            since=stamp(known.since if on_the_list else now),
            now=stamp(now),
        )
        return not on_the_list

    def remove_subscriber(self, address: str, *, now: datetime) -> bool:
        """Unsubscribes; True when the address was on the list. What was queued for it is suppressed in the same transaction."""
        with self._db.writing():
            row = self._db.one("subscriber", folded=fold(address))
            if row is None:
                return False
            known = subscriber_of(row)
            self._db.run("suppress_deliveries_of", subscriber_id=known.id, now=stamp(now))
            if known.status in ("unsubscribed", "suppressed"):
                return False
            self._db.run("unsubscribe", id=known.id, now=stamp(now))
            return True

    def subscriber(self, address: str) -> Subscriber | None:
        """The subscriber of this address, in whatever spelling and status."""
        with self._db.reading():
            row = self._db.one("subscriber", folded=fold(address))
        return subscriber_of(row) if row else None

    def subscribers(self, status: str | None = None) -> list[Subscriber]:
        """All subscribers, or those of one status, in the order in which they came."""
        with self._db.reading():
            if status is None:
                return [subscriber_of(row) for row in self._db.rows("subscribers")]
            return [subscriber_of(row) for row in self._db.rows("subscribers_of_status", status=status)]
