"""An archive without pages of papers, authors or categories (`pages` of [[digest]]): smaller, and whole in itself."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from bs4 import BeautifulSoup
from msgspec.structs import replace

from digest.app import open_app
from digest.config import SearchConfig
from digest.configfile import load_config
from digest.errors import ConfigError
from digest.formats import citations
from digest.store import shown
from editions import bare, publication_of, shipped
from test_cli import Shell
from test_views import Site, arxiv, listing, record_paths

URL = "https://papers.example.org/"
FIRST = (2, ["Ada Fenwick", "Bo Lind"], "q-bio.PE")
SECOND = (12, ["Ada Fenwick", "Chidi Oke"], "cs.CY")
THIRD = (1, ["Chidi Oke"], "cs.CY")


def site_with(folder: Path, pages: Sequence[str], **digest: object) -> Site:
    """Two editions, in which two authors have two papers each."""
    folder.mkdir(exist_ok=True)
    site = Site(folder, pages=tuple(pages), searches=(SearchConfig(name="Rivers", query="river"),), **digest)
    site.run(FIRST)
    site.run(SECOND, THIRD)
    return site


def choose(site: Site, *pages: str) -> None:
    (digest,) = site.config.digest
    site.config = replace(site.config, digest=(replace(digest, pages=pages),))


def folders(site: Site) -> set[str]:
    return {path.partition("/")[0] for path in site.files() if "/" in path}


def missing(site: Site) -> list[str]:
    """Addresses below the site's own that any page, feed, map or citation names, and that lead nowhere."""
    files = site.files()
    doors = ("subscribe/", "manage/", "unsubscribe/", "search/?")
    found = set()
    for path, body in files.items():
        text = body.decode().replace("\\", "" if path.endswith(".bib") else " ")
        for address in re.findall(rf"{re.escape(URL)}[^\s\"'<>{{}}]*", text):
            target, _, fragment = address.removeprefix(URL).rstrip("),.;").partition("#")
            if target.startswith(doors):
                continue
            name = unquote(f"{target}index.html" if target.endswith("/") or not target else target)
            if name not in files or (fragment and f'id="{unquote(fragment)}"' not in files[name].decode()):
                found.add(f"{path}: {address}")
    return sorted(found)


@pytest.mark.parametrize(
    ("pages", "there", "away"),
    [
        ((), (), ("papers", "authors", "categories")),
        (("categories",), ("categories",), ("papers", "authors")),
        (("papers",), ("papers",), ("authors", "categories")),
        (("papers", "authors"), ("papers", "authors"), ("categories",)),
        (("papers", "authors", "categories"), ("papers", "authors", "categories"), ()),
    ],
    ids=["none", "categories", "papers", "authors", "all"],
)
def test_only_the_chosen_pages_are_there_and_no_link_leads_to_another(
    tmp_path: Path, pages: tuple[str, ...], there: tuple[str, ...], away: tuple[str, ...]
) -> None:
    site = site_with(tmp_path, pages)
    assert folders(site) >= {"2026", "topics", "searches", "feeds", "search", *there}
    assert folders(site).isdisjoint(away)
    assert missing(site) == []
    site.assert_as_rebuilt()


def test_a_followed_author_has_page_and_feeds_all_the_same(tmp_path: Path) -> None:
    site = site_with(tmp_path, (), authors=("Ada Fenwick",))
    assert {path for path in site.files() if path.startswith("authors/")} == {
        "authors/index.html",
        *(f"authors/ada-fenwick/{name}" for name in ("index.html", "rss.xml", "atom.xml", "feed.json")),
    }
    assert missing(site) == []
    site.assert_as_rebuilt()


def test_without_pages_of_papers_lists_lead_to_the_papers_place_in_its_edition(tmp_path: Path) -> None:
    site = site_with(tmp_path, ())
    page = BeautifulSoup(site.text("2026/11/16/index.html"), "lxml")
    place = f"{URL}2026/11/16/#{page.select_one('article[id]')['id']}"  # type: ignore[index]
    topic = BeautifulSoup(site.text("topics/otters/index.html"), "lxml")
    assert place in [a["href"] for a in topic.select("article h3 a")]
    assert not page.find_all("a", string=re.compile("^Cite"))


def test_the_citation_of_a_paper_without_any_address_names_its_place_in_its_edition() -> None:
    edition = bare()
    whole = publication_of(edition)
    lean = replace(whole, digest=replace(whole.digest, pages=()))
    entry = edition.entries[0]
    for publication, address in (
        (whole, whole.record_url(entry.paper.key)),
        (lean, f"{lean.url}{edition.path}#{quote(entry.anchor)}"),
    ):
        bib, ris = citations.editions(publication, shipped())
        assert address in bib.body.decode().replace("\\", "")
        assert f"UR  - {address}" in ris.body.decode()


def test_a_static_search_offers_a_papers_page_only_where_there_is_one(tmp_path: Path) -> None:
    site = Site(tmp_path, pages=())
    site.config = replace(site.config, web=replace(site.config.web, enabled=False))
    site.run(FIRST)
    (paper,) = json.loads(site.text("search/0001.json"))["papers"]
    assert "record" not in paper
    assert paper["place"].startswith("2026/11/16/#")
    choose(site, "papers")
    with open_app(site.config) as app:
        app.rebuild()
    (paper,) = json.loads(site.text("search/0001.json"))["papers"]
    assert f"{paper['record']}index.html" in record_paths(site)


def test_a_host_that_is_static_from_now_on_gets_every_part_of_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "CHUNK", 1)
    site = Site(tmp_path)
    for paper in (FIRST, SECOND, THIRD):
        site.run(paper)
    site.config = replace(site.config, web=replace(site.config.web, enabled=False))
    site.publish()
    assert [site.has(f"search/{n:04}.json") for n in (1, 2, 3)] == [True] * 3


def test_a_choice_that_changes_is_made_up_for_by_a_rebuild_and_takes_no_address_away(tmp_path: Path) -> None:
    site = site_with(tmp_path / "one", ())
    choose(site, "papers", "authors", "categories")
    with open_app(site.config) as app:
        app.rebuild()
    whole = site_with(tmp_path / "other", ("papers", "authors", "categories"))
    assert site.files() == whole.files()
    assert missing(site) == []
    choose(site)
    with open_app(site.config) as app:
        app.rebuild()
    assert site.files().keys() == whole.files().keys()
    site.run((22, ["Ada Fenwick"], "q-bio.PE"))
    assert len(record_paths(site)) == 3
    assert missing(site) == []


@pytest.mark.parametrize("before", [(), ("categories",)], ids=["none", "categories"])
def test_papers_chosen_later_have_their_pages_from_the_next_run_on(
    tmp_path: Path, before: tuple[str, ...]
) -> None:
    site = site_with(tmp_path, before)
    choose(site, "papers", "authors", "categories")
    site.run((22, ["Ada Fenwick"], "q-bio.PE"))
    assert missing(site) == []
    assert len(record_paths(site)) == 4
    site.assert_as_rebuilt()


def test_authors_chosen_after_papers_leave_no_link_to_a_page_that_is_not_there(tmp_path: Path) -> None:
    """Ada's new paper brings her page, and links to it in her older ones: these name Chidi too, who has two papers as well."""
    site = site_with(tmp_path, ("papers",))
    choose(site, "papers", "authors")
    site.run((22, ["Ada Fenwick"], "q-bio.PE"))
    assert site.has("authors/ada-fenwick/index.html")
    assert missing(site) == []


def test_a_paper_that_changes_is_found_as_it_is_also_where_it_has_no_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown, "CHUNK", 1)
    site = Site(tmp_path, pages=())
    site.config = replace(site.config, web=replace(site.config.web, enabled=False))
    page = tmp_path / "inbox" / "page.xml"
    for body in (
        arxiv(1, "Otters", "Ada Fenwick", "q-bio.PE"),
        listing([SECOND]),  # another part of the index
        arxiv(2, "Otters", "Ada Fenwick", "q-bio.PE"),
    ):
        page.write_bytes(body)
        site.run_again()
    (first,) = json.loads(site.text("search/0001.json"))["papers"]
    assert first["place"].startswith("2026/11/16/")
    assert "how a flood moved each nest" in first["abstract"]
    site.assert_as_rebuilt()


def test_a_paper_that_moves_on_leaves_the_pages_where_it_was_also_where_it_has_none(tmp_path: Path) -> None:
    site = Site(tmp_path, pages=("categories",), updates=True)
    page = tmp_path / "inbox" / "page.xml"
    page.write_bytes(arxiv(1, "Otters of the marsh", "Ada Fenwick", "q-bio.PE"))
    site.run_again()
    page.write_bytes(arxiv(2, "Herons of the marsh", "Bo Lind", "cs.CY"))
    site.run_again()
    for path, papers in {"categories/q-bio.pe": 0, "topics/otters": 0, "topics/herons": 1}.items():
        assert site.text(f"{path}/rss.xml").count("<item>") == papers, path
    site.assert_as_rebuilt()


def test_papers_left_out_for_a_while_have_their_pages_when_they_are_chosen_again(tmp_path: Path) -> None:
    site = site_with(tmp_path, ("papers", "authors", "categories"))
    choose(site)
    site.run((22, ["Ada Fenwick"], "q-bio.PE"))
    choose(site, "papers", "authors", "categories")
    site.run((32, ["Ada Fenwick"], "q-bio.PE"))
    assert missing(site) == []
    assert len(record_paths(site)) == 5


def test_rows_that_are_kept_follow_the_choice(tmp_path: Path) -> None:
    """Of a paper whose row a run of before made: it leads to the paper's page only while there is one."""
    site = site_with(tmp_path, ("papers", "authors"), authors=("Ada Fenwick",))
    assert "/papers/" in site.text("authors/ada-fenwick/index.html")
    choose(site)
    site.run((22, ["Ada Fenwick"], "q-bio.PE"))
    assert site.text("authors/ada-fenwick/index.html").count("<article") == 3
    assert "/papers/" not in site.text("authors/ada-fenwick/index.html")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('["paper"]', '"pages" has "paper", of which there are no pages. Did you mean "papers"?'),
        ('["xyz"]', '"pages" has "xyz", of which there are no pages. Known: papers, authors, categories.'),
        ('["authors"]', '"pages" has "authors" without "papers"'),
        ('"papers"', '"pages" is wrong: it must be a list of texts'),
    ],
)
def test_a_choice_of_pages_that_makes_no_sense_is_told(tmp_path: Path, value: str, said: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[site]\nurl = "{URL}"\n[[digest]]\nname = "daily"\npages = {value}\n')
    with pytest.raises(ConfigError, match=re.escape(said)):
        load_config(file, {})


def test_the_environment_names_pages_with_commas_and_none_with_brackets(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[site]\nurl = "{URL}"\n[[digest]]\nname = "daily"\n')
    for value, pages in {"papers, categories": ("papers", "categories"), "[]": ()}.items():
        config = load_config(file, {"DIGEST__DIGEST__DAILY__PAGES": value})
        assert config.digest[0].pages == pages


def test_the_search_command_names_the_place_where_papers_have_no_pages(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        f'[site]\nurl = "{URL}"\n[store]\nurl = "sqlite:///digest.db"\n[[source]]\nname = "inbox"\npath = "inbox"\n'
        '[[digest]]\nname = "daily"\npages = []\n[mail]\nfolder = "outbox"\n'
    )
    shell = Shell(tmp_path)
    shell.put("2026-11-19.xml", [("Owls in the Dark", "A survey of night.")])
    shell("run", "--date", "2026-11-19")
    (paper,) = shell.json("search", "owls")["papers"]
    place, _, anchor = paper["page"].removeprefix(URL).partition("#")
    assert place == "2026/11/19/"
    assert f'id="{anchor}"' in (tmp_path / "feeds" / place / "index.html").read_text(encoding="utf-8")
