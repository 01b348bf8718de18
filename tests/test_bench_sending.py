"""The tables of sending compare senders that all send all mails. No time is asserted here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from conftest import need

sys.path.append(str(Path(__file__).parent.parent))

from benchmarks import sending

LOAD = sending.Load(mails=20, size=20_000, lanes=3)


@pytest.mark.parametrize("server", [sending.sink, sending.lean_sink])
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
    with sending.lean_sink() as port, sending.slow(port) as far:
        taken = sending.digest_seconds(far, 20, 2000, 1, tmp_path / "digest.db")
    assert taken >= 20 * sending.DELAY_S
