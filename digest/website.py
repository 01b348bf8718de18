"""[Page] → files below `site.output`: temporaries, sync, rename in the order given; unchanged bytes untouched."""

# Paths are strings here: a Path for each of a thousand files would take longer than their renames (2026-11).
# ruff: noqa: PTH102, PTH103, PTH105, PTH108, PTH113, PTH116

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from digest.errors import PublishError
from digest.model import Page, PublishReport

_TEMPORARY = ".digest-part-"
# Files that take their places together. Their bytes are with the system by then: more of them cost no memory.
_BATCH = 2000
# Of so many folders is remembered that they do not lead out.
_FOLDERS = 10_000
# A link in the place of a temporary is not followed.
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
# What a system says that knows the call and does not do it, or forbids it to who is in a container.
_UNABLE = frozenset({errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP})
# Of published files, by how their names end. Feeds bring a style sheet, which browsers apply only to application/xml; XML names
# its own encoding.
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".xml": "application/xml",
    ".json": "application/json",
    ".opml": "text/x-opml; charset=utf-8",
    ".bib": "application/x-bibtex; charset=utf-8",
    ".ris": "application/x-research-info-systems; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".ico": "image/vnd.microsoft.icon",
    ".woff2": "font/woff2",
    ".pdf": "application/pdf",
}
_UPWARDS = re.compile(r"(?:^|/)\.\.(?:/|$)")


class Website:
    """The folder that the world sees. `dry_run` compares and counts, and writes nothing.

    `changed` are the paths of the files written since this was made, in order; in a dry run those that would be.
    """

    def __init__(self, root: Path, *, dry_run: bool = False) -> None:
        self.root = root
        self.changed: list[str] = []
        self._dry_run = dry_run
        self._root = str(root)
        # Folders of which is known that they do not lead out, and one on each file system that they are on.
        self._inside: set[str] = set()
        self._systems: dict[int, str] = {}

    def write(self, pages: Iterable[Page]) -> PublishReport:
        """How many files were written and how many already had these bytes; those keep their mtime, so that every
        server's ETag stays (RFC 9110, 8.8). A reader meets the old or the new bytes of a file, never a part; no new file
        before the new ones that came before it, and new bytes of an old one after all that came before it. After a power cut,
        too, no file that stood links to one that is not there.

        Raises PublishError for a path outside the root and for a disk that does not take the file; the pages before
        it are written then, those after it are not, but for new ones where a file that stood cannot be replaced.
        """
        written = unchanged = 0
        with _Batch(self._root, self._systems, self.changed.append) as batch:
            for page in pages:
                target = self._target(page.path)
                if batch.has(target):
                    batch.commit()
                size = _size(target)
                if size == len(page.body) and _holds(target, page.body):
                    unchanged += 1
                    continue
                if self._dry_run:
                    self.changed.append(page.path)
                else:
                    batch.add(page, target, fresh=size is None)
                written += 1
        return PublishReport(written=written, unchanged=unchanged)

    def has(self, path: str) -> bool:
        return os.path.isfile(self._target(path))

    def _target(self, path: str) -> str:
        if _is_strange(path):
            raise PublishError(
                f"{path!r}: not a path below {self.root}. This is a fault of a template or format.", path=path
            )
        if not self._is_inside(path.rpartition("/")[0]):
            raise PublishError(
                f"{self.root / path}: leads out of {self.root} by a link. Remove that link.",
                path=str(self.root / path),
            )
        return f"{self._root}/{path}"

    def _is_inside(self, folder: str) -> bool:
        """Whether a folder below the root, which need not be there yet, is so on the disk too."""
        if folder in self._inside:
            return True
        if folder and not self._is_inside(folder.rpartition("/")[0]):
            return False
        whole = f"{self._root}/{folder}"
        with suppress(OSError):
            found = os.stat(whole, follow_symlinks=not folder)
            if stat.S_ISLNK(found.st_mode):
                if not Path(whole).resolve().is_relative_to(self.root.resolve()):
                    return False
                found = os.stat(whole)
            self._systems.setdefault(found.st_dev, whole)
        if len(self._inside) >= _FOLDERS:
            self._inside.clear()
        self._inside.add(folder)
        return True


def _is_strange(path: str) -> bool:
    """Is this no path that a format gives? Dots are looked at where there are two."""
    if not path or path[0] == "/" or path[-1] == "/" or "//" in path or "\0" in path or "\\" in path:
        return True
    return ".." in path and _UPWARDS.search(path) is not None


class _File(NamedTuple):
    """A file on its way: its path below the root, its place, where its bytes are, and whether nothing stood in its place."""

    path: str
    target: str
    temporary: str
    fresh: bool


class _Batch:
    """Files on their way: their bytes are put beside the old files at once, and take their places together.

    Whatever ends the block, what was added before takes its place.
    """

    def __init__(self, root: str, systems: dict[int, str], tell: Callable[[str], None]) -> None:
        self._root, self._systems, self._tell = root, systems, tell
        self._files: dict[str, _File] = {}

    def __enter__(self) -> _Batch:
        return self

    def __exit__(self, *_: object) -> None:
        self.commit()

    def has(self, target: str) -> bool:
        return target in self._files

    def add(self, page: Page, target: str, *, fresh: bool) -> None:
        # One fixed temporary name for each target: what a killed run left behind is overwritten by the next.
        folder, _, name = target.rpartition("/")
        temporary = f"{folder}/{_TEMPORARY}{name}"
        with _named(target, temporary):
            handle = _opened(temporary, folder)
            if not self._systems:  # the root was not there before
                self._systems[os.fstat(handle).st_dev] = self._root
            _put(handle, page.body)
        self._files[target] = _File(page.path, target, temporary, fresh)
        if len(self._files) >= _BATCH:
            self.commit()

    def commit(self) -> None:
        """Renames: the new files in order; then, when their names are on the disk, the new bytes of old ones in order. Whatever
        leads a reader to a new file stood before it, or is new itself and not reached yet."""
        files, self._files = list(self._files.values()), {}
        if not files:
            return
        placed: set[str] = set()
        try:
            self._sync(file.temporary for file in files)
            self._place(files, placed)
        finally:
            for file in files:
                if file.target in placed:
                    self._tell(file.path)
                else:
                    _remove(file.temporary)

    def _place(self, files: Sequence[_File], placed: set[str]) -> None:
        fault, end = None, len(files)
        for fresh in (True, False):
            group = []
            for number, file in enumerate(files[:end]):
                if file.fresh is fresh:
                    try:
                        with _named(file.target):
                            os.replace(file.temporary, file.target)
                    except PublishError as error:
                        fault, end = error, number
                        break
                    group.append(file)
                    placed.add(file.target)
            if group:
                self._sync(_folders(group, self._root))
        if fault is not None:
            raise fault

    def _sync(self, paths: Iterable[str]) -> None:
        """What was written and renamed is on the disk: these files or folders, and where the system can, all at once."""
        whole = _syncfs()
        with _named(self._root):
            if whole is not None:
                try:
                    for path in self._systems.values():
                        _with_handle(path, whole)
                    return
                except OSError as error:
                    if error.errno not in _UNABLE:
                        raise
            for path in paths:
                _with_handle(path, os.fsync)


def _with_handle(path: str, call: Callable[[int], None]) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        call(handle)
    finally:
        os.close(handle)


@cache
def _syncfs() -> Callable[[int], None] | None:
    """Brings a whole file system to the disk; None where there is no such call.

    An fsync of each file waits for a turn of the journal: 900 files of 8 kB took 1.0 s, by eight threads 0.32 s, and so 0.14 s
    (2026-11, ext4). It waits for what other programs have written too. Linux says since 5.8 whether all was written.
    """
    release = tuple(int(part) for part in re.findall(r"\d+", os.uname().release)[:2])
    if os.uname().sysname != "Linux" or release < (5, 8):
        return None
    import ctypes

    call = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if call is None:
        return None

    def syncfs(handle: int) -> None:
        if call(handle):
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))

    return syncfs


@contextmanager
def _named(target: str, temporary: str = "") -> Iterator[None]:
    """A fault of the disk in this block is a PublishError that names the file; what is left of its temporary goes."""
    try:
        yield
    except OSError as error:
        if temporary:
            _remove(temporary)
        raise PublishError(
            f"{target}: cannot be written: {error.strerror}. The old file stands; "
            "make room or mend the rights, then `digest rebuild`.",
            path=target,
        ) from error


def _opened(temporary: str, folder: str) -> int:
    try:
        return os.open(temporary, _NEW, 0o666)
    except FileNotFoundError:
        try:
            os.mkdir(folder)
        except OSError:
            os.makedirs(folder, exist_ok=True)
        return os.open(temporary, _NEW, 0o666)


def _put(handle: int, body: bytes) -> None:
    try:
        rest = memoryview(body)
        while rest:
            rest = rest[os.write(handle, rest) :]
    finally:
        os.close(handle)


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _size(path: str) -> int | None:
    """How many bytes a file has; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _holds(path: str, body: bytes) -> bool:
    """Has a file of this size these bytes?"""
    try:
        return Path(path).read_bytes() == body
    except OSError:
        return False


def _folders(files: Sequence[_File], root: str) -> Iterator[str]:
    """The folders of these files, and those above them, which may be new too."""
    found: set[str] = set()
    for file in files:
        folder = file.target.rpartition("/")[0]
        while folder not in found:
            found.add(folder)
            yield folder
            folder = folder.rpartition("/")[0] if folder != root else folder
