-- name: next_delivery_id()$
SELECT COALESCE(MAX(id), 0) + 1 FROM deliveries;

-- name: queue_delivery(id, edition_id, subscriber_id, message_id, date, due_at, now)*!
INSERT INTO deliveries (id, edition_id, subscriber_id, status, message_id, date, due_at, attempt, holder, reply, changed_at)
VALUES (:id, :edition_id, :subscriber_id, 'queued', :message_id, :date, :due_at, 0, '', '', :now);

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

-- name: due_deliveries_to(folded, now, limit)
SELECT d.id, d.edition_id, e.digest, e.date, e.part, d.message_id, d.date, d.due_at, d.attempt,
       s.id, s.address, s.status, s.digests, s.preferences, s.since, s.changed_at, s.nonce, s.consent, s.paused_until
FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id JOIN editions e ON e.id = d.edition_id
WHERE s.folded = :folded AND ((d.status = 'queued' AND d.due_at <= :now) OR (d.status = 'deferred' AND d.retry_at <= :now))
ORDER BY d.due_at, d.id
LIMIT :limit;

-- name: start_sending(id, holder, now)*!
UPDATE deliveries SET status = 'sending', holder = :holder, attempt = attempt + 1, retry_at = NULL, changed_at = :now
WHERE id = :id;

-- name: suppress_delivery(id, now)*!
UPDATE deliveries SET status = 'suppressed', holder = '', retry_at = NULL, changed_at = :now WHERE id = :id;

-- name: record_accepted(id, reply_code, enhanced_code, reply, now)*!
-- Accepted is a fact, whoever holds the row by now: it must not be sent again.
UPDATE deliveries
SET status = 'accepted', holder = '', retry_at = NULL,
    reply_code = :reply_code, enhanced_code = :enhanced_code, reply = :reply, changed_at = :now
WHERE id = :id;

-- name: record_refused(id, status, retry_at, reply_code, enhanced_code, reply, now)*!
-- Deferred or rejected counts only while the row is still being sent.
UPDATE deliveries
SET status = :status, holder = '', retry_at = :retry_at,
    reply_code = :reply_code, enhanced_code = :enhanced_code, reply = :reply, changed_at = :now
WHERE id = :id AND status = 'sending';

-- name: release_delivery(id, now)*!
UPDATE deliveries SET status = 'queued', holder = '', attempt = attempt - 1, changed_at = :now
WHERE id = :id AND status = 'sending';

-- name: count_in_doubt(holder)$
SELECT COUNT(*) FROM deliveries WHERE status = 'sending' AND holder <> :holder;

-- name: requeue_in_doubt(holder, now)!
-- Message-ID and Date stay: a receiver that has it already can tell.
UPDATE deliveries SET status = 'queued', holder = '', changed_at = :now WHERE status = 'sending' AND holder <> :holder;

-- name: expire_deliveries(now, older_than)!
UPDATE deliveries SET status = 'expired', holder = '', retry_at = NULL, changed_at = :now
WHERE status IN ('queued', 'deferred')
  AND due_at < :older_than;

-- name: expire_in_doubt(now, older_than, holder)!
UPDATE deliveries SET status = 'expired', holder = '', changed_at = :now
WHERE status = 'sending' AND holder <> :holder
  AND due_at < :older_than;

-- name: delivery_counts()
SELECT status, COUNT(*) FROM deliveries GROUP BY status;

-- name: delivery_counts_of_edition(digest, date, part)
SELECT d.status, COUNT(*)
FROM deliveries d JOIN editions e ON e.id = d.edition_id
WHERE e.digest = :digest AND e.date = :date AND e.part = :part
GROUP BY d.status;

-- name: next_retry()$
SELECT MIN(retry_at) FROM deliveries WHERE status = 'deferred';
