"""PubMed's articles in two further forms: the text format Abstract, and what esummary answers (JSON, XML of both versions)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from digest.patterns import late
from digest.sources import _records_xml as xml
from digest.sources._paper import MAX_ENTRIES
from digest.sources._records import Json, mapping, mappings, string

Article = dict[str, Any]
"""pmid, title, vernacular, authors, abstract, ids (pairs of kind and value), issued, electronic. In summaries the PMID is one of
the ids: other databases (PMC) number articles in their own way."""

_BLANK = late(r"\n[ \t]*\n")
_CITATION = late(r"\d{1,5}\. (?=\S)[^\n]{0,300}(?:\n[^\n]{0,300}){0,4}")
_YEAR = late(r"\b(?:1[89]|20)\d\d\b")
_PMID = late(r"^PMID: {0,2}([0-9]{1,12})\b", re.M)
_NUMBERS = late(r"^(DOI|PMCID): {0,2}(\S{1,300})", re.M)
_ISSUED = late(r"\. (\d{4} [A-Z][a-z]{2} \d{1,2})(?=[;:.])")
_ELECTRONIC = late(r"\bEpub (\d{4} [A-Z][a-z]{2} \d{1,2})\.")
_MARKS = late(r"\((?:#?\d{1,3}|[*†‡])\)")
_NAME = late(r"[^\W\d_][^\d,;:()]{0,60}? [A-Z]{1,5}(?: (?:Jr|Sr|II|III|IV|2nd|3rd|4th))?")
_NOTE = late(r"\[(?:Article in|Article is in)\b[^\]]{0,100}\]\.?")
# Paragraphs that are neither authors nor abstract.
_OTHER = late(
    r"(?:Collaborators?:|Author information:|(?:Comment|Erratum|Update|Republished|Retraction|Corrected|Summary|Original|Expression"
    r")[^\n:.]{0,60}\b(?:in|on|of|from|for)\b|Conflict of interest statement:|(?:Copyright|©|\(c\))|DOI:|PMCID:|PMID:"
    r"|Publication type|Trial Registration:|Plain Language Summary)"
)


def is_text(text: str) -> bool:
    """Is this the format Abstract: a numbered citation first, then a title, and numbers of PubMed on lines of their own?"""
    first, number = _CITATION.match(text.lstrip()[:2_000]), _PMID.search(text)
    if not first or not number or not _YEAR.search(first[0]):
        return False
    return len(_BLANK.split(text[: number.start()].strip().replace("\r", ""))) > 1


def of_text(text: str) -> tuple[list[Article], bool]:
    """The articles, and whether the text breaks off in a last one, which is left out."""
    articles: list[Article] = []
    held: list[str] = []
    is_open = False  # its PMID ends an article
    for paragraph in map(str.strip, _BLANK.split(text.replace("\r\n", "\n").replace("\r", "\n"))):
        begins = None if is_open else _CITATION.match(paragraph)
        if begins and _YEAR.search(begins[0]):  # of one export behind another the numbers begin again
            held, is_open = [paragraph], True
        elif is_open and paragraph:
            held.append(paragraph)
            if _PMID.search(paragraph):
                articles.append(_of_paragraphs(held))
                is_open = False
        if len(articles) > MAX_ENTRIES:
            break
    return articles, is_open


def _of_paragraphs(held: list[str]) -> Article:
    citation, *rest = held
    ends = held[-1]
    title = _line(rest[0]) if len(rest) > 1 else ""
    rest = [text for text in rest[1:-1] if not _NOTE.fullmatch(_line(text))]
    authors = _names(rest[0]) if rest else []
    told = rest[1:] if authors else rest
    found = _PMID.search(ends)
    citation = _line(citation)
    issued, electronic = _ISSUED.search(citation), _ELECTRONIC.search(citation)
    return {
        "pmid": found[1] if found else "",
        "title": title,
        "authors": authors,
        "abstract": "\n".join(text for text in told if not _OTHER.match(text)),
        "ids": [({"PMCID": "pmc"}.get(kind, "doi"), value) for kind, value in _NUMBERS.findall(ends)],
        "issued": issued[1] if issued else "",
        "electronic": electronic[1] if electronic else "",
    }


def _line(text: str) -> str:
    return " ".join(text.split())


def _names(text: str) -> list[str]:
    """The names of a paragraph of authors, without the marks of their workplaces; none of another paragraph."""
    parts = [part.strip() for part in re.split(r"[,;]", _MARKS.sub("", _line(text)).rstrip("."))]
    return [part for part in parts if part] if _NAME.fullmatch(parts[0]) else []


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
