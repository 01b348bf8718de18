"""What all listings of arXiv share, whatever their form: addresses, announce types, days, and the words of a withdrawal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date

from msgspec import Struct

from digest.model import Announce, Paper
from digest.patterns import late
from digest.sources import _names
from digest.sources._dates import MONTHS

SITE = "https://arxiv.org"

CUT_AUTHORS = late(r",?\s{0,20}et al\.?\s{0,20}\(([0-9]{1,9}) additional authors? not shown\)", re.I)
_SHOWING = late(r"showing (?:first |last )?(\d{1,9}) of (\d{1,9}) entries", re.I)
_COLLABORATION = late(
    r"^([^,:()]{1,120}\b(?:collaborations?|consortium|team|group|project|survey|network)\b[^,:()]{0,60}):\s*",
    re.I,
)
CATEGORY = late(r"\(([a-z][a-z-]+(?:\.[A-Za-z-]+)?)\)")
_WITHDRAWN = late(
    r"\b(?:this|the) (?:paper|article|manuscript|submission|work) (?:has been|is|was) (?:now )?withdrawn\b|\bwithdrawn by\b",
    re.I,
)
_DAY = late(r"\b(\d{1,2}) ([A-Z][a-z]{2})[a-z]*,? (\d{4}|\d{2})\b")


def links(arxiv: str) -> dict[str, str]:
    """The two addresses that every arXiv id has."""
    return {"abstract": f"{SITE}/abs/{arxiv}", "pdf": f"{SITE}/pdf/{arxiv}"}


def is_withdrawn(*texts: str) -> bool:
    """Do a replaced paper's comments or abstract plainly say that it was withdrawn? arXiv has no other mark for it."""
    # What a search that does not mind capitals takes thirty times as long to find missing.
    return any("thdrawn" in text.lower() and _WITHDRAWN.search(text) for text in texts)


def fate(comment: str, abstract: str) -> Announce | None:
    """What a record that is no announcement says of its paper: that it was withdrawn, or nothing."""
    return "withdrawn" if is_withdrawn(comment, abstract[:200]) else None


def names(text: str) -> list[str]:
    """Authors of one string: without "et al. (5 additional authors not shown)", and a collaboration before a colon on its own."""
    text = _COLLABORATION.sub(
        r"\1, ", CUT_AUTHORS.sub("", " ".join(text[: _names.MAX_CHARS].split())), count=1
    )
    return _names.split(text.strip(" ,:"))


def commented(comment: str, journal: str) -> str | None:
    """The authors' comments, and behind them where the paper appeared; None for neither."""
    comment, journal = " ".join(comment.split()), " ".join(journal.split())
    if not journal:
        return comment or None
    return f"{comment.rstrip(' ;')}; Journal-ref: {journal}" if comment else f"Journal-ref: {journal}"


def day(text: str) -> date | None:
    """The day in a heading: `Fri, 3 Mar 2023`, `Friday, 17 March 2023`, `Tue, 23 Jul 24`, `26 March, 2026`; None for none.

    A year of two digits is of this century from 00 to 90 (arXiv began in 1991).
    """
    found = _DAY.search(text)
    if not found or found[2].lower() not in MONTHS:
        return None
    year = int(found[3])
    if year < 100:
        year += 1900 if year > 90 else 2000
    try:
        return date(year, MONTHS[found[2].lower()], int(found[1]))
    except ValueError:
        return None


def section_counts(papers: Iterable[Paper]) -> dict[str, int]:
    """How many papers of each announce type; withdrawn ones stand among the replaced, as on arXiv's own pages."""
    counts = Counter(
        "replace" if paper.announce == "withdrawn" else paper.announce or "new" for paper in papers
    )
    return {name: counts[name] for name in ("new", "cross", "replace", "replace-cross") if counts[name]}


class Shown(Struct, kw_only=True, gc=False):
    """The texts of an entry as a page shows them, neither cleaned nor split; `authors_text` has its white space collapsed."""

    id: tuple[str, int | None] | None
    html: str
    number: int
    mark: str
    title: str
    authors: list[str]
    authors_text: str
    comment: str
    journal: str
    doi: str
    subjects: str
    abstract: str


class Section(Struct):
    """A heading and what stands below it: the count it states for this page, where it does, and the entries read."""

    name: str
    announce: Announce | None = None
    stated: int | None = None
    read: int = 0


def section(heading: str) -> Section:
    """New, Cross and Replacement submissions of a `new` page; elsewhere a heading is a day and the mark alone tells."""
    words = " ".join(heading.split())
    types: dict[str, Announce] = {"new": "new", "cross": "cross", "repla": "replace"}
    announce = types.get(words.split(" ")[0].split("-")[0].lower()[:5])
    shown = _SHOWING.search(words)
    return Section(words.partition("(")[0].strip(), announce, int(shown[1]) if shown else None)


def mismatches(sections: list[Section]) -> list[str]:
    """One note for each section of which more or less was read than its heading says."""
    return [
        f"section {section.announce or section.name}: the heading says {section.stated} are shown, {section.read} were read"
        for section in sections
        if section.stated is not None and section.stated != section.read
    ]


def section_stated(sections: list[Section]) -> dict[str, int]:
    """By announce type. Where the sections are days, as on `recent`, no heading says how many of a type there are."""
    stated: dict[str, int] = {}
    for section in sections:
        if section.announce and section.stated is not None:
            stated[section.announce] = stated.get(section.announce, 0) + section.stated
    return stated
