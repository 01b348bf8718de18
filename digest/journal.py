"""The receipts of a run, noted one by one before a batch of them is in the store (docs/decisions/0007).

Each line is one write without waiting for the disk: the kernel keeps it when the program is killed, and the next run reads it
first. Lines are `run MARK`, under which the run claims its deliveries in the store, `begun ID`, `back ID` (begun, but surely not
taken) and `said ID {…}`; the first names the store, since numbers of one store mean nothing in another, and the time since
the machine started, since a power cut takes the last lines with it. No line holds an address.
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

_HEAD = "receipts 2 "


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
    """What the last run left in its journal: answers by the delivery's id, and the ids of which a server may have the whole
    mail. Of what was claimed under `mark` no server has any other; it is empty where lines may be missing."""

    said: dict[int, Said] = {}
    begun: frozenset[int] = frozenset()
    mark: str = ""
    wait: Wait | None = None

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
    return Left(said=said, begun=frozenset(begun), mark=mark, wait=wait)


class Journal:
    """The journal of one run. Its methods may be called from several threads; None for a path writes nothing.

    They raise StoreError when the line cannot be written: then nothing may be sent that a kill would make us forget.
    """

    def __init__(self, path: Path | None, *, store: str = "", mark: str = "") -> None:
        """Begins with an empty file: what stood in it has been read, and is in the store."""
        self._path = path
        self._head = f"{_HEAD}{store} {machine_start()}\nrun {mark}\n".encode()
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
