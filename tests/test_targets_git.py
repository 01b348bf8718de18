"""A branch of a git repository takes the published files: real git, repositories on disk."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from conftest import need
from digest.config import PublishConfig
from digest.model import TargetReport
from digest.targets import publish_to
from target_sites import SITE, files_below, site

BRANCH = "gh-pages"


@pytest.fixture(autouse=True)
def _plain_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Git without the settings of whoever runs the tests, and with its temporary files where they can be counted."""
    need(shutil.which("git"), "needs git (Debian: apt-get install git)")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


def git(folder: Path, *arguments: str, given: str = "") -> str:
    who = {f"GIT_{role}_{what}": "other" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | who,
    )
    return done.stdout.strip()


def repository(folder: Path) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--bare", ".")
    return folder


def publish(repository: Path | str, root: Path, *, title: str = "", **more: object) -> TargetReport:
    target = PublishConfig(name="pages", kind="git", repository=str(repository), **more)  # type: ignore[arg-type]
    return publish_to(target, root, base=root.parent, title=title, author="Reading Group <group@example.org>")


def branch_files(there: Path, branch: str = BRANCH) -> dict[str, bytes]:
    names = git(there, "ls-tree", "-r", "-z", "--name-only", branch).split("\0")
    return {
        name: subprocess.run(
            ["git", "-C", str(there), "cat-file", "blob", f"{branch}:{name}"], capture_output=True, check=True
        ).stdout
        for name in names
        if name
    }


def commits(there: Path, branch: str = BRANCH) -> int:
    return int(git(there, "rev-list", "--count", branch))


def commit_of_another(there: Path, path: str, text: str) -> None:
    """A commit that somebody else puts on the branch, beside what is there."""
    index = {"GIT_INDEX_FILE": str(there / "other-index")}
    blob = git(there, "hash-object", "-w", "--stdin", given=text)
    tip = git(there, "rev-parse", BRANCH)
    for command in (["read-tree", tip], ["update-index", "--add", "--cacheinfo", f"100644,{blob},{path}"]):
        subprocess.run(["git", "-C", str(there), *command], check=True, env=os.environ | index)
    written = subprocess.run(
        ["git", "-C", str(there), "write-tree"],
        check=True,
        env=os.environ | index,
        capture_output=True,
        text=True,
    )
    commit = git(there, "commit-tree", written.stdout.strip(), "-p", tip, "-m", "by hand")
    git(there, "update-ref", f"refs/heads/{BRANCH}", commit)


def hook(there: Path, name: str, script: str) -> None:
    file = there / "hooks" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("#!/bin/sh\n" + textwrap.dedent(script))
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_an_empty_repository_gets_the_branch_with_all_files_in_one_commit(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "my pages.git")
    report = publish(there, root, title="Paper Digest, 19 November 2026, No. 12")
    assert (report.written, report.unchanged, report.error) == (len(SITE), 0, None)
    assert branch_files(there) == {**files_below(root), ".nojekyll": b""}
    assert commits(there) == 1
    assert git(there, "log", "-1", "--format=%an|%ae|%cn|%s", BRANCH) == (
        "Reading Group|group@example.org|Reading Group|Publish Paper Digest, 19 November 2026, No. 12"
    )


def test_only_changed_files_come_in_the_next_commit(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    publish(there, root)
    (root / "rss.xml").write_text("newer")
    (root / "2026/11/20").mkdir()
    (root / "2026/11/20/index.html").write_text("a new day")
    report = publish(there, root)
    assert (report.written, report.unchanged) == (2, len(SITE) - 1)
    assert git(there, "diff", "--name-only", f"{BRANCH}~1", BRANCH).split() == [
        "2026/11/20/index.html",
        "rss.xml",
    ]
    assert commits(there) == 2


def test_without_a_change_there_is_no_commit_and_no_push(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    publish(there, root)
    hook(there, "pre-receive", "exit 1")
    report = publish(there, root)
    assert (report.written, report.unchanged, report.error) == (0, len(SITE), None)
    assert commits(there) == 1


def test_what_others_put_on_the_branch_stays(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    publish(there, root)
    commit_of_another(there, "CNAME", "papers.example.org")
    (root / "rss.xml").write_text("newer")
    assert publish(there, root).error is None
    assert branch_files(there) == {**files_below(root), ".nojekyll": b"", "CNAME": b"papers.example.org"}
    assert commits(there) == 3


def test_nothing_is_deleted_on_the_branch(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    publish(there, root)
    (root / "404.html").unlink()
    (root / "rss.xml").write_text("newer")
    publish(there, root)
    assert branch_files(there)["404.html"] == b"404.html of the site"


def test_other_branches_are_left_alone(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    publish(there, root, branch="main")
    before = git(there, "rev-parse", "main")
    (root / "rss.xml").write_text("newer")
    assert publish(there, root, branch="site/pages").error is None
    assert git(there, "rev-parse", "main") == before
    assert commits(there, "site/pages") == 1


def test_a_push_that_another_overtakes_is_made_again_on_top(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    publish(there, root)
    (root / "rss.xml").write_text("newer")
    # As our push arrives for the first time, another commit lands on the branch before it.
    hook(
        there,
        "pre-receive",
        f"""
        test -e overtaken && exit 0
        touch overtaken
        unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
        new=$(git -c user.name=other -c user.email=o commit-tree {BRANCH}^{{tree}} -p {BRANCH} -m overtaking </dev/null)
        git update-ref refs/heads/{BRANCH} $new
        """,
    )
    report = publish(there, root)
    assert report.error is None
    assert (there / "overtaken").exists()
    assert git(there, "log", "--format=%s", BRANCH).split("\n") == ["Publish", "overtaking", "Publish"]
    assert branch_files(there)["rss.xml"] == b"newer"


def test_a_branch_that_is_never_still_is_given_up_without_force(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    publish(there, root)
    (root / "rss.xml").write_text("newer")
    hook(
        there,
        "pre-receive",
        f"""
        unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
        new=$(git -c user.name=other -c user.email=o commit-tree {BRANCH}^{{tree}} -p {BRANCH} -m overtaking </dev/null)
        git update-ref refs/heads/{BRANCH} $new
        """,
    )
    report = publish(there, root)
    assert report.error and "others wrote to the branch gh-pages 5 times" in report.error
    assert (report.written, report.unchanged) == (0, 0)
    subjects = git(there, "log", "--format=%s", BRANCH).split("\n")
    assert subjects == ["overtaking"] * 5 + ["Publish"]


def test_two_who_publish_at_once_both_arrive(tmp_path: Path) -> None:
    there = repository(tmp_path / "pages.git")
    publish(there, site(tmp_path / "first"))
    program = """
        import sys; from pathlib import Path
        from digest.config import PublishConfig; from digest.targets import publish_to
        root = Path(sys.argv[1])
        target = PublishConfig(name="pages", kind="git", repository=sys.argv[2])
        report = publish_to(target, root, base=root.parent)
        sys.exit(report.error)
    """
    writers = []
    for name in ("one", "two", "three"):
        root = tmp_path / name
        root.mkdir()
        (root / f"{name}.html").write_text(name)
        writers.append(
            subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(program), str(root), str(there)], stderr=-1
            )
        )
    for writer in writers:
        _, said = writer.communicate(timeout=120)
        assert writer.returncode == 0, said.decode()
    assert {"one.html", "two.html", "three.html"} <= set(branch_files(there))
    assert commits(there) == 4


def test_a_push_whose_answer_was_lost_is_not_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    # The program that takes pushes at the far end takes this one and then fails.
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    fake = bin_folder / "git-receive-pack"
    fake.write_text('#!/bin/sh\ngit receive-pack "$@"\nexec kill -9 $PPID\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    report = publish(there, root)
    assert (report.written, report.error) == (len(SITE), None)
    assert commits(there) == 1


def test_a_refused_push_says_what_the_server_said_and_leaves_the_branch(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    hook(there, "pre-receive", "echo 'this branch is protected' >&2; exit 1")
    report = publish(there, root)
    assert report.error and "git push failed" in report.error
    assert "this branch is protected" in report.error or "pre-receive hook declined" in report.error
    assert git(there, "branch") == ""
    (there / "hooks/pre-receive").unlink()
    assert publish(there, root).error is None


def test_a_run_that_is_killed_while_it_pushes_is_completed_by_the_next(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    # The far end kills the whole run as soon as it has the pack, before the branch moves.
    hook(there, "pre-receive", f"kill -9 $(cat {tmp_path}/pid) && exit 1")
    program = """
        import os, sys; from pathlib import Path
        from digest.config import PublishConfig; from digest.targets import publish_to
        Path(sys.argv[3]).write_text(str(os.getpid()))
        target = PublishConfig(name="pages", kind="git", repository=sys.argv[2])
        publish_to(target, Path(sys.argv[1]), base=Path(sys.argv[1]))
    """
    arguments = [str(root), str(there), str(tmp_path / "pid")]
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(program), *arguments], timeout=120)
    assert killed.returncode == -signal.SIGKILL
    (there / "hooks/pre-receive").unlink()
    report = publish(there, root)
    assert (report.written, report.error) == (len(SITE), None)
    assert branch_files(there) == {**files_below(root), ".nojekyll": b""}


def test_links_and_hidden_files_do_not_reach_the_branch(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    (tmp_path / "secret").write_text("key")
    (root / "link.html").symlink_to(tmp_path / "secret")
    (root / ".gitattributes").write_text("* text eol=crlf\n")
    (root / ".gitignore").write_text("*\n")
    (root / "lines.html").write_bytes(b"one\r\ntwo\n")
    assert publish(there, root).error is None
    assert set(branch_files(there)) == {*SITE, ".nojekyll", "lines.html"}
    assert branch_files(there)["lines.html"] == b"one\r\ntwo\n"


def test_a_server_that_can_leave_files_out_is_not_asked_for_them(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    git(there, "config", "uploadpack.allowFilter", "true")
    publish(f"file://{there}", root)
    (root / "rss.xml").write_text("newer")
    commit_of_another(there, "CNAME", "papers.example.org")
    report = publish(f"file://{there}", root)
    assert (report.written, report.error) == (1, None)
    assert branch_files(there) == {**files_below(root), ".nojekyll": b"", "CNAME": b"papers.example.org"}
    assert git(there, "fsck", "--full", "--strict") == ""


def test_nothing_is_left_in_the_folder_for_temporary_files(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    publish(there, root)
    publish(tmp_path / "nowhere.git", root)
    assert list((tmp_path / "temporary").iterdir()) == []
    assert files_below(root).keys() == set(SITE)


@pytest.mark.parametrize(
    "address",
    [
        "https://user:geheim-wort@127.0.0.1:1/pages.git",
        "https://geheim-wort@127.0.0.1:1/pages.git",
        "ssh://user:geheim-wort@127.0.0.1:1/pages.git",
        "http://user:p@geheim-wort@127.0.0.1:1/pages.git",
    ],
)
def test_a_dead_server_is_reported_without_the_key_in_its_address(
    tmp_path: Path, address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        report = publish(address, site(tmp_path / "site"))
    assert report.error and "127.0.0.1" in report.error and "Check repository" in report.error
    assert "git ls-remote failed" in report.error, "nothing else is tried then"
    assert "geheim" not in report.error + caplog.text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("hint: read the manual\\n\\nfatal: no room\\n", "git ls-remote failed (fatal: no room)"),
        ("", "git ls-remote failed (exit code 3)"),
    ],
)
def test_of_what_git_says_the_advice_is_left_out_and_saying_nothing_is_told_by_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, told: str
) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "git"
    program.write_text(
        f"#!/bin/sh\n[ $1 = ls-remote ] || exec {shutil.which('git')} \"$@\"\nprintf '{words}' >&2; exit 3\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    report = publish(tmp_path / "pages.git", site(tmp_path / "site"))
    assert report.error and told in report.error


@pytest.mark.parametrize(
    ("author", "shown"),
    [
        ("Reading Group <group@example.org>", "Reading Group <group@example.org>"),
        ("", "digest <digest@localhost>"),
    ],
)
def test_a_commit_is_by_who_publishes(tmp_path: Path, author: str, shown: str) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    target = PublishConfig(name="pages", kind="git", repository=str(there))
    assert publish_to(target, root, base=tmp_path, author=author).error is None
    assert git(there, "log", "-1", "--format=%an <%ae>/%cn <%ce>", BRANCH) == f"{shown}/{shown}"


def test_an_address_that_names_a_program_does_not_run_it(tmp_path: Path) -> None:
    report = publish(f"ext::touch {tmp_path}/ran", site(tmp_path / "site"))
    assert report.error
    assert not (tmp_path / "ran").exists()


def test_an_address_that_looks_like_an_option_is_none(tmp_path: Path) -> None:
    report = publish(f"--upload-pack=touch {tmp_path}/ran", site(tmp_path / "site"))
    assert report.error
    assert not (tmp_path / "ran").exists()


def test_a_server_that_hangs_costs_no_more_than_its_time(tmp_path: Path) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    hook(there, "pre-receive", f"echo $$ > {tmp_path}/hanging; exec sleep 600")
    report = publish(there, root, timeout_s=3.0)
    assert report.error and "within 3 s" in report.error
    hanging = tmp_path / "hanging"
    if hanging.exists():  # it went with us, and does not hang on
        assert _has_ended(int(hanging.read_text()))


def _has_ended(pid: int) -> bool:
    """Whether a process ends within ten seconds; one that only waits to be collected has."""
    for _ in range(1_000):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_a_server_that_wants_a_login_is_not_waited_for(tmp_path: Path, httpserver: HTTPServer) -> None:
    refused = Response("who are you?", status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
    httpserver.expect_request(re.compile(".*")).respond_with_response(refused)
    root = site(tmp_path / "site")
    report = publish(httpserver.url_for("/pages.git"), root)
    assert report.error and "could not read Username" in report.error
    address = httpserver.url_for("/pages.git").replace("://", "://user:geheim-wort@")
    report = publish(address, root)
    assert report.error and "Authentication failed" in report.error
    assert "geheim" not in report.error


def test_settings_of_a_hook_that_starts_us_do_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, there = site(tmp_path / "site"), repository(tmp_path / "pages.git")
    other = repository(tmp_path / "other.git")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    report = publish(there, root)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name)
    assert report.error is None
    assert commits(there) == 1
    assert not (other / "index").exists()
