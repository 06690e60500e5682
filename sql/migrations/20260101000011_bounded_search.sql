-- migrate:up

-- The search functions within bounds: arguments are checked before anything is searched, and in each
-- way of stemming no more than 10,000 segments that match, or 2 MB of text, are ranked: ranking is what
-- costs most, and a common word is in every segment.

CREATE OR REPLACE FUNCTION search_segments_text(
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
  WITH RECURSIVE arguments AS MATERIALIZED (
    SELECT checked_query(search_segments_text.query) AS query,
           split_part(checked_language(search_segments_text.language), '-', 1) AS language
  ), spoken (tag) AS (
    -- From arguments, so that they are checked in an empty database as well.
    SELECT (SELECT min(s.language::text) FROM segments AS s) FROM arguments
    UNION ALL
    SELECT (SELECT min(s.language::text) FROM segments AS s WHERE s.language::text > spoken.tag)
      FROM spoken
     WHERE spoken.tag IS NOT NULL
  ), asked AS MATERIALIZED (
    -- The query as each language in use, or the one asked for, would stem it.
    SELECT configs.config, configs.language,
           checked_words(websearch_to_tsquery(configs.config, configs.query)) AS words
      FROM (SELECT DISTINCT text_search_config(spoken.tag) AS config, arguments.query, arguments.language
              FROM spoken
             CROSS JOIN arguments
             WHERE spoken.tag IS NOT NULL
               AND (arguments.language IS NULL
                    OR split_part(spoken.tag, '-', 1) = arguments.language)) AS configs
  )
  SELECT hit.id, hit.transcript_id, t.recording_id, hit.start_ms, hit.end_ms, hit.speaker,
         hit.text, hit.rank
    FROM asked
   CROSS JOIN LATERAL (
     -- Compared by configuration and not by language: an index on language would be read as well,
     -- from end to end, to save a few looks at rows. Whatever the words, the planner expects a 40,000th
     -- of the table to match, so that the inner limit does not make it prefer reading all of it.
     SELECT c.id, c.transcript_id, c.start_ms, c.end_ms, c.speaker, c.text,
            ts_rank_cd(c.search, asked.words) AS rank
       FROM (SELECT m.*, sum(octet_length(m.text)) OVER (ROWS UNBOUNDED PRECEDING) AS bytes
               FROM (SELECT s.id, s.transcript_id, s.start_ms, s.end_ms, s.speaker, s.text, s.search
                       FROM segments AS s
                      WHERE s.search @@ asked.words
                        AND text_search_config(s.language) = asked.config
                        AND (asked.language IS NULL
                             OR split_part(s.language::text, '-', 1) = asked.language)
                      LIMIT 10000) AS m) AS c
      WHERE c.bytes - octet_length(c.text) < 2000000
      ORDER BY ts_rank_cd(c.search, asked.words) DESC, c.id
      LIMIT checked_max_results(search_segments_text.max_results)
   ) AS hit
    JOIN transcripts AS t ON t.id = hit.transcript_id
   ORDER BY hit.rank DESC, hit.id
   LIMIT checked_max_results(search_segments_text.max_results);
END;
COMMENT ON FUNCTION search_segments_text(text, integer, text) IS
  'Segments with these words, best first. query is as people type it: "a phrase", or, -without. '
  'Searches every language in the way of that language, or the one given. Of more than 10,000 '
  'segments of a language that match, or 2 MB of text, the first ones found are ranked.';

CREATE OR REPLACE FUNCTION search_segments_fuzzy(query text, max_results integer DEFAULT 20) RETURNS TABLE (
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
  WITH arguments AS MATERIALIZED (
    SELECT checked_query(search_segments_fuzzy.query) AS query
  ), matching AS MATERIALIZED (
    -- Materialised, it is read row by row and stops at the limit below, while a plan that knew of the
    -- limit could read the whole table instead of the index.
    SELECT s.id, s.transcript_id, s.start_ms, s.end_ms, s.speaker, s.text, arguments.query
      FROM arguments
     CROSS JOIN segments AS s
     -- Without a letter or a digit nothing is alike, and the index would be read from end to end.
     WHERE cardinality(show_trgm(arguments.query)) > 0
       -- What comparing takes grows with the square of a text that repeats itself. Conditions are tried
       -- in the order of what they cost, so the added nothing puts the comparison after the length.
       AND octet_length(s.text) <= 4000
       AND (arguments.query || '' || '') <% s.text
  ), ranked AS (
    SELECT c.id, c.transcript_id, c.start_ms, c.end_ms, c.speaker, c.text,
           word_similarity(c.query, c.text) AS similarity
      FROM (SELECT * FROM matching LIMIT 10000) AS c
     ORDER BY word_similarity(c.query, c.text) DESC, c.id
     LIMIT checked_max_results(search_segments_fuzzy.max_results)
  )
  SELECT r.id, r.transcript_id, t.recording_id, r.start_ms, r.end_ms, r.speaker, r.text, r.similarity
    FROM ranked AS r
    JOIN transcripts AS t ON t.id = r.transcript_id
   ORDER BY r.similarity DESC, r.id
   LIMIT checked_max_results(search_segments_fuzzy.max_results);
END;
COMMENT ON FUNCTION search_segments_fuzzy(text, integer) IS
  'Segments with something spelt like query, for names that a model misheard. How alike it has to '
  'be is pg_trgm.word_similarity_threshold, 0 to 1. Of more than 10,000 that are, the first 10,000 '
  'found are ranked. Segments of more than 4000 bytes are left out.';

CREATE OR REPLACE FUNCTION search_segments_similar(
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
  SET search_path = public, extensions, pg_temp
  -- A plan made without knowing max_results expects to return a tenth of the table, and then reading
  -- and sorting all of it looks cheaper than the HNSW index.
  SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
  wanted   vector := checked_embedding(search_segments_similar.embedding);
  of_model text := checked_model(search_segments_similar.model);
  most     integer := checked_max_results(search_segments_similar.max_results);
BEGIN
  RETURN QUERY
  SELECT s.id, s.transcript_id, t.recording_id, s.start_ms, s.end_ms, s.speaker, s.text,
         nearest.distance
    FROM (
      -- With a LIMIT of its own: the index serves an order by the distance and by nothing else.
      SELECT e.segment_id, e.embedding <=> wanted AS distance
        FROM segment_embeddings AS e
       WHERE e.model = of_model
       ORDER BY e.embedding <=> wanted
       LIMIT most
    ) AS nearest
    JOIN segments AS s ON s.id = nearest.segment_id
    JOIN transcripts AS t ON t.id = s.transcript_id
   ORDER BY nearest.distance, s.id;
END;
$$;
COMMENT ON FUNCTION search_segments_similar(vector, text, integer) IS
  'The segments nearest in meaning, by cosine distance: 0 the same direction, 1 none, 2 opposite. '
  'The embedding must come from the model named.';

CREATE OR REPLACE FUNCTION search_segments_hybrid(
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
             least(greatest(4 * checked_max_results(search_segments_hybrid.max_results), 50), 1000)) AS w
  ), by_meaning AS (
    SELECT m.segment_id, row_number() OVER (ORDER BY m.distance, m.segment_id) AS place
      FROM search_segments_similar(
             search_segments_hybrid.embedding,
             search_segments_hybrid.model,
             least(greatest(4 * checked_max_results(search_segments_hybrid.max_results), 50), 1000)) AS m
  ), fused AS (
    SELECT segment_id,
           coalesce(1.0::double precision / (60 + by_words.place), 0)
             + coalesce(1.0::double precision / (60 + by_meaning.place), 0) AS score
      FROM by_words
      FULL JOIN by_meaning USING (segment_id)
  ), best AS (
    -- Before the rows of segments are looked up: they are not read for places that are not returned, and
    -- the whole table is not for a few of its rows.
    SELECT fused.segment_id, fused.score
      FROM fused
     ORDER BY fused.score DESC, fused.segment_id
     LIMIT checked_max_results(search_segments_hybrid.max_results)
  )
  SELECT s.id, s.transcript_id, t.recording_id, s.start_ms, s.end_ms, s.speaker, s.text, f.score
    FROM best AS f
    JOIN segments AS s ON s.id = f.segment_id
    JOIN transcripts AS t ON t.id = s.transcript_id
   ORDER BY f.score DESC, s.id;
END;
COMMENT ON FUNCTION search_segments_hybrid(text, vector, text, integer) IS
  'Words and meaning together, best first: the two lists fused by place.';

-- migrate:down

-- The former definitions. search_segments_similar keeps the schema extensions in its path: vector may be there.

CREATE OR REPLACE FUNCTION search_segments_text(
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

CREATE OR REPLACE FUNCTION search_segments_fuzzy(query text, max_results integer DEFAULT 20) RETURNS TABLE (
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

CREATE OR REPLACE FUNCTION search_segments_similar(
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
  SET search_path = public, extensions, pg_temp
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

CREATE OR REPLACE FUNCTION search_segments_hybrid(
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
