"""A folder that rsync reaches takes the published files: the real program, on local paths and by a stand-in for ssh."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from conftest import need
from digest.config import PublishConfig
from digest.model import TargetReport
from digest.targets import publish_to
from target_sites import SITE, files_below, site


@pytest.fixture(autouse=True)
def _needs_rsync() -> None:
    need(shutil.which("rsync"), "needs rsync (Debian: apt-get install rsync)")


def publish(destination: Path | str, root: Path, **more: object) -> TargetReport:
    target = PublishConfig(name="www", kind="rsync", destination=str(destination), **more)  # type: ignore[arg-type]
    return publish_to(target, root, base=root.parent)


def instead_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, script: str) -> Path:
    """Puts a shell script before the real program in PATH. Returns a file to which it may write what it was called with."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    file = folder / program
    calls = tmp_path / "calls"
    file.write_text(f"#!/bin/sh\nreal={shutil.which(program)}\ncalls='{calls}'\n" + textwrap.dedent(script))
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return calls


def test_a_folder_takes_all_files_and_then_only_what_changed(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), tmp_path / "a folder"
    report = publish(there, root)
    assert (report.written, report.unchanged, report.error) == (len(SITE), 0, None)
    assert files_below(there) == files_below(root)
    (there / "other.txt").write_text("not ours")
    (root / "rss.xml").write_text("newer")
    before = (there / "404.html").stat()
    report = publish(there, root)
    assert (report.written, report.unchanged) == (1, len(SITE) - 1)
    assert (there / "rss.xml").read_text() == "newer"
    assert (there / "other.txt").read_text() == "not ours"
    after = (there / "404.html").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_bytes_decide_and_not_times(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), tmp_path / "there"
    publish(there, root)
    for path in SITE:
        os.utime(root / path, (1, 1))
    assert publish(there, root).written == 0
    # As long, and as old, as before.
    (root / "rss.xml").write_text("rss.xml of the sitE")
    os.utime(root / "rss.xml", (1, 1))
    assert publish(there, root).written == 1
    assert (there / "rss.xml").read_text() == "rss.xml of the sitE"


def test_links_and_hidden_files_do_not_go(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), tmp_path / "there"
    (tmp_path / "secret").write_text("key")
    (root / "link.html").symlink_to(tmp_path / "secret")
    (root / "linked").symlink_to(tmp_path)
    (root / ".digest-part-rss.xml").write_text("half")
    (root / "README.md").write_text("about this folder")
    assert publish(there, root).error is None
    assert set(files_below(there)) == set(SITE)


def test_pages_are_there_before_feeds_are_sent_and_feeds_before_home_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, there = site(tmp_path / "site"), tmp_path / "there"
    calls = instead_of(
        tmp_path,
        monkeypatch,
        "rsync",
        f'find {there} -type f 2>/dev/null | wc -l >>"$calls"; exec $real "$@"',
    )
    assert publish(there, root).error is None
    homes, feeds = 2, 9
    assert [int(line) for line in calls.read_text().split()] == [
        0,
        len(SITE) - feeds - homes,
        len(SITE) - homes,
    ]


def test_another_machine_is_reached_by_ssh_and_no_shell_reads_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, there = site(tmp_path / "site"), tmp_path / "over there $(touch ran)"
    (root / "$(touch ran).html").write_text("x")
    # What ssh does with its arguments: hands them, joined, to a shell over there.
    calls = instead_of(
        tmp_path,
        monkeypatch,
        "ssh",
        """
        while [ "${1#-}" != "$1" ]; do [ "$1" = -l ] && shift; shift; done
        shift; echo "$*" >>"$calls"; exec sh -c "$*"
        """,
    )
    monkeypatch.delenv("RSYNC_RSH", raising=False)
    report = publish(f"user@www.example.org:{there}/", root)
    assert (report.written, report.error) == (len(SITE) + 1, None)
    assert files_below(there) == files_below(root)
    assert "rsync --server" in calls.read_text()
    assert not list(tmp_path.rglob("ran"))
    assert not Path("ran").exists()
    assert publish(f"user@www.example.org:{there}/", root).unchanged == len(SITE) + 1


def test_a_key_that_may_only_write_to_one_folder_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(shutil.which("rrsync"), "needs rrsync (Debian: comes with rsync and python3-braceexpand)")
    root, there = site(tmp_path / "site"), tmp_path / "there"
    there.mkdir()
    # What sshd does where authorized_keys names a command.
    instead_of(
        tmp_path,
        monkeypatch,
        "ssh",
        f"""
        while [ "${{1#-}}" != "$1" ]; do [ "$1" = -l ] && shift; shift; done
        shift; SSH_ORIGINAL_COMMAND="$*" exec rrsync -wo {there}
        """,
    )
    monkeypatch.delenv("RSYNC_RSH", raising=False)
    report = publish("digest@www.example.org:/", root)
    assert (report.written, report.error) == (len(SITE), None)
    assert files_below(there) == files_below(root)


@pytest.mark.parametrize("destination", ["--rsh=touch ran", "-e touch ran", "-v"])
def test_a_destination_that_looks_like_an_option_is_a_path(tmp_path: Path, destination: str) -> None:
    report = publish(destination, site(tmp_path / "site"))
    assert report.error is None
    assert set(files_below(tmp_path / destination)) == set(SITE)
    assert not list(tmp_path.rglob("ran"))


def test_a_machine_that_is_not_reached_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of(tmp_path, monkeypatch, "ssh", "echo 'ssh: connect to host: refused' >&2; exit 255")
    report = publish("user@www.example.org:/srv/www/", site(tmp_path / "site"))
    assert report.error and "user@www.example.org:/srv/www/" in report.error
    assert "ssh: connect to host: refused" in report.error
    assert "Check the destination" in report.error
    assert report.written == 0


def test_a_program_that_fails_without_a_word_is_told_by_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead_of(tmp_path, monkeypatch, "rsync", "exit 12")
    report = publish(tmp_path / "www", site(tmp_path / "site"))
    assert report.error and "rsync failed (exit code 12)" in report.error


def test_a_destination_that_takes_no_file_is_reported_and_completed_later(tmp_path: Path) -> None:
    root, around = site(tmp_path / "site"), tmp_path / "mounted"
    report = publish(around / "www", root)
    assert report.error and str(around / "www") in report.error
    assert not around.exists()
    around.mkdir()
    assert publish(around / "www", root).error is None
    assert files_below(around / "www") == files_below(root)


def test_a_run_that_is_killed_between_pages_and_feeds_is_completed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, there = site(tmp_path / "site"), tmp_path / "there"
    calls = instead_of(
        tmp_path,
        monkeypatch,
        "rsync",
        'echo x >>"$calls"; [ $(wc -l <"$calls") = 2 ] && kill -9 $PPID; exec $real "$@"',
    )
    program = """
        import sys; from pathlib import Path
        from digest.config import PublishConfig; from digest.targets import publish_to
        target = PublishConfig(name="www", kind="rsync", destination=sys.argv[2])
        publish_to(target, Path(sys.argv[1]), base=Path(sys.argv[1]))
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program), root, there], timeout=120)
    assert killed.returncode == -signal.SIGKILL
    assert not (there / "index.html").exists()
    assert (there / "404.html").exists()
    calls.write_text("x\n" * 5)
    report = publish(there, root)
    assert report.error is None
    assert files_below(there) == files_below(root)


def test_the_published_folder_is_not_sent_into_itself(tmp_path: Path) -> None:
    root = site(tmp_path / "site")
    report = publish("site/copy", root)
    assert report.error and "Name a folder beside it" in report.error
    assert set(files_below(root)) == set(SITE)


def test_a_machine_that_hangs_costs_no_more_than_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead_of(tmp_path, monkeypatch, "ssh", "exec sleep 600")
    report = publish("www.example.org:/srv", site(tmp_path / "site"), timeout_s=0.5)
    assert report.error and "within 0.5 s" in report.error


def test_without_the_program_it_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    report = publish("there", site(tmp_path / "site"))
    assert report.error == "the program rsync is not installed. Install it (Debian: apt-get install rsync)."


def test_a_password_in_an_address_is_not_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        report = publish("rsync://user:geheim@127.0.0.1:1/www", site(tmp_path / "site"))
    assert report.error and "127.0.0.1" in report.error
    assert "geheim" not in report.error + caplog.text
