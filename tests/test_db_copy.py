"""`digest db copy`: an installation moves from one store to another, and nobody can tell from what it publishes or mails."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from digest.app import open_app
from digest.app.keeping import copy_store
from digest.app.search import refresh, search
from digest.config import Config, DigestConfig, TopicConfig
from digest.errors import LeaseHeld, StoreBusy, StoreError, UsageError
from digest.model import Receipt
from digest.store import Store, open_store
from digest.store.copying import LEFT_OUT, META_LEFT_OUT, TABLES
from pages import ROOT, installation, invented, rss, tree
from store_contract import empty_postgres
from test_cli import Shell

NOW = datetime(2026, 1, 5, 6, tzinfo=UTC)
ROWS_OF_RARE_TABLES = (
    "INSERT INTO rates VALUES ('mail', '2026-01-05T06:00:00.000000Z', '', 0.25, '')",
    "INSERT INTO hosts VALUES ('example.org', '', '', '2026-01-05T06:00:03.000000Z', 'User-agent: *', '')",
    "INSERT INTO days VALUES ('hf', '2026-01-05', 'open', 3, 'abc', '2026-01-05', '2026-01-05')",
    "INSERT INTO answers VALUES ('hf', 'https://example.org/', '', 'W/\"1\"', '', 'abc', '', '2026-01-05')",
    "INSERT INTO lookups SELECT MIN(id), '2026-01-05', 'hit', 1, '', 'crossref', '{\"doi\": \"10.1/é\"}' FROM papers",
    "INSERT INTO touched SELECT 'daily', MIN(key) FROM papers",
    "INSERT INTO run_parts (run_id, place, source, state, taken, report) SELECT MIN(id), 0, 'inbox', 'taken', "
    "(SELECT body FROM pages LIMIT 1), '{}' FROM runs",
    "INSERT INTO revisions SELECT MIN(id), '2026-01-05T06:00:00.000000Z', MIN(content) FROM papers",
    f"INSERT INTO fingerprints SELECT MIN(id), 0, {-(1 << 63)} FROM papers",
    "INSERT INTO askings VALUES ('0f', 2, '2026-01-05T06:00:00.000000Z')",
)


def a_while(folder: Path, days: int, *, store: str = "") -> Config:
    """An installation with two digests that ran for so many days: readers who came, chose and left, papers that changed."""
    digests = tuple(
        DigestConfig(
            name=name, title=name.title(), path=path, topics=(TopicConfig(name="Moths", any=("moth",)),)
        )
        for name, path in (("daily", ""), ("second", "second"))
    )
    config = installation(folder, store=store, digest=digests)
    with open_app(config) as app:
        for n in range(4):
            app.store.add_subscriber(f"reader{n}@example.org", digests=("daily",) if n else (), now=NOW)
    for day in range(days):
        one_day(config, day)
        if day == days // 2:
            with open_app(config) as app:
                readers = app.store.subscribers()
                app.store.remove_subscriber(readers[3].address, now=NOW)
                app.store.suppress_subscriber(readers[2].id, "complained", now=NOW)
                app.store.queue_letter(readers[1].id, "confirm", message_id="<1@example.org>", now=NOW)
                first, second, *_ = app.store.latest_editions("daily", limit=1)[0].entries
                app.store.merge(first.paper.key, second.paper.key, NOW)
    with open_store(config.store.url) as store_, store_._db.writing():
        for sql in ROWS_OF_RARE_TABLES:
            store_._db.execute(sql, {})
    return config


def one_day(config: Config, day: int) -> None:
    """Papers of that day, some of the day before with another abstract."""
    now = NOW + timedelta(days=day)
    papers = invented(4 * day, 5)
    papers[0] = (papers[0][0], papers[0][1] + f" Revised on day {day}.")
    (config.resolve("inbox") / "page.xml").write_bytes(rss(papers))
    with open_app(config, clock=lambda: now) as app:
        app.daily(now)


def contents(url: str) -> dict[str, list[dict[str, Any]]]:
    """All rows of a store, by table."""
    found: dict[str, list[dict[str, Any]]] = {}
    with open_store(url, create=False) as store, store._db.reading():
        for table, key in TABLES.items():
            columns = sorted(store._db.columns(table))
            rows = store._db.stream(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {key}", 100)
            found[table] = [dict(zip(columns, row, strict=True)) for row in rows]
    found["meta"] = [row for row in found["meta"] if row["key"] not in META_LEFT_OUT]
    return found


def copy(config: Config, target: str) -> dict[str, int]:
    return copy_store(config, config.store.url, target, now=NOW, done=lambda rows: None)


def at(config: Config, folder: Path, url: str) -> Config:
    """The same installation in another folder, on another store."""
    folder.mkdir()
    (folder / "inbox").mkdir()
    return replace(config, file=str(folder / "config.toml"), store=replace(config.store, url=url))


def tables(store: Store) -> set[str]:
    sql = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'shown_text_%'"
        if store._db.dialect == "sqlite"
        else "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
    )
    with store._db.reading():
        found = {str(row[0]) for row in store._db.execute(sql, {}).fetchall()}
    return {name for name in found if not re.match("_?yoyo|sqlite_|procrastinate", name)}


# --- what is copied


def test_every_table_of_the_schema_is_copied_or_left_out_by_name(store_url: str) -> None:
    with open_store(store_url) as store:
        assert tables(store) == {*TABLES, *LEFT_OUT}, (
            "digest/store/copying.py: name each table in TABLES or LEFT_OUT"
        )


@pytest.mark.postgres
def test_an_installation_moves_to_postgresql_and_back(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    moved_there_and_back(tmp_path, new_database, days=3)


@pytest.mark.postgres
@pytest.mark.torture
def test_a_year_moves_to_postgresql_and_back(tmp_path: Path, new_database: Callable[[], str]) -> None:
    moved_there_and_back(tmp_path, new_database, days=250)


def moved_there_and_back(tmp_path: Path, new_database: Callable[[], str], *, days: int) -> None:
    """Four stores hold the same rows; their pages, searches, and the next day with its mails, are the same to the byte."""
    first = a_while(tmp_path, days)
    there, further, back = new_database(), new_database(), f"sqlite:///{tmp_path}/back.db"
    before = contents(first.store.url)
    assert [table for table, rows in before.items() if not rows] == []
    counted = {table: len(rows) for table, rows in before.items()}
    assert copy(first, there) == counted
    assert copy_store(first, there, further, now=NOW, done=lambda rows: None) == counted
    assert copy_store(first, further, back, now=NOW, done=lambda rows: None) == counted
    for url in (there, further, back):
        assert contents(url) == before
    configs = [
        at(first, tmp_path / f"{n}", url) for n, url in enumerate((first.store.url, there, further, back))
    ]
    published = [rebuilt_and_gone_on(config, days) for config in configs]
    assert published[1] == published[0]
    assert published[2] == published[0]
    assert len(published[0]) > 3 * days


def rebuilt_and_gone_on(config: Config, days: int) -> dict[str, bytes]:
    """What is published of a store, what a search finds in it, and what the next day publishes and mails."""
    with open_app(config) as app:
        app.rebuild()
        refresh(app)
        hits = search(app, "moth -otter", limit=50).hits
    rebuilt = {f"rebuilt/{name}": body for name, (body, _) in tree(config.resolve("feeds")).items()}
    assert hits
    rebuilt["found"] = repr(hits).encode()
    one_day(config, days)
    after = {f"after/{name}": body for name, (body, _) in tree(config.resolve("feeds")).items()}
    mails = {f"mail/{name}": body for name, (body, _) in tree(config.resolve("outbox")).items()}
    assert len(mails) >= 3
    return rebuilt | after | mails


def test_a_file_is_copied_into_a_file(tmp_path: Path) -> None:
    first = a_while(tmp_path, 2)
    copy(first, "sqlite:///sub/two.db")  # relative to the folder of the configuration
    assert contents(f"sqlite:///{tmp_path}/sub/two.db") == contents(first.store.url)
    with open_store(first.store.url) as store:
        assert store.check() == []
        store.acquire_lease(
            "run", "next", now=NOW, ttl_s=60, is_dead=lambda holder: False
        )  # it is free again


# --- what it refuses


def small(folder: Path) -> Config:
    config = installation(folder)
    (folder / "inbox" / "page.xml").write_bytes(rss(invented(0, 3)))
    with open_app(config, clock=lambda: NOW) as app:
        app.store.add_subscriber("reader@example.org", digests=(), now=NOW)
        app.daily(NOW)
    return config


def test_a_store_that_holds_something_is_not_overwritten(tmp_path: Path, store_url: str) -> None:
    with open_store(store_url) as target:
        target.add_subscriber("mine@example.org", digests=(), now=NOW)
    before = contents(store_url)
    (tmp_path / "from").mkdir()
    with pytest.raises(UsageError, match=r"is not empty \(1 subscriber\)") as error:
        copy(small(tmp_path / "from"), store_url)
    assert ("DROP SCHEMA" in str(error.value)) == store_url.startswith("postgres")
    assert contents(store_url) == before


def test_a_store_that_is_not_there_is_not_copied(tmp_path: Path) -> None:
    config = installation(tmp_path)
    with pytest.raises(StoreError, match="no store at"):
        copy(config, f"sqlite:///{tmp_path}/two.db")
    assert not (tmp_path / "two.db").exists()


def test_a_run_at_work_is_not_disturbed(tmp_path: Path) -> None:
    config = small(tmp_path)
    with open_store(config.store.url) as store:
        store.acquire_lease("run", "other/1/1", now=NOW, ttl_s=600, is_dead=lambda holder: False)
    with pytest.raises(LeaseHeld):
        copy(config, f"sqlite:///{tmp_path}/two.db")
    assert not (tmp_path / "two.db").exists()


def test_mails_in_flight_are_settled_first(tmp_path: Path) -> None:
    """What became of them is noted beside the old store only: the new one would send them again."""
    config = small(tmp_path)
    with open_store(config.store.url) as store:
        with store._db.writing():
            store._db.execute("UPDATE deliveries SET status = 'queued'", {})
        claimed = store.claim(now=NOW, holder="killed", limit=1)
        with pytest.raises(UsageError, match="digest send"):
            copy(config, f"sqlite:///{tmp_path}/two.db")
        # Those that are held are sent by nobody, there or here.
        holding = replace(config, mail=replace(config.mail, in_doubt="hold"))
        assert copy(holding, f"sqlite:///{tmp_path}/held.db")["deliveries"] == 1
        store.record_receipts([(claimed[0], Receipt(status="accepted"), None)], now=NOW)
    assert copy(config, f"sqlite:///{tmp_path}/two.db")["deliveries"] == 1


def test_nobody_writes_meanwhile(tmp_path: Path, store_url: str) -> None:
    """Who would leave now must not be lost: the old store waits with it."""
    with open_store(store_url) as old, open_store(store_url, busy_timeout_s=0.05) as web:
        old.add_subscriber("reader@example.org", digests=(), now=NOW)
        with old._db.frozen():
            assert web.subscriber("reader@example.org") is not None
            with pytest.raises(StoreBusy):
                web.remove_subscriber("reader@example.org", now=NOW)
        web.remove_subscriber("reader@example.org", now=NOW)


# --- when it ends halfway

KILLED = """
import os, signal, sys
from digest.store import open_store
from datetime import UTC, datetime
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us in the background has it ignored
source, target = open_store(sys.argv[1]), open_store(sys.argv[2])
load, loads = target._db.load, []
def until(table, columns, rows):
    if table == sys.argv[3]:
        os.kill(os.getpid(), int(sys.argv[4]))
    load(table, columns, rows)
target._db.load = until
source.copy_into(target)
"""


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_a_copy_that_was_stopped_leaves_nothing(tmp_path: Path, store_url: str, sign: signal.Signals) -> None:
    (tmp_path / "from").mkdir()
    config = small(tmp_path / "from")
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, config.store.url, store_url, "shown_words", str(int(sign))],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == -sign, ended.stderr
    with open_store(store_url) as target:
        assert target.holds() == {}
    copy(config, store_url)
    assert contents(store_url) == contents(config.store.url)


# --- many rows

MANY = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
INSERT INTO {table} SELECT {values} FROM n
"""


def many_papers(url: str, count: int) -> None:
    """So many papers, each with a key and the words of its abstract."""
    with open_store(url) as store, store._db.writing():
        columns = ", ".join(
            {
                "id": "i",
                "joined_to": "NULL",
                "key": "'arxiv:2601.' || i",
                "content": "'{\"title\":\"' || hex(randomblob(400)) || '\"}'",
            }.get(name, "0" if name in ("version", "debuted", "revision") else "'2026-01-05'")
            for name in store._db.columns("papers")
        )
        store._db.execute(MANY.format(count=count, table="papers", values=columns), {})
        store._db.execute(MANY.format(count=count, table="paper_keys", values="'arxiv:2601.' || i, i"), {})


@pytest.mark.parametrize("way", ["there", "back"])
@pytest.mark.postgres
def test_memory_is_flat_however_many_rows(
    tmp_path: Path, empty_sqlite: Path, new_database: Callable[[], str], way: str
) -> None:
    few, many = (peak_of_copy(tmp_path, new_database, count, way) for count in (500, 4_000))
    assert many < 3 * few  # two batches of 500 rows, of eight times as many


def peak_of_copy(tmp_path: Path, new_database: Callable[[], str], count: int, way: str) -> int:
    """Bytes of Python's memory that the copying took at most."""
    first, there = f"sqlite:///{tmp_path}/{count}.db", new_database()
    many_papers(first, count)
    config = installation(tmp_path, store=first)
    if way == "back":
        copy(config, there)
        config = replace(config, store=replace(config.store, url=there))
        there = f"sqlite:///{tmp_path}/back-{count}.db"
    open_store(there).close()  # what is imported and made once is not counted
    tracemalloc.start()
    try:
        assert copy(config, there)["papers"] == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# How many papers it copied, and its peak in KiB. (RUSAGE_CHILDREN has our own in it too: each child begins as we are.)
WHOLE = """
import sys
from pathlib import Path
from digest.store import open_store
print(open_store(sys.argv[1]).copy_into(open_store(sys.argv[2]))["papers"])
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""


@pytest.mark.postgres
@pytest.mark.torture
def test_a_million_papers_are_copied_in_little_memory(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    first, there = f"sqlite:///{tmp_path}/many.db", new_database()
    many_papers(first, 1_000_000)
    for source, target in ((first, there), (there, f"sqlite:///{tmp_path}/back.db")):
        copied = subprocess.run(
            [sys.executable, "-c", WHOLE, source, target],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        papers, peak = copied.stdout.split()
        assert int(papers) == 1_000_000
        assert int(peak) < 150 * 1024


# --- the command


@pytest.mark.postgres
def test_the_command_says_what_was_copied_and_what_to_do_next(tmp_path: Path, postgres_url: str) -> None:
    empty_postgres(postgres_url)
    small(tmp_path)
    (tmp_path / "config.toml").write_text(
        '[site]\nurl = "https://papers.example.org/"\n[store]\nurl = "sqlite:///digest.db"\n'
        '[[source]]\nname = "inbox"\npath = "inbox"\n[[digest]]\nname = "daily"\n[mail]\nfolder = "outbox"\n'
    )
    shell = Shell(tmp_path)
    rows = shell.json("db", "copy", "sqlite:///digest.db", postgres_url)["rows"]
    assert (rows["editions"], rows["papers"], rows["subscribers"], rows["deliveries"]) == (1, 3, 1, 1)
    assert list(rows) == list(TABLES)
    assert "1 edition, 3 papers" in shell("db", "copy", postgres_url, "sqlite:///two.db").stdout
    again = shell("db", "copy", "sqlite:///digest.db", "sqlite:///two.db", code=2)
    assert "is not empty" in again.stderr and "move this one away" in again.stderr
    assert "set [store] url" in shell("db", "copy", "sqlite:///digest.db", "sqlite:///three.db").stderr
    shell("db", "copy", "sqlite:///nowhere.db", "sqlite:///four.db", code=1)
    assert "FROM is" in shell("db", "copy", "mysql://x/y", "sqlite:///four.db", code=2).stderr
