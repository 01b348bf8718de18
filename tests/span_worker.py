"""One call of deliver_span() in a process of its own: `span_worker.py STORE_URL PORT CONNECTIONS FOLDER FIRST LAST [LEASE_S]`.

With LEASE_S its lease is so short, for a test that cannot wait a minute. It prints what became of it.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from deliver_worker import compose
from digest.config import MailConfig, SmtpConfig
from digest.errors import LeaseHeld
from digest.model import Span
from digest.pipeline import spans
from digest.process import this_process
from digest.smtp import open_transport
from digest.store import open_store


def main(url: str, port: str, connections: str, folder: str, first: str, last: str, lease: str = "") -> int:
    if lease:
        spans.LEASE_S, spans.MARGIN_S, spans.RENEW_S = float(lease), float(lease) / 4, float(lease) / 8
    smtp = SmtpConfig(host="127.0.0.1", port=int(port), security="none", connections=int(connections))
    mail = MailConfig(transport="smtp", smtp=smtp)
    with open_store(url) as store:
        due_at = store.next_due()
        assert due_at is not None
        try:
            report, _ = spans.deliver_span(
                store,
                open_transport(mail, base=Path),
                compose,
                mail,
                Span(edition_id=1, due_at=due_at, first=int(first), last=int(last)),
                owner=this_process(),
                clock=lambda: datetime.now(UTC),
                folder=Path(folder),
            )
        except LeaseHeld:
            print("given to another")
            return 4
    print(f"accepted {report.accepted}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
