"""What an operator is told who names the wrong store, or ends a command halfway: what, where, what to do, and nothing untrue."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from digest.store import open_store
from pages import ROOT, invented
from store_contract import NOW, empty_postgres, issue, paper, sight
from test_cli import DIGEST, Shell, shell

__all__ = ["shell"]


# ---------------------------------------------------------------- the wrong store


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_store_is_not_copied_onto_itself_nor_is_the_advice_to_empty_it(
    shell: Shell, kind: str, request: pytest.FixtureRequest
) -> None:
    shell.put("a.xml", invented(0, 2))
    if kind == "sqlite":
        one, other = "sqlite:///digest.db", "sqlite:///./inbox/../digest.db"
    else:
        one = request.getfixturevalue("postgres_url")
        empty_postgres(one)
        other = f"{one}&application_name=another"
    shell("run", "--store", one)
    for target in (one, other):
        said = shell("db", "copy", one, target, code=2).stderr
        assert "one store" in said and "DROP" not in said and "move" not in said
    assert "2 papers" in shell("status", "--store", one).stdout


def test_who_names_what_is_no_store_is_told_which_of_the_two(shell: Shell) -> None:
    assert "FROM is 'mysql://x/y'" in shell("db", "copy", "mysql://x/y", "sqlite:///b.db", code=2).stderr
    assert "TO is 'b.db" in shell("db", "copy", "sqlite:///a.db", "b.db", code=2).stderr
    missing = shell("db", "copy", "sqlite:///nowhere.db", "sqlite:///b.db", code=1).stderr
    assert str(shell.folder / "nowhere.db") in missing and "FROM" in missing
    assert list(shell.folder.glob("*.db")) == []


@pytest.mark.postgres
def test_no_password_is_told_where_mails_are_in_flight(shell: Shell, postgres_url: str) -> None:
    empty_postgres(postgres_url)
    url = postgres_url.replace("postgres:@", "postgres:hush@")
    with open_store(postgres_url) as store:
        store.add_subscriber("reader@example.org", digests=("daily",), now=NOW)
        sight(store, paper())
        issue(store)
        assert store.claim(now=NOW, holder="killed", limit=1)
    said = shell("db", "copy", url, "sqlite:///b.db", code=2).stderr
    assert "in flight" in said and "hush" not in said and url.partition("?")[0].rpartition("@")[2] in said


@pytest.mark.postgres
def test_an_empty_database_is_named(shell: Shell, new_database: object) -> None:
    assert callable(new_database)
    url = new_database()
    said = shell("db", "copy", url, "sqlite:///b.db", code=1).stderr
    assert "is empty" in said and url.partition("?")[0].rpartition("/")[2] in said


@pytest.fixture
def nobody() -> str:
    """The address of a PostgreSQL that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"postgresql://digest:hush@127.0.0.1:{port}/digest"


@pytest.mark.postgres
def test_a_server_that_is_not_there_is_named_with_its_port_in_one_line(shell: Shell, nobody: str) -> None:
    said = shell("status", "--store", nobody, code=1).stderr
    assert nobody.replace("digest:hush@", "") in said and "hush" not in said
    assert said.count("\n") == 1 and "\ufffd" not in said


@pytest.mark.postgres
def test_a_worker_says_which_server_it_waits_for_and_what_to_do(shell: Shell, nobody: str) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "DIGEST__ENGINE__KIND": "procrastinate"}
    command = [*DIGEST, "worker", "--store", nobody]
    with subprocess.Popen(
        command, cwd=shell.folder, env=environ, stderr=subprocess.PIPE, text=True
    ) as worker:
        try:
            assert worker.stderr is not None
            said = next(line for line in worker.stderr if "Tried again" in line)
            worker.send_signal(signal.SIGINT)
            assert worker.wait(60) == 0
        finally:
            worker.kill()
    assert nobody.partition("@")[2] in said and "Check that the server runs" in said and "hush" not in said


# ---------------------------------------------------------------- letters beyond ASCII


def test_who_forbids_utf8_is_told_what_to_set(shell: Shell) -> None:
    shell.put("a.xml", [("Owls", "A survey of night.")])
    (shell.folder / "füße").mkdir()
    store = f"sqlite:///{shell.folder}/füße/digest.db"
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C", "PYTHONUTF8": "0"}
    command = [*DIGEST, "run", "--store", store]
    done = subprocess.run(command, cwd=shell.folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Set PYTHONUTF8=1" in done.stderr and "report" not in done.stderr
    subprocess.run(
        command, cwd=shell.folder, env={**environ, "PYTHONUTF8": "1"}, stdout=subprocess.DEVNULL, check=True
    )


# ---------------------------------------------------------------- Ctrl-C

INTERRUPTED = """
import sys
from digest.app import App
from digest.cli import main
from digest.store import Store, copying
def stop(*args, **kwargs):
    raise KeyboardInterrupt
copying._index_words = stop
Store.back_up = Store.restore = App.publish = stop
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["db", "copy", "sqlite:///digest.db", "sqlite:///two.db"], "TO is as it was"),
        (["backup", "b.db"], "No backup was written"),
        (["restore", "kept.db", "--store", "sqlite:///two.db"], "The store is as it was"),
        (["run"], "the next run goes on from there"),
    ],
    ids=["copy", "backup", "restore", "run"],
)
def test_who_ends_a_command_is_told_what_is_then(shell: Shell, args: list[str], said: str) -> None:
    shell.put("a.xml", invented(0, 2))
    shell("run")
    shell("backup", "kept.db")
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *args],
        cwd=shell.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    assert "interrupted. " in done.stderr and said in done.stderr and "Traceback" not in done.stderr
    if args == ["run"]:
        assert "ended early: interrupted" in shell("status").stdout
        shell("run")
        assert "ended early" not in shell("status").stdout


SWALLOWED = """
import signal, sys, time, weakref
from digest import cli
signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run in the background of a shell, where it is ignored
class Thing: pass
def asked(*args, **kwargs):
    thing = Thing()
    held = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing  # an exception in there goes nowhere
    for _ in range(600):  # not once for a minute: a signal that comes just before a sleep does not end it
        time.sleep(0.1)
cli.cli.main = asked
cli.main(["run"])
"""


# The first timer's signal comes while its thread is still being waited for.
SWALLOWED_TWICE = (
    """
import os, threading, time
class Busy(threading.Timer):
    def start(self):
        threading.Timer = of_the_library
        os.kill(*self.args)
        for _ in range(100):
            time.sleep(0.1)
of_the_library, threading.Timer = threading.Timer, Busy
"""
    + SWALLOWED
)


@pytest.mark.parametrize("program", [SWALLOWED, SWALLOWED_TWICE], ids=["once", "twice"])
def test_ctrl_c_is_heard_also_where_the_interpreter_swallows_it(program: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 130
    assert done.stderr.startswith("error: interrupted.") and "Traceback" not in done.stderr


AT_ONCE = """
import os, signal
signal.raise_signal(signal.SIGINT)
os._exit(7)  # nobody took it
"""


@pytest.mark.parametrize(
    ("before", "ended"), [(signal.SIG_DFL, -signal.SIGINT), (signal.SIG_IGN, 7)], ids=["terminal", "nohup"]
)
def test_ctrl_c_amid_the_first_imports_ends_a_command_without_a_traceback(
    tmp_path: Path, before: signal.Handlers, ended: int
) -> None:
    (tmp_path / "click.py").write_text(AT_ONCE)
    done = subprocess.run(
        [*DIGEST, "--version"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, before),
    )
    assert (done.returncode, done.stderr) == (ended, "")


SWITCHED = """
import signal
def taken():
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
before = taken()
import digest.__main__, digest.cli
assert taken() == before
digest.cli.cli.main = lambda *args, **kwargs: signal.raise_signal(signal.SIGINT)
digest.__main__.main()
"""


def test_the_command_takes_signals_and_the_library_leaves_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SWITCHED],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert done.returncode == 130
    assert done.stderr.startswith("error: interrupted.") and done.stderr.count("\n") == 1
