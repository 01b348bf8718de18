"""Spans of deliveries, sent by many at once: whose they are, what a dead worker left, and what one that stood still may not do."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from digest.config import MailConfig, SmtpConfig
from digest.errors import LeaseHeld
from digest.journal import Journal, journals_in, left_behind
from digest.model import Delivery, DeliveryReport, Message, Preferences, Receipt, Span, Subscriber
from digest.pipeline import spans
from digest.pipeline.spans import deliver_span
from digest.pipeline.trying import place_of
from digest.process import this_process
from digest.smtp import open_transport
from digest.store import Planned, Store
from smtp_servers import DROP, SmtpServer, serving
from store_contract import NOW, TODAY, edition, stand_still

MINUTE = timedelta(minutes=1)
ACCEPTED = Receipt(status="accepted", reply_code=250, enhanced_code="2.0.0", text="2.0.0 queued")


on_postgres = pytest.mark.parametrize(
    "store_url", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


def compose(delivery: Delivery) -> Message:
    head = f"To: {delivery.subscriber.address}\r\nMessage-ID: {delivery.message_id}\r\n\r\n"
    return Message(pieces=(head.encode(), b"Four papers.\r\n"))


def config(server: SmtpServer, **options: object) -> MailConfig:
    facts = {"connections": 2, "timeout_s": 5.0} | options
    smtp = SmtpConfig(host="127.0.0.1", port=server.port, security="none", **facts)  # type: ignore[arg-type]
    return MailConfig(transport="smtp", smtp=smtp)


def queue(store: Store, readers: int, *, due: Callable[[Subscriber], datetime] = lambda reader: NOW) -> Span:
    """Adds readers and issues an edition to them; the span of all that is due at once."""
    for n in range(readers):
        store.add_subscriber(f"reader{n:04}@example.org", digests=["daily"], now=NOW)

    def planned(reader: Subscriber) -> Planned:
        return Planned(message_id=f"<{reader.id}@papers.example.org>", date=due(reader), due_at=due(reader))

    assert store.issue(edition(store, []), [], planned) == readers
    return Span(edition_id=1, due_at=NOW, first=1, last=readers)


def send(
    store: Store,
    mail: MailConfig,
    span: Span,
    folder: Path,
    *,
    owner: str = "",
    now: datetime = NOW,
    clock: Callable[[], datetime] | None = None,
    stop: threading.Event | None = None,
) -> tuple[DeliveryReport, datetime | None]:
    return deliver_span(
        store,
        open_transport(mail, base=Path),
        compose,
        mail,
        span,
        owner=owner or this_process(),
        clock=clock or (lambda: now),
        folder=folder,
        stop=stop,
    )


def states(store: Store) -> dict[str, int]:
    return {status: count for status, count in store.delivery_counts().items() if count}


def test_a_span_is_sent_and_no_more_than_it(store: Store, tmp_path: Path) -> None:
    whole = queue(store, 30)
    with serving() as server:
        middle = Span(edition_id=1, due_at=NOW, first=11, last=20)
        assert send(store, config(server), middle, tmp_path / "r") == (DeliveryReport(accepted=10), None)
        assert sorted(server.recipients()) == [f"reader{n:04}@example.org" for n in range(10, 20)]
        assert send(store, config(server), whole, tmp_path / "r") == (DeliveryReport(accepted=20), None)
        assert send(store, config(server), whole, tmp_path / "r") == (DeliveryReport(), None)
    assert len(set(server.recipients())) == len(server.recipients()) == 30
    assert list((tmp_path / "r").iterdir()) == []


def test_a_worker_that_is_told_to_stop_leaves_the_rest_of_its_span_to_others(
    store: Store, tmp_path: Path
) -> None:
    span, stop = queue(store, 3), threading.Event()
    stop.set()
    with serving() as server:
        assert send(store, config(server), span, tmp_path / "r", stop=stop)[0].accepted == 0
        assert states(store) == {"queued": 3}
        assert send(store, config(server), span, tmp_path / "r")[0].accepted == 3
    assert len(server.recipients()) == 3


def test_what_is_due_later_waits_for_a_job_of_its_own(store: Store, tmp_path: Path) -> None:
    """Readers of two hours take turns in one range of numbers."""
    later = NOW + timedelta(hours=2)
    queue(store, 20, due=lambda reader: later if reader.id % 2 else NOW)
    now_due = Span(edition_id=1, due_at=NOW, first=1, last=20)
    then_due = Span(edition_id=1, due_at=later, first=1, last=20)
    with serving() as server:
        assert send(store, config(server), then_due, tmp_path / "r") == (DeliveryReport(queued=10), later)
        assert send(store, config(server), now_due, tmp_path / "r") == (DeliveryReport(accepted=10), None)
        assert send(store, config(server), then_due, tmp_path / "r", now=later)[0].accepted == 10
    assert len(set(server.recipients())) == 20


def test_who_has_left_is_found_out_at_the_claim(store: Store, tmp_path: Path) -> None:
    span = queue(store, 6)
    store.leave(2, now=NOW)
    store.set_choices(
        3, digests=(), preferences=Preferences(), paused_until=TODAY + timedelta(days=9), now=NOW
    )
    with serving() as server:
        report, again = send(store, config(server), span, tmp_path / "r")
    assert (report, again) == (DeliveryReport(accepted=4, suppressed=1), None)
    assert "reader0001@example.org" not in server.recipients()
    assert "reader0002@example.org" not in server.recipients()
    assert states(store) == {"accepted": 4, "suppressed": 2}


def test_what_a_server_defers_says_when_the_span_is_worth_another_try(store: Store, tmp_path: Path) -> None:
    span = queue(store, 4)
    with serving() as server:
        server.answer = lambda verb, line: b"451 4.3.0 later" if verb == "RCPT" and "0002" in line else None
        assert send(store, config(server), span, tmp_path / "r") == (
            DeliveryReport(accepted=3, deferred=1),
            NOW + 30 * MINUTE,
        )
        server.answer = lambda verb, line: None
        early = send(store, config(server), span, tmp_path / "r", now=NOW + 29 * MINUTE)
        assert early == (DeliveryReport(), NOW + 30 * MINUTE)
        assert send(store, config(server), span, tmp_path / "r", now=NOW + 30 * MINUTE)[1] is None
    assert states(store) == {"accepted": 4}


def test_what_is_too_old_is_given_up(store: Store, tmp_path: Path) -> None:
    span = queue(store, 4)
    with serving() as server:
        report, again = send(store, config(server), span, tmp_path / "r", now=NOW + timedelta(hours=37))
    assert (report, again) == (DeliveryReport(expired=4), None)
    assert server.taken == []


def test_what_is_of_another_span_or_in_anothers_hand_is_neither_taken_nor_given_up(store: Store) -> None:
    span = queue(store, 5)
    (deferred,) = store.claim(now=NOW, holder="a", limit=1, span=span)
    store.record_receipts([(deferred, Receipt(status="deferred", reply_code=451), NOW)], now=NOW, span=span)
    store.claim(now=NOW, holder="b", limit=1, span=replace(span, first=2))
    store.release_claimed("b", untouched=(), resend=False, now=NOW)  # held
    (in_hand,) = store.claim(now=NOW, holder="c", limit=1, span=replace(span, first=2))
    assert store.claimed_under("c") == [in_hand.id]
    others = [replace(span, **other) for other in ({"edition_id": 2}, {"due_at": NOW - MINUTE}, {"first": 6})]
    for other in others:
        assert store.claim(now=NOW, holder="d", limit=9, span=other) == []
        assert store.expire_span(other, now=NOW) == 0
    assert store.expire_span(replace(span, last=4), now=NOW) == 3
    assert states(store) == {"expired": 3, "sending": 1, "queued": 1}


# ---------------------------------------------------------------- after a kill


def claimed_by(
    store: Store, folder: Path, mark: str, span: Span, *, journal: bool = True, now: datetime = NOW
) -> list[Delivery]:
    """Five deliveries are claimed under a mark: the first is accepted, the second begun, the third begun and surely not taken."""
    store.begin_mark(mark, mark.partition(" ")[0], now=now, ttl_s=spans.LEASE_S)
    found = store.claim(now=now, holder=mark, limit=5, span=span)
    if journal:
        folder.mkdir(exist_ok=True)
        notes = Journal.among_many(folder, "dead", store=place_of(store), mark=mark)
        notes.begun(found[0].id)
        notes.said(found[0].id, 1, ACCEPTED, "data")
        notes.begun(found[1].id)
        notes.begun(found[2].id)
        notes.back(found[2].id)
        notes.close(settled=False)
    return found


DEAD = f"{socket.gethostname()}/999999999/1 2026-11-19T06:00:00+00:00 abcd"
FAR = "far.example.org/7/1 2026-11-19T06:00:00+00:00 abcd"


def test_the_journal_of_a_dead_worker_says_what_is_to_be_sent(store: Store, tmp_path: Path) -> None:
    span, folder = queue(store, 8), tmp_path / "r"
    claimed_by(store, folder, DEAD, span)
    with serving() as server:
        report, again = send(store, config(server), span, folder)
    assert (report, again) == (DeliveryReport(accepted=7), None)
    assert sorted(server.recipients()) == [f"reader{n:04}@example.org" for n in range(1, 8)]
    assert states(store) == {"accepted": 8}
    assert list(folder.iterdir()) == []


def test_what_is_in_doubt_is_held_where_the_operator_wants_that(store: Store, tmp_path: Path) -> None:
    span, folder = queue(store, 8), tmp_path / "r"
    claimed_by(store, folder, DEAD, span)
    with serving() as server:
        mail = replace(config(server), in_doubt="hold")
        assert send(store, mail, span, folder) == (DeliveryReport(accepted=6, held=1), None)
        assert send(store, mail, span, folder) == (DeliveryReport(held=1), None)
        assert "reader0001@example.org" not in server.recipients()
        old = send(store, mail, span, folder, now=NOW + timedelta(hours=37))
    assert old == (DeliveryReport(expired=1), None)


def test_a_mail_whose_answer_was_lost_is_held_too(store: Store, tmp_path: Path) -> None:
    span = queue(store, 3)
    with serving() as server:
        server.answer = lambda verb, line: DROP if verb == "DOT" and "0001" in line else None
        mail = replace(config(server, connections=1), in_doubt="hold")
        report, again = send(store, mail, span, tmp_path / "r")
    assert (report.held, report.queued, again) == (1, 0, None)
    assert states(store) == {"accepted": 2, "sending": 1}


def test_without_its_journal_all_that_a_dead_worker_claimed_is_in_doubt(store: Store, tmp_path: Path) -> None:
    span = queue(store, 8)
    claimed_by(store, tmp_path, DEAD, span, journal=False)
    with serving() as server:
        assert send(store, config(server), span, tmp_path / "r") == (DeliveryReport(accepted=8), None)


def test_a_worker_elsewhere_keeps_what_it_claimed_until_its_lease_is_over(
    store: Store, tmp_path: Path
) -> None:
    span, folder = queue(store, 8), tmp_path / "r"
    mine = [delivery.subscriber.address for delivery in claimed_by(store, folder, FAR, span, journal=False)]
    leased, graced = NOW + timedelta(seconds=spans.LEASE_S), NOW + spans.GRACE
    with serving() as server:
        assert send(store, config(server), span, folder) == (DeliveryReport(accepted=3, held=5), leased)
        # Its own machine may know more than we do: the worker is started there again, and reads its journal.
        assert send(store, config(server), span, folder, now=leased) == (DeliveryReport(held=5), graced)
        assert not set(mine) & set(server.recipients())
        assert send(store, config(server), span, folder, now=graced) == (DeliveryReport(accepted=5), None)
    assert sorted(server.recipients()) == [f"reader{n:04}@example.org" for n in range(8)]


def test_a_worker_that_was_given_up_holds_nothing_any_more(store: Store, tmp_path: Path) -> None:
    span = queue(store, 3)
    lease = spans.Lease(store, this_process(), lambda: NOW)
    claimed = store.claim(now=NOW, holder=lease.mark, limit=3, span=span)
    assert store.end_mark(lease.mark, now=NOW + 2 * MINUTE, is_dead=lambda owner: False)
    assert store.release_claimed(lease.mark, untouched=[1], resend=True, now=NOW) == 2
    with pytest.raises(LeaseHeld, match="given to another"):
        store.renew_mark(lease.mark, this_process(), now=NOW, ttl_s=60)
    refused = Receipt(status="rejected", reply_code=550)
    store.record_receipts([(claimed[0], refused, None)], now=NOW, holder=lease.mark, span=span)
    store.release(claimed, now=NOW, holder=lease.mark)
    assert states(store) == {"queued": 3}
    store.record_receipts([(claimed[1], ACCEPTED, None)], now=NOW, holder=lease.mark, span=span)
    assert states(store) == {"accepted": 1, "queued": 2}  # that it has gone is a fact, whoever says so


def test_a_lease_ends_here_before_it_ends_elsewhere(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [100.0]
    monkeypatch.setattr(spans, "ticks", lambda: seconds[0])
    lease = spans.Lease(store, this_process(), lambda: NOW)
    seconds[0] += spans.LEASE_S - spans.MARGIN_S - 0.1
    lease.check()
    seconds[0] += 0.2
    with pytest.raises(LeaseHeld, match="silent for too long"):
        lease.check()
    lease.keep()  # nobody has taken it over: it goes on
    lease.check()
    lease.end()
    seconds[0] += 20
    with pytest.raises(LeaseHeld):
        lease.keep()


def test_marks_that_nobody_ended_are_forgotten(store: Store) -> None:
    """A process was killed before it claimed anything."""
    for hours in (0, 3):
        store.begin_mark(f"{DEAD}{hours}", DEAD, now=NOW + timedelta(hours=hours), ttl_s=60)
    with pytest.raises(LeaseHeld):
        store.renew_mark(f"{DEAD}0", DEAD, now=NOW, ttl_s=60)
    store.renew_mark(f"{DEAD}3", DEAD, now=NOW, ttl_s=60)


def test_two_that_take_up_the_same_journal_do_it_once(store: Store, tmp_path: Path) -> None:
    span, folder = queue(store, 8), tmp_path / "r"
    claimed_by(store, folder, DEAD, span)
    (path,) = journals_in(folder)
    with (
        left_behind(path, store=place_of(store)) as first,
        left_behind(path, store=place_of(store)) as second,
    ):
        assert first is not None
        assert second is None
    assert journals_in(folder) == []


def test_a_journal_in_use_is_nobody_elses(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    journal = Journal.among_many(folder, "mine", store=place_of(store), mark=DEAD)
    spans.take_up(store, MailConfig(), folder, now=NOW)
    assert journals_in(folder) == [folder / "mine.receipts"]
    journal.close(settled=False)
    spans.take_up(store, MailConfig(), folder, now=NOW)
    assert journals_in(folder) == []


# ---------------------------------------------------------------- side by side


def test_two_at_work_on_one_span_send_each_mail_once(store: Store, tmp_path: Path) -> None:
    span = queue(store, 120)
    with serving() as server:
        found: list[tuple[DeliveryReport, datetime | None]] = []
        threads = [
            threading.Thread(target=lambda: found.append(send(store, config(server), span, tmp_path / "r")))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(report.accepted for report, _ in found) == 120
    assert len(server.taken) == len(set(server.recipients())) == 120


@on_postgres
def test_a_rate_holds_for_all_together(store: Store, tmp_path: Path) -> None:
    queue(store, 60)
    started = time.monotonic()
    arrived: list[float] = []

    def note(verb: str, line: str) -> None:
        if verb == "DOT":
            arrived.append(time.monotonic())

    with serving() as server:
        server.answer = note
        mail = config(server, per_second=60.0)
        threads = [
            threading.Thread(
                target=send,
                args=(store, mail, Span(edition_id=1, due_at=NOW, first=n, last=n + 19), tmp_path / "r"),
                kwargs={"clock": lambda: NOW + timedelta(seconds=time.monotonic() - started)},
            )
            for n in (1, 21, 41)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(server.recipients())) == 60
    assert max(arrived) - started >= 59 / 60 - 0.1


def test_a_span_with_a_rate_is_sent_to_its_end_though_mails_of_it_are_due_again_meanwhile(
    store: Store, tmp_path: Path
) -> None:
    """As with a slow rate and a server that wants mails twice: there is more to send than was counted at the start."""
    span, started, stop = queue(store, 8), time.monotonic(), threading.Event()
    refused: set[str] = set()

    def greylisting(verb: str, line: str) -> bytes | None:
        if verb != "RCPT" or line in refused or len(refused) == 4:
            return None
        refused.add(line)
        return b"451 4.7.1 greylisted"

    endless = threading.Timer(60, stop.set)
    endless.start()
    with serving() as server:
        server.answer = greylisting
        report, again = send(
            store,
            config(server, per_second=20.0),
            span,
            tmp_path / "r",
            clock=lambda: NOW + timedelta(hours=4 * (time.monotonic() - started)),
            stop=stop,
        )
    endless.cancel()
    assert not stop.is_set(), "it neither went on nor ended"
    assert (report.accepted, report.deferred, report.queued, again) == (8, 4, 0, None)
    assert states(store) == {"accepted": 8}


def test_one_that_is_asked_to_wait_makes_all_wait(store: Store, tmp_path: Path) -> None:
    queue(store, 40)
    first = Span(edition_id=1, due_at=NOW, first=1, last=20)
    second = Span(edition_id=1, due_at=NOW, first=21, last=40)
    until = NOW + 5 * MINUTE
    with serving() as server:
        server.answer = lambda verb, line: b"421 4.7.0 too busy" if verb == "MAIL" else None
        report, again = send(store, config(server, connections=1), first, tmp_path / "r")
        assert (report.queued, again) == (20, until)
        assert "nothing is sent before 2026-11-19 06:05 UTC" in (report.error or "")
        made = server.connections
        report, again = send(store, config(server), second, tmp_path / "r", now=until - MINUTE)
        assert (report.queued, again, server.connections) == (20, until, made)
        # Asked again just after that: twice as long.
        assert send(store, config(server), second, tmp_path / "r", now=until)[1] == until + 10 * MINUTE
        server.answer = lambda verb, line: None
        for span in (first, second):
            assert send(store, config(server), span, tmp_path / "r", now=until + 10 * MINUTE)[1] is None
    assert states(store) == {"accepted": 40}


def test_a_pause_of_a_clock_that_was_wrong_holds_no_span(store: Store, tmp_path: Path) -> None:
    queue(store, 20)
    store.put_wait("mail", NOW + timedelta(days=365), 300, "421 4.7.0 too busy")
    with serving() as server:
        send(store, config(server), Span(edition_id=1, due_at=NOW, first=1, last=20), tmp_path / "r")
    assert states(store) == {"accepted": 20}


@on_postgres
def test_a_storm_of_refusals_met_by_one_stops_the_others(store: Store, tmp_path: Path) -> None:
    """The second is in the midst of its work when the first is refused by policy; it puts back what it has not sent."""
    queue(store, 420)
    bad = Span(edition_id=1, due_at=NOW, first=1, last=20)
    good = Span(edition_id=1, due_at=NOW, first=21, last=420)
    refused = {f"reader{n:04}@example.org" for n in range(20)}
    met = threading.Event()

    def answer(verb: str, line: str) -> bytes | None:
        if verb == "RCPT" and any(who in line for who in refused):
            return b"550 5.7.1 your network is not welcome"
        if verb == "DOT":
            met.wait(0.05)  # a slow server: all of it would take ten seconds
        return None

    with serving() as server:
        server.answer = answer
        found: list[tuple[DeliveryReport, datetime | None]] = []
        mail = config(server, connections=2)
        other = threading.Thread(target=lambda: found.append(send(store, mail, good, tmp_path / "r")))
        other.start()
        assert server.wait_for(5)
        report, again = send(store, mail, bad, tmp_path / "r")
        assert "by its own policy" in (report.error or "")
        assert (report.queued, report.rejected) == (20, 0)
        other.join(60)
    ((report, their_again),) = found
    assert their_again == again == NOW + 5 * MINUTE
    assert report.queued == 400 - report.accepted > 0
    assert states(store) == {"accepted": report.accepted, "queued": 420 - report.accepted}
    assert store.subscriber("reader0003@example.org").status == "confirmed"  # type: ignore[union-attr]


@on_postgres
def test_who_hears_of_a_pause_in_the_midst_of_its_work_goes_on_behind_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever was asked for it has said so to the operator."""
    monkeypatch.setattr(spans, "_LISTEN_S", 0.01)
    store.put_wait("mail", NOW - MINUTE, 300.0, "421 4.7.0 it is over.")
    span, until, slow = queue(store, 200), NOW + 20 * MINUTE, threading.Event()
    found: list[tuple[DeliveryReport, datetime | None]] = []
    with serving(
        lambda verb, line: b"250 2.0.0 queued" if verb == "DOT" and slow.wait(0.05) else None
    ) as server:
        mail = config(server)
        other = threading.Thread(target=lambda: found.append(send(store, mail, span, tmp_path / "r")))
        other.start()
        assert server.wait_for(3)
        store.put_wait("mail", until, 1200.0, "421 4.7.0 too busy.")
        other.join(60)
    ((report, again),) = found
    assert again == until
    assert report.queued == 200 - report.accepted > 0
    assert "421 4.7.0 too busy." in (report.error or "")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_server_that_is_away_is_tried_again_soon(store: Store, tmp_path: Path) -> None:
    span = queue(store, 3)
    with serving() as server:
        mail = config(server)
    report, again = send(store, mail, span, tmp_path / "r")
    assert (report.queued, again) == (3, NOW + timedelta(seconds=30))
    assert send(store, mail, span, tmp_path / "r", now=NOW + timedelta(seconds=30))[1] == NOW + timedelta(
        seconds=90
    )


@on_postgres
def test_leaving_while_many_send_is_heard_at_the_next_claim(store: Store, tmp_path: Path) -> None:
    """Readers leave one after another, from the end of the list, while two workers send: who was told that they have left before
    their mail was claimed gets none."""
    queue(store, 200)
    halves = [Span(edition_id=1, due_at=NOW, first=n, last=n + 99) for n in (1, 101)]
    late: list[str] = []
    with serving() as server:
        server.answer = lambda verb, line: time.sleep(0.005) if verb == "DOT" else None
        threads = [
            threading.Thread(target=send, args=(store, config(server), half, tmp_path / "r"))
            for half in halves
        ]
        for thread in threads:
            thread.start()
        for number in range(200, 0, -1):
            waits = [d for d in store.deliveries_of(number) if d[2] == "queued"]
            if store.leave(number, now=NOW) and waits and states_of(store, number) == "suppressed":
                late.append(f"reader{number - 1:04}@example.org")
        for thread in threads:
            thread.join()
    assert late
    assert not set(late) & set(server.recipients())
    assert states(store) == {"accepted": 200 - len(late), "suppressed": len(late)}


def states_of(store: Store, number: int) -> str:
    return store.deliveries_of(number)[0][2]


# ---------------------------------------------------------------- a worker that stands still


@on_postgres
def test_a_worker_that_stood_still_sends_no_more_once_its_work_is_anothers(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    """It is stopped in the midst of its mails; when its lease is over another sends the rest; then it goes on."""
    lease, connections, readers = 1.5, 2, 100
    issued = datetime.now(UTC)
    queue(store, readers, due=lambda reader: issued)
    span = Span(edition_id=1, due_at=issued, first=1, last=readers)
    with serving() as server:
        slow = [True]
        server.answer = lambda verb, line: time.sleep(0.02 * slow[0]) if verb == "DOT" else None
        arguments = (store_url, server.port, connections, tmp_path / "r", 1, readers, lease)
        command = [sys.executable, str(Path(__file__).with_name("span_worker.py")), *map(str, arguments)]
        with started(command) as child:
            assert server.wait_for(8)
            until(lambda: stand_still(child.pid, store_url))
            until(lambda: not claims_of(store, span, datetime.now(UTC)))
            slow[0] = False
            mail = config(server, connections=connections)
            report, again = send(store, mail, span, tmp_path / "r", clock=lambda: datetime.now(UTC))
            before = len(server.taken)
            child.send_signal(signal.SIGCONT)
            said = child.communicate(timeout=60)[0]
        server.settle()
        after = len(server.taken) - before
    assert (said.strip(), child.returncode) == ("given to another", 4)
    assert (report.queued, report.held, again) == (0, 0, None)
    assert after <= connections  # what was on its way when it was stopped
    assert len(set(server.recipients())) == readers
    assert len(server.taken) <= readers + connections
    spans.take_up(store, mail, tmp_path / "r", now=datetime.now(UTC))
    assert states(store) == {"accepted": readers}


@contextmanager
def started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that does not outlive the test, even one that stands still."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


def claims_of(store: Store, span: Span, now: datetime) -> bool:
    """Has somebody a lease of deliveries of this span?"""
    return any(each.until and each.until > now for each in store.claimed_by_others(span, "mine"))


def until(done: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.01)


@on_postgres
def test_a_worker_that_only_stood_still_goes_on_with_its_work(
    store: Store, store_url: str, tmp_path: Path
) -> None:
    """Nobody came for it meanwhile, and it was not long."""
    issued = datetime.now(UTC)
    queue(store, 40, due=lambda reader: issued)
    with serving() as server:
        server.answer = lambda verb, line: time.sleep(0.01) if verb == "DOT" else None
        arguments = (store_url, server.port, 2, tmp_path / "r", 1, 40, 600)
        command = [sys.executable, str(Path(__file__).with_name("span_worker.py")), *map(str, arguments)]
        with started(command) as child:
            assert server.wait_for(8)
            child.send_signal(signal.SIGSTOP)
            time.sleep(0.05)
            child.send_signal(signal.SIGCONT)
            assert child.communicate(timeout=60)[0].strip() == "accepted 40"
    assert len(server.taken) == 40
