"""Days of a real site, served as they went on, beside the saved pages ($DIGEST_SHARED_LISTINGS, else ../shared/listings)."""

from __future__ import annotations

import gzip
import json
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from conftest import HAS_SHARED, SHARED
from site_of_days import Site, serving
from test_days_that_grow import DAY, Days, at, config_for, prove_each_once_and_in_time, run

if not HAS_SHARED:  # named on the command line, for which collect_ignore does not hold
    pytest.skip(f"there is no {SHARED}", allow_module_level=True)


def lines(name: str) -> list[dict[str, Any]]:
    with gzip.open(SHARED / "hf_days" / name, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize(
    ("span", "hours"),
    [(9, (7,)), *[pytest.param(30, hours, marks=pytest.mark.torture) for hours in ((7,), (7, 19))]],
)
def test_a_real_month_is_sent_once_and_in_time(tmp_path: Path, span: int, hours: tuple[int, ...]) -> None:
    days: Days = {}
    random = Random(3)
    for of_day in lines("2025-02.jsonl.gz"):
        day = date.fromisoformat(of_day["date"])
        days[day] = [(at(day, random.choice([2, 5, 11, 18, 30, 50])), item) for item in of_day["answer"]]
    first = min(days)
    with serving(Site(days, at(first, 7))) as site:
        config = config_for(tmp_path, site)
        runs = []
        for offset in range(span):
            for hour in hours:
                site.now = at(first + offset * DAY, hour)
                run(config, site, again=True)
                runs.append(site.now)
        prove_each_once_and_in_time(config, days, runs)


def test_real_days_asked_for_again_are_sent_once_and_in_time(tmp_path: Path) -> None:
    days: Days = {}
    moments = []
    for state in lines("asked_again.jsonl.gz"):
        day, asked = date.fromisoformat(state["date"]), datetime.fromisoformat(state["asked_at"])
        known = {item["paper"]["id"] for _, item in days.setdefault(day, [])}
        days[day] += [(asked, item) for item in state["answer"] if item["paper"]["id"] not in known]
        moments.append(asked)
    for number, day in enumerate(days):
        mine = sorted(moment for moment in moments if moment.date() >= day and moment.date() < day + 30 * DAY)
        with serving(Site({day: days[day]}, mine[0])) as site:
            folder = tmp_path / str(number)
            folder.mkdir()
            config = config_for(folder, site)
            runs = []
            for site.now in mine:
                run(config, site, again=True)
                runs.append(site.now)
            shown = {
                day: [
                    (since, item) for since, item in days[day] if since <= min(runs[-1], at(day + 7 * DAY, 0))
                ]
            }
            prove_each_once_and_in_time(config, shown, runs)
