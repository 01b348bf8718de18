"""The forms of what is asked for in several tables: names, web and mail addresses, networks, paths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from digest.addresses import ascii_domain
from digest.config import SearchConfig, TopicConfig
from digest.patterns import late

_NAME = late(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def repeated(texts: Sequence[str]) -> list[str]:
    """Those that stand there more than once, each once, in alphabetical order."""
    return sorted({text for text in texts if texts.count(text) > 1})


def name_problems(names: Sequence[str]) -> list[str]:
    """Names that two of a kind have, and those that are none."""
    found = [f'"{name}": "name" is used twice. Give each its own.' for name in repeated(names)]
    found += [
        f"{name!r}: a name is letters, digits, ., _ and -, at most 64."
        for name in names
        if not _NAME.fullmatch(name)
    ]
    return found


def label_problems(kind: str, items: Sequence[TopicConfig | SearchConfig], mend: str) -> list[str]:
    """Names and slugs that two "topics" or "searches" have; `mend` is that of a name."""
    names = repeated([item.name.strip().casefold() for item in items])
    slugs = repeated([item.slug for item in items if item.slug])
    return [
        *(f'"{kind}" has "{name}" twice. {mend}' for name in names),
        *(f'two {kind} have slug = "{slug}". Give each its own, or none.' for slug in slugs),
    ]


def form_problems(kind: str, item: TopicConfig | SearchConfig) -> list[str]:
    """Of one "topic" or "search": a slug that no address may have, and control letters in its name."""
    found = []
    if item.slug and not re.fullmatch(r"[a-z0-9-]{1,60}", item.slug):
        found.append(
            f'{kind} "{item.name}": slug = "{item.slug}". Write a-z, 0-9 and hyphens only, at most 60.'
        )
    if re.search(r"[\x00-\x1f\x7f]", item.name):
        found.append(f'{kind} {item.name!r}: its "name" has a control letter. Take it out.')
    return found


def web_address(url: str) -> SplitResult | None:
    """The parts of an http or https address of a host; None for anything else."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # of a bracket, a port
        return None
    return parts if usable else None


def can_send(address: str) -> bool:
    """One mail address whose local part every server takes, at a domain that can exist?"""
    local, _, domain = address.rpartition("@")
    return bool(re.fullmatch(r"[!-;=?A-~]+", local)) and "@" not in local and ascii_domain(domain) is not None


def network_problems(what: str, texts: Sequence[str]) -> list[str]:
    """Of a list of networks, those that are no address and no network, of IPv4 or IPv6."""
    return [
        f'{what} has {text!r}, which is no address or network. Write "127.0.0.1" or "10.0.0.0/8".'
        for text in texts
        if not _is_network(text)
    ]


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def has_home(path: str) -> bool:
    """Not `~user` of a user who is unknown here?"""
    try:
        Path(path).expanduser()
    except RuntimeError:
        return False
    return True
