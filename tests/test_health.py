"""/healthz: 200 while all is well; else 503 with what and since when, in time, and without a word too much."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from starlette.requests import Request

from digest.app import App, open_app
from digest.config import Config, DigestConfig, MonitorConfig, StoreConfig
from digest.web.health import HealthDoor
from test_alarm import Installation, at
from webs import Clock, Site, config_of, serving

SCHEDULED = DigestConfig(name="daily", title="Paper Digest", path="", schedule="0 7 * * mon-fri")
BEFORE, GOOD = "2026-11-18T12:00+01:00", "2026-11-19T07:00:02+01:00"


def watched(folder: Path, **monitor: Any) -> Config:
    return replace(config_of(folder), digest=(SCHEDULED,), monitor=MonitorConfig(**monitor))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(watched(tmp_path), Clock(at(GOOD))) as site:
        site.app.watch(at(BEFORE))
        yield site


def runs_of(site: Site) -> Installation:
    return Installation(site.app, None)  # type: ignore[arg-type]


def test_a_digest_in_time_is_well(site: Site) -> None:
    runs_of(site).run(GOOD)
    answer = site.get("/healthz")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["cache-control"] == "no-store"
    assert json.loads(answer.body) == {
        "status": "ok",
        "problems": [],
        "digests": [{"digest": "daily", "last_success": "2026-11-19T06:00:02Z", "silent_since": None}],
    }


def test_before_the_first_run_all_is_well(site: Site) -> None:
    assert site.get("/healthz").status == 200


def test_a_silent_digest_is_said_with_since_when(site: Site) -> None:
    runs_of(site).run(GOOD)
    runs_of(site).run("2026-11-20T07:00:02+01:00", "unreachable", "https://arxiv.org/?key=c0ffee: no answer.")
    site.clock.now = at("2026-11-21T08:59+01:00")
    assert site.get("/healthz").status == 200
    site.clock.now = at("2026-11-21T09:00+01:00")
    answer = site.get("/healthz")
    assert answer.status == 503
    found = json.loads(answer.body)
    assert found["status"] == "failing"
    assert found["problems"] == [
        "The digest daily had no successful run since 2026-11-20T06:00:00Z, when it was due."
    ]
    assert found["digests"][0]["silent_since"] == "2026-11-20T06:00:00Z"
    assert b"c0ffee" not in answer.body
    runs_of(site).run("2026-11-21T09:30+01:00")
    assert site.get("/healthz").status == 200


def test_head_is_answered_as_get_is(site: Site) -> None:
    answers = [site.ask(method, "/healthz") for method in ("GET", "HEAD")]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[1].body == b""
    assert answers[0].headers["content-length"] == answers[1].headers["content-length"]


def test_a_store_that_fails_is_said_without_where_it_is(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    assert site.get("/healthz").status == 200
    with closing(sqlite3.connect(site.app.config.store.url.removeprefix("sqlite:///"))) as connection:
        connection.execute("DROP TABLE runs")
    answer = site.get("/healthz")
    assert answer.status == 503
    assert json.loads(answer.body)["problems"] == [
        "The store fails; the log says why, since 2026-11-19T06:00:02Z."
    ]
    site.clock.forward(minutes=5)
    assert "since 2026-11-19T06:00:02Z" in site.get("/healthz").body.decode()
    assert "digest.db" in caplog.text


class Stuck(App):
    """Its store says nothing until it is let go."""

    freed = threading.Event()
    looks = 0

    def pulses(self, now: Any) -> Any:
        type(self).looks += 1
        self.freed.wait(60)
        return super().pulses(now)


def test_a_store_that_hangs_is_not_waited_for_and_is_asked_once(tmp_path: Path) -> None:
    """Also when many ask: one look is under way, and all of them hear of it."""
    Stuck.freed.clear()
    app = Stuck(watched(tmp_path), clock=Clock(at(GOOD)))
    assert app.store.watch_notes() == b""
    door = HealthDoor(app)
    request = Request({"type": "http", "headers": [], "client": ("127.0.0.1", 1)})

    async def ask() -> list[int]:
        answers = await asyncio.gather(*(door.healthz(request) for _ in range(20)))
        assert b"does not answer within a second" in answers[0].body
        statuses = [answer.status_code for answer in answers]
        Stuck.freed.set()
        return [*statuses, (await door.healthz(request)).status_code]

    began = time.monotonic()
    assert asyncio.run(ask()) == [503] * 20 + [200]
    assert Stuck.looks in (1, 2)
    assert time.monotonic() - began < 30
    door.close()


def test_a_server_of_the_store_that_is_gone_is_a_problem_and_no_fault(tmp_path: Path) -> None:
    made = replace(
        watched(tmp_path),
        store=StoreConfig(url="postgresql://me:c0ffee@127.0.0.1:1/digest?connect_timeout=2"),
    )
    door = HealthDoor(open_app(made, clock=Clock(at(GOOD))))
    request = Request({"type": "http", "headers": [], "client": ("127.0.0.1", 1)})
    answer = asyncio.run(door.healthz(request))
    assert answer.status_code == 503
    assert b"c0ffee" not in answer.body
    door.close()


def test_it_answers_while_the_store_is_being_written_for_long(site: Site) -> None:
    runs_of(site).run(GOOD)
    assert site.get("/healthz").status == 200  # the server has begun, for which it writes too
    with open_app(site.app.config) as other, other.store.together():
        other.store.put_watch_notes(b"")
        assert site.get("/healthz").status == 200


def test_a_digest_without_a_schedule_is_never_silent(tmp_path: Path) -> None:
    made = watched(tmp_path)
    with serving(replace(made, digest=(replace(SCHEDULED, schedule=""),)), Clock(at(GOOD))) as site:
        runs_of(site).run(GOOD)
        site.clock.now += timedelta(days=1000)
        assert site.get("/healthz").status == 200
