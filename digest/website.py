"""[Page] → files below `site.output`: temp + fsync + rename, in the order given, unchanged bytes untouched."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from digest.errors import PublishError
from digest.model import Page, PublishReport

_TEMPORARY = ".digest-part"


class Website:
    """The folder that the world sees. `dry_run` compares and counts, and writes nothing."""

    def __init__(self, root: Path, *, dry_run: bool = False) -> None:
        self.root = root
        self._dry_run = dry_run

    def write(self, pages: Iterable[Page]) -> PublishReport:
        """How many files were written and how many already had these bytes; those keep their mtime, so that every
        server's ETag stays (RFC 9110, 8.8). A reader meets the old or the new bytes of a file, never a part.

        Raises PublishError for a path outside the root and for a disk that does not take the file.
        """
        written = unchanged = 0
        for page in pages:
            target = self._target(page.path)
            if _bytes_of(target) == page.body:
                unchanged += 1
                continue
            if not self._dry_run:
                self._replace(target, page.body)
            written += 1
        return PublishReport(written=written, unchanged=unchanged)

    def has(self, path: str) -> bool:
        return self._target(path).is_file()

    def _target(self, path: str) -> Path:
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or "\0" in path or "\\" in path:
            raise PublishError(
                f"{path!r}: not a path below {self.root}. This is a fault of a template or format.", path=path
            )
        target = self.root.joinpath(*parts)
        if not target.parent.resolve().is_relative_to(self.root.resolve()):
            raise PublishError(
                f"{target}: leads out of {self.root} by a link. Remove that link.", path=str(target)
            )
        return target

    def _replace(self, target: Path, body: bytes) -> None:
        # One fixed temporary name for each target: what a killed run left behind is overwritten by the next.
        temporary = target.with_name(f"{_TEMPORARY}-{target.name}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as stream:
                stream.write(body)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
            _sync_folder(target.parent)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise PublishError(
                f"{target}: cannot be written: {error.strerror}. The old file stands; "
                "make room or mend the rights, then `digest rebuild`.",
                path=str(target),
            ) from error


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
