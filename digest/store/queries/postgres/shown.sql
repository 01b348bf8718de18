-- Of what is shown, many at once: PostgreSQL takes the list as an array.

-- name: shown_by_key(digest, keys)
SELECT s.id, s.key, s.number, s.labels
FROM unnest(CAST(:keys AS text[])) AS asked (value) JOIN shown s ON s.digest = :digest AND s.key = asked.value;

-- name: labels_by_slug(digest, kind, slugs)
SELECT a.slug, a.name, a.papers, a.id
FROM unnest(CAST(:slugs AS text[])) AS asked (value) JOIN labels a ON a.digest = :digest AND a.kind = :kind AND a.slug = asked.value;

-- name: places_by_label(digest, kind, slugs)
SELECT s.id, s.paper_id, s.key, e.date, e.part, s.position, a.slug
FROM unnest(CAST(:slugs AS text[])) AS asked (value) JOIN labels a ON a.digest = :digest AND a.kind = :kind AND a.slug = asked.value
JOIN labelled l ON l.label_id = a.id
JOIN shown s ON s.id = l.shown_id
JOIN editions e ON e.id = s.edition_id
ORDER BY s.id DESC;

-- name: authors_by_id(ids)
SELECT a.id, a.slug
FROM unnest(CAST(:ids AS bigint[])) AS asked (value) JOIN labels a ON a.id = asked.value
WHERE a.kind = 'author';

-- name: places_by_key(digest, keys)
SELECT s.id, s.paper_id, s.key, e.date, e.part, s.position, s.guid, s.number, s.topic, s.labels
FROM unnest(CAST(:keys AS text[])) AS asked (value) JOIN shown s ON s.digest = :digest AND s.key = asked.value
JOIN editions e ON e.id = s.edition_id;

-- name: shown_by_id(ids)
SELECT s.id, s.paper_id, s.key, e.date, e.part, s.position, s.digest, s.topic
FROM unnest(CAST(:ids AS bigint[])) AS asked (value) JOIN shown s ON s.id = asked.value
JOIN editions e ON e.id = s.edition_id;

-- name: papers_by_key(keys)
-- The papers that keys lead to now, whatever rows were joined since.
SELECT k.key, w.id, w.key, w.first_seen, w.content
FROM unnest(CAST(:keys AS text[])) AS asked (value) JOIN paper_keys k ON k.key = asked.value
JOIN papers p ON p.id = k.paper_id
JOIN papers w ON w.id = COALESCE(p.joined_to, p.id);

-- name: rows_joined_to(ids)
SELECT p.joined_to, p.id FROM unnest(CAST(:ids AS integer[])) AS asked (value) JOIN papers p ON p.joined_to = asked.value;

-- name: revisions_of(ids)
SELECT r.paper_id, r.until, r.content
FROM unnest(CAST(:ids AS integer[])) AS asked (value) JOIN revisions r ON r.paper_id = asked.value
ORDER BY r.paper_id, r.until;

-- name: sightings_of(ids)
SELECT s.paper_id, s.source, s.announce, s.listed_on, s.seen_at
FROM unnest(CAST(:ids AS integer[])) AS asked (value) JOIN sightings s ON s.paper_id = asked.value
ORDER BY s.seen_at, s.source, s.listed_on, s.paper_id;

-- name: editions_showing(digest, keys)
SELECT n.key, e.date, e.part, e.number, e.papers, e.issued_at
FROM unnest(CAST(:keys AS text[])) AS asked (value) JOIN entries n ON n.key = asked.value
JOIN editions e ON e.id = n.edition_id
WHERE e.digest = :digest
ORDER BY e.date, e.part;

-- name: touch_papers(ids)!
INSERT INTO touched (digest, key)
SELECT s.digest, s.key FROM unnest(CAST(:ids AS integer[])) AS asked (value) JOIN shown s ON s.paper_id = asked.value
ON CONFLICT (digest, key) DO NOTHING;

-- name: touch_first_sighted(ids, source, announce, seen_at)!
-- Papers that this source had not announced in this way before; also those that it had by a clock that was set back since.
INSERT INTO touched (digest, key)
SELECT s.digest, s.key FROM unnest(CAST(:ids AS integer[])) AS asked (value) JOIN shown s ON s.paper_id = asked.value
WHERE NOT EXISTS (
    SELECT 1 FROM sightings g
    WHERE g.paper_id = asked.value AND g.source = :source AND g.announce IS NOT DISTINCT FROM CAST(:announce AS text)
        AND g.seen_at <= :seen_at
)
ON CONFLICT (digest, key) DO NOTHING;

-- name: mark_reworded(ids)!
UPDATE shown SET reworded = 1 WHERE paper_id = ANY (CAST(:ids AS integer[]));

-- name: kept_rows(ids, maker)
SELECT shown_id, html FROM shown_rows WHERE shown_id = ANY (CAST(:ids AS bigint[])) AND maker = :maker;
