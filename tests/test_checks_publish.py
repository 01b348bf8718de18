"""A [[publish]] table or a hub that makes no sense is told before anything runs, with its mend and without its keys."""

from __future__ import annotations

import pytest

from digest.checks._publish import _KEYS, hub_problems, publish_problems
from digest.config import PublishConfig
from digest.targets import KINDS
from documents import read


def problem(**keys: object) -> str:
    """The one problem of one target; "" where there is none."""
    found = publish_problems([PublishConfig(**({"name": "x"} | keys))])  # type: ignore[arg-type]
    assert len(found) < 2, found
    return "".join(found)


@pytest.mark.parametrize(
    "keys",
    [
        {"kind": "folder", "path": "/srv/www"},
        {"kind": "folder", "path": "../with spaces/größe"},
        {"kind": "git", "repository": "git@github.com:user/papers.git"},
        {"kind": "git", "repository": "https://github.com/user/papers.git", "branch": "site/pages-1.0"},
        {"kind": "git", "repository": "../papers.git", "branch": "main"},
        {"kind": "rsync", "destination": "user@www.example.org:/srv/www/papers/"},
        {"kind": "rsync", "destination": "/mnt/www"},
        {"kind": "s3", "bucket": "papers"},
        {"kind": "s3", "bucket": "papers", "access_key": "its secret is in the environment"},
        {"kind": "s3", "bucket": "papers", "endpoint": "http://127.0.0.1:9000", "prefix": "daily/papers/"},
        {
            "kind": "s3",
            "bucket": "papers",
            "prefix": "/daily/",
            "access_key": "a",
            "secret_key": "b",
            "region": "auto",
        },
    ],
)
def test_what_makes_sense_is_no_problem(keys: dict[str, object]) -> None:
    assert problem(**keys) == ""


def test_each_kind_has_its_keys_and_each_key_its_kind() -> None:
    assert set(_KEYS) == set(KINDS), "checks/_publish.py: _KEYS has the keys of each kind"
    own = {key for keys in _KEYS.values() for key in keys}
    assert own | {"name", "kind", "enabled", "timeout_s"} == {*PublishConfig.__struct_fields__}, (
        "checks/_publish.py: _KEYS says of each key of PublishConfig which kind it is of"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_explained(kind: str) -> None:
    assert f'kind = "{kind}"' in read("docs/publishing.md"), f"docs/publishing.md: an example of {kind}"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_needs_to_know_where(kind: str) -> None:
    said = problem(kind=kind)
    key = next(iter(_KEYS[kind]))
    assert f'kind "{kind}" and no "{key}"' in said
    assert f'Add {key} = "' in said
    assert said.startswith('[[publish]] "x": ')


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"kind": "folder", "path": "a", "bucket": "papers"}, '"bucket" is of kind "s3"'),
        ({"kind": "s3", "bucket": "papers", "path": "a"}, '"path" is of kind "folder"'),
        ({"kind": "rsync", "destination": "a", "branch": "main"}, '"branch" is of kind "git"'),
        ({"kind": "folder", "path": "a\0b"}, '"path" is'),
        ({"kind": "folder", "path": "~nobody-of-this-name/www"}, '"path" is'),
        ({"kind": "rsync", "destination": "--rsh=touch ran"}, '"destination" is'),
        ({"kind": "git", "repository": "--upload-pack=x"}, '"repository" is'),
        ({"kind": "git", "repository": "ext::touch ran"}, "helper program"),
        ({"kind": "s3", "bucket": "a/../b"}, '"bucket" is'),
        ({"kind": "s3", "bucket": "papers", "endpoint": "s3.example.org"}, '"endpoint" is no'),
        ({"kind": "s3", "bucket": "papers", "endpoint": "http://[::1"}, '"endpoint" is no'),
        ({"kind": "s3", "bucket": "papers", "secret_key": "k"}, 'Add access_key = "…"'),
        ({"kind": "folder", "path": "a", "timeout_s": 0.0}, '"timeout_s" is 0.0'),
        ({"kind": "folder", "path": "a", "timeout_s": float("nan")}, '"timeout_s" is nan'),
        ({"kind": "folder", "path": "a", "name": "a b"}, "'a b': a name is"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_mend(keys: dict[str, object], said: str) -> None:
    assert said in problem(**keys)


@pytest.mark.parametrize(
    "branch",
    [
        "",
        "-f",
        "a b",
        "a..b",
        "a.lock",
        "/a",
        "a/",
        "a//b",
        "HEAD~1",
        "a:b",
        "+a",
        "a@{1}",
        ".a",
        "a.",
        "a/.b",
    ],
)
def test_a_branch_that_git_would_read_otherwise_is_refused(branch: str) -> None:
    assert '"branch" is' in problem(kind="git", repository="a", branch=branch)


@pytest.mark.parametrize("prefix", ["../x", "a/../b", "a//b", "a\nb", "./a", "a\\b", ".."])
def test_a_prefix_that_browsers_would_read_otherwise_is_refused(prefix: str) -> None:
    assert '"prefix" is' in problem(kind="s3", bucket="papers", prefix=prefix)


def test_two_targets_have_two_names() -> None:
    target = PublishConfig(name="www", kind="folder", path="a")
    assert publish_problems([target, target]) == [
        '[[publish]] "www": "name" is used twice. Give each its own.'
    ]
    assert publish_problems([]) == []


@pytest.mark.parametrize("hub", ["", "https://hub.example.org/", "http://127.0.0.1:8080/hub?site=1"])
def test_a_hub_or_none_is_no_problem(hub: str) -> None:
    assert hub_problems(hub) == []


@pytest.mark.parametrize(
    "hub",
    [
        "hub.example.org",
        "ftp://hub.example.org/",
        "https://",
        "https://user:key@hub.example.org/",
        "http://h/#x",
        "http://a b/",
    ],
)
def test_what_is_no_hub_is_told_without_its_keys(hub: str) -> None:
    [said] = hub_problems(hub)
    assert "[site]" in said
    assert "key" not in said


def test_no_problem_shows_a_key() -> None:
    keys = {
        "access_key": "geheim-1",
        "secret_key": "geheim-2",
        "prefix": "..",
        "endpoint": "x",
        "timeout_s": 0.0,
    }
    target = PublishConfig(name="x", kind="s3", **keys)  # type: ignore[arg-type]
    login = PublishConfig(
        name="y", kind="git", repository="https://u:geheim-3@git.example.org/\n", branch="a b"
    )
    found = publish_problems([target, login])
    assert len(found) == 6
    assert "geheim" not in "".join(found)
