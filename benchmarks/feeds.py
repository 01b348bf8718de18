"""How fast feeds are written, beside feedgen: one feed in three formats, and a hundred feeds of topics with it.

P7: 500 invented papers as bytes of RSS, Atom and JSON Feed, and the same with 100 topics, each paper in five of them (its topic,
two categories, an author, a search); then in ten, when each feed has the 50 papers that feeds mostly have. feedgen writes RSS and
Atom of the same items. Each writer is a process of its own, in turns; CPU time, medians: on a machine that others use too, only the
ratios within one table count.
"""

from __future__ import annotations

import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import pages
from benchmarks.costs import answer_of, compile_ours
from benchmarks.installed import python
from benchmarks.peers import ids_of_feed, timed
from benchmarks.report import Check, Found, Growth, Row, run_alone
from digest.config import Config, DigestConfig, SiteConfig
from digest.formats import Channel, Publication, Shown
from digest.formats.feeds import channels, documents
from digest.formats.items import digest_feed
from digest.model import Edition, EditionHead, Entry, Paper, Section
from digest.render import Renderer

NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)
PAPERS = 500
TOPICS = 100
OF_TOPIC = 25
MOST = 50
SIZES = (100, 500, 2_000)
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
        config=Config(site=SITE),
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


def items_of(of: Publication) -> list[dict[str, Any]]:
    """What both sides start from, as feedgen is given it (peers.feedgen)."""
    return [
        {
            "id": item.id, "title": item.title, "url": item.url, "published": str(item.published), "updated": str(item.updated),
            "summary": item.summary, "content": item.content, "categories": list(item.categories), "authors": list(item.authors),
        }
        for item in of.items
    ]  # fmt: skip


def write_again(what: str, papers: str, topics: str, rounds: str, out: str) -> None:
    """Ours, in a process of its own: the ids in the first feeds, and the CPU seconds of each round. `what` says what is written:
    `one` feed, those of `topics` too, with the `most` papers in each, or one feed of `papers` of which no items are made yet."""
    of = edition(int(papers))
    renderer = Renderer([])
    shown = {"one": (0, 0), "papers": (0, 0), "topics": (int(topics), OF_TOPIC), "most": (int(topics), MOST)}[
        what
    ]
    fresh: list[Publication] = []

    def before() -> None:
        fresh[:] = [publication(of, *shown)]
        if what != "papers":
            assert fresh[0].items  # made, but no bytes of them are

    def work() -> object:
        return all_feeds(fresh[0], renderer) if shown[0] else one_feed(fresh[0])

    ids = [ids_of_feed(body) for body in one_feed(publication(of))]
    Path(out).write_text(json.dumps({"ids": ids, "cpu": timed(work, int(rounds), before)}))


# ---------------------------------------------------------------- the table

OURS = ("one", "topics", "most", "papers")


def contest(
    papers: int, topics: int, turns: int, rounds: int, others: str, ours: tuple[str, ...] = OURS
) -> dict[str, tuple[float, float]]:
    """Milliseconds and peak memory of each writer. Raises SystemExit where a feed lacks items, or has them in another order."""
    of = publication(edition(papers))
    expected = [item.id for item in of.items]
    taken: dict[str, list[float]] = {}
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "items")
        file.write_text(json.dumps(items_of(of)), encoding="utf-8")
        for _ in range(turns):
            for name in (*ours, "feedgen"):
                if name == "feedgen":
                    answer, cost = answer_of("peers", "feedgen", file, rounds, python=others)
                else:
                    answer, cost = answer_of("feeds", "--again", name, papers, topics, rounds)
                if answer["ids"] != [expected] * (2 if name == "feedgen" else 3):
                    raise SystemExit(f"{name}: a feed lacks items, or has them in another order")
                taken.setdefault(name, []).extend(answer["cpu"])
                peaks[name] = max(cost.peak_mib, peaks.get(name, 0))
    return {name: (1000 * median(each), peaks[name]) for name, each in taken.items()}


def measure(quick: bool = False) -> Found:
    if not quick:
        compile_ours()
    others = python(install=not quick)
    papers, topics, turns, rounds = (60, 5, 1, 1) if quick else (PAPERS, TOPICS, 3, 5)
    found = contest(papers, topics, turns, rounds, others)
    ms = {name: each for name, (each, _) in found.items()}
    row = Row(
        "P7", f"feeds of {papers} papers: RSS + Atom + JSON Feed",
        f"{ms['one']:.1f} ms; with {topics} feeds of topics {ms['topics']:.1f} ms",
        f"feedgen, RSS + Atom {ms['feedgen']:.1f} ms",
        (
            Check("feedgen", ms["feedgen"] / ms["one"], 1, stretch=3),
            Check(f"one feed, with {topics} of topics", ms["topics"] / ms["one"], 2, more=False),
        ),
        max(found["one"][1], found["topics"][1]),
    )  # fmt: skip
    more = (
        (f"the same and {topics} feeds, {MOST} papers in each", f"{ms['most']:.1f}", f"{ms['most'] / ms['one']:.1f}× one feed"),
        ("one feed, its items made too", f"{ms['papers']:.1f}", f"{ms['feedgen'] / ms['papers']:.1f}× as fast as feedgen"),
    )  # fmt: skip
    return Found("feeds", (row,), (Growth("Feeds, further", ("", "ms", ""), more), *_growth(quick, others)))


def _growth(quick: bool, others: str) -> tuple[Growth, ...]:
    lines = []
    for papers in (20, 40) if quick else SIZES:
        found = contest(papers, papers // 5, 1, 1 if quick else 5, others, ("one", "topics"))
        cells = [f"{cell:.1f}" for name in ("one", "topics", "feedgen") for cell in found[name]]
        lines.append((f"{papers:,}", f"{papers // 5}", *cells))
    heads = (
        "papers",
        "topics",
        "one feed, ms",
        "MiB",
        "with those of topics, ms",
        "MiB",
        "feedgen, ms",
        "MiB",
    )
    return (Growth("Feeds, by papers and topics", heads, tuple(lines)),)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--again"]:
        write_again(*sys.argv[2:])
    else:
        run_alone("feeds", __doc__, measure)
