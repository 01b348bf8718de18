"""Layouts of publishers, libraries and programs, each as small as it can be: what is the paper's, and what only stands beside."""

from __future__ import annotations

import json
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Paper
from test_corrections import KILNS, TIDES
from test_views import Site

SPACES = (
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    ' xmlns:content="http://purl.org/rss/1.0/modules/content/"'
)
LINK = "<link>https://j.example/1</link>"


def rss(*items: str) -> str:
    inside = "".join(f"<item>{item}</item>" for item in items)
    return f"<rss version='2.0' {SPACES}><channel><title>J</title><link>https://j.example/</link>{inside}</channel></rss>"


def papers(page: str) -> tuple[Paper, ...]:
    return sources.read(Listing(location="page", body=page.encode())).papers


def paper(page: str) -> Paper:
    (only,) = papers(page)
    return only


def item(inside: str) -> Paper:
    return paper(rss(f"<title>T</title>{LINK}{inside}"))


# --- authors of feeds


@pytest.mark.parametrize(
    ("inside", "names"),
    [
        ("<dc:creator/><author>Ada Okoye</author>", ["Ada Okoye"]),
        ("<dc:creator> </dc:creator><author/><author>Ada Okoye, Bo Lindal</author>", ["Ada Okoye", "Bo Lindal"]),
        ("<authors>Ada Okoye;Bo Lindal;</authors>", ["Ada Okoye", "Bo Lindal"]),
        ("<dc:creator><rdf:Seq><rdf:li>Ada Okoye</rdf:li><rdf:li>Bo Lindal</rdf:li></rdf:Seq></dc:creator>",
         ["Ada Okoye", "Bo Lindal"]),
        ("<author>Ada Okoye (ada@j.example)</author>", ["Ada Okoye"]),
        ("<dc:creator>Ada Okoye (ada@j.example)</dc:creator>", ["Ada Okoye"]),
        ("<author>a@j.example (Ada Okoye), b@j.example (Bo Lindal)</author>", ["Ada Okoye", "Bo Lindal"]),
        ("<author>Ada Okoye, Bo Lindal; Cy Tan (Translator)</author>", ["Ada Okoye", "Bo Lindal", "Cy Tan (Translator)"]),
        ("<dc:creator>Okoye, Ada; Lindal, Bo</dc:creator>", ["Ada Okoye", "Bo Lindal"]),
        ("<dc:creator>Okoye, Ada</dc:creator>", ["Okoye, Ada"]),
        ("<author>王伟, 李娜</author>", ["王伟", "李娜"]),
        ("<dc:creator>Okoye, Ada</dc:creator><dc:creator>Garcia Lopez, Ana Maria</dc:creator><dc:creator>Pond Group</dc:creator>",
         ["Ada Okoye", "Ana Maria Garcia Lopez", "Pond Group"]),
        ("<author>\n van Dam, J. K., Jr.\n</author><author>Li, Bo</author>", ["J. K. van Dam Jr.", "Bo Li"]),
        ("<author>Ada Okoye, MIT</author><author>Bo Lindal, CMU</author>", ["Ada Okoye, MIT", "Bo Lindal, CMU"]),
        ("<dc:creator>van Dam, Jo K. and Lindal, Bo M.</dc:creator>", ["Jo K. van Dam", "Bo M. Lindal"]),
        ("<dc:creator>Okoye, Ada and de la Cruz, Ana and O’Neil, Bo</dc:creator>", ["Ada Okoye", "Ana de la Cruz", "Bo O’Neil"]),
        ("<dc:creator>Lindal, B. M.</dc:creator>", ["B. M. Lindal"]),
        ("<author>Okoye, A.; Tan,  C.  D.; amp; Lindal, Bo; </author>", ["A. Okoye", "C. D. Tan", "Bo Lindal"]),
        ("<dc:creator>Okoye, A., The Pond Consortium, van Dam, B.-C., Jr, Lindal, C.</dc:creator>",
         ["A. Okoye", "The Pond Consortium", "B.-C. van Dam Jr", "C. Lindal"]),
        ("<dc:creator>Ada Okoye*, Bo Lindal,† Cy Tan for the Pond Collaboration</dc:creator>",
         ["Ada Okoye", "Bo Lindal", "Cy Tan", "Pond Collaboration"]),
        ("<dc:creator>Ada Okoye, Center for the Study of Kilns</dc:creator>", ["Ada Okoye", "Center for the Study of Kilns"]),
        ("<dc:creator>Okoye, A., MIT, Lindal, B., CMU</dc:creator>", ["Okoye, A., MIT, Lindal, B., CMU"]),
        ("<author>Okoye, A.; and Lindal, Bo</author>", ["A. Okoye", "Bo Lindal"]),
        ("<authors><author sequence='first'><given_name>Ada</given_name><middle_name>S.</middle_name>"
         "<last_name>Okoye</last_name><affiliation>Kiln</affiliation></author>"
         "<author><given_name>Bo</given_name><last_name>Lindal</last_name></author></authors>", ["Ada S. Okoye", "Bo Lindal"]),
        ("<authors><author>Ada Okoye</author></authors>", ["Ada Okoye"]),
        ("<dc:creator>Ada Okoye, MIT and Bo Lindal, CMU</dc:creator>", ["Ada Okoye, MIT and Bo Lindal, CMU"]),
        ("<dc:creator>Ada OkoyeBo van LindalaDepartment of Kilns, Pond University, Pondton, 12345bKiln Institute</dc:creator>",
         ["Ada Okoye", "Bo van Lindal"]),
        ("<dc:creator>Maria McDonaldJo DeVries1University of Ponds</dc:creator>", ["Maria McDonald", "Jo DeVries"]),
        ("<dc:creator>Maria GarciaDepartment of Ponds, Kiln Lab University</dc:creator>", ["Maria Garcia"]),
        ("<dc:creator>Mary JoAnn Okoye</dc:creator>", ["Mary JoAnn Okoye"]),
        ("<dc:creator>Ada deBoer, Bo Lindal</dc:creator>", ["Ada deBoer", "Bo Lindal"]),
        ("<dc:creator>Kiln DeepSea Research</dc:creator>", ["Kiln DeepSea Research"]),
        ("<dc:creator>Ada ElSayed; Bo Lindal; Cy Tan</dc:creator>", ["Ada ElSayed", "Bo Lindal", "Cy Tan"]),
        ("<dc:creator>Ada DaSilva (Kiln University), Bo Lindal</dc:creator>", ["Ada DaSilva", "Bo Lindal"]),
        ("<dc:creator>The PondNet Medicine Editors</dc:creator>", ["The PondNet Medicine Editors"]),
        ("<dc:creator>Google DeepMind</dc:creator>", ["Google DeepMind"]),
        ("<dc:creator>Ada Okoye1, Bo Lindal1,2, Cy Tan2,* and Di Ng2</dc:creator>", ["Ada Okoye", "Bo Lindal", "Cy Tan", "Di Ng"]),
        ("<dc:creator>Ada Okoye¹,², Bo Lindal$^{1,*}$, Cy Tan†</dc:creator>", ["Ada Okoye", "Bo Lindal", "Cy Tan"]),
        ("<dc:creator>Ada Okoye, MD, PhD, Bo Lindal, Jr., M.Sc.</dc:creator>", ["Ada Okoye", "Bo Lindal, Jr."]),
        ("<dc:creator>Ada C\\^ot\\'{e}, Bo L\\^{e}</dc:creator>", ["Ada Côté", "Bo Lê"]),
        ("<dc:creator>Ada Okoye, Pond9</dc:creator>", ["Ada Okoye, Pond9"]),
        ("<author>Ada Okoye, MD, PhD; Bo Lindal, MSc</author>", ["Ada Okoye", "Bo Lindal"]),
        ("<author><name>The <i>Pond</i> Staff</name></author>", ["The Pond Staff"]),
        ("<dc:creator>Ada Okoye, M.D., M.B., Ch.B., Bo Lindal, Jr., Ph.D., for the POND-1 Investigators</dc:creator>",
         ["Ada Okoye", "Bo Lindal, Jr.", "POND-1 Investigators"]),
        ("<dc:creator>Ada Okoye</dc:creator><dc:creator>for the POND-1 Investigators</dc:creator>",
         ["Ada Okoye", "POND-1 Investigators"]),
        ("<dc:creator>Okoye, BA, van Lindal, MS</dc:creator>", ["BA Okoye", "MS van Lindal"]),
        ("<dc:creator>Okoye, M.D., Lindal, Ph.</dc:creator>", ["M.D. Okoye", "Ph. Lindal"]),
        ("<author>By Ada Okoye; Bo Lindal</author>", ["Ada Okoye", "Bo Lindal"]),
        ("<author>By, Ada; Lindal, Bo</author>", ["Ada By", "Bo Lindal"]),
        ("<dc:creator>Adaeze (Ada) Okoye, Bo B. (Bill) Lindal and Cy (Cyril) Tan</dc:creator>",
         ["Adaeze (Ada) Okoye", "Bo B. (Bill) Lindal", "Cy (Cyril) Tan"]),
        ("<dc:creator>Ada Okoye (Kilnton), Bo Lindal (Kiln Institute, Pondton), Cy Tan (Pondton) and Di Ng</dc:creator>",
         ["Ada Okoye", "Bo Lindal", "Cy Tan", "Di Ng"]),
    ],
)  # fmt: skip
def test_authors_of_a_feed_are_named_however_they_are_written(inside: str, names: list[str]) -> None:
    assert list(item(inside).authors) == names


def test_a_name_alone_is_one_where_the_feed_writes_each_by_himself() -> None:
    two = "<dc:creator>Lund, Eva</dc:creator><dc:creator>Berg, Nils</dc:creator>"
    one = "<dc:creator>Garcia Lopez, Ana Maria</dc:creator>"
    found = papers(
        rss(
            *(
                f"<title>{n}</title><link>https://j.example/{n}</link>{who}"
                for n, who in enumerate((two, one))
            )
        )
    )
    assert [each.authors for each in found] == [("Eva Lund", "Nils Berg"), ("Ana Maria Garcia Lopez",)]
    assert [each.source_text["authors"] for each in found] == [
        "Lund, Eva; Berg, Nils",
        "Garcia Lopez, Ana Maria",
    ]


@pytest.mark.parametrize(
    ("inside", "names"),
    [
        ("<author>x@j.example (Ada Okoye et al)</author>", ["Ada Okoye"]),
        ("<dc:creator>Ada Okoye and others</dc:creator>", ["Ada Okoye"]),
        ("<dc:creator>Ada Okoye, Bo Lindal, and 12 others</dc:creator>", ["Ada Okoye", "Bo Lindal"]),
        ("<dc:creator>Ada Okoye</dc:creator><dc:creator>and others</dc:creator>", ["Ada Okoye"]),
        ("<dc:creator>Okoye, A., Lindal, B., et al.</dc:creator>", ["A. Okoye", "B. Lindal"]),
        ("<dc:creator>Ada Okoye, Bo Lindal and et al.</dc:creator>", ["Ada Okoye", "Bo Lindal"]),
        ("<dc:creator>Ada Okoye</dc:creator><dc:creator>et al.</dc:creator>", ["Ada Okoye"]),
        ("<dc:creator>A. B. Okoye &lt;em&gt;et al.&lt;/em&gt; (The Pond Collaboration)</dc:creator>",
         ["A. B. Okoye", "The Pond Collaboration"]),
    ],
)  # fmt: skip
def test_et_al_is_no_author_and_says_that_there_are_more(inside: str, names: list[str]) -> None:
    found = item(inside)
    assert list(found.authors) == names
    assert found.authors_cut


def test_a_name_that_ends_like_et_al_is_one() -> None:
    found = item("<dc:creator>Piet Al</dc:creator>")
    assert (found.authors, found.authors_cut) == (("Piet Al",), False)


@pytest.mark.parametrize("markup", ["", "<![CDATA[]]>"])
def test_what_a_vocabulary_says_that_nobody_knows_counts_behind_what_is_known(markup: str) -> None:
    strange = "<x:title>Votes</x:title><x:link>https://x.example/</x:link><x:creator>A Bot</x:creator><x:date>2020-01-01</x:date>"
    later = (
        '<updated xmlns="http://www.w3.org/2005/Atom">2026-11-20</updated><x:updated>2020-01-01</x:updated>'
    )
    page = (
        '<rss version="2.0" xmlns:x="https://x.example/ns" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>J</title>'
        f"<link>https://j.example/</link>{markup}<item>{strange}<dc:date>2026-11-19</dc:date><dc:creator>Ada Okoye</dc:creator>"
        f"<title>Ponds</title><link>https://j.example/1</link>{later}</item><item><x:title>Kilns</x:title>"
        "<link>https://j.example/2</link></item></channel></rss>"
    )
    one, two = papers(page)
    assert (one.title, one.links["abstract"]) == ("Ponds", "https://j.example/1")
    assert (one.published, one.updated) == ("2026-11-19", "2026-11-20")
    assert one.authors[0] == "Ada Okoye"
    assert two.title == "Kilns"


def test_a_text_in_base64_is_read() -> None:
    entry = "<title mode='base64'>Q2FycHMgY291bnQ=</title><summary mode='base64'>No base64!</summary><link href='https://j.example/1'/>"
    found = paper(
        f"<feed version='0.3' xmlns='http://purl.org/atom/ns#'><title>J</title><entry>{entry}</entry></feed>"
    )
    assert (found.title, found.abstract) == ("Carps count", "No base64!")


# --- ids and links of feeds


def test_a_doi_may_stand_as_a_resource() -> None:
    assert item('<dc:identifier rdf:resource="doi:10.5555/carp.1"/>').ids == {"doi": "10.5555/carp.1"}


def test_a_doi_may_stand_under_its_long_name() -> None:
    assert item("<dc:digitalObjectIdentifier>10.5555/carp.1</dc:digitalObjectIdentifier>").ids == {
        "doi": "10.5555/carp.1"
    }


@pytest.mark.parametrize(
    ("written", "link"),
    [
        ("https://j.example/p/one two.html", "https://j.example/p/one%20two.html"),
        ("\n https://j.example/p/\n\tone ", "https://j.example/p/one"),
        ("<![CDATA[https://j.example/v?id=6&amp;issue=2]]>", "https://j.example/v?id=6&issue=2"),
    ],
)
def test_a_link_is_mended_as_a_browser_does(written: str, link: str) -> None:
    assert paper(rss(f"<title>T</title><link>{written}</link>")).links["abstract"] == link


def test_of_the_links_of_an_entry_the_one_on_the_web_is_its_page() -> None:
    links = '<link href="gopher://j.example/1"/><link type="text/html" href="https://j.example/1"/>'
    page = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>J</title><link href="https://j.example/"/><entry><title>T</title>{links}</entry></feed>'
    assert paper(page).links == {"abstract": "https://j.example/1"}


@pytest.mark.parametrize("inside", ["", "<!-- read by its tree -->"])
@pytest.mark.parametrize("rel", ["license", "hub", "search"])
def test_links_of_a_feed_that_lead_elsewhere_say_not_where_it_is(rel: str, inside: str) -> None:
    heads = f'<title>J</title><link rel="{rel}" href="https://elsewhere.example/"/><link rel="self" href="https://j.example/feed"/>'
    page = f'<feed xmlns="http://www.w3.org/2005/Atom">{heads}{inside}<entry><title>T</title><link href="/p/1"/></entry></feed>'
    assert paper(page).links == {"abstract": "https://j.example/p/1"}


@pytest.mark.parametrize("inside", ["", "<description><![CDATA[read by its tree]]></description>"])
def test_a_pdf_that_is_enclosed_is_the_papers(inside: str) -> None:
    enclosed = '<enclosure url="/p.png" type="image/png"/><enclosure url="/1.pdf" length="1" type="application/pdf"/>'
    assert item(f"{inside}{enclosed}").links == {
        "abstract": "https://j.example/1",
        "pdf": "https://j.example/1.pdf",
    }


def test_an_id_of_pubmed_in_a_feed_is_one() -> None:
    found = item(
        '<guid isPermaLink="false">pubmed:55500001</guid><dc:identifier>pmid:55500001</dc:identifier>'
    )
    assert (found.key, found.ids, found.source_text) == ("pmid:55500001", {"pmid": "55500001"}, {})


def test_ids_of_pubmed_central_in_a_feed_are_ids_too() -> None:
    found = item("<dc:identifier>pmid:1</dc:identifier><dc:identifier>pmc:PMC22</dc:identifier>")
    assert found.ids == {"pmid": "1", "pmcid": "PMC22"}


def test_a_pdf_and_subjects_in_elements_of_their_own_are_the_papers() -> None:
    found = item(
        "<pdf_url>https://j.example/1.pdf</pdf_url><tags>R, Ponds, kilns</tags><subjects> Carps </subjects>"
    )
    assert found.links["pdf"] == "https://j.example/1.pdf"
    assert found.categories == ("R", "Ponds", "kilns", "Carps")


@pytest.mark.parametrize(
    ("link", "title"),
    [
        ("https://h.example/hal-01234567v2", "Ponds"),
        ("https://h.example/other", "[hal-01234567] Ponds"),
    ],
)
def test_an_id_before_a_title_is_no_part_of_it_where_the_link_has_it(link: str, title: str) -> None:
    numbered = paper(rss("<title>[2611.00001] Kilns</title><link>https://arxiv.org/abs/2611.00001</link>"))
    assert numbered.title == "Kilns"
    assert paper(rss(f"<title>[hal-01234567] Ponds</title><link>{link}</link>")).title == title


def test_authors_behind_a_title_are_no_part_of_it() -> None:
    found = paper(rss(f"<title>Ponds -- and Prices -- by Ada Okoye, Bo M. Lindal</title>{LINK}"))
    assert (found.title, found.authors) == ("Ponds -- and Prices", ("Ada Okoye", "Bo M. Lindal"))
    assert item("<author>Ada Okoye</author>").title == "T"


# --- which papers


def test_two_papers_of_one_title_without_links_are_two(tmp_path: Path) -> None:
    texts = [TIDES, KILNS]
    items = [
        f'<title>Editorial</title><guid isPermaLink="false">a{n}</guid><description>{text}</description>'
        for n, text in enumerate(texts)
    ]
    assert [each.abstract for each in papers(rss(*items))] == texts
    assert len(papers(rss(items[0], items[0]))) == 1
    site = Site(tmp_path)
    (tmp_path / "inbox" / "page.xml").write_text(rss(*items))
    for _ in range(2):
        site.run_again()
    assert site.text("2026/11/16/index.html").count("<article") == 2
    assert not site.has("2026/11/17/index.html")


@pytest.mark.parametrize("page", ["<feed><status>maintenance</status></feed>", "<rss><channel/></rss>"])
def test_a_feed_that_says_nothing_at_all_is_no_quiet_day(page: str) -> None:
    with pytest.raises(ParseError, match="neither items nor a title"):
        papers(page)


@pytest.mark.parametrize("written", ["Mon, 01 Jan 0001 00:00:00 GMT", "0001-01-01T00:00:00Z", "0001-01-01"])
def test_the_first_of_the_year_one_is_no_date(written: str) -> None:
    assert item(f"<pubDate>{written}</pubDate>").published is None


def test_the_section_before_a_title_is_no_part_of_it_where_the_item_names_it_too() -> None:
    section = "<p:section xmlns:p='http://prismstandard.org/namespaces/basic/2.0/'>Articles</p:section>"
    titled = "<title>[Articles] Carps</title><link>https://j.example/1</link>"
    assert paper(rss(titled + section)).title == "Carps"
    assert paper(rss(f"{titled}<category>articles</category>")).title == "Carps"
    assert paper(rss(titled)).title == "[Articles] Carps"
    assert paper(rss(titled.replace(" Carps", "") + section)).title == "[Articles]"


def test_the_date_on_the_cover_counts_where_an_item_has_no_other() -> None:
    cover = "<p:coverDate xmlns:p='http://prismstandard.org/namespaces/basic/2.0/'>2026-12-01</p:coverDate>"
    assert item(cover).published == "2026-12-01"
    assert item(f"{cover}<dc:date>2026-11-19</dc:date>").published == "2026-11-19"


# --- answers of libraries and services


def test_a_doi_made_of_a_sici_is_read_to_its_end() -> None:
    doi = "10.5555/1520-0469(1979)036<0001:carps>2.0.co;2"
    work = {"DOI": doi, "title": ["Carps"], "type": "journal-article"}
    page = json.dumps(
        {"status": "ok", "message-type": "work-list", "message": {"total-results": 1, "items": [work]}}
    )
    assert paper(page).ids == {"doi": doi}
    assert item(
        f"<dc:identifier>doi:10.5555/carp</dc:identifier><description>{escape('<p>x')}</description>"
    ).ids == {"doi": "10.5555/carp"}


def test_an_answer_about_the_agency_of_a_doi_is_no_list_of_works() -> None:
    answer = {
        "status": "ok",
        "message-type": "work-agency",
        "message": {"DOI": "10.5555/a", "agency": {"id": "crossref"}},
    }
    with pytest.raises(ParseError, match="work-agency"):
        papers(json.dumps(answer))


@pytest.mark.parametrize(("information", "published"), [("v1", "2026-01-01"), ("v2", None), (None, None)])
def test_a_preprint_of_datacite_was_published_when_version_1_was_submitted(
    information: str | None, published: str | None
) -> None:
    dates = [
        {"date": "2026-01-01", "dateType": "Submitted", "dateInformation": information},
        {"date": "2026", "dateType": "Issued"},
    ]
    record = {
        "titles": [{"title": "Carps"}],
        "creators": [{"name": "Okoye, Ada"}],
        "doi": "10.5555/z.1",
        "dates": dates,
    }
    assert paper(json.dumps({"data": [{"type": "dois", "attributes": record}]})).published == published


@pytest.mark.parametrize(
    "named",
    [
        {"identifiers": [{"identifier": "10.5555/z.1", "identifierType": "DOI"}]},
        {"identifier": {"identifier": "10.5555/z.1", "identifierType": "DOI"}},
    ],
)
def test_datacite_may_have_the_doi_among_identifiers(named: dict[str, object]) -> None:
    record = {
        "titles": [{"title": "Carps"}],
        "creators": [{"name": "Okoye, Ada"}],
        "publicationYear": 2024,
        **named,
    }
    page = json.dumps({"data": [{"type": "dois", "attributes": record}]})
    assert paper(page).key == "doi:10.5555/z.1"


def test_a_programme_of_a_conference_calls_papers_by_their_names() -> None:
    event = {
        "id": 1,
        "name": "Carps of \"Ponds\"",
        "authors": [{"id": 2, "fullname": "Ada Okoye", "institution": "Kiln"}, {"id": 3, "fullname": "Bo Lindal"}],
        "abstract": "They count.",
        "topic": "Ponds",
        "decision": "Accept (poster)",
        "virtualsite_url": "/virtual/2026/poster/1",
        "paper_url": "https://openreview.net/forum?id=abCD1234-_",
    }  # fmt: skip
    found = paper(json.dumps({"count": 1, "next": None, "previous": None, "results": [event]}))
    assert (found.title, found.authors) == ('Carps of "Ponds"', ("Ada Okoye", "Bo Lindal"))
    assert (found.abstract, found.ids) == ("They count.", {"openreview": "abCD1234-_"})


@pytest.mark.parametrize(
    ("words", "abstract"),
    [
        ("Abstract We count carps.", "We count carps."),
        ("Abstract Interpretation counts carps.", "Abstract Interpretation counts carps."),
        ("We count. Abstract We is no heading.", "We count. Abstract We is no heading."),
    ],
)
def test_the_heading_in_an_inverted_index_is_no_part_of_the_abstract(words: str, abstract: str) -> None:
    index: dict[str, list[int]] = {}
    for place, word in enumerate(words.split()):
        index.setdefault(word, []).append(place)
    work = {"id": "https://openalex.org/W1", "title": "T", "abstract_inverted_index": index}
    assert paper(json.dumps({"meta": {"count": 1}, "results": [work]})).abstract == abstract


@pytest.mark.parametrize(
    "authors",
    [
        {"authors": [{"given_name": "Ada", "family_name": "Okoye"}, {"Forename": "Bo", "surname": "Lindal"}]},
        {"Authors": "Ada Okoye (Kiln University); Bo Lindal (Pond Inc., USA)"},
        {"authors": "Ada Okoye · Bo Lindal"},
        {"authors": "Ada Okoye\nBo Lindal"},
        {"authors": ["Ada Okoye*", " Bo Lindal† "]},
        {"paper_authors": "Ada Okoye, Bo Lindal"},
        {"authors": "Ada Okoye, Kiln University; Bo Lindal, Department of Ponds, Pond Inc."},
        {"authors": ["Ada Okoye, Kiln University", "Bo Lindal"]},
        {"authors": "Ada Okoye1, Bo Lindal1,2 et al."},
        {"creators": [{"creator": "Okoye, Ada"}, {"creator": "Lindal, Bo"}]},
        {
            "authorList": {
                "author": [
                    {"fullName": "Okoye A", "firstName": "Ada", "lastName": "Okoye"},
                    {"fullName": "Bo Lindal", "firstName": "Bo", "lastName": "Lindal"},
                ]
            }
        },
    ],
)
def test_authors_of_a_venue_are_named_however_they_are_written(authors: dict[str, object]) -> None:
    record = {"title": "T", "abstract": "Abstract: We count.", **authors}
    found = paper(json.dumps([record]))
    assert (found.authors, found.abstract) == (("Ada Okoye", "Bo Lindal"), "We count.")


def test_a_second_name_in_brackets_is_part_of_a_name() -> None:
    assert paper(json.dumps([{"title": "T", "authors": ["Ada (Dee) Okoye"]}])).authors == ("Ada (Dee) Okoye",)


def test_a_title_may_stand_as_the_paper_and_an_address_there_is_none() -> None:
    record = {
        "paper": "Carps",
        "authors": ["Ada Okoye"],
        "link": "https://openreview.net/forum?id=abCD1234-_",
    }
    assert paper(json.dumps([record])).title == "Carps"
    linked = {"title": "Kilns", "authors": ["Ada Okoye"], "paper": "https://x.example/1"}
    assert paper(json.dumps([linked])).title == "Kilns"


def test_what_programs_save_of_arxiv_s_answers_has_its_version_and_comment() -> None:
    record = {
        "entry_id": "http://arxiv.org/abs/2611.00001v3",
        "title": "T",
        "summary": "We.",
        "authors": ["Ada Okoye"],
        "published": "2026-11-01T00:00:00+00:00",
        "updated": "2026-11-18T00:00:00+00:00",
        "comment": "9 pages",
    }
    found = paper(json.dumps([record]))
    assert (found.key, found.version, found.comment) == ("arxiv:2611.00001", 3, "9 pages")
    assert found.updated == "2026-11-18T00:00:00+00:00"


def test_ids_among_external_ones_are_the_papers() -> None:
    known = {"ArXiv": "2611.00001", "DOI": "10.5555/c.1", "PubMed": "7", "MAG": None}
    record = {"corpusid": 1, "externalids": known, "title": "T", "authors": [{"name": "Ada Okoye"}]}
    assert paper(json.dumps([record])).ids == {"arxiv": "2611.00001", "doi": "10.5555/c.1", "pmid": "7"}


def test_a_group_among_authors_is_called_by_its_own_key() -> None:
    record = {
        "title": "T",
        "authorList": {"author": [{"fullName": "Okoye A"}, {"collectiveName": "Pond Group"}]},
    }
    assert paper(json.dumps([record])).authors == ("Okoye A", "Pond Group")


def test_notes_of_openreview_lead_to_their_forum_and_replies_are_no_papers() -> None:
    note = {
        "id": "abCD1234-_",
        "forum": "abCD1234-_",
        "content": {"title": {"value": "Carps"}, "pdf": {"value": "/pdf/0a1b.pdf"}},
    }
    reply = {
        "id": "xyZ987654",
        "forum": "abCD1234-_",
        "content": {"title": {"value": "A fine paper"}, "summary": "Yes."},
    }
    found = paper(json.dumps({"notes": [note, reply], "count": 2}))
    assert found.key == "openreview:abCD1234-_"
    assert found.links == {
        "abstract": "https://openreview.net/forum?id=abCD1234-_",
        "pdf": "https://openreview.net/pdf/0a1b.pdf",
    }


@pytest.mark.parametrize(
    ("creators", "names"),
    [
        (
            ["Okoye, Ada; University of Ponds", "Lindal, Bo; Institute of Lakes, Oslo"],
            ["Ada Okoye", "Bo Lindal"],
        ),
        (["Okoye, Ada; van Dam, Jo"], ["Ada Okoye", "Jo van Dam"]),
        (["Moss, Dee, 1970-", "Ash, Cy, 1901-1980."], ["Dee Moss", "Cy Ash"]),
        (["The Pond Collaboration"], ["The Pond Collaboration"]),
    ],
)
def test_creators_of_a_library_are_names_without_places_and_years(
    creators: list[str], names: list[str]
) -> None:
    said = "".join(f"<dc:creator>{name}</dc:creator>" for name in creators)
    dc = f"<oai_dc:dc {SPACES} xmlns:oai_dc='http://www.openarchives.org/OAI/2.0/oai_dc/'><dc:title>Carps</dc:title>{said}</oai_dc:dc>"
    record = (
        f"<record><header><identifier>oai:j.example:1</identifier></header><metadata>{dc}</metadata></record>"
    )
    page = (
        f"<OAI-PMH xmlns='http://www.openarchives.org/OAI/2.0/'><ListRecords>{record}</ListRecords></OAI-PMH>"
    )
    assert list(paper(page).authors) == names


def test_a_translated_title_with_brackets_in_it_loses_its_own() -> None:
    titles = ("[Carps and benzo[a]pyrene in ponds].", "[Carps] and [pikes].")
    articles = "".join(
        f"<PubmedArticle><MedlineCitation><PMID>{n}</PMID><Article><ArticleTitle>{title}</ArticleTitle></Article></MedlineCitation></PubmedArticle>"
        for n, title in enumerate(titles, 1)
    )
    found = papers(f"<PubmedArticleSet>{articles}</PubmedArticleSet>")
    assert [each.title for each in found] == ["Carps and benzo[a]pyrene in ponds", "[Carps] and [pikes]"]


def test_numbers_of_other_databases_in_summaries_are_none_of_pubmed() -> None:
    named = [("pmid", "38000001"), ("doi", "10.1000/1"), ("pmcid", "PMC11000001")]
    answer = {
        "header": {"type": "esummary"},
        "result": {
            "uids": ["11000001"],
            "11000001": {
                "uid": "11000001",
                "title": "Of carps",
                "articleids": [{"idtype": kind, "value": value} for kind, value in named],
            },
        },
    }
    items = "".join(f'<Item Name="{kind}">{value}</Item>' for kind, value in named)
    as_xml = (
        '<eSummaryResult><DocSum><Id>11000001</Id><Item Name="Title">Of carps</Item>'
        f'<Item Name="ArticleIds">{items}</Item></DocSum></eSummaryResult>'
    )
    for page in (json.dumps(answer), as_xml):
        (paper,) = papers(page)
        assert paper.ids == {"pmid": "38000001", "doi": "10.1000/1", "pmcid": "PMC11000001"}
    gene = '{"header":{"type":"esummary"},"result":{"uids":["7"],"7":{"uid":"7","title":"A gene of carps"}}}'
    with pytest.raises(ParseError, match=r"of no articles\. Ask esummary with db=pubmed"):
        papers(gene)


def test_a_list_of_references_is_no_export_of_pubmed() -> None:
    text = "1. Okoye A. Of carps. Pond Sci. 2024;1:2.\n\nPMID: 1\n\n2. Lindal B. Of pikes. Pond Sci. 2023;2:3.\n\nPMID: 2\n"
    for lines in (text, text.replace("\n", "\r\n")):
        with pytest.raises(ParseError):
            papers(lines)


def test_an_export_of_pubmed_cut_in_its_last_line_says_so() -> None:
    text = "PMID- 1\nTI  - One.\nSO  - J. 2024;1:1.\n\nPMID- 2\nTI  - Two.\nSO  - J. 2024;1:2."
    assert len(papers(text)) == len(papers(f"{text}\n  ")) == 2
    cut = sources.read(Listing(location="page", body=text[:-6].encode()))
    assert [each.title for each in cut.papers] == ["One"]
    assert any(note.startswith("truncated") for note in cut.notes)
