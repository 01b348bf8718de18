"""`digest run`: the main job once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import click
from msgspec.structs import asdict

from digest.cli.console import Console, as_long_as_somebody_reads, outdated_words, shown
from digest.config import Config
from digest.errors import UsageError
from digest.model import (
    FAILED_OUTCOMES,
    DeliveryReport,
    DigestReport,
    PublishReport,
    RunReport,
    SourceReport,
)
from digest.words import counted

FIRST_DAY = date(1991, 8, 14)  # the first paper on arXiv


def parse_date(ctx: click.Context, param: click.Parameter, value: str | None) -> date | None:
    if value is None:
        return None
    from digest.app import utc_now

    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no date. Write it as 2026-11-19.") from None
    # A mistyped year would stand in the archive, and in the addresses of its pages, for good.
    if not FIRST_DAY <= day <= utc_now().date() + timedelta(days=366):
        raise click.BadParameter(
            f"{value} is no date of an edition: from {FIRST_DAY} to a year from today. Mend the year."
        )
    return day


@click.command()
@click.argument("places", metavar="[PATH|URL]…", nargs=-1)
@click.option(
    "--date",
    "day",
    callback=parse_date,
    metavar="YYYY-MM-DD",
    help="The edition's local date; default: today.",
)
@click.option("--again", is_flag=True, help="Issue a further edition of a date that has one.")
@click.option(
    "--since",
    callback=parse_date,
    metavar="YYYY-MM-DD",
    help="Ask dated sources also for the days from this one on that were never read.",
)
@click.option("--no-wait", is_flag=True, help="Do not wait for a batch that is not out (wait_until).")
@click.option("--dry-run", is_flag=True, help="Write and send nothing; say what would be done.")
@click.option("--kind", default="auto", help="Kind of the listings named here; default: recognised.")
@click.pass_obj
def run(
    console: Console,
    places: tuple[str, ...],
    day: date | None,
    again: bool,
    since: date | None,
    no_wait: bool,
    dry_run: bool,
    kind: str,
) -> int:
    """Do the main job once: collect, issue, publish, deliver.

    With arguments, reads these listings instead of the configured sources.
    """
    from digest.app import utc_now
    from digest.cli.parse import adhoc_source
    from digest.sources import check_kind

    check_kind(kind)
    if kind != "auto" and not places:
        raise UsageError(
            f"--kind {kind} is of the listings named here, and none is. Name one, or set `kind` of a [[source]] in config.toml."
        )
    adhoc = [adhoc_source(place, kind=kind, cwd=Path.cwd()) for place in places]
    with console.app() as app:
        with console.bar("Sending") as bar:
            report = app.daily(
                utc_now(),
                day=day,
                adhoc=adhoc,
                again=again,
                dry_run=dry_run,
                since=since,
                wait=not no_wait,
                source_done=lambda source: _tell(console, source),
                progress=lambda what, done, total: _progress(console, bar, what, done, total),
            )
        console.answer(asdict(report))
        _summary(console, report, shared=app.is_shared)
        _next_step(console, report, app.config, subscribers=app.store.subscriber_counts().get("confirmed", 0))
    return 3 if report.degraded else 0


def _progress(console: Console, bar: Callable[[int, int], None], what: str, done: int, total: int) -> None:
    if what == "wait":
        console.note(f"A batch is not out yet: asking again in {total} s (--no-wait goes on without it).")
    else:
        bar(done, total)


def _tell(console: Console, report: SourceReport) -> None:
    line = f"{report.name}: {report.outcome}, {counted(report.read, 'paper')} read, {report.new} new, {report.seen} seen"
    console.note(line + (f", {report.updated} updated" if report.updated else ""))
    if report.why and not report.error and not report.new + report.updated:
        console.note(f"  why: {report.why}")
    for message in (report.error or "").splitlines():
        console.fault(f"error: {message}")
    for note in report.notes:
        console.note(f"note: {note}")


def _summary(console: Console, report: RunReport, *, shared: bool) -> None:
    console.table(
        ["source", "outcome", "read", "new", "updated", "seen", "failed", "seconds"],
        [(s.name, s.outcome, s.read, s.new, s.updated, s.seen, s.failed, s.seconds) for s in report.sources],
    )
    console.result()
    if not report.sources:
        console.result("No source is enabled, so nothing was asked: see `digest sources`.")
    for digest in report.digests:
        many = f"{digest.name}: " if len(report.digests) > 1 else ""
        console.result(many + " ".join(_digest_words(digest, dry=report.dry_run)))
    failed = sum(source.outcome in FAILED_OUTCOMES for source in report.sources)
    if failed:
        console.result(console.paint(f"{counted(failed, 'source')} failed: see above.", "bad"))
    for words in published_words(report.published):
        console.result(words)
    if report.lookups.looked_up:
        found = report.lookups
        counts = f"{found.hits} found, {found.misses} not, {found.failed} to be tried again"
        console.result(f"Looked up {counted(found.looked_up, 'paper')}: {counts}.")
    if shared and not report.dry_run:
        console.result(left_words(report.deliveries))
        return
    for words in delivery_words(report.deliveries, dry_run=report.dry_run):
        console.result(words)


def _digest_words(digest: DigestReport, *, dry: bool) -> list[str]:
    edition, waiting, dropped, notices = digest.edition, digest.waiting, digest.dropped, digest.notices
    words = []
    if edition:
        words.append(f"{counted(edition.papers, 'new paper')} in edition {edition.id}.")
    elif waiting:
        words.append(
            f"No edition: today's is out already. {counted(waiting, 'paper')} wait for the next one (--again issues it now)."
        )
    else:
        words.append("Nothing new.")
    if notices:
        words.append(
            f"{counted(notices, 'reader')} who asked to hear that {'is' if notices == 1 else 'are'} told."
        )
    if dropped:
        words.append(f"{counted(dropped, 'paper')} left out by the rules.")
    if dry:
        words.append("This was a dry run: nothing was written or sent.")
    return words


def published_words(report: PublishReport) -> list[str]:
    """What the places elsewhere took, and which pages show old settings, as lines for people; none where there are none."""
    lines = [
        f"{target.name}: {target.error}"
        if target.error
        else f"{target.name}: {counted(target.written, 'file')} written, {target.unchanged:,} unchanged."
        for target in report.targets
    ]
    if report.unpinged:
        lines.append(f"The hub was not reached for {counted(report.unpinged, 'feed')}; readers poll.")
    return lines + [outdated_words(digest, settings) for digest, settings in report.outdated.items()]


def delivery_words(d: DeliveryReport, *, dry_run: bool = False) -> list[str]:
    """What became of the mail, as lines for people; none where there was none."""
    if dry_run:
        return [f"{counted(d.queued, 'mail')} would be sent."] if d.queued else []
    words = [
        f"{count:,} {word}"
        for count, word in (
            (d.accepted, "accepted"),
            (d.deferred, "deferred"),
            (d.rejected, "rejected"),
            (d.suppressed, "not sent, they have left"),
            (d.expired, "expired"),
            (d.held, "held in doubt"),
            (d.queued, "still queued"),
        )
        if count
    ]
    lines = [f"Mail: {', '.join(words)}."] if words else []
    return lines + ([f"Mail stopped: {d.error}"] if d.error else [])


def left_words(d: DeliveryReport) -> str:
    """What is left to workers, as a line for people."""
    if not d.queued:
        return "No mail waits."
    return f"{counted(d.queued, 'mail')} left to the workers (`digest worker`): see `digest status`."


def _next_step(console: Console, report: RunReport, config: Config, *, subscribers: int) -> None:
    """How to look at what was made, and what a first run would do next."""
    editions = [digest for digest in report.digests if digest.edition]
    if console.json or report.dry_run or console.quiet:
        return
    output = config.resolve(config.site.output)
    if editions:
        edition = editions[0].edition
        assert edition is not None
        page = output / edition.url.removeprefix(config.site.url) / "index.html"
        console.result()
        console.result(f"Read it   {shown(page)}")
        feeds = output / config.home_url.removeprefix(config.site.url)
        console.result(f"Feeds     {shown(feeds)}/rss.xml  atom.xml  feed.json")
        if config.mail.transport == "folder" and report.deliveries.accepted:
            console.result(f"Mail      {shown(config.resolve(config.mail.folder))}/*.eml")
    if not subscribers:
        console.note(
            "\nNobody gets mail yet: `digest subscribers add you@example.org` adds the first subscriber."
        )
    with as_long_as_somebody_reads():
        sys.stdout.flush()
