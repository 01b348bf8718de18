-- Searches. :words is an expression of FTS5 in which every word is quoted (search.py). Ids count up to the newest, so that the index
-- gives them in order. With :twice = 0 what is outdone is passed over: the paper has a newer place.

-- name: count_found(words, first, last, only, but, twice)$
SELECT COUNT(*) FROM shown_text
WHERE shown_text MATCH :words AND rowid BETWEEN :first AND :last
  AND (:only IS NULL OR +rowid IN (SELECT value FROM json_each(:only)))
  AND (:but IS NULL OR +rowid NOT IN (SELECT value FROM json_each(:but)))
  AND (:twice = 1 OR +rowid NOT IN (SELECT id FROM shown WHERE outdone = 1));

-- name: found(words, first, last, only, but, twice, limit, offset)
SELECT rowid FROM shown_text
WHERE shown_text MATCH :words AND rowid BETWEEN :first AND :last
  AND (:only IS NULL OR +rowid IN (SELECT value FROM json_each(:only)))
  AND (:but IS NULL OR +rowid NOT IN (SELECT value FROM json_each(:but)))
  AND (:twice = 1 OR +rowid NOT IN (SELECT id FROM shown WHERE outdone = 1))
ORDER BY rowid DESC
LIMIT :limit OFFSET :offset;

-- name: outdone_within(digests)
-- Of the places in these digests those that have a newer one there.
SELECT s.id
FROM shown s
WHERE s.outdone = 1 AND s.digest IN (SELECT value FROM json_each(:digests)) AND EXISTS (
    SELECT 1 FROM shown n
    WHERE n.paper_id = s.paper_id AND n.id > s.id AND n.digest IN (SELECT value FROM json_each(:digests))
);
