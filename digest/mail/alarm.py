"""The mail to the operator when a digest had no successful run for too long, and the one when it runs again.

Written here and not by a template: what is broken may be the templates.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Literal

from msgspec import Struct

from digest.config import Config, SiteConfig
from digest.mail.envelope import without_addresses
from digest.mail.headers import from_header, mailable, subject_header
from digest.mail.ids import message_id
from digest.mail.parts import TEXT_TYPE, flow, quoted_printable
from digest.model import Message
from digest.render import clean
from digest.text import truncate
from digest.words import counted, day_words, in_words, time_words

_SHOWN = 20
_REASON_CHARS = 600


class LastRun(Struct, frozen=True, kw_only=True):
    """The run of a digest that began last. `error` is why it failed; `sources` are name, outcome and reason of each source."""

    started_at: datetime
    status: str
    error: str = ""
    sources: tuple[tuple[str, str, str], ...] = ()


class Silence(Struct, frozen=True, kw_only=True):
    """A digest that is silent, or was: `missed` is the first time at which it was due and no run came of it."""

    digest: str
    last_success: datetime | None
    missed: datetime | None
    next_due: datetime | None = None
    last_run: LastRun | None = None


def alarm(
    kind: Literal["silent", "again"],
    silences: Sequence[Silence],
    config: Config,
    *,
    now: datetime,
) -> tuple[Message, str]:
    """The mail as plain text, with the null sender, and its Message-ID.

    Raises MailError, permanent, where [monitor] mail_to is no address that a header can carry.
    """
    lines = _silent(silences, config) if kind == "silent" else _again(silences, config)
    names = "\0".join(silence.digest for silence in silences)
    own_id = message_id(now, "alarm", config.mail.domain, kind, names, now.isoformat())
    pieces = (
        _head(_subject(kind, silences, config), own_id, config, now) + TEXT_TYPE,
        b"".join(quoted_printable(flow(line)) for line in lines),
    )
    return Message(pieces=pieces, sender=""), own_id


def _head(subject: str, own_id: str, config: Config, now: datetime) -> bytes:
    lines = [
        f"Date: {format_datetime(now)}",
        f"Message-ID: {own_id}",
        from_header(config.mail),
        f"To: {mailable(config.monitor.mail_to)}",
        subject_header(subject),
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "",
    ]
    return "\r\n".join(lines).encode("ascii")


def _subject(kind: str, silences: Sequence[Silence], config: Config) -> str:
    names = [silence.digest for silence in silences]
    who = truncate(in_words(names), 40) if len(names) <= 3 else counted(len(names), "digest")
    if kind == "silent":
        return f"No successful run for {config.monitor.silent_after_h:g} hours: {who}"
    return f"Runs again: {who}"


# ---------------------------------------------------------------- the text


def _silent(silences: Sequence[Silence], config: Config) -> list[str]:
    lines = [
        f"{_which(silences)} of {clean(config.site.title)} ({config.site.url}) had no successful run for "
        f"{config.monitor.silent_after_h:g} hours, counted from the first time that was missed. A run is successful when it "
        "ends, and not every one of its sources failed."
    ]
    for silence in silences[:_SHOWN]:
        lines += ["", silence.digest, *_facts(silence, config.site)]
    lines += _more(silences)
    lines += [
        "",
        "What to do:",
        "  digest status            what the last runs did",
        "  digest doctor --online   what is wrong, each with its mend",
        "  digest run               makes the edition now; safe at any time",
        "If no run began: is what calls it still at work (`digest serve`, `digest worker`, a timer)?",
        "",
        "This mail comes again each day until a run succeeds, and then one more. [monitor] says where they go, and after how "
        "many hours. The configuration:",
        config.file,
    ]
    return lines


def _again(silences: Sequence[Silence], config: Config) -> list[str]:
    lines = [
        f"{_which(silences)} of {clean(config.site.title)} ({config.site.url}) had a successful run again:",
        "",
    ]
    lines += [
        f"  {silence.digest}: {_moment(silence.last_success, config.site)}" for silence in silences[:_SHOWN]
    ]
    return [*lines, *_more(silences)]


def _which(silences: Sequence[Silence]) -> str:
    return f"The digest {silences[0].digest}" if len(silences) == 1 else counted(len(silences), "digest")


def _more(silences: Sequence[Silence]) -> list[str]:
    further = len(silences) - _SHOWN
    return ["", f"And {counted(further, 'further digest')}: see `digest status`."] if further > 0 else []


def _facts(silence: Silence, site: SiteConfig) -> list[str]:
    lines = [
        f"- last successful run: {_moment(silence.last_success, site)}",
        f"- missed since: {_moment(silence.missed, site)}",
        f"- next due: {_moment(silence.next_due, site)}",
    ]
    run = silence.last_run
    if run is None or (silence.missed and run.started_at < silence.missed):
        lines.append("- No run began since then.")
    if run is None:
        return lines
    lines.append(f"- last run: {_moment(run.started_at, site)}, {run.status}{_because(run.error)}")
    lines += [f"- source {name}: {outcome}{_because(reason)}" for name, outcome, reason in run.sources]
    return lines


def _because(reason: str) -> str:
    """The reason behind a colon, on one line and without the addresses of readers."""
    text = truncate(clean(without_addresses(reason)), _REASON_CHARS)
    return f": {text}" if text else ""


def _moment(at: datetime | None, site: SiteConfig) -> str:
    return f"{day_words(at.astimezone(site.zone).date())}, {time_words(at, site)}" if at else "never"
