"""deliver() in batches: what a kill leaves behind, who is given up, how fast it goes, and who leaves meanwhile."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from digest.config import MailConfig
from digest.errors import StoreError
from digest.journal import Journal, Wait, read_journal
from digest.model import Delivery, DeliveryReport, Message, Receipt
from digest.scores import LIMIT
from digest.store import Store, open_store
from smtp_servers import DROP, Answer, once, serving
from test_deliver import NOW, compose, config, queue, refusing, run, states

OK = Receipt(status="accepted", reply_code=250, enhanced_code="2.0.0", text="2.0.0 queued")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as opened:
        yield opened


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "digest.db.receipts"


def place(store: Store) -> str:
    return hashlib.sha256(store.secret()).hexdigest()[:16]


# ---------------------------------------------------------------- batches and the journal


@pytest.mark.parametrize("connections", [1, 4])
def test_every_reader_gets_the_edition_once_and_the_journal_goes(
    store: Store, journal: Path, connections: int
) -> None:
    readers = queue(store, 300)
    with serving(keep_data=False) as server:
        report = run(store, config(server, connections=connections), journal=journal)
    assert report == DeliveryReport(accepted=300)
    assert sorted(server.recipients()) == readers
    assert server.connections <= connections
    assert not journal.exists()


def test_a_fast_server_gets_its_mail_in_few_transactions(
    store: Store, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(store, 600)
    claims: list[int] = []
    record = store.record_receipts

    def counted(receipts: object, **options: object) -> object:
        claims.append(len(receipts))  # type: ignore[arg-type]
        return record(receipts, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "record_receipts", counted)
    with serving(keep_data=False) as server:
        run(store, config(server, connections=4), journal=journal)
    assert sum(claims) == 600
    assert len(claims) <= 150


@pytest.mark.parametrize("in_doubt", ["resend", "hold"])
def test_what_a_killed_run_noted_is_recorded_and_only_what_it_had_begun_is_in_doubt(
    store: Store, journal: Path, in_doubt: str
) -> None:
    readers = queue(store, 8)
    claimed = [delivery.id for delivery in store.claim(now=NOW, holder="dead/7", limit=6)]
    notes = Journal(journal, store=place(store), mark="dead/7")
    for number in claimed[:3]:
        notes.begun(number)
    notes.said(claimed[0], 1, OK, "data")
    notes.said(claimed[1], 1, Receipt(status="deferred", reply_code=451, text="later"), "data")
    notes.said(
        claimed[3],
        1,
        Receipt(status="rejected", reply_code=550, enhanced_code="5.1.1", text="5.1.1 who"),
        "rcpt",
    )
    notes.close(settled=False)
    with serving() as server:
        report = run(store, config(server, in_doubt=in_doubt), journal=journal)
    # The first has it, the second waits for its time, the third is in doubt, the others were never sent.
    expected = [readers[n] for n in (2, 3, 4, 5, 6, 7) if n != 2 or in_doubt == "resend"]
    assert sorted(server.recipients()) == expected
    assert report.held == (0 if in_doubt == "resend" else 1)
    assert states(store)["accepted"] == len(expected) + 1
    assert states(store)["deferred"] == 1
    assert not journal.exists()
    assert store.next_due() == NOW + timedelta(minutes=30)


def test_the_journal_of_another_store_changes_nothing(store: Store, journal: Path) -> None:
    readers = queue(store, 3)
    notes = Journal(journal, store="another")
    notes.said(1, 1, OK, "data")
    notes.close(settled=False)
    with serving() as server:
        run(store, config(server), journal=journal)
    assert sorted(server.recipients()) == readers


def test_a_journal_that_cannot_be_written_sends_nothing(store: Store, tmp_path: Path) -> None:
    queue(store, 3)
    (tmp_path / "file").write_text("")
    with serving() as server, pytest.raises(StoreError, match="receipts"):
        run(store, config(server), journal=tmp_path / "file" / "receipts")
    assert server.connections == 0
    assert states(store) == {"queued": 3}


def test_who_chose_nothing_of_an_edition_gets_no_mail(store: Store, journal: Path) -> None:
    readers = queue(store, 30)

    def choosy(delivery: Delivery) -> Message | None:
        return None if delivery.id % 3 == 0 else compose(delivery)

    with serving() as server:
        report = run(store, config(server, connections=2), compose=choosy, journal=journal)
    assert report == DeliveryReport(accepted=20, skipped=10)
    assert sorted(server.recipients()) == [readers[n] for n in range(30) if (n + 1) % 3]
    assert states(store) == {"accepted": 20, "skipped": 10}


def test_an_edition_nobody_chose_from_opens_no_connection(store: Store) -> None:
    queue(store, 5)
    with serving() as server:
        assert run(store, config(server), compose=lambda delivery: None).skipped == 5
    assert server.connections == 0


@pytest.mark.parametrize("at", [20, 39])
def test_a_mail_given_back_by_a_lost_connection_still_goes_out_in_the_same_run(
    store: Store, journal: Path, at: int
) -> None:
    readers = queue(store, 40)
    with serving(once("DOT", DROP, at=at)) as server:
        report = run(store, config(server), journal=journal)
    assert (report.accepted, report.deferred, report.queued, report.error) == (39, 1, 0, None)
    assert sorted(server.recipients()) == readers
    assert set(Counter(server.recipients()).values()) == {1}


# ---------------------------------------------------------------- who is given up


def test_a_mailbox_that_is_not_there_gets_no_more_mail(store: Store) -> None:
    readers = queue(store, 30)
    gone = dict.fromkeys(readers[3:30:9], b"550 5.1.1 no such user")
    with serving(refusing("RCPT", gone)) as server:
        report = run(store, config(server, connections=2))
    assert (report.accepted, report.rejected, report.error) == (27, 3, None)
    suppressed = [s.address for s in store.subscribers("suppressed")]
    assert suppressed == list(gone)
    assert all(store.suppression(address) for address in gone)


def test_a_server_that_knows_no_user_costs_no_reader_their_mail(store: Store, journal: Path) -> None:
    readers = queue(store, 100)
    with serving(lambda verb, line: b"550 5.1.1 User unknown" if verb == "RCPT" else None) as server:
        report = run(store, config(server, connections=3), journal=journal)
        assert server.verbs().count("RCPT") < 40
    assert report.error
    assert "knows no such user" in report.error
    assert states(store) == {"queued": 100}
    assert store.subscribers("suppressed") == []
    with serving() as server:
        assert run(store, config(server), journal=journal).accepted == 100
    assert sorted(server.recipients()) == readers


def test_a_few_unknown_users_of_a_small_list_are_given_up_when_the_run_ends(store: Store) -> None:
    readers = queue(store, 3)
    with serving(refusing("RCPT", {readers[0]: b"550 5.1.1 no such user"})) as server:
        run(store, config(server))
    assert [s.address for s in store.subscribers("suppressed")] == readers[:1]


def test_a_server_that_knows_none_of_a_small_list_costs_it_no_reader(store: Store) -> None:
    readers = queue(store, 3)
    with serving(lambda verb, line: b"550 5.1.1 User unknown" if verb == "RCPT" else None) as server:
        report = run(store, config(server))
    assert "knows no such user (550 5.1.1) in 3 of 3 answers" in (report.error or "")
    assert (report.rejected, states(store), store.subscribers("suppressed")) == (0, {"queued": 3}, [])
    with serving() as server:
        assert run(store, config(server)).accepted == 3
    assert sorted(server.recipients()) == readers


def test_one_or_two_who_are_unknown_are_given_up_though_nobody_else_was_mailed(store: Store) -> None:
    readers = queue(store, 2)
    with serving(lambda verb, line: b"550 5.1.1 User unknown" if verb == "RCPT" else None) as server:
        assert run(store, config(server)).error is None
    assert [s.address for s in store.subscribers("suppressed")] == readers


def test_a_full_mailbox_is_given_up_only_when_it_stays_full(store: Store) -> None:
    days = int(LIMIT) + 2
    for n in range(days):
        day = NOW + timedelta(days=n)
        readers = queue(store, 2, day=day.date(), now=day)
        with serving(refusing("RCPT", {readers[1]: b"552 5.2.2 mailbox full"})) as server:
            run(store, config(server), now=day)
        suppressed = [s.address for s in store.subscribers("suppressed")]
        if n < LIMIT - 1:
            assert suppressed == []
    assert suppressed == readers[1:]


def test_many_full_mailboxes_and_mails_that_are_too_large_stop_no_run(store: Store) -> None:
    readers = queue(store, 40)
    replies = dict.fromkeys(readers[:12], b"552 5.2.2 mailbox full")
    replies |= dict.fromkeys(readers[12:24], b"552 5.3.4 too large for this reader")
    with serving(refusing("RCPT", replies)) as server:
        report = run(store, config(server))
    assert (report.accepted, report.rejected, report.error) == (16, 24, None)


def test_a_storm_of_policy_refusals_suppresses_nobody(store: Store) -> None:
    """One in five answers: the run is paused, and nobody loses a mail or a point."""
    readers = queue(store, 100)
    replies = dict.fromkeys(readers[::5], b"550 5.7.1 blocked")
    replies |= dict.fromkeys(readers[1::5], b"550 5.7.1 blocked")
    with serving(refusing("RCPT", replies)) as server:
        report = run(store, config(server, connections=2))
    assert report.error
    assert "policy" in report.error
    assert report.rejected == 0
    assert store.subscribers("suppressed") == []
    with serving() as server:
        rest = run(store, config(server))
    assert report.accepted + rest.accepted == 100


@pytest.mark.parametrize("reply", [b"550 5.1.8 sender's domain is not there", b"553 5.1.7 bad sender"])
def test_a_refused_sender_at_the_recipient_stops_the_run_and_blames_nobody(
    store: Store, reply: bytes
) -> None:
    queue(store, 50)
    with serving(lambda verb, line: reply if verb == "RCPT" else None) as server:
        report = run(store, config(server))
        assert server.verbs().count("RCPT") <= 2
    assert report.error
    assert '"from" in [mail]' in report.error
    assert states(store) == {"queued": 50}


def test_552_without_a_reason_is_tried_again(store: Store) -> None:
    """Servers of old said so of a mailbox that is full for the moment."""
    readers = queue(store, 3)
    with serving(refusing("RCPT", {readers[0]: b"552 storage allocation exceeded"})) as server:
        report = run(store, config(server))
    assert (report.accepted, report.deferred, report.rejected) == (2, 1, 0)
    assert store.next_due() == NOW + timedelta(minutes=30)


# ---------------------------------------------------------------- a server that wants a pause


def slow_down(verb: str, line: str) -> bytes | None:
    return b"421 4.7.0 slow down" if verb == "GREETING" else None


def test_a_server_that_ends_the_session_is_left_alone_for_longer_and_longer(
    store: Store, journal: Path
) -> None:
    queue(store, 3)
    now, waits = NOW, []
    with serving(slow_down) as server:
        for n in range(7):
            report = run(store, config(server), now=now, journal=journal)
            assert report.error
            assert report.queued == 3
            assert server.connections == n + 1
            assert "nothing is sent before" in report.error
            early = run(store, config(server), now=now + timedelta(seconds=299), journal=journal)
            assert early.error == report.error
            assert server.connections == n + 1
            left = read_journal(journal, store=place(store))
            assert left.wait
            waits.append(left.wait.seconds)
            now = left.wait.until
    assert waits == [300, 600, 1200, 2400, 4000, 4000, 4000]
    with serving() as server:
        assert run(store, config(server), now=now, journal=journal) == DeliveryReport(accepted=3)
    assert not journal.exists()


def test_a_pause_noted_by_a_clock_that_was_a_year_ahead_holds_no_mail_when_it_is_right_again(
    store: Store, journal: Path
) -> None:
    queue(store, 3)
    wait = Wait(until=NOW + timedelta(days=365), seconds=300, reason="It asked for a pause.")
    Journal(journal, store=place(store)).close(settled=True, wait=wait)
    with serving() as server:
        assert run(store, config(server), journal=journal) == DeliveryReport(accepted=3)


def test_after_a_server_has_taken_mail_its_next_pause_is_short_again(store: Store, journal: Path) -> None:
    queue(store, 6)
    with serving(slow_down) as server:
        run(store, config(server), journal=journal)
    answer: Answer = lambda verb, line: b"421 bye" if verb == "RCPT" and "reader003" in line else None  # noqa: E731
    with serving(answer) as server:
        report = run(store, config(server), now=NOW + timedelta(minutes=5), journal=journal)
    assert report.accepted == 3
    left = read_journal(journal, store=place(store))
    assert left.wait
    assert left.wait.seconds == 300


def test_a_server_that_is_not_there_is_asked_again_at_once(store: Store, journal: Path) -> None:
    queue(store, 2)
    with serving() as server:
        pass
    assert run(store, config(server), journal=journal).error
    with serving() as server:
        assert run(store, config(server), journal=journal).accepted == 2


# ---------------------------------------------------------------- pace, and who leaves


@pytest.mark.parametrize("connections", [1, 4])
def test_a_rate_is_kept_over_several_connections(store: Store, journal: Path, connections: int) -> None:
    queue(store, 71)
    times: list[float] = []

    def note(verb: str, line: str) -> None:
        if verb == "MAIL":
            times.append(time.monotonic())

    with serving(note) as server:
        report = run(store, config(server, connections=connections, per_second=70), journal=journal)
    assert report.accepted == 71
    # Never faster; how much slower is the machine's affair.
    assert times[-1] - times[0] >= 70 / 70 - 0.1


def test_mail_to_a_slow_server_is_not_claimed_long_ahead(store: Store, journal: Path) -> None:
    queue(store, 40)
    most: list[int] = []

    def look(delivery: Delivery) -> Message:
        most.append(store.delivery_counts()["sending"])
        return compose(delivery)

    with serving() as server:
        run(store, config(server, connections=2, per_second=100), compose=look, journal=journal)
    assert max(most) <= 2 + 0.25 * 100 + 2


class Claims:
    """When each claim began, by the address that was claimed in it."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began: dict[str, float] = {}
        for name in ("claim", "record_receipts"):
            monkeypatch.setattr(store, name, self._noting(getattr(store, name)))

    def _noting(self, method: Callable[..., list[Delivery]]) -> Callable[..., list[Delivery]]:
        def noted(*args: object, **options: object) -> list[Delivery]:
            began = time.monotonic()
            claimed = method(*args, **options)
            self.began |= dict.fromkeys((delivery.subscriber.address for delivery in claimed), began)
            return claimed

        return noted


def leave(folder: Path, addresses: list[str], gone: dict[str, float], done: threading.Event) -> None:
    with open_store(f"sqlite:///{folder / 'digest.db'}") as other:
        for address in addresses:
            if done.is_set():
                return
            if other.remove_subscriber(address, now=NOW):
                gone[address] = time.monotonic()


def prove_leaving(
    folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch, *, readers: int, leaving: int, journal: Path
) -> str:
    """Who has left before a claim began is not in it, and gets no mail."""
    addresses = queue(store, readers)
    wanted = addresses[:: -(readers // leaving)][:leaving]  # from the end, where nothing has been sent yet
    gone: dict[str, float] = {}
    done = threading.Event()
    claims = Claims(store, monkeypatch)
    with serving(keep_data=False) as server:
        thread = threading.Thread(target=leave, args=(folder, wanted, gone, done))
        thread.start()
        report = run(store, config(server, connections=4), journal=journal)
        done.set()
        thread.join()
    assert gone
    assert [who for who, left in gone.items() if left < claims.began.get(who, 0)] == []
    got = Counter(server.recipients())
    assert set(got) == set(claims.began)
    assert set(got.values()) == {1}
    assert set(addresses) - set(got) <= set(gone)
    return f"{len(gone)} left while {report.accepted} mails went out, {report.suppressed} mails were not sent"


def test_who_leaves_while_mail_goes_out_is_heard(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: Path
) -> None:
    prove_leaving(tmp_path, store, monkeypatch, readers=600, leaving=60, journal=journal)


@pytest.mark.torture
def test_1000_leave_while_10000_mails_go_out(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    journal: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    figures = prove_leaving(tmp_path, store, monkeypatch, readers=10_000, leaving=1000, journal=journal)
    with capsys.disabled():
        sys.stdout.write(f"\n{figures}\n")


def test_the_folder_has_a_journal_too(store: Store, tmp_path: Path, journal: Path) -> None:
    queue(store, 5)
    assert run(store, MailConfig(folder=str(tmp_path / "outbox")), journal=journal).accepted == 5
    assert not journal.exists()
