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
from store_contract import start_postgres, stop_postgres

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize(
    ("kills", "papers"), [(2, 8), pytest.param(40, 60, marks=pytest.mark.torture)], ids=["two", "forty"]
)
def test_three_workers_publish_the_bytes_of_one_process_whatever_dies_on_the_way(
    tmp_path: Path, new_database: Callable[[], str], postgres_server: Any, kills: int, papers: int
) -> None:
    """Six sources that share papers, two digests, topics, days. SIGKILL at random moments, and whoever is killed is started again;
    the database is stopped, as by a power cut, after every second kill."""
    days = 3 if kills < 10 else 6
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
                # The moment of a kill is what is tried; nothing is waited for.
                time.sleep(random.uniform(0.0, 1.0 if days == 3 else 3.0))
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
    assert sum(name.endswith("index.html") for name in published(one)) > 6
    assert "fault of the program" not in (many.parent / "workers.log").read_text()
