-- What the server knows of its archive and of the restore drills, as one JSON object in one line. Run as the superuser, in the
-- database `postgres`. heartbeat.sql creates what it reads.
SELECT to_regclass('backup.archived') IS NOT NULL AS beats
\gset
\set drills null
\set heartbeat null
\if :beats
WITH newest AS (
  SELECT * FROM backup.drill WHERE n > (SELECT max(n) - 20 FROM backup.drill)
  UNION
  (SELECT DISTINCT ON (repository) * FROM backup.drill WHERE proven ORDER BY repository, n DESC)
)
SELECT coalesce(json_agg(newest ORDER BY n DESC), '[]') AS drills FROM newest
\gset
SELECT json_build_object(
  'newest', (SELECT at FROM backup.heartbeat ORDER BY n DESC LIMIT 1),
  'archived', (SELECT at FROM backup.archived),
  'lost', (SELECT lost FROM backup.archived),
  'setBack', (SELECT json_build_object('from', before, 'to', at)
                FROM (SELECT n, at, lag(at) OVER (ORDER BY n) AS before FROM backup.heartbeat) AS heartbeats
               WHERE at < before
               ORDER BY n DESC
               LIMIT 1)) AS heartbeat
\gset
\endif
-- json would keep the line breaks of json_agg's rows.
SELECT jsonb_build_object(
  'now', clock_timestamp(),
  'archiving', current_setting('archive_mode') <> 'off',
  'archiver', (SELECT row_to_json(pg_stat_archiver) FROM pg_stat_archiver),
  'waiting', (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'),
  'heartbeat', :'heartbeat'::json,
  'drills', :'drills'::json);
