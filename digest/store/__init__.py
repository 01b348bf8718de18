"""The only SQL in the project: everything that must survive, on SQLite or PostgreSQL, behind one class.

Queries stand in queries/*.sql by name, the schema in migrations/. What a method does, it does in one transaction: all of
it or, with a StoreError, nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from digest.errors import SchemaTooNew, StoreError
from digest.store.corrections import Corrected, Corrections, Head
from digest.store.database import BUSY_TIMEOUT_S, SCHEMA, Database
from digest.store.days import Day, Days
from digest.store.deliveries import Deliveries
from digest.store.editions import Editions, Planned
from digest.store.fleet import FailedJob, Fleet, PartRow, WorkerRow
from digest.store.health import Health, RunMark
from digest.store.hosts import Hosts
from digest.store.jobs import Job
from digest.store.leaving import Leaving
from digest.store.ledger import Ledger, RunRow
from digest.store.letters import Letters
from digest.store.lookups import Lookup, Lookups, Unresolved
from digest.store.marks import Claimed, Marks, Rest
from digest.store.papers import Papers
from digest.store.publishing import Publishing
from digest.store.rates import Rates
from digest.store.readings import Answer, ReadingRow, Readings, SourceRun, page_hash
from digest.store.records import Records
from digest.store.replays import Replays
from digest.store.rows import Rows
from digest.store.search import Search
from digest.store.shown import Shown
from digest.store.stories import Stories, Story
from digest.store.subscribers import Subscribers
from digest.store.suppressions import Suppressions

if TYPE_CHECKING:
    from digest.store.copying import Done
    from digest.store.postgres import Postgres
    from digest.store.sqlite import Sqlite

__all__ = [
    "Answer",
    "Claimed",
    "Corrected",
    "Day",
    "FailedJob",
    "Head",
    "Job",
    "Lookup",
    "PartRow",
    "Planned",
    "ReadingRow",
    "Rest",
    "RunMark",
    "RunRow",
    "SourceRun",
    "Store",
    "Story",
    "Unresolved",
    "WorkerRow",
    "open_store",
    "page_hash",
]


class Store(
    Papers,
    Corrections,
    Stories,
    Editions,
    Publishing,
    Subscribers,
    Suppressions,
    Leaving,
    Deliveries,
    Marks,
    Rates,
    Letters,
    Ledger,
    Fleet,
    Health,
    Readings,
    Days,
    Hosts,
    Lookups,
    Replays,
    Shown,
    Records,
    Rows,
    Search,
):
    """An open store. Threads may share one (on PostgreSQL they work side by side, on SQLite in turn); processes open one each."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the database. Once is enough, twice does no harm."""
        self._db.close()

    def together(self, *, alone: bool = True) -> AbstractContextManager[None]:
        """What is written in this block is durable at its end, all of it or none. `alone` as for Database.writing."""
        return self._db.writing(alone=alone)

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """What is asked in this block raises StoreSlow after so many seconds. On SQLite other threads wait for its end."""
        return self._db.within(seconds)

    def rehearsal(self) -> AbstractContextManager[None]:
        """For a dry run: what is done in this block can be read back in it and is undone at its end. Other writers wait."""
        return self._db.rehearsal()

    def copies(self) -> list[Path]:
        """Copies of a store in a file that were kept when its schema was changed: whoever was erased may still be in them."""
        return self._db.copies()

    def holds(self) -> dict[str, int]:
        """How many rows there are, by table; {} for an empty store."""
        from digest.store.copying import held

        with self._db.reading():
            return held(self._db)

    def copy_into(self, target: Store, *, done: Done = lambda rows: None) -> dict[str, int]:
        """Copies everything into an empty store, in one transaction there; how many rows of each table. Meanwhile nobody writes
        here: who would, waits.

        Raises StoreError when the target is not empty; it is left as it was then.
        """
        from digest.store.copying import copy

        with self._db.frozen(), target._db.writing():
            return copy(self._db, target._db, done=done)

    def back_up(self, file: Path, *, done: Done = lambda rows: None, whole: bool = True) -> int:
        """Writes all of the store, as it is at this moment, into one SQLite file, in place of an older one; its size in bytes.

        Others may read and write meanwhile. Raises StoreError and UsageError, and leaves no half of a file; with `whole` also for a
        store that is damaged, of which the file would be no backup.
        """
        from digest.store.backups import back_up

        return back_up(self._db, file, done, whole=whole)

    def restore(
        self, file: Path, *, done: Done = lambda rows: None, look: Callable[[], None] = lambda: None
    ) -> None:
        """Puts what is in a file of `back_up` in place of everything here: all of it or nothing. The store is to be opened anew
        then, which brings an older schema up to date. `look` is called when nobody can write here any more and all is still as it
        was; what it raises ends this. Raises UsageError for a file that is no whole backup, and StoreError."""
        from digest.store.backups import restore

        restore(self._db, file, done, look)

    def check(self) -> list[str]:
        """What is wrong with the store, in words; empty when it is healthy."""
        faults = self._db.faults()
        if faults:
            return faults
        with self._db.reading():
            lost, loose = self._db.value("papers_without_key"), self._db.value("issued_without_edition")
        if lost:
            faults.append(f"{lost} papers have no key: they would be taken for new again")
        if loose:
            faults.append(f"{loose} papers count as issued and stand in no edition")
        return faults


def open_store(
    url: str, *, base: Path | None = None, create: bool = True, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> Store:
    """The store at `sqlite:///var/digest.db` (relative to `base`), `sqlite:////absolute/path` or `postgresql://…`.

    Its schema is brought up to date. `create=False` refuses to make a new one. Raises StoreError with the mend, and
    SchemaTooNew for the store of a newer program.
    """
    database = _connect(url, base, create, busy_timeout_s)
    try:
        schema = database.schema()
        if schema > SCHEMA:
            raise SchemaTooNew(
                f"The store {database.where} has schema {schema}, this program knows up to {SCHEMA}: "
                "it was used by a newer version. Install that version, or put back the copy from before."
            )
        if schema == 0 and not create:
            raise StoreError(f'The store {database.where} is empty. "digest run" sets it up.')
        if schema < SCHEMA:
            from digest.store.migrate import migrate

            migrate(database)
    except BaseException:
        database.close()
        raise
    return Store(database)


def check_backup(file: Path) -> None:
    """Raises UsageError for a file that is no whole backup, StoreError for one that cannot be read, SchemaTooNew."""
    from digest.store.backups import check

    check(file)


def sqlite_file(url: str, base: Path | None = None) -> Path | None:
    """The file of a `sqlite:///…` address, counted from `base`; None for another kind of store."""
    if not url.startswith("sqlite:///"):
        return None
    return (base or Path()) / Path(unquote(url.removeprefix("sqlite:///"))).expanduser()


def _connect(url: str, base: Path | None, create: bool, busy_timeout_s: float) -> Sqlite | Postgres:
    if file := sqlite_file(url, base):
        from digest.store.sqlite import Sqlite

        return Sqlite(file, create=create, timeout_s=busy_timeout_s)
    if url.startswith(("postgresql://", "postgres://")):
        from digest.store.postgres import Postgres

        return Postgres(url, timeout_s=busy_timeout_s)
    raise StoreError(
        f'[store] url is "{url}". Write "sqlite:///var/digest.db" or "postgresql://user@host/digest".'
    )
