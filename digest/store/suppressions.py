"""Which addresses must get no mail, and how often one was asked for consent: kept as keyed hashes, never as addresses."""

from __future__ import annotations

import hmac
import os
from datetime import UTC, datetime, timedelta

from digest.addresses import ascii_domain
from digest.errors import StoreError
from digest.model import Suppression
from digest.store.database import Database, moment, stamp
from digest.utf8 import plain


def fold(address: str) -> str:
    """One spelling per mailbox: case folded, the domain as A-labels. (By RFC 5321 local parts may differ by case.)"""
    local, _, domain = plain(address).strip().rpartition("@")
    host = domain.lower() if domain.isascii() else ascii_domain(domain)
    if host is None:
        raise StoreError(f'"{plain(address)}" is no address: its domain cannot exist. Check the spelling.')
    return f"{local.casefold()}@{host}"


def secret_of(db: Database) -> bytes:
    """Inside of a transaction that may write: the key of this store, made when it is first asked for."""
    found = db.value("meta_value", key="secret")
    if found is None:
        db.run("set_meta_once", key="secret", value=os.urandom(32).hex())
        found = db.value("meta_value", key="secret")
    return bytes.fromhex(found)


def own_secret(db: Database) -> bytes:
    """The same, outside of a transaction."""
    with db.reading():
        stored = db.value("meta_value", key="secret")
    if stored is not None:
        return bytes.fromhex(stored)
    with db.writing():
        return secret_of(db)


def hashed(db: Database, folded: str, what: str = "address") -> str:
    """The hash under which an address is remembered, from its folded spelling: HMAC-SHA256 with the key of the store.
    `what` "reader" is for letters to a reader, which are counted apart."""
    return hashed_with(secret_of(db), folded, what)


def hashed_with(secret: bytes, folded: str, what: str = "address") -> str:
    """The same with the key of whichever store."""
    return hmac.digest(secret, f"{what}\0{folded}".encode(), "sha256").hex()


def suppression_of(db: Database, hash_: str) -> Suppression | None:
    row = db.one("suppression", hash=hash_)
    return Suppression(reason=row[0], since=moment(row[1])) if row else None


def asking(db: Database, folded: str, *, reader: bool = False) -> str:
    """The hash under which it is counted how often an address was asked. It is that of the mailbox: of addresses that differ
    behind a plus (RFC 5233) whoever knows one can write as many as they like, and all of them fill the same inbox."""
    return hashed(db, _mailbox(folded), "reader" if reader else "address")


# Here dots in the local part mean nothing either.
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})


def _mailbox(folded: str) -> str:
    local, _, domain = folded.rpartition("@")
    name = local.partition("+")[0]
    if domain in _DOTLESS:
        name, domain = name.replace(".", ""), "gmail.com"
    return f"{name or local}@{domain}"


class Suppressions:
    """The part of the store that remembers addresses without keeping them."""

    _db: Database

    def secret(self) -> bytes:
        """32 random bytes that belong to this store, the same for ever: the key of tokens and of hashes."""
        return own_secret(self._db)

    def suppression(self, address: str) -> Suppression | None:
        """Why this address, in whatever spelling, gets no mail; None for one that may be asked."""
        self.secret()
        with self._db.reading():
            return suppression_of(self._db, hashed(self._db, fold(address)))

    def bounced_since(self, since: datetime) -> int:
        """How many addresses were suppressed after `since` because their mail failed."""
        with self._db.reading():
            return int(self._db.value("bounced_since", since=stamp(since)))

    def asked(self, address: str, *, reader: bool = False) -> tuple[int, datetime | None]:
        """How often this mailbox was asked whether it wants mail since it last agreed, and when last; of a `reader`, how often
        a letter with the link to their choices went there. Addresses that differ only behind a plus are one mailbox."""
        self.secret()
        with self._db.reading():
            row = self._db.one("asked", hash=asking(self._db, fold(address), reader=reader))
        return (row[0], moment(row[1])) if row else (0, None)

    def note_asked(self, address: str, *, now: datetime, reader: bool = False) -> None:
        """Notes that this address is asked now."""
        with self._db.writing():
            found = asking(self._db, fold(address), reader=reader)
            self._db.run("note_asked", hash=found, asked_at=stamp(now))

    def note_nothing(self, *, now: datetime) -> None:
        """Writes as much as `note_asked` does and says nothing: so that nobody hears from the time it takes who is known."""
        with self._db.writing():
            self._db.run("set_meta", key="asked_in_vain", value=stamp(now))

    def add_score(self, number: int, points: float, *, now: datetime, half_life: timedelta) -> float:
        """The score of a subscriber's failed mails: what it was, halved for every `half_life` since, and these points.

        Only one failure of a day (UTC) counts, so that a bad hour of a server harms nobody; a further one gives the score as
        it stands. 0.0 for an unknown number.
        """
        with self._db.writing():
            row = self._db.one("score", id=number)
            if row is None:
                return 0.0
            score, scored_at = float(row[0]), moment(row[1]) if row[1] else None
            if scored_at is not None:
                if scored_at.date() == now.astimezone(UTC).date():
                    return score
                score *= 0.5 ** max(0.0, (now - scored_at) / half_life)
            score += points
            self._db.run("set_score", id=number, score=score, scored_at=stamp(now))
            return score
