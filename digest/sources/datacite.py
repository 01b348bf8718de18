"""DataCite: answers of api.datacite.org (`/dois`, one DOI; JSON:API), bare lists and JSON lines of their records."""

from __future__ import annotations

import re

from digest import identity
from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources import _dates
from digest.sources._names import in_order, inverted, natural
from digest.sources._paper import Raw
from digest.sources._records import (
    Json,
    doi_address,
    load,
    mapping,
    mappings,
    number,
    read_records,
    refuse_other,
    string,
    strings,
)

# The category of arXiv behind its name
_CODE = late(r"\(([a-z]{2,8}(?:-[a-z]{2,3})?(?:\.[A-Za-z-]{2,17})?)\)$")
# What stands where a value is missing (DataCite Metadata Schema, appendix 3), and what Dataverse writes behind a name.
_UNKNOWN = late(r"\(:(?:unac|unal|unap|unas|unav|unkn|none|null|tba|etal|at)\)", re.I)
_PLACE = late(r"\s*\([^()]{2,200}\)$")


def read(listing: Listing) -> Reading:
    """Records in the answer's order. `stated` is `meta.total`, the next page `links.next`."""
    notes: list[str] = []
    data = load(listing, notes, "data")
    if not isinstance(data, dict):
        return read_records("datacite", listing, data if isinstance(data, list) else [data], raw, notes)
    records = data.get("data")
    if isinstance(records, list):
        total = number(mapping(data.get("meta")).get("total"))
        following = string(mapping(data.get("links")).get("next"))
        if not following.startswith(("http://", "https://")):
            following = ""
        return read_records("datacite", listing, records, raw, notes, total=total, next_url=following)
    record = records if isinstance(records, dict) else data
    if not _attributes(record):
        refuse_other(
            data, listing, "DataCite", "Give an address such as https://api.datacite.org/dois?query=…"
        )
    return read_records("datacite", listing, [record], raw, notes)


def _attributes(record: Json) -> Json:
    attributes = mapping(record.get("attributes")) or record
    return attributes if "titles" in attributes or "doi" in attributes or "creators" in attributes else {}


def raw(record: Json) -> Raw | None:
    """The paper of a record; None for what is none."""
    record = mapping(record.get("data")) or record  # JSON lines of whole answers
    attributes = _attributes(record)
    if not attributes:
        return None
    doi = string(attributes.get("doi")) or _doi(attributes) or string(record.get("id"))
    creators = _creators(attributes)
    return Raw(
        title=_title(attributes.get("titles") or attributes.get("title")),
        abstract=_abstract(attributes),
        ids=_ids(attributes) | {"doi": doi},
        authors=[shown for _, shown in creators],
        authors_cut=any(_cut(creator) for creator in _listed(attributes, "creators")),
        categories=_categories(attributes),
        published=_date(attributes, "Issued")
        or _dates.rfc3339(string(attributes.get("published")))
        or _date(attributes, "Available")
        or _date(attributes, "Submitted", of="v1"),
        updated=_date(attributes, "Updated"),
        links={
            "abstract": ""
            if identity.arxiv_id(doi)
            else doi_address(identity.doi(doi) or "") or string(attributes.get("url")),
            "pdf": next(
                (url for url in strings(attributes.get("contentUrl")) if url.lower().endswith(".pdf")), ""
            ),
        },
        source=inverted([name for name, _ in creators]),
    )


def _categories(attributes: Json) -> list[str]:
    """The subjects; of arXiv's papers the categories alone, as arXiv writes them: `Machine Learning (cs.LG)` is cs.LG."""
    named = [
        (string(subject.get("subject")), subject.get("subjectScheme"))
        for subject in _listed(attributes, "subjects")
    ]
    if codes := [found[1] for name, scheme in named if scheme == "arXiv" and (found := _CODE.search(name))]:
        return codes
    return [name for name, _ in named if name]


def _listed(holder: Json, name: str) -> list[Json]:
    """The objects of a list, in which a bare string stands for an object with nothing but its text."""
    value = holder.get(name)
    field = {"titles": "title", "creators": "name", "subjects": "subject", "descriptions": "description"}.get(
        name, ""
    )
    if isinstance(value, str):
        value = [value]
    return mappings(
        [{field: item} if isinstance(item, str) else item for item in value]
        if isinstance(value, list)
        else value
    )


def _title(titles: object) -> str:
    """The main title: the first that is not marked as a subtitle, a translation or another one. One without words is none."""
    found = [title for title in _listed({"titles": titles}, "titles") if string(title.get("title")).strip()]
    main = next((title for title in found if not string(title.get("titleType"))), found[0] if found else {})
    title = string(main.get("title"))
    return "" if _UNKNOWN.fullmatch(title.strip()) else title


def _creators(attributes: Json) -> list[tuple[str, str]]:
    """Names as they are written, and given name first."""
    names: list[tuple[str, str]] = []
    for creator in _listed(attributes, "creators"):
        given, family = string(creator.get("givenName")), string(creator.get("familyName"))
        name = (
            string(creator.get("name"))
            or string(creator.get("creatorName"))
            or ", ".join(filter(None, (family, given)))
        )
        if not name or _UNKNOWN.fullmatch(name.strip()):
            continue
        if string(creator.get("nameType")) == "Organizational":
            names.append((name, name))
        else:
            names.append((name, in_order(given, family) if given and family else _natural(name)))
    return names


def _natural(name: str) -> str:
    return natural(_PLACE.sub("", name) if "," in name else name)


def _cut(creator: Json) -> bool:
    return string(creator.get("name")).strip().casefold() == "(:etal)"


def _abstract(attributes: Json) -> str:
    """The description of type Abstract; one without a type; none of another type (series, methods, tables)."""
    found: dict[str, str] = {}
    for text in _listed(attributes, "descriptions"):
        if words := " ".join(strings(text.get("description"))):
            found.setdefault(string(text.get("descriptionType")), words)
    return found.get("Abstract") or found.get("") or ""


def _date(attributes: Json, kind: str, of: str = "") -> str | None:
    for entry in _listed(attributes, "dates"):
        if of and string(entry.get("dateInformation")) != of:
            continue
        if string(entry.get("dateType")) == kind and (day := _dates.rfc3339(string(entry.get("date")))):
            return day
    return None


def _doi(attributes: Json) -> str:
    """The DOI among the identifiers: of schema 4.5 a list, of 3.1 to 4.1 one object."""
    entries = [*_listed(attributes, "identifiers"), mapping(attributes.get("identifier"))]
    return next(
        (string(e.get("identifier")) for e in entries if string(e.get("identifierType")).casefold() == "doi"),
        "",
    )


def _ids(attributes: Json) -> dict[str, str]:
    for name, kind in (
        ("identifiers", "identifierType"),
        ("alternateIdentifiers", "alternateIdentifierType"),
    ):
        for entry in _listed(attributes, name):
            value = string(entry.get("identifier")) or string(entry.get("alternateIdentifier"))
            if string(entry.get(kind)).casefold() == "arxiv" and (found := identity.arxiv_id(value)):
                return {"arxiv": found[0]}
    return {}
