"""The receipts of a run, noted one by one before a batch of them is in the store (docs/decisions/0007).

Each line is one write without waiting for the disk: the kernel keeps it when the program is killed, and the next run reads it
first. Lines are `claimed ID ID …`, `begun ID`, `back ID` (begun, but surely not taken) and `said ID {…}`; the first names the
store, since numbers of one store mean nothing in another. No line holds an address.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from digest.errors import StoreError
from digest.mail.envelope import without_addresses
from digest.mail.replies import Stage
from digest.model import Receipt

log = logging.getLogger(__name__)

_HEAD = "receipts 1 "


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


class Left(Struct, frozen=True, kw_only=True):
    """What the last run left in its journal: answers by the delivery's id, and the ids of deliveries that were claimed and of
    which no server has the whole mail."""

    said: dict[int, Said] = {}
    untouched: tuple[int, ...] = ()
    wait: Wait | None = None


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
    if head != (_HEAD + store).encode():
        if head:
            log.warning("%s belongs to another store; it is not used", path)
        return Left()
    # Behind the last line end stands nothing, or a line that is not whole.
    return _sorted_out(lines[:-1])


def _sorted_out(lines: Iterable[bytes]) -> Left:
    claimed: set[int] = set()
    begun: set[int] = set()
    said: dict[int, Said] = {}
    wait = None
    for line in lines:
        word, _, rest = line.partition(b" ")
        with suppress(ValueError):  # a line of nonsense says nothing; msgspec's errors are ValueErrors too
            if word == b"claimed":
                claimed |= set(map(int, rest.split()))
            elif word == b"begun":
                begun.add(int(rest))
            elif word == b"back":
                begun.discard(int(rest))
            elif word == b"said":
                number, _, value = rest.partition(b" ")
                said[int(number)] = _said.decode(value)
            elif word == b"wait":
                wait = _wait.decode(rest)
    return Left(said=said, untouched=tuple(sorted(claimed - begun - said.keys())), wait=wait)


class Journal:
    """The journal of one run. Its methods may be called from several threads; None for a path writes nothing.

    They raise StoreError when the line cannot be written: then nothing may be sent that a kill would make us forget.
    """

    def __init__(self, path: Path | None, *, store: str = "") -> None:
        """Begins with an empty file: what stood in it has been read, and is in the store."""
        self._path = path
        self._head = f"{_HEAD}{store}\n".encode()
        self._file = -1
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Appended to, so that lines of several threads stand one behind the other.
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            self._file = os.open(path, flags, 0o600)
        except OSError as error:
            raise _fault(path, error) from error
        self._write(self._head)

    def claimed(self, numbers: Iterable[int]) -> None:
        """These deliveries are ours now; nothing of them has been sent."""
        if self._file >= 0:
            self._write(b"claimed %s\n" % " ".join(map(str, numbers)).encode())

    def begun(self, number: int) -> None:
        """The whole mail may be with the server from here on."""
        if self._file >= 0:
            self._write(b"begun %d\n" % number)

    def back(self, number: int) -> None:
        """It was begun, and the server surely does not have it."""
        if self._file >= 0:
            self._write(b"back %d\n" % number)

    def said(self, number: int, attempt: int, receipt: Receipt, stage: Stage) -> None:
        """What the server answered."""
        if self._file < 0:
            return
        if "@" in receipt.text:
            receipt = msgspec.structs.replace(receipt, text=without_addresses(receipt.text))
        value = _encode(Said(attempt=attempt, stage=stage, receipt=receipt))
        self._write(b"said %d %s\n" % (number, value))

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
            os.close(self._file)
            self._file = -1
        if settled and wait is None and self._path is not None:
            self._path.unlink(missing_ok=True)

    def _write(self, line: bytes) -> None:
        assert self._path is not None
        try:
            written = os.write(self._file, line)
        except OSError as error:
            raise _fault(self._path, error) from error
        if written != len(line):
            raise _fault(self._path, OSError("the disk is full"))


def _fault(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path}: the receipts of sent mail cannot be kept there ({error.strerror or error}). Nothing more was sent. "
        "Make room on that disk, or give this user the right to write there; then run `digest send`."
    )
