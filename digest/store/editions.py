"""Editions as issued: frozen snapshots, and in the same transaction what became of the candidates and who is to get a mail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime

import msgspec
from msgspec import Struct

from digest.errors import StoreError
from digest.model import Decision, Edition, EditionHead, EditionTitles, Subscriber, edition_id
from digest.store.database import Database, Row, decoder, moment, stamp
from digest.store.jobs import Jobs, Spans, held_jobs
from digest.store.known import decode_edition, encode
from digest.store.numbers import next_id
from digest.store.subscribers import subscriber_of
from digest.utf8 import plain

_decode_titles = decoder(EditionTitles)
WALK = 20  # editions held in memory at once by all_editions
READERS = 1000  # and readers while their deliveries are queued


class Planned(Struct, frozen=True, kw_only=True):
    """A delivery to be: its Message-ID and Date, and when it is to go out."""

    message_id: str
    date: datetime
    due_at: datetime


def head_of(digest: str, day: str, part: int, number: int, papers: int) -> EditionHead:
    return EditionHead(
        id=edition_id(day, part),
        digest=digest,
        date=date.fromisoformat(day),
        part=part,
        number=number,
        papers=papers,
    )


class Editions(Jobs):
    """The part of the store that knows editions."""

    _db: Database

    def feed_authority(self, default: str = "") -> str:
        """The host in every tag URI: the first one ever asked for, so that guids stay when the site moves. "" where there is none
        yet, and no default."""
        with self._db.reading():
            stored = self._db.value("meta_value", key="feed_authority")
        if stored is None and not default:
            return ""
        if stored is None:
            with self._db.writing():
                self._db.run("set_meta_once", key="feed_authority", value=default)
                stored = self._db.value("meta_value", key="feed_authority")
        return str(stored)

    def next_number(self, digest: str) -> int:
        """The number of the digest's next edition, counted from 1."""
        with self._db.reading():
            return int(self._db.value("next_number", digest=digest))

    def next_part(self, digest: str, day: date) -> int:
        """1 when the digest has no edition of that date yet."""
        with self._db.reading():
            return int(self._db.value("next_part", digest=digest, date=day.isoformat()))

    def previous_day(self, digest: str, day: date) -> date | None:
        """The date of the digest's newest edition that is dated on `day` or before; None when there is none."""
        with self._db.reading():
            found = self._db.value("previous_day", digest=digest, date=day.isoformat())
        return date.fromisoformat(found) if found else None

    def issue(
        self,
        edition: Edition,
        decisions: Sequence[Decision],
        deliveries: Callable[[Subscriber], Planned | None],
        *,
        batch: int = 0,
    ) -> int:
        """Issues an edition in one transaction; how many deliveries were queued.

        Stored are its snapshot and entries, the kept candidates as issued, the rejected ones as dropped with their reason,
        and one delivery for each confirmed subscriber of the digest as `deliveries` plans it (None: no mail for this one). Earlier
        deliveries that still wait for an hour of theirs, and were not tried yet, are joined to the new one of their reader.
        With `batch` workers send them: a job for each moment at which some are due and up to so many of them, held back until
        the pages are there (release_deliveries).
        Raises StoreError, and changes nothing, when this digest has this date and part already or a kept paper was issued before.
        """
        with self._db.writing():
            self._refuse_repeats(edition, decisions)
            row = int(self._db.value("next_edition_id"))
            self._insert_edition(row, edition)
            self._mark(edition.digest, decisions, row)
            spans = Spans(row, batch) if batch else None
            queued = self._queue(row, edition, deliveries, spans)
            if spans is not None:
                self.enqueue(list(held_jobs(spans.all(), edition.issued_at)))
            return queued

    def _refuse_repeats(self, edition: Edition, decisions: Sequence[Decision]) -> None:
        digest, day = edition.digest, edition.date.isoformat()
        if self._db.value("edition", digest=digest, date=day, part=edition.part) is not None:
            raise StoreError(
                f'"{digest}" has its edition {edition.id} already; it was issued by another run. Nothing was changed. '
                'Run again for the papers that wait, or use "digest run --again".'
            )
        for decision in decisions:
            if (
                decision.kept
                and self._db.value("offer_state", digest=digest, paper_id=decision.paper_id) == "issued"
            ):
                raise StoreError(
                    f'A paper of edition {edition.id} of "{digest}" was issued before (paper {decision.paper_id}). '
                    "Nothing was changed. Run again."
                )

    def _insert_edition(self, row: int, edition: Edition) -> None:
        self._db.run(
            "insert_edition",
            id=row,
            digest=edition.digest,
            date=edition.date.isoformat(),
            part=edition.part,
            number=edition.number,
            papers=edition.count,
            issued_at=stamp(edition.issued_at),
            snapshot=encode(edition),
        )
        keys = [plain(entry.paper.key) for entry in edition.entries]
        owners: dict[str, int] = dict(self._db.rows("known_keys", keys=self._db.array(keys))) if keys else {}
        self._db.many(
            "insert_entry",
            [
                {"edition_id": row, "position": position, "key": key, "paper_id": owners.get(key)}
                for position, key in enumerate(keys, 1)
            ],
        )

    def _mark(self, digest: str, decisions: Sequence[Decision], edition: int | None) -> None:
        fields = [
            {"digest": digest, "paper_id": d.paper_id, "reason": plain(d.reason)}
            for d in decisions
            if not d.kept
        ]
        self._db.many("mark_dropped", fields)
        if edition is not None:
            kept = [d for d in decisions if d.kept]
            self._db.many(
                "mark_issued",
                [
                    {
                        "digest": digest,
                        "paper_id": d.paper_id,
                        "reason": plain(d.reason),
                        "edition_id": edition,
                    }
                    for d in kept
                ],
            )

    def _queue(
        self,
        row: int,
        edition: Edition,
        deliveries: Callable[[Subscriber], Planned | None],
        spans: Spans | None,
    ) -> int:
        """One delivery for each reader, in their order, some thousands in memory at once."""
        first = number = next_id(self._db, "delivery")
        issued_at, queued = stamp(edition.issued_at), 0
        for readers in self._readers():
            rows = []
            for reader in readers:
                if not reader.reads(edition.digest):
                    continue
                number, delivery_id = number + 1, number
                if (planned := deliveries(reader)) is None:
                    continue
                date, due_at = stamp(planned.date), stamp(planned.due_at)
                rows.append((delivery_id, reader.id, planned.message_id, date, due_at))
                if spans is not None:
                    spans.add(delivery_id, planned.due_at)
            if rows:
                given = msgspec.json.encode(rows).decode()
                queued += self._db.run("queue_deliveries", rows=given, edition_id=row, now=issued_at)
        self._join(row, edition, first, number)
        return queued

    def _join(self, row: int, edition: Edition, first: int, last: int) -> None:
        """What waits of earlier editions goes with the deliveries `first` to `last` of this one; in parts, as a database
        keeps in memory what one statement is going to change."""
        issued_at, at = stamp(edition.issued_at), {"due_at": "", "id": 0}
        while waiting := self._db.rows("queued_before", first=first, limit=READERS, **at):
            ids = self._db.array([number for _, number in waiting])
            self._db.run("join_waiting", ids=ids, digest=edition.digest, edition_id=row, issued_at=issued_at)
            at = {"due_at": waiting[-1][0], "id": waiting[-1][1]}
        for lead in range(first, last + 1, READERS):
            self._db.run("follow_joined", first=lead, last=lead + READERS - 1, now=issued_at)

    def _readers(self) -> Iterator[list[Subscriber]]:
        """All confirmed subscribers, in the order in which they came."""
        rows: list[Row] = []
        while not rows or len(rows) == READERS:
            after = rows[-1][0] if rows else 0
            rows = self._db.rows("subscribers_after", status="confirmed", id=after, limit=READERS)
            if not rows:
                return
            yield [subscriber_of(row) for row in rows]

    def drop(self, digest: str, decisions: Sequence[Decision]) -> None:
        """Notes the rejected candidates, with their reason, where no edition came of the rest."""
        with self._db.writing():
            self._mark(digest, decisions, None)

    def edition(self, digest: str, day: date, part: int = 1) -> Edition | None:
        """One edition as it was issued; None when there is none."""
        with self._db.reading():
            snapshot = self._db.value("edition", digest=digest, date=day.isoformat(), part=part)
        return None if snapshot is None else decode_edition(snapshot)

    def edition_titles(self, digest: str, day: date, part: int) -> EditionTitles | None:
        """An edition with nothing of its papers but the titles."""
        with self._db.reading():
            snapshot = self._db.value("edition", digest=digest, date=day.isoformat(), part=part)
        return None if snapshot is None else _decode_titles(snapshot)

    def latest_editions(self, digest: str, *, limit: int, since: date | None = None) -> list[Edition]:
        """The newest `limit` editions, and beyond them all since a date; newest first, in the order of their numbers."""
        with self._db.reading():
            rows = self._db.rows(
                "latest_editions",
                digest=digest,
                limit=limit,
                since=since.isoformat() if since else "9999-99-99",
            )
        return [decode_edition(snapshot) for (snapshot,) in rows]

    def newest_issued(self, digest: str) -> datetime | None:
        """When a digest had its newest edition; None where it had none."""
        with self._db.reading():
            issued_at = self._db.value("newest_issued", digest=digest)
        return moment(issued_at) if issued_at else None

    def all_editions(self, digest: str) -> Iterator[Edition]:
        """Every edition, oldest first, a few at a time in memory."""
        day, part = "", 0
        while True:
            with self._db.reading():
                rows = self._db.rows("editions_after", digest=digest, date=day, part=part, limit=WALK)
            for row in rows:
                day, part = row[0], row[1]
                yield decode_edition(row[2])
            if len(rows) < WALK:
                return

    def edition_heads(self, digest: str) -> list[EditionHead]:
        """Date, part, number and size of every edition, oldest first, without the papers."""
        with self._db.reading():
            rows = self._db.rows("edition_heads", digest=digest)
        return [head_of(digest, *row) for row in rows]
