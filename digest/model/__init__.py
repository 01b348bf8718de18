"""The shapes that travel through the house: frozen values, no behaviour beyond what they say of themselves.

Nowhere else defines a shape (those of readers and their mails are in readers.py, of a run's report in reports.py). They are msgspec
structs, so that a stored snapshot is their JSON.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from msgspec import Struct

from digest.model.readers import (
    ON_THE_LIST,
    Delivery,
    Frequency,
    Letter,
    LetterKind,
    Message,
    Preferences,
    Receipt,
    Said,
    Span,
    Subscriber,
    SubscriberStatus,
    Suppression,
)
from digest.model.reports import (
    FAILED_OUTCOMES,
    DeliveryReport,
    DigestReport,
    EditionReport,
    LookupReport,
    Outcome,
    PublishReport,
    RunReport,
    SourceReport,
    TargetReport,
)

# Of this room too, though it stands beside.
__all__ = [
    "FAILED_OUTCOMES",
    "ON_THE_LIST",
    "PAPER_FACTS",
    "Delivery",
    "DeliveryReport",
    "DigestReport",
    "EditionReport",
    "Frequency",
    "Letter",
    "LetterKind",
    "LookupReport",
    "Message",
    "Outcome",
    "Preferences",
    "PublishReport",
    "Receipt",
    "RunReport",
    "Said",
    "SourceReport",
    "Span",
    "Subscriber",
    "SubscriberStatus",
    "Suppression",
    "TargetReport",
]

Announce = Literal["new", "cross", "replace", "replace-cross", "withdrawn"]
# The stream in which an edition shows a paper: announced as new, cross-listed, in a new version, or withdrawn after it was sent.
Stream = Literal["new", "cross", "updated", "withdrawn"]

SightingStatus = Literal["new", "updated", "seen"]


class Listing(Struct, frozen=True, kw_only=True):
    """A fetched page: its bytes and where and when they were had.

    `location` is the path or URL as the operator knows it, `base_url` what relative links are resolved against,
    `listed_on` the day that the file name or URL says the listing is of (`2026-11-19.html`, `?date=2026-11-19`).
    `etag` and `last_modified` are the validators of the answer (RFC 9110, 8.8), as they came; empty where there were none.
    """

    location: str
    body: bytes
    content_type: str = ""
    base_url: str = ""
    fetched_at: datetime | None = None
    listed_on: date | None = None
    etag: str = ""
    last_modified: str = ""


class NotModified(Struct, frozen=True, kw_only=True):
    """The answer that a page is what it was when its validators were had (RFC 9110, 15.4.5). A result, not an error."""

    url: str


class Validators(Struct, frozen=True, kw_only=True):
    """What a conditional request sends back of an earlier answer (RFC 9110, 13.1)."""

    etag: str = ""
    last_modified: str = ""


class Paper(Struct, frozen=True, kw_only=True):
    """One paper as one listing shows it, cleaned. An absent fact is None or empty, never a guess.

    `key` is the strongest key of the match ladder (identity.py). `published` and `updated` are RFC 3339 date-times or
    full dates, as text. `links` has the names abstract, pdf, code, hf, page (project page), model, data, html; absolute http(s)
    addresses. `gist` is the summary of one sentence where the source has one. `source_text` holds the raw title and
    abstract where cleaning changed them, and under `id` and `authors` (with "; ") an id and names as the source writes them,
    where it writes them otherwise; none of it is a key. `authors_cut` says that the page left authors out; `authors_joined`
    that it gave all of them as one string (`authors_raw`), which `authors` has in parts where that is safe.
    """

    key: str
    title: str
    abstract: str = ""
    gist: str = ""
    ids: dict[str, str] = {}
    version: int | None = None
    authors: tuple[str, ...] = ()
    authors_raw: str | None = None
    authors_cut: bool = False
    authors_joined: bool = False
    categories: tuple[str, ...] = ()
    announce: Announce | None = None
    published: str | None = None
    updated: str | None = None
    links: dict[str, str] = {}
    upvotes: int | None = None
    tags: tuple[str, ...] = ()
    organization: str | None = None
    comment: str | None = None
    source_text: dict[str, str] = {}


# What `digest parse --json` and papers.json say of a paper, in this order: all but the gist, and how its authors were written.
PAPER_FACTS = (
    "key", "ids", "version", "title", "abstract", "authors", "categories", "announce", "published", "updated",
    "links", "upvotes", "tags", "organization", "comment", "source_text",
)  # fmt: skip


class Reading(Struct, frozen=True, kw_only=True):
    """What one listing holds: papers in page order, unique by key.

    `stated` is the number of papers the page itself claims, for the whole listing; `section_counts` counts the
    papers read per announce type; `section_stated` what the headings of this page say each of those sections shows on this
    page, where they do. `listed_on` is the day the page says it is of. `empty` is true only where the page
    itself says that it holds nothing; no papers and not `empty` never leaves `sources.read` (ParseError instead).
    `next_url` is the absolute address of the listing's next page ("" for none), as far as this page tells: a resumption
    token, `skip`/`show`, `start`, `page`, a cursor, or a round number that may be a cut.
    """

    kind: str
    papers: tuple[Paper, ...]
    stated: int | None = None
    section_counts: dict[str, int] = {}
    section_stated: dict[str, int] = {}
    listed_on: date | None = None
    empty: bool = False
    next_url: str = ""
    notes: tuple[str, ...] = ()

    @property
    def truncated(self) -> str:
        """The note that says where the page breaks off; "" for a whole one. What was read of it counts all the same."""
        return next((note for note in self.notes if note.startswith("truncated")), "")

    @property
    def outcome(self) -> Outcome:
        return "suspect" if self.truncated else "new" if self.papers else "quiet"


class Sighting(Struct, frozen=True, kw_only=True):
    """The diff's answer for one paper of one listing: which known paper it is, by which key, and what is new about it."""

    paper: Paper
    paper_id: int
    status: SightingStatus
    matched_by: str | None = None


class Candidate(Struct, frozen=True, kw_only=True):
    """A paper that waits for the next edition of a digest. `paper.key` is the key it was first stored under: it never changes.
    `listed_on` is the day of the listing that brought it, where that has one."""

    paper_id: int
    paper: Paper
    change: Stream
    source: str
    found_at: datetime
    listed_on: date | None = None


# The reason of a paper that is left out for want of an `include` rule: the only one that what is learned of it later may undo.
UNMATCHED = "no include rule matches"


class Decision(Struct, frozen=True, kw_only=True):
    """What selection decided about one candidate, and why, in words for the operator."""

    paper_id: int
    kept: bool
    reason: str


class Entry(Struct, frozen=True, kw_only=True):
    """A paper in an edition, frozen as it was shown.

    `guid` is the item's id in every feed and never changes (tag URI, RFC 4151); `anchor` its id on the edition's page.
    `gist` is one sentence of at most 200 characters, may be empty. `topic` is empty for "Other". `pick` is the rank
    among the picks (1 is the first), None for the others. `change` is its stream. `late` is the day it was listed, where
    an edition of that day or a later one had been issued before the paper was found.
    """

    paper: Paper
    guid: str
    anchor: str
    gist: str = ""
    topic: str = ""
    pick: int | None = None
    change: Stream = "new"
    source: str = ""
    late: date | None = None


class Section(Struct, frozen=True, kw_only=True):
    """A topic of an edition with its entries in the order of show; a pick is not repeated here."""

    name: str
    slug: str
    entries: tuple[Entry, ...]


def edition_path(day: date, part: int) -> str:
    """The folder of an edition below its digest's root: "2026/11/19/", and of a second one of that day "2026/11/19/2/"."""
    # A run asks thousands of times, and strftime takes five times as long.
    folder = f"{day.isoformat().replace('-', '/')}/"
    return folder if part == 1 else f"{folder}{part}/"


def edition_id(day: str, part: int) -> str:
    """The id of an edition of an ISO date: "2026-11-19", and of a second one of that day "2026-11-19/2"."""
    return day if part == 1 else f"{day}/{part}"


def edition_place(edition_id: str) -> tuple[str, int]:
    """The ISO date and the part that an edition's id says."""
    day, _, part = edition_id.partition("/")
    return day, int(part or 1)


class Edition(Struct, frozen=True, kw_only=True):
    """One dated issue of a digest, frozen when issued: the hinge between what is new and who gets to see it.

    `id` is `2026-11-19` for the first part of a date and `2026-11-19/2` for the second; `number` counts the editions of
    the digest from 1. `path` is its folder below the digest's root, with a final slash (`2026/11/19/`).
    `guid` is a tag URI. Counts add up: len(picks) + the entries of all sections == count.
    """

    id: str
    digest: str
    title: str
    date: date
    part: int
    number: int
    issued_at: datetime
    guid: str
    picks: tuple[Entry, ...] = ()
    sections: tuple[Section, ...] = ()

    @property
    def count(self) -> int:
        return len(self.picks) + sum(len(section.entries) for section in self.sections)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Picks first, then topic by topic: the order of every output."""
        return self.picks + tuple(entry for section in self.sections for entry in section.entries)

    @property
    def path(self) -> str:
        return edition_path(self.date, self.part)


class PaperTitle(Struct, frozen=True, kw_only=True):
    """Of a paper, what it is called."""

    title: str


class EntryTitle(Struct, frozen=True, kw_only=True):
    """Of an Entry, what a list of titles needs."""

    paper: PaperTitle
    anchor: str
    topic: str = ""
    change: Stream = "new"


class SectionTitles(Struct, frozen=True, kw_only=True):
    """Of a Section, the same."""

    name: str
    entries: tuple[EntryTitle, ...]


class EditionTitles(Struct, frozen=True, kw_only=True):
    """An Edition without the words of its papers, for lists that name many."""

    date: date
    part: int
    number: int
    issued_at: datetime
    guid: str
    picks: tuple[EntryTitle, ...] = ()
    sections: tuple[SectionTitles, ...] = ()

    @property
    def count(self) -> int:
        return len(self.entries)

    @property
    def entries(self) -> tuple[EntryTitle, ...]:
        return self.picks + tuple(entry for section in self.sections for entry in section.entries)

    @property
    def path(self) -> str:
        return edition_path(self.date, self.part)


class EditionHead(Struct, frozen=True, kw_only=True):
    """What calendars and neighbours need of an edition, without its entries."""

    id: str
    digest: str
    date: date
    part: int
    number: int
    papers: int

    @property
    def path(self) -> str:
        return edition_path(self.date, self.part)


LabelKind = Literal["topic", "category", "author"]


class Label(Struct, frozen=True, kw_only=True):
    """A topic, category or author of a digest's papers: the name as the newest of them writes it, and how many there are.
    Kind and `slug` (labels.py) say which it is."""

    kind: LabelKind
    slug: str
    name: str
    papers: int


class Place(Struct, frozen=True, kw_only=True):
    """Where a digest shows a paper: the newest edition that has it, and its position in `edition.entries`, from 1. `id` is the
    number of the place in the store, 0 where it has none; `anchor` that on the edition's page where its key does not say it."""

    id: int = 0
    paper_id: int
    key: str
    date: date
    part: int
    position: int
    anchor: str = ""


class Mention(Struct, frozen=True, kw_only=True):
    """The first time that a source announced a paper in this way; `listed_on` is the day of its listing, where that has one."""

    source: str
    announce: Announce | None
    listed_on: date | None
    seen_at: datetime


class Version(Struct, frozen=True, kw_only=True):
    """A paper as it stood from `seen_at` on."""

    seen_at: datetime
    paper: Paper


class PaperRecord(Struct, frozen=True, kw_only=True):
    """What the page of a paper shows. `key` is the one that editions know it by, `canonical` that of the paper it turned out to
    be (the same for most). `versions` are oldest first, the last is the paper as it is known now; `editions` those of one digest
    that show it, oldest first; `topic` the name of its topic in the last of them, `authors` the
    slugs of the authors that it is listed under there (None for all); `anchors` as in Place, by the id of the edition."""

    key: str
    canonical: str
    guid: str
    versions: tuple[Version, ...]
    mentions: tuple[Mention, ...]
    editions: tuple[EditionHead, ...]
    topic: str = ""
    authors: frozenset[str] | None = None
    anchors: dict[str, str] = {}

    @property
    def paper(self) -> Paper:
        return self.versions[-1].paper


class Hit(Struct, frozen=True, kw_only=True):
    """A paper that a search found, as it is known now, and the newest place where a digest shows it."""

    digest: str
    place: Place
    paper: Paper
    topic: str


class Page(Struct, frozen=True, kw_only=True):
    """A file we publish: a path below `site.output`, with forward slashes, and its bytes."""

    path: str
    body: bytes
