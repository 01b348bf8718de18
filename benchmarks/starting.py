"""How long the command takes until it has said something small, beside an interpreter that does nothing.

P14: `digest --version` and `digest --help`, each a process of its own, in turns, warm; wall time, medians. Growth: `digest status`
with 1, 10 and 100 sources in config.toml.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.costs import ROOT, Cost, compile_ours, cost_of, middle
from benchmarks.report import Check, Found, Growth, Row, run_alone

LIMIT_MS, STRETCH_MS = 100, 60
SOURCES = (1, 10, 100)
_SOURCE = '[[source]]\nname = "source{0}"\npath = "listings/{0}.html"\n'


def program() -> list[str]:
    """The command as it is installed; as a module where it is not."""
    found = Path(sys.executable).parent / "digest"
    return [str(found)] if found.exists() else [sys.executable, "-m", "digest"]


def measure(quick: bool = False) -> Found:
    rounds, warm = (1, 0) if quick else (21, 1)
    if not quick:
        compile_ours()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        commands = {"--version": [*program(), "--version"], "--help": [*program(), "--help"]}
        commands |= {
            "python": [sys.executable, "-c", "pass"],
            "python without site": [sys.executable, "-I", "-S", "-c", "pass"],
        }
        for count in SOURCES:
            commands[f"status {count}"] = [*program(), "--config", str(_config(folder, count)), "status"]
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        for round_ in range(rounds + warm):
            for name, command in commands.items():
                cost = cost_of(command, cwd=folder, env={"PYTHONPATH": str(ROOT)})
                if round_ >= warm:
                    costs[name].append(cost)
    middles = {name: middle(each) for name, each in costs.items()}
    growth = Growth(
        "digest status, by sources in config.toml", ("sources", "wall ms", "cpu ms", "peak MiB"),
        tuple((str(count), *_cells(middles[f"status {count}"])) for count in SOURCES),
    )  # fmt: skip
    return Found("starting", (_row(middles),), (growth,))


def _config(folder: Path, count: int) -> Path:
    file = folder / f"{count}.toml"
    file.write_text(
        '[site]\nurl = "https://papers.example.org/"\n[[digest]]\nname = "daily"\n'
        + "".join(_SOURCE.format(number) for number in range(count))
    )
    return file


def _cells(cost: Cost) -> tuple[str, ...]:
    return f"{1000 * cost.wall:.0f}", f"{1000 * cost.cpu:.0f}", f"{cost.peak_mib:.0f}"


def _row(found: dict[str, Cost]) -> Row:
    names = ("--version", "--help")
    said = [
        f"digest {name} {1000 * found[name].wall:.0f} ms ({1000 * found[name].cpu:.0f} cpu)" for name in names
    ]
    bare = [
        f"{name} {1000 * found[name].wall:.0f} ms ({1000 * found[name].cpu:.0f} cpu)"
        for name in found
        if name.startswith("python")
    ]
    checks = tuple(
        Check(f"digest {name}", 1000 * found[name].wall, LIMIT_MS, more=False, unit=" ms", stretch=STRETCH_MS)
        for name in names
    )
    return Row(
        "P14",
        "the command starts",
        "; ".join(said),
        "; ".join(bare),
        checks,
        max(found[name].peak_mib for name in names),
    )


if __name__ == "__main__":
    run_alone("starting", __doc__, measure)
