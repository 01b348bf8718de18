-- Work that many processes share: who they are, runs in parts, rates that hold for all of them together.

-- The processes at work on this store (`digest worker`): id is the holder of process.this_process(), engine_id the engine's number of it.
CREATE TABLE workers (
    id         TEXT NOT NULL PRIMARY KEY,
    engine_id  INTEGER,
    version    TEXT NOT NULL,
    queues     TEXT NOT NULL,
    doing      TEXT NOT NULL,
    started_at TEXT NOT NULL,
    seen_at    TEXT NOT NULL
) WITHOUT ROWID;

-- A run that workers share: one row for each source, in the order of the configuration. Listings are fetched by anybody at any
-- time (state `taken`, what they gave in `taken`) and put on record in the order of `place`, as one process does it.
CREATE TABLE run_parts (
    run_id INTEGER NOT NULL REFERENCES runs (id),
    place  INTEGER NOT NULL,
    source TEXT NOT NULL,
    state  TEXT NOT NULL CHECK (state IN ('asked', 'taken', 'recorded')),
    taken  BLOB,
    report TEXT NOT NULL,
    PRIMARY KEY (run_id, place)
) WITHOUT ROWID;
-- Whether a run is shared by workers: it is not over because another one begins.
ALTER TABLE runs ADD COLUMN shared INTEGER NOT NULL DEFAULT 0;

-- What all processes together may do so often, and pauses that a server asked for: the next moment free, and until when to wait.
CREATE TABLE rates (
    name       TEXT NOT NULL PRIMARY KEY,
    next_at    TEXT NOT NULL,
    wait_until TEXT NOT NULL,
    wait_s     DOUBLE PRECISION NOT NULL,
    reason     TEXT NOT NULL
) WITHOUT ROWID;

-- How many were given up is told after each run; the table holds every mail that ever was.
CREATE INDEX deliveries_ended ON deliveries (status) WHERE status IN ('suppressed', 'expired');

UPDATE meta SET value = '5' WHERE key = 'schema';
