"""What comes back is read for what it is: 117 samples of others, 100 notifications and 30 notes of our own, and hostile bytes."""

from __future__ import annotations

import json
import re
import time
import tracemalloc
from base64 import encodebytes
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounce_reports import ADDRESS, ENDS, RECIPIENT, SYSTEMS, End, System, away_notes, notification, returned
from conftest import sizes
from digest.mail.bounces import read_report

SAMPLES = Path(__file__).parent / "bounce_samples" / "flufl"
EXPECTED = json.loads((SAMPLES / "expected.json").read_text())
TOKEN = "abcdefghijklmnopqrstuvwx23"
LINK = "Abcdefghijklmnopqrs-_0"
TO = f"bounces+{TOKEN}@papers.example.org"


def mail(body: str, **headers: str) -> bytes:
    head = {"From": "mailer-daemon@example.net", "To": TO, "Subject": "returned", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in head.items())
    return f"{lines}\n{body}".encode()


def test_there_are_117_samples_and_each_has_its_answer() -> None:
    assert {path.name for path in SAMPLES.glob("*.txt")} == set(EXPECTED)
    assert len(EXPECTED) == 117


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_sample_of_flufl_bounce_is_what_its_own_tests_say(name: str) -> None:
    report = read_report((SAMPLES / name).read_bytes(), ADDRESS)
    found = "none" if report.kind != "bounce" else "permanent" if report.permanent else "temporary"
    assert found == EXPECTED[name]["is"]
    if found != "none":
        assert sorted(report.recipients) == EXPECTED[name]["recipients"]
    assert report.token == ""


def test_of_the_samples_only_an_answer_of_a_machine_is_an_auto_reply() -> None:
    kinds = {name: read_report((SAMPLES / name).read_bytes()).kind for name in EXPECTED}
    assert [name for name, kind in kinds.items() if kind == "auto-reply"] == ["qmail_08.txt"]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: f"{end.action}-{end.status}")
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_a_notification_says_whose_mail_failed_how(system: System, end: End) -> None:
    report = read_report(notification(system, end, token=TOKEN, link=LINK), ADDRESS)
    assert (report.kind, report.permanent, report.status) == ("bounce", end.permanent, end.expected)
    assert report.recipients == (RECIPIENT,)
    assert report.token == ("" if system.token == "link" else TOKEN)
    assert report.unsubscribe_token == (
        LINK if system.original != "text/rfc822-headers" else report.unsubscribe_token
    )


@pytest.mark.parametrize("number", range(30))
def test_a_note_of_a_reader_who_is_away_is_an_auto_reply(number: int) -> None:
    note = away_notes(TOKEN)[number]
    report = read_report(note, ADDRESS)
    assert (report.kind, report.permanent, report.token) == ("auto-reply", False, TOKEN), note.decode()


def test_there_are_a_hundred_notifications_and_thirty_notes() -> None:
    assert (len(SYSTEMS) * len(ENDS), len(away_notes(TOKEN))) == (100, 30)


@pytest.mark.parametrize(
    ("action", "status"), [("delivered", "2.0.0"), ("relayed", "2.0.0"), ("expanded", "2.1.5")]
)
def test_a_mail_that_arrived_is_no_bounce(action: str, status: str) -> None:
    end = End(action, status, "smtp; 250 2.0.0 fine", False)
    assert read_report(notification(SYSTEMS[0], end, token=TOKEN, link=LINK), ADDRESS).kind == "other"


def status_report(fields: str, encoding: str = "7bit", extra: str = "") -> bytes:
    """A notification that has nothing but a delivery status, from a system that nobody knows."""
    return (
        f"From: robot@example.net\nTo: {TO}\n{extra}MIME-Version: 1.0\nContent-Type: multipart/report; "
        f'report-type=delivery-status; boundary="b"\n\n--b\nContent-Type: message/delivery-status\n'
        f"Content-Transfer-Encoding: {encoding}\n\nReporting-MTA: dns; mx.example.net\n\n{fields}\n--b--\n"
    ).encode()


@pytest.mark.parametrize(
    ("fields", "kind", "permanent", "status"),
    [
        ("Action: gescheitert\nStatus: 5.1.1\n", "bounce", True, "5.1.1"),
        ("Status: 5.0.0\n", "bounce", True, "5.0.0"),
        ("Action: verspätet\nStatus: 4.4.1\n", "bounce", False, "4.4.1"),
        ("Action: zugestellt\nStatus: 2.0.0\n", "other", False, "2.0.0"),
        ("Action: relayed\nStatus: 4.0.0\n", "other", False, "4.0.0"),
        ("Action: delivered\nStatus: 5.0.0\n", "other", False, "5.0.0"),
    ],
)
def test_a_delivery_status_counts_by_its_code_only_where_its_action_is_no_word_of_the_standard(
    fields: str, kind: str, permanent: bool, status: str
) -> None:
    report = read_report(status_report(f"Final-Recipient: rfc822; ann@example.org\n{fields}"), ADDRESS)
    assert (report.kind, report.permanent, report.status) == (kind, permanent, status)


def test_a_delivery_status_is_no_note_of_a_reader_who_is_away() -> None:
    fields = "Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\n"
    raw = status_report(fields, extra="Auto-Submitted: auto-replied\n")
    assert (read_report(raw, ADDRESS).kind, read_report(raw, ADDRESS).status) == ("bounce", "5.1.1")


def test_a_delivery_status_in_quoted_printable_is_read() -> None:
    raw = status_report("Final-Recipient: rfc822; ann=40example.org\nStatus: 5.=\n1.1\n", "quoted-printable")
    report = read_report(raw, ADDRESS)
    assert (report.kind, report.status, report.recipients) == ("bounce", "5.1.1", ("ann@example.org",))


@pytest.mark.parametrize(
    ("body", "status", "permanent"),
    [
        ("Ваше письмо не доставлено.\n\n<a@b.example>: 550 5.1.1 нет такого\n", "5.1.1", True),
        ("無法投遞\n550 mailbox unavailable\n", "", True),
        ("Fehler 5.2.2 Postfach voll\n", "5.2.2", True),
        ("Später noch einmal: 452 4.2.2 voll\n", "4.2.2", False),
    ],
)
def test_a_notice_in_a_form_that_nobody_knows_counts_by_its_code(
    body: str, status: str, permanent: bool
) -> None:
    report = read_report(mail(body, Return_Path="<>"), ADDRESS)
    assert (report.kind, report.status, report.permanent) == ("bounce", status, permanent)


@pytest.mark.parametrize(
    "body",
    [
        "Your relay 5.1.1.20 was seen.\n",
        "Exim 4.94.2 greets you\n",
        "In room 550, on floor 5.\n",
        "call 555 1234\n",
        "",
    ],
)
def test_numbers_that_are_no_codes_make_no_bounce(body: str) -> None:
    assert read_report(mail(body, Return_Path="<>"), ADDRESS).kind == "other"


def test_a_notice_in_words_counts_only_at_a_readers_own_address() -> None:
    returned_too = f"550 5.1.1 no such user\n\nReturn-Path: <{TO}>\n"
    report = read_report(mail(returned_too, To="bounces@papers.example.org", Return_Path="<>"), ADDRESS)
    assert (report.kind, report.token) == ("other", TOKEN)


def test_a_note_in_words_that_a_mail_arrived_is_no_bounce() -> None:
    report = read_report(mail("Angekommen: 2.1.5 zugestellt\n", Return_Path="<>"), ADDRESS)
    assert (report.kind, report.token) == ("other", TOKEN)


def test_a_person_who_writes_of_a_code_makes_no_bounce() -> None:
    report = read_report(mail("Why do I get 550 5.1.1 from you?\n", From="Ann <ann@example.net>"), ADDRESS)
    assert (report.kind, report.token) == ("other", TOKEN)


def feedback(kind: str, original: str) -> bytes:
    return (
        f"From: feedback@example.net\nTo: fbl@papers.example.org\nSubject: FW: 3 new papers\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\n\n--b\nContent-Type: text/plain\n\n'
        f"This is an email abuse report.\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: {kind}\n"
        f"User-Agent: Loop/1.0\nVersion: 1\n--b\nContent-Type: message/rfc822\n\n{original}--b--\n"
    ).encode()


@pytest.mark.parametrize(
    ("kind", "read_as"),
    [
        ("abuse", "complaint"),
        ("fraud", "complaint"),
        ("Abuse ; x", "complaint"),
        ("opt-out", "unsubscribe"),
        ("not-spam", "other"),
        ("auth-failure", "other"),
        ("virus", "other"),
    ],
)
def test_a_report_of_a_feedback_loop_is_a_complaint_only_where_it_complains(kind: str, read_as: str) -> None:
    for with_path in (True, False):
        report = read_report(feedback(kind, returned(TOKEN, LINK, with_path=with_path)), ADDRESS)
        assert report.kind == read_as
        assert (report.token, report.unsubscribe_token) == (TOKEN if with_path else "", LINK)


def test_a_person_who_hands_on_a_complaint_makes_none() -> None:
    inner = feedback("abuse", returned(TOKEN, LINK, with_path=True)).decode()
    raw = (
        "From: ann@example.net\nSubject: what is this?\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/mixed; boundary="a"\n\n--a\nContent-Type: message/rfc822\n\n{inner}\n--a--\n'
    )
    assert read_report(raw.encode(), ADDRESS).kind == "other"


def test_the_feedback_of_outlook_is_a_complaint() -> None:
    raw = (
        "From: staff@hotmail.com\nSubject: complaint about message from 192.0.2.1\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: message/rfc822\n\n'
        f"{returned(TOKEN, LINK, with_path=False)}--b--\n"
    )
    report = read_report(raw.encode(), ADDRESS)
    assert (report.kind, report.unsubscribe_token) == ("complaint", LINK)


def test_a_mail_that_only_has_the_subject_of_such_feedback_is_no_complaint() -> None:
    raw = mail("Whom do I ask?\n", Subject="Complaint about message from 192.0.2.1", From="ann@example.net")
    assert read_report(raw, ADDRESS).kind == "other"


@pytest.mark.parametrize(
    "subject", ["unsubscribe", "Unsubscribe", "UNSUBSCRIBE me", "please unsubscribe", " [unsubscribe]"]
)
def test_a_mail_that_says_unsubscribe_is_heard(subject: str) -> None:
    report = read_report(mail("", Subject=subject, From="Ann <Ann@example.net>"), ADDRESS)
    assert (report.kind, report.token, report.sender) == ("unsubscribe", TOKEN, "Ann@example.net")


@pytest.mark.parametrize(
    "subject", ["Re: how do I unsubscribe?", "unsubscribed mails", "Out of office: unsubscribe"]
)
def test_a_mail_that_speaks_of_unsubscribing_is_not_obeyed(subject: str) -> None:
    assert read_report(mail("", Subject=subject, From="ann@example.net"), ADDRESS).kind != "unsubscribe"


def test_an_automatic_answer_unsubscribes_nobody() -> None:
    for said in ("auto-replied", "Auto-Replied (vacation)"):
        raw = mail("", Subject="unsubscribe", From="ann@example.net", Auto_Submitted=said)
        assert read_report(raw, ADDRESS).kind == "auto-reply"


@pytest.mark.parametrize(
    ("said", "kind"), [("Auto-Replied", "auto-reply"), ("AUTO-GENERATED", "auto-reply"), ("No", "other")]
)
def test_whether_a_machine_wrote_is_heard_in_any_case_of_letters(said: str, kind: str) -> None:
    assert (
        read_report(mail("Thank you.\n", From="ann@example.net", Auto_Submitted=said), ADDRESS).kind == kind
    )


# ------------------------------------------------------------------ tokens


@pytest.mark.parametrize(
    "name",
    [
        "To",
        "Cc",
        "Delivered-To",
        "X-Original-To",
        "Envelope-To",
        "Resent-To",
        "X-Forwarded-To",
        "X-Delivered-To",
    ],
)
@pytest.mark.parametrize(
    "written",
    [
        TO,
        f"<{TO}>",
        f"A list <{TO.upper()}>",
        f"other@example.org, {TO}",
        f"SRS0=hash=tt=papers.example.org=bounces+{TOKEN}@relay.example.net",
        f"prvs=1234abcd=bounces+{TOKEN}@papers.example.org",
    ],
)
def test_the_token_is_that_of_the_address_to_which_a_mail_came(name: str, written: str) -> None:
    raw = (
        mail(f"bounces+{'z' * 26}@papers.example.org", To="somebody@example.org")
        if name != "To"
        else mail("")
    )
    raw = re.sub(rb"To: .*", b"To: x@example.org", raw, count=1)
    assert read_report(f"{name}: {written}\n".encode() + raw, ADDRESS).token == TOKEN


def test_the_token_of_the_address_counts_before_any_that_stands_ahead_of_it() -> None:
    raw = f"Received: for <bounces+{'z' * 26}@papers.example.org>\n".encode() + mail("")
    assert read_report(raw, ADDRESS).token == TOKEN


@pytest.mark.parametrize(
    "near",
    [
        f"bounces+{TOKEN}x@papers.example.org",
        f"bounces+{TOKEN[:-1]}@papers.example.org",
        f"bounces-{TOKEN}@papers.example.org",
        f"bounces+{TOKEN[:-1]}1@papers.example.org",
        f"notbounces+{TOKEN}@papers.example.org",
    ],
)
def test_what_only_looks_like_a_token_is_none(near: str) -> None:
    assert read_report(mail("", To=near), ADDRESS).token == ""


def test_without_an_address_for_bounces_only_the_link_tells_whose_mail_it_was() -> None:
    raw = notification(SYSTEMS[0], ENDS[0], token=TOKEN, link=LINK)
    report = read_report(raw, "")
    assert (report.kind, report.token, report.unsubscribe_token) == ("bounce", "", LINK)


def test_the_token_of_an_encoded_mail_is_found() -> None:
    original = returned(TOKEN, LINK, with_path=True).encode()
    raw = mail("", To="x@example.org") + encodebytes(original)
    report = read_report(raw, ADDRESS)
    assert (report.token, report.unsubscribe_token) == (TOKEN, LINK)


# ------------------------------------------------------------------ hostile


def nested(depth: int, kind: str) -> bytes:
    lines = [b"From: mailer-daemon@example.net", b"To: " + TO.encode(), b"Subject: deep"]
    for n in range(depth):
        if kind == "multipart":
            lines += [f'Content-Type: multipart/mixed; boundary="b{n}"'.encode(), b"", f"--b{n}".encode()]
        else:
            lines += [b"Content-Type: message/rfc822", b""]
    return b"\n".join([*lines, b"", b"550 5.1.1 the end", b""])


# Behind each of these flufl.bounce looks for an address.
BEGINNINGS = (
    "Unable to deliver message to\nYour message could not be delivered to\nDid not reach the following recipient\n"
    "this is the email server at\nA message could not be delivered to:\nSorry, unable to deliver your message to\n"
)
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "nothing": lambda part: b"",
    "NULs": lambda part: b"\0" * (1_000_000 // part),
    "20 MB of one line": lambda part: mail("x" * (20_000_000 // part)),
    "20 MB of lines": lambda part: mail("x\n" * (10_000_000 // part)),
    "20 MB of empty lines in parts": lambda part: nested(9, "multipart") + b"\n" * (20_000_000 // part),
    "a thousand parts in each other": lambda part: nested(1000, "multipart"),
    "a thousand mails in each other": lambda part: nested(1000, "message"),
    "a hundred thousand parts beside each other": lambda part: mail(
        "--b\nContent-Type: text/plain\n\nx\n" * (100_000 // part), Content_Type="multipart/mixed; boundary=b"
    ),
    "a header of 20 MB": lambda part: b"Subject: " + b"y" * (20_000_000 // part),
    "a hundred thousand headers": lambda part: b"To: a@example.org\n" * (100_000 // part) + b"\n",
    "addresses without an @": lambda part: mail(
        "Failed addresses follow:\n" + "The following addresses had\n" + "a" * (200_000 // part)
    ),
    "words of a square": lambda part: mail(BEGINNINGS + ("a" * 319 + " ") * (3000 // part)),
    "blanks of a square": lambda part: mail(BEGINNINGS + "\t" * 120_000),
    "signs of a square in one line": lambda part: mail(BEGINNINGS + "< " * 60_000),
    "signs of markup": lambda part: mail("<" * (200_000 // part), Content_Type="text/html"),
    "a status of 20 MB": lambda part: mail(
        "--b\nContent-Type: message/delivery-status\n\n" + "Action: failed\n\n" * (1_000_000 // part),
        Content_Type="multipart/report; boundary=b",
    ),
    "an encoded subject of no kind": lambda part: mail(
        "", Subject="=?x-none?Q?=FF?= =?utf-8?B?!!!?= =?utf-8?b?a?="
    ),
    "charsets of no kind": lambda part: mail(
        "=FF=FE\n", Content_Type='text/plain; charset="\0\xff\n"', MIME_Version="1.0"
    ),
    "base64 of nothing": lambda part: mail("QUJD\n" * (300_000 // part), Content_Transfer_Encoding="base64"),
    "many pieces of base64": lambda part: mail((("A" * 60 + "\n") + "\n") * (20_000 // part)),
    "no header at all": lambda part: b"\xff\xfe\x00\r\n\r\r\n: :\n" * (1000 // part),
}


# Seconds each, also in parts; there are others of 20 MB and of many lines.
SLOW = frozenset({"20 MB of empty lines in parts", "20 MB of lines"})


@pytest.mark.parametrize("part", sizes(4, 1))
@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=[pytest.mark.torture] if what in SLOW else []) for what in HOSTILE]
)
def test_hostile_mail_is_read_in_bounded_time(what: str, part: int) -> None:
    raw = HOSTILE[what](part)
    began = time.process_time()
    report = read_report(raw, ADDRESS)
    # Whole, three seconds at most on two busy cores of 2026; ten times that is still bounded, and a square of the size is not.
    assert time.process_time() - began < 40 / part
    assert report.kind in ("other", "bounce")


@pytest.mark.parametrize(
    ("kind", "field"), [("other", "multipart/report; boundary"), ("bounce", "text/plain; charset")]
)
def test_parameters_without_end_cost_no_square_of_their_number(kind: str, field: str) -> None:
    raw = mail("550 5.1.1 no such mailbox", Content_Type=f'{field}="a{";" * 120_000}"')
    began = time.process_time()
    assert read_report(raw, ADDRESS).kind == kind
    assert time.process_time() - began < 4, "the library alone takes ten seconds"


@pytest.mark.parametrize("what", ["20 MB of one line", "a header of 20 MB", "NULs"])
def test_hostile_mail_is_read_in_bounded_memory(what: str) -> None:
    raw = HOSTILE[what](1)
    tracemalloc.start()
    try:
        read_report(raw, ADDRESS)
        assert tracemalloc.get_traced_memory()[1] < 80 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "broken",
    [
        b"Content-Type: text/plain; charset*=x'y'%ff\nContent-Transfer-Encoding: 8bit\n\n\xff\n",
        b"Subject: =?iso-88\x01\xff59-1?q?=FF?=\n\n",
        b"From: =?rot13?q?x?= <=?undefined?b?/w==?=>\nSubject: =?idna?b?/w==?=\n\n",
        b"Content-Type: text/plain; charset=unicode_escape\n\n\\x\n",
        b"Content-Type: multipart/report; boundary=\n\n--\n--\n",
        b"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n====\n",
        b"From: " + b"(" * 1900 + b"\n\n",
    ],
)
def test_broken_mime_is_no_report_and_no_error(broken: bytes) -> None:
    report = read_report(b"To: " + TO.encode() + b"\n" + broken, ADDRESS)
    assert (report.kind, report.token) == ("other", TOKEN)


def test_a_mail_over_which_the_library_breaks_is_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(message: object) -> None:
        raise AttributeError("what a later version of it may raise")

    monkeypatch.setattr("digest.mail.bounces.outcomes", breaks)
    report = read_report(notification(SYSTEMS[0], ENDS[0], token=TOKEN, link=LINK), ADDRESS)
    assert (report.kind, report.token) == ("other", TOKEN)


@given(st.binary(max_size=2000))
def test_any_bytes_are_read(raw: bytes) -> None:
    assert read_report(raw, ADDRESS).permanent is False


@given(st.data())
def test_a_damaged_report_is_read(data: st.DataObject) -> None:
    system, end = data.draw(st.sampled_from(SYSTEMS)), data.draw(st.sampled_from(ENDS))
    raw = bytearray(notification(system, end, token=TOKEN, link=LINK))
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=6))
    report = read_report(bytes(raw), ADDRESS)
    assert report.kind in ("bounce", "complaint", "auto-reply", "unsubscribe", "other")
    assert len(report.token) in (0, 26)
