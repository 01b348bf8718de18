"""What RSS, Atom and JSON Feed say alike: one item for each paper, built once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from html import escape

from msgspec import Struct

from digest.formats import Publication
from digest.model import Edition, Entry
from digest.render import PaperView, clean, view_paper

FEED_ITEMS = 50
FEED_DAYS = 7


class Item(Struct, frozen=True, kw_only=True):
    """A paper in a feed. `summary` is plain text; `content` is HTML of p, a, em and code only.

    `published` is the paper's own date where it has one, else that of its edition. `updated` grows with every edition
    that shows the paper again: for a new version it is the moment the edition was issued. Neither is later than the
    edition: readers hide what lies in the future.
    """

    id: str
    title: str
    url: str
    summary: str
    content: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    published: datetime
    updated: datetime


def make_items(publication: Publication) -> list[Item]:
    """The newest edition's items first, unique by id: 50 of them or those of 7 days, whichever is more."""
    found: dict[str, Item] = {}
    since = publication.latest[0].date - timedelta(days=FEED_DAYS) if publication.latest else None
    for edition in publication.latest:
        recent = since is not None and edition.date > since
        for entry in edition.entries:
            if not recent and len(found) >= FEED_ITEMS:
                return list(found.values())
            if entry.guid not in found:
                found[entry.guid] = make_item(entry, edition, f"{publication.url}{edition.path}")
    return list(found.values())


def make_item(entry: Entry, edition: Edition, page: str) -> Item:
    """The item of an entry; `page` is the address of its edition's page."""
    paper, view = entry.paper, view_paper(entry, page)
    issued = edition.issued_at.replace(microsecond=0)
    published = min(moment(paper.published) or issued, issued)
    revised = issued if entry.change in ("updated", "withdrawn") else moment(paper.updated)
    tags = (entry.topic, *paper.tags, *paper.categories)
    return Item(
        id=clean(entry.guid),
        title=view.title,
        url=view.href,
        summary=view.gist,
        content=_content(view),
        authors=tuple(dict.fromkeys(name for name in map(clean, paper.authors) if name)),
        categories=tuple(dict.fromkeys(tag for tag in map(clean, tags) if tag)),
        published=published,
        updated=max(published, min(revised or published, issued)),
    )


def feed_updated(publication: Publication, found: Sequence[Item]) -> datetime:
    """When the feed last changed: with its newest edition. A feed without one says the beginning of time, never now."""
    return (
        publication.latest[0].issued_at.replace(microsecond=0)
        if found
        else datetime.fromisoformat("1970-01-01T00:00:00Z")
    )


def moment(text: str | None) -> datetime | None:
    """An RFC 3339 date-time or full date as an aware datetime in UTC; None for anything else."""
    try:
        found = datetime.fromisoformat(text or "")
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found.replace(microsecond=0) if 1900 <= found.year <= 9000 else None


def _content(paper: PaperView) -> str:
    return "".join(f"<p>{line}</p>" for line in _lines(paper) if line)


def _lines(paper: PaperView) -> Iterator[str]:
    """Gist, authors and facts, abstract, comment, links: it stands by itself in readers that show nothing else."""
    yield _html(paper.gist)
    everyone = paper.all_authors or paper.authors
    facts = " · ".join(
        _html(fact) for fact in (paper.notice, everyone, paper.organization, paper.upvotes) if fact
    )
    yield f"<em>{facts}</em>" if facts else ""
    yield _html(paper.abstract)
    yield _html(paper.comment)
    yield " ".join(f'<a href="{escape(link.url)}">{link.label}</a>' for link in paper.links) or (
        f'<a href="{escape(paper.page_url)}">In the archive</a>'
    )


def _html(text: str) -> str:
    return escape(text, quote=False)
