"""Many mails to servers that refuse, defer and hang up: every reader ends with the mail or suppressed, next to none with two."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from digest.config import MailConfig, SmtpConfig
from digest.model import Delivery, Edition, Message
from digest.pipeline.deliver import deliver
from digest.smtp import open_transport
from digest.store import Planned, Store, open_store
from smtp_servers import DROP, serving
from test_smtp import smtp_sink

__all__ = ["smtp_sink"]  # a fixture

NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)
BODY = b"A paper, its authors, and what it is about.\r\n" * 20


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as opened:
        yield opened


def queue(store: Store, readers: int) -> list[str]:
    addresses = [f"reader{n}@example.org" for n in range(readers)]
    for address in addresses:
        store.add_subscriber(address, digests=["daily"], now=NOW)
    edition = Edition(
        id="2026-11-19",
        digest="daily",
        title="T",
        date=date(2026, 11, 19),
        part=1,
        number=1,
        issued_at=NOW,
        guid="tag:x",
    )
    store.issue(
        edition,
        [],
        lambda reader: Planned(message_id=f"<{reader.id}@papers.example.org>", date=NOW, due_at=NOW),
    )
    return addresses


def compose(delivery: Delivery) -> Message:
    head = f"To: {delivery.subscriber.address}\r\nMessage-ID: {delivery.message_id}\r\n\r\n"
    return Message(pieces=(head.encode(), BODY))


def send(store: Store, port: int, folder: Path) -> tuple[int, list[str]]:
    """Runs deliver() until nothing waits, the clock set to the next moment each time; the runs, and their errors."""
    smtp = SmtpConfig(host="127.0.0.1", port=port, security="none", connections=8, timeout_s=20)
    mail = MailConfig(transport="smtp", from_="digest@papers.example.org", smtp=smtp)
    now: datetime | None = NOW
    runs, errors = 0, []
    while now is not None and runs < 60:
        moment = now
        report = deliver(
            store,
            open_transport(mail, base=Path),
            compose,
            mail,
            holder=f"run/{runs}",
            clock=lambda moment=moment: moment,
            journal=folder / "receipts",
        )
        runs += 1
        errors += [report.error] if report.error else []
        due = store.next_due()
        now = max(due, now + timedelta(minutes=5)) if due else None
    return runs, errors


def share(who: str, salt: str) -> float:
    """A number from 0 to 1 that is the address's own, always the same."""
    return int.from_bytes(hashlib.sha256(f"{salt} {who}".encode()).digest()[:4]) / 2**32


class Rough:
    """A server with 5 % 4xx (each reader's first try), 2 % 5xx and 1 % connections that end behind the dot, mail taken."""

    def __init__(self) -> None:
        self.tries: Counter[str] = Counter()
        self.dropped: set[str] = set()

    def __call__(self, verb: str, line: str) -> bytes | None:
        if verb not in ("RCPT", "DOT"):
            return None
        who = line.split("<")[1].split(">")[0]
        if verb == "RCPT":
            self.tries[who] += 1
            if self.gone(who):
                return b"550 5.1.1 no such user"
            return b"451 4.7.1 greylisted" if self.tries[who] == 1 and share(who, "later") < 0.05 else None
        if share(who, "drop") < 0.01 and who not in self.dropped:
            self.dropped.add(who)
            return DROP
        return None

    def gone(self, who: str) -> bool:
        return share(who, "gone") < 0.02


def prove(store: Store, folder: Path, readers: int) -> str:
    addresses = queue(store, readers)
    rough = Rough()
    with serving(rough, keep_data=False) as server:
        runs, errors = send(store, server.port, folder)
    gone = {who for who in addresses if rough.gone(who)}
    got = Counter(server.recipients())
    assert set(got) == set(addresses) - gone
    assert {s.address for s in store.subscribers("suppressed")} == gone
    counts = {status: count for status, count in store.delivery_counts().items() if count}
    assert counts == {"accepted": readers - len(gone), "rejected": len(gone)}
    repeated = sum(got.values()) - len(got)
    assert repeated == len(rough.dropped)
    ids = {(mail.recipient, mail.message_id) for mail in server.taken}
    assert len(ids) == len(got), "a repeated mail has another Message-ID"
    return (
        f"{readers} readers in {runs} runs ({len(errors)} ended early), {server.connections} connections: "
        f"{len(got)} have it, {len(gone)} suppressed, {repeated} have it twice ({repeated / readers:.2%})"
    )


def test_everybody_ends_with_the_mail_or_suppressed(store: Store, tmp_path: Path) -> None:
    prove(store, tmp_path, 600)


@pytest.mark.torture
def test_100000_readers_end_with_the_mail_or_suppressed(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\n{prove(store, tmp_path, 100_000)}\n")


def through_a_sink(
    store: Store, folder: Path, sink: Callable[..., int], readers: int, *options: str
) -> dict[str, int]:
    queue(store, readers)
    send(store, sink("-m", "64", *options), folder)
    return {status: count for status, count in store.delivery_counts().items() if count}


@pytest.mark.parametrize(
    "readers", [300, pytest.param(100_000, marks=pytest.mark.torture)], ids=["few", "100000"]
)
def test_smtp_sink_takes_all(
    store: Store, tmp_path: Path, smtp_sink: Callable[..., int], readers: int
) -> None:
    assert through_a_sink(store, tmp_path, smtp_sink, readers) == {"accepted": readers}


@pytest.mark.parametrize("option", ["-r", "-f"])
def test_smtp_sink_that_refuses_everybody_for_no_reason_costs_nobody_their_subscription(
    store: Store, tmp_path: Path, smtp_sink: Callable[..., int], option: str
) -> None:
    """-r: 4xx for each recipient, until the edition is too old. -f: 5xx, which smtp-sink says in words of no meaning."""
    counts = through_a_sink(store, tmp_path, smtp_sink, 40, option, "RCPT")
    assert set(counts) <= {"expired", "rejected", "queued"}
    assert sum(counts.values()) == 40
    assert store.subscribers("suppressed") == []


def test_a_server_with_few_connections_is_not_asked_for_more(store: Store, tmp_path: Path) -> None:
    """At most one connection for each hundred mails, and those that were lost."""
    queue(store, 1000)
    with serving(keep_data=False) as server:
        send(store, server.port, tmp_path)
    assert server.connections <= 10
