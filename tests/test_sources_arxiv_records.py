"""arXiv's mails, search results and OAI-PMH answers: what their variations mean, and which page comes next."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Reading

PAGES = Path(__file__).parent / "listings"
OAI = "https://oaipmh.example.org/oai"
SEARCH = "https://arxiv.org/search/?query=sheep&searchtype=all&size=2"


def read(body: str, url: str = "") -> Reading:
    return sources.read(Listing(location="page", body=body.encode(), base_url=url))


def page(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")


# --- OAI-PMH


def test_a_resumption_token_stands_alone_beside_the_verb() -> None:
    found = read(
        page("oai/list-arxiv.xml"), f"{OAI}?verb=ListRecords&metadataPrefix=arXiv&from=2026-11-18&set=cs"
    )
    assert found.next_url == f"{OAI}?verb=ListRecords&resumptionToken=7451953%7C1001"


def test_a_list_without_a_token_or_without_an_address_names_no_next_part() -> None:
    body = page("oai/list-arxiv.xml")
    assert read(body).next_url == ""
    assert read(body, f"{OAI}?verb=ListRecords&resumptionToken=7451953%7C1001").next_url == ""
    assert read(body.replace(">7451953|1001<", "><"), OAI).next_url == ""


def test_the_datestamp_of_a_record_is_no_date_of_the_paper() -> None:
    for name in ("oai/list-arxiv.xml", "oai/dublin-core-bare.xml", "oai/two-bare-records.xml"):
        body = page(name)
        assert "<datestamp>" in body
        stamps = {paper.published for paper in read(body).papers} | {
            paper.updated for paper in read(body).papers
        }
        assert not stamps & {"2026-11-18", "2015-06-26", "2008-02-03"}


def test_a_group_whose_members_stand_within_its_name_is_one_author() -> None:
    body = page("oai/jats.xml")
    member = '<contrib contrib-type="author"><name><surname>Kiln</surname><given-names>Cy</given-names></name></contrib>'
    assert "Pond Group</collab>" in body
    within = body.replace("Pond Group<", f"Pond Group<contrib-group>{member}</contrib-group><")
    assert read(within).papers == read(body).papers


@pytest.mark.parametrize("verb", ["ListIdentifiers", "ListSets", "Identify", "ListMetadataFormats"])
def test_an_answer_to_another_verb_is_named(verb: str) -> None:
    with pytest.raises(ParseError, match=verb):
        read(f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><{verb}></{verb}></OAI-PMH>')


def test_a_record_of_another_archive_is_told_by_its_doi_and_page() -> None:
    body = page("oai/dublin-core-bare.xml").replace("oai:arXiv.org:cond-mat/9706999", "oai:example.org:17")
    paper = read(
        body.replace("http://arxiv.org/abs/cond-mat/9706999", "https://repository.example.org/17")
    ).papers[0]
    assert paper.ids == {"doi": "10.5555/inv.1998.7"}
    assert paper.links["abstract"] == "https://repository.example.org/17"


# --- search results


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (SEARCH, "https://arxiv.org/search/?query=sheep&searchtype=all&size=2&start=2"),
        ("https://export.arxiv.org/search/?query=sheep", "https://export.arxiv.org/search/?query=sheep&searchtype=all&size=2&start=2"),
        (f"{SEARCH}&start=2", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_the_next_results_are_those_of_the_page_s_own_link(url: str, wanted: str) -> None:
    assert read(page("arxiv-search/all-fields.html"), url).next_url == wanted


@pytest.mark.parametrize(
    "href", ["", "https://evil.example.org/search?start=2", "//evil.example.org/", "javascript:x()"]
)
def test_a_next_link_elsewhere_is_not_followed(href: str) -> None:
    body = page("arxiv-search/all-fields.html").replace(
        "/search/?query=sheep&amp;searchtype=all&amp;size=2&amp;start=2", href
    )
    assert read(body, SEARCH).next_url == ""


def test_a_page_of_results_without_links_counts_on() -> None:
    body = page("arxiv-search/layout-2018.html").replace("of 2 results", "of 7 results")
    assert read(body, SEARCH).next_url == f"{SEARCH}&start=2"
    assert read(body, f"{SEARCH}&start=2").next_url == ""


def test_results_that_are_missing_from_a_page_are_told_of() -> None:
    found = read(page("arxiv-search/all-fields.html").replace("1&ndash;2 of", "1&ndash;50 of"))
    assert found.notes == ("the page says that results 1-50 are shown, 2 were read",)


def test_a_result_whose_words_stand_without_markup_is_read_too() -> None:
    body = (
        '<html><body><h1>Showing 1–1 of 1 results</h1><li class="arxiv-result"><p class="list-title"><a href="/abs/2611.00001v4">'
        'arXiv:2611.00001</a></p><p class="title">A Title</p><p class="authors">Authors: Ann Lindal, Bo Roe and C. Ito</p>'
        '<span class="abstract-full">Abstract: It works. ▽ More</span><p>Submitted 3 May, 2026</p></li></body></html>'
    )
    paper = read(body).papers[0]
    assert (paper.version, paper.abstract) == (4, "It works.")
    assert paper.authors == ("Ann Lindal", "Bo Roe", "C. Ito")


# --- mails


def entry(number: int, more: str = "", title: str = "A Title", mark: str = "") -> str:
    return (
        f"\\\\\narXiv:2611.{number:05}{mark}\nDate: Tue, 17 Nov 2026 18:34:08 GMT   (2kb,D)\n{more}\nTitle: {title}\n"
        f"Authors: A. Uthor\nCategories: cs.XX\n\\\\\n  It works.\n\\\\ ( https://arxiv.org/abs/2611.{number:05} ,  2kb)\n"
    )


RULER = "-" * 78 + "\n"


@pytest.mark.parametrize("indent", ["  ", " ", "\t", "\u00a0", ""])
def test_a_wrapped_title_goes_on_however_its_lines_are_indented(indent: str) -> None:
    assert read(entry(1, title=f"A Title of\n{indent}Two Lines")).papers[0].title == "A Title of Two Lines"


def test_an_unknown_field_is_no_part_of_the_field_before_it() -> None:
    assert read(entry(1, title="A Title\nNewfield-x: what nobody knows yet")).papers[0].title == "A Title"


def test_entries_without_rulers_between_them_are_entries() -> None:
    assert [p.key for p in read(entry(1) + entry(2) + "\n" + entry(3)).papers] == [
        f"arxiv:2611.0000{n}" for n in (1, 2, 3)
    ]


def test_a_ruler_in_a_table_ends_no_abstract() -> None:
    body = RULER + entry(1).replace("It works.", f"Before.\n{RULER}a  b\n{RULER}After.") + RULER + entry(2)
    papers = read(body).papers
    assert len(papers) == 2
    assert papers[0].abstract.startswith("Before.")
    assert papers[0].abstract.endswith("After.")


def test_the_marks_of_entries_tell_their_type_where_no_section_does() -> None:
    body = RULER.join(
        [
            entry(1),
            entry(2, mark=" (*cross-listing*)"),
            entry(3).replace("Date: ", "replaced with revised version "),
            entry(4, mark=" (*cross-listing*)").replace("Date: ", "replaced with revised version "),
            entry(5)
            .replace("Date: ", "replaced with revised version ")
            .replace("It works.", "Withdrawn by the author."),
        ]
    )
    assert [p.announce for p in read(body).papers] == [
        "new",
        "cross",
        "replace",
        "replace-cross",
        "withdrawn",
    ]


def test_the_latest_version_of_an_entry_is_the_last_that_it_names() -> None:
    revised = "Date (revised v2): Wed, 18 Nov 2026 09:00:00 GMT   (3kb)\nDate (revised v3): Thu, 19 Nov 2026 09:00:00 GMT   (4kb)\n"
    paper = read(entry(1, more=revised)).papers[0]
    assert (paper.version, paper.published) == (3, "2026-11-17T18:34:08+00:00")
    assert paper.updated == "2026-11-19T09:00:00+00:00"


def test_a_mail_is_of_the_day_on_which_it_arrives_in_greenwich() -> None:
    found = read("Date: Wed, 18 Nov 2026 20:31:14 -0500\nSubject: cs daily\n\n" + entry(1))
    assert found.listed_on is not None
    assert found.listed_on.isoformat() == "2026-11-19"


def test_all_mails_of_a_mailbox_are_read() -> None:
    mail = RULER + entry(1) + "%%%---" * 5 + "\nFor general information …\n"
    second = mail.replace(".00001", ".00002")
    box = f"From a@x Thu Nov 19\nSubject: cs\n\n{mail}\nFrom a@x Fri Nov 20\nSubject: cs\n\n{second}"
    assert [each.key for each in read(box).papers] == ["arxiv:2611.00001", "arxiv:2611.00002"]


def test_a_group_that_authors_write_for_is_called_by_its_name() -> None:
    named = entry(1).replace(
        "Authors: ", "Authors: Cy Tan, for the Pond Collaboration, on behalf of the Kiln Group, "
    )
    (found,) = read(named).papers
    assert found.authors[:3] == ("Cy Tan", "Pond Collaboration", "Kiln Group")


def test_the_first_plain_text_of_a_mail_in_parts_is_read() -> None:
    from base64 import encodebytes

    part = encodebytes((RULER + entry(1).replace("A. Uthor", "Å. Uthör")).encode()).decode()
    mail = (
        'Date: Thu, 19 Nov 2026 01:31:14 +0000\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary="=x"\n\n'
        "--=x\nContent-Type: text/html\n\n<p>no</p>\n--=x\nContent-Type: text/plain; charset=utf-8\n"
        f"Content-Transfer-Encoding: base64\n\n{part}\n--=x--\n"
    )
    found = read(mail)
    assert found.kind == "arxiv-mail"
    assert found.papers[0].authors == ("Å. Uthör",)


@pytest.mark.parametrize("tail", ["\\\\\n", "\\\\\narX", "\\\\\n/* Fri, 20 N"])
def test_a_list_that_ends_where_an_entry_begins_was_cut(tail: str) -> None:
    assert read(RULER + entry(1) + RULER + tail).truncated
    assert not read(RULER + entry(1) + RULER).truncated


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_an_entry_of_a_mail_that_has_lost_its_id_is_told_of(lost: int) -> None:
    entries = [entry(number) for number in (1, 2, 3)]
    entries[lost - 1] = "".join(
        line for line in entries[lost - 1].splitlines(True) if not line.startswith("arXiv:26")
    )
    found = read(RULER + RULER.join(entries) + RULER)
    assert len(found.papers) == 2
    assert found.notes == ("1 entry could not be read: no id or no title",)


# --- dumps


def test_a_dump_of_the_first_part_of_a_list_is_whole() -> None:
    body = page("arxiv-dump/since-2024.txt").replace("Total of 4 entries", "Total of 104 entries")
    found = read(body)
    assert (found.stated, found.truncated) == (104, "")


def test_a_dump_that_says_it_shows_more_than_it_holds_is_told_of() -> None:
    body = page("arxiv-dump/since-2024.txt").replace("showing 2 of 2", "showing 3 of 3")
    assert read(body).notes == ("section new: the heading says 3 are shown, 2 were read",)
