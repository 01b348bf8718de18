# ruff: noqa: F811 - fixtures are imported by name
"""What readers see, as the store knows it: places, labels, records and the index, on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from zlib import crc32

import msgspec
import pytest
from msgspec.structs import replace

from digest.model import Decision, Edition, Entry, Label, Paper, PaperRecord, Place
from digest.searching import parse_query
from digest.store import Lookup, Store, shown
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    issue,
    paper,
    sight,
    store,
    store_url,
)

DAY = timedelta(days=1)


def no_topics(digest: str) -> Mapping[str, str]:
    return {}


def show(store: Store, *papers: Paper, day: date = TODAY, digest: str = "daily", **facts: object) -> None:
    """An edition of these papers, indexed."""
    sight(store, *papers, followers=(digest,), source=f"list of {digest}", days=(day - TODAY).days)
    issue(store, digest=digest, day=day, days=(day - TODAY).days, **facts)  # type: ignore[arg-type]
    store.index_editions(no_topics)


def works(*titles: str, **facts: object) -> list[Paper]:
    """Papers with ids of arXiv, numbered on."""
    return [
        paper(title, ids={"arxiv": f"2611.{crc32(title.encode()) % 100000:05}"}, **facts) for title in titles
    ]


def keys(places: list[Place]) -> list[str]:
    return [place.key for place in places]


def test_a_paper_is_found_at_its_place_once_its_edition_is_indexed(store: Store) -> None:
    one, two = works("Tidal Memory", "Dating Kilns")
    sight(store, one, two)
    issued = issue(store)
    first, second = (entry.paper.key for entry in issued.entries)
    assert store.newest_places("daily", "topic", "other", limit=9) == []
    assert store.index_editions(no_topics) == 1
    assert store.index_editions(no_topics) == 0
    found = store.newest_places("daily", "topic", "other", limit=9)
    assert [(p.key, p.date, p.part, p.position) for p in found] == [
        (first, TODAY, 1, 1),
        (second, TODAY, 1, 2),
    ]
    assert store.newest_places("weekly", "topic", "other", limit=9) == []


def test_labels_count_papers_and_have_the_name_that_the_newest_paper_writes(store: Store) -> None:
    show(
        store,
        *works("Tidal Memory", authors=("Ada Fenwick", "Bo Tide"), categories=("cs.CL", "cs.LG")),
        *works("Dating Kilns", authors=("ADA FENWICK",), categories=("cs.CL",)),
    )
    authors = [
        Label(kind="author", slug="ada-fenwick", name="Ada Fenwick", papers=2),
        Label(kind="author", slug="bo-tide", name="Bo Tide", papers=1),
    ]
    assert store.labels("daily", "author") == authors
    assert store.labels("daily", "author", least=2) == authors[:1]
    assert store.labels("daily", "author", slugs=["bo-tide", "nobody"]) == authors[1:]
    assert store.labels("daily", "author", slugs=[]) == []
    assert [(label.slug, label.papers) for label in store.labels("daily", "category")] == [
        ("cs.cl", 2),
        ("cs.lg", 1),
    ]
    assert [(label.slug, label.name) for label in store.labels("daily", "topic")] == [("other", "Other")]
    show(store, *works("Slow Bells", authors=("Ada FENWICK",)), day=TODAY + DAY)
    assert store.labels("daily", "author", least=2) == [replace(authors[0], name="Ada FENWICK", papers=3)]
    show(store, *works("An Old Loom", authors=("ada fenwick",)), day=TODAY - DAY)
    assert store.labels("daily", "author", least=2)[0].name == "Ada FENWICK"


def test_the_newest_places_come_by_day_and_part_and_then_in_the_order_of_the_edition(store: Store) -> None:
    show(store, *works("B one", "B two", "B three"), day=TODAY)
    show(store, *works("C one", "C two"), day=TODAY, part=2)
    show(store, *works("A one"), day=TODAY - 3 * DAY)
    show(store, *works("D one"), day=TODAY + DAY)
    places = store.newest_places("daily", "topic", "other", limit=99)
    assert [(p.date.day - TODAY.day, p.part, p.position) for p in places] == [
        (1, 1, 1), (0, 2, 1), (0, 2, 2), (0, 1, 1), (0, 1, 2), (0, 1, 3), (-3, 1, 1)
    ]  # fmt: skip
    none: list[Place] = []
    assert store.all_places("daily", "topic", ["other", "none"]) == {"other": places, "none": none}
    newest = store.newest_places
    assert newest("daily", "topic", "other", limit=2) == places[:2]
    assert newest("daily", "topic", "other", limit=0) == []
    assert newest("daily", "topic", "other", limit=2, since_days=2) == places[:6]
    assert newest("daily", "topic", "other", limit=99, since_days=1) == places
    assert newest("daily", "topic", "other", limit=0, since_days=1) == places[:1]
    assert newest("daily", "topic", "none", limit=2) == newest("weekly", "topic", "other", limit=2) == []


def test_a_paper_that_is_shown_again_moves_to_its_new_place_with_its_new_labels(store: Store) -> None:
    (one,) = works("Tidal Memory", version=1, abstract="Tides. " * 20, authors=("Ada Fenwick",))
    others = works("Dating Kilns", "Slow Bells")
    show(store, one, *others)
    key = store.newest_places("daily", "author", "ada-fenwick", limit=1)[0].key
    again = replace(one, version=2, abstract="Ebb and flow. " * 20, authors=("Bo Tide",), announce="replace")
    sight(store, again, days=1, listed_on=TODAY + DAY, updates=("daily",))
    issue(store, day=TODAY + DAY, days=1)
    store.index_editions(no_topics)
    assert [(p.key, p.date) for p in store.newest_places("daily", "author", "bo-tide", limit=9)] == [
        (key, TODAY + DAY)
    ]
    assert store.labels("daily", "author") == [Label(kind="author", slug="bo-tide", name="Bo Tide", papers=1)]
    assert len(store.newest_places("daily", "topic", "other", limit=9)) == 3
    assert keys([hit.place for hit in store.chunk("daily", 1)])[0] == key, "where it was first shown"
    (record,) = store.records("daily", [key])
    assert [head.date for head in record.editions] == [TODAY, TODAY + DAY]


def test_chunks_hold_papers_in_the_order_first_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shown, "CHUNK", 3)
    for n in range(4):
        show(store, *works(f"Paper {n}a", f"Paper {n}b"), day=TODAY + n * DAY)
    assert store.chunk_count("daily") == 3
    assert store.chunk_count("weekly") == 0
    chunks = [store.chunk("daily", number) for number in (1, 2, 3)]
    titles = [[hit.paper.title for hit in chunk] for chunk in chunks]
    assert titles == [
        ["Paper 0a", "Paper 0b", "Paper 1a"],
        ["Paper 1b", "Paper 2a", "Paper 2b"],
        ["Paper 3a", "Paper 3b"],
    ]
    assert store.chunk("daily", 4) == []
    assert store.chunk_of("daily", [hit.place.key for hit in (chunks[0][1], chunks[2][0])]) == {1, 3}
    assert store.chunk_of("daily", []) == set()


# --- records and what is touched


def record(store: Store, key: str) -> PaperRecord:
    (found,) = store.records("daily", [key])
    return found


def test_a_record_tells_versions_mentions_and_editions(store: Store) -> None:
    (one,) = works("Tidal Memory", version=1, abstract="Tides. " * 20, announce="new")
    show(store, one)
    (key,) = keys(store.newest_places("daily", "topic", "other", limit=1))
    sight(store, replace(one, announce="cross"), source="other list", days=1, listed_on=TODAY + DAY)
    sight(store, replace(one, announce="cross"), source="other list", days=2, listed_on=TODAY + 2 * DAY)
    newer = replace(one, version=2, abstract="Ebb and flow. " * 20, announce="replace")
    sight(store, newer, days=3, listed_on=TODAY + 3 * DAY)
    found = record(store, key)
    assert (found.key, found.canonical, found.guid) == (key, key, f"tag:example.org,2026:{key}")
    assert [(v.seen_at, v.paper.version, v.paper.abstract) for v in found.versions] == [
        (NOW, 1, one.abstract),
        (NOW + 3 * DAY, 2, newer.abstract),
    ]
    assert found.paper.key == key
    assert [(m.source, m.announce, m.listed_on, m.seen_at) for m in found.mentions] == [
        ("list of daily", "new", None, NOW),
        ("other list", "cross", TODAY + DAY, NOW + DAY),
        ("list", "replace", TODAY + 3 * DAY, NOW + 3 * DAY),
    ]
    assert [(head.date, head.papers) for head in found.editions] == [(TODAY, 1)]
    assert store.records("daily", ["arxiv:none", key, key]) == [found]
    assert store.records("weekly", [key]) == []


def test_what_was_missing_or_cut_off_is_no_earlier_version(store: Store) -> None:
    (one,) = works("Tidal Memory", authors=("Ada Fenwick",), authors_cut=True)
    show(store, one)
    (key,) = keys(store.newest_places("daily", "topic", "other", limit=1))
    cut = replace(one, abstract="The mud flats remember the moon, and so …")
    full = replace(
        cut,
        abstract="The mud flats remember the moon, and so does everyone who lives by them.",
        authors=("Ada Fenwick", "Bo Tide"),
        authors_cut=False,
        version=1,
    )
    for days, more in enumerate((cut, full), 1):
        sight(store, more, days=days, source="other list")
        (version,) = record(store, key).versions
        assert (version.seen_at, version.paper.abstract) == (NOW, more.abstract)
    assert record(store, key).paper.authors == full.authors


def test_two_listings_of_one_moment_make_one_version(store: Store) -> None:
    one, two = (works("Tidal Memory", version=n, abstract=f"Tides {n}. " * 20)[0] for n in (1, 2))
    sight(store, one)
    sight(store, two, source="other list")
    issue(store)
    store.index_editions(no_topics)
    (key,) = keys(store.newest_places("daily", "topic", "other", limit=1))
    assert [version.paper.version for version in record(store, key).versions] == [2]


def test_what_changes_while_its_page_is_written_is_written_again(store: Store) -> None:
    """Workers put papers on record while another one publishes."""
    one, two = works("Tidal Memory", "Dating Kilns")
    show(store, one, two, digest="daily")
    sight(store, one, two, source="other list", days=1)
    both = store.take_touched("daily")
    assert both == store.touched("daily")
    assert len(both) == 2
    sight(store, two, source="a third list", days=2)
    (key,) = {key for key in both if record(store, key).paper.title == "Dating Kilns"}
    store.forget_touched("daily", both)
    assert store.touched("daily") == [key]
    # A run that was killed while it published leaves them to the next one.
    assert store.take_touched("daily") == store.take_touched("daily") == [key]
    store.forget_touched("daily", [key])
    assert store.touched("daily") == store.touched("weekly") == []


def test_papers_are_touched_by_what_their_pages_show(store: Store) -> None:
    one, two = works("Tidal Memory", "Dating Kilns", version=1, abstract="Of clay. " * 20)
    waits = works("Slow Bells")[0]
    show(store, one, two, digest="daily")
    sight(store, one, two, followers=(), source="list of daily", days=1)
    assert store.touched("daily") == [], "nothing is new about them"
    sight(store, two, waits, source="other list", days=1)
    (key,) = store.touched("daily")
    assert record(store, key).paper.title == "Dating Kilns"
    store.forget_touched("daily", [key, "arxiv:none"])
    sight(store, two, waits, source="other list", days=2)
    assert store.touched("daily") == []
    sight(store, replace(two, announce="cross"), source="other list", days=3, listed_on=TODAY)
    assert store.touched("daily") == [key]
    store.forget_touched("daily", [key])
    sight(
        store,
        replace(two, version=2, announce="replace"),
        source="list of daily",
        days=3,
        listed_on=TODAY + DAY,
    )
    assert store.touched("daily") == [key]
    store.forget_touched("daily", [key])
    sight(store, replace(two, upvotes=7), source="list of daily", days=4)
    assert store.touched("daily") == [key]
    assert store.touched("weekly") == []


def test_a_paper_is_touched_where_a_clock_set_back_says_that_it_was_seen_before(store: Store) -> None:
    one = works("Tidal Memory")[0]
    show(store, one)
    (key,) = keys(store.newest_places("daily", "topic", "other", limit=1))
    store.forget_touched("daily", store.touched("daily"))
    (before,) = record(store, key).mentions
    for day, touched in ((1, []), (-3, [key]), (-2, [])):
        sight(store, one, source=before.source, days=day, listed_on=TODAY + day * DAY)
        assert store.touched("daily") == touched
        store.forget_touched("daily", [key])
    (after,) = record(store, key).mentions
    assert (before.seen_at, after.seen_at) == (NOW, NOW - 3 * DAY)


def test_a_paper_of_two_digests_is_touched_in_both(store: Store) -> None:
    one = works("Tidal Memory")[0]
    show(store, one, digest="daily")
    show(store, one, digest="weekly", day=TODAY + DAY)
    for digest in ("daily", "weekly"):
        store.forget_touched(digest, store.touched(digest))
    sight(store, one, source="a third list", days=2)
    assert store.touched("daily") == store.touched("weekly") != []
    store.forget_touched("daily", store.touched("daily"))
    assert store.touched("daily") == [] != store.touched("weekly")


def test_what_was_found_elsewhere_is_in_the_record_and_touches_it(store: Store) -> None:
    show(store, paper("An Unusual Title of Five Words", abstract="Tides. " * 20))
    (found,) = store.unresolved(now=NOW, limit=1)
    key = found.paper.key
    hit = replace(found.paper, ids={"doi": "10.5555/tides"}, authors=("Ada Fenwick",))
    with store.together():
        sight(store, hit, source="lookup:crossref", followers=(), days=1)
        store.record_lookup(
            Lookup(
                paper_id=found.paper_id,
                looked_up_at=NOW + DAY,
                outcome="hit",
                attempts=1,
                retry_at=None,
                service="lookup:crossref",
                found=msgspec.json.encode(hit),
            )
        )
    assert store.touched("daily") == [key]
    store.index_editions(no_topics)
    shown = record(store, key)
    assert (shown.key, shown.paper.key, shown.paper.ids) == (key, key, {"doi": "10.5555/tides"})
    assert [mention.source for mention in shown.mentions] == ["list of daily"], "a service announces nothing"
    assert len(shown.versions) == 1
    assert store.chunk("daily", 1)[0].paper.ids == {"doi": "10.5555/tides"}
    assert store.search(parse_query('author:"ada fenwick"'), limit=1)[0] == 1


def test_papers_that_became_one_lead_to_the_older_and_both_are_touched(store: Store) -> None:
    one, two = works("Tidal Memory", "The Memory of Tides")
    show(store, one)
    show(store, two, day=TODAY + DAY)
    newer, older = keys(store.newest_places("daily", "topic", "other", limit=2))
    store.merge(newer, older, NOW + DAY)
    assert store.touched("daily") == sorted([newer, older])
    for _ in range(2):
        assert [(r.key, r.canonical) for r in store.records("daily", [newer, older])] == [
            (newer, older),
            (older, older),
        ]
        assert {r.paper.title for r in store.records("daily", [newer, older])} == {"The Memory of Tides"}
        store.index_editions(no_topics)
    store.forget_touched("daily", [newer, older])
    sight(store, one, source="a third list", days=3)
    assert store.touched("daily") == sorted([newer, older])
    store.forget_touched("daily", [newer, older])
    store.split(older, [newer], NOW + 4 * DAY)
    assert store.touched("daily") == sorted([newer, older])
    store.index_editions(no_topics)
    assert [(r.key, r.canonical) for r in store.records("daily", [newer, older])] == [
        (newer, newer),
        (older, older),
    ]
    assert [(head.date) for head in record(store, newer).editions] == [TODAY + DAY]


def test_a_paper_joined_to_one_that_no_edition_shows_is_its_own_record(store: Store) -> None:
    hidden, one = works("The Memory of Tides", "Tidal Memory")
    sight(store, hidden, followers=())
    show(store, one, day=TODAY + DAY)
    (key,) = keys(store.newest_places("daily", "topic", "other", limit=1))
    first, second = hidden.ids["arxiv"], one.ids["arxiv"]
    store.merge(f"arxiv:{first}", f"arxiv:{second}", NOW + 2 * DAY)
    assert record(store, key).canonical == key
    assert record(store, key).paper.title == "The Memory of Tides"


def test_an_edition_of_papers_that_the_store_does_not_know_is_shown_as_it_was_issued(store: Store) -> None:
    stranger = Entry(paper=Paper(key="arxiv:2611.00001", title="From Elsewhere"), guid="g", anchor="a")
    made = Edition(
        id=str(TODAY), digest="daily", title="Tides", date=TODAY, part=1, number=1, issued_at=NOW, guid="e", picks=(stranger,)
    )  # fmt: skip
    store.issue(made, [], lambda reader: None)
    store.index_editions(no_topics)
    (hit,) = store.chunk("daily", 1)
    assert hit.paper == stranger.paper
    found = record(store, "arxiv:2611.00001")
    assert (found.paper, found.mentions, found.versions[0].seen_at) == (stranger.paper, (), NOW)
    assert store.search(parse_query("elsewhere"), limit=1) == (1, [hit])


def test_the_index_goes_on_after_a_kill_between_its_steps(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "STEP", 1)
    for n in range(3):
        sight(store, *works(f"Paper {n}"), days=n)
        issue(store, day=TODAY + n * DAY, days=n)

    def fails_at_the_second(digest: str, calls: list[str] = []) -> Mapping[str, str]:  # noqa: B006
        calls.append(digest)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return {}

    with pytest.raises(KeyboardInterrupt):
        store.index_editions(fails_at_the_second)
    assert [hit.paper.title for hit in store.chunk("daily", 1)] == ["Paper 0"]
    assert store.index_editions(no_topics) == 2
    assert [hit.place.date for hit in store.chunk("daily", 1)] == [TODAY, TODAY + DAY, TODAY + 2 * DAY]


def test_a_topic_has_the_slug_of_the_configuration(store: Store) -> None:
    sight(store, *works("Tidal Memory"))
    waiting = store.waiting("daily")
    entry = Entry(paper=waiting[0].paper, guid="g", anchor="a", topic="Tides & Kilns")
    made = Edition(
        id=str(TODAY), digest="daily", title="Tides", date=TODAY, part=1, number=1, issued_at=NOW, guid="e", picks=(entry,)
    )  # fmt: skip
    store.issue(made, [Decision(paper_id=waiting[0].paper_id, kept=True, reason="")], lambda reader: None)
    store.index_editions({"daily": {"Tides & Kilns": "tides"}}.__getitem__)
    assert [(label.slug, label.name) for label in store.labels("daily", "topic")] == [
        ("tides", "Tides & Kilns")
    ]
    for text in ("topic:tides", 'topic:"Tides & Kilns"'):
        assert store.search(parse_query(text), limit=1)[0] == 1
    assert store.chunk("daily", 1)[0].topic == "Tides & Kilns"
