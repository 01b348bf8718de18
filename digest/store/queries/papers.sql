-- name: next_paper_id()$
-- One writer at a time on both databases, so counting on is safe.
SELECT COALESCE(MAX(id), 0) + 1 FROM papers;

-- name: insert_paper(id, version, announced_on, debuted, revision, first_seen, key, content)*!
INSERT INTO papers (id, version, announced_on, debuted, revision, first_seen, key, content)
VALUES (:id, :version, :announced_on, :debuted, :revision, :first_seen, :key, :content);

-- name: update_paper(id, version, announced_on, debuted, revision, content)*!
UPDATE papers
SET version = :version, announced_on = :announced_on, debuted = :debuted, revision = :revision, content = :content
WHERE id = :id;

-- name: join_paper(id, winner)*!
-- Two rows are one paper: the keys of the weaker lead to the winner from now on, also those of rows joined to it before.
UPDATE papers SET joined_to = :winner WHERE id = :id OR joined_to = :id;

-- name: key_slots(first, last)
-- Further papers of one title: "title:…#2", "title:…#3".
SELECT key, paper_id FROM paper_keys WHERE key >= :first AND key < :last ORDER BY LENGTH(key), key;

-- name: remember_key(key, paper_id)*!
INSERT INTO paper_keys (key, paper_id) VALUES (:key, :paper_id);

-- name: abstracts_of(paper_id)
-- Every abstract a paper was shown with before, also under the rows joined to it.
SELECT a.abstract
FROM abstracts a JOIN papers p ON p.id = a.paper_id
WHERE p.id = :paper_id OR p.joined_to = :paper_id;

-- name: remember_abstract(paper_id, fingerprint, abstract)*!
INSERT INTO abstracts (paper_id, fingerprint, abstract) VALUES (:paper_id, :fingerprint, :abstract)
ON CONFLICT (paper_id, fingerprint) DO NOTHING;

-- name: delete_offers(paper_id)*!
DELETE FROM offers WHERE paper_id = :paper_id;

-- name: waiting(digest)
SELECT o.paper_id, p.content, o.change, o.source, o.found_at, o.listed_on
FROM offers o JOIN papers p ON p.id = o.paper_id
WHERE o.digest = :digest AND o.state = 'waiting'
ORDER BY o.found_at, o.paper_id;

-- name: count_waiting(digest)$
SELECT COUNT(*) FROM offers WHERE digest = :digest AND state = 'waiting';

-- name: put_fingerprint(paper_id, revision, fingerprint)*!
INSERT INTO fingerprints (paper_id, revision, fingerprint) VALUES (:paper_id, :revision, :fingerprint)
ON CONFLICT (paper_id) DO UPDATE SET revision = excluded.revision, fingerprint = excluded.fingerprint;

-- name: forget_fingerprint(paper_id)*!
DELETE FROM fingerprints WHERE paper_id = :paper_id;
