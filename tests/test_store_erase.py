# ruff: noqa: F811 - fixtures are imported by name
"""Who is erased leaves nothing: no row, no number that comes back, no byte in a file of SQLite."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from digest.errors import StoreError
from digest.model import Preferences, Receipt
from digest.store import Store, open_store
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    store,
    store_url,
)
from store_inbox import (
    ACCEPTED,
    CHOSEN,
    DAY,
    HOUR,
    claim,
    counts,
    issue,
    letter,
    letters,
    pending,
    reader,
    status,
    weekly,
)

# --- to be erased


def test_who_is_erased_is_unknown_and_their_number_is_never_given_again(store: Store) -> None:
    reader(store)
    other = reader(store, "bob@example.org")
    issue(store, 0)
    letter(store, other, "known")
    store.note_asked("bob@example.org", now=NOW)
    store.note_asked("bob@example.org", now=NOW, reader=True)
    last = max(delivery.id for delivery in claim(store, NOW + DAY))
    (held,) = letters(store)
    assert store.erase_subscriber("BOB@example.org", now=NOW) == [
        f"<daily.0.1.{other.id}@example.org>",
        f"<known.{other.id}@example.org>",
    ]
    assert store.subscriber("bob@example.org") is None
    assert store.subscriber_by_id(other.id) is None
    assert store.deliveries_of(other.id) == []
    assert store.asked("bob@example.org") == (1, NOW), "whoever pesters them has two letters left, not three"
    assert store.asked("bob@example.org", reader=True) == (0, None)
    assert store.erase_subscriber("bob@example.org", now=NOW) is None
    new = reader(store, "eva@example.org")
    assert new.id > other.id
    letter(store, new, "known")
    (found,) = claim(store, issue(store, 1), limit=1)
    assert found.id > last, "nor those of their mails, which may stand in a journal"
    assert letters(store)[0].id > held.id


def test_who_is_forgotten_leaves_their_number_unused(store: Store) -> None:
    first = pending(store)
    store.expire_pending(older_than=NOW + HOUR)
    assert pending(store).id > first.id
    assert pending(store).nonce != first.nonce


def test_a_receipt_for_who_was_erased_meanwhile_changes_nothing(store: Store) -> None:
    reader(store)
    (found,) = claim(store, issue(store, 0))
    store.erase_subscriber("ada@example.org", now=NOW)
    assert store.record_receipts([(found, ACCEPTED, None)], now=NOW) == []
    store.release([found], now=NOW)
    assert counts(store) == {}


def test_an_erasure_that_is_undone_leaves_everything(store: Store) -> None:
    number = reader(store).id
    with store.rehearsal():
        assert store.erase_subscriber("ada@example.org", now=NOW) == []
        assert status(store, number) == "gone"
    assert status(store, number) == "confirmed"
    with pytest.raises(ZeroDivisionError), store.together():
        store.erase_subscriber("ada@example.org", now=NOW)
        raise ZeroDivisionError
    assert status(store, number) == "confirmed"
    assert store.suppression("ada@example.org") is None


def test_the_mails_to_a_reader_are_listed_for_them(store: Store) -> None:
    number, due = weekly(store)
    store.record_receipts([(claim(store, due)[0], ACCEPTED, None)], now=due)
    assert (
        store.deliveries_of(number)
        == [
            (f"{TODAY}", "daily", "joined", due),
            (f"{TODAY + DAY}", "daily", "joined", due),
            (f"{TODAY + 2 * DAY}", "daily", "accepted", due),
        ]
        or store.deliveries_of(number)[2][2] == "accepted"
    )


def bytes_beside(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def address_of(n: int) -> str:
    """Addresses that come in no order, so that pages are split in the middle."""
    return f"{sha256(b'%d' % n).hexdigest()[:10]}-{n:04}@example.org"


def lived_in(folder: Path, count: int) -> Store:
    """A store with so many readers who wrote their addresses in several ways, and have mails, letters and bounces."""
    opened = open_store(f"sqlite:///{folder / 'digest.db'}")
    for n in range(count):
        reader(opened, address_of(n), preferences=CHOSEN if n % 3 else None)
    issue(opened, 0)
    with opened.together():
        dice = Random(7)
        for _ in range(count * 8):  # rows that grow move to other pages, and leave their bytes in the gaps
            chosen = Preferences(follow=("x" * dice.randrange(1500),))
            opened.set_choices(
                dice.randrange(count) + 1, digests=(), preferences=chosen, paused_until=None, now=NOW
            )
    for n in range(0, count, 2):
        opened.leave(n + 1, now=NOW)
        opened.add_pending(
            address_of(n).upper(),
            digests=("daily",),
            preferences=Preferences(),
            consent="form 2026-11",
            now=NOW,
        )
        opened.queue_letter(n + 1, "confirm", message_id=f"<{n}@example.org>", now=NOW)
        opened.note_asked(address_of(n), now=NOW)
    for n, delivery in enumerate(claim(opened, NOW + DAY, limit=count)):
        text = f"5.2.2 <{delivery.subscriber.address}>: mailbox of {delivery.subscriber.address} is full"
        receipt = Receipt(status="rejected" if n % 2 else "deferred", reply_code=552, text=text)
        opened.record_receipts([(delivery, receipt, NOW + DAY)], now=NOW)
        opened.add_score(delivery.subscriber.id, 1.0, now=NOW, half_life=7 * DAY)
        if n % 7 == 0:
            opened.suppress_subscriber(delivery.subscriber.id, "bounced", now=NOW)
    return opened


def test_no_byte_of_who_was_erased_is_left_in_any_file(tmp_path: Path) -> None:
    with lived_in(tmp_path, 200) as store:
        gone = [address_of(n) for n in range(0, 200, 4)]
        left = bytes_beside(tmp_path).lower()
        assert all(address.encode() in left for address in gone)
        for address in gone:
            assert store.erase_subscriber(address, now=NOW) is not None
        left = bytes_beside(tmp_path).lower()
        assert [address for address in gone if address.encode() in left] == []
        assert [n for n in range(200) if n % 4 and address_of(n).encode() not in left] == []
        assert len(store.subscribers()) == 150
        assert store.check() == []
        assert store.add_subscriber("new@example.org", digests=(), now=NOW)[0].id == 201
        with pytest.raises(StoreError), store._db.writing():
            store._db.execute("DELETE FROM subscribers", {})  # keys to other tables are heeded again
    assert not any(address.encode() in bytes_beside(tmp_path).lower() for address in gone)


def test_several_are_erased_together_and_leave_no_byte(tmp_path: Path) -> None:
    with lived_in(tmp_path, 60) as store:
        gone = [address_of(n) for n in range(0, 60, 2)]
        with store.together():
            for address in gone:
                store.erase_subscriber(address, now=NOW)
        left = bytes_beside(tmp_path).lower()
        assert not any(address.encode() in left for address in gone)
        assert store.check() == []


def test_who_never_answered_leaves_no_byte_either(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as store:
        pending(store)
        reader(store, "bob@example.org")
        assert b"ada@" in bytes_beside(tmp_path)
        store.expire_pending(older_than=NOW + DAY)
        assert b"ada@" not in bytes_beside(tmp_path)
        assert b"bob@" in bytes_beside(tmp_path)


def test_what_a_reader_of_the_file_kept_is_wiped_the_next_day(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "digest.db"
    with open_store(f"sqlite:///{path}", busy_timeout_s=0.05) as store:
        reader(store)
        reader(store, "bob@example.org")
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN")
            assert other.execute("SELECT COUNT(*) FROM subscribers").fetchone() == (2,)
            assert store.erase_subscriber("ada@example.org", now=NOW) == []
            assert store.subscriber("ada@example.org") is None
            assert b"ada@" in bytes_beside(tmp_path)
        assert "later" in caplog.text
        assert "ada@" not in caplog.text
    with open_store(f"sqlite:///{path}") as store:
        store.expire_pending(older_than=NOW - DAY)
        assert b"ada@" not in bytes_beside(tmp_path)
        assert store.subscribers()[0].address == "bob@example.org"


def erase_and_die(path: Path, address: str, statement: int) -> bool:
    """Erases in a process that is killed before this statement; was it killed?"""
    child = os.fork()
    if child == 0:
        left = [statement]

        def count(sql: str) -> None:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

        with open_store(f"sqlite:///{path}") as store:
            store._db._connection.set_trace_callback(count)  # type: ignore[attr-defined]
            store.erase_subscriber(address, now=NOW)
            os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


def test_an_erasure_that_is_killed_anywhere_loses_nobody_else_and_can_be_done_again(tmp_path: Path) -> None:
    first, path = tmp_path / "first.db", tmp_path / "store" / "digest.db"
    path.parent.mkdir()
    with open_store(f"sqlite:///{first}") as store:
        for n in range(20):
            reader(store, f"r{n:02}@example.org")
        issue(store, 0)
    states, statement = set(), 0
    killed = True
    while killed:
        statement += 1
        for old in path.parent.iterdir():
            old.unlink()
        path.write_bytes(first.read_bytes())
        killed = erase_and_die(path, "r07@example.org", statement)
        with open_store(f"sqlite:///{path}") as store:
            assert store.check() == []
            there = [known.address for known in store.subscribers()]
            assert set(there) | {"r07@example.org"} == {f"r{n:02}@example.org" for n in range(20)}
            states.add(len(there))
            store.erase_subscriber("r07@example.org", now=NOW)
            store.expire_pending(older_than=NOW - DAY)  # as on every day
            assert store.delivery_counts() == {"queued": 19}
            assert b"r07@" not in bytes_beside(path.parent)
    assert states == {19, 20}
    assert statement > 20, "an erasure has that many steps"


def test_the_copies_of_a_store_are_named(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as store:
        assert store.copies() == []
        (tmp_path / "digest.db.before-3").write_bytes(b"")
        assert store.copies() == [tmp_path / "digest.db.before-3"]
