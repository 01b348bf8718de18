"""robots.txt (RFC 9309): read, kept, and what it says is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.config import SourceConfig
from digest.errors import FetchError, FetchRefused
from digest.fetch import Fetcher, MemoryTurns, Turns, Visit
from digest.fetch.addresses import place_of
from digest.fetch.robots import Rules, is_for_programs
from digest.model import Listing
from fetch_servers import FileTurns, Reply, Site, gaps

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        yield made


def fetcher(turns: Turns | None = None, **more: object) -> Fetcher:
    return Fetcher(**{"user_agent": "paper-digest/1.0 (+https://papers.example.org/)", "resolve": Path, "turns": turns,
                      "holder": "me", "backoff_s": 0.01, **more})  # type: ignore[arg-type]  # fmt: skip


def visit(url: str, *, by: Fetcher | None = None, **source: object) -> Visit:
    wanted = SourceConfig(**{"name": "s", "url": url, "allow_private": True, **source})  # type: ignore[arg-type]
    return (by or fetcher()).visit(wanted, now=NOW)


def test_what_robots_txt_keeps_us_out_of_is_not_asked(site: Site) -> None:
    site.pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /private\n")
    site.pages["*"] = Reply(b"page")
    error = visit(site.url("/private/x")).ask(site.url("/private/x"))
    assert isinstance(error, FetchRefused)
    assert "robots.txt" in str(error)
    assert "User-agent: *" in str(error)
    assert isinstance(visit(site.url("/public")).ask(site.url("/public")), Listing)
    assert [asked.path for asked in site.pages_asked] == ["/public"]


def test_a_redirect_into_what_robots_txt_forbids_is_not_followed(site: Site) -> None:
    site.pages["/robots.txt"] = Reply(b"User-agent: paper-digest\nDisallow: /private\n")
    site.pages["/x"] = Reply(status=302, headers={"Location": "/private"})
    error = visit(site.url("/x")).ask(site.url("/x"))
    assert isinstance(error, FetchRefused)
    assert "User-agent: paper-digest" in str(error)
    assert [asked.path for asked in site.pages_asked] == ["/x"]


def test_robots_txt_is_asked_once_a_day_over_all_processes(site: Site, tmp_path: Path) -> None:
    site.pages["*"] = Reply(b"page")
    for path in ("/a", "/b", "/c"):
        by = fetcher(FileTurns(tmp_path / "turns"))
        assert isinstance(visit(site.url(path), by=by).ask(site.url(path)), Listing)
    assert [asked.path for asked in site.asked] == ["/robots.txt", "/a", "/b", "/c"]


@pytest.mark.parametrize(("cache", "hours"), [
    ("", 24), ("max-age=7200", 2), ("public, max-age=3600", 1), ("max-age=999999999", 24), ("max-age=0", 1 / 6),
    ("s-maxage=60", 24), ("no-store", 24), ('max-age="7200"', 2), ("max-age=x", 24),
])  # fmt: skip
def test_robots_txt_is_kept_for_a_day_at_most(site: Site, cache: str, hours: float) -> None:
    turns = MemoryTurns()
    site.pages["/robots.txt"] = Reply(b"User-agent: *\nAllow: /\n", headers={"Cache-Control": cache})
    site.pages["/x"] = Reply(b"page")
    visit(site.url("/x"), by=fetcher(turns)).ask(site.url("/x"))
    origin, now = f"http://127.0.0.1:{site.port}", datetime.now(UTC)
    assert turns.robots(origin, now=now + timedelta(hours=hours) - timedelta(seconds=60)) is not None
    assert turns.robots(origin, now=now + timedelta(hours=hours) + timedelta(seconds=60)) is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_where_there_is_no_robots_txt_everything_is_allowed(site: Site, status: int) -> None:
    site.pages["/robots.txt"] = Reply(b"User-agent: *\nDisallow: /\n", status=status)
    site.pages["/x"] = Reply(b"page")
    assert isinstance(visit(site.url("/x")).ask(site.url("/x")), Listing)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 505, 429])
def test_where_robots_txt_cannot_be_had_nothing_is_asked(site: Site, status: int) -> None:
    site.pages["/robots.txt"] = Reply(status=status)
    site.pages["/x"] = Reply(b"page")
    error = visit(site.url("/x")).ask(site.url("/x"))
    assert isinstance(error, FetchError)
    assert (error.outcome, error.status) == ("unreachable", status)
    assert "robots.txt" in str(error)
    assert site.pages_asked == []
    site.pages["/robots.txt"] = Reply(status=404)  # it is not held against the site
    assert isinstance(visit(site.url("/x")).ask(site.url("/x")), Listing)


def test_robots_txt_may_lie_five_redirects_away(site: Site) -> None:
    def chain(length: int) -> None:
        site.pages["/robots.txt"] = Reply(status=301, headers={"Location": "/r1"})
        for step in range(1, length):
            site.pages[f"/r{step}"] = Reply(status=301, headers={"Location": f"/r{step + 1}"})
        site.pages[f"/r{length}"] = Reply(b"User-agent: *\nDisallow: /\n")

    site.pages["/x"] = Reply(b"page")
    chain(5)
    assert isinstance(visit(site.url("/x")).ask(site.url("/x")), FetchRefused)
    chain(6)  # more than we follow: there is none (RFC 9309, 2.3.1.2)
    assert isinstance(visit(site.url("/x")).ask(site.url("/x")), Listing)


def test_a_long_robots_txt_is_read_as_far_as_the_standard_asks(site: Site) -> None:
    filler = b"# nothing\n" * 51_000  # 510,000 bytes
    site.pages["/robots.txt"] = Reply(
        filler + b"User-agent: *\nDisallow: /in\n" + b"#\n" * 2000 + filler + b"Disallow: /out\n"
    )
    site.pages["*"] = Reply(b"page")
    by = fetcher()
    assert isinstance(visit(site.url("/in"), by=by).ask(site.url("/in")), FetchRefused)
    assert isinstance(visit(site.url("/out"), by=by).ask(site.url("/out")), Listing)


def test_the_delay_that_a_site_wants_is_kept(site: Site) -> None:
    site.pages["/robots.txt"] = Reply(b"User-agent: *\nCrawl-delay: 0.3\n")
    site.pages["*"] = Reply(b"page")
    asked = visit(site.url("/x"))
    for path in ("/x", "/y"):
        assert isinstance(asked.ask(site.url(path)), Listing)
    assert min(gaps(site.asked)) >= 0.3
    assert Rules("User-agent: *\nCrawl-delay: 86400\n").delay_s == 30.0
    assert Rules("User-agent: *\nCrawl-delay: soon\n").delay_s == 0.0


ALL, US, BOT = "User-agent: *\n", "User-agent: paper-digest\n", "User-agent: otherbot\n"
TABLE = [
    # the group that counts: RFC 9309, 2.2.1
    ("", "/x", True),
    (f"{ALL}Disallow: /\n", "/x", False),
    (f"{BOT}Disallow: /\n", "/x", True),
    (f"{US}Disallow: /\n", "/x", False),
    (f"{US}Allow: /\n{ALL}Disallow: /\n", "/x", True),
    (f"{ALL}Disallow: /\n\n{US}Disallow: /y\n", "/x", True),
    ("User-Agent: Paper-Digest\nDisallow: /\n", "/x", False),
    ("USER-AGENT: PAPER-DIGEST/2.0\nDisallow: /\n", "/x", False),
    ("User-agent: paper\nDisallow: /\n", "/x", True),
    ("User-agent: digest\nDisallow: /\n", "/x", True),
    ("User-agent: paper-digest-news\nDisallow: /\n", "/x", True),
    (f"{BOT}{US}Disallow: /\n", "/x", False),
    (f"{US}Disallow: /a\n{BOT}Disallow: /b\n{US}Disallow: /c\n", "/c", False),  # groups of one name are one group
    (f"{US}Disallow: /a\n{BOT}Disallow: /b\n{US}Disallow: /c\n", "/a", False),
    (f"{US}Disallow: /a\n{BOT}Disallow: /b\n{US}Disallow: /c\n", "/b", True),
    (f"{US}Sitemap: https://papers.example.org/map\nDisallow: /x\n", "/x", False),
    (f"{US}\n{ALL}Disallow: /\n", "/x", False),
    ("Disallow: /\n", "/x", True),
    ("User-agent: * # all\nDisallow: /x # not this\n", "/x", False),
    # the rule that counts: the longest match, Allow where two are equal (RFC 9309, 2.2.2, 5.2)
    (f"{ALL}Disallow:\n", "/x", True),
    (f"{ALL}Allow: /p\nDisallow: /\n", "/page", True),
    (f"{ALL}Allow: /folder\nDisallow: /folder\n", "/folder/page", True),
    (f"{ALL}Disallow: /folder\nAllow: /folder\n", "/folder/page", True),
    (f"{ALL}Allow: /example/page/\nDisallow: /example/page/disallowed.gif\n", "/example/page/disallowed.gif", False),
    (f"{ALL}Allow: /example/page/\nDisallow: /example/page/disallowed.gif\n", "/example/page/", True),
    (f"{ALL}Allow: /page\nDisallow: /*.htm\n", "/page.htm", False),
    (f"{ALL}Allow: /page\nDisallow: /*.ph\n", "/page.php5", True),
    (f"{ALL}Allow: /$\nDisallow: /\n", "/", True),
    (f"{ALL}Allow: /$\nDisallow: /\n", "/page.htm", False),
    (f"{ALL}Disallow: /a\nAllow: /a/b\n", "/a/c", False),
    (f"{ALL}Disallow: /a\nAllow: /a/b\n", "/a/b/c", True),
    # how a path matches: RFC 9309, 2.2.2 and 2.2.3
    (f"{ALL}Disallow: /fish\n", "/fish.html", False),
    (f"{ALL}Disallow: /fish\n", "/Fish.asp", True),
    (f"{ALL}Disallow: /fish/\n", "/fish", True),
    (f"{ALL}Disallow: /fish/\n", "/fish/?id=x", False),
    (f"{ALL}Disallow: /*.php\n", "/folder/filename.php?x", False),
    (f"{ALL}Disallow: /*.php\n", "/windows.PHP", True),
    (f"{ALL}Disallow: /*.php$\n", "/filename.php?parameters", True),
    (f"{ALL}Disallow: /*.php$\n", "/folder/filename.php", False),
    (f"{ALL}Disallow: /fish*.php\n", "/fishheads/catfish.php?x", False),
    (f"{ALL}Disallow: /*?\n", "/list?page=2", False),
    (f"{ALL}Disallow: /*?\n", "/list", True),
    (f"{ALL}Disallow: /caf%C3%A9\n", "/caf\u00e9", False),
    (f"{ALL}Disallow: /caf\u00e9\n", "/caf%c3%a9", False),
    (f"{ALL}Disallow: /a%3cd.html\n", "/a%3Cd.html", False),
    (f"{ALL}Disallow: /\n", "/robots.txt", True),
    (f"\ufeff{ALL}Disallow: /x\n".replace("\n", "\r\n"), "/x", False),
    (f"{ALL}Disallow: /x\n".replace("\n", "\r"), "/x", False),
    ("<html><title>Not found</title>", "/x", True),
    (f"{ALL}Disallow : /x\n", "/x", False),
    (f"  {ALL}  Disallow:/x  \n", "/x", False),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "allowed"), TABLE)
def test_robots_txt_is_read_as_the_standard_says(text: str, path: str, allowed: bool) -> None:
    decoded = text.encode().decode("utf-8-sig")
    assert Rules(decoded).allow(f"https://papers.example.org{path}") == allowed


def test_a_hostile_robots_txt_is_read_in_time(site: Site) -> None:
    started = time.process_time()
    for line in (
        "Disallow: /" + "*a" * 2000 + "\n",
        "Disallow: /x\n",
        "User-agent: a\n",
        "Disallow: " + "/" * 400 + "$\n",
    ):
        text = ("User-agent: *\n" + line * (500_000 // len(line)))[:500_000]
        Rules(text).allow("https://papers.example.org/" + "a" * 2000)
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    ("url", "for_programs"),
    [
        ("https://export.arxiv.org/api/query?search_query=ti:moths", True),
        ("https://export.arxiv.org/oai2?verb=Identify", True),
        ("https://oaipmh.arxiv.org/oai?verb=Identify", True),
        ("https://api.crossref.org/works?rows=5", True),
        ("https://api.semanticscholar.org/graph/v1/paper/search", True),
        ("https://export.arxiv.org/api/query/../../list/cs/new", False),
        ("https://export.arxiv.org/api/query/%2e%2e/%2e%2e/list/cs/new", False),
        ("https://export.arxiv.org/api/queryless", False),
        ("https://export.arxiv.org/abs/2611.01234", False),
        ("https://arxiv.org/api/query", False),
        ("https://export.arxiv.org.example.org/api/query", False),
        ("https://example.org/?u=https://export.arxiv.org/api/query", False),
    ],
)
def test_interfaces_for_programs_are_no_pages_to_crawl(url: str, for_programs: bool) -> None:
    place = place_of(url)
    assert is_for_programs(place.host, place.target.partition("?")[0]) is for_programs
