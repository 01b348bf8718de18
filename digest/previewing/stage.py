"""What a browser is shown at the moment: the files of the last good build, or why there is no newer one."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path


class Stage:
    """A folder of pages, a mark of what is on, and the page that explains an error, empty where there is none.

    The mark is different after every build, and of every server: a page that was open while the server was started anew
    reloads too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fault = ""
        self._server, self._builds = secrets.token_hex(4), 0
        self._turned = threading.Condition()
        self.closed = False

    @property
    def mark(self) -> str:
        return f"{self._server}-{self._builds}"

    def turn(self, fault: str = "") -> None:
        """Shows what is in the folder now, or the page `fault`; everybody who waits is told."""
        with self._turned:
            self.fault = fault
            self._builds += 1
            self._turned.notify_all()

    def close(self) -> None:
        """Nobody waits any longer."""
        with self._turned:
            self.closed = True
            self._turned.notify_all()

    def wait(self, mark: str, seconds: float) -> str:
        """Waits until what is on is not `mark`, the stage closes, or so long; the mark then."""
        with self._turned:
            self._turned.wait_for(lambda: self.closed or self.mark != mark, seconds)
            return self.mark
