"""Templates and what they see: the Jinja environment, its filters, and an edition as the words of a page or mail.

Formats and mail share this room: a paper is shown alike in both (title, gist, authors · organisation · upvotes · tags,
links). docs/templates.md describes every template, variable and filter; a test compares it with the code.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from functools import cache, lru_cache
from urllib.parse import quote, urlsplit

from msgspec import Struct

from digest.config import SiteConfig
from digest.labels import record_path
from digest.model import Edition, EditionTitles, Entry, Section
from digest.render.templates import Renderer as Renderer
from digest.text import is_printable, isolate, truncate
from digest.words import counted, date_words, day_month, in_words, time_words

TITLE_CHARS = 110
SHOWN_AUTHORS = 3
# A longer one would not fit a line of the plain text (RFC 5322, 2.1.1), and no paper has one.
URL_CHARS = 900

# ---------------------------------------------------------------- text that every output can carry


# Not allowed in XML 1.0 (2.2) or encodable as UTF-8, or never meant for readers: controls, lone surrogates,
# noncharacters; and the bidi embeddings and isolates, which unclosed turn the rest of a line around.
@cache
def _unfit() -> re.Pattern[str]:
    # Compiled when the first text needs it: most have none.
    return re.compile(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff"
        + "".join(
            f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000)
        )
        + "]"
    )


_PLAIN_URL = re.compile(
    r"https?://[A-Za-z0-9.-]+(:[0-9]+)?([/?#][A-Za-z0-9%/:=&?~#+!$,;@()*._-]*)?", re.ASCII
)


def clean(text: str) -> str:
    """`text` without the characters that XML, UTF-8 or a reader cannot take, on one line."""
    # What is unfit cannot be printed, nor can white space other than the space.
    if is_printable(text) and "  " not in text:
        return text.strip(" ")
    return " ".join(_unfit().sub("", text).split())


def clean_all(texts: Sequence[str]) -> Sequence[str]:
    """Each text clean. Most are, which is seen of all at once."""
    row = f" {' '.join(texts)} "  # in which a space at an end, and an empty text, is a second one
    return texts if is_printable(row) and "  " not in row else [clean(text) for text in texts]


@lru_cache(maxsize=4096)
def safe_url(url: str) -> str:
    """An absolute http or https address, percent-encoded where a feed or mail needs it; "" for anything else."""
    if len(url) <= URL_CHARS and _PLAIN_URL.fullmatch(url):
        return url
    bare = clean(url).replace(" ", "%20")
    try:
        parts = urlsplit(bare)
        if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
            return ""
    except ValueError:
        return ""
    found = quote(bare, safe="%/:=&?~#+!$,;'@()*[]-._")
    return found if len(found) <= URL_CHARS else ""


def sender_of(site: SiteConfig) -> str:
    """Who sends this: "Example Reading Group, 1 Library Lane, 1000 Exampleton"; "" where the operator says neither."""
    return ", ".join(clean(part) for part in (site.publisher, site.postal_address) if part.strip())


# ---------------------------------------------------------------- an edition as its readers see it


class LinkView(Struct, frozen=True):
    """One link of a paper's link row."""

    label: str
    url: str


class PaperView(Struct, frozen=True, kw_only=True):
    """A paper as every output shows it. Texts are plain and may be empty; a missing fact leaves no trace."""

    title: str
    short_title: str
    gist: str
    authors: str
    all_authors: str
    organization: str
    upvotes: str
    tags: str
    notice: str
    abstract: str
    comment: str
    links: tuple[LinkView, ...]
    url: str
    page_url: str
    record_url: str = ""
    anchor: str

    @property
    def href(self) -> str:
        """Where the title leads: to the paper, or else to its place on the edition's page. Never empty."""
        return self.url or self.page_url


class SectionView(Struct, frozen=True, kw_only=True):
    """The picks or a topic: its name, its place on the edition's page, its papers, and how many it has in all."""

    name: str
    anchor: str
    url: str
    count: int
    papers: tuple[PaperView, ...]


class EditionView(Struct, frozen=True, kw_only=True):
    """An edition in words. `picks` is None where there are none; `summary` says what it holds."""

    title: str
    date: date
    number: int
    part: int
    count: int
    url: str
    summary: str
    teaser: str
    minutes: int
    published: str
    picks: SectionView | None
    topics: tuple[SectionView, ...]

    @property
    def sections(self) -> tuple[SectionView, ...]:
        return ((self.picks,) if self.picks else ()) + self.topics


_LABELS = {
    "abstract": "Abstract", "pdf": "PDF", "code": "Code", "hf": "HF",
    "page": "Project", "model": "Model", "data": "Data", "html": "HTML",
}  # fmt: skip
_TITLE_LINKS = ("abstract", "html", "hf", "pdf")


def view_edition(
    edition: Edition, *, site: SiteConfig, url: str, paper: Callable[[Entry], PaperView] | None = None
) -> EditionView:
    """An edition in words; `url` is the public address of its digest's root, with a final slash. `paper` gives papers that
    are in words already, or that stand on another edition's page."""
    page = f"{url}{edition.path}"
    worded = paper or (lambda entry: view_paper(entry, page, root=url))
    picks = _view_section("Top picks", "picks", edition.picks, worded) if edition.picks else None
    only = len(edition.sections) == 1 and not edition.sections[0].entries[0].topic
    topics = tuple(
        _view_section(
            ("More papers" if picks else "All papers") if only else clean(section.name),
            section_anchor(section),
            section.entries,
            worded,
        )
        for section in edition.sections
    )
    return EditionView(
        title=clean(edition.title),
        date=edition.date,
        number=edition.number,
        part=edition.part,
        count=edition.count,
        url=page,
        summary=summary_of(edition),
        teaser=_teaser(edition),
        minutes=max(1, round(edition.count / 5)),
        published=time_words(edition.issued_at, site),
        picks=picks,
        topics=topics,
    )


def section_anchor(section: Section) -> str:
    """The id of a topic on its edition's page; never that of the picks, of a paper, or of the page's own parts."""
    slug = clean(section.slug).replace(" ", "-")
    return f"t-{slug}" if slug in ("", "main", "picks") or slug.startswith("p-") else slug


def _view_section(
    name: str, anchor: str, entries: Sequence[Entry], worded: Callable[[Entry], PaperView]
) -> SectionView:
    papers = tuple(worded(entry) for entry in entries)
    # Of papers of several editions the last is of the newest that has this section.
    page = papers[-1].page_url.partition("#")[0]
    return SectionView(
        name=name, anchor=anchor, url=f"{page}#{quote(anchor)}", count=len(papers), papers=papers
    )


def view_paper(entry: Entry, page: str, *, root: str = "") -> PaperView:
    """A paper in words; `page` is the address of its edition's page, `root` that of its digest, below which its own page is."""
    paper = entry.paper
    title = clean(paper.title) or "(untitled)"
    links = {kind: safe_url(paper.links.get(kind, "")) for kind in _LABELS}
    votes = "" if paper.upvotes is None else counted(paper.upvotes, "upvote").replace(" ", "\u00a0")
    return PaperView(
        title=title,
        short_title=truncate(title, TITLE_CHARS),
        gist=clean(entry.gist),
        authors=_authors(paper.authors, paper.authors_cut) or truncate(clean(paper.authors_raw or ""), 160),
        all_authors=", ".join(clean_all(paper.authors)) if len(paper.authors) > SHOWN_AUTHORS else "",
        organization=truncate(clean(paper.organization or ""), 80),
        upvotes=votes,
        tags=", ".join([truncate(tag, 40) for tag in clean_all((paper.tags or paper.categories)[:3])]),
        notice=_notice(entry),
        abstract=clean(paper.abstract),
        comment=clean(paper.comment or ""),
        links=tuple(LinkView(label, links[kind]) for kind, label in _LABELS.items() if links[kind]),
        url=next((links[kind] for kind in _TITLE_LINKS if links[kind]), ""),
        page_url=f"{page}#{quote(entry.anchor)}",
        record_url=f"{root}{record_path(paper.key)}" if root else "",
        anchor=entry.anchor,
    )


def _authors(names: Sequence[str], cut: bool) -> str:
    shown = ", ".join([isolate(truncate(name, 60)) for name in clean_all(names[:SHOWN_AUTHORS])])
    if cut and names:
        return f"{shown} and others"
    return f"{shown} and {len(names) - SHOWN_AUTHORS} more" if len(names) > SHOWN_AUTHORS else shown


def _notice(entry: Entry) -> str:
    """What is particular about a paper's place in this edition: its stream, and the day it was listed if it comes late."""
    if entry.change == "new" and not entry.late:
        return ""
    version = f" ({entry.paper.version})" if entry.paper.version else ""
    streams = {
        "cross": "Cross-listed",
        "updated": f"New version{version}",
        "withdrawn": "Withdrawn by its authors",
    }
    late = f"listed {day_month(entry.late)}" if entry.late else ""
    words = ", ".join(filter(None, [streams.get(entry.change, ""), late]))
    return words[:1].upper() + words[1:]


def summary_of(edition: Edition | EditionTitles) -> str:
    """30 new papers, 3 top picks and 5 topics"""
    streams = Counter(entry.change for entry in edition.entries)
    papers = counted(edition.count, "new paper")
    if streams["updated"] or streams["withdrawn"]:
        older = [(streams["updated"], "new version"), (streams["withdrawn"], "withdrawal")]
        words = " and ".join(counted(n, word) for n, word in older if n)
        papers = f"{counted(edition.count, 'paper')} ({words} of older ones)"
    topics = sum(section.name == section.entries[0].topic for section in edition.sections)
    parts = [papers] + [
        counted(n, word) for n, word in ((len(edition.picks), "top pick"), (topics, "topic")) if n
    ]
    return in_words(parts)


def _teaser(edition: Edition) -> str:
    """40 to 110 characters that tempt: the first gist, or else what the edition holds. Not the subject again."""
    gists = (clean(entry.gist) for entry in edition.entries[:10])
    text = next((truncate(gist, 110) for gist in gists if len(gist) >= 20), "")
    for more in (f"{date_words(edition.date)}.", "Titles, summaries and links, sorted by topic."):
        if len(text) < 40:
            text = f"{text} {more}".strip()
    return text
