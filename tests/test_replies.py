"""What a server says, and what is done about it: nobody is given up for what is not their fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.replies import Stage, enhanced_code, is_policy, verdict

# Stage, reply as it comes over the wire, what is to be done.
REPLIES: list[tuple[Stage, str, str]] = [
    ("data", "250 2.0.0 Ok: queued as 4F1B22A3", "accepted"),
    ("data", "250 2.6.0 <a@b> Queued mail for delivery", "accepted"),
    ("data", "250 OK id=1rXyZ-0001", "accepted"),
    ("rcpt", "251 User not local; will forward", "accepted"),
    ("rcpt", "252 2.5.0 Cannot verify the user, but will take the message", "accepted"),
    # later, and nobody is at fault
    ("rcpt", "450 4.2.0 <a@b>: Recipient address rejected: Greylisted, see our page", "retry"),
    ("rcpt", "450 4.1.1 <a@b>: Recipient address rejected: unverified address", "retry"),
    ("rcpt", "451 4.7.1 Please try again later", "retry"),
    ("rcpt", "451 4.3.5 Server configuration problem", "retry"),
    ("rcpt", "452 4.2.2 The recipient's inbox is out of storage space", "retry"),
    ("rcpt", "452 4.5.3 Too many recipients", "retry"),
    ("rcpt", "450 4.7.26 unauthenticated mail is rate limited", "retry"),
    ("mail", "451 4.3.0 Temporary lookup failure", "retry"),
    ("mail", "452 4.3.1 Insufficient system storage", "retry"),
    ("data", "451 4.3.0 Error: queue file write error", "retry"),
    ("data", "451 4.7.650 The mail server has been temporarily rate limited due to IP reputation", "retry"),
    ("data", "432 4.3.2 Concurrent connections limit exceeded", "retry"),
    ("data", "454 4.7.0 Temporary authentication failure", "retry"),
    ("rcpt", "552 Requested mail action aborted: storage allocation exceeded", "retry"),
    ("rcpt", "552 5.0.0 mailbox full", "retry"),
    ("mail", "552 storage exceeded, come back", "retry"),
    # leave the server alone
    ("connect", "421 4.3.2 Too many connections, try again later", "back-off"),
    ("connect", "450 4.7.1 busy", "back-off"),
    ("connect", "454 4.7.0 Connection rate limit reached", "back-off"),
    ("mail", "421 4.7.0 Too much mail from you today", "back-off"),
    ("rcpt", "421 4.7.28 unusual rate of mail", "back-off"),
    ("data", "421 4.4.2 mx.example.org Error: timeout exceeded", "back-off"),
    # there is no such mailbox
    ("rcpt", "550 5.1.1 The email account that you tried to reach does not exist", "suppress"),
    (
        "rcpt",
        "550 5.1.1 <a@b>: Recipient address rejected: User unknown in virtual mailbox table",
        "suppress",
    ),
    ("rcpt", "550-5.1.1 no such user", "suppress"),
    ("rcpt", "550 5.1.1 User unknown in relay recipient table", "suppress"),
    ("rcpt", "550 5.1.1 unknown or illegal alias", "suppress"),
    ("rcpt", "550 5.5.0 user unknown", "suppress"),
    ("rcpt", "553 5.3.0 no such user here", "suppress"),
    ("rcpt", "553 5.1.2 bad destination system", "suppress"),
    ("rcpt", "501 5.1.3 Bad recipient address syntax", "suppress"),
    ("rcpt", "551 5.1.6 The recipient has moved and left no address", "suppress"),
    ("rcpt", "550 5.1.10 RESOLVER.ADR.RecipientNotFound", "suppress"),
    ("rcpt", "556 5.1.10 Recipient address has a null MX", "suppress"),
    ("rcpt", "550 5.2.1 The account that you tried to reach is inactive", "suppress"),
    ("rcpt", "550 User unknown", "suppress"),
    ("rcpt", "550 No such user here", "suppress"),
    ("rcpt", "550 no such recipient", "suppress"),
    ("rcpt", "550 Mailbox not found", "suppress"),
    ("rcpt", "550 That mailbox does not exist here", "suppress"),
    ("rcpt", "550 5.1.0 Unknown user", "suppress"),
    ("rcpt", "553 5.0.0 Invalid recipient", "suppress"),
    ("rcpt", "550 Unknown local part a in <a@b>", "suppress"),
    ("rcpt", "554 The mailbox is disabled: this address no longer exists", "suppress"),
    # it failed, and counts a little
    ("rcpt", "552 5.2.2 The recipient's mailbox is full", "soft"),
    ("rcpt", "554 5.2.2 mailbox full", "soft"),
    ("rcpt", "550 Mailbox quota exceeded", "soft"),
    ("data", "552 5.2.2 over quota", "soft"),
    ("rcpt", "550 5.4.1 Recipient address rejected: Access denied", "soft"),
    ("rcpt", "550 5.4.4 Host or domain name not found", "soft"),
    ("rcpt", "554 5.4.6 Too many hops", "soft"),
    ("data", "550 5.1.1 user unknown, said behind DATA", "soft"),
    ("data", "554 User unknown", "soft"),
    # the code says that there is no such mailbox, and the words that there is
    (
        "rcpt",
        "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents more",
        "soft",
    ),
    ("rcpt", "550 5.2.1 The user is receiving mail too quickly", "soft"),
    ("rcpt", "552 5.1.1 Boite du destinataire pleine. Recipient overquota.", "soft"),
    ("rcpt", "550 5.1.1 Rejected: 192.0.2.1 is listed in a blocklist", "soft"),
    ("rcpt", "553 5.1.3 bad reverse dns", "soft"),
    ("rcpt", "551 5.1.6 we do not relay", "soft"),
    # policy: about us
    ("rcpt", "550 5.7.1 Service unavailable; client blocked using a list", "soft"),
    ("rcpt", "554 5.7.1 <a@b>: Relay access denied", "soft"),
    ("rcpt", "550 5.7.26 This mail is unauthenticated", "soft"),
    ("rcpt", "550 5.7.515 Access denied, sending domain does not meet the authentication level", "soft"),
    ("data", "550 5.7.1 Our system has detected that this message is likely spam", "soft"),
    ("data", "554 5.7.9 Message not accepted for policy reasons", "soft"),
    ("rcpt", "550 Relaying denied", "soft"),
    ("rcpt", "554 Your address is blocked: user unknown to us", "soft"),
    ("rcpt", "550 Sender verify failed", "soft"),
    ("data", "554 Message refused: spam", "soft"),
    # the fault is ours
    ("connect", "554 5.7.1 No SMTP service for you here", "stop"),
    ("connect", "521 this host takes no mail", "stop"),
    ("mail", "550 5.7.1 Sender address rejected: not owned by user", "stop"),
    ("mail", "553 5.1.8 Domain of sender address does not exist", "stop"),
    ("mail", "501 5.1.7 Bad sender address syntax", "stop"),
    ("rcpt", "550 5.1.8 Sender's domain does not exist", "stop"),
    ("rcpt", "553 5.1.7 <x@y>: bad sender's mailbox", "stop"),
    ("rcpt", "530 5.7.0 Authentication required", "stop"),
    ("mail", "530 5.7.0 Must issue a STARTTLS command first", "stop"),
    ("mail", "535 5.7.8 credentials invalid", "stop"),
    # this mail does not get through
    ("mail", "552 5.3.4 Message size exceeds fixed limit", "rejected"),
    ("rcpt", "552 5.2.3 Message too large for this mailbox", "rejected"),
    ("data", "552 Message too large", "rejected"),
    ("data", "554 5.6.0 Message content rejected", "rejected"),
    ("data", "550 5.6.1 no such media type here", "rejected"),
    ("rcpt", "503 5.5.1 Bad sequence of commands", "rejected"),
    ("rcpt", "550 5.3.0 something or other", "rejected"),
    ("rcpt", "550 no", "rejected"),
    ("rcpt", "554 Transaction failed", "rejected"),
]


@pytest.mark.parametrize(("stage", "reply", "expected"), REPLIES, ids=lambda value: str(value)[:40])
def test_a_reply_means(stage: Stage, reply: str, expected: str) -> None:
    code, text = int(reply[:3]), reply[4:]
    assert verdict(code, enhanced_code(text), text, stage=stage) == expected


@pytest.mark.parametrize(
    ("enhanced", "expected"), [("5.1.3", "rejected"), ("5.3.4", "rejected"), (None, "retry")]
)
def test_what_we_refuse_ourselves_gives_nobody_up(enhanced: str | None, expected: str) -> None:
    assert verdict(None, enhanced, "cannot be written", stage="rcpt") == expected


def test_policy_is_told_from_a_full_mailbox() -> None:
    refused = [reply for stage, reply, expected in REPLIES if expected == "soft" and stage == "rcpt"]
    policy = {reply[:9] for reply in refused if is_policy(enhanced_code(reply[4:]), reply[4:])}
    assert policy == {
        "550 5.1.1",
        "551 5.1.6",
        "553 5.1.3",
        "550 5.7.1",
        "554 5.7.1",
        "550 5.7.2",
        "550 5.7.5",
        "550 Relay",
        "554 Your ",
        "550 Sende",
    }


def test_a_table_of_a_relay_that_knows_no_such_user_is_no_policy() -> None:
    assert not is_policy("5.1.1", "5.1.1 User unknown in relay recipient table")
    assert is_policy("5.1.1", "5.1.1 Relaying denied")


def test_nobody_is_given_up_by_any_reply_of_policy_or_for_now() -> None:
    words = " user unknown, no such mailbox, it does not exist"
    for code in (*range(400, 500), 530, 535, 552):
        assert verdict(code, None, words, stage="rcpt") != "suppress"
    for detail in range(1000):
        assert verdict(550, f"5.7.{detail}", words, stage="rcpt") == "soft"
        assert verdict(550, f"5.1.{detail}", words, stage="mail") == "stop"


@given(st.integers(200, 599), st.text(), st.sampled_from(["connect", "mail", "rcpt", "data"]))
def test_every_reply_has_a_meaning(code: int, text: str, stage: Stage) -> None:
    found = verdict(code, enhanced_code(text), text, stage=stage)
    assert (found == "accepted") == (code < 300)
    if found == "suppress":
        assert code >= 500
        assert stage == "rcpt"


def test_a_code_is_one_only_at_the_start_and_whole() -> None:
    assert enhanced_code("5.1.1 no such user") == "5.1.1"
    for text in ("5.1.1-like", "x 5.1.1", "3.1.1 no", "5.1", "5.1.1111 no", ""):
        assert enhanced_code(text) is None
