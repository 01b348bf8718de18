"""The daily run, beside programs that do a part of it: rss2email, feed2exec, urlwatch, and a bare yardstick.

P1: 1,000 papers listed, 100 of them new, one mail, feeds and archive written: without pages of papers, authors and categories
(`pages = []`), and with all of them, as it is where nothing is said. benchmarks.listed is of more papers listed (P2),
benchmarks.remembered of more papers seen (P3).
Each program is a process of its own, day after day in its own folder, in turns with the others on the same feeds, and has told
of exactly the new papers before its time counts. Medians of wall and CPU seconds, the most memory of any day.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks import daily
from benchmarks.costs import Cost, compile_ours, middle
from benchmarks.daily import Bare, Digest, Feed2exec, Papers, Program, Resident, Rss2email, Urlwatch
from benchmarks.installed import NotInstalledError, peers
from benchmarks.report import Check, Found, Growth, Row, figure, run_alone
from benchmarks.sink import running

Make = Callable[[Path, Papers], Program]


class Sizes(NamedTuple):
    few: int = 200
    listed: int = 1_000
    many: int = 5_000
    seen: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    editions: tuple[int, ...] = (10, 30, 90)
    subscribers: tuple[int, ...] = (1, 100, 1_000)
    new: int = daily.NEW
    rounds: int = 5
    fewer: int = 2  # where no goal hangs on it


QUICK = Sizes(20, 40, 60, (100, 200, 400), (4, 5, 6), (1, 2, 3), 10, 1, 1)


def contest(papers: Papers, players: dict[str, Make], rounds: dict[str, int]) -> dict[str, Cost]:
    """The medians of each player, which take turns day by day; day 0 is for preparing them."""
    costs: dict[str, list[Cost]] = {name: [] for name in players}
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        programs = {}
        for at, (name, make) in enumerate(players.items()):
            programs[name] = make(Path(temporary, f"site{at}"), papers)
            stack.callback(programs[name].close)
            programs[name].prepare(stack.enter_context(running("--keep", str(programs[name].kept))))
        for day in range(1, max(rounds.values()) + 1):
            for name, program in programs.items():
                if day <= rounds[name]:
                    costs[name].append(program.day(day))
    return {name: middle(each) for name, each in costs.items()}


def ours(seen: int = 0, subscribers: int = 1, *, lean: bool = False) -> Make:
    return lambda folder, papers: Digest(folder, papers, seen=seen, subscribers=subscribers, lean=lean)


def resident(seen: int = 0, *, lean: bool = False) -> Make:
    """Ours in a process that stays."""
    return lambda folder, papers: Resident(folder, papers, seen=seen, lean=lean)


def run_of(
    listed: int, sizes: Sizes, players: dict[str, Make], fewer: tuple[str, ...] = ()
) -> dict[str, Cost]:
    rounds = {name: sizes.fewer if name in fewer else sizes.rounds for name in players}
    return contest(daily.announced(listed, sizes.rounds, sizes.new), players, rounds)


# ---------------------------------------------------------------- the rows


def row(
    name: str, what: str, costs: dict[str, Cost], ours: str, checks: Iterable[Check], missing: str
) -> Row:
    beside = "; ".join(
        f"{each} {said(cost)}" for each, cost in costs.items() if not each.startswith("digest")
    )
    return Row(name, what, said(costs[ours]), beside, tuple(checks), costs[ours].peak_mib, missing)


def said(cost: Cost) -> str:
    return f"{figure(cost.wall)} s ({figure(cost.cpu)} cpu, {cost.peak_mib:.0f} MiB)"


def against(
    costs: dict[str, Cost], ours: str, limit: float, stretch: float, *, cpu: bool = False
) -> list[Check]:
    """How many times as fast as rss2email; nothing where it is not here."""
    if "rss2email" not in costs:
        return []
    theirs, mine = costs["rss2email"], costs[ours]
    ratio = theirs.cpu / mine.cpu if cpu else theirs.wall / mine.wall
    return [Check(f"rss2email's {'cpu' if cpu else 'wall'}", ratio, limit, stretch=stretch)]


def peak(cost: Cost, limit: int) -> Check:
    return Check("peak", cost.peak_mib, limit, more=False, unit=" MiB")


class Peers(NamedTuple):
    """The folder of the peers' programs; None where they cannot be had, with what is missing then and what is to be said of it."""

    bin_: Path | None
    missing: str = ""
    notes: tuple[str, ...] = ()

    def rss2email(self, seen: int = 0) -> dict[str, Make]:
        """It alone, or nothing."""
        bin_ = self.bin_
        if bin_ is None:
            return {}
        return {"rss2email": lambda folder, papers: Rss2email(folder, papers, bin_=bin_, seen=seen)}

    def slower(self) -> dict[str, Make]:
        bin_ = self.bin_
        if bin_ is None:
            return {}
        return {
            "feed2exec": lambda folder, papers: Feed2exec(folder, papers, bin_=bin_),
            "urlwatch": lambda folder, papers: Urlwatch(folder, papers, bin_=bin_),
        }


def prepared(quick: bool) -> tuple[Sizes, Peers]:
    """What is measured, and beside whom. Nothing is installed for a quick look."""
    if not quick:
        compile_ours()
    sizes = QUICK if quick else Sizes()
    try:
        return sizes, Peers(peers(install=not quick))
    except NotInstalledError as error:
        return sizes, Peers(None, "rss2email", (f"The peers cannot be had here: {error}",))


def measure(quick: bool = False) -> Found:
    sizes, beside = prepared(quick)
    slow = beside.slower()
    more = {f"digest, {n} subscribers": ours(subscribers=n) for n in sizes.subscribers[1:]}
    both = {"digest": ours(), LEAN: ours(lean=True)}
    all_of = both | {"bare yardstick": Bare} | beside.rss2email() | slow | more
    costs = run_of(sizes.listed, sizes, all_of, (*slow, *more))
    what = f"daily run, {sizes.listed:,} listed, {sizes.new} new"
    rows = [
        row("P1", what + pages, costs, of, [*against(costs, of, 2, 4), peak(costs[of], 70)], beside.missing)
        for of, pages in PAGES.items()
    ]
    readers = {n: costs["digest" if n == 1 else f"digest, {n} subscribers"] for n in sizes.subscribers}
    of = f"Daily run of {sizes.listed:,} listed, by subscribers"
    return Found("run", tuple(rows), (Growth(of, HEADINGS, lines(readers)),), (*beside.notes, *_NOTES))


# Ours without pages of papers, authors and categories, and with all of them; and what is said of each.
LEAN = "digest, lean"
PAGES = {LEAN: ": feeds and archive", "digest": ": with a page for each paper, author and category too"}
HEADINGS = ("size", "wall s", "cpu s", "peak MiB")
_NOTES = (
    "rss2email mails what is new; it writes no page and no feed. feed2exec writes a file for each new paper and sends nothing; "
    "urlwatch mails the lines by which the page differs. The bare yardstick neither cleans nor knows papers again nor recovers.",
)


def lines(costs: dict[int, Cost]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (f"{size:,}", figure(cost.wall), figure(cost.cpu), f"{cost.peak_mib:.0f}")
        for size, cost in costs.items()
    )


if __name__ == "__main__":
    run_alone("run", __doc__, measure)
