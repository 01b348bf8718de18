"""An item of a feed (RSS 0.9x, 1.0, 2.0, Atom): the fields every feed has, raw, whatever the format calls them.

How an element's name, attributes and text become a field, the same whether a tree or the document itself is read.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Protocol
from urllib.parse import urljoin

from msgspec import Struct

from digest import identity
from digest.sources import _dates


class Item(Struct, kw_only=True, gc=False):
    """One item: texts raw (HTML as it stands), dates as RFC 3339 or full dates, addresses absolute where that was possible."""

    title: str = ""
    link: str = ""
    pdf: str = ""
    guid: str = ""
    permalink: bool = True
    summary: str = ""
    content: str = ""
    authors: list[str] = []
    categories: list[str] = []
    identifiers: list[str] = []
    doi: str = ""
    published: str | None = None
    updated: str | None = None
    cover: str | None = None
    announce_type: str = ""
    comment: str = ""
    journal: str = ""
    primary: str = ""
    section: str = ""


class Feed(Struct, kw_only=True):
    """A feed document. `sound` is false where it had to be mended, so that "no items" proves nothing."""

    title: str = ""
    description: str = ""
    published: str | None = None
    stated: int | None = None
    start: int = 0
    sound: bool = True
    items: list[Item] = []


def drained(feed: Feed) -> Iterator[Item]:
    """The items, each let go of once it is read: of a long feed they take as much memory as the papers that are made of them."""
    items = deque(feed.items)
    feed.items = []
    while items:
        yield items.popleft()


class Attributes(Protocol):
    """Those of an element: a dict, or the element itself."""

    def get(self, name: str, /) -> str | None: ...


ROOTS = frozenset(
    ["rss", "feed", "rdf", "channel", "entry"]
)  # an Atom entry may be a document (RFC 4287, 4.1.2)
ITEMS = frozenset(["item", "entry"])
# What the head of a feed says, by the names of its elements.
HEADS = frozenset(["title", "description", "pubdate", "date", "totalresults", "startindex"])
TEXTS = {
    "title": "title",
    "description": "summary",
    "summary": "summary",
    "abstract": "summary",
    "encoded": "content",
    "content": "content",
    "body": "content",
    "fullitem": "content",
    "doi": "doi",
    "digitalobjectidentifier": "doi",
    "announce_type": "announce_type",
    "comment": "comment",
    "journal_ref": "journal",
    "journal_reference": "journal",
    "section": "section",
}
# Fields whose text is taken with the markup in it, where it has any.
RICH = frozenset([*TEXTS, "creator"])
NESTED = RICH | {"subject", "authors"}  # whose elements are more than their text
# The parts of a name within an author, in the order in which they are spoken.
NAME_PARTS = ("given_name", "middle_name", "last_name")

_OTHER_VOCABULARIES = ("media", "itunes", "search.yahoo", "wellformedweb")

# What these say, and the vocabulary of the item itself, counts before what any other does that has a name of its own for it.
_VOCABULARIES = ("purl.org/", "prismstandard.org/", "w3.org/", "arxiv.org/")
# Of which the first counts, or which stand in an order.
ORDERED = frozenset(
    [
        *TEXTS,
        "link",
        "guid",
        "id",
        "author",
        "creator",
        "published",
        "pubdate",
        "date",
        "issued",
        "created",
        "updated",
        "modified",
        "coverdate",
    ]
)

# By the tag as it is written; asked first, since a feed has few.
LOCAL: dict[str, str] = {}


def local(tag: str) -> str:
    """`{namespace}Name` → `name`; those of media vocabularies and of blogs with a prefix: they are about pictures, and about
    the addresses that take comments."""
    name = LOCAL.get(tag)
    if name is None:
        namespace, _, name = tag.rpartition("}")
        name = name.lower()
        if any(each in namespace for each in _OTHER_VOCABULARIES):
            name = f"other:{name}"
        if len(LOCAL) < 1000:
            LOCAL[tag] = name
    return name


@lru_cache(maxsize=4096)
def is_strange(tag: object, own: str) -> bool:
    """Is `{namespace}name` of a vocabulary that is neither known nor that of the item: `<ext:title>`?"""
    namespace = tag.rpartition("}")[0] if isinstance(tag, str) else ""
    return namespace not in ("", own) and not any(known in namespace for known in _VOCABULARIES)


def feed_of(heads: Mapping[str, str], items: list[Item]) -> Feed:
    """The feed, of the texts in its head by their names (HEADS)."""
    total, start = heads.get("totalresults", "").strip(), heads.get("startindex", "").strip()
    return Feed(
        title=heads.get("title", ""),
        description=heads.get("description", ""),
        published=_dates.rfc3339(heads.get("pubdate") or heads.get("date", "")),
        stated=int(total) if total.isascii() and total.isdigit() and len(total) < 10 else None,
        start=int(start) if start.isascii() and start.isdigit() and len(start) < 10 else 0,
        items=items,
    )


MAX_JOINED_CHARS = 4_000  # a base of 400 KB, which is joined anew with each link, costs a feed minutes

# As the document writes it, and as its tree does.
_RESOURCE = ("rdf:resource", "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}resource")

Links = list[tuple[str, str, str]]  # rel, href and type of each


def take(item: Item, links: Links, field: str, attributes: Attributes, text: str) -> None:
    """One element of an item into its field, but for authors. The first of a kind counts, but for those that may repeat."""
    if name := TEXTS.get(field):
        if not getattr(item, name):
            packed = attributes.get("mode") == "base64"  # Atom 0.3
            setattr(item, name, _unpacked(text) if packed else text)
    elif field in ("category", "subject"):
        item.categories.append(attributes.get("term") or text)
    elif field in ("subjects", "tags"):
        item.categories += filter(None, map(str.strip, text.split(",")))
    elif field == "link":
        get = attributes.get
        links.append((get("rel") or "alternate", get("href") or text, get("type") or ""))
    elif field == "enclosure":
        get = attributes.get
        links.append((field, get("url") or "", get("type") or ""))
    elif field == "pdf_url":
        links.append((field, text, "application/pdf"))
    elif field in ("guid", "id"):
        item.guid = item.guid or text.strip()
        item.permalink = attributes.get("isPermaLink") != "false"
    elif field in ("identifier", "url"):
        item.identifiers.append(text.strip() or next(filter(None, map(attributes.get, _RESOURCE)), ""))
    elif field in ("published", "pubdate", "date", "issued", "created", "publicationdate"):
        item.published = item.published or _dates.rfc3339(text)
    elif field in ("updated", "modified"):
        item.updated = item.updated or _dates.rfc3339(text)
    elif field == "coverdate":
        item.cover = item.cover or _dates.rfc3339(text)
    elif field == "primary_category":
        item.primary = item.primary or attributes.get("term") or ""
    elif field in ("creator", "authors"):
        item.authors += [person(text) or text] if text.strip() else []


def _unpacked(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except ValueError:
        return text


def place_links(item: Item, links: Links, about: str, base: str) -> None:
    """The links of an item, once all are known: its page, the first that the web has, and its PDF."""
    for rel, href, kind in links:
        href = join(base, _mended(href))
        if kind == "application/pdf":
            item.pdf = item.pdf or href
        elif rel == "alternate" and (not item.link or (is_web(href) and not is_web(item.link))):
            item.link = href
    if not item.link and item.permalink and is_web(item.guid):
        item.link = item.guid
    if not item.link:
        item.link = next(filter(is_web, (*item.identifiers, about)), "")


def is_web(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _mended(href: str) -> str:
    """An address without what white space and character references make of it that were escaped once too often, and without the
    one that leads to it."""
    href = href.strip()
    if "&amp;" in href:
        href = href.replace("&amp;", "&")
    if " " in href or not href.isprintable():
        href = href.translate(_SPACES)
    return identity.led_to(href)


# A browser takes white space so: https://url.spec.whatwg.org/#concept-basic-url-parser
_SPACES = {ord("\t"): None, ord("\n"): None, ord("\r"): None, ord(" "): "%20"}


def says_where(rel: str | None) -> bool:
    """Does a link of the feed of this kind say where the feed is? One of a licence or of a hub leads to others."""
    return rel in (None, "", "alternate", "self")


def person(text: str) -> str:
    """The name that stands as an author's text, as RSS has it: `mail (Name)`, or a name; `Name (mail)` and `Name <mail>` too.
    Several of the first kind and the last give their names with commas."""
    if "@" not in text:
        return text
    told = text.strip()
    mail = told.split(maxsplit=1)[0]
    at, name = mail.find("@", 1), told[len(mail) :].lstrip()
    if told.endswith(">"):
        return ", ".join(_named(told, "<", ">"))
    if not told.endswith(")"):
        return ""
    if at < 0:
        name, _, inside = told.rpartition("(")
        return name.strip() if "@" in inside and "@" not in name else ""
    if at == len(mail) - 1:
        return ""
    if name.startswith("("):
        return name[1:-1] if "@" not in name else ", ".join(_named(told, "(", ")"))
    bracket = mail.rfind("(", at + 2)
    return told[bracket + 1 : -1] if bracket > 0 else ""


def _named(told: str, opening: str, closing: str) -> list[str]:
    """The names of several: `mail (Name)`, or `Name <mail>`."""
    parts = (part.rpartition(opening) for part in told.split(closing))
    pairs = (
        (before, inside) if opening == "(" else (inside, before) for before, opened, inside in parts if opened
    )
    return [
        clean for mail, name in pairs if "@" in mail and (clean := name.strip(' ,;"')) and "@" not in clean
    ]


def join(base: str, href: str) -> str:
    """The absolute address, as far as the base is one; empty for what is no address."""
    if is_web(href) or not href:
        return href
    if len(base) + len(href) > MAX_JOINED_CHARS:
        return ""
    try:
        return urljoin(base, href)
    except ValueError:
        return ""
