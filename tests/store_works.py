"""Papers, editions and readers of our own, in a store: light to import, since workers of tests are processes that begin with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from digest.model import Candidate, Decision, Edition, Entry, Paper, Section, Subscriber
from digest.store import Planned, Store

NOW = datetime(2026, 11, 19, 6, 0, tzinfo=UTC)
TODAY = date(2026, 11, 19)


def paper(title: str = "Tidal Memory", **facts: object) -> Paper:
    return Paper(**({"key": "", "title": title} | facts))  # type: ignore[arg-type]


def sight(
    store: Store,
    *papers: Paper,
    source: str = "list",
    days: float = 0,
    listed_on: date | None = None,
    followers: tuple[str, ...] = ("daily",),
    updates: tuple[str, ...] = (),
) -> list[str]:
    """The statuses of the papers of one listing, fetched so many days after NOW."""
    found = store.record_sightings(
        source,
        papers,
        now=NOW + timedelta(days=days),
        listed_on=listed_on,
        followers=followers,
        updates_for=set(updates),
    )
    assert [sighting.paper for sighting in found] == list(papers)
    return [sighting.status for sighting in found]


def titles(candidates: list[Candidate]) -> list[str]:
    return [candidate.paper.title for candidate in candidates]


def edition(
    store: Store,
    candidates: list[Candidate],
    *,
    digest: str = "daily",
    day: date = TODAY,
    part: int = 1,
    days: float = 0,
) -> Edition:
    entries = tuple(
        Entry(
            paper=c.paper,
            guid=f"tag:example.org,2026:{c.paper.key}",
            anchor=f"p{n}",
            change=c.change,
            source=c.source,
        )
        for n, c in enumerate(candidates)
    )
    return Edition(
        id=f"{day}" if part == 1 else f"{day}/{part}",
        digest=digest,
        title="Tides and Kilns",
        date=day,
        part=part,
        number=store.next_number(digest),
        issued_at=NOW + timedelta(days=days),
        guid=f"tag:example.org,2026:{digest}/{day}/{part}",
        picks=entries[:1],
        sections=(Section(name="Rest", slug="rest", entries=entries[1:]),),
    )


def envelope(subscriber: Subscriber) -> Planned:
    return Planned(message_id=f"<{subscriber.id}@example.org>", date=NOW, due_at=NOW)


def issue(
    store: Store,
    *,
    digest: str = "daily",
    day: date = TODAY,
    part: int = 1,
    days: float = 0,
    keep: Callable[[Candidate], bool] = lambda candidate: True,
) -> Edition:
    """Issues what waits, as a run would."""
    waiting = store.waiting(digest)
    decisions = [
        Decision(paper_id=c.paper_id, kept=keep(c), reason="topic" if keep(c) else "excluded")
        for c in waiting
    ]
    made = edition(store, [c for c in waiting if keep(c)], digest=digest, day=day, part=part, days=days)
    store.issue(made, decisions, envelope)
    return made
