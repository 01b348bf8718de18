-- name: next_delivery_id()$
SELECT COALESCE(MAX(id), 0) + 1 FROM deliveries;

-- name: queued_deliveries(now, limit)
SELECT d.id, d.edition_id, e.digest, e.date, e.part, d.message_id, d.date, d.due_at, d.attempt,
       s.id, s.address, s.status, s.digests, s.preferences, s.since, s.changed_at, s.nonce, s.consent, s.paused_until
FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id JOIN editions e ON e.id = d.edition_id
WHERE d.status = 'queued' AND d.due_at <= :now
ORDER BY d.due_at, d.id
LIMIT :limit;

-- name: due_deliveries(now, limit)
SELECT d.id, d.edition_id, e.digest, e.date, e.part, d.message_id, d.date, d.due_at, d.attempt,
       s.id, s.address, s.status, s.digests, s.preferences, s.since, s.changed_at, s.nonce, s.consent, s.paused_until
FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id JOIN editions e ON e.id = d.edition_id
WHERE d.status = 'deferred' AND d.retry_at <= :now
ORDER BY d.retry_at, d.id
LIMIT :limit;

-- name: end_delivery(id, status, now)*!
-- Of a delivery that cannot go out any more, and of those that were joined to it.
UPDATE deliveries SET status = :status, holder = '', retry_at = NULL, changed_at = :now
WHERE id = :id OR (joined_to = :id AND status = 'joined');

-- name: record_refused(id, status, retry_at, reply_code, enhanced_code, reply, now, holder)*!
-- Deferred or rejected counts only while the row is still being sent, by this holder where one is named.
UPDATE deliveries
SET status = :status, holder = '', retry_at = :retry_at,
    reply_code = :reply_code, enhanced_code = :enhanced_code, reply = :reply, changed_at = :now
WHERE id = :id AND status = 'sending' AND :holder IN ('', holder);

-- name: release_delivery(id, holder, now)*!
UPDATE deliveries SET status = 'queued', holder = '', attempt = attempt - 1, changed_at = :now
WHERE id = :id AND status = 'sending' AND :holder IN ('', holder);

-- name: requeue_untouched(id, holder, now)*!
-- Claimed by a run that ended before it began to send this one.
UPDATE deliveries SET status = 'queued', holder = '', attempt = attempt - 1, changed_at = :now
WHERE id = :id AND status = 'sending' AND holder <> :holder;

-- name: count_in_doubt(holder)$
SELECT COUNT(*) FROM deliveries WHERE status = 'sending' AND holder <> :holder;

-- name: requeue_in_doubt(holder, now)!
-- Message-ID and Date stay: a receiver that has it already can tell.
UPDATE deliveries SET status = 'queued', holder = '', changed_at = :now WHERE status = 'sending' AND holder <> :holder;

-- name: expire_joined(now, older_than)!
UPDATE deliveries SET status = 'expired', changed_at = :now
WHERE status = 'joined'
  AND joined_to IN (
    SELECT id FROM deliveries WHERE status = 'queued' AND due_at < :older_than
    UNION ALL
    SELECT id FROM deliveries WHERE status = 'deferred' AND due_at < :older_than
  );

-- name: expire_deliveries(now, older_than)!
-- Each status alone, so that its index is used: the table holds every mail that ever was.
UPDATE deliveries SET status = 'expired', holder = '', retry_at = NULL, changed_at = :now
WHERE id IN (
    SELECT id FROM deliveries WHERE status = 'queued' AND due_at < :older_than
    UNION ALL
    SELECT id FROM deliveries WHERE status = 'deferred' AND due_at < :older_than
);

-- name: expire_joined_in_doubt(now, older_than, holder)!
UPDATE deliveries SET status = 'expired', changed_at = :now
WHERE status = 'joined' AND joined_to IN
    (SELECT id FROM deliveries WHERE status = 'sending' AND holder <> :holder AND due_at < :older_than);

-- name: expire_in_doubt(now, older_than, holder)!
UPDATE deliveries SET status = 'expired', holder = '', changed_at = :now
WHERE status = 'sending' AND holder <> :holder
  AND due_at < :older_than;

-- name: delivery_counts()
SELECT status, COUNT(*) FROM deliveries GROUP BY status;

-- name: open_delivery_counts()
-- By indexes of the few rows in question: the table holds every mail that ever was.
SELECT status, COUNT(*) FROM deliveries WHERE status = 'queued' GROUP BY status
UNION ALL
SELECT status, COUNT(*) FROM deliveries WHERE status = 'sending' GROUP BY status
UNION ALL
SELECT status, COUNT(*) FROM deliveries WHERE status = 'deferred' GROUP BY status
UNION ALL
SELECT status, COUNT(*) FROM deliveries WHERE status IN ('suppressed', 'expired') GROUP BY status;

-- name: delivery_counts_of_span(edition_id, due_at, first, last)
SELECT status, COUNT(*) FROM deliveries
WHERE id BETWEEN :first AND :last AND edition_id = :edition_id AND due_at = :due_at
GROUP BY status;

-- name: next_due()$
SELECT MIN(at) FROM (
    SELECT MIN(due_at) AS at FROM deliveries WHERE status = 'queued'
    UNION ALL
    SELECT MIN(retry_at) AS at FROM deliveries WHERE status = 'deferred'
) AS waiting;

-- name: suppress_joined_of(subscriber_id, now)!
-- Before suppress_deliveries_of: what waits for the same mail goes with it.
UPDATE deliveries SET status = 'suppressed', changed_at = :now
WHERE subscriber_id = :subscriber_id AND status = 'joined'
  AND joined_to IN (SELECT id FROM deliveries WHERE subscriber_id = :subscriber_id AND status IN ('queued', 'deferred'));

-- name: suppress_deliveries_of(subscriber_id, now)!
-- Whoever leaves gets none of the messages that were queued before.
UPDATE deliveries SET status = 'suppressed', holder = '', retry_at = NULL, changed_at = :now
WHERE subscriber_id = :subscriber_id AND status IN ('queued', 'deferred');

-- name: next_due_of(subscriber_id)$
SELECT MIN(due_at) FROM deliveries WHERE subscriber_id = :subscriber_id AND status = 'queued';

-- name: deliveries_of(subscriber_id)
SELECT e.date, e.part, e.digest, d.status, d.date
FROM deliveries d JOIN editions e ON e.id = d.edition_id
WHERE d.subscriber_id = :subscriber_id
ORDER BY d.id;

-- name: reschedule_delivery(id, due_at, now)*!
UPDATE deliveries SET due_at = :due_at, date = :due_at, changed_at = :now WHERE id = :id;

-- name: join_delivery(id, joined_to, now)*!
UPDATE deliveries SET status = 'joined', joined_to = :joined_to, changed_at = :now
WHERE id = :id OR (joined_to = :id AND status = 'joined');

-- name: queued_before(due_at, id, first, limit)
-- The deliveries of earlier editions that wait, some at once: the index of those that wait, from there on.
SELECT due_at, id FROM deliveries
WHERE status = 'queued' AND (due_at, id) > (:due_at, :id) AND id < :first
ORDER BY due_at, id
LIMIT :limit;

-- name: follow_joined(first, last, now)!
-- What was joined to a delivery that has been joined to one of these itself.
UPDATE deliveries SET joined_to = lead.joined_to, changed_at = :now
FROM deliveries AS lead
WHERE deliveries.joined_to = lead.id AND deliveries.status = 'joined'
  AND lead.status = 'joined' AND lead.joined_to BETWEEN :first AND :last;

-- name: claimed_under(holder)
SELECT id FROM deliveries WHERE status = 'sending' AND holder = :holder ORDER BY id;

-- name: editions_unsent()
SELECT DISTINCT e.digest, e.date, e.part FROM deliveries d JOIN editions e ON e.id = d.edition_id
WHERE d.status IN ('queued', 'deferred', 'sending');

-- name: unsent_of(digest, date, part)
SELECT d.id, d.message_id FROM editions e JOIN deliveries d ON d.edition_id = e.id
WHERE e.digest = :digest AND e.date = :date AND e.part = :part AND d.status IN ('queued', 'deferred', 'sending');

-- name: ended_of(digest, date, part)
-- What was joined to a later mail ended as that one did.
SELECT d.message_id, COALESCE(lead.status, d.status) FROM editions e JOIN deliveries d ON d.edition_id = e.id
LEFT JOIN deliveries lead ON lead.id = d.joined_to AND d.status = 'joined'
WHERE e.digest = :digest AND e.date = :date AND e.part = :part
  AND COALESCE(lead.status, d.status) NOT IN ('queued', 'deferred', 'sending', 'joined');

-- name: end_alone(id, status, now)*!
UPDATE deliveries SET status = :status, holder = '', retry_at = NULL, changed_at = :now WHERE id = :id;

-- name: in_hand()$
SELECT COUNT(*) FROM deliveries WHERE status = 'sending';
