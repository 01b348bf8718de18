-- name: put_worker(id, engine_id, version, queues, doing, started_at, seen_at)!
INSERT INTO workers (id, engine_id, version, queues, doing, started_at, seen_at)
VALUES (:id, :engine_id, :version, :queues, :doing, :started_at, :seen_at)
ON CONFLICT (id) DO UPDATE SET engine_id = excluded.engine_id, version = excluded.version, queues = excluded.queues,
    doing = excluded.doing, started_at = excluded.started_at, seen_at = excluded.seen_at;

-- name: workers()
SELECT id, engine_id, version, queues, doing, started_at, seen_at FROM workers ORDER BY started_at, id;

-- name: remove_worker(id)!
DELETE FROM workers WHERE id = :id;

-- name: release_leases(holder)!
-- Those of runs and of the lead. The rows stay, and with them the fencing numbers. Marks of mails end by their own rules.
UPDATE leases SET holder = '', expires_at = ''
WHERE holder = :holder AND (name IN ('leader', 'run') OR substr(name, 1, 4) = 'run/');

-- name: share_run(id)!
UPDATE runs SET shared = 1 WHERE id = :id;

-- name: run_at(started_at)$
SELECT COUNT(*) FROM runs WHERE started_at = :started_at;

-- name: run_begun(digest, date, since, tried_since)$
-- Has the day's run finished, is it shared out, or did it fail a short while ago?
SELECT COUNT(*) FROM runs
WHERE digest = :digest AND date = :date AND started_at >= :since
    AND (status IN ('done', 'degraded') OR (status = 'running' AND shared = 1)
        OR (status = 'failed' AND finished_at >= :tried_since));

-- name: shared_run(id)
-- The rows of a run of several digests have one moment in common, which no other run has.
SELECT r.id, r.digest, r.date, r.started_at, r.finished_at, r.status, r.report, r.setup
FROM runs r JOIN runs lead ON lead.started_at = r.started_at
WHERE lead.id = :id AND lead.shared = 1 AND r.shared = 1
ORDER BY r.id;

-- name: open_shared_runs()
SELECT MIN(id), started_at FROM runs WHERE status = 'running' AND shared = 1 GROUP BY started_at ORDER BY started_at;

-- name: note_run(id, report)!
UPDATE runs SET report = :report WHERE id = :id;

-- name: put_part(run_id, place, source)!
INSERT INTO run_parts (run_id, place, source, state, taken, report) VALUES (:run_id, :place, :source, 'asked', NULL, '');

-- name: run_parts(run_id)
SELECT run_id, place, source, state, report FROM run_parts WHERE run_id = :run_id ORDER BY place;

-- name: taken(run_id, place)$
SELECT taken FROM run_parts WHERE run_id = :run_id AND place = :place;

-- name: put_taken(run_id, place, taken)!
UPDATE run_parts SET state = 'taken', taken = :taken WHERE run_id = :run_id AND place = :place AND state = 'asked';

-- name: end_part(run_id, place, state, report)!
UPDATE run_parts SET state = :state, taken = NULL, report = :report WHERE run_id = :run_id AND place = :place;

-- name: forget_parts(older_than)!
DELETE FROM run_parts WHERE run_id IN (SELECT id FROM runs WHERE shared = 1 AND status <> 'running' AND finished_at < :older_than);
