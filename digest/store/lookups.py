"""Papers that are known by their title alone, and what was found of them elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from digest import identity
from digest.model import Paper
from digest.store import known
from digest.store.changes import touch
from digest.store.database import Database, Row, moment, stamp
from digest.utf8 import plain

STEP = 50  # papers that one step of the search for unresolved ones reads


class Lookup(Struct, frozen=True, kw_only=True):
    """The last search for a paper elsewhere. `found` is the JSON of the facts that were taken, b"" for none; `retry_at` is None
    where it is not to be looked up again."""

    paper_id: int
    looked_up_at: datetime
    outcome: Literal["hit", "miss", "failed"]
    attempts: int
    retry_at: datetime | None
    service: str
    found: bytes


class Unresolved(Struct, frozen=True, kw_only=True):
    """A paper to look up, as it is known now, and how often that was tried before."""

    paper_id: int
    paper: Paper
    attempts: int


class Lookups:
    """The part of the store that knows what was looked up elsewhere."""

    _db: Database

    def unresolved(self, *, now: datetime, limit: int) -> list[Unresolved]:
        """Up to `limit` issued papers without an id and a page of their own that are due to be looked up, newest first."""
        found: dict[int, Unresolved] = {}
        before = 2**31 - 1
        with self._db.reading():
            while len(found) < limit:
                rows = self._db.rows("unresolved", before=before, now=stamp(now), limit=STEP)
                for _, paper_id, content, attempts in rows:
                    paper = known.decode(content)
                    if _is_nameless(paper):
                        found[paper_id] = Unresolved(paper_id=paper_id, paper=paper, attempts=attempts)
                if len(rows) < STEP:
                    break
                before = rows[-1][0]
        return list(found.values())[:limit]

    def record_lookup(self, lookup: Lookup) -> None:
        """Notes the last search for a paper, in place of the one before. Pages that show what was found are to be written again."""
        with self._db.writing():
            if lookup.found:
                touch(self._db, [lookup.paper_id], reworded=True)
            self._db.run(
                "put_lookup",
                paper_id=lookup.paper_id,
                looked_up_at=stamp(lookup.looked_up_at),
                outcome=lookup.outcome,
                attempts=lookup.attempts,
                retry_at=stamp(lookup.retry_at) if lookup.retry_at else "",
                service=plain(lookup.service),
                found=plain(lookup.found.decode()),
            )

    def lookups_between(self, after: datetime | None, until: datetime) -> list[Lookup]:
        """The searches later than `after` (None: from the first on) up to and with `until`, oldest first."""
        with self._db.reading():
            rows = self._db.rows("lookups_between", after=stamp(after) if after else "", until=stamp(until))
        return [_lookup(row) for row in rows]

    def found_of(self, keys: Sequence[str]) -> dict[str, Paper]:
        """What was found elsewhere of papers, by the key under which an edition shows them.

        Left out is what is theirs no longer: after a correction by hand the ids that were found lead to another paper.
        """
        with self._db.reading():
            return found_of(self._db, keys)


def found_of(db: Database, keys: Sequence[str]) -> dict[str, Paper]:
    """Lookups.found_of, within a transaction."""
    rows = db.rows("found_by_key", keys=db.array([plain(key) for key in keys]))
    found = [(key, winner, known.decode(content)) for key, winner, content in rows]
    owners = _winners(db, [key for _, _, paper in found for key in _id_keys(paper)])
    return {
        key: paper for key, winner, paper in found if any(owners.get(k) == winner for k in _id_keys(paper))
    }


def _winners(db: Database, keys: Sequence[str]) -> dict[str, int]:
    owners: dict[str, int] = dict(db.rows("known_keys", keys=db.array(keys)))
    papers = db.rows("papers_by_id", ids=db.array(list(owners.values())))
    winners = {row[0]: row[1] or row[0] for row in papers}
    return {key: winners[owner] for key, owner in owners.items()}


def _id_keys(paper: Paper) -> list[str]:
    return [plain(key) for key in identity.id_keys(paper.ids, paper.links)]


def _is_nameless(paper: Paper) -> bool:
    return not paper.links.get("abstract") and not identity.known_ids(paper.ids, paper.links)


def _lookup(row: Row) -> Lookup:
    paper_id, looked_up_at, outcome, attempts, retry_at, service, found = row
    return Lookup(
        paper_id=paper_id,
        looked_up_at=moment(looked_up_at),
        outcome=outcome,
        attempts=attempts,
        retry_at=moment(retry_at) if retry_at else None,
        service=service,
        found=found.encode(),
    )
