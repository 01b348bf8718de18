"""Workers side by side: the editions of one process, byte for byte, whatever dies on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleets import begin, in_one_process, installation, published, status_of, wait_for, workers, write_pages
from store_contract import new_database, postgres_server

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
    assert sum(name.endswith("index.html") for name in published(one)) > 6
