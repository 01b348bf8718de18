"""What both databases have in common: named queries, one transaction at a time, errors in our words."""

from __future__ import annotations

import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, date, datetime
from functools import cache, wraps
from pathlib import Path
from typing import Any, ClassVar, Literal, ParamSpec, TypeVar

import msgspec

from digest.errors import StoreError, StoreUndone

HERE = Path(__file__).parent
SCHEMA = max(int(file.name[:4]) for file in HERE.glob("migrations/sqlite/*.sql"))
BUSY_TIMEOUT_S = 30.0
TRIES = 5  # of a transaction that the database ended
PUT_BACK = (
    "Put back your last backup with `digest restore --replace FILE`, which keeps out who has left since, and if that fails, once "
    "the file is moved away; `digest rebuild` then restores the pages"
)

Row = tuple[Any, ...]
P = ParamSpec("P")
T = TypeVar("T")


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


def moment(text: str) -> datetime:
    """What `stamp` wrote. Raises StoreError for anything else."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise _damaged(error) from error


def day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise _damaged(error) from error


def decoder(kind: type[T]) -> Callable[[str | bytes], T]:
    """A function that reads what was stored as JSON of this type. Raises StoreError for what nobody stored so: a disk may change
    letters in the midst of a text, of which the database knows nothing."""
    decode = msgspec.json.Decoder(kind).decode

    def read(stored: str | bytes) -> T:
        try:
            return decode(stored)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise _damaged(error) from error

    return read


def _damaged(error: Exception) -> StoreError:
    return StoreError(f"The store is damaged: what it holds cannot be read ({error}). {PUT_BACK}.")


class Turn(threading.local):
    """What a thread is in the midst of."""

    inside = False  # of a transaction
    alone = False  # which is the only one that writes
    rehearsing = False
    to_wipe = False


class Database(ABC):
    """Connections to one database. `reading` and `writing` bracket every use; inside of them the named queries can be called.

    On SQLite threads take turns with one connection; on PostgreSQL each that is inside a bracket has one of its own.
    """

    dialect: ClassVar[Literal["sqlite", "postgres"]]

    def __init__(self) -> None:
        self._turn = Turn()
        self._queries: Mapping[str, str] = load_queries(self.dialect)

    @abstractmethod
    def held(self) -> AbstractContextManager[object]:
        """This thread has a connection until the end of the block, and no other thread has that one. May be nested."""

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
    def where(self) -> str:
        """The database's address without its password, for messages."""

    @property
    @abstractmethod
    def driver_error(self) -> type[Exception]: ...

    @abstractmethod
    def array(self, values: Sequence[str] | Sequence[int]) -> object:
        """A list as the database wants it as one parameter."""

    @abstractmethod
    def begin(self, *, write: bool, alone: bool = True) -> None: ...

    @abstractmethod
    def commit(self) -> None: ...

    @abstractmethod
    def rollback(self) -> None:
        """Ends the transaction, where there is one; raises nothing."""

    @abstractmethod
    def within(self, seconds: float) -> AbstractContextManager[None]:
        """What is asked in this block ends with StoreSlow after so many seconds. On SQLite other threads wait for its end."""

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

    @abstractmethod
    def frozen(self) -> AbstractContextManager[None]:
        """A transaction that reads, while nobody writes: others wait for its end as for another writer's."""

    @abstractmethod
    def columns(self, table: str) -> list[str]:
        """The names of a table's columns, in their order."""

    @abstractmethod
    def stream(self, sql: str, batch: int) -> Iterator[Row]:
        """The rows of a query without parameters, however many: no more than `batch` are in memory. Inside of a transaction."""

    @abstractmethod
    def load(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Inserts rows, however many, as they come. Inside of a transaction."""

    @abstractmethod
    def loaded(self) -> None:
        """Lets the database look at what was loaded. Inside of a transaction."""

    @contextmanager
    def writing(self, *, alone: bool = True) -> Iterator[None]:
        """One transaction, the only writer at this time. All of it is durable after the block, or none of it.

        What is begun inside of another one of the same thread is part of that one. `alone=False` lets it go beside other
        writers, where the database can (PostgreSQL): for what changes only rows that it has locked itself, and takes no
        number from a sequence of ours (max + 1). Nothing that must be alone may be begun inside of it.
        """
        with self._transaction(write=True, alone=alone):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One view of the store."""
        with self._transaction(write=False, alone=False):
            yield

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Everything in this block works, can be read back, and is undone at its end. Other writers wait for as long."""
        with self.held():
            self._begin(write=True, alone=True)
            self._turn.rehearsing = True
            try:
                yield
            finally:
                self._turn.rehearsing = self._turn.to_wipe = False
                self.rollback()

    @contextmanager
    def _transaction(self, *, write: bool, alone: bool) -> Iterator[None]:
        turn = self._turn
        with self.held():
            if turn.inside:
                if write and alone and not turn.alone:
                    raise RuntimeError("a transaction that must be alone was begun inside of one that is not")
                yield
                return
            self._begin(write=write, alone=alone)
            turn.inside, turn.alone = True, alone
            try:
                yield
                self._end()
            except self.driver_error as error:
                explained = self.explain(error)
                self._undo()
                raise explained from error
            except BaseException:
                self._undo()
                raise
            finally:
                turn.inside = turn.alone = False
            if turn.to_wipe and not turn.rehearsing:
                turn.to_wipe = False
                self.wipe()

    def repeated(self, work: Callable[[], T]) -> T:
        """What `work` returns, which is one transaction. Where the database ends it and keeps nothing of it (StoreUndone), it is
        done again, TRIES times in all; inside of a transaction it is not, since the whole of that is lost."""
        if self._turn.inside or self._turn.rehearsing:
            return work()
        for tried in range(1, TRIES):
            try:
                return work()
            except StoreUndone:
                time.sleep(0.01 * 2**tried)  # whoever was in the way has gone on by then
        return work()

    def wipe_afterwards(self) -> None:
        """What is deleted in this transaction is to leave no byte behind (wipe) once it is committed. It is noted, for who comes
        after a process that dies before that."""
        self.run("set_meta", key="to_wipe", value="")
        self._turn.to_wipe = True

    def _begin(self, *, write: bool, alone: bool) -> None:
        try:
            if self._turn.rehearsing:
                self.execute("SAVEPOINT step", {})
            else:
                self.begin(write=write, alone=alone)
        except self.driver_error as error:
            explained = self.explain(error)
            self.rollback()
            raise explained from error
        except BaseException:  # Ctrl-C while it waits for its turn
            self.rollback()
            raise

    def _end(self) -> None:
        if self._turn.rehearsing:
            self.execute("RELEASE SAVEPOINT step", {})
        else:
            self.commit()

    def _undo(self) -> None:
        self._turn.to_wipe = False
        if not self._turn.rehearsing:
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


def whole(method: Callable[P, T]) -> Callable[P, T]:
    """For a method of a part of the store that is one transaction, and the same again when it is called again: it is done again
    where the database ended it, and a caller never hears of it (Database.repeated)."""

    @wraps(method)
    def again(*args: P.args, **kwargs: P.kwargs) -> T:
        store: Any = args[0]
        database: Database = store._db
        return database.repeated(lambda: method(*args, **kwargs))

    return again
