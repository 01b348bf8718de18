"""Who is offered a paper, and in which stream: one offer for each paper and digest, moved on by what listings show of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import astuple

from digest.model import UNMATCHED, Announce, Stream
from digest.store.database import Database, Row
from digest.store.known import KnownPaper

# In which stream a listing shows a paper. A listing that does not say shows it as new.
STREAMS: dict[Announce | None, Stream] = {
    None: "new", "new": "new", "cross": "cross",
    "replace": "updated", "replace-cross": "updated", "withdrawn": "withdrawn",
}  # fmt: skip

WITHDRAWN_UNSENT = "withdrawn before it was sent"

# A paper that is cross-listed here and new there is new; one that is withdrawn is nothing else any more.
_RANK: dict[Stream, int] = {"withdrawn": 0, "new": 1, "cross": 2, "updated": 3}
_STATES = ("issued", "waiting", "dropped", "withheld")


class Offer(Struct):
    """One row of `offers`. `edition_id` is the last edition that showed the paper: it was sent, whatever it waits for now."""

    state: str
    change: Stream
    revision: int
    source: str
    found_at: str
    listed_on: str
    reason: str = ""
    edition_id: int | None = None

    @property
    def sent(self) -> bool:
        return self.edition_id is not None


def precedence(offer: Offer) -> tuple[bool, bool, int, int]:
    """When two papers become one, the lowest counts: what was sent is never offered again, what waits is not lost."""
    return not offer.sent, offer.change != "withdrawn", _STATES.index(offer.state), _RANK[offer.change]


def lasting(stream: Stream) -> list[Stream]:
    """The changes that an offer keeps when a listing shows the paper in this stream, be it that it waits or was left out."""
    return [change for change in _RANK if _RANK[change] <= _RANK[stream]]


class Offers:
    """The offers of the papers at hand, and which of them were changed. The diff loads them.

    `source`, `found_at` and `listed_on` are those of the listing at hand; `updates_for` the digests that list new versions.
    """

    def __init__(
        self, *, source: str, found_at: str, listed_on: str, updates_for: frozenset[str] = frozenset()
    ) -> None:
        self._source, self._found_at, self._listed_on = source, found_at, listed_on
        self._updates_for = updates_for
        self.all: dict[tuple[int, str], Offer] = {}
        self.changed: set[tuple[int, str]] = set()

    def sight(self, row: KnownPaper, digest: str, stream: Stream) -> None:
        """A listing that the digest reads shows the paper in this stream. Of which offers that changes nothing, the query
        known_by_fingerprint says too."""
        offer = self.all.get((row.id, digest))
        if row.withdrawn:
            self._withdraw(row, digest, offer)
        elif offer is None or offer.state == "withheld":
            self._first(row, digest, stream, offer)
        elif offer.state != "issued" and not offer.sent and _RANK[stream] < _RANK[offer.change]:
            # It waits, or was left out, in a lesser stream: announced as new it is new.
            self._wait(row, digest, stream)
        elif offer.state != "waiting" and offer.revision < row.revision:
            if digest in self._updates_for:
                self._wait(row, digest, "updated")
            else:  # let pass: not to be made up for when `updates` is switched on
                offer.revision = row.revision
                self.put(row.id, digest, offer)

    def withdraw(self, row: KnownPaper) -> None:
        """Every digest that has had the paper, or was to have it, hears that it is withdrawn, whatever sources it reads."""
        for paper_id, digest in list(self.all):
            if paper_id == row.id:
                self._withdraw(row, digest, self.all[paper_id, digest])

    def reconsider(self, row: KnownPaper) -> None:
        """More is known of the paper, as where a feed named its title alone: who found nothing in that by which to include it
        looks again, whatever sources they read."""
        for (paper_id, digest), offer in self.all.items():
            if paper_id == row.id and offer.reason == UNMATCHED and not offer.sent:
                offer.state, offer.reason = "waiting", ""
                self.put(row.id, digest, offer)

    def join(self, loser: int, row: KnownPaper) -> None:
        """The offers of a row that turned out to be this paper."""
        for paper_id, digest in [place for place in self.all if place[0] == loser]:
            theirs, mine = self.all.pop((paper_id, digest)), self.all.get((row.id, digest))
            self.changed.discard((paper_id, digest))
            if mine is None or precedence(theirs) < precedence(mine):
                self.all[row.id, digest] = theirs
        for (paper_id, digest), offer in self.all.items():
            if paper_id == row.id:
                offer.revision = row.revision
                self.changed.add((paper_id, digest))

    def put(self, paper_id: int, digest: str, offer: Offer) -> None:
        self.all[paper_id, digest] = offer
        self.changed.add((paper_id, digest))

    def write(self, db: Database) -> None:
        """Writes those that were changed."""
        put_offers(db, ((*place, *astuple(self.all[place])) for place in sorted(self.changed)))

    def _first(self, row: KnownPaper, digest: str, stream: Stream, withheld: Offer | None) -> None:
        """The digest was never offered the paper, or only met a new version of it while it lists none."""
        if stream != "updated":
            self._wait(row, digest, stream)
        elif withheld is None or withheld.revision < row.revision:
            if digest in self._updates_for:
                self._wait(row, digest, "updated")
            else:  # let pass, as in sight
                self.put(row.id, digest, self._made("withheld", "updated", row))

    def _withdraw(self, row: KnownPaper, digest: str, offer: Offer | None) -> None:
        """Readers who were sent it hear of it once, and that is the last they hear. Nobody else is shown it any more."""
        if offer is None:
            self.put(row.id, digest, self._made("withheld", "withdrawn", row))
        elif offer.change == "withdrawn":
            return
        elif offer.sent:
            self._wait(row, digest, "withdrawn")
        elif offer.state == "waiting":
            offer.state, offer.change, offer.reason = "dropped", "withdrawn", WITHDRAWN_UNSENT
            self.put(row.id, digest, offer)

    def _wait(self, row: KnownPaper, digest: str, change: Stream) -> None:
        offer, before = self._made("waiting", change, row), self.all.get((row.id, digest))
        offer.edition_id = before.edition_id if before else None
        self.put(row.id, digest, offer)

    def _made(self, state: str, change: Stream, row: KnownPaper) -> Offer:
        return Offer(state, change, row.revision, self._source, self._found_at, self._listed_on)


def put_offers(db: Database, rows: Iterable[Row]) -> None:
    """Writes rows of `offers`, a statement for all that differ in the paper alone."""
    alike: defaultdict[Row, list[int]] = defaultdict(list)
    for paper_id, *said in rows:
        alike[tuple(said)].append(paper_id)
    names = ("digest", *Offer.__struct_fields__)
    for offer, ids in alike.items():
        db.run("put_offers", ids=db.array(ids), **dict(zip(names, offer, strict=True)))
