"""What a group of benchmarks found: rows that are held against a goal, tables that show growth, and how both are printed."""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

BENCH = Path(__file__).parent.parent / ".bench"
RESULTS = Path(__file__).parent / "results.json"


class Check(Struct, frozen=True):
    """One figure that a goal is about: `value` is to be at least (`more`) or at most `limit`."""

    what: str
    value: float
    limit: float
    more: bool = True
    unit: str = "×"
    stretch: float | None = None

    @property
    def met(self) -> bool:
        return self.value >= self.limit if self.more else self.value <= self.limit

    @property
    def goal(self) -> str:
        wanted = f"{'≥' if self.more else '≤'} {self.limit:g}{self.unit}"
        return f"{wanted} {self.what}".strip()

    @property
    def measured(self) -> str:
        return f"{figure(self.value)}{self.unit}"


class Row(Struct, frozen=True):
    """One line of the table of goals. `missing` says which peer is not here, and how to get it: then nothing is met."""

    id: str
    what: str
    ours: str
    peers: str = ""
    checks: tuple[Check, ...] = ()
    peak_mib: float | None = None
    missing: str = ""

    @property
    def met(self) -> bool | None:
        return None if self.missing else all(check.met for check in self.checks)


class Growth(Struct, frozen=True):
    """How the cost of one part grows: a line for each size, a cell for each heading."""

    title: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


class Found(Struct, frozen=True):
    """All that one group found. `notes` say what is compared, and what is missing."""

    group: str
    rows: tuple[Row, ...] = ()
    growth: tuple[Growth, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


class Results(Struct, frozen=True):
    """What is written as JSON."""

    date: str
    machine: str
    versions: dict[str, str]
    found: tuple[Found, ...]
    command: str = "make bench"


def figure(value: float) -> str:
    """Three digits say enough: 0.413, 4.13, 41.3, 413, 4,130."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}".rstrip("0")


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    shown = [f"| {' | '.join(cells)} |" for cells in lines]
    return [f"| {' | '.join(headings)} |", "|" + "---|" * len(headings), *shown]


def goals(rows: Iterable[Row]) -> list[str]:
    """The table of goals, a line for each row, in their order."""
    ordered = sorted(rows, key=lambda row: int(row.id[1:]) if row.id[1:].isdigit() else 99)
    lines = [
        (
            row.id,
            row.what,
            row.ours,
            row.peers,
            "; ".join(check.goal for check in row.checks),
            "; ".join(check.measured for check in row.checks),
            "" if row.peak_mib is None else f"{row.peak_mib:.0f}",
            verdict(row),
        )
        for row in ordered
    ]
    headings = ("", "measured", "digest", "beside it", "goal", "found", "peak MiB", "met")
    return table(headings, lines)


def verdict(row: Row) -> str:
    """Is it met? If not, which figure is short; if that is not known, what is missing."""
    if row.missing:
        return f"not known: {row.missing}"
    if row.met:
        return "yes"
    return "no: " + ", ".join(check.what or check.goal for check in row.checks if not check.met)


def text(found: Found) -> list[str]:
    """What one group prints when it is run alone."""
    lines = [*goals(found.rows), ""] if found.rows else []
    for growth in found.growth:
        lines += [growth.title, "", *table(growth.headings, growth.lines), ""]
    return [*lines, *found.notes, f"({found.group}: {found.seconds:.0f} s)"]


def machine() -> str:
    """The machine that it was measured on, in words."""
    kilobytes = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1])
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    return (
        f"{os.cpu_count()} cores, {kilobytes / 2**20:.0f} GiB, {system}, Python {platform.python_version()}"
    )


def run_alone(
    group: str, doc: str | None, measure: Callable[[bool], Found], arguments: Iterable[str] | None = None
) -> None:
    """The command of one group: `--quick` proves that it works and times nothing well, `--json` writes what was found."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{group}", description=doc)
    parser.add_argument("--quick", action="store_true", help="small sizes, one round: shows that it works")
    parser.add_argument("--json", type=Path, help="write what was found to this file")
    options = parser.parse_args(None if arguments is None else list(arguments))
    found = timed(measure, options.quick)
    if options.json:
        options.json.write_bytes(msgspec.json.encode(found))
    print("\n".join(text(found)), flush=True)


def timed(measure: Callable[[bool], Found], quick: bool) -> Found:
    started = time.perf_counter()
    found = measure(quick)
    return msgspec.structs.replace(found, seconds=time.perf_counter() - started)
