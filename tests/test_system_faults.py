"""What the system refuses (rights, room, a name too long) is told as what, where and what to do, and leaves nothing half done."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from commands import called
from digest.cli.console import system_words
from pages import ROOT, invented, tree
from test_cli import DIGEST, Shell, shell

__all__ = ["shell"]

TOO_LONG = "x" * 300  # no system takes it, whoever asks


@pytest.mark.parametrize(
    "command",
    [
        "init {}",
        "backup {}",
        "restore {}",
        "db copy sqlite:///digest.db sqlite:///{}/b.db",
        "replay 2026-01-05 --into {}",
        "subscribers export {}",
        "subscribers import {}",
        "bounce {}",
        "parse {}",
        "preview --out {}",
        "--store sqlite:///{} status",
        "--config {} status",
        "--output {} run",
    ],
)
def test_a_place_that_the_system_refuses_is_named_with_what_to_do(shell: Shell, command: str) -> None:
    shell.put("page.xml", invented(0, 2))
    shell("run")
    done = called(command.format(TOO_LONG).split(), cwd=shell.folder)
    assert done.returncode in (1, 2, 3), done.stderr
    assert "Traceback" not in done.stderr
    assert "fault of the program" not in done.stderr
    assert TOO_LONG in done.stderr and "File name too long" in done.stderr


def test_doctor_goes_on_behind_a_check_that_the_system_ends(shell: Shell) -> None:
    found = shell("doctor", code=1, DIGEST__SITE__OUTPUT=TOO_LONG).stdout
    assert f"{TOO_LONG}: File name too long. Name a shorter path." in found
    assert "ok      mail" in found


def test_what_a_library_raises_as_if_the_system_had_refused_it_is_a_fault_of_the_program() -> None:
    assert system_words(TimeoutError()).startswith("TimeoutError. This is a fault of the program")
    assert system_words(OSError(errno.EIO, os.strerror(errno.EIO))).endswith(
        "error. Check the path, the rights of this user, and the disk; then run again."
    )


def test_templates_that_are_a_file_are_not_passed_over(shell: Shell) -> None:
    assert (
        "which is a file. Name a folder."
        in shell("run", code=2, DIGEST__SITE__TEMPLATES="config.toml").stderr
    )
    assert (
        "which is a file. Name a folder."
        in shell("doctor", code=1, DIGEST__SITE__TEMPLATES="config.toml").stdout
    )


def test_templates_that_the_system_refuses_are_a_fault_of_the_configuration(shell: Shell) -> None:
    said = f"{TOO_LONG} cannot be read: File name too long. Check path and rights."
    assert said in shell("run", code=2, DIGEST__SITE__TEMPLATES=TOO_LONG).stderr
    assert said in shell("doctor", code=1, DIGEST__SITE__TEMPLATES=TOO_LONG).stdout


@pytest.mark.parametrize("option", ["--no-web", "--no-schedule"])
def test_serve_ends_at_once_with_a_store_that_cannot_be_used(shell: Shell, option: str) -> None:
    with (shell.folder / "config.toml").open("a") as config:
        config.write('[[digest]]\nname = "yearly"\nschedule = "0 0 29 2 *"\n[web]\nlisten = "127.0.0.1:0"\n')
    (shell.folder / "digest.db").mkdir()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*DIGEST, "serve", option]
    done = subprocess.run(
        command, cwd=shell.folder, env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: The store ") and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_that_finds_no_room_is_named(option: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*DIGEST, option], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "error: No space left on device. Free some space, then run again.\n"


def test_init_that_finds_no_room_can_be_called_again(tmp_path: Path) -> None:
    def little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))

    environ = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "digest", "init", "a folder"]
    failed = subprocess.run(
        command, cwd=tmp_path, env=environ, preexec_fn=little, capture_output=True, text=True, check=False
    )
    assert failed.returncode == 2
    assert "error: a folder: cannot be written: File too large." in failed.stderr
    assert not any(name.endswith(".part") for name in tree(tmp_path))
    assert not (tmp_path / "a folder/config.toml").exists()
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("Next: cd 'a folder' && digest run\n")
    for name in ("config.toml", "examples/listings/arxiv-new.html"):
        assert (tmp_path / "a folder" / name).read_bytes() == (ROOT / name).read_bytes()
