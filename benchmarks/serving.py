"""How many polls of an unchanged feed are answered per CPU second: `digest serve`, nginx, and Starlette's StaticFiles.

nginx is Debian's (`apt-get install nginx-light`). P13: the feed is the same file for all, each server is one process on 127.0.0.1,
and the same client asks each in turn with the server's own ETag (304), then without (200). Counted is the CPU time of the server's
process (utime + stime of /proc), so the client is no limit; medians of rounds. On a machine that others use too, only the
ratios within one table count.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from msgspec import Struct

from benchmarks.costs import ROOT, compile_ours
from benchmarks.report import Check, Found, Growth, Row, run_alone
from digest.app import open_app
from digest.config import Config, DigestConfig, SiteConfig, SourceConfig, StoreConfig
from digest.web import listen_at, serve_web

SIZES = (10, 50, 500)  # papers of a feed
CONNECTIONS = 8
FEED = "rss.xml"
_TICKS = os.sysconf("SC_CLK_TCK")


# ---------------------------------------------------------------- the servers


class Server(Struct, frozen=True):
    name: str
    port: int
    pid: int


def feed(papers: int = 50) -> bytes:
    """A feed of 60 kB, as 50 papers make it."""
    item = "<item><title>Paper {0}</title><link>https://papers.example.org/papers/{0}/</link><description>{1}</description></item>\n"
    text = "An invented abstract of an invented paper, which says what was found and how. " * 13
    items = "".join(item.format(number, text) for number in range(papers))
    return f'<?xml version="1.0"?>\n<rss version="2.0"><channel><title>Paper Digest</title>{items}</channel></rss>\n'.encode()


def serve_ours(folder: Path, listener: socket.socket, stop: threading.Event) -> None:
    """`digest serve` as it runs, but for its schedules."""
    config = Config(
        site=SiteConfig(url="https://papers.example.org/", output=str(folder)),
        store=StoreConfig(url=f"sqlite:///{folder.parent}/digest.db"),
        source=(SourceConfig(name="sample", path=str(folder)),),
        digest=(DigestConfig(name="daily", path=""),),
        file=str(folder.parent / "config.toml"),
    )
    with open_app(config) as app:
        app.store.next_letter()
        serve_web(app, listener, stop)


def serve_static(folder: Path, listener: socket.socket, stop: threading.Event) -> None:
    """Starlette's StaticFiles by uvicorn, as their documentations have it, with the fast parser and loop."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    app = Starlette(routes=[Mount("/", app=StaticFiles(directory=folder, html=True))])
    uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None)).run(sockets=[listener])


def serve_bare(folder: Path, listener: socket.socket, stop: threading.Event) -> None:
    """An application that does nothing but say 304: what any on uvicorn's road is bounded by."""
    import uvicorn

    async def app(scope: dict[str, object], receive: object, send: Callable[..., object]) -> None:
        await send({"type": "http.response.start", "status": 304, "headers": [(b"etag", b'"x"')]})  # type: ignore[misc]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[misc]

    uvicorn.Server(uvicorn.Config(app, access_log=False, log_config=None, lifespan="off")).run(
        sockets=[listener]
    )  # type: ignore[arg-type]


_SERVERS = {"digest serve": serve_ours, "StaticFiles": serve_static, "bare ASGI": serve_bare}
_NGINX = """
daemon off; master_process off; worker_processes 1; pid {base}/nginx.pid; error_log {base}/error.log;
events {{ worker_connections 256; }}
http {{
  types {{ application/xml xml; }}
  access_log off; keepalive_requests 100000000; sendfile on; tcp_nopush on; open_file_cache max=100; open_file_cache_valid 1s;
  client_body_temp_path {base}/a; proxy_temp_path {base}/b; fastcgi_temp_path {base}/c; uwsgi_temp_path {base}/d;
  scgi_temp_path {base}/e;
  server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""


@contextmanager
def running(name: str, base: Path, folder: Path) -> Iterator[Server]:
    """A server at work in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if name == "nginx":
        (base / "nginx.conf").write_text(_NGINX.format(base=base, port=port, folder=folder))
        command = [
            str(shutil.which("nginx")),
            "-p",
            str(base),
            "-c",
            str(base / "nginx.conf"),
            "-e",
            str(base / "error.log"),
        ]
    else:
        command = [sys.executable, "-m", "benchmarks.serving", "--serve", name, str(port), str(folder)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            _wait_for(port, process)
            yield Server(name, port, process.pid)
        finally:
            process.terminate()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            time.sleep(0.01)
    raise SystemExit("a server did not start")


# ---------------------------------------------------------------- the client


def one(port: int, request: bytes) -> bytes:
    """The answer to one request: head and body."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def etag_of(answer: bytes) -> bytes:
    return next(line[6:] for line in answer.split(b"\r\n") if line.lower().startswith(b"etag: "))


def request_for(etag: bytes = b"") -> bytes:
    """What a reader's program sends."""
    condition = b"If-None-Match: " + etag + b"\r\n" if etag else b""
    return (
        b"GET /"
        + FEED.encode()
        + b" HTTP/1.1\r\nHost: papers.example.org\r\nUser-Agent: ExampleReader/2.1 (+https://reader.example.org)\r\n"
        b"Accept: application/rss+xml, application/xml;q=0.9, */*;q=0.8\r\nAccept-Encoding: identity\r\n"
        + condition
        + b"\r\n"
    )


def poll(port: int, request: bytes, count: int, starts: bytes) -> None:
    """So many polls over CONNECTIONS that stay open, one at a time on each. Raises SystemExit for another answer."""
    connections = [socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(CONNECTIONS)]
    try:
        for connection in connections:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        size = _first(connections[0], request, starts)
        for _ in range(count // CONNECTIONS):
            for connection in connections:
                connection.send(request)
            for connection in connections:
                _take(connection, size, starts)
    finally:
        for connection in connections:
            connection.close()


def _first(connection: socket.socket, request: bytes, starts: bytes) -> int:
    """The length of an answer: all are alike."""
    connection.send(request)
    answer = connection.recv(1 << 20)
    head, _, _ = answer.partition(b"\r\n\r\n")
    length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    size = (
        len(head)
        + 4
        + (int(length[0].split(b":")[1]) if length and not starts.startswith(b"HTTP/1.1 304") else 0)
    )
    _rest(connection, size - len(answer))
    _check(answer, starts)
    return size


def _take(connection: socket.socket, size: int, starts: bytes) -> None:
    answer = connection.recv(size)
    _check(answer, starts)
    _rest(connection, size - len(answer))


def _rest(connection: socket.socket, size: int) -> None:
    while size > 0:
        taken = len(connection.recv(size))
        if not taken:
            raise SystemExit("a server hung up")
        size -= taken


def _check(answer: bytes, starts: bytes) -> None:
    if not answer.startswith(starts):
        raise SystemExit(f"not the answer that was to be measured: {answer[:80]!r}")


# ---------------------------------------------------------------- the table


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def measured(server: Server, request: bytes, count: int, starts: bytes) -> float:
    """Answers per CPU second of the server, the client in a process of its own."""
    before = cpu_seconds(server.pid)
    command = [
        sys.executable,
        "-m",
        "benchmarks.serving",
        "--poll",
        str(server.port),
        str(count),
        starts.decode(),
        request.decode(),
    ]
    subprocess.run(command, check=True, cwd=ROOT)
    return count / max(cpu_seconds(server.pid) - before, 1 / _TICKS)


def peak_mib(pid: int) -> float:
    """The most memory that a process has held."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


class Rates(Struct, frozen=True):
    """Answers for each CPU second of the server, by status, and its peak."""

    by_status: dict[int, float]
    peak_mib: float


def contest(names: Iterable[str], polls: int, rounds: int, papers: int = 50) -> dict[str, Rates]:
    """The medians of each server, which are asked in turns."""
    body = feed(papers)
    rates: dict[str, dict[int, list[float]]] = {}
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        Path(temporary).chmod(0o755)
        folder = Path(temporary) / "feeds"
        folder.mkdir()
        (folder / FEED).write_bytes(body)
        servers = [stack.enter_context(running(name, Path(temporary), folder)) for name in names]
        for _ in range(rounds):
            for server in servers:
                for status, request in _requests(server, body):
                    slow = 1 if server.name in ("nginx", "digest serve") else 8
                    count = polls // slow // (1 if status == 304 else 4)
                    rate = measured(server, request, count, b"HTTP/1.1 %d" % status)
                    rates.setdefault(server.name, {}).setdefault(status, []).append(rate)
        peaks = {server.name: peak_mib(server.pid) for server in servers}
    return {
        name: Rates({status: median(each) for status, each in found.items()}, peaks[name])
        for name, found in rates.items()
    }


def _requests(server: Server, body: bytes) -> list[tuple[int, bytes]]:
    if server.name == "bare ASGI":
        return [(304, request_for(b'"x"'))]
    plain = one(server.port, request_for())
    if plain.partition(b"\r\n\r\n")[2] != body:
        raise SystemExit(f"{server.name}: not the feed that was to be served")
    return [(304, request_for(etag_of(plain))), (200, request_for())]


def measure(quick: bool = False) -> Found:
    if not quick:
        compile_ours()
    polls, rounds = (160, 1) if quick else (60_000, 5)
    missing = "" if shutil.which("nginx") else "nginx (Debian: apt-get install nginx-light)"
    found = contest(
        ["digest serve", *([] if missing else ["nginx"]), "bare ASGI", "StaticFiles"], polls, rounds
    )
    mine = found["digest serve"]
    goals = {"StaticFiles": (10, 10), "nginx": (0.4, 0.6)}
    checks = [
        Check(name, mine.by_status[304] / found[name].by_status[304], limit, stretch=stretch)
        for name, (limit, stretch) in goals.items()
        if name in found
    ]
    row = Row(
        "P13", f"304 on a feed of {len(feed()) / 1000:.0f} kB, {CONNECTIONS} connections that stay open", _said(mine),
        "; ".join(f"{name} {_said(each)}" for name, each in found.items() if name != "digest serve"),
        tuple(checks), mine.peak_mib, missing,
    )  # fmt: skip
    lines = []
    for papers in SIZES:
        each = (
            mine
            if papers == 50
            else contest(["digest serve"], polls // 2, 1 if quick else 3, papers)["digest serve"]
        )
        cells = (f"{each.by_status[304]:,.0f}", f"{each.by_status[200]:,.0f}", f"{each.peak_mib:.0f}")
        lines.append((f"{len(feed(papers)) / 1000:.0f} kB", *cells))
    heads = ("feed", "304 per cpu s", "200 per cpu s", "peak MiB")
    return Found("serving", (row,), (Growth("`digest serve`, by size of the feed", heads, tuple(lines)),))


def _said(rates: Rates) -> str:
    return f"{rates.by_status[304]:,.0f} per cpu s" + (
        f" (200: {rates.by_status[200]:,.0f})" if 200 in rates.by_status else ""
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        _, _, named, at, served = sys.argv
        _SERVERS[named](Path(served), listen_at(f"127.0.0.1:{at}"), threading.Event())
    elif sys.argv[1:2] == ["--poll"]:
        _, _, asked, times, begins, sent = sys.argv
        poll(int(asked), sent.encode(), int(times), begins.encode())
    else:
        run_alone("serving", __doc__, measure)
