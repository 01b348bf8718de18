"""Whole runs killed at random moments, from reading to sending: no paper, page or reader is lost, and none is repeated."""

from __future__ import annotations

import random
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.app import open_app
from digest.configfile import load_config
from kill_loop import copies, duplicates_per_kill, kill_loop
from pages import invented, rss
from smtp_servers import serving

PAPERS = 12


class Installation:
    """A configuration with readers, whose source gets further papers whenever little is left to send."""

    def __init__(self, folder: Path, port: int, *, readers: int, connections: int) -> None:
        self.file = folder / "config.toml"
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.listed = 0
        smtp = f'{{ host = "127.0.0.1", port = {port}, security = "none", connections = {connections} }}'
        self.file.write_text(
            '[site]\nurl = "https://papers.example.org/"\n[store]\nurl = "sqlite:///digest.db"\n'
            '[[source]]\nname = "inbox"\npath = "inbox"\n[[digest]]\nname = "daily"\n'
            f'[mail]\ntransport = "smtp"\nfrom = "D <d@papers.example.org>"\nsmtp = {smtp}\n'
        )
        self.config = load_config(self.file, {})
        with open_app(self.config) as app:
            for n in range(readers):
                app.store.add_subscriber(f"reader{n}@example.org", digests=(), now=datetime.now(UTC))
        self.readers, self.least = readers, readers // 2

    def refill(self) -> None:
        with open_app(self.config) as app:
            counts = app.store.delivery_counts()
            if counts.get("queued", 0) + counts.get(
                "sending", 0
            ) < self.least and not app.store.count_waiting("daily"):
                page = rss(invented(self.listed, PAPERS))
                self.listed += PAPERS
                # A page of its own: one that a killed run did not come to is still there for the next.
                (self.inbox / f"{self.listed:06}.xml").write_bytes(page)


def prove(folder: Path, *, kills: int, readers: int, connections: int, seed: int) -> str:
    with serving(keep_data=False) as server:
        made = Installation(folder, server.port, readers=readers, connections=connections)
        command = [sys.executable, "-m", "digest", "--config", str(made.file), "-q", "run", "--again"]
        tally = kill_loop(
            command,
            server,
            kills=kills,
            rng=random.Random(seed),
            refill=made.refill,
            most_mails=readers // 4,
            longest_start_s=1.5,
        )
    with open_app(made.config) as app:
        editions = list(app.store.all_editions("daily"))
        counts = {state: count for state, count in app.store.delivery_counts().items() if count}
        assert app.store.check() == []
        assert app.rebuild().written == 0, "a page was missing or stale after the last run"
    titles = Counter(entry.paper.title for edition in editions for entry in edition.entries)
    assert titles == Counter(title for title, _ in invented(0, made.listed)), "a paper was lost or repeated"
    got = copies(server.taken)
    assert Counter(who for who, _ in got) == {f"reader{n}@example.org": len(editions) for n in range(readers)}
    repeated = duplicates_per_kill(server.taken, tally.cuts)
    assert max(repeated) <= connections
    assert counts == {"accepted": readers * len(editions)}
    return (
        f"{tally.kills} kills in {tally.runs} runs, {made.listed} papers in {len(editions)} editions, {len(server.taken)} "
        f"mails to {readers} readers: 0 lost, {sum(repeated)} repeated, at most {max(repeated)} after one kill"
    )


@pytest.mark.parametrize("connections", [1, 4])
def test_a_whole_run_that_is_killed_loses_no_paper_and_no_reader(tmp_path: Path, connections: int) -> None:
    prove(tmp_path, kills=4, readers=60, connections=connections, seed=connections)


@pytest.mark.torture
def test_200_killed_runs_lose_no_paper_and_no_reader(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = prove(tmp_path, kills=200, readers=500, connections=4, seed=2026)
    with capsys.disabled():
        sys.stdout.write(f"\n{figures}\n")
