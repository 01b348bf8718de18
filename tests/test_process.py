"""Who holds a lease, and is it alive? Only what is known for certain counts as dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from digest.process import is_dead, part_of, this_process


def holder_of(child: subprocess.Popen[bytes]) -> str:
    host, _, _ = this_process().rsplit("/", 2)
    code = "from digest.process import _started; import sys; print(_started(int(sys.argv[1])))"
    started = subprocess.check_output([sys.executable, "-c", code, str(child.pid)], text=True).strip()
    return f"{host}/{child.pid}/{started}"


def test_a_living_process_is_not_dead() -> None:
    assert not is_dead(this_process())


def test_a_process_that_was_killed_is_dead_also_before_its_parent_has_noticed() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        holder = holder_of(child)
        assert not is_dead(holder)
        child.kill()
        os.waitid(
            os.P_PID, child.pid, os.WEXITED | os.WNOWAIT
        )  # it has ended, and nobody has taken its exit status
        assert is_dead(holder)
        child.wait()
    assert is_dead(holder)


def test_a_number_that_another_process_has_by_now_is_dead() -> None:
    host, pid, _ = this_process().rsplit("/", 2)
    assert is_dead(f"{host}/{pid}/1")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        began = holder_of(child).rsplit("/", 1)[1]
        assert is_dead(f"{host}/{pid}/{began}")  # it began before this one
        child.kill()


def test_of_another_machine_nothing_is_known() -> None:
    assert not is_dead("elsewhere.example.org/999999999/1")
    host = this_process().rsplit("/", 2)[0]
    for nonsense in ("", "nonsense", host, f"{host}/1", f"{host}/me/1"):
        assert not is_dead(nonsense)


def test_what_was_left_of_a_file_by_who_is_gone_is_removed_and_nothing_else(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    own, gone = os.getpid(), child.pid
    left = [f".a.db.{gone}.part", f".a.db.{gone}.part-wal", f".a.db.{own}.part"]
    others = [f".a.db.{os.getppid()}.part", f".a.db.copy.{gone}.part", f".b.db.{gone}.part", "a.db"]
    # Of files whose names go on: with a date that is the number of no process, or with what no number is.
    others += [f".a.db.{gone}.{os.getppid()}.part", f".a.db.{'9' * 20}.part", ".a.db.²2.part"]
    for name in left + others:
        (tmp_path / name).touch()
    assert part_of(tmp_path / "a.db") == tmp_path / f".a.db.{own}.part"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_midst_of_a_wait_for_it_is_heard(number: signal.Signals) -> None:
    """`Event.wait` holds a lock for a moment, and `Event.set` in a handler would wait for that for ever."""
    code = (
        "import os, sys, threading\n"
        "from digest.process import on_stop_signals\n"
        "stop = threading.Event()\n"
        "on_stop_signals(stop.set)\n"
        "with stop._cond:\n"
        "    os.kill(os.getpid(), int(sys.argv[1]))\n"
        "stop.wait()\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(int(number))], timeout=60, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_heard_by_a_program_that_just_began_to_wait(number: signal.Signals) -> None:
    """One that comes a moment before the main thread sleeps wakes it as little as one sent to another thread."""
    code = (
        "import signal, sys, threading, time\n"
        "from digest.process import on_stop_signals\n"
        "stop = threading.Event()\n"
        "on_stop_signals(stop.set)\n"
        "def other():\n"
        "    time.sleep(0.5)\n"
        "    signal.pthread_kill(threading.get_ident(), int(sys.argv[1]))\n"
        "    time.sleep(60)\n"
        "threading.Thread(target=other, daemon=True).start()\n"
        "sys.exit(not stop.wait(30))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(int(number))], timeout=60, check=False)
    assert done.returncode == 0
