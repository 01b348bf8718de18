"""/metrics: what Prometheus reads is true, complete, cheap, and nobody's business but the operator's."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from digest import __version__
from digest.app import open_app
from digest.config import Config, DigestConfig, EngineConfig, MailConfig, MonitorConfig, SmtpConfig
from digest.model import Preferences
from digest.store import WorkerRow
from digest.store.database import load_queries
from digest.web.metrics import (
    LIVE,
    OUTCOMES,
    PAPER_COUNTS,
    RUN_STATUSES,
    SUBSCRIBER_STATUSES,
    Count,
    Metrics,
    StoreCollector,
)
from test_alarm import Installation, at
from webs import ROOT, Clock, Site, config_of, serving

MORNING = "2026-11-20T07:00:00+01:00"
SCHEDULED = DigestConfig(name="daily", title="Paper Digest", path="", schedule="0 7 * * *")

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples_of(body: bytes) -> Samples:
    """Each sample by its name and labels, as Prometheus' own parser reads it."""
    found: Samples = {}
    for family in read_text(body.decode()):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def watched(folder: Path, **web: Any) -> Config:
    return replace(config_of(folder, **web), digest=(SCHEDULED,))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(watched(tmp_path), Clock(at(MORNING))) as site:
        yield site


def test_the_numbers_are_those_of_the_store(site: Site) -> None:
    site.reader("reader@mail.example")
    site.pending("pending@mail.example")
    site.app.watch(at(MORNING))
    report = site.app.daily(at(MORNING))
    assert report.deliveries.accepted == 1
    site.clock.now = at("2026-11-21T07:00:10+01:00")
    found = samples_of(site.get("/metrics").body)
    source = report.sources[0]
    assert value(found, "digest_last_success_timestamp_seconds", digest="daily") == at(MORNING).timestamp()
    assert value(found, "digest_silent_seconds", digest="daily") == 10
    assert value(found, "digest_run_status", digest="daily", status="done") == 1
    assert value(found, "digest_run_status", digest="daily", status="failed") == 0
    assert (
        value(found, "digest_run_duration_seconds", digest="daily") == 0
    )  # the clock of this test stood still
    assert value(found, "digest_source_outcome", source="sample", outcome="new") == 1
    assert [value(found, "digest_source_outcome", source="sample", outcome=o) for o in OUTCOMES].count(1) == 1
    assert value(found, "digest_source_papers", source="sample", status="new") == source.new > 0
    assert value(found, "digest_source_papers", source="sample", status="parsed") == source.read
    assert value(found, "digest_source_run_timestamp_seconds", source="sample") == at(MORNING).timestamp()
    assert value(found, "digest_papers_waiting", digest="daily") == 0
    assert value(found, "digest_deliveries_created_total") == 1
    assert [value(found, "digest_deliveries", status=status) for status in LIVE] == [0, 0, 0]
    assert value(found, "digest_delivery_oldest_due_age_seconds") == 0
    assert value(found, "digest_subscribers", status="confirmed") == 1
    assert value(found, "digest_subscribers", status="pending") == 1
    assert value(found, "digest_build_info", version=__version__, store="sqlite", engine="in-process") == 1
    assert value(found, "process_resident_memory_bytes") > 1_000_000


def test_what_waits_is_counted_with_its_age(tmp_path: Path) -> None:
    made = watched(tmp_path)
    nowhere = MailConfig(transport="smtp", from_=made.mail.from_, smtp=SmtpConfig(port=1, security="none"))
    with serving(replace(made, mail=nowhere), Clock(at(MORNING))) as site:
        readers = [site.reader(f"reader{n}@mail.example") for n in range(3)]
        site.app.daily(at(MORNING))
        site.clock.forward(minutes=5)
        found = samples_of(site.get("/metrics").body)
    assert sum(value(found, "digest_deliveries", status=status) for status in LIVE) == len(readers)
    assert value(found, "digest_deliveries_created_total") == len(readers)
    assert value(found, "digest_delivery_oldest_due_age_seconds") == 300


def test_prometheus_reads_it_in_both_of_its_formats(site: Site) -> None:
    site.app.daily(at(MORNING))
    plain = site.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=")
    modern = site.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
    names = {family.name for family in read_openmetrics(modern.body.decode())}
    assert {f.name.removesuffix("_info").removesuffix("_total") for f in read_text(plain.body.decode())} == {
        name.removesuffix("_info") for name in names
    }


def test_names_keep_to_the_conventions(site: Site) -> None:
    """https://prometheus.io/docs/practices/naming/: a prefix, base units, _total for counters and for nothing else."""
    site.app.daily(at(MORNING))
    for family in read_text(site.get("/metrics").body.decode()):
        assert re.fullmatch(r"(digest|process)_[a-z_]+", family.name)
        if family.name.startswith("digest_"):
            assert not re.search(r"(_ms|_minutes|_hours|_count|_sum|_bucket)$", family.name)
            assert family.type in ("gauge", "counter", "info")
            assert all(
                sample.name.endswith("_total") is (family.type == "counter") for sample in family.samples
            )


@pytest.mark.parametrize(
    ("networks", "proxies", "headers", "status"),
    [
        (("127.0.0.1",), (), {}, 200),
        (("127.0.0.0/8", "::1/128"), (), {}, 200),
        (("10.0.0.0/8",), (), {}, 403),
        ((), (), {}, 403),
        # Behind a web server that is named: who asked it counts, and what that one made up does not.
        (("127.0.0.1",), ("127.0.0.1",), {"X-Forwarded-For": "203.0.113.9"}, 403),
        (("10.0.0.0/8",), ("127.0.0.1",), {"X-Forwarded-For": "10.1.2.3"}, 200),
        (("10.0.0.0/8",), ("127.0.0.1",), {"X-Forwarded-For": "10.1.2.3, 203.0.113.9"}, 403),
        # Behind one that is not named, everybody would come from this machine.
        (("127.0.0.1",), (), {"X-Forwarded-For": "203.0.113.9"}, 403),
        (("127.0.0.1",), (), {"Via": "1.1 proxy"}, 403),
        (("127.0.0.1",), ("127.0.0.1",), {"X-Forwarded-For": "not an address"}, 200),
    ],
)
def test_only_who_is_named_may_read_them(
    tmp_path: Path, networks: tuple[str, ...], proxies: tuple[str, ...], headers: dict[str, str], status: int
) -> None:
    made = replace(watched(tmp_path, proxies=proxies), monitor=MonitorConfig(metrics_from=networks))
    with serving(made, Clock(at(MORNING))) as site:
        answer = site.get("/metrics", **headers)
        assert answer.status == status
        assert (b"digest_build_info" in answer.body) is (status == 200)
        assert site.get("/healthz", **headers).status == 200


def test_nobody_is_named_in_them(site: Site) -> None:
    site.reader("reader@mail.example")
    site.app.daily(at(MORNING))
    body = site.get("/metrics").body.decode()
    assert "@" not in body
    assert "mail.example" not in body
    titles = [paper.title for paper in _papers(site)]
    assert len(titles) > 10
    assert not any(title in body for title in titles)


def _papers(site: Site) -> list[Any]:
    edition = site.app.newest_edition()
    return [entry.paper for section in edition.sections for entry in section.entries]


def test_a_store_that_fails_is_no_scrape(tmp_path: Path) -> None:
    with serving(watched(tmp_path), Clock(at(MORNING))) as site:
        with closing(sqlite3.connect(tmp_path / "digest.db")) as connection:
            connection.execute("DROP TABLE letters")
        answer = site.get("/metrics")
        assert answer.status == 503
        assert b"digest.db" not in answer.body


def test_jobs_and_workers_are_there_where_an_engine_is(tmp_path: Path) -> None:
    made = replace(watched(tmp_path), engine=EngineConfig(kind="procrastinate"))
    with open_app(made, clock=Clock(at(MORNING))) as app:
        app.watch(at(MORNING))
        found = samples_of(Metrics(app).text("", now=at(MORNING))[0])
    assert value(found, "digest_workers") == 0
    assert value(found, "digest_build_info", version=__version__, store="sqlite", engine="procrastinate") == 1


def test_workers_are_counted_by_the_clock_that_wrote_when_they_were_heard_of(tmp_path: Path) -> None:
    """That of a machine which answers for the metrics may be wrong."""
    made = replace(watched(tmp_path), engine=EngineConfig(kind="procrastinate"))
    with open_app(made, clock=Clock(at(MORNING))) as app:
        for name, ago in (("here", 0), ("gone", 60)):
            seen_at = app.store.server_time() - timedelta(seconds=ago)
            app.store.put_worker(
                WorkerRow(
                    id=name,
                    engine_id=None,
                    version=__version__,
                    queues=("deliver",),
                    doing="",
                    started_at=seen_at,
                    seen_at=seen_at,
                )
            )
        found = samples_of(Metrics(app).text("", now=at(MORNING))[0])
    assert value(found, "digest_workers") == 1


def test_the_metrics_of_postgresql_are_those_of_sqlite(store_url: str, tmp_path: Path) -> None:
    made = watched(tmp_path)
    made = replace(made, store=replace(made.store, url=store_url))
    with open_app(made, clock=Clock(at(MORNING))) as app:
        app.watch(at(MORNING))
        app.store.add_subscriber("reader@mail.example", digests=[], now=at(MORNING))
        app.daily(at(MORNING))
        app.subscriptions.subscribe(
            "asked@mail.example", digests=["daily"], preferences=Preferences(), now=at(MORNING)
        )
        found = samples_of(Metrics(app).text("", now=at(MORNING))[0])
    assert value(found, "digest_letters_waiting") == 1
    assert value(found, "digest_deliveries_created_total") == 1
    assert value(found, "digest_subscribers", status="confirmed") == 1
    assert value(found, "digest_run_status", digest="daily", status="done") == 1
    assert set(SUBSCRIBER_STATUSES) == {
        dict(labels)["status"] for name, labels in found if name == "digest_subscribers"
    }


def test_a_long_row_of_failures_does_not_hide_the_last_success(tmp_path: Path) -> None:
    with open_app(watched(tmp_path), clock=Clock(at(MORNING))) as app:
        ledger = Installation(app, None)  # type: ignore[arg-type]
        ledger.run("2026-11-01T07:00:02+01:00")
        for day in range(2, 20):
            for hour in range(7, 12):
                ledger.run(f"2026-11-{day:02}T{hour:02}:00:02+01:00", "unreachable", "gone")
        (pulse,) = app.pulses(at(MORNING))
    assert pulse.last_success == at("2026-11-01T07:00:02+01:00")


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("live_deliveries", "deliveries_(queued|sending|deferred)"),
        ("next_due", "deliveries_(queued|deferred)"),
        ("count_letters", "letters_waiting"),
        ("count_waiting", "offers_waiting"),
        ("subscriber_counts", "subscribers_status"),
        ("newest_runs", "runs_day"),
        ("finished_runs", "runs_day"),
    ],
)
def test_no_question_of_a_scrape_walks_through_all_there_ever_was(
    tmp_path: Path, query: str, index: str
) -> None:
    sql = load_queries("sqlite")[query]
    with open_app(watched(tmp_path)) as app:
        app.store.check()
    with closing(sqlite3.connect(tmp_path / "digest.db")) as connection:
        names = {"digest": "daily", "limit": 10}
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", names)]
    asked = [
        step for step in plan if re.match(r"(SCAN|SEARCH) (deliveries|letters|offers|subscribers|runs)", step)
    ]
    assert asked
    for step in asked:
        assert re.search(f"USING (COVERING )?INDEX {index}\\b", step), plan
    assert not any("TEMP B-TREE" in step for step in plan)


def test_the_document_names_every_metric_with_its_labels_and_no_other(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "monitoring.md").read_text()
    documented = {
        name: set(re.findall(r"`(\w+)`", labels))
        for name, labels in re.findall(r"(?m)^\| `(digest_\w+)` \| (.*?) ?\| ", text)
    }
    made = replace(watched(tmp_path), engine=EngineConfig(kind="procrastinate"))
    with open_app(made, clock=Clock(at(MORNING))) as app:
        app.watch(at(MORNING))
        app.daily(at(MORNING))
        collector = StoreCollector(app)
        collector._jobs = Count(lambda: {"collect todo": 1})
        real = {
            sample.name: set(sample.labels)
            for family in collector.collect()
            for sample in family.samples
            if not sample.name.endswith("_created")
        }
    assert documented == real, "docs/monitoring.md: a row for each metric, with its labels"
    # And the rules use no other.
    rules = "".join(re.findall(r"(?ms)^```yaml\n(.*?)^```$", text))
    assert set(re.findall(r"digest_\w+", rules)) <= set(real)
    for block in re.findall(r"(?ms)^```yaml\n(.*?)^```$", text):
        assert yaml.safe_load(block)
    for label in ("status", "outcome"):
        known = {*OUTCOMES, *LIVE, *SUBSCRIBER_STATUSES, *RUN_STATUSES, *PAPER_COUNTS}
        named = "".join(re.findall(rf'{label}=~?"([^"]+)"', rules)).split("|")
        assert set(named) - {""} <= known
