"""Publish: editions → files. Pages come before the feeds that link to them; then they are copied elsewhere, and hubs are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from msgspec.structs import replace

from digest.config import Config, DigestConfig, slugs_of
from digest.formats import Channel, Publication, SearchChunk, Shown, pages, parts_of, wholes_of
from digest.formats.items import EDITIONS, FEED_DAYS, FEED_ITEMS
from digest.formats.sitemaps import robots
from digest.identity import NAMELESS, rung
from digest.labels import record_map_path
from digest.mail.compose import web_copies
from digest.model import (
    Edition,
    EditionHead,
    EditionTitles,
    Hit,
    Mention,
    Page,
    PaperRecord,
    Place,
    PublishReport,
    Version,
)
from digest.pipeline.looks import look_of, mixed, outdated
from digest.pipeline.views import Pages, Views, with_found
from digest.website import Website

if TYPE_CHECKING:
    from digest.render import Renderer
    from digest.store import Store


# Where it is missing an older program published the site, or none.
_MARK = "editions.xml"
# The feed of editions names no more.
EDITIONS_PAPERS = 2000


def publish(
    config: Config,
    store: Store,
    renderer: Renderer,
    website: Website,
    *,
    everything: bool = False,
    done: Callable[[], None] = lambda: None,
) -> PublishReport:
    """Every digest's newest edition, archive pages and feeds as files; with `everything` the pages of all editions. `done` is
    called after each part of them.

    An edition whose page is missing (a run that died before it could publish) is published too. What is noted as changed is
    forgotten when all of it is written.
    """
    index(config, store)
    total = PublishReport()
    for digest in config.digest:
        total = _added(total, _published(digest, config, store, renderer, website, everything, done))
    total = _added(total, website.write([robots(config.digest_url(digest.name) for digest in config.digest)]))
    return replace(total, outdated=outdated(config, store, renderer))


def _published(
    digest: DigestConfig,
    config: Config,
    store: Store,
    renderer: Renderer,
    website: Website,
    everything: bool,
    done: Callable[[], None],
) -> PublishReport:
    changed = store.take_touched(digest.name)
    heads = store.edition_heads(digest.name)
    folder = _Folder(website, digest)
    # Of a site that an older program published, the pages that it did not know are missing.
    newest = max((head.number for head in heads), default=0)
    # Before the first edition there were but lists without papers.
    all_of_it = everything or (newest > 0 and not (folder.has(_MARK) and store.published(digest.name)))
    recent = recent_editions(digest, store)
    wanted = store.all_editions(digest.name) if all_of_it else _wanted(digest, store, folder, heads, recent)
    made = digest_pages(
        digest,
        config,
        store,
        renderer,
        wanted,
        published=folder,
        recent=recent,
        everything=all_of_it,
        keep=True,
        done=done,
    )
    total = PublishReport()
    for pages_of in _with_the_mark_apart(made, folder.path(_MARK)) if all_of_it else (made,):
        total = _added(total, website.write(pages_of))
    store.forget_touched(digest.name, changed)
    _note(store, digest.name, newest, look_of(config, digest, renderer), whole=all_of_it)
    return total


def _added(total: PublishReport, report: PublishReport) -> PublishReport:
    return replace(
        total, written=total.written + report.written, unchanged=total.unchanged + report.unchanged
    )


def _note(store: Store, digest: str, newest: int, look: Mapping[str, int], *, whole: bool) -> None:
    """What was published up to the newest edition, and what its pages show of the settings."""
    kept, published = store.look(digest), store.published(digest)
    if whole or not (kept and published):
        store.note_look(digest, look)
    elif newest > published:
        store.note_look(digest, mixed(kept, look))
    store.note_published(digest, newest)


def index(config: Config, store: Store) -> None:
    """Brings what can be found by topic, author, category and words up to date with the editions."""
    topics = {digest.name: slugs_of(digest.topics) for digest in config.digest}

    def topics_of(digest: str) -> Mapping[str, str]:
        return topics.get(digest, {})

    store.index_editions(topics_of)


class _Folder:
    """The folder of one digest."""

    def __init__(self, website: Website, digest: DigestConfig) -> None:
        self._website, self._root = website, digest.folder

    def has(self, path: str) -> bool:
        return self._website.has(self.path(path))

    def path(self, path: str) -> str:
        return f"{self._root}{path}"


def _with_the_mark_apart(made: Iterator[Page], mark: str) -> Iterator[Iterator[Page]]:
    """The pages before the file that says that all was published, and then the others: a new file may take its place before
    those that stood do, and this one must not."""
    rest: list[Page] = []

    def before() -> Iterator[Page]:
        for page in made:
            if page.path == mark:
                rest.append(page)
                return
            yield page

    yield before()
    yield chain(rest, made)


class AllThere:
    """As if all else was published already: only what the editions touch is made."""

    def has(self, path: str) -> bool:
        return True


def digest_pages(
    digest: DigestConfig,
    config: Config,
    store: Store,
    renderer: Renderer,
    editions: Iterable[Edition],
    *,
    published: Pages,
    recent: Sequence[Edition] | None = None,
    everything: bool = False,
    keep: bool = False,
    done: Callable[[], None] = lambda: None,
) -> Iterator[Page]:
    """The pages of a digest in writing order: of each edition the mail's copies, its pages and those of its papers; then
    channels; then months, home and feeds. `recent` are the recent_editions, where they are read already; with `keep` the store
    keeps what runs to come need not make again."""
    recent = recent_editions(digest, store) if recent is None else recent
    base = Publication(
        config=config,
        digest=digest,
        url=config.digest_url(digest.name),
        authority=store.feed_authority(),
        heads=tuple(store.edition_heads(digest.name)),
        latest=with_found(recent, store),
        earlier=tuple(_earlier(digest, store, recent)),
        chunk_count=0 if config.web.enabled else store.chunk_count(digest.name),
    )
    views = Views(digest, store, base, published, maker=renderer.fingerprint)
    for part in views.parts(editions, everything=everything):
        for edition in part.issued:  # the mail's copies show what was sent
            yield from web_copies(edition, config, renderer)
        yield from parts_of(part, renderer)
        if keep:
            views.keep(part)
        done()
    yield from wholes_of(views.base, renderer)


def trial_pages(digest: DigestConfig, config: Config, renderer: Renderer, edition: Edition) -> Iterator[Page]:
    """A page of every template, made of this edition alone."""
    first = edition.entries[0]
    head = EditionHead(
        id=edition.id,
        digest=digest.name,
        date=edition.date,
        part=edition.part,
        number=edition.number,
        papers=edition.count,
    )
    record = PaperRecord(
        key=first.paper.key,
        canonical=first.paper.key,
        guid=first.guid,
        versions=(Version(seen_at=edition.issued_at, paper=first.paper),) * 2,
        mentions=(
            Mention(source=first.source, announce=None, listed_on=edition.date, seen_at=edition.issued_at),
        ),
        editions=(head,),
    )
    channel = Channel(kind="topic", slug="other", name="Other", papers=1, shown=(Shown(first, edition),))
    place = Place(paper_id=0, key=first.paper.key, date=edition.date, part=edition.part, position=1)
    hit = Hit(digest=digest.name, place=place, paper=first.paper, topic="other")
    publication = Publication(
        config=config,
        digest=digest,
        url=config.digest_url(digest.name),
        heads=(head,),
        latest=(edition,),
        editions=(edition,),
        issued=(edition,),
        channels=(channel,),
        catalogue=(channel,),
        records=(record,),
        chunks=(SearchChunk(number=1, hits=(hit,)),),
        chunk_count=1,
    )
    yield from pages(publication, renderer)


def recent_editions(digest: DigestConfig, store: Store) -> Sequence[Edition]:
    """The editions that feeds and home page show, newest first: enough for 50 papers, and all of the last 7 days."""
    heads = store.edition_heads(digest.name)
    if not heads:
        return []
    papers, enough = 0, 0
    for head in sorted(heads, key=lambda head: -head.number):
        if papers >= FEED_ITEMS:
            break
        papers += head.papers
        enough += 1
    newest = max(head.date for head in heads)
    since = newest - timedelta(days=min(FEED_DAYS - 1, newest.toordinal() - 1))
    return store.latest_editions(digest.name, limit=enough, since=since)


def _earlier(digest: DigestConfig, store: Store, recent: Sequence[Edition]) -> list[EditionTitles]:
    """The editions that the feed of editions names behind the recent ones: up to 50 of both, while they have no more than 2,000
    papers."""
    newest_first = sorted(store.edition_heads(digest.name), key=lambda head: -head.number)[:EDITIONS]
    papers = accumulate(head.papers for head in newest_first)
    known = {edition.id for edition in recent}
    found = (
        store.edition_titles(digest.name, head.date, head.part)
        for head, so_far in zip(newest_first, papers, strict=True)
        if so_far <= EDITIONS_PAPERS and head.id not in known
    )
    return [edition for edition in found if edition is not None]


def _wanted(
    digest: DigestConfig,
    store: Store,
    folder: _Folder,
    heads: Sequence[EditionHead],
    recent: Sequence[Edition],
) -> Iterator[Edition]:
    known = {(edition.date, edition.part): edition for edition in recent}

    def missing(head: EditionHead) -> bool:
        paths = [f"{path}index.html" for path in (head.path, f"{head.date:%Y/%m}/", f"{head.date:%Y}/")]
        if digest.has_records:  # chosen since it was published, perhaps
            paths.append(record_map_path(head.id))
        return not all(map(folder.has, paths))

    newest = max((head.number for head in heads), default=0)
    # A run that died in the middle has written some of its pages.
    published = min(store.published(digest.name), newest - 1)
    # Of papers without an id an edition shows what was found elsewhere, until a correction by hand takes it away.
    nameless = [key for key in store.touched(digest.name) if rung(key) in NAMELESS]
    completed_since = {
        (head.date, head.part) for record in store.records(digest.name, nameless) for head in record.editions
    }
    before = False
    for head in heads:
        # Those that are new and those whose own page, month, year or map of papers is missing; each time the one after, which links
        # back to it, also where a run ended that had written the new one; and those of whose papers something was found.
        wanted = missing(head) or head.number > published
        if wanted or before or (head.date, head.part) in completed_since:
            at = (head.date, head.part)
            edition = known[at] if at in known else store.edition(digest.name, *at)
            if edition is not None:
                yield edition
        before = wanted
