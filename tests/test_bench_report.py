"""What benchmarks found is held against the goals, printed as one table, and written into a document."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks import __main__ as driver  # noqa: E402
from benchmarks import costs, installed, report  # noqa: E402
from benchmarks.report import Check, Row  # noqa: E402


def test_a_goal_is_met_when_each_figure_of_it_is() -> None:
    fast, slow = Check("peer", 4.0, 2), Check("peer", 1.9, 2)
    small, large = Check("peak", 69.9, 70, more=False), Check("peak", 70.1, 70, more=False)
    assert [check.met for check in (fast, slow, small, large)] == [True, False, True, False]
    assert Row("P1", "run", "1 s", checks=(fast, small)).met is True
    assert Row("P1", "run", "1 s", checks=(fast, large)).met is False
    assert Row("P1", "run", "1 s", checks=(fast, small), missing="nginx").met is None


def test_the_table_has_a_line_for_each_goal_in_their_order_and_names_what_is_not_met() -> None:
    rows = [
        Row("P10", "far", "90/s", "smtplib 22/s", (Check("smtplib", 4.09, 3.5),), 31.4),
        Row("P2", "run", "1 s", "", (Check("rss2email", 3.126, 5), Check("peak", 80, 90, more=False, unit=" MiB"))),
        Row("P9", "sink", "1/s", missing="smtp-sink (Debian: apt-get install postfix)"),
    ]  # fmt: skip
    lines = report.goals(rows)
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| P2", "| P9", "| P10"]
    assert lines[2].endswith("| ≥ 5× rss2email; ≤ 90 MiB peak | 3.13×; 80.0 MiB |  | no: rss2email |")
    assert lines[3].endswith("| not known: smtp-sink (Debian: apt-get install postfix) |")
    assert lines[4].endswith("| ≥ 3.5× smtplib | 4.09× | 31 | yes |")


def test_what_a_command_cost_is_its_own_and_not_that_of_who_started_it() -> None:
    ballast = bytearray(80 << 20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    idle = costs.cost_of([sys.executable, "-c", "pass"])
    busy = costs.cost_of(
        [
            sys.executable,
            "-c",
            "b = bytearray(90 << 20); b[::4096] = b'x' * len(b[::4096]); sum(range(10**6))",
        ]
    )
    assert idle.peak_mib < 60
    assert busy.peak_mib > 90
    assert busy.cpu > idle.cpu


def test_a_command_that_fails_ends_it_with_what_it_said() -> None:
    with pytest.raises(SystemExit, match="ended with 3:\nno such thing"):
        costs.cost_of([sys.executable, "-c", "print('no such thing'); raise SystemExit(3)"])


def test_every_group_can_be_run_alone() -> None:
    for group in driver.GROUPS:
        module = importlib.import_module(f"benchmarks.{group}")
        assert callable(module.measure) and module.__doc__, group


def test_the_driver_prints_the_table_writes_it_as_json_and_into_a_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, document = tmp_path / "results.json", tmp_path / "performance.md"
    document.write_text(f"# Speed\n{driver.BEGIN}\nof last year\n{driver.END}\nThe end.\n")
    driver.main(["starting", "--quick", "--json", str(file), "--write", str(document)])
    said = capsys.readouterr().out
    assert "| P14 | the command starts | digest --version " in said
    assert f"Written to {file}" in said
    assert [goal["id"] for goal in json.loads(file.read_text())["goals"]] == ["P14"]
    text = document.read_text()
    assert text.startswith(f"# Speed\n{driver.BEGIN}\n2") and text.endswith(f"{driver.END}\nThe end.\n")
    assert "| P14 |" in text and "last year" not in text


def test_a_document_without_the_marks_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Speed\n")
    with pytest.raises(SystemExit, match="has no lines"):
        driver.write_into(tmp_path / "a.md", ["table"])
    assert (tmp_path / "a.md").read_text() == "# Speed\n"


def test_the_documentation_has_room_for_the_tables_and_make_bench_prints_them() -> None:
    text = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert text.count(driver.BEGIN) == text.count(driver.END) == 1
    assert "-m benchmarks $(GROUPS)" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_peers_are_pinned_with_hashes_and_not_installed_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installed.version("rss2email") == "3.14"
    pinned = [line for line in installed.PEERS.read_text().splitlines() if "==" in line]
    assert all(line.endswith("\\") for line in pinned)
    monkeypatch.setattr(installed, "FOLDER", tmp_path / "venv")
    with pytest.raises(installed.NotInstalledError, match=r"python -m benchmarks\.installed"):
        installed.peers(install=False)
    assert installed.python(install=False) == sys.executable
    assert not (tmp_path / "venv").exists()
