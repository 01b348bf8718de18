"""What there is to choose from when subscribing: the boxes on the home page, and on the pages of the web door."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from digest.config import OTHER_SLUG, DigestConfig, slugs_of
from digest.render import clean
from digest.words import in_words

# Above so many days with an edition a week a reader thinks in days.
MOST_DAYS = 3


class Option(Struct, frozen=True):
    """One thing to tick or to pick: its value, its words, a note in small letters, and whether it is chosen."""

    value: str
    words: str
    chosen: bool
    note: str = ""


class Topic(Struct, frozen=True):
    """A topic of one or several digests."""

    slug: str
    name: str
    digests: tuple[str, ...]


def topics_of(digests: Sequence[DigestConfig]) -> list[Topic]:
    """Every topic that one can choose, by slug, in the order of the configuration; "Other" last. Empty where no digest has any."""
    found: dict[str, Topic] = {}
    for digest in digests:
        for name, slug in slugs_of(digest.topics).items():
            known = found.get(slug)
            titles = (*(known.digests if known else ()), clean(digest.title or digest.name))
            found[slug] = Topic(slug, known.name if known else clean(name), titles)
    if found:
        found.pop(OTHER_SLUG, None)
        found[OTHER_SLUG] = Topic(
            OTHER_SLUG, "Other papers", tuple(clean(digest.title or digest.name) for digest in digests)
        )
    return list(found.values())


class Flow(Struct, frozen=True):
    """What a topic brought in some weeks: its papers, and the days with an edition."""

    papers: int
    days: int
    weeks: float


_NO_FLOWS: Mapping[str, Sequence[Flow]] = MappingProxyType({})


def flow_words(flows: Sequence[Flow]) -> str:
    """How much a topic brings, in all its digests together: "about 8 a day", where most days have an edition, "about 3 a week"; ""
    where that is nothing."""
    often = max((flow.days / flow.weeks for flow in flows), default=0.0)
    a_day = round(sum(flow.papers / flow.days for flow in flows if flow.days))
    a_week = round(sum(flow.papers / flow.weeks for flow in flows))
    if often > MOST_DAYS and a_day:
        return f"about {a_day:,} a day"
    return f"about {a_week:,} a week" if a_week else ""


def ticked(chosen: Collection[str], options: Sequence[tuple[str, str, str]]) -> list[Option]:
    """Options (value, words, note), those whose values are `chosen` being so."""
    return [Option(value, words, value in chosen, note) for value, words, note in options]


def topic_options(
    chosen: Collection[str], digests: Sequence[DigestConfig], flows: Mapping[str, Sequence[Flow]] = _NO_FLOWS
) -> list[Option]:
    """The topics to tick, each with how much it brings, where that is known; with several digests each says in which it is, where
    it is not in all of them."""
    options = []
    for topic in topics_of(digests):
        where = "" if len(topic.digests) == len(digests) else in_words(topic.digests)
        notes = filter(None, (where, flow_words(flows.get(topic.slug, ()))))
        options.append((topic.slug, topic.name, ", ".join(notes)))
    return ticked(chosen, options)


def frequency_options(chosen: Collection[str]) -> list[Option]:
    """Every day, every weekday, or once a week."""
    return ticked(
        chosen, [("daily", "Every day", ""), ("weekdays", "Every weekday", ""), ("weekly", "Once a week", "")]
    )
