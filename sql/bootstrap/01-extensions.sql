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

-- pg_dump writes an extension's comment into the dump, and only the extension's owner may restore
-- one. Without comments the database owner restores its own backup without an error.
COMMENT ON EXTENSION "uuid-ossp" IS NULL;
COMMENT ON EXTENSION vector IS NULL;
COMMENT ON EXTENSION pg_trgm IS NULL;
COMMENT ON EXTENSION pg_stat_statements IS NULL;
