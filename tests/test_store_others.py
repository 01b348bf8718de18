# ruff: noqa: F811 - fixtures are imported by name
"""What is asked, answered or sent for one reader changes nothing for another, held on every database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from digest.model import Preferences, Receipt, Subscriber
from digest.store import Store
from store_contract import NOW, TODAY, store, store_url  # noqa: F401
from store_inbox import ACCEPTED, CHOSEN, DAY, DEFERRED, HOUR, claim, issue, letter, letters, pending, reader

WISH = Preferences(empty=True)
ADA, BOB = "ada@example.org", "bob@example.org"


def due(issued_at: datetime) -> datetime:
    return NOW + 9 * DAY


def left(store: Store, address: str) -> Subscriber:
    one = reader(store, address)
    store.leave(one.id, now=NOW)
    return one


def suppressed(store: Store, address: str) -> Subscriber:
    one = reader(store, address)
    store.suppress_subscriber(one.id, "complained", now=NOW)
    return one


def erased(store: Store, address: str) -> Subscriber:
    one = reader(store, address)
    store.erase_subscriber(address, now=NOW)
    return one


def erased_and_asked(store: Store, address: str) -> Subscriber:
    erased(store, address)
    store.note_asked(address, now=NOW)
    asked = pending(store, address)
    letter(store, asked)
    return asked


def with_mail(store: Store, address: str) -> Subscriber:
    """A reader for whom editions, a notice and a letter wait, once all are there."""
    one = reader(store, address, preferences=WISH, digests=("daily",))
    letter(store, one, "known", now=NOW + HOUR)
    return one


def seen(store: Store, who: Subscriber) -> tuple[object, ...]:
    """All that the store says of a reader."""
    return (
        store.subscriber_by_id(who.id),
        store.deliveries_of(who.id),
        store.letters_of(who.id),
        (store.next_due_of(who.id), store.next_notice_of(who.id)),
        (store.left_as_reader(who.id), store.had_left(who.id)),
        (store.suppression(who.address), store.asked(who.address)),
        store.add_score(who.id, 0.0, now=NOW, half_life=DAY),
    )


Act = Callable[[Store, Subscriber], object]
# What becomes of one of two who stand alike.
ACTS: dict[str, tuple[Callable[[Store, str], Subscriber], Act]] = {
    "confirms": (erased_and_asked, lambda store, who: store.confirm_subscriber(who.id, now=NOW + HOUR)),
    "leaves": (with_mail, lambda store, who: store.leave(who.id, now=NOW + HOUR)),
    "comes back": (left, lambda store, who: store.return_subscriber(who.id, now=NOW + HOUR)),
    "asks again": (left, lambda store, who: pending(store, who.address, now=NOW + HOUR)),
    "is added": (left, lambda store, who: reader(store, who.address, now=NOW + HOUR)),
    "is suppressed": (
        with_mail,
        lambda store, who: store.suppress_subscriber(who.id, "bounced", now=NOW + HOUR),
    ),
    "fails": (with_mail, lambda store, who: store.add_score(who.id, 1.0, now=NOW + DAY, half_life=DAY)),
    "is allowed": (suppressed, lambda store, who: store.allow_address(who.address, now=NOW + HOUR)),
    "chooses": (
        with_mail,
        lambda store, who: store.set_choices(
            who.id, digests=("coast",), preferences=CHOSEN, paused_until=TODAY + DAY, now=NOW + HOUR
        ),
    ),
    "takes another digest": (with_mail, lambda store, who: reader(store, who.address, digests=("coast",))),
    "moves its mail": (with_mail, lambda store, who: store.reschedule(who.id, due, now=NOW + HOUR)),
    "moves its notice": (with_mail, lambda store, who: store.reschedule_notices(who.id, due, now=NOW + HOUR)),
    "is erased": (with_mail, lambda store, who: store.erase_subscriber(who.address, now=NOW + HOUR)),
    "is asked": (erased_and_asked, lambda store, who: store.note_asked(who.address, now=NOW + HOUR)),
}


@pytest.mark.parametrize("act", ACTS)
def test_what_one_does_changes_nothing_for_another(store: Store, act: str) -> None:
    make, do = ACTS[act]
    one, other = make(store, ADA), make(store, BOB)
    issue(store, 0, due=4 * DAY)
    issue(store, 1, due=3 * DAY)
    facts = {"due": lambda preferences: NOW + 9 * HOUR, "message_id": lambda n: f"<n.{n}@x>", "now": NOW}
    store.queue_notices("daily", TODAY, **facts)  # type: ignore[arg-type]
    before, others = seen(store, one), seen(store, other)
    do(store, one)
    assert seen(store, one) != before
    assert seen(store, other) == others


@pytest.mark.parametrize(
    ("said", "again"), [(ACCEPTED, None), (DEFERRED, NOW + DAY), (Receipt(status="rejected"), None)]
)
def test_the_answer_to_one_mail_is_noted_of_that_mail_alone(
    store: Store, said: Receipt, again: datetime | None
) -> None:
    reader(store, ADA)
    other = reader(store, BOB)
    first, second = claim(store, issue(store, 0))
    before = seen(store, other)
    store.record_receipts([(first, said, again)], now=NOW + HOUR)
    assert seen(store, other) == before
    store.release([second], now=NOW + HOUR)
    (found,) = claim(store, NOW + HOUR, limit=5)
    assert (found.id, found.attempt) == (second.id, 1)


@pytest.mark.parametrize("fate", ["accepted", "rejected", "queued", "put back"])
def test_what_becomes_of_one_letter_sends_no_other_again(store: Store, fate: str) -> None:
    for address in (ADA, BOB):
        letter(store, pending(store, address))
    first, second = letters(store)
    if fate == "put back":
        store.put_back_letters([first], now=NOW)
    else:
        store.record_letter(first.id, fate, now=NOW)  # type: ignore[arg-type]
    assert second.id not in {one.id for one in letters(store, NOW + timedelta(minutes=5))}
    assert letters(store, NOW + timedelta(minutes=11))[-1].id == second.id, "it was left, and is tried again"
