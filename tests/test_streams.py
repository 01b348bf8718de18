# ruff: noqa: F811 - fixtures are imported by name
"""Streams: new, cross-listed, updated, withdrawn; each paper in one of them, and in none of them twice."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import examples
from digest.config import DigestConfig
from digest.model import Candidate, Paper
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
)

A = "2407.10001"
OTHER = "doi:10.5555/other"


def shown(announce: str | None, **facts: object) -> Paper:
    return paper(ids={"arxiv": A}, announce=announce, **facts)


def streams(store: Store, digest: str = "daily") -> list[str]:
    return [candidate.change for candidate in store.waiting(digest)]


def drop(store: Store, digest: str = "daily") -> None:
    """What a run does where the rules keep nothing."""
    waiting = store.waiting(digest)
    store.drop(digest, select(waiting, DigestConfig(name=digest, cross=False, new=False)).decisions)


# --- cross-listed


def test_a_cross_listing_waits_as_one(store: Store) -> None:
    assert sight(store, shown("cross")) == ["new"]
    assert streams(store) == ["cross"]


@pytest.mark.parametrize("announce", ["new", None])
@pytest.mark.parametrize("days", [0, 1])
def test_new_wins_over_cross_listed_while_the_paper_waits(
    store: Store, announce: str | None, days: int
) -> None:
    sight(store, shown("cross"), source="cs.AI")
    sight(store, shown(announce), source="cs.CL", days=days)
    sight(store, shown("cross"), source="cs.AI", days=days)
    assert streams(store) == ["new"]
    assert store.waiting("daily")[0].source == "cs.CL"


def test_what_was_sent_as_a_cross_listing_is_not_offered_as_new(store: Store) -> None:
    sight(store, shown("cross"))
    issue(store)
    sight(store, shown("new"), source="cs.CL", days=1)
    assert streams(store) == []


def test_a_cross_listing_that_was_left_out_is_offered_once_it_is_new(store: Store) -> None:
    sight(store, shown("cross"))
    drop(store)
    sight(store, shown("cross"), days=1)
    assert streams(store) == []
    sight(store, shown("new"), source="cs.CL", days=1)
    assert streams(store) == ["new"]
    drop(store)
    sight(store, shown("cross"), shown("new"), days=2)
    assert streams(store) == []


def test_a_replaced_cross_listing_is_an_update(store: Store) -> None:
    sight(store, shown("cross"), listed_on=TODAY)
    issue(store)
    sight(store, shown("replace-cross"), listed_on=TODAY + timedelta(days=1), updates=("daily",))
    assert streams(store) == ["updated"]


# --- withdrawn


def test_a_withdrawal_is_offered_once_to_a_digest_that_sent_the_paper(store: Store) -> None:
    sight(store, shown("new"))
    issue(store)
    for days in (1, 2):
        assert sight(store, shown("withdrawn"), days=days) == ["updated" if days == 1 else "seen"]
        assert streams(store) == ["withdrawn"]
    issue(store, day=TODAY + timedelta(days=2), days=2)
    later = TODAY + timedelta(days=5)
    sight(store, shown("withdrawn"), shown("replace", version=3), listed_on=later, updates=("daily",))
    assert streams(store) == []


def test_a_withdrawal_that_a_digest_does_not_want_is_not_offered_again(store: Store) -> None:
    sight(store, shown("new"))
    issue(store)
    sight(store, shown("withdrawn"), days=1)
    waiting = store.waiting("daily")
    store.drop("daily", select(waiting, DigestConfig(name="daily", withdrawn=False)).decisions)
    sight(store, shown("withdrawn"), days=2, listed_on=TODAY + timedelta(days=2))
    assert streams(store) == []


def test_a_paper_withdrawn_before_it_was_sent_is_dropped_with_that_reason(store: Store) -> None:
    sight(store, shown("new"), source="cs.CL")
    sight(store, shown("withdrawn"), source="api")
    sight(store, shown("new"), source="cs.CL", days=1)
    assert streams(store) == []
    story = store.story(store.find_papers(A)[0].id)
    assert story is not None
    assert [(o.state, o.reason) for o in story.offers] == [("dropped", "withdrawn before it was sent")]


def test_a_withdrawn_paper_never_seen_is_never_shown(store: Store) -> None:
    assert sight(store, shown("withdrawn")) == ["updated"]
    sight(store, shown("new"), shown("replace"), days=1, updates=("daily",))
    assert streams(store) == []


def test_a_waiting_update_of_a_sent_paper_becomes_its_withdrawal(store: Store) -> None:
    sight(store, shown("new", version=1))
    issue(store)
    sight(store, shown("replace", version=2), days=1, updates=("daily",))
    sight(store, shown("withdrawn", version=3), days=1, updates=("daily",))
    assert streams(store) == ["withdrawn"]


def test_every_digest_that_sent_the_paper_hears_of_it_whatever_it_reads(store: Store) -> None:
    sight(store, shown(None), source="hf", followers=("hf", "weekly"))
    issue(store, digest="hf")
    sight(store, shown("withdrawn"), source="arxiv", followers=("daily",), days=1)
    assert streams(store, "hf") == ["withdrawn"]
    assert streams(store, "weekly") == []
    assert streams(store, "daily") == []


def test_an_old_version_that_is_called_withdrawn_does_not_withdraw_a_newer_one(store: Store) -> None:
    sight(store, shown("new", version=3))
    issue(store)
    assert sight(store, shown("withdrawn", version=2), days=1) == ["seen"]
    assert streams(store) == []


def test_a_withdrawal_is_offered_for_a_paper_that_a_listing_joined(store: Store) -> None:
    sight(store, paper("What Pools Remember"))
    issue(store)
    sight(store, shown("withdrawn"), days=1)
    sight(store, paper("What Pools Remember", ids={"arxiv": A}), days=1)
    assert streams(store) == ["withdrawn"]


# --- when it was listed


def test_a_candidate_has_the_listing_day_of_the_sighting_that_brought_it(store: Store) -> None:
    sight(store, shown("cross"), listed_on=TODAY - timedelta(days=1))
    sight(store, shown("cross"), listed_on=TODAY)
    assert [c.listed_on for c in store.waiting("daily")] == [TODAY - timedelta(days=1)]
    sight(store, shown("new"), listed_on=TODAY)
    assert [c.listed_on for c in store.waiting("daily")] == [TODAY]


def test_the_edition_before_is_the_newest_up_to_that_day(store: Store) -> None:
    assert store.previous_day("daily", TODAY) is None
    for day in (TODAY, date(2099, 1, 1), TODAY - timedelta(days=3)):
        store.issue(edition(store, [], day=day), [], envelope)
    assert store.previous_day("daily", TODAY) == TODAY
    assert store.previous_day("daily", TODAY - timedelta(days=1)) == TODAY - timedelta(days=3)
    assert store.previous_day("weekly", TODAY) is None


# --- for every sequence of sightings

SIGHTINGS = st.lists(
    st.tuples(
        st.integers(0, 2),  # the paper
        st.sampled_from(["arxiv", "hf", "journal"]),
        st.sampled_from([None, "new", "new", "cross", "cross", "replace", "replace-cross", "withdrawn"]),
        st.sampled_from([None, None, 1, 2, 3]),  # its version
        st.sampled_from([None, 0, 1, 2]),  # the listing day
        st.sampled_from(["id", "title", "both"]),
    ),
    min_size=1,
    max_size=6,
)
DAYS = st.lists(SIGHTINGS, min_size=1, max_size=6)
DIGESTS = {
    "all": DigestConfig(name="all", updates=True),
    "plain": DigestConfig(name="plain"),
    "strict": DigestConfig(name="strict", cross=False, withdrawn=False),
}
READ_BY = {"arxiv": ("all", "strict"), "hf": ("plain", "all"), "journal": ("plain",)}


def one(number: int, announce: str | None, version: int | None, face: str) -> Paper:
    title = f"Work {number}" if face != "id" else f"Work {number} by its id"
    ids = {} if face == "title" else {"arxiv": f"2407.2000{number}"}
    return paper(title, ids=ids, announce=announce, version=version)


def decide(store: Store, digest: DigestConfig, day: date) -> list[Candidate]:
    """Issues what waits by the rules of the digest; the candidates that were kept."""
    waiting = store.waiting(digest.name)
    selection = select(waiting, digest)
    kept = [chosen.candidate for chosen in selection.kept]
    if kept:
        store.issue(edition(store, kept, digest=digest.name, day=day), selection.decisions, envelope)
    else:
        store.drop(digest.name, selection.decisions)
    return kept


@settings(
    max_examples=examples(80), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(days=DAYS)
def test_no_paper_is_offered_twice_in_a_stream(
    days: list[list[tuple[int, str, str | None, int | None, int | None, str]]],
    empty_sqlite: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "fresh.db").write_bytes(empty_sqlite.read_bytes())
    with open_store(f"sqlite:///{tmp_path / 'fresh.db'}") as store:
        offered: Counter[tuple[str, int, str]] = Counter()
        firsts: Counter[tuple[str, int]] = Counter()
        for number, sightings in enumerate(days):
            for work, source, announce, version, listed, face in sightings:
                sight(
                    store,
                    one(work, announce, version, face),
                    source=source,
                    days=number,
                    listed_on=None if listed is None else TODAY + timedelta(days=listed),
                    followers=READ_BY[source],
                    updates=tuple(name for name in READ_BY[source] if DIGESTS[name].updates),
                )
            for digest in DIGESTS.values():
                for candidate in store.waiting(digest.name):
                    revision = (candidate.paper.version or 0) * (candidate.change == "updated")
                    if candidate.change != "updated" or candidate.paper.version:
                        offered[digest.name, candidate.paper_id, f"{candidate.change}{revision}"] += 1
                for candidate in decide(store, digest, TODAY + timedelta(days=number)):
                    firsts[digest.name, candidate.paper_id] += candidate.change in ("new", "cross")
        assert set(offered.values()) <= {1}
        assert set(firsts.values()) <= {0, 1}
        assert store.check() == []
