"""`digest doctor` against a real server: what it shows is for other eyes too."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from digest.app import App, open_app
from digest.cli import doctor_mail
from digest.config import (
    Config,
    DigestConfig,
    DkimConfig,
    MailboxConfig,
    MailConfig,
    SiteConfig,
    SmtpConfig,
    StoreConfig,
    WebConfig,
)
from digest.errors import MailError
from digest.mail.dmarc import Finding
from digest.model import Preferences
from imap_servers import PASSWORD, USER, imap
from pages import ROOT
from smtp_servers import serving
from test_authentication import lookup_in


def examined(folder: Path, store: str) -> subprocess.CompletedProcess[str]:
    """`digest doctor --json` of an installation with this store."""
    (folder / "config.toml").write_text(
        f'[site]\nurl = "https://digest.example.org/"\n[store]\nurl = "{store}"\n[[digest]]\nname = "daily"\n'
    )
    return subprocess.run(
        [sys.executable, "-m", "digest", "doctor", "--json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.postgres
def test_doctor_does_not_show_the_password_of_the_store(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    own = new_database()  # nobody else is at it
    url = f"{own}{'&' if '?' in own else '?'}password=hunter2"
    done = examined(tmp_path, url)
    said = json.loads(done.stdout)
    assert "findings" in said, (said, done.stderr)
    findings = said["findings"]
    assert [f["level"] for f in findings if f["check"] == "store"] == ["ok"]
    assert "hunter2" not in done.stdout + done.stderr


def test_a_store_that_fails_is_one_fault_and_who_needs_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "digest.db").write_text("no database, but long enough to be looked at")
    done = examined(tmp_path, "sqlite:///digest.db")
    findings = json.loads(done.stdout)["findings"]
    assert done.returncode == 1
    assert [f["check"] for f in findings if "no SQLite database" in f["text"]] == ["store"]
    unseen = {f["check"] for f in findings if f["level"] == "warning" and "the store fails" in f["text"]}
    assert unseen == {"clock", "templates", "output", "mail", "readers", "monitor"}


# ---------------------------------------------------------------- mail and the web door, one look at a time

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
ZONES = ROOT / "tests" / "zones"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., App]]:
    """Makes an App of a sender by SMTP; the arguments are keys of [mail], `web` and `url` of [web] and [site]."""
    opened: list[App] = []

    def make(*, url: str = "https://papers.example.org/", web: WebConfig | None = None, **mail: Any) -> App:
        mail = {"transport": "smtp", "from_": "Digest <digest@papers.example.org>", **mail}
        config = Config(
            site=SiteConfig(url=url),
            store=StoreConfig(url=f"sqlite:///{tmp_path}/digest.db"),
            digest=(DigestConfig(name="daily"),),
            mail=MailConfig(**mail),
            web=web or WebConfig(),
            file=str(tmp_path / "config.toml"),
        )
        opened.append(open_app(config))
        return opened[-1]

    yield make
    for app in opened:
        app.__exit__()


def told(findings: Iterable[Finding], what: str) -> list[tuple[str, str]]:
    return [(level, text) for level, about, text in findings if about == what]


def key_file(folder: Path, name: str = "key-2048.pem", mode: int = 0o600) -> DkimConfig:
    file = folder / "dkim.pem"
    shutil.copyfile(ZONES / name, file)
    file.chmod(mode)
    return DkimConfig(selector="s1", key_file="dkim.pem")


def test_a_key_for_our_eyes_only_is_in_order(make: Callable[..., App], tmp_path: Path) -> None:
    assert told(doctor_mail.signature(make(dkim=key_file(tmp_path)), NOW), "dkim") == [
        ("ok", f"{tmp_path}/dkim.pem, 2048 bits, selector s1")
    ]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o666])
def test_a_key_that_others_can_read_is_a_fault(make: Callable[..., App], tmp_path: Path, mode: int) -> None:
    ((level, text),) = told(doctor_mail.signature(make(dkim=key_file(tmp_path, mode=mode)), NOW), "dkim")
    assert level == "fault"
    assert f"mode 0{mode:o}" in text
    assert f"chmod 600 {tmp_path}/dkim.pem" in text


def test_a_key_that_is_missing_short_or_none_is_a_fault_and_never_shown(
    make: Callable[..., App], tmp_path: Path
) -> None:
    app = make(dkim=DkimConfig(selector="s1", key_file="dkim.pem"))
    assert "No such file" in told(doctor_mail.signature(app, NOW), "dkim")[0][1]
    key_file(tmp_path, "key-512.pem")
    assert "512 bits" in told(doctor_mail.signature(app, NOW), "dkim")[0][1]
    (tmp_path / "dkim.pem").write_text("hunter2")
    ((level, text),) = told(doctor_mail.signature(app, NOW), "dkim")
    assert (level, "hunter2" in text, "openssl genrsa" in text) == ("fault", False, True)


def test_who_does_not_sign_hears_nothing_of_keys(make: Callable[..., App]) -> None:
    assert list(doctor_mail.signature(make(), NOW)) == []


@pytest.mark.parametrize("name", ["good-direct", "bad-dkim-another-key", "bad-nothing"])
def test_dns_is_asked_with_the_key_of_the_file(make: Callable[..., App], tmp_path: Path, name: str) -> None:
    zone = tomllib.loads((ZONES / f"{name}.toml").read_text())
    app = make(dkim=key_file(tmp_path), bounces=zone["mail"]["bounces"], from_=zone["mail"]["from"])
    found = doctor_mail.dns_online(app, NOW, ask=lookup_in(zone["records"]), outgoing=zone["outgoing"])
    assert [list(finding) for finding in found] == json.loads((ZONES / f"{name}.json").read_text())


def test_a_folder_for_mail_needs_no_dns(make: Callable[..., App]) -> None:
    app = make(transport="folder")
    assert list(doctor_mail.dns_online(app, NOW)) == list(doctor_mail.mail_online(app, NOW)) == []


LOCAL = WebConfig(proxies=("127.0.0.1",))


@pytest.mark.parametrize(
    ("url", "web", "level", "words"),
    [
        ("https://papers.example.org/", LOCAL, "ok", "listens on 127.0.0.1:8000"),
        ("http://localhost:8000/", WebConfig(), "ok", "listens on"),
        ("https://papers.example.org/", WebConfig(), "warning", 'proxies = ["127.0.0.1"]'),
        ("https://papers.example.org/", WebConfig(listen="0.0.0.0:80"), "warning", "without TLS"),
        ("https://papers.example.org/", WebConfig(enabled=False), "ok", "enabled = false"),
    ],
)
def test_the_door_is_one_that_people_can_use(
    make: Callable[..., App], url: str, web: WebConfig, level: str, words: str
) -> None:
    ((found, text),) = told(doctor_mail.door(make(url=url, web=web), NOW), "web")
    assert found == level
    assert words in text


def test_where_a_variable_says_where_the_door_listens_no_line_of_the_file_is_advised(
    make: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    web = WebConfig(listen="0.0.0.0:8000")
    ((_, text),) = told(doctor_mail.door(make(web=web), NOW), "web")
    assert 'write listen = "127.0.0.1:8000" and its address as [web] proxies' in text
    for name in ("DIGEST__WEB__LISTEN", "DIGEST__WEB__LISTEN_FILE", "DIGEST__web__listen"):
        with monkeypatch.context() as patch:
            patch.setenv(name, "0.0.0.0:8000")
            ((level, text),) = told(doctor_mail.door(make(web=web), NOW), "web")
        assert level == "warning"
        assert "listen =" not in text
        assert "its address as [web] proxies" in text
        assert f"by {name} of the environment" in text


def test_a_door_where_nobody_answers_is_told(make: Callable[..., App]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        web = WebConfig(listen=f"127.0.0.1:{listener.getsockname()[1]}")
        assert told(doctor_mail.door_online(make(web=web), NOW), "web")[0][0] == "ok"
    ((level, text),) = told(doctor_mail.door_online(make(web=web), NOW), "web")
    assert (level, "Start `digest serve`" in text) == ("warning", True)
    assert list(doctor_mail.door_online(make(web=WebConfig(enabled=False)), NOW)) == []


def test_choices_of_what_is_not_there_any_more_are_told(make: Callable[..., App]) -> None:
    """A digest, or a topic, was renamed: who chose it gets nothing of it, and does not ask for it anew."""
    app = make()
    assert list(doctor_mail.readers(app, NOW)) == []
    for name in ("ada", "ben", "cleo"):
        app.store.add_subscriber(f"{name}@example.net", digests=("weekly", "daily"), now=NOW)
    app.store.add_subscriber(
        "all@example.net", digests=(), preferences=Preferences(topics=("vision",)), now=NOW
    )
    app.store.remove_subscriber("cleo@example.net", now=NOW)
    (one, text), (other, more) = told(doctor_mail.readers(app, NOW), "readers")
    assert (one, other) == ("warning", "warning")
    assert '2 readers chose the digest "weekly"' in text and '"name" back' in text
    assert '1 reader chose the topic "vision"' in more and 'slug = "vision"' in more


def test_reports_that_nobody_reads_are_told(make: Callable[..., App]) -> None:
    ((level, text),) = told(doctor_mail.mail(make(), NOW), "bounces")
    assert (level, "Write [mail] bounces" in text) == ("warning", True)
    ((level, text),) = told(doctor_mail.mail(make(bounces="b@papers.example.org"), NOW), "bounces")
    assert (level, "`digest bounce`" in text) == ("ok", True)
    open_box = MailboxConfig(host="imap.example.org", username="u", password="hunter2", security="none")
    found = told(doctor_mail.mail(make(bounces="b@papers.example.org", mailbox=open_box), NOW), "bounces")
    assert [level for level, _ in found] == ["fault", "ok"]
    assert "hunter2" not in str(found)
    no_word = MailboxConfig(host="imap.example.org", username="u")
    found = told(doctor_mail.mail(make(bounces="b@papers.example.org", mailbox=no_word), NOW), "bounces")
    assert [level for level, _ in found] == ["fault", "ok"]
    assert "MAILBOX__PASSWORD" in found[0][1]


@pytest.mark.parametrize(
    ("password", "folder"), [(PASSWORD, "INBOX"), ("hunter2", "INBOX"), (PASSWORD, "Nowhere")]
)
def test_the_mailbox_is_tried_and_nothing_in_it_is_marked(
    make: Callable[..., App], password: str, folder: str
) -> None:
    with imap({1: b"Subject: a report\r\n\r\n"}) as server:
        box = MailboxConfig(
            host="127.0.0.1",
            port=server.port,
            security="none",
            username=USER,
            password=password,
            folder=folder,
        )
        app = make(mailbox=box)
        if password == PASSWORD and folder == "INBOX":
            assert told(doctor_mail.mailbox_online(app, NOW), "bounces")[0][0] == "ok"
        else:
            wrong = "password" if password != PASSWORD else "folder"
            with pytest.raises(MailError, match=f'"{wrong}"') as caught:
                list(doctor_mail.mailbox_online(app, NOW))
            assert "hunter2" not in str(caught.value)
        assert not server.seen


def test_the_login_is_tried_and_its_secret_not_told(make: Callable[..., App]) -> None:
    def answer(verb: str, line: str) -> bytes | None:
        return b"535 5.7.8 digest@papers.example.org may not log in" if verb == "AUTH" else None

    login = {
        "host": "127.0.0.1",
        "security": "none",
        "username": "digest@papers.example.org",
        "password": "hunter2",
    }
    with serving(features=("AUTH PLAIN",)) as server:
        app = make(smtp=SmtpConfig(port=server.port, **login))
        assert told(doctor_mail.mail_online(app, NOW), "mail")[0][0] == "ok"
        assert "MAIL" not in server.verbs()
    with serving(answer, features=("AUTH PLAIN",)) as server:
        app = make(smtp=SmtpConfig(port=server.port, **login))
        with pytest.raises(MailError, match="refused the login") as caught:
            list(doctor_mail.mail_online(app, NOW))
    assert "hunter2" not in str(caught.value)
