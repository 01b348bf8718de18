-- The clock by which workers are judged. SQLite has none of its own: this machine's, to the millisecond.

-- name: server_time()$
SELECT strftime('%Y-%m-%dT%H:%M:%f000Z', 'now');
