#!/bin/sh
# Runs sql/migrations with dbmate as the owner of the database. Can run at any time, any number at once.
# Environment: PGHOST, PGPORT, WAIT (seconds that the server may be unreachable, or that others may hold a lock); with TLS
# PGSSLMODE, and PGSSLROOTCERT (a file, or `system`).
# Retries after a lost connection, or if another session's lock blocked a migration; a migration that failed ends it,
# because running it again would not help.
set -u
# Process 1 ignores a signal that it has no handler for.
trap 'exit 143' TERM INT

PGUSER=$(cat /etc/credentials/POSTGRES_USER)
PGDATABASE=$(cat /etc/credentials/POSTGRES_DB)
PGPASSFILE=/tmp/pgpass
PGCONNECT_TIMEOUT=5
PGAPPNAME=transcript-pipeline/migrate
# A migration may take as long and sort as much as it needs: the limits on the owner's sessions are for applications. It
# waits no longer than this for a lock: everybody else queues behind a waiting statement.
PGOPTIONS="-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c temp_file_limit=-1 -c lock_timeout=5s"
# Nor do the settings in postgresql.conf for applications decide what a migration does: that it may write, that the
# session which holds the lock may wait for it, that its commit waits for no standby, and how its text is read.
# search_path still decides in which schema a table is created.
PGOPTIONS="$PGOPTIONS -c idle_session_timeout=0 -c local_preload_libraries= -c synchronous_commit=local -c default_transaction_read_only=off"
PGOPTIONS="$PGOPTIONS -c default_transaction_isolation=read\\ committed -c default_transaction_deferrable=off"
PGOPTIONS="$PGOPTIONS -c row_security=on -c check_function_bodies=on -c default_tablespace= -c default_table_access_method=heap"
PGOPTIONS="$PGOPTIONS -c standard_conforming_strings=on -c backslash_quote=safe_encoding -c transform_null_equals=off"
PGOPTIONS="$PGOPTIONS -c array_nulls=on -c client_encoding=UTF8 -c DateStyle=ISO,MDY -c IntervalStyle=postgres -c xmloption=content"
export PGUSER PGDATABASE PGPASSFILE PGCONNECT_TIMEOUT PGAPPNAME PGOPTIONS
(umask 077 && printf '*:*:*:*:%s\n' "$(sed -e 's/[\\:]/\\&/g' /etc/credentials/POSTGRES_PASSWORD)" >"$PGPASSFILE")
DATABASE_URL="postgres://$PGUSER@$PGHOST:$PGPORT/$PGDATABASE?sslmode=${PGSSLMODE:-prefer}"
# dbmate's driver takes the system's roots without being told, and `system` for the name of a file.
case ${PGSSLROOTCERT:-system} in system) ;; *) DATABASE_URL="$DATABASE_URL&sslrootcert=$PGSSLROOTCERT" ;; esac
export DATABASE_URL

# Whether PGHOST, which is <service>.<namespace>.svc.<domain>, ends in a domain other than the cluster's (real): it
# would never have an address, however long one waits. The kubelet writes the cluster's into the pod's resolv.conf.
wrong_domain() {
  case $PGHOST in *.svc.*) domain=${PGHOST#*.svc.} ;; *) return 1 ;; esac
  if getent hosts "kubernetes.default.svc.$domain" >/dev/null 2>&1; then return 1; fi
  real=$(sed -n 's/^search.*[[:space:]]svc\.\([^[:space:]]*\).*/\1/p' /etc/resolv.conf)
  [ -n "$real" ] && [ "$real" != "$domain" ] && getent hosts "kubernetes.default.svc.$real" >/dev/null 2>&1
}

reachable() { psql -X -q -w -c '' 2>/tmp/errors; }

# dbmate does not lock out a second run of itself; the session around it holds a lock until dbmate has ended.
migrate_locked() {
  rm -f /tmp/status /tmp/said
  psql -X -q -w -v ON_ERROR_STOP=1 -v VERBOSITY=verbose 2>/tmp/errors <<'SQL'
select pg_advisory_lock(hashtext('transcript-pipeline migrations')) \g /dev/null
\! { env -u PGSSLROOTCERT dbmate --no-dump-schema --migrations-dir /sql migrate 2>&1; echo $? >/tmp/status; } | tee /tmp/said
SQL
  [ "$(cat /tmp/status 2>/dev/null)" = 0 ]
}

# Sessions that have been in a transaction for a while: they hold what is waited for.
holders() {
  psql -X -q -w -At -c "select string_agg(format('%s (%s, pid %s, %s, for %s s)', usename, application_name, pid, state,
      extract(epoch from clock_timestamp() - xact_start)::int), '; ') from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and xact_start < clock_timestamp() - interval '3 s'" 2>/dev/null
}

told=
tell_once() {
  [ "$told" = "$1" ] || echo "migrate: $1: $(holders)" >&2
  told=$1
}

started=$(date +%s)
while true; do
  if reachable; then
    if migrate_locked; then exit 0; fi
    # 55P03 is lock_not_available. Above 128 dbmate was killed; and a lost server is not the migration's fault.
    if [ ! -e /tmp/status ] && grep -q 55P03 /tmp/errors; then
      tell_once "another run of the migrations is in progress; waiting for it"
    elif grep -q 55P03 /tmp/said 2>/dev/null; then
      tell_once "a lock blocks the migration, which was rolled back; trying again for $WAIT s"
    elif [ "$(cat /tmp/status 2>/dev/null || echo 255)" -le 128 ] && reachable; then
      echo "migrate: a migration failed and was rolled back; those before it are kept. Correct it in sql/migrations and deploy again" >&2
      exit 3
    fi
  elif wrong_domain; then
    echo "migrate: $PGHOST has no address: the cluster's domain is $real, not $domain. Set it: pulumi config set --path cluster.domain $real" >&2
    exit 1
  fi
  if [ $(($(date +%s) - started)) -ge "$WAIT" ]; then
    if grep -q 55P03 /tmp/said /tmp/errors 2>/dev/null; then
      echo "migrate: not done within $WAIT seconds, because of another session's lock: $(holders). End that transaction (docs/logins.md) and deploy again" >&2
    else
      echo "migrate: no login at $PGHOST:$PGPORT within $WAIT seconds: $(cat /tmp/errors)" >&2
    fi
    exit 1
  fi
  sleep 0.5
done
