"""The hub is told of each changed feed once, and costs no more than its time."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from digest.websub import ping

FEEDS = [
    f"https://papers.example.org/{name}" for name in ("rss.xml", "atom.xml", "topics/größe/feed.json?a=1&b=2")
]


class Hub:
    """A hub on loopback that notes what it is told and answers as asked."""

    def __init__(self, server: HTTPServer, answer: Response | None = None) -> None:
        self.told: list[tuple[str, str, dict[str, str]]] = []
        self.url = server.url_for("/hub")
        self._answer = answer or Response(status=204)
        server.expect_request("/hub").respond_with_handler(self._note)

    def _note(self, request: Request) -> Response:
        body = request.get_data(as_text=True)
        fields = parse_qsl(body, strict_parsing=True)
        assert len(fields) == len(dict(fields))
        self.told.append((request.method, request.content_type or "", dict(fields)))
        return self._answer


def told(hub: Hub) -> list[str]:
    return sorted(fields["hub.url"] for _, _, fields in hub.told)


@contextmanager
def listener() -> Iterator[tuple[socket.socket, str]]:
    """A socket that takes connections and says nothing by itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server, f"http://127.0.0.1:{server.getsockname()[1]}/hub"


def take(connection: socket.socket) -> None:
    """Reads the whole POST for the first of FEEDS: hanging up on a part of it could cost the answer."""
    asked = b""
    while not asked.endswith(b"rss.xml"):
        asked += connection.recv(4096)


def test_the_hub_is_told_of_each_changed_feed_exactly_once(httpserver: HTTPServer) -> None:
    hub = Hub(httpserver)
    assert ping(hub.url, [*FEEDS, FEEDS[0]], user_agent="digest") == (3, 0)
    assert told(hub) == sorted(FEEDS)
    for method, kind, fields in hub.told:
        assert (method, kind) == ("POST", "application/x-www-form-urlencoded")
        assert set(fields) == {"hub.mode", "hub.url"}
        assert fields["hub.mode"] == "publish"


def test_many_changed_feeds_are_each_told_once(httpserver: HTTPServer) -> None:
    hub = Hub(httpserver)
    feeds = [f"https://papers.example.org/topics/{number}/rss.xml" for number in range(60)]
    pinged, failed = ping(hub.url, feeds, user_agent="digest", seconds=60)
    assert (pinged, failed) == (60, 0)
    assert told(hub) == sorted(feeds)


def test_feeds_of_the_whole_site_are_told_before_those_of_topics(httpserver: HTTPServer) -> None:
    hub = Hub(httpserver)
    topics = [f"https://papers.example.org/topics/{number}/rss.xml" for number in range(60)]
    ping(hub.url, [*topics, FEEDS[0]], user_agent="digest", seconds=60)
    # At once are so many asked as there are lanes; which of those comes first is chance.
    assert FEEDS[0] in [fields["hub.url"] for _, _, fields in hub.told[:32]]


def test_without_a_changed_feed_the_hub_hears_nothing(httpserver: HTTPServer) -> None:
    hub = Hub(httpserver)
    assert ping(hub.url, [], user_agent="digest") == (0, 0)
    assert hub.told == []


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_answer_of_success_counts(httpserver: HTTPServer, status: int) -> None:
    assert ping(Hub(httpserver, Response(status=status)).url, FEEDS, user_agent="digest") == (3, 0)


@pytest.mark.parametrize("status", [303, 304, 400, 404, 429, 500, 503])
def test_every_other_answer_is_a_failure_and_is_not_asked_again(httpserver: HTTPServer, status: int) -> None:
    hub = Hub(
        httpserver, Response("no", status=status, headers={"Location": "/elsewhere", "Retry-After": "1"})
    )
    assert ping(hub.url, FEEDS, user_agent="digest") == (0, 3)
    assert len(hub.told) == 3


def test_a_failure_is_told_in_one_line_of_the_log(
    httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "digest.websub"):
        ping(Hub(httpserver, Response(status=500)).url, FEEDS, user_agent="digest")
    [line] = [record.getMessage() for record in caplog.records if record.name == "digest.websub"]
    assert "3 of 3 feeds" in line
    assert "500" in line


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_followed_with_the_same_post(httpserver: HTTPServer, status: int) -> None:
    hub = Hub(httpserver)
    httpserver.expect_request("/old").respond_with_response(
        Response(status=status, headers={"Location": "hub"})
    )
    assert ping(httpserver.url_for("/old"), FEEDS, user_agent="digest") == (3, 0)
    assert told(hub) == sorted(FEEDS)
    assert {method for method, _, _ in hub.told} == {"POST"}


def test_a_circle_of_redirects_ends(httpserver: HTTPServer) -> None:
    hub = Hub(httpserver, Response(status=307, headers={"Location": "/hub"}))
    assert ping(hub.url, FEEDS[:1], user_agent="digest") == (0, 1)
    assert len(hub.told) == 3


def test_a_redirect_to_another_service_of_this_machine_is_not_followed(httpserver: HTTPServer) -> None:
    with listener() as (canary, inside):
        canary.setblocking(False)
        httpserver.expect_request("/hub").respond_with_response(
            Response(status=307, headers={"Location": inside})
        )
        assert ping(httpserver.url_for("/hub"), FEEDS, user_agent="digest") == (0, 3)
        with pytest.raises(BlockingIOError):
            canary.accept()


def test_a_redirect_by_another_name_into_this_machine_is_not_followed(httpserver: HTTPServer) -> None:
    place = ("127.0.0.1", httpserver.port)
    seen = []

    def lookup(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
        seen.append(host)
        return [(socket.AF_INET, place)]

    hub = Hub(httpserver)
    moved = Response(status=307, headers={"Location": "http://other.example.org/hub"})
    httpserver.expect_request("/old").respond_with_response(moved)
    old = f"http://hub.example.org:{httpserver.port}/old"
    assert ping(old, FEEDS[:1], user_agent="digest", lookup=lookup) == (0, 1)
    assert seen == ["hub.example.org", "other.example.org"]
    assert hub.told == []


def test_a_dead_hub_costs_nothing_but_its_feeds() -> None:
    with listener() as (_, url):
        pass
    assert ping(url, FEEDS, user_agent="digest") == (0, 3)


def test_a_silent_hub_costs_no_more_than_its_time_however_many_feeds_changed() -> None:
    feeds = [f"https://papers.example.org/{number}.xml" for number in range(100)]
    with listener() as (_, url):
        started = time.monotonic()
        assert ping(url, feeds, user_agent="digest", seconds=0.3) == (0, 100)
        assert time.monotonic() - started < 20  # a slow machine; each feed by itself would take 30 s


def test_a_hub_that_drips_its_answer_costs_no_more_than_its_time() -> None:
    stop = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            take(connection)
            connection.sendall(b"HTTP/1.1 204 No Content\r\n")
            while not stop.wait(0.02):
                try:
                    connection.sendall(b"X-Slow: very\r\n")
                except OSError:
                    return

    with listener() as (server, url):
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        started = time.monotonic()
        assert ping(url, FEEDS[:1], user_agent="digest", seconds=0.4) == (0, 1)
        assert time.monotonic() - started < 20  # a slow machine; without an end: for ever
        stop.set()
        thread.join()


def test_a_body_that_never_ends_is_not_waited_for() -> None:
    with listener() as (server, url):

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                take(connection)
                connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 1000000\r\n\r\nx")
                connection.recv(1)  # until the other side hangs up

        thread = threading.Thread(target=answer)
        thread.start()
        assert ping(url, FEEDS[:1], user_agent="digest", seconds=30) == (1, 0)
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n\r\n",
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1",
        b"\x16\x03\x01\x00\x01",
        b"HTTP/1.1 99999 x\r\n\r\n",
    ],
)
def test_what_is_no_answer_is_a_failure(answer: bytes) -> None:
    with listener() as (server, url):

        def say() -> None:
            connection, _ = server.accept()
            with connection:
                take(connection)
                connection.sendall(answer)

        thread = threading.Thread(target=say)
        thread.start()
        assert ping(url, FEEDS[:1], user_agent="digest", seconds=30) == (0, 1)
        thread.join()


@pytest.mark.parametrize(
    "hub",
    [
        *(
            "",
            "hub",
            "ftp://hub.example.org/",
            "https://user:key@hub.example.org/",
            "http://",
            "http://[::1/",
        ),
        *(
            "http://" + "a" * 70 + ".example/",
            "http://169.254.169.254/",
            "file:///etc/passwd",
            "http://0.0.0.0/",
        ),
        "https://no-such-name.invalid/",
    ],
)
def test_an_address_that_cannot_be_asked_raises_nothing(hub: str) -> None:
    def lookup(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        host.encode("idna")
        return [(socket.AF_INET, (host, port))]

    assert ping(hub, FEEDS, user_agent="digest", lookup=lookup) == (0, 3)


def test_proxies_of_the_environment_hear_nothing(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listener() as (canary, proxy):
        canary.setblocking(False)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy)
        assert ping(Hub(httpserver).url, FEEDS, user_agent="digest") == (3, 0)
        with pytest.raises(BlockingIOError):
            canary.accept()
