"""The benchmark of building compares builders of the same mail; its readers have a thousand choices. No time is asserted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks import building  # noqa: E402


def test_our_mail_has_all_papers_in_both_parts_and_one_without_is_named() -> None:
    first = next(building.deliveries(1))
    message = building.ours()(first)
    assert message is not None
    assert building.missing(message.data, first) == []
    link = building.edition().entries[7].paper.links["abstract"]
    assert building.missing(message.data.replace(b"abstract/", b"x/"), first).count(link) == 2


def test_a_thousand_readers_have_a_thousand_choices_and_most_get_other_mails() -> None:
    readers = list(building.deliveries(1000, building.CHOICES))
    assert len({each.subscriber.preferences for each in readers}) == 1000
    sizes = building.build_ours(200, building.CHOICES)
    assert len(set(sizes)) > 100


def test_the_memory_of_a_process_of_its_own_is_printed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.building", "--subscribers", "20", "--peers", "2", "--rounds", "1", "--sizes", "20"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(r"\| 20 \| \d+ \| ≤ 80 \|", done.stdout)
    assert "python -m benchmarks.building" in (ROOT / "Makefile").read_text(encoding="utf-8")
