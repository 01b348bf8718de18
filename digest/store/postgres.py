"""The store on PostgreSQL, by psycopg 3. One writer at a time, as with SQLite: an advisory lock held for each short transaction."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from digest.errors import StoreBusy, StoreError, StoreSlow
from digest.store.database import BUSY_TIMEOUT_S, Database

try:
    import psycopg
except ImportError as error:
    raise StoreError(
        "The store is on PostgreSQL, and its driver is not installed. Install it: pip install 'paper-digest[postgres]'"
    ) from error

_NAMED = re.compile(r"'(?:''|[^'])*'|::\w+|:(\w+)")
_LOCK = "pg_advisory_xact_lock(hashtextextended('digest:' || current_schema(), {}))"


class Postgres(Database):
    dialect = "postgres"

    def __init__(self, url: str, *, timeout_s: float = BUSY_TIMEOUT_S) -> None:
        super().__init__()
        self.url, self._timeout_ms = url, int(timeout_s * 1000)
        self._queries = {name: _pyformat(sql) for name, sql in self._queries.items()}
        self._connection = self._connect()

    @property
    def where(self) -> str:
        """The address without its password, for messages."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        try:
            connection = psycopg.connect(
                self.url, autocommit=True, connect_timeout=10, application_name="digest"
            )
            connection.execute(f"SET lock_timeout = {self._timeout_ms}")
        except psycopg.Error as error:
            raise StoreError(
                f"The store {self.where} cannot be reached ({str(error).strip()}). "
                "Check that the server runs and that [store] url has the right host, user, password and database."
            ) from error
        return connection

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

    def begin(self, *, write: bool) -> None:
        try:
            self._start(write)
        except psycopg.OperationalError:
            if not self._connection.broken:
                raise
            # The server was restarted since the last transaction: nothing of ours is lost.
            self._connection.close()
            self._connection = self._connect()
            self._start(write)

    def _start(self, write: bool) -> None:
        if write:
            # Read committed, so that what we read after the lock is what the last writer left.
            self._connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
            self._connection.execute(cast(Any, f"SELECT {_LOCK.format(1)}"))
        else:
            self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        with suppress(psycopg.Error):
            if self._connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        with self._lock:
            with suppress(psycopg.Error):  # a connection that was lost is made anew by what is asked
                self._connection.execute(cast(Any, f"SET statement_timeout = {int(seconds * 1000)}"))
            try:
                yield
            finally:
                with suppress(psycopg.Error):
                    self._connection.execute("SET statement_timeout = 0")

    def explain(self, error: Exception) -> StoreError:
        said = str(error).strip().partition("\n")[0]
        errors = psycopg.errors
        if isinstance(error, errors.LockNotAvailable | errors.SerializationFailure | errors.DeadlockDetected):
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
        if self._connection.closed:
            return StoreError(
                f"The connection to {self.where} was lost ({said}). Check the server, then run again."
            )
        return StoreError(f"The store {self.where} failed (PostgreSQL: {said}). Nothing was changed.")

    def faults(self) -> list[str]:
        return []  # PostgreSQL has no check of its own that an ordinary user may run

    def wipe(self) -> None:
        """Nothing but the note that it was asked for: when deleted rows are overwritten is the server's affair (VACUUM)."""
        self._connection.execute("DELETE FROM meta WHERE key = 'to_wipe'")

    def copies(self) -> list[Path]:
        return []  # copy_before makes none

    def close(self) -> None:
        self._connection.close()

    # --- for migrate.py

    def schema(self) -> int:
        """The schema version; 0 when our tables are not there yet."""
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
        self._connection.execute("BEGIN")
        try:
            self._connection.execute(cast(Any, f"SELECT {_LOCK.format(2)}"))
            yield
        finally:
            self.rollback()


def _pyformat(sql: str) -> str:
    """`:name`, as our queries have it, to `%(name)s`, as psycopg wants it."""
    return _NAMED.sub(lambda m: f"%({m[1]})s" if m[1] else m[0], sql.replace("%", "%%"))
