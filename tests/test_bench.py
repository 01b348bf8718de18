"""`make bench` runs, and a table of it compares readers that read the same papers. No time is asserted here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from digest import sources
from digest.model import Listing

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks import pages, reading  # noqa: E402


def test_every_reader_of_a_table_gives_all_papers_of_the_page() -> None:
    invented = pages.invented(40)
    for case in reading.CASES:
        assert reading.disagreements(case, case.page(invented), invented) == []


def test_a_reader_that_leaves_papers_out_is_named() -> None:
    invented = pages.invented(10)
    case = reading.CASES[0]
    assert reading.disagreements(case, case.page(invented[:-1]), invented) == ["digest", *case.others]


def test_we_read_at_least_the_fields_that_the_others_read() -> None:
    invented = pages.invented(40)
    for case in reading.CASES:
        body = case.page(invented)
        papers = sources.read(Listing(location="page", body=body), case.kind).papers
        for name, read in case.others.items():
            for paper, fields in zip(papers, read(body), strict=True):
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


def test_make_bench_prints_a_table_for_each_case() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.reading", "--papers", "20", "--rounds", "1"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    for case in reading.CASES:
        part = done.stdout.partition(f"{case.name}, 20 papers")[2]
        assert part, case.name
        for name in case.others:
            assert re.search(rf"\| {re.escape(name)} \| [\d,]+ \| [\d.]+× \|", part), name
    assert "python -m benchmarks.reading" in (ROOT / "Makefile").read_text(encoding="utf-8")
