"""A paper as the store remembers it, and what a listing may change about it. Pure: no database here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any
from zlib import crc32

import msgspec
from msgspec.structs import replace

from digest import identity
from digest.identity import Known
from digest.model import Edition, Paper
from digest.store.database import decoder
from digest.utf8 import plain, plain_all, plain_json

REPLACED = frozenset({"replace", "replace-cross", "withdrawn"})

decode = decoder(Paper)
decode_edition = decoder(Edition)
_encode = msgspec.json.Encoder().encode
_pack_into = msgspec.msgpack.Encoder().encode_into


def encode(value: Paper | Edition) -> str:
    """Its JSON. A lone surrogate, which no database takes, becomes U+FFFD."""
    return plain_json(value).decode()


def plain_paper(paper: Paper) -> Paper:
    """The paper with texts that every database takes, without lone surrogates and NUL; itself where it has none."""
    try:
        if b"\\u0000" not in _encode(paper):
            return paper
    except UnicodeEncodeError:
        pass
    return msgspec.convert(plain_all(msgspec.to_builtins(paper)), Paper)


def fingerprint(paper: Paper) -> int:
    """A number of 63 bits that stands for all that is said of a paper; 0 for one that no database takes as it is.

    Papers that are equal may have two, where their ids or links come in another order. Of two that differ, one in 2^32 or fewer
    have the same: a checksum and the length, in a quarter of the time that BLAKE2 takes.
    """
    return fingerprints([paper])[0]


def fingerprints(papers: Iterable[Paper]) -> list[int]:
    """The fingerprint of each. They are packed in one place: memory for each took an eighth of the time."""
    marks, packed = [], bytearray()
    for paper in papers:
        try:
            _pack_into(paper, packed)  # in half the time of JSON, which looks for what it must escape
            marks.append(len(packed) << 32 | crc32(packed))
        except UnicodeEncodeError:
            marks.append(0)
    return marks


def final_key(paper: Paper) -> str | None:
    """The strongest key of a paper where that is an id which is final; None where it has none."""
    name = paper.ids.get("arxiv", "")
    if paper.key == f"arxiv:{name}" and identity.is_arxiv_id(name):
        return paper.key  # what most papers have, without a look at all of its ids and links
    keys = identity.id_keys(paper.ids, paper.links)
    return plain(keys[0]) if keys and identity.rung(keys[0]) in identity.STRONG_RUNGS else None


def shown_key(paper: Paper) -> str:
    """The key of one appearance: everything by which it was decided which paper it is. The same page read again means the same."""
    ids = sorted(identity.known_ids(paper.ids, paper.links).items())
    facts = (ids, identity.page_url(paper.links), paper.title, paper.abstract, paper.authors)
    return f"shown:{identity.text_hash(repr(facts))}"


class KnownPaper:
    """One row of `papers`, and which parts of it a call has changed.

    `borrowed`: it was split off another paper by hand, its own words were not known, and it has that one's until a listing
    shows it. Stored as the complement of the revision, which is below 0 then. `before` is its content as it was stored, None where
    there was none of its own.
    """

    __slots__ = (
        "_known",
        "announced_on",
        "before",
        "borrowed",
        "content",
        "debuted",
        "dirty",
        "id",
        "is_new",
        "revision",
        "titles",
        "version",
    )

    def __init__(
        self,
        paper_id: int,
        content: Paper,
        *,
        version: int | None,
        announced_on: date | None,
        debuted: bool,
        revision: int = 0,
        is_new: bool = False,
        borrowed: bool = False,
    ) -> None:
        self.id, self.content, self.version = paper_id, content, version
        self.announced_on, self.debuted, self.revision = announced_on, debuted, revision
        self.is_new = self.dirty = is_new
        self.borrowed = borrowed
        self.before = None if is_new or borrowed else content
        self.titles: list[str] = []  # under which the listing at hand has shown it
        self._known: Known | None = None

    @property
    def known(self) -> Known:
        if self._known is None:
            paper, url = self.content, identity.page_url(self.content.links)
            self._known = Known(
                ids=identity.known_ids(paper.ids, paper.links),
                urls=(url,) if url else (),
                title=paper.title,
                abstract=paper.abstract,
                authors=paper.authors,
                version=self.version,
                announced_on=self.announced_on,
            )
        return self._known

    @property
    def withdrawn(self) -> bool:
        """A listing said so; nothing that is listed later takes it back."""
        return self.content.announce == "withdrawn"

    @property
    def has_grown(self) -> bool:
        """It has words, authors or categories that it had not when it was stored."""
        mine, was = self.content, self.before
        return was is not None and (mine.abstract, mine.authors, mine.categories) != (
            was.abstract,
            was.authors,
            was.categories,
        )

    def says_all_of(self, paper: Paper) -> bool:
        """Every key of this listing's paper is one that was remembered when it was last met."""
        mine = self.content
        return paper == mine or (
            paper.title == mine.title
            and paper.abstract in ("", mine.abstract)
            and all(mine.ids.get(kind) == value for kind, value in paper.ids.items())
            and all(paper.links.get(name) in (None, mine.links.get(name)) for name in ("abstract", "pdf"))
        )

    def looks_like(self, paper: Paper) -> bool:
        """The appearance is the paper as it looks now, in everything by which a paper is known."""
        mine = self.content
        return paper == mine or (
            (paper.title, paper.abstract, paper.authors) == (mine.title, mine.abstract, mine.authors)
            and paper.ids == mine.ids
            and all(paper.links.get(name) == mine.links.get(name) for name in ("abstract", "pdf"))
        )

    def is_overtaken_by(
        self, paper: Paper, listed_on: date | None, earlier: Callable[[], Sequence[str]]
    ) -> bool:
        """Does the listing show a newer version? `earlier` gives the abstracts it was shown with before.

        Versions decide where both are known. Otherwise: announced as replaced on a later listing day, or a really revised
        abstract that was not among the earlier ones.
        """
        if self.version is not None and paper.version is not None:
            return paper.version > self.version
        if self._is_replaced_by(paper, listed_on):
            return True
        if not identity.is_revised(self.content.abstract, paper.abstract):
            return False
        return all(identity.is_revised(abstract, paper.abstract) for abstract in earlier())

    def _is_replaced_by(self, paper: Paper, listed_on: date | None) -> bool:
        if paper.announce not in REPLACED or listed_on is None:
            return False
        return self.announced_on is None or listed_on > self.announced_on

    def renew(self, paper: Paper, listed_on: date | None, today: date) -> None:
        """Takes the newer version's facts; what it does not say stays."""
        if paper.version is not None:
            self.version = paper.version
        elif self.version is not None and self._is_replaced_by(paper, listed_on):
            self.version += 1  # at least that: the feed that will name it must not count it a second time
        self.announced_on = max(listed_on or today, self.announced_on or date.min)
        self.revision += 1
        self.dirty = True  # the day alone may have changed
        self._set(_merged(paper, self.content, key=self.content.key, version=self.version))

    def complete(self, paper: Paper) -> None:
        """Adds the facts that were missing."""
        if paper == self.content:
            return
        if (
            paper.announce == "withdrawn"
            and paper.version is not None
            and paper.version < (self.version or 0)
        ):
            paper = replace(paper, announce=None)  # the version that was withdrawn is not the newest
        if self.version is None:
            self.version = paper.version
        self._set(_merged(self.content, paper, key=self.content.key, version=self.version))

    def restate(self, paper: Paper) -> None:
        """Takes the words of an appearance in place of borrowed ones. The version is no lower: it must not count as an update."""
        versions = [version for version in (self.version, paper.version) if version is not None]
        self.version = max(versions, default=None)
        self.borrowed, self.dirty = False, True
        self._set(replace(paper, key=self.content.key, ids={**self.content.ids, **paper.ids}))

    def share_history(self, other: KnownPaper) -> None:
        """Was one paper with the other until now: whatever listings said of that one is no news of this one."""
        self._outlive(other)
        self.debuted, self.revision, self.dirty = other.debuted, other.revision, True

    def reduce(self, content: Paper, *, borrowed: bool) -> None:
        """Keeps only this of its content; `borrowed` where its words went to another paper."""
        if borrowed:
            self.borrowed = self.dirty = True
        self._set(content)

    def reword(self, content: Paper) -> None:
        """Takes the words of another appearance first, and keeps its key."""
        self._set(_merged(content, self.content, key=self.content.key, version=self.version))

    def absorb(self, other: KnownPaper) -> None:
        """The other row turned out to be this paper."""
        self._outlive(other)
        self.debuted = self.debuted or other.debuted
        self.revision = max(self.revision, other.revision)
        self.titles += other.titles
        self.borrowed = self.borrowed and other.borrowed
        self.dirty = True
        self._set(_merged(self.content, other.content, key=self.content.key, version=self.version))

    def _outlive(self, other: KnownPaper) -> None:
        if other.version is not None:
            self.version = max(self.version or 0, other.version)
        self.announced_on = max(self.announced_on or date.min, other.announced_on or date.min)

    def _set(self, content: Paper) -> None:
        if content != self.content:
            self.content, self._known, self.dirty = content, None, True


def as_known(row: tuple[Any, ...]) -> KnownPaper:
    """A row of the query papers_by_id."""
    paper_id, _, version, announced_on, debuted, revision, content = row
    return KnownPaper(
        paper_id,
        decode(content),
        version=version,
        announced_on=date.fromisoformat(announced_on) if announced_on else None,
        debuted=bool(debuted),
        revision=revision if revision >= 0 else ~revision,
        borrowed=revision < 0,
    )


def _merged(first: Paper, second: Paper, *, key: str, version: int | None) -> Paper:
    """The facts of the first, completed by the second's. Most votes win, and of two abstracts of which one was cut, the longer.
    Withdrawn by either is withdrawn."""
    withdrawn = "withdrawn" in (first.announce, second.announce)
    named = second if _more_authors(first, second) else first
    return replace(
        first,
        key=key,
        version=version,
        abstract=_fuller(first.abstract, second.abstract),
        ids={**second.ids, **first.ids},
        links={**second.links, **first.links},
        authors=named.authors,
        authors_raw=first.authors_raw or second.authors_raw,
        authors_cut=named.authors_cut,
        authors_joined=named.authors_joined,
        gist=first.gist or second.gist,
        categories=first.categories or second.categories,
        announce="withdrawn" if withdrawn else first.announce or second.announce,
        published=first.published or second.published,
        updated=first.updated or second.updated,
        upvotes=max((n for n in (first.upvotes, second.upvotes) if n is not None), default=None),
        tags=first.tags or second.tags,
        organization=first.organization or second.organization,
        comment=first.comment or second.comment,
        source_text=first.source_text or second.source_text,
    )


def _more_authors(first: Paper, second: Paper) -> bool:
    return not first.authors or (first.authors_cut and len(second.authors) > len(first.authors))


def _fuller(abstract: str, other: str) -> str:
    return other if is_cut_of(abstract, other) else abstract


def is_cut_of(abstract: str, other: str) -> bool:
    """Is this the abstract, or the beginning of it that a page had room for? An empty one is."""
    cut = abstract.rstrip(" .…")
    return other == abstract or (len(other) > len(abstract) and other.startswith(cut))
