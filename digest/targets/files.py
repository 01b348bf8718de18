"""Which of the files below a published folder go elsewhere, and in which order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

_FEED = re.compile(r"(.*/)?(rss\.xml|atom\.xml|feed\.json|editions[^/]*\.(xml|json)|feeds\.opml)")
# A name that no page of ours has: control signs, a backslash, bytes that are no UTF-8 (lone surrogates in Python).
_STRANGE = re.compile("[\x00-\x1f\x7f\\\\\ud800-\udfff]")


def steps_of(root: Path, order: Sequence[str] = ()) -> tuple[tuple[str, ...], ...]:
    """The files below a folder as pages, feeds and home pages, each step sorted: what `order` does not name comes first, the
    deepest folders before those that link to them; then what it names, in its order.

    Left out are hidden files (what a killed run left half written is one), symbolic links and the README.md of the folder.
    """
    found = [path for path in _below(root, "") if path != "README.md"]
    place = {path: number for number, path in enumerate(order)}
    found.sort(key=lambda path: (place.get(path, -1), -path.count("/"), path))
    # A home page stands beside the list of all feeds: that of the site, and of each further digest.
    homes = {f"{path.removesuffix('feeds.opml')}index.html" for path in found if is_opml(path)} | {
        "index.html"
    }
    feeds = tuple(path for path in found if _FEED.fullmatch(path))
    return (
        tuple(path for path in found if path not in homes and not _FEED.fullmatch(path)),
        feeds,
        tuple(path for path in found if path in homes),
    )


def is_opml(path: str) -> bool:
    return path.rpartition("/")[2] == "feeds.opml"


def _below(folder: Path, prefix: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or _STRANGE.search(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _below(Path(entry.path), f"{prefix}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                yield prefix + entry.name
