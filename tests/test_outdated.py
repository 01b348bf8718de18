# ruff: noqa: F811 - fixtures are imported by name
"""Whoever changes what all pages show hears that those written before show it as it was, until a rebuild."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from digest.app import open_app
from digest.config import DigestConfig, SearchConfig, SiteConfig, TopicConfig
from digest.model import PublishReport
from digest.pipeline import looks
from test_cli import Shell, shell  # noqa: F401
from test_views import Site

FIRST, SECOND, THIRD = ((number, ["Ada Fenwick"], "q-bio.PE") for number in (2, 12, 22))


def published(site: Site) -> PublishReport:
    with open_app(site.config) as app, app.alone():
        return app.publish()


def rebuild(site: Site) -> PublishReport:
    with open_app(site.config) as app:
        return app.rebuild()


def change(site: Site, table: str, **values: Any) -> None:
    if table == "digest":
        site.config = replace(site.config, digest=(replace(site.config.digest[0], **values),))
    else:
        site.config = replace(site.config, **{table: replace(getattr(site.config, table), **values)})


def test_each_setting_of_the_site_is_said_to_be_shown_or_not() -> None:
    # Where pages stand and what they are made with; a change of templates is seen by their bytes.
    assert {*looks._SITE, "output", "templates"} == {*SiteConfig.__struct_fields__}, (
        "pipeline/looks.py: a key that pages show belongs into _SITE (of other tables: look_of); one that none shows, here"
    )


@pytest.mark.parametrize(
    ("table", "values", "said"),
    [
        ("site", {"theme": "paper"}, ("[site] theme", "templates")),
        ("site", {"title": "Other Papers"}, ("[site] title",)),
        ("site", {"postal_address": "Quay 1"}, ("[site] postal_address",)),
        ("site", {"timezone": "Asia/Tokyo"}, ("[site] timezone",)),
        ("digest", {"pages": ("categories",)}, ("[[digest]] pages",)),
        ("digest", {"topics": (TopicConfig(name="Weasels", slug="otters"),)}, ("[[digest]] topics",)),
        ("digest", {"searches": (SearchConfig(name="Rivers", query="lake"),)}, ("[[digest]] searches",)),
        (
            "digest",
            {"searches": (SearchConfig(name="Lakes", query="river", slug="rivers"),)},
            ("[[digest]] searches",),
        ),
        ("web", {"enabled": False}, ("[web] enabled",)),
    ],
)
def test_a_setting_that_pages_show_is_named_from_its_change_to_the_rebuild(
    tmp_path: Path, table: str, values: dict[str, Any], said: tuple[str, ...]
) -> None:
    site = Site(tmp_path, searches=(SearchConfig(name="Rivers", query="river"),))
    site.run(FIRST)
    site.run(SECOND)
    assert published(site).outdated == {}
    change(site, table, **values)
    assert {name: set(s) - {"templates"} for name, s in published(site).outdated.items()} == {
        "daily": set(said) - {"templates"}
    }
    site.run(THIRD)
    assert set(published(site).outdated["daily"]) <= set(said)
    assert rebuild(site).outdated == {}
    assert published(site).outdated == {}


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("digest", {"picks": 1}),
        ("digest", {"topics": (TopicConfig(name="Otters", any=("weasel",)), TopicConfig(name="Herons"))}),
        ("mail", {"expire_after_h": 1.0}),
        ("site", {"output": "feeds/"}),
    ],
)
def test_what_editions_to_come_show_alone_is_nothing_to_write_anew_for(
    tmp_path: Path, table: str, values: dict[str, Any]
) -> None:
    site = Site(tmp_path)
    site.run(FIRST)
    change(site, table, **values)
    assert published(site).outdated == {}


def test_a_setting_that_is_changed_back_is_no_more_said(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run(FIRST)
    before = site.config
    change(site, "site", title="Other Papers")
    assert published(site).outdated
    site.config = before
    assert published(site).outdated == {}


def test_a_setting_that_is_changed_back_after_an_edition_stays_said(tmp_path: Path) -> None:
    """What came meanwhile may be missing on pages that were left out then."""
    site = Site(tmp_path)
    site.run(FIRST)
    site.run(SECOND)
    before = site.config
    change(site, "digest", pages=("papers",))
    site.run(THIRD)
    site.config = before
    assert published(site).outdated == {"daily": ("[[digest]] pages",)}
    assert rebuild(site).outdated == {}
    assert published(site).outdated == {}


def test_lists_that_were_there_before_the_first_edition_are_written_with_it(tmp_path: Path) -> None:
    site = Site(tmp_path, authors=("Bo Lind",), searches=(SearchConfig(name="Lakes", query="lake"),))
    site.run()
    change(site, "digest", title="Other Papers")
    site.run(FIRST)
    assert published(site).outdated == {}
    site.assert_as_rebuilt()


def test_before_the_first_edition_every_setting_may_change(tmp_path: Path) -> None:
    site = Site(tmp_path)
    assert published(site).outdated == {}
    change(site, "site", title="Other Papers")
    site.run(FIRST)
    assert published(site).outdated == {}


def test_a_feed_has_its_id_before_there_is_anything_in_it(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run()
    before = re.findall("<id>([^<]*)</id>", site.text("atom.xml"))
    site.run(FIRST)
    assert re.findall("<id>([^<]*)</id>", site.text("atom.xml"))[:1] == before
    assert before[0].startswith("tag:papers.example.org,2026:feed/daily")


def test_one_robots_txt_at_the_root_names_the_maps_of_all_digests(tmp_path: Path) -> None:
    site = Site(tmp_path, path="x")
    site.config = replace(site.config, digest=(*site.config.digest, DigestConfig(name="b", path="b")))
    site.run(FIRST)
    assert re.findall("Sitemap: (.*)", site.text("robots.txt")) == [
        f"https://papers.example.org/{folder}/sitemap.xml" for folder in "xb"
    ]


def test_a_template_of_ones_own_is_named(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run(FIRST)
    own = tmp_path / "own" / "archive"
    own.mkdir(parents=True)
    (own / "month.html").write_text("Months", encoding="utf-8")
    change(site, "site", templates=str(own.parent))
    assert published(site).outdated == {"daily": ("templates",)}


def test_run_and_doctor_say_it_with_the_mend(tmp_path: Path, shell: Shell) -> None:
    shell.put("2026-11-19.xml", [("Owls in the Dark", "A survey of night.")])
    shell("run", "--date", "2026-11-19")
    said = "daily: earlier pages show what was before: [site] title. `digest rebuild` writes them anew."
    assert said not in shell("doctor").stdout
    config = tmp_path / "config.toml"
    config.write_text(config.read_text().replace("[site]\n", '[site]\ntitle = "Owls"\n', 1))
    result = shell("run", "--date", "2026-11-20")
    assert said in result.stdout
    assert shell.json("run", "--date", "2026-11-20")["published"]["outdated"] == {"daily": ["[site] title"]}
    assert said in shell("doctor").stdout
    shell("rebuild")
    assert said not in shell("doctor").stdout
    assert said not in shell("run", "--date", "2026-11-20").stdout
