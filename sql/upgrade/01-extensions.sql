-- A newer image brings newer libraries; the SQL objects of an extension follow only on request. Upwards
-- only, so that going back to the image before does not fail here.
SET search_path = pg_catalog;

SELECT format('ALTER EXTENSION %I UPDATE TO %L /* from %s */', e.extname, a.default_version, e.extversion)
  FROM pg_extension AS e
  JOIN pg_available_extensions AS a ON a.name = e.extname
 WHERE string_to_array(a.default_version, '.')::int[] > string_to_array(e.extversion, '.')::int[]
 ORDER BY e.extname
\gexec
