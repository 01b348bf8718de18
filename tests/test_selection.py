"""Selection: which papers, under which topic, in which order, each with its reason."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.config import DigestConfig, TopicConfig
from digest.model import Candidate, Paper
from digest.selection import Selection, select

NOW = datetime(2026, 11, 21, tzinfo=UTC)
ROBOTS = TopicConfig(name="Robotics", any=("robot", "grip*"), categories=("cs.RO",))
MODELS = TopicConfig(name="Language models", any=("language model", "LLM"), categories=("cs.CL",))


def candidate(
    number: int, title: str = "", *, change: Any = "new", source: str = "s", **facts: Any
) -> Candidate:
    paper = Paper(key=f"title:{number}", title=title or f"Paper {number}", **facts)
    return Candidate(paper_id=number, paper=paper, change=change, source=source, found_at=NOW)


def chosen(candidates: list[Candidate], **rules: Any) -> Selection:
    return select(candidates, DigestConfig(name="d", **{"picks": 0, "topics": (ROBOTS, MODELS), **rules}))


def topics(selection: Selection) -> list[tuple[int, str]]:
    return [(item.candidate.paper_id, item.topic) for item in selection.kept]


def test_a_paper_goes_to_the_first_topic_whose_words_it_has() -> None:
    found = chosen(
        [candidate(1, "A robot with a language model"), candidate(2, "Large LLMs"), candidate(3, "Moths")]
    )
    assert topics(found) == [(1, "Robotics"), (2, "Language models"), (3, "")]
    assert [d.reason for d in found.decisions] == [
        'topic "Robotics": "robot"',
        'topic "Language models": "LLM"',
        "no topic fits: Other",
    ]


def test_the_primary_category_decides_before_words_and_other_categories_after() -> None:
    found = chosen([
        candidate(1, "A robot", categories=("cs.CL", "cs.RO")),
        candidate(2, "Moths", categories=("q-bio.PE", "cs.RO")),
        candidate(3, "An LLM", categories=("math.CO", "cs.RO")),
    ])  # fmt: skip
    assert dict(topics(found)) == {1: "Language models", 2: "Robotics", 3: "Language models"}
    assert [d.reason for d in found.decisions] == [
        'topic "Language models": category cs.CL',
        'topic "Robotics": category cs.RO',
        'topic "Language models": "LLM"',
    ]


def test_case_counts_neither_in_the_field_of_a_rule_nor_in_its_value() -> None:
    found = [candidate(1, "A robot", authors=("Ada Okoye",), source="Inbox"), candidate(2, "Moths")]
    for rule in ("Title:ROBOT", "author:ada okoye", "SOURCE:inbox", "Author: Okoye"):
        assert [item.candidate.paper_id for item in chosen(found, exclude=(rule,)).kept] == [2], rule


@pytest.mark.parametrize(
    ("title", "topic"),
    [
        ("ROBOTS everywhere", "Robotics"),
        ("Aerobotics", ""),
        ("Robotic arms", ""),
        ("Gripping things", "Robotics"),
        ("Language-model merging", "Language models"),
        ("The language\u2010models of birds", "Language models"),
        ("Language of models", ""),
    ],
)
def test_words_match_whole_with_plural_and_star_matches_beginnings(title: str, topic: str) -> None:
    assert topics(chosen([candidate(1, title)])) == [(1, topic)]


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [("math.*", [1, 2]), ("MATH.AG", [1]), ("math", []), ("math*", [1, 2, 3]), ("cs.CL", [4]), ("cs.C", [])],
)
def test_a_category_is_meant_as_it_stands_and_with_a_star_all_that_begin_so(
    wanted: str, kept: list[int]
) -> None:
    found = [
        candidate(1, "Curves", categories=("math.AG", "hep-th")),
        candidate(2, "Tides", categories=("physics.ao-ph", "math.AP")),
        candidate(3, "Knots", categories=("mathematics",)),
        candidate(4, "Words", categories=("cs.CL",)),
        candidate(5, "Moths"),
    ]
    selection = chosen(found, include=(f"category:{wanted}",), topics=())
    assert sorted(item.candidate.paper_id for item in selection.kept) == kept
    sorted_in = chosen(found, topics=(TopicConfig(name="Here", categories=(wanted,)),))
    assert sorted(number for number, topic in topics(sorted_in) if topic) == kept


@pytest.mark.parametrize(
    ("alias", "shown"),
    [
        ("cs.NA", "math.NA"),
        ("cs.SY", "eess.SY"),
        ("math.IT", "cs.IT"),
        ("math.MP", "math-ph"),
        ("q-fin.EC", "econ.GN"),
        ("stat.TH", "math.ST"),
    ],
)
def test_a_category_of_arxiv_with_two_names_is_one(alias: str, shown: str) -> None:
    """https://arxiv.org/category_taxonomy; its pages show the second only."""
    for on_page in (alias, shown):
        found = [candidate(1, categories=(on_page,)), candidate(2, categories=("hep-th",))]
        for wanted in (alias, shown, f"{alias.partition('.')[0]}.*"):
            topic = TopicConfig(name="Wanted", categories=(wanted,))
            assert topics(chosen(found, topics=(topic,))) == [(1, "Wanted"), (2, "")], wanted
            assert topics(chosen(found, include=(f"category:{wanted}",))) == [(1, "")], wanted


def test_words_are_looked_for_in_the_abstract_too() -> None:
    assert topics(chosen([candidate(1, "Arms", abstract="We build a robot.")])) == [(1, "Robotics")]


def test_exclude_rules_name_themselves() -> None:
    found = chosen([candidate(1, "A survey of robots"), candidate(2, "Robots")], exclude=("survey",))
    assert topics(found) == [(2, "Robotics")]
    assert next((d.paper_id, d.kept, d.reason) for d in found.decisions) == (
        1,
        False,
        'exclude rule "survey"',
    )


def test_the_name_of_a_field_without_a_colon_is_a_word_like_any_other() -> None:
    for word in ("title", "author", "category", "source"):
        found = [candidate(1, f"The {word} of a book", authors=("Ada Fenwick",)), candidate(2, "Moths")]
        assert [item.candidate.paper_id for item in chosen(found, exclude=(word,)).kept] == [2], word


def test_include_rules_leave_out_what_none_of_them_matches() -> None:
    papers = [
        candidate(1, "X", authors=("Ada Fenwick",)),
        candidate(2, "X", categories=("cs.RO",)),
        candidate(3, "A phrase of words here"),
        candidate(4, "X", source="journal"),
        candidate(5, "X", abstract="phrase of words"),
        candidate(6, "Other"),
    ]
    rules = ("author:fenwick", "category:CS.RO", "title:phrase of words", "source:journal")
    found = chosen(papers, include=rules)
    assert sorted(number for number, _ in topics(found)) == [1, 2, 3, 4]
    assert {d.reason for d in found.decisions if not d.kept} == {"no include rule matches"}


def test_new_versions_are_left_out_unless_wanted() -> None:
    updated = candidate(1, "Robots", change="updated")
    assert chosen([updated]).kept == ()
    assert topics(chosen([updated], updates=True)) == [(1, "Robotics")]


STREAMS = ("new", "cross", "updated", "withdrawn")


@pytest.mark.parametrize(
    ("stream", "key", "reason"),
    [
        ("new", "new", "a new paper, and new = false"),
        ("cross", "cross", "a cross-listing, and cross = false"),
        ("updated", "updates", "a new version of an older paper, and updates = false"),
        ("withdrawn", "withdrawn", "a withdrawal, and withdrawn = false"),
    ],
)
def test_each_stream_is_on_or_off(stream: str, key: str, reason: str) -> None:
    papers = [candidate(n, "Robots", change=change) for n, change in enumerate(STREAMS, 1)]
    found = chosen(papers, **{"updates": True, key: False})
    assert [c.candidate.change for c in found.kept] == [s for s in STREAMS if s != stream]
    assert [d.reason for d in found.decisions if not d.kept] == [reason]


def test_no_rule_keeps_a_withdrawal_from_those_who_were_sent_the_paper() -> None:
    found = chosen(
        [candidate(1, "A survey", change="withdrawn"), candidate(2, "A survey", change="cross")],
        exclude=("survey",),
        include=("moths",),
    )
    assert [d.reason for d in found.decisions] == ["withdrawn after it was sent", 'exclude rule "survey"']
    assert topics(found) == [(1, "")]


def test_the_streams_come_one_after_the_other_each_topic_by_topic() -> None:
    papers = [
        candidate(n, title, change=change)
        for n, (title, change) in enumerate(
            ((t, c) for c in reversed(STREAMS) for t in ("Moths", "An LLM", "Robots")), 1
        )
    ]
    found = chosen(papers, updates=True)
    assert [(c.candidate.change, c.topic) for c in found.kept] == [
        (change, topic) for change in STREAMS for topic in ("Robotics", "Language models", "")
    ]


def test_cross_listings_are_picks_only_where_there_are_too_few_new_papers() -> None:
    papers = [
        candidate(1, "Robots", change="withdrawn", upvotes=90),
        candidate(2, "Robots", change="updated", upvotes=80),
        candidate(3, "Robots", change="cross", upvotes=70),
        candidate(4, "Robots", upvotes=1),
    ]
    for picks, expected in ((1, [4]), (2, [4, 3]), (4, [4, 3])):
        found = chosen(papers, picks=picks, updates=True)
        assert [c.candidate.paper_id for c in found.kept if c.pick is not None] == expected


def test_the_most_voted_papers_are_the_picks_and_are_not_repeated() -> None:
    papers = [candidate(n, f"Robot {n}", upvotes=votes) for n, votes in ((1, 5), (2, 50), (3, None), (4, 7))]
    found = chosen(papers, picks=2)
    assert [(c.candidate.paper_id, c.pick) for c in found.kept] == [(2, 1), (4, 2), (1, None), (3, None)]


def test_without_votes_the_papers_that_say_most_about_the_topics_are_picked() -> None:
    papers = [candidate(1, "Moths"), candidate(2, "Robot"), candidate(3, "Robots that grip")]
    assert next(c.candidate.paper_id for c in chosen(papers, picks=1).kept) == 3


def test_within_a_topic_votes_come_first_then_titles() -> None:
    papers = [
        candidate(1, "Robot b", upvotes=1),
        candidate(2, "Robot a", upvotes=1),
        candidate(3, "Robot c", upvotes=9),
        candidate(4, "An LLM", upvotes=99),
    ]
    assert [n for n, _ in topics(chosen(papers))] == [3, 2, 1, 4]


@given(st.permutations(range(1, 9)))
def test_the_order_of_the_candidates_does_not_matter(order: list[int]) -> None:
    made = {n: candidate(n, f"Robot {n % 3}", upvotes=n % 4) for n in range(1, 9)}
    expected = chosen([made[n] for n in sorted(made)], picks=3).kept
    assert chosen([made[n] for n in order], picks=3).kept == expected


def test_every_candidate_has_a_decision() -> None:
    papers = [candidate(n, "survey" if n % 2 else "robot") for n in range(1, 7)]
    found = chosen(papers, exclude=("survey",), picks=2)
    assert [d.paper_id for d in found.decisions] == [1, 2, 3, 4, 5, 6]
    assert len(found.kept) == 3
