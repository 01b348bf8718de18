"""A preview that follows the templates: build, serve on this machine, watch, build again, reload the open pages.

`Preview` builds into a temporary folder, a `Stage` is what browsers are shown of it, `server` answers on 127.0.0.1, `watching`
tells which files changed, `faults` explains what is broken. What browsers are sent beyond the files themselves (the script that
reloads, pages about faults) is never written to them.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from digest.app import open_app
from digest.app.opening import shipped
from digest.config import Config
from digest.errors import ConfigError, DigestError, RenderError
from digest.previewing.faults import fault_page
from digest.previewing.server import PreviewServer
from digest.previewing.stage import Stage
from digest.previewing.watching import changed, seen
from digest.themes import theme_folders

if TYPE_CHECKING:
    from digest.model import Edition

# Often enough to feel immediate; a look at a hundred files takes a few milliseconds.
POLL_S = 0.3


class Build(Struct, frozen=True):
    """One build: the edition it shows or the error that ended it, the files whose change it followed, and how long it took."""

    edition: str
    error: DigestError | None
    because: tuple[Path, ...]
    seconds: float


class Preview:
    """A preview of an edition (the newest, or that of `day`) at `address`. Use as a context manager.

    `load` reads the configuration; it is read again when its file changes. Raises what `load` raises, UsageError where there
    is no edition, and DigestError where `port` is taken; a faulty template is no error here: the browser shows it. `pages` are
    the addresses of the last build that could be made: home, edition, mail and text.
    """

    def __init__(self, load: Callable[[], Config], *, day: date | None = None, port: int = 0) -> None:
        self._load, self._day, self._port = load, day, port
        self._config = load()
        self._closing = ExitStack()
        self.pages: dict[str, str] = {}

    def __enter__(self) -> Preview:
        with ExitStack() as opened:
            folder = opened.enter_context(tempfile.TemporaryDirectory(prefix="digest-preview-"))
            self._stage = Stage(Path(folder))
            self._server = opened.enter_context(PreviewServer(self._stage, self._port))
            self._seen = seen(self._watched())
            self.first = self._build(())
            if self.first.error is not None and not isinstance(self.first.error, RenderError):
                raise self.first.error
            self._closing = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    @property
    def address(self) -> str:
        """Where the home page of the preview is, with a final slash."""
        return self._server.address

    def follow(self, stop: threading.Event, told: Callable[[Build], None]) -> None:
        """Builds again whenever a file changes, and tells of each build, until `stop`."""
        while not stop.wait(POLL_S):
            build = self.look()
            if build is not None:
                told(build)

    def look(self) -> Build | None:
        """Builds again if anything changed since the last build; None if nothing did."""
        now = seen(self._watched())
        because = changed(self._seen, now)
        if not because:
            return None
        # As it was before the build: what changes meanwhile is found by the next look.
        self._seen = now
        return self._build(because)

    def _watched(self) -> list[Path]:
        return [Path(self._config.file).resolve(), *self._templates()]

    def _templates(self) -> list[Path]:
        return [self._config.resolve(self._config.site.templates), shipped("templates")]

    def _build(self, because: tuple[Path, ...]) -> Build:
        start, edition, error = time.monotonic(), "", None
        try:
            self._config = self._load()
            with open_app(_at(self._config, self.address)) as app:
                made, _ = app.preview(self._stage.folder, day=self._day)
                edition, self.pages = made.id, _pages(app.config.digest_url(made.digest), made)
                # Letters have no page in the preview; a fault in them is told all the same.
                app.check_templates(app.clock())
        except DigestError as caught:
            error = caught
        self._stage.turn(fault_page(error, self._folders()) if error else "")
        return Build(edition, error, because, time.monotonic() - start)

    def _folders(self) -> list[Path]:
        """Where templates are taken from; also for a theme that is not there."""
        try:
            return theme_folders(self._config.site.theme, *self._templates())
        except ConfigError:
            return self._templates()


def _at(config: Config, address: str) -> Config:
    """The configuration as if the site were at `address`, so that its absolute links stay within the preview."""
    return replace(config, site=replace(config.site, url=address))


def _pages(root: str, edition: Edition) -> dict[str, str]:
    page = f"{root}{edition.path}"
    return {"home": root, "edition": page, "mail": f"{page}email.html", "text": f"{page}email.txt"}
