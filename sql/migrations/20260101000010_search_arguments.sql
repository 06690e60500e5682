-- migrate:up

-- What a search may be asked. Each function returns its argument or raises 22023
-- (invalid_parameter_value) with the argument's name, its value and what is allowed. They are functions
-- so that the BEGIN ATOMIC bodies can use them, and immutable so that a constant is checked while the
-- statement is planned, before anything is searched.

CREATE FUNCTION checked_query(query text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
  -- Without the notice that a query of signs alone has no words: the search itself gives it.
  SET client_min_messages = warning
AS $$
DECLARE
  words integer;
BEGIN
  IF query IS NULL THEN
    RAISE EXCEPTION 'query is null; it must be a text of at most 1000 characters and 32 words'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- The length first: whatever looks into the text then has no more than this to look at.
  IF char_length(query) > 1000 THEN
    RAISE EXCEPTION 'query has % characters; at most 1000 are allowed', char_length(query)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- Counted in what the text is parsed to, in which each word stands in quotes. The parser alone would
  -- take <a b c> for one tag, which a query is not. No configuration makes more words than simple does.
  words := regexp_count(websearch_to_tsquery('pg_catalog.simple', query)::text, '''([^'']|'''')*''');
  IF words > 32 THEN
    RAISE EXCEPTION 'query has % words; at most 32 are allowed', words
      USING ERRCODE = 'invalid_parameter_value',
            DETAIL = 'The parts of a hyphenated word or of an address count as words.';
  END IF;
  RETURN checked_query.query;
END;
$$;
COMMENT ON FUNCTION checked_query(text) IS
  'The query, or an error: at most 1000 characters and 32 words. Each word takes some 65 kB of '
  'memory in each language, and the time to rank a segment grows with the square of the words.';

CREATE FUNCTION checked_words(words tsquery) RETURNS tsquery
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
DECLARE
  repeated text;
  times    integer;
BEGIN
  SELECT word.quoted[1], count(*)
    INTO repeated, times
    FROM regexp_matches(words::text, '(''(?:[^'']|'''')*'')', 'g') AS word (quoted)
   GROUP BY word.quoted[1]
   ORDER BY count(*) DESC
   LIMIT 1;
  IF times > 8 THEN
    RAISE EXCEPTION 'query has the word % % times, as it is stemmed; at most 8 are allowed', repeated, times
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN words;
END;
$$;
COMMENT ON FUNCTION checked_words(tsquery) IS
  'The words of a parsed query, or an error: no word more than 8 times. What ranking takes grows with '
  'the cube of a phrase of one word where a segment repeats that word, as models do when they loop.';

CREATE FUNCTION checked_max_results(max_results integer) RETURNS integer
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
  IF max_results BETWEEN 1 AND 1000 THEN
    RETURN max_results;
  END IF;
  RAISE EXCEPTION 'max_results is %; it must be from 1 to 1000', coalesce(max_results::text, 'null')
    USING ERRCODE = 'invalid_parameter_value';
END;
$$;
COMMENT ON FUNCTION checked_max_results(integer) IS 'max_results, or an error: from 1 to 1000.';

CREATE FUNCTION checked_language(language text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
  IF char_length(language) > 35 THEN
    RAISE EXCEPTION 'language has % characters; at most 35 are allowed', char_length(language)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF language !~ '^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$' THEN
    RAISE EXCEPTION 'language is "%"; it must be a language tag such as en, de or pt-BR, or null for all',
                    language
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN language;
END;
$$;
COMMENT ON FUNCTION checked_language(text) IS
  'The language, or an error: null, or a tag as language_tag has it, of at most 35 characters.';

CREATE FUNCTION checked_model(model text) RETURNS text
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
  IF char_length(model) BETWEEN 1 AND 200 THEN
    RETURN model;
  END IF;
  RAISE EXCEPTION 'model %; it must be a name of 1 to 200 characters',
                  coalesce('has ' || char_length(model), 'is null')
    USING ERRCODE = 'invalid_parameter_value';
END;
$$;
COMMENT ON FUNCTION checked_model(text) IS
  'The name of an embedding model, or an error: from 1 to 200 characters.';

CREATE FUNCTION checked_embedding(embedding vector) RETURNS vector
  LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
  SET search_path = public, extensions, pg_temp
AS $$
BEGIN
  IF embedding IS NULL THEN
    RAISE EXCEPTION 'embedding is null; it must be a vector of 1024 dimensions'
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- As many as the column segment_embeddings.embedding has.
  IF vector_dims(embedding) <> 1024 THEN
    RAISE EXCEPTION 'embedding has % dimensions; it must have 1024', vector_dims(embedding)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  -- The cosine distance is computed in single precision: the square of a length outside these is zero
  -- or infinite there, and the distance NaN. Zero itself has no direction.
  IF vector_norm(embedding) NOT BETWEEN 1e-15 AND 1e15 THEN
    RAISE EXCEPTION 'embedding has the length %; it must be from 1e-15 to 1e15', vector_norm(embedding)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN embedding;
END;
$$;
COMMENT ON FUNCTION checked_embedding(vector) IS
  'The embedding, or an error: 1024 dimensions and a length from 1e-15 to 1e15.';

-- The functions that readers may execute call these with the reader's rights.
GRANT EXECUTE ON FUNCTION
  checked_query(text),
  checked_words(tsquery),
  checked_max_results(integer),
  checked_language(text),
  checked_model(text),
  checked_embedding(vector)
TO transcripts_readonly;

-- migrate:down

DROP FUNCTION checked_embedding(vector);
DROP FUNCTION checked_model(text);
DROP FUNCTION checked_language(text);
DROP FUNCTION checked_max_results(integer);
DROP FUNCTION checked_words(tsquery);
DROP FUNCTION checked_query(text);
