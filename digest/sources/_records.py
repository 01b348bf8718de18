"""What index services have in common: JSON of whatever shape their answers and dumps have → records; and their next page.

Values come from outside: each function here takes any JSON value, and gives what is in it or nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from itertools import islice
from typing import Any, NoReturn
from urllib.parse import quote

import msgspec

from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources._bytes import refused, unicode_text
from digest.sources._paper import MAX_ENTRIES, Raw, finish, plural

Json = dict[str, Any]

MAX_NAMES = 10_000
MAX_NUMBER = 10**30
MAX_COUNT = 10**15
_BROKEN = (msgspec.DecodeError, ValueError, RecursionError)
_SPACE = late(r"\s*")
_SEPARATOR = late(r"[\s,]*")


# --- the document


def load(listing: Listing, notes: list[str], *names: str) -> object:
    """The JSON value of a page; of JSON lines, and of a document that breaks off in its list, the list of the whole entries.

    `names` are the keys under which a document of this kind has its list. Raises ParseError for what is no JSON, and for a
    document that breaks off before its first whole entry.
    """
    text = unicode_text(listing).lstrip("\ufeff \t\r\n")
    try:
        return msgspec.json.decode(text)
    except _BROKEN:
        pass
    try:
        return json.loads(text)  # takes lone surrogates, which msgspec refuses
    except RecursionError:
        raise refused(
            listing, "the JSON is nested too deep to be a list of papers", "Fetch it again."
        ) from None
    except ValueError as error:
        fault = str(error)
    lines = _lines(text, notes)
    if lines:
        return lines
    opening = re.match(r"\[", text) or (names and re.search(rf'"(?:{"|".join(names)})"\s*:\s*\[', text))
    entries = list(islice(_whole(text, opening.end()), MAX_ENTRIES + 1)) if opening else []
    if not entries:
        raise refused(listing, f"broken JSON ({fault})", "Fetch it again.")
    notes.append(
        f"truncated: the JSON breaks off after {plural(len(entries), 'whole entry', 'whole entries')}"
    )
    return entries


def _whole(text: str, at: int) -> Iterator[object]:
    decoder = json.JSONDecoder()
    while at < len(text):
        found = _SEPARATOR.match(text, at)
        try:
            entry, at = decoder.raw_decode(text, found.end() if found else at)
        except (ValueError, RecursionError):
            return
        yield entry


def _lines(text: str, notes: list[str]) -> list[object]:
    """The values of JSON lines, one object a line. Empty where the first line is none."""
    values: list[object] = []
    broken: list[int] = []
    first = text.partition("\n")[0].rstrip()
    if not (first.startswith("{") and first.endswith("}")):
        return []
    for number, line in enumerate(text.split("\n")):
        if not line.strip():
            continue
        if len(values) > MAX_ENTRIES:
            return values
        try:
            values.append(msgspec.json.decode(line))
        except _BROKEN:
            if not values:
                return []
            broken.append(number)
    if broken == [text.rstrip("\n").count("\n")]:
        notes.append(
            f"truncated: the last line breaks off after {plural(len(values), 'whole line', 'whole lines')}"
        )
    elif broken:
        notes.append(
            f"{plural(len(broken), 'line', 'lines')} of {len(values) + len(broken)} left out: no JSON"
        )
    return values


def refuse_message(data: object, listing: Listing, service: str) -> None:
    """Raises ParseError for an answer that holds an error message and nothing else."""
    if not isinstance(data, dict):
        return
    for name in ("error", "errors", "message", "detail"):
        if said := _message(data.get(name)):
            raise refused(
                listing,
                f"{service} answers with an error: {said[:300]}",
                "Check the address, or ask again later.",
            )


def refuse_other(data: object, listing: Listing, service: str, mend: str) -> NoReturn:
    """Raises ParseError for JSON that is no answer of a service: with the error message in it, if it holds one."""
    refuse_message(data, listing, service)
    raise refused(listing, f"this JSON is no answer of {service}", mend)


def _message(value: object) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = next((value[name] for name in ("message", "title", "detail", "text") if value.get(name)), "")
    return value if isinstance(value, str) else ""


# --- values


def scalar(value: object) -> object:
    """A value without the wrapper of a MongoDB export: `{"$numberInt": "3"}` → `"3"`, `{"$date": {"$numberLong": "0"}}` → `"0"`."""
    for _ in range(2):
        if isinstance(value, dict) and len(value) == 1:
            name, inner = next(iter(value.items()))
            if isinstance(name, str) and name.startswith("$"):
                value = inner
    return value


def string(value: object) -> str:
    """The text of a value: a string, a number, the first string of a list; "" for anything else."""
    value = scalar(value)
    if isinstance(value, list):
        value = next((item for item in value if item and isinstance(item, str)), "")
    if isinstance(value, str):
        return value
    return (
        str(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < MAX_NUMBER
        else ""
    )


def strings(value: object) -> list[str]:
    """The texts of a list; of a string itself."""
    items = value[:MAX_NAMES] if isinstance(value, list) else [value]
    return [text for item in items if not isinstance(item, list) and (text := string(item)).strip()]


def mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> list[Json]:
    """The objects of a list; an object that stands where a list is expected counts as its only one."""
    if isinstance(value, dict):
        return [value]
    return [item for item in value[:MAX_NAMES] if isinstance(item, dict)] if isinstance(value, list) else []


def number(value: object) -> int | None:
    """A count: an integer from 0 to 10**15, also as digits."""
    value = scalar(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    return (
        value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT else None
    )


def full_date(parts: object) -> str | None:
    """`[2009, 9, 23]` → `2009-09-23`; None for a year, a month, `[null]` and what is no day: no day is invented."""
    values = [number(part) for part in parts[:3]] if isinstance(parts, list) else []
    try:
        year, month, day = values
        return date(year or 0, month or 0, day or 0).isoformat()
    except (ValueError, OverflowError):
        return None


def doi_address(doi: str) -> str:
    """The address of a DOI; old ones hold brackets that no address may hold."""
    return f"https://doi.org/{quote(doi, safe='/:;()._-+~,@!$&=*')}" if doi else ""


# --- the reading


def read_records(
    kind: str,
    listing: Listing,
    values: Iterable[object],
    raw: Callable[[Json], Raw | None],
    notes: list[str],
    *,
    total: int | None = None,
    next_url: str = "",
    last: bool = False,
) -> Reading:
    """The papers of records. No record is an empty list where the page states no total or 0, or is the one after the `last`
    (lists by cursor end with it), and else a ParseError."""
    values = list(islice(values, MAX_ENTRIES + 1))
    raws = [found for value in values if isinstance(value, dict) and (found := raw(value)) is not None]
    if len(raws) < len(values):
        notes.append(
            f"{len(values) - len(raws)} of {plural(len(values), 'entry', 'entries')} left out: not a record of a paper"
        )
    papers = finish(raws, notes, trusted_ids=False)
    if not papers and (values or (total and not last) or notes):
        held = (
            f"states {plural(total, 'paper', 'papers')} and holds none"
            if total and not values
            else "holds no paper that can be read"
        )
        raise refused(
            listing, f"this answer {held}", "Fetch it again; is it a page beyond the end of the list?"
        )
    return Reading(
        kind=kind,
        papers=papers,
        stated=total if papers or total is not None else 0,
        listed_on=listing.listed_on,
        empty=not papers,
        next_url=next_url if papers else "",
        notes=tuple(notes),
    )
