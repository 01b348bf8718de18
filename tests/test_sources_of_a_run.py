"""What a run does with its sources: routes joined and compared, missed days caught up, batches waited for, folders watched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from digest.app import App, open_app
from digest.config import Config, SourceConfig
from digest.errors import Stopped
from digest.model import RunReport, SourceReport
from fetch_servers import Reply, Site
from listing_pages import arxiv_feed, arxiv_page
from pages import installation, invented, rss

THURSDAY = date(2026, 11, 19)
NOW = datetime(2026, 11, 19, 6, tzinfo=UTC)
DAY = timedelta(days=1)


def html(text: str, **headers: str) -> Reply:
    return Reply(text.encode(), headers={"Content-Type": "text/html; charset=utf-8", **headers})


def arxiv(site: Site, **options: object) -> SourceConfig:
    made = {
        "name": "cs.DB",
        "url": site.url("/list/cs.DB/new"),
        "allow_private": True,
        "lookback_days": 7,
        **options,
    }
    return SourceConfig(**made)  # type: ignore[arg-type]


def run(config: Config, now: datetime = NOW, **options: object) -> RunReport:
    with quick(config, lambda: now) as app:
        return app.daily(now, **options)  # type: ignore[arg-type]


def quick(config: Config, clock: Callable[[], datetime]) -> App:
    """An App that does not rest for three seconds between two requests to what looks like arXiv."""
    app = open_app(config, clock=clock)
    app.arxiv_interval_s = 0.0
    return app


def source_of(report: RunReport) -> SourceReport:
    return report.sources[0]


def titles(config: Config) -> list[str]:
    with open_app(config) as app:
        return [e.paper.title for edition in app.store.all_editions("daily") for e in edition.entries]


# --- two routes


def test_what_either_route_shows_is_taken_once_and_the_gap_is_named(tmp_path: Path) -> None:
    pages = {
        "/list/cs.DB/new": html(arxiv_page(THURSDAY, new=6, first=1)),
        "/rss/cs.DB": Reply(arxiv_feed(THURSDAY, 6, first=3).replace("2611.", "2610.").encode()),
    }
    with Site(pages) as site:
        config = installation(tmp_path, source=(arxiv(site, routes=(site.url("/rss/cs.DB"),)),))
        report = source_of(run(config))
    assert (report.read, report.new, report.seen) == (12, 8, 4)
    gaps = [note for note in report.notes if note.startswith("gap")]
    assert len(gaps) == 2
    assert "2 papers of 2026-11-19" in gaps[0]
    assert "/list/cs.DB/new" in gaps[0]
    assert "arxiv:2610.10007" in gaps[0]
    assert "arxiv:2610.10001" in gaps[1]
    assert len(titles(config)) == 8


def test_a_route_that_is_down_costs_nothing_that_the_other_shows(tmp_path: Path) -> None:
    with Site({"/list/cs.DB/new": html(arxiv_page(THURSDAY, new=6))}) as site:
        config = installation(tmp_path, source=(arxiv(site, routes=(site.url("/rss/cs.DB"),)),))
        report = run(config)
    assert (source_of(report).outcome, source_of(report).new) == ("unreachable", 6)
    assert report.degraded
    assert len(titles(config)) == 6


# --- days that were missed


def test_announcements_missed_while_nothing_ran_are_caught_up_by_their_dates(tmp_path: Path) -> None:
    friday, monday, tuesday = (date(2026, 11, day) for day in (20, 23, 24))
    pages = {"/list/cs.DB/new": html(arxiv_page(THURSDAY, new=4, first=1))}
    with Site(pages) as site:
        config = installation(tmp_path, source=(arxiv(site),))
        run(config)
        site.pages["/list/cs.DB/new"] = html(arxiv_page(tuesday, new=4, first=40))
        site.pages[f"/catchup/cs.DB/{friday}"] = html(arxiv_page(friday, new=3, first=20))
        site.pages[f"/catchup/cs.DB/{monday}"] = Reply(status=404)
        report = run(config, NOW + 5 * DAY)
        assert (source_of(report).outcome, source_of(report).new) == ("unreachable", 7)
        site.pages[f"/catchup/cs.DB/{monday}"] = html(arxiv_page(monday, new=2, first=30))
        site.pages["/list/cs.DB/new"] = html(arxiv_page(tuesday + DAY, new=4, first=50))
        report = run(config, NOW + 6 * DAY)
        assert (source_of(report).outcome, source_of(report).new) == ("new", 6)
        assert len([asked for asked in site.asked if asked.path.startswith(f"/catchup/cs.DB/{friday}")]) == 1
    assert len(titles(config)) == 4 + 7 + 6


# --- a listing of several pages


def test_a_listing_is_followed_to_its_end_and_the_total_is_met(tmp_path: Path) -> None:
    whole = arxiv_page(THURSDAY, new=9)
    first, second = arxiv_page(THURSDAY, new=6), arxiv_page(THURSDAY, new=3, first=7)
    pages = {
        "/list/cs.DB/new": [
            html(first.replace("Total of 6", "Total of 9")),
            html(second.replace("Total of 3", "Total of 9")),
        ]
    }
    assert "Total of 9 entries" in whole
    with Site(pages) as site:
        config = installation(tmp_path, source=(arxiv(site, url=site.url("/list/cs.DB/new?skip=0&show=6")),))
        report = source_of(run(config))
        assert [asked.path for asked in site.pages_asked][1:] == ["/list/cs.DB/new?skip=6&show=6"]
    assert (report.outcome, report.read, report.new, report.stated) == ("new", 9, 9, 9)


def test_a_listing_longer_than_we_follow_says_so(tmp_path: Path) -> None:
    first = arxiv_page(THURSDAY, new=6).replace("Total of 6", "Total of 900")
    with Site({"/list/cs.DB/new": html(first)}) as site:
        config = installation(tmp_path, source=(arxiv(site, max_pages=1),))
        report = source_of(run(config))
    assert any("max_pages" in note for note in report.notes), report.notes


# --- waiting


def clock_that_waits(app: App, moments: list[datetime]) -> list[float]:
    """The app's pauses take no time: each only moves its clock to the next moment."""
    pauses: list[float] = []

    class Pause(Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            moments.pop(0)
            return self.is_set()

    app.stop = Pause()
    return pauses


def test_a_run_waits_for_the_batch_of_the_day_and_takes_it_when_it_is_out(tmp_path: Path) -> None:
    wednesday = html(arxiv_page(THURSDAY - DAY, new=5))
    pages = {"/list/cs.DB/new": [wednesday, wednesday, html(arxiv_page(THURSDAY, new=5, first=20))]}
    with Site(pages) as site:
        config = installation(tmp_path, source=(arxiv(site, wait_until="09:30"),))
        run(config, NOW - DAY, wait=False)
        moments = [NOW, NOW, NOW + timedelta(minutes=10), NOW + timedelta(minutes=20)]
        with quick(config, lambda: moments[0]) as app:
            pauses = clock_that_waits(app, moments)
            report = app.daily(NOW)
    assert [pause for pause in pauses if pause >= 60] == [600.0]
    assert (source_of(report).outcome, source_of(report).new) == ("new", 5)
    assert len(titles(config)) == 10


def test_a_run_waits_no_longer_than_to_its_hour_and_then_says_so(tmp_path: Path) -> None:
    other = rss(invented(0, 3))
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.xml").write_bytes(other)
    with Site({"/list/cs.DB/new": html(arxiv_page(THURSDAY - DAY, new=5))}) as site:
        late = arxiv(site, wait_until="07:30")  # Berlin: 06:30 UTC
        config = installation(tmp_path, source=(late, SourceConfig(name="inbox", path="inbox")))
        run(installation(tmp_path, source=(late,)), NOW - DAY, wait=False)
        moments = [NOW + timedelta(minutes=10 * n) for n in range(9)]
        with quick(config, lambda: moments[0]) as app:
            clock_that_waits(app, moments)
            report = app.daily(NOW)
    assert source_of(report).outcome == "not-yet"
    assert "waited until 07:30" in source_of(report).why
    assert report.digests[0].edition is not None
    assert report.digests[0].edition.papers == 3


def test_a_run_told_to_stop_while_it_waits_stops(tmp_path: Path) -> None:
    with Site({"/list/cs.DB/new": html(arxiv_page(THURSDAY - DAY, new=5))}) as site:
        config = installation(tmp_path, source=(arxiv(site, wait_until="09:30"),))
        run(config, NOW - DAY, wait=False)
        with quick(config, lambda: NOW) as app:

            class Stop(Event):
                def wait(self, timeout: float | None = None) -> bool:
                    self.set()
                    return True

            app.stop = Stop()
            with pytest.raises(Stopped):
                app.daily(NOW)


# --- a watched folder


def test_a_page_in_a_watched_folder_is_read_once_under_whatever_name(tmp_path: Path) -> None:
    config = installation(tmp_path, source=(SourceConfig(name="drop", path="drop", watch=True),))
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "a.xml").write_bytes(rss(invented(0, 3)))
    assert source_of(run(config)).new == 3
    (drop / "a.xml").rename(drop / "b.xml")
    report = source_of(run(config, NOW + DAY))
    assert (report.outcome, report.read) == ("not-modified", 0)
    (drop / "c.xml").write_bytes(rss(invented(3, 2)))
    report = source_of(run(config, NOW + 2 * DAY))
    assert (report.outcome, report.read, report.new) == ("new", 2, 2)


def test_a_broken_page_in_a_watched_folder_is_named_until_it_is_mended(tmp_path: Path) -> None:
    config = installation(tmp_path, source=(SourceConfig(name="drop", path="drop", watch=True),))
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "a.xml").write_bytes(b"<html><p>Not found</p></html>")
    for n in range(2):
        report = source_of(run(config, NOW + n * DAY))
        assert report.outcome == "parse-failed"
        assert "a.xml" in (report.error or "")
    (drop / "a.xml").write_bytes(rss(invented(0, 3)))
    assert source_of(run(config, NOW + 2 * DAY)).new == 3


# --- the ledger


def test_the_ledger_tells_of_every_listing_what_it_was_and_what_came_of_it(tmp_path: Path) -> None:
    config = installation(tmp_path)
    inbox = tmp_path / "inbox"
    (inbox / "a.xml").write_bytes(rss(invented(0, 3)))
    (inbox / "b.html").write_bytes(b"<html><p>Please log in</p></html>")
    (inbox / "c.xml").write_bytes(rss(invented(2, 3)))
    run(config)
    with open_app(config) as app:
        rows = app.store.readings_of(NOW)
        page = app.store.page(rows[0].page)
        runs = app.store.source_runs("inbox", limit=5)
    assert [(Path(r.location).name, r.outcome, r.parsed, r.new, r.seen) for r in rows] == [
        ("a.xml", "new", 3, 3, 0),
        ("b.html", "parse-failed", 0, 0, 0),
        ("c.xml", "new", 3, 2, 1),
    ]
    assert page == (inbox / "a.xml").read_bytes()
    assert "b.html" in rows[1].why
    assert [(r.outcome, r.parsed, r.new, r.seen) for r in runs] == [("parse-failed", 6, 5, 1)]
