-- What the server knows of how it is, as JSON in the variable `figures`: [{name, label, value}]. Names and units:
-- docs/status.md. It only reads, so that it answers on a full or read-only disk too. Run as the superuser, in the database
-- `postgres`: by reconcile-figures.sh for those who may only read the figures, and by `npm run status`.
SELECT to_regclass('backup.archived') IS NOT NULL AND current_setting('archive_mode') <> 'off' AS archives,
       to_regclass('monitoring.disk') IS NOT NULL AS remembers
\gset
WITH session AS MATERIALIZED (
  -- Not the sessions of this program: a dump of a large database takes hours, and is meant to.
  SELECT *, application_name NOT LIKE 'transcript-pipeline/%' AS theirs
    FROM pg_stat_activity
   WHERE backend_type = 'client backend'
), slot AS (
  SELECT slot_name,
         CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - restart_lsn AS bytes
    FROM pg_replication_slots
   WHERE restart_lsn IS NOT NULL
\if :archives
), report AS MATERIALIZED (
  -- What the backup agent found in the repositories: see scripts/agent.sh of the backups. An answer to whoever else asks for
  -- it is as good. Not SQL's to trust: it is a file, which may hold zeros after a loss of power. As LATIN1 every other byte
  -- can be read, and what is read of it is ASCII.
  SELECT at, CASE WHEN pg_input_is_valid(said, 'jsonb') AND said IS JSON OBJECT THEN said::jsonb END AS report
    FROM (SELECT CASE WHEN position('\x00'::bytea IN bytes) = 0 THEN convert_from(bytes, 'LATIN1') END AS said, at
            FROM (SELECT pg_read_binary_file(path, 0, 16777216, true) AS bytes, (pg_stat_file(path, true)).modification AS at
                    FROM (SELECT current_setting('data_directory') || '/../handover/report.file' AS path) AS paths) AS files) AS texts
), repository AS MATERIALIZED (
  SELECT split_part(entry, ':', 1) AS key, split_part(entry, ':', 2) AS name
    FROM report, regexp_split_to_table(report ->> 'repositories', ' +') AS entry
   WHERE entry LIKE '%:%'
), backup AS MATERIALIZED (
  -- Those with errors are no backups, nor is what has no time that can be one.
  SELECT found -> 'database' ->> 'repo-key' AS key, to_timestamp((found -> 'timestamp' -> 'stop')::double precision) AS at
    FROM report, jsonb_path_query(report, '$.info[*].backup[*] ? (@.timestamp.stop > 0 && @.timestamp.stop < 100000000000)') AS found
   WHERE (found ->> 'error') IS DISTINCT FROM 'true'
), drill AS MATERIALIZED (
  SELECT n, at, proven, repository.name
    FROM backup.drill JOIN repository ON drill.repository = repository.name OR drill.repository IS NULL
\endif
), figure (name, label, value) AS (
  SELECT 'server_running_seconds', '', extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())
  UNION ALL
  -- Of those that are not kept for the superuser.
  SELECT 'connections_used_ratio', '',
         count(*)::numeric / greatest(1, current_setting('max_connections')::int
                                         - current_setting('superuser_reserved_connections')::int
                                         - current_setting('reserved_connections')::int)
    FROM session
  UNION ALL
  SELECT 'transaction_open_seconds', '', coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)
    FROM session WHERE theirs
  UNION ALL
  SELECT 'lock_wait_seconds', '', coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0) FROM pg_locks
  UNION ALL
  SELECT 'prepared_transaction_seconds', '', coalesce(max(extract(epoch FROM clock_timestamp() - prepared)), 0)
    FROM pg_prepared_xacts
  UNION ALL
  -- Of the 2^31 transaction numbers, and of as many multixacts, those that a vacuum has not freed:
  -- https://www.postgresql.org/docs/16/routine-vacuuming.html#VACUUM-FOR-WRAPAROUND
  SELECT 'transaction_numbers_used_ratio', '',
         greatest(max(age(datfrozenxid)), max(mxid_age(datminmxid)))::numeric / 2147483648
    FROM pg_database
  UNION ALL
  SELECT 'damaged_pages', datname, checksum_failures FROM pg_stat_database WHERE datname IS NOT NULL
  UNION ALL
  SELECT 'slot_wal_bytes', slot_name, bytes FROM slot
  UNION ALL
  SELECT 'cache_hit_ratio', '', sum(blks_hit) / nullif(sum(blks_hit) + sum(blks_read), 0) FROM pg_stat_database
\if :archives
  UNION ALL
  -- Of no archived heartbeat, as where archiving has never worked, or not for longer than heartbeats are kept: as far back
  -- as is known. What was archived is forgotten in a crash.
  SELECT 'archive_behind_seconds', '',
         coalesce((SELECT lost FROM backup.archived),
                  extract(epoch FROM clock_timestamp() - greatest(stats_reset, (SELECT min(at) FROM backup.heartbeat))))
    FROM pg_stat_archiver
  UNION ALL
  SELECT 'archive_waiting_segments', '', count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'
  UNION ALL
  SELECT 'repositories_silent_seconds', '', extract(epoch FROM clock_timestamp() - at) FROM report WHERE at IS NOT NULL
  UNION ALL
  -- 2: it holds no backup yet. The first day's backup ends that.
  SELECT 'repository_failing', name,
         max(CASE WHEN found -> 'status' ->> 'code' = '0' THEN 0
                  WHEN found -> 'status' ->> 'code' = '2'
                       AND (SELECT min(at) FROM backup.heartbeat) > clock_timestamp() - interval '26 hours' THEN 0
                  ELSE 1 END)
    FROM repository, report, jsonb_path_query(report, '$.info[*].repo[*]') AS found
   WHERE found ->> 'key' = key
   GROUP BY name
  UNION ALL
  SELECT 'backup_age_seconds', name, greatest(0, extract(epoch FROM clock_timestamp() - max(at)))
    FROM repository JOIN backup USING (key) GROUP BY name
  UNION ALL
  -- Since the oldest backup, where none was ever proven.
  SELECT 'restore_proven_seconds', name,
         greatest(0, extract(epoch FROM clock_timestamp()
                    - coalesce((SELECT max(at) FROM drill WHERE proven AND drill.name = repository.name), min(at))))
    FROM repository JOIN backup USING (key) GROUP BY name
  UNION ALL
  SELECT DISTINCT ON (name) 'drill_failed', name, CASE WHEN proven THEN 0 ELSE 1 END
    FROM (SELECT * FROM drill ORDER BY name, n DESC) AS newest
\endif
\if :remembers
  UNION ALL
  -- By a straight line through the last day, if it is six hours at least and goes down: 14 days of every minute are kept.
  SELECT 'disk_full_seconds', '', (SELECT free FROM monitoring.disk ORDER BY n DESC LIMIT 1) / -slope
    FROM (SELECT regr_slope(free, extract(epoch FROM at)) AS slope, max(at) - min(at) AS span
            FROM monitoring.disk
           WHERE at BETWEEN clock_timestamp() - interval '24 hours' AND clock_timestamp()) AS line
   WHERE span >= interval '6 hours' AND slope < 0
\endif
)
SELECT coalesce(json_agg(json_build_object('name', name, 'label', label, 'value', round(value::numeric, 4))
                         ORDER BY name, label), '[]') AS figures
  FROM figure
 WHERE value IS NOT NULL
\gset
