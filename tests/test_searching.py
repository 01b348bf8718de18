"""The language of searches: what is read from them, what they find, and what is marked. search_cases.json holds the script of
static archives to the same answers (test_search_static.py)."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import searching
from digest.errors import UsageError
from digest.model import Hit, Paper, Place
from digest.searching import MAX_CHARS, MAX_TERMS, Query, Term, matches, parse_query, pieces, tokens

CASES: dict[str, Any] = json.loads(Path(__file__).with_name("search_cases.json").read_text(encoding="utf-8"))
TOPICS = {"Language models": "lm"}
# Letters of many scripts, marks, signs of the language, and what breaks programs.
TEXTS = st.text(
    st.one_of(st.characters(), st.sampled_from('abAB12 -*":.äßŁΣςИ机がｶﾞ한ㄱㅏ\u0301\u3099\x00\t𝕏ǅİıﬁ')),
    max_size=60,
)
WORDS = st.sampled_from(["deep", "sea", "owls", "机", "fenwick", "ada", "2026", "über", "x"])


def hit_of(title: str, *, topic: str = "", day: date = date(2026, 11, 19), **facts: Any) -> Hit:
    place = Place(paper_id=1, key="title:x", date=day, part=1, position=1)
    return Hit(digest="daily", place=place, paper=Paper(key="title:x", title=title, **facts), topic=topic)


def hits() -> dict[str, Hit]:
    """The papers of the table."""
    found = {}
    for name, facts in CASES["papers"].items():
        rest: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in facts.items() if k != "date"
        }
        found[name] = hit_of(day=date.fromisoformat(facts["date"]), **rest)
    return found


# ---------------------------------------------------------------- letters


@pytest.mark.parametrize(("text", "wanted"), CASES["tokens"])
def test_tokens_have_no_case_accents_or_width(text: str, wanted: list[str]) -> None:
    assert tokens(text) == wanted


@given(TEXTS)
def test_tokens_of_tokens_are_the_same_tokens(text: str) -> None:
    assert tokens(" ".join(tokens(text))) == tokens(text)


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_alone_has_the_tokens_that_it_has_beside_other_letters(text: str) -> None:
    assert [*tokens(text), "μ"] == tokens(f"{text} μ")


@given(TEXTS)
def test_a_token_is_letters_and_digits_and_nothing_that_a_database_could_cut(text: str) -> None:
    for token in tokens(text):
        assert token
        assert " " not in token
        assert token.isalnum() or not token.isascii()


@given(TEXTS)
def test_the_places_of_tokens_are_those_of_the_same_tokens(text: str) -> None:
    spans = searching._spans(text)
    assert [span.token for span in spans] == tokens(text)
    assert all(span.start < span.end for span in spans)


@given(TEXTS)
def test_what_is_marked_are_the_tokens_that_are_searched(text: str) -> None:
    for token in set(tokens(text)):
        query = Query(terms=(Term(words=(token,)),), text=token)
        marked = [piece for piece, found in pieces(text, query) if found]
        assert marked
        assert all(token in tokens(piece) for piece in marked)


# ---------------------------------------------------------------- the language


@pytest.mark.parametrize(("text", "wanted"), CASES["queries"])
def test_a_search_is_said_in_one_way_only(text: str, wanted: str) -> None:
    query = parse_query(text)
    assert query.text == wanted
    assert parse_query(wanted) == query


@pytest.mark.parametrize(("text", "wanted"), CASES["refused"])
def test_a_search_that_makes_no_sense_is_refused_with_its_mend(text: str, wanted: str | None) -> None:
    if wanted is None:
        assert parse_query(text).terms
        return
    with pytest.raises(UsageError) as refused:
        parse_query(text)
    assert str(refused.value) == wanted


@given(TEXTS)
def test_any_text_is_a_search_or_refused(text: str) -> None:
    try:
        query = parse_query(text)
    except UsageError as error:
        assert str(error)[0].islower() or str(error)[0] == '"'
    else:
        assert query.terms or query.since or query.until
        assert parse_query(query.text) == query


def test_a_search_of_ten_thousand_characters_is_refused() -> None:
    for text in ("a" * 10_000, '"' * 10_000, "- " * 5_000, "a " * 5_000):
        with pytest.raises(UsageError, match="longer than 500"):
            parse_query(text)


def test_a_search_whose_plain_form_is_too_long_is_refused_too() -> None:
    """So that the address of its feed is one that is answered."""
    assert len(parse_query("机" * 200).text) <= MAX_CHARS
    with pytest.raises(UsageError, match="longer than 500"):
        parse_query("机" * 400)


def test_more_words_than_a_database_should_be_asked_for_are_refused() -> None:
    words = [f"w{n}" for n in range(MAX_TERMS)]
    assert len(parse_query(" ".join(words)).terms) == MAX_TERMS
    with pytest.raises(UsageError, match="more than 32"):
        parse_query(" ".join([*words, "more"]))


def test_a_category_is_looked_up_by_its_slug() -> None:
    _, term = parse_query('owls -category:"CS.CL"').terms
    assert (term.field, term.slug, term.negated) == ("category", "cs.cl", True)


# ---------------------------------------------------------------- papers


@pytest.mark.parametrize(("text", "wanted"), CASES["finds"])
def test_a_search_finds_these_papers(text: str, wanted: list[str]) -> None:
    query = parse_query(text)
    assert [name for name, hit in hits().items() if matches(query, hit, topics=TOPICS)] == wanted


@given(st.lists(WORDS, min_size=1, max_size=6), st.lists(WORDS, max_size=8), st.integers(0, 8))
def test_a_paper_is_found_by_any_words_in_a_row_of_its_title(
    row: list[str], before: list[str], cut: int
) -> None:
    hit = hit_of(" ".join([*before, *row, *before[:cut]]))
    assert matches(parse_query('"{}"'.format(" ".join(row))), hit)
    assert matches(parse_query(" ".join(row)), hit)
    assert not matches(parse_query('-"{}" date:2026'.format(" ".join(row))), hit)


@given(TEXTS)
def test_a_paper_is_found_by_every_word_that_it_has(title: str) -> None:
    hit = hit_of(title)
    for token in tokens(title):
        assert matches(parse_query(token), hit)
        assert matches(parse_query(f"title:{token[:1]}*"), hit)


# ---------------------------------------------------------------- marks


@pytest.mark.parametrize(("text", "query", "field", "width", "wanted"), CASES["pieces"])
def test_these_pieces_are_marked(text: str, query: str, field: Any, width: int, wanted: list[Any]) -> None:
    found = pieces(text, parse_query(query), field=field, width=width)
    assert [list(piece) for piece in found] == wanted


@given(TEXTS, st.lists(WORDS, min_size=1, max_size=3))
def test_marking_loses_no_letter(text: str, words: list[str]) -> None:
    found = pieces(f"{text} {words[0]} {text}", parse_query(" ".join(words)))
    assert "".join(piece for piece, _ in found) == f"{text} {words[0]} {text}"
    assert all(piece for piece, _ in found)
    assert (words[0], True) in found or any(words[0] in piece for piece, marked in found if marked)


@given(st.lists(st.one_of(WORDS, TEXTS), max_size=40), st.integers(10, 80))
def test_a_cut_text_shows_what_was_found(words: list[str], width: int) -> None:
    text = " ".join([*words, "owls", *words])
    found = pieces(text, parse_query("owls"), width=width)
    assert any(marked for _, marked in found)
    shown = "".join(piece for piece, _ in found).strip("…")
    assert shown in text
    assert len(shown) <= max(width, 4) or "owls" in shown
