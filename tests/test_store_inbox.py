# ruff: noqa: F811 - fixtures are imported by name
"""The contract of the store for the inbox, held on every database: subscribing, choices, letters and leaving."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone

import pytest
from msgspec.structs import replace

from digest.errors import StoreError
from digest.model import Letter, Preferences
from digest.store import Store, open_store
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    store,
    store_url,
)
from store_inbox import (
    ACCEPTED,
    CHOSEN,
    DAY,
    HOUR,
    SKIPPED,
    claim,
    counts,
    issue,
    letter,
    letters,
    pending,
    reader,
    status,
    weekly,
)

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


def test_who_confirms_answers_for_nobody_else_who_was_asked(store: Store) -> None:
    asked, other = pending(store), pending(store, "bob@example.org")
    store.confirm_subscriber(asked.id, now=NOW)
    assert store.subscriber_by_id(other.id) == other


def test_to_confirm_lifts_no_suppression_but_an_erasure(store: Store) -> None:
    store.suppress_subscriber(reader(store).id, "complained", now=NOW)
    store.erase_subscriber("ada@example.org", now=NOW)
    store.confirm_subscriber(pending(store).id, now=NOW)
    found = store.suppression("ada@example.org")
    assert found is not None and found.reason == "complained"


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


def test_who_left_before_any_mail_and_is_asked_by_a_stranger_has_left_still(store: Store) -> None:
    number = pending(store).id
    store.confirm_subscriber(number, now=NOW)
    store.leave(number, now=NOW)
    for days in range(2):
        pending(store, now=NOW + days * DAY)
        assert store.expire_pending(older_than=NOW + (days + 1) * DAY) == 1
        assert status(store, number) == "unsubscribed"


def test_who_agreed_after_they_had_left_and_is_on_the_list_has_not_left(store: Store) -> None:
    for come_back in (
        lambda number: store.confirm_subscriber(pending(store).id, now=NOW),
        lambda number: store.return_subscriber(number, now=NOW),
        lambda number: reader(store),
    ):
        number = reader(store).id
        store.leave(number, now=NOW)
        come_back(number)
        assert status(store, number) == "confirmed"
        with store._db.writing():
            store._db.execute("UPDATE subscribers SET status = 'pending'", {})
        store.expire_pending(older_than=NOW + DAY)
        assert status(store, number) == "gone"


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


# --- letters


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
    assert letter(store, asked, "known"), "one of another kind is not in its way"


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
    store.put_back_letters([found], now=due)
    assert store.next_letter() is None, "what was accepted stays so, whoever held it besides"


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


# --- notices

WISH = Preferences(empty=True)


def notice(store: Store, day: int = 0, *, digest: str = "daily", due: timedelta = timedelta()) -> int:
    at = NOW + day * DAY
    return store.queue_notices(
        digest,
        TODAY + day * DAY,
        due=lambda preferences: at + due,
        message_id=lambda number: f"<notice.{day}.{number}@example.org>",
        now=at,
    )


def notices(store: Store, now: datetime = NOW) -> list[Letter]:
    return store.claim_notices(
        now=now, holder="me", limit=10, heard_since=lambda preferences, due: due - timedelta(hours=12)
    )


def test_a_notice_goes_to_those_who_wish_it_and_read_the_digest_once_for_a_day(store: Store) -> None:
    assert not store.has_wishers()
    reader(store, "ada@example.org", preferences=WISH)
    reader(store, "bob@example.org", preferences=Preferences(mute=('"empty":true',)))
    reader(store, "eve@example.org", preferences=WISH, digests=("coast",))
    pending(store, "new@example.org")
    assert store.has_wishers()
    assert [notice(store) for _ in range(2)] == [1, 0]
    (found,) = notices(store)
    assert (found.kind, found.digest, found.day, found.date) == ("notice", "daily", TODAY, NOW)
    assert found.subscriber.address == "ada@example.org"
    store.record_letter(found.id, "accepted", now=NOW)
    assert (notice(store), notice(store, 1)) == (0, 1)


def test_a_notice_that_waits_speaks_of_the_last_day(store: Store) -> None:
    reader(store, preferences=replace(WISH, frequency="weekly"))
    assert [notice(store, day, due=(5 - day) * DAY) for day in range(3)] == [1, 0, 0]
    assert notices(store, NOW + 4 * DAY) == []
    (found,) = notices(store, NOW + 5 * DAY)
    assert (found.day, found.date) == (TODAY + 2 * DAY, NOW + 5 * DAY)


@pytest.mark.parametrize("state", ["queued", "joined", "accepted", "skipped"])
def test_who_gets_an_edition_after_all_gets_no_notice(store: Store, state: str) -> None:
    reader(store, preferences=WISH)
    assert notice(store, due=9 * HOUR) == 1
    if state == "joined":
        issue(store, 0, due=2 * DAY)
        issue(store, 1, due=DAY)
    else:
        at = issue(store, 0, due=HOUR if state != "queued" else DAY)
        for found in claim(store, at + HOUR):
            store.record_receipts(
                [(found, ACCEPTED if state == "accepted" else SKIPPED, None)], now=at + HOUR
            )
    assert notices(store, NOW + 10 * HOUR) == []
    assert store.next_letter(notices=True) is None


def test_the_edition_of_another_reader_takes_no_notice_back(store: Store) -> None:
    wisher = reader(store, preferences=WISH)
    reader(store, "bob@example.org")
    assert notice(store, due=9 * HOUR) == 1
    issue(store, 0, due=DAY, skip=wisher.id)
    assert len(notices(store, NOW + 10 * HOUR)) == 1


def test_an_edition_of_another_digest_or_of_the_day_before_takes_no_notice_back(store: Store) -> None:
    reader(store, preferences=WISH)
    for digest, day in (("daily", 0), ("coast", 1)):
        for found in claim(store, issue(store, day, digest=digest)):
            store.record_receipts([(found, ACCEPTED, None)], now=NOW)
    assert notice(store, 1) == 1
    assert len(notices(store, NOW + DAY)) == 1


def test_letters_that_somebody_waits_for_do_not_wait_for_notices(store: Store) -> None:
    for n in range(3):
        reader(store, f"r{n}@example.org", preferences=WISH)
    notice(store)
    letter(store, pending(store, "new@example.org"), now=NOW + HOUR)
    assert (store.next_letter(), store.next_letter(notices=True)) == (NOW + HOUR, NOW)
    assert [one.kind for one in letters(store, NOW + HOUR)] == ["confirm"]
    assert [one.kind for one in notices(store, NOW + HOUR)] == ["notice"] * 3


def test_a_notice_whose_moment_has_come_is_about_its_own_day(store: Store) -> None:
    reader(store, preferences=WISH)
    assert notice(store, due=DAY) == 1
    assert notice(store, 1, due=DAY) == 1  # the first is due, and not on its way yet
    (found,) = notices(store, NOW + DAY)
    assert found.day == TODAY
    store.record_letter(found.id, "accepted", now=NOW + DAY)
    (found,) = notices(store, NOW + 2 * DAY)
    assert found.day == TODAY + DAY


def test_notices_that_nobody_wants_any_more_keep_no_other_from_going(store: Store) -> None:
    for n in range(30):
        number = reader(store, f"r{n}@example.org", preferences=WISH).id
        if n < 25:
            notice(store)
            store.leave(number, now=NOW)
    notice(store)
    assert len(notices(store)) == 5
    assert store.next_letter(notices=True) is not None


def test_the_hour_that_a_reader_chooses_is_that_of_the_notice_that_waits(store: Store) -> None:
    number = reader(store, preferences=WISH).id
    notice(store, due=9 * HOUR)
    assert store.next_notice_of(number) == NOW + 9 * HOUR
    store.reschedule_notices(number, lambda at: at + 3 * HOUR, now=NOW + HOUR)
    assert store.next_notice_of(number) == NOW + 4 * HOUR
    (found,) = notices(store, NOW + 4 * HOUR)
    assert found.date == NOW + 4 * HOUR
    assert store.next_notice_of(number) is None


def test_the_hour_of_a_reader_moves_no_notice_that_was_tried_is_due_or_is_anothers(store: Store) -> None:
    tried, due, other = (reader(store, f"r{n}@example.org", preferences=WISH).id for n in range(3))
    notice(store)
    for found in notices(store):
        if found.subscriber.id == tried:
            store.record_letter(found.id, "queued", retry_at=NOW + 2 * HOUR, now=NOW)
        else:
            store.record_letter(found.id, "accepted", now=NOW)
    notice(store, 1, due=HOUR - DAY)
    for number in (tried, due):
        store.reschedule_notices(number, lambda at: at + 9 * HOUR, now=NOW + HOUR)
    # Of `tried` both stay, of `due` the one whose moment is now, and of `other` nothing was asked.
    waiting = {number: store.next_notice_of(number) for number in (tried, due, other)}
    assert waiting == dict.fromkeys((tried, due, other), NOW + HOUR)
    claimed = notices(store, NOW + 2 * HOUR)
    assert sorted((one.subscriber.id, one.day - TODAY) for one in claimed) == [
        (tried, 0 * DAY),
        (tried, DAY),
        (due, DAY),
        (other, DAY),
    ]


def test_a_letter_that_a_reader_asked_for_is_not_moved_to_the_hour_of_their_notices(store: Store) -> None:
    asked = pending(store)
    letter(store, asked, now=NOW + HOUR)
    assert store.next_notice_of(asked.id) is None
    store.reschedule_notices(asked.id, lambda at: at + DAY, now=NOW)
    assert store.next_letter() == NOW + HOUR


def test_of_several_notices_the_next_is_told_and_the_earliest_goes_first(store: Store) -> None:
    number = reader(store, preferences=WISH).id
    for n, digest in enumerate(("daily", "coast", "hills")):
        notice(store, digest=digest, due=(3 - n) * HOUR)
    assert store.next_notice_of(number) == NOW + HOUR
    (first,) = store.claim_notices(
        now=NOW + DAY, holder="me", limit=1, heard_since=lambda preferences, due: due
    )
    assert (first.digest, store.next_notice_of(number)) == ("hills", NOW + 2 * HOUR)
    assert [one.digest for one in notices(store, NOW + DAY)] == ["coast", "daily"]


def test_notices_of_one_moment_go_in_the_order_in_which_they_were_queued(store: Store) -> None:
    for n in range(3):
        reader(store, f"r{n}@example.org", preferences=WISH)
    notice(store)
    assert [one.subscriber.address[:2] for one in notices(store)] == ["r0", "r1", "r2"]


def test_the_letters_of_a_reader_are_told_oldest_first_whatever_became_of_them(store: Store) -> None:
    who = pending(store)
    letter(store, who)
    (found,) = letters(store)
    letter(store, who, "known", now=NOW - HOUR)  # by a clock that was set back
    store.record_letter(found.id, "accepted", now=NOW)
    assert [kind for kind, _, _, _ in store.letters_of(who.id)] == ["confirm", "known"]


def test_notices_are_told_to_who_asks_for_their_data_and_are_erased_with_them(store: Store) -> None:
    number = reader(store, preferences=WISH).id
    notice(store)
    assert store.letters_of(number) == [("notice", "daily", "queued", NOW)]
    assert store.erase_subscriber("ada@example.org", now=NOW) == [f"<notice.0.{number}@example.org>"]
    assert notices(store) == [] and store.letters_of(number) == []


def test_the_next_mail_of_a_reader_is_that_which_waits(store: Store) -> None:
    number = reader(store).id
    assert store.next_due_of(number) is None
    at = issue(store, 0, due=9 * HOUR)
    assert store.next_due_of(number) == at + 9 * HOUR
    assert store.next_due_of(number + 1) is None


def test_the_next_mail_of_a_reader_is_the_earliest_that_waits_and_none_that_went_out(store: Store) -> None:
    number, other = reader(store).id, reader(store, "bob@example.org").id
    gone = issue(store, 0)
    for found in claim(store, gone):
        store.record_receipts([(found, ACCEPTED, None)], now=gone)
    late = issue(store, 1, due=9 * HOUR, skip=other)
    early = issue(store, 1, digest="coast", due=3 * HOUR, skip=other)
    assert (store.next_due_of(number), store.next_due_of(other)) == (early + 3 * HOUR, None)
    claim(store, early + 3 * HOUR)
    assert store.next_due_of(number) == late + 9 * HOUR


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
