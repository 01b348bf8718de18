"""Citations come back as they were: names in parts, text as text, keys of their own; nothing is guessed, nothing is a command."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import examples
from digest.formats.citations import (
    Citation,
    bibtex,
    citation_of,
    coins,
    csl_json,
    meta,
    ris,
    short_bibtex,
)
from digest.formats.names import Name, name_of
from digest.model import Paper
from digest.render import clean
from editions import EDITIONS, pages_of, publication_of, shipped
from references import names_of, of_tex, read_bibtex, read_ris

PAGE = "https://papers.example.org/papers/2611.10421/"
PAPER = Paper(
    key="arxiv:2611.10421",
    title="Quiet GPUs: a 50% saving for $20 & no {magic}",
    abstract="We wait_for\\it. ~ ^ #1",
    authors=("Mira van der Berg", "Sow, Ibrahim", "陈思远", "Plato"),
    ids={"arxiv": "2611.10421"},
    version=2,
    categories=("cs.CL", "stat.ML"),
    published="2026-11-19T09:00:00Z",
    links={"abstract": "https://arxiv.example/abs/2611.10421", "pdf": "https://arxiv.example/pdf/2611.10421"},
    tags=("long context",),
)


def cited(**changes: object) -> Citation:
    return citation_of(
        Paper(**{name: getattr(PAPER, name) for name in PAPER.__struct_fields__} | changes), PAGE
    )  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ada Fenwick", Name(given="Ada", family="Fenwick")),
        ("Fenwick, Ada", Name(given="Ada", family="Fenwick")),
        ("Jan van der Berg", Name(given="Jan", particle="van der", family="Berg")),
        ("van der Berg, Jan", Name(given="Jan", particle="van der", family="Berg")),
        ("María de la Cruz Reyes", Name(given="María", particle="de la", family="Cruz Reyes")),
        ("Otto von Guericke", Name(given="Otto", particle="von", family="Guericke")),
        ("Tomás Ó Ruairc", Name(given="Tomás", family="Ó Ruairc")),
        ("Ó Ruairc, Tomás", Name(given="Tomás", family="Ó Ruairc")),
        ("Van Nguyen", Name(given="Van", family="Nguyen")),
        ("A. B. Sow", Name(given="A. B.", family="Sow")),
        ("Martin King Jr.", Name(given="Martin", family="King", suffix="Jr.")),
        ("King, Jr., Martin", Name(given="Martin", family="King", suffix="Jr.")),
        ("Martin King, III", Name(given="Martin", family="King", suffix="III")),
        ("Plato", Name(literal="Plato")),
        ("陈思远", Name(literal="陈思远")),
        ("陈 思远", Name(literal="陈 思远")),
        ("김 하나", Name(literal="김 하나")),
        ("The Tidal Collaboration", Name(literal="The Tidal Collaboration")),
        ("Tidal Collaboration", Name(literal="Tidal Collaboration")),
        ("D & E", Name(literal="D & E")),
        ("Metin And", Name(given="Metin", family="And")),
        ("Sow and Sons, Ltd.", Name(literal="Sow and Sons, Ltd.")),
        ("Ida Sandersand", Name(given="Ida", family="Sandersand")),
        ("one, two, three, four", Name(literal="one, two, three, four")),
        ("  ", Name()),
        (", ,", Name()),
    ],
)
def test_a_name_has_the_parts_that_it_is_sorted_by(text: str, name: Name) -> None:
    assert name_of(text) == name


def test_bibtex_prints_what_the_source_says() -> None:
    (entry,) = read_bibtex(bibtex([cited()]))
    fields = entry.fields
    assert (entry.kind, entry.key) == ("misc", "berg-2026-quiet")
    assert of_tex(fields["title"]) == PAPER.title
    assert of_tex(fields["abstract"]) == PAPER.abstract
    assert names_of(fields["author"]) == ["van der Berg, Mira", "Sow, Ibrahim", "{陈思远}", "{Plato}"]
    assert (fields["year"], fields["month"]) == ("2026", "nov")
    assert (fields["eprint"], fields["archiveprefix"], fields["primaryclass"]) == (
        "2611.10421",
        "arXiv",
        "cs.CL",
    )
    assert fields["url"] == "https://arxiv.example/abs/2611.10421"
    assert "{GPUs}" in fields["title"]
    assert "abstract" not in read_bibtex(short_bibtex(cited()))[0].fields


def test_accents_that_stand_behind_their_letter_are_one_sign_with_it() -> None:
    """LaTeX: "Unicode character U+0301 not set up", and the reader's paper is not set."""
    (entry,) = read_bibtex(bibtex([cited(title="Cafe\u0301 ZU\u0308RICH", authors=("Rene\u0301 Sow",))]))
    assert (entry.fields["title"], entry.fields["author"]) == ("Café {ZÜRICH}", "Sow, René")


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("Reading Charts With BERT", ["{BERT}"]),
        ("An X-ray of iPhone and 3D", ["{X}-ray", "{iPhone}", "{3D}"]),
        ("A Plain Title, Nothing More", []),
        ("Tool-Using Models", []),
    ],
)
def test_braces_keep_capitals_that_a_style_would_lower_and_no_others(title: str, kept: list[str]) -> None:
    (entry,) = read_bibtex(bibtex([cited(title=title)]))
    assert [part for part in kept if part not in entry.fields["title"]] == []
    assert entry.fields["title"].count("{") == len(kept)


def test_only_a_doi_of_its_own_makes_an_article_and_of_bibtex_none_without_a_journal() -> None:
    """@article must have a journal (Patashnik, BibTeXing, 3.1), and no source tells it."""
    doi = {"doi": "10.5555/a.b_c"}
    links = {"abstract": "https://doi.example/10.5555/a.b_c"}
    found = cited(ids=doi, links=links)
    (entry,) = read_bibtex(bibtex([found]))
    assert (entry.kind, entry.fields["doi"]) == ("misc", "10.5555/a.b_c")
    assert not {"journal", "booktitle", "publisher", "eprint"} & set(entry.fields)
    assert read_ris(ris([found]))[0][0] == ("TY", "JOUR")
    for ids in (doi | {"arxiv": "2611.10421"}, {"doi": "10.48550/arXiv.2611.10421"}, {"doi": "10.1/}{"}, {}):
        assert read_ris(ris([cited(ids=ids)]))[0][0] == ("TY", "UNPB")


@pytest.mark.parametrize(
    ("published", "said"),
    [("2026-11-19T09:00:00Z", ["2026/11/19/"]), (None, ["2026/11//"])],
)
def test_a_date_in_ris_has_its_three_slashes(published: str | None, said: list[str]) -> None:
    """ "2611" of the id tells the month alone; readers that count slashes find the day empty."""
    (record,) = read_ris(ris([cited(published=published)]))
    assert [value for tag, value in record if tag == "DA"] == said
    assert "DA" not in dict(read_ris(ris([cited(published=None, ids={})]))[0])


@pytest.mark.parametrize(
    ("published", "arxiv", "day"),
    [
        ("2026-11-19T09:00:00Z", "2611.10421", "2026/11/19"),
        ("2026-11-19", "", "2026/11/19"),
        (None, "2611.10421", "2026/11"),
        ("2026-13-45", "2611.10421", "2026/11"),
        (None, "math/0309136", "2003/09"),
        (None, "hep-th/9901001", "1999/01"),
        (None, "hep-th/9108001", "1991/08"),
        (None, "2601.10421", "2026/01"),
        (None, "2512.10421", "2025/12"),
        (None, "2600.10421", ""),
        (None, "2613.10421", ""),
        (None, "2699.10421", ""),
        (None, "", ""),
    ],
)
def test_the_day_is_that_of_the_source_or_what_the_arxiv_id_says(
    published: str | None, arxiv: str, day: str
) -> None:
    assert cited(published=published, ids={"arxiv": arxiv} if arxiv else {}).date == day


def test_keys_of_a_file_are_its_own_and_stay_where_papers_are_added_behind() -> None:
    same = [cited(title=f"Quiet Numbers {n}") for n in range(60)]
    keys = [entry.key for entry in read_bibtex(bibtex(same))]
    assert keys[:3] == ["berg-2026-quiet", "berg-2026-quietb", "berg-2026-quietc"]
    assert [key.removeprefix("berg-2026-quiet") for key in keys[24:28]] == ["y", "z", "ba", "bb"]
    assert len(set(keys)) == 60
    assert [entry.key for entry in read_bibtex(bibtex(same[:30]))] == keys[:30]
    assert [item["id"] for item in json.loads(csl_json(same))] == keys


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"authors": ("Tomás Reyes-Lind",)}, "reyeslind-2026-quiet"),
        ({"authors": ("Plato",)}, "plato-2026-quiet"),
        ({"authors": ("Ada " + "Fen" * 20,), "title": "So" * 30}, f"{'fen' * 10}-2026-{'so' * 15}"),
        ({"authors": ()}, "2026-quiet"),
        ({"title": "一个标题"}, "berg-2026"),
        ({"authors": ("陈思远",), "title": "一个标题"}, "arxiv261110421"),
        ({"title": "On the Art of Waiting"}, "berg-2026-art"),
        ({"published": None, "ids": {}}, "berg-quiet"),
    ],
)
def test_a_key_says_author_year_and_word_as_far_as_they_are_known(
    changes: dict[str, object], key: str
) -> None:
    assert cited(**changes).key == key


def test_authors_whom_the_source_left_out_are_others() -> None:
    (entry,) = read_bibtex(bibtex([cited(authors_cut=True)]))
    assert names_of(entry.fields["author"])[-1] == "others"


def test_authors_who_are_only_one_string_are_cited_as_it_stands() -> None:
    """Where names cannot be told apart, the string is one author that no program takes apart, rather than none."""
    found = cited(authors=(), authors_raw="Tidal Team\nand Friends, at Sea")
    whole = "Tidal Team and Friends, at Sea"
    (entry,) = read_bibtex(bibtex([found]))
    assert names_of(entry.fields["author"]) == [f"{{{whole}}}"]
    assert ("AU", whole) in read_ris(ris([found]))[0]
    assert json.loads(csl_json([found]))[0]["author"] == [{"literal": whole}]
    assert cited(authors_raw=whole).authors == cited().authors


def test_an_id_that_is_none_is_not_cited() -> None:
    """A dump may call anything an id; reference managers make addresses of it."""
    found = cited(ids={"arxiv": "see the web page", "doi": "doi of it"}, published=None)
    assert (found.arxiv, found.doi, found.date) == ("", "", "")
    for wrong in ("see the web page", "doi of it"):
        assert wrong not in bibtex([found]) + ris([found]) + csl_json([found]).decode() + coins(found)


def test_only_a_web_address_is_cited_and_its_page_here_where_there_is_none() -> None:
    other, script = "https://journal.example/1", "javascript:alert(1)"
    assert cited(links={"abstract": script, "html": other, "pdf": script}).url == other
    none = cited(links={"abstract": script, "html": script, "pdf": script})
    assert (none.url, none.pdf) == (PAGE, "")


def test_names_that_would_be_two_stay_one() -> None:
    names = ("Tom and Jerry Smith", "AND", "Sow and Sons", "Metin And")
    (entry,) = read_bibtex(bibtex([cited(authors=names)]))
    assert names_of(entry.fields["author"]) == [
        "{Tom and Jerry Smith}",
        "{AND}",
        "{Sow and Sons}",
        "{And}, Metin",
    ]


def test_ris_has_a_line_for_each_fact() -> None:
    (record,) = read_ris(ris([cited()]))
    assert record == [
        ("TY", "UNPB"),
        ("TI", PAPER.title),
        ("AU", "van der Berg, Mira"),
        ("AU", "Sow, Ibrahim"),
        ("AU", "陈思远"),
        ("AU", "Plato"),
        ("PY", "2026"),
        ("DA", "2026/11/19/"),
        ("AN", "arXiv:2611.10421"),
        ("UR", "https://arxiv.example/abs/2611.10421"),
        ("L1", "https://arxiv.example/pdf/2611.10421"),
        ("KW", "long context"),
        ("KW", "cs.CL"),
        ("KW", "stat.ML"),
        ("AB", PAPER.abstract),
        ("ER", ""),
    ]
    assert len(read_ris(ris([cited(), cited()]))) == 2


def test_the_suffix_of_a_name_is_last_but_in_bibtex() -> None:
    """RIS: "Lastname, Firstname, Suffix"; who reads names by their commas took "Jr." for the given name."""
    king = cited(authors=("Martin van der King Jr.", "Smith, III, John"))
    named = ["van der King, Martin, Jr.", "Smith, John, III"]
    (record,) = read_ris(ris([king]))
    assert [value for tag, value in record if tag == "AU"] == named
    assert [value for name, value in meta(king, PAGE) if name == "citation_author"] == named
    assert [value for name, value in parse_qsl(coins(king)) if name == "rft.au"] == named
    assert "author = {van der King, Jr., Martin and Smith, III, John}" in bibtex([king])


def test_csl_json_has_the_fields_of_its_schema() -> None:
    (item,) = json.loads(csl_json([cited()]))
    assert item == {
        "id": "berg-2026-quiet",
        "type": "article",
        "title": PAPER.title,
        "author": [
            {"family": "Berg", "given": "Mira", "non-dropping-particle": "van der"},
            {"family": "Sow", "given": "Ibrahim"},
            {"literal": "陈思远"},
            {"literal": "Plato"},
        ],
        "issued": {"date-parts": [[2026, 11, 19]]},
        "number": "arXiv:2611.10421",
        "publisher": "arXiv",
        "version": "2",
        "URL": "https://arxiv.example/abs/2611.10421",
        "keyword": "long context, cs.CL, stat.ML",
        "abstract": PAPER.abstract,
    }


def test_an_article_says_its_doi_and_kind_everywhere() -> None:
    article = cited(ids={"doi": "10.5555/a.b_c"}, authors=("Martin van der King Jr.",))
    (item,) = json.loads(csl_json([article]))
    assert (item["type"], item["DOI"]) == ("article-journal", "10.5555/a.b_c")
    assert not {"number", "publisher"} & set(item)
    assert item["author"] == [
        {"family": "King", "given": "Martin", "non-dropping-particle": "van der", "suffix": "Jr."}
    ]
    said = parse_qsl(coins(article), strict_parsing=True)
    assert {name: value for name, value in said if name.startswith("rft.au") or name == "rft.genre"} == {
        "rft.genre": "article",
        "rft.aulast": "van der King",
        "rft.aufirst": "Martin",
        "rft.au": "van der King, Martin, Jr.",
    }
    assert [value for name, value in said if name == "rft_id"] == ["info:doi/10.5555/a.b_c", article.url]
    assert dict(meta(article, PAGE))["citation_doi"] == "10.5555/a.b_c"
    assert dict(parse_qsl(coins(cited())))["rft.genre"] == "preprint"


def test_what_is_printed_letter_by_letter_ends_no_field() -> None:
    (entry,) = read_bibtex(bibtex([cited(ids={"doi": "10.5555/a}b{c\\"}, authors=("D{ And",))]))
    assert entry.fields["doi"] == "10.5555/a%7Db%7Bc%5C"
    assert names_of(entry.fields["author"]) == [r"{And}, D\textbraceleft{}"]


def test_coins_and_meta_elements_say_the_same() -> None:
    pairs = parse_qsl(coins(cited()), strict_parsing=True)
    assert ("rft.atitle", PAPER.title) in pairs
    assert [value for name, value in pairs if name == "rft.au"] == [
        value for name, value in meta(cited(), PAGE) if name == "citation_author"
    ]
    assert ("rft_id", "info:arxiv/2611.10421") in pairs
    assert ("rft.date", "2026-11-19") in pairs
    assert dict(meta(cited(), PAGE))["citation_abstract_html_url"] == PAGE


def test_a_paper_of_nothing_but_a_title_has_a_citation() -> None:
    bare = citation_of(Paper(key="title:bare", title="A Title"), PAGE)
    (entry,) = read_bibtex(bibtex([bare]))
    assert entry.fields == {"title": "A Title", "url": PAGE}
    assert json.loads(csl_json([bare])) == [
        {"id": "title", "type": "article", "title": "A Title", "URL": PAGE}
    ]
    assert read_ris(ris([bare])) == [[("TY", "UNPB"), ("TI", "A Title"), ("UR", PAGE), ("ER", "")]]


@pytest.mark.parametrize("name", EDITIONS)
def test_an_edition_has_every_paper_in_both_files(name: str) -> None:
    edition = EDITIONS[name]()
    made = pages_of(publication_of(edition), shipped())
    entries = read_bibtex(made["2026/11/19/papers.bib"].decode())
    records = read_ris(made["2026/11/19/papers.ris"].decode())
    titles = [clean(entry.paper.title) or "(untitled)" for entry in edition.entries]
    assert [of_tex(entry.fields["title"]) for entry in entries] == titles
    assert [dict(record)["TI"] for record in records] == titles
    assert len({entry.key for entry in entries}) == edition.count


HOSTILE = st.text(
    alphabet=st.one_of(
        st.sampled_from("\\{}$%&#_^~,\"@=\n\r\t '-"),
        st.characters(codec="utf-8"),
        st.sampled_from("aA andAND"),
    ),
    max_size=60,
)


@settings(max_examples=examples(150), deadline=None)
@given(title=HOSTILE, abstract=HOSTILE, authors=st.lists(HOSTILE, max_size=4), doi=HOSTILE, url=HOSTILE)
def test_whatever_a_source_says_comes_back_as_text(
    title: str, abstract: str, authors: list[str], doi: str, url: str
) -> None:
    paper = Paper(
        key=f"title:{title}", title=title, abstract=abstract, authors=tuple(authors), ids={"doi": doi},
        links={"abstract": f"https://papers.example/{url}", "pdf": url},
    )  # fmt: skip
    citation = citation_of(paper, PAGE)
    first, second = read_bibtex(bibtex([citation, citation]))
    assert first.key != second.key
    assert of_tex(first.fields["title"]) == (clean(title) or "(untitled)")
    assert of_tex(first.fields.get("abstract", "")) == clean(abstract)
    assert len(names_of(first.fields.get("author", ""))) == len(citation.authors)
    for source in names_of(first.fields.get("author", "")):
        of_tex(source)
    (record,) = read_ris(ris([citation]))
    assert dict(record)["TI"] == citation.title
    assert [value for tag, value in record if tag == "AU"] == [name.sorted for name in citation.authors]
    (item,) = json.loads(csl_json([citation]))
    assert item["title"] == citation.title
    assert dict(parse_qsl(coins(citation), strict_parsing=True))["rft.atitle"] == citation.title
