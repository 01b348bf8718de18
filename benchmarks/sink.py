"""An SMTP server that does as little as can be done, so that a benchmark shows the sender: `python -m benchmarks.sink` prints
its port and serves until it is killed. It looks through all that arrives for the dot that ends a message (RFC 5321, 4.1.1.4), as
every server must, and does nothing else with it.

`--keep FILE` adds what is sent to it to a file, for a look at what was mailed. `--blind` looks at the end of what has arrived only,
behind which a client may have sent a few commands along: no server may, but nothing of it is in the way of a sender.
"""

from __future__ import annotations

import selectors
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from benchmarks.costs import ROOT

_END = b"\r\n.\r\n"
_ENVELOPE = 1200  # the most that stands behind a final dot: RSET, MAIL, RCPT, DATA
_OFFERED = b"250-sink.example.org\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 104857600\r\n"


class Client:
    def __init__(self, sock: socket.socket, kept: BinaryIO | None = None, *, blind: bool = False) -> None:
        self.sock, self.kept = sock, kept
        self.looked_at = slice(-_ENVELOPE if blind else None, None)
        self.rest = b""
        self.in_message = False
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.send(b"220 sink.example.org ESMTP\r\n")

    def heard(self, data: memoryview) -> bool:
        """Answers what has come; False when the client has gone."""
        if not data:
            return False
        replies = []
        if self.kept:
            self.kept.write(data)
        if self.in_message:
            tail = self.rest + bytes(data[self.looked_at])
            end = tail.find(_END)
            if end < 0:
                self.rest = tail[-4:]
                return True
            replies.append(b"250 2.0.0 taken\r\n")
            self.in_message, self.rest = False, tail[end + 5 :]
        else:
            self.rest += bytes(data)
        while not self.in_message and b"\n" in self.rest:
            line, _, self.rest = self.rest.partition(b"\n")
            replies.append(self.reply(line[:4].upper()))
        self.sock.send(b"".join(replies))
        return not replies or replies[-1][:3] != b"221"

    def reply(self, verb: bytes) -> bytes:
        if verb == b"DATA":
            self.in_message, self.rest = True, b""
            return b"354 go on\r\n"
        return {b"EHLO": _OFFERED, b"QUIT": b"221 2.0.0 bye\r\n"}.get(verb, b"250 2.0.0 ok\r\n")


@contextmanager
def running(*options: str) -> Iterator[int]:
    """The server in a process of its own; its port."""
    command = [sys.executable, "-m", "benchmarks.sink", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def main() -> None:
    kept = Path(sys.argv[2]).open("ab", buffering=0) if sys.argv[1:2] == ["--keep"] else None  # noqa: SIM115
    blind = sys.argv[1:2] == ["--blind"]
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    buffer = memoryview(bytearray(1 << 20))
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ, None)
        while True:
            for key, _ in selector.select():
                if key.data is None:
                    sock, _ = listener.accept()
                    selector.register(sock, selectors.EVENT_READ, Client(sock, kept, blind=blind))
                elif not _serve(key.data, buffer):
                    selector.unregister(key.data.sock)
                    key.data.sock.close()


def _serve(client: Client, buffer: memoryview) -> bool:
    try:
        return client.heard(buffer[: client.sock.recv_into(buffer)])
    except OSError:
        return False


if __name__ == "__main__":
    main()
