"""Which waiting papers go into an edition, under which topic, in which order, and why. Pure; the rules are configuration.

A rule is a word or a phrase ("language model"), or one of `author:`, `category:`, `title:`, `source:` with a value. Case and
hyphens do not count; a word also matches its plural, and `token*` whatever begins so, as `category:math.*` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol

from msgspec import Struct

from digest.config import DigestConfig, TopicConfig
from digest.model import UNMATCHED, Candidate, Decision, Paper, Stream


class Chosen(Struct, frozen=True, kw_only=True):
    """A candidate that was kept: its topic ("" for Other) and its rank among the picks, if it is one."""

    candidate: Candidate
    topic: str = ""
    pick: int | None = None


class Selection(Struct, frozen=True, kw_only=True):
    """`kept` in the order of show: picks by rank, then the streams one after the other, the new papers topic by topic.
    `decisions` has one for every candidate."""

    kept: tuple[Chosen, ...]
    decisions: tuple[Decision, ...]


def select(candidates: Sequence[Candidate], digest: DigestConfig) -> Selection:
    """The candidates that the rules of a digest keep, with the reason of each decision. The same input gives the same
    answer, whatever the order in which candidates of equal rank come."""
    kept: list[tuple[Candidate, str, int]] = []
    decisions: list[Decision] = []
    for candidate in candidates:
        refusal = _refusal(candidate, digest)
        if refusal:
            decisions.append(Decision(paper_id=candidate.paper_id, kept=False, reason=refusal))
            continue
        topic, hits, reason = _topic(candidate, digest.topics)
        if candidate.change == "withdrawn":
            reason = "withdrawn after it was sent"
        kept.append((candidate, topic, hits))
        decisions.append(Decision(paper_id=candidate.paper_id, kept=True, reason=reason))
    return Selection(kept=tuple(_ordered(kept, digest)), decisions=tuple(decisions))


def _refusal(candidate: Candidate, digest: DigestConfig) -> str:
    wanted, reason = {
        "new": (digest.new, "a new paper, and new = false"),
        "cross": (digest.cross, "a cross-listing, and cross = false"),
        "updated": (digest.updates, "a new version of an older paper, and updates = false"),
        "withdrawn": (digest.withdrawn, "a withdrawal, and withdrawn = false"),
    }[candidate.change]
    if not wanted:
        return reason
    if candidate.change == "withdrawn":
        return ""  # its readers were sent the paper: no rule of today may keep this from them
    for excluded in digest.exclude:
        if rule(excluded)(candidate):
            return f'exclude rule "{excluded}"'
    if digest.include and not any(rule(included)(candidate) for included in digest.include):
        return UNMATCHED
    return ""


def _topic(candidate: Candidate, topics: Sequence[TopicConfig]) -> tuple[str, int, str]:
    """The first topic that fits, how many of its words do, and the reason in words. A category decides before words."""
    names, first = _names(candidate.paper.categories), _names(candidate.paper.categories[:1])
    for topic in topics:
        category = next((c for c in topic.categories if _category(c)(first)), None)
        if category:
            return topic.name, _hits(candidate, topic), f'topic "{topic.name}": category {category}'
    for topic in topics:
        word = next((w for w in topic.any if rule(w)(candidate)), None)
        if word:
            return topic.name, _hits(candidate, topic), f'topic "{topic.name}": "{word}"'
    for topic in topics:
        category = next((c for c in topic.categories if _category(c)(names)), None)
        if category:
            return topic.name, 1, f'topic "{topic.name}": category {category}'
    return "", 0, "no topic fits: Other"


def _hits(candidate: Candidate, topic: TopicConfig) -> int:
    return sum(1 for word in topic.any if rule(word)(candidate))


STREAMS: tuple[Stream, ...] = ("new", "cross", "updated", "withdrawn")  # in the order of show


def _ordered(kept: list[tuple[Candidate, str, int]], digest: DigestConfig) -> list[Chosen]:
    # Votes make a pick; where no source counts them, the papers that say most about the topics, in page order. Cross-listings
    # fill up what the new papers leave free; an old paper in a new version, or withdrawn, is none.
    first = [item for item in kept if item[0].change in ("new", "cross")]
    first.sort(key=lambda k: (STREAMS.index(k[0].change), -(k[0].paper.upvotes or 0), -k[2], k[0].paper_id))
    picks = {c.paper_id: rank for rank, (c, _, _) in enumerate(first[: digest.picks], 1)}
    order = {topic.name: n for n, topic in enumerate(digest.topics)}

    def place(item: tuple[Candidate, str, int]) -> tuple[object, ...]:
        candidate, topic, _ = item
        rank = picks.get(candidate.paper_id)
        if rank is not None:
            return (0, rank)
        paper, stream = candidate.paper, STREAMS.index(candidate.change)
        return (
            1,
            stream,
            order.get(topic, len(order)),
            -(paper.upvotes or 0),
            paper.title.casefold(),
            paper.key,
        )

    return [Chosen(candidate=c, topic=t, pick=picks.get(c.paper_id)) for c, t, _ in sorted(kept, key=place)]


# ---------------------------------------------------------------- rules


class Listed(Protocol):
    """What rules look at: a candidate, or an entry of an edition."""

    @property
    def paper(self) -> Paper: ...
    @property
    def source(self) -> str: ...


Test = Callable[[Listed], bool]


@lru_cache(maxsize=8192)
def rule(text: str) -> Test:
    """Whether a rule fits a paper. What is no field before a colon is a word like any other."""
    field, colon, value = text.partition(":")
    field, value = field.strip().casefold(), value.strip()
    if colon and field == "category":
        among = _category(value)
        return lambda c: among(_names(c.paper.categories))
    if colon and field == "source":
        return lambda c: c.source.casefold() == value.casefold()
    if colon and field in ("author", "title"):
        fits = _words(value)
        if field == "title":
            return lambda c: fits(c.paper.title)
        return lambda c: any(map(fits, c.paper.authors))
    said = _words(text)
    return lambda c: said(c.paper.title) or said(c.paper.abstract)


# Categories of arXiv that are one under two names; its pages show the second only.
_ALIASES = {
    "cs.na": "math.na",
    "cs.sy": "eess.sy",
    "math.it": "cs.it",
    "math.mp": "math-ph",
    "q-fin.ec": "econ.gn",
    "stat.th": "math.st",
}
_OTHER_NAME = _ALIASES | {shown: alias for alias, shown in _ALIASES.items()}


@lru_cache(maxsize=8192)
def _names(categories: tuple[str, ...]) -> frozenset[str]:
    """Categories as they are compared: in small letters, each under either of its names."""
    folded = frozenset(map(str.casefold, categories))
    return folded | {_OTHER_NAME[name] for name in folded if name in _OTHER_NAME}


@lru_cache(maxsize=8192)
def _category(wanted: str) -> Callable[[frozenset[str]], bool]:
    """Whether it is one of these `_names`; of "math.*" whether one begins so."""
    bare = wanted.casefold().rstrip("*")
    if wanted.endswith("*"):
        return lambda names: any(name.startswith(bare) for name in names)
    return lambda names: bare in names


def _words(words: str) -> Callable[[str], bool]:
    """Whether a text has these words. Most have not: they are looked for before a pattern is even made."""
    prefix = words.endswith("*")
    bare = _flat(words.rstrip("*")).strip()
    whole: list[re.Pattern[str]] = []

    def fits(text: str) -> bool:
        flat = _flat(text)
        if bare not in flat:
            return False
        if not whole:
            escaped = re.escape(bare)
            # What stands before them is asked where they stand: letters are found ten times as fast as places.
            begun = rf"{escaped}(?<!\w{escaped})"
            whole.append(re.compile(begun if prefix else rf"{begun}(?:s|es)?(?!\w)"))
        return bool(whole[0].search(flat))

    return fits


_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015"


@lru_cache(maxsize=8192)
def _flat(text: str) -> str:
    flat = text.casefold()
    for dash in "-" if flat.isascii() else _DASHES:
        if dash in flat:
            flat = flat.replace(dash, " ")
    return " ".join(flat.split())
