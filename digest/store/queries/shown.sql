-- name: newest_edition_id()$
SELECT COALESCE(MAX(id), 0) FROM editions;

-- name: newest_shown(first, last)$
-- The greatest id that is given in this range.
SELECT COALESCE(MAX(id), :first) FROM shown WHERE id BETWEEN :first AND :last;

-- name: last_shown_number(digest)$
SELECT COALESCE(MAX(number), 0) FROM shown WHERE digest = :digest;

-- name: insert_shown(id, digest, key, paper_id, edition_id, position, number, guid, topic, labels)*!
INSERT INTO shown (id, digest, key, paper_id, edition_id, position, number, reworded, outdone, guid, topic, labels)
VALUES (:id, :digest, :key, :paper_id, :edition_id, :position, :number, 0, 0, :guid, :topic, :labels);

-- name: delete_shown(id)*!
DELETE FROM shown WHERE id = :id;

-- name: next_label_id()$
SELECT COALESCE(MAX(id), 0) + 1 FROM labels;

-- name: insert_label(id, digest, kind, slug, name, newest, papers)*!
INSERT INTO labels (id, digest, kind, slug, name, newest, papers)
VALUES (:id, :digest, :kind, :slug, :name, :newest, :papers);

-- name: count_label(digest, kind, slug, name, newest, papers)*!
UPDATE labels SET
    papers = papers + :papers,
    name = CASE WHEN :newest > newest THEN :name ELSE name END,
    newest = CASE WHEN :newest > newest THEN :newest ELSE newest END
WHERE digest = :digest AND kind = :kind AND slug = :slug;

-- name: fewer_papers(id, newest)*!
UPDATE labels SET papers = papers - 1, newest = CASE WHEN :newest > newest THEN :newest ELSE newest END WHERE id = :id;

-- name: newest_of_label(digest, kind, slug)$
SELECT newest FROM labels WHERE digest = :digest AND kind = :kind AND slug = :slug;

-- name: issued_with(digest, date, newest, last)$
-- Of a date with several parts the one that gave this id; where its paper is shown elsewhere by now, the next part, or the last.
SELECT COALESCE(
    (SELECT e.issued_at FROM shown s JOIN editions e ON e.id = s.edition_id
     WHERE s.digest = :digest AND s.id BETWEEN :newest AND :last ORDER BY s.id LIMIT 1),
    (SELECT MAX(issued_at) FROM editions WHERE digest = :digest AND date = :date)
);

-- name: insert_labelled(label_id, shown_id)*!
INSERT INTO labelled (label_id, shown_id) VALUES (:label_id, :shown_id);

-- name: delete_labelled(label_id, shown_id)*!
DELETE FROM labelled WHERE label_id = :label_id AND shown_id = :shown_id;

-- name: labels_of_kind(digest, kind, least)
SELECT slug, name, papers FROM labels WHERE digest = :digest AND kind = :kind AND papers >= :least;

-- name: topics_since(digest, first)
SELECT a.slug, COUNT(*)
FROM labels a JOIN labelled l ON l.label_id = a.id AND l.shown_id >= :first
WHERE a.digest = :digest AND a.kind = 'topic'
GROUP BY a.slug;

-- name: edition_days(digest, since)^
SELECT MIN(date), COUNT(DISTINCT date) FROM editions WHERE digest = :digest AND date >= :since;

-- name: nth_of_label(digest, kind, slug, skipped)$
SELECT l.shown_id
FROM labels a JOIN labelled l ON l.label_id = a.id
WHERE a.digest = :digest AND a.kind = :kind AND a.slug = :slug
ORDER BY l.shown_id DESC
LIMIT 1 OFFSET :skipped;

-- name: places_of_label(digest, kind, slug, since)
SELECT s.id, s.paper_id, s.key, e.date, e.part, s.position
FROM labels a
JOIN labelled l ON l.label_id = a.id AND l.shown_id >= :since
JOIN shown s ON s.id = l.shown_id
JOIN editions e ON e.id = s.edition_id
WHERE a.digest = :digest AND a.kind = :kind AND a.slug = :slug
ORDER BY s.id DESC;

-- name: shown_between(digest, first, last)
-- In the order in which the digest first showed them.
SELECT s.id, s.paper_id, s.key, e.date, e.part, s.position, s.digest, s.topic
FROM shown s JOIN editions e ON e.id = s.edition_id
WHERE s.digest = :digest AND s.number BETWEEN :first AND :last
ORDER BY s.number;

-- name: reworded(limit)
SELECT id, key, paper_id FROM shown WHERE reworded = 1 ORDER BY id LIMIT :limit;

-- name: put_reworded(id, paper_id)*!
UPDATE shown SET reworded = 0, paper_id = :paper_id WHERE id = :id;

-- name: put_outdone(paper_id)*!
-- Of several places of one paper all but the newest are outdone.
UPDATE shown SET outdone =
    CASE WHEN EXISTS (SELECT 1 FROM shown n WHERE n.paper_id = :paper_id AND n.id > shown.id) THEN 1 ELSE 0 END
WHERE paper_id = :paper_id;

-- name: touched(digest, taken)
SELECT DISTINCT key FROM touched WHERE digest IN (:digest, :taken) ORDER BY key;

-- name: set_touched_apart(digest, taken)!
INSERT INTO touched (digest, key) SELECT CAST(:taken AS TEXT), key FROM touched WHERE digest = :digest
ON CONFLICT (digest, key) DO NOTHING;

-- name: forget_all_touched(digest)!
DELETE FROM touched WHERE digest = :digest;

-- name: forget_touched(digest, taken, key)*!
-- Where it was set apart, that alone: what else there is came later.
DELETE FROM touched
WHERE key = :key
    AND digest = CASE WHEN EXISTS (SELECT 1 FROM touched t WHERE t.digest = :taken AND t.key = :key) THEN :taken ELSE :digest END;

-- name: insert_revision(paper_id, until, content)*!
-- What stood for no time at all, since two listings of one run completed each other, nobody has seen.
INSERT INTO revisions (paper_id, until, content)
SELECT id, :until, :content FROM papers WHERE id = :paper_id AND first_seen < :until
ON CONFLICT (paper_id, until) DO NOTHING;

-- name: shows_others(digest)$
-- Does a digest with another name show anything?
SELECT COUNT(*) FROM (
    SELECT digest FROM (SELECT digest FROM shown WHERE digest < :digest LIMIT 1) AS before
    UNION ALL
    SELECT digest FROM (SELECT digest FROM shown WHERE digest > :digest LIMIT 1) AS beyond
) AS others;

-- name: keep_row(id, maker, html)*!
INSERT INTO shown_rows (shown_id, maker, html)
SELECT id, :maker, :html FROM shown WHERE id = :id
ON CONFLICT (shown_id) DO UPDATE SET maker = excluded.maker, html = excluded.html
WHERE shown_rows.maker <> excluded.maker OR shown_rows.html <> excluded.html;
