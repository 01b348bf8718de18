"""What a listing shows as it was stored is passed over quickly: the answer and the store are those of the closer look."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from digest.model import Paper, Sighting
from digest.store import fingerprints, open_store
from digest.store.diff import Diff

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
    looks: list[str] = []
    closely = Diff.sight_closely

    def noted(self: Diff, paper: Paper) -> Sighting:
        looks.append(paper.key)
        return closely(self, paper)

    monkeypatch.setattr(Diff, "sight_closely", noted)
    quick = ran(tmp_path / "quick.db")
    few = len(looks)
    monkeypatch.setattr(fingerprints, "unchanged", lambda *_, **__: {})
    assert ran(tmp_path / "close.db") == quick
    assert few < (len(looks) - few) * 3 / 4
