-- The snapshot that one dump and the counts it is compared with are made in, and the tables that must be in the dump. Run
-- as the owner. The transaction ends when /tmp/dumped is there.
BEGIN;
DO LANGUAGE plpgsql $dump$
DECLARE
  t record;
  tables text[] := '{}';
  strange text[] := '{}';
BEGIN
  -- What pg_dump writes rows of: of a partitioned table, those of its partitions. What belongs to an extension comes with
  -- the extension. Locked before the snapshot, as no snapshot protects from a TRUNCATE.
  FOR t IN
    SELECT format('%I.%I', nspname, relname) AS name
      FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
     WHERE relkind = 'r' AND relpersistence IN ('p', 'u') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_depend
                        WHERE deptype = 'e'
                          AND (classid = 'pg_class'::regclass AND objid = pg_class.oid
                               OR classid = 'pg_namespace'::regclass AND objid = pg_namespace.oid))
     ORDER BY 1
  LOOP
    BEGIN
      EXECUTE 'LOCK TABLE ONLY ' || t.name || ' IN ACCESS SHARE MODE';
      tables := tables || t.name;
    EXCEPTION
      WHEN insufficient_privilege THEN strange := strange || t.name;
      -- Dropped meanwhile.
      WHEN undefined_table OR invalid_schema_name THEN NULL;
    END;
  END LOOP;
  IF cardinality(strange) > 0 THEN
    RAISE EXCEPTION 'the owner may not read %: no dump would hold their rows', array_to_string(strange, ', ')
      USING ERRCODE = 'insufficient_privilege',
            HINT = format('Grant it: GRANT USAGE ON SCHEMA … TO %1$I; GRANT SELECT ON … TO %1$I', current_user);
  END IF;
  PERFORM set_config('dump.tables', array_to_json(tables)::text, true);
END
$dump$;
\o /tmp/tables.json
SELECT current_setting('dump.tables');
\o
SELECT pg_export_snapshot() AS snapshot
\gset
\o /tmp/snapshot.new
\qecho :snapshot
\o
\! mv /tmp/snapshot.new /tmp/snapshot
\! while [ ! -e /tmp/dumped ]; do sleep 0.1; done
COMMIT;
