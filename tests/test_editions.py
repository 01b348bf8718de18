"""Editions: deterministic ids, anchors and counts that add up."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import msgspec

from digest.config import DigestConfig, TopicConfig
from digest.editions import make_edition, paper_guid
from digest.model import Candidate, Edition, Paper
from digest.selection import select

NOW = datetime(2026, 11, 19, 6, tzinfo=UTC)
DIGEST = DigestConfig(
    name="daily",
    title="Paper Digest",
    picks=1,
    topics=(
        TopicConfig(name="Robotics", slug="ro", any=("robot",)),
        TopicConfig(name="Empty", any=("nothing",)),
    ),
)


def edition(*papers: Paper, part: int = 1) -> Edition:
    candidates = [
        Candidate(paper_id=n, paper=paper, change="new", source="s", found_at=NOW)
        for n, paper in enumerate(papers, 1)
    ]
    kept = select(candidates, DIGEST).kept
    return make_edition(
        DIGEST,
        date(2026, 11, 19),
        part=part,
        number=7,
        issued_at=NOW,
        chosen=kept,
        authority="papers.example.org,2026",
    )


ROBOT = Paper(key="arxiv:2611.10421", title="Robot one", abstract="We build. It works.", upvotes=3)
ROBOT2 = Paper(key="doi:10.5555/a b", title="Robot two")
MOTH = Paper(key="title:0123", title="Moths")


def test_an_edition_is_named_for_its_day_and_part() -> None:
    assert (edition(MOTH).id, edition(MOTH).path) == ("2026-11-19", "2026/11/19/")
    second = edition(MOTH, part=2)
    assert (second.id, second.path) == ("2026-11-19/2", "2026/11/19/2/")
    assert edition(MOTH).guid != second.guid


def test_picks_and_topics_add_up_and_empty_topics_are_not_shown() -> None:
    made = edition(ROBOT, ROBOT2, MOTH)
    assert [e.paper.title for e in made.picks] == ["Robot one"]
    assert [(s.name, s.slug, len(s.entries)) for s in made.sections] == [
        ("Robotics", "ro", 1),
        ("Other", "other", 1),
    ]
    assert made.count == 3
    assert [e.paper.title for e in made.entries] == ["Robot one", "Robot two", "Moths"]


def test_a_guid_is_a_tag_uri_of_the_paper_and_not_of_the_edition() -> None:
    assert edition(ROBOT).entries[0].guid == "tag:papers.example.org,2026:arxiv:2611.10421"
    assert edition(ROBOT, part=2).entries[0].guid == edition(ROBOT).entries[0].guid
    assert paper_guid("h,2026", "doi:10.5555/a b") == "tag:h,2026:doi:10.5555/a%20b"


def test_anchors_are_plain_and_unique() -> None:
    twin = Paper(key="doi:10.5555/a?b", title="Robot three")
    anchors = [e.anchor for e in edition(ROBOT, ROBOT2, twin, MOTH).entries]
    assert anchors[0] == "p-2611.10421"
    assert len(set(anchors)) == 4
    assert "p-10.5555-a-b" in anchors
    assert "p-10.5555-a-b-2" in anchors


def test_the_gist_is_made_once_and_frozen() -> None:
    assert edition(ROBOT).entries[0].gist == "We build."


def test_a_stored_snapshot_is_the_same_edition() -> None:
    made = edition(ROBOT, ROBOT2, MOTH)
    assert msgspec.json.decode(msgspec.json.encode(made), type=Edition) == made


# --- streams


def streamed(
    *changes: Any, digest: DigestConfig = DIGEST, previous: date | None = None, listed: date | None = None
) -> Edition:
    candidates = [
        Candidate(
            paper_id=n,
            paper=Paper(key=f"title:{n}", title=f"Robot {n}" if n % 2 else f"Moth {n}"),
            change=change,
            source="s",
            found_at=NOW,
            listed_on=listed,
        )
        for n, change in enumerate(changes, 1)
    ]
    return make_edition(
        digest,
        date(2026, 11, 19),
        part=1,
        number=7,
        issued_at=NOW,
        chosen=select(candidates, digest).kept,
        authority="papers.example.org,2026",
        previous=previous,
    )


ALL = msgspec.structs.replace(DIGEST, updates=True, picks=0)


def test_what_is_not_new_stands_behind_the_topics_in_sections_of_its_own() -> None:
    made = streamed("withdrawn", "updated", "cross", "new", "new", "cross", "updated", digest=ALL)
    assert [(s.name, s.slug, len(s.entries)) for s in made.sections] == [
        ("Robotics", "ro", 1),
        ("Other", "other", 1),
        ("Cross-listed", "cross", 2),
        ("New versions", "updated", 2),
        ("Withdrawn", "withdrawn", 1),
    ]
    assert [e.change for e in made.entries] == [*["new"] * 2, *["cross"] * 2, *["updated"] * 2, "withdrawn"]
    assert [e.topic for e in made.sections[2].entries] == ["Robotics", ""]


def test_an_edition_of_withdrawals_alone_has_no_picks() -> None:
    made = streamed("withdrawn")
    assert (made.picks, [s.name for s in made.sections]) == ((), ["Withdrawn"])


def test_a_topic_that_has_the_slug_of_a_stream_keeps_it() -> None:
    topics = (TopicConfig(name="Cross", any=("robot",)), TopicConfig(name="X", slug="cross-2", any=("moth",)))
    made = streamed("new", "cross", digest=msgspec.structs.replace(ALL, topics=topics))
    assert [(s.name, s.slug) for s in made.sections] == [("Cross", "cross"), ("Cross-listed", "cross-3")]


def test_what_was_listed_before_the_last_edition_is_late() -> None:
    listed = date(2026, 11, 17)
    before = {None: None, date(2026, 11, 16): None, date(2026, 11, 17): listed, date(2026, 11, 18): listed}
    for previous, late in before.items():
        assert streamed("new", previous=previous, listed=listed).entries[0].late == late
    assert streamed("new", previous=date(2026, 11, 18)).entries[0].late is None


def test_a_snapshot_from_before_there_were_streams_is_still_an_edition() -> None:
    stored = msgspec.to_builtins(edition(ROBOT, ROBOT2, MOTH))
    for entry in [*stored["picks"], *(e for section in stored["sections"] for e in section["entries"])]:
        del entry["late"], entry["change"]
    old = msgspec.json.decode(msgspec.json.encode(stored), type=Edition)
    assert old == edition(ROBOT, ROBOT2, MOTH)
