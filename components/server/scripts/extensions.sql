-- The extensions of this database, as `<database>:<extension>=<version>,…`. Names are their owners' words: of each, what
-- is not a letter, a digit or one of _.+- is written as the bytes of UTF-8, as in a URL (%3D). PL/pgSQL is in every image.
WITH words (place, word, separator) AS (
  SELECT 0, current_database()::text, ':'
   UNION ALL
  SELECT 2 * row_number() OVER (ORDER BY extname), extname::text, '=' FROM pg_extension WHERE extname <> 'plpgsql'
   UNION ALL
  SELECT 2 * row_number() OVER (ORDER BY extname) + 1, extversion, ',' FROM pg_extension WHERE extname <> 'plpgsql'
)
SELECT rtrim(string_agg(plain || separator, '' ORDER BY place), ',')
  FROM words
 CROSS JOIN LATERAL (
   SELECT coalesce(string_agg(CASE WHEN character ~ '[A-Za-z0-9_.+-]' COLLATE "C" THEN character
                                   ELSE regexp_replace(encode(convert_to(character, 'UTF8'), 'hex'), '(..)', '%\1', 'g') END,
                              '' ORDER BY n), '') AS plain
     FROM regexp_split_to_table(word, '') WITH ORDINALITY AS split (character, n)
 ) AS written;
