"""Workers side by side: the editions of one process, byte for byte, whatever dies on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from digest.app import open_app
from fleets import (
    begin,
    config_of,
    in_one_process,
    installation,
    published,
    start,
    status_of,
    wait_for,
    workers,
    write_pages,
)
from store_contract import new_database, postgres_server, start_postgres, stop_postgres

__all__ = ["new_database", "postgres_server"]
pytestmark = pytest.mark.postgres


def test_three_workers_publish_the_bytes_of_one_process(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    one = installation(tmp_path / "one")
    in_one_process(one, 3)
    many = installation(tmp_path / "many", new_database())
    with workers(many, 3) as alive:
        for day in range(3):
            write_pages(many.parent, day)
            run = begin(many, day)
            wait_for(lambda run=run: status_of(many, run) != "running", alive=alive)  # type: ignore[misc]
            assert status_of(many, run) == "done"
    assert published(many) == published(one)
    assert "fault of the program" not in (many.parent / "workers.log").read_text()
    assert sum(name.endswith("index.html") for name in published(one)) > 6


@pytest.mark.parametrize(
    ("kills", "papers"), [(2, 8), pytest.param(40, 60, marks=pytest.mark.torture)], ids=["two", "forty"]
)
def test_workers_that_are_killed_and_whose_database_is_restarted_lose_nothing(
    tmp_path: Path, new_database: Callable[[], str], postgres_server: Any, kills: int, papers: int
) -> None:
    """SIGKILL at random moments, the database stopped as by a power cut after every second one; whoever is killed is started
    again. The pages are those of one process, each day was run once."""
    days = 1 if kills < 10 else 6
    one = installation(tmp_path / "one")
    in_one_process(one, days, papers=papers)
    many = installation(tmp_path / "many", new_database())
    random = Random(kills)
    runs: list[int] = []
    killed = 0
    with workers(many, 3) as alive:
        while killed < kills or len(runs) < days or status_of(many, runs[-1]) == "running":
            if (not runs or status_of(many, runs[-1]) != "running") and len(runs) < days:
                write_pages(many.parent, len(runs), papers=papers)
                runs.append(begin(many, len(runs)))
            if killed < kills:
                time.sleep(
                    random.uniform(0.0, 1.0 if days == 1 else 3.0)
                )  # the moment of a kill is what is tried, not waited for
                victim = random.randrange(len(alive))
                alive[victim].kill()
                alive[victim].join()
                alive[victim] = start(many)
                killed += 1
                if killed % 2 == 0:
                    stop_postgres(postgres_server)
                    start_postgres(postgres_server)
            else:
                wait_for(lambda: status_of(many, runs[-1]) != "running", alive=alive)
    with open_app(config_of(many)) as app:
        assert [row.status for row in app.store.last_runs(99)] == ["done"] * 2 * days
    assert published(many) == published(one)
    assert "fault of the program" not in (many.parent / "workers.log").read_text()
