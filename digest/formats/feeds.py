"""Feeds beside that of the whole digest: of each edition, topic, category, author and saved search; and the page about them all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from digest.formats import Channel, Publication
from digest.formats.frame import FEEDS, FeedLink, archive_page
from digest.formats.items import Feed, channel_feed, edition_feed, editions_feed
from digest.formats.jsonfeed import feed_json
from digest.formats.syndication import atom, rss
from digest.labels import FOLDERS
from digest.model import Page
from digest.render import Renderer

NEWEST = 10
_WRITERS = tuple((file, write) for (_, file, _), write in zip(FEEDS, (rss, atom, feed_json), strict=True))


def documents(feed: Feed) -> dict[str, bytes]:
    """A feed in its three formats, by the names that its files have."""
    return {file: write(feed) for file, write in _WRITERS}


def editions(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`YYYY/MM/DD/rss.xml`, `atom.xml` and `feed.json` of each edition that was issued: the archives of the digest's feed."""
    heads = sorted(publication.heads, key=lambda head: head.number)
    before = dict(zip((head.id for head in heads[1:]), heads, strict=False))
    for edition in publication.issued:
        yield from _pages(
            publication, edition.path, edition_feed(publication, edition, before.get(edition.id))
        )


def channels(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`rss.xml`, `atom.xml` and `feed.json` below the path of each channel that has feeds."""
    for channel in publication.channels:
        if channel.feeds:
            yield from _pages(publication, channel.path, channel_feed(publication, channel))


def _pages(publication: Publication, path: str, feed: Feed) -> Iterator[Page]:
    for file, write in _WRITERS:
        yield publication.page(path + file, write(feed))


def page(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`feeds/index.html`: the page people are sent to who want to follow a feed; and the stylesheet of feeds in a browser."""
    yield publication.page("feeds/feed.css", renderer.render("archive/feed.css"))
    newest = publication.newest
    papers = [paper for section in newest.sections for paper in section.papers] if newest else []
    yield archive_page(
        publication,
        renderer,
        "feeds",
        "feeds/",
        title=f"Feeds of {publication.title}",
        description="What a feed is, the addresses to copy, and the newest items.",
        papers=papers[:NEWEST],
        items=len(publication.items),
        editions=_views(editions_feed(publication)),
        groups=[_group(publication, *group) for group in groups(publication)],
        opml_url=f"{publication.url}feeds.opml",
    )


# Kinds of channels, what their group is called, and a word about it, in the order in which people look for them.
_GROUPS = (
    ("topic", "Topics", "The papers of one topic of each edition."),
    ("search", "Saved searches", "New papers that match a search."),
    ("author", "Authors", "New papers by one person."),
    ("category", "Categories", "The papers of one category of their source."),
)


def groups(publication: Publication) -> list[tuple[str, str, str, list[Channel]]]:
    """The channels that have feeds, by kind: the kind, its name, a sentence about it, and its channels. No group is empty."""
    found = [
        (*words, [channel for channel in publication.catalogue if channel.kind == words[0] and channel.feeds])
        for words in _GROUPS
    ]
    return [group for group in found if group[-1]]


class FeedsView(Struct, frozen=True):
    """A channel on the page of feeds: its page, its size, and its three feeds (name, url and type of each)."""

    name: str
    url: str
    papers: int
    feeds: list[FeedLink]


def _group(
    publication: Publication, kind: str, name: str, about: str, channels: Sequence[Channel]
) -> dict[str, Any]:
    feeds = [(channel, channel_feed(publication, channel)) for channel in channels]
    return {
        "anchor": FOLDERS[kind],
        "name": name,
        "about": about,
        "channels": [
            FeedsView(channel.title, feed.home, channel.papers, _views(feed)) for channel, feed in feeds
        ],
    }


def _views(feed: Feed) -> list[FeedLink]:
    return [FeedLink(name, url, kind) for (name, _, kind), url in zip(FEEDS, feed.urls, strict=True)]
