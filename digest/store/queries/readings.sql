-- name: insert_reading(run_at, position, source, kind, location, base_url, content_type, listed_on, fetched_at, page, outcome, stated, sections, parsed, new, updated, seen, failed, why)!
INSERT INTO readings (run_at, position, source, kind, location, base_url, content_type, listed_on, fetched_at, page, outcome,
                      stated, sections, parsed, new, updated, seen, failed, why)
VALUES (:run_at, :position, :source, :kind, :location, :base_url, :content_type, :listed_on, :fetched_at, :page, :outcome,
        :stated, :sections, :parsed, :new, :updated, :seen, :failed, :why);

-- name: next_reading(run_at)$
SELECT COALESCE(MAX(position), 0) + 1 FROM readings WHERE run_at = :run_at;

-- name: readings_after(run_at, position, limit)
-- One step of a walk from a run on.
SELECT run_at, position, source, kind, location, base_url, content_type, listed_on, fetched_at, page, outcome,
       stated, sections, parsed, new, updated, seen, failed, why
FROM readings
WHERE (run_at, position) > (:run_at, :position)
ORDER BY run_at, position
LIMIT :limit;

-- name: renew_page(hash, now)!
UPDATE pages SET kept_at = :now WHERE hash = :hash;

-- name: insert_page(hash, body, size, stored, now)!
INSERT INTO pages (hash, body, size, stored, kept_at) VALUES (:hash, :body, :size, :stored, :now);

-- name: page(hash)$
SELECT body FROM pages WHERE hash = :hash;

-- name: delete_pages_before(older_than)!
DELETE FROM pages WHERE kept_at < :older_than;

-- name: delete_pages_beyond(max_bytes)!
-- The sizes stand in the index pages_age, so that no body is read.
DELETE FROM pages
WHERE hash IN (
    SELECT hash
    FROM (SELECT hash, SUM(stored) OVER (ORDER BY kept_at DESC, hash DESC) AS total FROM pages) AS kept
    WHERE total > :max_bytes
);

-- name: put_source_run(run_at, source, position, kind, outcome, listed_on, partial, stated, parsed, new, updated, seen, dropped, failed, missing, why, seconds)!
INSERT INTO source_runs (run_at, source, position, kind, outcome, listed_on, partial, stated, parsed, new, updated, seen, dropped, failed,
                         missing, why, seconds)
VALUES (:run_at, :source, :position, :kind, :outcome, :listed_on, :partial, :stated, :parsed, :new, :updated, :seen, :dropped, :failed,
        :missing, :why, :seconds)
ON CONFLICT (run_at, source) DO UPDATE SET
    position = excluded.position, kind = excluded.kind, outcome = excluded.outcome, listed_on = excluded.listed_on,
    partial = excluded.partial, stated = excluded.stated,
    parsed = excluded.parsed, new = excluded.new, updated = excluded.updated, seen = excluded.seen,
    dropped = excluded.dropped, failed = excluded.failed, missing = excluded.missing, why = excluded.why,
    seconds = excluded.seconds;

-- name: source_runs(source, limit)
SELECT run_at, source, position, kind, outcome, listed_on, partial, stated, parsed, new, updated, seen, dropped, failed, missing, why, seconds
FROM source_runs
WHERE source = :source
ORDER BY run_at DESC
LIMIT :limit;

-- name: answer(source, url, audience)^
SELECT etag, last_modified, page, next_url, answered_at
FROM answers
WHERE source = :source AND url = :url AND audience = :audience;

-- name: put_answer(source, url, audience, etag, last_modified, page, next_url, answered_at)!
INSERT INTO answers (source, url, audience, etag, last_modified, page, next_url, answered_at)
VALUES (:source, :url, :audience, :etag, :last_modified, :page, :next_url, :answered_at)
ON CONFLICT (source, url) DO UPDATE SET
    audience = excluded.audience, etag = excluded.etag, last_modified = excluded.last_modified, page = excluded.page,
    next_url = excluded.next_url, answered_at = excluded.answered_at;

-- name: was_read(source, page)$
SELECT 1 FROM answers WHERE source = :source AND page = :page LIMIT 1;
