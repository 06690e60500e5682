-- One transcript with one sentence, the same in every run: written, then found by vector distance.
-- The number of times it was written shows whether an earlier deployment's rows are still there.
BEGIN;
INSERT INTO recordings (id, source_uri, title, language, metadata)
VALUES ('00000000-0000-4000-8000-000000000001', 'smoke:test', 'Smoke test', 'en', '{"runs": 1}')
ON CONFLICT (id) DO UPDATE
   SET metadata = jsonb_build_object('runs', (recordings.metadata->>'runs')::integer + 1);
DELETE FROM transcripts WHERE recording_id = '00000000-0000-4000-8000-000000000001';
WITH transcript AS (
  INSERT INTO transcripts (recording_id, model, language)
  VALUES ('00000000-0000-4000-8000-000000000001', 'smoke-test', 'en') RETURNING id
), segment AS (
  INSERT INTO segments (transcript_id, ordinal, start_ms, end_ms, text)
  SELECT id, 0, 0, 1500, 'The foxes were jumping' FROM transcript RETURNING id
)
INSERT INTO segment_embeddings (segment_id, model, embedding)
SELECT id, 'smoke-test', (array_fill(0, ARRAY[1023]) || 1)::vector FROM segment;
COMMIT;
SELECT format('"%s" found at cosine distance %s, written %s time(s) since %s', found.text, found.distance,
              recordings.metadata->>'runs', recordings.created_at::timestamp(0))
  FROM search_segments_similar((array_fill(0, ARRAY[1023]) || 1)::vector, 'smoke-test', max_results => 1) AS found
  JOIN recordings ON recordings.id = found.recording_id;
