"""What a replay needs of the store: is a page still there, and what was known before a moment."""

from __future__ import annotations

from datetime import datetime

from digest.store.database import Database, stamp
from digest.store.offers import put_offers

_PAPER = ("id", "joined_to", "version", "announced_on", "debuted", "revision", "first_seen", "key", "content")
_EDITION = ("id", "digest", "date", "part", "number", "papers", "issued_at", "snapshot")
_CORRECTION = ("id", "made_at", "relation", "left_key", "right_key")


class Replays:
    """The part of the store that is read when a day is done again."""

    _db: Database

    def has_page(self, page: str) -> bool:
        """Is the raw page of this `page_hash` still kept?"""
        with self._db.reading():
            return bool(self._db.value("has_page", hash=page))

    def copy_before(self, moment: datetime, fresh: Replays) -> None:
        """Puts into the empty store `fresh` what this one knew before a moment: papers and their keys, editions, offers.

        A paper that was met again since has its facts of today; for one that is first seen later nothing is copied.
        """
        then = stamp(moment)
        with self._db.reading():
            authority = self._db.value("meta_value", key="feed_authority")
            papers = [
                dict(zip(_PAPER, row, strict=True)) for row in self._db.rows("papers_before", moment=then)
            ]
            keys = self._db.rows("keys_before", moment=then)
            abstracts = self._db.rows("abstracts_before", moment=then)
            editions = [
                dict(zip(_EDITION, row, strict=True)) for row in self._db.rows("editions_before", moment=then)
            ]
            offers = self._db.rows("offers_before", moment=then)
        db = fresh._db
        with db.writing():
            if authority is not None:
                db.run("set_meta_once", key="feed_authority", value=authority)
            db.many("insert_paper", papers)  # of a join it is told below: the other paper may come later
            known = {p["id"] for p in papers}
            db.many(
                "join_paper",
                [{"id": p["id"], "winner": p["joined_to"]} for p in papers if p["joined_to"] in known],
            )
            db.many("remember_key", [{"key": key, "paper_id": paper} for key, paper in keys])
            db.many(
                "remember_abstract",
                [
                    {"paper_id": paper, "fingerprint": mark, "abstract": text}
                    for paper, mark, text in abstracts
                ],
            )
            db.many("insert_edition", editions)
            put_offers(db, offers)

    def copy_corrections(self, moment: datetime, fresh: Replays) -> None:
        """Puts into `fresh` what had been said by hand of papers before a moment, in place of what it knows of that."""
        with self._db.reading():
            rows = self._db.rows("corrections_before", moment=stamp(moment))
        with fresh._db.writing():
            fresh._db.run("forget_corrections")
            fresh._db.many("insert_correction", [dict(zip(_CORRECTION, row, strict=True)) for row in rows])
