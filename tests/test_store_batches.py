# ruff: noqa: F811 - fixtures are imported by name
"""Rows that are written together: however many they are, the store holds what it would hold if they came one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from digest.errors import StoreError
from digest.store import Store, open_store
from digest.store.database import load_queries
from digest.store.sqlite import ROWS, _several
from store_contract import store, store_url  # noqa: F401


@pytest.mark.parametrize("count", [0, 1, ROWS - 1, ROWS, ROWS + 1, 3 * ROWS + 7])
def test_rows_are_written_in_their_order_however_many(store: Store, count: int) -> None:
    rows = [
        {"key": f"k{n // 2}", "value": str(n)} for n in range(count)
    ]  # each key twice: the later one holds
    with store._db.writing():
        store._db.many("set_meta", rows)
        found = store._db.execute("SELECT key, value FROM meta WHERE key >= 'k' AND key < 'l'", {}).fetchall()
    assert {key: value for key, value in found if key[1:].isdigit()} == {
        row["key"]: row["value"] for row in rows
    }


@pytest.mark.parametrize("wrong", [0, ROWS // 2, 2 * ROWS, 2 * ROWS + 2])
def test_where_one_row_fails_none_is_kept(store: Store, wrong: int) -> None:
    rows: list[Mapping[str, object]] = [
        {"id": n, "made_at": "", "relation": "one", "left_key": f"a{n}", "right_key": "b"}
        for n in range(2 * ROWS + 3)
    ]
    rows[wrong] = {**rows[wrong], "relation": "neither"}
    with pytest.raises(StoreError), store._db.writing():
        store._db.many("insert_correction", rows)
    with store._db.reading():
        assert store._db.rows("corrections") == []


def test_every_insert_of_a_row_is_one_of_several_rows_too(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path / 'digest.db'}").close()
    several = {name: made for name, sql in load_queries("sqlite").items() if (made := _several(sql))}
    assert {
        "insert_paper",
        "remember_key",
        "insert_sighting",
        "put_offer",
        "insert_reading",
    } <= several.keys()
    with closing(sqlite3.connect(tmp_path / "digest.db")) as connection:
        for insert, _ in several.values():
            connection.execute(f"EXPLAIN {insert}", [None] * insert.count("?")).fetchall()


def test_a_statement_that_says_more_than_its_rows_stays_one_for_each() -> None:
    assert _several("UPDATE papers SET key = :key WHERE id = :id") is None
    assert (
        _several(
            "INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = :now"
        )
        is None
    )
    assert _several("INSERT INTO meta (key, value) VALUES (:key, UPPER(:value))") is None
