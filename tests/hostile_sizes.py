"""Listings that are hostile by their size or shape: ten million of one thing, bombs, and pages with one thing without end."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

from digest import sources
from digest.errors import ParseError
from digest.model import Listing, Paper
from hostile import SELECTED, Case, Page, corpus

BIG = 10_000_000  # below the 15 MiB that are fetched at most
LONG = 400_000  # of one field: a search that goes over it again for each character takes minutes
Maker = tuple[str, str, Callable[[], bytes]]

# Repeated, each wakes something: a pattern that looks for what never comes, a stack, a list, a decoder.
BRICKS = (
    "a", "a ", " ", "\n", "\t", "\r", "\r\n\r\n", "0", "9", "-", "--", "=", "_", ".", ". ", ",", ", ", "; ", ":", "(",
    ")", "[", "]", "{", "}", "<", ">", "<b>", "<b></b>", "<div>", "</div>", "<a href='", "<a ", "<!--", "<!-- -->",
    "<![CDATA[", "<!DOCTYPE x [", "<?", "<script>", "<title>", "<item>", "<dt>", "<dd>", "<dl>", "<h3>", "<p>x",
    "<br/>", "<svg>", "<td>", "<select>", "<table><tr>", "<a:b>", "<math><mi>", "&", "&amp;", "&amp;amp;", "&#",
    "&#65;", "&lt;b&gt;", "&nbsp;", "\"", "'", "\\", "\\\\", "\\\\\n", "\\\"", "$", "$$", "$x$", "\\(", "\\[",
    "$\\emph{", "\\frac{", "\\textbf{a}", "{\\em a}", "\\cite{", "\\href{a}{", "^", "~", "`", "``", "`a'", "http://",
    "https://example.org/ ", "https://github.com/a/b ", "www.", "10.1000/", "doi:10.1000/x ", "arXiv:",
    "arXiv:2611.00001 ", "2611.00001", "[1] arXiv:2611.00001\n", "PoS(", "PMID- 1\n", "TI  - a\n", "Title: a\n",
    "Title: ", "Abstract: ", "From: a\n", " and ", " and", "et al. (1 additional authors not shown)", "Withdrawn by ",
    "(1) A, ", "a@b ", "a, ", "A. ", "A B, ", "\u202e", "\u0301", "\u200b", "\ud83d\ude00", "\u05d0", "\u0000",
    "\u2028", "=20", "=\n", "> ", "%-", "------\n", "Submitted by\n", "Subscribe", "\"a\":", "{\"a\":", "[[", "[{",
    "[{},", "null,", "\"title\":\"a\",", "{\"title\":\"a\",\"authors\":[\"b\"]}\n", "data-target=DailyPapers ",
    "/papers/", "<article>", "class=\"", "contrib_title ", "1 Jan 2026 ", "<record>", "</record>", "<dc:title>",
    "<entry/>", "<person>", "<info>", "Fri, 3 Mar 2023 ", "(showing 1 of 1 entries)", "total of 1 entries",
)  # fmt: skip
SEEDS = (
    "huggingface/page-2024.html", "huggingface/page-2026.html", "huggingface/cards-only.html",
    "huggingface/api-2026.json", "arxiv/new.html", "arxiv/before-2024.html", "arxiv/month-1997-01.html",
    "arxiv/rss.xml", "arxiv/atom.xml", "arxiv/api.xml", "arxiv-search/all-fields.html", "arxiv-mail/daily-2026.txt",
    "arxiv-mail/month-1993.txt", "arxiv-mail/mail-quoted-printable.eml", "arxiv-dump/since-2024.txt",
    "arxiv-dump/before-2024.txt", "oai/list-arxiv.xml", "oai/arxiv-raw.xml", "oai/dublin-core-bare.xml",
    "feed/rss-2.0.xml", "feed/atom.xml", "feed/rss-1.0-prism.rdf", "feed/jsonfeed-1.1.json",
    "feed/bare-ampersand.xml", "saved/blank-lines.txt", "saved/no-blank-lines.txt", "crossref/works.json",
    "crossref/mongo-export.jsonl", "openalex/works.json", "semanticscholar/search.json", "datacite/dois.json",
    "doaj/search.json", "dblp/search.xml", "dblp/search.json", "dblp/fragment.xml", "dblp/person.xml",
    "pubmed/articles.xml", "pubmed/medline.txt", "proceedings/conference.html", "proceedings/by-lists.html",
    "venue/list.json", "venue/nested.json", "selectors/cards.html",
)  # fmt: skip
SELECTORS: dict[str, str] = json.loads((SELECTED / "cards.html.selectors.json").read_text())
RECORDS = {
    "arxiv": r"<dt\b.*?</dd>|<item\b.*?</item>|<entry\b.*?</entry>",
    "arxiv-search": r"<li class=\"arxiv-result\".*?</li>",
    "arxiv-mail": r"\\\\\n.*?\n\\\\[^\n]*\n.*?\n\\\\[^\n]*\n",
    "arxiv-dump": r"\[\d+\]\s*arXiv:.*?(?=\n\[\d+\])",
    "oai": r"<record\b.*?</record>",
    "feed": r"<item\b.*?</item>|<entry\b.*?</entry>",
    "saved": r"\n\n[^\n]+\n\n[^\n]{250,}(?=\n)",
    "dblp": r"<hit\b.*?</hit>|<article\b.*?</article>|<r>.*?</r>",
    "pubmed": r"<PubmedArticle>.*?</PubmedArticle>|PMID- .*?\n\n",
    "proceedings": r"<tr\b.*?</tr>|<li\b.*?</li>",
    "selectors": r"<li\b.*?</li>|<article\b.*?</article>",
    "huggingface": r"<article\b.*?</article>",
}


def sizes(kinds: list[str]) -> Iterator[Maker]:
    """Name, kind and maker of every such listing: they are too large to be kept."""
    pages = {page.name: page for page in corpus()}
    for brick in BRICKS:
        for kind in ("auto", *kinds):
            yield f"{BIG} bytes of {brick!r} as {kind}", kind, partial(_wall, brick)
    for name in SEEDS:
        page = pages[name]
        for where, hole in _holes(page):
            for brick in BRICKS:
                for form in _forms(page, brick):
                    yield (
                        f"{name} with {form!r} without end for its {where}",
                        page.kind,
                        partial(_filled, page.body, hole, form),
                    )
        yield from _many(page)
        yield from _stretched(page)


def _wall(brick: str) -> bytes:
    one = brick.encode("utf-8", "surrogatepass")
    return one * (BIG // len(one))


def _forms(page: Page, brick: str) -> list[str]:
    """The brick as a page of its format would write it, and as it stands."""
    if page.name.endswith(("json", "jsonl")):
        return [json.dumps(brick)[1:-1]]
    if page.name.endswith(("txt", "eml")):
        return [brick]
    return [brick] if (shown := html.escape(brick)) == brick else [brick, shown]


def _filled(body: bytes, hole: bytes, form: str) -> bytes:
    one = form.encode("utf-8", "surrogatepass")
    return body.replace(hole, one * (LONG // len(one)), 1)


def _holes(page: Page) -> Iterator[tuple[str, bytes]]:
    """Where the first paper of a page stands, as far as it is found there word by word."""
    paper = _first_paper(page)
    if paper is None:
        return
    texts = {
        "title": paper.title,
        "abstract": paper.abstract[:40],
        "author": next(iter(paper.authors), ""),
        "category": next(iter(paper.categories), ""),
        "comment": paper.comment or "",
        "id": next(iter(paper.ids.values()), ""),
        "date": (paper.published or "")[:10],
    }
    for where, text in texts.items():
        if text and (hole := text.encode()) in page.body:
            yield where, hole


def _first_paper(page: Page) -> Paper | None:
    try:
        return sources.read(
            Listing(location=page.name, body=page.body), page.kind, selectors=SELECTORS
        ).papers[0]
    except ParseError:
        return None


# --- too many of a whole thing


def _many(page: Page) -> Iterator[Maker]:
    for count in (5_001, 50_000):
        for same in (True, False):
            what = "same" if same else "other"
            yield f"{page.name} with {count} {what} records", page.kind, partial(_repeated, page, count, same)


def _repeated(page: Page, count: int, same: bool) -> bytes:
    text = page.body.decode()
    if page.name.endswith("json"):
        data = json.loads(text)
        records = _longest(data)
        one = json.dumps(records[0]) if records else "{}"
        records[:] = ["@@"]
        return json.dumps(data).replace('"@@"', ",".join(_copies(one, count, same))).encode()
    if page.name.endswith("jsonl"):
        return "\n".join(_copies(text.split("\n")[0], count, same)).encode()
    found = re.search(RECORDS[page.kind], text, re.S)
    if not found:
        return page.body * min(count, BIG // len(page.body))
    return (text[: found.start()] + "\n".join(_copies(found[0], count, same)) + text[found.end() :]).encode()


def _copies(one: str, count: int, same: bool) -> list[str]:
    """As many as fit, each with numbers of its own unless they are to be the same."""
    count = min(count, BIG // len(one))
    if same:
        return [one] * count
    pieces = re.split(r"(?<=\d{4}\.)\d{5}\b|(?<=PMID- )\d+|(?<= )[a-z]{5,}(?= )", one)
    return [f"{n:05}".join(pieces) for n in range(count)]


def _longest(data: Any) -> list[Any]:
    """The list of objects in which most of a document stands."""
    best: list[Any] = []
    stack, sizes_ = [data], -1
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list) and value:
            if isinstance(value[0], dict) and (size := len(msgspec.json.encode(value))) > sizes_:
                best, sizes_ = value, size
            stack += value[:3]
    return best


# --- one thing in the middle of a good page


THINGS: dict[str, Callable[[], str]] = {
    "100,000 nested tags": lambda: "<div>" * 100_000,
    "100,000 nested tags, closed": lambda: "<b>" * 100_000 + "</b>" * 100_000,
    "900 nested tags, 90 times": lambda: ("<i>" * 900 + "</i>" * 900) * 90,
    "a million attributes": lambda: "<a " + " ".join(f"x{n}=1" for n in range(1_000_000)) + ">",
    "990 attributes, 1,000 times": lambda: (
        ("<a " + " ".join(f"x{n}=1" for n in range(990)) + "></a>") * 1_000
    ),
    "99 attributes, 10,000 times": lambda: (
        ("<a " + " ".join(f"x{n}=1" for n in range(99)) + "></a>") * 10_000
    ),
    "a million attributes without values": lambda: (
        ("<a " + " ".join(f"x{n}" for n in range(99)) + "></a>") * 10_000
    ),
    "1,500,000 quoted attributes": lambda: ("<a " + " ".join(f'x{n}=""' for n in range(99)) + "/>") * 15_000,
    "490,000 open tags": lambda: "<p>x" * 490_000,
    "a link of 99 attributes in 100,000 paragraphs": lambda: (
        "<a " + " ".join(f"x{n}" for n in range(99)) + ">" + "<p>x" * 100_000
    ),
    "90 styles in 50,000 paragraphs": lambda: "".join(f"<b x={n}>" for n in range(90)) + "<p>x</p>" * 50_000,
    "490,000 links": lambda: "<a href=/papers/2611.00001>x" * 490_000,
    "2,500,000 empty tags": lambda: "<b/>" * 2_500_000,
    "a line of 10 MB": lambda: "x" * BIG,
    "words of 10 MB": lambda: "word " * (BIG // 5),
    "100,000 brackets": lambda: "[" * 100_000,
    "100,000 objects": lambda: '{"a":' * 100_000,
    "a huge number": lambda: "9" * 1_000_000,
    "a million references": lambda: "&amp;" * 1_000_000,
    "900,000 tags": lambda: "<p>x</p>" * 450_000,
    "a million lines": lambda: "x\n" * 1_000_000,
    "a CDATA of 10 MB": lambda: f"<![CDATA[{'x' * BIG}]]>",
    "a comment of 10 MB": lambda: f"<!--{'-x' * (BIG // 2)}-->",
    "an address of 10 MB": lambda: f"<a href='https://example.org/{'x' * BIG}'>x</a>",
    "100,000 addresses": lambda: "<a href='/abs/2611.00001'>https://example.org/a</a> " * 100_000,
}


def _stretched(page: Page) -> Iterator[Maker]:
    """A good page that goes on, in front, in the middle or behind, with one thing without end."""
    middle = len(page.body) // 2
    start = re.search(rb"[<{\[\n]", page.body[middle:])
    places = {"before": 0, "within": middle + (start.start() if start else 0), "behind": len(page.body)}
    for what, thing in THINGS.items():
        for where, at in places.items():
            yield f"{page.name} with {what} {where} it", page.kind, partial(_inserted, page.body, at, thing)


def _inserted(body: bytes, at: int, thing: Callable[[], str]) -> bytes:
    return body[:at] + thing().encode() + body[at:]


def case_of(maker: Maker) -> Case:
    name, kind, make = maker
    return Case(f"size ({name})", kind, make())
