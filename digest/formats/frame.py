"""What every page of the archive has around it: the addresses of home, search and feeds, and who publishes it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from digest.formats import Publication
from digest.model import Page
from digest.render import Renderer, sender_of

# Of a digest, and of each of its channels: name, file and type.
FEEDS = (
    ("RSS", "rss.xml", "application/rss+xml"),
    ("Atom", "atom.xml", "application/atom+xml"),
    ("JSON Feed", "feed.json", "application/feed+json"),
)


def archive_page(
    publication: Publication, renderer: Renderer, template: str, path: str, **variables: Any
) -> Page:
    """A page of the archive: `archive/<template>.html` with `variables` and those of every page (docs/templates.md).

    `path` counts from the digest's root: a folder ("" or with a final slash) gets an index.html, a file is written as it is named.
    """
    file = f"{path}index.html" if not path or path.endswith("/") else path
    text = renderer.render(
        f"archive/{template}.html",
        **(frame(publication) | {"page_url": publication.url + path} | variables),
    )
    return publication.page(file, text)


def frame(publication: Publication) -> dict[str, Any]:
    """The variables of every page that are the same on all pages of a digest."""
    url = publication.url
    return {
        "site_title": publication.title,
        "home_url": url,
        "feeds_url": f"{url}feeds/",
        "search_url": f"{url}search/",
        # With a web door the search is a plain form; a static host needs a script for it.
        "search_script": "" if publication.config.web.enabled else f"{url}search/search.js",
        "feeds": feeds_of(url),
        "sender": sender_of(publication.site),
    }


class FeedLink(Struct, frozen=True):
    """A feed as templates show it."""

    name: str
    url: str
    type: str


def feeds_of(url: str) -> list[FeedLink]:
    """The three feeds below an address (with a final slash)."""
    return [FeedLink(name, f"{url}{file}", kind) for name, file, kind in FEEDS]
