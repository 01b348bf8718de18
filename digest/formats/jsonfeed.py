"""Feeds as JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import msgspec

from digest.formats import Publication
from digest.formats.frame import FEEDS
from digest.formats.items import EDITIONS_FILES, Feed, digest_feed, editions_feed
from digest.model import Page
from digest.render import Renderer

JSON = FEEDS[2][1]


def feed(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`editions.json`, and `feed.json`: the same items, with the same ids, as RSS and Atom."""
    yield publication.page(EDITIONS_FILES[2], feed_json(editions_feed(publication)))
    yield publication.page(JSON, feed_json(digest_feed(publication)))


def feed_json(feed: Feed) -> bytes:
    """A JSON Feed 1.1 document. `next_url` leads along the chain of archives, as prev-archive does in RSS and Atom."""
    facts: dict[str, Any] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.home,
        "feed_url": feed.urls[2],
        "next_url": feed.previous[2] if feed.previous else "",
        "description": feed.description,
        "authors": [{"name": feed.author, "url": feed.root}],
        "language": feed.site.language,
        "hubs": [{"type": "WebSub", "url": feed.site.hub}] if feed.site.hub and not feed.current else [],
    }
    head = msgspec.json.format(
        msgspec.json.encode({name: value for name, value in facts.items() if value}), indent=1
    )
    # In one join: a feed of a thousand papers has 2 MB, and each sum of two parts would be another.
    commas = chain.from_iterable((b",", item.written.json) for item in feed.items)
    tail = b"\n ]\n}\n" if feed.items else b"]\n}\n"
    return b"".join([head.removesuffix(b"\n}"), b',\n "items": [', *islice(commas, 1, None), tail])
