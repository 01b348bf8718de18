# ruff: noqa: F811 - fixtures are imported by name
"""The contract of the store for mails that wait for their hour, alone or together, held on every database."""

from __future__ import annotations

import re
import threading
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import examples
from digest.model import Delivery, Receipt
from digest.store import Planned, Store, open_store
from digest.store.database import load_queries
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    edition,
    paper,
    sight,
    store,
    store_url,
)
from store_inbox import (
    ACCEPTED,
    CHOSEN,
    DAY,
    DEFERRED,
    HOUR,
    SKIPPED,
    claim,
    counts,
    issue,
    names,
    reader,
    weekly,
)

# --- hours


def test_a_delivery_waits_for_its_hour(store: Store) -> None:
    reader(store)
    at = issue(store, 0, due=HOUR)
    assert store.next_due() == at + HOUR
    assert claim(store, at + HOUR - timedelta(microseconds=1)) == []
    (found,) = claim(store, (at + HOUR).astimezone(timezone(timedelta(hours=-7))))
    assert (found.due_at, found.date, found.editions) == (at + HOUR, at + HOUR, names(0))
    assert found.subscriber == store.subscriber("ada@example.org")
    assert store.next_due() is None
    store.record_receipts([(found, DEFERRED, at + 3 * HOUR)], now=at + 2 * HOUR)
    assert store.next_due() == at + 3 * HOUR


def test_the_earliest_go_first(store: Store) -> None:
    for name in ("a", "b", "c"):
        reader(store, f"{name}@example.org")
    hours = iter((3, 1, 2))
    sight(store, paper())
    made = edition(store, store.waiting("daily"))
    store.issue(
        made,
        [],
        lambda who: Planned(message_id=f"<{who.id}@x.org>", date=NOW, due_at=NOW + next(hours) * HOUR),
    )
    found = [delivery.subscriber.address[0] for delivery in claim(store, NOW + 9 * HOUR)]
    assert found == ["b", "c", "a"]


def test_a_reader_for_whom_nothing_is_planned_gets_no_row(store: Store) -> None:
    one, two = reader(store).id, reader(store, "bob@example.org").id
    at = issue(store, 0, skip=one)
    assert [delivery.subscriber.id for delivery in claim(store, at)] == [two]
    assert counts(store) == {"sending": 1}


def test_what_is_late_expires_at_the_claim(store: Store) -> None:
    reader(store)
    first, second = issue(store, 0), issue(store, 1)
    found = claim(store, NOW + 2 * DAY, limit=1, older_than=second)
    assert [delivery.edition for delivery in found] == list(names(1))
    assert counts(store) == {"expired": 1, "sending": 1}
    issue(store, 3)
    issue(store, 4)
    late = store.record_receipts(
        [(found[0], ACCEPTED, None)], now=NOW + 5 * DAY, claim=9, holder="me", older_than=first + 4 * DAY
    )
    assert [delivery.edition for delivery in late] == list(names(4))
    assert counts(store) == {"expired": 2, "sending": 1, "accepted": 1}


def test_what_nobody_wants_is_recorded_as_skipped(store: Store) -> None:
    reader(store)
    (found,) = claim(store, issue(store, 0))
    store.record_receipts([(found, SKIPPED, None)], now=NOW)
    assert counts(store) == {"skipped": 1}
    assert claim(store, NOW + DAY) == []


def test_addresses_in_a_reply_are_not_kept(store: Store) -> None:
    number = reader(store).id
    (found,) = claim(store, issue(store, 0))
    said = Receipt(status="rejected", reply_code=550, text="5.1.1 <Ada@Example.org>: no such user é\0")
    store.record_receipts([(found, said, None)], now=NOW)
    with store._db.reading():
        (reply,) = store._db.execute(
            f"SELECT reply FROM deliveries WHERE subscriber_id = {number}", {}
        ).fetchone()
    assert reply == "5.1.1 <(address)>: no such user é"


def test_every_kind_of_reply_is_recorded_as_it_was(store: Store) -> None:
    said = [
        ACCEPTED,
        Receipt(status="accepted", text="2.0.0 'gut' \"schön\" \0\udce9 {1}"),
        SKIPPED,
        DEFERRED,
    ]
    for n in range(len(said)):
        reader(store, f"r{n}@example.org")
    found = claim(store, issue(store, 0))
    later = NOW + DAY
    store.record_receipts([(d, receipt, later) for d, receipt in zip(found, said, strict=True)], now=NOW)
    with store._db.reading():
        query = (
            "SELECT status, reply_code, enhanced_code, reply, retry_at, holder FROM deliveries ORDER BY id"
        )
        rows = [tuple(row) for row in store._db.execute(query, {})]
    assert rows == [
        ("accepted", 250, "2.0.0", "OK", None, ""),
        ("accepted", None, None, "2.0.0 'gut' \"schön\" \ufffd {1}", None, ""),
        ("skipped", None, None, "", None, ""),
        ("deferred", 451, None, "", "2026-11-20T06:00:00.000000Z", ""),
    ]
    assert store.in_hand() == 0


# --- one mail with several editions


def test_a_weekly_reader_gets_one_mail_with_every_edition(store: Store) -> None:
    _, due = weekly(store)
    assert counts(store) == {"queued": 1, "joined": 2}
    assert (store.next_due(), claim(store, due - HOUR)) == (due, [])
    (found,) = claim(store, due)
    assert (found.editions, found.edition, found.message_id) == (
        names(0, 1, 2),
        f"{TODAY + 2 * DAY}",
        "<daily.2.1.1@example.org>",
    )
    store.record_receipts([(found, ACCEPTED, None)], now=due)
    told = store.deliveries_of(found.subscriber.id)
    assert [status for _, _, status, _ in told] == ["joined", "joined", "accepted"]
    at = issue(store, 7, due=DAY)
    (found,) = claim(store, at + DAY)
    assert found.editions == names(7), "what went out does not go out again"


def test_editions_of_two_digests_are_never_joined_to_one_mail(store: Store) -> None:
    reader(store)
    issue(store, 0, due=5 * DAY)
    issue(store, 1, digest="other", due=4 * DAY)
    found = claim(store, NOW + 9 * DAY)
    assert sorted((delivery.digest, delivery.editions) for delivery in found) == [
        ("daily", names(0)),
        ("other", names(1)),
    ]


def test_what_waits_goes_with_an_edition_that_is_out_at_once(store: Store) -> None:
    weekly(store)
    at = issue(store, 5)
    (found,) = claim(store, at)
    assert found.editions == names(0, 1, 2, 5)


def test_what_waited_and_was_not_sent_in_time_goes_with_the_next_that_goes_at_once(store: Store) -> None:
    reader(store)
    issue(store, 0, due=HOUR)
    (found,) = claim(store, issue(store, 1))
    assert found.editions == names(0, 1)


def test_what_may_go_already_does_not_wait_for_the_hour_of_the_next(store: Store) -> None:
    reader(store)
    issue(store, 0, due=HOUR)
    at = issue(store, 1, due=HOUR)
    (found,) = claim(store, at)
    assert found.editions == names(0)


def test_what_did_not_wait_by_choice_goes_alone(store: Store) -> None:
    reader(store)
    issue(store, 0)
    found = claim(store, issue(store, 1))
    assert [delivery.editions for delivery in found] == [names(0), names(1)]


def test_digests_and_readers_are_not_mixed(store: Store) -> None:
    one, two = reader(store).id, reader(store, "bob@example.org").id
    issue(store, 0, due=5 * DAY)
    issue(store, 0, digest="kilns", due=5 * DAY)
    issue(store, 1, due=4 * DAY, skip=two)
    found = {(d.subscriber.id, d.digest): d.editions for d in claim(store, NOW + 6 * DAY)}
    assert found == {
        (one, "daily"): names(0, 1),
        (two, "daily"): names(0),
        (one, "kilns"): names(0),
        (two, "kilns"): names(0),
    }


def _deferred(store: Store, due: datetime) -> Delivery:
    (found,) = claim(store, due)
    store.record_receipts([(found, DEFERRED, due + HOUR)], now=due)
    return found


def test_a_deferred_mail_keeps_all_its_editions(store: Store) -> None:
    _, due = weekly(store)
    found = _deferred(store, due)
    issue(store, 6, due=6 * DAY)
    (again,) = claim(store, due + DAY)
    assert (again.id, again.editions, again.attempt) == (found.id, names(0, 1, 2), 2)
    store.release([again], now=due + DAY)
    (again,) = claim(store, due + DAY)
    assert again.editions == names(0, 1, 2)


@pytest.mark.parametrize("deferred", [False, True])
def test_who_leaves_gets_none_of_what_was_joined(store: Store, deferred: bool) -> None:
    number, due = weekly(store)
    if deferred:
        _deferred(store, due)
    store.leave(number, now=due)
    assert counts(store) == {"suppressed": 3}


def test_editions_joined_to_a_mail_that_is_never_made_end_with_it(store: Store) -> None:
    number, due = weekly(store)
    store.set_choices(number, digests=("kilns",), preferences=CHOSEN, paused_until=None, now=due)
    assert claim(store, due) == []
    assert counts(store) == {"suppressed": 3}


@pytest.mark.parametrize("deferred", [False, True])
def test_editions_joined_to_a_late_mail_expire_with_it(store: Store, deferred: bool) -> None:
    _, due = weekly(store)
    if deferred:
        _deferred(store, due)
    assert store.expire(now=due, older_than=due) == 0
    assert counts(store)["joined"] == 2
    assert store.expire(now=due + 2 * DAY, older_than=due + DAY) == 1
    assert counts(store) == {"expired": 3}


def test_editions_joined_to_a_late_mail_expire_with_it_at_the_claim_and_in_doubt(store: Store) -> None:
    _, due = weekly(store)
    assert claim(store, due + 2 * DAY, older_than=due + DAY) == []
    assert counts(store) == {"expired": 3}
    issue(store, 9, due=DAY)
    at = issue(store, 10)
    assert len(claim(store, at)) == 1
    assert store.expire(now=at, older_than=at - DAY, holder="you") == 0
    assert counts(store) == {"expired": 3, "sending": 1, "joined": 1}
    assert store.expire(now=at + 2 * DAY, older_than=at + DAY, holder="you") == 1
    assert counts(store) == {"expired": 5}, "with the one that had waited for it"


def test_editions_joined_to_a_mail_that_was_skipped_or_refused_stay_with_it(store: Store) -> None:
    number, due = weekly(store)
    (found,) = claim(store, due)
    store.record_receipts([(found, SKIPPED, None)], now=due)
    assert store.expire(now=due + 2 * DAY, older_than=due + DAY, holder="you") == 0
    store.leave(number, now=due)
    assert counts(store) == {"skipped": 1, "joined": 2}


def test_a_change_of_the_hour_moves_what_waits(store: Store) -> None:
    number, due = weekly(store)
    assert store.reschedule(number, lambda issued_at: issued_at + 10 * DAY, now=NOW + 3 * DAY) == 1
    assert claim(store, due) == []
    (found,) = claim(store, NOW + 13 * DAY)
    assert (found.editions, found.date, found.due_at) == (names(0, 1, 2), due + 7 * DAY, due + 7 * DAY)


def test_who_wants_it_daily_again_gets_at_once_what_waited(store: Store) -> None:
    number, due = weekly(store)
    now = due - HOUR
    assert store.reschedule(number, lambda issued_at: issued_at, now=now) == 1
    (found,) = claim(store, now, older_than=now - HOUR)
    assert (found.editions, found.date) == (names(0, 1, 2), now), "and it is not late by having waited"


def test_what_a_change_brings_to_one_hour_becomes_one_mail(store: Store) -> None:
    number = reader(store).id
    issue(store, 0)
    issue(store, 1)
    issue(store, 1, digest="kilns")
    friday = NOW + 6 * DAY
    assert store.reschedule(number, lambda issued_at: friday, now=NOW + 2 * DAY) == 3
    found = {delivery.digest: delivery.editions for delivery in claim(store, friday)}
    assert found == {"daily": names(0, 1), "kilns": names(1)}


def test_what_a_change_joins_takes_along_what_was_joined_to_it(store: Store) -> None:
    number, due = weekly(store)
    issue(store, 6, due=6 * DAY)
    assert store.reschedule(number, lambda issued_at: NOW + 20 * DAY, now=due + DAY) == 2
    (found,) = claim(store, NOW + 20 * DAY)
    assert found.editions == names(0, 1, 2, 6)


def test_what_was_tried_or_goes_to_others_is_not_moved(store: Store) -> None:
    number = reader(store).id
    other = reader(store, "bob@example.org").id
    at = issue(store, 0)
    store.claim(now=at, holder="dead", limit=1)
    store.recover_in_doubt(holder="me", now=at, resend=True)
    assert store.reschedule(number, lambda issued_at: issued_at + DAY, now=at) == 0
    assert {delivery.subscriber.id for delivery in claim(store, at)} == {number, other}


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("issue"), st.integers(0, 5)),
            st.tuples(st.just("claim"), st.sampled_from(["accepted", "deferred", "skipped", "release"])),
            st.tuples(st.just("move"), st.integers(0, 5)),
        ),
        max_size=12,
    )
)
def test_no_edition_is_lost_or_mailed_twice_whatever_happens(
    empty_sqlite: Path, tmp_path: Path, steps: list[tuple[str, int | str]]
) -> None:
    (tmp_path / "digest.db").write_bytes(empty_sqlite.read_bytes())
    (tmp_path / "digest.db-wal").unlink(missing_ok=True)
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as store:
        number, done, issued = reader(store).id, [], []
        for day, (what, value) in enumerate(steps):
            now = NOW + day * DAY + HOUR
            if what == "issue":
                issue(store, day, due=int(value) * DAY)
                issued.append(f"{TODAY + day * DAY}")
            elif what == "move":
                store.reschedule(number, lambda at, days=int(value): at + days * DAY, now=now)  # type: ignore[misc]
            else:
                done += settle(store, now, str(value))
        for _ in range(2):
            done += settle(store, NOW + 99 * DAY, "accepted")
        assert sorted(done) == issued


def settle(store: Store, now: datetime, how: str) -> list[str]:
    """Claims what is due, and what went out of it."""
    found = claim(store, now)
    if how == "release":
        store.release(found, now=now)
        return []
    receipt = Receipt(status=how)  # type: ignore[arg-type]
    store.record_receipts([(delivery, receipt, now + HOUR) for delivery in found], now=now)
    return [] if how == "deferred" else [name for delivery in found for name in delivery.editions]


# --- a run that died


def test_what_was_claimed_and_never_begun_is_queued_as_if_nothing_had_been(store: Store) -> None:
    for n in range(3):
        reader(store, f"r{n}@example.org")
    at = issue(store, 0)
    one, two, _ = before = store.claim(now=at, holder="dead", limit=3)
    found = store.recover_in_doubt(holder="me", now=at, resend=False, untouched=[one.id, two.id, 999])
    assert (found, counts(store)) == (1, {"queued": 2, "sending": 1})
    assert claim(store, at) == before[:2], "the same attempt, the same Message-ID"
    assert store.recover_in_doubt(holder="me", now=at, resend=True, untouched=[one.id]) == 1
    assert [(d.id, d.attempt) for d in claim(store, at)] == [(before[2].id, 2)], "what I hold is not touched"


# --- at the same time, and at what cost


def test_who_left_in_one_process_is_not_claimed_by_another(store: Store, store_url: str) -> None:
    numbers = [reader(store, f"r{n}@example.org").id for n in range(40)]
    at = issue(store, 0)
    left: list[int] = []
    claimed_later: list[int] = []

    def leave() -> None:
        with open_store(store_url) as web:
            for number in numbers[::2]:
                web.leave(number, now=at)
                left.append(number)  # its page says so from here on

    thread = threading.Thread(target=leave)
    thread.start()
    while True:
        gone = set(left)
        found = claim(store, at, limit=1)
        if not found:
            break
        claimed_later += [delivery.subscriber.id for delivery in found if delivery.subscriber.id in gone]
        store.record_receipts([(found[0], ACCEPTED, None)], now=at)
    thread.join()
    assert claimed_later == []
    assert sum(counts(store).values()) == 40
    assert counts(store)["accepted"] >= 20


def test_a_batch_of_receipts_and_the_next_claim_cost_a_handful_of_statements(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as store:
        with store.together():
            for n in range(120):
                reader(store, f"r{n}@example.org")
        found = claim(store, issue(store, 0), limit=50)
        said: list[str] = []
        store._db._connection.set_trace_callback(said.append)  # type: ignore[attr-defined]
        late = NOW - DAY
        again = store.record_receipts(
            [(delivery, ACCEPTED, None) for delivery in found],
            now=NOW + DAY,
            claim=50,
            holder="me",
            older_than=late,
        )
        assert len(again) == 50
        assert len(said) <= 8, said


def test_what_is_late_is_found_without_looking_at_every_mail_that_ever_was(tmp_path: Path) -> None:
    queries = load_queries("sqlite")
    used = {
        "queued_deliveries": "deliveries_queued",
        "due_deliveries": "deliveries_deferred",
        "expire_deliveries": "deliveries_queued",
        "expire_joined": "deliveries_joined",
        "count_in_doubt": "deliveries_sending",
        "next_due": "deliveries_queued",
        "due_letters": "letters_asked",
        "due_notices": "letters_waiting",
        "next_letters": "letters_asked",
        "next_notices": "letters_waiting",
        "renew_notice": "letters_notices",
        "has_notice": "letters_notices",
    }
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as store, store._db.reading():
        for name, index in used.items():
            fields = dict.fromkeys(re.findall(r":(\w+)", queries[name]), 1)
            plan = [row[3] for row in store._db.execute(f"EXPLAIN QUERY PLAN {queries[name]}", fields)]
            assert any(index in step for step in plan), (name, plan)
            assert not [step for step in plan if re.fullmatch(r"SCAN (d|l|deliveries|letters)", step)], (
                name,
                plan,
            )
