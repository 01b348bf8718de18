-- name: letter_waits(subscriber_id, kind, since)$
SELECT COUNT(*) FROM letters
WHERE subscriber_id = :subscriber_id AND kind = :kind AND status IN ('queued', 'sending') AND date >= :since;

-- name: next_letter_id()$
SELECT COALESCE(MAX(id), 0) + 1 FROM letters;

-- name: queue_letter(id, subscriber_id, kind, message_id, now)!
INSERT INTO letters (id, subscriber_id, kind, status, message_id, date, attempt, holder, retry_at, changed_at)
VALUES (:id, :subscriber_id, :kind, 'queued', :message_id, :now, 0, '', :now, :now);

-- name: wishers_after(id, wish, limit)
-- One step of a walk through the readers who wish something.
SELECT id, digests, preferences FROM subscribers
WHERE status = 'confirmed' AND id > :id AND preferences LIKE :wish
ORDER BY id
LIMIT :limit;

-- name: renew_notice(subscriber_id, digest, day, due_at, now)!
-- One that waits for its moment says what the last day was like; one whose moment has come is about its own.
UPDATE letters SET day = :day, date = :due_at, retry_at = :due_at, changed_at = :now
WHERE subscriber_id = :subscriber_id AND kind = 'notice' AND digest = :digest AND status = 'queued' AND attempt = 0
  AND retry_at > :now;

-- name: has_notice(subscriber_id, digest, day)$
SELECT COUNT(*) FROM letters
WHERE subscriber_id = :subscriber_id AND kind = 'notice' AND digest = :digest AND day = :day;

-- name: queue_notice(id, subscriber_id, digest, day, message_id, due_at, now)*!
INSERT INTO letters (id, subscriber_id, kind, status, message_id, date, attempt, holder, retry_at, changed_at, digest, day)
VALUES (:id, :subscriber_id, 'notice', 'queued', :message_id, :due_at, 0, '', :due_at, :now, :digest, :day);

-- name: hears_of_edition(subscriber_id, digest, since, oldest)$
-- An edition is on its way to a reader, or was due from this moment on.
SELECT COUNT(*) FROM editions e JOIN deliveries d ON d.edition_id = e.id
WHERE d.subscriber_id = :subscriber_id AND e.digest = :digest AND e.date >= :oldest
  AND (d.status IN ('queued', 'sending', 'deferred') OR d.due_at >= :since);

-- name: letters_of(subscriber_id)
SELECT kind, digest, status, date FROM letters WHERE subscriber_id = :subscriber_id ORDER BY id;

-- name: due_letters(now, abandoned, limit)
-- Those that wait, and those that somebody took and left: one is sent in seconds, or whoever took it is dead.
SELECT l.id, l.kind, l.message_id, l.date, l.attempt, l.digest, l.day,
       s.id, s.address, s.status, s.digests, s.preferences, s.since, s.changed_at, s.nonce, s.consent, s.paused_until
FROM letters l JOIN subscribers s ON s.id = l.subscriber_id
WHERE l.status IN ('queued', 'sending') AND l.kind <> 'notice' AND l.retry_at <= :now
  AND (l.status = 'queued' OR l.changed_at < :abandoned)
ORDER BY l.retry_at, l.id
LIMIT :limit;

-- name: due_notices(now, abandoned, limit)
-- The same of those that nobody waits for.
SELECT l.id, l.kind, l.message_id, l.date, l.attempt, l.digest, l.day,
       s.id, s.address, s.status, s.digests, s.preferences, s.since, s.changed_at, s.nonce, s.consent, s.paused_until
FROM letters l JOIN subscribers s ON s.id = l.subscriber_id
WHERE l.status IN ('queued', 'sending') AND l.kind = 'notice' AND l.retry_at <= :now
  AND (l.status = 'queued' OR l.changed_at < :abandoned)
ORDER BY l.retry_at, l.id
LIMIT :limit;

-- name: start_letter(id, holder, now)*!
UPDATE letters SET status = 'sending', holder = :holder, attempt = attempt + 1, changed_at = :now WHERE id = :id;

-- name: keep_letter(id, holder, now)*!
UPDATE letters SET changed_at = :now WHERE id = :id AND status = 'sending' AND holder = :holder;

-- name: expire_letter(id, now)*!
UPDATE letters SET status = 'expired', holder = '', changed_at = :now WHERE id = :id;

-- name: letter_accepted(id, now)!
-- Accepted is a fact, whoever holds the letter by now.
UPDATE letters SET status = 'accepted', holder = '', changed_at = :now WHERE id = :id;

-- name: letter_not_accepted(id, status, retry_at, holder, now)!
-- It counts only while the letter is still being sent, by this holder where one is named.
UPDATE letters SET status = :status, holder = '', retry_at = :retry_at, changed_at = :now
WHERE id = :id AND status = 'sending' AND :holder IN ('', holder);

-- name: put_back_letter(id, holder, now)*!
UPDATE letters SET status = 'queued', holder = '', attempt = attempt - 1, changed_at = :now
WHERE id = :id AND status = 'sending' AND :holder IN ('', holder);

-- name: next_letters()^
-- When one that waits is due, and when the oldest that is in a process's hand was taken.
SELECT MIN(CASE WHEN status = 'queued' THEN retry_at END), MIN(CASE WHEN status = 'sending' THEN changed_at END)
FROM letters
WHERE status IN ('queued', 'sending') AND kind <> 'notice';

-- name: next_notices()^
SELECT MIN(CASE WHEN status = 'queued' THEN retry_at END), MIN(CASE WHEN status = 'sending' THEN changed_at END)
FROM letters
WHERE status IN ('queued', 'sending') AND kind = 'notice';

-- name: next_notice_of(subscriber_id)$
SELECT MIN(retry_at) FROM letters WHERE subscriber_id = :subscriber_id AND kind = 'notice' AND status = 'queued';

-- name: move_notices(subscriber_id, due_at, now)!
UPDATE letters SET date = :due_at, retry_at = :due_at, changed_at = :now
WHERE subscriber_id = :subscriber_id AND kind = 'notice' AND status = 'queued' AND attempt = 0 AND retry_at > :now;
