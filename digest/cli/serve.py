"""`digest serve`: the schedules and the web door at work until the process is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING

import click

from digest.cli.console import Console
from digest.errors import DigestError, UsageError
from digest.process import on_stop_signals
from digest.words import counted

if TYPE_CHECKING:
    from datetime import datetime

    from digest.config import Config, DigestConfig
    from digest.model import RunReport
    from digest.scheduler import Service


@click.command()
@click.option("--no-schedule", is_flag=True, help="Do not run the digests by their schedules.")
@click.option("--no-web", is_flag=True, help="No web server.")
@click.pass_obj
def serve(console: Console, no_schedule: bool, no_web: bool) -> int:
    """Run the digests by their schedules and answer on the web until SIGTERM or Ctrl-C, which finish what is in flight."""
    config = console.config()
    console.log_lines(config)
    web = config.web.enabled and not no_web
    scheduled = [] if no_schedule else [digest for digest in config.digest if digest.schedule]
    if config.engine.kind != "in-process" and scheduled:
        console.note("The schedules are kept by `digest worker`, one of which leads: none are kept here.")
        scheduled = []
    if not web and not scheduled:
        raise UsageError(f"nothing to serve: {_why_nothing(config, no_schedule, no_web)}")
    stop = threading.Event()
    service = _service(console, config) if scheduled else None
    _look(config)
    _stopped_by_signals(stop, service)
    with _answering(console, config, stop, service) if web else _no_web() as (address, failed):
        due = {digest.name: service.next_run(digest.name) for digest in scheduled} if service else {}
        console.answer(
            {"address": address, "schedules": {name: at and at.astimezone(UTC) for name, at in due.items()}}
        )
        if service:
            _announce(console, due)
            service.serve()
        else:
            stop.wait()
    if failed:
        raise failed[0]
    console.note("Stopped. What is queued stays queued.")
    return 0


def _look(config: Config) -> None:
    """Raises StoreError for a store that cannot be used: said now, and not when the next run is due."""
    from digest.app import open_app

    with open_app(config) as app:
        app.store.last_runs(1)


def _why_nothing(config: Config, no_schedule: bool, no_web: bool) -> str:
    web = "--no-web was given" if no_web else '[web] has "enabled" = false'
    if config.engine.kind != "in-process":
        return f"schedules are the affair of `digest worker`, and {web}. Start `digest worker` instead."
    schedule = (
        "--no-schedule was given" if no_schedule else f'no [[digest]] of {config.file} has a "schedule"'
    )
    return f'{schedule}, and {web}. Leave one of them out, or give a digest schedule = "0 7 * * mon-fri".'


# ---------------------------------------------------------------- the schedules


def _service(console: Console, config: Config) -> Service:
    from digest.scheduler import Service

    def told(digest: DigestConfig, report: RunReport) -> None:
        editions = (
            f"{counted(d.edition.papers, 'paper')} in edition {d.edition.id}" if d.edition else "nothing new"
            for d in report.digests
        )
        failed = "; some sources or recipients failed: see `digest status`" if report.degraded else ""
        console.note(
            f"{report.date} {digest.name}: {'; '.join(editions)}; "
            f"{report.deliveries.accepted:,} mails accepted{failed}"
        )

    return Service(config, told=told)


def _announce(console: Console, due: Mapping[str, datetime | None]) -> None:
    for name, at in due.items():
        console.note(f"{name}: next run {at:%A %Y-%m-%d %H:%M %Z}" if at else f"{name}: never due")


def _stopped_by_signals(stop: threading.Event, service: Service | None) -> None:
    """SIGTERM and SIGINT stop both doors; what is in flight is finished."""

    def told() -> None:
        stop.set()
        if service:
            service.stop()

    on_stop_signals(told)


# ---------------------------------------------------------------- the web door


@contextmanager
def _no_web() -> Iterator[tuple[None, list[DigestError]]]:
    yield None, []


@contextmanager
def _answering(
    console: Console, config: Config, stop: threading.Event, service: Service | None
) -> Iterator[tuple[str, list[DigestError]]]:
    """The web door is open in this block, at this address. The list has the error with which it ended before it was told to, which
    ends the schedules too."""
    from digest.app import open_app
    from digest.web import listen_at, serve_web

    failed: list[DigestError] = []
    with open_app(config) as app, listen_at(config.web.listen) as listener:
        host, port = listener.getsockname()[:2]

        def answer() -> None:
            try:
                serve_web(app, listener, stop)
            except DigestError as error:
                failed.append(error)
            finally:
                if not stop.is_set() and not failed:
                    failed.append(
                        DigestError("the web server ended by a fault of the program; please report it.")
                    )
                stop.set()
                if service:
                    service.stop()

        thread = threading.Thread(target=answer, name="web")
        thread.start()
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        console.note(f"web: {address} (public: {config.site.url})")
        try:
            yield address, failed
        finally:
            stop.set()
            thread.join()
