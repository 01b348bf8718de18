"""Log lines as JSON: one object a line whatever happens, and no address and no key in it."""

from __future__ import annotations

import json
import logging
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from digest.cli.console import Console
from digest.config import (
    Config,
    LogConfig,
    MailboxConfig,
    MailConfig,
    MonitorConfig,
    PublishConfig,
    SiteConfig,
    SmtpConfig,
    SourceConfig,
    StoreConfig,
)
from digest.logs import JsonLines, about, are_json, json_lines, secrets_of
from test_web_serve import folder, served  # noqa: F401
from webs import wait_for

KEYS = {
    "smtp": "canary-smtp-41",
    "mailbox": "canary-mailbox-42",
    "header": "canary-header-43",
    "access": "canary-access-44",
    "secret": "canary-secret-45",
    "store": "canary%2Fstore-46",
    "push": "canary-push-47",
    "beat": "https://beats.example/canary-beat-48",
}


def full_of_keys() -> Config:
    return Config(
        site=SiteConfig(url="https://papers.example.org/"),
        store=StoreConfig(url=f"postgresql://me:{KEYS['store']}@db.example.org/digest"),
        source=(SourceConfig(name="s", url="https://a.example/", headers={"Authorization": KEYS["header"]}),),
        mail=MailConfig(
            smtp=SmtpConfig(password=KEYS["smtp"]), mailbox=MailboxConfig(password=KEYS["mailbox"])
        ),
        publish=(
            PublishConfig(name="p", kind="s3", access_key=KEYS["access"], secret_key=KEYS["secret"]),
            PublishConfig(name="g", kind="git", repository=f"https://me:{KEYS['push']}@git.example/x.git"),
        ),
        monitor=MonitorConfig(heartbeat_url=KEYS["beat"]),
        log=LogConfig(format="json"),
    )


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root, hook = logging.getLogger(), threading.excepthook
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    threading.excepthook = hook
    logging.captureWarnings(False)


def line_of(message: str, *args: object, config: Config | None = None, **facts: Any) -> dict[str, Any]:
    formatter = JsonLines(secrets_of(config) if config else ())
    record = logging.getLogger("digest.test").makeRecord(
        "digest.test", logging.WARNING, __file__, 1, message, args, facts.pop("exc_info", None), extra=facts
    )
    text = formatter.format(record)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_says_when_how_bad_who_and_what() -> None:
    line = line_of("%d papers in %s", 3, "daily")
    assert datetime.fromisoformat(line.pop("time")).utcoffset() is not None
    assert line == {"level": "warning", "logger": "digest.test", "message": "3 papers in daily"}


def test_time_is_written_as_rfc_3339_in_utc() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line_of("now")["time"])


def test_a_line_says_what_it_is_about() -> None:
    with about(digest="daily", run=7):
        line = line_of("a", delivery=12)
        with about(job="collect 7/0"):
            assert line_of("b", digest="weekly")["digest"] == "weekly"
            assert line_of("b")["job"] == "collect 7/0"
    assert (line["digest"], line["run"], line["delivery"]) == ("daily", 7, 12)
    assert set(line_of("c")) == {"time", "level", "logger", "message"}


def test_what_a_thread_works_on_is_not_what_another_does() -> None:
    lines = []
    with about(digest="daily"):
        thread = threading.Thread(target=lambda: lines.append(line_of("x")))
        thread.start()
        thread.join()
    assert "digest" not in lines[0]


@pytest.mark.parametrize(
    "text", ["one\ntwo\r\nthree", 'a "quoted" {brace}', "\ud800 lone", "\x00\x1b[31m", "标题", "\u2028", ""]
)
def test_whatever_is_said_is_one_object_on_one_line(text: str) -> None:
    assert line_of("%s", text)["message"] == text.encode("utf-8", "replace").decode()


def test_an_exception_is_one_field() -> None:
    try:
        raise ValueError("no number: reader@mail.example\nand more")
    except ValueError:
        line = line_of("it failed", exc_info=sys.exc_info())
    assert "Traceback (most recent call last)" in line["exception"]
    assert "ValueError: no number: (address)\nand more" in line["exception"]


def test_no_key_and_no_address_is_written() -> None:
    config = full_of_keys()
    said = " ".join(
        [*KEYS.values(), "canary/store-46", "reader@mail.example", "https://p.example/manage/?t=abc.DEF-123"]
    )
    for line in (line_of("%s", said, config=config), line_of("x", job=said, config=config)):
        text = json.dumps(line)
        assert "canary" not in text
        assert "mail.example" not in text
        assert "abc.DEF" not in text
    assert "an address in the log" in line_of("an address in the log", config=config)["message"]


def test_what_a_command_says_is_lines_too(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(
        config=None, store=None, output=None, as_json=False, color="never", verbose=False, quiet=False
    )
    console.note("before")
    console.log_lines(full_of_keys())
    console.note("web: http://127.0.0.1:8000/")
    console.fault("error: it failed")
    logging.getLogger("digest.scheduler").info("due")
    logging.getLogger("else.where").info("not heard")
    thread = threading.Thread(target=lambda: 1 / 0, name="letters")
    thread.start()
    thread.join()
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == "before"
    found = [json.loads(line) for line in lines]
    assert [(line["level"], line["message"]) for line in found[:3]] == [
        ("info", "web: http://127.0.0.1:8000/"),
        ("error", "error: it failed"),
        ("info", "due"),
    ]
    assert "ZeroDivisionError" in found[3]["exception"]
    assert "the thread letters failed" in found[3]["message"]


def test_text_stays_text() -> None:
    console = Console(
        config=None, store=None, output=None, as_json=False, color="never", verbose=False, quiet=False
    )
    console.log_lines(Config(site=SiteConfig(url="https://papers.example.org/")))
    assert not are_json()
    json_lines(full_of_keys())
    assert are_json()


def test_serve_writes_objects_from_its_first_line_to_its_last(folder: Path) -> None:  # noqa: F811
    with served(folder, DIGEST__LOG__FORMAT="json") as (process, said):
        wait_for(lambda: "web: http" in "".join(said))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    lines = [json.loads(line) for line in said]
    assert lines[0]["message"].startswith("web: http://127.0.0.1:")
    assert lines[-1]["message"] == "Stopped. What is queued stays queued."
    assert {line["logger"] for line in lines} == {"digest.cli"}


def test_a_service_that_fails_says_why_in_an_object(folder: Path) -> None:  # noqa: F811
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        served(
            folder,
            DIGEST__LOG__FORMAT="json",
            DIGEST__WEB__LISTEN=f"127.0.0.1:{taken.getsockname()[1]}",
        ) as (process, said),
    ):
        assert process.wait(60) == 1
    (line,) = [json.loads(line) for line in said]
    assert line["level"] == "error"
    assert "choose another port" in line["message"]
