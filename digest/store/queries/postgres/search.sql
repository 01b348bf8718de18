-- Searches. :words is a tsquery in which every word is quoted (search.py). Ids count up to the newest. With :twice = 0 what is
-- outdone is passed over: the paper has a newer place.

-- name: count_found(words, first, last, only, but, twice)$
SELECT COUNT(*) FROM shown_text
WHERE lexemes @@ CAST(:words AS tsquery) AND id BETWEEN :first AND :last
  AND (CAST(:only AS bigint[]) IS NULL OR id = ANY (CAST(:only AS bigint[])))
  AND (CAST(:but AS bigint[]) IS NULL OR id <> ALL (CAST(:but AS bigint[])))
  AND (CAST(:twice AS integer) = 1 OR id NOT IN (SELECT s.id FROM shown s WHERE s.outdone = 1));

-- name: found(words, first, last, only, but, twice, limit, offset)
SELECT id FROM shown_text
WHERE lexemes @@ CAST(:words AS tsquery) AND id BETWEEN :first AND :last
  AND (CAST(:only AS bigint[]) IS NULL OR id = ANY (CAST(:only AS bigint[])))
  AND (CAST(:but AS bigint[]) IS NULL OR id <> ALL (CAST(:but AS bigint[])))
  AND (CAST(:twice AS integer) = 1 OR id NOT IN (SELECT s.id FROM shown s WHERE s.outdone = 1))
ORDER BY id DESC
LIMIT :limit OFFSET :offset;

-- name: outdone_within(digests)
-- Of the places in these digests those that have a newer one there.
SELECT s.id
FROM shown s
WHERE s.outdone = 1 AND s.digest = ANY (CAST(:digests AS text[])) AND EXISTS (
    SELECT 1 FROM shown n
    WHERE n.paper_id = s.paper_id AND n.id > s.id AND n.digest = ANY (CAST(:digests AS text[]))
);
