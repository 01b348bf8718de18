"""Publishing to disk: whole files or none, unchanged bytes untouched, nothing outside the root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from digest import website
from digest.errors import PublishError, RenderError
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


@pytest.mark.parametrize(
    "path", ["../a", "/etc/a", "a/../../b", "", "a\0b", "..", "a\\..\\b", "a\\b", "a/", "a//b"]
)
def test_a_path_that_leads_out_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(PublishError):
        Website(tmp_path / "out").write([page(path)])
    assert not list(tmp_path.rglob("*"))


def test_dots_within_a_name_lead_nowhere(tmp_path: Path) -> None:
    assert Website(tmp_path).write([page("2611..v2/a...html"), page("..b/c..")]).written == 2
    assert (tmp_path / "..b" / "c..").read_text() == "x"


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


def test_what_was_written_is_told_in_order_and_a_dry_run_tells_what_would_be(tmp_path: Path) -> None:
    pages = [page("z", "1"), page("b/c", "2"), page("a", "3")]
    site = Website(tmp_path, dry_run=True)
    assert (site.write(pages).written, site.changed) == (3, ["z", "b/c", "a"])
    assert not list(tmp_path.iterdir())
    site = Website(tmp_path)
    site.write(pages)
    assert site.changed == ["z", "b/c", "a"]
    site.write([page("z", "1"), page("b/c", "new"), page("d", "4")])
    assert site.changed == ["z", "b/c", "a", "b/c", "d"]


def test_a_batch_takes_its_places_in_the_order_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader sees of 150 files at any moment is the beginning of the list."""
    names = [f"{n % 7}/{n * 37 % 150}.html" for n in range(150)]
    seen: list[str] = []
    rename = os.replace

    def watched(temporary: str, target: str) -> None:
        assert all((tmp_path / name).read_text() == name for name in names[: len(seen)])
        assert not Path(target).exists()
        seen.append(Path(target).relative_to(tmp_path).as_posix())
        rename(temporary, target)

    monkeypatch.setattr(os, "replace", watched)
    site = Website(tmp_path)
    assert site.write(page(name, name) for name in names).written == 150
    assert seen == names == site.changed


def steps_of_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is brought to the disk and what is renamed, in order, while two new files and new bytes of two old ones are written."""
    Website(tmp_path).write([page("rss.xml", "old"), page("2026/index.html", "old")])
    done: list[str] = []
    fsync, rename = os.fsync, os.replace

    def synced(handle: int) -> None:
        done.append(f"sync {os.path.relpath(Path(f'/proc/self/fd/{handle}').readlink(), tmp_path)}")
        fsync(handle)

    def renamed(temporary: str, target: str) -> None:
        done.append(Path(target).relative_to(tmp_path).as_posix())
        rename(temporary, target)

    if website._syncfs() is None:
        monkeypatch.setattr(os, "fsync", synced)
    else:
        monkeypatch.setattr(website, "_syncfs", lambda: synced)
    monkeypatch.setattr(os, "replace", renamed)
    site = Website(tmp_path)
    site.write([page("2026/11/index.html"), page("2026/index.html"), page("2026/11/z.html"), page("rss.xml")])
    assert site.changed == ["2026/11/index.html", "2026/index.html", "2026/11/z.html", "rss.xml"]
    return done


def test_new_names_are_on_the_disk_before_a_file_that_stood_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if website._syncfs() is None:
        pytest.skip("this system brings files to the disk one by one")
    new, old = ["2026/11/index.html", "2026/11/z.html"], ["2026/index.html", "rss.xml"]
    assert steps_of_a_write(tmp_path, monkeypatch) == ["sync .", *new, "sync .", *old, "sync ."]


@pytest.mark.parametrize("stood", [True, False])
def test_a_site_is_brought_to_the_disk_also_where_its_folder_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stood: bool
) -> None:
    systems: list[int] = []
    root = tmp_path / "var" / "site"
    if stood:
        root.mkdir(parents=True)
    monkeypatch.setattr(website, "_syncfs", lambda: lambda handle: systems.append(os.fstat(handle).st_dev))
    Website(root).write([page("2026/index.html"), page("index.html")])
    assert systems == [root.stat().st_dev] * 2, "the bytes, then the names"


@pytest.mark.parametrize(
    ("system", "release", "asked"),
    [
        ("Linux", "6.1.0-13-amd64", True),
        ("Linux", "5.8.0", True),
        ("Linux", "5.7.19", False),
        ("Linux", "4.18.0", False),
        ("Darwin", "23.1.0", False),
    ],
)
def test_only_a_system_that_says_whether_all_was_written_is_asked_for_it_at_once(
    monkeypatch: pytest.MonkeyPatch, system: str, release: str, asked: bool
) -> None:
    if website._syncfs() is None:
        pytest.skip("this system brings files to the disk one by one")
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(sysname=system, release=release))
    assert (website._syncfs.__wrapped__() is not None) is asked


def test_what_the_system_could_not_bring_to_the_disk_is_a_fault() -> None:
    whole = website._syncfs()
    if whole is None:
        pytest.skip("this system brings files to the disk one by one")
    with pytest.raises(OSError, match="Bad file descriptor"):
        whole(-1)


def test_files_are_closed_when_they_are_written(tmp_path: Path) -> None:
    before = len([*Path("/proc/self/fd").iterdir()])
    Website(tmp_path).write([page("a"), page("b/c")])
    Website(tmp_path).write([page("a", "new"), page("b/d")])
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_a_disk_that_is_full_in_the_middle_of_a_file_keeps_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, body: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(PublishError, match=r"index\.html: .*No space left"):
        Website(tmp_path).write([page("index.html")])
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def test_files_are_brought_to_the_disk_one_by_one_where_the_system_cannot_do_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(website, "_syncfs", lambda: None)
    done = steps_of_a_write(tmp_path, monkeypatch)
    temporaries, new = done[:4], done[4:6]
    assert temporaries == [
        f"sync {folder}.digest-part-{name}"
        for folder, name in (
            ("2026/11/", "index.html"), ("2026/", "index.html"), ("2026/11/", "z.html"), ("", "rss.xml"),
        )
    ]  # fmt: skip
    assert new == ["2026/11/index.html", "2026/11/z.html"]
    assert done[6:9] == ["sync 2026/11", "sync 2026", "sync ."]
    assert done[9:11] == ["2026/index.html", "rss.xml"]
    assert done[11:] == ["sync 2026", "sync ."]


def test_a_container_that_forbids_it_to_be_done_at_once_takes_files_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_by_one: list[int] = []
    fsync = os.fsync

    def forbidden(handle: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    def counted(handle: int) -> None:
        one_by_one.append(handle)
        fsync(handle)

    monkeypatch.setattr(website, "_syncfs", lambda: forbidden)
    monkeypatch.setattr(os, "fsync", counted)
    assert Website(tmp_path).write([page("a"), page("b/c")]).written == 2
    assert len(one_by_one) == 4  # two files, two folders
    assert (tmp_path / "b/c").read_text() == "x"


def test_a_system_that_says_that_not_all_was_written_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Website(tmp_path)
    site.write([page("a", "old")])

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(website, "_syncfs", lambda: full)
    with pytest.raises(PublishError, match="No space left"):
        site.write([page("a", "new"), page("b")])
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"
    assert site.changed == ["a"]


def test_a_path_given_twice_ends_with_the_later_bytes(tmp_path: Path) -> None:
    report = Website(tmp_path).write([page("a", "1"), page("a", "2"), page("a", "2")])
    assert (report.written, report.unchanged, (tmp_path / "a").read_text()) == (2, 1, "2")


def test_what_came_before_a_fault_of_a_template_is_written(tmp_path: Path) -> None:
    def pages() -> Iterator[Page]:
        yield page("a")
        raise RenderError("a template is broken", template="x", line=1)

    with pytest.raises(RenderError):
        Website(tmp_path).write(pages())
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_one_file_that_fails_leaves_no_temporaries_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "folder" / "x").mkdir(parents=True)
    names = [*(f"{n}.html" for n in range(50)), "folder/x", *(f"{n}.xml" for n in range(50))]
    site = Website(tmp_path)
    with pytest.raises(PublishError, match=r"folder/x"):
        site.write(page(name) for name in names)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(names[:50])
    assert site.changed == names[:50]


def test_an_old_file_that_cannot_be_replaced_keeps_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Website(tmp_path)
    site.write([page("a", "old"), page("b", "old"), page("c", "old")])
    rename = os.replace

    def refused(temporary: str, target: str) -> None:
        if target.endswith("/b"):
            raise PermissionError(1, "Operation not permitted")
        rename(temporary, target)

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(PublishError, match="/b: cannot be written"):
        site.write([page("a", "new"), page("b", "new"), page("c", "new"), page("d", "new")])
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a": "new", "b": "old", "c": "old", "d": "new",
    }  # fmt: skip
    assert site.changed == ["a", "b", "c", "a", "d"]
