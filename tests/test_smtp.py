"""smtp.py against real servers: what they say becomes a receipt, and what they refuse to say never costs a secret."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from conftest import free_port, need
from digest.config import MailConfig, SmtpConfig
from digest.errors import MailError
from digest.mail.envelope import wire_address, without_addresses
from digest.model import Message, Receipt
from digest.smtp import FolderTransport, SmtpTransport, eml_name, open_transport
from smtp_servers import (
    DIE,
    DRIP,
    DROP,
    HANG,
    LINES,
    LOSE,
    SmtpServer,
    certificate,
    once,
    server_context,
    serving,
)
from webs import wait_for

HEAD = b"From: digest@papers.example.org\r\nMessage-ID: <a1@papers.example.org>\r\n\r\n"
MESSAGE = Message(pieces=(HEAD, b"Four papers.\r\n"))
ID = "<a1@papers.example.org>"


def transport(server: SmtpServer | int, **options: object) -> SmtpTransport:
    port = server if isinstance(server, int) else server.port
    settings = {"host": "127.0.0.1", "security": "none", "timeout_s": 5.0, **options}
    return SmtpTransport(SmtpConfig(port=port, **settings), sender="digest@papers.example.org")  # type: ignore[arg-type]


def send(
    server: SmtpServer, recipient: str = "ann@example.org", message: Message = MESSAGE, **options: object
) -> Receipt:
    wire = transport(server, **options)
    try:
        return wire.send(recipient, message, message_id=ID)
    finally:
        wire.close()


def failing(server: SmtpServer | int, **options: object) -> MailError:
    wire = transport(server, **options)
    with pytest.raises(MailError) as caught:
        wire.send("ann@example.org", MESSAGE, message_id=ID)
    wire.close()
    return caught.value


# ---------------------------------------------------------------- replies


def test_a_message_arrives_byte_for_byte() -> None:
    with serving() as server:
        receipt = send(server)
    assert receipt == Receipt(status="accepted", reply_code=250, enhanced_code="2.0.0", text="2.0.0 queued")
    assert [mail.data for mail in server.taken] == [MESSAGE.data]
    assert server.taken[0].envelope[0].startswith("MAIL FROM:<digest@papers.example.org>")
    assert server.verbs() == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


REPLIES = [
    ("RCPT", b"550 5.1.1 no such user", "rejected", 550, "5.1.1"),
    ("RCPT", b"550-5.7.1 we do not\r\n550 5.7.1 want this", "rejected", 550, "5.7.1"),
    ("RCPT", b"552 5.2.2 mailbox full", "rejected", 552, "5.2.2"),
    ("RCPT", b"553 sorry", "rejected", 553, None),
    ("RCPT", b"450 4.2.1 later", "deferred", 450, "4.2.1"),
    ("RCPT", b"452 too many", "deferred", 452, None),
    ("MAIL", b"451 4.3.0 not now", "deferred", 451, "4.3.0"),
    ("MAIL", b"552 5.3.4 too large", "rejected", 552, "5.3.4"),
    ("DATA", b"451 4.3.0 not now", "deferred", 451, "4.3.0"),
    ("DATA", b"554 5.5.1 no valid recipients", "rejected", 554, "5.5.1"),
    ("DOT", b"554 5.6.0 content refused", "rejected", 554, "5.6.0"),
    ("DOT", b"452 4.2.2 full", "deferred", 452, "4.2.2"),
    ("DOT", b"250 5.1.1-like words are no code", "accepted", 250, None),
]


@pytest.mark.parametrize(("verb", "reply", "status", "code", "enhanced"), REPLIES)
def test_a_reply_belongs_to_one_recipient_and_the_next_one_gets_the_mail(
    verb: str, reply: bytes, status: str, code: int, enhanced: str | None
) -> None:
    with serving(once(verb, reply)) as server:
        wire = transport(server)
        receipt = wire.send("ann@example.org", MESSAGE, message_id=ID)
        after = wire.send("ben@example.org", MESSAGE, message_id=ID)
        wire.close()
    assert (receipt.status, receipt.reply_code, receipt.enhanced_code) == (status, code, enhanced)
    assert after.status == "accepted"
    assert server.recipients()[-1] == "ben@example.org"
    assert server.connections == 1


def test_the_text_of_a_reply_is_one_plain_line() -> None:
    with serving(once("RCPT", b"550-5.1.1 no\x07\xff\r\n550 5.1.1 " + b"x" * 900)) as server:
        receipt = send(server)
    assert receipt.text.startswith("5.1.1 no \ufffd 5.1.1 xxx")
    assert len(receipt.text) == 500


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA", "DOT"])
def test_421_means_that_the_server_cannot_be_used_now(verb: str) -> None:
    with serving(
        lambda said, line: b"421 4.3.2 ann@example.org: closing" if said == verb else None
    ) as server:
        error = failing(server)
    assert error.reply_code == 421
    assert ("does not talk to us" if verb in ("GREETING", "EHLO") else "ended the session") in str(error)
    assert str(error).endswith(": 421 4.3.2 (address): closing. Run `digest send` later.")
    assert not error.permanent
    assert not error.in_doubt
    assert f"127.0.0.1:{server.port}" in str(error)
    assert "ann@example.org" not in str(error)
    assert server.taken == []
    assert server.connections == 1


@pytest.mark.parametrize("verb", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
def test_a_connection_lost_before_the_message_leaves_no_doubt(verb: str) -> None:
    with serving(lambda said, line: DROP if said == verb else None) as server:
        error = failing(server)
    assert not error.in_doubt
    assert not error.permanent
    assert server.connections == 1


@pytest.mark.parametrize(("ending", "taken"), [(DROP, 1), (LOSE, 0), (DIE, 1)])
def test_a_connection_lost_behind_the_final_dot_leaves_the_mail_in_doubt(ending: bytes, taken: int) -> None:
    with serving(once("DOT", ending)) as server:
        error = failing(server)
    assert error.in_doubt
    assert len(server.taken) == taken


def test_a_reply_behind_the_dot_that_is_none_leaves_the_mail_in_doubt() -> None:
    for nonsense in (b"hello", b"354 again", b"999 far too much"):
        with serving(once("DOT", nonsense)) as server:
            assert failing(server).in_doubt


@pytest.mark.parametrize("verb", ["EHLO", "AUTH"])
def test_a_reply_without_end_is_not_listened_to(verb: str) -> None:
    with serving(once(verb, b"250-and so on\r\n" * 10_000), features=("AUTH PLAIN",)) as server:
        error = failing(server, timeout_s=5, username="digest", password="secret")
    assert "its reply does not end" in str(error)


def test_a_server_that_falls_silent_is_given_up_after_the_timeout() -> None:
    with serving(once("RCPT", HANG)) as server:
        error = failing(server, timeout_s=1.0)
    assert not error.in_doubt
    assert "timed out" in str(error)
    assert "lost in the middle of a mail" in str(error)


def test_a_server_that_never_greets_is_said_to_be_out_of_reach() -> None:
    with serving(once("GREETING", HANG)) as server:
        error = failing(server, timeout_s=0.1)
    assert "cannot be reached (no answer within 0.1 s)" in str(error)
    assert not error.permanent


@pytest.mark.parametrize("drip", [DRIP, LINES])
@pytest.mark.parametrize("verb", ["EHLO", "RCPT", "DOT"])
def test_a_reply_that_drips_has_no_more_time_than_one_that_does_not_come(
    verb: str, drip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.smtp.wire._PATIENCE_AFTER_THE_DOT", 1)
    with serving(once(verb, drip)) as server:
        error = failing(server, timeout_s=1.0)
    assert "timed out" in str(error) or "no answer within 1 s" in str(error)
    assert error.in_doubt == (verb == "DOT")


def test_a_server_that_does_not_answer_quit_is_left_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.smtp.session._PATIENCE_FOR_QUIT_S", 0.1)
    with serving(once("QUIT", HANG)) as server:
        begun = time.monotonic()
        assert send(server, timeout_s=20.0).status == "accepted"
        assert time.monotonic() - begun < 10


def test_the_reply_to_the_final_dot_gets_ten_times_the_patience() -> None:
    release = threading.Event()

    def slow(verb: str, line: str) -> bytes | None:
        if verb == "DOT":
            release.wait(1.5)
        return None

    with serving(slow) as server:
        assert send(server, timeout_s=1.0).status == "accepted"


def test_silence_behind_the_final_dot_leaves_the_mail_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.smtp.wire._PATIENCE_AFTER_THE_DOT", 1)
    with serving(once("DOT", HANG)) as server:
        assert failing(server, timeout_s=1.0).in_doubt


def test_a_refused_sender_is_nobodys_fault_but_ours() -> None:
    with serving(once("MAIL", b"550 5.7.1 not your domain")) as server:
        error = failing(server)
    assert error.permanent
    assert '"from" in [mail]' in str(error)


def test_a_server_that_wants_a_login_is_said_so() -> None:
    with serving(once("RCPT", b"530 5.7.0 authentication required")) as server:
        error = failing(server)
    assert (error.reply_code, error.permanent) == (530, True)


def test_no_server_at_all_names_place_and_mend() -> None:
    with serving() as server:
        pass
    error = failing(server)
    assert f"127.0.0.1:{server.port}" in str(error)
    assert '"port"' in str(error)
    assert not error.permanent


def test_what_is_no_mail_server_is_said_so() -> None:
    with serving(once("GREETING", b"hello")) as server:
        assert "(what answers there does not speak SMTP)" in str(failing(server))


# ---------------------------------------------------------------- connections


def test_one_connection_serves_many_messages() -> None:
    with serving() as server:
        wire = transport(server)
        for n in range(20):
            wire.send(f"reader{n}@example.org", MESSAGE, message_id=ID)
        wire.close()
    assert server.connections == 1
    assert server.recipients() == [f"reader{n}@example.org" for n in range(20)]
    assert server.verbs().count("RSET") == 0


@pytest.mark.parametrize("ending", [b"421 4.7.0 enough for one connection", DROP])
def test_a_connection_that_was_closed_between_two_mails_is_opened_again(ending: bytes) -> None:
    with serving(once("MAIL", ending, at=2)) as server:
        wire = transport(server)
        assert wire.send("ann@example.org", MESSAGE, message_id=ID).status == "accepted"
        assert wire.send("ben@example.org", MESSAGE, message_id=ID).status == "accepted"
        wire.close()
    assert server.recipients() == ["ann@example.org", "ben@example.org"]
    assert server.connections == 2


def test_a_transport_can_be_used_again_after_an_error() -> None:
    with serving(once("RCPT", DROP)) as server:
        wire = transport(server)
        with pytest.raises(MailError):
            wire.send("ann@example.org", MESSAGE, message_id=ID)
        assert wire.send("ann@example.org", MESSAGE, message_id=ID).status == "accepted"
        wire.close()


def test_closing_twice_or_after_the_server_has_gone_is_quiet() -> None:
    with serving() as server:
        wire = transport(server)
        wire.send("ann@example.org", MESSAGE, message_id=ID)
    wire.close()
    wire.close()


def test_a_helo_server_of_long_ago_takes_the_mail() -> None:
    with serving(lambda verb, line: b"502 5.5.1 what?" if verb == "EHLO" else None) as server:
        assert send(server).status == "accepted"
    assert "HELO" in server.verbs()
    assert server.taken[0].envelope[0] == "MAIL FROM:<digest@papers.example.org>"


# ---------------------------------------------------------------- TLS and login


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("trusted"))


@pytest.fixture
def trusting(trusted: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The server's side of a certificate that this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    return server_context(trusted)


def leaked(server: SmtpServer) -> list[str]:
    return [
        line for _, line in server.commands if line.split(" ")[0].upper() not in ("EHLO", "STARTTLS", "QUIT")
    ]


LOGIN = {"username": "paper", "password": "canary-7731"}


def test_starttls_comes_before_the_login_and_the_mail(trusting: ssl.SSLContext) -> None:
    with serving(tls=trusting, features=("AUTH PLAIN LOGIN", "8BITMIME")) as server:
        assert send(server, security="starttls", **LOGIN).status == "accepted"
    assert server.verbs() == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]


def test_tls_from_the_first_byte(trusting: ssl.SSLContext) -> None:
    with serving(tls=trusting, implicit_tls=True, features=("AUTH PLAIN",)) as server:
        assert send(server, security="tls", **LOGIN).status == "accepted"
    assert server.verbs()[:2] == ["EHLO", "AUTH"]


def test_a_server_without_starttls_gets_neither_login_nor_mail() -> None:
    with serving(features=("AUTH PLAIN",)) as server:
        error = failing(server, security="starttls", **LOGIN)
    assert error.permanent
    assert "STARTTLS" in str(error)
    assert leaked(server) == []
    assert server.connections == 1


@pytest.mark.parametrize("reply", [b"454 4.7.0 TLS not available now", b"501 5.5.4 no", b"502 5.5.1 no"])
def test_a_refused_starttls_gets_neither_login_nor_mail(trusting: ssl.SSLContext, reply: bytes) -> None:
    with serving(once("STARTTLS", reply), tls=trusting, features=("AUTH PLAIN",)) as server:
        error = failing(server, security="starttls", **LOGIN)
    assert error.reply_code == int(reply[:3])
    assert error.permanent is (reply[:1] == b"5")
    assert leaked(server) == []


def test_words_in_the_clear_behind_starttls_are_an_attack(trusting: ssl.SSLContext) -> None:
    injected = b"250-mx.example.org\r\n250 AUTH PLAIN\r\n"
    with serving(tls=trusting, after_starttls=injected) as server:
        error = failing(server, security="starttls", **LOGIN)
    assert leaked(server) == []
    assert "in the clear" in str(error)


BAD_CERTIFICATES = [
    ("IP:127.0.0.1", 0, True, "expired"),
    ("DNS:other.example.org", 2, True, "not valid for '127.0.0.1'"),
    ("IP:127.0.0.1", 2, False, "self-signed"),
]


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize(("name", "days", "known", "word"), BAD_CERTIFICATES)
def test_a_wrong_certificate_gets_neither_login_nor_mail(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    security: str,
    name: str,
    days: int,
    known: bool,
    word: str,
) -> None:
    pem = certificate(tmp_path / "certificate", name, days=days)
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    options = {"tls": server_context(pem), "implicit_tls": security == "tls", "features": ("AUTH PLAIN",)}
    with serving(**options) as server:
        error = failing(server, security=security, **LOGIN)
    assert word in str(error)
    assert "certificate" in str(error)
    assert error.permanent
    assert leaked(server) == []


def test_tls_of_2006_is_refused(trusting: ssl.SSLContext) -> None:
    trusting.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        trusting.minimum_version = trusting.maximum_version = ssl.TLSVersion.TLSv1
    with serving(tls=trusting) as server:
        failing(server, security="starttls", **LOGIN)
    assert leaked(server) == []


def test_a_plain_server_behind_security_tls_is_an_error_with_the_mend() -> None:
    with serving() as server:
        error = failing(server, security="tls", **LOGIN)
    assert '"security" (tls)' in str(error)
    assert not {"AUTH", "MAIL"} & set(server.verbs())


def test_a_refused_login_is_permanent_and_does_not_repeat_the_password(trusting: ssl.SSLContext) -> None:
    with serving(
        once("AUTH", b"535 5.7.8 bad credentials"), tls=trusting, features=("AUTH PLAIN",)
    ) as server:
        error = failing(server, security="starttls", **LOGIN)
    assert (error.reply_code, error.permanent) == (535, True)
    assert "canary" not in str(error)
    assert server.taken == []


def test_a_login_refused_for_now_is_not_permanent(trusting: ssl.SSLContext) -> None:
    with serving(once("AUTH", b"454 4.7.0 try again"), tls=trusting, features=("AUTH PLAIN",)) as server:
        error = failing(server, security="starttls", **LOGIN)
    assert (error.reply_code, error.permanent) == (454, False)


@pytest.mark.parametrize("features", [(), ("AUTH GSSAPI",)])
def test_a_server_without_a_login_we_know_is_said_so(
    trusting: ssl.SSLContext, features: tuple[str, ...]
) -> None:
    with serving(tls=trusting, features=features) as server:
        error = failing(server, security="starttls", **LOGIN)
    assert error.permanent
    assert "username" in str(error)


def test_a_challenge_of_nonsense_is_an_error_and_no_traceback(trusting: ssl.SSLContext) -> None:
    """What should be base64 is none."""
    with serving(once("AUTH", b"334 abc"), tls=trusting, features=("AUTH CRAM-MD5",)) as server:
        error = failing(server, security="starttls", **LOGIN)
    assert "Incorrect padding" in str(error)
    assert server.taken == []


def test_a_password_that_cannot_be_sent_is_an_error_and_no_traceback(trusting: ssl.SSLContext) -> None:
    with serving(tls=trusting, features=("AUTH PLAIN",)) as server:
        error = failing(server, security="starttls", username="paper", password="gr\u00fcn")
    assert "ASCII" in str(error)
    assert "gr\u00fcn" not in str(error)


def test_a_password_never_crosses_a_foreign_network_in_the_clear() -> None:
    """The check stands before any word of the login; 0.0.0.0 reaches this machine and is no loopback name."""
    with serving(features=("AUTH PLAIN",)) as server:
        error = failing(server, host="0.0.0.0", **LOGIN)
    assert "readable" in str(error)
    assert leaked(server) == []


# ---------------------------------------------------------------- what the server offers


def test_a_message_above_the_size_of_the_server_is_not_offered() -> None:
    with serving(features=("SIZE 100",)) as server:
        receipt = send(server, message=Message(pieces=(*MESSAGE.pieces, b"x" * 98 + b"\r\n")))
        assert (
            send(server, message=Message(pieces=(b"Subject: x\r\n\r\n", b"short\r\n"))).status == "accepted"
        )
    assert (receipt.status, receipt.reply_code, receipt.enhanced_code) == ("rejected", None, "5.3.4")
    assert [line for verb, line in zip(server.verbs(), server.commands, strict=True) if verb == "MAIL"] == [
        (2, "MAIL FROM:<digest@papers.example.org> SIZE=21")
    ]


@pytest.mark.parametrize("features", [("SIZE",), ("SIZE 0",), ("SIZE many",), (f"SIZE {'9' * 5000}",)])
def test_a_size_without_a_limit_limits_nothing(features: tuple[str, ...]) -> None:
    with serving(features=features) as server:
        assert send(server).status == "accepted"


def test_a_domain_travels_as_a_labels() -> None:
    with serving() as server:
        assert send(server, "ann@B\u00fccher.example").status == "accepted"
    assert server.recipients() == ["ann@xn--bcher-kva.example"]


def test_a_utf_8_local_part_travels_only_with_smtputf8() -> None:
    with serving(features=("8BITMIME",)) as server:
        receipt = send(server, "j\u00fcrgen@example.org")
    assert (receipt.status, receipt.enhanced_code) == ("rejected", "5.6.7")
    assert server.taken == []
    with serving(features=("8BITMIME", "SMTPUTF8")) as server:
        assert send(server, "j\u00fcrgen@example.org").status == "accepted"
    assert server.recipients() == ["j\u00fcrgen@example.org"]
    assert server.taken[0].envelope[0].endswith(" SMTPUTF8")


def test_a_sender_of_letters_outside_ascii_travels_only_with_smtputf8() -> None:
    for features, status in ((("8BITMIME",), "rejected"), (("8BITMIME", "SMTPUTF8"), "accepted")):
        message = replace(MESSAGE, sender="j\u00fcrgen@papers.example.org")
        with serving(features=features) as server:
            receipt = send(server, message=message)
        assert receipt.status == status
        assert [mail.envelope[0].endswith(" SMTPUTF8") for mail in server.taken] == [True] * (
            status == "accepted"
        )


UNWRITABLE = [
    "", "ann", "@example.org", "ann@", "ann@a..b", "ann@-x.org", "ann@ex ample.org", "ann@example.org>\r\nRCPT TO:<eve@example.org",
    "a\x00b@example.org", "a b@example.org", "<ann@example.org>", "x" * 65 + "@example.org", "ann@" + "x" * 64 + ".org",
    "ann@" + "x." * 127 + "org", "a\ud800@example.org", "ann@\u2028.org", "ann@\u202e.org",
]  # fmt: skip


@pytest.mark.parametrize("address", UNWRITABLE)
def test_an_address_that_breaks_the_envelope_is_rejected_before_the_wire(address: str) -> None:
    with serving() as server:
        receipt = send(server, address)
    assert (receipt.status, receipt.enhanced_code) == ("rejected", "5.1.3")
    assert server.connections == 0


ADDRESSES = [
    ("Ann.O'Hara+list@Example.ORG", "Ann.O'Hara+list@example.org"),
    (
        "ann@stra\u00dfe.example",
        "ann@xn--strae-oqa.example",
    ),  # IDNA 2008; the codec of 2003 would say strasse.example
    ("ann@\u4f8b\u3048\u3002\u30c6\u30b9\u30c8", "ann@xn--r8jz45g.xn--zckzah"),
    ("ann@\uff45xample.org", "ann@example.org"),
    ("ann@[192.0.2.1]", "ann@[192.0.2.1]"),
    ("ann@[IPv6:2001:db8::1]", "ann@[IPv6:2001:db8::1]"),
    (" ann@example.org\n", "ann@example.org"),
]


@pytest.mark.parametrize(("address", "wire"), ADDRESSES)
def test_addresses_as_the_envelope_takes_them(address: str, wire: str) -> None:
    assert wire_address(address) == wire


def test_no_address_stays_in_a_text_for_the_log() -> None:
    text = "550 5.1.1 <ann@example.org>: no; (ben+x@b\u00fccher.example) user=eve@example.org, mx.example.org"
    assert without_addresses(text) == "550 5.1.1 <(address)>: no; ((address)) (address), mx.example.org"


# ---------------------------------------------------------------- other people's servers


class Keeper:
    """An aiosmtpd handler that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], bytes, list[str]]] = []

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        self.got.append((envelope.rcpt_tos, envelope.original_content, envelope.mail_options))  # type: ignore[attr-defined]
        return "250 2.6.0 taken"


@pytest.fixture
def aiosmtpd() -> Iterator[Callable[..., tuple[Keeper, int]]]:
    started: list[Controller] = []

    def start(**options: object) -> tuple[Keeper, int]:
        keeper = Keeper()
        controller = Controller(keeper, hostname="127.0.0.1", port=free_port(), **options)
        controller.start()
        started.append(controller)
        return keeper, controller.port

    yield start
    for controller in started:
        controller.stop()


def test_aiosmtpd_takes_our_mail(aiosmtpd: Callable[..., tuple[Keeper, int]]) -> None:
    keeper, port = aiosmtpd(enable_SMTPUTF8=True, decode_data=False)
    wire = transport(port)
    receipt = wire.send("ann@example.org", MESSAGE, message_id=ID)
    again = wire.send("j\u00fcrgen@b\u00fccher.example", MESSAGE, message_id=ID)
    wire.close()
    assert (receipt.reply_code, receipt.enhanced_code, again.status) == (250, "2.6.0", "accepted")
    assert [(who, data) for who, data, _ in keeper.got] == [
        (["ann@example.org"], MESSAGE.data),
        (["j\u00fcrgen@xn--bcher-kva.example"], MESSAGE.data),
    ]


def test_aiosmtpd_with_required_starttls_and_login(
    aiosmtpd: Callable[..., tuple[Keeper, int]], trusting: ssl.SSLContext
) -> None:
    from aiosmtpd.smtp import AuthResult, LoginPassword

    def check(
        server: object, session: object, envelope: object, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        return AuthResult(success=data.password == LOGIN["password"].encode(), handled=False)

    keeper, port = aiosmtpd(
        tls_context=trusting, require_starttls=True, authenticator=check, auth_required=True
    )
    wire = transport(port, security="starttls", **LOGIN)
    assert wire.send("ann@example.org", MESSAGE, message_id=ID).status == "accepted"
    wire.close()
    assert len(keeper.got) == 1
    assert failing(port, security="starttls", username="paper", password="wrong").permanent
    assert failing(port, security="starttls").reply_code == 530
    assert len(keeper.got) == 1


@pytest.fixture
def smtp_sink(tmp_path: Path) -> Iterator[Callable[..., int]]:
    program = Path("/usr/sbin/smtp-sink")
    need(program.exists(), "smtp-sink is missing (Debian: apt-get install postfix)")
    running: list[subprocess.Popen[bytes]] = []

    def start(*options: str) -> int:
        port = free_port()
        command = [str(program), "-u", "nobody", *options, f"127.0.0.1:{port}", "16"]
        running.append(subprocess.Popen(command, cwd=tmp_path))
        wait_for(lambda: _listens(port))
        return port

    yield start
    for process in running:
        process.terminate()
        process.wait(60)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_smtp_sink_takes_our_mail(smtp_sink: Callable[..., int]) -> None:
    wire = transport(smtp_sink())
    receipts = [
        wire.send("ann@example.org", Message(pieces=pieces), message_id=ID)
        for pieces in (MESSAGE.pieces, (b"a\r\n",), MESSAGE.pieces * 2000)
    ]
    wire.close()
    assert [receipt.status for receipt in receipts] == ["accepted"] * 3


@pytest.mark.parametrize(("option", "status"), [("-r", "deferred"), ("-f", "rejected")])
def test_smtp_sink_that_refuses_recipients(smtp_sink: Callable[..., int], option: str, status: str) -> None:
    wire = transport(smtp_sink(option, "RCPT"))
    assert [wire.send("ann@example.org", MESSAGE, message_id=ID).status for _ in range(3)] == [status] * 3
    wire.close()


def test_smtp_sink_that_hangs_up_behind_the_dot(smtp_sink: Callable[..., int]) -> None:
    assert failing(smtp_sink("-q", ".")).in_doubt


# ---------------------------------------------------------------- the folder


def test_the_folder_gets_one_eml_for_each_message(tmp_path: Path) -> None:
    wire = FolderTransport(tmp_path / "var" / "outbox")
    assert wire.send("ann@example.org", MESSAGE, message_id=ID).status == "accepted"
    assert wire.send("ben@example.org", MESSAGE, message_id="<b2@papers.example.org>").status == "accepted"
    files = sorted(wire.folder.iterdir())
    assert [file.name for file in files] == ["a1@papers.example.org.eml", "b2@papers.example.org.eml"]
    assert files[0].read_bytes() == MESSAGE.data


def test_a_resend_replaces_its_own_file(tmp_path: Path) -> None:
    wire = FolderTransport(tmp_path)
    (tmp_path / f".{eml_name(ID)}.part").write_bytes(b"what a killed run left behind")
    for _ in range(2):
        wire.send("ann@example.org", MESSAGE, message_id=ID)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [
        ("a1@papers.example.org.eml", MESSAGE.data)
    ]


def test_the_key_inside_a_mail_is_only_for_its_owner(tmp_path: Path) -> None:
    FolderTransport(tmp_path).send("ann@example.org", MESSAGE, message_id=ID)
    assert next(tmp_path.glob("*.eml")).stat().st_mode & 0o077 == 0


@settings(deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_file_names_are_safe_and_as_different_as_their_ids(one: str, other: str) -> None:
    names = [eml_name(f"<{each}@x>") for each in (one, other)]
    for name in names:
        assert name.isascii()
        assert len(name) < 200
        assert "/" not in name
        assert not name.startswith(".")
    if one.strip() != other.strip():
        assert names[0] != names[1]


def test_a_folder_that_is_a_file_is_an_error_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("")
    for folder in (tmp_path / "outbox", tmp_path / "outbox" / "below"):
        with pytest.raises(MailError, match=r"no folder.*\"folder\" in \[mail\]"):
            FolderTransport(folder).send("ann@example.org", MESSAGE, message_id=ID)


def test_a_full_disk_is_an_error_with_the_mend_and_leaves_no_half_mail(tmp_path: Path) -> None:
    full = Path("/dev/full")
    need(full.exists(), "/dev/full is missing (Linux has it)")
    (tmp_path / f".{eml_name(ID)}.part").symlink_to(full)
    with pytest.raises(MailError, match="make room"):
        FolderTransport(tmp_path).send("ann@example.org", MESSAGE, message_id=ID)
    assert list(tmp_path.glob("*.eml")) == []


# ---------------------------------------------------------------- the factory


def test_the_configuration_chooses_the_transport(tmp_path: Path) -> None:
    folder = open_transport(MailConfig(folder="out"), base=lambda path: tmp_path / path)()
    assert isinstance(folder, FolderTransport)
    assert folder.folder == tmp_path / "out"
    with serving() as server:
        smtp = SmtpConfig(host="127.0.0.1", port=server.port, security="none")
        config = MailConfig(transport="smtp", from_="Papers <digest@b\u00fccher.example>", smtp=smtp)
        make = open_transport(config, base=Path)
        one, other = make(), make()
        for wire in (one, other):
            wire.send("ann@example.org", MESSAGE, message_id=ID)
            wire.close()
    assert one is not other
    assert server.connections == 2
    assert server.taken[0].envelope[0].startswith("MAIL FROM:<digest@xn--bcher-kva.example>")
