"""A lane beside uvicorn's road, for those who poll: what is asked for again and again is answered where it arrives.

A reader's program sends the same bytes every time. So the bytes of a request that is plain and whole are the key of what it
asks, and the answer is that of `Files`; application, task and parser have no part in it (2026-11, benchmarks/serving.py: a
third of the CPU time of an application that does nothing). The lane knows no address of its own: it answers for targets that
published.py found to be files, and all else is uvicorn's, untouched. It must not be told from the road by its answers:
tests/test_web_lane.py compares them byte for byte.
"""

from __future__ import annotations

import asyncio
import re
import resource
import sys
from http import HTTPStatus
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from digest.web.conditions import Asked, read_asked
from digest.web.files import Answer, Files, Representation

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

# Stricter than the standard: one whole head in one piece, no odd character. Who sends another is answered too, only not here.
_PLAIN = re.compile(rb"(GET|HEAD) (/[!-~]*) HTTP/1\.1\r\n((?:[A-Za-z0-9-]+:[\t -~]*\r\n)*)\r\n")
_MAX_BYTES = 2048
_KNOWN = 2048
# What decides over the connection or announces a body is uvicorn's.
_NOT_HERE = frozenset(
    {b"connection", b"proxy-connection", b"content-length", b"transfer-encoding", b"expect", b"upgrade"}
)
_STATUS = {
    status: f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode() for status in (200, 304, 412)
}


# A connection that says nothing, or has not said a whole head by then, is closed: each costs a file descriptor of the process.
_HEAD_S = 20.0
_HEAD_BYTES = 1 << 20
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Request:
    """What the bytes of a plain request ask, and the answer last given, which holds as long as the file does."""

    __slots__ = ("answer", "asked", "form", "head", "target")

    def __init__(self, target: bytes, head: bool, asked: Asked) -> None:
        self.target = target
        self.head = head
        self.asked = asked
        self.form: Representation | None = None
        self.answer: Answer | None = None


def read_request(data: bytes) -> Request | None:
    """The request in these bytes, if they are exactly one, without a body and with nothing said about the connection."""
    found = _PLAIN.fullmatch(data) if len(data) <= _MAX_BYTES else None
    if found is None:
        return None
    headers = []
    for line in found[3].split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in _NOT_HERE and (name != b"connection" or value.strip().lower() != b"keep-alive"):
            return None
        headers.append((name, value))
    return Request(found[2], found[1] == b"HEAD", read_asked(headers))


class Lane:
    """The requests known to all connections."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._known: dict[bytes, Request] = {}
        self._defaults: list[tuple[bytes, bytes]] | None = None
        self._starts: dict[int, bytes] = {}

    def find(self, data: bytes) -> Request | None:
        request = self._known.get(data)
        return request if request is not None else read_request(data)

    def answer(self, data: bytes, request: Request) -> Answer | None:
        """None where the road must be taken: what is no file that it led to, or one that is not in memory as it is now."""
        files = self._files
        path = files.known(request.target)
        file = files.fresh(path) if path is not None else None
        form = file.representation(request.asked.gzip) if file is not None else None
        if form is None:
            return None
        if form is not request.form:
            request.form, request.answer = form, form.answer(request.asked)
            # Only now: in other addresses there are tokens, which are kept nowhere.
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[data] = request
        answer = request.answer
        return None if answer is None or answer.body is None else answer

    def start(self, status: int, state: ServerState) -> bytes:
        """The status line and what uvicorn says in every answer: the date, once a second anew."""
        if state.default_headers is not self._defaults:
            self._defaults = state.default_headers
            fields = b"".join(b"%b: %b\r\n" % field for field in self._defaults)
            self._starts = {number: line + fields for number, line in _STATUS.items()}
        return self._starts[status]


def most_connections() -> int:
    """Half of the files that this process may have open. The others are for the run beside: the store, the pages, the mail."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft // 2


class LaneProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a lane before it, and an end for connections that only cost; see make_protocol."""

    lane: Lane
    most: int  # connections at once
    # Whether all that uvicorn's parser was given were whole requests: then it is between two of them.
    _whole = True
    _answered_at = 0.0
    # When what the connection now waits for must be there; 0.0: nothing but the next request after an answer.
    _head_until = 0.0
    # What of it has come, with what came of a body in the same breath; and whether it is whole.
    _head_bytes = 0
    _in_body = False
    # What the client had not taken of its answers when it was looked at last.
    _untaken = 0
    _answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self.hang_up()
            return
        self._head_until = self.loop.time() + _HEAD_S
        self._wait(_HEAD_S)

    def data_received(self, data: bytes) -> None:
        if self._whole:
            request = self.lane.find(data)
            if request is None:
                self._whole = False
            elif self._waiting():
                answer = self.lane.answer(data, request)
                if answer is not None:
                    self._answer(answer, request.head)
                    return
        self._head_bytes += 0 if self._in_body else len(data)
        if self._head_bytes > _HEAD_BYTES:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
            return
        super().data_received(data)
        if self.timeout_keep_alive_task is None and self._waiting():
            # No answer is being made: these bytes are a part of a head. uvicorn has taken the timer away.
            self._head_until = self._head_until or self.loop.time() + _HEAD_S
            self._wait(max(0.0, self._head_until - self.loop.time()))

    def on_headers_complete(self) -> None:
        self._head_until, self._head_bytes, self._in_body = 0.0, 0, True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        self._nobody_reads()
        super().connection_lost(exc)

    def look(self) -> None:
        """To be called twice a minute: who has taken nothing of an answer in between is not waited for. No timer ends such a
        connection, nor does close(), which sends what is left first."""
        untaken = self.transport.get_write_buffer_size()
        if untaken >= self._untaken > 0:
            self.hang_up()
        self._untaken = untaken

    def resume_writing(self) -> None:
        """What waited was taken, but for a rest: that there is as much again, since more was sent, means nothing."""
        self._untaken = 0
        super().resume_writing()

    def hang_up(self) -> None:
        """For a client that takes no answer, or never finishes what it asks; its answer ends without a word in the log."""
        self._nobody_reads()
        self.transport.abort()

    def _nobody_reads(self) -> None:
        # uvicorn tells the newest request of a connection alone, and that may wait behind the one that is answered.
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()

    def _waiting(self) -> bool:
        """Is every request before answered, and the client taking what it is sent?"""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            return False
        return not self.flow.write_paused and not self.transport.is_closing()

    def _answer(self, answer: Answer, head: bool) -> None:
        start = self.lane.start(answer.status, self.server_state)
        body = b"" if head else answer.body
        self.transport.write(start + answer.head)
        if body:
            self.transport.write(body)
        self.server_state.total_requests += 1
        if self._head_until:  # the timer there is was for the head
            self._unset_keepalive_if_required()
        self._answered_at, self._head_until = self.loop.time(), 0.0
        if self.timeout_keep_alive_task is None:
            self._wait(self.timeout_keep_alive)

    def _wait(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """A timer for each answer would cost more than the answer: the one there is looks when the last was."""
        left = (self._head_until or self._answered_at + self.timeout_keep_alive) - self.loop.time()
        if left > 0:
            self._wait(left)
        else:
            super().timeout_keep_alive_handler()


def make_protocol(files: Files) -> type[LaneProtocol]:
    """The protocol whose connections share a lane for these files, for uvicorn.Config(http=…)."""

    class Protocol(LaneProtocol):
        lane = Lane(files)
        most = most_connections()

    return Protocol
