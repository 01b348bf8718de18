"""Records of OAI-PMH in two formats that libraries and journals give: MARC 21 (`marcxml`, `marc21`) and JATS (`jats`)."""

from __future__ import annotations

import re
from typing import Any

from digest import identity
from digest.patterns import late
from digest.sources import _arxiv, _dates
from digest.sources import _records_xml as xml
from digest.sources._names import inverted, natural
from digest.sources._paper import Raw
from digest.sources._records import full_date

_MAX_AUTHORS = 5_000
_STOP = late(r"\s*[/:;,]\s*$")  # cataloguers end a field so


def marc(element: Any, stated: str) -> Raw:
    """MARC 21: fields by number, their parts by letter. https://www.loc.gov/marc/bibliographic/"""
    fields: dict[str, list[dict[str, str]]] = {}
    for field in element.iter("{*}datafield"):
        parts: dict[str, str] = {}
        for part in field.iterchildren("{*}subfield"):
            parts.setdefault(part.get("code") or "", xml.plain(part))
        fields.setdefault(field.get("tag") or "", []).append(parts)

    def first(tag: str, code: str = "a") -> str:
        return next((text for parts in fields.get(tag, ()) if (text := parts.get(code, ""))), "")

    named = [parts.get("a", "") for tag in ("024", "037") for parts in fields.get(tag, ())]
    title, subtitle = _STOP.sub("", first("245")), _STOP.sub("", first("245", "b"))
    written = [
        name
        for tag in ("100", "700")
        for parts in fields.get(tag, ())
        if (name := parts.get("a", "").rstrip(","))
    ]
    groups = [name for parts in fields.get("710", ()) if (name := parts.get("g") or parts.get("a", ""))]
    pages = [
        url
        for parts in fields.get("856", ())
        if (url := parts.get("u", "")).startswith(("https://", "http://"))
    ]
    dates = (_dates.rfc3339(first(tag, code)) for tag, code in (("260", "c"), ("264", "c"), ("269", "c")))
    return _raw(
        title=f"{title}: {subtitle}" if title and subtitle else title,
        abstract=first("520"),
        named=[*named, stated],
        written=written[:_MAX_AUTHORS],
        groups=groups,
        published=next(filter(None, dates), None),
        page=next((url for url in pages if not url.lower().endswith(".pdf")), ""),
        pdf=next((url for url in pages if url.lower().endswith(".pdf")), ""),
        tags=[text for parts in fields.get("653", ()) if (text := parts.get("a", ""))],
    )


def jats(element: Any, stated: str) -> Raw:
    """JATS: the front of an article. https://jats.nlm.nih.gov/publishing/"""
    meta = next(element.iter("{*}article-meta"), None)
    if meta is None:
        return Raw()
    title, subtitle = _of(meta, "article-title"), _of(meta, "subtitle")
    uris = [(uri.get("content-type") or "", uri.get(_HREF) or "") for uri in meta.iterchildren("{*}self-uri")]
    written, groups = _contributors(meta)
    return _raw(
        title=f"{title}: {subtitle}" if title and subtitle else title,
        abstract=_abstract(meta),
        named=[
            *(
                xml.plain(each)
                for each in meta.iterchildren("{*}article-id")
                if each.get("pub-id-type") in _IDS
            ),
            stated,
        ],
        written=written,
        groups=groups,
        published=_published(meta),
        page=next((url for kind, url in uris if "pdf" not in kind), ""),
        pdf=next((url for kind, url in uris if "pdf" in kind), ""),
        tags=[xml.plain(word) for word in meta.iter("{*}kwd")],
    )


_HREF = "{http://www.w3.org/1999/xlink}href"
_IDS = ("doi", "arxiv")
_HEADING = late(r"^\s*<(?:\w{1,20}:)?title\b[^<>]*>\s*(?:Abstract|Summary)\s*</(?:\w{1,20}:)?title>", re.I)


def _raw(
    *, title: str, abstract: str, named: list[str], written: list[str], groups: list[str], published: str | None,
    page: str, pdf: str, tags: list[str],
) -> Raw:  # fmt: skip
    """`written`: names with the family name first."""
    arxiv = next((found for name in named if (found := identity.arxiv_id(name))), None)
    doi = next(filter(None, map(identity.doi, named)), None)
    return Raw(
        title=title,
        abstract=abstract,
        ids=({"arxiv": arxiv[0]} if arxiv else {}) | ({"doi": doi} if doi else {}),
        version=arxiv[1] if arxiv else None,
        authors=[*map(natural, written), *groups],
        source=inverted(written),
        tags=tags,
        published=published,
        links=_arxiv.links(arxiv[0]) if arxiv else {"abstract": page, "pdf": pdf},
    )


def _of(element: Any, name: str) -> str:
    """The first of its elements of this name, with the markup in it."""
    return xml.markup(next(element.iter("{*}" + name), None))


def _abstract(meta: Any) -> str:
    """The first abstract that is no graphic and no summary for others, without its heading."""
    for abstract in meta.iterchildren("{*}abstract"):
        if not abstract.get("abstract-type"):
            return _HEADING.sub("", xml.markup(abstract), count=1)
    return ""


def _contributors(meta: Any) -> tuple[list[str], list[str]]:
    written: list[str] = []
    groups: list[str] = []
    for contributor in meta.iterfind("{*}contrib-group/{*}contrib"):
        if contributor.get("contrib-type", "author") != "author" or len(written) > _MAX_AUTHORS:
            continue
        group = next(contributor.iter("{*}collab"), None)
        if group is not None:
            for members in list(group.iterchildren("{*}contrib-group")):
                group.remove(members)
            groups.append(xml.markup(group))
            continue
        name = next(contributor.iter("{*}name", "{*}string-name"), None)
        if name is not None:
            family, given, suffix = (
                xml.plain(name.find("{*}" + part)) for part in ("surname", "given-names", "suffix")
            )
            written.append(", ".join(filter(None, (family, given, suffix))) or xml.plain(name))
    return written, groups


def _published(meta: Any) -> str | None:
    days = (
        full_date([xml.plain(date.find("{*}" + part)) for part in ("year", "month", "day")])
        for date in meta.iterchildren("{*}pub-date")
    )
    return min(filter(None, days), default=None)
