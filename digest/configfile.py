"""`config.toml` and the environment → one frozen Config, or every fault of them at once (docs/interface.md, 4).

Every key can be set from the environment: `DIGEST__STORE__URL=…`, `DIGEST__MAIL__SMTP__PASSWORD=…`, and by number or name in
lists of tables: `DIGEST__SOURCE__0__URL`, `DIGEST__SOURCE__SAMPLE__URL`. `…_FILE` reads the value from a file.
"""

from __future__ import annotations

import re
import stat
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from digest.addresses import ascii_url
from digest.checks import problems_of
from digest.config import (
    Config,
    DigestConfig,
    EngineConfig,
    LogConfig,
    LookupConfig,
    MailConfig,
    MonitorConfig,
    PublishConfig,
    SiteConfig,
    SourceConfig,
    StoreConfig,
    WebConfig,
    folders_of,
    nearest,
)
from digest.errors import ConfigError

PREFIX = "DIGEST__"

_TABLES: dict[str, type[Struct]] = {
    "site": SiteConfig,
    "store": StoreConfig,
    "mail": MailConfig,
    "lookup": LookupConfig,
    "engine": EngineConfig,
    "monitor": MonitorConfig,
    "log": LogConfig,
    "web": WebConfig,
}
_LISTS: dict[str, type[Struct]] = {
    "source": SourceConfig,
    "digest": DigestConfig,
    "publish": PublishConfig,
}


def load_config(
    path: Path, environ: Mapping[str, str], *, overrides: Mapping[str, Mapping[str, object]] | None = None
) -> Config:
    """The configuration of a file and the environment; `overrides` ({"store": {"url": …}}) win over both.

    Raises ConfigError with one message for each fault: file, table, key, mend, and the nearest known name.
    """

    data = _read_toml(path)
    problems: list[str] = []
    given = _apply_environment(data, environ, problems)
    for table, values in (overrides or {}).items():
        if isinstance(data.setdefault(table, {}), dict):  # else told below
            data[table].update(values)
    tables = _tables_of(data, str(path), problems)
    problems += problems_of(tables, str(path))
    if problems:
        raise ConfigError(problems + _set_elsewhere(given, problems), path=str(path))
    return _with_defaults(Config(**tables))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        if not _has_an_end(path):
            raise ConfigError(
                f"{path}: a pipe or a device, and no file. Name a file; or give it on /dev/stdin.",
                path=str(path),
            )
        # Some editors put a byte order mark before it.
        return tomllib.loads(path.read_text(encoding="utf-8").removeprefix("\ufeff"))
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such file. Write one with `digest init`, or name yours with --config FILE.",
            path=str(path),
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: not UTF-8 at byte {error.start}. Save the file as UTF-8.", path=str(path)
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}. Mend that line.", path=str(path)) from None
    except RecursionError:
        raise ConfigError(f"{path}: brackets too deep. Close the lists and tables.", path=str(path)) from None
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}. Check path and rights.", path=str(path)
        ) from None


_OPENED = ("/dev/stdin", "/dev/fd/", "/proc/")


def _has_an_end(path: Path) -> bool:
    """May it be read to its end? A file; and a pipe that the caller has opened for us, `--config <(…)`: at any other, nobody may
    be writing."""
    mode = path.stat().st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or (stat.S_ISFIFO(mode) and str(path).startswith(_OPENED))


# ---------------------------------------------------------------- the environment


# Keys that end like the way to give any other key.
_FILES = frozenset(["key_file"])


def _apply_environment(
    data: dict[str, Any], environ: Mapping[str, str], problems: list[str]
) -> dict[str, str]:
    """The variables whose values are in `data` now, each with its key."""
    given: dict[str, str] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        steps = [step.casefold() for step in name[len(PREFIX) :].split("__")]
        value = environ[name]
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            problems.append(f"environment, {name}: not UTF-8. Set it again in UTF-8.")
            continue
        if steps[-1].endswith("_file") and len(steps) > 1 and steps[-1] not in _FILES:
            steps[-1] = steps[-1].removesuffix("_file")
            try:
                value = Path(value).expanduser().read_text(encoding="utf-8").strip()
            # RuntimeError: ~user, who is unknown
            except (OSError, UnicodeDecodeError, RuntimeError) as error:
                problems.append(
                    f"environment, {name}: {value} cannot be read: {error}. Check path and rights."
                )
                continue
        problem = _set(data, steps, value)
        if problem:
            problems.append(f"environment, {name}: {problem}")
        else:
            given[name] = steps[-1]
    return given


def _set_elsewhere(given: Mapping[str, str], problems: Sequence[str]) -> list[str]:
    """Who looks for what is wrong in the file would not find it there."""
    names = [name for name, key in given.items() if any(f'"{key}"' in problem for problem in problems)]
    return [f"environment: {', '.join(names)} win over the file. Look there too."] if names else []


def _set(data: Any, steps: list[str], value: str) -> str | None:
    """Put a value at its place in the tree of tables; the reason why not, if it has none."""
    at = data
    for step in steps[:-1]:
        if isinstance(at, list):
            at = _member(at, step)
            if at is None:
                return f'no table "{step}" there. Name it by number (0 is the first) or by its name.'
        elif isinstance(at, dict):
            at = at.setdefault(step, [] if at is data and step in _LISTS else {})
        else:
            break
    if isinstance(at, list):
        return "names a table, not a key. Add the key: DIGEST__TABLE__KEY."
    if not isinstance(at, dict):
        return "goes on below a key that holds a value. Leave out what follows that key."
    at[steps[-1]] = _FromEnvironment(value)
    return None


def _member(tables: list[Any], step: str) -> Any:
    if re.fullmatch(r"[0-9]{1,9}", step):
        return tables[int(step)] if int(step) < len(tables) else None
    wanted = step.replace("-", "_")
    named = (table for table in tables if isinstance(table, dict))
    return next((t for t in named if str(t.get("name", "")).casefold().replace("-", "_") == wanted), None)


class _FromEnvironment(str):
    """A value of the environment: text that may stand for a number, a truth value or a list, as the key wants."""

    __slots__ = ()


# ---------------------------------------------------------------- tables to structs


def _tables_of(data: dict[str, Any], file: str, problems: list[str]) -> dict[str, Any]:
    """The fields of Config as far as they can be made; a table with a fault is left out, after its faults are told."""
    known = [*_TABLES, *_LISTS]
    for name in data:
        if name not in known:
            problems.append(f"{file}: unknown table [{name}]. {nearest(name, known)}")
    values: dict[str, Any] = {"file": file}
    for name, kind in _TABLES.items():
        table = data.get(name, {})
        if not isinstance(table, dict):
            problems.append(f"{file}: {name} must be a table. Write [{name}].")
        elif name in data or name == "site":
            values[name] = _struct(kind, table, f"{file}, [{name}]", problems)
    for name, kind in _LISTS.items():
        tables = data.get(name, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            problems.append(f"{file}: {name} must be a list of tables. Write [[{name}]] with two brackets.")
            continue
        made = [
            _struct(kind, table, _where(file, name, n, table), problems) for n, table in enumerate(tables, 1)
        ]
        values[name] = tuple(item for item in made if item is not None)
    if "digest" in values and not data.get("digest"):
        problems.append(f'{file}: no [[digest]]. Add [[digest]] with name = "daily".')
    return {name: value for name, value in values.items() if value is not None}


def _where(file: str, name: str, number: int, table: Any) -> str:
    label = table.get("name") if isinstance(table, dict) else None
    return (
        f'{file}, [[{name}]] "{label}"' if isinstance(label, str) else f"{file}, [[{name}]] number {number}"
    )


def _struct(kind: type[Struct], table: Mapping[str, Any], where: str, problems: list[str]) -> Any:
    """A table as its struct, or None after saying what is wrong with each of its keys."""
    hints = typing.get_type_hints(kind)
    names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
    defaults = dict(zip(reversed(kind.__struct_fields__), reversed(kind.__struct_defaults__), strict=False))
    values: dict[str, Any] = {}
    before = len(problems)
    for key, value in table.items():
        if key not in names:
            problems.append(f'{where}: unknown key "{key}". {nearest(key, list(names))}')
            continue
        values[names[key]] = _value(hints[names[key]], value, f'{where}: "{key}"', where, problems)
    for key, attribute in names.items():
        required = defaults.get(attribute, msgspec.NODEFAULT) is msgspec.NODEFAULT
        if required and key not in table:
            problems.append(f'{where}: no "{key}". Add {key} = {_example(key)}')
    return kind(**values) if len(problems) == before else None


def _value(hint: Any, value: Any, what: str, where: str, problems: list[str]) -> Any:
    if isinstance(hint, type) and issubclass(hint, Struct):
        if isinstance(value, dict):
            return _struct(hint, value, f"{where}, {what.split(': ', 1)[-1]}", problems)
        problems.append(f"{what} must be a table, {{ key = value, … }}.")
        return None
    members = typing.get_args(hint)
    if typing.get_origin(hint) is tuple and isinstance(members[0], type) and issubclass(members[0], Struct):
        return _tables(members[0], value, what, where, problems)
    try:
        return msgspec.convert(_as_wanted(value, hint), hint, strict=not isinstance(value, _FromEnvironment))
    except (msgspec.ValidationError, tomllib.TOMLDecodeError, RecursionError) as error:
        # Headers of a source hold its key; what is told here ends in logs.
        told = "…" if what.endswith(('"password"', '"headers"', '"secret_key"')) else value
        wanted = _wanted(hint, told, error)
        problems.append(f"{what} is wrong: {wanted}" + ("" if wanted.endswith("?") else "."))
        return None


def _tables(kind: type[Struct], value: Any, what: str, where: str, problems: list[str]) -> Any:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        problems.append(f"{what} must be a list of tables, [{{ name = … }}].")
        return None
    place = f"{where}, {what.split(': ', 1)[-1]}"
    return tuple(_struct(kind, item, f"{place} number {n}", problems) for n, item in enumerate(value, 1))


def _as_wanted(value: Any, hint: Any) -> Any:
    """Text of the environment as the list or table the key wants: TOML's own notation, or words with commas."""
    if not isinstance(value, _FromEnvironment):
        return value
    if typing.get_origin(hint) in (tuple, dict):
        if value[:1] in ("[", "{"):
            return tomllib.loads(f"value = {value}")["value"]
        return [part.strip() for part in value.split(",") if part.strip()]
    return str(value)


def _wanted(hint: Any, value: Any, error: Exception) -> str:
    if typing.get_origin(hint) is Literal:
        choices = [str(choice) for choice in typing.get_args(hint)]
        known = ", ".join(choices)  # named once
        return f"{value!r} is not one of {known}. {nearest(str(value), choices)}".removesuffix(
            f". Known: {known}."
        )
    names = {str: "a text in quotes", int: "a whole number", float: "a number", bool: "true or false"}
    bare = list(
        typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else [hint]
    )
    wanted = next((names[h] for h in bare if h in names), None) or (
        "a list of texts" if typing.get_origin(hint) is tuple else "a table of texts"
    )
    return f"it must be {wanted}, not {value!r} ({error})"


def _example(key: str) -> str:
    return {"url": '"https://papers.example.org/"', "name": '"a-name"'}.get(key, '"…"')


def _with_defaults(config: Config) -> Config:
    """Final slash, titles, and the folders of digests. An address beyond ASCII is none that feeds and maps of a site may have."""
    url = config.site.url.rstrip("/") + "/"
    site = msgspec.structs.replace(config.site, url=url if url.isascii() else ascii_url(url))
    digests = tuple(
        msgspec.structs.replace(digest, title=digest.title or site.title, path=folder)
        for digest, folder in zip(config.digest, folders_of(config.digest), strict=True)
    )
    return msgspec.structs.replace(config, site=site, digest=digests)
