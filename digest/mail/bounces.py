"""What a mail to the address for reports is: a bounce, a complaint, an auto-reply, a wish to leave, or something else. Pure.

flufl.bounce reads the formats of half a hundred mail systems; what it gives is joined with the delivery status of RFC 3464. To
none of these mails anything is ever answered (RFC 3834, 2).
"""

from __future__ import annotations

import re
from email.message import Message
from email.utils import parseaddr
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from digest.mail.leaving import subject_asks, text_asks
from digest.mail.reports import (
    BROKEN,
    REPLY,
    Outcome,
    fields,
    find,
    first_status,
    first_text,
    header,
    notice,
    outcomes,
    parsed,
    parts,
    reason,
)

Kind = Literal["bounce", "complaint", "auto-reply", "unsubscribe", "other"]

_TO = (
    "to", "cc", "delivered-to", "x-delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "resent-to",
    "x-rcpt-to", "x-forwarded-to", "apparently-to",
)  # fmt: skip
_DAEMONS = re.compile(
    r"mail(?:er)?[-_.]?(?:daemon|delivery.*|robot|system)|postmaster|mdaemon|ndr|microsoftexchange.*"
)
_UNSUBSCRIBE_LINK = re.compile(rb"unsubscribe/\?t=([A-Za-z0-9_-]{22})(?![A-Za-z0-9_-])")
_LETTER_LINK = re.compile(
    rb"((?:confirm/\?t=[A-Za-z0-9_-]{27}|manage/\?t=[A-Za-z0-9_-]{22})(?![A-Za-z0-9_-]))"
)
_AUTO_HEADERS = (
    "x-autoreply", "x-autoreply-from", "x-autorespond", "x-autoresponder", "x-auto-response-suppress", "x-auto-reply",
    "x-mail-autoreply", "x-vacation", "x-away",
)  # fmt: skip
# How mail programs begin the subject of a note that its reader is away, and the notes of Sieve and its like.
_AUTO_SUBJECT = re.compile(
    r"\W*(?:auto(?:matic|mated)?[ -]?(?:reply|response|antwort|svar|vastaus)\b|auto:|out of (?:the )?office|away from"
    r"|(?:i am |i'm )?on (?:vacation|holiday|leave)|vacation (?:reply|notice)"
    r"|automatische antwort|abwesen|automatisch antwoord|afwezig|r[eé]ponse automatique|absen(?:ce|t)\b"
    r"|respuesta autom[aá]tica|fuera de (?:la )?oficina|ausente|resposta autom[aá]tica|fora do escrit[oó]rio"
    r"|risposta automatica|fuori (?:sede|ufficio)|autosvar|frånvar|fraværende|poissa|automaattinen vastaus"
    r"|odpowiedź automatyczna|automatyczna odpowiedź|nieobecn|automatická odpověď|mimo kancelář|automatikus válasz"
    r"|otomatik yanıt|автоответ|автоматический ответ|автоматична відповідь|αυτόματη απάντηση"
    r"|自動返信|自动回复|自動回覆|不在通知|자동 ?회신|부재중)",
    re.IGNORECASE,
)
_COMPLAINTS = frozenset({"abuse", "fraud"})
_OPT_OUTS = frozenset({"opt-out", "opt-out-list"})


class Report(Struct, frozen=True, kw_only=True):
    """What one mail says. `permanent`: the mail it speaks of will not be delivered; else a server is still trying.

    `status` is a code of RFC 3463 or "". `token` is that of a bounce address, `unsubscribe_token` that of the returned mail's
    unsubscribe link, neither checked here; `letter_link`, of a letter that is complained of, is the page of its link with the
    token behind it, "confirm/?t=…". `recipients` and `reason` (a diagnostic, at most 2,000 characters) are what the
    report says, `mailboxes` those that failed in the end, which are others where recipients are forwarded or stand for a
    group, and `sender` is the address in From: all for judging, none for a log.
    """

    kind: Kind
    permanent: bool = False
    status: str = ""
    token: str = ""
    unsubscribe_token: str = ""
    letter_link: str = ""
    recipients: tuple[str, ...] = ()
    mailboxes: tuple[str, ...] = ()
    reason: str = ""
    sender: str = ""


def read_report(raw: bytes, address: str = "") -> Report:
    """What the bytes of one mail say. `address` is mail.bounces: `local+TOKEN@domain` of it, in the mail's own headers or else
    in the mail that it returns, gives the token.

    Takes bounded time and memory whatever the bytes are, and raises nothing: what cannot be read is "other".
    """
    message = parsed(raw)
    pattern = _verp(address)
    own = _own_token(message, pattern) if pattern else ""
    try:
        report = _judged(message, mine=bool(own))
    except BROKEN:  # one mail must not keep those behind it in the mailbox from being read
        report = Report(kind="other")
    return replace(
        report,
        token=own or (find(pattern, raw).lower() if pattern else ""),
        unsubscribe_token=find(_UNSUBSCRIBE_LINK, raw),
        letter_link=find(_LETTER_LINK, raw) if report.kind == "complaint" else "",
        sender=_sender(message),
    )


def _judged(message: Message, *, mine: bool) -> Report:
    said = outcomes(message)
    feedback = _feedback(message)
    if feedback:
        return feedback
    if not said and _asks_to_leave(message):
        return Report(kind="unsubscribe")
    away = _is_automatic(message) and not _is_notification(message)
    if not said and away and not _is_daemon(message):
        return Report(kind="auto-reply")
    found = _bounce(message, said)
    if found:
        return found
    if said:
        return Report(kind="other", status=said[0].status)  # it was delivered, or handed on
    if mine and _is_daemon(message) and not _is_notification(message):
        words = reason(notice(message), ())
        if words:
            return _worded(words)
    return Report(kind="auto-reply" if _is_automatic(message) else "other")


def _asks_to_leave(message: Message) -> bool:
    """By a subject, which a program may have written for its reader (mailto:), or by the first words of a person."""
    if subject_asks(header(message, "subject")):
        return not _is_reply(message)
    if _is_automatic(message) or _is_daemon(message):
        return False
    return text_asks(*first_text(message))


# ------------------------------------------------------------------ bounces


def _bounce(message: Message, said: list[Outcome]) -> Report | None:
    """The bounce that flufl.bounce or the delivery status sees; None where neither does. What failed for good comes first."""
    temporary, permanent = _scanned(message)
    failed = [one for one in said if one.failed]
    delayed = [one for one in said if one.delayed]
    if not (temporary or permanent or failed or delayed):
        return None
    final = bool(permanent or failed)
    telling = failed if final else delayed
    recipients = tuple(sorted(permanent if final else temporary)) or tuple(
        dict.fromkeys(one.recipient for one in telling if one.recipient)
    )
    finals = dict.fromkeys(one.final for one in telling if "@" in one.final and one.final.isascii())
    best = next((one for one in telling if one.status), telling[0] if telling else Outcome())
    words = best.diagnostic or reason(notice(message), recipients)
    status = best.status or first_status(words)
    return Report(
        kind="bounce",
        permanent=final,
        status=status,
        recipients=recipients,
        mailboxes=tuple(finals) or recipients,
        reason=words,
    )


def _worded(words: str) -> Report:
    """A notice in a language or form that nobody knows, but with a code in it."""
    status = first_status(words)
    reply = REPLY.search(words)
    first = status[:1] or (reply[1][:1] if reply else "")
    if first not in ("4", "5"):
        return Report(kind="other")
    return Report(kind="bounce", permanent=first == "5", status=status, reason=words)


def _scanned(message: Message) -> tuple[set[str], set[str]]:
    """The recipients to whom flufl.bounce says that mail is delayed, and those to whom it failed."""
    import logging

    from flufl.bounce import all_failures

    # It logs what a reader of it raised, with the addresses in it, and raises that again: whatever broken MIME leads to.
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)
    try:
        temporary, permanent = all_failures(message)
    except BROKEN:
        return set(), set()
    return _texts(temporary), _texts(permanent)


def _texts(addresses: frozenset[bytes]) -> set[str]:
    return {one.decode("ascii", "replace") for one in addresses if one}


# ------------------------------------------------------------------ complaints


def _feedback(message: Message) -> Report | None:
    """A report of a feedback loop (RFC 5965). Reports of failed authentication and of what is no spam are none of ours."""
    for part in parts(message):
        if part.get_content_type() == "message/feedback-report":
            groups = fields(part)
            kind = groups[0].get("feedback-type", "").split(";")[0].strip().lower() if groups else ""
            if kind in _COMPLAINTS:
                return Report(kind="complaint")
            return Report(kind="unsubscribe" if kind in _OPT_OUTS else "other")
    returned = any(part.get_content_type() == "message/rfc822" for part in parts(message))
    # The feedback of Outlook.com has no report in it: only this subject, and the mail.
    if returned and header(message, "subject").lower().startswith("complaint about message from "):
        return Report(kind="complaint")
    return None


# ------------------------------------------------------------------ whose word it is


def _sender(message: Message) -> str:
    """The address in From; "" for none."""
    try:
        return parseaddr(header(message, "from"))[1]
    except BROKEN:  # brackets in brackets in brackets
        return ""


def _is_daemon(message: Message) -> bool:
    """Does a mail system speak, and no person's mail program?"""
    if message.get("x-failed-recipients"):
        return True
    local = _sender(message).partition("@")[0].lower()
    return bool(_DAEMONS.fullmatch(local)) or (not local and header(message, "return-path") in ("", "<>"))


def _is_reply(message: Message) -> bool:
    return header(message, "auto-submitted").lower().startswith("auto-replied")


def _is_automatic(message: Message) -> bool:
    """An out-of-office note or another answer of a machine (RFC 3834), by its headers or by how its subject begins."""
    auto = header(message, "auto-submitted").lower()
    if (auto and not auto.startswith("no")) or any(name in message for name in _AUTO_HEADERS):
        return True
    if header(message, "x-autogenerated").lower() == "reply" or _is_notification(message):
        return True
    precedence = (header(message, "precedence"), header(message, "x-precedence"))
    if any(value.lower().replace("-", "_").startswith("auto_reply") for value in precedence):
        return True
    return bool(_AUTO_SUBJECT.match(header(message, "subject")))


def _is_notification(message: Message) -> bool:
    """Has somebody opened or deleted the mail (RFC 8098)?"""
    return "disposition-notification" in header(message, "content-type").lower()


# ------------------------------------------------------------------ tokens


def _verp(address: str) -> re.Pattern[bytes] | None:
    """What finds the token of `local+TOKEN@domain`, also where a relay wrote it anew (SRS, BATV); None without an address."""
    local = address.rpartition("@")[0]
    if not local:
        return None
    name = re.escape(local.encode("utf-8"))
    return re.compile(rb"(?<![A-Za-z0-9.])" + name + rb"\+([a-z2-7]{26})(?![A-Za-z0-9])", re.IGNORECASE)


def _own_token(message: Message, pattern: re.Pattern[bytes]) -> str:
    """The token in the address to which the mail came."""
    for name in _TO:
        for value in message.get_all(name, [])[:20]:
            found = pattern.search(str(value)[:20_000].encode("utf-8", "replace"))
            if found:
                return found[1].decode("ascii").lower()
    return ""
