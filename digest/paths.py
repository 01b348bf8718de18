"""What stands at a path. The answer is no only where nothing stands; what may not be looked at, or not just now, is an OSError.

To that `exists`, `is_file` and `is_dir` of pathlib say no too since Python 3.14, and `glob` since 3.13: a file without rights would
be one that is not there.
"""

from __future__ import annotations

import stat
from errno import EBADF, ELOOP, ENOENT, ENOTDIR
from pathlib import Path

_NOTHING = {ENOENT, ENOTDIR, EBADF, ELOOP}


def exists(path: Path) -> bool:
    """Does anything stand there, or where the link there leads? Raises OSError."""
    return _mode(path) != 0


def is_file(path: Path) -> bool:
    """Is it a regular file, or a link to one? Raises OSError."""
    return stat.S_ISREG(_mode(path))


def is_folder(path: Path) -> bool:
    """Is it a folder, or a link to one? Raises OSError."""
    return stat.S_ISDIR(_mode(path))


def ending_with(folder: Path, ending: str) -> list[Path]:
    """What is in a folder by a name that ends so, in alphabetical order; none where there is no such folder. Raises OSError."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.endswith(ending))
    except FileNotFoundError:
        return []


def _mode(path: Path) -> int:
    """The kind of a file and its rights, as stat(2) has them; 0 where there is none."""
    try:
        return path.stat().st_mode
    except OSError as error:
        if error.errno not in _NOTHING:
            raise
    except ValueError:  # a NUL in its name
        pass
    return 0
