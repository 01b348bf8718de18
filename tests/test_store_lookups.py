# ruff: noqa: F811 - fixtures are imported by name
"""Papers known by their title alone are looked up once they were issued, newest first, and not again before their time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from digest.errors import StoreError
from digest.store import Lookup, Store, Unresolved, lookups
from store_contract import (  # noqa: F401
    NOW,
    issue,
    paper,
    sight,
    store,
    store_url,
    titles,
)

HOUR = timedelta(hours=1)


def unresolved(store: Store, limit: int = 99, hours: float = 0) -> list[str]:
    return [found.paper.title for found in store.unresolved(now=NOW + hours * HOUR, limit=limit)]


def number(store: Store, title: str) -> int:
    return next(found.paper_id for found in store.unresolved(now=NOW, limit=99) if found.paper.title == title)


def lookup(paper_id: int, **facts: object) -> Lookup:
    known: dict[str, object] = {
        "paper_id": paper_id,
        "looked_up_at": NOW,
        "outcome": "miss",
        "attempts": 1,
        "retry_at": None,
        "service": "crossref",
        "found": b"",
    }
    return Lookup(**(known | facts))  # type: ignore[arg-type]


def test_issued_papers_without_an_id_or_a_page_are_to_be_looked_up_newest_first(store: Store) -> None:
    sight(
        store,
        paper("Tidal Memory"),
        paper("Dating Kilns", ids={"arxiv": "2407.10001"}),
        paper("Slow Bells", links={"abstract": "https://example.org/bells"}),
        paper("Ebb and Flow", links={"pdf": "https://arxiv.org/pdf/2407.10002"}),
        paper("An Old Loom", links={"pdf": "https://example.org/loom.pdf"}),
    )
    assert unresolved(store) == []  # nothing was issued yet
    issue(store)
    assert unresolved(store) == ["An Old Loom", "Tidal Memory"]
    assert unresolved(store, limit=1) == ["An Old Loom"]
    assert unresolved(store, limit=0) == []


def test_what_was_dropped_or_waits_is_not_looked_up(store: Store) -> None:
    sight(store, paper("Tidal Memory"), paper("Slow Bells"))
    issue(store, keep=lambda candidate: candidate.paper.title == "Tidal Memory")
    sight(store, paper("Still Waiting"))
    assert unresolved(store) == ["Tidal Memory"]


def test_a_paper_of_two_editions_is_looked_up_once(store: Store) -> None:
    sight(store, paper("Tidal Memory"), paper("Slow Bells"), followers=("daily", "weekly"))
    issue(store)
    issue(store, digest="weekly")
    assert unresolved(store) == ["Slow Bells", "Tidal Memory"]


def test_two_papers_of_one_title_are_looked_up_both(store: Store) -> None:
    for authors in (("Ada Kiln",), ("Bo Tide",)):
        sight(
            store, paper("Editorial", authors=authors, abstract=f"{authors[0]} writes of their year. " * 20)
        )
    assert titles(store.waiting("daily")) == ["Editorial", "Editorial"]
    issue(store)
    assert unresolved(store) == ["Editorial", "Editorial"]


def test_a_paper_whose_id_became_known_is_not_looked_up(store: Store) -> None:
    sight(store, paper("Tidal Memory"))
    issue(store)
    sight(store, paper("Tidal Memory", ids={"arxiv": "2407.10001"}), days=1)
    assert unresolved(store) == []


def test_of_a_paper_that_was_joined_to_another_the_winner_counts(store: Store) -> None:
    sight(store, paper("Ebb and Flow", ids={"doi": "10.1234/ebb"}), paper("Ebb, Again"))
    issue(store)
    assert unresolved(store) == ["Ebb, Again"]
    sight(store, paper("Ebb, Again", ids={"doi": "10.1234/ebb"}), days=1)
    assert unresolved(store) == []


def test_a_hit_and_a_miss_are_remembered_and_a_failure_is_tried_again(store: Store) -> None:
    sight(store, paper("Hit"), paper("Miss"), paper("Failed"), paper("Not Yet"))
    issue(store)
    hit = lookup(number(store, "Hit"), outcome="hit", found='{"ids": {"doi": "10.1234/é"}}'.encode())
    miss = lookup(number(store, "Miss"), retry_at=NOW + 5 * HOUR, attempts=2)
    failed = lookup(number(store, "Failed"), outcome="failed", retry_at=NOW + HOUR, attempts=7)
    for one in (hit, miss, failed):
        store.record_lookup(one)
    assert store.lookups_between(None, NOW + 99 * HOUR) == [hit, miss, failed]
    assert unresolved(store) == ["Not Yet"]
    assert unresolved(store, hours=0.999) == ["Not Yet"]
    assert unresolved(store, hours=1) == ["Not Yet", "Failed"]
    assert unresolved(store, hours=99) == ["Not Yet", "Failed", "Miss"]
    again = store.unresolved(now=NOW + HOUR, limit=9)[1]
    assert again == Unresolved(paper_id=failed.paper_id, paper=again.paper, attempts=7)
    store.record_lookup(lookup(failed.paper_id, attempts=8, service="arxiv"))
    assert unresolved(store, hours=1) == ["Not Yet"]


def test_lookups_are_found_by_when_they_were_made(store: Store) -> None:
    sight(store, *[paper(f"Paper {n}") for n in range(4)])
    issue(store)
    made = [
        lookup(found.paper_id, looked_up_at=NOW + n * HOUR)
        for n, found in enumerate(store.unresolved(now=NOW, limit=4))
    ]
    for one in made[::-1]:
        store.record_lookup(one)
    assert store.lookups_between(None, NOW + 9 * HOUR) == made
    assert store.lookups_between(NOW, NOW + 2 * HOUR) == made[1:3]
    assert store.lookups_between(NOW + 3 * HOUR, NOW + 9 * HOUR) == []


def test_a_lookup_of_a_paper_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(StoreError):
        store.record_lookup(lookup(4711))
    assert store.lookups_between(None, NOW + 99 * HOUR) == []


def test_the_search_goes_on_until_enough_are_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every second one got an id since, so that a step brings fewer than it reads.
    sight(store, *[paper(f"Paper {n:02}") for n in range(20)])
    issue(store)
    sight(store, *[paper(f"Paper {n:02}", ids={"arxiv": f"2407.1{n:04}"}) for n in range(0, 20, 2)], days=1)
    for step in (1, 3, 20, 50):
        monkeypatch.setattr(lookups, "STEP", step)
        assert unresolved(store) == [f"Paper {n:02}" for n in range(19, 0, -2)]
        assert unresolved(store, limit=4) == ["Paper 19", "Paper 17", "Paper 15", "Paper 13"]


def test_looking_for_them_reads_no_papers_that_have_ids(store: Store) -> None:
    # By the plan of the database: the walk is over the index of entries without an id, the rest is found by number.
    with store._db.reading():
        if store._db.dialect == "sqlite":
            sql = f"EXPLAIN QUERY PLAN {store._db._queries['unresolved']}"
        else:
            store._db.execute("SET LOCAL enable_seqscan = off", {})  # small tables are scanned
            sql = f"EXPLAIN {store._db._queries['unresolved']}"
        found = store._db.execute(sql, {"before": 99, "now": "", "limit": 9}).fetchall()
    plan = " ".join(str(part) for line in found for part in line)
    assert "entries_nameless" in plan
    assert "SCAN" not in plan
    assert "Seq Scan" not in plan
