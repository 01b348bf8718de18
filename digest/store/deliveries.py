"""Deliveries: queued (due_at) → sending → accepted | deferred (retry_at) | rejected | skipped | suppressed | expired.

One that still waits when a later edition of its digest is issued becomes `joined` to the delivery of that one: its reader gets
one mail with both. It stays so whatever becomes of the mail, but for one that is never made: what was joined to a delivery that
is suppressed or expires is so too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from digest.mail.envelope import without_addresses
from digest.model import Delivery, Receipt, Span, edition_id
from digest.store.database import Database, Row, moment, stamp, whole
from digest.store.jobs import span_fields
from digest.store.subscribers import digests_of, subscriber_of
from digest.utf8 import plain

# Where these stand in the rows of the queries for what is due.
DIGEST, DUE_AT, STATUS, DIGESTS = 2, 7, 11, 12
_SAID = ("id", "reply_code", "enhanced_code", "reply", "status", "retry_at", "now", "holder")


def _delivery_of(row: Row, joined: tuple[str, ...]) -> Delivery:
    number, edition, digest, day, part, message_id, sent_on, due_at, attempt, *subscriber = row
    shown = edition_id(day, part)
    date = moment(sent_on)
    return Delivery(
        id=number,
        edition_id=edition,
        digest=digest,
        edition=shown,
        editions=(*joined, shown),
        subscriber=subscriber_of(subscriber),
        message_id=message_id,
        date=date,
        attempt=attempt + 1,
        due_at=date if due_at == sent_on else moment(due_at),
    )


def _may_be_sent(row: Row) -> bool:
    """Confirmed, and still a reader of this digest."""
    if row[STATUS] != "confirmed":
        return False
    digests = digests_of(row[DIGESTS])
    return not digests or row[DIGEST] in digests


class Deliveries:
    """The part of the store that knows deliveries."""

    _db: Database

    @whole
    def claim(
        self,
        *,
        now: datetime,
        holder: str,
        limit: int,
        older_than: datetime | None = None,
        span: Span | None = None,
    ) -> list[Delivery]:
        """Up to `limit` deliveries to send now, marked as being sent by `holder`: queued ones whose time has come, earliest
        first, then deferred ones that are due again.

        Whoever is not confirmed any more at this moment, or reads this digest no more, gets nothing: the row becomes suppressed
        in the same transaction. What was due before `older_than` becomes expired. Either takes along what was joined to it.

        With a `span` only its deliveries are claimed, and on PostgreSQL beside other writers; those that one of them has in
        hand at this moment are passed over.
        """
        with self._db.writing(alone=span is None):
            return self._claim(now, holder, limit, older_than, span)

    def _claim(
        self,
        now: datetime,
        holder: str,
        limit: int,
        older_than: datetime | None = None,
        span: Span | None = None,
    ) -> list[Delivery]:
        claimed: list[Delivery] = []
        at, too_old = stamp(now), stamp(older_than) if older_than else ""
        while len(claimed) < limit:
            good, ended = [], []
            for row in self._due(at, limit - len(claimed), span):
                if row[DUE_AT] < too_old:
                    ended.append({"id": row[0], "status": "expired", "now": at})
                elif _may_be_sent(row):
                    good.append(row)
                else:
                    ended.append({"id": row[0], "status": "suppressed", "now": at})
            self._db.many("end_delivery", ended)
            claimed += self._hand_out(good, holder, at)
            if not ended:
                break
        return claimed

    def _due(self, now: str, limit: int, span: Span | None) -> list[Row]:
        if span is not None:
            return self._due_of(span, now, limit)
        rows = self._db.rows("queued_deliveries", now=now, limit=limit)
        if len(rows) < limit:
            rows += self._db.rows("due_deliveries", now=now, limit=limit - len(rows))
        return rows

    def _due_of(self, span: Span, now: str, limit: int) -> list[Row]:
        """First the rows are ours, then their readers are read: whoever has left by then is not among the readers any more."""
        found: list[Row] = []
        if stamp(span.due_at) <= now:
            found = self._db.rows("queued_of_span", limit=limit, **span_fields(span))
        if len(found) < limit:
            found += self._db.rows("due_of_span", now=now, limit=limit - len(found), **span_fields(span))
        ids = [row[0] for row in found]
        return self._db.rows("deliveries_by_id", ids=self._db.array(ids)) if ids else []

    def _hand_out(self, rows: Sequence[Row], holder: str, now: str) -> list[Delivery]:
        if not rows:
            return []
        ids = self._db.array([row[0] for row in rows])
        self._db.run("start_sending", ids=ids, holder=holder, now=now)
        joined: defaultdict[int, tuple[str, ...]] = defaultdict(tuple)
        for lead, day, part in self._db.rows("joined_to", ids=ids):
            joined[lead] += (edition_id(day, part),)
        return [_delivery_of(row, joined.get(row[0], ())) for row in rows]

    @whole
    def unwanted(self, numbers: Sequence[int]) -> frozenset[int]:
        """Those of these deliveries that are not to be sent any more, whoever has claimed them: their readers have left, were
        erased, or want this digest no more."""
        with self._db.reading():
            rows = self._db.rows("deliveries_by_id", ids=self._db.array(list(numbers)))
        return frozenset(numbers) - {row[0] for row in rows if _may_be_sent(row)}

    @whole
    def record_receipts(
        self,
        receipts: Sequence[tuple[Delivery, Receipt, datetime | None]],
        *,
        now: datetime,
        claim: int = 0,
        holder: str = "",
        older_than: datetime | None = None,
        span: Span | None = None,
    ) -> list[Delivery]:
        """Records what the receiving side said (third value: when to try a deferred one again) and claims up to `claim` more,
        those of the `span` where one is given.

        One transaction for both, so that sending costs one commit per batch. Returns the deliveries claimed. Addresses in
        what a server said are not kept. Of a `holder` an answer other than accepted counts only while it holds the delivery.
        """
        at = stamp(now)
        accepted, refused = [], []
        for delivery, receipt, again in receipts:
            said = (delivery.id, receipt.reply_code, receipt.enhanced_code, _reply(receipt.text))
            if receipt.status == "accepted":
                accepted.append(said)
            else:
                retry_at = stamp(again or now) if receipt.status == "deferred" else None
                refused.append(dict(zip(_SAID, (*said, receipt.status, retry_at, at, holder), strict=True)))
        with self._db.writing(alone=span is None):
            if accepted:
                self._db.run("record_accepted", receipts=msgspec.json.encode(accepted).decode(), now=at)
            self._db.many("record_refused", refused)
            return self._claim(now, holder, claim, older_than, span) if claim > 0 else []

    @whole
    def release(self, deliveries: Sequence[Delivery], *, now: datetime, holder: str = "") -> None:
        """Puts claimed deliveries back: nothing of them went over the wire, and the attempt does not count. With a `holder`
        only those that it holds still, and on PostgreSQL beside other writers."""
        with self._db.writing(alone=not holder):
            fields = [{"id": d.id, "holder": holder, "now": stamp(now)} for d in deliveries]
            self._db.many("release_delivery", fields)

    @whole
    def recover_in_doubt(
        self, *, holder: str, now: datetime, resend: bool, untouched: Sequence[int] = ()
    ) -> int:
        """How many deliveries another holder left in `sending` of which nobody knows whether they were taken.

        With `resend` they are queued again, same Message-ID and Date. `untouched` are the ids of those that were claimed and
        never begun: they are queued as if nothing had been, and not counted.
        """
        at = stamp(now)
        with self._db.writing():
            self._db.many("requeue_untouched", [{"id": n, "holder": holder, "now": at} for n in untouched])
            found = int(self._db.value("count_in_doubt", holder=holder))
            if resend and found:
                self._db.run("requeue_in_doubt", holder=holder, now=at)
            return found

    @whole
    def expire(self, *, now: datetime, older_than: datetime, holder: str | None = None) -> int:
        """How many queued or deferred mails were given up, because they were due before `older_than`; what was joined to
        one expires with it.

        With `holder` also those that another holder left in `sending`: nobody will say any more whether they were taken.
        """
        too_old = {"now": stamp(now), "older_than": stamp(older_than)}
        with self._db.writing():
            self._db.run("expire_joined", **too_old)
            expired = self._db.run("expire_deliveries", **too_old)
            if holder is not None:
                self._db.run("expire_joined_in_doubt", holder=holder, **too_old)
                expired += self._db.run("expire_in_doubt", holder=holder, **too_old)
            return expired

    @whole
    def reschedule(self, number: int, due: Callable[[datetime], datetime], *, now: datetime) -> int:
        """How many mails that wait for this subscriber, none of them tried yet, are due anew: at `due` of the moment at which
        their edition was issued, which becomes their Date too. Those of one digest that wait for the same hour are joined."""
        at = stamp(now)
        with self._db.writing():
            waiting = self._db.rows("waiting_of", subscriber_id=number)
            moved = [(row[0], row[1], _due_anew(row[3], stamp(due(moment(row[2]))), at)) for row in waiting]
            self._db.many(
                "reschedule_delivery", [{"id": n, "due_at": due_at, "now": at} for n, _, due_at in moved]
            )
            lead = {(digest, due_at): n for n, digest, due_at in moved if due_at > at}
            joining = [(n, lead[digest, due_at]) for n, digest, due_at in moved if due_at > at]
            self._db.many(
                "join_delivery", [{"id": n, "joined_to": to, "now": at} for n, to in joining if n != to]
            )
            return len(moved)

    def next_due_of(self, number: int) -> datetime | None:
        """When the next mail that is queued for a subscriber is due; None where none is."""
        with self._db.reading():
            at = self._db.value("next_due_of", subscriber_id=number)
        return moment(at) if at else None

    def deliveries_of(self, number: int) -> list[tuple[str, str, str, datetime]]:
        """Edition id, digest, status and Date of every delivery to a subscriber, oldest first."""
        with self._db.reading():
            rows = self._db.rows("deliveries_of", subscriber_id=number)
        return [(edition_id(day, part), digest, status, moment(on)) for day, part, digest, status, on in rows]

    def claimed_under(self, holder: str) -> list[int]:
        """The ids of the deliveries that a holder claimed and has said nothing of, ascending."""
        with self._db.reading():
            return [row[0] for row in self._db.rows("claimed_under", holder=holder)]

    def in_hand(self) -> int:
        """How many deliveries are being sent, or were when a run ended. Quick however many mails there ever were."""
        with self._db.reading():
            return int(self._db.value("in_hand"))

    def next_due(self) -> datetime | None:
        """The earliest moment at which a queued or deferred delivery can go, also one that has passed; None where none waits."""
        with self._db.reading():
            found = self._db.value("next_due")
        return moment(found) if found else None

    def open_delivery_counts(self) -> dict[str, int]:
        """Deliveries that wait or are being sent, and those that were suppressed or have expired, by status. Quick however
        many mails there ever were, for which delivery_counts looks at each. An absent status counts 0."""
        with self._db.reading():
            return Counter(dict(self._db.rows("open_delivery_counts")))

    def delivery_counts(self, *, span: Span | None = None) -> dict[str, int]:
        """Deliveries by status, of a span or of all. An absent status counts 0."""
        with self._db.reading():
            if span is not None:
                rows = self._db.rows("delivery_counts_of_span", **span_fields(span))
            else:
                rows = self._db.rows("delivery_counts")
        return Counter(dict(rows))


def _due_anew(before: str, due_at: str, now: str) -> str:
    """What may go at once is not late by the time that its reader made it wait."""
    return due_at if due_at > now else min(before, now)


def _reply(text: str) -> str:
    """What a server said, without addresses: a store from which one was erased must not know it from them."""
    if "@" in text:
        text = without_addresses(text)
    return text if text.isascii() and "\0" not in text else plain(text)
