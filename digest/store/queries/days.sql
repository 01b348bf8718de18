-- name: days_of(source)
SELECT source, day, state, papers, fingerprint, asked_at, changed_at
FROM days
WHERE source = :source
ORDER BY day;

-- name: open_days()
SELECT source, day, state, papers, fingerprint, asked_at, changed_at
FROM days
WHERE state = 'open'
ORDER BY day, source;

-- name: put_day(source, day, state, papers, fingerprint, asked_at, changed_at)!
INSERT INTO days (source, day, state, papers, fingerprint, asked_at, changed_at)
VALUES (:source, :day, :state, :papers, :fingerprint, :asked_at, :changed_at)
ON CONFLICT (source, day) DO UPDATE SET
    state = excluded.state, papers = excluded.papers, fingerprint = excluded.fingerprint, asked_at = excluded.asked_at,
    changed_at = excluded.changed_at;
