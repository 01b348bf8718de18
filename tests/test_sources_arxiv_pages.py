"""arXiv's pages and feeds: what a heading promises is held against what was read, and the next page is named."""

from __future__ import annotations

import re
from datetime import date

import pytest

from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Reading

LIST = "https://arxiv.org/list/cs.XX/recent"


def entry(number: int, mark: str = "") -> str:
    return (
        f'<dt><a name=\'item{number}\'>[{number}]</a> <a href ="/abs/2611.{number:05}" title="Abstract" id="2611.{number:05}">'
        f"arXiv:2611.{number:05}</a> {mark}</dt><dd><div class='meta'><div class='list-title mathjax'>"
        f"<span class='descriptor'>Title:</span> Paper number {number}</div></div></dd>"
    )


def page(*lists: str, total: int = 0, head: str = "") -> bytes:
    paging = f"<div class='paging'>Total of {total} entries</div>" if total else ""
    body = "".join(f"<dl id='articles'>{items}</dl>" for items in lists)
    return f"<html><body><div id='dlpage'>{head}{paging}{body}{paging}</div></body></html>".encode()


def section(heading: str, first: int, count: int, mark: str = "") -> str:
    return f"<h3>{heading}</h3>" + "".join(entry(number, mark) for number in range(first, first + count))


def read(body: bytes | str, url: str = "") -> Reading:
    body = body if isinstance(body, bytes) else body.encode()
    return sources.read(Listing(location="page", body=body, base_url=url))


def test_what_the_headings_show_stands_beside_what_was_read() -> None:
    found = read(
        page(
            section("New submissions (continued, showing last 2 of 9 entries)", 8, 2),
            section("Cross submissions (showing 1 of 1 entries)", 10, 1, "(cross-list from math.XX)"),
            section("Replacement submissions (showing first 3 of 8 entries)", 11, 3, "(replaced)"),
            total=18,
        )
    )
    assert found.section_stated == found.section_counts == {"new": 2, "cross": 1, "replace": 3}
    assert found.notes == ()


def test_an_entry_that_a_heading_promises_and_the_page_lacks_is_told_of() -> None:
    found = read(
        page(
            section("New submissions (showing 2 of 2 entries)", 1, 2),
            section("Cross submissions (showing 4 of 4 entries)", 3, 3, "(cross-list from math.XX)"),
            total=6,
        )
    )
    assert found.section_stated == {"new": 2, "cross": 4}
    assert found.section_counts == {"new": 2, "cross": 3}
    assert found.notes == ("section cross: the heading says 4 are shown, 3 were read",)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_entry_whose_title_is_gone_with_its_whole_part_is_told_of(number: int) -> None:
    entries = [entry(1), entry(2), entry(3)]
    entries[number - 1] = entries[number - 1].partition("<dd>")[0]
    found = read(page("".join(entries)))
    assert len(found.papers) == 2
    assert found.notes == ("1 entry could not be read: no id or no title",)


def test_days_of_a_recent_page_are_held_to_their_headings_too() -> None:
    found = read(
        page(
            section("Thu, 19 Nov 2026 (continued, showing last 2 of 5 entries )", 4, 2),
            section("Wed, 18 Nov 2026 (showing 3 of 3 entries )", 6, 2, "(cross-list from math.XX)"),
            "<h3>Tue, 17 Nov 2026</h3><p>No updates for this time period.</p>",
            total=8,
        )
    )
    assert found.section_stated == {}
    assert found.notes == ("section Wed, 18 Nov 2026: the heading says 3 are shown, 2 were read",)
    assert found.listed_on is not None
    assert found.listed_on.isoformat() == "2026-11-19"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        (LIST, f"{LIST}?skip=50"),
        (f"{LIST}?skip=25&show=25", f"{LIST}?skip=50&show=25"),
        (f"{LIST}?skip=50&show=50", ""),
        (f"{LIST}?skip=500", ""),
        ("", ""),
        ("file:///srv/page.html", ""),
        ("https://arxiv.org/catchup/cs.XX/2026-11-19?abs=True", "https://arxiv.org/catchup/cs.XX/2026-11-19?abs=True&page=2"),
        ("https://arxiv.org/catchup/cs.XX/2026-11-19?page=2&abs=True", "https://arxiv.org/catchup/cs.XX/2026-11-19?page=3&abs=True"),
    ],
)  # fmt: skip
def test_the_next_page_begins_behind_the_last_entry_of_this_one(url: str, wanted: str) -> None:
    body = page(section("Thu, 19 Nov 2026 (showing 25 of 60 entries )", 26, 25), total=101)
    assert read(body, url).next_url == wanted


@pytest.mark.parametrize(
    "words", ["Total of&nbsp;101 entries", "Total of <b>101</b> entries : <span>1-25</span>"]
)
def test_the_total_is_known_whatever_stands_within_its_words(words: str) -> None:
    body = page(section("Thu, 19 Nov 2026 (showing 25 of 60 entries )", 26, 25), total=101)
    found = read(body.decode().replace("Total of 101 entries", words), LIST)
    assert (found.stated, found.next_url) == (101, f"{LIST}?skip=50")


@pytest.mark.parametrize("mark", ["(replaced)", "<span class='mark'>(replaced)</span>"])
def test_what_is_replaced_is_not_new_where_the_lists_are_gone(mark: str) -> None:
    old = page(section("New submissions", 1, 2), section("Replacement submissions", 3, 2, mark)).decode()
    found = read(re.sub(r"<(/?)d[dlt]\b", r"<\1div", old))
    assert any("tolerant" in note for note in found.notes)
    assert [paper.announce for paper in found.papers] == ["new", "new", "replace", "replace"]


@pytest.mark.parametrize("level", ["h2", "h4"])
def test_headings_of_the_levels_beside_say_the_same(level: str) -> None:
    head = "<h3>Showing new listings for Thursday, 19 November 2026</h3>"
    body = page(section("New submissions (showing 2 of 2 entries)", 1, 2), head=head)
    other = read(body.decode().replace("h3>", f"{level}>"))
    assert other == read(body)
    assert (other.section_stated, other.listed_on) == ({"new": 2}, date(2026, 11, 19))


def test_the_last_page_names_no_next_one() -> None:
    assert (
        read(page(section("Thu, 19 Nov 2026 (showing 5 of 5 entries )", 97, 5), total=101), LIST).next_url
        == ""
    )
    assert read(page(section("Thu, 19 Nov 2026 (showing 5 of 5 entries )", 1, 5)), LIST).next_url == ""


CATCHUP = "<h1>Catchup results for Invented Science on Thu, 19 Nov 2026</h1>"


def test_a_catchup_page_is_a_page_of_its_day() -> None:
    body = page(section("New submissions (showing 2 of 2 entries)", 1, 2), total=2, head=CATCHUP)
    found = read(body)
    assert found.listed_on is not None
    assert (found.listed_on.isoformat(), found.section_counts) == ("2026-11-19", {"new": 2})


@pytest.mark.parametrize(
    "words",
    ["", ". There was either no announcement for this day, or no updates within the requested subject."],
)
def test_a_catchup_page_without_updates_is_an_empty_day(words: str) -> None:
    said = f"{CATCHUP}<div>Total of 0 entries for Thu, 19 Nov 2026</div><p>No updates for Thu, 19 Nov 2026{words}</p>"
    found = read(page(head=said))
    assert found.empty
    assert found.outcome == "quiet"


def test_a_page_that_states_a_total_of_0_and_says_no_updates_in_words_of_its_own_is_an_empty_day() -> None:
    said = f"{CATCHUP}<h3>Total of 0 entries : 0-0</h3><p>No updates for cs.XX on this date.</p>"
    assert read(page(head=said)).empty
    with pytest.raises(ParseError, match="layout changed"):
        read(page(head=said.replace("Total of 0", "All")))


def test_a_catchup_page_beyond_the_last_one_is_no_empty_day() -> None:
    with pytest.raises(ParseError, match="beyond the end"):
        read(page(head=f"{CATCHUP}<div>No further updates for Thu, 19 Nov 2026</div>", total=2100))


# --- the API

API = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"
 xmlns:arxiv="http://arxiv.org/schemas/atom"><id>http://arxiv.org/api/abcdef</id><title>ArXiv Query: search_query=all:x</title>
<opensearch:totalResults>{total}</opensearch:totalResults><opensearch:startIndex>{start}</opensearch:startIndex>
<opensearch:itemsPerPage>2</opensearch:itemsPerPage>{entries}</feed>"""
QUERY = "https://export.arxiv.org/api/query?search_query=all:x&max_results=2"


def answer(total: int, start: int = 0, count: int = 2) -> str:
    entries = "".join(
        f"<entry><id>http://arxiv.org/abs/cs/0511{start + n:03}v3</id><title>Paper {start + n}</title>"
        "<published>2005-11-01T12:00:00Z</published><updated>2026-11-18T12:00:00Z</updated>"
        '<category term="cs.XX"/><category term="math.YY"/><arxiv:primary_category term="math.YY"/>'
        "<arxiv:comment>8 pages</arxiv:comment><arxiv:journal_ref>Ann. Inv. 3 (2006) 14</arxiv:journal_ref></entry>"
        for n in range(1, count + 1)
    )
    return API.format(total=total, start=start, entries=entries)


def test_an_api_answer_says_when_a_paper_was_first_published_and_when_last_updated() -> None:
    paper = read(answer(2)).papers[0]
    assert paper.ids == {"arxiv": "cs/0511001"}
    assert paper.version == 3
    assert (paper.published, paper.updated) == ("2005-11-01T12:00:00+00:00", "2026-11-18T12:00:00+00:00")
    assert paper.categories == ("math.YY", "cs.XX")
    assert paper.comment == "8 pages; Journal-ref: Ann. Inv. 3 (2006) 14"
    assert paper.links["abstract"] == "https://arxiv.org/abs/cs/0511001"
    assert paper.source_text["id"] == "http://arxiv.org/abs/cs/0511001v3"


def test_classes_of_mathematics_and_computing_are_no_categories_of_arxiv() -> None:
    terms = ["hep-ex", "cs.CL", "14J60 (Primary) 14F05, 14J26 (Secondary)", "I.2.7; F.1", "68T50"]
    entry = "".join(f'<category term="{term}" scheme="http://arxiv.org/schemas/atom"/>' for term in terms)
    answer = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>arXiv Query: all</title><id>https://arxiv.org/api/x</id>'
        f"<entry><id>http://arxiv.org/abs/2611.00001v1</id><title>T</title>{entry}</entry></feed>"
    )
    (found,) = read(answer).papers
    assert found.categories == ("hep-ex", "cs.CL")


def test_what_stands_beside_names_is_no_author() -> None:
    names = ["The Pond Collaboration", ":", "Ada Okoye"]
    authors = "".join(f"<author><name>{name}</name></author>" for name in names)
    (found,) = read(answer(1, count=1).replace("</entry>", f"{authors}</entry>")).papers
    assert found.authors == ("The Pond Collaboration", "Ada Okoye")
    links = ", ".join(
        f"<a href='#'>{name}</a>" for name in ("Ada Okoye", "And Lindal", "and Cy Tan", "An Andersen")
    )
    listed = page(
        entry(1).replace(
            "<div class='list-title", f"<div class='list-authors'>{links}</div><div class='list-title"
        )
    )
    assert read(listed).papers[0].authors == ("Ada Okoye", "Lindal", "Cy Tan", "An Andersen")


def test_an_api_answer_names_its_next_part_until_the_total_is_reached() -> None:
    first = read(answer(5), QUERY)
    assert (first.stated, first.next_url) == (
        5,
        "https://export.arxiv.org/api/query?search_query=all%3Ax&max_results=2&start=2",
    )
    assert read(answer(5, start=2), f"{QUERY}&start=2").next_url.endswith("&start=4")
    assert read(answer(5, start=4, count=1), f"{QUERY}&start=4").next_url == ""
    assert read(answer(5)).next_url == ""


def test_an_api_answer_that_loses_its_place_names_no_next_part() -> None:
    assert read(answer(50, start=0), f"{QUERY}&start=20").next_url == ""


def test_an_api_answer_without_results_is_empty_and_one_without_its_results_is_broken() -> None:
    assert read(answer(0, count=0)).empty
    with pytest.raises(ParseError, match="no entry"):
        read(answer(40, count=0))
    with pytest.raises(ParseError, match="beyond their end"):
        read(answer(40, start=40, count=0))


def test_an_api_error_is_told_in_its_own_words() -> None:
    said = (
        "<entry><id>https://arxiv.org/api/errors#start_must_be_an_integer</id><title>Error</title>"
        "<summary>start must be an integer</summary></entry>"
    )
    with pytest.raises(ParseError, match="start must be an integer"):
        read(API.format(total=1, start=0, entries=said))


# --- the feed before 2024

RDF = """<?xml version="1.0" encoding="UTF-8"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="http://arxiv.org/"><title>cs.XX updates on arXiv.org</title><link>http://arxiv.org/</link>
<dc:date>2021-07-08T20:30:00-05:00</dc:date></channel>{items}</rdf:RDF>"""


def old_item(number: int, mark: str, creators: str) -> str:
    place = f"http://arxiv.org/abs/2107.{number:05}"
    return (
        f'<item rdf:about="{place}"><title>A theory of (almost) everything. (arXiv:2107.{number:05}v2 [cs.XX]{mark})</title>'
        f"<link>{place}</link><description>&lt;p&gt;We prove it.&lt;/p&gt;</description><dc:creator>{creators}</dc:creator></item>"
    )


def test_the_feed_before_2024_tells_versions_and_announce_types_in_its_titles() -> None:
    name = '&lt;a href="http://arxiv.org/find/x"&gt;{}&lt;/a&gt;'
    author = name.format
    items = [
        old_item(1, "", f"{author('Ann Lindal')}, {author('Bo Okoye')}"),
        old_item(2, " CROSS LISTED", f"{author('The Team')}: {author('C. Roe')}, et al. (9 additional authors not shown)"),
        old_item(3, " UPDATED", author("Dee Ito")),
    ]  # fmt: skip
    found = read(RDF.format(items="".join(items)))
    assert found.kind == "arxiv"
    assert found.listed_on is not None
    assert found.listed_on.isoformat() == "2021-07-09"
    assert found.section_counts == {"new": 1, "cross": 1, "replace": 1}
    assert {paper.title for paper in found.papers} == {"A theory of (almost) everything"}
    assert [paper.version for paper in found.papers] == [2, 2, 2]
    assert [paper.authors for paper in found.papers] == [
        ("Ann Lindal", "Bo Okoye"),
        ("The Team", "C. Roe"),
        ("Dee Ito",),
    ]
    assert [paper.authors_cut for paper in found.papers] == [False, True, False]
    assert found.papers[0].categories == ("cs.XX",)


@pytest.mark.parametrize("name", ["{}", '&lt;a href="http://arxiv.org/find/x"&gt;{}&lt;/a&gt;'])
def test_the_feed_before_2024_as_rss_2_names_the_authors_before_the_abstract(name: str) -> None:
    authors = ", ".join(map(name.format, ("Ann Lindal", "Bo Okoye")))
    item = (
        "<item><title>A theory of ponds. (arXiv:2107.00001v2 [cs.XX] UPDATED)</title><link>http://arxiv.org/abs/2107.00001</link>"
        f"<description>&lt;p&gt;Authors: {authors}&lt;/p&gt;\n&lt;p&gt;We prove it.&lt;/p&gt;</description></item>"
    )
    found = read(
        '<?xml version="1.0"?><rss version="2.0"><channel><title>cs.XX updates on arXiv.org</title>'
        f"<link>http://arxiv.org/</link><description>cs.XX</description>{item}</channel></rss>"
    )
    assert found.kind == "arxiv"
    assert [(paper.authors, paper.abstract) for paper in found.papers] == [
        (("Ann Lindal", "Bo Okoye"), "We prove it.")
    ]
