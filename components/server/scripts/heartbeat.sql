-- One heartbeat: the time, and how far the WAL is. Run by reconcile-heartbeat.sh in the database `postgres`, where only a
-- superuser can connect: nobody else can write here. Old rows are removed by number, so that a clock that was set back
-- removes none that is needed.
SELECT current_setting('archive_mode') <> 'off' AND NOT pg_is_in_recovery() AS archives,
       to_regclass('backup.drill') IS NULL AS missing
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
GRANT USAGE ON SCHEMA backup TO pg_monitor;
GRANT SELECT ON backup.heartbeat, backup.drill TO pg_monitor;
COMMIT;
\endif
INSERT INTO backup.heartbeat (at, lsn) VALUES (clock_timestamp(), pg_current_wal_insert_lsn());
-- Two days of them.
DELETE FROM backup.heartbeat WHERE n < (SELECT max(n) - 17280 FROM backup.heartbeat);
\endif
