"""What a publication touches beside its editions: pages of papers, channels, and parts of the search index, as the store has them.

A few at a time are in memory, so that ten years are rebuilt in as much of it as a day takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec.structs import replace

from digest import __version__
from digest.config import DigestConfig, search_slugs_of, slugs_of
from digest.formats import Channel, Kept, Publication, SearchChunk, Shown
from digest.formats.items import FEED_DAYS, FEED_ITEMS
from digest.identity import NAMELESS, rung
from digest.labels import labels_of, slug_of
from digest.matching import completed
from digest.model import Edition, Entry, Label, LabelKind, PaperRecord, Place
from digest.searching import Query, parse_query

if TYPE_CHECKING:
    from digest.store import Store

T = TypeVar("T")

# An author has a page from so many papers on.
AUTHOR_PAPERS = 2
# No page or feed of a channel shows more, not even of 7 days.
SHOWN_AT_MOST = 1000
EDITIONS_AT_ONCE = 10
RECORDS_AT_ONCE = 200
PLACES_AT_ONCE = 2000
CHANNELS_AT_ONCE = 200


class Pages(Protocol):
    """What is published already, by path below the digest's root."""

    def has(self, path: str) -> bool: ...


class Views:
    """The publications, in parts, of one digest. `base` has what all parts share, `maker` stands for the templates of pages."""

    def __init__(
        self, digest: DigestConfig, store: Store, base: Publication, published: Pages, *, maker: str
    ) -> None:
        self._digest, self._store, self._published = digest, store, published
        self._maker = f"{__version__} {base.url} {maker} {digest.has_records}"
        self._topics = slugs_of(digest.topics)
        self._followed = {slug_of(name): name for name in digest.authors}
        slugs = search_slugs_of(digest.searches)
        self._searches = {slugs[s.name]: (s.name, parse_query(s.query)) for s in digest.searches}
        self._base = replace(base, catalogue=tuple(self._catalogue()))
        self._written: set[str] = set()  # keys of papers
        self._labels: dict[LabelKind, set[str]] = {"topic": set(), "category": set(), "author": set()}
        self._by_author: Counter[str] = Counter()  # how many papers of the editions at hand
        self._linked: set[str] = set()  # authors to whose pages those of papers link
        self._days: set[date] = set()
        self._moved = bool(store.touched(digest.name))  # papers changed, or are shown in another place
        self._searched = store.searched(digest.name)

    @property
    def base(self) -> Publication:
        return self._base

    def parts(self, editions: Iterable[Edition], *, everything: bool = False) -> Iterator[Publication]:
        """The editions with the pages of their papers, then all else that they touch or that changed since it was published."""
        for batch in _batches(editions, EDITIONS_AT_ONCE):
            self._note(batch)
            keys = {entry.paper.key for edition in batch for entry in edition.entries}
            records = self._records(keys) if self._digest.has_records or not everything else ()
            self._written.update(record.key for record in records)
            if not everything:
                self._note_earlier(batch, records)
                self._by_author.update(slug for record in records for slug in _author_slugs(record))
            yield replace(
                self._base,
                editions=with_found(batch, self._store),
                issued=tuple(batch),
                records=records if self._digest.has_records else (),
                author_pages=self._author_pages_of(records),
            )
        yield from self._other_records()
        yield from self._channels(everything)
        yield from self._chunks(everything)

    def _note(self, editions: Sequence[Edition]) -> None:
        for edition in editions:
            self._days.add(edition.date)
            self._note_labels(edition.entries)

    def _note_earlier(self, editions: Sequence[Edition], records: Sequence[PaperRecord]) -> None:
        """What is shown again is no longer shown where it was: the pages of its earlier topic, categories and authors lose it."""
        new = {(edition.date, edition.part) for edition in editions}
        earlier: dict[tuple[date, int], set[str]] = {}
        for record in records:
            self._moved = self._moved or len(record.editions) > 1
            for head in record.editions:
                if (head.date, head.part) not in new:
                    earlier.setdefault((head.date, head.part), set()).add(record.key)
        for (day, part), again in sorted(earlier.items()):
            edition = self._store.edition(self._digest.name, day, part)
            entries = edition.entries if edition else ()
            self._note_labels(entry for entry in entries if entry.paper.key in again)

    def _note_labels(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            for kind, slug, _ in labels_of(entry, self._topics):
                self._labels[kind].add(slug)

    # --- papers

    def _records(self, keys: Collection[str]) -> tuple[PaperRecord, ...]:
        return tuple(self._store.records(self._digest.name, sorted(keys)))

    def _author_pages_of(self, records: Sequence[PaperRecord]) -> frozenset[str]:
        found = self._author_pages({slug for record in records for slug in _author_slugs(record)})
        self._linked |= found
        return frozenset(found)

    def _author_pages(self, slugs: Collection[str]) -> set[str]:
        followed = self._followed.keys() & set(slugs)
        if "authors" not in self._digest.pages:
            return followed
        found = self._store.labels(self._digest.name, "author", slugs=sorted(slugs), least=AUTHOR_PAPERS)
        return {label.slug for label in found} | followed

    def _other_records(self) -> Iterator[Publication]:
        """Papers that changed since their page was written, and those whose author has a page only now, which they link
        to, or none any more."""
        touched = set(self._store.touched(self._digest.name)) - self._written
        self._written |= touched
        if not self._digest.has_records:
            return
        for batch in _batches(sorted(touched), RECORDS_AT_ONCE):
            records = self._records(batch)
            yield replace(self._base, records=records, author_pages=self._author_pages_of(records))
        keys: set[str] = set()
        # In a rebuild these are all authors.
        for slugs in _batches(self._relinked_authors(), CHANNELS_AT_ONCE):
            relinked = self._store.all_places(self._digest.name, "author", slugs)
            keys.update(place.key for places in relinked.values() for place in places[:SHOWN_AT_MOST])
        for batch in _batches(sorted(keys - self._written), RECORDS_AT_ONCE):
            records = self._records(batch)
            yield replace(self._base, relinked=records, author_pages=self._author_pages_of(records))

    def _relinked_authors(self) -> list[str]:
        """Authors whose page is there and should not be, or the other way round; and those who have one since the editions at
        hand, although it is there: a run that was ended after it had written the page may not have come to the links."""
        slugs = sorted(self._labels["author"])
        if "authors" not in self._digest.pages:
            # Pages of others that were written before stay where they are.
            slugs = [slug for slug in slugs if slug in self._followed]
        pages = self._author_pages(slugs)
        papers = {
            label.slug: label.papers
            for label in self._store.labels(self._digest.name, "author", slugs=sorted(self._by_author))
        }
        return [
            slug
            for slug in slugs
            if self._published.has(f"authors/{slug}/index.html") != (slug in pages)
            or (slug in pages and papers.get(slug, AUTHOR_PAPERS) - self._by_author[slug] < AUTHOR_PAPERS)
        ]

    # --- channels

    def _catalogue(self) -> Iterator[Channel]:
        """All that has feeds, without its papers: topics in the order of the configuration, saved searches, authors, categories."""
        name = self._digest.name
        # One whose papers have all moved elsewhere keeps its page and feeds: no address ends.
        topics = {label.slug: label for label in self._store.labels(name, "topic", least=0)}
        order = [*self._topics.values(), *sorted(topics)]
        for slug in dict.fromkeys(slug for slug in order if slug in topics):
            yield _channel(topics[slug])
        for slug, (title, query) in self._searches.items():
            total, _ = self._store.search(query, digests=[name], limit=0)
            yield Channel(kind="search", slug=slug, name=title, papers=total, query=query.text)
        authors = {
            label.slug: label for label in self._store.labels(name, "author", slugs=sorted(self._followed))
        }
        for slug, title in self._followed.items():
            known = authors.get(slug)
            yield replace(
                _channel(known) if known else Channel(kind="author", slug=slug, name=title, papers=0),
                feeds=True,
            )
        if "categories" in self._digest.pages:
            yield from map(_channel, self._store.labels(name, "category", least=0))

    def _channels(self, everything: bool) -> Iterator[Publication]:
        touched = [
            channel
            for channel in self._base.catalogue
            if everything or self._is_touched(channel) or not self._has_all(channel)
        ]
        if "authors" in self._digest.pages:
            slugs = None if everything else sorted(self._labels["author"] | self._not_there())
            touched += [
                replace(_channel(label), feeds=False)
                for label in self._store.labels(self._digest.name, "author", slugs=slugs, least=AUTHOR_PAPERS)
                if label.slug not in self._followed
            ]
        for batch in self._by_places(touched):
            ids = {place.id for _, places in batch for place in places}
            rows = {} if everything else self._store.rows(ids, maker=self._maker)
            entire = [(channel, places, _entire(channel, places, rows)) for channel, places in batch]
            shown = self._shown({place for _, places, n in entire for place in places[:n]}, rows)
            yield replace(
                self._base,
                channels=tuple(
                    replace(
                        channel,
                        shown=tuple(shown[place.id] for place in places[:n]),
                        older=tuple(Kept(place, rows[place.id]) for place in places[n:]),
                        changed=self._changed(channel, shown[places[0].id] if n else None),
                    )
                    for channel, places, n in entire
                ),
            )

    def keep(self, part: Publication) -> None:
        """To be called when the pages of a part are made: the store keeps the rows that runs to come need not make again, and
        what saved searches found, which those have to know."""
        if part.new_rows:
            self._store.keep_rows(part.new_rows, maker=self._maker)
            part.new_rows.clear()
        searched = {c.slug: (c.papers, c.changed) for c in part.channels if c.kind == "search" and c.changed}
        if searched:
            self._store.note_searched(self._digest.name, searched)

    def _by_places(self, channels: Iterable[Channel]) -> Iterator[list[tuple[Channel, list[Place]]]]:
        """The channels and what they show, as many together as may be in memory: they share rows and items."""
        batch: list[tuple[Channel, list[Place]]] = []
        together: set[Place] = set()
        for channel, places in self._with_places(channels):
            if batch and len(together) + len(places) > PLACES_AT_ONCE:
                yield batch
                batch, together = [], set()
            batch.append((channel, places))
            together.update(places)
        if batch:
            yield batch

    def _with_places(self, channels: Iterable[Channel]) -> Iterator[tuple[Channel, list[Place]]]:
        """The channels and what they show; authors of few papers, of whom there are many, are asked for together."""
        for some in _batches(channels, CHANNELS_AT_ONCE):
            few = [
                channel.slug for channel in some if channel.kind == "author" and channel.papers <= FEED_ITEMS
            ]
            places = self._store.all_places(self._digest.name, "author", few)
            for channel in some:
                is_few = channel.kind == "author" and channel.slug in places
                yield channel, places[channel.slug] if is_few else self._places(channel)

    def _not_there(self) -> set[str]:
        """Authors who are linked and have no page yet, where pages of authors were chosen after those of papers."""
        others = self._linked - self._labels["author"]
        return {slug for slug in others if not self._published.has(f"authors/{slug}/index.html")}

    def _has_all(self, channel: Channel) -> bool:
        """An author who is followed only now has a page already, and no feeds."""
        return all(self._published.has(channel.path + name) for name in ("index.html", "rss.xml"))

    def _is_touched(self, channel: Channel) -> bool:
        if channel.kind != "search":
            return channel.slug in self._labels[channel.kind]
        if self._moved:  # a search may find no longer what it found
            return True
        query = self._searches[channel.slug][1]
        return any(self._finds_something_of(day, query) for day in sorted(self._days))

    def _finds_something_of(self, day: date, query: Query) -> bool:
        if not (query.since or day) <= day <= (query.until or day):
            return False
        total, _ = self._store.search(
            replace(query, since=day, until=day), digests=[self._digest.name], limit=0
        )
        return total > 0

    def _changed(self, channel: Channel, newest: Shown | None) -> datetime | None:
        """When a channel with feeds last got or lost a paper; `newest` is the first that it shows, if any."""
        if not channel.feeds:
            return None
        if channel.kind != "search":
            return self._store.label_changed(self._digest.name, channel.kind, channel.slug)
        papers, before = self._searched.get(channel.slug, (0, None))
        known = [before, newest.edition.issued_at if newest else None]
        if channel.papers < papers:
            # What it finds no longer, the newest edition took from it, as far as is known.
            known += [edition.issued_at for edition in self._base.latest[:1]]
        return max(filter(None, known), default=None)

    def _places(self, channel: Channel) -> list[Place]:
        if channel.kind == "search":
            return self._search_places(self._searches[channel.slug][1])
        found = self._store.newest_places(
            self._digest.name,
            channel.kind,
            channel.slug,
            limit=FEED_ITEMS,
            since_days=FEED_DAYS,
        )
        return found[:SHOWN_AT_MOST]

    def _search_places(self, query: Query) -> list[Place]:
        """The newest 50, or all of the 7 days before the newest, whichever is more."""
        names = [self._digest.name]
        _, hits = self._store.search(query, digests=names, limit=FEED_ITEMS, order="newest")
        if hits and len(hits) == FEED_ITEMS and hits[-1].place.date > _week_before(hits[0].place.date):
            since = _week_before(hits[0].place.date)
            _, more = self._store.search(query, digests=names, limit=SHOWN_AT_MOST, order="newest")
            hits = [hit for n, hit in enumerate(more) if n < FEED_ITEMS or hit.place.date > since]
        return [hit.place for hit in hits]

    def _shown(self, places: Collection[Place], rows: Mapping[int, str]) -> dict[int, Shown]:
        """The entries at these places, by their ids; each edition is read once, and let go of when its entries are taken."""
        by_edition: dict[tuple[date, int], list[Place]] = {}
        for place in places:
            by_edition.setdefault((place.date, place.part), []).append(place)
        found: dict[int, Shown] = {}
        known = {(edition.date, edition.part): edition for edition in self._base.latest}
        for batch in _batches(sorted(by_edition), EDITIONS_AT_ONCE):
            others = [self._store.edition(self._digest.name, *at) for at in batch if at not in known]
            for edition in (
                *(known[at] for at in batch if at in known),
                *with_found([e for e in others if e is not None], self._store),
            ):
                head = replace(edition, picks=(), sections=())
                entries = edition.entries
                for place in by_edition[edition.date, edition.part]:
                    # What is shown of a paper without an id changes when something is found of it.
                    keep_as = 0 if rung(place.key) in NAMELESS else place.id
                    entry, row = entries[place.position - 1], rows.get(place.id, "")
                    found[place.id] = Shown(entry, head, keep_as, row)
        return found

    # --- the search index of a static host

    def _chunks(self, everything: bool) -> Iterator[Publication]:
        name = self._digest.name
        if self._base.config.web.enabled or not (count := self._store.chunk_count(name)):
            return
        numbers = set(range(1, count + 1))
        if not everything:
            touched = self._store.chunk_of(name, sorted(self._written))
            numbers = {n for n in numbers if n in touched or not self._published.has(f"search/{n:04}.json")}
        for number in sorted(numbers):
            chunk = SearchChunk(number=number, hits=tuple(self._store.chunk(name, number)))
            yield replace(self._base, chunks=(chunk,), chunk_count=count)


def with_found(editions: Sequence[Edition], store: Store) -> tuple[Edition, ...]:
    """The editions as the archive shows them: with ids, links and authors that were found elsewhere after they were issued."""
    keys = {e.paper.key for edition in editions for e in edition.entries if rung(e.paper.key) in NAMELESS}
    found = store.found_of(sorted(keys)) if keys else {}
    if not found:
        return tuple(editions)

    def complete(entries: Sequence[Entry]) -> tuple[Entry, ...]:
        return tuple(
            replace(e, paper=completed(e.paper, found[e.paper.key])) if e.paper.key in found else e
            for e in entries
        )

    return tuple(
        replace(
            edition,
            picks=complete(edition.picks),
            sections=tuple(replace(s, entries=complete(s.entries)) for s in edition.sections),
        )
        for edition in editions
    )


def _entire(channel: Channel, places: Sequence[Place], rows: Mapping[int, str]) -> int:
    """Of how many of these places, from the first on, entries are needed: all for feeds, or up to the last without a row."""
    if channel.feeds:
        return len(places)
    return next((n for n in range(len(places), 0, -1) if places[n - 1].id not in rows), 0)


def _author_slugs(record: PaperRecord) -> set[str]:
    return {slug_of(name) for name in record.paper.authors} - {""}


def _channel(label: Label) -> Channel:
    return Channel(kind=label.kind, slug=label.slug, name=label.name, papers=label.papers)


def _week_before(day: date) -> date:
    return day - timedelta(days=min(FEED_DAYS, day.toordinal() - 1))


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    walk = iter(items)
    while batch := list(islice(walk, size)):
        yield batch
