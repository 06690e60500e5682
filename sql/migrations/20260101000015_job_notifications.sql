-- migrate:up

-- Everybody who is logged in may send notifications, on every channel, and fill the queue that the whole
-- server has for them (PostgreSQL 16 has no privilege for it); a full one makes the sender's transaction
-- fail at its commit. So none is sent while the queue is not almost empty: workers poll as well.
CREATE OR REPLACE FUNCTION jobs_notify() RETURNS trigger
  LANGUAGE plpgsql
AS $$
BEGIN
  -- 1 % of 8 GB: some 80 MB that no listener has read yet.
  IF pg_notification_queue_usage() < 0.01 THEN
    PERFORM pg_notify('jobs', NEW.kind);
  END IF;
  RETURN NULL;
END;
$$;
COMMENT ON FUNCTION jobs_notify() IS
  'Trigger function: tells whoever listens on channel jobs the kind of a job that was queued, unless '
  'the queue of notifications fills up. A hint that anybody can send: claim_jobs says what there is.';

-- migrate:down

CREATE OR REPLACE FUNCTION jobs_notify() RETURNS trigger
  LANGUAGE plpgsql
AS $$
BEGIN
  PERFORM pg_notify('jobs', NEW.kind);
  RETURN NULL;
END;
$$;
COMMENT ON FUNCTION jobs_notify() IS
  'Trigger function: tells whoever listens on channel jobs the kind of a job that was queued.';
