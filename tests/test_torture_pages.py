"""Ten thousand hostile listings: each gives a reading or a named error within 2 s and 256 MiB, and what comes out is sane.

Each is read in a process of its own making (hostile_worker.py), which counts its own CPU seconds and its own memory, so that
a busy machine fails nothing; on one that is slower than that of the proof (0.25 s for its measure) the seconds grow by as
much. Mutations and grammars are drawn by their number: `hostile_worker.py … --only NAME` reads one again.
"""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from conftest import SHARED
from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Reading
from hostile_worker import MIB, SELECTORS, faults_of

WORKER = Path(__file__).with_name("hostile_worker.py")
PAGES = Path(__file__).parent / "listings"


def prove(folder: Path, wanted: dict[str, int], *, parts: int, shared: Path | None) -> list[dict[str, Any]]:
    """Let `parts` processes read them, and hold each to what it found."""
    counts = [f"{generator}={count}" for generator, count in wanted.items()]
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(folder), str(part), str(parts), str(shared or "-"), *counts],
            stdout=subprocess.PIPE,
            text=True,
        )
        for part in range(parts)
    ]
    said = [worker.communicate()[0] for worker in workers]
    for part, worker in enumerate(workers):
        at = folder / f"at-{part}"
        last = at.read_text() if at.exists() else "nothing yet"
        assert worker.returncode == 0, f"ended by {worker.returncode} while it read: {last}\n{said[part]}"
    results = [json.loads((folder / f"result-{part}.json").read_text()) for part in range(parts)]
    failed = [
        f"{one['name']} as {one['kind']}: {one['faults']} ({one['file']})"
        for result in results
        for one in result["failed"]
    ]
    assert not failed, "\n".join(failed)
    assert all(result["peak_mib"] < 256 for result in results)
    return results


def told(results: list[dict[str, Any]]) -> str:
    counts: Counter[str] = sum((Counter(result["counts"]) for result in results), Counter())
    outcomes: Counter[str] = sum((Counter(result["outcomes"]) for result in results), Counter())
    slowest = sorted((one for result in results for one in result["slowest"]), reverse=True)[:5]
    peaks = ", ".join(f"{result['peak_mib']:.0f} MiB" for result in results)
    lines = [f"{counts.total()} listings: {dict(counts)}", f"outcomes: {dict(outcomes)}", f"memory: {peaks}"]
    return "\n".join(
        [
            *lines,
            f"CPU: {sum(result['cpu'] for result in results):.0f} s, slowest:",
            *(f"  {s:.2f} s  {name}" for s, name in slowest),
        ]
    )


@pytest.mark.torture
def test_ten_thousand_hostile_listings_are_read_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = SHARED if SHARED.is_dir() else None
    wanted = {"mutated": 8_000, "repeated": 6_000, "crossed": 0, "spoken": 3_000, "sizes": 2_500}
    results = prove(tmp_path, wanted, parts=min(2, os.cpu_count() or 1), shared=shared)
    with capsys.disabled():
        print(f"\n{told(results)}")
    assert sum(sum(result["counts"].values()) for result in results) >= 10_000


def test_some_hostile_listings_are_read_or_refused(tmp_path: Path) -> None:
    results = prove(
        tmp_path,
        {"mutated": 40, "repeated": 40, "crossed": 20, "spoken": 40, "sizes": 4},
        parts=1,
        shared=None,
    )
    assert sum(results[0]["counts"].values()) >= 90


def read(body: bytes | str, kind: str = "auto") -> Reading | ParseError:
    listing = Listing(
        location="page", body=body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
    )
    try:
        return sources.read(listing, kind, selectors=SELECTORS)
    except ParseError as error:
        return error


# --- XML that reaches out or blows up


class Canary(socketserver.ThreadingTCPServer):
    """Counts who comes."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.reached = 0
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)

    def verify_request(self, request: object, client_address: object) -> bool:
        self.reached += 1
        return False


@pytest.fixture
def canary() -> Iterator[Canary]:
    with Canary() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


ROOTS = {
    "feed": ("rss", "<channel><title>t</title><item><title>{}</title></item></channel>"),
    "arxiv": ("rss", "<channel><title>cs.CL updates on arXiv.org</title><item><title>{}</title><link>https://arxiv.org/abs/2611.00001</link></item></channel>"),
    "oai": (
        "OAI-PMH",
        "<ListRecords><record><header><identifier>oai:x:1</identifier></header><metadata><dc><title>{}</title></dc></metadata>"
        "</record></ListRecords>",
    ),
    "pubmed": (
        "PubmedArticleSet",
        "<PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>{}</ArticleTitle></Article></MedlineCitation>"
        "</PubmedArticle>",
    ),
    "dblp": ("dblp", '<article key="a/b"><title>{}</title></article>'),
}  # fmt: skip


def reaching(kind: str, outside: str) -> list[str]:
    """Twelve documents of a kind that ask for `outside`, or grow a thousandfold."""
    root, inside = ROOTS[kind]
    tens = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(12))
    one = f"<{root}>{inside.format('A &e; B')}</{root}>"
    doctypes = (
        f'<!DOCTYPE {root} [<!ENTITY e SYSTEM "{outside}">]>',
        f'<!DOCTYPE {root} [<!ENTITY e PUBLIC "-//X//Y" "{outside}">]>',
        f'<!DOCTYPE {root} [<!ENTITY % p SYSTEM "{outside}"> %p;]>',
        f'<!DOCTYPE {root} SYSTEM "{outside}">',
        f'<!DOCTYPE {root} PUBLIC "-//X//Y" "{outside}">',
        f'<!DOCTYPE {root} [<!ENTITY % p "<!ENTITY e SYSTEM &#39;{outside}&#39;>"> %p;]>',
        f'<!DOCTYPE {root} [<!ENTITY e0 "aaaaaaaaaa">{tens}<!ENTITY e "&e12;">]>',
        f'<!DOCTYPE {root} [<!ENTITY e "{"a" * 100_000}">]>',
        f'<!DOCTYPE {root} [<!ENTITY e "&e;">]>',
        f'<?xml-stylesheet href="{outside}"?>',
    )
    more = one.replace(
        f"<{root}>",
        f'<{root} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a {outside}">',
    )
    included = one.replace(
        "&e;", f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{outside}" parse="text"/>'
    )
    plain = [
        f'<?xml version="1.0"?>{doctype}{one.replace("&e;", "&e;" * (5_000 if "aaaa" in doctype else 1))}'
        for doctype in doctypes
    ]
    return [*plain, more.replace("&e;", ""), included]


@pytest.mark.parametrize("kind", ROOTS)
def test_xml_reads_nothing_and_reaches_nothing(kind: str, canary: Canary, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the canary sings")
    address = f"http://127.0.0.1:{canary.server_address[1]}/canary"
    for outside in (address, secret.as_uri(), str(secret), "file:///etc/passwd"):
        for document in reaching(kind, outside):
            for asked in ("auto", kind):
                result = read(document, asked)
                assert "canary sings" not in repr(result)
                assert "root:" not in repr(result)
                assert not faults_of(result)
                assert not isinstance(result, Reading) or len(repr(result)) < MIB
    assert canary.reached == 0


def test_an_external_entity_would_reach_the_canary(canary: Canary) -> None:
    with pytest.raises(OSError):
        urlopen(f"http://127.0.0.1:{canary.server_address[1]}/", timeout=5)
    assert canary.reached == 1


# --- what such listings brought to light

LIST = "<!DOCTYPE html><html><body><div id='dlpage'>"
RSS = '<?xml version="1.0"?><rss version="2.0"><channel><title>t</title>'


@pytest.mark.parametrize(
    "name", ["undefined", "idna", "punycode", "unicode_escape", "raw_unicode_escape", "charmap", "hex"]
)
@pytest.mark.parametrize("kind", ["auto", "feed", "arxiv-mail", "saved"])
def test_a_codec_that_no_page_is_written_in_is_not_used(name: str, kind: str) -> None:
    page = f'<?xml version="1.0" encoding="{name}"?>{RSS[21:]}<item><title>A \\ud800 title \u00e9</title></item></channel></rss>'
    result = read(page, kind)
    assert not faults_of(result)
    assert kind not in ("auto", "feed") or isinstance(result, Reading)


def test_a_page_of_other_white_space_is_empty() -> None:
    for blank in ("\u2028\u2028", "\v\f", "\x85 \u2003", "\u3000\ufeff"):
        result = read(blank)
        assert isinstance(result, ParseError)
        assert "empty" in str(result)


def test_messages_and_notes_show_no_more_of_a_page_than_a_few_words() -> None:
    said = read(b'{"status": "failed", "message": "\\u001b[31m' + b"x" * 300 + b'\\ud800\\u202e"}')
    assert isinstance(said, ParseError)
    assert not faults_of(said)
    assert str(said).isprintable()
    feed = read(
        "<!doctype html><title>t</title><link type='application/rss+xml' href='https://a.example/"
        + "x" * 100_000
        + "'>"
    )
    assert isinstance(feed, ParseError)
    assert len(str(feed)) < 2_000


def test_an_address_in_an_abstract_that_cannot_be_shown_is_no_link() -> None:
    result = read(
        "PMID- 1\nTI  - Heron.\nAB  - At https://heron.example.o\0rg/.\nSO  - J. 2026\n\n", "pubmed"
    )
    assert isinstance(result, Reading)
    assert list(result.papers[0].links.values()) == ["https://pubmed.ncbi.nlm.nih.gov/1/"]


@pytest.mark.parametrize("number", ["9" * 5_000, "\u0663\u0664", "\u00b2", "-1", "9" * 13])
def test_what_cannot_be_a_pubmed_number_is_no_id(number: str) -> None:
    result = read(f"PMID- {number}\nTI  - Heron.\nSO  - J. 2026\n\n", "pubmed")
    assert isinstance(result, Reading)
    assert "pmid" not in result.papers[0].ids


def test_numbers_that_no_database_holds_are_left_out() -> None:
    paper = '{"paper": {"id": "2611.00001", "title": "T", "upvotes": %s, "publishedAt": "2026-11-19%s"}}'
    result = read(f"[{paper % ('9' * 400, 'T' + '0' * 9_000)}]")
    assert isinstance(result, Reading)
    assert result.papers[0].upvotes is None
    assert result.papers[0].published is None
    counted = read('{"total": 1e300, "data": [{"paperId": "a", "title": "T"}]}', "semanticscholar")
    assert isinstance(counted, Reading)
    assert counted.stated is None


def test_a_feed_for_the_tolerant_reader_is_over_soon_whatever_its_authors_are_called() -> None:
    broken = f"{RSS}<b><i></b></i><item><title>A title</title><author>{'a' * 200_000}</author></item></channel></rss>"
    started = time.process_time()
    result = read(broken, "feed")
    assert time.process_time() - started < 5  # it took minutes
    assert isinstance(result, Reading)
    assert result.papers[0].title == "A title"


NAMES = {
    "feed": f"{RSS}<item><title>A title</title><dc:creator>A{{0}}B</dc:creator></item></channel></rss>",
    "arxiv": f"{RSS}<item><title>A title</title><link>https://arxiv.org/abs/2611.00001</link><author>A{{0}}B</author></item></channel></rss>",
    "dblp": '{{"result": {{"hits": {{"hit": [{{"info": {{"title": "A title", "authors": {{"author": "A{0}B"}}}}}}]}}}}}}',
    "arxiv-dump": "[1] arXiv:2611.00001\nTitle: A title\nAuthors: A{0}B\nSubjects: Databases (cs.DB)\n\nAn abstract.\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("gap", [" ", ",", " and "])
def test_names_with_a_gap_without_end_are_read_soon(kind: str, gap: str) -> None:
    started = time.process_time()
    result = read(NAMES[kind].format(gap * (400_000 // len(gap))), kind)
    assert time.process_time() - started < 5  # with white space alone it took a minute
    assert isinstance(result, Reading)
    assert not faults_of(result)


COSTLY = {
    "styles that are never closed": ("arxiv", "".join(f"<b x={n}>" for n in range(90)) + "<p>x</p>" * 50_000),
    "a link around many paragraphs": (
        "arxiv",
        f"<a {' '.join(f'x{n}' for n in range(90))}>" + "<p>x" * 100_000,
    ),
    "attributes without values": ("proceedings", f"<a {' '.join(f'x{n}' for n in range(99))}></a>" * 10_000),
    "attributes behind a quoted bracket": (
        "arxiv",
        f"<a x='>' {' '.join(f'x{n}' for n in range(90))}></a>" * 10_000,
    ),
    "empty elements": ("feed", f"{RSS}{'<b/>' * 1_500_000}</channel></rss>"),
    "objects of JSON": ("venue", f"[{'{},' * 1_000_000}{{}}]"),
    "objects of JSON in two bytes a sign": ("venue", f"[{'{},' * 700_000}{{}}]".encode("utf-16")),
}


@pytest.mark.parametrize("name", COSTLY)
def test_what_costs_a_hundred_times_its_bytes_is_refused_unparsed(name: str) -> None:
    kind, body = COSTLY[name]
    result = read(f"{LIST}{body}" if kind in ("arxiv", "proceedings") else body, kind)
    assert isinstance(result, ParseError)
    assert "like that" in str(result)


def test_links_and_styles_of_a_common_page_are_no_reason_to_refuse_it() -> None:
    row = '<p><a href="/abs/1" title="x"><b>Bold</b> <i>slanted</i></a> and <em>more</em></p>'
    result = read(
        f"{LIST}<p>No updates today.</p>{row * 20_000}</div></body></html>",
        "arxiv",
    )
    assert isinstance(result, Reading)
    assert result.empty


@pytest.mark.parametrize(
    "body",
    [
        "<a href=/abs/2611.00001>x</a>" + "<p class=list-title>A title</p>" * 10_000,
        "<a href=/abs/2611.00001>x</a>" + "<b class=list-title>" * 900 + "x<i></i>" * 10_000,
        "<p class=list-title>A title</p>" * 10_000,
    ],
)
def test_the_tolerant_reader_of_arxiv_goes_over_a_page_once(body: str) -> None:
    started = time.process_time()
    result = read(f"{LIST}{body}</html>", "arxiv")
    assert time.process_time() - started < 10  # titles in titles took two minutes
    assert not faults_of(result)
