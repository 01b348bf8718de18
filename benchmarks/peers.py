"""The same work as others do it: the raw fields of each paper as a dict, neither cleaned nor keyed; and feeds by feedgen.

`python -m benchmarks.peers NAME FILE ROUNDS OUT` does it in a process of its own, which needs the peers only: CPU seconds of each
round, and the ids of the papers that were found. The first round warms up and is left out.
"""

from __future__ import annotations

import gc
import json
import re
import sys
import time
from collections.abc import Callable
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

Fields = dict[str, Any]
_CATEGORY = re.compile(r"\(([a-z-]+(?:\.[A-Za-z-]+)?)\)")


def _joined(text: str) -> str:
    return " ".join(text.split())


# --- arXiv


def arxiv_beautifulsoup(body: bytes) -> list[Fields]:
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(body, "lxml")
    papers = []
    for dt in soup.find_all("dt"):
        dd = dt.find_next_sibling("dd")
        meta = dd.find("div", class_="meta")
        link = dt.find("a", title="Abstract")
        html = dt.find("a", title="View HTML")
        comment, doi = meta.find("div", class_="list-comments"), meta.find("div", class_="list-doi")
        abstract = meta.find("p", class_="mathjax")
        for address in abstract.find_all("a"):
            address.replace_with(address["href"])
        papers.append(
            {
                "id": link["id"],
                "mark": dt.get_text(),
                "html": html["href"] if html else None,
                "title": _joined(meta.find("div", class_="list-title").get_text())
                .removeprefix("Title:")
                .strip(),
                "authors": [a.get_text() for a in meta.find("div", class_="list-authors").find_all("a")],
                "comment": _joined(comment.get_text()).removeprefix("Comments:").strip() if comment else None,
                "doi": doi.find("a").get_text() if doi else None,
                "categories": _CATEGORY.findall(meta.find("div", class_="list-subjects").get_text()),
                "abstract": _joined(abstract.get_text()),
            }
        )
    return papers


def arxiv_selectolax(body: bytes) -> list[Fields]:
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(body)
    papers = []
    for dt, dd in zip(tree.css("dt"), tree.css("dd"), strict=True):
        link = dt.css_first("a[title='Abstract']")
        html = dt.css_first("a[title='View HTML']")
        comment, doi = dd.css_first(".list-comments"), dd.css_first(".list-doi a")
        abstract = dd.css_first("p.mathjax")
        for address in abstract.css("a"):
            address.replace_with(address.attributes["href"])
        papers.append(
            {
                "id": link.attributes["id"],
                "mark": dt.text(),
                "html": html.attributes["href"] if html else None,
                "title": _joined(dd.css_first(".list-title").text()).removeprefix("Title:").strip(),
                "authors": [a.text() for a in dd.css(".list-authors a")],
                "comment": _joined(comment.text()).removeprefix("Comments:").strip() if comment else None,
                "doi": doi.text() if doi else None,
                "categories": _CATEGORY.findall(dd.css_first(".list-subjects").text()),
                "abstract": _joined(abstract.text()),
            }
        )
    return papers


# --- Hugging Face


def cards_beautifulsoup(body: bytes) -> list[Fields]:
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(body, "lxml")
    papers = []
    for card in soup.find_all("article"):
        link = card.find("h3").find("a")
        papers.append(
            {
                "id": link["href"].rpartition("/")[2],
                "title": _joined(link.get_text()),
                "upvotes": int(card.find("div", class_="leading-none").get_text()),
            }
        )
    return papers


def cards_selectolax(body: bytes) -> list[Fields]:
    from selectolax.lexbor import LexborHTMLParser

    papers = []
    for card in LexborHTMLParser(body).css("article"):
        link = card.css_first("h3 a")
        papers.append(
            {
                "id": link.attributes["href"].rpartition("/")[2],
                "title": _joined(link.text()),
                "upvotes": int(card.css_first(".leading-none").text()),
            }
        )
    return papers


def _props(data: str) -> list[Fields]:
    return [
        {
            "id": entry["paper"]["id"],
            "title": _joined(entry["paper"]["title"]),
            "upvotes": entry["paper"]["upvotes"],
            "abstract": _joined(entry["paper"]["summary"]),
            "authors": [author["name"] for author in entry["paper"]["authors"]],
            "gist": entry["paper"]["ai_summary"],
            "tags": entry["paper"]["ai_keywords"],
        }
        for entry in json.loads(data)["dailyPapers"]
    ]


def daily_beautifulsoup(body: bytes) -> list[Fields]:
    from bs4 import BeautifulSoup

    return _props(str(BeautifulSoup(body, "lxml").find(attrs={"data-target": "DailyPapers"})["data-props"]))


def daily_selectolax(body: bytes) -> list[Fields]:
    from selectolax.lexbor import LexborHTMLParser

    return _props(LexborHTMLParser(body).css_first("[data-target='DailyPapers']").attributes["data-props"])


# --- Atom


def atom_feedparser(body: bytes) -> list[Fields]:
    import feedparser

    return [
        {
            "id": entry.id,
            "link": entry.link,
            "pdf": next((link.href for link in entry.links if link.get("type") == "application/pdf"), None),
            "title": _joined(entry.title),
            "abstract": _joined(entry.summary),
            "authors": [author.name for author in entry.authors],
            "categories": [tag.term for tag in entry.tags],
            "published": entry.published,
            "updated": entry.updated,
            "comment": entry.get("arxiv_comment"),
            "doi": entry.get("arxiv_doi"),
        }
        for entry in feedparser.parse(BytesIO(body)).entries
    ]


_ATOM, _ARXIV = "{http://www.w3.org/2005/Atom}", "{http://arxiv.org/schemas/atom}"


def atom_lxml(body: bytes) -> list[Fields]:
    from lxml import etree

    papers = []
    for entry in etree.fromstring(body).iter(f"{_ATOM}entry"):
        links = {link.get("type"): link.get("href") for link in entry.iterchildren(f"{_ATOM}link")}
        papers.append(
            {
                "id": entry.findtext(f"{_ATOM}id"),
                "link": links.get("text/html"),
                "pdf": links.get("application/pdf"),
                "title": _joined(entry.findtext(f"{_ATOM}title")),
                "abstract": _joined(entry.findtext(f"{_ATOM}summary")),
                "authors": [
                    author.findtext(f"{_ATOM}name") for author in entry.iterchildren(f"{_ATOM}author")
                ],
                "categories": [tag.get("term") for tag in entry.iterchildren(f"{_ATOM}category")],
                "published": entry.findtext(f"{_ATOM}published"),
                "updated": entry.findtext(f"{_ATOM}updated"),
                "comment": entry.findtext(f"{_ARXIV}comment"),
                "doi": entry.findtext(f"{_ARXIV}doi"),
            }
        )
    return papers


def id_of(paper: Fields) -> str:
    """The arXiv id of a paper as any of the readers gives it."""
    return str(paper["id"]).rpartition("/")[2].partition("v")[0]


# --- feeds of items


def feedgen(body: bytes) -> list[bytes]:
    """RSS and Atom as feedgen makes them of items, which are given as JSON."""
    from feedgen.feed import FeedGenerator

    given = json.loads(body)
    generator = FeedGenerator()
    generator.load_extension("dc", atom=False, rss=True)
    generator.id("tag:papers.example.org,2026:feed/daily")
    generator.title("Paper Digest")
    generator.link(href="https://papers.example.org/")
    generator.description("New research papers, one item for each.")
    generator.author({"name": "Example Reading Group"})
    generator.updated("2026-11-19T06:00:00Z")
    for item in given:
        generator.add_entry(_feedgen_entry(item), order="append")
    return [generator.rss_str(pretty=True), generator.atom_str(pretty=True)]


def _feedgen_entry(item: Fields) -> Any:
    from feedgen.entry import FeedEntry
    from feedgen.ext.dc import DcEntryExtension

    made = FeedEntry()
    made.register_extension("dc", DcEntryExtension, atom=False, rss=True)
    made.id(item["id"])
    made.title(item["title"])
    made.link(href=item["url"], rel="alternate")
    made.published(item["published"])
    made.updated(item["updated"])
    made.summary(escape(item["summary"], quote=False), type="html")
    made.content(item["content"], type="html")
    made.category([{"term": term} for term in item["categories"]])
    made.author([{"name": name} for name in item["authors"]])
    made.dc.dc_creator(item["authors"])
    return made


def ids_of_feed(body: bytes) -> list[str]:
    """The ids of the items of a feed of any of the three formats, in its order."""
    found = re.findall(rb"(?:<id>|<guid isPermaLink=\"false\">|\"id\": \")(tag:[^<\"]*:arxiv:[^<\"]*)", body)
    return [each.decode() for each in found]


# --- in a process of their own


def timed(
    work: Callable[[], object], rounds: int, before: Callable[[], object] = gc.collect, *, warm: bool = True
) -> list[float]:
    """CPU seconds of each round, after one more that warms up."""
    taken = []
    for _ in range(rounds + warm):
        before()
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return taken[warm:]


def main() -> None:
    name, file, rounds, out = sys.argv[1:]
    body, work = Path(file).read_bytes(), globals()[name]
    made = work(body)
    ids = [ids_of_feed(each) for each in made] if name == "feedgen" else [[id_of(paper) for paper in made]]
    del made
    Path(out).write_text(json.dumps({"ids": ids, "cpu": timed(lambda: work(body), int(rounds))}))


if __name__ == "__main__":
    main()
