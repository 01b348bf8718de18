"""`digest send`, `digest rebuild`: what is done with editions that exist."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from digest.cli.console import Console, shown
from digest.cli.run import delivery_words, left_words, parse_date
from digest.cli.status import letters_words
from digest.errors import DigestError
from digest.words import counted

if TYPE_CHECKING:
    from digest.app import App


@click.command()
@click.option(
    "--to", "address", metavar="ADDRESS", help="One copy of the newest edition to that address only."
)
@click.option(
    "--date", "day", callback=parse_date, metavar="YYYY-MM-DD", help="With --to: the edition of that day."
)
@click.pass_obj
def send(console: Console, address: str | None, day: date | None) -> int:
    """Deliver what is queued or due again."""
    from digest.app import utc_now
    from digest.mail.envelope import without_addresses
    from digest.subscriptions import checked_address

    if day is not None and address is None:
        raise click.UsageError("--date goes with --to; without it everything queued is sent")
    checked = None if address is None else checked_address(address)
    with console.app() as app:
        if checked is None:
            return _send_queued(console, app)
        edition, receipt = app.send_to(checked, day=day, now=utc_now())
    # Without the address, which servers repeat: what a timer prints is kept in a log.
    text = without_addresses(receipt.text)
    console.answer(
        {
            "edition": edition.id,
            "status": receipt.status,
            "reply_code": receipt.reply_code,
            "text": text,
        }
    )
    answer = f": {receipt.reply_code} {text}" if receipt.reply_code else ""
    console.result(f"Edition {edition.id}: {receipt.status}{answer.rstrip('.')}.")
    return 0 if receipt.status == "accepted" else 3


def _send_queued(console: Console, app: App) -> int:
    """The exit code, after all that is due was sent."""
    from digest.app import utc_now
    from digest.model import RunReport

    before = app.store.letters_waiting()
    with console.bar("Sending") as bar:
        report = app.send(progress=lambda what, done, total: bar(done, total))
    letters = app.store.letters_waiting()
    console.answer({"deliveries": report, "letters": {"waiting": letters}})
    words = [left_words(report)] if app.is_shared else delivery_words(report)
    words = [line for line in (*words, letters_words(letters, before - letters)) if line]
    console.result("\n".join(words)) if words else console.note("Nothing is queued.")
    degraded = RunReport(date=app.today(utc_now()), seconds=0, deliveries=report).degraded
    # Where timers call the program, this one still comes when that of the runs does not.
    try:
        app.watch(utc_now())
    except DigestError as error:
        console.fault(f"error: {error}")
        return 3 if degraded else 1
    return 3 if degraded else 0


@click.command()
@click.pass_obj
def rebuild(console: Console) -> None:
    """Rewrite the output folder from the store; files that have the right bytes already are not touched."""
    with console.app() as app:
        report = app.rebuild()
        output = app.config.resolve(app.config.site.output)
    console.answer({"published": {"written": report.written, "unchanged": report.unchanged}})
    console.result(
        f"{shown(output)}: {counted(report.written, 'file')} written, {report.unchanged:,} unchanged."
    )
