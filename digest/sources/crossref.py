"""Crossref: answers of api.crossref.org (`/works`, one work), bare lists of works, and dumps in JSON lines (also by MongoDB)."""

from __future__ import annotations

import re

from digest import identity
from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources._bytes import refused
from digest.sources._names import in_order
from digest.sources._paging import query, with_query
from digest.sources._paper import MAX_ABSTRACT_CHARS, Raw
from digest.sources._records import (
    Json,
    doi_address,
    full_date,
    load,
    mapping,
    mappings,
    number,
    read_records,
    refuse_other,
    string,
    strings,
)

# `<st>`: HighWire's word for it, in feeds
_TITLE = late(r"<(?:jats:)?(title|st)\b[^<>]*>(.{0,300}?)</(?:jats:)?\1>", re.S)
_TEX = late(r"<(?:jats:)?tex-math\b[^<>]*>.{0,5000}?</(?:jats:)?tex-math>", re.S)
_PREAMBLE = late(r"\\documentclass.{0,3000}?\\begin\{document\}(.{0,3000}?)\\end\{document\}", re.S)
_BOX = late(r"<(/?)(?:jats:)?(?:table-wrap|fig)\b[^<>]*>")
# "<p><bold>LBA7089</bold></p>" before all else
_NUMBER = late(
    r"\A\s*<(?:jats:)?p>\s*<(?:jats:)?bold>\s*[A-Za-z]{0,5}\d{1,6}\s*</(?:jats:)?bold>\s*</(?:jats:)?p>(?=\s*<)"
)
_DATES = ("issued", "published", "published-online", "posted", "published-print")


def read(listing: Listing) -> Reading:
    """Works in the answer's order; one without a title is kept, with the title "". `stated` is `total-results`.

    Raises ParseError for an answer with `status: failed`, and for one that states results and holds none.
    """
    notes: list[str] = []
    data = load(listing, notes, "items")
    if isinstance(data, dict):
        _refuse_failure(data, listing)
        if (kind := string(data.get("message-type")) or "work") not in ("work", "work-list"):
            raise refused(
                listing, f"this answer of Crossref is a {kind}, no list of works", "Ask for /works."
            )
        message = mapping(data.get("message")) or data
        if "items" in message:
            items = message["items"] if isinstance(message["items"], list) else []
            total = number(message.get("total-results"))
            following = _next_url(message, items, total, listing.base_url)
            by_cursor = query(listing.base_url).get("cursor", "*") != "*"
            return read_records(
                "crossref", listing, items, _raw, notes, total=total, next_url=following, last=by_cursor
            )
        if not _is_work(message):
            refuse_other(
                data, listing, "Crossref", "Give an address such as https://api.crossref.org/works?query=…"
            )
        data = [message]
    return read_records("crossref", listing, data if isinstance(data, list) else [data], _raw, notes)


def _refuse_failure(data: Json, listing: Listing) -> None:
    if string(data.get("status")) in ("failed", "error"):
        said = [string(fault.get("message")) for fault in mappings(data.get("message"))]
        why = "; ".join(text for text in said if text) or string(data.get("message")) or "no reason given"
        raise refused(listing, f"Crossref answers with an error: {why[:300]}", "Check the address.")


def _is_work(record: Json) -> bool:
    return any(name in record for name in ("DOI", "title", "container-title"))


def _next_url(message: Json, items: list[object], total: int | None, base: str) -> str:
    """By cursor where the address asked by cursor, else by offset while the total says that there is more."""
    asked = query(base)
    rows = number(message.get("items-per-page")) or number(asked.get("rows")) or 20
    if "cursor" in asked:
        cursor = string(message.get("next-cursor"))
        return with_query(base, cursor=cursor) if cursor and len(items) >= rows else ""
    start = number(mapping(message.get("query")).get("start-index")) or number(asked.get("offset")) or 0
    if not items or total is None or start + len(items) >= total:
        return ""
    return with_query(base, offset=start + len(items))


def _raw(work: Json) -> Raw | None:
    work = mapping(work.get("message")) or work  # JSON lines of whole answers
    if not _is_work(work):
        return None
    doi = string(work.get("DOI"))
    abstract = string(work.get("abstract"))
    return Raw(
        title=string(work.get("title")) or string(work.get("original-title")),
        abstract=jats(abstract),
        ids={"doi": doi} | _preprint(work, doi),
        authors=[name for author in mappings(work.get("author")) if (name := _name(author))],
        categories=strings(work.get("subject")),
        published=next(filter(None, (_day(work.get(name)) for name in _DATES)), None),
        links={
            "abstract": doi_address(identity.doi(doi) or "") or string(work.get("URL")),
            "pdf": _pdf(work),
        },
        comment=string(work.get("subtitle")) or None,
        source={"abstract": abstract[:MAX_ABSTRACT_CHARS]} if "<" in abstract else {},
    )


def _name(author: Json) -> str:
    parts = [string(author.get(name)) for name in ("given", "family", "suffix")]
    return in_order(*parts) or string(author.get("name")) or string(author.get("literal"))


def _day(value: object) -> str | None:
    parts = mapping(value).get("date-parts")
    return full_date(parts[0]) if isinstance(parts, list) and parts else None


def _preprint(work: Json, doi: str) -> dict[str, str]:
    """The arXiv id that the publisher states for the same work, or that a preprint without a DOI has in its address (CSL-JSON)."""
    if not doi and (found := identity.arxiv_id(string(work.get("URL")))):
        return {"arxiv": found[0]}
    for preprint in mappings(mapping(work.get("relation")).get("has-preprint")):
        if found := identity.arxiv_id(string(preprint.get("id"))):
            return {"arxiv": found[0]}
    return {}


def _pdf(work: Json) -> str:
    for link in mappings(work.get("link")):
        if (
            link.get("content-type") == "application/pdf"
            and link.get("intended-application") != "similarity-checking"
        ):
            return string(link.get("URL"))
    return ""


def jats(abstract: str) -> str:
    """An abstract in JATS without what is no sentence of it: the heading "Abstract", its number in the programme of a meeting,
    tables and figures, and formulas given a second time in TeX.

    Other headings stand before their paragraph with a colon (`Methods: …`).
    """
    if "<" not in abstract:
        return abstract
    abstract = abstract[: 2 * MAX_ABSTRACT_CHARS]
    if "<mml:" in abstract:
        abstract = _TEX.sub("", abstract)
    if "table-wrap" in abstract or "fig" in abstract:
        abstract = _without_boxes(abstract)
    abstract = _NUMBER.sub("", abstract, count=1)
    return _TITLE.sub(_heading, _PREAMBLE.sub(r"\1", abstract))


def _without_boxes(text: str) -> str:
    """A text in JATS without tables and figures; one that is not closed goes to the end."""
    kept, at, depth = list[str](), 0, 0
    for tag in _BOX.finditer(text):
        if tag[0].endswith("/>"):
            continue
        if not tag[1]:
            kept += [text[at : tag.start()]] if not depth else []
            depth += 1
        elif depth:
            at, depth = tag.end(), depth - 1
    return "".join(kept) + (text[at:] if not depth else "")


def _heading(found: re.Match[str]) -> str:
    words = found[2].strip().rstrip(":.")
    return f" {words}: " if words and words.casefold() not in ("abstract", "summary") else " "
