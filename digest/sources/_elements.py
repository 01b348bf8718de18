"""Elements of a page → the texts, addresses, dates, names and ids that they hold (kind "selectors")."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from digest import identity
from digest.markup import strip_tags
from digest.patterns import late
from digest.sources import _dates, _names

if TYPE_CHECKING:
    from bs4 import Tag

_MAX_CHARS = 200_000  # of an element; a page that is all one paragraph is no listing
_TAG_WITH_ATTRIBUTES = late(r"<([a-zA-Z][\w:-]*)\s[^<>]*>")


def text_of(tag: Tag) -> str:
    """The text as a page shows it: words of two blocks stand apart, those within a line do not, x<sup>2</sup> is x²."""
    if not tag.find(True):
        return " ".join(tag.get_text()[:_MAX_CHARS].split())
    return " ".join(strip_tags(_TAG_WITH_ATTRIBUTES.sub(r"<\1>", tag.decode_contents())[:_MAX_CHARS]).split())


def attribute_of(tag: Tag, name: str) -> str:
    value = tag.get(name)
    return " ".join(value) if isinstance(value, list) else (value or "").strip()


def taker(name: str, attribute: str) -> Callable[[Tag], str]:
    """How a value is taken from an element: an attribute where one is named, else what the name of the selector means."""
    if attribute:
        return lambda tag: attribute_of(tag, attribute)
    return {"link": _href, "pdf": _href, "next": _href, "date": _time, "doi": _doi}.get(name, text_of)


def _href(tag: Tag) -> str:
    """The address of a link; of another element that of the first link in it."""
    if not tag.has_attr("href"):
        inner = tag.find(["a", "link", "area"], href=True)
        return attribute_of(inner, "href") if inner else ""
    return attribute_of(tag, "href")


def _time(tag: Tag) -> str:
    """`datetime` of a time element where it is a date, else the text."""
    stated = attribute_of(tag, "datetime") or attribute_of(tag, "content")
    return stated if date_in(stated) else text_of(tag)


def _doi(tag: Tag) -> str:
    href = attribute_of(tag, "href")
    return href if identity.doi(href) else text_of(tag)


_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_ISO = late(
    r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?", re.I
)
_DAY_FIRST = late(
    rf"(?<!\d)(\d{{1,2}})(?:st|nd|rd|th)?[\s.-]+({_MONTH})\.?,?[\s-]+(\d{{4}}(?!\d).{{0,20}})", re.I
)
_MONTH_FIRST = late(rf"\b({_MONTH})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})(?!\d)", re.I)


def date_in(text: str) -> str | None:
    """The first date in a text, as RFC 3339; None for none, and for those that two countries read two ways (3/4/2026)."""
    text = text[:500]
    if found := _ISO.search(text):
        return _dates.rfc3339(found[0])
    if found := _DAY_FIRST.search(text):
        return _dates.rfc3339(f"{found[1]} {found[2]} {found[3]}")
    found = _MONTH_FIRST.search(text)
    return _dates.rfc3339(f"{found[2]} {found[1]} {found[3]}") if found else None


LABELS = {
    "title": late(r"\A\s*Title\s*:\s*", re.I),
    "abstract": late(r"\A\s*(?:Abstract|Summary)\s*[:.—–]\s*", re.I),
    "authors": late(r"\A\s*(?:Authors?\s*:|By\s+(?=[A-Z])|By\s*:)\s*", re.I),
    "categories": late(r"\A\s*(?:Subjects?|Categor(?:y|ies)|Keywords?|Topics?|Tags?)\s*:\s*", re.I),
}
_LINKING = late(r"\A(?:and|&)\s+|(?<![\s,;·|])(?>(?:\s*+[,;·|]|\s++(?:and|&)){1,20})\s*\Z", re.I)


def authors_in(values: list[str]) -> tuple[list[str], str | None]:
    """One name for each element; of a single element that holds several names those, and the text itself."""
    values = [LABELS["authors"].sub("", value) for value in values]
    if len(values) != 1:
        return [name for value in values if (name := _LINKING.sub("", value))], None
    text = values[0]
    names = [part.strip() for part in text.split(";")] if ";" in text else _names.split(text)
    several = len(names) > 1 and sum(" " in name for name in names) * 2 > len(names)
    return (names, text) if several else (values, None)


def categories_in(values: list[str]) -> list[str]:
    values = [LABELS["categories"].sub("", value) for value in values]
    if len(values) == 1:
        values = re.split(r"[;|]" if re.search(r"[;|]", values[0]) else ",", values[0])
    return [value.strip() for value in values]


def ids_in(link: str, pdf: str, dois: list[str]) -> tuple[dict[str, str], int | None]:
    """The arXiv id and the DOI that the addresses say, and the version beside an arXiv id."""
    ids: dict[str, str] = {}
    version = None
    for text in (link, pdf, *dois):
        if text and (found := identity.arxiv_id(text)):
            ids.setdefault("arxiv", found[0])
            version = version or found[1]
    for text in (*dois, link, pdf):
        if text and (doi := identity.doi(text)):
            ids["doi"] = doi
            break
    return ids, version
