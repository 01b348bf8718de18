"""Which papers and gists a mail has room for. Above about 100 kB large mail programs cut a message off."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from digest.model import Edition
from digest.render import EditionView, PaperView, SectionView

LIMIT = 85_000
WARN = 70_000

Fragment = Callable[[PaperView, bool, bool], str]


class Plan(Struct, frozen=True, kw_only=True):
    """The sections as the mail shows them, how many papers they show, and how many of those without their gist."""

    sections: list[dict[str, Any]]
    shown: int
    without_gist: int


class _Item:
    """A paper's place in the mail, with the fragments it may stand as and what they cost."""

    __slots__ = ("brief", "full", "paper", "pick", "votes")

    def __init__(self, paper: PaperView, pick: bool, votes: int, full: tuple[str, int]) -> None:
        self.paper, self.pick, self.votes, self.full = paper, pick, votes, full
        self.brief: tuple[str, int] | None = None

    @property
    def now(self) -> tuple[str, int]:
        return self.brief or self.full


def fit_plan(
    edition: Edition,
    view: EditionView,
    fragment: Fragment,
    frame: int,
    size_of: Callable[[str], int],
) -> Plan:
    """The whole edition if it fits LIMIT with the `frame` bytes around its papers; else without the gists of the lowest-voted, then
    without papers: always the last of the topic that shows most. Picks go only when nothing else is left. Every fragment is made
    and measured once.
    """
    votes = iter([entry.paper.upvotes or 0 for entry in edition.entries])
    rows: list[tuple[SectionView, list[_Item]]] = []
    for section in view.sections:
        pick = section is view.picks
        full = [fragment(paper, pick, True) for paper in section.papers]
        rows.append(
            (
                section,
                [
                    _Item(p, pick, next(votes), (f, size_of(f)))
                    for p, f in zip(section.papers, full, strict=True)
                ],
            )
        )
    room = LIMIT - frame - sum(item.full[1] for _, items in rows for item in items)
    if room < 0:
        room = _drop_gists(rows, room, fragment, size_of)
    if room < 0:
        room = _drop_papers([items for section, items in rows if section is not view.picks], room)
    if room < 0:
        _drop_papers([items for section, items in rows if section is view.picks], room)
    kept = [item for _, items in rows for item in items]
    return Plan(
        sections=[_shown(section, items, section.count - len(items)) for section, items in rows],
        shown=len(kept),
        without_gist=sum(item.brief is not None for item in kept),
    )


def _drop_gists(
    rows: list[tuple[SectionView, list[_Item]]], room: int, fragment: Fragment, size_of: Callable[[str], int]
) -> int:
    """Gists of the lowest-voted go first, of equal votes the last; those of picks stay. What room there is then."""
    order = enumerate(item for _, items in rows for item in items if not item.pick and item.paper.gist)
    for _, item in sorted(order, key=lambda pair: (pair[1].votes, -pair[0])):
        if room >= 0:
            break
        brief = fragment(item.paper, item.pick, False)
        item.brief = (brief, size_of(brief))
        room += item.full[1] - item.brief[1]
    return room


def _drop_papers(topics: list[list[_Item]], room: int) -> int:
    """Papers go from the end of whichever topic shows most. What room there is then."""
    heap = [(-len(items), -number) for number, items in enumerate(topics) if items]
    heapq.heapify(heap)
    while room < 0 and heap:
        _, number = heapq.heappop(heap)
        items = topics[-number]
        room += items.pop().now[1]
        if items:
            heapq.heappush(heap, (-len(items), number))
    return room


def _shown(section: SectionView, items: list[_Item], more: int) -> dict[str, Any]:
    papers = [{"view": item.paper, "html": item.now[0], "with_gist": item.brief is None} for item in items]
    return {"name": section.name, "url": section.url, "count": section.count, "papers": papers, "more": more}
