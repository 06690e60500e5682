-- migrate:up

-- Bodies are parsed here, once, where they can be (BEGIN ATOMIC): a caller's search_path cannot change
-- what they mean.

CREATE FUNCTION search_segments_text(
  query       text,
  max_results integer DEFAULT 20,
  language    text DEFAULT NULL
) RETURNS TABLE (
  segment_id    bigint,
  transcript_id uuid,
  recording_id  uuid,
  start_ms      integer,
  end_ms        integer,
  speaker       text,
  text          text,
  rank          real
)
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  WITH RECURSIVE spoken (tag) AS (
    SELECT min(s.language::text) FROM segments AS s
    UNION ALL
    SELECT (SELECT min(s.language::text) FROM segments AS s WHERE s.language::text > spoken.tag)
      FROM spoken
     WHERE spoken.tag IS NOT NULL
  ), asked AS MATERIALIZED (
    -- The query as each language in use would stem it.
    SELECT configs.config,
           websearch_to_tsquery(configs.config, search_segments_text.query) AS words
      FROM (SELECT DISTINCT text_search_config(spoken.tag) AS config
              FROM spoken
             WHERE spoken.tag IS NOT NULL) AS configs
  )
  SELECT hit.id, hit.transcript_id, t.recording_id, hit.start_ms, hit.end_ms, hit.speaker,
         hit.text, hit.rank
    FROM asked
   CROSS JOIN LATERAL (
     -- Compared by configuration and not by language: an index on language would be read as well,
     -- from end to end, to save a few looks at rows.
     SELECT s.id, s.transcript_id, s.start_ms, s.end_ms, s.speaker, s.text,
            ts_rank_cd(s.search, asked.words) AS rank
       FROM segments AS s
      WHERE s.search @@ asked.words
        AND text_search_config(s.language) = asked.config
        AND (search_segments_text.language IS NULL
             OR split_part(s.language::text, '-', 1)
                  = split_part(search_segments_text.language, '-', 1))
      ORDER BY ts_rank_cd(s.search, asked.words) DESC, s.id
      LIMIT search_segments_text.max_results
   ) AS hit
    JOIN transcripts AS t ON t.id = hit.transcript_id
   ORDER BY hit.rank DESC, hit.id
   LIMIT search_segments_text.max_results;
END;
COMMENT ON FUNCTION search_segments_text(text, integer, text) IS
  'Segments with these words, best first. query is as people type it: "a phrase", or, -without. '
  'Searches every language in the way of that language, or the one given.';

CREATE FUNCTION search_segments_fuzzy(query text, max_results integer DEFAULT 20) RETURNS TABLE (
  segment_id    bigint,
  transcript_id uuid,
  recording_id  uuid,
  start_ms      integer,
  end_ms        integer,
  speaker       text,
  text          text,
  similarity    real
)
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT s.id, s.transcript_id, t.recording_id, s.start_ms, s.end_ms, s.speaker, s.text,
         word_similarity(search_segments_fuzzy.query, s.text)
    FROM segments AS s
    JOIN transcripts AS t ON t.id = s.transcript_id
   WHERE search_segments_fuzzy.query <% s.text
   ORDER BY word_similarity(search_segments_fuzzy.query, s.text) DESC, s.id
   LIMIT search_segments_fuzzy.max_results;
END;
COMMENT ON FUNCTION search_segments_fuzzy(text, integer) IS
  'Segments with something spelt like query, for names that a model misheard. How alike it has to '
  'be is pg_trgm.word_similarity_threshold, 0 to 1.';

CREATE FUNCTION search_segments_similar(
  embedding   vector,
  model       text,
  max_results integer DEFAULT 20
) RETURNS TABLE (
  segment_id    bigint,
  transcript_id uuid,
  recording_id  uuid,
  start_ms      integer,
  end_ms        integer,
  speaker       text,
  text          text,
  distance      double precision
)
  LANGUAGE plpgsql STABLE
  SET search_path = public, pg_temp
  -- A plan made without knowing max_results expects to return a tenth of the table, and then reading
  -- and sorting all of it looks cheaper than the HNSW index.
  SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT s.id, s.transcript_id, t.recording_id, s.start_ms, s.end_ms, s.speaker, s.text,
         nearest.distance
    FROM (
      -- With a LIMIT of its own: the index serves an order by the distance and by nothing else.
      SELECT e.segment_id, e.embedding <=> search_segments_similar.embedding AS distance
        FROM segment_embeddings AS e
       WHERE e.model = search_segments_similar.model
       ORDER BY e.embedding <=> search_segments_similar.embedding
       LIMIT search_segments_similar.max_results
    ) AS nearest
    JOIN segments AS s ON s.id = nearest.segment_id
    JOIN transcripts AS t ON t.id = s.transcript_id
   ORDER BY nearest.distance, s.id;
END;
$$;
COMMENT ON FUNCTION search_segments_similar(vector, text, integer) IS
  'The segments nearest in meaning, by cosine distance: 0 the same direction, 1 none, 2 opposite. '
  'The embedding must come from the model named.';

CREATE FUNCTION search_segments_hybrid(
  query       text,
  embedding   vector,
  model       text,
  max_results integer DEFAULT 20
) RETURNS TABLE (
  segment_id    bigint,
  transcript_id uuid,
  recording_id  uuid,
  start_ms      integer,
  end_ms        integer,
  speaker       text,
  text          text,
  score         double precision
)
  LANGUAGE sql STABLE
BEGIN ATOMIC
  -- Reciprocal rank fusion, with its authors' constant of 60: ranks and distances have no common
  -- scale, places in a list have (Cormack, Clarke and Buettcher, SIGIR 2009).
  WITH by_words AS (
    SELECT w.segment_id, row_number() OVER (ORDER BY w.rank DESC, w.segment_id) AS place
      FROM search_segments_text(
             search_segments_hybrid.query,
             greatest(4 * search_segments_hybrid.max_results, 50)) AS w
  ), by_meaning AS (
    SELECT m.segment_id, row_number() OVER (ORDER BY m.distance, m.segment_id) AS place
      FROM search_segments_similar(
             search_segments_hybrid.embedding,
             search_segments_hybrid.model,
             greatest(4 * search_segments_hybrid.max_results, 50)) AS m
  ), fused AS (
    SELECT segment_id,
           coalesce(1.0::double precision / (60 + by_words.place), 0)
             + coalesce(1.0::double precision / (60 + by_meaning.place), 0) AS score
      FROM by_words
      FULL JOIN by_meaning USING (segment_id)
  )
  SELECT s.id, s.transcript_id, t.recording_id, s.start_ms, s.end_ms, s.speaker, s.text, f.score
    FROM fused AS f
    JOIN segments AS s ON s.id = f.segment_id
    JOIN transcripts AS t ON t.id = s.transcript_id
   ORDER BY f.score DESC, s.id
   LIMIT search_segments_hybrid.max_results;
END;
COMMENT ON FUNCTION search_segments_hybrid(text, vector, text, integer) IS
  'Words and meaning together, best first: the two lists fused by place.';

GRANT EXECUTE ON FUNCTION
  search_segments_text(text, integer, text),
  search_segments_fuzzy(text, integer),
  search_segments_similar(vector, text, integer),
  search_segments_hybrid(text, vector, text, integer)
TO transcripts_readonly;

-- migrate:down

DROP FUNCTION search_segments_hybrid(text, vector, text, integer);
DROP FUNCTION search_segments_similar(vector, text, integer);
DROP FUNCTION search_segments_fuzzy(text, integer);
DROP FUNCTION search_segments_text(text, integer, text);
