"""[Page] → files below `site.output`: temporaries, fsync, rename in the order given; unchanged bytes untouched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from digest.errors import PublishError
from digest.model import Page, PublishReport

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_TEMPORARY = ".digest-part"
# An fsync waits for the disk; several that wait together share one commit of its journal (2026-11, ext4: 500 files of 6 kB
# in 1.0–4.0 s one by one, in 0.07–0.25 s by eight threads; sixteen are no faster).
_THREADS = 8
_BATCH = 128
_BATCH_BYTES = 8 << 20


class Website:
    """The folder that the world sees. `dry_run` compares and counts, and writes nothing.

    `changed` are the paths of the files written since this was made, in order; in a dry run those that would be.
    """

    def __init__(self, root: Path, *, dry_run: bool = False) -> None:
        self.root = root
        self.changed: list[str] = []
        self._dry_run = dry_run

    def write(self, pages: Iterable[Page]) -> PublishReport:
        """How many files were written and how many already had these bytes; those keep their mtime, so that every
        server's ETag stays (RFC 9110, 8.8). A reader meets the old or the new bytes of a file, never a part, and no
        file before those that came before it; after a power cut, too, no file that stood links to one that is not there.

        Raises PublishError for a path outside the root and for a disk that does not take the file; the pages before
        it are written then, those after it are not.
        """
        written = unchanged = 0
        inside: dict[Path, bool] = {}
        with _Batch(self.root, self.changed.append) as batch:
            for page in pages:
                target = self._target(page.path, inside)
                if batch.has(target):
                    batch.commit()
                if _holds(target, page.body):
                    unchanged += 1
                    continue
                if self._dry_run:
                    self.changed.append(page.path)
                else:
                    batch.add(page, target)
                written += 1
        return PublishReport(written=written, unchanged=unchanged)

    def has(self, path: str) -> bool:
        return self._target(path, {}).is_file()

    def _target(self, path: str, inside: dict[Path, bool]) -> Path:
        """`inside` remembers folders of which is known whether they lead out."""
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or "\0" in path or "\\" in path:
            raise PublishError(
                f"{path!r}: not a path below {self.root}. This is a fault of a template or format.", path=path
            )
        target = self.root.joinpath(*parts)
        if not self._is_inside(target.parent, inside):
            raise PublishError(
                f"{target}: leads out of {self.root} by a link. Remove that link.", path=str(target)
            )
        return target

    def _is_inside(self, folder: Path, known: dict[Path, bool]) -> bool:
        """Whether a folder below the root, which need not be there yet, is so on the disk too."""
        if folder not in known:
            known[folder] = folder == self.root or (
                self._is_inside(folder.parent, known)
                and (not folder.is_symlink() or folder.resolve().is_relative_to(self.root.resolve()))
            )
        return known[folder]


class _Batch:
    """Files on their way: their bytes are put beside the old files at once, and take their places together, in order.

    Whatever ends the block, what was added before takes its place.
    """

    def __init__(self, root: Path, tell: Callable[[str], None]) -> None:
        self._root = root
        self._tell = tell
        self._files: dict[Path, tuple[Page, Path, Future[None]]] = {}
        self._bytes = 0
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> _Batch:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.commit()
        finally:
            if self._pool is not None:
                self._pool.shutdown()

    def has(self, target: Path) -> bool:
        return target in self._files

    def add(self, page: Page, target: Path) -> None:
        # One fixed temporary name for each target: what a killed run left behind is overwritten by the next.
        temporary = target.with_name(f"{_TEMPORARY}-{target.name}")
        self._files[target] = page, temporary, self._threads().submit(_put, temporary, page.body)
        self._bytes += len(page.body)
        if len(self._files) >= _BATCH or self._bytes >= _BATCH_BYTES:
            self.commit()

    def commit(self) -> None:
        """Renames, in order. Folders are fsynced before a file that stood is replaced: whatever leads a reader to a
        new file was there before, or is new itself and not reached yet."""
        files, self._files, self._bytes = self._files, {}, 0
        try:
            fresh: set[Path] = set()
            for target, (page, temporary, done) in files.items():
                with _named(target):
                    done.result()
                    if not target.exists():
                        fresh.add(target.parent)
                    elif fresh:
                        self._sync(fresh)
                        fresh.clear()
                    temporary.replace(target)
                self._tell(page.path)
            if files:
                with _named(target):
                    self._sync({target.parent for target in files})
        except PublishError:
            for _, temporary, done in files.values():
                # A thread may still be writing it.
                done.exception()
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
            raise

    def _sync(self, folders: set[Path]) -> None:
        """Those folders hold their new names on the disk, and so do the folders above, which may be new too."""
        above = {up for folder in folders for up in folder.parents if up.is_relative_to(self._root)}
        list(self._threads().map(_sync_folder, folders | above))

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(_THREADS)
        return self._pool


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """A fault of the disk in this block is a PublishError that names the file."""
    try:
        yield
    except OSError as error:
        raise PublishError(
            f"{target}: cannot be written: {error.strerror}. The old file stands; "
            "make room or mend the rights, then `digest rebuild`.",
            path=str(target),
        ) from error


def _put(temporary: Path, body: bytes) -> None:
    temporary.parent.mkdir(parents=True, exist_ok=True)
    with temporary.open("wb") as stream:
        stream.write(body)
        stream.flush()
        os.fsync(stream.fileno())


def _holds(path: Path, body: bytes) -> bool:
    """Has the file these bytes? Most that have not differ in size."""
    try:
        return path.stat().st_size == len(body) and path.read_bytes() == body
    except OSError:
        return False


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
