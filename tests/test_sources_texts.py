"""Texts of listing pages, broken into lines at any column: the same papers as before."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Reading

PAGES = Path(__file__).parent / "listings"


def read(text: str) -> Reading:
    return sources.read(Listing(location="page", body=text.encode()))


def broken(text: str, width: int, indent: str = "") -> str:
    lines = (
        textwrap.wrap(
            line,
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )
    return "\n".join("\n".join(part) for part in lines)


ENTRY = """[{n}] arXiv:2611.0000{n} [pdf, html, other]
Title: {title}
{authors}
Subjects: Made-up Things (cs.XX); Other Made-up Things (math.YY)

{abstract}
"""
TITLES = [
    "Quorums of Agents That Disagree about What They Have Read",
    "On a strong multiplicity one property of the length spectra of even dimensional compact ponds, and on carps",
    "Carps: An Account of Everything That Was Counted Once, and of All That Was Counted Twice",
    "A short one",
]
AUTHORS = [
    "Ada Okoye, Bo van der Lindal, Cy T. Tan, Dana Whitcombe, Edda Holm-Øster",
    "Pieter M. van Staden (Kiln University)",
]
ABSTRACT = (
    "Caches are filled once. In this paper we propose a cache that is filled twice, and show that readers do not mind. "
    * 3
)


@pytest.mark.parametrize("width", range(50, 120))
def test_a_title_of_several_lines_ends_where_the_authors_begin(width: int) -> None:
    entries = [
        ENTRY.format(n=n, title=title, authors=AUTHORS[n % 2], abstract=ABSTRACT)
        for n, title in enumerate(TITLES, 1)
    ]
    whole = "Showing new listings for Friday, 20 November 2026\n\n" + "\n".join(entries)
    expected = read(whole)
    assert [paper.title for paper in expected.papers] == TITLES
    assert read(broken(whole, width, indent="  ")).papers == expected.papers


@pytest.mark.parametrize("width", [60, 72, 80, 100, 132])
@pytest.mark.parametrize(
    "name", ["saved/blank-lines.txt", "saved/crlf-and-mark.txt", "arxiv-dump/since-2024.txt"]
)
def test_a_dump_that_is_broken_into_lines_is_the_same_papers(name: str, width: int) -> None:
    text = (PAGES / name).read_text(encoding="utf-8-sig")
    assert read(broken(text, width)).papers == read(text).papers


@pytest.mark.parametrize("name", ["since-2024.txt", "definition-list.md", "markdown.md", "before-2024.txt"])
@pytest.mark.parametrize("number", ["", r"\1. ", "* ", r"\\[\1\\] "])
def test_entries_may_have_lost_their_numbers_or_have_those_of_a_list(name: str, number: str) -> None:
    text = (PAGES / "arxiv-dump" / name).read_text(encoding="utf-8")
    other = re.sub(r"^(?:\\\[|\[)(\d+)\\?\][ \t]+", number, text, flags=re.M)
    assert other != text
    assert read(other).papers == read(text).papers


@pytest.mark.parametrize("name", ["since-2024.txt", "before-2024.txt"])
@pytest.mark.parametrize("label", [r"- \1:", r"- - \1:", r"**\1:**", r"**\1**:", r"  * **\1:**"])
def test_entries_and_their_labels_may_be_points_of_a_list_or_bold(name: str, label: str) -> None:
    text = (PAGES / "arxiv-dump" / name).read_text(encoding="utf-8")
    other = re.sub(r"^(Title|Authors|Comments|Subjects):", label, text, flags=re.M)
    assert other != text
    assert read(re.sub(r"^(?=\[\d)", "- ", other, flags=re.M)).papers == read(text).papers


def in_turns(headings: list[str]) -> str:
    return "\n".join(f"{heading}\n\n{ABSTRACT}\n" for heading in headings)


@pytest.mark.parametrize(
    "headings",
    [
        ["# Why Carps Are Hard to Count", "## What Was Tried", "## What Came of It"],
        ["1. Introduction", "2. A Model of a Pond with Carps", "3. What Follows from It"],
        ["## Related Work", "## Counting the Carps of a Pond"],
        ["Your data", "Cookies", "How we count carps"],
        ["Copyright (c) 2026 Marit Lindal", "The notice above shall stand in all copies of the carp."],
        ["Software for Counting Carps", "Points to note before you count them:"],
    ],
)
def test_the_sections_of_one_document_are_no_papers(headings: list[str]) -> None:
    with pytest.raises(ParseError, match="without the marks of a listing"):
        read(in_turns(headings))


def test_one_title_of_several_may_end_with_a_full_stop() -> None:
    titles = [f"{TITLES[0]}.", *TITLES[1:3]]
    assert [paper.title for paper in read(in_turns(titles)).papers] == titles


@pytest.mark.parametrize("titles", [TITLES[:3], ["池塘里的鲤鱼", "窑炉记得什么"]])
def test_headings_of_one_level_are_titles_without_their_marks(titles: list[str]) -> None:
    found = read(in_turns([f"## {title}" for title in titles]))
    assert [paper.title for paper in found.papers] == titles


def test_the_last_title_of_a_text_without_abstracts_and_without_a_line_end_is_one() -> None:
    found = read("Daily Papers\n\n" + "\n\n".join(f"### {title}" for title in TITLES))
    assert [paper.title for paper in found.papers] == TITLES


@pytest.mark.parametrize(
    "foot", ["·\n8 authors\n2", "Carp Lab\n\n·\n\n8 authors", "Carp Lab\n·\n3", "Carp Lab\n\n3", "8 authors"]
)
@pytest.mark.parametrize("picture", ["", "A reader's avatar\n"])
def test_who_published_a_paper_of_a_card_is_not_its_title(foot: str, picture: str) -> None:
    cards = "".join(
        f"Submitted by\n{picture}name{n}\n\n{n}4\n{title}\n\n{foot}\n" for n, title in enumerate(TITLES)
    )
    found = read(
        f"Get trending papers in your email inbox!\n\nSubscribe\nDaily Papers\n\nNov 19\n{cards}Previous\nNext\n"
    )
    assert [paper.title for paper in found.papers] == TITLES


@pytest.mark.parametrize("stead", ["", " ", "\n"])
@pytest.mark.parametrize(
    "name",
    [
        "arxiv-search/all-fields.html",
        "arxiv-search/layout-2018.html",
        "arxiv-search/advanced-without-abstracts.html",
        "arxiv/before-2024.html",
        "arxiv/catchup-page-2.html",
    ],
)
def test_a_page_whose_tags_alone_were_taken_away_has_the_same_papers(name: str, stead: str) -> None:
    page = (PAGES / name).read_text(encoding="utf-8")
    before, now = read(page), read(re.sub(r"<[^>]+>", stead, page))
    assert [(paper.key, paper.title, paper.authors) for paper in now.papers] == [
        (paper.key, paper.title, paper.authors) for paper in before.papers
    ]
    abstracts = [["".join(paper.abstract.split()) for paper in found.papers] for found in (now, before)]
    assert abstracts[0] == abstracts[1]  # but for the blanks in place of tags
    assert now.stated == before.stated


@pytest.mark.parametrize("name", ["all-fields.html", "layout-2018.html", "advanced-without-abstracts.html"])
def test_search_results_on_one_line_are_the_same_papers(name: str) -> None:
    page = (PAGES / "arxiv-search" / name).read_text(encoding="utf-8")
    line = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    before, now = read(page), read(f"{line} About Help contact arXiv")
    assert [(paper.key, paper.title, paper.authors, paper.categories) for paper in now.papers] == [
        (paper.key, paper.title, paper.authors, paper.categories) for paper in before.papers
    ]
    assert [paper.comment for paper in now.papers] == [paper.comment for paper in before.papers]
    assert [paper.published for paper in now.papers] == [paper.published for paper in before.papers]
