"""PubMed: XML (PubmedArticleSet, also one article or a book's chapter), the text formats MEDLINE (also .nbib), Abstract and
Summary, and the answers of esummary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources import _dates, _pubmed_found
from digest.sources import _records_xml as xml
from digest.sources._bytes import refused, unicode_text
from digest.sources._names import in_order, inverted, natural
from digest.sources._paper import MAX_ENTRIES, Raw, finish, plural
from digest.sources._records import full_date, load, mapping, refuse_message

SITE = "https://pubmed.ncbi.nlm.nih.gov"
_RECORDS = ("PubmedArticle", "PubmedBookArticle", "MedlineCitation")
_IDS_ONLY = (
    "this is an answer of esearch, which has numbers and no papers",
    "Ask efetch for these numbers, or give the address of the search's RSS feed (Create RSS on PubMed's page).",
)
_SETS = ("PubmedArticleSet", "PubmedBookArticleSet", "MedlineCitationSet")
_PMID = late(r"[0-9]{1,12}")
_PMCID = late(r"PMC[0-9]{1,12}\b")
_UNTITLED = late(r"\[?(?:not available|in process citation)\.?\]?\.?", re.I)


def read(listing: Listing) -> Reading:
    """Articles in the order of the page. A date is given where PubMed knows the day; months and seasons are none.

    Brackets around a translated title and the full stop at the end of every title go. Empty only for a whole set that holds
    nothing. Raises ParseError.
    """
    start = listing.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"{":
        return _read_summaries(listing)
    if start != b"<" and b"\0" not in listing.body[:4]:
        return _read_text(listing)
    if xml.is_large(listing):
        # Several thousand articles, up to the 10,000 that efetch gives at once: a tree of these takes more than 1 GB.
        notes: list[str] = []
        records = xml.each_record(listing, notes, _SETS, _RECORDS)
        return _reading(listing, map(_article, records), notes)
    text = unicode_text(listing).lstrip("\ufeff \t\r\n")
    return _read_xml(listing) if text.startswith("<") else _read_text(listing)


def _reading(listing: Listing, raws: list[Raw] | Iterator[Raw], notes: list[str]) -> Reading:
    papers = finish(raws, notes, trusted_ids=False)
    if not papers and (raws or notes):
        raise refused(listing, "no article could be read from this answer of PubMed", "Fetch it again.")
    return Reading(
        kind="pubmed", papers=papers, listed_on=listing.listed_on, empty=not papers, notes=tuple(notes)
    )


def _title(title: str, vernacular: str) -> str:
    """The title; where PubMed has none but in the article's own language, that one."""
    title = " ".join(title.split())
    if vernacular and (not title or _UNTITLED.fullmatch(title)):
        title = vernacular
    title = xml.without_stop(title)
    if title.startswith("[") and _closed_at(title) == len(title) - 1:
        title = xml.without_stop(title[1:-1])
    return title


def _closed_at(title: str) -> int:
    """Where the bracket is closed that it begins with."""
    depth = 0
    for at, sign in enumerate(title):
        depth += (sign == "[") - (sign == "]")
        if not depth:
            return at
    return -1


def _ids(pmid: str, named: list[tuple[str, str]]) -> dict[str, str]:
    """Ids from pairs of kind and value, the first of a kind; what only the publisher knows (pii, bookaccession) is none."""
    ids: dict[str, str] = {"pmid": pmid} if _PMID.fullmatch(pmid) else {}
    for kind, value in named:
        if kind == "doi":
            ids.setdefault("doi", value)
        elif kind in ("pmc", "pmcid") and (found := _PMCID.search(value)):
            ids.setdefault("pmcid", found[0])
        elif kind in ("pubmed", "pmid") and _PMID.fullmatch(value):
            ids.setdefault("pmid", value)
    return ids


def _origin(ids: dict[str, str]) -> dict[str, str]:
    return {"id": f"PMID {ids['pmid']}"} if "pmid" in ids else {}


def _links(ids: dict[str, str]) -> dict[str, str]:
    return {"abstract": f"{SITE}/{ids['pmid']}/"} if "pmid" in ids else {}


# --- XML


def _read_xml(listing: Listing) -> Reading:
    notes: list[str] = []
    root = xml.parse(listing, notes, "|".join(_SETS), "|".join(_RECORDS))
    if root.tag in _RECORDS:
        return _reading(listing, [_article(root)], notes)
    if root.tag == "eSummaryResult" and (found := _pubmed_found.of_xml(root)):
        return _summaries(listing, found, notes)
    if root.tag not in _SETS:
        said = next((xml.plain(fault) for fault in root.iter("ERROR", "Error", "error")), "")
        if root.tag == "eSearchResult" and not said:
            raise refused(listing, *_IDS_ONLY)
        what = (
            f"PubMed answers with an error: {said[:300]}"
            if said
            else f"XML with the root element <{str(root.tag)[:40]}>, no articles of PubMed"
        )
        raise refused(listing, what, "Ask efetch with retmode=xml.")
    return _reading(
        listing, [_article(child) for child in list(root)[: MAX_ENTRIES + 1] if child.tag in _RECORDS], notes
    )


def _article(record: Any) -> Raw:
    """A PubmedArticle, or a PubmedBookArticle, whose parts have other names and stand elsewhere."""
    citation = record if record.tag == "MedlineCitation" else record.find("MedlineCitation")
    book = record.find("BookDocument")
    holder = book if book is not None else citation
    article = book if book is not None else None if citation is None else citation.find("Article")
    if holder is None or article is None:
        return Raw()
    ids = _ids(xml.plain(holder.find("PMID")), _named_ids(record, holder, article))
    authors, cut = _authors(article)
    title, vernacular = article.find("ArticleTitle"), article.find("VernacularTitle")
    if book is not None and not xml.plain(title):
        title = book.find("Book/BookTitle")
    return Raw(
        title=_title(xml.markup(title), xml.markup(vernacular)),
        abstract=_abstract(article) or _abstract(holder, "OtherAbstract"),
        ids=ids,
        authors=authors,
        authors_cut=cut,
        categories=[
            xml.plain(name)
            for name in holder.iterfind("MeshHeadingList/MeshHeading/DescriptorName")
            if name.get("MajorTopicYN") == "Y"
        ],
        tags=[xml.plain(word) for word in holder.iterfind("KeywordList/Keyword")],
        published=_published(article),
        links=_links(ids),
        source=_origin(ids),
    )


def _named_ids(record: Any, holder: Any, article: Any) -> list[tuple[str, str]]:
    """Those of the article itself; the lists in its references look alike."""
    named = [
        *record.iterfind("PubmedData/ArticleIdList/ArticleId"),
        *record.iterfind("PubmedBookData/ArticleIdList/ArticleId"),
        *holder.iterfind("ArticleIdList/ArticleId"),
    ]
    places = [place for place in article.iterfind("ELocationID") if place.get("ValidYN") != "N"]
    if article.find("ArticleTitle") is None:
        places += article.iterfind("Book/ELocationID")
    return [(item.get("IdType") or "", xml.plain(item)) for item in named] + [
        (item.get("EIdType") or "", xml.plain(item)) for item in places
    ]


def _authors(article: Any) -> tuple[list[str], bool]:
    names: list[str] = []
    cut = False
    place = "AuthorList" if article.find("AuthorList") is not None else "Book/AuthorList"  # of a whole book
    for authors in article.iterfind(place):
        if authors.get("Type") == "editors":
            continue
        cut = cut or authors.get("CompleteYN") == "N"
        for author in authors.iterfind("Author"):
            if author.get("ValidYN") == "N":
                continue
            given = (
                author.find("ForeName") if author.find("ForeName") is not None else author.find("Initials")
            )
            parts = [xml.plain(part) for part in (given, author.find("LastName"), author.find("Suffix"))]
            names.append(in_order(*parts) or xml.plain(author.find("CollectiveName")))
    return names, cut


def _abstract(article: Any, name: str = "Abstract") -> str:
    abstract = article.find(name)
    if abstract is None:
        return ""
    parts = []
    for part in abstract.iterfind("AbstractText"):
        label = part.get("Label") or ""
        text = xml.markup(part)
        parts.append(f"{label}: {text}" if label and label != "UNLABELLED" and text.strip() else text)
    return " ".join(parts)


def _published(article: Any) -> str | None:
    places = ("Journal/JournalIssue/PubDate", "ArticleDate", "ContributionDate", "Book/PubDate")
    return next((day for place in places for found in article.iterfind(place) if (day := _day(found))), None)


def _day(element: Any) -> str | None:
    month = xml.plain(element.find("Month"))
    return full_date([xml.plain(element.find("Year")), _month(month), xml.plain(element.find("Day"))])


def _month(month: str) -> object:
    return month if month.isdigit() else _dates.MONTHS.get(month[:3].lower())


# --- MEDLINE text

_FIELD = late(r"([A-Z][A-Z0-9]{1,3}) {0,2}- ?(.*)")
_BLANK_END = late(r"\n[ \t\r]*\n\s*$")
_LINE_END = late(r"\r?\n|\r")
_NUMBERED = late(r"(?<!\S)(\S++)\s++\[(\w+)\]")
_DATE = late(r"(\d{4}) ([A-Z][a-z]{2}) (\d{1,2})")
_SUFFIX = late(r",? (Jr|Sr|2nd|3rd|4th|II|III|IV)\.?$")
_ELECTRONIC = late(r"(\d{4})(\d{2})(\d{2})")
Fields = dict[str, list[str]]


def _read_text(listing: Listing) -> Reading:
    notes: list[str] = []
    text = unicode_text(listing)
    records = _records(text)
    if not records and (reader := _pubmed_found.reader_of(text)):
        found, cut = reader(text)
        notes += [_cut_after(len(found))] if cut else []
        return _reading(listing, list(map(_found, found)), notes)
    if not records:
        raise refused(
            listing,
            "no field PMID in this text, so that it is no export of PubMed",
            "Save it as PubMed, MEDLINE, Abstract or Summary text.",
        )
    if _breaks_off(records, text):
        records.pop()
        notes.append(_cut_after(len(records)))
    return _reading(listing, [_citation(fields) for fields in records], notes)


def _cut_after(whole: int) -> str:
    return f"truncated: the text breaks off; {plural(whole, 'whole record was', 'whole records were')} read"


def _read_summaries(listing: Listing) -> Reading:
    """What esummary answers as JSON. It has no abstracts."""
    notes: list[str] = []
    data = load(listing, notes)
    found = _pubmed_found.of_json(data)
    if not found:
        refuse_message(data, listing, "PubMed")
        if mapping(mapping(data).get("result")).get("uids") == []:
            return _summaries(listing, found, notes)
        if (search := mapping(data).get("esearchresult")) is not None:
            refuse_message({"error": mapping(search).get("ERROR")}, listing, "PubMed")
            raise refused(listing, *_IDS_ONLY)
        raise refused(listing, "this JSON holds no summaries of PubMed", "Ask esummary with retmode=json.")
    return _summaries(listing, found, notes)


def _summaries(listing: Listing, found: list[_pubmed_found.Article], notes: list[str]) -> Reading:
    if found and not any(_ids("", article["ids"]) for article in found):
        raise refused(listing, "these summaries of NCBI are of no articles", "Ask esummary with db=pubmed.")
    return _reading(listing, list(map(_found, found)), notes)


def _found(article: _pubmed_found.Article) -> Raw:
    ids = _ids(article.get("pmid", ""), article["ids"])
    return Raw(
        title=_title(article["title"], article.get("vernacular", "")),
        abstract=article.get("abstract", ""),
        ids=ids,
        authors=article["authors"],
        authors_cut=article.get("cut", False),
        published=_written_day(article["issued"]) or _written_day(article["electronic"]),
        links=_links(ids),
        source=_origin(ids),
    )


def _written_day(text: str) -> str | None:
    found = _DATE.fullmatch(text)
    return full_date([found[1], _month(found[2]), found[3]]) if found else None


def _records(text: str) -> list[Fields]:
    """Records begin with PMID; a line that begins with six blanks goes on with the field before."""
    records: list[Fields] = []
    values: list[str] = []
    more: list[str] = []  # lines that go on with the last value
    for line in (*_LINE_END.split(text), "END -"):
        if line.startswith("      "):
            more.append(line.strip())
            continue
        if values and more:
            values[-1] = " ".join([values[-1], *more])
        more = []
        if line == "END -":
            break
        if found := _FIELD.match(line):
            tag, value = found[1], found[2].strip()
            if tag == "PMID" or not records:
                if len(records) > MAX_ENTRIES:
                    break
                records.append({})
            values = records[-1].setdefault("AUTHORS" if tag in ("FAU", "CN") else tag, [])
            values.append(value)
            if tag == "CN":
                records[-1].setdefault(tag, []).append(value)
        elif line.strip():
            values = []
    return [record for record in records if "PMID" in record]


def _breaks_off(records: list[Fields], text: str) -> bool:
    """Every record of PubMed ends with its source (SO). Others write none: then a line end, or after one record a blank line."""
    text = text.rstrip(" \t")
    if "SO" in records[-1]:
        return not text.endswith(("\n", "\r", "."))
    if len(records) == 1 or any("SO" in record for record in records):
        return not _BLANK_END.search(text[-100:])
    return not (text.endswith("\n") and "TI" in records[-1])


def _citation(fields: Fields) -> Raw:
    def first(tag: str) -> str:
        return next(iter(fields.get(tag, ())), "")

    named = [
        (found[2], found[1])
        for value in (*fields.get("AID", ()), *fields.get("LID", ()))
        if (found := _NUMBERED.search(value))
    ]
    ids = _ids(first("PMID"), [*named, ("pmc", first("PMC"))])
    names = fields.get("AUTHORS") or fields.get("AU", [])
    return Raw(
        title=_title(first("TI") or first("BTI"), first("TT")),
        abstract=first("AB"),
        ids=ids,
        authors=[name if name in fields.get("CN", ()) else _natural(name) for name in names],
        categories=[name.partition("/")[0].lstrip("*") for name in fields.get("MH", ()) if "*" in name],
        tags=[word.lstrip("*") for word in fields.get("OT", ())],
        published=_text_day(first("DP"), first("DEP")),
        links=_links(ids),
        source=_origin(ids) | inverted(names),
    )


def _natural(name: str) -> str:
    """`van Dam, Jo R Jr` → `Jo R van Dam Jr`."""
    found = _SUFFIX.search(name)
    return f"{natural(name[: found.start()])} {found[1]}" if found and "," in name else natural(name)


def _text_day(issued: str, electronic: str) -> str | None:
    if _DATE.fullmatch(issued):
        return _written_day(issued)
    if found := _ELECTRONIC.fullmatch(electronic):
        return full_date([found[1], found[2], found[3]])
    return None
