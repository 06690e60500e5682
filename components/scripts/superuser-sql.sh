#!/bin/bash
# Runs the files of /sql as the superuser. Can be run at any time, any number at once.
# Environment: PGHOST, PGPORT, OWNER, DATABASE, WAIT (seconds the server may be out of reach), and TASK:
#   bootstrap   in one transaction, quietly
#   upgrade     statement by statement, each shown as it begins: indexes are rebuilt, which takes its time
# A lost connection is begun again; an error of the SQL ends it, as running it again would not help.
# Run by stoppable.sh, which ends it.
set -uo pipefail

escaped=$(sed -e 's/[\\:]/\\&/g' /etc/credentials/POSTGRES_PASSWORD)
export PGPASSFILE=/tmp/pgpass PGUSER=postgres PGDATABASE=$DATABASE PGCONNECT_TIMEOUT=5
(umask 077 && printf '*:*:*:*:%s\n' "$escaped" >"$PGPASSFILE")

case $TASK in
  bootstrap) manner=(--single-transaction -o /dev/null) lock=pg_advisory_xact_lock ;;
  upgrade) manner=(--echo-queries) lock=pg_advisory_lock ;;
  *) echo "TASK is '$TASK'. Allowed: bootstrap, upgrade" >&2 && exit 2 ;;
esac
files=()
for file in /sql/*.sql; do files+=(-f "$file"); done

while true; do
  if psql -X -q -w -c '' 2>/tmp/errors; then
    psql -X -q -w -v ON_ERROR_STOP=1 -v owner="$OWNER" -v database="$DATABASE" "${manner[@]}" \
      -c "set client_min_messages = warning" \
      -c "select $lock(hashtext('transcript-pipeline $TASK'))" "${files[@]}"
    status=$?
    if [ $status -eq 0 ]; then
      echo "$TASK: $((${#files[@]} / 2)) files applied to $DATABASE"
      exit 0
    fi
    # 3 is psql's word for an error in a script; anything else is the connection's, or a kill.
    if [ $status -eq 3 ]; then
      echo "$TASK: the SQL failed, and the statement was rolled back. Correct it in sql/$TASK and deploy again" >&2
      exit 3
    fi
  fi
  if [ "$SECONDS" -ge "$WAIT" ]; then
    echo "$TASK: no login at $PGHOST:$PGPORT within $WAIT seconds: $(cat /tmp/errors)" >&2
    exit 1
  fi
  sleep 0.5
done
