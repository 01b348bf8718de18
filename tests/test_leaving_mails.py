"""Who writes that they want no more mail is heard, in their own words; what is quoted, asked or said of it is none."""

from __future__ import annotations

import time

import pytest

from bounce_reports import ADDRESS, away_notes, returned
from digest.mail.bounces import read_report
from digest.mail.leaving import subject_asks, text_asks

TOKEN = "abcdefghijklmnopqrstuvwx23"
TO = f"bounces+{TOKEN}@papers.example.org"


@pytest.mark.parametrize(
    "text",
    [
        "unsubscribe",
        "UNSUBSCRIBE <reader@example.net>",
        "*Unsubscribe me*",
        "Please, unsubscribe me from this list.",
        "I would like to unsubscribe from this list",
        "Please take me off this list",
        "Remove",
        "please remove me from your list",
        "STOP",
        "Stop!",
        "stop sending me these mails",
        "Stop this newsletter",
        "please stop all the emails",
        "Cancel my subscription, thanks",
        "Hi,\n\nplease unsubscribe me\n\nAnn",
        "\n\nUnsubscribe\n-----Original Message-----\nFrom: x",
        "unsubscribe\n\n> On Monday",
        "Abmelden",
        "Bitte abmelden!",
        "Hallo zusammen,\nbitte austragen",
        "Newsletter abbestellen",
        "Melden Sie mich bitte ab.",
        "Ich möchte mich abmelden",
        "désabonner",
        "s'il vous plaît désabonnez-moi",
        "Je souhaite me désabonner",
        "Merci de me désabonner",
        "Désinscription",
        "Quiero darme de baja",
        "baja",
        "Cancellami",
        "disiscrizione",
        "cancelar inscrição",
        "afmelden",
        "avregistrera mig",
        "wypisz mnie",
        "odhlásit",
        "отписаться",
        "Отпишите меня, пожалуйста",
        "退订",
        "取消订阅",
        "配信停止をお願いします",
        "수신거부",
    ],
)
def test_a_wish_to_leave_is_heard(text: str) -> None:
    assert text_asks(text, False)
    assert subject_asks(text.strip().splitlines()[0]) or "\n" in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "How do I unsubscribe?",
        "Does unsubscribe work?",
        "The unsubscribe link is broken",
        "unsubscribed mails are nice",
        "Stop by my office",
        "Stop the spam: your message waits until you have shown who you are",
        "Remove the second paper, it is wrong",
        "Cancel culture",
        "Leave it at that",
        "Abmeldebestätigung",
        "Nice papers!\nunsubscribe",
        "Hi,\nthank you",
        "> unsubscribe",
        "Hello,\n> unsubscribe",
        "On Monday, Paper Digest wrote:\n> unsubscribe",
        "-----Original Message-----\nunsubscribe",
        "unsubscribe " + "x" * 200,
    ],
)
def test_what_only_speaks_of_it_is_not_obeyed(text: str) -> None:
    assert not text_asks(text, False)


@pytest.mark.parametrize(
    "subject", ["Re: unsubscribe", "AW: Re: Abmeldung", "回复：退订", "unsubscribe " + "x" * 200]
)
def test_the_subject_of_an_answer_is_heard(subject: str) -> None:
    assert subject_asks(subject)


@pytest.mark.parametrize(
    "subject", ["Fwd: unsubscribe", "Re: how do I unsubscribe?", "Re: 3 new papers", "Regarding: unsubscribe"]
)
def test_the_subject_of_what_was_handed_on_is_not(subject: str) -> None:
    assert not subject_asks(subject)


def test_a_page_is_read_by_its_blocks_and_without_its_styles() -> None:
    page = "<html><head><style>P {margin: 0}</style></head><body><div>d&eacute;sabonner</div><div>Nice.</div>"
    assert text_asks(page, True)
    assert text_asks("<p>&nbsp;</p><p>Bitte <b>abmelden</b></p>", True)
    assert not text_asks("<p>Thanks</p><a href='x'>Unsubscribe</a>", True)
    assert not text_asks("<p>Thanks, unsubscribe</p>", True)


def mail(text: str, *, extra: str = "", sender: str = "Ann <ann@example.net>") -> bytes:
    return f"From: {sender}\nTo: {TO}\nSubject: Re: 3 new papers\n{extra}\n{text}\n".encode()


@pytest.mark.parametrize("kind", ["text/plain; charset=utf-8", "text/html; charset=utf-8"])
def test_a_person_who_asks_to_leave_in_an_answer_is_heard(kind: str) -> None:
    quoted = returned(TOKEN, "Abcdefghijklmnopqrs-_0", with_path=False)
    report = read_report(mail(f"Abmelden\n<br>\n{quoted}", extra=f"Content-Type: {kind}\n"), ADDRESS)
    assert (report.kind, report.token, report.sender) == ("unsubscribe", TOKEN, "ann@example.net")


@pytest.mark.parametrize("written", ["utf-8", "latin-1"])
def test_a_subject_that_is_not_encoded_is_read(written: str) -> None:
    raw = mail("").replace(b"Re: 3 new papers", "Désabonner".encode(written))
    assert read_report(raw, ADDRESS).kind == "unsubscribe"
    away = mail("").replace(b"Re: 3 new papers", "Réponse automatique : je suis loin".encode(written))
    assert read_report(away, ADDRESS).kind == "auto-reply"


@pytest.mark.parametrize(
    ("extra", "sender"),
    [
        ("Auto-Submitted: auto-replied\n", "ann@example.net"),
        ("Auto-Submitted: auto-generated\n", "ann@example.net"),
        ("X-Autoreply: yes\n", "ann@example.net"),
        ("", "mailer-daemon@example.net"),
        ("X-Failed-Recipients: ann@example.net\n", "ann@example.net"),
    ],
)
def test_what_a_machine_writes_first_is_no_wish(extra: str, sender: str) -> None:
    assert read_report(mail("Unsubscribe", extra=extra, sender=sender), ADDRESS).kind != "unsubscribe"


def test_a_note_of_who_is_away_is_no_wish_whatever_it_begins_with() -> None:
    for note in away_notes(TOKEN):
        head, _, _ = note.partition(b"\n\n")
        assert read_report(head + b"\n\nSTOP\n", ADDRESS).kind == "auto-reply"


@pytest.mark.parametrize(
    "text",
    [
        "<style>" * 3000,
        "<!--" * 5000,
        "<" * 16000,
        " " * 16000,
        "hi " * 6000,
        "melde mich " * 1500,
        "(" * 16000,
        "please " * 3000,
    ],
    ids=lambda text: text[:8],
)
def test_hostile_words_are_read_in_bounded_time(text: str) -> None:
    began = time.perf_counter()
    assert not text_asks(text, True)
    assert not text_asks(text, False)
    assert not subject_asks(text)
    assert time.perf_counter() - began < 2
