"""The part of App that watches: when each digest last did well, since when it is silent, and who hears of it.

A run did well when it ended and not every one of its sources failed: one source of many that is out of order is in the report
and in `digest status`, and is no reason to wake anybody. A digest is silent from the first time at which it was due and no run
that did well came of it; so one of Monday to Friday is not silent on Sunday, and none is before its first time.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from digest.app.post import Post
from digest.config import DigestConfig
from digest.cron import cron, due_times
from digest.errors import ConfigError, LeaseHeld, MailError
from digest.model import FAILED_OUTCOMES, RunReport
from digest.process import is_dead

if TYPE_CHECKING:
    from digest.mail.alarm import LastRun, Silence

log = logging.getLogger(__name__)

LEASE = "watch"
# The lease keeps processes apart, this the threads of one.
_WATCHING = threading.Lock()
_LEASE_TTL_S = 300.0
_AGAIN = timedelta(hours=24)
# A run stands for a time at which it was due up to so long after it, and never more than half the way to the next one: a timer
# of the system's need not agree to the minute with the schedule that is written in the configuration.
_EARLY = timedelta(hours=12)
_TICK = timedelta(microseconds=1)
_EVER = datetime.max.replace(tzinfo=UTC)
# So many runs are looked through for one that did well.
_BACK = 500


class Pulse(Struct, frozen=True, kw_only=True):
    """How a digest is. `last_success`: when its last run that did well began. `missed`: the first time since then at which it was
    due and no run that did well came of it; None where nothing was missed."""

    digest: str
    scheduled: bool
    last_success: datetime | None = None
    missed: datetime | None = None

    def silent(self, now: datetime, after_h: float) -> bool:
        """Has it missed a time so many hours ago?"""
        return self.missed is not None and now - self.missed >= timedelta(hours=after_h)


class Note(Struct, frozen=True, kw_only=True):
    """What the watch keeps of a digest: since when it knows its schedule `line`; of a silence that was mailed, its beginning and
    when it was mailed last."""

    line: str
    since: datetime
    silent_from: datetime | None = None
    mailed_at: datetime | None = None


_NOTES = msgspec.json.Decoder(dict[str, Note])


def first_missed(
    trigger: Any, *, good: datetime | None, since: datetime | None, now: datetime
) -> datetime | None:
    """The first time up to `now` at which a cron trigger was due after its last good run `good`, or after `since`, when its line
    was first seen, whichever is later; None where there was none, or neither is known."""
    start = max(filter(None, (good, since)), default=None)
    if start is None:
        return None
    first = next(due_times(trigger, start + _TICK, now), None)
    if first is None or start != good:
        return first
    second = next(due_times(trigger, first + _TICK, _EVER), None)
    stands_for = _EARLY if second is None else min(_EARLY, (second - first) / 2)
    if first - good > stands_for:
        return first
    return second if second is not None and second <= now else None


def well(outcomes: Sequence[str]) -> bool:
    """Did a run of a digest do well that ended, given the outcomes of its sources?"""
    return not outcomes or any(outcome not in FAILED_OUTCOMES for outcome in outcomes)


class Watch(Post):
    """What App does to be watched."""

    # ------------------------------------------------------------ how the digests are

    def pulses(self, now: datetime) -> list[Pulse]:
        """How each digest of the configuration is, in its order. Changes nothing. Raises StoreError and ConfigError."""
        notes = self._notes()
        return [self._pulse(digest, notes.get(digest.name), now) for digest in self.config.digest]

    def _pulse(self, digest: DigestConfig, note: Note | None, now: datetime) -> Pulse:
        good = self._last_success(digest)
        if not digest.schedule:
            return Pulse(digest=digest.name, scheduled=False, last_success=good)
        since = note.since if note and note.line == self._line(digest) else None
        missed = first_missed(cron(digest, self.config), good=good, since=since, now=now)
        return Pulse(digest=digest.name, scheduled=True, last_success=good, missed=missed)

    def _last_success(self, digest: DigestConfig) -> datetime | None:
        for mark in self.store.finished_runs(digest.name, limit=_BACK):
            if mark.status == "done" or well(self._outcomes(digest, self._report(mark.id))):
                return mark.started_at
        return None

    def _report(self, run: int) -> dict[str, Any]:
        found = msgspec.json.decode(self.store.run_report(run) or b"{}")
        return found if isinstance(found, dict) else {}

    def _outcomes(self, digest: DigestConfig, report: Mapping[str, Any]) -> list[str]:
        return [outcome for _, outcome, _ in self._read_by(digest, report)]

    def _read_by(self, digest: DigestConfig, report: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
        """Name, outcome and reason of each source in a report that the digest reads; a run may be one of several digests."""
        for source in report.get("sources", ()):
            if "*" in digest.sources or source["name"] in digest.sources:
                yield source["name"], source["outcome"], source["error"] or source.get("why") or ""

    # ------------------------------------------------------------ after a run

    def report_run(self, report: RunReport) -> None:
        """To be called after each run that ended: asks the heartbeat address where the run did well. Raises nothing, and takes
        ten seconds at most."""
        url = self.config.monitor.heartbeat_url
        if url and not report.dry_run and well([source.outcome for source in report.sources]):
            from digest.heartbeat import beat

            beat(url, user_agent=self.user_agent)

    # ------------------------------------------------------------ the alarm

    def watch(self, now: datetime) -> None:
        """To be called every few minutes: mails the operator once when a digest has become silent, again after each further day,
        and once when it runs again. A mail that cannot be sent is logged, and tried again by the next call. One process of a
        store does it at a time; for the others there is nothing to do. Raises StoreError and ConfigError."""
        if not _WATCHING.acquire(blocking=False):
            return
        try:
            self.store.acquire_lease(LEASE, self._holder, now=now, ttl_s=_LEASE_TTL_S, is_dead=is_dead)
            try:
                self._look(now)
            finally:
                self.store.release_lease(LEASE, self._holder)
        except LeaseHeld:
            return
        finally:
            _WATCHING.release()

    def _look(self, now: datetime) -> None:
        notes = self._known(now)
        if not self.config.monitor.mail_to:
            return
        pulses = [pulse for pulse in self.pulses(now) if pulse.scheduled]
        hours = self.config.monitor.silent_after_h
        back = [pulse for pulse in pulses if _is_back(pulse, notes[pulse.digest])]
        if back and self._mail("again", back, now):
            for pulse in back:
                note = notes[pulse.digest]
                notes[pulse.digest] = replace(note, silent_from=None, mailed_at=None)
            self._keep(notes)
        silent = [p for p in pulses if p.silent(now, hours) and _is_news(notes[p.digest], now)]
        if silent and self._mail("silent", silent, now):
            for pulse in silent:
                note = notes[pulse.digest]
                notes[pulse.digest] = replace(note, silent_from=pulse.missed, mailed_at=now)
            self._keep(notes)

    def _notes(self) -> dict[str, Note]:
        kept = self.store.watch_notes()
        try:
            return _NOTES.decode(kept) if kept else {}
        except msgspec.DecodeError:  # of a version to come, perhaps: the clock begins anew
            return {}

    def _known(self, now: datetime) -> dict[str, Note]:
        """The notes, with one for each digest that has a schedule, as it is now written."""
        kept = self._notes()
        notes = {}
        for digest in self.config.digest:
            if digest.schedule:
                line, note = self._line(digest), kept.get(digest.name)
                notes[digest.name] = note if note and note.line == line else Note(line=line, since=now)
        if notes != kept:
            self._keep(notes)
        return notes

    def _keep(self, notes: Mapping[str, Note]) -> None:
        self.store.put_watch_notes(msgspec.json.encode(notes))

    def _line(self, digest: DigestConfig) -> str:
        return f"{digest.schedule} {self.config.site.timezone}"

    def _mail(self, kind: Literal["silent", "again"], pulses: Sequence[Pulse], now: datetime) -> bool:
        """Is there nothing more to do for this mail? False where it is to be tried again by the next call."""
        from digest.mail.alarm import alarm
        from digest.mail.dkim import signed

        silences = [self._silence(pulse, now) for pulse in pulses]
        names = ", ".join(pulse.digest for pulse in pulses)
        try:
            message, message_id = alarm(kind, silences, self.config, now=now)
            message = signed(message, self._alarm_signer())
            transport = self._open_transport()()
            try:
                receipt = transport.send(self.config.monitor.mail_to, message, message_id=message_id)
            finally:
                transport.close()
        except MailError as error:
            log.error(
                "The operator could not be mailed about %s. %s Tried again in a few minutes.", names, error
            )
            return False
        if receipt.status == "accepted":
            log.info("The operator was mailed about %s (%s).", names, kind)
        else:
            log.error(
                "The mail server did not take the mail to the operator about %s: %s. Look at [monitor] mail_to.",
                names,
                receipt.reply_code,
            )
        return receipt.status != "deferred"

    def _alarm_signer(self) -> Callable[[bytes], bytes] | None:
        try:
            return self._signer()
        except ConfigError as error:  # a key that is gone must not keep the alarm from going out
            log.warning("%s The mail to the operator goes out without a signature.", error)
            return None

    def _silence(self, pulse: Pulse, now: datetime) -> Silence:
        from digest.mail.alarm import Silence

        digest = self.config.digest_named(pulse.digest)
        return Silence(
            digest=digest.name,
            last_success=pulse.last_success,
            missed=pulse.missed,
            next_due=cron(digest, self.config).get_next_fire_time(None, now),
            last_run=self._last_run(digest),
        )

    def _last_run(self, digest: DigestConfig) -> LastRun | None:
        from digest.mail.alarm import LastRun

        mark = self.store.newest_run(digest.name)
        if mark is None:
            return None
        report = self._report(mark.id)
        return LastRun(
            started_at=mark.started_at,
            status=mark.status,
            error=str(report.get("error") or ""),
            sources=tuple(self._read_by(digest, report)),
        )


def _is_news(note: Note, now: datetime) -> bool:
    """Was nobody told of this silence yet, or a day ago? A clock that was wrong does not keep it quiet."""
    return note.mailed_at is None or not timedelta(0) <= now - note.mailed_at < _AGAIN


def _is_back(pulse: Pulse, note: Note) -> bool:
    """Was the operator mailed about a silence that has ended since?"""
    if note.mailed_at is None or pulse.last_success is None:
        return False
    return pulse.missed is None or note.silent_from is None or pulse.missed > note.silent_from
