"""The schedule: each local date once, missed days made up for, a stop that finishes what is in flight."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from msgspec.structs import replace

from bounce_reports import ADDRESS, ENDS, SYSTEMS, notification
from digest.app import open_app
from digest.config import (
    Config,
    DigestConfig,
    LookupConfig,
    MailboxConfig,
    MailConfig,
    SiteConfig,
    SmtpConfig,
    SourceConfig,
    StoreConfig,
)
from digest.cron import cron, due_times
from digest.errors import ConfigError, Stopped
from digest.model import Preferences, RunReport
from digest.scheduler import Service
from imap_servers import PASSWORD, USER, imap
from store_inbox import reader

ROOT = Path(__file__).parent.parent


def config(tmp_path: Path, schedule: str, zone: str = "Europe/Berlin", grace_h: float = 12) -> Config:
    return Config(
        site=SiteConfig(url="https://papers.example.org/", timezone=zone),
        store=StoreConfig(url=f"sqlite:///{tmp_path}/digest.db"),
        source=(SourceConfig(name="s", path=str(ROOT / "examples" / "listings")),),
        digest=(DigestConfig(name="daily", title="T", path="", schedule=schedule, grace_h=grace_h),),
        lookup=LookupConfig(enabled=False),
        file=str(tmp_path / "config.toml"),
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_a_line_that_is_no_cron_line_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no cron line"):
        cron(config(tmp_path, "0 25 * * *").digest[0], config(tmp_path, "0 25 * * *"))


@pytest.mark.parametrize(
    ("zone", "schedule", "year"),
    [
        (zone, schedule, year)
        for zone in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")
        for schedule in ("30 2 * * *", "30 1 * * *", "0 6 * * *")
        for year in (2025, 2026)
    ],
)
def test_every_date_of_a_year_runs_exactly_once_through_clock_changes(
    tmp_path: Path, zone: str, schedule: str, year: int
) -> None:
    """The ledger's key is the local date: a time that comes twice is one run, a time that is skipped is not lost."""
    made = config(tmp_path, schedule, zone)
    local = ZoneInfo(zone)
    trigger = cron(made.digest[0], made)
    fires = list(
        due_times(trigger, datetime(year, 1, 1, tzinfo=local), datetime(year, 12, 31, 12, tzinfo=local))
    )
    assert fires == sorted(set(fires))
    assert {fire.astimezone(local).date() for fire in fires} == {
        date(year, 1, 1) + timedelta(days=n) for n in range(365)
    }


def test_a_run_that_finished_is_not_repeated_on_the_same_date(tmp_path: Path) -> None:
    now = at("2026-10-25T02:30+02:00")  # comes again an hour later, as 02:30+01:00
    made = config(tmp_path, "30 2 * * *")
    service = Service(made, clock=lambda: now)
    assert service.run(made.digest[0]) is not None
    now = at("2026-10-25T02:30+01:00")
    assert service.run(made.digest[0]) is None


def test_a_run_by_hand_in_the_night_does_not_stand_for_the_one_due_in_the_morning(tmp_path: Path) -> None:
    made = config(tmp_path, "0 7 * * *")
    with open_app(made) as app:
        app.daily(at("2026-11-20T01:00+01:00"))
    service = Service(made, clock=lambda: at("2026-11-20T07:00+01:00"))
    assert service.run(made.digest[0]) is not None
    assert service.run(made.digest[0]) is None


def test_a_digest_without_grace_runs_at_its_hour(tmp_path: Path) -> None:
    """A timer goes off a moment after it: the run is that of this very date."""
    made = config(tmp_path, "0 7 * * *", grace_h=0)
    report = Service(made, clock=lambda: at("2026-11-20T07:00:00.2+01:00")).run(made.digest[0])
    assert report is not None
    assert report.date == date(2026, 11, 20)


def test_each_hour_of_a_schedule_runs(tmp_path: Path) -> None:
    now = at("2026-11-20T07:00+01:00")
    made = config(tmp_path, "0 7,19 * * *")
    service = Service(made, clock=lambda: now)
    assert service.run(made.digest[0]) is not None
    now = at("2026-11-20T19:00+01:00")
    assert service.run(made.digest[0]) is not None


def test_a_missed_run_is_found_within_the_grace_and_not_beyond(tmp_path: Path) -> None:
    now = at("2026-11-20T09:00+01:00")
    made = config(tmp_path, "0 7 * * *", grace_h=3)
    service = Service(made, clock=lambda: now)
    assert service.missed(made.digest[0]) == at("2026-11-20T07:00+01:00")
    now = at("2026-11-20T10:30+01:00")
    assert service.missed(made.digest[0]) is None


def test_after_ten_days_of_sleep_one_run_makes_up(tmp_path: Path) -> None:
    now = at("2026-11-20T09:00+01:00")
    made = config(tmp_path, "0 7 * * *", grace_h=24 * 30)
    service = Service(made, clock=lambda: now)
    assert service.missed(made.digest[0]) == at("2026-11-20T07:00+01:00")
    assert service.run(made.digest[0], due=service.missed(made.digest[0])) is not None
    assert service.missed(made.digest[0]) is None


@pytest.mark.parametrize("made_up", [True, False])
def test_a_run_missed_before_midnight_is_of_its_own_date(tmp_path: Path, made_up: bool) -> None:
    """Also where the machine slept and its schedule only comes to it now."""
    now = at("2026-11-21T01:00+01:00")
    made = config(tmp_path, "0 23 * * *")
    service = Service(made, clock=lambda: now)
    report = service.run(made.digest[0], due=service.missed(made.digest[0]) if made_up else None)
    assert report is not None
    assert report.date == date(2026, 11, 20)


def test_a_fault_of_one_run_is_logged_and_the_service_lives_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = config(tmp_path, "0 7 * * *")
    (tmp_path / "digest.db").write_bytes(b"this is no database, but a text that stands in its place" * 100)
    service = Service(made, clock=lambda: at("2026-11-20T07:00+01:00"))
    assert service.run(made.digest[0]) is None
    assert "digest.db" in caplog.text


@pytest.mark.parametrize(("hours", "again"), [(0, True), (2.5, True), (2.9, False)])
def test_a_run_that_failed_is_tried_again_while_its_grace_lasts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, hours: float, again: bool
) -> None:
    due = at("2026-11-20T07:00+01:00")
    now = due + timedelta(hours=hours)
    made = config(tmp_path, "0 7 * * *", grace_h=3)
    (tmp_path / "digest.db").write_bytes(b"this is no database, but a text that stands in its place" * 100)
    service = Service(made, clock=lambda: now)
    service._scheduler = jobs = BackgroundScheduler(timezone=UTC)
    assert service.run(made.digest[0]) is None
    planned = [(job.trigger.run_date, job.args) for job in jobs.get_jobs()]
    assert planned == [(now + timedelta(minutes=15), (made.digest[0], due))] * again
    assert ("Tried again in 900 s." in caplog.text) is again


def test_a_run_waits_while_another_holds_the_lease(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = at("2026-11-20T07:00+01:00")
    made = config(tmp_path, "0 7 * * *")
    with open_app(made) as other:
        other.store.acquire_lease(
            "run", "another.example.org/1/1", now=now, ttl_s=600, is_dead=lambda holder: False
        )
        assert Service(made, clock=lambda: now).run(made.digest[0]) is None
    assert "another process" in caplog.text


@pytest.mark.parametrize(("grace_h", "minutes", "again"), [(0, 5, True), (12, 5, True), (0, 90, False)])
def test_a_run_that_another_holds_back_is_tried_again_as_it_says(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, grace_h: float, minutes: int, again: bool
) -> None:
    due = at("2026-11-20T07:00+01:00")
    now = due + timedelta(minutes=minutes)
    made = config(tmp_path, "0 7 * * *", grace_h=grace_h)
    service = Service(made, clock=lambda: now)
    service._scheduler = jobs = BackgroundScheduler(timezone=UTC)
    with open_app(made) as other:
        other.store.acquire_lease("run", "other/1/1", now=now, ttl_s=600, is_dead=lambda holder: False)
        assert service.run(made.digest[0], due) is None
    assert ("Tried again in 60 s." in caplog.text) is again
    assert ("It is not tried again." in caplog.text) is not again
    assert len(jobs.get_jobs()) == again


def test_what_is_due_is_counted_anew_when_the_clock_is_set_back(tmp_path: Path) -> None:
    """It was a day ahead, and the run of today has passed unseen."""
    right = at("2026-11-19T07:30+01:00")
    made = config(tmp_path, "0 7 * * *")
    service = Service(made, clock=lambda: right)
    service._scheduler = jobs = BackgroundScheduler(timezone=UTC)
    jobs.start(paused=True)
    try:
        far = datetime.now(UTC) + timedelta(days=2)
        jobs.add_job(service.run, service._triggers["daily"], args=made.digest, id="daily", next_run_time=far)
        assert service._plan_anew(right) == right
        assert [job.next_run_time for job in jobs.get_jobs()] == [far]
        assert service._plan_anew(right + timedelta(days=1)) == right
        made_up, daily = jobs.get_jobs()
        assert made_up.args[1] == at("2026-11-19T07:00+01:00")
        assert daily.id == "daily" and daily.next_run_time < far
    finally:
        jobs.shutdown()


def test_a_stopped_service_starts_no_run(tmp_path: Path) -> None:
    made = config(tmp_path, "0 7 * * *")
    service = Service(made, clock=lambda: at("2026-11-20T07:00+01:00"))
    service.stop()
    assert service.run(made.digest[0]) is None
    with open_app(made) as app:
        assert app.store.last_runs(1) == []


def test_a_run_that_is_told_to_stop_is_no_failure_and_not_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def clock() -> datetime:
        if service._running:
            service.stop()  # in the middle of the run, which asks for the time
        return at("2026-11-20T07:00+01:00")

    made = config(tmp_path, "0 7 * * *")
    service = Service(made, clock=clock)
    service._scheduler = jobs = BackgroundScheduler(timezone=UTC)
    assert service.run(made.digest[0]) is None
    assert jobs.get_jobs() == []
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []
    with open_app(made) as app:
        assert [row.status for row in app.store.last_runs(1)] == ["failed"]


def test_a_service_makes_up_for_what_was_missed_when_it_begins_and_tells_of_it_once(tmp_path: Path) -> None:
    told: list[RunReport] = []

    def hear(digest: DigestConfig, report: RunReport) -> None:
        told.append(report)
        service.stop()

    service = Service(config(tmp_path, "0 7 * * *"), clock=lambda: at("2026-11-20T09:00+01:00"), told=hear)
    too_late = threading.Timer(60, service.stop)
    too_late.start()
    service.serve()
    too_late.cancel()
    assert [report.date for report in told] == [date(2026, 11, 20)]
    assert service.run(service._config.digest[0]) is None


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("1-5", {0, 1, 2, 3, 4}),
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("0", {6}),
        ("7", {6}),
        ("5-7", {4, 5, 6}),
        ("1,3,sat", {0, 2, 5}),
        ("1-5/2", {0, 2, 4}),
        ("mon-5", {0, 1, 2, 3, 4}),
        ("MON-fri/2", {0, 2, 4}),
        ("sat-sun", {5, 6}),
        ("*/2", {1, 3, 5, 6}),
        ("2/3", {1, 4}),
        ("*", set(range(7))),
    ],
)
def test_weekdays_count_from_sunday_as_in_crontab(tmp_path: Path, field: str, days: set[int]) -> None:
    made = config(tmp_path, f"0 7 * * {field}", "UTC")
    start = datetime(2026, 11, 16, tzinfo=UTC)  # a Monday
    due = due_times(cron(made.digest[0], made), start, start + timedelta(days=7))
    assert {moment.weekday() for moment in due} == days


@pytest.mark.parametrize(
    ("field", "months"),
    [("*", set(range(1, 13))), ("jan-6/2", {1, 3, 5}), ("mar,Nov-12", {3, 11, 12}), ("*/5", {1, 6, 11})],
)
def test_months_may_be_named(tmp_path: Path, field: str, months: set[int]) -> None:
    made = config(tmp_path, f"0 7 1 {field} *")
    start = at("2026-01-01T00:00+00:00")
    due = due_times(cron(made.digest[0], made), start, start + timedelta(days=364))
    assert {moment.month for moment in due} == months


@pytest.mark.parametrize(
    ("line", "moments"),
    [
        ("*/25 * * * *", ["07:00", "07:25", "07:50", "08:00"]),
        ("10-50/20,5 7 * * *", ["07:05", "07:10", "07:30", "07:50"]),
        ("0 */7,8 16-17/2 * *", ["07:00", "08:00"]),
        ("00 05/2 * * *", ["07:00"]),
        ("0 8 last * *", []),
        ("0 7 LAST,16 * *", ["07:00"]),
    ],
)
def test_minutes_hours_and_days_may_be_lists_spans_and_steps(
    tmp_path: Path, line: str, moments: list[str]
) -> None:
    made = config(tmp_path, line, "UTC")
    due = due_times(cron(made.digest[0], made), at("2026-11-16T06:55+00:00"), at("2026-11-16T08:00+00:00"))
    assert [f"{moment:%H:%M}" for moment in due] == moments


@pytest.mark.parametrize(
    "schedule",
    [
        *(
            "60 7 * * *",
            "*/90 7 * * *",
            "5-0 7 * * *",
            "0 24 * * *",
            "0 7 0 * *",
            "0 7 32 * *",
            "0 mon * * *",
        ),
        *(
            "0 7 * * 8",
            "0 7 * * 5-9",
            "0 7 1 * mon",
            "0 7 * * fun",
            "0 7 * * mon#2",
            "0 7 * * fri-mon",
            "0 7 * * */0",
        ),
        *(
            "0 7 * * *-5",
            "0 7 * * monday",
            "0 7 * 13 *",
            "0 7 * 0-3 *",
            "0 7 * jan-13 *",
            "0 7 * * ,",
            "0 7x * * *",
        ),
    ],
)
def test_a_field_that_means_nothing_is_a_fault(tmp_path: Path, schedule: str) -> None:
    made = config(tmp_path, schedule)
    with pytest.raises(ConfigError, match="no cron line"):
        cron(made.digest[0], made)


def test_a_service_told_to_stop_leaves_the_sources_that_are_not_read(tmp_path: Path) -> None:
    made = config(tmp_path, "0 7 * * *")
    with open_app(made) as app:
        app.stop.set()
        with pytest.raises(Stopped):
            app.daily(at("2026-11-20T07:00+01:00"))
        assert app.store.waiting("daily") == []
        assert [row.status for row in app.store.last_runs(1)] == ["failed"]
    service = Service(made, clock=lambda: at("2026-11-20T07:05+01:00"))
    assert service.missed(made.digest[0]) == at("2026-11-20T07:00+01:00")


def test_letters_that_cannot_go_out_are_told_and_the_service_lives_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    now = at("2026-11-20T07:00+01:00")
    smtp = SmtpConfig(host="127.0.0.1", port=1, security="none")  # nobody listens
    mail = MailConfig(transport="smtp", from_="digest@papers.example.org", smtp=smtp)
    made = replace(config(tmp_path, "0 7 * * *"), mail=mail)
    with open_app(made) as app:
        reader = app.store.add_pending(
            "ada@example.org", digests=(), preferences=Preferences(), consent="form 2026-11", now=now
        )
        app.store.queue_letter(reader.id, "confirm", message_id="<1@papers.example.org>", now=now)
    service = Service(made, clock=lambda: now)
    service.send_due_mail()
    assert "mail: " in caplog.text
    assert service._running == set()


class Strokes(threading.Event):
    """Stands for a service's clocks: each strikes once, and when what it struck for is done the service is told to stop."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.struck: set[str] = set()
        self._open = set(names)
        self._turn = threading.Lock()

    def wait(self, timeout: float | None = None) -> bool:
        name = threading.current_thread().name
        with self._turn:
            if name not in self.struck:
                self.struck.add(name)
                return self.is_set()
            self._open.discard(name)
            if not self._open:
                self.set()
        if not super().wait(10):
            self.set()  # one of them never struck
        return True


def test_a_service_sends_what_is_due_watches_and_reads_the_mailbox_again_and_again(tmp_path: Path) -> None:
    now = at("2026-11-20T06:00+01:00")
    with imap({3: b"Subject: a question\r\n\r\nWhen do the herons come?\r\n"}) as server:
        mailbox = MailboxConfig(
            host="127.0.0.1", port=server.port, security="none", username=USER, password=PASSWORD
        )
        mail = MailConfig(from_="digest@papers.example.org", bounces=ADDRESS, mailbox=mailbox)
        made = replace(config(tmp_path, "0 7 * * *"), mail=mail)
        with open_app(made) as app:
            gone, _ = app.store.add_subscriber("gone@example.net", digests=(), now=now)
            token, link = (app.tokens.make(kind, gone) for kind in ("bounce", "unsubscribe"))
            to = gone.address
            server.mails[4] = notification(SYSTEMS[0], ENDS[0], token=token, link=link, to=to)  # no such user
            asked = app.store.add_pending(
                "ada@example.org", digests=(), preferences=Preferences(), consent="form 2026-11", now=now
            )
            app.store.queue_letter(asked.id, "confirm", message_id="<1@papers.example.org>", now=now)
        service = Service(made, clock=lambda: now)
        service._stop = strokes = Strokes("MainThread", "send_due_mail", "watch", "read_mailbox")
        service.serve()
        assert strokes.struck == {"MainThread", "send_due_mail", "watch", "read_mailbox"}
        assert server.seen == {3, 4}
    with open_app(made) as app:
        assert app.store.subscriber("gone@example.net").status == "suppressed"  # type: ignore[union-attr]
        assert [letter[2] for letter in app.store.letters_of(asked.id)] == ["accepted"]
        assert app.store.watch_notes()
    assert not [thread for thread in threading.enumerate() if thread.name in strokes.struck - {"MainThread"}]


def test_a_service_without_a_mailbox_asks_for_none(tmp_path: Path) -> None:
    service = Service(config(tmp_path, "0 7 * * *"), clock=lambda: at("2026-11-20T06:00+01:00"))
    service._stop = strokes = Strokes("MainThread", "send_due_mail", "watch")
    service.serve()
    assert strokes.struck == {"MainThread", "send_due_mail", "watch"}


def test_a_service_looks_again_and_again_whether_its_clock_was_set_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    right, strokes = at("2026-11-20T06:00+01:00"), Strokes("MainThread")
    ahead = timedelta(days=1)
    service = Service(
        config(tmp_path, "0 7 * * *"),
        clock=lambda: right if "MainThread" in strokes.struck else right + ahead,
    )
    service._stop = strokes
    service.serve()
    assert f"The clock was set back to {right.isoformat()}" in caplog.text


def test_a_service_told_to_stop_ends_after_the_run_at_work(tmp_path: Path) -> None:
    ended, early = threading.Event(), []

    def hear(digest: DigestConfig, report: RunReport) -> None:
        service.stop()
        early.append(ended.wait(0.2))

    service = Service(config(tmp_path, "0 7 * * *"), clock=lambda: at("2026-11-20T09:00+01:00"), told=hear)
    service.serve()
    ended.set()
    assert early == [False]


@pytest.mark.parametrize("what", ["an edition", "a notice"])
def test_a_service_sends_an_edition_and_a_notice_each_at_its_hour(tmp_path: Path, what: str) -> None:
    made = replace(config(tmp_path, ""), mail=MailConfig(from_="digest@papers.example.org"))
    now, due = at("2026-11-20T07:00+01:00"), at("2026-11-20T09:00+01:00")
    with open_app(made, clock=lambda: now) as app:
        number = reader(app.store, preferences=Preferences(empty=True, hour=9)).id
        if what == "an edition":
            app.daily(now)
        else:
            app.store.queue_notices(
                "daily",
                now.date(),
                due=lambda _: due,
                message_id=lambda n: f"<{n}@papers.example.org>",
                now=now,
            )
    for moment, status in ((due - timedelta(seconds=1), "queued"), (due, "accepted")):
        Service(made, clock=lambda moment=moment: moment).send_due_mail()
        with open_app(made) as app:
            told = app.store.letters_of(number) + app.store.deliveries_of(number)
        assert [row[2] for row in told] == [status]
