"""Polite: conditions, one request at a time, rests between them, and busy servers left alone."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from digest.config import SourceConfig
from digest.errors import FetchError, Stopped
from digest.fetch import Fetcher, MemoryTurns, Turns, Visit
from digest.model import Listing, NotModified, Validators
from fetch_servers import FileTurns, Reply, Site, Talk, gaps

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


# ---------------------------------------------------------------- conditions


@pytest.mark.parametrize("etag", ['"strong"', 'W/"weak"', '"with, comma"', '""', "unquoted"])
def test_what_has_not_changed_is_not_sent_again(site: Site, etag: str) -> None:
    stamp = "Sat, 21 Nov 2026 05:00:00 GMT"
    site.pages["/x"] = [Reply(b"page", headers={"ETag": etag, "Last-Modified": stamp}), Reply(status=304)]
    first = visit(site.url("/x")).ask(site.url("/x"))
    assert isinstance(first, Listing)
    assert (first.etag, first.last_modified) == (etag, stamp)
    validators = Validators(etag=first.etag, last_modified=first.last_modified)
    assert visit(site.url("/x")).ask(site.url("/x"), validators=validators) == NotModified(url=site.url("/x"))
    sent = site.asked[-1].headers
    assert (sent["If-None-Match"], sent["If-Modified-Since"]) == (etag, stamp)


def test_validators_follow_a_redirect_as_far_as_they_mean_something(site: Site) -> None:
    site.pages["/latest"] = Reply(status=302, headers={"Location": "/2026-11-21"})
    site.pages["/2026-11-21"] = Reply(status=304)
    validators = Validators(etag='"a"', last_modified="Sat, 21 Nov 2026 05:00:00 GMT")
    found = visit(site.url("/latest")).ask(site.url("/latest"), validators=validators)
    assert found == NotModified(url=site.url("/latest"))
    first, second = site.pages_asked
    assert {"If-None-Match", "If-Modified-Since"} <= first.headers.keys()
    assert second.headers["If-None-Match"] == '"a"'
    assert "If-Modified-Since" not in second.headers  # of another day's page it would say nothing


def test_another_origin_never_hears_of_validators_nor_of_headers(site: Site) -> None:
    with Site() as other:
        site.pages["/x"] = Reply(status=302, headers={"Location": other.url("/y", host="localhost")})
        other.pages["/y"] = Reply(status=304)
        validators = Validators(etag='"a"')
        source = visit(site.url("/x"), routes=(other.url("/", host="localhost"),), headers={"X-Key": "k"})
        found = source.ask(site.url("/x"), validators=validators)
        assert isinstance(found, FetchError)
        assert found.status == 304
        assert site.asked[-1].headers["X-Key"] == "k"
        assert not {"If-None-Match", "X-Key"} & other.asked[-1].headers.keys()


def test_not_modified_without_a_condition_is_an_error(site: Site) -> None:
    site.pages["/x"] = Reply(status=304)
    for validators in (None, Validators()):
        found = visit(site.url("/x")).ask(site.url("/x"), validators=validators)
        assert isinstance(found, FetchError)
        assert found.status == 304


def test_a_page_of_another_host_is_asked_without_the_headers_of_the_source(site: Site) -> None:
    """A page names its next one, and may name anything."""
    site.pages["/x"] = Reply(b"page")
    source = visit(site.url("/x"), headers={"X-Key": "k"}, routes=(site.url("/", host="localhost"),))
    assert isinstance(source.ask(site.url("/x", host="localhost")), Listing)
    assert isinstance(source.ask(site.url("/x?page=2")), Listing)
    assert ["X-Key" in asked.headers for asked in site.pages_asked] == [False, True]


# ---------------------------------------------------------------- busy servers


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_three_times(site: Site, status: int) -> None:
    site.pages["/x"] = [Reply(status=status), Reply(status=status), Reply(b"page")]
    assert isinstance(visit(site.url("/x")).ask(site.url("/x")), Listing)
    site.pages["/x"] = Reply(status=status)
    error = visit(site.url("/x")).ask(site.url("/x"))
    assert isinstance(error, FetchError)
    assert (error.status, error.outcome) == (status, "unreachable")
    assert "3 times" in str(error)
    assert len(site.pages_asked) == 6


def test_the_waits_between_tries_grow(site: Site) -> None:
    site.pages["/x"] = Reply(status=503)
    visit(site.url("/x"), by=fetcher(backoff_s=0.2)).ask(site.url("/x"))
    first, second = gaps(site.pages_asked)
    assert first >= 0.2
    assert second >= 0.4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 451])
def test_an_answer_that_is_final_is_not_asked_for_twice(site: Site, status: int) -> None:
    site.pages["/x"] = Reply(status=status)
    error = visit(site.url("/x")).ask(site.url("/x"))
    assert isinstance(error, FetchError)
    assert error.status == status
    assert len(site.pages_asked) == 1


def test_a_connection_that_breaks_before_an_answer_is_tried_again(site: Site) -> None:
    site.pages["/x"] = [lambda connection: None, lambda connection: connection.close(), Reply(b"page")]
    assert isinstance(visit(site.url("/x")).ask(site.url("/x")), Listing)
    site.pages["/x"] = lambda connection: None
    error = visit(site.url("/x")).ask(site.url("/x"))
    assert isinstance(error, FetchError)
    assert "3 times" in str(error)
    assert len(site.pages_asked) == 6


@pytest.mark.parametrize("as_date", [False, True])
def test_a_short_retry_after_is_waited_for(site: Site, as_date: bool) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True) if as_date else "1"
    site.pages["/x"] = [Reply(status=503, headers={"Retry-After": when}), Reply(b"page")]
    assert isinstance(visit(site.url("/x")).ask(site.url("/x")), Listing)
    assert gaps(site.pages_asked)[0] >= 0.9  # a date has whole seconds


def near(message: str, until: datetime) -> bool:
    found = re.search(r"(?:until|before) ([0-9-]+ [0-9:]+) UTC", message)
    assert found, message
    return abs(datetime.fromisoformat(f"{found[1]}+00:00") - until) < timedelta(seconds=15)


@pytest.mark.parametrize(("after", "timeout_s"), [("120", 600.0), ("20", 10.0)])
def test_a_long_retry_after_is_kept_over_runs(
    site: Site, tmp_path: Path, after: str, timeout_s: float
) -> None:
    """Too long to wait for, or longer than the source has time: nothing is asked before, by no source and no process."""
    site.pages["/x"] = Reply(status=503, headers={"Retry-After": after})
    until = datetime.now(UTC) + timedelta(seconds=int(after))
    error = visit(site.url("/x"), by=fetcher(FileTurns(tmp_path / "turns")), timeout_s=timeout_s).ask(
        site.url("/x")
    )
    assert isinstance(error, FetchError)
    assert (error.outcome, error.status) == ("unreachable", 503)
    assert near(str(error), until)
    asked = len(site.asked)
    for path in ("/x", "/other"):
        later = fetcher(FileTurns(tmp_path / "turns"), holder="another run")
        started = time.monotonic()
        error = visit(site.url(path), by=later, timeout_s=timeout_s).ask(site.url(path))
        assert isinstance(error, FetchError)
        assert error.outcome == "unreachable"
        assert near(str(error), until)
        assert time.monotonic() - started < 20  # a slow machine; without a deadline: minutes
    assert len(site.asked) == asked


@pytest.mark.parametrize(
    "after", ["", "soon", "-5", "1e9", "٣", "Sat, 21 Nov 2020 05:00:00 GMT", "9" * 5000, "Sat, 99 Nov 2026"]
)
def test_a_retry_after_without_sense_is_nothing_to_fall_over(site: Site, after: str) -> None:
    site.pages["/x"] = Reply(status=503, headers={"Retry-After": after.encode().decode("latin-1")})
    error = visit(site.url("/x")).ask(site.url("/x"))
    assert isinstance(error, FetchError)
    assert error.status == 503
    assert len(site.pages_asked) == (1 if after.startswith("999") else 3)


def test_no_server_can_close_itself_for_longer_than_a_day(site: Site) -> None:
    turns = MemoryTurns()
    site.pages["/x"] = Reply(status=503, headers={"Retry-After": "999999999"})
    visit(site.url("/x"), by=fetcher(turns)).ask(site.url("/x"))
    wait = turns.take_turn(f"127.0.0.1:{site.port}", holder="x", now=datetime.now(UTC), ttl_s=1)
    assert 86_000 < wait <= 86_400


# ---------------------------------------------------------------- turns


def test_eight_sources_of_arxiv_share_one_turn_in_two_processes(site: Site, tmp_path: Path) -> None:
    site.pages["*"] = busy_for(0.02)
    kinds = ["arxiv", "arxiv-api", "oai", "feed", "auto", "auto", "auto", "auto"]
    paths = [
        "/a",
        "/b",
        "/c",
        "/list/cs.CL/new",
        "/catchup/cs.CL/2026-11-20",
        "/api/query?x=1",
        "/oai2?verb=x",
        "/oai?verb=x",
    ]
    command = [
        sys.executable,
        "-c",
        EIGHT,
        site.url(),
        str(tmp_path / "turns"),
        *map(",".join, zip(kinds, paths, strict=True)),
    ]
    environment = {"PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parent.parent}"}
    children = [subprocess.Popen(command, env=environment) for _ in range(2)]
    assert [child.wait(timeout=120) for child in children] == [0, 0]
    assert len(site.pages_asked) == 16
    assert len(site.asked) <= 18  # and robots.txt once, or twice where both came at the same moment
    assert min(gaps(site.asked)) >= 0.15  # which also says that never two were open at once


EIGHT = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from digest.config import SourceConfig
from digest.fetch import Fetcher
from digest.model import Listing
from fetch_servers import FileTurns
base, turns, *sources = sys.argv[1:]
fetcher = Fetcher(user_agent="x", resolve=Path, turns=FileTurns(Path(turns)), holder=str(os.getpid()), arxiv_interval_s=0.15)
for source in sources:
    kind, _, path = source.partition(",")
    wanted = SourceConfig(name="s", kind=kind, url=base.rstrip("/") + path, allow_private=True)
    found = list(fetcher.fetch(wanted, now=datetime.now(UTC)))
    assert [type(one) for one in found] == [Listing], found
"""


def busy_for(seconds: float) -> Talk:
    def talk(connection: socket.socket) -> bytes:
        time.sleep(seconds)
        return Reply(b"page")(connection)

    return talk


def test_three_seconds_lie_between_two_requests_to_arxiv(site: Site) -> None:
    """With the interval that is in use."""
    site.pages["/list/cs.CL/new"] = Reply(b"page")
    asked = visit(site.url("/list/cs.CL/new"))
    assert isinstance(asked.ask(site.url("/list/cs.CL/new")), Listing)
    assert len(site.asked) == 2, "robots.txt, and the page"
    assert min(gaps(site.asked)) >= 3.0


def test_all_hosts_of_arxiv_are_one(site: Site) -> None:
    turns = MemoryTurns()
    site.pages["*"] = Reply(b"page")
    lookup = lambda host, port: [(socket.AF_INET, ("127.0.0.1", site.port))]  # noqa: E731
    by = fetcher(turns, lookup=lookup, arxiv_interval_s=0.1)
    for host in ("export.arxiv.org", "arxiv.org", "rss.arxiv.org", "notarxiv.org"):
        assert isinstance(visit(f"http://{host}/x", by=by).ask(f"http://{host}/x"), Listing)
    of_arxiv = [asked for asked in site.asked if "not" not in asked.headers["Host"]]
    assert len(of_arxiv) == 6
    assert min(gaps(of_arxiv)) >= 0.1
    assert set(turns._free_at) == {"arxiv.org", "notarxiv.org:80"}


class Rests(MemoryTurns):
    """Remembers for how long a host is to be left alone after each request."""

    def __init__(self) -> None:
        super().__init__()
        self.rests: list[float] = []

    def end_turn(self, host: str, *, holder: str, now: datetime, free_at: datetime) -> None:
        self.rests.append((free_at - now).total_seconds())
        super().end_turn(host, holder=holder, now=now, free_at=free_at)


@pytest.mark.parametrize(
    ("address", "kind", "rests"),
    [
        ("http://arxiv.org/x", "auto", True),
        ("http://export.arxiv.org./x", "auto", True),
        ("http://mirror.example/x", "arxiv", True),
        ("http://mirror.example/x", "oai", True),
        ("http://mirror.example/oai", "auto", True),
        ("http://mirror.example/oai2?verb=Identify", "auto", True),
        ("http://mirror.example/list/cs.CL/new", "auto", True),
        ("http://mirror.example/catchup/cs.CL/2026-11-19", "auto", True),
        ("http://mirror.example/api/query?search_query=x", "auto", True),
        ("http://mirror.example/oaidata", "auto", False),
        ("http://notarxiv.org/x", "feed", False),
    ],
)
def test_what_is_of_arxiv_by_its_host_kind_or_path_is_asked_as_arxiv_wishes(
    site: Site, address: str, kind: str, rests: bool
) -> None:
    site.pages["*"] = Reply(b"page")
    turns = Rests()
    lookup = lambda host, port: [(socket.AF_INET, ("127.0.0.1", site.port))]  # noqa: E731
    by = fetcher(turns, lookup=lookup, arxiv_interval_s=0.01)
    assert isinstance(visit(address, by=by, kind=kind).ask(address), Listing)
    assert turns.rests == [0.01 if rests else 0.0] * 2, "after robots.txt, and after the page"


def test_a_retry_after_of_an_answer_that_is_not_busy_closes_nothing(site: Site) -> None:
    turns = Rests()
    site.pages["/x"] = Reply(b"page", headers={"Retry-After": "120"})
    assert isinstance(visit(site.url("/x"), by=fetcher(turns)).ask(site.url("/x")), Listing)
    assert turns.rests == [0.0, 0.0]


def test_the_longer_interval_of_a_source_is_kept_towards_the_one_before(site: Site) -> None:
    by = fetcher()
    site.pages["/x"] = Reply(b"page")
    for interval in (0.0, 0.3):
        visit(site.url("/x"), by=by, min_interval_s=interval).ask(site.url("/x"))
    assert gaps(site.pages_asked)[0] >= 0.3


def test_waiting_is_over_when_told_to_stop(site: Site) -> None:
    stop = threading.Event()
    by = fetcher(stop=stop)
    site.pages["/x"] = Reply(b"page")
    assert isinstance(visit(site.url("/x"), by=by).ask(site.url("/x")), Listing)
    threading.Timer(0.1, stop.set).start()
    started = time.monotonic()
    with pytest.raises(Stopped):
        visit(site.url("/x"), by=by, min_interval_s=50).ask(site.url("/x"))
    assert time.monotonic() - started < 20


def test_a_turn_that_a_dead_process_held_is_free_after_its_time() -> None:
    turns, now = MemoryTurns(), datetime.now(UTC)
    assert turns.take_turn("h", holder="dead", now=now, ttl_s=70) == 0
    assert 0 < turns.take_turn("h", holder="me", now=now, ttl_s=70) <= 1
    assert turns.take_turn("h", holder="me", now=now + timedelta(seconds=71), ttl_s=70) == 0
    turns.end_turn(
        "h", holder="dead", now=now, free_at=now
    )  # it was asleep: the turn is not its own any more
    assert turns.take_turn("h", holder="third", now=now + timedelta(seconds=72), ttl_s=70) > 0


def test_the_turn_is_given_back_whatever_happens(site: Site) -> None:
    turns = MemoryTurns()
    site.pages["/x"] = Reply(b"x" * 1000)
    site.pages["/cut"] = lambda connection: connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"
    )
    site.pages["/no"] = lambda connection: connection.sendall(b"SSH-2.0-OpenSSH\r\n")
    for path in ("/x", "/cut", "/no"):
        found = visit(site.url(path), by=fetcher(turns), max_bytes=100, timeout_s=5).ask(site.url(path))
        assert isinstance(found, FetchError)
        assert turns._held == {}, path
