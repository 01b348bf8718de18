"""The command line as its users meet it: a real process, its output, its exit code."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from commands import called
from digest.model import PAPER_FACTS
from pages import ROOT, invented, rss, tree

DIGEST = [sys.executable, "-m", "digest"]


class Shell:
    """A folder with a configuration, and the command called in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *args: str, code: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        done = called(args, cwd=self.folder, environ=environ)
        assert done.returncode == code, f"exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *args: str, code: int = 0) -> Any:
        value = json.loads(self(*args, "--json", code=code).stdout)
        assert value["schema"] == 1
        return value

    def letters_are_due(self) -> None:
        with sqlite3.connect(self.folder / "digest.db") as store:
            store.execute("UPDATE letters SET retry_at = date")

    def put(self, name: str, papers: list[tuple[str, str]]) -> None:
        (self.folder / "inbox").mkdir(exist_ok=True)
        (self.folder / "inbox" / name).write_bytes(rss(papers))


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "config.toml").write_text(
        '[site]\nurl = "https://papers.example.org/"\n[store]\nurl = "sqlite:///digest.db"\n'
        '[[source]]\nname = "inbox"\npath = "inbox"\n[[digest]]\nname = "daily"\n[mail]\nfolder = "outbox"\n'
    )
    (tmp_path / "inbox").mkdir()
    return Shell(tmp_path)


# ---------------------------------------------------------------- the main job


def test_init_then_run_makes_an_edition_without_mail_or_network(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    assert "Next: cd here && digest run" in shell("init", "here").stdout
    here = Shell(tmp_path / "here")
    done = here("run")
    assert "new papers in edition" in done.stdout
    assert "index.html" in done.stdout
    assert "digest subscribers add" in done.stderr
    assert (tmp_path / "here/feeds/rss.xml").exists()
    assert "Nothing new." in here("run").stdout


def test_init_overwrites_nothing(shell: Shell) -> None:
    before = tree(shell.folder)
    assert "exists already" in shell("init", code=2).stderr
    assert tree(shell.folder) == before


def test_run_says_what_it_read_and_how_to_look_at_it(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 12))
    shell("subscribers", "add", "reader@example.org")
    done = shell("run", "--date", "2026-11-19")
    assert "12 new papers in edition 2026-11-19." in done.stdout
    assert "feeds/2026/11/19/index.html" in done.stdout
    assert "Mail: 1 accepted." in done.stdout
    assert "inbox: new, 12 papers read, 12 new, 0 seen" in done.stderr


def test_run_as_json_is_one_object_with_the_documented_shape(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 3))
    value = shell.json("run", "--date", "2026-11-19")
    assert value["date"] == "2026-11-19"
    source = value["sources"][0]
    documented = {
        "name",
        "kind",
        "outcome",
        "stated",
        "read",
        "new",
        "updated",
        "seen",
        "dropped",
        "failed",
        "seconds",
        "error",
    }
    assert documented <= set(source)
    assert (source["read"], source["new"], source["error"]) == (3, 3, None)
    assert value["digests"] == [
        {
            "name": "daily",
            "edition": {
                "id": "2026-11-19",
                "number": 1,
                "part": 1,
                "papers": 3,
                "url": "https://papers.example.org/2026/11/19/",
            },
            "waiting": 0,
            "notices": 0,
            "dropped": 0,
        }
    ]
    assert set(value["published"]) == {"written", "unchanged", "targets", "pinged", "unpinged", "outdated"}
    assert {"queued", "accepted", "deferred", "rejected", "suppressed", "expired"} <= set(value["deliveries"])


def test_run_with_paths_reads_these_instead_of_the_sources(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 3))
    (shell.folder / "b.xml").write_bytes(rss(invented(10, 2)))
    assert shell.json("run", "b.xml")["sources"][0]["new"] == 2


def test_a_source_that_failed_makes_exit_code_3_and_says_the_mend(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 3))
    (shell.folder / "inbox" / "b.html").write_text("<html><body>Please log in</body></html>")
    done = shell("run", code=3)
    assert "3 new papers" in done.stdout
    assert "1 source failed: see above." in done.stdout
    assert "b.html" in done.stderr


def test_a_dry_run_leaves_no_trace(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 3))
    before = tree(shell.folder)
    assert "nothing was written or sent" in shell("run", "--dry-run").stdout
    assert tree(shell.folder) == before


def test_a_second_run_beside_one_at_work_leaves_with_exit_code_4(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 3))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(shell.folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert "another process" in shell("run", code=4).stderr
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()  # type: ignore[union-attr]
    assert "3 new papers" in shell("run", "--again").stdout  # the dead holder's lease is taken over at once


HOLD = """
import pathlib, sys, time
from digest.app import App
from digest.configfile import load_config
with App(load_config(pathlib.Path(sys.argv[1]) / "config.toml", {})) as app, app.alone():
    print("held", flush=True)
    time.sleep(60)
"""


def test_sigterm_and_ctrl_c_leave_a_store_that_the_next_run_uses(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 50))
    shell("subscribers", "add", *(f"r{n}@example.org" for n in range(300)))

    def sent() -> int:
        return len(list(shell.folder.glob("outbox/*.eml")))

    for number in (signal.SIGINT, signal.SIGTERM):
        run = subprocess.Popen(
            [*DIGEST, "run"],
            cwd=shell.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 20
        while (
            run.poll() is None and time.monotonic() < deadline and not list(shell.folder.glob("outbox/*.eml"))
        ):
            time.sleep(0.005)
        run.send_signal(number)
        _, errors = run.communicate(timeout=30)
        assert "Traceback" not in errors
        assert run.returncode in (
            0,
            130,
            -number,
        )  # the last: it came when all was done and Python itself was ending
    shell("run")
    assert sent() == 300


# ---------------------------------------------------------------- wrong use


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["rnu"], ['unknown command "rnu"', 'Did you mean "run"?']),
        (["run", "--date", "19.11.2026"], ["no date", "2026-11-19"]),
        (["run", "--date", "2062-01-01"], ["2062-01-01", "Mend the year"]),
        (["run", "--date", "9999-12-31"], ["Mend the year"]),
        (["run", "--date", "0001-01-01", "--dry-run"], ["Mend the year"]),
        (["run", "--dte", "x"], ["--dte", "--date"]),
        (["parse"], ["PATH|URL"]),
        (["parse", "--kind", "arxv", "x"], ["arxv", "arxiv"]),
        (["preview", "--date", "2020-01-01"], ["no edition of 2020-01-01", "digest run"]),
        (["send", "--to", "a@b@c"], ["no mail address"]),
        (["send", "--date", "2026-11-19"], ["--to"]),
        (["sources", "test", "inbix"], ["inbix", "inbox"]),
        (["subscribers", "add", "nobody"], ["no mail address", "name@example.org"]),
        (["subscribers", "add", "a@example.org\nBcc: b@example.org"], ["no mail address"]),
        (["subscribers", "add", "a@example.org", "--digest", "weekly"], ["weekly", "daily"]),
        (["--config", "none.toml", "run"], ["none.toml", "digest init"]),
        (["run", "--store", "mysql://x"], ["[store]", "sqlite:///"]),
        (["serve", "--no-web"], ["schedule"]),
        (["parse", "~nobody-of-that-name/x"], ["in full"]),
    ],
)
def test_wrong_use_is_exit_code_2_with_what_where_and_the_mend(
    shell: Shell, args: list[str], words: list[str]
) -> None:
    done = shell(*args, code=2)
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    for word in words:
        assert word in done.stderr


def test_a_faulty_configuration_names_every_fault_once(shell: Shell) -> None:
    (shell.folder / "config.toml").write_text('[site]\nurll = "x"\n[mail]\ntransport = "pigeon"\n')
    errors = shell("run", code=2).stderr
    assert errors.count("error: ") == 4
    for word in ('"urll"', 'Did you mean "url"', 'no "url"', "pigeon", "no [[digest]]"):
        assert word in errors


def test_a_store_that_is_none_is_exit_code_1_with_the_mend(shell: Shell) -> None:
    (shell.folder / "digest.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 9000)
    assert "digest.db" in shell("run", code=1).stderr


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["rnu"], 2),
        (["run", "--dte", "x"], 2),
        (["init"], 2),
        (["preview"], 2),
        (["--config", "none.toml", "run"], 2),
    ],
)
def test_a_failure_with_json_is_one_object_too(shell: Shell, args: list[str], code: int) -> None:
    value = shell.json(*args, code=code)
    assert value["exit_code"] == code
    assert value["error"]


def test_quiet_hides_no_failure(shell: Shell) -> None:
    assert "none.html" in shell("-q", "parse", "none.html", code=3).stderr
    (shell.folder / "inbox" / "b.html").write_text("<html>Please log in</html>")
    assert "b.html" in shell("-q", "run", code=3).stderr


def test_a_reader_of_the_output_who_leaves_does_not_end_the_run(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 30))
    command = f"{shlex.join([*DIGEST, 'run', '--date', '2026-11-19'])} 2>&1 | head -1"
    subprocess.run(
        command, shell=True, cwd=shell.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True
    )
    assert shell.json("status")["editions"]["daily"][0]["papers"] == 30


def test_an_address_that_is_none_is_wrong_use(shell: Shell) -> None:
    assert "not an address" in shell("parse", "http://[x", code=2).stderr
    assert "only http:// and https://" in shell("parse", "ftp://example.org/new.html", code=2).stderr
    assert "only http:// and https://" in shell("run", "file:///srv/new.html", code=2).stderr


def test_a_kind_of_listings_that_are_not_named_is_wrong_use(shell: Shell) -> None:
    assert "none is" in shell("run", "--kind", "arxiv", code=2).stderr


# ---------------------------------------------------------------- reading and looking


def test_parse_prints_the_papers_and_touches_no_store(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 2))
    value = shell.json("parse", "inbox/a.xml")
    listing = value["listings"][0]
    assert (listing["kind"], listing["outcome"], len(listing["papers"])) == ("feed", "new", 2)
    assert listing["location"] == "inbox/a.xml"
    assert set(listing["papers"][0]) == {*PAPER_FACTS, "author_names"}
    assert invented(0, 2)[0][0] in shell("parse", "inbox/a.xml").stdout
    assert not (shell.folder / "digest.db").exists()


def test_parse_needs_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(rss(invented(0, 1)))
    assert len(Shell(tmp_path).json("parse", "a.xml")["listings"][0]["papers"]) == 1


def test_parse_names_what_is_wrong_with_each_page_and_goes_on(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 2))
    (shell.folder / "b.html").write_bytes(b"")
    value = shell.json("parse", "b.html", "inbox/a.xml", "none.html", code=3)
    assert [listing["outcome"] for listing in value["listings"]] == ["parse-failed", "new", "unreachable"]
    assert value["listings"][0]["error"]


def test_preview_writes_pages_and_mail_to_a_folder_of_its_own(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 4))
    shell("run", "--date", "2026-11-19")
    before = tree(shell.folder)
    done = shell("preview", "--out", "look")
    assert "look/2026/11/19/email.html" in done.stdout
    assert (shell.folder / "look/2026/11/19/index.html").exists()
    assert {
        name: value for name, value in tree(shell.folder).items() if not name.startswith("look/")
    } == before


def test_a_listing_whose_name_is_no_utf8_is_read_by_hand(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 4))
    name = os.fsdecode(b"M\xe4rz.xml")
    (shell.folder / "inbox/a.xml").rename(shell.folder / name)
    assert "4 new papers" in shell("run", name).stdout
    assert "is empty" in shell("run", "", code=2).stderr


def test_status_shows_the_last_run_and_what_waits(shell: Shell) -> None:
    assert "No run yet" in shell("status").stdout
    shell.put("a.xml", invented(0, 4))
    shell("run", "--date", "2026-11-19")
    shell.put("b.xml", invented(4, 2))
    shell("run", "--date", "2026-11-19")
    value = shell.json("status")
    assert value["last_run"]["sources"][0]["new"] == 2
    assert value["waiting"] == {"daily": 2}
    assert value["editions"]["daily"][0]["papers"] == 4
    text = shell("status").stdout
    assert "1 edition, newest 2026-11-19 with 4 papers; 2 papers waiting." in text


def test_notices_that_wait_are_named_by_send_and_status(shell: Shell) -> None:
    readers = 'address,consented_at,preferences\na@example.org,2026-01-01,"{""empty"":true}"\n'
    (shell.folder / "readers.csv").write_text(readers)
    shell("subscribers", "import", "readers.csv")
    assert shell.json("status")["letters"] == {"waiting": 0}
    smtp = {"HOST": "127.0.0.1", "PORT": "9", "SECURITY": "none"}
    down = {f"DIGEST__MAIL__SMTP__{key}": value for key, value in smtp.items()}
    down["DIGEST__MAIL__TRANSPORT"] = "smtp"
    assert "told" in shell("run", code=3, **down).stdout
    waits = "Other mails, confirmations and notices: 1 waiting."
    assert waits in shell("status").stdout
    done = shell("send", **down)
    assert waits in done.stdout and "Nothing is queued" not in done.stderr
    assert json.loads(shell("send", "--json", **down).stdout)["letters"] == {"waiting": 1}
    shell.letters_are_due()
    failed = json.loads(shell("send", "--json", code=3, **down).stdout)
    assert "127.0.0.1:9" in failed["deliveries"]["error"] and failed["letters"] == {"waiting": 1}
    shell.letters_are_due()
    assert "Mail stopped: " in shell("send", code=3, **down).stdout
    shell.letters_are_due()
    assert "notices: 1 sent or given up." in shell("send").stdout


def test_subscribers_are_added_listed_and_removed(shell: Shell) -> None:
    shell("subscribers", "add", "a@example.org", "B@Example.ORG")
    assert "was subscribed already" in shell("subscribers", "add", "a@example.org").stdout
    found = shell.json("subscribers", "list")["subscribers"]
    assert [(s["address"], s["status"], s["digests"]) for s in found] == [
        ("a@example.org", "confirmed", []),
        ("B@example.org", "confirmed", []),
    ]
    assert "no more mail" in shell("subscribers", "remove", "a@example.org").stdout
    assert "not subscribed" in shell("subscribers", "remove", "a@example.org", code=1).stderr
    assert [s["status"] for s in shell.json("subscribers", "list")["subscribers"]] == [
        "unsubscribed",
        "confirmed",
    ]


def test_send_to_an_address_that_left_is_refused(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 1))
    shell("run")
    shell("subscribers", "add", "a@example.org")
    shell("subscribers", "remove", "a@example.org")
    assert "unsubscribed" in shell("send", "--to", "a@example.org", code=2).stderr
    assert "accepted" in shell("send", "--to", "b@example.org").stdout


def test_rebuild_restores_deleted_output(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 3))
    shell("run")
    before = {name: body for name, (body, _) in tree(shell.folder / "feeds").items()}
    shutil.rmtree(shell.folder / "feeds")
    assert "0 unchanged" in shell("rebuild").stdout
    assert {name: body for name, (body, _) in tree(shell.folder / "feeds").items()} == before


def test_sources_are_listed_and_tried(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 2))
    assert "inbox" in shell("sources", "list").stdout
    kinds = shell.json("sources", "list", "--kinds")["kinds"]
    assert {"arxiv", "feed", "huggingface", "saved"} <= set(kinds)
    assert "2 papers" in shell("sources", "test", "inbox").stdout


def test_doctor_finds_what_is_wrong_and_says_the_mend(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 1))
    assert "All in order." in shell("doctor").stdout
    (shell.folder / "inbox" / "b.xml").write_text("<rss")
    done = shell.json("doctor", code=1)
    assert [f["check"] for f in done["findings"] if f["level"] == "fault"] == ["sources"]


def test_doctor_reports_a_broken_template_of_the_operator(shell: Shell) -> None:
    (shell.folder / "templates").mkdir()
    (shell.folder / "templates" / "edition.txt").write_text("{{ no_such_variable }}")
    shell.put("a.xml", invented(0, 1))
    assert "edition.txt" in shell("doctor", code=1).stdout


# ---------------------------------------------------------------- how it talks


def test_global_options_stand_before_or_after_the_command(shell: Shell) -> None:
    shutil.copy(shell.folder / "config.toml", shell.folder / "other.toml")
    (shell.folder / "config.toml").unlink()
    assert (
        shell("--config", "other.toml", "status").stdout == shell("status", "--config", "other.toml").stdout
    )
    assert (
        shell("status", "--config=other.toml", "-q").stdout
        == shell("-q", "status", DIGEST_CONFIG="other.toml").stdout
    )


def test_output_and_store_can_be_named_on_the_command_line(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 1))
    shell("run", "--output", "public", "--store", "sqlite:///other.db")
    assert (shell.folder / "public/rss.xml").exists()
    assert (shell.folder / "other.db").exists()
    assert not (shell.folder / "feeds").exists()


def test_there_is_no_colour_in_a_pipe_and_color_always_switches_it_on(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 1))
    shell("run")
    assert "\x1b" not in shell("status").stdout
    assert "\x1b" in shell("status", "--color=always").stdout
    assert "\x1b" not in shell("status", NO_COLOR="1").stdout


def test_a_title_cannot_move_the_cursor(shell: Shell) -> None:
    shell.put("a.xml", [("A \u009b31m title", "An abstract.")])
    assert "\u009b" not in shell("parse", "inbox/a.xml").stdout


def test_help_lists_every_command_without_importing_heavy_rooms() -> None:
    code = (
        "import sys; from digest.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(set(m.split('.')[0] for m in sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    for command in (
        "init",
        "run",
        "parse",
        "preview",
        "send",
        "serve",
        "status",
        "rebuild",
        "subscribers",
        "sources",
        "doctor",
    ):
        assert f"  {command}" in done.stdout
    heavy = {
        "msgspec",
        "jinja2",
        "lxml",
        "bs4",
        "feedgen",
        "feedparser",
        "apscheduler",
        "rich",
        "sqlite3",
        "urllib3",
        "email",
    }
    assert not heavy & set(json.loads(done.stderr.replace("'", '"')))


# ---------------------------------------------------------------- serve


def test_serve_makes_up_for_a_missed_run_and_stops_on_sigterm(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 3))
    with (shell.folder / "config.toml").open("a") as config:
        # Due every hour, so whatever the time is a run was missed within the grace.
        config.write('[[digest]]\nname = "hourly"\nschedule = "0 * * * *"\ngrace_h = 2\n')
    with subprocess.Popen(
        [*DIGEST, "serve", "--no-web"],
        cwd=shell.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stderr is not None
        lines = []
        for line in service.stderr:
            lines.append(line)
            if "papers in edition" in line:
                break
        service.send_signal(signal.SIGTERM)
        rest = service.stderr.read()
        assert service.wait(30) == 0
    said = "".join(lines) + rest
    assert "hourly: next run" in said
    assert "was missed and is made up for now" in said
    assert "Stopped. What is queued stays queued." in said
    assert "Traceback" not in said
    assert shell.json("status")["editions"]["hourly"][0]["papers"] == 3


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_is_no_failure(shell: Shell, closed: str) -> None:
    shell.put("a.xml", invented(0, 3))
    command = f"{shlex.join([*DIGEST, 'run', '--date', '2026-11-19'])} {closed}"
    subprocess.run(
        command, shell=True, cwd=shell.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True
    )
    assert shell.json("status")["editions"]["daily"][0]["papers"] == 3


def test_a_reader_who_leaves_early_is_no_failure(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 2000))
    for more in ([], ["--json"]):
        command = f"set -o pipefail; {shlex.join([*DIGEST, 'parse', 'inbox/a.xml', *more])} | head -1"
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=shell.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_json_is_utf8_and_help_is_shown_whatever_the_terminal_takes(shell: Shell, encoding: str) -> None:
    shell.put("a.xml", [("Karel Dvořáček 漢字", "On names.")])
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding}

    def said(*args: str) -> bytes:
        return subprocess.run(
            [*DIGEST, *args], cwd=shell.folder, env=environ, stdout=subprocess.PIPE, check=True
        ).stdout

    (listing,) = json.loads(said("parse", "inbox/a.xml", "--json").decode("utf-8"))["listings"]
    assert listing["papers"][0]["title"] == "Karel Dvořáček 漢字"
    assert b"PATH|URL" in said("parse", "--help")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["status", "status --json", "subscribers export"])
def test_output_that_finds_no_room_is_named_and_one_that_nobody_reads_is_no_failure(
    shell: Shell, command: str, unbuffered: str
) -> None:
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    called = [*DIGEST, *command.split()]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            called, cwd=shell.folder, env=environ, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: the output could not be written: No space left on device.")
    assert len(done.stderr.splitlines()) == 1
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        done = subprocess.run(
            called,
            cwd=shell.folder,
            env=environ,
            stdout=nobody,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_output_may_not_lie_where_listings_are_read(shell: Shell) -> None:
    shell.put("a.xml", invented(0, 1))
    assert "another folder" in shell("doctor", code=1, DIGEST__SITE__OUTPUT="inbox").stdout
    assert "another folder" in shell("doctor", code=1, DIGEST__SITE__OUTPUT="inbox/feeds").stdout


@pytest.mark.parametrize("group", ["subscribers", "sources", "db"])
def test_a_group_without_its_command_is_wrong_usage_with_json_and_help_without(
    shell: Shell, group: str
) -> None:
    told = shell.json(group, code=2)
    assert set(told) == {"schema", "error", "exit_code"}
    named = re.findall(r"^  ([a-z]+)  ", shell(group).stdout.partition("Commands:")[2], re.MULTILINE)
    assert named
    assert f"`digest {group}` needs one of its commands: {', '.join(named)}." in told["error"]


def test_a_run_without_sources_says_so(shell: Shell) -> None:
    config = shell.folder / "config.toml"
    config.write_text(config.read_text().replace('path = "inbox"', 'path = "inbox"\nenabled = false'))
    assert "No source is enabled, so nothing was asked" in shell("run").stdout


def test_a_watch_that_fails_costs_send_neither_its_one_object_nor_its_exit_code(shell: Shell) -> None:
    shell.put("2026-11-19.xml", [("Owls in the Dark", "A survey of night.")])
    shell("subscribers", "add", "a@example.org")
    with closing(sqlite3.connect(shell.folder / "digest.db")) as database:
        database.execute(
            "CREATE TRIGGER unwatched BEFORE INSERT ON leases WHEN NEW.name = 'watch' BEGIN SELECT RAISE(ABORT, 'no watch'); END"
        )
    done = shell("send", "--json", code=1)
    assert set(json.loads(done.stdout)) == {"schema", "deliveries", "letters"}
    assert "no watch" in done.stderr
    (shell.folder / "outbox").write_text("no folder, so that mail is deferred")
    shell("run", "--date", "2026-11-19", code=3)
    assert "no watch" in shell("send", code=3).stderr
