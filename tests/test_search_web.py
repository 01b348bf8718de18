"""The search of the web door: pages of results, and feeds of a search."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from lxml import etree
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from digest.app.search import refresh
from digest.model import Paper
from digest.render import clean
from digest.web.search import AT_ONCE, WAITING, SearchDoor
from store_contract import NOW as ISSUED
from store_contract import TODAY, issue, paper, sight
from test_store_search import work
from webs import NOW, Answer, Site, config_of, serving, two_digests

HARM = "<script>alert(1)</script>"
ATOM = "{http://www.w3.org/2005/Atom}"


def show(site: Site, *papers: Paper, days: int = 0, digest: str = "daily") -> None:
    """An edition of these papers."""
    sight(
        site.app.store, *papers, days=days, followers=(digest,), source=f"list of {digest}", updates=(digest,)
    )
    issue(site.app.store, digest=digest, day=TODAY + timedelta(days=days), days=days)
    refresh(site.app)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """60 papers about owls in three editions, and some that are odd; one digest more with another."""
    with serving(two_digests(config_of(tmp_path_factory.mktemp("web")))) as site:
        for day in range(3):
            owls = [
                work(
                    f"Owls of night {day * 20 + n}",
                    "They see in the dark.",
                    authors=("Ada Fenwick", f"Bo {n}"),
                )
                for n in range(20)
            ]
            show(site, *owls, days=day - 2)
        odd = [
            work(
                f"Odd & {HARM} {{{{ 7*7 }}}}",
                f"An abstract with {HARM} and a kestrel.",
                links={"abstract": "javascript:alert(1)"},
                organization='"><img src=x onerror=alert(1)>',
            ),
            work("أين ذهبت الحركات kestrel", authors=("ليلى, منصور",)),
            work("机器学习入门", links={"abstract": "https://papers.example/abs/1?a=1&b=2"}),
            work("Many and more", authors=("A One", "B Two", "C Three", "D Four", "Yes Late", "F Six")),
            work("Long", "word " * 200 + "needle " + "word " * 200),
        ]
        show(site, *odd, days=1)
        show(site, work("Cells of an owl"), paper("Owls of night 0"), digest="weekly")
        yield site


def titles(site: Site, query: str, page: str = "") -> list[str]:
    answer = site.get(f"/search/?q={quote(query)}{page and f'&page={quote(page)}'}")
    assert answer.status == 200
    return [" ".join(found.get_text().split()) for found in answer.page.select("article h3")]


def test_a_search_shows_the_papers_with_what_was_found_marked(site: Site) -> None:
    answer = site.get("/search/?q=" + quote("needle"))
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    (row,) = answer.page.select("article")
    assert [mark.get_text() for mark in row.select("mark")] == ["needle"]
    snippet = row.select_one("p")
    assert snippet is not None
    assert snippet.get_text().startswith("…word")
    assert len(snippet.get_text()) < 260
    assert answer.page.select_one("h2").get_text() == "1 paper"  # type: ignore[union-attr]
    assert answer.page.select_one("input[name=q]")["value"] == "needle"  # type: ignore[index]


def test_each_result_leads_to_its_source_its_edition_and_its_own_page(site: Site) -> None:
    answer = site.get("/search/?q=" + quote("机器"))
    row = answer.page.select_one("article")
    assert row is not None
    assert [link["href"] for link in row.select("a")] == [
        "https://papers.example/abs/1?a=1&b=2",
        f"/2026/11/20/#p-{key_of(site, '机器')}",
        f"/papers/{key_of(site, '机器')}/",
    ]
    assert row.select_one(".act").get_text(" ", strip=True).startswith("Friday, 20 November 2026")  # type: ignore[union-attr]


def test_a_result_leads_to_no_page_of_its_own_where_papers_have_none(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    lean = replace(config, digest=tuple(replace(digest, pages=()) for digest in config.digest))
    with serving(lean) as site:
        show(
            site,
            work("Owls of night", "They see in the dark.", links={"abstract": "https://j.example.org/1"}),
        )
        (result,) = site.get("/search/?q=owls").page.select("article")
        links = [str(link["href"]) for link in result.select("a")]
        assert links[0] == "https://j.example.org/1"
        assert len(links) == 2
        assert links[1].startswith(f"/{TODAY:%Y/%m/%d}/#")


def test_names_that_were_looked_for_are_shown_though_they_come_late(site: Site) -> None:
    answer = site.get("/search/?q=" + quote('author:"yes late" and'))
    (line,) = answer.page.select("article p.m")
    assert line.get_text() == "A One, B Two, C Three, Yes Late and 2 more"
    assert [mark.get_text() for mark in line.select("mark")] == ["Yes", "Late"]


def key_of(site: Site, query: str) -> str:
    from digest.app.search import search

    (hit,) = search(site.app, query, limit=1).hits
    return hit.place.key.partition(":")[2]


def test_results_come_in_pages_of_twenty_that_lead_to_each_other(site: Site) -> None:
    found: list[str] = []
    path = "/search/?q=owls"
    pages = 0
    while path:
        answer = site.get(path)
        assert answer.page.select_one("h2").get_text() == "60 papers"  # type: ignore[union-attr]
        found += [each.get_text() for each in answer.page.select("article h3")]
        following = answer.page.select_one("a[rel=next]")
        path, pages = (str(following["href"]) if following else ""), pages + 1
    assert pages == 3
    assert len(found) == len(set(found)) == 60
    back = site.get("/search/?q=owls&page=3").page.select_one("a[rel=prev]")
    assert back is not None
    assert back["href"] == "/search/?q=owls&page=2"


@pytest.mark.parametrize("page", ["0", "-1", "x", "", "٣", "999999999999", "1.5"])
def test_a_page_that_is_no_number_is_the_first(site: Site, page: str) -> None:
    assert titles(site, "owls", page) == titles(site, "owls")


def test_a_page_after_the_last_says_so(site: Site) -> None:
    answer = site.get("/search/?q=owls&page=4")
    assert answer.status == 200
    assert "No more papers" in answer.text
    assert answer.page.select_one("a[rel=next]") is None


def test_nothing_to_search_for_shows_the_form_and_the_help(site: Site) -> None:
    for path in ("/search/", "/search", "/search/?q=", "/search/?q=%20%20", "/search/?page=3"):
        answer = site.get(path)
        assert answer.status == 200
        form = answer.page.select_one("form[role=search]")
        assert form is not None
        assert (form["method"], form["action"]) == ("get", "/search/")
        assert not form.has_attr("hidden")
        assert "How to search" in answer.text
        assert not answer.page.select("article")
        assert not answer.page.select("script")


def test_nothing_found_says_so_and_how_to_go_on(site: Site) -> None:
    answer = site.get("/search/?q=unicorns")
    assert answer.status == 200
    assert "No paper found" in answer.text
    assert "How to search" in answer.text


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("-", "The search has no word to look for."),
        ('"" * ( ) -', "The search has no word to look for."),
        ("a" * 10_000, "The search is longer than 500 characters."),
        ('"' * 10_000, "The search is longer than 500 characters."),
        (" ".join(f"w{n}" for n in range(40)), "more than 32 words"),
        ("date:2026-13", "“2026-13”|is no date"),
        ("author:", "has nothing after it"),
        ("-owls", "only says what to leave out"),
        ("\x00\x01\x1b", "The search has no word to look for."),
        ("\ufffe🦉", "The search has no word to look for."),
    ],
)
def test_a_search_that_makes_no_sense_is_answered_with_the_reason(
    site: Site, query: str, reason: str
) -> None:
    answer = site.get("/search/?q=" + quote(query, errors="surrogatepass"))
    assert answer.status == 422
    said = answer.page.select_one("[role=alert]")
    assert said is not None
    assert reason.rpartition("|")[2] in said.get_text()
    box = answer.page.select_one("input[name=q]")
    assert box is not None
    assert box["aria-describedby"] == said["id"]
    assert box["value"] == clean(query)[:500]
    assert answer.page.select_one("meta[name=robots]")["content"] == "noindex"  # type: ignore[index]


@pytest.mark.parametrize(
    "query",
    [
        HARM, "{{ 7*7 }}", "{% raw %}", "${7*7}", '"unbalanced owls', "owls\x00night", "'; DROP TABLE papers; --",
        "owls OR night", "NEAR(owls)", "title:owls^2", "owls*\x1b[2J", "a:b:c", "\u202eowls", "%00", "author:\"", "..", "ow\ud83e",
        '"><img src=x onerror=alert(1)>', "-" * 400 + "owls night", "ﷺ" * 20,
    ],
)  # fmt: skip
def test_no_search_breaks_the_page_or_comes_alive_in_it(site: Site, query: str) -> None:
    for path in ("/search/", "/search/rss.xml", "/search/atom.xml", "/search/feed.json"):
        answer = site.get(f"{path}?q=" + quote(query, errors="surrogatepass"))
        assert answer.status in (200, 422)
        if path == "/search/":
            assert not answer.page.select("script, img")
            assert "7*7" not in query or b"49" not in answer.body
        elif answer.status == 200 and path.endswith("xml"):
            etree.fromstring(answer.body)


def test_bytes_that_are_no_text_are_a_search_too(site: Site) -> None:
    assert site.get("/search/?q=%ff%fe%00owls").status == 200
    assert site.get("/search/?q=%").status in (200, 422)
    assert site.get("/search/?q=owls&q=cells").status == 200


def test_hostile_papers_are_shown_as_text(site: Site) -> None:
    answer = site.get("/search/?q=kestrel")
    assert not answer.page.select("script, img, [onerror]")
    assert "{{ 7*7 }}" in answer.text
    assert all(str(link["href"]).startswith(("/", "https:")) for link in answer.page.select("article a"))


def test_a_result_page_is_not_for_search_engines_or_scripts_and_sets_no_cookie(site: Site) -> None:
    answer = site.get("/search/?q=owls")
    assert answer.headers["x-robots-tag"] == "noindex"
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in answer.headers
    assert site.ask("POST", "/search/", {"q": "owls"}).status == 405
    assert site.ask("HEAD", "/search/?q=owls").body == b""


def test_a_search_changes_nothing(site: Site) -> None:
    file = site.app.config.store.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file)) as watcher:
        # Another number as soon as any other connection has changed the file.
        before = watcher.execute("PRAGMA data_version").fetchone()
        for path in ("/search/?q=owls", "/search/", "/search/?q=-", "/search/rss.xml?q=owls"):
            site.get(path)
        assert watcher.execute("PRAGMA data_version").fetchone() == before


def test_each_digest_has_a_search_of_its_own(site: Site) -> None:
    assert "Cells of an owl" not in site.get("/search/?q=cells").text
    answer = site.get("/weekly/search/?q=cells")
    assert "Cells of an owl" in answer.text
    assert all(str(a["href"]).startswith("/weekly/") for a in answer.page.select("article .act a"))
    assert site.get("/weekly/search/rss.xml?q=cells").status == 200


# ---------------------------------------------------------------- feeds


def test_a_search_has_feeds_of_its_newest_papers(site: Site) -> None:
    page = site.get("/search/?q=owls").page
    links = list(page.select('link[rel="alternate"]'))
    assert [link["type"] for link in links] == [
        "application/rss+xml", "application/atom+xml", "application/feed+json",
    ]  # fmt: skip
    ids = []
    for link in links:
        answer = site.get(str(link["href"]))
        assert answer.status == 200
        if link["type"] == "application/feed+json":
            assert answer.headers["content-type"].startswith("application/feed+json")
            document = json.loads(answer.body)
            assert document["feed_url"] == "https://papers.example.org" + str(link["href"])
            ids.append([item["id"] for item in document["items"]])
        else:
            assert answer.headers["content-type"].startswith("application/xml")
            assert b'<?xml-stylesheet type="text/css" href="https://papers.example.org/' in answer.body
            assert "style-src 'self'" in answer.headers["content-security-policy"]
            tree = etree.fromstring(answer.body)
            found = tree.findall(f"{ATOM}entry/{ATOM}id") or tree.findall("channel/item/guid")
            ids.append([str(each.text) for each in found])
    assert ids[0] == ids[1] == ids[2]
    assert len(ids[0]) == len(set(ids[0])) == 50


def test_the_feed_of_a_search_names_no_hub_which_would_never_be_told_of_it(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    with serving(replace(config, site=replace(config.site, hub="https://hub.example.org/"))) as site:
        show(site, work("Owls of night", "They see in the dark."))
        for file in ("rss.xml", "atom.xml", "feed.json"):
            answer = site.get(f"/search/{file}?q=owls")
            assert b"Owls of night" in answer.body
            assert b"hub" not in answer.body


def test_the_ids_of_a_search_feed_are_those_of_the_papers_everywhere(site: Site) -> None:
    document = json.loads(site.get("/search/feed.json?q=" + quote("机器")).body)
    (item,) = document["items"]
    edition = site.app.store.edition("daily", TODAY + timedelta(days=1))
    assert edition is not None
    (entry,) = [entry for entry in edition.entries if entry.paper.title.startswith("机")]
    assert item["id"] == entry.guid


def test_the_updated_of_a_search_feed_never_goes_back_when_it_finds_less(tmp_path: Path) -> None:
    """RFC 4287, 4.2.15. It is that of the newest edition of its digest, whether or not the search found something in it."""

    def updated() -> datetime:
        tree = etree.fromstring(site.get("/search/atom.xml?q=owls").body)
        return datetime.fromisoformat(str(tree.findtext(f"{ATOM}updated")))

    with serving(config_of(tmp_path)) as site:
        for day, title in enumerate(["Owls of night", "Herons of night"]):
            show(site, paper(title, ids={"arxiv": "2611.04217"}, version=day + 1), days=day)
            assert site.get("/search/atom.xml?q=owls").body.count(b"<entry>") == 1 - day
            assert updated() == ISSUED + timedelta(days=day)


def test_an_unchanged_search_feed_is_not_sent_again(site: Site) -> None:
    for file in ("rss.xml", "atom.xml", "feed.json"):
        path = f"/search/{file}?q=owls"
        first = site.get(path)
        tag = first.headers["etag"]
        assert tag.startswith('"')
        assert site.get(path).headers["etag"] == tag
        for header in (tag, f'"other", W/{tag}', "*"):
            again = site.get(path, **{"If-None-Match": header})
            assert (again.status, again.body) == (304, b"")
            assert again.headers["etag"] == tag
        assert site.get(path, **{"If-None-Match": '"other"'}).status == 200
        assert site.get(f"/search/{file}?q=kestrel").headers["etag"] != tag


def test_two_ways_to_say_a_search_are_one_feed(site: Site) -> None:
    assert site.get("/search/rss.xml?q=OWLS%20%20owls").body == site.get("/search/rss.xml?q=owls").body


def test_a_feed_of_a_search_that_makes_no_sense_is_refused(site: Site) -> None:
    for file in ("rss.xml", "atom.xml", "feed.json"):
        answer = site.get(f"/search/{file}")
        assert answer.status == 422
        assert answer.body.decode().startswith("The search has no word")


def test_a_search_before_the_first_edition_finds_nothing(tmp_path: Path) -> None:
    with serving(config_of(tmp_path)) as empty:
        assert "No paper found" in empty.get("/search/?q=owls").text
        assert etree.fromstring(empty.get("/search/rss.xml?q=owls").body).findall("channel/item") == []


def test_every_link_of_a_result_leads_to_a_published_page(tmp_path: Path) -> None:
    with serving(config_of(tmp_path)) as site:
        site.app.daily(NOW)
        edition = site.app.newest_edition()
        word = edition.entries[0].paper.title.split()[0]
        page = site.get("/search/?q=" + quote(word)).page
        links = [str(link["href"]) for link in page.select("article .act a")]
        assert links
        for link in links:
            path, _, anchor = link.partition("#")
            answer = site.get(path)
            assert answer.status == 200, link
            assert not anchor or answer.page.find(id=anchor), link


def test_a_site_below_a_path_has_its_search_there(tmp_path: Path) -> None:
    with serving(config_of(tmp_path, url="https://host.example/papers/")) as site:
        show(site, work("Owls of night", links={"abstract": "https://papers.example/abs/1"}))
        page = site.get("/papers/search/?q=owls").page
        form = page.select_one("form[role=search]")
        assert form is not None
        assert form["action"] == "/papers/search/"
        assert all(str(a["href"]).startswith("/papers/") for a in page.select("article .act a, header a"))
        feed = site.get(str(page.select('link[rel="alternate"]')[1]["href"]))
        tree = etree.fromstring(feed.body)
        links = [str(link.get("href")) for link in tree.findall(f"{ATOM}link")]
        assert all(link.startswith("https://host.example/papers/search/") for link in links)


# ---------------------------------------------------------------- a search that takes too long


def test_a_search_that_takes_too_long_is_ended_and_the_next_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(config_of(tmp_path)) as site:
        show(site, work("Owls of night"))
        with monkeypatch.context() as short:
            short.setattr("digest.web.search.LIMIT_S", 0.0)
            short.setattr("digest.store.sqlite.STEPS", 1)
            answer = site.get("/search/?q=owl*")
            assert answer.status == 503
            assert b"took too long" in answer.body
            assert site.get("/search/atom.xml?q=owl*").status == 503
            assert site.get("/healthz").status == 200
        assert b"of night" in site.get("/search/?q=owl*").body


def test_many_searches_at_once_wait_their_turn_or_are_told_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy, gone_on = threading.Semaphore(0), threading.Event()
    page = SearchDoor.page

    def slow(self: SearchDoor, request: Request) -> Response:
        busy.release()
        assert gone_on.wait(60)
        return page(self, request)

    monkeypatch.setattr(SearchDoor, "page", slow)
    count = AT_ONCE + WAITING + 5
    with serving(config_of(tmp_path)) as site, ThreadPoolExecutor(count) as people:

        def ask(number: int) -> Answer:
            one = Site(site.app, site.clock, site.port)
            try:
                return one.get(f"/search/?q=owl{number}")
            finally:
                one.hang_up()

        asked = [people.submit(ask, number) for number in range(count)]
        for _ in range(AT_ONCE):
            assert busy.acquire(timeout=60)
        first = next(as_completed(asked, 60))  # while two search, and others wait, one is told to come back
        assert site.get("/healthz").status == 200
        gone_on.set()
        answers = [one.result(60) for one in asked]
    assert first.result().status == 503
    assert {answer.status for answer in answers} == {200, 503}
    assert sum(answer.status == 200 for answer in answers) >= AT_ONCE + WAITING
    assert all("retry-after" in answer.headers for answer in answers if answer.status == 503)
