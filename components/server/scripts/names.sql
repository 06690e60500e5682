-- Whether the database and its owner are those that this server has: one line for each that is not, with the way out.
-- Variables: database, owner. If there is no database yet, every name is valid.
SELECT format('POSTGRES_DB is ''%s'', and this server has %s. No new, empty database is created next to it. To rename it in '
              'place: docs/renaming.md. To keep it, set POSTGRES_DB (database.name) back', :'database',
              string_agg(quote_ident(datname), ', ' ORDER BY datname))
  FROM pg_database
 WHERE NOT datistemplate AND datname <> 'postgres'
HAVING NOT bool_or(datname = :'database') AND count(*) > 0;
-- A database given to another role by hand still has the owner's tables in it, and is corrected.
SELECT format('POSTGRES_USER is ''%s'', and the owner of database %I is %I, who would keep the tables, the login and the '
              'password. To rename it in place: docs/renaming.md. To keep it, set POSTGRES_USER (database.owner) back',
              :'owner', datname, has.rolname)
  FROM pg_database
  LEFT JOIN pg_roles AS wanted ON wanted.rolname = :'owner'
 CROSS JOIN LATERAL (
   SELECT rolname
     FROM pg_roles
     LEFT JOIN pg_shdepend ON refclassid = 'pg_authid'::regclass AND refobjid = pg_roles.oid AND deptype = 'o'
                              AND dbid = pg_database.oid
    WHERE NOT rolsuper AND (pg_roles.oid = datdba OR dbid IS NOT NULL)
    GROUP BY pg_roles.oid, rolname
    ORDER BY pg_roles.oid = datdba DESC, count(dbid) DESC
    LIMIT 1
 ) AS has
 WHERE datname = :'database' AND datdba IS DISTINCT FROM wanted.oid
   AND NOT EXISTS (SELECT FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = wanted.oid
                                             AND deptype = 'o' AND dbid = pg_database.oid);
