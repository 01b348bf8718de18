"""Dates as feeds write them → RFC 3339."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

from digest.patterns import late

MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
# How other languages of Latin letters begin theirs, in which RSS is dated by programs that mind the language of their machine.
_OTHER_MONTHS = {
    "ene": 1, "gen": 1, "fév": 2, "fev": 2, "mär": 3, "abr": 4, "avr": 4, "mai": 5, "mag": 5, "giu": 6, "jui": 6, "lug": 7,
    "ago": 8, "aoû": 8, "aou": 8, "set": 9, "okt": 10, "out": 10, "ott": 10, "des": 12, "dez": 12, "déc": 12, "dic": 12,
}  # fmt: skip
_ZONES = {"": None, "gmt": 0, "ut": 0, "utc": 0, "z": 0, "est": -300, "edt": -240, "cst": -360, "cdt": -300, "mst": -420,
          "mdt": -360, "pst": -480, "pdt": -420, "bst": 60, "cet": 60, "cest": 120}  # fmt: skip
_RFC822 = late(
    r"(?:[^\W\d_]+\.?(?:,\s*|\s+))?(\d{1,2})\.?\s+(?:de\s+)?([A-Za-zä-ü]{3})([a-zä-ü]*)\.?,?\s+(?:de\s+)?(\d{4}|\d{2})"
    r"(?:\s+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*((?:GMT|UTC)?[+-]\d{2}:?\d{2}|[A-Za-z]{0,5}))?"
)
# "Jan 3, 2024", "Wednesday, January 3, 2024", and as C and Java write it, "Wed Jan  3 10:00:00 UTC 2024"
_MONTH_FIRST = late(
    r"(?:[A-Za-z]{3,9},?\s+)?([A-Za-z]{3})[a-z]*\.?\s+(\d{1,2})(?:st|nd|rd|th)?(?:,?|\s+\d{1,2}:\d{2}(?::\d{2})?(?:\s+(?:[A-Z]{1,5}|[+-]\d{4}))?)\s+(\d{4})\b"
)
_OTHER_DAY = late(
    r"(\d{4})(?:/(\d{1,2})/(\d{1,2})|\.(\d{1,2})\.(\d{1,2})|(\d\d)(\d\d)|\s?[年년]\s?(\d{1,2})\s?[月월]\s?(\d{1,2})\s?[日일])(?![\d/.])"
)
_FIRST_YEAR = 1400
_MAX_CHARS = 200
_ISO_DAY = late(r"(\d{4}-\d{2}-\d{2})(?![\d])")


@lru_cache(maxsize=1024)  # a day has one date for most of what it brings
def rfc3339(text: str) -> str | None:
    """RFC 3339 date-time, or the full date where the zone or the time is missing or unknown; None for what is no date.

    Reads RFC 822 as RSS has it (two-digit years, named zones) and ISO 8601: `Thu, 03 Feb 2011 00:00:00 -0500` →
    `2011-02-03T00:00:00-05:00`; of other forms that can mean one day only, the day.
    """
    text = text.strip()
    if not text or len(text) > _MAX_CHARS:
        return None
    try:
        return _iso(text) if text[:4].isdigit() else _rfc822(text)
    except (ValueError, OverflowError):
        return None


def _since_print(day: date) -> date:
    """The day, unless it stands for none: programs write the first of the year 1 where they know nothing."""
    if day.year < _FIRST_YEAR:
        raise ValueError(day)
    return day


def _iso(text: str) -> str | None:
    if text[4:5] == text[7:8] == "-" and text[10:11] == "T":
        moment = _moment(text)
        if moment and moment.tzinfo and _since_print(moment):
            return moment.isoformat()
    found = _ISO_DAY.match(text)
    if not found:
        other = _OTHER_DAY.match(text)
        return _full_date(*filter(None, other.groups())) if other else None
    day = _since_print(date.fromisoformat(found[1])).isoformat()
    if text[10:11] not in ("T", "t", " "):
        return day
    moment = _moment(text)
    return moment.isoformat() if moment and moment.tzinfo else day


def _full_date(year: str, month: str | int, day: str) -> str:
    return _since_print(date(int(year), int(month), int(day))).isoformat()


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _rfc822(text: str) -> str | None:
    found = _RFC822.match(text)
    month = _month(found[2], found[3]) if found else None
    if not found or not month:
        other = _MONTH_FIRST.match(text)
        number = MONTHS.get(other[1].lower()) if other else None
        return _full_date(other[3], number, other[2]) if other and number else None
    year = int(found[4])
    if len(found[4]) == 2:
        year += 1900 if year >= 70 else 2000
    day = _since_print(date(year, month, int(found[1])))
    minutes = _offset(found[8] or "")
    if found[5] is None or minutes is None:
        return day.isoformat()
    zone = timezone(timedelta(minutes=minutes))
    return datetime(
        day.year, day.month, day.day, int(found[5]), int(found[6]), int(found[7] or 0), tzinfo=zone
    ).isoformat()


def _month(begin: str, rest: str) -> int | None:
    """Of `juin` and `juillet` only the fourth letter tells."""
    begin = begin.lower()
    return 7 if begin == "jui" and rest[:1] == "l" else MONTHS.get(begin) or _OTHER_MONTHS.get(begin)


def _offset(zone: str) -> int | None:
    if zone[-2:].isdigit():
        at = max(zone.find("+"), zone.find("-"))
        minutes = int(zone[at + 1 : at + 3]) * 60 + int(zone[-2:])
        return -minutes if zone[at] == "-" else minutes
    return _ZONES.get(zone.lower())
