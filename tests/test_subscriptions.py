"""The rules of subscribing and leaving, on a real store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.errors import StoreBusy, UsageError
from digest.store import Store, open_store
from digest.subscriptions import add, remove

NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}", busy_timeout_s=0.05) as opened:
        yield opened


@pytest.mark.parametrize(
    ("added", "removed"),
    [
        ("ann@straße.example", "ann@straße.example"),
        ("ann@straße.example", "ann@xn--strae-oqa.example"),
        ("ann@xn--strae-oqa.example", " Ann@STRAßE.example "),
        ("ann@bücher.example", "ann@bu\u0308cher.example"),
        ("ann@example.org", "ANN@example。org"),
        ("ann@example.org", "ann@exam\u00adple.org"),
        ("ann@ab.example", "ann@a\ufe0fb.example"),
        ("ann@example.org", "ann@exam\u00adple.org"),
    ],
)
def test_who_was_added_can_leave_under_any_spelling(store: Store, added: str, removed: str) -> None:
    add(store, [added], digests=(), now=NOW)
    assert remove(store, [removed], now=NOW) == [(removed, True)]
    assert store.subscribers("confirmed") == []


def test_what_is_no_address_any_more_can_still_be_removed(store: Store) -> None:
    store.add_subscriber("ann mere@example.org", digests=(), now=NOW)
    assert remove(store, ["ann mere@example.org", "nobody"], now=NOW) == [
        ("ann mere@example.org", True),
        ("nobody", False),
    ]


def test_of_several_addresses_a_wrong_one_adds_none(store: Store) -> None:
    with pytest.raises(UsageError, match="no mail address"):
        add(store, ["ann@example.org", "bob"], digests=(), now=NOW)
    assert store.subscribers() == []


def test_a_busy_store_is_no_fault_of_the_address(store: Store, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "digest.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy):
        add(store, ["ann@example.org"], digests=(), now=NOW)
    other.close()
