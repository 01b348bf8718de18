"""The parsers against saved pages of real listings: the folder $DIGEST_SHARED_LISTINGS, else ../shared/listings beside the
repository. Where there is none, conftest.py does not collect this file."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from difflib import SequenceMatcher
from typing import Any

import pytest

from conftest import HAS_SHARED, SHARED
from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Paper

if not HAS_SHARED:  # named on the command line, for which collect_ignore does not hold
    pytest.skip(f"there is no {SHARED}", allow_module_level=True)

EXACT = {
    "hf_html",
    "negative_html",
    "hf_json",
    "hf_rss",
    "hf_text",
    "arxiv_html",
    "arxiv_list_html",
    "arxiv_feed",
    "arxiv_rss",
    "arxiv_mail_text",
    "arxiv_textdump",
    "arxiv_search_html",
    "arxiv_oai",
    "arxiv_api_atom",
}
BY_FEED = {"journal_rss", "biorxiv_rss"}
RECORDS = {
    "crossref_json",
    "openalex_json",
    "s2_json",
    "datacite_json",
    "dblp_xml",
    "pubmed_xml",
    "medline_text",
    "proceedings_html",
    "venue_json",
}


def of_kinds(kinds: set[str]) -> list[Any]:
    manifest = tomllib.loads((SHARED / "MANIFEST.toml").read_text(encoding="utf-8"))
    found = [pytest.param(entry, id=entry["name"]) for entry in manifest["file"] if entry["kind"] in kinds]
    assert found, f"{SHARED / 'MANIFEST.toml'} names no page of {sorted(kinds)}"
    return found


def papers_of(name: str) -> tuple[Paper, ...]:
    return sources.read(Listing(location=name, body=(SHARED / name).read_bytes())).papers


def folded(text: str) -> str:
    text = unicodedata.normalize("NFKD", re.sub(r"\\[a-zA-Z]+|[{}$^_\\]", "", text)).casefold()
    return re.sub(r"[\W_]+", "", text)


def alike(one: str, other: str, least: float = 0.93) -> bool:
    one, other = folded(one), folded(other)
    return one == other or SequenceMatcher(None, one, other).ratio() >= least


@pytest.mark.parametrize("entry", of_kinds(EXACT | BY_FEED | RECORDS))
def test_a_saved_page_gives_the_papers_its_manifest_names(entry: dict[str, Any]) -> None:
    try:
        papers = papers_of(entry["name"])
    except ParseError:
        papers = ()
    assert len(papers) == entry["papers"]
    for at, key in ((0, "first_title"), (-1, "last_title")):
        assert not papers or alike(papers[at].title, entry.get(key, papers[at].title))
    sections = {kind: count for kind, count in entry.get("sections", {}).items() if count}
    if papers and sections and set(sections) != {"new"}:
        kinds = ["replace" if paper.announce == "withdrawn" else paper.announce or "new" for paper in papers]
        assert {kind: kinds.count(kind) for kind in set(kinds)} == sections
    for spot in entry.get("spot", []):
        check_spot(papers[spot["index"]], spot)


def check_spot(paper: Paper, spot: dict[str, Any]) -> None:
    assert alike(paper.title, spot.get("title", paper.title))
    wanted = spot.get("authors", [])
    if wanted and paper.authors_joined:
        assert alike(", ".join(wanted), paper.authors_raw or "")
        assert len(paper.authors) > 1 or "," not in (paper.authors_raw or "")
    else:
        written = paper.source_text.get("authors", "")
        names = written.split("; ") if written else list(paper.authors)
        assert len(names) >= len(wanted)
        assert all(alike(one, other, 0.8) for one, other in zip(wanted, names, strict=False))


@pytest.mark.parametrize("entry", of_kinds(RECORDS | BY_FEED))
def test_the_id_of_a_saved_record_is_found_again(entry: dict[str, Any]) -> None:
    papers = papers_of(entry["name"])
    for spot in entry.get("spot", []):
        paper = papers[spot["index"]]
        shown = [*paper.ids.values(), *paper.links.values(), paper.key, paper.source_text.get("id", "")]
        assert any(spot.get("id", "").casefold() in text.casefold() for text in shown)


@pytest.mark.parametrize("entry", of_kinds({"hostile"}))
def test_a_hostile_page_gives_no_more_papers_than_it_has_and_no_other_error(entry: dict[str, Any]) -> None:
    try:
        assert len(papers_of(entry["name"])) <= max(entry["papers"], 1)
    except ParseError as error:
        assert str(error).count(". ") >= 1


@pytest.mark.parametrize(("name", "count"), [("000_*.txt", 141), ("001_*.txt", 119)])
def test_both_shapes_of_text_dumps_are_read_whole(name: str, count: int) -> None:
    (page,) = (SHARED / "text").glob(name)
    papers = papers_of(f"text/{page.name}")
    assert len(papers) == count
    assert all(paper.abstract and len(paper.title) < len(paper.abstract) for paper in papers)
