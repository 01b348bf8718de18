-- Lookups by many keys at once: SQLite takes the list as a JSON array.

-- name: known_keys(keys)
SELECT k.key, k.paper_id FROM json_each(:keys) AS asked CROSS JOIN paper_keys k ON k.key = asked.value;

-- name: known_by_fingerprint(keys, source, listed_on, announce, followers, number, changes)$
-- Of the papers that these keys lead to: the fingerprint, and whether the source has shown it in this way on this day. Only those of
-- which each of so many followers has an offer that stays as it is (Offers.sight) when it is shown so: `changes` are those that stay.
-- All of it as one JSON array: of thousands of rows, a quarter of the time went into handing over each.
SELECT json_group_array(json_array(k.key, f.paper_id, f.fingerprint, s.paper_id IS NOT NULL AND s.announce IS :announce))
FROM json_each(:keys) AS asked CROSS JOIN paper_keys k ON k.key = asked.value
CROSS JOIN fingerprints f ON f.paper_id = k.paper_id
LEFT JOIN sightings s ON s.paper_id = f.paper_id AND s.source = :source AND s.listed_on = :listed_on
WHERE :number = (
    SELECT COUNT(*) FROM offers o
    WHERE o.paper_id = f.paper_id AND o.digest IN (SELECT value FROM json_each(:followers))
      AND (o.state = 'waiting' OR (o.state <> 'withheld' AND o.revision >= f.revision))
      AND (o.state = 'issued' OR o.edition_id IS NOT NULL OR o.change IN (SELECT value FROM json_each(:changes)))
);

-- name: papers_by_id(ids)
SELECT p.id, p.joined_to, p.version, p.announced_on, p.debuted, p.revision, p.content
FROM json_each(:ids) AS asked CROSS JOIN papers p ON p.id = asked.value;

-- name: offers_by_paper(ids)
SELECT o.paper_id, o.digest, o.state, o.change, o.revision, o.source, o.found_at, o.listed_on, o.reason, o.edition_id
FROM json_each(:ids) AS asked CROSS JOIN offers o ON o.paper_id = asked.value;

-- name: insert_sightings(seen, source, listed_on, seen_at, status, announce)!
-- `seen` is a JSON object: the key that led to each paper (null for none) by the number of the paper.
INSERT INTO sightings (paper_id, source, listed_on, seen_at, status, matched_by, announce)
SELECT CAST(asked.key AS INTEGER), :source, :listed_on, :seen_at, :status, asked.value, :announce
FROM json_each(:seen) AS asked WHERE true
ON CONFLICT (paper_id, source, listed_on) DO NOTHING;

-- name: put_offers(ids, digest, state, change, revision, source, found_at, listed_on, reason, edition_id)!
-- Those that say the same of many papers. In a statement for each, the lists of the table's CHECKs are built anew each time.
INSERT INTO offers (paper_id, digest, state, change, revision, source, found_at, listed_on, reason, edition_id)
SELECT value, :digest, :state, :change, :revision, :source, :found_at, :listed_on, :reason, :edition_id
FROM json_each(:ids) WHERE true
ON CONFLICT (paper_id, digest) DO UPDATE SET
    state = excluded.state, change = excluded.change, revision = excluded.revision, source = excluded.source,
    found_at = excluded.found_at, listed_on = excluded.listed_on, reason = excluded.reason, edition_id = excluded.edition_id;

-- name: found_by_key(keys)
-- What was found elsewhere of the papers that these keys lead to, or of one that was joined with them, and which paper that is.
SELECT k.key, COALESCE(p.joined_to, p.id), l.found
FROM json_each(:keys) AS asked CROSS JOIN paper_keys k ON k.key = asked.value
JOIN papers p ON p.id = k.paper_id
JOIN papers f ON f.id = COALESCE(p.joined_to, p.id) OR f.joined_to = COALESCE(p.joined_to, p.id)
JOIN lookups l ON l.paper_id = f.id AND l.found <> ''
ORDER BY l.looked_up_at;

-- name: joined_to(ids)
-- The editions that wait for the mails of these deliveries, in the order in which they were issued.
SELECT d.joined_to, e.date, e.part
FROM json_each(:ids) AS asked CROSS JOIN deliveries d ON d.joined_to = asked.value
JOIN editions e ON e.id = d.edition_id
WHERE d.status = 'joined'
ORDER BY d.edition_id;

-- name: start_sending(ids, holder, now)!
-- One statement for a batch: of one for each row, most of the time is the call.
UPDATE deliveries SET status = 'sending', holder = :holder, attempt = attempt + 1, retry_at = NULL, changed_at = :now
WHERE id IN (SELECT value FROM json_each(:ids));

-- name: record_accepted(receipts, now)!
-- Accepted is a fact, whoever holds the row by now: it must not be sent again. One statement for a batch, as above.
UPDATE deliveries SET
    status = 'accepted', holder = '', retry_at = NULL, changed_at = :now,
    reply_code = said.reply_code, enhanced_code = said.enhanced_code, reply = said.reply
FROM (
    SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS reply_code,
           json_extract(value, '$[2]') AS enhanced_code, json_extract(value, '$[3]') AS reply
    FROM json_each(:receipts)
) AS said
WHERE deliveries.id = said.id;
