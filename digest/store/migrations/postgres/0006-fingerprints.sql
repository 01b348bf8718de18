-- What a listing shows of a paper that it showed before is most often word for word what is stored: known by a fingerprint, so that
-- no content is read to compare it.

-- `fingerprint` is that of a listed paper equal to the content of the row (known.fingerprint), `revision` the row's. A row that a
-- listing changes on sight, whatever it says, has none, nor has one that was joined to another. Stores of before have none at all:
-- what they hold is compared once, and then known.
CREATE TABLE fingerprints (
    paper_id    INTEGER NOT NULL PRIMARY KEY REFERENCES papers (id) ON DELETE CASCADE,
    revision    INTEGER NOT NULL,
    fingerprint BIGINT NOT NULL
);

UPDATE meta SET value = '6' WHERE key = 'schema';
