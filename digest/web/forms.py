"""What a form says: its fields as text, and the choices in them as values, with an error beside each field that is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Literal, cast
from urllib.parse import parse_qsl
from zoneinfo import available_timezones

from msgspec import Struct
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from digest.choices import MOST as MOST_PAPERS
from digest.choices import parse_rules, preferences_problems, topic_slugs
from digest.config import Config, DigestConfig
from digest.errors import DigestError
from digest.formats.subscribing import Option, Topic, ticked, topics_of
from digest.model import Frequency, Preferences, Subscriber
from digest.render import clean
from digest.words import WEEKDAYS

BODY_BYTES = 64 * 1024
BODY_S = 20.0
_MAX_FIELDS = 1000
MOST = (10, 30, 50)
LONGEST_PAUSE = timedelta(days=366)

Fields = dict[str, list[str]]


class BadForm(DigestError):
    """A body that cannot be read as a form. `status` is the HTTP status code that says so."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


# ---------------------------------------------------------------- bytes → fields


async def read_body(request: Request) -> bytes:
    """The body of a request. Raises BadForm (413) once it is longer than BODY_BYTES, without reading the rest, and (408) when
    it is not there in BODY_S seconds."""
    too_long = BadForm("A form here is never this long.", status=413)
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > BODY_BYTES:
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES:
                    raise too_long
    except TimeoutError:
        raise BadForm("The form did not come in time.", status=408) from None
    return bytes(body)


async def read_fields(request: Request, body: bytes) -> Fields:
    """The fields of a form, urlencoded or multipart. Raises BadForm for what is neither."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _multipart(request, body)
    if kind not in ("", "application/x-www-form-urlencoded"):
        raise BadForm("This is not a form.", status=415)
    return urlencoded(body)


def urlencoded(body: bytes) -> Fields:
    """The fields of an application/x-www-form-urlencoded body in UTF-8. Raises BadForm."""
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError as error:
        raise BadForm("This form could not be read.") from error
    fields: Fields = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


async def _multipart(request: Request, body: bytes) -> Fields:
    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        form = await MultiPartParser(
            request.headers,
            whole(),
            max_files=0,
            max_fields=_MAX_FIELDS,
        ).parse()
    except (MultiPartException, ValueError) as error:
        raise BadForm("This form could not be read.") from error
    fields: Fields = {}
    for name, value in form.multi_items():
        fields.setdefault(name, []).append(str(value))
    return fields


def first(fields: Fields, name: str) -> str:
    """The value of a field, "" where there is none."""
    return (fields.get(name) or [""])[0]


# ---------------------------------------------------------------- what there is to choose from


@cache
def zones() -> list[str]:
    """The names of time zones, those with a region first."""
    return sorted(
        available_timezones() - {"localtime", "posixrules", "Factory"}, key=lambda n: ("/" not in n, n)
    )


# ---------------------------------------------------------------- fields ↔ choices


class Choices(Struct, frozen=True, kw_only=True):
    """What a form of preferences says. `errors` by field; what it holds may be used only where there are none."""

    digests: tuple[str, ...] = ()
    preferences: Preferences = Preferences()
    paused_until: date | None = None
    errors: dict[str, str] = {}


def read_choices(fields: Fields, config: Config, *, known: Subscriber, today: date) -> Choices:
    """The choices of the page of preferences of `known`, or for each field that is wrong what is."""
    errors: dict[str, str] = {}
    digests = _digests(fields, config, known, errors)
    preferences = Preferences(
        topics=_topics(fields, topics_of(config.digest), errors),
        frequency=_frequency(fields, errors),
        weekly_on=_number(fields, "weekly_on", range(7), 4, "Choose a weekday.", errors) or 0,
        hour=_number(fields, "hour", range(24), None, "Choose an hour from 0 to 23.", errors),
        timezone=_timezone(fields, config, known, errors),
        most=_number(fields, "most", range(MOST_PAPERS + 1), 0, "Choose how many papers.", errors) or 0,
        follow=_rules(fields, "follow", errors),
        mute=_rules(fields, "mute", errors),
        text_only=first(fields, "text") != "",
        empty=first(fields, "empty") != "",
    )
    if not errors and (problems := preferences_problems(preferences, topic_slugs(config.digest))):
        errors["form"] = clean(" ".join(problems))
    paused_until = _pause(fields, today, errors)
    return Choices(digests=digests, preferences=preferences, paused_until=paused_until, errors=errors)


def read_wishes(fields: Fields, digests: Sequence[DigestConfig]) -> Choices:
    """The choices of the form that subscribes: topics and frequency."""
    errors: dict[str, str] = {}
    preferences = Preferences(
        topics=_topics(fields, topics_of(digests), errors), frequency=_frequency(fields, errors)
    )
    return Choices(digests=tuple(d.name for d in digests), preferences=preferences, errors=errors)


def fields_of(subscriber: Subscriber, config: Config) -> Fields:
    """The fields of the page of preferences as they would be posted unchanged."""
    chosen = subscriber.preferences
    topics = [topic.slug for topic in topics_of(config.digest)] if chosen.topics is None else chosen.topics
    return {
        "digest": list(subscriber.digests or [digest.name for digest in config.digest]),
        "topic": list(topics),
        "frequency": [chosen.frequency],
        "weekly_on": [str(chosen.weekly_on)],
        "hour": ["" if chosen.hour is None else str(chosen.hour)],
        "timezone": [chosen.timezone or config.site.timezone],
        "most": [str(chosen.most)],
        "follow": ["\n".join(chosen.follow)],
        "mute": ["\n".join(chosen.mute)],
        "text": ["1"] if chosen.text_only else [],
        "empty": ["1"] if chosen.empty else [],
        "pause": [subscriber.paused_until.isoformat() if subscriber.paused_until else ""],
    }


def _digests(fields: Fields, config: Config, known: Subscriber, errors: dict[str, str]) -> tuple[str, ...]:
    names = [digest.name for digest in config.digest]
    if len(names) == 1:
        return known.digests
    chosen = tuple(name for name in names if name in fields.get("digest", ()))
    if not chosen:
        errors["digest"] = "Choose at least one of them, or stop the mails below."
    # Who has every digest, those to come too, and leaves all ticked goes on so.
    return () if not known.digests and len(chosen) == len(names) else chosen


def _topics(fields: Fields, topics: Sequence[Topic], errors: dict[str, str]) -> tuple[str, ...] | None:
    slugs = [topic.slug for topic in topics]
    wanted = fields.get("topic", [])
    # A form without boxes for topics says nothing of them; "topics" says that there were boxes, and none is ticked.
    if not slugs or (not wanted and "topics" not in fields):
        return None
    chosen = tuple(slug for slug in slugs if slug in wanted)
    if not chosen and not first(fields, "follow").strip():
        errors["topic"] = "Choose at least one topic."
    return None if len(chosen) == len(slugs) else chosen


def _frequency(fields: Fields, errors: dict[str, str]) -> Frequency:
    value = first(fields, "frequency") or "daily"
    if value not in ("daily", "weekdays", "weekly"):
        errors["frequency"] = "Choose how often."
        return "daily"
    return cast(Literal["daily", "weekdays", "weekly"], value)


def _number(
    fields: Fields, name: str, allowed: range, empty: int | None, wrong: str, errors: dict[str, str]
) -> int | None:
    value = first(fields, name).strip()
    if not value:
        return empty
    if value.isascii() and value.isdigit() and len(value) < 6 and int(value) in allowed:
        return int(value)
    errors[name] = wrong
    return empty


def _timezone(fields: Fields, config: Config, known: Subscriber, errors: dict[str, str]) -> str:
    value = first(fields, "timezone").strip()
    if not value or (value == config.site.timezone and not known.preferences.timezone):
        return ""
    named = {zone.casefold(): zone for zone in zones()}
    if value.casefold() not in named:
        shown = clean(value)[:40]
        errors["timezone"] = (
            f"“{shown}” is not a time zone. Write a name like Europe/Berlin, or leave it empty."
        )
        return ""
    return named[value.casefold()]


def _rules(fields: Fields, name: Literal["follow", "mute"], errors: dict[str, str]) -> tuple[str, ...]:
    rules = parse_rules(first(fields, name))
    alone = Preferences(follow=rules) if name == "follow" else Preferences(mute=rules)
    if problems := preferences_problems(alone, ()):
        errors[name] = clean(" ".join(problems))
    return rules


def _pause(fields: Fields, today: date, errors: dict[str, str]) -> date | None:
    value = first(fields, "pause").strip()
    if not value:
        return None
    try:
        until = date.fromisoformat(value)
    except ValueError:
        errors["pause"] = "Write a day as 2026-12-31, or leave it empty."
        return None
    if until <= today:
        errors["pause"] = "Choose a day after today, or leave it empty."
    elif until > today + LONGEST_PAUSE:
        errors["pause"] = "Choose a day within a year, or stop the mails below."
    return until


# ---------------------------------------------------------------- fields → what a template shows


def clean_lines(text: str) -> str:
    """Text of several lines as it may stand in a page."""
    return "\n".join(clean(line) for line in text.replace("\r\n", "\n").split("\n"))


def weekday_options(fields: Fields) -> list[Option]:
    """The weekdays from Monday."""
    return ticked(fields.get("weekly_on", []), [(str(n), name, "") for n, name in enumerate(WEEKDAYS)])


def hour_options(fields: Fields) -> list[Option]:
    """The hours of a day, after "as soon as it is out"."""
    return ticked(
        fields.get("hour", []),
        [("", "As soon as it is out", ""), *((str(n), f"{n:02}:00", "") for n in range(24))],
    )


def most_options(fields: Fields) -> list[Option]:
    """How many papers in a mail: a few round numbers, all, and what was chosen otherwise."""
    value = first(fields, "most")
    odd = (
        [int(value)]
        if value.isascii() and value.isdigit() and len(value) < 5 and int(value) not in (0, *MOST)
        else []
    )
    numbers = [(str(n), f"{n} papers", "") for n in sorted((*MOST, *odd))]
    return ticked(fields.get("most", []), [*numbers, ("0", "All of them", "")])
