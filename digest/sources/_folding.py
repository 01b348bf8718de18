"""Records of papers under whatever keys: each key in one spelling, and each value out of what interfaces put round it.

Keys are compared without case, `_`, `-` and blanks, and without the suffixes of Solr's fields (`title_s` of HAL, `title_display` of
PLOS).
"""

from __future__ import annotations

from collections.abc import Iterator

from digest.patterns import late
from digest.sources._records import MAX_NAMES, Json

_KEYS = late(r"[\s_-]")
_SUFFIX = late(r"_(?:s|t|ss|tdate|txt|display)\Z")
# Objects within a record that hold its facts: of OpenReview, ChemRxiv, INSPIRE and Zenodo, JSON:API (OSF), Zotero, scholarly,
# Elasticsearch, GraphQL; and of addresses.
_WRAPPERS = ("content", "item", "metadata", "attributes", "data", "bib", "_source", "node", "links")
_PLURALS = {"titles": "title", "abstracts": "abstract", "dois": "doi", "arxiveprints": "eprint"}


def fold(name: str) -> str:
    return _KEYS.sub("", _SUFFIX.sub("", name)).lower()


def folded(record: Json, *, wrapped: bool = True) -> Json:
    """A record under folded keys, each value that is not empty out of `{"value": …}` (OpenReview) and `[{"value": …}]` (INSPIRE).
    What stands in a wrapper counts behind what stands beside it."""
    found: Json = {}
    for name, value in _facts(record, wrapped=wrapped):
        if value := _bare(value):
            name = fold(name)
            found.setdefault(_PLURALS.get(name, name), value)
    return found


def _facts(record: Json, *, wrapped: bool) -> Iterator[tuple[str, object]]:
    yield from record.items()
    for name in _WRAPPERS if wrapped else _WRAPPERS[:1]:
        if isinstance(inner := record.get(name), dict):
            yield from inner.items()


def _bare(value: object) -> object:
    if isinstance(value, dict) and "value" in value:
        return value["value"]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        first = value[0]
        if "value" in first:
            return [item["value"] for item in value[:MAX_NAMES] if isinstance(item, dict) and "value" in item]
        if set(first) <= {"title", "source", "subtitle"} and isinstance(first.get("title"), str):
            return first["title"]
    return value
