"""A branch of a git repository, as GitHub Pages and its like serve it: one commit for a publication, never by force.

Nothing is checked out: a repository in a temporary folder takes the last commit of the branch (where the server can, without
the files), the new tree is made from the published folder, and pushed. The branch is all the state there is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from email.utils import parseaddr
from pathlib import Path
from tempfile import TemporaryDirectory

from digest.errors import PublishError
from digest.targets.commands import Ran, run
from digest.targets.errand import Errand, is_elsewhere, local_path

_TRIES = 5
_NO_JEKYLL = ".nojekyll"
_ADVICE = re.compile("hint:|To |Please make sure you have|and the repository exists")
# What would have git look at another repository than ours, were we started by a hook of one.
_INHERITED = re.compile(
    r"GIT_(DIR|WORK_TREE|INDEX_FILE|PREFIX|OBJECT_DIRECTORY|ALTERNATE_OBJECT_DIRECTORIES|COMMON_DIR|NAMESPACE"
    r"|SHALLOW_FILE|GRAFT_FILE|CONFIG|CONFIG_(PARAMETERS|COUNT|KEY_\d+|VALUE_\d+)|TRACE\w*|CURL_VERBOSE)"
)


def send(errand: Errand) -> Iterator[bool]:
    """For each file whether it is new on the branch; all come in one commit. Without a new one there is no commit."""
    with TemporaryDirectory(prefix="digest-git-") as folder:
        yield from _Branch(errand, Path(folder)).publish()


class _Branch:
    def __init__(self, errand: Errand, folder: Path) -> None:
        self._errand, self._folder = errand, folder
        self._ref = f"refs/heads/{errand.target.branch}"
        self._env = _environment(errand, folder)

    def publish(self) -> list[bool]:
        self._git("init", "--quiet", "--bare", "--template=", ".")
        tip = self._tip()
        for _ in range(_TRIES):
            changed, commit = self._commit(tip)
            if not commit:
                return changed
            # Not thin: a difference to a file that was left out would have to be asked for first.
            pushed = self._git("push", "--quiet", "--no-thin", "there", f"{commit}:{self._ref}", fails=True)
            if pushed.code == 0:
                return changed
            # Somebody was faster, or the answer was lost on the way: the branch itself says which. If it is where it was,
            # another try would end the same way.
            moved = self._tip()
            if moved == commit:
                return changed
            if moved == tip:
                raise self._failed("push", pushed)
            tip = moved
        raise PublishError(
            f"{self._where}: others wrote to the branch {self._errand.target.branch} {_TRIES} times while this was being "
            "pushed. The next run tries again; or give this target a branch of its own."
        )

    @property
    def _where(self) -> str:
        return self._errand.target.repository

    def _tip(self) -> str:
        """The last commit of the branch as the repository has it now; "" where there is no such branch yet."""
        if not self._git("ls-remote", "there", self._ref).out:
            return ""
        # A commit and its folders; the files come along only from servers that cannot leave them out.
        self._git("fetch", "--quiet", "--no-tags", "--depth=1", "--filter=blob:none", "there", self._ref)
        return self._git("rev-parse", "FETCH_HEAD").out.decode().strip()

    def _commit(self, tip: str) -> tuple[list[bool], str]:
        """Which files differ from those of `tip`, and a commit on it with them all; "" where none does."""
        there = self._tree(tip)
        here = self._blobs([path for step in self._errand.steps for path in step])
        changed = [there.get(path) != blob for path, blob in here.items()]
        new = self._blobs([path for path, blob in here.items() if there.get(path) != blob], "-w")
        if _NO_JEKYLL not in there:
            new[_NO_JEKYLL] = self._git("hash-object", "-w", "--stdin").out.decode().strip()
        if not new:
            return changed, ""
        self._git("read-tree", *([tip] if tip else ["--empty"]))
        lines = b"".join(f"100644 {blob}\t{path}".encode() + b"\0" for path, blob in new.items())
        self._git("update-index", "-z", "--index-info", given=lines)
        tree = self._git("write-tree", "--missing-ok").out.decode().strip()
        parent = ["-p", tip] if tip else []
        message = f"Publish {self._errand.title}".strip()
        commit = (
            self._git("commit-tree", tree, *parent, "-F", "-", given=message.encode()).out.decode().strip()
        )
        return changed, commit

    def _tree(self, tip: str) -> dict[str, str]:
        """The files of a commit: their object names by path."""
        if not tip:
            return {}
        found = {}
        for line in self._git("ls-tree", "-r", "-z", tip).out.split(b"\0"):
            about, _, path = line.partition(b"\t")
            if about.startswith(b"100644 "):
                found[path.decode(errors="replace")] = about.split()[2].decode()
        return found

    def _blobs(self, paths: Sequence[str], *options: str) -> dict[str, str]:
        """The object names of files to publish, by path; with "-w" they are in the repository after this."""
        # "./" before a name: one that begins with a quotation mark would be read as a quoted one.
        lines = "".join(f"./{path}\n" for path in paths).encode()
        names = self._git(
            "hash-object", *options, "--no-filters", "--stdin-paths", given=lines, cwd=self._errand.root
        )
        return dict(zip(paths, names.out.decode().split(), strict=True))

    def _git(self, *arguments: str, given: bytes = b"", fails: bool = False, cwd: Path | None = None) -> Ran:
        ran = run(self._errand, ["git", *arguments], env=self._env, cwd=cwd or self._folder, given=given)
        if ran.code != 0 and not fails:
            raise self._failed(arguments[0], ran)
        return ran

    def _failed(self, verb: str, ran: Ran) -> PublishError:
        lines = [line.strip() for line in ran.err.splitlines() if line.strip() and not _ADVICE.match(line)]
        reason = " / ".join(lines[:4]) or f"exit code {ran.code}"
        return PublishError(
            f"{self._where}: git {verb} failed ({reason}). Check repository and branch, and that `git push` there works "
            "for this user without a question (docs/publishing.md)."
        )


def _environment(errand: Errand, folder: Path) -> dict[str, str]:
    """What git is told of the repository, the remote and us. Its own helpers and ssh know the credentials; nobody is asked."""
    repository = errand.target.repository
    if not is_elsewhere(repository):
        repository = str(local_path(errand, repository))
    name, address = parseaddr(errand.author)
    settings = {
        "remote.there.url": repository,
        # Nothing of this repository is to last.
        "core.fsync": "none",
        "gc.auto": "0",
        "maintenance.auto": "false",
        "core.hooksPath": os.devnull,
    }
    env = {key: value for key, value in os.environ.items() if not _INHERITED.fullmatch(key)}
    for number, (key, value) in enumerate(settings.items()):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return env | {
        "GIT_CONFIG_COUNT": str(len(settings)),
        "GIT_DIR": str(folder),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        # Not ext::, by which an address would run any command.
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_AUTHOR_NAME": name or "digest",
        "GIT_AUTHOR_EMAIL": address or "digest@localhost",
        "GIT_COMMITTER_NAME": name or "digest",
        "GIT_COMMITTER_EMAIL": address or "digest@localhost",
        "LC_ALL": "C.UTF-8",
        "LANGUAGE": "C",
    }
