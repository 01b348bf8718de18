"""What a report changes for the person it is about: the token in its address says who that is. Nothing is ever sent.

A mailbox that is gone ends the mail to it at once, and so does a complaint. Any other failure counts (digest/scores.py), since
full mailboxes are emptied and servers come back; so does that of another mailbox behind the reader's address, and of one that is
gone on a day on which too many are. A delay counts nothing: where the mail fails in the end, that is reported too. What a server
refuses by its policy is about us and counts so little that it never ends anything by itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from digest import scores
from digest.config import Config
from digest.errors import TokenExpired, TokenInvalid, UsageError
from digest.mail.bounces import Report, read_report
from digest.mail.replies import is_policy, verdict
from digest.mail.reports import REPLY
from digest.model import Subscriber
from digest.subscriptions.operator import checked_address

if TYPE_CHECKING:
    from digest.store import Store
    from digest.tokens import Purpose, Tokens

FAILED = 1.0
# Every day for ever, this stays below 2.7 with a half-life of seven days.
REFUSED_BY_POLICY = 0.25
# The mail was too large, or of a kind that is not taken: a shorter one may get through.
_ABOUT_THE_MAIL = ("5.2.3", "5.3.4", "5.6.")
_READ = "nothing changed, somebody has to read it"


class Taken(Struct, frozen=True):
    """What one mail changed, in a line without an address. `wants_reading`: a person has to read it, since it asks for what could
    not be done, is of a reader and was not understood, or is one of too many."""

    line: str
    wants_reading: bool = False


def take_report(store: Store, tokens: Tokens, config: Config, raw: bytes, *, now: datetime) -> str:
    """Does what one mail to the address for reports asks for. One line for the operator, with no address in it."""
    return take(store, tokens, config, raw, now=now).line


def take(store: Store, tokens: Tokens, config: Config, raw: bytes, *, now: datetime) -> Taken:
    """Does what one mail to the address for reports asks for.

    The token in the address to which it came (mail.bounces) decides whose it is; without it, that of the mail that it
    returns. A report with none or a forged one changes nothing, nor do auto-replies and what is no report. Who writes without a
    token is known by the address that the mail comes from. Harmless when repeated: a failure counts once a day.
    """
    report = read_report(raw, config.mail.bounces)
    if report.kind == "auto-reply":
        return Taken("auto-reply: nothing changed.")
    reader, why = _whose(store, tokens, report, now)
    name = " ".join(filter(None, (_word(report), report.status)))
    if reader is None:
        lost = report.kind in ("unsubscribe", "complaint")
        return Taken(f"{name}: {why}; {_READ if lost else 'ignored'}.", lost)
    who = f"subscriber {reader.id}"
    if report.kind == "other":
        if report.status:
            return Taken(f"{name}: the mail to {who} was delivered, or handed on; nothing changed.")
        return Taken(f"other: a mail of {who} that is no report of failed mail; {_READ}.", True)
    if report.kind == "unsubscribe":
        left = store.leave(reader.id, now=now)
        return Taken(f"unsubscribe: {who} {'has left' if left else 'was not on the list; nothing changed'}.")
    if report.kind == "complaint":
        return Taken(f"complaint: {_suppressed(store, reader, 'complained', now)}.")
    said, look = _failed(store, reader, report, now)
    return Taken(f"{name}: {said}.", look)


def _word(report: Report) -> str:
    return "delay" if report.kind == "bounce" and not report.permanent else report.kind


def _whose(store: Store, tokens: Tokens, report: Report, now: datetime) -> tuple[Subscriber | None, str]:
    """The subscriber a report is about, or None and why. A person is known by their address where no token says more."""
    reader, why = _by_token(store, tokens, report, now)
    if reader is None and report.kind in ("unsubscribe", "other"):
        return _sender(store, report), f"{why}, and its sender is no subscriber"
    return reader, why


def _by_token(store: Store, tokens: Tokens, report: Report, now: datetime) -> tuple[Subscriber | None, str]:
    purpose, token = _token(report)
    if not token:
        return None, "no token of ours in it"
    try:
        number = tokens.read(purpose, token, nonce_of=store.nonce_of, now=now)
    except TokenInvalid:
        return None, "its token is forged, or of somebody who was erased"
    except TokenExpired as error:
        number = error.subscriber_id
    return store.subscriber_by_id(number), "its subscriber was erased"


def _token(report: Report) -> tuple[Purpose, str]:
    """Of several the one that tells best; that of a letter, which may go to whom a stranger named, where it is complained of."""
    if report.token:
        return "bounce", report.token
    if report.unsubscribe_token:
        return "unsubscribe", report.unsubscribe_token
    purpose, _, token = report.letter_link.partition("/?t=")
    return ("manage" if purpose == "manage" else "confirm"), token


def _sender(store: Store, report: Report) -> Subscriber | None:
    # From: can be forged; what a forger gets by it is that somebody misses a mail and subscribes again.
    try:
        return store.subscriber(checked_address(report.sender))
    except UsageError:
        return None


def _suppressed(
    store: Store, reader: Subscriber, reason: Literal["bounced", "complained"], now: datetime
) -> str:
    done = store.suppress_subscriber(reader.id, reason, now=now)
    return f"subscriber {reader.id} {'gets no more mail' if done else 'gets no mail already'}"


def _failed(store: Store, reader: Subscriber, report: Report, now: datetime) -> tuple[str, bool]:
    """What a failure changed, in words, and whether the operator has to look."""
    if not report.permanent:
        return f"the mail to subscriber {reader.id} is still being tried; nothing counted", False
    gone = _is_gone(report) and _is_of(reader, report)
    held = gone and reader.status != "suppressed" and _are_many(store, now)
    if gone and not held:
        return f"no such mailbox, {_suppressed(store, reader, 'bounced', now)}", False
    score = store.add_score(reader.id, _points(report), now=now, half_life=scores.HALF_LIFE)
    if score >= scores.LIMIT:
        return f"too many failures, {_suppressed(store, reader, 'bounced', now)}", False
    said = f"counted, subscriber {reader.id} stands at {score:.2f} of {scores.LIMIT:.0f}"
    return f"no such mailbox, as of many since yesterday: look at your relay; {said}" if held else said, held


def _are_many(store: Store, now: datetime) -> bool:
    """Have so many readers been given up lately that a server between is more likely at fault than they are?"""
    lately = store.bounced_since(now - scores.DAY)
    return lately >= scores.FEW and lately * scores.SHARE >= store.subscriber_counts().get("confirmed", 0)


def _is_gone(report: Report) -> bool:
    if report.status.startswith("4"):
        return False
    reply = REPLY.search(report.reason)
    code = int(reply[1]) if reply else 550
    return verdict(code, report.status or None, report.reason, stage="rcpt") == "suppress"


def _is_of(reader: Subscriber, report: Report) -> bool:
    """Is it the reader's own mailbox that failed? Behind the address of a group, or one that is forwarded, others may."""
    return all(one.lower() == reader.address.lower() for one in report.mailboxes)


def _points(report: Report) -> float:
    ours = is_policy(report.status or None, report.reason) or report.status.startswith(_ABOUT_THE_MAIL)
    return REFUSED_BY_POLICY if ours else FAILED
