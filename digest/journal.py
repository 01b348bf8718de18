"""The receipts of a run, noted one by one before a batch of them is in the store (docs/decisions/0007).

Each line is one write without waiting for the disk: the kernel keeps it when the program is killed, and the next run reads it
first. Lines are `run MARK`, under which the run claims its deliveries in the store, `begun ID`, `back ID` (begun, but surely not
taken) and `said ID {…}`; the first names the store, since numbers of one store mean nothing in another, and the time since
the machine started, since a power cut takes the last lines with it. No line holds an address.

Where many processes and threads send, each has a journal of its own in one folder and holds a lock on it (flock(2)), which ends
with the process, however it ends: what is there and not locked was left behind, and whoever takes the lock settles it.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from digest.errors import StoreError
from digest.mail.envelope import without_addresses
from digest.mail.replies import Stage
from digest.model import Receipt
from digest.paths import ending_with, exists

log = logging.getLogger(__name__)

_HEAD = "receipts 2 "
_ENDING = ".receipts"
_NEW = ".new"  # not locked yet, and nothing in it
# So far may the clocks of two machines be off one another.
_CLOCKS = timedelta(minutes=1)


class Said(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was said of one delivery, at which stage, in which attempt, as it stands in a line."""

    attempt: int
    stage: Stage = "data"
    receipt: Receipt


class Wait(Struct, frozen=True, kw_only=True):
    """Until when a server that asked for a pause is left alone, and how long that pause was in seconds."""

    until: datetime
    seconds: float
    reason: str

    def holds(self, now: datetime) -> bool:
        """Is it not over yet? One that would last longer than it is long was noted by a clock that was wrong, and holds nobody."""
        return timedelta() < self.until - now <= timedelta(seconds=self.seconds) + _CLOCKS


class Left(Struct, frozen=True, kw_only=True):
    """What the last run left in its journal: answers by the delivery's id, and the ids of which a server may have the whole
    mail. Of what was claimed under `mark` no server has any other; it is empty where lines may be missing. `holder` is the mark
    in any case."""

    said: dict[int, Said] = {}
    begun: frozenset[int] = frozenset()
    mark: str = ""
    wait: Wait | None = None
    holder: str = ""

    def untouched(self, claimed: Iterable[int]) -> list[int]:
        """Those of the deliveries claimed under `mark` that no server has."""
        return [number for number in claimed if number not in self.begun and number not in self.said]


_said = msgspec.json.Decoder(Said)
_wait = msgspec.json.Decoder(Wait)
_encode = msgspec.json.Encoder().encode


def read_journal(path: Path, *, store: str) -> Left:
    """What stands in the journal of this store: nothing where there is none, or where it is of another store.

    A line that was torn by the end of the program is passed over. Raises StoreError when it is there and cannot be read.
    """
    try:
        head, *lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return Left()
    except OSError as error:
        raise _fault(path, error) from error
    of, _, since = head.decode(errors="replace").removeprefix(_HEAD).partition(" ")
    if of != store or not head.startswith(_HEAD.encode()):
        if head:
            log.warning("%s belongs to another store; it is not used", path)
        return Left()
    # Behind the last line end stands nothing, or a line that is not whole.
    left = _sorted_out(lines[:-1])
    return left if since == machine_start() else msgspec.structs.replace(left, mark="")


@contextmanager
def set_aside(path: Path, ending: str) -> Iterator[None]:
    """In this block another content takes the place of the store's, in which the same numbers are other mails: the journals, of one
    process and of many, get another name, and theirs again where the block fails. Raises StoreError."""
    moved: list[tuple[Path, Path]] = []
    try:
        for each in (path, path.with_name(f"{path.name}.d")):
            if exists(each):
                moved.append((each, each.rename(each.with_name(each.name + ending))))
    except OSError as error:
        raise _fault(path, error) from error
    try:
        yield
    except BaseException:
        for each, aside in moved:
            aside.rename(each)
        raise


@contextmanager
def left_behind(path: Path, *, store: str) -> Iterator[Left | None]:
    """What a process left in its journal in the folder of many; the file goes at the end of a block that ended well. None where
    its process lives, somebody else settles it, or it is of another store. Raises StoreError as read_journal does."""
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise _fault(path, error) from error
    try:
        left = read_journal(path, store=store) if _locked(file, path) and _is_at(file, path) else None
        yield left if left is not None and left.holder else None
        if left is not None and left.holder:
            path.unlink(missing_ok=True)
    finally:
        os.close(file)


def journals_in(folder: Path) -> list[Path]:
    """The journals of all processes and threads that have one in this folder. Raises StoreError: of one that is overlooked the
    mails would go once more."""
    return _those_in(folder, _ENDING)


def forget_unused(folder: Path, *, before: datetime) -> int:
    """Removes journals that never came to their name, since their process was killed while it made them: nothing is in them. Those
    of `before` only: a younger one may be in the making. How many there were."""
    count = 0
    for path in _those_in(folder, _NEW):
        with suppress(OSError):
            if path.stat().st_mtime < before.timestamp():
                path.unlink()
                count += 1
    return count


def _those_in(folder: Path, ending: str) -> list[Path]:
    try:
        return ending_with(folder, ending)
    except OSError as error:
        raise _fault(folder, error) from error


def _locked(file: int, path: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a file system without locks
        raise _fault(path, error) from error
    return True


def _is_at(file: int, path: Path) -> bool:
    """Between the opening and the lock somebody else may have settled it."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file), path.stat())
    return False


def machine_start() -> str:
    """What differs after each start of the machine; "" where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _sorted_out(lines: Iterable[bytes]) -> Left:
    begun: set[int] = set()
    said: dict[int, Said] = {}
    mark, wait = "", None
    for line in lines:
        word, _, rest = line.partition(b" ")
        with suppress(ValueError):  # a line of nonsense says nothing; msgspec's errors are ValueErrors too
            if word == b"run":
                mark = rest.decode()
            elif word == b"begun":
                begun.add(int(rest))
            elif word == b"back":
                begun.discard(int(rest))
            elif word == b"said":
                number, _, value = rest.partition(b" ")
                said[int(number)] = _said.decode(value)
            elif word == b"wait":
                wait = _wait.decode(rest)
    return Left(said=said, begun=frozenset(begun), mark=mark, wait=wait, holder=mark)


class Journal:
    """The journal of one run. Its methods may be called from several threads.

    They raise StoreError when the line cannot be written: then nothing may be sent that a kill would make us forget.
    """

    def __init__(self, path: Path, *, store: str, mark: str = "") -> None:
        """Begins with an empty file: what stood in it has been read, and is in the store."""
        self._path = path
        self._head = f"{_HEAD}{store} {machine_start()}\nrun {mark}\n".encode()
        self._file = -1
        self._torn = False  # is the last line not whole?
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Appended to, so that lines of several threads stand one behind the other.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            self._file = os.open(path, flags, 0o600)
        except OSError as error:
            raise _fault(path, error) from error
        self._write(self._head)

    @classmethod
    def among_many(cls, folder: Path, name: str, *, store: str, mark: str) -> Journal:
        """One of many in a folder, with a lock on it. It comes to its name when it has both, so that nobody takes it for left
        behind."""
        path = folder / f"{name}{_ENDING}"
        journal = cls(path.with_suffix(_NEW), store=store, mark=mark)
        if not _locked(journal._file, path):
            raise _fault(path, OSError("somebody else has locked it"))
        try:
            path.with_suffix(_NEW).rename(path)
        except OSError as error:
            raise _fault(path, error) from error
        journal._path = path
        return journal

    def begun(self, number: int) -> None:
        """The whole mail may be with the server from here on."""
        self._write(b"begun %d\n" % number)

    def back(self, number: int) -> None:
        """It was begun, and the server surely does not have it."""
        self._write(b"back %d\n" % number)

    def said(
        self, number: int, attempt: int, receipt: Receipt, stage: Stage, begun: int | None = None
    ) -> None:
        """What the server answered, and in the same write that another mail is begun, where one is."""
        if "@" in receipt.text:
            receipt = msgspec.structs.replace(receipt, text=without_addresses(receipt.text))
        value = _encode(Said(attempt=attempt, stage=stage, receipt=receipt))
        line = b"said %d %s\n" % (number, value)
        self._write(line if begun is None else b"%sbegun %d\n" % (line, begun))

    def close(self, *, settled: bool, wait: Wait | None = None) -> None:
        """Closes it; it goes when all of it is in the store (`settled`), and `wait` alone stays where there is one."""
        if self._file < 0:
            return
        try:
            if settled and wait is not None:
                os.ftruncate(self._file, len(self._head))
            if wait is not None:
                self._write(b"wait %s\n" % _encode(wait))
        finally:
            file, self._file = self._file, -1
            os.close(file)
        if settled and wait is None:
            self._path.unlink(missing_ok=True)

    def _write(self, line: bytes) -> None:
        line = b"\n" + line if self._torn else line
        try:
            written = os.write(self._file, line)  # raises where it was closed: the number is none then
        except OSError as error:
            raise _fault(self._path, error) from error
        self._torn = written != len(line)
        if self._torn:
            raise _fault(self._path, OSError("the disk is full"))


def _fault(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path}: the receipts of sent mail cannot be kept there ({error.strerror or error}). Nothing more was sent. "
        "Make room on that disk, or give this user the right to write there; then run `digest send`."
    )
