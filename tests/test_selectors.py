"""Any HTML page by CSS selectors: each in tests/selectors/ is read with the .selectors.json beside it as the .papers.json says.

`DIGEST_REFRESH=1 .venv/bin/python -m pytest tests/test_selectors.py` writes the expected papers; read them before you commit.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import sizes
from digest import sources
from digest.errors import ListingChanged, ParseError
from digest.model import Listing, Reading
from digest.sources.selectors import Found, survey

PAGES = Path(__file__).parent / "selectors"
FILES = sorted(PAGES.glob("*.html"))
CARDS = (PAGES / "cards.html").read_bytes()
SELECTORS: dict[str, str] = json.loads((PAGES / "cards.html.selectors.json").read_text())


def read(body: str | bytes, base: str = "https://conf.example.org/list", **selectors: str) -> Reading:
    body = body.encode() if isinstance(body, str) else body
    listing = Listing(location="page.html", body=body, base_url=base)
    return sources.read(listing, "selectors", selectors=selectors)


def outcome(page: Path) -> dict[str, Any]:
    """A Reading as JSON without its defaults, or the error's class and message."""
    selectors = json.loads(page.with_name(f"{page.name}.selectors.json").read_text())
    try:
        reading = sources.read(
            Listing(location=page.name, body=page.read_bytes()), "selectors", selectors=selectors
        )
    except ParseError as error:
        return {"error": type(error).__name__, "message": str(error)}
    shown = json.loads(msgspec.json.encode(reading))
    shown["papers"] = [{k: v for k, v in paper.items() if v or k == "title"} for paper in shown["papers"]]
    return {name: value for name, value in shown.items() if value or name in ("kind", "papers")}


@pytest.mark.parametrize("page", FILES, ids=lambda page: page.name)
def test_a_page_is_read_as_the_file_beside_it_says(page: Path) -> None:
    got, path = outcome(page), page.with_name(f"{page.name}.papers.json")
    if os.environ.get("DIGEST_REFRESH") == "1":
        path.write_text(json.dumps(got, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    assert got == json.loads(path.read_text(encoding="utf-8"))


def test_selectors_are_never_chosen_by_auto() -> None:
    with pytest.raises(ParseError):
        sources.recognise(Listing(location="page.html", body=CARDS))


def test_a_reading_without_selectors_says_where_they_stand() -> None:
    with pytest.raises(
        ParseError, match=r'no selector for item and title.*selectors = \{ item = "…", title = "…" \}'
    ):
        read(CARDS)


def test_wrong_css_is_told_by_name() -> None:
    with pytest.raises(ParseError, match=r"title = 'h2\[': no CSS selector: .*position 2"):
        read(CARDS, item="article", title="h2[")


# ---------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("head", "base", "link"),
    [
        ("", "https://a.example.org/x/list", "https://a.example.org/x/p/1"),
        ('<base href="/y/">', "https://a.example.org/x/list", "https://a.example.org/y/p/1"),
        ('<base href="https://b.example.org/">', "", "https://b.example.org/p/1"),
        ('<link rel="canonical" href="https://c.example.org/l">', "", "https://c.example.org/p/1"),
    ],
)
def test_relative_links_are_resolved_against_the_page(head: str, base: str, link: str) -> None:
    page = f"<html><head>{head}</head><body><p><a href='p/1'>A Paper</a></p></body></html>"
    reading = read(page, base, item="p", title="a", link="a")
    assert reading.papers[0].links == {"abstract": link}


def test_a_relative_link_of_nowhere_is_left_out_and_told() -> None:
    reading = read("<p><a href='p/1'>A Paper</a></p>", "", item="p", title="a", link="a")
    assert reading.papers[0].links == {}
    assert "relative links left out: 1" in reading.notes[0]


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", "mailto:a@example.org", "https://u:p@example.org/", "http://[", ""]
)
def test_what_is_no_web_address_is_no_link(href: str) -> None:
    page = f"<p><a href='{href}'>A Paper</a></p>"
    assert read(page, item="p", title="a", link="a").papers[0].links == {}


@pytest.mark.parametrize(
    ("href", "ids"),
    [
        ("https://arxiv.org/pdf/2603.99017v3", {"arxiv": "2603.99017"}),
        ("https://doi.org/10.5555/ABC.1", {"doi": "10.5555/abc.1"}),
        ("https://example.org/2603.99017", {}),
    ],
)
def test_ids_are_those_that_the_links_say(href: str, ids: dict[str, str]) -> None:
    assert read(f"<p><a href='{href}'>A Paper</a></p>", item="p", title="a", link="a").papers[0].ids == ids


@pytest.mark.parametrize(
    ("href", "url"),
    [
        ("?page=2", "https://conf.example.org/list?page=2"),
        ("#", ""),
        ("/list#top", ""),
        ("javascript:more()", ""),
        ("ftp://conf.example.org/2", ""),
    ],
)
def test_the_next_page_is_another_page(href: str, url: str) -> None:
    page = f"<p>A Paper</p><a class=next href='{href}'>more</a>"
    assert read(page, item="p", title=":scope", next="a.next").next_url == url


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-09", "2026-03-09"),
        ("Posted: 2026-03-09T10:00:00+01:00", "2026-03-09T10:00:00+01:00"),
        ("9 March 2026", "2026-03-09"),
        ("Mon, 09 Mar 2026 10:00:00 GMT", "2026-03-09T10:00:00+00:00"),
        ("Published on March 9th, 2026 at noon", "2026-03-09"),
        ("Sept. 9, 2026", "2026-09-09"),
        ("9-Mar-2026", "2026-03-09"),
        ("3/4/2026", None),
        ("2026-02-31", None),
        ("31 February 2026", None),
        ("March 2026", None),
        ("soon", None),
    ],
)
def test_a_date_is_read_in_the_forms_that_mean_one_day(text: str, day: str | None) -> None:
    assert read(f"<p>A Paper<i>{text}</i></p>", item="p", title=":scope", date="i").papers[0].published == day


def test_text_keeps_the_words_of_a_line_together_and_those_of_blocks_apart() -> None:
    page = "<article><h2>A<b>B</b> and<br>C<div>D</div>E <script>x()</script><!-- no --></h2></article>"
    assert read(page, item="article", title="h2").papers[0].title == "AB and C D E"


def test_a_long_attribute_does_not_cut_a_title() -> None:
    page = f"<article><h2><a class='{'x ' * 2000}'>The Whole Title</a></h2></article>"
    assert read(page, item="article", title="h2").papers[0].title == "The Whole Title"


def test_a_title_twice_with_two_links_is_two_papers() -> None:
    page = (
        "<p><a href='/1'>Editorial</a></p><p><a href='/2'>Editorial</a></p><p><a href='/1'>Editorial</a></p>"
    )
    reading = read(page, item="p", title="a", link="a")
    assert len(reading.papers) == 2
    assert reading.notes == ("1 repeated entry left out",)


def test_items_inside_items_are_left_out_and_told() -> None:
    page = "<ul><li><b>One Paper</b><ul><li><b>a point</b></li></ul></li><li><b>Another Paper</b></li></ul>"
    reading = read(page, item="li", title="b")
    assert [paper.title for paper in reading.papers] == ["One Paper", "Another Paper"]
    assert reading.notes == ("items inside another item left out: 1; a selector with > is more exact",)


# ---------------------------------------------------------------- what is not there


@pytest.mark.parametrize(
    ("name", "selector", "told"),
    [
        ("item", "article.papers", '".papers" is not on the page; nearest: ".paper" (3)'),
        ("item", "div.paper .x", '".x" is not on the page'),
        ("item", "li.paper", '"article.paper" (3)'),
        ("item", "paper", '"paper" is not on the page; nearest: ".paper" (3)'),
        ("item", "nav article.paper", '"nav" finds 1, and none of them has what follows'),
        ("title", "h3", '"h3" is not there; nearest: "h2" (3)'),
        ("title", "h2@data-title", 'finds 3 elements in 3 items, with no attribute "data-title" in any'),
        ("title", ".authors h2", "finds nothing in any of 3 items"),
    ],
)
def test_a_selector_that_finds_nothing_is_told_with_the_nearest_thing(
    name: str, selector: str, told: str
) -> None:
    with pytest.raises(ListingChanged) as caught:
        read(CARDS, **(SELECTORS | {name: selector}))
    assert told in str(caught.value)
    assert f'{name} = "{selector}"' in str(caught.value)
    assert "digest sources test NAME" in str(caught.value)


def test_a_missing_field_is_a_note_not_an_error() -> None:
    reading = read(CARDS, **(SELECTORS | {"abstract": ".abstrct"}))
    assert len(reading.papers) == 3
    assert reading.notes == (
        'abstract = ".abstrct" finds nothing in any of 3 items. ".abstrct" is not there; nearest: ".abstract" (2).',
    )


def test_a_page_with_items_is_not_empty_whatever_it_says() -> None:
    reading = read("<p>A Paper</p><div class=none hidden></div>", item="p", title=":scope", empty=".none")
    assert not reading.empty
    assert len(reading.papers) == 1


def test_the_survey_counts_items_with_and_without_each_value() -> None:
    found = {each.name: each for each in survey(Listing(location="p", body=CARDS), SELECTORS)}
    assert list(found) == list(SELECTORS)
    assert found["item"] == Found(
        name="item", selector="article.paper", having=3, lacking=None, first=found["item"].first
    )
    assert (found["link"].having, found["link"].lacking, found["link"].first) == (2, 1, "papers/17")
    assert found["title"].first == "Weighing Clouds with Two Cameras and H₂O Maps"
    assert (found["next"].having, found["next"].lacking) == (1, None)
    assert (found["empty"].having, found["empty"].hint) == (0, "")


# ---------------------------------------------------------------- broken and hostile


@given(at=st.integers(0, len(CARDS)))
def test_a_page_cut_at_any_byte_gives_whole_papers_or_a_named_error(at: int) -> None:
    whole = {paper.title: paper for paper in read(CARDS, **SELECTORS).papers}
    try:
        reading = read(CARDS[:at], **SELECTORS)
    except ParseError as error:
        assert str(error).startswith("page.html: ")
        return
    if at < CARDS.rindex(b"</main>"):
        assert reading.outcome == "suspect"
    for paper in reading.papers[:-1]:
        assert paper == whole[paper.title]


@pytest.mark.parametrize(
    "body",
    [
        b"<div class=p>" * 19_999,
        b"<div class=p><a>x</a>" * 6_000 + b"</div>" * 6_000,
        (b"<div class=p>" * 249 + b"</div>" * 249) * 100,
        b"<b>" * 19_999,
        b"<div class=p><a><p>" * 6_000,
        b"<table>" * 9_999,
        b"<" * 99_000,
        b"<!--" * 24_000,
        b"<div class='" + b" ".join(b"p%d" % n for n in range(100_000)) + b"'>",
        b"<div class=p><a>" + b"word " * 1_000_000,
        b"<div " + b" ".join(b"a%d=1" % n for n in range(100_000)) + b">",
        b"<a href=x>t</a>" * 14_900,
    ],
    ids=range(12),
)
def test_a_hostile_page_costs_little(body: bytes) -> None:
    started = time.process_time()
    try:
        read(body, **(SELECTORS | {"item": "div.p", "title": "a"}))
    except ParseError as error:
        assert len(str(error)) < 1_000
    assert time.process_time() - started < 10


@pytest.mark.parametrize("count", sizes(500, 3_000))
def test_a_long_list_is_read_in_time(count: int) -> None:
    card = "<article class=paper><h2><a href='/{0}'>Paper {0}</a></h2><p class=abstract>We.</p><time>9 March 2026</time></article>"
    page = "<html><body>" + "".join(card.format(n) for n in range(count)) + "</body></html>"
    started = time.process_time()
    assert len(read(page, **SELECTORS).papers) == count
    assert time.process_time() - started < 20


def test_neither_xml_nor_an_address_makes_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    for body in ("<?xml version='1.0'?><feed><entry/></feed>", "https://example.org/", "page.html"):
        with pytest.raises(ParseError):
            read(body, **SELECTORS)
    assert not recwarn.list


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "windows-1252"])
def test_a_page_is_read_in_its_encoding(encoding: str) -> None:
    page = f"<html><head><meta charset={encoding}></head><body><p>Zoë</p></body></html>"
    assert read(page.encode(encoding), item="p", title=":scope").papers[0].title == "Zoë"
