"""A process that uses a store in a way a test chose: `python store_worker.py WHAT URL …`; it is there to be killed, or to race."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from digest.errors import LeaseHeld
from digest.model import Decision, Receipt
from digest.process import this_process
from digest.store import ReadingRow, Store, open_store, page_hash
from store_works import NOW, TODAY, edition, envelope, paper, sight


def die_at(store: Store, statement: int) -> None:
    """Kills this process (SIGKILL) before the statement of this number, counted from now, reaches the database."""
    left = [statement]
    execute, execute_many = store._db.execute, store._db.execute_many

    def count() -> None:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(sql: str, params: Mapping[str, object]) -> Any:
        count()
        return execute(sql, params)

    def counted_many(sql: str, params: Sequence[Mapping[str, object]]) -> None:
        count()
        execute_many(sql, params)

    commit = store._db.commit

    def counted_commit() -> None:
        count()
        commit()

    store._db.execute, store._db.execute_many, store._db.commit = counted, counted_many, counted_commit  # type: ignore[method-assign]


def reading(body: bytes) -> ReadingRow:
    return ReadingRow(
        run_at=NOW,
        position=1,
        source="list",
        kind="huggingface",
        location="https://example.org/papers",
        base_url="https://example.org/papers",
        content_type="text/html",
        listed_on=TODAY,
        fetched_at=NOW,
        page=page_hash(body),
        outcome="new",
        stated=1,
        sections={},
        parsed=1,
        new=1,
        updated=0,
        seen=0,
        failed=0,
        why="",
    )


def step(store: Store, what: str) -> None:
    """One transaction of a day."""
    if what == "record":
        sight(store, paper("Tidal Memory"), paper("Dating Kilns", ids={"arxiv": "2407.10001"}), days=1)
    elif what == "issue":
        waiting = store.waiting("daily")
        decisions = [Decision(paper_id=c.paper_id, kept=True, reason="") for c in waiting]
        store.issue(edition(store, waiting), decisions, envelope)
    elif what == "claim":
        store.claim(now=NOW, holder="victim", limit=2)
    elif what == "receipts":
        claimed = store.claim(now=NOW, holder="victim", limit=1)
        store.record_receipts(
            [(claimed[0], Receipt(status="accepted"), None)], now=NOW, claim=1, holder="victim"
        )
    elif what == "reading":
        body = b"<li>Tidal Memory</li>"
        store.record_reading(reading(body), body=body, keep=True)
    elif what == "remove":
        store.remove_subscriber("r1@example.org", now=NOW)
    elif what == "lease":
        store.acquire_lease("run", "victim", now=NOW, ttl_s=60, is_dead=lambda holder: False)
    elif what == "ledger":
        store.finish_run(store.start_run("daily", TODAY, now=NOW), now=NOW, status="done", report=b"{}")


def take_turns(store: Store, holder: str, count: int, gap_us: int) -> list[tuple[int, int]]:
    """When each turn began and ended, in microseconds of the clock that all processes of a machine share."""
    turns: list[tuple[int, int]] = []
    while len(turns) < count:
        wait = store.take_turn("example.org", holder=holder, now=datetime.now(UTC), ttl_s=600)
        if wait:
            time.sleep(min(wait, 0.005))
            continue
        begun = datetime.now(UTC)
        over = datetime.now(UTC)
        store.end_turn("example.org", holder=holder, now=over, free_at=over + timedelta(microseconds=gap_us))
        turns.append((round(begun.timestamp() * 1e6), round(over.timestamp() * 1e6)))
    return turns


def main(what: str, url: str, *more: str) -> None:
    if what == "race":
        sys.stdin.readline()  # all start at once
        with open_store(url) as store:
            try:
                store.acquire_lease(
                    "run", more[0], now=NOW + timedelta(0), ttl_s=600, is_dead=lambda holder: False
                )
                print("won")
            except LeaseHeld:
                print("lost")
    elif what == "turns":
        sys.stdin.readline()
        with open_store(url) as store:
            print(json.dumps(take_turns(store, more[0], int(more[1]), int(more[2]))))
    elif what == "hold":
        with open_store(url) as store:
            assert store.take_turn("export.example.org", holder=this_process(), now=NOW, ttl_s=60) == 0
            print("holds", flush=True)
            sys.stdin.readline()
    elif what == "open":
        sys.stdin.readline()
        open_store(url).close()
        print("opened")
    else:
        with open_store(url) as store:
            store.recover_in_doubt(holder="next", now=NOW, resend=True)
            die_at(store, int(more[0]))
            step(store, what)
            print("done")


if __name__ == "__main__":
    main(*sys.argv[1:])
