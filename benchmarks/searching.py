"""How fast the archive is searched, at three sizes; the limit is 50 ms at 100,000 papers.

Run by `make bench`. The store is filled with editions of invented papers; then each search is asked for its first page of 20
papers, many times in turn, and the slowest of the medians counts. Beside it stands the obvious way: LIKE.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks import pages
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


def measure(store: Store, rounds: int) -> dict[str, tuple[int, float, float]]:
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


def main(argv: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    options.add_argument("--rounds", type=int, default=15)
    asked = options.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        file, done = Path(folder) / "digest.db", 0
        results, filled = {}, {}
        with open_store(f"sqlite:///{file}") as store:
            for size in asked.sizes:
                start = time.perf_counter()
                fill(store, done, size)
                filled[size] = (size - done, time.perf_counter() - start)
                results[size] = measure(store, asked.rounds)
                done = size
            megabytes = file.stat().st_size / 2**20
        show(asked.sizes, results, like(file, asked.rounds), megabytes)


def show(
    sizes: Sequence[int],
    results: dict[int, dict[str, tuple[int, float, float]]],
    obvious: float,
    megabytes: float,
) -> None:
    print("\n### Searching the archive: the first page of 20 papers, milliseconds by rank / newest first\n")
    print("| search | " + " | ".join(f"{size:,} papers" for size in sizes) + " | found |")
    print("|---|" + "---|" * (len(sizes) + 1))
    for name, text in SEARCHES.items():
        cells = [f"{results[size][name][1]:.1f} / {results[size][name][2]:.1f}" for size in sizes]
        print(f"| {name}: `{text}` | {' | '.join(cells)} | {results[sizes[-1]][name][0]:,} |")
    worst = max(max(ranked, newest) for _, ranked, newest in results[sizes[-1]].values())
    print(f"\nSlowest at {sizes[-1]:,}: {worst:.1f} ms (limit {LIMIT_MS} ms at 100,000).", end=" ")
    print(f"LIKE for the rare word: {obvious:.0f} ms. The store has {megabytes:,.0f} MiB.")


if __name__ == "__main__":
    main()
