"""A store that changes hands: from runs of one process to workers, back, and away. No mail goes out twice on the way."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from digest.app import App, open_app
from digest.app.keeping import copy_store, restore
from digest.app.post import receipts_of, receipts_of_many
from digest.config import Config
from digest.errors import UsageError
from digest.journal import Journal, Wait
from digest.model import Receipt, Span
from digest.pipeline.issue import issue as issue_for
from digest.pipeline.trying import place_of
from digest.process import this_process
from digest.store import WorkerRow
from pages import installation
from store_contract import NOW, issue, sight
from store_contract import paper as a_paper

DEAD = "elsewhere/1/1"
ACCEPTED = Receipt(status="accepted", reply_code=250, text="2.0.0 queued")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return installation(tmp_path)


def opened(config: Config) -> App:
    return open_app(config, clock=lambda: NOW)


def in_hand(app: App) -> str:
    """Three mails are claimed by a process that was killed: one was accepted, one begun, one not. Its mark."""
    for n in range(3):
        app.store.add_subscriber(f"reader{n}@example.org", digests=["daily"], now=NOW)
    sight(app.store, a_paper(), a_paper("Slow Rivers"))
    issue(app.store)
    mark = f"{DEAD} {NOW.isoformat()}"
    assert len(app.store.claim(now=NOW, holder=mark, limit=3)) == 3
    return mark


def noted(journal: Journal) -> None:
    journal.begun(1)
    journal.said(1, 1, ACCEPTED, "data")
    journal.begun(2)


def worker() -> WorkerRow:
    return WorkerRow(
        id=this_process(),
        engine_id=None,
        version="1",
        queues=("deliver",),
        doing="",
        started_at=NOW,
        seen_at=datetime.now(UTC),  # by the clock of the database
    )


def states(app: App) -> dict[str, int]:
    return {status: count for status, count in app.store.delivery_counts().items() if count}


def test_what_a_killed_worker_had_sent_is_not_sent_again_by_one_process(config: Config) -> None:
    with opened(config) as app:
        mark = in_hand(app)
        receipts_of_many(app.config).mkdir(parents=True)
        journal = Journal.among_many(receipts_of_many(app.config), "x", store=place_of(app.store), mark=mark)
        noted(journal)
        journal.close(settled=False)
        # The one of which nobody knows goes out again, with the same Message-ID.
        assert app.send().accepted == 2
        assert states(app) == {"accepted": 3}
        assert len(list(config.resolve("outbox").iterdir())) == 2


def test_what_a_killed_run_had_sent_is_not_sent_again_by_workers(config: Config) -> None:
    with opened(config) as app:
        mark = in_hand(app)
        journal = Journal(receipts_of(app.config), store=place_of(app.store), mark=mark)
        noted(journal)
        until = NOW + timedelta(minutes=5)
        journal.close(settled=False, wait=Wait(until=until, seconds=300, reason="It asked for a pause."))
        app.take_up_receipts()
        assert states(app) == {"accepted": 1, "queued": 2}
        assert app.store.wait("mail") == (until, 300, "It asked for a pause.")
        assert not receipts_of(app.config).exists()


def test_a_journal_that_never_came_to_its_name_is_removed(config: Config) -> None:
    """Its process was killed while it made it. One that is being made at this moment stays."""
    with opened(config) as app:
        folder = receipts_of_many(app.config)
        folder.mkdir(parents=True)
        for name, minutes in (("left.new", 90), ("made.new", 1)):
            (folder / name).write_bytes(b"")
            then = (NOW - timedelta(minutes=minutes)).timestamp()
            os.utime(folder / name, (then, then))
        app.take_up_receipts()
        assert [path.name for path in folder.iterdir()] == ["made.new"]


def test_a_run_that_is_at_work_keeps_its_journal(config: Config) -> None:
    with opened(config) as app:
        with app.alone():
            journal = Journal(
                receipts_of(app.config), store=place_of(app.store), mark=f"{this_process()} {NOW.isoformat()}"
            )
            app.take_up_receipts()
            assert receipts_of(app.config).exists()
        app.take_up_receipts()
        assert not receipts_of(app.config).exists()
        journal.close(settled=False)


def test_one_process_sends_nothing_while_workers_do(config: Config) -> None:
    with opened(config) as app:
        in_hand(app)
        app.store.put_worker(worker())
        report = app.send()
        assert report.error is not None
        assert "digest worker" in report.error
        assert states(app) == {"sending": 3}
        app.store.put_worker(replace(worker(), seen_at=datetime.now(UTC) - timedelta(minutes=1)))
        assert app.send().accepted == 3


def test_a_store_is_not_moved_or_put_back_under_workers(config: Config, tmp_path: Path) -> None:
    with opened(config) as app:
        app.store.put_worker(worker())
        app.store.back_up(tmp_path / "b.db")
    with pytest.raises(UsageError, match="Stop all of them"):
        copy_store(config, config.store.url, f"sqlite:///{tmp_path}/two.db", now=NOW, done=lambda rows: None)
    assert not (tmp_path / "two.db").exists()
    with pytest.raises(UsageError, match="Stop all of them"):
        restore(config, tmp_path / "b.db", replace=True, now=NOW, done=lambda rows: None)


def test_no_worker_sends_a_mail_before_the_pages_that_it_links_to(config: Config) -> None:
    """Whoever issued the edition may have died before it was published, or a disk was full."""
    with opened(config) as app:
        app.store.add_subscriber("reader@example.org", digests=["daily"], now=NOW)
        sight(app.store, a_paper())
        issued = issue_for(config.digest[0], config, app.store, day=NOW.date(), now=NOW)
        due = app.store.next_due()
        assert issued.queued == 1 and due is not None
        span = Span(edition_id=1, due_at=due, first=1, last=1)
        feeds = config.resolve(config.site.output)
        feeds.write_text("in the way")
        report, again_at = app.deliver_span(span)
        assert report.queued == 1 and report.error is not None and str(feeds) in report.error
        assert again_at == NOW + timedelta(minutes=1)
        app.store.acquire_lease("run/issue", "another", now=NOW, ttl_s=60, is_dead=lambda _: False)
        report, again_at = app.deliver_span(span)
        assert report.queued == 1 and report.error is not None and "another process" in report.error
        assert again_at == NOW + timedelta(seconds=5), "pages take seconds"
        app.store.release_lease("run/issue", "another")
        feeds.unlink()
        report, again_at = app.deliver_span(span)
        assert (report.accepted, report.error, again_at) == (1, None, None)
        assert (feeds / "index.html").exists()
