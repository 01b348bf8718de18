"""The ten outcomes of a source, each brought about by a real server or a saved page, through a whole run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import Struct

from digest.config import SourceConfig
from digest.model import FAILED_OUTCOMES, SourceReport
from fetch_servers import Reply, Site
from listing_pages import arxiv_page
from pages import installation, invented, rss
from test_sources_of_a_run import DAY, NOW, THURSDAY, arxiv, html, run

SATURDAY = NOW + 2 * DAY
LONG = 30


class Case(Struct, frozen=True):
    """What the site shows on the earlier days (oldest first) and at last, when the last run is, and what it must come to."""

    outcome: str
    shows: Callable[[], Reply]
    before: tuple[Callable[[], Reply], ...] = ()
    now: datetime = NOW
    why: str = ""
    options: tuple[tuple[str, object], ...] = ()


def page(day: date, new: int = LONG, first: int = 1) -> Callable[[], Reply]:
    return lambda: html(arxiv_page(day, new=new, first=first))


def text(body: str, status: int = 200, **headers: str) -> Callable[[], Reply]:
    return lambda: Reply(body.encode(), status=status, headers=headers)


WEEK = tuple(page(THURSDAY - n * DAY, first=1 + 100 * n) for n in (3, 2, 1))

CASES = {
    "fresh papers": Case("new", page(THURSDAY)),
    "the same page again": Case("quiet", page(THURSDAY), before=(page(THURSDAY),), why="known"),
    "a page that has not changed": Case(
        "not-modified",
        lambda: Reply(status=304),
        before=(lambda: html(arxiv_page(THURSDAY, new=4), ETag='"a"'),),
    ),
    "a Saturday": Case("holiday", text(arxiv_page(THURSDAY + 2 * DAY, new=0)), now=SATURDAY, why="Saturday"),
    "a batch that is not out": Case(
        "not-yet", page(THURSDAY - DAY), before=(page(THURSDAY - DAY),), why="2026-11-19"
    ),
    "an old copy": Case("stale", page(THURSDAY - 7 * DAY, first=900), before=WEEK, why="2026-11-12"),
    "far fewer papers than ever": Case("suspect", page(THURSDAY, new=3), before=WEEK, why="30"),
    "a page that breaks off": Case(
        "suspect", text(arxiv_page(THURSDAY, new=LONG)[: -LONG * 150]), why="breaks off"
    ),
    "a login page": Case("parse-failed", text("<html><body><form>Please log in</form></body></html>")),
    "a server that is out of order": Case("unreachable", text("busy", status=503), why="503"),
    "robots.txt forbids it": Case("refused", page(THURSDAY), why="robots.txt"),
    "an address of this machine": Case(
        "refused", page(THURSDAY), why="allow_private", options=(("allow_private", False),)
    ),
    "a page beyond the cap": Case("refused", page(THURSDAY), why="max_bytes", options=(("max_bytes", 1000),)),
}


def last_report(case: Case, tmp_path: Path, *, robots: str) -> SourceReport:
    with Site() as site:
        site.pages["/robots.txt"] = Reply(robots.encode())
        config = installation(tmp_path, source=(arxiv(site, timeout_s=5.0, **dict(case.options)),))
        for n, shows in enumerate(case.before):
            site.pages["/list/cs.DB/new"] = shows()
            run(
                config,
                case.now - (len(case.before) - n) * (DAY if len(case.before) > 1 else timedelta(hours=1)),
            )
        site.pages["/list/cs.DB/new"] = case.shows()
        return run(config, case.now).sources[0]


@pytest.mark.parametrize("name", CASES)
def test_an_outcome_is_what_happened(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    robots = "User-agent: *\nDisallow: /list/\n" if "robots" in name else "User-agent: *\nAllow: /\n"
    report = last_report(case, tmp_path, robots=robots)
    assert report.outcome == case.outcome, report
    assert case.why in f"{report.why} {report.error}"
    assert report.why
    assert bool(report.error) == (report.outcome in FAILED_OUTCOMES)


def test_all_ten_are_here() -> None:
    assert {case.outcome for case in CASES.values()} == {
        *("new", "quiet", "not-modified", "holiday", "not-yet", "stale"),
        *("suspect", "parse-failed", "unreachable", "refused"),
    }


def test_a_source_that_fails_does_not_touch_the_others(tmp_path: Path) -> None:
    with Site({"/list/cs.DB/new": text("busy", status=503)()}) as site:
        sources = (arxiv(site, timeout_s=5.0), SourceConfig(name="inbox", path="inbox"))
        config = installation(tmp_path, source=sources)
        (tmp_path / "inbox" / "a.xml").write_bytes(rss(invented(0, 3)))
        report = run(config)
    assert [source.outcome for source in report.sources] == ["unreachable", "new"]
    assert report.digests[0].edition is not None
    assert report.degraded
