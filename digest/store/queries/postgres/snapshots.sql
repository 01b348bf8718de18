-- Editions as they were issued, as the JSON that the driver hands over.

-- name: edition(digest, date, part)$
SELECT snapshot FROM editions WHERE digest = :digest AND date = :date AND part = :part;

-- name: latest_editions(digest, limit, since)
-- Newest first, in the order in which they were issued: a date far ahead, once mistyped, must not stay the newest for years.
SELECT snapshot
FROM editions
WHERE digest = :digest AND (
    date >= :since
    OR id IN (SELECT id FROM editions WHERE digest = :digest ORDER BY number DESC LIMIT :limit)
)
ORDER BY number DESC;

-- name: editions_after(digest, date, part, limit)
-- One step of a walk from the oldest edition on.
SELECT date, part, snapshot
FROM editions
WHERE digest = :digest AND (date > :date OR (date = :date AND part > :part))
ORDER BY date, part
LIMIT :limit;

-- name: editions_to_index(after, limit)
SELECT id, digest, snapshot FROM editions WHERE id > :after ORDER BY id LIMIT :limit;
