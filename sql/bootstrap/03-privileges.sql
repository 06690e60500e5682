-- What each role may do. Tables, sequences and functions are the owner's and come with migrations,
-- so their privileges are defaults for whatever the owner creates from now on.
SET search_path = pg_catalog;
SET client_min_messages = warning;

-- A login without a group cannot even connect.
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database"
  TO transcripts_readonly, transcripts_readwrite, transcripts_monitoring;
-- Temporary tables are for loading in bulk; a reader writes nothing at all.
GRANT TEMPORARY ON DATABASE :"database" TO transcripts_readwrite;

-- The server's other databases hold nothing, but PUBLIC may connect to them, and write temporary tables
-- and large objects there: what a reader must not do here it could do next door.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', datname)
  FROM pg_database
 WHERE datname IN ('postgres', 'template1') AND datname <> :'database'
   AND (datacl IS NULL OR EXISTS (SELECT FROM aclexplode(datacl) WHERE grantee = 0))
\gexec

-- Large objects need no table: whoever can connect could fill the disk with them. The owner keeps
-- its right: a dump repeats both statements, and for somebody without any right the first would be
-- an error on restoring instead of a warning.
REVOKE EXECUTE ON FUNCTION lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) TO :"owner";

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO :"owner";
-- Monitoring needs the schema for the view pg_stat_statements; it gets no table of the owner's.
GRANT USAGE ON SCHEMA public
  TO transcripts_readonly, transcripts_readwrite, transcripts_monitoring;

ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT SELECT ON TABLES TO transcripts_readonly;
-- For pg_dump: it reads where each sequence stands.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT SELECT ON SEQUENCES TO transcripts_readonly;

-- No TRUNCATE, REFERENCES or TRIGGER: those are for whoever owns the schema.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT INSERT, UPDATE, DELETE ON TABLES TO transcripts_readwrite;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT USAGE ON SEQUENCES TO transcripts_readwrite;

-- PostgreSQL lets everybody execute a new function. Here a writer may, and a reader where a
-- migration says so. Only a default for all schemas can take away what PUBLIC has by default.
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner"
  REVOKE EXECUTE ON ROUTINES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE :"owner" IN SCHEMA public
  GRANT EXECUTE ON ROUTINES TO transcripts_readwrite;

-- Which migrations have run is for migrations alone to say. The first migration does this as well;
-- here it is for a restored database, where these defaults had given it to writers again.
SELECT 'REVOKE INSERT, UPDATE, DELETE ON public.schema_migrations FROM transcripts_readwrite'
 WHERE to_regclass('public.schema_migrations') IS NOT NULL
\gexec
