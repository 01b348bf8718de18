"""What RSS, Atom and JSON Feed say alike: feeds, and one item for each paper, built once and written once in each format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from html import escape
from urllib.parse import quote

from msgspec import Struct

from digest.config import SiteConfig
from digest.formats import Channel, Publication, Shown
from digest.formats.entries import Item, xml_text
from digest.formats.frame import FEEDS
from digest.model import Edition, EditionHead, EditionTitles, Entry
from digest.render import PaperView, clean, clean_all, summary_of, view_paper
from digest.words import counted, edition_words

FEED_ITEMS = 50
FEED_DAYS = 7
EDITIONS = 50
EDITION_TITLES = 100
EDITIONS_FILES = ("editions.xml", "editions-atom.xml", "editions.json")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Feed(Struct, frozen=True, kw_only=True, dict=True):
    """A feed in three formats. Tuples of addresses are those of RSS, Atom and JSON Feed, in this order.

    `id` is permanent (RFC 4287, 4.2.6), `home` the page that shows the same, `root` the address of the digest, with a final slash.
    `previous` is the document before this one in the chain of archives (RFC 5005, 4), and `current`, of an archive, its head.
    `changed` is when something last came or went, where more is known than its items say.
    """

    site: SiteConfig
    root: str
    id: str
    title: str
    description: str
    home: str
    urls: tuple[str, str, str]
    items: Sequence[Item]
    previous: tuple[str, str, str] | None = None
    current: tuple[str, str, str] | None = None
    changed: datetime | None = None

    @property
    def author(self) -> str:
        return clean(self.site.publisher or self.site.title)

    @cached_property
    def updated(self) -> datetime:
        """When it last changed: with its newest edition. A feed without one says the beginning of time, never now.

        What moved on to another channel is no item any more; without `changed` the feed would be older than it was."""
        return max((self.changed or _NEVER, *(item.issued for item in self.items)))


# ---------------------------------------------------------------- feeds


def digest_feed(publication: Publication) -> Feed:
    """The feed of a whole digest: the head of the chain of archives. It leads on to the newest edition that is not in it."""
    editions = head_editions(publication.latest)
    held = {edition.number for edition in editions}
    rest = [head for head in publication.heads if head.number not in held]
    return _feed(
        publication,
        "",
        title=publication.title,
        description="New research papers, one item for each.",
        items=publication.items,
        previous=max(rest, key=lambda head: head.number, default=None),
    )


def edition_feed(publication: Publication, edition: Edition, before: EditionHead | None) -> Feed:
    """The feed of an edition as it was issued, an archive that never changes (RFC 5005, 4): it leads to the edition before it,
    never to the one after. It is a document of the digest's feed, whose id it has."""
    return _feed(
        publication,
        "",
        title=f"{publication.title}, {edition_words(edition.date, edition.part)}",
        description=f"The papers of one edition, No. {edition.number}.",
        items=[publication.item(Shown(entry, edition)) for entry in edition.entries],
        path=edition.path,
        previous=before,
        archive=True,
    )


def channel_feed(publication: Publication, channel: Channel) -> Feed:
    """The feed of a topic, category, author or saved search: its newest 50 papers or those of 7 days, whichever is more."""
    words = {"topic": "in the topic", "category": "in the category", "author": "by"}
    path = quote(channel.path)
    return _feed(
        publication,
        f"/{path[:-1]}",
        title=f"{channel.title}: {publication.title}",
        description=f"New research papers that match the search {clean(channel.query)}"
        if channel.kind == "search"
        else f"New research papers {words[channel.kind]} {channel.title}.",
        items=[publication.item(shown) for shown in recent(channel.shown)],
        path=path,
        changed=channel.changed and channel.changed.replace(microsecond=0),
    )


def editions_feed(publication: Publication) -> Feed:
    """The feed that has one item for each edition."""
    return Feed(
        site=publication.site,
        root=publication.url,
        id=feed_id(publication, "/editions"),
        title=f"Editions: {publication.title}",
        description="One item for each edition, with the titles of its papers.",
        home=publication.url,
        urls=_urls(publication.url, EDITIONS_FILES),
        items=publication.edition_items,
    )


def _feed(
    publication: Publication,
    name: str,
    *,
    title: str,
    description: str,
    items: Sequence[Item],
    path: str = "",
    previous: EditionHead | None = None,
    archive: bool = False,
    changed: datetime | None = None,
) -> Feed:
    home = publication.url + path
    return Feed(
        site=publication.site,
        root=publication.url,
        id=feed_id(publication, name),
        title=title,
        description=description,
        home=home,
        urls=feed_urls(home),
        items=items,
        previous=feed_urls(publication.url + previous.path) if previous else None,
        current=feed_urls(publication.url) if archive else None,
        changed=changed,
    )


def feed_urls(folder: str) -> tuple[str, str, str]:
    """Addresses of the RSS, Atom and JSON feeds in a folder; its address has a final slash."""
    return _urls(folder, tuple(file for _, file, _ in FEEDS))


def _urls(folder: str, files: Sequence[str]) -> tuple[str, str, str]:
    rss, atom, json = files
    return f"{folder}{rss}", f"{folder}{atom}", f"{folder}{json}"


def feed_id(publication: Publication, name: str) -> str:
    """The permanent id of a feed: a tag URI with the authority of its editions, which outlives a change of address."""
    authority = publication.latest[0].guid.split(":")[1] if publication.latest else publication.authority
    if not authority:
        return f"{publication.url}{name.lstrip('/')}"
    return clean(f"tag:{authority}:feed/{quote(publication.digest.name)}{name}")


# ---------------------------------------------------------------- which items


def make_edition_items(publication: Publication) -> list[Item]:
    """The items of the feed of editions: the newest 50 of `latest` and `earlier`."""
    known: list[Edition | EditionTitles] = [*publication.latest, *publication.earlier]
    newest = sorted(known, key=lambda edition: -edition.number)[:EDITIONS]
    return [edition_item(edition, publication.url) for edition in newest]


def make_items(publication: Publication) -> list[Item]:
    """The items of the digest's feed, those of the newest edition first, unique by id: whole editions, so many that they
    have 50 papers, and all of 7 days."""
    return unique(
        publication.item(Shown(entry, edition))
        for edition in head_editions(publication.latest)
        for entry in edition.entries
    )


def head_editions(latest: Sequence[Edition]) -> list[Edition]:
    """The editions whose papers the digest's feed has, whole, the newest first."""
    since = _since(edition.date for edition in latest)
    found: list[Edition] = []
    ids: set[str] = set()
    for edition in sorted(latest, key=lambda each: -each.number):
        if len(ids) < FEED_ITEMS or edition.date.toordinal() > since:
            found.append(edition)
            ids.update(entry.guid for entry in edition.entries)
    return found


def recent(shown: Sequence[Shown]) -> Sequence[Shown]:
    """The first 50 and all of the newest 7 days, in the order they have: newest first."""
    if len(shown) <= FEED_ITEMS:
        return shown
    since = _since(each.edition.date for each in shown)
    return [each for n, each in enumerate(shown) if n < FEED_ITEMS or each.edition.date.toordinal() > since]


def unique(items: Iterable[Item]) -> list[Item]:
    """Each id once, where it comes first."""
    found: dict[str, Item] = {}
    for item in items:
        found.setdefault(item.id, item)
    return list(found.values())


def _since(days: Iterable[date]) -> int:
    """The last day, as an ordinal, that is not of the newest seven."""
    return max((day.toordinal() for day in days), default=0) - FEED_DAYS


# ---------------------------------------------------------------- items


def make_item(entry: Entry, edition: Edition, page: str, view: PaperView | None = None) -> Item:
    """The item of an entry; `page` is the address of its edition's page, `view` the entry in words, where it is already.
    Publication.item builds each once."""
    paper, view = entry.paper, view or view_paper(entry, page)
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
        authors=_each_once(paper.authors),
        categories=_each_once(tags),
        published=published,
        updated=max(published, min(revised or published, issued)),
        issued=issued,
    )


def edition_item(edition: Edition | EditionTitles, url: str) -> Item:
    """The item of an edition: what it holds, and its titles, each leading to its place on the edition's page."""
    page = f"{url}{edition.path}"
    issued = edition.issued_at.replace(microsecond=0)
    summary = summary_of(edition)
    summary = f"{summary[:1].upper()}{summary[1:]}."
    return Item(
        id=clean(edition.guid),
        title=edition_words(edition.date, edition.part),
        url=page,
        summary=summary,
        content="".join(f"<p>{line}</p>" for line in (xml_text(summary), *_titles(edition, page))),
        authors=(),
        categories=(),
        published=issued,
        updated=issued,
        issued=issued,
    )


def moment(text: str | None) -> datetime | None:
    """An RFC 3339 date-time or full date as an aware datetime in UTC; None for anything else."""
    try:
        found = datetime.fromisoformat(text or "")
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found.replace(microsecond=0) if 1900 <= found.year <= 9000 else None


def _each_once(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, clean_all(names))))


def _titles(edition: Edition | EditionTitles, page: str) -> Iterator[str]:
    """The first hundred titles, picks first; a feed of fifty editions is to stay a feed that one can fetch."""
    address = escape(page)
    for entry in edition.entries[:EDITION_TITLES]:
        title = clean(entry.paper.title) or "(untitled)"
        yield f'<a href="{address}#{quote(entry.anchor)}">{xml_text(title)}</a>'
    more = edition.count - EDITION_TITLES
    if more > 0:
        yield f'<a href="{address}">{counted(more, "more paper")}</a>'


def _content(paper: PaperView) -> str:
    return "".join(f"<p>{line}</p>" for line in _lines(paper) if line)


def _lines(paper: PaperView) -> Iterator[str]:
    """Gist, authors and facts, abstract, comment, links: it stands by itself in readers that show nothing else."""
    yield xml_text(paper.gist)
    everyone = paper.all_authors or paper.authors
    facts = " · ".join(
        xml_text(fact) for fact in (paper.notice, everyone, paper.organization, paper.upvotes) if fact
    )
    yield f"<em>{facts}</em>" if facts else ""
    yield xml_text(paper.abstract)
    yield xml_text(paper.comment)
    yield " ".join(f'<a href="{escape(link.url)}">{link.label}</a>' for link in paper.links) or (
        f'<a href="{escape(paper.page_url)}">In the archive</a>'
    )
