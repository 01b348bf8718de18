-- Pages of authors, topics and categories show papers of years ago again and again: each as a row that is made once.

-- `html` is the row of what stands at a place, `maker` what made it: templates, addresses and program (pipeline/views.py). It could be
-- thrown away.
CREATE TABLE shown_rows (
    shown_id BIGINT NOT NULL PRIMARY KEY REFERENCES shown (id) ON DELETE CASCADE,
    maker    TEXT NOT NULL,
    html     TEXT NOT NULL
);

UPDATE meta SET value = '7' WHERE key = 'schema';
