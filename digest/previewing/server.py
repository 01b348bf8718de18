"""The preview's server: files of one folder, to browsers on this machine only, with a script that reloads them."""

from __future__ import annotations

import errno
import threading
from contextlib import suppress
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from digest.errors import DigestError
from digest.paths import is_file, is_folder
from digest.previewing.faults import plain_page
from digest.previewing.stage import Stage

EVENTS = "/-/events"
_PING_S = 15.0
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    # Feeds bring a style sheet, which browsers apply only to this type.
    ".xml": "application/xml",
    ".bib": "text/plain; charset=utf-8",
    ".ris": "text/plain; charset=utf-8",
    ".opml": "text/plain; charset=utf-8",
}
# A page that nobody looks at waits for nothing: browsers open few connections to one server. When it is looked at again it asks
# what is on, and so misses nothing.
_SCRIPT = """<script>(() => {
  let source = null;
  const look = () => {
    if (source) { source.close(); source = null; }
    if (document.hidden) return;
    source = new EventSource("%s");
    source.onmessage = event => { if (event.data !== "%s") location.reload(); };
  };
  document.addEventListener("visibilitychange", look);
  look();
})();</script>
"""


class PreviewServer(ThreadingHTTPServer):
    """Serves a stage at 127.0.0.1 while it is used as a context manager; `port` 0 is any free one.

    Raises DigestError where the port cannot be had.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, stage: Stage, port: int) -> None:
        self.stage = stage
        try:
            super().__init__(("127.0.0.1", port), _Answer)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise DigestError(
                f"--port {port}: cannot be listened at ({reason}). End the program that is there, or leave --port out "
                "for any port that is free."
            ) from None
        self._thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="preview", daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def __enter__(self) -> PreviewServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stage.close()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that leaves in the middle of an answer is no fault; anything else is shown."""
        import sys

        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Answer(BaseHTTPRequestHandler):
    server: PreviewServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        stage = self.server.stage
        # A page of another site could give this address a name of its own (DNS rebinding) and read what is not published yet.
        if self.headers.get("Host", "").partition(":")[0] not in ("127.0.0.1", "localhost"):
            self._say(HTTPStatus.FORBIDDEN, "Not here", "This preview is for browsers on its own machine.")
            return
        path = unquote(urlsplit(self.path).path)
        if path == EVENTS:
            self._tell_of_builds(stage)
            return
        file = _file(stage.folder, path)
        if file is not None and is_folder(file) and not path.endswith("/"):
            self._send(HTTPStatus.FOUND, b"", "text/plain", {"Location": f"/{quote(path.strip('/'))}/"})
            return
        if file is not None and is_folder(file):
            file /= "index.html"
        if stage.fault and (file is None or file.suffix in (".html", ".txt") or not is_file(file)):
            self._page(HTTPStatus.INTERNAL_SERVER_ERROR, stage.fault)
        elif file is None or not is_file(file):
            self._say(
                HTTPStatus.NOT_FOUND,
                "Not in this preview",
                "It holds one edition and what leads there. Other editions, and what a server answers (searching, subscribing), "
                "are not made for it. How a missing page looks: 404.html.",
            )
        else:
            self._file(file)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _file(self, file: Path) -> None:
        kind, body = _TYPES.get(file.suffix, "application/octet-stream"), file.read_bytes()
        if file.suffix == ".html":
            self._page(HTTPStatus.OK, body.decode("utf-8", "replace"))
        elif file.suffix == ".txt" and "text/html" in self.headers.get("Accept", ""):
            text = escape(body.decode("utf-8", "replace"))
            self._page(HTTPStatus.OK, plain_page(file.name, f"<pre>{text}</pre>"))
        else:
            self._send(HTTPStatus.OK, body, kind)

    def _say(self, status: HTTPStatus, title: str, text: str) -> None:
        self._page(status, plain_page(title, f'<p>{escape(text)}</p><p><a href="/">The home page</a></p>'))

    def _page(self, status: HTTPStatus, html: str) -> None:
        """A page with the script that reloads it."""
        script = _SCRIPT % (EVENTS, self.server.stage.mark)
        head, body, tail = html.rpartition("</body>")
        self._send(
            status,
            f"{head}{script if body else ''}{body}{tail}{'' if body else script}".encode(),
            _TYPES[".html"],
        )

    def _send(
        self, status: HTTPStatus, body: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store", **(headers or {}),
        }.items():  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _tell_of_builds(self, stage: Stage) -> None:
        """Server-sent events (HTML standard, 9.2): the mark of what is on, now and after each build."""
        self.close_connection = True
        self.send_response(HTTPStatus.OK)
        for name, value in {
            "Content-Type": "text/event-stream", "Cache-Control": "no-store", "Connection": "close",
        }.items():  # fmt: skip
            self.send_header(name, value)
        self.end_headers()
        told = ""
        with suppress(ConnectionError):
            while not stage.closed:
                mark = stage.wait(told, _PING_S)
                # A line of comment where nothing happened: it finds out whether anybody still listens.
                self.wfile.write(f"data: {mark}\n\n".encode() if mark != told else b": still here\n\n")
                told = mark

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
        """Nothing: what was asked for is of no interest to anybody."""


def _file(folder: Path, path: str) -> Path | None:
    """The file or folder of a path of an address; None for one that leads out of `folder`."""
    parts = PurePosixPath(path.lstrip("/")).parts
    if ".." in parts or "\0" in path or "\\" in path:
        return None
    found = folder.joinpath(*parts)
    try:
        found.stat()
    except OSError as error:
        # No such file is the answer of do_GET; a name that no file can have is none either.
        return None if error.errno == errno.ENAMETOOLONG else found
    return found
