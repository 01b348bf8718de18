"""Papers as rows of a page, kept from the run that made them: years of them are shown again whenever an author has a new one.

They are no truth: each could be made again from its edition, and is where it is missing or another maker asks for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from digest.store.database import Database


class Rows:
    """The part of the store that keeps rows."""

    _db: Database

    def rows(self, places: Collection[int], *, maker: str) -> dict[int, str]:
        """The rows, as HTML, of those of these places (Place.id) of which one is kept that this `maker` made."""
        with self._db.reading():
            return dict(self._db.rows("kept_rows", ids=self._db.array(sorted(places)), maker=maker))

    def keep_rows(self, rows: Mapping[int, str], *, maker: str) -> None:
        """Keeps rows by the places that they are of. `maker` stands for all that decides what a row looks like beside its entry.
        A place that was given up meanwhile has none."""
        with self._db.writing():
            self._db.many(
                "keep_row", [{"id": place, "maker": maker, "html": rows[place]} for place in sorted(rows)]
            )
