"""What a run costs does not grow with what was before it: readers, papers seen, mails sent."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks import pages, scale
from benchmarks.sink import running
from conftest import need
from digest.app import open_app
from digest.configfile import load_config

# What a run holds at most, whatever was before it. Most of it is taken by the pages of a day of 100 papers.
LIMIT_MIB = 75
# Of these there are as many rows as papers were ever seen, mails ever sent, readers ever known.
ENDLESS = frozenset(
    {
        "papers",
        "paper_keys",
        "fingerprints",
        "abstracts",
        "sightings",
        "offers",
        "entries",
        "deliveries",
        "subscribers",
        "shown",
        "labelled",
    }
    | {"labels", "revisions", "answers", "readings", "letters"}
)


def test_each_of_many_readers_gets_the_papers_of_a_choice_made_alone(tmp_path: Path) -> None:
    with running() as port:
        scale.fill(tmp_path, 40, port)
        found = scale.week(tmp_path, 1, hourly=False)
    mails, counts = scale.sample_of(tmp_path), found["counts"]
    assert scale.wrong(tmp_path, mails) == []
    assert counts["accepted"] + counts["skipped"] == len(mails) > 40
    assert {reader for reader, _, _ in mails} == set(range(1, 41))
    assert any(len(editions) == 2 for _, editions, _ in mails), "some wait for one mail with both"
    assert len({tuple(papers) for _, _, papers in mails}) > 20


def test_a_wrong_choice_would_be_noticed(tmp_path: Path) -> None:
    with running() as port:
        scale.fill(tmp_path, 3, port)
        scale.week(tmp_path, 1, hourly=False)
    reader, editions, papers = next(mail for mail in scale.sample_of(tmp_path) if mail[2])
    assert scale.wrong(tmp_path, [(reader, editions, papers[1:])])
    assert scale.wrong(tmp_path, [(reader, editions, [*papers, "2611.99999"])])


def test_memory_is_the_same_however_many_readers_there_are() -> None:
    need(Path("/proc/self/status").exists(), "needs Linux to measure memory")
    few, many = (scale.at(size, choices=5, hourly=False) for size in (50, 1_500))
    assert few[2] == many[2] == []
    assert many[0]["counts"]["accepted"] > 20 * few[0]["counts"]["accepted"]
    assert many[1].peak_mib < 1.1 * few[1].peak_mib


@pytest.mark.parametrize(
    ("seen", "readers"), [(6_000, 300), pytest.param(10_000_000, 100_000, marks=pytest.mark.torture)]
)
def test_a_run_beside_papers_seen_and_readers_stays_within_its_memory(
    tmp_path: Path, seen: int, readers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """1,000 papers listed, 100 of them new, two days."""
    need(Path("/proc/self/status").exists(), "needs Linux to measure memory")
    need(shutil.disk_usage(tmp_path).free > seen * 1_500, "needs 15 GB of disk for ten million papers")
    cost, spent = scale.beside(tmp_path, seen, readers)
    with sqlite3.connect(tmp_path / "here" / "digest.db") as database:
        (papers,) = database.execute("SELECT COUNT(*) FROM papers").fetchone()
        counts = dict(database.execute("SELECT status, COUNT(*) FROM deliveries GROUP BY status"))
    database.close()
    shutil.rmtree(tmp_path / "here")
    assert papers == seen + 2 * scale.NEW
    assert sum(counts.values()) == 2 * readers
    assert counts["accepted"] > readers / 25
    assert sum(spent[step] for step in ("collect", "issue_edition", "publish", "deliver")) <= spent["all"]
    with capsys.disabled():
        print(
            f"\n{seen:,} seen, {readers:,} readers: {cost.wall:.1f} s, {cost.cpu:.1f} cpu, {cost.peak_mib:.0f} MiB"
        )
    assert cost.peak_mib <= LIMIT_MIB


def test_no_statement_of_a_run_walks_over_a_table_that_only_grows(tmp_path: Path) -> None:
    """SQLite says of each statement of two days, with mails at their hours, how it goes about it."""
    asked: Counter[str] = Counter()
    with running() as port:
        scale.fill(tmp_path, 12, port)
        now = [scale.MONDAY]
        with open_app(load_config(tmp_path / "config.toml", {}), clock=lambda: now[0]) as app:
            connection = app.store._db._connection  # type: ignore[attr-defined]
            connection.set_trace_callback(lambda sql: asked.update([sql]))
            for day in range(2):
                now[0] = scale.MONDAY + timedelta(days=day)
                (tmp_path / "feed.xml").write_bytes(pages.atom_feed(pages.invented(20)[day * 10 :][:10]))
                app.daily(now[0])
            now[0] += timedelta(days=8)
            app.send()
            connection.set_trace_callback(None)
            walks = [(table, sql) for sql in asked for table in walked(connection, sql)]
    assert len(asked) > 200
    assert walks == []


def walked(connection: sqlite3.Connection, sql: str) -> list[str]:
    """The endless tables that a statement looks at row by row. An index of a few rows of it is no walk: a partial one."""
    if not sql.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "INSERT", "WITH")):
        return []
    partial = {
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%WHERE%'"
        )
    }
    found = []
    for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {sql}"):
        words = step.split()
        if words[0] == "SCAN" and words[1] in ENDLESS and not partial & set(words):
            found.append(words[1])
    return found
