"""The store in one file. WAL, so that readers never wait; synchronous=FULL, so that what was committed survives a power cut."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from glob import escape as glob_escape
from pathlib import Path
from urllib.parse import quote

from msgspec.json import encode as encode_json

from digest.errors import StoreBusy, StoreError, StoreSlow
from digest.paths import exists
from digest.store.database import BUSY_TIMEOUT_S, PUT_BACK, Database, Row

log = logging.getLogger(__name__)
# Of the database's virtual machine: after so many, some tenths of a millisecond, it is asked whether time is up.
STEPS = 10_000
# For who looks through a whole file: 64 MiB, where SQLite takes 2 (1.0 s of CPU for 1.9, of 124 MB, 2026-11).
MUCH_CACHE = "PRAGMA cache_size = -65536"
_PAGES = 8  # fewer than any store has, of any schema, so that its first step is not the last


class Sqlite(Database):
    dialect = "sqlite"

    def __init__(self, path: Path, *, create: bool = True, timeout_s: float = BUSY_TIMEOUT_S) -> None:
        super().__init__()
        self.path = path
        self._lock = threading.RLock()
        self._connection = self._connect(create, timeout_s)

    def _connect(self, create: bool, timeout_s: float) -> sqlite3.Connection:
        if not create and not exists(self.path):
            raise StoreError(
                f'There is no store at {self.path}. "digest run" creates it; [store] url says where it lies.'
            )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not exists(self.path):
                # Addresses of readers will be in it; what SQLite puts beside it has the same rights.
                os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
            # isolation_level None: we begin and commit ourselves. Threads take turns (held).
            connection = sqlite3.connect(
                self.path,
                timeout=timeout_s,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"The store {self.path} cannot be opened ({error}). "
                "Check that it is a file, and that this user may read and write it and its folder, or point [store] url elsewhere."
            ) from error
        try:
            for pragma in (
                "synchronous = FULL",
                "foreign_keys = ON",
                "temp_store = MEMORY",
                "secure_delete = ON",
            ):
                connection.execute(f"PRAGMA {pragma}")
            _to_wal(connection, time.monotonic() + timeout_s)
        except sqlite3.Error as error:
            connection.close()
            raise self.explain(error) from error
        except UnicodeDecodeError as error:
            # SQLite quotes what it finds in place of its schema, and Python cannot make a text of that.
            connection.close()
            raise StoreError(f"The store {self.path} {_MENDS['SQLITE_CORRUPT']}.") from error
        return connection

    @property
    def where(self) -> str:
        return str(self.path)

    @property
    def driver_error(self) -> type[Exception]:
        return sqlite3.Error

    def held(self) -> AbstractContextManager[object]:
        return self._lock

    def execute(self, sql: str, params: Mapping[str, object]) -> sqlite3.Cursor:
        return self._connection.execute(sql, params)

    def execute_many(self, sql: str, params: Sequence[Mapping[str, object]]) -> None:
        self._connection.executemany(sql, params)

    def array(self, values: Sequence[str] | Sequence[int]) -> object:
        try:
            return encode_json(values).decode()  # in a fifth of the time
        except UnicodeEncodeError:  # a lone surrogate, which nothing that is stored has
            return json.dumps(values)

    def begin(self, *, write: bool, alone: bool = True) -> None:
        # IMMEDIATE: a transaction that reads first and writes later could not be upgraded while another one writes.
        self._connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")

    def commit(self) -> None:
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:  # a full disk has rolled back already
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        with self.held():
            end = time.monotonic() + seconds
            self._connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
            try:
                yield
            finally:
                self._connection.set_progress_handler(None, 0)

    def explain(self, error: Exception) -> StoreError:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name == "SQLITE_INTERRUPT":
            return StoreSlow(f"The store {self.path} took too long to answer, and was stopped.")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return StoreBusy(
                f"The store {self.path} is kept locked by another process. Nothing was changed. "
                "Wait until it is done, then run again."
            )
        for prefix, mend in _MENDS.items():
            if name.startswith(prefix):
                return StoreError(f"The store {self.path} {mend} (SQLite: {error}).")
        # On a disk without room the tool of the schema may hear of nothing, and miss a table that it could not make.
        return StoreError(
            f"The store {self.path} failed (SQLite: {error}). Nothing was changed. "
            "Free some space if its disk is full; `digest doctor` says whether it is damaged; else please report it."
        )

    def faults(self) -> list[str]:
        try:
            self._connection.execute(MUCH_CACHE)
            found = [str(row[0]) for row in self._connection.execute("PRAGMA quick_check(20)")]
            found += [
                f"{table}: row {rowid} refers to a row of {parent} that is gone"
                for table, rowid, parent, _ in self._connection.execute("PRAGMA foreign_key_check")
            ]
        except sqlite3.DatabaseError as error:
            return [str(self.explain(error))]
        return [fault for fault in found if fault != "ok"]

    def wipe(self) -> None:
        # secure_delete puts zeros over deleted rows and freed pages, but a page that was split keeps old bytes in its gaps. So
        # the one table that holds addresses is emptied, which frees its pages, and filled again; what else the file holds
        # (VACUUM would write it all anew, a gigabyte at 10^6 papers) is left alone. Then the log is emptied into the file.
        try:
            self._connection.execute("PRAGMA foreign_keys = OFF")
            try:
                self._rewrite_subscribers()
            finally:
                self._connection.execute("PRAGMA foreign_keys = ON")
            busy = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.Error as error:
            log.warning(
                "%s What was erased is gone from the store, but not every byte of it yet.",
                self.explain(error),
            )
            return
        if busy:
            log.warning("The log of %s is in use: what was erased leaves it later.", self.path)
        else:
            self._connection.execute("DELETE FROM meta WHERE key = 'to_wipe'")

    def _rewrite_subscribers(self) -> None:
        self.begin(write=True)
        try:
            for statement in (
                "CREATE TEMP TABLE kept AS SELECT * FROM subscribers",
                "DELETE FROM subscribers",
                "INSERT INTO subscribers SELECT * FROM kept ORDER BY id",
                "DROP TABLE kept",
            ):
                self._connection.execute(statement)
            self.commit()
        except BaseException:
            self.rollback()
            raise

    def copies(self) -> list[Path]:
        return sorted(self.path.parent.glob(f"{glob_escape(self.path.name)}.before-*"))

    def close(self) -> None:
        self._connection.close()

    # --- for copying.py and backups.py

    def frozen(self) -> AbstractContextManager[None]:
        return self.writing()

    def columns(self, table: str) -> list[str]:
        return [str(row[1]) for row in self._connection.execute(f"PRAGMA table_info({table})")]

    def stream(self, sql: str, batch: int) -> Iterator[Row]:
        yield from self._connection.execute(sql)

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        marks = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names of TABLES
        self._connection.executemany(sql, rows)

    def loaded(self) -> None:
        """Nothing: SQLite plans by what it knows of the indexes."""

    def overwrite(self, target: sqlite3.Connection) -> None:
        """Puts this whole database, as it is now, in place of what another one holds."""
        self._connection.backup(target)

    def take_from(self, other: sqlite3.Connection, step: Callable[[int, int, int], object]) -> None:
        """Puts another whole database in place of what this one holds: all of it or nothing. `step` is called while others keep
        the file, and after each step of some pages; what it raises ends that."""
        with self.held():
            other.backup(self._connection, pages=_PAGES, progress=step)
            # There stands the checksum of a backup, which this is not.
            self._connection.execute("PRAGMA application_id = 0")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    # --- for migrate.py

    def schema(self) -> int:
        """The schema version of the file; 0 for a new one. Raises StoreError for another program's file."""
        try:
            tables = {
                str(row[0])
                for row in self._connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
            if "meta" in tables:
                found = self._connection.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
                return int(found[0])
        except (sqlite3.Error, TypeError, ValueError) as error:
            if isinstance(error, sqlite3.Error):
                raise self.explain(error) from error
            tables = {"meta"}
        if any(not table.startswith(("_yoyo", "yoyo_", "sqlite_")) for table in tables):
            raise StoreError(
                f"{self.path} is a database of another program. Point [store] url to a file of its own."
            )
        return 0

    @property
    def migration_url(self) -> str:
        return "sqlite:///" + quote(str(self.path))

    def copy_before(self, schema: int) -> Path:
        """A whole copy of the store beside it, `digest.db.before-2`, in place of an older one. Raises StoreError."""
        copy = self.path.with_name(f"{self.path.name}.before-{schema}")
        part = copy.with_name(f"{copy.name}.part")
        try:
            part.unlink(missing_ok=True)
            # The addresses of readers are in it: open to nobody to whom the store is not.
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, self.path.stat().st_mode & 0o777))
            with closing(sqlite3.connect(part)) as target:
                self.overwrite(target)
            part.replace(copy)
        except (sqlite3.Error, OSError) as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise StoreError(
                f"Before its schema is changed, the store {self.path} is copied to {copy}, and that failed ({error}). "
                "Nothing was changed. Free some space, or give this user the right to write the folder, then run again."
            ) from error
        return copy

    @contextmanager
    def sole_migrator(self) -> Iterator[None]:
        """Only one process at a time changes the schema of files in this folder. A lock that dies with its process."""
        import fcntl

        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            # On a network file system without locks the database's own locks still hold.
            with suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def _to_wal(connection: sqlite3.Connection, until: float) -> None:
    """SQLite does not wait for another process that is at the same: it says at once that the file is locked."""
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > until:
                raise
        time.sleep(0.01)


_MENDS: dict[str, str] = {
    "SQLITE_FULL": "cannot grow: the disk is full. Nothing was changed. Free some space, then run again",
    "SQLITE_READONLY": "may not be written. Nothing was changed. Give this user the right to write the file and its folder",
    "SQLITE_CANTOPEN": "cannot be opened. Check that it is a file, and that this user may read and write it and its folder",
    "SQLITE_CORRUPT": f"is damaged. {PUT_BACK}",
    "SQLITE_NOTADB": "is no SQLite database, or is damaged. Move the file away and put back your last backup with "
    "`digest restore`, or point [store] url to another file",
    "SQLITE_IOERR": "cannot be read or written: the disk reports an error, or is full. Free some space or check the disk, "
    "then run again",
    "SQLITE_PERM": "may not be opened. Give this user the right to read and write the file and its folder",
}
