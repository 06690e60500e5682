-- The place in the WAL up to which the drill restores, and the snapshot that the rows are counted in. Both say the same
-- of every table that nobody is writing to: whoever locks a table like this meets no transaction that has changed it and
-- is not over. Nobody waits for these locks and they wait for nobody; they are held until another session has the
-- snapshot. Run as the owner.
-- Variables: last (whether to go on without the tables that are written to).
BEGIN;
DO LANGUAGE plpgsql $drill$
DECLARE
  t record;
  locked text[] := '{}';
  busy text[] := '{}';
  strange text[] := '{}';
BEGIN
  -- The rows of a partitioned table are in its partitions. Unlogged tables are empty after a recovery.
  FOR t IN
    SELECT format('%I.%I', nspname, relname) AS name
      FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE relkind = 'r' AND relpersistence = 'p' AND nspname !~ '^pg_' AND nspname <> 'information_schema'
     ORDER BY 1
  LOOP
    BEGIN
      EXECUTE 'LOCK TABLE ONLY ' || t.name || ' IN SHARE MODE NOWAIT';
      locked := locked || t.name;
    EXCEPTION
      WHEN lock_not_available THEN busy := busy || t.name;
      -- Another role's, or dropped meanwhile.
      WHEN insufficient_privilege OR undefined_table OR invalid_schema_name THEN strange := strange || t.name;
    END;
  END LOOP;
  PERFORM set_config('drill.locked', array_to_json(locked)::text, true);
  PERFORM set_config('drill.skipped', array_to_json(busy || strange)::text, true);
  PERFORM set_config('drill.busy', cardinality(busy)::text, true);
END
$drill$;
SELECT current_setting('drill.busy') = '0' OR :last AS usable
\gset
\if :usable
\o /tmp/tables.json
SELECT current_setting('drill.locked');
\o /tmp/skipped.json
SELECT current_setting('drill.skipped');
\o
SELECT pg_export_snapshot() AS snapshot, pg_current_wal_insert_lsn() AS lsn
\gset
\o /tmp/target
\qecho :lsn
\o /tmp/snapshot.new
\qecho :snapshot
\o
\! mv /tmp/snapshot.new /tmp/snapshot
\! i=0; while [ ! -e /tmp/imported ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
\endif
COMMIT;
