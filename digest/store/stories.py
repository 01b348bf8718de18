"""The story of a paper: all that the store knows of it. And which paper is meant by what somebody typed."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime

from msgspec import Struct

from digest import identity
from digest.model import Announce, Paper, SightingStatus, Stream, edition_id
from digest.store import known
from digest.store.corrections import Head, strength
from digest.store.database import Database, Row, day, moment
from digest.utf8 import plain

WALK = 1000  # papers of one step of the search by words


class Seen(Struct, frozen=True, kw_only=True):
    """The first time that a source showed the paper on a listing day. `matched_by` is the key that led to it, None where it
    was met for the first time."""

    source: str
    listed_on: date | None
    seen_at: datetime
    status: SightingStatus
    matched_by: str | None
    announce: Announce | None


class Offered(Struct, frozen=True, kw_only=True):
    """What became of the paper in a digest. `reason` names the rule that kept or dropped it; `edition` the last that showed it."""

    digest: str
    state: str
    stream: Stream
    reason: str
    source: str
    found_at: datetime
    listed_on: date | None
    edition: str | None


class Stood(Struct, frozen=True, kw_only=True):
    """An edition in which the paper stands, at which place, and its deliveries by status."""

    digest: str
    edition: str
    number: int
    position: int
    deliveries: dict[str, int]


class Said(Struct, frozen=True, kw_only=True):
    """A correction by hand: these two keys are "one" paper, or "two"."""

    relation: str
    left: str
    right: str
    made_at: datetime


class LookedUp(Struct, frozen=True, kw_only=True):
    """A search for the paper elsewhere; `retry_at` is None where it is not to be repeated."""

    looked_up_at: datetime
    outcome: str
    service: str
    attempts: int
    retry_at: datetime | None


class Story(Struct, frozen=True, kw_only=True):
    """All that is known of one paper. `keys` are those that lead to it; `joined` the papers that turned out to be it."""

    id: int
    paper: Paper
    first_seen: datetime
    announced_on: date | None
    keys: tuple[str, ...]
    joined: tuple[Head, ...]
    corrections: tuple[Said, ...]
    sightings: tuple[Seen, ...]
    offers: tuple[Offered, ...]
    editions: tuple[Stood, ...]
    lookups: tuple[LookedUp, ...]


class Stories:
    """The part of the store that tells what it knows of a paper."""

    _db: Database

    def story(self, paper_id: int) -> Story | None:
        """Everything known of a paper, also under the number of a row that was joined to it; None for an unknown number.

        No subscriber is named: deliveries are counted.
        """
        with self._db.reading():
            winner = self._db.value("winner_of", paper_id=paper_id)
            return None if winner is None else self._story(int(winner))

    def find_papers(self, text: str, limit: int = 10) -> list[Head]:
        """The papers that a user may mean: a key, arXiv id, DOI or address leads to one, a title to those that have it, and
        words to the papers whose titles have all of them, shortest title first. Empty where there is none."""
        with self._db.reading():
            for asked in _spellings(text):
                if found := self._owners(asked, also_numbered=asked == [identity.title_key(text)]):
                    return found[:limit]
            words = _words(text)
            heads = [head for head in self._heads() if words <= _words(head.title)] if words else []
        return sorted(heads, key=lambda head: (len(head.title), head.id))[:limit]

    def nearest_papers(self, text: str, limit: int = 5) -> list[Head]:
        """The papers whose titles have most words of a text that no title has in full, best first."""
        words = _words(text)
        with self._db.reading():
            ranked = [(len(words & _words(head.title)), head) for head in self._heads()]
        ranked = [found for found in ranked if found[0]]
        ranked.sort(key=lambda found: (-found[0], len(found[1].title), found[1].id))
        return [head for _, head in ranked[:limit]]

    def find_keys(self, text: str) -> list[str]:
        """The stored keys that a text spells: the key itself, an arXiv id, a DOI, an address or a title."""
        with self._db.reading():
            for asked in _spellings(text):
                found = {key for key, _ in self._db.rows("known_keys", keys=self._db.array(asked))}
                if found:
                    return [key for key in asked if key in found]
        return []

    def _owners(self, keys: list[str], *, also_numbered: bool) -> list[Head]:
        rows = self._db.rows("known_keys", keys=self._db.array(keys))
        if also_numbered:  # further papers of the same title
            rows += self._db.rows("key_slots", first=f"{keys[0]}#", last=f"{keys[0]}$")
        winners = dict.fromkeys(int(self._db.value("winner_of", paper_id=row)) for _, row in rows)
        return [_head(self._db.rows("rows_of_paper", paper_id=winner)[0]) for winner in winners]

    def _heads(self) -> Iterator[Head]:
        last = 0
        while rows := self._db.rows("papers_after", paper_id=last, limit=WALK):
            for row, content in rows:
                last, paper = row, known.decode(content)
                yield Head(id=row, key=paper.key, title=paper.title)

    def _story(self, paper_id: int) -> Story:
        first, *joined = self._db.rows("rows_of_paper", paper_id=paper_id)
        keys = [key for key, _ in self._db.rows("keys_of_paper", paper_id=paper_id)]
        return Story(
            id=paper_id,
            paper=known.decode(first[2]),
            first_seen=min(moment(row[5]) for row in (first, *joined)),
            announced_on=day(first[3]),
            keys=tuple(sorted(keys, key=strength)),
            joined=tuple(_head(row) for row in joined),
            corrections=self._corrections(set(keys)),
            sightings=tuple(_seen(row) for row in self._db.rows("sightings_of_paper", paper_id=paper_id)),
            offers=tuple(_offered(row) for row in self._db.rows("offers_of_paper", paper_id=paper_id)),
            editions=self._editions(paper_id),
            lookups=tuple(_looked_up(row) for row in self._db.rows("lookups_of_paper", paper_id=paper_id)),
        )

    def _corrections(self, keys: set[str]) -> tuple[Said, ...]:
        return tuple(
            Said(relation=relation, left=left, right=right, made_at=moment(made_at))
            for _, made_at, relation, left, right in self._db.rows("corrections")
            if left in keys or right in keys
        )

    def _editions(self, paper_id: int) -> tuple[Stood, ...]:
        counts: defaultdict[int, dict[str, int]] = defaultdict(dict)
        for edition, status, count in self._db.rows("delivery_counts_of_paper", paper_id=paper_id):
            counts[edition][status] = count
        return tuple(
            Stood(
                digest=digest,
                edition=edition_id(dated, part),
                number=number,
                position=position,
                deliveries=counts[row],
            )
            for row, digest, dated, part, number, position in self._db.rows(
                "editions_of_paper", paper_id=paper_id
            )
        )


def _spellings(text: str) -> list[list[str]]:
    """The keys that a text may be, in steps: as it stands, as an id or an address, as a title."""
    text = " ".join(plain(text).split())
    steps = [
        [text],
        [*identity.id_keys({"doi": text}, {}), *identity.ladder({}, {"abstract": text}, "", "")],
        [identity.title_key(text)],
    ]
    return [[key for key in dict.fromkeys(step) if key] for step in steps if any(step)]


def _words(text: str) -> set[str]:
    """The words of a text in one spelling, without accents."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return set(re.findall(r"\w+", plain))


def _head(row: Row) -> Head:
    return Head(id=row[0], key=row[1], title=known.decode(row[2]).title)


def _seen(row: Row) -> Seen:
    source, listed_on, seen_at, status, matched_by, announce = row
    return Seen(
        source=source,
        listed_on=day(listed_on),
        seen_at=moment(seen_at),
        status=status,
        matched_by=matched_by,
        announce=announce,
    )


def _offered(row: Row) -> Offered:
    digest, state, change, reason, source, found_at, listed_on, dated, part = row
    return Offered(
        digest=digest,
        state=state,
        stream=change,
        reason=reason,
        source=source,
        found_at=moment(found_at),
        listed_on=day(listed_on),
        edition=None if dated is None else edition_id(dated, part),
    )


def _looked_up(row: Row) -> LookedUp:
    _, looked_up_at, outcome, attempts, retry_at, service, _ = row
    return LookedUp(
        looked_up_at=moment(looked_up_at),
        outcome=outcome,
        service=service,
        attempts=attempts,
        retry_at=moment(retry_at) if retry_at else None,
    )
