"""Entries that are read without a tree are read as the tree would give them, whatever stands around them or inside."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks import pages
from conftest import sizes
from digest.sources import _arxiv_quick, arxiv
from quick_pages import Outcome, by_parser, changed, outcome_of, within

LISTINGS = sorted((Path(__file__).parent / "listings" / "arxiv").glob("*.html"))


def entry(
    n: int, mark: str = "", more: str = "", title: str = "Knots &amp; Ropes &lt;i&gt;", abstract: str = ""
) -> str:
    name = f"2611.{n:05d}"
    return f"""    <dt>
      <a name='item{n}'>[{n}]</a>
      <a href ="/abs/{name}" title="Abstract" id="{name}">
        arXiv:{name}
      </a>
      {mark}
        [<a href="/pdf/{name}" title="Download PDF" id="pdf-{name}" aria-labelledby="pdf-{name}">pdf</a>, <a href="/html/{name}v2" title="View HTML" id="html-{name}" aria-labelledby="html-{name}" rel="noopener noreferrer" target="_blank">html</a>, <a href="/format/{name}" title="Other formats" id="oth-{name}" aria-labelledby="oth-{name}">other</a>]
    </dt>
    <dd>
      <div class='meta'>
        <div class='list-title mathjax'><span class='descriptor'>Title:</span>
          {title}
        </div>
        <div class='list-authors'>The <a href="https://arxiv.org/search/cs?searchtype=author&amp;query=Ø" rel="nofollow">Knot Team</a>: <a href="/search/?query=Holm,+E">Edda Holm</a> (1 and 2), <a href="/x">Bo &#34;B&#34; Ek</a></div>

{more}
        <div class='list-subjects'><span class='descriptor'>Subjects:</span>
          <span class="primary-subject">Databases (cs.DB)</span>; Performance (cs.PF)
        </div>

        <p class='mathjax'>
          {abstract}
        </p>
      </div>
    </dd>
"""  # noqa: E501


MORE = """        <div class='list-comments mathjax'><span class='descriptor'>Comments:</span>
          9 pages, <a href="https://example.org/a?b=1&amp;c=2" rel="external noopener nofollow" class="link-external link-https">this https URL</a>, withdrawn by its authors
        </div>
        <div class='list-journal-ref'><span class='descriptor'>Journal-ref:</span>
          Knots 3 (2026) 1
        </div>
        <div class='list-doi'><span class='descriptor'>DOI:</span>
          <a href="https://doi.org/10.5555/knot.1" rel="external noopener nofollow">https://doi.org/10.5555/knot.1</a>
        </div>
"""  # noqa: E501
LINKED = """We tie $n &gt; 2$ knots.
<br>See <a href="https://arxiv.org/abs/2610.1" data-arxiv-id="2610.1" class="link-https">arXiv:2610.1</a> and
<a href="https://github.com/e/k" rel="external noopener nofollow" class="link-external link-https">this https URL</a>.
"""
PAGE = f"""<!DOCTYPE html>
<html lang="en">
<body><div id='dlpage'><h1>Computer Science</h1>
<h3>Showing new listings for Thursday, 19 November 2026</h3><div class='paging'>Total of 9 entries</div>
<dl id='articles'>
    <h3>New submissions (showing 2 of 2 entries)</h3>
{entry(1, abstract=LINKED)}{entry(2, more=MORE)}</dl>
<dl id='articles'>
    <h3>Replacement submissions (showing 2 of 2 entries)</h3>
{entry(3, mark="(replaced)", more=MORE, abstract="Of <knots>.")}{entry(4, mark="(replaced)", title="Tïed", abstract="Plain.")}</dl>
</div></body>
</html>
"""


outcome = outcome_of(arxiv.read, "https://arxiv.org/list/cs/new")


@pytest.fixture
def by_tree(monkeypatch: pytest.MonkeyPatch) -> Outcome:
    return by_parser(outcome, _arxiv_quick, monkeypatch)


def taken(page: bytes) -> int:
    return sum(map(len, _arxiv_quick.divided(page)[1]))


def test_entries_in_the_form_of_arxivs_templates_are_taken_out() -> None:
    assert taken(PAGE.encode()) == 3  # one has a tag in its abstract that arXiv writes nowhere
    assert taken(pages.arxiv_page(pages.invented(300))) == 300


@pytest.mark.parametrize("path", LISTINGS, ids=lambda path: str(path.name))
def test_a_page_is_read_as_by_the_parser(path: Path, by_tree: Outcome) -> None:
    assert outcome(path.read_bytes()) == by_tree(path.read_bytes())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_invented_page_is_read_as_by_the_parser(seed: int, by_tree: Outcome) -> None:
    body = pages.arxiv_page(pages.invented(120, seed))
    assert outcome(body) == by_tree(body)
    assert outcome(PAGE.encode()) == by_tree(PAGE.encode())


def test_an_abstract_that_is_too_long_is_cut_where_the_parser_cuts_it(by_tree: Outcome) -> None:
    body = PAGE.replace("Plain.", "a knot " * 3_000).encode()
    assert taken(body) == 3
    assert outcome(body) == by_tree(body)


AROUND = [
    ("<!--", "-->"), ("<script>", "</script>"), ("<textarea>", "</textarea>"), ("<template>", "</template>"), ("<b>", "</b>"),
    ("<p title='", "'>"), ('<p title="', '">'), ("<svg>", "</svg>"), ("<select>", "</select>"), ("<table><tr><td>", "</table>"),
    ("<dt>", "</dt>"),
    ("<dt><a href='/html/1'>html<dd>", ""),
    ("<dt>(replaced)<dd><ul>", "</ul></dd>"), ("<h3>", "</h3>"), ("<a href='/abs/1'>", "</a>"),
    ("<ul><li>", "</ul>"), ("<style>", ""), ("<plaintext>", ""), ("</dl>", ""), ("<button>", "</button>"), ("<math>", "</math>"),
    ("<noscript>", "</noscript>"), ("<frameset>", ""), ("<p><i>", ""), ("<object>", "</object>"), ("<title>", "</title>"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "behind"), AROUND)
def test_what_stands_around_entries_means_what_it_means_to_the_parser(
    before: str, behind: str, by_tree: Outcome
) -> None:
    for first, last in (
        ("<h1>", "</h1>"),
        ("<dl id='articles'>", "</dl>"),
        (entry(1, abstract=LINKED), "</dl>"),
    ):
        body = within(PAGE, first, last, before, behind)
        assert outcome(body) == by_tree(body)


PIECES = (
    "< > & \" ' = / [ ] <!-- --> </a> <a> <a href=\"/html/x\"> <br> <br/> </p> <p> <p\tclass='mathjax'> <b> </b> </div> <div> <dt>"
    " </dt> <dd> </dd> <dl> </dl> <h3> </h3> <span\tclass='descriptor'> <svg> <script> <table> <i\tclass='list-comments'> </span>"
    " &nbsp; &lt; &lt &amp;lt; &#1; &#x80; &#0; &notin &copy \0 \r \f \v \x85 \xa0 \u2028 \ufeff this\thttp (replaced) (cross-list"
    " withdrawn not\tshown , ; : et\tal. /html/ /abs/ \x1c class= title=\"Abstract\" (cs.LG) v2 item"
)  # fmt: skip


@pytest.mark.parametrize("pages", sizes(600, 6_000))
def test_a_page_changed_anywhere_is_read_as_by_the_parser(by_tree: Outcome, pages: int) -> None:
    rnd = random.Random(11)
    short = 0
    for n in range(pages):
        page = changed(rnd, PAGE, PIECES.split(" "))
        body = page.encode("utf-8", "replace")
        assert outcome(body) == by_tree(body), (n, page)
        short += taken(body) > 0
    assert short > pages * 2 / 3  # or nothing was compared
