"""Fills a store with papers that were seen long ago, ten million of them within a minute or two.

What the program's own code writes for one such paper is the pattern: its row, its keys, its sighting, its offer. SQL then writes
so many more of each, with other ids. Their words are left out, since a diff reads those of the papers that are listed only.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from digest.model import Paper
from digest.store import open_store

LONG_AGO = datetime(2020, 1, 1, 6, tzinfo=UTC)
_ARXIV = "2001.00001"
# The n-th of them: ids in the order of the papers.
_NTH = "printf('%d.%05d', 2001 + n / 90000, n % 90000)"
_HASH = re.compile(r"[0-9a-f]{16,}")
# From 1, in order: counted by a recursion it would take a third of the whole time.
_COUNT = """WITH counted (n) AS (
    SELECT a.n * 1000000 + b.n * 1000 + c.n + 1 FROM thousand a CROSS JOIN thousand b CROSS JOIN thousand c
    WHERE a.n <= :last / 1000000 AND a.n * 1000000 + b.n * 1000 < :last AND a.n * 1000000 + b.n * 1000 + c.n < :last
)"""


def add_seen(file: Path, count: int) -> None:
    """Adds so many papers that were read once and chosen for no edition. The file must hold none yet."""
    _add_first(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        for pragma in (
            *("synchronous = OFF", "cache_size = -200000", "journal_mode = OFF", "locking_mode = EXCLUSIVE"),
            "ignore_check_constraints = ON",
        ):
            database.execute(f"PRAGMA {pragma}")
        database.execute("CREATE TEMP TABLE thousand (n INTEGER PRIMARY KEY)")
        database.executemany("INSERT INTO thousand VALUES (?)", ((n,) for n in range(1000)))
        database.execute("UPDATE papers SET content = ?", [json.dumps(_few_words())])
        database.execute("BEGIN")
        for table in _tables(database):
            for row in _pattern(database, table):
                _multiply(database, table, row, count)
        database.execute("COMMIT")


def _add_first(file: Path) -> None:
    with open_store(f"sqlite:///{file}") as store:
        store.record_sightings(
            "papers", [_paper()], now=LONG_AGO, listed_on=None, followers=["daily"], updates_for=set()
        )
    drop_waiting(file)


def recipe(listed: list[Paper]) -> str:
    """What a filled store depends on, as a few letters: this file, the schema, what the program writes for one paper, and the
    papers that it was listed with."""
    with tempfile.TemporaryDirectory() as folder:
        _add_first(Path(folder, "digest.db"))
        with closing(sqlite3.connect(Path(folder, "digest.db"))) as database:
            made = [*database.execute("SELECT sql FROM sqlite_master ORDER BY name")]
            made += [row for table in _tables(database) for row in database.execute(f"SELECT * FROM {table}")]
    known = Path(__file__).read_bytes() + repr(made).encode() + msgspec.json.encode(listed)
    return hashlib.sha256(known).hexdigest()[:12]


def drop_waiting(file: Path) -> None:
    """What waits for an edition was chosen for none."""
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE offers SET state = 'dropped' WHERE state = 'waiting'")


def _paper() -> Paper:
    words = (
        "An invented paper of long ago, of which a listing said what was found, how, and why it may count. "
    )
    return Paper(
        key=f"arxiv:{_ARXIV}", ids={"arxiv": _ARXIV}, title="Of long ago", abstract=words * 4,
        links={"abstract": f"https://arxiv.org/abs/{_ARXIV}"}, authors=("Ada Lindqvist",),
    )  # fmt: skip


def _few_words() -> dict[str, Any]:
    return {"key": f"arxiv:{_ARXIV}", "ids": {"arxiv": _ARXIV}, "title": "Of long ago"}


def _tables(database: sqlite3.Connection) -> list[str]:
    """Those that have something to say of a paper, the papers first."""
    found = database.execute(
        "SELECT t.name FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' AND c.name = 'paper_id'"
    )
    return ["papers", *sorted(row[0] for row in found)]


def _pattern(database: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
    """The rows of the first paper, which leave the table: they are written with the others, in the order of the table's key."""
    found = database.execute(f"SELECT * FROM {table}")
    names = [column[0] for column in found.description]
    rows = sorted(found.fetchall(), key=repr)
    database.execute(f"DELETE FROM {table}")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _multiply(database: sqlite3.Connection, table: str, row: dict[str, Any], count: int) -> None:
    """`count` rows like this one, ascending: a table that grows at its end grows fast."""
    hashed = [
        name
        for name, value in row.items()
        if name == "key" and isinstance(value, str) and _HASH.search(value)
    ]
    values = {name: f":{name}" for name in row}
    for name, value in row.items():
        if name in ("paper_id", "id"):
            # Hashes are in another order than the papers: neighbours of one are far apart in the other.
            values[name] = "n * 7919 % :last + 1" if hashed else "n"
        elif name in hashed:
            values[name] = _hash_of(value)
        elif isinstance(value, str) and _ARXIV in value:
            values[name] = f"replace(:{name}, '{_ARXIV}', {_NTH})"
    sql = f"{_COUNT} INSERT INTO {table} ({', '.join(row)}) SELECT {', '.join(values.values())} FROM counted"
    database.execute(sql, row | {"last": count, "step": (1 << 63) // (count + 1)})


def _hash_of(key: str) -> str:
    """SQL for the n-th key with a hash in it, ascending."""
    found = _HASH.search(key)
    assert found
    head, length, tail = key[: found.start()], len(found[0]), key[found.end() :]
    digits = f"substr(printf('%016x%08x%08x', n * :step, n * 40503 % 4294967296, n), 1, {length})"
    return f"'{head}' || {digits} || '{tail}'"
