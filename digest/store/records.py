"""What the page of a paper shows: how it looked and looks, who announced it, which editions show it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain

from msgspec import Struct
from msgspec.structs import replace

from digest.editions import is_cut
from digest.identity import NAMELESS, rung
from digest.model import EditionHead, Mention, Paper, PaperRecord, Version, edition_id
from digest.store.database import Database, Row, day, moment
from digest.store.editions import head_of
from digest.store.known import decode, decode_edition
from digest.store.lookups import found_of
from digest.utf8 import plain

_LOOKUP = "lookup:"  # what a service answered to our question is no announcement (pipeline/lookup.py)

# A paper in an edition: digest, key, and the edition's date and part.
Stand = tuple[str, str, str, int]


class Now(Struct, frozen=True):
    """The paper that a key leads to: its number, its own key, when it was first seen, and its facts, completed by what was found
    elsewhere, under the key that was asked for."""

    id: int
    key: str
    first_seen: str
    paper: Paper


class Records:
    """The part of the store that tells the history of what an edition showed."""

    _db: Database

    def records(self, digest: str, keys: Sequence[str]) -> list[PaperRecord]:
        """The records of these papers, in the same order; without those that no edition of the digest shows."""
        with self._db.reading():
            return _records(self._db, digest, [plain(key) for key in dict.fromkeys(keys)])


def _records(db: Database, digest: str, keys: Sequence[str]) -> list[PaperRecord]:
    places = {row[2]: row for row in db.rows("places_by_key", digest=digest, keys=db.array(keys))}
    shown = [key for key in keys if key in places]
    found = papers_now(db, shown)
    papers = current_papers(db, [(digest, key, places[key][3], places[key][4]) for key in shown], found)
    ids = sorted({now.id for now in found.values()})
    mentions, revisions, editions = _mentions(db, ids), _revisions(db, ids), _editions(db, digest, shown)
    asked = db.array(sorted({now.key for now in found.values()}))
    own = {row[1] for row in db.rows("shown_by_key", digest=digest, keys=asked)}
    listed = _authors_listed(db, {key: json.loads(places[key][9]) for key in shown})
    stand = {
        key: [(digest, key, head.date.isoformat(), head.part) for head, _ in editions[key]] for key in shown
    }
    anchors = anchors_of(db, chain.from_iterable(stand.values()))
    records = []
    for key, paper in zip(shown, papers, strict=True):
        now = found.get(key)
        records.append(
            PaperRecord(
                key=key,
                canonical=now.key if now and now.key in own else key,
                guid=places[key][6],
                topic=places[key][8],
                authors=listed[key],
                versions=_versions(now, paper, revisions.get(now.id, []) if now else [], editions[key]),
                mentions=tuple(mentions.get(now.id, ())) if now else (),
                editions=tuple(head for head, _ in editions[key]),
                anchors={edition_id(*one[2:]): anchors[one] for one in stand[key] if one in anchors},
            )
        )
    return records


def _versions(
    now: Now | None, paper: Paper, before: Sequence[Row], editions: Sequence[tuple[EditionHead, datetime]]
) -> tuple[Version, ...]:
    """How the paper looked, oldest first: each version from when the one before it ended."""
    if now is None:  # its key leads nowhere: it is known from the edition alone
        return (Version(seen_at=editions[0][1], paper=paper),)
    papers = [*(replace(decode(content), key=paper.key) for _, _, content in before), paper]
    starts = [now.first_seen, *(until for _, until, _ in before)]
    return tuple(Version(seen_at=moment(start), paper=one) for start, one in zip(starts, papers, strict=True))


def _authors_listed(db: Database, labels: Mapping[str, Sequence[int]]) -> dict[str, frozenset[str]]:
    """By key the slugs of the authors that a paper, whose labels have these numbers, stands under."""
    numbers = sorted({number for found in labels.values() for number in found})
    slugs: dict[int, str] = dict(db.rows("authors_by_id", ids=db.array(numbers)))
    return {key: frozenset(slugs[n] for n in found if n in slugs) for key, found in labels.items()}


def _mentions(db: Database, ids: Sequence[int]) -> dict[int, list[Mention]]:
    """By paper the first sighting of each source and way of announcing, also those of rows joined to it."""
    winners = {row: row for row in ids} | {
        joined: winner for winner, joined in db.rows("rows_joined_to", ids=db.array(ids))
    }
    mentions: defaultdict[int, dict[tuple[str, str | None], Mention]] = defaultdict(dict)
    for row, source, announce, listed_on, seen_at in db.rows("sightings_of", ids=db.array(list(winners))):
        if not source.startswith(_LOOKUP):
            mention = Mention(
                source=source, announce=announce, listed_on=day(listed_on), seen_at=moment(seen_at)
            )
            mentions[winners[row]].setdefault((source, announce), mention)
    return {winner: list(found.values()) for winner, found in mentions.items()}


def _revisions(db: Database, ids: Sequence[int]) -> dict[int, list[Row]]:
    found: defaultdict[int, list[Row]] = defaultdict(list)
    for row in db.rows("revisions_of", ids=db.array(ids)):
        found[row[0]].append(row)
    return found


def _editions(
    db: Database, digest: str, keys: Sequence[str]
) -> dict[str, list[tuple[EditionHead, datetime]]]:
    """By key the editions that show it, oldest first, and when each was issued."""
    found: defaultdict[str, list[tuple[EditionHead, datetime]]] = defaultdict(list)
    for key, dated, part, number, papers, issued_at in db.rows(
        "editions_showing", digest=digest, keys=db.array(keys)
    ):
        found[key].append((head_of(digest, dated, part, number, papers), moment(issued_at)))
    return found


def papers_now(db: Database, keys: Sequence[str]) -> dict[str, Now]:
    """The papers that keys of editions lead to, by key, as they are known now; without keys that lead to none."""
    rows = db.rows("papers_by_key", keys=db.array(keys))
    nameless = [row[0] for row in rows if rung(row[0]) in NAMELESS]
    found = found_of(db, nameless) if nameless else {}
    papers = {}
    for key, number, own, first_seen, content in rows:
        paper = decode(content)
        if key in found:
            from digest.matching import completed

            paper = completed(paper, found[key])
        papers[key] = Now(number, own, first_seen, paper if paper.key == key else replace(paper, key=key))
    return papers


def current_papers(
    db: Database, shown: Sequence[tuple[str, str, str, int]], found: Mapping[str, Now] | None = None
) -> list[Paper]:
    """The papers that stand in editions, each given by digest, key and the edition's date and part: as they are known now, or as
    the edition has them where that is all that is known. In the same order."""
    if found is None:
        found = papers_now(db, list(dict.fromkeys(key for _, key, _, _ in shown)))
    return [
        found[key].paper if key in found else _as_issued(db, digest, key, dated, part)
        for digest, key, dated, part in shown
    ]


def anchors_of(db: Database, shown: Iterable[Stand]) -> dict[Stand, str]:
    """Where papers stand on the pages of their editions, by digest, key, date and part, for those whose keys do not say it: as
    long as they are, another paper of the edition may begin alike."""
    by_edition: defaultdict[tuple[str, str, int], set[str]] = defaultdict(set)
    for digest, key, dated, part in shown:
        if is_cut(key):
            by_edition[digest, dated, part].add(key)
    found = {}
    for (digest, dated, part), keys in by_edition.items():
        edition = decode_edition(db.value("edition", digest=digest, date=dated, part=part))
        for entry in edition.entries:
            if (key := plain(entry.paper.key)) in keys:
                found[digest, key, dated, part] = entry.anchor
    return found


def _as_issued(db: Database, digest: str, key: str, dated: str, part: int) -> Paper:
    edition = decode_edition(db.value("edition", digest=digest, date=dated, part=part))
    return next(entry.paper for entry in edition.entries if plain(entry.paper.key) == key)
