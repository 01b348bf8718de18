"""The door of time: cron lines of the configuration → App.daily at their hours, until told to stop.

APScheduler keeps no state here: what ran is in the store's run ledger, keyed by digest and local date. So a clock change
that makes 02:30 come twice runs a day once, and a process that was down makes up for the newest missed day only.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from digest.app import App, open_app, utc_now
from digest.config import Config, DigestConfig
from digest.cron import cron, newest_due
from digest.errors import DigestError, LeaseHeld
from digest.logs import about
from digest.model import RunReport

log = logging.getLogger("digest.scheduler")

# Mails have their hour, and deferred ones are due again; looking is cheap.
_MAIL_S = 60
# Notices may be many: editions and letters that are due meanwhile go in between.
_NOTICES_S = 30.0
_MAILBOX_S = 300
_WATCH_S = 300
_LEASE_GRACE_H = 1.0
_RETRY_LEASE_S = 60
_RETRY_RUN_S = 900


class Service:
    """The schedules of a configuration at work. `told` hears of each finished run."""

    def __init__(
        self,
        config: Config,
        *,
        clock: Callable[[], datetime] = utc_now,
        told: Callable[[DigestConfig, RunReport], None] = lambda digest, report: None,
    ) -> None:
        self._config, self._clock, self._told = config, clock, told
        self._stop = threading.Event()
        self._running: set[App] = set()
        self._triggers = {digest.name: cron(digest, config) for digest in config.digest if digest.schedule}
        self._scheduler: Any = None

    def serve(self) -> None:
        """Blocks until `stop`.

        Days that were missed while nothing ran are made up for first, if they are not older than the digest's grace_h.
        """
        from apscheduler.executors.pool import ThreadPoolExecutor
        from apscheduler.schedulers.background import BackgroundScheduler

        # Runs of several digests at the same hour follow each other (App.alone); one that waits for a batch lets the others by.
        workers = ThreadPoolExecutor(len(self._config.digest) + 2)
        self._scheduler = BackgroundScheduler(executors={"default": workers}, timezone=UTC)
        self._plan()
        self._scheduler.start()
        duties = [self._every(_MAIL_S, self.send_due_mail), self._every(_WATCH_S, self.watch)]
        if self._config.mail.mailbox.host:
            duties.append(self._every(_MAILBOX_S, self.read_mailbox))
        planned = self._clock()
        try:
            while not self._stop.wait(_MAIL_S):
                planned = self._plan_anew(planned)
        finally:
            self._stop.set()
            # Waits for the run at work, which finishes the mail in flight and claims no more.
            self._scheduler.shutdown(wait=True)
            for duty in duties:
                duty.join()

    def stop(self) -> None:
        """Ends the service: the mail in flight is finished, what is queued stays queued."""
        self._stop.set()
        for app in list(self._running):
            app.stop.set()

    def next_run(self, digest: str) -> datetime | None:
        """When the digest's cron line is due next, seen from now."""
        fire: datetime | None = self._triggers[digest].get_next_fire_time(None, self._clock())
        return fire

    def missed(self, digest: DigestConfig) -> datetime | None:
        """The newest time within grace_h at which the digest was due and no run of that day has finished since."""
        last = newest_due(digest, self._triggers[digest.name], self._clock())
        if last is None:
            return None
        with open_app(self._config, clock=self._clock) as app:
            return None if self._done(app, digest, last) else last

    def run(self, digest: DigestConfig, due: datetime | None = None) -> RunReport | None:
        """The run that was due at `due` (the newest time due), unless the ledger has it. None where nothing was run.

        Every failure is logged and ends here: the service lives on. A day that could not be finished is tried again
        every quarter of an hour, for as long as its grace lasts.
        """
        with about(digest=digest.name):
            return self._run(digest, due)

    def _run(self, digest: DigestConfig, due: datetime | None) -> RunReport | None:
        now = self._clock()
        due = due or newest_due(digest, self._triggers[digest.name], now) or now
        app = self._opened()
        try:
            with app:
                if app.stop.is_set() or self._done(app, digest, due):
                    return None
                report = app.daily(now, due_day=app.today(due), digests=[digest])
        except LeaseHeld as error:
            # Whoever holds it has nothing to do with how late a run may be.
            again = self._again(digest, due, _RETRY_LEASE_S, within_h=max(digest.grace_h, _LEASE_GRACE_H))
            log.warning("%s: %s %s", digest.name, error, again)
            return None
        except DigestError as error:
            if app.stop.is_set():
                log.info("%s: %s", digest.name, error)
                return None
            again = self._again(digest, due, _RETRY_RUN_S, within_h=digest.grace_h)
            log.error("%s: %s %s", digest.name, error, again)
            return None
        except Exception:
            log.exception("%s: the run failed by a fault of the program; please report it", digest.name)
            return None
        finally:
            self._running.discard(app)
        self._told(digest, report)
        return report

    def _opened(self) -> App:
        """An App that `stop` reaches, also when it is told at this very moment."""
        app = open_app(self._config, clock=self._clock)
        self._running.add(app)
        if self._stop.is_set():
            app.stop.set()
        return app

    def _done(self, app: App, digest: DigestConfig, due: datetime) -> bool:
        """Has the run due at this local time finished? A time that comes twice in autumn counts from its first coming."""
        first = due.astimezone(self._config.site.zone).replace(fold=0)
        return app.store.run_done(digest.name, first.date(), since=first.astimezone(UTC))

    def send_due_mail(self) -> None:
        """Sends what is queued and due, letters first, if anything is."""
        self._post("mail", _send_due)

    def read_mailbox(self) -> None:
        """Takes the reports of failed mail, and requests to leave, that have come."""
        self._post("mailbox", App.read_mailbox)

    def watch(self) -> None:
        """Mails the operator when a digest is silent for too long."""
        self._post("watch", lambda app: app.watch(self._clock()))

    def _post(self, what: str, work: Callable[[App], None]) -> None:
        """Work with mail on an App of its own. Every failure is logged and ends here: the service lives on."""
        app = self._opened()
        try:
            with app:
                if not app.stop.is_set():
                    work(app)
        except LeaseHeld:
            log.debug("mail is left to the run that holds the lease")
        except DigestError as error:
            log.error("%s: %s", what, error)
        except Exception:
            log.exception("%s: failed by a fault of the program; please report it", what)
        finally:
            self._running.discard(app)

    def _every(self, seconds: int, work: Callable[[], None]) -> threading.Thread:
        """Does this again and again until told to stop, in a thread: by a clock that nobody sets."""

        def again() -> None:
            while not self._stop.wait(seconds):
                work()

        thread = threading.Thread(target=again, name=work.__name__)
        thread.start()
        return thread

    def _plan(self) -> None:
        for digest in self._config.digest:
            if digest.schedule:
                self._add(digest)

    def _plan_anew(self, before: datetime) -> datetime:
        """The time by the clock. Where it was set back since `before`, what is due is counted from there: else nothing would run
        until it is as late again as it was."""
        now = self._clock()
        if now < before:
            log.warning("The clock was set back to %s; what is due is counted from there.", now.isoformat())
            try:
                self._plan()
            except DigestError as error:
                log.error("%s", error)
                return before
        return now

    def _add(self, digest: DigestConfig) -> None:
        grace_s = int(digest.grace_h * 3600)
        self._scheduler.add_job(
            self.run,
            self._triggers[digest.name],
            args=[digest],
            id=digest.name,
            replace_existing=True,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=max(grace_s, 1),
        )
        missed = self.missed(digest)
        if missed is not None:
            log.warning(
                "%s: the run of %s was missed and is made up for now", digest.name, missed.isoformat()
            )
            self._scheduler.add_job(self.run, args=[digest, missed], misfire_grace_time=None)

    def _again(self, digest: DigestConfig, due: datetime, seconds: int, *, within_h: float) -> str:
        """The same run once more, unless it is too late by then; what is to be said of it."""
        when = self._clock() + timedelta(seconds=seconds)
        if self._scheduler is None or when > due + timedelta(hours=within_h):
            return "It is not tried again."
        self._scheduler.add_job(self.run, "date", run_date=when, args=[digest, due], misfire_grace_time=None)
        return f"Tried again in {seconds} s."


def _send_due(app: App) -> None:
    report = app.send_letters()
    if report.error:
        log.error("mail: %s", report.error)
    if app.mail_is_due() or app.letter_is_due(notices=True):
        app.send(notices_s=_NOTICES_S)
