"""The day from listing to mail: nothing lost, nothing twice, whatever happens on the way."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from conftest import sizes
from digest.app import App, open_app
from digest.config import Config, DigestConfig, MailConfig, SourceConfig
from digest.errors import LeaseHeld, PublishError, StoreError
from digest.model import RunReport
from pages import installation, invented, rss, tree

NOW = datetime(2026, 11, 19, 6, tzinfo=UTC)
DAY = timedelta(days=1)


def put(tmp_path: Path, name: str, papers: list[tuple[str, str]]) -> None:
    (tmp_path / "inbox").mkdir(exist_ok=True)
    (tmp_path / "inbox" / name).write_bytes(rss(papers))


def subscribe(config: Config, *addresses: str) -> None:
    with open_app(config) as app:
        for address in addresses:
            app.store.add_subscriber(address, digests=(), now=NOW)


def run(config: Config, now: datetime = NOW, **options: object) -> RunReport:
    with open_app(config, clock=lambda: now) as app:
        return app.daily(now, **options)  # type: ignore[arg-type]


def papers_of(config: Config) -> list[str]:
    """The titles of every edition, oldest first."""
    with open_app(config) as app:
        return [e.paper.title for edition in app.store.all_editions("daily") for e in edition.entries]


def mails(tmp_path: Path) -> list[email.message.EmailMessage]:
    files = sorted((tmp_path / "outbox").glob("*.eml"))
    return [email.message_from_bytes(f.read_bytes(), policy=email.policy.default) for f in files]  # type: ignore[misc]


def test_a_listing_becomes_an_edition_feeds_pages_and_mail(tmp_path: Path) -> None:
    config = installation(tmp_path)
    subscribe(config, "reader@example.org")
    put(tmp_path, "a.xml", invented(0, 12))
    report = run(config)
    assert [(s.outcome, s.read, s.new) for s in report.sources] == [("new", 12, 12)]
    assert report.digests[0].edition is not None
    assert report.digests[0].edition.papers == 12
    assert report.deliveries.accepted == 1
    assert not report.degraded
    feeds = tmp_path / "feeds"
    for name in (
        "rss.xml",
        "atom.xml",
        "feed.json",
        "index.html",
        "2026/11/19/index.html",
        "2026/11/19/email.html",
    ):
        assert (feeds / name).stat().st_size > 500, name
    message = mails(tmp_path)[0]
    assert message["To"] == "reader@example.org"
    html = message.get_body(("html",))
    assert html is not None
    assert all(title in html.get_content() for title, _ in invented(0, 12))


def test_a_second_run_says_nothing_new_and_touches_no_file(tmp_path: Path) -> None:
    config = installation(tmp_path)
    subscribe(config, "reader@example.org")
    put(tmp_path, "a.xml", invented(0, 5))
    run(config)
    before = tree(tmp_path / "feeds"), tree(tmp_path / "outbox")
    report = run(config, NOW + timedelta(hours=1))
    assert report.sources[0].outcome == "quiet"
    assert report.digests[0].edition is None
    assert report.published.written == 0
    assert (tree(tmp_path / "feeds"), tree(tmp_path / "outbox")) == before


def test_papers_that_come_after_the_edition_wait_for_the_next_day(tmp_path: Path) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 5))
    run(config)
    put(tmp_path, "b.xml", invented(5, 3))
    late = run(config, NOW + timedelta(hours=2))
    assert late.digests[0].edition is None
    assert late.digests[0].waiting == 3
    assert run(config, NOW + DAY).digests[0].edition.papers == 3  # type: ignore[union-attr]
    assert sorted(papers_of(config)) == sorted(title for title, _ in invented(0, 8))


def test_again_issues_a_second_part_of_the_date(tmp_path: Path) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 5))
    run(config)
    put(tmp_path, "b.xml", invented(5, 3))
    second = run(config, NOW + timedelta(hours=2), again=True).digests[0].edition
    assert second is not None
    assert (second.id, second.part, second.number, second.papers) == ("2026-11-19/2", 2, 2, 3)
    assert (tmp_path / "feeds/2026/11/19/2/index.html").exists()
    assert run(config, NOW + timedelta(hours=3), again=True).digests[0].edition is None


def test_the_date_of_an_edition_is_local(tmp_path: Path) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 1))
    assert run(config, datetime(2026, 11, 19, 23, 30, tzinfo=UTC)).date == date(2026, 11, 20)


def test_a_broken_listing_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    config = installation(
        tmp_path,
        source=(
            SourceConfig(name="broken", path="broken.html"),
            SourceConfig(name="gone", path="gone.html"),
            SourceConfig(name="inbox", path="inbox"),
        ),
    )
    (tmp_path / "broken.html").write_bytes(b"<html><title>Log in</title><p>Please log in.</p></html>")
    put(tmp_path, "a.xml", invented(0, 4))
    (tmp_path / "inbox" / "b.xml").write_bytes(b"")
    report = run(config)
    assert [(s.name, s.outcome, s.new) for s in report.sources] == [
        ("broken", "parse-failed", 0),
        ("gone", "unreachable", 0),
        ("inbox", "parse-failed", 4),
    ]
    assert all(s.error for s in report.sources)
    assert report.degraded
    assert report.digests[0].edition is not None
    (tmp_path / "inbox" / "b.xml").write_bytes(rss(invented(4, 2)))
    assert run(config, NOW + DAY).digests[0].edition.papers == 2  # type: ignore[union-attr]


def test_a_paper_without_a_title_is_counted_as_failed_and_loses_no_other(tmp_path: Path) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", [*invented(0, 3), ("", "An abstract of a paper that has no title at all.")])
    report = run(config)
    assert (report.sources[0].read, report.sources[0].new, report.sources[0].failed) == (4, 3, 1)
    assert report.degraded


def test_a_dry_run_writes_and_sends_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 4))
    before = tree(tmp_path)
    report = run(config, dry_run=True)
    assert report.digests[0].edition.papers == 4  # type: ignore[union-attr]
    assert report.published.written > 0
    assert tree(tmp_path) == before
    subscribe(config, "reader@example.org")
    assert run(config, dry_run=True).deliveries.queued == 1
    assert not (tmp_path / "feeds").exists()
    assert run(config).digests[0].edition.papers == 4  # type: ignore[union-attr]


def test_rules_leave_papers_out_and_say_how_many(tmp_path: Path) -> None:
    config = installation(
        tmp_path, digest=(DigestConfig(name="daily", title="T", path="", exclude=("moth",)),)
    )
    put(tmp_path, "a.xml", invented(0, 10))
    report = run(config)
    assert report.sources[0].dropped == 1
    assert report.digests[0].dropped == 1
    assert report.digests[0].edition.papers == 9  # type: ignore[union-attr]
    assert run(config, NOW + DAY).digests[0].edition is None


def test_two_digests_each_get_what_their_sources_give(tmp_path: Path) -> None:
    config = installation(
        tmp_path,
        source=(SourceConfig(name="inbox", path="inbox"), SourceConfig(name="other", path="other.xml")),
        digest=(
            DigestConfig(name="daily", title="All", path=""),
            DigestConfig(name="one", title="One", path="one", sources=("other",)),
        ),
    )
    put(tmp_path, "a.xml", invented(0, 4))
    (tmp_path / "other.xml").write_bytes(rss(invented(2, 3)))
    report = run(config)
    assert [d.edition.papers for d in report.digests if d.edition] == [5, 3]
    assert (tmp_path / "feeds/one/2026/11/19/index.html").exists()
    assert report.digests[1].edition.url == "https://papers.example.org/one/2026/11/19/"  # type: ignore[union-attr]


def test_a_run_for_one_digest_does_not_lose_papers_for_the_other(tmp_path: Path) -> None:
    digests = (
        DigestConfig(name="daily", title="A", path=""),
        DigestConfig(name="weekly", title="W", path="weekly"),
    )
    config = installation(tmp_path, digest=digests)
    put(tmp_path, "a.xml", invented(0, 4))
    run(config, digests=[digests[0]])
    (tmp_path / "inbox" / "a.xml").write_bytes(rss(invented(4, 1)))  # the listing has moved on
    report = run(config, NOW + DAY, digests=[digests[1]])
    assert report.digests[0].edition.papers == 5  # type: ignore[union-attr]


def test_feeds_can_be_deleted_and_rebuilt_to_the_same_bytes(tmp_path: Path) -> None:
    config = installation(tmp_path)
    for n in range(3):
        put(tmp_path, f"{n}.xml", invented(n * 30, 25))
        run(config, NOW + n * DAY)
    before = {name: body for name, (body, _) in tree(tmp_path / "feeds").items()}
    for path in sorted((tmp_path / "feeds").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with open_app(config) as app:
        report = app.rebuild()
    assert report.unchanged == 0
    assert {name: body for name, (body, _) in tree(tmp_path / "feeds").items()} == before


@pytest.mark.parametrize("times", sizes(10, 100))
def test_any_number_of_rebuilds_touches_nothing(tmp_path: Path, times: int) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 20))
    run(config)
    before = tree(tmp_path / "feeds")
    with open_app(config) as app:
        for _ in range(times):
            assert app.rebuild().written == 0
    assert tree(tmp_path / "feeds") == before


def test_a_subscriber_who_left_gets_nothing_that_was_queued(tmp_path: Path) -> None:
    config = installation(tmp_path, mail=MailConfig(transport="smtp", from_="D <d@papers.example.org>"))
    config = installation(tmp_path, mail=config.mail)
    subscribe(config, "a@example.org", "b@example.org")
    put(tmp_path, "a.xml", invented(0, 2))
    report = run(config)  # no server listens there: everything stays queued
    assert report.deliveries.error
    assert report.degraded
    with open_app(config) as app:
        assert app.store.remove_subscriber("a@example.org", now=NOW)
    report = run(installation(tmp_path), NOW + timedelta(hours=1))
    assert [m["To"] for m in mails(tmp_path)] == ["b@example.org"]


def test_mail_that_was_queued_goes_out_with_the_next_run(tmp_path: Path) -> None:
    broken = installation(
        tmp_path, mail=MailConfig(folder="blocked/outbox", from_="D <d@papers.example.org>")
    )
    (tmp_path / "blocked").write_text("a file where the folder should be")
    subscribe(broken, "a@example.org", "b@example.org")
    put(tmp_path, "a.xml", invented(0, 2))
    assert run(broken).deliveries.error
    (tmp_path / "blocked").unlink()
    report = run(broken, NOW + timedelta(hours=1))
    assert report.deliveries.accepted == 2
    assert report.digests[0].edition is None


def test_an_edition_that_is_too_old_is_not_sent_any_more(tmp_path: Path) -> None:
    broken = installation(
        tmp_path, mail=MailConfig(folder="blocked/outbox", from_="D <d@papers.example.org>")
    )
    (tmp_path / "blocked").write_text("")
    subscribe(broken, "a@example.org")
    put(tmp_path, "a.xml", invented(0, 2))
    run(broken)
    (tmp_path / "blocked").unlink()
    report = run(broken, NOW + 3 * DAY)
    assert (report.deliveries.accepted, report.deliveries.expired) == (0, 1)
    assert report.degraded  # its reader never gets it


def test_send_to_one_address_sends_one_copy_and_nothing_else(tmp_path: Path) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 2))
    run(config)
    subscribe(config, "a@example.org")
    with open_app(config) as app:
        edition, receipt = app.send_to("me@example.org", now=NOW)
    assert (edition.id, receipt.status) == ("2026-11-19", "accepted")
    assert [m["To"] for m in mails(tmp_path)] == ["me@example.org"]


def test_a_page_that_cannot_be_written_stops_the_run_before_the_mail(tmp_path: Path) -> None:
    """A mail links to its page: nobody is sent to a page that is not there. The next run publishes, then sends."""
    config = installation(tmp_path)
    subscribe(config, "a@example.org")
    put(tmp_path, "a.xml", invented(0, 2))
    (tmp_path / "feeds").write_text("a file where the folder should be")
    with pytest.raises(PublishError):
        run(config)
    assert mails(tmp_path) == []
    (tmp_path / "feeds").unlink()
    report = run(config, NOW + timedelta(minutes=5))
    assert report.deliveries.accepted == 1
    assert (tmp_path / "feeds/2026/11/19/index.html").exists()


def test_send_publishes_what_its_mails_link_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that died between issue and publish, and a `digest send` from cron before the next run."""
    from digest.store import Store

    config = installation(tmp_path)
    subscribe(config, "a@example.org")
    put(tmp_path, "a.xml", invented(0, 2))
    with monkeypatch.context() as patch, pytest.raises(Crash):
        patch.setattr(Store, "edition_heads", crash_with(Crash))
        run(config)
    assert not (tmp_path / "feeds").exists()
    with open_app(config, clock=lambda: NOW) as app:
        assert app.send().accepted == 1
    assert (tmp_path / "feeds/2026/11/19/index.html").exists()


def crash_with(error: type[BaseException]) -> Callable[..., object]:
    def crash(*args: object, **options: object) -> object:
        raise error

    return crash


def test_a_month_that_was_not_written_is_made_up_for(tmp_path: Path) -> None:
    config = installation(tmp_path)
    for n, now in enumerate([datetime(2026, 11, 30, 6, tzinfo=UTC), datetime(2026, 12, 1, 6, tzinfo=UTC)]):
        put(tmp_path, "a.xml", invented(n * 3, 3))
        if n:
            (tmp_path / "feeds/2026/11/index.html").unlink()
        run(config, now)
    assert (tmp_path / "feeds/2026/11/index.html").exists()
    with open_app(config) as app:
        assert app.rebuild().written == 0


def test_an_edition_of_a_date_far_off_does_not_hide_the_next_ones(tmp_path: Path) -> None:
    """A clock that was wrong for once."""
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 60))
    run(config, day=date(2062, 1, 1))
    put(tmp_path, "a.xml", invented(60, 3))
    run(config)
    assert "study 61" in (tmp_path / "feeds/rss.xml").read_text()
    assert "2026/11/19/" in (tmp_path / "feeds/index.html").read_text()


def test_an_edition_of_an_earlier_date_is_linked_from_the_one_after_it(tmp_path: Path) -> None:
    config = installation(tmp_path)
    for n, day in enumerate([date(2026, 11, 17), date(2026, 11, 19), date(2026, 11, 18)]):
        put(tmp_path, "a.xml", invented(n * 3, 3))
        run(config, day=day)
    with open_app(config) as app:
        assert app.rebuild().written == 0
    assert "2026/11/18/" in (tmp_path / "feeds/2026/11/19/index.html").read_text()


def test_a_dry_run_keeps_nobody_out_of_the_store_while_it_fetches(tmp_path: Path) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 2))
    run(config)
    put(tmp_path, "b.xml", invented(2, 2))
    with open_app(config, clock=lambda: NOW) as app:
        visit = app.fetcher.visit

        def slow(source: SourceConfig, *, now: datetime) -> object:
            subscribe(config, "a@example.org")  # another process, while a source takes its time
            return visit(source, now=now)

        app.fetcher.visit = slow  # type: ignore[method-assign,assignment]
        assert app.daily(NOW + DAY, dry_run=True).deliveries.queued == 1


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize(
    "step", ["record_sightings", "issue", "edition_heads", "claim", "record_receipts", "finish_run"]
)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_crash_at_any_step_loses_nothing_and_repeats_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    from digest.store import Store

    config = installation(tmp_path)
    subscribe(config, "a@example.org", "b@example.org", "c@example.org")
    put(tmp_path, "a.xml", invented(0, 6))
    real = getattr(Store, step)

    def crash(self: Store, *args: object, **options: object) -> object:
        if after:
            real(self, *args, **options)
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Store, step, crash)
        with pytest.raises(Crash):
            run(config)
    report = run(config, NOW + timedelta(minutes=1))
    assert report.digests[0].waiting == 0
    assert sorted(papers_of(config)) == sorted(title for title, _ in invented(0, 6))
    assert sorted(m["To"] for m in mails(tmp_path)) == ["a@example.org", "b@example.org", "c@example.org"]
    assert run(config, NOW + timedelta(minutes=2)).deliveries.accepted == 0


def test_a_second_run_at_the_same_time_leaves(tmp_path: Path) -> None:
    config = installation(tmp_path)
    with open_app(config) as first:
        first.store.acquire_lease(
            "run", "elsewhere.example.org/1/1", now=NOW, ttl_s=60, is_dead=lambda _: False
        )
        with pytest.raises(LeaseHeld):
            run(config)
        assert run(config, NOW + timedelta(seconds=61)).date == date(2026, 11, 19)


def test_a_corrupt_store_is_named_and_no_mail_goes_out(tmp_path: Path) -> None:
    config = installation(tmp_path)
    (tmp_path / "digest.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 8192)
    put(tmp_path, "a.xml", invented(0, 2))
    with pytest.raises(StoreError, match=r"digest\.db"):
        run(config)
    assert not (tmp_path / "outbox").exists()


def test_every_decision_is_on_record_with_its_app(tmp_path: Path) -> None:
    config = installation(tmp_path)
    put(tmp_path, "a.xml", invented(0, 2))
    run(config)
    with App(config) as app:
        assert app.store.waiting("daily") == []
        assert app.store.count_waiting("daily") == 0
        assert [row.status for row in app.store.last_runs(5)] == ["done"]


def test_told_to_stop_before_the_mail_goes_out_leaves_it_queued(tmp_path: Path) -> None:
    config = installation(tmp_path)
    subscribe(config, *(f"r{n}@example.org" for n in range(5)))
    put(tmp_path, "a.xml", invented(0, 2))
    with open_app(config, clock=lambda: NOW) as app:
        publish = app.publish

        def published(**options: bool) -> object:
            app.stop.set()
            return publish(**options)

        app.publish = published  # type: ignore[method-assign,assignment]
        app.daily(NOW)
        assert app.store.delivery_counts()["queued"] == 5
    assert mails(tmp_path) == []
