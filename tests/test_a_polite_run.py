"""Eight sources of one site in a whole run: one request after the other, never two connections, and nothing fetched twice."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from digest.app import open_app
from digest.config import Config, SourceConfig
from digest.errors import DigestError
from listing_pages import arxiv_page
from pages import installation
from test_sources_of_a_run import NOW, THURSDAY

ARCHIVES = ("cs.AI", "cs.CL", "cs.DB", "cs.LG", "math.PR", "q-fin.ST", "stat.ML", "econ.EM")


class FakeArxiv:
    """Counts its open connections, and writes down when each request began and ended."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, float, float]] = []
        self.open = self.most_open = 0
        self.lock = threading.Lock()
        self.port = 0

    @property
    def gaps(self) -> list[float]:
        asked = sorted(self.asked, key=lambda one: one[2])
        return [after[2] - before[3] for before, after in pairwise(asked)]


@contextmanager
def serving() -> Iterator[FakeArxiv]:
    site = FakeArxiv()

    class Handler(BaseHTTPRequestHandler):
        def setup(self) -> None:
            with site.lock:
                site.open += 1
                site.most_open = max(site.most_open, site.open)
            super().setup()

        def finish(self) -> None:
            super().finish()
            with site.lock:
                site.open -= 1

        def do_GET(self) -> None:
            began = time.monotonic()
            if self.path == "/robots.txt":
                body, tag = b"User-agent: *\nDisallow: /nowhere\n", ""
            else:
                first = 1 + 100 * ARCHIVES.index(self.path.split("/")[2])
                body = arxiv_page(THURSDAY, new=5, cross=2, first=first).encode()
                tag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'
            status = 304 if tag and self.headers.get("If-None-Match") == tag else 200
            # Noted before the answer: what is noted after it may be late, with the next request on its way already.
            site.asked.append((self.path, status, began, time.monotonic()))
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            if tag:
                self.send_header("ETag", tag)
            if status == 200:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status == 200:
                self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def config_of(tmp_path: Path, site: FakeArxiv) -> Config:
    return installation(
        tmp_path,
        source=tuple(
            SourceConfig(name=name, url=f"http://127.0.0.1:{site.port}/list/{name}/new", allow_private=True)
            for name in ARCHIVES
        ),
    )


def prove(tmp_path: Path, interval_s: float) -> None:
    with serving() as site:
        config = config_of(tmp_path, site)
        for n in range(2):
            with open_app(config, clock=lambda: NOW) as app:
                app.arxiv_interval_s = interval_s
                report = app.daily(NOW + timedelta(hours=n))
            assert [source.outcome for source in report.sources] == [["new", "not-modified"][n]] * 8
    assert [status for _, status, _, _ in site.asked] == [200] * 9 + [304] * 8
    assert min(site.gaps) >= interval_s
    assert site.most_open == 1


def test_eight_sources_of_one_site_take_turns_and_a_second_run_fetches_nothing(tmp_path: Path) -> None:
    prove(tmp_path, 0.1)


@pytest.mark.torture
def test_eight_sources_of_arxiv_rest_for_three_seconds_each(tmp_path: Path) -> None:
    prove(tmp_path, 3.0)


def test_two_programs_of_one_store_take_turns_too(tmp_path: Path) -> None:
    """One reads by its schedule, the other is asked by hand for other sources at the same moment."""
    with serving() as site:
        config = config_of(tmp_path, site)
        errors: list[DigestError] = []

        def read(sources: tuple[SourceConfig, ...], folder: Path) -> None:
            # Each with an output of its own; the lease keeps whole runs apart, the turns keep requests apart.
            try:
                with open_app(config, clock=lambda: NOW) as app:
                    app.arxiv_interval_s = 0.1
                    app.share_turns()
                    for source in sources:
                        for _ in app.fetcher.fetch(source, now=NOW):
                            pass
            except DigestError as error:
                errors.append(error)

        halves = (config.source[:4], config.source[4:])
        threads = [threading.Thread(target=read, args=(half, tmp_path)) for half in halves]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert not errors
    assert len([path for path, *_ in site.asked if path != "/robots.txt"]) == 8
    assert min(site.gaps) >= 0.1
    assert site.most_open == 1
