-- Asks the backup agent what is in the repositories, and says whether to ask `again` soon: there is no answer yet, or nobody
-- to ask. Variables: word.
SELECT current_setting('archive_mode') <> 'off' AND EXISTS (SELECT FROM pg_stat_file(handover, true) AS folder WHERE folder.isdir) AS asks,
       handover
  FROM (SELECT current_setting('data_directory') || '/../handover' AS handover) AS paths
\gset
\if :asks
SELECT format('COPY (SELECT %L) TO %L', :'word', :'handover' || '/report.wanted') \gexec
SELECT CASE WHEN modification IS NULL THEN 'again' ELSE 'asked' END FROM pg_stat_file(:'handover' || '/report.file', true);
\else
SELECT 'again';
\endif
