"""The benchmark of searching finds what it asks for. No time is asserted."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks import searching  # noqa: E402
from digest.store import open_store  # noqa: E402


def test_a_small_archive_is_filled_and_the_searches_find_what_they_ask_for(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/digest.db") as store:
        searching.fill(store, 0, 500)
        found = {name: total for name, (total, _, _) in searching.searched(store, 1).items()}
    assert found.keys() == searching.SEARCHES.keys()
    assert found["a word of every paper"] > 250
    assert 0 < found["two words"] < 500
    assert searching.like(tmp_path / "digest.db", 1) > 0
    lines = searching._lines((500,), {500: {name: (total, 1.0, 2.0) for name, total in found.items()}})
    assert [line[0].partition(":")[0] for line in lines] == list(searching.SEARCHES)
