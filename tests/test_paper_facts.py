"""A fact of a paper goes all the way, a new one too: cleaned when it is read, kept where two papers are one, told to others."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import fields, replace

from digest.model import PAPER_FACTS, Paper
from digest.sources._paper import Raw, finish
from digest.store.known import _merged

TEXTS = [field.name for field in fields(Raw) if field.type in (str, str | None, list[str])]
# Dates are taken as they are or not at all.
DATES = {"published", "updated"}
FACTS = [field for field in fields(Paper) if field.name not in ("key", "title", "version")]
# How the authors were written is behind `authors` and `author_names`; papers.json has the gist of the edition's entry.
NOT_TOLD = {"gist", "authors_raw", "authors_cut", "authors_joined"}
# By its default, something that a paper could say.
SAID: dict[str, Any] = {
    "''": "said",
    "None": "said",
    "()": ("said",),
    "{}": {"doi": "10.5555/said"},
    "False": True,
}


@pytest.mark.parametrize("name", sorted({*TEXTS} - DATES))
def test_every_text_of_a_paper_is_cleaned_on_the_way_in(name: str) -> None:
    dirty = "tidal <b>pools</b> &amp; kilns"
    value = [dirty] if name in ("authors", "categories", "tags") else dirty
    (paper,) = finish([Raw(**{"title": "Tides", "ids": {"doi": "10.5555/a"}, name: value})], [])
    assert "tidal pools & kilns" in str(getattr(paper, name)), (
        f"_paper.py: _finished and _is_clean want {name}"
    )


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: str(fact.name))
def test_of_two_papers_that_are_one_what_either_says_is_kept(fact: Any) -> None:
    default = fact.default if isinstance(fact.default, str | tuple | bool | None) else fact.default_factory()
    said = {"upvotes": 3, "announce": "withdrawn"}.get(fact.name, SAID[repr(default)])
    bare, author = Paper(key="k", title="Tides"), Paper(key="k", title="Tides", authors=("Ada Fenwick",))
    other = replace(author, **{fact.name: said})
    merged = _merged(bare, other, key="k", version=None)
    assert getattr(merged, fact.name) == said, f"store/known.py: _merged forgets {fact.name}"


def test_every_fact_of_a_paper_is_told_to_others_or_left_out_by_name() -> None:
    assert {*PAPER_FACTS} | NOT_TOLD == {*Paper.__struct_fields__}, (
        "name each field of Paper in PAPER_FACTS (model/), with a line in docs/interface.md; or in NOT_TOLD here"
    )
