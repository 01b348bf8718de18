"""How far the output folder is up to date, so that a run that died while it published is made up for, and what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from digest.store.database import Database, decoder

_decode_look = decoder(dict[str, int])
_decode_searched = decoder(dict[str, tuple[int, datetime]])


class Publishing:
    """The part of the store that knows what was published."""

    _db: Database

    def published(self, digest: str) -> int:
        """The number of the newest edition of a digest of which every page was written; 0 for none."""
        with self._db.reading():
            return int(self._db.value("meta_value", key=_key(digest)) or 0)

    def unpublished(self, edition: int) -> str:
        """The digest of an edition, given by its row, whose pages are not all written yet; "" where they are."""
        with self._db.reading():
            digest, number = self._db.one("edition_place", id=edition) or ("", 0)
            return digest if self.published(digest) < number else ""

    def note_published(self, digest: str, number: int) -> None:
        """All pages up to this edition's are written."""
        if number != self.published(digest):
            with self._db.writing():
                self._db.run("set_meta", key=_key(digest), value=str(number))

    def look(self, digest: str) -> dict[str, int]:
        """What the pages of a digest show of the settings, by their names (pipeline/looks.py); empty where nothing was noted."""
        with self._db.reading():
            kept = self._db.value("meta_value", key=f"look:{digest}")
            return _decode_look(kept) if kept else {}

    def note_look(self, digest: str, look: Mapping[str, int]) -> None:
        """All pages of it show that, or what of it some do not (looks.mixed)."""
        if look != self.look(digest):
            with self._db.writing():
                self._db.run("set_meta", key=f"look:{digest}", value=msgspec.json.encode(look).decode())

    def searched(self, digest: str) -> dict[str, tuple[int, datetime]]:
        """By slug of a saved search how many papers its feeds were last published with, and when they said that they changed."""
        with self._db.reading():
            kept = self._db.value("meta_value", key=f"searched:{digest}")
            return _decode_searched(kept) if kept else {}

    def note_searched(self, digest: str, found: Mapping[str, tuple[int, datetime]]) -> None:
        """The feeds of these saved searches say that; of the others it stays known what they said."""
        before = self.searched(digest)
        if before != (now := {**before, **found}):
            with self._db.writing():
                value = msgspec.json.encode(now, order="sorted").decode()
                self._db.run("set_meta", key=f"searched:{digest}", value=value)


def _key(digest: str) -> str:
    return f"published:{digest}"
