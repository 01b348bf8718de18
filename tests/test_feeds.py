"""All feeds of a digest: the chain of archives, topics and authors, an item for each edition, and hubs."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import feedparser
import pytest
from lxml import etree
from msgspec.structs import replace

from digest.formats import Channel, Publication, Shown
from digest.formats.feeds import channels, editions
from digest.formats.items import FEED_ITEMS, digest_feed, edition_feed
from digest.formats.jsonfeed import feed as jsonfeed
from digest.formats.opml import subscriptions
from digest.formats.syndication import feeds as syndication
from digest.model import Edition, Paper
from digest.pipeline import publish
from editions import (
    SITE,
    URL,
    assert_golden,
    edition_of,
    head_of,
    paper_of,
    publication_of,
    rich,
    shipped,
    single,
)
from test_views import Site

ATOM = "{http://www.w3.org/2005/Atom}"
HISTORY = "{http://purl.org/syndication/history/1.0}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
FILES = ("rss.xml", "atom.xml", "feed.json")


def feeds_of(publication: Publication) -> dict[str, bytes]:
    """All feeds by path."""
    made = [make(publication, shipped()) for make in (editions, channels, syndication, jsonfeed)]
    return {page.path: page.body for pages in made for page in pages}


# ---------------------------------------------------------------- archives to walk back in (RFC 5005)


def series(seed: int, count: int = 25) -> list[Edition]:
    """Editions in the order of their numbers: dates go back and forth, papers are shown again, some editions are large."""
    rnd = random.Random(seed)
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(count)]
    # Some are of a day long gone; a swap of neighbours is a day that was made up for.
    for n in rnd.sample(range(1, count), count // 6):
        days[n - 1], days[n] = days[n], days[n - 1]
    days[count // 2] = date(2025, 3, 1)
    made, shown = [], 0
    for number, day in enumerate(days, 1):
        keys = list(range(shown, shown + rnd.choice((1, 3, 9, 30, 70))))
        shown += len(keys)
        again = rnd.sample(range(shown - len(keys)), min(3, shown - len(keys)))
        papers = [paper_of(key, f"T {key} in {number}|A gist.|A|O|1|t") for key in (*keys, *again)]
        made.append(edition_of(papers, day=day, number=number, picks=1))
    return made


def published(known: Sequence[Edition], issued: Sequence[Edition]) -> Publication:
    """What a publication has once these editions are known: the newest by number with 50 papers, and those of seven days."""
    latest: list[Edition] = []
    since = max(edition.date for edition in known) - timedelta(days=7)
    for edition in reversed(known):
        if sum(each.count for each in latest) < FEED_ITEMS or edition.date > since:
            latest.append(edition)
    heads = sorted((head_of(edition) for edition in known), key=lambda head: (head.date, head.part))
    return publication_of(
        known[-1], heads=tuple(heads), latest=tuple(latest), issued=tuple(issued), editions=()
    )


def site_after(known: Sequence[Edition]) -> dict[str, bytes]:
    """The feeds after each edition was published in its turn."""
    site: dict[str, bytes] = {}
    for count in range(1, len(known) + 1):
        site |= feeds_of(published(known[:count], known[count - 1 : count]))
    return site


@cache
def site_of(seed: int) -> dict[str, bytes]:
    """The feeds of a series; not to be changed."""
    return site_after(series(seed))


def read(name: str, body: bytes) -> tuple[list[str], str]:
    """The ids of a feed, and the address of the document before it."""
    if name == "feed.json":
        feed = json.loads(body)
        return [item["id"] for item in feed["items"]], feed.get("next_url", "")
    root = etree.fromstring(body)
    links = {link.get("rel"): link.get("href") or "" for link in root.iter(f"{ATOM}link")}
    ids = root.findall("channel/item/guid") or root.findall(f"{ATOM}entry/{ATOM}id")
    return [str(element.text) for element in ids], links.get("prev-archive", "")


def walk(site: dict[str, bytes], name: str) -> tuple[list[str], list[str]]:
    """From the head back to the first edition: the paths in this order, and every id that is met, once."""
    paths, met, url = [], [], f"{URL}{name}"
    while url:
        path = url.removeprefix(URL)
        assert path not in paths, f"{path} leads in a circle"
        paths.append(path)
        ids, url = read(name, site[path])
        assert len(ids) == len(set(ids)), path
        met += ids
    return paths, list(dict.fromkeys(met))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.torture) for n in range(1, 4))])
def test_walking_back_from_the_head_meets_every_paper_once(seed: int, name: str) -> None:
    known, site = series(seed), site_of(seed)
    paths, ids = walk(site, name)
    assert sorted(ids) == sorted({entry.guid for edition in known for entry in edition.entries})
    assert len(paths) > 5
    archives = [path.removesuffix(name) for path in paths[1:]]
    numbers = [next(edition.number for edition in known if edition.path == path) for path in archives]
    assert numbers == list(range(numbers[0], 0, -1))


def test_what_is_found_on_the_way_is_what_the_editions_show() -> None:
    known = series(9)
    site = site_after(known)
    for edition in known:
        for name in FILES:
            ids, _ = read(name, site[edition.path + name])
            assert ids == [entry.guid for entry in edition.entries]


def test_a_closed_archive_never_changes() -> None:
    known = series(5)
    before = site_after(known[:10])
    after = site_after(known)
    closed = [path for path in before if path.partition("/")[0].isdigit()]
    assert len(closed) == 10 * 3
    for path in closed:
        assert hashlib.sha256(before[path]).digest() == hashlib.sha256(after[path]).digest(), path
    assert before["rss.xml"] != after["rss.xml"]


def test_a_rebuild_of_all_editions_gives_the_same_bytes() -> None:
    known = series(6)
    assert feeds_of(published(known, known)) == site_after(known)


def test_an_archive_names_its_head_and_what_came_before_never_what_comes_after() -> None:
    first, second, third = series(7, 3)
    made = feeds_of(published([first, second, third], [second]))
    root = etree.fromstring(made[f"{second.path}atom.xml"])
    assert root.find(f"{HISTORY}archive") is not None
    assert {str(link.get("rel")): link.get("href") for link in root.findall(f"{ATOM}link")} == {
        "self": f"{URL}{second.path}atom.xml",
        "alternate": f"{URL}{second.path}",
        "current": f"{URL}atom.xml",
        "prev-archive": f"{URL}{first.path}atom.xml",
    }
    channel = etree.fromstring(made[f"{second.path}rss.xml"])[0]
    assert channel.find(f"{HISTORY}archive") is not None
    assert {str(link.get("rel")): link.get("href") for link in channel.findall(f"{ATOM}link")} == {
        "self": f"{URL}{second.path}rss.xml",
        "current": f"{URL}rss.xml",
        "prev-archive": f"{URL}{first.path}rss.xml",
    }
    assert third.path not in str(made[f"{second.path}feed.json"])


def test_the_first_archive_is_the_end_of_the_chain() -> None:
    first, second = series(7, 2)
    made = feeds_of(published([first, second], [first]))
    assert b"prev-archive" not in made[f"{first.path}rss.xml"] + made[f"{first.path}atom.xml"]
    assert "next_url" not in json.loads(made[f"{first.path}feed.json"])


def test_archives_are_documents_of_the_feed_whose_id_they_have() -> None:
    known = series(7, 3)
    publication = published(known, known)
    assert edition_feed(publication, known[0], None).id == digest_feed(publication).id


def test_an_archive_shows_what_was_issued_and_the_head_what_was_found_since() -> None:
    edition = edition_of([Paper(key="title:x", title="T", abstract="A.")], picks=0)
    entry = edition.entries[0]
    found = replace(entry, paper=replace(entry.paper, links={"abstract": "https://x.example/found"}))
    completed = replace(edition, sections=(replace(edition.sections[0], entries=(found,)),))
    made = feeds_of(publication_of(completed, issued=(edition,)))
    assert b"https://x.example/found" in made["rss.xml"]
    assert b"https://x.example/found" not in made[f"{edition.path}rss.xml"]


# ---------------------------------------------------------------- topics, categories, authors, searches


def channel_of(edition: Edition, **facts: Any) -> Channel:
    shown = tuple(Shown(entry, edition) for entry in edition.entries)
    return Channel(
        **({"kind": "topic", "slug": "vision", "name": "Vision", "papers": 99, "shown": shown} | facts)
    )


@pytest.mark.parametrize(
    ("facts", "folder", "title"),
    [
        ({}, "topics/vision/", "Vision: Paper Digest"),
        ({"kind": "category", "slug": "cs.cl", "name": "cs.CL"}, "categories/cs.cl/", "cs.CL: Paper Digest"),
        ({"kind": "author", "slug": "李-明", "name": "李 明"}, "authors/李-明/", "李 明: Paper Digest"),
        ({"kind": "search", "slug": "big", "name": "Big", "query": "big model*"}, "searches/big/", "Big: Paper Digest"),
        ({"name": ""}, "topics/vision/", "vision: Paper Digest"),
    ],
)  # fmt: skip
def test_a_channel_has_three_feeds_of_its_own_beside_its_page(facts: Any, folder: str, title: str) -> None:
    edition = rich()
    made = feeds_of(publication_of(edition, channels=(channel_of(edition, **facts),)))
    ids = [entry.guid for entry in edition.entries]
    quoted = folder.replace("李-明", "%E6%9D%8E-%E6%98%8E")
    for name in ("rss.xml", "atom.xml"):
        parsed = feedparser.parse(made[folder + name])
        assert not parsed.bozo
        assert (parsed.feed.title, parsed.feed.link) == (title, f"{URL}{quoted}")
        assert [item.id for item in parsed.entries] == ids
        assert parsed.feed.updated_parsed[:5] == (2026, 11, 19, 6, 0)
    feed = json.loads(made[f"{folder}feed.json"])
    assert feed["feed_url"] == f"{URL}{quoted}feed.json"
    assert [item["id"] for item in feed["items"]] == ids


def test_an_author_whom_nobody_named_has_no_feeds() -> None:
    edition = rich()
    unnamed = channel_of(edition, kind="author", slug="a", name="A", feeds=False)
    made = feeds_of(publication_of(edition, channels=(unnamed,)))
    assert not [path for path in made if path.startswith("authors/")]


def test_a_search_that_found_nothing_yet_has_feeds_to_follow() -> None:
    nothing = channel_of(rich(), kind="search", slug="big", name="Big", query="big", papers=0, shown=())
    made = feeds_of(publication_of(rich(), channels=(nothing,)))
    for name in ("rss.xml", "atom.xml"):
        parsed = feedparser.parse(made[f"searches/big/{name}"])
        assert (parsed.bozo, parsed.feed.title, parsed.entries) == (False, "Big: Paper Digest", [])
    assert json.loads(made["searches/big/feed.json"])["items"] == []


def test_a_channel_has_fifty_papers_or_those_of_seven_days() -> None:
    def shown(per_day: int) -> tuple[Shown, ...]:
        found = []
        for n in range(30):
            papers = [paper_of(n * 50 + k, "T|G.|A|O|1|t") for k in range(per_day)]
            day = edition_of(papers, day=date(2026, 11, 19) - timedelta(days=n), picks=0)
            found += [Shown(entry, day) for entry in day.entries]
        return tuple(found)

    for per_day, expected in ((3, FEED_ITEMS), (20, 7 * 20)):
        made = feeds_of(publication_of(rich(), channels=(channel_of(rich(), shown=shown(per_day)),)))
        assert len(json.loads(made["topics/vision/feed.json"])["items"]) == expected


def test_an_entry_is_built_and_written_once_for_all_feeds_that_have_it() -> None:
    edition = rich()
    # As the store gives them: equal, but read anew for each feed.
    copies = [replace(edition, picks=tuple(map(replace, edition.picks))) for _ in range(3)]
    publication = publication_of(
        edition, channels=tuple(channel_of(copy) for copy in copies), issued=(copies[0],)
    )
    made = feeds_of(publication)
    items = {id(publication.item(shown)) for channel in publication.channels for shown in channel.shown}
    assert items == {id(item) for item in publication.items}
    for item in publication.items:
        assert item.written is item.written
        assert all(
            b"".join(item.written.rss) in made[path]
            for path in ("rss.xml", "topics/vision/rss.xml", f"{edition.path}rss.xml")
        )
        assert all(
            b"".join(item.written.atom) in made[path]
            for path in ("atom.xml", "topics/vision/atom.xml", f"{edition.path}atom.xml")
        )
        assert all(
            item.written.json in made[path]
            for path in ("feed.json", "topics/vision/feed.json", f"{edition.path}feed.json")
        )


def test_an_edition_of_fifty_papers_is_the_feed_until_the_week_has_more() -> None:
    fifty = edition_of([paper_of(n, f"T {n}|A gist.|A B|O|1|t") for n in range(50)], number=2)
    early = [paper_of(60, "T 60|A gist.|A B|O|1|t")]
    for days, items in ((7, 50), (6, 51)):
        before = edition_of(early, day=fifty.date - timedelta(days=days), number=1)
        known = (fifty, before)
        made = feeds_of(publication_of(fifty, latest=known, heads=(head_of(before), head_of(fifty))))
        ids, url = read("feed.json", made["feed.json"])
        assert len(ids) == items
        assert url == (f"{URL}{before.path}feed.json" if items == 50 else "")


# ---------------------------------------------------------------- one item for each edition


def test_the_feed_of_editions_has_an_item_for_each_of_the_newest_fifty() -> None:
    known = series(3, 60)
    made = feeds_of(
        publication_of(known[-1], latest=tuple(reversed(known)), heads=tuple(map(head_of, known)))
    )
    expected = [edition.guid for edition in reversed(known)][:50]
    for name in ("editions.xml", "editions-atom.xml"):
        parsed = feedparser.parse(made[name])
        assert not parsed.bozo
        assert [item.id for item in parsed.entries] == expected
        assert parsed.entries[0].link == f"{URL}{known[-1].path}"
    feed = json.loads(made["editions.json"])
    assert [item["id"] for item in feed["items"]] == expected
    assert feed["feed_url"] == f"{URL}editions.json"


def test_the_feed_of_editions_goes_on_behind_those_whose_papers_other_feeds_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "FEED_ITEMS", 1)
    site = Site(tmp_path)
    for day in (0, 10, 20):
        site.day = day
        site.run((day, [], "a"), (day + 1, [], "a"))
    titles = re.findall(
        r"<title>(\w+, \d+ November 2026|\w+, 6 December 2026)</title>", site.text("editions.xml")
    )
    assert titles == ["Sunday, 6 December 2026", "Thursday, 26 November 2026", "Monday, 16 November 2026"]
    monkeypatch.setattr(publish, "EDITIONS_PAPERS", 4)
    site.publish()
    assert site.text("editions.xml").count("<item>") == 2


def test_an_edition_in_a_feed_says_what_it_holds_with_its_titles_as_links() -> None:
    edition = rich()
    (item,) = json.loads(feeds_of(publication_of(edition))["editions.json"])["items"]
    assert item["title"] == "Thursday, 19 November 2026"
    assert item["summary"] == "30 new papers, 3 top picks and 5 topics."
    assert item["date_published"] == item["date_modified"] == "2026-11-19T06:00:00Z"
    body = etree.fromstring(f"<div>{item['content_html']}</div>")
    links = [(link.get("href"), link.text) for link in body.iter("a")]
    assert links == [(f"{URL}{edition.path}#{entry.anchor}", entry.paper.title) for entry in edition.entries]


def test_an_edition_of_five_hundred_papers_is_cut_in_the_feed_of_editions() -> None:
    from editions import many

    (item,) = json.loads(feeds_of(publication_of(many()))["editions.json"])["items"]
    assert item["content_html"].count("<a ") == 101
    assert item["content_html"].endswith(f'<p><a href="{URL}2026/11/19/">400 more papers</a></p>')


# ---------------------------------------------------------------- WebSub


def test_every_feed_names_itself_and_all_but_archives_the_hub() -> None:
    edition = rich()
    site = replace(SITE, hub="https://hub.example.org/?a=1&b=2")
    made = feeds_of(publication_of(edition, site=site, channels=(channel_of(edition),), issued=(edition,)))
    assert len(made) == 3 * 4
    for path, body in made.items():
        hub = "" if path.startswith(edition.path) else site.hub  # of an archive there is nothing to be told
        if path.endswith(".json"):
            feed = json.loads(body)
            hubs = [{"type": "WebSub", "url": hub}] if hub else []
            assert (feed.get("hubs", []), feed["feed_url"]) == (hubs, f"{URL}{path}")
            continue
        links = {link.get("rel"): link.get("href") for link in etree.fromstring(body).iter(f"{ATOM}link")}
        assert (links.get("hub", ""), links["self"]) == (hub, f"{URL}{path}")


def test_without_a_hub_no_feed_names_one() -> None:
    made = feeds_of(publication_of(rich(), issued=(rich(),)))
    assert not any(b"hub" in body.replace(b"hub.example", b"") for body in made.values())


# ---------------------------------------------------------------- a new version of a paper


def test_a_reader_sees_a_new_version_as_an_update_of_the_item_it_knows() -> None:
    """In Atom and JSON Feed by a later date under the same id. RSS has no such date: there the item's text changes and says so."""
    paper = paper_of(1, "A Title|A gist.|A|O|1|t")
    older = edition_of([paper], day=date(2026, 11, 18), number=1, picks=0)
    revised = replace(paper, title="A Title, Mended", version=2)
    newer = edition_of([revised], day=date(2026, 11, 19), number=2, picks=0, change="updated")
    first = feeds_of(published([older], [older]))
    second = feeds_of(published([older, newer], [newer]))

    def polled(name: str) -> tuple[Any, Any]:
        (before,), (after,) = (feedparser.parse(made[name]).entries for made in (first, second))
        assert before.id == after.id
        return before, after

    before, after = polled("atom.xml")
    assert after.updated_parsed > before.updated_parsed
    assert after.updated_parsed[:5] == (2026, 11, 19, 6, 0)
    assert after.published == before.published
    before, after = polled("rss.xml")
    assert after.published == before.published
    assert (before.title, after.title) == ("A Title", "A Title, Mended")
    assert "New version (2)" in after.content[0].value
    old, new = (json.loads(made["feed.json"])["items"][0] for made in (first, second))
    assert old["id"] == new["id"]
    assert old["date_modified"] < new["date_modified"] == "2026-11-19T06:00:00Z"


def test_a_reader_that_polls_twice_sees_no_update_where_there_is_none() -> None:
    known = series(2, 8)
    first, second = (feedparser.parse(feeds_of(published(known[:n], ()))["atom.xml"]) for n in (7, 8))
    before = {item.id: item.updated for item in first.entries}
    again = {entry.guid for entry in known[7].entries}
    kept = [item for item in second.entries if item.id in before and item.id not in again]
    assert kept
    assert all(item.updated == before[item.id] for item in kept)


# ---------------------------------------------------------------- the list of feeds


def test_the_list_of_feeds_has_each_once_grouped_by_kind() -> None:
    edition = rich()
    catalogue = (
        channel_of(edition, shown=()),
        channel_of(edition, slug="ms", name="Maps & satellites", shown=()),
        channel_of(edition, kind="category", slug="cs.cl", name="cs.CL", shown=()),
        channel_of(edition, kind="author", slug="a", name="A", feeds=False, shown=()),
        channel_of(edition, kind="search", slug="big", name="Big", query="big", shown=()),
    )
    (page,) = subscriptions(publication_of(edition, catalogue=catalogue), shipped())
    assert page.path == "feeds.opml"
    body = etree.fromstring(page.body)[1]
    assert [(outline.get("text"), outline.get("xmlUrl"), len(outline)) for outline in body] == [
        ("Paper Digest", f"{URL}rss.xml", 0),
        ("Editions: Paper Digest", f"{URL}editions.xml", 0),
        ("Topics", None, 2),
        ("Saved searches", None, 1),
        ("Categories", None, 1),
    ]
    assert body[2][1].get("title") == "Maps & satellites: Paper Digest"
    assert body[4][0].get("htmlUrl") == f"{URL}categories/cs.cl/"


# ---------------------------------------------------------------- byte for byte

REVIEWED = (
    "2026/11/19/rss.xml",
    "2026/11/19/atom.xml",
    "2026/11/19/feed.json",
    "editions.xml",
    "editions-atom.xml",
    "editions.json",
)


def test_archives_the_feed_of_editions_and_the_list_are_as_reviewed() -> None:
    publication = publication_of(
        single(), site=replace(SITE, hub="https://hub.example.org/"), issued=(single(),)
    )
    made = feeds_of(publication)
    for path in REVIEWED:
        assert_golden(f"single/{path.replace('2026/11/19/', 'archive-')}", made[path])
    for page in subscriptions(publication, shipped()):
        assert_golden(f"single/{page.path}", page.body)
