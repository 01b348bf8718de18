"""A listing day is not complete when it is first read: what comes later is sent too, once, and in the next edition."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from conftest import sizes
from digest.app import open_app
from digest.config import Config, DigestConfig, SourceConfig
from digest.errors import Stopped
from digest.model import Edition, RunReport
from pages import installation, invented
from site_of_days import Site, serving

DAY = timedelta(days=1)
MONDAY = date(2026, 3, 2)
Days = dict[date, list[tuple[datetime, dict[str, Any]]]]


def at(day: date, hour: float) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)


def entry(number: int) -> dict[str, Any]:
    title, abstract = invented(number, 1)[0]
    paper = {
        "id": f"2603.{number:05d}",
        "title": title,
        "summary": abstract,
        "authors": [{"name": f"A. Heron {number}"}],
    }
    return {"paper": paper, "title": title}


def month(days: int, *, per_day: int = 6, seed: int = 7) -> Days:
    """Weekdays with papers, of which a third comes up to three days after the list was opened."""
    random, made, number = Random(seed), {}, 1
    for offset in range(days):
        day = MONDAY + offset * DAY
        papers = []
        for _ in range(random.randint(1, 2 * per_day) if day.weekday() < 5 else 0):
            late = random.random() < 0.33
            papers.append((at(day, random.uniform(10, 80) if late else random.uniform(0, 6)), entry(number)))
            number += 1
        made[day] = papers
    return made


def config_for(tmp_path: Path, site: Site, **options: object) -> Config:
    options = {"name": "days", "url": f"{site.url}/api/daily_papers", "allow_private": True, **options}
    return installation(tmp_path, source=(SourceConfig(**options),))  # type: ignore[arg-type]


def run(config: Config, site: Site, **options: object) -> RunReport:
    with open_app(config, clock=lambda: site.now) as app:
        return app.daily(site.now, **options)  # type: ignore[arg-type]


def editions(config: Config) -> list[Edition]:
    with open_app(config) as app:
        return list(app.store.all_editions("daily"))


def prove_each_once_and_in_time(config: Config, days: Days, runs: list[datetime]) -> None:
    """Every paper shown before the last run stands in exactly one edition: that of the first run after it appeared."""
    sent: Counter[str] = Counter()
    issued: dict[str, datetime] = {}
    for edition in editions(config):
        for item in edition.entries:
            sent[item.paper.ids["arxiv"]] += 1
            issued[item.paper.ids["arxiv"]] = edition.issued_at
    shown: dict[str, datetime] = {}
    for papers in days.values():
        for since, paper in papers:
            identifier = paper["paper"]["id"]
            shown[identifier] = min(since, shown.get(identifier, since))
    due = {
        identifier: min(run for run in runs if run >= since)
        for identifier, since in shown.items()
        if since <= runs[-1]
    }
    assert sent == Counter(due.keys())
    assert {i: issued[i] for i in due} == due


@pytest.mark.parametrize("span", sizes(12, 30))
def test_every_paper_of_a_month_that_grows_is_sent_once_by_the_next_run(tmp_path: Path, span: int) -> None:
    days = month(span - 2)
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site)
        runs = []
        for offset in range(span):
            site.now = at(MONDAY + offset * DAY, 7)
            assert not run(config, site).degraded
            runs.append(site.now)
        prove_each_once_and_in_time(config, days, runs)
        late = [item for edition in editions(config) for item in edition.entries if item.late]
        assert len(late) > span / 2
        assert all(
            item.late and item.late < edition.date
            for edition in editions(config)
            for item in edition.entries
            if item.late
        )
        asked = Counter(path.partition("?")[2].partition("&")[0] for path, _ in site.asked)
        assert max(asked.values()) <= 8, "a day that stayed the same is asked no more"
        statuses = Counter(status for _, status in site.asked)
        assert statuses[304] > statuses[200] / 2, "a day that has not changed costs no body"


def test_days_missed_while_nothing_ran_are_asked_for_by_their_dates(tmp_path: Path) -> None:
    days = month(20)
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site, lookback_days=2)
        run(config, site)
        site.now = at(MONDAY + 16 * DAY, 7)
        run(config, site)
        sent = {item.paper.ids["arxiv"] for edition in editions(config) for item in edition.entries}
        listed = {
            e["paper"]["id"]
            for d, papers in days.items()
            for since, e in papers
            if since <= site.now and d > MONDAY
        }
        assert listed <= sent


def test_first_use_reads_today_and_with_since_the_days_before(tmp_path: Path) -> None:
    days = {MONDAY + n * DAY: [(at(MONDAY + n * DAY, 1), entry(n + 1))] for n in range(10)}
    today = MONDAY + 9 * DAY
    with serving(Site(days, at(today, 7))) as site:
        config = config_for(tmp_path, site)
        assert run(config, site).sources[0].new == 1
        assert run(config, site, since=MONDAY + 4 * DAY).sources[0].new == 5
        assert run(config, site, since=MONDAY + 4 * DAY).sources[0].new == 0


def test_first_use_on_a_day_without_papers_reads_the_newest_that_has_some(tmp_path: Path) -> None:
    days = {MONDAY + n * DAY: [(at(MONDAY + n * DAY, 1), entry(n + 1))] for n in range(5)}
    with serving(Site(days, at(MONDAY + 6 * DAY, 7))) as site:
        config = config_for(tmp_path, site)
        assert run(config, site).sources[0].new == 1
        assert [item.paper.ids["arxiv"] for item in editions(config)[0].entries] == ["2603.00005"]
        asked = len(site.asked)
        site.now += timedelta(hours=2)
        assert run(config, site).sources[0].outcome == "not-modified"
        assert len(site.asked) == asked + 3


def test_a_day_that_could_not_be_had_is_asked_again(tmp_path: Path) -> None:
    days = {MONDAY + n * DAY: [(at(MONDAY + n * DAY, 1), entry(n + 1))] for n in range(4)}
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site)
        run(config, site)
        site.down = {MONDAY + DAY}
        site.now = at(MONDAY + 2 * DAY, 7)
        report = run(config, site)
        assert report.degraded
        assert report.sources[0].new == 1
        site.down, site.now = set(), at(MONDAY + 3 * DAY, 7)
        assert run(config, site).sources[0].new == 2


def test_a_second_run_asks_with_conditions_and_gets_only_304(tmp_path: Path) -> None:
    days = {MONDAY: [(at(MONDAY, 1), entry(1))]}
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site)
        run(config, site)
        asked = len(site.asked)
        site.now += timedelta(hours=1)
        report = run(config, site)
        assert [status for _, status in site.asked[asked:]] == [304]
        assert (report.sources[0].outcome, report.sources[0].read) == ("not-modified", 0)


def test_a_day_that_stays_the_same_is_asked_for_until_the_fourth_day_after_it(tmp_path: Path) -> None:
    with serving(Site(daily(8), at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site)
        for n in range(8):
            site.now = at(MONDAY + n * DAY, 7)
            run(config, site)
        of_monday = [status for path, status in site.asked if f"date={MONDAY}" in path]
    assert of_monday == [200, 304, 304, 304, 304]


def test_a_digest_that_joins_later_hears_of_a_page_that_has_not_changed(tmp_path: Path) -> None:
    days = {MONDAY: [(at(MONDAY, 1), entry(1))]}
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site)
        run(config, site)
        both = config_for(tmp_path, site)
        both = installation(
            tmp_path, source=both.source, digest=(*both.digest, DigestConfig(name="second", path="second"))
        )
        site.now += timedelta(hours=1)
        report = run(both, site)
        assert [digest.edition.papers if digest.edition else 0 for digest in report.digests] == [0, 1]


def test_a_list_longer_than_an_answer_is_read_page_by_page(tmp_path: Path) -> None:
    days = {MONDAY: [(at(MONDAY, 1), entry(n)) for n in range(1, 231)]}
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site)
        assert run(config, site).sources[0].new == 230
        pages = [path for path, _ in site.asked if "robots" not in path]
        assert [("p=1" in path, "p=2" in path) for path in pages] == [
            (False, False),
            (True, False),
            (False, True),
        ]


def test_the_status_names_the_days_that_are_still_open(tmp_path: Path) -> None:
    days = month(12)
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site)
        for offset in range(12):
            site.now = at(MONDAY + offset * DAY, 7)
            run(config, site)
        with open_app(config) as app:
            still_open = [day.day for day in app.store.open_days()]
        assert MONDAY + 11 * DAY in still_open
        assert MONDAY not in still_open


def ids(config: Config) -> set[str]:
    return {item.paper.ids["arxiv"] for edition in editions(config) for item in edition.entries}


def daily(days: int, per_day: int = 2) -> Days:
    return {
        MONDAY + n * DAY: [(at(MONDAY + n * DAY, 1), entry(n * per_day + k + 1)) for k in range(per_day)]
        for n in range(days)
    }


@pytest.mark.parametrize("ahead", [20, *(pytest.param(n, marks=pytest.mark.torture) for n in (4, 300))])
def test_a_date_to_come_and_a_clock_that_ran_ahead_close_no_day(ahead: int, tmp_path: Path) -> None:
    days = daily(12)
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site)
        run(config, site, day=MONDAY + ahead * DAY)  # a date mistyped
        site.now = at(MONDAY + ahead * DAY, 8)  # a clock that is wrong
        shown = site.answer
        site.answer = lambda path, headers: (200, {}, b"[]")  # type: ignore[method-assign]
        run(config, site)
        site.answer = shown  # type: ignore[method-assign]
        for n in range(1, 12):
            site.now = at(MONDAY + n * DAY, 7)
            run(config, site, again=True)
        assert ids(config) == {paper["paper"]["id"] for papers in days.values() for _, paper in papers}


@pytest.mark.parametrize("since", [False, True])
def test_days_that_could_not_be_had_after_long_downtime_are_asked_again(since: bool, tmp_path: Path) -> None:
    days = daily(24)
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site)
        if not since:
            run(config, site)
        site.now = at(MONDAY + 22 * DAY, 7)
        site.down = {MONDAY + n * DAY for n in range(3, 12)}
        options = {"since": MONDAY} if since else {}
        assert run(config, site, **options).degraded
        site.down, site.now = set(), site.now + DAY
        assert not run(config, site).degraded
        assert ids(config) == {paper["paper"]["id"] for papers in days.values() for _, paper in papers}


def test_days_that_are_never_there_are_given_up_and_that_is_said(tmp_path: Path) -> None:
    with serving(Site(daily(40), at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site, lookback_days=5)
        run(config, site)
        site.down = {MONDAY + DAY}
        reports = []
        for n in range(2, 12):
            site.now = at(MONDAY + n * DAY, 7)
            reports.append(run(config, site).sources[0])
        assert [report.outcome for report in reports] == ["unreachable"] * 6 + ["new"] * 4
        assert any("2026-03-03" in note and "no more" in note for note in reports[6].notes)


def test_a_day_that_was_given_up_is_asked_for_by_since(tmp_path: Path) -> None:
    with serving(Site(daily(20), at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site, lookback_days=5)
        run(config, site)
        site.down = {MONDAY + DAY}
        for n in range(2, 12):
            site.now = at(MONDAY + n * DAY, 7)
            run(config, site)
        site.down, site.now = set(), at(MONDAY + 12 * DAY, 7)
        assert not run(config, site).degraded
        assert "2603.00003" not in ids(config)
        run(config, site, since=MONDAY + DAY, again=True)
        assert {"2603.00003", "2603.00004"} <= ids(config)


@pytest.mark.parametrize("off", [False, True], ids=["a site that was down", "a machine that was off"])
def test_no_day_is_given_up_while_none_could_be_had(off: bool, tmp_path: Path) -> None:
    """Neither says anything of one day: what it listed meanwhile is asked for when it answers again."""
    days = daily(30)
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site, lookback_days=7)
        run(config, site)
        site.down = set(days)
        for n in range(1, 3 if off else 20):
            site.now = at(MONDAY + n * DAY, 7)
            assert run(config, site).degraded
        site.down, site.now = set(), at(MONDAY + 20 * DAY, 7)
        assert not run(config, site).degraded
        shown = {
            paper["paper"]["id"] for papers in days.values() for since, paper in papers if since <= site.now
        }
        assert ids(config) == shown


def test_a_day_that_grew_during_downtime_gets_a_last_look(tmp_path: Path) -> None:
    days = daily(20)
    days[MONDAY].append((at(MONDAY + 3 * DAY, 0), entry(900)))
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site, lookback_days=7)
        run(config, site)
        site.now = at(MONDAY + 15 * DAY, 7)
        run(config, site)
        assert "2603.00900" in ids(config)


def test_a_since_that_was_interrupted_goes_on_in_the_next_run(tmp_path: Path) -> None:
    days = daily(10)
    with serving(Site(days, at(MONDAY + 9 * DAY, 7))) as site:
        config = config_for(tmp_path, site)
        with open_app(config, clock=lambda: site.now) as app:
            shown = site.answer

            def answer(path: str, headers: Any) -> Any:
                if "03-05" in path:
                    app.stop.set()
                return shown(path, headers)

            site.answer = answer  # type: ignore[method-assign]
            with pytest.raises(Stopped):
                app.daily(site.now, since=MONDAY)
            site.answer = shown  # type: ignore[method-assign]
        run(config, site)
        assert ids(config) == {paper["paper"]["id"] for papers in days.values() for _, paper in papers}


def test_a_day_grows_also_on_its_second_page(tmp_path: Path) -> None:
    days: Days = {MONDAY: [(at(MONDAY, 1), entry(n)) for n in range(1, 101)]}
    days[MONDAY] += [(at(MONDAY + n * DAY, 1), entry(100 + n)) for n in range(1, 7)]
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site)
        for n in range(8):
            site.now = at(MONDAY + n * DAY, 7)
            run(config, site)
        assert len(ids(config)) == 106


def test_an_own_limit_is_a_cut_too(tmp_path: Path) -> None:
    days: Days = {MONDAY: [(at(MONDAY, 1), entry(n)) for n in range(1, 46)]}
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site, url=f"{site.url}/api/daily_papers?limit=30")
        assert run(config, site).sources[0].new == 45


def test_a_day_far_shorter_than_those_before_is_suspect(tmp_path: Path) -> None:
    days: Days = {
        MONDAY + n * DAY: [(at(MONDAY + n * DAY, 1), entry(20 * n + k)) for k in range(15)] for n in range(10)
    }
    days[MONDAY + 10 * DAY] = [(at(MONDAY + 10 * DAY, 1), entry(5000 + k)) for k in range(2)]
    with serving(Site(days, at(MONDAY, 7))) as site:
        config = config_for(tmp_path, site)
        outcomes = []
        for n in range(12):
            site.now = at(MONDAY + n * DAY, 7)
            outcomes.append(run(config, site).sources[0])
        assert {report.outcome for report in outcomes[:11]} <= {"new", "quiet", "not-modified"}
        assert outcomes[11].outcome == "suspect"
        assert "2026-03-12" in outcomes[11].why
