"""The command line: arguments → one call on the App → text or JSON. Each command is imported only when it is called."""

from __future__ import annotations

import atexit
import gc
import os
import re
import signal
import sys
from contextlib import suppress
from functools import partial
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from digest import __version__
from digest.errors import ConfigError, DigestError, LeaseHeld, UsageError

# name: (module, help of one line). A command's module has a click command of the same name.
COMMANDS = {
    "init": ("setup", "Write a commented config.toml and sample listings."),
    "run": ("run", "Do the main job once: collect, issue, publish, deliver."),
    "parse": ("parse", "Read listings and print the papers; touches no store."),
    "preview": ("preview", "Write mail, text and pages of an edition to a folder, or follow changes."),
    "send": ("edition", "Deliver what is queued; with --to, one copy to that address."),
    "serve": ("serve", "Run the digests by their schedules until stopped."),
    "worker": ("worker", "Take a share of the work, beside other workers."),
    "status": ("status", "Show last runs, sources, editions, deliveries and what waits."),
    "why": ("papers", "Tell everything known of a paper, from the first sighting to the mail."),
    "merge": ("papers", "Say that two papers are one, for good."),
    "split": ("papers", "Say that a part of a paper is another one, for good."),
    "search": ("search", "Search everything that was shown."),
    "replay": ("replay", "Make a day again from the kept pages, and compare."),
    "rebuild": ("edition", "Rewrite the output folder from the store."),
    "db": ("db", "Move an installation from one store to another."),
    "backup": ("backup", "Write the whole store into one file, also while it is in use."),
    "restore": ("backup", "Put a backup in place of what the store holds."),
    "subscribers": ("subscribers", "List, add and remove subscribers."),
    "bounce": ("bounce", "Take a report of failed mail, a complaint or a request to leave."),
    "sources": ("sources", "List and try sources, switch them on and off."),
    "doctor": ("doctor", "Check configuration, store, templates, sources and mail."),
}

# Global options stand before or after the sub-command; True where one takes a value.
_GLOBAL = {
    "--config": True,
    "--store": True,
    "--output": True,
    "--color": True,
    "--json": False,
    "-v": False,
    "--verbose": False,
    "-q": False,
    "--quiet": False,
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(import_module(f"digest.cli.{COMMANDS[name][0]}"), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS:
            from difflib import get_close_matches

            close = get_close_matches(args[0], COMMANDS, n=1)
            mend = f'. Did you mean "{close[0]}"?' if close else ""
            raise click.UsageError(f'unknown command "{args[0]}"{mend}')
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The help of the group must not import every command.
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option("--config", metavar="FILE", help="Configuration; default: $DIGEST_CONFIG, else config.toml.")
@click.option("--store", metavar="URL", help="Store to use in place of the configured one.")
@click.option("--output", metavar="DIR", help="Folder to publish into in place of the configured one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else on stdout.")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="Colours on the terminal."
)
@click.option("-v", "--verbose", is_flag=True, help="Say more; tracebacks of faults.")
@click.option("-q", "--quiet", is_flag=True, help="Only results and errors.")
@click.version_option(__version__, prog_name="digest")
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:
    """Listing pages of new papers in; feeds, a web archive and an honest email out.

    These options may also stand after the command. Exit codes: 0 done, also with nothing new; 1 failed; 2 wrong usage
    or configuration; 3 done, but some source or recipient failed; 4 another run holds the lease; 130 interrupted.
    """
    from digest.cli.console import Console

    ctx.obj = Console(**options)


def main(argv: list[str] | None = None) -> None:
    """The entry point of the command `digest`. Every failure ends as a message on stderr and an exit code."""
    _open_streams()
    args = _globals_first(sys.argv[1:] if argv is None else argv)
    verbose = "-v" in args or "--verbose" in args
    _failed = partial(_end, as_json="--json" in args, traceback=False)
    # A run makes many objects and few cycles: collecting less often saves a twentieth of its time (2026-11, 1,000 papers).
    gc.set_threshold(100_000, 20, 20)
    # On its way out the interpreter would look through all that is left for cycles, three times over, and then forget it anyway.
    atexit.register(gc.freeze)
    sys.unraisablehook = _told_again
    refused = False
    try:
        _take_signals()
        code = cli.main(args, prog_name="digest", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        if "--json" in args and error.ctx:
            code = _failed(_which_command(error.ctx), 2)
        else:
            click.echo(error.format_message())
            code = 0
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "digest"
        said = error.format_message()
        code = _failed(f"{said if said.endswith(('.', '?')) else f'{said}.'} See `{where} --help`.", 2)
    except ConfigError as error:
        code = _failed("\nerror: ".join(error.problems), 2)
    except UsageError as error:
        code = _failed(str(error), 2)
    except LeaseHeld as error:
        code = _failed(str(error), 4)
    except (click.Abort, KeyboardInterrupt) as error:
        # click hides the reason behind one of its own.
        said = str(error.__cause__ or error) or "What was done stands; the next run goes on from there."
        code = _failed(f"interrupted. {said}", 130)
    except DigestError as error:
        code = _failed(str(error), 1, traceback=verbose)
    except Exception as error:  # noqa: BLE001 - the door: whatever was not foreseen is named here, with its traceback on -v
        from digest.cli.console import fault_words, system_words

        refused = isinstance(error, OSError)
        said = system_words(error) if isinstance(error, OSError) else fault_words(error)
        code = _failed(said, 1, traceback=verbose)
    sys.exit(_written(code or 0, told=refused))


def _take_signals() -> None:
    # A service manager's stop is taken as Ctrl-C is: the mail in flight is finished, and the lease given back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # so digest.__main__ left it
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _written(code: int, *, told: bool) -> int:
    """The exit code, once what was printed is out of our hands: what is left is written at the end, where a fault has no words.
    `told`: was it said already that the system refuses something?"""
    with suppress(OSError):  # told below
        sys.stdout.flush()
        return code
    from digest.cli.console import as_long_as_somebody_reads

    try:
        with as_long_as_somebody_reads():
            sys.stdout.flush()
    except DigestError as error:
        return code if told else _end(str(error), code or 1, as_json=False, traceback=False)
    return code


def _which_command(ctx: click.Context) -> str:
    """What is missing where a group of commands is called alone: its help is no JSON object, so only its commands are named."""
    assert isinstance(ctx.command, click.Group)
    names = ", ".join(ctx.command.list_commands(ctx))
    return f"`{ctx.command_path}` needs one of its commands: {names}. See `{ctx.command_path} --help`."


def _told_again(what: Any) -> None:
    """Ctrl-C may come while the interpreter tidies up, where no exception gets out of: it is told once more, a moment later."""
    if not issubclass(what.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(what)
        return
    import threading

    while True:
        try:
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            return
        except (
            KeyboardInterrupt
        ):  # on a busy machine that moment is over before the timer's thread has told of its start
            continue


def _open_streams() -> None:
    """A stream that the caller closed (`>&-`, a service without one) is as good as one that nobody reads. A terminal that does not
    take UTF-8 gets a "?" for what it does not have."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123 - open until the end
    if isinstance(sys.stdout, TextIOWrapper) and not sys.stdout.encoding.lower().startswith("utf"):
        sys.stdout.reconfigure(errors="replace")


def _end(message: str, code: int, *, as_json: bool, traceback: bool) -> int:
    """Says on stderr why the program ends, and with --json as the one object on stdout; the exit code."""
    logs = sys.modules.get("digest.logs")  # imported by the commands that may write log lines as objects
    as_lines = logs is not None and logs.are_json()
    if traceback and not as_lines:
        import traceback as tb

        tb.print_exc()
    message = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in message)
    console = sys.modules.get("digest.cli.console")
    if as_json and not (console and console.Console.answered):
        import json

        with suppress(OSError):
            print(json.dumps({"schema": 1, "error": message, "exit_code": code}))
    with suppress(OSError):
        if as_lines:
            import logging

            logging.getLogger("digest.cli").error("%s", message, exc_info=traceback)
        else:
            print(f"error: {message}", file=sys.stderr)
    return code


def _globals_first(args: list[str]) -> list[str]:
    """The arguments with the global options moved to the front, so that they may stand anywhere before a `--`."""
    front: list[str] = []
    rest: list[str] = []
    queue = list(args)
    while queue:
        arg = queue.pop(0)
        name, equals, _ = arg.partition("=")
        if re.fullmatch("-[vq]{2,}", arg):
            front += [f"-{flag}" for flag in arg[1:]]
            continue
        if arg == "--":
            rest += [arg, *queue]
            break
        if name in _GLOBAL and (equals or not _GLOBAL[name] or not queue):
            front.append(arg)
        elif name in _GLOBAL:
            front += [arg, queue.pop(0)]
        else:
            rest.append(arg)
    return front + rest
