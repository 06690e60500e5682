-- migrate:up

-- Rows change state a few times and most are finished: room on each page for those updates, and
-- vacuum by number of changes, not by share of a table that mostly rests.
CREATE TABLE jobs (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind         text NOT NULL CHECK (kind ~ '^[a-z][a-z0-9_]{0,62}$'),
  payload      jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(payload) = 'object'),
  unique_key   text,
  priority     integer NOT NULL DEFAULT 0,
  status       text NOT NULL DEFAULT 'queued'
               CHECK (status IN ('queued', 'running', 'done', 'dead')),
  run_at       timestamptz NOT NULL DEFAULT now(),
  attempts     integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  max_attempts integer NOT NULL DEFAULT 5 CHECK (max_attempts >= 1),
  locked_by    text,
  locked_until timestamptz,
  last_error   text,
  created_at   timestamptz NOT NULL DEFAULT now(),
  finished_at  timestamptz,
  -- In this order, so that nothing but jobs_queued_idx looks good for claiming a kind when the
  -- statistics still describe an almost empty table.
  UNIQUE (unique_key, kind),
  CHECK ((status = 'running') = (locked_by IS NOT NULL)),
  CHECK ((status = 'running') = (locked_until IS NOT NULL)),
  CHECK ((status IN ('done', 'dead')) = (finished_at IS NOT NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE jobs IS
  'Work for workers. Use enqueue_job, claim_jobs, extend_lease, complete_job, fail_job, retry_job.';
COMMENT ON COLUMN jobs.kind IS 'What is to be done: transcribe, embed, …';
COMMENT ON COLUMN jobs.payload IS 'A JSON object with what the worker needs, such as recording_id.';
COMMENT ON COLUMN jobs.unique_key IS
  'Within a kind, one job a key for as long as the row exists: enqueueing again finds it.';
COMMENT ON COLUMN jobs.priority IS 'Higher goes first.';
COMMENT ON COLUMN jobs.status IS 'queued, running, done, or dead: given up, see last_error.';
COMMENT ON COLUMN jobs.run_at IS 'Not before this time.';
COMMENT ON COLUMN jobs.attempts IS 'How often it was claimed.';
COMMENT ON COLUMN jobs.max_attempts IS 'A failure or a lost lease on this attempt makes it dead.';
COMMENT ON COLUMN jobs.locked_by IS 'The worker that has it; a name of one process alone.';
COMMENT ON COLUMN jobs.locked_until IS 'After this time another worker may have it.';

CREATE INDEX jobs_queued_idx ON jobs (kind, priority DESC, run_at, id) WHERE status = 'queued';
CREATE INDEX jobs_running_idx ON jobs (locked_until) WHERE status = 'running';

CREATE FUNCTION jobs_notify() RETURNS trigger
  LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM pg_notify('jobs', NEW.kind);
  RETURN NULL;
END;
$$;
COMMENT ON FUNCTION jobs_notify() IS
  'Trigger function: tells whoever listens on channel jobs the kind of a job that was queued.';

CREATE TRIGGER jobs_notify
  AFTER INSERT OR UPDATE OF status ON jobs
  FOR EACH ROW WHEN (NEW.status = 'queued')
  EXECUTE FUNCTION jobs_notify();

-- With its owner's rights, so that monitoring sees the numbers and no payload.
CREATE VIEW job_counts AS
  SELECT kind, status, count(*) AS jobs, min(run_at) AS oldest_run_at
    FROM jobs
   GROUP BY kind, status;
COMMENT ON VIEW job_counts IS 'Jobs by kind and status, and the earliest run_at of each, for alerts.';
GRANT SELECT ON job_counts TO transcripts_monitoring;

-- migrate:down

DROP VIEW job_counts;
DROP TABLE jobs;
DROP FUNCTION jobs_notify();
