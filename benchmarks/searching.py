"""How fast the archive is searched, at three sizes; the limit is 50 ms at 100,000 papers.

The store is filled with editions of invented papers; then each search is asked for its first page of 20 papers, many times in turn,
and the slowest of the medians counts. Beside it stands the obvious way: LIKE.
"""

from __future__ import annotations

import resource
import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks import pages
from benchmarks.report import Check, Found, Growth, Row, run_alone
from digest.config import DigestConfig, TopicConfig, slugs_of
from digest.editions import make_edition
from digest.model import Paper
from digest.searching import parse_query
from digest.selection import select
from digest.store import Store, open_store

START = datetime(2020, 1, 1, 6, 0, tzinfo=UTC)
SIZES = (1_000, 10_000, 100_000)
EDITION = 500
LIMIT_MS = 50
PAGE = 20
DIGEST = DigestConfig(
    name="daily",
    topics=(
        TopicConfig(name="Language", any=("language", "token"), categories=("cs.CL",)),
        TopicConfig(name="Learning", any=("reward", "policy"), categories=("cs.LG",)),
    ),
)
# What is asked for: a word, several, a phrase, a beginning, a word that is in every paper, without one, by author, label and date.
SEARCHES = {
    "one rare word": "repo-17",
    "two words": "sparse equilibrium",
    "a phrase": '"open-ended multi-agent"',
    "a beginning": "segm*",
    "a word of every paper": "the",
    "that, without another": "the -tensor",
    "an author": 'author:"Ada Lindqvist"',
    "a category": "category:cs.CL graph",
    "a topic and a month": "topic:learning date:2020-02",
}


def fill(store: Store, first: int, until: int) -> None:
    """Editions of invented papers, and the index of them."""
    for start in range(first, until, EDITION):
        number = start // EDITION + 1
        now = START + timedelta(days=number)
        papers = [
            _paper(start + n, invented) for n, invented in enumerate(pages.invented(EDITION, seed=number))
        ]
        store.record_sightings(
            "bench", papers, now=now, listed_on=None, followers=[DIGEST.name], updates_for=set()
        )
        candidates = store.waiting(DIGEST.name)
        selection = select(candidates, DIGEST)
        edition = make_edition(
            DIGEST, now.date(), part=1, number=number, issued_at=now, chosen=selection.kept, authority="papers.example.org,2026"
        )  # fmt: skip
        store.issue(edition, selection.decisions, lambda subscriber: None)
    store.index_editions(lambda digest: slugs_of(DIGEST.topics))


def _paper(number: int, invented: pages.Invented) -> Paper:
    arxiv = f"{2001 + number // 90_000}.{number % 90_000 + 10_000:05}"
    categories = tuple(subject.rpartition("(")[2].rstrip(")") for subject in invented.subjects)
    return Paper(
        key=f"arxiv:{arxiv}",
        ids={"arxiv": arxiv},
        title=f"{invented.title} {number}",
        abstract=invented.abstract,
        authors=tuple(invented.authors),
        categories=categories,
    )


def timed(call: Callable[[], object], rounds: int) -> float:
    """The median of so many calls, in milliseconds."""
    spent = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return 1000 * median(spent)


def searched(store: Store, rounds: int) -> dict[str, tuple[int, float, float]]:
    """Of each search how many papers it finds, and the milliseconds of its first page by rank and newest first."""
    found = {}
    for name, text in SEARCHES.items():
        query = parse_query(text)
        total, _ = store.search(query, limit=PAGE)
        ranked = timed(lambda query=query: store.search(query, limit=PAGE), rounds)  # type: ignore[misc]
        newest = timed(lambda query=query: store.search(query, limit=PAGE, order="newest"), rounds)  # type: ignore[misc]
        found[name] = (total, ranked, newest)
    return found


def like(file: Path, rounds: int) -> float:
    """The obvious way: LIKE over the stored papers, in milliseconds."""
    with sqlite3.connect(file) as database:
        sql = "SELECT id FROM papers WHERE content LIKE '%repo-17.%' ORDER BY id DESC LIMIT 20"
        spent = timed(lambda: database.execute(sql).fetchall(), rounds)
    database.close()
    return spent


def measure(quick: bool = False) -> Found:
    sizes, rounds = ((500, 1_000), 1) if quick else (SIZES, 15)
    results: dict[int, dict[str, tuple[int, float, float]]] = {}
    costs = []
    with tempfile.TemporaryDirectory() as folder:
        file, done = Path(folder) / "digest.db", 0
        with open_store(f"sqlite:///{file}") as store:
            for size in sizes:
                started = time.process_time()
                fill(store, done, size)
                each = 1000 * (time.process_time() - started) / (size - done)
                results[size] = searched(store, rounds)
                done = size
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                costs.append(
                    (f"{size:,}", f"{each:.2f}", f"{file.stat().st_size / 2**20:.0f}", f"{peak:.0f}")
                )
        obvious = like(file, rounds)
    most = results[sizes[-1]]
    worst = max(max(ranked, newest) for _, ranked, newest in most.values())
    row = Row(
        "search", f"first page of the slowest of {len(SEARCHES)} searches, {sizes[-1]:,} papers", f"{worst:.1f} ms",
        f"LIKE for a rare word {obvious:.0f} ms", (Check("", worst, LIMIT_MS, more=False, unit=" ms"),), float(costs[-1][3]),
    )  # fmt: skip
    heads = ("search", *(f"{size:,} papers, ms" for size in sizes), "found")
    title = "Searching, the first page of 20 papers: best first / newest first"
    papers = ("papers", "cpu ms to store and index each", "MiB of the store", "peak MiB")
    return Found(
        "searching",
        (row,),
        (Growth(title, heads, _lines(sizes, results)), Growth("Filling it", papers, tuple(costs))),
    )


def _lines(
    sizes: tuple[int, ...], results: dict[int, dict[str, tuple[int, float, float]]]
) -> tuple[tuple[str, ...], ...]:
    lines = []
    for name, text in SEARCHES.items():
        cells = [f"{results[size][name][1]:.1f} / {results[size][name][2]:.1f}" for size in sizes]
        lines.append((f"{name}: `{text}`", *cells, f"{results[sizes[-1]][name][0]:,}"))
    return tuple(lines)


if __name__ == "__main__":
    run_alone("searching", __doc__, measure)
