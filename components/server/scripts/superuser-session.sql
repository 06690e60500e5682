-- The first statement of every superuser's session: see superuser.sh. It uses only pg_catalog, which is the whole
-- search_path by now; PL/pgSQL belongs to the superuser.
DO LANGUAGE plpgsql $session$
DECLARE
  attached record;
BEGIN
  IF session_user <> 'postgres' OR current_user <> 'postgres'
     OR current_setting('search_path') <> 'pg_catalog' THEN
    RAISE EXCEPTION 'this session is not protected: session_user %, current_user %, search_path %',
                    session_user, current_user, current_setting('search_path')
      USING HINT = 'Connect with the options of superuser.sh.';
  END IF;
  -- What the owner attached to the database and no option of the connection outranks; and how statements behave
  -- according to what postgresql.conf says to applications. Memory, planning and logging stay as configured.
  FOR attached IN
    SELECT name, boot_val FROM pg_settings
     WHERE context = 'user' AND source = 'database'
        OR context IN ('user', 'superuser') AND source = 'configuration file' AND boot_val IS NOT NULL
           AND (category IN ('Client Connection Defaults / Statement Behavior',
                             'Client Connection Defaults / Locale and Formatting')
                OR category LIKE 'Version and Platform Compatibility / %'
                OR category = 'Error Handling')
  LOOP
    PERFORM set_config(attached.name, coalesce(attached.boot_val, ''), false);
  END LOOP;
  -- If connections are logged, the log shows that this one was protected.
  IF current_setting('log_connections') = 'on' THEN
    RAISE LOG 'superuser session protected: %', current_setting('application_name');
  END IF;
END
$session$;
