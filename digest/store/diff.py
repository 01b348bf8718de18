"""One call of the diff: which papers of a listing are known, by which key, and what is new about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime

from msgspec.json import encode as encode_json
from msgspec.structs import replace

from digest import identity
from digest.model import Announce, Paper, Sighting
from digest.model import SightingStatus as Status
from digest.store import fingerprints, known
from digest.store.changes import note_changes, note_sightings
from digest.store.database import Database, stamp
from digest.store.fingerprints import Unchanged
from digest.store.known import REPLACED, KnownPaper, as_known
from digest.store.offers import STREAMS, Offer, Offers
from digest.store.told import Told
from digest.utf8 import plain

STEP = 500  # rows held in memory at once while papers are looked up


class Diff:
    """One call of record_sightings: what is known is loaded in bulk, decided in memory, and written in bulk."""

    def __init__(
        self,
        db: Database,
        *,
        source: str,
        now: datetime,
        listed_on: date | None = None,
        followers: tuple[str, ...] = (),
        updates_for: frozenset[str] = frozenset(),
    ) -> None:
        self.db, self.source, self.now, self.listed_on = db, source, now, listed_on
        self.followers = followers
        self.stamp, self.day = stamp(now), listed_on.isoformat() if listed_on else ""
        self.offers = Offers(source=source, found_at=self.stamp, listed_on=self.day, updates_for=updates_for)
        self.owners: dict[str, int | None] = {}
        self.rows: dict[int, KnownPaper] = {}
        self.next_id = 0
        self.new_keys: dict[str, int] = {}
        self.earlier: dict[int, list[str]] = {}
        self.new_abstracts: list[tuple[int, str]] = []
        self.joins: list[tuple[int, int]] = []
        self.joined: list[KnownPaper] = []
        self.ids: dict[int, tuple[str, ...]] = {}
        self.quick: dict[int, tuple[str, ...]] = {}
        self.ladders: dict[int, tuple[str, ...]] = {}
        self.shown_keys: dict[int, str] = {}
        self.announced: defaultdict[Announce | None, list[int]] = defaultdict(list)
        self.sighted: set[int] = set()
        self.seen: defaultdict[tuple[Status, Announce | None], dict[int, str | None]] = defaultdict(dict)
        self.told = Told()
        self.unchanged: dict[int, Unchanged] = {}
        self.titles: dict[int, str] = {}
        self.shown: dict[int, Paper] = {}

    # --- what is known

    def preload(self, papers: Sequence[Paper]) -> list[Paper]:
        """Asks for what is known of all papers at once: their fingerprints, the strongest key of those that these do not settle,
        the other keys of those that that does not settle, and the appearance of those that any of them leads to a paper.
        The papers as they are to be sighted: as every database takes them.
        """
        self.listen()
        if not self.told.two:
            self.unchanged = fingerprints.unchanged(
                self.db, papers, source=self.source, day=self.day, followers=self.followers
            )
        # Before anything is compared: what is stored must be equal to what the same listing shows tomorrow.
        listed, closely = [], []
        for paper in papers:
            if id(paper) not in self.unchanged:
                paper = known.plain_paper(paper)
                closely.append(paper)
            listed.append(paper)
        self.look_up([key for paper in closely for key in self.quick_keys(paper)])
        unsettled = [paper for paper in closely if not self.settled(paper)]
        self.look_up([key for paper in unsettled for key in self.ladder(paper)])
        self.look_up([self.shown_key(paper) for paper in unsettled if not self.unheard_of(paper)])
        return listed

    def listen(self) -> None:
        """Loads what the operator said, and the papers that it is about."""
        self.told = Told(
            [(relation, left, right) for _, _, relation, left, right in self.db.rows("corrections")]
        )
        self.look_up(self.told.keys)
        places = [place for pair in self.told.one for key in pair if (place := self.owners[key]) is not None]
        joined = [place for place in dict.fromkeys(places) if self.rows[place].id != place]
        if joined:
            for row in self.db.rows("papers_by_id", ids=self.db.array(joined)):
                self.told.egos.setdefault(self.rows[row[0]].id, []).append(as_known(row).known)

    def id_keys(self, paper: Paper) -> tuple[str, ...]:
        if id(paper) not in self.ids:
            self.ids[id(paper)] = identity.id_keys(paper.ids, paper.links)
        return self.ids[id(paper)]

    def quick_keys(self, paper: Paper) -> tuple[str, ...]:
        """The ids, or where there is none the appearance and the title: most often they say it all."""
        if id(paper) not in self.quick:
            self.quick[id(paper)] = _plain(self.id_keys(paper)) or (
                self.shown_key(paper),
                identity.title_key(paper.title),
            )
        return self.quick[id(paper)]

    def ladder(self, paper: Paper) -> tuple[str, ...]:
        """The keys of a paper, and the one its source gave it."""
        if id(paper) not in self.ladders:
            keys = identity.keys(paper, self.id_keys(paper))
            self.ladders[id(paper)] = _plain(
                keys if paper.key in keys or not paper.key else (*keys, paper.key)
            )
        return self.ladders[id(paper)]

    def shown_key(self, paper: Paper) -> str:
        if id(paper) not in self.shown_keys:
            self.shown_keys[id(paper)] = known.shown_key(paper)
        return self.shown_keys[id(paper)]

    def settled(self, paper: Paper) -> tuple[KnownPaper, str] | None:
        """The known paper that a quick key leads to, where the listing says nothing of it that would be new as a key."""
        for key in self.quick_keys(paper):
            row = self.owner(key)
            if row and identity.rung(key) == "shown":
                return row, key
            if row and row.says_all_of(paper) and self.stands(key, row, paper):
                return row, key
        return None

    def unheard_of(self, paper: Paper) -> bool:
        """It has an id, and none of its keys leads to a paper: had it appeared before, its id would."""
        return identity.rung(self.quick_keys(paper)[0]) != "shown" and self.are_free(self.ladder(paper))

    def are_free(self, keys: Sequence[str]) -> bool:
        """None of these keys leads to a paper."""
        self.look_up(keys)
        return not any(map(self.owners.get, keys))

    def look_up(self, keys: Sequence[str]) -> None:
        asked = [key for key in dict.fromkeys(keys) if key not in self.owners]
        if not asked:
            return
        self.owners.update(dict.fromkeys(asked))
        found = self.db.rows("known_keys", keys=self.db.array(asked))
        self.owners.update(found)
        ids = list(dict.fromkeys(row for _, row in found))
        for at in range(0, len(ids), STEP):
            self.load(ids[at : at + STEP])

    def load(self, ids: Sequence[int]) -> None:
        asked = [paper_id for paper_id in ids if paper_id not in self.rows]
        if not asked:
            return
        joined: dict[int, int] = {}
        for row in self.db.rows("papers_by_id", ids=self.db.array(asked)):
            if row[1] is None:
                self.rows[row[0]] = as_known(row)
                self.rows[row[0]].titles += [self.titles[row[0]]] if row[0] in self.titles else []
            else:
                joined[row[0]] = row[1]
        self.load(list(dict.fromkeys(joined.values())))
        self.rows.update({paper_id: self.rows[winner] for paper_id, winner in joined.items()})
        for paper_id, digest, *offer in self.db.rows("offers_by_paper", ids=self.db.array(asked)):
            self.offers.all[paper_id, digest] = Offer(*offer)

    def owner(self, key: str) -> KnownPaper | None:
        """The paper a key leads to, whatever rows were joined since."""
        if key not in self.owners:
            self.look_up([key])
        paper_id = self.owners[key]
        return None if paper_id is None else self.rows[paper_id]

    def slots(self, title_key: str) -> list[tuple[str, KnownPaper]]:
        """Further papers of the same title, which each have a numbered key."""
        found = self.db.rows("key_slots", first=f"{title_key}#", last=f"{title_key}$")
        self.look_up([key for key, _ in found])
        mine = [key for key in self.new_keys if key.startswith(f"{title_key}#")]
        keys = dict.fromkeys([key for key, _ in found] + mine)
        return [(key, row) for key in keys if (row := self.owner(key))]

    # --- which paper is it?

    def match(self, paper: Paper) -> tuple[KnownPaper | None, str | None]:
        """The known paper and the key that led to it; rows that this shows to be one are joined."""
        (row, key), others = self.nearest(paper)
        if told := self.told_apart(paper, row, key):
            return told
        for other_key, other in others:
            if row and self.rows[other.id] is not row and self.may_join(other_key, other, row, paper):
                self.join(other, row)
        return row, key

    def nearest(
        self, paper: Paper
    ) -> tuple[tuple[KnownPaper | None, str | None], list[tuple[str, KnownPaper]]]:
        """What the keys say, the strongest first, and what weaker ones say besides."""
        if settled := self.settled(paper):
            return settled, []
        if self.unheard_of(paper):
            return (None, None), []
        if row := self.owner(shown := self.shown_key(paper)):
            return (row, shown), []
        standing = [(key, row) for key, row in self.candidates(paper) if self.stands(key, row, paper)]
        if not standing:
            return (None, None), []
        title = identity.title_key(paper.title)
        standing.sort(key=lambda found: _strength(found[0], found[1], title))
        key, row = standing[0]
        return (row, key), standing[1:]

    def told_apart(
        self, paper: Paper, taken: KnownPaper | None, by: str | None
    ) -> tuple[KnownPaper, str] | None:
        """The other one of two papers, where this would be taken for the wrong one of them: its ids and the keys that the
        operator named decide, before what was remembered of appearances while the two were one."""
        if not self.told.two:
            return None
        keys = (self.shown_key(paper), *self.ladder(paper)) if self.told.weak else self.quick_keys(paper)
        for key in filter(self.told.decides, keys):
            row = self.owner(key)
            if row and self.told.fits(row, paper, key):
                if row is taken or not (taken is None or self.are_two(row, taken)):
                    return None
                if (
                    by
                    and self.told.is_weak(key)
                    and self.owners[by] not in map(self.owners.get, self.told.lefts(key))
                ):
                    return None  # a third paper, which was made one with that one
                return row, key
        return None

    def are_two(self, row: KnownPaper, other: KnownPaper) -> bool:
        pairs = [(self.owner(left), self.owner(right)) for left, right in self.told.two]
        return (row, other) in pairs or (other, row) in pairs

    def candidates(self, paper: Paper) -> Iterator[tuple[str, KnownPaper]]:
        for key in self.ladder(paper):
            row = self.owner(key)
            if row is None:
                continue
            yield key, row
            if identity.rung(key) == "title" and not self.stands(key, row, paper):
                yield from self.slots(key)

    def stands(self, key: str, row: KnownPaper, paper: Paper) -> bool:
        rung = identity.rung(key)
        if rung == "arxiv":
            return True
        if rung not in (*identity.STRONG_RUNGS, "title") and row.titles:
            # One page shows both: under two titles they are two, and share an address or a publisher's notice.
            title = identity.title_key(paper.title)
            if all(identity.title_key(shown) != title for shown in row.titles):
                return False
        return identity.same_work(row.known, paper, rung) or self.told.fits_either(row, paper, rung)

    def may_join(self, key: str, other: KnownPaper, row: KnownPaper, paper: Paper) -> bool:
        """Rows become one over an id or a title, not over an address or an abstract: a joined row is not offered again."""
        if identity.rung(key) not in (*identity.STRONG_RUNGS, "title"):
            return False
        if self.are_two(row, other):
            return False
        ids = {**identity.known_ids(paper.ids, paper.links), **row.known.ids}
        if identity.ids_conflict(other.known.ids, ids):
            return False
        return identity.same_work(other.known, row.content, identity.rung(key))

    def join(self, other: KnownPaper, row: KnownPaper) -> None:
        abstracts = (row.content.abstract, other.content.abstract, *self.earlier_abstracts(other))
        self.remember_abstracts(row, *abstracts)
        before = row.content
        row.absorb(other)
        self.remember_shown(row, before, other.content)
        self.joins.append((other.id, row.id))
        self.joined.append(other)
        for paper_id, meant in self.rows.items():
            if meant is other:
                self.rows[paper_id] = row
        self.offers.join(other.id, row)
        self.told.join(other.id, row.id)

    # --- what is new about it?

    def sight(self, paper: Paper) -> Sighting:
        found = self.unchanged.get(id(paper))
        if found is None or found[0] in self.rows:  # another of the listing may have changed it since
            return self.sight_closely(paper)
        number, key, noted = found
        self.titles[number] = paper.title
        if not noted:
            self.note(number, paper, "seen", key)
        return Sighting(paper=paper, paper_id=number, status="seen", matched_by=key)

    def sight_closely(self, paper: Paper) -> Sighting:
        row, key = self.match(paper)
        replaced = paper.announce in REPLACED
        status: Status = "updated" if replaced else "new"
        if row is None:
            row = self.add(paper, debuted=not replaced)
        else:
            before = paper if row.borrowed else row.content
            if not row.says_all_of(paper):
                self.remember_keys(row, paper)
            status = self.meet(row, paper)
            if row.content is not before or not row.looks_like(paper):
                self.remember_shown(row, before, paper)
        self.offer(row, paper)
        if status != "updated" and row.has_grown:
            self.offers.reconsider(row)
        row.titles.append(paper.title)
        self.shown[row.id] = paper
        self.note(row.id, paper, status, key)
        return Sighting(paper=paper, paper_id=row.id, status=status, matched_by=key)

    def offer(self, row: KnownPaper, paper: Paper) -> None:
        stream = STREAMS[paper.announce]
        if stream == "withdrawn" and not row.withdrawn:
            stream = "updated"  # an old version was, and a newer one stands
        for digest in self.followers:
            self.offers.sight(row, digest, stream)
        if row.withdrawn:
            self.offers.withdraw(row)

    def add(self, paper: Paper, *, debuted: bool) -> KnownPaper:
        self.next_id = self.next_id or int(self.db.value("next_paper_id"))
        row = KnownPaper(
            self.next_id,
            paper,
            version=paper.version,
            announced_on=self.listed_on or self.now.date(),
            debuted=debuted,
            is_new=True,
        )
        self.rows[row.id] = row
        self.next_id += 1
        keys = self.remember_keys(row, paper)
        if paper.key not in keys:  # its title belongs to another paper
            row.content = replace(paper, key=keys[0])
        return row

    def meet(self, row: KnownPaper, paper: Paper) -> Status:
        if row.borrowed:
            self.remember_abstracts(row, row.content.abstract)
            row.restate(paper)
            row.debuted = row.debuted or paper.announce not in REPLACED
            return "seen"
        replaced = paper.announce in REPLACED
        before, stood = row.content.abstract, not row.withdrawn
        renewed = row.is_overtaken_by(paper, self.listed_on, lambda: self.earlier_abstracts(row))
        if renewed:
            row.renew(paper, self.listed_on, self.now.date())
        else:
            row.complete(paper)
        if before and row.content.abstract != before:
            self.remember_abstracts(row, before)
        if not row.debuted and not replaced:
            row.debuted = row.dirty = True
            return "new"
        return "updated" if renewed or (stood and row.withdrawn) else "seen"

    def earlier_abstracts(self, row: KnownPaper) -> list[str]:
        if row.id not in self.earlier:
            found = [] if row.is_new else self.db.rows("abstracts_of", paper_id=row.id)
            self.earlier[row.id] = [abstract for (abstract,) in found]
        return self.earlier[row.id]

    def remember_abstracts(self, row: KnownPaper, *abstracts: str) -> None:
        there = self.earlier_abstracts(row)
        for abstract in abstracts:
            if abstract and abstract not in there:
                there.append(abstract)
                self.new_abstracts.append((row.id, abstract))

    def remember_keys(self, row: KnownPaper, paper: Paper) -> list[str]:
        """Every key that is free leads to this paper from now on; where another paper has the title, a numbered one does.

        Where another paper has any of them, this appearance gets a key of its own: what the ladder finds may change.
        """
        if self.are_free(self.ladder(paper)):
            mine = dict.fromkeys(self.ladder(paper), row.id)
            self.owners |= mine
            self.new_keys |= mine
            return list(mine)
        free = []
        if any((owner := self.owner(key)) and owner is not row for key in self.ladder(paper)):
            self.own(row, self.shown_key(paper))
        for key in self.ladder(paper):
            owner = self.owner(key)
            if owner is not None and owner is not row and identity.rung(key) == "title":
                slots = self.slots(key)
                if any(other is row for _, other in slots):
                    continue
                key, owner = f"{key}#{len(slots) + 2}", None
                self.owners[key] = None
            if owner is None:
                self.own(row, key)
                free.append(key)
        return free

    def own(self, row: KnownPaper, key: str) -> None:
        if self.owner(key) is None:
            self.owners[key] = self.new_keys[key] = row.id

    def remember_shown(self, row: KnownPaper, *appearances: Paper) -> None:
        """Every appearance that is not what the paper looks like now gets a key of its own, so that a second reading finds it."""
        now = known.shown_key(row.content)
        for key in dict.fromkeys(known.shown_key(paper) for paper in appearances):
            if key != now:
                self.own(row, key)

    # --- writing

    def note(self, paper_id: int, paper: Paper, status: Status, key: str | None) -> None:
        self.announced[paper.announce].append(paper_id)
        if paper_id not in self.sighted:
            self.sighted.add(paper_id)
            self.seen[status, paper.announce][paper_id] = key

    def write(self) -> None:
        rows = {row.id: row for row in (*self.joined, *self.rows.values()) if row.dirty}
        note_changes(self.db, rows.values(), self.joins, self.stamp)
        note_sightings(self.db, self.source, self.announced, self.stamp)
        self.db.many(
            "insert_paper",
            [_fields(row) | {"first_seen": self.stamp} for row in rows.values() if row.is_new],
        )
        self.db.many("update_paper", [_fields(row) for row in rows.values() if not row.is_new])
        self.db.many("remember_key", [{"key": key, "paper_id": row} for key, row in self.new_keys.items()])
        self.db.many(
            "remember_abstract", [_abstract_fields(row, abstract) for row, abstract in self.new_abstracts]
        )
        for (status, announce), seen in self.seen.items():
            self.db.run(
                "insert_sightings",
                seen=encode_json(seen).decode(), source=self.source, listed_on=self.day, seen_at=self.stamp,
                status=status, announce=announce,
            )  # fmt: skip
        self.db.many("delete_offers", [{"paper_id": loser} for loser, _ in self.joins])
        self.db.many("join_paper", [{"id": loser, "winner": winner} for loser, winner in self.joins])
        self.offers.write(self.db)
        fingerprints.remember(
            self.db,
            self.rows.values(),
            self.shown,
            lost=[*(row.id for row in rows.values() if not row.is_new), *(loser for loser, _ in self.joins)],
        )


def _plain(keys: tuple[str, ...]) -> tuple[str, ...]:
    """The keys as every database takes them: an address may bring NUL as "%00"."""
    return tuple(key if key.isascii() and key.isprintable() else plain(key) for key in keys)


def _fields(row: KnownPaper) -> dict[str, object]:
    return {
        "id": row.id,
        "version": row.version,
        "announced_on": row.announced_on.isoformat() if row.announced_on else "",
        "debuted": int(row.debuted),
        "revision": ~row.revision if row.borrowed else row.revision,
        "content": known.encode(row.content),
        "key": row.content.key,
    }


def _abstract_fields(paper_id: int, abstract: str) -> dict[str, object]:
    return {
        "paper_id": paper_id,
        "fingerprint": identity.text_hash(abstract),
        "abstract": plain(abstract),
    }


def _strength(key: str, row: KnownPaper, title_key: str) -> int:
    """Ids before titles, and an address or an abstract under another title last."""
    rung = identity.rung(key)
    if rung in identity.STRONG_RUNGS:
        return 0
    return 1 if rung == "title" or identity.title_key(row.content.title) == title_key else 2
