"""What readers see: the newest place of each paper in each digest, its labels, and the parts of the index for static hosts.

The index is filled from the editions as they were issued, after them and apart from them: it could be thrown away and filled again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from itertools import count
from operator import itemgetter

from msgspec import Struct

from digest.config import OTHER_SLUG
from digest.labels import labels_of, slug_of
from digest.model import Edition, Entry, Hit, Label, LabelKind, Place
from digest.store import wording
from digest.store.database import Database, Row, moment
from digest.store.known import decode_edition
from digest.store.records import Now, anchors_of, current_papers, papers_now
from digest.utf8 import plain

CHUNK = 500  # papers of a part of the index (formats.SearchChunk)
STEP = 10  # editions, or reworded papers times ten, that one transaction brings into the index
_DAY_BITS = 20  # of an id below the day: a million papers in one day


class _New(Struct, frozen=True, kw_only=True):
    """A paper of an edition that is to be indexed: the place it gets, and the row it has if it was shown before."""

    id: int
    key: str
    position: int
    entry: Entry
    labels: list[tuple[LabelKind, str, str]]
    number: int
    before: Row | None


class Shown:
    """The part of the store that knows where papers are shown, and under which labels."""

    _db: Database

    # --- to fill it

    def index_editions(self, topics_of: Callable[[str], Mapping[str, str]]) -> int:
        """Brings the index of what is shown up to date; how many editions came in.

        Editions not indexed yet come in the order in which they were issued, a few in each transaction: after a kill the next call
        goes on. `topics_of` gives the slugs of a digest's topics by name (config.slugs_of), {} for a digest that is no longer
        there. Papers whose words have changed since are indexed anew, under the labels that their edition gave them.
        """
        found = 0
        while some := self._index_some(topics_of):
            found += some
        while self._refresh_some():
            pass
        return found

    def _index_some(self, topics_of: Callable[[str], Mapping[str, str]]) -> int:
        if self.newest_indexed() >= self._newest_edition():
            return 0
        with self._db.writing():
            rows = self._db.rows("editions_to_index", after=self.newest_indexed(), limit=STEP)
            for number, digest, snapshot in rows:
                self._index(number, decode_edition(snapshot), topics_of(digest))
                self._db.run("set_meta", key="indexed_edition", value=str(number))
            return len(rows)

    def newest_indexed(self) -> int:
        """The number of the newest edition that is in the index; 0 for none."""
        with self._db.reading():
            return int(self._db.value("meta_value", key="indexed_edition") or 0)

    def _newest_edition(self) -> int:
        with self._db.reading():
            return int(self._db.value("newest_edition_id"))

    def _index(self, edition_id: int, edition: Edition, topics: Mapping[str, str]) -> None:
        news = self._news(edition, topics)
        papers = papers_now(self._db, [new.key for new in news])
        labels = self._put_labels(edition.digest, news)
        self._forget([new.before for new in news if new.before is not None], news)
        self._db.many(
            "insert_shown",
            [
                {
                    "id": new.id,
                    "digest": edition.digest,
                    "key": new.key,
                    "paper_id": papers[new.key].id if new.key in papers else None,
                    "edition_id": edition_id,
                    "position": new.position,
                    "number": new.number,
                    "guid": plain(new.entry.guid),
                    "topic": plain(new.entry.topic),
                    "labels": json.dumps(labels[new.id]),
                }
                for new in news
            ],
        )
        self._db.many(
            "insert_labelled",
            sorted(
                ({"label_id": label, "shown_id": new.id} for new in news for label in labels[new.id]),
                key=itemgetter("label_id"),
            ),
        )
        wording.put(self._db, {new.id: _words(new, edition.digest, papers.get(new.key)) for new in news})
        self._db.many("put_outdone", [{"paper_id": paper.id} for paper in papers.values()])

    def _news(self, edition: Edition, topics: Mapping[str, str]) -> list[_New]:
        """The papers of an edition, each once, with their new ids: the first has the greatest, that of the newest place."""
        entries: dict[str, tuple[int, Entry]] = {}
        for position, entry in enumerate(edition.entries, 1):
            entries.setdefault(plain(entry.paper.key), (position, entry))
        rows = self._db.rows("shown_by_key", digest=edition.digest, keys=self._db.array(list(entries)))
        before = {row[1]: row for row in rows}
        number = int(self._db.value("last_shown_number", digest=edition.digest))
        first = _first_id(edition.date)
        top = int(self._db.value("newest_shown", first=first, last=first + (1 << _DAY_BITS) - 1))
        news = []
        for order, (key, (position, entry)) in enumerate(entries.items()):
            known = before.get(key)
            number += known is None
            news.append(
                _New(
                    id=top + len(entries) - order,
                    key=key,
                    position=position,
                    entry=entry,
                    labels=[
                        (kind, plain(slug), plain(name)) for kind, slug, name in labels_of(entry, topics)
                    ],
                    number=known[2] if known else number,
                    before=known,
                )
            )
        return news

    def _forget(self, rows: Sequence[Row], news: Sequence[_New]) -> None:
        """Takes earlier places out of the index; what loses them is as new as those that they make way for."""
        labelled = [(label, row[0]) for row in rows for label in json.loads(row[3])]
        # Of its papers one that it shows first: they stay where they are for longest, and tell which part of its date it was.
        newest = max(((new.before is None, new.id) for new in news), default=(False, 0))[1]
        self._db.many("fewer_papers", [{"id": label, "newest": newest} for label, _ in labelled])
        self._db.many("delete_labelled", [{"label_id": label, "shown_id": row} for label, row in labelled])
        self._db.many("delete_shown", [{"id": row[0]} for row in rows])
        wording.forget(self._db, [row[0] for row in rows])

    def _put_labels(self, digest: str, news: Sequence[_New]) -> dict[int, list[int]]:
        """The numbers of the labels of each new place, which count it from now on."""
        found: dict[tuple[LabelKind, str], tuple[str, int]] = {}
        for new in news:  # the newest comes first: it writes the name
            for kind, slug, name in new.labels:
                found.setdefault((kind, slug), (name, new.id))
        counts = Counter((kind, slug) for new in news for kind, slug, _ in new.labels)
        numbers: dict[tuple[LabelKind, str], int] = {}
        for kind in ("topic", "category", "author"):
            asked = self._db.array([slug for other, slug in found if other == kind])
            for row in self._db.rows("labels_by_slug", digest=digest, kind=kind, slugs=asked):
                numbers[kind, row[0]] = row[3]
        known = numbers.keys() & found.keys()
        unknown = sorted(found.keys() - known)
        numbers |= zip(unknown, count(int(self._db.value("next_label_id"))), strict=False)
        fields = {
            one: {
                "id": numbers[one],
                "digest": digest,
                "kind": one[0],
                "slug": one[1],
                "name": name,
                "newest": newest,
                "papers": counts[one],
            }
            for one, (name, newest) in found.items()
        }
        self._db.many("insert_label", [fields[one] for one in unknown])
        self._db.many("count_label", [fields[one] for one in known])
        return {new.id: [numbers[kind, slug] for kind, slug, _ in new.labels] for new in news}

    def _refresh_some(self) -> int:
        """Indexes the words of some papers anew that have changed."""
        with self._db.reading():
            if not self._db.rows("reworded", limit=1):
                return 0
        with self._db.writing():
            rows = self._db.rows("reworded", limit=10 * STEP)
            papers = papers_now(self._db, [key for _, key, _ in rows])
            wording.replace(self._db, {row: papers[key].paper for row, key, _ in rows if key in papers})
            places = [
                {"id": row, "paper_id": papers[key].id if key in papers else before}
                for row, key, before in rows
            ]
            self._db.many("put_reworded", places)
            # Papers may have become one, or two.
            both = {before for _, _, before in rows} | {place["paper_id"] for place in places}
            self._db.many("put_outdone", [{"paper_id": paper} for paper in both if paper is not None])
            return len(rows)

    # --- to read it

    def labels(
        self, digest: str, kind: LabelKind, *, slugs: Sequence[str] | None = None, least: int = 1
    ) -> list[Label]:
        """The labels of a kind that at least `least` papers of a digest have, by slug; only those of `slugs` where given."""
        with self._db.reading():
            if slugs is None:
                rows = self._db.rows("labels_of_kind", digest=digest, kind=kind, least=least)
            else:
                asked = self._db.array([plain(slug) for slug in dict.fromkeys(slugs)])
                rows = self._db.rows("labels_by_slug", digest=digest, kind=kind, slugs=asked)
        found = [Label(kind=kind, slug=row[0], name=row[1], papers=row[2]) for row in rows if row[2] >= least]
        return sorted(found, key=lambda label: label.slug)

    def topics_since(self, digest: str, since: date) -> tuple[dict[str, int], int, date | None]:
        """How many papers a digest showed by slug of their topic since a date, on how many days, and the first of these."""
        with self._db.reading():
            counts = self._db.rows("topics_since", digest=digest, first=_first_id(since))
            first, days = self._db.one("edition_days", digest=digest, since=since.isoformat()) or (None, 0)
        return dict(counts), days, first and date.fromisoformat(first)

    def newest_places(
        self, digest: str, kind: LabelKind, slug: str, *, limit: int, since_days: int | None = None
    ) -> list[Place]:
        """Where the newest papers of a label stand, newest first: by date and part, then in the order of their edition.

        `limit` of them, or all of the last `since_days` days (the day of the newest is one of them), whichever is more.
        """
        label = {"digest": digest, "kind": kind, "slug": plain(slug)}
        with self._db.reading():
            newest = self._db.value("nth_of_label", **label, skipped=0)
            if newest is None:
                return []
            # Where there are fewer than `limit`, the first of all.
            since = (
                self._db.value("nth_of_label", **label, skipped=limit - 1) or 0 if limit > 0 else newest + 1
            )
            if since_days:
                since = min(since, ((newest >> _DAY_BITS) - since_days + 1) << _DAY_BITS)
            rows = self._db.rows("places_of_label", **label, since=since)
        return [place_of(row) for row in rows]

    def label_changed(self, digest: str, kind: LabelKind, slug: str) -> datetime | None:
        """When the edition was issued that last gave a paper to a label or took one from it. It never goes back, whatever becomes
        of the papers. None for a label that nothing ever had."""
        with self._db.reading():
            newest = self._db.value("newest_of_label", digest=digest, kind=kind, slug=plain(slug))
            if newest is None:
                return None
            day = date.fromordinal(newest >> _DAY_BITS)
            _, last = id_range(day, day)
            issued_at = self._db.value(
                "issued_with", digest=digest, date=day.isoformat(), newest=newest, last=last
            )
        return moment(issued_at) if issued_at else None

    def all_places(self, digest: str, kind: LabelKind, slugs: Sequence[str]) -> dict[str, list[Place]]:
        """Where all papers of these labels stand, newest first, by slug: for labels of few papers, at once."""
        asked = {plain(slug): slug for slug in slugs}
        found: dict[str, list[Place]] = {slug: [] for slug in slugs}
        with self._db.reading():
            rows = self._db.rows(
                "places_by_label", digest=digest, kind=kind, slugs=self._db.array(list(asked))
            )
        for row in rows:
            found[asked[row[6]]].append(place_of(row))
        return found

    def chunk_count(self, digest: str) -> int:
        """How many parts the index of a digest has for static hosts."""
        with self._db.reading():
            return -(-int(self._db.value("last_shown_number", digest=digest)) // CHUNK)

    def chunk(self, digest: str, number: int) -> list[Hit]:
        """One of these parts, counted from 1: up to CHUNK papers in the order in which the digest first showed them, as they are
        known now, each with its newest place. All parts but the last are full and hold the same papers for good."""
        first = (number - 1) * CHUNK + 1
        with self._db.reading():
            rows = self._db.rows("shown_between", digest=digest, first=first, last=first + CHUNK - 1)
            return hits_of(self._db, rows)

    def chunk_of(self, digest: str, keys: Sequence[str]) -> set[int]:
        """The numbers of the parts that hold these papers."""
        asked = self._db.array([plain(key) for key in dict.fromkeys(keys)])
        with self._db.reading():
            rows = self._db.rows("places_by_key", digest=digest, keys=asked)
        return {(row[7] - 1) // CHUNK + 1 for row in rows}

    def touched(self, digest: str) -> list[str]:
        """Papers of the digest of which something changed that their pages show, by key, since `forget_touched` was told of them:
        a source or a way of announcing was the first of its kind, words or facts changed, something was found elsewhere, or papers
        became one or two."""
        with self._db.reading():
            return [key for (key,) in self._db.rows("touched", digest=digest, taken=_taken(digest))]

    def take_touched(self, digest: str) -> list[str]:
        """The same, whose pages are written now: which of them something changes from here on `forget_touched` does not forget."""
        with self._db.writing():
            self._db.run("set_touched_apart", digest=digest, taken=_taken(digest))
            self._db.run("forget_all_touched", digest=digest)
            return self.touched(digest)

    def forget_touched(self, digest: str, keys: Sequence[str]) -> None:
        """Their pages were published."""
        with self._db.writing():
            names = {"digest": digest, "taken": _taken(digest)}
            self._db.many("forget_touched", [{**names, "key": plain(key)} for key in keys])


def _taken(digest: str) -> str:
    """Under what those are noted whose pages are being written: no digest has this name."""
    return f"{digest}/"


def _words(new: _New, digest: str, now: Now | None) -> wording.Words:
    """A topic is also found by its name, whatever slug the configuration gives it."""
    by_name = ("topic", plain(slug_of(new.entry.topic)) or OTHER_SLUG)
    paper = now.paper if now else new.entry.paper
    return wording.words_of(paper, digest, [by_name, *((kind, slug) for kind, slug, _ in new.labels)])


def _first_id(day: date) -> int:
    """Ids below are of earlier days."""
    return day.toordinal() << _DAY_BITS


def id_range(since: date | None, until: date | None) -> tuple[int, int]:
    """The first and the last id of these days, both with them."""
    last = (until or date.max).toordinal() + 1
    return _first_id(since or date.min), (last << _DAY_BITS) - 1


def place_of(row: Row, anchor: str = "") -> Place:
    """A row that begins with id, paper_id, key, date, part, position."""
    id_, paper_id, key, day, part, position = row[:6]
    return Place(
        id=id_,
        paper_id=paper_id or 0,
        key=key,
        date=date.fromisoformat(day),
        part=part,
        position=position,
        anchor=anchor,
    )


def hits_of(db: Database, rows: Sequence[Row]) -> list[Hit]:
    """Rows that end in digest and topic as hits, in the same order."""
    stand = [(row[6], row[2], row[3], row[4]) for row in rows]
    papers, anchors = current_papers(db, stand), anchors_of(db, stand)
    return [
        Hit(digest=row[6], place=place_of(row, anchors.get(one, "")), paper=paper, topic=row[7])
        for row, one, paper in zip(rows, stand, papers, strict=True)
    ]
