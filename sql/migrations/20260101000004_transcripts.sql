-- migrate:up

CREATE TABLE transcripts (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  recording_id  uuid NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
  model         text NOT NULL CHECK (model <> ''),
  model_version text,
  model_params  jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(model_params) = 'object'),
  language      language_tag,
  status        text NOT NULL DEFAULT 'pending'
                CHECK (status IN ('pending', 'running', 'completed', 'failed')),
  error         text,
  created_at    timestamptz NOT NULL DEFAULT now(),
  updated_at    timestamptz NOT NULL DEFAULT now(),
  completed_at  timestamptz,
  CHECK ((status = 'completed') = (completed_at IS NOT NULL))
);
COMMENT ON TABLE transcripts IS
  'One run of one speech model over one recording. A recording may have several.';
COMMENT ON COLUMN transcripts.model IS 'Name of the speech model, such as whisper-large-v3.';
COMMENT ON COLUMN transcripts.model_version IS 'Release or revision of the model or its runtime.';
COMMENT ON COLUMN transcripts.model_params IS 'A JSON object: beam size, temperature, prompt, …';
COMMENT ON COLUMN transcripts.language IS
  'Language found or asked for. Segments take it over when they are inserted: set it before them.';
COMMENT ON COLUMN transcripts.status IS 'pending, running, completed or failed.';
COMMENT ON COLUMN transcripts.error IS 'Why it failed.';
COMMENT ON COLUMN transcripts.completed_at IS 'Set exactly when status is completed.';

CREATE INDEX transcripts_recording_id_idx ON transcripts (recording_id);

CREATE TRIGGER transcripts_set_updated_at
  BEFORE UPDATE ON transcripts
  FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
  EXECUTE FUNCTION set_updated_at();

-- migrate:down

DROP TABLE transcripts;
