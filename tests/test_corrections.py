# ruff: noqa: F811 - fixtures are imported by name
"""Corrections by hand: one and two stay what the operator said, and no reader gets a paper twice because of it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import examples
from digest.errors import UsageError
from digest.model import Paper
from digest.store import Store
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    issue,
    paper,
    sight,
    store,
    store_url,
    titles,
)
from test_diff import LISTINGS, days_of, fresh

A, B = "2407.10001", "2407.10002"
ONE, OTHER = "doi:10.5555/one", "doi:10.5555/other"

TIDES = (
    "We study how tidal pools keep a memory of the last storm. A chain of forty sensors recorded salt, light and warmth over "
    "three winters, and a small recurrent model reads the season of the storm from the salt alone. The effect holds in pools "
    "of every depth we measured and fades after nine days. We give a simple account of it in terms of mixing layers."
)
KILNS = (
    "Old kilns can be dated by the glass that dripped from their bricks. This work fits cooling curves to thin sections from "
    "eleven sites and finds that potters fired hotter in dry decades. Our estimator needs no reference furnace, tolerates "
    "weathered samples, and agrees with written tax records wherever such documents survive in the regional archives."
)

TITLES = ["One", "Two", "Three", "Tidal Memory of Pools", "Tidal Memory of Pools, Part 2"]
LATER = NOW + timedelta(hours=1)


def preprint(**facts: object) -> Paper:
    return paper("Tidal Memory", ids={"doi": "10.5555/one"}, abstract=TIDES, **facts)


def journal(**facts: object) -> Paper:
    return paper("What Pools Remember", ids={"doi": "10.5555/other"}, abstract=KILNS, **facts)


def waiting(store: Store) -> list[tuple[str, str]]:
    return [(c.paper.key, c.change) for c in store.waiting("daily")]


# --- two become one


def test_papers_said_to_be_one_are_met_as_one_by_any_key_of_either(store: Store) -> None:
    sight(store, preprint(), journal())
    store.merge(ONE, OTHER, LATER)
    assert waiting(store) == [(ONE, "new")]
    for days in (1, 2):
        assert sight(store, preprint(), journal(), days=days, updates=("daily",)) == ["seen", "seen"]
        assert sight(store, paper("What Pools Remember"), paper("Tidal Memory"), days=days) == [
            "seen",
            "seen",
        ]
    assert waiting(store) == [(ONE, "new")]


def test_another_paper_with_a_title_of_theirs_is_not_swallowed(store: Store) -> None:
    sight(store, preprint(), journal())
    store.merge(ONE, OTHER, LATER)
    assert sight(store, paper("What Pools Remember", ids={"doi": "10.5555/third"}), days=1) == ["new"]


@pytest.mark.parametrize("first", ["one", "other"])
def test_a_merged_paper_that_was_sent_under_either_name_is_not_offered_again(
    store: Store, first: str
) -> None:
    early, late = (preprint(), journal()) if first == "one" else (journal(), preprint())
    sight(store, early)
    issue(store)
    sight(store, late, days=1)
    store.merge(ONE, OTHER, LATER)
    assert waiting(store) == []
    sight(store, early, late, days=2)
    assert waiting(store) == []


def test_the_older_paper_keeps_its_key_and_the_kept_one_gives_the_words(store: Store) -> None:
    sight(store, preprint())
    sight(store, journal(), days=1)
    done = store.merge(OTHER, ONE, LATER)
    assert (done.paper.key, done.paper.title, done.other.key) == (ONE, "What Pools Remember", OTHER)
    assert titles(store.waiting("daily")) == ["What Pools Remember"]
    assert sight(store, preprint(), journal(), days=2, updates=("daily",)) == ["seen", "seen"]


def test_papers_without_ids_said_to_be_one_stay_one(store: Store) -> None:
    pages = [paper("Tidal Memory", abstract=TIDES), paper("What Pools Remember", abstract=KILNS)]
    sight(store, *pages)
    keep, other = (c.paper_id for c in store.waiting("daily"))
    store.merge(other, keep, LATER)
    for days in (1, 2):
        assert sight(store, *pages, days=days, updates=("daily",)) == ["seen", "seen"]
    assert store.count_waiting("daily") == 1


def test_papers_that_are_one_already_are_left_alone(store: Store) -> None:
    sight(store, paper(ids={"arxiv": A, "doi": "10.5555/one"}))
    with pytest.raises(UsageError, match="one paper already"):
        store.merge(f"arxiv:{A}", ONE, LATER)


def test_a_key_that_no_paper_has_is_refused(store: Store) -> None:
    sight(store, preprint())
    with pytest.raises(UsageError, match=r'No paper has the key "doi:10.5555/other"'):
        store.merge(ONE, OTHER, LATER)
    with pytest.raises(UsageError, match="No paper has the key"):
        store.split(ONE, [OTHER], LATER)


# --- one becomes two


def mistaken(store: Store) -> tuple[Paper, Paper]:
    """Two papers that an abstract, shared by an editor's mistake, and then a title made one."""
    right = paper("Tidal Memory", ids={"arxiv": A}, abstract=TIDES)
    wrong = paper("Tidal Memory", ids={"doi": "10.5555/other"}, abstract=TIDES + " A second part.")
    assert sight(store, right) == ["new"]
    issue(store)
    assert sight(store, wrong, days=1) == ["seen"]
    return right, wrong


def test_a_paper_split_off_waits_as_new_and_both_are_known_afterwards(store: Store) -> None:
    right, wrong = mistaken(store)
    done = store.split(f"arxiv:{A}", [OTHER], LATER)
    assert (done.paper.key, done.other.key) == (f"arxiv:{A}", OTHER)
    assert waiting(store) == [(OTHER, "new")]
    assert store.waiting("daily")[0].paper.ids == {"doi": "10.5555/other"}
    for days in (2, 3):
        assert sight(store, right, wrong, days=days, updates=("daily",)) == ["seen", "seen"]
        assert waiting(store) == [(OTHER, "new")]
    both = paper("Tidal Memory", ids={"arxiv": A, "doi": "10.5555/other"}, abstract=TIDES)
    sight(store, both, days=4)
    assert sight(store, right, wrong, days=5) == ["seen", "seen"]
    assert waiting(store) == [(OTHER, "new")]


def test_a_paper_split_off_takes_its_own_words_from_the_next_listing(store: Store) -> None:
    sight(store, paper("Tidal Memory", abstract=TIDES, ids={"arxiv": A}))
    sight(store, paper("Tidal Memory", ids={"arxiv": A, "doi": "10.5555/other"}))
    own = paper("What Pools Remember", ids={"doi": "10.5555/other"}, abstract=KILNS)
    assert sight(store, own, updates=("daily",)) == ["updated"]
    store.split(f"arxiv:{A}", [OTHER], LATER)
    assert sight(store, own, days=1, updates=("daily",)) == ["seen"]
    found = {c.paper.key: c.paper for c in store.waiting("daily")}
    assert (found[OTHER].title, found[OTHER].abstract) == ("What Pools Remember", KILNS)
    assert found[f"arxiv:{A}"].ids == {"arxiv": A}
    before = paper("What Pools Remember", ids={"doi": "10.5555/other"}, abstract=TIDES)
    assert sight(store, before, days=2, updates=("daily",)) == ["seen"], "both were shown with it as one"


def test_a_silent_split_offers_nothing(store: Store) -> None:
    right, wrong = mistaken(store)
    store.split(f"arxiv:{A}", [OTHER], LATER, silent=True)
    sight(store, right, wrong, days=2)
    assert waiting(store) == []


def test_a_paper_without_ids_is_split_off_by_its_title(store: Store) -> None:
    own = paper("What Pools Remember", abstract=TIDES)
    right = paper("Tidal Memory", abstract=TIDES)
    assert sight(store, right, source="one") == ["new"]
    assert sight(store, own, source="two") == ["seen"]
    issue(store)
    title = store.find_keys("What pools remember")
    store.split(store.find_keys("Tidal Memory")[0], title, LATER)
    for days in (1, 2):
        assert sight(store, own, days=days, updates=("daily",)) == ["seen"]
        assert sight(store, right, days=days, updates=("daily",)) == ["seen"]
    assert titles(store.waiting("daily")) == ["What Pools Remember"]


def test_what_a_listing_joined_comes_back_as_it_was(store: Store) -> None:
    early, late = paper("What Pools Remember", authors=("Ada Mere",)), paper("Tidal Memory", ids={"arxiv": A})
    sight(store, early, late)
    issue(store, keep=lambda c: c.paper.key.startswith("arxiv"))
    sight(store, paper("What Pools Remember", ids={"arxiv": A}), days=1)
    kept = store.find_papers(A)[0]
    assert store.find_papers("What Pools Remember") == [kept]
    done = store.split(kept.key, store.find_keys("What Pools Remember"), LATER)
    assert done.other.title == "What Pools Remember"
    assert waiting(store) == [(done.other.key, "new")]
    assert store.waiting("daily")[0].paper.authors == ("Ada Mere",)
    for days in (2, 3):
        assert sight(store, early, late, days=days, updates=("daily",)) == ["seen", "seen"]


def test_the_key_of_the_paper_itself_stays(store: Store) -> None:
    mistaken(store)
    with pytest.raises(UsageError, match="whatever its version"):
        store.split(OTHER, [f"arxiv:{A}"], LATER)
    with pytest.raises(UsageError, match="Name the keys"):
        store.split(OTHER, [], LATER)


def test_two_papers_said_to_be_two_are_never_joined(store: Store) -> None:
    sight(store, paper("What Pools Remember"), paper("Tidal Memory", ids={"arxiv": A}))
    first, second = (c.paper.key for c in store.waiting("daily"))
    store.split(first, [second], LATER)
    sight(store, paper("What Pools Remember", ids={"arxiv": A}), days=1)
    assert [c.paper.key for c in store.waiting("daily")] == [first, second]


# --- and back


def test_a_split_takes_a_merge_back(store: Store) -> None:
    sight(store, preprint(), journal())
    issue(store, keep=lambda c: c.paper.key == OTHER)
    store.merge(ONE, OTHER, LATER)
    done = store.split(ONE, [OTHER], LATER)
    assert done.taken_back == 1
    assert (done.offers, done.other_offers) == ({"daily": "waiting"}, {"daily": "issued"})
    for days in (1, 2):
        assert sight(store, preprint(), journal(), days=days, updates=("daily",)) == ["seen", "seen"]
    assert waiting(store) == [(ONE, "new")]
    assert store.waiting("daily")[0].paper.ids == {"doi": "10.5555/one"}


def test_a_merge_is_taken_back_before_anything_else_is_split_off(store: Store) -> None:
    sight(store, preprint(), journal())
    store.merge(ONE, OTHER, LATER)
    for key in (ONE, *store.find_keys("Tidal Memory")):
        with pytest.raises(UsageError, match="Take that back first"):
            store.split(ONE, [key], LATER)
    assert waiting(store) == [(ONE, "new")]


def test_a_merge_takes_a_split_back(store: Store) -> None:
    right, wrong = mistaken(store)
    store.split(f"arxiv:{A}", [OTHER], LATER)
    done = store.merge(f"arxiv:{A}", OTHER, LATER)
    assert done.taken_back == 1
    for days in (2, 3):
        assert sight(store, right, wrong, days=days, updates=("daily",)) == ["seen", "seen"]
    assert waiting(store) == []
    assert store.split(f"arxiv:{A}", [OTHER], LATER).taken_back == 1


def test_a_correction_survives_an_issue_and_a_withdrawal(store: Store) -> None:
    sight(store, preprint(), journal())
    issue(store)
    store.merge(ONE, OTHER, LATER)
    sight(store, journal(announce="withdrawn"), days=1, listed_on=TODAY)
    assert waiting(store) == [(ONE, "withdrawn")]


# --- for every sequence of listings


@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(listings=LISTINGS, data=st.data())
def test_after_a_correction_the_same_pages_hold_nothing_new_and_nothing_updated(
    listings: list[tuple[list[Paper], int | None]], data: st.DataObject, empty_sqlite: Path, tmp_path: Path
) -> None:
    with fresh(empty_sqlite, tmp_path) as store:
        # Which of the two was withdrawn is for the next listing to say.
        listings = [([p for p in papers if p.announce != "withdrawn"], day) for papers, day in listings]
        sent: set[int] = set()
        for days, (papers, listed) in enumerate(listings):
            sight(store, *papers, listed_on=days_of(listed), days=days)
            if store.count_waiting("daily") and data.draw(st.booleans()):
                sent |= {c.paper_id for c in store.waiting("daily")}
                issue(store, day=TODAY + timedelta(days=days))
        for _ in range(data.draw(st.integers(1, 3))):
            correct(store, data)
        waiting = [c.paper_id for c in store.waiting("daily")]
        for _ in range(2):
            for papers, listed in listings:
                assert set(sight(store, *papers, listed_on=days_of(listed), days=9)) <= {"seen"}
        assert [c.paper_id for c in store.waiting("daily")] == waiting
        assert not sent & {c.paper_id for c in store.waiting("daily") if c.change in ("new", "cross")}
        assert store.check() == []


def correct(store: Store, data: st.DataObject) -> None:
    """One correction of what is known, or one that is refused."""
    ids = sorted({head.id for title in TITLES for head in store.find_papers(title)})
    if not ids:
        return
    paper_id = data.draw(st.sampled_from(ids))
    with suppress(UsageError):
        if data.draw(st.booleans()):
            store.merge(paper_id, data.draw(st.sampled_from(ids)), LATER)
        else:
            story = store.story(paper_id)
            assert story is not None
            keys = data.draw(st.lists(st.sampled_from(story.keys), min_size=1, max_size=3, unique=True))
            store.split(paper_id, keys, LATER)
