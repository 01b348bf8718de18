"""The tables of sending compare senders that all send all mails. No time is asserted here."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from conftest import need

sys.path.append(str(Path(__file__).parent.parent))

from benchmarks import sending
from benchmarks.sink import running

LOAD = sending.Load(mails=20, size=20_000, lanes=3)


@pytest.mark.parametrize(
    "server",
    [sending.sink, running, partial(running, "--blind")],
    ids=["smtp-sink", "lean", "blind"],
)
def test_every_sender_gets_its_mails_through(server: Callable[[], AbstractContextManager[int]]) -> None:
    need(
        sending.SINK.exists() and sending.SOURCE.exists(),
        "smtp-sink and smtp-source are missing (Debian: apt-get install postfix)",
    )
    with server() as port:
        found = sending.contest(port, ("digest", "smtp-source", "smtplib"), LOAD, 1)
    assert all(rate.rate > 0 and rate.peak_mib > 1 for rate in found.values())
    row = sending.row("P9", "mails", found, {"smtp-source": (0.8, 1.3), "smtplib": (5.0, 5.0)})
    assert [check.value for check in row.checks] == [
        found["digest"].rate / found[name].rate for name in ("smtp-source", "smtplib")
    ]


def test_a_far_server_is_as_slow_for_everybody(tmp_path: Path) -> None:
    sending.queue(tmp_path / "digest.db", 20)
    with running() as port, sending.slow(port) as far:
        taken = sending.digest_seconds(far, 20, 2000, 1, tmp_path / "digest.db")
    assert taken >= 20 * sending.DELAY_S


def test_the_server_finds_the_end_of_each_mail_wherever_it_stands() -> None:
    """Behind much that was read before, before the next envelope, in two pieces, and not where a dot is one of the text."""
    envelope, end = b"MAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n", b"\r\n.\r\n"
    text = b"No end: .\r\n..\r\n" * 20_000
    sent = [
        (envelope, 3),
        (text + end + envelope, 4),
        (text + end[:2], 0),
        (end[2:] + envelope, 4),
        (end + b"QUIT\r\n", 2),
    ]
    said = []
    with (
        running() as port,
        socket.create_connection(("127.0.0.1", port), 10) as sock,
        sock.makefile("rb") as replies,
    ):
        assert replies.readline().startswith(b"220")
        for data, answers in sent:
            sock.sendall(data)
            said += [int(replies.readline()[:3]) for _ in range(answers)]
    assert said == [250, 250, 354] + [250, 250, 250, 354] * 2 + [250, 221]
