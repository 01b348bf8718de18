"""Corrections by hand: two papers said to be one, one said to be two. The diff heeds them in every later run (told.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from digest import identity
from digest.errors import UsageError
from digest.model import Paper
from digest.store import known
from digest.store.changes import touch
from digest.store.database import Database, stamp
from digest.store.diff import Diff
from digest.store.known import KnownPaper, as_known
from digest.store.offers import Offer
from digest.utf8 import plain

SILENT = "split off by hand, not to be offered"


class Head(Struct, frozen=True, kw_only=True):
    """Enough of a paper to name it."""

    id: int
    key: str
    title: str


class Corrected(Struct, frozen=True, kw_only=True):
    """What a correction did: the two papers (after a merge `other` is part of `paper`), by digest the state of their offers
    (waiting, issued, dropped, withheld), and how many earlier corrections it took back."""

    paper: Head
    other: Head
    offers: dict[str, str]
    other_offers: dict[str, str]
    taken_back: int


class Corrections:
    """The part of the store that takes the operator's word for what is one paper."""

    _db: Database

    def merge(self, keep: str | int, other: str | int, now: datetime) -> Corrected:
        """Makes two papers one, for good. Each is a key or a paper's number.

        The older of the two keeps its key, which feeds show; the words are those of `keep`. Nothing that either was issued
        as is offered again. From now on any key of either leads here. Raises UsageError where they are one already.
        """
        with self._db.writing():
            diff = self._diff(now)
            kept, gone = _row(diff, keep), _row(diff, other)
            if kept is gone:
                key, title = kept.content.key, kept.content.title
                raise UsageError(
                    f'Both names are one paper already: {key} "{title}". Nothing was changed. '
                    f'Name another paper by its key; `digest why "{key}"` shows which keys are of this one.'
                )
            taken_back = self._take_back("two", diff, kept, gone)
            row, loser = sorted((kept, gone), key=lambda paper: paper.id)
            head, appearances = _head(loser), (row.content, loser.content)
            words = kept.content
            diff.join(loser, row)
            row.reword(words)
            diff.remember_shown(row, *appearances)
            if row.withdrawn:
                diff.offers.withdraw(row)
            diff.write()
            self._note(now, "one", row.content.key, [head.key])
            return Corrected(
                paper=_head(row),
                other=head,
                offers=_states(diff, row),
                other_offers={},
                taken_back=taken_back,
            )

    def split(
        self, paper: str | int, keys: Sequence[str], now: datetime, *, silent: bool = False
    ) -> Corrected:
        """Makes what has these keys a paper of its own, for good. `paper` is a key or a number.

        A row that was joined to the paper comes back with all it had; else the keys go to a new row, which has the words of
        the paper until a listing shows its own. What was never sent under its own name waits as new for the digests that
        had the paper (not if `silent`). Where the keys lead to another paper already, the two are never taken for one.
        Raises UsageError for a key that no paper has, and for the one under which the paper itself is stored.
        """
        with self._db.writing():
            diff = self._diff(now)
            row = _row(diff, paper)
            keys = list(dict.fromkeys(plain(key) for key in keys))
            other = _other_owner(diff, row, keys)
            moved = [] if other else self._parted_keys(diff, row, keys)
            other = other or self._part(diff, row, moved, silent=silent)
            _refuse_one_arxiv_id(row, other)
            taken_back = self._take_back("one", diff, row, other, moved)
            diff.write()
            self._move(diff, row, other, moved)
            touch(self._db, [row.id, other.id], reworded=True)
            self._note(now, "two", row.content.key, [k for k in moved if _is_word(k)] + keys)
            return Corrected(
                paper=_head(row),
                other=_head(other),
                offers=_states(diff, row),
                other_offers=_states(diff, other),
                taken_back=taken_back,
            )

    def _diff(self, now: datetime) -> Diff:
        diff = Diff(self._db, source="", now=now)
        diff.listen()
        return diff

    # --- the notes

    def _note(self, now: datetime, relation: str, left: str, rights: Sequence[str]) -> None:
        said = {(*pair,) for _, _, *pair in self._db.rows("corrections")}
        number = int(self._db.value("next_correction_id"))
        fields = [
            {"id": n, "made_at": stamp(now), "relation": relation, "left_key": left, "right_key": right}
            for n, right in enumerate(dict.fromkeys(rights), number)
            if (relation, left, right) not in said
        ]
        self._db.many("insert_correction", fields)

    def _take_back(
        self, relation: str, diff: Diff, row: KnownPaper, other: KnownPaper, moved: Sequence[str] = ()
    ) -> int:
        """Removes what was said before of the same two papers; how many times it was."""

        def side(key: str) -> KnownPaper | None:
            return other if key in moved else diff.owner(key)

        found = [
            {"id": number}
            for number, _, said, left, right in self._db.rows("corrections")
            if said == relation and {id(side(left)), id(side(right))} == {id(row), id(other)}
        ]
        self._db.many("delete_correction", found)
        return len(found)

    # --- one becomes two

    def _parted_keys(self, diff: Diff, row: KnownPaper, keys: Sequence[str]) -> list[str]:
        """The keys that go: those given, and all that rows bring along which had been joined to the paper."""
        moved = dict.fromkeys(keys)
        for place in dict.fromkeys(diff.owners[key] for key in keys):
            if place is not None and place != row.id:
                moved |= dict.fromkeys(key for (key,) in self._db.rows("keys_of_row", paper_id=place))
                appearance = known.shown_key(self._stored(place).content)
                if diff.owner(appearance) is row:
                    moved[appearance] = None
        diff.look_up(list(moved))
        return list(moved)

    def _part(self, diff: Diff, row: KnownPaper, moved: Sequence[str], *, silent: bool) -> KnownPaper:
        abstracts = (row.content.abstract, *diff.earlier_abstracts(row))
        joined = sorted({place for key in moved if (place := diff.owners[key]) and place != row.id})
        title_goes = identity.title_key(row.content.title) in moved
        if joined:
            other = self._stored(joined[0])
        else:
            words = replace(_only(row.content, moved), key=min(moved, key=strength))
            number = int(self._db.value("next_paper_id"))
            other = KnownPaper(
                number,
                words,
                version=None,
                announced_on=None,
                debuted=True,
                is_new=True,
                borrowed=not title_goes,
            )
        other.share_history(row)
        diff.rows[other.id] = other
        # Whatever either was shown with is no news of either.
        diff.remember_abstracts(other, *abstracts)
        row.reduce(_without(row.content, moved), borrowed=title_goes)
        self._offer_apart(diff, row, other, undone=bool(joined), silent=silent)
        return other

    def _offer_apart(
        self, diff: Diff, row: KnownPaper, other: KnownPaper, *, undone: bool, silent: bool
    ) -> None:
        mine, theirs = self._shown_as(row), self._shown_as(other)
        for (paper_id, digest), offer in list(diff.offers.all.items()):
            if paper_id != row.id:
                continue
            diff.offers.put(other.id, digest, _offer_of_other(offer, theirs.get(digest), diff, other, silent))
            if undone and offer.sent and digest not in mine and not silent:
                # Only the other one had been sent.
                diff.offers.put(row.id, digest, _offer_of_other(offer, None, diff, row, silent))
        for paper in (row, other):
            if paper.withdrawn:
                diff.offers.withdraw(paper)

    def _shown_as(self, row: KnownPaper) -> dict[str, int]:
        """By digest the last edition that showed the row under its own name."""
        return dict(self._db.rows("shown_as", paper_id=row.id))

    def _stored(self, paper_id: int) -> KnownPaper:
        """A row as it is stored, also one that was joined to another."""
        return as_known(self._db.rows("papers_by_id", ids=self._db.array([paper_id]))[0])

    def _move(self, diff: Diff, row: KnownPaper, other: KnownPaper, moved: Sequence[str]) -> None:
        places = {key: diff.owners[key] for key in moved}
        for place in {place for place in places.values() if place not in (None, row.id)}:
            self._db.run("move_joined", id=place, winner=None if place == other.id else other.id)
        self._db.many(
            "move_key", [{"key": key, "paper_id": other.id} for key in moved if places[key] == row.id]
        )
        self._db.many("move_sightings", [{"key": k, "paper_id": row.id, "other": other.id} for k in moved])
        diff.owners.update(dict.fromkeys(moved, other.id))


def _row(diff: Diff, paper: str | int) -> KnownPaper:
    if isinstance(paper, int):
        diff.load([paper])
        found = diff.rows.get(paper)
    else:
        found = diff.owner(plain(paper))
    if found is None:
        raise UsageError(f'No paper has the key "{paper}". `digest why PAPER` shows the keys of a paper.')
    return found


def _other_owner(diff: Diff, row: KnownPaper, keys: Sequence[str]) -> KnownPaper | None:
    """The paper that the keys lead to where it is not this one; None where they are its own and it can be split."""
    if not keys:
        raise UsageError("Name the keys that belong to the other paper. `digest why PAPER` shows them.")
    owners = {id(owner): owner for owner in (_row(diff, key) for key in keys)}
    if len(owners) > 1:
        raise UsageError(
            f"These keys lead to {len(owners)} papers: {', '.join(o.content.key for o in owners.values())}. "
            "Split off one at a time."
        )
    other = next(iter(owners.values()))
    if other is not row:
        return other
    own = row.content.key
    if (part := _part_by_hand(diff, row)) and all(diff.owners[key] == row.id for key in keys):
        raise UsageError(
            f'"{own}" was said to be one with "{part}". Take that back first: digest split "{own}" "{part}"'
        )
    if own in keys:
        why = " An arXiv id is one paper, whatever its version." if identity.rung(own) == "arxiv" else ""
        raise UsageError(
            f'"{own}" is the key under which the paper is stored: it stays.{why} Name the keys of the other paper.'
        )
    return None


def _part_by_hand(diff: Diff, row: KnownPaper) -> str:
    """A key of a paper that was made one with this by hand; "" where there is none."""
    keys = (key for pair in diff.told.one for key in pair)
    return next((key for key in keys if diff.owner(key) is row and diff.owners[key] != row.id), "")


def _refuse_one_arxiv_id(row: KnownPaper, other: KnownPaper) -> None:
    name = row.known.ids.get("arxiv")
    if name is not None and name == other.known.ids.get("arxiv"):
        raise UsageError(f"Both are arXiv:{name}, and an arXiv id is one paper. Nothing was changed.")


def _offer_of_other(offer: Offer, edition: int | None, diff: Diff, other: KnownPaper, silent: bool) -> Offer:
    made = Offer("waiting", "new", other.revision, offer.source, diff.stamp, "")
    if edition is not None:
        made.state, made.edition_id = "issued", edition
    elif offer.state == "withheld" and offer.change == "updated":
        made.state, made.change = "withheld", offer.change
    elif silent:
        made.state, made.reason = "dropped", SILENT
    return made


def _without(paper: Paper, moved: Sequence[str]) -> Paper:
    """The paper without the ids and addresses that went to another."""
    return _restricted(paper, lambda keys: not keys & set(moved))


def _only(paper: Paper, moved: Sequence[str]) -> Paper:
    """The words of the paper, with those ids and addresses only that are the other one's."""
    return replace(
        _restricted(paper, lambda keys: bool(keys & set(moved))), version=None, announce=None, upvotes=None
    )


def _restricted(paper: Paper, stays: Callable[[set[str]], bool]) -> Paper:
    ids = {
        kind: value for kind, value in paper.ids.items() if stays(set(identity.id_keys({kind: value}, {})))
    }
    links = {
        name: link
        for name, link in paper.links.items()
        if stays({*identity.id_keys({}, {name: link}), *identity.ladder({}, {"abstract": link}, "", "")})
    }
    return replace(paper, ids=ids, links=links)


def _is_word(key: str) -> bool:
    """A key that says something of the paper, rather than of one appearance."""
    return identity.rung(key) != "shown"


def strength(key: str) -> tuple[int, str]:
    """Sorts the keys of a paper, the strongest first."""
    order = (*identity.STRONG_RUNGS, "", "url", "title", "abstract", "shown")
    rung = identity.rung(key)
    return order.index(rung if rung in order else ""), key


def _states(diff: Diff, row: KnownPaper) -> dict[str, str]:
    return {
        digest: offer.state for (paper_id, digest), offer in diff.offers.all.items() if paper_id == row.id
    }


def _head(row: KnownPaper) -> Head:
    return Head(id=row.id, key=row.content.key, title=row.content.title)
