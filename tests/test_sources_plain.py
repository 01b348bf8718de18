"""The short ways of the parsers lead to what the long ones would read, and the guard before them cannot be talked round."""

from __future__ import annotations

import json
import random
import time
from html import escape

import pytest

from digest import sources
from digest.errors import ParseError
from digest.model import Listing
from digest.sources import _bytes, huggingface
from digest.sources._bytes import MAX_ATTRIBUTES, MAX_DEPTH, guard_html

PROPS = {
    "dateString": "2026-11-19",
    "dailyPapers": [{"paper": {"id": "2611.01001", "title": "Ropes & <knots>"}}],
}


def tag(props: object = PROPS) -> str:
    return f'<div class="SVELTE_HYDRATER" data-target="DailyPapers" data-props="{escape(json.dumps(props))}"></div>'


def page(inside: str) -> bytes:
    return (
        f"<!doctype html><html><head><title>Daily Papers</title></head><body>{inside}</body></html>".encode()
    )


def titles(body: bytes) -> list[str]:
    return [paper.title for paper in sources.read(Listing(location="page", body=body), "huggingface").papers]


def test_the_json_of_a_page_is_read_without_a_parse_of_the_page() -> None:
    assert huggingface._plain_props(page(tag())) == PROPS
    assert titles(page(tag())) == ["Ropes & <knots>"]


@pytest.mark.parametrize(
    "inside",
    [
        f"<!-- {tag()} -->",
        f"<script>const page = '{tag()}'</script>",
        f"<template>{tag()}</template>",
        f"<textarea>{tag()}</textarea>",
        '<p data-target = DailyPapers data-props="[]"></p>' + tag(),
        tag().replace('data-target="DailyPapers"', "data-target=DailyPapers"),
        tag().replace("<div ", "<div data-props='{}' "),
        tag().replace("Ropes", "Ropes &eacute;"),
        "<p title='> " + tag().replace("'", "&#39;") + "'>",
    ],
)
def test_a_tag_that_a_parser_might_see_otherwise_is_left_to_the_parser(inside: str) -> None:
    assert huggingface._plain_props(page(inside)) is None


def test_a_tag_in_another_form_gives_the_same_papers() -> None:
    assert titles(page(tag().replace('data-target="DailyPapers"', "data-target=DailyPapers"))) == titles(
        page(tag())
    )


@pytest.mark.parametrize(
    "hostile",
    [
        b"<x " + b" ".join(b"a%d" % n for n in range(50_000)) + b">",
        b"<x " + b" ".join(b'a%d=">"' % n for n in range(50_000)) + b">",
        b'<x a=b" ' + b" ".join(b'a%d="><p>"' % n for n in range(50_000)) + b">",
        b"<x " + b" ".join(b"a%d = '</p>'" % n for n in range(50_000)) + b">",
        b"<div>" * 60_000,
        b'<div title="</div>">' * 60_000,
        b"<div><!-- </div> -->" * 60_000,
    ],
)
def test_a_page_made_to_cost_minutes_is_refused_soon(hostile: bytes) -> None:
    started = time.process_time()
    with pytest.raises(ParseError, match="no listing is like that"):
        guard_html(hostile, "page")
    assert time.process_time() - started < 20


def test_a_long_flat_page_passes_the_guard() -> None:
    card = b'<article><h3><a href="/papers/1" title="a > b">T</a></h3><img src="x"><svg><path d="M0"/></svg></article>\n'
    guard_html(card * 8_000, "page")
    guard_html(card.replace(b" > ", b" ") * 8_000, "page")
    guard_html(b"<div>" * (MAX_DEPTH // 2) + card * 3_000, "page")
    guard_html(b"<p " + b" ".join(b"a%d" % n for n in range(MAX_ATTRIBUTES // 2)) + b">", "page")


def test_a_quick_look_at_signs_and_links_misses_nothing() -> None:
    dice = random.Random(6)
    signs = (
        "=",
        '"',
        "'",
        "<",
        ">",
        " ",
        "x",
        "<a",
        "<a ",
        "<a href",
        '=""',
        '="x"',
        "='y'",
        "/",
        "<b>",
        "\0",
    )
    marked = heavy = 0
    for _ in range(20_000):
        body = "".join(dice.choices(signs, k=dice.randint(1, 14))).encode()
        assert _bytes._has_quoted_mark(body) == bool(_bytes.QUOTED_MARK.search(body)), body
        marked += _bytes._has_quoted_mark(body)
    for _ in range(5_000):
        attributes = dice.choices((" a=b", ' c="d"', " e", "/f=''", '"g', " h='>'"), k=dice.randint(0, 14))
        body = f"<p><a{''.join(attributes)}>x</a>".encode()
        if _bytes._HEAVY_LINK.search(body):
            heavy += 1
        else:
            assert _bytes._heaviest_link(body) <= _bytes._LIGHT, body
    assert 300 < marked < 19_000 and 1_000 < heavy < 4_900


def test_many_light_links_pass_and_heavy_ones_left_open_are_refused() -> None:
    def linked(link: str) -> bytes:
        return f"<!doctype html><body>{f'{link}<p><p><p><p>' * 3_000}".encode()

    guard_html(linked('<a href="x" class="y">z</a>'), "page")
    with pytest.raises(ParseError, match="never closed"):
        guard_html(linked(f"<a {' '.join(f'a{n}=1' for n in range(60))}>"), "page")


def test_a_link_that_authors_write_into_an_abstract_stays_as_they_wrote_it() -> None:
    told = "We count carps in [our code](https://github.com/example-lab/carps), which counts on. " * 5
    page = f"Get trending papers in your email inbox!\nSubscribe\nCarps\n{told}\nKilns\n{told}"
    found = sources.read(Listing(location="page", body=page.encode()))
    assert [paper.title for paper in found.papers] == ["Carps", "Kilns"]
    assert "[our code](https://github.com/example-lab/carps)" in found.papers[0].abstract
