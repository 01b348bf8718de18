"""Kinds of listing by third parties: the entry points of the group `digest.sources` (examples/plugin shows one).

An entry point's name is a kind, its value a module or object with `read(listing) -> Reading` and, where `auto` may ask it,
`recognises(listing) -> bool`. This is the door to foreign code: whatever it does, the other sources are read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import (
    EntryPoint,
    entry_points,
)  # slow: import this module only where a kind is not built in
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from digest.errors import ParseError
from digest.identity import is_web_address
from digest.model import Listing, Paper, Reading
from digest.sources._paper import Raw, finish

GROUP = "digest.sources"
log = logging.getLogger(__name__)
_T = TypeVar("_T")


@cache
def kinds() -> dict[str, list[str]]:
    """The packages that give each kind, by its name; more than one is a clash. None of their code is loaded."""
    return {kind: sorted(map(_package, found)) for kind, found in sorted(_entries().items())}


def read(listing: Listing, kind: str) -> Reading:
    """The reading of a third party's kind, held to the promises of our own: papers cleaned, keyed, unique, at most 5,000.

    Raises ParseError that names the package for one that cannot be loaded, fails, or gives something else than a Reading.
    """
    entry = _entry(kind, listing.location)
    reader = _loaded(entry, listing.location)
    reading = _asked(entry, listing.location, "failed", lambda: reader.read(listing))
    if not isinstance(reading, Reading):
        raise _fault(
            entry, listing.location, f"gave {type(reading).__name__} in place of digest.model.Reading"
        )
    return _asked(entry, listing.location, "gave a Reading that cannot be used", lambda: _held(reading, kind))


def recognise(listing: Listing, *, built_in: frozenset[str]) -> tuple[str, list[str]]:
    """The first kind, by name, that says this page is its own, or ""; and what is wrong with those that could not be asked."""
    faults: list[str] = []
    for kind in kinds():
        if kind in built_in:
            continue
        try:
            entry = _entry(kind, listing.location)
            reader = _loaded(entry, listing.location)
            if _asked(entry, listing.location, "failed", partial(_recognises, reader, listing)):
                return kind, faults
        except ParseError as error:
            faults.append(str(error).removeprefix(f"{listing.location}: "))
    return "", faults


def described(kind: str) -> str:
    """What a kind reads: the first line of its docstring. Raises ParseError, as `read`."""
    entry = _entry(kind, kind)
    reader = _loaded(entry, kind)
    doc = _asked(entry, kind, "failed", lambda: str(getattr(reader, "__doc__", None) or ""))
    return next(iter(doc.strip().splitlines()), "(its package does not say)")


def _recognises(reader: Any, listing: Listing) -> bool:
    ask = getattr(reader, "recognises", None)
    return bool(ask(listing)) if ask is not None else False


# --- entry points


@cache
def _entries() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, []).append(entry)
    return found


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _entry(kind: str, location: str) -> EntryPoint:
    found = _entries().get(kind, [])
    if not found:
        raise ParseError(f'{location}: no kind "{kind}". See `digest sources list --kinds`.', url=location)
    if len(found) > 1:
        packages = ", ".join(kinds()[kind])
        raise ParseError(
            f'{location}: the kind "{kind}" is given by several packages: {packages}. Uninstall all but one.',
            url=location,
        )
    return found[0]


def _loaded(entry: EntryPoint, location: str) -> Any:
    reader = _asked(entry, location, "cannot be loaded", entry.load)
    if not callable(getattr(reader, "read", None)):
        raise _fault(entry, location, f"has no function read(listing) in {entry.value}")
    return reader


def _asked(entry: EntryPoint, location: str, what: str, call: Callable[[], _T]) -> _T:
    """What foreign code answers. Its own ParseError is its word about the page; everything else is its fault, told by name."""
    try:
        return call()
    except ParseError:
        raise
    # The one broad catch below the doors. What a third party's code raises nobody can list, and one broken kind must not keep
    # the other sources from being read; SystemExit too, since an import or a library in it may call sys.exit().
    except (Exception, SystemExit) as error:
        log.debug("%s", location, exc_info=True)
        raise _fault(entry, location, f"{what} ({type(error).__name__}: {str(error)[:200]})") from error


def _fault(entry: EntryPoint, location: str, what: str) -> ParseError:
    return ParseError(
        f'{location}: the kind "{entry.name}" of the package {_package(entry)} {what}. '
        "Update or uninstall that package, or tell its authors; -v shows more.",
        url=location,
    )


# --- what comes back


def _held(reading: Reading, kind: str) -> Reading:
    """The reading with every field of its type, and its papers finished as those of our own kinds."""
    reading = msgspec.json.decode(msgspec.json.encode(reading), type=Reading)
    notes = list(reading.notes)
    papers = finish((_raw(paper) for paper in reading.papers), notes, trusted_ids=False)
    return structs.replace(
        reading,
        kind=kind,
        papers=papers,
        empty=reading.empty and not papers,
        next_url=reading.next_url if is_web_address(reading.next_url) else "",
        notes=tuple(notes),
    )


def _raw(paper: Paper) -> Raw:
    same = {name: getattr(paper, name) for name in {*Raw.__struct_fields__} & {*Paper.__struct_fields__}}
    lists = {name: list(same[name]) for name in ("authors", "categories", "tags")}
    return Raw(**(same | lists), source=paper.source_text)
