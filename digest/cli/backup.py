"""`digest backup`, `digest restore`: the store in one file, and back."""

from __future__ import annotations

import shlex
from pathlib import Path
from urllib.parse import quote

import click
from msgspec.structs import asdict

from digest.cli.console import Console, shown
from digest.words import counted


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def backup(console: Console, file: Path) -> None:
    """Write the whole store into FILE, also while it is in use. An older FILE is replaced when the new one is whole.

    It holds the addresses of readers and the secret of their links: it is readable by this user alone.
    """
    from digest.app.keeping import back_up

    with console.bar("Copying") as bar:
        size = back_up(console.config(), file.absolute(), done=lambda rows: bar(rows, None))
    console.answer({"path": str(file.absolute()), "bytes": size})
    console.result(f"{shown(file.absolute())}: {counted(size, 'byte')}.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Also when the store holds something: that is kept in a file.")
@click.pass_obj
def restore(console: Console, file: Path, replace: bool) -> None:
    """Put what FILE holds in place of the store's content.

    What happened since the backup is forgotten. But who left since then stays out, what readers chose since then stands, and a mail
    that waited and went out since then does not go again, as far as the store that is replaced can tell.
    """
    from digest.app import utc_now
    from digest.app.keeping import restore as put_back

    config = console.config()
    with console.bar("Copying") as bar:
        found = put_back(
            config, file.absolute(), replace=replace, now=utc_now(), done=lambda rows: bar(rows, None)
        )
    console.answer(asdict(found) | {"kept": str(found.kept) if found.kept else None})
    console.result(
        f"{config.store.shown}: {counted(found.editions, 'edition')}, {counted(found.subscribers, 'subscriber')}."
    )
    if found.kept:
        console.note(f"What was there before is kept in {shown(found.kept)}.")
    if found.let_go:
        console.note(
            f"{counted(found.let_go, 'reader')} of the backup had left since, or may get no mail: they stay out."
        )
    if found.kept and found.newer:
        console.note(
            f"{counted(found.newer, 'reader')} came since and stand in that file alone. To take them over: "
            f"`digest --store {shlex.quote(f'sqlite:///{quote(str(found.kept))}')} subscribers export since.csv`, then "
            "`digest subscribers import since.csv`."
        )
    if found.damaged:
        console.fault(
            "What was there before is damaged: not all who had left, or chosen anew, may be known. Before the next run, look for "
            "them in what your server and mailbox keep of the time since the backup, "
            "and take them out with `digest subscribers remove`."
        )
    if found.ended:
        console.note(
            f"Of the mails that waited when the backup was made {found.ended:,} had gone out since, or are not to any more."
        )
    if found.waiting:
        unknown = ", also what was sent since" if found.damaged or not found.kept else ""
        console.note(
            f"{counted(found.waiting, 'mail')} waited when the backup was made: the next run sends what is not too old{unknown}."
        )
    if found.kept:
        console.note(
            "What editions brought since the backup was made is new again, and comes once more with the next run."
        )
    console.note("The pages follow with `digest rebuild`.")
