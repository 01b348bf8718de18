-- name: meta_value(key)$
SELECT value FROM meta WHERE key = :key;

-- name: set_meta_once(key, value)!
INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO NOTHING;

-- name: next_number(digest)$
SELECT COALESCE(MAX(number), 0) + 1 FROM editions WHERE digest = :digest;

-- name: next_part(digest, date)$
SELECT COALESCE(MAX(part), 0) + 1 FROM editions WHERE digest = :digest AND date = :date;

-- name: previous_day(digest, date)$
SELECT MAX(date) FROM editions WHERE digest = :digest AND date <= :date;

-- name: next_edition_id()$
SELECT COALESCE(MAX(id), 0) + 1 FROM editions;

-- name: newest_issued(digest)$
SELECT issued_at FROM editions WHERE digest = :digest ORDER BY id DESC LIMIT 1;

-- name: insert_edition(id, digest, date, part, number, papers, issued_at, snapshot)!
INSERT INTO editions (id, digest, date, part, number, papers, issued_at, snapshot)
VALUES (:id, :digest, :date, :part, :number, :papers, :issued_at, :snapshot);

-- name: insert_entry(edition_id, position, key, paper_id)*!
INSERT INTO entries (edition_id, position, key, paper_id) VALUES (:edition_id, :position, :key, :paper_id);

-- name: offer_state(digest, paper_id)$
SELECT state FROM offers WHERE paper_id = :paper_id AND digest = :digest;

-- name: mark_issued(digest, paper_id, reason, edition_id)*!
-- It was shown as it is now, with every version that came while it waited. A revision below 0 is a complement (known.py).
UPDATE offers SET
    state = 'issued', reason = :reason, edition_id = :edition_id,
    revision = (SELECT CASE WHEN p.revision < 0 THEN -1 - p.revision ELSE p.revision END FROM papers p WHERE p.id = :paper_id)
WHERE paper_id = :paper_id AND digest = :digest;

-- name: mark_dropped(digest, paper_id, reason)*!
UPDATE offers SET
    state = 'dropped', reason = :reason,
    revision = (SELECT CASE WHEN p.revision < 0 THEN -1 - p.revision ELSE p.revision END FROM papers p WHERE p.id = :paper_id)
WHERE paper_id = :paper_id AND digest = :digest AND state = 'waiting';

-- name: edition_place(id)^
SELECT digest, number FROM editions WHERE id = :id;

-- name: edition_row(digest, date, part)$
SELECT id FROM editions WHERE digest = :digest AND date = :date AND part = :part;

-- name: edition_heads(digest)
SELECT date, part, number, papers FROM editions WHERE digest = :digest ORDER BY date, part;
