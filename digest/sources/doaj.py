"""DOAJ, the Directory of Open Access Journals: its article search (`results[].bibjson`), one article, and its data dump."""

from __future__ import annotations

from digest import identity
from digest.model import Listing, Reading
from digest.sources._paging import query, with_query
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


def read(listing: Listing) -> Reading:
    """Articles in the answer's order; the dates of DOAJ are years and months, so that none is given. Journals are no papers."""
    notes: list[str] = []
    data = load(listing, notes, "results")
    if isinstance(data, dict) and "results" in data:
        results = data["results"] if isinstance(data["results"], list) else []
        total = number(data.get("total"))
        following = _next_url(data, len(results), total, listing.base_url)
        return read_records("doaj", listing, results, _raw, notes, total=total, next_url=following)
    if isinstance(data, dict) and "bibjson" not in data:
        refuse_other(data, listing, "DOAJ", "Give an address such as https://doaj.org/api/search/articles/…")
    return read_records("doaj", listing, data if isinstance(data, list) else [data], _raw, notes)


def _next_url(data: Json, held: int, total: int | None, base: str) -> str:
    following = string(data.get("next"))
    if following.startswith(("http://", "https://")):
        return following
    page = number(data.get("page")) or 1
    each = number(data.get("pageSize")) or number(query(base).get("pageSize")) or 10
    return with_query(base, page=page + 1) if held and total is not None and page * each < total else ""


def _raw(record: Json) -> Raw | None:
    article = mapping(record.get("bibjson"))
    if not article or "eissn" in article or "pissn" in article or "ref" in article:  # a journal
        return None
    doi = next(
        (string(entry.get("id")) for entry in mappings(article.get("identifier")) if _kind(entry) == "doi"),
        "",
    )
    texts = [string(link.get("url")) for link in mappings(article.get("link")) if _kind(link) == "fulltext"]
    pdfs = [url for url in texts if url.lower().partition("?")[0].endswith((".pdf", "/pdf"))]
    return Raw(
        title=string(article.get("title")),
        abstract=string(article.get("abstract")),
        ids={"doi": doi, "doaj": string(record.get("id"))},
        authors=[name for author in mappings(article.get("author")) if (name := string(author.get("name")))],
        categories=[
            name for subject in mappings(article.get("subject")) if (name := string(subject.get("term")))
        ],
        tags=strings(article.get("keywords")),
        links={
            "abstract": doi_address(identity.doi(doi) or "") or next(iter(texts), ""),
            "pdf": next(iter(pdfs), ""),
        },
    )


def _kind(entry: Json) -> str:
    return string(entry.get("type")).casefold()
