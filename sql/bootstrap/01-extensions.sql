-- Extensions. `vector` is not a trusted extension: only a superuser can create it.
--
-- In every file here names are looked up in pg_catalog alone: the owner may create objects in
-- public, and a superuser must not pick one of those up by accident.
SET search_path = pg_catalog;
SET client_min_messages = warning;

CREATE EXTENSION IF NOT EXISTS "uuid-ossp" SCHEMA public;
CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public;

-- A newer image brings newer libraries; their SQL objects follow only on request. Upwards only, so
-- that going back to the image before does not fail here.
SELECT format('ALTER EXTENSION %I UPDATE', e.extname)
  FROM pg_extension AS e
  JOIN pg_available_extensions AS a ON a.name = e.extname
 WHERE e.extname IN ('uuid-ossp', 'vector', 'pg_trgm', 'pg_stat_statements')
   AND string_to_array(a.default_version, '.')::int[] > string_to_array(e.extversion, '.')::int[]
\gexec

-- pg_dump writes an extension's comment into the dump, and only the extension's owner may restore
-- one. Without comments the database owner restores its own backup without an error.
COMMENT ON EXTENSION "uuid-ossp" IS NULL;
COMMENT ON EXTENSION vector IS NULL;
COMMENT ON EXTENSION pg_trgm IS NULL;
COMMENT ON EXTENSION pg_stat_statements IS NULL;
