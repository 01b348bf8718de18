"""How many polls of an unchanged feed are answered per CPU second: `digest serve`, nginx, and Starlette's StaticFiles.

Run by `make bench`; nginx is Debian's (`apt-get install nginx-light`). P13: the feed is the same file for all, each server is one
process on 127.0.0.1, and the same client asks each in turn with the server's own ETag (304), then without (200). Counted is the
CPU time of the server's process (utime + stime of /proc), so the client is no limit; medians of rounds. On a machine that others
use too, only the ratios within one table count.
"""

from __future__ import annotations

import argparse
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

from digest.app import open_app
from digest.config import Config, DigestConfig, SiteConfig, SourceConfig, StoreConfig
from digest.web import listen_at, serve_web

GOAL_STATIC, GOAL_NGINX = 10, 0.4
CONNECTIONS = 8
FEED = "rss.xml"
_TICKS = os.sysconf("SC_CLK_TCK")


# ---------------------------------------------------------------- the servers


class Server(Struct, frozen=True):
    name: str
    port: int
    pid: int


def feed() -> bytes:
    """A feed of 60 kB, as 50 papers make it."""
    item = "<item><title>Paper {0}</title><link>https://papers.example.org/papers/{0}/</link><description>{1}</description></item>\n"
    text = "An invented abstract of an invented paper, which says what was found and how. " * 13
    items = "".join(item.format(number, text) for number in range(50))
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
    with subprocess.Popen(command) as process:  # noqa: S603
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


def measure(server: Server, request: bytes, count: int, starts: bytes) -> float:
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
    subprocess.run(command, check=True)  # noqa: S603
    return count / max(cpu_seconds(server.pid) - before, 1 / _TICKS)


def table(polls: int, rounds: int, names: Iterable[str]) -> list[str]:
    names = list(names)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary) / "feeds"
        folder.mkdir()
        (folder / FEED).write_bytes(feed())
        servers = [stack.enter_context(running(name, Path(temporary), folder)) for name in names]
        rates: dict[tuple[str, int], list[float]] = {}
        for _ in range(rounds):
            for server in servers:
                for status, request in _requests(server):
                    slow = 1 if server.name in ("nginx", "digest serve") else 8
                    rates.setdefault((server.name, status), []).append(
                        measure(
                            server,
                            request,
                            polls // slow // (1 if status == 304 else 4),
                            b"HTTP/1.1 %d" % status,
                        )
                    )
    return _lines({key: median(found) for key, found in rates.items()}, names, rounds)


def _requests(server: Server) -> list[tuple[int, bytes]]:
    if server.name == "bare ASGI":
        return [(304, request_for(b'"x"'))]
    plain = one(server.port, request_for())
    if plain.partition(b"\r\n\r\n")[2] != feed():
        raise SystemExit(f"{server.name}: not the feed that was to be served")
    return [(304, request_for(etag_of(plain))), (200, request_for())]


def _lines(rates: dict[tuple[str, int], float], names: list[str], rounds: int) -> list[str]:
    lines = [
        f"P13 an unchanged feed of {len(feed()) / 1000:.0f} kB, {CONNECTIONS} connections that stay open, medians of {rounds}",
        "",
        "| server | 304 per CPU second | times StaticFiles | times nginx | 200 per CPU second | goal |",
        "|---|---|---|---|---|---|",
    ]
    for name in names:
        rate = rates[name, 304]
        goal = f"≥ {GOAL_STATIC}×, ≥ {GOAL_NGINX}×" if name == "digest serve" else ""
        cells = [
            name, f"{rate:,.0f}", f"{rate / rates['StaticFiles', 304]:.1f}×",
            f"{rate / rates['nginx', 304]:.2f}×" if "nginx" in names else "",
            f"{rates[name, 200]:,.0f}" if (name, 200) in rates else "", goal,
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--polls", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--poll", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args(None if arguments is None else list(arguments))
    if options.serve:
        name, port, folder = options.serve
        _SERVERS[name](Path(folder), listen_at(f"127.0.0.1:{port}"), threading.Event())
        return
    if options.poll:
        port, count, starts, request = options.poll
        poll(int(port), request.encode(), int(count), starts.encode())
        return
    names = ["digest serve", "bare ASGI", "StaticFiles"]
    if shutil.which("nginx"):
        names.insert(1, "nginx")
    else:
        print(
            "P13 is without its peer nginx, which is not installed (Debian: apt-get install nginx-light).\n",
            flush=True,
        )
    print("\n".join(table(options.polls, options.rounds, names)), flush=True)


if __name__ == "__main__":
    main()
