# ruff: noqa: F811 - fixtures are imported by name
"""What a source gave waits in the store as bytes until it is its turn: it comes out as it went in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from digest.asks import Ask
from digest.config import SourceConfig
from digest.errors import FetchError, FetchRefused, FetchTimeout, ListingChanged
from digest.model import Listing, NotModified
from digest.pipeline.collect import Reader
from digest.pipeline.gather import Taken, Wanted
from digest.pipeline.shared import pack, record, unpack
from digest.sources import read
from digest.store import Store
from pages import invented, rss
from store_contract import NOW, TODAY, store, store_url  # noqa: F401

URL = "https://journal.example/feed"
ASK = Ask(url=URL, day=date(2026, 11, 19), route="https://journal.example/other")
PAGE = Listing(
    location=URL,
    base_url=URL,
    body=rss(invented(0, 3)),
    content_type="application/rss+xml",
    fetched_at=datetime(2026, 11, 19, 6, tzinfo=UTC),
    etag='"a"',
    last_modified="Thu, 19 Nov 2026 05:00:00 GMT",
)


def brought(taken: Taken) -> Taken:
    (found,), seconds = unpack(pack([taken], 1.5))
    assert seconds == 1.5
    return found


@pytest.mark.parametrize(
    "taken",
    [
        Taken(ask=ASK, listing=PAGE, reading=read(PAGE, "auto")),
        Taken(ask=ASK, listing=PAGE, reading=read(PAGE, "auto"), more=True),
        Taken(ask=ASK, listing=PAGE, reading=read(PAGE, "auto"), more=True, cut=True),
        Taken(ask=ASK, listing=PAGE, skipped=True),
        Taken(ask=ASK, listing=NotModified(url=URL)),
        Taken(ask=Ask(url=URL), listing=NotModified(url=URL), more=True),
    ],
)
def test_a_page_and_what_was_read_of_it_come_out_as_they_went_in(taken: Taken) -> None:
    assert brought(taken) == taken


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (FetchError("the site says 503"), "unreachable"),
        (FetchTimeout("no answer for a minute"), "unreachable"),
        (FetchRefused("robots.txt forbids it"), "refused"),
    ],
)
def test_a_page_that_could_not_be_had_is_none_that_has_not_changed(fault: FetchError, outcome: str) -> None:
    found = brought(Taken(ask=ASK, listing=fault))
    assert isinstance(found.listing, FetchError)
    assert (found.listing.outcome, str(found.listing), found.reading) == (outcome, str(fault), None)


def test_a_page_that_could_not_be_read_is_none_without_papers() -> None:
    found = brought(Taken(ask=ASK, listing=PAGE, reading=ListingChanged("no list of papers")))
    assert (found.listing, type(found.reading).__name__, str(found.reading)) == (
        PAGE,
        "ParseError",
        "no list of papers",
    )


def test_a_file_whose_name_is_no_text_does_not_keep_the_others_from_their_turn() -> None:
    odd = Taken(ask=Ask(url="drop/\udcff.html"), listing=FetchError("drop/\udcff.html: no access"))
    whole = Taken(ask=ASK, listing=PAGE, reading=read(PAGE, "auto"))
    (first, second), _ = unpack(pack([odd, whole], 0.0))
    assert isinstance(first.listing, FetchError)
    assert second == whole


def test_a_page_of_a_watched_folder_that_was_read_meanwhile_is_not_read_again(store: Store) -> None:
    source = SourceConfig(name="drop", path="drop", watch=True)
    outcomes = []
    for n, page in enumerate((PAGE, PAGE, replace(PAGE, body=rss(invented(3, 2))))):
        now = NOW + n * timedelta(hours=1)
        reader = Reader(wanted=Wanted(source=source, run_at=now, now=now, until=TODAY), digests=())
        data = pack([Taken(ask=ASK, listing=page, reading=read(page, "auto"))], 0.0)
        report = record(reader, data, store, place=0, keep_pages=True)
        outcomes.append((report.outcome, report.read, report.new))
    assert outcomes == [("new", 3, 3), ("not-modified", 0, 0), ("new", 2, 2)]
