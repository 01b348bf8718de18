"""Lists of subscribers as CSV (RFC 4180): read with the time of each consent, and written so that they can be read back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from digest.choices import preferences_problems, topic_slugs
from digest.config import DigestConfig
from digest.errors import UsageError
from digest.model import ON_THE_LIST, Preferences, Subscriber
from digest.subscriptions.operator import checked_address, has_left, why_never

if TYPE_CHECKING:
    from digest.store import Store

COLUMNS = ("address", "consented_at", "digests", "preferences", "paused_until")
_CONSENT = ("consented_at", "since")
_preferences = msgspec.json.Decoder(Preferences)
# Addresses may begin so (RFC 5322, 3.2.3), and spreadsheets take such cells for formulas; behind an apostrophe they are text.
_FORMULA = ("=", "+", "-", "'")


class Refused(Struct, frozen=True, kw_only=True):
    """A row that was not imported: the line of the file on which it ends, and why, without the address."""

    line: int
    reason: str


class Imported(Struct, frozen=True, kw_only=True):
    added: int
    refused: tuple[Refused, ...]


class _Row(Struct, frozen=True, kw_only=True):
    address: str
    since: datetime
    digests: tuple[str, ...]
    preferences: Preferences
    paused_until: date | None


class _Reader:
    """What the rows of one file may say."""

    def __init__(
        self, digests: Sequence[DigestConfig], *, now: datetime, consented_at: datetime | None
    ) -> None:
        self._digests, self._slugs = [digest.name for digest in digests], topic_slugs(digests)
        self._now, self._consented_at = now, consented_at

    def read(self, cells: dict[str, str]) -> _Row:
        """Raises UsageError with the reason, which does not repeat the address."""
        status = cells.get("status") or "confirmed"
        if status not in ON_THE_LIST:
            raise UsageError(f"status {_shown(status)}: only confirmed and paused subscribers are imported")
        if status == "paused" and not cells.get("paused_until"):
            raise UsageError("paused, and no day until which; fill in paused_until")
        return _Row(
            address=self._address(cells.get("address", "")),
            since=self._since(next((cells[name] for name in _CONSENT if cells.get(name)), "")),
            digests=self._names(cells.get("digests", "")),
            preferences=self._preferences(cells.get("preferences", "")),
            paused_until=_day(cells.get("paused_until", "")),
        )

    def _address(self, text: str) -> str:
        try:
            is_shielded = text.startswith("'") and text[1:].startswith(_FORMULA)
            return checked_address(text[1:] if is_shielded else text)
        except UsageError:
            raise UsageError("no mail address; write it as name@example.org") from None

    def _since(self, text: str) -> datetime:
        if not text:
            if self._consented_at is None:
                raise UsageError("no time of consent; fill in consented_at, or give --consented-at")
            return self._consented_at
        since = moment_of(text)
        if since is None:
            raise UsageError("consented_at is no date or time; write 2026-11-19 or 2026-11-19T08:00:00Z")
        if since > self._now:
            raise UsageError("consented_at is in the future")
        return since

    def _names(self, text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(";") if name.strip())
        for name in names:
            if name not in self._digests:
                raise UsageError(f"no digest {_shown(name)}; known: {', '.join(self._digests)}")
        return names

    def _preferences(self, text: str) -> Preferences:
        try:
            found = _preferences.decode(text) if text else Preferences()
        except (msgspec.DecodeError, UnicodeError) as error:
            raise UsageError(f"preferences are not what they should be: {_shown(str(error), 120)}") from None
        if problems := preferences_problems(found, self._slugs):
            raise UsageError(" ".join(problems))
        return found


def moment_of(text: str) -> datetime | None:
    """A date or time of RFC 3339 in UTC (also where it names no zone); None for anything else.

    >>> moment_of("2026-11-19"), moment_of("yesterday")
    (datetime.datetime(2026, 11, 19, 0, 0, tzinfo=datetime.timezone.utc), None)
    """
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def import_rows(
    store: Store,
    text: str,
    *,
    digests: Sequence[DigestConfig],
    now: datetime,
    consented_at: datetime | None = None,
    dry_run: bool = False,
) -> Imported:
    """Adds the people of a CSV file, with the time at which they asked for it; all good rows in one transaction.

    Refused, each with its line and reason: who is on the list or stands in the file twice, has left, was suppressed or erased,
    and what is no address, time, digest or choice. `dry_run`: nothing is kept. Raises UsageError for a file without the column
    "address", or that is no CSV; nothing is added then.
    """
    reader = _Reader(digests, now=now, consented_at=consented_at)
    refused: list[Refused] = []
    lines: dict[int, int] = {}
    guard: AbstractContextManager[None] = store.rehearsal() if dry_run else store.together()
    with guard:
        for line, cells in _rows(text):
            try:
                row = reader.read(cells)
                _refuse(store, row.address, lines)
            except UsageError as error:
                refused.append(Refused(line=line, reason=str(error)))
                continue
            lines[_add(store, row, now)] = line
    return Imported(added=len(lines), refused=tuple(refused))


def _refuse(store: Store, address: str, lines: dict[int, int]) -> None:
    if reason := why_never(store, address):
        raise UsageError(f"suppressed: {reason}")
    known = store.subscriber(address)
    if known is not None and known.id in lines:
        raise UsageError(f"stands in line {lines[known.id]} already")
    if has_left(store, address):
        raise UsageError("unsubscribed; who asked for mail again is added by `digest subscribers add`")
    if known is not None and known.status in ON_THE_LIST:
        raise UsageError("is on the list already")


def _add(store: Store, row: _Row, now: datetime) -> int:
    added, _ = store.add_subscriber(
        row.address,
        digests=row.digests,
        preferences=row.preferences,
        since=row.since,
        consent="import",
        now=now,
    )
    if row.paused_until:
        store.set_choices(
            added.id,
            digests=row.digests,
            preferences=row.preferences,
            paused_until=row.paused_until,
            now=now,
        )
    return added.id


def _rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and cells by column name of each row that is not empty."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        names = [name.strip().casefold() for name in next(reader, [])]
        if "address" not in names:
            raise UsageError(
                'the file has no column "address". Its first line names the columns, with commas between them: '
                "address,consented_at"
            )
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, {n: c.strip() for n, c in zip(names, cells, strict=False)}
    except csv.Error as error:
        raise UsageError(
            f"line {reader.line_num} is no CSV: {error}. Nothing was imported. Write cells with commas or "
            'quotes in them as "…", and "" for a quote.'
        ) from None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise UsageError("paused_until is no date; write 2026-12-24, or nothing") from None


def _shown(text: str, length: int = 40) -> str:
    return repr("".join(c if c.isprintable() else "\ufffd" for c in text[:length]))


def export_rows(subscribers: Sequence[Subscriber], *, status: bool = False) -> str:
    """Subscribers as CSV with the columns that `import_rows` reads, and with `status` that one more."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*COLUMNS, *(["status"] if status else [])])
    for one in subscribers:
        chosen = msgspec.json.encode(one.preferences).decode()
        writer.writerow(
            [
                f"'{one.address}" if one.address.startswith(_FORMULA) else one.address,
                one.since.astimezone(UTC).isoformat().replace("+00:00", "Z"),
                ";".join(one.digests),
                "" if chosen == "{}" else chosen,
                one.paused_until.isoformat() if one.paused_until else "",
                *([one.status] if status else []),
            ]
        )
    return out.getvalue()
