"""Fetching: capped, timed, and one unreadable listing does not hide the others. Servers are real, on 127.0.0.1."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from digest.config import SourceConfig
from digest.errors import FetchError, FetchRefused, FetchTimeout, FetchTooLarge
from digest.fetch import Fetcher
from digest.fetch.addresses import headers_for, place_of
from digest.model import Listing
from fetch_servers import Site, Talk

Serve = Callable[[Talk], str]
NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)


@pytest.fixture
def fetcher(tmp_path: Path) -> Fetcher:
    return Fetcher(
        user_agent="paper-digest/test (+https://papers.example.org/)",
        resolve=lambda path: tmp_path / path,
        backoff_s=0.01,
    )


@pytest.fixture
def httpserver(httpserver: HTTPServer) -> HTTPServer:
    httpserver.expect_request("/robots.txt").respond_with_data(status=404)
    return httpserver


def fetch(fetcher: Fetcher, **source: object) -> list[Listing | FetchError]:
    wanted = SourceConfig(**{"name": "s", "allow_private": True, **source})  # type: ignore[arg-type]
    return list(fetcher.fetch(wanted, now=NOW))


def only(found: list[Listing | FetchError]) -> Listing | FetchError:
    assert len(found) == 1
    return found[0]


def test_a_file_is_one_listing_with_the_day_of_its_name(fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "hf-2026-11-19.html").write_bytes(b"<p>")
    listing = only(fetch(fetcher, path="hf-2026-11-19.html"))
    assert isinstance(listing, Listing)
    assert (listing.body, listing.listed_on, listing.fetched_at) == (b"<p>", date(2026, 11, 19), NOW)


def test_a_folder_is_its_visible_files_in_order_of_name(fetcher: Fetcher, tmp_path: Path) -> None:
    for name in ("b.html", "a.html", ".hidden", "2026-13-40.txt"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "folder").mkdir()
    found = fetch(fetcher, path=".")
    assert [Path(f.location).name for f in found if isinstance(f, Listing)] == [
        "2026-13-40.txt",
        "a.html",
        "b.html",
    ]
    assert found[0].listed_on is None  # type: ignore[union-attr]


def test_a_glob_is_the_files_it_matches(fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for name in ("x/a.xml", "x/b.xml", "x/c.txt"):
        (tmp_path / name).write_bytes(b"1")
    assert len(fetch(fetcher, path="x/*.xml")) == 2


def test_brackets_in_the_name_of_a_folder_above_are_no_glob(fetcher: Fetcher, tmp_path: Path) -> None:
    inbox = tmp_path / "papers [1]" / "in*box"
    inbox.mkdir(parents=True)
    (inbox / "a.xml").write_bytes(b"<rss/>")
    found = only(fetch(fetcher, path="papers [1]/in*box/[ab].xml"))
    assert isinstance(found, Listing)
    assert found.location.endswith("a.xml")


@pytest.mark.parametrize("path", ["none.html", "none/*.html", "empty"])
def test_a_path_without_files_is_an_error_with_its_mend(fetcher: Fetcher, tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    error = only(fetch(fetcher, path=path))
    assert isinstance(error, FetchError)
    assert error.outcome == "unreachable"
    assert "path" in str(error)


def test_a_path_that_is_not_there_is_shown_in_full(
    fetcher: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = Fetcher(user_agent="paper-digest/test", resolve=Path)
    for found in (fetch(fetcher, path="none.html"), fetch(here, path="none.html")):
        assert str(only(found)) == f"{tmp_path / 'none.html'}: no such file or folder. Check the path."


def test_one_file_too_large_does_not_hide_the_others(fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(b"x" * 101)
    (tmp_path / "b.html").write_bytes(b"x" * 100)
    large, fine = fetch(fetcher, path=".", max_bytes=100)
    assert isinstance(large, FetchTooLarge)
    assert large.outcome == "refused"
    assert isinstance(fine, Listing)


def test_an_address_is_read_with_our_name_and_the_given_headers(
    fetcher: Fetcher, httpserver: HTTPServer
) -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(b"<rss/>", content_type="application/rss+xml")

    httpserver.expect_request("/feed").respond_with_handler(answer)
    listing = only(fetch(fetcher, url=httpserver.url_for("/feed?date=2026-11-18"), headers={"X-Key": "k"}))
    assert isinstance(listing, Listing)
    assert (listing.body, listing.content_type, listing.listed_on) == (
        b"<rss/>",
        "application/rss+xml",
        date(2026, 11, 18),
    )
    assert seen[0].headers["User-Agent"].startswith("paper-digest/")
    assert seen[0].headers["X-Key"] == "k"


@pytest.mark.parametrize("status", [304, 400, 401, 403, 404, 429, 500, 503])
def test_an_answer_that_is_no_page_is_named_with_its_status(
    fetcher: Fetcher, httpserver: HTTPServer, status: int
) -> None:
    httpserver.expect_request("/x").respond_with_data(b"no", status=status)
    error = only(fetch(fetcher, url=httpserver.url_for("/x")))
    assert isinstance(error, FetchError)
    assert error.status == status
    assert str(status) in str(error)


def test_redirects_are_followed_and_links_count_from_where_they_end(
    fetcher: Fetcher, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/a").respond_with_data(b"", status=302, headers={"Location": "/deep/b"})
    httpserver.expect_request("/deep/b").respond_with_data(b"page")
    listing = only(fetch(fetcher, url=httpserver.url_for("/a")))
    assert isinstance(listing, Listing)
    assert listing.base_url.endswith("/deep/b")
    assert listing.location.endswith("/a")


def test_a_circle_of_redirects_ends(fetcher: Fetcher, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/a").respond_with_data(b"", status=302, headers={"Location": "/a"})
    error = only(fetch(fetcher, url=httpserver.url_for("/a")))
    assert isinstance(error, FetchError)
    assert "redirects" in str(error)


def test_a_packed_answer_is_unpacked(fetcher: Fetcher, httpserver: HTTPServer) -> None:
    page = b"<p>hello</p>" * 1000
    httpserver.expect_request("/z").respond_with_data(
        gzip.compress(page), headers={"Content-Encoding": "gzip"}
    )
    listing = only(fetch(fetcher, url=httpserver.url_for("/z")))
    assert isinstance(listing, Listing)
    assert listing.body == page


def test_a_packed_answer_of_several_members_is_unpacked_to_its_end(
    fetcher: Fetcher, httpserver: HTTPServer
) -> None:
    members = [f"<p>{n}</p>".encode() * 9000 for n in range(3)]
    packed = b"".join(gzip.compress(member, 0) for member in members) + b"\0" * 512
    httpserver.expect_request("/z").respond_with_data(packed, headers={"Content-Encoding": "gzip"})
    httpserver.expect_request("/cut").respond_with_data(packed[:-600], headers={"Content-Encoding": "gzip"})
    listing = only(fetch(fetcher, url=httpserver.url_for("/z")))
    assert isinstance(listing, Listing)
    assert listing.body == b"".join(members)
    assert isinstance(
        only(fetch(fetcher, url=httpserver.url_for("/z"), max_bytes=len(listing.body) - 1)), FetchTooLarge
    )
    assert "cut off" in str(only(fetch(fetcher, url=httpserver.url_for("/cut"))))


def test_a_bomb_is_refused_before_it_is_unpacked(fetcher: Fetcher, httpserver: HTTPServer) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    httpserver.expect_request("/bomb").respond_with_data(bomb, headers={"Content-Encoding": "gzip"})
    assert isinstance(
        only(fetch(fetcher, url=httpserver.url_for("/bomb"), max_bytes=1_000_000)), FetchTooLarge
    )


def test_an_answer_larger_than_allowed_is_refused(fetcher: Fetcher, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/big").respond_with_data(b"x" * 200_000)
    assert isinstance(only(fetch(fetcher, url=httpserver.url_for("/big"), max_bytes=100_000)), FetchTooLarge)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that says what the test wants, whatever is asked; its address."""
    with ExitStack() as sites:
        yield lambda talk: sites.enter_context(Site({"*": talk})).url()


def test_a_server_that_drips_is_left_at_the_deadline(serve: Serve, fetcher: Fetcher) -> None:
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not stop.wait(0.02):
            connection.sendall(b"x")

    started = time.monotonic()
    error = only(fetch(fetcher, url=serve(drip), timeout_s=0.3))
    stop.set()
    assert isinstance(error, FetchTimeout)
    assert time.monotonic() - started < 20  # a slow machine; without a deadline: minutes


@pytest.mark.parametrize("head", ["404 Not Found\r\n", "302 Found\r\nLocation: /next\r\n"])
def test_the_body_of_an_answer_that_is_no_page_is_not_waited_for(
    serve: Callable[[Talk], str], fetcher: Fetcher, head: str
) -> None:
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(f"HTTP/1.1 {head}Content-Length: 1000\r\n\r\n".encode())
        for _ in range(150):
            if stop.wait(0.02):
                break
            connection.sendall(b"x")

    started = time.monotonic()
    error = only(fetch(fetcher, url=serve(drip), timeout_s=0.3))
    stop.set()
    assert isinstance(error, FetchError)
    assert time.monotonic() - started < 20  # a slow machine; without a deadline: minutes


def test_a_server_that_drips_its_headers_is_left_at_the_deadline(
    serve: Callable[[Talk], str], fetcher: Fetcher
) -> None:
    stop = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while not stop.wait(0.02):
            connection.sendall(b"X-More: x\r\n")

    started = time.monotonic()
    error = only(fetch(fetcher, url=serve(drip), timeout_s=0.3))
    stop.set()
    assert isinstance(error, FetchTimeout)
    assert time.monotonic() - started < 20  # a slow machine; without a deadline: minutes


def test_a_server_that_says_nothing_is_left_at_the_deadline(
    serve: Callable[[Talk], str], fetcher: Fetcher
) -> None:
    answered = threading.Event()
    url = serve(lambda connection: answered.wait(60) and None)
    assert isinstance(only(fetch(fetcher, url=url, timeout_s=0.2)), FetchTimeout)
    answered.set()


def test_an_answer_cut_off_is_not_taken_for_the_page(serve: Serve, fetcher: Fetcher) -> None:
    url = serve(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"))
    error = only(fetch(fetcher, url=url))
    assert isinstance(error, FetchError)


def test_a_dead_host_is_unreachable(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = only(fetch(fetcher, url=f"http://127.0.0.1:{port}/"))
    assert isinstance(error, FetchError)
    assert error.outcome == "unreachable"
    assert "no connection" in str(error)


def test_requests_to_one_host_keep_the_least_interval(fetcher: Fetcher, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/x").respond_with_data(b"ok")
    started = time.monotonic()
    for _ in range(2):
        fetch(fetcher, url=httpserver.url_for("/x"), min_interval_s=0.2)
    assert time.monotonic() - started >= 0.2


def test_waiting_for_a_turn_does_not_eat_the_time_of_the_source(
    fetcher: Fetcher, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/x").respond_with_data(b"ok")
    for _ in range(2):
        found = only(fetch(fetcher, url=httpserver.url_for("/x"), min_interval_s=2.1, timeout_s=2))
        assert isinstance(found, Listing), found


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://papers.example.org/other", True),
        ("http://papers.example.org/feed", False),
        ("https://elsewhere.example.org/feed", False),
        ("https://papers.example.org:8443/feed", False),
    ],
)
def test_the_headers_of_a_source_stay_with_its_scheme_and_host(url: str, sent: bool) -> None:
    source = SourceConfig(name="s", url="https://papers.example.org/feed", headers={"X-Key": "k"})
    assert bool(headers_for(place_of(url), source)) == sent


# ---------------------------------------------------------------- whatever a source is, it is an answer


@pytest.mark.parametrize(
    "target", ["http://[bad", "//[::1/x", "http://papers.example.org:x/", "file:///etc/passwd"]
)
def test_a_redirect_to_what_is_no_address_is_an_error_of_the_source(
    serve: Callable[[Talk], str], fetcher: Fetcher, target: str
) -> None:
    head = f"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {target}\r\n\r\n"
    error = only(fetch(fetcher, url=serve(lambda connection: connection.sendall(head.encode()))))
    assert isinstance(error, FetchError)
    assert "address" in str(error)


@pytest.mark.parametrize("url", ["http://[bad", "http://a b/", "http://papers.example.org/caf\udce9"])
def test_an_address_that_is_none_is_an_error_of_the_source(fetcher: Fetcher, url: str) -> None:
    error = only(fetch(fetcher, url=url))
    assert isinstance(error, FetchError)
    assert "address" in str(error)
    assert msgspec.json.encode([str(error), error.url])


@pytest.mark.parametrize(
    "headers",
    [{"X-Key": "sésame 開"}, {"X-Key": "sésame\r\nX-More: 1"}, {"X Key": "sésame"}, {"鍵": "sésame"}],
)
def test_a_header_that_cannot_be_sent_is_named_without_its_value(
    fetcher: Fetcher, headers: dict[str, str]
) -> None:
    error = only(fetch(fetcher, url="http://127.0.0.1:1/", headers=headers))
    assert isinstance(error, FetchRefused)
    assert next(iter(headers)) in str(error)
    assert "sésame" not in str(error)


def test_our_name_is_sent_as_ascii_whatever_the_site_is_called(
    tmp_path: Path, httpserver: HTTPServer
) -> None:
    httpserver.expect_request(
        "/x", headers={"User-Agent": "paper-digest/test (+https://%E8%AB%96%E6%96%87.example/; %0Ab)"}
    ).respond_with_data(b"ok")
    named = Fetcher(user_agent="paper-digest/test (+https://論文.example/; \nb)", resolve=Path)
    assert isinstance(only(fetch(named, url=httpserver.url_for("/x"))), Listing)


@pytest.mark.parametrize("path", ["x" * 300, "x" * 300 + "/*.html", "~nobody-of-that-name/x"])
def test_a_path_that_the_system_refuses_is_an_error_of_the_source(tmp_path: Path, path: str) -> None:
    fetcher = Fetcher(user_agent="paper-digest/test", resolve=lambda path: tmp_path / Path(path).expanduser())
    error = only(fetch(fetcher, path=path))
    assert isinstance(error, FetchError)
    assert "path" in str(error)


def test_one_file_that_cannot_be_looked_at_does_not_hide_the_others(fetcher: Fetcher, tmp_path: Path) -> None:
    (tmp_path / "a.html").symlink_to("x" * 300)
    (tmp_path / "b.html").write_bytes(b"<p>")
    unreadable, fine = fetch(fetcher, path=".")
    assert isinstance(unreadable, FetchError)
    assert "a.html: cannot be read" in str(unreadable)
    assert isinstance(fine, Listing)


AS_SOMEBODY_ELSE = """
import os, sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from digest.config import SourceConfig
from digest.errors import FetchError
from digest.fetch import Fetcher
if os.getuid() == 0:  # root may read everywhere
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in (".", "page.html", "*.html"):
    for found in Fetcher(user_agent="x", resolve=Path(sys.argv[1]).joinpath).fetch(
        SourceConfig(name="s", path=path), now=datetime.now(UTC)
    ):
        assert isinstance(found, FetchError), found
        print(found)
"""


def test_a_folder_that_may_not_be_read_is_an_error_of_the_source(tmp_path: Path) -> None:
    with TemporaryDirectory() as folder:  # pytest's own folders are closed to other users
        closed = Path(folder) / "closed"
        closed.mkdir()
        (closed / "page.html").write_bytes(b"<p>")
        closed.chmod(0)
        Path(folder).chmod(0o755)
        command = [sys.executable, "-c", AS_SOMEBODY_ELSE, str(closed)]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        closed.chmod(0o755)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count(f"{folder}/closed") == 3
    assert found.stdout.count("Check path and rights.") == 3


def test_a_file_name_that_is_no_utf_8_can_be_reported(fetcher: Fetcher, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9-2026-11-19.txt")
    (tmp_path / name).write_bytes(b"page")
    (tmp_path / os.fsdecode(b"large\xe9.txt")).write_bytes(b"page" * 100)
    listing, large = fetch(fetcher, path=".", max_bytes=100)
    missing = only(fetch(fetcher, path=os.fsdecode(b"none\xe9.txt")))
    assert isinstance(listing, Listing)
    assert (listing.body, listing.listed_on) == (b"page", date(2026, 11, 19))
    assert listing.location == str(tmp_path / "caf\ufffd-2026-11-19.txt")
    for error in (large, missing):
        assert isinstance(error, FetchError)
        assert msgspec.json.encode([str(error), error.url])
