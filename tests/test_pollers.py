"""Eight pollers while the site is published again and again: every file whole, every answer well-formed, nothing sent twice."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from lxml import etree
from msgspec import json

from conftest import sizes
from digest.model import Page
from digest.web import listen_at
from digest.web.fastlane import make_protocol
from digest.web.files import Files
from digest.website import Website
from polls import application, head_of

POLLERS = 8
PATHS = ("index.html", "rss.xml", "feed.json", "papers/newest/index.html")
# Sizes that differ, so that a torn file would not go unseen, and of which some are larger than a socket's buffer.
SIZES = (40, 3_000, 90_000, 700)


def publication(number: int) -> list[Page]:
    """Pages of one publication: each says its number at both ends, papers before feeds, feeds before the home page. The feed
    changes only every third time."""
    body = f"{number} " * (SIZES[number % 4] // 5)
    third = number // 3
    feed = f"<rss><a>{third}</a><b>{f'{third} ' * 900}</b><c>{third}</c></rss>"
    return [
        Page(path=f"papers/{number}/index.html", body=b"<p>new</p>"),
        Page(
            path="papers/newest/index.html",
            body=f"<p><a>{number}</a><b>{body}</b><c>{number}</c></p>".encode(),
        ),
        Page(path="rss.xml", body=feed.encode()),
        Page(path="feed.json", body=json.encode({"a": number, "b": body, "c": number})),
        Page(path="index.html", body=f"<p><a>{number}</a><b>{body}</b><c>{number}</c></p>".encode()),
    ]


def number_of(path: str, body: bytes) -> int:
    """The publication that a body is of, after it was found to be whole and of one only."""
    if path.endswith(".json"):
        read = json.decode(body)
        ends, middle = {read["a"], read["c"]}, read["b"]
    else:
        tree = etree.fromstring(body)
        ends, middle = {int(tree.findtext("a")), int(tree.findtext("c"))}, tree.findtext("b")
    assert len(ends) == 1
    number: int = ends.pop()
    assert set(middle.split()) <= {str(number)}
    return number


class Poller(threading.Thread):
    """Looks again and again until the last publication is there, and at nothing twice: an ETag is sent back."""

    def __init__(self, look: Callable[[str, str], tuple[int, str, bytes]], count: int) -> None:
        super().__init__()
        self._look = look
        self._count = count
        self.faults: list[BaseException] = []
        self.whole = 0

    def run(self) -> None:
        try:
            self._poll()
        except BaseException as fault:  # noqa: BLE001 (a thread has no other way to tell)
            self.faults.append(fault)

    def _poll(self) -> None:
        tags = dict.fromkeys(PATHS, "")
        seen = dict.fromkeys(PATHS, -1)
        last = {path: self._count - 1 if path != "rss.xml" else (self._count - 1) // 3 for path in PATHS}
        while seen != last:
            # All pollers and the publisher share one interpreter here: nobody is to be starved.
            time.sleep(0.001)
            # A page before what links to it: so the home page, looked at first, is never newer than what it links to.
            for path in PATHS:
                status, etag, body = self._look(path, tags[path])
                if status == 304:
                    assert etag == tags[path]
                    continue
                assert status == 200
                # Every one of these publications differs from the one before: what is sent again is new.
                assert etag != tags[path]
                number = number_of(path, body)
                assert number > seen[path]
                seen[path], tags[path] = number, etag
                self.whole += 1
            assert min(seen["papers/newest/index.html"], seen["feed.json"]) >= seen["index.html"]
        for path in PATHS:
            assert self._look(path, tags[path])[0] == 304


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """The published files as `digest serve` serves them, on a port of 127.0.0.1."""
    files = Files(folder)
    stop = threading.Event()

    class Server(uvicorn.Server):
        async def on_tick(self, counter: int) -> bool:
            return stop.is_set() or await super().on_tick(counter)

    config = uvicorn.Config(
        application(files),
        http=make_protocol(files),
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
    )
    with listen_at("127.0.0.1:0") as listener:
        port: int = listener.getsockname()[1]
        thread = threading.Thread(target=Server(config).run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield port
        finally:
            stop.set()
            thread.join()


class Client:
    """One connection that stays open."""

    def __init__(self, port: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._stream = self._connection.makefile("rb")

    def look(self, path: str, etag: str) -> tuple[int, str, bytes]:
        self._connection.sendall(head_of(f"/{path}", **({"If_None_Match": etag} if etag else {})))
        status = int(self._stream.readline().split()[1])
        headers: dict[bytes, bytes] = {}
        while line := self._stream.readline().strip():
            name, _, value = line.partition(b": ")
            headers[name] = value
        length = int(headers.get(b"content-length", b"0"))
        body = self._stream.read(length)
        assert len(body) == length
        return status, headers[b"etag"].decode(), body

    def close(self) -> None:
        self._stream.close()
        self._connection.close()


def look_on_disk(folder: Path) -> Callable[[str, str], tuple[int, str, bytes]]:
    """As a static server does: time, size and place of the file are its ETag."""

    def look(path: str, etag: str) -> tuple[int, str, bytes]:
        with (folder / path).open("rb") as stream:
            found = os.fstat(stream.fileno())
            tag = f"{found.st_mtime_ns}-{found.st_size}-{found.st_ino}"
            return (304, tag, b"") if tag == etag else (200, tag, stream.read())

    return look


def race(folder: Path, count: int, looks: list[Callable[[str, str], tuple[int, str, bytes]]]) -> list[Poller]:
    """The pollers, after they saw all these publications go by. Raises what one of them found."""
    site = Website(folder)
    site.write(publication(0))
    pollers = [Poller(look, count) for look in looks]
    for poller in pollers:
        poller.start()
    for number in range(1, count):
        report = site.write(publication(number))
        assert (report.written, report.unchanged) == ((4, 1) if number % 3 else (5, 0))
    for poller in pollers:
        poller.join()
    for poller in pollers:
        if poller.faults:
            raise poller.faults[0]
    return pollers


@pytest.mark.parametrize("count", sizes(30, 1000))
def test_pollers_of_digest_serve_meet_whole_files_and_each_once(tmp_path: Path, count: int) -> None:
    with served(tmp_path) as port:
        clients = [Client(port) for _ in range(POLLERS)]
        try:
            pollers = race(tmp_path, count, [client.look for client in clients])
        finally:
            for client in clients:
                client.close()
    assert all(poller.whole >= len(PATHS) for poller in pollers)


@pytest.mark.parametrize("count", sizes(30, 1000))
def test_pollers_of_the_files_themselves_meet_whole_files_and_each_once(tmp_path: Path, count: int) -> None:
    pollers = race(tmp_path, count, [look_on_disk(tmp_path)] * POLLERS)
    assert all(poller.whole >= len(PATHS) for poller in pollers)


def test_a_site_published_again_without_news_is_304_for_everybody(tmp_path: Path) -> None:
    Website(tmp_path).write(publication(0))
    with served(tmp_path) as port:
        client = Client(port)
        tags = {path: client.look(path, "")[1] for path in PATHS}
        for _ in range(20):
            assert Website(tmp_path).write(publication(0)).written == 0
            assert [client.look(path, tags[path])[0] for path in PATHS] == [304] * len(PATHS)
        client.close()


def test_a_torn_body_would_not_go_unseen() -> None:
    pages = {page.path: page.body for page in publication(2)}
    other = {page.path: page.body for page in publication(5)}
    for path in PATHS:
        assert number_of(path, pages[path]) == (0 if path == "rss.xml" else 2)
        torn = pages[path][: len(pages[path]) // 2] + other[path][len(other[path]) // 2 :]
        for body in (b"", pages[path][:-10], torn):
            with pytest.raises((AssertionError, etree.XMLSyntaxError, ValueError)):
                number_of(path, body)
