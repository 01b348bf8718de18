"""Which pages a run touches beside its edition: papers, authors, topics, categories, saved searches."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from bs4 import BeautifulSoup
from msgspec.structs import replace

from digest.app import open_app
from digest.config import Config, DigestConfig, SearchConfig, TopicConfig, WebConfig
from digest.model import Edition
from digest.store import Store
from pages import installation, invented

NOW = datetime(2026, 11, 16, 6, tzinfo=UTC)

Line = tuple[int, Sequence[str], str]  # number of the paper, its authors, its category


def listing(papers: Sequence[Line]) -> bytes:
    """An RSS 2.0 feed with authors and categories."""
    items = ""
    for number, authors, category in papers:
        ((title, abstract),) = invented(number, 1)
        creators = "".join(f"<dc:creator>{escape(name)}</dc:creator>" for name in authors)
        items += (
            f"<item><title>{title}</title><link>https://journal.example.org/{number}</link>{creators}"
            f"<category>{category}</category><description>{abstract}</description></item>"
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        f"<title>A journal</title><link>https://journal.example.org/</link>{items}</channel></rss>"
    ).encode()


def arxiv(version: int, title: str, author: str, category: str) -> bytes:
    """A feed with one version of one paper on arXiv."""
    said = "that they sleep all day" if version == 1 else "how a flood moved each nest, and why"
    return (
        '<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>J</title>'
        f"<link>https://j.example.org/</link><item><title>{title}</title>"
        f"<link>https://arxiv.org/abs/2611.04217v{version}</link><dc:creator>{author}</dc:creator>"
        f"<category>{category}</category><description>{title}: we say {said}.</description></item></channel></rss>"
    ).encode()


class Site:
    """An installation whose days are run one by one."""

    def __init__(self, folder: Path, **digest: object) -> None:
        self.folder, self.day = folder, 0
        base = installation(folder)
        made = {
            "name": "daily",
            "path": "",
            "topics": (
                TopicConfig(name="Otters", any=("otter",)),
                TopicConfig(name="Herons", any=("heron",)),
            ),
        }
        self.config: Config = replace(base, digest=(DigestConfig(**made | digest),))  # type: ignore[arg-type]

    def run(self, *papers: Line) -> None:
        (self.folder / "inbox" / "page.xml").write_bytes(listing(papers))
        self.run_again()

    def run_again(self) -> None:
        with open_app(self.config) as app:
            app.daily(NOW + timedelta(days=self.day))
        self.day += 1

    def publish(self) -> int:
        with open_app(self.config) as app, app.alone():
            return app.publish().written

    def text(self, path: str) -> str:
        return (self.folder / "feeds" / path).read_text(encoding="utf-8")

    def has(self, path: str) -> bool:
        return (self.folder / "feeds" / path).exists()

    def files(self) -> dict[str, bytes]:
        root = self.folder / "feeds"
        return {str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file()}

    def assert_as_rebuilt(self) -> None:
        before = self.files()
        with open_app(self.config) as app:
            app.rebuild()
        after = self.files()
        assert sorted(before) == sorted(after)
        assert [path for path in after if after[path] != before[path]] == []


def record_paths(site: Site) -> list[str]:
    return sorted(path for path in site.files() if re.fullmatch(r"papers/[^/]+/index\.html", path))


def test_each_paper_has_a_page_and_each_topic_and_category_a_page_and_three_feeds(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run((2, ["Ada Fenwick"], "q-bio.PE"), (12, ["Bo Lind"], "q-bio.PE"), (1, ["Chidi Oke"], "cs.CY"))
    assert len(record_paths(site)) == 3
    for folder, count in {
        "topics/otters": 2, "topics/herons": 1, "categories/q-bio.pe": 2, "categories/cs.cy": 1,
    }.items():  # fmt: skip
        assert site.has(f"{folder}/index.html")
        assert site.has(f"{folder}/atom.xml")
        assert site.has(f"{folder}/feed.json")
        assert site.text(f"{folder}/rss.xml").count("<item>") == count
    assert sum("topics/otters/" in site.text(path) for path in record_paths(site)) == 2
    site.assert_as_rebuilt()


def test_an_author_has_a_page_from_the_second_paper_on_and_the_first_paper_links_to_it(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    site.run((2, ["Ada Fenwick", "Bo Lind"], "q-bio.PE"))
    (first,) = record_paths(site)
    assert not site.has("authors/ada-fenwick/index.html")
    assert "authors/ada-fenwick/" not in site.text(first)
    site.run((12, ["Ada Fenwick"], "q-bio.PE"))
    assert site.has("authors/ada-fenwick/index.html")
    assert not site.has("authors/ada-fenwick/rss.xml")
    assert not site.has("authors/bo-lind/index.html")
    assert "authors/ada-fenwick/" in site.text(first)
    site.assert_as_rebuilt()


def test_a_followed_author_has_feeds_from_the_start(tmp_path: Path) -> None:
    site = Site(tmp_path, authors=("Ada Fenwick", "Nobody Yet"))
    site.run((2, ["Ada Fenwick"], "q-bio.PE"))
    assert site.text("authors/ada-fenwick/rss.xml").count("<item>") == 1
    assert site.text("authors/nobody-yet/rss.xml").count("<item>") == 0
    listed = BeautifulSoup(site.text("authors/index.html"), "lxml").select("main li")
    assert [" ".join(each.text.split()) for each in listed] == ["Ada Fenwick 1 paper", "Nobody Yet 0 papers"]
    site.assert_as_rebuilt()


def test_channels_show_fifty_papers_or_all_of_seven_days(tmp_path: Path) -> None:
    searches = (SearchConfig(name="All", query="category:a"),)
    topics = (TopicConfig(name="Studies", any=("study",)),)
    site = Site(tmp_path, topics=topics, searches=searches, authors=("Ada Fenwick",))
    feeds = [
        f"{path}/rss.xml"
        for path in ("topics/studies", "categories/a", "authors/ada-fenwick", "searches/all")
    ]
    # The third is of the seventh day after the first, and of the sixth after the second; the last alone in its week.
    for day, papers, shown in ((0, 30, 30), (1, 30, 60), (7, 30, 60), (20, 1, 50)):
        site.day = day
        site.run(*((number, ["Ada Fenwick"], "a") for number in range(day * 40, day * 40 + papers)))
        for feed in feeds:
            assert site.text(feed).count("<item>") == shown, (day, feed)
            page = site.text(feed.replace("rss.xml", "index.html"))
            assert page.count("<article") == shown, (day, feed)
    site.assert_as_rebuilt()


def test_a_saved_search_finds_the_papers_of_its_own_digest_alone(tmp_path: Path) -> None:
    searches = (SearchConfig(name="All", query="category:a"),)
    site = Site(tmp_path, include=("otter",), searches=searches)
    (one,) = site.config.digest
    site.config = replace(
        site.config, digest=(one, replace(one, name="birds", path="birds", include=("heron",)))
    )
    site.run((2, [], "a"), (1, [], "a"), (11, [], "a"))
    for path, papers in {"": 1, "birds/": 2}.items():
        assert site.text(f"{path}searches/all/rss.xml").count("<item>") == papers
        assert f">{papers} paper" in site.text(f"{path}searches/index.html")
    site.run((12, [], "a"))  # an otter: nothing is new for birds
    assert site.text("searches/all/rss.xml").count("<item>") == 2
    assert site.text("birds/searches/all/rss.xml").count("<item>") == 2
    site.assert_as_rebuilt()


def test_an_author_who_is_left_with_one_paper_is_linked_no_more(tmp_path: Path) -> None:
    site = Site(tmp_path, updates=True)
    page = tmp_path / "inbox" / "page.xml"
    site.run((2, ["Ada Fenwick"], "a"))
    (other,) = record_paths(site)
    page.write_bytes(arxiv(1, "Otters of the marsh", "Ada Fenwick", "q-bio.PE"))
    site.run_again()
    assert "authors/ada-fenwick/" in site.text(other)
    page.write_bytes(arxiv(2, "Herons of the marsh", "Bo Lind", "cs.CY"))
    site.run_again()
    assert "authors/ada-fenwick/" not in site.text(other)
    site.assert_as_rebuilt()


def test_a_saved_search_has_a_page_and_feeds_that_grow_with_what_it_finds(tmp_path: Path) -> None:
    site = Site(tmp_path, searches=(SearchConfig(name="Tall birds", query="heron -otter"),))
    site.run((2, [], "a"), (1, [], "a"))
    assert site.text("searches/tall-birds/rss.xml").count("<item>") == 1
    before = site.text("searches/tall-birds/atom.xml")
    site.run((12, [], "a"))
    assert site.text("searches/tall-birds/atom.xml") == before
    site.run((11, [], "a"))
    assert site.text("searches/tall-birds/rss.xml").count("<item>") == 2
    site.assert_as_rebuilt()


def test_a_search_added_later_finds_what_was_there_before(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run((2, [], "a"), (1, [], "a"))
    (digest,) = site.config.digest
    digest = replace(digest, searches=(SearchConfig(name="Tall birds", query="heron"),))
    site.config = replace(site.config, digest=(digest,))
    site.publish()
    assert site.text("searches/tall-birds/rss.xml").count("<item>") == 1


def test_a_paper_seen_at_a_second_source_says_so_on_its_page(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run((2, [], "a"))
    (page,) = record_paths(site)
    assert "second" not in site.text(page)
    (tmp_path / "second").mkdir()
    (source,) = site.config.source
    site.config = replace(site.config, source=(source, replace(source, name="second", path="second")))
    (tmp_path / "second" / "page.xml").write_bytes(listing([(2, [], "a")]))
    site.run((2, [], "a"))
    assert "second" in site.text(page)
    site.assert_as_rebuilt()


def test_an_author_who_is_followed_only_later_gets_feeds(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run((2, ["Ada Fenwick"], "a"), (12, ["Ada Fenwick"], "a"))
    assert not site.has("authors/ada-fenwick/rss.xml")
    (digest,) = site.config.digest
    site.config = replace(site.config, digest=(replace(digest, authors=("Ada Fenwick",)),))
    site.publish()
    assert site.text("authors/ada-fenwick/rss.xml").count("<item>") == 2


def test_what_is_shown_again_elsewhere_leaves_the_pages_where_it_was(tmp_path: Path) -> None:
    """A new version has another category, author and topic, and other words."""
    searches = (
        SearchConfig(name="Otters", query="otters"),
        SearchConfig(name="Early", query="date:..2026-11-16"),
    )
    site = Site(tmp_path, updates=True, searches=searches)
    (tmp_path / "inbox" / "page.xml").write_bytes(arxiv(1, "Otters of the marsh", "Ada Fenwick", "q-bio.PE"))
    site.run_again()
    assert site.text("categories/q-bio.pe/rss.xml").count("<item>") == 1
    (tmp_path / "inbox" / "page.xml").write_bytes(arxiv(2, "Herons of the marsh", "Bo Lind", "cs.CY"))
    site.run_again()
    for path in ("categories/q-bio.pe", "topics/otters", "searches/otters", "searches/early"):
        assert site.text(f"{path}/rss.xml").count("<item>") == 0, path
    assert site.text("topics/herons/rss.xml").count("<item>") == 1
    with open_app(site.config) as app:
        assert app.store.touched("daily") == []  # or each run would make the pages of all that ever changed
    site.assert_as_rebuilt()


def test_the_updated_of_a_feed_never_goes_back_when_its_papers_move_on(tmp_path: Path) -> None:
    """RFC 4287, 4.2.15: a feed that loses its newest papers, or all, was changed then, and not when it had none."""
    site = Site(tmp_path, updates=True, topics=(TopicConfig(name="Otters", any=("otter",)),))
    (tmp_path / "inbox" / "page.xml").write_bytes(arxiv(1, "Otters of the marsh", "Ada Fenwick", "q-bio.PE"))
    site.run_again()
    feeds = [f"{path}/{file}" for path in ("categories/q-bio.pe", "topics/otters") for file in _UPDATED]
    first = {feed: _updated(site, feed) for feed in feeds}
    (tmp_path / "inbox" / "page.xml").write_bytes(arxiv(2, "Herons of the marsh", "Bo Lind", "cs.CY"))
    site.run_again()
    assert first == dict.fromkeys(feeds, NOW)
    assert {feed: _updated(site, feed) for feed in feeds} == dict.fromkeys(feeds, NOW + timedelta(days=1))
    site.assert_as_rebuilt()


def test_the_updated_of_a_saved_search_never_goes_back_when_it_finds_less(tmp_path: Path) -> None:
    """A new version has other words. What the search found before is in no edition's index any more, and yet was published."""
    site = Site(tmp_path, updates=True, searches=(SearchConfig(name="Otters", query="otters"),))
    feeds = [f"searches/otters/{file}" for file in _UPDATED]
    for day, (title, papers) in enumerate([("Otters of the marsh", 1), ("Herons of the marsh", 0)]):
        (tmp_path / "inbox" / "page.xml").write_bytes(arxiv(day + 1, title, "Ada Fenwick", "q-bio.PE"))
        site.run_again()
        assert site.text("searches/otters/atom.xml").count("<entry>") == papers
        assert {_updated(site, feed) for feed in feeds} == {NOW + timedelta(days=day)}
        site.assert_as_rebuilt()
    site.run((12, ["Bo Lind"], "q-bio.PE"))  # a heron: the search has nothing to say of that day
    assert {_updated(site, feed) for feed in feeds} == {NOW + timedelta(days=1)}
    site.assert_as_rebuilt()


_UPDATED = {"atom.xml": "updated", "rss.xml": "lastBuildDate"}


def _updated(site: Site, feed: str) -> datetime:
    """When a feed says that it was changed."""
    element = _UPDATED[feed.rpartition("/")[2]]
    found = re.search(f"<{element}>(.*?)</{element}>", site.text(feed))
    assert found
    return parsedate_to_datetime(found[1]) if element == "lastBuildDate" else datetime.fromisoformat(found[1])


@pytest.mark.parametrize(
    "missing", ["topics/otters", "categories/a", "searches/tall-birds", "authors/ada-fenwick"]
)
def test_a_page_that_was_lost_is_made_again_by_the_next_run(tmp_path: Path, missing: str) -> None:
    import shutil

    site = Site(
        tmp_path, authors=("Ada Fenwick",), searches=(SearchConfig(name="Tall birds", query="heron"),)
    )
    site.run((2, ["Ada Fenwick"], "a"), (1, [], "a"))
    before = site.files()
    shutil.rmtree(tmp_path / "feeds" / missing)
    site.publish()
    assert site.files() == before


def test_a_page_that_was_lost_of_a_digest_in_a_folder_is_made_again(tmp_path: Path) -> None:
    """The digest at the root has one of the same name."""
    site = Site(tmp_path)
    (one,) = site.config.digest
    site.config = replace(site.config, digest=(one, replace(one, name="birds", path="birds")))
    site.run((2, [], "a"))
    site.run((1, [], "a"))
    for path in ("birds/2026/11/16/index.html", "birds/topics/otters/index.html"):
        (tmp_path / "feeds" / path).unlink()
    site.run((11, [], "b"))
    site.assert_as_rebuilt()


def test_what_an_older_program_published_gets_the_pages_that_it_did_not_know(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run((2, [], "a"))
    site.run((1, [], "a"))
    before = site.files()
    for path in before:
        if path.startswith(("papers/", "topics/", "categories/", "editions")):
            (tmp_path / "feeds" / path).unlink()
    site.publish()
    assert site.files() == before


def test_a_run_without_news_writes_nothing(tmp_path: Path) -> None:
    site = Site(
        tmp_path, authors=("Ada Fenwick",), searches=(SearchConfig(name="Tall birds", query="heron"),)
    )
    site.run((2, ["Ada Fenwick"], "a"), (1, [], "a"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "feeds").rglob("*") if path.is_file()}
    site.run((2, ["Ada Fenwick"], "a"), (1, [], "a"))
    assert site.publish() == 0
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "feeds").rglob("*") if path.is_file()}
    assert before == after


def test_a_static_host_gets_an_index_to_search_and_a_served_site_none(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run((2, [], "a"))
    assert not site.has("search/0001.json")
    site.config = replace(site.config, web=WebConfig(enabled=False))
    site.publish()
    assert site.has("search/0001.json")
    site.run((1, [], "a"))
    site.assert_as_rebuilt()


def test_papers_of_one_edition_whose_keys_begin_alike_are_linked_to_where_each_stands(
    tmp_path: Path,
) -> None:
    """An anchor has 80 characters of a key at most; of two that are alike the second is numbered."""
    site = Site(tmp_path)
    site.config = replace(site.config, web=WebConfig(enabled=False))
    alike = f"https://doi.org/10.5555/{'proceedings-of-the-society-' * 4}".encode()
    page = listing([(n, [], "a") for n in range(3)]).replace(b"https://journal.example.org/", alike)
    (site.folder / "inbox" / "page.xml").write_bytes(page)
    site.run_again()
    edition = BeautifulSoup(site.text("2026/11/16/index.html"), "html.parser")
    stand = {article.h3.get_text(): str(article["id"]) for article in edition.find_all("article")}
    assert len(set(stand.values())) == 3
    for path in record_paths(site):
        record = BeautifulSoup(site.text(path), "html.parser")
        (link,) = {str(a["href"]) for a in record.find_all("a") if "2026/11/16/#" in str(a["href"])}
        assert link.partition("#")[2] == stand[record.h1.get_text()]
    index = json.loads(site.text("search/0001.json"))["papers"]
    assert {one["title"]: one["place"].partition("#")[2] for one in index} == stand
    site.assert_as_rebuilt()


def test_a_publication_that_was_cut_off_is_made_up_for(tmp_path: Path) -> None:
    """The day's edition is there, the pages that it touches are not: the next day's run writes both days'."""
    site = Site(tmp_path)
    site.run((2, [], "a"))
    with open_app(site.config) as app:
        app.store.note_published("daily", 0)
    lost = [path for path in site.files() if path.startswith(("topics/otters", "papers/"))]
    for path in lost:
        (tmp_path / "feeds" / path).unlink()
    site.run((1, [], "a"))
    for path in lost:
        assert site.has(path), path
    site.assert_as_rebuilt()


def rows_of(site: Site) -> list[tuple[str]]:
    with closing(sqlite3.connect(site.folder / "digest.db")) as db:
        return db.execute("SELECT html FROM shown_rows ORDER BY shown_id").fetchall()


def test_a_run_reads_no_old_edition_for_the_page_of_an_author_whose_rows_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path)
    for number in range(1, 11):
        site.run((number, ["Ada Fenwick"], "a"))
    asked: list[date] = []
    whole = Store.edition

    def edition(self: Store, digest: str, day: date, part: int = 1) -> Edition | None:
        asked.append(day)
        return whole(self, digest, day, part)

    monkeypatch.setattr(Store, "edition", edition)
    site.run((11, ["Ada Fenwick"], "a"))
    assert site.text("authors/ada-fenwick/index.html").count("<article") == 11
    # The edition before it now links to it.
    assert [day for day in asked if day < (NOW + timedelta(days=9)).date()] == []
    monkeypatch.undo()
    site.assert_as_rebuilt()


def test_an_author_whose_rows_were_all_made_for_a_category_a_moment_before_has_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many papers not all pages are made together: what is kept of the first ones is all that the others need."""
    monkeypatch.setattr("digest.pipeline.views.PLACES_AT_ONCE", 1)
    site = Site(tmp_path)
    for number in range(1, 4):
        site.run((number, ["Ada Fenwick"], "a"))
    assert site.text("authors/ada-fenwick/index.html").count("<article") == 3
    site.assert_as_rebuilt()


def test_a_rebuild_believes_no_row_that_is_kept(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run((1, ["Ada Fenwick"], "a"))
    site.run((2, ["Ada Fenwick"], "a"))
    kept, before = rows_of(site), site.files()
    assert len(kept) == 2
    with closing(sqlite3.connect(tmp_path / "digest.db")) as db, db:
        db.execute("UPDATE shown_rows SET html = '<p>of another world</p>'")
    site.run((3, ["Ada Fenwick"], "a"))
    assert site.text("authors/ada-fenwick/index.html").count("of another world") == 2
    with open_app(site.config) as app:
        app.rebuild()
    assert "of another world" not in site.text("authors/ada-fenwick/index.html")
    assert rows_of(site)[:2] == kept
    assert before.keys() < site.files().keys()


def test_rows_are_made_anew_where_a_template_the_address_or_the_language_is_another(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run((1, ["Ada Fenwick"], "a"))
    own = tmp_path / "own" / "archive"
    own.mkdir(parents=True)
    template = (Path(__file__).parents[1] / "templates" / "archive" / "paper.html").read_text(
        encoding="utf-8"
    )
    (own / "paper.html").write_text(template.replace('class="row"', 'class="row ours"'), encoding="utf-8")
    for number, change in enumerate(
        ({"templates": str(own.parent)}, {"url": "https://elsewhere.example.org/"}, {"language": "de"}), 2
    ):
        site.config = replace(site.config, site=replace(site.config.site, **change))  # type: ignore[arg-type]
        site.run((number, ["Ada Fenwick"], "a"))
        page = site.text("authors/ada-fenwick/index.html")
        assert page.count('class="row ours"') == number
        assert page.count('<a href="https://elsewhere.example.org/papers/') == (number if number > 2 else 0)
        with open_app(site.config) as app:
            app.rebuild()
        assert site.text("authors/ada-fenwick/index.html") == page


def test_the_row_of_a_paper_without_an_id_is_not_kept_since_something_may_be_found_of_it(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    nameless = re.sub(rb"<link>https://journal.example.org/[0-9]+</link>", b"", listing([(1, ["A"], "a")]))
    (tmp_path / "inbox" / "page.xml").write_bytes(nameless)
    site.run_again()
    assert site.text("categories/a/index.html").count("<article") == 1
    assert rows_of(site) == []
