"""Letters: one question, one link, nothing that a stranger could have typed; and signatures that hold."""

from __future__ import annotations

import email
import re
import subprocess
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from msgspec.structs import replace

from digest.config import DkimConfig
from digest.errors import ConfigError, MailError, TokenExpired
from digest.mail.compose import composer
from digest.mail.dkim import signer, signing
from digest.mail.letters import letter
from digest.model import Letter, Message, Subscriber
from digest.tokens import Tokens
from editions import KEY, MAIL, SITE, config_of, delivery_to, odd, rich, shipped
from test_mail_compose import assert_well_formed

NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)
READER = Subscriber(id=7, address="reader@mail.example", status="pending", since=NOW, nonce="5f0c2a9e")


def letter_of(kind: str = "confirm", **changes: object) -> Message:
    asked = Letter(id=1, kind=kind, subscriber=READER, message_id="<1.letter@papers.example.org>", date=NOW, attempt=1)  # type: ignore[arg-type]  # fmt: skip
    return letter(replace(asked, **changes), config_of(), shipped(), Tokens(KEY))


def parts_of(message: Message) -> tuple[EmailMessage, str, str]:
    mail = email.message_from_bytes(message.data, policy=default)
    assert isinstance(mail, EmailMessage)
    text, html = mail.iter_parts()
    assert isinstance(text, EmailMessage) and isinstance(html, EmailMessage)
    return mail, text.get_content(), html.get_content()


@pytest.mark.parametrize("kind", ["confirm", "known"])
def test_a_letter_keeps_to_the_standards(kind: str) -> None:
    message = letter_of(kind)
    assert_well_formed(message.data)
    assert not re.search(rb"(?m)^\.", message.data)
    mail, text, html = parts_of(message)
    assert not mail.defects
    assert message.sender == ""  # the null sender: nobody is to answer it
    assert (mail["To"], mail["Auto-Submitted"]) == ("reader@mail.example", "auto-replied")
    assert "List-Unsubscribe" not in mail
    assert 10 <= len(mail["Subject"]) <= 78
    assert max(map(len, text.splitlines())) <= 78
    for part in (text.replace(" \r\n", " "), html):
        assert "Example Reading Group" in part
        assert "ignore this mail and nothing happens" in part


def test_the_subject_of_a_letter_says_what_it_is_and_has_nothing_that_filters_count() -> None:
    subjects = {kind: str(parts_of(letter_of(kind))[0]["Subject"]) for kind in ("confirm", "known")}
    assert subjects == {
        "confirm": "Confirm that you want Paper Digest by mail",
        "known": "Your subscription to Paper Digest",
    }
    assert not [subject for subject in subjects.values() if re.search(r"[?!$%]", subject)]


def test_the_question_has_one_button_and_the_link_in_full_for_48_hours() -> None:
    _, text, html = parts_of(letter_of())
    (link,) = re.findall(r"https://papers\.example\.org/confirm/\?t=[\w-]+", text)
    assert f"\n{link}\n" in text.replace("\r\n", "\n")
    assert html.count(f'href="{link}"') == 2 and f">{link}</a>" in html
    assert "48 hours" in text and "48 hours" in html
    token = link.partition("t=")[2]
    tokens, nonce = Tokens(KEY), lambda number: READER.nonce
    late = NOW + timedelta(hours=48)
    assert tokens.read("confirm", token, nonce_of=nonce, now=late) == 7
    with pytest.raises(TokenExpired):
        tokens.read("confirm", token, nonce_of=nonce, now=late + timedelta(minutes=1))


def test_a_letter_that_goes_out_late_ends_no_later() -> None:
    late = letter(
        Letter(id=1, kind="confirm", subscriber=READER, message_id="<1.letter@papers.example.org>", date=NOW, attempt=4),
        config_of(), shipped(), Tokens(KEY),
    )  # fmt: skip
    assert late.data == letter_of().data


def test_who_is_subscribed_gets_the_link_to_their_choices() -> None:
    _, text, html = parts_of(letter_of("known"))
    assert "/confirm/" not in text + html
    assert re.search(r"https://papers\.example\.org/manage/\?t=[\w-]{22}\b", text)
    assert "do not forward it" in text


@pytest.mark.parametrize(
    "address", ["a@x.example, b@y.example", "a@x.example\r\nBcc: b@y.example", "ä@x.example"]
)
def test_a_letter_to_what_is_no_address_is_not_made(address: str) -> None:
    with pytest.raises(MailError):
        letter_of(subscriber=replace(READER, address=address))


# ---------------------------------------------------------------- signatures


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("dkim") / "dkim.pem"
    subprocess.run(["openssl", "genrsa", "-out", file, "2048"], check=True, capture_output=True)
    return file


def record_of(key: Path) -> bytes:
    """What the DNS says of the key."""
    public = subprocess.run(["openssl", "rsa", "-in", key, "-pubout"], check=True, capture_output=True).stdout
    return b"v=DKIM1; k=rsa; p=" + b"".join(public.splitlines()[1:-1])


def signed(key: Path, edition: object = None) -> bytes:
    mail = replace(MAIL, dkim=DkimConfig(selector="digest", key_file=str(key)))
    config, shown = config_of(mail=mail), odd() if edition == "odd" else rich()
    made = composer(config, shipped(), Tokens(KEY), lambda digest, name: shown)
    message = signing(made, signer(config, key.read_bytes()))(delivery_to())
    assert message is not None
    return message.data


def holds(message: bytes, record: bytes) -> bool:
    import dkim

    return bool(dkim.verify(message, dnsfunc=lambda name, timeout=5: record))


@pytest.mark.parametrize("edition", ["rich", "odd"])
def test_a_signed_mail_verifies_and_covers_both_unsubscribe_headers(key: Path, edition: str) -> None:
    message, record = signed(key, edition), record_of(key)
    assert_well_formed(message)
    assert holds(message, record)
    head = re.sub(rb"\r\n\s+", b"", message.partition(b"\r\n\r\n")[0]).lower()
    tags = re.search(rb"dkim-signature: (.*)\r\n", head)
    assert tags
    covered = re.search(rb"h=([^;]*)", tags[1])
    assert covered
    names = [name.strip() for name in covered[1].split(b":")]
    assert names.count(b"from") == 2
    assert {b"list-unsubscribe", b"list-unsubscribe-post"} <= set(names)
    assert b"c=relaxed/relaxed" in tags[1] and b"a=rsa-sha256" in tags[1] and b" l=" not in tags[1]


@pytest.mark.parametrize(
    "header",
    ["From", "To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Auto-Submitted"],
)  # fmt: skip
def test_a_signed_header_cannot_be_changed(key: Path, header: str) -> None:
    message, record = signed(key), record_of(key)
    changed = re.sub(rb"(?m)^(%b: .)" % header.encode(), rb"\1x", message, count=1)
    assert changed != message
    assert not holds(changed, record)


def test_neither_a_second_sender_nor_another_body_passes(key: Path) -> None:
    message, record = signed(key), record_of(key)
    assert not holds(message.replace(b"From: ", b"From: evil@example.org\r\nFrom: ", 1), record)
    assert not holds(message.replace(b"Today", b"Todax", 1), record)
    assert not holds(message + b"More.\r\n", record)


def test_a_key_that_is_none_is_a_fault_of_the_configuration(key: Path) -> None:
    config = config_of(mail=replace(MAIL, dkim=DkimConfig(selector="digest", key_file="dkim.pem")), site=SITE)
    with pytest.raises(ConfigError, match="openssl genrsa"):
        signer(config, b"no key")(b"From: a@example.org\r\n\r\nText.\r\n")
