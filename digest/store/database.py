"""What both databases have in common: named queries, one transaction at a time, errors in our words."""

from __future__ import annotations

import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from digest.errors import StoreError

HERE = Path(__file__).parent
SCHEMA = 5  # the newest file in migrations/
BUSY_TIMEOUT_S = 30.0

Row = tuple[Any, ...]


@cache
def load_queries(dialect: str) -> dict[str, str]:
    """Every query of queries/*.sql and queries/<dialect>/*.sql by name.

    The files are aiosql's format, and a test reads them with it. Importing aiosql itself costs a run 60 ms (it loads
    its adapters for eight databases, and importlib.metadata for its version number), this loader 2.
    """
    found: dict[str, str] = {}
    for path in sorted((*HERE.glob("queries/*.sql"), *HERE.glob(f"queries/{dialect}/*.sql"))):
        for block in re.split(r"^-- name:", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            head, _, sql = block.partition("\n")
            name = re.match(r"\s*(\w+)", head)
            assert name, f"{path}: a query without a name"
            found[name[1]] = re.sub(r"^\s*--.*\n", "", sql, flags=re.MULTILINE).strip()
    return found


def stamp(moment: datetime) -> str:
    """An aware moment as stored: RFC 3339, UTC, always of the same width, so that it compares as text."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone cannot be stored")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


moment = datetime.fromisoformat


def day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


class Database(ABC):
    """One connection. `reading` and `writing` bracket every use; inside of them the named queries can be called."""

    dialect: ClassVar[Literal["sqlite", "postgres"]]

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._rehearsing = False
        self._inside = False
        self._to_wipe = False
        self._queries: Mapping[str, str] = load_queries(self.dialect)

    @abstractmethod
    def execute(self, sql: str, params: Mapping[str, object]) -> Any:
        """A cursor of the driver."""

    @abstractmethod
    def execute_many(self, sql: str, params: Sequence[Mapping[str, object]]) -> None: ...

    @abstractmethod
    def explain(self, error: Exception) -> StoreError:
        """The driver's error as ours, with the mend."""

    @property
    @abstractmethod
    def driver_error(self) -> type[Exception]: ...

    @abstractmethod
    def array(self, values: Sequence[str] | Sequence[int]) -> object:
        """A list as the database wants it as one parameter."""

    @abstractmethod
    def begin(self, *, write: bool) -> None: ...

    @abstractmethod
    def commit(self) -> None: ...

    @abstractmethod
    def rollback(self) -> None:
        """Ends the transaction, where there is one; raises nothing."""

    @abstractmethod
    def within(self, seconds: float) -> AbstractContextManager[None]:
        """What is asked in this block ends with StoreSlow after so many seconds; other threads wait for its end."""

    @abstractmethod
    def faults(self) -> list[str]:
        """What the database itself finds wrong with its files; empty for a healthy one."""

    @abstractmethod
    def wipe(self) -> None:
        """Leaves no byte, in the files of the database, of subscribers who were deleted. Outside of a transaction."""

    @abstractmethod
    def copies(self) -> list[Path]:
        """The copies that were kept of the database when its schema was changed, oldest first."""

    @abstractmethod
    def close(self) -> None: ...

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction, the only writer at this time. All of it is durable after the block, or none of it.

        What is begun inside of another one of the same thread is part of that one.
        """
        with self._transaction(write=True):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One view of the store."""
        with self._transaction(write=False):
            yield

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Everything in this block works, can be read back, and is undone at its end. Other writers wait for as long."""
        with self._lock:
            self._begin(write=True)
            self._rehearsing = True
            try:
                yield
            finally:
                self._rehearsing = self._to_wipe = False
                self.rollback()

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[None]:
        with self._lock:
            if self._inside:
                yield
                return
            self._begin(write=write)
            self._inside = True
            try:
                yield
                self._end()
            except self.driver_error as error:
                self._undo()
                raise self.explain(error) from error
            except BaseException:
                self._undo()
                raise
            finally:
                self._inside = False
            if self._to_wipe and not self._rehearsing:
                self._to_wipe = False
                self.wipe()

    def wipe_afterwards(self) -> None:
        """What is deleted in this transaction is to leave no byte behind (wipe) once it is committed. It is noted, for who comes
        after a process that dies before that."""
        self.run("set_meta", key="to_wipe", value="")
        self._to_wipe = True

    def _begin(self, *, write: bool) -> None:
        try:
            if self._rehearsing:
                self.execute("SAVEPOINT step", {})
            else:
                self.begin(write=write)
        except self.driver_error as error:
            self.rollback()
            raise self.explain(error) from error

    def _end(self) -> None:
        if self._rehearsing:
            self.execute("RELEASE SAVEPOINT step", {})
        else:
            self.commit()

    def _undo(self) -> None:
        self._to_wipe = False
        if not self._rehearsing:
            self.rollback()
            return
        with suppress(self.driver_error):
            self.execute("ROLLBACK TO SAVEPOINT step", {})
            self.execute("RELEASE SAVEPOINT step", {})

    def rows(self, name: str, /, **params: object) -> list[Row]:
        found: list[Row] = self.execute(self._queries[name], params).fetchall()
        return found

    def one(self, name: str, /, **params: object) -> Row | None:
        found: Row | None = self.execute(self._queries[name], params).fetchone()
        return found

    def value(self, name: str, /, **params: object) -> Any:
        found = self.one(name, **params)
        return found[0] if found else None

    def run(self, name: str, /, **params: object) -> int:
        """How many rows a change touched."""
        return int(self.execute(self._queries[name], params).rowcount)

    def many(self, name: str, params: Sequence[Mapping[str, object]]) -> None:
        if params:
            self.execute_many(self._queries[name], params)
