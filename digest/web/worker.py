"""Letters go out beside the requests, so that no answer takes longer or fails because of a mail server."""

from __future__ import annotations

import logging
import threading
import time

from digest.app import App
from digest.errors import DigestError

log = logging.getLogger("digest.web")

# A letter that was put off is due again some time; looking is cheap.
_LOOK_S = 60.0
_WATCH_S = 300.0


class LetterWorker:
    """One thread that sends the letters that wait: when woken, and every minute. Many calls to wake it are one. Every
    `watch_s` seconds it also sees whether a digest is silent: what should make the runs may be what is out of order."""

    def __init__(self, app: App, *, watch_s: float = _WATCH_S) -> None:
        self._app = app
        self._watch_s, self._watched_at = watch_s, time.monotonic()
        self._awake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="letters", daemon=True)

    def start(self) -> None:
        """From now on. What waits already goes first."""
        self._awake.set()
        self._thread.start()

    def wake(self) -> None:
        """There may be a letter."""
        self._awake.set()

    def end(self) -> None:
        """Returns when the letter that is on its way is through; the others wait in the store."""
        self._ended = True
        self._app.stop.set()
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._ended:
            self._awake.wait(_LOOK_S)
            self._awake.clear()
            if self._ended:
                return
            try:
                report = self._app.send_letters()
                self._watch()
            except DigestError as error:
                log.error("letters: %s", spoken(error))
            except Exception:
                # One letter must not keep all others from going for as long as the process lives.
                log.exception("letters: failed by a fault of the program; please report it")
            else:
                if report.error:
                    log.error("letters: %s", report.error)

    def _watch(self) -> None:
        if time.monotonic() - self._watched_at >= self._watch_s:
            self._watched_at = time.monotonic()
            self._app.watch(self._app.clock())


def spoken(error: DigestError) -> str:
    """An error for the log, which holds no address of a reader: a message with one in it is left out."""
    text = str(error)
    return text if "@" not in text else type(error).__name__
