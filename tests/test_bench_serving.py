"""The benchmark of serving compares servers that answer alike. No time is asserted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import need

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))

from benchmarks import serving  # noqa: E402


@pytest.mark.parametrize("name", ["digest serve", "nginx", "StaticFiles"])
def test_each_server_sends_the_feed_and_then_says_that_it_is_unchanged(tmp_path: Path, name: str) -> None:
    if name == "nginx":
        need(shutil.which("nginx"), "needs nginx (Debian: apt-get install nginx-light)")
    folder = tmp_path / "feeds"
    folder.mkdir()
    folder.chmod(0o755)
    (folder / serving.FEED).write_bytes(serving.feed())
    with serving.running(name, tmp_path, folder) as server:
        answer = serving.one(server.port, serving.request_for())
        assert answer.partition(b"\r\n\r\n")[2] == serving.feed()
        again = serving.one(server.port, serving.request_for(serving.etag_of(answer)))
        assert again.startswith(b"HTTP/1.1 304")
        before = serving.cpu_seconds(server.pid)
        serving.poll(server.port, serving.request_for(serving.etag_of(answer)), 400, b"HTTP/1.1 304")
        serving.poll(server.port, serving.request_for(), 80, b"HTTP/1.1 200")
        assert serving.cpu_seconds(server.pid) >= before


def test_an_answer_that_is_not_the_one_to_be_measured_ends_it(tmp_path: Path) -> None:
    (tmp_path / serving.FEED).write_bytes(serving.feed())
    with (
        serving.running("StaticFiles", tmp_path, tmp_path) as server,
        pytest.raises(SystemExit, match="not the answer"),
    ):
        serving.poll(server.port, serving.request_for(b'"other"'), 8, b"HTTP/1.1 304")


def test_servers_are_asked_in_turns_and_their_memory_is_that_of_their_process() -> None:
    found = serving.contest(["digest serve", "StaticFiles"], 160, 1, papers=5)
    assert [sorted(rates.by_status) for rates in found.values()] == [[200, 304], [200, 304]]
    assert all(rates.peak_mib > 10 for rates in found.values())


def test_a_server_that_does_not_start_is_said() -> None:
    with pytest.raises(SystemExit, match="did not start"):
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        serving._wait_for(1, ended)
