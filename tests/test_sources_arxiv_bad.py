"""Bad input for the arXiv kinds: cut at any byte, damaged, in other encodings, hostile. A named error or true papers, and soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import examples, sizes
from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Reading

PAGES = Path(__file__).parent / "listings"
WHOLE = [
    "arxiv/catchup-page-2.html", "arxiv/api.xml", "arxiv/new.html",
    "arxiv-mail/daily-2026.txt", "arxiv-mail/mail-quoted-printable.eml", "arxiv-mail/week-2026.txt", "arxiv-mail/month-1993.txt",
    "arxiv-dump/before-2024.txt", "arxiv-dump/since-2024.txt", "arxiv-dump/recent-broken-lines.txt",
    "arxiv-search/all-fields.html", "arxiv-search/layout-2018.html", "arxiv-search/advanced-without-abstracts.html",
    "oai/list-arxiv.xml", "oai/arxiv-raw.xml", "oai/dublin-core-bare.xml", "oai/two-bare-records.xml",
]  # fmt: skip
# Nothing in these says how many entries there are or where they end: one that lacks its last entry is a whole one.
ENDLESS = {"arxiv-mail/week-2026.txt", "arxiv-mail/month-1993.txt", "oai/two-bare-records.xml"}
# A dump keeps the last abstract although it breaks off, as it must: nothing marks the end of an abstract.
HALF_ABSTRACTS = "arxiv-dump"


def attempt(body: bytes) -> Reading | ParseError:
    try:
        return sources.read(Listing(location="page", body=body))
    except ParseError as error:
        return error


def whole(name: str) -> Reading:
    result = attempt((PAGES / name).read_bytes())
    assert isinstance(result, Reading)
    return result


@pytest.mark.parametrize("cuts", sizes(60, 1000))
@pytest.mark.parametrize("name", WHOLE)
def test_a_page_cut_at_any_byte_invents_no_paper_and_calls_no_loss_a_whole_page(name: str, cuts: int) -> None:
    body, all_of_it = (PAGES / name).read_bytes(), whole(name)
    papers = {paper.key: paper for paper in all_of_it.papers}
    for end in range(0, len(body), max(1, len(body) // cuts)):
        found = attempt(body[:end])
        if isinstance(found, ParseError):
            continue
        assert found.kind == all_of_it.kind, end
        assert not found.empty, end
        for at, paper in enumerate(found.papers):
            assert paper.title == papers[paper.key].title, end
            last = at + 1 == len(found.papers)
            if not (last and name.startswith(HALF_ABSTRACTS)):
                assert paper.abstract == papers[paper.key].abstract, end
        if len(found.papers) < len(papers) and name not in ENDLESS:
            assert found.truncated, end


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=examples(30), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_page_raises_nothing_but_a_parse_error(name: str, data: st.DataObject) -> None:
    body = bytearray((PAGES / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(body) - 1))
        length = data.draw(st.integers(0, 40))
        body[at : at + length] = data.draw(
            st.sampled_from([b"", b"<", b">", b"&", b"\\\\\n", b"-" * 78, b"\x00", b"\xff\xfe", b"%-%-%-%-%-%-%-", b"]]>"])
        )  # fmt: skip
        if not body:
            break
    attempt(bytes(body))


TEXTS = [name for name in WHOLE if name.startswith(("arxiv-mail", "arxiv-dump"))]
WAYS = [(name, how) for name in TEXTS for how in ("crlf", "cr", "utf-16", "utf-8-sig", "trailing blanks")]


BROKEN = [("arxiv-dump/broken-addresses.md", how) for how in ("cr", "trailing blanks")]


@pytest.mark.parametrize(("name", "how"), [*WAYS, *BROKEN, ("arxiv-mail/daily-2026.txt", "quoted")])
def test_line_ends_and_encodings_change_nothing(name: str, how: str) -> None:
    text = (PAGES / name).read_bytes().decode().replace("\r\n", "\n")
    body = {
        "crlf": lambda: text.replace("\n", "\r\n").encode(),
        "cr": lambda: text.replace("\n", "\r\n" if ".eml" in name else "\r").encode(),
        "utf-16": lambda: text.encode("utf-16"),
        "utf-8-sig": lambda: text.encode("utf-8-sig"),
        "trailing blanks": lambda: text.replace("\n", " \n" if "Received" not in text else "\n").encode(),
        "quoted": lambda: ("A mail was forwarded:\n\n> " + text.replace("\n", "\n> ")).encode(),
    }[how]()
    found = attempt(body)
    assert isinstance(found, Reading), found
    assert [paper.title for paper in found.papers] == [paper.title for paper in whole(name).papers]
    assert found.section_counts == whole(name).section_counts


def test_a_mail_in_an_old_encoding_keeps_its_names() -> None:
    text = (PAGES / "arxiv-mail/daily-2026.txt").read_text(encoding="utf-8").replace("Hal Ivers", "Hål Ivérs")
    found = attempt(text.encode("latin-1"))
    assert isinstance(found, Reading)
    assert found.papers[-1].authors == ("Hål Ivérs",)


ENTRY = "\\\\\narXiv:2611.0{:04}\nDate: Tue, 17 Nov 2026 18:34:08 GMT   (2kb)\n\nTitle: T\nAuthors: A\nCategories: cs.XX\n\\\\\n"
PARTS = "Content-Type: multipart/mixed; boundary=b"
ENVELOPE = '<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords>'


def record(form: str, inside: str) -> str:
    body = f"<record><metadata><{form}><title>t</title>{inside}</{form}></metadata></record>"
    return f"{ENVELOPE}{body}</ListRecords></OAI-PMH>"


RESULT = '<html><title>Search | arXiv e-print repository</title><li class="arxiv-result">'


def hostile(part: int) -> dict[str, str]:
    """Listings with one thing without end, or the part of them of that size."""
    return {
        "a title of 5 MB": ENTRY.format(1).replace("T\n", "x" * (5_000_000 // part) + "\n"),
        "authors of 2 MB": ENTRY.format(1).replace(
            "Authors: A", "Authors: " + "(" * (1_000_000 // part) + "," * (1_000_000 // part)
        ),
        "authors with and": ENTRY.format(1).replace("Authors: A", "Authors: " + " and ," * (300_000 // part)),
        "a date of blanks": ENTRY.format(1).replace("18:34:08 GMT", " " * (1_000_000 // part)),
        "100,000 entries": "".join(ENTRY.format(n % 10_000) for n in range(100_000 // part)),
        "100,000 bars": ENTRY.format(1) + "\\\\\n" * (100_000 // part),
        "100,000 rulers": "Date: x\n" + ("-" * 78 + "\n") * (100_000 // part) + ENTRY.format(1),
        "100,000 blank lines in a header": ENTRY.format(1).replace("\n\n", "\n" * (100_000 // part)),
        "100,000 lines of abstract": ENTRY.format(1) + "a line of it\n" * (100_000 // part) + "\\\\\n",
        "a ruler of 5 MB": ENTRY.format(1) + "-" * (5_000_000 // part) + "x",
        "a section ruler of 5 MB": ENTRY.format(1) + "%-" * (2_500_000 // part) + "\n",
        "headers without end": "A: b\n" * (200_000 // part) + ENTRY.format(1),
        "encoded headers": "Content-Transfer-Encoding: base64\nA: =?utf-8?q?"
        + "=41" * (300_000 // part) + "?=\n\n" + ENTRY.format(1),
        "parts of parts": f"{PARTS}\n\n" + f"--b\n{PARTS}\n\n" * (20_000 // part),
        "quoted, 100,000 lines": ("> " + ENTRY.format(1).replace("\n", "\n> ")) * (12_000 // part),
        "a dump of 100,000 entries": "[1] arXiv:2611.00001 [pdf]\nTitle: T\nSubjects: X (cs.XX)\n" * (35_000 // part),
        "a dump of labels": "[1] arXiv:2611.00001 [pdf]\n" + "Title: T\n" * (100_000 // part),
        "a dump with one line of 5 MB": "[1] arXiv:2611.00001 [pdf]\nTitle: T\nSubjects: X (cs.XX)\n" + "x (" * (1_700_000 // part),
        "subjects of brackets": "[1] arXiv:2611.00001 [pdf]\nTitle: T\nSubjects: " + "(cs.XX" * (500_000 // part),
        "numbers without an id": "[1]\n" * (200_000 // part),
        "totals of blanks": "total of 1 entries" + " " * (2_000_000 // part) + "\n[1] arXiv:2611.00001\nTitle: T\n",
        "100,000 records": ENVELOPE + "<record>" * (100_000 // part),
        "records without metadata": ENVELOPE + "<record><header/></record>" * (100_000 // part) + "</ListRecords></OAI-PMH>",
        "verbs without end": ENVELOPE + "<ListRecords " * (200_000 // part),
        "bare records, cut": "<record><header><identifier>oai:x</identifier></header>" * (50_000 // part),
        "creators of commas": record("dc", "<creator>a, b</creator>" * (50_000 // part)),
        "authors without names": record("arXiv", "<author/>" * (100_000 // part)),
        "results without end": RESULT + '<li class="arxiv-result">' * (60_000 // part),
        "a query that produced": RESULT[:65] + "your query " * (20_000 // part),
        "classes without end": "<html>" + 'class="' * (300_000 // part) + "arxiv-result",
        "tags of a result": RESULT + '<span class="tag">cs.XX</span>' * (50_000 // part) + "</li>",
        "headings": "<html><dl id='articles'>" + "<h3>New submissions (showing 1 of 1 entries)</h3>" * (30_000 // part),
    }  # fmt: skip


@pytest.mark.parametrize("part", sizes(4, 1))
@pytest.mark.parametrize("name", list(hostile(10_000)))
def test_a_hostile_text_ends_soon(name: str, part: int) -> None:
    text = hostile(part)[name].encode()
    started = time.process_time()
    attempt(text)
    assert time.process_time() - started < 20 / part  # whole, below 2 s; what is quadratic takes minutes
