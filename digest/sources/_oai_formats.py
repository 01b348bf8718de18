"""Records of OAI-PMH in the formats of libraries, journals and archives of data: MARC 21 (`marcxml`, `marc21`), JATS (`jats`), MODS
(`mods`, also within DIDL), and those of DataCite (`oai_datacite`, `datacite`) and DOAJ (`oai_doaj`)."""

from __future__ import annotations

import re
from typing import Any

from digest import identity
from digest.patterns import late
from digest.sources import _arxiv, _dates, datacite
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


def mods(element: Any, stated: str) -> Raw:
    """MODS 3: what stands in `relatedItem` and `subject` is of others. https://www.loc.gov/standards/mods/"""
    titles = list(element.iterchildren("{*}titleInfo"))
    title = next((each for each in titles if not each.get("type")), titles[0] if titles else None)
    named = [
        xml.plain(each) for each in element.iterchildren("{*}identifier") if each.get("invalid") != "yes"
    ]
    places = [url for url in element.iterfind("{*}location/{*}url") if url.get("access") != "preview"]
    places.sort(key=lambda url: not (url.get("usage") or "").startswith("primary"))
    pages = [url for url in (*map(xml.plain, places), *named) if url.startswith(("https://", "http://"))]
    days = (_dates.rfc3339(xml.plain(each)) for each in element.iterfind("{*}originInfo/{*}dateIssued"))
    people = [name for name in element.iterchildren("{*}name") if _wrote(name)][:_MAX_AUTHORS]
    return _raw(
        title=_title_of(title),
        abstract=xml.markup(next(element.iterchildren("{*}abstract"), None)),
        named=[*named, stated],
        written=[name for each in people if each.get("type") != "corporate" and (name := _name_of(each))],
        groups=[name for each in people if each.get("type") == "corporate" and (name := _name_of(each))],
        published=next(filter(None, days), None),
        page=next(iter(pages), ""),
        pdf="",
        tags=[xml.plain(topic) for topic in element.iterfind("{*}subject/{*}topic")],
    )


def _title_of(info: Any) -> str:
    """`nonSort` is an article that is not sorted by."""
    if info is None:
        return ""
    first, title, last = (
        xml.markup(info.find("{*}" + part)).strip() for part in ("nonSort", "title", "subTitle")
    )
    whole = f"{first}{'' if first.endswith(_APOSTROPHES) else ' '}{title}".strip()
    return f"{whole}: {last}" if whole and last else whole


def _wrote(name: Any) -> bool:
    """Is this an author: without a role, or with that of one?"""
    roles = [xml.plain(term).casefold() for term in name.iterfind("{*}role/{*}roleTerm")]
    return not roles or any(role in _AUTHORS for role in roles)


def _name_of(name: Any) -> str:
    """Family name first where the parts say so, else as it is written."""
    parts: dict[str, list[str]] = {}
    for part in name.iterchildren("{*}namePart"):
        if text := xml.plain(part):
            parts.setdefault(part.get("type") or "", []).append(text)
    split = [" ".join(parts.get(kind, ())) for kind in ("family", "given")]
    return ", ".join(filter(None, split)) or _LIFE.sub("", " ".join(parts.get("", ())))


def of_datacite(element: Any, stated: str) -> Raw:
    """DataCite's metadata as XML, in the shape of their JSON. https://schema.datacite.org/"""

    def each(group: str, name: str, field: str, *attributes: str) -> list[dict[str, str]]:
        return [
            {field: xml.markup(item), **{key: item.get(key) or "" for key in attributes}}
            for item in element.iterfind(f"{{*}}{group}/{{*}}{name}")
        ]

    identifier = element.find("{*}identifier")
    record = {
        "titles": each("titles", "title", "title", "titleType"),
        "creators": [_creator(creator) for creator in element.iterfind("{*}creators/{*}creator")],
        "descriptions": each("descriptions", "description", "description", "descriptionType"),
        "subjects": each("subjects", "subject", "subject"),
        "dates": each("dates", "date", "date", "dateType"),
        "alternateIdentifiers": each(
            "alternateIdentifiers", "alternateIdentifier", "alternateIdentifier", "alternateIdentifierType"
        ),
        "doi": identity.doi(xml.plain(identifier)) or identity.doi(stated) or "",
    }
    return datacite.raw(record) or Raw()


def _creator(creator: Any) -> dict[str, str]:
    name = creator.find("{*}creatorName")
    kind = "" if name is None else name.get("nameType") or ""
    given, family = (xml.plain(creator.find("{*}" + part)) for part in ("givenName", "familyName"))
    return {"name": xml.plain(name), "nameType": kind, "givenName": given, "familyName": family}


def doaj(element: Any, stated: str) -> Raw:
    """DOAJ's own format; the dates of DOAJ are years and months, so that none is given."""
    urls = list(element.iterchildren("{*}fullTextUrl"))
    pdf = next((xml.plain(url) for url in urls if url.get("format") == "pdf"), "")
    return _raw(
        title=_of(element, "title"),
        abstract=_of(element, "abstract"),
        named=[xml.plain(element.find("{*}doi")), stated],
        written=[xml.plain(name) for name in element.iterfind("{*}authors/{*}author/{*}name")][:_MAX_AUTHORS],
        groups=[],
        published=None,
        page=next((xml.plain(url) for url in urls if url.get("format") != "pdf"), ""),
        pdf=pdf,
        tags=[xml.plain(word) for word in element.iterfind("{*}keywords/{*}keyword")],
    )


_APOSTROPHES = ("'", "\u2019")
_AUTHORS = frozenset(["aut", "author", "cre", "creator", "dis", "dissertant"])
_LIFE = late(r",\s*\d{4}\s*-(?:\s*\d{4})?\.?$")
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
