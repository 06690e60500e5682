#!/bin/sh
# Runs sql/migrations with dbmate as the owner of the database. Can be run at any time, any number at once.
# Environment: PGHOST, PGPORT, WAIT (seconds the server may be out of reach).
# A lost connection is begun again; a failed migration ends it, as running it again would not help.
set -u
# Process 1 ignores a signal that it has no handler for.
trap 'exit 143' TERM INT

PGUSER=$(cat /etc/credentials/POSTGRES_USER)
PGDATABASE=$(cat /etc/credentials/POSTGRES_DB)
PGPASSFILE=/tmp/pgpass
PGCONNECT_TIMEOUT=5
export PGUSER PGDATABASE PGPASSFILE PGCONNECT_TIMEOUT
(umask 077 && printf '*:*:*:*:%s\n' "$(sed -e 's/[\\:]/\\&/g' /etc/credentials/POSTGRES_PASSWORD)" >"$PGPASSFILE")
export DATABASE_URL="postgres://$PGUSER@$PGHOST:$PGPORT/$PGDATABASE?sslmode=prefer"

reachable() { psql -X -q -w -c '' 2>/tmp/errors; }

# dbmate takes no lock against a second run of itself; the session around it holds one until dbmate has ended.
migrate_locked() {
  rm -f /tmp/status
  psql -X -q -w -v ON_ERROR_STOP=1 <<'SQL'
select pg_advisory_lock(hashtext('transcript-pipeline migrations')) \g /dev/null
\! dbmate --no-dump-schema --migrations-dir /sql migrate; echo $? >/tmp/status
SQL
  [ "$(cat /tmp/status 2>/dev/null)" = 0 ]
}

started=$(date +%s)
while true; do
  if reachable; then
    if migrate_locked; then exit 0; fi
    # Above 128 dbmate was killed; and a server that has gone is no fault of the migration's.
    if [ "$(cat /tmp/status 2>/dev/null || echo 255)" -le 128 ] && reachable; then
      echo "migrate: a migration failed and was rolled back; those before it are kept. Correct it in sql/migrations and deploy again" >&2
      exit 3
    fi
  fi
  if [ $(($(date +%s) - started)) -ge "$WAIT" ]; then
    echo "migrate: no login at $PGHOST:$PGPORT within $WAIT seconds: $(cat /tmp/errors)" >&2
    exit 1
  fi
  sleep 0.5
done
