"""`digest send --to`: one copy to one address, whatever is typed there, and no address in what it prints."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from digest.app import open_app
from digest.cli import main
from digest.configfile import load_config
from pages import invented, rss
from smtp_servers import SmtpServer, serving

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def repeating(verb: str, line: str) -> bytes | None:
    """A server that says every address back, and does not know one of them."""
    if verb == "RCPT":
        code = b"550 5.1.1 " if "nobody@" in line else b"250 2.1.5 "
        return code + line.partition(":")[2].encode() + b" said"
    return b"250 2.0.0 queued for ann@mail.example" if verb == "DOT" else None


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command logs to the stderr of its time, which the test takes away with it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with serving(repeating) as server:
        yield server


@pytest.fixture
def send(
    tmp_path: Path, server: SmtpServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command, called in a folder with one edition; gives back exit code, stdout and stderr."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.xml").write_bytes(rss(invented(0, 3)))
    (tmp_path / "config.toml").write_text(
        '[site]\nurl = "https://papers.example.org/"\n[store]\nurl = "sqlite:///digest.db"\n'
        '[[source]]\nname = "inbox"\npath = "inbox"\n[[digest]]\nname = "daily"\n'
        '[mail]\ntransport = "smtp"\nfrom = "Digest <digest@papers.example.org>"\n'
        f'smtp = {{ host = "127.0.0.1", port = {server.port}, security = "none" }}\n'
    )
    monkeypatch.chdir(tmp_path)
    with open_app(load_config(tmp_path / "config.toml", {})) as app:
        app.daily(NOW)

    def call(*args: Any) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["send", "--to", *args])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return call


def test_it_prints_the_receipt_and_not_the_address(
    send: Callable[..., tuple[int, str, str]], server: SmtpServer
) -> None:
    code, out, err = send("ann@mail.example")
    assert (code, server.recipients()) == (0, ["ann@mail.example"])
    assert out.startswith("Edition 2026-11-21: accepted: 250 ")
    code, out, err = send("nobody@mail.example")
    assert (code, len(server.taken)) == (3, 1)
    assert out.startswith("Edition 2026-11-21: rejected: 550 ")
    code, out, err = send("ann@mail.example", "--json", "-v")
    assert json.loads(out)["status"] == "accepted"
    assert "mail.example" not in out + err


@pytest.mark.parametrize("status", ["unsubscribed", "suppressed"])
def test_who_wants_no_mail_gets_none_and_the_way_back_is_said(
    send: Callable[..., tuple[int, str, str]], server: SmtpServer, status: str
) -> None:
    with open_app(load_config(Path("config.toml"), {})) as app:
        app.store.add_subscriber("ann@mail.example", digests=(), now=NOW)
        if status == "suppressed":
            app.store.suppress_subscriber(1, "complained", now=NOW)
        else:
            app.store.remove_subscriber("ann@mail.example", now=NOW)
    code, _, err = send("ann@mail.example")
    assert (code, server.connections) == (2, 0)
    assert f"is {status}" in err
    assert ("subscribers allow" in err) == (status == "suppressed")


@pytest.mark.parametrize(
    "address",
    [
        "a@b@mail.example",
        "ann@mail.example\nRCPT TO:<eve@mail.example>",
        "ann@mail.example\r\n",
        "ann\0@mail.example",
        "ann@mail.example, eve@mail.example",
        "ann@mail.example eve@mail.example",
        "<ann@mail.example>",
        "Ann <ann@mail.example>",
        f"{'a' * 300}@mail.example",
        f"ann@{'a' * 290}.example",
        "d\u00fcrer@mail.example",
        "ann@mail..example",
        "ann@",
        "@mail.example",
        "",
        "ann@mail.example\u2028",
        "ann@[127.0.0.1]",
    ],
)
def test_what_is_not_one_address_is_refused_before_anything_is_asked(
    send: Callable[..., tuple[int, str, str]], server: SmtpServer, address: str
) -> None:
    code, out, err = send(address)
    assert (code, out, server.connections) == (2, "", 0)
    assert "Write it as name@example.org" in err
    assert len(err) < 500
    assert err.count("\n") == 1


def test_a_domain_in_other_letters_is_sent_to_as_a_labels(
    send: Callable[..., tuple[int, str, str]], server: SmtpServer
) -> None:
    assert send("ann@b\u00fccher.example")[0] == 0
    assert server.recipients() == ["ann@xn--bcher-kva.example"]
    (mail,) = server.taken
    assert b"\r\nTo: ann@xn--bcher-kva.example\r\n" in mail.data
