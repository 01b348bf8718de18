# ruff: noqa: F811 - fixtures are imported by name
"""The story of a paper: found by whatever a user types, told in full, and without the name of any reader."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from digest.model import Receipt
from digest.store import Store, Story
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    issue,
    paper,
    sight,
    store,
    store_url,
)
from test_cli import Shell, shell  # noqa: F401

A = "2407.10001"


def told(store: Store, text: str) -> Story:
    (head,) = store.find_papers(text)
    story = store.story(head.id)
    assert story is not None
    return story


# --- which paper is meant


@pytest.mark.parametrize(
    "text",
    [
        f"arxiv:{A}",
        A,
        f"{A}v3",
        f"arXiv:{A}v1",
        f"https://arxiv.org/abs/{A}v2",
        f"http://arxiv.org/pdf/{A}.pdf",
        f"https://huggingface.co/papers/{A}",
        f"10.48550/arXiv.{A}",
        "10.5555/Tides",
        "doi:10.5555/tides",
        "https://doi.org/10.5555/TIDES",
        "https://example.org/papers/7/?utm_source=mail",
        "Tidal Mémory",
        "  tidal   memory. ",
        "memory",
        "POOLS tidal",
    ],
)
def test_a_paper_is_found_by_whatever_names_it(store: Store, text: str) -> None:
    facts: dict[str, object] = {"links": {"abstract": "https://example.org/papers/7"}}
    sight(store, paper("Tidal Memory", ids={"arxiv": A, "doi": "10.5555/tides"}, **facts), paper("Kilns"))
    sight(store, paper("Tidal Pools", links={"abstract": "https://example.org/papers/8"}))
    title = "Tidal Pools" if "POOLS" in text else "Tidal Memory"
    assert [head.title for head in store.find_papers(text)] == [title]


def test_words_that_fit_several_papers_give_all_of_them(store: Store) -> None:
    sight(store, *(paper(f"Dating Kilns, part {n}", ids={"arxiv": f"2407.1000{n}"}) for n in range(4)))
    sight(store, paper("Kilns", ids={"arxiv": "2407.10009"}))
    assert [head.title for head in store.find_papers("kilns")][:2] == ["Kilns"]
    assert len(store.find_papers("dating KILNS")) == 4
    assert len(store.find_papers("dating kilns", limit=2)) == 2


def test_papers_of_one_title_are_all_meant_by_it(store: Store) -> None:
    sight(store, *(paper("Editorial", authors=(name,)) for name in ("Ada Mere", "Bo Lund", "Cy Ortega")))
    found = store.find_papers("editorial")
    assert len(found) == 3
    assert store.find_papers(found[1].key) == [found[1]]


def test_what_nobody_knows_has_nearest_titles(store: Store) -> None:
    sight(store, paper("Tidal Memory"), paper("A Memory of Tidal Pools"), paper("Kilns"))
    assert store.find_papers("tidal memory of moths") == []
    assert [head.title for head in store.nearest_papers("tidal memory of moths")] == [
        "A Memory of Tidal Pools",
        "Tidal Memory",
    ]
    for nothing in ("", " ", "%", "\x00", "' OR 1=1 --"):
        assert store.find_papers(nothing) == []
    assert store.story(10**6) is None


# --- its story


def test_the_story_has_the_whole_way_of_a_paper(store: Store) -> None:
    store.add_subscriber("ada@example.org", digests=[], now=NOW)
    sight(store, paper(ids={"arxiv": A}, announce="cross"), source="cs.AI", listed_on=TODAY)
    sight(store, paper(announce="new"), paper("Kilns"), source="cs.CL", followers=("daily", "weekly"), days=1)
    issue(store, keep=lambda c: c.paper.title != "Kilns", day=TODAY + timedelta(days=1), days=1)
    (delivery,) = store.claim(now=NOW, holder="x", limit=5)
    store.record_receipts([(delivery, Receipt(status="accepted"), None)], now=NOW)
    story = told(store, A)
    assert (story.paper.key, story.first_seen, story.announced_on) == (f"arxiv:{A}", NOW, TODAY)
    assert story.keys[0] == f"arxiv:{A}"
    assert [key.partition(":")[0] for key in story.keys] == ["arxiv", "title", "shown"]
    assert [(s.source, s.listed_on, s.status, s.announce) for s in story.sightings] == [
        ("cs.AI", TODAY, "new", "cross"),
        ("cs.CL", None, "seen", "new"),
    ]
    assert [(s.matched_by or "").partition(":")[0] for s in story.sightings] == ["", "title"]
    assert [(o.digest, o.state, o.stream, o.reason, o.edition) for o in story.offers] == [
        ("daily", "issued", "new", "topic", f"{TODAY + timedelta(days=1)}"),
        ("weekly", "waiting", "new", "", None),
    ]
    assert [(e.digest, e.number, e.position, e.deliveries) for e in story.editions] == [
        ("daily", 1, 1, {"accepted": 1})
    ]
    assert b"ada" not in msgspec.json.encode(story)
    assert [(o.state, o.reason) for o in told(store, "Kilns").offers] == [
        ("dropped", "excluded"),
        ("waiting", ""),
    ]


def test_the_story_knows_what_was_joined_and_said_by_hand(store: Store) -> None:
    sight(
        store, paper("What Pools Remember"), paper(ids={"arxiv": A}), paper("Kilns", ids={"doi": "10.5555/k"})
    )
    sight(store, paper("What Pools Remember", ids={"arxiv": A}), source="two")
    store.merge(f"arxiv:{A}", "doi:10.5555/k", NOW)
    story = told(store, "doi:10.5555/k")
    assert story == told(store, A)
    assert {head.title for head in story.joined} == {"What Pools Remember", "Kilns"}
    assert [(said.relation, said.made_at) for said in story.corrections] == [("one", NOW)]
    assert {said.left for said in story.corrections} | {said.right for said in story.corrections} == {
        f"arxiv:{A}",
        "doi:10.5555/k",
    }
    assert len(story.sightings) == 4
    assert store.story(story.joined[0].id) == story


# --- on the command line


def test_why_tells_a_story_in_lines_of_a_terminal(shell: Shell) -> None:
    shell.put("one.xml", [("Tidal Memory", "We study tidal pools."), ("Dating Kilns", "Old kilns.")])
    shell("subscribers", "add", "ada@example.org")
    shell("run")
    text = shell("why", "tidal", "memory").stdout
    assert text.startswith("Tidal Memory\n")
    assert "daily: sent as new in edition " in text
    assert "place 1: 1 accepted." in text
    assert "ada@" not in text
    assert max(len(line) for line in text.splitlines()) <= 80
    story = shell.json("why", "dating kilns")
    assert story["paper"]["title"] == "Dating Kilns"
    assert story["offers"][0]["state"] == "issued"


def test_why_names_what_may_be_meant(shell: Shell) -> None:
    shell.put("one.xml", [("Dating Kilns by Glass", "One."), ("Dating Kilns by Salt", "Two.")])
    shell("run")
    said = shell("why", "dating kilns", code=1).stderr
    assert "may be 2 papers" in said
    assert "Dating Kilns by Salt" in said
    assert "Nearest titles" in shell("why", "kilns of iron", code=1).stderr
    found = shell.json("why", "kilns of iron", code=1)
    assert len(found["candidates"]) == 2
    assert "`digest search` looks for words" in shell("why", "10.5555/nothing", code=1).stderr


def test_a_merge_of_a_paper_with_itself_says_which_paper_it_is_and_what_to_do(shell: Shell) -> None:
    shell.put("one.xml", [("Dating Kilns by Glass", "One."), ("Dating Kilns by Salt", "Two.")])
    shell("run")
    (key,) = shell.json("why", "Dating Kilns by Glass")["keys"][:1]
    same = shell("merge", "Dating Kilns by Glass", key, code=2).stderr
    assert same.startswith("error: Both names are one paper already: ")
    assert '"Dating Kilns by Glass". Nothing was changed. Name another paper' in same
    asked = same[same.index("digest why") :].split('"')[1]
    assert "Dating Kilns by Glass" in shell("why", asked).stdout
    shell("merge", "Dating Kilns by Glass", "Dating Kilns by Salt")
    again = shell("merge", "Dating Kilns by Glass", "Dating Kilns by Salt", code=2).stderr
    assert "one paper already" in again


def test_a_merge_of_two_papers_that_nobody_knows_is_one_object(shell: Shell) -> None:
    assert shell.json("merge", "nothing here", "nor here", code=1)["exit_code"] == 1


def test_a_merge_and_a_split_say_what_they_did_and_how_to_take_it_back(shell: Shell) -> None:
    shell.put("one.xml", [("Dating Kilns by Glass", "One."), ("Dating Kilns by Salt", "Two.")])
    shell("run")
    merged = shell("merge", "Dating Kilns by Glass", "Dating Kilns by Salt").stdout
    assert "one paper from now on" in merged
    assert "daily: was sent, and is not offered again." in merged
    assert "Nothing new" in shell("run", "--again").stdout
    command = merged.strip().splitlines()[-1].split()
    taken_back = shell(*command[1:]).stdout
    assert "The earlier merge by hand is taken back." in taken_back
    assert taken_back.count("was sent, and is not offered again") == 2
    assert "Nothing new" in shell("run", "--again").stdout
    assert "no paper has the key" in shell("split", "Dating Kilns by Glass", "nonsense", code=2).stderr
