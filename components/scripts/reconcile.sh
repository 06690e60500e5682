#!/bin/bash
# Keeps what the Secrets and the ConfigMap say true of the running server: the logins and their passwords, the
# database, and the settings that a reload brings into force. Runs beside the server, over its socket, as the
# operating system's user that pg_ident maps to `postgres`.
# Mounted: /etc/credentials/owner, /etc/credentials/superuser and, where there is one, /etc/credentials/logins
# (Secrets), /etc/postgresql (ConfigMap), /run/reconcile (memory).
# Run by stoppable.sh, which ends it.
set -uo pipefail

state=/run/reconcile
socket=/var/run/postgresql
say() { echo "reconcile: $*"; }

# Nothing of a password may reach the server's log or the statistics.
export PGOPTIONS="-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic -c pg_stat_statements.track=none"
export PGCONNECT_TIMEOUT=5

superuser() { psql -X -q -v ON_ERROR_STOP=1 -h "$socket" -U postgres -d postgres "$@"; }

# logs_in <role> <password> <database>: whether the password is the one in the database, over TCP as clients come.
logs_in() {
  local escaped=${2//\\/\\\\}
  (
    umask 077
    printf '*:*:*:*:%s\n' "${escaped//:/\\:}" >"$state/pgpass"
  )
  PGOPTIONS= PGPASSFILE="$state/pgpass" psql -X -q -w -h 127.0.0.1 -U "$1" -d "$3" -c '' >/dev/null 2>&1
  local status=$?
  rm -f "$state/pgpass"
  return $status
}

# set_password <role> <password>: psql makes the SCRAM verifier, so that the server never sees the password.
# Without a terminal \password reads it from standard input, asked twice.
set_password() {
  printf '%s\n%s\n' "$2" "$2" | superuser -c "\\password \"$1\"" >/dev/null 2>"$state/errors" || {
    say "the password of $1 could not be set: $(grep -v '^Enter' "$state/errors")"
    return 1
  }
}

ensure_password() {
  logs_in "$@" && return
  set_password "$1" "$2" || return 1
  logs_in "$@" || {
    say "the password of $1 was set but does not log in"
    return 1
  }
  say "the password of $1 is now the one in its Secret"
}

ensure_login_and_database() {
  superuser -v owner="$1" -v database="$2" <<'SQL'
select format('create role %I', :'owner') where not exists (select from pg_roles where rolname = :'owner') \gexec
alter role :"owner" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
select format('create database %I owner %I template template0 encoding ''UTF8'' locale ''C.UTF-8''', :'database', :'owner')
 where not exists (select from pg_database where datname = :'database') \gexec
select format('alter database %I owner to %I', :'database', :'owner')
  from pg_database where datname = :'database' and datdba <> :'owner'::regrole \gexec
SQL
}

apply() {
  local owner database
  owner=$(cat /etc/credentials/owner/POSTGRES_USER)
  database=$(cat /etc/credentials/owner/POSTGRES_DB)
  ensure_password postgres "$(cat /etc/credentials/superuser/POSTGRES_PASSWORD)" postgres &&
    ensure_login_and_database "$owner" "$database" &&
    ensure_password "$owner" "$(cat /etc/credentials/owner/POSTGRES_PASSWORD)" "$database"
}

# notice <database>: says what the image brings and the database has not followed. Following is done on purpose, by
# the Job of docs/upgrades.md.
notice() {
  superuser -d "$1" -At <<'SQL' | while read -r line; do say "$line. See docs/upgrades.md"; done
select format('extension %s of %s is at %s, and the image brings %s', e.extname, current_database(), e.extversion, a.default_version)
  from pg_extension e join pg_available_extensions a on a.name = e.extname
 where a.default_version <> e.extversion;
select format('collation %s of %s was sorted by version %s, and the image sorts by %s', c.collname, current_database(), c.collversion, pg_collation_actual_version(c.oid))
  from pg_collation c
 where c.collversion <> pg_collation_actual_version(c.oid)
   and exists (select from pg_depend d where d.refclassid = 'pg_collation'::regclass and d.refobjid = c.oid);
select format('database %s was sorted by version %s, and the image sorts by %s', datname, datcollversion, pg_database_collation_actual_version(oid))
  from pg_database where datname = current_database() and datcollversion <> pg_database_collation_actual_version(oid);
SQL
}

# shellcheck source=components/scripts/reconcile-logins.sh
. "$(dirname "$0")/reconcile-logins.sh"

applied=
loaded=
while true; do
  touch "$state/heartbeat"
  # The socket's lock file names the postmaster and its start: another server is another reason to look.
  if wanted=$(cat "$socket/.s.PGSQL.5432.lock" /etc/credentials/{owner,superuser}/* 2>/dev/null | cksum) &&
    [ "$wanted" != "$applied" ] && pg_isready -q -h "$socket"; then
    if apply; then
      applied=$wanted
      touch "$state/done"
      notice "$(cat /etc/credentials/owner/POSTGRES_DB)"
    fi
  fi
  # After what makes the pod ready, which no login holds back. Without the Secret nothing is known about any.
  [ -z "$applied" ] || reconcile_logins
  # A ConfigMap volume is changed by turning one symbolic link.
  version=$(readlink /etc/postgresql/..data)
  if [ "$version" != "$loaded" ] && [ -n "$applied" ]; then
    # Read at its start already. A reload that fails, as when the server is just being started, is tried again.
    if [ -z "$loaded" ]; then
      loaded=$version
    elif superuser -c 'select pg_reload_conf()' >/dev/null 2>&1; then
      loaded=$version
      say "settings reloaded"
    fi
  fi
  if [ -n "$applied" ]; then sleep 2; else sleep 0.2; fi
done
