"""A run and the world outside its folder: targets that take the files, and the hub that is told of feeds that changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from msgspec.structs import replace

from digest.app import open_app
from digest.config import Config, PublishConfig
from digest.model import RunReport
from pages import installation, invented, rss, tree

NOW = datetime(2026, 11, 19, 6, tzinfo=UTC)


def run(config: Config, folder: Path, day: int, first: int, count: int = 5) -> RunReport:
    (folder / "inbox" / "page.xml").write_bytes(rss(invented(first, count)))
    now = NOW + timedelta(days=day)
    with open_app(config, clock=lambda: now) as app:
        return app.daily(now)


@contextmanager
def hub() -> Iterator[tuple[str, list[str]]]:
    """A hub on 127.0.0.1 and the feeds that it was told of."""
    told: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            assert form["hub.mode"] == ["publish"]
            told.extend(form["hub.url"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # all lanes of a run come at once

    server = Server(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_hub_is_told_once_of_each_feed_that_changed_and_of_no_other(tmp_path: Path) -> None:
    config = installation(tmp_path)
    with hub() as (address, told):
        config = replace(config, site=replace(config.site, hub=address))
        first = run(config, tmp_path, 0, 0)
        url = config.site.url
        assert len(told) == len(set(told)) == first.published.pinged
        assert {f"{url}rss.xml", f"{url}atom.xml", f"{url}feed.json", f"{url}editions.xml"} <= set(told)
        assert not [feed for feed in told if "/2026/" in feed]
        told.clear()
        assert run(config, tmp_path, 0, 0).published.pinged == 0
        assert told == []
        run(config, tmp_path, 1, 100, count=1)
        before = {path for path, _ in tree(tmp_path / "feeds").items()}
        changed = [feed.removeprefix(url) for feed in told]
        assert "rss.xml" in changed and set(changed) <= before
        topics = {path.split("/")[1] for path in changed if path.startswith("topics/")}
        assert len(topics) == 1  # the one topic of the one new paper


def test_a_dead_hub_costs_nothing_but_a_line(tmp_path: Path) -> None:
    config = installation(tmp_path)
    config = replace(config, site=replace(config.site, hub="http://127.0.0.1:9/"))
    report = run(config, tmp_path, 0, 0)
    assert report.published.pinged == 0
    assert report.published.unpinged > 0
    assert not report.degraded


def test_a_target_that_fails_is_told_and_stops_neither_the_others_nor_the_mail(tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("not a folder")
    config = replace(
        installation(tmp_path),
        publish=(
            PublishConfig(name="broken", kind="folder", path="a-file"),
            PublishConfig(name="copy", kind="folder", path="www"),
            PublishConfig(name="off", kind="folder", path="nowhere", enabled=False),
        ),
    )
    with open_app(config) as app:
        from digest.subscriptions.operator import add

        add(app.store, ["reader@example.org"], digests=[], now=NOW)
    report = run(config, tmp_path, 0, 0)
    broken, copy = report.published.targets
    assert broken.error and "a-file" in broken.error
    assert copy.error is None and copy.written == report.published.written
    assert report.degraded
    assert report.deliveries.accepted == 1
    assert not (tmp_path / "nowhere").exists()
    bodies = {path: body for path, (body, _) in tree(tmp_path / "feeds").items()}
    assert {path: body for path, (body, _) in tree(tmp_path / "www").items()} == bodies


def test_a_target_gets_only_what_changed(tmp_path: Path) -> None:
    config = replace(installation(tmp_path), publish=(PublishConfig(name="copy", kind="folder", path="www"),))
    run(config, tmp_path, 0, 0)
    (again,) = run(config, tmp_path, 0, 0).published.targets
    assert again.written == 0 and again.unchanged == len(tree(tmp_path / "feeds"))


def test_a_dry_run_sends_nothing_anywhere(tmp_path: Path) -> None:
    with hub() as (address, told):
        config = installation(tmp_path)
        config = replace(
            config,
            site=replace(config.site, hub=address),
            publish=(PublishConfig(name="copy", kind="folder", path="www"),),
        )
        (tmp_path / "inbox" / "page.xml").write_bytes(rss(invented(0, 5)))
        with open_app(config) as app:
            assert app.daily(NOW, dry_run=True).published.written > 0
        assert told == []
        assert not (tmp_path / "www").exists()
