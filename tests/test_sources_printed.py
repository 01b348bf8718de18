"""Texts of pages that a browser printed: the lines above and below each sheet are no part of any paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest import sources
from digest.model import Listing, Reading
from digest.sources._printed import without_sheets

PAGES = Path(__file__).parent / "listings"
PLACE = "https://papers.example.org/list/pond/new"
# Above and below a sheet: Chrome's text in columns, the same piece by piece, Firefox's, and another way to write the time.
STYLES = {
    "columns": ("11/19/26, 9:15\u202fAM               Invented Science", f"{PLACE}                    {{n}}/{{of}}"),
    "pieces": ("11/19/26, 9:15 AM\n\nInvented Science", f"{PLACE}\n\n{{n}}/{{of}}"),
    "firefox": (f"Invented Science          {PLACE}", "{n} of {of}                  11/19/26, 09:15"),
    "german": ("19.11.26, 09:15               Invented Science", f"{PLACE}      Page {{n}} of {{of}}"),
}  # fmt: skip
NAMES = ["arxiv-dump/since-2024.txt", "arxiv-search/copied.txt", "saved/blank-lines.txt"]


def printed(text: str, style: str, per_sheet: int = 9) -> str:
    lines = text.splitlines()
    sheets = [lines[at : at + per_sheet] for at in range(0, len(lines), per_sheet)]
    head, foot = STYLES[style]
    return "".join(
        "\n".join([head, "", *sheet, "", foot.format(n=n, of=len(sheets)), "\f"])
        for n, sheet in enumerate(sheets, 1)
    )


def read(text: str) -> Reading:
    return sources.read(Listing(location="page", body=text.encode()))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", NAMES)
def test_a_printed_page_has_the_same_papers(name: str, style: str) -> None:
    text = (PAGES / name).read_text(encoding="utf-8")
    assert read(printed(text, style)).papers == read(text).papers


@pytest.mark.parametrize("style", STYLES)
def test_a_paragraph_goes_on_from_sheet_to_sheet(style: str) -> None:
    text = "Caches are filled once,\nand read by many who\nare slow. Fast ones do\nnot mind.\n"
    assert without_sheets(printed(text, style, 1).encode()) == text.encode()


@pytest.mark.parametrize("feet", [["3/9", "1/9"], ["1/2", "2/3"], ["1/9"], ["8/9", "9/9"], ["1/2", "1/2"]])
def test_numbers_that_do_not_count_the_sheets_are_left_alone(feet: list[str]) -> None:
    text = "11/19/26, 9:15 AM  A diary\n" + "\n".join(f"It rained.\n{foot}" for foot in feet)
    assert without_sheets(text.encode()) == text.encode()


def test_one_sheet_is_known_by_its_address() -> None:
    text = "Caches are filled once.\n"
    assert without_sheets(printed(text, "columns").encode()) == text.encode()


def test_sheets_with_nothing_on_them_leave_nothing() -> None:
    assert without_sheets(b"11/19/26, 9:15 AM\n1/2\n2/2").strip() == b""
