-- migrate:up

-- The functions of the queue within bounds: arguments are checked before a row is touched. Each check
-- raises 22023 (invalid_parameter_value) with the argument's name, its value and what is allowed. What a
-- row may hold is checked by the table as well. They have no search_path of their own, unlike the
-- functions that call them: setting it takes longer than the check, and they name nothing of public.

CREATE FUNCTION checked_kind(kind text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
  -- The length first: a kind that is far too long is neither searched through nor quoted.
  IF char_length(kind) > 63 THEN
    RAISE EXCEPTION 'kind has % characters; at most 63 are allowed', char_length(kind)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF kind IS NULL OR kind !~ '^[a-z][a-z0-9_]{0,62}$' THEN
    RAISE EXCEPTION 'kind is %; it must be a name of lower-case letters, digits and _ that starts with a letter',
                    coalesce(quote_literal(kind), 'null')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN kind;
END;
$$;
COMMENT ON FUNCTION checked_kind(text) IS 'The kind of a job as the table allows it, or an error.';

CREATE FUNCTION checked_payload(payload jsonb) RETURNS jsonb
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
  IF payload IS NULL OR jsonb_typeof(payload) <> 'object' THEN
    RAISE EXCEPTION 'payload is %; it must be a JSON object', coalesce('of type ' || jsonb_typeof(payload), 'null')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF octet_length(payload::text) > 262144 THEN
    RAISE EXCEPTION 'payload has % bytes; at most 262144 are allowed', octet_length(payload::text)
      USING ERRCODE = 'invalid_parameter_value',
            HINT = 'Store it in a table or a file, and put where it is into the payload.';
  END IF;
  RETURN payload;
END;
$$;
COMMENT ON FUNCTION checked_payload(jsonb) IS
  'The payload of a job, or an error: a JSON object of at most 262144 bytes as text.';

CREATE FUNCTION checked_worker(worker text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
  IF char_length(worker) BETWEEN 1 AND 200 THEN
    RETURN worker;
  END IF;
  RAISE EXCEPTION 'worker %; it must be a name of 1 to 200 characters',
                  coalesce('has ' || char_length(worker) || ' characters', 'is null')
    USING ERRCODE = 'invalid_parameter_value';
END;
$$;
COMMENT ON FUNCTION checked_worker(text) IS 'The name of a worker, or an error: 1 to 200 characters.';

CREATE FUNCTION checked_job(job bigint) RETURNS bigint
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
  IF job IS NULL THEN
    RAISE EXCEPTION 'job is null; it must be the id of a job'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN job;
END;
$$;
COMMENT ON FUNCTION checked_job(bigint) IS 'The id of a job, or an error: not null.';

CREATE FUNCTION checked_lease(lease interval) RETURNS interval
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
  -- Months have no length, and compare as 30 days each: one month less 30 days would be zero.
  IF lease IS NULL OR extract(year FROM lease) <> 0 OR extract(month FROM lease) <> 0
     OR lease <= interval '0' OR lease > interval '7 days' THEN
    RAISE EXCEPTION 'lease is %; it must be longer than zero and at most 7 days',
                    coalesce(lease::text, 'null')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- In hours: a day would be one of the session's time zone, of 23 to 25 of them.
  RETURN make_interval(secs => extract(epoch FROM lease));
END;
$$;
COMMENT ON FUNCTION checked_lease(interval) IS
  'The length of a lease in hours, or an error: longer than zero and at most 7 days.';

CREATE OR REPLACE FUNCTION enqueue_job(
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
  job         bigint;
  new_kind    text  := checked_kind(enqueue_job.kind);
  new_payload jsonb := checked_payload(enqueue_job.payload);
BEGIN
  IF octet_length(enqueue_job.unique_key) > 1024 THEN
    RAISE EXCEPTION 'unique_key has % bytes; at most 1024 are allowed', octet_length(enqueue_job.unique_key)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF enqueue_job.priority IS NULL THEN
    RAISE EXCEPTION 'priority is null; it must be an integer'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF enqueue_job.run_at IS NULL
     OR enqueue_job.run_at < '2000-01-01 00:00:00+00' OR enqueue_job.run_at >= '2200-01-01 00:00:00+00' THEN
    RAISE EXCEPTION 'run_at is %; it must be a time from 2000 to 2199',
                    coalesce(enqueue_job.run_at::text, 'null')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF enqueue_job.max_attempts IS NULL OR enqueue_job.max_attempts NOT BETWEEN 1 AND 1000 THEN
    RAISE EXCEPTION 'max_attempts is %; it must be from 1 to 1000',
                    coalesce(enqueue_job.max_attempts::text, 'null')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;

  LOOP
    INSERT INTO jobs (kind, payload, unique_key, priority, run_at, max_attempts)
    VALUES (new_kind, new_payload, enqueue_job.unique_key, enqueue_job.priority,
            enqueue_job.run_at, enqueue_job.max_attempts)
    ON CONFLICT (kind, unique_key) DO NOTHING
    RETURNING id INTO job;
    EXIT WHEN job IS NOT NULL;

    SELECT j.id INTO job
      FROM jobs AS j
     WHERE j.kind = new_kind AND j.unique_key = enqueue_job.unique_key;
    -- Not there either: it was deleted between the two statements, so there is room for a new one.
    EXIT WHEN job IS NOT NULL;
  END LOOP;
  RETURN job;
END;
$$;
COMMENT ON FUNCTION enqueue_job(text, jsonb, text, integer, timestamptz, integer) IS
  'Queues a job and returns its id; with a unique_key that exists already, the id of that job.';

CREATE OR REPLACE FUNCTION claim_jobs(
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
  holder text     := checked_worker(worker);
  length interval := checked_lease(lease);
BEGIN
  IF kinds IS NULL OR cardinality(kinds) NOT BETWEEN 1 AND 100 THEN
    RAISE EXCEPTION 'kinds %; it must be an array of 1 to 100 kinds',
                    coalesce('has ' || cardinality(kinds) || ' elements', 'is null')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM checked_kind(asked.kind) FROM unnest(kinds) AS asked (kind);
  IF max_jobs IS NULL OR max_jobs NOT BETWEEN 1 AND 100 THEN
    RAISE EXCEPTION 'max_jobs is %; it must be from 1 to 100', coalesce(max_jobs::text, 'null')
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
           -- A row that somebody wrote by hand may stand at the most that is allowed.
           attempts     = least(j.attempts + 1, 1000),
           locked_by    = holder,
           locked_until = moment + length
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

CREATE OR REPLACE FUNCTION extend_lease(job bigint, worker text, lease interval DEFAULT '5 minutes')
  RETURNS boolean
  LANGUAGE plpgsql
  SET search_path = public, pg_temp
AS $$
DECLARE
  one    bigint   := checked_job(job);
  holder text     := checked_worker(worker);
  length interval := checked_lease(lease);
BEGIN
  UPDATE jobs AS j
     SET locked_until = clock_timestamp() + length
   WHERE j.id = one AND j.status = 'running' AND j.locked_by = holder;
  RETURN FOUND;
END;
$$;
COMMENT ON FUNCTION extend_lease(bigint, text, interval) IS
  'Keeps a job for lease from now. False: the worker has lost it and must stop working on it.';

CREATE OR REPLACE FUNCTION complete_job(job bigint, worker text) RETURNS boolean
  LANGUAGE plpgsql
  SET search_path = public, pg_temp
AS $$
DECLARE
  one    bigint := checked_job(job);
  holder text   := checked_worker(worker);
BEGIN
  UPDATE jobs AS j
     SET status       = 'done',
         finished_at  = clock_timestamp(),
         locked_by    = NULL,
         locked_until = NULL
   WHERE j.id = one AND j.status = 'running' AND j.locked_by = holder;
  RETURN FOUND;
END;
$$;
COMMENT ON FUNCTION complete_job(bigint, text) IS
  'Marks a job as done. False: the worker has lost it. In one transaction with the result, and '
  'rolled back on false, a result is stored exactly once.';

CREATE OR REPLACE FUNCTION fail_job(job bigint, worker text, error text, retry boolean DEFAULT true)
  RETURNS text
  LANGUAGE plpgsql
  SET search_path = public, pg_temp
AS $$
DECLARE
  moment timestamptz := clock_timestamp();
  one     bigint := checked_job(job);
  holder  text   := checked_worker(worker);
  outcome text;
BEGIN
  IF octet_length(error) > 65536 THEN
    RAISE EXCEPTION 'error has % bytes; at most 65536 are allowed', octet_length(error)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF retry IS NULL THEN
    RAISE EXCEPTION 'retry is null; it must be true or false'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
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
       WHERE r.id = one AND r.status = 'running' AND r.locked_by = holder
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

CREATE OR REPLACE FUNCTION retry_job(job bigint) RETURNS boolean
  LANGUAGE plpgsql
  SET search_path = public, pg_temp
AS $$
DECLARE
  one bigint := checked_job(job);
BEGIN
  UPDATE jobs AS j
     SET status = 'queued', attempts = 0, run_at = clock_timestamp(), finished_at = NULL
   WHERE j.id = one AND j.status = 'dead';
  RETURN FOUND;
END;
$$;
COMMENT ON FUNCTION retry_job(bigint) IS
  'Queues a dead job again with all its attempts. False: there is no dead job of that id.';

-- migrate:down

-- The former definitions.

CREATE OR REPLACE FUNCTION enqueue_job(
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

CREATE OR REPLACE FUNCTION claim_jobs(
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

CREATE OR REPLACE FUNCTION extend_lease(job bigint, worker text, lease interval DEFAULT '5 minutes')
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

CREATE OR REPLACE FUNCTION complete_job(job bigint, worker text) RETURNS boolean
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

CREATE OR REPLACE FUNCTION fail_job(job bigint, worker text, error text, retry boolean DEFAULT true)
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

CREATE OR REPLACE FUNCTION retry_job(job bigint) RETURNS boolean
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

DROP FUNCTION checked_lease(interval);
DROP FUNCTION checked_job(bigint);
DROP FUNCTION checked_worker(text);
DROP FUNCTION checked_payload(jsonb);
DROP FUNCTION checked_kind(text);
