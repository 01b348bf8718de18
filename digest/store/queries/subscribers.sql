-- name: next_subscriber_id()$
SELECT COALESCE(MAX(id), 0) + 1 FROM subscribers;

-- name: insert_subscriber(id, folded, address, status, digests, preferences, since, now, nonce, consent)!
INSERT INTO subscribers (id, folded, address, status, digests, preferences, since, changed_at, nonce, consent)
VALUES (:id, :folded, :address, :status, :digests, :preferences, :since, :now, :nonce, :consent);

-- name: subscriber(folded)^
SELECT id, address, status, digests, preferences, since, changed_at, nonce, consent, paused_until
FROM subscribers WHERE folded = :folded;

-- name: subscriber_by_id(id)^
SELECT id, address, status, digests, preferences, since, changed_at, nonce, consent, paused_until
FROM subscribers WHERE id = :id;

-- name: subscribers()
SELECT id, address, status, digests, preferences, since, changed_at, nonce, consent, paused_until
FROM subscribers ORDER BY id;

-- name: subscribers_of_status(status)
SELECT id, address, status, digests, preferences, since, changed_at, nonce, consent, paused_until
FROM subscribers WHERE status = :status ORDER BY id;

-- name: subscribers_after(status, id, limit)
-- One step of a walk through all of a status.
SELECT id, address, status, digests, preferences, since, changed_at, nonce, consent, paused_until
FROM subscribers WHERE status = :status AND id > :id ORDER BY id LIMIT :limit;

-- name: restart_subscriber(id, address, status, digests, preferences, since, consent, now)!
-- One who was not on the list is so again, or is to be asked: that they had left is forgotten when they agree, not before.
UPDATE subscribers SET
    address = :address, status = :status, digests = :digests, preferences = :preferences, since = :since, consent = :consent,
    paused_until = '', changed_at = :now, left_at = CASE WHEN :status = 'pending' THEN left_at ELSE '' END
WHERE id = :id;

-- name: set_digests(id, digests)!
UPDATE subscribers SET digests = :digests WHERE id = :id;

-- name: confirm_subscriber(id, now)!
UPDATE subscribers SET status = 'confirmed', since = :now, changed_at = :now, left_at = '', score = 0, scored_at = ''
WHERE id = :id AND status = 'pending';

-- name: set_choices(id, digests, preferences, status, paused_until, now)!
UPDATE subscribers SET
    digests = :digests, preferences = :preferences, paused_until = :paused_until,
    changed_at = CASE WHEN status = :status THEN changed_at ELSE :now END, status = :status
WHERE id = :id AND status IN ('confirmed', 'paused');

-- name: all_choices()
-- Of everybody, since an index may name rows that a damaged table has lost.
SELECT folded, status, digests, preferences, paused_until FROM subscribers;

-- name: choose(folded, digests, preferences, status, paused_until, now)*!
-- As set_choices, of many.
UPDATE subscribers SET
    digests = :digests, preferences = :preferences, paused_until = :paused_until,
    changed_at = CASE WHEN status = :status THEN changed_at ELSE :now END, status = :status
WHERE folded = :folded AND status IN ('confirmed', 'paused');

-- name: resume_paused(today, now)!
UPDATE subscribers SET status = 'confirmed', paused_until = '', changed_at = :now
WHERE status = 'paused' AND paused_until <= :today;

-- name: set_status(id, status, now)!
-- Who leaves keeps their pause, should they take it back; the moment at which they left is noted of readers only.
UPDATE subscribers SET
    status = :status, paused_until = CASE WHEN :status = 'unsubscribed' THEN paused_until ELSE '' END, changed_at = :now,
    left_at = CASE
        WHEN :status <> 'unsubscribed' THEN left_at
        WHEN status IN ('confirmed', 'paused') THEN :now
        WHEN left_at = '' THEN '-'
        ELSE left_at END
WHERE id = :id;

-- name: return_subscriber(id, now)!
UPDATE subscribers SET
    status = CASE WHEN paused_until = '' THEN 'confirmed' ELSE 'paused' END, changed_at = :now, left_at = ''
WHERE id = :id AND status = 'unsubscribed' AND left_at = changed_at;

-- name: left_as_reader(id)$
SELECT COUNT(*) FROM subscribers WHERE id = :id AND status = 'unsubscribed' AND left_at = changed_at;

-- name: score(id)^
SELECT score, scored_at FROM subscribers WHERE id = :id;

-- name: set_score(id, score, scored_at)!
UPDATE subscribers SET score = :score, scored_at = :scored_at WHERE id = :id;

-- name: had_left(id)$
-- Who is asked now, and had left before or been a reader.
SELECT s.left_at <> '' OR EXISTS (SELECT 1 FROM deliveries d WHERE d.subscriber_id = s.id) FROM subscribers s WHERE s.id = :id;

-- name: pending_before(older_than)
-- Who was asked and did not answer, and whether they had left, or had been readers, before.
SELECT s.id, s.left_at <> '' OR EXISTS (SELECT 1 FROM deliveries d WHERE d.subscriber_id = s.id)
FROM subscribers s
WHERE s.status = 'pending' AND s.since < :older_than;

-- name: delete_subscriber(id)*!
DELETE FROM subscribers WHERE id = :id;

-- name: delete_deliveries_of(id)*!
DELETE FROM deliveries WHERE subscriber_id = :id;

-- name: delete_letters_of(id)*!
DELETE FROM letters WHERE subscriber_id = :id;

-- name: message_ids_of(id)
SELECT message_id FROM deliveries WHERE subscriber_id = :id
UNION
SELECT message_id FROM letters WHERE subscriber_id = :id;

-- name: suppression(hash)^
SELECT reason, since FROM suppressions WHERE hash = :hash;

-- name: folded_by_status(status)
SELECT id, folded FROM subscribers WHERE status = :status ORDER BY id;

-- name: all_suppressions()
SELECT hash, reason, since FROM suppressions;

-- name: bounced_since(since)$
-- Whose mailbox was found to be gone, or failed too often, after a moment.
SELECT count(*) FROM suppressions WHERE reason = 'bounced' AND since > :since;

-- name: suppress(hash, reason, since)!
INSERT INTO suppressions (hash, reason, since) VALUES (:hash, :reason, :since)
ON CONFLICT (hash) DO UPDATE SET reason = EXCLUDED.reason, since = EXCLUDED.since;

-- name: suppress_once(hash, reason, since)!
INSERT INTO suppressions (hash, reason, since) VALUES (:hash, :reason, :since) ON CONFLICT (hash) DO NOTHING;

-- name: lift_suppression(hash)!
DELETE FROM suppressions WHERE hash = :hash;

-- name: lift_erasure(hash)!
DELETE FROM suppressions WHERE hash = :hash AND reason = 'erased';

-- name: asked(hash)^
SELECT times, asked_at FROM askings WHERE hash = :hash;

-- name: note_asked(hash, asked_at)!
INSERT INTO askings (hash, times, asked_at) VALUES (:hash, 1, :asked_at)
ON CONFLICT (hash) DO UPDATE SET times = askings.times + 1, asked_at = EXCLUDED.asked_at;

-- name: forget_askings(hash)!
DELETE FROM askings WHERE hash = :hash;

-- name: set_meta(key, value)!
INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value;
