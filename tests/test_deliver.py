"""deliver() with a real store and real servers: who gets what, what waits, and what a run says when it cannot go on."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from digest.config import MailConfig, SmtpConfig
from digest.errors import ConfigError, DigestError, LeaseHeld, MailError, RenderError, StoreError, UsageError
from digest.model import Delivery, DeliveryReport, Edition, Message, RunReport, Subscriber
from digest.pipeline.deliver import deliver
from digest.pipeline.trying import retry_at
from digest.smtp import open_transport
from digest.store import Planned, Store
from smtp_servers import DIE, DROP, HANG, LOSE, Answer, SmtpServer, once, serving

NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)


def message_id(edition: str, subscriber: Subscriber) -> str:
    return f"<{edition}.{subscriber.id}@papers.example.org>"


def queue(store: Store, readers: int, *, day: date = date(2026, 11, 19), now: datetime = NOW) -> list[str]:
    """Adds readers, issues an edition to them, and returns their addresses in the order of the queue."""
    for n in range(readers):
        store.add_subscriber(f"reader{n:03}@example.org", digests=["daily"], now=now)
    edition = Edition(
        id=f"{day}",
        digest="daily",
        title="T",
        date=day,
        part=1,
        number=day.day,
        issued_at=now,
        guid=f"tag:x,{day}",
    )
    store.issue(
        edition, [], lambda reader: Planned(message_id=message_id(edition.id, reader), date=now, due_at=now)
    )
    return [f"reader{n:03}@example.org" for n in range(readers)]


def compose(delivery: Delivery) -> Message:
    head = f"To: {delivery.subscriber.address}\r\nMessage-ID: {delivery.message_id}\r\n"
    personal = f"{head}Date: {delivery.date.isoformat()}\r\n\r\n"
    return Message(pieces=(personal.encode(), b"Four papers.\r\n"))


def config(
    server: SmtpServer, *, connections: int = 1, in_doubt: str = "resend", **options: object
) -> MailConfig:
    smtp = {"host": "127.0.0.1", "port": server.port, "security": "none", "timeout_s": 5.0, **options}
    return MailConfig(
        transport="smtp",
        in_doubt=in_doubt,  # type: ignore[arg-type]
        smtp=SmtpConfig(connections=connections, **smtp),  # type: ignore[arg-type]
    )


def run(
    store: Store,
    mail: MailConfig,
    *,
    now: datetime = NOW,
    holder: str = "here/1",
    compose: Callable[[Delivery], Message | None] = compose,
    clock: Callable[[], datetime] | None = None,
    journal: Path | None = None,
    **options: object,
) -> DeliveryReport:
    """One run; without a `journal` it finds none of an earlier one."""
    transport = open_transport(mail, base=Path)
    with TemporaryDirectory() as folder:
        return deliver(
            store,
            transport,
            compose,
            mail,
            holder=holder,
            clock=clock or (lambda: now),
            journal=journal or Path(folder) / "receipts",
            **options,  # type: ignore[arg-type]
        )


def states(store: Store) -> dict[str, int]:
    return {status: count for status, count in store.delivery_counts().items() if count}


def refusing(verb: str, replies: dict[str, bytes]) -> Answer:
    """Replies by recipient; for the dot, `line` is the RCPT of its envelope."""
    return lambda said, line: next((r for who, r in replies.items() if said == verb and who in line), None)


# ---------------------------------------------------------------- the good day


@pytest.mark.parametrize("connections", [1, 3])
def test_every_reader_gets_the_edition_once(store: Store, connections: int) -> None:
    readers = queue(store, 25)
    with serving() as server:
        report = run(store, config(server, connections=connections))
        assert run(store, config(server, connections=connections)) == DeliveryReport()
    assert report == DeliveryReport(accepted=25)
    assert sorted(server.recipients()) == readers
    assert states(store) == {"accepted": 25}
    assert server.connections <= connections


def test_two_connections_are_used_when_there_are_two(store: Store) -> None:
    """The first two mails wait for each other at the server: on one connection neither would get through."""
    queue(store, 8)
    both = threading.Barrier(2)

    def together(verb: str, line: str) -> None:
        if verb == "DATA" and len(server.taken) == 0:
            both.wait(60)

    with serving(together) as server:
        assert run(store, config(server, connections=2)).accepted == 8
    assert server.connections == 2
    assert {mail.connection for mail in server.taken} == {1, 2}


def test_a_message_is_what_compose_made_of_its_delivery(store: Store) -> None:
    queue(store, 2)
    made: dict[str, bytes] = {}

    def remember(delivery: Delivery) -> Message:
        made[delivery.subscriber.address] = compose(delivery).data
        return compose(delivery)

    with serving() as server:
        run(store, config(server), compose=remember)
    assert {mail.recipient: mail.data for mail in server.taken} == made


def test_the_folder_gets_one_file_for_each_reader(store: Store, tmp_path: Path) -> None:
    queue(store, 5)
    assert run(store, MailConfig(folder=str(tmp_path / "outbox"))) == DeliveryReport(accepted=5)
    assert len(list((tmp_path / "outbox").glob("*.eml"))) == 5


def test_who_left_after_the_edition_was_issued_gets_no_mail(store: Store) -> None:
    readers = queue(store, 6)
    store.remove_subscriber(readers[2], now=NOW)
    with serving() as server:
        report = run(store, config(server))
    assert sorted(server.recipients()) == readers[:2] + readers[3:]
    assert report.accepted == 5


def test_who_leaves_while_the_run_is_at_work_gets_no_mail(store: Store) -> None:
    readers = queue(store, 12)
    left: list[str] = []

    def leave(done: int, total: int) -> None:
        if done >= 4 and not left:
            left.extend(readers[9:])
            for address in left:
                store.remove_subscriber(address, now=NOW)

    with serving() as server:
        # At this rate three are claimed at once.
        report = run(store, config(server, per_second=10), progress=leave)
    assert server.recipients() == readers[:9]
    assert (report.accepted, report.suppressed) == (9, 3)
    assert states(store) == {"accepted": 9, "suppressed": 3}


def test_progress_counts_to_the_total(store: Store) -> None:
    queue(store, 7)
    steps: list[tuple[int, int]] = []
    with serving() as server:
        run(store, config(server, connections=2), progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (7, 7)
    assert [done for done, _ in steps] == sorted({done for done, _ in steps})


def test_an_edition_that_waited_too_long_is_not_sent_any_more(store: Store) -> None:
    queue(store, 3)
    with serving() as server:
        report = run(store, config(server), now=NOW + timedelta(hours=36, seconds=1))
    assert report == DeliveryReport(expired=3)
    assert server.connections == 0


def test_mails_are_spaced_at_the_rate_of_the_configuration(store: Store) -> None:
    queue(store, 11)
    starts: list[float] = []

    def note(delivery: Delivery) -> Message:
        starts.append(time.monotonic())
        return compose(delivery)

    with serving() as server:
        assert run(store, config(server, connections=3, per_second=50), compose=note).accepted == 11
    assert starts[-1] - starts[0] >= 10 / 50 - 0.001


# ---------------------------------------------------------------- refusals


def test_one_refused_reader_does_not_stop_the_others(store: Store) -> None:
    readers = queue(store, 6)
    with serving(refusing("RCPT", {readers[1]: b"550 5.1.1 no such user"})) as server:
        report = run(store, config(server, connections=2))
        assert run(store, config(server), now=NOW + timedelta(hours=5)) == DeliveryReport()
    assert (report.accepted, report.rejected, report.error) == (5, 1, None)
    assert states(store) == {"accepted": 5, "rejected": 1}


def test_a_deferred_mail_goes_out_later_with_the_same_message_id(store: Store) -> None:
    readers = queue(store, 3)
    answer = once("RCPT", b"451 4.3.0 later")
    with serving(answer) as server:
        report = run(store, config(server))
        assert (report.accepted, report.deferred) == (2, 1)
        assert store.next_due() == NOW + timedelta(minutes=30)
        assert run(store, config(server), now=NOW + timedelta(minutes=29)).accepted == 0
        assert run(store, config(server), now=NOW + timedelta(minutes=30)).accepted == 1
    assert sorted(server.recipients()) == readers
    ids = {s.address: message_id("2026-11-19", s) for s in store.subscribers()}
    assert {mail.recipient: mail.message_id for mail in server.taken} == ids


def test_waits_grow_from_half_an_hour_to_four_hours() -> None:
    waits = [(retry_at(NOW, attempt) - NOW) / timedelta(minutes=1) for attempt in (1, 2, 3, 4, 5, 60, 10**6)]
    assert waits == [30, 60, 120, 240, 240, 240, 240]


def test_a_mail_that_is_always_deferred_is_tried_with_growing_waits_and_then_expires(store: Store) -> None:
    queue(store, 1)
    tried: list[timedelta] = []
    with serving(lambda verb, line: b"450 4.2.1 later" if verb == "RCPT" else None) as server:
        now = NOW
        while "deferred" in states(store) or not tried:
            run(store, config(server), now=now)
            if len(server.verbs()) and server.verbs().count("RCPT") > len(tried):
                tried.append(now - NOW)
            now = store.next_due() or now
    hours = [wait / timedelta(hours=1) for wait in tried]
    assert hours[:5] == [0, 0.5, 1.5, 3.5, 7.5]
    assert max(hours) <= 36
    assert states(store) == {"expired": 1}


def test_a_server_that_blocks_us_by_policy_costs_no_reader_a_mail(store: Store) -> None:
    readers = queue(store, 60)
    with serving(lambda verb, line: b"554 5.7.1 relay access denied" if verb == "RCPT" else None) as server:
        report = run(store, config(server))
        assert server.verbs().count("RCPT") < 20
    assert (report.rejected, report.queued) == (0, 60)
    assert report.error
    assert "5.7.1" in report.error
    with serving() as server:
        assert run(store, config(server)).accepted == 60
        assert sorted(server.recipients()) == sorted(readers)


def test_a_few_policy_refusals_among_many_mails_stop_nothing(store: Store) -> None:
    readers = queue(store, 60)
    replies = dict.fromkeys(readers[::6], b"550 5.7.1 not here")
    with serving(refusing("RCPT", replies)) as server:
        report = run(store, config(server))
    assert (report.accepted, report.rejected, report.error) == (50, 10, None)


# ---------------------------------------------------------------- a server that cannot be used


def test_no_server_keeps_everything_queued_and_is_asked_a_few_times_only(store: Store) -> None:
    queue(store, 50)
    with serving(lambda verb, line: b"421 4.3.2 closing" if verb == "GREETING" else None) as server:
        report = run(store, config(server, connections=3))
        assert server.connections <= 3
    assert report.error
    assert f"127.0.0.1:{server.port}" in report.error
    assert "50" in report.error
    assert states(store) == {"queued": 50}
    gone = run(store, config(server, connections=3))
    assert gone.error
    assert "digest send" in gone.error
    assert states(store) == {"queued": 50}


@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize("k", [1, 2, 7, 19])
def test_a_server_that_dies_after_k_mails_loses_none_of_the_others(
    store: Store, k: int, connections: int
) -> None:
    readers = queue(store, 20)
    with serving(once("DOT", DIE, at=k)) as dying:
        report = run(store, config(dying, connections=connections))
        assert dying.connections <= 2 * connections + 1
    assert report.error or report.deferred  # deferred: nothing was left to try the dead server with
    assert states(store).get("sending", 0) == 0
    with serving() as server:
        run(store, config(server, connections=connections), now=NOW + timedelta(minutes=31))
    assert states(store) == {"accepted": 20}
    got = Counter(mail.recipient for mail in dying.taken + server.taken)
    assert sorted(got) == readers
    assert sum(got.values()) - 20 <= connections


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_421_in_the_middle_stops_the_run_and_releases_the_row(store: Store, verb: str) -> None:
    queue(store, 10)
    with serving(
        lambda said, line: b"421 4.7.0 slow down" if said == verb and len(server.taken) > 3 else None
    ) as server:
        report = run(store, config(server))
    assert report.accepted == 4
    assert states(store) == {"accepted": 4, "queued": 6}
    assert report.error
    assert "421" in report.error
    assert store.claim(now=NOW, holder="x", limit=1)[0].attempt == 1


def test_a_refused_login_is_tried_once_for_each_connection(store: Store) -> None:
    queue(store, 30)
    with serving(once("AUTH", b"535 5.7.8 no"), features=("AUTH PLAIN",)) as server:
        report = run(store, config(server, username="paper", password="canary-7731"))
    assert server.connections == 1
    assert report.error
    assert "canary" not in report.error
    assert states(store) == {"queued": 30}


@pytest.mark.parametrize("ending", [DROP, LOSE])
def test_one_connection_lost_behind_the_dot_is_one_mail_in_doubt_and_no_more(
    store: Store, ending: bytes
) -> None:
    readers = queue(store, 8)
    with serving(once("DOT", ending, at=3)) as server:
        report = run(store, config(server))
        assert (report.accepted, report.deferred, report.error) == (7, 1, None)
        later = run(store, config(server), now=NOW + timedelta(minutes=30))
    assert later.accepted == 1
    got = Counter(mail.recipient for mail in server.taken)
    assert sorted(got) == readers
    assert got[readers[2]] == (2 if ending == DROP else 1)
    assert len({mail.message_id for mail in server.taken if mail.recipient == readers[2]}) == 1


def test_a_mail_in_doubt_is_held_when_the_operator_wants_it_so(store: Store) -> None:
    readers = queue(store, 5)
    with serving(once("DOT", DROP, at=3)) as server:
        report = run(store, config(server, in_doubt="hold"))
        later = run(store, config(server, in_doubt="hold"), now=NOW + timedelta(hours=5), holder="here/2")
    assert sorted(server.recipients()) == readers
    assert states(store) == {"accepted": 4, "sending": 1}
    assert report == DeliveryReport(accepted=4, held=1)
    assert later == DeliveryReport(held=1)
    assert RunReport(date=date(2026, 11, 19), seconds=0, deliveries=later).degraded


def test_a_mail_that_is_held_too_long_expires(store: Store) -> None:
    queue(store, 2)
    store.claim(now=NOW, holder="dead/7", limit=1)
    with serving() as server:
        mail = config(server, in_doubt="hold")
        assert run(store, mail) == DeliveryReport(accepted=1, held=1)
        assert run(store, mail, now=NOW + timedelta(hours=36)) == DeliveryReport(held=1)
        assert run(store, mail, now=NOW + timedelta(hours=36, seconds=1)) == DeliveryReport(expired=1)
    assert states(store) == {"accepted": 1, "expired": 1}


def test_a_server_that_loses_every_answer_gets_few_mails(store: Store) -> None:
    queue(store, 40)
    with serving(lambda verb, line: DROP if verb == "DOT" else None) as server:
        report = run(store, config(server, connections=2))
    assert report.error
    assert len(server.taken) <= 4
    assert report.queued >= 36


def test_a_server_that_loses_every_answer_gets_few_copies_of_each_mail(store: Store, tmp_path: Path) -> None:
    """One that takes a mail and hangs up, for as long as the mail is tried."""
    readers, now = queue(store, 5), NOW
    with serving(lambda verb, line: DROP if verb == "DOT" else None) as server:
        mail = config(server)
        while now < NOW + timedelta(hours=mail.expire_after_h):
            run(store, mail, now=now, journal=tmp_path / "receipts")
            due = store.next_due()
            assert due is not None
            now = max(due, now + timedelta(minutes=1))  # so often the service looks
        server.settle()
    assert Counter(server.recipients()) == dict.fromkeys(readers, 5)
    assert len({taken.message_id for taken in server.taken}) == 5


def test_one_connection_lost_before_the_message_does_not_stop_the_others(store: Store) -> None:
    readers = queue(store, 8)
    with serving(once("RCPT", DROP, at=4)) as server:
        report = run(store, config(server))
        assert (report.accepted, report.deferred, report.error) == (7, 1, None)
        run(store, config(server), now=NOW + timedelta(minutes=30))
    assert sorted(server.recipients()) == readers


def test_a_mail_on_which_the_server_always_hangs_up_does_not_block_the_queue(store: Store) -> None:
    readers = queue(store, 9)
    with serving(refusing("RCPT", {readers[4]: DROP})) as server:
        report = run(store, config(server, connections=2))
    assert (report.accepted, report.deferred, report.error) == (8, 1, None)
    assert server.connections <= 4


def test_a_server_that_hangs_up_on_every_mail_after_the_first_few_is_left(store: Store) -> None:
    queue(store, 20)
    with serving(lambda verb, line: DROP if verb == "RCPT" and len(server.taken) > 3 else None) as server:
        report = run(store, config(server))
    assert report.error
    assert server.connections <= 3
    assert states(store) == {"accepted": 4, "queued": 16}


def test_a_server_that_falls_silent_is_named_and_left(store: Store) -> None:
    queue(store, 4)
    with serving(lambda verb, line: HANG if verb == "MAIL" else None) as server:
        report = run(store, config(server, timeout_s=1.0))
    assert report.error
    assert "timed out" in report.error
    assert states(store) == {"queued": 4}


def test_a_disk_that_takes_no_mail_keeps_everything_queued(store: Store, tmp_path: Path) -> None:
    queue(store, 4)
    (tmp_path / "outbox").write_text("a file where the folder should be")
    report = run(store, MailConfig(folder=str(tmp_path / "outbox")))
    assert report.error
    assert '"folder"' in report.error
    assert states(store) == {"queued": 4}


# ---------------------------------------------------------------- what compose may do


def test_a_message_that_cannot_be_built_does_not_stop_the_others(store: Store) -> None:
    readers = queue(store, 6)

    def picky(delivery: Delivery) -> Message:
        if delivery.subscriber.address in readers[:2]:
            raise MailError("a control sign in the address") if delivery.id % 2 else ValueError("no header")
        return compose(delivery)

    with serving() as server:
        report = run(store, config(server, connections=2), compose=picky)
        assert (report.accepted, report.deferred, report.error) == (4, 2, None)
        mended = run(store, config(server), now=NOW + timedelta(minutes=30))
    assert mended.accepted == 2
    assert sorted(server.recipients()) == readers


@pytest.mark.parametrize("kind", [ConfigError, UsageError])
def test_a_digest_that_is_gone_keeps_its_own_mail_only(
    store: Store, caplog: pytest.LogCaptureFixture, kind: type[DigestError]
) -> None:
    readers = queue(store, 3)
    queue(store, 3, day=date(2026, 11, 20))

    def gone(delivery: Delivery) -> Message:
        if delivery.edition == "2026-11-19":
            raise kind('no [[digest]] "weekly"; put it back')
        return compose(delivery)

    with serving() as server:
        report = run(store, config(server), compose=gone)
        assert report == DeliveryReport(accepted=3, deferred=3)
        assert sorted(server.recipients()) == readers
        assert run(store, config(server), now=NOW + timedelta(minutes=30)).accepted == 3
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == [
        'delivery 1 and all like it wait: no [[digest]] "weekly"; put it back'
    ]


def test_a_broken_template_sends_nothing_and_loses_nothing(store: Store) -> None:
    queue(store, 6)

    def broken(delivery: Delivery) -> Message:
        raise RenderError(
            "templates/edition.html:7: there is no variable editoin", template="edition.html", line=7
        )

    with serving() as server:
        report = run(store, config(server, connections=3), compose=broken)
    assert server.connections == 0
    assert report.error
    assert "editoin" in report.error
    assert states(store) == {"queued": 6}


@pytest.mark.parametrize(
    "failure", [StoreError("no edition"), KeyboardInterrupt(), LookupError("a fault of ours")]
)
def test_whatever_ends_a_run_the_mails_in_flight_are_recorded_and_the_others_released(
    store: Store, failure: BaseException
) -> None:
    readers = queue(store, 9)

    def failing(delivery: Delivery) -> Message:
        if delivery.subscriber.address == readers[4]:
            raise failure
        return compose(delivery)

    with serving() as server, pytest.raises(type(failure)):
        run(store, config(server, connections=3), compose=failing)
    assert states(store) == {"accepted": len(server.taken), "queued": 9 - len(server.taken)}
    assert len(server.taken) <= 4


# ---------------------------------------------------------------- stops, leases, rows in doubt


def test_a_stop_before_the_start_claims_nothing(store: Store) -> None:
    queue(store, 3)
    stop = threading.Event()
    stop.set()
    with serving() as server:
        assert run(store, config(server), stop=stop) == DeliveryReport(queued=3)
    assert server.connections == 0


def test_a_stop_finishes_the_mails_in_flight(store: Store) -> None:
    queue(store, 30)
    stop = threading.Event()

    def stopping(verb: str, line: str) -> None:
        if len(server.taken) >= 9:
            stop.set()

    with serving(stopping) as server:
        report = run(store, config(server, connections=3), stop=stop)
    assert 9 <= report.accepted <= 9 + 2 * 3
    assert report.accepted == len(server.taken)
    assert states(store) == {"accepted": report.accepted, "queued": 30 - report.accepted}
    assert report.error is None


def test_a_stop_ends_a_slow_rate_at_once(store: Store) -> None:
    queue(store, 3)
    stop = threading.Event()
    with serving(lambda verb, line: stop.set() if verb == "MAIL" else None) as server:
        report = run(store, config(server, per_second=0.001), stop=stop)
    assert (report.accepted, report.queued) == (1, 2)


def ticking(step: timedelta) -> Callable[[], datetime]:
    now = NOW

    def clock() -> datetime:
        nonlocal now
        now += step
        return now

    return clock


def test_the_lease_is_renewed_while_mails_go_out(store: Store) -> None:
    queue(store, 10)
    renewed: list[int] = []
    with serving() as server:
        mail = config(server, per_second=50)
        run(store, mail, clock=ticking(timedelta(seconds=30)), renew=lambda: renewed.append(1))
    assert len(renewed) >= 5


def test_a_lost_lease_stops_the_run_and_keeps_what_was_answered(store: Store, tmp_path: Path) -> None:
    queue(store, 10)
    journal = tmp_path / "receipts"

    def lost() -> None:
        if len(server.taken) >= 3:
            raise LeaseHeld("another run has taken over", holder="there/2")

    with serving() as server, pytest.raises(LeaseHeld):
        mail = config(server, per_second=20)
        run(store, mail, clock=ticking(timedelta(seconds=61)), renew=lost, journal=journal)
    assert len(server.taken) < 10
    # What was claimed belongs to the run that has taken over: it learns what was answered, and sends the rest once.
    with serving() as other:
        run(store, config(other), holder="there/2", journal=journal)
    got = Counter(server.recipients() + other.recipients())
    assert set(got.values()) == {1}
    assert len(got) == 10


@pytest.mark.parametrize("in_doubt", ["resend", "hold"])
def test_rows_that_a_dead_run_left_in_flight_are_treated_as_configured(store: Store, in_doubt: str) -> None:
    readers = queue(store, 5)
    left = store.claim(now=NOW, holder="dead/7", limit=2)
    with serving() as server:
        report = run(store, config(server, in_doubt=in_doubt))
    if in_doubt == "resend":
        assert sorted(server.recipients()) == readers
        assert {d.message_id for d in left} <= {mail.message_id for mail in server.taken}
        assert report.accepted == 5
    else:
        assert report == DeliveryReport(accepted=3, held=2)
        assert states(store) == {"accepted": 3, "sending": 2}


def test_rows_in_doubt_of_the_same_process_are_found_too(store: Store) -> None:
    """A scheduler is one process for weeks: what its own run of an hour ago left in flight is as much in doubt."""
    queue(store, 3)
    with serving(once("DOT", LOSE, at=2)) as server:
        run(store, config(server, in_doubt="hold"), holder="here/1")
        assert states(store) == {"accepted": 2, "sending": 1}
        assert run(store, config(server), holder="here/1", now=NOW + timedelta(hours=1)).accepted == 1


def test_no_log_line_holds_an_address(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    readers = queue(store, 6)
    replies = {
        readers[0]: b"550 5.6.1 <reader000@example.org> takes no such mail",
        readers[3]: b"421 reader003@example.org: bye",
    }
    store.claim(now=NOW, holder="dead/7", limit=1)
    with caplog.at_level(logging.DEBUG), serving(refusing("RCPT", replies)) as server:
        report = run(store, config(server))
    assert (report.accepted, report.rejected) == (2, 1)
    assert caplog.records
    assert "@example.org" not in caplog.text
    assert "@example.org" not in str(report.error)
