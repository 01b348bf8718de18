# ruff: noqa: F811 - fixtures are imported by name
"""Rows of pages that the store keeps from run to run, on both databases."""

from __future__ import annotations

from msgspec.structs import replace

from digest.store import Store
from store_contract import NOW, TODAY, issue, sight, store, store_url  # noqa: F401
from test_store_readers import DAY, show, works


def places(store: Store) -> list[int]:
    return [place.id for place in store.newest_places("daily", "topic", "other", limit=9)]


def test_what_is_kept_is_given_back_to_who_made_it_and_to_nobody_else(store: Store) -> None:
    show(store, *works("Tidal Memory", "Dating Kilns", "Quiet Reefs"))
    one, two, three = places(store)
    store.keep_rows({one: "<p>Tidal</p>", two: "<p>Öfen \U0001f3fa</p>"}, maker="m")
    assert store.rows({one, two, three}, maker="m") == {one: "<p>Tidal</p>", two: "<p>Öfen \U0001f3fa</p>"}
    assert store.rows({two}, maker="m") == {two: "<p>Öfen \U0001f3fa</p>"}
    assert store.rows({one, two, three}, maker="other") == {}
    assert store.rows(set(), maker="m") == {}


def test_the_last_row_of_a_place_is_the_one_that_is_kept(store: Store) -> None:
    show(store, *works("Tidal Memory"))
    (place,) = places(store)
    store.keep_rows({place: "old"}, maker="m")
    store.keep_rows({place: "new"}, maker="m")
    assert store.rows({place}, maker="m") == {place: "new"}
    store.keep_rows({place: "other"}, maker="o")
    assert store.rows({place}, maker="m") == {}
    assert store.rows({place}, maker="o") == {place: "other"}
    store.keep_rows({}, maker="o")


def test_a_place_that_is_given_up_takes_its_row_along(store: Store) -> None:
    (tidal,) = works("Tidal Memory", version=1)
    show(store, tidal)
    (before,) = places(store)
    store.keep_rows({before: "old"}, maker="m")
    sight(store, replace(tidal, version=2), updates=("daily",), days=1)
    issue(store, day=TODAY + DAY, days=1)
    store.index_editions(lambda digest: {})
    (after,) = places(store)
    assert after > before
    store.keep_rows({before: "too late"}, maker="m")
    assert store.rows({before, after}, maker="m") == {}
