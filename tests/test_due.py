"""Mails are planned for the hour that each reader chose, in the transaction that issues the edition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from digest.config import Config, DigestConfig, SiteConfig
from digest.model import Delivery, Paper, Preferences, Receipt
from digest.pipeline.issue import issue
from digest.store import Store, open_store

DAILY = DigestConfig(name="daily", title="Paper Digest")
CONFIG = Config(site=SiteConfig(url="https://papers.example.org/", timezone="Europe/Berlin"), digest=(DAILY,))
MONDAY = datetime(2026, 11, 16, 6, 30, tzinfo=UTC)  # 07:30 in Berlin


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'digest.db'}") as opened:
        yield opened


def issue_on(store: Store, at: datetime) -> None:
    paper = Paper(key=f"title:{at.isoformat()}", title=f"A paper of {at:%A, the %d}")
    store.record_sightings("s", [paper], now=at, listed_on=None, followers=["daily"], updates_for=set())
    assert issue(DAILY, CONFIG, store, day=at.date(), now=at).edition is not None


def claim(store: Store, now: datetime) -> list[Delivery]:
    found = store.claim(now=now, holder="test", limit=100)
    receipts = [(delivery, Receipt(status="accepted", reply_code=250), None) for delivery in found]
    store.record_receipts(receipts, now=now)
    return found


def test_each_reader_gets_the_mail_at_their_hour(store: Store) -> None:
    wishes = {
        "now@example.org": Preferences(),
        "eight@example.org": Preferences(hour=8),
        "york@example.org": Preferences(hour=8, timezone="America/New_York"),
        "friday@example.org": Preferences(frequency="weekly", weekly_on=4, hour=6),
    }
    for address, preferences in wishes.items():
        store.add_subscriber(address, digests=(), preferences=preferences, now=MONDAY - timedelta(days=1))
    issue_on(store, MONDAY)
    due = {
        "now@example.org": MONDAY,
        "eight@example.org": datetime(2026, 11, 16, 7, 0, tzinfo=UTC),
        "york@example.org": datetime(2026, 11, 16, 13, 0, tzinfo=UTC),
        "friday@example.org": datetime(2026, 11, 20, 5, 0, tzinfo=UTC),
    }
    for address, at in due.items():
        if at > MONDAY:
            assert claim(store, at - timedelta(seconds=1)) == []
        assert store.next_due() == at
        (delivery,) = claim(store, at)
        assert (delivery.subscriber.address, delivery.due_at, delivery.date) == (address, at, at)
    assert store.next_due() is None


def test_who_wants_one_mail_a_week_gets_the_weeks_editions_in_it(store: Store) -> None:
    weekly = Preferences(frequency="weekly", weekly_on=4)
    store.add_subscriber("ann@example.org", digests=(), preferences=weekly, now=MONDAY - timedelta(days=1))
    for days in range(5):
        issue_on(store, MONDAY + timedelta(days=days))
        early = claim(store, MONDAY + timedelta(days=days))
        assert len(early) == (days == 4)
    (mail,) = early
    assert mail.editions == tuple(date(2026, 11, 16 + n).isoformat() for n in range(5))
    assert claim(store, MONDAY + timedelta(days=9)) == []


@pytest.mark.parametrize("hour", [7, 11, 16, 21])
@pytest.mark.parametrize(
    ("preferences", "days"),
    [
        (Preferences(frequency="weekly"), {4: 4}),
        (Preferences(frequency="weekdays"), dict.fromkeys(range(5), 4)),
        (Preferences(), dict.fromkeys(range(7), 4)),
    ],
    ids=["weekly", "weekdays", "daily"],
)
def test_who_chose_no_hour_gets_one_mail_on_each_of_their_days_whenever_the_edition_comes(
    store: Store, preferences: Preferences, days: dict[int, int], hour: int
) -> None:
    """With what waited since: four weeks of an edition a day, and a look each hour whether mail is due."""
    start = datetime(2026, 11, 16, tzinfo=UTC)
    store.add_subscriber("r@mail.example", digests=(), preferences=preferences, now=start)
    went: Counter[int] = Counter()
    for hours in range(28 * 24):
        now = start + timedelta(hours=hours)
        if now.hour == hour:
            issue_on(store, now)
        went.update(now.weekday() for _ in claim(store, now))
    assert went == days
