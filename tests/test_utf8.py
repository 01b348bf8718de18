"""Whatever a listing brings, files and databases take it, and all of them show the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Paper
from digest.store.known import decode, encode
from digest.utf8 import plain, plain_all
from editions import edition_of, pages_of, publication_of, shipped


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "\U0001f600"),
        ("a\0b", "ab"),
        ("caf\udce9", "caf\ufffd"),
        ("é", "é"),
    ],
)
def test_what_is_no_text_is_replaced(text: str, wanted: str) -> None:
    assert plain(text) == wanted


@given(st.text(st.characters()))
def test_the_answer_is_always_utf_8(text: str) -> None:
    assert plain(text).encode() == plain(plain(text)).encode()


def test_every_text_in_a_value_is_replaced_and_nothing_else() -> None:
    assert plain_all({"a\ud800": ["\ud800", {"b": ("c\0", 1, None)}]}) == {
        "a\ufffd": ["\ufffd", {"b": ["c", 1, None]}]
    }


def test_store_and_archive_show_the_same_text() -> None:
    paper = Paper(key="arxiv:2611.00001", title="Half \ud83d and whole \ud83d\ude00")
    kept = decode(encode(paper))
    pages = pages_of(publication_of(edition_of([paper])), shipped())
    shown = json.loads(pages["2026/11/19/papers.json"])["picks"][0]
    assert shown["title"] == kept.title == "Half \ufffd and whole \U0001f600"
