-- migrate:up

-- The cosine distance is computed in single precision: from a vector shorter or longer than this it is
-- NaN, for everybody who finds it. checked_embedding has the same bounds for what is searched with.
ALTER TABLE segment_embeddings
  ADD CONSTRAINT segment_embeddings_length_check
  CHECK (vector_norm(embedding) BETWEEN 1e-15 AND 1e15) NOT VALID;

-- Only its direction counts, which stays as it is.
UPDATE segment_embeddings
   SET embedding = l2_normalize(embedding)
 WHERE vector_norm(embedding) NOT BETWEEN 1e-15 AND 1e15;

ALTER TABLE segment_embeddings VALIDATE CONSTRAINT segment_embeddings_length_check;

COMMENT ON COLUMN segment_embeddings.embedding IS
  '1024 dimensions, compared by cosine distance; any length from 1e-15 to 1e15. Zero has no direction.';

-- migrate:down

COMMENT ON COLUMN segment_embeddings.embedding IS
  '1024 dimensions, compared by cosine distance; any length but zero, which has no direction.';
ALTER TABLE segment_embeddings DROP CONSTRAINT segment_embeddings_length_check;
