#!/bin/sh
# Runs sql/migrations with dbmate as the owner of the database. Can be run at any time, any number at once.
# Environment: PGHOST, PGPORT, WAIT (seconds the server may take to accept the login).
# Ends with 3 when a migration failed, which the Job does not retry; with 1 when the connection did.
set -eu

PGUSER=$(cat /etc/credentials/POSTGRES_USER)
PGDATABASE=$(cat /etc/credentials/POSTGRES_DB)
PGPASSFILE=/tmp/pgpass
PGCONNECT_TIMEOUT=5
export PGUSER PGDATABASE PGPASSFILE PGCONNECT_TIMEOUT
(umask 077 && printf '*:*:*:*:%s\n' "$(sed -e 's/[\\:]/\\&/g' /etc/credentials/POSTGRES_PASSWORD)" >"$PGPASSFILE")

started=$(date +%s)
until psql -X -q -w -c '' 2>/tmp/errors; do
  if [ $(($(date +%s) - started)) -ge "$WAIT" ]; then
    echo "migrate: no login at $PGHOST:$PGPORT within $WAIT seconds: $(cat /tmp/errors)" >&2
    exit 1
  fi
  sleep 0.5
done

# dbmate takes no lock against a second run of itself; the session around it holds one until dbmate has ended.
export DATABASE_URL="postgres://$PGUSER@$PGHOST:$PGPORT/$PGDATABASE?sslmode=prefer"
psql -X -q -w -v ON_ERROR_STOP=1 <<'SQL'
select pg_advisory_lock(hashtext('transcript-pipeline migrations')) \g /dev/null
\! dbmate --no-dump-schema --migrations-dir /sql migrate; echo $? >/tmp/status
SQL

status=$(cat /tmp/status)
[ "$status" -ne 0 ] || exit 0
psql -X -q -w -c '' 2>/dev/null || exit 1
echo "migrate: a migration failed and was rolled back; those before it are kept. Correct it in sql/migrations and deploy again" >&2
exit 3
