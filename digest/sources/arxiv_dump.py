"""Text dumps of arXiv's listing pages: what a browser or a text converter makes of them, in the layouts before and since 2024.

Entries begin with number and id, `[1] arXiv:2611.00001 [pdf, other]`, and have labelled lines (Title, Authors, Comments,
Subjects); the abstract stands behind the last of them. Since 2024 the authors have no label, and some dumps lost them.
"""

from __future__ import annotations

import re
from datetime import date

from msgspec import Struct

from digest import identity
from digest.model import Announce, Listing, Reading
from digest.patterns import late
from digest.sources import _arxiv
from digest.sources._bytes import refused, unicode_text
from digest.sources._paper import MAX_ENTRIES, Raw, finish
from digest.sources._plain import goes_on, in_words, unescaped, width_of, without_links

NAME_OF_KIND = "arxiv-dump"
_NAME_MARK = "\ue000"
_MORE = "\ue001"
_IN_BRACKETS = late(r"\s{0,9}\([^()]{0,1000}\)")
# Names as arXiv lists them.
_NAME = r"[A-ZÀ-ÞĀ-Ž](?:[\w'’.-]{0,40}(?: (?:[a-z]{1,4} ){0,3}[A-ZÀ-ÞĀ-Ž][\w'’.-]{0,40}){1,5})"
_NAMES = late(rf"{_NAME}(?:, {_NAME}){{0,5000}}(?:, et al\..{{0,60}})?")
MAX_LINES = 300_000
MAX_ABSTRACT_LINES = 1_000
SNIFFED_CHARS = 400_000

_DUMPED = late(r"\s{0,20}\[(?P<number>\d{1,6})\]\s{0,9}arXiv:\s?(?P<id>\S{1,40})(?P<rest>.*)", re.I)
# Without their numbers, or with those of a list, by what they link to.
_UNNUMBERED = late(
    r"\s{0,20}(?:(?:\d{1,6}\.|[*•-])\s{1,4})?arXiv:\s?(?P<id>\S{1,40})(?P<rest>\s{1,4}(?:\([^()]{1,60}\)\s{1,4}){0,2}"
    r"\[(?:pdf|ps|html|other|format)\b.*)",
    re.I,
)
_TITLE = late(r"\s*(?::\s{1,9})?Title\s?:", re.I)
_ESCAPED = late(r"^\s{0,20}\\\[\d{1,6}\\\]\s{0,4}arXiv:", re.M | re.I)
_ALONE = late(r"\[\d{1,6}\]")
_LABELS = (
    r"(?:Title|Authors?|Comments?|Journal-ref|Journal reference|Report-no|Report number|DOI|Related DOI|Subjects?"
    r"|MSC[- ]class(?:es)?|ACM[- ]class(?:es)?)"
)
_LABEL = late(rf"\s*(?::\s{{1,9}})?(?P<name>{_LABELS})\s?:\s*(?P<value>.*)", re.I)
# Entries and their labels as points of lists, and labels in bold.
_POINT = late(
    rf"^[ \t]{{0,20}}(?:[*•+-][ \t]{{1,4}}){{1,3}}(?=\[\d{{1,6}}\]\s{{0,9}}arXiv:|(?:\*\*)?{_LABELS}\s?:)",
    re.M | re.I,
)
_BOLD = late(rf"^([ \t]{{0,20}})\*\*({_LABELS})(?:\s?:\*\*|\*\*\s?:)", re.M | re.I)
_HEADING = late(
    r"\s*(?:#{1,6}\s{1,9})?(?:New submissions|Cross(?:-lists?| submissions)|Replacement(?:s| submissions))"
    r"(?:\s+for\s.{1,40}|\s*\(.*|)$"
    r"|\s*(?:#{1,6}\s{1,9})?(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{1,2} [A-Z][a-z]{2} \d{4}(?:\s*\(.*|)$"
    r"|\s*No updates (?:today|for ).*$",
    re.I,
)
_FURNITURE = late(
    r"\s*(?:\[?\s*total of \d+ entries.*|\[?\s*showing (?:up to )?\d+ entries per page.*|Links to:.*|Disable MathJax.*"
    r"|About arXivLabs.*"
    r"|\(?(?:fewer|more|all)\)?|Authors and titles for .*)$",
    re.I,
)
_BROKEN_CATEGORY = late(r"(?<=[a-z])- (?=[a-z])")  # of lines that end behind a hyphen: "(astro-", "ph.GA)"
_REST_OF_CATEGORY = late(r"\s*[a-z][\w.-]{0,20}\)")
_NOTHING = late(r"\s*No updates today\.?\s*")
_TOTAL = late(r"total of (\d{1,9}) entries(?:\s*:\s*(\d{1,9})\s*-\s*(\d{1,9}))?", re.I)
_FINISHED = late(r"(?:[.!?…:;)\]}\"'”’*%$。]|\S*(?:://|\.\w{2,4}/|\.io|\.com)\S*)$")


def looks_like(text: str) -> bool:
    """Has this text an entry of a listing page: number and arXiv id, and soon behind it a title? Or is it that of an empty day?"""
    lines = _lines(text[:SNIFFED_CHARS])
    return _is_empty_day(lines) or any(
        (_DUMPED.match(line) and any(_LABEL.match(other) for other in _filled(lines[at + 1 : at + 50])[:12]))
        or _is_unnumbered(lines, at)
        for at, line in enumerate(lines)
    )


def _is_unnumbered(lines: list[str], at: int) -> bool:
    """Does an entry begin here that has no number, and below it its title? Those of search results have no label before it."""
    return bool(_UNNUMBERED.match(lines[at])) and any(map(_TITLE.match, _filled(lines[at + 1 : at + 6])[:2]))


def _is_empty_day(lines: list[str]) -> bool:
    """Does the page say its day and nothing more than that it has no papers: no entry and no total?"""
    said = next((at for at, line in enumerate(lines) if _NOTHING.fullmatch(line[:100])), 0)
    return any(
        "listings for" in line and _arxiv.day(line[:200]) for line in lines[max(said - 8, 0) : said]
    ) and not any(_DUMPED.match(line) or _TOTAL.search(line[:300]) for line in lines)


def read(listing: Listing) -> Reading:
    """Papers of a dump, in its order; empty only for a `new` page whose day has none.

    `stated` is the page's "total of N entries", of the whole listing.

    A dump that ends before the page it was made of is truncated: where the page says how many entries it shows, or where the
    last abstract has no end. Raises ParseError for a text without entries.
    """
    text = without_links(unicode_text(listing), _said)
    if text.count("\n") + text.count("\r") > MAX_LINES:
        raise refused(
            listing,
            f"more than {MAX_LINES:,} lines; no dump of a listing is that long",
            "Save the page itself as HTML.",
        )
    return _read_dump(listing, _lines(text))


def _said(words: str, address: str) -> str:
    """The words of a link; names of authors with a mark before them."""
    return f"{_NAME_MARK}{words}" if "searchtype=author" in address else in_words(words, address)


class _Dumped(Struct):
    """An entry of a dump: the line with its id, and what follows up to the next one."""

    arxiv: str
    mark: str
    section: Announce | None
    lines: list[str]


def _lines(text: str) -> list[str]:
    """Lines, with the head of an entry put together: some dumps break behind `[1]`, some with blank lines."""
    text = unescaped(text) if _ESCAPED.search(text) else text
    text = _BOLD.sub(r"\1\2:", _POINT.sub("", text))
    flowing: list[str] = []
    number = 0  # where one stands with nothing behind it so far
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if number and line.strip().lower().startswith("arxiv:"):
            flowing[number - 1 :] = [f"{flowing[number - 1].strip()} {line.strip()}"]
            number = 0
        else:
            flowing.append(line.rstrip())
            if line.strip():
                number = len(flowing) if _ALONE.fullmatch(line.strip()) else 0
    return flowing


def _filled(lines: list[str]) -> list[str]:
    return [line for line in lines if line.strip()]


def _read_dump(listing: Listing, lines: list[str]) -> Reading:
    if _is_empty_day(lines):
        return Reading(
            kind=NAME_OF_KIND,
            papers=(),
            listed_on=max(_heading_days(lines), default=None) or listing.listed_on,
            empty=True,
        )
    entries, sections, behind = _entries(lines)
    broken = bool(entries) and not behind and not _has_subjects(entries[-1], entries[:-1])
    if broken:
        entries.pop()
        sections[-1].read -= 1
    width = width_of(lines)
    fields = [_labelled(entry.lines, width) for entry in entries]
    named = any(not line.startswith(_MORE) for found, _ in fields for line in found.get("title", [])[1:])
    raws = [
        raw for entry, found in zip(entries, fields, strict=True) if (raw := _raw(entry, *found, named=named))
    ]
    if not raws:
        raise refused(
            listing, "no entry with an arXiv id and a title in this text", "Save the page itself as HTML."
        )
    total = next((found for line in lines if (found := _TOTAL.search(line[:300]))), None)
    shown = int(total[3]) - int(total[2]) + 1 if total and total[2] else len(raws)
    missing = _arxiv.mismatches(sections)
    if broken:
        notes = [f"truncated: the text breaks off inside an entry; {len(entries)} whole ones were read"]
    else:
        lacks = bool(missing) or (total is not None and len(raws) < int(total[1]))
        notes = _cut_short(raws, behind, lacks=lacks)
    if shown != len(raws):
        notes.append(f"the page says that {shown} entries are shown, {len(raws)} were read")
    papers = finish(raws, notes)
    return Reading(
        kind=NAME_OF_KIND,
        papers=papers,
        stated=int(total[1]) if total else None,
        section_counts=_arxiv.section_counts(papers),
        section_stated=_arxiv.section_stated(sections),
        listed_on=max(_heading_days(lines), default=None) or listing.listed_on,
        notes=(*notes, *missing),
    )


def _has_subjects(entry: _Dumped, others: list[_Dumped]) -> bool:
    """Is the last entry of a text whole up to its subjects, or, where none has subjects, at least behind its title?"""
    fields = _labelled(entry.lines)[0]
    if any("subjects" in _labelled(other.lines)[0] for other in others[-3:]):
        return "subjects" in fields
    return any(name != "title" for name in fields)


def _cut_short(raws: list[Raw], behind: str, *, lacks: bool) -> list[str]:
    """How a text of whole entries ends too early. One with the foot of the page does not, whatever it lacks."""
    if behind == "end":
        return []
    cut = [] if behind else _cut_abstract(raws)
    return cut or (["truncated: the text ends before the page does"] if lacks else [])


def _cut_abstract(raws: list[Raw]) -> list[str]:
    last = raws[-1].abstract
    if last and not _FINISHED.search(last[-200:]):
        return ["truncated: the last abstract breaks off"]
    lost = not last and len(raws) > 1 and all(raw.abstract for raw in raws[:-1])
    return ["truncated: the text ends before the last abstract"] if lost else []


def _heading_days(lines: list[str]) -> list[date]:
    headings = (
        line for line in lines if len(line) < 200 and (_HEADING.match(line) or "listings for" in line)
    )
    return [day for line in headings if (day := _arxiv.day(line))]


def _entries(lines: list[str]) -> tuple[list[_Dumped], list[_arxiv.Section], str]:
    """Entries, sections, and what stands behind the last entry: "heading", "end" (the foot of the page) or nothing."""
    entries: list[_Dumped] = []
    sections = [_arxiv.Section("")]
    behind = "heading"
    for at, line in enumerate(lines):
        short = len(line) < 300
        if short and _HEADING.match(line):
            behind = "heading"
            sections.append(_arxiv.section(line))
        elif short and _FURNITURE.match(line):
            behind = "end"
        elif found := _DUMPED.match(line) or (_UNNUMBERED.match(line) if _is_unnumbered(lines, at) else None):
            behind = ""
            entries.append(_Dumped(found["id"], found["rest"], sections[-1].announce, []))
            sections[-1].read += 1
            if len(entries) > MAX_ENTRIES:
                break
        elif not behind:
            entries[-1].lines.append(line)
    return entries, sections, behind


def _raw(entry: _Dumped, fields: dict[str, list[str]], rest: str, *, named: bool) -> Raw | None:
    arxiv = identity.arxiv_id(entry.arxiv)
    if not arxiv or not fields.get("title"):
        return None
    title, names = _title_and_names(fields, named=named)
    comment = " ".join(fields.get("comments", []))
    mark = " ".join([entry.mark, *_filled(entry.lines[:50])[:8]]).lower()
    announce: Announce = entry.section or "new"
    if "(replaced)" in mark:
        announce = "withdrawn" if _arxiv.is_withdrawn(comment, rest) else "replace"
    elif "(cross-list" in mark:
        announce = "cross"
    return Raw(
        title=title,
        abstract=rest,
        ids={"arxiv": arxiv[0]} | ({"doi": " ".join(fields["doi"])} if "doi" in fields else {}),
        version=arxiv[1],
        authors=_arxiv.names(names),
        authors_raw=names or None,
        authors_cut=bool(_arxiv.CUT_AUTHORS.search(names)),
        authors_joined=True,
        categories=_arxiv.CATEGORY.findall(_BROKEN_CATEGORY.sub("-", " ".join(fields.get("subjects", [])))),
        announce=announce,
        links=_arxiv.links(arxiv[0]),
        comment=_arxiv.commented(comment, " ".join(fields.get("journal-ref", []))),
    )


_NAMES_OF_LABELS = {
    "author": "authors",
    "comment": "comments",
    "subject": "subjects",
    "journal reference": "journal-ref",
    "related doi": "doi",
}


def _labelled(lines: list[str], width: int = 0) -> tuple[dict[str, list[str]], str]:
    """The labelled values of an entry, each as its lines, and the text behind the last of them: the abstract. In a text that was
    broken into lines those of a title that may go on with the line before have a mark for it."""
    fields: dict[str, list[str]] = {}
    current: list[str] | None = None
    labels = [at for at, line in enumerate(lines) if _LABEL.match(line)]
    if not labels:
        return fields, ""
    rest: list[str] = []
    for at, line in enumerate(lines[labels[0] :], labels[0]):
        found = _LABEL.match(line) if at <= labels[-1] else None
        if found:
            name = _NAMES_OF_LABELS.get(found["name"].lower(), found["name"].lower())
            current = fields.setdefault(name, [])
            current += [found["value"].strip()] if found["value"].strip() else []
        elif line.strip() and current is not None:
            in_value = not rest and (at < labels[-1] or _is_open(current, line))
            more = (
                width and in_value and current is fields.get("title") and goes_on(lines[at - 1], line, width)
            )
            (current if in_value else rest).append(f"{_MORE}{line.strip()}" if more else line.strip())
    return fields, " ".join(rest[:MAX_ABSTRACT_LINES])


def _is_open(value: list[str], line: str) -> bool:
    """Does the value of the last label (the subjects) go on in this line? It ends with a category in brackets."""
    text = " ".join(value)
    return (
        not text
        or text.endswith(";")
        or line.strip().startswith(";")
        or (text.endswith("-") and _REST_OF_CATEGORY.match(line) is not None)
        or (
            not text.endswith(")")
            and "(" in line[:120]
            and bool(_arxiv.CATEGORY.search(line[:120]))
            and len(line) < 200
        )
    )


def _title_and_names(fields: dict[str, list[str]], *, named: bool) -> tuple[str, str]:
    """Title and authors. Where the authors have no label, as on pages since 2024, they stand in the lines below the title. `named`:
    does this dump have such lines?"""
    marked = fields["title"]
    lines = [line.removeprefix(_MORE) for line in marked]
    if any(_NAME_MARK in line for line in lines):
        title, *names = " ".join(lines).split(_NAME_MARK)
        return title, "".join(names)
    if "authors" in fields:
        return " ".join(lines), " ".join(fields["authors"]).replace(_NAME_MARK, "")
    end = next((at for at, line in enumerate(marked) if at and not line.startswith(_MORE)), len(lines))
    if named and end == len(
        lines
    ):  # the title ends where its last line does by chance, or nobody wrote the paper
        end = next(
            (
                at
                for at in range(1, len(lines))
                if _NAMES.fullmatch(_IN_BRACKETS.sub("", " ".join(lines[at:])))
            ),
            end,
        )
    return " ".join(lines[:end]), " ".join(lines[end:])
