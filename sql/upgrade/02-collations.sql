-- Another distribution has other libraries, which may sort text in another order: an index built in the old order then
-- misses rows. Everything that sorts by a collation whose version has changed is rebuilt, and only then is the new
-- version recorded: after an interruption, it is found and rebuilt.
SET search_path = pg_catalog;

SELECT format('REINDEX INDEX %I.%I', n.nspname, c.relname)
  FROM pg_index AS i
  JOIN pg_class AS c ON c.oid = i.indexrelid AND c.relkind = 'i' AND c.relpersistence <> 't'
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE EXISTS (
         SELECT FROM pg_collation AS used
          WHERE used.collversion <> pg_collation_actual_version(used.oid)
            AND (used.oid = ANY (i.indcollation)
                 -- In an expression or a condition of the index.
                 OR EXISTS (SELECT FROM pg_depend AS d
                             WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                               AND d.refclassid = 'pg_collation'::regclass AND d.refobjid = used.oid)))
    OR ('default'::regcollation = ANY (i.indcollation)
        AND EXISTS (SELECT FROM pg_database AS own
                     WHERE own.datname = current_database()
                       AND own.datcollversion <> pg_database_collation_actual_version(own.oid)))
 ORDER BY c.relpages, c.oid
\gexec

DO $$
DECLARE
  collation_name text;
BEGIN
  FOR collation_name IN
    SELECT format('%I.%I', n.nspname, c.collname)
      FROM pg_collation AS c
      JOIN pg_namespace AS n ON n.oid = c.collnamespace
     WHERE c.collversion <> pg_collation_actual_version(c.oid)
  LOOP
    EXECUTE format('ALTER COLLATION %s REFRESH VERSION', collation_name);
  END LOOP;
END
$$;

SELECT format('ALTER DATABASE %I REFRESH COLLATION VERSION', datname)
  FROM pg_database
 WHERE datname = current_database() AND datcollversion <> pg_database_collation_actual_version(oid)
\gexec
