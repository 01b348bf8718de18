"""The tables of fleets: workers that all send all mails, to a server that is as slow as it says. No time is asserted from above."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent))

from benchmarks import fleet, sending
from benchmarks.report import verdict


def test_without_a_database_nothing_is_measured_and_the_reason_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fleet, "NEEDED", ("pixeltable_nowhere", "json"))
    (row,) = fleet.measure(quick=True).rows
    assert row.met is None
    assert verdict(row) == "not known: pixeltable-nowhere (pip install them)"


def test_a_slow_server_holds_back_each_answer(tmp_path: Path) -> None:
    sending.queue(tmp_path / "digest.db", 20)
    with fleet.server(0.02) as (port, _):
        taken = sending.digest_seconds(port, 20, 2000, 1, tmp_path / "digest.db")
    assert taken >= 20 * 0.02


def test_the_table_says_what_was_used_up() -> None:
    one = fleet.Sent(1, rate=200.0, work=0.2, server=0.1, database=0.1, idle=1.5)
    three = fleet.Sent(3, rate=500.0, work=0.6, server=0.95, database=0.2, idle=0.2)
    full = fleet.Sent(3, rate=900.0, work=1.4, server=0.3, database=0.3, idle=0.0)
    assert [line[-1] for line in fleet.lines_of([one, three, full])] == ["answers", "the server", "the cores"]
    assert [line[2] for line in fleet.lines_of([one, three])] == ["1.00×", "2.50×"]
