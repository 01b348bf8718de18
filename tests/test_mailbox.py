"""The mailbox is read over IMAP: each mail once, none lost, and the password only where it is safe."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest

from digest.config import MailboxConfig
from digest.errors import MailError
from digest.mailbox import MOST_BYTES, ReadSoFar, new_mails
from imap_servers import PASSWORD, USER, ImapServer, imap
from smtp_servers import certificate

MAILS = {n: f"Subject: report {n}\r\n\r\nbody\r\n".encode() for n in (3, 4, 7, 12)}


def config(server: ImapServer, **changes: object) -> MailboxConfig:
    values = {"host": "127.0.0.1", "port": server.port, "security": "none", "username": USER}
    return MailboxConfig(**{**values, "password": PASSWORD, **changes})  # type: ignore[arg-type]


def read(mailbox: MailboxConfig, most: int | None = None) -> list[bytes]:
    with new_mails(mailbox, timeout_s=20) as mails:
        return list(islice(mails, most))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("certificates")
    return {
        "good": certificate(folder / "good"),
        "expired": certificate(folder / "expired", days=0),
        "other": certificate(folder / "other", "DNS:mail.example.org"),
    }


def test_each_unseen_mail_is_read_once_and_nothing_is_deleted() -> None:
    with imap(dict(MAILS), seen={4}) as server:
        assert read(config(server)) == [MAILS[3], MAILS[7], MAILS[12]]
        assert server.seen == set(MAILS)
        assert read(config(server)) == []
    assert not {"EXPUNGE", "CLOSE"} & set(server.verbs())
    assert set(server.mails) == set(MAILS)


def read_on(mailbox: MailboxConfig, so_far: ReadSoFar | None) -> tuple[list[bytes], ReadSoFar | None]:
    with new_mails(mailbox, so_far, timeout_s=20) as mails:
        found = list(mails)
    return found, mails.so_far


def test_a_mail_that_somebody_opens_first_is_read_too() -> None:
    """A wish to leave, say, that a person saw and left to the program."""
    with imap(dict(MAILS), seen={4}) as server:
        _, so_far = read_on(config(server), None)
        server.mails |= {13: b"Subject: opened\r\n\r\n", 14: b"Subject: not opened\r\n\r\n"}
        server.seen.add(13)
        found, so_far = read_on(config(server), so_far)
        assert found == [server.mails[13], server.mails[14]]
        assert read_on(config(server), so_far) == ([], so_far)
        server.seen.discard(7)  # marked as unread, for the program to read it again
        assert read_on(config(server), so_far) == ([MAILS[7]], so_far)


def test_what_was_not_taken_is_not_taken_for_read() -> None:
    with imap(dict(MAILS)) as server:
        so_far = ReadSoFar(f"{USER}@127.0.0.1:{server.port}/INBOX", 1, 0)
        with new_mails(config(server), so_far) as mails, suppress(RuntimeError):
            next(mails)
            next(mails)
            raise RuntimeError
        server.seen |= set(MAILS)
        assert mails.so_far is not None and mails.so_far.uid == 4
        assert read_on(config(server), mails.so_far)[0] == [MAILS[7], MAILS[12]]


@pytest.mark.parametrize("what", ["uidvalidity", "folder", "unknown", "absurd"])
def test_of_another_folder_only_what_nobody_opened_is_read(what: str) -> None:
    """Numbers of one folder say nothing of another, nor those of before it was made anew."""
    places = {"unknown": ("UIDVALIDITY",), "absurd": ("UIDVALIDITY", "UIDNEXT")}.get(
        what, ("UIDVALIDITY", "UIDNEXT")
    )
    with imap(dict(MAILS), seen={4}, places=places, validity=10**30 if what == "absurd" else 1) as server:
        here = f"{USER}@127.0.0.1:{server.port}/INBOX"
        folder = here if what != "folder" else "somebody@127.0.0.1/INBOX"
        found, so_far = read_on(config(server), ReadSoFar(folder, 2 if what == "uidvalidity" else 1, 3))
        assert found == [MAILS[3], MAILS[7], MAILS[12]]
        assert so_far == (None if what in ("unknown", "absurd") else ReadSoFar(here, 1, 12))


def test_no_exchange_that_ended_is_hung_up_on_later() -> None:
    """The time of one is not that of all mails: the next may come over the same connection for hours."""
    with imap(dict(MAILS)) as server, new_mails(config(server), timeout_s=20) as mails:
        assert next(mails) == MAILS[3]
        running = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
        assert not [each for each in running if not each.finished.is_set()]


def test_an_empty_mailbox_is_no_error() -> None:
    with imap({}) as server:
        assert read(config(server)) == []


def test_a_mail_is_marked_only_after_it_was_taken() -> None:
    with imap(dict(MAILS)) as server, new_mails(config(server)) as mails:
        assert next(mails) == MAILS[3]
        assert server.seen == set()
        assert next(mails) == MAILS[4]
        assert server.seen == {3}


def test_a_mail_is_flagged_for_a_person_and_still_marked() -> None:
    with imap(dict(MAILS)) as server:
        with new_mails(config(server)) as mails:
            for raw in mails:
                if raw == MAILS[4]:
                    mails.flag()
        assert (server.flagged, server.seen) == ({4}, set(MAILS))


def test_a_mail_that_was_taken_last_is_marked_too() -> None:
    with imap(dict(MAILS)) as server:
        assert read(config(server), most=2) == [MAILS[3], MAILS[4]]
        assert server.seen == {3, 4}
        assert read(config(server)) == [MAILS[7], MAILS[12]]


def test_a_mail_on_which_its_reader_failed_comes_again() -> None:
    with imap(dict(MAILS)) as server:
        with pytest.raises(RuntimeError, match="store"), new_mails(config(server)) as mails:
            for raw in mails:
                if raw == MAILS[4]:
                    raise RuntimeError("the store is busy")
        assert server.seen == {3}
        assert read(config(server)) == [MAILS[4], MAILS[7], MAILS[12]]


@pytest.mark.parametrize("verb", ["UID FETCH", "UID STORE"])
def test_a_lost_connection_loses_no_mail(verb: str) -> None:
    taken = []
    with imap(dict(MAILS), cut_at=(verb, 2)) as server:
        with (
            pytest.raises(MailError, match=r"connection fails.*read the next time") as error,
            new_mails(config(server)) as mails,
        ):
            taken += mails
        assert not error.value.permanent
        taken += [b"again"]
        taken += read(config(server))
    again = taken[taken.index(b"again") + 1 :]
    assert set(taken) - {b"again"} == set(MAILS.values())
    # Only the mail whose mark was lost with the connection may come a second time.
    assert len(set(again) & set(taken[: taken.index(b"again")])) == (0 if verb == "UID FETCH" else 1)
    assert server.seen == set(MAILS)


def test_of_a_huge_mail_only_the_beginning_is_fetched() -> None:
    with imap({1: b"Subject: huge\r\n\r\n" + b"x" * (20 * MOST_BYTES)}) as server:
        found = read(config(server))
    assert [len(raw) for raw in found] == [MOST_BYTES]


def test_a_mail_that_is_gone_in_the_meantime_is_passed_over() -> None:
    with imap(dict(MAILS)) as server, new_mails(config(server)) as mails:
        assert next(mails) == MAILS[3]
        del server.mails[4]
        assert list(mails) == [MAILS[7], MAILS[12]]


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_it_reads_over_tls(
    certificates: dict[str, Path], monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates["good"]))
    options = {"certificate": certificates["good"], "implicit_tls": security == "tls"}
    with imap(dict(MAILS), **options) as server:
        assert read(config(server, security=security)) == list(MAILS.values())
    if security == "starttls":
        assert server.verbs().index("STARTTLS") < server.verbs().index("LOGIN")


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize(
    ("shown", "trusted"), [("good", "other"), ("expired", "expired"), ("other", "other")]
)
def test_no_password_goes_to_a_server_whose_certificate_does_not_hold(
    certificates: dict[str, Path], monkeypatch: pytest.MonkeyPatch, security: str, shown: str, trusted: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates[trusted]))
    options = {"certificate": certificates[shown], "implicit_tls": security == "tls"}
    with imap(dict(MAILS), **options) as server:
        with pytest.raises(MailError, match=r"TLS fails \(.*certificate") as error:
            read(config(server, security=security))
        assert error.value.permanent
        assert "LOGIN" not in server.verbs()


def test_no_password_goes_in_clear_where_starttls_is_not_offered() -> None:
    with imap(dict(MAILS)) as server:
        with pytest.raises(MailError, match="STARTTLS"):
            read(config(server, security="starttls"))
        assert "LOGIN" not in server.verbs()


def test_without_tls_only_this_machine_is_asked() -> None:
    with pytest.raises(MailError, match="in clear") as error:
        read(MailboxConfig(host="imap.example.org", port=143, security="none", username="u", password="p"))
    assert error.value.permanent


@pytest.mark.parametrize("password", ["wrong", "falsch ü", 'a"quote\\'])
def test_a_refused_login_says_what_to_mend_and_not_the_password(password: str) -> None:
    with imap(dict(MAILS)) as server, pytest.raises(MailError, match='"username" and "password"') as error:
        read(config(server, password=password))
    assert password not in str(error.value)
    assert error.value.permanent


def test_a_folder_that_is_not_there_is_named() -> None:
    with imap(dict(MAILS)) as server, pytest.raises(MailError, match="no folder 'Reports'"):
        read(config(server, folder="Reports"))


def test_a_server_that_is_not_there_is_named() -> None:
    with imap({}) as server:
        port = server.port
    with pytest.raises(MailError, match=rf"127\.0\.0\.1:{port}: the connection fails.*Check") as error:
        read(MailboxConfig(host="127.0.0.1", port=port, security="none", username="u", password="p"))
    assert not error.value.permanent


@pytest.mark.parametrize("verb", ["UID FETCH", "LOGIN", "CAPABILITY"])
@pytest.mark.parametrize("announced", [pytest.param("9" * n, id=f"{n} digits") for n in (17, 30, 5000)])
def test_a_mail_is_not_as_long_as_a_server_likes(verb: str, announced: str) -> None:
    cut = f"* 1 FETCH (UID 1 BODY[] {{{announced}}}\r\nReturn-Pa".encode()
    with (
        imap({1: b"mail"}, cut_at=(verb, 1), cut=cut) as server,
        pytest.raises(MailError, match=r"answer is not what it should be|connection fails") as error,
    ):
        read(config(server))
    assert len(str(error.value)) < 600


def test_of_a_mail_no_more_is_taken_than_was_asked_for() -> None:
    cut = b"* 1 FETCH (UID 1 BODY[] {%d}\r\nReturn-Pa" % (3 * MOST_BYTES)
    with (
        imap({1: b"mail"}, cut_at=("UID FETCH", 1), cut=cut) as server,
        pytest.raises(MailError, match="far more than was asked for"),
    ):
        read(config(server))


def test_a_server_that_speaks_no_imap_is_named() -> None:
    from smtp_servers import serving

    with serving() as server, pytest.raises(MailError, match="Mailbox 127"):
        read(MailboxConfig(host="127.0.0.1", port=server.port, security="none", username="u", password="p"))


@pytest.mark.parametrize("security", ["none", "tls"])
@pytest.mark.parametrize("verb", ["GREETING", "LOGIN", "UID FETCH", "LOGOUT"])
def test_a_server_that_drips_is_given_up(
    certificates: dict[str, Path], monkeypatch: pytest.MonkeyPatch, security: str, verb: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates["good"]))
    begun, cut = time.monotonic(), b"* " + b"." * 600
    with imap(
        {1: b"mail"},
        certificate=certificates["good"],
        implicit_tls=security == "tls",
        cut_at=(verb, 1),
        cut=cut,
        drip_s=0.02,
    ) as server:
        mailbox = config(server, security=security)
        if verb == "LOGOUT":  # all is done by then
            with new_mails(mailbox, timeout_s=1.0) as mails:
                assert list(mails) == [b"mail"]
        else:
            with (
                pytest.raises(MailError, match="no whole answer within"),
                new_mails(mailbox, timeout_s=0.4) as mails,
            ):
                list(mails)
        assert time.monotonic() - begun < 20  # a slow machine; without a limit: minutes
