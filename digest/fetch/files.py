"""A path → its listings: one file, the files of a folder, or those that a glob matches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import partial
from glob import escape, has_magic, iglob
from pathlib import Path

from digest.config import SourceConfig
from digest.errors import FetchError, FetchRefused
from digest.fetch.faults import answer_of, shown, too_large
from digest.fetch.packing import MAGIC, unpacked
from digest.model import Listing
from digest.paths import exists, is_file, is_folder
from digest.patterns import late

_DATE = late(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")


def listings(
    source: SourceConfig, resolve: Callable[[str], Path], now: datetime
) -> Iterator[Listing | FetchError]:
    """The files of a source in the order of their names, each read when it is asked for; one unreadable file does not hide
    the others."""
    files = answer_of(source.path, lambda: _files(resolve(source.path), may_be_empty=source.watch))
    if isinstance(files, FetchError):
        yield files
        return
    for file in files:
        yield answer_of(str(file), partial(_from_file, file, source.max_bytes, now))


def date_in(name: str) -> date | None:
    """The day in a file name or URL (2026-11-19), the last one where there are several."""
    for year, month, day in reversed(_DATE.findall(name)):
        try:
            return date(int(year), int(month), int(day))
        except ValueError:
            continue
    return None


def _files(path: Path, *, may_be_empty: bool = False) -> list[Path]:
    """The regular files that a path means: itself, the visible ones in a folder, or those a glob matches, by name."""
    text, place = str(path), shown(str(path.absolute()))
    if is_folder(path):
        found = [p for p in path.iterdir() if not p.name.startswith(".")]
    elif exists(path):
        return [path]
    elif has_magic(text):
        found = [Path(p) for p in iglob(_pattern(path), recursive=True)]  # noqa: PTH207 - an absolute pattern, which Path.glob refuses
    else:
        raise FetchError(f"{place}: no such file or folder. Check the path.", url=place)
    files = sorted(p for p in found if _may_be_a_file(p))
    if not files and not may_be_empty:
        raise FetchError(f"{place}: no files there. Save listing pages into it, or mend the path.", url=place)
    return files


def _pattern(path: Path) -> str:
    """The glob that a path is: what of it is a folder by that very name is none."""
    there = next((folder for folder in path.parents if is_folder(folder)), Path())
    return str(Path(escape(str(there))) / path.relative_to(there))


def _may_be_a_file(path: Path) -> bool:
    try:
        return is_file(path)
    except OSError:
        return True  # reading it will say what is wrong, and hide none of its neighbours


def _from_file(file: Path, max_bytes: int, now: datetime) -> Listing:
    location = shown(str(file))
    if not is_file(file):
        raise FetchRefused(f"{location}: not a regular file. Name a saved page.", url=location)
    with file.open("rb") as stream:
        body = stream.read(max_bytes + 1)
    if len(body) > max_bytes:
        raise too_large(location, max_bytes)
    if body.startswith(MAGIC):
        body = unpacked(body, url=location, max_bytes=max_bytes)
    return Listing(location=location, body=body, fetched_at=now, listed_on=date_in(file.name))
