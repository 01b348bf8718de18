"""`digest preview`: mail, text and pages of an edition, in a folder or in a browser that follows the templates."""

from __future__ import annotations

import os
import sys
import threading
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.console import Console, shown
from digest.cli.run import parse_date
from digest.process import on_stop_signals
from digest.words import counted

if TYPE_CHECKING:
    from digest.previewing import Build

FOLDER = Path("var/preview")


@click.command()
@click.option(
    "--date",
    "day",
    callback=parse_date,
    metavar="YYYY-MM-DD",
    help="The edition of that day; default: the newest.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help=f"Folder to write to; default: {FOLDER}.",
)
@click.option(
    "--watch",
    is_flag=True,
    help="Show it in a browser, and again whenever a template or the configuration changes, until Ctrl-C.",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="N",
    help="With --watch: its port; default: any free one.",
)
@click.option(
    "--open",
    "opened",
    type=click.Choice(["yes", "no"]),
    help="With --watch: open the browser, as it does on a terminal with a screen.",
)
@click.pass_obj
def preview(
    console: Console, day: date | None, out: Path | None, watch: bool, port: int | None, opened: str | None
) -> None:
    """Write mail, text and pages of an edition to a folder, without publishing or sending anything."""
    if watch:
        if out is not None:
            raise click.UsageError("--watch keeps its files to itself; leave out --watch or --out")
        _watch(console, day, port or 0, opened)
        return
    if port or opened:
        raise click.UsageError("--port and --open go with --watch")
    folder = Path.cwd() / (out or FOLDER)
    with console.app() as app:
        edition, report = app.preview(folder, day=day)
        root = folder / (app.config.digest_named(edition.digest).path or "") / edition.path
    files = [root / name for name in ("index.html", "email.html", "email.txt")]
    console.answer(
        {"edition": edition.id, "folder": str(root), "written": report.written, "unchanged": report.unchanged}
    )
    console.result(f"Edition {edition.id}, {counted(edition.count, 'paper')}:")
    for file in files:
        console.result(f"  {shown(file)}")


def _watch(console: Console, day: date | None, port: int, opened: str | None) -> None:
    from digest.previewing import Preview

    stop = threading.Event()
    with Preview(console.config, day=day, port=port) as followed:
        on_stop_signals(stop.set)
        console.answer(
            {"address": followed.address, "edition": followed.first.edition, "pages": followed.pages}
        )
        if followed.first.error is None:
            console.result(f"Edition {followed.first.edition}:")
            for name, url in followed.pages.items():
                console.result(f"  {name:8} {url}")
        else:
            _tell(console, followed.first)
            console.result(f"  home     {followed.address}")
        if opened == "yes" or (opened is None and _has_screen()):
            import webbrowser

            webbrowser.open(followed.pages.get("home", followed.address))
        console.note("Change a template or the configuration, and open pages show it. Ctrl-C ends this.")
        followed.follow(stop, lambda build: _tell(console, build))
    console.note("Stopped.")


def _tell(console: Console, build: Build) -> None:
    what = ", ".join(shown(path) for path in build.because[:3]) + (" …" if build.because[3:] else "")
    if build.error is not None:
        console.fault(f"{f'{what}: ' if what else ''}error: {build.error}")
    else:
        console.note(f"{what}: edition {build.edition} built again in {build.seconds:.1f} s")


def _has_screen() -> bool:
    """Is somebody there who could look? A browser for terminals would take this one over."""
    if not sys.stdout.isatty():
        return False
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
