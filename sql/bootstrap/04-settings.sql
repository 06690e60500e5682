-- Settings of the database, in force for every session that starts after this. They are here and not
-- on the search functions that profit from them because the owner may not attach a parameter of a
-- library that its session has not loaded yet: restoring a dump as the owner would fail on them.
SET search_path = pg_catalog;
SET client_min_messages = warning;

-- Without it an HNSW scan looks at hnsw.ef_search (40) entries and stops: a query that wants more
-- rows than that, or filters by model, comes back with too few.
ALTER DATABASE :"database" SET hnsw.iterative_scan = 'strict_order';

-- How alike a word must be for search_segments_fuzzy. The default of 0.6 misses what speech models
-- make of names: Jonson for Johnson is 0.5, Schroder Meier for Schröder-Meyer 0.47.
ALTER DATABASE :"database" SET pg_trgm.word_similarity_threshold = 0.45;
