"""What a server's reply means for the mail, its reader and the run (RFC 5321, 4.2; codes of RFC 3463).

A reader is given up only where the reply says that there is no such mailbox. What a server refuses by its own policy is
about us, or about one mail, and never costs a reader the next one.
"""

from __future__ import annotations

from typing import Literal

from digest.patterns import late

Stage = Literal["connect", "mail", "rcpt", "data"]
Verdict = Literal["accepted", "retry", "back-off", "suppress", "soft", "stop", "rejected"]

# The server wants a login or TLS first, or has no such login: no recipient can be reached until that is mended.
NOT_LET_IN = frozenset({530, 534, 535, 538})
# Bad mailbox, bad system, bad syntax, moved away, no mail taken (null MX, RFC 7505), mailbox disabled.
_NO_MAILBOX = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
_BAD_SENDER = frozenset({"5.1.7", "5.1.8"})
_TOO_LARGE = frozenset({"5.2.3", "5.3.4"})
_ENHANCED = late(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)")
# Without an enhanced code the words decide; so they do behind those that say "other or undefined" only.
_SAYS_NOTHING = frozenset({"5.0.0", "5.1.0", "5.2.0", "5.3.0", "5.5.0"})
_UNKNOWN_WORDS = late(
    r"user (?:is |was )?(?:unknown|not found)|unknown (?:user|recipient|mailbox|local part)"
    r"|no such (?:user|mailbox|recipient|person|address)"
    r"|(?:mailbox|recipient|address|user|account) (?:was |is )?(?:not found|unknown|disabled|inactive)"
    r"|(?:does not|doesn't|does no longer|no longer) exist|no mailbox (?:here|by that name)"
    r"|not a (?:known|valid) (?:user|mailbox|recipient)|invalid (?:mailbox|recipient|user)"
)
_POLICY_WORDS = late(
    r"block|spam|policy|denied|relay|blacklist|denylist|listed|banned|reputation|not authori[sz]ed|sender"
    r"|dmarc|\bspf\b|dkim|rate limit|not allowed|not permitted|prohibited|authentication|reverse dns"
)
# Gmail says so with 5.2.1, the code of a disabled mailbox (2026-11).
_RATE_WORDS = late(r"receiving mail (?:at a rate|too)")
_FULL_WORDS = late(r"quota|mailbox (?:is )?full|full mailbox|insufficient|exceeded storage|over its limit")
_LARGE_WORDS = late(r"too (?:large|big|long)|exceeds .*size|size .*exceed")


def enhanced_code(text: str) -> str | None:
    """The code of RFC 3463 at the start of a reply's text, "5.1.1", or None."""
    found = _ENHANCED.match(text)
    return found[0] if found else None


def verdict(reply_code: int | None, enhanced_code: str | None, text: str, *, stage: Stage) -> Verdict:
    """What is to be done after this reply at this stage of the envelope ("data" is the reply to DATA or to the final dot).

    accepted: the server has taken the mail. retry: later, nobody is at fault. back-off: leave this server alone for a
    while. suppress: there is no such mailbox, mail to it ends. soft: this mail failed, and it counts against the reader a
    little. stop: the fault is ours, or the server's view of us; no other mail would fare better. rejected: this mail will
    not get through, and that says nothing of its reader. `reply_code` None is a refusal of our own, ahead of the wire.
    """
    if reply_code is None:
        return "rejected" if (enhanced_code or "").startswith("5.") else "retry"
    if reply_code == 421 or (stage == "connect" and reply_code // 100 == 4):
        return "back-off"
    if reply_code in NOT_LET_IN:
        return "stop"
    if reply_code // 100 == 2:
        return "accepted"
    if reply_code // 100 == 5:
        return _refused(reply_code, enhanced_code, text.casefold(), stage)
    return "retry"


def is_policy(enhanced_code: str | None, text: str) -> bool:
    """Does a refusal speak of the server's policy (5.7.x, "blocked", "relaying denied") or of our address, rather than of the
    mailbox?"""
    words = text.casefold()
    if enhanced_code in _NO_MAILBOX:
        return _is_contradicted(words) and bool(_POLICY_WORDS.search(words))
    if enhanced_code is not None and enhanced_code not in _SAYS_NOTHING:
        return enhanced_code.startswith("5.7.") or enhanced_code in _BAD_SENDER
    return bool(_POLICY_WORDS.search(words))


def _refused(code: int, enhanced: str | None, words: str, stage: Stage) -> Verdict:
    if stage == "connect":
        return "stop"
    known = enhanced if enhanced and enhanced.startswith("5.") and enhanced not in _SAYS_NOTHING else None
    if known in _TOO_LARGE or (known is None and _LARGE_WORDS.search(words)):
        return "rejected"
    if code == 552 and known is None:
        return "retry"  # servers of RFC 821 said so of a full mailbox or a full disk
    if stage == "mail" or known in _BAD_SENDER:
        return "stop"
    return _by_code(known, words, stage) if known else _by_words(words, stage)


def _by_code(enhanced: str, words: str, stage: Stage) -> Verdict:
    if enhanced in _NO_MAILBOX:
        # Behind DATA it is the word of a filter as often as of the mailbox.
        return "suppress" if stage == "rcpt" and not _is_contradicted(words) else "soft"
    kind = enhanced.split(".")[1]
    # 5.2.x: the mailbox, full for one; 5.4.x: the road to it; 5.7.x: policy.
    return "soft" if kind in ("2", "4", "7") else "rejected"


def _is_contradicted(words: str) -> bool:
    """Do the words behind a code for "no such mailbox" speak of something else? Orange writes 5.1.1 of a full mailbox, and
    Sendmail puts it, 5.1.3 or 5.1.6 into its reports for every 550, 553 or 551 that has no code of its own."""
    if _UNKNOWN_WORDS.search(words):
        return False
    return any(other.search(words) for other in (_POLICY_WORDS, _FULL_WORDS, _RATE_WORDS))


def _by_words(words: str, stage: Stage) -> Verdict:
    if _POLICY_WORDS.search(words) or _FULL_WORDS.search(words):
        return "soft"
    if _UNKNOWN_WORDS.search(words):
        return "suppress" if stage == "rcpt" else "soft"
    return "rejected"
