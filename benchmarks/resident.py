"""`digest serve` at its hour, again and again: `python -m benchmarks.resident CONFIG` runs the first digest on each date that a
line of stdin names, in one process that stays, and answers with what that cost (benchmarks.costs.Cost as JSON).

The whole of it is measured that the scheduler does for a day, from the store opened to the store closed.
"""

from __future__ import annotations

import gc
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from digest.configfile import load_config
from digest.scheduler import Service


def main() -> None:
    gc.set_threshold(100_000, 20, 20)  # as the program itself does
    config = load_config(Path(sys.argv[1]), {})
    for line in sys.stdin:
        due = datetime.fromisoformat(f"{line.strip()}T06:00:00").replace(tzinfo=UTC)
        wall, cpu = time.perf_counter(), time.process_time()
        report = Service(config, clock=lambda at=due: at).run(config.digest[0], due)  # type: ignore[misc]
        cost = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "peak_mib": _peak_mib()}
        if report is None:
            raise SystemExit(f"digest serve: nothing was run on {line.strip()}")
        print(msgspec.json.encode(cost).decode(), flush=True)


def _peak_mib() -> float:
    """Of this process: what Linux reports of a child is never below what its parent held."""
    (found,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found) / 1024


if __name__ == "__main__":
    main()
