"""How fast listings are read: our whole job (cleaned, linked, keyed papers) beside others' parse and extraction of the same fields.

Run by `make bench`. One page at a time, the readers in turns, CPU time, medians: on a machine that others use too, only the
ratios within one table say something.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any, NamedTuple

from benchmarks import pages, peers
from digest import sources
from digest.model import Listing, Reading

Reader = Callable[[bytes], Any]


class Case(NamedTuple):
    """`others` are read beside us; `goals` say how many times as fast as each of them we want to be."""

    name: str
    kind: str
    papers: int
    page: Callable[[list[pages.Invented]], bytes]
    others: dict[str, Reader]
    goals: dict[str, float]


CASES = [
    Case(
        "P4 arXiv listing page", "arxiv", 500, pages.arxiv_page,
        {"BeautifulSoup + lxml": peers.arxiv_beautifulsoup, "selectolax, bare": peers.arxiv_selectolax},
        {"BeautifulSoup + lxml": 12, "selectolax, bare": 0.6},
    ),
    Case(
        "P5 daily papers, cards only", "huggingface", 500, pages.cards_page,
        {"BeautifulSoup + lxml": peers.cards_beautifulsoup, "selectolax, bare": peers.cards_selectolax},
        {"BeautifulSoup + lxml": 15},
    ),
    Case(
        "P5 daily papers, whole page", "huggingface", 500, pages.daily_page,
        {"BeautifulSoup + lxml": peers.daily_beautifulsoup, "selectolax, bare": peers.daily_selectolax},
        {},
    ),
    Case(
        "P6 Atom feed", "feed", 1000, pages.atom_feed,
        {"feedparser": peers.atom_feedparser, "lxml.etree, bare": peers.atom_lxml},
        {"feedparser": 10},
    ),
]  # fmt: skip


def ours(body: bytes, kind: str) -> Reading:
    return sources.read(Listing(location="page", body=body), kind)


def forget() -> None:
    """Empties what the program remembers between two pages: each reading starts as cold as the first of a run."""
    for name, module in list(sys.modules.items()):
        if name.startswith("digest."):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def seconds(readers: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """The median CPU time of each reader. They take turns, so that a slow minute of the machine is slow for all."""
    taken: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, read in readers.items():
            forget()
            gc.collect()
            started = time.process_time()
            read()
            taken[name].append(time.process_time() - started)
    return {name: median(times) for name, times in taken.items()}


def disagreements(case: Case, body: bytes, invented: list[pages.Invented]) -> list[str]:
    """Who does not read what stands in the page: a ratio counts only between readers that give the same papers."""
    known = [paper.id for paper in invented]
    wrong = [] if [paper.ids.get("arxiv") for paper in ours(body, case.kind).papers] == known else ["digest"]
    for name, read in case.others.items():
        ids = [str(paper["id"]).rpartition("/")[2].partition("v")[0] for paper in read(body)]
        if ids != known:
            wrong.append(name)
    return wrong


def table(case: Case, papers: int, rounds: int) -> list[str]:
    invented = pages.invented(papers)
    body = case.page(invented)
    if wrong := disagreements(case, body, invented):
        raise SystemExit(f"{case.name}: {', '.join(wrong)} does not read the {papers} papers of the page")
    readers: dict[str, Callable[[], Any]] = {"digest": lambda: ours(body, case.kind)}
    readers |= {name: (lambda read=read: read(body)) for name, read in case.others.items()}
    taken = seconds(readers, rounds)
    lines = [
        f"{case.name}, {papers} papers, {len(body) / 1e6:.1f} MB, medians of {rounds}",
        "",
        "| reader | papers per CPU second | digest is | goal |",
        "|---|---|---|---|",
    ]
    for name, time_taken in taken.items():
        goal = f"≥ {case.goals[name]:g}×" if name in case.goals else ""
        ratio = "" if name == "digest" else f"{time_taken / taken['digest']:.2f}×"
        lines.append(f"| {name} | {papers / time_taken:,.0f} | {ratio} | {goal} |")
    return [*lines, ""]


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--papers", type=int, default=0, help="instead of 500 (pages) and 1,000 (feed)")
    options = parser.parse_args(None if arguments is None else list(arguments))
    for case in CASES:
        print("\n".join(table(case, options.papers or case.papers, options.rounds)), flush=True)


if __name__ == "__main__":
    main()
