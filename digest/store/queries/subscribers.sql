-- name: next_subscriber_id()$
SELECT COALESCE(MAX(id), 0) + 1 FROM subscribers;

-- name: insert_subscriber(id, folded, address, status, digests, preferences, since, now, nonce, consent)!
INSERT INTO subscribers (id, folded, address, status, digests, preferences, since, changed_at, nonce, consent)
VALUES (:id, :folded, :address, :status, :digests, :preferences, :since, :now, :nonce, :consent);

-- name: subscriber(folded)^
SELECT id, address, status, digests, preferences, since, changed_at, nonce, consent, paused_until
FROM subscribers WHERE folded = :folded;

-- name: subscribers()
SELECT id, address, status, digests, preferences, since, changed_at, nonce, consent, paused_until
FROM subscribers ORDER BY id;

-- name: subscribers_of_status(status)
SELECT id, address, status, digests, preferences, since, changed_at, nonce, consent, paused_until
FROM subscribers WHERE status = :status ORDER BY id;

-- name: change_subscriber(id, address, status, digests, since, now)!
UPDATE subscribers SET address = :address, status = :status, digests = :digests, since = :since, changed_at = :now
WHERE id = :id;

-- name: unsubscribe(id, now)!
UPDATE subscribers SET status = 'unsubscribed', changed_at = :now WHERE id = :id;

-- name: suppress_deliveries_of(subscriber_id, now)!
-- Whoever leaves gets none of the messages that were queued before.
UPDATE deliveries SET status = 'suppressed', holder = '', retry_at = NULL, changed_at = :now
WHERE subscriber_id = :subscriber_id AND status IN ('queued', 'deferred');
