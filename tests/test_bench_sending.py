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


@pytest.mark.parametrize("server", [sending.sink, sending.lean_sink])
def test_every_sender_of_a_table_gets_its_mails_through(
    server: Callable[[], AbstractContextManager[int]], capsys: pytest.CaptureFixture[str]
) -> None:
    need(
        sending.SINK.exists() and sending.SOURCE.exists(),
        "smtp-sink and smtp-source are missing (Debian: apt-get install postfix)",
    )
    with server() as port:
        lines = sending.table(
            "P9", port, {"smtp-source": 0.8, "smtplib": 5.0}, mails=40, size=20_000, lanes=3, rounds=1
        )
    assert [line.split(" | ")[0] for line in lines[4:7]] == ["| digest", "| smtp-source", "| smtplib"]
    assert "≥ 5×" in lines[6]


def test_a_far_server_is_as_slow_for_everybody() -> None:
    with sending.lean_sink() as port, sending.slow(port) as far:
        taken = sending.digest_seconds(far, 20, 2000, 1)
    assert taken >= 20 * sending.DELAY_S
