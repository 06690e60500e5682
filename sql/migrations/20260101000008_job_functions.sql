-- migrate:up

CREATE FUNCTION enqueue_job(
  kind         text,
  payload      jsonb DEFAULT '{}',
  unique_key   text DEFAULT NULL,
  priority     integer DEFAULT 0,
  run_at       timestamptz DEFAULT now(),
  max_attempts integer DEFAULT 5
) RETURNS bigint
  LANGUAGE plpgsql
  SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
  job bigint;
BEGIN
  LOOP
    INSERT INTO jobs (kind, payload, unique_key, priority, run_at, max_attempts)
    VALUES (enqueue_job.kind, enqueue_job.payload, enqueue_job.unique_key, enqueue_job.priority,
            enqueue_job.run_at, enqueue_job.max_attempts)
    ON CONFLICT (kind, unique_key) DO NOTHING
    RETURNING id INTO job;
    EXIT WHEN job IS NOT NULL;

    SELECT j.id INTO job
      FROM jobs AS j
     WHERE j.kind = enqueue_job.kind AND j.unique_key = enqueue_job.unique_key;
    -- Not there either: it was deleted between the two statements, so there is room for a new one.
    EXIT WHEN job IS NOT NULL;
  END LOOP;
  RETURN job;
END;
$$;
COMMENT ON FUNCTION enqueue_job(text, jsonb, text, integer, timestamptz, integer) IS
  'Queues a job and returns its id; with a unique_key that exists already, the id of that job.';

CREATE FUNCTION claim_jobs(
  worker   text,
  kinds    text[],
  max_jobs integer DEFAULT 1,
  lease    interval DEFAULT '5 minutes'
) RETURNS SETOF jobs
  LANGUAGE plpgsql
  SET search_path = public, pg_temp
AS $$
DECLARE
  -- Not now(), which stands still in a long transaction; a variable, so that indexes can be used.
  moment timestamptz := clock_timestamp();
BEGIN
  IF lease <= interval '0' THEN
    RAISE EXCEPTION 'lease must be longer than zero, not %', lease
      USING ERRCODE = 'invalid_parameter_value';
  END IF;

  -- Leases that ran out. There was a wait already, so they are due at once.
  WITH expired AS MATERIALIZED (
    SELECT j.id
      FROM jobs AS j
     WHERE j.status = 'running' AND j.locked_until <= moment
     ORDER BY j.locked_until
     LIMIT 100
       FOR UPDATE SKIP LOCKED
  )
  UPDATE jobs AS j
     SET status       = CASE WHEN j.attempts < j.max_attempts THEN 'queued' ELSE 'dead' END,
         finished_at  = CASE WHEN j.attempts < j.max_attempts THEN NULL ELSE moment END,
         last_error   = format('lease of %s ran out at %s', j.locked_by, j.locked_until),
         locked_by    = NULL,
         locked_until = NULL
    FROM expired
   WHERE j.id = expired.id;

  -- Kind by kind, so that a long queue of one kind is never read on the way to another. Asking for
  -- several kinds hides up to max_jobs of each from others until the transaction ends.
  RETURN QUERY
  WITH due AS MATERIALIZED (
    SELECT head.id
      FROM (SELECT DISTINCT unnest(kinds) AS kind) AS wanted
     CROSS JOIN LATERAL (
       SELECT j.id, j.priority, j.run_at
         FROM jobs AS j
        WHERE j.status = 'queued' AND j.kind = wanted.kind AND j.run_at <= moment
        ORDER BY j.priority DESC, j.run_at, j.id
        LIMIT max_jobs
          FOR UPDATE SKIP LOCKED
     ) AS head
     ORDER BY head.priority DESC, head.run_at, head.id
     LIMIT max_jobs
  ), claimed AS (
    UPDATE jobs AS j
       SET status       = 'running',
           attempts     = j.attempts + 1,
           locked_by    = worker,
           locked_until = moment + lease
      FROM due
     WHERE j.id = due.id
    RETURNING j.*
  )
  SELECT c.* FROM claimed AS c ORDER BY c.priority DESC, c.run_at, c.id;
END;
$$;
COMMENT ON FUNCTION claim_jobs(text, text[], integer, interval) IS
  'Gives worker up to max_jobs due jobs for the length of lease, the most urgent first. No two '
  'workers get the same job. Commit at once: the claim is in the row, not in the transaction.';

CREATE FUNCTION extend_lease(job bigint, worker text, lease interval DEFAULT '5 minutes')
  RETURNS boolean
  LANGUAGE plpgsql
  SET search_path = public, pg_temp
AS $$
BEGIN
  UPDATE jobs AS j
     SET locked_until = clock_timestamp() + lease
   WHERE j.id = job AND j.status = 'running' AND j.locked_by = worker;
  RETURN FOUND;
END;
$$;
COMMENT ON FUNCTION extend_lease(bigint, text, interval) IS
  'Keeps a job for lease from now. False: the worker has lost it and must stop working on it.';

CREATE FUNCTION complete_job(job bigint, worker text) RETURNS boolean
  LANGUAGE plpgsql
  SET search_path = public, pg_temp
AS $$
BEGIN
  UPDATE jobs AS j
     SET status       = 'done',
         finished_at  = clock_timestamp(),
         locked_by    = NULL,
         locked_until = NULL
   WHERE j.id = job AND j.status = 'running' AND j.locked_by = worker;
  RETURN FOUND;
END;
$$;
COMMENT ON FUNCTION complete_job(bigint, text) IS
  'Marks a job as done. False: the worker has lost it. In one transaction with the result, and '
  'rolled back on false, a result is stored exactly once.';

CREATE FUNCTION fail_job(job bigint, worker text, error text, retry boolean DEFAULT true)
  RETURNS text
  LANGUAGE plpgsql
  SET search_path = public, pg_temp
AS $$
DECLARE
  moment timestamptz := clock_timestamp();
  outcome text;
BEGIN
  UPDATE jobs AS j
     SET status       = next.status,
         -- 30 s, 1, 2, 4, … minutes, at most an hour. The exponent is bounded: intervals are too.
         run_at       = CASE next.status
                          WHEN 'queued' THEN moment + least(
                            interval '30 seconds' * power(2, least(j.attempts - 1, 16)),
                            interval '1 hour')
                          ELSE j.run_at
                        END,
         finished_at  = CASE next.status WHEN 'dead' THEN moment END,
         last_error   = fail_job.error,
         locked_by    = NULL,
         locked_until = NULL
    FROM (
      SELECT r.id,
             CASE WHEN retry AND r.attempts < r.max_attempts THEN 'queued' ELSE 'dead' END AS status
        FROM jobs AS r
       WHERE r.id = job AND r.status = 'running' AND r.locked_by = worker
         FOR UPDATE
    ) AS next
   WHERE j.id = next.id
  RETURNING j.status INTO outcome;
  RETURN outcome;
END;
$$;
COMMENT ON FUNCTION fail_job(bigint, text, text, boolean) IS
  'Queues a failed job again, later each time, or makes it dead when its attempts are used up or '
  'retry is false. Returns its new status; NULL: the worker has lost it.';

CREATE FUNCTION retry_job(job bigint) RETURNS boolean
  LANGUAGE plpgsql
  SET search_path = public, pg_temp
AS $$
BEGIN
  UPDATE jobs AS j
     SET status = 'queued', attempts = 0, run_at = clock_timestamp(), finished_at = NULL
   WHERE j.id = job AND j.status = 'dead';
  RETURN FOUND;
END;
$$;
COMMENT ON FUNCTION retry_job(bigint) IS
  'Queues a dead job again with all its attempts. False: there is no dead job of that id.';

-- migrate:down

DROP FUNCTION retry_job(bigint);
DROP FUNCTION fail_job(bigint, text, text, boolean);
DROP FUNCTION complete_job(bigint, text);
DROP FUNCTION extend_lease(bigint, text, interval);
DROP FUNCTION claim_jobs(text, text[], integer, interval);
DROP FUNCTION enqueue_job(text, jsonb, text, integer, timestamptz, integer);
