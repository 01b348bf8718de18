"""What real feed readers see of a run."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from lxml import etree
from msgspec.structs import replace

from conftest import need, sizes
from digest.app import open_app
from digest.config import TopicConfig, slugs_of
from pages import installation, invented, rss, tree
from test_rebuild import arxiv_page, paper
from webs import Site, serving

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


# ---------------------------------------------------------------- from the server, over days


class Poll(NamedTuple):
    """A request as a reader sent it, and the status of its answer."""

    path: str
    conditional: bool
    status: int


@contextmanager
def listening_in(port: int) -> Iterator[tuple[str, list[Poll]]]:
    """An address in front of a server on this machine, and what passes through it."""
    polls: list[Poll] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            behind = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            asked = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            behind.request("GET", self.path, headers=asked)
            answer = behind.getresponse()
            body = answer.read()
            behind.close()
            conditional = bool({"if-none-match", "if-modified-since"} & {name.lower() for name in asked})
            polls.append(Poll(self.path, conditional, answer.status))
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                    self.send_header(name, value)
            if answer.status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda request, address: None  # type: ignore[method-assign]  # a reader that hangs up
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", polls
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Days:
    """An archive that grows day by day behind a web door: 12, 9 and 10 papers, then a new version of the second of all."""

    def __init__(self, folder: Path, site: Site, url: str, polls: list[Poll]) -> None:
        self.folder, self.site, self.url, self.polls = folder, site, url, polls
        dice = Random(1)
        self.papers = [paper(n, dice) for n in range(31)]
        self.changed = self.papers[1]
        self.titles: set[str] = set()

    def __iter__(self) -> Iterator[int]:
        """Each day once its edition is published."""
        for n, (first, last) in enumerate([(0, 12), (12, 21), (21, 31), (0, 0)]):
            now = NOW + timedelta(days=n)
            shown = [(p, "new") for p in self.papers[first:last]]
            if not shown:
                self.changed.version, self.changed.title = 2, f"{self.changed.title}, with further nests"
                shown = [(self.changed, "replace")]
            (self.folder / "inbox" / "page.xml").write_text(arxiv_page(now.date(), shown), encoding="utf-8")
            output = self.site.app.config.resolve("feeds")
            before = tree(output)
            report = self.site.app.daily(now)
            assert report.digests[0].edition is not None
            # What was written today is of today: with days in one second libcurl takes the second for no news (Last-Modified).
            for name, (body, _) in tree(output).items():
                if name not in before or before[name][0] != body:
                    os.utime(output / name, (now.timestamp(), now.timestamp()))
            self.titles = {p.title for p in self.papers[:last]} if last else {p.title for p in self.papers}
            yield n


@contextmanager
def days(folder: Path) -> Iterator[Days]:
    config = installation(folder)
    digest = replace(config.digest[0], updates=True, topics=slugged(config.digest[0].topics))
    with (
        serving(replace(config, digest=(digest,))) as site,
        listening_in(site.port) as (url, polls),
    ):
        yield Days(folder, site, url, polls)


def slugged(topics: tuple[TopicConfig, ...]) -> tuple[TopicConfig, ...]:
    slugs = slugs_of(topics)
    return tuple(replace(topic, slug=slugs[topic.name]) for topic in topics)


class Newsboat:
    """Newsboat with subscriptions and a memory of its own."""

    def __init__(self, folder: Path, *urls: str) -> None:
        need(shutil.which("newsboat"), "newsboat is missing; Debian: apt-get install newsboat")
        self.folder = folder
        (folder / "urls").write_text("".join(f"{url}\n" for url in urls))
        (folder / "config").write_text("")

    def reload(self) -> list[tuple[str, str, str, int]]:
        """Asks for news; title, id, feed and date of all that it knows then."""
        cache = self.folder / "cache.db"
        subprocess.run(
            ["newsboat", "-u", "urls", "-C", "config", "-c", str(cache), "-x", "reload"],
            cwd=self.folder,
            check=True,
            timeout=120,
            env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin"},
        )
        with closing(sqlite3.connect(cache)) as db:
            return db.execute(
                "SELECT title, guid, feedurl, pubDate FROM rss_item WHERE deleted = 0"
            ).fetchall()

    def read_all(self) -> None:
        with closing(sqlite3.connect(self.folder / "cache.db")) as db, db:
            db.execute("UPDATE rss_item SET unread = 0")

    def unread(self) -> list[str]:
        with closing(sqlite3.connect(self.folder / "cache.db")) as db:
            return [guid for (guid,) in db.execute("SELECT guid FROM rss_item WHERE unread = 1")]


@pytest.mark.parametrize("name", sizes("rss.xml", "atom.xml"))
def test_newsboat_sees_each_paper_once_over_days_and_an_update_in_its_place(
    tmp_path: Path, name: str
) -> None:
    """Newsboat has no word for an update: the item of that id has the new title and date, and stays as read as it was."""
    with days(tmp_path) as archive:
        boat = Newsboat(tmp_path, f"{archive.url}/{name}")
        seen: dict[str, tuple[str, int]] = {}
        for day in archive:
            items = boat.reload()
            assert len({guid for _, guid, _, _ in items}) == len(items)
            assert {title for title, _, _, _ in items} == archive.titles
            new = {guid for _, guid, _, _ in items} - seen.keys()
            assert set(boat.unread()) == new
            assert len(new) == (12, 9, 10, 0)[day]
            changed = {guid for title, guid, _, _ in items if guid in seen and seen[guid][0] != title}
            assert len(changed) == (1 if day == 3 else 0)
            seen = {guid: (title, stamp) for title, guid, _, stamp in items}
            boat.read_all()
            archive.site.app.rebuild()
            assert sorted(boat.reload()) == sorted(items)
            assert boat.unread() == []
        statuses = [(poll.conditional, poll.status) for poll in archive.polls]
        # Two polls a day: the first brings news, the second, behind a rebuild, does not. Of the very first answer older
        # versions forget the validators.
        assert statuses[0] == (False, 200)
        assert statuses[1] in ((True, 304), (False, 200))
        assert statuses[2:] == [(True, 200), (True, 304)] * 3


@pytest.mark.parametrize("name", sizes("atom.xml", "rss.xml"))
def test_feedparser_sees_each_paper_once_over_days_and_an_update_as_one(tmp_path: Path, name: str) -> None:
    import feedparser

    with days(tmp_path) as archive:
        etag, modified, known = None, None, dict[str, Any]()
        for day in archive:
            parsed = feedparser.parse(f"{archive.url}/{name}", etag=etag, modified=modified)
            assert not parsed.bozo
            assert parsed.status == 200
            assert {entry.title for entry in parsed.entries} == archive.titles
            found = {entry.id: entry for entry in parsed.entries}
            assert len(found) == len(parsed.entries)
            assert len(found.keys() - known.keys()) == (12, 9, 10, 0)[day]
            again = [
                entry for key, entry in found.items() if key in known and entry.title != known[key].title
            ]
            assert [entry.title for entry in again] == ([archive.changed.title] if day == 3 else [])
            for entry in again if name == "atom.xml" else ():
                assert entry.updated_parsed > known[entry.id].updated_parsed
                assert entry.published_parsed <= entry.updated_parsed
            etag, modified, known = parsed.get("etag"), parsed.get("modified"), found
            assert etag
            assert modified
            archive.site.app.rebuild()
            unchanged = feedparser.parse(f"{archive.url}/{name}", etag=etag, modified=modified)
            assert unchanged.status == 304
            # An old reader that knows only dates.
            assert feedparser.parse(f"{archive.url}/{name}", modified=modified).status == 304


@pytest.mark.parametrize("name", sizes("rss.xml", "atom.xml"))
def test_sfeed_sees_each_paper_once_over_days_and_an_update_in_its_place(tmp_path: Path, name: str) -> None:
    """Fields of a line, parted by tabs: time, title, link, content, its type, id, author, enclosure, categories."""
    need(shutil.which("sfeed"), "sfeed is missing; Debian: apt-get install sfeed")
    with days(tmp_path) as archive:
        known: dict[str, list[str]] = {}
        for day in archive:
            lines = sfeed(archive.site.get(f"/{name}").body)
            found = {fields[5]: fields for fields in lines}
            assert len(found) == len(lines)
            assert {fields[1] for fields in lines} == archive.titles
            assert all(
                fields[0] and fields[2] and fields[3] and fields[4] == "html" and fields[6]
                for fields in lines
            )
            assert len(found.keys() - known.keys()) == (12, 9, 10, 0)[day]
            again = [key for key in found.keys() & known.keys() if found[key][1] != known[key][1]]
            assert len(again) == (1 if day == 3 else 0)
            archive.site.app.rebuild()
            assert sfeed(archive.site.get(f"/{name}").body) == lines
            known = found


def sfeed(feed: bytes) -> list[list[str]]:
    done = subprocess.run(["sfeed"], input=feed, capture_output=True, check=True, timeout=60)
    return [line.split("\t") for line in done.stdout.decode().splitlines()]


def test_the_home_page_leads_every_reader_to_the_three_feeds(tmp_path: Path) -> None:
    import feedparser

    with days(tmp_path) as archive:
        next(iter(archive))
        served = archive.site.get("/")
        parsed = feedparser.parse(served.body)
        found = {link["type"]: link["href"] for link in parsed.feed.links if link["rel"] == "alternate"}
        root = archive.site.app.config.site.url
        assert found == {
            "application/rss+xml": f"{root}rss.xml",
            "application/atom+xml": f"{root}atom.xml",
            "application/feed+json": f"{root}feed.json",
        }
        for address in found.values():
            answer = archive.site.get(address.replace(root, "/"))
            assert answer.status == 200
            if address.endswith(".json"):
                assert len(json.loads(answer.body)["items"]) == 12
            else:
                assert len(feedparser.parse(answer.body).entries) == 12
        if shutil.which("sfeed_web"):
            done = subprocess.run(
                ["sfeed_web", root], input=served.body, capture_output=True, check=True, timeout=60
            )
            told = {line.split("\t")[0] for line in done.stdout.decode().splitlines()}
            assert {f"{root}rss.xml", f"{root}atom.xml"} <= told


def test_newsboat_follows_every_feed_of_the_list_and_shows_each_paper_once(tmp_path: Path) -> None:
    """feeds.opml, taken in whole: a paper has one id in every feed, so that it is one item however many of them have it."""
    with days(tmp_path) as archive:
        list(archive)
        answer = archive.site.get("/feeds.opml")
        assert answer.status == 200
        root = archive.site.app.config.site.url
        feeds = [
            str(o.get("xmlUrl")) for o in etree.fromstring(answer.body).iter("outline") if o.get("xmlUrl")
        ]
        topics = [address for address in feeds if address.startswith(f"{root}topics/")]
        assert len(topics) == 3
        for name, some in (("every", feeds), ("topics", topics)):
            archive.polls.clear()
            (tmp_path / name).mkdir()
            boat = Newsboat(tmp_path / name, *(url.replace(root, f"{archive.url}/") for url in some))
            items = [item for item in boat.reload() if "edition/" not in item[1]]
            assert sorted(poll.path for poll in archive.polls) == sorted(
                f"/{url.removeprefix(root)}" for url in some
            )
            assert {poll.status for poll in archive.polls} == {200}
            assert sorted(title for title, _, _, _ in items) == sorted(archive.titles)
            assert len({guid for _, guid, _, _ in items}) == len(items)
        boat.reload()  # some versions forget the validators of the first answer
        archive.polls.clear()
        archive.site.app.rebuild()
        assert sorted(boat.reload()) == sorted(items)
        assert [(poll.conditional, poll.status) for poll in archive.polls] == [(True, 304)] * 3
