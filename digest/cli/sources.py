"""`digest sources`: which listings are read, what one of them gives right now, and whether it is read at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import click

from digest.cli.console import Console
from digest.config import Config, SourceConfig, nearest
from digest.errors import DigestError, ParseError, UsageError
from digest.model import Listing, NotModified, Reading
from digest.words import counted

if TYPE_CHECKING:
    from digest.app import App
    from digest.sources.selectors import Found


@click.group()
def sources() -> None:
    """List and try sources, and switch them on and off."""


# ---------------------------------------------------------------- list


@sources.command("list")
@click.option(
    "--kinds", is_flag=True, help="The kinds of listing that can be read, in place of the configured sources."
)
@click.pass_obj
def list_(console: Console, kinds: bool) -> None:
    """Show the configured sources, or with --kinds what `kind` may be."""
    if kinds:
        _list_kinds(console)
        return
    config = console.config()
    console.answer({"sources": [_source_object(config, source) for source in config.source]})
    if not config.source:
        console.result(
            f'{config.file} has no [[source]] yet. Add [[source]] with name = "…" and url = "https://…".'
        )
        return
    rows = [row for source in config.source for row in _rows(config, source)]
    console.table(["source", "kind", "enabled", "digests", "reads"], rows)


def _source_object(config: Config, source: SourceConfig) -> dict[str, Any]:
    return {
        "name": source.name,
        "kind": source.kind,
        "place": source.url or source.path,
        "enabled": source.enabled,
        "digests": [digest.name for digest in config.followers(source.name)],
        "watch": source.watch,
        "routes": list(source.routes),
    }


def _rows(config: Config, source: SourceConfig) -> list[tuple[str, str, str, str, str]]:
    """A source, and a further row for each of its routes. The place comes last: it may be long, and is there to be copied."""
    digests = ", ".join(digest.name for digest in config.followers(source.name)) or "none"
    place = f"{source.path} (watched: each page once)" if source.watch else source.url or source.path
    first = (source.name, source.kind, "yes" if source.enabled else "no", digests, place)
    return [first, *(("", "", "", "", f"and {route}") for route in source.routes)]


def _list_kinds(console: Console) -> None:
    from digest.sources import BUILT_IN, KINDS, plugins

    described = {name: _first_line(name) for name in KINDS}
    packages, warnings = {}, []
    for name, given_by in plugins.kinds().items():
        if name in BUILT_IN:
            warnings.append(
                f'{", ".join(given_by)} has a kind "{name}", which is built in: it is not used. Ask its authors for another name.'
            )
            continue
        packages[name] = ", ".join(given_by)
        try:
            described[name] = plugins.described(name)
        except ParseError as error:
            described[name] = "(cannot be used, see below)"
            warnings.append(str(error))
    console.answer({"kinds": described, "packages": packages, "warnings": warnings})
    rows = [("auto", "Recognised by content."), *described.items()]
    if packages:
        console.table(
            ["kind", "from", "reads"],
            [(name, packages.get(name, "digest"), reads) for name, reads in rows],
        )
    else:
        console.table(["kind", "reads"], rows)
    for warning in warnings:
        console.fault(f"warning: {warning}")


def _first_line(kind: str) -> str:
    from importlib import import_module

    from digest.sources import KINDS

    return (import_module(KINDS[kind]).__doc__ or "").strip().splitlines()[0]


# ---------------------------------------------------------------- test


@sources.command()
@click.argument("name")
@click.pass_obj
def test(console: Console, name: str) -> int:
    """Read one source now and show what it gives; touches no store.

    Of a source with kind "selectors" also what each selector found.
    """
    from digest.app import utc_now

    with console.app() as app:
        source = _named(app.config, name)
        tried = list(_tried(app, source, now=utc_now()))
    console.answer({"listings": [_listing_object(source, *each) for each in tried]})
    for location, reading, found in tried:
        _show(console, location, reading, found)
    failed = sum(isinstance(reading, DigestError) or bool(reading.truncated) for _, reading, _ in tried)
    console.result(f"{counted(len(tried), 'listing')}, {failed} failed.")
    return 3 if failed else 0


def _named(config: Config, name: str) -> SourceConfig:
    found = next((source for source in config.source if source.name == name), None)
    if found is None:
        known = [source.name for source in config.source]
        mend = nearest(name, known) if known else "It has none."
        raise UsageError(f'no source "{name}" in {config.file}. {mend}')
    return found


def _tried(
    app: App, source: SourceConfig, *, now: datetime
) -> Iterator[tuple[str, Reading | DigestError, Sequence[Found]]]:
    """Where each listing of a source is, what it gives now and what the selectors find; where an address names a day, today's."""
    from msgspec.structs import replace

    from digest.asks import on_day
    from digest.sources import read

    # One visit, as in a run: the source's headers go to its own host and to none of its routes.
    visit = app.fetcher.visit(replace(source, url=on_day(source.url, now.date())), now=now)
    for route in (source.url, *source.routes):
        address = on_day(route, now.date())
        for listing in [visit.ask(address)] if address else visit.files():
            if isinstance(listing, NotModified):
                continue  # an answer to a question that was not asked
            if not isinstance(listing, Listing):
                yield listing.url or address or source.path, listing, ()
                continue
            try:
                reading: Reading | DigestError = read(listing, source.kind, selectors=source.selectors)
            except DigestError as error:
                reading = error
            yield listing.location, reading, _survey(listing, source)


def _survey(listing: Listing, source: SourceConfig) -> Sequence[Found]:
    if source.kind != "selectors":
        return ()
    from digest.sources.selectors import survey

    try:
        return survey(listing, source.selectors)
    except ParseError:  # the reading has told it
        return ()


def _listing_object(
    source: SourceConfig, location: str, reading: Reading | DigestError, found: Sequence[Found]
) -> dict[str, Any]:
    from msgspec import to_builtins

    from digest.cli.parse import listing_object
    from digest.text import truncate

    shown = listing_object(location, source.kind, reading)
    if source.kind == "selectors":
        shown["next_url"] = reading.next_url or None if isinstance(reading, Reading) else None
        shown["selectors"] = [to_builtins(each) | {"first": truncate(each.first, 200)} for each in found]
    return shown


def _show(console: Console, location: str, reading: Reading | DigestError, found: Sequence[Found]) -> None:
    from digest.cli.parse import show_listing

    show_listing(console, location, reading)
    if isinstance(reading, Reading) and reading.next_url:
        console.result(f"Its next page: {reading.next_url}")
    if not found:
        return
    _found_table(console, found)
    told = str(reading) if isinstance(reading, DigestError) else "\n".join(reading.notes)
    for each in found:
        if each.hint and each.hint not in told:
            console.fault(f"nothing found: {each.hint}")


def _found_table(console: Console, found: Sequence[Found]) -> None:
    """One row for each selector; selectors and values as wide as the terminal allows."""
    from digest.text import truncate

    width = int(os.environ.get("COLUMNS") or 0) or get_terminal_size((100, 24)).columns
    room = width - len("categories  ") - len("found  lacking  ")
    widest = min(max(len(each.selector) for each in found), max(room * 2 // 5, 10))
    console.result()
    console.table(
        ["name", "selector", "found", "lacking", "first value"],
        [
            (
                each.name,
                truncate(each.selector, widest),
                str(each.having).rjust(5),
                "" if each.lacking is None else str(each.lacking).rjust(7),
                truncate(each.first, max(room - widest - 2, 10)),
            )
            for each in found
        ],
    )
    console.result()


# ---------------------------------------------------------------- enable, disable


@sources.command()
@click.argument("name")
@click.pass_obj
def enable(console: Console, name: str) -> None:
    """Read a source again.

    Sets `enabled` in config.toml and leaves every other letter of it alone.
    """
    _switch(console, name, True)


@sources.command()
@click.argument("name")
@click.pass_obj
def disable(console: Console, name: str) -> None:
    """Leave a source out until it is enabled again.

    Sets `enabled` in config.toml and leaves every other letter of it alone; what was read of the source stays.
    """
    _switch(console, name, False)


def _switch(console: Console, name: str, enabled: bool) -> None:
    from digest.cli.tomledit import set_enabled

    config = console.config()
    source = _named(config, name)
    changed = set_enabled(config, source, enabled)
    console.answer({"source": {"name": name, "enabled": enabled, "changed": changed}})
    state = "enabled" if enabled else "disabled"
    console.result(
        f'"{name}" is {state} now: {config.file}.' if changed else f'"{name}" was {state} already.'
    )
    followed = config.followers(name)
    if enabled and not followed:
        console.note(f'note: no [[digest]] follows "{name}". Add it to the sources of one.')
