"""Listings as people and their programs save, copy and forward them: line ends of all systems, articles without numbers, records
without envelopes, minified pages, messages before a feed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Reading

PAGES = Path(__file__).parent / "listings"


def read(text: str) -> Reading:
    return sources.read(Listing(location="page", body=text.encode()))


def page(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["pubmed/abstract.txt", "pubmed/summary.txt", "pubmed/medline.txt"])
@pytest.mark.parametrize(("written", "end"), [("\n", "\r"), ("\n", "\r\n"), ("\n\n", "\n\xa0\n")])
def test_an_export_of_pubmed_may_have_any_line_ends(name: str, written: str, end: str) -> None:
    text = page(name)
    assert read(text.replace(written, end)).papers == read(text).papers


def test_an_article_without_a_pmid_takes_nothing_of_the_next() -> None:
    found = read(page("pubmed/abstract-one-without-pmid.txt"))
    assert [paper.title for paper in found.papers] == [
        "Deep ponds",
        "Kilns in translation",
        "No abstract here",
    ]
    assert [paper.ids.get("pmid") for paper in found.papers] == [None, None, "38000003"]
    assert [paper.ids["doi"] for paper in found.papers] == [
        "10.1000/jps.2024.001",
        "10.1000/kl.5",
        "10.1000/nk.7",
    ]
    assert "PMID: 5" in found.papers[0].abstract
    assert found.papers[0].authors_cut


def test_a_list_of_citations_cut_anywhere_invents_no_paper() -> None:
    text = page("pubmed/summary.txt")
    whole = read(text).papers
    for end in range(len(text) // 2, len(text) - 1):
        found = read(text[:end])
        assert found.papers == whole[: len(found.papers)]
        between = re.search(r"\.\s*\d?:?\s*$", text[:end]) and "PMID" in text[end - 30 : end]
        assert found.truncated or between, text[:end][-80:]


@pytest.mark.parametrize(
    "text",
    [
        "1. Pond Lett. 2024 Jan 4;1:2.\n\nOf carps.\n\n[No authors listed]\n\nPMID: 38000004\n",
        "1: [No authors listed] Of carps. Pond Lett. 2024 Jan 4;1:2. PMID: 38000004.\n",
    ],
)
def test_that_nobody_is_named_is_neither_abstract_nor_title(text: str) -> None:
    (paper,) = read(text).papers
    assert (paper.title, paper.authors, paper.abstract) == ("Of carps", (), "")


@pytest.mark.parametrize(
    "text", ["1: a line of 2024.\n\n2: another, PMID: 2.\n", "7: Of carps. Pond Sci. 2024;1:2.\n"]
)
def test_numbered_lines_are_no_citations_of_pubmed(text: str) -> None:
    with pytest.raises(ParseError):
        read(text)


@pytest.mark.parametrize("prefix", ["", "marc:"])
def test_a_bare_collection_of_marc_is_read_as_far_as_it_goes(prefix: str) -> None:
    text = page("oai/marcxml-collection.xml")
    for name in ("collection", "record", "controlfield", "datafield", "subfield"):
        text = text.replace(f"<{name}", f"<{prefix}{name}").replace(f"</{name}", f"</{prefix}{name}")
    text = text.replace("xmlns=", "xmlns:marc=") if prefix else text
    assert [paper.ids["arxiv"] for paper in read(text).papers] == ["2611.00001", "2611.00002"]
    cut = read(text[:-200])
    assert [paper.ids["arxiv"] for paper in cut.papers] == ["2611.00001"]
    assert cut.truncated


@pytest.mark.parametrize("name", ["arxiv/new.html", "arxiv-search/advanced-without-abstracts.html"])
def test_a_page_with_the_end_of_its_foot_is_whole(name: str) -> None:
    minified = re.sub(r"</(?:body|html)>", "", page(name))
    foot = "" if "</footer>" in minified else "<footer>Help</footer>"
    assert not read(minified + foot).truncated
    assert read(minified.partition("<footer")[0]).truncated


@pytest.mark.parametrize("items", ["", "<item><title>Of Carps</title></item>"])
def test_a_message_before_a_feed_hides_no_item_and_makes_no_quiet_day(items: str) -> None:
    feed = f'<?xml version="1.0"?><rss version="2.0"><channel><title>Ponds</title>{items}</channel></rss>'
    for message in ("<b>Warning</b>: no carps<br />\n", "Fatal: no carps\n"):
        if items:
            assert [paper.title for paper in read(message + feed).papers] == ["Of Carps"]
        else:
            with pytest.raises(ParseError, match="what stands before the document"):
                read(message + feed)


def test_a_channel_without_rss_round_it_is_a_feed() -> None:
    channel = "<channel><title>Ponds</title><item><title>Of Carps</title></item><item><title>Of Pikes</title></item></channel>"
    assert [paper.title for paper in read(channel).papers] == ["Of Carps", "Of Pikes"]
    cut = read(channel[:-20])
    assert [paper.title for paper in cut.papers] == ["Of Carps"]
    assert cut.truncated


@pytest.mark.parametrize("before", ["", "Look at the first.\n\n-----Original Message-----\nFrom: arXiv\n"])
@pytest.mark.parametrize("quote", ["", "> ", ">"])
def test_a_forwarded_mail_is_of_the_day_it_was_first_sent(before: str, quote: str) -> None:
    mail = page("arxiv-mail/daily-2026.txt")
    whole = read(mail)
    quoted = "".join(f"{quote}{line}" for line in mail.splitlines(keepends=True))
    found = read(
        f"Date: Mon, 23 Nov 2026 08:00:00 +0000\nSubject: Fwd\n\n{before}{quoted}" if before else quoted
    )
    assert (found.papers, found.listed_on, found.section_stated) == (
        whole.papers, whole.listed_on, whole.section_stated,
    )  # fmt: skip


def test_a_record_behind_a_doctype_needs_no_declaration() -> None:
    record = '<article key="journals/p/O26"><author>Ada Okoye</author><title>Of carps.</title></article>'
    assert [paper.title for paper in read(f"<!DOCTYPE dblp>\n{record}").papers] == ["Of carps"]


def test_a_page_with_its_tags_in_capitals_breaks_off_where_it_does() -> None:
    text = page("arxiv/new-truncated.html")
    capitals = re.sub(r"</?[a-z][a-z0-9]*", lambda tag: tag[0].upper(), text)
    assert read(capitals).papers == read(text).papers


def test_and_before_a_linked_name_is_no_part_of_it_whatever_the_white_space() -> None:
    text = page("arxiv/new.html").replace(">Bo ", ">\n   and Bo ")
    assert any(name.startswith("Bo ") for name in read(text).papers[0].authors)


WRAPPERS = {
    "fence": lambda text: f"```\n{text}\n```\n",
    "quote": lambda text: re.sub(r"(?m)^", "> ", text),
    "blanks": lambda text: re.sub(r"(?m)^(?=.*\S)", "   ", text),
    "ctrl-z": lambda text: f"{text}\x1a",
    "CR": lambda text: text.replace("\n", "\r"),
    "blanks behind": lambda text: re.sub(r"(?m)$", "  ", text),
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize(
    "name",
    [
        "arxiv-mail/daily-2026.txt", "arxiv-mail/month-1993.txt", "arxiv-dump/before-2024.txt", "arxiv-search/copied.txt",
        "pubmed/abstract-one-without-pmid.txt", "pubmed/medline.txt", "saved/paragraphs.txt", "huggingface/api-2026.json",
        "feed/rss-2.0.xml",
    ],
)  # fmt: skip
def test_what_people_put_round_a_listing_changes_nothing_in_it(name: str, wrapper: str) -> None:
    text = page(name)
    assert read(WRAPPERS[wrapper](text)) == read(text)
