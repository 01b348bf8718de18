"""`digest subscribers` as an operator calls it: what it says, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from commands import called
from digest.cli.subscribers import _write
from digest.store import open_store
from pages import invented, rss
from store_contract import NOW

ROOT = Path(__file__).parent.parent


class Shell:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, *args: str, code: int = 0, given: str | bytes = ""
    ) -> subprocess.CompletedProcess[str]:
        given = given.encode() if isinstance(given, str) else given
        done = called(["subscribers", *args], cwd=self.folder, given=given)
        out, err = done.stdout, done.stderr
        assert done.returncode == code, f"exit {done.returncode}, not {code}\n{out}\n{err}"
        assert "Traceback" not in err
        return done

    def json(self, *args: str, code: int = 0, given: str = "") -> Any:
        value = json.loads(self(*args, "--json", code=code, given=given).stdout)
        assert value["schema"] == 1
        return value


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "config.toml").write_text(
        '[site]\nurl = "https://papers.example.org/"\n[store]\nurl = "sqlite:///digest.db"\n'
        '[[source]]\nname = "inbox"\npath = "inbox"\n'
        '[[digest]]\nname = "daily"\ntopics = [{ name = "Birds", any = ["bird"] }]\n[mail]\nfolder = "outbox"\n'
    )
    (tmp_path / "inbox").mkdir()
    return Shell(tmp_path)


GOOD = (
    "address,consented_at,preferences\n"
    'ann@example.org,2025-03-01,"{""hour"":7,""topics"":[""birds""]}"\nbob@example.org,2025-03-02,\n'
)


def test_a_list_goes_in_and_comes_out_the_same(shell: Shell) -> None:
    (shell.folder / "in.csv").write_text(GOOD)
    assert "2 subscribers added, 0 rows refused." in shell("import", "in.csv").stdout
    listed = shell("list").stdout
    assert "choices" in listed and "7 h, 1 topic" in listed and "2025-03-01" in listed
    (ann, bob) = shell.json("list")["subscribers"]
    assert ann["preferences"] == {"topics": ["birds"], "hour": 7} and bob["preferences"] == {}
    assert "2 subscribers written to out.csv" in shell("export", "out.csv").stdout
    out = (shell.folder / "out.csv").read_bytes()
    assert out.decode().replace("\r\n", "\n") == shell("export").stdout.replace("\r\n", "\n")
    assert (shell.folder / "out.csv").stat().st_mode & 0o077 == 0
    (shell.folder / "digest.db").unlink()
    shell("import", "-", given=out)
    assert shell.json("list")["subscribers"] == [ann, bob]


def test_who_had_left_and_is_added_again_is_said(shell: Shell) -> None:
    """A list typed into the shell is taken at its word, which the import of a file is not."""
    shell("add", "ann@example.org", "bob@example.org")
    shell("remove", "Ann@example.org")
    done = shell("add", "ANN@example.org", "bob@example.org", "carol@example.org")
    assert done.stderr.count("had unsubscribed") == 1 and "remove ANN@example.org" in done.stderr
    shell("remove", "bob@example.org")
    again = shell.json("add", "bob@example.org", "carol@example.org")
    assert (again["added"], again["had_left"]) == (["bob@example.org"], ["bob@example.org"])


def test_refused_rows_are_said_with_their_line_and_end_with_3(shell: Shell) -> None:
    given = GOOD + "nobody,2025-01-01,\ncarol@example.org,,\n"
    assert "2 subscribers would be added, 2 rows would be refused." in shell(
        "import", "-", "--dry-run", given=given, code=3
    ).stdout  # fmt: skip
    assert shell.json("list")["subscribers"] == []
    done = shell("import", "-", given=given, code=3)
    assert "line 4: no mail address" in done.stderr and "line 5: no time of consent" in done.stderr
    assert "@example.org" not in done.stderr.replace("name@example.org", "")
    again = shell.json("import", "-", given=given, code=3)
    assert (again["added"], [row["line"] for row in again["refused"]]) == (0, [2, 3, 4, 5])
    assert "1 subscriber added" in shell(
        "import", "-", "--consented-at", "2025-01-01", given="address\ncarol@example.org\n"
    ).stdout  # fmt: skip


@pytest.mark.parametrize(
    ("args", "given", "said"),
    [
        (["import", "none.csv"], b"", ["none.csv", "Give the path"]),
        (["import", "."], b"", ["cannot be read"]),
        (["import", "-"], b"name\nAnn\n", ['no column "address"', "address,consented_at"]),
        (["import", "-"], b"address\n\xff\n", ["line 2 is no UTF-8", "in UTF-8"]),
        (["import", "-"], b'address\n"x', ["line 2 is no CSV", "Nothing was imported"]),
        (["import", "-", "--consented-at", "soon"], b"address\n", ["--consented-at soon", "2026-11-19"]),
        (["import", "-", "--consented-at", "2999-01-01"], b"address\n", ["has passed"]),
        (["export", "no/such/folder/out.csv"], b"", ["cannot be written", "another path"]),
        (["erase"], b"", ["ADDRESS"]),
    ],
)
def test_wrong_usage_is_said_with_its_mend(
    shell: Shell, args: list[str], given: bytes, said: list[str]
) -> None:
    done = shell(*args, given=given, code=2)
    assert all(words in done.stderr for words in said), done.stderr


def test_a_refused_row_is_said_in_one_sentence(shell: Shell) -> None:
    given = 'address,since,preferences\na@example.org,2025-01-01,"{""hour"":25}"\nb,2025-01-01,\n'
    said = shell("import", "-", given=given, code=3).stderr.splitlines()
    assert [line for line in said if line.endswith("..")] == [] and len(said) == 2


def test_a_suppressed_address_is_added_only_after_it_was_allowed(shell: Shell) -> None:
    shell("add", "ann@example.org")
    with open_store(f"sqlite:///{shell.folder / 'digest.db'}") as store:
        ann = store.subscriber("ann@example.org")
        assert ann is not None
        store.suppress_subscriber(ann.id, "complained", now=NOW)
    refused = shell("add", "bob@example.org", "ann@example.org", code=2).stderr
    assert "its owner complained" in refused and "digest subscribers allow ann@example.org" in refused
    assert len(shell.json("list")["subscribers"]) == 1
    assert shell.json("allow", "Ann@example.org") == {
        "schema": 1,
        "allowed": ["Ann@example.org"],
        "not_suppressed": [],
    }
    assert "was not suppressed" in shell("allow", "ann@example.org", code=1).stderr
    assert "added" in shell("add", "ann@example.org").stdout


def test_erasing_leaves_no_trace_and_says_where_one_may_be(shell: Shell) -> None:
    shell("add", "ann@example.org", "bob@example.org")
    (shell.folder / "digest.db.before-3").write_bytes(b"a copy")
    done = shell("erase", "ann@example.org", "nobody@example.org", code=1)
    assert "ann@example.org: erased." in done.stdout
    assert "nobody@example.org: not known" in done.stderr
    assert "digest.db.before-3" in done.stderr and "Delete it" in done.stderr
    for file in shell.folder.glob("digest.db*"):
        assert b"ann@example" not in file.read_bytes()
    assert "had all data erased" in shell("add", "ann@example.org", code=2).stderr
    refused = shell.json("import", "-", given="address,since\nann@example.org,2025-01-01\n", code=3)[
        "refused"
    ]
    assert "erased" in refused[0]["reason"]
    assert shell.json("erase", "bob@example.org") == {
        "schema": 1,
        "erased": ["bob@example.org"],
        "unknown": [],
        "mails": 0,
        "left": [],
        "copies": ["digest.db.before-3"],
    }


def test_a_mail_that_cannot_be_removed_is_named_and_the_others_are_gone(shell: Shell) -> None:
    shell("add", "ann@example.org", "bob@example.org", "eve@example.org")
    (shell.folder / "inbox" / "page.xml").write_bytes(rss(invented(0, 2)))
    assert called(["run"], cwd=shell.folder).returncode == 0
    mails = {
        address: mail
        for mail in shell.folder.glob("outbox/*")
        for address in ("ann", "bob")
        if f"To: {address}@" in mail.read_text()
    }
    mails["ann"].unlink()
    (mails["ann"] / "in the way").mkdir(parents=True)
    done = shell("erase", "ann@example.org", "bob@example.org", code=1)
    assert "ann@example.org: erased.\nbob@example.org: erased.\n1 mail removed" in done.stdout
    assert done.stderr.count("could not be removed. Delete it.") == 1 and mails["ann"].name in done.stderr
    assert not mails["bob"].exists()


def test_an_export_of_all_names_every_status(shell: Shell) -> None:
    shell("add", "ann@example.org", "bob@example.org")
    shell("remove", "bob@example.org")
    assert [line.count(",") for line in shell("export").stdout.splitlines()] == [4, 4]
    everybody = shell("export", "--all").stdout.splitlines()
    assert [line.rpartition(",")[2] for line in everybody] == ["status", "confirmed", "unsubscribed"]
    assert shell.json("export")["subscribers"] == 1
    assert shell.json("export", "out.csv", "--all") == {"schema": 1, "subscribers": 2, "file": "out.csv"}


def test_an_export_through_a_link_leaves_the_link(shell: Shell) -> None:
    shell("add", "a@example.org")
    (shell.folder / "there").mkdir()
    (shell.folder / "readers.csv").symlink_to("there/readers.csv")
    for _ in range(2):
        shell("export", "readers.csv")
        assert (shell.folder / "readers.csv").is_symlink()
        assert "a@example.org" in (shell.folder / "there" / "readers.csv").read_text()


def test_an_export_that_fails_leaves_the_older_one(shell: Shell) -> None:
    shell("add", "ann@example.org")
    shell("export", "out.csv")
    file = shell.folder / "out.csv"
    before = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    full = (
        "import resource; from pathlib import Path; from digest.cli.subscribers import _write\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); _write(Path('out.csv'), 'x' * 200)"
    )
    done = subprocess.run(
        [sys.executable, "-c", full], cwd=shell.folder, capture_output=True, text=True, check=False
    )
    assert "out.csv cannot be written: File too large" in done.stderr
    assert file.read_bytes() == before
    assert not list(shell.folder.glob(".*part*"))


def test_an_export_is_not_written_into_a_file_that_somebody_put_there(tmp_path: Path) -> None:
    waiting = tmp_path / f".out.csv.{os.getpid()}.part"
    waiting.touch(mode=0o666)
    with waiting.open("rb") as reading_along:
        _write(tmp_path / "out.csv", "address\r\nann@example.org\r\n")
        assert reading_along.read() == b""
    assert (tmp_path / "out.csv").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["config.toml", "digest.db"])
def test_an_export_takes_the_place_of_no_other_file(shell: Shell, name: str) -> None:
    shell("add", "ann@example.org")
    before = (shell.folder / name).read_bytes()
    assert "is no list of readers" in shell("export", name, code=2).stderr
    assert (shell.folder / name).read_bytes() == before


def test_no_list_of_readers_goes_where_all_is_published(shell: Shell) -> None:
    shell("add", "ann@example.org")
    (shell.folder / "feeds").mkdir(exist_ok=True)
    assert "feeds/out.csv would be published" in shell("export", "feeds/out.csv", code=2).stderr
    assert not (shell.folder / "feeds" / "out.csv").exists()
