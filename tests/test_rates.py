"""Rates that hold for all processes of a store together, and pauses that all keep."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import pairwise

import pytest

from digest.pipeline.pace import SharedPace
from digest.store import Store, open_store
from store_contract import NOW

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def test_moments_are_given_once_and_in_turn(store: Store) -> None:
    assert store.take_slots("mail", 3, 0.5, now=NOW) == NOW
    assert store.take_slots("mail", 1, 0.5, now=NOW) == NOW + 1.5 * SECOND
    assert store.take_slots("mail", 1, 0.5, now=NOW + SECOND) == NOW + 2 * SECOND
    assert store.take_slots("other", 1, 0.5, now=NOW) == NOW
    assert (
        store.take_slots("mail", 1, 0.5, now=NOW + 9 * SECOND) == NOW + 9 * SECOND
    )  # what nobody took is lost


def test_many_that_take_moments_at_once_get_different_ones(store: Store, store_url: str) -> None:
    """Two stores stand for two processes, with three threads each."""
    got: list[float] = []

    def take(own: Store) -> None:
        for _ in range(10):
            first = own.take_slots("mail", 4, 0.25, now=NOW)
            got.extend((first - NOW).total_seconds() + n * 0.25 for n in range(4))

    with open_store(store_url) as other:
        threads = [threading.Thread(target=take, args=(own,)) for own in (store, other) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(got) == [n * 0.25 for n in range(240)]


def test_a_pause_holds_for_all_and_the_longest_stands(store: Store, store_url: str) -> None:
    assert store.wait("mail") is None
    store.take_slots("mail", 1, 1, now=NOW)
    assert store.wait("mail") is None
    store.put_wait("mail", NOW + 300 * SECOND, 300, "421 too busy")
    store.put_wait("mail", NOW + 30 * SECOND, 30, "gone")
    with open_store(store_url) as other:
        assert other.wait("mail") == (NOW + 300 * SECOND, 300, "421 too busy")
    assert store.wait("other") is None


def test_what_a_clock_took_that_was_a_year_ahead_is_free_when_it_is_right_again(store: Store) -> None:
    assert store.take_slots("mail", 3, 0.5, now=NOW + 365 * DAY) == NOW + 365 * DAY
    assert store.take_slots("mail", 3, 0.5, now=NOW) == NOW
    assert store.take_slots("mail", 1, 0.5, now=NOW) == NOW + 1.5 * SECOND


def test_a_slow_rate_keeps_its_moments_however_far_ahead_they_are(store: Store) -> None:
    for n in range(200):
        assert store.take_slots("mail", 1, 60, now=NOW) == NOW + 60 * n * SECOND


def test_a_pause_that_a_clock_noted_that_was_a_year_ahead_gives_way_to_the_next(store: Store) -> None:
    store.put_wait("mail", NOW + 365 * DAY, 300, "421 too busy")
    store.put_wait("mail", NOW + 30 * SECOND, 30, "gone")
    assert store.wait("mail") == (NOW + 30 * SECOND, 30, "gone")


def test_moments_are_kept_and_what_is_missed_is_not_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten a second, of which another process has every second batch."""
    clock = [100.0]
    monkeypatch.setattr("digest.pipeline.pace.time.monotonic", lambda: clock[0])
    taken, free = [], [100.0]

    def take_slots(count: int, gap_s: float) -> float:
        first = max(free[0], clock[0])
        free[0] = first + 2 * count * gap_s
        return first - clock[0]

    pace = SharedPace(10.0, take_slots)
    pace.wanted = 1000
    while clock[0] < 104:
        if pace.delay() == 0:
            pace.take()
            taken.append(clock[0])
        clock[0] = round(clock[0] + 0.01, 2)
    assert len(taken) == 20
    assert min(later - earlier for earlier, later in pairwise(taken)) >= 0.09
    clock[0] += 10
    pace.delay()
    clock[0] += 5  # moments were taken, and nothing went
    assert pace.slots() <= 3
    assert pace.delay() >= 0


def test_no_moments_are_taken_where_nothing_is_left_to_send() -> None:
    asked: list[int] = []

    def take_slots(count: int, gap_s: float) -> float:
        asked.append(count)
        return 0.0

    pace = SharedPace(100.0, take_slots)
    pace.wanted = 7
    assert pace.delay() == 0
    assert asked == [7]
    for _ in range(7):
        pace.take()
    pace.wanted = 0
    assert pace.delay() == 0
    assert asked == [7]
