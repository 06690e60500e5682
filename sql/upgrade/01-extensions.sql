-- A newer image has newer libraries; an extension's SQL objects follow only on request. Only upwards, so that going
-- back to the previous image does not fail here.
--
-- An extension's scripts run as the superuser and look names up in its schema: if another role may create in that
-- schema, or owns the extension, it is skipped, with a message.
SET search_path = pg_catalog;

CREATE TEMPORARY VIEW behind AS
SELECT e.extname, e.extversion, a.default_version, n.nspname,
       o.rolsuper AND s.rolsuper AND NOT EXISTS (
         SELECT FROM aclexplode(n.nspacl) AS p
           LEFT JOIN pg_roles AS grantee ON grantee.oid = p.grantee
          WHERE p.privilege_type = 'CREATE' AND grantee.rolsuper IS NOT TRUE) AS safe
  FROM pg_extension AS e
  JOIN pg_available_extensions AS a ON a.name = e.extname
  JOIN pg_roles AS o ON o.oid = e.extowner
  JOIN pg_namespace AS n ON n.oid = e.extnamespace
  JOIN pg_roles AS s ON s.oid = n.nspowner
 WHERE CASE WHEN a.default_version || e.extversion ~ '^[0-9.]+$'
            THEN string_to_array(a.default_version, '.')::int[] > string_to_array(e.extversion, '.')::int[] END;

SELECT format('extension %s in schema %s is left at %s: its update would run as the superuser in a schema where others may create. Move it first: ALTER EXTENSION %I SET SCHEMA extensions',
              extname, nspname, extversion, extname) AS "not updated"
  FROM behind WHERE NOT safe;

SELECT format('ALTER EXTENSION %I UPDATE TO %L /* from %s */', extname, default_version, extversion)
  FROM behind
 WHERE safe
 ORDER BY extname
\gexec
