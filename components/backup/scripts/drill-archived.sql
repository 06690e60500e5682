-- The newest heartbeat whose commit lies in WAL that is archived: what a restore would hold if the disk were lost now. Its
-- number, and the seconds since. Nothing if there is none. Run as the superuser, in the database `postgres`.
WITH archived AS (
  -- After a backup the last file is a note on the segment that it began in.
  SELECT '0/0'::pg_lsn + (segment_number + 1) * pg_size_bytes(current_setting('wal_segment_size')) AS until
    FROM pg_stat_archiver,
         pg_split_walfile_name(CASE WHEN last_archived_wal ~ '^[0-9A-F]{24}' THEN left(last_archived_wal, 24) END)
), heartbeats AS (
  SELECT n, at, lead(lsn) OVER (ORDER BY n) AS after FROM backup.heartbeat
)
SELECT n, round(extract(epoch FROM clock_timestamp() - at), 1)
  FROM heartbeats, archived
 WHERE after <= until
 ORDER BY n DESC
 LIMIT 1;
