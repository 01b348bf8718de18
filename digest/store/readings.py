"""The proof of a run: each listing that was read and what came of it, the raw pages, and the last answer of each address."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import date, datetime
from hashlib import sha256

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from digest.errors import StoreError
from digest.identity import text_hash
from digest.model import Outcome
from digest.store.database import Database, Row, day, decoder, moment, stamp
from digest.store.packing import packed
from digest.utf8 import plain

STEP = 200  # rows held in memory at once by readings_since
MAX_NUMBER = 2**31 - 1  # what PostgreSQL's INTEGER holds; a page may state anything
MAX_URL_CHARS = 600  # PostgreSQL refuses an index row above about 2,700 bytes

_decode_counts = decoder(dict[str, int])
_decode_shares = decoder(dict[str, float])


class ReadingRow(Struct, frozen=True, kw_only=True):
    """One listing of one run. `run_at` is the run's `started_at`, `position` counts the listings of the run in the order in
    which they were read. `page` is the `page_hash` of its bytes, "" where there were none. `sections` counts the papers by
    announce type; `why` is the reason of the outcome in words."""

    run_at: datetime
    position: int
    source: str
    kind: str
    location: str
    base_url: str
    content_type: str
    listed_on: date | None
    fetched_at: datetime
    page: str
    outcome: str
    stated: int | None
    sections: dict[str, int]
    parsed: int
    new: int
    updated: int
    seen: int
    failed: int
    why: str


class SourceRun(Struct, frozen=True, kw_only=True):
    """One source of one run. `partial`: some of its listings had not changed and were not read. `missing` is the share, from 0
    to 1, of its papers without an abstract, authors, …"""

    run_at: datetime
    source: str
    position: int
    kind: str
    outcome: Outcome
    listed_on: date | None
    partial: bool
    stated: int | None
    parsed: int
    new: int
    updated: int
    seen: int
    dropped: int
    failed: int
    missing: dict[str, float]
    why: str
    seconds: float


class Answer(Struct, frozen=True, kw_only=True):
    """The last whole answer of an address. `audience` says who heard of it; `page` is the `page_hash` of its bytes, `next_url`
    the listing's next page."""

    source: str
    url: str
    audience: str
    etag: str
    last_modified: str
    page: str
    next_url: str
    answered_at: datetime


def page_hash(body: bytes) -> str:
    """The name of a raw page: the SHA-256 of its bytes in hexadecimal digits."""
    return sha256(body).hexdigest()


class Readings:
    """The part of the store that knows what was read."""

    _db: Database

    def record_reading(self, row: ReadingRow, *, body: bytes | None, keep: bool) -> None:
        """Notes one listing, and with `keep` its raw page, in one transaction. A page that comes again is kept anew, not twice.

        The row need not name its page: to hash a large one takes longer than to read it. Raises ValueError where it names another.
        """
        if body is not None:
            page = page_hash(body)
            if row.page not in ("", page):
                raise ValueError("row.page must be the page_hash of the body")
            row = replace(row, page=page)
        with self._db.writing():
            self._db.run("insert_reading", **_reading_fields(row))
            if keep and body is not None:
                self._keep(row.page, body, row.fetched_at)

    def _keep(self, page: str, body: bytes, now: datetime) -> None:
        if self._db.run("renew_page", hash=page, now=stamp(now)):
            return
        small = packed(body)
        self._db.run("insert_page", hash=page, body=small, size=len(body), stored=len(small), now=stamp(now))

    def next_reading(self, run_at: datetime) -> int:
        """The position of the next listing of a run: 1, unless a clock that was set back has given its moment before."""
        with self._db.reading():
            return int(self._db.value("next_reading", run_at=stamp(run_at)))

    def readings_since(self, run_at: datetime | None) -> Iterator[ReadingRow]:
        """The listings of this run and of all later ones (None: of all), in order, some hundred at a time in memory."""
        after, position = stamp(run_at) if run_at else "", -1
        while True:
            with self._db.reading():
                rows = self._db.rows("readings_after", run_at=after, position=position, limit=STEP)
            for row in rows:
                after, position = row[0], row[1]
                yield _reading(row)
            if len(rows) < STEP:
                return

    def page(self, hash: str) -> bytes | None:  # noqa: A002 - what it is
        """The bytes of a raw page; None for one that was never kept, or was pruned. Raises StoreError for a damaged one."""
        with self._db.reading():
            kept = self._db.value("page", hash=hash)
        if kept is None:
            return None
        try:
            return zlib.decompress(kept)
        except zlib.error as error:
            raise StoreError(
                f"The raw page {hash} is damaged in the store ({error}). Put back your last backup of the store; "
                "the readings themselves are not touched by this."
            ) from error

    def prune_pages(self, *, older_than: datetime, max_bytes: int) -> int:
        """Drops the raw pages last kept before a moment, then the oldest until the rest, as stored, is at most `max_bytes`.

        How many went. What is noted of the readings stays.
        """
        with self._db.writing():
            aged = self._db.run("delete_pages_before", older_than=stamp(older_than))
            return aged + self._db.run("delete_pages_beyond", max_bytes=max_bytes)

    def record_source_run(self, row: SourceRun) -> None:
        """Notes what became of one source of one run, in place of what was noted of it before."""
        fields = {name: plain(getattr(row, name)) for name in ("source", "kind", "outcome", "why")}
        numbers = {
            name: _number(getattr(row, name))
            for name in ("position", "stated", "parsed", "new", "updated", "seen", "dropped", "failed")
        }
        with self._db.writing():
            self._db.run(
                "put_source_run",
                **fields,
                **numbers,
                run_at=stamp(row.run_at),
                listed_on=row.listed_on.isoformat() if row.listed_on else "",
                partial=int(row.partial),
                missing=_json(row.missing),
                seconds=row.seconds,
            )

    def source_runs(self, source: str, *, limit: int) -> list[SourceRun]:
        """The last runs of one source, newest first."""
        with self._db.reading():
            rows = self._db.rows("source_runs", source=plain(source), limit=limit)
        return [_source_run(row) for row in rows]

    def answer(self, source: str, url: str, audience: str) -> Answer | None:
        """The last whole answer of an address; None where there is none, or others had heard of it then."""
        with self._db.reading():
            row = self._db.one("answer", source=plain(source), url=_place(url), audience=plain(audience))
        if row is None:
            return None
        etag, last_modified, page, next_url, answered_at = row
        return Answer(
            source=source,
            url=url,
            audience=audience,
            etag=etag,
            last_modified=last_modified,
            page=page,
            next_url=next_url,
            answered_at=moment(answered_at),
        )

    def record_answer(self, answer: Answer) -> None:
        """Notes the last whole answer of an address, in place of the one before."""
        texts = {
            name: plain(getattr(answer, name))
            for name in ("source", "audience", "etag", "last_modified", "page", "next_url")
        }
        with self._db.writing():
            self._db.run(
                "put_answer",
                **texts,
                url=_place(answer.url),
                answered_at=stamp(answer.answered_at),
            )

    def was_read(self, source: str, page: str) -> bool:
        """Is the last answer of any address of this source a page of these very bytes (by their `page_hash`)?"""
        with self._db.reading():
            return self._db.value("was_read", source=plain(source), page=page) is not None


def _number(value: int | None) -> int | None:
    return None if value is None else min(value, MAX_NUMBER)


def _place(url: str) -> str:
    """An address as a key that fits into an index; of a longer one the end is its hash."""
    url = plain(url)
    return url if len(url) <= MAX_URL_CHARS else f"{url[: MAX_URL_CHARS - 21]}#{text_hash(url)}"


def _json(value: object) -> str:
    return plain(msgspec.json.encode(value).decode())


def _reading_fields(row: ReadingRow) -> dict[str, object]:
    texts = ("source", "kind", "location", "base_url", "content_type", "page", "outcome", "why")
    numbers = ("position", "stated", "parsed", "new", "updated", "seen", "failed")
    return {
        **{name: plain(getattr(row, name)) for name in texts},
        **{name: _number(getattr(row, name)) for name in numbers},
        "run_at": stamp(row.run_at),
        "listed_on": row.listed_on.isoformat() if row.listed_on else "",
        "fetched_at": stamp(row.fetched_at),
        "sections": _json(row.sections),
    }


def _reading(row: Row) -> ReadingRow:
    facts = dict(zip(ReadingRow.__struct_fields__, row, strict=True))
    facts["run_at"], facts["fetched_at"] = moment(facts["run_at"]), moment(facts["fetched_at"])
    facts["listed_on"], facts["sections"] = day(facts["listed_on"]), _decode_counts(facts["sections"])
    return ReadingRow(**facts)


def _source_run(row: Row) -> SourceRun:
    facts = dict(zip(SourceRun.__struct_fields__, row, strict=True))
    facts["listed_on"], facts["partial"] = day(facts["listed_on"]), bool(facts["partial"])
    facts["run_at"], facts["missing"] = moment(facts["run_at"]), _decode_shares(facts["missing"])
    return SourceRun(**facts)
