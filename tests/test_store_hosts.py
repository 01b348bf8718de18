# ruff: noqa: F811 - fixtures are imported by name
"""Whose turn it is with a host: one at a time over all processes, in its rhythm, and nobody waits for the dead."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import examples
from digest.store import Store
from store_contract import (  # noqa: F401
    NOW,
    store,
    store_url,
)

HOST, TTL_S = "export.example.org", 60.0


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def take(store: Store, holder: str, seconds: float = 0, host: str = HOST, dead: str = "") -> float:
    return store.take_turn(
        host, holder=holder, now=at(seconds), ttl_s=TTL_S, is_dead=lambda holder: holder == dead
    )


def end(store: Store, holder: str, seconds: float, free_at: float, host: str = HOST) -> None:
    store.end_turn(host, holder=holder, now=at(seconds), free_at=at(free_at))


def test_a_host_is_one_holders_until_it_gives_it_back(store: Store) -> None:
    assert take(store, "a") == 0
    assert 0 < take(store, "b", 1) <= 0.25
    end(store, "a", 1, free_at=1)
    assert take(store, "b", 1) == 0


def test_one_holder_has_one_turn_at_a_time(store: Store) -> None:
    # Its threads share the name of a process, and may not share a host.
    assert take(store, "a") == 0
    assert 0 < take(store, "a", 1) <= 0.25


def test_hosts_do_not_wait_for_each_other(store: Store) -> None:
    assert take(store, "a") == 0
    assert take(store, "a", host="rss.example.org") == 0


def test_a_host_rests_until_it_is_free(store: Store) -> None:
    assert take(store, "a") == 0
    end(store, "a", 1, free_at=4)
    assert take(store, "a", 1.5) == 2.5
    assert take(store, "b", 3.75) == 0.25
    assert take(store, "b", 4) == 0


def test_a_host_that_asked_for_more_rest_is_not_disturbed_sooner(store: Store) -> None:
    take(store, "a")
    end(store, "a", 1, free_at=600)  # Retry-After
    end(store, "late", 2, free_at=5)
    assert take(store, "b", 10) == 590


def test_the_turn_of_a_dead_process_is_taken_over_after_a_pause(store: Store) -> None:
    # Nobody knows when it last asked.
    assert take(store, "a") == 0
    assert take(store, "b", 1, dead="a") == 3
    assert take(store, "c", 3.5, dead="a") == 0.5
    assert take(store, "c", 4, dead="a") == 0
    assert 0 < take(store, "b", 5, dead="a") <= 0.25


def test_the_turn_of_one_who_does_not_come_back_ends_by_itself(store: Store) -> None:
    assert take(store, "elsewhere/1/1") == 0
    assert take(store, "b", TTL_S - 0.125) == 0.125
    assert take(store, "b", TTL_S) == 0


def test_who_comes_back_too_late_leaves_the_turn_of_another_alone(store: Store) -> None:
    take(store, "a")
    assert take(store, "b", TTL_S) == 0
    end(store, "a", TTL_S + 1, free_at=TTL_S + 4)
    assert 0 < take(store, "c", TTL_S + 2) <= 0.25
    end(store, "b", TTL_S + 2, free_at=TTL_S + 3)
    assert take(store, "c", TTL_S + 3) == 1  # and both count for its rest


def test_a_clock_that_was_wrong_once_does_not_close_a_host_for_years(store: Store) -> None:
    years = 3 * 365 * 24 * 3600
    take(store, "a", years)
    assert take(store, "b") == 0
    end(store, "b", 1, free_at=years)
    assert take(store, "b", 2) == 0
    end(store, "b", 2, free_at=5)
    assert take(store, "b", 3) == 2


@settings(
    max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.sampled_from(["take", "end"])), max_size=30
    ),
    host=st.uuids(),
)
def test_whatever_they_do_there_are_never_two_and_never_too_soon(
    store: Store, steps: list[tuple[str, int, str]], host: object
) -> None:
    clock, holder, since, free = 0.0, "", 0.0, 0.0
    for who, tenths, what in steps:
        clock += tenths / 10
        if what == "take" and take(store, who, clock, str(host)) == 0:
            assert holder == "" or clock >= since + TTL_S
            assert clock >= free
            holder, since = who, clock
        elif what == "end" and who == holder:
            end(store, who, clock, clock + 3, str(host))
            holder, free = "", clock + 3


def test_robots_are_remembered_for_as_long_as_they_may_be(store: Store) -> None:
    origin = "https://example.org"
    assert store.robots(origin, now=NOW) is None
    store.remember_robots(origin, "User-agent: *\nDisallow: /ü\0\n", until=at(60))
    assert store.robots(origin, now=at(59)) == "User-agent: *\nDisallow: /ü\n"
    assert store.robots(origin, now=at(60)) is None
    assert store.robots("http://example.org", now=NOW) is None
    store.remember_robots(origin, "", until=at(120))
    assert store.robots(origin, now=at(61)) == ""  # an empty one is known, too
    store.remember_robots(origin, "", until=at(24 * 3600 + 61))
    assert store.robots(origin, now=at(61)) == ""
    assert store.robots(origin, now=at(60)) is None, "for a day at most; the clock was set back since"


def test_a_turn_and_robots_of_one_name_do_not_meet(store: Store) -> None:
    store.remember_robots(HOST, "Disallow:", until=at(60))
    assert take(store, "a") == 0
    end(store, "a", 1, free_at=4)
    assert store.robots(HOST, now=NOW) == "Disallow:"
    store.remember_robots(HOST, "", until=at(60))
    assert take(store, "a", 2) == 2


# --- over processes

WORKER = Path(__file__).with_name("store_worker.py")
TURNS, GAP_US = 100, 20_000


def worker(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(WORKER), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_processes_that_race_for_a_host_are_never_two_and_keep_its_rhythm(store_url: str) -> None:
    racers = [worker("turns", store_url, f"racer {n}", str(TURNS), str(GAP_US)) for n in range(2)]
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    turns = sorted(
        (*turn, n) for n, racer in enumerate(racers) for turn in json.loads(racer.communicate()[0])
    )
    assert len(turns) == 2 * TURNS
    for (_, over, _), (begun, _, _) in pairwise(turns):
        assert begun >= over + GAP_US
    assert sum(one != other for (*_, one), (*_, other) in pairwise(turns)) > 1  # they did race


def test_a_killed_holder_is_found_dead_and_the_host_taken_over(store: Store, store_url: str) -> None:
    from digest.process import is_dead

    with worker("hold", store_url) as process:
        assert process.stdout
        assert process.stdout.readline() == "holds\n"
        assert 0 < store.take_turn(HOST, holder="b", now=at(1), ttl_s=TTL_S, is_dead=is_dead) <= 0.25
        process.kill()
    assert store.take_turn(HOST, holder="b", now=at(1), ttl_s=TTL_S, is_dead=is_dead) == 3
    assert store.take_turn(HOST, holder="b", now=at(4), ttl_s=TTL_S, is_dead=is_dead) == 0
