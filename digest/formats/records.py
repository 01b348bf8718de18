"""A page for each paper: what it is, where it was seen, its versions and what changed between them, and how to cite it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from digest.config import slugs_of
from digest.editions import anchor_of
from digest.formats import Publication
from digest.formats import citations as cite
from digest.formats.changes import Piece, changed_words
from digest.formats.frame import frame
from digest.labels import FOLDERS, record_path, slug_of
from digest.model import Announce, EditionHead, Entry, Mention, Page, Paper, PaperRecord, Version
from digest.render import PaperView, Renderer, clean, view_paper
from digest.text import gist
from digest.words import counted, day_words

ANNOUNCED: dict[Announce, str] = {
    "new": "as new",
    "cross": "as cross-listed",
    "replace": "in a new version",
    "replace-cross": "in a new version, cross-listed",
    "withdrawn": "as withdrawn",
}


class LinkedName(Struct, frozen=True):
    """A name, and the address of the page about it; "" where there is none."""

    name: str
    url: str


class VersionView(Struct, frozen=True, kw_only=True):
    """A version of a paper: "Version 2, seen 20 November 2026", and what is other than in the one before.

    `title` and `abstract` are empty where they did not change, `added` and `gone` name authors. `notes` are sentences for what has
    no words of its own to show.
    """

    name: str
    title: tuple[Piece, ...] = ()
    abstract: tuple[Piece, ...] = ()
    added: str = ""
    gone: str = ""
    notes: tuple[str, ...] = ()


def pages(publication: Publication, renderer: Renderer) -> Iterator[Page]:
    """`papers/<slug>/` of each record: its page, and its citation as `paper.bib`, `paper.ris` and `paper.json`; of those that are
    `relinked` the page alone."""
    page = renderer.series("archive/record.html", frame(publication))
    topics = slugs_of(publication.digest.topics)
    for record, whole in _records(publication):
        path = record_path(record.key)
        address = publication.url + path
        cited = cite.cited(publication, record.paper, address)
        if whole:
            yield publication.page(f"{path}paper.bib", cite.bibtex([cited]))
            yield publication.page(f"{path}paper.ris", cite.ris([cited]))
            yield publication.page(f"{path}paper.json", cite.csl_json([cited]))
        variables = _variables(publication, record, topics) | {
            "bibtex": cite.short_bibtex(cited),
            "coins": cite.coins(cited),
            "citation": cite.meta(cited, address),
        }
        yield publication.page(f"{path}index.html", page(variables))


def _records(publication: Publication) -> Iterator[tuple[PaperRecord, bool]]:
    yield from ((record, True) for record in publication.records)
    yield from ((record, False) for record in publication.relinked)


def _variables(publication: Publication, record: PaperRecord, topics: dict[str, str]) -> dict[str, Any]:
    root, address = publication.url, publication.url + record_path(record.key)
    paper = view_record(record, root)
    return {
        "title": f"{paper.short_title}: {publication.title}",
        "description": paper.gist or paper.short_title,
        "page_url": address,
        "canonical_url": root + record_path(record.canonical),
        "paper": paper,
        "authors": [_author(publication, record, name) for name in record.paper.authors],
        "others": record.paper.authors_cut,
        "topic": _topic(publication, record, topics),
        "mentions": [_mention(publication, mention) for mention in record.mentions],
        "versions": _versions(publication, record.versions),
        "editions": [
            {"url": f"{root}{head.path}#{quote(_anchor(record, head))}", "date": head.date, "part": head.part}
            for head in reversed(record.editions)
        ],
    }


def view_record(record: PaperRecord, root: str) -> PaperView:
    """The paper of a record in words, as it is known now; `root` is the address of its digest."""
    paper = record.paper
    anchor = _anchor(record, record.editions[-1]) if record.editions else anchor_of(record.key)
    page = f"{root}{record.editions[-1].path}" if record.editions else root
    entry = Entry(paper=paper, guid=record.guid, anchor=anchor, gist=gist(paper.abstract, paper.gist))
    return view_paper(entry, page, root=root)


def _anchor(record: PaperRecord, head: EditionHead) -> str:
    return record.anchors.get(head.id) or anchor_of(record.key)


def _author(publication: Publication, record: PaperRecord, name: str) -> LinkedName:
    slug = slug_of(name)
    known = slug in publication.author_pages and (record.authors is None or slug in record.authors)
    return LinkedName(clean(name), f"{publication.url}{FOLDERS['author']}/{quote(slug)}/" if known else "")


def _topic(publication: Publication, record: PaperRecord, topics: dict[str, str]) -> LinkedName | None:
    """The topic with its page; none where the digest has no topics, or where this paper fits none."""
    if not record.topic:
        return None
    slug = topics.get(record.topic) or slug_of(record.topic)
    # A topic that has another name by now may have kept its address, which the old name does not lead to.
    known = slug in publication.topic_pages
    return LinkedName(
        clean(record.topic), f"{publication.url}{FOLDERS['topic']}/{quote(slug)}/" if known else ""
    )


# ---------------------------------------------------------------- where it was seen


def _mention(publication: Publication, mention: Mention) -> tuple[str, str]:
    """Source, and the rest of the sentence: "announced as new, listed 19 November 2026"."""
    announced = f"announced {ANNOUNCED[mention.announce]}" if mention.announce else ""
    listed = f"listed {day_words(mention.listed_on)}" if mention.listed_on else ""
    seen = f"first seen {_day(publication, mention.seen_at)}"
    return clean(mention.source), ", ".join(filter(None, (announced, listed or seen)))


def _day(publication: Publication, at: datetime) -> str:
    return day_words(at.astimezone(publication.site.zone).date())


# ---------------------------------------------------------------- versions


def _versions(publication: Publication, versions: tuple[Version, ...]) -> list[VersionView]:
    """Newest first; empty where there is only one."""
    if len(versions) < 2:
        return []
    first = versions[0]
    views = [VersionView(name=_version_name(publication, first), notes=("The first that was seen here.",))]
    for before, after in pairwise(versions):
        same = after.paper.version is not None and before.paper.version == after.paper.version
        name = _version_name(publication, after, "changed" if same else "seen")
        views.append(_changes(before.paper, after.paper, name))
    return views[::-1]


def _version_name(publication: Publication, version: Version, word: str = "seen") -> str:
    day, number = _day(publication, version.seen_at), version.paper.version
    return f"Version {number}, {word} {day}" if number else f"As {word} {day}"


def _changes(before: Paper, after: Paper, name: str) -> VersionView:
    added, gone = _others(after, before), _others(before, after)
    notes: list[str] = []
    title = _changed(before.title, after.title, "title", notes.append)
    if not added and not gone and _names(before) != _names(after):
        notes.append("The authors stand in another order.")
    abstract = _changed(before.abstract, after.abstract, "abstract", notes.append)
    if not (title or abstract or added or gone or notes):
        notes.append("Title, authors and abstract are the same.")
    return VersionView(
        name=name,
        title=title,
        abstract=abstract,
        added=", ".join(added),
        gone=", ".join(gone),
        notes=tuple(notes),
    )


def _names(paper: Paper) -> list[str]:
    return [clean(name) for name in paper.authors]


def _others(paper: Paper, other: Paper) -> list[str]:
    """The authors of a paper who are not of the other."""
    known = set(_names(other))
    return list(dict.fromkeys(name for name in _names(paper) if name not in known))


def _changed(before: str, after: str, what: str, note: Callable[[str], None]) -> tuple[Piece, ...]:
    old, new = clean(before), clean(after)
    if old == new:
        return ()
    if not old or not new:
        # All of it added or gone: the page shows what there is, and repeats none of it.
        note(
            f"The {what} was added."
            if new
            else f"The {what} is gone: it had {counted(len(old), 'character')}."
        )
        return ()
    return changed_words(old, new)
