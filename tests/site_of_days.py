"""A site of daily lists on 127.0.0.1, as it is at a moment that the test sets: lists grow, and answers have validators."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Site:
    """`days`: for each listing day its entries with the moment from which on each is shown."""

    def __init__(self, days: dict[date, list[tuple[datetime, dict[str, Any]]]], now: datetime) -> None:
        self.days, self.now = days, now
        self.asked: list[tuple[str, int]] = []
        self.url = ""
        self.down: set[date] = set()

    def shown(self, day: date) -> list[dict[str, Any]]:
        return [entry for since, entry in self.days.get(day, []) if since <= self.now]

    def answer(self, path: str, headers: Any) -> tuple[int, dict[str, str], bytes]:
        parts = urlsplit(path)
        if parts.path != "/api/daily_papers":
            return 404, {}, b"not here"
        query = parse_qs(parts.query)
        day = date.fromisoformat(query["date"][0])
        if day in self.down:
            return 404, {}, b"down"
        limit, page = int(query.get("limit", ["50"])[0]), int(query.get("p", ["0"])[0])
        body = json.dumps(self.shown(day)[page * limit : (page + 1) * limit]).encode()
        etag = f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'
        if headers.get("If-None-Match") == etag:
            return 304, {"ETag": etag}, b""
        return 200, {"ETag": etag, "Content-Type": "application/json"}, body


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, headers, body = site.answer(self.path, self.headers)
            site.asked.append((self.path, status))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
