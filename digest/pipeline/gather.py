"""Gather: every listing of a source that a run wants, asked for page by page and read. It writes nothing down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, structs

from digest import __version__
from digest.asks import Ask, Known, days_before, first_asks, missed_asks, on_day
from digest.config import SourceConfig
from digest.errors import FetchError, ParseError
from digest.model import Listing, NotModified, Reading, Validators
from digest.sources import read
from digest.sources._paging import query

if TYPE_CHECKING:
    from digest.store import Answer, Day, Store


# Parameters that hold a place in a list for a while: what they name is gone later.
_TOKENS = frozenset({"resumptionToken", "cursor", "token"})


class Visit(Protocol):
    """The wire and the disk, as one run of one source sees them (digest.fetch)."""

    def files(self) -> Iterator[Listing | FetchError]: ...

    def ask(
        self, url: str, *, validators: Validators | None = None
    ) -> Listing | NotModified | FetchError: ...


class Taken(Struct, frozen=True, kw_only=True):
    """What one listing gave: the page as it came, and its reading, or why there is none.

    `reading` is None for a page that has not changed and for one that was read before (`skipped`). `more` says that a
    further page follows, `cut` that it is not asked for.
    """

    ask: Ask
    listing: Listing | NotModified | FetchError
    reading: Reading | ParseError | None = None
    skipped: bool = False
    more: bool = False
    cut: bool = False

    @property
    def day(self) -> date | None:
        """The listing day that was asked for, or that the page says it is of."""
        if self.ask.day is not None:
            return self.ask.day
        listed = self.listing.listed_on if isinstance(self.listing, Listing) else None
        return listed or (self.reading.listed_on if isinstance(self.reading, Reading) else None)


class Wanted(Struct, frozen=True, kw_only=True):
    """What a run wants of one source: listings up to the day `until`, all since `since` where that is given. `run_at` is when the
    run began, `now` when it asks: later, where it has waited.

    `audience` names the digests that hear of it: what they have heard of need not be read again for them.
    """

    source: SourceConfig
    run_at: datetime
    now: datetime
    until: date
    since: date | None = None
    audience: str = ""

    @property
    def as_of(self) -> datetime:
        """The moment of the run on the day that it is about: now, unless the day was given by hand."""
        return datetime.combine(self.until, self.now.timetz())


def audience_of(source: SourceConfig, followers: Iterable[str]) -> str:
    """Who hears of an answer, and by which reader: for others the address is asked anew."""
    rules = sorted(source.selectors.items())
    return f"{__version__} {source.kind} {','.join(followers)}" + (f" {rules}" if rules else "")


def gather(wanted: Wanted, visit: Visit, store: Store, *, stopped: Callable[[], bool]) -> Iterator[Taken]:
    """The listings of a source as they come: files, or answers with their further pages, then those of missed days.

    Nothing is raised for a dead server or a broken page: that is what the listing gave. Ends early when `stopped`.
    """
    source = wanted.source
    if source.path:
        for listing in visit.files():
            yield _file(wanted, listing, store)
        return
    asking = _Asking(wanted, visit, store, stopped)
    known = known_days(wanted, store)
    asking.read_days = {day for day, state in known.items() if state.read}
    for ask in first_asks(source, until=wanted.until, known=known, since=wanted.since):
        yield from asking.pages(ask)
    if not asking.read_days and wanted.since is None:
        # On first use a day without papers (a weekend, an early hour) would be a poor welcome: the newest one that has some.
        for ask in days_before(source, wanted.until):
            if not asking.was_empty:
                break
            yield from asking.pages(ask)
    newest = asking.newest_day or _newest(store.days_of(source.name))
    for ask in missed_asks(source, newest=newest, known=known, since=wanted.since):
        yield from asking.pages(ask)
    for route in source.routes:
        yield from asking.pages(Ask(url=on_day(route, wanted.until), route=route))


class _Asking:
    """The requests of one run to one source."""

    def __init__(self, wanted: Wanted, visit: Visit, store: Store, stopped: Callable[[], bool]) -> None:
        self._wanted, self._visit, self._store, self._stopped = wanted, visit, store, stopped
        self._asked: set[str] = set()
        self.newest_day: date | None = None
        self.was_empty = False
        self.read_days: set[date] = set()

    def pages(self, ask: Ask) -> Iterator[Taken]:
        """One address and the pages that follow it, up to `max_pages`, as long as each names a next one and brings something."""
        url, shown, left = ask.url, set[str](), self._wanted.source.max_pages
        while url and left and url not in self._asked and not self._stopped():
            self._asked.add(url)
            left -= 1
            known = self._answer(url, ask.day)
            listing = self._visit.ask(url, validators=_validators(known))
            taken = _read(structs.replace(ask, url=url), listing, self._wanted.source)
            if isinstance(taken.reading, Reading):
                self._note_day(taken.reading)
                keys = {paper.key for paper in taken.reading.papers}
                self.was_empty = not keys
                # A page that repeats what was shown is the end; one without papers (deleted records) is not.
                url = taken.reading.next_url if keys - shown or not keys else ""
                shown |= keys
            else:
                # An unchanged page has the next page that it had; a token for it may be over, and the rest has not changed.
                follows = known.next_url if known and isinstance(listing, NotModified) else ""
                url = "" if _TOKENS & query(follows).keys() else follows
            yield structs.replace(taken, more=bool(url), cut=bool(url) and not left)
            # What follows is of the same day, also where it cannot be had.
            ask = structs.replace(ask, day=taken.day)

    def _answer(self, url: str, day: date | None) -> Answer | None:
        """What is remembered of an address; of a day's only where the day is on record too (a run may have died between)."""
        if day is not None and day not in self.read_days:
            return None
        return self._store.answer(self._wanted.source.name, url, self._wanted.audience)

    def _note_day(self, reading: Reading) -> None:
        if reading.listed_on:
            self.newest_day = max(self.newest_day or reading.listed_on, reading.listed_on)


def _file(wanted: Wanted, listing: Listing | FetchError, store: Store) -> Taken:
    ask = Ask(url=listing.location if isinstance(listing, Listing) else listing.url)
    if was_read(listing, wanted.source, store):
        return Taken(ask=ask, listing=listing, skipped=True)
    return _read(ask, listing, wanted.source)


def was_read(listing: Listing | NotModified | FetchError, source: SourceConfig, store: Store) -> bool:
    """Is it a page of a watched folder, where each is read once, and on record already?"""
    from digest.store import page_hash

    if not (source.watch and source.path and isinstance(listing, Listing)):
        return False
    return store.was_read(source.name, page_hash(listing.body))


def _read(ask: Ask, listing: Listing | NotModified | FetchError, source: SourceConfig) -> Taken:
    if not isinstance(listing, Listing):
        return Taken(ask=ask, listing=listing)
    try:
        return Taken(ask=ask, listing=listing, reading=read(listing, source.kind, selectors=source.selectors))
    except ParseError as error:
        return Taken(ask=ask, listing=listing, reading=error)


def _validators(known: Answer | None) -> Validators | None:
    if known is None or not (known.etag or known.last_modified):
        return None
    return Validators(etag=known.etag, last_modified=known.last_modified)


def known_days(wanted: Wanted, store: Store) -> dict[date, Known]:
    """What is known of the source's days. What was noted by a clock that ran ahead is not believed."""
    return {
        day.day: Known(
            open=day.state == "open" or day.asked_at > wanted.now,
            read=bool(day.fingerprint) and day.asked_at <= wanted.now,
            since=min(day.changed_at.date(), wanted.until),
        )
        for day in store.days_of(wanted.source.name)
    }


def _newest(days: Iterable[Day]) -> date | None:
    return max((day.day for day in days), default=None)


def routes_gap(taken: Iterable[Taken], source: SourceConfig) -> list[str]:
    """What the routes of a source say of one another's newest day, in words: papers that only one of them shows.

    Only ids count, and only of what is announced as new or cross-listed: replacements are not shown by all.
    """
    by_route = _ids_by_route(taken, source)
    notes = []
    for day in sorted({day for days in by_route.values() for day in days}, reverse=True)[:1]:
        shown = {route: days[day] for route, days in by_route.items() if day in days}
        for route, ids in shown.items():
            others = [other for name, other in shown.items() if name != route]
            missing = sorted(set().union(*others) - ids) if others else []
            if missing:
                listed = ", ".join(missing[:10]) + (", …" if len(missing) > 10 else "")
                notes.append(f"gap: {len(missing)} papers of {day} are not in {route}: {listed}")
    return notes


def _ids_by_route(taken: Iterable[Taken], source: SourceConfig) -> Mapping[str, dict[date, set[str]]]:
    found: dict[str, dict[date, set[str]]] = {}
    for item in taken:
        reading = item.reading
        if isinstance(reading, Reading) and reading.listed_on:
            days = found.setdefault(item.ask.route or source.url, {})
            shown = (paper.key for paper in reading.papers if paper.announce in (None, "new", "cross"))
            days.setdefault(reading.listed_on, set()).update(shown)
    return found
