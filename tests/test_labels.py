"""Under which names papers are found: the slugs of names in addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.labels import slug_of


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Ada Fenwick", "ada-fenwick"),
        ("  Ada   Fenwick 2 ", "ada-fenwick-2"),
        ("cs.CL", "cs.cl"),
        ("李 明", "李-明"),
        ("O'Brien, J.", "o-brien-j"),
        (" ", ""),
        ("index.html", "index-html"),
    ],
)
def test_a_name_has_a_slug_that_a_folder_can_have(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@given(st.text(st.sampled_from("aB1 "), max_size=70))
def test_a_plain_name_has_the_slug_that_it_has_beside_other_signs(name: str) -> None:
    assert slug_of(name) == slug_of(f"({name})")
