"""The page people are sent to who want to follow a feed: what there is to copy, in an order that can be followed, on any screen."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from lxml import html

from digest.formats import Channel, Publication, feeds
from editions import URL, publication_of, rich, shipped

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def with_channels(categories: int) -> Publication:
    """Channels of all kinds; one with a name of letters that do not end, one of another script."""
    names: list[tuple[Any, str]] = [
        ("topic", "Speech & sound"),
        ("topic", "W" * 142),
        ("search", "Big models"),
        ("author", "李 明"),
    ]
    names += [("category", f"cs.{number:03}") for number in range(categories)]
    found = tuple(
        Channel(kind=kind, slug=f"s{n}", name=name, papers=n * 7, query="big model*")
        for n, (kind, name) in enumerate(names)
    )
    return publication_of(rich(), catalogue=found)


def page_of(publication: Publication) -> bytes:
    (body,) = [page.body for page in feeds.page(publication, shipped()) if page.path == "feeds/index.html"]
    return body


def read(publication: Publication) -> Any:
    return html.fromstring(page_of(publication).decode()).find(".//main")


def test_it_has_one_h1_and_skips_no_heading() -> None:
    main = read(with_channels(150))
    levels = [int(element.tag[1]) for element in main.iter("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert [heading.text_content() for heading in main.iter("h2")] == [
        "All papers",
        "One item for each edition",
        "The newest items",
        "Topics",
        "Saved searches",
        "Authors",
        "Categories",
        "All feeds at once",
    ]


def test_each_address_stands_there_to_be_copied_and_to_be_followed() -> None:
    main = read(with_channels(3))
    copied = [code.text_content() for code in main.iter("code")]
    assert copied == [f"{URL}rss.xml", f"{URL}atom.xml", f"{URL}feed.json", f"{URL}editions.xml"]
    links = [link.get("href") for link in main.iter("a")]
    for path in (
        *("rss.xml", "atom.xml", "feed.json"),
        *("editions.xml", "editions-atom.xml", "editions.json"),
        "feeds.opml",
    ):
        assert f"{URL}{path}" in links
    for folder in ("topics/s0/", "searches/s2/", "authors/s3/", "categories/s4/", "categories/s6/"):
        assert {f"{URL}{folder}{name}" for name in ("", "rss.xml", "atom.xml", "feed.json")} <= set(links)


def test_a_link_says_to_those_who_only_hear_it_whose_feed_it_is() -> None:
    (link,) = [
        link for link in read(with_channels(3)).iter("a") if link.get("href") == f"{URL}topics/s0/feed.json"
    ]
    assert (link.text, link.get("aria-label"), link.get("type")) == (
        "JSON",
        "JSON Feed: Speech & sound",
        "application/feed+json",
    )


@pytest.mark.parametrize(("categories", "folded"), [(12, 0), (13, 1), (150, 1)])
def test_many_categories_do_not_drown_the_page(categories: int, folded: int) -> None:
    main = read(with_channels(categories))
    (group,) = [heading for heading in main.iter("h2") if heading.text_content() == "Categories"]
    assert len(main.findall("details")) == folded
    if folded:
        details = group.getnext().getnext()
        assert details.get("open") is None
        assert details.find("summary").text_content() == f"All {categories} of them"
        assert len(details.findall("ul/li")) == categories


def test_a_digest_without_channels_or_editions_says_nothing_of_them() -> None:
    bare = publication_of(rich(), heads=(), latest=(), editions=(), catalogue=())
    headings = [heading.text_content() for heading in read(bare).iter("h2")]
    assert headings == ["All papers", "One item for each edition", "All feeds at once"]
    assert b"at the moment 0 items" in page_of(bare)


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_it_fits_any_screen_and_a_click_selects_an_address(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "feeds.html"
    file.write_bytes(page_of(with_channels(150)))
    page = browser.new_page(viewport={"width": 320, "height": 700})
    page.goto(file.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 375, "height": 700})
    small = page.evaluate(
        """[...document.querySelectorAll("main a, main summary, main code")]
        .map(element => [element.textContent, element.getBoundingClientRect()])
        .filter(([text, box]) => box.height < 44 || box.width < 44).map(([text]) => text)"""
    )
    assert small == []
    page.click("main code")
    assert page.evaluate("String(getSelection())").strip() == f"{URL}rss.xml"
