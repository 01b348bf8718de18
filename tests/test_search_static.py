"""The search of a static host: its files, and its script in a real browser, held to the same cases as searching.py."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from digest.config import TopicConfig, slugs_of
from digest.errors import UsageError
from digest.formats.search import _document
from digest.model import Paper
from digest.searching import matches, parse_query, pieces, tokens
from editions import DAY, DIGEST, SITE, odd, pages_of, publication_of, rich, shipped
from test_search_pages import STATIC, chunks, hit_of
from test_searching import CASES, hits

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

TOPICS = slugs_of([TopicConfig(name="Language models", slug="lm")])
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def write(root: Path, url: str, **changes: Any) -> None:
    site = replace(SITE, url=url)
    publication = publication_of(rich(), site=site, url=url, chunks=chunks(), chunk_count=3, **changes)
    for path, body in pages_of(publication, shipped()).items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *said: object) -> None:
        """Nothing: the files asked for are noted instead."""
        self.server.asked.append(self.path)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, list[str]]]:
    """A host that only hands out files: its address, its folder, and what it was asked for."""
    root = tmp_path_factory.mktemp("static")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root)))
    asked: list[str] = []
    server.asked = asked  # type: ignore[attr-defined]
    url = f"http://127.0.0.1:{server.server_port}/"
    write(root, url, web=STATIC)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield url, root, asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def page(browser: Browser, host: tuple[str, Path, list[str]]) -> Iterator[Page]:
    page = browser.new_page()
    errors: list[str] = []

    def failed(error: object) -> None:
        errors.append(str(error))

    page.on("pageerror", failed)
    page.set_default_timeout(60_000)
    yield page
    assert errors == []


def search(page: Page, url: str, query: str) -> list[str]:
    """The titles that the page shows, once it is done."""
    page.goto(f"{url}search/?q={quote(query)}")
    page.wait_for_function(
        "document.querySelector('[role=alert]') || /[^…]$/.test(document.getElementById('status').textContent)"
    )
    return titles(page)


def titles(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all("#results h3", "all => all.map(e => e.textContent)")
    return found


# ---------------------------------------------------------------- the same answers as searching.py


def test_the_script_sees_the_same_tokens(page: Page, host: tuple[str, Path, list[str]]) -> None:
    page.goto(f"{host[0]}search/")
    texts = [text for text, _ in CASES["tokens"]] + odd_texts(400)
    found = page.evaluate("texts => texts.map(digestSearch.tokens)", texts)
    assert found == [tokens(text) for text in texts]


def odd_texts(count: int) -> list[str]:
    """Letters of all scripts that both the browser and this Python know, with marks and signs between them."""
    import unicodedata

    from_all = [
        chr(n) for n in range(0x20, 0x1F000) if unicodedata.category(chr(n)) not in ("Cn", "Cs", "Co")
    ]
    rng = random.Random(19)
    signs = list('ab AB12 -*":.ßŁΣςİı机がｶﾞ한ㄱㅏﬁ\u0301\u3099\x00\t')
    return ["".join(rng.choices(from_all if rng.random() < 0.6 else signs, k=8)) for _ in range(count)]


def test_the_script_reads_the_same_searches(page: Page, host: tuple[str, Path, list[str]]) -> None:
    page.goto(f"{host[0]}search/")
    texts = [text for text, _ in CASES["queries"] + CASES["refused"]] + odd_texts(200)
    texts += ["a" * 501, "a " * 260, "机" * 400, " ".join(f"w{n}" for n in range(33)), "date:0001..0004-02"]
    read = """texts => texts.map(text => {
      try { const q = digestSearch.parse(text); return [q.text, q.since, q.until]; }
      catch (error) { return error.message; }
    })"""
    assert page.evaluate(read, texts) == [_read(text) for text in texts]


def _read(text: str) -> list[str] | str:
    try:
        query = parse_query(text)
    except UsageError as error:
        return str(error)
    return [query.text, str(query.since or ""), str(query.until or "")]


def test_the_script_finds_the_same_papers(page: Page, host: tuple[str, Path, list[str]]) -> None:
    page.goto(f"{host[0]}search/")
    known = hits() | {f"odd-{n}": hit_of(e.paper, DAY, n) for n, e in enumerate(odd().entries)}
    queries = [query for query, _ in CASES["finds"]]
    queries += [
        "bold",
        "alert script",
        "author:لىلى",
        "author:ليلى",
        "w*",
        "title:x*",
        "90",
        "一个没有",
        "category:" + "long-" * 20 + "x",
    ]
    papers = {name: json.loads(json.dumps(_document(hit, TOPICS))) for name, hit in known.items()}
    found = page.evaluate(
        """([papers, queries]) => queries.map(text => {
          const query = digestSearch.parse(text);
          return Object.keys(papers).filter(name => digestSearch.matches(query, papers[name]));
        })""",
        [papers, queries],
    )
    assert found == [
        [name for name, hit in known.items() if matches(parse_query(text), hit, topics=TOPICS)]
        for text in queries
    ]


def test_the_script_finds_a_long_category_by_its_name(page: Page, host: tuple[str, Path, list[str]]) -> None:
    page.goto(f"{host[0]}search/")
    name = "Very long names of categories " * 4
    hit = hit_of(Paper(key="title:x", title="x", categories=(name,)), DAY, 1)
    query = f'category:"{name}"'
    assert matches(parse_query(query), hit)
    call = "([paper, query]) => digestSearch.matches(digestSearch.parse(query), paper)"
    assert page.evaluate(call, [_document(hit, {}), query])
    assert not page.evaluate(call, [_document(hit, {}), 'category:"Very long names"'])


def test_the_script_marks_the_same_pieces(page: Page, host: tuple[str, Path, list[str]]) -> None:
    page.goto(f"{host[0]}search/")
    cases = [case[:4] for case in CASES["pieces"]]
    cases += [[f"{text} owls {text}", "owls", "", width] for text in odd_texts(60) for width in (0, 12, 20)]
    found = page.evaluate(
        "cases => cases.map(([text, q, field, width]) => digestSearch.pieces(text, digestSearch.parse(q), field, width))",
        cases,
    )
    wanted = [
        [list(piece) for piece in pieces(text, parse_query(query), field=field, width=width)]
        for text, query, field, width in cases
    ]
    assert found == wanted


# ---------------------------------------------------------------- the page


def test_a_result_leads_to_no_page_of_its_own_where_papers_have_none(
    browser: Browser, host: tuple[str, Path, list[str]]
) -> None:
    url, root, _ = host

    def links() -> list[str]:
        with closing(browser.new_page()) as page:  # with a cache of its own
            search(page, url, "owls 115")
            found: list[str] = page.eval_on_selector_all("#results a", "all => all.map(e => e.href)")
            return found

    whole = links()
    assert "/papers/" in whole[-1]
    write(root, url, web=STATIC, digest=replace(DIGEST, pages=()))
    try:
        assert links() == whole[:-1]
    finally:
        write(root, url, web=STATIC)


def test_the_box_appears_once_the_script_has_loaded(page: Page, host: tuple[str, Path, list[str]]) -> None:
    page.goto(f"{host[0]}search/")
    assert page.is_visible("form[role=search] input")
    page.fill("form[role=search] input", "kites")
    page.click("form[role=search] button")
    page.wait_for_url("**/search/?q=kites")


def test_without_script_the_page_says_so_and_leads_to_the_lists(
    host: tuple[str, Path, list[str]], page: Page
) -> None:
    context = page.context.browser.new_context(java_script_enabled=False)  # type: ignore[union-attr]
    bare = context.new_page()
    for address in (f"{host[0]}search/", (host[1] / "search" / "index.html").as_uri()):
        bare.goto(address)
        assert not bare.is_visible("form[role=search]")
        assert "needs the script" in bare.inner_text("main")
        assert bare.get_by_role("link", name="Topics").is_visible()
        assert bare.get_by_role("link", name="2026").is_visible()
    context.close()


def test_a_search_shows_papers_with_what_was_found_marked(
    page: Page, host: tuple[str, Path, list[str]]
) -> None:
    assert search(page, host[0], "owls 115") == ["Owls of night 115"]
    assert page.input_value("main input[type=search]") == "owls 115"
    assert page.inner_text("#status") == "1 paper."
    assert page.title().startswith("owls 115: ")
    assert page.eval_on_selector_all("mark", "all => all.map(e => e.textContent)") == ["Owls", "115"]
    links = page.eval_on_selector_all("#results a", "all => all.map(e => e.href)")
    assert links == [
        "https://arxiv.example/abs/2611.00115",
        f"{host[0]}2026/11/18/#p-2611.00115",
        f"{host[0]}papers/2611.00115/",
    ]
    assert "Wednesday, 18 November 2026" in page.inner_text("#results .act")


def test_fifty_come_at_once_the_newest_first_and_the_rest_on_demand(
    page: Page, host: tuple[str, Path, list[str]]
) -> None:
    found = search(page, host[0], "owls")
    assert len(found) == 50
    assert found[:30] == [f"Owls of night {n}" for n in range(100, 130)]
    assert page.inner_text("#status").startswith("50 papers so far")
    for count in (100, 130):
        page.click("text=Search earlier papers")
        page.wait_for_function(f"document.querySelectorAll('#results article').length >= {count}")
    assert len(set(titles(page))) == 130
    page.wait_for_function("document.getElementById('earlier').hidden")
    assert page.inner_text("#status") == "130 papers."


def test_nothing_found_says_so(page: Page, host: tuple[str, Path, list[str]]) -> None:
    assert search(page, host[0], "unicorns") == []
    assert page.inner_text("#status").startswith("No paper found.")


@pytest.mark.parametrize("query", ["-", "a" * 10_000, "date:2026-13", '"" * ()'])
def test_a_search_that_makes_no_sense_says_why(
    page: Page, host: tuple[str, Path, list[str]], query: str
) -> None:
    assert search(page, host[0], query) == []
    said = page.inner_text("[role=alert]")
    with pytest.raises(UsageError) as refused:
        parse_query(query)
    assert said.lower() == str(refused.value).lower()
    assert page.get_attribute("main input[type=search]", "aria-describedby") == "q-error"


def test_hostile_papers_and_searches_stay_text(page: Page, host: tuple[str, Path, list[str]]) -> None:
    for query in (
        "alert",
        "bold claims",
        '"><img src=x onerror=alert(1)> script',
        "author:o'neil",
        "address bdelim*",
    ):
        search(page, host[0], query)
        assert page.query_selector_all("#results script, #results img, #results b, #results [onerror]") == []
        hrefs = page.eval_on_selector_all("#results a", "all => all.map(e => e.protocol)")
        assert set(hrefs) <= {"http:", "https:"}


def test_only_the_index_beside_it_is_read(page: Page, host: tuple[str, Path, list[str]]) -> None:
    requests: list[str] = []

    def note(request: Request) -> None:
        requests.append(request.url)

    page.on("request", note)
    search(page, host[0], "owls")
    page.remove_listener("request", note)
    assert all(request.startswith(host[0]) for request in requests)
    assert f"{host[0]}search/0003.json" in requests
    assert page.context.cookies() == []


def test_a_page_opened_as_a_file_says_what_is_missing(page: Page, host: tuple[str, Path, list[str]]) -> None:
    page.goto(f"{(host[1] / 'search' / 'index.html').as_uri()}?q=owls")
    page.wait_for_function("document.getElementById('status').textContent.includes('http.server')")
    assert titles(page) == []
    assert page.get_by_role("link", name="Topics").is_visible()


def test_a_missing_part_of_the_index_is_said(
    page: Page, tmp_path: Path, host: tuple[str, Path, list[str]]
) -> None:
    page.route("**/search/0002.json", lambda route: route.fulfill(status=404, body="gone"))
    try:
        page.goto(f"{host[0]}search/?q=unicorns")
        page.wait_for_function("document.getElementById('status').textContent.includes('could not be read')")
    finally:
        page.unroute("**/search/0002.json")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_results_fit_a_narrow_screen_with_targets_for_fingers(
    page: Page, host: tuple[str, Path, list[str]], scheme: Any
) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    page.emulate_media(color_scheme=scheme)
    for query in ("w*", "t*", "owls"):
        search(page, host[0], query)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.set_viewport_size({"width": 375, "height": 800})
    small = page.eval_on_selector_all(
        "#results a, main button, main input, nav a",
        "all => all.filter(e => e.getClientRects().length && e.getBoundingClientRect().height < 43.5).map(e => e.outerHTML)",
    )
    assert small == []
    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(color_scheme="light")
