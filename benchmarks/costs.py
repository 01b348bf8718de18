"""What a command costs: wall, CPU and peak memory of one process, and medians of several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from msgspec import Struct

ROOT = Path(__file__).parent.parent
_METER = Path(__file__).with_name("meter.py")


class Cost(Struct, frozen=True):
    """Seconds, and the most memory that the process held."""

    wall: float
    cpu: float
    peak_mib: float


def cost_of(
    command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Cost:
    """Runs a command to its end. Raises SystemExit with what it said when it fails."""
    with tempfile.TemporaryDirectory() as folder:
        out, said = Path(folder, "cost"), Path(folder, "said")
        with said.open("wb") as sink:
            line = [sys.executable, "-I", "-S", str(_METER), str(out), *map(str, command)]
            done = subprocess.run(
                line, cwd=cwd, env={**os.environ, **(env or {})}, stdout=sink, stderr=subprocess.STDOUT, check=False
            )  # fmt: skip
        if done.returncode:
            text = said.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise SystemExit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{text}")
        found = json.loads(out.read_text())
    return Cost(wall=found["wall"], cpu=found["cpu"], peak_mib=found["peak_kib"] / 1024)


def answer_of(module: str, *arguments: object, python: str | Path = sys.executable) -> tuple[Any, Cost]:
    """What `python -m benchmarks.MODULE ARGUMENTS… OUT` writes to OUT as JSON, and what the process cost."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "answer.json")
        command = [str(python), "-m", f"benchmarks.{module}", *map(str, arguments), str(out)]
        cost = cost_of(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
        return json.loads(out.read_bytes()), cost


def middle(costs: Iterable[Cost]) -> Cost:
    """The medians; of memory the most."""
    all_of = list(costs)
    return Cost(
        wall=median(cost.wall for cost in all_of),
        cpu=median(cost.cpu for cost in all_of),
        peak_mib=max(cost.peak_mib for cost in all_of),
    )


def warm(file: Path) -> None:
    """Reads a file through, so that the system has all of it in memory: some machines let go of it within seconds."""
    with file.open("rb", buffering=0) as body:
        while body.read(2**20):
            pass


def cool(file: Path) -> None:
    """Has the system let go of a file, where it can be asked for that."""
    if not hasattr(os, "posix_fadvise"):
        return
    with file.open("rb") as body:
        os.posix_fadvise(body.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def compile_ours() -> None:
    """Bytecode of the program and of the benchmarks, which some machines forbid Python to keep by itself."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    for folder in ("digest", "benchmarks"):
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(ROOT / folder)], check=True, env=env)
