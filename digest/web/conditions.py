"""What a request for a file asks: with gzip or without, and under which conditions (RFC 9110, 12.5.3 and 13). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal

from msgspec import Struct

_TAG = re.compile(r'(W/)?("[^"]*")')
_CONDITIONS = frozenset({b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"})


class Asked(Struct, frozen=True):
    """None: no such condition. A list of tags may be "*"; dates are seconds since 1970."""

    gzip: bool = False
    match: str | None = None
    none_match: str | None = None
    modified_since: float | None = None
    unmodified_since: float | None = None


def read_asked(headers: Iterable[tuple[bytes, bytes]]) -> Asked:
    """Of headers with names in lower case. A date that is none is as good as absent."""
    found: dict[bytes, list[str]] = {}
    for name, value in headers:
        if name in _CONDITIONS or name == b"accept-encoding":
            found.setdefault(name, []).append(value.decode("latin-1").strip())
    if not found:
        return Asked()
    return Asked(
        gzip=_takes_gzip(", ".join(found.get(b"accept-encoding", ()))),
        match=_joined(found.get(b"if-match")),
        none_match=_joined(found.get(b"if-none-match")),
        modified_since=_seconds(found.get(b"if-modified-since")),
        unmodified_since=_seconds(found.get(b"if-unmodified-since")),
    )


def outcome(asked: Asked, etag: str, modified: int) -> Literal[200, 304, 412]:
    """What becomes of a GET or HEAD of something with this strong ETag, last modified then (RFC 9110, 13.2.2)."""
    if asked.match is not None:
        if not names_tag(asked.match, etag, weakly=False):
            return 412
    elif asked.unmodified_since is not None and modified > asked.unmodified_since:
        return 412
    if asked.none_match is not None:
        return 304 if names_tag(asked.none_match, etag, weakly=True) else 200
    if asked.modified_since is not None and modified <= asked.modified_since:
        return 304
    return 200


def _joined(values: list[str] | None) -> str | None:
    return None if values is None else ", ".join(values)


def names_tag(tags: str, etag: str, *, weakly: bool) -> bool:
    """Does a list of tags name this one? (RFC 9110, 8.8.3.2: by the strong or the weak comparison)"""
    if tags == "*":
        return True
    return any(tag == etag and (weakly or not weak) for weak, tag in _TAG.findall(tags))


def _seconds(values: list[str] | None) -> float | None:
    if values is None or len(values) != 1:
        return None
    try:
        found = parsedate_to_datetime(values[0])
        # Without a zone it is what HTTP knows alone: GMT.
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _takes_gzip(text: str) -> bool:
    """Is gzip welcome, and no less than the bytes as they are?"""
    weights: dict[str, float] = {}
    for part in text.lower().split(","):
        coding, _, parameters = part.partition(";")
        weights[coding.strip()] = _weight(parameters)
    anything = weights.get("*", 0.0)
    gzip = weights.get("gzip", weights.get("x-gzip", anything))
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def _weight(parameters: str) -> float:
    found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*", parameters)
    if found is None:
        # No weight is the full one; one that is none asks for nothing that could be given.
        return 0.0 if parameters.strip() else 1.0
    return min(float(found[1]), 1.0)
