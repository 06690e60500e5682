-- The share of the ten exact neighbours that the index finds, over fifty queries.
\set ON_ERROR_STOP on
SET enable_seqscan = off;
SET max_parallel_workers_per_gather = 0;
SELECT round(count(exact.id) / 500.0, 3)
FROM queries
CROSS JOIN LATERAL (SELECT items.id FROM items ORDER BY items.embedding <=> queries.embedding LIMIT 10) AS nearest
LEFT JOIN exact ON exact.query = queries.id AND exact.id = nearest.id;
