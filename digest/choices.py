"""What a reader chose: which papers of an edition are in their mail, when it is due, and what can be chosen. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from digest.config import (
    OTHER_SLUG,
    RULE_FIELDS,
    Config,
    DigestConfig,
    TopicConfig,
    has_word,
    nearest,
    nearest_zone,
    slugs_of,
)
from digest.cron import cron
from digest.model import Edition, Entry, Preferences, Subscriber
from digest.selection import rule

RULES = 50  # followed and muted together
RULE_LENGTH = 100
MOST = 1000
# Of the fitting day, where an edition came out on another one and no hour was chosen: late, so that it goes with the edition of
# that day where there is one, and nobody gets two mails.
LATE = 23
_ANY_DAY = frozenset(range(7))
_WORKING_DAYS = frozenset(range(5))

# ---------------------------------------------------------------- which papers

Positions = tuple[tuple[int, ...], ...]


def choose(
    editions: Sequence[Edition], preferences: Preferences, *, slugs: Mapping[str, str] | None = None
) -> Positions | None:
    """For each edition the positions in `edition.entries` that this reader gets, ascending; None where nothing is left at all.

    The answer can be hashed: readers of the same one can share what is made of it. A muted paper never comes, a followed one
    whatever its topic. Of more than `most` papers in all editions together the followed stay first, then picks by rank, then
    those of most votes, as they are shown. `slugs` are those of the digest's topics by name (config.slugs_of): of a topic that
    has picks alone an edition does not say it.
    """
    entries = [edition.entries for edition in editions]
    if preferences.topics is None and not (preferences.follow or preferences.mute or preferences.most):
        chosen: Positions = tuple(tuple(range(len(shown))) for shown in entries)
        return chosen if any(chosen) else None
    followed, muted = _any_of(preferences.follow), _any_of(preferences.mute)
    ranked = []
    for number, (edition, shown) in enumerate(zip(editions, entries, strict=True)):
        fits = _topic_test(edition, preferences.topics, slugs or {})
        for position, entry in enumerate(shown):
            first = followed(entry)
            if (first or fits(position, entry)) and not muted(entry):
                ranked.append((_rank(entry, first), number, position))
    if preferences.most and len(ranked) > preferences.most:
        ranked = sorted(ranked)[: preferences.most]
    kept: list[list[int]] = [[] for _ in editions]
    for _, number, position in ranked:
        kept[number].append(position)
    return tuple(tuple(sorted(positions)) for positions in kept) if ranked else None


def _rank(entry: Entry, followed: bool) -> tuple[bool, float, int]:
    """What sorts first stays first."""
    return not followed, entry.pick or float("inf"), -(entry.paper.upvotes or 0)


def _any_of(rules: Sequence[str]) -> Callable[[Entry], bool]:
    tests = [rule(text) for text in rules]
    return lambda entry: any(test(entry) for test in tests)


def _topic_test(
    edition: Edition, topics: Sequence[str] | None, slugs: Mapping[str, str]
) -> Callable[[int, Entry], bool]:
    if topics is None:
        return lambda position, entry: True
    known = _slugs(edition, slugs)
    return lambda position, entry: known[position] in topics


def _slugs(edition: Edition, slugs: Mapping[str, str]) -> list[str]:
    """The slug of each entry's topic. Picks, and what stands in a section of its stream, carry only the topic's name."""
    known = {**slugs, "": OTHER_SLUG}
    for section in edition.sections:
        for entry in section.entries[:1]:
            if entry.change == "new":
                known[entry.topic] = section.slug
    return [known.get(entry.topic) or _made_of(entry.topic) for entry in edition.entries]


@lru_cache(maxsize=1024)
def _made_of(topic: str) -> str:
    return slugs_of([TopicConfig(name=topic)])[topic]


# ---------------------------------------------------------------- when


def next_due(preferences: Preferences, issued_at: datetime, *, site_timezone: str) -> datetime:
    """The first moment from `issued_at` on that fits the days and the hour chosen; at most eight days later.

    Without an hour that is `issued_at` itself on a fitting day, else late on the next one. Days and hours are local in the
    reader's time zone, `site_timezone` where they chose none. An hour that a clock change leaves out is the moment of the
    change; of one that comes twice it is the first.
    """
    zone = _zone(preferences.timezone, site_timezone)
    days = {"daily": _ANY_DAY, "weekdays": _WORKING_DAYS}.get(
        preferences.frequency, frozenset({preferences.weekly_on})
    )
    today = issued_at.astimezone(zone).date()
    if preferences.hour is None and today.weekday() in days:
        return issued_at
    hour = time(LATE if preferences.hour is None else preferences.hour)
    fitting = (today + timedelta(days=n) for n in range(9) if (today + timedelta(days=n)).weekday() in days)
    moments = (datetime.combine(day, hour, zone).astimezone(UTC) for day in fitting)
    return next(moment for moment in moments if moment >= issued_at)


def next_mail(reader: Subscriber, config: Config, now: datetime) -> datetime | None:
    """When a reader's next mail goes out, if the next runs by schedule bring something; None where no digest of theirs has one."""
    zone = config.site.timezone

    def due(trigger: Any) -> datetime | None:
        fire = trigger.get_next_fire_time(None, now)
        at = fire and next_due(reader.preferences, fire, site_timezone=zone)
        if at and at > fire:  # a run of that day takes along what waits for it
            midnight = in_zone(reader.preferences, at, site_timezone=zone).replace(hour=0)
            later = trigger.get_next_fire_time(None, max(midnight, fire))
            at = min(at, next_due(reader.preferences, later, site_timezone=zone)) if later else at
        return at

    found = [
        due(cron(digest, config)) for digest in config.digest if digest.schedule and reader.reads(digest.name)
    ]
    return min((at for at in found if at), default=None)


def in_zone(preferences: Preferences, moment: datetime, *, site_timezone: str) -> datetime:
    """A moment by the clock of the reader."""
    return moment.astimezone(_zone(preferences.timezone, site_timezone))


def heard_since(preferences: Preferences, due: datetime, *, site_timezone: str) -> datetime:
    """Whoever had an edition that was due from this moment on need not hear at `due` that there is none: it is the mail of the same
    local day, or of the seven days up to it."""
    local = in_zone(preferences, due, site_timezone=site_timezone)
    first = local.date() - timedelta(days=6 if preferences.frequency == "weekly" else 0)
    return datetime.combine(first, time(), local.tzinfo).astimezone(UTC)


def _zone(name: str, site_timezone: str) -> ZoneInfo:
    # A zone that the time zone data of this machine does not know (any more) is no reason to send nothing.
    try:
        return ZoneInfo(name or site_timezone)
    except _NO_ZONE:
        return ZoneInfo(site_timezone)


_NO_ZONE = (ValueError, OSError, KeyError)

# ---------------------------------------------------------------- what can be chosen


def topic_slugs(digests: Sequence[DigestConfig]) -> tuple[str, ...]:
    """The slugs that can be chosen: of every topic of these digests, each once, in order, and "other"."""
    found = [slug for digest in digests for slug in slugs_of(digest.topics).values()]
    return tuple(dict.fromkeys((*found, OTHER_SLUG)))


def gone_choices(
    readers: Iterable[Subscriber], digests: Sequence[DigestConfig]
) -> tuple[Counter[str], Counter[str]]:
    """Names of digests and slugs of topics that readers chose and that are not there any more, each with the number of readers."""
    names, slugs = {digest.name for digest in digests}, set(topic_slugs(digests))
    of_digests: Counter[str] = Counter()
    of_topics: Counter[str] = Counter()
    for reader in readers:
        of_digests.update(set(reader.digests) - names)
        of_topics.update(set(reader.preferences.topics or ()) - slugs)
    return of_digests, of_topics


def parse_rules(text: str) -> tuple[str, ...]:
    """The rules in a text with one on each line: each once, white space collapsed, fields in lower case. Not yet judged."""
    rules = []
    for line in re.split(r"[\r\n]+", text):
        bare = re.sub(r"[ \t\u00a0\u2000-\u200a\u202f\u205f\u3000]+", " ", line).strip(" ")
        field, colon, value = bare.partition(":")
        field = field.strip().casefold()
        rules.append(f"{field}:{value}" if colon and field in RULE_FIELDS else bare)
    return tuple(dict.fromkeys(text for text in rules if text))


def preferences_problems(preferences: Preferences, slugs: Sequence[str]) -> list[str]:
    """What cannot be chosen, a sentence each with its mend; empty where all can. `slugs` are those there are (topic_slugs)."""
    found = [
        f'There is no topic "{_shown(slug)}". {nearest(_shown(slug), list(slugs))}'
        for slug in preferences.topics or ()
        if slug not in slugs
    ]
    if preferences.frequency not in ("daily", "weekdays", "weekly"):
        found.append(f'"{_shown(preferences.frequency)}" is no frequency. Choose daily, weekdays or weekly.')
    if not 0 <= preferences.weekly_on <= 6:
        found.append(f"{preferences.weekly_on} is no day of the week. Choose 0 (Monday) to 6 (Sunday).")
    if preferences.hour is not None and not 0 <= preferences.hour <= 23:
        found.append(f"{preferences.hour} is no hour of the day. Choose 0 to 23, or none.")
    if not 0 <= preferences.most <= MOST:
        found.append(f"{preferences.most} papers cannot be the most. Choose 1 to {MOST}, or 0 for all.")
    return found + _zone_problems(preferences.timezone) + _rule_problems(preferences)


def _zone_problems(name: str) -> list[str]:
    try:
        if name:
            ZoneInfo(name)
    except _NO_ZONE:
        return [f'There is no time zone "{_shown(name)}". {nearest_zone(_shown(name))}']
    return []


def _rule_problems(preferences: Preferences) -> list[str]:
    rules = (*preferences.follow, *preferences.mute)
    found = [problem for text in rules for problem in _rule_problem(text)]
    if len(rules) > RULES:
        found.append(f"{len(rules)} rules to follow and mute are too many. Keep {RULES} of them.")
    both = [text for text in preferences.follow if text in preferences.mute]
    return found + [f'"{_shown(text)}" is followed and muted. Take it out of one of them.' for text in both]


def _rule_problem(text: str) -> list[str]:
    shown, (field, colon, _) = _shown(text), text.partition(":")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in text):
        return [f'"{shown}" has a control character. Type it anew, one rule to a line.']
    if len(text) > RULE_LENGTH:
        return [f'"{shown}" is longer than {RULE_LENGTH} characters. Shorten it to the words that matter.']
    if colon and re.fullmatch(r"\w+", field) and field not in RULE_FIELDS:
        return [f'"{shown}": there is no field "{field}". {nearest(field, list(RULE_FIELDS))}']
    if not has_word(text):
        return [f'"{shown}" has no word in it and would fit every paper. Write a word, or take it out.']
    return []


def _shown(text: str) -> str:
    """Text of a reader in a message: short, and without what does not print."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:60])
