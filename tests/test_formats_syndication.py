"""RSS 2.0, Atom (RFC 4287) and JSON Feed 1.1: well-formed, alike, and the same on every build."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import replace

from conftest import examples
from digest.formats import FORMATS, pages
from digest.formats.items import FEED_DAYS, FEED_ITEMS, make_item
from digest.model import Paper
from editions import (
    EDITIONS,
    SITE,
    URL,
    channels_of,
    edition_of,
    pages_of,
    paper_of,
    publication_of,
    rich,
    shipped,
)

ATOM = "{http://www.w3.org/2005/Atom}"
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"


def feeds_of(publication: Any) -> dict[str, bytes]:
    """The feeds of the whole digest and of its editions, without the pages around them."""
    from digest.formats import jsonfeed, syndication

    made = [*syndication.feeds(publication, shipped()), *jsonfeed.feed(publication, shipped())]
    return {page.path: page.body for page in made}


@pytest.mark.parametrize("name", EDITIONS)
def test_each_feed_parses_without_complaint_and_holds_every_item_once(name: str) -> None:
    edition = EDITIONS[name]()
    made = feeds_of(publication_of(edition))
    ids = [entry.guid for entry in edition.entries]
    for path in ("rss.xml", "atom.xml"):
        parsed = feedparser.parse(made[path])
        assert not parsed.bozo, parsed.get("bozo_exception")
        assert [item.id for item in parsed.entries] == ids
    assert [item["id"] for item in json.loads(made["feed.json"])["items"]] == ids


def test_a_score_of_builds_give_identical_bytes() -> None:
    edition = rich()
    first = pages_of(publication_of(edition), shipped())
    assert all(pages_of(publication_of(edition), shipped()) == first for _ in range(4))
    assert all(feeds_of(publication_of(edition))["rss.xml"] == first["rss.xml"] for _ in range(20))


def test_the_feed_is_as_old_as_its_newest_edition() -> None:
    edition = rich()
    made = feeds_of(publication_of(edition))
    built = etree.fromstring(made["rss.xml"]).findtext("channel/lastBuildDate")
    assert parsedate_to_datetime(str(built)) == edition.issued_at
    assert etree.fromstring(made["atom.xml"]).findtext(f"{ATOM}updated") == "2026-11-19T06:00:00+00:00"


def test_a_feed_before_the_first_edition_is_valid_and_never_says_now() -> None:
    publication = publication_of(rich(), heads=(), latest=(), editions=())
    made = feeds_of(publication)
    for path in ("rss.xml", "atom.xml"):
        parsed = feedparser.parse(made[path])
        assert not parsed.bozo
        assert not parsed.entries
        assert parsed.feed.updated_parsed.tm_year == 1970
    assert json.loads(made["feed.json"])["items"] == []


def test_the_channel_leads_home_and_names_itself() -> None:
    channel = etree.fromstring(feeds_of(publication_of(rich()))["rss.xml"]).find("channel")
    assert channel is not None
    assert channel.findtext("link") == URL
    kind = "application/rss+xml"
    assert [
        (link.get("rel"), link.get("href"), link.get("type")) for link in channel.findall(f"{ATOM}link")
    ] == [
        ("self", f"{URL}rss.xml", kind),
        ("prev-archive", f"{URL}2026/11/18/rss.xml", kind),
    ]
    feed = etree.fromstring(feeds_of(publication_of(rich()))["atom.xml"])
    assert {(link.get("rel"), link.get("href")) for link in feed.findall(f"{ATOM}link")} == {
        ("self", f"{URL}atom.xml"),
        ("alternate", URL),
        ("prev-archive", f"{URL}2026/11/18/atom.xml"),
    }
    assert feed.findtext(f"{ATOM}id") == "tag:papers.example.org,2026:feed/daily"
    assert feed.findtext(f"{ATOM}author/{ATOM}name") == "Example Reading Group"


def test_an_item_has_all_authors_and_the_comment_of_its_paper() -> None:
    names = [f"Author {n}" for n in range(40)]
    paper = replace(paper_of(40, f"T|A gist.|{', '.join(names)}|O|1|t"), comment="12 pages & a map of a < b")
    made = feeds_of(publication_of(edition_of([paper])))
    (item,) = json.loads(made["feed.json"])["items"]
    assert ", ".join(names) in item["content_html"]
    assert "<p>12 pages &amp; a map of a &lt; b</p>" in item["content_html"]


def test_each_feed_has_an_id_of_its_own_that_stays() -> None:
    """Readers know a feed by it for good (RFC 4287, 4.2.6): what is written here may never change."""
    edition = rich()
    made = pages_of(publication_of(edition, issued=(edition,)), shipped())
    ids = {
        path: etree.fromstring(made[path]).findtext(f"{ATOM}id")
        for path in ("atom.xml", "editions-atom.xml", "topics/ms/atom.xml", "2026/11/19/atom.xml")
    }
    tag = "tag:papers.example.org,2026:feed/daily"
    assert ids == {
        "atom.xml": tag,
        "editions-atom.xml": f"{tag}/editions",
        "topics/ms/atom.xml": f"{tag}/topics/ms",
        # A document of the digest's feed (RFC 5005, 4).
        "2026/11/19/atom.xml": tag,
    }


def test_the_feed_of_a_second_part_says_which_it_is() -> None:
    second = edition_of([paper_of(40, "Later|A gist.|A B|O|1|t")], number=215, part=2)
    made = pages_of(publication_of(second, issued=(second,)), shipped())
    root = etree.fromstring(made["2026/11/19/2/atom.xml"])
    assert root.findtext(f"{ATOM}title") == "Paper Digest, Thursday, 19 November 2026, part 2"
    (item,) = json.loads(made["editions.json"])["items"]
    assert item["title"] == "Thursday, 19 November 2026, part 2"


def test_moments_are_of_whole_seconds() -> None:
    at = datetime(2026, 11, 19, 6, 0, 0, 123456, tzinfo=UTC)
    edition = replace(rich(), issued_at=at)
    channels = [replace(channel, changed=at) for channel in channels_of(edition, "topic")]
    made = pages_of(publication_of(edition, channels=tuple(channels)), shipped())
    moments = {
        path: re.findall(r"<(?:updated|published)>(.*?)<", body.decode())
        + re.findall(r'"date_[a-z]+": "(.*?)"', body.decode())
        for path, body in made.items()
        if path.endswith(("atom.xml", "feed.json", "editions.json"))
    }
    assert moments["editions-atom.xml"] == ["2026-11-19T06:00:00+00:00"] * 3
    assert moments["editions.json"] == ["2026-11-19T06:00:00Z"] * 2
    assert [path for path, found in moments.items() if "." in "".join(found)] == []


def test_without_a_publisher_the_site_is_the_author_of_its_feeds() -> None:
    made = feeds_of(publication_of(rich(), site=replace(SITE, publisher="")))
    assert etree.fromstring(made["atom.xml"]).findtext(f"{ATOM}author/{ATOM}name") == SITE.title


def test_an_item_says_what_readers_look_for() -> None:
    item = etree.fromstring(feeds_of(publication_of(rich()))["rss.xml"]).findall("channel/item")[1]
    guid = item.find("guid")
    assert guid is not None
    assert (guid.text, guid.get("isPermaLink")) == ("tag:papers.example.org,2026:arxiv:2611.10001", "false")
    assert item.findtext("link") == "https://arxiv.example/abs/2611.10001"
    assert [c.text for c in item.findall("{http://purl.org/dc/elements/1.1/}creator")] == [
        "Noémie Caron",
        "Bao Tran",
        "Sipho Zulu",
    ]
    assert [c.text for c in item.findall("category")] == ["datasets", "oceans"]
    assert item.findtext("pubDate") == "Wed, 11 Nov 2026 09:01:00 +0000"
    assert "40 ports" in str(item.findtext("description"))


def test_atom_bodies_declare_themselves_html() -> None:
    for entry in etree.fromstring(feeds_of(publication_of(rich()))["atom.xml"]).findall(f"{ATOM}entry"):
        for name in ("content", "summary"):
            body = entry.find(ATOM + name)
            assert body is not None
            assert body.get("type") == "html"


@pytest.mark.parametrize("name", EDITIONS)
def test_bodies_hold_no_markup_but_p_a_em_and_code(name: str) -> None:
    """And no address but http, https: nothing of a hostile title comes through."""
    channel = etree.fromstring(feeds_of(publication_of(EDITIONS[name]()))["rss.xml"])
    for body in channel.iter(CONTENT, "description"):
        assert set(re.findall(r"</?([A-Za-z!][^\s>]*)", body.text or "")) <= {"p", "a", "em", "code"}
        assert all(
            link.startswith(("https://", "http://"))
            for link in re.findall(r'href="([^"]*)"', body.text or "")
        )


def test_markup_in_titles_is_text_and_written_in_hexadecimal() -> None:
    edition = edition_of([Paper(key="title:x", title="<b>Bold</b> & x < y")], picks=0)
    made = feeds_of(publication_of(edition))
    assert b"<title>&#x3C;b&#x3E;Bold&#x3C;/b&#x3E; &#x26; x &#x3C; y</title>" in made["rss.xml"]
    assert etree.fromstring(made["atom.xml"]).findtext(f"{ATOM}entry/{ATOM}title") == "<b>Bold</b> & x < y"
    assert json.loads(made["feed.json"])["items"][0]["title"] == "<b>Bold</b> & x < y"


def test_a_paper_without_links_leads_to_the_archive() -> None:
    edition = edition_of([Paper(key="title:x", title="T", abstract="A.")], picks=0)
    item = json.loads(feeds_of(publication_of(edition))["feed.json"])["items"][0]
    assert item["url"] == f"{URL}2026/11/19/#p-x"
    assert item["content_html"] == f'<p>A.</p><p><a href="{URL}2026/11/19/#p-x">In the archive</a></p>'
    assert "authors" not in item


def test_each_xml_feed_carries_its_stylesheet() -> None:
    made = pages_of(publication_of(rich()), shipped())
    for path in ("rss.xml", "atom.xml", "editions.xml", "editions-atom.xml"):
        second_line = made[path].splitlines()[1]
        assert (
            second_line
            == b'<?xml-stylesheet type="text/css" href="https://papers.example.org/feeds/feed.css"?>'
        )
    assert b"content:" in made["feeds/feed.css"]
    # Its letters are of the size that the reader has set, as those of pages.
    assert not re.search(rb"font(-size)?:[^;}]*[0-9]px", made["feeds/feed.css"])


# ---------------------------------------------------------------- which items, with which dates


def days_of(count: int, each: int) -> list[Any]:
    """Editions of successive days, newest first, each with papers of its own."""
    found = []
    for n in range(count):
        papers = [paper_of(n * each + k, f"T {n}.{k}|A gist.|A|O|1|t") for k in range(each)]
        day = date(2026, 11, 19) - timedelta(days=n)
        found.append(edition_of(papers, day=day, number=214 - n, picks=0))
    return found


def test_whole_editions_until_there_are_fifty_items_when_seven_days_hold_fewer() -> None:
    items = publication_of(rich(), latest=tuple(days_of(30, 3))).items
    assert FEED_ITEMS == 50
    assert len(items) == 17 * 3


def test_seven_days_when_they_hold_more_than_fifty() -> None:
    items = publication_of(rich(), latest=tuple(days_of(10, 12))).items
    assert len(items) == FEED_DAYS * 12


def test_a_paper_in_two_editions_is_one_item_of_the_newer() -> None:
    paper = paper_of(1, "T|A gist.|A|O|1|t")
    older = edition_of([paper], day=date(2026, 11, 18), number=213, picks=0)
    newer = edition_of([replace(paper, title="T, revised")], picks=0, change="updated")
    (item,) = publication_of(newer, latest=(newer, older)).items
    assert item.title == "T, revised"


@given(
    published=st.sampled_from([None, "2026-11-01", "2026-11-18T23:00:00Z", "2031-01-01", "nonsense"]),
    updated=st.sampled_from([None, "2026-10-01", "2026-11-19", "2031-01-01"]),
)
def test_a_new_version_always_has_a_later_updated(published: str | None, updated: str | None) -> None:
    paper = Paper(key="arxiv:1", title="T", published=published, updated=updated)
    older = edition_of([paper], day=date(2026, 11, 18), picks=0)
    newer = edition_of([paper], day=date(2026, 11, 19), picks=0, change="updated")
    before, after = (make_item(e.entries[0], e, "https://a.example/") for e in (older, newer))
    assert before.updated < after.updated
    for item, edition in ((before, older), (after, newer)):
        assert item.published <= item.updated <= edition.issued_at


def test_dates_come_from_the_paper_before_the_edition() -> None:
    edition = edition_of([paper_of(1, "T|A gist.|A|O|1|t"), Paper(key="title:x", title="X")], picks=0)
    dated, undated = publication_of(edition).items
    assert dated.published == datetime(2026, 11, 11, 9, 1, tzinfo=UTC)
    assert undated.published == undated.updated == edition.issued_at


# ---------------------------------------------------------------- whatever stands in a title


@settings(max_examples=examples(150), deadline=None)
@given(title=st.text(max_size=300), author=st.text(max_size=40), url=st.text(max_size=60))
def test_no_text_kills_a_feed(title: str, author: str, url: str) -> None:
    """Control characters, lone surrogates, noncharacters, markup, injected links: three feeds, the same ids, no complaint."""
    paper = Paper(
        key="title:x",
        title=title,
        abstract=title,
        authors=(author,),
        links={"abstract": url, "pdf": f"https://{url}"},
    )
    edition = edition_of([paper], picks=0)
    made = feeds_of(publication_of(edition))
    for path in ("rss.xml", "atom.xml"):
        parsed = feedparser.parse(made[path])
        assert not parsed.bozo, parsed.get("bozo_exception")
        assert [item.id for item in parsed.entries] == [edition.entries[0].guid]
        assert parsed.entries[0].link.startswith(("https://", "http://"))
    assert [item["id"] for item in json.loads(made["feed.json"])["items"]] == [edition.entries[0].guid]


def test_pages_come_before_what_links_to_them() -> None:
    order = [page.path for page in pages(publication_of(rich()), shipped())]
    assert len(order) == len(set(order))
    at = order.index
    assert at("2026/11/19/index.html") < at("2026/11/index.html") < at("rss.xml") < at("index.html")
    assert list(FORMATS)[-3:] == ["home", "sitemap", "not found"]
