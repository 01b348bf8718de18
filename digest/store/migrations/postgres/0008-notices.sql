-- Who wants to hear it gets a letter where there was no edition: of a digest, on a day ('' for other letters).
ALTER TABLE letters DROP CONSTRAINT letters_kind_check;
ALTER TABLE letters ADD CONSTRAINT letters_kind_check CHECK (kind IN ('confirm', 'known', 'notice'));
ALTER TABLE letters ADD COLUMN digest TEXT NOT NULL DEFAULT '';
ALTER TABLE letters ADD COLUMN day TEXT NOT NULL DEFAULT '';
-- Somebody waits for the others: they go first.
CREATE INDEX letters_asked ON letters (retry_at, id) WHERE status IN ('queued', 'sending') AND kind <> 'notice';
-- Has a reader heard of this day? Letters are kept.
CREATE INDEX letters_notices ON letters (subscriber_id, digest, day) WHERE kind = 'notice';
CREATE INDEX letters_notices_queued ON letters (subscriber_id, digest) WHERE kind = 'notice' AND status = 'queued';

UPDATE meta SET value = '8' WHERE key = 'schema';
