-- migrate:up

CREATE FUNCTION set_updated_at() RETURNS trigger
  LANGUAGE plpgsql
AS $$
BEGIN
  NEW.updated_at := now();
  RETURN NEW;
END;
$$;
COMMENT ON FUNCTION set_updated_at() IS 'Trigger function: stamps updated_at of a changed row.';

CREATE TABLE recordings (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  source_uri   text NOT NULL CHECK (octet_length(source_uri) BETWEEN 1 AND 2048),
  title        text,
  media_type   text,
  media_bytes  bigint CHECK (media_bytes >= 0),
  media_sha256 bytea UNIQUE CHECK (octet_length(media_sha256) = 32),
  duration_ms  integer CHECK (duration_ms >= 0),
  language     language_tag,
  recorded_at  timestamptz,
  metadata     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(metadata) = 'object'),
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE recordings IS 'One audio or video file that is to be, or has been, transcribed.';
COMMENT ON COLUMN recordings.source_uri IS 'Where the media is, as a URI of at most 2048 bytes.';
COMMENT ON COLUMN recordings.media_type IS 'IANA media type, such as audio/flac.';
COMMENT ON COLUMN recordings.media_bytes IS 'Size of the media in bytes.';
COMMENT ON COLUMN recordings.media_sha256 IS
  'SHA-256 of the media, 32 bytes. Unique: the same media comes in once. NULL until it was read.';
COMMENT ON COLUMN recordings.duration_ms IS 'Length in milliseconds (at most 24 days).';
COMMENT ON COLUMN recordings.language IS 'Main language, where it is known beforehand.';
COMMENT ON COLUMN recordings.recorded_at IS 'When it was recorded; created_at is when it came in.';
COMMENT ON COLUMN recordings.metadata IS 'A JSON object with whatever the source knows about it.';

CREATE INDEX recordings_source_uri_idx ON recordings (source_uri);
CREATE INDEX recordings_recorded_at_idx ON recordings (recorded_at);

CREATE TRIGGER recordings_set_updated_at
  BEFORE UPDATE ON recordings
  FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*)
  EXECUTE FUNCTION set_updated_at();

-- migrate:down

DROP TABLE recordings;
DROP FUNCTION set_updated_at();
