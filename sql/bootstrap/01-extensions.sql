-- Extensions, in a schema where only a superuser may create: an extension's own scripts run as the superuser and look
-- names up in its schema. `vector` is not a trusted extension: only a superuser can create it.
--
-- Every file here looks names up only in pg_catalog: the owner may create objects in public, and a superuser must not
-- use one of those by accident.
SET search_path = pg_catalog;
SET client_min_messages = warning;

DO $$
DECLARE
  holder name;
BEGIN
  SELECT r.rolname INTO holder
    FROM pg_namespace AS n JOIN pg_roles AS r ON r.oid = n.nspowner
   WHERE n.nspname = 'extensions' AND NOT r.rolsuper;
  IF FOUND THEN
    RAISE EXCEPTION 'schema extensions belongs to %, and extensions need one that belongs to a superuser', holder
      USING HINT = 'As its owner: ALTER SCHEMA extensions RENAME TO <another name>. Then deploy again.';
  END IF;
END
$$;

-- Usable by everybody who can connect. As a member of an extension the schema is not in any dump: the owner, who may
-- not create it, restores a dump without an error. It keeps the privileges that it has when it becomes a member.
SELECT 'CREATE SCHEMA extensions'
 WHERE to_regnamespace('extensions') IS NULL
\gexec
SELECT format('REVOKE ALL ON SCHEMA extensions FROM %s CASCADE',
              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
  FROM (SELECT DISTINCT a.grantee
          FROM pg_namespace AS n, aclexplode(n.nspacl) AS a
         WHERE n.nspname = 'extensions' AND a.grantee <> n.nspowner AND a.privilege_type <> 'USAGE') AS strange
\gexec
GRANT USAGE ON SCHEMA extensions TO PUBLIC;
SELECT 'ALTER EXTENSION plpgsql ADD SCHEMA extensions'
 WHERE NOT EXISTS (SELECT FROM pg_depend
                    WHERE classid = 'pg_namespace'::regclass AND objid = to_regnamespace('extensions')
                      AND deptype = 'e')
\gexec

-- An older database has them in another schema. Functions with their own search_path first look in both places, and the
-- extensions are moved only once no query runs the old function: readers are not disturbed.
DO $$
DECLARE
  routine record;
  path text[];
  moved boolean := EXISTS (
    SELECT FROM pg_extension
     WHERE extname IN ('uuid-ossp', 'vector', 'pg_trgm', 'pg_stat_statements')
       AND extnamespace <> to_regnamespace('extensions'));
BEGIN
  FOR routine IN
    SELECT p.oid::regprocedure::text AS signature, substr(setting, length('search_path=') + 1) AS written
      FROM pg_proc AS p, unnest(p.proconfig) AS setting
     WHERE moved AND starts_with(setting, 'search_path=')
       AND NOT EXISTS (SELECT FROM pg_depend AS d
                        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
  LOOP
    path := regexp_split_to_array(routine.written, '\s*,\s*');
    CONTINUE WHEN 'extensions' = ANY (path);
    -- Each name is unquoted and quoted again: the path is untrusted text.
    IF EXISTS (SELECT FROM unnest(path) AS part WHERE part !~ '^("[^"]*"|[a-z_][a-z0-9_$]*)$') THEN
      RAISE WARNING 'function % has the search_path %: if it needs an extension, add the schema extensions to it',
                    routine.signature, routine.written;
      CONTINUE;
    END IF;
    -- After everything but pg_temp, which is last if it is named.
    EXECUTE format('ALTER ROUTINE %s SET search_path = %s', routine.signature, (
      SELECT string_agg(quote_ident(btrim(part, '"')), ', ' ORDER BY btrim(part, '"') = 'pg_temp', place)
        FROM unnest(path || 'extensions'::text) WITH ORDINALITY AS named (part, place)));
  END LOOP;
END
$$;
-- In a separate transaction, where psql runs all files in one.
SELECT transaction_timestamp() <> statement_timestamp() AS in_transaction
\gset
\if :in_transaction
COMMIT AND CHAIN;
\endif
SELECT pg_sleep(1)
  FROM pg_extension
 WHERE extname = 'vector' AND extnamespace <> to_regnamespace('extensions');

DO $$
DECLARE
  extension record;
BEGIN
  FOR extension IN
    SELECT e.extname,
           NOT r.rolsuper OR EXISTS (
             SELECT FROM pg_depend AS d
               JOIN pg_shdepend AS s ON s.classid = d.classid AND s.objid = d.objid
                                    AND s.deptype = 'o' AND s.refclassid = 'pg_authid'::regclass
                                    AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
               JOIN pg_roles AS o ON o.oid = s.refobjid
              WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                AND NOT o.rolsuper) AS foreign_parts,
           e.extnamespace <> to_regnamespace('extensions') AS elsewhere
      FROM pg_extension AS e JOIN pg_roles AS r ON r.oid = e.extowner
     WHERE e.extname IN ('uuid-ossp', 'vector', 'pg_trgm', 'pg_stat_statements')
  LOOP
    IF extension.foreign_parts THEN
      RAISE EXCEPTION 'extension %, or a part of it, does not belong to a superuser', extension.extname
        USING HINT = 'DROP EXTENSION it as its owner, with what depends on it saved elsewhere, and deploy again.';
    END IF;
    IF extension.elsewhere THEN
      EXECUTE format('ALTER EXTENSION %I SET SCHEMA extensions', extension.extname);
    END IF;
  END LOOP;
END
$$;

CREATE EXTENSION IF NOT EXISTS "uuid-ossp" SCHEMA extensions;
CREATE EXTENSION IF NOT EXISTS vector SCHEMA extensions;
CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA extensions;
CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA extensions;

-- pg_dump writes an extension's comment into the dump, and only the extension's owner may restore one. Without comments
-- the database owner restores its own backup without an error.
COMMENT ON EXTENSION "uuid-ossp" IS NULL;
COMMENT ON EXTENSION vector IS NULL;
COMMENT ON EXTENSION pg_trgm IS NULL;
COMMENT ON EXTENSION pg_stat_statements IS NULL;
