# Part of reconcile.sh, whose functions it uses: the limits of each role's sessions, and what a role, the owner or
# somebody by hand has set differently. PostgreSQL lets every role change its own password and settings, and the owner
# the settings of the database, for all future sessions; this checks them again and restores what the program says.

# Each line of the ConfigMap's sessions.conf is `<whose> <setting> <value>`; <whose> is `owner` or a kind of login. The
# setting `connections` is the number of concurrent connections, any other one is PostgreSQL's.
sessions=/etc/postgresql/sessions.conf

# Settings that the owner may attach to the database: those of the extensions, which only tune a search. The bootstrap
# sets two of them.
attachable='^(hnsw|ivfflat|pg_trgm)\.'

# protect_superuser: the superuser's own settings, for people who connect as postgres. See superuser.sh.
protect_superuser() {
  administer -f - >/dev/null 2>"$state/errors" <<'SQL' || {
select coalesce((select setconfig from pg_db_role_setting where setrole = 'postgres'::regrole and setdatabase = 0), '{}')
       = array['search_path=pg_catalog', 'role=none', 'default_transaction_read_only=off',
               'statement_timeout=0', 'lock_timeout=0', 'temp_file_limit=-1'] as right
\gset
begin;
\if :right
\else
alter role postgres reset all;
alter role postgres set search_path = pg_catalog;
alter role postgres set role = 'none';
alter role postgres set default_transaction_read_only = 'off';
alter role postgres set statement_timeout = '0';
alter role postgres set lock_timeout = '0';
alter role postgres set temp_file_limit = '-1';
\endif
commit;
SQL
    said superuser "the settings of postgres could not be corrected: $(tail -n 1 "$state/errors")"
    return 1
  }
}

# ensure_database_settings <database>: removes what the owner attached to it for every session.
ensure_database_settings() {
  local reset
  reset=$(
    administer -At -v database="$1" -v attachable="$attachable" -f - 2>"$state/errors" <<'SQL'
select split_part(setting, '=', 1) as name
  from pg_db_role_setting join pg_database on pg_database.oid = setdatabase, unnest(setconfig) as setting
 where datname = :'database' and setrole = 0 and setting !~ :'attachable';
select format('alter database %I reset %I', :'database', split_part(setting, '=', 1))
  from pg_db_role_setting join pg_database on pg_database.oid = setdatabase, unnest(setconfig) as setting
 where datname = :'database' and setrole = 0 and setting !~ :'attachable' \gexec
SQL
  ) || {
    said settings "the settings of database $1 could not be corrected: $(tail -n 1 "$state/errors")"
    return 1
  }
  [ -z "$reset" ] ||
    say "removed settings that were attached to database $1 by hand: ${reset//$'\n'/, }. Settings for all sessions belong in database.settings"
}

# wanted_sessions <whose>: a line `<setting>=<value>` for each of PostgreSQL's settings, sorted as the server sorts.
wanted_sessions() {
  local whose setting value
  while read -r whose setting value; do
    [ "$whose" != "$1" ] || [ "$setting" = connections ] || printf '%s=%s\n' "$setting" "$value"
  done <"$sessions"
}

# wanted_connections <whose>
wanted_connections() {
  local whose setting value found=-1
  while read -r whose setting value; do
    [ "$whose $setting" != "$1 connections" ] || found=$value
  done <"$sessions"
  echo "$found"
}

# ensure_session_settings <role> <whose>: the settings and the number of connections of one role, and nothing that it
# has set for itself.
ensure_session_settings() {
  local changed
  changed=$(
    administer -At -v role="$1" -v wanted="$(wanted_sessions "$2")" -v connections="$(wanted_connections "$2")" \
      -f - 2>"$state/errors" <<'SQL'
select coalesce(setconfig, '{}') <> wanted.settings or others.some as wrong, rolconnlimit <> :connections as unlimited,
       concat_ws(', ', variadic array(select split_part(setting, '=', 1) from unnest(setconfig) as setting
                                       where setting <> all (wanted.settings))
                                || case when others.some then '{those of one database}'::text[] end) as strange
  from pg_roles
 cross join (select array(select line from unnest(string_to_array(:'wanted', E'\n')) as line where line <> '') as settings) as wanted
  left join pg_db_role_setting as own on own.setrole = pg_roles.oid and own.setdatabase = 0
 cross join lateral (select exists (select from pg_db_role_setting where setrole = pg_roles.oid and setdatabase <> 0) as some) as others
 where rolname = :'role'
\gset
begin;
\if :wrong
select format('alter role %I in database %I reset all', :'role', datname)
  from pg_db_role_setting join pg_database on pg_database.oid = setdatabase where setrole = :'role'::regrole \gexec
alter role :"role" reset all;
select format('alter role %I set %I = %L', :'role', split_part(line, '=', 1), substr(line, strpos(line, '=') + 1))
  from unnest(string_to_array(:'wanted', E'\n')) with ordinality as wanted (line, place) where line <> '' order by place \gexec
\echo :strange
\endif
\if :unlimited
alter role :"role" connection limit :connections;
\endif
commit;
SQL
  ) || {
    said "sessions of $1" "the settings of $1 could not be corrected: $(tail -n 1 "$state/errors")"
    return 1
  }
  [ -z "$changed" ] || say "removed settings of $1 that were not the program's: $changed"
}

# fingerprint: everything about the roles and the database that a role, the owner or somebody by hand can change, as one
# hash; it covers a password's verifier, which cannot be read from it.
fingerprint() {
  administer -At -v owner="$(cat /etc/credentials/owner/POSTGRES_USER)" -v database="$(cat /etc/credentials/owner/POSTGRES_DB)" \
    -v mark="$mark" -f - 2>/dev/null <<'SQL'
with ours as (
  select * from pg_authid where rolname in ('postgres', :'owner') or shobj_description(oid, 'pg_authid') = :'mark'
)
select encode(sha256(convert_to(coalesce(string_agg(line, E'\n' order by line), ''), 'UTF8')), 'hex')
  from (select ours::text from ours
        union all
        select format('%s in %s: %s %s %s', member, roleid, admin_option, inherit_option, set_option)
          from pg_auth_members where member in (select oid from ours)
        union all
        select format('%s in %s: %s', setrole, setdatabase, setconfig) from pg_db_role_setting
         where setrole in (select oid from ours)
            or setrole = 0 and setdatabase = (select oid from pg_database where datname = :'database')
        union all
        select format('%s %s %s %s', datname, datdba, datallowconn, datconnlimit) from pg_database where datname = :'database'
       ) as all_of_it (line);
SQL
}

# Share of the notification queue above which it is emptied: its 8 GB are on the volume.
notifications=0.02

# watch_notifications: every login may NOTIFY, and PostgreSQL 16 has no limit but the queue's 8 GB. A session that
# listens and stays in one transaction fills it. No view says which one listens: all that are idle in a transaction are
# ended, or else the one that has been active the longest.
watch_notifications() {
  local ended
  ended=$(
    administer -At -v most="$notifications" -f - 2>/dev/null <<'SQL'
select pg_notification_queue_usage() > :most as full
\gset
\if :full
with candidates as (
  select pid, usename, state like 'idle in transaction%' as idle, row_number() over (order by xact_start) as place
    from pg_stat_activity
   where backend_type = 'client backend' and usename <> 'postgres' and xact_start < clock_timestamp() - interval '1 second'
)
select usename || ' (' || pid || ')' || case when pg_terminate_backend(pid) then '' else ', which does not end' end
  from candidates
 where idle or place = 1 and not exists (select from candidates where idle);
\endif
SQL
  )
  [ -z "$ended" ] ||
    say "the queue of notifications was filling up; sessions that kept it full in an open transaction were ended: ${ended//$'\n'/, }"
}
