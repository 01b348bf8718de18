"""arXiv's search results copied as text: of each an id with its links, the tags, the title, and labelled lines."""

from __future__ import annotations

import re

from digest import identity
from digest.patterns import late
from digest.sources import _arxiv
from digest.sources._paper import MAX_ENTRIES, Raw, plural

MAX_LINES = 300_000
SNIFFED_CHARS = 400_000
_NEAR = 20  # lines: the tags and a title
_MAX_LINES_EACH = 2_000  # of one result; each is put to the end of a text

_ID = late(
    r"\s{0,9}(?:\d{1,6}\.\s{0,9})?arXiv:(?P<id>\d{4}\.\d{4,5}|[a-z-]{2,20}(?:\.[A-Z]{2})?/\d{7})(?:v\d{1,3})?\s{0,9}"
    r"\[(?:pdf|ps|other|html|src|doi|format|,|\s){1,30}\]\s*"
)
_ID_BEGUN = late(
    r"\s{0,9}(?:\d{1,6}\.\s{0,9})?arXiv:(?:\d{4}\.\d{4,5}|[a-z-]{2,20}(?:\.[A-Z]{2})?/\d{7})(?:v\d{1,3})?\s{0,9}"
)
_MAX_PIECES = 16  # lines in which the links of a result stand
_SPLIT = late(r"\s{0,9}(?:(?:Authors?|Abstract|Comments?|Journal ref)(?=\s*(?::|$))|Submitted|doi)\s*", re.I)
_GOES_ON = late(r"\s*(?:\d{1,2} [A-Z]|10\.\d|:)")
_FOOT = late(r"\s*(?:Previous|Next|About)\s*")
_LABEL = late(
    r"\s{0,9}(?:(?P<name>Authors?|Abstract|Comments?|Journal ref|Report number|(?:MSC|ACM) Class)\s?:"
    r"|(?P<day>Submitted)\s{1,9}(?=\d))"
    r"\s*(?P<value>.*)",
    re.I,
)
_ARCHIVE = (
    r"(?:astro-ph|cond-mat|cs|econ|eess|gr-qc|hep-(?:ex|lat|ph|th)|math(?:-ph)?|nlin|nucl-(?:ex|th)|physics|q-bio|q-fin"
    r"|quant-ph|stat)(?:\.[A-Za-z-]{2,20})?"
)
_ARCHIVES = late(rf"\s*(?:{_ARCHIVE}(?:\s+|$))+")
# A result of a text without lines: its id with its links, its tags, and each label behind.
_RUN_ON = late(
    r"(?:^|\s)(arXiv:(?:\d{4}\.\d{4,5}|[a-z-]{2,20}(?:\.[A-Z]{2})?/\d{7})(?:v\d{1,3})?\s{0,9}"
    r"\[(?:pdf|ps|other|html|src|doi|format|,|\s){1,30}\])\s{1,9}"
    rf"({_ARCHIVE}(?:\s{{1,9}}{_ARCHIVE}){{0,30}}(?:\s{{1,9}}doi\s{{1,9}}10\.\S{{1,300}})?)\s"
)
_RUN_ON_LABEL = late(
    r"\s(Authors|Abstract|Comments|Journal ref|Report number|(?:MSC|ACM) Class)\s?:|\sSubmitted\s{1,9}(?=\d{1,2} [A-Z])"
)
_RUN_ON_FOOT = late(r"\s(?=(?:Previous\s{1,9}Next|About\s{1,9}Help)\s)")
_TAGS = late(r"\s*(?:[a-z][a-z-]+(?:\.[A-Za-z-]+)?(?:\s+|$))+(?:doi\s+10\.\S{1,300}\s*)?")
_DOI = late(r"(?:^|\s)doi\s{0,9}(10\.\S{1,300})")
_CATEGORY = late(r"(?<![\w.-])[a-z][a-z-]+(?:\.[A-Za-z-]+)?(?![\w.-])")
_MORE = late(r"(?:\.\.\.\s*)?[△▽]\s*(?:More|Less)\b")
_SUBMITTED = late(r"(\d{1,2} [A-Z][a-z]+,? \d{4})")
_FIRST = late(r"\bv1\s+submitted\s+(\d{1,2} [A-Z][a-z]+,? \d{4})")


def looks_like(text: str) -> bool:
    """Has this text a result: an id with its links on a line, and soon behind it the authors?"""
    lines = _whole_lines(text[:SNIFFED_CHARS])
    return any(
        _ID.fullmatch(line) and any(_is_authors(other) for other in lines[at + 1 : at + _NEAR])
        for at, line in enumerate(lines)
    )


def _whole_lines(text: str) -> list[str]:
    """The lines, with an id and its links on one, as pages show them, and a label with what stands behind it: programs that take
    texts out of a page one by one put each on a line of its own. Where more lines are blank than not, as the tags of a page leave
    them behind, these divide nothing."""
    lines = _divided(text).splitlines()[:MAX_LINES]
    filled = [" ".join(line.split()) for line in lines if line.strip()]
    if len(filled) * 2 < len(lines):
        lines = filled
    whole: list[str] = []
    skipped = 0  # up to here lines are part of one before
    for at, line in enumerate(lines):
        if at < skipped:
            continue
        if _ID_BEGUN.fullmatch(line):
            for end in range(at + 1, min(at + _MAX_PIECES, len(lines))):
                if len(lines[end]) > 40:
                    break
                if lines[end].rstrip().endswith("]"):
                    joined = " ".join(map(str.strip, lines[at : end + 1]))
                    if _ID.fullmatch(joined):
                        line, skipped = joined, end + 1
                    break
        elif _SPLIT.fullmatch(line) and at + 1 < len(lines) and _GOES_ON.match(lines[at + 1]):
            line, skipped = f"{line.strip()} {lines[at + 1].strip()}", at + 2
        whole.append(line)
    return whole


def _divided(text: str) -> str:
    """The text with a line for each part of a result, where it has hardly any lines."""
    if text.count("\n") >= 3 * len(_RUN_ON.findall(text)):
        return text
    text = _RUN_ON_FOOT.sub("\n\n", _RUN_ON.sub(r"\n\1\n\2\n", text))
    return _RUN_ON_LABEL.sub(lambda label: f"\n{label[1]}: " if label[1] else "\nSubmitted ", text)


def _is_authors(line: str) -> bool:
    found = _LABEL.match(line)
    return found is not None and (found["name"] or "").lower().startswith("author")


def results(text: str, notes: list[str]) -> list[Raw]:
    """Results in the order of the text; a last one that the text breaks off in is left out, and said so."""
    entries: list[tuple[str, list[str]]] = []
    for line in _whole_lines(text):
        if found := _ID.fullmatch(line):
            if len(entries) > MAX_ENTRIES:
                break
            entries.append((found["id"], []))
        elif entries and len(entries[-1][1]) < _MAX_LINES_EACH:
            entries[-1][1].append(line)
    read = [(arxiv, _fields(lines)) for arxiv, lines in entries]
    if len(read) > 1 and "submitted" in read[0][1] and "submitted" not in read[-1][1]:
        read.pop()
        notes.append(f"truncated: the text breaks off inside a result; {len(read)} whole ones were read")
    raws = [raw for arxiv, fields in read if (raw := _raw(arxiv, fields))]
    if len(raws) < len(read):
        notes.append(f"{plural(len(read) - len(raws), 'result', 'results')} could not be read: no title")
    if any(raw.abstract.startswith("…") or raw.abstract.endswith("…") for raw in raws):
        notes.append("abstracts are cut: the page shows them whole only where they are opened")
    return raws


def _fields(lines: list[str]) -> dict[str, str]:
    """Tags and title, and the labelled lines with what follows each up to a blank line."""
    fields: dict[str, str] = {}
    name = "title"
    labels = [at for at, line in enumerate(lines) if _LABEL.match(line)]
    for at, line in enumerate(lines):
        if (found := _LABEL.match(line)) and not (found["day"] and name == "submitted"):  # "v1 submitted …"
            name = (found["name"] or found["day"]).lower().removesuffix("s")
            fields.setdefault(name, found["value"].strip())
        elif labels and at > labels[-1] and _FOOT.fullmatch(line):
            break
        elif not line.strip():
            # Authors and abstracts may have blank lines in them.
            inside = fields.get(name, "").endswith(",") or (name == "abstract" and at < labels[-1])
            name = "" if fields.get(name) and name != "title" and not inside else name
        elif name == "title" and "title" not in fields and _are_tags(line, fields):
            fields["tags"] = f"{fields.get('tags', '')} {line.strip()}"
        elif name:
            fields[name] = f"{fields.get(name, '')} {line.strip()}".strip()
    return fields


def _are_tags(line: str, fields: dict[str, str]) -> bool:
    """The first line of a result, those of archives behind it, and one of a DOI; a title may be all small letters."""
    if _DOI.match(line.lstrip()) or _ARCHIVES.fullmatch(line):
        return True
    return "tags" not in fields and bool(_TAGS.fullmatch(line))


def _raw(arxiv: str, fields: dict[str, str]) -> Raw | None:
    found = identity.arxiv_id(arxiv)
    if not found or not fields.get("title"):
        return None
    tags = fields.get("tags", "")
    doi = _DOI.search(tags)
    names, comment = fields.get("author", ""), fields.get("comment", "")
    abstract = _abstract(fields.get("abstract", ""))
    first, shown = _FIRST.search(fields.get("submitted", "")), _SUBMITTED.match(fields.get("submitted", ""))
    days = [day.isoformat() if (day := _arxiv.day(match[1])) else None for match in (first, shown) if match]
    return Raw(
        title=fields["title"],
        abstract=abstract,
        ids={"arxiv": found[0]} | ({"doi": doi[1]} if doi else {}),
        authors=_arxiv.names(names),
        authors_raw=names or None,
        authors_cut=bool(_arxiv.CUT_AUTHORS.search(names)),
        authors_joined=True,
        categories=_CATEGORY.findall(_DOI.sub("", tags)),
        announce=_arxiv.fate(comment, abstract),
        published=days[0] if days else None,
        updated=days[1] if len(days) > 1 else None,
        links=_arxiv.links(found[0]),
        comment=_arxiv.commented(comment, fields.get("journal ref", "")),
    )


def _abstract(text: str) -> str:
    """The abstract, the whole one where the text has both."""
    return next((part.strip() for part in reversed(_MORE.split(text)) if part.strip()), "")
