"""Cards that are read without a tree are read as the tree would give them, whatever stands around them or inside."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from benchmarks import pages
from conftest import SHARED, sizes
from digest.model import Reading
from digest.sources import _cards_quick, huggingface
from quick_pages import Outcome, by_parser, changed, outcome_of, within

LISTINGS = [
    *sorted((Path(__file__).parent / "listings" / "huggingface").glob("*.html")),
    *sorted(SHARED.glob("*hf_*.html")),
]

# Votes behind words in the same class, as the real pages have them; faces with a picture and without.
CARD = """<div class="box"><article class="flex flex-col"><a href="/papers/{id}" class="peer block">{picture}
</a>
<div class="absolute text-xs leading-none">Submitted by
<img alt="" class="w-2.5" src="/avatars/x.svg" crossorigin="anonymous"> naa</div>
<div class="flex"><div class="flex pt-1 "><a href="/login?next=%2Fpapers%2F{id}" class="self-start">
<div class="shadow h-14"><input disabled type="checkbox"  class="peer hidden">
<svg class="text-sm" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 12 12"><path fill="currentColor" d="M5 2"></path></svg>
<div class="leading-none">{votes}</div></div></a>
</div>
<div class="w-full"><h3 class="mb-1 hover:underline"><a href="/papers/{id}" class="line-clamp-3">{title}</a></h3>
<div class="flex"><a href="/papers/{id}" class="flex"><ul class="flex"><li class="-mr-2" title="ada" style="margin:auto;">
<img alt="" src="/a.svg"></li><li title="bo"></li>
<li class="order-first"><div class="flex"><div class="ml-1">·</div>
12 authors
</div></li></ul></a>
<a href="/papers/{id}#community" class="text-md"><svg viewBox="0 0 24 24"><path d="M2 1"></path></svg> 5 </a></div></div></div>
</article></div>
"""
STILL, MOVING = (
    '<img src="https://cdn.example.org/1.png" alt="" class="object-top">',
    '<video src="https://cdn.example.org/1.mp4" loop muted playsinline class="object-top"></video>',
)


def card(n: int, title: str = "Knots &amp; Ropes &lt;i&gt;", picture: str = STILL) -> str:
    return CARD.format(id=f"2611.{n:05d}", title=title, picture=picture, votes=10 * n)


PAGE = f"""<!doctype html>
<html class=""><head><meta charset="utf-8" /><title>Daily Papers - Hugging Face</title></head>
<body class="flex"><header><form action="/search"><svg viewBox="0 0 1 1"><path d="M1"></path></svg></form></header>
<main class="flex"><section><h1 class="text-2xl">Daily Papers</h1>
<time datetime="2026-11-19T00:00:00.000Z"><span>19</span></time>
<div class="grid">{card(1)}{card(2, title="Tïed > in 2 ways", picture=MOVING)}{card(3, title='The "soft" knot')}
{card(4, title="Loose")}
{card(5, title=" of <b>one</b> rope ")}{card(6)}</div>
<article class="news"><h3><a href="/papers/2611.00007">Unlike a card</a></h3></article></section></main>
<footer>© Example</footer></body></html>
"""


outcome = outcome_of(huggingface.read, "https://huggingface.co/papers")


@pytest.fixture
def by_tree(monkeypatch: pytest.MonkeyPatch) -> Outcome:
    return by_parser(outcome, _cards_quick, monkeypatch)


def taken(body: bytes) -> int:
    return sum(len(row.cards) for row in _cards_quick.divided(body)[1])


def without_json(body: bytes) -> bytes:
    """The page as if only its cards had been saved."""
    return re.sub(rb' data-target="DailyPapers"| data-target=DailyPapers', b"", body)


def test_cards_plainly_nested_are_taken_out_and_read_whole() -> None:
    assert taken(PAGE.encode()) == 5  # of the others one has a quote in its title, and one a tag
    found = outcome(PAGE.encode())
    assert isinstance(found, Reading)
    assert [paper.upvotes for paper in found.papers] == [10, 20, 30, 40, 50, 60, None]
    assert found.papers[1].title == "Tïed > in 2 ways"
    assert taken(pages.cards_page(pages.invented(300))) == 300


@pytest.mark.parametrize("path", LISTINGS, ids=lambda path: str(path.name))
def test_a_page_is_read_as_by_the_parser(path: Path, by_tree: Outcome) -> None:
    for body in (path.read_bytes(), without_json(path.read_bytes())):
        assert outcome(body) == by_tree(body)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_invented_page_is_read_as_by_the_parser(seed: int, by_tree: Outcome) -> None:
    body = pages.cards_page(pages.invented(60, seed))
    assert outcome(body) == by_tree(body)


AROUND = [
    ("<!--", "-->"), ("<script>", "</script>"), ("<textarea>", "</textarea>"), ("<template>", "</template>"),
    ("<b>", "</b>"), ("<p title='", "'>"), ("<p title=\"", "\">"), ("<svg>", "</svg>"), ("<select>", "</select>"),
    ("<table><tr><td>", "</table>"), ("<table>", "</table>"), ("<table>", ""), ("<div><table>", "</div>"),
    ("<article>", "</article>"), ("<article>", ""), ("", "</article>"), ("<article class='leading-none'><h3>", ""),
    ("<article><div class=leading-none>7</div>", "</article>"), ("<h3>", "</h3>"), ("<h3>", ""),
    ("<a href='/papers/2611.00009'>", "</a>"), ("<a href='/x'><div>", "</div>"), ("<p><a href=x>y</p>", ""),
    ("<p><i>", ""), ("<p>", ""), ("<ul><li>", "</ul>"), ("<style>", ""), ("<plaintext>", ""), ("</div>", ""),
    ("", "</div>"), ("<div>", ""), ("<button>", "</button>"), ("<math>", "</math>"), ("<noscript>", "</noscript>"),
    ("<frameset>", ""), ("</body>", ""), ("</html>", ""), ("<object>", "</object>"), ("<title>", "</title>"),
    ("<form>", ""), ("<svg><foreignObject>", ""), ("<span>", ""), ("<section>", ""), ("<main>", "</main>"),
    ("<b><div>", ""), ("<b><div>", "</b></div>"), ("<!DOCTYPE html>", ""), ("<head>", "</head>"),
    ("<time datetime='2020-01-01'>", "</time>"),
    ("<div data-target=DailyPapers data-props='{\"dailyPapers\": []}'>", "</div>"), ("\r", ""), ("\0", ""),
    ("<x-card>", "</x-card>"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "behind"), AROUND)
def test_what_stands_around_cards_means_what_it_means_to_the_parser(
    before: str, behind: str, by_tree: Outcome
) -> None:
    for first, last in (
        ("<!doctype", "</html>"), ("<h1", "</h1>"), ('<div class="grid">', '<article class="news">'), ("<article", "<img"),
        (card(1), card(4, title="Loose")), (card(4, title="Loose"), card(6)), (card(6), "</section>"),
    ):  # fmt: skip
        body = within(PAGE, first, last, before, behind)
        assert outcome(body) == by_tree(body)


PIECES = (
    '< > & " \' = / <!-- --> </a> <a> <a\thref="/papers/2611.00008"> <a\thref=\'/papers/2611.00008\'> href="/papers/1234.5678" '
    '<br> <br/> </p> <p> <b> </b> </div> <div> <div\tclass="leading-none"> <div\tclass="x\fleading-none"> '
    '<span\tclass="LEADING-NONE"> leading-none leading&#45;none <article> <article\tclass="flex"> </article> <h3> '
    '<h3\tclass="x"> </h3> <h2> <header> <ul> </ul> <li> </li> <svg> </svg> <path/> <path\td="x"> </path> <img> </img> '
    '<input\ttype="hidden"> </br> <video> </span> <table> <tr> <td> <script> <style> <title> <textarea> <select> <option> '
    '<button> <form> <template> <time\tdatetime="2026-01-02"> <body> <html> <head> </body> </html> <frameset> &nbsp; &lt; &lt '
    '&amp;lt; &#1; &#x80; &#0; &#48; &notin &copy \0 \r \f \v \x1c \x85 \xa0 \u2028 \ufeff ² 7 99999999999 class= class="" '
    'class="leading-none" CLASS="leading-none" HREF="/papers/2611.00006" /papers/ papers" "> /> =" Daily Papers DailyPapers '
    'data-target="DailyPapers" data-props="{}" xmlns="x" "x'
)  # fmt: skip


@pytest.mark.parametrize("pages", sizes(300, 6_000))
def test_a_page_changed_anywhere_is_read_as_by_the_parser(by_tree: Outcome, pages: int) -> None:
    rnd = random.Random(5)
    short = 0
    for n in range(pages):
        page = changed(rnd, PAGE, PIECES.split(" "))
        body = page.encode("utf-8", "replace")
        assert outcome(body) == by_tree(body), (n, page)
        short += taken(body) > 0
    assert short > pages * 2 / 3  # or nothing was compared


LIKED, OTHERS = (
    "div ul p a span video svg img input br",
    "h3 li path circle b h2 button header time article table",
)
NAMES = f"{LIKED} {LIKED} {LIKED} {LIKED} {LIKED} {OTHERS}".split()
VALUES = [
    "x",
    "leading-none",
    "text-xs leading-none",
    "/papers/2611.00009",
    "<div>",
    "a &amp; b",
    "it's",
    "a > b",
]
TEXTS = ["", "", " ", "7", " 12 ", "7k", "one", "a > b", "a &lt; b", "\n", "it's"]
PLACES = ['<div class="absolute', "<h3", "<ul", "</ul>", "12 authors", "</article>", "</h3>", "</a></h3>"]


def nested(rnd: random.Random, depth: int) -> str:
    """Tags that are closed in their turn, most of them of the kinds that are taken."""
    name = rnd.choice(NAMES)
    attributes = "".join(
        f' {key}="{rnd.choice(VALUES)}"' if rnd.random() < 0.9 else f" {key}"
        for key in rnd.sample(
            ["class", "title", "href" if name == "a" else "type", "id"], rnd.choice([0, 1, 1, 2])
        )
    )
    if name in ("img", "input", "br"):
        return f"<{name}{attributes}>"
    inner = [rnd.choice(TEXTS)]
    for _ in range(rnd.choice([0, 1, 1, 2, 3]) if depth else 0):
        one = nested(rnd, depth - 1)
        inner += (f"<li>{one}</li>" if name == "ul" else one, rnd.choice(TEXTS))
    if name == "svg":
        inner = [f'<path d="{n}"></path>' for n in range(rnd.randint(0, 2))]
    return f"<{name}{attributes}>{''.join(inner)}</{name}>"


@pytest.mark.parametrize("pages", sizes(200, 4_000))
def test_any_nest_of_tags_in_a_card_is_read_as_by_the_parser(by_tree: Outcome, pages: int) -> None:
    rnd = random.Random(7)
    short = 0
    for n in range(pages):
        one = card(1)
        for place in rnd.sample(PLACES, rnd.choice([1, 1, 2])):
            one = one.replace(place, nested(rnd, 2) + place, 1)
        body = PAGE.replace(card(1), one).encode()
        assert outcome(body) == by_tree(body), (n, one)
        short += taken(body) == taken(PAGE.encode())
    assert short > pages / 4  # or hardly any of these nests was taken


def test_what_would_cost_too_much_to_look_at_is_left_to_the_parser(by_tree: Outcome) -> None:
    forms = [card(n).replace("</h3>", "</h3>" + "<br>" * n) for n in range(_cards_quick.MAX_FORMS + 50)]
    many = PAGE.replace(card(1), "".join(forms)).encode()
    assert _cards_quick.MAX_FORMS <= taken(many) < len(forms)
    assert outcome(many) == by_tree(many)
    for more in ('<div class="leading-none">x</div>' * 20, "<br>" * 2_000, "x" * _cards_quick.MAX_CARD_BYTES):
        body = PAGE.replace(card(1), card(1).replace('<div class="abs', f'{more}<div class="abs', 1)).encode()
        assert taken(body) == taken(PAGE.encode()) - 1
        assert outcome(body) == by_tree(body)
