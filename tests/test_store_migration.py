"""A store of an older version is brought up to date with nothing lost, wherever its process is killed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from yoyo import get_backend, read_migrations
from yoyo.backends.base import DatabaseBackend

from digest.errors import SchemaTooNew, StoreError
from digest.model import Edition, Preferences, Receipt
from digest.searching import parse_query
from digest.store import Store, database, open_store
from digest.store.copying import TABLES
from digest.store.postgres import Postgres
from digest.store.sqlite import Sqlite
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    edition,
    envelope,
    issue,
    paper,
    sight,
    titles,
)

# What a store of schema 1 held, parents before their children.
FIRST = {
    "papers": "id joined_to version announced_on debuted revision first_seen key content",
    "paper_keys": "key paper_id",
    "abstracts": "paper_id fingerprint abstract",
    "sightings": "paper_id source listed_on seen_at status matched_by announce",
    "editions": "id digest date part number papers issued_at snapshot",
    "entries": "edition_id position key paper_id",
    "offers": "paper_id digest state change revision source found_at reason edition_id",
    "subscribers": "id folded address status digests preferences since changed_at",
    "deliveries": "id edition_id subscriber_id status message_id date attempt holder retry_at reply_code"
    " enhanced_code reply changed_at",
    "leases": "name holder fence expires_at",
    "runs": "id digest date started_at finished_at status report",
    "meta": "key value",
}
Rows = dict[str, list[tuple[Any, ...]]]


def fill(store: Store) -> Edition:
    """Two readers, an issued edition, papers that wait, were dropped and are withheld, a joined paper, and a run."""
    store.feed_authority("example.org")
    for n in range(2):
        store.add_subscriber(f"r{n}@example.org", digests=[], now=NOW)
    kiln = paper("Dating Kilns", ids={"arxiv": "2407.10001"}, version=1, abstract="Clay remembers. " * 30)
    sight(store, paper("Tidal Memory"), kiln, paper("Slow Bells"))
    issued = issue(store, keep=lambda candidate: candidate.paper.title != "Slow Bells")
    sight(store, paper("Ebb and Flow", ids={"doi": "10.1234/ebb"}), paper("Ebb, Again"), days=1)
    sight(store, paper("Ebb, Again", ids={"doi": "10.1234/ebb"}), days=1)
    sight(store, replace(kiln, version=2, abstract="Clay forgets. " * 30), days=1)
    sight(store, paper("An Old Loom", announce="replace", version=2), days=1, listed_on=TODAY)
    store.claim(now=NOW, holder="me", limit=1)
    store.acquire_lease("run", "me", now=NOW, ttl_s=60, is_dead=lambda holder: False)
    store.finish_run(store.start_run("daily", TODAY, now=NOW), now=NOW, status="done", report=b'{"a": 1}')
    return issued


def rows_of(db: sqlite3.Connection | Any) -> Rows:
    return {
        table: sorted(
            (
                tuple(row)
                for row in db.execute(f"SELECT {', '.join(names.split())} FROM {table}").fetchall()
                if row[0] != "schema"
            ),
            key=repr,
        )
        for table, names in FIRST.items()
    }


def make_old(url: str, dialect: str, rows: Rows, schema: int = 1) -> None:
    """A store as an earlier version left it: its schema, set up by yoyo, and these rows, which the first one wrote."""
    migrations = read_migrations(str(database.HERE / "migrations" / dialect))
    with get_backend(url) as backend:
        backend.apply_migrations(migrations.filter(lambda one: one.id.startswith("0001")))
        for table, found in rows.items():
            names = FIRST[table].split()
            for row in sorted(found, key=lambda row: row[0] if isinstance(row[0], int) else 0):
                values = ", ".join(f":{name}" for name in names)
                with backend.transaction():
                    backend.execute(
                        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})",
                        dict(zip(names, row, strict=True)),
                    )
        # What a later version added is then as its migration left it.
        later = migrations.filter(lambda one: int(one.id.partition("-")[0]) <= schema)
        backend.apply_migrations(backend.to_apply(later))


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, Edition]:
    """What a store of the first version holds."""
    path = tmp_path_factory.mktemp("first") / "filled.db"
    with open_store(f"sqlite:///{path}") as store:
        issued = fill(store)
    with closing(sqlite3.connect(path)) as connection:
        rows = rows_of(connection)
    assert all(rows.values()), "every table of the first version has rows"
    assert {row[2] for row in rows["offers"]} == {"waiting", "issued", "dropped", "withheld"}
    for n, row in enumerate(rows["editions"]):  # snapshots did not know `late`
        snapshot = json.loads(row[7])
        for entry in [
            *snapshot["picks"],
            *(e for section in snapshot["sections"] for e in section["entries"]),
        ]:
            assert entry.pop("late", None) is None
        rows["editions"][n] = (*row[:7], json.dumps(snapshot))
    return rows, issued


@pytest.fixture(scope="session")
def first_sqlite(tmp_path_factory: pytest.TempPathFactory, first: tuple[Rows, Edition]) -> Path:
    path = tmp_path_factory.mktemp("first") / "digest.db"
    make_old(f"sqlite:///{path}", "sqlite", first[0])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    return path


@pytest.fixture(scope="session")
def second_sqlite(tmp_path_factory: pytest.TempPathFactory, first: tuple[Rows, Edition]) -> Path:
    """A store of schema 2 that holds the same."""
    path = tmp_path_factory.mktemp("second") / "digest.db"
    make_old(f"sqlite:///{path}", "sqlite", first[0], schema=2)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    return path


@pytest.fixture(scope="session")
def third_sqlite(tmp_path_factory: pytest.TempPathFactory, first: tuple[Rows, Edition]) -> Path:
    """A store of schema 3 that holds the same."""
    path = tmp_path_factory.mktemp("third") / "digest.db"
    make_old(f"sqlite:///{path}", "sqlite", first[0], schema=3)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    return path


def postgres_database(url: str, name: str, template: str) -> str:
    """The address of a new database on this server."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"'.encode())
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    return re.sub(r"/postgres(?=\?|$)", f"/{name}", url)


@pytest.fixture(scope="session")
def first_postgres(postgres_url: str, first: tuple[Rows, Edition]) -> str:
    url = postgres_database(postgres_url, "first", "template0")
    make_old(re.sub("^postgresql:", "postgresql+psycopg:", url), "postgres", first[0])
    return url


@pytest.fixture(scope="session")
def second_postgres(postgres_url: str, first: tuple[Rows, Edition]) -> str:
    url = postgres_database(postgres_url, "second", "template0")
    make_old(re.sub("^postgresql:", "postgresql+psycopg:", url), "postgres", first[0], schema=2)
    return url


@pytest.fixture(scope="session")
def third_postgres(postgres_url: str, first: tuple[Rows, Edition]) -> str:
    url = postgres_database(postgres_url, "third", "template0")
    make_old(re.sub("^postgresql:", "postgresql+psycopg:", url), "postgres", first[0], schema=3)
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def first_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a filled store of schema 1, on each of the two databases."""
    return fresh(request, request.param, tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def second_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a filled store of schema 2, on each of the two databases."""
    return fresh(request, request.param, tmp_path, "second")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def third_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a filled store of schema 3, on each of the two databases."""
    return fresh(request, request.param, tmp_path, "third")


def fresh(request: pytest.FixtureRequest, dialect: str, folder: Path, version: str = "first") -> str:
    if dialect == "sqlite":
        for file in folder.glob("digest.db*"):
            file.unlink()
        shutil.copy(request.getfixturevalue(f"{version}_sqlite"), folder / "digest.db")
        return f"sqlite:///{folder / 'digest.db'}"
    request.getfixturevalue(f"{version}_postgres")
    return postgres_database(request.getfixturevalue("postgres_url"), "copy", version)


def holds_all(store: Store, rows: Rows) -> bool:
    with store._db.reading():
        found = {
            table: sorted(
                map(tuple, store._db.execute(f"SELECT {', '.join(names.split())} FROM {table}", {})), key=repr
            )
            for table, names in FIRST.items()
            if table != "meta"
        }
    return store.check() == [] and found == {table: found for table, found in rows.items() if table != "meta"}


def test_the_shared_first_store_is_of_the_first_schema(first_url: str) -> None:
    db = Sqlite(Path(first_url.removeprefix("sqlite:///"))) if "sqlite" in first_url else Postgres(first_url)
    with closing(db):
        assert db.schema() == 1
        with pytest.raises(StoreError), db.reading():
            db.execute("SELECT listed_on FROM offers", {})


def test_a_store_of_the_first_version_loses_nothing(first_url: str, first: tuple[Rows, Edition]) -> None:
    rows, issued = first
    with open_store(first_url) as store:
        assert store._db.schema() == database.SCHEMA  # type: ignore[attr-defined]
        assert holds_all(store, rows)
        assert store.edition("daily", TODAY) == issued
        assert titles(store.waiting("daily")) == ["Ebb and Flow"]
        assert [candidate.listed_on for candidate in store.waiting("daily")] == [None]
        assert store.feed_authority("other.example.org") == "example.org"
        assert store.delivery_counts() == {"queued": 1, "sending": 1}
        assert store.last_runs(1)[0].setup == b""


def test_a_store_of_the_first_version_goes_on_with_its_day(first_url: str) -> None:
    with open_store(first_url) as store:
        assert sight(store, paper("Tidal Memory"), paper("New Bells"), days=1, listed_on=TODAY) == [
            "seen",
            "new",
        ]
        assert titles(store.waiting("daily")) == ["Ebb and Flow", "New Bells"]
        assert issue(store, part=2).count == 2
        with store._db.writing():
            for change in ("cross", "withdrawn"):
                store._db.execute(f"UPDATE offers SET change = '{change}' WHERE state = 'issued'", {})
        with pytest.raises(StoreError), store._db.writing():
            store._db.execute("UPDATE offers SET change = 'other'", {})


def test_a_store_of_the_second_version_loses_nothing(second_url: str, first: tuple[Rows, Edition]) -> None:
    rows, _ = first
    with open_store(second_url) as store:
        assert store._db.schema() == database.SCHEMA  # type: ignore[attr-defined]
        assert holds_all(store, rows)
        readers = store.subscribers()
        assert [(r.status, r.preferences, r.consent, r.paused_until) for r in readers] == [
            ("confirmed", Preferences(), "operator", None)
        ] * 2
        assert all(re.fullmatch("[0-9a-f]{16}", r.nonce) for r in readers)
        assert len({r.nonce for r in readers}) == 2, "each has tokens of their own"
        assert store.delivery_counts() == {"queued": 1, "sending": 1}
        assert store.next_due() == NOW
        (found,) = store.claim(now=NOW, holder="me", limit=9)
        assert (found.date, found.due_at, found.attempt) == (NOW, NOW, 1)


def test_a_store_of_the_second_version_goes_on_with_its_mail(second_url: str) -> None:
    with open_store(second_url) as store:
        one, two = store.subscribers()
        store.queue_letter(one.id, "known", message_id="<1@example.org>", now=NOW)
        store.suppress_subscriber(two.id, "bounced", now=NOW)
        assert issue(store, part=2).count == 1
        found = store.claim(now=NOW, holder="me", limit=9)
        assert {delivery.subscriber.id for delivery in found} == {one.id}
        store.record_receipts([(found[0], Receipt(status="skipped"), None)], now=NOW)
        with pytest.raises(StoreError), store._db.writing():
            store._db.execute("UPDATE deliveries SET status = 'other'", {})
        assert store.erase_subscriber(one.address, now=NOW) is not None
        assert store.check() == []


def test_a_store_of_the_third_version_loses_nothing_and_its_index_is_filled(
    third_url: str, first: tuple[Rows, Edition]
) -> None:
    rows, issued = first
    with open_store(third_url) as store:
        assert store._db.schema() == database.SCHEMA  # type: ignore[attr-defined]
        assert holds_all(store, rows)
        assert store.search(parse_query("topic:other"), limit=9) == (0, [])
        assert store.index_editions(lambda digest: {}) == 1
        assert store.index_editions(lambda digest: {}) == 0
        shown = [entry.paper.key for entry in issued.entries]
        assert [hit.place.key for hit in store.chunk("daily", 1)] == shown
        total, hits = store.search(parse_query("kilns"), limit=9)
        assert (total, hits[0].paper.title) == (1, "Dating Kilns")
        records = store.records("daily", shown)
        assert [(r.key, r.mentions[0].source, len(r.versions)) for r in records] == [
            (key, "list", 1) for key in shown
        ]
        assert holds_all(store, rows)


def test_who_had_left_before_the_schema_knew_is_not_forgotten(third_url: str) -> None:
    with (
        closing(
            Sqlite(Path(third_url.removeprefix("sqlite:///")))
            if "sqlite" in third_url
            else Postgres(third_url)
        ) as db,
        db.writing(),
    ):
        db.execute("DELETE FROM deliveries", {})
        db.execute("UPDATE subscribers SET status = 'unsubscribed' WHERE id = 1", {})
    with open_store(third_url) as store:
        one, two = store.subscribers()
        for reader in (one, two):
            store.add_pending(reader.address, digests=(), preferences=Preferences(), consent="form", now=NOW)
        with store._db.writing():
            store._db.execute("UPDATE subscribers SET status = 'pending'", {})
        assert store.expire_pending(older_than=NOW + timedelta(1)) == 2
        assert [(reader.id, reader.status) for reader in store.subscribers()] == [(1, "unsubscribed")]


def test_each_migration_is_there_for_both_databases_and_says_its_number() -> None:
    files = sorted((database.HERE / "migrations").glob("*/*.sql"))
    for file in files:
        other = file.parent.parent / ("postgres" if file.parent.name == "sqlite" else "sqlite") / file.name
        assert other in files, f"{file} has no twin: write {other}, under the same name"
        last = f"UPDATE meta SET value = '{int(file.name[:4])}' WHERE key = 'schema';"
        first = f"('schema', '{int(file.name[:4])}')"
        assert last in file.read_text() or first in file.read_text(), f"{file}: end it with {last}"
    numbers = [int(file.name[:4]) for file in files if file.parent.name == "sqlite"]
    assert numbers == list(range(1, database.SCHEMA + 1)), "migrations are numbered without gaps"


def test_both_databases_have_the_same_tables(second_url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "new.db")) as connection:
        open_store(f"sqlite:///{tmp_path / 'new.db'}").close()
        for table in TABLES:
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            with open_store(second_url) as store, store._db.reading():
                cursor = store._db.execute(f"SELECT * FROM {table}", {})
                assert sorted(column[0] for column in cursor.description) == sorted(names), table


def test_nothing_refers_to_the_tables_that_are_built_anew(tmp_path: Path) -> None:
    # SQLite's offers and deliveries are: with foreign keys on, rows that refer to it would stand in the way, or go.
    open_store(f"sqlite:///{tmp_path / 'digest.db'}").close()
    with closing(sqlite3.connect(tmp_path / "digest.db")) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        parents = {
            table: {row[2] for row in connection.execute(f"PRAGMA foreign_key_list({table})")}
            for table in tables
        }
    assert parents["offers"] == {"papers", "editions"}
    assert not {"offers", "deliveries"} & set().union(*parents.values())


def test_a_copy_from_before_is_kept_beside_the_store(
    first_sqlite: Path, first: tuple[Rows, Edition], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, copy = tmp_path / "digest.db", tmp_path / f"digest.db.before-{database.SCHEMA}"
    shutil.copy(first_sqlite, path)
    path.chmod(0o640)
    copy.write_bytes(b"of an earlier attempt")
    (tmp_path / f"digest.db.before-{database.SCHEMA}.part").write_bytes(b"of one that was killed")
    open_store(f"sqlite:///{path}").close()
    assert not (tmp_path / f"digest.db.before-{database.SCHEMA}.part").exists()
    assert [record.args[-1] for record in caplog.records if "kept at" in record.msg] == [copy]  # type: ignore[index]
    assert copy.stat().st_mode & 0o777 == 0o640
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == ("1",)
        assert rows_of(connection) == first[0]
    before = copy.stat().st_mtime_ns
    open_store(f"sqlite:///{path}").close()  # and not made again
    assert copy.stat().st_mtime_ns == before


def test_a_copy_goes_back_to_work_when_it_is_put_back(
    first_sqlite: Path, first: tuple[Rows, Edition], tmp_path: Path
) -> None:
    shutil.copy(first_sqlite, tmp_path / "digest.db")
    open_store(f"sqlite:///{tmp_path / 'digest.db'}").close()
    (tmp_path / f"digest.db.before-{database.SCHEMA}").replace(tmp_path / "digest.db")
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as store:
        assert holds_all(store, first[0])


def test_a_new_store_needs_no_copy(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    open_store(f"sqlite:///{tmp_path / 'digest.db'}").close()
    assert [path.name for path in tmp_path.glob("*before*")] == []
    assert caplog.records == []


def test_without_a_copy_the_schema_is_left_as_it_was(
    first_sqlite: Path, first: tuple[Rows, Edition], tmp_path: Path
) -> None:
    shutil.copy(first_sqlite, tmp_path / "digest.db")
    (tmp_path / f"digest.db.before-{database.SCHEMA}").mkdir()  # what cannot be written over
    with pytest.raises(
        StoreError, match=rf"copied to .*before-{database.SCHEMA}.*Nothing was changed.*Free some space"
    ):
        open_store(f"sqlite:///{tmp_path / 'digest.db'}")
    assert not (tmp_path / f"digest.db.before-{database.SCHEMA}.part").exists()
    with closing(sqlite3.connect(tmp_path / "digest.db")) as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() == ("1",)
        assert rows_of(connection) == first[0]


def test_a_newer_store_is_left_alone_and_not_copied(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path / 'digest.db'}").close()
    with closing(sqlite3.connect(tmp_path / "digest.db")) as connection, connection:
        connection.execute(f"UPDATE meta SET value = '{database.SCHEMA + 1}' WHERE key = 'schema'")
    with pytest.raises(SchemaTooNew, match="newer version"):
        open_store(f"sqlite:///{tmp_path / 'digest.db'}")
    assert [path.name for path in tmp_path.glob("*before*")] == []


# --- killed


class _Fatal:
    """A cursor that kills its process before the statement of a chosen number."""

    left = 0

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def execute(self, *arguments: Any) -> Any:
        _Fatal.count()
        return self._cursor.execute(*arguments)

    @classmethod
    def count(cls) -> None:
        cls.left -= 1
        if cls.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def open_and_die(url: str, statement: int) -> bool:
    """Opens a store in a process that is killed before this statement or commit of its migration; was it killed?"""
    child = os.fork()
    if child == 0:
        _Fatal.left = statement
        cursor, commit = DatabaseBackend.cursor, DatabaseBackend.commit

        def fatal_commit(backend: DatabaseBackend) -> None:
            _Fatal.count()
            commit(backend)

        DatabaseBackend.cursor = lambda backend: _Fatal(cursor(backend))
        DatabaseBackend.commit = fatal_commit
        with suppress(BaseException):
            open_store(url).close()
            os._exit(0)
        os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def killed(
    request: pytest.FixtureRequest, dialect: str, folder: Path, version: str, every: int
) -> Iterator[str]:
    """One store after another, each killed a few statements later in its migration than the one before."""
    statement = 1
    while open_and_die(url := fresh(request, dialect, folder, version), statement):
        yield url
        statement += every
    assert statement > 20, "the migration has that many steps"
    yield url


@pytest.mark.parametrize(
    ("version", "dialect", "every"),
    [
        ("first", "sqlite", 31),
        ("third", "sqlite", 11),
        pytest.param("second", "postgres", 29, marks=pytest.mark.postgres),
        pytest.param("first", "sqlite", 1, marks=pytest.mark.torture),
        pytest.param("second", "sqlite", 1, marks=pytest.mark.torture),
        pytest.param("third", "sqlite", 1, marks=pytest.mark.torture),
        pytest.param("first", "postgres", 1, marks=[pytest.mark.postgres, pytest.mark.torture]),
        pytest.param("second", "postgres", 1, marks=[pytest.mark.postgres, pytest.mark.torture]),
        pytest.param("third", "postgres", 1, marks=[pytest.mark.postgres, pytest.mark.torture]),
    ],
)
def test_a_migration_that_is_killed_anywhere_is_finished_by_the_next_process(
    version: str,
    dialect: str,
    every: int,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    first: tuple[Rows, Edition],
) -> None:
    versions = set()
    for url in killed(request, dialect, tmp_path, version, every):
        db = Sqlite(tmp_path / "digest.db") if dialect == "sqlite" else Postgres(url)
        with closing(db):
            versions.add(db.schema())  # all of a step or nothing
        with open_store(url) as store:
            assert holds_all(store, first[0])
            assert store.open_days() == []
            assert sight(store, paper("Tidal Memory"), days=1) == ["seen"]
            assert all(len(reader.nonce) == 16 for reader in store.subscribers())
            assert store.next_letter() is None
            assert store.index_editions(lambda digest: {}) == 1
        with open_store(url) as store:
            assert store.check() == []
    oldest = {"first": 1, "second": 2, "third": 3}[version]
    every_version = set(range(oldest, database.SCHEMA + 1))
    assert {oldest, database.SCHEMA} <= versions <= every_version
    assert versions == every_version or every > 1
