"""PubMed's articles in further forms: the text formats Abstract and Summary, and what esummary answers (JSON, XML of both
versions)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import Any

from digest.patterns import late
from digest.sources import _records_xml as xml
from digest.sources._paper import MAX_ENTRIES
from digest.sources._records import Json, mapping, mappings, string

Article = dict[str, Any]
"""pmid, title, vernacular, authors, cut (are there more of them?), abstract, ids (pairs of kind and value), issued, electronic. In
summaries the PMID is one of the ids: other databases (PMC) number articles in their own way."""

_BLANK = late(r"\n[ \t\xa0]*\n")
_CITATION = late(r"(\d{1,5})\. (?=\S)[^\n]{0,300}(?:\n[^\n]{0,300}){0,4}")
_YEAR = late(r"\b(?:1[89]|20)\d\d\b")
_PMID = late(r"^PMID: {0,2}([0-9]{1,12})\b", re.M)
_NUMBERS = late(r"^(DOI|PMCID): {0,2}(\S{1,300})", re.M)
_ENDS = late(r"(?:DOI|PMCID|PMID): ")
_ISSUED = late(r"\. (\d{4} [A-Z][a-z]{2} \d{1,2})(?=[;:.])")
_ELECTRONIC = late(r"\bEpub (\d{4} [A-Z][a-z]{2} \d{1,2})\.")
_MARKS = late(r"\((?:#?\d{1,3}|[*†‡])\)")
_NAME = late(r"[^\W\d_][^\d,;:()]{0,60}? [A-Z]{1,5}(?: (?:Jr|Sr|II|III|IV|2nd|3rd|4th))?")
_AND_MORE = late(r",? et al\.?$")
_DOI = late(r"\bdoi: {0,2}(10\.\S{1,300}?)\.?(?= |$)")
_NOTE = late(r"\[(?:Article in|Article is in|No authors? listed)\b[^\]]{0,100}\]\.?", re.I)
# Paragraphs that are neither authors nor abstract.
_OTHER = late(
    r"(?:Collaborators?:|Author information:|(?:Comment|Erratum|Update|Republished|Retraction|Corrected|Summary|Original|Expression"
    r")[^\n:.]{0,60}\b(?:in|on|of|from|for)\b|Conflict of interest statement:|(?:Copyright|©|\(c\))|DOI:|PMCID:|PMID:"
    r"|Publication type|Trial Registration:|Plain Language Summary)"
)


def reader_of(text: str) -> Callable[[str], tuple[list[Article], bool]] | None:
    """What reads this text; None where it is in neither of the formats Abstract and Summary."""
    return of_text if is_text(text) else of_summary if is_summary(text) else None


def is_text(text: str) -> bool:
    """Is this the format Abstract: a numbered citation first, then a title, and numbers of PubMed on lines of their own?"""
    text = _unix(text)
    first, number = _CITATION.match(text.lstrip()[:2_000]), _PMID.search(text)
    if not first or not number or not _YEAR.search(first[0]):
        return False
    return len(_BLANK.split(text[: number.start()].strip())) > 1


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def of_text(text: str) -> tuple[list[Article], bool]:
    """The articles, and whether the text breaks off in a last one, which is left out."""
    articles: list[Article] = []
    held: list[str] = []
    is_open = is_far = False  # its PMID ends an article; two blank lines stand before the next
    for part in _BLANK.split(_unix(text)):
        paragraph = part.strip()
        is_far = is_far or not paragraph or part.lstrip(" \t\xa0").startswith("\n")
        begins = _CITATION.match(paragraph)
        if begins and _YEAR.search(begins[0]) and (not is_open or (is_far and _follows(begins, held))):
            if is_open:  # one without a PMID
                articles.append(_of_paragraphs(held))
            held, is_open = [paragraph], True  # of one export behind another the numbers begin again
        elif is_open and paragraph:
            held.append(paragraph)
            if _ENDS.match(paragraph) and _PMID.search(paragraph):
                articles.append(_of_paragraphs(held))
                is_open = False
        is_far = is_far and not paragraph
        if len(articles) > MAX_ENTRIES:
            break
    return articles, is_open


def _follows(begins: re.Match[str], held: list[str]) -> bool:
    """Is this the number behind that of the article before?"""
    before = _CITATION.match(held[0])
    return before is not None and int(begins[1]) == int(before[1]) + 1


def _of_paragraphs(held: list[str]) -> Article:
    """The article of a citation and what stands behind it, up to the paragraph of its numbers where it has one."""
    citation, *rest = held
    end = next((at for at, text in enumerate(rest) if _ENDS.match(text)), len(rest))
    rest, ends = rest[:end], "\n".join(rest[end:])
    title = _line(rest[0]) if rest else ""
    rest = [text for text in rest[1:] if not _NOTE.fullmatch(_line(text))]
    first, citation = _line(rest[0]) if rest else "", _line(citation)
    authors = _names(first)
    told = rest[1:] if authors else rest
    found = _PMID.search(ends)
    return {
        "pmid": found[1] if found else "",
        "title": title,
        "authors": authors,
        "cut": bool(authors and _AND_MORE.search(first)),
        "abstract": "\n".join(text for text in told if not _OTHER.match(text)),
        "ids": [
            *(({"PMCID": "pmc"}.get(kind, "doi"), value) for kind, value in _NUMBERS.findall(ends)),
            *(("doi", doi) for doi in _DOI.findall(citation)),
        ],
    } | _days(citation)


def _days(citation: str) -> dict[str, str]:
    issued, electronic = _ISSUED.search(citation), _ELECTRONIC.search(citation)
    return {
        "issued": issued[1] if issued else "",
        "electronic": electronic[1] if electronic else "",
    }


def _line(text: str) -> str:
    return " ".join(text.split())


def _names(text: str) -> list[str]:
    """The names of a paragraph of authors, without the marks of their workplaces; none of another paragraph."""
    text = _AND_MORE.sub("", _MARKS.sub("", _line(text)).rstrip("."))
    parts = [part.strip() for part in re.split(r"[,;]", text)]
    return [part for part in parts if part] if _NAME.fullmatch(parts[0]) else []


# --- the format Summary

_ONE = late(r"^(\d{1,5}): (?=\S)", re.M)
_DATED = late(
    r"\. (\d{4}(?: (?:[A-Z][a-z]{2}|Spring|Summer|Fall|Winter)(?:-[A-Z][a-z]{2})?(?: \d{1,2})?)?)(?=[;:.])"
)
_LAST_STOP = late(r".*[.?!]\]?(?= )")
_ID_LAST = late(r"\bPMID: {0,2}(\d{1,12})(?:; PMCID: {0,2}(PMC\d{1,12}))?\.")


def is_summary(text: str) -> bool:
    """Is this the format Summary: `1: Okoye A, Lindal B. Of carps. Pond Sci. 2024 Jan 2;1(2):3. doi: 10.…. PMID: 38000001.`?"""
    first = next(_citations(text), "")
    return bool(_DATED.search(first) and _ID_LAST.search(first))


def of_summary(text: str) -> tuple[list[Article], bool]:
    """The articles, and whether the text breaks off in a last one, which is left out."""
    lines = list(islice(_citations(text), MAX_ENTRIES + 1))
    cut = bool(lines) and not _ID_LAST.search(lines[-1])
    return [_of_citation(line) for line in lines[: len(lines) - cut]], cut


def _citations(text: str) -> Iterator[str]:
    """Each citation in one line, without its number; none of a text that does not begin with the first."""
    found = list(_ONE.finditer(text := _unix(text).strip(" \t\n\ufeff")))
    if found and found[0].start() == 0:
        for here, after in pairwise([*(each.start() for each in found), len(text)]):
            yield _line(text[here:after].partition(": ")[2])


def _of_citation(line: str) -> Article:
    """Authors end with the first full stop, the journal stands before the date, the title between them."""
    dated = _DATED.search(line)
    told, place = (line[: dated.start()], line[dated.start() :]) if dated else (line, "")
    first, stop, rest = told.partition(". ")
    group, _, others = first.rpartition("; ")
    authors = (
        _names(first) or ([group, *named] if group and (named := _names(others)) else []) if stop else []
    )
    titled = rest if authors else _NOTE.sub("", told, count=1).strip()
    ends = _LAST_STOP.match(titled)
    found, doi = _ID_LAST.search(line), _DOI.search(line)
    return {
        "pmid": found[1] if found else "",
        "title": ends[0] if ends else titled,
        "authors": authors,
        "cut": bool(authors and _AND_MORE.search(first)),
        "ids": [("doi", doi[1] if doi else ""), ("pmc", found[2] or "" if found else "")],
    } | _days(place)


# --- esummary


def of_json(data: object) -> list[Article]:
    """The articles in the order of the answer."""
    result = mapping(mapping(data).get("result"))
    uids = result.get("uids")
    found = (
        mapping(result.get(uid)) for uid in (uids if isinstance(uids, list) else []) if isinstance(uid, str)
    )
    return [_of_summary(record) for record in islice(found, MAX_ENTRIES + 1) if record]


def _of_summary(record: Json) -> Article:
    return {
        "title": string(record.get("title")),
        "vernacular": string(record.get("vernaculartitle")),
        "authors": [
            name for author in mappings(record.get("authors")) if (name := string(author.get("name")))
        ],
        "ids": [
            (string(each.get("idtype")), string(each.get("value")))
            for each in mappings(record.get("articleids"))
        ],
        "issued": string(record.get("pubdate")),
        "electronic": string(record.get("epubdate")),
    }


def of_xml(root: Any) -> list[Article]:
    """The same as XML: version 1.0 names its items by attributes, version 2.0 by elements."""
    found: Iterator[Any] = islice(root.iter("DocSum", "DocumentSummary"), MAX_ENTRIES + 1)
    return [_of_item(record) if record.tag == "DocSum" else _of_element(record) for record in found]


def _of_item(record: Any) -> Article:
    items = {item.get("Name"): item for item in record.iterchildren("Item")}

    def listed(name: str) -> list[tuple[str, str]]:
        holder = items.get(name)
        return [(item.get("Name") or "", xml.plain(item)) for item in holder] if holder is not None else []

    return {
        "title": xml.markup(items.get("Title")),
        "authors": [name for _, name in listed("AuthorList")],
        "ids": [*listed("ArticleIds"), ("doi", xml.plain(items.get("DOI")))],
        "issued": xml.plain(items.get("PubDate")),
        "electronic": xml.plain(items.get("EPubDate")),
    }


def _of_element(record: Any) -> Article:
    return {
        "title": xml.markup(record.find("Title")),
        "vernacular": xml.markup(record.find("VernacularTitle")),
        "authors": [xml.plain(name) for name in record.iterfind("Authors/Author/Name")],
        "ids": [
            (xml.plain(each.find("IdType")), xml.plain(each.find("Value")))
            for each in record.iterfind("ArticleIds/ArticleId")
        ],
        "issued": xml.plain(record.find("PubDate")),
        "electronic": xml.plain(record.find("EPubDate")),
    }
