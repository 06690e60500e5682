-- Rows of each table in /tmp/tables.json, and the migrations that have run, as JSON. Run as the owner, in the live
-- database and in the restored copy.
-- Variables: snapshot (whether the snapshot of drill-lock.sql is waited for), seconds (for all tables together).
BEGIN ISOLATION LEVEL REPEATABLE READ;
\if :snapshot
\! i=0; while [ ! -e /tmp/snapshot ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i + 1)); done
\set snapshot_name `cat /tmp/snapshot`
SET TRANSACTION SNAPSHOT :'snapshot_name';
\! touch /tmp/imported
\endif
\set tables `cat /tmp/tables.json`
CREATE TEMPORARY TABLE counted (name text, rows bigint) ON COMMIT DROP;
SELECT clock_timestamp() + :seconds * interval '1 second' AS deadline
\gset
-- What cannot be counted is missing, and said.
\set ON_ERROR_ROLLBACK on
\set ON_ERROR_STOP off
-- The small ones first, so that a large one takes the time of no other. A subquery is not run when its row is not wanted.
SELECT format('INSERT INTO pg_temp.counted SELECT %L, (SELECT count(*) FROM ONLY %s) WHERE clock_timestamp() < %L',
              name, name, :'deadline')
  FROM json_array_elements_text(:'tables') AS name
 ORDER BY pg_relation_size(to_regclass(name)) \gexec
SELECT to_regclass('public.schema_migrations') IS NOT NULL AS migrated
\gset
\set migrations null
\if :migrated
SELECT coalesce(json_agg(version ORDER BY version), '[]') AS migrations FROM public.schema_migrations
\gset
\endif
\set ON_ERROR_STOP on
SELECT json_build_object('rows', (SELECT coalesce(json_object_agg(name, rows), '{}') FROM pg_temp.counted),
                         'migrations', :'migrations'::json);
ROLLBACK;
