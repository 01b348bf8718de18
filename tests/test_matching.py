"""Which address is asked for a title, and which records are taken for the paper: none in doubt."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.matching import BASES, agrees, choose, completed, merged, question
from digest.model import Paper
from digest.sources import KINDS

TITLE = "Kilns That Remember: Slow Firing for Fast Readers"
ABSTRACT = (
    "Kilns forget what was fired in them. We give a kiln a memory of forty glazes and let it choose the next firing by itself. "
    "In three harbours the potters broke fewer bowls, and the glaze of the year was found a month earlier than by hand."
)
OTHER = (
    "Tides move sand. This paper counts grains on nine beaches with a camera, compares four seasons, and reports that winter "
    "storms carry more gravel than anybody believed, though summer winds undo half of that before the swimmers come back."
)
AUTHORS = ("Ada Kiln", "Bo Tide", "Cy Harbour")


def paper(**facts: object) -> Paper:
    return Paper(**({"key": "", "title": TITLE, "abstract": ABSTRACT} | facts))  # type: ignore[arg-type]


def asked(service: str, title: str = TITLE, **options: str) -> dict[str, str]:
    url = question(service, paper(title=title), **options)  # type: ignore[arg-type]
    assert url.startswith(f"{BASES[service]}?")
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, strict_parsing=True).items()}


# --- the question


def test_every_service_has_a_kind_that_reads_its_answers() -> None:
    assert set(BASES) <= set(KINDS)


def test_arxiv_is_asked_for_the_phrase_in_titles() -> None:
    assert asked("arxiv") == {
        "search_query": 'ti:"kilns that remember slow firing for fast readers"',
        "max_results": "5",
    }


@pytest.mark.parametrize(
    ("title", "query"),
    [
        ("Multi-Agent Kilns", 'ti:"multi agent kilns"'),
        ('"Quoted" Kilns (and More)?', 'ti:"quoted kilns and more"'),
        ("Kilns AND Tides OR Bells ANDNOT ti:Looms", "ti:andnot AND ti:kilns AND ti:tides AND ti:bells"),
        ("$\\alpha$-Stable Kilns with Memory", "ti:stable AND ti:memory AND ti:kilns"),
        ("α-Stable Kilns with Memory", "ti:stable AND ti:memory AND ti:kilns"),
        ("Newton's Kilns in Poincaré Harbours", "ti:harbours AND ti:kilns"),
        ("窯の記憶", ""),
        ("", ""),
    ],
)
def test_what_arxiv_would_read_as_an_operator_or_write_otherwise_is_not_asked(title: str, query: str) -> None:
    if query:
        assert asked("arxiv", title)["search_query"] == query
    else:
        assert question("arxiv", paper(title=title)) == ""


def test_of_a_long_title_the_strongest_words_are_asked() -> None:
    title = " ".join(f"unusual{'x' * n} of the" for n in range(12))
    query = asked("arxiv", title)["search_query"]
    assert query.split(" AND ") == [f"ti:unusual{'x' * n}" for n in range(11, 3, -1)]


def test_crossref_is_asked_by_bibliographic_words_with_our_address() -> None:
    found = asked("crossref", "Kilns &amp; <i>Tides</i>", contact="editor@example.org")
    assert found["query.bibliographic"] == "Kilns &amp; Tides"
    assert (found["rows"], found["mailto"]) == ("5", "editor@example.org")
    assert {"DOI", "title", "abstract", "author"} <= set(found["select"].split(","))
    assert "mailto" not in asked("crossref")


def test_semantic_scholar_is_asked_without_hyphens() -> None:
    found = asked("semanticscholar", "Multi-Agent Kilns – a Survey")
    assert found["query"] == "Multi Agent Kilns a Survey"
    assert found["limit"] == "5"
    assert {"title", "abstract", "externalIds", "authors"} <= set(found["fields"].split(","))


def test_another_base_can_be_asked() -> None:
    bases = {"crossref": "http://127.0.0.1:1/works"}
    assert question("crossref", paper(), bases=bases).startswith("http://127.0.0.1:1/works?")


@given(st.text(max_size=400), st.sampled_from(sorted(BASES)))
def test_any_title_gives_an_address_of_the_service_or_none(title: str, service: str) -> None:
    url = question(service, paper(title=title))
    assert url == "" or (url.isascii() and url.isprintable() and " " not in url and len(url) < 4_500)


# --- the answer


def test_the_same_title_and_abstract_agree_in_any_spelling() -> None:
    found = paper(title=TITLE.upper().replace(":", " -"), abstract=f"<jats:p>{ABSTRACT}</jats:p>")
    assert agrees(paper(), found)
    assert agrees(paper(abstract=ABSTRACT[:150] + "…"), found)
    assert agrees(paper(), paper(abstract=ABSTRACT.replace("forty", "fifty").replace("bowls", "cups")))


@pytest.mark.parametrize(
    "found",
    [
        paper(abstract=OTHER),
        paper(title=f"B-{TITLE}"),
        paper(title=f"{TITLE} II"),
        paper(title="Kilns That Remember"),
        paper(abstract=""),
        paper(abstract="", authors=("Dee Loom", "Ed Bell")),
        paper(abstract="No abstract available."),
        paper(title=""),
    ],
)
def test_another_abstract_a_near_title_and_a_record_without_an_abstract_are_refused(found: Paper) -> None:
    assert not agrees(paper(authors=AUTHORS), found)
    assert not agrees(paper(), found)


def test_without_an_abstract_a_long_title_needs_the_same_authors() -> None:
    bare = paper(abstract="", authors=("A. Kiln", "Tide, Bo"))
    assert agrees(paper(authors=AUTHORS), bare)
    assert not agrees(paper(), bare)  # our authors are not known
    assert not agrees(paper(authors=("Ada Loom", "Bo Bell")), bare)
    short = paper(title="A Survey of Kilns", abstract="", authors=AUTHORS)
    assert not agrees(paper(title="A Survey of Kilns", authors=AUTHORS), short)


def test_a_title_alone_is_never_enough() -> None:
    assert not agrees(paper(abstract=""), paper(ids={"arxiv": "2611.00001"}))


def test_a_paper_of_another_id_does_not_agree() -> None:
    assert not agrees(paper(ids={"arxiv": "2611.00001"}), paper(ids={"arxiv": "2611.00002"}))


_WORDS = st.lists(
    st.sampled_from(["kiln", "tide", "bell", "loom", "sand", "wren", "moth", "reed", "harbour", "glaze"]),
    min_size=12,
)
_NUMBERED = st.builds(lambda words: " ".join(f"{word}{n}" for n, word in enumerate(words)), _WORDS)
_IDS = st.dictionaries(
    st.sampled_from(["arxiv", "doi", "s2"]), st.sampled_from(["2611.00001", "2611.00002", "10.5555/a"])
)


@given(_NUMBERED, _NUMBERED, _IDS, _IDS, st.booleans())
def test_agreement_is_mutual_and_never_stands_between_different_abstracts(
    one: str, other: str, ids: dict[str, str], other_ids: dict[str, str], shared: bool
) -> None:
    other = one if shared else " ".join(f"x{word}" for word in other.split())
    left, right = paper(abstract=one, ids=ids), paper(abstract=other, ids=other_ids)
    assert agrees(left, right) == agrees(right, left)
    assert shared or not agrees(left, right)
    assert not shared or agrees(paper(abstract=one), right)


# --- several records


def test_a_preprint_and_its_journal_article_are_both_taken() -> None:
    preprint = paper(ids={"arxiv": "2611.00001"}, version=2, authors=AUTHORS, categories=("cs.AI",))
    article = paper(ids={"doi": "10.5555/kilns"}, links={"pdf": "https://press.example.org/kilns.pdf"})
    assert choose(paper(), [preprint, paper(abstract=OTHER, ids={"doi": "10.5555/no"}), article]) == [
        preprint,
        article,
    ]
    found = merged(paper(key="title:kilns", announce="new"), [preprint, article])
    assert found == paper(
        key="title:kilns",
        announce="new",
        ids={"arxiv": "2611.00001", "doi": "10.5555/kilns"},
        version=2,
        authors=AUTHORS,
        categories=("cs.AI",),
        links={"pdf": "https://press.example.org/kilns.pdf"},
    )


def test_of_two_that_contradict_each_other_the_nearer_is_taken_and_of_equals_none() -> None:
    near = paper(ids={"arxiv": "2611.00001"})
    far = paper(ids={"arxiv": "2611.00002"}, abstract=ABSTRACT.replace("harbours", "villages"))
    assert choose(paper(), [far, near]) == [near]
    assert choose(paper(), [paper(ids={"arxiv": "2611.00002"}), near]) == []
    assert choose(paper(), [paper(ids={"s2": "b1"}), near]) == [paper(ids={"s2": "b1"}), near]


def test_a_record_without_an_id_is_of_no_use() -> None:
    assert choose(paper(), [paper(), paper(links={"pdf": "https://press.example.org/k.pdf"})]) == []


def test_our_own_words_and_authors_stay() -> None:
    known = paper(key="title:kilns", authors=("Ada Kiln",), links={"pdf": "https://example.org/k.pdf"})
    record = paper(
        title=TITLE.upper(), abstract=ABSTRACT + " Code is there.", authors=AUTHORS, announce="withdrawn",
        ids={"arxiv": "2611.00001"}, links={"pdf": "https://arxiv.org/pdf/2611.00001"},
    )  # fmt: skip
    found = merged(known, [record])
    assert (found.key, found.title, found.abstract, found.announce) == ("title:kilns", TITLE, ABSTRACT, None)
    assert (found.authors, found.links) == (("Ada Kiln",), {"pdf": "https://example.org/k.pdf"})


def test_an_edition_is_completed_without_new_dates_or_topics() -> None:
    shown = paper(key="title:kilns", links={"code": "https://example.org/code"})
    found = paper(
        ids={"arxiv": "2611.00001"}, authors=AUTHORS, categories=("cs.AI",), published="2026-11-01", version=3,
        links={"abstract": "https://arxiv.org/abs/2611.00001", "code": "https://example.org/else"},
    )  # fmt: skip
    assert completed(shown, found) == paper(
        key="title:kilns",
        ids={"arxiv": "2611.00001"},
        authors=AUTHORS,
        links={"abstract": "https://arxiv.org/abs/2611.00001", "code": "https://example.org/code"},
    )
