-- migrate:up

CREATE TABLE segments (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  transcript_id uuid NOT NULL REFERENCES transcripts (id) ON DELETE CASCADE,
  ordinal       integer NOT NULL CHECK (ordinal >= 0),
  start_ms      integer NOT NULL CHECK (start_ms >= 0),
  end_ms        integer NOT NULL,
  speaker       text,
  language      language_tag NOT NULL,
  confidence    real CHECK (confidence BETWEEN 0 AND 1),
  text          text NOT NULL CHECK (text <> ''),
  search        tsvector NOT NULL
                GENERATED ALWAYS AS (to_tsvector(text_search_config(language), text)) STORED,
  UNIQUE (transcript_id, ordinal),
  CHECK (end_ms >= start_ms)
);
COMMENT ON TABLE segments IS
  'A stretch of speech with its text. Segments of one transcript may overlap: people do interrupt.';
COMMENT ON COLUMN segments.ordinal IS 'Place in the transcript, counted from 0.';
COMMENT ON COLUMN segments.start_ms IS 'Milliseconds from the start of the recording.';
COMMENT ON COLUMN segments.end_ms IS 'Milliseconds from the start of the recording.';
COMMENT ON COLUMN segments.speaker IS 'Label from diarisation, or a name.';
COMMENT ON COLUMN segments.language IS
  'Decides how words are stemmed for search. The transcript''s, unless the segment brings its own.';
COMMENT ON COLUMN segments.confidence IS 'The model''s confidence, 0 to 1.';
COMMENT ON COLUMN segments.search IS 'Lexemes of text, stemmed by language.';

CREATE INDEX segments_search_idx ON segments USING gin (search);
CREATE INDEX segments_text_trgm_idx ON segments USING gin (text gin_trgm_ops);
-- For finding the languages in use by hopping from one to the next, however many rows each has.
CREATE INDEX segments_language_idx ON segments (language);

CREATE FUNCTION segments_inherit_language() RETURNS trigger
  LANGUAGE plpgsql
  SET search_path = public, pg_temp
AS $$
BEGIN
  NEW.language := coalesce(
    (SELECT t.language FROM transcripts AS t WHERE t.id = NEW.transcript_id),
    'und');
  RETURN NEW;
END;
$$;
COMMENT ON FUNCTION segments_inherit_language() IS
  'Trigger function: gives a new segment the language of its transcript.';

CREATE TRIGGER segments_inherit_language
  BEFORE INSERT ON segments
  FOR EACH ROW WHEN (NEW.language IS NULL)
  EXECUTE FUNCTION segments_inherit_language();

-- migrate:down

DROP TABLE segments;
DROP FUNCTION segments_inherit_language();
