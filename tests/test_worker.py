"""`digest worker`: it says what it does, gives back what it cannot finish, and takes over from the dead."""

from __future__ import annotations

import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from digest.app import App, open_app
from digest.app.post import workers_alive
from digest.config import MailboxConfig, MonitorConfig, SourceConfig
from digest.errors import PublishError, Stopped, StoreError, UsageError
from digest.model import Preferences
from digest.store.jobs import Job
from digest.worker import Worker
from digest.worker.duties import Duties, row_of
from digest.worker.engine import pause_after
from digest.worker.tasks import Again, Apps
from fleets import NOW, begin, config_of, installation, status_of, wait_for, workers, write_pages
from imap_servers import PASSWORD, USER, ImapServer, imap
from test_a_polite_run import ARCHIVES
from test_a_polite_run import serving as fake_arxiv

pytestmark = pytest.mark.postgres


@pytest.fixture
def app(tmp_path: Path, engine_url: str) -> Iterator[App]:
    file = installation(tmp_path, engine_url)
    write_pages(tmp_path, 0)
    with open_app(config_of(file), clock=lambda: NOW) as made:
        yield made


def asked(url: str, sql: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(sql.encode()).fetchone()


def taken_by_another(app: App, url: str) -> tuple[int, int]:
    """A job that another worker of the engine is doing: their numbers."""
    (job,) = app.store.enqueue([Job(task="tidy", args={"run": 1})])
    (engine,) = asked(url, "SELECT worker_id FROM procrastinate_register_worker_v1()")
    assert asked(url, f"SELECT id FROM procrastinate_fetch_job_v2(NULL, {engine})") == (job,)
    return job, engine


def duties(app: App, name: str = "here") -> Duties:
    return Duties(app, row_of(f"elsewhere.example.org/{name}/1", "1", ("tidy",), NOW), lambda: "")


# ---------------------------------------------------------------- the dead


def test_the_jobs_of_a_dead_process_of_this_machine_are_given_back_at_once(app: App, engine_url: str) -> None:
    _, engine = taken_by_another(app, engine_url)
    dead = row_of(f"{socket.gethostname()}/4194304/1", "1", ("tidy",), NOW, engine)
    app.store.put_worker(dead)
    app.store.acquire_lease("run/issue", dead.id, now=NOW, ttl_s=900, is_dead=lambda who: False)
    duties(app).rescue()
    assert app.store.job_counts()["tidy"] == {"todo": 1}
    assert app.store.workers() == []
    assert asked(engine_url, "SELECT COUNT(*) FROM procrastinate_workers") == (0,)
    with app.alone("issue"):
        pass


def test_those_of_another_machine_when_it_was_silent_for_half_a_minute(app: App, engine_url: str) -> None:
    _, engine = taken_by_another(app, engine_url)
    now = app.store.server_time()
    silent = row_of("other.example.org/7/7", "1", ("tidy",), now - timedelta(seconds=5), engine)
    app.store.put_worker(silent)
    duties(app).rescue()
    assert app.store.job_counts()["tidy"] == {"doing": 1}
    app.store.put_worker(msgspec.structs.replace(silent, seen_at=now - timedelta(seconds=31)))
    duties(app).rescue()
    assert app.store.job_counts()["tidy"] == {"todo": 1}


def test_the_clock_of_whoever_looks_makes_nobody_dead_and_nobody_live(app: App, engine_url: str) -> None:
    """Both say and judge it by the clock of the database; their own may be an hour apart."""
    _, engine = taken_by_another(app, engine_url)
    config, now = app.config, datetime.now(UTC)
    with (
        open_app(config, clock=lambda: now - timedelta(hours=1)) as slow,
        open_app(config, clock=lambda: now + timedelta(hours=1)) as fast,
    ):
        duties(slow, "slow").registered(engine)
        duties(fast, "fast").registered(None)
        duties(fast, "fast").rescue()
        assert [row.id for row in app.store.workers()] == [
            "elsewhere.example.org/fast/1",
            "elsewhere.example.org/slow/1",
        ]
        assert fast.fleet_state(fast.clock()).silent == frozenset()
        assert workers_alive(fast.store)
        asked(engine_url, "UPDATE workers SET seen_at = '2026-01-01T00:00:00.000000Z' RETURNING id")
        duties(slow, "slow").rescue()
        assert [row.id for row in app.store.workers()] == ["elsewhere.example.org/slow/1"]


def test_a_worker_that_wakes_up_cannot_end_a_job_that_was_given_to_another(app: App, engine_url: str) -> None:
    job, engine = taken_by_another(app, engine_url)
    long_ago = app.store.server_time() - timedelta(minutes=1)
    app.store.put_worker(row_of("other.example.org/7/7", "1", (), long_ago, engine))
    duties(app).rescue()
    assert not app.store.end_job(job, engine, "succeeded")
    (another,) = asked(engine_url, "SELECT worker_id FROM procrastinate_register_worker_v1()")
    assert asked(engine_url, f"SELECT id FROM procrastinate_fetch_job_v2(NULL, {another})") == (job,)
    assert not app.store.end_job(job, engine, "succeeded")
    assert not app.store.put_back_job(job, engine, at=NOW)
    assert app.store.end_job(job, another, "succeeded")


def test_jobs_of_workers_that_nobody_knows_are_given_back_too(app: App, engine_url: str) -> None:
    taken_by_another(app, engine_url)
    duties(app).rescue()
    assert app.store.job_counts()["tidy"] == {"doing": 1}, "it has only just taken it"
    asked(
        engine_url,
        "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '2 minutes' RETURNING id",
    )
    duties(app).rescue()
    assert app.store.job_counts()["tidy"] == {"todo": 1}


def test_who_is_heard_keeps_its_jobs_though_the_engine_does_not_hear_of_it(app: App, engine_url: str) -> None:
    _, engine = taken_by_another(app, engine_url)
    app.store.put_worker(row_of("other.example.org/7/7", "1", ("tidy",), app.store.server_time(), engine))
    asked(
        engine_url,
        "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '2 minutes' RETURNING id",
    )
    duties(app).rescue()
    assert app.store.job_counts()["tidy"] == {"doing": 1}


def test_a_job_that_is_being_done_by_nobody_is_given_back(app: App, engine_url: str) -> None:
    taken_by_another(app, engine_url)
    asked(engine_url, "DELETE FROM procrastinate_workers RETURNING id")
    duties(app).rescue()
    assert app.store.job_counts()["tidy"] == {"todo": 1}


def test_who_leaves_gives_its_jobs_back_and_is_not_seen_again(app: App, engine_url: str) -> None:
    _, engine = taken_by_another(app, engine_url)
    mine = duties(app)
    mine.registered(engine)
    mine.leave()
    mine.beat()  # one that was under way
    assert app.store.job_counts()["tidy"] == {"todo": 1}
    assert app.store.workers() == []


def test_that_the_store_is_gone_is_said_once_and_that_it_is_back(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mine = duties(app)
    beat = mine._safely(mine.beat)
    with caplog.at_level(logging.INFO, logger="digest.worker"):
        beat()
        with monkeypatch.context() as patch:
            patch.setattr(app.store, "server_time", lambda: _raise(StoreError("The database is away.")))
            beat()
            beat()
        beat()
        beat()
    assert [record.getMessage() for record in caplog.records] == [
        "The database is away.",
        "the store answers again",
    ]


def _raise(error: Exception) -> datetime:
    raise error


@pytest.fixture
def reports() -> Iterator[ImapServer]:
    with imap({3: b"Subject: a question\r\n\r\nWhen do the herons come?\r\n"}) as server:
        yield server


def test_the_leader_sends_letters_reads_the_mailbox_and_mails_the_operator_of_a_silent_digest(
    app: App, reports: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again, beside any job."""
    mailbox = MailboxConfig(
        host="127.0.0.1", port=reports.port, security="none", username=USER, password=PASSWORD
    )
    for name in ("_LEAD_S", "_LETTERS_S", "_WATCH_S", "_MAILBOX_S"):
        monkeypatch.setattr(f"digest.worker.duties.{name}", 0.05)
    config, now, before = app.config, [NOW], set(threading.enumerate())
    daily = msgspec.structs.replace(config.digest[0], schedule="0 7 * * *")
    monitor = MonitorConfig(mail_to="operator@example.org")
    mail = msgspec.structs.replace(config.mail, mailbox=mailbox)
    config = msgspec.structs.replace(config, digest=(daily,), monitor=monitor, mail=mail)

    def got(address: str) -> bool:
        mails = Path(config.file).parent.glob("outbox/*.eml")
        return any(f"To: {address}" in mail.read_text() for mail in mails)

    with open_app(config, clock=lambda: now[0]) as made:
        made.watch(NOW)  # since then the schedule is known
        ann = made.store.add_pending(
            "ann@example.org", digests=(), preferences=Preferences(), consent="form", now=NOW
        )
        leader = duties(made)
        leader.start()
        try:
            made.store.queue_letter(ann.id, "confirm", message_id="<1@papers.example.org>", now=NOW)
            wait_for(lambda: got("ann@example.org"))
            wait_for(lambda: reports.seen == {3})
            assert not got("operator@example.org")
            now[0] += timedelta(days=3)
            wait_for(lambda: got("operator@example.org"))
        finally:
            leader.stop()
            for duty in set(threading.enumerate()) - before:
                duty.join(60)


def test_a_new_session_takes_up_what_the_last_one_left(app: App, engine_url: str) -> None:
    _, engine = taken_by_another(app, engine_url)
    mine = duties(app)
    mine.registered(engine)
    mine.registered(engine + 1)
    assert app.store.job_counts()["tidy"] == {"todo": 1}
    assert [row.engine_id for row in app.store.workers()] == [engine + 1]


def test_the_lead_is_taken_over_when_its_holder_is_dead_or_silent(app: App) -> None:
    now = [NOW]
    config = app.config
    with open_app(config, clock=lambda: now[0]) as one, open_app(config, clock=lambda: now[0]) as two:
        first, second = duties(one, "1"), duties(two, "2")
        first.lead()
        second.lead()
        assert one.store.lease_holder("leader", now=NOW) == "elsewhere.example.org/1/1"
        now[0] += timedelta(seconds=10)
        first.lead()
        now[0] += timedelta(seconds=10)
        second.lead()
        assert one.store.lease_holder("leader", now=now[0]) == "elsewhere.example.org/1/1"
        now[0] += timedelta(seconds=10)
        second.lead()
        assert one.store.lease_holder("leader", now=now[0]) == "elsewhere.example.org/2/1"
        second.leave()
        first.lead()
        assert one.store.lease_holder("leader", now=now[0]) == "elsewhere.example.org/1/1"


def test_jobs_that_ended_are_forgotten_after_a_day(app: App, engine_url: str) -> None:
    job, engine = taken_by_another(app, engine_url)
    app.store.end_job(job, engine, "succeeded")
    now = datetime.now(UTC)  # the engine's own times are those of the server
    assert app.store.forget_ended(older_than=now - timedelta(days=1)) == 0
    assert app.store.forget_ended(older_than=now + timedelta(minutes=1)) == 1


@pytest.mark.parametrize(
    ("error", "pauses"),
    [
        (StoreError("gone"), [1, 2, 4, 8, 16, 32, 60, 60]),
        (PublishError("full"), [15, 30, 60, 120, 240, 480, 900, 900]),
        (KeyError("oops"), [10, 60, 360, None]),
    ],
)
def test_pauses_grow_and_a_fault_of_the_program_is_given_up(
    error: Exception, pauses: list[float | None]
) -> None:
    assert [pause_after(error, tried) for tried in range(len(pauses))] == pauses


# ---------------------------------------------------------------- a worker at work


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_worker_started_as_a_shell_does_is_seen_and_ends_within_ten_seconds(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    """Also while a source hangs that has a minute: its job is there for another."""
    with silent_server() as port:
        more = f'[[source]]\nname = "slow"\nurl = "http://127.0.0.1:{port}/feed"\nallow_private = true\n'
        file = installation(tmp_path, new_database(), more=more)
        command = [sys.executable, "-m", "digest", "--config", str(file)]
        with (
            subprocess.Popen(
                [*command, "worker", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            ) as worker,
            open_app(config_of(file)) as app,
        ):
            wait_for(lambda: app.store.engine_there() and bool(app.fleet_state(app.clock()).leader))
            run = begin(file, 0)
            wait_for(lambda: f"collect {run}/0" in app.store.workers()[0].doing)
            shown = subprocess.run([*command, "status"], capture_output=True, check=True).stdout.decode()
            began = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            printed, said = worker.communicate(timeout=60)
            assert worker.returncode == 0
            assert time.monotonic() - began < 50, (
                "ten seconds, on a machine that has time; the source has a minute"
            )
            duties(app).rescue()  # on a machine that has no time others see to what it could not say
            assert app.store.workers() == []
            assert app.store.has_live_jobs(run)
            assert "doing" not in app.store.job_counts()["collect"]
            with app.alone("collect/slow"):
                pass
    assert f"collect {run}/0" in shown
    assert "Leader: " in shown
    assert b"its tables were made" in said
    assert json.loads(printed) == {"schema": 1, "queues": ["collect", "issue", "deliver", "tidy"], "jobs": 2}


def hurried(app: App) -> None:
    app.arxiv_interval_s = 0.1


@pytest.mark.parametrize("count", [2, pytest.param(3, marks=pytest.mark.torture)])
def test_eight_sources_of_one_site_take_turns_across_workers(
    tmp_path: Path, new_database: Callable[[], str], count: int
) -> None:
    with fake_arxiv() as site:
        file = installation(tmp_path, new_database())
        config = config_of(file)
        sources = tuple(
            SourceConfig(name=name, url=f"http://127.0.0.1:{site.port}/list/{name}/new", allow_private=True)
            for name in ARCHIVES
        )
        config = msgspec.structs.replace(config, source=sources, digest=config.digest[:1])
        with workers(file, count, opened=hurried) as alive, open_app(config) as app:
            run = app.begin_shared_run(config.digest, day=NOW.date(), now=NOW)
            assert run is not None
            wait_for(lambda: status_of(file, run) != "running", alive=alive)
            reports = [msgspec.json.decode(part.report) for part in app.store.run_parts(run)]
    assert [report["outcome"] for report in reports] == ["new"] * 8
    assert sum(path != "/robots.txt" for path, _, _, _ in site.asked) == 8
    assert min(site.gaps) >= 0.1
    assert site.most_open == 1


def test_a_worker_that_works_once_begins_what_is_due_and_ends(
    tmp_path: Path, new_database: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    file = installation(tmp_path, new_database())
    write_pages(tmp_path, 0)
    config = config_of(file)
    always = msgspec.structs.replace(config.digest[0], schedule="* * * * *")
    config = msgspec.structs.replace(config, digest=(always, config.digest[1]))
    ended: list[str] = []
    with open_app(config) as app:
        app.store.add_subscriber("reader@example.org", digests=(), now=datetime.now(UTC))
    with caplog.at_level(logging.INFO, logger="digest.worker"):
        Worker(config, once=True, told=lambda report: ended.extend(d.name for d in report.digests)).work()
    assert ended == ["daily"]
    assert len(list((tmp_path / "outbox").glob("*.eml"))) == 1
    with open_app(config) as app:
        assert app.store.delivery_counts()["accepted"] == 1
        assert app.store.workers() == []
        assert app.fleet_state(app.clock()).leader == ""


def test_a_worker_with_nothing_to_do_ends_when_it_is_told_to(app: App) -> None:
    worker = Worker(app.config)
    thread = threading.Thread(target=worker.work, daemon=True)
    thread.start()
    wait_for(lambda: any(row.engine_id is not None for row in app.store.workers()))
    worker.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert app.store.workers() == []


def test_work_that_is_told_to_stop_is_somebodys_job_again(app: App) -> None:
    apps, begun, ended = Apps(lambda: open_app(app.config)), threading.Event(), list[str]()

    def long(mine: App) -> None:
        begun.set()
        mine.stop.wait(60)
        ended.append(apps.doing)
        raise Stopped("told to stop")

    def done() -> None:
        with pytest.raises(Again):
            apps.work("deliver 1-500", long)
        with pytest.raises(Again):
            apps.work("deliver 501-900", lambda mine: ended.append("begun all the same"))

    worker = threading.Thread(target=done, daemon=True)
    worker.start()
    assert begun.wait(60)
    apps.stop()
    worker.join(30)
    apps.close()
    assert (ended, apps.doing) == (["deliver 1-500"], "")


def test_work_whose_store_failed_is_tried_again_with_a_store_opened_anew(app: App) -> None:
    apps, seen = Apps(lambda: open_app(app.config)), list[App]()

    def lost(mine: App) -> None:
        seen.append(mine)
        raise StoreError("The connection is gone.")

    for _ in range(2):
        with pytest.raises(StoreError):
            apps.work("tidy 1", lost)
    apps.work("tidy 1", seen.append)
    apps.work("tidy 2", seen.append)
    apps.close()
    assert len({id(each) for each in seen}) == 3
    assert seen[2] is seen[3]


def test_a_worker_whose_clock_is_off_does_not_start(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.worker.work.utc_now", lambda: datetime.now(UTC) - timedelta(seconds=30))
    with pytest.raises(UsageError, match="NTP"):
        Worker(app.config, once=True).work()
    assert app.store.workers() == []


def test_a_worker_without_an_engine_is_a_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="procrastinate"):
        Worker(config_of(installation(tmp_path)))


def test_a_fault_of_the_program_is_logged_and_shows_in_the_status(
    tmp_path: Path, app: App, engine_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    app.store.enqueue([Job(task="deliver", args={"edition_id": 1, "due_at": "never", "first": 1, "last": 2})])
    asked(engine_url, "UPDATE procrastinate_jobs SET attempts = 3 RETURNING id")
    Worker(app.config, once=True).work()
    (failed,) = app.fleet_state(NOW).failed
    assert (failed.task, failed.attempts) == ("deliver", 4)
    assert "please report it" in caplog.text
    command = [sys.executable, "-m", "digest", "--config", app.config.file, "status"]
    shown = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert "failed 4 times by a fault of the program" in shown
