-- What proves a run: every listing that was read, what it said and what came of it; the raw pages; the days that may still grow;
-- whose turn it is with a host; corrections by hand; papers looked up elsewhere.

ALTER TABLE runs ADD COLUMN setup TEXT NOT NULL DEFAULT '';

-- One row for each source of each run. `run_at` is the runs' started_at; `missing` the JSON of the share of papers without
-- an abstract, authors, …; `why` the reason of the outcome in words.
CREATE TABLE source_runs (
    run_at   TEXT NOT NULL,
    source   TEXT NOT NULL,
    position INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    listed_on TEXT NOT NULL,
    partial  INTEGER NOT NULL,
    stated   INTEGER,
    parsed   INTEGER NOT NULL,
    new      INTEGER NOT NULL,
    updated  INTEGER NOT NULL,
    seen     INTEGER NOT NULL,
    dropped  INTEGER NOT NULL,
    failed   INTEGER NOT NULL,
    missing  TEXT NOT NULL,
    why      TEXT NOT NULL,
    seconds  DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (run_at, source)
);
CREATE INDEX source_runs_source ON source_runs (source, run_at);

-- One row for each listing of each run, in the order in which they were read. `page` is the SHA-256 of its bytes, '' where there were none.
CREATE TABLE readings (
    run_at       TEXT NOT NULL,
    position     INTEGER NOT NULL,
    source       TEXT NOT NULL,
    kind         TEXT NOT NULL,
    location     TEXT NOT NULL,
    base_url     TEXT NOT NULL,
    content_type TEXT NOT NULL,
    listed_on    TEXT NOT NULL,
    fetched_at   TEXT NOT NULL,
    page         TEXT NOT NULL,
    outcome      TEXT NOT NULL,
    stated       INTEGER,
    sections     TEXT NOT NULL,
    parsed       INTEGER NOT NULL,
    new          INTEGER NOT NULL,
    updated      INTEGER NOT NULL,
    seen         INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    why          TEXT NOT NULL,
    PRIMARY KEY (run_at, position)
);
CREATE INDEX readings_source ON readings (source, run_at);
CREATE INDEX readings_page ON readings (page);

-- Raw pages, zlib-compressed, each once, however often it came.
CREATE TABLE pages (
    hash    TEXT NOT NULL PRIMARY KEY,
    body    BLOB NOT NULL,
    size    INTEGER NOT NULL,
    stored  INTEGER NOT NULL,
    kept_at TEXT NOT NULL
);
CREATE INDEX pages_age ON pages (kept_at, hash, stored);

-- What the last whole answer of an address was. `audience` says who heard of it (digests and kind): for others it is asked anew.
CREATE TABLE answers (
    source        TEXT NOT NULL,
    url           TEXT NOT NULL,
    audience      TEXT NOT NULL,
    etag          TEXT NOT NULL,
    last_modified TEXT NOT NULL,
    page          TEXT NOT NULL,
    next_url      TEXT NOT NULL,
    answered_at   TEXT NOT NULL,
    PRIMARY KEY (source, url)
);
CREATE INDEX answers_page ON answers (source, page);

-- The days of a dated source. `fingerprint` is that of the papers it listed, '' where it was never read; open days are asked again.
CREATE TABLE days (
    source      TEXT NOT NULL,
    day         TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('open', 'closed')),
    papers      INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    asked_at    TEXT NOT NULL,
    changed_at  TEXT NOT NULL,
    PRIMARY KEY (source, day)
);

-- Whose turn it is with a host, over all processes of this store, and what its robots.txt says.
CREATE TABLE hosts (
    host         TEXT NOT NULL PRIMARY KEY,
    holder       TEXT NOT NULL,
    held_until   TEXT NOT NULL,
    free_at      TEXT NOT NULL,
    robots       TEXT NOT NULL,
    robots_until TEXT NOT NULL
);

-- What an operator said of two papers, by their keys: that they are one, or that they are two.
CREATE TABLE corrections (
    id       INTEGER NOT NULL PRIMARY KEY,
    made_at  TEXT NOT NULL,
    relation TEXT NOT NULL CHECK (relation IN ('one', 'two')),
    left_key TEXT NOT NULL,
    right_key TEXT NOT NULL
);

-- Papers looked up elsewhere. `found` is the JSON of the facts that were taken, '' for a miss.
CREATE TABLE lookups (
    paper_id     INTEGER NOT NULL PRIMARY KEY REFERENCES papers (id),
    looked_up_at TEXT NOT NULL,
    outcome      TEXT NOT NULL CHECK (outcome IN ('hit', 'miss', 'failed')),
    attempts     INTEGER NOT NULL,
    retry_at     TEXT NOT NULL,
    service      TEXT NOT NULL,
    found        TEXT NOT NULL
);
CREATE INDEX lookups_time ON lookups (looked_up_at);
-- Entries whose key is no id and no page: those that may have to be looked up.
CREATE INDEX entries_nameless ON entries (paper_id)
WHERE key LIKE 'title:%' OR key LIKE 'abstract:%' OR key LIKE 'shown:%';

-- The streams of an offer are four now, and it keeps the day of the listing that brought it.
CREATE TABLE offers_with_streams (
    paper_id   INTEGER NOT NULL REFERENCES papers (id),
    digest     TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('waiting', 'issued', 'dropped', 'withheld')),
    change     TEXT NOT NULL CHECK (change IN ('new', 'cross', 'updated', 'withdrawn')),
    revision   INTEGER NOT NULL,
    source     TEXT NOT NULL,
    found_at   TEXT NOT NULL,
    listed_on  TEXT NOT NULL,
    reason     TEXT NOT NULL,
    edition_id INTEGER REFERENCES editions (id),
    PRIMARY KEY (paper_id, digest)
) WITHOUT ROWID;
INSERT INTO offers_with_streams
SELECT paper_id, digest, state, change, revision, source, found_at, '', reason, edition_id FROM offers;
DROP TABLE offers;
ALTER TABLE offers_with_streams RENAME TO offers;
CREATE INDEX offers_waiting ON offers (digest, found_at, paper_id) WHERE state = 'waiting';

UPDATE meta SET value = '2' WHERE key = 'schema';
