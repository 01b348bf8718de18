"""Log lines as JSON objects, one a line, for machines that collect them: without mail addresses, keys and passwords."""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import msgspec

from digest.config import Config
from digest.mail.envelope import without_addresses

# What a line is about, where its writer says so (`log.info(…, extra={"delivery": 7})`) or the work it is a part of (`about`).
ABOUT = ("run", "digest", "source", "delivery", "job")
_AT_WORK: ContextVar[Mapping[str, object]] = ContextVar("about", default={})  # noqa: B039 - never changed in place
# Links of readers carry a token.
_TOKEN = re.compile(r"([?&]t=)[^\s&\"'<>]+")
# A shorter one is a word that stands in many lines.
_SECRET_CHARS = 4


@contextmanager
def about(**facts: object) -> Iterator[None]:
    """What this thread logs in this block is about this, by names of ABOUT."""
    token = _AT_WORK.set({**_AT_WORK.get(), **facts})
    try:
        yield
    finally:
        _AT_WORK.reset(token)


class JsonLines(logging.Formatter):
    """One object a line: time (RFC 3339, UTC), level, logger, message, what it is about, and exception. `secrets` are never
    written, nor is any mail address."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        # The longest first: one may be a part of another.
        known = sorted({secret for secret in secrets if len(secret) >= _SECRET_CHARS}, key=len, reverse=True)
        self._secret = re.compile("|".join(map(re.escape, known))) if known else None

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._fit(record.getMessage()),
        }
        at_work = _AT_WORK.get()
        for name in ABOUT:
            value = record.__dict__.get(name, at_work.get(name))
            if value is not None:
                line[name] = value if isinstance(value, int) else self._fit(str(value))
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self._fit(self.formatException(record.exc_info))
        return msgspec.json.encode(line).decode()

    def _fit(self, text: str) -> str:
        """The text without what must not be read, and without what UTF-8 cannot hold."""
        text = _TOKEN.sub(r"\1…", text.encode("utf-8", "replace").decode())
        if self._secret is not None:
            text = self._secret.sub("…", text)
        return without_addresses(text)


def json_lines(config: Config) -> None:
    """From here on every log line of this process is a JSON object on stderr; warnings of Python, and errors that end a thread,
    are log lines too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(secrets_of(config)))
    logging.getLogger().handlers[:] = [handler]
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed


def are_json() -> bool:
    """Are log lines JSON objects?"""
    return any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers)


def _thread_failed(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        name = args.thread.name if args.thread else "?"
        logging.getLogger("digest").error(
            "the thread %s failed by a fault of the program; please report it",
            name,
            exc_info=(args.exc_type, args.exc_value, args.exc_traceback),
        )


def secrets_of(config: Config) -> set[str]:
    """Passwords and keys of a configuration, as they are and as they stand in addresses."""
    mail = config.mail
    found = {mail.smtp.password, mail.mailbox.password, config.monitor.heartbeat_url}
    for source in config.source:
        found |= set(source.headers.values())
    for target in config.publish:
        found |= {target.access_key, target.secret_key}
    found |= set(_passwords([config.store.url, *(target.repository for target in config.publish)]))
    return found - {""}


def _passwords(urls: Iterable[str]) -> Iterable[str]:
    for url in urls:
        try:
            password = urlsplit(url).password
        except ValueError:  # a path, or nothing that could be parsed
            continue
        if password:
            yield from (password, unquote(password))
