-- name: add_rate(name)!
INSERT INTO rates (name, next_at, wait_until, wait_s, reason) VALUES (:name, '', '', 0, '') ON CONFLICT (name) DO NOTHING;

-- name: set_next(name, next_at)!
UPDATE rates SET next_at = :next_at WHERE name = :name;

-- name: set_wait(name, wait_until, wait_s, reason)!
UPDATE rates SET wait_until = :wait_until, wait_s = :wait_s, reason = :reason WHERE name = :name;

-- name: wait_of(name)^
SELECT wait_until, wait_s, reason FROM rates WHERE name = :name AND wait_until <> '';
