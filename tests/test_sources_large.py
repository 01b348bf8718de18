"""Answers that are too large for a tree of them are read record by record: PubMed gives up to 10,000 articles at once."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import sizes
from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Reading
from digest.sources import _xml

HERE = Path(__file__).parent
PAGE = (HERE / "listings" / "pubmed" / "articles.xml").read_bytes()
REFERENCE = re.search(rb"<Reference>.*</Reference>", PAGE)[0]  # type: ignore[index]
HEAD, FIRST, REST = re.split(rb"(?<=<PubmedArticleSet>)|(?<=</PubmedArticle>)", PAGE, maxsplit=2)
MIB = 1 << 20
READ = """
import json, sys
from pathlib import Path
from digest import sources
from digest.model import Listing
from hostile_worker import peak_bytes
reading = sources.read(Listing(location="page", body=Path(sys.argv[1]).read_bytes()))
print(json.dumps([len(reading.papers), reading.papers[-1].title, peak_bytes()]))
"""


def answer(count: int, references: int = 1) -> bytes:
    """The page with its first article so many times, which are as many articles."""
    article = FIRST.replace(REFERENCE, REFERENCE * references)
    numbered = (re.sub(rb"55500001|5550001|0001(?=<)|a trial", b"%d" % n, article) for n in range(count))
    return b"".join([HEAD, *numbered, REST])


def read(body: bytes) -> Reading:
    return sources.read(Listing(location="page", body=body), "pubmed")


@pytest.fixture(scope="module")
def large() -> bytes:
    body = answer(200, 900)
    assert body.count(b"<") > _xml.MAX_TAGS
    return body


def test_it_gives_what_a_small_answer_of_the_same_articles_gives(large: bytes) -> None:
    found = read(large)
    assert found == read(answer(200))
    assert (len(found.papers), found.notes) == (203, ())


@pytest.mark.parametrize("articles", sizes(500, 10_000))
def test_its_memory_is_that_of_its_bytes(tmp_path: Path, articles: int) -> None:
    page = tmp_path / "page.xml"
    page.write_bytes(answer(articles, 400_000 // articles))
    done = subprocess.run(
        [sys.executable, "-c", READ, str(page)], cwd=HERE, capture_output=True, text=True, check=True,
        env={"PYTHONPATH": f"{HERE.parent}:{HERE}"},
    )  # fmt: skip
    papers, title, peak = json.loads(done.stdout)
    assert papers == min(articles + 3, 5_000)
    assert title
    assert peak < page.stat().st_size + 120 * MIB < 300 * MIB


def test_one_that_breaks_off_gives_its_whole_articles_and_says_so(large: bytes) -> None:
    found = read(large[: -len(REST) - 100])
    assert len(found.papers) == 199
    assert found.notes == ("truncated: the XML breaks off; 199 whole records were read",)


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (lambda body: body.replace(REST, b"</Journal>" + REST), "not well-formed"),
        (lambda body: body.replace(b"PubmedArticleSet", b"SomeOtherSet"), "beyond all measure"),
        (
            lambda body: HEAD + body[len(HEAD) :].replace(b"</PubmedArticle>\n <PubmedArticle>", b""),
            "beyond all measure",
        ),
        (lambda body: body.replace(b"Set PUBLIC", b'Set [<!ENTITY a "b">] PUBLIC', 1), "beyond all measure"),
        (lambda body: HEAD + b"<x/>" * _xml.MAX_TAGS + body[len(HEAD) :], "beyond all measure"),
    ],
    ids=["broken", "another root", "one article", "entities", "no articles"],
)
def test_what_is_no_such_answer_is_refused(large: bytes, breaks: Callable[[bytes], bytes], said: str) -> None:
    with pytest.raises(ParseError, match=said):
        read(breaks(large))
