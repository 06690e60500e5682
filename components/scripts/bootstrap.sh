#!/bin/bash
# Runs sql/bootstrap as the superuser, in one transaction. Can be run at any time, any number at once.
# Environment: PGHOST, PGPORT, OWNER, DATABASE, WAIT (seconds the server may take to accept the login).
# Ends with 3 when the SQL failed, as psql does, which the Job does not retry; with 1 when there was no connection.
set -euo pipefail

escaped=$(sed -e 's/[\\:]/\\&/g' /etc/credentials/POSTGRES_PASSWORD)
export PGPASSFILE=/tmp/pgpass PGUSER=postgres PGDATABASE=$DATABASE PGCONNECT_TIMEOUT=5
(umask 077 && printf '*:*:*:*:%s\n' "$escaped" >"$PGPASSFILE")

until psql -X -q -w -c '' 2>/tmp/errors; do
  if [ "$SECONDS" -ge "$WAIT" ]; then
    echo "bootstrap: no login at $PGHOST:$PGPORT within $WAIT seconds: $(cat /tmp/errors)" >&2
    exit 1
  fi
  sleep 0.5
done

files=()
for file in /sql/*.sql; do files+=(-f "$file"); done
psql -X -q -w -v ON_ERROR_STOP=1 -v owner="$OWNER" -v database="$DATABASE" --single-transaction \
  -c "set client_min_messages = warning" \
  -c "select pg_advisory_xact_lock(hashtext('transcript-pipeline bootstrap'))" -o /dev/null "${files[@]}"
echo "bootstrap: $(ls /sql/*.sql | wc -l) files applied to $DATABASE"
