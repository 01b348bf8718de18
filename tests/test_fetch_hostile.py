"""Servers that mean ill or are ill: bombs, drips and answers without end are over in time, with bounded memory."""

from __future__ import annotations

import gzip
import itertools
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache, reduce
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import examples, need
from digest.config import SourceConfig
from digest.errors import FetchError, FetchRefused, FetchTimeout, FetchTooLarge
from digest.fetch import Fetcher
from digest.model import Listing, NotModified
from fetch_servers import Reply, Site, Talk

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
MIB = 1024 * 1024


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as made:
        yield made


def ask(site: Site, path: str = "/x", **more: object) -> Listing | NotModified | FetchError:
    source = {"name": "s", "url": site.url(path), "allow_private": True, **more}
    fetcher = Fetcher(user_agent="paper-digest/test", resolve=Path, backoff_s=0.01)
    return fetcher.visit(SourceConfig(**source), now=NOW).ask(site.url(path))  # type: ignore[arg-type]


# ---------------------------------------------------------------- bombs


@cache
def _deflated(size: int, fill: bytes = b"\0", wbits: int = 31) -> bytes:
    """So many bytes, packed: one MiB is packed and repeated, since each part of it stands for itself after a full flush."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = (fill * MIB)[:MIB]
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    head, check = (
        (b"\x1f\x8b\x08\0\0\0\0\0\x02\xff", zlib.crc32) if wbits == 31 else (b"\x78\xda", zlib.adler32)
    )
    total = reduce(lambda so_far, _: check(block, so_far), range(size // MIB), check(b""))
    tail = struct.pack("<II", total, size) if wbits == 31 else struct.pack(">I", total)
    return head + packed * (size // MIB) + b"\x03\0" + tail


def gib() -> bytes:
    return _deflated(1024 * MIB)


def dense() -> bytes:
    return _deflated(64 * MIB)


def gzipped(body: bytes, packing: str = "gzip", **headers: str) -> Reply:
    return Reply(body, headers={"Content-Encoding": packing, **headers})


def chunked(pieces: Callable[[], Iterator[bytes]], packing: str = "gzip", head: str = "") -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(
            f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: {packing}\r\n{head}\r\n".encode()
        )
        for piece in pieces():
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")

    return talk


def slices(body: bytes, size: int) -> Callable[[], Iterator[bytes]]:
    return lambda: (body[at : at + size] for at in range(0, len(body), size))


# Packed when first asked for: not every process that collects these tests runs them.
BOMBS: dict[str, Callable[[], Talk]] = {
    "gzip": lambda: gzipped(gib()),
    "x-gzip": lambda: gzipped(gib(), "x-gzip"),
    "in capitals": lambda: gzipped(gib(), "GZIP"),
    "deflate": lambda: gzipped(_deflated(256 * MIB, wbits=15), "deflate"),
    "gzip said to be deflate": lambda: gzipped(gib(), "deflate"),
    "of spaces": lambda: gzipped(_deflated(256 * MIB, b" ")),
    "of tags": lambda: gzipped(_deflated(256 * MIB, b"<div>")),
    "of newlines": lambda: gzipped(_deflated(256 * MIB, b"\n"), **{"Content-Type": "text/html"}),
    "said to be HTML": lambda: gzipped(gib(), **{"Content-Type": "text/html; charset=utf-8"}),
    "many members": lambda: gzipped(gzip.compress(b"\0" * MIB) * 900),
    "many small members": lambda: gzipped(gzip.compress(b"\0" * 5000) * 20_000),
    "a page before it": lambda: gzipped(gzip.compress(b"<p>fine</p>" * 99) + gib()),
    "in chunks": lambda: chunked(slices(gib(), 4096)),
    "in tiny chunks": lambda: chunked(slices(dense(), 7)),
    "in one chunk": lambda: chunked(slices(gib(), len(gib()))),
    "without end": lambda: chunked(lambda: itertools.cycle([gzip.compress(b"\0" * MIB)])),
    "cut off": lambda: gzipped(gib()[:700_000]),
    "with padding": lambda: gzipped(gib() + b"\0" * 100_000),
    "without a length": lambda: (
        lambda connection: connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gib())
    ),
    "packed twice and said so": lambda: gzipped(gzip.compress(gib()), "gzip, gzip"),
}


def test_there_are_twenty_bombs() -> None:
    assert len(BOMBS) == 20
    assert len(gib()) < 1_100_000
    assert gzip.decompress(_deflated(2 * MIB, b"<div>")) == (b"<div>" * MIB)[:MIB] * 2
    assert zlib.decompress(_deflated(2 * MIB, wbits=15)) == b"\0" * 2 * MIB


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_put_out(site: Site, name: str) -> None:
    site.pages["/x"] = BOMBS[name]()
    started = time.process_time()
    found = ask(site)
    assert isinstance(found, (FetchTooLarge, FetchRefused)), found
    assert found.outcome == "refused"
    assert time.process_time() - started < 10  # it takes at most 0.5 s; all of a bomb takes minutes


MEASURE = """
import re, sys, time
from datetime import UTC, datetime
from functools import cache, reduce
from pathlib import Path
from digest.config import SourceConfig
from digest.errors import FetchError
from digest.fetch import Fetcher
def peak():  # KiB of this program; ru_maxrss also knows the one that started it
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
fetcher = Fetcher(user_agent="x", resolve=Path)
def ask(url):
    return fetcher.visit(SourceConfig(name="s", url=url, allow_private=True), now=datetime.now(UTC)).ask(url)
ask(sys.argv[1])  # everything is imported, and robots.txt read
before = peak()
slowest = 0.0
for url in sys.argv[2:]:
    started = time.process_time()
    assert isinstance(ask(url), FetchError)
    slowest = max(slowest, time.process_time() - started)
print((peak() - before) / 1024, slowest)
"""


def test_no_bomb_takes_more_than_64_mib_of_memory(site: Site) -> None:
    need(Path("/proc/self/status").exists(), "needs /proc (Linux) to measure memory")
    site.pages["/fine"] = Reply(b"page")
    for name, talk in BOMBS.items():
        site.pages["/" + name.replace(" ", "-")] = talk()
    site.pages["/16-mib"] = Reply(b"x" * 16 * MIB)
    site.pages["/16-mib-packed"] = gzipped(gzip.compress(bytes(range(256)) * 64 * 1024, 1))
    urls = [site.url(path) for path in site.pages if path not in ("/robots.txt", "/fine")]
    command = [sys.executable, "-c", MEASURE, site.url("/fine"), *urls]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent
    )
    grown, slowest = map(float, done.stdout.split())
    print(f"{len(urls)} answers: {grown:.1f} MiB more at most, the slowest {slowest:.3f} s")
    assert 1 < grown < 64
    assert slowest < 10


def test_a_small_page_may_be_as_dense_as_it_likes(site: Site) -> None:
    page = b"<p>no papers today</p>" + b" " * 900_000
    site.pages["/x"] = gzipped(gzip.compress(page, 9))
    found = ask(site)
    assert isinstance(found, Listing)
    assert found.body == page


def test_what_was_packed_twice_is_unpacked_once(site: Site) -> None:
    inner = gzip.compress(b"<p>page</p>")
    site.pages["/x"] = gzipped(gzip.compress(inner))
    found = ask(site)
    assert isinstance(found, Listing)
    assert found.body == inner


@pytest.mark.parametrize(
    "packing", ["br", "zstd", "compress", "gzip, br", "gzip, gzip", "nonsense", "x" * 5000]
)
def test_a_packing_that_was_not_asked_for_is_named(site: Site, packing: str) -> None:
    site.pages["/x"] = gzipped(b"whatever", packing)
    found = ask(site)
    assert isinstance(found, FetchRefused)
    assert packing[:40] in str(found)
    assert len(str(found)) < 300
    assert site.asked[-1].headers["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("packing", ["", "identity", "Identity"])
def test_a_page_that_is_not_packed_is_taken_as_it_is(site: Site, packing: str) -> None:
    site.pages["/x"] = gzipped(b"page", packing)
    assert isinstance(ask(site), Listing)


PACKED = gzip.compress(b"page" * 999, mtime=0)


@pytest.mark.parametrize(
    "body", [b"<p>not packed</p>", b"\x1f\x8b", b"", PACKED[:-1], PACKED[:-9] + b"x" * 9]
)
def test_a_packed_answer_that_is_broken_is_an_error(site: Site, body: bytes) -> None:
    site.pages["/x"] = gzipped(body)
    found = ask(site)
    assert isinstance(found, FetchError)
    assert "gzip" in str(found) or "cut off" in str(found)


@settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    pieces=st.lists(st.binary(max_size=300_000), max_size=4),
    cut=st.integers(1, 70_000),
    level=st.integers(0, 9),
)
def test_every_page_comes_out_as_it_went_in(site: Site, pieces: list[bytes], cut: int, level: int) -> None:
    packed = b"".join(gzip.compress(piece, level) for piece in pieces) or gzip.compress(b"")
    site.pages["/x"] = chunked(slices(packed, max(cut, len(packed) // 50)))
    found = ask(site)
    assert isinstance(found, Listing), found
    assert found.body == b"".join(pieces)


# ---------------------------------------------------------------- slow, endless, broken


def forever(site: Site, head: bytes, piece: bytes, every_s: float = 0.02) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(head)
        while not site.stopped.wait(every_s) if every_s else not site.stopped.is_set():
            connection.sendall(piece)

    return talk


OK = b"HTTP/1.1 200 OK\r\n"
SLOW: dict[str, tuple[bytes, bytes]] = {
    "a body of bytes": (OK + b"Content-Length: 100000\r\n\r\n", b"x"),
    "a body without length": (OK + b"\r\n", b"x"),
    "headers by the byte": (OK, b"X"),
    "headers by the line": (OK, b"X: y\r\n"),
    "a status line by the byte": (b"HTTP/1.1 200 ", b"O"),
    "nothing": (b"", b""),
    "nothing after the headers": (OK + b"Content-Length: 9\r\n\r\n", b""),
    "chunks of a byte": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "the length of a chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "an extension of a chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"),
    "trailers": (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"X: y\r\n"),
    "only continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "empty members": (OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"")),
    "a slow redirect": (b"HTTP/1.1 302 Found\r\n", b"X"),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_server_that_drips_is_left_at_the_deadline(site: Site, name: str) -> None:
    head, piece = SLOW[name]
    site.pages["/x"] = forever(site, head, piece)
    started = time.monotonic()
    found = ask(site, timeout_s=0.5)
    assert isinstance(found, FetchTimeout), found
    assert time.monotonic() - started < 20  # a slow machine; without a deadline: minutes


@pytest.mark.parametrize("name", ["robots", "redirects", "tries"])
def test_all_requests_of_a_visit_have_one_deadline(site: Site, name: str) -> None:
    def late(reply: Reply) -> Talk:
        def talk(connection: socket.socket) -> bytes:
            site.stopped.wait(0.4)
            return reply(connection)

        return talk

    if name == "robots":
        site.pages["/robots.txt"] = late(Reply(status=404))
        site.pages["/x"] = late(Reply(b"page"))
    elif name == "redirects":
        site.pages["/x"] = late(Reply(status=302, headers={"Location": "/x?more"}))
    else:
        site.pages["/x"] = late(Reply(status=503))
    started = time.monotonic()
    found = ask(site, timeout_s=0.6)
    assert isinstance(found, FetchError), found
    assert time.monotonic() - started < 20  # a slow machine; without a deadline: minutes


def test_the_pages_of_a_visit_share_its_time_and_what_we_do_between_them_costs_nothing(site: Site) -> None:
    def late(connection: socket.socket) -> bytes:
        site.stopped.wait(0.5)
        return Reply(b"page")(connection)

    site.pages["/x"] = late
    fetcher = Fetcher(user_agent="x", resolve=Path)
    source = SourceConfig(name="s", url=site.url("/x"), allow_private=True, timeout_s=2.0, min_interval_s=0.8)
    visit = fetcher.visit(source, now=NOW)
    found = [visit.ask(site.url("/x")) for _ in range(2)]
    assert [type(one) for one in found] == [
        Listing,
        Listing,
    ]  # more waiting for our turn than there is time lies between
    found = [visit.ask(site.url("/x")) for _ in range(3)]
    assert isinstance(found[-1], FetchTimeout)


ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "headers": (OK, b"X-Header: " + b"y" * 500 + b"\r\n"),
    "one header": (OK + b"X: ", b"y" * 60_000),
    "a status line": (b"HTTP/1.1 200 ", b"y" * 60_000),
    "only continue": (b"", b"HTTP/1.1 100 Continue\r\nX: " + b"y" * 1000 + b"\r\n\r\n"),
    "a body": (OK + b"\r\n", b"x" * 60_000),
    "chunks": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"e000\r\n" + b"x" * 0xE000 + b"\r\n"),
    "the length of a chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 60_000),
    "an extension of a chunk": (OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 60_000),
    "empty members": (OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 3000),
    "a huge length": (OK + b"Content-Length: 99999999999999999999\r\n\r\n", b"x" * 60_000),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_answer_without_end_is_ended(site: Site, name: str) -> None:
    head, piece = ENDLESS[name]
    site.pages["/x"] = forever(site, head, piece, every_s=0)
    found = ask(site, timeout_s=60)
    assert isinstance(found, FetchError)
    assert not isinstance(found, FetchTimeout), found  # found out by its size, long before


BROKEN = {
    "another protocol": b"SSH-2.0-OpenSSH_9.9\r\n",
    "noise": bytes(range(256)) * 9,
    "no status": b"HTTP/1.1 abc OK\r\n\r\n",
    "status 99": b"HTTP/1.1 99 Low\r\n\r\n",
    "status 9999": b"HTTP/1.1 9999 High\r\n\r\n",
    "a bad length": OK + b"Content-Length: -5\r\n\r\nx",
    "two lengths": OK + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    "a short body": OK + b"Content-Length: 50\r\n\r\nx",
    "no chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "a cut chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc",
    "no last chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
    "many headers": OK + b"X: y\r\n" * 500 + b"\r\n",
    "an empty redirect": b"HTTP/1.1 302 Found\r\nLocation: \r\n\r\n",
    "a redirect without place": b"HTTP/1.1 302 Found\r\n\r\n",
    "switching": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "partial": b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"<html>page</html>",
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_whole_answer_is_an_error_of_the_source(
    site: Site, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    site.pages["/x"] = lambda connection: connection.sendall(BROKEN[name])
    found = ask(site, timeout_s=5)
    assert isinstance(found, FetchError), found
    assert found.outcome in ("unreachable", "refused")
    assert "\n" not in str(found)
    assert "', " not in str(found)  # words, and no objects of a library
    assert capfd.readouterr() == ("", "")


BEGINNINGS = [b"", OK, OK + b"Content-Encoding: gzip\r\n", OK + b"Transfer-Encoding: chunked\r\n\r\n"]


@settings(
    max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(said=st.binary(max_size=400), after=st.sampled_from(BEGINNINGS))
def test_whatever_a_server_says_is_an_answer_of_the_source(site: Site, said: bytes, after: bytes) -> None:
    site.pages["/x"] = lambda connection: connection.sendall(after + said)
    assert isinstance(ask(site, timeout_s=5), (Listing, FetchError))


def test_a_host_that_takes_no_connection_is_left_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        waiting = []
        for _ in range(4):  # its queue is full: the next one hears nothing
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            waiting.append(sock)
        started = time.monotonic()
        source = SourceConfig(name="s", url=f"http://127.0.0.1:{port}/", allow_private=True, timeout_s=0.5)
        found = Fetcher(user_agent="x", resolve=Path).visit(source, now=NOW).ask(source.url)
        assert isinstance(found, FetchTimeout), found
        assert time.monotonic() - started < 20  # a slow machine; without a deadline: minutes
        for sock in waiting:
            sock.close()


def test_a_handshake_that_drips_is_left_at_the_deadline() -> None:
    stop = threading.Event()

    def drip(server: socket.socket) -> None:
        with server.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB
            while not stop.wait(0.02):
                try:
                    connection.sendall(b"\x02")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,), daemon=True)
        thread.start()
        started = time.monotonic()
        url = f"https://127.0.0.1:{server.getsockname()[1]}/"
        source = SourceConfig(name="s", url=url, allow_private=True, timeout_s=0.5)
        found = Fetcher(user_agent="x", resolve=Path).visit(source, now=NOW).ask(url)
        stop.set()
        thread.join(5)
    assert isinstance(found, FetchTimeout), found
    assert time.monotonic() - started < 20  # a slow machine; without a deadline: minutes


def test_a_name_that_is_not_found_in_time_is_left_at_the_deadline() -> None:
    stop = threading.Event()

    def lookup(host: str, port: int) -> list[object]:
        stop.wait(20)
        return []

    started = time.monotonic()
    source = SourceConfig(name="s", url="http://papers.example/", timeout_s=0.3)
    found = Fetcher(user_agent="x", resolve=Path, lookup=lookup).visit(source, now=NOW).ask(source.url)  # type: ignore[arg-type]
    stop.set()
    assert isinstance(found, FetchTimeout)
    assert time.monotonic() - started < 20  # a slow machine; without a deadline: minutes


@pytest.mark.parametrize(("code", "tries"), [(socket.EAI_NONAME, 1), (socket.EAI_AGAIN, 3)])
def test_a_name_that_nobody_knows_is_an_error_of_the_source(code: int, tries: int) -> None:
    asked = []

    def lookup(host: str, port: int) -> list[object]:
        asked.append(host)
        raise socket.gaierror(code, "not known")

    source = SourceConfig(name="s", url="http://papers.example/")
    found = (
        Fetcher(user_agent="x", resolve=Path, backoff_s=0, lookup=lookup)
        .visit(source, now=NOW)
        .ask(source.url)
    )  # type: ignore[arg-type]
    assert isinstance(found, FetchError)
    assert found.outcome == "unreachable"
    assert "not known" in str(found)
    assert len(asked) == tries


# ---------------------------------------------------------------- pages saved as gzip files


def read_file(path: Path) -> Listing | FetchError:
    fetcher = Fetcher(user_agent="paper-digest/test", resolve=Path)
    (found,) = fetcher.fetch(SourceConfig(name="s", path=str(path)), now=NOW)
    return found


def test_a_page_saved_as_a_gzip_file_is_read_under_whatever_name(tmp_path: Path, site: Site) -> None:
    (tmp_path / "dump.xml").write_bytes(gzip.compress(b"<rss/>"))
    assert read_file(tmp_path / "dump.xml").body == b"<rss/>"  # type: ignore[union-attr]
    site.pages["/x"] = Reply(gzip.compress(b"<rss/>"), headers={"Content-Type": "application/gzip"})
    assert ask(site).body == b"<rss/>"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (gib, FetchTooLarge),
        (dense, FetchTooLarge),
        (lambda: gzip.compress(b"x" * 100_000)[:-9], FetchError),
        (lambda: b"\x1f\x8b\x08 no gzip", FetchError),
    ],
)
def test_a_gzip_file_that_is_a_bomb_or_broken_is_named(
    body: Callable[[], bytes], error: type[FetchError], tmp_path: Path
) -> None:
    (tmp_path / "page.gz").write_bytes(body())
    found = read_file(tmp_path / "page.gz")
    assert isinstance(found, error)
    assert "page.gz" in str(found)
