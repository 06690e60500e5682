-- What in the configuration files the server cannot use, and what waits for its restart: one row each, `<kind> <tab>
-- <text>`, kind `wrong`, `unknown` or `restart`; none when everything is in force. Run with -At -F <tab>, by a
-- superuser, in a separate session.
--
-- Reading the file marks, in this session, what only a restart could change. This must happen before the next statement
-- reads the marks.
select count(*) as read_lines from pg_file_settings \gset

with file as (
  select sourcefile, sourceline, seqno, name, setting, applied, error,
         -- If a setting is written twice, the last one counts; the others are not errors.
         row_number() over (partition by lower(name) order by seqno desc) = 1 as counts
    from pg_file_settings
), judged as (
  select f.*, s.name is not null as known, s.setting as in_force, s.unit, s.vartype, s.min_val, s.max_val, s.enumvals, s.context,
         coalesce(s.pending_restart, false) as waits, s.source,
         current_setting(f.name, true) is not null as kept
    from file f left join pg_settings s on lower(s.name) = lower(f.name)
   where f.counts or f.error is not null
)
select 'wrong',
       format('%s line %s: %s%s. %s', sourcefile, sourceline, coalesce(name, 'the file'), coalesce(format(' = ''%s''', setting), ''),
         case
           when error is null and not known then 'The library that owns this prefix has no such setting'
           when error is null then format('The server considers it wrong and uses %s', in_force)
           else upper(left(error, 1)) || substr(error, 2)
         end
         || case
              when enumvals is not null then format('. Allowed: %s', array_to_string(enumvals, ', '))
              when vartype = 'bool' then '. Allowed: on, off'
              when min_val is not null then format('. Allowed: %s to %s%s', min_val, max_val, coalesce(' in units of ' || unit, ''))
              else ''
            end)
  from judged
 where (error is not null and not waits)
    -- From a loaded library, and yet not the file's value: the library did not accept it, with no more than a warning.
    or (error is null and counts and known and source = 'default' and name like '%.%')
    or (error is null and counts and not known and not kept)
union all
select 'unknown',
       format('%s line %s: %s = ''%s''. No loaded library knows it', sourcefile, sourceline, name, setting)
  from judged
 where error is null and counts and not known and kept
union all
select 'restart', format('%s = ''%s'' (now %s%s)', name, setting, in_force, coalesce(' ' || unit, ''))
  from judged
 where waits
union all
select 'wrong', format('%s line %s: %s', file_name, line_number, error)
  from (select file_name, line_number, error from pg_hba_file_rules
        union all select file_name, line_number, error from pg_ident_file_mappings) as access
 where error is not null
 order by 1, 2;
