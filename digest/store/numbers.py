"""Numbers that are given once. Those of who was erased must not come back: a link, a receipt or a letter in somebody's hand
would then be about somebody else."""

from __future__ import annotations

from digest.store.database import Database

# What is deleted when a subscriber is, and the query for the number after the highest that is there.
_KINDS = {
    "subscriber": "next_subscriber_id",
    "delivery": "next_delivery_id",
    "letter": "next_letter_id",
}


def next_id(db: Database, kind: str) -> int:
    """A number that no row of this kind has or had; those after it are free too."""
    kept = db.value("meta_value", key=f"next_{kind}")
    return max(int(db.value(_KINDS[kind])), int(kept or 1))


def retire_ids(db: Database) -> None:
    """To be called before rows are deleted: their numbers are not given again."""
    for kind in _KINDS:
        db.run("set_meta", key=f"next_{kind}", value=str(next_id(db, kind)))
