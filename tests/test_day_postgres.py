"""The day on PostgreSQL: the same editions, pages and mails as on SQLite, byte for byte."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.app import open_app
from digest.config import Config, MailConfig, SmtpConfig
from digest.errors import StoreError
from digest.store import Store
from pages import installation, invented, rss, tree
from smtp_servers import serving
from store_contract import empty_postgres, start_postgres, stop_postgres

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


# --- the server is restarted in the middle of the day

PAPERS, READERS = 9, 12


@contextmanager
def counted(store: Store, act: Callable[[int], None]) -> Iterator[None]:
    """Calls `act` with its number before each statement that reaches the server from here on, the ends of transactions included."""
    done = 0
    database: Any = store._db
    names = ("begin", "execute", "execute_many", "commit")
    before = {name: getattr(database, name) for name in names}

    def telling(name: str) -> Callable[..., Any]:
        def told(*args: Any, **options: Any) -> Any:
            nonlocal done
            done += 1
            act(done)
            return before[name](*args, **options)

        return told

    for name in names:
        setattr(database, name, telling(name))
    try:
        yield
    finally:
        for name in names:
            delattr(database, name)


def day_of(folder: Path, url: str, mail: MailConfig) -> Config:
    config = installation(folder, store=url, mail=mail)
    (folder / "inbox" / "page.xml").write_bytes(rss(invented(0, PAPERS)))
    empty_postgres(url)
    with open_app(config) as app:
        for n in range(READERS):
            app.store.add_subscriber(f"reader{n}@example.org", digests=(), now=NOW)
    return config


def run(config: Config, at: datetime, act: Callable[[int], None] = lambda number: None) -> str:
    """One run; what it failed with, "" where it did not."""
    with open_app(config, clock=lambda: at) as app, counted(app.store, act):
        try:
            app.daily(at)
        except StoreError as error:
            return str(error)
    return ""


def restarted_at(folder: Path, url: str, server: Any, mail: MailConfig, point: int) -> str:
    """A day in which the server dies and comes back before this statement, and the run after it. What the first failed with."""

    def act(number: int) -> None:
        if number == point:
            stop_postgres(server)
            start_postgres(server)

    config = day_of(folder, url, mail)
    failed = run(config, NOW, act)
    assert failed == "" or "connection" in failed
    assert run(config, NOW + timedelta(minutes=20)) == ""
    with open_app(config) as app:
        shown = Counter(entry.paper.key for one in app.store.all_editions("daily") for entry in one.entries)
        assert len(shown) == PAPERS and set(shown.values()) == {1}
        assert dict(app.store.delivery_counts()) == {"accepted": READERS}
        assert app.store.check() == []
    return failed


def over_smtp(folder: Path, url: str, server: Any, point: int) -> str:
    with serving(keep_data=False) as sink:
        smtp = SmtpConfig(host="127.0.0.1", port=sink.port, security="none", connections=2)
        mail = MailConfig(transport="smtp", from_="digest@papers.example.org", smtp=smtp)
        failed = restarted_at(folder, url, server, mail, point)
        got = Counter(sink.recipients())
    assert set(got) == {f"reader{n}@example.org" for n in range(READERS)}
    assert sum(got.values()) <= READERS + 1
    return failed


def into_folder(folder: Path, url: str, server: Any, point: int) -> str:
    mail = MailConfig(folder="outbox", from_="Paper Digest <digest@papers.example.org>")
    failed = restarted_at(folder, url, server, mail, point)
    assert len(tree(folder / "outbox")) == READERS  # one file for each mail: a repeated one has the same name
    return failed


def points(folder: Path, url: str, count: int) -> list[int]:
    """Statements spread over a whole day."""
    reached = 0

    def act(number: int) -> None:
        nonlocal reached
        reached = number

    mail = MailConfig(folder="outbox", from_="Paper Digest <digest@papers.example.org>")
    assert run(day_of(folder, url, mail), NOW, act) == ""
    assert reached > 40
    return [1 + round((reached - 1) * n / (count - 1)) for n in range(count)]


@pytest.mark.parametrize("way", [over_smtp, into_folder])
def test_a_restart_of_the_server_costs_no_paper_and_no_mail(
    tmp_path: Path, postgres_url: str, postgres_server: Any, way: Callable[..., str]
) -> None:
    restarts(tmp_path, postgres_url, postgres_server, way, 5)


@pytest.mark.torture
@pytest.mark.parametrize("way", [over_smtp, into_folder])
def test_a_restart_anywhere_costs_no_paper_and_no_mail(
    tmp_path: Path, postgres_url: str, postgres_server: Any, way: Callable[..., str]
) -> None:
    restarts(tmp_path, postgres_url, postgres_server, way, 40)


def restarts(tmp_path: Path, url: str, server: Any, way: Callable[..., str], count: int) -> None:
    """The first and the last of the points say nothing, since nothing is lost there."""
    import psycopg

    (tmp_path / "whole").mkdir()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")  # the server is to recover from this day, not from all tests before
    failed = []
    for point in points(tmp_path / "whole", url, count)[1:-1]:
        (folder := tmp_path / str(point)).mkdir()
        failed.append(way(folder, url, server, point))
    assert any(failed)
