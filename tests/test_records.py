"""The page of a paper: facts, versions and what changed between them, where it was seen, how to cite it."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from conftest import examples
from digest.formats import Channel
from digest.formats.changes import changed_words
from digest.formats.records import view_record
from digest.labels import record_path
from digest.model import EditionHead, Mention, Paper, PaperRecord, Version
from digest.render import clean
from editions import (
    EDITIONS,
    URL,
    assert_golden,
    pages_of,
    publication_of,
    record_of,
    rich,
    shipped,
)
from html_allowed import faults_of_html
from references import read_bibtex, read_ris

SEEN = datetime(2026, 11, 18, 23, 30, tzinfo=UTC)
PAPER = Paper(
    key="arxiv:2611.10421",
    title="Slow Readers: Letting Models Reread",
    abstract="We add a head that marks spans. It is small. It is slow.",
    ids={"arxiv": "2611.10421"},
    version=1,
    authors=("Ada Fenwick", "Ibrahim Sow"),
    links={"abstract": "https://arxiv.example/abs/2611.10421", "pdf": "https://arxiv.example/pdf/2611.10421"},
)
HEAD = EditionHead(id="2026-11-19", digest="daily", date=date(2026, 11, 19), part=1, number=214, papers=30)


def record(*papers: Paper, **changes: Any) -> PaperRecord:
    """A paper in these versions, a day apart."""
    versions = [
        Version(seen_at=SEEN + timedelta(days=n), paper=paper) for n, paper in enumerate(papers or [PAPER])
    ]
    facts: dict[str, Any] = {
        "key": PAPER.key,
        "canonical": PAPER.key,
        "guid": "tag:papers.example.org,2026:arxiv:2611.10421",
        "versions": tuple(versions),
        "mentions": (),
        "editions": (HEAD,),
    }
    return PaperRecord(**facts | changes)


def page_of(one: PaperRecord, **changes: Any) -> BeautifulSoup:
    made = pages_of(publication_of(rich(), records=(one,), **changes), shipped())
    return BeautifulSoup(made[f"{record_path(one.key)}index.html"], "html.parser")


def test_the_page_is_as_reviewed() -> None:
    edition = rich()
    made = pages_of(publication_of(edition), shipped())
    entry = next(entry for entry in edition.entries if len(record_of(entry, edition).versions) > 1)
    path = record_path(entry.paper.key)
    # The style is that of all pages, reviewed with them.
    page = re.sub(rb"(?s)<style>.*?</style>", b"<style></style>", made[f"{path}index.html"])
    assert_golden("rich/record/index.html", page)
    for file in ("paper.bib", "paper.ris", "paper.json"):
        assert_golden(f"rich/record/{file}", made[path + file])


def test_title_and_abstract_are_whole() -> None:
    paper = replace(PAPER, title="Long " * 100, abstract="Word. " * 500)
    page = page_of(record(paper))
    assert page.h1 is not None
    assert page.h1.text == clean(paper.title)
    assert clean(paper.abstract) in [p.text for p in page.select("article p")]
    assert not page.select("details")


def test_authors_with_a_page_are_linked_and_the_others_are_not() -> None:
    page = page_of(record(), author_pages=frozenset({"ibrahim-sow"}))
    assert [(str(a["href"]), a.text) for a in page.select(".names a")] == [
        (f"{URL}authors/ibrahim-sow/", "Ibrahim Sow")
    ]
    names = page.select_one(".names")
    assert names is not None
    assert names.text == "Ada Fenwick, Ibrahim Sow"


def test_an_author_whose_page_does_not_list_the_paper_is_not_linked() -> None:
    """One who came with a later version, which no edition showed."""
    pages = frozenset({"ada-fenwick", "ibrahim-sow"})
    page = page_of(record(authors=frozenset({"ada-fenwick"})), author_pages=pages)
    assert [a.text for a in page.select(".names a")] == ["Ada Fenwick"]


def test_the_topic_links_to_its_page_and_no_topic_leaves_no_trace() -> None:
    page = page_of(record(topic="Maps and satellites"))
    assert page.find("a", href=f"{URL}topics/ms/", string="Maps and satellites") is not None
    assert "Topic" not in page_of(record()).get_text()


def test_a_topic_that_was_given_up_is_linked_only_while_it_has_a_page() -> None:
    kept = Channel(kind="topic", slug="tide-tables", name="Tide tables", papers=1)
    page = page_of(record(topic="Tide tables"), catalogue=(kept,))
    assert page.find("a", href=f"{URL}topics/tide-tables/", string="Tide tables") is not None
    page = page_of(record(topic="Tide tables"), catalogue=())
    assert "Topic: Tide tables" in page.get_text()
    assert page.find("a", string="Tide tables") is None


def test_it_says_where_the_paper_was_seen_in_words() -> None:
    mentions = (
        Mention(source="cs-daily", announce="new", listed_on=date(2026, 11, 19), seen_at=SEEN),
        Mention(source="stat-daily", announce="cross", listed_on=date(2026, 11, 20), seen_at=SEEN),
        Mention(source="cs-daily", announce="replace", listed_on=None, seen_at=SEEN + timedelta(days=9)),
        Mention(source="community", announce=None, listed_on=None, seen_at=SEEN),
    )
    page = page_of(record(mentions=mentions))
    seen = page.find("h2", id="seen")
    assert isinstance(seen, Tag)
    rows = seen.find_next("ul")
    assert isinstance(rows, Tag)
    # 23:30 UTC is the next day in the zone of the site.
    assert [row.text for row in rows.find_all("li")] == [
        "cs-daily: announced as new, listed 19 November 2026",
        "stat-daily: announced as cross-listed, listed 20 November 2026",
        "cs-daily: announced in a new version, first seen 28 November 2026",
        "community: first seen 19 November 2026",
    ]


def test_editions_link_to_the_paper_s_place_newest_first() -> None:
    second = replace(HEAD, id="2026-11-20/2", date=date(2026, 11, 20), part=2, number=216)
    page = page_of(record(editions=(HEAD, second)))
    assert [(str(a["href"]), a.text) for a in page.select("a.day")] == [
        (f"{URL}2026/11/20/2/#p-2611.10421", "Friday, 20 November 2026, part 2"),
        (f"{URL}2026/11/19/#p-2611.10421", "Thursday, 19 November 2026"),
    ]


def test_one_version_is_no_history() -> None:
    assert page_of(record()).find(id="versions") is None


def test_versions_say_what_changed_from_the_one_before() -> None:
    after = replace(
        PAPER,
        title="Slow Readers: Letting Small Models Reread",
        abstract="We add a head that marks spans. It is small. It is fast.",
        authors=("Ibrahim Sow", "Mira Okonjo"),
        version=2,
    )
    again = replace(after, authors=("Mira Okonjo", "Ibrahim Sow"), version=3)
    newest, middle, first = page_of(record(PAPER, after, again)).select(".version")
    assert [s.h3.text for s in (newest, middle, first) if s.h3] == [
        "Version 3, seen 21 November 2026",
        "Version 2, seen 20 November 2026",
        "Version 1, seen 19 November 2026",
    ]
    assert [p.text for p in first.select("p")] == ["The first that was seen here."]
    assert [p.decode_contents() for p in middle.select("p")] == [
        'Title: <span dir="auto">Slow Readers: Letting <ins>Small</ins> Models Reread</span>',
        'Authors added: <ins dir="auto">Mira Okonjo</ins>',
        'Authors gone: <del dir="auto">Ada Fenwick</del>',
        'Abstract: <span dir="auto">We add a head that marks spans. It is small. It is <del>slow.</del> <ins>fast.</ins></span>',
    ]
    assert [p.text for p in newest.select("p")] == ["The authors stand in another order."]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": "Slow Readers: Letting Models Read"}, ["Title"]),
        ({"abstract": "We add a head that marks spans. It is slow."}, ["Abstract"]),
        ({"authors": ("Mira Okonjo", "Ada Fenwick", "Ibrahim Sow")}, ["Authors added"]),
        ({"authors": ("Ibrahim Sow",)}, ["Authors gone"]),
        ({"authors": ("Ibrahim Sow", "Ada Fenwick")}, ["The authors stand in another order."]),
    ],
)
def test_a_version_says_what_changed_and_no_more(changes: dict[str, Any], said: list[str]) -> None:
    newest, _ = page_of(record(PAPER, replace(PAPER, version=2, **changes))).select(".version")
    assert [p.text.partition(":")[0] for p in newest.select("p")] == said


def test_versions_without_numbers_are_each_seen_on_a_day() -> None:
    bare = replace(PAPER, version=None)
    heads = [
        section.h3.text
        for section in page_of(record(bare, replace(bare, title="Fast Readers"))).select(".version")
        if section.h3
    ]
    assert heads == ["As seen 20 November 2026", "As seen 19 November 2026"]


def test_a_correction_without_a_new_number_is_called_a_change() -> None:
    corrected = replace(PAPER, title="Slow Readers: Letting Models Read Again")
    heads = [
        section.h3.text for section in page_of(record(PAPER, corrected)).select(".version") if section.h3
    ]
    assert heads == ["Version 1, changed 20 November 2026", "Version 1, seen 19 November 2026"]


def test_an_abstract_that_came_later_is_not_repeated_as_a_change() -> None:
    bare = replace(PAPER, abstract="", version=None)
    newest, first = page_of(record(bare, PAPER)).select(".version")
    assert [p.text for p in newest.select("p")] == ["The abstract was added."]
    assert first.h3 is not None
    assert first.h3.text == "As seen 19 November 2026"
    gone, _ = page_of(record(PAPER, bare)).select(".version")
    assert [p.text for p in gone.select("p")] == ["The abstract is gone: it had 56 characters."]


def test_a_version_in_which_nothing_of_the_page_changed_says_so() -> None:
    newest, _ = page_of(record(PAPER, replace(PAPER, comment="12 pages", version=2))).select(".version")
    assert [p.text for p in newest.select("p")] == ["Title, authors and abstract are the same."]


def test_a_paper_that_turned_out_to_be_another_points_to_its_page() -> None:
    page = page_of(record(canonical="doi:10.5555/a.b"))
    other = URL + record_path("doi:10.5555/a.b")
    assert [link["href"] for link in page.select("link[rel=canonical]")] == [other]
    assert page.find("a", href=other, string="read on there") is not None
    assert [link["href"] for link in page_of(record()).select("link[rel=canonical]")] == [
        URL + record_path(PAPER.key)
    ]


def test_reference_managers_find_the_paper_in_the_page_and_beside_it() -> None:
    made = pages_of(publication_of(rich(), records=(record(),)), shipped())
    path = record_path(PAPER.key)
    page = BeautifulSoup(made[f"{path}index.html"], "html.parser")
    assert [(str(m["name"]), str(m["content"])) for m in page.select("meta[name^=citation_]")] == [
        ("citation_title", PAPER.title),
        ("citation_author", "Fenwick, Ada"),
        ("citation_author", "Sow, Ibrahim"),
        ("citation_publication_date", "2026/11"),
        ("citation_arxiv_id", "2611.10421"),
        ("citation_pdf_url", "https://arxiv.example/pdf/2611.10421"),
        ("citation_abstract_html_url", f"{URL}{path}"),
    ]
    (coins,) = page.select("span.Z3988")
    assert "rft.atitle=Slow%20Readers" in str(coins["title"])
    links = {str(a["href"]) for a in page.select("a")}
    assert {f"{URL}{path}paper.{kind}" for kind in ("bib", "ris", "json")} <= links
    (shown,) = page.select("pre")
    (written,) = read_bibtex(made[f"{path}paper.bib"].decode())
    (same,) = read_bibtex(shown.text)
    assert same.fields == {name: value for name, value in written.fields.items() if name != "abstract"}
    assert len(read_ris(made[f"{path}paper.ris"].decode())) == 1


def test_its_files_cite_what_is_known_now_and_those_of_the_edition_what_it_showed() -> None:
    edition = rich()
    entry = edition.entries[0]
    revised = replace(entry.paper, title="Another Title by Now")
    one = record_of(entry, edition)
    one = replace(one, versions=(*one.versions, Version(seen_at=SEEN, paper=revised)))
    made = pages_of(publication_of(edition, records=(one,)), shipped())
    assert dict(read_ris(made["2026/11/19/papers.ris"].decode())[0])["TI"] == entry.paper.title
    assert dict(read_ris(made[f"{record_path(one.key)}paper.ris"].decode())[0])["TI"] == revised.title


def test_it_stands_at_its_place_in_the_newest_edition_that_shows_it() -> None:
    second = replace(HEAD, id="2026-11-20/2", date=date(2026, 11, 20), part=2, number=216)
    one = record(editions=(HEAD, second), anchors={second.id: "p-2611.10421-2"})
    assert view_record(one, URL).page_url == f"{URL}2026/11/20/2/#p-2611.10421-2"
    assert view_record(replace(one, editions=()), URL).page_url == f"{URL}#p-2611.10421"


def test_a_paper_of_nothing_but_a_title_looks_finished() -> None:
    bare = Paper(key="title:bare", title="A Title")
    page = page_of(record(bare, key=bare.key, canonical=bare.key))
    assert [h.text for h in page.find_all(["h1", "h2", "h3"])] == ["A Title", "Cite it", "In these editions"]
    article = page.select_one("article")
    assert article is not None
    assert [child.name for child in article.find_all(True)] == ["h1", "span"]
    assert "None" not in page.get_text()
    description = page.find("meta", attrs={"name": "description"})
    assert isinstance(description, Tag)
    assert description["content"] == "A Title"


@pytest.mark.parametrize("name", EDITIONS)
def test_pages_of_papers_hold_nothing_that_their_template_does_not_write(name: str) -> None:
    publication = publication_of(EDITIONS[name]())
    made = pages_of(publication, shipped())
    for one in publication.records[:40]:
        assert faults_of_html(made[f"{record_path(one.key)}index.html"]) == []


def test_every_paper_of_an_edition_is_reached_from_it_and_listed_in_its_sitemap() -> None:
    publication = publication_of(rich())
    made = pages_of(publication, shipped())
    page = made["2026/11/19/index.html"].decode()
    for one in publication.records:
        assert f'href="{URL}{record_path(one.key)}"' in page
        assert f"<loc>{URL}{record_path(one.key)}</loc>" in made["papers/sitemap-2026-11-19.xml"].decode()
        assert f"{record_path(one.key)}index.html" in made


# ---------------------------------------------------------------- what changed, word by word

WORDS = st.lists(st.sampled_from(["a", "b", "the", "model", "reads.", "slowly", "模型"]), max_size=80)


def sides(before: list[str], after: list[str]) -> tuple[list[str], list[str]]:
    """What the pieces say that the two texts were, without what is cut out of both."""
    pieces = changed_words(" ".join(before), " ".join(after))
    old = [word for piece in pieces if piece.kind in ("same", "gone", "cut") for word in piece.text.split()]
    new = [word for piece in pieces if piece.kind in ("same", "added", "cut") for word in piece.text.split()]
    return old, new


@settings(max_examples=examples(200), deadline=None)
@given(before=WORDS, after=WORDS)
def test_both_texts_can_be_read_from_what_changed(before: list[str], after: list[str]) -> None:
    for shown, whole in zip(sides(before, after), (before, after), strict=True):
        words, left = iter(whole), list(whole)
        parts: list[list[str]] = [[]]
        for word in shown:
            parts.append([]) if word == "…" else parts[-1].append(word)
        assert left[: len(parts[0])] == parts[0]
        assert len(parts[-1]) == 0 or left[-len(parts[-1]) :] == parts[-1]
        assert all(word in words for part in parts for word in part)


def test_long_runs_without_a_change_are_cut() -> None:
    words = [f"w{n}" for n in range(100)]
    pieces = changed_words(" ".join(words), " ".join([*words[:50], "new", *words[51:]]))
    assert [(piece.kind, len(piece.text.split())) for piece in pieces] == [
        ("cut", 1),
        ("same", 12),
        ("gone", 1),
        ("added", 1),
        ("same", 12),
        ("cut", 1),
    ]


HOSTILE_TEXTS = {
    "one word again and again": ("word " * 20_000, "word " * 19_000 + "other " * 900),
    "two words in turn": ("a b " * 10_000, "b a a " * 7_000),
    "sentences of one word": ("Yes. " * 20_000, "No. Yes. " * 10_000),
    "no white space": ("W" * 100_000, "W" * 99_999),
    "all words differ": (" ".join(map(str, range(15_000))), " ".join(map(str, range(15_000, 30_000)))),
    "each second word": (" ".join(map(str, range(15_000))), " ".join(str(n + n % 2) for n in range(15_000))),
    "backwards": (" ".join(map(str, range(15_000))), " ".join(map(str, reversed(range(15_000))))),
    "each second of 800 words": (
        " ".join(map(str, range(800))),
        " ".join(str(n + n % 2) for n in range(800)),
    ),
    "a few words in all orders": (
        " ".join(str(n * 7 % 89) for n in range(800)),
        " ".join(str(n * 11 % 89) for n in range(800)),
    ),
}


@pytest.mark.parametrize("name", HOSTILE_TEXTS)
def test_what_changed_in_100_kilobytes_is_found_soon(name: str) -> None:
    before, after = HOSTILE_TEXTS[name]
    start = time.process_time()
    pieces = changed_words(before, after)
    assert time.process_time() - start < 5
    assert any(piece.kind != "same" for piece in pieces)
