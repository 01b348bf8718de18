"""`digest bounce`: a report of failed mail, a complaint or a wish to leave, from a pipe, from files or from the mailbox."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import click

from digest.cli.console import Console, system_words
from digest.errors import ConfigError, StoreError, UsageError
from digest.words import counted

# EX_TEMPFAIL of sysexits.h: a mail system that pipes a mail into us keeps it and tries again.
_TRY_AGAIN = 75
# What is read of one mail; the rest is taken from the pipe and dropped, so that its writer does not fail.
_MOST_BYTES = 1024 * 1024


@click.command()
@click.argument("files", metavar="[FILE…]", nargs=-1, type=click.Path(path_type=Path))
@click.option("--mailbox", is_flag=True, help='Read the new mails of [mail], "mailbox".')
@click.pass_obj
def bounce(console: Console, files: tuple[Path, ...], mailbox: bool) -> int:
    """Take a report of failed mail, a complaint or a wish to leave: one mail on standard input, or in each FILE.

    Says in one line what it changed; nothing is ever answered or sent. Exit code 0 also where nothing changed, so that a mail
    system's pipe never sends the report back; 75 when the store or the configuration cannot be used now: then a mail system keeps
    the mail and tries again.
    """
    if mailbox and files:
        raise UsageError("--mailbox reads the mailbox; give it or files, not both.")
    try:
        lines = _from_mailbox(console) if mailbox else _from(console, files)
    except (StoreError, ConfigError, OSError) as error:
        if mailbox:
            raise
        said = system_words(error) if isinstance(error, OSError) else str(error)
        console.answer({"error": said, "exit_code": _TRY_AGAIN})
        console.fault(f"error: {said}")
        return _TRY_AGAIN
    console.answer({"reports": lines})
    for line in lines:
        console.result(line)
    if mailbox:
        console.note(f"{counted(len(lines), 'new mail')} in the mailbox.")
    return 0


def _from_mailbox(console: Console) -> list[str]:
    with console.app() as app:
        if not app.config.mail.mailbox.host:
            raise UsageError(
                f'{app.config.file} has no mailbox to read: give "mailbox" in [mail] a "host" and a "username".'
            )
        return [taken.line for taken in app.take_reports()]


def _from(console: Console, files: tuple[Path, ...]) -> list[str]:
    mails = [_read(file) for file in files] or [_piped()]
    with console.app() as app:
        return [app.take_report(raw) for raw in mails]


def _piped() -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("no mail on standard input: `digest bounce < message`, or `digest bounce FILE`.")
    return _beginning(sys.stdin.buffer)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_MOST_BYTES)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror}). Give a file with one mail.") from None


def _beginning(stream: BinaryIO) -> bytes:
    found = stream.read(_MOST_BYTES)
    while stream.read(_MOST_BYTES):
        pass
    return found
