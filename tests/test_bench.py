"""The benchmarks of reading compare readers that read the same papers. No time is asserted here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from digest import sources
from digest.model import Listing

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks import pages, peers, reading  # noqa: E402


def test_every_reader_of_a_table_gives_all_papers_of_the_page() -> None:
    invented = pages.invented(40)
    known = [paper.id for paper in invented]
    for case in reading.CASES:
        body = case.page(invented)
        assert [paper.ids["arxiv"] for paper in reading.ours(body, case.kind).papers] == known
        for reader in case.others.values():
            assert [peers.id_of(paper) for paper in getattr(peers, reader)(body)] == known, reader


def test_each_reader_is_a_process_of_its_own_and_gives_the_papers_of_the_page() -> None:
    found = reading.contest(reading.CASES[0], 10, 1, 1, sys.executable)
    assert list(found) == ["digest", *reading.CASES[0].others]
    row = reading.row(reading.CASES[0], 10, found)
    assert [check.what for check in row.checks] == ["BeautifulSoup + lxml", "selectolax, bare"]
    assert row.checks[0].value == found["BeautifulSoup + lxml"].seconds / found["digest"].seconds


def test_a_reader_that_leaves_papers_out_is_named() -> None:
    case = reading.CASES[0]
    cut = case._replace(page=lambda papers: case.page(papers[:-1]))
    with pytest.raises(SystemExit, match="digest does not read the 10 papers"):
        reading.contest(cut, 10, 1, 1, sys.executable)


def test_we_read_at_least_the_fields_that_the_others_read() -> None:
    invented = pages.invented(40)
    for case in reading.CASES:
        body = case.page(invented)
        papers = sources.read(Listing(location="page", body=body), case.kind).papers
        for name, reader in case.others.items():
            for paper, fields in zip(papers, getattr(peers, reader)(body), strict=True):
                raw = {"title": paper.title, "abstract": paper.abstract} | paper.source_text
                assert fields["title"] == raw["title"], (case.name, name)
                assert fields.get("abstract", "") == raw["abstract"], (case.name, name)
                assert list(dict.fromkeys(fields.get("authors", paper.authors))) == list(paper.authors)
                assert fields.get("doi") is None or paper.ids["doi"] in fields["doi"]


def test_the_pages_hold_what_real_ones_hold() -> None:
    invented = pages.invented(200)
    words = [len(paper.abstract.split()) for paper in invented]
    assert min(words) >= 150 and max(words) <= 260
    assert all(3 <= len(paper.authors) <= 12 for paper in invented)
    papers = sources.read(Listing(location="page", body=pages.arxiv_page(invented)), "arxiv").papers
    assert 20 <= sum("abstract" in paper.source_text for paper in papers) <= 70
    assert {paper.announce for paper in papers} == {"new", "cross", "replace"}
    assert sum("code" in paper.links for paper in papers) >= 15


def test_the_same_seed_gives_the_same_page() -> None:
    assert pages.invented(5) == pages.invented(5) != pages.invented(5, seed=2)
