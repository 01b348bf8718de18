-- Who wants to hear it gets a letter where there was no edition: of a digest, on a day ('' for other letters).
CREATE TABLE letters_with_notices (
    id            INTEGER NOT NULL PRIMARY KEY,
    subscriber_id INTEGER NOT NULL REFERENCES subscribers (id),
    kind          TEXT NOT NULL CHECK (kind IN ('confirm', 'known', 'notice')),
    status        TEXT NOT NULL CHECK (status IN ('queued', 'sending', 'accepted', 'rejected', 'expired')),
    message_id    TEXT NOT NULL,
    date          TEXT NOT NULL,
    attempt       INTEGER NOT NULL,
    holder        TEXT NOT NULL,
    retry_at      TEXT NOT NULL,
    changed_at    TEXT NOT NULL,
    digest        TEXT NOT NULL DEFAULT '',
    day           TEXT NOT NULL DEFAULT ''
);
INSERT INTO letters_with_notices
    (id, subscriber_id, kind, status, message_id, date, attempt, holder, retry_at, changed_at)
SELECT id, subscriber_id, kind, status, message_id, date, attempt, holder, retry_at, changed_at FROM letters;
DROP TABLE letters;
ALTER TABLE letters_with_notices RENAME TO letters;
CREATE INDEX letters_waiting ON letters (retry_at, id) WHERE status IN ('queued', 'sending');
CREATE INDEX letters_subscriber ON letters (subscriber_id);
-- Somebody waits for the others: they go first.
CREATE INDEX letters_asked ON letters (retry_at, id) WHERE status IN ('queued', 'sending') AND kind <> 'notice';
-- Has a reader heard of this day? Letters are kept.
CREATE INDEX letters_notices ON letters (subscriber_id, digest, day) WHERE kind = 'notice';
CREATE INDEX letters_notices_queued ON letters (subscriber_id, digest) WHERE kind = 'notice' AND status = 'queued';

UPDATE meta SET value = '8' WHERE key = 'schema';
