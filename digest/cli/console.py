"""What every command shares: global options, results on stdout, progress and notes on stderr, tables, colours."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from digest.errors import DigestError

if TYPE_CHECKING:
    from logging import Logger

    from digest.app import App
    from digest.config import Config

_COLOURS = {"good": "32", "warn": "33", "bad": "31", "mute": "2", "bold": "1"}


class Console:
    """The global options of one call, and how it talks."""

    # Is the object of --json out? What fails after it is told on stderr alone.
    answered: ClassVar[bool] = False

    def __init__(
        self,
        *,
        config: str | None,
        store: str | None,
        output: str | None,
        as_json: bool,
        color: str,
        verbose: bool,
        quiet: bool,
    ) -> None:
        self._config, self._store, self._output = config, store, output
        self.json, self.color, self.verbose, self.quiet = as_json, color, verbose, quiet
        self._log: Logger | None = None
        Console.answered = False
        self._start_logging()

    # ------------------------------------------------------------ the App

    def config(self) -> Config:
        from digest.configfile import load_config

        path = Path(self._config or os.environ.get("DIGEST_CONFIG") or "config.toml")
        overrides: dict[str, dict[str, object]] = {}
        if self._store:
            overrides["store"] = {"url": self._store}
        if self._output:
            overrides["site"] = {"output": str(Path.cwd() / self._output)}
        return load_config(path, os.environ, overrides=overrides)

    @contextmanager
    def app(self) -> Iterator[App]:
        from digest.app import open_app

        with open_app(self.config()) as app:
            yield app

    # ------------------------------------------------------------ talking

    def result(self, text: str = "") -> None:
        """A line of the result, on stdout; not with --json, which has its own."""
        if not self.json:
            with as_long_as_somebody_reads():
                print(self._printable(text))

    def note(self, text: str) -> None:
        """A line of progress or advice, on stderr."""
        if self.quiet:
            return
        if self._log is not None:
            self._log.info("%s", text)
        else:
            self.fault(text)

    def fault(self, text: str) -> None:
        """A line about what failed, on stderr, also with --quiet."""
        if self._log is not None:
            self._log.error("%s", text)
            return
        # Nobody may be listening any more (`2>&1 | head`): that must not end a run halfway.
        with suppress(OSError):
            print(self._printable(text), file=sys.stderr)

    def answer(self, value: Mapping[str, Any]) -> None:
        """The one JSON object of this call, with its schema number."""
        if self.json:
            import msgspec

            data = msgspec.json.format(msgspec.json.encode({"schema": 1, **value}), indent=2)
            with as_long_as_somebody_reads():
                sys.stdout.flush()
                # UTF-8 whatever the terminal takes (RFC 8259, 8.1).
                sys.stdout.buffer.write(data + b"\n")
                sys.stdout.flush()
            Console.answered = True

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table on stdout: text to the left, numbers to the right, as wide as its content."""
        from digest.text import display_width

        cells = [[_cell(value) for value in row] for row in rows]
        right = [all(isinstance(row[n], int | float) for row in rows) for n in range(len(headings))]
        widths = [
            max(display_width(line[n]) for line in [list(headings), *cells]) for n in range(len(headings))
        ]

        def line(values: Sequence[str]) -> str:
            padded = [
                " " * (width - display_width(value)) + value
                if is_right
                else value + " " * (width - display_width(value))
                for value, width, is_right in zip(values, widths, right, strict=True)
            ]
            return "  ".join(padded).rstrip()

        self.result(self.paint(line(headings), "mute"))
        for row in cells:
            self.result(line(row))

    def paint(self, text: str, how: str) -> str:
        """The text in a colour of meaning, where colours are wanted; the words say the same without it."""
        return f"\x1b[{_COLOURS[how]}m{text}\x1b[0m" if self._colours(sys.stdout) else text

    def _colours(self, stream: Any) -> bool:
        if self.color != "auto":
            return self.color == "always"
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        return not plain and stream.isatty()

    @contextmanager
    def bar(self, what: str) -> Iterator[Any]:
        """A function (done, total) that draws a progress bar on a terminal; elsewhere it says nothing."""
        if self.quiet or self.json or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            yield lambda done, total: None
            return
        from rich.console import Console as Rich
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        rich = Rich(stderr=True, no_color=not self._colours(sys.stderr))
        # Standard output stays what it is: results go there, also when it is a file and only the errors are on a terminal.
        with Progress(*columns, console=rich, transient=True, redirect_stdout=False) as progress:
            task = progress.add_task(what, total=None, visible=False)

            def draw(done: int, total: int) -> None:
                progress.update(task, completed=done, total=total, visible=True)

            yield draw

    def _printable(self, text: str) -> str:
        """Text without what would move the cursor or cannot be written to this terminal."""
        text = "".join(c if c.isprintable() or c in "\n\x1b" else "\ufffd" for c in text)
        encoding = sys.stdout.encoding or "utf-8"
        return text.encode(encoding, "replace").decode(encoding)

    def log_lines(self, config: Config) -> None:
        """From here on what is logged or said is written as [log] of the configuration wants it: for commands that stay."""
        import logging

        if not self.quiet:
            logging.getLogger("digest").setLevel(logging.INFO)
        if config.log.format == "json":
            from digest.logs import json_lines

            json_lines(config)
            self._log = logging.getLogger("digest.cli")

    def _start_logging(self) -> None:
        import logging

        class WithoutAddresses(logging.Formatter):
            def format(self, record: logging.LogRecord) -> str:
                from digest.mail.envelope import without_addresses

                return without_addresses(super().format(record))

        level = logging.DEBUG if self.verbose else logging.ERROR if self.quiet else logging.WARNING
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(WithoutAddresses("%(levelname)s %(name)s: %(message)s"))
        logging.basicConfig(level=level, handlers=[handler], force=True)


@contextmanager
def as_long_as_somebody_reads() -> Iterator[None]:
    """The reader of our output may leave (`| head`): that is no failure, and the rest is for nobody. Raises DigestError where it
    cannot be written otherwise (`> file` on a full disk)."""
    try:
        yield
    except OSError as error:
        # What is left of it is tried again when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise DigestError(
                f"the output could not be written: {error.strerror}. What was done stands; mend the place where the output goes."
            ) from None


def fault_words(error: Exception) -> str:
    """What nobody foresaw, and what to do."""
    what = f"{type(error).__name__}: {error}".rstrip(": .")
    encoding = sys.getfilesystemencoding()
    if isinstance(error, UnicodeError) and encoding != "utf-8":
        return f"{what}. Files are named and read as {encoding} here, which has not all letters. Set PYTHONUTF8=1, then run again."
    return f"{what}. This is a fault of the program: run again with -v and report what it prints."


def system_words(error: OSError) -> str:
    """What the system refused to do, where, and what to do."""
    if error.errno is None:  # libraries raise it too: a lock or an answer that was waited for too long
        return fault_words(error)
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return f"{where}{error.strerror or error}. {_SYSTEM_MENDS.get(error.errno, _SYSTEM_MEND)}"


_SYSTEM_MEND = "Check the path, the rights of this user, and the disk; then run again."
_SYSTEM_MENDS = {
    errno.EACCES: "Give this user the right to it, or name another place.",
    errno.EPERM: "Give this user the right to it, or name another place.",
    errno.EROFS: "Name a place that can be written.",
    errno.ENOSPC: "Free some space, then run again.",
    errno.EDQUOT: "Free some space, then run again.",
    errno.ENAMETOOLONG: "Name a shorter path.",
}


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    return "" if value is None else str(value)


def outdated_words(digest: str, settings: Sequence[str]) -> str:
    """Of which settings earlier pages of a digest show the old state, with the mend."""
    return f"{digest}: earlier pages show what was before: {', '.join(settings)}. `digest rebuild` writes them anew."


def shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
