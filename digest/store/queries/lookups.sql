-- name: unresolved(before, now, limit)
-- One step of a walk over the entries without an id in their key (the index entries_nameless has no others), newest paper
-- first. What was looked up and is not due is passed over in that index and in lookups, before any paper is read. Of a
-- joined paper the winner counts.
SELECT e.paper_id, w.id, w.content, COALESCE(l.attempts, 0)
FROM entries e
JOIN papers p ON p.id = e.paper_id
JOIN papers w ON w.id = COALESCE(p.joined_to, p.id)
LEFT JOIN lookups l ON l.paper_id = w.id
WHERE (e.key LIKE 'title:%' OR e.key LIKE 'abstract:%' OR e.key LIKE 'shown:%')
  AND e.paper_id < :before
  AND NOT EXISTS (SELECT 1 FROM lookups d WHERE d.paper_id = e.paper_id AND (d.retry_at = '' OR d.retry_at > :now))
  AND (l.paper_id IS NULL OR (l.retry_at <> '' AND l.retry_at <= :now))
ORDER BY e.paper_id DESC
LIMIT :limit;

-- name: put_lookup(paper_id, looked_up_at, outcome, attempts, retry_at, service, found)!
INSERT INTO lookups (paper_id, looked_up_at, outcome, attempts, retry_at, service, found)
VALUES (:paper_id, :looked_up_at, :outcome, :attempts, :retry_at, :service, :found)
ON CONFLICT (paper_id) DO UPDATE SET
    looked_up_at = excluded.looked_up_at, outcome = excluded.outcome, attempts = excluded.attempts,
    retry_at = excluded.retry_at, service = excluded.service, found = excluded.found;

-- name: lookups_between(after, until)
SELECT paper_id, looked_up_at, outcome, attempts, retry_at, service, found
FROM lookups
WHERE looked_up_at > :after AND looked_up_at <= :until
ORDER BY looked_up_at, paper_id;
