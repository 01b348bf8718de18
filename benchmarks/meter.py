"""Runs one command and writes what it cost: `python -I -S meter.py OUT COMMAND…` (wall, CPU seconds, peak KiB, code) as JSON.

A process of its own, and a small one: the peak of a child that Linux reports is never below that of the parent that started it.
"""

import json
import os
import sys
import time

out, *command = sys.argv[1:]
started = time.perf_counter()
pid = os.posix_spawnp(command[0], command, os.environ)
_, status, used = os.wait4(pid, 0)
wall = time.perf_counter() - started
code = os.waitstatus_to_exitcode(status)
with open(out, "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib is larger than what it measures
    json.dump(
        {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak_kib": used.ru_maxrss, "code": code}, file
    )
sys.exit(min(abs(code), 125))
