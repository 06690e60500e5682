-- migrate:up

-- 1024 dimensions: what multilingual models that fit a 16 GB GPU beside a speech model give
-- (bge-m3, multilingual-e5-large, Qwen3-Embedding-0.6B). A model with another dimension needs a
-- table of its own, not a change of this column.
CREATE TABLE segment_embeddings (
  segment_id bigint NOT NULL REFERENCES segments (id) ON DELETE CASCADE,
  model      text NOT NULL CHECK (model <> ''),
  embedding  vector(1024) NOT NULL CHECK (vector_norm(embedding) > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (segment_id, model)
);
COMMENT ON TABLE segment_embeddings IS
  'The meaning of a segment''s text as a vector, once for each embedding model.';
COMMENT ON COLUMN segment_embeddings.model IS
  'Name and version of the embedding model. Vectors of different models cannot be compared.';
COMMENT ON COLUMN segment_embeddings.embedding IS
  '1024 dimensions, compared by cosine distance; any length but zero, which has no direction.';

-- m and ef_construction are pgvector's defaults, written down because changing them later means
-- building the index again.
CREATE INDEX segment_embeddings_embedding_idx ON segment_embeddings
  USING hnsw (embedding vector_cosine_ops) WITH (m = 16, ef_construction = 64);

CREATE FUNCTION segments_drop_stale_embeddings() RETURNS trigger
  LANGUAGE plpgsql
  SET search_path = public, pg_temp
AS $$
BEGIN
  DELETE FROM segment_embeddings AS e WHERE e.segment_id = NEW.id;
  RETURN NULL;
END;
$$;
COMMENT ON FUNCTION segments_drop_stale_embeddings() IS
  'Trigger function: a segment whose text was corrected loses the embeddings of the old text.';

CREATE TRIGGER segments_drop_stale_embeddings
  AFTER UPDATE OF text ON segments
  FOR EACH ROW WHEN (OLD.text IS DISTINCT FROM NEW.text)
  EXECUTE FUNCTION segments_drop_stale_embeddings();

-- migrate:down

DROP TRIGGER segments_drop_stale_embeddings ON segments;
DROP FUNCTION segments_drop_stale_embeddings();
DROP TABLE segment_embeddings;
