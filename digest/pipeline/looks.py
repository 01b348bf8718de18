"""What the pages of an archive show of the settings: whoever changes one hears that pages written before still show the old one.

A page that nothing touches is not written anew, so that a run does not grow with its archive; `digest rebuild` writes all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec

from digest import __version__
from digest.config import Config, DigestConfig, search_slugs_of, slugs_of

if TYPE_CHECKING:
    from digest.render import Renderer
    from digest.store import Store

_MIXED = -1
_SITE = ("title", "url", "language", "timezone", "publisher", "postal_address", "contact", "theme", "hub")


def look_of(config: Config, digest: DigestConfig, renderer: Renderer) -> dict[str, int]:
    """A number for each setting that pages of a digest show, by its name for people: another as soon as the setting is."""
    queries = {search.name: search.query for search in digest.searches}
    shown: dict[str, object] = {f"[site] {name}": getattr(config.site, name) for name in _SITE}
    shown |= {
        "[[digest]] title": digest.title if digest.title != config.site.title else "",
        "[[digest]] path": digest.path,
        "[[digest]] topics": sorted(slugs_of(digest.topics).items()),
        "[[digest]] authors": sorted(digest.authors),
        "[[digest]] searches": sorted(
            (slug, name, queries[name]) for name, slug in search_slugs_of(digest.searches).items()
        ),
        "[[digest]] pages": sorted(digest.pages),
        "[web] enabled": config.web.enabled,
        "templates": renderer.fingerprint,
        "version of the program": __version__,
    }
    return {name: crc32(msgspec.json.encode(value)) for name, value in shown.items()}


def mixed(kept: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """What is to be kept of the looks of an archive in which some pages are now as of today: a setting that has changed stays
    said, also when it is changed back, until all pages are written."""
    return {**kept, **{name: _MIXED for name, number in now.items() if kept.get(name, number) != number}}


def outdated(config: Config, store: Store, renderer: Renderer) -> dict[str, tuple[str, ...]]:
    """The settings that pages of a digest still show as they were, by its name: only digests that have such pages."""
    found = {}
    for digest in config.digest:
        kept = store.look(digest.name)
        now = look_of(config, digest, renderer)
        if changed := tuple(name for name, number in now.items() if kept.get(name, number) != number):
            found[digest.name] = changed
    return found
