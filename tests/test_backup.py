"""`digest backup` and `digest restore`: the store in one file, also while it is in use, and back."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from digest.app import open_app
from digest.app.keeping import Restored, back_up, restore
from digest.config import Config
from digest.errors import LeaseHeld, SchemaTooNew, StoreError, UsageError
from digest.journal import Journal
from digest.model import Decision, Preferences, Receipt, Subscriber
from digest.pipeline.trying import place_of
from digest.store import Planned, Store, WorkerRow, open_store
from digest.store.database import SCHEMA
from pages import ROOT, installation, invented, rss, tree
from store_contract import edition, empty_postgres, issue, paper, sight
from test_cli import Shell
from test_db_copy import contents
from test_store_migration import first, first_sqlite

__all__ = ["first", "first_sqlite"]

NOW = datetime(2026, 1, 5, 6, tzinfo=UTC)
TOML = (
    '[site]\nurl = "https://papers.example.org/"\n[store]\nurl = "sqlite:///digest.db"\n'
    '[[source]]\nname = "inbox"\npath = "inbox"\n[[digest]]\nname = "daily"\n[mail]\nfolder = "outbox"\n'
)


def ran(folder: Path, store: str = "", papers: int = 3) -> Config:
    """An installation that ran once, for one reader."""
    folder.mkdir(exist_ok=True)
    config = installation(folder, store=store)
    (folder / "inbox" / "page.xml").write_bytes(rss(invented(0, papers)))
    with open_app(config, clock=lambda: NOW) as app:
        app.store.add_subscriber("reader@example.org", digests=(), now=NOW)
        app.daily(NOW)
    return config


def filled(folder: Path, store: str = "", papers: int = 3) -> Config:
    """An installation with one edition, whose mail to its one reader waits; nothing is published."""
    folder.mkdir(exist_ok=True)
    config = installation(folder, store=store)
    with open_store(config.store.url) as opened:
        opened.add_subscriber("reader@example.org", digests=(), now=NOW)
        sight(opened, *(paper(title, abstract=abstract) for title, abstract in invented(0, papers)))
        issue(opened)
    return config


def kept(config: Config, file: Path) -> Path:
    assert back_up(config, file, done=lambda rows: None) == file.stat().st_size
    return file


def put_back(config: Config, file: Path, *, replace: bool = False) -> Restored:
    return restore(config, file, replace=replace, now=NOW, done=lambda rows: None)


def on(config: Config, url: str) -> Config:
    return replace(config, store=replace(config.store, url=url))


# --- the file


def test_a_backup_is_one_file_for_its_owner_alone_and_a_store_by_itself(
    tmp_path: Path, store_url: str
) -> None:
    config = filled(tmp_path / "from", store_url)
    (folder := tmp_path / "kept").mkdir()
    file = kept(config, folder / "b.db")
    assert [path.name for path in folder.iterdir()] == ["b.db"]
    assert file.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(file)) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert plain.execute("SELECT COUNT(*) FROM leases").fetchone() == (0,)
    assert contents(f"sqlite:///{file}") == contents(store_url)
    with open_store(f"sqlite:///{file}") as opened:
        assert opened.check() == []


def test_a_backup_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    config = filled(tmp_path)
    for older in (open_store(f"sqlite:///{tmp_path / 'b.db'}").close, (tmp_path / "b.db").touch):
        older()
        assert contents(f"sqlite:///{kept(config, tmp_path / 'b.db')}") == contents(config.store.url)
        (tmp_path / "b.db").unlink()


def test_a_backup_through_a_link_leaves_the_link(tmp_path: Path) -> None:
    config = filled(tmp_path)
    (tmp_path / "far").mkdir()
    (tmp_path / "b.db").symlink_to("far/b.db")
    kept(config, tmp_path / "b.db")
    assert (tmp_path / "b.db").is_symlink()
    assert contents(f"sqlite:///{tmp_path / 'far' / 'b.db'}") == contents(config.store.url)


def test_a_backup_is_of_one_moment_while_others_write(tmp_path: Path, store_url: str) -> None:
    """Two rows that change together are equal in every backup that is made meanwhile."""
    config = filled(tmp_path / "from", store_url)
    stop, written = threading.Event(), threading.Event()

    def write() -> None:
        with open_store(store_url) as store:
            number = 0
            while not stop.is_set():
                number += 1
                with store._db.writing():
                    store._db.run("set_meta", key="a", value=str(number))
                    store._db.run("set_meta", key="z", value=str(number))
                written.set()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert written.wait(30)
        found = []
        for n in range(3):
            file = kept(config, tmp_path / f"{n}.db")
            with closing(sqlite3.connect(file)) as plain:
                values = dict(plain.execute("SELECT key, value FROM meta WHERE key IN ('a', 'z')"))
            assert values["a"] == values["z"]
            found.append(int(values["a"]))
    finally:
        stop.set()
        writer.join()
    assert found == sorted(found) and found[-1] > 0


def test_a_backup_needs_no_lease(tmp_path: Path, store_url: str) -> None:
    config = filled(tmp_path / "from", store_url)
    with open_app(config, clock=lambda: NOW) as app, app.alone():
        kept(config, tmp_path / "b.db")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("nowhere/b.db", "there is no folder"),
        (".", "is a folder"),
        ("digest.db", "is the store itself"),
        ("other.toml", "is no backup"),
        ("pipe", "is no backup"),
    ],
)
def test_where_a_backup_cannot_be_is_said(tmp_path: Path, name: str, match: str) -> None:
    config = filled(tmp_path)
    (tmp_path / "other.toml").write_text("[site]")
    os.mkfifo(tmp_path / "pipe")
    before = contents(config.store.url)
    with pytest.raises(UsageError, match=match):
        back_up(config, tmp_path / name, done=lambda rows: None)
    assert contents(config.store.url) == before
    assert (tmp_path / "other.toml").read_text() == "[site]" and (tmp_path / "pipe").is_fifo()


FULL = """
import resource, sys
from pathlib import Path
from digest.store import open_store
store = open_store(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
store.back_up(Path(sys.argv[2]))
"""


def test_a_full_disk_leaves_the_older_backup(tmp_path: Path, store_url: str) -> None:
    filled(tmp_path / "from", store_url)
    (folder := tmp_path / "kept").mkdir()
    (folder / "b.db").write_text("SQLite format 3\0, and so on")
    ended = subprocess.run(
        [sys.executable, "-c", FULL, store_url, str(folder / "b.db")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "StoreError: The backup" in ended.stderr and "could not be written" in ended.stderr, ended.stderr
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [
        ("b.db", "SQLite format 3\0, and so on")
    ]


def test_a_damaged_store_takes_no_backup_away(tmp_path: Path) -> None:
    config = filled(tmp_path, papers=40)
    whole = kept(config, tmp_path / "b.db").read_bytes()
    store = tmp_path / "digest.db"
    sound = store.read_bytes()
    refused = 0
    for page in range(1, len(sound) // 4096):
        store.write_bytes(sound[: page * 4096] + b"\x5a" * 4096 + sound[(page + 1) * 4096 :])
        try:
            back_up(config, tmp_path / "b.db", done=lambda rows: None)
        except StoreError as error:
            refused += 1
            assert (tmp_path / "b.db").read_bytes() == whole
            assert "Free some space" not in str(error), error
        else:  # of a page that held nothing
            put_back(on(config, f"sqlite:///{tmp_path / f'{page}.db'}"), tmp_path / "b.db")
            (tmp_path / "b.db").write_bytes(whole)
    assert refused > len(sound) // 4096 // 2


# --- back


def test_who_left_a_store_that_was_damaged_since_is_no_reader_again(tmp_path: Path) -> None:
    """As long as it can be read who they are: other pages may hold anything."""
    config = filled(tmp_path, papers=40)
    file = kept(config, tmp_path / "b.db")
    with open_store(config.store.url) as opened:
        assert opened.remove_subscriber("reader@example.org", now=NOW)
    store = tmp_path / "digest.db"
    sound = store.read_bytes()
    restored = 0
    for page in range(1, len(sound) // 4096):
        store.write_bytes(sound[: page * 4096] + b"\xff\xff\xff\xfe" + sound[page * 4096 + 4 :])
        try:
            with open_store(config.store.url) as opened:
                damaged = bool(opened.check())
            let_go = put_back(config, file, replace=True).let_go
        except StoreError as error:
            assert "damaged" in str(error), error
            continue
        assert let_go == 1
        restored += damaged
        with open_store(config.store.url) as opened:
            assert [one.status for one in opened.subscribers()] == ["unsubscribed"]
    assert restored > 0


def test_who_cannot_be_read_any_more_is_told_of_when_a_backup_is_put_back(tmp_path: Path) -> None:
    """A damage may hide rows without a fault: the page of readers says here that it has none."""
    config = filled(tmp_path, papers=40)
    file = kept(config, tmp_path / "b.db")
    store = tmp_path / "digest.db"
    assert not put_back(config, file, replace=True).damaged
    with closing(sqlite3.connect(store)) as db:
        (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'subscribers'").fetchone()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sound = store.read_bytes()
    cells = (root - 1) * 4096 + 3
    store.write_bytes(sound[:cells] + b"\0\0" + sound[cells + 2 :])
    (tmp_path / "config.toml").write_text(TOML)
    assert Shell(tmp_path).json("restore", str(file), "--replace")["damaged"]


def test_a_backup_of_one_store_is_restored_into_any(
    tmp_path: Path, store_url: str, postgres_url: str, empty_sqlite: Path
) -> None:
    """Both ways, and what is published from it is the same to the byte."""
    config = ran(tmp_path / "from", store_url)
    published = {name: body for name, (body, _) in tree(config.resolve("feeds")).items()}
    before = contents(store_url)
    file = kept(config, tmp_path / "b.db")
    new = installation(tmp_path, store=f"sqlite:///{tmp_path}/new/digest.db")
    assert put_back(new, file) == Restored(editions=1, subscribers=1, kept=None, waiting=0)
    assert contents(new.store.url) == before
    empty_postgres(postgres_url)
    put_back(on(config, postgres_url), file)
    assert contents(postgres_url) == before
    with open_app(new) as app:
        app.rebuild()
        assert app.store.check() == []
    assert {name: body for name, (body, _) in tree(new.resolve("feeds")).items()} == published


def test_what_a_store_holds_is_replaced_only_when_told_and_kept_then(tmp_path: Path, store_url: str) -> None:
    old = filled(tmp_path / "old", papers=2)
    file = kept(old, tmp_path / "b.db")
    config = filled(tmp_path / "new", store_url, papers=5)
    before = contents(store_url)
    with pytest.raises(UsageError, match=r"1 edition, 5 papers, 1 subscriber.*--replace"):
        put_back(config, file)
    assert contents(store_url) == before
    found = put_back(config, file, replace=True)
    assert contents(store_url) == contents(old.store.url)
    assert found.kept is not None
    assert contents(f"sqlite:///{found.kept}") == before
    # The wrong one, it seems. What was there at first is not lost by trying again, in the same second.
    again = put_back(config, found.kept, replace=True)
    assert contents(store_url) == before
    assert again.kept != found.kept
    with open_store(store_url) as store:
        assert store.check() == []


def test_who_left_since_the_backup_is_no_reader_again(tmp_path: Path, store_url: str) -> None:
    config = filled(tmp_path, store_url)
    with open_store(store_url) as store:
        for name in ("left", "complained", "erased", "asked"):
            store.add_subscriber(f"{name}@example.org", digests=(), now=NOW)
    file = kept(config, tmp_path / "b.db")
    with open_store(store_url) as store:
        store.remove_subscriber("LEFT@example.org", now=NOW)
        complained = store.subscriber("complained@example.org")
        assert complained is not None
        store.suppress_subscriber(complained.id, "complained", now=NOW)
        store.erase_subscriber("erased@example.org", now=NOW)
        # Who left and came back is a reader.
        store.remove_subscriber("asked@example.org", now=NOW)
        store.add_subscriber("asked@example.org", digests=(), now=NOW)
    assert put_back(config, file, replace=True).let_go == 3
    with open_store(store_url) as store:
        status = {reader.address: reader.status for reader in store.subscribers()}
        erased, refused = store.suppression("erased@example.org"), store.suppression("complained@example.org")
    assert status == {
        "reader@example.org": "confirmed",
        "left@example.org": "unsubscribed",
        "complained@example.org": "suppressed",
        "asked@example.org": "confirmed",
    }
    assert erased is not None and erased.reason == "erased"
    assert refused is not None and refused.reason == "complained"
    assert sorted(path.name for path in tmp_path.glob("*.part*")) == []


def test_what_readers_chose_since_the_backup_stands(tmp_path: Path, store_url: str) -> None:
    """Who left one of two digests, or paused, gets no mail of it because a disk broke."""
    config = filled(tmp_path, store_url)
    addresses = [f"{name}@example.org" for name in ("fewer", "paused", "resumed")]
    with open_store(store_url) as store:
        readers = [
            store.add_subscriber(address, digests=("daily", "weekly"), now=NOW)[0] for address in addresses
        ]
        choose(store, readers[2], paused_until=date(2026, 12, 24))
    file = kept(config, tmp_path / "b.db")
    with open_store(store_url) as store:
        choose(store, readers[0], digests=("weekly",), preferences=Preferences(mute=("title:quantum",)))
        choose(store, readers[1], paused_until=date(2026, 12, 31))
        choose(store, readers[2])
        store.add_subscriber("new@example.org", digests=(), now=NOW)
        chosen = store.subscribers()
    assert put_back(config, file, replace=True).let_go == 0
    with open_store(store_url) as store:
        found = {reader.address: reader for reader in store.subscribers()}
    assert [replace(found[one.address], changed_at=None) for one in chosen[:4]] == [
        replace(one, changed_at=None) for one in chosen[:4]
    ]
    assert "new@example.org" not in found  # nobody knows any more that they asked


def test_who_came_after_the_backup_is_counted_and_can_be_taken_over(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    (tmp_path / "config.toml").write_text(TOML)
    for name in ("stays", "leaves", "back"):
        shell.json("subscribers", "add", f"{name}@example.org")
    shell.json("subscribers", "remove", "back@example.org")
    shell.json("backup", "b.db")
    shell.json("subscribers", "add", "new@example.org", "back@example.org")
    shell.json("subscribers", "remove", "leaves@example.org")
    found = shell.json("restore", "--replace", "b.db")
    assert (found["let_go"], found["newer"]) == (1, 2)
    shell("restore", "--replace", found["kept"])
    told = " ".join(shell("restore", "--replace", "b.db").stderr.split())
    assert "1 reader came since" in told
    export, take_over = re.findall(r"`digest ([^`]*since.csv)`", told)
    shell(*shlex.split(export))
    shell(*shlex.split(take_over), code=3)  # of those who are known already, or left, it says so
    on_list = {one["address"]: one["status"] for one in shell.json("subscribers", "list")["subscribers"]}
    assert on_list["new@example.org"] == "confirmed"
    assert on_list["leaves@example.org"] == "unsubscribed"


def test_a_choice_that_is_damaged_is_that_of_the_backup(tmp_path: Path) -> None:
    config = filled(tmp_path)
    file = kept(config, tmp_path / "b.db")
    with closing(sqlite3.connect(tmp_path / "digest.db")) as db, db:
        db.execute("UPDATE subscribers SET preferences = '{\"hour\": ?}'")
    put_back(config, file, replace=True)
    with open_store(config.store.url) as store:
        assert [reader.preferences for reader in store.subscribers()] == [Preferences()]


def choose(
    store: Store,
    reader: Subscriber,
    *,
    digests: tuple[str, ...] = ("daily", "weekly"),
    preferences: Preferences | None = None,
    paused_until: date | None = None,
) -> None:
    assert store.set_choices(
        reader.id,
        digests=digests,
        preferences=preferences or Preferences(),
        paused_until=paused_until,
        now=NOW,
    )


def test_a_backup_removes_what_one_that_was_killed_left(tmp_path: Path, store_url: str) -> None:
    """It holds addresses, and no erasure reaches it. In a container the process has the same number again."""
    config = filled(tmp_path, store_url)
    (tmp_path / f".b.db.{os.getpid()}.part").write_bytes(b"reader@example.org")
    kept(config, tmp_path / "b.db")
    assert list(tmp_path.glob(".b.db.*")) == []


@pytest.mark.parametrize("how", ["leaves", "pauses"])
def test_who_leaves_or_chooses_while_a_backup_is_put_back_is_heard(
    tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """By the web door, say, which was not stopped: when it was looked what readers wish, and before all is in its place."""
    config = filled(tmp_path, store_url)
    file = kept(config, tmp_path / "b.db")
    put = Store.restore

    def restored(store: Store, file: Path, **given: Any) -> None:
        with open_store(store_url) as door:
            if how == "leaves":
                assert door.remove_subscriber("reader@example.org", now=NOW)
            else:
                (reader,) = door.subscribers()
                choose(door, reader, paused_until=date(2026, 12, 31))
        put(store, file, **given)

    monkeypatch.setattr(Store, "restore", restored)
    with pytest.raises(StoreError, match="A reader left"):
        put_back(config, file, replace=True)
    monkeypatch.undo()
    assert put_back(config, file, replace=True).let_go == (how == "leaves")
    with open_store(store_url) as store:
        (reader,) = store.subscribers()
        assert reader.status == {"leaves": "unsubscribed", "pauses": "paused"}[how]


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("empty", [False, True])
def test_what_a_run_did_while_a_large_backup_was_put_back_is_not_replaced(
    tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch, ended: bool, empty: bool
) -> None:
    """The lease lasts a quarter of an hour. An edition that was issued behind it would be forgotten, and its papers come twice."""
    config = installation(tmp_path, store=store_url) if empty else filled(tmp_path, store_url)
    file = kept(filled(tmp_path / "other"), tmp_path / "b.db")
    put = Store.restore

    def restored(store: Store, file: Path, **how: Any) -> None:
        with open_store(store_url) as run:
            later = NOW + timedelta(minutes=16)
            run.acquire_lease("run", "another", now=later, ttl_s=900.0, is_dead=lambda holder: False)
            if ended:
                run.release_lease("run", "another")
        put(store, file, **how)

    monkeypatch.setattr(Store, "restore", restored)
    with pytest.raises(StoreError, match="A run began"):
        put_back(config, file, replace=True)


def test_what_a_worker_that_came_meanwhile_has_in_hand_is_not_replaced(
    tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have begun behind the lease, and sends: with the backup its mails would be queued again."""
    config = filled(tmp_path, store_url)
    file = kept(config, tmp_path / "b.db")
    put = Store.restore

    def restored(store: Store, file: Path, **how: Any) -> None:
        with open_store(store_url) as other:
            seen_at = other.server_time()
            worker = WorkerRow(
                id="elsewhere.example.org/7/7",
                engine_id=None,
                version="1",
                queues=(),
                doing="",
                started_at=seen_at,
                seen_at=seen_at,
            )
            other.put_worker(worker)
        put(store, file, **how)

    monkeypatch.setattr(Store, "restore", restored)
    with pytest.raises(UsageError, match="worker"):
        put_back(config, file, replace=True)
    with open_store(store_url) as store:
        assert store.workers(), "the store is as it was"


def test_a_store_that_others_keep_locked_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = filled(tmp_path)
    file = kept(config, tmp_path / "b.db")
    monkeypatch.setattr("digest.store.backups.BUSY_TIMEOUT_S", 0.01)
    with open_store(config.store.url, busy_timeout_s=0.01) as store, open_store(config.store.url) as other:
        with other.together(), pytest.raises(StoreError, match="is in use"):
            store.restore(file)
        store.restore(file)


def test_to_be_asked_by_a_stranger_makes_nobody_a_reader_who_left_since_the_backup(
    tmp_path: Path, store_url: str
) -> None:
    config = filled(tmp_path, store_url)
    file = kept(config, tmp_path / "b.db")
    with open_store(store_url) as store:
        store.remove_subscriber("reader@example.org", now=NOW)
        store.add_pending(
            "reader@example.org", digests=(), preferences=Preferences(), consent="form", now=NOW
        )
        store.add_pending("new@example.org", digests=(), preferences=Preferences(), consent="form", now=NOW)
    with open_app(config) as app, pytest.raises(UsageError, match="unsubscribed: nothing is sent there"):
        app.send_to("reader@example.org", now=NOW)
    assert put_back(config, file, replace=True).let_go == 1
    with open_store(store_url) as store:
        assert [reader.status for reader in store.subscribers()] == ["unsubscribed"]
        assert store.suppression("new@example.org") is None


@pytest.mark.parametrize("how", ["left", "erased", "complained"])
def test_who_came_after_the_backup_and_went_is_brought_in_by_no_list(
    tmp_path: Path, store_url: str, how: str
) -> None:
    config = filled(tmp_path, store_url)
    file = kept(config, tmp_path / "b.db")
    with open_store(store_url) as store:
        (reader, _) = store.add_subscriber("new@example.org", digests=(), now=NOW)
        if how == "left":
            store.leave(reader.id, now=NOW)
        elif how == "erased":
            store.erase_subscriber("new@example.org", now=NOW)
        else:
            store.suppress_subscriber(reader.id, "complained", now=NOW)
    assert put_back(config, file, replace=True).let_go == 0
    with open_store(store_url) as store:
        found = store.suppression("new@example.org")
        assert found is not None and found.reason == ("complained" if how == "complained" else "erased")


def test_a_store_of_which_nobody_ever_asked_who_left_is_replaced_too(tmp_path: Path, store_url: str) -> None:
    config = installation(tmp_path, store=store_url)
    with open_store(store_url) as store:
        sight(store, paper("A Title", abstract="Of something."))
    file = kept(filled(tmp_path / "other"), tmp_path / "b.db")
    assert put_back(config, file, replace=True).editions == 1


def test_who_left_is_known_by_address_where_the_backup_is_of_another_store(tmp_path: Path) -> None:
    other = filled(tmp_path / "other")
    file = kept(other, tmp_path / "b.db")
    config = filled(tmp_path / "ours")
    with open_store(config.store.url) as store:
        store.remove_subscriber("reader@example.org", now=NOW)
    assert put_back(config, file, replace=True).let_go == 1
    with open_store(config.store.url) as store:
        assert store.delivery_counts()["queued"] == 0


@pytest.mark.parametrize("how", ["erased", "complained"])
def test_who_is_known_by_a_hash_alone_is_known_where_the_backup_is_of_another_store(
    tmp_path: Path, how: str
) -> None:
    file = kept(filled(tmp_path / "other"), tmp_path / "b.db")
    config = filled(tmp_path / "ours")
    with open_store(config.store.url) as store:
        if how == "complained":
            (reader,) = store.subscribers()
            store.suppress_subscriber(reader.id, "complained", now=NOW)
        store.erase_subscriber("reader@example.org", now=NOW)
    assert put_back(config, file, replace=True).let_go == 1
    with open_store(config.store.url) as store:
        assert [reader.status for reader in store.subscribers()] == ["suppressed"] * (how == "complained")
        found = store.suppression("READER@example.org")
    assert found is not None and found.reason == how


def test_what_a_killed_run_heard_of_its_mails_is_on_record_in_what_is_kept(tmp_path: Path) -> None:
    config = filled(tmp_path)
    file = kept(config, tmp_path / "backup.db")
    with open_store(config.store.url) as store:
        mark = "here/1/1 a run that was killed"
        (mail,) = store.claim(now=datetime(2027, 1, 5, tzinfo=UTC), holder=mark, limit=9)
        journal = Journal(tmp_path / "digest.db.receipts", store=place_of(store), mark=mark)
        journal.begun(mail.id)
        journal.said(mail.id, 1, Receipt(status="accepted", reply_code=250), "data")
        journal.close(settled=False)
    done = put_back(config, file, replace=True)
    with open_store(f"sqlite:///{done.kept}") as before:
        assert before.delivery_counts() == {"accepted": 1}
    assert (done.waiting, done.ended) == (0, 1)


def test_receipts_of_what_was_there_are_not_taken_for_those_of_the_backup(tmp_path: Path) -> None:
    """After it the same numbers are other mails."""
    config = filled(tmp_path)
    file = kept(config, tmp_path / "b.db")
    receipts, many = tmp_path / "digest.db.receipts", tmp_path / "digest.db.receipts.d"
    receipts.write_bytes(b"of a run that was killed")
    many.mkdir()
    (many / "1.receipts").write_bytes(b"of a worker that was killed")
    with pytest.raises(UsageError, match="--replace"):
        put_back(config, file)
    assert receipts.exists() and many.exists()
    put_back(config, file, replace=True)
    assert not receipts.exists() and not many.exists()
    assert (tmp_path / f"{many.name}.before-restore-20260105T060000Z" / "1.receipts").exists()


def test_who_has_the_file_open_sees_what_was_restored(tmp_path: Path) -> None:
    old = filled(tmp_path / "old", papers=2)
    file = kept(old, tmp_path / "b.db")
    config = filled(tmp_path / "new", papers=5)
    with open_store(config.store.url) as served:
        assert served.count_waiting("daily") == 0
        put_back(config, file, replace=True)
        assert served.holds()["papers"] == 2
        served.add_subscriber("new@example.org", digests=(), now=NOW)
    assert len(contents(config.store.url)["subscribers"]) == 2


def test_the_backup_of_an_older_program_is_brought_up_to_date(
    tmp_path: Path, store_url: str, first_sqlite: Path
) -> None:
    config = installation(tmp_path, store=store_url)
    put_back(config, shutil.copy(first_sqlite, tmp_path / "old.db"))
    with open_store(store_url) as store:
        assert store._db.schema() == SCHEMA  # type: ignore[attr-defined]
        assert store.check() == []
        assert store.holds()["papers"] > 0


def test_what_was_used_as_a_store_or_comes_from_one_that_was_restored_is_taken(tmp_path: Path) -> None:
    """Their content is another than the one that was sealed, and no damage."""
    config = filled(tmp_path / "one", papers=2)
    file = kept(config, tmp_path / "b.db")
    with open_store(f"sqlite:///{file}") as used:
        used.add_subscriber("second@example.org", digests=(), now=NOW)
    put_back(config, file, replace=True)
    assert len(contents(config.store.url)["subscribers"]) == 2
    with open_store(config.store.url) as restored:
        restored.add_subscriber("third@example.org", digests=(), now=NOW)
    copied = tmp_path / "copied.db"
    shutil.copy(config.store.url.removeprefix("sqlite:///"), copied)
    other = installation(tmp_path)
    assert put_back(other, copied).subscribers == 3
    smaller = tmp_path / "smaller.db"
    with closing(sqlite3.connect(copied)) as plain:
        plain.execute("VACUUM INTO ?", [str(smaller)])
    assert put_back(other, smaller, replace=True).subscribers == 3


def test_mails_that_waited_are_told_of(tmp_path: Path) -> None:
    config = filled(tmp_path)
    assert put_back(config, kept(config, tmp_path / "b.db"), replace=True).waiting == 1


def test_a_mail_that_went_out_since_the_backup_does_not_go_again(tmp_path: Path, store_url: str) -> None:
    config = installation(tmp_path, store=store_url)
    due = NOW + timedelta(days=2)
    with open_store(store_url) as store:
        for name in ("has it", "refused", "waits"):
            store.add_subscriber(f"{name.replace(' ', '-')}@example.org", digests=(), now=NOW)
        told(store, "Of Tides", due)
        file = kept(config, tmp_path / "b.db")
        accepted, rejected, other = store.claim(now=due, holder="a run", limit=9)
        store.release([other], now=NOW)
        receipts = [(accepted, Receipt(status="accepted", reply_code=250), None)]
        receipts += [(rejected, Receipt(status="rejected", reply_code=550), None)]
        store.record_receipts(receipts, now=NOW)
    found = put_back(config, file, replace=True)
    assert (found.ended, found.waiting) == (2, 1)
    with open_store(store_url) as store:
        assert store.delivery_counts() == {"accepted": 1, "rejected": 1, "queued": 1}
        assert [mail.subscriber.address for mail in store.claim(now=due, holder="next", limit=9)] == [
            other.subscriber.address
        ]


@pytest.mark.parametrize("went_out", [True, False])
def test_a_mail_that_went_with_a_later_one_since_the_backup_does_not_go_again(
    tmp_path: Path, store_url: str, went_out: bool
) -> None:
    config = installation(tmp_path, store=store_url)
    due = NOW + timedelta(days=2)
    with open_store(store_url) as store:
        store.add_subscriber("reader@example.org", digests=(), now=NOW)
        told(store, "Of Tides", due)
        file = kept(config, tmp_path / "b.db")
        told(store, "Of Kilns", due, day=1)
        (mail,) = store.claim(now=due, holder="a run", limit=9)
        assert len(mail.editions) == 2
        if went_out:
            store.record_receipts([(mail, Receipt(status="accepted", reply_code=250), None)], now=NOW)
    found = put_back(config, file, replace=True)
    assert (found.ended, found.waiting) == ((1, 0) if went_out else (0, 1))


def test_a_mail_of_another_store_says_nothing_of_one_that_is_called_the_same(tmp_path: Path) -> None:
    config, other = filled(tmp_path / "tried"), filled(tmp_path / "other")
    with open_store(config.store.url) as store:
        (mail,) = store.claim(now=NOW + timedelta(days=400), holder="a run", limit=9)
        store.record_receipts([(mail, Receipt(status="accepted", reply_code=250), None)], now=NOW)
    found = put_back(config, kept(other, tmp_path / "b.db"), replace=True)
    assert (found.ended, found.waiting) == (0, 1)


def told(store: Store, title: str, due: datetime, day: int = 0) -> None:
    """An edition of one paper, whose mails are due then."""
    sight(store, paper(title))
    (candidate,) = store.waiting("daily")
    made = replace(edition(store, [candidate], day=NOW.date() + timedelta(day)), issued_at=NOW)
    kept = [Decision(paper_id=candidate.paper_id, kept=True, reason="topic")]
    store.issue(
        made,
        kept,
        lambda reader: Planned(message_id=f"<{day}.{reader.id}@example.org>", date=due, due_at=due),
    )


# --- what it refuses


@pytest.mark.parametrize(
    "fault", ["no file", "no database", "of another program", "torn", "bent", "a letter", "newer"]
)
def test_what_is_no_whole_backup_is_refused(tmp_path: Path, fault: str) -> None:
    config = filled(tmp_path, papers=40)
    file = kept(config, tmp_path / "b.db")
    before = contents(config.store.url)
    if fault == "no file":
        file.unlink()
    elif fault == "no database":
        file.write_text("[site]\n" * 1000)
    elif fault == "of another program":
        file.unlink()
        with closing(sqlite3.connect(file)) as other:
            other.execute("CREATE TABLE recipes (id INTEGER)")
    elif fault == "torn":
        os.truncate(file, file.stat().st_size // 2)
    elif fault == "bent":
        data = bytearray(file.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 4096] = b"\x5a" * 4096
        file.write_bytes(data)
    elif fault == "a letter":
        data = file.read_bytes()
        word = b"reader@example.org"
        assert data.count(word)
        file.write_bytes(data.replace(word, b"raeder@example.org"))
    else:
        with closing(sqlite3.connect(file)) as other:
            other.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
            other.commit()
    with pytest.raises(SchemaTooNew if fault == "newer" else UsageError):
        put_back(config, file, replace=True)
    assert contents(config.store.url) == before
    assert not list(tmp_path.glob("*.before-restore*"))


def test_nothing_is_restored_while_a_run_is_at_work(tmp_path: Path, store_url: str) -> None:
    config = filled(tmp_path / "from", store_url)
    file = kept(config, tmp_path / "b.db")
    with open_store(store_url) as store:
        store.acquire_lease("run", "other/1/1", now=NOW, ttl_s=600, is_dead=lambda holder: False)
    with pytest.raises(LeaseHeld):
        put_back(config, file, replace=True)


# --- killed


@pytest.mark.torture
@pytest.mark.parametrize("what", ["backup", "restore"])
def test_a_kill_leaves_the_one_or_the_other(tmp_path: Path, what: str) -> None:
    killed_at(tmp_path, what, [n * 0.01 for n in range(40)])


@pytest.mark.parametrize("what", ["backup", "restore"])
def test_a_kill_leaves_the_one_or_the_other_once(tmp_path: Path, what: str) -> None:
    killed_at(tmp_path, what, [0.005])


KILLED = """
import sys
from pathlib import Path
from digest.store import Store, open_store
store = open_store(sys.argv[2])
print("ready", flush=True)
for _ in range(50):
    getattr(store, {"backup": "back_up", "restore": "restore"}[sys.argv[1]])(Path(sys.argv[3]))
"""


def killed_at(tmp_path: Path, what: str, moments: list[float]) -> None:
    config, old = filled(tmp_path / "new", papers=100), filled(tmp_path / "old", papers=2)
    file = kept(old, tmp_path / "b.db")
    one, other = contents(config.store.url), contents(old.store.url)
    whole = config.resolve("digest.db").read_bytes()
    for moment in moments:
        shutil.copy(kept(old, tmp_path / "again.db"), file)
        for leftover in config.resolve(".").glob("digest.db*"):
            leftover.unlink()
        config.resolve("digest.db").write_bytes(whole)
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, what, config.store.url, str(file)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if what == "backup":
            assert contents(config.store.url) == one
            assert contents(f"sqlite:///{file}") in (one, other)
        else:
            assert contents(config.store.url) in (one, other)
            assert contents(f"sqlite:///{file}") == other
        with open_store(config.store.url) as store:
            assert store.check() == []


# --- the commands


def test_the_commands_say_what_they_did(tmp_path: Path) -> None:
    ran(tmp_path)
    (tmp_path / "config.toml").write_text(TOML)
    shell = Shell(tmp_path)
    told = shell.json("backup", "b.db")
    assert told["path"] == str(tmp_path / "b.db") and told["bytes"] == (tmp_path / "b.db").stat().st_size
    assert "--replace" in shell("restore", "b.db", code=2).stderr
    told = shell.json("restore", "--replace", "b.db")
    assert (told["editions"], told["subscribers"], told["waiting"], told["damaged"]) == (1, 1, 0, False)
    assert Path(told["kept"]).is_file()
    assert "digest rebuild" in shell("restore", "b.db", "--store", "sqlite:///new.db").stderr
    assert "there is no folder" in shell("backup", "nowhere/b.db", code=2).stderr
    with open_store(f"sqlite:///{tmp_path}/digest.db") as store:
        store.acquire_lease(
            "run", "other/1/1", now=datetime.now(UTC), ttl_s=600, is_dead=lambda holder: False
        )
    assert "another process" in shell("restore", "--replace", "b.db", code=4).stderr


def test_a_backup_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    config = filled(tmp_path)
    file = kept(config, tmp_path / "b.db")
    file.chmod(0)
    if os.access(file, os.R_OK):
        file.unlink()
        os.mkfifo(file)  # for root, who may read everything
    with pytest.raises((StoreError, UsageError)):
        put_back(config, file, replace=True)
