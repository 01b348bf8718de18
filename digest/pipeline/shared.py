"""A run that workers share: listings are fetched and read by anybody at any time, and put on record in the order of the sources.

So its editions are those of one process, byte for byte. What a source gave waits in the store as bytes until it is its turn.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from itertools import count
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from digest.asks import Ask
from digest.errors import DigestError, FetchError, FetchRefused, ParseError
from digest.model import Listing, NotModified, Reading, SourceReport
from digest.pipeline.collect import Reader, collected
from digest.pipeline.gather import Taken, was_read
from digest.store.packing import packed
from digest.utf8 import plain_all

if TYPE_CHECKING:
    from digest.store import Store


class _Kept(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One Taken without its errors, which are no values: `unreachable`, `refused` and `unreadable` are their messages."""

    ask: Ask
    listing: Listing | None = None
    unchanged: str = ""
    unreachable: str = ""
    refused: str = ""
    reading: Reading | None = None
    unreadable: str = ""
    skipped: bool = False
    more: bool = False
    cut: bool = False


class _Load(Struct, frozen=True, kw_only=True):
    """What one source gave, and the seconds that it took to get."""

    seconds: float
    kept: tuple[_Kept, ...]


_decode = msgspec.msgpack.Decoder(_Load).decode


def pack(taken: Iterable[Taken], seconds: float) -> bytes:
    """What a source gave, as bytes that `unpack` takes."""
    load = _Load(seconds=seconds, kept=tuple(_kept(item) for item in taken))
    try:
        data = msgspec.msgpack.encode(load)
    except UnicodeEncodeError:  # names of files may be what no text is
        data = msgspec.msgpack.encode(plain_all(msgspec.to_builtins(load, builtin_types=(bytes,))))
    return packed(data)


def unpack(data: bytes) -> tuple[list[Taken], float]:
    """What a source gave, and the seconds that it took."""
    load = _decode(zlib.decompress(data))
    return [_taken(kept) for kept in load.kept], load.seconds


def _kept(taken: Taken) -> _Kept:
    listing, reading = taken.listing, taken.reading
    fault = str(listing) if isinstance(listing, FetchError) else ""
    refused = isinstance(listing, FetchError) and listing.outcome == "refused"
    return _Kept(
        ask=taken.ask,
        listing=listing if isinstance(listing, Listing) else None,
        unchanged=listing.url if isinstance(listing, NotModified) else "",
        unreachable="" if refused else fault,
        refused=fault if refused else "",
        reading=reading if isinstance(reading, Reading) else None,
        unreadable=str(reading) if isinstance(reading, DigestError) else "",
        skipped=taken.skipped,
        more=taken.more,
        cut=taken.cut,
    )


def _taken(kept: _Kept) -> Taken:
    listing: Listing | NotModified | FetchError
    if kept.listing is not None:
        listing = kept.listing
    elif kept.unreachable or kept.refused:
        listing = FetchRefused(kept.refused) if kept.refused else FetchError(kept.unreachable)
    else:
        listing = NotModified(url=kept.unchanged)
    return Taken(
        ask=kept.ask,
        listing=listing,
        reading=kept.reading or (ParseError(kept.unreadable) if kept.unreadable else None),
        skipped=kept.skipped,
        more=kept.more,
        cut=kept.cut,
    )


def record(reader: Reader, data: bytes, store: Store, *, place: int, keep_pages: bool) -> SourceReport:
    """Puts on record what a source gave, all of it in the caller's transaction or none."""
    taken, seconds = unpack(data)
    positions = count(store.next_reading(reader.wanted.run_at))
    fresh = _not_read_before(taken, reader, store)
    return collected(reader, fresh, store, place, positions, keep_pages, spent_s=seconds)


def _not_read_before(taken: Sequence[Taken], reader: Reader, store: Store) -> Iterable[Taken]:
    """Of a watched folder a page is read once; two that are the same were both read here, since neither was on record."""
    for item in taken:
        if was_read(item.listing, reader.source, store):
            yield Taken(ask=item.ask, listing=item.listing, skipped=True)
        else:
            yield item
