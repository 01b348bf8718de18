"""What every kind of target is handed: which files go where, until when."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from digest.config import PublishConfig
from digest.errors import PublishError


class Errand(Struct, frozen=True, kw_only=True):
    """The files below `root` that go to a target, in `steps`: one is there as a whole before the next begins. Paths are
    relative, with slashes. `deadline` is of time.monotonic()."""

    target: PublishConfig
    root: Path
    base: Path
    steps: tuple[tuple[str, ...], ...]
    deadline: float
    title: str = ""
    author: str = ""


def late(target: PublishConfig) -> PublishError:
    return PublishError(
        f"not all was sent within {target.timeout_s:g} s. The next run sends the rest; for a first copy of a large "
        "archive raise timeout_s of this target."
    )


def is_elsewhere(place: str) -> bool:
    """Whether a place is an address (https://…, user@host:…), and not a path here: git and rsync look for the same colon."""
    return re.match(r"[a-z+]+://|[^/]+:", place) is not None


def local_path(errand: Errand, path: str) -> Path:
    """A path of this machine in full. Raises PublishError where it lies in the published folder, or that in it: a copy would
    be copied again each day."""
    place = (errand.base / Path(path).expanduser()).resolve()
    root = errand.root.resolve()
    if place.is_relative_to(root) or root.is_relative_to(place):
        raise PublishError(
            f"{place}: is the published folder itself, lies in it, or around it. Name a folder beside it.",
            path=str(place),
        )
    return place
