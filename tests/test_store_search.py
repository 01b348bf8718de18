# ruff: noqa: F811 - fixtures are imported by name
"""Searches find the same papers on both databases, which are those that searching.matches names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Literal
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from conftest import examples
from digest.errors import UsageError
from digest.model import Paper
from digest.searching import matches, parse_query
from digest.store import Store, open_store, wording
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    issue,
    make_database,
    paper,
    sight,
    store,
    store_url,
)

DAY = timedelta(days=1)


def show(store: Store, *papers: Paper, day: date = TODAY, digest: str = "daily") -> None:
    """An edition of these papers, indexed."""
    days = (day - TODAY).days
    sight(store, *papers, followers=(digest,), source=f"list of {digest}", days=days)
    issue(store, digest=digest, day=day, days=days)
    store.index_editions(lambda digest: {})


def work(title: str, abstract: str = "", **facts: object) -> Paper:
    return paper(
        title, abstract=abstract, ids={"arxiv": f"2611.{crc32(title.encode()) % 100000:05}"}, **facts
    )


def titles(
    store: Store,
    text: str,
    *,
    digests: Sequence[str] = (),
    limit: int = 99,
    offset: int = 0,
    order: Literal["rank", "newest"] = "newest",
) -> list[str]:
    total, hits = store.search(parse_query(text), digests=digests, limit=limit, offset=offset, order=order)
    assert len(hits) == max(0, min(limit, total - offset))
    return [hit.paper.title for hit in hits]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def shelf(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Four papers of two days, for all tests that only look."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('shelf')}/digest.db"
    else:
        url = make_database(request.getfixturevalue("postgres_server").get_uri())
    with open_store(url) as store:
        fill(store)
        yield store


def fill(store: Store) -> None:
    show(
        store,
        work("Tidal Memory", "How mud flats remember the moon.", authors=("Ada Fenwick", "Bo Tide")),
        work("Dating Kilns", "Clay remembers its fire.", authors=("Ada Tide", "José Müller")),
        day=TODAY - DAY,
    )
    show(
        store,
        work("Slow Bells", "Bells that remember a tidal wave.", categories=("cs.CL", "cs.LG")),
        work("潮汐の記憶", "The moon. The mud. Ebb-and-flow “GPT‑4”.", authors=("Fenwick Ada",)),
    )


CROWD = "Collaboration of the Ada Lindqvist Observatory for Mud and Kilns and the Moon and the Tide Beyond"


@pytest.mark.parametrize(
    "text",
    [
        'author:"ada lindqvist"', 'author:"lindqvist ada"', 'author:"ada ada"', 'author:"ada okafor"',
        'author:"ada maria lindqvist"', 'author:"maria okafor lindqvist"', 'author:"ada lind"*', 'author:"mud moon"',
        'author:"mud okafor"', '-author:"ada lindqvist" clay', '-author:"mud moon" clay', '-author:"ada maria okafor" clay',
        'author:"ada lindqvist" author:"bo okafor"', 'author:"ada lindqvist" -author:"mud moon"',
    ],
)  # fmt: skip
def test_the_words_of_an_author_are_of_one_name_however_long_it_is(store: Store, text: str) -> None:
    papers = [
        work("One", "Clay.", authors=("Ada Lindqvist", "Bo Okafor")),
        work("Two", "Clay.", authors=("Ada Okafor", "Bo Lindqvist")),
        work("Three", "Clay.", authors=("Ada Maria Lindqvist",)),
        work("Four", "Clay.", authors=("Ada Maria", "Maria Lindqvist", "Lindqvist Ada Okafor")),
        work("Five", "Clay.", authors=(CROWD,)),
        work("Six", "Clay.", authors=(CROWD, "Bo Okafor")),
    ]
    show(store, *papers)
    query = parse_query(text)
    _, hits = store.search(parse_query("clay"), limit=9)
    assert sorted(titles(store, text)) == sorted(hit.paper.title for hit in hits if matches(query, hit))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("moon", ["潮汐の記憶", "Tidal Memory"]),
        ("MOON mud", ["潮汐の記憶", "Tidal Memory"]),
        ('"mud flats"', ["Tidal Memory"]),
        ('"flats mud"', []),
        ('"moon ada"', []),  # no phrase goes beyond its text
        ("remember", ["Slow Bells", "Tidal Memory"]),
        ("remember*", ["Slow Bells", "Tidal Memory", "Dating Kilns"]),
        ('"mud fl"*', ["Tidal Memory"]),
        ("tidal", ["Slow Bells", "Tidal Memory"]),
        ("title:tidal", ["Tidal Memory"]),
        ('title:"tidal memory"', ["Tidal Memory"]),
        ("title:mem*", ["Tidal Memory"]),
        ("title:moon", []),
        ("tide", ["Tidal Memory", "Dating Kilns"]),
        ("author:tide", ["Tidal Memory", "Dating Kilns"]),
        ("author:muller", ["Dating Kilns"]),
        ('author:"ada fenwick"', ["潮汐の記憶", "Tidal Memory"]),
        ('author:"ada tide"', ["Dating Kilns"]),
        ('author:"tide ad"*', ["Dating Kilns"]),
        ('remember* -author:"ada tide"', ["Slow Bells", "Tidal Memory"]),
        ("author:moon", []),
        ("category:cs.CL", ["Slow Bells"]),
        ("category:cs", []),
        ("category:cs.*", ["Slow Bells"]),
        ("category:c.*", []),
        ("-category:cs.LG moon*", ["潮汐の記憶", "Tidal Memory"]),
        ("topic:other -moon", ["Slow Bells", "Dating Kilns"]),
        ("topic:none", []),
        ("潮汐", ["潮汐の記憶"]),
        ('"の記"', ["潮汐の記憶"]),
        ('"gpt 4"', ["潮汐の記憶"]),
        (f"date:{TODAY}", ["Slow Bells", "潮汐の記憶"]),
        (f"date:{TODAY} -moon", ["Slow Bells"]),
        (f"date:..{TODAY - DAY} tidal", ["Tidal Memory"]),
        (f"date:{TODAY + DAY}.. tidal", []),
        ("topic", []),
        ("topic*", []),
        ("in*", []),
    ],
)
def test_a_search_finds(shelf: Store, text: str, found: list[str]) -> None:
    assert titles(shelf, text) == found


@pytest.mark.parametrize(
    "text",
    [
        '"', "'", "' OR 1=1 --", "title : moon", 'moon" OR "clay', "moon NOT", "NEAR(moon mud)", "moon AND OR NOT tidal",
        "{title}: moon", "^moon", "moon + mud", "a' & b | !c", "moon:*", r"moon\' | clay", "<-> moon", "moon\x00mud", "%s :words",
        "*", "-*", "rowid:1", "shown_text:moon", "ﬁ \ud800", "(((", '""', "moon*mud", 'author:"a" "b',
    ],
)  # fmt: skip
def test_whatever_is_typed_is_words_and_no_operator(shelf: Store, text: str) -> None:
    try:
        query = parse_query(text)
    except UsageError:
        return
    _, every = shelf.search(parse_query("topic:other"), limit=99, order="newest")
    assert shelf.search(query, limit=99, order="newest")[1] == [hit for hit in every if matches(query, hit)]


def test_in_the_order_of_rank_what_has_all_words_in_its_title_comes_first(shelf: Store) -> None:
    assert titles(shelf, "tidal", order="rank") == ["Tidal Memory", "Slow Bells"]
    assert titles(shelf, "tidal", order="rank", limit=1) == ["Tidal Memory"]
    assert titles(shelf, "tidal", order="rank", limit=1, offset=1) == ["Slow Bells"]
    assert titles(shelf, "tidal", order="rank", limit=5, offset=2) == []
    assert titles(shelf, "tidal", order="rank", limit=0) == []
    assert titles(shelf, "author:ada", order="rank") == titles(shelf, "author:ada")


def test_a_search_goes_on_where_its_first_page_ended(shelf: Store) -> None:
    every = titles(shelf, "topic:other")
    assert [titles(shelf, "topic:other", limit=1, offset=n)[0] for n in range(4)] == every


def test_a_paper_of_two_digests_is_found_once_at_its_newest_place(store: Store) -> None:
    both, one = work("Tidal Memory"), work("Tidal Bells")
    show(store, both, one, digest="daily")
    show(store, both, day=TODAY + DAY, digest="weekly")
    total, hits = store.search(parse_query("tidal"), limit=9, order="newest")
    assert (total, [(hit.digest, hit.paper.title) for hit in hits]) == (
        2,
        [("weekly", "Tidal Memory"), ("daily", "Tidal Bells")],
    )
    assert titles(store, "tidal", digests=["daily"]) == ["Tidal Memory", "Tidal Bells"]
    assert titles(store, "tidal", digests=["weekly"]) == ["Tidal Memory"]
    assert titles(store, "tidal", digests=["weekly", "daily"]) == ["Tidal Memory", "Tidal Bells"]
    assert titles(store, "tidal", digests=["weekly", "none"]) == ["Tidal Memory"]
    assert titles(store, "tidal", digests=["none"]) == []
    assert titles(store, f"tidal date:{TODAY}") == ["Tidal Bells"], "the newest place decides"
    assert titles(store, f"tidal date:{TODAY}", digests=["daily"]) == ["Tidal Memory", "Tidal Bells"]


def test_what_is_found_says_where_it_stands_also_where_another_key_begins_alike(store: Store) -> None:
    long = f"10.5555/{'proceedings-of-the-society-' * 4}"
    show(store, *(paper(f"Tidal {name}", ids={"doi": long + name}) for name in ("bells", "pools")))
    edition = store.edition("daily", TODAY)
    assert edition is not None
    stand = {entry.paper.key: entry.anchor for entry in edition.entries}
    _, hits = store.search(parse_query("tidal"), limit=9, order="newest")
    assert {hit.place.key: hit.place.anchor for hit in hits} == stand
    records = store.records("daily", list(stand))
    assert {one.key: one.anchors[edition.id] for one in records} == stand
    assert len(set(stand.values())) == 2


def test_papers_that_were_made_one_are_found_once(store: Store) -> None:
    first, second = work("Tidal Memory"), work("Tidal Bells")
    show(store, first)
    show(store, second, day=TODAY + DAY)
    _, (newer, older) = store.search(parse_query("tidal"), limit=9, order="newest")
    store.merge(older.place.key, newer.place.key, NOW + 2 * DAY)
    store.index_editions(lambda digest: {})
    total, hits = store.search(parse_query("tidal"), limit=9)
    assert (total, [hit.place.date for hit in hits]) == (1, [TODAY + DAY])
    assert hits[0].paper.title == "Tidal Memory"
    assert titles(store, "tidal", digests=["daily"]) == ["Tidal Memory"]
    store.split(older.place.key, [newer.place.key], NOW + 3 * DAY)
    store.index_editions(lambda digest: {})
    assert titles(store, "tidal") == ["Tidal Bells", "Tidal Memory"]


def test_words_that_a_listing_changed_are_found_and_the_old_ones_not(store: Store) -> None:
    one = work("Tidal Memory", "Mud. " * 20, version=1)
    show(store, one)
    revised = replace(one, version=2, abstract="Moon. " * 20, announce="replace")
    sight(store, revised, days=1, listed_on=TODAY + DAY)
    assert titles(store, "mud") == ["Tidal Memory"], "not indexed yet"
    store.index_editions(lambda digest: {})
    assert titles(store, "mud") == []
    assert titles(store, "moon") == ["Tidal Memory"]
    assert titles(store, "topic:other") == ["Tidal Memory"]


def test_a_label_that_loses_its_paper_to_a_later_part_of_the_same_date_is_as_new_as_that_part(
    store: Store,
) -> None:
    """Its feed says so: with the time of the first part it would be older than it was."""
    for part, category in ((1, "cs.CY"), (2, "q-bio.PE"), (3, "cs.CL")):
        moved = paper("Tidal Memory", ids={"arxiv": "2611.04217"}, version=part, categories=(category,))
        sight(store, moved, work(f"Bells {part}"), days=part / 10, updates=("daily",))
        issue(store, part=part, days=part / 10)
        store.index_editions(lambda digest: {})
    changed = [store.label_changed("daily", "category", slug) for slug in ("cs.cy", "q-bio.pe", "cs.cl")]
    assert changed == [NOW + n * DAY / 10 for n in (2, 3, 3)]


# --- the same as searching.matches

WORDS = [
    "tide",
    "tides",
    "kiln",
    "moon",
    "José",
    "jose",
    "GPT‑4",
    "潮汐",
    "記",
    "straße",
    "a",
    "Ⅷ",
    "ﬁre",
    "c++",
    "x_y",
    "हिन्दी",
    "한글",
]
text = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
name = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
papers = st.lists(
    st.builds(
        lambda title, abstract, authors, categories: (title, abstract, authors, categories),
        text,
        st.one_of(text, st.text(max_size=20)),
        st.lists(name, max_size=3),
        st.lists(st.sampled_from(["cs.CL", "cs.LG", "math.AG"]), unique=True, max_size=2),
    ),
    min_size=1,
    max_size=6,
)
minus, star = st.sampled_from(["", "", "-"]), st.sampled_from(["", "*"])
field = st.sampled_from(["", "", "", "title:", "author:"])
term = st.one_of(
    st.tuples(minus, field, st.sampled_from(WORDS), star).map("".join),
    st.tuples(minus, field, name.map('"{}"'.format), star).map("".join),
    st.sampled_from(
        ["category:cs.cl", "-category:cs.lg", "topic:other", "date:2026-11-19..", "date:..2026-11-19"]
    ),
)
queries = st.lists(st.lists(term, min_size=1, max_size=4).map(" ".join), min_size=1, max_size=12)


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(papers, queries)
def test_both_databases_find_what_matches_names(
    store_url: str, request: pytest.FixtureRequest, shown: list[tuple[str, str, list[str], list[str]]], asked: list[str]
) -> None:  # fmt: skip
    opened: Store = request.getfixturevalue("store")
    clear(opened)
    for n, (title, abstract, authors, categories) in enumerate(shown):
        made = paper(
            f"{title} {'i' * n}x".strip(),
            abstract=abstract.encode(errors="replace").decode(),
            authors=tuple(authors),
            categories=tuple(categories),
            ids={"arxiv": f"2611.{n:05}"},
        )
        show(opened, made, day=TODAY + (n % 3) * DAY, digest=f"d{n}")
    _, every = opened.search(parse_query("date:2026.."), limit=99, order="newest")
    assert len(every) == len(shown)
    for one in asked:
        try:
            query = parse_query(one)
        except UsageError:
            continue
        wanted = [hit for hit in every if matches(query, hit)]
        assert opened.search(query, limit=99, order="newest") == (len(wanted), wanted), one
        total, ranked = opened.search(query, limit=99)
        assert (total, sorted(hit.place.key for hit in ranked)) == (
            len(wanted),
            sorted(hit.place.key for hit in wanted),
        )


def clear(store: Store) -> None:
    """An empty store again, by its own tables: a new one for each example would take the time."""
    with store._db.writing():
        for table in (
            *(
                "labelled",
                "labels",
                "shown",
                "touched",
                "revisions",
                "paper_keys",
                "abstracts",
                "sightings",
                "offers",
            ),
            *("entries", "deliveries", "editions", "papers"),
        ):
            store._db.execute(f"DELETE FROM {table}", {})
        rows = [row for (row,) in store._db.execute("SELECT id FROM shown_words", {}).fetchall()]
        wording.forget(store._db, rows)
        store._db.execute("DELETE FROM meta WHERE key = 'indexed_edition'", {})
