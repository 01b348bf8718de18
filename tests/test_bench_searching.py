"""The benchmark of searching finds what it asks for. No time is asserted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_a_small_archive_is_filled_and_every_search_finds_something_or_says_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.searching", "--sizes", "500", "1000", "--rounds", "1"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = {
        name: int(count) for name, count in re.findall(r"^\| ([^:]+): .*\| ([\d,]+) \|$", done.stdout, re.M)
    }
    assert len(found) == 9
    assert found["a word of every paper"] > 500
    assert 0 < found["two words"] < 1000
    assert "python -m benchmarks.searching" in (ROOT / "Makefile").read_text(encoding="utf-8")
