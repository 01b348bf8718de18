"""A folder that rsync reaches: of this machine, of another by ssh, or of an rsync server."""

from __future__ import annotations

import os
from collections.abc import Iterator

from digest.errors import PublishError
from digest.targets.commands import Ran, run
from digest.targets.errand import Errand, is_elsewhere, local_path

_OPTIONS = (
    # Bytes decide, not times; a file is replaced as a whole, and those of one pass all at its end.
    "--checksum",
    "--delay-updates",
    "--times",
    # The very files that were found, so that no link is followed and nothing else goes along.
    "--files-from=-",
    "--from0",
    "--out-format=%i",
)


def send(errand: Errand) -> Iterator[bool]:
    """For each file whether it was sent; one pass of rsync for each step."""
    destination = errand.target.destination
    if not is_elsewhere(destination):
        destination = str(local_path(errand, destination))
    for step in errand.steps:
        if step:
            yield from _pass(errand, step, f"{destination.rstrip('/')}/")


def _pass(errand: Errand, paths: tuple[str, ...], destination: str) -> list[bool]:
    ran = run(
        errand,
        ["rsync", *_OPTIONS, "--", "./", destination],
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        cwd=errand.root,
        # "./" before a name: one that begins with # or ; would be a comment.
        given=b"\0".join(f"./{path}".encode() for path in paths),
    )
    if ran.code != 0:
        raise _failed(errand, ran)
    # ">f+++++++++" for a file that was sent or received; other lines are of folders, and of times set right.
    sent = sum(line[:2] in (b"<f", b">f") for line in ran.out.splitlines())
    return [number < sent for number in range(len(paths))]


def _failed(errand: Errand, ran: Ran) -> PublishError:
    lines = [line for line in ran.err.splitlines() if line.strip()]
    reason = " / ".join(lines[:3]) or f"exit code {ran.code}"
    return PublishError(
        f"{errand.target.destination}: rsync failed ({reason}). Check the destination, and that `ssh` there works for this "
        "user without a question (docs/publishing.md)."
    )
