"""OpenAlex: answers of api.openalex.org (`/works`, one work), bare lists and JSON lines of works."""

from __future__ import annotations

import re

from digest import identity
from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources import _dates
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
)

MAX_WORDS = 5_000
_WORK = late(r"(?:https?://(?:api\.)?openalex\.org/(?:works/)?)?([wW]\d+)")
_PMID = late(r"(?:https?://(?:pubmed\.ncbi\.nlm\.nih\.gov|www\.ncbi\.nlm\.nih\.gov/pubmed)/)?(\d+)/?")
# Before words that begin a text; "Abstract Interpretation finds …" stays.
_HEADING = late(
    r"\A(?:Abstract|ABSTRACT)[:.]? (?=(?:A|Aims?|An|As|At|Background|BACKGROUND|Context|For|From|However|In|Introduction"
    r"|INTRODUCTION|It|Many|Most|Motivation|Objectives?|OBJECTIVES?|On|Our|Purpose|PURPOSE|Recent|Since|Summary|The|There|These|This|To|We"
    r"|When|While|With)\b)"
)
_PMCID = late(r"(?:https?://\S*/)?(?:PMC)?(\d+)/?", re.I)


def read(listing: Listing) -> Reading:
    """Works in the answer's order. `stated` is `meta.count`; the next page is by cursor where the address asked by cursor."""
    notes: list[str] = []
    data = load(listing, notes, "results")
    if isinstance(data, dict) and "results" in data:
        results = data["results"] if isinstance(data["results"], list) else []
        meta = mapping(data.get("meta"))
        total = number(meta.get("count"))
        following = _next_url(meta, len(results), total, listing.base_url)
        by_cursor = query(listing.base_url).get("cursor", "*") != "*"
        return read_records(
            "openalex", listing, results, _raw, notes, total=total, next_url=following, last=by_cursor
        )
    if isinstance(data, dict) and not _is_work(data):
        refuse_other(
            data, listing, "OpenAlex", "Give an address such as https://api.openalex.org/works?search=…"
        )
    return read_records("openalex", listing, data if isinstance(data, list) else [data], _raw, notes)


def _is_work(record: Json) -> bool:
    """Authors and journals have names too; their ids begin with another letter."""
    name = string(record.get("id"))
    return any(name in record for name in ("title", "display_name", "doi", "authorships")) and bool(
        not name or _WORK.fullmatch(name)
    )


def _next_url(meta: Json, held: int, total: int | None, base: str) -> str:
    asked = query(base)
    each = (
        number(meta.get("per_page")) or number(asked.get("per-page")) or number(asked.get("per_page")) or 25
    )
    if "cursor" in asked:
        cursor = string(meta.get("next_cursor"))
        return with_query(base, cursor=cursor) if cursor and held else ""
    page = number(meta.get("page")) or number(asked.get("page")) or 1
    return with_query(base, page=page + 1) if held and total is not None and page * each < total else ""


def _raw(work: Json) -> Raw | None:
    if not _is_work(work):
        return None
    ids = _ids(work)
    places = [
        *mappings(work.get("primary_location")),
        *mappings(work.get("best_oa_location")),
        *mappings(work.get("locations")),
    ]
    pages = [string(place.get("landing_page_url")) for place in places]
    if arxiv := next((found[0] for page in pages if (found := identity.arxiv_id(page))), ""):
        ids.setdefault("arxiv", arxiv)
    page = (
        doi_address(identity.doi(ids.get("doi", "")) or "")
        or next(filter(None, pages), "")
        or string(work.get("id"))
    )
    if identity.arxiv_id(ids["doi"]):
        page = ""
    return Raw(
        title=string(work.get("title")) or string(work.get("display_name")),
        abstract=plain_abstract(work.get("abstract_inverted_index")) or string(work.get("abstract")),
        ids=ids,
        authors=[name for entry in mappings(work.get("authorships")) if (name := _name(entry))],
        authors_cut=work.get("is_authors_truncated") is True,
        categories=[
            name for topic in mappings(work.get("topics")) if (name := string(topic.get("display_name")))
        ],
        published=_dates.rfc3339(string(work.get("publication_date"))),
        links={
            "abstract": page,
            "pdf": next(filter(None, (string(place.get("pdf_url")) for place in places)), ""),
        },
    )


def _name(authorship: Json) -> str:
    return string(mapping(authorship.get("author")).get("display_name")) or string(
        authorship.get("raw_author_name")
    )


def _ids(work: Json) -> dict[str, str]:
    given = mapping(work.get("ids"))
    ids = {"doi": string(work.get("doi")) or string(given.get("doi"))}
    if found := _WORK.fullmatch(string(work.get("id")) or string(given.get("openalex"))):
        ids["openalex"] = found[1].upper()
    if found := _PMID.fullmatch(string(given.get("pmid"))):
        ids["pmid"] = found[1]
    if found := _PMCID.fullmatch(string(given.get("pmcid"))):
        ids["pmcid"] = f"PMC{found[1]}"
    return ids


def plain_abstract(index: object) -> str:
    """The text of an inverted index: `{"Moths": [0, 2], "eat": [1]}` → `Moths eat Moths`. At most 5,000 words, without the heading
    "Abstract"."""
    placed: list[tuple[int, str]] = []
    for word, places in mapping(index).items():
        for place in places if isinstance(places, list) else ():
            if isinstance(place, int) and not isinstance(place, bool):
                placed.append((place, word))
    placed.sort()
    return _HEADING.sub("", " ".join(word for _, word in placed[:MAX_WORDS]), count=1)
