"""The pages and files of the search: what a static host gets, what a web door needs none of, and every text as text."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

from bs4 import BeautifulSoup
from msgspec.structs import replace

from digest.app import open_app
from digest.config import WebConfig
from digest.formats import SearchChunk
from digest.formats.frame import frame
from digest.formats.search import SearchView, page_variables, view_hit
from digest.model import Hit, Paper, Place
from digest.searching import parse_query
from editions import DAY, odd, pages_of, publication_of, rich, shipped
from webs import NOW, config_of

STATIC = WebConfig(enabled=False)


def hit_of(paper: Paper, day: date, position: int, topic: str = "") -> Hit:
    place = Place(paper_id=position, key=paper.key, date=day, part=1, position=position)
    return Hit(digest="daily", place=place, paper=paper, topic=topic)


def owl(number: int, text: str = "They see in the dark.") -> Paper:
    return Paper(
        key=f"arxiv:2611.{number:05}",
        title=f"Owls of night {number}",
        abstract=text,
        authors=("Ada Fenwick", "Bo Tide"),
        links={"abstract": f"https://arxiv.example/abs/2611.{number:05}"},
    )


def chunks() -> tuple[SearchChunk, ...]:
    """A first part of 100 papers about owls, a second of 30, and a third of what people and machines put into titles."""
    parts = [
        [hit_of(owl(n), DAY - timedelta(days=30 - n // 10), n % 10 + 1) for n in range(100)],
        [hit_of(owl(n), DAY - timedelta(days=1), n - 99) for n in range(100, 130)],
        [
            *[hit_of(e.paper, DAY, n, e.topic) for n, e in enumerate(odd().entries, 1)],
            *[hit_of(e.paper, DAY, n + 20, e.topic) for n, e in enumerate(rich().entries, 1)],
        ],
    ]
    return tuple(SearchChunk(number=n, hits=tuple(part)) for n, part in enumerate(parts, 1))


def test_a_static_host_gets_an_index_in_parts_and_a_web_door_none() -> None:
    static = pages_of(publication_of(rich(), web=STATIC, chunks=chunks(), chunk_count=3), shipped())
    ours = {path for path in static if path.startswith("search/")}
    assert ours == {
        *("search/index.html", "search/search.js", "search/index.json"),
        *("search/0001.json", "search/0002.json", "search/0003.json"),
    }
    assert json.loads(static["search/index.json"]) == {"schema": 1, "chunks": 3}
    door = pages_of(publication_of(rich(), chunks=chunks(), chunk_count=3), shipped())
    assert {path for path in door if path.startswith("search/")} == {"search/index.html"}
    assert b"<script" not in door["search/index.html"]
    assert b"hidden" not in door["search/index.html"].partition(b"<form")[2].partition(b">")[0]


def test_a_part_of_the_index_has_what_a_search_needs_and_no_address_that_runs() -> None:
    static = pages_of(publication_of(rich(), web=STATIC, chunks=chunks(), chunk_count=3), shipped())
    first = json.loads(static["search/0001.json"])["papers"][0]
    assert first == {
        "title": "Owls of night 0",
        "authors": ["Ada Fenwick", "Bo Tide"],
        "abstract": "They see in the dark.",
        "gist": "They see in the dark.",
        "topics": ["other"],
        "date": "2026-10-20",
        "url": "https://arxiv.example/abs/2611.00000",
        "place": "2026/10/20/#p-2611.00000",
        "record": "papers/2611.00000/",
    }
    for number in (1, 2, 3):
        for paper in json.loads(static[f"search/000{number}.json"])["papers"]:
            assert paper.get("url", "https://").startswith(("https://", "http://"))
            assert not paper["record"].startswith("/")


def test_the_script_is_small_and_runs_no_text() -> None:
    script = pages_of(publication_of(rich(), web=STATIC), shipped())["search/search.js"]
    assert len(script) < 20_000
    for word in (
        b"innerHTML",
        b"outerHTML",
        b"insertAdjacent",
        b"document.write",
        b"eval(",
        b"Function(",
        b"import(",
        b"http:",
    ):
        assert word not in script


def test_pages_without_a_search_are_the_same_whatever_parts_are_written() -> None:
    """An incremental publish and a rebuild give the same bytes."""
    whole = pages_of(publication_of(rich(), web=STATIC, chunks=chunks(), chunk_count=3), shipped())
    last = pages_of(publication_of(rich(), web=STATIC, chunks=chunks()[2:], chunk_count=3), shipped())
    assert {path: whole[path] for path in last} == last
    assert set(whole) - set(last) == {"search/0001.json", "search/0002.json"}


def test_letters_that_no_file_can_hold_do_not_break_the_index() -> None:
    bad = owl(1, "x \ud800 y")
    part = SearchChunk(number=1, hits=(hit_of(replace(bad, categories=("a\ud800b",)), DAY, 1, "t\ud800"),))
    static = pages_of(publication_of(rich(), web=STATIC, chunks=(part,), chunk_count=1), shipped())
    (paper,) = json.loads(static["search/0001.json"])["papers"]
    assert paper["abstract"] == "x y"


def test_the_page_has_one_heading_a_labelled_box_and_no_script_beside_ours() -> None:
    for web in (STATIC, WebConfig()):
        html = pages_of(publication_of(rich(), web=web, chunk_count=3), shipped())["search/index.html"]
        page = BeautifulSoup(html, "html.parser")
        assert [h.get_text() for h in page.select("h1")] == ["Search"]
        box = page.select_one("input[name=q]")
        assert box is not None
        assert page.select_one(f"label[for={box['id']}]") is not None
        assert [script["src"] for script in page.select("script")] == ([] if web.enabled else ["search.js"])
        assert page.select_one("meta[name=robots]") is None


def test_without_a_web_door_the_box_waits_for_the_script_on_every_page_that_has_it() -> None:
    static = pages_of(publication_of(rich(), web=STATIC, chunk_count=3), shipped())
    for path in ("index.html", "404.html", "search/index.html"):
        (form,) = BeautifulSoup(static[path], "html.parser").select("form[role=search]")
        assert form.has_attr("hidden"), path
        assert form.has_attr("data-search"), path
        assert b"search.js" in static[path]


def test_results_show_every_text_as_text() -> None:
    publication = publication_of(rich())
    query = parse_query('b* script* alert* 7* "bold claims"')
    papers = tuple(
        view_hit(hit_of(e.paper, DAY, n, e.topic), query, publication) for n, e in enumerate(odd().entries)
    )
    found = SearchView(
        query='"><script>alert(1)</script>',
        total=len(papers),
        first=1,
        papers=papers,
        previous_url="",
        next_url="/search/?q=%22&page=2",
        feeds=[{"name": "RSS", "url": "/search/rss.xml?q=%22", "type": "application/rss+xml"}],
    )
    variables = page_variables(publication, query='"><img src=x onerror=alert(1)>{{ 7*7 }}', found=found)
    html = shipped().render("archive/search.html", **frame(publication), page_url="/search/", **variables)
    page = BeautifulSoup(html, "html.parser")
    assert not page.select("script, img, main b, [onerror]")
    assert all(
        str(a["href"]).startswith(("/", "http://", "https://", "mailto:")) for a in page.select("main a")
    )
    assert len(page.select("article")) == len(odd().entries)
    assert page.select_one("input[name=q]")["value"] == '"><img src=x onerror=alert(1)>{{ 7*7 }}'  # type: ignore[index]


def test_a_static_archive_is_published_with_an_index_of_all_it_has_shown(tmp_path: Path) -> None:
    config = replace(config_of(tmp_path), web=WebConfig(enabled=False))
    with open_app(config) as app:
        app.daily(NOW)
        edition = app.newest_edition()
        files = _files(tmp_path / "feeds" / "search")
        assert json.loads(files["index.json"]) == {"schema": 1, "chunks": 1}
        papers = json.loads(files["0001.json"])["papers"]
        assert [paper["title"] for paper in papers] == [entry.paper.title for entry in edition.entries]
        for paper in papers:
            path, _, anchor = paper["place"].partition("#")
            html = (tmp_path / "feeds" / path / "index.html").read_bytes()
            assert f'id="{anchor}"'.encode() in html
            assert (tmp_path / "feeds" / paper["record"] / "index.html").is_file()
        app.rebuild()
    assert _files(tmp_path / "feeds" / "search") == files


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}
