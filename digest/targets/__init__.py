"""The published files, copied elsewhere: a folder, a git branch, S3-compatible storage, rsync. Only what changed, feeds last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from digest.config import PublishConfig
from digest.errors import PublishError
from digest.model import TargetReport
from digest.targets import folder, git, rsync, s3
from digest.targets.errand import Errand, late
from digest.targets.files import steps_of
from digest.targets.words import said

# Each brings the files of an errand there and yields, for each, whether it had to be written. What fails is a PublishError.
KINDS: dict[str, Callable[[Errand], Iterator[bool]]] = {
    "folder": folder.send,
    "git": git.send,
    "rsync": rsync.send,
    "s3": s3.send,
}


def publish_to(
    target: PublishConfig,
    root: Path,
    *,
    order: Sequence[str] | None = None,
    base: Path,
    title: str = "",
    author: str = "",
) -> TargetReport:
    """What the target took of the files below `root`; `error` says why not all, and never what the keys are.

    What is there already is found by asking the target, so a call after one that failed or was killed sends what is missing.
    Pages go first (in `order`, paths below `root`, where it names them), then feeds, then home pages, so that nothing there
    links to what is not there yet. Nothing is deleted at the target. `base` is the folder that relative paths of the target
    count from; `title` names the edition and `author` who published it, for the commit of a git branch.
    """
    written = unchanged = 0
    error = None
    deadline = time.monotonic() + target.timeout_s
    try:
        errand = Errand(
            target=target,
            root=root,
            base=base,
            steps=steps_of(root, order or ()),
            deadline=deadline,
            title=title,
            author=author,
        )
        for new in KINDS[target.kind](errand):
            written, unchanged = written + new, unchanged + (not new)
            if time.monotonic() > deadline:
                raise late(target)
    # ValueError: NUL; RuntimeError: ~nobody
    except (PublishError, OSError, ValueError, RuntimeError) as failure:
        error = said(str(failure), target)
    return TargetReport(name=target.name, kind=target.kind, written=written, unchanged=unchanged, error=error)
