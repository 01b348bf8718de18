"""One run of deliver() in a process of its own: `deliver_worker.py STORE_URL PORT CONNECTIONS JOURNAL`. SIGTERM sets its stop."""

from __future__ import annotations

import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from digest.config import MailConfig, SmtpConfig
from digest.model import Delivery, Message
from digest.pipeline.deliver import deliver
from digest.smtp import open_transport
from digest.store import open_store

BODY = b"A paper.\r\n" * 20


def compose(delivery: Delivery) -> Message:
    personal = (
        f"From: digest@papers.example.org\r\nTo: {delivery.subscriber.address}\r\n"
        f"Message-ID: {delivery.message_id}\r\nSubject: {delivery.edition}\r\n\r\n"
    )
    return Message(pieces=(personal.encode(), BODY))


def main(url: str, port: str, connections: str, journal: str) -> int:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    smtp = SmtpConfig(host="127.0.0.1", port=int(port), security="none", connections=int(connections))
    mail = MailConfig(transport="smtp", smtp=smtp)
    with open_store(url) as store:
        report = deliver(
            store,
            open_transport(mail, base=Path),
            compose,
            mail,
            holder=f"worker/{os.getpid()}",
            clock=lambda: datetime.now(UTC),
            stop=stop,
            journal=Path(journal),
        )
    if report.error:
        sys.stderr.write(report.error + "\n")
    return 1 if report.error else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
