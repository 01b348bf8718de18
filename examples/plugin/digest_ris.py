"""RIS files, as reference managers and publishers export them: two letters, two blanks, a hyphen, a value."""

from __future__ import annotations

import re
from collections.abc import Iterator

from digest.sources.kit import (
    Listing,
    ListingChanged,
    Raw,
    Reading,
    finish,
    unicode_text,
)

_FIELD = re.compile(r"([A-Z][A-Z0-9])  - ?(.*)")


def recognises(listing: Listing) -> bool:
    """Asked for kind = "auto", after every kind that is built in has said no. Cheap: a look at the beginning is enough."""
    return re.match(rb"(?:\xef\xbb\xbf)?\s*TY  - [A-Z]", listing.body[:200]) is not None


def read(listing: Listing) -> Reading:
    """Papers in the order of the file, each once. Raises ListingChanged for a file without a single record."""
    notes: list[str] = []
    records = list(_records(unicode_text(listing), notes))
    if not records:
        raise ListingChanged(
            f"{listing.location}: no RIS record (TY to ER) in it. Export the list again as RIS.",
            url=listing.location,
        )
    # finish() cleans the texts, finds links, keys the papers and leaves out repeats; what it leaves out it says in the notes.
    return Reading(kind="ris", papers=finish(map(_raw, records), notes), notes=tuple(notes))


Record = dict[str, list[str]]


def _records(text: str, notes: list[str]) -> Iterator[Record]:
    """From TY to ER; other lines continue the value before them. A record that never ends is not whole, and is left out."""
    record: Record | None = None
    values: list[str] = []
    for line in text.splitlines():
        found = _FIELD.fullmatch(line.rstrip())
        if found is None:
            if values and line.strip():
                values[-1] += f" {line.strip()}"
        elif found[1] == "TY":
            record, values = {}, []
        elif found[1] == "ER":
            if record is not None:
                yield record
            record, values = None, []
        elif record is not None:
            values = record.setdefault(found[1], [])
            values.append(found[2])
    if record is not None:
        # A note that begins with "truncated" makes the outcome "suspect": the operator is told, and nobody gets half a paper.
        notes.append("truncated: the file ends inside a record, which was left out")


def _raw(record: Record) -> Raw:
    """Strings as they stand in the file: nothing is cleaned here, an absent fact stays absent."""
    return Raw(
        title=_first(record, "TI", "T1"),
        abstract=_first(record, "AB", "N2"),
        authors=[_name(name) for name in record.get("AU", []) + record.get("A1", [])],
        # In any spelling, also as addresses; what is no such id is left out.
        ids={"doi": _first(record, "DO"), "arxiv": _first(record, "UR")},
        published=_day(_first(record, "DA", "PY", "Y1")),
        categories=record.get("KW", []),
        links={"abstract": _first(record, "UR"), "pdf": _first(record, "L1")},
    )


def _first(record: Record, *tags: str) -> str:
    return next((value for tag in tags for value in record.get(tag, []) if value), "")


def _name(name: str) -> str:
    """`Lindal, Mara` → `Mara Lindal`."""
    family, comma, given = name.partition(",")
    return f"{given.strip()} {family.strip()}" if comma and given.strip() else name


def _day(text: str) -> str | None:
    """`2026/03/09/` → `2026-03-09`. A date without its day is none: half a date would be a guess."""
    found = re.match(r"(\d{4})/(\d{2})/(\d{2})", text)
    return "-".join(found.groups()) if found else None
