"""The diff: which of 2,000 listed papers are new, the hundred that are stored, and the commit, at three numbers of papers seen.

P11 at a million, P12 at ten million. Ours is the whole of it, the papers compared with what is known of them and all tables
written, in SQLite with synchronous=FULL. Beside it: a JSON file of the ids, read, looked through and written anew, as feed readers
keep them (not at ten million, which takes it minutes and gigabytes); and bare SQLite, one table of ids. Each is a process
of its own, in turns, warm: its file was read through, and the listing of the day before was read, just before. Beside that,
ours with a file that the system has let go of. Wall time, medians.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec

from benchmarks import pages, seen
from benchmarks.costs import ROOT, answer_of, compile_ours, cool, warm
from benchmarks.report import BENCH, Check, Found, Growth, Row, run_alone
from digest import sources
from digest.model import Listing, Paper
from digest.store import Store, open_store

# The papers of the bench are of this month; those seen long before are of others.
_MONTH = 2611


class Sizes(NamedTuple):
    seen: tuple[int, ...] = (100_000, 1_000_000, 10_000_000)
    json: tuple[int, ...] = (100_000, 1_000_000)
    listed: int = 2_000
    new: int = 100
    rounds: int = 7
    keys: int = 10_000


QUICK = Sizes((200, 400, 800), (200, 400), 60, 10, 1, 200)
KEPT_FROM = 5_000_000  # a store of so many is made once and kept in .bench
MOST_DAYS = 900  # that a kept store takes before it is made anew: a month has ids for that many


class Once(msgspec.Struct, frozen=True):
    """One diff: milliseconds, CPU milliseconds, how many papers were new, and the peak of its process."""

    ms: float
    cpu_ms: float
    new: int
    peak_mib: float = 0.0


# ---------------------------------------------------------------- one diff, in a process of its own


def ids_of(day: int, listed: int, new: int) -> list[str]:
    """What is listed on a day: the new ones stand last."""
    return [f"{_MONTH}.{n + 1:05}" for n in range(day * new, day * new + listed)]


def papers_of(day: int, listed: int, new: int, days: int = 1) -> list[Paper]:
    """The same as papers with all that a feed says of them; those of so many days in a row together, the newest last."""
    invented = pages.invented(listed)  # the same words every day: only who they belong to moves on
    first, last = day * new, (day + days - 1) * new + listed
    moved = [_moved(invented[n % listed], n) for n in range(first, last)]
    titled = [
        each._replace(title=f"{each.title} {each.id}", abstract=f"{each.id} {each.abstract}")
        for each in moved
    ]
    return list(sources.read(Listing(location="feed", body=pages.atom_feed(titled)), "feed").papers)


def _moved(paper: pages.Invented, n: int) -> pages.Invented:
    """The n-th paper of the month, with the words of another: a DOI is its own, or it would be weighed whether the two are one."""
    return paper._replace(id=f"{_MONTH}.{n + 1:05}", doi=paper.doi and f"10.5555/example.{n}")


def _timed(before: Callable[[], int], work: Callable[[], int]) -> Once:
    gc.set_threshold(100_000, 20, 20)  # as the program itself does
    if before():
        raise SystemExit("papers of the day before are not known")
    wall, cpu = time.perf_counter(), time.process_time()
    new = work()
    return Once(1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu), new)


def ours(file: Path, day: int, listed: int, new: int) -> Once:
    both = papers_of(day - 1, listed, new, days=2)
    before, today = both[:listed], both[new:]
    now = seen.LONG_AGO + timedelta(days=day)
    with open_store(f"sqlite:///{file}") as store:
        return _timed(lambda: _sight(store, before, now), lambda: _sight(store, today, now))


def _sight(store: Store, papers: list[Paper], now: datetime) -> int:
    found = store.record_sightings(
        "papers", papers, now=now, listed_on=None, followers=["daily"], updates_for=set()
    )
    return sum(sighting.status == "new" for sighting in found)


def cold(file: Path, day: int, listed: int, new: int) -> Once:
    """The first diff of a program that has just begun."""
    today, now = papers_of(day, listed, new), seen.LONG_AGO + timedelta(days=day)
    with open_store(f"sqlite:///{file}") as store:
        return _timed(lambda: 0, lambda: _sight(store, today, now))


def bare(file: Path, day: int, listed: int, new: int) -> Once:
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = FULL")

        def sight(ids: list[str]) -> int:
            database.execute("BEGIN IMMEDIATE")
            asked = "SELECT k.key FROM json_each(?) CROSS JOIN keys k ON k.key = value"
            known = {row[0] for row in database.execute(asked, [json.dumps(ids)])}
            rows = [(each, 1) for each in ids if each not in known]
            database.executemany("INSERT INTO keys VALUES (?, ?)", rows)
            database.execute("COMMIT")
            return len(rows)

        before, today = ids_of(day - 1, listed, new), ids_of(day, listed, new)
        return _timed(lambda: sight(before), lambda: sight(today))


def json_file(file: Path, day: int, listed: int, new: int) -> Once:
    def sight(ids: list[str]) -> int:
        known = json.loads(file.read_text(encoding="ascii"))
        fresh = [each for each in ids if each not in known]
        known.update(dict.fromkeys(fresh, 1))
        part = file.with_suffix(".part")
        with part.open("w", encoding="ascii") as out:
            json.dump(known, out)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
        return len(fresh)

    # Nothing of it is warm but the file: that is its nature.
    return _timed(lambda: 0, lambda: sight(ids_of(day, listed, new)))


COLD = "digest, cold"
PLAYERS: dict[str, Callable[[Path, int, int, int], Once]] = {
    "digest": ours, COLD: cold, "SQLite, bare": bare, "JSON file": json_file,
}  # fmt: skip


# ---------------------------------------------------------------- what was seen before


def store_of(file: Path, count: int, listed: int, new: int) -> Path:
    """Writes the store of so many papers seen, the last of which were listed yesterday; where it is. A large one is kept, and
    goes on from where it was left: its papers are then a few hundred more."""
    if count >= KEPT_FROM:
        file = BENCH / "cache" / f"seen-{count}-{listed}-{new}-{seen.recipe(papers_of(0, listed, new))}.db"
        if file.exists() and days_in(file, listed, new) < MOST_DAYS:
            return file
        shutil.rmtree(file.parent, ignore_errors=True)  # of an earlier schema, or of papers that were read otherwise
        file.parent.mkdir(parents=True)
    part = file.with_suffix(".part")
    seen.add_seen(part, count - listed)
    _record(part, papers_of(0, listed, new))
    part.rename(file)
    return file


def days_in(file: Path, listed: int, new: int) -> int:
    """How many days were recorded in a store since it was written."""
    with closing(sqlite3.connect(file)) as database:
        sql = "SELECT MAX(key) FROM paper_keys WHERE key >= ? AND key < ?"
        (newest,) = database.execute(sql, [f"arxiv:{_MONTH}.", f"arxiv:{_MONTH}/"]).fetchone()
    return (int(newest.partition(".")[2]) - listed) // new


def _record(file: Path, papers: list[Paper]) -> None:
    with open_store(f"sqlite:///{file}") as store:
        store.record_sightings(
            "papers", papers, now=seen.LONG_AGO, listed_on=None, followers=["daily"], updates_for=set()
        )
    seen.drop_waiting(file)


def bare_of(file: Path, count: int, listed: int, new: int) -> Path:
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE keys (key TEXT PRIMARY KEY, paper INTEGER) WITHOUT ROWID")
        with database:
            known = ((each, n) for n, each in enumerate(_known(count, listed, new)))
            database.executemany("INSERT INTO keys VALUES (?, ?)", known)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


def json_of(file: Path, count: int, listed: int, new: int) -> Path:
    file.write_text(json.dumps(dict.fromkeys(_known(count, listed, new), 1)), encoding="ascii")
    return file


def _known(count: int, listed: int, new: int) -> Iterator[str]:
    yield from (f"{2001 + n // 90_000}.{n % 90_000:05}" for n in range(count - listed))
    yield from ids_of(0, listed, new)


def key_bytes(count: int) -> float:
    """Bytes of the key index for each paper, pages half empty and all, where the program itself stored them batch by batch."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, "digest.db")
        batch = max(count // 10, 1)
        for day in range(10):
            _record(file, papers_of(day, batch, batch))
        with closing(sqlite3.connect(file)) as database:
            sql = "SELECT SUM(pgsize) FROM dbstat WHERE name LIKE '%paper_keys%'"
            return float(database.execute(sql).fetchone()[0]) / (10 * batch)


# ---------------------------------------------------------------- the table


def once(player: str, file: Path, day: int, sizes: Sizes) -> Once:
    """One diff of a player in a process of its own. Raises SystemExit when it does not find exactly the new papers."""
    (cool if player == COLD else warm)(file)
    answer, cost = answer_of("diff", "--once", player, file, day, sizes.listed, sizes.new)
    found = msgspec.convert(answer, Once)
    if found.new != sizes.new:
        raise SystemExit(f"{player}: {found.new} of {sizes.new} new papers were found")
    return msgspec.structs.replace(found, peak_mib=cost.peak_mib)


def measure(quick: bool = False) -> Found:
    sizes = QUICK if quick else Sizes()
    if not quick:
        compile_ours()
    shown = (sizes.listed, sizes.new)
    runs: dict[tuple[str, int], list[Once]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        files: dict[tuple[str, int], Path] = {}
        for count in sizes.seen:
            for player, make in (("digest", store_of), ("SQLite, bare", bare_of), ("JSON file", json_of)):
                if player == "JSON file" and count not in sizes.json:
                    continue
                files[player, count] = make(Path(temporary, f"{len(files)}.db"), count, *shown)
        days = {file: days_in(file, *shown) if player == "digest" else 0 for (player, _), file in files.items()}
        for number in range(sizes.rounds):
            for (player, count), file in files.items():
                if player == "JSON file" and number >= 3:
                    continue
                for each in ("digest", COLD) if player == "digest" else (player,):
                    days[file] += 1
                    runs.setdefault((each, count), []).append(once(each, file, days[file], sizes))
        notes = [_kept(file, count) for (_, count), file in files.items() if file.is_relative_to(ROOT)]
    return Found("diff", _rows(runs, sizes, key_bytes(sizes.keys)), _growth(runs, sizes), (*notes, _NOTE))


def _kept(file: Path, count: int) -> str:
    size = file.stat().st_size / 2**30
    return f"The store of {count:,} papers is made once and kept: {file.relative_to(ROOT)} ({size:.1f} GiB)."


_NOTE = (
    "Papers of long ago have a row, keys, a sighting and an offer each, and few words; those that are listed have all of theirs. "
    "Bytes of the key index are counted where the program stored 10,000 papers batch by batch."
)


def ms(found: list[Once]) -> float:
    return median(each.ms for each in found)


def _rows(runs: dict[tuple[str, int], list[Once]], sizes: Sizes, each: float) -> tuple[Row, ...]:
    _, million, most = sizes.seen
    mine, full = runs["digest", million], runs["digest", most]
    what = f"diff of {sizes.listed:,}, {sizes.new} of them new, and commit, at {million:,} seen"
    beside = [
        f"{player} {ms(found):.1f} ms"
        for (player, count), found in runs.items()
        if count == million and player != "digest"
    ]
    first = Row(
        "P11", what, _said(mine), "; ".join(beside),
        (
            Check("", ms(mine), 25, more=False, unit=" ms", stretch=12),
            Check("of key index for each paper", each, 40, more=False, unit=" bytes"),
        ),
        max(found.peak_mib for found in mine),
    )  # fmt: skip
    second = Row(
        "P12", f"the same at {most:,} seen", _said(full), f"SQLite, bare {ms(runs['SQLite, bare', most]):.1f} ms",
        (Check(f"our own at {million:,}", ms(full) / ms(mine), 2, more=False, stretch=1.3),),
        max(found.peak_mib for found in full),
    )  # fmt: skip
    return first, second


def _said(found: list[Once]) -> str:
    return f"{ms(found):.1f} ms ({median(each.cpu_ms for each in found):.1f} cpu)"


def _growth(runs: dict[tuple[str, int], list[Once]], sizes: Sizes) -> tuple[Growth, ...]:
    lines = []
    for count in sizes.seen:
        cells = [f"{ms(runs[player, count]):.1f}" if (player, count) in runs else "" for player in PLAYERS]
        lines.append((f"{count:,}", *cells, f"{max(each.peak_mib for each in runs['digest', count]):.0f}"))
    heads = ("seen", *(f"{player}, ms" for player in PLAYERS), "peak MiB of digest")
    return (Growth(f"Diff of {sizes.listed:,} papers, {sizes.new} of them new", heads, tuple(lines)),)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--once"]:
        _, _, name, path, *numbers, written = sys.argv
        result = PLAYERS[name](Path(path), *map(int, numbers))
        Path(written).write_bytes(msgspec.json.encode(result))
    else:
        run_alone("diff", __doc__, measure)
