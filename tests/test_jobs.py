"""Jobs that carry spans of deliveries: enqueued with the edition, held until its pages are there, made again if they are lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from digest.errors import StoreError
from digest.model import Receipt, Span, Subscriber
from digest.store import Job, Planned, Store, open_store
from digest.store.jobs import HELD
from store_contract import NOW, TODAY, edition

pytestmark = pytest.mark.postgres
LATER = NOW + timedelta(hours=3)
ACCEPTED = Receipt(status="accepted", reply_code=250)


@pytest.fixture
def store(engine_url: str) -> Iterator[Store]:
    with open_store(engine_url) as opened:
        yield opened


def asked(url: str, sql: str) -> list[tuple[object, ...]]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(sql.encode()).fetchall()


def jobs(url: str) -> list[tuple[Span, datetime]]:
    """The spans of the jobs that wait, and when they may begin."""
    rows = asked(
        url,
        "SELECT (args ->> 'edition_id')::int, args ->> 'due_at', (args ->> 'first')::int, (args ->> 'last')::int, scheduled_at"
        " FROM procrastinate_jobs WHERE status = 'todo' AND task_name = 'deliver' AND queue_name = 'deliver' ORDER BY id",
    )
    return [
        (Span(edition_id=e, due_at=datetime.fromisoformat(d), first=f, last=n), at)  # type: ignore[arg-type,misc]
        for e, d, f, n, at in rows
    ]


def issue(store: Store, readers: int, *, batch: int, part: int = 1) -> None:
    """An edition to so many readers; every third gets it later."""
    for n in range(readers):
        store.add_subscriber(f"reader{n}@example.org", digests=["daily"], now=NOW)

    def planned(reader: Subscriber) -> Planned:
        due = NOW if reader.id % 3 else LATER
        return Planned(message_id=f"<{part}.{reader.id}@papers.example.org>", date=due, due_at=due)

    assert store.issue(edition(store, [], part=part), [], planned, batch=batch) == readers


def span(due_at: datetime, first: int, last: int, edition_id: int = 1) -> Span:
    return Span(edition_id=edition_id, due_at=due_at, first=first, last=last)


def test_an_edition_brings_a_job_for_each_moment_and_batch(store: Store, engine_url: str) -> None:
    issue(store, 20, batch=5)
    assert jobs(engine_url) == [
        (span(NOW, 1, 7), NOW + HELD),
        (span(NOW, 8, 14), NOW + HELD),
        (span(NOW, 16, 20), NOW + HELD),
        (span(LATER, 3, 15), LATER),
        (span(LATER, 18, 18), LATER),
    ]
    assert store.job_counts() == {"deliver": {"todo": 5}}
    carried = [number for each, _ in jobs(engine_url) for number in range(each.first, each.last + 1)]
    assert set(carried) >= set(range(1, 21))
    for each, _ in jobs(engine_url):
        assert store.delivery_counts(span=each)["queued"] == (
            4 if each.last == 20 else 1 if each.first == 18 else 5
        )


def test_an_edition_that_is_not_issued_brings_none(store: Store, engine_url: str) -> None:
    issue(store, 4, batch=2)
    with pytest.raises(StoreError, match="already"):
        issue(store, 4, batch=2)
    with pytest.raises(RuntimeError), store.together():
        store.enqueue([Job(task="tidy", args={"run": 1})])
        raise RuntimeError
    assert len(jobs(engine_url)) == 3
    assert store.job_counts() == {"deliver": {"todo": 3}}


def test_jobs_wait_for_the_pages_and_no_longer(store: Store, engine_url: str) -> None:
    import psycopg

    issue(store, 6, batch=2)
    with psycopg.connect(engine_url, autocommit=True) as ear:
        ear.execute('LISTEN "procrastinate_queue_v1#deliver"')
        assert store.release_deliveries(("daily", f"{TODAY}"), now=NOW) == 2
        (heard,) = ear.notifies(timeout=10, stop_after=1)
        assert "job_inserted" in heard.payload
    assert [at for _, at in jobs(engine_url)] == [NOW, NOW, LATER]
    assert store.release_deliveries(1, now=NOW) == 0
    assert store.release_deliveries(("daily", "2020-01-01"), now=NOW) == 0


def test_a_job_knows_its_locks_and_its_hour(store: Store, engine_url: str) -> None:
    numbers = store.enqueue(
        [
            Job(task="collect", args={"run": 7, "place": 0}, lock="a", queueing_lock="b"),
            Job(task="tidy", args={"run": 7}, at=LATER),
        ]
    )
    assert asked(
        engine_url,
        "SELECT id, queue_name, task_name, lock, queueing_lock, args, scheduled_at FROM procrastinate_jobs ORDER BY id",
    ) == [
        (numbers[0], "collect", "collect", "a", "b", {"run": 7, "place": 0}, None),
        (numbers[1], "tidy", "tidy", None, None, {"run": 7}, LATER),
    ]
    assert store.enqueue([]) == []


def test_mail_that_no_job_carries_is_found_again(store: Store, engine_url: str) -> None:
    issue(store, 20, batch=5)
    assert store.spans_left_out(now=LATER, batch=5) == []
    asked(engine_url, "DELETE FROM procrastinate_jobs WHERE args ->> 'first' IN ('8', '3') RETURNING id")
    assert store.spans_left_out(now=NOW - timedelta(seconds=1), batch=5) == []
    assert store.spans_left_out(now=NOW, batch=3) == [span(NOW, 8, 11), span(NOW, 13, 14)]
    assert store.spans_left_out(now=LATER, batch=400) == [span(NOW, 8, 14), span(LATER, 3, 15)]


def test_what_was_being_sent_or_is_tried_again_is_found_too(store: Store, engine_url: str) -> None:
    issue(store, 9, batch=0)
    whole = span(NOW, 1, 9)
    one, two, three, *_ = store.claim(now=NOW, holder="dead", limit=6, span=whole)
    later = Receipt(status="deferred", reply_code=451)
    store.record_receipts([(one, ACCEPTED, None), (two, later, LATER)], now=NOW, holder="dead", span=whole)
    store.release([three], now=NOW, holder="dead")
    assert store.spans_left_out(now=NOW, batch=400) == [span(NOW, 4, 8)]
    assert store.spans_left_out(now=LATER, batch=400) == [span(NOW, 2, 8), span(LATER, 3, 9)]


def test_what_is_held_is_found_when_it_is_to_be_given_up(store: Store, engine_url: str) -> None:
    issue(store, 2, batch=0)
    store.claim(now=NOW, holder="dead", limit=1, span=span(NOW, 1, 2))
    assert store.release_claimed("dead", untouched=[], resend=False, now=NOW) == 1
    assert store.spans_left_out(now=NOW, batch=9, older_than=NOW) == [span(NOW, 2, 2)]
    assert store.spans_left_out(now=NOW, batch=9, older_than=LATER) == [span(NOW, 1, 2)]


def test_the_jobs_of_a_dead_worker_wait_again(store: Store, engine_url: str) -> None:
    issue(store, 6, batch=2)
    ((worker,),) = asked(engine_url, "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
    asked(
        engine_url,
        f"UPDATE procrastinate_jobs SET status = 'doing', worker_id = {worker} WHERE args ->> 'first' = '1' RETURNING id",
    )
    assert store.job_counts() == {"deliver": {"doing": 1, "todo": 2}}
    assert store.spans_left_out(now=NOW, batch=2) == []
    assert store.requeue_jobs([int(str(worker)) + 1], now=LATER) == 0
    assert store.requeue_jobs([], now=LATER) == 0
    assert store.requeue_jobs([int(str(worker))], now=LATER) == 1
    assert (span(NOW, 1, 2), LATER) in jobs(engine_url)


def test_without_an_engine_there_are_no_jobs(
    new_database: Callable[[], str], tmp_path: Path, empty_sqlite: Path
) -> None:
    for address in (f"sqlite:///{tmp_path / 'digest.db'}", new_database()):
        with open_store(address) as store:
            with pytest.raises(StoreError, match="digest worker"):
                store.enqueue([Job(task="tidy", args={"run": 1})])
            with pytest.raises(StoreError, match="digest worker"):
                issue(store, 2, batch=2)
            assert store.delivery_counts() == {}
            assert store.job_counts() == {}
            assert store.spans_left_out(now=NOW, batch=2) == []
            assert store.release_deliveries(1, now=NOW) == 0
            assert store.requeue_jobs([1], now=NOW) == 0
