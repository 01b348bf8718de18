"""What readers are to hear of a change: how a paper looked before, and whose pages and words are to be made anew.

Noted in the transaction of the change itself, so that none is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from digest.model import Announce, Paper
from digest.store import known
from digest.store.database import Database
from digest.store.known import KnownPaper


def note_changes(
    db: Database, rows: Iterable[KnownPaper], joins: Sequence[tuple[int, int]], now: str
) -> None:
    """To be called before the rows are written: those of which something changed, and the papers that become one."""
    changed = [row for row in rows if row.dirty and not row.is_new and row.content != row.before]
    db.many(
        "insert_revision",
        [
            {"paper_id": row.id, "until": now, "content": known.encode(row.before)}
            for row in changed
            if row.before is not None and says_otherwise(row.before, row.content)
        ],
    )
    touch(db, [row.id for row in changed if row.before and _words(row.before) == _words(row.content)])
    reworded = [row.id for row in changed if not row.before or _words(row.before) != _words(row.content)]
    touch(db, [*reworded, *(number for pair in joins for number in pair)], reworded=True)


def note_sightings(
    db: Database, source: str, shown: Mapping[Announce | None, Sequence[int]], seen_at: str
) -> None:
    """To be called before the sightings are written: papers that this source shows for the first time, or announces otherwise."""
    for announce, ids in shown.items():
        db.run("touch_first_sighted", ids=db.array(ids), source=source, announce=announce, seen_at=seen_at)


def touch(db: Database, ids: Sequence[int], *, reworded: bool = False) -> None:
    """The pages of these papers are to be written again; if `reworded`, they may be found by other words, or be other papers."""
    if ids:
        asked = db.array(list(dict.fromkeys(ids)))
        db.run("touch_papers", ids=asked)
        if reworded:
            db.run("mark_reworded", ids=asked)


def says_otherwise(before: Paper, after: Paper) -> bool:
    """Does a paper look otherwise to its readers, beyond what was missing or cut off before? A paper of no known version counts as
    of the first."""
    return (
        before.title != after.title
        or (before.version or 1) != (after.version or 1)
        or not known.is_cut_of(before.abstract, after.abstract)
        or (before.authors != after.authors and bool(before.authors) and not before.authors_cut)
    )


def _words(paper: Paper) -> tuple[object, ...]:
    return paper.title, paper.abstract, paper.authors, paper.authors_raw
