"""What stands at a path: only where nothing stands the answer is no."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from digest.paths import ending_with, exists, is_file, is_folder

QUESTIONS = [exists, is_file, is_folder]


def test_a_file_a_folder_and_a_link_are_told_apart(tmp_path: Path) -> None:
    file, folder, link = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    file.touch()
    folder.mkdir()
    link.symlink_to("a")
    assert [[asks(path) for asks in QUESTIONS] for path in (file, folder, link)] == [
        [True, True, False],
        [True, False, True],
        [True, True, False],
    ]


@pytest.mark.parametrize("asks", QUESTIONS)
def test_nothing_stands_at_a_name_that_nobody_has(asks: Callable[[Path], bool], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dead").symlink_to("gone")
    (tmp_path / "round").symlink_to("round")
    for name in ("gone", "file/below", "dead", "round", "nul\0"):
        assert not asks(tmp_path / name)


@pytest.mark.parametrize("asks", QUESTIONS)
def test_what_cannot_be_looked_at_is_no_no(asks: Callable[[Path], bool], tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        asks(tmp_path / ("x" * 300))


def test_the_names_in_a_folder_that_end_so(tmp_path: Path) -> None:
    for name in ("b.log", "a.log", ".c.log", "log"):
        (tmp_path / name).touch()
    assert [path.name for path in ending_with(tmp_path, ".log")] == [".c.log", "a.log", "b.log"]
    assert ending_with(tmp_path / "gone", ".log") == []
    with pytest.raises(NotADirectoryError):
        ending_with(tmp_path / "log", ".log")
