# ruff: noqa: F811 - fixtures are imported by name
"""What happens to a store when a process dies, two race, a disk fills up or a file is damaged."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from digest.errors import SchemaTooNew, StoreBusy, StoreError
from digest.store import Store, open_store
from digest.store.database import SCHEMA
from digest.store.sqlite import Sqlite
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    edition,
    empty_postgres,
    envelope,
    issue,
    paper,
    sight,
    store_url,
    titles,
)
from store_worker import step

WORKER = Path(__file__).with_name("store_worker.py")


def worker(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(WORKER), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def prepare(store: Store, what: str) -> None:
    """The store as it is before the step."""
    for n in range(3):
        store.add_subscriber(f"r{n}@example.org", digests=[], now=NOW)
    if what != "record":
        sight(store, paper("Tidal Memory"), paper("Dating Kilns", ids={"arxiv": "2407.10001"}), days=1)
    if what in ("claim", "receipts", "remove"):
        issue(store)


ALL_TABLES = (
    *("papers", "paper_keys", "sightings", "offers", "editions", "entries"),
    *("deliveries", "subscribers", "leases", "runs"),
    *("readings", "pages", "source_runs", "answers", "days", "hosts", "lookups"),
)


def all_of_it(store: Store) -> list[object]:
    """The rows of every table, to compare two stores."""
    with store._db.reading():
        return [
            sorted(tuple(row) for row in store._db.execute(f"SELECT * FROM {table}", {}).fetchall())
            for table in ALL_TABLES
        ]


@pytest.mark.parametrize(
    "every", [False, pytest.param(True, marks=pytest.mark.torture)], ids=["some", "every"]
)
@pytest.mark.parametrize(
    "what", ["record", "issue", "claim", "receipts", "remove", "reading", "lease", "ledger"]
)
def test_a_process_killed_within_a_transaction_leaves_all_or_nothing(
    what: str, every: bool, store_url: str
) -> None:
    # "receipts" and "ledger" are two transactions: between them is a third state.
    with open_store(store_url) as store:
        prepare(store, what)
        before = all_of_it(store)
    statements = [4] if store_url.startswith("postgres") else [2, 5]
    if every:
        statements = [1, 2, 3, 4, 5, 6, 7, 8, 9]
    for statement in statements:
        with worker(what, store_url, str(statement)) as process:
            output = process.communicate()[0]
        assert process.returncode == (0 if "done" in output else -signal.SIGKILL)
        with open_store(store_url) as store:
            assert store.check() == []
            after = all_of_it(store)
            if "done" in output:
                assert after != before
                return
            if what not in ("receipts", "ledger"):
                assert after == before
    with open_store(store_url) as store:  # and the next run goes on
        store.recover_in_doubt(holder="next", now=NOW, resend=True)
        step(store, what)
        assert store.check() == []


def test_a_run_that_dies_between_finding_and_issuing_loses_nothing(store_url: str) -> None:
    with open_store(store_url) as store:
        prepare(store, "record")
    with worker("issue", store_url, "999") as process:
        process.communicate()
    with open_store(store_url) as store:
        sight(store, paper("Tidal Memory"), paper("Dating Kilns"))
    with worker("issue", store_url, "4") as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    with open_store(store_url) as store:
        assert sight(store, paper("Tidal Memory"), paper("Dating Kilns")) == ["seen", "seen"]
        assert titles(store.waiting("daily")) == ["Tidal Memory", "Dating Kilns"]
        assert [entry.paper.title for entry in issue(store, part=2).entries] == [
            "Tidal Memory",
            "Dating Kilns",
        ]
        assert store.delivery_counts()["queued"] == 6


def test_of_two_processes_that_race_for_a_lease_one_wins(store_url: str) -> None:
    racers = [worker("race", store_url, f"racer {n}") for n in range(2)]
    answers = []
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        answers.append(racer.communicate()[0].strip())
    assert sorted(answers) == ["lost", "won"]


def test_processes_that_set_up_one_store_at_once_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    openers = [worker("open", url) for _ in range(3)]
    for opener in openers:
        assert opener.stdin
        opener.stdin.write("go\n")
        opener.stdin.flush()
    assert [opener.communicate()[0].strip() for opener in openers] == ["opened"] * 3
    with open_store(url) as store:
        assert store.check() == []


def test_a_store_that_another_process_is_about_to_set_up_is_waited_for(tmp_path: Path) -> None:
    # Before it has a log beside it, SQLite says at once that it is locked, whatever time it is given.
    path = tmp_path / "new.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = threading.Timer(0.2, other.execute, ["ROLLBACK"])
        done.start()
        open_store(f"sqlite:///{path}").close()
        done.join()
    with open_store(f"sqlite:///{path}") as store:
        assert store.check() == []


def test_a_set_up_that_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    # yoyo marks a migration after its transaction, and its lock outlives its process: both ways to be left in the middle.
    path = tmp_path / "half.db"
    open_store(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM _yoyo_migration")
        connection.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, '2026-01-01', 4711)")
        connection.execute("UPDATE meta SET value = '0' WHERE key = 'schema'")
    connection.close()
    with pytest.raises(StoreError):  # tables without their version: not ours to guess
        open_store(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        for (table,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%yoyo%' AND name NOT LIKE 'sqlite%'"
            " AND name NOT LIKE 'shown_text_%'"  # they go with the index that they are parts of
        ).fetchall():
            connection.execute(f"DROP TABLE {table}")
        connection.execute(
            "INSERT OR IGNORE INTO yoyo_lock (locked, ctime, pid) VALUES (1, '2026-01-01', 4711)"
        )
    connection.close()
    with open_store(f"sqlite:///{path}") as store:
        assert sight(store, paper()) == ["new"]


# --- faults of the file


@pytest.fixture
def filled(empty_sqlite: Path, tmp_path: Path) -> Path:
    """A store of some pages, closed."""
    path = tmp_path / "digest.db"
    shutil.copy(empty_sqlite, path)
    with open_store(f"sqlite:///{path}") as store:
        prepare(store, "claim")
        sight(store, *[paper(f"Paper {n}", abstract="tide " * 300) for n in range(60)])
    return path


def use(path: Path) -> None:
    with open_store(f"sqlite:///{path}") as store:
        store.check()
        store.waiting("daily")
        sight(store, paper("One More"), *[paper(f"Paper {n}") for n in range(60)])


def test_a_file_that_is_no_database_is_named_with_its_mend(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"These are notes, not a database. " * 200)
    with pytest.raises(StoreError, match=r"notes\.db is no SQLite database.*put back your last backup"):
        use(path)


def test_a_damaged_file_is_named_with_its_mend(filled: Path) -> None:
    body = bytearray(filled.read_bytes())
    body[4096:] = b"\xa5" * (len(body) - 4096)
    filled.write_bytes(body)
    with pytest.raises(StoreError, match=r"digest\.db .*damaged.*last backup"):
        use(filled)


def test_a_truncated_file_is_named_with_its_mend(filled: Path) -> None:
    os.truncate(filled, filled.stat().st_size // 3)
    with pytest.raises(StoreError, match=r"digest\.db .*damaged"):
        use(filled)


def test_damage_is_found_by_the_check(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as connection:
        root = (
            "SELECT rootpage FROM sqlite_master WHERE name = 'sightings'"  # not read when a store is opened
        )
        page, size = (
            connection.execute(root).fetchone()[0],
            connection.execute("PRAGMA page_size").fetchone()[0],
        )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    body = bytearray(filled.read_bytes())
    body[(page - 1) * size : page * size] = b"\xff" * size
    filled.write_bytes(body)
    with open_store(f"sqlite:///{filled}") as store:
        faults = store.check()
    assert faults
    assert "sightings" in " ".join(faults) or "damaged" in " ".join(faults)


def test_damage_anywhere_is_found_or_refused_with_its_mend(filled: Path) -> None:
    whole = filled.read_bytes()
    chance = random.Random(7)
    found = 0
    for _ in range(12):
        body = bytearray(whole)
        start = chance.randrange(0, len(body) // 4096 - 12) * 4096
        body[start : start + 12 * 4096] = b"\xff" * (12 * 4096)
        for leftover in filled.parent.glob("digest.db-*"):
            leftover.unlink()
        filled.write_bytes(body)
        try:
            with open_store(f"sqlite:///{filled}") as store:
                assert store.check() != []
                found += 1
        except StoreError as error:
            assert re.search(r"(damaged|no SQLite database).*last backup", str(error))
    assert found, "not every damage stands in the way of opening it"


@pytest.mark.parametrize(
    ("whole", "changed"),
    [
        (b"CREATE TABLE papers", b"CREATE \xf9ABLE papers"),  # what SQLite says of it is no text
        (b'"title":"Paper 3"', b'"title";"Paper 3"'),  # of which SQLite knows nothing
        (b'"title":"Paper 3"', b'"titlE":"Paper 3"'),
    ],
)
def test_a_letter_that_changed_on_the_disk_is_no_fault_of_the_program(
    filled: Path, whole: bytes, changed: bytes
) -> None:
    body = filled.read_bytes()
    assert whole in body
    filled.write_bytes(body.replace(whole, changed))
    with pytest.raises(StoreError, match=r"(?s)store .*is damaged.*last backup"):
        use(filled)


def test_a_moment_that_changed_on_the_disk_is_no_fault_of_the_program(filled: Path) -> None:
    with closing(sqlite3.connect(filled, isolation_level=None)) as connection:
        assert connection.execute("UPDATE subscribers SET since = '2O26' || substr(since, 5)").rowcount > 0
    with open_store(f"sqlite:///{filled}") as store, pytest.raises(StoreError, match=r"damaged.*2O26"):
        list(store.subscribers())


def test_a_hundred_bits_that_turned_are_refused_with_their_mend_or_do_no_harm(filled: Path) -> None:
    whole = filled.read_bytes()
    refused = 0
    for seed in range(40):
        body, chance = bytearray(whole), random.Random(seed)
        for _ in range(100):
            body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        for leftover in filled.parent.glob("digest.db-*"):
            leftover.unlink()
        filled.write_bytes(body)
        try:
            use(filled)
        except StoreError as error:
            refused += 1
            assert re.search(r"damaged.*last backup|`digest doctor` says whether it is damaged", str(error))
    assert refused > 20


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE photos (id INTEGER)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="another program"):
        open_store(f"sqlite:///{path}")


def test_a_newer_programs_store_is_left_alone(filled: Path) -> None:
    connection = sqlite3.connect(filled)
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    connection.commit()
    connection.close()
    with pytest.raises(SchemaTooNew, match="newer version"):
        open_store(f"sqlite:///{filled}")


def test_a_missing_store_is_not_made_when_only_asked_for(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no store at .*none\.db"):
        open_store("sqlite:///none.db", base=tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_relative_store_lies_below_its_base(tmp_path: Path) -> None:
    open_store("sqlite:///deep/er/a%20b%3F.db", base=tmp_path).close()
    assert (tmp_path / "deep" / "er" / "a b?.db").exists()


def test_an_unknown_kind_of_store_is_named_with_its_mend() -> None:
    with pytest.raises(StoreError, match=r"Write .sqlite:///"):
        open_store("mysql://localhost/digest")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(f"sqlite:///{tmp_path}/file/digest.db")


AS_SOMEBODY_ELSE = """
import os, sys
sys.path.insert(0, sys.argv[2])
from test_store_failures import Path, StoreError, use
from digest.store import migrate, sqlite
if os.getuid() == 0:  # root may write everywhere; all is imported by now
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    use(Path(sys.argv[1]))
except StoreError as error:
    print("StoreError:", error)
"""


def test_a_store_that_may_not_be_written_is_named_with_its_mend(filled: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        path = Path(shutil.copy(filled, folder))
        path.chmod(0o444)
        path.parent.chmod(0o555)
        command = [sys.executable, "-c", AS_SOMEBODY_ELSE, str(path), str(WORKER.parent)]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        path.parent.chmod(0o755)
    assert "StoreError:" in found.stdout, found.stderr
    assert "right to" in found.stdout or "written by this user" in found.stdout


def test_a_full_disk_changes_nothing_and_names_the_mend(filled: Path) -> None:
    with open_store(f"sqlite:///{filled}") as store:
        before = all_of_it(store)
        connection = store._db._connection  # type: ignore[attr-defined]
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match=r"disk is full.*Free some space"):
            sight(store, *[paper(f"Big {n}", abstract="kiln " * 2000) for n in range(50)])
        assert all_of_it(store) == before
        connection.execute("PRAGMA max_page_count = 1000000")
        assert set(sight(store, *[paper(f"Big {n}") for n in range(50)])) == {"new"}
        assert store.check() == []


NO_ROOM = """
import resource, sys
from digest.errors import StoreError
from digest.store import open_store

for size in (4_000, 20_000, 50_000, 80_000, 110_000, 140_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        open_store(f"sqlite:///{sys.argv[1]}/{size}.db").close()
    except StoreError as error:
        print(error)
"""


def test_a_new_store_that_finds_no_room_says_so_however_much_it_needs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", NO_ROOM, str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(found) > 3
    assert [line for line in found if "Free some space" not in line] == []


def test_a_locked_store_is_busy_and_says_so(filled: Path) -> None:
    other = sqlite3.connect(filled, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with open_store(f"sqlite:///{filled}", busy_timeout_s=0.05) as store:
        assert store.count_waiting("daily") == 60  # readers do not wait
        with pytest.raises(StoreBusy, match="locked by another process"):
            sight(store, paper("New"))
        other.execute("ROLLBACK")
        assert sight(store, paper("New")) == ["new"]
    other.close()


# --- PostgreSQL


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Store]:
    empty_postgres(postgres_url)
    with open_store(postgres_url, busy_timeout_s=0.1) as store:
        yield store


@pytest.mark.postgres
def test_a_lost_connection_is_opened_anew(postgres: Store, postgres_url: str) -> None:
    import psycopg

    def cut() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'digest'"
            )

    cut()
    assert sight(postgres, paper()) == ["new"]
    with pytest.raises(StoreError, match=r"connection .* was lost"), postgres._db.writing():
        cut()
        postgres._db.run("next_run_id")
    assert postgres.count_waiting("daily") == 1


@pytest.mark.postgres
def test_a_locked_postgres_is_busy_and_says_so(postgres: Store, postgres_url: str) -> None:
    with (
        open_store(postgres_url) as other,
        other._db.writing(),
        pytest.raises(StoreBusy, match="locked by another process"),
    ):
        sight(postgres, paper())
    assert sight(postgres, paper()) == ["new"]


@pytest.mark.postgres
def test_a_newer_programs_postgres_is_left_alone(postgres: Store, postgres_url: str) -> None:
    with postgres._db.writing():
        postgres._db.execute("UPDATE meta SET value = '99' WHERE key = 'schema'", {})
    try:
        with pytest.raises(SchemaTooNew, match="newer version"):
            open_store(postgres_url)
    finally:
        with postgres._db.writing():
            postgres._db.execute(f"UPDATE meta SET value = '{SCHEMA}' WHERE key = 'schema'", {})


@pytest.mark.postgres
def test_a_server_that_is_not_there_is_named_without_the_password(postgres_url: str) -> None:
    with pytest.raises(StoreError, match="cannot be reached") as error:
        open_store("postgresql://me:secret-word@127.0.0.1:1/digest")
    assert "secret-word" not in str(error.value)
    assert "127.0.0.1" in str(error.value)


def test_a_list_is_asked_for_as_it_is(tmp_path: Path) -> None:
    database = Sqlite(tmp_path / "digest.db")
    texts = ["plain", 'a "quoted" \\ one', "Erdős", "日本語", "😀", "", "line\nbreak\x7f\u2028"]
    for values in (texts, [0, -1, 2**62]):
        found = database.execute("SELECT value FROM json_each(:values)", {"values": database.array(values)})
        assert [value for (value,) in found] == values
    assert json.loads(str(database.array(["half \ud83d", "whole \ud83d\ude00"]))) == [
        "half \ud83d",
        "whole 😀",
    ]
    database.close()
