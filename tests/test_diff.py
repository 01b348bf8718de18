# ruff: noqa: F811 - fixtures are imported by name
"""The diff: what is new, what is an update, what was seen; and that nothing is lost or offered twice."""

from __future__ import annotations

import itertools
import shutil
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import examples
from digest.config import DigestConfig
from digest.model import Paper
from digest.selection import select
from digest.store import Store, open_store
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    edition,
    envelope,
    issue,
    paper,
    sight,
    store,
    store_url,
    titles,
)

A = "2407.10001"
B = "2407.10002"

TIDES = (
    "We study how tidal pools keep a memory of the last storm. A chain of forty sensors recorded salt, light and warmth over "
    "three winters, and a small recurrent model reads the season of the storm from the salt alone. The effect holds in pools "
    "of every depth we measured and fades after nine days. We give a simple account of it in terms of mixing layers."
)
TIDES_2 = (
    "We study how tidal pools keep a memory of the last storm. Two hundred cheap sensors, built from pencils and foil, were "
    "left in place for six winters. A linear model is now enough to date a storm within hours, which refutes our earlier "
    "claim that depth is of no matter. All code and the raw measurements are open, and a museum has begun to use them."
)
KILNS = (
    "Old kilns can be dated by the glass that dripped from their bricks. This work fits cooling curves to thin sections from "
    "eleven sites and finds that potters fired hotter in dry decades. Our estimator needs no reference furnace, tolerates "
    "weathered samples, and agrees with written tax records wherever such documents survive in the regional archives."
)


def arxiv(name: str, title: str = "Tidal Memory", **facts: object) -> Paper:
    return paper(title, ids={"arxiv": name}, **facts)


# --- new and seen


def test_a_paper_is_new_once(store: Store) -> None:
    assert sight(store, arxiv(A), paper("Dating Kilns")) == ["new", "new"]
    assert sight(store, arxiv(A), paper("Dating Kilns"), days=1) == ["seen", "seen"]
    assert titles(store.waiting("daily")) == ["Tidal Memory", "Dating Kilns"]


def test_an_empty_listing_is_no_error(store: Store) -> None:
    assert sight(store) == []


def test_the_answer_says_which_key_found_the_paper(store: Store) -> None:
    sight(store, arxiv(A))
    found = store.record_sightings(
        "list", [arxiv(A)], now=NOW, listed_on=None, followers=["daily"], updates_for=frozenset()
    )
    assert found[0].matched_by == f"arxiv:{A}"
    assert found[0].paper_id == store.waiting("daily")[0].paper_id


def test_one_paper_twice_in_a_listing_is_one(store: Store) -> None:
    assert sight(store, arxiv(A), arxiv(A), paper("Tidal  memory")) == ["new", "seen", "seen"]
    assert store.count_waiting("daily") == 1


def test_a_paper_met_by_title_then_by_arxiv_id_then_by_doi_is_one(store: Store) -> None:
    assert sight(store, paper(abstract=TIDES)) == ["new"]
    assert sight(store, arxiv(A, abstract=TIDES)) == ["seen"]
    assert sight(store, paper("A Later Name", ids={"arxiv": A, "doi": "10.5555/tides"})) == ["seen"]
    assert sight(store, paper("Yet Another Name", ids={"doi": "10.5555/TIDES"})) == ["seen"]
    assert sight(store, paper("a later name")) == ["seen"]
    assert store.count_waiting("daily") == 1


def test_a_paper_keeps_the_key_it_was_first_stored_under(store: Store) -> None:
    sight(store, paper())
    first = store.waiting("daily")[0].paper.key
    sight(store, arxiv(A))
    waiting = store.waiting("daily")[0].paper
    assert first.startswith("title:")
    assert waiting.key == first
    assert waiting.ids == {"arxiv": A}


def test_titles_that_are_almost_equal_are_two_papers(store: Store) -> None:
    assert sight(
        store,
        paper("PROP: Kilns for Beginners", abstract=KILNS),
        paper("B-PROP: Kilns for Beginners", abstract=TIDES),
    ) == ["new", "new"]


def test_a_renamed_paper_is_found_by_its_abstract(store: Store) -> None:
    sight(store, paper(abstract=TIDES))
    assert sight(store, paper("What Pools Remember", abstract=TIDES + " https://example.org/x/y")) == ["seen"]
    assert sight(store, paper("what pools remember")) == ["seen"]


def test_a_paper_without_id_is_found_by_its_page(store: Store) -> None:
    sight(store, paper(links={"abstract": "http://example.org/papers/7?utm_source=feed"}))
    assert sight(
        store, paper("Tidal Memory, Revisited", links={"abstract": "https://example.org/papers/7/"})
    ) == ["seen"]


def test_an_address_that_all_papers_of_a_page_share_makes_them_not_one(store: Store) -> None:
    issue_page = {"abstract": "https://example.org/issue/7"}
    listing = [
        paper("Tidal Memory", links=issue_page),
        paper("Tidal Memory II", links=issue_page),
        paper("Dating Kilns", links=issue_page),
    ]
    assert sight(store, *listing) == ["new", "new", "new"]
    assert sight(store, *listing) == ["seen", "seen", "seen"]
    assert sight(store, listing[2], listing[1]) == ["seen", "seen"]
    assert store.count_waiting("daily") == 3


def test_a_notice_that_all_papers_of_a_page_have_for_an_abstract_makes_them_not_one(store: Store) -> None:
    listing = [paper(f"Kilns, part {n}", abstract=KILNS) for n in "abc"]
    assert sight(store, *listing) == ["new", "new", "new"]
    for again in itertools.permutations(listing):
        assert sight(store, *again) == ["seen", "seen", "seen"]
    assert sight(store, listing[2]) == ["seen"]
    assert store.count_waiting("daily") == 3


def test_a_notice_for_an_abstract_makes_papers_of_other_days_and_authors_not_one(store: Store) -> None:
    sight(store, paper("Tidal Memory", abstract=KILNS, authors=("Ada Mere",)))
    assert sight(store, paper("Of Rivers", abstract=KILNS, authors=("Bo Lund",)), days=1) == ["new"]
    assert store.count_waiting("daily") == 2


def test_ids_that_differ_keep_two_papers_of_one_title_apart(store: Store) -> None:
    one, other = arxiv(A, abstract=TIDES), arxiv(B, abstract=TIDES)
    assert sight(store, one, other) == ["new", "new"]
    assert sight(store, other, one) == ["seen", "seen"]
    assert {c.paper.key for c in store.waiting("daily")} == {f"arxiv:{A}", f"arxiv:{B}"}


def test_a_version_of_a_preprint_with_a_doi_of_its_own_is_not_new(store: Store) -> None:
    name = "10.20944/preprints202611.0123"
    first = paper("Tidal Memory", ids={"doi": f"{name}.v1"}, abstract=TIDES)
    same = paper("Tidal Memory in Pools", ids={"doi": f"{name}.v2"}, abstract=TIDES)
    revised = paper("Tidal Memory in Pools", ids={"doi": f"{name}.v3"}, abstract=TIDES_2)
    assert [*sight(store, first), *sight(store, same), *sight(store, revised)] == ["new", "seen", "updated"]


def test_papers_of_one_title_and_other_authors_stay_apart_for_good(store: Store) -> None:
    one = paper("Editorial", authors=("Ada Mere",))
    other = paper("Editorial", authors=("Bo Lund",))
    third = paper("Editorial", authors=("Cy Ortega",))
    assert sight(store, one, other) == ["new", "new"]
    assert sight(store, third, days=1) == ["new"]
    assert sight(store, third, other, one, days=2) == ["seen", "seen", "seen"]
    keys = [c.paper.key for c in store.waiting("daily")]
    assert len(set(keys)) == 3


def test_papers_of_one_title_on_other_pages_of_a_site_stay_apart(store: Store) -> None:
    listing = [
        paper("Foreword", links={"abstract": f"https://example.org/{year}"}) for year in range(2020, 2026)
    ]
    assert sight(store, *listing) == ["new"] * 6
    assert sight(store, *reversed(listing)) == ["seen"] * 6


def test_two_arxiv_papers_that_give_one_doi_stay_two(store: Store) -> None:
    one = paper("Part One", ids={"arxiv": A, "doi": "10.5555/x"})
    two = paper("Part Two", ids={"arxiv": B, "doi": "10.5555/x"})
    assert sight(store, one, two) == ["new", "new"]
    assert sight(store, two, one) == ["seen", "seen"]


def test_a_hostile_title_is_stored_and_found_again(store: Store) -> None:
    listing = [
        paper("\ud800 lone"),
        paper("nul \x00 and \x1b"),
        paper("𝕏" * 3000),
        paper("' OR 1=1 --"),
        paper("100%s %(x)s :x"),
    ]
    assert sight(store, *listing) == ["new"] * 5
    assert sight(store, *listing) == ["seen"] * 5
    assert len(store.waiting("daily")) == 5


# --- two text dumps


def dumps() -> tuple[list[Paper], list[Paper]]:
    """141 and 119 invented papers, titles and abstracts only; 21 in both, one of them with a link on another host."""

    def dumped(n: int, host: str = "huggingface.co") -> Paper:
        words = [
            f"{stem}{(n * k) % 997}"
            for k, stem in enumerate(["tide", "kiln", "salt", "glass", "moss", "ember"] * 12, 1)
        ]
        link = f" Models are at https://{host}/example/model-{n}." if n % 7 == 0 else ""
        return paper(
            f"Study {n}: On {words[3]} and {words[8]}", abstract=" ".join(words).capitalize() + "." + link
        )

    first = [dumped(n) for n in range(141)]
    second = [dumped(n) for n in range(120, 239)]
    at = 126 - 120
    second[at] = dumped(126, host="a-mirror.example.org")
    assert second[at] != first[126]
    return first, second


def test_two_dumps_that_overlap_give_each_paper_once(store: Store) -> None:
    first, second = dumps()
    assert Counter(sight(store, *first)) == {"new": 141}
    assert Counter(sight(store, *second, days=1)) == {"new": 98, "seen": 21}
    for days, dump in enumerate((first, second), 2):
        assert set(sight(store, *dump, days=days)) == {"seen"}
    assert store.count_waiting("daily") == 239


def test_the_order_of_two_dumps_does_not_matter(store: Store) -> None:
    first, second = dumps()
    assert Counter(sight(store, *second)) == {"new": 119}
    assert Counter(sight(store, *first, days=1)) == {"new": 120, "seen": 21}
    assert store.count_waiting("daily") == 239


# --- what is added to a known paper


def test_missing_facts_are_added(store: Store) -> None:
    sight(store, paper(upvotes=3, links={"hf": "https://huggingface.co/papers/x"}))
    sight(
        store,
        arxiv(
            A,
            abstract=TIDES,
            authors=("Ada Mere",),
            upvotes=2,
            links={"pdf": "https://arxiv.org/pdf/" + A},
            categories=("cs.CL",),
        ),
    )
    known = store.waiting("daily")[0].paper
    assert known.ids == {"arxiv": A}
    assert set(known.links) == {"hf", "pdf"}
    assert (known.abstract, known.authors, known.categories, known.upvotes) == (
        TIDES,
        ("Ada Mere",),
        ("cs.CL",),
        3,
    )


def test_more_votes_are_noted(store: Store) -> None:
    sight(store, arxiv(A, upvotes=3))
    assert sight(store, arxiv(A, upvotes=30)) == ["seen"]
    assert store.waiting("daily")[0].paper.upvotes == 30


def test_a_cut_abstract_is_completed_and_never_cut_again(store: Store) -> None:
    sight(store, arxiv(A, abstract=TIDES[:120] + "…"))
    assert sight(store, arxiv(A, abstract=TIDES)) == ["seen"]
    for cut in (TIDES[:90], TIDES.rstrip(".")):
        assert sight(store, arxiv(A, abstract=cut)) == ["seen"]
    assert store.waiting("daily")[0].paper.abstract == TIDES


def test_a_cut_list_of_authors_is_completed(store: Store) -> None:
    sight(store, arxiv(A, authors=("Ada Mere",), authors_cut=True))
    sight(store, arxiv(A, authors=("Ada Mere", "Bo Lund")))
    known = store.waiting("daily")[0].paper
    assert (known.authors, known.authors_cut) == (("Ada Mere", "Bo Lund"), False)


# --- updated


def test_a_higher_version_is_an_update(store: Store) -> None:
    sight(store, arxiv(A, version=1))
    assert sight(store, arxiv(A, version=2), days=1) == ["updated"]
    assert sight(store, arxiv(A, version=2), days=2) == ["seen"]
    assert sight(store, arxiv(A, version=1), days=3) == ["seen"]
    assert store.waiting("daily")[0].paper.version == 2


def test_an_equal_version_is_seen_whatever_its_abstract(store: Store) -> None:
    sight(store, arxiv(A, version=1, abstract=TIDES))
    assert sight(store, arxiv(A, version=1, abstract=TIDES_2)) == ["seen"]


def test_a_lower_version_changes_nothing(store: Store) -> None:
    sight(store, arxiv(A, "New Name", version=3, abstract=TIDES_2))
    assert sight(store, arxiv(A, "Old Name", version=1, abstract=TIDES)) == ["seen"]
    known = store.waiting("daily")[0].paper
    assert (known.title, known.abstract, known.version) == ("New Name", TIDES_2, 3)


def test_a_version_that_becomes_known_is_no_update(store: Store) -> None:
    sight(store, arxiv(A, abstract=TIDES))
    assert sight(store, arxiv(A, abstract=TIDES, version=2)) == ["seen"]
    assert sight(store, arxiv(A, abstract=TIDES, version=3)) == ["updated"]


def test_a_really_revised_abstract_is_an_update_and_replaces_the_old_one(store: Store) -> None:
    sight(store, arxiv(A, abstract=TIDES))
    assert sight(store, arxiv(A, "Tidal Memory, Again", abstract=TIDES_2)) == ["updated"]
    known = store.waiting("daily")[0].paper
    assert (known.title, known.abstract) == ("Tidal Memory, Again", TIDES_2)


@pytest.mark.parametrize(
    "abstract",
    [
        TIDES.replace("forty", "fifty"),
        TIDES.replace(" ", "\n  "),
        TIDES.replace("salt", "$\\mathit{salt}$"),
        TIDES + " Code at https://example.org/code.",
        TIDES[:200],
        "",
    ],
)
def test_a_small_change_is_no_update(store: Store, abstract: str) -> None:
    sight(store, arxiv(A, abstract=TIDES))
    assert sight(store, arxiv(A, abstract=abstract)) == ["seen"]


def test_sources_that_show_different_versions_do_not_take_turns(store: Store) -> None:
    old, new = arxiv(A, abstract=TIDES), arxiv(A, abstract=TIDES_2)
    assert sight(store, old, source="one") == ["new"]
    assert sight(store, new, source="two") == ["updated"]
    for days in range(1, 4):
        assert sight(store, old, source="one", days=days) == ["seen"]
        assert sight(store, new, source="two", days=days) == ["seen"]
    assert store.waiting("daily")[0].paper.abstract == TIDES_2


def test_a_replacement_on_a_later_day_is_an_update_once(store: Store) -> None:
    sight(store, arxiv(A, announce="new"), listed_on=TODAY)
    replaced = arxiv(A, announce="replace")
    later = TODAY + timedelta(days=3)
    assert sight(store, replaced, listed_on=later, days=3) == ["updated"]
    assert sight(store, replaced, listed_on=later, days=3) == ["seen"]
    assert sight(store, arxiv(A, announce="new"), listed_on=TODAY, days=4) == ["seen"]
    assert sight(store, replaced, listed_on=later + timedelta(days=1), days=5) == ["updated"]


def test_a_replacement_of_the_same_day_is_seen(store: Store) -> None:
    sight(store, arxiv(A, announce="new"), listed_on=TODAY)
    assert sight(store, arxiv(A, announce="replace-cross"), listed_on=TODAY) == ["seen"]


def test_the_feed_that_names_the_version_of_a_replacement_does_not_count_it_again(store: Store) -> None:
    sight(store, arxiv(A, version=1), listed_on=TODAY)
    assert sight(store, arxiv(A, announce="replace"), listed_on=TODAY + timedelta(days=1), days=1) == [
        "updated"
    ]
    assert sight(store, arxiv(A, announce="replace", version=2), days=1) == ["seen"]
    assert sight(store, arxiv(A, announce="replace", version=3), days=2) == ["updated"]


def test_a_withdrawal_of_a_known_paper_is_an_update(store: Store) -> None:
    sight(store, arxiv(A), listed_on=TODAY)
    assert sight(store, arxiv(A, announce="withdrawn"), listed_on=TODAY + timedelta(days=1), days=1) == [
        "updated"
    ]


# --- old papers that we meet as a new version


def test_a_replacement_of_a_paper_never_seen_is_withheld(store: Store) -> None:
    assert sight(store, arxiv(A, announce="replace"), listed_on=TODAY) == ["updated"]
    assert store.count_waiting("daily") == 0


def test_a_replacement_of_a_paper_never_seen_is_an_update_for_who_wants_updates(store: Store) -> None:
    sight(store, arxiv(A, announce="replace"), listed_on=TODAY, followers=("daily", "all"), updates=("all",))
    assert store.count_waiting("daily") == 0
    assert [(c.paper.title, c.change) for c in store.waiting("all")] == [("Tidal Memory", "updated")]


@pytest.mark.parametrize("announce", ["new", "cross", None])
def test_a_paper_replaced_before_it_was_listed_as_new_is_not_lost(store: Store, announce: str | None) -> None:
    sight(store, arxiv(A, announce="replace"), listed_on=TODAY)
    assert sight(store, arxiv(A, announce=announce), listed_on=TODAY, days=1) == ["new"]
    assert [(c.paper.title, c.change) for c in store.waiting("daily")] == [
        ("Tidal Memory", announce or "new")
    ]
    assert sight(store, arxiv(A, announce=announce), listed_on=TODAY, days=2) == ["seen"]
    assert sight(store, arxiv(A, announce="replace"), listed_on=TODAY, days=2) == ["seen"]


def test_a_paper_issued_as_an_update_is_not_issued_as_new(store: Store) -> None:
    sight(store, arxiv(A, announce="replace"), listed_on=TODAY, updates=("daily",))
    issue(store)
    sight(store, arxiv(A, announce="new"), listed_on=TODAY, days=1, updates=("daily",))
    assert store.count_waiting("daily") == 0


# --- who is offered what


def test_only_followers_of_the_source_are_offered_its_papers(store: Store) -> None:
    sight(store, arxiv(A), followers=("daily", "weekly"))
    sight(store, arxiv(B, "Dating Kilns"), followers=("weekly",), source="other")
    assert titles(store.waiting("daily")) == ["Tidal Memory"]
    assert titles(store.waiting("weekly")) == ["Tidal Memory", "Dating Kilns"]


def test_a_follower_added_later_is_offered_what_the_listing_shows(store: Store) -> None:
    sight(store, arxiv(A))
    issue(store)
    assert sight(store, arxiv(A), days=1, followers=("daily", "late")) == ["seen"]
    assert store.count_waiting("daily") == 0
    assert [(c.paper.title, c.change) for c in store.waiting("late")] == [("Tidal Memory", "new")]


def test_an_update_reaches_who_wants_updates_after_it_was_issued(store: Store) -> None:
    sight(store, arxiv(A, version=1), followers=("daily", "all"), updates=("all",))
    issue(store, digest="daily")
    issue(store, digest="all")
    sight(store, arxiv(A, version=2), days=1, followers=("daily", "all"), updates=("all",))
    assert store.count_waiting("daily") == 0
    assert [(c.paper.version, c.change) for c in store.waiting("all")] == [(2, "updated")]


def test_an_update_of_a_waiting_paper_is_still_its_first_showing(store: Store) -> None:
    sight(store, arxiv(A, abstract=TIDES, version=1), updates=("daily",))
    sight(store, arxiv(A, abstract=TIDES_2, version=2), updates=("daily",))
    assert [(c.paper.abstract, c.change) for c in store.waiting("daily")] == [(TIDES_2, "new")]


def test_versions_that_came_while_a_paper_waited_are_not_offered_after_it_was_sent(store: Store) -> None:
    everything = [arxiv(A, version=1), arxiv(A, version=2), arxiv(A, version=3)]
    sight(store, *everything, updates=("daily",))
    issue(store)
    sight(store, *everything, arxiv(A), days=1, updates=("daily",))
    assert store.count_waiting("daily") == 0
    sight(store, arxiv(A, version=4), arxiv(A, version=5), days=2, updates=("daily",))
    issue(store, day=TODAY + timedelta(days=2))
    sight(store, arxiv(A), days=3, updates=("daily",))
    assert store.count_waiting("daily") == 0


def test_an_update_found_in_anothers_source_reaches_a_digest_through_its_own(store: Store) -> None:
    both = ("daily", "all")
    sight(store, arxiv(A, version=1), followers=both, updates=both)
    issue(store, digest="daily")
    issue(store, digest="all")
    sight(store, arxiv(A, version=2), source="s", followers=("daily",), updates=("daily",))
    assert sight(store, arxiv(A, version=2), source="t", followers=("all",), updates=("all",)) == ["seen"]
    assert store.count_waiting("all") == 1


def test_switching_updates_on_does_not_bring_back_old_ones(store: Store) -> None:
    sight(store, arxiv(A, version=1))
    issue(store)
    sight(store, arxiv(A, version=2), days=1)
    sight(store, arxiv(A, version=2), days=2, updates=("daily",))
    assert store.count_waiting("daily") == 0


def test_switching_updates_on_does_not_bring_back_versions_of_a_paper_never_shown(store: Store) -> None:
    for version in (2, 3):
        sight(store, arxiv(A, version=version, announce="replace"), listed_on=TODAY)
    sight(store, arxiv(A, version=3, announce="replace"), listed_on=TODAY, days=1, updates=("daily",))
    assert store.count_waiting("daily") == 0
    sight(store, arxiv(A, version=4, announce="replace"), listed_on=TODAY, days=2, updates=("daily",))
    assert [c.change for c in store.waiting("daily")] == ["updated"]


def test_a_dropped_paper_is_not_offered_again(store: Store) -> None:
    sight(store, arxiv(A), arxiv(B, "Dating Kilns"))
    issue(store, keep=lambda candidate: candidate.paper.title == "Tidal Memory")
    sight(store, arxiv(A), arxiv(B, "Dating Kilns"), days=1)
    assert store.count_waiting("daily") == 0


# --- left out by the rules, and then more is known of it

POOLS = DigestConfig(name="daily", include=["pools", "author:Mere", "category:cs.RO"], exclude=["kilns"])


def issue_by_rules(store: Store, rules: DigestConfig = POOLS, day: int = 0) -> list[str]:
    """The titles in the edition that a run would issue."""
    found = select(store.waiting("daily"), rules)
    kept = [chosen.candidate for chosen in found.kept]
    store.issue(edition(store, kept, day=TODAY + timedelta(day)), found.decisions, envelope)
    return titles(kept)


@pytest.mark.parametrize(
    "facts", [{"abstract": TIDES}, {"authors": ("Ada Mere",)}, {"categories": ("cs.RO",)}]
)
@pytest.mark.parametrize("other", [("list", ("daily",)), ("repository", ("daily",)), ("lookup", ())])
def test_a_paper_of_which_a_title_was_known_is_included_when_its_words_are(
    store: Store, facts: dict[str, object], other: tuple[str, tuple[str, ...]]
) -> None:
    sight(store, arxiv(A), arxiv(B, "Dating Pools"))
    assert issue_by_rules(store) == ["Dating Pools"]
    source, followers = other
    sight(store, arxiv(A, **facts), arxiv(B, "Dating Pools", **facts), source=source, followers=followers)
    assert [c.change for c in store.waiting("daily")] == ["new"]
    assert issue_by_rules(store, day=1) == ["Tidal Memory"]
    sight(store, arxiv(A), arxiv(A, **facts), days=2)
    assert store.count_waiting("daily") == 0


def test_a_paper_that_was_excluded_stays_out_whatever_is_learned_of_it(store: Store) -> None:
    sight(store, arxiv(A, "Of Kilns"), arxiv(B, "Dating Pools"))
    issue_by_rules(store)
    sight(store, arxiv(A, "Of Kilns", abstract=TIDES), days=1)
    assert store.count_waiting("daily") == 0


def test_what_is_known_of_an_older_version_is_no_reason_to_look_at_a_paper_again(store: Store) -> None:
    sight(store, arxiv(A, version=1, abstract=KILNS), arxiv(B, "Dating Pools"))
    issue_by_rules(store)
    sight(store, arxiv(A, version=2, abstract=TIDES), days=1)
    assert store.count_waiting("daily") == 0  # a new version, and `updates` is off
    sight(store, arxiv(A, version=2, abstract=TIDES, upvotes=7), days=2)
    assert store.count_waiting("daily") == 0


# --- two known papers turn out to be one


def test_two_known_papers_that_a_listing_shows_to_be_one_are_joined(store: Store) -> None:
    sight(store, paper("What Pools Remember", authors=("Ada Mere",)))
    sight(store, arxiv(A, "Tidal Memory"))
    assert store.count_waiting("daily") == 2
    assert sight(store, arxiv(A, "What Pools Remember")) == ["seen"]
    waiting = store.waiting("daily")
    assert [(c.paper.key, c.paper.authors) for c in waiting] == [(f"arxiv:{A}", ("Ada Mere",))]
    assert (
        sight(store, paper("what pools remember"), paper("tidal memory"), arxiv(A, "Third Name"))
        == ["seen"] * 3
    )
    assert store.count_waiting("daily") == 1


def test_a_joined_paper_that_was_issued_is_never_offered_again(store: Store) -> None:
    sight(store, paper("What Pools Remember"))
    issue(store)
    sight(store, arxiv(A, "Tidal Memory"), days=1)
    assert sight(store, arxiv(A, "What Pools Remember"), days=1) == ["seen"]
    assert store.count_waiting("daily") == 0
    assert sight(store, arxiv(A), paper("What Pools Remember"), days=2, updates=("daily",)) == [
        "seen",
        "seen",
    ]
    assert store.count_waiting("daily") == 0


def test_versions_that_came_before_two_papers_were_joined_are_no_update_after_it(store: Store) -> None:
    sight(store, paper("Tidal Memory", abstract=TIDES), arxiv(A, "What Pools Remember"))
    assert sight(store, paper("Tidal Memory", abstract=TIDES_2), days=1) == ["updated"]
    issue(store)
    both = arxiv(A, "Tidal Memory", abstract=TIDES_2)
    for days in (2, 3):
        sight(store, both, days=days, updates=("daily",))
    assert len(store.find_papers("Tidal Memory")) == 1
    assert store.count_waiting("daily") == 0


def test_papers_are_joined_over_two_steps(store: Store) -> None:
    sight(store, paper("One"), paper("Two", ids={"doi": "10.5555/two"}), arxiv(A, "Three"))
    sight(store, paper("One", ids={"doi": "10.5555/two"}))
    sight(store, paper("Three", ids={"arxiv": A, "doi": "10.5555/two"}))
    assert sight(store, paper("One"), paper("Two"), paper("Three")) == ["seen"] * 3
    assert store.count_waiting("daily") == 1


def test_papers_join_within_the_listing_that_first_shows_them(store: Store) -> None:
    listing = [paper("One"), arxiv(A, "Two"), arxiv(A, "One")]
    assert sight(store, *listing) == ["new", "new", "seen"]
    assert sight(store, *listing) == ["seen"] * 3
    assert store.count_waiting("daily") == 1


def test_papers_whose_ids_conflict_are_not_joined_by_a_title(store: Store) -> None:
    sight(store, arxiv(A, "One"), arxiv(B, "Two"))
    assert sight(store, arxiv(B, "One")) == ["seen"]
    assert sight(store, arxiv(A, "One"), arxiv(B, "Two"), paper("One")) == ["seen"] * 3
    assert store.count_waiting("daily") == 2


def test_a_refused_title_keeps_its_owner(store: Store) -> None:
    sight(store, arxiv(A, "One"))
    sight(store, arxiv(B, "One"))
    found = store.record_sightings(
        "list", [paper("One")], now=NOW, listed_on=None, followers=["daily"], updates_for=frozenset()
    )
    owner = next(c for c in store.waiting("daily") if c.paper.ids == {"arxiv": A})
    assert found[0].paper_id == owner.paper_id


# --- for every sequence of listings

FACETS = st.sampled_from(
    [
        {},
        {"ids": {"arxiv": A}},
        {"ids": {"arxiv": B}},
        {"ids": {"doi": "10.5555/one"}},
        {"ids": {"arxiv": A, "doi": "10.5555/one"}},
        {"links": {"abstract": "https://example.org/1"}},
        {"links": {"abstract": "https://example.org/2"}},
        {"links": {"abstract": "https://other.example/1"}, "ids": {"arxiv": B}},
    ]
)
SHOWN = st.builds(
    lambda title, facet, abstract, version, announce, authors: paper(
        title, abstract=abstract, version=version, announce=announce, authors=authors, **facet
    ),
    st.sampled_from(["One", "Two", "Three", "Tidal Memory of Pools", "Tidal Memory of Pools, Part 2"]),
    FACETS,
    st.sampled_from(
        [
            "",
            TIDES,
            TIDES[:150],
            TIDES + " " + KILNS,
            TIDES_2,
            KILNS,
            TIDES.replace("forty", "fifty"),
            "Short.",
        ]
    ),
    st.sampled_from([None, None, 1, 2]),
    st.sampled_from([None, None, "new", "cross", "replace", "withdrawn"]),
    st.sampled_from([(), ("Ada Mere",), ("Bo Lund",)]),
)
LISTINGS = st.lists(
    st.tuples(st.lists(SHOWN, min_size=1, max_size=5), st.sampled_from([None, 0, 1, 2])),
    min_size=1,
    max_size=4,
)


def days_of(offset: int | None) -> date | None:
    return None if offset is None else TODAY + timedelta(days=offset)


@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(listings=LISTINGS)
def test_a_second_pass_finds_nothing_new_and_nothing_updated(
    listings: list[tuple[list[Paper], int | None]], empty_sqlite: Path, tmp_path: Path
) -> None:
    with fresh(empty_sqlite, tmp_path) as store:
        for papers, day in listings:
            sight(store, *papers, listed_on=days_of(day))
        waiting = store.waiting("daily")
        for papers, day in listings:
            assert set(sight(store, *papers, listed_on=days_of(day))) == {"seen"}
        assert [c.paper_id for c in store.waiting("daily")] == [c.paper_id for c in waiting]
        assert store.check() == []


@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(listings=LISTINGS)
def test_every_paper_listed_is_issued_once_and_never_twice(
    listings: list[tuple[list[Paper], int | None]], empty_sqlite: Path, tmp_path: Path
) -> None:
    with fresh(empty_sqlite, tmp_path) as store:
        issued: set[str] = set()
        for day, (papers, listed) in enumerate(listings):
            sight(store, *papers, listed_on=days_of(listed), days=day)
            if store.count_waiting("daily"):
                entries = issue(store, day=TODAY + timedelta(days=day)).entries
                keys = [entry.paper.key for entry in entries if entry.change != "withdrawn"]
                assert not issued & set(keys)
                issued |= set(keys)
        for papers, listed in listings:
            found = store.record_sightings(
                "again",
                papers,
                now=NOW,
                listed_on=days_of(listed),
                followers=["control"],
                updates_for={"control"},
            )
            assert {sighting.status for sighting in found} == {"seen"}
        assert store.count_waiting("daily") == 0


@settings(
    max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shown=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["title", "arxiv", "doi", "both", "renamed"])),
        min_size=1,
        max_size=12,
    ),
    random=st.randoms(use_true_random=False),
)
def test_the_order_of_listings_does_not_change_how_many_papers_there_are(
    shown: list[tuple[int, str]], random: object, empty_sqlite: Path, tmp_path: Path
) -> None:
    def facet(work: int, kind: str) -> Paper:
        ids = {"arxiv": f"2407.2000{work}", "doi": f"10.5555/{work}"}
        kept = {
            "title": [],
            "arxiv": ["arxiv"],
            "doi": ["doi"],
            "both": ["arxiv", "doi"],
            "renamed": ["arxiv"],
        }[kind]
        return paper(
            f"Renamed {work}" if kind == "renamed" else f"Work {work}", ids={name: ids[name] for name in kept}
        )

    papers = [facet(*item) for item in shown]
    counts = []
    for _ in range(3):
        with fresh(empty_sqlite, tmp_path) as store:
            for one in papers:
                sight(store, one)
            counts.append(store.count_waiting("daily"))
        random.shuffle(papers)  # type: ignore[attr-defined]
    assert len(set(counts)) == 1


def fresh(empty: Path, folder: Path) -> Store:
    for path in folder.glob("fresh.db*"):
        path.unlink()
    shutil.copy(empty, folder / "fresh.db")
    return open_store(f"sqlite:///{folder / 'fresh.db'}")
