"""The peers, installed once into a virtual environment of their own: versions and hashes stand in peers.txt."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.report import BENCH

PEERS = Path(__file__).with_name("peers.txt")
FOLDER = BENCH / "venv"


class NotInstalledError(Exception):
    """The peers cannot be had here; the text says why."""


def peers(*, install: bool = True) -> Path:
    """The folder of the peers' programs. Installs them first where they are not, which takes a minute; raises
    NotInstalledError where they cannot be had, or are not to be installed."""
    mark = FOLDER / "installed"
    wanted = hashlib.sha256(PEERS.read_bytes() + sys.version.encode()).hexdigest()
    if not mark.exists() or mark.read_text() != wanted:
        if not install:
            raise NotInstalledError("they are installed by: python -m benchmarks.installed")
        print(f"Installing the peers into {FOLDER} (once)", file=sys.stderr, flush=True)
        _install()
        mark.write_text(wanted)
    return FOLDER / "bin"


def python(*, install: bool = True) -> str:
    """The interpreter of the peers that are libraries; where they cannot be had our own, which has the same for development."""
    try:
        return str(peers(install=install) / "python")
    except NotInstalledError:
        return sys.executable


def _install() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    python = FOLDER / "bin" / "python"
    asked = ["--require-hashes", "-r", str(PEERS)]
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    if uv := shutil.which("uv"):
        commands = [
            [uv, "venv", "-q", "--python", sys.executable, str(FOLDER)],
            [uv, "pip", "install", "-q", "--compile-bytecode", "--python", str(python), *asked],
        ]
    else:
        commands = [
            [sys.executable, "-m", "venv", str(FOLDER)],
            [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *asked],
        ]
    for command in commands:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:]
            raise NotInstalledError(f"{' '.join(command)} failed: {' '.join(said)}")


def version(package: str) -> str:
    """The pinned version of a peer."""
    for line in PEERS.read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition("==")
        if name == package:
            return rest.split()[0]
    raise KeyError(package)


if __name__ == "__main__":
    print(peers())
