"""Heads and entries of our feeds are those that feedgen writes, byte for byte, whatever stands in an item."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from conftest import examples
from digest.formats import heads
from digest.formats.entries import Item
from digest.formats.feeds import documents
from digest.formats.items import Feed, feed_urls
from digest.render import clean, safe_url
from editions import SITE, URL


def test_the_heads_are_what_feedgen_makes_of_them() -> None:
    """`make heads` writes them anew."""
    assert Path(heads.__file__).with_name("_heads.py").read_text() == heads.module()


def feedgen_feed(feed: Feed) -> Any:
    """The same feed by feedgen alone, but for what it cannot say: links to hub and archives, and the stylesheet."""
    from feedgen.feed import FeedGenerator

    generator = FeedGenerator()
    generator.load_extension("dc", atom=False, rss=True)
    generator.id(feed.id)
    generator.title(feed.title)
    generator.description(feed.description)
    generator.author({"name": feed.author})
    generator.language(feed.site.language)
    generator.generator("digest")
    generator.updated(feed.updated)
    for item in feed.items:
        generator.add_entry(feedgen_entry(item), order="append")
    return generator


def feedgen_entry(item: Item) -> Any:
    from feedgen.entry import FeedEntry
    from feedgen.ext.dc import DcEntryExtension

    made = FeedEntry()
    made.register_extension("dc", DcEntryExtension, atom=False, rss=True)
    made.id(item.id)
    made.title(item.title)
    made.link(href=item.url, rel="alternate")
    made.published(item.published)
    made.updated(item.updated)
    if item.summary:
        made.summary(escape(item.summary, quote=False), type="html")
    made.content(item.content, type="html")
    made.category([{"term": term} for term in item.categories])
    if item.authors:
        made.author([{"name": name} for name in item.authors])
        made.dc.dc_creator(list(item.authors))
    return made


def by_feedgen(feed: Feed) -> tuple[str, str]:
    """RSS and Atom, with the links that each is to have."""
    made: list[str] = []
    kinds = ("application/rss+xml", "application/atom+xml")
    for url, kind, write in zip(feed.urls, kinds, ("rss_str", "atom_str"), strict=False):
        generator = feedgen_feed(feed)
        generator.link(href=url, rel="self", type=kind)
        generator.link(href=feed.home, rel="alternate", type="text/html")
        made.append(getattr(generator, write)(pretty=True).decode())
    return made[0], made[1]


def plain(body: bytes) -> str:
    """Ours without the stylesheet, and with titles escaped as feedgen does."""
    lines = [line for line in body.decode().split("\n") if not line.startswith("<?xml-stylesheet")]
    for number, line in enumerate(lines):
        if line.lstrip().startswith("<title>"):
            lines[number] = (
                line.replace("&#x26;", "&amp;").replace("&#x3C;", "&lt;").replace("&#x3E;", "&gt;")
            )
    return "\n".join(lines)


TEXT = st.text(max_size=80).map(clean)
SOME = TEXT.filter(bool)
MOMENTS = st.integers(-2_000_000_000, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
URLS = TEXT.map(lambda text: safe_url(f"https://x.example/{text}")).filter(bool)
NAMES = st.lists(SOME, max_size=3, unique=True).map(tuple)
CONTENTS = TEXT.map(lambda text: f'<p>{escape(text)}</p><p><a href="https://x.example/?a=1&amp;b">·</a></p>')
ITEM = st.builds(
    Item, id=SOME, title=SOME, url=URLS, summary=TEXT, content=CONTENTS, authors=NAMES, categories=NAMES,
    published=MOMENTS, updated=MOMENTS, issued=MOMENTS,
)  # fmt: skip


@settings(max_examples=examples(80), deadline=None)
@given(items=st.lists(ITEM, max_size=3), title=SOME, description=SOME, home=URLS, publisher=TEXT)
def test_our_bytes_are_those_of_feedgen(
    items: list[Item], title: str, description: str, home: str, publisher: str
) -> None:
    site = replace(SITE, publisher=publisher)
    feed = Feed(
        site=site,
        root=URL,
        id=home,
        title=title,
        description=description,
        home=home,
        urls=feed_urls(URL),
        items=items,
    )
    made = documents(feed)
    assert (plain(made["rss.xml"]), plain(made["atom.xml"])) == by_feedgen(feed)
    json_feed = json.loads(made["feed.json"])
    assert [item["title"] for item in json_feed["items"]] == [item.title for item in items]
    # Laid out as if it had been written at one go.
    assert made["feed.json"].decode() == json.dumps(json_feed, ensure_ascii=False, indent=1) + "\n"
