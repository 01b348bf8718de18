"""One value of config.toml changed in place: every comment and the layout stay as the operator wrote them."""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path

from digest.config import Config, SourceConfig
from digest.configfile import load_config
from digest.errors import ConfigError, UsageError

_TEMPORARY = ".digest-part"
_MARK = "\ufeff"  # some editors put it before a text

# TOML 1.0: what may hold brackets, hashes and line ends that are none of the document's own.
_TOKEN = re.compile(
    r'(?P<text>"""(?:\\.|(?!""")[^\\])*"{3,5}|\'\'\'(?:(?!\'\'\').)*\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
    r"|(?P<comment>#[^\n]*)|(?P<open>[\[{])|(?P<close>[\]}])|(?P<end>\n)|[^\"'#\[\]{}\n]+",
    re.S,
)
_SOURCE = re.compile(r"[ \t]*\[\[\s*(?:source|\"source\"|'source')\s*\]\]")
_TABLE = re.compile(r"[ \t]*\[")
_ENABLED = re.compile(r"([ \t]*(?:enabled|\"enabled\"|'enabled')\s*=\s*)(?:true|false)\b")
_NAME = re.compile(r"[ \t]*(?:name|\"name\"|'name')\s*=")


def set_enabled(config: Config, source: SourceConfig, enabled: bool) -> bool:
    """Sets `enabled` of a source in the configuration file; False where it says so already.

    The file is replaced in one step, with its mode kept, after the new text was read back and found to differ in that one
    value. Raises UsageError for a file that is written so that this cannot be done, or whose value the environment decides.
    """
    file = Path(config.file).resolve()
    by_hand = f'Write enabled = {str(enabled).lower()} into [[source]] "{source.name}" by hand.'
    old = _text(file, by_hand)
    number = config.source.index(source)
    wanted = tomllib.loads(old.removeprefix(_MARK))
    tables = wanted.get("source", [])
    if number < len(tables) and tables[number].get("enabled", True) is enabled:
        if source.enabled is not enabled:
            raise _decided_elsewhere(source)
        return False
    new = with_enabled(old, number, enabled)
    if new is None or not _differs_in_that_alone(wanted, new, number, enabled):
        raise UsageError(
            f'{config.file}: "{source.name}" is not written as a table of its own, [[source]], so it is not changed here. {by_hand}'
        )
    _replace(config, file, new, source, enabled, by_hand)
    return True


def with_enabled(text: str, number: int, enabled: bool) -> str | None:
    """The text of a configuration with `enabled` set in its `[[source]]` of that number (0 is the first).

    A line that is there gets the new value; else one is put below the table's name. None where there is no such table.
    """
    word = str(enabled).lower()
    statements = list(_statements(text))
    heads = [n for n, (start, _) in enumerate(statements) if _SOURCE.match(text, start)]
    if number >= len(heads):
        return None
    own = []
    for start, end in statements[heads[number] + 1 :]:
        if _TABLE.match(text, start):
            break
        own.append((start, end))
    for start, end in own:
        if found := _ENABLED.match(text, start, end):
            return text[: found.end(1)] + word + text[found.end() :]
    named = [(start, end) for start, end in own if _NAME.match(text, start, end)]
    start, at = (named or [statements[heads[number]]])[0]
    line_end = "\r\n" if text[:at].endswith("\r\n") else "\n"
    indent = re.match(r"[ \t]*", text[start:at].lstrip("\r\n"))
    before = "" if text[:at].endswith("\n") else line_end
    return f"{text[:at]}{before}{indent[0] if indent else ''}enabled = {word}{line_end}{text[at:]}"


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """Where each statement begins and ends, its line end included: a header, a key with its value, a comment, or an empty line."""
    start = depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token.lastgroup == "open") - (token.lastgroup == "close")
        if token.lastgroup == "end" and depth <= 0:
            yield start, token.end()
            start, depth = token.end(), 0
    if start < len(text):
        yield start, len(text)


def _differs_in_that_alone(wanted: dict[str, object], new: str, number: int, enabled: bool) -> bool:
    expected = deepcopy(wanted)
    tables = expected.get("source")
    if not isinstance(tables, list) or number >= len(tables):
        return False
    tables[number]["enabled"] = enabled
    try:
        return tomllib.loads(new.removeprefix(_MARK)) == expected
    except tomllib.TOMLDecodeError:
        return False


def _text(file: Path, by_hand: str) -> str:
    try:
        return file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read ({error}). {by_hand}") from None


def _replace(config: Config, file: Path, new: str, source: SourceConfig, enabled: bool, by_hand: str) -> None:
    """The new text in the place of the old, in one step: a run that starts now reads the one or the other."""
    temporary = file.with_name(f"{_TEMPORARY}-{file.name}")
    try:
        with temporary.open("wb") as stream:
            shutil.copymode(file, temporary)  # before the text: it may hold a password
            stream.write(new.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        _check(temporary, config, source, enabled)
        with suppress(PermissionError):  # of another owner, only an administrator may
            owner = file.stat()
            os.chown(temporary, owner.st_uid, owner.st_gid)
        temporary.replace(file)
    except OSError as error:
        raise UsageError(f"{config.file}: cannot be written: {error.strerror}. {by_hand}") from None
    finally:
        with suppress(OSError):
            temporary.unlink()


def _check(temporary: Path, config: Config, source: SourceConfig, enabled: bool) -> None:
    """Does a run that reads this file and the environment do what was asked for?"""
    try:
        now = load_config(temporary, os.environ)
    except ConfigError as error:
        raise UsageError(
            f"{config.file} is not changed: it would not be read any more. {error.problems[0]}"
        ) from None
    if now.source[config.source.index(source)].enabled is not enabled:
        raise _decided_elsewhere(source)


def _decided_elsewhere(source: SourceConfig) -> UsageError:
    return UsageError(
        f'"{source.name}": its "enabled" is set by the environment, which wins over the file. Change or unset '
        f"DIGEST__SOURCE__{source.name.upper().replace('-', '_')}__ENABLED (it may be named by number)."
    )
