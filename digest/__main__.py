"""The command `digest`, also as `python -m digest`."""

# Not `signal`: it makes enums of its numbers first, a third of the time in which a traceback could be seen.
import _signal as signal  # type: ignore[import-not-found]


def main() -> None:
    """Where the command begins. Until its modules are there, Ctrl-C ends it as it ends a program that knows nothing of signals:
    Python's way would be a traceback from the midst of an import. digest.cli takes it from there."""
    if (
        signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):  # it is ignored in the background of a shell
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from digest import cli

    cli.main()


if __name__ == "__main__":
    main()
