-- The databases whose extensions are described: none while the server archives nothing, or nobody is there to read it.
SELECT datname
  FROM pg_database
 WHERE datallowconn AND NOT datistemplate AND current_setting('archive_mode') <> 'off' AND NOT pg_is_in_recovery()
   AND (pg_stat_file(current_setting('data_directory') || '/../handover', true)).isdir
 ORDER BY datname;
