"""Runs that workers share, step by step: each may be done twice, by anybody, in any order, and after a death."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from commands import called
from digest.app import App, open_app
from digest.config import Config, EngineConfig, SmtpConfig, SourceConfig
from digest.cron import cron
from digest.errors import LeaseHeld, PublishError, Stopped
from digest.model import LookupReport, Preferences
from digest.pipeline.notices import queue_notices
from digest.pipeline.pace import RATE
from digest.pipeline.replay import replay
from digest.process import this_process
from digest.store import Store, WorkerRow, open_store
from digest.worker.engine import install
from fleets import NOW, SOURCES, config_of, in_one_process, installation, published, write_pages
from site_of_days import Site, serving
from smtp_servers import serving as smtp_serving

pytestmark = pytest.mark.postgres
FRIDAY = datetime(2026, 11, 20, 7, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path, engine_url: str) -> Path:
    made = installation(tmp_path / "many", engine_url)
    write_pages(made.parent, 0)
    return made


def opened(file: Path, now: datetime = NOW) -> App:
    return open_app(config_of(file), clock=lambda: now)


def begun(app: App) -> int:
    run = app.begin_shared_run(app.config.digest, day=app.today(NOW), now=NOW)
    assert run is not None
    return run


def waiting(store: Store, task: str) -> int:
    return store.job_counts().get(task, {}).get("todo", 0)


def states(store: Store, run: int) -> str:
    return "".join(part.state[0] for part in store.run_parts(run))


def test_sources_are_read_in_any_order_and_put_on_record_in_theirs(file: Path, tmp_path: Path) -> None:
    one = installation(tmp_path / "one")
    in_one_process(one, 1)
    with opened(file) as app:
        run = begun(app)
        assert waiting(app.store, "collect") == SOURCES
        seen = []
        for place in (3, 1, 5, 0, 2, 2, 4, 4):
            app.collect_part(run, place)
            seen.append(states(app.store, run))
        assert seen == ["aaataa", "atataa", "atatat", "rratat", "rrrrat", "rrrrat", "rrrrrr", "rrrrrr"]
        assert waiting(app.store, "issue") == 1
        report = app.finish_shared_run(run)
        assert report is not None
        assert [digest.edition is not None for digest in report.digests] == [True, True]
        assert app.finish_shared_run(run) is None
        assert waiting(app.store, "tidy") == 1
        app.tidy_run(run)
        app.tidy_run(run)
        assert [row.status for row in app.store.last_runs(9)] == ["done", "done"]
        assert app.store.check() == []
    assert published(file) == published(one)


def test_what_was_read_by_one_who_died_is_not_read_again(file: Path) -> None:
    with opened(file) as app:
        run = begun(app)
        app.collect_part(run, 1)  # read, and not its turn yet: then its worker dies
        (file.parent / "in1" / "page.xml").unlink()
        app.collect_part(run, 1)
        app.collect_part(run, 0)
        assert states(app.store, run) == "rraaaa"
        assert msgspec.json.decode(app.store.run_parts(run)[1].report)["read"] == 8


def test_a_source_that_is_down_is_reported_as_by_one_process(file: Path) -> None:
    (file.parent / "in2" / "page.xml").unlink()
    with opened(file) as app:
        run = begun(app)
        for place in range(SOURCES):
            app.collect_part(run, place)
        report = app.finish_shared_run(run)
        assert report is not None
        assert [s.outcome for s in report.sources if s.error] == ["unreachable"]
        assert report.degraded
        assert app.store.last_runs(1)[0].status == "degraded"


def test_a_shared_run_without_an_edition_is_told_to_who_wants_to_hear_it_and_why(file: Path) -> None:
    for place in range(SOURCES):
        (file.parent / f"in{place}" / "page.xml").unlink()
    with opened(file) as app:
        for name in ("ada", "bob"):
            wish = Preferences(empty=name == "ada")
            app.store.add_subscriber(f"{name}@example.org", digests=("daily",), preferences=wish, now=NOW)
        run = begun(app)
        for place in range(SOURCES):
            app.collect_part(run, place)
        report = app.finish_shared_run(run)
        assert report is not None
        assert [digest.notices for digest in report.digests] == [1, 0]
        assert app.finish_shared_run(run) is None
        assert app.send_letters().accepted == 0
        app.send_notices()
    (mail,) = [one.read_text() for one in (file.parent / "outbox").glob("*.eml")]
    assert "To: ada@example.org" in mail
    assert "* s0, s1, s2, s3, s4 and s5: could not be reached" in mail


def test_notices_keep_the_rate_that_all_workers_have_together(file: Path) -> None:
    with smtp_serving() as server, opened(file) as app:
        smtp = SmtpConfig(host="127.0.0.1", port=server.port, security="none", per_second=20.0)
        app.config = replace(app.config, mail=replace(app.config.mail, transport="smtp", smtp=smtp))
        for name in ("ada", "bob", "eve"):
            wish = Preferences(empty=True)
            app.store.add_subscriber(f"{name}@example.org", digests=(), preferences=wish, now=NOW)
        for digest in app.config.digest:
            queue_notices(digest, app.config, app.store, day=app.today(NOW), now=NOW)
        began = time.monotonic()
        app.clock = lambda: NOW + timedelta(seconds=time.monotonic() - began)
        app.store.take_slots(RATE, 8, 1 / 20, now=app.clock())  # another worker is at its mails
        app.send_notices()
        assert time.monotonic() - began >= (8 + len(server.taken) - 1) / 20
    assert len(server.taken) == 3 * len(app.config.digest)


def test_a_worker_told_to_stop_keeps_nothing_of_a_source_that_it_has_half_read(file: Path) -> None:
    with opened(file) as app:
        run = begun(app)
        app.stop.set()
        with pytest.raises(Stopped):
            app.collect_part(run, 0)
        app.stop.clear()
        assert states(app.store, run) == "a" * SOURCES


def test_mails_wait_for_pages_that_cannot_be_written_and_the_editions_are_issued_once(
    file: Path, engine_url: str
) -> None:
    (file.parent / "feeds").write_text("a file in the place of the folder")
    with opened(file) as app:
        app.store.add_subscriber("reader@example.org", digests=(), now=NOW)
        run = begun(app)
        for place in range(SOURCES):
            app.collect_part(run, place)
        with pytest.raises(PublishError):
            app.finish_shared_run(run)
        assert app.store.due_jobs(["deliver"], until=NOW + timedelta(minutes=20)) == 0
    later = NOW + timedelta(minutes=25)
    with opened(file, later) as app:
        with pytest.raises(PublishError):
            app.finish_shared_run(run)
        assert app.store.due_jobs(["deliver"], until=later + timedelta(minutes=20)) == 0
        assert app.store.spans_left_out(now=later, batch=9) == []
        (file.parent / "feeds").unlink()
        report = app.finish_shared_run(run)
        assert report is not None
        assert [digest.edition.papers for digest in report.digests if digest.edition] == [28, 17]
        assert app.store.due_jobs(["deliver"], until=later) == 2
        assert len(app.store.edition_heads("daily")) == 1


def test_two_leaders_in_turn_begin_a_day_once(file: Path) -> None:
    config = config_of(file)
    daily = msgspec.structs.replace(config.digest[0], schedule="0 7 * * *")
    config = msgspec.structs.replace(config, digest=(daily,))
    trigger = cron(daily, config)
    at = NOW + timedelta(minutes=10)  # 07:10 in Berlin
    with open_app(config, clock=lambda: at) as one, open_app(config, clock=lambda: at) as other:
        assert one.begin_due_run(daily, trigger, now=NOW - timedelta(minutes=1)) is None, "its grace is over"
        run = one.begin_due_run(daily, trigger, now=at)
        assert run is not None
        assert other.begin_due_run(daily, trigger, now=at) is None
        assert other.begin_due_run(daily, trigger, now=at + timedelta(hours=11)) is None
        for place in range(SOURCES):
            one.collect_part(run, place)
        one.finish_shared_run(run)
        assert other.begin_due_run(daily, trigger, now=at + timedelta(hours=1)) is None
        assert other.begin_due_run(daily, trigger, now=at + timedelta(days=1)) is not None


def test_a_run_for_which_no_job_is_left_fails_and_is_begun_anew(file: Path, engine_url: str) -> None:
    import psycopg

    config = config_of(file)
    daily = msgspec.structs.replace(config.digest[0], schedule="0 7 * * *")
    config = msgspec.structs.replace(config, digest=(daily,))
    at = NOW + timedelta(minutes=10)
    clock = [at]
    with open_app(config, clock=lambda: clock[0]) as app:
        run = app.begin_due_run(daily, cron(daily, config), now=at)
        assert run is not None
        app.collect_part(run, 0)
        assert app.end_lost_runs() == []
        with psycopg.connect(engine_url, autocommit=True) as connection:
            connection.execute(b"UPDATE procrastinate_jobs SET status = 'failed'")
        (lost,) = app.end_lost_runs()
        assert "s1, s2, s3, s4, s5" in lost
        assert app.store.last_runs(1)[0].status == "failed"
        app.collect_part(run, 1)
        assert states(app.store, run) == "raaaaa", "a run that is over is not gone on with"
        assert app.begin_due_run(daily, cron(daily, config), now=at) is None
        clock[0] = at + timedelta(minutes=16)
        assert app.begin_due_run(daily, cron(daily, config), now=clock[0]) is not None


def test_who_never_confirmed_is_forgotten_after_a_shared_run_and_its_parts_after_that(file: Path) -> None:
    with opened(file) as app:
        for name, days in (("ann", 8), ("bob", 6)):
            app.store.add_pending(
                f"{name}@example.org",
                digests=(),
                preferences=Preferences(),
                consent="form",
                now=NOW - timedelta(days=days),
            )
        run = begun(app)
        for place in range(SOURCES):
            app.collect_part(run, place)
        app.store.forget_ended(older_than=NOW + timedelta(days=1))
        app.finish_shared_run(run)
        app.tidy_run(run)
        assert [reader.address for reader in app.store.subscribers()] == ["bob@example.org"]
        assert len(app.store.run_parts(run)) == SOURCES
        app.store.forget_ended(older_than=NOW + timedelta(days=1))
        assert app.store.run_parts(run) == []


def test_who_never_confirmed_is_forgotten_by_a_run_of_one_process(tmp_path: Path) -> None:
    with open_app(config_of(installation(tmp_path)), clock=lambda: NOW) as app:
        asked = {"digests": (), "preferences": Preferences(), "consent": "form"}
        for name, days in (("ann", 8), ("bob", 6)):
            app.store.add_pending(f"{name}@example.org", now=NOW - timedelta(days=days), **asked)  # type: ignore[arg-type]
        app.daily(NOW)
        assert [reader.address for reader in app.store.subscribers()] == ["bob@example.org"]


def test_what_is_looked_up_after_a_shared_run_is_published(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.app.sharing.look_up", lambda app, now: LookupReport(looked_up=1, hits=1))
    with opened(file) as app:
        run = begun(app)
        app.tidy_run(run)
        assert not (file.parent / "feeds").exists(), "it has not ended"
        for place in range(SOURCES):
            app.collect_part(run, place)
        app.finish_shared_run(run)
        page = file.parent / "feeds" / "index.html"
        page.unlink()
        app.tidy_run(run)
        report = msgspec.json.decode(app.store.last_runs(1)[0].report)
    assert page.exists()
    assert report["lookups"]["hits"] == 1


def test_a_run_that_waits_behind_an_earlier_one_is_not_taken_for_lost(file: Path, engine_url: str) -> None:
    """All that it needs is read, and its jobs have ended: the earlier run leaves it the next one."""
    import psycopg

    with opened(file) as app:
        first = begun(app)
        later = NOW + timedelta(minutes=1)
        second = app.begin_shared_run(app.config.digest, day=app.today(NOW), now=later, again=True)
        assert second is not None
        for place in range(SOURCES):
            app.collect_part(second, place)
        with psycopg.connect(engine_url, autocommit=True) as connection:
            ended = b"UPDATE procrastinate_jobs SET status = 'succeeded' WHERE args ->> 'run' = %s"
            connection.execute(ended, [str(second)])
        assert states(app.store, second) == "t" * SOURCES
        assert app.end_lost_runs() == []
        for place in range(SOURCES):
            app.collect_part(first, place)
        assert app.finish_shared_run(first) is not None
        assert app.store.has_live_jobs(second)
        app.collect_part(second, 0)
        assert states(app.store, second) == "r" * SOURCES
        assert app.finish_shared_run(second) is not None


def test_a_run_in_one_process_and_shared_ones_keep_out_of_each_others_way(file: Path) -> None:
    with opened(file) as app, opened(file) as other:
        run = begun(app)
        with app.alone("collect/s0"):
            with pytest.raises(LeaseHeld), other.alone("collect/s0"):
                pass
            with pytest.raises(LeaseHeld):
                other.store.acquire_lease("run", "elsewhere/1/1", now=NOW, ttl_s=9, is_dead=lambda who: False)
            with other.alone("collect/s1"), other.alone("issue"):
                pass
        with app.alone():
            with pytest.raises(LeaseHeld):
                other.collect_part(run, 0)
            with pytest.raises(LeaseHeld):
                begun(other)
        other.collect_part(run, 0)
        app.daily(NOW + timedelta(hours=1), digests=[])
        assert app.store.last_runs(9)[-1].status == "running", (
            "shared runs do not end because another one begins"
        )


def test_a_run_by_hand_leaves_its_mails_to_workers(file: Path) -> None:
    with opened(file) as app:
        app.store.add_subscriber("reader@example.org", digests=("daily",), now=NOW)
        report = app.daily(NOW)
        assert report.deliveries.queued == 1
        assert app.store.due_jobs(["deliver"], until=NOW) == 1
        assert app.store.delivery_counts()["queued"] == 1
        assert app.send().queued == 1
        assert waiting(app.store, "deliver") == 1, "a job carries it already"


def test_a_run_of_one_process_leaves_no_jobs_where_workers_once_were(file: Path) -> None:
    config = replace(config_of(file), engine=EngineConfig())
    with open_app(config, clock=lambda: NOW) as app:
        app.store.add_subscriber("reader@example.org", digests=("daily",), now=NOW)
        assert app.store.engine_there()
        assert app.daily(NOW).deliveries.accepted == 1
        assert app.store.job_counts() == {}


def test_mails_whose_job_is_lost_get_another_by_a_send_by_hand(file: Path, engine_url: str) -> None:
    import psycopg

    with opened(file) as app:
        app.store.add_subscriber("reader@example.org", digests=("daily",), now=NOW)
        app.daily(NOW)
        with psycopg.connect(engine_url, autocommit=True) as connection:
            connection.execute(b"DELETE FROM procrastinate_jobs")
        assert app.send().queued == 1
        assert app.store.due_jobs(["deliver"], until=NOW) == 1


def test_mails_that_a_dead_run_held_back_go_as_soon_as_the_pages_are_there(file: Path) -> None:
    with opened(file) as app:
        app.store.add_subscriber("reader@example.org", digests=("daily",), now=NOW)
        run = begun(app)
        for place in range(SOURCES):
            app.collect_part(run, place)
        (file.parent / "feeds").write_text("a file in the place of the folder")
        with pytest.raises(PublishError):
            app.finish_shared_run(run)
        with pytest.raises(PublishError):
            app.send()
        assert app.store.due_jobs(["deliver"], until=NOW) == 0, "their pages are not there"
        (file.parent / "feeds").unlink()
        assert app.send().queued == 1
        assert app.store.due_jobs(["deliver"], until=NOW) == 1


# ---------------------------------------------------------------- a batch that is not out


def test_a_source_that_waits_for_its_batch_is_asked_again_by_a_job_of_its_own(
    tmp_path: Path, engine_url: str
) -> None:
    entry = {
        "paper": {"id": "2611.00001", "title": "Late tides", "summary": "They come.", "authors": []},
        "publishedAt": "2026-11-20T09:00:00.000Z",
    }
    site = Site({FRIDAY.date(): [(FRIDAY + timedelta(hours=2), entry)]}, FRIDAY)
    clock = [FRIDAY]
    with waiting_run(tmp_path, engine_url, site, clock) as (app, run):
        app.collect_part(run, 0)
        app.collect_part(run, 1)
        late, other = app.store.run_parts(run)
        assert (late.state, other.state) == ("asked", "recorded")
        assert waiting(app.store, "issue") == 0
        assert app.store.due_jobs(["collect"], until=FRIDAY + timedelta(seconds=599)) == 2
        assert app.store.due_jobs(["collect"], until=FRIDAY + timedelta(seconds=600)) == 3
        site.now = clock[0] = FRIDAY + timedelta(hours=2, minutes=1)
        app.collect_part(run, 0)
        assert waiting(app.store, "issue") == 1
        report = app.finish_shared_run(run)
    assert report is not None
    assert [(source.outcome, source.new) for source in report.sources] == [("new", 1), ("new", 8)]


class Forgetful(Site):
    """Never says that a list is what it was."""

    def answer(self, path: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
        return super().answer(path, {})


def test_a_batch_that_does_not_come_ends_the_waiting_at_its_hour(tmp_path: Path, engine_url: str) -> None:
    clock = [FRIDAY]
    with waiting_run(tmp_path, engine_url, Forgetful({}, FRIDAY), clock) as (app, run):
        app.collect_part(run, 1)
        app.collect_part(run, 0)
        clock[0] = FRIDAY + timedelta(hours=4)
        app.collect_part(run, 0)
        report = app.finish_shared_run(run)
    assert report is not None
    assert "waited until 11:00" in report.sources[0].why


def test_a_batch_that_is_not_out_is_not_waited_for_where_nobody_said_so(
    tmp_path: Path, engine_url: str
) -> None:
    site = Site({}, FRIDAY)
    with serving(site):
        config = waiting_config(tmp_path, engine_url, site)
        plain = replace(config.source[0], wait_until="")
        with open_app(replace(config, source=(plain,)), clock=lambda: FRIDAY) as app:
            run = app.begin_shared_run(config.digest, day=FRIDAY.date(), now=FRIDAY)
            assert run is not None
            app.collect_part(run, 0)
            report = app.finish_shared_run(run)
    assert report is not None
    assert [source.outcome for source in report.sources] == ["not-yet"]


@contextmanager
def waiting_run(tmp_path: Path, url: str, site: Site, clock: list[datetime]) -> Iterator[tuple[App, int]]:
    """A run of that Friday, begun, of a source that waits for its batch and one that does not; its number."""
    with serving(site), open_app(waiting_config(tmp_path, url, site), clock=lambda: clock[0]) as app:
        run = app.begin_shared_run(app.config.digest, day=FRIDAY.date(), now=FRIDAY)
        assert run is not None
        yield app, run


def waiting_config(tmp_path: Path, url: str, site: Site) -> Config:
    config = config_of(installation(tmp_path / "many", url))
    write_pages(tmp_path / "many", 0)
    late = SourceConfig(
        name="late",
        kind="huggingface",
        url=f"{site.url}/api/daily_papers",
        allow_private=True,
        wait_until="11:00",
    )
    return msgspec.structs.replace(config, source=(late, config.source[0]), digest=config.digest[:1])


# ---------------------------------------------------------------- workers and the engine's tables


def test_the_engines_tables_are_made_once_and_brought_up_to_date(new_database: Callable[[], str]) -> None:
    with open_store(new_database()) as store:
        assert not store.engine_there()
        assert "were made" in install(store)
        assert install(store) == ""
        done = store.install_engine(
            "", [("99.00.00_01_later", "CREATE TABLE later (percent TEXT DEFAULT '%')")]
        )
        assert "99.00.00_01_later" in done
        assert install(store) == "", "an older worker leaves it alone"


def test_workers_are_known_and_forgotten_with_what_they_held(engine_url: str) -> None:
    with open_store(engine_url) as store:
        row = WorkerRow(
            id=this_process(),
            engine_id=None,
            version="1",
            queues=("collect", "issue"),
            doing="collect 1/2",
            started_at=NOW,
            seen_at=NOW,
        )
        store.put_worker(row)
        store.acquire_lease("leader", row.id, now=NOW, ttl_s=15, is_dead=lambda who: False)
        assert store.workers() == [row]
        assert store.lease_holder("leader", now=NOW) == row.id
        store.remove_worker(row)
        assert store.workers() == []
        assert store.lease_holder("leader", now=NOW) == ""


def test_runs_of_several_digests_are_read_side_by_side_and_put_on_record_one_after_the_other(
    file: Path, tmp_path: Path
) -> None:
    """So that a day can be done again from its pages."""
    with opened(file) as app, opened(file) as other:
        daily, coast = app.config.digest
        runs = [
            one.begin_shared_run([d], day=NOW.date(), now=NOW) for one, d in ((app, daily), (other, coast))
        ]
        first, second = [run for run in runs if run]
        started = {row.started_at for row in app.store.last_runs(2)}
        assert len(started) == 2, "readings are known by the moment of their run"
        for place in range(3):
            other.collect_part(second, place)
            app.collect_part(first, 2 * place)
            app.collect_part(first, 2 * place + 1)
        other.collect_part(second, 0)
        assert (states(app.store, first), states(app.store, second)) == ("rrrrrr", "ttt"), (
            "the first is not issued"
        )
        assert other.finish_shared_run(second) is None
        jobs = waiting(app.store, "collect")
        with other.alone("issue"), pytest.raises(LeaseHeld):
            app.finish_shared_run(first)
        reports = [app.finish_shared_run(first)]
        assert waiting(app.store, "collect") == jobs + 1, "a job for the one behind, whose own have ended"
        other.collect_part(second, 0)
        reports.append(other.finish_shared_run(second))
        editions = [report.digests[0].edition for report in reports if report]
        assert [edition.papers for edition in editions if edition] == [28, 17]
        assert app.store.check() == []
        with open_store(f"sqlite:///{tmp_path}/fresh.db") as fresh:
            again = replay(NOW.date(), app.store, fresh, app.config)
        assert [(one.digest, one.same) for one in again] == [("coast", True), ("daily", True)]


def test_a_run_that_waits_for_a_batch_lets_others_by(tmp_path: Path, engine_url: str) -> None:
    site = Site({}, FRIDAY)
    with serving(site):
        config = waiting_config(tmp_path, engine_url, site)
        plain = msgspec.structs.replace(config.digest[0], name="plain", path="plain", sources=("s0",))
        config = msgspec.structs.replace(config, digest=(config.digest[0], plain))
        with open_app(config, clock=lambda: FRIDAY) as app:
            late = app.begin_shared_run(config.digest[:1], day=FRIDAY.date(), now=FRIDAY)
            quick = app.begin_shared_run([plain], day=FRIDAY.date(), now=FRIDAY)
            assert late
            assert quick
            app.collect_part(quick, 0)
            app.collect_part(late, 0)
            assert states(app.store, quick) == "t"
            jobs = waiting(app.store, "collect")
            app.collect_part(late, 1)
            assert waiting(app.store, "collect") == jobs + 1
            app.collect_part(quick, 0)
            assert states(app.store, quick) == "r"
            assert app.finish_shared_run(quick) is not None
            assert app.finish_shared_run(late) is None


def test_the_commands_say_what_is_left_to_workers(file: Path) -> None:
    with opened(file) as app:
        app.store.add_subscriber("reader@example.org", digests=("daily",), now=NOW)
    said = {
        name: called(["--config", str(file), *name.split()], cwd=file.parent)
        for name in ("run", "send", "status", "serve --no-web")
    }
    assert [call.returncode for call in said.values()] == [0, 0, 0, 2]
    assert "1 mail left to the workers" in said["run"].stdout
    assert "1 mail left to the workers" in said["send"].stdout
    assert "No worker is at work" in said["status"].stdout
    assert "Jobs deliver: 1 todo." in said["status"].stdout
    assert "digest worker" in said["serve --no-web"].stderr
