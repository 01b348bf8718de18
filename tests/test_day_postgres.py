"""The day on PostgreSQL: the same editions, pages and mails as on SQLite, byte for byte."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.app import open_app
from pages import installation, invented, rss, tree
from store_contract import empty_postgres

pytestmark = pytest.mark.postgres
NOW = datetime(2026, 11, 19, 6, tzinfo=UTC)


def three_days(folder: Path, store: str = "") -> tuple[dict[str, bytes], dict[str, bytes], list[object]]:
    """The published files, the mails and the counts of three days, the last of them with a revised paper and none new."""
    config = installation(folder, store=store)
    reports: list[object] = []
    with open_app(config) as app:
        for n in range(5):
            app.store.add_subscriber(f"reader{n}@example.org", digests=(), now=NOW)
    for day, papers in enumerate([invented(0, 30), invented(20, 30), invented(40, 10)]):
        (folder / "inbox" / "page.xml").write_bytes(rss(papers))
        now = NOW + timedelta(days=day)
        with open_app(config, clock=lambda now=now: now) as app:  # type: ignore[misc]
            report = app.daily(now)
            assert app.store.check() == []
        reports.append([(s.new, s.updated, s.seen) for s in report.sources])
        reports.append(report.deliveries)
    files = {name: body for name, (body, _) in tree(folder / "feeds").items()}
    return files, {name: body for name, (body, _) in tree(folder / "outbox").items()}, reports


def test_both_stores_publish_and_send_the_same_bytes(tmp_path: Path, postgres_url: str) -> None:
    empty_postgres(postgres_url)
    for name in ("sqlite", "postgres"):
        (tmp_path / name).mkdir()
    ours = three_days(tmp_path / "sqlite")
    theirs = three_days(tmp_path / "postgres", postgres_url)
    assert ours[2] == theirs[2]
    assert ours[0] == theirs[0]
    assert without_tokens(ours[1]) == without_tokens(theirs[1])
    assert len(ours[1]) == 10


def without_tokens(mails: dict[str, bytes]) -> dict[str, bytes]:
    """The mails without what each store signs with its own key, and the line ends that stand for nothing (RFC 2045, 6.7)."""
    return {
        name: re.sub(rb"[?]t=(3D)?[\w-]{22}", b"", body.replace(b"=\r\n", b""))
        for name, body in mails.items()
    }


def test_a_dry_run_leaves_no_trace_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    empty_postgres(postgres_url)
    config = installation(tmp_path, store=postgres_url)
    (tmp_path / "inbox" / "page.xml").write_bytes(rss(invented(0, 3)))
    with open_app(config) as app:
        assert app.daily(NOW, dry_run=True).sources[0].new == 3
    with open_app(config) as app:
        assert app.store.last_runs(1) == []
        assert app.daily(NOW).sources[0].new == 3
