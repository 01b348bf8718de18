"""Years of invented listings: with fingerprints or without any, every answer and every row of the store is the same."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from digest.errors import UsageError
from digest.model import Paper
from digest.store import Store, open_store
from store_contract import issue

START = datetime(2026, 11, 2, 6, tzinfo=UTC)
TABLES = (
    *("papers", "paper_keys", "abstracts", "sightings", "offers", "revisions", "corrections"),
    *("editions", "entries", "shown", "touched"),
)
ABSTRACTS = [f"We measure the delta of {river}, in spring and once more in autumn. " * 6 for river in "abc"]
ABSTRACTS += [
    "All of it is otherwise now, and the river has another name. " * 8,
    "",
    "With \0 and \ud83d. " * 20,
]


def appearance(chance: random.Random) -> Paper:
    """One of a few papers, mostly as it always looks; the ways in which it may look otherwise share ids, pages and words."""
    number = chance.randrange(30)
    arxiv, doi, page = (
        f"2611.{number:05}",
        f"10.5555/a.{number // 2}",
        f"https://journal.example.org/{number}",
    )
    made = Paper(
        key=f"arxiv:{arxiv}", ids={"arxiv": arxiv}, title=f"Of river {number}", abstract=ABSTRACTS[number % 3],
        authors=("Ada Lindqvist",), version=1 if number % 3 else None, announce="new" if number % 2 else None,
        links={"abstract": f"https://arxiv.org/abs/{arxiv}"},
    )  # fmt: skip
    if number > 25:
        made = replace(made, key=f"doi:{doi}", ids={"doi": doi}, links={"abstract": page})
    for _ in range(chance.choice((*[0] * 12, 1, 2) if number > 6 else (0, 1, 2))):
        changes: dict[str, object] = chance.choice([
            {"ids": {"arxiv": arxiv, "doi": doi}}, {"ids": {"doi": doi}, "key": f"doi:{doi}"}, {"ids": {}, "key": f"url:{page}"},
            {"ids": {"openreview": f"Ab{number}"}, "key": f"openreview:Ab{number}"}, {"links": {"abstract": page}}, {"links": {}},
            {"title": "Of rivers"}, {"title": f"A \0 river {number}"}, {"abstract": chance.choice(ABSTRACTS)},
            {"authors": ()}, {"authors": ("Bo Ek", "Ada Lindqvist")}, {"authors_cut": True}, {"version": 2}, {"version": None},
            {"announce": chance.choice(("new", "cross", None))}, {"announce": chance.choice(("replace", "replace-cross"))},
            {"announce": "withdrawn"}, {"upvotes": 3}, {"categories": ("cs.CL",)},
        ])  # fmt: skip
        made = replace(made, **changes)
    return made


def listing(chance: random.Random, before: list[Paper]) -> list[Paper]:
    """Most of what was shown before as it was, some of it changed or twice, and some that is new."""
    papers = [paper for paper in before if chance.random() < 0.85]
    for _ in range(chance.choice((0, 1, 2, 3))):
        papers.insert(chance.randrange(len(papers) + 1), appearance(chance))
    if papers and chance.random() < 0.4:
        other = chance.choice(papers)
        changed = (
            other,
            replace(other),
            replace(other, announce=appearance(chance).announce),
            replace(other, upvotes=9),
        )
        papers.insert(chance.randrange(len(papers) + 1), chance.choice(changed))  # fmt: skip
    return papers


def correct(store: Store, chance: random.Random, now: datetime, keys: list[str]) -> None:
    if chance.random() < 0.5:
        keep, other = chance.sample(keys, 2)
        store.merge(keep, other, now)
    else:
        story = store.story(chance.randrange(1, 12))
        if story is not None and story.joined:
            store.split(story.id, [chance.choice(story.joined).key], now, silent=chance.random() < 0.3)
        elif story is not None:
            store.split(story.id, [chance.choice(story.keys)], now)


def live(
    url: str, seed: int, before_each: Callable[[Store], None]
) -> tuple[list[object], dict[str, list[str]]]:
    """Some weeks of a store: listings of three sources, editions, corrections by hand, digests that come and change."""
    chance, answers = random.Random(seed), list[object]()
    shown: dict[str, list[Paper]] = {"a": [], "b": [], "c": []}
    with open_store(url) as store:
        for day in range(20):
            now = START + timedelta(days=day)
            for source in chance.choices("abc", k=3):
                shown[source] = listing(chance, chance.choice([shown[source]] * 3 + [shown["a"]]))
                readers = (
                    ["daily"] * (source != "c")
                    + ["weekly"] * (source != "a" and day > 5)
                    + ["late"] * (day > 10)
                )
                before_each(store)
                answers.append(
                    store.record_sightings(
                        source, shown[source], now=now, followers=readers,
                        listed_on=chance.choice((None, now.date(), now.date(), date(2026, 11, 5))),
                        updates_for={"weekly"} | ({"daily"} if day > 12 else set()),
                    )
                )  # fmt: skip
            digest = chance.choice(("daily", "weekly", "late"))
            if chance.random() < 0.5 and store.count_waiting(digest):
                issue(store, digest=digest, day=now.date(), days=day, keep=lambda c: c.paper_id % 3 > 0)
            with store._db.writing():
                if chance.random() < 0.5:
                    store._db.execute("DELETE FROM touched", {})
                keys = sorted(
                    key for (key,) in store._db.execute("SELECT key FROM paper_keys", {}).fetchall()
                )
            if seed % 3 == 0 and chance.random() < 0.1 and len(keys) > 1:
                with suppress(UsageError):
                    correct(store, chance, now, keys)
        with store._db.reading():
            rows = {table: store._db.execute(f"SELECT * FROM {table}", {}).fetchall() for table in TABLES}
        assert store.check() == []
    return answers, {table: sorted(map(repr, map(tuple, found))) for table, found in rows.items()}


def forget(store: Store) -> None:
    with store._db.writing():
        store._db.execute("DELETE FROM fingerprints", {})


LIVES = [3, 4, 15, *(pytest.param(n, marks=pytest.mark.torture) for n in range(16, 400))]


@pytest.mark.parametrize("seed", LIVES)
def test_fingerprints_change_nothing_but_the_time_it_takes(
    empty_sqlite: Path, tmp_path: Path, seed: int
) -> None:
    lives = []
    for name, before_each in (("with", lambda store: None), ("without", forget)):
        shutil.copy(empty_sqlite, tmp_path / f"{name}.db")
        lives.append(live(f"sqlite:///{tmp_path / name}.db", seed, before_each))
    assert lives[0] == lives[1]
