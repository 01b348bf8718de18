"""A store in one file, to be kept elsewhere: a SQLite database, whichever kind the store is. And back again."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote
from zlib import crc32

from digest.errors import SchemaTooNew, StoreBusy, StoreError, UsageError
from digest.paths import exists, is_file, is_folder
from digest.process import part_of
from digest.store.copying import Done, copy, empty
from digest.store.database import BUSY_TIMEOUT_S, SCHEMA, Database
from digest.store.leaving import Ended, Heard, Wishes
from digest.store.sqlite import MUCH_CACHE, Sqlite

_BESIDE = ("", "-wal", "-shm", "-journal")  # what SQLite may leave of a file
# The header of a SQLite file (https://www.sqlite.org/fileformat2.html#the_database_header), and parts of it.
_HEADER = 100
_MAGIC = b"SQLite format 3\0"
_FORMATS, _CHANGES = slice(18, 20), slice(24, 28)
_USER_VERSION, _APPLICATION_ID = slice(60, 64), slice(68, 72)


def back_up(database: Database, file: Path, done: Done, *, whole: bool) -> int:
    """See Store.back_up."""
    _check_place(database, file)
    file = file.resolve()  # a link stays one
    part = part_of(file)
    try:
        # The addresses of readers and the secret of their links are in it: for this user alone.
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        if isinstance(database, Sqlite):
            with closing(sqlite3.connect(part)) as target:
                database.overwrite(target)
        else:
            _copy_out(database, part, done)
        _make_plain(part)
        if whole:  # a page that is damaged is copied as it is, and whole backups of before are needed then
            check(part)
        part.replace(file)
        _sync(file.parent)
        return file.stat().st_size
    except (sqlite3.Error, OSError) as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise _no_backup(database, file) from error
        raise StoreError(
            f"The backup {file} could not be written ({error}). What was there is untouched. "
            "Free some space, or give this user the right to write the folder, then run again."
        ) from error
    except UsageError as error:
        raise _no_backup(database, file) from error
    except StoreError as error:
        raise StoreError(f"The backup {file} could not be written. {error}") from error
    finally:
        _remove(part)


def _no_backup(database: Database, file: Path) -> StoreError:
    return StoreError(
        f"The store {database.where} is damaged, and a copy of it would be no backup: {file} is as it was. "
        "See what `digest doctor` finds, and put back your last backup with `digest restore --replace FILE`: who has left since "
        "stays out. If that fails too, move the store away first."
    )


@contextmanager
def with_wishes(
    file: Path, copy: Path, wishes: Wishes, ended: Ended, now: datetime
) -> Iterator[tuple[Path, Heard]]:
    """A copy of a backup that knows what readers wish since, and which of its mails `ended`, for as long as the block lasts; and
    how much that changed."""
    from digest.store import open_store

    try:
        os.close(os.open(copy, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
        shutil.copyfile(file, copy)
        with open_store(f"sqlite:///{quote(str(copy))}") as store:
            heard = store.respect(wishes, ended, now=now)
        _make_plain(copy)
        yield copy, heard
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            f"{copy}: the backup is copied there before it is put back, and that failed ({error}). Nothing was changed. "
            "Free some space, or give this user the right to write the folder, then run again."
        ) from error
    finally:
        _remove(copy)
        for older in copy.parent.glob(f"{copy.name}.before-*"):
            older.unlink()


def _check_place(database: Database, file: Path) -> None:
    if not is_folder(file.parent):
        raise UsageError(f"there is no folder {file.parent}. Make it, or name a file in another one")
    if is_folder(file):
        raise UsageError(f"{file} is a folder. Name a file in it")
    if isinstance(database, Sqlite) and exists(file) and file.samefile(database.path):
        raise UsageError(f"{file} is the store itself. Name another file")
    if exists(file) and not _may_go(file):
        raise UsageError(f"{file} is there and is no backup: it would be lost. Name another file")


def _may_go(file: Path) -> bool:
    """An older backup may, and an empty file. A configuration, or a device, would be gone for good."""
    if not is_file(file):
        return False
    try:
        with file.open("rb") as opened:
            return opened.read(len(_MAGIC)) in (b"", _MAGIC)
    except OSError:
        return True  # somebody else's: whether it may be replaced, its folder says


def _copy_out(database: Database, part: Path, done: Done) -> None:
    from digest.store.migrate import migrate

    with closing(Sqlite(part)) as target:
        migrate(target)
        with database.reading(), target.writing():
            copy(database, target, done=done)


def _make_plain(part: Path) -> None:
    """One file without a log beside it, and without what is of the processes of this moment. It is on the disk then."""
    with closing(sqlite3.connect(part, isolation_level=None)) as target:
        target.execute("PRAGMA journal_mode = DELETE")
        target.execute("DELETE FROM leases")
        target.execute("DELETE FROM workers")
    _seal(part)
    _sync(part)


def _seal(part: Path) -> None:
    """Notes its checksum in two numbers of its header that SQLite leaves to applications, so that a text that was damaged
    since is not taken for what was backed up: the CRC-32, and for how many changes of the file that is."""
    with part.open("r+b") as file:
        header = file.read(_HEADER)
        file.seek(_USER_VERSION.start)
        file.write(header[_CHANGES])
        file.seek(_APPLICATION_ID.start)
        file.write(_checksum(part).to_bytes(4, "big"))


def _is_bent(file: Path) -> bool:
    """Is its checksum another than the one that it was sealed with? One that was used as a store since has none."""
    with file.open("rb") as opened:
        header = opened.read(_HEADER)
    plain = header[_FORMATS] == b"\1\1"  # a store that is in use has a log beside it, and another number here
    if not plain or header[_USER_VERSION] != header[_CHANGES]:
        return False
    return header[_APPLICATION_ID] not in (bytes(4), _checksum(file).to_bytes(4, "big"))


def _checksum(file: Path) -> int:
    """The CRC-32 of a file without the numbers of its header that say it."""
    with file.open("rb") as opened:
        header = bytearray(opened.read(_HEADER))
        header[_USER_VERSION] = header[_APPLICATION_ID] = bytes(4)
        crc = crc32(header)
        while piece := opened.read(1 << 20):
            crc = crc32(piece, crc)
    return crc


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(part: Path) -> None:
    for ending in _BESIDE:
        with suppress(OSError):
            part.with_name(part.name + ending).unlink(missing_ok=True)


def check(file: Path) -> None:
    """Raises UsageError for a file that is no whole backup, and SchemaTooNew for one of a newer program."""
    with _opened(file):
        pass


def restore(database: Database, file: Path, done: Done, look: Callable[[], None]) -> None:
    """See Store.restore."""
    with _opened(file) as backup:
        if isinstance(database, Sqlite):
            _put_back(backup, database, look)
        else:
            _copy_in(backup, database, done, look)


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A backup that was found to be whole. Raises UsageError."""
    if not is_file(file):
        raise UsageError(f"there is no file {file}. Name one that `digest backup` wrote")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)) as backup:
            schema = _schema(backup)
            if schema is None:
                raise UsageError(f"{file} is no backup: it is a database of another program")
            if schema > SCHEMA:
                raise SchemaTooNew(
                    f"{file} has schema {schema}, this program knows up to {SCHEMA}: it was written by a newer version. "
                    "Install that version, then run again."
                )
            backup.execute(MUCH_CACHE)
            faults = [row[0] for row in backup.execute("PRAGMA quick_check(5)") if row[0] != "ok"]
            faults += [
                f"a row of {row[0]} refers to nothing" for row in backup.execute("PRAGMA foreign_key_check")
            ][:5]
            if not faults and _is_bent(file):
                faults = ["its checksum is another"]
            if faults:
                raise UsageError(f"{file} is damaged ({'; '.join(faults)}). Take an older backup")
            yield backup
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith("SQLITE_NOTADB"):
            raise UsageError(f"{file} is no backup ({error}). Name one that `digest backup` wrote") from error
        if name.startswith("SQLITE_CORRUPT"):
            raise UsageError(f"{file} is damaged ({error}). Take an older backup") from error
        raise StoreError(
            f"The backup {file} cannot be read ({error}). Check that this user may read it."
        ) from error


def _schema(backup: sqlite3.Connection) -> int | None:
    if not backup.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'").fetchone():
        return None
    found = backup.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    return int(found[0]) if found and str(found[0]).isdigit() else None


def _put_back(backup: sqlite3.Connection, database: Sqlite, look: Callable[[], None]) -> None:
    """Page by page into the file as it is, in one transaction, so that whoever has it open sees the one or the other."""
    end, begun = time.monotonic() + BUSY_TIMEOUT_S, False

    def waiting(status: int, remaining: int, total: int) -> None:
        nonlocal begun
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            if time.monotonic() > end:
                raise StoreBusy(
                    f"The store {database.path} is in use. Nothing was changed. Stop who uses it, then run again."
                )
        elif not begun:  # from its first page on the file is ours
            begun = True
            look()

    try:
        database.take_from(backup, waiting)
    except sqlite3.Error as error:
        raise database.explain(error) from error


def _copy_in(backup: sqlite3.Connection, database: Database, done: Done, look: Callable[[], None]) -> None:
    """By way of a copy that may be brought to the schema of this program."""
    from digest.store.migrate import migrate

    with (
        tempfile.TemporaryDirectory(prefix="digest-restore-") as folder,
        closing(Sqlite(Path(folder) / "store.db")) as source,
    ):
        source.take_from(backup, lambda status, remaining, total: None)
        if source.schema() < SCHEMA:
            migrate(source)
        with source.reading(), database.writing():
            look()
            empty(database)
            copy(source, database, done=done)
