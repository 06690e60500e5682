-- Settings of the database, in force for every session that starts after this. They are not on the search functions
-- that profit from them, because the owner may not attach a parameter of a library that its session has not loaded yet:
-- restoring a dump as the owner would fail on them.
SET search_path = pg_catalog;
SET client_min_messages = warning;

-- Removes what the owner, or somebody by hand, attached to the database for every session, including the migrations'. A
-- search_path that finds the extensions may stay; if postgresql.conf has none, it is needed.
SELECT format('ALTER DATABASE %I RESET %I', :'database', split_part(setting, '=', 1))
  FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase, unnest(s.setconfig) AS setting
 WHERE d.datname = :'database' AND s.setrole = 0
   AND setting !~ '^((hnsw|ivfflat|pg_trgm)\.|search_path=.*extensions)'
\gexec

-- Without it an HNSW scan reads hnsw.ef_search (40) entries and stops: a query that needs more rows than that, or
-- filters by model, returns too few.
ALTER DATABASE :"database" SET hnsw.iterative_scan = 'strict_order';

-- How similar a word must be for search_segments_fuzzy. The default of 0.6 misses what speech models make of names:
-- Jonson for Johnson is 0.5, Schroder Meier for Schröder-Meyer 0.47.
ALTER DATABASE :"database" SET pg_trgm.word_similarity_threshold = 0.45;
