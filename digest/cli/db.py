"""`digest db copy`: what is done with stores as a whole."""

from __future__ import annotations

import click

from digest.cli.console import Console
from digest.words import counted


@click.group()
def db() -> None:
    """Move an installation from one store to another."""


@db.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.pass_obj
def copy(console: Console, source: str, target: str) -> None:
    """Copy everything from the store FROM into the empty store TO.

    Both are addresses as in [store] url, of SQLite or PostgreSQL, in either direction: editions, readers, links in sent mails and
    feeds stay the same. Stop `digest serve` and workers first. FROM is left as it is; afterwards set [store] url to TO.
    """
    from digest.app import utc_now
    from digest.app.keeping import copy_store

    with console.bar("Copying") as bar:
        rows = copy_store(console.config(), source, target, now=utc_now(), done=lambda rows: bar(rows, None))
    console.answer({"rows": rows, "total": sum(rows.values())})
    console.result(
        f"{counted(sum(rows.values()), 'row')} copied: {counted(rows['editions'], 'edition')}, "
        f"{counted(rows['papers'], 'paper')}, {counted(rows['subscribers'], 'subscriber')}."
    )
    console.note(
        "Now set [store] url to the new store, and use the old one no more: mails would go out twice."
    )
