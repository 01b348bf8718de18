"""deliver() where something of ours breaks, or stands still, while mails are on the wire."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.errors import LeaseHeld, MailError, StoreError
from digest.journal import Journal, read_journal
from digest.model import Message, Receipt
from digest.pipeline import deliver, lanes
from digest.pipeline.deliver import Sending
from digest.pipeline.judging import Judge
from digest.smtp import Mail, SmtpTransport
from digest.store import Store, open_store
from smtp_servers import DROP, serving
from test_deliver import NOW, config, queue, run, states


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as opened:
        yield opened


def test_who_leaves_while_the_server_stands_still_gets_none_of_what_waits_for_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many mails are claimed ahead for a fast server; then it makes us wait for the end of one."""
    monkeypatch.setattr(lanes, "STALE_S", 0.3)
    readers = queue(store, 100)
    late: set[str] = set()

    def stands_still(verb: str, line: str) -> None:
        if verb == "DOT" and not late and len(server.taken) == 60:
            late.update(readers[61:91])
            until = time.monotonic() + 0.4
            with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as other:
                for address in readers[61:91]:
                    other.remove_subscriber(address, now=NOW)
            while time.monotonic() < until:
                time.sleep(0.005)

    with serving(stands_still, keep_data=False) as server:
        report = run(store, config(server), journal=tmp_path / "receipts")
    got = Counter(server.recipients())
    assert set(got) >= set(readers) - late
    assert set(got.values()) == {1}
    assert len(late & set(got)) <= 1  # whose envelope was on the wire
    assert (report.accepted, report.suppressed, report.error) == (len(got), 100 - len(got), None)


def test_a_mail_that_came_back_unsent_is_asked_of_the_store_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The envelope of the next goes with the end of a mail whose reply takes long and never comes; meanwhile its reader leaves."""
    monkeypatch.setattr(lanes, "STALE_S", 0.3)  # or it waits for its turn, where this machine is slow
    readers = queue(store, 60)
    next_one: list[str] = []

    def hangs_up(verb: str, line: str) -> bytes | None:
        if verb != "DOT" or next_one or len(server.taken) < 30:
            return None
        next_one.append(readers[len(server.taken) + 1])
        until = time.monotonic() + 0.4
        with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as other:
            other.remove_subscriber(next_one[0], now=NOW)
        while time.monotonic() < until:
            time.sleep(0.005)
        return DROP

    with serving(hangs_up) as server:
        report = run(store, config(server), journal=tmp_path / "receipts")
    assert next_one[0] not in server.recipients()
    assert (report.accepted, report.deferred, report.suppressed) == (58, 1, 1)


@pytest.mark.parametrize(
    ("verb", "features"),
    [
        ("GREETING", ("PIPELINING",)),
        ("MAIL", ("PIPELINING",)),
        ("DATA", ("PIPELINING",)),
        ("DOT", ("PIPELINING",)),
        ("GREETING", ()),
        ("MAIL", ()),
        ("DATA", ()),
    ],
)
def test_who_leaves_while_a_server_takes_its_time_with_their_envelope_gets_none(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verb: str,
    features: tuple[str, ...],
) -> None:
    """A filter that takes half a minute for each mail, say: the next one is with the connection already."""
    monkeypatch.setattr(lanes, "STALE_S", 0.1)
    readers = queue(store, 60)
    left: list[str] = []
    asked = threading.Event()

    def unwanted(numbers: Sequence[int]) -> frozenset[int]:
        found = Store.unwanted(store, numbers)
        if left and found:
            asked.set()
        return found

    def takes_its_time(said: str, line: str) -> None:
        nth = len(server.taken)
        if said == verb and not left and (nth == 30 or verb == "GREETING"):
            with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as other:
                for address in readers[nth + 1 :] if verb == "DOT" else readers[nth:]:
                    left.append(address)
                    other.remove_subscriber(address, now=NOW)
            asked.wait(3)

    monkeypatch.setattr(store, "unwanted", unwanted)
    with serving(takes_its_time, features=features) as server:
        report = run(store, config(server), journal=tmp_path / "receipts")
    assert left and sorted(server.recipients()) == sorted(set(readers) - set(left))
    assert (report.accepted, report.suppressed, report.error) == (60 - len(left), len(left), None)


def test_a_run_that_stood_still_leaves_its_mails_to_the_one_that_took_over(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one has in hand what this one claimed, when that comes back from its connections."""
    monkeypatch.setattr(lanes, "STALE_S", 0.2)
    readers = queue(store, 60)
    others: list[int] = []

    def stands_still(verb: str, line: str) -> None:
        if verb == "DOT" and not others and len(server.taken) == 30:
            others.extend(_take_over(tmp_path))
            _wait(0.3)

    with serving(stands_still, keep_data=False) as server:
        run(store, config(server), journal=tmp_path / "receipts")
    taken = {readers.index(address) + 1 for address in server.recipients()}
    assert len(others) >= 29
    assert taken in (set(range(1, 32)), set(range(1, 33)))  # and the one whose envelope was on the wire
    assert store.claimed_under("there/2") == sorted(set(others) - taken)


def test_a_run_that_stood_still_sends_no_more_before_it_knows_that_it_has_the_lease(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine slept for longer than a lease lasts; its connections are there before the thread that asks the store."""
    readers, now, others = queue(store, 60), [0.0], list[int]()
    monkeypatch.setattr(deliver, "ticks", lambda: now[0])
    monkeypatch.setattr(Sending, "renew_every", timedelta())
    ended = threading.Event()

    def sleeps(verb: str, line: str) -> None:
        if verb == "DOT" and not others and len(server.taken) == 30:
            others.extend(_take_over(tmp_path))
            now[0] += deliver.LOST_S

    def renew() -> None:
        if others:
            ended.wait(0.3)
            raise LeaseHeld("another run has taken over", holder="there/2")

    with serving(sleeps, keep_data=False) as server, pytest.raises(LeaseHeld):
        run(store, config(server), journal=tmp_path / "receipts", renew=renew)
    assert server.recipients() == readers[:31]


def _take_over(folder: Path) -> list[int]:
    """What another run takes for left behind is in its hand: the ids."""
    with open_store(f"sqlite:///{folder / 'digest.db'}") as other:
        other.recover_in_doubt(holder="there/2", now=NOW, resend=True)
        return [delivery.id for delivery in other.claim(now=NOW, holder="there/2", limit=60)]


def _wait(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.005)


def test_a_fault_of_ours_in_one_connection_ends_the_run_and_the_others_still_hear_their_answers(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(store, 60)
    offer, faulty = SmtpTransport._offer, threading.Event()

    def offered(self: SmtpTransport, mail: Mail, mailbox: str) -> Any:
        if mail.number == 20:
            faulty.set()
            raise ZeroDivisionError("a fault of ours")
        return offer(self, mail, mailbox)

    first = threading.Lock()

    def slow(verb: str, line: str) -> None:
        if verb == "DOT" and first.acquire(blocking=False):
            faulty.wait(30)

    monkeypatch.setattr(SmtpTransport, "_offer", offered)
    journal = tmp_path / "receipts"
    with serving(slow, features=("8BITMIME",)) as server, pytest.raises(ZeroDivisionError):
        run(store, config(server, connections=4), journal=journal)
    assert faulty.is_set()
    server.settle()
    assert states(store)["accepted"] == len(server.taken)
    assert states(store)["sending"] == 1


def test_a_mail_that_was_taken_is_recorded_though_the_journal_takes_no_more(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(store, 10)

    def full(self: Journal, number: int, attempt: int, receipt: Receipt, *more: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(Journal, "said", full)
    with serving() as server, pytest.raises(StoreError, match="disk is full"):
        run(store, config(server), journal=tmp_path / "receipts")
    server.settle()
    assert len(server.taken) >= 1
    assert states(store)["accepted"] == len(server.taken)


def test_a_fault_that_only_a_change_can_mend_ends_a_run_whatever_was_sent_before() -> None:
    taken = Receipt(status="accepted", reply_code=250, text="OK")
    judge, lost = Judge(threading.Event()), Judge(threading.Event())
    for one in (judge, lost):
        one.heard(taken, "data")
    judge.failed(MailError("The certificate is of another host.", permanent=True))
    lost.failed(MailError("The connection was lost."))
    assert (judge.closed(), judge.error) == (True, "The certificate is of another host.")
    assert (lost.closed(), lost.error) == (False, None)


def test_a_mail_that_is_begun_with_an_answer_is_taken_back_where_others_have_taken_over(
    tmp_path: Path,
) -> None:
    """Both are one note; then it turns out that the second may not be sent any more."""
    held = [True, False]

    def check() -> None:
        if not held.pop(0):
            raise LeaseHeld("given to another")

    path = tmp_path / "receipts"
    sending = lanes.Lanes(
        lambda: None, 1, Judge(threading.Event()), Journal(path, store="abc", mark="me"), check
    )  # type: ignore[arg-type, return-value]
    first, second = (
        Mail(recipient="a@example.org", message=Message(pieces=(b"\r\n",)), message_id="<m>", number=number)
        for number in (1, 2)
    )
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as store:
        queue(store, 2)
        sending.flying = {each.id: each for each in store.claim(now=NOW, holder="me", limit=2)}
    lane = sending.lane()
    lane.begun(first)
    with pytest.raises(LeaseHeld):
        lane.answered(first, Receipt(status="accepted", reply_code=250, text="queued"), "data", second)
    assert [(each.number, each.verdict) for each in sending.landed] == [(1, "accepted")]
    left = read_journal(path, store="abc")
    assert (list(left.said), left.begun) == ([1], frozenset({1}))


def test_ctrl_c_while_answers_are_taken_up_ends_the_run(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come between any two calls; a mail whose answer was taken up by half is not waited for forever."""

    class Interrupted(deque[Any]):
        told = False

        def popleft(self) -> Any:
            found = super().popleft()
            if not Interrupted.told:
                Interrupted.told = True
                raise KeyboardInterrupt
            return found

    class Lanes(lanes.Lanes):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.landed = Interrupted()

    monkeypatch.setattr("digest.pipeline.deliver.Lanes", Lanes)
    queue(store, 10)
    journal = tmp_path / "receipts"

    def give_up(*_: object) -> None:
        raise TimeoutError("the run waits for a mail that is through")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(30)
    try:
        with serving() as server:
            with pytest.raises(KeyboardInterrupt):
                run(store, config(server), journal=journal)
            run(store, config(server), holder="here/2", journal=journal)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert sorted(Counter(server.recipients()).values()) == [1] * 10
    assert states(store) == {"accepted": 10}
