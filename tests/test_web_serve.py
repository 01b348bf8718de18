"""`digest serve`: web door and schedules in one process that ends when told."""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from digest.app import open_app
from digest.errors import DigestError
from digest.web import listen_at, serve_web
from digest.web.worker import LetterWorker
from webs import ROOT, config_of, wait_for

CONFIG = """
[site]
url = "https://papers.example.org/"
[store]
url = "sqlite:///digest.db"
[[source]]
name = "sample"
path = "{listings}"
[[digest]]
name = "daily"
[web]
listen = "127.0.0.1:0"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG.format(listings=ROOT / "examples" / "listings"))
    return tmp_path


@contextmanager
def served(folder: Path, *options: str, **environ: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """The command at work, with the lines it has said so far."""
    said: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-m", "digest", "serve", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        reader = threading.Thread(target=said.extend, args=(process.stderr,))
        reader.start()
        try:
            yield process, said
        finally:
            if process.poll() is None:
                process.kill()
            reader.join()


def port_of(said: list[str]) -> int:
    found = wait_for(lambda: re.search(r"web: http://127\.0\.0\.1:(\d+)/", "".join(said)))
    return int(found[1])


def ask(port: int, method: str, path: str, body: str | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
    connection.request(method, path, body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("schedule", ["", 'schedule = "0 7 * * *"\ngrace_h = 0.0001\n'])
def test_serve_answers_and_sends_letters_until_it_is_told_to_stop(
    folder: Path, number: int, schedule: str
) -> None:
    text = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(text.replace('name = "daily"\n', f'name = "daily"\n{schedule}'))
    with served(folder) as (process, said):
        port = port_of(said)
        assert ask(port, "GET", "/healthz") == 200
        assert ask(port, "POST", "/subscribe/", "email=reader%40mail.example") == 200
        wait_for(lambda: list((folder / "var" / "outbox").glob("*.eml")))
        process.send_signal(number)
        assert process.wait(60) == 0
    text = "".join(said)
    assert "public: https://papers.example.org/" in text
    assert ("daily: next run" in text) is bool(schedule)
    assert "Stopped. What is queued stays queued." in text
    assert "reader" not in text
    assert "Traceback" not in text


@pytest.mark.parametrize("schedule", ["", 'schedule = "0 7 * * *"\ngrace_h = 0.0001\n'])
def test_with_json_serve_prints_one_object_when_it_answers(folder: Path, schedule: str) -> None:
    text = (folder / "config.toml").read_text()
    (folder / "config.toml").write_text(text.replace('name = "daily"\n', f'name = "daily"\n{schedule}'))
    command = [sys.executable, "-m", "digest", "serve", "--json"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    printed = folder / "printed"
    with (
        printed.open("wb") as out,
        subprocess.Popen(command, cwd=folder, env=environ, stdout=out) as process,
    ):
        try:
            wait_for(lambda: printed.read_text().endswith("\n}\n"))
            (address,) = re.findall(r"http://127\.0\.0\.1:(\d+)/", printed.read_text())
            assert ask(int(address), "GET", "/healthz") == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
    found = json.loads(printed.read_text())
    assert sorted(found) == ["address", "schedules", "schema"]
    assert found["schema"] == 1
    assert sorted(found["schedules"]) == (["daily"] if schedule else [])
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT07:00:00Z", due) for due in found["schedules"].values())


def test_what_fails_after_the_object_of_json_prints_no_second_one(folder: Path) -> None:
    broken = (
        "import digest.web\nfrom digest.cli import main\nfrom digest.errors import DigestError\n"
        "def serve(*_): raise DigestError('it broke')\n"
        "digest.web.serve_web = serve\nmain(['serve', '--json', '--no-schedule'])\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", broken], cwd=folder, env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert sorted(json.loads(done.stdout)) == ["address", "schedules", "schema"]
    assert "error: it broke" in done.stderr


def test_a_port_in_use_is_said_with_the_mend_and_ends_with_1(folder: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        served(folder, DIGEST__WEB__LISTEN=f"127.0.0.1:{taken.getsockname()[1]}") as (process, said),
    ):
        assert process.wait(60) == 1
    text = "".join(said)
    assert text.startswith("error: ")
    assert "choose another port" in text
    assert "Traceback" not in text


def test_without_web_and_schedule_there_is_nothing_to_serve(folder: Path) -> None:
    for options, environ, words in (
        (["--no-web"], {}, "--no-web was given"),
        (["--no-schedule"], {"DIGEST__WEB__ENABLED": "false"}, '"enabled" = false'),
    ):
        with served(folder, *options, **environ) as (process, said):
            assert process.wait(60) == 2
        assert "nothing to serve" in "".join(said)
        assert words in "".join(said)


def test_a_store_that_cannot_be_opened_ends_the_service_with_1(folder: Path) -> None:
    (folder / "digest.db").write_bytes(b"this is no database, but a text that stands in its place" * 100)
    with served(folder) as (process, said):
        assert process.wait(60) == 1
    assert "error: " in "".join(said)
    assert "Traceback" not in "".join(said)


def test_proxies_that_are_none_are_a_fault_of_the_configuration(folder: Path) -> None:
    with (folder / "config.toml").open("a") as config:
        config.write('proxies = ["localhost"]\n')
    with served(folder) as (process, said):
        assert process.wait(60) == 2
    assert "proxies" in "".join(said)


def test_a_request_in_flight_is_answered_when_the_server_is_told_to_stop(tmp_path: Path) -> None:
    stop = threading.Event()
    with open_app(config_of(tmp_path)) as app, listen_at("127.0.0.1:0") as listener:
        port = listener.getsockname()[1]
        thread = threading.Thread(target=serve_web, args=(app, listener, stop))
        thread.start()
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            body = b"email=reader%40mail.example"
            connection.sendall(
                b"POST /subscribe/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
            )
            # The server has begun with it: it asks for the body.
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
            stop.set()
            connection.sendall(body)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        thread.join()
        found = app.store.subscriber("reader@mail.example")
        assert found is not None
        assert found.status == "pending"


HALF_A_FORM = (
    b"POST /subscribe/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\nemail="
)
LARGE_FILE = b"GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n"
SMALLER_FILE = b"GET /smaller.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "asked", [HALF_A_FORM, LARGE_FILE, LARGE_FILE * 3], ids=["half a form", "large file", "many files"]
)
@pytest.mark.parametrize("hangs", [True, False], ids=["hangs", "leaves"])
def test_a_client_that_hangs_or_leaves_holds_up_no_stop_and_is_no_fault(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    asked: bytes,
    hangs: bool,
) -> None:
    monkeypatch.setattr("digest.web.server._HANG_UP_S", 0.3)
    stop = threading.Event()
    with open_app(config_of(tmp_path)) as app, listen_at("127.0.0.1:0") as listener:
        output = app.config.resolve(app.config.site.output)
        output.mkdir(parents=True, exist_ok=True)
        with (output / "large.bin").open("wb") as file:
            file.truncate(1 << 26)
        thread = threading.Thread(target=serve_web, args=(app, listener, stop))
        thread.start()
        with socket.create_connection(listener.getsockname(), timeout=60) as connection:
            connection.sendall(asked)
            # The server has begun with it, and gets no further.
            assert connection.recv(16).startswith(b"HTTP/1.1 ")
            if not hangs:
                connection.close()
            stop.set()
            thread.join(60)
        assert not thread.is_alive()
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def open_files() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208 (no paths are made of them)


@pytest.mark.parametrize("asked", [LARGE_FILE, SMALLER_FILE], ids=["in parts", "at once, and closed"])
def test_a_client_that_takes_nothing_of_its_answer_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, asked: bytes
) -> None:
    monkeypatch.setattr("digest.web.server._LOOK_TICKS", 2)
    stop = threading.Event()
    with open_app(config_of(tmp_path)) as app, listen_at("127.0.0.1:0") as listener:
        output = app.config.resolve(app.config.site.output)
        output.mkdir(parents=True, exist_ok=True)
        for name, size in (("large.bin", 1 << 26), ("smaller.bin", 7 << 20)):
            with (output / name).open("wb") as file:
                file.truncate(size)
        thread = threading.Thread(target=serve_web, args=(app, listener, stop))
        thread.start()
        try:
            with socket.create_connection(listener.getsockname(), timeout=60) as connection:
                connection.sendall(asked)
                assert connection.recv(16).startswith(b"HTTP/1.1 200")
                held = open_files()
                wait_for(lambda: open_files() < held)
        finally:
            stop.set()
            thread.join(60)
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0"])
def test_it_listens_on_both_kinds_of_address(address: str) -> None:
    if address.startswith("[") and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    with listen_at(address) as listener:
        assert listener.getsockname()[1] > 0


def test_an_address_that_is_not_of_this_machine_is_named() -> None:
    with pytest.raises(DigestError, match=r"192\.0\.2\.1:8000 .* Write an address of this machine;"):
        listen_at("192.0.2.1:8000")


def test_a_port_that_somebody_has_is_named_with_that_mend() -> None:
    with listen_at("127.0.0.1:0") as there, pytest.raises(DigestError, match="End the program that is there"):
        listen_at(f"127.0.0.1:{there.getsockname()[1]}")


def test_many_calls_to_wake_the_letters_are_few(tmp_path: Path) -> None:
    with open_app(config_of(tmp_path)) as app:
        calls = []
        began, go = threading.Event(), threading.Event()
        send = app.send_letters

        def slow() -> object:
            calls.append(1)
            began.set()
            go.wait(60)
            return send()

        app.send_letters = slow  # type: ignore[method-assign, assignment]
        letters = LetterWorker(app)
        letters.start()
        began.wait(60)
        for _ in range(1000):
            letters.wake()
        go.set()
        wait_for(lambda: len(calls) == 2)
        letters.end()
        assert len(calls) == 2
