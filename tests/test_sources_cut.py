"""A page that breaks off is read as far as it goes, and nobody is told that it was whole."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from digest import sources
from digest.app import open_app
from digest.errors import ParseError
from digest.model import Listing, Reading
from pages import installation, rss

PAGES = Path(__file__).parent / "listings"
DUMPS = [
    "saved/blank-lines.txt",
    "saved/no-blank-lines.txt",
    "saved/in-a-fence.md",
    "saved/cards-linked-by-number.txt",
]


def read(body: bytes) -> Reading:
    return sources.read(Listing(location="page", body=body))


@pytest.mark.parametrize("name", DUMPS)
def test_a_dump_cut_anywhere_invents_no_paper(name: str) -> None:
    whole = (PAGES / name).read_bytes()
    titles = {paper.title for paper in read(whole).papers}
    for end in range(len(whole) // 4, len(whole)):
        try:
            found = read(whole[:end])
        except ParseError:
            continue
        assert {paper.title for paper in found.papers} <= titles, whole[:end][-80:]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("saved/cards-linked-by-number.txt", b"\n[1]: "),
        ("arxiv-dump/links-by-number.md", b"\n   [1]: "),
        ("arxiv-dump/lynx.txt", b"\nReferences"),
    ],
)
def test_a_dump_without_the_addresses_at_its_end_has_the_same_papers(name: str, first: bytes) -> None:
    whole = (PAGES / name).read_bytes()
    found = read(whole[: whole.index(first)])
    assert len(found.papers) == len(read(whole).papers)
    for paper, expected in zip(found.papers, read(whole).papers, strict=True):
        assert expected.title.startswith(paper.title)
        assert paper.abstract == expected.abstract


@pytest.mark.parametrize(
    "name",
    [
        "feed/rss-2.0.xml",
        "feed/atom.xml",
        "feed/jsonfeed-1.1.json",
        "huggingface/api-2026.json",
        "arxiv/new.html",
    ],
)
def test_a_page_that_breaks_off_is_suspect_and_its_papers_count(name: str) -> None:
    body = (PAGES / name).read_bytes()
    found = read(body[: len(body) * 3 // 4])
    assert found.papers
    assert found.outcome == "suspect"
    assert found.truncated.startswith("truncated")


def test_a_run_over_a_page_that_breaks_off_says_so_and_keeps_what_it_read(tmp_path: Path) -> None:
    config = installation(tmp_path)
    page = rss([(f"Paper {n}", f"Abstract number {n} of a paper.") for n in range(10)])
    (tmp_path / "inbox" / "a.xml").write_bytes(page[: len(page) * 2 // 3])
    with open_app(config) as app:
        report = app.daily(datetime(2026, 11, 19, 6, tzinfo=UTC))
    assert report.sources[0].outcome == "suspect"
    assert "truncated" in (report.sources[0].error or "")
    assert report.degraded
    assert report.digests[0].edition is not None


def test_control_characters_do_not_hide_the_furniture_of_a_dump() -> None:
    whole = (PAGES / DUMPS[0]).read_bytes()
    marked = whole.replace(b"the ", b"\x1bthe ").replace(b"and ", b"\x07and ")
    assert [p.title for p in read(marked).papers] == [p.title for p in read(whole).papers]


def test_millions_of_lines_are_no_dump() -> None:
    with pytest.raises(ParseError):
        read(b"ab\n" * 1_000_000)
    with pytest.raises(ParseError, match="lines"):
        sources.read(Listing(location="page", body=b"ab\n" * 60_000), "saved")


def test_a_daily_page_without_papers_is_an_empty_day() -> None:
    props = msgspec.json.encode({"date": "2026-11-21", "dailyPapers": []}).decode().replace('"', "&quot;")
    page = f'<title>Daily Papers - Hugging Face</title><h1>Daily Papers</h1><div data-target="DailyPapers" data-props="{props}">'
    found = read(f"<html>{page}</div></html>".encode())
    assert found.empty
    assert found.outcome == "quiet"


def test_a_number_of_votes_that_nobody_could_count_is_left_out() -> None:
    item = f"<p><strong>Upvotes:</strong> {'9' * 5000}</p><p><strong>Abstract:</strong> It works.</p>"
    assert [paper.upvotes for paper in read(rss([("A title", item)])).papers] == [None]


def test_a_fault_of_a_parser_is_a_named_failure_of_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(listing: Listing) -> Reading:
        raise KeyError("unforeseen")

    monkeypatch.setattr("digest.sources.feed.read", broken)
    with pytest.raises(ParseError, match="fault of the program"):
        read(rss([("A title", "An abstract.")]))
