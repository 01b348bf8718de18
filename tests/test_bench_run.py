"""The daily runs that are compared tell of the same papers; stores of papers seen long ago are as the program writes them."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from digest.identity import keys
from digest.store import open_store

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks import daily, diff, run, seen  # noqa: E402
from benchmarks.installed import NotInstalledError, peers  # noqa: E402
from benchmarks.sink import running  # noqa: E402


def others() -> dict[str, run.Make]:
    """The peers that `make bench` has installed here, if it has."""
    try:
        bin_ = peers(install=False)
    except NotInstalledError:
        return {}
    return {"rss2email": lambda folder, papers: daily.Rss2email(folder, papers, bin_=bin_, seen=50)}


def test_each_program_of_a_contest_tells_of_exactly_the_new_papers() -> None:
    players: dict[str, run.Make] = {
        "digest": lambda folder, papers: daily.Digest(folder, papers, seen=50, subscribers=2),
        "digest serve": run.resident(50),
        "bare yardstick": daily.Bare,
    }
    players |= others()
    found = run.contest(daily.announced(20, 2, 5), players, dict.fromkeys(players, 2))
    assert found.keys() == players.keys()
    assert all(cost.cpu > 0 and cost.peak_mib > 5 for cost in found.values())


def test_a_program_that_tells_of_nothing_ends_it(tmp_path: Path) -> None:
    program = daily.Bare(tmp_path / "bare", daily.announced(20, 2, 5))
    with running("--keep", str(program.kept)) as port:
        program.prepare(port)
        program.day(1)
        with pytest.raises(SystemExit, match="of 5 new papers 0 are in the mail"):
            program.day(1)


def test_of_a_feed_as_many_papers_fall_off_as_are_new() -> None:
    papers = daily.announced(20, 2, 5)
    today, tomorrow = ([paper.id for paper in papers.of(day)] for day in (0, 1))
    assert today[5:] == tomorrow[:-5]
    assert [paper.id for paper in papers.new_of(1)] == tomorrow[-5:]


def test_what_was_announced_before_comes_before_what_the_feed_shows() -> None:
    papers = daily.announced(20, 2, 5, past=30)
    assert len(papers.until(0)) == 50
    assert [paper.id for paper in papers.of(0)] == [paper.id for paper in papers.until(0)[30:]]
    assert papers.new_of(1) == papers.until(1)[-5:]


def test_a_row_holds_ours_against_rss2email_and_says_when_it_is_not_here() -> None:
    costs = {"digest": run.Cost(1, 0.5, 60), "rss2email": run.Cost(3, 2, 45)}
    wall = run.against(costs, "digest", 2, 4)
    assert [(check.value, check.met) for check in wall] == [(3, True)]
    assert [check.value for check in run.against(costs, "digest", 5, 8, cpu=True)] == [4]
    assert run.against({"digest": costs["digest"]}, "digest", 2, 4) == []


def test_papers_of_long_ago_are_in_the_store_as_the_program_would_write_them(tmp_path: Path) -> None:
    file = tmp_path / "digest.db"
    seen.add_seen(file, 300)
    with closing(sqlite3.connect(file)) as database:
        count = {
            table: database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for table in ("papers", "paper_keys")
        }
        found = {row[0] for row in database.execute("SELECT key FROM paper_keys WHERE paper_id = 299")}
        spread = database.execute(
            "SELECT COUNT(DISTINCT paper_id), MIN(paper_id), MAX(paper_id) FROM paper_keys"
        ).fetchone()
        assert database.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    real = keys(seen._paper())
    assert count == {"papers": 300, "paper_keys": 300 * len(real)}
    assert spread == (300, 1, 300)
    assert sorted((len(key), key.partition(":")[0]) for key in found) == sorted(
        (len(key), key.partition(":")[0]) for key in real
    )
    assert "arxiv:2001.00299" in found
    with open_store(f"sqlite:///{file}") as store:
        again = seen.Paper(key="arxiv:2001.00299", ids={"arxiv": "2001.00299"}, title="Of long ago")
        sightings = store.record_sightings(
            "papers", [again], now=seen.LONG_AGO, listed_on=None, followers=["daily"], updates_for=set()
        )
        assert [sighting.status for sighting in sightings] == ["seen"]
        assert store.waiting("daily") == []


def test_each_diff_finds_the_new_papers_and_those_only(tmp_path: Path) -> None:
    sizes = diff.QUICK
    for player, make in (
        ("digest", diff.store_of),
        ("SQLite, bare", diff.bare_of),
        ("JSON file", diff.json_of),
    ):
        file = tmp_path / player.replace(" ", "-")
        make(file, 100, sizes.listed, sizes.new)
        found = [diff.PLAYERS[player](file, day, sizes.listed, sizes.new) for day in (1, 2)]
        assert [each.new for each in found] == [sizes.new, sizes.new], player
        with (
            pytest.raises(SystemExit, match="papers of the day before are not known")
            if player != "JSON file"
            else pytest.raises(SystemExit, match="of 10 new papers were found")
        ):
            diff.once(player, file, 5, sizes)


def test_bytes_of_the_key_index_are_those_of_the_table_of_keys() -> None:
    assert 20 < diff.key_bytes(200) < 2_000
