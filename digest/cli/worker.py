"""`digest worker`: a process that takes a share of the work until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from digest.cli.console import Console
from digest.errors import UsageError
from digest.words import counted

if TYPE_CHECKING:
    from digest.model import RunReport

QUEUES = ("collect", "issue", "deliver", "tidy")


def parse_queues(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    """The names between the commas, each once."""
    names = tuple(dict.fromkeys(name.strip() for name in value.split(",") if name.strip()))
    unknown = [name for name in names if name not in QUEUES]
    if unknown or not names:
        raise click.BadParameter(f"there is no queue {unknown[0]!r}." if unknown else "name one.") from None
    return names


@click.command()
@click.option(
    "--queues",
    default=",".join(QUEUES),
    show_default=True,
    callback=parse_queues,
    metavar="NAMES",
    help="Which jobs to take.",
)
@click.option(
    "--jobs",
    default=2,
    show_default=True,
    type=click.IntRange(1, 64),
    help="How many jobs at once.",
)
@click.option("--once", is_flag=True, help="Work until no job is left that may begin now.")
@click.pass_obj
def worker(console: Console, queues: tuple[str, ...], jobs: int, once: bool) -> int:
    """Take a share of the work, beside other workers on any number of machines, until SIGTERM or Ctrl-C.

    Needs [engine] kind = "procrastinate" and a PostgreSQL as the store. One of the workers begins the runs of the schedules.
    """
    config = console.config()
    if config.engine.kind != "procrastinate":
        raise UsageError(
            f'{config.file}: [engine] kind is "{config.engine.kind}", with which `digest run` and `digest serve` do all the work '
            'themselves. For workers write kind = "procrastinate", and a PostgreSQL as [store] url.'
        )
    from digest.worker import Worker

    console.log_lines(config)

    def told(report: RunReport) -> None:
        for digest in report.digests:
            edition = digest.edition
            made = f"{counted(edition.papers, 'paper')} in edition {edition.id}" if edition else "nothing new"
            console.note(f"{report.date} {digest.name}: {made}")
        if report.degraded:
            console.note("Some source or target failed: see `digest status`.")

    work = Worker(config, queues=queues, at_once=jobs, once=once, told=told)
    work.handle_signals()
    console.answer({"queues": queues, "jobs": jobs})
    console.note(f"Working on {', '.join(queues)}; {counted(jobs, 'job')} at once.")
    work.work()
    console.note("Stopped. What is not done is left to the other workers.")
    return 0
