"""What an operator said of papers, as the diff heeds it: these are one, those are two, whatever their keys would say."""

from __future__ import annotations

from collections.abc import Sequence

from digest import identity
from digest.identity import Known
from digest.model import Paper
from digest.store.known import KnownPaper

_WEAK = identity.NAMELESS | {"url"}


class Told:
    """The corrections, by the keys under which they were made: a key leads to its paper, also after further papers were
    joined to it. `egos` holds what the papers said to be one were each before, by the number of the row they are now."""

    def __init__(self, corrections: Sequence[tuple[str, str, str]] = ()) -> None:
        self.two = [(left, right) for relation, left, right in corrections if relation == "two"]
        self.one = [(left, right) for relation, left, right in corrections if relation == "one"]
        self.named = frozenset(right for _, right in self.two)
        self.weak = any(map(self.is_weak, self.named))
        self.egos: dict[int, list[Known]] = {}

    @property
    def keys(self) -> list[str]:
        return [key for pair in (*self.two, *self.one) for key in pair]

    def is_weak(self, key: str) -> bool:
        """Many papers may have it; an id only one has."""
        return identity.rung(key) in _WEAK

    def lefts(self, key: str) -> list[str]:
        """The papers from which this key was split off, by a key of each."""
        return [left for left, right in self.two if right == key]

    def decides(self, key: str) -> bool:
        """Ids are final, and so is a key that the operator named."""
        return not self.is_weak(key) or key in self.named

    def fits(self, row: KnownPaper, paper: Paper, key: str) -> bool:
        """May an appearance be this paper by a key that the operator named, or by an id?"""
        if key not in self.named or not row.borrowed:
            return identity.same_work(row.known, paper, identity.rung(key))
        # Its own words were not known when it was split off: there is nothing to weigh but the ids.
        return not identity.ids_conflict(row.known.ids, identity.known_ids(paper.ids, paper.links))

    def fits_either(self, row: KnownPaper, paper: Paper, rung: str) -> bool:
        """Is the appearance one of the papers that were said to be this one?"""
        return any(identity.same_work(ego, paper, rung) for ego in self.egos.get(row.id, ()))

    def join(self, loser: int, winner: int) -> None:
        if loser in self.egos:
            self.egos.setdefault(winner, []).extend(self.egos.pop(loser))
