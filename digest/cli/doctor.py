"""`digest doctor`: what is in order, what is not, and the mend for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli import doctor_mail
from digest.cli.console import Console, outdated_words, system_words
from digest.errors import ConfigError, DigestError, StoreError
from digest.mail.dmarc import Finding
from digest.paths import exists, is_folder
from digest.words import counted

if TYPE_CHECKING:
    from digest.app import App
    from digest.config import SourceConfig

Check = Callable[["App", datetime], Iterator[Finding]]

_COLOUR = {"ok": "good", "warning": "warn", "fault": "bad"}


@click.command()
@click.option(
    "--online",
    is_flag=True,
    help="Also ask the sources and the DNS, and log in to mail server and mailbox (sends nothing).",
)
@click.pass_obj
def doctor(console: Console, online: bool) -> int:
    """Check configuration, store, clock, templates, sources and mail; each finding with its mend."""
    from digest.app import open_app, utc_now

    findings: list[Finding] = []

    def tell(finding: Finding) -> None:
        findings.append(finding)
        level, what, text = finding
        console.result(f"{console.paint(f'{level:8}', _COLOUR[level])}{what:15}{text}")

    try:
        config = console.config()
        app = open_app(config)
    except ConfigError as error:
        for problem in error.problems:
            tell(("fault", "configuration", problem))
    else:
        with app:
            for what, check in (*_OFFLINE, *(_ONLINE if online else ())):
                for finding in _guarded(what, check, app, utc_now(), findings):
                    tell(finding)
    faults = sum(level == "fault" for level, _, _ in findings)
    console.answer(
        {"findings": [{"level": level, "check": what, "text": text} for level, what, text in findings]}
    )
    console.result()
    console.result("All in order." if not faults else f"{faults} to mend.")
    return 1 if faults else 0


def _guarded(what: str, check: Check, app: App, now: datetime, found: Sequence[Finding]) -> Iterator[Finding]:
    """What a check finds, and what keeps it from looking; a store that fails is told once of all that need it."""
    try:
        yield from check(app, now)
    except StoreError as error:
        if any(level == "fault" and of == "store" for level, of, _ in found):
            yield "warning", what, "not all of it was looked at, since the store fails (above)."
        else:
            yield "fault", what, str(error)
    except DigestError as error:
        yield "fault", what, str(error)
    except OSError as error:
        yield "fault", what, system_words(error)


def _configuration(app: App, now: datetime) -> Iterator[Finding]:
    config = app.config
    yield (
        "ok",
        "configuration",
        f"{config.file}: {counted(len(config.source), 'source')}, {counted(len(config.digest), 'digest')}",
    )
    if config.site.url == "https://papers.example.org/":
        yield (
            "warning",
            "configuration",
            '[site] "url" is the example; links in feeds and mail lead nowhere. Write your own.',
        )
    for digest in config.digest:
        if digest.schedule:
            from digest.cron import cron

            due = cron(digest, config).get_next_fire_time(None, now)
            if due:
                yield "ok", "schedule", f"{digest.name}: next at {due:%Y-%m-%d %H:%M %Z}"
            else:
                yield "warning", "schedule", f"{digest.name}: never due, since there is no such day. Mend it."
        else:
            yield (
                "warning",
                "schedule",
                f"{digest.name}: none; it runs when `digest run` is called (by cron, say)",
            )


def _clock(app: App, now: datetime) -> Iterator[Finding]:
    local = now.astimezone(app.config.site.zone)
    newest = max((row.started_at for row in app.store.last_runs(1)), default=None)
    if newest is not None and newest > now:
        yield (
            "fault",
            "clock",
            f"it is {now:%Y-%m-%d %H:%M} UTC, before the last run ({newest:%Y-%m-%d %H:%M}). Set the clock.",
        )
    else:
        yield "ok", "clock", f"{local:%A %Y-%m-%d %H:%M} {app.config.site.timezone}"


def _store(app: App, now: datetime) -> Iterator[Finding]:
    problems = app.store.check()
    for problem in problems:
        yield "fault", "store", f"{problem}. Restore a backup, or move the file away and start anew."
    if not problems:
        yield "ok", "store", app.config.store.shown


def _templates(app: App, now: datetime) -> Iterator[Finding]:
    app.check_templates(now)
    own = app.config.resolve(app.config.site.templates)
    yield "ok", "templates", f"{own}, then the program's" if is_folder(own) else "the program's own"


def _output(app: App, now: datetime) -> Iterator[Finding]:
    output = app.config.resolve(app.config.site.output)
    for source in app.config.source:
        if source.path and source.enabled and app.config.resolve(source.path).is_relative_to(output):
            yield (
                "fault",
                "output",
                f'source "{source.name}" reads in {output}, where we write. Give one of them another folder.',
            )
        elif source.path and source.enabled and output.is_relative_to(app.config.resolve(source.path)):
            yield (
                "fault",
                "output",
                f'{output} is in the folder of source "{source.name}". Give one of them another folder.',
            )
    nearest = next(p for p in (output, *output.parents) if exists(p))
    if os.access(nearest, os.W_OK):
        yield "ok", "output", str(output)
    else:
        yield "fault", "output", f"{nearest} cannot be written by this user. Mend its rights."
    for digest, settings in app.outdated().items():
        yield "warning", "output", outdated_words(digest, settings)


def _sources(app: App, now: datetime) -> Iterator[Finding]:
    enabled = [source for source in app.config.source if source.enabled]
    if not enabled:
        yield "warning", "sources", "none is enabled: nothing will ever be new. Add a [[source]]."
    for source in enabled:
        if source.path:
            yield from _readings(app, source, now)
        else:
            yield "ok", "sources", f"{source.name}: {source.url} (asked with --online)"


def _sources_online(app: App, now: datetime) -> Iterator[Finding]:
    for source in app.config.source:
        if source.enabled and source.url:
            yield from _readings(app, source, now)


def _readings(app: App, source: SourceConfig, now: datetime) -> Iterator[Finding]:
    for location, reading in app.readings(source, now=now):
        if isinstance(reading, DigestError):
            yield "fault", "sources", f"{source.name}: {reading}"
        else:
            yield (
                "ok",
                "sources",
                f"{source.name}: {Path(location).name or location}, {counted(len(reading.papers), 'paper')} ({reading.kind})",
            )


def check_monitor(app: App, now: datetime) -> Iterator[Finding]:
    """Would anybody hear of it, and is there something to hear?"""
    monitor, scheduled = app.config.monitor, any(digest.schedule for digest in app.config.digest)
    for pulse in app.pulses(now):
        if pulse.missed is not None and pulse.silent(now, monitor.silent_after_h):
            missed = pulse.missed.astimezone(app.config.site.zone)
            yield (
                "fault",
                "monitor",
                f"{pulse.digest}: no successful run since {missed:%Y-%m-%d %H:%M %Z}, when it was due. See `digest status`; "
                "is `digest serve`, or what calls `digest run`, at work?",
            )
    if monitor.mail_to and not scheduled:
        yield (
            "warning",
            "monitor",
            'nothing is ever missed, since no digest has a "schedule": nobody is mailed. Write when it runs, '
            'schedule = "17 7 * * mon-fri".',
        )
    elif monitor.mail_to and app.config.mail.transport == "folder":
        yield (
            "warning",
            "monitor",
            f"the mail to the operator goes into {app.config.mail.folder}, as all mail does. Set transport in [mail].",
        )
    elif scheduled and not (monitor.mail_to or monitor.heartbeat_url):
        yield (
            "warning",
            "monitor",
            'nobody hears when the runs fail or do not come. Write "mail_to" or "heartbeat_url" in [monitor].',
        )
    elif scheduled:
        yield (
            "ok",
            "monitor",
            f"somebody hears of a digest that is silent for {monitor.silent_after_h:g} hours",
        )


_OFFLINE: tuple[tuple[str, Check], ...] = (
    ("configuration", _configuration),
    ("store", _store),
    ("clock", _clock),
    ("templates", _templates),
    ("output", _output),
    ("sources", _sources),
    ("web", doctor_mail.door),
    ("mail", doctor_mail.mail),
    ("readers", doctor_mail.readers),
    ("dkim", doctor_mail.signature),
    ("monitor", check_monitor),
)
_ONLINE: tuple[tuple[str, Check], ...] = (
    ("sources", _sources_online),
    ("web", doctor_mail.door_online),
    ("mail", doctor_mail.mail_online),
    ("bounces", doctor_mail.mailbox_online),
    ("dns", doctor_mail.dns_online),
)
