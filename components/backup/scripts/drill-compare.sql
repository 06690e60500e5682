-- What differs between the live database, as it was counted at the place in the WAL, and the restored copy: a line for
-- each difference. Run as the superuser, in the database `postgres`.
\set wanted `cat /tmp/wanted.json`
\set found `cat /tmp/found.json`
SELECT format('table %s has %s instead of %s rows', name, coalesce(f.value, 'no count'), w.value)
  FROM json_each_text(:'wanted'::json -> 'rows') AS w (name, value)
  LEFT JOIN json_each_text(:'found'::json -> 'rows') AS f (name, value) USING (name)
 WHERE f.value IS DISTINCT FROM w.value
 ORDER BY 1;
CREATE TEMPORARY VIEW migrations AS
  SELECT 'wanted' AS run, json_array_elements_text(CASE json_typeof(:'wanted'::json -> 'migrations')
                                                   WHEN 'array' THEN :'wanted'::json -> 'migrations' ELSE '[]' END) AS version
   UNION ALL
  SELECT 'found', json_array_elements_text(CASE json_typeof(:'found'::json -> 'migrations')
                                           WHEN 'array' THEN :'found'::json -> 'migrations' ELSE '[]' END);
SELECT format('migration %s is %s', version, CASE min(run) WHEN 'wanted' THEN 'missing' ELSE 'there, and had not run' END)
  FROM pg_temp.migrations
 GROUP BY version
HAVING count(*) = 1
 ORDER BY 1;
