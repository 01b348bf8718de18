"""What a run does with its sources: routes joined and compared, missed days caught up, batches waited for, folders watched."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from digest.app import App, open_app
from digest.config import Config, SourceConfig
from digest.errors import Stopped
from digest.model import RunReport, SourceReport
from fetch_servers import ConditionalSite, Reply, Site
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


# --- an alarm that stays


def test_a_suspect_page_that_has_not_changed_is_still_suspect(tmp_path: Path) -> None:
    long, short = (Reply(rss(invented(0, n)), headers={"ETag": f'"{n}"'}) for n in (30, 1))
    with ConditionalSite({"/feed": Reply(long.body)}) as site:
        feed = SourceConfig(name="journal", url=site.url("/feed"), allow_private=True)
        config = installation(tmp_path, source=(feed,))
        for n in range(3):
            assert source_of(run(config, NOW - (3 - n) * DAY)).read == 30
        site.pages["/feed"] = [short, short, Reply(status=404), short, long]
        reports = [source_of(run(config, NOW + n * timedelta(hours=1))) for n in range(6)]
    outcomes = [report.outcome for report in reports]
    assert outcomes == ["suspect", "suspect", "unreachable", "suspect", "quiet", "not-modified"]


def test_a_page_that_no_run_has_judged_yet_is_read_again(tmp_path: Path) -> None:
    long, short = (Reply(rss(invented(0, n)), headers={"ETag": f'"{n}"'}) for n in (30, 1))
    with ConditionalSite({"/feed": Reply(long.body), "/more": Reply(rss(invented(30, 1)))}) as site:
        routes = (site.url("/more"),)
        feed = SourceConfig(name="journal", url=site.url("/feed"), allow_private=True, routes=routes)
        config = installation(tmp_path, source=(feed,))
        for n in range(3):
            assert source_of(run(config, NOW - (3 - n) * DAY)).read == 31
        site.pages["/feed"], more = short, site.pages["/more"]
        with quick(config, lambda: NOW) as app:

            def stop(connection: socket.socket) -> object:
                app.stop.set()
                return Reply(status=503)(connection)

            site.pages["/more"] = stop
            with pytest.raises(Stopped):
                app.daily(NOW)
        site.pages["/more"] = more
        assert source_of(run(config, NOW + timedelta(hours=1))).outcome == "suspect"


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


def test_no_more_pages_of_a_listing_are_asked_for_than_the_source_allows(tmp_path: Path) -> None:
    pages = [
        arxiv_page(THURSDAY, new=6, first=first).replace("Total of 6", "Total of 900") for first in (1, 7, 13)
    ]
    with Site({"/list/cs.DB/new": [html(page) for page in pages]}) as site:
        report = source_of(run(installation(tmp_path, source=(arxiv(site, max_pages=2),))))
        assert (len(site.pages_asked), report.read) == (2, 12)


def test_a_listing_just_as_long_as_we_follow_is_not_called_longer(tmp_path: Path) -> None:
    with Site({"/list/cs.DB/new": html(arxiv_page(THURSDAY, new=6))}) as site:
        report = source_of(run(installation(tmp_path, source=(arxiv(site, max_pages=1),))))
    assert (report.outcome, report.notes) == ("new", ())


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


def test_a_small_page_beside_old_ones_in_a_watched_folder_is_no_listing_that_shrank(tmp_path: Path) -> None:
    """What was read before is of the folder too."""
    config = installation(tmp_path, source=(SourceConfig(name="drop", path="drop", watch=True),))
    drop = tmp_path / "drop"
    drop.mkdir()
    for n in range(5):
        (drop / f"{n}.xml").write_bytes(rss(invented(40 * n, 40)))
        assert source_of(run(config, NOW + n * DAY)).new == 40
    (drop / "few.xml").write_bytes(rss(invented(900, 1)))
    report = source_of(run(config, NOW + 5 * DAY))
    assert (report.outcome, report.new) == ("new", 1)


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


@pytest.mark.parametrize("how", ["breaks off", "holds less than it says"])
def test_a_page_in_a_watched_folder_that_is_not_whole_is_named_until_it_is(tmp_path: Path, how: str) -> None:
    config = installation(tmp_path, source=(SourceConfig(name="drop", path="drop", watch=True),))
    drop, whole = tmp_path / "drop", arxiv_page(THURSDAY, new=4)
    drop.mkdir()
    part = (
        whole.replace("showing 4 of 4", "showing 9 of 9") if "less" in how else whole.partition("<footer")[0]
    )
    (drop / "a.html").write_text(part)
    for n in range(2):
        assert source_of(run(config, NOW + n * timedelta(hours=1))).outcome == "suspect"
    (drop / "a.html").write_text(whole)
    hours = timedelta(hours=2), timedelta(hours=3)
    assert [source_of(run(config, NOW + later)).outcome for later in hours] == ["quiet", "not-modified"]


# --- the ledger


def test_the_ledger_tells_of_every_listing_what_it_was_and_what_came_of_it(tmp_path: Path) -> None:
    config = installation(tmp_path)
    inbox = tmp_path / "inbox"
    (inbox / "a.xml").write_bytes(rss(invented(0, 3)))
    (inbox / "b.html").write_bytes(b"<html><p>Please log in</p></html>")
    (inbox / "c.xml").write_bytes(rss(invented(2, 3)))
    run(config)
    with open_app(config) as app:
        rows = list(app.store.readings_since(NOW))
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


# --- what must not be lost on the way


def test_a_second_page_that_cannot_be_had_leaves_the_day_open(tmp_path: Path) -> None:
    first = arxiv_page(THURSDAY, new=6).replace("Total of 6", "Total of 9")
    with Site({"/list/cs.DB/new": [html(first), Reply(status=404)]}) as site:
        config = installation(tmp_path, source=(arxiv(site),))
        assert source_of(run(config)).outcome == "unreachable"
        friday = THURSDAY + DAY
        site.pages["/list/cs.DB/new"] = html(arxiv_page(friday, new=2, first=40))
        site.pages[f"/catchup/cs.DB/{THURSDAY}"] = html(arxiv_page(THURSDAY, new=9))
        assert source_of(run(config, NOW + DAY)).new == 5
    assert len(titles(config)) == 11


def test_a_first_page_that_breaks_off_leaves_the_day_open_though_the_second_is_whole(tmp_path: Path) -> None:
    whole = arxiv_page(THURSDAY, new=6).replace("Total of 6", "Total of 9")
    cut = whole[: whole.rindex("<dt>") + 100]
    second = arxiv_page(THURSDAY, new=3, first=7).replace("Total of 3", "Total of 9")
    with Site({"/list/cs.DB/new": [html(cut), html(second)]}) as site:
        config = installation(tmp_path, source=(arxiv(site),))
        report = source_of(run(config))
        assert report.outcome == "suspect"
        site.pages["/list/cs.DB/new"] = html(arxiv_page(THURSDAY + DAY, new=2, first=40))
        site.pages[f"/catchup/cs.DB/{THURSDAY}"] = html(arxiv_page(THURSDAY, new=9))
        assert source_of(run(config, NOW + DAY)).new == 9 - report.new + 2
    assert report.new < 9 and len(titles(config)) == 9 + 2


def test_a_page_of_deleted_records_is_not_the_end_of_a_list(tmp_path: Path) -> None:
    def answer(records: str, token: str) -> Reply:
        return Reply(
            f"<OAI-PMH xmlns='http://www.openarchives.org/OAI/2.0/'><ListRecords>{records}"
            f"<resumptionToken completeListSize='3'>{token}</resumptionToken></ListRecords></OAI-PMH>".encode(),
            headers={"Content-Type": "text/xml"},
        )

    deleted = (
        "<record><header status='deleted'><identifier>oai:arXiv.org:2611.00001</identifier></header></record>"
    )
    good = "".join(
        f"<record><header><identifier>oai:arXiv.org:2611.0001{n}</identifier></header><metadata>"
        f"<arXiv xmlns='http://arxiv.org/OAI/arXiv/'><id>2611.0001{n}</id><title>Moths of marsh {n}</title></arXiv>"
        "</metadata></record>"
        for n in (1, 2)
    )
    with Site({"/oai2": [answer(deleted, "more"), answer(good, "")]}) as site:
        oai = arxiv(site, url=site.url("/oai2?verb=ListRecords&metadataPrefix=arXiv"), kind="oai")
        report = source_of(run(installation(tmp_path, source=(oai,))))
    assert (report.outcome, report.new) == ("new", 2)


def test_a_list_by_token_is_asked_from_its_beginning_again_when_its_end_was_missing(tmp_path: Path) -> None:
    def works(first: int, count: int, cursor: str) -> bytes:
        items = ",".join(
            f'{{"DOI": "10.5555/{n}", "title": ["Otters of quarry {n}"]}}'
            for n in range(first, first + count)
        )
        total = f'"total-results": 10, "items-per-page": 5, "next-cursor": "{cursor}"'
        return f'{{"status": "ok", "message-type": "work-list", "message": {{{total}, "items": [{items}]}}}}'.encode()

    first, last = Reply(works(0, 5, "b"), headers={"ETag": '"1"'}), Reply(works(10, 0, "c"))
    with Site({"/works": [first, Reply(status=404)]}) as site:
        url = site.url("/works?rows=5&cursor=*")
        config = installation(tmp_path, source=(SourceConfig(name="works", url=url, allow_private=True),))
        assert source_of(run(config)).new == 5
        site.pages["/works"] = [first, Reply(works(5, 5, "c")), last]
        report = source_of(run(config, NOW + DAY))
        assert (report.outcome, report.new, report.error) == ("new", 5, None)
        site.pages["/works"] = [Reply(status=304)]
        assert source_of(run(config, NOW + 2 * DAY)).outcome == "not-modified"


def test_a_page_that_holds_less_than_it_says_is_read_again(tmp_path: Path) -> None:
    short = arxiv_page(THURSDAY, new=4).replace("showing 4 of 4", "showing 9 of 9")
    pages = {"/list/cs.DB/new": [html(short, ETag='"a"')]}
    with Site(pages) as site:
        config = installation(tmp_path, source=(arxiv(site),))
        for _ in range(2):
            assert source_of(run(config)).outcome == "suspect"
        assert all("If-None-Match" not in asked.headers for asked in site.pages_asked)


def test_an_old_day_that_is_caught_up_does_not_make_the_newest_page_stale(tmp_path: Path) -> None:
    with Site({"/list/cs.DB/new": html(arxiv_page(THURSDAY, new=4), ETag='"a"')}) as site:
        config = installation(tmp_path, source=(arxiv(site),))
        run(config)
        site.pages["/list/cs.DB/new"] = Reply(status=304)
        for n in (16, 17, 18):
            day = date(2026, 11, n)
            site.pages[f"/catchup/cs.DB/{day}"] = html(arxiv_page(day, new=2, first=10 * n))
        report = source_of(run(config, NOW + timedelta(hours=1), since=date(2026, 11, 16)))
    assert (report.outcome, report.new) == ("new", 6)


def test_an_empty_watched_folder_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    report = run(installation(tmp_path, source=(SourceConfig(name="drop", path="drop", watch=True),)))
    assert (source_of(report).outcome, report.degraded) == ("not-modified", False)


def test_a_stop_while_the_last_source_is_read_issues_nothing(tmp_path: Path) -> None:
    first = arxiv_page(THURSDAY, new=6).replace("Total of 6", "Total of 9")
    with Site() as site:
        config = installation(tmp_path, source=(arxiv(site),))
        with quick(config, lambda: NOW) as app:

            def talk(connection: object) -> None:
                app.stop.set()
                html(first)(connection)  # type: ignore[arg-type]

            site.pages["/list/cs.DB/new"] = talk
            with pytest.raises(Stopped):
                app.daily(NOW)
    assert titles(config) == []


# --- the schedule waits too


def test_a_scheduled_run_waits_for_its_batch_and_lets_other_runs_by(tmp_path: Path) -> None:
    wednesday = html(arxiv_page(THURSDAY - DAY, new=5))
    pages = {"/list/cs.DB/new": [wednesday, wednesday, html(arxiv_page(THURSDAY, new=5, first=20))]}
    with Site(pages) as site:
        config = installation(tmp_path, source=(arxiv(site, wait_until="09:30"),))
        run(config, NOW - DAY, wait=False)
        with quick(config, lambda: NOW) as app:
            others: list[bool] = []

            class Pause(Event):
                def wait(self, timeout: float | None = None) -> bool:
                    if timeout == 600.0:
                        with open_app(config, clock=lambda: NOW) as other, other.alone():
                            others.append(True)
                    return False

            app.stop = Pause()
            report = app.daily(NOW, due_day=THURSDAY)
    assert others == [True]
    assert (source_of(report).outcome, source_of(report).new) == ("new", 5)
