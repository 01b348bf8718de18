"""Fills a store with papers that were seen long ago, millions of them within seconds.

What the program's own code writes for one such paper is the pattern: its row, its keys, its sighting, its offer. SQL then writes
so many more of each, with other ids. Their texts are short, since a diff only reads the papers that are listed.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from digest.model import Paper
from digest.store import open_store

LONG_AGO = datetime(2020, 1, 1, 6, tzinfo=UTC)
_PATTERN = "arxiv:2001.00001"
_ABSTRACT = (
    "An invented paper of long ago, of which a listing said what was found and how, in as few words as count."
)
_DIGITS = re.compile(r"[0-9a-f]{16,}")
_SPREAD = 0x9E3779B97F4A7C15  # the golden ratio of 2^64: neighbours of one order are far apart in the other


def add_seen(file: Path, count: int, *, digest: str = "daily", source: str = "papers") -> None:
    """Adds so many papers that were read once and chosen for no edition. The file must hold none yet."""
    with open_store(f"sqlite:///{file}") as store:
        store.record_sightings(
            source, [_paper()], now=LONG_AGO, listed_on=None, followers=[digest], updates_for=set()
        )
    drop_waiting(file)
    with closing(sqlite3.connect(file)) as database:
        database.executescript("PRAGMA synchronous = OFF; PRAGMA cache_size = -200000;")
        with database:
            for table in ("papers", "paper_keys", "sightings", "offers"):
                _multiply(database, table, count)
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def drop_waiting(file: Path) -> None:
    """What waits for an edition was chosen for none."""
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE offers SET state = 'dropped' WHERE state = 'waiting'")


def _paper() -> Paper:
    return Paper(
        key=_PATTERN, ids={"arxiv": _PATTERN[6:]}, title="Of long ago", abstract=_ABSTRACT * 2,
        links={"abstract": "https://arxiv.org/abs/2001.00001"}, authors=("Ada Lindqvist",),
    )  # fmt: skip


def _multiply(database: sqlite3.Connection, table: str, count: int) -> None:
    """Rows 2 to `count` of a table, like its first one, in the order of its key: a table that grows at its end grows fast."""
    found = database.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in found.description]
    rows = sorted(found.fetchall(), key=repr)
    database.execute(f"DELETE FROM {table}") if table == "paper_keys" else None
    slots = ", ".join("?" * len(names))
    insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({slots})"
    for row in rows:
        database.executemany(insert, _rows(table, dict(zip(names, row, strict=True)), count))


def _rows(table: str, pattern: dict[str, Any], count: int) -> Iterator[tuple[Any, ...]]:
    if table == "paper_keys":
        return _keys(str(pattern["key"]), count)
    place = next(at for at, name in enumerate(pattern) if name in ("id", "paper_id"))
    texts = [
        at for at, value in enumerate(pattern.values()) if isinstance(value, str) and _PATTERN[6:] in value
    ]
    return _alike(list(pattern.values()), place, texts, count)


def _alike(row: list[Any], place: int, texts: list[int], count: int) -> Iterator[tuple[Any, ...]]:
    parts = {at: row[at].split(_PATTERN[6:]) for at in texts}
    for number in range(2, count + 1):
        row[place] = number
        for at, pieces in parts.items():
            row[at] = arxiv_of(number).join(pieces)
        yield tuple(row)


def arxiv_of(number: int) -> str:
    """The id of the n-th of them, in order; the first is the pattern's."""
    month, rest = divmod(number, 90_000)
    return f"{2001 + month}.{rest:05}"


def _keys(pattern: str, count: int) -> Iterator[tuple[str, int]]:
    """One key of each paper, ascending. Ids are in the order of the papers, hashes in another."""
    if _PATTERN[6:] in pattern:
        head, tail = pattern.split(_PATTERN[6:])
        yield from ((f"{head}{arxiv_of(number)}{tail}", number) for number in range(1, count + 1))
        return
    digits = _DIGITS.search(pattern)
    if not digits:
        raise SystemExit(f"a key of a kind that is not known here: {pattern}")
    head, length, tail = pattern[: digits.start()], len(digits[0]), pattern[digits.end() :]
    step = (1 << 64) // count
    for place in range(count):
        high = place * step
        yield (
            f"{head}{high:016x}{high * _SPREAD % (1 << 64):016x}"[: len(head) + length] + tail,
            place * 7_919 % count + 1,
        )
