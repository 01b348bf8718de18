-- The inbox: what a subscriber agreed to and chose, mails that wait for their hour, letters, and who must never be mailed again.

-- `nonce` is part of every token of a subscriber; `changed_at` is of the status. `paused_until` is a date, '' where not paused.
-- `score` counts failed mails, halved with time since `scored_at` ('' for none).
ALTER TABLE subscribers ADD COLUMN nonce TEXT NOT NULL DEFAULT '';
ALTER TABLE subscribers ADD COLUMN consent TEXT NOT NULL DEFAULT '';
ALTER TABLE subscribers ADD COLUMN paused_until TEXT NOT NULL DEFAULT '';
ALTER TABLE subscribers ADD COLUMN score DOUBLE PRECISION NOT NULL DEFAULT 0;
ALTER TABLE subscribers ADD COLUMN scored_at TEXT NOT NULL DEFAULT '';
UPDATE subscribers SET nonce = left(replace(gen_random_uuid()::text, '-', ''), 16), consent = 'operator';
CREATE INDEX subscribers_status ON subscribers (status, id);

-- A delivery goes out at `due_at`. One that waits for a later mail of the same digest is `joined` to the delivery of that mail;
-- one of which its reader chose nothing is `skipped`.
ALTER TABLE deliveries ADD COLUMN joined_to INTEGER;
ALTER TABLE deliveries ADD COLUMN due_at TEXT NOT NULL DEFAULT '';
UPDATE deliveries SET due_at = date;
ALTER TABLE deliveries ALTER COLUMN due_at DROP DEFAULT;
ALTER TABLE deliveries DROP CONSTRAINT deliveries_status_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_status_check
    CHECK (status IN ('queued', 'sending', 'accepted', 'deferred', 'rejected', 'suppressed', 'expired', 'joined', 'skipped'));
DROP INDEX deliveries_queued;
CREATE INDEX deliveries_queued ON deliveries (due_at, id) WHERE status = 'queued';
CREATE INDEX deliveries_joined ON deliveries (joined_to) WHERE joined_to IS NOT NULL;

-- Mails that are no edition. At most one of a kind waits for one subscriber.
CREATE TABLE letters (
    id            INTEGER NOT NULL PRIMARY KEY,
    subscriber_id INTEGER NOT NULL REFERENCES subscribers (id),
    kind          TEXT NOT NULL CHECK (kind IN ('confirm', 'known')),
    status        TEXT NOT NULL CHECK (status IN ('queued', 'sending', 'accepted', 'rejected', 'expired')),
    message_id    TEXT NOT NULL,
    date          TEXT NOT NULL,
    attempt       INTEGER NOT NULL,
    holder        TEXT NOT NULL,
    retry_at      TEXT NOT NULL,
    changed_at    TEXT NOT NULL
);
CREATE INDEX letters_waiting ON letters (retry_at, id) WHERE status IN ('queued', 'sending');
CREATE INDEX letters_subscriber ON letters (subscriber_id);

-- Keyed hashes of addresses (HMAC-SHA256): those that must get no mail, and those that were asked for their consent.
CREATE TABLE suppressions (
    hash   TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL CHECK (reason IN ('bounced', 'complained', 'erased')),
    since  TEXT NOT NULL
);
CREATE TABLE askings (
    hash     TEXT NOT NULL PRIMARY KEY,
    times    INTEGER NOT NULL,
    asked_at TEXT NOT NULL
);

UPDATE meta SET value = '3' WHERE key = 'schema';
