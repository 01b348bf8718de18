-- name: lease(name)^
SELECT holder, fence, expires_at FROM leases WHERE name = :name;

-- name: leases_beside(name)
-- Those that exclude this one by their name: the whole excludes its parts, and each of them the whole.
SELECT name, holder, expires_at FROM leases
WHERE holder <> '' AND (substr(name, 1, length(CAST(:name AS TEXT)) + 1) = CAST(:name AS TEXT) || '/'
    OR substr(CAST(:name AS TEXT), 1, length(name) + 1) = name || '/');

-- name: put_lease(name, holder, fence, expires_at)!
INSERT INTO leases (name, holder, fence, expires_at) VALUES (:name, :holder, :fence, :expires_at)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = excluded.fence, expires_at = excluded.expires_at;

-- name: release_lease(name, holder)!
-- The row stays, and with it the fencing number.
UPDATE leases SET holder = '', expires_at = '' WHERE name = :name AND holder = :holder;

-- name: next_run_id()$
SELECT COALESCE(MAX(id), 0) + 1 FROM runs;

-- name: start_run(id, digest, date, now, setup)!
INSERT INTO runs (id, digest, date, started_at, status, report, setup)
VALUES (:id, :digest, :date, :now, 'running', '', :setup);

-- name: fail_killed_runs(now)!
-- Only one process at a time makes runs; those of several digests start at one moment. Shared ones have many processes.
UPDATE runs SET status = 'failed', finished_at = :now WHERE status = 'running' AND shared = 0 AND started_at < :now;

-- name: finish_run(id, status, report, now)!
UPDATE runs SET status = :status, report = :report, finished_at = :now WHERE id = :id;

-- name: last_runs(limit)
SELECT id, digest, date, started_at, finished_at, status, report, setup FROM runs ORDER BY id DESC LIMIT :limit;

-- name: all_runs()
SELECT id, digest, date, started_at, finished_at, status, report, setup FROM runs ORDER BY id;

-- name: runs_of(digest, date)
SELECT id, digest, date, started_at, finished_at, status, report, setup
FROM runs
WHERE digest = :digest AND date = :date
ORDER BY id;

-- name: run_done(digest, date, since)$
SELECT COUNT(*) FROM runs
WHERE digest = :digest AND date = :date AND status IN ('done', 'degraded') AND started_at >= :since;

-- name: papers_without_key()$
-- Of use to `check`: a paper that no key leads to would be taken for new again.
SELECT COUNT(*) FROM papers p WHERE p.joined_to IS NULL AND NOT EXISTS (SELECT 1 FROM paper_keys k WHERE k.key = p.key);

-- name: issued_without_edition()$
SELECT COUNT(*) FROM offers WHERE state = 'issued' AND edition_id IS NULL;
