"""How fast listings are read: our whole job (cleaned, linked, keyed papers) beside others' parse and extraction of the same fields.

P4 an arXiv page, P5 a page of cards, P6 an Atom feed. Each reader is a process of its own which reads one page again and again, in
turns with the others; CPU time, medians: on a machine that others use too, only the ratios within one table say something. What
ours remembers between pages is emptied before each round. "Bare" is the fastest parser there is for the page, used directly.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks import pages, peers
from benchmarks.costs import answer_of, compile_ours
from benchmarks.installed import python
from benchmarks.report import Check, Found, Growth, Row, run_alone
from digest import sources
from digest.model import Listing, Reading


class Case(NamedTuple):
    """`others` are read beside us, by functions of peers.py; `goals` say how many times as fast as each of them we want to be,
    and how many would be finer still."""

    id: str
    name: str
    kind: str
    papers: int
    page: Callable[[list[pages.Invented]], bytes]
    others: dict[str, str]
    goals: dict[str, tuple[float, float]]


CASES = [
    Case(
        "P4", "arXiv listing page", "arxiv", 500, pages.arxiv_page,
        {"BeautifulSoup + lxml": "arxiv_beautifulsoup", "selectolax, bare": "arxiv_selectolax"},
        {"BeautifulSoup + lxml": (12, 12), "selectolax, bare": (0.6, 0.9)},
    ),
    Case(
        "P5", "daily papers, cards only", "huggingface", 500, pages.cards_page,
        {"BeautifulSoup + lxml": "cards_beautifulsoup", "selectolax, bare": "cards_selectolax"},
        {"BeautifulSoup + lxml": (15, 25)},
    ),
    Case(
        "", "daily papers, whole page", "huggingface", 500, pages.daily_page,
        {"BeautifulSoup + lxml": "daily_beautifulsoup", "selectolax, bare": "daily_selectolax"},
        {},
    ),
    Case(
        "P6", "Atom feed", "feed", 1000, pages.atom_feed,
        {"feedparser": "atom_feedparser", "lxml.etree, bare": "atom_lxml"},
        {"feedparser": (10, 10)},
    ),
]  # fmt: skip
SIZES = (100, 500, 2_000)
QUICK = 20


class Read(NamedTuple):
    """CPU seconds for each paper, and the peak of the process."""

    seconds: float
    peak_mib: float


def ours(body: bytes, kind: str) -> Reading:
    return sources.read(Listing(location="page", body=body), kind)


def forget() -> None:
    """Empties what the program remembers between two pages: each reading starts as cold as the first of a run."""
    for name, module in list(sys.modules.items()):
        if name.startswith("digest."):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()
    gc.collect()


def read_again(kind: str, file: str, rounds: str, out: str) -> None:
    """Ours, in a process of its own: as peers.main."""
    body = Path(file).read_bytes()
    ids = [[paper.ids.get("arxiv", "") for paper in ours(body, kind).papers]]
    cpu = peers.timed(lambda: ours(body, kind), int(rounds), before=forget)
    Path(out).write_text(json.dumps({"ids": ids, "cpu": cpu}))


def contest(case: Case, papers: int, turns: int, rounds: int, others: str) -> dict[str, Read]:
    """What each reader takes for a paper. Raises SystemExit where one does not give the papers of the page."""
    invented = pages.invented(papers)
    known = [paper.id for paper in invented]
    taken: dict[str, list[float]] = {}
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "page")
        file.write_bytes(case.page(invented))
        for _ in range(turns):
            for name in ("digest", *case.others):
                if name == "digest":
                    answer, cost = answer_of("reading", "--again", case.kind, file, rounds)
                else:
                    answer, cost = answer_of("peers", case.others[name], file, rounds, python=others)
                if answer["ids"] != [known]:
                    raise SystemExit(f"{case.name}: {name} does not read the {papers} papers of the page")
                taken.setdefault(name, []).extend(answer["cpu"])
                peaks[name] = max(cost.peak_mib, peaks.get(name, 0))
    return {name: Read(median(each) / papers, peaks[name]) for name, each in taken.items()}


def row(case: Case, papers: int, found: dict[str, Read]) -> Row:
    mine = found["digest"]
    beside = [
        f"{name} {_rate(each)} ({mine_is(found, name)})" for name, each in found.items() if name != "digest"
    ]
    checks = tuple(
        Check(name, found[name].seconds / mine.seconds, limit, stretch=stretch)
        for name, (limit, stretch) in case.goals.items()
    )
    return Row(
        case.id, f"{case.name}, {papers:,} papers", _rate(mine), "; ".join(beside), checks, mine.peak_mib
    )


def mine_is(found: dict[str, Read], name: str) -> str:
    return f"{found[name].seconds / found['digest'].seconds:.2f}×"


def _rate(read: Read) -> str:
    return f"{1 / read.seconds / 1000:.1f}k papers/s"


def measure(quick: bool = False) -> Found:
    if not quick:
        compile_ours()
    others = python(install=not quick)
    # Many short turns: a machine that others use changes its speed within seconds, for whoever has the turn.
    turns, rounds = (1, 1) if quick else (9, 2)
    found = {
        case.name: contest(case, QUICK if quick else case.papers, turns, rounds, others) for case in CASES
    }
    rows = tuple(row(case, QUICK if quick else case.papers, found[case.name]) for case in CASES if case.id)
    daily = found["daily papers, whole page"]
    beside = tuple(
        (name, _rate(each), mine_is(daily, name), f"{each.peak_mib:.0f}") for name, each in daily.items()
    )
    whole = Growth("Daily papers, whole page with its JSON", ("reader", "", "digest is", "peak MiB"), beside)
    return Found("reading", rows, (whole, *_growth(quick, others)), (_NOTE,))


_NOTE = "The others take the fields as they stand; ours are cleaned, linked, keyed, and the page is checked first."


def _growth(quick: bool, others: str) -> tuple[Growth, ...]:
    lines = []
    for papers in (10, 20) if quick else SIZES:
        cells = []
        for case in (CASES[0], CASES[3]):
            alone = case._replace(others={})
            mine = contest(alone, papers, 1, 1 if quick else 5, others)["digest"]
            cells += [f"{1000 * papers * mine.seconds:.1f}", f"{mine.peak_mib:.0f}"]
        lines.append((f"{papers:,}", *cells))
    heads = ("papers", "arXiv page, ms", "peak MiB", "Atom feed, ms", "peak MiB")
    return (Growth("Reading, by papers on the page", heads, tuple(lines)),)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--again"]:
        read_again(*sys.argv[2:])
    else:
        run_alone("reading", __doc__, measure)
