"""Which papers of a listing are word for word as they are stored. A fingerprint of each says so, and no content is read.

It is never asked which paper one is: that says the strongest id, as always. So a fingerprint that is wrong, missing or of an older
form costs a closer look and nothing else; and of a paper that did change, one in 2^32 is passed over until it changes again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from digest.model import Announce, Paper
from digest.store import known
from digest.store.database import Database, decoder
from digest.store.known import REPLACED, KnownPaper
from digest.store.offers import STREAMS, lasting

STEP = 1000  # papers asked for at once

# The answer of the query: the key, the row that it leads to, the fingerprint of that, and whether it was shown so before.
_decode = decoder(list[tuple[str, int, int, bool | int]])

# The row that a paper is, the key that led there, and whether its source has shown it on this listing day in this way before.
Unchanged = tuple[int, str, bool]


def unchanged(
    db: Database, papers: Sequence[Paper], *, source: str, day: str, followers: Sequence[str]
) -> dict[int, Unchanged]:
    """Those of the papers that are as they were stored and of which no follower is to be offered anything, by their id()."""
    found: dict[int, Unchanged] = {}
    digests = sorted(set(followers))
    for at in range(0, len(papers), STEP):
        alike: defaultdict[Announce | None, dict[str, Paper]] = defaultdict(dict)
        for paper in papers[at : at + STEP]:
            if (key := known.final_key(paper)) is not None:
                alike[paper.announce][key] = paper
        for announce, asked in alike.items():
            rows = _decode(db.value(
                "known_by_fingerprint",
                keys=db.array(list(asked)), source=source, listed_on=day, announce=announce,
                followers=db.array(digests), number=len(digests), changes=db.array(lasting(STREAMS[announce])),
            ))  # fmt: skip
            listed = [asked[row[0]] for row in rows]
            marks = known.fingerprints(listed)
            for paper, mark, (key, row, kept, noted) in zip(listed, marks, rows, strict=True):
                if mark == kept:
                    found[id(paper)] = (row, key, bool(noted))
    return found


def remember(db: Database, rows: Iterable[KnownPaper], shown: dict[int, Paper], lost: Iterable[int]) -> None:
    """To be called when the rows are written: `shown` are papers by the row that they are, which a listing showed last; `lost` are
    rows that were changed or joined to others. A row that is now what was shown of it has that one's fingerprint."""
    marks = {
        row.id: {"paper_id": row.id, "revision": row.revision, "fingerprint": known.fingerprint(paper)}
        for row in rows
        if (paper := shown.get(row.id)) is not None and _is_passable(row, paper)
    }
    db.many("forget_fingerprint", [{"paper_id": number} for number in lost if number not in marks])
    db.many("put_fingerprint", list(marks.values()))


def _is_passable(row: KnownPaper, paper: Paper) -> bool:
    """A listing that shows this once more says nothing new of the row."""
    return (
        row.debuted
        and not row.borrowed
        and paper.announce not in REPLACED
        and paper == row.content
        and known.final_key(paper) is not None
    )
