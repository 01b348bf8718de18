"""How fast feeds are written, beside feedgen: one feed in three formats, and a hundred feeds of topics with it.

Run by `make bench`. P7: 500 invented papers as bytes of RSS, Atom and JSON Feed, and the same with 100 topics, each paper in five
of them (its topic, two categories, an author, a search); then in ten, when each feed has the 50 papers that feeds mostly have.
feedgen writes RSS and Atom of the same items. The writers take turns, CPU time, medians: on a machine that others use too, only
the ratios within one table count.
"""

from __future__ import annotations

import argparse
import gc
import re
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from html import escape
from statistics import median
from typing import Any

from benchmarks import pages
from digest.config import DigestConfig, SiteConfig
from digest.formats import Channel, Publication, Shown
from digest.formats.feeds import channels, documents
from digest.formats.items import Item, digest_feed
from digest.model import Edition, EditionHead, Entry, Paper, Section
from digest.render import Renderer

NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)
PAPERS = 500
TOPICS = 100
OF_TOPIC = 25
MOST = 50
GOAL = 3
GOAL_TOPICS = 2
SITE = SiteConfig(url="https://papers.example.org/", publisher="Example Reading Group")


def edition(count: int = PAPERS) -> Edition:
    """Invented papers as one edition without picks."""
    entries = tuple(_entry(invented) for invented in pages.invented(count))
    return Edition(
        id="2026-11-19", digest="daily", title="Paper Digest", date=NOW.date(), part=1, number=1, issued_at=NOW,
        guid="tag:papers.example.org,2026:edition/daily/2026-11-19",
        sections=(Section(name="Other", slug="other", entries=entries),),
    )  # fmt: skip


def _entry(invented: pages.Invented) -> Entry:
    links = {kind: f"https://papers.example.org/{kind}/{invented.id}" for kind in ("abstract", "pdf", "code")}
    paper = Paper(
        key=f"arxiv:{invented.id}", title=invented.title, abstract=invented.abstract, authors=tuple(invented.authors),
        links=links, upvotes=invented.upvotes, tags=("one", "two"), comment=invented.comment, published="2026-11-18T17:59:59Z",
    )  # fmt: skip
    return Entry(
        paper=paper, guid=f"tag:papers.example.org,2026:{paper.key}", anchor=f"p-{invented.id}", gist=invented.abstract[:190]
    )  # fmt: skip


def publication(of: Edition, topics: int = 0, each: int = OF_TOPIC) -> Publication:
    """What is published of this edition, with so many topics of its papers, each with items of which no bytes are written yet."""
    entries, count = of.entries, of.count
    return Publication(
        site=SITE,
        digest=DigestConfig(name="daily", title="Paper Digest", path=""),
        url=SITE.url,
        heads=(EditionHead(id=of.id, digest="daily", date=of.date, part=1, number=1, papers=count),),
        latest=(of,),
        channels=tuple(
            Channel(
                kind="topic", slug=f"topic-{n}", name=f"Topic {n}", papers=each,
                shown=tuple(Shown(entries[(n * 7 + k * 9) % count], of) for k in range(min(each, count))),
            )
            for n in range(topics)
        ),
    )  # fmt: skip


# ---------------------------------------------------------------- the writers


def one_feed(of: Publication) -> list[bytes]:
    """The digest's feed in three formats."""
    return list(documents(digest_feed(of)).values())


def all_feeds(of: Publication, renderer: Renderer) -> int:
    """The digest's feed and those of its topics, in three formats; how many bytes they have."""
    return sum(map(len, one_feed(of))) + sum(len(page.body) for page in channels(of, renderer))


def peer(items: Iterable[Item]) -> list[bytes]:
    """RSS and Atom as feedgen makes them."""
    from feedgen.feed import FeedGenerator

    generator = FeedGenerator()
    generator.load_extension("dc", atom=False, rss=True)
    generator.id("tag:papers.example.org,2026:feed/daily")
    generator.title("Paper Digest")
    generator.link(href=SITE.url)
    generator.description("New research papers, one item for each.")
    generator.author({"name": SITE.publisher})
    generator.updated(NOW)
    for item in items:
        generator.add_entry(_peer_entry(item), order="append")
    return [generator.rss_str(pretty=True), generator.atom_str(pretty=True)]


def _peer_entry(item: Item) -> Any:
    from feedgen.entry import FeedEntry
    from feedgen.ext.dc import DcEntryExtension

    made = FeedEntry()
    made.register_extension("dc", DcEntryExtension, atom=False, rss=True)
    made.id(item.id)
    made.title(item.title)
    made.link(href=item.url, rel="alternate")
    made.published(item.published)
    made.updated(item.updated)
    made.summary(escape(item.summary, quote=False), type="html")
    made.content(item.content, type="html")
    made.category([{"term": term} for term in item.categories])
    made.author([{"name": name} for name in item.authors])
    made.dc.dc_creator(list(item.authors))
    return made


def ids(body: bytes) -> list[bytes]:
    """The ids of the items of a feed of any of the three formats, in its order."""
    return re.findall(rb"(?:<id>|<guid isPermaLink=\"false\">|\"id\": \")(tag:[^<\"]*:arxiv:[^<\"]*)", body)


# ---------------------------------------------------------------- the table


def speed(papers: int, topics: int, rounds: int, renderer: Renderer) -> list[str]:
    of = edition(papers)
    first = publication(of)
    expected = [item.id.encode() for item in first.items]
    for name, made in (("digest", one_feed(first)), ("feedgen", peer(first.items))):
        if any(ids(body) != expected for body in made):
            raise SystemExit(f"{name}: a feed lacks items, or has them in another order")
    taken: dict[str, list[float]] = {"one": [], "topics": [], "most": [], "papers": [], "peer": []}
    for _ in range(rounds):
        for name, seconds in _round(of, topics, renderer).items():
            taken[name].append(seconds)
    ms = {name: median(each) * 1000 for name, each in taken.items()}
    times, many = ms["peer"] / ms["one"], ms["topics"] / ms["one"]
    return [
        f"P7 feeds of {papers} papers, medians of {rounds}",
        "",
        "| writer | ms | ratio | goal |",
        "|---|---|---|---|",
        f"| digest, RSS + Atom + JSON Feed | {ms['one']:.1f} | {times:.1f}× as fast as feedgen | ≥ {GOAL}× |",
        f"| the same and {topics} feeds of topics | {ms['topics']:.1f} | {many:.1f}× one feed | ≤ {GOAL_TOPICS}× |",
        f"| the same, {MOST} papers in each topic | {ms['most']:.1f} | {ms['most'] / ms['one']:.1f}× one feed | |",
        f"| one feed, its items made too | {ms['papers']:.1f} | {ms['peer'] / ms['papers']:.1f}× as fast as feedgen | |",
        f"| feedgen, RSS + Atom | {ms['peer']:.1f} | | |",
        "",
    ]


def _round(of: Edition, topics: int, renderer: Renderer) -> dict[str, float]:
    """CPU seconds of each writer, once. Items are what both sides start from; the bytes of ours are not made yet."""
    fresh, with_topics, most = publication(of), publication(of, topics), publication(of, topics, MOST)
    assert fresh.items
    assert with_topics.items
    assert most.items
    return {
        "one": _seconds(lambda: one_feed(fresh)),
        "topics": _seconds(lambda: all_feeds(with_topics, renderer)),
        "most": _seconds(lambda: all_feeds(most, renderer)),
        "papers": _seconds(lambda: one_feed(publication(of))),
        "peer": _seconds(lambda: peer(fresh.items)),
    }


def _seconds(write: Callable[[], object]) -> float:
    gc.collect()
    started = time.process_time()
    write()
    return time.process_time() - started


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feeds", description=__doc__)
    parser.add_argument("--papers", type=int, default=PAPERS)
    parser.add_argument("--topics", type=int, default=TOPICS)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args(None if arguments is None else list(arguments))
    print("\n".join(speed(options.papers, options.topics, options.rounds, Renderer([]))), flush=True)


if __name__ == "__main__":
    main()
