-- Lookups by many keys at once: PostgreSQL takes the list as an array.

-- name: known_keys(keys)
SELECT key, paper_id FROM paper_keys WHERE key = ANY (CAST(:keys AS text[]));

-- name: known_by_fingerprint(keys, source, listed_on, announce, followers, number, changes)$
-- Of the papers that these keys lead to: the fingerprint, and whether the source has shown it in this way on this day. Only those of
-- which each of so many followers has an offer that stays as it is (Offers.sight) when it is shown so: `changes` are those that stay.
-- All of it as one JSON array, in a text: the driver would take longer to read it.
SELECT CAST(COALESCE(json_agg(json_build_array(
    k.key, f.paper_id, f.fingerprint, s.paper_id IS NOT NULL AND s.announce IS NOT DISTINCT FROM CAST(:announce AS text)
)), '[]') AS text)
FROM paper_keys k
JOIN fingerprints f ON f.paper_id = k.paper_id
LEFT JOIN sightings s ON s.paper_id = f.paper_id AND s.source = :source AND s.listed_on = :listed_on
WHERE k.key = ANY (CAST(:keys AS text[])) AND :number = (
    SELECT COUNT(*) FROM offers o
    WHERE o.paper_id = f.paper_id AND o.digest = ANY (CAST(:followers AS text[]))
      AND (o.state = 'waiting' OR (o.state <> 'withheld' AND o.revision >= f.revision))
      AND (o.state = 'issued' OR o.edition_id IS NOT NULL OR o.change = ANY (CAST(:changes AS text[])))
);

-- name: papers_by_id(ids)
SELECT id, joined_to, version, announced_on, debuted, revision, content
FROM papers
WHERE id = ANY (CAST(:ids AS integer[]));

-- name: offers_by_paper(ids)
SELECT paper_id, digest, state, change, revision, source, found_at, listed_on, reason, edition_id
FROM offers
WHERE paper_id = ANY (CAST(:ids AS integer[]));

-- name: insert_sightings(seen, source, listed_on, seen_at, status, announce)!
-- `seen` is a JSON object: the key that led to each paper (null for none) by the number of the paper.
INSERT INTO sightings (paper_id, source, listed_on, seen_at, status, matched_by, announce)
SELECT CAST(asked.key AS integer), :source, :listed_on, :seen_at, :status, asked.value, CAST(:announce AS text)
FROM json_each_text(CAST(:seen AS json)) AS asked
ON CONFLICT (paper_id, source, listed_on) DO NOTHING;

-- name: put_offers(ids, digest, state, change, revision, source, found_at, listed_on, reason, edition_id)!
-- Those that say the same of many papers.
INSERT INTO offers (paper_id, digest, state, change, revision, source, found_at, listed_on, reason, edition_id)
SELECT asked.id, :digest, :state, :change, CAST(:revision AS integer), :source, :found_at, :listed_on, :reason,
       CAST(:edition_id AS integer)
FROM unnest(CAST(:ids AS integer[])) AS asked (id)
ON CONFLICT (paper_id, digest) DO UPDATE SET
    state = excluded.state, change = excluded.change, revision = excluded.revision, source = excluded.source,
    found_at = excluded.found_at, listed_on = excluded.listed_on, reason = excluded.reason, edition_id = excluded.edition_id;

-- name: found_by_key(keys)
-- What was found elsewhere of the papers that these keys lead to, or of one that was joined with them, and which paper that is.
SELECT k.key, COALESCE(p.joined_to, p.id), l.found
FROM paper_keys k
JOIN papers p ON p.id = k.paper_id
JOIN papers f ON f.id = COALESCE(p.joined_to, p.id) OR f.joined_to = COALESCE(p.joined_to, p.id)
JOIN lookups l ON l.paper_id = f.id AND l.found <> ''
WHERE k.key = ANY (CAST(:keys AS text[]))
ORDER BY l.looked_up_at;

-- name: joined_to(ids)
-- The editions that wait for the mails of these deliveries, in the order in which they were issued.
SELECT d.joined_to, e.date, e.part
FROM deliveries d
JOIN editions e ON e.id = d.edition_id
WHERE d.status = 'joined' AND d.joined_to = ANY (CAST(:ids AS integer[]))
ORDER BY d.edition_id;

-- name: start_sending(ids, holder, now)!
-- One statement for a batch: of one for each row, most of the time is the call.
UPDATE deliveries SET status = 'sending', holder = :holder, attempt = attempt + 1, retry_at = NULL, changed_at = :now
WHERE id = ANY (CAST(:ids AS integer[]));

-- name: record_accepted(receipts, now)!
-- Accepted is a fact, whoever holds the row by now: it must not be sent again. One statement for a batch, as above.
UPDATE deliveries SET
    status = 'accepted', holder = '', retry_at = NULL, changed_at = :now,
    reply_code = said.reply_code, enhanced_code = said.enhanced_code, reply = said.reply
FROM (
    SELECT CAST(value ->> 0 AS integer) AS id, CAST(value ->> 1 AS integer) AS reply_code,
           value ->> 2 AS enhanced_code, value ->> 3 AS reply
    FROM json_array_elements(CAST(:receipts AS json)) AS value
) AS said
WHERE deliveries.id = said.id;
