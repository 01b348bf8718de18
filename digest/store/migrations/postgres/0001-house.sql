-- The first house. Timestamps are RFC 3339 in UTC with six decimals ("2026-11-19T07:00:00.000000Z"), so that they compare as text.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- `content` is the JSON of a Paper, as an edition would show it. `debuted` is 0 for one that was only ever announced as
-- replaced; `revision` counts the updates; `joined_to` is set when two rows turned out to be one paper.
CREATE TABLE papers (
    id           INTEGER NOT NULL PRIMARY KEY,
    joined_to    INTEGER REFERENCES papers (id),
    version      INTEGER,
    announced_on TEXT NOT NULL,
    debuted      INTEGER NOT NULL,
    revision     INTEGER NOT NULL,
    first_seen   TEXT NOT NULL,
    key          TEXT NOT NULL,
    content      TEXT NOT NULL
);
CREATE INDEX papers_joined ON papers (joined_to) WHERE joined_to IS NOT NULL;

-- The seen set, by natural key, compared by bytes (range scans need it).
CREATE TABLE paper_keys (
    key      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    paper_id INTEGER NOT NULL REFERENCES papers (id)
);

-- Abstracts that a paper was shown with before: two sources that show different versions must not take turns in updating it.
CREATE TABLE abstracts (
    paper_id    INTEGER NOT NULL REFERENCES papers (id),
    fingerprint TEXT NOT NULL,
    abstract    TEXT NOT NULL,
    PRIMARY KEY (paper_id, fingerprint)
);

-- The first time that a source showed a paper on a listing day ('' where the listing has no day).
CREATE TABLE sightings (
    paper_id   INTEGER NOT NULL REFERENCES papers (id),
    source     TEXT NOT NULL,
    listed_on  TEXT NOT NULL,
    seen_at    TEXT NOT NULL,
    status     TEXT NOT NULL,
    matched_by TEXT,
    announce   TEXT,
    PRIMARY KEY (paper_id, source, listed_on)
);

CREATE TABLE editions (
    id        INTEGER NOT NULL PRIMARY KEY,
    digest    TEXT NOT NULL,
    date      TEXT NOT NULL,
    part      INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    papers    INTEGER NOT NULL,
    issued_at TEXT NOT NULL,
    snapshot  TEXT NOT NULL,
    UNIQUE (digest, date, part)
);

CREATE TABLE entries (
    edition_id INTEGER NOT NULL REFERENCES editions (id),
    position   INTEGER NOT NULL,
    key        TEXT NOT NULL,
    paper_id   INTEGER REFERENCES papers (id),
    PRIMARY KEY (edition_id, position)
);
CREATE INDEX entries_paper ON entries (paper_id);

-- What a digest was offered, and what became of it: waiting, issued, dropped (with the reason) or withheld (an old paper's new version).
CREATE TABLE offers (
    paper_id   INTEGER NOT NULL REFERENCES papers (id),
    digest     TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'issued', 'dropped', 'withheld')),
    change     TEXT NOT NULL CHECK (change IN ('new', 'updated')),
    revision   INTEGER NOT NULL,
    source     TEXT NOT NULL,
    found_at   TEXT NOT NULL,
    reason     TEXT NOT NULL,
    edition_id INTEGER REFERENCES editions (id),
    PRIMARY KEY (paper_id, digest)
);
CREATE INDEX offers_waiting ON offers (digest, found_at, paper_id) WHERE state = 'waiting';

CREATE TABLE subscribers (
    id          INTEGER NOT NULL PRIMARY KEY,
    folded      TEXT NOT NULL UNIQUE,
    address     TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('pending', 'confirmed', 'paused', 'unsubscribed', 'suppressed')),
    digests     TEXT NOT NULL,
    preferences TEXT NOT NULL,
    since       TEXT NOT NULL,
    changed_at  TEXT NOT NULL
);

CREATE TABLE deliveries (
    id            INTEGER NOT NULL PRIMARY KEY,
    edition_id    INTEGER NOT NULL REFERENCES editions (id),
    subscriber_id INTEGER NOT NULL REFERENCES subscribers (id),
    status        TEXT NOT NULL
        CHECK (status IN ('queued', 'sending', 'accepted', 'deferred', 'rejected', 'suppressed', 'expired')),
    message_id    TEXT NOT NULL,
    date          TEXT NOT NULL,
    attempt       INTEGER NOT NULL,
    holder        TEXT NOT NULL,
    retry_at      TEXT,
    reply_code    INTEGER,
    enhanced_code TEXT,
    reply         TEXT NOT NULL,
    changed_at    TEXT NOT NULL,
    UNIQUE (edition_id, subscriber_id)
);
CREATE INDEX deliveries_queued ON deliveries (id) WHERE status = 'queued';
CREATE INDEX deliveries_sending ON deliveries (id) WHERE status = 'sending';
CREATE INDEX deliveries_deferred ON deliveries (retry_at, id) WHERE status = 'deferred';
CREATE INDEX deliveries_subscriber ON deliveries (subscriber_id);

CREATE TABLE leases (
    name       TEXT NOT NULL PRIMARY KEY,
    holder     TEXT NOT NULL,
    fence      INTEGER NOT NULL,
    expires_at TEXT NOT NULL
);

CREATE TABLE runs (
    id          INTEGER NOT NULL PRIMARY KEY,
    digest      TEXT NOT NULL,
    date        TEXT NOT NULL,
    started_at  TEXT NOT NULL,
    finished_at TEXT,
    status      TEXT NOT NULL CHECK (status IN ('running', 'done', 'degraded', 'failed')),
    report      TEXT NOT NULL
);
CREATE INDEX runs_day ON runs (digest, date);

INSERT INTO meta (key, value) VALUES ('schema', '1');
