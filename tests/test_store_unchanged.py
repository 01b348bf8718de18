"""What a listing shows as it was stored is passed over quickly: the answer and the store are those of the closer look."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from msgspec.structs import replace

from digest.model import Paper, Sighting
from digest.store import Store, fingerprints, known, open_store
from digest.store.diff import Diff
from store_contract import store_url as store_url

START = datetime(2026, 11, 2, 6, tzinfo=UTC)


def paper(number: int, **fields: object) -> Paper:
    made = Paper(
        key=f"arxiv:2611.{number:05}", ids={"arxiv": f"2611.{number:05}"}, title=f"Paper {number} of rivers",
        abstract=f"We measure the delta of river {number}, twice. " * 6, authors=("Ada Lindqvist",), version=1, announce="new",
        links={"abstract": f"https://arxiv.org/abs/2611.{number:05}"},
    )  # fmt: skip
    return replace(made, **fields)


def days() -> list[list[Paper]]:
    """A week of one listing: what stays as it was, is completed, revised, replaced, withdrawn, found under another key, or odd."""
    first = [paper(n) for n in range(1, 9)]
    doi = Paper(
        key="doi:10.5555/a.1",
        ids={"doi": "10.5555/a.1"},
        title="A title of its own",
        abstract="",
        authors=("B C",),
    )
    named = Paper(key="title:x", title="Known by its title alone", abstract="Words of it. " * 30)
    second = [
        *first[:4],
        replace(first[4], version=2, abstract="All of it is otherwise now. " * 12),
        doi,
        named,
    ]
    third = [
        first[0], replace(first[1], announce="replace"), replace(first[2], announce="withdrawn"), replace(first[3], upvotes=4),
        second[4], doi, named, paper(9, announce="replace"), paper(10, ids={"arxiv": "2611.00010", "doi": "10.5555/a.1"}),
    ]  # fmt: skip
    fourth = [
        *third,
        replace(named, title="Known by its title alone, and a lone \ud83d"),
        paper(9),
        paper(1, title="Paper 1 of rivers."),
    ]
    return [first, first, second, third, fourth, fourth, [*fourth, *first]]


def read(store: Store, papers: Sequence[Paper], day: int = 0, source: str = "one") -> list[str]:
    """What one listing of undated papers gives, by their status."""
    sightings = store.record_sightings(
        source, papers, now=START + timedelta(days=day), listed_on=None, followers=["daily"], updates_for={"daily"}
    )  # fmt: skip
    return [sighting.status for sighting in sightings]


def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the papers that are looked at closely, as they are."""
    looks: list[str] = []
    closely = Diff.sight_closely

    def noted(self: Diff, paper: Paper) -> Sighting:
        looks.append(paper.key)
        return closely(self, paper)

    monkeypatch.setattr(Diff, "sight_closely", noted)
    return looks


def marks(store: Store) -> dict[int, int]:
    with store._db.reading():
        found = store._db.execute("SELECT paper_id, fingerprint FROM fingerprints", {}).fetchall()
    return dict(map(tuple, found))


def ran(file: Path) -> tuple[list[list[Sighting]], list[Sequence[object]]]:
    answers = []
    with open_store(f"sqlite:///{file}") as store:
        for number, papers in enumerate(days()):
            for source, followers in (("one", ["daily"]), ("two", ["daily", "weekly"])):
                answers.append(
                    store.record_sightings(
                        source, papers, now=START + timedelta(days=number), listed_on=date(2026, 11, 2 + number // 2),
                        followers=followers, updates_for={"weekly"},
                    )
                )  # fmt: skip
    with sqlite3.connect(file) as database:
        tables = ("papers", "paper_keys", "abstracts", "sightings", "offers", "revisions", "touched")
        rows = [row for table in tables for row in database.execute(f"SELECT * FROM {table}")]
    return answers, rows


def test_a_paper_that_is_as_it_was_is_passed_over_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = looked_at(monkeypatch)
    quick = ran(tmp_path / "quick.db")
    few = len(looks)
    monkeypatch.setattr(fingerprints, "unchanged", lambda *_, **__: {})
    assert ran(tmp_path / "close.db") == quick
    assert few < (len(looks) - few) * 3 / 4


def varied(chance: random.Random, number: int) -> Paper:
    """One of a few papers in one of the ways in which listings show it; some share a title, an abstract or a DOI."""
    made = paper(number % 6, announce=chance.choice((None, None, "new", "cross", "replace", "withdrawn")))
    if chance.random() < 0.2:
        made = replace(made, version=2, abstract=f"Otherwise than it was of {number % 2}. " * 12)
    if chance.random() < 0.2:
        made = replace(made, title=f"Of two rivers, {number % 3}")
    if chance.random() < 0.3:
        made = replace(made, ids={**made.ids, "doi": f"10.5555/a.{number % 4}"})
    if chance.random() < 0.2:
        made = replace(
            made, ids={"doi": f"10.5555/a.{number % 4}"}, key=f"doi:10.5555/a.{number % 4}", links={}
        )
    return replace(made, upvotes=chance.choice((None, None, 3)))


def lived(file: Path, seed: int) -> tuple[list[object], list[Sequence[object]]]:
    """Some days of listings by chance, which repeat what they showed; papers are issued, merged and split between them."""
    chance, answers, shown = random.Random(seed), [], [paper(0)]
    with open_store(f"sqlite:///{file}") as store:
        for day in range(7):
            shown = [
                *chance.sample(shown, k=len(shown) * 3 // 4),
                *(varied(chance, chance.randrange(9)) for _ in range(4)),
            ]
            for source, followers in (("one", ["daily"]), ("two", ["daily", "weekly"])):
                answers.append(
                    store.record_sightings(
                        source, shown, now=START + timedelta(days=day), followers=followers, updates_for={"weekly"},
                        listed_on=chance.choice((None, date(2026, 11, 2 + day))),
                    )
                )  # fmt: skip
            with store._db.writing():
                store._db.execute(
                    "UPDATE offers SET state = 'dropped' WHERE state = 'waiting' AND paper_id % 2 = 0", {}
                )
            ids = sorted({sighting.paper_id for sighting in answers[-1]})
            if day == 3 and len(ids) > 1:
                store.merge(*chance.sample(ids, 2), START + timedelta(days=day))
    with closing(sqlite3.connect(file)) as database:
        tables = ("papers", "paper_keys", "abstracts", "sightings", "offers", "revisions", "touched")
        return answers, [row for table in tables for row in database.execute(f"SELECT * FROM {table}")]


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(n, marks=pytest.mark.torture) for n in range(8, 300))]
)
def test_whatever_is_listed_the_quick_look_finds_what_the_closer_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    quick = lived(tmp_path / "quick.db", seed)
    monkeypatch.setattr(fingerprints, "unchanged", lambda *_, **__: {})
    monkeypatch.setattr(Diff, "unheard_of", lambda *_: False)
    assert lived(tmp_path / "close.db", seed) == quick


def test_a_fingerprint_that_is_wrong_costs_a_closer_look_and_is_mended(
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    papers = [paper(n) for n in range(1, 5)]
    with open_store(store_url) as store:
        assert read(store, papers) == ["new"] * 4
        right = marks(store)
        assert len(set(right.values())) == 4
        with store._db.writing():
            store._db.execute("UPDATE fingerprints SET fingerprint = 7 WHERE paper_id IN (2, 4)", {})
        looks = looked_at(monkeypatch)
        assert read(store, papers, day=1) == ["seen"] * 4
        assert (len(looks), marks(store)) == (2, right)
        assert read(store, papers, day=2) == ["seen"] * 4
        assert len(looks) == 2, "what is as it was is not looked at closely again"
        renewed = replace(papers[0], version=2, abstract="All of it is otherwise now. " * 12)
        assert read(store, [renewed, *papers[1:]], day=3) == ["updated", "seen", "seen", "seen"]
        assert read(store, [renewed, *papers[1:]], day=4) == ["seen"] * 4
        assert len(looks) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2}, {"announce": "cross"}, {"upvotes": 4}, {"tags": ("a",)}, {"authors": ("Ada Lindqvisf",)}, {"comment": ""},
        {"title": "Paper 2 of river", "gist": "s"}, {"title": "Paper 2 of rivesr"}, {"links": {"abstract": "https://arxiv.org/abs/2611.00012"}},
        {"ids": {"arxiv": "2611.00002", "doi": "10.5555/a.1"}}, {"published": "2026-11-01"}, {"source_text": {"title": "P"}},
    ],
)  # fmt: skip
def test_whatever_a_listing_says_otherwise_has_another_fingerprint(changed: dict[str, object]) -> None:
    other = replace(paper(2), **changed)
    assert known.fingerprint(other) not in (0, known.fingerprint(paper(2)))
    assert known.fingerprint(replace(other, title="\ud83d")) == 0


def test_papers_of_one_fingerprint_are_not_taken_for_one(
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known, "fingerprint", lambda paper: 7)
    with open_store(store_url) as store:
        assert read(store, [paper(1), paper(2)]) == ["new", "new"]
        assert read(store, [paper(3), paper(1), paper(2)], day=1) == ["new", "seen", "seen"]
        assert len(store.waiting("daily")) == 3
        assert [sighting.paper_id for sighting in store.record_sightings(
            "one", [paper(2), paper(3)], now=START, listed_on=None, followers=[], updates_for=set()
        )] == [2, 3]  # fmt: skip


def test_a_run_that_ends_while_it_writes_leaves_no_fingerprint_of_what_is_not_there(
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remember = fingerprints.remember

    def cut_short(*given: object, **named: object) -> NoReturn:
        remember(*given, **named)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with open_store(store_url) as store:
        assert read(store, [paper(1)]) == ["new"]
        before = marks(store)
        monkeypatch.setattr(fingerprints, "remember", cut_short)
        changed = replace(paper(1), version=2, abstract="All of it is otherwise now. " * 12)
        with pytest.raises(KeyboardInterrupt):
            read(store, [changed, paper(2)], day=1)
        assert marks(store) == before
        monkeypatch.setattr(fingerprints, "remember", remember)
        assert read(store, [changed, paper(2)], day=1) == ["updated", "new"]


def test_a_digest_that_comes_later_is_offered_what_has_not_changed(store_url: str) -> None:
    with open_store(store_url) as store:
        read(store, [paper(1), paper(2)])
        store.record_sightings(
            "one", [paper(1), paper(2)], now=START, listed_on=None, followers=["daily", "late"], updates_for=set()
        )  # fmt: skip
        assert [candidate.paper.key for candidate in store.waiting("late")] == [paper(1).key, paper(2).key]


def test_a_store_without_fingerprints_finds_the_same_and_has_them_then(
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As schema 6 finds one of schema 5: the papers, and a table with nothing in it."""
    papers = [paper(n) for n in range(1, 6)]
    with open_store(store_url) as store:
        assert read(store, papers) == ["new"] * 5
        right = marks(store)
        with store._db.writing():
            store._db.execute("DELETE FROM fingerprints", {})
    with open_store(store_url) as store:
        assert marks(store) == {}
        looks = looked_at(monkeypatch)
        today = [replace(papers[0], upvotes=3), *papers[1:], paper(6)]
        assert read(store, today, day=1) == [*["seen"] * 5, "new"]
        assert len(looks) == 6
        assert marks(store).items() > {number: right[number] for number in range(2, 6)}.items()
        assert read(store, today, day=2) == ["seen"] * 6
        assert len(looks) == 6
        assert store.check() == []
