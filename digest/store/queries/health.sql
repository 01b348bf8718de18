-- name: finished_runs(digest, limit)
-- The newest dates first: the index of (digest, date) is walked from its end.
SELECT id, started_at, finished_at, status FROM runs
WHERE digest = :digest AND status IN ('done', 'degraded')
ORDER BY date DESC, id DESC
LIMIT :limit;

-- name: newest_runs(digest, limit)
SELECT id, started_at, finished_at, status FROM runs
WHERE digest = :digest
ORDER BY date DESC, id DESC
LIMIT :limit;

-- name: run_report(id)$
SELECT report FROM runs WHERE id = :id;

-- name: live_deliveries()
-- Each by an index of those in this state alone: how many mails there ever were does not matter.
SELECT 'queued', COUNT(*) FROM deliveries WHERE status = 'queued'
UNION ALL
SELECT 'sending', COUNT(*) FROM deliveries WHERE status = 'sending'
UNION ALL
SELECT 'deferred', COUNT(*) FROM deliveries WHERE status = 'deferred';

-- name: subscriber_counts()
SELECT status, COUNT(*) FROM subscribers GROUP BY status;

-- name: count_letters()$
SELECT COUNT(*) FROM letters WHERE status IN ('queued', 'sending');
