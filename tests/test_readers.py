"""What real feed readers see of a run."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conftest import need
from digest.app import open_app
from pages import installation, invented, rss

NOW = datetime(2026, 11, 19, 6, tzinfo=UTC)


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    """The output folder after two days of 40 and 30 papers."""
    config = installation(tmp_path)
    for day, (first, count) in enumerate([(0, 40), (40, 30)]):
        (tmp_path / "inbox" / "page.xml").write_bytes(rss(invented(first, count)))
        with open_app(config) as app:
            app.daily(NOW + timedelta(days=day))
    return tmp_path / "feeds"


@pytest.mark.parametrize("name", ["rss.xml", "atom.xml"])
def test_newsboat_shows_each_paper_once_and_nothing_new_after_a_rebuild(
    feeds: Path, tmp_path: Path, name: str
) -> None:
    need(shutil.which("newsboat"), "newsboat is missing; Debian: apt-get install newsboat")
    (tmp_path / "urls").write_text(f"file://{feeds / name}\n")
    (tmp_path / "config").write_text("")
    cache = tmp_path / "cache.db"
    command = ["newsboat", "-u", "urls", "-C", "config", "-c", str(cache), "-x", "reload"]
    for _ in range(2):
        subprocess.run(
            command,
            cwd=tmp_path,
            check=True,
            timeout=60,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )
        with sqlite3.connect(cache) as db:
            rows = db.execute("SELECT title, guid, unread FROM rss_item").fetchall()
        db.close()
        assert sorted(title for title, _, _ in rows) == sorted(title for title, _ in invented(0, 70))
        assert len({guid for _, guid, _ in rows}) == 70
        with open_app(installation(tmp_path)) as app:
            assert app.rebuild().written == 0


@pytest.mark.parametrize("name", ["rss.xml", "atom.xml"])
def test_feedparser_has_no_complaint_and_sees_every_paper(feeds: Path, name: str) -> None:
    import feedparser

    parsed = feedparser.parse((feeds / name).read_bytes())
    assert not parsed.bozo
    assert {entry.title for entry in parsed.entries} == {title for title, _ in invented(0, 70)}
    assert all(entry.link and entry.summary and entry.content for entry in parsed.entries)
