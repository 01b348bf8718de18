"""Envelopes in one write, and every refusal still told to the mail that it belongs to."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import examples
from digest.config import SmtpConfig
from digest.errors import MailError, StoreError
from digest.mail.replies import Stage
from digest.model import Message, Receipt
from digest.smtp import FolderTransport, Mail, SmtpTransport
from smtp_servers import DRIP, DROP, LOSE, Answer, SmtpServer, certificate, once, server_context, serving

BODY = b"Four papers.\r\n"
ONE_BY_ONE = ("8BITMIME", "ENHANCEDSTATUSCODES")


def mails(count: int, *, sender: str | None = None, body: bytes = BODY) -> list[Mail]:
    return [
        Mail(
            recipient=f"reader{n}@example.org",
            message=Message(pieces=(f"Message-ID: <{n}@x>\r\n\r\n".encode(), body), sender=sender),
            message_id=f"<{n}@x>",
            number=n,
        )
        for n in range(count)
    ]


class Log:
    """A lane of some mails that keeps what it hears, in order."""

    def __init__(self, waiting: list[Mail]) -> None:
        self.waiting = waiting
        self.said: list[tuple[str, int]] = []
        self.receipts: dict[int, tuple[Receipt, Stage]] = {}
        self.errors: dict[int, MailError] = {}
        self.together: list[tuple[int, int]] = []

    def next(self) -> Mail | None:
        return self.waiting.pop(0) if self.waiting else None

    def is_wanted(self, mail: Mail) -> bool:
        return True

    def begun(self, mail: Mail) -> None:
        self.said.append(("begun", mail.number))

    def answered(self, mail: Mail, receipt: Receipt, stage: Stage, then: Mail | None = None) -> None:
        self.said.append((receipt.status, mail.number))
        self.receipts[mail.number] = receipt, stage
        if then is not None:
            self.together.append((mail.number, then.number))
            self.begun(then)

    def failed(self, mail: Mail, error: MailError) -> None:
        self.said.append(("failed", mail.number))
        self.errors[mail.number] = error

    def returned(self, mail: Mail) -> None:
        self.said.append(("returned", mail.number))

    def statuses(self) -> dict[int, str]:
        return {number: receipt.status for number, (receipt, _) in self.receipts.items()}


def stream(server: SmtpServer, lane: Log, **options: object) -> Log:
    settings = {"host": "127.0.0.1", "port": server.port, "security": "none", "timeout_s": 5.0, **options}
    wire = SmtpTransport(SmtpConfig(**settings), sender="digest@papers.example.org")  # type: ignore[arg-type]
    wire.stream(lane)
    wire.close()
    return lane


def to(number: int, verb: str, reply: bytes) -> Answer:
    """This reply to one reader's RCPT or DATA or dot."""
    last = ""

    def answer(said: str, line: str) -> bytes | None:
        nonlocal last
        last = line if said == "RCPT" else last
        return reply if said == verb and f"<reader{number}@" in last else None

    return answer


# ---------------------------------------------------------------- what goes together


@pytest.mark.parametrize(("features", "reads"), [(("PIPELINING",), 1), (ONE_BY_ONE, 4)])
def test_a_mail_costs_one_wait_where_the_server_takes_commands_together(
    features: tuple[str, ...], reads: int
) -> None:
    """Counted at a server that answers only what has come by the time it looks."""
    with looking(features) as (port, looks):
        lane = Log(mails(40))
        wire = SmtpTransport(
            SmtpConfig(host="127.0.0.1", port=port, security="none", timeout_s=5.0), sender="d@example.org"
        )
        wire.stream(lane)
        wire.close()
    assert set(lane.statuses().values()) == {"accepted"}
    assert reads * 40 <= len(looks) <= reads * 40 + 5
    assert [what for what, _ in lane.said] == ["begun", "accepted"] * 40
    # What is known at once is noted at once: an answer, and that the next mail is asked for.
    assert lane.together == [(n, n + 1) for n in range(39) if reads == 1]


@contextmanager
def looking(features: tuple[str, ...]) -> Iterator[tuple[int, list[int]]]:
    """A server that notes each time at which it had nothing more to do and waited for the client."""
    looks: list[int] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def converse() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.sendall(b"220 hello\r\n")
            rest, message = b"", False
            while data := sock.recv(1 << 20):
                rest, replies = rest + data, b""
                while True:
                    end = b"\r\n.\r\n" if message else b"\r\n"
                    line, found, after = rest.partition(end)
                    if not found:
                        break
                    rest = after
                    verb = line[:4].upper()
                    replies += b"250 taken\r\n" if message else answers.get(verb, b"250 ok\r\n")
                    message = not message and verb == b"DATA"
                if replies:
                    looks.append(len(replies))
                    sock.sendall(replies)

    offered = "".join(f"250-{each}\r\n" for each in ("hello", *features)).encode() + b"250 HELP\r\n"
    answers = {b"EHLO": offered, b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}
    thread = threading.Thread(target=converse, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], looks
    finally:
        thread.join(10)
        listener.close()


def test_the_end_of_one_mail_and_the_envelope_of_the_next_go_together() -> None:
    with serving() as server:
        lane = stream(server, Log(mails(3)))
    order = [
        ("begun", 0), ("accepted", 0), ("begun", 1), ("accepted", 1), ("begun", 2), ("accepted", 2),
    ]  # fmt: skip
    assert lane.said == order
    assert [mail.data for mail in server.taken] == [mail.message.data for mail in mails(3)]
    assert server.verbs() == ["EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"]


@pytest.mark.parametrize("size", [1, 10_000_000])
def test_a_mail_of_any_size_arrives_byte_for_byte(size: int) -> None:
    body = (b"x" * 76 + b"\r\n") * (size // 78 + 1)
    with serving() as server:
        stream(server, Log(mails(2, body=body)))
    assert [mail.data for mail in server.taken] == [mail.message.data for mail in mails(2, body=body)]


@settings(max_examples=examples(25), deadline=None)
@given(st.lists(st.integers(0, 5000), min_size=1, max_size=2500))
def test_a_mail_of_any_number_of_pieces_arrives_byte_for_byte(sizes: list[int]) -> None:
    pieces = tuple(b"y" * size for size in sizes)
    message = Message(pieces=(b"Message-ID: <1@x>\r\n\r\n", *pieces, b"\r\n"))
    mail = Mail(recipient="a@example.org", message=message, message_id="<1@x>")
    with serving() as server:
        stream(server, Log([mail, mail]))
    assert [taken.data for taken in server.taken] == [message.data] * 2


def test_over_tls_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path / "certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context: ssl.SSLContext = server_context(pem)
    with serving(to(2, "RCPT", b"550 5.1.1 who?"), tls=context) as server:
        lane = stream(server, Log(mails(5, body=BODY * 20_000)), security="starttls")
    assert lane.statuses() == {0: "accepted", 1: "accepted", 2: "rejected", 3: "accepted", 4: "accepted"}
    sent = [mail.message.data for mail in mails(5, body=BODY * 20_000) if mail.number != 2]
    assert [mail.data for mail in server.taken] == sent


# ---------------------------------------------------------------- who is meant


@pytest.mark.parametrize("features", [("PIPELINING", *ONE_BY_ONE), ONE_BY_ONE])
@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("verb", "stage", "reply", "status"),
    [
        ("RCPT", "rcpt", b"550 5.1.1 no such user", "rejected"),
        ("RCPT", "rcpt", b"450-4.2.1 not\r\n450 4.2.1 now", "deferred"),
        ("DATA", "data", b"451 4.3.0 not now", "deferred"),
        ("DOT", "data", b"554 5.6.0 not this", "rejected"),
    ],
)
def test_a_refusal_belongs_to_one_mail_and_the_others_go_through(
    features: tuple[str, ...], lenient: bool, verb: str, stage: Stage, reply: bytes, status: str
) -> None:
    for refused in (0, 2, 4):
        with serving(to(refused, verb, reply), features=features, lenient=lenient) as server:
            lane = stream(server, Log(mails(5)))
        assert lane.statuses() == {n: status if n == refused else "accepted" for n in range(5)}
        assert lane.receipts[refused][1] == stage
        assert server.recipients() == [f"reader{n}@example.org" for n in range(5) if n != refused]
        assert [mail.data for mail in server.taken] == [
            mail.message.data for mail in mails(5) if mail.number != refused
        ]
        assert server.connections == 1


def test_a_sender_that_is_deferred_costs_one_mail() -> None:
    with serving(once("MAIL", b"451 4.3.0 not now", at=2)) as server:
        lane = stream(server, Log(mails(4)))
    assert lane.statuses() == {0: "accepted", 1: "deferred", 2: "accepted", 3: "accepted"}
    assert lane.receipts[1][1] == "mail"
    assert server.connections == 1


def test_data_that_is_let_through_without_a_recipient_sends_nobody_anything() -> None:
    refuse = {"RCPT": b"550 5.1.1 nobody"}
    with serving(lambda verb, line: refuse.get(verb), lenient=True) as server:
        lane = stream(server, Log(mails(10)))
    assert set(lane.statuses().values()) == {"rejected"}
    assert server.taken == []
    assert server.connections == 1


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.sampled_from(["ok", "RCPT", "DATA", "DOT"]), min_size=1, max_size=12), st.booleans())
def test_any_row_of_refusals_is_sorted_out(plan: list[str], lenient: bool) -> None:
    last = 0

    def answer(verb: str, line: str) -> bytes | None:
        nonlocal last
        if verb == "RCPT":
            last = int(line.split("reader")[1].split("@")[0])
        return b"550 5.0.0 no" if plan[last] == verb else None

    with serving(answer, lenient=lenient) as server:
        lane = stream(server, Log(mails(len(plan))))
    assert lane.statuses() == {n: "accepted" if how == "ok" else "rejected" for n, how in enumerate(plan)}
    assert server.recipients() == [f"reader{n}@example.org" for n, how in enumerate(plan) if how == "ok"]


# ---------------------------------------------------------------- lost connections


@pytest.mark.parametrize(("ending", "taken"), [(DROP, 1), (LOSE, 0)])
def test_a_connection_lost_behind_the_dot_leaves_one_mail_in_doubt_and_gives_the_next_back(
    ending: bytes, taken: int
) -> None:
    with serving(once("DOT", ending)) as server:
        lane = stream(server, Log(mails(3)))
    assert lane.said == [("begun", 0), ("failed", 0), ("returned", 1)]
    assert lane.errors[0].in_doubt
    assert len(server.taken) == taken


def test_a_server_that_ends_the_session_between_two_mails_is_called_again() -> None:
    with serving(once("MAIL", b"421 4.7.0 enough for one connection", at=3)) as server:
        lane = stream(server, Log(mails(5)))
    assert set(lane.statuses().values()) == {"accepted"}
    assert server.recipients() == [f"reader{n}@example.org" for n in range(5)]
    assert server.connections == 2


@pytest.mark.parametrize("verb", ["RCPT", "DATA"])
@pytest.mark.parametrize("ending", [DROP, b"421 4.3.2 closing", b"nonsense", b"999 what", b"354 early"])
def test_a_connection_lost_in_an_envelope_leaves_no_doubt(verb: str, ending: bytes) -> None:
    if verb == "DATA" and ending.startswith(b"354"):
        ending = b"250 no"
    with serving(once(verb, ending, at=2)) as server:
        lane = stream(server, Log(mails(4)))
    assert lane.said == [("begun", 0), ("accepted", 0), ("failed", 1)]
    assert not lane.errors[1].in_doubt
    assert len(server.taken) == 1


NONSENSE = [b"", b"\x00\xff\xfe", b"HTTP/1.1 400 Bad Request", b"250", b"-1 x", b"2500 x", b"x" * 10_000]
NONSENSE.append(b"250-a\r\n" * 500 + b"250 a")


@pytest.mark.parametrize("reply", NONSENSE, ids=lambda reply: repr(reply[:12]))
@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "DOT"])
def test_nonsense_is_an_error_and_never_a_crash(verb: str, reply: bytes) -> None:
    with serving(lambda said, line: (reply or b" ") if said == verb else None) as server:
        lane = stream(server, Log(mails(2)), timeout_s=1.0)
    assert lane.said
    assert len(lane.errors) + len(lane.receipts) + len(lane.waiting) >= 1
    for error in lane.errors.values():
        assert error.in_doubt == (verb == "DOT")
        assert f"127.0.0.1:{server.port}" in str(error)


# ---------------------------------------------------------------- whose mail it is


@pytest.mark.parametrize(
    ("sender", "line"),
    [
        (None, "MAIL FROM:<digest@papers.example.org>"),
        ("", "MAIL FROM:<>"),
        ("bounces+abc@b\u00fccher.example", "MAIL FROM:<bounces+abc@xn--bcher-kva.example>"),
    ],
)
def test_a_message_has_a_sender_of_its_own(sender: str | None, line: str) -> None:
    with serving(features=("PIPELINING",)) as server:
        stream(server, Log(mails(1, sender=sender)))
    assert server.taken[0].envelope[0] == line


def test_what_the_server_cannot_take_is_answered_by_us_and_the_rest_goes_on() -> None:
    waiting = mails(4)
    waiting[1:3] = [
        Mail(recipient="no address", message=waiting[1].message, message_id="<1@x>", number=1),
        mails(3, body=b"z" * 500 + b"\r\n")[2],
    ]
    with serving(features=("PIPELINING", "SIZE 200")) as server:
        lane = stream(server, Log(waiting))
    assert lane.statuses() == {0: "accepted", 1: "rejected", 2: "rejected", 3: "accepted"}
    assert lane.receipts[1][0].enhanced_code == "5.1.3"
    assert lane.receipts[2][0].enhanced_code == "5.3.4"
    assert ("begun", 2) not in lane.said


def test_the_folder_tells_a_lane_the_same(tmp_path: Path) -> None:
    lane = Log(mails(2))
    FolderTransport(tmp_path).stream(lane)
    assert lane.said == [("begun", 0), ("accepted", 0), ("begun", 1), ("accepted", 1)]
    (tmp_path / "file").write_text("")
    broken = Log(mails(2))
    FolderTransport(tmp_path / "file").stream(broken)
    assert broken.said == [("begun", 0), ("failed", 0)]
    assert len(broken.waiting) == 1


def test_a_lane_without_a_mail_opens_no_connection() -> None:
    with serving() as server:
        assert stream(server, Log([])).said == []
    assert server.connections == 0


def test_a_mail_that_cannot_be_noted_ends_its_connection() -> None:
    """The server waits for its text, and would take whatever comes for that."""

    class Unwritable(Log):
        def begun(self, mail: Mail) -> None:
            raise StoreError("the disk is full")

    with serving() as server:
        wire = SmtpTransport(
            SmtpConfig(host="127.0.0.1", port=server.port, security="none", timeout_s=5.0),
            sender="digest@papers.example.org",
        )
        with pytest.raises(StoreError):
            wire.stream(Unwritable(mails(1)))
        assert wire._session.smtp is None
        server.settle()
        assert server.taken == []


@pytest.mark.parametrize("features", [("PIPELINING",), ONE_BY_ONE])
def test_replies_that_come_byte_by_byte_are_heard_whole(features: tuple[str, ...]) -> None:
    class Sips:
        def __init__(self, sock: socket.socket) -> None:
            self._sock = sock

        def recv(self, most: int) -> bytes:
            return self._sock.recv(1)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._sock, name)

    lane = Log(mails(3))
    with serving(to(1, "RCPT", b"550-5.1.1 no\r\n550 5.1.1 such user"), features=features) as server:
        wire = SmtpTransport(
            SmtpConfig(host="127.0.0.1", port=server.port, security="none", timeout_s=30.0),
            sender="digest@papers.example.org",
        )
        wire.connect()
        assert wire._session.smtp is not None
        wire._session.smtp.sock = Sips(wire._session.sock)
        for pause in wire.steps(lane):
            assert pause.sock is not None and pause.seconds > 1
            select.select(*(([], [pause.sock]) if pause.writing else ([pause.sock], [])), [])
        wire.close()
    assert lane.statuses() == {0: "accepted", 1: "rejected", 2: "accepted"}
    assert lane.receipts[1][0].text == "5.1.1 no 5.1.1 such user"
    assert server.connections == 1


def test_a_server_that_ends_every_session_at_the_next_mail_is_called_again_once() -> None:
    heard = 0

    def closing(verb: str, line: str) -> bytes | None:
        nonlocal heard
        heard += verb == "MAIL"
        return b"421 4.3.2 closing" if verb == "MAIL" and 1 < heard < 5 else None

    with serving(closing) as server:
        lane = stream(server, Log(mails(2)))
    assert (lane.statuses(), list(lane.errors)) == ({0: "accepted"}, [1])
    assert server.connections == 2


@pytest.mark.parametrize("left", [b"421 closing\r\n250 a\r\n250 b\r\n354 c", DRIP])
def test_what_one_connection_left_unread_is_no_answer_on_the_next(left: bytes) -> None:
    """Three replies in advance would let a mail in whose recipient is refused, and the yes to MAIL would stand for its end."""
    said = once("MAIL", left)

    def answer(verb: str, line: str) -> bytes | None:
        return b"550 5.1.1 nobody" if verb == "RCPT" and "reader1" in line else said(verb, line)

    with serving(answer) as server:
        wire = SmtpTransport(
            SmtpConfig(host="127.0.0.1", port=server.port, security="none", timeout_s=1.0),
            sender="digest@papers.example.org",
        )
        first, second = Log(mails(1)), Log(mails(2)[1:])
        wire.stream(first)
        wire.stream(second)
        wire.close()
    assert list(first.errors) == [0]
    assert second.statuses() == {1: "rejected"}
    assert server.taken == []
