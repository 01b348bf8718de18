"""All feeds as a list that readers import (OPML 2.0, http://opml.org/spec2.opml)."""

from __future__ import annotations

from collections.abc import Iterator

from digest.formats import Publication
from digest.formats.entries import xml_attribute, xml_text
from digest.formats.feeds import groups
from digest.formats.items import Feed, channel_feed, digest_feed, editions_feed
from digest.model import Page
from digest.render import Renderer


def subscriptions(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`feeds.opml`: each feed once, as RSS, so that no reader subscribes to the same papers twice."""
    whole = digest_feed(publication)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<opml version="2.0">',
        " <head>",
        f"  <title>{xml_text(f'Feeds of {whole.title}')}</title>",
        f"  <ownerName>{xml_text(whole.author)}</ownerName>",
        "  <docs>http://opml.org/spec2.opml</docs>",
        " </head>",
        " <body>",
        *(f"  {_outline(feed)}" for feed in (whole, editions_feed(publication))),
    ]
    for _, words, _, channels in groups(publication):
        lines.append(f'  <outline text="{words}">')
        lines += [f"   {_outline(channel_feed(publication, channel))}" for channel in channels]
        lines.append("  </outline>")
    yield publication.page("feeds.opml", "\n".join([*lines, " </body>", "</opml>", ""]))


def _outline(feed: Feed) -> str:
    facts = {
        "text": feed.title,
        "title": feed.title,
        "type": "rss",
        "version": "RSS2",
        "xmlUrl": feed.urls[0],
        "htmlUrl": feed.home,
        "description": feed.description,
        "language": feed.site.language,
    }
    attributes = [f'{name}="{xml_attribute(text)}"' for name, text in facts.items()]
    return f"<outline {' '.join(attributes)}/>"
