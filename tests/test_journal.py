"""The journal of receipts: what a killed run leaves behind, and what the next one makes of it."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import need
from digest.errors import StoreError
from digest.journal import Journal, Left, Said, Wait, journals_in, machine_start, read_journal
from digest.model import Receipt

OK = Receipt(status="accepted", reply_code=250, enhanced_code="2.0.0", text="2.0.0 queued")
LATER = Receipt(status="deferred", reply_code=451, text="later")


def written(path: Path) -> Journal:
    """Claimed are 1 to 5; 1 is accepted, 2 is deferred, 3 is begun, 4 was begun and surely not taken."""
    journal = Journal(path, store="abc", mark="me")
    journal.begun(1)
    journal.said(1, 1, OK, "data")
    journal.said(2, 3, LATER, "rcpt", begun=3)
    journal.begun(4)
    journal.back(4)
    return journal


EXPECTED = Left(
    said={1: Said(attempt=1, receipt=OK), 2: Said(attempt=3, stage="rcpt", receipt=LATER)},
    begun=frozenset({1, 3}),
    mark="me",
    holder="me",
)


def test_what_was_said_and_what_was_never_begun_is_told_apart(tmp_path: Path) -> None:
    written(tmp_path / "receipts")
    left = read_journal(tmp_path / "receipts", store="abc")
    assert left == EXPECTED
    assert left.untouched([1, 2, 3, 4, 5]) == [4, 5]


def test_after_a_power_cut_lines_may_be_missing_and_nothing_counts_as_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "receipts")
    monkeypatch.setattr("digest.journal.machine_start", lambda: "another start")
    left = read_journal(tmp_path / "receipts", store="abc")
    assert (left.mark, left.holder) == ("", "me")
    assert left.said == EXPECTED.said


def test_a_run_without_a_journal_left_nothing(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "receipts", store="abc") == Left()
    (tmp_path / "receipts").write_bytes(b"")
    assert read_journal(tmp_path / "receipts", store="abc") == Left()


def test_journals_that_cannot_be_looked_for_are_none_that_are_not_there(tmp_path: Path) -> None:
    assert journals_in(tmp_path / "journal.d") == []
    (tmp_path / "journal.d").write_bytes(b"")
    with pytest.raises(StoreError, match="receipts of sent mail"):
        journals_in(tmp_path / "journal.d")


def test_the_journal_of_another_store_says_nothing(tmp_path: Path) -> None:
    written(tmp_path / "receipts")
    assert read_journal(tmp_path / "receipts", store="abd") == Left()


def test_a_new_run_begins_with_an_empty_journal(tmp_path: Path) -> None:
    written(tmp_path / "receipts")
    Journal(tmp_path / "receipts", store="abc", mark="me")
    assert read_journal(tmp_path / "receipts", store="abc") == Left(mark="me", holder="me")


def test_the_journal_goes_when_everything_is_in_the_store_and_stays_otherwise(tmp_path: Path) -> None:
    written(tmp_path / "receipts").close(settled=False)
    assert read_journal(tmp_path / "receipts", store="abc") == EXPECTED
    written(tmp_path / "receipts").close(settled=True)
    assert not (tmp_path / "receipts").exists()


@pytest.mark.parametrize("settled", [True, False])
def test_a_pause_that_a_server_asked_for_outlives_the_run(tmp_path: Path, settled: bool) -> None:
    wait = Wait(until=datetime(2026, 11, 19, 6, tzinfo=UTC) + timedelta(minutes=5), seconds=300, reason="421")
    written(tmp_path / "receipts").close(settled=settled, wait=wait)
    left = read_journal(tmp_path / "receipts", store="abc")
    assert left.wait == wait
    assert left.said == ({} if settled else EXPECTED.said)


def test_a_journal_holds_no_address_and_is_for_its_owner_only(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "receipts", store="abc")
    journal.said(1, 1, Receipt(status="rejected", reply_code=550, text="<ann@example.org> who?"), "rcpt")
    assert b"@" not in (tmp_path / "receipts").read_bytes()
    assert (tmp_path / "receipts").stat().st_mode & 0o077 == 0


def test_a_journal_cut_anywhere_never_calls_a_begun_mail_untouched(tmp_path: Path) -> None:
    written(tmp_path / "receipts")
    whole = (tmp_path / "receipts").read_bytes()
    for end in range(len(whole) + 1):
        (tmp_path / "receipts").write_bytes(whole[:end])
        left = read_journal(tmp_path / "receipts", store="abc")
        assert left.said.items() <= EXPECTED.said.items()
        if b"begun 3\n" in whole[:end]:
            assert 3 not in left.untouched([1, 2, 3, 4, 5])
        if b"said 1 " in whole[:end]:
            assert 1 not in left.untouched([1, 2, 3, 4, 5])


@given(st.binary())
def test_nonsense_in_a_journal_is_passed_over(noise: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "receipts")
        head = f"receipts 2 abc {machine_start()}\n".encode()
        path.write_bytes(head + noise.replace(b"run", b"") + b"\nsaid 1 {}\nbegun x 7\n")
        left = read_journal(path, store="abc")
    assert 1 not in left.said
    assert 7 not in left.begun
    assert left.mark == ""


def test_lines_of_many_threads_stay_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "receipts", store="abc")

    def note(first: int) -> None:
        for number in range(first, 2000, 8):
            journal.begun(number)
            journal.said(number, 1, OK, "data")

    threads = [threading.Thread(target=note, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = read_journal(tmp_path / "receipts", store="abc")
    assert set(left.said) == set(range(2000))
    assert left.untouched(range(2000)) == []


def test_a_disk_that_takes_no_line_is_an_error_with_the_mend(tmp_path: Path) -> None:
    need(Path("/dev/full").exists(), "/dev/full is missing (Linux has it)")
    with pytest.raises(StoreError, match="Make room"):
        Journal(Path("/dev/full"), store="abc")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="right to write there"):
        Journal(tmp_path / "file" / "receipts", store="abc")
    with pytest.raises(StoreError):
        read_journal(tmp_path, store="abc")


def test_a_journal_that_was_closed_lets_no_mail_begin(tmp_path: Path) -> None:
    """Who presses Ctrl-C often enough ends a run while a connection is still at work."""
    journal = written(tmp_path / "receipts")
    journal.close(settled=False)
    with pytest.raises(StoreError):
        journal.begun(5)
    journal.close(settled=False)
    assert read_journal(tmp_path / "receipts", store="abc") == EXPECTED


def test_a_line_behind_one_that_did_not_fit_stands_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that was full for a moment."""
    journal, write = Journal(tmp_path / "receipts", store="abc", mark="me"), os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, line: write(file, line[:7]))
        with pytest.raises(StoreError, match="full"):
            journal.said(1, 1, OK, "data")
    journal.begun(5)
    assert read_journal(tmp_path / "receipts", store="abc").begun == {5}
