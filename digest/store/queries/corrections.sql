-- name: corrections()
SELECT id, made_at, relation, left_key, right_key FROM corrections ORDER BY id;

-- name: next_correction_id()$
SELECT COALESCE(MAX(id), 0) + 1 FROM corrections;

-- name: insert_correction(id, made_at, relation, left_key, right_key)*!
INSERT INTO corrections (id, made_at, relation, left_key, right_key)
VALUES (:id, :made_at, :relation, :left_key, :right_key);

-- name: delete_correction(id)*!
DELETE FROM corrections WHERE id = :id;

-- name: keys_of_row(paper_id)
SELECT key FROM paper_keys WHERE paper_id = :paper_id ORDER BY key;

-- name: move_key(key, paper_id)*!
UPDATE paper_keys SET paper_id = :paper_id WHERE key = :key;

-- name: move_joined(id, winner)*!
UPDATE papers SET joined_to = :winner WHERE id = :id;

-- name: move_sightings(paper_id, other, key)*!
-- What was matched by a key goes with it, where the other paper has no sighting of that source and day.
UPDATE sightings SET paper_id = :other
WHERE paper_id = :paper_id AND matched_by = :key AND NOT EXISTS (
    SELECT 1 FROM sightings s
    WHERE s.paper_id = :other AND s.source = sightings.source AND s.listed_on = sightings.listed_on
);

-- name: shown_as(paper_id)
-- The digests that showed a row under its own name, and the last edition of each that did.
SELECT e.digest, MAX(e.id) FROM entries n JOIN editions e ON e.id = n.edition_id WHERE n.paper_id = :paper_id GROUP BY e.digest;
