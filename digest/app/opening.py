"""What is wrong with a configuration as soon as it is used: what only the rooms can say that use it, and where files lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from digest.config import Config
from digest.errors import ConfigError, UsageError
from digest.paths import exists

_PACKAGE = Path(__file__).parent.parent


def problems_in_use(config: Config) -> list[str]:
    """One message, with file, table, key and mend, for each unknown kind of a source or theme, each saved search that makes no
    sense, and what would be published and is for nobody's eyes."""
    from digest.sources import check_kind

    problems = [*_search_problems(config), *_output_problems(config)]
    try:
        template_folders(config)
    except ConfigError as error:
        problems.append(f"{config.file}, {error}")
    for source in config.source:
        try:
            check_kind(source.kind)
        except UsageError as error:
            problems.append(f'{config.file}, [[source]] "{source.name}": {error}')
    return problems


def template_folders(config: Config) -> list[Path]:
    """Where templates are taken from, the first that has one wins. Raises ConfigError for an unknown theme."""
    from digest.themes import theme_folders

    return theme_folders(config.site.theme, config.resolve(config.site.templates), shipped("templates"))


def shipped(name: str) -> Path:
    """A file or folder that comes with the program: inside the installed package, or beside it in a checkout."""
    inside = _PACKAGE / "_shipped" / name
    return inside if exists(inside) else _PACKAGE.parent / name


def store_file(config: Config) -> Path | None:
    """The file of the store; None where it is in none."""
    from digest.store import sqlite_file

    return sqlite_file(config.store.url, config.resolve("."))


def _search_problems(config: Config) -> Iterator[str]:
    if not any(digest.searches for digest in config.digest):
        return
    from digest.searching import parse_query

    for digest in config.digest:
        for saved in digest.searches:
            try:
                parse_query(saved.query)
            except UsageError as error:
                yield f'{config.file}, [[digest]] "{digest.name}", search "{saved.name}": {error}'


def _output_problems(config: Config) -> Iterator[str]:
    """All that lies in the output folder is published: readers' addresses and keys must not."""
    private = {
        "this file": Path(config.file).resolve(),
        "the store": store_file(config),
        "the folder of [mail]": config.resolve(config.mail.folder)
        if config.mail.transport == "folder"
        else None,
    }
    inside = [name for name, path in private.items() if path and config.publishes(path)]
    if inside:
        yield (
            f'{config.file}, [site]: "output" is {config.site.output!r}, and all that lies in it is published: also '
            f'{" and ".join(inside)}. Give it a folder of its own, output = "feeds".'
        )
