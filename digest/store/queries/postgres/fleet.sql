-- The clock by which workers are judged: as text, in the form of every moment in the store.

-- name: server_time()$
SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
