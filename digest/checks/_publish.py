"""What is wrong with the places that published files are copied to, and with the hub that is told of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import SplitResult

from digest.checks._forms import has_home, name_problems, web_address
from digest.config import PublishConfig

# The keys of each kind: first the one that must be there, with an example.
_KEYS = {
    "folder": {"path": "/srv/www/papers"},
    "git": {"repository": "git@github.com:user/papers.git", "branch": ""},
    "rsync": {"destination": "user@www.example.org:/srv/www/papers/"},
    "s3": {
        "bucket": "papers",
        "prefix": "",
        "endpoint": "",
        "region": "",
        "access_key": "",
        "secret_key": "",
    },
}


def publish_problems(targets: Sequence[PublishConfig]) -> list[str]:
    """One message for each fault of the [[publish]] tables: table, key and mend."""
    found = [f"[[publish]] {problem}" for problem in name_problems([target.name for target in targets])]
    for target in targets:
        found += [f'[[publish]] "{target.name}": {problem}' for problem in _problems(target)]
    return found


def hub_problems(hub: str) -> list[str]:
    """What is wrong with site.hub; nothing where there is none."""
    parts = _written(hub)
    if not hub or (parts is not None and parts.username is None and not parts.fragment):
        return []
    return [
        '[site]: "hub" is no http or https address of a hub. Write hub = "https://hub.example.org/", or leave it out.'
    ]


def _problems(target: PublishConfig) -> list[str]:
    keys = _KEYS[target.kind]
    main, example = next(iter(keys.items()))
    place = getattr(target, main)
    found = []
    if not place.strip():
        found.append(f'kind "{target.kind}" and no "{main}". Add {main} = "{example}".')
    elif place.startswith("-") or re.search(r"[\x00-\x1f\x7f]", place) or not has_home(place):
        shown = re.sub("//.*@", "//…@", place)
        found.append(f'"{main}" is {shown!r}, a place that cannot be. Write {main} = "{example}".')
    plain = PublishConfig(name="", kind=target.kind)
    found += [
        f'"{key}" is of kind "{kind}", and this is "{target.kind}". Take it out, or write kind = "{kind}".'
        for kind, others in _KEYS.items()
        for key in others
        if key not in keys and getattr(target, key) != getattr(plain, key)
    ]
    if not 1 <= target.timeout_s <= 86_400:
        found.append(f'"timeout_s" is {target.timeout_s}. Write seconds from 1 to 86400.')
    return found + (_git_problems(target) if target.kind == "git" else []) + _s3_problems(target)


def _git_problems(target: PublishConfig) -> list[str]:
    found = []
    # Of what git check-ref-format takes, the part that nobody mistakes for something else.
    branch = target.branch
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*", branch) or re.search(
        r"\.\.|\.lock(/|$)|\.(/|$)", branch
    ):
        found.append(f'"branch" is {branch!r}. Write branch = "gh-pages".')
    if re.match(r"[A-Za-z0-9]+::", target.repository):
        found.append(
            '"repository" names a helper program ("…::"), which is not run. Write an address of https, ssh or a path.'
        )
    return found


def _s3_problems(target: PublishConfig) -> list[str]:
    if target.kind != "s3":
        return []
    found = []
    if target.bucket and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", target.bucket):
        found.append(f'"bucket" is {target.bucket!r}, which is no name of one. Write bucket = "papers".')
    parts = _written(target.endpoint)
    if target.endpoint and (parts is None or parts.username is not None or parts.query or parts.fragment):
        found.append(
            '"endpoint" is no http or https address. Write endpoint = "https://s3.example.org", or none for Amazon.'
        )
    if re.search(r"[\x00-\x1f\x7f\\]|(^|/)\.{0,2}/|(^|/)\.{1,2}$", target.prefix.strip("/")):
        found.append(f'"prefix" is {target.prefix!r}. Write the folder in the bucket, prefix = "papers/".')
    # Not the other way round: a file that is shown to others leaves the secret to the environment.
    if target.secret_key and not target.access_key:
        found.append(
            'a "secret_key" and no "access_key". Add access_key = "…", or leave both to the environment.'
        )
    return found


def _written(url: str) -> SplitResult | None:
    """The parts of a web address without white space."""
    return None if re.search(r"[\s\x00-\x1f]", url) else web_address(url)
