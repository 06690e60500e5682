-- migrate:up

-- Bounds on what a job may hold, so that no row makes the functions of the queue fail, or take memory,
-- for somebody else: claim_jobs reads the rows of everybody. Writers may write them without the functions.
ALTER TABLE jobs
  ADD CONSTRAINT jobs_payload_bytes_check CHECK (octet_length(payload::text) <= 262144) NOT VALID,
  ADD CONSTRAINT jobs_unique_key_bytes_check CHECK (octet_length(unique_key) <= 1024) NOT VALID,
  ADD CONSTRAINT jobs_run_at_range_check
    CHECK (run_at >= '2000-01-01 00:00:00+00' AND run_at < '2200-01-01 00:00:00+00') NOT VALID,
  ADD CONSTRAINT jobs_attempts_range_check CHECK (attempts <= 1000) NOT VALID,
  ADD CONSTRAINT jobs_max_attempts_range_check CHECK (max_attempts <= 1000) NOT VALID,
  ADD CONSTRAINT jobs_locked_by_length_check CHECK (char_length(locked_by) BETWEEN 1 AND 200) NOT VALID,
  ADD CONSTRAINT jobs_locked_until_range_check
    CHECK (locked_until >= '2000-01-01 00:00:00+00' AND locked_until < '2200-01-01 00:00:00+00') NOT VALID,
  -- Nor does a time that is infinite make the subtraction fail of whoever watches the queue.
  ADD CONSTRAINT jobs_created_at_finite_check CHECK (isfinite(created_at)) NOT VALID,
  ADD CONSTRAINT jobs_finished_at_finite_check CHECK (isfinite(finished_at)) NOT VALID,
  ADD CONSTRAINT jobs_last_error_bytes_check CHECK (octet_length(last_error) <= 65536) NOT VALID;

-- Rows outside of them are brought inside. A payload cannot be shortened and still say the same: such a
-- job is dead, and says why. One that runs under a name that is none has lost its worker: it is due again.
UPDATE jobs AS j
   SET payload      = CASE WHEN was.large THEN '{}' ELSE j.payload END,
       status       = CASE WHEN was.large AND j.status <> 'done' THEN 'dead'
                           WHEN was.nameless THEN 'queued'
                           ELSE j.status END,
       created_at   = CASE WHEN isfinite(j.created_at) THEN j.created_at ELSE now() END,
       finished_at  = CASE WHEN isfinite(j.finished_at) THEN j.finished_at
                           WHEN was.large OR j.finished_at IS NOT NULL THEN now() END,
       locked_by    = CASE WHEN was.large OR was.nameless THEN NULL ELSE j.locked_by END,
       locked_until = CASE WHEN was.large OR was.nameless OR j.locked_until IS NULL THEN NULL
                           -- As far ahead as a lease may reach.
                           ELSE greatest(least(j.locked_until, now() + interval '168 hours'),
                                         '2000-01-01 00:00:00+00')
                      END,
       unique_key   = CASE WHEN octet_length(j.unique_key) > 1024
                           THEN left(j.unique_key, 128) || '… md5 ' || md5(j.unique_key)
                           ELSE j.unique_key END,
       run_at       = greatest(least(j.run_at, '2199-12-31 00:00:00+00'), '2000-01-01 00:00:00+00'),
       attempts     = least(j.attempts, 1000),
       max_attempts = least(j.max_attempts, 1000),
       last_error   = CASE WHEN was.large AND j.status <> 'done'
                           THEN 'its payload was removed: at most 262144 bytes are allowed'
                           WHEN octet_length(j.last_error) > 65536
                           THEN left(j.last_error, 10000) || '… (shortened)'
                           ELSE j.last_error END
  FROM (SELECT id,
               -- So large as it is stored, it is not turned into text, which may take a gigabyte.
               CASE WHEN pg_column_size(payload) > 2097152 THEN true
                    ELSE octet_length(payload::text) > 262144 END AS large,
               coalesce(char_length(locked_by) NOT BETWEEN 1 AND 200, false) AS nameless
          FROM jobs) AS was
 WHERE was.id = j.id
   AND (was.large OR was.nameless
        OR NOT isfinite(j.created_at) OR NOT isfinite(j.finished_at)
        OR octet_length(j.unique_key) > 1024
        OR j.run_at < '2000-01-01 00:00:00+00' OR j.run_at >= '2200-01-01 00:00:00+00'
        OR j.attempts > 1000 OR j.max_attempts > 1000
        OR j.locked_until < '2000-01-01 00:00:00+00' OR j.locked_until > now() + interval '168 hours'
        OR octet_length(j.last_error) > 65536);

ALTER TABLE jobs
  VALIDATE CONSTRAINT jobs_payload_bytes_check,
  VALIDATE CONSTRAINT jobs_unique_key_bytes_check,
  VALIDATE CONSTRAINT jobs_run_at_range_check,
  VALIDATE CONSTRAINT jobs_attempts_range_check,
  VALIDATE CONSTRAINT jobs_max_attempts_range_check,
  VALIDATE CONSTRAINT jobs_locked_by_length_check,
  VALIDATE CONSTRAINT jobs_locked_until_range_check,
  VALIDATE CONSTRAINT jobs_created_at_finite_check,
  VALIDATE CONSTRAINT jobs_finished_at_finite_check,
  VALIDATE CONSTRAINT jobs_last_error_bytes_check;

COMMENT ON COLUMN jobs.payload IS
  'A JSON object with what the worker needs, such as recording_id; at most 262144 bytes as text.';
COMMENT ON COLUMN jobs.unique_key IS
  'Within a kind, one job a key for as long as the row exists: enqueueing again finds it. At most 1024 bytes.';
COMMENT ON COLUMN jobs.run_at IS 'Not before this time, which is from 2000 to 2199.';
COMMENT ON COLUMN jobs.attempts IS 'How often it was claimed; counted up to 1000.';
COMMENT ON COLUMN jobs.max_attempts IS
  'A failure or a lost lease on this attempt makes it dead; from 1 to 1000.';
COMMENT ON COLUMN jobs.locked_by IS
  'The worker that has it; a name of one process alone, of 1 to 200 characters.';
COMMENT ON COLUMN jobs.last_error IS 'Why the last attempt failed; at most 65536 bytes.';

-- migrate:down

COMMENT ON COLUMN jobs.payload IS 'A JSON object with what the worker needs, such as recording_id.';
COMMENT ON COLUMN jobs.unique_key IS
  'Within a kind, one job a key for as long as the row exists: enqueueing again finds it.';
COMMENT ON COLUMN jobs.run_at IS 'Not before this time.';
COMMENT ON COLUMN jobs.attempts IS 'How often it was claimed.';
COMMENT ON COLUMN jobs.max_attempts IS 'A failure or a lost lease on this attempt makes it dead.';
COMMENT ON COLUMN jobs.locked_by IS 'The worker that has it; a name of one process alone.';
COMMENT ON COLUMN jobs.last_error IS NULL;

ALTER TABLE jobs
  DROP CONSTRAINT jobs_last_error_bytes_check,
  DROP CONSTRAINT jobs_finished_at_finite_check,
  DROP CONSTRAINT jobs_created_at_finite_check,
  DROP CONSTRAINT jobs_locked_until_range_check,
  DROP CONSTRAINT jobs_locked_by_length_check,
  DROP CONSTRAINT jobs_max_attempts_range_check,
  DROP CONSTRAINT jobs_attempts_range_check,
  DROP CONSTRAINT jobs_run_at_range_check,
  DROP CONSTRAINT jobs_unique_key_bytes_check,
  DROP CONSTRAINT jobs_payload_bytes_check;
