# ruff: noqa: F811 - fixtures are imported by name
"""The contract of the store for the inbox, held on every database: choices, hours, letters, leaving and erasing."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.errors import StoreError
from digest.model import Decision, Delivery, Letter, Preferences, Receipt, Subscriber
from digest.store import Planned, Store, open_store
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    edition,
    empty_sqlite,
    paper,
    postgres_url,
    sight,
    store,
    store_url,
)

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
ACCEPTED = Receipt(status="accepted", reply_code=250, enhanced_code="2.0.0", text="OK")
SKIPPED = Receipt(status="skipped")
DEFERRED = Receipt(status="deferred", reply_code=451)
CHOSEN = Preferences(topics=("tides",), frequency="weekly", hour=7, mute=("kilns",), text_only=True)


def reader(store: Store, address: str = "ada@example.org", **facts: object) -> Subscriber:
    return store.add_subscriber(address, **({"digests": (), "now": NOW} | facts))[0]  # type: ignore[arg-type]


def pending(store: Store, address: str = "ada@example.org", *, now: datetime = NOW) -> Subscriber:
    return store.add_pending(address, digests=("daily",), preferences=CHOSEN, consent="form 2026-11", now=now)


def status(store: Store, number: int) -> str:
    found = store.subscriber_by_id(number)
    return found.status if found else "gone"


def issue(
    store: Store,
    day: int,
    *,
    digest: str = "daily",
    part: int = 1,
    due: timedelta = timedelta(),
    skip: int = 0,
) -> datetime:
    """Issues an edition so many days after the first, due so much later, to all but the subscriber `skip`; when it was."""
    sight(store, paper(f"Of {digest} {day} {part}"), followers=(digest,), days=day)
    at = NOW + day * DAY + part * timedelta(minutes=1)
    made = edition(
        store,
        store.waiting(digest),
        digest=digest,
        day=TODAY + day * DAY,
        part=part,
        days=day + part / 1440,
    )

    def planned(subscriber: Subscriber) -> Planned | None:
        if subscriber.id == skip:
            return None
        message_id = f"<{digest}.{day}.{part}.{subscriber.id}@example.org>"
        return Planned(message_id=message_id, date=at + due, due_at=at + due)

    store.issue(made, [], planned)
    for candidate in store.waiting(digest):
        store.drop(digest, [Decision(paper_id=candidate.paper_id, kept=False, reason="shown")])
    return at


def claim(
    store: Store, now: datetime, *, limit: int = 100, older_than: datetime | None = None
) -> list[Delivery]:
    return store.claim(now=now, holder="me", limit=limit, older_than=older_than)


def counts(store: Store, day: int | None = None) -> dict[str, int]:
    found = store.delivery_counts(edition=None if day is None else ("daily", f"{TODAY + day * DAY}"))
    return {name: count for name, count in found.items() if count}


def names(*days: int) -> tuple[str, ...]:
    return tuple(f"{TODAY + day * DAY}" for day in days)


# --- the secret, and what is remembered without being kept


def test_the_secret_of_a_store_never_changes(store: Store, store_url: str) -> None:
    secret = store.secret()
    assert len(secret) == 32
    assert store.secret() == secret
    with open_store(store_url) as again:
        assert again.secret() == secret


def test_two_processes_that_ask_first_get_the_same_secret(store: Store, store_url: str) -> None:
    ready, found = threading.Barrier(4), set()

    def ask() -> None:
        with open_store(store_url) as own:
            ready.wait()
            found.add(own.secret())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {store.secret()}


def test_how_often_an_address_was_asked_is_known_in_every_spelling(store: Store) -> None:
    assert store.asked("ada@example.org") == (0, None)
    store.note_asked("ada@example.org", now=NOW)
    store.note_asked(" Ada@Example.ORG", now=NOW + HOUR)
    assert store.asked("ada@example.org") == (2, NOW + HOUR)
    assert store.asked("bob@example.org") == (0, None)


def test_failures_of_one_day_count_once_and_fade(store: Store) -> None:
    number = reader(store).id
    week = timedelta(days=7)

    def failed(at: datetime) -> float:
        return store.add_score(number, 1.0, now=at, half_life=week)

    assert failed(NOW) == 1.0
    assert failed(NOW + HOUR) == 1.0
    assert failed((NOW + timedelta(hours=17)).astimezone(timezone(timedelta(hours=9)))) == 1.0
    assert failed(NOW + week) == pytest.approx(1.5)
    assert failed(NOW + 2 * week) == pytest.approx(1.75)
    assert failed(NOW) == pytest.approx(2.75), "a clock that was set back forgives nothing"
    assert store.add_score(number + 1, 1.0, now=NOW, half_life=week) == 0.0


# --- to subscribe


def test_who_asks_is_pending_until_they_confirm(store: Store) -> None:
    asked = pending(store)
    assert (asked.status, asked.digests, asked.preferences, asked.consent, asked.since) == (
        "pending",
        ("daily",),
        CHOSEN,
        "form 2026-11",
        NOW,
    )
    assert len(asked.nonce) == 16
    assert store.subscriber_by_id(asked.id) == asked
    issue(store, 0)
    assert counts(store) == {}
    assert store.confirm_subscriber(asked.id, now=NOW + HOUR)
    assert not store.confirm_subscriber(asked.id, now=NOW + 2 * HOUR)
    known = store.subscriber("ada@example.org")
    assert known is not None
    assert (known.status, known.since, known.changed_at, known.nonce) == (
        "confirmed",
        NOW + HOUR,
        NOW + HOUR,
        asked.nonce,
    )
    assert not store.confirm_subscriber(known.id + 1, now=NOW)


def test_asking_again_changes_the_choices_of_who_is_pending_or_has_left(store: Store) -> None:
    first = pending(store)
    again = store.add_pending(
        "ADA@example.org", digests=(), preferences=Preferences(), consent="form 2", now=NOW + HOUR
    )
    assert (again.id, again.nonce, again.address) == (first.id, first.nonce, "ADA@example.org")
    assert (again.digests, again.preferences, again.consent, again.since) == (
        (),
        Preferences(),
        "form 2",
        NOW + HOUR,
    )
    store.leave(first.id, now=NOW + 2 * HOUR)
    assert pending(store, now=NOW + 3 * HOUR).status == "pending"


def test_asking_for_an_address_changes_nothing_for_who_is_on_the_list_or_suppressed(store: Store) -> None:
    known = reader(store)
    assert pending(store) == known
    store.set_choices(known.id, digests=(), preferences=CHOSEN, paused_until=TODAY + DAY, now=NOW)
    assert pending(store).status == "paused"
    store.suppress_subscriber(known.id, "bounced", now=NOW)
    assert pending(store).status == "suppressed"
    assert not store.confirm_subscriber(known.id, now=NOW)


def test_to_confirm_forgets_how_often_was_asked_and_an_earlier_erasure(store: Store) -> None:
    reader(store)
    store.erase_subscriber("ada@example.org", now=NOW)
    store.note_asked("ada@example.org", now=NOW)
    number = pending(store).id
    assert store.suppression("ada@example.org") is not None
    store.confirm_subscriber(number, now=NOW)
    assert store.suppression("ada@example.org") is None
    assert store.asked("ada@example.org") == (0, None)


def test_who_never_answers_is_forgotten(store: Store) -> None:
    old, new, back = (
        pending(store),
        pending(store, "bob@example.org", now=NOW + DAY),
        reader(store, "eva@example.org"),
    )
    issue(store, 0)
    store.leave(back.id, now=NOW)
    pending(store, "eva@example.org")
    store.queue_letter(old.id, "confirm", message_id="<1@example.org>", now=NOW)
    store.note_asked("ada@example.org", now=NOW)
    assert store.expire_pending(older_than=NOW + HOUR) == 2
    assert (status(store, old.id), status(store, new.id)) == ("gone", "pending")
    assert status(store, back.id) == "unsubscribed", "who had mail of us keeps the links in it"
    assert store.next_letter() is None
    assert store.asked("ada@example.org") == (1, NOW)
    assert store.expire_pending(older_than=NOW + HOUR) == 0


def test_an_operator_adds_with_choices_and_the_time_of_consent(store: Store) -> None:
    added = reader(store, digests=("daily",), preferences=CHOSEN, since=NOW - 9 * DAY, consent="import")
    assert (added.preferences, added.since, added.consent, added.changed_at) == (
        CHOSEN,
        NOW - 9 * DAY,
        "import",
        NOW,
    )
    again, is_new = store.add_subscriber(
        "ada@example.org", digests=("weekly",), preferences=Preferences(), consent="operator", now=NOW + DAY
    )
    assert not is_new
    assert (again.digests, again.preferences, again.consent) == (("daily", "weekly"), CHOSEN, "import")


def test_an_operator_confirms_who_is_pending_and_leaves_a_pause_alone(store: Store) -> None:
    asked = pending(store)
    added, is_new = store.add_subscriber("ada@example.org", digests=(), now=NOW + DAY)
    assert (added.id, added.status, added.since, added.preferences, is_new) == (
        asked.id,
        "confirmed",
        NOW + DAY,
        CHOSEN,
        True,
    )
    store.set_choices(asked.id, digests=(), preferences=CHOSEN, paused_until=TODAY + DAY, now=NOW)
    added, is_new = store.add_subscriber("ada@example.org", digests=(), now=NOW + DAY)
    assert (added.status, added.paused_until, is_new) == ("paused", TODAY + DAY, False)


@pytest.mark.parametrize("how", ["bounced", "complained", "erased"])
def test_a_suppressed_address_is_not_added_until_it_is_allowed(store: Store, how: str) -> None:
    number = reader(store).id
    if how == "erased":
        store.erase_subscriber("ada@example.org", now=NOW)
    else:
        assert store.suppress_subscriber(number, how, now=NOW)  # type: ignore[arg-type]
    found = store.suppression("ADA@example.org")
    assert found is not None
    assert (found.reason, found.since) == (how, NOW)
    with pytest.raises(StoreError, match=r"`digest subscribers allow ada@example\.org`"):
        reader(store)
    assert store.allow_address("ADA@example.org", now=NOW)
    assert not store.allow_address("ada@example.org", now=NOW)
    assert store.suppression("ada@example.org") is None
    assert status(store, number) == ("gone" if how == "erased" else "unsubscribed")
    assert reader(store).status == "confirmed"


def test_a_suppression_outlives_its_row(store: Store) -> None:
    number = reader(store).id
    store.suppress_subscriber(number, "complained", now=NOW)
    assert not store.suppress_subscriber(number, "bounced", now=NOW + DAY)
    store.erase_subscriber("ada@example.org", now=NOW + DAY)
    found = store.suppression("ada@example.org")
    assert found is not None
    assert (found.reason, found.since) == ("complained", NOW)
    assert not store.suppress_subscriber(number, "bounced", now=NOW)


# --- to choose, to pause


def test_choices_are_changed_for_readers_alone(store: Store) -> None:
    number = reader(store).id
    assert store.set_choices(
        number, digests=("b", "a", "b"), preferences=CHOSEN, paused_until=None, now=NOW + DAY
    )
    known = store.subscriber_by_id(number)
    assert known is not None
    assert (known.digests, known.preferences, known.status, known.changed_at) == (
        ("b", "a"),
        CHOSEN,
        "confirmed",
        NOW,
    )
    store.leave(number, now=NOW)
    assert not store.set_choices(number, digests=(), preferences=Preferences(), paused_until=None, now=NOW)
    asked = pending(store, "bob@example.org")
    assert not store.set_choices(asked.id, digests=(), preferences=CHOSEN, paused_until=TODAY, now=NOW)


def test_a_pause_ends_on_its_day(store: Store) -> None:
    number, other = reader(store).id, reader(store, "bob@example.org").id
    store.set_choices(number, digests=(), preferences=CHOSEN, paused_until=TODAY + 3 * DAY, now=NOW)
    store.set_choices(other, digests=(), preferences=CHOSEN, paused_until=TODAY + 9 * DAY, now=NOW)
    paused = store.subscriber_by_id(number)
    assert paused is not None
    assert (paused.status, paused.paused_until) == ("paused", TODAY + 3 * DAY)
    issue(store, 1)
    assert counts(store) == {}
    assert store.resume_paused(TODAY + 2 * DAY, now=NOW) == 0
    assert store.resume_paused(TODAY + 4 * DAY, now=NOW + 4 * DAY) == 1
    back = store.subscriber_by_id(number)
    assert back is not None
    assert (back.status, back.paused_until, back.changed_at) == ("confirmed", None, NOW + 4 * DAY)
    assert store.set_choices(other, digests=(), preferences=CHOSEN, paused_until=None, now=NOW)
    assert status(store, other) == "confirmed"


def test_who_pauses_gets_nothing_that_comes_due_meanwhile(store: Store) -> None:
    number = reader(store).id
    at = issue(store, 0, due=HOUR)
    store.set_choices(number, digests=(), preferences=CHOSEN, paused_until=TODAY + DAY, now=NOW)
    assert claim(store, at + HOUR) == []
    assert counts(store) == {"suppressed": 1}


# --- hours


def test_a_delivery_waits_for_its_hour(store: Store) -> None:
    reader(store)
    at = issue(store, 0, due=HOUR)
    assert store.next_due() == at + HOUR
    assert claim(store, at + HOUR - timedelta(microseconds=1)) == []
    assert store.claim(now=at, holder="me", limit=9, address="ada@example.org") == []
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


# --- one mail with several editions


def weekly(store: Store) -> tuple[int, datetime]:
    """A reader with three editions that go out in one mail on the fifth day, and when that is."""
    number = reader(store).id
    for day in range(3):
        at = issue(store, day, due=(5 - day) * DAY)
    return number, at + 3 * DAY


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
    assert [counts(store, day) for day in range(3)] == [{"joined": 1}, {"joined": 1}, {"accepted": 1}]
    at = issue(store, 7, due=DAY)
    (found,) = claim(store, at + DAY)
    assert found.editions == names(7), "what went out does not go out again"


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


def test_a_deferred_mail_keeps_all_its_editions(store: Store) -> None:
    _, due = weekly(store)
    (found,) = claim(store, due)
    store.record_receipts([(found, DEFERRED, due + HOUR)], now=due)
    issue(store, 6, due=6 * DAY)
    (again,) = claim(store, due + DAY)
    assert (again.id, again.editions, again.attempt) == (found.id, names(0, 1, 2), 2)
    store.release([again], now=due + DAY)
    (again,) = claim(store, due + DAY)
    assert again.editions == names(0, 1, 2)


def test_who_leaves_gets_none_of_what_was_joined(store: Store) -> None:
    number, due = weekly(store)
    store.leave(number, now=due)
    assert counts(store) == {"suppressed": 3}


def test_editions_joined_to_a_mail_that_is_never_made_end_with_it(store: Store) -> None:
    number, due = weekly(store)
    store.set_choices(number, digests=("kilns",), preferences=CHOSEN, paused_until=None, now=due)
    assert claim(store, due) == []
    assert counts(store) == {"suppressed": 3}


def test_editions_joined_to_a_late_mail_expire_with_it(store: Store) -> None:
    _, due = weekly(store)
    assert store.expire(now=due + 2 * DAY, older_than=due + DAY) == 1
    assert counts(store) == {"expired": 3}


def test_editions_joined_to_a_late_mail_expire_with_it_at_the_claim_and_in_doubt(store: Store) -> None:
    _, due = weekly(store)
    assert claim(store, due + 2 * DAY, older_than=due + DAY) == []
    assert counts(store) == {"expired": 3}
    issue(store, 9, due=DAY)
    at = issue(store, 10)
    assert len(claim(store, at)) == 1
    assert store.expire(now=at + 2 * DAY, older_than=at + DAY, holder="you") == 1
    assert counts(store) == {"expired": 5}, "with the one that had waited for it"


def test_editions_joined_to_a_mail_that_was_skipped_or_refused_stay_with_it(store: Store) -> None:
    _, due = weekly(store)
    (found,) = claim(store, due)
    store.record_receipts([(found, SKIPPED, None)], now=due)
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


def test_what_was_tried_or_goes_to_others_is_not_moved(store: Store) -> None:
    number = reader(store).id
    other = reader(store, "bob@example.org").id
    at = issue(store, 0)
    store.claim(now=at, holder="dead", limit=1, address="ada@example.org")
    store.recover_in_doubt(holder="me", now=at, resend=True)
    assert store.reschedule(number, lambda issued_at: issued_at + DAY, now=at) == 0
    assert {delivery.subscriber.id for delivery in claim(store, at)} == {number, other}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


# --- letters


def letters(store: Store, now: datetime = NOW, holder: str = "me") -> list[Letter]:
    return store.claim_letters(now=now, holder=holder, limit=10)


def letter(store: Store, who: Subscriber, kind: str = "confirm", now: datetime = NOW) -> bool:
    return store.queue_letter(who.id, kind, message_id=f"<{kind}.{who.id}@example.org>", now=now)  # type: ignore[arg-type]


def test_one_letter_of_a_kind_waits_at_a_time(store: Store) -> None:
    asked = pending(store)
    assert letter(store, asked)
    assert not letter(store, asked, now=NOW + HOUR)
    assert store.next_letter() == NOW
    (found,) = letters(store)
    assert (found.kind, found.subscriber, found.message_id, found.date, found.attempt) == (
        "confirm",
        asked,
        f"<confirm.{asked.id}@example.org>",
        NOW,
        1,
    )
    assert not letter(store, asked), "nor while one is on its way"
    assert letters(store) == letters(store, holder="you") == []
    store.record_letter(found.id, "accepted", now=NOW)
    assert store.next_letter() is None
    assert letter(store, asked)


def test_a_letter_is_tried_again_when_it_is_due(store: Store) -> None:
    letter(store, pending(store))
    (found,) = letters(store)
    store.record_letter(found.id, "queued", retry_at=NOW + HOUR, now=NOW)
    assert (store.next_letter(), letters(store)) == (NOW + HOUR, [])
    (again,) = letters(store, NOW + HOUR)
    assert (again.id, again.message_id, again.date, again.attempt) == (
        found.id,
        found.message_id,
        found.date,
        2,
    )
    store.record_letter(found.id, "rejected", now=NOW)
    assert letters(store, NOW + 2 * HOUR) == []
    store.record_letter(found.id, "queued", now=NOW)
    assert letters(store, NOW + 2 * HOUR) == [], "rejected is final"


def test_a_letter_that_a_dead_process_took_is_sent_by_another(store: Store) -> None:
    letter(store, pending(store))
    letters(store, holder="dead")
    assert letters(store, NOW + timedelta(minutes=10)) == []
    due = store.next_letter()
    assert due is not None
    (found,) = letters(store, due)
    assert found.attempt == 2
    store.record_letter(found.id, "accepted", now=due)
    assert store.next_letter() is None


def test_a_letter_that_nobody_needs_any_more_expires(store: Store) -> None:
    asked, known, old = pending(store), reader(store, "bob@example.org"), pending(store, "eva@example.org")
    letter(store, asked)
    letter(store, known, "known")
    letter(store, old, now=NOW - timedelta(hours=48, seconds=1))
    store.confirm_subscriber(asked.id, now=NOW)
    store.leave(known.id, now=NOW)
    assert letters(store) == []
    assert store.next_letter() is None


def test_letters_come_in_the_order_in_which_they_are_due_and_no_more_than_asked_for(store: Store) -> None:
    for n in range(5):
        letter(store, pending(store, f"r{n}@example.org"), now=NOW + n * timedelta(seconds=1))
    first = store.claim_letters(now=NOW + HOUR, holder="me", limit=2)
    assert [one.subscriber.address for one in first] == ["r0@example.org", "r1@example.org"]
    assert len(letters(store, NOW + timedelta(seconds=3))) == 2


# --- to leave


@pytest.mark.parametrize("before", ["confirmed", "paused", "pending"])
def test_leaving_is_at_once_and_harmless_when_repeated(store: Store, before: str) -> None:
    number = (pending(store) if before == "pending" else reader(store)).id
    if before == "paused":
        store.set_choices(number, digests=(), preferences=CHOSEN, paused_until=TODAY + DAY, now=NOW)
    assert store.leave(number, now=NOW + HOUR)
    assert not store.leave(number, now=NOW + 2 * HOUR)
    gone = store.subscriber_by_id(number)
    assert gone is not None
    assert (gone.status, gone.changed_at, gone.paused_until) == ("unsubscribed", NOW + HOUR, None)
    assert not store.leave(number + 1, now=NOW)


def test_leaving_can_be_taken_back(store: Store) -> None:
    known = reader(store)
    assert not store.return_subscriber(known.id, now=NOW)
    store.leave(known.id, now=NOW + HOUR)
    assert store.return_subscriber(known.id, now=NOW + 2 * HOUR)
    back = store.subscriber_by_id(known.id)
    assert back is not None
    assert (back.status, back.since, back.changed_at) == ("confirmed", known.since, NOW + 2 * HOUR)
    store.suppress_subscriber(known.id, "bounced", now=NOW)
    assert not store.return_subscriber(known.id, now=NOW)


def test_a_suppressed_reader_gets_nothing_that_was_queued(store: Store) -> None:
    number, due = weekly(store)
    assert store.suppress_subscriber(number, "bounced", now=due)
    assert counts(store) == {"suppressed": 3}
    assert not store.leave(number, now=due)
    assert status(store, number) == "suppressed"


# --- to be erased


def test_who_is_erased_is_unknown_and_their_number_is_never_given_again(store: Store) -> None:
    reader(store)
    other = reader(store, "bob@example.org")
    issue(store, 0)
    letter(store, other, "known")
    store.note_asked("bob@example.org", now=NOW)
    last = max(delivery.id for delivery in claim(store, NOW + DAY))
    (held,) = letters(store)
    assert store.erase_subscriber("BOB@example.org", now=NOW) == [
        f"<daily.0.1.{other.id}@example.org>",
        f"<known.{other.id}@example.org>",
    ]
    assert store.subscriber("bob@example.org") is None
    assert store.subscriber_by_id(other.id) is None
    assert store.deliveries_of(other.id) == []
    assert store.asked("bob@example.org") == (0, None)
    assert store.erase_subscriber("bob@example.org", now=NOW) is None
    new = reader(store, "eva@example.org")
    assert new.id > other.id
    letter(store, new, "known")
    (found,) = claim(store, issue(store, 1), limit=1)
    assert found.id > last, "nor those of their mails, which may stand in a journal"
    assert letters(store)[0].id > held.id


def test_who_is_forgotten_leaves_their_number_unused(store: Store) -> None:
    first = pending(store)
    store.expire_pending(older_than=NOW + HOUR)
    assert pending(store).id > first.id
    assert pending(store).nonce != first.nonce


def test_a_receipt_for_who_was_erased_meanwhile_changes_nothing(store: Store) -> None:
    reader(store)
    (found,) = claim(store, issue(store, 0))
    store.erase_subscriber("ada@example.org", now=NOW)
    assert store.record_receipts([(found, ACCEPTED, None)], now=NOW) == []
    store.release([found], now=NOW)
    assert counts(store) == {}


def test_an_erasure_that_is_undone_leaves_everything(store: Store) -> None:
    number = reader(store).id
    with store.rehearsal():
        assert store.erase_subscriber("ada@example.org", now=NOW) == []
        assert status(store, number) == "gone"
    assert status(store, number) == "confirmed"
    with pytest.raises(ZeroDivisionError), store.together():
        store.erase_subscriber("ada@example.org", now=NOW)
        raise ZeroDivisionError
    assert status(store, number) == "confirmed"
    assert store.suppression("ada@example.org") is None


def test_the_mails_to_a_reader_are_listed_for_them(store: Store) -> None:
    number, due = weekly(store)
    store.record_receipts([(claim(store, due)[0], ACCEPTED, None)], now=due)
    assert (
        store.deliveries_of(number)
        == [
            (f"{TODAY}", "daily", "joined", due),
            (f"{TODAY + DAY}", "daily", "joined", due),
            (f"{TODAY + 2 * DAY}", "daily", "accepted", due),
        ]
        or store.deliveries_of(number)[2][2] == "accepted"
    )


def bytes_beside(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


def address_of(n: int) -> str:
    """Addresses that come in no order, so that pages are split in the middle."""
    return f"{sha256(b'%d' % n).hexdigest()[:10]}-{n:04}@example.org"


def lived_in(folder: Path, count: int) -> Store:
    """A store with so many readers who wrote their addresses in several ways, and have mails, letters and bounces."""
    opened = open_store(f"sqlite:///{folder / 'digest.db'}")
    for n in range(count):
        reader(opened, address_of(n), preferences=CHOSEN if n % 3 else None)
    issue(opened, 0)
    with opened.together():
        dice = Random(7)
        for _ in range(count * 8):  # rows that grow move to other pages, and leave their bytes in the gaps
            chosen = Preferences(follow=("x" * dice.randrange(1500),))
            opened.set_choices(
                dice.randrange(count) + 1, digests=(), preferences=chosen, paused_until=None, now=NOW
            )
    for n in range(0, count, 2):
        opened.leave(n + 1, now=NOW)
        opened.add_pending(
            address_of(n).upper(),
            digests=("daily",),
            preferences=Preferences(),
            consent="form 2026-11",
            now=NOW,
        )
        opened.queue_letter(n + 1, "confirm", message_id=f"<{n}@example.org>", now=NOW)
        opened.note_asked(address_of(n), now=NOW)
    for n, delivery in enumerate(claim(opened, NOW + DAY, limit=count)):
        text = f"5.2.2 <{delivery.subscriber.address}>: mailbox of {delivery.subscriber.address} is full"
        receipt = Receipt(status="rejected" if n % 2 else "deferred", reply_code=552, text=text)
        opened.record_receipts([(delivery, receipt, NOW + DAY)], now=NOW)
        opened.add_score(delivery.subscriber.id, 1.0, now=NOW, half_life=7 * DAY)
        if n % 7 == 0:
            opened.suppress_subscriber(delivery.subscriber.id, "bounced", now=NOW)
    return opened


def test_no_byte_of_who_was_erased_is_left_in_any_file(tmp_path: Path) -> None:
    with lived_in(tmp_path, 200) as store:
        gone = [address_of(n) for n in range(0, 200, 4)]
        left = bytes_beside(tmp_path).lower()
        assert all(address.encode() in left for address in gone)
        for address in gone:
            assert store.erase_subscriber(address, now=NOW) is not None
        left = bytes_beside(tmp_path).lower()
        assert [address for address in gone if address.encode() in left] == []
        assert [n for n in range(200) if n % 4 and address_of(n).encode() not in left] == []
        assert len(store.subscribers()) == 150
        assert store.check() == []
        assert store.add_subscriber("new@example.org", digests=(), now=NOW)[0].id == 201
        with pytest.raises(StoreError), store._db.writing():
            store._db.execute("DELETE FROM subscribers", {})  # keys to other tables are heeded again
    assert not any(address.encode() in bytes_beside(tmp_path).lower() for address in gone)


def test_several_are_erased_together_and_leave_no_byte(tmp_path: Path) -> None:
    with lived_in(tmp_path, 60) as store:
        gone = [address_of(n) for n in range(0, 60, 2)]
        with store.together():
            for address in gone:
                store.erase_subscriber(address, now=NOW)
        left = bytes_beside(tmp_path).lower()
        assert not any(address.encode() in left for address in gone)
        assert store.check() == []


def test_who_never_answered_leaves_no_byte_either(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as store:
        pending(store)
        reader(store, "bob@example.org")
        assert b"ada@" in bytes_beside(tmp_path)
        store.expire_pending(older_than=NOW + DAY)
        assert b"ada@" not in bytes_beside(tmp_path)
        assert b"bob@" in bytes_beside(tmp_path)


def test_what_a_reader_of_the_file_kept_is_wiped_the_next_day(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "digest.db"
    with open_store(f"sqlite:///{path}", busy_timeout_s=0.05) as store:
        reader(store)
        reader(store, "bob@example.org")
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN")
            assert other.execute("SELECT COUNT(*) FROM subscribers").fetchone() == (2,)
            assert store.erase_subscriber("ada@example.org", now=NOW) == []
            assert store.subscriber("ada@example.org") is None
            assert b"ada@" in bytes_beside(tmp_path)
        assert "later" in caplog.text
        assert "ada@" not in caplog.text
    with open_store(f"sqlite:///{path}") as store:
        store.expire_pending(older_than=NOW - DAY)
        assert b"ada@" not in bytes_beside(tmp_path)
        assert store.subscribers()[0].address == "bob@example.org"


def test_the_copies_of_a_store_are_named(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as store:
        assert store.copies() == []
        (tmp_path / "digest.db.before-3").write_bytes(b"")
        assert store.copies() == [tmp_path / "digest.db.before-3"]
