"""Chosen papers + date + number → Edition: deterministic ids, titles and order. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import count, groupby
from urllib.parse import quote

from digest.config import OTHER_SLUG, DigestConfig, slugs_of
from digest.model import Edition, Entry, Section, Stream, edition_id
from digest.selection import Chosen
from digest.text import gist

OTHER = "Other"
_ANCHOR_CHARS = 80
# What is not new stands behind the topics, in sections of its own: their names, and their slugs in addresses.
STREAM_SECTIONS: dict[Stream, tuple[str, str]] = {
    "cross": ("Cross-listed", "cross"),
    "updated": ("New versions", "updated"),
    "withdrawn": ("Withdrawn", "withdrawn"),
}


def make_edition(
    digest: DigestConfig,
    day: date,
    *,
    part: int,
    number: int,
    issued_at: datetime,
    chosen: Sequence[Chosen],
    authority: str,
    previous: date | None = None,
) -> Edition:
    """The edition of a day. `chosen` comes in the order of show (selection.select); `authority` is the host and year
    that this store's tag URIs carry (RFC 4151), such as "papers.example.org,2026"; `previous` is the date of the digest's
    edition before this one: what was listed on that day or before is late. New papers stand under their topics, the other
    streams in sections of their own; a section without papers is left out."""
    anchors: set[str] = set()
    entries = [_entry(item, authority, anchors, previous) for item in chosen]
    sections = _sections(digest)
    rest = [entry for entry in entries if entry.pick is None]
    id_ = edition_id(day.isoformat(), part)
    return Edition(
        id=id_,
        digest=digest.name,
        title=digest.title,
        date=day,
        part=part,
        number=number,
        issued_at=issued_at,
        guid=f"tag:{authority}:edition/{quote(digest.name)}/{id_}",
        picks=tuple(entry for entry in entries if entry.pick is not None),
        sections=tuple(
            Section(name=name, slug=slug, entries=tuple(group))
            for (name, slug), group in groupby(rest, key=sections)
        ),
    )


def _sections(digest: DigestConfig) -> Callable[[Entry], tuple[str, str]]:
    """The section of an entry: name and slug. A topic that has the slug of a stream keeps it."""
    slugs = slugs_of(digest.topics)
    streams: dict[Stream, tuple[str, str]] = {}
    for stream, (name, slug) in STREAM_SECTIONS.items():
        numbered = (slug if n == 1 else f"{slug}-{n}" for n in count(1))
        streams[stream] = name, next(free for free in numbered if free not in slugs.values())

    def section(entry: Entry) -> tuple[str, str]:
        return streams.get(entry.change) or (entry.topic or OTHER, slugs.get(entry.topic, OTHER_SLUG))

    return section


def paper_guid(authority: str, key: str) -> str:
    """The id of a paper's item in every feed: a tag URI of the key it was first stored under, so it never changes."""
    return f"tag:{authority}:{quote(key, safe=':/.@-_~')}"


def _entry(item: Chosen, authority: str, anchors: set[str], previous: date | None) -> Entry:
    paper, listed_on = item.candidate.paper, item.candidate.listed_on
    return Entry(
        paper=paper,
        guid=paper_guid(authority, paper.key),
        anchor=_anchor(paper.key, anchors),
        gist=gist(paper.abstract, paper.gist),
        topic=item.topic,
        pick=item.pick,
        change=item.candidate.change,
        source=item.candidate.source,
        late=listed_on if listed_on and previous and listed_on <= previous else None,
    )


def anchor_of(key: str) -> str:
    """`p-2611.10421`: the paper's place on the page of each edition that shows it. Where two papers of an edition would share
    one, the second has a number at its end (_anchor)."""
    return "p-" + _spelled(key)[:_ANCHOR_CHARS]


def is_cut(key: str) -> bool:
    """Is only the beginning of the key in its anchor? Another paper's may begin alike: its edition knows whose is whose."""
    return len(_spelled(key)) > _ANCHOR_CHARS


def _spelled(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", key.partition(":")[2]).strip("-")


def _anchor(key: str, taken: set[str]) -> str:
    """The anchor of a paper, unique on its edition's page."""
    bare = anchor_of(key)
    anchor, n = bare, 2
    while anchor in taken:
        anchor, n = f"{bare}-{n}", n + 1
    taken.add(anchor)
    return anchor
