"""`digest` called many times: each call in a process of its own, forked from one that has everything loaded, so that a call takes
the time of its work and not that of its imports. What a fresh interpreter does is tested by calls of `python -m digest`."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parent.parent


def called(
    args: Sequence[str], *, cwd: Path, environ: Mapping[str, str] | None = None, given: bytes = b""
) -> subprocess.CompletedProcess[str]:
    """`digest` with these arguments in this folder, with `given` on its standard input: what it wrote, and how it ended."""
    with tempfile.TemporaryDirectory(prefix="digest-call-") as folder:
        files = [Path(folder, name) for name in ("in", "out", "err")]
        files[0].write_bytes(given)
        code = _ask(
            {
                "args": [str(arg) for arg in args],
                "cwd": str(cwd),
                "environ": {**os.environ, **(environ or {})},
                "files": list(map(str, files)),
            }
        )
        out, err = (file.read_bytes().decode() for file in files[1:])
        return subprocess.CompletedProcess(args, code, out, err)


def _ask(call: dict[str, object]) -> int:
    process = _nursery()
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(call).encode() + b"\n")
    process.stdin.flush()
    return int(process.stdout.readline())


@cache
def _nursery() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, __file__],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.communicate()


# ---------------------------------------------------------------- the process that has everything loaded


def _serve(calls: IO[bytes], answers: IO[bytes]) -> None:
    import gc

    _load()
    gc.freeze()
    for line in calls:
        call = json.loads(line)
        child = os.fork()
        if child == 0:
            _call(call)
        _, status = os.waitpid(child, 0)
        answers.write(b"%d\n" % os.waitstatus_to_exitcode(status))
        answers.flush()


def _load() -> None:
    import importlib
    import pkgutil

    names = ["feedgen.feed", "lxml.html", "bs4", "rich.console", "rich.table", "jinja2", "yoyo"]
    for package in (
        "digest.cli",
        "digest.app",
        "digest.pipeline",
        "digest.store",
        "digest.sources",
        "digest.formats",
    ):
        path = importlib.import_module(package).__path__
        names += [f"{package}.{module.name}" for module in pkgutil.iter_modules(path)]
    for name in names:
        with suppress(ImportError):  # of an extra that is not installed
            importlib.import_module(name)


def _call(call: dict[str, object]) -> None:
    """Becomes `python -m digest` as far as the program can see, and ends."""
    code = 1
    try:
        for fd, (file, flags) in enumerate(
            zip(call["files"], (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)  # type: ignore[call-overload]
        ):
            opened = os.open(file, flags, 0o600)
            os.dup2(opened, fd)
            os.close(opened)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
        os.chdir(call["cwd"])  # type: ignore[arg-type]
        os.environ.clear()
        os.environ.update(call["environ"])  # type: ignore[arg-type]
        sys.argv = ["digest", *call["args"]]  # type: ignore[misc]
        code = _main()
    finally:
        os._exit(code)


def _main() -> int:
    import traceback

    from digest.cli import main

    code: object = 1
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    finally:
        if (fault := sys.exc_info()[1]) is not None:
            traceback.print_exception(fault)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code if isinstance(code, int) else 1


if __name__ == "__main__":
    _serve(sys.stdin.buffer, os.fdopen(os.dup(1), "wb"))
