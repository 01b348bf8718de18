-- Deliveries, many at once. One transaction writes at a time.

-- name: queue_deliveries(rows, edition_id, now)!
INSERT INTO deliveries (id, edition_id, subscriber_id, status, message_id, date, due_at, attempt, holder, reply, changed_at)
SELECT json_extract(value, '$[0]'), :edition_id, json_extract(value, '$[1]'), 'queued',
       json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'), 0, '', '', :now
FROM json_each(:rows);

-- name: join_waiting(ids, digest, edition_id, issued_at)!
-- Deliveries of earlier editions that wait for an hour after this edition, or waited for one that has come when the mail with
-- this one may go, and were not tried yet: joined to the delivery of this one to the same reader.
UPDATE deliveries SET status = 'joined', joined_to = waiting.lead, changed_at = :issued_at
FROM (
    SELECT d.id, n.id AS lead
    FROM deliveries d
    JOIN editions e ON e.id = d.edition_id
    JOIN deliveries n ON n.edition_id = :edition_id AND n.subscriber_id = d.subscriber_id
    WHERE d.id IN (SELECT value FROM json_each(:ids))
      AND d.status = 'queued' AND d.attempt = 0 AND e.digest = :digest AND d.edition_id <> :edition_id
      AND (d.due_at > :issued_at OR (d.due_at > e.issued_at AND n.due_at <= :issued_at))
) AS waiting
WHERE deliveries.id = waiting.id;

-- name: waiting_of(subscriber_id)
SELECT d.id, e.digest, e.issued_at, d.due_at
FROM deliveries d JOIN editions e ON e.id = d.edition_id
WHERE d.subscriber_id = :subscriber_id AND d.status = 'queued' AND d.attempt = 0
ORDER BY d.edition_id;

-- name: queued_of_span(edition_id, due_at, first, last, limit)
SELECT id FROM deliveries
WHERE status = 'queued' AND due_at = :due_at AND id BETWEEN :first AND :last AND edition_id = :edition_id
ORDER BY id
LIMIT :limit;

-- name: due_of_span(edition_id, due_at, first, last, now, limit)
SELECT id FROM deliveries
WHERE status = 'deferred' AND retry_at <= :now AND due_at = :due_at AND id BETWEEN :first AND :last AND edition_id = :edition_id
ORDER BY retry_at, id
LIMIT :limit;

-- name: deliveries_by_id(ids)
SELECT d.id, d.edition_id, e.digest, e.date, e.part, d.message_id, d.date, d.due_at, d.attempt,
       s.id, s.address, s.status, s.digests, s.preferences, s.since, s.changed_at, s.nonce, s.consent, s.paused_until
FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id JOIN editions e ON e.id = d.edition_id
WHERE d.id IN (SELECT value FROM json_each(:ids))
ORDER BY d.id;

-- name: to_expire_in_span(edition_id, due_at, first, last)
-- What waits, and what is held: claimed by nobody any more.
SELECT id FROM deliveries
WHERE id BETWEEN :first AND :last AND edition_id = :edition_id AND due_at = :due_at
  AND (status IN ('queued', 'deferred') OR (status = 'sending' AND holder = ''))
ORDER BY id;

-- name: mark_to_end(name)^
SELECT holder, expires_at FROM leases WHERE name = :name;

-- name: rate_to_change(name)^
SELECT next_at, wait_until, wait_s, reason FROM rates WHERE name = :name;
