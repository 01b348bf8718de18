"""Published files and who asks for them: a site of files, and connections to uvicorn's protocol without a wire."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import Message, Receive, Scope, Send
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from digest.web.fastlane import make_protocol
from digest.web.files import Files
from digest.web.published import Published

FEED = b"<rss>" + b"<item>An invented paper</item>" * 40 + b"</rss>"
HOME = b"<h1>Home</h1>"


def site_of(folder: Path) -> Path:
    """A few published files, with a file beside their folder that is nobody's business."""
    feeds = folder / "feeds"
    (feeds / "2026").mkdir(parents=True)
    (feeds / "index.html").write_bytes(HOME)
    (feeds / "2026" / "index.html").write_text("<h1>The year</h1>")
    (feeds / "rss.xml").write_bytes(FEED)
    (folder / "secret.txt").write_text("secret")
    return feeds


def application(files: Files) -> Starlette:
    """Published files behind a door."""

    async def door(request: Request) -> Response:
        body = await request.body()
        return PlainTextResponse(f"{request.method} {request.url.query} {len(body)}")

    routes = [Route("/door", door, methods=["GET", "POST"])]
    return Starlette(
        routes=[Mount("", app=Router(routes, redirect_slashes=False, default=Published(files, "/")))]
    )


class Wire(asyncio.Transport):
    """What a protocol writes, and whether it hung up."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False
        self.paused = False
        self.untaken = 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        if not self.closed:
            self.sent += bytes(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return self.untaken

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Connections:
    """Connections to one server, over the lane or over uvicorn's road alone. Its date is always the same."""

    def __init__(self, files: Files, *, lane: bool) -> None:
        self._app = application(files)
        # How many answers wait for more of their request.
        self._hungry = 0
        self.config = Config(
            self._listened,
            interface="asgi3",
            proxy_headers=False,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
        )
        self.config.load()
        self.state = ServerState()
        self.state.default_headers = [(b"date", b"Thu, 19 Nov 2026 06:00:00 GMT")]
        self._protocol = make_protocol(files) if lane else HttpToolsProtocol

    def connect(self) -> tuple[HttpToolsProtocol, Wire]:
        protocol = self._protocol(self.config, self.state, {}, asyncio.get_running_loop())
        wire = Wire()
        protocol.connection_made(wire)
        return protocol, wire

    async def _listened(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def listened() -> Message:
            self._hungry += 1
            try:
                return await receive()
            finally:
                self._hungry -= 1

        await self._app(scope, listened, send)

    async def settle(self) -> None:
        """Until all that was asked is answered, or waits for the rest of its request."""
        for _ in range(3):
            await asyncio.sleep(0)
        while len(self.state.tasks) > self._hungry:
            await asyncio.wait(list(self.state.tasks), timeout=0.001, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(0)

    async def talk(self, chunks: Sequence[bytes], *, patient: bool) -> tuple[bytes, bool]:
        """What comes back for these chunks of one connection, and whether it ends with it. A patient client waits for its answers
        before it sends the next chunk."""
        protocol, wire = self.connect()
        for chunk in chunks:
            if wire.closed:
                break
            protocol.data_received(chunk)
            if patient or wire.paused:
                await self.settle()
        await self.settle()
        sent, closed = wire.sent, wire.closed
        protocol.connection_lost(None)
        await self.settle()
        return sent, closed


class Answer(Struct):
    status: int
    headers: dict[str, str]
    body: bytes


def head_of(path: str, method: str = "GET", **headers: str) -> bytes:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\nHost: papers.example.org\r\n{lines}\r\n".encode("latin-1")


def parsed(sent: bytes) -> Answer:
    head, _, body = sent.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        assert name not in headers, name
        headers[name] = value
    return Answer(int(first.split()[1]), headers, body)


def ask(files: Files | Path, path: str, method: str = "GET", **headers: str) -> Answer:
    """The answer by both ways, which are one: uvicorn's road, and the lane once the file is known."""
    files = files if isinstance(files, Files) else Files(files)

    async def talk() -> tuple[bytes, bytes, bytes]:
        road, lane = (Connections(files, lane=way) for way in (False, True))
        request = head_of(path, method, **headers)
        first, _ = await road.talk([request], patient=True)
        second, _ = await lane.talk([request], patient=True)
        third, _ = await lane.talk([request], patient=True)
        return first, second, third

    first, second, third = asyncio.run(talk())
    assert first == second == third
    return parsed(first)
