-- name: has_page(hash)$
SELECT COUNT(*) FROM pages WHERE hash = :hash;

-- name: papers_before(moment)
SELECT id, joined_to, version, announced_on, debuted, revision, first_seen, key, content
FROM papers WHERE first_seen < :moment ORDER BY id;

-- name: keys_before(moment)
SELECT k.key, k.paper_id FROM paper_keys k JOIN papers p ON p.id = k.paper_id WHERE p.first_seen < :moment;

-- name: abstracts_before(moment)
SELECT a.paper_id, a.fingerprint, a.abstract
FROM abstracts a JOIN papers p ON p.id = a.paper_id WHERE p.first_seen < :moment;

-- name: editions_before(moment)
SELECT id, digest, date, part, number, papers, issued_at, snapshot FROM editions WHERE issued_at < :moment;

-- name: corrections_before(moment)
SELECT id, made_at, relation, left_key, right_key FROM corrections WHERE made_at < :moment ORDER BY id;

-- name: forget_corrections()!
DELETE FROM corrections;

-- name: offers_before(moment)
-- As they were then: what a later edition issued was waiting; what was offered anew since had been issued.
SELECT o.paper_id, o.digest,
       CASE WHEN o.found_at >= :moment THEN 'issued'
            WHEN o.state = 'issued' AND e.issued_at >= :moment THEN 'waiting'
            ELSE o.state END,
       o.change, o.revision, o.source, o.found_at, o.listed_on, o.reason,
       CASE WHEN e.issued_at < :moment THEN o.edition_id ELSE NULL END
FROM offers o
JOIN papers p ON p.id = o.paper_id
LEFT JOIN editions e ON e.id = o.edition_id
WHERE p.first_seen < :moment;
