-- What the server knows of its archive and of the restore drills, as one JSON object. Run as the superuser, in the
-- database `postgres`. heartbeat.sql creates the tables.
SELECT to_regclass('backup.drill') IS NOT NULL AS beats
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
WITH archived AS (
  SELECT '0/0'::pg_lsn + (segment_number + 1) * pg_size_bytes(current_setting('wal_segment_size')) AS until
    FROM pg_stat_archiver,
         pg_split_walfile_name(CASE WHEN last_archived_wal ~ '^[0-9A-F]{24}' THEN left(last_archived_wal, 24) END)
), heartbeats AS (
  SELECT at, lead(lsn) OVER (ORDER BY n) AS after FROM backup.heartbeat
)
SELECT json_build_object('newest', (SELECT max(at) FROM heartbeats),
                         'archived', (SELECT max(at) FROM heartbeats, archived WHERE after <= until)) AS heartbeat
\gset
\endif
SELECT json_build_object(
  'now', clock_timestamp(),
  'archiving', current_setting('archive_mode') <> 'off',
  'archiver', (SELECT row_to_json(pg_stat_archiver) FROM pg_stat_archiver),
  'waiting', (SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'),
  'heartbeat', :'heartbeat'::json,
  'drills', :'drills'::json);
