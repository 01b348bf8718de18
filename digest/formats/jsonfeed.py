"""Editions → JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from digest.formats import Publication
from digest.formats.items import Item
from digest.model import Page
from digest.render import Renderer, clean


def feed(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`feed.json`: the same items, with the same ids, as RSS and Atom."""
    yield publication.page("feed.json", feed_json(publication, publication.items))


def feed_json(publication: Publication, found: list[Item]) -> bytes:
    """A JSON Feed 1.1 document of these items."""
    site = publication.site
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": clean(publication.digest.title or site.title),
        "home_page_url": publication.url,
        "feed_url": f"{publication.url}feed.json",
        "description": "New research papers, one item for each.",
        "authors": [{"name": clean(site.publisher or site.title), "url": publication.url}],
        "language": site.language,
        "items": [_item(item) for item in found],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _item(item: Item) -> dict[str, Any]:
    facts = {
        "id": item.id,
        "url": item.url,
        "title": item.title,
        "summary": item.summary,
        "content_html": item.content,
        "date_published": item.published,
        "date_modified": item.updated,
        "authors": [{"name": name} for name in item.authors],
        "tags": item.categories,
    }
    return {name: value for name, value in facts.items() if value}
