"""Chosen papers + date + number → Edition: deterministic ids, titles and order. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby
from urllib.parse import quote

from digest.config import OTHER_SLUG, DigestConfig, slugs_of
from digest.model import Edition, Entry, Section
from digest.selection import Chosen
from digest.text import gist

OTHER = "Other"


def make_edition(
    digest: DigestConfig,
    day: date,
    *,
    part: int,
    number: int,
    issued_at: datetime,
    chosen: Sequence[Chosen],
    authority: str,
) -> Edition:
    """The edition of a day. `chosen` comes in the order of show (selection.select); `authority` is the host and year
    that this store's tag URIs carry (RFC 4151), such as "papers.example.org,2026". A topic without papers has no section."""
    anchors: set[str] = set()
    entries = [_entry(item, authority, anchors) for item in chosen]
    slugs = slugs_of(digest.topics)
    rest = [entry for entry in entries if entry.pick is None]
    edition_id = day.isoformat() if part == 1 else f"{day.isoformat()}/{part}"
    return Edition(
        id=edition_id,
        digest=digest.name,
        title=digest.title,
        date=day,
        part=part,
        number=number,
        issued_at=issued_at,
        guid=f"tag:{authority}:edition/{quote(digest.name)}/{edition_id}",
        picks=tuple(entry for entry in entries if entry.pick is not None),
        sections=tuple(
            Section(name=name or OTHER, slug=slugs.get(name, OTHER_SLUG), entries=tuple(group))
            for name, group in groupby(rest, key=lambda entry: entry.topic)
        ),
    )


def paper_guid(authority: str, key: str) -> str:
    """The id of a paper's item in every feed: a tag URI of the key it was first stored under, so it never changes."""
    return f"tag:{authority}:{quote(key, safe=':/.@-_~')}"


def _entry(item: Chosen, authority: str, anchors: set[str]) -> Entry:
    paper = item.candidate.paper
    return Entry(
        paper=paper,
        guid=paper_guid(authority, paper.key),
        anchor=_anchor(paper.key, anchors),
        gist=gist(paper.abstract, paper.gist),
        topic=item.topic,
        pick=item.pick,
        change=item.candidate.change,
        source=item.candidate.source,
    )


def _anchor(key: str, taken: set[str]) -> str:
    """`p-2611.10421`: the paper's place on its edition's page, unique there."""
    bare = re.sub(r"[^A-Za-z0-9._-]+", "-", key.partition(":")[2]).strip("-")[:80]
    anchor, n = f"p-{bare}", 2
    while anchor in taken:
        anchor, n = f"p-{bare}-{n}", n + 1
    taken.add(anchor)
    return anchor
