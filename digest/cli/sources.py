"""`digest sources`: which listings are read, and what one of them gives right now."""

from __future__ import annotations

import click

from digest.cli.console import Console, plural
from digest.errors import DigestError, UsageError


@click.group()
def sources() -> None:
    """List and try sources."""


@sources.command("list")
@click.option(
    "--kinds", is_flag=True, help="The kinds of listing that can be read, in place of the configured sources."
)
@click.pass_obj
def list_(console: Console, kinds: bool) -> None:
    """Show the configured sources, or with --kinds what `kind` may be."""
    if kinds:
        from digest.sources import KINDS

        described = {name: _first_line(name) for name in KINDS}
        console.answer({"kinds": described})
        console.table(["kind", "reads"], [("auto", "Recognised by content."), *described.items()])
        return
    config = console.config()
    console.answer(
        {
            "sources": [
                {"name": s.name, "kind": s.kind, "place": s.url or s.path, "enabled": s.enabled}
                for s in config.source
            ]
        }
    )
    if not config.source:
        console.result(
            f'{config.file} has no [[source]] yet. Add [[source]] with name = "…" and url = "https://…".'
        )
        return
    console.table(
        ["source", "kind", "reads", "enabled"],
        [(s.name, s.kind, s.url or s.path, "yes" if s.enabled else "no") for s in config.source],
    )


@sources.command()
@click.argument("name")
@click.pass_obj
def test(console: Console, name: str) -> int:
    """Read one source now and show what it gives; touches no store."""
    from digest.app import utc_now
    from digest.cli.parse import listing_object, show_listing

    with console.app() as app:
        found = [source for source in app.config.source if source.name == name]
        if not found:
            known = ", ".join(source.name for source in app.config.source) or "none"
            raise UsageError(f'no source "{name}" in {app.config.file}. Known: {known}.')
        readings = list(app.readings(found, now=utc_now()))
    console.answer(
        {"listings": [listing_object(location, found[0].kind, reading) for location, reading in readings]}
    )
    for location, reading in readings:
        show_listing(console, location, reading)
    failed = sum(isinstance(reading, DigestError) for _, reading in readings)
    console.result(f"{plural(len(readings), 'listing')}, {failed} failed.")
    return 3 if failed else 0


def _first_line(kind: str) -> str:
    from importlib import import_module

    from digest.sources import KINDS

    return (import_module(KINDS[kind]).__doc__ or "").strip().splitlines()[0]
