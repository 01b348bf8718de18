"""`digest serve`: the schedules at work until the process is told to stop."""

from __future__ import annotations

import click

from digest.cli.console import Console, plural
from digest.errors import UsageError


@click.command()
@click.option("--no-schedule", is_flag=True, help="Do not run the digests by their schedules.")
@click.option("--no-web", is_flag=True, help="No web server; this version has none, so nothing changes.")
@click.pass_obj
def serve(console: Console, no_schedule: bool, no_web: bool) -> int:
    """Run the digests by their schedules until SIGTERM or Ctrl-C, which finish the mail in flight."""
    import logging

    from digest.scheduler import Service

    config = console.config()
    scheduled = [digest for digest in config.digest if digest.schedule]
    if no_schedule or not scheduled:
        why = "--no-schedule was given" if no_schedule else f'no [[digest]] of {config.file} has a "schedule"'
        raise UsageError(f'nothing to serve: {why}. Give a digest schedule = "0 7 * * mon-fri".')
    if not console.quiet:
        logging.getLogger("digest").setLevel(logging.INFO)
    service = Service(
        config,
        told=lambda digest, report: console.note(
            f"{report.date} {digest.name}: "
            + "; ".join(
                f"{plural(d.edition.papers, 'paper')} in edition {d.edition.id}"
                if d.edition
                else "nothing new"
                for d in report.digests
            )
            + f"; {report.deliveries.accepted:,} mails accepted"
            + ("; some sources or recipients failed: see `digest status`" if report.degraded else "")
        ),
    )
    service.handle_signals()
    for digest in scheduled:
        due = service.next_run(digest.name)
        console.note(
            f"{digest.name}: next run {due:%A %Y-%m-%d %H:%M %Z}" if due else f"{digest.name}: never due"
        )
    service.serve()
    console.note("Stopped. What is queued stays queued.")
    return 0
