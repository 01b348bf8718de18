"""Feeds and records of journals, as publishers and the programs that follow them write them: each as small as it can be."""

from __future__ import annotations

import json
import re
from xml.sax.saxutils import escape

import pytest

from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Paper
from test_sources_layouts import LINK, paper, papers, rss


def of(journal: str, inside: str) -> Paper:
    return paper(
        rss(f"<title>T</title>{LINK}{inside}").replace("<title>J</title>", f"<title>{journal}</title>")
    )


# --- feeds


@pytest.mark.parametrize(
    ("journal", "author"),
    [
        ("ScienceDirect Publication: Pond", "Pond"),
        ("Journal of Ponds", "Journal of Ponds"),
        ("Ponds &amp;amp; Dams: Letters", " letters "),
    ],
)
def test_the_journal_is_no_author(journal: str, author: str) -> None:
    assert of(journal, f"<author>{author}</author><description/>").authors == ()
    assert of(journal, f"<author>{author}</author><author>Ada Okoye</author>").authors[1:] == ("Ada Okoye",)


def test_a_feed_of_many_journals_names_them_where_authors_stand() -> None:
    told = (
        f"<title>A</title>{LINK}<author>Pond</author><description>Publication date: May 2026 Source: Pond, Volume 1"
        " Author(s): Ada Okoye, Bo Lindal</description>"
    )
    other = "<title>B</title><link>https://k.example/2</link><author>Human Dams</author><description></description>"
    assert [each.authors_raw or each.authors for each in papers(rss(told, other))] == [
        "Ada Okoye, Bo Lindal",
        (),
    ]
    several = other.replace("</author>", "</author><author>Cy Tan</author>")
    assert papers(rss(told, several))[1].authors == ("Human Dams", "Cy Tan")
    assert papers(rss(told.replace("Source: Pond", "Source: Dam"), other))[1].authors == ("Human Dams",)


def test_who_writes_under_his_own_name_is_the_author() -> None:
    assert of("Ada Okoye", "<author>Ada Okoye</author>").authors == ("Ada Okoye",)
    assert of("New papers by: Ada Okoye", "<author>Ada Okoye</author>").authors == ("Ada Okoye",)
    assert of("Journal of Ponds", "<author>Ada Okoye</author>").authors == ("Ada Okoye",)


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("[3] [Hydrology] Carps", "Carps"),
        ("[10] [AI for Ponds]  Carps", "Carps"),
        ("[PDF] Carps", "Carps"),
        ("[3] Carps", "[3] Carps"),
        ("[2]Rotaxanes", "[2]Rotaxanes"),
        ("[2] [Review of Ponds]", "[2] [Review of Ponds]"),
    ],
)
def test_a_score_and_a_topic_before_a_title_are_no_part_of_it(written: str, title: str) -> None:
    assert paper(rss(f"<title>{written}</title>{LINK}")).title == title


@pytest.mark.parametrize(
    ("described", "abstract"),
    [
        ("Ponds, Published online: 13 May 2026; doi:10.5555/s1", ""),
        ("Ponds &amp; Dams, Published online: 13 May 2026; doi:10.5555/s1 Carps count.", "Carps count."),
        ("&lt;p&gt;Ponds, Published online: 13 May 2026&lt;/p&gt;Carps count.", "Carps count."),
        ("&lt;p&gt;doi:10.5555/s1&lt;/p&gt;", ""),
        ("Carps, Published online: we count.", "Carps, Published online: we count."),
    ],
)
def test_where_a_paper_of_nature_stands_is_no_abstract(described: str, abstract: str) -> None:
    found = of("Ponds", f"<description>{described}</description>")
    assert found.abstract == abstract
    assert found.ids == ({"doi": "10.5555/s1"} if "doi" in described else {})


@pytest.mark.parametrize("which", ["", "Revision #2 to ", "Comment #1 to "])
def test_the_report_and_the_authors_round_a_title_are_no_part_of_it(which: str) -> None:
    found = paper(
        rss(f"<title>{which}TR26-164 |  Carps |n| | \n\n\tAda Okoye, \n\n\tBo Lindal</title>{LINK}")
    )
    assert (found.title, found.authors) == ("Carps |n|", ("Ada Okoye", "Bo Lindal"))
    plain = paper(rss(f"<title>TR26-164 | Carps | Reeds</title>{LINK}<author>Cy Tan</author>"))
    assert plain.title == "TR26-164 | Carps | Reeds"


def test_headings_of_highwire_stand_before_their_paragraphs() -> None:
    parts = "<sec><st>Objective</st><p>To count.</p></sec><sec><st>Methods</st><p>Nets.</p></sec>"
    assert (
        of("P", f"<description><![CDATA[{parts}]]></description>").abstract
        == "Objective: To count. Methods: Nets."
    )
    whole = "<sec><st>Abstract</st><p>We count.</p></sec>"
    assert of("P", f"<description><![CDATA[{whole}]]></description>").abstract == "We count."


ALERT = "https://scholar.google.com/scholar_url?url=%s&hl=en&sa=X&ei=abc&oi=scholaralrt"


@pytest.mark.parametrize(
    ("page", "key"),
    [
        ("https://arxiv.org/pdf/2611.00042", "arxiv:2611.00042"),
        ("https://j.example/doi/10.5555/carp.1", "doi:10.5555/carp.1"),
        ("https%3A%2F%2Fj.example%2Fcarps%3Fid%3D1", "url:https://j.example/carps?id=1"),
    ],
)
def test_an_alert_leads_to_the_paper(page: str, key: str) -> None:
    address = ALERT % page
    assert paper(rss(f"<title>Carps</title><link>{address.replace('&', '&amp;')}</link>")).key == key
    listed = paper(json.dumps([{"title": "Carps", "link": address, "authors": ["Ada Okoye"]}]))
    assert (listed.key, "google" in str(listed.links)) == (key, False)


def test_the_state_of_a_review_is_no_part_of_a_title() -> None:
    state = "[version 2; peer review: 1 approved, 1 approved with reservations]"
    assert paper(rss(f"<title>Carps {state}</title>{LINK}")).title == "Carps"
    assert paper(rss(f"<title>Carps [version française]</title>{LINK}")).title == "Carps [version française]"


def test_labelled_paragraphs_are_read_beside_a_line_with_the_doi() -> None:
    parts = "<p><strong>Authors:</strong> Ada Okoye, Bo Lindal</p><p><strong>Abstract:</strong> We count.</p>"
    said = f"<description>Journal: Ponds | DOI: 10.5555/two</description><content:encoded>{escape(parts)}</content:encoded>"
    found = of("P", said)
    assert (found.authors, found.abstract, found.ids) == (
        ("Ada Okoye", "Bo Lindal"),
        "We count.",
        {"doi": "10.5555/two"},
    )


def test_a_group_that_others_wrote_for_is_called_by_its_name() -> None:
    author = "<author>Ada Okoye, MD; Bo Lindal, PhD, MPH; for the Pond Investigators</author>"
    assert of("P", author).authors == ("Ada Okoye", "Bo Lindal", "Pond Investigators")


def test_title_and_authors_before_an_abstract_are_no_part_of_it() -> None:
    names = "<dc:creator>Okoye, Ada</dc:creator><dc:creator>Lindal, Bo</dc:creator>"
    said = escape("T<br/><br/>Okoye, Ada; Lindal, Bo<br/><br/>We count carps.")
    assert of("P", f"{names}<description>{said}</description>").abstract == "We count carps."


# --- records


@pytest.mark.parametrize("titles", [{"title": []}, {"title": [""]}, {}])
def test_a_work_of_crossref_may_have_its_original_title_alone(titles: dict[str, object]) -> None:
    work = {"DOI": "10.5555/a", "container-title": ["P"], "original-title": ["Über Teiche"], **titles}
    assert paper(json.dumps({"message-type": "work", "message": work})).title == "Über Teiche"


PROGRAM = {
    "name": "pond",
    "title": "Pond",
    "description": "Counts ponds.",
    "version": "1.0",
    "author": "Ada Okoye",
}


@pytest.mark.parametrize(
    "said",
    [
        PROGRAM,
        {"title": "Pond", "authors": ["Ada Okoye"], "description": "Counts ponds."},
        PROGRAM | {"publisher": "pond", "keywords": ["pond"], "dependencies": {}},
    ],
)
def test_a_program_is_no_paper(said: dict[str, object]) -> None:
    with pytest.raises(ParseError):
        papers(json.dumps(said))


@pytest.mark.parametrize(
    "fact",
    [{"abstract": "We count."}, {"doi": "10.5555/a"}, {"year": 2026}, {"pdf_url": "https://p.example/1.pdf"}],
)
def test_a_paper_by_itself_is_one_however_it_is_described(fact: dict[str, object]) -> None:
    assert paper(json.dumps(PROGRAM | fact)).title == "Pond"
    assert paper(json.dumps([PROGRAM])).title == "Pond"


def test_a_paper_by_itself_may_be_known_by_its_page_alone() -> None:
    assert paper(json.dumps(PROGRAM | {"url": "https://arxiv.org/abs/2611.00031"})).key == "arxiv:2611.00031"


PAPER = '{"title":"Ponds","authors":["Ada Okoye"],"abstract":"We count."}'


@pytest.mark.parametrize(
    ("answer", "asked", "stated", "following"),
    [
        ('{"response":{"numFound":3,"start":0,"docs":[%s]}}', "?q=a", 3, "?q=a&start=1"),
        ('{"response":{"numFound":3,"start":2,"docs":[%s]}}', "?q=a&start=2", 3, ""),
        ('{"hits":{"hits":[%s],"total":9},"links":{"next":"https://i.example/?page=2"}}', "", 9, "?page=2"),
        ('{"data":[%s],"links":{"next":"https://i.example/?page=3"}}', "", None, "?page=3"),
        ('{"total_records":9,"articles":[%s]}', "", 9, ""),
        ('{"total":[1],"papers":[%s]}', "", None, ""),
    ],
)
def test_an_answer_says_how_many_there_are_and_where(
    answer: str, asked: str, stated: int | None, following: str
) -> None:
    listing = Listing(location="p", body=(answer % PAPER).encode(), base_url=f"https://i.example/{asked}")
    read = sources.read(listing)
    assert (len(read.papers), read.stated, read.next_url) == (
        1,
        stated,
        following and f"https://i.example/{following}",
    )


@pytest.mark.parametrize(
    "answer",
    [
        '{"response":{"numFound":0,"start":0,"docs":[]}}',
        '{"hits":{"hits":[],"total":0},"links":{"self":"https://i.example/"}}',
        '{"totalCount":0,"itemHits":[]}',
        '{"total_records":0,"articles":[]}',
    ],
)
def test_an_answer_without_papers_is_a_quiet_day_only_where_it_says_so(answer: str) -> None:
    assert sources.read(Listing(location="p", body=answer.encode())).empty
    with pytest.raises(ParseError):
        papers(re.sub(r'(numFound|total|totalCount|total_records)":0', r'\1":3', answer))


def test_a_title_of_the_whole_and_facts_beside_it_hide_no_paper() -> None:
    whole = '{"title":"Ponds of 2026","metadata":{"authors":["Pond Society"]},"list":[%s]}'
    assert [each.authors for each in papers(whole % PAPER)][-1:] == [("Ada Okoye",)]


@pytest.mark.parametrize("name", ["id", "pid", "paper_id"])
def test_an_id_of_arxiv_may_be_called_no_more_than_an_id(name: str) -> None:
    assert paper(f'[{{"{name}":"2611.00031v2",{PAPER[1:]}]').key == "arxiv:2611.00031"


@pytest.mark.parametrize(
    ("authors", "names"),
    [
        (["Okoye, Ada and Lindal, Bo"], ("Ada Okoye", "Bo Lindal")),
        (["Ada Okoye, Bo Lindal, Cy Tan"], ("Ada Okoye", "Bo Lindal", "Cy Tan")),
        (["Center for Ponds and Dams"], ("Center for Ponds and Dams",)),
        (["Okoye, Ada, Jr."], ("Ada Okoye Jr.",)),
        (
            ["Okoye, Ada [Pond Lab. (PNL), Pond] (ORCID:0000)", "Lindal, Bo [Dam Lab.]"],
            ("Ada Okoye", "Bo Lindal"),
        ),
    ],
)
def test_names_of_a_list_are_names_however_they_are_written(
    authors: list[str], names: tuple[str, ...]
) -> None:
    assert (
        paper(json.dumps([{"title": "Carps", "authors": authors, "abstract": "We count."}])).authors == names
    )


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("{C}arps and {DNA}", "Carps and DNA"),
        ("Sets {0, 1} and x_{ij}", "Sets {0, 1} and x_{ij}"),
        ("Ponds of {beta}-actin", "Ponds of β-actin"),
    ],
)
def test_braces_of_bibtex_are_no_part_of_a_title(written: str, title: str) -> None:
    assert paper(json.dumps([{"title": written, "authors": ["Ada Okoye"]}])).title == title


def test_categories_of_arxiv_in_datacite_are_as_arxiv_writes_them() -> None:
    subjects: list[dict[str, str]] = [
        {"subject": "Machine Learning (cs.LG)", "subjectScheme": "arXiv"},
        {"subject": "General Relativity and Quantum Cosmology (gr-qc)", "subjectScheme": "arXiv"},
        {"subject": "FOS: Computer sciences", "subjectScheme": "Fields of Science and Technology (FOS)"},
    ]
    record = {
        "doi": "10.48550/arxiv.2611.00052",
        "creators": [{"name": "Lindal, Bo"}],
        "titles": [{"title": "Reeds"}],
    }
    found = [
        paper(json.dumps({"data": [{"type": "dois", "attributes": record | {"subjects": listed}}]}))
        for listed in (subjects, subjects[2:])
    ]
    assert [each.categories for each in found] == [("cs.LG", "gr-qc"), ("FOS: Computer sciences",)]


def listed(page: object) -> list[tuple[str, str]]:
    return [(each.title, each.key) for each in papers(json.dumps(page))]


ONE = {"title": "Carps", "authors": ["Ada Okoye"], "abstract": "We count.", "id": "2611.00031"}
CARPS = [("Carps", "arxiv:2611.00031")]


@pytest.mark.parametrize(
    "page",
    [
        {"title": "Papers of the day", "authors": "Pond Bot", "date": "2026-11-19", "list": [ONE]},
        {"metadata": {"title": "My papers", "author": "Eva Lund"}, "papers": [ONE]},
        {"2611.00031": {name: ONE[name] for name in ("title", "authors", "abstract")}},
        {"data": {"papers": {"edges": [{"cursor": "a", "node": ONE}]}}},
        ONE
        | {
            "references": [{"title": "Reeds", "authors": ["Bo Lindal"]}],
            "links": [{"title": "PDF", "url": "https://j.example/"}],
        },
    ],
)
def test_what_stands_round_papers_is_none_and_hides_none(page: object) -> None:
    assert listed(page) == CARPS


TWO = [*CARPS, ("Reeds", "arxiv:2611.00032")]


@pytest.mark.parametrize(
    "page",
    [
        {
            "title": ["Carps", "Reeds"],
            "authors": [["Ada Okoye"], ["Bo Lindal"]],
            "id": ["2611.00031", "2611.00032"],
        },
        {
            "title": {"0": "Carps", "1": "Reeds"},
            "authors": {"0": "A. Okoye", "1": None},
            "id": {"0": "2611.00031", "1": "2611.00032"},
        },
    ],
)
def test_a_table_may_be_written_column_by_column(page: object) -> None:
    assert listed(page) == TWO


@pytest.mark.parametrize(
    "kept",
    [
        {"reference": [{"DOI": "10.5555/ref"}], "issued": {"date-parts": [[2026, 1, 12]]}},
        {"authorships": [{"author": {"display_name": "Eva Lund"}}], "abstract_inverted_index": None},
        {"paperId": "abc", "externalIds": {"DOI": "10.5555/x"}},
    ],
)
def test_what_a_program_keeps_of_a_service_s_answer_is_not_the_paper(kept: dict[str, object]) -> None:
    record = {"title": "Carps", "authors": ["Okoye, Ada", "Lindal, Bo"], "doi": "10.5555/n.1", "extra": kept}
    found = paper(json.dumps([record]))
    assert (found.key, found.authors) == ("doi:10.5555/n.1", ("Ada Okoye", "Bo Lindal"))


def test_the_line_by_which_arxiv_announces_a_paper_is_no_part_of_its_abstract() -> None:
    record = {"title": "Carps", "authors": ["Ada Okoye"], "published": "Tue, 05 May 2026 00:00:00 -0400"}
    said = "arXiv:2605.01781v2 Announce Type: replace \nAbstract: We count."
    found = paper(json.dumps([record | {"abstract": said}]))
    assert (found.key, found.version, found.abstract, found.announce) == (
        "arxiv:2605.01781",
        2,
        "We count.",
        "replace",
    )
    assert (found.published, found.updated) == (None, "2026-05-05T00:00:00-04:00")
    new = paper(json.dumps([record | {"abstract": said.replace("replace", "new").replace("v2", "v1")}]))
    assert (new.announce, new.published) == ("new", "2026-05-05T00:00:00-04:00")
