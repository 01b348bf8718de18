"""Under which names a paper can be found: its topic, categories and authors, and the addresses of their pages. Pure.

A slug is a name in lower case with hyphens for what is no letter or digit, so that "A. Fenwick" and "A Fenwick" are one.
It is the key of a label everywhere: in the store, in addresses, in a search.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

from digest.config import OTHER_SLUG
from digest.model import Entry, LabelKind

# Folder of each kind of page below the digest's root.
FOLDERS: dict[str, str] = {
    "topic": "topics",
    "category": "categories",
    "author": "authors",
    "search": "searches",
}
_NO_LETTERS = re.compile(r"[^\w.]+")
_ENDS_IN_DOTS = re.compile(r"-*\.+(?=-|$)|(?<![^-])\.+")
_HYPHENS = re.compile(r"-{2,}")
_ARXIV = re.compile(r"[0-9]{4}\.[0-9]{4,5}")
SLUG_CHARS = 60  # of four bytes each at most: a name of a folder has 255


@lru_cache(maxsize=8192)
def slug_of(name: str) -> str:
    """ "Ada Fenwick" → "ada-fenwick", "cs.CL" → "cs.cl", "李 明" → "李-明"; "" for a name without a letter or digit.

    Safe as the name of a folder: letters and digits of any script, `.`, `_` and `-`, never `.` or `-` at an end, and never
    `index.html`, which stands beside it. A long name ends in a hash, so that two of them differ.
    """
    if len(name) <= SLUG_CHARS and name.isascii() and name.replace(" ", "").isalnum():
        return "-".join(name.lower().split())  # as most are: in a sixth of the time
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())
    bare = _ENDS_IN_DOTS.sub("-", _NO_LETTERS.sub("-", folded))
    slug = _HYPHENS.sub("-", bare).strip("-._")
    if len(slug) <= SLUG_CHARS:
        return slug if slug != "index.html" else "index-html"
    return f"{slug[:SLUG_CHARS].strip('-._')}-{_hash(slug)}"


def paper_slug(key: str) -> str:
    """The name of a paper's page: "arxiv:2611.10421" → "2611.10421", "doi:10.5555/a.b" → "doi-10.5555-a.b-1f0c…".

    Of the key an edition has, which never changes. What the letters do not say in full, a hash tells apart.
    """
    kind, _, value = key.partition(":")
    if kind == "arxiv" and _ARXIV.fullmatch(value):
        return value
    bare = re.sub(r"[^a-z0-9.]+", "-", key.casefold()).strip("-.")[:60].strip("-.")
    return f"{bare}-{_hash(key)}"


def record_path(key: str) -> str:
    """The folder of a paper's own page below the digest's root, with a final slash, as an address writes it."""
    return f"papers/{paper_slug(key)}/"


def record_map_path(edition_id: str) -> str:
    """The map of the pages of an edition's papers, below its digest's root: "papers/sitemap-2026-11-19.xml"."""
    return f"papers/sitemap-{edition_id.replace('/', '-')}.xml"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def labels_of(entry: Entry, topics: Mapping[str, str]) -> Iterator[tuple[LabelKind, str, str]]:
    """Kind, slug and name of each label of a paper, each once. `topics` are slugs by topic name (config.slugs_of)."""
    yield "topic", topics.get(entry.topic) or slug_of(entry.topic) or OTHER_SLUG, entry.topic or "Other"
    kinds: tuple[tuple[LabelKind, tuple[str, ...]], ...] = (
        ("category", entry.paper.categories),
        ("author", entry.paper.authors),
    )
    for kind, names in kinds:
        seen = {""}
        for name in names:
            slug = slug_of(name)
            if slug not in seen:
                seen.add(slug)
                yield kind, slug, " ".join(name.split())
