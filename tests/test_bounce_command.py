"""`digest bounce` as a mail system and an operator meet it: a real process, a pipe, a mailbox."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bounce_reports import ENDS, SYSTEMS, away_notes, notification
from commands import called
from digest.model import Subscriber
from digest.store import open_store
from digest.tokens import Tokens
from imap_servers import PASSWORD, USER, imap

NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
CONFIG = """
[site]
url = "https://papers.example.org/"
[store]
url = "sqlite:///digest.db"
[[source]]
name = "inbox"
path = "inbox"
[[digest]]
name = "daily"
[mail]
bounces = "bounces@papers.example.org"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


def bounce(
    folder: Path, *args: str, piped: bytes = b"", code: int = 0, **environ: str
) -> subprocess.CompletedProcess[str]:
    done = called(["bounce", *args], cwd=folder, environ=environ, given=piped)
    told, faults = done.stdout, done.stderr
    assert done.returncode == code, f"exit {done.returncode}, not {code}\n{told}\n{faults}"
    assert "Traceback" not in faults
    return done


def a_reader(folder: Path, address: str = "reader@example.net") -> tuple[Subscriber, Tokens]:
    with open_store(f"sqlite:///{folder / 'digest.db'}") as store:
        return store.add_subscriber(address, digests=(), now=NOW)[0], Tokens(store.secret())


def status(folder: Path, address: str = "reader@example.net") -> str:
    with open_store(f"sqlite:///{folder / 'digest.db'}") as store:
        found = store.subscriber(address)
        assert found is not None
        return found.status


def report(reader: Subscriber, tokens: Tokens) -> bytes:
    token, link = tokens.make("bounce", reader), tokens.make("unsubscribe", reader)
    return notification(SYSTEMS[0], ENDS[0], token=token, link=link)


def test_a_mail_from_the_pipe_is_taken_in_one_line(folder: Path) -> None:
    reader, tokens = a_reader(folder)
    done = bounce(folder, piped=report(reader, tokens))
    assert done.stdout == f"bounce 5.1.1: no such mailbox, subscriber {reader.id} gets no more mail.\n"
    assert status(folder) == "suppressed"


@pytest.mark.parametrize(
    "piped", [b"", b"\0\xff" * 1000, b"Subject: hello\n\nAnn\n", away_notes("a" * 26)[0]]
)
def test_what_changes_nothing_is_no_failure_to_a_mail_system(folder: Path, piped: bytes) -> None:
    a_reader(folder)
    assert bounce(folder, piped=piped).stdout.count("\n") == 1
    assert status(folder) == "confirmed"


def test_a_huge_mail_is_read_to_its_end(folder: Path) -> None:
    reader, tokens = a_reader(folder)
    done = bounce(folder, piped=report(reader, tokens) + b"x" * 20_000_000)
    assert "gets no more mail" in done.stdout


def test_files_are_taken_one_by_one(folder: Path) -> None:
    reader, tokens = a_reader(folder)
    (folder / "one.eml").write_bytes(report(reader, tokens))
    (folder / "two.eml").write_bytes(b"Subject: Out of office\n\n")
    value = json.loads(bounce(folder, "one.eml", "two.eml", "--json").stdout)
    assert value["schema"] == 1
    assert value["reports"] == [
        f"bounce 5.1.1: no such mailbox, subscriber {reader.id} gets no more mail.",
        "auto-reply: nothing changed.",
    ]


def test_a_file_that_is_not_there_is_named(folder: Path) -> None:
    assert "none.eml: cannot be read" in bounce(folder, "none.eml", code=2).stderr


def test_a_store_that_cannot_be_used_keeps_the_mail_in_the_queue(folder: Path) -> None:
    (folder / "digest.db").mkdir()
    done = bounce(folder, "--json", piped=b"Subject: hello\n\n", code=75)
    assert "digest.db" in done.stderr
    assert json.loads(done.stdout)["exit_code"] == 75


def test_a_configuration_that_cannot_be_read_keeps_the_mail_in_the_queue(folder: Path) -> None:
    (folder / "config.toml").write_text("[site\n")
    assert "config.toml" in bounce(folder, piped=b"Subject: hello\n\n", code=75).stderr


def test_the_mailbox_is_read_once_and_what_was_taken_is_marked(folder: Path) -> None:
    reader, tokens = a_reader(folder)
    question = b"From: reader@example.net\r\nSubject: Re: 3 new papers\r\n\r\nWho are you?\r\n"
    mails = {1: away_notes(tokens.make("bounce", reader))[0], 3: question, 5: report(reader, tokens)}
    with imap(mails) as server:
        (folder / "config.toml").write_text(
            f'{CONFIG}mailbox = {{ host = "127.0.0.1", port = {server.port}, security = "none", username = "{USER}" }}\n'
        )
        secret = {"DIGEST__MAIL__MAILBOX__PASSWORD": PASSWORD}
        done = bounce(folder, "--mailbox", **secret)
        again = bounce(folder, "--mailbox", "--json", **secret)
        server.mails[6] = b"From: reader@example.net\r\nSubject: unsubscribe\r\n\r\n"
        server.seen.add(6)  # somebody opened it before the program came
        opened = bounce(folder, "--mailbox", **secret)
    assert done.stdout.splitlines() == [
        "auto-reply: nothing changed.",
        f"other: a mail of subscriber {reader.id} that is no report of failed mail; nothing changed, somebody has to read it.",
        f"bounce 5.1.1: no such mailbox, subscriber {reader.id} gets no more mail.",
    ]
    assert "3 new mails" in done.stderr
    assert json.loads(again.stdout)["reports"] == []
    assert opened.stdout.startswith("unsubscribe: ")
    assert (server.seen, server.flagged) == ({1, 3, 5, 6}, {3})
    assert status(folder) == "suppressed"


def test_without_a_mailbox_it_says_what_to_configure(folder: Path) -> None:
    assert '"mailbox" in [mail]' in bounce(folder, "--mailbox", code=2).stderr


def test_a_mailbox_that_cannot_be_reached_is_a_failure(folder: Path) -> None:
    with imap({}) as server:
        port = server.port
    (folder / "config.toml").write_text(
        f'{CONFIG}mailbox = {{ host = "127.0.0.1", port = {port}, security = "none", username = "{USER}" }}\n'
    )
    done = bounce(folder, "--mailbox", code=1, DIGEST__MAIL__MAILBOX__PASSWORD=PASSWORD)
    assert f"127.0.0.1:{port}" in done.stderr
    assert PASSWORD not in done.stderr
