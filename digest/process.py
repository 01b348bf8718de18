"""Who holds a lease or writes a file, whether that process still lives, and what tells this one to end."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from glob import escape
from pathlib import Path


def this_process() -> str:
    """Who holds a lease: host, process and the moment that the process started, since process numbers come again."""
    return f"{socket.gethostname()}/{os.getpid()}/{_started(os.getpid())}"


def is_dead(holder: str) -> bool:
    """Is the holder known to be gone? Only a process of this machine can be known; of others only time tells."""
    parts = holder.rsplit("/", 2)
    if len(parts) != 3 or parts[0] != socket.gethostname() or not parts[1].isdigit():
        return False
    pid, started = parts[1:]
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _started(int(pid)) != started


def on_stop_signals(stop: Callable[[], None]) -> None:
    """Calls `stop` whenever this process gets SIGTERM or SIGINT, in a thread of its own. Called by the main thread.

    Not where Python handles the signal, in the main thread: that may hold the very lock that setting an event waits for, or
    may just have begun to wait for somebody who never comes, and hears no signal from then on.
    """
    told, heard = socket.socketpair()
    told.setblocking(False)
    numbers = {signal.SIGTERM, signal.SIGINT}

    def each() -> None:
        with told:  # open as long as somebody listens
            while number := heard.recv(1):
                if number[0] in numbers:
                    stop()

    threading.Thread(target=each, name="stop", daemon=True).start()
    for number in numbers:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)


def part_of(file: Path) -> Path:
    """Where this process writes what takes the place of a file when it is whole: `.NAME.PID.part` beside it. What processes that
    were killed left there is removed: it may hold addresses, and a number of theirs comes again, in containers at once."""
    # The parts of "backup.2026" stand beside those of "backup", and are not of it.
    part = re.compile(rf"\.{re.escape(file.name)}\.([0-9]{{1,9}})\.part(-[a-z]+)?")
    for left in file.parent.glob(f".{escape(file.name)}.*.part*"):
        found = part.fullmatch(left.name)
        if found and (int(found[1]) == os.getpid() or _is_free(int(found[1]))):
            with suppress(OSError):
                left.unlink()
    return file.with_name(f".{file.name}.{os.getpid()}.part")


def _is_free(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False  # it is somebody else's
    return False


def _started(pid: int) -> str:
    """The process's start time in clock ticks since boot (proc(5), stat, field 22); "" where there is no /proc.

    "ended" for one that is dead and only waits for its parent to notice (state Z): it holds nothing any more.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "ended" if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        return ""
