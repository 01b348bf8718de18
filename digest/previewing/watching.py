"""Which files changed: looked at again and again, which works on every disk and needs no library."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from digest.paths import is_file

Seen = Mapping[Path, tuple[int, int, int]]


def seen(paths: Iterable[Path]) -> Seen:
    """Time of the last change, size and inode of each file among and below `paths`; what is not there is left out, and so are
    hidden files and those that editors keep beside the one they write."""
    found = {}
    for path in paths:
        for file in _files(path):
            try:
                facts = file.stat()
            except OSError:  # gone since its folder was read
                continue
            found[file] = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
    return found


def changed(before: Seen, now: Seen) -> tuple[Path, ...]:
    """The files that are new, gone or different, in alphabetical order."""
    return tuple(sorted(file for file in {*before, *now} if before.get(file) != now.get(file)))


def _files(path: Path) -> Iterator[Path]:
    if is_file(path):
        yield path
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder, name) for name in names if not _is_editors(name))


def _is_editors(name: str) -> bool:
    return name.startswith((".", "#")) or name.endswith(("~", ".swp", ".tmp"))
