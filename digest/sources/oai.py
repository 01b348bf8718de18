"""OAI-PMH 2.0: records in the formats of arXiv (`arXiv`, `arXivRaw`, `arXivOld`), in Dublin Core (`oai_dc`, `qdc`), MARC 21, JATS,
MODS, and those of DataCite and DOAJ, with their envelope or bare.

https://www.openarchives.org/OAI/openarchivesprotocol.html and https://info.arxiv.org/help/oa/index.html. A record's datestamp is
the day its metadata were last touched and is never taken for a date of the paper.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any
from urllib.parse import urlencode, urlsplit

from msgspec import structs

from digest import identity
from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources import _arxiv, _dates, _oai_formats, _xml
from digest.sources._bytes import refused, unicode_text
from digest.sources._names import inverted, natural
from digest.sources._paper import MAX_ENTRIES, Raw, finish, plural

NAME_OF_KIND = "oai"

_ENVELOPE = late(r"<((?:[A-Za-z_][\w.-]*:)?OAI-PMH)\b")
_RECORD_END = late(r"</(?:[A-Za-z_][\w.-]*:)?record\s*>")
_RECORD = late(r"<(?:[A-Za-z_][\w.-]*:)?record[\s>]")
_VERB = late(r"<((?:[A-Za-z_][\w.-]*:)?(?:ListRecords|GetRecord|records|collection))\b")
_PROLOG = late(r"^\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).){0,1000}-->\s*){0,9}", re.S)


def read(listing: Listing) -> Reading:
    """Records in document order, without the deleted ones. Empty where the answer says so: no record matches, all are deleted, or
    the list ended with the part before.

    `stated` is the list's own `completeListSize`; `next_url` asks for what follows, with the resumption token. Raises
    ParseError for an error answer, for an answer without records, and for XML that is broken but for a cut end.
    """
    notes: list[str] = []
    root = _parsed(listing, notes)
    _refuse_error(root, listing)
    # A record of MARC stands within one of the protocol, and has its name.
    every = list(islice(root.iter("{*}record"), 2 * MAX_ENTRIES))
    records = [each for each in every if not _is_marc(each)][: MAX_ENTRIES + 1] or every[: MAX_ENTRIES + 1]
    if not records and _local(root) in ("arxiv", "arxivraw", "arxivold"):
        records = [root]
    deleted = sum(_is_deleted(record) for record in records)
    if deleted:
        notes.append(f"{deleted} deleted {'record' if deleted == 1 else 'records'} left out")
    found = [raw for record in records if (raw := _raw(record))]
    if broken := len(records) - deleted - len(found):
        notes.append(f"{plural(broken, 'record', 'records')} could not be read: no title")
    nothing = _says_nothing(root) or (bool(records) and deleted == len(records))
    if not found and (not nothing or any(note.startswith("truncated") for note in notes)):
        raise refused(listing, _without_records(root), "Ask with verb=ListRecords&metadataPrefix=arXiv.")
    token, size = _token(root)
    return Reading(
        kind=NAME_OF_KIND,
        papers=finish(found, notes),
        stated=size,
        listed_on=listing.listed_on,
        empty=not found,
        next_url=_next_url(listing, token),
        notes=tuple(notes),
    )


# --- the document


def _parsed(listing: Listing, notes: list[str]) -> Any:
    """The root element. Bare records are put into an envelope, and one that was cut ends behind its last whole record."""
    text = _PROLOG.sub("", unicode_text(listing).lstrip("\ufeff\0"), count=1)
    envelope = _ENVELOPE.search(text[:5000])
    if not envelope:
        text = f"<records>{_bare(text, notes)}</records>" if _RECORD.search(text) else text
    elif not re.search(rf"</{re.escape(envelope[1])}\s*>", text[-2000:]):
        text = _closed(text, envelope[1], listing, notes)
    root, _ = _xml.parse(
        structs.replace(listing, body=text.encode("utf-8", "replace"), content_type=""), notes
    )
    if root is None:
        raise refused(listing, "an OAI-PMH answer that is no well-formed XML", "Fetch it again.")
    return root


def _bare(text: str, notes: list[str]) -> str:
    """Records without an envelope, up to the last whole one: behind it stands a cut record, or the end of what was round them."""
    verb, ends = _VERB.match(text), [found.end() for found in _RECORD_END.finditer(text)]
    whole = not verb or f"</{verb[1]}" in text[-2000:]
    if ends and (not whole or len(_RECORD.findall(text)) > len(ends)):
        notes.append(f"truncated: the text breaks off; {_counted(len(ends))} read")
        return text[: ends[-1]] + (f"</{verb[1]}>" if verb else "")
    return text[: ends[-1]] if ends and not verb else text


def _closed(text: str, envelope: str, listing: Listing, notes: list[str]) -> str:
    ends = [found.end() for found in _RECORD_END.finditer(text)]
    if not ends:
        raise refused(listing, "the answer breaks off before its first whole record", "Fetch it again.")
    notes.append(f"truncated: the answer breaks off; {_counted(len(ends))} read")
    verb = _VERB.search(text)
    inside = verb and f"</{verb[1]}" not in text[: ends[-1]]
    return text[: ends[-1]] + (f"</{verb[1]}>" if verb and inside else "") + f"</{envelope}>"


def _counted(records: int) -> str:
    return f"{records} whole {'record was' if records == 1 else 'records were'}"


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def _first(element: Any, name: str) -> Any:
    return next(element.iter("{*}" + name), None)


def _refuse_error(root: Any, listing: Listing) -> None:
    """What the protocol calls an error, but for "no records match", which is an answer."""
    for element in root.iterchildren("{*}error"):
        code = element.get("code") or "error"
        if code != "noRecordsMatch":
            raise refused(
                listing,
                f"the archive answers with an error: {code}: {' '.join((element.text or '').split())[:300]}",
                "Check verb, metadataPrefix, set and dates in the address; a resumption token lives for a day.",
            )


def _says_nothing(root: Any) -> bool:
    """No record matches, or this part of a list holds its end alone (flow control, 3.5 of the protocol)."""
    if any(element.get("code") == "noRecordsMatch" for element in root.iterchildren("{*}error")):
        return True
    part = _first(root, "ListRecords")
    held = [] if part is None else list(part)
    return [_local(each) for each in held] == ["resumptiontoken"] and not (held[0].text or "").strip()


def _without_records(root: Any) -> str:
    verbs = ("Identify", "ListSets", "ListMetadataFormats", "ListIdentifiers")
    verb = next((verb for verb in verbs if _first(root, verb) is not None), "")
    return f"this is the answer to {verb}, which has no records" if verb else "no record with a title in it"


def _token(root: Any) -> tuple[str, int | None]:
    element = _first(root, "resumptionToken")
    if element is None:
        return "", None
    size = element.get("completeListSize") or ""
    return (element.text or "").strip(), int(size) if re.fullmatch(r"[0-9]{1,9}", size) else None


def _next_url(listing: Listing, token: str) -> str:
    """The token is exclusive: beside the verb no other argument may stand (protocol, 3.5)."""
    parts = urlsplit(listing.base_url)
    if not token or parts.scheme not in ("http", "https"):
        return ""
    query = urlencode({"verb": "ListRecords", "resumptionToken": token})
    address = parts._replace(query=query, fragment="").geturl()
    return "" if address == listing.base_url else address


# --- the records


def _is_marc(record: Any) -> bool:
    return "MARC21" in str(record.tag)


def _is_deleted(record: Any) -> bool:
    header = _first(record, "header")
    return header is not None and header.get("status") == "deleted"


def _raw(record: Any) -> Raw | None:
    """The paper of a record; None for a deleted one and one without a title."""
    if _is_deleted(record):
        return None
    header = _first(record, "header")
    stated = _text(header, "identifier") if header is not None else ""
    metadata = _first(record, "metadata")
    holder = metadata if metadata is not None else record
    inside = record if _is_marc(record) else next(filter(_is_marc, holder.iterchildren("{*}record")), None)
    if inside is not None:
        raw = _oai_formats.marc(inside, stated)
        return raw if raw.title.strip() else None
    for name, read_format in _FORMATS:
        element = holder if _local(holder) == name.lower() else _first(holder, name)
        if element is not None:
            raw = read_format(element, stated)
            return raw if raw.title.strip() else None
    return None


def _text(element: Any, name: str) -> str:
    found = next(element.iterchildren("{*}" + name), None)
    return "".join(found.itertext()).strip() if found is not None else ""


def _arxiv_record(element: Any, stated: str) -> Raw:
    """Format `arXiv`: authors in parts, `created` (version 1) and `updated` (the latest) as days."""
    names = [_name(author) for author in element.iter("{*}author")]
    shown = [name for name in names if name.strip(" :;,")]
    raw = _shared(element, stated)
    raw.authors = shown
    raw.source = {"authors": "; ".join(names)} if shown != names else {}
    raw.published = _dates.rfc3339(_text(element, "created"))
    raw.updated = _dates.rfc3339(_text(element, "updated"))
    return raw


def _name(author: Any) -> str:
    parts = (_text(author, name) for name in ("forenames", "keyname", "suffix"))
    return " ".join(" ".join(part.split()) for part in parts if part)


def _arxiv_raw(element: Any, stated: str) -> Raw:
    """Format `arXivRaw`: authors as one TeX string, every version with its date; `arXivOld` is the same without versions."""
    versions = list(element.iterchildren("{*}version"))
    dates = [_dates.rfc3339(_text(version, "date")) for version in versions]
    number = re.fullmatch(r"v(\d{1,3})", versions[-1].get("version") or "") if versions else None
    authors = " ".join(_text(element, "authors").split())
    raw = _shared(element, stated)
    raw.version = int(number[1]) if number else raw.version
    raw.authors, raw.authors_raw, raw.authors_joined = _arxiv.names(authors), authors or None, True
    raw.published = dates[0] if dates else None
    raw.updated = dates[-1] if len(dates) > 1 else None
    return raw


def _shared(element: Any, stated: str) -> Raw:
    arxiv = identity.arxiv_id(_text(element, "id")) or identity.arxiv_id(stated)
    comment, abstract = _text(element, "comments"), _text(element, "abstract")
    doi = _text(element, "doi")
    return Raw(
        title=_text(element, "title"),
        abstract=abstract,
        ids=({"arxiv": arxiv[0]} if arxiv else {}) | ({"doi": doi} if doi else {}),
        version=arxiv[1] if arxiv else None,
        categories=_text(element, "categories").split()[:50],
        announce=_arxiv.fate(comment, abstract),
        links=_arxiv.links(arxiv[0]) if arxiv else {},
        comment=_arxiv.commented(comment, _text(element, "journal-ref")),
    )


# What OJS writes behind a name, and libraries: `Okoye, Ada; University of Ponds`, `Okoye, Ada, 1970-`.
_FAMILY_FIRST = late(r"(?:[^\W\d_A-Z]\w{0,9} ){0,3}[^\W\d_][\w'’-]*(?: [^\W\d_][\w'’-]*)?,\s[^,]{1,60}")
_LIFE = late(r",\s*\d{4}\s*-(?:\s*\d{4})?\.?$")


def _creators(text: str) -> list[str]:
    """The names in a creator: the first, and of those behind semicolons what is family and given name."""
    first, *others = (_LIFE.sub("", part.strip()) for part in text.split(";"))
    return [first, *(name for name in others if _FAMILY_FIRST.fullmatch(name))]


def _dublin_core(element: Any, stated: str) -> Raw:
    """Formats `oai_dc` and `qdc`: everything may repeat. The first description is the abstract, the earliest date that of
    version 1."""
    said: dict[str, list[str]] = {}
    for child in element:
        if isinstance(child.tag, str) and (text := _text(child, "name") or "".join(child.itertext()).strip()):
            said.setdefault(_local(child), []).append(text)
    places = said.get("identifier", [])
    arxiv = next((found for place in [*places, stated] if (found := identity.arxiv_id(place))), None)
    doi = next((name for place in places if (name := identity.doi(place))), None)
    descriptions = [*said.get("abstract", []), *said.get("description", [])]
    abstract = next((text for text in descriptions if not text.startswith("Comment:")), "")
    comment = "; ".join(
        text.removeprefix("Comment:").strip() for text in descriptions if text.startswith("Comment:")
    )
    page = next((place for place in places if place.startswith(("http://", "https://"))), "")
    written = [name for text in said.get("creator", []) for name in _creators(text)]
    dates = sorted(
        day for text in said.get("issued") or said.get("date", []) if (day := _dates.rfc3339(text))
    )
    return Raw(
        title=said.get("title", [""])[0],
        abstract=abstract,
        ids=({"arxiv": arxiv[0]} if arxiv else {}) | ({"doi": doi} if doi else {}),
        version=arxiv[1] if arxiv else None,
        authors=[natural(name) for name in written],
        source=inverted(written),
        categories=said.get("subject", [])[:50],
        announce=_arxiv.fate(comment, abstract),
        published=dates[0] if dates else None,
        updated=dates[-1] if len(dates) > 1 else None,
        links=_arxiv.links(arxiv[0]) if arxiv else {"abstract": page},
        comment=_arxiv.commented(comment, ""),
    )


_FORMATS = (
    ("arXivRaw", _arxiv_raw),
    ("arXiv", _arxiv_record),
    ("arXivOld", _arxiv_raw),
    ("mods", _oai_formats.mods),
    ("dc", _dublin_core),
    ("qualifieddc", _dublin_core),
    ("resource", _oai_formats.of_datacite),
    ("doajArticle", _oai_formats.doaj),
    ("article", _oai_formats.jats),
)
