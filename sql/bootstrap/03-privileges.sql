-- What each role may do. Tables, sequences and functions are the owner's and come with migrations,
-- so their privileges are defaults for whatever the owner creates from now on.
SET search_path = pg_catalog;
SET client_min_messages = warning;

-- A login without a group cannot even connect.
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database"
  TO transcripts_readonly, transcripts_readwrite, transcripts_monitoring;
-- Temporary tables are for bulk loading; a reader writes nothing at all.
GRANT TEMPORARY ON DATABASE :"database" TO transcripts_readwrite;

-- The server's other databases are empty, but PUBLIC may connect to them, and write temporary tables and large objects
-- there: a reader could do there what it must not do here.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', datname)
  FROM pg_database
 WHERE datname IN ('postgres', 'template1') AND datname <> :'database'
   AND (datacl IS NULL OR EXISTS (SELECT FROM aclexplode(datacl) WHERE grantee = 0))
\gexec

-- What PostgreSQL lets everybody execute, and with which one login takes the database away from all others:
--   large objects          need no table, and fill the disk
--   advisory locks         fill the lock table, after which nobody can log in; or stand in a migration's way
--   pg_logical_emit_message  writes WAL, from a session that may only read
--   pg_export_snapshot     makes a file with each call
--   transaction numbers    a reader that takes them by the million brings the next wraparound vacuum on
-- The owner keeps its right: a dump repeats both statements, and without any right the first would be an error on
-- restoring instead of a warning.
SELECT format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', oid::regprocedure),
       format('GRANT EXECUTE ON FUNCTION %s TO %I', oid::regprocedure, :'owner')
  FROM pg_proc
 WHERE pronamespace = 'pg_catalog'::regnamespace
   AND (proname IN ('lo_create', 'lo_creat', 'lo_from_bytea', 'pg_logical_emit_message', 'pg_export_snapshot',
                    'txid_current', 'pg_current_xact_id')
        OR proname ~ '^pg_(try_)?advisory_(xact_)?lock(_shared)?$')
   AND (proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0))
\gexec
GRANT EXECUTE ON FUNCTION txid_current(), pg_current_xact_id() TO transcripts_readwrite;

-- The superuser decides how much a sort may write to the disk; the owner, who may fill the disk with rows anyway, may
-- decide it for an index build: migrate.sh does.
GRANT SET ON PARAMETER temp_file_limit TO :"owner";

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO :"owner";
-- Monitoring needs the schema for the view pg_stat_statements; it gets no table of the owner's.
GRANT USAGE ON SCHEMA public
  TO transcripts_readonly, transcripts_readwrite, transcripts_monitoring;

ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT SELECT ON TABLES TO transcripts_readonly;
-- For pg_dump: it reads the position of each sequence.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT SELECT ON SEQUENCES TO transcripts_readonly;

-- No TRUNCATE, REFERENCES or TRIGGER: those are for the schema's owner.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT INSERT, UPDATE, DELETE ON TABLES TO transcripts_readwrite;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT USAGE ON SEQUENCES TO transcripts_readwrite;

-- By default PostgreSQL lets everybody execute a new function. Here a writer may, and a reader if a migration says so.
-- Only a default for all schemas can revoke what PUBLIC has by default.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner"
  REVOKE EXECUTE ON ROUTINES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT EXECUTE ON ROUTINES TO transcripts_readwrite;

-- Only migrations may record which migrations have run. The first migration does this as well; here it is for a
-- restored database, where these defaults had granted it to writers again.
SELECT 'REVOKE INSERT, UPDATE, DELETE ON public.schema_migrations FROM transcripts_readwrite'
 WHERE to_regclass('public.schema_migrations') IS NOT NULL
\gexec
