-- The tables of the engine (procrastinate), as far as this program asks them itself. Jobs are enqueued in jobs.sql.

-- name: engine_there()$
SELECT to_regclass('procrastinate_jobs') IS NOT NULL;

-- name: due_jobs(queues, until)$
SELECT COUNT(*) FROM procrastinate_jobs
WHERE status = 'todo' AND queue_name = ANY(:queues) AND (scheduled_at IS NULL OR scheduled_at <= CAST(:until AS timestamptz));

-- name: live_jobs_of_run(run)$
SELECT COUNT(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing') AND args ->> 'run' = :run;

-- name: failed_jobs(limit)
SELECT id, task_name, args::text, attempts FROM procrastinate_jobs WHERE status = 'failed' ORDER BY id DESC LIMIT :limit;

-- name: end_job(id, engine_id, status)
-- Only of the worker that has it: one that was stopped for long finds it given to another.
SELECT procrastinate_finish_job_v1(id, CAST(:status AS procrastinate_job_status), false)
FROM procrastinate_jobs WHERE id = :id AND worker_id = :engine_id AND status = 'doing';

-- name: put_back_job(id, engine_id, at)
SELECT procrastinate_retry_job_v2(id, CAST(:at AS timestamptz), NULL, NULL, NULL)
FROM procrastinate_jobs WHERE id = :id AND worker_id = :engine_id AND status = 'doing';

-- name: silent_engines(seconds)
-- By the clock of the database, which wrote the heartbeats.
SELECT id FROM procrastinate_workers WHERE last_heartbeat < now() - make_interval(secs => :seconds);

-- name: put_back_orphans()
-- Jobs of a worker whose row is gone. Every worker asks for them: those that another gives back at this moment are passed over.
WITH lost AS MATERIALIZED (
    SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IS NULL FOR UPDATE SKIP LOCKED
)
SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL) FROM lost;

-- name: remove_engine(id)
SELECT procrastinate_unregister_worker_v1(:id);

-- name: delete_ended_jobs(older_than)!
-- The newest event of a job says when it ended.
DELETE FROM procrastinate_jobs j
WHERE j.status IN ('succeeded', 'failed', 'cancelled', 'aborted')
    AND NOT EXISTS (SELECT 1 FROM procrastinate_events e WHERE e.job_id = j.id AND e.at >= CAST(:older_than AS timestamptz));

-- name: hold_jobs(edition_id, until)!
UPDATE procrastinate_jobs SET scheduled_at = CAST(:until AS timestamptz)
WHERE task_name = 'deliver' AND status = 'todo' AND CAST(args ->> 'edition_id' AS integer) = :edition_id
    AND attempts = 0 AND scheduled_at < CAST(:until AS timestamptz);
