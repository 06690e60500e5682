-- Group roles. People and services get their own logins, which become members of one of these; only migrations work as
-- the owner.
SET search_path = pg_catalog;
SET client_min_messages = warning;

SELECT format('CREATE ROLE %I', wanted.name)
  FROM (VALUES ('transcripts_readonly'),
               ('transcripts_readwrite'),
               ('transcripts_monitoring')) AS wanted (name)
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name)
\gexec

-- Restores what was changed by hand, and only that: two sessions that alter one role at the same time fail, and
-- passwords are set while this runs.
SELECT format('ALTER ROLE %I NOLOGIN PASSWORD NULL', rolname)
  FROM pg_authid
 WHERE rolname IN ('transcripts_readonly', 'transcripts_readwrite', 'transcripts_monitoring')
   AND (rolcanlogin OR rolpassword IS NOT NULL)
\gexec
SELECT format(
         'ALTER ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT',
         rolname)
  FROM pg_authid
 WHERE rolname IN ('transcripts_readonly', 'transcripts_readwrite', 'transcripts_monitoring', :'owner')
   AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls OR NOT rolinherit)
\gexec

GRANT transcripts_readonly TO transcripts_readwrite
  WITH ADMIN FALSE, INHERIT TRUE, SET FALSE;
GRANT pg_monitor TO transcripts_monitoring
  WITH ADMIN FALSE, INHERIT TRUE, SET FALSE;
-- Without it pg_stat_statements and pg_stat_activity hide the statements of everybody else.
GRANT pg_read_all_stats TO :"owner"
  WITH ADMIN FALSE, INHERIT TRUE, SET FALSE;
