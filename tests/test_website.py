"""Publishing to disk: whole files or none, unchanged bytes untouched, nothing outside the root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from digest.errors import PublishError
from digest.model import Page
from digest.website import Website


def page(path: str, body: str = "x") -> Page:
    return Page(path=path, body=body.encode())


def test_pages_are_written_below_the_root(tmp_path: Path) -> None:
    report = Website(tmp_path).write([page("index.html", "home"), page("2026/11/19/index.html", "day")])
    assert (report.written, report.unchanged) == (2, 0)
    assert (tmp_path / "2026/11/19/index.html").read_text() == "day"


def test_unchanged_bytes_leave_the_file_untouched(tmp_path: Path) -> None:
    site = Website(tmp_path)
    site.write([page("a", "same"), page("b", "old")])
    os.utime(tmp_path / "a", (1, 1))
    report = site.write([page("a", "same"), page("b", "new")])
    assert (report.written, report.unchanged) == (1, 1)
    assert (tmp_path / "a").stat().st_mtime == 1
    assert (tmp_path / "b").read_text() == "new"


def test_no_temporary_file_is_left(tmp_path: Path) -> None:
    Website(tmp_path).write([page("a"), page("b/c")])
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["a", "c"]


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path) -> None:
    report = Website(tmp_path / "out", dry_run=True).write([page("a")])
    assert report.written == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["../a", "/etc/a", "a/../../b", "", "a\0b", "..", "a\\..\\b"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(PublishError):
        Website(tmp_path / "out").write([page(path)])
    assert not list(tmp_path.rglob("*"))


def test_a_link_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "2026").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PublishError, match="leads out"):
        Website(tmp_path / "out").write([page("2026/index.html")])
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_disk_that_takes_nothing_is_named_and_the_old_file_stands(tmp_path: Path) -> None:
    site = Website(tmp_path)
    site.write([page("a", "old")])
    (tmp_path / "b").write_text("a file where a folder should be")
    with pytest.raises(PublishError, match="digest rebuild") as caught:
        site.write([page("b/c", "new")])
    assert caught.value.path.endswith("b/c")
    assert (tmp_path / "a").read_text() == "old"


def test_pages_before_the_one_that_fails_are_written(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("")
    with pytest.raises(PublishError):
        Website(tmp_path).write([page("a"), page("b/c"), page("feed.xml")])
    assert (tmp_path / "a").exists()
    assert not (tmp_path / "feed.xml").exists()
