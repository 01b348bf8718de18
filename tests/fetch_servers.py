"""Servers on 127.0.0.1 that answer as a test wants, and write down what they were asked and when."""

from __future__ import annotations

import fcntl
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from digest.fetch import MemoryTurns

Talk = Callable[[socket.socket], object]


@dataclass
class Asked:
    """One connection: what was asked, when it came (time.monotonic), and when the end of our answer was about to go out."""

    path: str
    headers: dict[str, str]
    began: float
    ended: float = 0.0


@dataclass
class Reply:
    """An answer in full. Gives its last byte back, to be sent when the time is noted: then nobody can be done before it."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, connection: socket.socket) -> bytes:
        lines = [f"HTTP/1.1 {self.status} Whatever", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        whole = "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body
        connection.sendall(whole[:-1])
        return whole[-1:]


class Site:
    """A server of one thread for each connection. `pages` says who talks on which path; robots.txt is 404 until it is there."""

    def __init__(
        self, pages: Mapping[str, Talk | list[Talk]] | None = None, *, tls: ssl.SSLContext | None = None
    ):
        self.pages: dict[str, Talk | list[Talk]] = {"/robots.txt": Reply(status=404), **(pages or {})}
        self.asked: list[Asked] = []
        self.stopped = threading.Event()
        self._tls = tls
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._server.getsockname()[1])
        self._threads: list[threading.Thread] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    @property
    def pages_asked(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.path != "/robots.txt"]

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.stopped.set()
        self._server.shutdown(socket.SHUT_RDWR)
        self._listener.join(5)
        self._server.close()
        for thread in self._threads:
            thread.join(5)

    def _listen(self) -> None:
        while not self.stopped.is_set():
            try:
                connection = self._server.accept()[0]
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection, time.monotonic()), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, began: float) -> None:
        connection.settimeout(10)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                received = connection.recv(65536)
                if not received:
                    return
                head += received
            first, *lines = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
            asked = Asked(first.split(" ")[1], dict(line.split(": ", 1) for line in lines), began)
            self.asked.append(asked)
            last = self._talk(asked, connection)
            asked.ended = time.monotonic()
            connection.sendall(last if isinstance(last, bytes) else b"")
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:
            return  # the client hung up, as it should
        finally:
            connection.close()

    def _talk(self, asked: Asked, connection: socket.socket) -> object:
        talk = self.pages.get(asked.path.partition("?")[0], self.pages.get("*", Reply(status=404)))
        if isinstance(talk, list):
            talk = talk.pop(0) if len(talk) > 1 else talk[0]
        return self._said_to(asked, talk)(connection)

    def _said_to(self, asked: Asked, talk: Talk) -> Talk:
        return talk


class ConditionalSite(Site):
    """One that sends no Reply anew to who has it: the tag that they name counts, else the date (RFC 9110, 13.2.2)."""

    def _said_to(self, asked: Asked, talk: Talk) -> Talk:
        if not isinstance(talk, Reply) or talk.status != 200:
            return talk
        tag, since = asked.headers.get("If-None-Match"), asked.headers.get("If-Modified-Since")
        known = (
            tag == talk.headers.get("ETag") if tag else since and since == talk.headers.get("Last-Modified")
        )
        return Reply(status=304) if known else talk


def gaps(asked: list[Asked]) -> list[float]:
    """Seconds from the end of each request to the beginning of the next one, whoever sent them."""
    ordered = sorted(asked, key=lambda one: one.began)
    return [after.began - before.ended for before, after in pairwise(ordered)]


class FileTurns:
    """The turns of several processes, in a file under a lock: what a store does, for tests without one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def _with(self, work: Callable[[MemoryTurns], object]) -> object:
        with self._path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            text = file.read()
            turns = MemoryTurns()
            for name, kept in (json.loads(text) if text else {}).items():
                setattr(turns, name, {key: _revived(value) for key, value in kept.items()})
            found = work(turns)
            file.seek(0)
            file.truncate()
            kept_names = ("_held", "_free_at", "_robots")
            json.dump({name: getattr(turns, name) for name in kept_names}, file, default=datetime.isoformat)
            return found

    def take_turn(self, host: str, *, holder: str, now: datetime, ttl_s: float) -> float:
        return float(self._with(lambda t: t.take_turn(host, holder=holder, now=now, ttl_s=ttl_s)))  # type: ignore[arg-type]

    def end_turn(self, host: str, *, holder: str, now: datetime, free_at: datetime) -> None:
        self._with(lambda t: t.end_turn(host, holder=holder, now=now, free_at=free_at))

    def robots(self, origin: str, *, now: datetime) -> str | None:
        return self._with(lambda t: t.robots(origin, now=now))  # type: ignore[return-value]

    def remember_robots(self, origin: str, text: str, *, until: datetime) -> None:
        self._with(lambda t: t.remember_robots(origin, text, until=until))


def _revived(value: object) -> object:
    if isinstance(value, list):
        return (value[0], datetime.fromisoformat(value[1]))
    return datetime.fromisoformat(str(value))
