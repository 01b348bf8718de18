-- Jobs in the engine's tables (procrastinate's schema, version 3), written in our own transactions.

-- name: enqueue_jobs(jobs)
-- In the order of the list. A job waits in the queue that has the name of its task.
SELECT unnest(procrastinate_defer_jobs_v1(ARRAY(
    SELECT ROW(value ->> 0, value ->> 0, 0, value ->> 1, value ->> 2, value -> 3, CAST(value ->> 4 AS timestamptz))
        ::procrastinate_job_to_defer_v1
    FROM jsonb_array_elements(CAST(:jobs AS jsonb)) WITH ORDINALITY AS each (value, place)
    ORDER BY place
)));

-- name: analyze_jobs()!
-- After many at once: before that the planner takes the table for an empty one, and each job that is fetched for a scan of it.
ANALYZE procrastinate_jobs;

-- name: job_counts()
SELECT task_name, CAST(status AS text), COUNT(*) FROM procrastinate_jobs GROUP BY task_name, status;

-- name: requeue_jobs(ids, now)
-- Those that somebody else gives back at this moment are passed over: the function fails for a job that is not being done.
WITH lost AS MATERIALIZED (
    SELECT id FROM procrastinate_jobs
    WHERE status = 'doing' AND worker_id = ANY (CAST(:ids AS bigint[]))
    FOR UPDATE SKIP LOCKED
)
SELECT procrastinate_retry_job_v2(id, CAST(:now AS timestamptz), NULL, NULL, NULL) FROM lost;

-- name: release_jobs(edition_id, held)!
-- Those that were held back when they were made, and no other: who waits for a later hour goes on waiting.
UPDATE procrastinate_jobs SET scheduled_at = CAST(args ->> 'due_at' AS timestamptz)
WHERE task_name = 'deliver' AND status = 'todo' AND CAST(args ->> 'edition_id' AS integer) = :edition_id
  AND attempts = 0 AND scheduled_at <= CAST(:held AS timestamptz) AND scheduled_at > CAST(args ->> 'due_at' AS timestamptz);

-- name: held_editions()
-- Those with jobs that were made and wait beyond the hour of their mails: for their pages, most of them.
SELECT DISTINCT CAST(args ->> 'edition_id' AS integer) FROM procrastinate_jobs
WHERE task_name = 'deliver' AND status = 'todo' AND attempts = 0 AND scheduled_at > CAST(args ->> 'due_at' AS timestamptz)
ORDER BY 1;

-- name: wake_workers(queue)
-- What the engine's own trigger says when a job comes, which it does not when one may begin sooner.
SELECT pg_notify(channel, json_build_object('type', 'job_inserted', 'job_id', 0)::text)
FROM unnest(ARRAY['procrastinate_queue_v1#' || CAST(:queue AS text), 'procrastinate_any_queue_v1']) AS channel;

-- name: spans_left_out(now, batch, older_than)
-- Deliveries that could go now, or that a run left in the midst, and that no job carries.
WITH cover AS (
    SELECT args ->> 'due_at' AS due_at,
           range_agg(int8range(CAST(args ->> 'first' AS bigint), CAST(args ->> 'last' AS bigint), '[]')) AS ids
    FROM procrastinate_jobs
    WHERE task_name = 'deliver' AND status IN ('todo', 'doing')
    GROUP BY args ->> 'due_at'
), due AS (
    SELECT id, edition_id, due_at FROM deliveries WHERE status = 'queued' AND due_at <= :now
    UNION ALL
    SELECT id, edition_id, due_at FROM deliveries WHERE status = 'deferred' AND retry_at <= :now
    UNION ALL
    SELECT id, edition_id, due_at FROM deliveries WHERE status = 'sending' AND (holder <> '' OR due_at < :older_than)
), left_out AS (
    SELECT due.edition_id, due.due_at, due.id,
           (ROW_NUMBER() OVER (PARTITION BY due.edition_id, due.due_at ORDER BY due.id) - 1) / CAST(:batch AS integer) AS nth
    FROM due LEFT JOIN cover ON cover.due_at = due.due_at
    WHERE cover.ids IS NULL OR NOT cover.ids @> CAST(due.id AS bigint)
)
SELECT edition_id, due_at, MIN(id), MAX(id)
FROM left_out
GROUP BY edition_id, due_at, nth
ORDER BY due_at, MIN(id);
