"""Publish: editions → files. Pages come before the feeds that link to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from digest.config import Config, DigestConfig
from digest.formats import Publication, pages
from digest.formats.items import FEED_DAYS, FEED_ITEMS
from digest.identity import rung
from digest.mail.compose import web_copies
from digest.matching import completed
from digest.model import Edition, EditionHead, Entry, Page, PublishReport
from digest.website import Website

if TYPE_CHECKING:
    from digest.render import Renderer
    from digest.store import Store

# Keys of papers that were shown without an id and a page of their own.
_NAMELESS = frozenset({"title", "abstract", "shown"})


def publish(
    config: Config, store: Store, renderer: Renderer, website: Website, *, everything: bool = False
) -> PublishReport:
    """Every digest's newest edition, archive pages and feeds as files; with `everything` the pages of all editions.

    An edition whose page is missing (a run that died before it could publish) is published too.
    """
    total = PublishReport()
    for digest in config.digest:
        report = website.write(
            digest_pages(digest, config, store, renderer, _wanted(digest, store, website, everything))
        )
        total = replace(
            total, written=total.written + report.written, unchanged=total.unchanged + report.unchanged
        )
    return total


def digest_pages(
    digest: DigestConfig, config: Config, store: Store, renderer: Renderer, editions: Iterable[Edition]
) -> Iterator[Page]:
    """The pages of a digest in writing order: mail copies and pages of `editions`, then months, home and feeds."""
    latest = recent_editions(digest, store)
    url = config.digest_url(digest.name)
    wanted = tuple(editions)
    # The mail's copies show what was sent.
    for edition in wanted:
        yield from web_copies(
            edition, site=config.site, digest=digest, mail=config.mail, url=url, renderer=renderer
        )
    shown = with_found((*latest, *wanted), store)
    publication = Publication(
        site=config.site,
        digest=digest,
        mail=config.mail,
        web=config.web,
        url=url,
        heads=tuple(store.edition_heads(digest.name)),
        latest=shown[: len(latest)],
        editions=shown[len(latest) :],
    )
    yield from pages(publication, renderer)


def with_found(editions: Sequence[Edition], store: Store) -> tuple[Edition, ...]:
    """The editions as the archive shows them: with ids, links and authors that were found elsewhere after they were issued."""
    keys = {e.paper.key for edition in editions for e in edition.entries if rung(e.paper.key) in _NAMELESS}
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


def recent_editions(digest: DigestConfig, store: Store) -> Sequence[Edition]:
    """The editions that feeds and home page show, newest first: enough for 50 papers, and all of the last 7 days."""
    heads = store.edition_heads(digest.name)
    if not heads:
        return []
    newest_first = sorted(heads, key=lambda head: -head.number)
    papers, enough = 0, 0
    for head in newest_first:
        if papers >= FEED_ITEMS:
            break
        papers, enough = papers + head.papers, enough + 1
    newest = newest_first[0].date
    since = newest - timedelta(days=min(FEED_DAYS - 1, newest.toordinal() - 1))
    return store.latest_editions(digest.name, limit=enough, since=since)


def _wanted(digest: DigestConfig, store: Store, website: Website, everything: bool) -> Iterator[Edition]:
    if everything:
        yield from store.all_editions(digest.name)
        return
    heads = store.edition_heads(digest.name)
    root = f"{digest.path}/" if digest.path else ""

    def missing(head: EditionHead) -> bool:
        folders = (head.path, f"{head.date:%Y/%m}/", f"{head.date:%Y}/")
        return not all(website.has(f"{root}{folder}index.html") for folder in folders)

    newest = max((head.number for head in heads), default=0)
    completed_since = store.editions_completed(digest.name)
    before = False
    for head in heads:
        # The newest; those whose own page, month or year is missing; and the one after, which links back to it; and those
        # of whose papers something was found.
        wanted = missing(head)
        if wanted or before or head.number == newest or (head.date, head.part) in completed_since:
            edition = store.edition(digest.name, head.date, head.part)
            if edition is not None:
                yield edition
        before = wanted
