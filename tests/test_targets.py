"""Published files go elsewhere: which, in which order, and what is said where they cannot."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from digest import website
from digest.config import Config, PublishConfig, SiteConfig
from digest.logs import secrets_of
from digest.targets import KINDS, publish_to
from digest.targets.files import steps_of
from digest.targets.words import said
from target_sites import SITE, files_below, site


def folder(path: Path | str, **more: object) -> PublishConfig:
    return PublishConfig(name="copy", kind="folder", path=str(path), **more)  # type: ignore[arg-type]


def test_every_kind_that_can_be_configured_is_in_the_table() -> None:
    assert set(KINDS) == set(get_args(get_type_hints(PublishConfig)["kind"])), (
        "KINDS of digest/targets/__init__.py and `kind` of PublishConfig in digest/config.py name the same"
    )


@pytest.mark.parametrize(
    "key", [key for key in PublishConfig.__struct_fields__ if re.search("key|secret|token|password", key)]
)
def test_every_key_that_is_named_like_a_secret_is_kept_as_one(key: str) -> None:
    target = PublishConfig(name="x", kind="folder", **{key: "canary-77"})  # type: ignore[arg-type]
    assert "canary" not in said("it said canary-77", target), f"targets/words.py: said() hides {key}"
    config = Config(site=SiteConfig(url="https://papers.example.org/"), publish=(target,))
    assert "canary-77" in secrets_of(config), f"logs.py: secrets_of() names {key}"


def test_pages_go_first_then_feeds_then_home_pages(tmp_path: Path) -> None:
    pages, feeds, homes = steps_of(site(tmp_path))
    assert set(feeds) == {
        *("rss.xml", "feed.json", "feeds.opml", "editions.xml", "editions-atom.xml", "editions.json"),
        *("2026/11/19/rss.xml", "topics/größe/atom.xml", "second/feeds.opml"),
    }
    assert homes == ("second/index.html", "index.html")
    assert set(pages) == set(SITE) - set(feeds) - set(homes)


def test_a_page_goes_after_the_deeper_ones_that_it_links_to(tmp_path: Path) -> None:
    pages = steps_of(site(tmp_path))[0]
    assert pages.index("2026/11/19/index.html") < pages.index("2026/11/index.html") < pages.index("404.html")


def test_the_order_given_is_kept_within_each_step(tmp_path: Path) -> None:
    pages, feeds, _ = steps_of(site(tmp_path), ["feeds.opml", "404.html", "2026/11/index.html", "rss.xml"])
    assert pages[-2:] == ("404.html", "2026/11/index.html")
    assert feeds[-2:] == ("feeds.opml", "rss.xml")


def test_what_is_not_published_does_not_go(tmp_path: Path) -> None:
    root = site(tmp_path / "site")
    (tmp_path / "secret").write_text("key")
    (root / "README.md").write_text("about this folder")
    (root / "2026/README.md").write_text("a page")
    (root / ".digest-part-rss.xml").write_text("half")
    (root / ".git").mkdir()
    (root / ".git/config").write_text("x")
    (root / "link.html").symlink_to(tmp_path / "secret")
    (root / "linked").symlink_to(tmp_path)
    (root / "new\nline.html").write_text("x")
    (root / "back\\slash.html").write_text("x")
    Path(os.fsdecode(os.fsencode(root) + b"/\xff.html")).write_text("x")
    assert {path for step in steps_of(root) for path in step} == {*SITE, "2026/README.md"}


def test_a_folder_takes_all_files_and_then_only_what_changed(tmp_path: Path) -> None:
    root = site(tmp_path / "site")
    there = tmp_path / "a copy"
    report = publish_to(folder(there), root, base=tmp_path)
    assert (report.written, report.unchanged, report.error) == (len(SITE), 0, None)
    assert files_below(there) == files_below(root)
    os.utime(there / "404.html", (1, 1))
    (root / "rss.xml").write_text("newer")
    (there / "other.txt").write_text("not ours")
    report = publish_to(folder(there), root, base=tmp_path)
    assert (report.name, report.kind, report.written, report.unchanged) == (
        "copy",
        "folder",
        1,
        len(SITE) - 1,
    )
    assert (there / "rss.xml").read_text() == "newer"
    assert (there / "404.html").stat().st_mtime == 1
    assert (there / "other.txt").read_text() == "not ours"


def test_a_relative_folder_counts_from_the_configuration(tmp_path: Path) -> None:
    assert publish_to(folder("www/x"), site(tmp_path / "site"), base=tmp_path).error is None
    assert files_below(tmp_path / "www/x") == files_below(tmp_path / "site")


@pytest.mark.parametrize("place", ["site", "site/2026", ".", "site/../site", "link"])
def test_the_published_folder_is_not_copied_into_itself(tmp_path: Path, place: str) -> None:
    root = site(tmp_path / "site")
    (tmp_path / "link").symlink_to(root)
    before = files_below(root)
    report = publish_to(folder(place), root, base=tmp_path)
    assert report.error and "Name a folder beside it" in report.error
    assert report.written == 0
    assert files_below(root) == before


def test_a_folder_that_takes_no_file_is_reported_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("a file where a folder should be")
    report = publish_to(folder("there"), site(tmp_path / "site"), base=tmp_path)
    assert report.error and str(tmp_path / "there") in report.error
    assert (report.written, report.unchanged) == (0, 0)


def test_what_a_failed_copy_lacks_comes_with_the_next(tmp_path: Path) -> None:
    root = site(tmp_path / "site")
    there = tmp_path / "there"
    (there / "2026").mkdir(parents=True)
    (there / "2026/11").write_text("in the way")
    report = publish_to(folder(there), root, base=tmp_path)
    assert report.error
    # Feeds and home page had to wait for the pages that they link to.
    assert not (there / "rss.xml").exists()
    assert not (there / "index.html").exists()
    (there / "2026/11").unlink()
    report = publish_to(folder(there), root, base=tmp_path)
    assert report.error is None
    assert files_below(there) == files_below(root)


def test_a_full_disk_leaves_the_old_files_whole(tmp_path: Path) -> None:
    root = site(tmp_path / "site")
    there = tmp_path / "there"
    assert publish_to(folder(there), root, base=tmp_path).error is None
    (root / "rss.xml").write_text("newer")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(website, "_syncfs", lambda: full)
        report = publish_to(folder(there), root, base=tmp_path)
    assert report.error and str(there) in report.error and "No space left" in report.error
    assert "the next run sends what is missing" in report.error
    assert (there / "rss.xml").read_text() == "rss.xml of the site"
    assert publish_to(folder(there), root, base=tmp_path).error is None
    assert (there / "rss.xml").read_text() == "newer"


def test_a_published_folder_that_is_missing_is_reported(tmp_path: Path) -> None:
    report = publish_to(folder("there"), tmp_path / "no-site", base=tmp_path)
    assert report.error and "no-site" in report.error


@pytest.mark.parametrize("place", ["~nobody-of-this-name/www", "a\0b", "x" * 5000])
def test_a_path_that_cannot_be_stops_nothing(tmp_path: Path, place: str) -> None:
    assert publish_to(folder(place), site(tmp_path / "site"), base=tmp_path).error


def test_at_the_end_of_its_time_a_target_says_what_to_do(tmp_path: Path) -> None:
    report = publish_to(folder("there", timeout_s=0.0), site(tmp_path / "site"), base=tmp_path)
    assert report.error and "raise timeout_s" in report.error
    assert report.written == 1
