-- name: renew_mark(name, holder, expires_at)!
UPDATE leases SET expires_at = :expires_at WHERE name = :name AND holder = :holder;

-- name: delete_lease(name)!
DELETE FROM leases WHERE name = :name;

-- name: forget_marks(older_than)!
DELETE FROM leases WHERE name LIKE 'deliver %' AND expires_at < :older_than;

-- name: marks_of_span(edition_id, due_at, first, last, mark, prefix)
-- Without a lease the mark was ended, or given back with all that its process held.
SELECT d.holder, MAX(d.changed_at), MAX(l.expires_at)
FROM deliveries d LEFT JOIN leases l ON l.name = CAST(:prefix AS text) || d.holder
WHERE d.status = 'sending' AND d.id BETWEEN :first AND :last AND d.edition_id = :edition_id AND d.due_at = :due_at
  AND d.holder NOT IN ('', :mark)
GROUP BY d.holder;

-- name: requeue_claimed(holder, now)!
-- Message-ID and Date stay: a receiver that has it already can tell.
UPDATE deliveries SET status = 'queued', holder = '', changed_at = :now WHERE status = 'sending' AND holder = :holder;

-- name: hold_claimed(holder, now)!
UPDATE deliveries SET holder = '', changed_at = :now WHERE status = 'sending' AND holder = :holder;

-- name: rest_of_span(edition_id, due_at, first, last)
SELECT status, COUNT(*), MIN(retry_at) FROM deliveries
WHERE id BETWEEN :first AND :last AND edition_id = :edition_id AND due_at = :due_at AND status IN ('queued', 'deferred', 'sending')
GROUP BY status;
