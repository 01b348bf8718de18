"""Deliveries: queued → sending → accepted | deferred(retry_at) | rejected | suppressed | expired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from digest.model import Delivery, Receipt
from digest.store.database import Database, Row, moment, stamp
from digest.store.editions import edition_id
from digest.store.known import plain
from digest.store.subscribers import fold, subscriber_of


def _delivery_of(row: Row) -> Delivery:
    number, edition, digest, day, part, message_id, sent_on, due_at, attempt, *subscriber = row
    return Delivery(
        id=number,
        edition_id=edition,
        digest=digest,
        edition=edition_id(day, part),
        subscriber=subscriber_of(tuple(subscriber)),
        message_id=message_id,
        date=moment(sent_on),
        attempt=attempt + 1,
        due_at=moment(due_at),
    )


def _may_be_sent(delivery: Delivery) -> bool:
    """Confirmed, and still a reader of this digest."""
    reader = delivery.subscriber
    return reader.status == "confirmed" and (not reader.digests or delivery.digest in reader.digests)


class Deliveries:
    """The part of the store that knows deliveries."""

    _db: Database

    def claim(self, *, now: datetime, holder: str, limit: int, address: str | None = None) -> list[Delivery]:
        """Up to `limit` deliveries to send now, marked as being sent by `holder`: queued ones, then deferred ones that are due.

        Whoever is not confirmed any more at this moment gets nothing: the row becomes suppressed in the same transaction.
        """
        with self._db.writing():
            return self._claim(now, holder, limit, address)

    def _claim(self, now: datetime, holder: str, limit: int, address: str | None = None) -> list[Delivery]:
        claimed: list[Delivery] = []
        while len(claimed) < limit:
            found = self._due(now, limit - len(claimed), address)
            good = [delivery for delivery in found if _may_be_sent(delivery)]
            left = [
                {"id": delivery.id, "now": stamp(now)} for delivery in found if not _may_be_sent(delivery)
            ]
            self._db.many("suppress_delivery", left)
            self._db.many("start_sending", [{"id": d.id, "holder": holder, "now": stamp(now)} for d in good])
            claimed += good
            if not left:
                break
        return claimed

    def _due(self, now: datetime, limit: int, address: str | None) -> list[Delivery]:
        if address is not None:
            rows = self._db.rows("due_deliveries_to", folded=fold(address), now=stamp(now), limit=limit)
        else:
            rows = self._db.rows("queued_deliveries", now=stamp(now), limit=limit)
            if len(rows) < limit:
                rows += self._db.rows("due_deliveries", now=stamp(now), limit=limit - len(rows))
        return [_delivery_of(row) for row in rows]

    def record_receipts(
        self,
        receipts: Sequence[tuple[Delivery, Receipt, datetime | None]],
        *,
        now: datetime,
        claim: int = 0,
        holder: str = "",
    ) -> list[Delivery]:
        """Records what the receiving side said (third value: when to try a deferred one again) and claims up to `claim` more.

        One transaction for both, so that sending costs one commit per batch. Returns the deliveries claimed.
        """
        accepted = [_said(d, r) | {"now": stamp(now)} for d, r, _ in receipts if r.status == "accepted"]
        refused = [
            _said(d, r)
            | {
                "now": stamp(now),
                "status": r.status,
                "retry_at": stamp(at or now) if r.status == "deferred" else None,
            }
            for d, r, at in receipts
            if r.status != "accepted"
        ]
        with self._db.writing():
            self._db.many("record_accepted", accepted)
            self._db.many("record_refused", refused)
            return self._claim(now, holder, claim) if claim > 0 else []

    def release(self, deliveries: Sequence[Delivery], *, now: datetime) -> None:
        """Puts claimed deliveries back: nothing of them went over the wire, and the attempt does not count."""
        with self._db.writing():
            self._db.many("release_delivery", [{"id": d.id, "now": stamp(now)} for d in deliveries])

    def recover_in_doubt(self, *, holder: str, now: datetime, resend: bool) -> int:
        """How many deliveries another holder left in `sending`. With `resend` they are queued again, same Message-ID and Date."""
        with self._db.writing():
            found = int(self._db.value("count_in_doubt", holder=holder))
            if resend and found:
                self._db.run("requeue_in_doubt", holder=holder, now=stamp(now))
            return found

    def expire(self, *, now: datetime, older_than: datetime, holder: str | None = None) -> int:
        """How many queued or deferred deliveries were given up, because they were due before `older_than`.

        With `holder` also those that another holder left in `sending`: nobody will say any more whether they were taken.
        """
        too_old = {"now": stamp(now), "older_than": stamp(older_than)}
        with self._db.writing():
            expired = self._db.run("expire_deliveries", **too_old)
            if holder is not None:
                expired += self._db.run("expire_in_doubt", holder=holder, **too_old)
            return expired

    def delivery_counts(self, *, edition: tuple[str, str] | None = None) -> dict[str, int]:
        """Deliveries by status; of one edition, given as (digest, edition id), or of all. An absent status counts 0."""
        with self._db.reading():
            if edition is None:
                rows = self._db.rows("delivery_counts")
            else:
                day, _, part = edition[1].partition("/")
                rows = self._db.rows(
                    "delivery_counts_of_edition", digest=edition[0], date=day, part=int(part or 1)
                )
        return Counter(dict(rows))

    def next_retry(self) -> datetime | None:
        """When the next deferred delivery is due; None when there is none."""
        with self._db.reading():
            found = self._db.value("next_retry")
        return moment(found) if found else None


def _said(delivery: Delivery, receipt: Receipt) -> dict[str, object]:
    return {
        "id": delivery.id,
        "reply_code": receipt.reply_code,
        "enhanced_code": receipt.enhanced_code,
        "reply": plain(receipt.text),
    }
