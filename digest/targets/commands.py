"""Other programs: run without a shell or a terminal, and over when their time is over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from digest.errors import PublishError
from digest.targets.errand import Errand, late


class Ran(Struct, frozen=True, kw_only=True):
    """What a program wrote, and its exit code."""

    code: int
    out: bytes
    err: str


def run(
    errand: Errand, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, given: bytes = b""
) -> Ran:
    """What a program answers to `given`. Raises PublishError where it is not installed, and at the deadline of the errand.

    It gets a session of its own: without a terminal, ssh and git ask nobody for a password; and with its helpers in one
    group, none of them outlives us.
    """
    program = shutil.which(command[0])
    if program is None:
        raise PublishError(
            f"the program {command[0]} is not installed. Install it (Debian: apt-get install {command[0]})."
        )
    process = subprocess.Popen(  # noqa: S603 - a list of arguments, and no shell
        [program, *command[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
    )
    with process:
        try:
            out, err = process.communicate(given, timeout=max(0.0, errand.deadline - time.monotonic()))
        except BaseException as reason:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if isinstance(reason, subprocess.TimeoutExpired):
                raise late(errand.target) from None
            raise
    return Ran(code=process.returncode, out=out, err=err.decode(errors="replace"))
