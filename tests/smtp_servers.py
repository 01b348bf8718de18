"""Real SMTP servers on 127.0.0.1 that misbehave as told, and the certificates that they show."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

DROP = b"(drop)"  # the connection ends without a reply; behind the final dot: after the mail was taken
LOSE = b"(lose)"  # behind the final dot: the connection ends and the mail was not taken
HANG = b"(hang)"  # no reply comes until the server closes
DRIP = b"(drip)"  # a good reply, byte by byte, for two seconds
LINES = b"(lines)"  # the same line by line
DIE = b"(die)"  # the server ends, with all of its connections

Answer = Callable[[str, str], bytes | None]


@dataclass(frozen=True)
class Taken:
    """A mail as it came over the wire, dots unstuffed; `envelope` holds the lines MAIL and RCPT."""

    recipient: str
    data: bytes
    connection: int
    envelope: tuple[str, str]
    nth: int
    was_said: bool = True  # else the connection ended first

    @property
    def message_id(self) -> str:
        found = re.search(rb"(?mi)^Message-ID:\s*(\S+)", self.data)
        return found[1].decode() if found else ""


@dataclass
class SmtpServer:
    """A server of its own thread, one more for each connection. `answer(verb, line)` may replace a reply.

    Verbs are those of SMTP, GREETING before the first word and DOT behind a message. `commands` keeps each line with the
    number of its connection; `taken` the mails that were accepted, in their order.
    """

    answer: Answer = lambda verb, line: None
    features: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SIZE 10485760", "ENHANCEDSTATUSCODES")
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    after_starttls: bytes = b""
    keep_data: bool = True
    lenient: bool = False  # DATA is let through without a recipient, as RFC 2920 allows
    taken: list[Taken] = field(default_factory=list)
    commands: list[tuple[int, str]] = field(default_factory=list)
    connections: int = 0
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._spawning = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._spawn(self._listen)

    def verbs(self) -> list[str]:
        return [line.split(" ")[0].split(":")[0].upper() for _, line in self.commands]

    def recipients(self) -> list[str]:
        return [mail.recipient for mail in self.taken]

    def wait_for(self, mails: int, *, timeout: float = 30) -> bool:
        """Have so many mails been taken? Waits for them."""
        with self.arrived:
            return self.arrived.wait_for(lambda: len(self.taken) >= mails or self._closing.is_set(), timeout)

    def settle(self) -> None:
        """Waits until every connection has ended, so that all that was sent has been taken."""
        with self._spawning:
            threads = self._threads[1:]
        for thread in threads:
            thread.join(30)
        with self._spawning:
            self._threads[1:] = [thread for thread in self._threads[1:] if thread.is_alive()]

    def die(self) -> None:
        """Ends the listener and every connection, as a crashed server does."""
        self._closing.set()
        with self.arrived:
            self.arrived.notify_all()
        for sock in (self._listener, *self._open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        self.die()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        with self._spawning:
            thread.start()
            self._threads.append(thread)

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            # Replies are written one by one; Nagle's algorithm would hold each but the first for a delayed ACK.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._open.add(sock)
            self._spawn(self._converse, sock, self.connections)

    def _converse(self, sock: socket.socket, number: int) -> None:
        try:
            if self.implicit_tls:
                sock = self._wrapped(sock)
            _Conversation(self, sock, number).run()
        except (OSError, ssl.SSLError, _Over):
            pass
        finally:
            for each in [s for s in self._open if s is sock]:
                self._open.discard(each)
            sock.close()

    def _wrapped(self, sock: socket.socket) -> socket.socket:
        assert self.tls
        self._open.discard(sock)
        wrapped = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._open.add(wrapped)
        try:
            wrapped.do_handshake()
        except OSError:
            wrapped.close()
            raise
        return wrapped


class _Over(Exception):
    """The conversation ends here."""


class _Conversation:
    def __init__(self, server: SmtpServer, sock: socket.socket, number: int) -> None:
        self.server, self.sock, self.number = server, sock, number
        self.file = sock.makefile("rb")
        self.envelope: list[str] = []
        self.secure = server.implicit_tls

    def run(self) -> None:
        try:
            self.reply("GREETING", "", b"220 mx.example.org ESMTP")
            while line := self.file.readline():
                self.obey(line.decode("utf-8", "replace").rstrip("\r\n"))
        finally:
            self.file.close()
            if self.secure and not self.server.implicit_tls:
                self.sock.close()

    def obey(self, line: str) -> None:
        self.server.commands.append((self.number, line))
        verb = line.split(" ")[0].upper()
        default = {
            "EHLO": self.greeting(),
            "STARTTLS": b"220 2.0.0 go on",
            "AUTH": b"235 2.7.0 welcome",
            "DATA": b"354 go on",
            "QUIT": b"221 2.0.0 bye",
        }.get(verb, b"250 2.0.0 ok")
        if verb in ("MAIL", "RCPT", "DATA") and (fault := self.out_of_turn(verb)):
            default = fault
        said = self.reply(verb, line, default)
        if verb == "RSET":
            self.envelope = []
        elif not said.startswith((b"2", b"3")):
            return
        elif verb == "MAIL":
            self.envelope = [line]
        elif verb == "RCPT":
            self.envelope.append(line)
        elif verb == "STARTTLS":
            self.start_tls()
        elif verb == "DATA" and said.startswith(b"354"):
            self.take()
            self.envelope = []
        elif verb == "QUIT":
            raise _Over

    def out_of_turn(self, verb: str) -> bytes | None:
        """What a strict server says to a command whose forerunner is missing, or that comes twice."""
        if verb == "MAIL" and self.envelope:
            return b"503 5.5.1 nested MAIL"
        if verb != "MAIL" and not self.envelope:
            return b"503 5.5.1 MAIL first"
        if verb == "DATA" and len(self.envelope) == 1 and not self.server.lenient:
            return b"554 5.5.1 no valid recipients"
        return None

    def greeting(self) -> bytes:
        offered = list(self.server.features)
        if self.server.tls and not self.secure:
            offered.append("STARTTLS")
        lines = ["mx.example.org", *offered]
        return "\r\n".join(
            f"250{'-' if n < len(lines) - 1 else ' '}{each}" for n, each in enumerate(lines)
        ).encode()

    def start_tls(self) -> None:
        self.file.close()
        self.sock = self.server._wrapped(self.sock)
        self.file = self.sock.makefile("rb")
        self.secure = True

    def take(self) -> None:
        lines = []
        while (line := self.file.readline()) != b".\r\n":
            if not line:
                raise _Over
            lines.append(line[1:] if line.startswith(b".") else line)
        if len(self.envelope) == 1:
            self.say(b"554 5.5.1 no valid recipients")
            return
        said = self.server.answer("DOT", self.envelope[1])
        if said is None or said.startswith(b"2") or said in (DROP, HANG, DIE):
            self.record(b"".join(lines), was_said=said not in (DROP, HANG, DIE))
        self.say(said or b"250 2.0.0 queued")

    def record(self, data: bytes, *, was_said: bool) -> None:
        found = re.search(r"<(.*)>", self.envelope[1])
        assert found
        with self.server.arrived:
            kept = data if self.server.keep_data else data[: data.find(b"\r\n\r\n")]
            envelope, nth = (self.envelope[0], self.envelope[1]), len(self.server.taken) + 1
            mail = Taken(found[1], kept, self.number, envelope, nth, was_said)
            self.server.taken.append(mail)
            self.server.arrived.notify_all()

    def reply(self, verb: str, line: str, default: bytes) -> bytes:
        said = self.server.answer(verb, line) or default
        self.say(said, self.server.after_starttls if verb == "STARTTLS" else b"")
        return said

    def say(self, reply: bytes, extra: bytes = b"") -> None:
        if reply == DIE:
            self.server.die()
        if reply == HANG:
            self.server._closing.wait()
        if reply in (DROP, LOSE, DIE, HANG):
            raise _Over
        if reply in (DRIP, LINES):
            slow = b"250-slow\r\n250 " + b"." * 30
            pieces = [b"250-slow\r\n"] * 40 if reply == LINES else [bytes([byte]) for byte in slow]
            for piece in pieces:
                self.sock.sendall(piece)
                self.server._closing.wait(0.05)
            reply = b"250 ok" if reply == LINES else b""
        self.sock.sendall(reply + b"\r\n" + extra)
        if reply.startswith(b"421"):
            raise _Over


@contextmanager
def serving(answer: Answer = lambda verb, line: None, **options: object) -> Iterator[SmtpServer]:
    """An SmtpServer for the length of a with block."""
    server = SmtpServer(answer, **options)  # type: ignore[arg-type]
    try:
        yield server
    finally:
        server.close()


def once(verb: str, reply: bytes, *, at: int = 1) -> Answer:
    """An answer that gives this reply at the n-th time that the verb is heard, and leaves the others alone."""
    heard = 0

    def answer(said: str, line: str) -> bytes | None:
        nonlocal heard
        heard += said == verb
        return reply if said == verb and heard == at else None

    return answer


def certificate(folder: Path, name: str = "IP:127.0.0.1", *, days: int = 2) -> Path:
    """A file with key and self-signed certificate for a name (as subjectAltName), made by openssl; days = 0: expired."""
    folder.mkdir(parents=True, exist_ok=True)
    key, request, names, made = (
        folder / part for part in ("key.pem", "request.pem", "names", "certificate.pem")
    )
    names.write_text(f"subjectAltName={name}\nbasicConstraints=critical,CA:TRUE\n")
    new = [
        "openssl",
        "req",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-subj",
        "/CN=test",
    ]
    subprocess.run([*new, "-keyout", key, "-out", request], check=True, capture_output=True)
    sign = ["openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", str(days), "-extfile", names]
    subprocess.run([*sign, "-out", made], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text(key.read_text() + made.read_text())
    return both


def server_context(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context
