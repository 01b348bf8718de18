-- What readers see: where each digest shows a paper, under which labels, and by which words it is found; how papers looked before;
-- whose pages are to be written again.

-- The newest place of a paper in a digest. `id` is also the order: the greater, the newer (shown.py). `paper_id` is the paper that
-- `key` leads to, `number` the order in which the digest first showed its papers, from 1. `labels` are the numbers of its labels,
-- as JSON. `reworded` says that the words have changed since they were indexed, `outdone` that the paper has a newer place, in
-- another digest or under another key.
CREATE TABLE shown (
    id         BIGINT NOT NULL PRIMARY KEY,
    digest     TEXT NOT NULL,
    key        TEXT NOT NULL,
    paper_id   INTEGER REFERENCES papers (id),
    edition_id INTEGER NOT NULL REFERENCES editions (id),
    position   INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    reworded   INTEGER NOT NULL,
    outdone    INTEGER NOT NULL,
    guid       TEXT NOT NULL,
    topic      TEXT NOT NULL,
    labels     TEXT NOT NULL,
    UNIQUE (digest, key),
    UNIQUE (digest, number)
);
CREATE INDEX shown_paper ON shown (paper_id);
CREATE INDEX shown_reworded ON shown (id) WHERE reworded = 1;
CREATE INDEX shown_outdone ON shown (id) WHERE outdone = 1;
CREATE INDEX entries_key ON entries (key, edition_id);

-- `name` is as the newest of its papers writes it, which is shown.id = `newest`; `papers` is how many there are.
CREATE TABLE labels (
    digest TEXT NOT NULL,
    kind   TEXT NOT NULL CHECK (kind IN ('topic', 'category', 'author')),
    slug   TEXT NOT NULL,
    id     INTEGER NOT NULL UNIQUE,
    name   TEXT NOT NULL,
    newest BIGINT NOT NULL,
    papers INTEGER NOT NULL,
    PRIMARY KEY (digest, kind, slug)
);
CREATE TABLE labelled (
    label_id INTEGER NOT NULL REFERENCES labels (id),
    shown_id BIGINT NOT NULL REFERENCES shown (id),
    PRIMARY KEY (label_id, shown_id)
);

-- The words of what is shown, in the plain form of searching.tokens: compressed in `shown_words`, and as lexemes with their places.
-- Large values are kept out of line, so that rows can be counted fast.
CREATE TABLE shown_words (
    id    BIGINT NOT NULL PRIMARY KEY,
    words BYTEA NOT NULL
);
CREATE TABLE shown_text (
    id      BIGINT NOT NULL PRIMARY KEY,
    lexemes TSVECTOR NOT NULL
);
ALTER TABLE shown_text SET (toast_tuple_target = 128);
-- Without its list of what is still to be sorted in, which every search would read through.
CREATE INDEX shown_text_lexemes ON shown_text USING gin (lexemes) WITH (fastupdate = off);

-- A paper as it looked until a listing showed it otherwise.
CREATE TABLE revisions (
    paper_id INTEGER NOT NULL REFERENCES papers (id),
    until    TEXT NOT NULL,
    content  TEXT NOT NULL,
    PRIMARY KEY (paper_id, until)
);

-- Papers, by the keys of editions, of which something changed since their pages were published.
CREATE TABLE touched (
    digest TEXT NOT NULL,
    key    TEXT NOT NULL,
    PRIMARY KEY (digest, key)
);

-- When somebody left, '' for who did not: to be asked again by a stranger, and not to answer, must not undo it.
ALTER TABLE subscribers ADD COLUMN left_at TEXT NOT NULL DEFAULT '';
UPDATE subscribers SET left_at = changed_at WHERE status = 'unsubscribed';

UPDATE meta SET value = '4' WHERE key = 'schema';
