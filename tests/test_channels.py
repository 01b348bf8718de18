"""Pages of topics, categories, authors and saved searches, and the lists of them."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from bs4 import BeautifulSoup, Tag
from msgspec.structs import replace

from digest.formats import Channel, Shown
from digest.formats.channels import query_of
from digest.labels import record_path
from editions import (
    DAY,
    EDITIONS,
    URL,
    channels_of,
    edition_of,
    many,
    pages_of,
    paper_of,
    publication_of,
    rich,
    sample_channels,
    shipped,
)
from html_allowed import faults_of_html


def page_of(channel: Channel, **changes: object) -> BeautifulSoup:
    publication = publication_of(rich(), channels=(channel,), **changes)
    return BeautifulSoup(pages_of(publication, shipped())[f"{channel.path}index.html"], "html.parser")


def test_a_topic_shows_its_papers_in_the_order_given_under_the_dates_of_their_editions() -> None:
    yesterday = edition_of(
        [paper_of(40, "Yesterday|A gist.|A B|O|1|t")], day=DAY - timedelta(days=1), number=213, picks=0
    )
    today, before = (channels_of(edition, "topic")[-1] for edition in (rich(), yesterday))
    page = page_of(replace(today, shown=(*today.shown, *before.shown), papers=len(today.shown) + 1))
    heads = [(str(link["href"]), link.text) for link in page.select("main h2 a")]
    assert heads == [
        (f"{URL}2026/11/19/", "Thursday, 19 November 2026"),
        (f"{URL}2026/11/18/", "Wednesday, 18 November 2026"),
    ]
    sections = page.select("main section")
    assert [len(section.select("article")) for section in sections] == [len(today.shown), 1]
    shown = [*today.shown, *before.shown]
    assert [link.text for link in page.select("article h3 a")] == [one.entry.paper.title for one in shown]
    assert [str(link["href"]) for link in page.select("article h3 a")] == [
        URL + record_path(one.entry.paper.key) for one in shown
    ]


def test_parts_of_a_date_stand_apart() -> None:
    topic = channels_of(rich(), "topic")[0]
    second = replace(topic.shown[0].edition, part=2, id="2026-11-19/2")
    page = page_of(replace(topic, shown=(Shown(topic.shown[1].entry, second), topic.shown[0])))
    assert [head.text for head in page.select("main h2")] == [
        "Thursday, 19 November 2026, part 2",
        "Thursday, 19 November 2026",
    ]


def test_a_row_has_gist_facts_and_links_but_no_abstract() -> None:
    channel = channels_of(rich(), "topic")[1]
    first = page_of(channel).select_one("article")
    paper = channel.shown[0].entry.paper
    assert isinstance(first, Tag)
    lines = [line.text for line in first.select("p")]
    assert lines[0] == channel.shown[0].entry.gist
    assert lines[1].startswith(", ".join(paper.authors[:3]))
    assert [link.text for link in first.select(".act a")][:2] == ["Abs", "PDF"]
    assert paper.abstract not in first.text


@pytest.mark.parametrize("kind", ["topic", "category", "author"])
def test_what_is_not_shown_can_be_searched(kind: str) -> None:
    edition = edition_of(
        [replace(paper_of(1, 'T|G.|Ada "Q" Fenwick|O|1|t'), categories=("cs.CL",))], picks=0, shares=(1,)
    )
    (channel,) = channels_of(edition, kind)
    page = page_of(replace(channel, papers=214))
    more = page.find("a", string="Search all 214 papers")
    assert isinstance(more, Tag)
    query = parse_qs(urlsplit(str(more["href"])).query)["q"]
    expected = {"topic": "topic:ss", "category": "category:cs.cl", "author": 'author:"Ada Q Fenwick"'}
    assert query == [expected[kind]]
    assert "214 papers, the newest 1 of them here." in page.text
    assert page_of(channel).find("a", string="Search all 1 paper") is None


def test_the_search_of_a_saved_search_is_its_own_and_is_shown() -> None:
    search = sample_channels(rich())[-1]
    assert query_of(search) == search.query == '"deep sea" or*'
    code = page_of(search).select_one("main code")
    assert code is not None
    assert code.text == search.query


def test_a_channel_leads_to_the_list_of_its_kind_where_there_is_one() -> None:
    (topic, *_), (author, *_) = channels_of(rich(), "topic"), channels_of(rich(), "author")
    listed = page_of(topic, catalogue=(replace(topic, shown=()),))
    assert [(str(a["href"]), a.text) for a in listed.select("main .pn a")] == [(f"{URL}topics/", "Topics")]
    alone = page_of(replace(author, feeds=False), catalogue=(replace(topic, shown=()),))
    assert not alone.select("main .pn a")


def test_feeds_are_offered_where_a_channel_has_them_and_found_by_readers() -> None:
    topic = channels_of(rich(), "topic")[0]
    own = [f"{URL}{topic.path}{file}" for file in ("rss.xml", "atom.xml", "feed.json")]
    page = page_of(topic)
    assert [link["href"] for link in page.select("link[rel=alternate]")] == own
    assert [link["href"] for link in page.select(".feeds a")] == own
    page = page_of(replace(topic, feeds=False))
    assert page.select(".feeds a") == []
    assert [link["href"] for link in page.select("link[rel=alternate]")] == [
        f"{URL}{file}" for file in ("rss.xml", "atom.xml", "feed.json")
    ]


def test_a_channel_without_papers_has_a_page_that_says_so() -> None:
    page = page_of(Channel(kind="author", slug="ada-fenwick", name="Ada Fenwick", papers=0))
    assert "Author: 0 papers." in page.text
    assert "No paper yet." in page.text


def test_names_of_other_scripts_have_addresses_that_every_program_takes() -> None:
    channel = Channel(
        kind="author", slug="李-明", name="李 明", papers=2, shown=channels_of(rich(), "topic")[0].shown[:2]
    )
    made = pages_of(
        publication_of(rich(), channels=(channel,), catalogue=(replace(channel, shown=()),)), shipped()
    )
    page = BeautifulSoup(made["authors/李-明/index.html"], "html.parser")
    address = f"{URL}authors/%E6%9D%8E-%E6%98%8E/"
    assert [link["href"] for link in page.select("link[rel=canonical]")] == [address]
    assert f'href="{address}"'.encode() in made["authors/index.html"]
    assert address.encode() in made["sitemap-1.xml"]


def test_lists_have_every_channel_with_its_number_of_papers_in_the_order_of_the_catalogue() -> None:
    publication = publication_of(rich())
    made = pages_of(publication, shipped())
    for kind, folder in (("topic", "topics"), ("author", "authors"), ("search", "searches")):
        page = BeautifulSoup(made[f"{folder}/index.html"], "html.parser")
        channels = [channel for channel in publication.catalogue if channel.kind == kind]
        assert [link["href"] for link in page.select("main li a")] == [URL + c.path for c in channels]
        assert [i.text for i in page.select("main li i")] == [
            f"{c.papers} paper{'' if c.papers == 1 else 's'}" for c in channels
        ]
    assert "categories/index.html" not in made


def test_home_names_the_topics_and_the_lists_there_are() -> None:
    publication = publication_of(rich())
    home = BeautifulSoup(pages_of(publication, shipped())["index.html"], "html.parser")
    topics = [channel for channel in publication.catalogue if channel.kind == "topic"]
    assert [link["href"] for link in home.select(".topics a")] == [URL + channel.path for channel in topics]
    assert [i.text for i in home.select(".topics i")] == [str(channel.papers) for channel in topics]
    assert [link.text for link in home.select(".lists a")] == ["Topics", "Authors", "Saved searches"]
    bare = BeautifulSoup(
        pages_of(publication_of(rich(), catalogue=()), shipped())["index.html"], "html.parser"
    )
    assert not bare.select(".topics, .lists")


def test_a_paper_is_put_into_words_once_for_all_channels_that_show_it() -> None:
    edition = many(60)
    channels = channels_of(edition, "topic", "author")
    made = pages_of(publication_of(edition, channels=tuple(channels)), shipped())
    rows = {}
    for channel in channels:
        page = BeautifulSoup(made[f"{channel.path}index.html"], "html.parser")
        for article in page.select("article"):
            link = article.select_one("h3 a")
            assert link is not None
            assert rows.setdefault(str(link["href"]), str(article)) == str(article)
    assert len(rows) == edition.count


@pytest.mark.parametrize("name", EDITIONS)
def test_channel_pages_hold_nothing_that_their_templates_do_not_write(name: str) -> None:
    publication = publication_of(EDITIONS[name]())
    made = pages_of(publication, shipped())
    for channel in publication.channels:
        assert faults_of_html(made[f"{channel.path}index.html"]) == []
    for path in ("topics/index.html", "authors/index.html", "searches/index.html"):
        assert path not in made or faults_of_html(made[path]) == []
