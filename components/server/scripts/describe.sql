-- Writes what base backups are annotated with, one `<key>=<value>` a line, next to the backup agent's files. The last line
-- says that it is whole: PostgreSQL writes a file in place. The settings are those that a standby must have as the server
-- had them.
-- Variables: extensions.
SELECT format('COPY (SELECT unnest(ARRAY[%L, %L, %L, ''end''])) TO %L',
              'extensions=' || :'extensions',
              'version=' || split_part(current_setting('server_version'), ' ', 1),
              'settings=' || (SELECT string_agg(name || '=' || setting, ',' ORDER BY name)
                                FROM pg_settings
                               WHERE name IN ('max_connections', 'max_worker_processes', 'max_wal_senders',
                                              'max_prepared_transactions', 'max_locks_per_transaction', 'wal_level')),
              current_setting('data_directory') || '/../handover/description') \gexec
