"""What comes back changes what it should, for the person whose token it carries, and nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Literal

import pytest

from bounce_reports import ADDRESS, ENDS, SYSTEMS, End, away_notes, notification, returned
from digest import scores
from digest.config import Config, MailConfig, SiteConfig
from digest.mail.letters import letter as compose_letter
from digest.model import Letter, Preferences, Subscriber
from digest.store import Store
from digest.subscriptions.bounces import Taken, take, take_report
from digest.tokens import Tokens
from editions import shipped

NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
CONFIG = Config(site=SiteConfig(url="https://papers.example.org/"), mail=MailConfig(bounces=ADDRESS))
NO_SUCH, _, DISABLED, FULL, POLICY, _, EXPIRED, _, DELAYED, _ = ENDS


@pytest.fixture
def tokens(store: Store) -> Tokens:
    return Tokens(store.secret())


@pytest.fixture
def reader(store: Store) -> Subscriber:
    store.add_subscriber("other@example.net", digests=(), now=NOW)
    return store.add_subscriber("reader@example.net", digests=(), now=NOW)[0]


def report(tokens: Tokens, reader: Subscriber, end: End, *, system: int = 0) -> bytes:
    token, link = tokens.make("bounce", reader), tokens.make("unsubscribe", reader)
    return notification(SYSTEMS[system], end, token=token, link=link)


def to_token(tokens: Tokens, reader: Subscriber, text: str) -> bytes:
    return f"From: reader@example.net\nTo: bounces+{tokens.make('bounce', reader)}@papers.example.org\n{text}".encode()


def state(store: Store) -> list[tuple[str, str]]:
    assert store.subscriber("other@example.net") is None or (
        store.subscriber("other@example.net").status == "confirmed"  # type: ignore[union-attr]
    )
    return [(s.address, s.status) for s in store.subscribers()]


def status(store: Store, reader: Subscriber) -> str:
    found = store.subscriber_by_id(reader.id)
    assert found is not None
    return found.status


@pytest.mark.parametrize("system", range(len(SYSTEMS)), ids=lambda n: SYSTEMS[n].name)
@pytest.mark.parametrize("end", [NO_SUCH, DISABLED, ENDS[5]], ids=lambda end: end.status)
def test_a_mailbox_that_is_gone_gets_no_more_mail(
    store: Store, tokens: Tokens, reader: Subscriber, end: End, system: int
) -> None:
    line = take_report(store, tokens, CONFIG, report(tokens, reader, end, system=system), now=NOW)
    assert line == f"bounce {end.expected}: no such mailbox, subscriber {reader.id} gets no more mail."
    assert state(store) == [("other@example.net", "confirmed"), ("reader@example.net", "suppressed")]
    suppression = store.suppression("reader@example.net")
    assert suppression is not None
    assert suppression.reason == "bounced"


@pytest.mark.parametrize("end", [FULL, EXPIRED, ENDS[7]], ids=lambda end: end.status)
def test_other_failures_count_once_a_day_and_end_the_mail_after_some_weeks(
    store: Store, tokens: Tokens, reader: Subscriber, end: End
) -> None:
    raw = report(tokens, reader, end)
    line = take_report(store, tokens, CONFIG, raw, now=NOW)
    assert line == f"bounce {end.expected}: counted, subscriber {reader.id} stands at 1.00 of 5."
    assert take_report(store, tokens, CONFIG, raw, now=NOW + timedelta(hours=1)) == line
    days = next(
        day
        for day in count(1)
        if "gets no more" in take_report(store, tokens, CONFIG, raw, now=NOW + timedelta(days=day))
    )
    assert 5 <= days <= 8
    assert status(store, reader) == "suppressed"


def test_who_was_unknown_for_now_is_not_given_up_when_a_server_stops_trying(
    store: Store, tokens: Tokens, reader: Subscriber
) -> None:
    for diagnostic in ("smtp; user unknown", "smtp; 450 4.1.1 user unknown"):
        end = End("failed", "4.1.1", diagnostic, True)
        line = take_report(store, tokens, CONFIG, report(tokens, reader, end), now=NOW)
        assert line == f"bounce 4.1.1: counted, subscriber {reader.id} stands at 1.00 of 5."
    assert status(store, reader) == "confirmed"


def test_one_failure_a_week_never_ends_the_mail(store: Store, tokens: Tokens, reader: Subscriber) -> None:
    for week in range(60):
        take_report(store, tokens, CONFIG, report(tokens, reader, FULL), now=NOW + timedelta(weeks=week))
    assert status(store, reader) == "confirmed"


@pytest.mark.parametrize(
    ("end", "name"),
    [(POLICY, "bounce 5.7.1"), (End("failed", "", "smtp; 554 blocked by our policy", True), "bounce")],
)
def test_a_server_that_refuses_us_every_day_by_its_policy_costs_no_reader(
    store: Store, tokens: Tokens, reader: Subscriber, end: End, name: str
) -> None:
    for day in range(120):
        line = take_report(store, tokens, CONFIG, report(tokens, reader, end), now=NOW + timedelta(days=day))
    assert line.startswith(f"{name}: counted, subscriber {reader.id} stands at 2.")
    assert status(store, reader) == "confirmed"


@pytest.mark.parametrize(
    ("status", "diagnostic"),
    [
        (
            "5.2.1",
            "smtp; 550-5.2.1 The user you are trying to contact is receiving mail at a rate that prevents",
        ),
        ("5.1.1", "smtp; 552 5.1.1 Boite du destinataire pleine. Recipient overquota."),
        ("5.1.1", "SMTP; 552 over quota"),
    ],
)
def test_words_of_something_else_behind_the_code_of_a_mailbox_that_is_gone_give_nobody_up(
    store: Store, tokens: Tokens, reader: Subscriber, status: str, diagnostic: str
) -> None:
    end = End("failed", status, diagnostic, True)
    line = take_report(store, tokens, CONFIG, report(tokens, reader, end), now=NOW)
    assert line == f"bounce {status}: counted, subscriber {reader.id} stands at 1.00 of 5."


@pytest.mark.parametrize(
    ("status", "diagnostic"),
    [
        ("5.1.1", "SMTP; 550 Rejected: 192.0.2.1 is listed by our blocklist"),
        ("5.1.3", "SMTP; 553 bad reverse dns of 192.0.2.1"),
        ("5.1.8", "smtp; 553 5.1.8 Domain of sender address does not exist"),
        ("5.1.7", "smtp; 553 5.1.7 bad address of the sender"),
        ("5.5.0", "smtp; 550 5.5.0 SPF: not allowed to send"),
        ("5.2.3", "smtp; 552 5.2.3 message too large"),
        ("5.3.4", "smtp; 552 5.3.4 message too large"),
        ("5.6.0", "smtp; 554 5.6.0 malformed"),
        ("5.6.1", "smtp; 554 5.6.1 no such media here"),
    ],
)
def test_what_is_said_of_us_or_of_the_mail_counts_a_quarter(
    store: Store, tokens: Tokens, reader: Subscriber, status: str, diagnostic: str
) -> None:
    end = End("failed", status, diagnostic, True)
    line = take_report(store, tokens, CONFIG, report(tokens, reader, end), now=NOW)
    assert line == f"bounce {status}: counted, subscriber {reader.id} stands at 0.25 of 5."


@pytest.mark.parametrize(
    "recipient",
    [
        "Final-Recipient: rfc822; member@example.net",
        "Original-Recipient: rfc822; reader@example.net\nFinal-Recipient: rfc822; member@example.com",
        "Final-Recipient: rfc822; reader@example.net\nAction: failed\nStatus: 5.1.1\n\n"
        "Final-Recipient: rfc822; member@example.com",
    ],
)
def test_another_mailbox_behind_an_address_that_is_gone_does_not_end_the_mail_at_once(
    store: Store, tokens: Tokens, reader: Subscriber, recipient: str
) -> None:
    raw = report(tokens, reader, NO_SUCH).replace(
        b"Final-Recipient: rfc822; reader@example.net", recipient.encode()
    )
    line = take_report(store, tokens, CONFIG, raw, now=NOW)
    assert line == f"bounce 5.1.1: counted, subscriber {reader.id} stands at 1.00 of 5."


def test_the_case_of_letters_makes_no_other_mailbox(store: Store, tokens: Tokens, reader: Subscriber) -> None:
    raw = report(tokens, reader, NO_SUCH).replace(
        b"reader@example.net\r\nAction", b"READER@Example.NET\r\nAction"
    )
    assert b"READER" in raw
    assert "gets no more mail" in take_report(store, tokens, CONFIG, raw, now=NOW)


@pytest.mark.parametrize(("readers", "given_up"), [(10, 3), (80, 4)])
def test_a_relay_that_knows_nobody_any_more_costs_few_readers_and_is_told(
    store: Store, tokens: Tokens, readers: int, given_up: int
) -> None:
    everybody = [store.add_subscriber(f"r{n}@example.net", digests=(), now=NOW)[0] for n in range(readers)]

    def failed(reader: Subscriber, day: int) -> Taken:
        token = tokens.make("bounce", reader)
        raw = notification(SYSTEMS[0], NO_SUCH, token=token, link="x", to=reader.address)
        return take(store, tokens, CONFIG, raw, now=NOW + timedelta(days=day))

    taken = [failed(reader, 0) for reader in everybody]
    assert [one.wants_reading for one in taken] == [False] * given_up + [True] * (readers - given_up)
    assert taken[-1].line == (
        "bounce 5.1.1: no such mailbox, as of many since yesterday: look at your relay; "
        f"counted, subscriber {everybody[-1].id} stands at 1.00 of 5."
    )
    assert [status(store, reader) for reader in everybody].count("suppressed") == given_up
    assert failed(everybody[0], 0).line.endswith("gets no mail already.")
    assert failed(everybody[-1], 2).line.endswith(
        f"no such mailbox, subscriber {everybody[-1].id} gets no more mail."
    )


def test_a_reply_for_now_in_words_alone_gives_nobody_up(
    store: Store, tokens: Tokens, reader: Subscriber
) -> None:
    words = "This is a permanent error. The following address(es) failed:\n\n  reader@example.net\n    450 no such user here\n"
    raw = to_token(tokens, reader, f"X-Failed-Recipients: reader@example.net\nSubject: returned\n\n{words}")
    line = take_report(store, tokens, CONFIG, raw, now=NOW)
    assert line == f"bounce: counted, subscriber {reader.id} stands at 1.00 of 5."
    gone = raw.replace(b"450 no", b"550 no")
    assert "gets no more mail" in take_report(store, tokens, CONFIG, gone, now=NOW)


def test_the_code_alone_tells_a_mailbox_that_is_gone(
    store: Store, tokens: Tokens, reader: Subscriber
) -> None:
    end = End("failed", "5.1.1", "smtp; 550 dommage", True)
    line = take_report(store, tokens, CONFIG, report(tokens, reader, end), now=NOW)
    assert line == f"bounce 5.1.1: no such mailbox, subscriber {reader.id} gets no more mail."


def test_the_code_of_a_full_mailbox_counts_whole_whatever_the_words_say(
    store: Store, tokens: Tokens, reader: Subscriber
) -> None:
    end = End("failed", "5.2.2", "smtp; 552 5.2.2 delivery is blocked", True)
    line = take_report(store, tokens, CONFIG, report(tokens, reader, end), now=NOW)
    assert line == f"bounce 5.2.2: counted, subscriber {reader.id} stands at 1.00 of 5."


def test_a_score_that_reaches_the_limit_ends_the_mail(
    store: Store, tokens: Tokens, reader: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scores, "LIMIT", 1.0)
    line = take_report(store, tokens, CONFIG, report(tokens, reader, FULL), now=NOW)
    assert line == f"bounce 5.2.2: too many failures, subscriber {reader.id} gets no more mail."
    suppression = store.suppression("reader@example.net")
    assert suppression is not None
    assert suppression.reason == "bounced"


def test_a_delay_counts_nothing(store: Store, tokens: Tokens, reader: Subscriber) -> None:
    line = take_report(store, tokens, CONFIG, report(tokens, reader, DELAYED), now=NOW)
    assert line == f"delay 4.4.1: the mail to subscriber {reader.id} is still being tried; nothing counted."
    full = take_report(store, tokens, CONFIG, report(tokens, reader, FULL), now=NOW)
    assert "stands at 1.00" in full


def test_thirty_notes_of_readers_who_are_away_change_nothing(
    store: Store, tokens: Tokens, reader: Subscriber
) -> None:
    notes = away_notes(tokens.make("bounce", reader))
    lines = {take_report(store, tokens, CONFIG, note, now=NOW) for note in notes}
    assert (len(notes), lines) == (30, {"auto-reply: nothing changed."})
    assert status(store, reader) == "confirmed"
    after = take_report(store, tokens, CONFIG, report(tokens, reader, FULL), now=NOW)
    assert "stands at 1.00" in after
    assert store.next_letter() is None


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (lambda token: token[:-1] + ("a" if token[-1] != "a" else "q"), "forged"),
        (lambda token: ("b" if token[0] != "b" else "c") + token[1:], "forged"),
        (lambda token: "a" * 26, "forged"),
        (lambda token: "", "no token"),
    ],
)
@pytest.mark.parametrize("kind", ["bounce", "unsubscribe", "complaint"])
def test_a_forged_token_changes_nothing(
    store: Store, tokens: Tokens, reader: Subscriber, changed: object, why: str, kind: str
) -> None:
    before = state(store)
    token, forged = tokens.make("bounce", reader), changed(tokens.make("bounce", reader))  # type: ignore[operator]
    raw = {
        "bounce": notification(SYSTEMS[0], NO_SUCH, token=token, link="x"),
        "unsubscribe": to_token(tokens, reader, "Subject: unsubscribe\n\n").replace(b"reader@", b"nobody@"),
        "complaint": to_token(tokens, reader, "Subject: complaint about message from 192.0.2.1\n")
        + b"Content-Type: message/rfc822\n\nSubject: x\n\n",
    }[kind].replace(token.encode(), forged.encode())
    line = take_report(store, tokens, CONFIG, raw, now=NOW)
    if kind == "unsubscribe" and not forged:
        why = "no subscriber"
    end = "ignored" if kind == "bounce" else "nothing changed, somebody has to read it"
    assert re.fullmatch(rf"{kind}( 5\.1\.1)?: .*{why}.*; {end}\.", line)
    assert state(store) == before


def test_a_token_for_another_purpose_changes_nothing(
    store: Store, tokens: Tokens, reader: Subscriber
) -> None:
    manage = tokens.make("manage", reader)
    raw = notification(SYSTEMS[6], NO_SUCH, token="x", link=manage)
    assert "forged" in take_report(store, tokens, CONFIG, raw, now=NOW)
    assert status(store, reader) == "confirmed"


def test_a_report_on_somebody_who_was_erased_is_ignored(
    store: Store, tokens: Tokens, reader: Subscriber
) -> None:
    raw = report(tokens, reader, NO_SUCH)
    store.erase_subscriber(reader.address, now=NOW)
    line = take_report(store, tokens, CONFIG, raw, now=NOW)
    assert line == "bounce 5.1.1: its token is forged, or of somebody who was erased; ignored."


def test_a_complaint_ends_the_mail_at_once(store: Store, tokens: Tokens, reader: Subscriber) -> None:
    original = returned("x", tokens.make("unsubscribe", reader), with_path=False)
    raw = (
        "From: feedback@example.net\nTo: fbl@papers.example.org\nMIME-Version: 1.0\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n"
        "Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n\n--b\n"
        f"Content-Type: message/rfc822\n\n{original}\n--b--\n"
    ).encode()
    assert take_report(store, tokens, CONFIG, raw, now=NOW) == (
        f"complaint: subscriber {reader.id} gets no more mail."
    )
    suppression = store.suppression("reader@example.net")
    assert suppression is not None
    assert suppression.reason == "complained"
    assert "gets no mail already" in take_report(store, tokens, CONFIG, raw, now=NOW)


@pytest.mark.parametrize("kind", ["confirm", "known"])
@pytest.mark.parametrize("hours", [1, 100])
def test_who_complains_of_a_letter_that_a_stranger_asked_for_gets_no_more_of_them(
    store: Store, tokens: Tokens, reader: Subscriber, kind: Literal["confirm", "known"], hours: int
) -> None:
    asked = (
        reader
        if kind == "known"
        else store.add_pending(
            "asked@example.net", digests=(), preferences=Preferences(), consent="form", now=NOW
        )
    )
    letter = Letter(
        id=1, subscriber=asked, kind=kind, message_id="<1@papers.example.org>", date=NOW, attempt=1
    )
    sent = compose_letter(letter, CONFIG, shipped(), tokens).data
    raw = (
        b"From: feedback@example.net\nTo: fbl@papers.example.org\nMIME-Version: 1.0\n"
        b"Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n"
        b"Content-Type: message/feedback-report\n\nFeedback-Type: abuse\nVersion: 1\n\n--b\n"
        b"Content-Type: message/rfc822\n\n" + sent + b"\n--b--\n"
    )
    line = take_report(store, tokens, CONFIG, raw, now=NOW + timedelta(hours=hours))
    assert line == f"complaint: subscriber {asked.id} gets no more mail."
    suppression = store.suppression(asked.address)
    assert suppression is not None
    assert suppression.reason == "complained"


def test_who_was_erased_and_came_back_leaves_by_a_mail_of_before(
    store: Store, tokens: Tokens, reader: Subscriber
) -> None:
    raw = to_token(tokens, reader, "Subject: unsubscribe\n\n")
    store.erase_subscriber(reader.address, now=NOW)
    back = store.add_pending(reader.address, digests=(), preferences=Preferences(), consent="form", now=NOW)
    assert store.confirm_subscriber(back.id, now=NOW)
    assert take_report(store, tokens, CONFIG, raw, now=NOW) == f"unsubscribe: subscriber {back.id} has left."
    assert status(store, back) == "unsubscribed"


@pytest.mark.parametrize("by", ["token", "link", "sender"])
def test_who_writes_unsubscribe_has_left(store: Store, tokens: Tokens, reader: Subscriber, by: str) -> None:
    raw = {
        "token": to_token(tokens, reader, "Subject: unsubscribe\n\n"),
        "link": b"From: x@example.net\nTo: digest@papers.example.org\nSubject: unsubscribe\n\n> "
        + returned("x", tokens.make("unsubscribe", reader), with_path=False).encode(),
        "sender": b"From: A Reader <Reader@Example.NET>\nTo: digest@papers.example.org\nSubject: Unsubscribe\n\n",
    }[by]
    line = take_report(store, tokens, CONFIG, raw, now=NOW)
    assert line == f"unsubscribe: subscriber {reader.id} has left."
    assert state(store) == [("other@example.net", "confirmed"), ("reader@example.net", "unsubscribed")]
    assert "was not on the list" in take_report(store, tokens, CONFIG, raw, now=NOW)


@pytest.mark.parametrize("by", ["token", "link", "sender"])
def test_who_answers_a_mail_with_the_wish_to_leave_has_left(
    store: Store, tokens: Tokens, reader: Subscriber, by: str
) -> None:
    link = "x" if by == "sender" else tokens.make("unsubscribe", reader)
    sender = "x@example.net" if by == "link" else "Reader@Example.net"
    quoted = "".join(f"> {line}\n" for line in returned("x", link, with_path=False).splitlines())
    text = (
        f"Subject: Re: 3 new papers\n\nPlease unsubscribe me.\n\nOn Saturday, Paper Digest wrote:\n{quoted}"
    )
    to = f"bounces+{tokens.make('bounce', reader)}" if by == "token" else "digest"
    raw = f"From: A Reader <{sender}>\nTo: {to}@papers.example.org\n{text}".encode()
    assert (
        take_report(store, tokens, CONFIG, raw, now=NOW) == f"unsubscribe: subscriber {reader.id} has left."
    )
    assert status(store, reader) == "unsubscribed"


@pytest.mark.parametrize(
    "sender", ["", "<>", "nobody@example.net", "a@b@c", "x" * 3000 + "@example.net", "ü@[]"]
)
def test_who_is_no_subscriber_cannot_leave(
    store: Store, tokens: Tokens, reader: Subscriber, sender: str
) -> None:
    raw = f"From: {sender}\nSubject: unsubscribe\n\n".encode()
    assert (
        take_report(store, tokens, CONFIG, raw, now=NOW)
        == "unsubscribe: no token of ours in it, and its sender is no subscriber; nothing changed, somebody has to read it."
    )
    assert status(store, reader) == "confirmed"


def test_a_person_who_answers_changes_nothing(store: Store, tokens: Tokens, reader: Subscriber) -> None:
    raw = to_token(tokens, reader, "Subject: Re: 3 new papers\n\nThank you! 550 5.1.1 is a nice number.\n")
    line = take_report(store, tokens, CONFIG, raw, now=NOW)
    assert line == (
        f"other: a mail of subscriber {reader.id} that is no report of failed mail; nothing changed, somebody has to read it."
    )
    assert status(store, reader) == "confirmed"


@pytest.mark.parametrize(
    ("head", "text", "wants"),
    [
        ("From: reader@example.net", "Re: 3 new papers\n\nHow do I get rid of this?\n", True),
        ("From: Reader <READER@example.net>", "(no subject)\n\nIch bekomme das nicht mehr weg.\n", True),
        ("From: somebody@example.net", "Re: 3 new papers\n\nHow do I get rid of this?\n", False),
        ("From: somebody@example.net", "unsubscribe\n\n", True),
        ("From: reader@example.net", "unsubscribe\n\n", False),
        ("From: mailer-daemon@example.net", "returned\n\n550 no such user\n", False),
        ("From: reader@example.net\nAuto-Submitted: auto-replied", "Re: 3 new papers\n\nAway.\n", False),
        (
            "From: staff@example.com",
            "complaint about message from 192.0.2.1\nContent-Type: message/rfc822\n\nSubject: x\n\n",
            True,
        ),
    ],
)
def test_a_person_is_to_read_what_a_reader_wrote_and_what_could_not_be_done(
    store: Store, tokens: Tokens, reader: Subscriber, head: str, text: str, wants: bool
) -> None:
    raw = f"{head}\nTo: digest@papers.example.org\nSubject: {text}".encode()
    taken = take(store, tokens, CONFIG, raw, now=NOW)
    assert (taken.wants_reading, "somebody has to read it" in taken.line) == (wants, wants)


def test_a_mail_that_was_handed_on_needs_nobody(store: Store, tokens: Tokens, reader: Subscriber) -> None:
    end = End("relayed", "2.0.0", "smtp; 250 2.0.0 fine", False)
    taken = take(store, tokens, CONFIG, report(tokens, reader, end), now=NOW)
    assert taken.line == (
        f"other 2.0.0: the mail to subscriber {reader.id} was delivered, or handed on; nothing changed."
    )
    assert not taken.wants_reading


def test_no_line_holds_an_address(store: Store, tokens: Tokens, reader: Subscriber) -> None:
    for system in range(len(SYSTEMS)):
        for day, end in enumerate(ENDS):
            raw = report(tokens, reader, end, system=system)
            line = take_report(store, tokens, CONFIG, raw, now=NOW + timedelta(days=day))
            assert "@" not in line
            assert "reader" not in line
