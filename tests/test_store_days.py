# ruff: noqa: F811 - fixtures are imported by name
"""Days that may still grow are remembered, and closed ones are left in peace."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from msgspec.structs import replace

from digest.errors import StoreError
from digest.store import Day, Store
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    store,
    store_url,
)


def day(back: int = 0, source: str = "hf", **facts: object) -> Day:
    known: dict[str, object] = {
        "source": source,
        "day": TODAY - timedelta(days=back),
        "state": "open",
        "papers": 40 + back,
        "fingerprint": f"f{back}",
        "asked_at": NOW,
        "changed_at": NOW - timedelta(hours=back),
    }
    return Day(**(known | facts))  # type: ignore[arg-type]


def test_days_come_back_oldest_first(store: Store) -> None:
    days = [day(back) for back in range(4)]
    for one in (days[2], days[0], days[3], days[1]):
        store.record_day(one)
    store.record_day(day(9, source="other"))
    assert store.days_of("hf") == days[::-1]
    assert store.days_of("nobody") == []


def test_a_day_is_known_once_and_what_is_known_of_it_may_change(store: Store) -> None:
    store.record_day(day(papers=0, fingerprint=""))
    later = NOW + timedelta(hours=5)
    grown = day(papers=41, fingerprint="f41", asked_at=later, changed_at=later)
    store.record_day(grown)
    assert store.days_of("hf") == [grown]


def test_only_open_days_of_any_source_are_to_be_asked_again(store: Store) -> None:
    for one in (day(0), day(1), day(1, source="arxiv"), day(2, source="arxiv", state="closed")):
        store.record_day(one)
    assert store.open_days() == [day(1, source="arxiv"), day(1), day(0)]
    store.record_day(replace(day(1), state="closed"))
    assert store.open_days() == [day(1, source="arxiv"), day(0)]
    store.record_day(day(1))  # and may open again
    assert len(store.open_days()) == 3


def test_a_day_of_the_first_years_stands_before_todays(store: Store) -> None:
    store.record_day(day(0))
    store.record_day(day(day=date(992, 1, 1)))
    assert [one.day.year for one in store.days_of("hf")] == [992, 2026]


def test_a_state_that_does_not_exist_is_refused(store: Store) -> None:
    with pytest.raises(StoreError):
        store.record_day(day(state="ajar"))
    assert store.days_of("hf") == []
