"""A whole day at DEBUG, with failures: no secret and no reader's address comes out, in logs, tracebacks, pages or doctor."""

from __future__ import annotations

import io
import logging
import os
import re
import shutil
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

import imap_servers
import webs
from digest.cli import main
from digest.configfile import load_config
from digest.errors import DnsError
from fetch_servers import Reply
from fetch_servers import Site as SourceSite
from pages import invented, rss, tree
from smtp_servers import SmtpServer, serving

ZONES = Path(__file__).parent / "zones"
SECRETS = {
    "smtp": "canary-of-smtp-4c1d",
    "mailbox": "canary-of-the-mailbox-9b2e",
    "source": "canary-of-a-source-77aa",
    "store": "canary-of-the-store-e5f0",
}
USER = "digest@papers.example.org"
READERS = [f"reader{n:02}@mail{n % 7}.example" for n in range(100)]


def spellings() -> Iterator[str]:
    """The secrets, as they are and as they cross the wire."""
    for secret in SECRETS.values():
        yield from (secret, quote(secret), b64encode(secret.encode()).decode())
    yield b64encode(f"\0{USER}\0{SECRETS['smtp']}".encode()).decode()
    yield from (ZONES / "key-1024.pem").read_text().splitlines()[1:-1]


# Whatever is left of an address: in quoted-printable, in a URL, cut in two.
_LEAK = re.compile(
    "|".join([r"(?i:reader\d\d|mail\d\.example)", *(re.escape(secret) for secret in spellings())])
)


def repeating(verb: str, line: str) -> bytes | None:
    """A server that says every address back, and has every kind of answer."""
    found = re.search(r"<(reader(\d\d)@.*?)>", line)
    if found is None:
        return None
    address, number = found[1].encode(), int(found[2])
    if verb == "RCPT":
        return {
            1: b"550 5.1.1 <%b>: no such user",
            2: b"450 4.2.0 <%b>: try later",
            3: b"550 5.7.1 %b is on our list; see <https://block.example/?rcpt=%b>",
        }.get(number % 20, b"250 2.1.5 <%b> ok").replace(b"%b", address)
    if verb == "DOT":
        return (
            b"554 5.6.0 <%b> refused" % address if number % 20 == 4 else b"250 2.0.0 queued for %b" % address
        )
    return None


class Day:
    """An installation with secrets in it, and everything that it said."""

    def __init__(
        self, folder: Path, source: SourceSite, server: SmtpServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self.source, self.server, self._capsys = folder, source, server, capsys
        self.said: list[tuple[str, str]] = []
        shutil.copyfile(ZONES / "key-1024.pem", folder / "dkim.pem")
        (folder / "dkim.pem").chmod(0o600)
        (folder / "config.toml").write_text(
            '[site]\nurl = "https://papers.example.org/"\n[store]\nurl = "sqlite:///digest.db"\n'
            f'[[source]]\nname = "journal"\nurl = "{source.url("/rss")}"\nallow_private = true\n'
            '[[digest]]\nname = "daily"\n[mail]\ntransport = "smtp"\nfrom = "Digest <digest@papers.example.org>"\n'
            'bounces = "bounces@papers.example.org"\ndkim = { selector = "s1", key_file = "dkim.pem" }\n'
            f'smtp = {{ host = "127.0.0.1", port = {server.port}, security = "none", username = "{USER}" }}\n'
        )

    def call(self, *args: str, about_people: bool = False) -> int:
        """The command with -v; `about_people`: its results are addresses that the operator asked for."""
        with pytest.raises(SystemExit) as ended:
            main([*args, "-v"])
        out, err = self._capsys.readouterr()
        self.said += [(f"{' '.join(args)}, stderr", err)]
        self.said += [] if about_people else [(f"{' '.join(args)}, stdout", out)]
        return int(ended.value.code or 0)

    def leaks(self) -> list[str]:
        """Each line that says what it must not, and where it stands."""
        return [
            f"{where}: {line}"
            for where, text in self.said
            for line in text.splitlines()
            if _LEAK.search(line)
        ]

    def link(self, recipient: str) -> str:
        """The path of the one-click link in the mail to somebody."""
        mail = next(mail for mail in self.server.taken if mail.recipient == recipient)
        found = re.search(rb"(?mi)^List-Unsubscribe: .*?<(https:[^>]+)>", mail.data)
        assert found
        parts = urlsplit(found[1].decode())
        return f"{parts.path}?{parts.query}"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command logs to the stderr of its time, which the test takes away with it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def source() -> Iterator[SourceSite]:
    with SourceSite({"/rss": Reply(rss(invented(0, 5)))}) as source:
        yield source


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with serving(
        repeating, features=("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "AUTH PLAIN")
    ) as server:
        yield server


@pytest.fixture
def day(
    tmp_path: Path,
    source: SourceSite,
    server: SmtpServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Day:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGEST__MAIL__SMTP__PASSWORD", SECRETS["smtp"])
    monkeypatch.setenv("DIGEST__SOURCE__0__HEADERS", f'{{ Authorization = "Bearer {SECRETS["source"]}" }}')
    return Day(tmp_path, source, server, capsys)


def people(day: Day) -> None:
    rows = "".join(f"{address},2026-11-01T08:00:00Z\n" for address in READERS[:95])
    (day.folder / "people.csv").write_text(
        f"address,consented_at\n{rows}{READERS[0]},2026-11-01\n{READERS[99]}@twice,2026-11-01\n{READERS[98]},soon\n"
    )
    assert day.call("subscribers", "import", "people.csv") in (0, 3)


def web(day: Day) -> None:
    """Subscribing, confirming, choosing, leaving and erasing at the door, logged from every thread."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    config = load_config(day.folder / "config.toml", os.environ)
    before = len(day.server.taken)
    with webs.serving(config, webs.Clock(datetime.now(UTC))) as site:
        for address in READERS[95:98]:
            assert site.post("/subscribe", {"email": address}).status == 200
        assert day.server.wait_for(before + 3)
        for address in READERS[95:97]:
            pending = site.app.store.subscriber(address)
            assert pending is not None
            assert site.post(site.confirm(pending)).status == 200
            site.post(site.manage(pending), {"email": address, "text": "1", "follow": f"author:{address}"})
        site.post("/subscribe", {"email": f"{READERS[99]}@twice"})
        site.post("/subscribe", {"email": f"{READERS[99]}\r\nBcc: {READERS[98]}"})
        site.post("/subscribe", b"email=%ff" + READERS[99].encode())
        site.get(f"/no-such-page?email={READERS[99]}")
        assert site.post(day.link(READERS[10]), {"List-Unsubscribe": "One-Click"}).status == 200
        erased = site.app.store.subscriber(READERS[96])
        assert erased is not None
        site.post(site.manage(erased).replace("manage", "erase"))
    logging.getLogger().removeHandler(handler)
    day.said.append(("web door", log.getvalue()))


def report(day: Day, recipient: str) -> bytes:
    """A delivery status that a server sends back about a mail of ours (RFC 3464)."""
    mail = next(mail for mail in day.server.taken if mail.recipient == recipient)
    found = re.search(r"<(.*?)>", mail.envelope[0])
    assert found
    head = f"From: mailer-daemon@mail.example\r\nTo: {found[1]}\r\nSubject: failed: {recipient}\r\nMIME-Version: 1.0\r\n"
    return (
        f'{head}Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        f"--b\r\nContent-Type: text/plain\r\n\r\n<{recipient}>: unknown user\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    ).encode()


def bounces(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report from a file and one from the mailbox, whose login fails first."""
    (day.folder / "report.eml").write_bytes(report(day, READERS[11]))
    assert day.call("bounce", "report.eml") == 0
    with imap_servers.imap({1: report(day, READERS[12])}) as server:
        monkeypatch.setenv("DIGEST__MAIL__MAILBOX__HOST", "127.0.0.1")
        monkeypatch.setenv("DIGEST__MAIL__MAILBOX__PORT", str(server.port))
        monkeypatch.setenv("DIGEST__MAIL__MAILBOX__SECURITY", "none")
        monkeypatch.setenv("DIGEST__MAIL__MAILBOX__USERNAME", imap_servers.USER)
        monkeypatch.setenv("DIGEST__MAIL__MAILBOX__PASSWORD", SECRETS["mailbox"])
        assert day.call("bounce", "--mailbox") == 1
        assert day.call("doctor", "--online") == 1
        monkeypatch.setattr(imap_servers, "PASSWORD", SECRETS["mailbox"])
        assert day.call("bounce", "--mailbox") == 0
        assert day.call("doctor", "--online") == 0


def no_dns(name: str, kind: str) -> list[str]:
    raise DnsError(f"{name} ({kind}) could not be asked in DNS: no answer.", name=name)


def test_no_secret_and_no_reader_comes_out_of_a_whole_day(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.resolver.lookup", no_dns)
    people(day)
    assert day.call("run") == 3
    assert len(day.server.taken) > 70
    web(day)
    bounces(day, monkeypatch)
    day.source.pages["/rss"] = Reply(rss(invented(5, 3)))
    day.call("run", "--again")
    day.call("send")
    day.call("send", "--to", READERS[20])
    for command in ("status", "rebuild", "preview", "doctor"):
        day.call(command)
    assert day.call("subscribers", "erase", *READERS[30:33], about_people=True) == 0
    for file in day.folder.rglob("*"):
        if file.is_file() and file.name != "people.csv":
            assert not any(address.encode() in file.read_bytes() for address in READERS[30:33]), file
    assert day.call("subscribers", "list", about_people=True) == 0
    day.source.pages["/rss"] = Reply(SECRETS["source"].encode() + READERS[0].encode(), status=500)
    day.call("run", "--again")
    assert day.leaks() == []
    published = tree(day.folder / "feeds")
    assert published
    for path, (content, _) in published.items():
        day.said.append((f"feeds/{path}", content.decode("utf-8", "replace")))
    for file in day.folder.glob("*.receipts*"):
        day.said.append((file.name, file.read_bytes().decode("utf-8", "replace")))
    assert day.leaks() == []


@pytest.mark.parametrize("code", [b"535 5.7.8", b"454 4.7.0", b"421 4.7.0"])
def test_a_login_that_fails_does_not_say_its_password(day: Day, code: bytes) -> None:
    """Also not where the server repeats what it was sent."""
    people(day)
    day.server.answer = lambda verb, line: code + b" refused: " + line.encode() if verb == "AUTH" else None
    day.call("run")
    day.call("send")
    day.call("doctor")
    assert "AUTH" in day.server.verbs()
    assert day.leaks() == []


def test_a_broken_template_and_a_lost_server_do_not_say_whose_mail_it_was(day: Day) -> None:
    people(day)
    (day.folder / "templates").mkdir()
    (day.folder / "templates" / "edition.txt").write_text("{{ address }} {{ nothing }}")
    assert day.call("run") == 1
    shutil.rmtree(day.folder / "templates")
    day.server.die()
    day.call("run")
    day.call("send")
    assert day.leaks() == []


def test_a_store_that_cannot_be_reached_does_not_say_its_password(day: Day) -> None:
    url = f"postgresql://me:{SECRETS['store']}@127.0.0.1:1/digest"
    for command in ("status", "run", "doctor", "send"):
        assert day.call(command, "--store", url) == 1
        # The first line of a command names its arguments; that is ours, not what it said.
    day.said = [(where.partition(" --store")[0], text) for where, text in day.said]
    assert day.leaks() == []


def test_the_canaries_would_be_seen(day: Day) -> None:
    """The net itself: each secret and address in a log is found."""
    for text in [*spellings(), READERS[7], READERS[7].upper(), READERS[7].replace("@", "=40")]:
        day.said = [("log", f"before {text} behind")]
        assert len(day.leaks()) == 1, text
