"""A folder of this machine: another disk, what a web server serves, a folder that is synchronised."""

from __future__ import annotations

from collections.abc import Iterator

from digest.model import Page
from digest.targets.errand import Errand, local_path
from digest.website import Website


def send(errand: Errand) -> Iterator[bool]:
    """For each file whether it was written. Those with the same bytes stay untouched, others are replaced as a whole."""
    there = Website(local_path(errand, errand.target.path))
    for step in errand.steps:
        for path in step:
            yield there.write([Page(path=path, body=(errand.root / path).read_bytes())]).written == 1
