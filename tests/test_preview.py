"""The preview that follows the templates: a real server, real edits, what clients are told, and a real browser."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from digest.app import open_app
from digest.configfile import load_config
from digest.errors import ConfigError, DigestError, RenderError, UsageError
from digest.previewing import Build, Preview
from digest.previewing.watching import changed, seen
from pages import ROOT, invented, rss, tree

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NOW = datetime(2026, 11, 19, 7, 0, tzinfo=UTC)
DAY = "2026/11/19/"
CONFIG = (
    '[site]\ntitle = "Tide Pool"\nurl = "https://papers.example.org/digest/"\n[store]\nurl = "sqlite:///digest.db"\n'
    '[[source]]\nname = "inbox"\npath = "inbox"\n[[digest]]\nname = "daily"\n[mail]\nfolder = "outbox"\n'
)
PATIENCE = 60


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a configuration, an edition of four papers and a template of the operator's own."""
    (tmp_path / "config.toml").write_text(CONFIG)
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox/a.xml").write_bytes(rss(invented(0, 4)))
    with open_app(load_config(tmp_path / "config.toml", {})) as app:
        app.daily(NOW)
    write(tmp_path, "The first look")
    return tmp_path


def write(site: Path, heading: str) -> None:
    """The operator's template of the missing page, with this in it."""
    file = site / "templates/archive/notfound.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        f'{{% extends "archive/base.html" %}}\n{{% block body %}}\n<h1>{heading}</h1>\n{{% endblock %}}\n'
    )


@contextmanager
def previewed(site: Path) -> Iterator[Preview]:
    with Preview(lambda: load_config(site / "config.toml", {})) as preview:
        yield preview


def get(preview: Preview, path: str, **headers: str) -> tuple[int, str, str]:
    """Status, type and body of an answer."""
    with closing(
        http.client.HTTPConnection(urlsplit(preview.address).netloc, timeout=PATIENCE)
    ) as connection:
        connection.request(
            "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"], answer.read().decode()


class Events:
    """A client that listens as the script in the pages does."""

    def __init__(self, preview: Preview) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(preview.address).netloc, timeout=PATIENCE)
        self._connection.request("GET", "/-/events")
        self._answer = self._connection.getresponse()
        assert self._answer.headers["Content-Type"] == "text/event-stream"

    def next(self) -> str:
        while line := self._answer.readline().decode().strip() or "-":
            if line.startswith("data: "):
                return line.removeprefix("data: ")
        raise AssertionError("the server ended the stream")

    def close(self) -> None:
        self._connection.close()


@contextmanager
def following(preview: Preview) -> Iterator[list[Build]]:
    """The preview follows in a thread, as it does below the command; the builds that it told of."""
    stop, told = threading.Event(), []  # type: ignore[var-annotated]
    thread = threading.Thread(target=preview.follow, args=(stop, told.append))
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join()


# ---------------------------------------------------------------- build, change, build again


def test_an_edited_template_is_shown_and_open_pages_are_told(site: Path) -> None:
    with previewed(site) as preview, following(preview), closing(Events(preview)) as events:
        assert "The first look" in get(preview, "/404.html")[2]
        before = events.next()
        assert f'"{before}"' in get(preview, "/404.html")[2]
        write(site, "The second look")
        after = events.next()
        assert after != before
        body = get(preview, "/404.html")[2]
        assert "The second look" in body
        assert f'"{after}"' in body


def test_a_broken_template_is_explained_and_the_preview_comes_back_when_it_is_mended(site: Path) -> None:
    with previewed(site) as preview:
        write(site, "fine\n{{ nothing_like_it }}")
        build = preview.look()
        assert build is not None
        assert isinstance(build.error, RenderError)
        assert build.because == (site / "templates/archive/notfound.html",)
        for path in ("/", f"/{DAY}", f"/{DAY}email.txt", "/no/such/page"):
            status, kind, body = get(preview, path)
            assert (status, kind) == (500, "text/html; charset=utf-8")
            assert f"{site}/templates/archive/notfound.html, line 4" in body
            assert "<mark>   4  {{ nothing_like_it }}" in body
            assert "Mend that line" in body
            assert "EventSource" in body
        assert get(preview, "/rss.xml")[0] == 200
        write(site, "Mended")
        build = preview.look()
        assert build is not None
        assert build.error is None
        assert "Mended" in get(preview, "/404.html")[2]
        assert get(preview, "/")[0] == 200


def test_a_template_that_is_broken_from_the_start_is_explained_too(site: Path) -> None:
    write(site, "{% if %}")
    with previewed(site) as preview:
        assert isinstance(preview.first.error, RenderError)
        assert "archive/notfound.html, line 3" in get(preview, "/")[2]
        write(site, "Mended")
        assert preview.look() is not None
        assert get(preview, "/")[0] == 200


def test_a_letter_that_is_broken_is_explained_too(site: Path) -> None:
    with previewed(site) as preview:
        (site / "templates/confirm.txt").write_text("{{ nothing_like_it }}")
        build = preview.look()
        assert build is not None
        assert isinstance(build.error, RenderError)
        assert f"{site}/templates/confirm.txt, line 1" in get(preview, "/")[2]


def test_nothing_is_built_while_nothing_changes(site: Path) -> None:
    with previewed(site) as preview:
        assert preview.look() is None
        write(site, "Another look")
        (site / "templates/archive/.notfound.html.swp").write_text("what editors keep")
        build = preview.look()
        assert build is not None
        assert build.because == (site / "templates/archive/notfound.html",)
        assert preview.look() is None


def test_the_configuration_is_followed_and_its_faults_are_explained(site: Path) -> None:
    config = site / "config.toml"
    with previewed(site) as preview:
        config.write_text(CONFIG.replace("Tide Pool", "Rock Pool"))
        assert preview.look() is not None
        assert "Rock Pool" in get(preview, "/")[2]
        config.write_text(CONFIG.replace("title", "titel"))
        build = preview.look()
        assert build is not None
        assert isinstance(build.error, ConfigError)
        assert "titel" in get(preview, "/")[2]
        config.write_text(CONFIG)
        assert preview.look() is not None
        assert "Tide Pool" in get(preview, "/")[2]


def test_what_is_published_and_stored_stays_as_it_is(site: Path) -> None:
    def elsewhere() -> dict[str, tuple[bytes, int]]:
        return {
            name: body
            for name, body in tree(site).items()
            if not name.startswith(("templates/", "digest.db"))
        }

    before = elsewhere()
    with previewed(site) as preview:
        write(site, "Another look")
        assert preview.look() is not None
    assert elsewhere() == before


# ---------------------------------------------------------------- what is served


def test_absolute_links_stay_within_the_preview(site: Path) -> None:
    with previewed(site) as preview:
        for path in ("/", f"/{DAY}", f"/{DAY}email.html", "/feeds/", "/rss.xml", "/feed.json"):
            status, _, body = get(preview, path)
            assert status == 200
            assert "https://papers.example.org" not in body
            assert preview.address in body
        page = get(preview, f"/{DAY}")[2]
        for link in set(re.findall(rf'href="{preview.address}([^"#]*)', page)):
            assert get(preview, f"/{link}")[0] == 200, link


def test_the_addresses_of_the_pages_are_told_and_lead_to_them(site: Path) -> None:
    with previewed(site) as preview:
        assert list(preview.pages) == ["home", "edition", "mail", "text"]
        for url in preview.pages.values():
            assert get(preview, urlsplit(url).path)[0] == 200


def test_the_script_is_only_in_what_is_sent(site: Path) -> None:
    with previewed(site) as preview:
        folder = preview._stage.folder
        pages = [file for file in folder.rglob("*") if file.suffix in (".html", ".txt")]
        assert len(pages) > 10
        for file in pages:
            assert b"EventSource" not in file.read_bytes()
        assert get(preview, "/")[2].count("EventSource") == 1
        assert "EventSource" not in get(preview, "/rss.xml")[2]
    assert not folder.exists()


def test_the_text_of_the_mail_is_a_page_for_browsers_and_text_for_others(site: Path) -> None:
    with previewed(site) as preview:
        path = f"/{DAY}email.txt"
        status, kind, text = get(preview, path)
        assert (status, kind) == (200, "text/plain; charset=utf-8")
        assert text.encode() == (preview._stage.folder / path[1:]).read_bytes()
        status, kind, page = get(preview, path, Accept="text/html,*/*;q=0.8")
        assert (status, kind) == (200, "text/html; charset=utf-8")
        assert "EventSource" in page


def test_folders_lead_to_their_index_and_what_is_not_made_says_so(site: Path) -> None:
    with previewed(site) as preview:
        assert get(preview, "/feeds")[0] == 302
        status, _, body = get(preview, "/2020/01/01/")
        assert status == 404
        assert "Not in this preview" in body


@pytest.mark.parametrize(
    "path",
    ["/../config.toml", "/%2e%2e/config.toml", "/..%2fconfig.toml", "/%00", "/\\..\\x", "//etc/passwd"],
)
def test_nothing_outside_the_preview_is_served(site: Path, path: str) -> None:
    with previewed(site) as preview:
        status, _, body = get(preview, path)
        assert status == 404
        assert "sqlite" not in body


def test_a_page_of_another_site_cannot_read_the_preview(site: Path) -> None:
    with previewed(site) as preview:
        status, _, body = get(preview, "/", Host="rebound.example:80")
        assert status == 403
        assert "Tide Pool" not in body


def test_a_port_that_is_taken_is_named(site: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DigestError, match=f"--port {port}: cannot be listened at"):
            Preview(lambda: load_config(site / "config.toml", {}), port=port).__enter__()


def test_without_an_edition_there_is_nothing_to_watch(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    with pytest.raises(UsageError, match="no edition yet"):
        Preview(lambda: load_config(tmp_path / "config.toml", {})).__enter__()


def test_changes_are_seen_by_time_size_and_presence(tmp_path: Path) -> None:
    old, gone = tmp_path / "old.html", tmp_path / "sub/gone.html"
    gone.parent.mkdir()
    old.write_text("a")
    gone.write_text("b")
    before = seen([tmp_path])
    assert changed(before, seen([tmp_path])) == ()
    os.utime(old, ns=(1, 1))
    gone.unlink()
    (tmp_path / "new.html").write_text("c")
    assert changed(before, seen([tmp_path])) == (tmp_path / "new.html", old, gone)


# ---------------------------------------------------------------- the command


def command(site: Path, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "digest", "preview", *args],
        cwd=site,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_tells_the_addresses_follows_changes_and_ends_by_ctrl_c(site: Path) -> None:
    with command(site, "--watch", "--open", "no") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = [process.stdout.readline() for _ in range(5)]
        assert said[0] == "Edition 2026-11-19:\n"
        address = urlsplit(said[1].split()[1])
        assert address.hostname == "127.0.0.1"
        assert process.stderr.readline().startswith("Change a template")
        write(site, "{% if %}")
        assert "notfound.html: error: template archive/notfound.html, line 3" in process.stderr.readline()
        write(site, "Mended")
        assert "notfound.html: edition 2026-11-19 built again in" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "Stopped.\n"
        assert process.wait(PATIENCE) == 0


def test_the_command_answers_in_json_before_it_watches(site: Path) -> None:
    with command(site, "--watch", "--json", "--quiet") as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n") or text.count("{") != text.count("}"):
            text += process.stdout.readline()
        value = json.loads(text)
        assert value["schema"] == 1
        assert value["pages"]["home"] == value["address"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--watch", "--out", "look"), "leave out --watch or --out"),
        (("--port", "8000"), "go with --watch"),
        (("--open", "no"), "go with --watch"),
        (("--watch", "--date", "2020-01-01"), "no edition of 2020-01-01"),
    ],
)
def test_options_that_do_not_go_together_are_refused(site: Path, args: tuple[str, ...], words: str) -> None:
    with command(site, *args) as process:
        _, said = process.communicate(timeout=PATIENCE)
        assert words in said
        assert process.returncode == 2


# ---------------------------------------------------------------- in a browser


@pytest.mark.browser
@pytest.mark.xdist_group("browser")
def test_an_open_page_reloads_shows_the_error_and_comes_back(browser: Browser, site: Path) -> None:
    from playwright.sync_api import expect

    page = browser.new_page()
    with previewed(site) as preview, following(preview):
        page.goto(f"{preview.address}404.html")
        for source, heading in (
            ("The second look", "The second look"),
            ("{% if %}", "This cannot be shown"),
            ("Mended", "Mended"),
        ):
            write(site, source)
            expect(page.locator("h1")).to_have_text(heading, timeout=PATIENCE * 1000)
