-- name: rows_of_paper(paper_id)
-- The row of a paper and those that were joined to it, the paper itself first.
SELECT id, key, content, announced_on, debuted, first_seen
FROM papers
WHERE id = :paper_id OR joined_to = :paper_id
ORDER BY joined_to IS NOT NULL, id;

-- name: winner_of(paper_id)$
SELECT COALESCE(joined_to, id) FROM papers WHERE id = :paper_id;

-- name: keys_of_paper(paper_id)
SELECT k.key, k.paper_id
FROM paper_keys k JOIN papers p ON p.id = k.paper_id
WHERE p.id = :paper_id OR p.joined_to = :paper_id
ORDER BY k.key;

-- name: sightings_of_paper(paper_id)
SELECT s.source, s.listed_on, s.seen_at, s.status, s.matched_by, s.announce
FROM sightings s JOIN papers p ON p.id = s.paper_id
WHERE p.id = :paper_id OR p.joined_to = :paper_id
ORDER BY s.seen_at, s.source, s.listed_on, s.paper_id;

-- name: offers_of_paper(paper_id)
SELECT o.digest, o.state, o.change, o.reason, o.source, o.found_at, o.listed_on, e.date, e.part
FROM offers o LEFT JOIN editions e ON e.id = o.edition_id
WHERE o.paper_id = :paper_id
ORDER BY o.digest;

-- name: editions_of_paper(paper_id)
SELECT e.id, e.digest, e.date, e.part, e.number, n.position
FROM entries n JOIN papers p ON p.id = n.paper_id JOIN editions e ON e.id = n.edition_id
WHERE p.id = :paper_id OR p.joined_to = :paper_id
ORDER BY e.issued_at, e.id, n.position;

-- name: delivery_counts_of_paper(paper_id)
SELECT d.edition_id, d.status, COUNT(*)
FROM deliveries d
WHERE d.edition_id IN (
    SELECT n.edition_id FROM entries n JOIN papers p ON p.id = n.paper_id WHERE p.id = :paper_id OR p.joined_to = :paper_id
)
GROUP BY d.edition_id, d.status
ORDER BY d.edition_id, d.status;

-- name: lookups_of_paper(paper_id)
SELECT l.paper_id, l.looked_up_at, l.outcome, l.attempts, l.retry_at, l.service, l.found
FROM lookups l JOIN papers p ON p.id = l.paper_id
WHERE p.id = :paper_id OR p.joined_to = :paper_id
ORDER BY l.looked_up_at;

-- name: papers_after(paper_id, limit)
-- One step of a walk over all papers.
SELECT id, content FROM papers WHERE id > :paper_id AND joined_to IS NULL ORDER BY id LIMIT :limit;
