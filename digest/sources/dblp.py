"""DBLP: fragments of dblp.xml, pages of a person, and answers of the search for publications, as XML and as JSON."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

from msgspec import structs

from digest import identity
from digest.model import Listing, Reading
from digest.patterns import late
from digest.sources import _records_xml as xml
from digest.sources._bytes import refused, unicode_text
from digest.sources._paging import query, with_query
from digest.sources._paper import MAX_ENTRIES, Raw
from digest.sources._records import (
    Json,
    load,
    mapping,
    mappings,
    number,
    read_records,
    refuse_message,
    string,
)

SITE = "https://dblp.org"
RECORDS = (
    "article",
    "inproceedings",
    "proceedings",
    "book",
    "incollection",
    "phdthesis",
    "mastersthesis",
    "www",
    "data",
    "person",
)
_ROOTS = "dblp|dblpperson|result"
_NUMBERED = late(r"\s{1,9}[0-9]{4}$")
_KEY = late(r"[\w-]+(?:/[\w.:+-]+)+")


def read(listing: Listing) -> Reading:
    """Records in the order of the page. DBLP knows years only, so that no date is given; `mdate` is its own.

    A title loses the full stop at its end, a name the number that tells namesakes apart (`0001`). Raises ParseError.
    """
    if listing.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _read_json(listing)
    notes: list[str] = []
    root = xml.parse(_rooted(listing), notes, _ROOTS, "|".join((*RECORDS, "hit")))
    if root.tag == "result":
        return _read_hits(listing, root, notes)
    if root.tag == "dblpperson":
        records = [child for holder in root.iterchildren("r") for child in holder]
        return read_records("dblp", listing, map(_record, records), _raw, notes, total=number(root.get("n")))
    if root.tag == "dblp":
        return read_records("dblp", listing, map(_record, root), _raw, notes)
    if root.tag not in RECORDS:
        raise refused(
            listing,
            f"XML with the root element <{str(root.tag)[:40]}>, no answer of DBLP",
            "Check the address.",
        )
    return read_records("dblp", listing, [_record(root)], _raw, notes)


def _rooted(listing: Listing) -> Listing:
    """Records that stand one after the other get a root around them; it is closed only where the last record is."""
    text = unicode_text(listing)
    if not text.lstrip("\ufeff \t\r\n").startswith(tuple(f"<{name} " for name in RECORDS)):
        return listing
    closed = re.search(rf"</(?:{'|'.join(RECORDS)})\s*>\s*$", text[-1000:])
    return structs.replace(
        listing, body=f"<dblp>{text}{'</dblp>' if closed else ''}".encode("utf-8", "replace"), content_type=""
    )


# --- records


def _record(element: Any) -> Json:
    """A record, or the `info` of a hit, in the shape that the search answers as JSON."""
    found: Json = {"key": element.get("key") or "", "authors": {"author": []}, "ee": []}
    for child in element:
        if child.tag == "author":
            found["authors"]["author"].append(xml.plain(child))
        elif child.tag == "authors":
            found["authors"]["author"] += [xml.plain(author) for author in child]
        elif child.tag == "ee":
            found["ee"].append(xml.plain(child))
        elif child.tag == "title":
            found["title"] = xml.markup(child)
        elif child.tag in ("doi", "key"):
            found[child.tag] = xml.plain(child)
    return found


def _raw(record: Json) -> Raw | None:
    title = record.get("title")
    title = string(mapping(title).get("text")) or string(title)
    key = string(record.get("key")) or _key_of(string(record.get("url")))
    if not (title or key):
        return None
    addresses = _addresses(record.get("ee"))
    doi = (
        identity.doi(string(record.get("doi")))
        or next(filter(None, map(identity.doi, addresses)), None)
        or ""
    )
    arxiv = next(
        (found[0] for url in (string(record.get("doi")), *addresses) if (found := identity.arxiv_id(url))), ""
    )
    pages = [url for url in addresses if not url.lower().endswith(".pdf") and not identity.arxiv_id(url)]
    names = mapping(record.get("authors")).get("author")
    names = names if isinstance(names, list) else [names]
    return Raw(
        title=xml.without_stop(title),
        ids={"dblp": key, "doi": doi, "arxiv": arxiv},
        authors=[name for author in names[:10_000] if (name := _name(author))],
        links={
            "abstract": next(iter(pages), "")
            or (f"{SITE}/rec/{key}" if _KEY.fullmatch(key) and not doi and not arxiv else ""),
            "pdf": next((url for url in addresses if url.lower().endswith(".pdf")), ""),
        },
    )


def _name(author: object) -> str:
    return _NUMBERED.sub("", string(mapping(author).get("text")) or string(author))


def _addresses(ee: object) -> list[str]:
    """Addresses of the electronic edition; what holds a blank is none, and half a DOI would be another paper's."""
    found = [
        (string(mapping(item).get("text")) or string(item)).strip()
        for item in (ee if isinstance(ee, list) else [ee])
    ]
    return [url for url in found if url.startswith(("http://", "https://")) and not re.search(r"\s", url)]


def _key_of(url: str) -> str:
    return url.rpartition("/rec/")[2] if "/rec/" in url else ""


# --- the search


def _read_hits(listing: Listing, root: Any, notes: list[str]) -> Reading:
    status, hits = root.find("status"), root.find("hits")
    if (status is not None and status.get("code", "200") != "200") or hits is None:
        raise refused(
            listing, f"DBLP answers with an error: {xml.plain(status)[:300] or 'no hits'}", "Ask again later."
        )
    values = [_record(info) for info in islice(hits.iterfind("hit/info"), MAX_ENTRIES + 1)]
    return _reading(listing, values, dict(hits.attrib), notes)


def _read_json(listing: Listing) -> Reading:
    notes: list[str] = []
    data = load(listing, notes, "hit")
    if isinstance(data, list):
        return read_records("dblp", listing, [mapping(hit).get("info") for hit in data], _raw, notes)
    result = mapping(mapping(data).get("result"))
    status = mapping(result.get("status"))
    if string(status.get("@code")) not in ("", "200") or not isinstance(result.get("hits"), dict):
        refuse_message(data, listing, "DBLP")
        raise refused(
            listing,
            f"DBLP answers with an error: {string(status.get('text'))[:300] or 'no hits'}",
            "Ask again later.",
        )
    hits = result["hits"]
    values = [hit.get("info") for hit in mappings(hits.get("hit"))]
    return _reading(listing, values, {name.lstrip("@"): value for name, value in hits.items()}, notes)


def _reading(listing: Listing, values: list[Any], counts: Json, notes: list[str]) -> Reading:
    total, first = (
        number(counts.get("total")),
        number(counts.get("first")) or number(query(listing.base_url).get("f")) or 0,
    )
    more = total is not None and values and first + len(values) < total
    following = with_query(listing.base_url, f=first + len(values)) if more else ""
    return read_records("dblp", listing, values, _raw, notes, total=total, next_url=following)
