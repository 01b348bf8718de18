"""A folder of this machine: another disk, what a web server serves, a folder that is synchronised."""

from __future__ import annotations

from collections.abc import Iterator

from digest.errors import PublishError
from digest.model import Page
from digest.targets.errand import Errand, local_path
from digest.website import Website


def send(errand: Errand) -> Iterator[bool]:
    """For each file whether it was written. Those with the same bytes stay untouched, others are replaced as a whole."""
    there = Website(local_path(errand, errand.target.path))
    for step in errand.steps:
        paths = list(step)
        before = len(there.changed)
        try:
            there.write(Page(path=path, body=(errand.root / path).read_bytes()) for path in paths)
        except PublishError as error:
            raise _said_of_a_copy(error) from error
        written = set(there.changed[before:])
        yield from (path in written for path in paths)


def _said_of_a_copy(error: PublishError) -> PublishError:
    """What is to be done about a copy, which the next run completes."""
    if not isinstance(error.__cause__, OSError):
        return error
    return PublishError(
        f"{error.path}: cannot be written: {error.__cause__.strerror}. The old file stands; make room or mend the rights, "
        "and the next run sends what is missing.",
        path=error.path,
    )
