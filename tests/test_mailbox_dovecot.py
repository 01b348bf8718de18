"""The mailbox on Dovecot, the IMAP server of most small hosts: the same promises as in test_mailbox.py."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from conftest import free_port, need
from digest.config import MailboxConfig
from digest.errors import MailError
from digest.mailbox import MOST_BYTES, new_mails
from smtp_servers import certificate

PASSWORD = "geheim-ü"  # beyond ASCII: LOGIN cannot say it

UNPRIVILEGED = """
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
"""
CONFIG = """{head}
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = 127.0.0.1
ssl = required
auth_failure_delay = 0
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
service imap-login {{
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
  {unprivileged}
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
  {unprivileged}
}}
"""
# What is said in another way before and since 2.4, which wants to be told first in which version's words it is spoken to.
BEFORE_2_4 = """
protocols = imap
ssl_cert = <{folder}/tls/certificate.pem
ssl_key = <{folder}/tls/key.pem
disable_plaintext_auth = yes
mail_location = maildir:{folder}/mail
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}
}}
"""
SINCE_2_4 = """dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
protocols {{
  imap = yes
}}
ssl_server_cert_file = {folder}/tls/certificate.pem
ssl_server_key_file = {folder}/tls/key.pem
auth_allow_cleartext = no
mail_driver = maildir
mail_path = {folder}/mail
passdb static {{
  password = {password}
}}
userdb static {{
  fields {{
    uid = {user}
    gid = {group}
    home = {folder}
  }}
}}
"""


_numbers = count(1)


@dataclass(frozen=True)
class Dovecot:
    folder: Path
    plain: int
    tls: int

    def deliver(self, mail: bytes) -> None:
        fresh = self.folder / "mail" / "tmp" / f"{next(_numbers)}.x.example"
        fresh.write_bytes(mail)
        fresh.chmod(0o644)
        fresh.rename(self.folder / "mail" / "new" / fresh.name)

    def config(self, security: str, password: str = PASSWORD) -> MailboxConfig:
        port = self.tls if security == "tls" else self.plain
        return MailboxConfig(
            host="127.0.0.1", port=port, security=security, username="bounces", password=password  # type: ignore[arg-type]
        )  # fmt: skip


def started(program: str, folder: Path) -> tuple[Dovecot, subprocess.Popen[bytes]]:
    root = os.getuid() == 0
    me = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.getuid())
    certificate(folder / "tls")
    for part in ("mail/new", "mail/cur", "mail/tmp", "run", "state"):
        (folder / part).mkdir(parents=True)
    if root:
        for path in (folder / "mail", *(folder / "mail").iterdir()):
            os.chown(path, me.pw_uid, me.pw_gid)
        folder.chmod(0o755)
    dovecot = Dovecot(folder, free_port(), free_port())
    file = folder / "dovecot.conf"
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    version = tuple(int(part) for part in said.split()[0].split(".")[:2])
    of_version = SINCE_2_4 if version >= (2, 4) else BEFORE_2_4
    own = UNPRIVILEGED.format(user=me.pw_name, group=grp.getgrgid(me.pw_gid).gr_name)
    values = {"folder": folder, "user": me.pw_uid, "group": me.pw_gid, "password": PASSWORD}
    ports = {"plain": dovecot.plain, "tls": dovecot.tls}
    unprivileged = "" if root else "chroot ="
    head = of_version.format(**values) + ("" if root else own)
    file.write_text(CONFIG.format(head=head, **values, **ports, unprivileged=unprivileged))
    process = subprocess.Popen([program, "-F", "-c", file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return dovecot, process


@pytest.fixture(scope="module")
def running() -> Iterator[Dovecot]:
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    need(program, "Dovecot is not installed (Debian: apt-get install dovecot-imapd)")
    assert program
    # Not below tmp_path, where the user that reads the mail may not go; and its sockets' names must be short.
    with tempfile.TemporaryDirectory(prefix="dovecot-") as name:
        dovecot, process = started(program, Path(name))
        try:
            for _ in range(6000):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", dovecot.plain)) == 0:
                        break
                assert process.poll() is None, process.stdout and process.stdout.read().decode()
                time.sleep(0.01)
            yield dovecot
        finally:
            process.terminate()
            process.communicate(timeout=60)


@pytest.fixture
def dovecot(running: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Dovecot:
    monkeypatch.setenv("SSL_CERT_FILE", str(running.folder / "tls" / "certificate.pem"))
    return running


def report(number: int) -> bytes:
    return f"Subject: report {number}\r\n\r\n.body\r\n".encode()


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_dovecot_gives_each_mail_once(dovecot: Dovecot, security: str) -> None:
    for number in range(30):
        dovecot.deliver(report(number))
    with new_mails(dovecot.config(security)) as mails:
        first = [next(mails) for _ in range(10)]
    with pytest.raises(RuntimeError), new_mails(dovecot.config(security)) as mails:
        second = [next(mails) for _ in range(5)]
        raise RuntimeError
    with new_mails(dovecot.config(security)) as mails:
        rest = list(mails)
    with new_mails(dovecot.config(security)) as mails:
        assert list(mails) == []
    assert sorted(first + second[:-1] + rest) == sorted(report(number) for number in range(30))
    assert len(list((dovecot.folder / "mail" / "cur").glob("*,S"))) % 30 == 0


def test_dovecot_gives_a_mail_that_somebody_opened_first(dovecot: Dovecot) -> None:
    with new_mails(dovecot.config("tls")) as mails:
        list(mails)
    dovecot.deliver(report(77))
    with new_mails(
        dovecot.config("tls")
    ) as reader:  # knows of no earlier reading, as a person's program does
        assert list(reader) == [report(77)]
    with new_mails(dovecot.config("tls"), mails.so_far) as again:
        assert list(again) == [report(77)]
    with new_mails(dovecot.config("tls"), again.so_far) as later:
        assert list(later) == []


def test_dovecot_keeps_the_flag_for_a_person(dovecot: Dovecot) -> None:
    dovecot.deliver(report(1))
    before = set((dovecot.folder / "mail" / "cur").glob("*,FS*"))
    with new_mails(dovecot.config("tls")) as mails:
        assert next(mails) == report(1)
        mails.flag()
    assert len(set((dovecot.folder / "mail" / "cur").glob("*,FS*")) - before) == 1


def test_dovecot_gives_the_beginning_of_a_huge_mail(dovecot: Dovecot) -> None:
    dovecot.deliver(b"Subject: huge\r\n\r\n" + b"0123456789abcde\r\n" * 300_000)
    with new_mails(dovecot.config("starttls")) as mails:
        assert [len(raw) for raw in mails] == [MOST_BYTES]


def test_dovecot_refuses_a_wrong_password_and_one_in_clear(dovecot: Dovecot) -> None:
    for security, password in (("tls", "falsch-ü"), ("tls", "wrong"), ("none", "wrong")):
        with pytest.raises(MailError, match='"username" and "password"'), new_mails(
            dovecot.config(security, password)
        ):  # fmt: skip
            pass
