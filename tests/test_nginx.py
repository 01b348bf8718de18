"""The configurations of docs/serving.md, cut out of it and run: nginx and Caddy say of our files what `digest serve` says."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.routing import Mount, Route, Router

from conftest import free_port, need
from digest.web import make_web
from digest.web.files import media_type
from documents import blocks, read
from polls import FEED, HOME, site_of
from test_web_files import SECRETS
from webs import Answer, Site, config_of, serving, wait_for

PAGE = read("docs/serving.md")
NGINX = blocks(PAGE, "nginx")
CADDY = blocks(PAGE, "caddy")
NAMES = (
    "index.html", "rss.xml", "atom.xml", "editions.xml", "feed.json", "editions.json", "topics/x/feed.json",
    "paper.json", "feeds.opml", "papers.bib", "papers.ris", "feed.css", "search/search.js", "robots.txt",
)  # fmt: skip
SERVERS = ("nginx", "caddy")


@pytest.fixture
def feeds(tmp_path: Path) -> Path:
    feeds = site_of(tmp_path)
    for name in NAMES[2:]:
        (feeds / name).parent.mkdir(parents=True, exist_ok=True)
        (feeds / name).write_bytes(FEED)
    (feeds / "404.html").write_text("<h1>No such page</h1>" + " and more" * 50)
    (feeds / ".digest-part-rss.xml").write_text("secret")
    return feeds


def fitted(snippet: str, feeds: Path, port: int, behind: int) -> str:
    """The configuration for this machine: without certificates, on a port of 127.0.0.1, with our folder. All else as it stands."""
    changes = {
        r"listen 443 ssl;": f"listen 127.0.0.1:{port};",
        r"(?m)^ *ssl_certificate.*\n": "",
        r"/srv/papers/feeds": str(feeds),
        r"/var/log/nginx/": f"{feeds.parent}/",
        r"127\.0\.0\.1:8000": f"127.0.0.1:{behind}",
        r"(?m)^papers\.example\.org \{": f"http://127.0.0.1:{port} {{",
    }
    for pattern, text in changes.items():
        snippet = re.sub(pattern, lambda _, text=text: text, snippet)
    return snippet


@contextmanager
def running(server: str, snippet: str, feeds: Path, behind: int = 1) -> Iterator[Site]:
    """nginx or Caddy at work, as this user, with nothing outside the folder of the test."""
    need(
        shutil.which(server),
        f"needs {server} (Debian: apt-get install {server.replace('nginx', 'nginx-light')})",
    )
    base, port = feeds.parent, free_port()
    text = fitted(snippet, feeds, port, behind)
    if server == "nginx":
        temporary = "".join(
            f"{kind}_temp_path {base}/{kind}; "
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        text = (
            f"daemon off; master_process off; pid {base}/pid; error_log {base}/error.log; events {{ }}\n"
            f"http {{ access_log off; {temporary}\n{text}\n}}\n"
        )
        command = [server, "-p", str(base), "-e", f"{base}/error.log", "-c", f"{base}/conf"]
    else:
        text = f"{{\n\tadmin off\n\tauto_https off\n}}\n{text}"
        command = [server, "run", "--adapter", "caddyfile", "--config", f"{base}/conf"]
    (base / "conf").write_text(text)
    environment = os.environ | {"HOME": str(base), "XDG_DATA_HOME": str(base), "XDG_CONFIG_HOME": str(base)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_for(lambda: process.poll() is not None or answers(port))
            if process.poll() is not None:
                assert process.stderr is not None
                pytest.fail(f"{process.stderr.read()}\n{(base / 'error.log').read_text()}")
            yield Site(None, None, port)  # type: ignore[arg-type]
        finally:
            process.terminate()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def files_alone(server: str) -> str:
    return (NGINX if server == "nginx" else CADDY)[0]


# ---------------------------------------------------------------- files alone


@pytest.mark.parametrize("server", SERVERS)
def test_types_and_headers_are_those_of_digest_serve(server: str, feeds: Path) -> None:
    with running(server, files_alone(server), feeds) as site:
        for name in NAMES:
            answer = site.get(f"/{name}")
            assert (answer.status, answer.headers["content-type"]) == (200, media_type(name)), name
            assert answer.body == (feeds / name).read_bytes()
            assert_safe(answer)
        assert site.get("/").body == HOME
        assert site.get("/2026/").body == b"<h1>The year</h1>"
        moved = site.get("/2026")
        assert moved.status in (301, 308)
        assert moved.headers["location"].removeprefix(f"http://127.0.0.1:{site.port}") in ("/2026/", "2026/")
        site.hang_up()


def assert_safe(answer: Answer) -> None:
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(
        "default-src 'none'; style-src 'self' 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
    )
    assert policy.endswith("frame-ancestors 'none'")


@pytest.mark.parametrize("server", SERVERS)
def test_an_unchanged_file_is_304_compressed_or_not(server: str, feeds: Path) -> None:
    with running(server, files_alone(server), feeds) as site:
        for encoding in ("identity", "gzip"):
            for name in ("rss.xml", "feed.json", "papers.bib"):
                headers = {"Accept-Encoding": encoding}
                first = site.ask("GET", f"/{name}", headers=headers)
                pressed = first.headers.get("content-encoding") == "gzip"
                assert pressed is (encoding == "gzip")
                assert (gzip.decompress(first.body) if pressed else first.body) == FEED
                for condition in ("etag", "last-modified"):
                    ask = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}[condition]
                    again = site.ask("GET", f"/{name}", headers=headers | {ask: first.headers[condition]})
                    assert (again.status, again.body) == (304, b"")
                assert site.ask("HEAD", f"/{name}", headers=headers).body == b""
                if pressed:
                    assert first.headers["vary"] == "Accept-Encoding"
        site.hang_up()


@pytest.mark.parametrize("server", SERVERS)
def test_what_is_not_there_is_our_page_that_says_so(server: str, feeds: Path) -> None:
    with running(server, files_alone(server), feeds) as site:
        for path in (
            "/nothing",
            "/nothing/",
            "/nothing.xml",
            "/topics/x/",
            "/.digest-part-rss.xml",
            "/2026/nothing.bib",
        ):
            answer = site.get(path)
            assert answer.status == 404, path
            assert answer.title == "No such page"
            assert answer.headers["content-type"] == "text/html; charset=utf-8", path
            assert_safe(answer)
        site.hang_up()


@pytest.mark.parametrize("server", SERVERS)
def test_nothing_outside_the_folder_is_served(server: str, feeds: Path) -> None:
    with running(server, files_alone(server), feeds) as site:
        for path in SECRETS:
            if len(path) < 3_000 and path.isascii() and path != "/2026%2findex.html":
                assert b"secret" not in raw(site.port, path), path
        site.hang_up()


def raw(port: int, path: str) -> bytes:
    """The body of what comes back for a path as it is."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: papers.example.org\r\nConnection: close\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] in (b"400", b"403", b"404", b"301", b"308", b"200"), path
    return body


# ---------------------------------------------------------------- before digest serve


@pytest.mark.parametrize("server", SERVERS)
def test_before_digest_serve_all_goes_through_and_networks_are_told_apart(server: str, feeds: Path) -> None:
    snippet = NGINX[1] if server == "nginx" else CADDY[1]
    config = config_of(feeds.parent, proxies=("127.0.0.1",), per_network_per_hour=2)
    with serving(config) as behind, running(server, snippet, feeds, behind.port) as site:
        first = site.ask("GET", "/rss.xml", headers={"Accept-Encoding": "gzip"})
        assert gzip.decompress(first.body) == FEED
        assert first.headers["content-type"] == "application/xml"
        for _ in range(3):
            again = {"Accept-Encoding": "gzip", "If-None-Match": first.headers["etag"]}
            assert site.ask("GET", "/rss.xml", headers=again).status == 304
        assert site.get("/nothing").status == 404
        for number in range(4):
            fields = {"email": f"reader{number}@mail.example", "digest": "daily"}
            answer = site.post("/subscribe/", fields)
            # The third of one network is told so; had the proxy been taken for the reader, a forged header would help.
            assert answer.status == (200 if number < 2 else 429), number
        forged = site.post("/subscribe/", {"email": "x@mail.example"}, **{"X-Forwarded-For": "203.0.113.7"})
        assert forged.status in (200, 429)
        site.hang_up()


def test_logs_of_nginx_hold_no_tokens(feeds: Path) -> None:
    with serving(config_of(feeds.parent)) as behind, running("nginx", NGINX[1], feeds, behind.port) as site:
        assert site.get("/manage/?t=canary").status == 404
        assert site.get("/rss.xml").status == 200
        site.hang_up()
    log = (feeds.parent / "papers.log").read_text()
    assert '"GET /manage/" 404' in log
    assert "canary" not in log


def combined() -> str:
    """The third configuration, put together as its words say."""
    before, server = re.split(r"(?m)^(?=server \{)", NGINX[1])
    assert "upstream" in before
    assert "log_format" in before
    assert "root" not in server
    return before + re.sub(r"(?m)^(    root .*)$", lambda m: f"{m[1]}\n{NGINX[2]}", NGINX[0])


def test_files_by_nginx_and_doors_by_digest_serve(feeds: Path) -> None:
    with serving(config_of(feeds.parent)) as behind, running("nginx", combined(), feeds, behind.port) as site:
        feed = site.get("/rss.xml")
        assert (feed.body, feed.headers["content-type"]) == (FEED, "application/xml")
        assert feed.headers["server"].startswith("nginx")
        assert "x-served-by" not in feed.headers
        form = site.get("/subscribe/")
        assert (form.status, form.headers["x-served-by"]) == (200, "digest")
        assert "script-src" not in form.headers["content-security-policy"]
        assert form.headers["cache-control"] == "no-store"
        assert site.post("/subscribe/", {"email": "reader@mail.example"}).status == 200
        doors = doors_of(behind)
        assert {"/subscribe", "/unsubscribe/", "/healthz"} <= doors
        for door in doors:
            # Who reads the metrics asks `digest serve` itself.
            assert passes(door) is (door != "/metrics"), door
        site.hang_up()


def doors_of(behind: Site) -> set[str]:
    """The paths that `digest serve` answers for itself."""
    found: set[str] = set()
    routes = list(make_web(behind.app, clock=behind.clock).routes)
    while routes:
        route = routes.pop()
        if isinstance(route, Mount) and isinstance(route.app, Router):
            routes.extend(route.app.routes)
        elif isinstance(route, Route):
            found.add(route.path)
    return found


def passes(path: str) -> bool:
    found = re.search(r"location ~ (\S+) \{", NGINX[2])
    assert found
    return re.search(found[1], path) is not None


def test_the_document_names_the_types_of_digest_serve() -> None:
    table = dict(re.findall(r"(?m)^\| `\*?([^`]+)`(?:, `[^`]+`)? \| `([^`]+)` \|", PAGE))
    assert len(table) == 10
    for name, kind in table.items():
        assert media_type(f"x/{name}" if "feed" in name else f"x{name}") == kind


def test_nothing_is_sent_to_a_folder_of_files(feeds: Path) -> None:
    with running("nginx", NGINX[0], feeds) as site:
        assert site.post("/rss.xml").status == 405
        site.hang_up()
