"""A worker from its beginning to its end: sessions with the database one after the other, and a stop that loses nothing."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from digest import __version__
from digest.app import App, open_app, utc_now
from digest.app.edges import LEASE
from digest.config import Config
from digest.errors import StoreError, UsageError
from digest.model import RunReport
from digest.process import is_dead, on_stop_signals, this_process
from digest.worker import engine
from digest.worker.duties import Duties, row_of
from digest.worker.tasks import Apps, Tasks

log = logging.getLogger("digest.worker")

QUEUES = ("collect", "issue", "deliver", "tidy")
# Told to stop, a worker ends within ten seconds, whatever a server that it talks to does.
STOP_S = 8.0
_LEAVE_S = 1.0
# So far may the clocks of machines that share the work be off one another.
_CLOCK_S = 10.0
_LONGEST_PAUSE_S = 30.0
# `once`: what begins so soon is waited for.
_SOON = timedelta(seconds=5)
_LOOK_S = 0.2


class Worker:
    """A process that takes jobs. `opened` may change each App that is opened; `told` hears of each run that has ended."""

    def __init__(
        self,
        config: Config,
        *,
        queues: Sequence[str] = QUEUES,
        at_once: int = 2,
        once: bool = False,
        clock: Callable[[], datetime] = utc_now,
        opened: Callable[[App], None] = lambda app: None,
        told: Callable[[RunReport], None] = lambda report: None,
    ) -> None:
        if config.engine.kind != "procrastinate":
            raise UsageError(
                f'{config.file}: [engine] has kind = "{config.engine.kind}", with which runs do all their work themselves. '
                'For workers write kind = "procrastinate", and a PostgreSQL as [store] url.'
            )
        self._config, self._clock, self._opened = config, clock, opened
        self._queues, self._at_once, self._once = tuple(queues), at_once, once
        self._stop = threading.Event()
        self._session: engine.Session | None = None
        self._apps = Apps(self._open)
        self._tasks = Tasks(self._apps, told)
        self._duties: Duties | None = None
        self._ended = threading.Event()

    def work(self) -> None:
        """Works until `stop`; with `once` until no job is left that may begin now. Raises StoreError at the start with `once`."""
        asyncio.run(self._work())

    def stop(self) -> None:
        """Finishes the mails in flight and gives the jobs back. For any thread."""
        self._stop.set()
        self._apps.stop()
        if self._duties:
            self._app.stop.set()
        if self._session:
            self._session.stop()

    def handle_signals(self) -> None:
        """SIGTERM and SIGINT stop the worker; the process ends within ten seconds, also where a server hangs."""
        on_stop_signals(self._stop_in_time)

    def _stop_in_time(self) -> None:
        until = time.monotonic() + STOP_S
        self.stop()
        if not self._ended.wait(STOP_S):
            log.warning("Something still hangs; its job is given to another worker.")
            leaving = threading.Thread(target=self._leave, daemon=True)
            leaving.start()
            leaving.join(_LEAVE_S)
        # A thread of a duty may be waiting for a mail server, and would keep the process until it answers.
        time.sleep(max(0.0, until - time.monotonic()))
        os._exit(0)

    # ------------------------------------------------------------ sessions

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(self._at_once + 4, thread_name_prefix="job"))
        engine.quiet()
        pause = 1.0
        try:
            while not self._stop.is_set():
                try:
                    await asyncio.to_thread(self._begin)
                    pause = 1.0
                    await self._until_done() if self._once else await self._session_of(wait=True)
                    if self._once:
                        return
                    if not self._stop.is_set():
                        log.warning("The connection with the engine was lost; it is made anew.")
                except engine.LOST as error:
                    if self._once:
                        raise
                    log.warning("%s Tried again in %.0f s.", _said(error), pause)
                    await asyncio.to_thread(self._stop.wait, pause)
                    pause = min(_LONGEST_PAUSE_S, 2 * pause)
        finally:
            await asyncio.to_thread(self._end)

    def _begin(self) -> None:
        """Opens the store, sees to the engine's tables, and begins the duties; what is there already stays."""
        if self._duties is None:
            app = self._open()
            try:
                done = engine.install(app.store)
                if done:
                    log.info("The engine: %s.", done)
                self._check_clock(app)
                row = row_of(this_process(), __version__, self._queues, self._clock())
                duties = Duties(app, row, self._doing)
                duties.beat()
                self._let_run_end(app, duties)
                if "deliver" in self._queues:
                    app.take_up_receipts()
            except BaseException:
                app.close()
                raise
            self._app, self._duties = app, duties
            if not self._once:
                duties.start()
        else:
            # No job of ours is at work between two sessions: what a lost connection left held is free.
            self._app.store.release_leases(this_process())

    def _let_run_end(self, app: App, duties: Duties) -> None:
        """A run of one process claims its mails for itself alone: who begins beside it would take them for left behind. One that
        comes to them from here on sees us, and leaves them to us (Post.deliver)."""
        told = ""
        while not self._stop.is_set():
            holder = app.store.lease_holder(LEASE, now=app.clock())
            if not holder or is_dead(holder):
                return
            if holder != told:
                log.warning(
                    "A run of one process is at work (%s). This worker begins when it has ended.", holder
                )
            told = holder
            self._stop.wait(_LOOK_S)
            duties.beat()

    def _check_clock(self, app: App) -> None:
        """Leases are held by the clocks of the machines."""
        off = abs((utc_now() - app.store.server_time()).total_seconds())
        if off > _CLOCK_S:
            raise UsageError(
                f"The clock of this machine is {off:.0f} s off that of the database. Workers hold their leases by it: set both "
                "by NTP, then start the worker again."
            )

    async def _session_of(self, *, wait: bool) -> None:
        assert self._duties is not None
        self._session = engine.Session(
            self._config.store.url,
            self._app.store,
            self._tasks.by_name(),
            queues=self._queues,
            at_once=self._at_once,
            registered=self._duties.registered,
            stopping=self._stop.is_set,
        )
        if self._stop.is_set():
            return
        await self._session.run(wait=wait)

    async def _until_done(self) -> None:
        """Works until no job is left that begins soon."""
        assert self._duties is not None
        await asyncio.to_thread(self._duties.all_once)
        while not self._stop.is_set():
            await self._session_of(wait=False)
            await asyncio.to_thread(self._duties.rescue)
            if not self._app.store.due_jobs(self._queues, until=self._clock() + _SOON):
                return
            await asyncio.to_thread(self._stop.wait, _LOOK_S)

    def _doing(self) -> str:
        return self._apps.doing

    def _open(self) -> App:
        app = open_app(self._config, clock=self._clock)
        self._opened(app)
        return app

    # ------------------------------------------------------------ the end

    def _end(self) -> None:
        if self._duties is not None:
            self._duties.stop()
            self._leave()
        self._apps.close()
        if self._duties is not None:
            self._app.close()
        self._ended.set()

    def _leave(self) -> None:
        try:
            if self._duties is not None:
                self._duties.leave()
        except StoreError as error:
            log.warning("%s Others see by themselves that this worker has ended.", error)


def _said(error: BaseException) -> str:
    """Ours say where and what to do; those of the engine hide what happened behind them."""
    if isinstance(error, StoreError):
        return str(error)
    return " ".join(str(error.__cause__ or error).split()) or repr(error)
