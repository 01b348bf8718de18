"""Pages of channels: what a digest has shown of a topic, category or author, or that a saved search finds; and lists of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from digest.formats import Channel, Publication
from digest.formats.frame import archive_page, feeds_of, frame
from digest.labels import FOLDERS
from digest.model import Page, edition_path
from digest.render import PaperView, Renderer, clean
from digest.words import counted

KINDS: dict[str, tuple[str, str]] = {
    "topic": ("Topic", "Topics"),
    "category": ("Category", "Categories"),
    "author": ("Author", "Authors"),
    "search": ("Saved search", "Saved searches"),
}


class Day(Struct, frozen=True):
    """The papers of a channel that one edition shows: its date, part and address, and their rows as HTML."""

    date: date
    part: int
    url: str
    rows: tuple[str, ...]


class ChannelLink(Struct, frozen=True):
    """A channel in a list: its name, the address of its page, and how many papers it has."""

    name: str
    url: str
    papers: int


class ListLink(Struct, frozen=True):
    """A list of all channels of a kind: its name and address."""

    name: str
    url: str


def pages(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`topics/<slug>/`, `categories/<slug>/`, `authors/<slug>/` and `searches/<slug>/` of each channel to be written."""
    if not publication.channels:
        return
    page, row = (
        renderer.series("archive/channel.html", frame(publication) | {"channel_feeds": []}),
        renderer.macro("archive/paper.html", "paper_row"),
    )
    for channel in publication.channels:
        variables = _variables(publication, channel) | {"days": _days(publication, channel, row)}
        yield publication.page(f"{channel.path}index.html", page(variables))


def _variables(publication: Publication, channel: Channel) -> dict[str, Any]:
    name, address = channel.title, publication.url + path_of(channel)
    kind, kinds = KINDS[channel.kind]
    listed = channel.kind in publication.kinds
    return {
        "title": f"{name}: {publication.title}",
        "description": f"{kind}: {name}. {counted(channel.papers, 'paper')}, the newest first.",
        "page_url": address,
        "name": name,
        "kind": kind,
        "kinds": kinds if listed else "",
        "kinds_url": f"{publication.url}{FOLDERS[channel.kind]}/" if listed else "",
        "papers": channel.papers,
        "shown": len(channel.shown) + len(channel.older),
        "query": clean(channel.query),
        "more_url": f"{publication.url}search/?q={quote(query_of(channel))}",
    } | ({"channel_feeds": feeds_of(address)} if channel.feeds else {})


def path_of(channel: Channel) -> str:
    """A channel's folder as addresses write it: letters that are none of ASCII percent-encoded."""
    return quote(channel.path)


def query_of(channel: Channel) -> str:
    """The search that finds all papers of a channel."""
    if channel.kind == "search":
        return channel.query
    if channel.kind == "author":
        return 'author:"{}"'.format(" ".join(clean(channel.name).replace('"', " ").split()))
    return f"{channel.kind}:{channel.slug}"


def _days(publication: Publication, channel: Channel, row: Callable[[PaperView], str]) -> list[Day]:
    """`row` makes that of a paper: once for all channels that show it, as long as it is the same function."""
    rows = [(one.edition.date, one.edition.part, publication.row(one, row)) for one in channel.shown]
    rows += [(one.place.date, one.place.part, one.row) for one in channel.older]
    return [
        Day(day, part, publication.url + edition_path(day, part), tuple(html for _, _, html in group))
        for (day, part), group in groupby(rows, key=itemgetter(0, 1))
    ]


# ---------------------------------------------------------------- lists


def links_of(publication: Publication, kind: str) -> list[ChannelLink]:
    """All channels of a kind that have feeds, in the order of the catalogue."""
    return [
        ChannelLink(channel.title, publication.url + path_of(channel), channel.papers)
        for channel in publication.catalogue
        if channel.kind == kind
    ]


def lists_of(publication: Publication) -> list[ListLink]:
    """The lists that a digest has: of topics, categories, authors, saved searches, as far as it has any."""
    kinds = publication.kinds
    return [
        ListLink(names, f"{publication.url}{FOLDERS[kind]}/")
        for kind, (_, names) in KINDS.items()
        if kind in kinds
    ]


_ABOUT = {
    "topic": "Each has a page and feeds of its own. A paper stands under one topic.",
    "category": "The categories that the sources give. A paper may have several.",
    "author": "The authors whom this digest follows. Each has a page and feeds of their own.",
    "search": "Searches that this digest keeps. Each has a page and feeds of its own.",
}


def lists(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`topics/`, `categories/`, `authors/` and `searches/`: all channels of a kind that have feeds, as far as there are any."""
    for kind, (_, names) in KINDS.items():
        if not (found := links_of(publication, kind)):
            continue
        yield archive_page(
            publication,
            renderer,
            "channels",
            f"{FOLDERS[kind]}/",
            title=f"{names}: {publication.title}",
            description=f"{names} of {publication.title}, with their numbers of papers.",
            name=names,
            about=_ABOUT[kind],
            channels=found,
            kind=kind,
        )
