"""The store on PostgreSQL, by psycopg 3: each thread in a transaction has a connection of its own. Who writes does so alone, by an
advisory lock held for each short transaction, as with SQLite; but for what says that it need not be (Database.writing).

What can end a transaction from outside, and what becomes of it:
- Writers that are alone never meet, and READ COMMITTED has no serialisation failures. One that goes beside them may wait for a
  row that another has changed, and that one for a row of its: the server ends one of the two after a second (a deadlock).
- The server is stopped, dies, or cuts us off. Found at BEGIN, nothing had been done: a new connection is taken, and a server that
  is being restarted is waited for. Found later, before COMMIT: nothing of the transaction is kept.
  In both cases the caller gets StoreUndone, and `whole` (database.py) does the transaction again.
- The connection is lost between COMMIT and its answer: nobody knows whether it is kept, and it is not done again. (To ask for the
  number of the transaction, pg_xact_status, proves nothing: after a crash numbers are given out anew.) The caller gets a
  StoreError, the run fails, and the next one sees what is there.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from digest.errors import StoreBusy, StoreError, StoreSlow, StoreUndone
from digest.store.copying import TABLES
from digest.store.database import BUSY_TIMEOUT_S, Database, Row

try:
    import psycopg
except ImportError as error:
    raise StoreError(
        "The store is on PostgreSQL, and its driver is not installed. Install it: pip install 'paper-digest[postgres]'"
    ) from error

_NAMED = re.compile(r"'(?:''|[^'])*'|::\w+|:(\w+)")
_LOCK = "pg_advisory_xact_lock(hashtextextended('digest:' || current_schema(), {}))"
MOST_CONNECTIONS = 8
# So long a server that was there is waited for when it is not: a restart takes a second or two.
RESTART_S = 10.0
RETRY_CONNECT_S = 0.1

Connection = psycopg.Connection[tuple[Any, ...]]


class Pool:
    """Up to MOST_CONNECTIONS connections, each in the hands of one thread; those that were given back are kept for the next one.

    psycopg_pool has the same, with four threads in the background. It would cost each run 27 ms of CPU to import and each opened
    store (a job of a worker opens one) 1.2 ms of CPU and 4 ms, and a server that is not there would be named only after its
    time-out, and in a log (measured 2026-11). Here the thread that needs a connection makes it.
    """

    def __init__(self, connect: Callable[[], Connection], wait_s: float) -> None:
        self._connect, self._wait_s = connect, wait_s
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._idle: list[Connection] = []
        self._closed = False

    def take(self) -> Connection:
        """The connection that was given back last, or a new one. Raises StoreBusy when all are in use for too long."""
        if self._closed:
            raise StoreError("The store was closed, and is used.")
        if not self._room.acquire(timeout=self._wait_s):
            raise StoreBusy(
                f"All {MOST_CONNECTIONS} connections to the store are in use. Nothing was changed."
            )
        try:
            return self._idle.pop() if self._idle else self._connect()
        except BaseException:
            self._room.release()
            raise

    def give(self, connection: Connection) -> None:
        """Takes it back, and lets go of one that was lost or is in the midst of something."""
        if not self._closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        self._room.release()

    def close(self) -> None:
        """Closes those that nobody has; others when they are given back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()


class _Mine(threading.local):
    """What a thread has."""

    connection: Connection | None = None
    freezes = False
    writes = False  # in the transaction that it is in
    commits = False  # it has asked for the end of that
    until = inf  # by time.monotonic(): when what it asks takes too long


class Postgres(Database):
    dialect = "postgres"

    def __init__(self, url: str, *, timeout_s: float = BUSY_TIMEOUT_S) -> None:
        super().__init__()
        self.url, self._timeout_ms = url, int(timeout_s * 1000)
        self._queries = {name: _pyformat(sql) for name, sql in self._queries.items()}
        self._mine = _Mine()
        self._pool = Pool(self._connect_again, timeout_s)
        self._away_since = -inf  # by time.monotonic(); -inf where the server never answered
        with self.held():  # who cannot reach it is told at once
            self._away_since = inf

    @property
    def where(self) -> str:
        """The address without its password, for messages."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def _connect(self) -> Connection:
        try:
            connection = psycopg.connect(
                self.url, autocommit=True, connect_timeout=10, application_name="digest"
            )
            connection.execute(f"SET lock_timeout = {self._timeout_ms}")
        except psycopg.Error as error:
            said = "; ".join(map(str.strip, str(error).strip().splitlines()))
            raise StoreError(
                f"The store {self.where} cannot be reached ({said}). "
                "Check that the server runs and that [store] url has the right host, user, password and database."
            ) from error
        return connection

    def _connect_again(self) -> Connection:
        """A new connection. A server that is gone is waited for, RESTART_S from when the first of all threads missed it."""
        while True:
            try:
                connection = self._connect()
            except StoreError:
                now = time.monotonic()
                self._away_since = min(self._away_since, now)
                if now >= min(self._away_since + RESTART_S, self._mine.until):
                    raise
                time.sleep(RETRY_CONNECT_S)
            else:
                self._away_since = inf
                return connection

    @contextmanager
    def held(self) -> Iterator[None]:
        mine = self._mine
        if mine.connection is not None:
            yield
            return
        mine.connection = self._pool.take()
        try:
            yield
        finally:
            connection, mine.connection = mine.connection, None
            self._pool.give(connection)

    @property
    def _connection(self) -> Connection:
        if self._mine.connection is None:
            raise RuntimeError("the store is used outside of a transaction")
        return self._mine.connection

    @property
    def driver_error(self) -> type[Exception]:
        return psycopg.Error

    def execute(self, sql: str, params: Mapping[str, object]) -> psycopg.Cursor[tuple[Any, ...]]:
        return self._connection.execute(cast(Any, sql), params)

    def execute_many(self, sql: str, params: Sequence[Mapping[str, object]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(cast(Any, sql), params)

    def array(self, values: Sequence[str] | Sequence[int]) -> object:
        return list(values)

    def begin(self, *, write: bool, alone: bool = True) -> None:
        self._mine.writes, self._mine.commits = write, False
        try:
            self._start(write, alone)
        except psycopg.OperationalError:
            if not self._connection.broken:
                raise
            # The server was restarted since the last transaction: nothing of ours is lost.
            self._connection.close()
            self._mine.connection = self._connect_again()
            self._start(write, alone)

    def _start(self, write: bool, alone: bool) -> None:
        """One message to the server for all that a transaction begins with."""
        # Read committed, so that what we read after the lock is what the last writer left.
        steps = [f"BEGIN ISOLATION LEVEL {'READ COMMITTED' if write else 'REPEATABLE READ READ ONLY'}"]
        if self._mine.until < inf:
            left = max(1, round((self._mine.until - time.monotonic()) * 1000))
            steps.append(f"SET LOCAL statement_timeout = {left}")
        if write and alone:
            steps.append(f"SELECT {_LOCK.format(1)}")
        if self._mine.freezes:
            # Without READ ONLY, which has no such locks. They come before the first view of the data.
            steps[0] = "BEGIN ISOLATION LEVEL REPEATABLE READ"
            steps.append(f"LOCK TABLE {', '.join(TABLES)} IN SHARE MODE")
        self._connection.execute(cast(Any, "; ".join(steps)))

    def commit(self) -> None:
        self._mine.commits = self._mine.writes
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        with suppress(psycopg.Error):
            if self._connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        before = self._mine.until
        self._mine.until = min(before, time.monotonic() + seconds)
        try:
            yield
        finally:
            self._mine.until = before

    def explain(self, error: Exception) -> StoreError:
        said = str(error).strip().partition("\n")[0]
        errors = psycopg.errors
        if self._mine.connection is None or self._mine.connection.closed:
            return self._lost(said)
        if isinstance(error, errors.SerializationFailure | errors.DeadlockDetected):
            return StoreUndone(
                f"Another process was in the way in the store {self.where} ({said}). Nothing was changed. Run again."
            )
        if isinstance(error, errors.LockNotAvailable):
            return StoreBusy(
                f"The store {self.where} is kept locked by another process ({said}). Nothing was changed. "
                "Wait until it is done, then run again."
            )
        if isinstance(error, errors.QueryCanceled):
            return StoreSlow(f"The store {self.where} took too long to answer, and was stopped ({said}).")
        if isinstance(error, errors.DiskFull):
            return StoreError(
                f"The disk of the server of {self.where} is full ({said}). Free some space, then run again."
            )
        if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
            return StoreError(
                f"The store {self.where} may not be written ({said}). Give its user the right to."
            )
        return StoreError(f"The store {self.where} failed (PostgreSQL: {said}). Nothing was changed.")

    def _lost(self, said: str) -> StoreError:
        if self._mine.commits:
            return StoreError(
                f"The connection to {self.where} was lost ({said}) while a change was being saved: whether it is kept is not "
                "known. Check the server, then run again: what is there is not done twice."
            )
        return StoreUndone(
            f"The connection to {self.where} was lost ({said}). Nothing was changed. Check the server, then run again."
        )

    def faults(self) -> list[str]:
        return []  # PostgreSQL has no check of its own that an ordinary user may run

    def wipe(self) -> None:
        """Nothing but the note that it was asked for: when deleted rows are overwritten is the server's affair (VACUUM)."""
        with suppress(psycopg.Error):  # the note stays, then, and who comes next takes it away
            self._connection.execute("DELETE FROM meta WHERE key = 'to_wipe'")

    def copies(self) -> list[Path]:
        return []  # copy_before makes none

    def close(self) -> None:
        self._pool.close()

    # --- for copying.py and backups.py

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self._mine.freezes = True
        try:
            with self.reading():
                yield
        finally:
            self._mine.freezes = False

    def columns(self, table: str) -> list[str]:
        cursor = self._connection.execute(cast(Any, f"SELECT * FROM {table} LIMIT 0"))  # noqa: S608 - a name of TABLES
        return [column.name for column in cursor.description or ()]

    def stream(self, sql: str, batch: int) -> Iterator[Row]:
        with self._connection.cursor(name="digest_stream") as cursor:
            cursor.itersize = batch
            cursor.execute(cast(Any, sql))
            yield from cursor

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        sql = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with self._connection.cursor() as cursor, cursor.copy(cast(Any, sql)) as copy:
            for row in rows:
                copy.write_row(row)

    def loaded(self) -> None:
        """Lets the server look at what was loaded: until it has, it plans as if the tables were empty."""
        self._connection.execute(cast(Any, f"ANALYZE {', '.join(TABLES)}, shown_text"))

    # --- for migrate.py

    def schema(self) -> int:
        """The schema version; 0 when our tables are not there yet."""
        with self.held():
            try:
                there = self._connection.execute("SELECT to_regclass('meta')").fetchone()
                if there is None or there[0] is None:
                    return 0
                found = self._connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
                return int(found[0]) if found else 0
            except psycopg.Error as error:
                raise self.explain(error) from error

    @property
    def migration_url(self) -> str:
        return re.sub(r"^postgres(ql)?:", "postgresql+psycopg:", self.url)

    def copy_before(self, schema: int) -> None:
        """Nothing: copies of a server's databases are made by who runs it (pg_dump)."""

    @contextmanager
    def sole_migrator(self) -> Iterator[None]:
        """Only one process at a time changes the schema. The lock dies with our connection."""
        with self.held():
            self._connection.execute("BEGIN")
            try:
                self._connection.execute(cast(Any, f"SELECT {_LOCK.format(2)}"))
                yield
            finally:
                self.rollback()


def _pyformat(sql: str) -> str:
    """`:name`, as our queries have it, to `%(name)s`, as psycopg wants it."""
    return _NAMED.sub(lambda m: f"%({m[1]})s" if m[1] else m[0], sql.replace("%", "%%"))
