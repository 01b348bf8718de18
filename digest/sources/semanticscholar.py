"""Semantic Scholar: answers of api.semanticscholar.org: recommendations, search, bulk search, batches, citations, one paper."""

from __future__ import annotations

from digest.model import Listing, Reading
from digest.sources import _dates
from digest.sources._paging import with_query
from digest.sources._paper import Raw
from digest.sources._records import (
    Json,
    load,
    mapping,
    mappings,
    number,
    read_records,
    refuse_other,
    string,
    strings,
)

# Their names of ids → ours.
_IDS = {"ArXiv": "arxiv", "DOI": "doi", "PubMed": "pmid", "PubMedCentral": "pmcid", "DBLP": "dblp"}
_LISTS = ("recommendedPapers", "data", "papers", "results")


def read(listing: Listing) -> Reading:
    """Papers in the answer's order: an id and a title, and what else was asked for. `null` in a batch is a paper not found."""
    notes: list[str] = []
    data = load(listing, notes, *_LISTS)
    if not isinstance(data, dict):
        return read_records(
            "semanticscholar", listing, data if isinstance(data, list) else [data], _raw, notes
        )
    name = next((name for name in _LISTS if isinstance(data.get(name), list)), "")
    total = number(data.get("total"))
    if name or total == 0:
        following = _next_url(data, listing.base_url)
        return read_records(
            "semanticscholar",
            listing,
            data[name] if name else [],
            _raw,
            notes,
            total=total,
            next_url=following,
        )
    if "paperId" not in data:
        refuse_other(data, listing, "Semantic Scholar", "Check the address.")
    return read_records("semanticscholar", listing, [data], _raw, notes)


def _next_url(data: Json, base: str) -> str:
    if token := string(data.get("token")):
        return with_query(base, token=token)
    following = number(data.get("next"))
    return with_query(base, offset=following) if following else ""


def _raw(entry: Json) -> Raw | None:
    entry = (
        mapping(entry.get("citingPaper"))
        or mapping(entry.get("citedPaper"))
        or mapping(entry.get("paper"))
        or entry
    )
    if not (string(entry.get("paperId")) or string(entry.get("title"))):
        return None
    ids = _ids(entry)
    return Raw(
        title=string(entry.get("title")),
        abstract=string(entry.get("abstract")),
        gist=string(mapping(entry.get("tldr")).get("text")),
        ids=ids,
        authors=[name for author in mappings(entry.get("authors")) if (name := string(author.get("name")))],
        categories=strings(entry.get("fieldsOfStudy")),
        published=_dates.rfc3339(string(entry.get("publicationDate"))),
        links={
            "abstract": "" if ids.get("arxiv") or ids.get("doi") else string(entry.get("url")),
            "pdf": string(mapping(entry.get("openAccessPdf")).get("url")),
        },
    )


def _ids(entry: Json) -> dict[str, str]:
    given = mapping(entry.get("externalIds"))
    ids = {ours: value for theirs, ours in _IDS.items() if (value := string(given.get(theirs)))}
    if "pmcid" in ids and ids["pmcid"].isdigit():
        ids["pmcid"] = f"PMC{ids['pmcid']}"
    return ids | {"s2": string(entry.get("paperId"))}
