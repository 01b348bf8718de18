"""Programs killed at random moments while they send: nobody is left out, and a duplicate is told by its Message-ID."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from digest.model import Edition, Subscriber
from digest.store import Planned, Store, open_store
from kill_loop import copies, duplicates_per_kill, kill_loop
from smtp_servers import SmtpServer, serving

WORKER = str(Path(__file__).with_name("deliver_worker.py"))
FIRST_DAY = date(2026, 1, 1)


class Editions:
    """A store of subscribers that gets a further edition whenever less than a run's worth of mail is queued."""

    def __init__(self, url: str, readers: int, *, least: int) -> None:
        self.url, self.least, self.issued = url, least, 0
        with open_store(url) as store:
            for n in range(readers):
                store.add_subscriber(f"reader{n}@example.org", digests=["daily"], now=datetime.now(UTC))
            self.addresses = [subscriber.address for subscriber in store.subscribers()]

    def refill(self) -> None:
        with open_store(self.url) as store:
            counts = store.delivery_counts()
            if counts.get("queued", 0) + counts.get("sending", 0) < self.least:
                self._issue(store)

    def _issue(self, store: Store) -> None:
        day, now = FIRST_DAY + timedelta(days=self.issued), datetime.now(UTC)
        self.issued += 1
        guid = f"tag:papers.example.org,2026:daily:{day}"
        edition = Edition(
            id=f"{day}",
            digest="daily",
            title="T",
            date=day,
            part=1,
            number=self.issued,
            issued_at=now,
            guid=guid,
        )

        def delivery(subscriber: Subscriber) -> Planned:
            return Planned(message_id=f"<{day}.{subscriber.id}@papers.example.org>", date=now, due_at=now)

        assert store.issue(edition, [], delivery) == len(self.addresses)

    def expected(self) -> set[tuple[str, str]]:
        days = [FIRST_DAY + timedelta(days=n) for n in range(self.issued)]
        with open_store(self.url) as store:
            ids = {subscriber.address: subscriber.id for subscriber in store.subscribers()}
        return {(who, f"<{day}.{ids[who]}@papers.example.org>") for day in days for who in ids}

    def counts(self) -> dict[str, int]:
        with open_store(self.url) as store:
            return {status: count for status, count in store.delivery_counts().items() if count}


def prove(
    folder: Path,
    *,
    kills: int,
    readers: int,
    connections: int,
    seed: int,
    most_mails: int = 0,
) -> str:
    """Runs the kills and checks all that was promised; returns the figures in one line."""
    editions = Editions(f"sqlite:///{folder / 'digest.db'}", readers, least=readers // 2)
    with serving(keep_data=False) as server:
        journal = folder / "digest.db.receipts"
        command = [sys.executable, WORKER, editions.url, str(server.port), str(connections), str(journal)]
        tally = kill_loop(
            command,
            server,
            kills=kills,
            rng=random.Random(seed),
            refill=editions.refill,
            most_mails=most_mails or readers // 4,
        )
    got = copies(server.taken)
    assert set(got) == editions.expected()
    assert len({message_id for _, message_id in got}) == len(got), "a Message-ID went to two readers"
    repeated = duplicates_per_kill(server.taken, tally.cuts)
    assert max(repeated) <= connections
    assert editions.counts() == {"accepted": readers * editions.issued}
    return (
        f"{tally.kills} kills in {tally.runs} runs, {len(server.taken)} mails of {editions.issued} editions to "
        f"{readers} readers: 0 lost, {sum(repeated)} repeated, at most {max(repeated)} after one kill"
    )


@pytest.mark.parametrize("connections", [1, 4])
def test_a_run_that_is_killed_loses_nobody(tmp_path: Path, connections: int) -> None:
    prove(tmp_path, kills=3, readers=160, connections=connections, seed=connections)


@pytest.mark.torture
@pytest.mark.parametrize("connections", [1, 8])
def test_1000_kills_of_a_send_to_20000_lose_nobody(
    tmp_path: Path, connections: int, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = prove(
        tmp_path,
        kills=500,
        readers=20_000,
        connections=connections,
        seed=2026 + connections,
        most_mails=400,
    )
    with capsys.disabled():
        sys.stdout.write(f"\n{connections} connections: {figures}\n")


def interrupted(editions: Editions, server: SmtpServer, after: int) -> int:
    editions.refill()
    journal = editions.url.removeprefix("sqlite:///") + ".receipts"
    with subprocess.Popen([sys.executable, WORKER, editions.url, str(server.port), "3", journal]) as child:
        assert server.wait_for(after)
        child.send_signal(signal.SIGTERM)
        return child.wait(60)


def test_sigterm_finishes_the_mails_in_flight_and_repeats_none(tmp_path: Path) -> None:
    editions = Editions(f"sqlite:///{tmp_path / 'digest.db'}", 60, least=60)
    with serving(keep_data=False) as server:
        for _ in range(4):
            assert interrupted(editions, server, len(server.taken) + 7) == 0
            counts = editions.counts()
            assert "sending" not in counts
            assert counts["accepted"] == len(server.taken)
    assert set(copies(server.taken).values()) == {1}
