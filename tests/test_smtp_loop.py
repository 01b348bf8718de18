"""One thread serves many connections, and none of them waits for another."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from digest.config import SmtpConfig
from digest.errors import DigestError, MailError, StoreError
from digest.mail.replies import Stage
from digest.model import Message, Receipt
from digest.smtp import Mail, SmtpTransport
from digest.smtp.loop import Loop
from digest.smtp.mails import Lane, Pause, Steps
from smtp_servers import HANG, certificate, server_context, serving

SENDER = "digest@papers.example.org"


def mails(count: int, *, body: bytes = b"Four papers.\r\n") -> list[Mail]:
    return [
        Mail(
            recipient=f"reader{n}@example.org",
            message=Message(pieces=(f"Message-ID: <{n}@x>\r\n\r\n".encode(), body)),
            message_id=f"<{n}@x>",
            number=n,
        )
        for n in range(count)
    ]


class Feed:
    """Mails that wait, and what the connections tell of them."""

    def __init__(self, waiting: list[Mail], *, unwritable: int | None = None) -> None:
        self.waiting = deque(waiting)
        self.open = {mail.number for mail in waiting}
        self.unwritable = unwritable
        self.receipts: dict[int, Receipt] = {}
        self.errors: dict[int, MailError] = {}
        self.faults: list[DigestError] = []
        self.threads: set[int] = set()
        self.told = threading.Condition()

    def waits(self) -> bool:
        return bool(self.waiting)

    def lane(self) -> Lane:
        return _Lane(self)

    def rests(self, lane: Lane) -> None:
        self.threads.add(threading.get_ident())

    def broken(self, lane: Lane, error: DigestError | None) -> None:
        assert isinstance(lane, _Lane)
        self.faults += [error] if error else []
        for number in list(lane.held):
            self.over(lane, number)

    def over(self, lane: _Lane, number: int) -> None:
        with self.told:
            lane.held.discard(number)
            self.open.discard(number)
            self.told.notify_all()

    def wait_for(self, left: int) -> None:
        with self.told:
            assert self.told.wait_for(lambda: len(self.open) <= left, 60), self.open


class _Lane:
    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.held: set[int] = set()

    def next(self) -> Mail | None:
        if not self.feed.waiting:
            return None
        mail = self.feed.waiting.popleft()
        self.held.add(mail.number)
        return mail

    def is_wanted(self, mail: Mail) -> bool:
        return True

    def begun(self, mail: Mail) -> None:
        if mail.number == self.feed.unwritable:
            raise StoreError("the disk is full")

    def answered(self, mail: Mail, receipt: Receipt, stage: Stage, then: Mail | None = None) -> None:
        self.feed.receipts[mail.number] = receipt
        self.feed.over(self, mail.number)
        if then is not None:
            self.begun(then)

    def failed(self, mail: Mail, error: MailError) -> None:
        self.feed.errors[mail.number] = error
        self.feed.over(self, mail.number)

    def returned(self, mail: Mail) -> None:
        self.feed.waiting.append(mail)


@contextmanager
def sending(feed: Feed, *ports: int, connections: int = 2, **options: object) -> Iterator[Loop]:
    """A loop whose connections go to these ports in turn, the last again and again."""
    towards = deque(ports)

    def transport() -> SmtpTransport:
        port = towards.popleft() if len(towards) > 1 else towards[0]
        settings = {"host": "127.0.0.1", "security": "none", "timeout_s": 30.0, **options}
        return SmtpTransport(SmtpConfig(port=port, **settings), sender=SENDER)  # type: ignore[arg-type]

    loop = Loop(transport, connections, feed)
    try:
        loop.wake()
        yield loop
    finally:
        loop.end()


def test_all_connections_are_at_work_together_and_one_thread_serves_them() -> None:
    """Four mails wait for each other at the server."""
    four = threading.Barrier(4)

    def together(verb: str, line: str) -> None:
        if verb == "DOT" and not server.taken:
            four.wait(60)

    feed = Feed(mails(40))
    with serving(together) as server, sending(feed, server.port, connections=4):
        feed.wait_for(0)
    assert sorted(server.recipients()) == sorted(f"reader{n}@example.org" for n in range(40))
    assert {receipt.status for receipt in feed.receipts.values()} == {"accepted"}
    assert server.connections == 4
    assert len(feed.threads) == 1
    assert server.verbs().count("QUIT") == 4


def test_mails_that_come_later_go_over_the_connections_that_are_there() -> None:
    feed = Feed(mails(2))
    with serving() as server, sending(feed, server.port) as loop:
        feed.wait_for(0)
        for mail in mails(10)[2:]:
            feed.open.add(mail.number)
            feed.waiting.append(mail)
            loop.wake()
        feed.wait_for(0)
    assert len(server.taken) == 10
    assert server.connections <= 2


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL", "DOT"])
def test_a_silent_connection_holds_up_no_other(verb: str) -> None:
    heard = threading.Lock()

    def silent(said: str, line: str) -> bytes | None:
        return HANG if said == verb and heard.acquire(blocking=False) else None

    feed = Feed(mails(20))
    with serving(silent) as server, sending(feed, server.port):
        feed.wait_for(2)  # that one's mail, and the one whose envelope went with it
        assert not feed.errors
        server.die()
        feed.wait_for(0)
    assert len(feed.errors) >= 1


def test_a_server_that_does_not_read_on_holds_up_no_other_connection() -> None:
    feed = Feed(mails(4, body=(b"x" * 900 + b"\r\n") * 9_000))
    with (
        not_reading() as (port, read_on),
        serving(features=("PIPELINING",), keep_data=False) as server,
        sending(feed, port, server.port),
    ):
        feed.wait_for(2)
        read_on.set()
        feed.wait_for(0)
    assert not feed.errors
    assert {receipt.text for receipt in feed.receipts.values()} == {"2.0.0 queued", "at last"}


@contextmanager
def not_reading() -> Iterator[tuple[int, threading.Event]]:
    """A server that lets mails be sent, and reads none of them until it is told to."""
    read_on, listener = threading.Event(), socket.create_server(("127.0.0.1", 0))

    def converse() -> None:
        sock, _ = listener.accept()
        with sock, sock.makefile("rb") as file:
            sock.sendall(b"220 hello\r\n")
            while line := file.readline():
                verb = line[:4].upper()
                sock.sendall(
                    {b"EHLO": b"250-hello\r\n250 PIPELINING\r\n", b"DATA": b"354 go on\r\n"}.get(
                        verb, b"250 ok\r\n"
                    )
                )
                if verb == b"DATA":
                    read_on.wait(60)
                    while file.readline() != b".\r\n":
                        pass
                    sock.sendall(b"250 at last\r\n")

    thread = threading.Thread(target=converse, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], read_on
    finally:
        read_on.set()
        listener.close()
        thread.join(30)


def test_a_connection_loses_patience_with_a_silent_server() -> None:
    feed = Feed(mails(1))
    silent = serving(lambda verb, line: HANG if verb == "RCPT" else None)
    with silent as server, sending(feed, server.port, timeout_s=1.0):
        feed.wait_for(0)
    assert "timed out" in str(feed.errors[0])


def test_a_lane_that_cannot_note_its_mail_ends_its_connection_and_no_other() -> None:
    feed = Feed(mails(20), unwritable=3)
    with serving() as server, sending(feed, server.port):
        feed.wait_for(0)
    assert [str(fault) for fault in feed.faults] == ["the disk is full"]
    assert "reader3@example.org" not in server.recipients()
    assert len(server.taken) >= 18  # one more may have been asked for with it
    assert not feed.errors


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_large_mails_go_over_several_connections_in_tls(
    security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    body = b"".join(b"%d papers\r\n" % n for n in range(60_000))
    feed = Feed(mails(12, body=body))
    options: dict[str, Any] = {"tls": server_context(pem), "implicit_tls": security == "tls"}
    with serving(**options) as server, sending(feed, server.port, connections=3, security=security):
        feed.wait_for(0)
    assert not feed.errors
    assert len(server.taken) == 12
    assert all(mail.data.endswith(body) for mail in server.taken)


@pytest.mark.parametrize(("beyond", "doubt"), [(-1, False), (0, True), (4, True)])
def test_a_connection_lost_with_the_last_byte_of_a_mail_leaves_it_in_doubt(beyond: int, doubt: bool) -> None:
    """`beyond`: so many bytes of the next envelope went too."""
    first = mails(1)[0]
    feed = Feed(mails(2))
    lane = _Lane(feed)
    with serving() as server:
        wire = SmtpTransport(
            SmtpConfig(host="127.0.0.1", port=server.port, security="none", timeout_s=30.0), sender=SENDER
        )
        wire.connect()
        assert wire._session.smtp is not None
        wire._session.smtp.sock = _Cut(wire._session.sock, first.message.size + len(b".\r\n") + beyond)
        wire.stream(lane)
        wire.close()
    assert feed.errors[0].in_doubt == doubt


class _Cut:
    """A socket that fails behind so many bytes of the first mail."""

    def __init__(self, sock: socket.socket, after: int) -> None:
        self._sock, self._after = sock, after
        self.sendmsg: Callable[[list[bytes]], int] = self._envelope

    def _envelope(self, buffers: list[bytes]) -> int:
        self.sendmsg = self._mail
        return self._sock.sendmsg(buffers)

    def _mail(self, buffers: list[bytes]) -> int:
        if not self._after:
            raise ConnectionResetError("reset")
        sent = self._sock.send(b"".join(buffers)[: self._after])
        self._after -= sent
        return sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


# ---------------------------------------------------------------- connections that only wait


class _Waiting:
    """A transport that takes one mail and then waits as it is told to."""

    def __init__(self, waits: Callable[[], Steps[None]]) -> None:
        self._waits = waits
        self.error: BaseException | None = None

    def send(self, recipient: str, message: Message, *, message_id: str) -> Receipt:
        raise NotImplementedError

    def steps(self, lane: Lane) -> Steps[None]:
        mail = lane.next()
        assert mail is not None
        try:
            yield from self._waits()
        except TimeoutError as error:
            self.error = error
        lane.answered(mail, Receipt(status="accepted"), "data")

    def close(self) -> None:
        """Nobody is there."""


def test_each_wait_for_the_same_has_its_whole_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers each mail within its time is not given up because all of them took longer."""
    here, there = socket.socketpair()
    there.send(b"!")
    now = 0.0
    monkeypatch.setattr("digest.smtp.loop.time", SimpleNamespace(monotonic=lambda: now))

    def waits() -> Steps[None]:
        nonlocal now
        pause = Pause(sock=here, seconds=10.0)
        for _ in range(5):
            yield pause
            now += 6.0

    feed, wire = Feed(mails(1)), _Waiting(waits)
    loop = Loop(lambda: wire, 1, feed)
    loop.wake()
    feed.wait_for(0)
    loop.end()
    here.close()
    there.close()
    assert wire.error is None


def test_what_comes_while_a_call_is_made_does_not_go_on_ahead_of_it() -> None:
    here, there = socket.socketpair()
    there.send(b"!")
    went_on, early = threading.Event(), []

    def waits() -> Steps[None]:
        yield Pause(sock=here, seconds=30.0)
        yield Pause(call=lambda: early.append(went_on.wait(0.05)))
        went_on.set()

    feed = Feed(mails(1))
    loop = Loop(lambda: _Waiting(waits), 1, feed)
    loop.wake()
    feed.wait_for(0)
    loop.end()
    here.close()
    there.close()
    assert early == [False]


def test_the_mails_of_a_loop_that_ends_by_a_fault_are_heard_of() -> None:
    here, there = socket.socketpair()

    def waits() -> Steps[None]:
        yield Pause(sock=here, seconds=30.0)

    wires = iter([_Waiting(waits)])

    def transport() -> _Waiting:
        for wire in wires:
            return wire
        raise RuntimeError("no second one")

    feed = Feed(mails(2))
    loop = Loop(transport, 2, feed)
    loop.wake()
    feed.wait_for(1)
    loop.end()
    here.close()
    there.close()
    assert feed.open == {1}
    assert isinstance(loop.fault(), RuntimeError)
