# ruff: noqa: F811 - fixtures are imported by name
"""What a run read can be read back: listings in their order, raw pages, what became of a source, the last answers, the ledger."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import examples
from digest.errors import StoreError
from digest.store import Answer, ReadingRow, SourceRun, Store, open_store, page_hash, readings
from store_contract import (  # noqa: F401
    NOW,
    TODAY,
    store,
    store_url,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BODY = b"<html>\xff\x00 a page of an unknown encoding</html>"


def row(position: int = 0, body: bytes = BODY, **facts: object) -> ReadingRow:
    known: dict[str, object] = {
        "run_at": NOW,
        "position": position,
        "source": "hf",
        "kind": "huggingface",
        "location": "https://example.org/papers/date/2026-11-19",
        "base_url": "https://example.org/papers",
        "content_type": "text/html; charset=utf-8",
        "listed_on": TODAY,
        "fetched_at": NOW,
        "page": page_hash(body),
        "outcome": "new",
        "stated": 12,
        "sections": {"new": 10, "cross": 2},
        "parsed": 12,
        "new": 9,
        "updated": 1,
        "seen": 2,
        "failed": 0,
        "why": "",
    }
    return ReadingRow(**(known | facts))  # type: ignore[arg-type]


def record(store: Store, reading: ReadingRow, body: bytes | None = BODY, *, keep: bool = True) -> ReadingRow:
    store.record_reading(reading, body=body, keep=keep)
    return reading


def source_run(days: float = 0, **facts: object) -> SourceRun:
    known: dict[str, object] = {
        "run_at": NOW + days * DAY,
        "source": "hf",
        "position": 3,
        "kind": "huggingface",
        "outcome": "suspect",
        "partial": True,
        "listed_on": TODAY,
        "stated": None,
        "parsed": 12,
        "new": 9,
        "updated": 1,
        "seen": 2,
        "dropped": 4,
        "failed": 0,
        "missing": {"abstract": 0.25, "authors": 0.0},
        "why": "3 papers where 12 are usual",
        "seconds": 1.25,
    }
    return SourceRun(**(known | facts))  # type: ignore[arg-type]


def answer(url: str = "https://example.org/rss", **facts: object) -> Answer:
    known: dict[str, object] = {
        "source": "feed",
        "url": url,
        "audience": "daily rss",
        "etag": '"a1"',
        "last_modified": "Thu, 19 Nov 2026 06:00:00 GMT",
        "page": page_hash(BODY),
        "next_url": f"{url}?page=2",
        "answered_at": NOW,
    }
    return Answer(**(known | facts))  # type: ignore[arg-type]


# --- listings


def readings_of(store: Store, run_at: datetime) -> list[ReadingRow]:
    return [row for row in store.readings_since(run_at) if row.run_at == run_at]


def test_a_run_is_read_back_in_the_order_in_which_it_read(store: Store) -> None:
    rows = [record(store, row(n, listed_on=TODAY - n * DAY)) for n in (2, 0, 1)]
    record(store, row(0, run_at=NOW + DAY))
    assert readings_of(store, NOW) == sorted(rows, key=lambda row: row.position)
    assert readings_of(store, NOW - DAY) == []


def test_a_listing_without_a_page_or_a_day_is_noted_too(store: Store) -> None:
    failed = row(
        listed_on=None, page="", outcome="unreachable", stated=None, sections={}, why="no answer in 30 s"
    )
    record(store, failed, None)
    assert readings_of(store, NOW) == [failed]


def test_texts_that_no_database_takes_do_not_hinder_the_proof(store: Store) -> None:
    record(store, row(location="a\0b\udcff", why="caf\xe9\ud83d", sections={"n\0ew": 3}))
    found = readings_of(store, NOW)[0]
    assert (found.location, found.why) == ("ab\ufffd", "caf\xe9\ufffd")
    assert list(found.sections.values()) == [3]


def test_a_page_may_state_any_number(store: Store) -> None:
    record(store, row(stated=10**20))
    store.record_source_run(source_run(stated=10**20))
    assert readings_of(store, NOW)[0].stated == readings.MAX_NUMBER
    assert store.source_runs("hf", limit=1)[0].stated == readings.MAX_NUMBER


def test_the_listings_of_a_run_are_counted_on(store: Store) -> None:
    assert store.next_reading(NOW) == 1
    record(store, row(7))
    assert (store.next_reading(NOW), store.next_reading(NOW + DAY)) == (8, 1)


def test_one_place_of_a_run_is_noted_once(store: Store) -> None:
    record(store, row())
    with pytest.raises(StoreError):
        record(store, row(why="another", body=b"another"), b"another")
    assert [found.why for found in readings_of(store, NOW)] == [""]
    assert store.page(page_hash(b"another")) is None


def test_all_readings_can_be_walked_from_any_run_on(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(n, run_at=NOW + run * DAY) for run in range(5) for n in range(3)]
    for reading in random.Random(1).sample(rows, len(rows)):
        record(store, reading)
    for step in (1, 2, 3, 15, 200):
        monkeypatch.setattr(readings, "STEP", step)
        assert list(store.readings_since(None)) == rows
        assert list(store.readings_since(NOW + 3 * DAY)) == rows[9:]
        assert list(store.readings_since(NOW + 2 * DAY + HOUR)) == rows[9:]
        assert list(store.readings_since(NOW + 9 * DAY)) == []


def test_what_is_read_may_be_replayed_while_it_is_walked(store: Store) -> None:
    for n in range(3):
        record(store, row(n))
    for reading in store.readings_since(None):
        store.record_answer(answer(f"https://example.org/{reading.position}"))
    assert store.answer("feed", "https://example.org/2", "daily rss") is not None


# --- raw pages


def test_a_kept_page_comes_back_byte_for_byte(store: Store) -> None:
    record(store, row())
    assert store.page(page_hash(BODY)) == BODY
    assert store.page(page_hash(b"another")) is None


def test_a_page_is_kept_only_when_that_is_asked_for(store: Store) -> None:
    record(store, row(), keep=False)
    assert store.page(page_hash(BODY)) is None
    assert readings_of(store, NOW)[0].page == page_hash(BODY)


def test_an_empty_page_is_a_page(store: Store) -> None:
    record(store, row(body=b""), b"")
    assert store.page(page_hash(b"")) == b""


def test_a_page_under_another_ones_name_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="page_hash"):
        record(store, row(), b"another")
    assert readings_of(store, NOW) == []


def test_a_page_that_comes_again_is_stored_once_and_kept_anew(store: Store) -> None:
    record(store, row(0), BODY)
    record(store, row(1, body=b"other"), b"other")
    record(store, row(0, run_at=NOW + DAY, fetched_at=NOW + DAY), BODY)
    with store._db.reading():
        assert store._db.execute("SELECT COUNT(*) FROM pages", {}).fetchone()[0] == 2
    assert store.prune_pages(older_than=NOW + HOUR, max_bytes=10**9) == 1
    assert store.page(page_hash(BODY)) == BODY
    assert store.page(page_hash(b"other")) is None
    assert len(readings_of(store, NOW)) == 2


def test_pages_are_kept_compressed(store: Store) -> None:
    body = b"<li>paper</li>" * 10_000
    record(store, row(body=body), body)
    with store._db.reading():
        size, stored = store._db.execute("SELECT size, stored FROM pages", {}).fetchone()
    assert (size, stored < size / 50) == (len(body), True)


def test_the_oldest_pages_go_first_until_the_rest_fits(store: Store) -> None:
    bodies = [random.Random(n).randbytes(1000) for n in range(6)]  # hardly compressible
    for n, body in enumerate(bodies):
        record(store, row(n, body=body, fetched_at=NOW + n * HOUR), body)
    with store._db.reading():
        sizes = [
            stored
            for (stored,) in store._db.execute("SELECT stored FROM pages ORDER BY kept_at", {}).fetchall()
        ]
    assert store.prune_pages(older_than=NOW, max_bytes=sum(sizes)) == 0
    assert store.prune_pages(older_than=NOW, max_bytes=sum(sizes[2:])) == 2
    assert store.prune_pages(older_than=NOW, max_bytes=sum(sizes[4:]) + 10) == 2
    assert [store.page(page_hash(body)) for body in bodies] == [None] * 4 + bodies[4:]
    assert store.prune_pages(older_than=NOW + 5 * HOUR, max_bytes=10**9) == 1
    assert store.prune_pages(older_than=NOW, max_bytes=0) == 1
    assert store.prune_pages(older_than=NOW, max_bytes=0) == 0
    assert len(readings_of(store, NOW)) == 6


def test_a_damaged_page_is_named(store: Store) -> None:
    record(store, row())
    with store._db.writing():
        store._db.execute(
            "UPDATE pages SET body = " + ("X'00'" if store._db.dialect == "sqlite" else "'0'"), {}
        )
    with pytest.raises(StoreError, match=r"damaged.*last backup"):
        store.page(page_hash(BODY))


@settings(
    max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.binary(max_size=4000))
def test_whatever_the_bytes_they_come_back(store: Store, body: bytes) -> None:
    runs = sum(1 for _ in store.readings_since(None))
    record(store, row(run_at=NOW + runs * DAY, body=body), body)
    assert store.page(page_hash(body)) == body


# --- what became of a source


def test_the_last_runs_of_a_source_come_newest_first(store: Store) -> None:
    runs = [source_run(n) for n in range(4)]
    for run in runs:
        store.record_source_run(run)
    store.record_source_run(source_run(9, source="other"))
    assert store.source_runs("hf", limit=3) == [runs[3], runs[2], runs[1]]
    assert store.source_runs("nobody", limit=3) == []


def test_a_source_of_a_run_is_noted_once_and_may_be_noted_anew(store: Store) -> None:
    store.record_source_run(source_run())
    mended = source_run(outcome="new", listed_on=None, stated=12, missing={}, why="", seconds=0.5)
    store.record_source_run(mended)
    assert store.source_runs("hf", limit=9) == [mended]


# --- answers


def test_an_answer_is_remembered_for_those_who_heard_it(store: Store) -> None:
    store.record_answer(answer())
    assert store.answer("feed", answer().url, "daily rss") == answer()
    assert store.answer("feed", answer().url, "daily weekly rss") is None
    assert store.answer("other", answer().url, "daily rss") is None
    assert store.answer("feed", "https://example.org/atom", "daily rss") is None
    again = answer(audience="daily weekly rss", etag="", answered_at=NOW + HOUR)
    store.record_answer(again)
    assert store.answer("feed", answer().url, "daily weekly rss") == again
    assert store.answer("feed", answer().url, "daily rss") is None


def test_addresses_of_any_length_are_told_apart(store: Store) -> None:
    long = "https://example.org/oai?resumptionToken=" + "\N{SNOWMAN}" * 9000
    store.record_answer(answer(long + "1", etag='"1"'))
    store.record_answer(answer(long + "2", etag='"2"'))
    for end in "12":
        found = store.answer("feed", long + end, "daily rss")
        assert found is not None
        assert (found.url, found.etag) == (long + end, f'"{end}"')


def test_the_very_bytes_are_known_again_under_any_name(store: Store) -> None:
    assert not store.was_read("feed", page_hash(BODY))
    store.record_answer(answer("file:///in/a.html"))
    assert store.was_read("feed", page_hash(BODY))
    assert not store.was_read("other", page_hash(BODY))
    assert not store.was_read("feed", page_hash(b"new"))


# --- the ledger


def test_a_run_keeps_what_it_was_set_up_with(store: Store) -> None:
    store.start_run("daily", TODAY, now=NOW, setup='{"topics": ["\xe9"]}'.encode())
    store.start_run("weekly", TODAY, now=NOW)
    assert [run.setup.decode() for run in store.last_runs(2)] == ["", '{"topics": ["\xe9"]}']


def test_runs_are_found_by_their_day_and_all_at_once(store: Store) -> None:
    for n in range(3):
        for name in ("daily", "weekly"):
            run = store.start_run(name, date(2026, 11, 19 + n // 2), now=NOW + n * HOUR, setup=b"%d" % n)
            store.finish_run(run, now=NOW + n * HOUR, status="done", report=b"{}")
    assert [(run.setup, run.status) for run in store.runs_of("daily", TODAY)] == [
        (b"0", "done"),
        (b"1", "done"),
    ]
    assert store.all_runs() == store.last_runs(9)[::-1]
    assert store.runs_of("nobody", TODAY) == []


def test_the_proof_is_there_when_the_store_is_opened_again(store: Store, store_url: str) -> None:
    record(store, row())
    store.record_source_run(source_run())
    with open_store(store_url) as again:
        assert readings_of(again, NOW) == [row()]
        assert again.page(page_hash(BODY)) == BODY
        assert again.source_runs("hf", limit=1) == [source_run()]


def test_a_rehearsal_proves_nothing(store: Store) -> None:
    with store.rehearsal():
        record(store, row())
        assert store.page(page_hash(BODY)) == BODY
        assert list(store.readings_since(None)) == [row()]
    assert store.page(page_hash(BODY)) is None
    assert list(store.readings_since(None)) == []
