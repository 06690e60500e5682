-- The figures that monitoring reads: what the server knows of itself (figures-now.sql) and what the reconciler sees of the
-- node (node-figures.sh). Run by reconcile-figures.sh in the database `postgres`, where only a superuser can write.
-- Variables: node (lines of node-figures.sh).
SELECT pg_is_in_recovery() AS recovers,
       to_regclass('monitoring.now') IS NULL AS missing
\gset
\if :recovers
\quit
\endif
\if :missing
BEGIN;
CREATE SCHEMA IF NOT EXISTS monitoring;
-- Of now alone: a crash may empty it, and no backup needs it.
CREATE UNLOGGED TABLE IF NOT EXISTS monitoring.figure (
  name  text NOT NULL,
  -- Which one: a repository, an array, a database. Empty where there is only one.
  label text NOT NULL,
  value double precision NOT NULL,
  at    timestamptz NOT NULL,
  PRIMARY KEY (name, label)
) WITH (fillfactor = 50);
-- Free space in bytes, for how long it will last.
CREATE TABLE IF NOT EXISTS monitoring.disk (
  n    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at   timestamptz NOT NULL,
  free bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS disk_at ON monitoring.disk (at);
-- What the reconciler sees of the node, from its file in memory: a disk that cannot be written to is told all the same.
-- With the rights of a superuser, and the path is all that it reads.
CREATE OR REPLACE FUNCTION monitoring.node() RETURNS TABLE (name text, label text, value double precision, at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
BEGIN ATOMIC
  SELECT split_part(line, E'\t', 1), split_part(line, E'\t', 2), split_part(line, E'\t', 3)::double precision, modification
    FROM pg_stat_file('/run/reconcile/node-figures', true),
         regexp_split_to_table(pg_read_file('/run/reconcile/node-figures', 0, 65536, true), E'\n') AS line
   WHERE line ~ E'^[a-z_]+\t[^\t]*\t-?[0-9]+(\\.[0-9]+)?$';
END;
REVOKE ALL ON FUNCTION monitoring.node() FROM PUBLIC;
-- All of them; of what the reconciler sees, what it sees now.
CREATE OR REPLACE VIEW monitoring.now AS
SELECT name, label, value, at FROM monitoring.node()
UNION ALL
SELECT name, label, value, at FROM monitoring.figure AS kept
 WHERE NOT EXISTS (SELECT FROM monitoring.node() AS node WHERE node.name = kept.name AND node.label = kept.label);
GRANT USAGE ON SCHEMA monitoring TO pg_monitor;
GRANT SELECT ON monitoring.figure, monitoring.disk, monitoring.now TO pg_monitor;
GRANT EXECUTE ON FUNCTION monitoring.node() TO pg_monitor;
COMMIT;
\endif
-- Whoever monitors may connect to this database, and then finds nothing in it that everybody may execute and with which one
-- login takes the server away from all others: see sql/bootstrap/03-privileges.sql, which has the reasons and the same list.
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', oid::regprocedure)
  FROM pg_proc
 WHERE pronamespace = 'pg_catalog'::regnamespace
   AND (proname IN ('lo_create', 'lo_creat', 'lo_from_bytea', 'pg_logical_emit_message', 'pg_export_snapshot',
                    'txid_current', 'pg_current_xact_id')
        OR proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$')
   AND (proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0))
\gexec
SELECT 'GRANT CONNECT ON DATABASE postgres TO transcripts_monitoring'
  FROM pg_roles
 WHERE rolname = 'transcripts_monitoring' AND NOT has_database_privilege(oid, 'postgres', 'CONNECT')
\gexec
\ir figures-now.sql
BEGIN;
WITH node AS (
  SELECT split_part(line, E'\t', 1) AS name, split_part(line, E'\t', 2) AS label,
         split_part(line, E'\t', 3)::double precision AS value
    FROM regexp_split_to_table(:'node', E'\n') AS line
   WHERE line ~ E'^[a-z_]+\t[^\t]*\t-?[0-9]+(\\.[0-9]+)?$'
), found AS (
  SELECT * FROM node
  UNION ALL
  SELECT name, label, value FROM json_to_recordset(:'figures') AS own (name text, label text, value double precision)
)
INSERT INTO monitoring.figure AS kept (name, label, value, at)
SELECT name, label, value, clock_timestamp() FROM found
ON CONFLICT (name, label) DO UPDATE SET value = excluded.value, at = excluded.at;
-- What the server itself no longer has, such as a slot that was dropped. What the reconciler cannot see for a while, such as
-- a disk that hangs, keeps its value and its time for an hour.
DELETE FROM monitoring.figure
 WHERE at < transaction_timestamp()
   AND name !~ '^(disk_read_only$|(disk_size|disk_free|disk_files_free|raid_missing|certificate|configuration|settings|credentials)_)';
DELETE FROM monitoring.figure WHERE at NOT BETWEEN clock_timestamp() - interval '1 hour' AND clock_timestamp() + interval '1 hour';
INSERT INTO monitoring.disk (at, free)
SELECT clock_timestamp(), value FROM monitoring.figure
 WHERE name = 'disk_free_bytes'
   AND NOT EXISTS (SELECT FROM monitoring.disk WHERE at BETWEEN clock_timestamp() - interval '59 seconds' AND clock_timestamp());
-- 14 days. By number, so that a clock that was set removes none that is needed.
DELETE FROM monitoring.disk WHERE n <= (SELECT max(n) - 20160 FROM monitoring.disk);
COMMIT;
