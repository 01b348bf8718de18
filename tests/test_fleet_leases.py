"""Leases of parts of a run, on both databases: the whole excludes its parts, and each part the whole."""

from __future__ import annotations

from datetime import timedelta

import pytest

from digest.errors import LeaseHeld
from digest.store import Store
from store_contract import NOW


def take(store: Store, name: str, holder: str, *, dead: str = "") -> bool:
    try:
        store.acquire_lease(name, holder, now=NOW, ttl_s=60, is_dead=lambda who: who == dead)
    except LeaseHeld as held:
        assert held.holder not in ("", dead)
        return False
    return True


@pytest.mark.parametrize(
    ("held", "wanted", "free"),
    [
        ("run", "run", False),
        ("run", "run/issue", False),
        ("run/issue", "run", False),
        ("run/collect/s", "run", False),
        ("run/issue", "run/issue", False),
        ("run/issue", "run/collect/s", True),
        ("run/collect/a_b", "run/collect/axb", True),
        ("run/collect/%", "run/collect/s", True),
        ("run", "runner/1", True),
        ("run", "leader", True),
    ],
)
def test_who_excludes_whom(store: Store, held: str, wanted: str, free: bool) -> None:
    assert take(store, held, "one")
    assert take(store, wanted, "two") == free
    assert take(store, held, "one"), "who holds it goes on"
    assert take(store, wanted, "three", dead="one") == (not free)


def test_a_part_that_was_given_back_is_in_nobodys_way(store: Store) -> None:
    assert take(store, "run/issue", "one")
    store.release_lease("run/issue", "one")
    assert take(store, "run", "two")
    assert store.lease_holder("run", now=NOW) == "two"
    assert store.lease_holder("run/issue", now=NOW) == ""


def test_a_run_that_workers_share_is_not_over_because_another_begins(store: Store) -> None:
    mine = store.start_run("daily", NOW.date(), now=NOW)
    store.share_run([mine], ["a", "b"])
    killed = store.start_run("daily", NOW.date(), now=NOW + timedelta(seconds=1))
    store.start_run("daily", NOW.date(), now=NOW + timedelta(seconds=2))
    status = {row.id: row.status for row in store.last_runs(9)}
    assert (status[mine], status[killed]) == ("running", "failed")
    assert store.open_shared_runs() == [mine]
    assert [(part.place, part.source, part.state) for part in store.run_parts(mine)] == [
        (0, "a", "asked"),
        (1, "b", "asked"),
    ]
    store.put_taken(mine, 1, b"first")
    store.put_taken(mine, 1, b"second")
    assert store.taken(mine, 1) == b"first"
    store.end_part(mine, 1, b"{}", again=False)
    assert store.taken(mine, 1) == b""
