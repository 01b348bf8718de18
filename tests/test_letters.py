"""Letters go out at once, one process at a time, and are tried again until their link ends."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.app import open_app
from digest.config import (
    Config,
    DigestConfig,
    DkimConfig,
    MailConfig,
    SiteConfig,
    SmtpConfig,
    StoreConfig,
)
from digest.errors import MailError, RenderError
from digest.model import Letter, Message, Preferences, Subscriber
from digest.pipeline import letters
from digest.pipeline.letters import RETRY_FIRST, LettersReport, letter_retry_at, send_letters
from digest.pipeline.pace import Pace
from digest.smtp import FolderTransport, SmtpTransport
from digest.store import Store
from digest.store.letters import LETTER_HELD
from smtp_servers import DROP, SmtpServer, serving
from webs import wait_for

NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)


def ask(store: Store, address: str, now: datetime = NOW) -> Subscriber:
    reader = store.add_pending(
        address, digests=(), preferences=Preferences(), consent="form 2026-11", now=now
    )
    assert store.queue_letter(
        reader.id, "confirm", message_id=f"<{reader.id}.letter@papers.example.org>", now=now
    )
    return reader


def words(letter: Letter) -> Message:
    head = f"To: {letter.subscriber.address}\r\nMessage-ID: {letter.message_id}\r\n"
    return Message(pieces=(f"From: digest@papers.example.org\r\n{head}\r\nConfirm?\r\n".encode(),), sender="")


def send(
    store: Store,
    server: SmtpServer,
    now: datetime = NOW,
    holder: str = "one",
    compose: Callable[[Letter], Message] = words,
    stop: threading.Event | None = None,
    clock: Callable[[], datetime] | None = None,
    pace: Pace | None = None,
) -> LettersReport:
    smtp = SmtpConfig(host="127.0.0.1", port=server.port, security="none", timeout_s=10)
    return send_letters(
        store,
        lambda: SmtpTransport(smtp, sender="digest@papers.example.org"),
        compose,
        holder=holder,
        clock=clock or (lambda: now),
        stop=stop,
        pace=pace,
    )


def only(reply: bytes) -> Callable[[str, str], bytes | None]:
    return lambda verb, line: reply if verb == "RCPT" else None


def test_a_letter_goes_out_once_with_the_null_sender(store: Store) -> None:
    ask(store, "ann@example.org")
    with serving() as server:
        assert send(store, server) == LettersReport(accepted=1)
        assert send(store, server) == LettersReport()
    assert server.recipients() == ["ann@example.org"]
    assert server.taken[0].envelope[0].startswith("MAIL FROM:<>")


def test_many_letters_go_out_in_one_call(store: Store) -> None:
    for number in range(45):
        ask(store, f"reader{number}@example.org")
    with serving() as server:
        assert send(store, server).accepted == 45
    assert len(set(server.recipients())) == 45
    assert server.connections == 1


def test_a_letter_whose_server_takes_long_to_answer_is_not_sent_by_another_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "KEEP_EVERY_S", 0.01)
    moments = [NOW]
    for name in ("ann", "bob"):
        ask(store, f"{name}@example.org")

    def slow(verb: str, line: str) -> bytes | None:
        if verb == "DOT" and len(moments) == 1:
            for minutes in (9, 18):
                moments.append(NOW + timedelta(minutes=minutes))
                held = moments[-1] + LETTER_HELD
                wait_for(lambda held=held: (store.next_letter() or NOW) > held)
            assert send(store, server, moments[-1], holder="two") == LettersReport()
        return None

    with serving(slow) as server:
        assert send(store, server, clock=lambda: moments[-1]).accepted == 2
    assert sorted(server.recipients()) == ["ann@example.org", "bob@example.org"]


def test_a_deferred_letter_is_tried_again_after_five_minutes(store: Store) -> None:
    ask(store, "ann@example.org")
    with serving(only(b"450 4.2.0 greylisted")) as server:
        assert send(store, server).deferred == 1
    later = NOW + timedelta(minutes=5)
    with serving() as server:
        assert send(store, server, later - timedelta(seconds=1)) == LettersReport()
        assert send(store, server, later) == LettersReport(accepted=1)


def test_a_rejected_letter_is_not_tried_again(store: Store) -> None:
    ask(store, "ann@example.org")
    with serving(only(b"550 5.1.1 no such user")) as server:
        assert send(store, server).rejected == 1
        assert send(store, server, NOW + timedelta(hours=3)) == LettersReport()


def test_a_server_that_is_gone_costs_no_letter(store: Store) -> None:
    for number in range(3):
        ask(store, f"reader{number}@example.org")
    with serving() as server:
        pass
    report = send(store, server)
    assert report.deferred == 3 and report.error and "cannot be reached" in report.error
    with serving() as server:
        assert send(store, server, NOW + timedelta(minutes=5)).accepted == 3


def test_a_server_that_never_says_that_it_took_a_letter_gets_it_three_times(store: Store) -> None:
    ask(store, "ann@example.org")
    with serving(lambda verb, line: DROP if verb == "DOT" else None) as server:
        moments = [NOW + n * timedelta(minutes=5) for n in range(36)]
        reports = [report for report in (send(store, server, now) for now in moments) if report.error]
        server.settle()
    assert server.recipients() == ["ann@example.org"] * 3
    assert len({mail.message_id for mail in server.taken}) == 1
    assert [(report.deferred, report.rejected) for report in reports] == [(1, 0), (1, 0), (0, 1)]


def test_a_server_that_is_down_for_hours_costs_no_letter(store: Store) -> None:
    """No copy of it may be on its way: it is tried for as long as its link holds."""
    ask(store, "ann@example.org")
    with serving() as server:
        pass
    down = [send(store, server, NOW + n * timedelta(minutes=5)) for n in range(36)]
    assert {(report.deferred, report.rejected) for report in down if report.error} == {(1, 0)}
    with serving() as server:
        assert send(store, server, NOW + timedelta(hours=5)) == LettersReport(accepted=1)


def test_an_address_that_is_none_keeps_no_other_letter_from_going(store: Store) -> None:
    for name in ("ann", "x" * 65, "bo"):
        ask(store, f"{name}@example.org")

    def mailable_only(letter: Letter) -> Message:
        if len(letter.subscriber.address) > 70:
            raise MailError("no address")
        return words(letter)

    with serving() as server:
        assert send(store, server, compose=mailable_only) == LettersReport(accepted=2, rejected=1)
    assert server.recipients() == ["ann@example.org", "bo@example.org"]
    assert store.next_letter() is None


def test_a_fault_leaves_no_letter_in_nobodys_hand(store: Store) -> None:
    for name in ("ann", "bo"):
        ask(store, f"{name}@example.org")

    def broken(letter: Letter) -> Message:
        raise RenderError("a template is broken", template="confirm.txt")

    with serving() as server:
        with pytest.raises(RenderError):
            send(store, server, compose=broken)
        assert send(store, server, NOW + timedelta(minutes=5)).accepted == 2


def test_what_this_very_process_left_ten_minutes_ago_goes_out_too(store: Store) -> None:
    ask(store, "ann@example.org")
    assert store.claim_letters(now=NOW, holder="one", limit=5)
    with serving() as server:
        assert send(store, server, NOW + timedelta(minutes=9)) == LettersReport()
        assert send(store, server, NOW + timedelta(minutes=11)).accepted == 1


def test_a_stop_lets_the_letter_in_flight_through_and_no_other(store: Store) -> None:
    for number in range(5):
        ask(store, f"reader{number}@example.org")
    stop = threading.Event()

    def stopped(letter: Letter) -> Message:
        stop.set()
        return words(letter)

    with serving() as server:
        assert send(store, server, compose=stopped, stop=stop) == LettersReport(accepted=1)
        assert send(store, server).accepted == 4
    assert len(set(server.recipients())) == 5


def test_a_letter_ends_with_its_link(store: Store) -> None:
    ask(store, "ann@example.org")
    with serving() as server:
        assert send(store, server, NOW + timedelta(hours=49)) == LettersReport()
    assert server.recipients() == []


def test_who_has_answered_meanwhile_gets_no_question(store: Store) -> None:
    reader = ask(store, "ann@example.org")
    assert store.confirm_subscriber(reader.id, now=NOW)
    with serving() as server:
        assert send(store, server) == LettersReport()
    assert server.recipients() == []


@pytest.mark.parametrize("slow", [0, 3])
def test_who_is_erased_while_the_server_is_slow_gets_no_letter(store: Store, slow: int) -> None:
    """The server takes a minute for one of them; the others were claimed with it."""
    for number in range(10):
        ask(store, f"reader{number}@example.org")
    now = [NOW]

    def answer(verb: str, line: str) -> None:
        if verb == "RCPT" and f"reader{slow}@" in line:
            now[0] += timedelta(minutes=1)
            for number in range(slow + 1, 10):
                assert store.erase_subscriber(f"reader{number}@example.org", now=now[0]) is not None

    with serving(answer) as server:
        assert send(store, server, clock=lambda: now[0]) == LettersReport(accepted=slow + 1)
    assert server.recipients() == [f"reader{number}@example.org" for number in range(slow + 1)]


class Slow(Pace):
    """One mail a minute, by the clock of the test."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__(1 / 60)
        self.clock, self.free = clock, clock()

    def delay(self) -> float:
        return max(0.0, (self.free - self.clock()).total_seconds())

    def take(self) -> None:
        self.free = self.clock() + timedelta(minutes=1)


def test_who_is_erased_while_a_slow_rate_keeps_their_letter_gets_none(store: Store) -> None:
    for number in range(3):
        ask(store, f"reader{number}@example.org")
    now = [NOW]

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if timeout:
                now[0] += timedelta(seconds=timeout)
                store.erase_subscriber("reader1@example.org", now=now[0])
            return self.is_set()

    with serving() as server:
        found = send(store, server, stop=Stop(), clock=lambda: now[0], pace=Slow(lambda: now[0]))
    assert found == LettersReport(accepted=2)
    assert server.recipients() == ["reader0@example.org", "reader2@example.org"]


def test_a_letter_that_was_put_back_untried_was_not_tried(store: Store) -> None:
    """The first takes the server a minute, so that the second is claimed anew; it is deferred then, for the first time."""
    ask(store, "ann@example.org")
    ask(store, "bob@example.org")
    now = [NOW]

    def answer(verb: str, line: str) -> bytes | None:
        if verb == "RCPT" and "ann@" in line:
            now[0] += timedelta(minutes=1)
        return b"450 4.2.0 busy" if verb == "RCPT" and "bob@" in line else None

    with serving(answer) as server:
        assert send(store, server, clock=lambda: now[0]) == LettersReport(accepted=1, deferred=1)
    assert store.next_letter() == now[0] + RETRY_FIRST


def test_a_letter_that_another_process_holds_is_left_to_it(store: Store) -> None:
    ask(store, "ann@example.org")
    assert len(store.claim_letters(now=NOW, holder="other", limit=5)) == 1
    with serving() as server:
        assert send(store, server) == LettersReport()
        # That process is dead, it seems: somebody still waits for the mail.
        assert send(store, server, NOW + timedelta(minutes=11)) == LettersReport(accepted=1)


def test_letters_that_another_took_from_a_process_that_stood_still_stay_with_it(store: Store) -> None:
    """Its machine slept for a quarter of an hour in the midst of the first of three."""
    for name in ("ann", "ben", "cleo"):
        ask(store, f"{name}@example.org")
    now = [NOW]
    taken: list[Letter] = []

    def sleeps(verb: str, line: str) -> None:
        if verb == "RCPT" and not taken:
            now[0] += LETTER_HELD + timedelta(minutes=5)
            taken.extend(store.claim_letters(now=now[0], holder="two", limit=5))

    with serving(sleeps) as server:
        report = send(store, server, clock=lambda: now[0])
    assert len(taken) == 3
    assert server.recipients() == ["ann@example.org"]
    assert report == LettersReport(accepted=1)
    assert store.claim_letters(now=now[0], holder="three", limit=5) == []


def test_letters_can_go_into_the_folder(store: Store, tmp_path: Path) -> None:
    ask(store, "ann@example.org")
    folder = tmp_path / "outbox"
    report = send_letters(store, lambda: FolderTransport(folder), words, holder="one", clock=lambda: NOW)
    assert report == LettersReport(accepted=1)
    assert [b"Confirm?" in file.read_bytes() for file in folder.glob("*.eml")] == [True]


def test_the_tries_are_further_and_further_apart() -> None:
    minutes = [(letter_retry_at(NOW, attempt) - NOW) // timedelta(minutes=1) for attempt in range(1, 8)]
    assert minutes == [5, 10, 20, 40, 80, 120, 120]


def test_a_letter_that_never_went_out_is_not_in_the_way_of_a_new_one(store: Store) -> None:
    reader = ask(store, "ann@example.org")
    late = NOW + timedelta(hours=49)
    assert not store.queue_letter(reader.id, "confirm", message_id="<2@papers.example.org>", now=NOW)
    assert store.queue_letter(reader.id, "confirm", message_id="<3@papers.example.org>", now=late)
    with serving() as server:
        assert send(store, server, late) == LettersReport(accepted=1)
    assert b"<3@papers.example.org>" in server.taken[0].data


def test_a_letter_is_signed_where_editions_are(tmp_path: Path) -> None:
    key = tmp_path / "dkim.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    config = Config(
        site=SiteConfig(url="https://papers.example.org/"),
        store=StoreConfig(url=f"sqlite:///{tmp_path}/digest.db"),
        digest=(DigestConfig(name="daily", title="T", path=""),),
        mail=MailConfig(folder="outbox", dkim=DkimConfig(selector="digest", key_file="dkim.pem")),
        file=str(tmp_path / "config.toml"),
    )
    with open_app(config, clock=lambda: NOW) as app:
        ask(app.store, "ann@example.org")
        assert app.send_letters().accepted == 1
    (mail,) = (tmp_path / "outbox").glob("*.eml")
    assert mail.read_bytes().startswith(b"DKIM-Signature: ")
