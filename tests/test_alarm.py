"""The alarm: it comes when a digest is silent, once, and never for a weekend; the heartbeat comes after runs that did well."""

from __future__ import annotations

import email
import logging
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from digest.app import App, open_app
from digest.app.health import first_missed, well
from digest.cli import doctor
from digest.config import (
    Config,
    DigestConfig,
    DkimConfig,
    LookupConfig,
    MailConfig,
    MonitorConfig,
    SiteConfig,
    SmtpConfig,
    SourceConfig,
    StoreConfig,
)
from digest.cron import cron, due_times
from digest.heartbeat import beat
from digest.model import RunReport, SourceReport
from digest.scheduler import Service
from digest.web.worker import LetterWorker
from fetch_servers import Reply, Site
from smtp_servers import SmtpServer, serving
from test_mail_compose import assert_well_formed

ROOT = Path(__file__).parent.parent
OPERATOR = "operator@example.org"
DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def config_of(
    folder: Path,
    port: int = 1,
    *,
    schedule: str = "0 7 * * mon-fri",
    zone: str = "Europe/Berlin",
    source: str = str(ROOT / "examples" / "listings"),
    **monitor: object,
) -> Config:
    return Config(
        site=SiteConfig(url="https://papers.example.org/", title="Tidal Papers", timezone=zone),
        store=StoreConfig(url=f"sqlite:///{folder}/digest.db"),
        source=(SourceConfig(name="sample", path=source),),
        digest=(DigestConfig(name="daily", path="", schedule=schedule),),
        mail=MailConfig(
            transport="smtp",
            from_="Digest <digest@papers.example.org>",
            smtp=SmtpConfig(host="127.0.0.1", port=port, security="none"),
        ),
        lookup=LookupConfig(enabled=False),
        monitor=MonitorConfig(**{"mail_to": OPERATOR, **monitor}),  # type: ignore[arg-type]
        file=str(folder / "config.toml"),
    )


# ---------------------------------------------------------------- since when is it silent?


@pytest.mark.parametrize(
    ("schedule", "good", "now", "missed"),
    [
        # 20 November 2026 is a Friday.
        ("0 7 * * *", "2026-11-19T07:00:02+01:00", "2026-11-20T06:59+01:00", None),
        ("0 7 * * *", "2026-11-19T07:00:02+01:00", "2026-11-20T07:00+01:00", "2026-11-20T07:00+01:00"),
        ("0 7 * * *", "2026-11-19T07:00:02+01:00", "2026-11-24T12:00+01:00", "2026-11-20T07:00+01:00"),
        ("0 7 * * *", "2026-11-20T07:00+01:00", "2026-11-20T08:00+01:00", None),
        # A weekend is none of its times, and the Monday is.
        ("0 7 * * mon-fri", "2026-11-20T07:00:02+01:00", "2026-11-22T23:00+01:00", None),
        ("0 7 * * mon-fri", "2026-11-20T07:00:02+01:00", "2026-11-23T09:00+01:00", "2026-11-23T07:00+01:00"),
        # A month that has no such day; once a year; never.
        ("0 7 31 * *", "2026-10-31T07:00:02+01:00", "2026-12-30T07:00+01:00", None),
        ("0 7 31 * *", "2026-10-31T07:00:02+01:00", "2027-01-01T07:00+01:00", "2026-12-31T07:00+01:00"),
        ("0 7 24 12 *", "2025-12-24T07:00:02+01:00", "2026-12-23T07:00+01:00", None),
        ("0 7 30 2 *", "2025-12-24T07:00:02+01:00", "2026-12-23T07:00+01:00", None),
        # A run by hand shortly before a time stands for it, one of the evening before for nothing of the next day.
        ("0 7 * * mon-fri", "2026-11-20T05:17+01:00", "2026-11-22T23:00+01:00", None),
        ("0 7 * * mon-fri", "2026-11-20T05:17+01:00", "2026-11-23T09:00+01:00", "2026-11-23T07:00+01:00"),
        ("0 7 * * *", "2026-11-19T18:00+01:00", "2026-11-20T09:00+01:00", "2026-11-20T07:00+01:00"),
        ("0 * * * *", "2026-11-20T06:40+01:00", "2026-11-20T07:59+01:00", None),
        ("0 * * * *", "2026-11-20T06:40+01:00", "2026-11-20T08:00+01:00", "2026-11-20T08:00+01:00"),
        ("0 * * * *", "2026-11-20T06:20+01:00", "2026-11-20T07:00+01:00", "2026-11-20T07:00+01:00"),
        # 25 October 2026: 02:30 comes twice, and a run at the first coming is that of the day. 28 March 2027: it does not come.
        ("30 2 * * *", "2026-10-25T02:30:01+02:00", "2026-10-25T23:00+01:00", None),
        ("30 2 * * *", "2026-10-25T02:30:01+02:00", "2026-10-26T02:30+01:00", "2026-10-26T02:30+01:00"),
        ("30 2 * * *", "2027-03-27T02:30:01+01:00", "2027-03-28T01:59+01:00", None),
        ("30 2 * * *", "2027-03-27T02:30:01+01:00", "2027-03-29T12:00+02:00", "2027-03-28T03:30+02:00"),
    ],
)
def test_a_digest_is_silent_from_the_first_time_that_was_missed(
    tmp_path: Path, schedule: str, good: str, now: str, missed: str | None
) -> None:
    made = config_of(tmp_path, schedule=schedule)
    found = first_missed(cron(made.digest[0], made), good=at(good), since=None, now=at(now))
    assert found == (at(missed) if missed else None)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"])
@pytest.mark.parametrize("schedule", ["30 2 * * *", "0 7 * * mon-fri", "59 23 * * *"])
def test_who_runs_at_each_of_its_times_is_never_silent_for_three_hours(
    tmp_path: Path, zone: str, schedule: str
) -> None:
    """Through clock changes: at no moment was a time missed that a run stands for."""
    made = config_of(tmp_path, schedule=schedule, zone=zone)
    trigger = cron(made.digest[0], made)
    start = at("2026-09-24T00:00+00:00")
    for good, following in pairwise(due_times(trigger, start, start + 45 * DAY)):
        ran = good + timedelta(seconds=20)
        assert first_missed(trigger, good=ran, since=None, now=following - timedelta(seconds=1)) is None
        late = first_missed(trigger, good=ran, since=None, now=following + timedelta(hours=3))
        # A time that comes twice is one, and the run at its first coming stands for it.
        assert late == (None if following - good < timedelta(hours=3) else following)


def test_nothing_is_missed_before_the_first_time_that_a_schedule_is_due(tmp_path: Path) -> None:
    made = config_of(tmp_path)
    trigger = cron(made.digest[0], made)
    saturday = at("2026-11-21T12:00+01:00")
    assert first_missed(trigger, good=None, since=None, now=saturday) is None
    assert first_missed(trigger, good=None, since=saturday, now=saturday + 1.5 * DAY) is None
    assert first_missed(trigger, good=None, since=saturday, now=saturday + 2 * DAY) == at(
        "2026-11-23T07:00+01:00"
    )
    # A schedule that is new counts from when it was written down, whatever was before.
    assert first_missed(trigger, good=saturday - 300 * DAY, since=saturday, now=saturday + DAY) is None


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], True),
        (["new"], True),
        (["holiday"], True),
        (["unreachable", "quiet"], True),
        (["unreachable", "suspect"], False),
        (["parse-failed"], False),
    ],
)
def test_a_run_did_well_where_not_every_source_failed(outcomes: list[str], expected: bool) -> None:
    assert well(outcomes) is expected


# ---------------------------------------------------------------- the mail


class Installation:
    """An App with a mail server, a time that the test moves, and runs that end as told."""

    def __init__(self, app: App, server: SmtpServer) -> None:
        self.app, self.server = app, server

    def run(self, when: str, outcome: str = "new", error: str = "", status: str = "") -> None:
        """A run of the digest in the ledger."""
        began, store = at(when), self.app.store
        number = store.start_run("daily", self.app.today(began), now=began)
        source = SourceReport(name="sample", kind="arxiv", outcome=outcome, error=error or None)  # type: ignore[arg-type]
        report = RunReport(date=self.app.today(began), seconds=1, sources=(source,))
        record = msgspec.json.encode({"schema": 1, "error": error}) if status else msgspec.json.encode(report)
        status = status or ("degraded" if report.degraded else "done")
        store.finish_run(number, now=began, status=status, report=record)

    def watch(self, *whens: str) -> list[EmailMessage]:
        """The mails that come of a look at each of these moments."""
        before = len(self.server.taken)
        for when in whens:
            self.app.watch(at(when))
        self.server.settle()
        return [read(mail.data) for mail in self.server.taken[before:]]


def read(data: bytes) -> EmailMessage:
    mail = email.message_from_bytes(data, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def text_of(mail: EmailMessage) -> str:
    return str(mail.get_content()).replace(" \r\n", " ")


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with serving(lambda verb, line: None) as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, server: SmtpServer) -> Iterator[Installation]:
    with open_app(config_of(tmp_path, server.port)) as app:
        app.watch(at("2026-11-18T12:00+01:00"))
        yield Installation(app, server)


def test_a_silent_digest_is_mailed_once_then_once_a_day_and_once_when_it_runs_again(
    site: Installation,
) -> None:
    site.run("2026-11-19T07:00:02+01:00")
    site.run("2026-11-20T07:00:02+01:00", "unreachable", "https://arxiv.org/list/cs/new: no answer.")
    assert site.watch("2026-11-20T07:05+01:00", "2026-11-21T08:59+01:00") == []
    (first,) = site.watch(
        *(f"2026-11-21T{hour:02}:{minute:02}+01:00" for hour in (9, 16, 23) for minute in (0, 30))
    )
    assert first["Subject"] == "No successful run for 26 hours: daily"
    assert site.watch("2026-11-22T08:55+01:00") == []
    assert len(site.watch("2026-11-22T09:00+01:00", "2026-11-22T09:05+01:00")) == 1
    site.run("2026-11-22T10:00+01:00")
    (again,) = site.watch("2026-11-22T10:05+01:00", "2026-11-22T10:10+01:00", "2026-11-23T06:00+01:00")
    assert again["Subject"] == "Runs again: daily"
    assert "daily: 22 November 2026, 10:00 CET" in text_of(again)
    # The next silence is a new one.
    assert len(site.watch("2026-11-24T08:59+01:00", "2026-11-24T09:00+01:00")) == 1


def test_the_mail_says_what_was_when_and_what_to_do(site: Installation) -> None:
    site.run("2026-11-19T07:00:02+01:00")
    site.run("2026-11-20T07:00:02+01:00", "unreachable", "https://arxiv.org/list/cs/new: no answer.\nAgain.")
    (mail,) = site.watch("2026-11-21T09:30+01:00")
    raw = site.server.taken[0]
    assert_well_formed(raw.data)
    assert raw.envelope[0].startswith("MAIL FROM:<>")
    assert (mail["To"], mail["From"]) == (OPERATOR, "Digest <digest@papers.example.org>")
    assert (mail["Auto-Submitted"], mail.get_content_type()) == ("auto-generated", "text/plain")
    assert mail["Date"].datetime == at("2026-11-21T09:30+01:00")
    text = text_of(mail)
    for words in (
        "Tidal Papers (https://papers.example.org/)",
        "last successful run: 19 November 2026, 07:00 CET",
        "missed since: 20 November 2026, 07:00 CET",
        "next due: 23 November 2026, 07:00 CET",
        "last run: 20 November 2026, 07:00 CET, degraded",
        "sample: unreachable: https://arxiv.org/list/cs/new: no answer. Again.",
        "digest doctor --online",
    ):
        assert words in text, words
    assert site.app.config.file in re.sub(r"\s", "", text)
    assert "No run began" not in text


def test_a_run_that_never_began_and_one_that_failed_are_said(site: Installation) -> None:
    site.run("2026-11-19T07:00:02+01:00")
    (none,) = site.watch("2026-11-21T09:00+01:00")
    assert "No run began since then." in text_of(none)
    site.run("2026-11-21T10:00+01:00", error="The store is full (reader@mail.example).", status="failed")
    (failed,) = site.watch("2026-11-22T09:00+01:00")
    assert "failed: The store is full ((address))." in text_of(failed)


def test_a_run_that_hangs_is_said(site: Installation) -> None:
    """It has no report yet."""
    site.run("2026-11-19T07:00:02+01:00")
    began = at("2026-11-20T07:00:02+01:00")
    site.app.store.start_run("daily", site.app.today(began), now=began)
    (mail,) = site.watch("2026-11-21T09:00+01:00")
    assert "last run: 20 November 2026, 07:00 CET, running" in text_of(mail)


def test_a_digest_is_judged_by_the_sources_that_it_reads(tmp_path: Path, server: SmtpServer) -> None:
    """A run may be one of several digests."""
    made = config_of(tmp_path, server.port)
    tides = replace(made.digest[0], name="tides", path="tides", sources=("tides",))
    sources = (*made.source, SourceConfig(name="tides", path=str(tmp_path)))
    with open_app(replace(made, source=sources, digest=(*made.digest, tides))) as app:
        site, began = Installation(app, server), at("2026-11-20T07:00:02+01:00")
        assert site.watch("2026-11-18T12:00+01:00") == []
        read_both = (
            SourceReport(name="sample", kind="arxiv", outcome="new"),
            SourceReport(name="tides", kind="arxiv", outcome="unreachable", error="no answer"),
        )
        report = RunReport(date=app.today(began), seconds=1, sources=read_both)
        for name in ("daily", "tides"):
            number = app.store.start_run(name, app.today(began), now=began)
            app.store.finish_run(number, now=began, status="degraded", report=msgspec.json.encode(report))
        (mail,) = site.watch("2026-11-21T09:30+01:00")
    assert mail["Subject"] == "No successful run for 26 hours: tides"
    text = text_of(mail)
    assert "tides: unreachable: no answer" in text
    assert "sample" not in text


def test_a_digest_that_never_ran_is_silent_from_its_first_time_on(tmp_path: Path, server: SmtpServer) -> None:
    with open_app(config_of(tmp_path, server.port)) as app:
        fresh = Installation(app, server)
        assert fresh.watch("2026-11-21T12:00+01:00", "2026-11-23T07:30+01:00", "2026-11-24T08:59+01:00") == []
        (mail,) = fresh.watch("2026-11-24T09:00+01:00")
    assert "last successful run: never" in text_of(mail)


def test_weeks_of_good_weekdays_have_no_alarm(site: Installation) -> None:
    monday = datetime(2026, 11, 23, 6, 0, 1, tzinfo=UTC)
    for n in range(7 * 4):
        now = monday + n * DAY
        if now.weekday() < 5:
            site.run(now.isoformat())
        for hours in (0, 9, 23):
            site.app.watch(now + timedelta(hours=hours))
    site.server.settle()
    assert site.server.taken == []
    assert len(site.watch((now + 2 * DAY).isoformat(), (now + 3 * DAY).isoformat())) == 1


def test_a_mail_server_that_is_down_is_logged_and_tried_again(
    site: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    site.run("2026-11-19T07:00:02+01:00")
    answers = {"RCPT": b"451 4.3.0 later"}
    site.server.answer = lambda verb, line: answers.get(verb)
    assert site.watch("2026-11-21T09:00+01:00") == []
    answers.update(GREETING=b"421 4.3.2 not now")
    assert site.watch("2026-11-21T09:05+01:00") == []
    assert "Tried again in a few minutes" in caplog.text
    answers.clear()
    assert len(site.watch("2026-11-21T09:10+01:00", "2026-11-21T09:15+01:00")) == 1


def test_an_operator_who_is_refused_is_not_asked_every_five_minutes(
    site: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    site.run("2026-11-19T07:00:02+01:00")
    site.server.answer = lambda verb, line: b"550 5.1.1 no such user" if verb == "RCPT" else None
    assert site.watch("2026-11-21T09:00+01:00", "2026-11-21T09:05+01:00") == []
    assert site.server.verbs().count("RCPT") == 1
    assert "mail_to" in caplog.text
    assert OPERATOR not in caplog.text


def test_a_mail_of_a_clock_that_ran_ahead_keeps_no_later_one_back(site: Installation) -> None:
    site.run("2026-11-19T07:00:02+01:00")
    assert len(site.watch("2027-11-19T09:00+01:00")) == 1
    assert len(site.watch("2026-11-21T09:00+01:00", "2026-11-21T09:05+01:00")) == 1


def test_a_run_that_did_well_is_told_also_where_the_next_one_is_missed_again(site: Installation) -> None:
    """Nobody looked between the two: the silence that was mailed has ended, and another has begun."""
    site.run("2026-11-19T07:00:02+01:00")
    assert len(site.watch("2026-11-21T09:00+01:00")) == 1
    site.run("2026-11-21T10:00+01:00")
    (mail,) = site.watch("2026-11-23T08:00+01:00", "2026-11-23T08:05+01:00")
    assert mail["Subject"] == "Runs again: daily"


def test_two_processes_do_not_both_mail(site: Installation, tmp_path: Path) -> None:
    site.run("2026-11-19T07:00:02+01:00")
    now = at("2026-11-21T09:00+01:00")
    site.app.store.acquire_lease("watch", "elsewhere/1/1", now=now, ttl_s=60, is_dead=lambda holder: False)
    assert site.watch("2026-11-21T09:00+01:00") == []
    assert len(site.watch("2026-11-21T09:02+01:00")) == 1
    with open_app(site.app.config) as other:
        other.watch(at("2026-11-21T09:03+01:00"))
    site.server.settle()
    assert len(site.server.taken) == 1


def test_a_new_schedule_counts_from_when_it_is_written(tmp_path: Path, server: SmtpServer) -> None:
    with open_app(config_of(tmp_path, server.port, schedule="0 7 1 * *")) as app:
        Installation(app, server).run("2026-11-01T07:00:02+01:00")
        app.watch(at("2026-11-19T12:00+01:00"))
    with open_app(config_of(tmp_path, server.port, schedule="0 7 * * *")) as app:
        changed = Installation(app, server)
        assert changed.watch("2026-11-20T12:00+01:00", "2026-11-22T08:59+01:00") == []
        assert len(changed.watch("2026-11-22T09:00+01:00")) == 1
    with open_app(config_of(tmp_path, server.port, schedule="")) as app:
        assert Installation(app, server).watch("2026-11-25T09:00+01:00") == []


def test_without_an_address_nobody_is_mailed_and_the_silence_is_known(
    tmp_path: Path, server: SmtpServer, caplog: pytest.LogCaptureFixture
) -> None:
    with open_app(config_of(tmp_path, server.port, mail_to="")) as app:
        quiet = Installation(app, server)
        assert quiet.watch("2026-11-18T12:00+01:00") == []
        quiet.run("2026-11-19T07:00:02+01:00")
        assert quiet.watch("2026-11-22T09:00+01:00") == []
        assert not caplog.records
        (pulse,) = app.pulses(at("2026-11-22T09:00+01:00"))
        assert pulse.silent(at("2026-11-22T09:00+01:00"), 26)
        assert pulse.missed == at("2026-11-20T07:00+01:00")


def test_a_key_that_is_gone_does_not_keep_the_alarm_back(tmp_path: Path, server: SmtpServer) -> None:
    made = config_of(tmp_path, server.port)
    dkim = DkimConfig(selector="s1", key_file="gone.pem")
    with open_app(replace(made, mail=replace(made.mail, dkim=dkim))) as app:
        unsigned = Installation(app, server)
        assert unsigned.watch("2026-11-18T12:00+01:00") == []
        unsigned.run("2026-11-19T07:00:02+01:00")
        (mail,) = unsigned.watch("2026-11-21T09:00+01:00")
    assert "DKIM-Signature" not in mail


def test_an_alarm_goes_out_where_the_domain_of_the_sender_is_beyond_ascii(
    tmp_path: Path, server: SmtpServer
) -> None:
    made = config_of(tmp_path, server.port)
    with open_app(replace(made, mail=replace(made.mail, from_="Digest <digest@bücher.example>"))) as app:
        site = Installation(app, server)
        assert site.watch("2026-11-18T12:00+01:00") == []
        site.run("2026-11-19T07:00:02+01:00")
        (mail,) = site.watch("2026-11-21T09:00+01:00")
    assert mail["Message-ID"].endswith("@xn--bcher-kva.example>")


def test_many_silent_digests_are_one_mail(tmp_path: Path, server: SmtpServer) -> None:
    made = config_of(tmp_path, server.port)
    many = tuple(DigestConfig(name=f"d{n}", path=f"d{n}", schedule="0 7 * * *") for n in range(50))
    with open_app(replace(made, digest=many)) as app:
        crowd = Installation(app, server)
        assert crowd.watch("2026-11-19T12:00+01:00") == []
        (mail,) = crowd.watch("2026-11-21T09:00+01:00")
    assert mail["Subject"] == "No successful run for 26 hours: 50 digests"
    assert "And 30 further digests" in text_of(mail)


def test_the_service_mails_about_a_digest_whose_sources_all_fail(tmp_path: Path, server: SmtpServer) -> None:
    """The whole way: the scheduler's runs, its watch, the mail."""
    now = at("2026-11-19T06:30+01:00")
    made = config_of(tmp_path, server.port, source=str(tmp_path / "nowhere.html"), schedule="0 7 * * *")
    service = Service(made, clock=lambda: now)
    service.watch()
    now = at("2026-11-19T07:00+01:00")
    assert service.run(made.digest[0]) is not None
    service.watch()
    now = at("2026-11-20T09:00+01:00")
    service.watch()
    server.settle()
    (mail,) = server.taken
    assert "sample: unreachable" in text_of(read(mail.data))
    (tmp_path / "nowhere.html").write_bytes((ROOT / "examples/listings/arxiv-new.html").read_bytes())
    assert service.run(made.digest[0]) is not None
    service.watch()
    server.settle()
    assert read(server.taken[-1].data)["Subject"] == "Runs again: daily"


def test_the_web_door_watches_too(tmp_path: Path, server: SmtpServer) -> None:
    """Whoever makes the runs may be what is out of order: a timer, all workers."""
    now = at("2026-11-18T12:00+01:00")
    with open_app(config_of(tmp_path, server.port), clock=lambda: now) as app:
        app.watch(now)
        now = at("2026-11-21T09:00+01:00")
        beside = LetterWorker(app, watch_s=0)
        beside.start()
        assert server.wait_for(1)
        beside.end()
    (mail,) = server.taken
    assert "No run began since then." in text_of(read(mail.data))


@pytest.mark.parametrize(
    ("schedule", "monitor", "level", "words"),
    [
        ("0 7 * * *", {}, "ok", "silent for 26 hours"),
        ("0 7 * * *", {"mail_to": "", "heartbeat_url": "https://beats.example/c0ffee"}, "ok", "silent"),
        ("0 7 * * *", {"mail_to": ""}, "warning", "nobody hears"),
        ("", {}, "warning", 'no digest has a "schedule"'),
    ],
)
def test_doctor_says_whether_anybody_would_hear(
    tmp_path: Path, schedule: str, monitor: dict[str, str], level: str, words: str
) -> None:
    with open_app(config_of(tmp_path, schedule=schedule, **monitor)) as app:
        ((found, check, text),) = list(doctor.check_monitor(app, at("2026-11-20T12:00+01:00")))
    assert (found, check) == (level, "monitor")
    assert words in text
    assert "c0ffee" not in text


def test_doctor_names_what_is_silent(site: Installation) -> None:
    site.run("2026-11-19T07:00:02+01:00")
    findings = list(doctor.check_monitor(site.app, at("2026-11-21T09:00+01:00")))
    assert [level for level, _, _ in findings] == ["fault", "ok"]
    assert "daily: no successful run since 2026-11-20 07:00 CET" in findings[0][2]


# ---------------------------------------------------------------- the heartbeat


CANARY = "/beat/c0ffee-secret-key"


@pytest.fixture
def monitor() -> Iterator[Site]:
    with Site({CANARY: Reply(b"OK")}) as monitor:
        yield monitor


def beaten(monitor: Site) -> int:
    return sum(asked.path == CANARY for asked in monitor.asked)


def test_the_heartbeat_follows_runs_that_did_well_and_no_other(tmp_path: Path, monitor: Site) -> None:
    url = monitor.url(CANARY)
    page = tmp_path / "page.html"
    made = config_of(tmp_path, heartbeat_url=url, source=str(page))
    with open_app(made) as app:
        app.daily(at("2026-11-19T07:00+01:00"))  # its only source cannot be read
        assert beaten(monitor) == 0
        page.write_bytes((ROOT / "examples/listings/arxiv-new.html").read_bytes())
        app.daily(at("2026-11-19T08:00+01:00"), dry_run=True)
        app.daily(at("2026-11-19T09:00+01:00"), adhoc=[SourceConfig(name="by hand", path=str(page))])
        assert beaten(monitor) == 0
        report = app.daily(at("2026-11-20T07:00+01:00"))
        assert not report.degraded
        assert beaten(monitor) == 1


def test_a_heartbeat_that_fails_fails_no_run_and_its_address_is_not_logged(
    tmp_path: Path, monitor: Site, caplog: pytest.LogCaptureFixture
) -> None:
    monitor.pages[CANARY] = Reply(status=500)
    with (
        caplog.at_level(logging.DEBUG),
        open_app(config_of(tmp_path, heartbeat_url=monitor.url(CANARY))) as app,
    ):
        assert not app.daily(at("2026-11-20T07:00+01:00")).degraded
    assert beaten(monitor) == 1
    assert "127.0.0.1 did not take note of this run: the server answered 500" in caplog.text
    assert "c0ffee" not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/c0ffee",
        "https://127.0.0.1:1/c0ffee",
        "http://nobody.invalid/c0ffee",
        "ftp://example.org/c0ffee",
        "http://me:c0ffee@127.0.0.1:1/",
        "http://[c0ffee/",
    ],
)
def test_an_address_that_cannot_be_asked_is_said_without_its_path(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert not beat(
            url, user_agent="digest", seconds=5, lookup=lambda host, port: [(2, ("127.0.0.1", port))]
        )
    assert "did not take note" in caplog.text
    assert "c0ffee" not in caplog.text


def test_a_heartbeat_that_says_nothing_ends_in_time(caplog: pytest.LogCaptureFixture) -> None:
    with Site({CANARY: lambda connection: connection.recv(1)}) as silent:
        assert not beat(silent.url(CANARY), user_agent="digest", seconds=0.2)
    assert "no answer within 0.2 s" in caplog.text


def test_a_heartbeat_is_not_led_into_another_place_of_this_machine(monitor: Site) -> None:
    with Site({"/old": Reply(status=302, headers={"Location": monitor.url(CANARY)})}) as moved:
        assert not beat(moved.url("/old"), user_agent="digest")
    with Site({"/old": Reply(status=302, headers={"Location": "/new"}), "/new": Reply(b"OK")}) as moved:
        assert beat(moved.url("/old"), user_agent="digest")
    assert beaten(monitor) == 0


def test_a_heartbeat_is_not_led_into_a_private_network(monitor: Site) -> None:
    """The port is the web's, so that only the address tells."""
    with Site() as inner:
        inner.pages["*"] = Reply(b"ok")
        monitor.pages["*"] = Reply(status=302, headers={"Location": "http://inner.example/ping"})
        ports = {"inner.example": inner.port}
        lookup = lambda host, port: [(socket.AF_INET, ("127.0.0.1", ports.get(host, port)))]  # noqa: E731
        assert beat(monitor.url("/ping"), user_agent="x", lookup=lookup) is False
        assert inner.asked == []
