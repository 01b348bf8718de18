"""arXiv as text: announcement mails and listing files, 1992 to today. Text dumps of its pages: arxiv_dump.py.

A mail has blocks between rulers of hyphens; `\\\\` lines stand round the header of an entry and behind its abstract. Rulers of
`%-`, `%%--` and `%%%---` open the cross-lists, open the replacements, and end it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import islice
from typing import Literal

from msgspec import Struct

from digest import identity
from digest.model import Announce, Listing, Reading
from digest.patterns import late
from digest.sources import _arxiv, _dates, _mails
from digest.sources._bytes import refused, unicode_text
from digest.sources._paper import MAX_ENTRIES, Raw, finish, plural

NAME_OF_KIND = "arxiv-mail"
MAX_LINES = 1_000_000
MAX_ABSTRACT_LINES = 1_000
SNIFFED_CHARS = 400_000

_ID_LINE = late(
    r"(?:arXiv:\s*(?P<new>\S{1,60})|Paper(?P<crossed>\s*\(\*cross-listing\*\))?:\s*(?:arXiv:)?(?P<old>\S{1,60}))\s*(?P<rest>.*)"
)


def looks_like(text: str) -> bool:
    """Has this text an entry of an announcement mail (`\\\\`, then an id), or a section ruler behind the preamble of one?"""
    lines = _mails.lines_of(_mails.body_of(_mails.unix(text[:SNIFFED_CHARS])))
    if any(_is_bar(line) and _id_behind(lines, at) for at, line in enumerate(lines)):
        return True
    return any(_section_of(line) for line in lines) and any(_RECEIVED.match(line) for line in lines)


def read(listing: Listing) -> Reading:
    """Papers of a mail or a listing file, in its order. Empty only for a whole mail without entries.

    `section_counts` counts by announce type: sections and marks tell new, cross and replace; replace-cross only where an
    entry is marked as both. `published` is the date of version 1 (`Date:`), `updated` that of the latest one. Raises
    ParseError where no entry can be read.
    """
    text = _mails.unix(unicode_text(listing))
    if text.count("\n") > MAX_LINES:
        raise refused(
            listing,
            f"more than {MAX_LINES:,} lines; no listing is that long",
            "Give the mail of one day.",
        )
    return _read_mail(listing, text, _mails.body_of(text))


# --- the mail

_RULER = late(r"-{20,}$")
_BAR = late(r"\\\\\s*(?:\(.*)?$")
# Possessive: what could be given back is remembered, 32 bytes for each repetition.
_CROSSES = late(r"(?:%-){6,}+")
_REPLACED = late(r"(?:%%--){4,}+")
_END = late(r"(?:%%%---){3,}+")
_DAY_MARK = late(r"/\*\s*+(.{1,60}?)\s*\*/$")
_RECEIVED = late(r"\s*received from\s+\S", re.I)
_FIELD = late(
    r"(?P<name>Title|Authors?|Categories|Comments?|Journal-ref|Report-no|DOI|License|MSC-class|ACM-class|Proxy|Subj-class"
    r"|From|Date(?:\s*\(revised[^)]{0,20}\))?):\s*(?P<value>.*)",
    re.I,
)
_REVISED = late(
    r"(?:replaced with revised version|(?:figures|part|parts) (?:added|replaced))\s*(?P<date>.*)", re.I
)
_VERSION = late(r"revised\s+v(\d{1,3})", re.I)
_COUNTS = late(r"\b(\d{1,5})\s+(new|cross(?:es|-lists?|-listings?)?|repl(?:aced|acements?)?)\b", re.I)
_NO_LONGER = "the mail breaks off"
_SUBJECT, _DATE = r"^Subject:(.{0,200})$", r"^Date:[ \t]*(.+)$"


class _Block(Struct):
    """An entry: the lines of its header and of its abstract, its section, the bars behind its header, and whether anything
    follows it (a ruler, the next entry)."""

    header: list[str]
    abstract: list[str]
    section: Announce
    bars: int = 0
    closed: bool = True


def _is_bar(line: str) -> bool:
    return line.startswith("\\\\") and bool(_BAR.match(line))


def _id_behind(lines: list[str], at: int) -> bool:
    """Does an entry begin here: is the next line that says anything one with an id?"""
    return bool(_ID_LINE.match(_next_said(lines, at)))


def _lost_id_behind(lines: list[str], at: int) -> bool:
    """Does an entry begin here, behind a ruler, whose id is gone?"""
    return (
        at > 0 and bool(_RULER.match(lines[at - 1])) and _next_said(lines, at).startswith(("Date:", "Title:"))
    )


def _next_said(lines: list[str], at: int) -> str:
    return next((line for line in lines[at + 1 : at + 4] if line), "")


def _is_ruler(lines: list[str], at: int) -> bool:
    """Is this line a ruler between entries, and not one of a table in an abstract: does an entry, a ruler or nothing follow?"""
    if not _RULER.match(lines[at]):
        return False
    following = _next_said(lines, at)
    return not following or following.startswith(("\\\\", "%", "-" * 20))


def _section_of(line: str) -> Literal["cross", "replace", "end"] | None:
    """What a section ruler opens; "end" for the last one, None for any other line."""
    if not line.startswith("%"):
        return None
    return (
        "end"
        if _END.match(line)
        else "replace"
        if _REPLACED.match(line)
        else "cross"
        if _CROSSES.match(line)
        else None
    )


def _read_mail(listing: Listing, text: str, body: str) -> Reading:
    notes: list[str] = []
    lines = _mails.lines_of(body)
    sections, days = _sections(lines), _days(lines)
    blocks = list(islice(_blocks(lines), MAX_ENTRIES + 1))
    daily = any(_RECEIVED.match(line) for line in lines)
    if blocks and blocks[-1].closed and _dangles(lines):
        notes.append(f"truncated: {_NO_LONGER} behind a ruler; {len(blocks)} whole entries were read")
    elif blocks and _breaks_off(blocks, daily=daily):
        blocks.pop()
        notes.append(f"truncated: {_NO_LONGER} inside an entry; {len(blocks)} whole ones were read")
    elif daily and "end" not in sections:
        notes.append("truncated: the mail has no end; entries may be missing")
    raws = [raw for block in blocks if (raw := _mailed(block))]
    if len(raws) < len(blocks):
        notes.append(
            f"{plural(len(blocks) - len(raws), 'entry', 'entries')} could not be read: no id or no title"
        )
    _refuse_nothing(listing, raws, lines, notes)
    papers = finish(raws, notes)
    stated = _stated(_mails.in_head(_SUBJECT, text, body))
    counts = _arxiv.section_counts(papers)
    notes += _missing(stated, raws)
    return Reading(
        kind=NAME_OF_KIND,
        papers=papers,
        section_counts=counts,
        section_stated=stated,
        listed_on=max(days, default=None)
        or _mailed_on(_mails.in_head(_DATE, text, body))
        or listing.listed_on,
        empty=not raws,
        notes=tuple(notes),
    )


def _refuse_nothing(listing: Listing, raws: list[Raw], lines: list[str], notes: list[str]) -> None:
    """A whole mail without entries is an empty one: it has its end, and sections with nothing in them, no id."""
    if not raws and ("end" not in _sections(lines) or notes or any(map(_ID_LINE.match, lines))):
        raise refused(listing, f"{_NO_LONGER} before its first whole entry", "Save or fetch it again.")


def _sections(lines: list[str]) -> set[str]:
    return {str(found) for line in lines if (found := _section_of(line))}


def _days(lines: list[str]) -> list[date]:
    """The days that the marks of a week's file name: `/* Fri, 3 Mar 2023 */`."""
    marks = (_DAY_MARK.match(line) for line in lines if line.startswith("/*"))
    return [day for mark in marks if mark and (day := _arxiv.day(mark[1]))]


def _mailed_on(stated: str) -> date | None:
    """The day of the mail's own `Date:`, in UTC: announced on the evening before in New York, it is of this day."""
    stamp = _dates.rfc3339(stated)
    if not stamp:
        return None
    moment = datetime.fromisoformat(stamp)
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date()


def _stated(subject: str) -> dict[str, int]:
    """What the subject says: `cs daily 346 new + 55 crosses received`."""
    names = {"n": "new", "c": "cross", "r": "replace"}
    return {names[word[0].lower()]: int(count) for count, word in _COUNTS.findall(subject)}


def _missing(stated: dict[str, int], raws: list[Raw]) -> list[str]:
    """Where fewer entries stand in a section than the subject says. More are no fault: it counts own papers only."""
    read = {name: sum((raw.announce or "new").startswith(name) for raw in raws) for name in ("new", "cross")}
    read["replace"] = len(raws) - read["new"] - read["cross"]
    return [
        f"section {name}: the subject says {count}, {read[name]} were read"
        for name, count in stated.items()
        if read[name] < count
    ]


def _breaks_off(blocks: list[_Block], *, daily: bool) -> bool:
    """Does the text end inside the last entry: in its header or abstract, or before the abstract that it must have?"""
    last = blocks[-1]
    if last.closed or last.bars > 1:
        return False
    without = last.section != "replace" and (daily or any(any(block.abstract) for block in blocks[:-1]))
    return last.bars == 0 or any(last.abstract) or without


def _dangles(lines: list[str]) -> bool:
    """Does the text end with a ruler and a bar behind it, so that an entry was to begin?"""
    tail = [line for line in lines[-8:] if line][-3:]
    at = next((at for at, line in enumerate(tail) if _RULER.match(line)), len(tail))
    return (
        at + 1 < len(tail) and _is_bar(tail[at + 1]) and not _is_bar(tail[-1] if at + 2 < len(tail) else "")
    )


def _blocks(lines: list[str]) -> Iterator[_Block]:
    """Entries, from the bar before an id, or where one should be, to the next ruler, or to the bar before the next id."""
    section: Announce = "new"
    block: _Block | None = None
    for at, line in enumerate(lines):
        ruled = _section_of(line)
        bar = not ruled and _is_bar(line)
        starts = bar and (_id_behind(lines, at) or _lost_id_behind(lines, at))
        if block is not None and (ruled or starts or _is_ruler(lines, at)):
            yield block
            block = None
        if ruled:
            section = "new" if ruled == "end" else ruled  # the next mail of a mailbox may follow
        if starts:
            block = _Block([], [], section)
        elif block is not None and bar:
            block.bars += 1
        elif block is not None and block.bars < 2:
            (block.abstract if block.bars else block.header).append(line)
    if block is not None:
        block.closed = False
        yield block


def _mailed(block: _Block) -> Raw | None:
    """The paper of an entry; None without an id or a title."""
    place = next((found for line in block.header if (found := _ID_LINE.match(line))), None)
    arxiv = identity.arxiv_id(place["new"] or place["old"]) if place else None
    fields = _fields(block.header)
    if not place or not arxiv or not fields.get("title"):
        return None
    abstract = " ".join(line.strip() for line in block.abstract[:MAX_ABSTRACT_LINES])
    comment = fields.get("comments", "")
    authors = fields.get("authors", "")
    dates = _mail_dates(block.header)
    revised = dates[1] is not None and block.section == "replace"
    crossed = bool(place["crossed"]) or "*cross-listing*" in place["rest"]
    return Raw(
        title=fields["title"],
        abstract=abstract,
        ids={"arxiv": arxiv[0]} | ({"doi": fields["doi"]} if fields.get("doi") else {}),
        version=arxiv[1] or _mail_version(block.header),
        authors=_arxiv.names(authors),
        authors_raw=authors or None,
        authors_cut=bool(_arxiv.CUT_AUTHORS.search(authors)),
        authors_joined=True,
        categories=fields.get("categories", "").replace(",", " ").split()[:50],
        announce=_mail_type(block.section, crossed, revised or _is_revision(block.header), comment, abstract),
        published=dates[0],
        updated=dates[1],
        links=_arxiv.links(arxiv[0]),
        comment=_arxiv.commented(comment, fields.get("journal-ref", "")),
    )


def _is_revision(header: list[str]) -> bool:
    return any(_REVISED.match(line) for line in header[:5])


def _mail_type(section: Announce, crossed: bool, revised: bool, comment: str, abstract: str) -> Announce:
    if section == "replace" or revised:
        if _arxiv.is_withdrawn(comment, abstract):
            return "withdrawn"
        return "replace-cross" if crossed else "replace"
    return "cross" if crossed or section == "cross" else "new"


def _fields(header: list[str]) -> dict[str, str]:
    """Header fields by lower-case name; the first of a name counts. Lines without a name go on with the field before them: they
    are indented by blanks, by one no-break space, or, copied out of a mail reader, by nothing."""
    fields: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in header:
        found = None if line[:1].isspace() else _FIELD.match(line)
        if found:
            name = found["name"].lower()
            name = {"author": "authors", "comment": "comments"}.get(name, name)
            current = [found["value"]]
            fields.setdefault(name, current)
        elif not line.strip() or (not line[:1].isspace() and _mails.HEADER.match(line)):
            current = None
        elif current is not None:
            current.append(line.strip())
    return {name: " ".join(parts).strip() for name, parts in fields.items()}


_SIZE = late(r"\(\s*+\d{1,9}\s*kb.*$", re.I)


def _mail_dates(header: list[str]) -> tuple[str | None, str | None]:
    """Version 1 and the latest one, as far as the entry says: `Date:`, and `Date (revised v2):` or `replaced with …`."""
    first = latest = None
    for line in header:
        if found := _REVISED.match(line):
            latest = _dates.rfc3339(_SIZE.sub("", found["date"])) or latest
        elif line.startswith("Date") and (field := _FIELD.match(line)):
            stamp = _dates.rfc3339(_SIZE.sub("", field["value"]))
            if "revised" in field["name"].lower():
                latest = stamp or latest
            else:
                first = first or stamp
    return first, latest


def _mail_version(header: list[str]) -> int | None:
    versions = [
        int(found[1]) for line in header if line.startswith("Date") and (found := _VERSION.search(line))
    ]
    return max(versions, default=None)
