-- name: turn(host)^
SELECT holder, held_until, free_at FROM hosts WHERE host = :host;

-- name: put_turn(host, holder, held_until, free_at)!
INSERT INTO hosts (host, holder, held_until, free_at, robots, robots_until)
VALUES (:host, :holder, :held_until, :free_at, '', '')
ON CONFLICT (host) DO UPDATE SET
    holder = excluded.holder, held_until = excluded.held_until, free_at = excluded.free_at;

-- name: robots(host)^
SELECT robots, robots_until FROM hosts WHERE host = :host;

-- name: put_robots(host, robots, until)!
-- An origin has its scheme before it, so that it never meets the row of a host's turns.
INSERT INTO hosts (host, holder, held_until, free_at, robots, robots_until) VALUES (:host, '', '', '', :robots, :until)
ON CONFLICT (host) DO UPDATE SET robots = excluded.robots, robots_until = excluded.robots_until;
