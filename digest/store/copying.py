"""A whole store into another one, SQLite or PostgreSQL, row by row: ids, keys and the secret stay what they are.

Rows are read and written as a stream, so that ten million papers take no more memory than ten. The index of words is made anew
from the words that are kept, since each database has its own kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from digest.errors import StoreError
from digest.store import wording
from digest.store.database import Database, Row
from digest.store.jobs import engine_there

# The tables by what must be there before, each with the columns of its primary key: in their order rows are read, and SQLite takes
# them fastest.
TABLES = {
    "meta": "key",
    "papers": "id",
    "paper_keys": "key",
    "fingerprints": "paper_id",
    "abstracts": "paper_id, fingerprint",
    "sightings": "paper_id, source, listed_on",
    "revisions": "paper_id, until",
    "lookups": "paper_id",
    "corrections": "id",
    "editions": "id",
    "entries": "edition_id, position",
    "offers": "paper_id, digest",
    "shown": "id",
    "labels": "digest, kind, slug",
    "labelled": "label_id, shown_id",
    "shown_words": "id",
    "touched": "digest, key",
    "subscribers": "id",
    "deliveries": "id",
    "letters": "id",
    "suppressions": "hash",
    "askings": "hash",
    "runs": "id",
    "run_parts": "run_id, place",
    "source_runs": "run_at, source",
    "readings": "run_at, position",
    "pages": "hash",
    "answers": "source, url",
    "days": "source, day",
    "hosts": "host",
    "rates": "name",
}
# What is of one store: who is at work on it, what is made anew, and the index that each database makes in its own way.
LEFT_OUT = ("leases", "workers", "shown_rows", "shown_text")
# In `meta`, what is said of the database and not of the installation.
META_LEFT_OUT = ("schema", "engine_schema")

# Rows that are asked for at once; of what may be large, fewer.
BATCH = 500
_LARGE = {"pages": 8, "editions": 8, "runs": 8, "run_parts": 8}
# Rows after which progress is told.
_STEP = 10_000

Done = Callable[[int], None]  # how many rows were copied


def held(database: Database) -> dict[str, int]:
    """How many rows a store holds, by table, of those that are copied; tables without any are left out. Inside of a transaction."""
    counts = {table: _count(database, table) for table in TABLES}
    return {table: count for table, count in counts.items() if count}


def copy(source: Database, target: Database, *, done: Done = lambda rows: None) -> dict[str, int]:
    """Copies all of the source as it is now into the target, in one transaction of the target: all of it or nothing. How many rows
    of each table, in their order.

    Where source says so (Database.frozen), nobody writes there meanwhile: that is the caller's to ask for, as is a transaction
    of either. Raises StoreError when the target holds something, and when it does not hold the same at the end.
    """
    if found := held(target):
        raise StoreError(
            f"{target.where} is not empty: it holds rows in {', '.join(found)}. Nothing was copied."
        )
    copied: dict[str, int] = {}
    for table, key in TABLES.items():
        before = sum(copied.values())
        copied[table] = _copy_table(source, target, table, key, lambda rows: done(before + rows))  # noqa: B023 - called at once
    _index_words(source, target)
    target.loaded()
    wrong = [
        table for table, rows in copied.items() if not rows == _count(source, table) == _count(target, table)
    ]
    if wrong:
        raise StoreError(
            f"{target.where} does not hold the same as {source.where} ({', '.join(wrong)}). Nothing was copied."
        )
    return copied


def empty(target: Database) -> None:
    """Empties a PostgreSQL of an installation, and of the engine's list of jobs, which were about it. Inside of a transaction."""
    tables = [table for table in (*TABLES, *LEFT_OUT) if table != "meta"]
    if engine_there(target):
        tables.append("procrastinate_jobs")
    target.execute(f"TRUNCATE {', '.join(tables)} CASCADE", {})
    target.execute(f"DELETE FROM meta{_but('meta')}", {})  # noqa: S608 - a name of TABLES


def _count(database: Database, table: str) -> int:
    sql = f"SELECT COUNT(*) FROM {table}{_but(table)}"  # noqa: S608 - a name of TABLES
    return int(database.execute(sql, {}).fetchone()[0])


def _but(table: str) -> str:
    return f" WHERE key NOT IN {META_LEFT_OUT}" if table == "meta" else ""


def _copy_table(source: Database, target: Database, table: str, key: str, done: Done) -> int:
    columns = target.columns(table)
    if sorted(columns) != sorted(source.columns(table)):
        raise StoreError(
            f"The table {table} of {source.where} has other columns than that of {target.where}. Nothing was copied."
        )
    sql = f"SELECT {', '.join(columns)} FROM {table}{_but(table)} ORDER BY {key}"  # noqa: S608 - names of TABLES
    joined: list[tuple[int, int]] = []  # a paper may come before the one that it was joined to
    count = 0

    def rows() -> Iterator[Row]:
        nonlocal count
        for row in source.stream(sql, _LARGE.get(table, BATCH)):
            count += 1
            if count % _STEP == 0:
                done(count)
            yield row

    def papers() -> Iterator[Row]:
        at, number = columns.index("joined_to"), columns.index("id")
        for row in rows():
            if row[at] is not None:
                joined.append((row[number], row[at]))
            yield (*row[:at], None, *row[at + 1 :])

    target.load(table, columns, papers() if table == "papers" else rows())
    target.many("join_paper", [{"id": number, "winner": winner} for number, winner in joined])
    done(count)
    return count


def _index_words(source: Database, target: Database) -> None:
    batch: dict[int, wording.Words] = {}
    for number, packed in source.stream("SELECT id, words FROM shown_words ORDER BY id", BATCH):
        batch[number] = wording.unpack(packed)
        if len(batch) == BATCH:
            wording.index(target, batch)
            batch.clear()
    wording.index(target, batch)
