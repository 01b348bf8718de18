"""The published files as they are sent: read once, kept in memory, looked at again on the disk for each request.

A stat costs 1–2 µs, so every request has one: a publication is seen at once, and nobody need tell this process of it. website.py
replaces files whole, so what is read between open and close is old or new, never torn. All but `load` and `press` is called in
the event loop's thread only, and needs no lock.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import time
from collections import OrderedDict
from email.utils import formatdate
from pathlib import Path, PurePosixPath

from msgspec import Struct

from digest.web.conditions import Asked, outcome
from digest.web.pages import ALWAYS, FILE_POLICY
from digest.website import MEDIA_TYPES

Headers = list[tuple[bytes, bytes]]

_JSON_FEEDS = frozenset({"feed.json", "editions.json"})
_PRESSED = frozenset({".html", ".xml", ".json", ".opml", ".bib", ".ris", ".txt", ".css", ".js", ".svg"})
_PRESSED_FROM = 256
CACHE_BYTES = 64 << 20
# Beyond that part of the memory a file is sent from the disk.
_LARGE = 8
_OVERHEAD = 2048
_PATH_CHARS = 1024
_NAMES = 4096
_ALWAYS = [(name.lower().encode(), value.encode()) for name, value in ALWAYS.items()]

Signature = tuple[int, int, int]


def signature(found: os.stat_result) -> Signature:
    """What changes when another file, or other bytes, stand at a path."""
    return found.st_mtime_ns, found.st_size, found.st_ino


def media_type(name: str) -> str:
    """The media type of a published file, by its path: one table, the same on every machine."""
    path = PurePosixPath(name)
    if path.name in _JSON_FEEDS:
        return "application/feed+json"
    return MEDIA_TYPES.get(path.suffix, "application/octet-stream")


class Answer(Struct, frozen=True):
    """What is sent, all but the date. `body` is None where it is sent from the disk; `head` are the headers as they stand on the
    wire, with the empty line."""

    status: int
    headers: Headers
    body: bytes | None
    head: bytes


def _answer(status: int, headers: Headers, body: bytes | None) -> Answer:
    lines = [line for name, value in headers for line in (name, b": ", value, b"\r\n")]
    return Answer(status, headers, body, b"".join([*lines, b"\r\n"]))


_FAILED = _answer(412, [(b"content-length", b"0"), *_ALWAYS], b"")


class Representation(Struct, frozen=True, eq=False):
    """A file in one encoding (RFC 9110, 3.2): its strong ETag, and what is answered with it. `modified` in seconds."""

    etag: str
    modified: int
    whole: Answer
    unchanged: Answer
    missing: Answer

    def answer(self, asked: Asked) -> Answer:
        status = outcome(asked, self.etag, self.modified)
        return self.whole if status == 200 else self.unchanged if status == 304 else _FAILED


def _represent(
    name: str, body: bytes | None, size: int, digest: str, modified: int, coding: str
) -> Representation:
    suffix = PurePosixPath(name).suffix
    # What differs in a byte has an ETag of its own (RFC 9110, 8.8.3).
    etag = f'"{digest}-{coding}"' if coding else f'"{digest}"'
    told = {"etag": etag, "last-modified": formatdate(modified, usegmt=True), "cache-control": "no-cache"}
    if suffix in _PRESSED:
        told["vary"] = "Accept-Encoding"
    form = {"content-type": media_type(name), "content-length": str(size)}
    if coding:
        form["content-encoding"] = coding
    rest = {"accept-ranges": "none", "content-security-policy": FILE_POLICY}
    missing = {
        **form,
        "cache-control": "no-cache",
        "vary": "Accept-Encoding",
        "content-security-policy": FILE_POLICY,
    }
    return Representation(
        etag=etag,
        modified=modified,
        whole=_answer(200, [*_encoded(form | told | rest), *_ALWAYS], body),
        unchanged=_answer(304, _encoded(told), b""),
        missing=_answer(404, [*_encoded(missing), *_ALWAYS], body),
    )


def _encoded(headers: dict[str, str]) -> Headers:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


class File:
    """A file as it was when it was read. `pressed` is its gzip form once somebody wanted it, None where that saves nothing."""

    __slots__ = ("digest", "path", "plain", "pressed", "signature", "size", "tried")

    def __init__(
        self, path: str, signature: Signature, plain: Representation, digest: str, size: int
    ) -> None:
        self.path = path
        self.signature = signature
        self.plain = plain
        self.digest = digest
        self.size = size
        self.pressed: Representation | None = None
        # Small, large and unpressable files have no other form.
        self.tried = (
            plain.whole.body is None or size < _PRESSED_FROM or PurePosixPath(path).suffix not in _PRESSED
        )

    def representation(self, gzip: bool) -> Representation | None:
        """The form for those who take gzip, or for those who do not; None while it is not made yet."""
        if not gzip:
            return self.plain
        if not self.tried:
            return None
        return self.pressed or self.plain


def press(file: File) -> Representation | None:
    """The gzip form of a file; None where it is not smaller. Takes milliseconds: for a thread."""
    body = file.plain.whole.body or b""
    small = gzip.compress(body, 6, mtime=0)
    if len(small) >= len(body):
        return None
    return _represent(file.path, small, len(small), file.digest, file.plain.modified, "gzip")


class Files:
    """The files below a folder, which may not be there yet. Nothing outside is found, by whatever path or link."""

    def __init__(self, folder: Path, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._folder = os.path.abspath(folder)  # noqa: PTH100 (a link stays a link, and may be turned to another folder)
        self._limit = cache_bytes
        self.held = 0
        self._kept: OrderedDict[str, File] = OrderedDict()
        self._targets: dict[bytes, str] = {}

    # ------------------------------------------------------------ what is in memory

    def fresh(self, path: str) -> File | None:
        """The file at a path of `place`, if it is in memory and still the one on the disk."""
        file = self._kept.get(path)
        if file is None:
            return None
        try:
            found = os.stat(path)  # noqa: PTH116 (Path.stat takes twice as long)
        except OSError:
            return None
        if signature(found) != file.signature:
            return None
        self._kept.move_to_end(path)
        return file

    def keep(self, file: File) -> None:
        """In memory from now on, and what was not asked for longest goes, if there is no more room."""
        self.forget(file.path)
        self._kept[file.path] = file
        self.held += _weight(file)
        while self.held > self._limit:
            self.forget(next(iter(self._kept)))

    def forget(self, path: str) -> None:
        old = self._kept.pop(path, None)
        if old is not None:
            self.held -= _weight(old)

    def add_pressed(self, file: File, pressed: Representation | None) -> None:
        kept = self._kept.get(file.path) is file
        self.held -= _weight(file) if kept else 0
        file.pressed, file.tried = pressed, True
        if kept:
            self.held += _weight(file)
            self.keep(file)

    # ------------------------------------------------------------ targets of requests

    def learn(self, target: bytes, path: str) -> None:
        """This target of a request, byte for byte, is the file at a path: `known` says so from now on."""
        if len(self._targets) >= _NAMES:
            self._targets.clear()
        self._targets[target] = path

    def known(self, target: bytes) -> str | None:
        return self._targets.get(target)

    # ------------------------------------------------------------ what is on the disk

    def place(self, path: str) -> str | None:
        """Where the file for a path of an address is ("2026/" → …/2026/index.html); None for what no file can have.

        Hidden files are not published: what a killed run left behind is one.
        """
        parts = path.split("/")
        if len(path) > _PATH_CHARS or "\0" in path or "\\" in path:
            return None
        if any(not part or (part[0] == "." and part != ".well-known") for part in parts[:-1]):
            return None
        if parts[-1].startswith("."):
            return None
        return os.path.join(self._folder, *parts[:-1], parts[-1] or "index.html")  # noqa: PTH118

    def is_folder(self, path: str) -> bool:
        """Is this the path of a folder inside, asked for without its final slash?"""
        place = self.place(path)
        real = self._real(place) if place else None
        return real is not None and os.path.isdir(real)  # noqa: PTH112

    def load(self, path: str) -> File | None:
        """The file at a path of `place` from the disk; None for what is none, leads outside or may not be read.
        Takes milliseconds: for a thread."""
        real = self._real(path)
        if real is None:
            return None
        try:
            with open(real, "rb", opener=_opener) as stream:
                found = os.fstat(stream.fileno())
                if not stat.S_ISREG(found.st_mode):
                    return None
                large = found.st_size > self._limit // _LARGE
                body = None if large else stream.read()
                digest = hashlib.file_digest(stream, "sha256") if body is None else hashlib.sha256(body)
        except OSError:
            return None
        size = found.st_size if body is None else len(body)
        # Somebody else's program may write into a file as it is read: then the signature matches nothing, and it is read again.
        sign = (found.st_mtime_ns, size, found.st_ino)
        # No date after that of the answer (RFC 9110, 8.8.2.1).
        modified = int(min(found.st_mtime, time.time()))
        etag = digest.hexdigest()[:32]
        return File(path, sign, _represent(path, body, size, etag, modified, ""), etag, size)

    def _real(self, path: str) -> str | None:
        try:
            root, real = os.path.realpath(self._folder), os.path.realpath(path)
        except (OSError, ValueError):
            return None
        return real if real == root or real.startswith(root.rstrip(os.sep) + os.sep) else None


def _opener(path: str, flags: int) -> int:
    # A pipe that somebody put there must not hold up a thread.
    return os.open(path, flags | os.O_NONBLOCK)


def _weight(file: File) -> int:
    bodies = [form.whole.body or b"" for form in (file.plain, file.pressed) if form]
    return sum(map(len, bodies)) + _OVERHEAD
