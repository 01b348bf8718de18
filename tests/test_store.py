# ruff: noqa: F811 - fixtures are imported by name
"""The contract of the store, held on every database: editions, subscribers, deliveries, leases and the ledger."""

from __future__ import annotations

import re
import threading
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from digest.errors import LeaseHeld, StoreError
from digest.model import Decision, Delivery, Receipt
from digest.store import Store, database, open_store
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    edition,
    envelope,
    issue,
    paper,
    sight,
    store,
    store_url,
    titles,
)

TOMORROW = TODAY + timedelta(days=1)


def readers(store: Store, *addresses: str, digests: tuple[str, ...] = ()) -> None:
    for address in addresses:
        store.add_subscriber(address, digests=digests, now=NOW)


def claim(store: Store, limit: int = 10, holder: str = "me", now: datetime = NOW) -> list[Delivery]:
    return store.claim(now=now, holder=holder, limit=limit)


def queued(store: Store, count: int = 3) -> list[str]:
    addresses = [f"r{n}@example.org" for n in range(count)]
    readers(store, *addresses)
    sight(store, paper())
    issue(store)
    return addresses


ACCEPTED = Receipt(status="accepted", reply_code=250, enhanced_code="2.0.0", text="OK")
REJECTED = Receipt(status="rejected", reply_code=550, enhanced_code="5.1.1", text="no such user\0")
DEFERRED = Receipt(status="deferred", reply_code=451)


# --- editions


def test_an_edition_comes_back_as_it_was_issued(store: Store) -> None:
    sight(store, paper("Tidal Memory", upvotes=7), paper("Dating Kilns"))
    issued = issue(store)
    assert store.edition("daily", TODAY) == issued
    assert store.edition("daily", TODAY, 2) is None
    assert store.edition("weekly", TODAY) is None
    assert store.latest_editions("daily", limit=1) == [issued]


def test_sqlite_gives_an_edition_as_bytes_which_are_read_as_they_are(tmp_path: Path) -> None:
    """As a text it would be decoded by the driver, and encoded again to be read: a fortieth of a daily run (2026-11)."""
    with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        sight(store, paper("Gezeitengedächtnis μ"))
        issued = issue(store)
        asked = {"digest": "daily", "date": TODAY.isoformat(), "part": 1}
        with store._db.reading():
            found = [
                store._db.value("edition", **asked),
                store._db.rows("latest_editions", digest="daily", limit=1, since="9999-99-99")[0][0],
                store._db.rows("editions_after", digest="daily", date="", part=0, limit=1)[0][2],
                store._db.rows("editions_to_index", after=0, limit=1)[0][2],
            ]
        assert [type(snapshot) for snapshot in found] == [bytes] * 4
        assert [*store.all_editions("daily")] == [issued]


def test_an_edition_stays_frozen_when_its_papers_change(store: Store) -> None:
    sight(store, paper(upvotes=1))
    issued = issue(store)
    sight(store, paper(upvotes=99), days=1)
    assert store.edition("daily", TODAY) == issued


def test_what_is_issued_waits_no_more(store: Store) -> None:
    sight(store, paper("Tidal Memory"), paper("Dating Kilns"), followers=("daily", "weekly"))
    issue(store, keep=lambda candidate: candidate.paper.title == "Tidal Memory")
    assert store.count_waiting("daily") == 0
    assert titles(store.waiting("weekly")) == ["Tidal Memory", "Dating Kilns"]


def test_papers_that_come_after_the_edition_wait_for_the_next(store: Store) -> None:
    sight(store, paper("Tidal Memory"))
    issue(store)
    sight(store, paper("Dating Kilns"))
    assert titles(store.waiting("daily")) == ["Dating Kilns"]
    assert store.next_part("daily", TODAY) == 2
    assert [entry.paper.title for entry in issue(store, part=2).entries] == ["Dating Kilns"]


def test_candidates_wait_in_the_order_in_which_they_were_found(store: Store) -> None:
    sight(store, paper("B"), paper("A"), days=1)
    sight(store, paper("C"), days=0.5)
    assert titles(store.waiting("daily")) == ["C", "B", "A"]


def test_a_date_and_part_are_issued_only_once(store: Store) -> None:
    addresses = queued(store)
    sight(store, paper("Dating Kilns"))
    waiting = store.waiting("daily")
    again = edition(store, waiting)
    with pytest.raises(StoreError, match="already"):
        store.issue(again, [Decision(paper_id=waiting[0].paper_id, kept=True, reason="")], envelope)
    assert titles(store.waiting("daily")) == ["Dating Kilns"]
    assert store.delivery_counts() == {"queued": len(addresses)}
    assert [entry.paper.title for made in store.all_editions("daily") for entry in made.entries] == [
        "Tidal Memory"
    ]


def test_a_paper_is_issued_only_once(store: Store) -> None:
    sight(store, paper())
    waiting = store.waiting("daily")
    issue(store)
    again = edition(store, waiting, part=2)
    with pytest.raises(StoreError, match="issued before"):
        store.issue(again, [Decision(paper_id=waiting[0].paper_id, kept=True, reason="")], envelope)
    assert store.edition("daily", TODAY, 2) is None


def test_an_envelope_that_fails_leaves_nothing_behind(store: Store) -> None:
    readers(store, "a@example.org", "b@example.org")
    sight(store, paper())
    made = edition(store, store.waiting("daily"))

    def fails(subscriber: object) -> tuple[str, datetime]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.issue(made, [], fails)
    assert store.edition("daily", TODAY) is None
    assert store.delivery_counts() == {}
    assert store.count_waiting("daily") == 1
    assert issue(store).count == 1


def test_dropped_candidates_wait_no_more_although_no_edition_came_of_it(store: Store) -> None:
    sight(store, paper("Tidal Memory"), paper("Dating Kilns"))
    waiting = store.waiting("daily")
    store.drop("daily", [Decision(paper_id=waiting[0].paper_id, kept=False, reason="excluded: tides")])
    assert titles(store.waiting("daily")) == ["Dating Kilns"]


def test_numbers_and_parts_count_on(store: Store) -> None:
    assert (store.next_number("daily"), store.next_part("daily", TODAY)) == (1, 1)
    sight(store, paper("One"))
    issue(store)
    assert (store.next_number("daily"), store.next_part("daily", TODAY)) == (2, 2)
    assert (store.next_number("weekly"), store.next_part("daily", TOMORROW)) == (1, 1)


def test_editions_come_newest_first_or_oldest_first(store: Store) -> None:
    for n in range(45):
        sight(store, paper(f"Paper {n}"))
        issue(store, day=TODAY + timedelta(days=n // 2), part=n % 2 + 1)
    heads = store.edition_heads("daily")
    assert [(head.date, head.part) for head in heads] == sorted((head.date, head.part) for head in heads)
    assert [head.number for head in heads] == list(range(1, 46))
    assert [made.id for made in store.all_editions("daily")] == [head.id for head in heads]
    newest = [made.number for made in store.latest_editions("daily", limit=3)]
    assert newest == [45, 44, 43]
    since = store.latest_editions("daily", limit=3, since=TODAY + timedelta(days=20))
    assert [made.number for made in since] == [45, 44, 43, 42, 41]
    assert heads[1].id == f"{TODAY}/2"
    assert heads[1].papers == 1


def test_the_feeds_authority_never_changes(store: Store, store_url: str) -> None:
    assert store.feed_authority("papers.example.org,2026") == "papers.example.org,2026"
    assert store.feed_authority("moved.example.net,2027") == "papers.example.org,2026"
    with open_store(store_url) as again:
        assert again.feed_authority("x") == "papers.example.org,2026"


def test_texts_that_no_database_takes_stop_nothing_and_mean_the_same_tomorrow(store: Store) -> None:
    half = "\udce9"  # a byte of a file name that is no UTF-8, or half a character of JSON
    listing = [
        paper(
            f"Tides {half}",
            key=f"other:{half}",
            ids={"doi": f"10.1000/{half}", half: half},
            links={"abstract": f"https://papers.example.org/{half}"},
            abstract=f"Tides {half} " * 60,
            authors=(half,),
        ),
        paper("Kilns\0", ids={"doi": "10.1000/k\0"}),
        paper("Looms", links={"abstract": "https://doi.org/10.1000/%00looms"}),
    ]
    for status in ("new", "seen"):
        found = store.record_sightings(
            f"caf{half}.txt\0", listing, now=NOW, listed_on=TODAY, followers=["daily"], updates_for=set()
        )
        assert [sighting.status for sighting in found] == [status] * 3
    waiting = store.waiting("daily")
    assert [c.paper.title for c in waiting] == ["Tides \ufffd", "Kilns", "Looms"]
    assert {c.source for c in waiting} == {"caf\ufffd.txt"}
    assert issue(store).count == 3


def test_an_address_that_no_database_takes_is_found_again(store: Store) -> None:
    store.add_subscriber("caf\udce9\0@example.org", digests=[], now=NOW)
    assert store.subscriber("caf\udce9\0@example.org") == store.subscribers()[0]
    assert store.remove_subscriber("caf\udce9\0@example.org", now=NOW)


# --- subscribers


def test_an_address_is_one_in_any_spelling_and_kept_as_given(store: Store) -> None:
    added, is_new = store.add_subscriber(" Ada.Mere@Example.ORG ", digests=["daily"], now=NOW)
    assert (added.address, added.status, added.digests, added.since, is_new) == (
        "Ada.Mere@Example.ORG",
        "confirmed",
        ("daily",),
        NOW,
        True,
    )
    same, is_new = store.add_subscriber(
        "ada.mere@example.org", digests=["weekly"], now=NOW + timedelta(days=1)
    )
    assert (same.id, same.address, same.digests, same.since, is_new) == (
        added.id,
        added.address,
        ("daily", "weekly"),
        NOW,
        False,
    )
    assert store.subscriber("ADA.MERE@EXAMPLE.ORG") == same
    assert store.subscriber("other@example.org") is None


def test_an_international_domain_is_one_in_both_spellings(store: Store) -> None:
    store.add_subscriber("a@bücher.example", digests=[], now=NOW)
    assert store.subscriber("a@xn--bcher-kva.example") is not None


def test_who_left_is_kept_as_unsubscribed_and_may_come_back(store: Store) -> None:
    readers(store, "a@example.org")
    assert store.remove_subscriber("A@example.org", now=NOW)
    assert not store.remove_subscriber("a@example.org", now=NOW)
    assert not store.remove_subscriber("stranger@example.org", now=NOW)
    assert [reader.status for reader in store.subscribers()] == ["unsubscribed"]
    assert store.subscribers("confirmed") == []
    back, is_new = store.add_subscriber("a@example.org", digests=[], now=NOW + timedelta(days=9))
    assert (back.status, back.since, is_new) == ("confirmed", NOW + timedelta(days=9), True)


def test_an_edition_is_queued_for_the_confirmed_readers_of_its_digest(store: Store) -> None:
    readers(store, "all@example.org")
    readers(store, "daily@example.org", digests=("daily",))
    readers(store, "weekly@example.org", digests=("weekly",))
    readers(store, "left@example.org")
    store.remove_subscriber("left@example.org", now=NOW)
    sight(store, paper())
    issue(store)
    found = claim(store)
    assert [delivery.subscriber.address for delivery in found] == ["all@example.org", "daily@example.org"]
    assert [(d.digest, d.edition, d.attempt, d.date) for d in found] == [("daily", f"{TODAY}", 1, NOW)] * 2
    assert found[0].message_id == f"<{found[0].subscriber.id}@example.org>"


# --- deliveries


def test_a_delivery_is_claimed_once(store: Store) -> None:
    queued(store, 5)
    first, second = claim(store, 3), claim(store, 3, holder="you")
    assert (len(first), len(second), claim(store)) == (3, 2, [])
    assert store.delivery_counts() == {"sending": 5}


def test_a_receipt_is_recorded_and_the_next_claimed_in_one_step(store: Store) -> None:
    queued(store)
    (one,) = claim(store, 1)
    (two,) = store.record_receipts([(one, ACCEPTED, None)], now=NOW, claim=1, holder="me")
    assert one.id != two.id
    assert store.record_receipts([(two, REJECTED, None)], now=NOW) == []
    assert store.delivery_counts() == {"accepted": 1, "rejected": 1, "queued": 1}


def test_a_deferred_delivery_waits_for_its_time(store: Store) -> None:
    queued(store, 1)
    (one,) = claim(store)
    later = NOW + timedelta(minutes=30)
    assert store.next_due() is None
    store.record_receipts([(one, DEFERRED, later)], now=NOW)
    assert store.next_due() == later
    assert claim(store, now=later - timedelta(microseconds=1)) == []
    (again,) = claim(store, now=later.astimezone(timezone(timedelta(hours=9))))
    assert (again.id, again.attempt, again.message_id, again.date) == (one.id, 2, one.message_id, one.date)


def test_of_deferred_deliveries_those_go_first_that_are_due_first(store: Store) -> None:
    addresses = queued(store, 4)
    waits = dict(zip(addresses, (3, 1, 2, 1), strict=True))
    for delivery in claim(store):
        again = NOW + timedelta(hours=waits[delivery.subscriber.address])
        store.record_receipts([(delivery, DEFERRED, again)], now=NOW)
    in_turn = [claim(store, 1, now=NOW + timedelta(days=1))[0].subscriber.address for _ in addresses]
    assert in_turn == [addresses[n] for n in (1, 3, 2, 0)]


def test_who_leaves_gets_nothing_that_was_queued(store: Store) -> None:
    addresses = queued(store, 4)
    (deferred,) = claim(store, 1)
    store.record_receipts([(deferred, DEFERRED, NOW)], now=NOW)
    store.remove_subscriber(addresses[0], now=NOW)
    store.remove_subscriber(addresses[2], now=NOW)
    assert store.delivery_counts() == {"suppressed": 2, "queued": 2}
    assert [delivery.subscriber.address for delivery in claim(store)] == [addresses[1], addresses[3]]


def test_who_leaves_while_in_doubt_gets_nothing_again(store: Store) -> None:
    addresses = queued(store, 3)
    claim(store, holder="dead")
    store.remove_subscriber(addresses[0], now=NOW)
    assert store.recover_in_doubt(holder="me", now=NOW, resend=True) == 3
    assert [delivery.subscriber.address for delivery in claim(store, 1)] == [addresses[1]]
    assert store.delivery_counts() == {"suppressed": 1, "sending": 1, "queued": 1}


def test_what_was_released_is_queued_as_if_nothing_had_been(store: Store) -> None:
    queued(store)
    found = claim(store)
    store.release(found, now=NOW)
    assert store.delivery_counts() == {"queued": 3}
    assert claim(store) == found


def test_what_another_holder_left_is_sent_again_with_the_same_id_and_date(store: Store) -> None:
    queued(store, 2)
    before = claim(store, holder="dead")
    mine = claim(store, holder="me")
    assert mine == []
    assert store.recover_in_doubt(holder="dead", now=NOW, resend=True) == 0
    assert store.recover_in_doubt(holder="me", now=NOW, resend=False) == 2
    assert store.delivery_counts() == {"sending": 2}
    assert store.recover_in_doubt(holder="me", now=NOW, resend=True) == 2
    again = claim(store, holder="me")
    assert [(d.message_id, d.date) for d in again] == [(d.message_id, d.date) for d in before]
    assert [d.attempt for d in again] == [2, 2]


def test_an_accepted_message_stays_accepted_whoever_reports_it(store: Store) -> None:
    queued(store, 1)
    (slow,) = claim(store, holder="slow")
    store.recover_in_doubt(holder="me", now=NOW, resend=True)
    store.record_receipts([(slow, ACCEPTED, None)], now=NOW)
    assert claim(store) == []
    store.record_receipts([(slow, REJECTED, None)], now=NOW)
    assert store.delivery_counts() == {"accepted": 1}


def test_stale_mail_expires(store: Store) -> None:
    queued(store)
    (deferred, sending) = claim(store, 2)
    store.record_receipts([(deferred, DEFERRED, NOW)], now=NOW)
    assert store.expire(now=NOW, older_than=NOW) == 0
    assert store.expire(now=NOW, older_than=NOW + timedelta(seconds=1)) == 2
    assert store.expire(now=NOW, older_than=NOW, holder="other") == 0
    assert store.expire(now=NOW, older_than=NOW + timedelta(seconds=1), holder="me") == 0
    assert store.expire(now=NOW, older_than=NOW + timedelta(seconds=1), holder="other") == 1
    assert store.delivery_counts() == {"expired": 3}
    assert sending.attempt == 1


# --- leases and the ledger


def dead(holder: str) -> bool:
    return True


def alive(holder: str) -> bool:
    return False


def lease(store: Store, holder: str, *, now: datetime = NOW, ttl_s: float = 60, gone: bool = False) -> int:
    return store.acquire_lease("run", holder, now=now, ttl_s=ttl_s, is_dead=dead if gone else alive)


def test_a_lease_has_one_holder(store: Store) -> None:
    assert lease(store, "one") == 1
    with pytest.raises(LeaseHeld) as held:
        lease(store, "two")
    assert held.value.holder == "one"
    assert "one" in str(held.value)
    assert lease(store, "one", now=NOW + timedelta(seconds=30)) == 1
    store.acquire_lease("other", "two", now=NOW, ttl_s=60, is_dead=alive)


def test_an_expired_lease_is_taken_over_with_a_higher_fencing_number(store: Store) -> None:
    lease(store, "one")
    later = NOW + timedelta(seconds=60)
    assert lease(store, "two", now=later) == 2
    with pytest.raises(LeaseHeld, match="taken over by two"):
        store.renew_lease("run", "one", now=later, ttl_s=60)
    store.release_lease("run", "one")
    with pytest.raises(LeaseHeld):
        lease(store, "three", now=later)


def test_the_lease_of_a_dead_process_is_taken_over_at_once(store: Store) -> None:
    lease(store, "one")
    assert lease(store, "two", gone=True) == 2


def test_a_renewed_lease_does_not_expire(store: Store) -> None:
    lease(store, "one")
    store.renew_lease("run", "one", now=NOW + timedelta(seconds=50), ttl_s=60)
    with pytest.raises(LeaseHeld):
        lease(store, "two", now=NOW + timedelta(seconds=100))


def test_a_released_lease_is_free_and_its_fencing_number_goes_on(store: Store) -> None:
    lease(store, "one")
    store.release_lease("run", "one")
    assert lease(store, "two") == 2


def test_the_ledger_tells_which_days_are_done(store: Store) -> None:
    first = store.start_run("daily", TODAY, now=NOW)
    assert not store.run_done("daily", TODAY)
    store.finish_run(first, now=NOW + timedelta(minutes=1), status="failed", report=b"{}")
    assert not store.run_done("daily", TODAY)
    second = store.start_run("daily", TODAY, now=NOW)
    store.finish_run(second, now=NOW, status="degraded", report='{"é": 1}'.encode())
    assert store.run_done("daily", TODAY)
    assert not store.run_done("daily", TOMORROW)
    assert not store.run_done("weekly", TODAY)
    last, before = store.last_runs(2)
    assert (last.id, last.date, last.status, last.report.decode()) == (second, TODAY, "degraded", '{"é": 1}')
    assert before.finished_at == NOW + timedelta(minutes=1)
    store.start_run("daily", TOMORROW, now=NOW)
    assert store.last_runs(1)[0].finished_at is None


def test_a_run_that_was_killed_does_not_stay_running(store: Store) -> None:
    later = NOW + timedelta(hours=1)
    store.start_run("daily", TODAY, now=NOW)
    store.start_run("weekly", TODAY, now=NOW)
    assert [run.status for run in store.last_runs(9)] == ["running", "running"]
    done = store.start_run("daily", TODAY, now=later)
    store.finish_run(done, now=later, status="done", report=b"{}")
    assert [(run.status, run.finished_at) for run in store.last_runs(9)] == [
        ("done", later),
        ("failed", later),
        ("failed", later),
    ]


# --- the store as a whole


def test_what_was_written_is_there_when_the_store_is_opened_again(store: Store, store_url: str) -> None:
    queued(store)
    with open_store(store_url, create=False) as again:
        assert again.edition("daily", TODAY) == store.edition("daily", TODAY)
        assert again.delivery_counts() == {"queued": 3}


def test_a_rehearsal_can_be_read_back_and_leaves_nothing(store: Store) -> None:
    readers(store, "a@example.org")
    with store.rehearsal():
        sight(store, paper())
        issue(store)
        with pytest.raises(StoreError):
            store.issue(edition(store, []), [], envelope)
        assert store.next_part("daily", TODAY) == 2
        assert store.delivery_counts() == {"queued": 1}
    assert store.next_part("daily", TODAY) == 1
    assert store.delivery_counts() == {}
    assert sight(store, paper()) == ["new"]


def test_a_moment_without_a_time_zone_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="time zone"):
        store.start_run("daily", TODAY, now=datetime(2026, 11, 19, 6, 0))  # noqa: DTZ001
    assert store.last_runs(1) == []


def test_moments_come_back_in_utc(store: Store) -> None:
    berlin = timezone(timedelta(hours=1))
    store.start_run("daily", TODAY, now=datetime(2026, 11, 19, 7, 0, tzinfo=berlin))
    assert store.last_runs(1)[0].started_at == datetime(2026, 11, 19, 6, 0, tzinfo=UTC)
    assert store.last_runs(1)[0].started_at.utcoffset() == timedelta(0)


def test_threads_may_share_a_store(store: Store) -> None:
    def work(n: int) -> None:
        for m in range(5):
            sight(store, paper(f"Paper {n} {m}"), source=f"s{n}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count_waiting("daily") == 20


def test_every_query_is_read_by_aiosql_as_we_read_it() -> None:
    import aiosql

    folder = Path(database.__file__).parent / "queries"
    for dialect, driver in (("sqlite", "sqlite3"), ("postgres", "psycopg")):
        ours = database.load_queries(dialect)
        theirs = {}
        for path in (*folder.glob("*.sql"), *(folder / dialect).glob("*.sql")):
            queries = aiosql.from_path(path, driver)
            theirs |= {
                name: getattr(queries, name).sql
                for name in queries.available_queries
                if not name.endswith("_cursor")
            }
        assert set(ours) == set(theirs)
        if dialect == "sqlite":
            assert {name: squeezed(sql) for name, sql in ours.items()} == {
                name: squeezed(sql) for name, sql in theirs.items()
            }


def squeezed(sql: str) -> str:
    return re.sub(r"\s+", " ", sql).strip()


def test_every_query_is_used() -> None:
    code = "".join(path.read_text() for path in Path(database.__file__).parent.glob("*.py"))
    for dialect in ("sqlite", "postgres"):
        assert [name for name in database.load_queries(dialect) if f'"{name}"' not in code] == []


def test_both_databases_know_the_same_queries() -> None:
    """But for those of the engine, whose jobs are in PostgreSQL only."""
    queries = Path(database.__file__).parent / "queries" / "postgres"
    engine = (queries / "jobs.sql").read_text() + (queries / "engine.sql").read_text()
    of_engine = set(re.findall(r"^-- name: (\w+)", engine, flags=re.MULTILINE))
    sqlite, postgres = (set(database.load_queries(dialect)) for dialect in ("sqlite", "postgres"))
    assert of_engine and postgres == sqlite | of_engine and not sqlite & of_engine


def test_no_day_is_wrong_by_a_part(store: Store) -> None:
    sight(store, paper())
    issue(store, day=date(2026, 1, 2), part=1)
    assert store.delivery_counts() == {}
    assert [head.path for head in store.edition_heads("daily")] == ["2026/01/02/"]
