-- The words of what is shown: PostgreSQL has them as a tsvector with a GIN index.

-- name: insert_words(id, words)*!
INSERT INTO shown_words (id, words) VALUES (:id, :words);

-- name: insert_text(id, lexemes)*!
INSERT INTO shown_text (id, lexemes) VALUES (:id, CAST(:lexemes AS tsvector));

-- name: delete_words(id)*!
DELETE FROM shown_words WHERE id = :id;

-- name: delete_text(id)*!
DELETE FROM shown_text WHERE id = :id;

-- name: words_by_id(ids)
SELECT w.id, w.words FROM unnest(CAST(:ids AS bigint[])) AS asked (value) JOIN shown_words w ON w.id = asked.value;
