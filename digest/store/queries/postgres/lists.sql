-- Lookups by many keys at once: PostgreSQL takes the list as an array.

-- name: known_keys(keys)
SELECT key, paper_id FROM paper_keys WHERE key = ANY (CAST(:keys AS text[]));

-- name: papers_by_id(ids)
SELECT id, joined_to, version, announced_on, debuted, revision, content
FROM papers
WHERE id = ANY (CAST(:ids AS integer[]));

-- name: offers_by_paper(ids)
SELECT paper_id, digest, state, change, revision, source, found_at, listed_on, reason, edition_id
FROM offers
WHERE paper_id = ANY (CAST(:ids AS integer[]));
