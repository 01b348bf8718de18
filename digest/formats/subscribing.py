"""What there is to choose from when subscribing: the boxes on the home page, and on the pages of the web door."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct

from digest.config import OTHER_SLUG, DigestConfig, slugs_of
from digest.render import clean
from digest.words import in_words


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


def ticked(chosen: Collection[str], options: Sequence[tuple[str, str, str]]) -> list[Option]:
    """Options (value, words, note), those whose values are `chosen` being so."""
    return [Option(value, words, value in chosen, note) for value, words, note in options]


def topic_options(chosen: Collection[str], digests: Sequence[DigestConfig]) -> list[Option]:
    """The topics to tick; with several digests each says in which it is, where it is not in all of them."""
    return ticked(
        chosen,
        [
            (topic.slug, topic.name, "" if len(topic.digests) == len(digests) else in_words(topic.digests))
            for topic in topics_of(digests)
        ],
    )


def frequency_options(chosen: Collection[str]) -> list[Option]:
    """Every day, every weekday, or once a week."""
    return ticked(
        chosen, [("daily", "Every day", ""), ("weekdays", "Every weekday", ""), ("weekly", "Once a week", "")]
    )
