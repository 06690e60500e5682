-- One heartbeat: the time, and how far the WAL is. Run by reconcile-heartbeat.sh in the database `postgres`, where only a
-- superuser can connect: nobody else can write here. Old rows are removed by number, so that a clock that was set back
-- removes none that is needed.
SELECT current_setting('archive_mode') <> 'off' AND NOT pg_is_in_recovery() AS archives,
       to_regclass('backup.archived') IS NULL AS missing
\gset
\if :archives
\if :missing
BEGIN;
CREATE SCHEMA IF NOT EXISTS backup;
CREATE TABLE IF NOT EXISTS backup.heartbeat (
  n   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at  timestamptz NOT NULL,
  -- Before the row itself: its commit lies between this and the next row's.
  lsn pg_lsn NOT NULL
);
-- The machine's start, and the seconds since: a clock that nobody sets.
ALTER TABLE backup.heartbeat ADD COLUMN IF NOT EXISTS boot uuid, ADD COLUMN IF NOT EXISTS uptime numeric;
-- What the restore drills have found, for `npm run backup -- status` and for monitoring.
CREATE TABLE IF NOT EXISTS backup.drill (
  n          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  proven     boolean NOT NULL,
  -- Of this repository, by its name, this backup and its WAL up to this place.
  repository text,
  label      text,
  lsn        pg_lsn,
  -- Seconds of work that would have been lost, and seconds from the request to the proof.
  rpo        numeric,
  seconds    numeric,
  words      text NOT NULL
);
CREATE OR REPLACE VIEW backup.uptime AS
SELECT pg_read_file('/proc/sys/kernel/random/boot_id', 0, 36, true)::uuid AS boot,
       split_part(pg_read_file('/proc/uptime', 0, 64, true), ' ', 1)::numeric AS seconds;
-- The newest heartbeat whose commit lies in WAL that is archived: what a restore would hold if the disk were lost now. Its
-- number, its time, and the seconds since. Of a heartbeat before the machine's last start, only the clock knows how long
-- ago it was; it was before that start. No row if there is none.
CREATE OR REPLACE VIEW backup.archived AS
WITH archived AS (
  -- After a backup the last file is a note on the segment that it began in.
  SELECT '0/0'::pg_lsn + (segment_number + 1) * pg_size_bytes(current_setting('wal_segment_size')) AS until
    FROM pg_stat_archiver,
         pg_split_walfile_name(CASE WHEN last_archived_wal ~ '^[0-9A-F]{24}' THEN left(last_archived_wal, 24) END)
), now AS MATERIALIZED (
  SELECT * FROM backup.uptime
), heartbeats AS (
  SELECT *, lead(lsn) OVER (ORDER BY n) AS after FROM backup.heartbeat
)
SELECT n, at,
       round(CASE WHEN heartbeats.boot = now.boot THEN now.seconds - uptime
                  ELSE greatest(extract(epoch FROM clock_timestamp() - at), now.seconds, 0) END, 1) AS lost
  FROM heartbeats, archived, now
 WHERE after <= until
 ORDER BY n DESC
 LIMIT 1;
GRANT USAGE ON SCHEMA backup TO pg_monitor;
GRANT SELECT ON backup.heartbeat, backup.drill TO pg_monitor;
COMMIT;
\endif
INSERT INTO backup.heartbeat (at, lsn, boot, uptime)
SELECT clock_timestamp(), pg_current_wal_insert_lsn(), boot, seconds FROM backup.uptime;
-- Two days of them.
DELETE FROM backup.heartbeat WHERE n < (SELECT max(n) - 17280 FROM backup.heartbeat);
-- Nothing is archived before its segment ends, and archive_timeout does not always end it. The checkpointer of PostgreSQL
-- 15 and newer sleeps through it after each start, for checkpoint_timeout (CheckpointerMain: it looks before the recovery
-- is over); and it goes by the clock, which may be set back. Not while another segment waits: more would only fill the
-- disk.
WITH now AS MATERIALIZED (
  SELECT * FROM backup.uptime
)
SELECT pg_switch_wal()
 WHERE EXISTS (
   SELECT FROM backup.heartbeat AS h
     JOIN now USING (boot)
     JOIN pg_settings ON name = 'archive_timeout' AND setting <> '0'
    WHERE now.seconds - h.uptime >= setting::numeric + 10
      AND pg_walfile_name(h.lsn + 1) = pg_walfile_name(pg_current_wal_insert_lsn() + 1)
 ) AND NOT EXISTS (SELECT FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready')
\g /dev/null
\endif
