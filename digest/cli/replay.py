"""`digest replay`: a day done again from the pages that were kept."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from digest.cli.console import Console
from digest.cli.run import parse_date
from digest.paths import exists
from digest.words import counted

if TYPE_CHECKING:
    from digest.pipeline.replay import Replayed


@click.command()
@click.argument("day", metavar="YYYY-MM-DD", callback=parse_date)
@click.option(
    "--into",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the fresh store that the day is done in: a file that does not exist yet.",
)
@click.pass_obj
def replay(console: Console, day: date, into: Path | None) -> int:
    """Make the editions of a day again, in a fresh store, from the pages that were read, and compare.

    Sends and publishes nothing. Ends with 1 where an edition is not byte for byte what was sent.
    """
    from digest.errors import UsageError
    from digest.pipeline.replay import replay as do_again
    from digest.store import open_store

    if into is not None and exists(into):
        raise UsageError(f"{into} exists. Name a file that does not: the day is done in a fresh store.")
    with console.app() as app, tempfile.TemporaryDirectory(prefix="digest-replay-") as folder:
        place = into.absolute() if into else Path(folder) / "fresh.db"
        try:
            with open_store(f"sqlite:///{quote(str(place))}") as fresh:
                found = do_again(day, app.store, fresh, app.config)
        except BaseException:
            # Half a store would be in the way of the next try.
            for ending in ("", "-wal", "-shm"):
                Path(f"{place}{ending}").unlink(missing_ok=True)
            raise
    console.answer({"date": day, "editions": [_object(item) for item in found]})
    if not found:
        console.result(f"{day}: no edition was made on that day, and none comes of its pages.")
    for item in found:
        papers = counted(item.sent.count if item.sent else 0, "paper")
        words = "the same again, byte for byte" if item.same else "not the same again"
        console.result(f"{item.digest} {item.edition}, {papers}: {words}.")
        for line in item.differences:
            console.result(f"  {line}")
    return 0 if all(item.same for item in found) else 1


def _object(item: Replayed) -> dict[str, object]:
    return {
        "digest": item.digest,
        "edition": item.edition,
        "papers": item.sent.count if item.sent else 0,
        "same": item.same,
        "differences": item.differences,
    }
