-- Vectors of the schema's dimension around 200 topics, the same ones on every server, and the exact neighbours of
-- fifty others, found before there is an index. Variable: vectors, their number.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
CREATE EXTENSION vector;
SELECT setseed(0.42) \g /dev/null

-- The condition on the row gives each row its own numbers.
CREATE TABLE topics AS
  SELECT topic, (SELECT array_agg(random() - 0.5) FROM generate_series(1, 1024) WHERE topic >= 0)::vector(1024) AS centre
  FROM generate_series(0, 199) AS topic;
CREATE TABLE items AS
  SELECT id, (centre + (SELECT array_agg(random() - 0.5) FROM generate_series(1, 1024) WHERE id > 0)::vector)::vector(1024) AS embedding
  FROM generate_series(1, :vectors) AS id JOIN topics ON topic = id % 200;
CREATE TABLE queries AS
  SELECT id, (centre + (SELECT array_agg(random() - 0.5) FROM generate_series(1, 1024) WHERE id > 0)::vector)::vector(1024) AS embedding
  FROM generate_series(1, 50) AS id JOIN topics ON topic = id * 4 % 200;
CREATE TABLE exact AS
  SELECT queries.id AS query, nearest.id
  FROM queries
  CROSS JOIN LATERAL (SELECT items.id FROM items ORDER BY items.embedding <=> queries.embedding LIMIT 10) AS nearest;
VACUUM ANALYZE;
CHECKPOINT;
