"""Readers, editions that wait for their hour, and letters, for the tests of the inbox in the store."""

from __future__ import annotations

from datetime import datetime, timedelta

from digest.model import Decision, Delivery, Letter, Preferences, Receipt, Subscriber
from digest.store import Planned, Store
from store_contract import NOW, TODAY, edition, paper, sight

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


def counts(store: Store) -> dict[str, int]:
    return {name: count for name, count in store.delivery_counts().items() if count}


def names(*days: int) -> tuple[str, ...]:
    return tuple(f"{TODAY + day * DAY}" for day in days)


def letters(store: Store, now: datetime = NOW, holder: str = "me") -> list[Letter]:
    return store.claim_letters(now=now, holder=holder, limit=10)


def letter(store: Store, who: Subscriber, kind: str = "confirm", now: datetime = NOW) -> bool:
    return store.queue_letter(who.id, kind, message_id=f"<{kind}.{who.id}@example.org>", now=now)  # type: ignore[arg-type]


def weekly(store: Store) -> tuple[int, datetime]:
    """A reader with three editions that go out in one mail on the fifth day, and when that is."""
    number = reader(store).id
    for day in range(3):
        at = issue(store, day, due=(5 - day) * DAY)
    return number, at + 3 * DAY
