"""Searching what was shown: words → papers, and the entries that feeds of a search are made of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from digest.config import nearest
from digest.errors import UsageError
from digest.formats import Shown
from digest.model import Edition, Entry, Hit
from digest.searching import Query, parse_query

if TYPE_CHECKING:
    from digest.app import App


class Found(Struct, frozen=True):
    """What a search found: how many papers in all, and those asked for."""

    query: Query
    total: int
    hits: Sequence[Hit]


def search(
    app: App,
    text: str,
    *,
    digests: Sequence[str] = (),
    limit: int,
    offset: int = 0,
    order: Literal["rank", "newest"] = "rank",
) -> Found:
    """The papers that a search finds in these digests (all of them if none is named), each once, at its newest place; best first,
    or newest first. Only looks. Raises UsageError for a search that makes no sense and for an unknown digest."""
    query = parse_query(text)
    known = [digest.name for digest in app.config.digest]
    for name in digests:
        if name not in known:
            raise UsageError(f'{app.config.file}: no [[digest]] "{name}". {nearest(name, known)}')
    total, hits = app.store.search(query, digests=digests, limit=limit, offset=offset, order=order)
    return Found(query, total, hits)


def refresh(app: App) -> None:
    """Brings the index up to date with all editions; a run does so too. For a store that comes from an older version."""
    from digest.pipeline.publish import index

    index(app.config, app.store)


def shown(app: App, hits: Sequence[Hit]) -> list[Shown]:
    """The entries of these papers at their newest places, in the same order, with the papers as they are known now; without those
    whose edition is no more."""
    entries: dict[tuple[str, str], Shown] = {}

    def place(hit: Hit) -> tuple[str, int, int]:
        return hit.digest, hit.place.date.toordinal(), hit.place.part

    for (digest, _, _), group in groupby(sorted(hits, key=place), key=place):
        found = list(group)
        edition = app.store.edition(digest, found[0].place.date, found[0].place.part)
        if edition is None:
            continue
        head = replace(edition, picks=(), sections=())
        for hit in found:
            entry = _entry(edition, hit)
            if entry is not None:
                entries[digest, hit.place.key] = Shown(replace(entry, paper=hit.paper), head)
    keys = ((hit.digest, hit.place.key) for hit in hits)
    return [entries[key] for key in keys if key in entries]


def _entry(edition: Edition, hit: Hit) -> Entry | None:
    return next((entry for entry in edition.entries if entry.paper.key == hit.place.key), None)
