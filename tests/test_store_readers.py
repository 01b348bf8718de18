# ruff: noqa: F811 - fixtures are imported by name
"""What readers see, as the store knows it: places, labels, records and the index, on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from zlib import crc32

import pytest
from msgspec.structs import replace

from digest.model import Label, Paper, Place
from digest.store import Store, shown
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    empty_sqlite,
    issue,
    paper,
    postgres_url,
    sight,
    store,
    store_url,
)

DAY = timedelta(days=1)


def no_topics(digest: str) -> Mapping[str, str]:
    return {}


def show(store: Store, *papers: Paper, day: date = TODAY, digest: str = "daily", **facts: object) -> None:
    """An edition of these papers, indexed."""
    sight(store, *papers, followers=(digest,), source=f"list of {digest}", days=(day - TODAY).days)
    issue(store, digest=digest, day=day, days=(day - TODAY).days, **facts)  # type: ignore[arg-type]
    store.index_editions(no_topics)


def works(*titles: str, **facts: object) -> list[Paper]:
    """Papers with ids of arXiv, numbered on."""
    return [
        paper(title, ids={"arxiv": f"2611.{crc32(title.encode()) % 100000:05}"}, **facts) for title in titles
    ]


def keys(places: list[Place]) -> list[str]:
    return [place.key for place in places]


def test_a_paper_is_found_at_its_place_once_its_edition_is_indexed(store: Store) -> None:
    one, two = works("Tidal Memory", "Dating Kilns")
    sight(store, one, two)
    issued = issue(store)
    first, second = (entry.paper.key for entry in issued.entries)
    assert store.places_of("daily", [first]) == {}
    assert store.index_editions(no_topics) == 1
    assert store.index_editions(no_topics) == 0
    found = store.places_of("daily", [first, second, "arxiv:none"])
    assert [(p.key, p.date, p.part, p.position) for p in found.values()] == [
        (first, TODAY, 1, 1),
        (second, TODAY, 1, 2),
    ]
    assert store.places_of("weekly", [first]) == {}


def test_labels_count_papers_and_have_the_name_that_the_newest_paper_writes(store: Store) -> None:
    show(
        store,
        *works("Tidal Memory", authors=("Ada Fenwick", "Bo Tide"), categories=("cs.CL", "cs.LG")),
        *works("Dating Kilns", authors=("ADA FENWICK",), categories=("cs.CL",)),
    )
    authors = [
        Label(kind="author", slug="ada-fenwick", name="Ada Fenwick", papers=2),
        Label(kind="author", slug="bo-tide", name="Bo Tide", papers=1),
    ]
    assert store.labels("daily", "author") == authors
    assert store.labels("daily", "author", least=2) == authors[:1]
    assert store.labels("daily", "author", slugs=["bo-tide", "nobody"]) == authors[1:]
    assert store.labels("daily", "author", slugs=[]) == []
    assert [(label.slug, label.papers) for label in store.labels("daily", "category")] == [
        ("cs.cl", 2),
        ("cs.lg", 1),
    ]
    assert [(label.slug, label.name) for label in store.labels("daily", "topic")] == [("other", "Other")]
    show(store, *works("Slow Bells", authors=("Ada FENWICK",)), day=TODAY + DAY)
    assert store.labels("daily", "author", least=2) == [replace(authors[0], name="Ada FENWICK", papers=3)]
    show(store, *works("An Old Loom", authors=("ada fenwick",)), day=TODAY - DAY)
    assert store.labels("daily", "author", least=2)[0].name == "Ada FENWICK"


def test_the_newest_places_come_by_day_and_part_and_then_in_the_order_of_the_edition(store: Store) -> None:
    show(store, *works("B one", "B two", "B three"), day=TODAY)
    show(store, *works("C one", "C two"), day=TODAY, part=2)
    show(store, *works("A one"), day=TODAY - 3 * DAY)
    show(store, *works("D one"), day=TODAY + DAY)
    places = store.newest_places("daily", "topic", "other", limit=99)
    assert [(p.date.day - TODAY.day, p.part, p.position) for p in places] == [
        (1, 1, 1), (0, 2, 1), (0, 2, 2), (0, 1, 1), (0, 1, 2), (0, 1, 3), (-3, 1, 1)
    ]  # fmt: skip
    newest = store.newest_places
    assert newest("daily", "topic", "other", limit=2) == places[:2]
    assert newest("daily", "topic", "other", limit=0) == []
    assert newest("daily", "topic", "other", limit=2, since_days=2) == places[:6]
    assert newest("daily", "topic", "other", limit=99, since_days=1) == places
    assert newest("daily", "topic", "other", limit=0, since_days=1) == places[:1]
    assert newest("daily", "topic", "none", limit=2) == newest("weekly", "topic", "other", limit=2) == []


def test_a_paper_that_is_shown_again_moves_to_its_new_place_with_its_new_labels(store: Store) -> None:
    (one,) = works("Tidal Memory", version=1, abstract="Tides. " * 20, authors=("Ada Fenwick",))
    others = works("Dating Kilns", "Slow Bells")
    show(store, one, *others)
    key = store.newest_places("daily", "author", "ada-fenwick", limit=1)[0].key
    again = replace(one, version=2, abstract="Ebb and flow. " * 20, authors=("Bo Tide",), announce="replace")
    sight(store, again, days=1, listed_on=TODAY + DAY, updates=("daily",))
    issue(store, day=TODAY + DAY, days=1)
    store.index_editions(no_topics)
    assert [p.date for p in store.places_of("daily", [key]).values()] == [TODAY + DAY]
    assert store.labels("daily", "author") == [Label(kind="author", slug="bo-tide", name="Bo Tide", papers=1)]
    assert len(store.newest_places("daily", "topic", "other", limit=9)) == 3
    assert keys([hit.place for hit in store.chunk("daily", 1)])[0] == key, "where it was first shown"
    (record,) = store.records("daily", [key])
    assert [head.date for head in record.editions] == [TODAY, TODAY + DAY]


def test_chunks_hold_papers_in_the_order_first_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "CHUNK", 3)
    for n in range(4):
        show(store, *works(f"Paper {n}a", f"Paper {n}b"), day=TODAY + n * DAY)
    assert store.chunk_count("daily") == 3
    assert store.chunk_count("weekly") == 0
    chunks = [store.chunk("daily", number) for number in (1, 2, 3)]
    titles = [[hit.paper.title for hit in chunk] for chunk in chunks]
    assert titles == [
        ["Paper 0a", "Paper 0b", "Paper 1a"],
        ["Paper 1b", "Paper 2a", "Paper 2b"],
        ["Paper 3a", "Paper 3b"],
    ]
    assert store.chunk("daily", 4) == []
    assert store.chunk_of("daily", [hit.place.key for hit in (chunks[0][1], chunks[2][0])]) == {1, 3}
    assert store.chunk_of("daily", []) == set()
