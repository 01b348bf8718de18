"""`digest subscribers`: who gets mail, from the shell."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from digest.cli.console import Console, as_long_as_somebody_reads, shown
from digest.errors import UsageError
from digest.model import ON_THE_LIST, SubscriberStatus
from digest.paths import exists, is_file
from digest.process import part_of
from digest.words import counted

if TYPE_CHECKING:
    from digest.model import Preferences


@click.group()
def subscribers() -> None:
    """List, add, import, export, remove and erase subscribers."""


@subscribers.command("list")
@click.option(
    "--status",
    type=click.Choice(get_args(SubscriberStatus)),
    help="Only those.",
)
@click.pass_obj
def list_(console: Console, status: str | None) -> None:
    """Show every subscriber with status, digests, choices and the day they were added."""
    with console.app() as app:
        found = app.store.subscribers(status)
    console.answer(
        {
            "subscribers": [
                {
                    "address": s.address,
                    "status": s.status,
                    "digests": list(s.digests),
                    "preferences": s.preferences,
                    "since": s.since,
                }
                for s in found
            ]
        }
    )
    if found:
        console.table(
            ["address", "status", "digests", "choices", "since"],
            [
                (
                    s.address,
                    f"paused until {s.paused_until}" if s.status == "paused" else s.status,
                    ", ".join(s.digests) or "all",
                    _choices(s.preferences),
                    f"{s.since:%Y-%m-%d}",
                )
                for s in found
            ],
        )
        console.result()
    console.result(f"{counted(len(found), 'subscriber')}.")


def _choices(preferences: Preferences) -> str:
    """Choices in a few words: "weekly, 7 h, 2 topics"; "" where nothing was chosen."""
    said = [
        "" if preferences.frequency == "daily" else preferences.frequency,
        "" if preferences.hour is None else f"{preferences.hour} h {preferences.timezone}".strip(),
        "" if preferences.topics is None else counted(len(preferences.topics), "topic"),
        f"most {preferences.most}" if preferences.most else "",
        f"follows {len(preferences.follow)}" if preferences.follow else "",
        f"mutes {len(preferences.mute)}" if preferences.mute else "",
        "text only" if preferences.text_only else "",
        "also nothing new" if preferences.empty else "",
    ]
    return ", ".join(filter(None, said))


@subscribers.command()
@click.argument("addresses", metavar="ADDRESS…", nargs=-1, required=True)
@click.option("--digest", "digests", multiple=True, metavar="NAME", help="Only this digest; may be repeated.")
@click.pass_obj
def add(console: Console, addresses: tuple[str, ...], digests: tuple[str, ...]) -> None:
    """Add addresses whose owners asked for it; this counts as confirmed by the operator."""
    from digest.app import utc_now
    from digest.subscriptions import add as add_all
    from digest.subscriptions import checked_address, has_left

    with console.app() as app:
        known = [digest.name for digest in app.config.digest]
        for name in digests:
            if name not in known:
                raise UsageError(f'no digest "{name}". Known: {", ".join(known)}.')
        gone = [has_left(app.store, checked_address(address)) for address in addresses]
        results = add_all(app.store, addresses, digests=digests, now=utc_now())
    back = [s.address for (s, new), had_left in zip(results, gone, strict=True) if new and had_left]
    console.answer(
        {
            "added": [s.address for s, new in results if new],
            "known": [s.address for s, new in results if not new],
            "had_left": back,
        }
    )
    for subscriber, new in results:
        console.result(f"{subscriber.address}: {'added' if new else 'was subscribed already'}.")
    for address in back:
        console.note(
            f"{address} had unsubscribed. If nobody there asked for mail again: `digest subscribers remove {address}`."
        )


@subscribers.command()
@click.argument("addresses", metavar="ADDRESS…", nargs=-1, required=True)
@click.pass_obj
def remove(console: Console, addresses: tuple[str, ...]) -> int:
    """Take addresses off; what is queued for them is not sent any more."""
    from digest.app import utc_now
    from digest.subscriptions import remove as remove_all

    with console.app() as app:
        results = remove_all(app.store, addresses, now=utc_now())
    unknown = [address for address, was in results if not was]
    console.answer({"removed": [address for address, was in results if was], "unknown": unknown})
    for address, was in results:
        if was:
            console.result(f"{address}: removed; gets no more mail.")
        else:
            console.fault(f"{address}: not subscribed. See `digest subscribers list`.")
    return 1 if unknown else 0


# ---------------------------------------------------------------- lists


@subscribers.command("import")
@click.argument("file", metavar="FILE.csv")
@click.option("--consented-at", metavar="DATE", help="When people in rows without a time asked for it.")
@click.option("--dry-run", is_flag=True, help="Say what would be added and refused, and keep nothing.")
@click.pass_obj
def import_(console: Console, file: str, consented_at: str | None, dry_run: bool) -> int:
    """Add the people of a CSV file ("-": standard input), each with the time at which they asked for mail.

    Columns: address, consented_at (or since), and if you like digests (names with ; between them), preferences (JSON) and
    paused_until. Who has left, bounced, complained or was erased is refused, and so are rows without a time or with a fault; the
    others are added together. Exit code 3 if some were refused.
    """
    from digest.app import utc_now
    from digest.subscriptions import import_rows

    now, text = utc_now(), _text_of(file)
    since = _consented(consented_at, now)
    with console.app() as app:
        done = import_rows(
            app.store, text, digests=app.config.digest, now=now, consented_at=since, dry_run=dry_run
        )
    console.answer({"added": done.added, "refused": done.refused, "dry_run": dry_run})
    for row in done.refused:
        console.fault(f"line {row.line}: {row.reason.rstrip('.')}.")
    would = "would be " if dry_run else ""
    console.result(
        f"{counted(done.added, 'subscriber')} {would}added, {counted(len(done.refused), 'row')} {would}refused."
    )
    return 3 if done.refused else 0


def _consented(text: str | None, now: datetime) -> datetime | None:
    from digest.subscriptions import moment_of

    if text is None:
        return None
    found = moment_of(text)
    if found is None or found > now:
        raise UsageError(
            f"--consented-at {text}: no date or time that has passed. Write 2026-11-19 or 2026-11-19T08:00:00Z."
        )
    return found


def _text_of(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}. Give the path of a CSV file.") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{file}, line {line} is no UTF-8. Save the file as CSV in UTF-8.") from None


@subscribers.command()
@click.argument("file", metavar="[FILE.csv]", required=False)
@click.option("--all", "everybody", is_flag=True, help="Every subscriber, with the column status.")
@click.pass_obj
def export(console: Console, file: str | None, everybody: bool) -> None:
    """Write who gets mail (confirmed and paused) as CSV that import reads; to standard output without FILE."""
    from digest.subscriptions import export_rows

    with console.app() as app:
        if file is not None and app.config.publishes(Path(file)):
            raise UsageError(
                f"{file} would be published, and a list holds the addresses of readers. Name another place."
            )
        if file is not None and _holds_something_else(Path(file)):
            raise UsageError(
                f"{file} is there and is no list of readers: it would be lost. Name another file."
            )
        found = app.store.subscribers()
    if not everybody:
        found = [one for one in found if one.status in ON_THE_LIST]
    text = export_rows(found, status=everybody)
    if file is None or file == "-":
        console.answer({"subscribers": len(found), "csv": text})
        if not console.json:
            with as_long_as_somebody_reads():
                sys.stdout.buffer.write(text.encode())
                sys.stdout.flush()
        return
    _write(Path(file), text)
    console.answer({"subscribers": len(found), "file": file})
    console.result(f"{counted(len(found), 'subscriber')} written to {file}.")


def _holds_something_else(path: Path) -> bool:
    """Is it a file that no export wrote, such as the configuration or the store?"""
    if not is_file(path):
        return False
    try:
        with path.open("rb") as file:
            return not b"address,".startswith(file.read(8))
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Give another path.") from None


def _write(path: Path, text: str) -> None:
    """Readable by this user only: it is a list of addresses. A file that is there stays until the new one is whole."""
    is_stream = exists(path) and not is_file(path)  # a pipe, /dev/stdout into one
    path = path if is_stream else path.resolve()  # a link stays one
    part = part_of(path)
    try:
        if is_stream:
            path.write_bytes(text.encode())
            return
        # Not one that is there: in a folder of many it may be somebody else's, who would read along.
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(text.encode())
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}. Give another path.") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


# ---------------------------------------------------------------- traces


@subscribers.command()
@click.argument("addresses", metavar="ADDRESS…", nargs=-1, required=True)
@click.pass_obj
def erase(console: Console, addresses: tuple[str, ...]) -> int:
    """Remove every trace of addresses from the store, and their mails from the outbox folder.

    A keyed hash stays, so that no import mails them again. They themselves may subscribe again.
    """
    from digest.app import utc_now
    from digest.subscriptions import erase as erase_one

    erased: list[str] = []
    unknown: list[str] = []
    left: list[str] = []
    mails = 0
    with console.app() as app:
        for address in addresses:
            message_ids = erase_one(app.store, address, now=utc_now())
            (unknown if message_ids is None else erased).append(address)
            removed, stuck = app.erase_outbox(message_ids or [])
            mails += removed
            left += [shown(file) for file in stuck]
        copies = [shown(path) for path in app.store.copies()] if erased else []
    console.answer({"erased": erased, "unknown": unknown, "mails": mails, "left": left, "copies": copies})
    for address in erased:
        console.result(f"{address}: erased.")
    if mails:
        console.result(f"{counted(mails, 'mail')} removed from the outbox folder.")
    for copy in copies:
        console.note(f"{copy} is a copy of the store from before and may still hold the address. Delete it.")
    for file in left:
        console.fault(f"{file} is a mail to an address that was erased, and could not be removed. Delete it.")
    for address in unknown:
        console.fault(f"{address}: not known, so nothing was erased. See `digest subscribers list`.")
    return 1 if unknown or left else 0


@subscribers.command()
@click.argument("addresses", metavar="ADDRESS…", nargs=-1, required=True)
@click.pass_obj
def allow(console: Console, addresses: tuple[str, ...]) -> int:
    """Lift the suppression of addresses. This does not subscribe them: `add` does, or they themselves."""
    from digest.app import utc_now
    from digest.subscriptions import allow as allow_one

    with console.app() as app:
        results = [(address, allow_one(app.store, address, now=utc_now())) for address in addresses]
    free = [address for address, lifted in results if not lifted]
    console.answer({"allowed": [address for address, lifted in results if lifted], "not_suppressed": free})
    for address, lifted in results:
        if lifted:
            console.result(
                f"{address}: allowed again. If its owner asked for it: `digest subscribers add {address}`."
            )
        else:
            console.fault(
                f"{address}: was not suppressed, so nothing changed. See `digest subscribers list --status suppressed`."
            )
    return 1 if free else 0
