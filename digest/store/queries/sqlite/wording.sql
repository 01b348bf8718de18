-- The words of what is shown: SQLite has them in an FTS5 index without text of its own, which is told the old words to forget them.

-- name: insert_words(id, words)*!
INSERT INTO shown_words (id, words) VALUES (:id, :words);

-- name: insert_text(id, title, authors, abstract, labels)*!
INSERT INTO shown_text (rowid, title, authors, abstract, labels) VALUES (:id, :title, :authors, :abstract, :labels);

-- name: delete_words(id)*!
DELETE FROM shown_words WHERE id = :id;

-- name: delete_text(id, title, authors, abstract, labels)*!
INSERT INTO shown_text (shown_text, rowid, title, authors, abstract, labels)
VALUES ('delete', :id, :title, :authors, :abstract, :labels);

-- name: words_by_id(ids)
SELECT w.id, w.words FROM json_each(:ids) AS asked CROSS JOIN shown_words w ON w.id = asked.value;
