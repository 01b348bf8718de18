"""The diff: which papers of a listing are new, updated or seen, and who is offered them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from msgspec.structs import replace

from digest.model import Candidate, Paper, Sighting
from digest.store import known
from digest.store.database import Database, day, moment
from digest.store.diff import Diff
from digest.utf8 import plain


class Papers:
    """The part of the store that knows papers."""

    _db: Database

    def record_sightings(
        self,
        source: str,
        papers: Sequence[Paper],
        *,
        now: datetime,
        listed_on: date | None,
        followers: Sequence[str],
        updates_for: frozenset[str] | set[str],
    ) -> list[Sighting]:
        """The diff's answer for every paper of a listing, in the same order; all of it in one transaction.

        New papers are stored and wait for the next edition of each follower (the digests that read this source), as does
        a paper that a follower was never offered. `announce` decides the stream (offers.py); `updates_for` names the followers
        that list new versions. A withdrawal is heard by every digest that was sent the paper. Papers must have a title.
        Raises StoreError, and then nothing is changed.
        """
        if not papers:
            return []
        with self._db.writing():
            diff = Diff(
                self._db,
                source=plain(source),
                now=now,
                listed_on=listed_on,
                followers=tuple(followers),
                updates_for=frozenset(updates_for),
            )
            sightings = [diff.sight(paper) for paper in diff.preload(papers)]
            diff.write()
        return [
            s if s.paper is paper else replace(s, paper=paper)
            for s, paper in zip(sightings, papers, strict=True)
        ]

    def waiting(self, digest: str) -> list[Candidate]:
        """The papers that wait for the next edition of a digest, in the order in which they were found."""
        with self._db.reading():
            rows = self._db.rows("waiting", digest=digest)
        return [
            Candidate(
                paper_id=row,
                paper=known.decode(content),
                change=change,
                source=source,
                found_at=moment(found_at),
                listed_on=day(listed_on),
            )
            for row, content, change, source, found_at, listed_on in rows
        ]

    def count_waiting(self, digest: str) -> int:
        with self._db.reading():
            return int(self._db.value("count_waiting", digest=digest))
