#!/bin/bash
# Runs the files in /sql as the superuser, over the server's socket. Can run at any time, any number at once.
# Environment: SUPERUSER_SOCKET, OWNER, DATABASE, WAIT (seconds that the server may be unreachable), and TASK:
#   bootstrap   quietly, in transactions of its own
#   upgrade     statement by statement, each shown as it begins: indexes are rebuilt, which takes its time
# Waits after a lost connection, or while another session holds a lock; any other SQL error ends it, because running it
# again would not help.
# Run by stoppable.sh, which ends it.
set -uo pipefail

# shellcheck source=components/server/scripts/superuser.sh
. "${BASH_SOURCE%/*}/superuser.sh"

# Waits no longer than this for a lock: everybody else queues behind a waiting statement.
options="-c statement_timeout=0 -c lock_timeout=10s"

case $TASK in
  bootstrap) manner=(--single-transaction -o /dev/null) ;;
  upgrade) manner=(--echo-queries) ;;
  *) echo "TASK is '$TASK'. Allowed: bootstrap, upgrade" >&2 && exit 2 ;;
esac

# The work itself, while the session around it holds the lock. Errors come with their code, which says what to do.
if [ "${1:-}" = work ]; then
  files=()
  for file in /sql/*.sql; do files+=(-f "$file"); done
  superuser "$TASK" "$options" -d "$DATABASE" -v VERBOSITY=verbose -v owner="$OWNER" -v database="$DATABASE" \
    "${manner[@]}" "${files[@]}" 2>/tmp/errors
  status=$?
  grep -v 'LOCATION: ' /tmp/errors >&3
  [ $status -ne 0 ] || echo "$TASK: $((${#files[@]} / 2)) files applied to $DATABASE"
  echo $status >/tmp/status
  exit
fi

# The container's standard error: that of the session which holds the lock is checked instead of shown.
exec 3>&2

said=
say_once() {
  [ "$said" = "$1" ] || echo "$TASK: $1" >&2
  said=$1
}

while true; do
  rm -f /tmp/status /tmp/errors
  # Waiting does not help if the names have changed.
  renamed=$(superuser "$TASK names" "$options" -d postgres -At -v owner="$OWNER" -v database="$DATABASE" \
    -f "${BASH_SOURCE%/*}/names.sql" 2>/dev/null)
  if [ -n "$renamed" ]; then
    echo "$TASK: REFUSED: ${renamed//$'\n'/. }. Nothing was changed" >&2
    exit 3
  fi
  # The lock is held in the database `postgres`, where only a superuser can connect: one in the application's database
  # could be held by the application. It is held until the work has ended.
  superuser "$TASK lock" "$options" -d postgres -v VERBOSITY=verbose \
    -c "select pg_advisory_lock(hashtext('transcript-pipeline $TASK'))" -o /dev/null \
    -c "\\! bash '$0' work" 2>/tmp/unreachable
  status=$(cat /tmp/status 2>/dev/null)
  case $status in
    0) exit 0 ;;
    3)
      # tuple concurrently updated; a serialization failure, a deadlock, a lock that another session held.
      if ! grep -qE 'ERROR:  (XX000|40001|40P01|55P03):' /tmp/errors; then
        # The last line is what a deployment shows of an init container.
        echo "$TASK: the SQL failed, and the statement was rolled back: $(grep -m 1 -A 1 'ERROR:  ' /tmp/errors | grep -oE '(ERROR|HINT): .*' | tr '\n' ' '). Correct it in sql/$TASK and deploy again" >&2
        exit 3
      fi
      say_once "another session holds a lock on an object to change; trying again for $WAIT seconds"
      ;;
    *)
      # No session at all, or one that did not get the lock.
      if grep -q '55P03' /tmp/unreachable; then say_once "another $TASK of this database is in progress; waiting for it"; fi
      ;;
  esac
  if [ "$SECONDS" -ge "$WAIT" ]; then
    echo "$TASK: not done within $WAIT seconds at $SUPERUSER_SOCKET: $(tail -n 1 /tmp/errors 2>/dev/null) $(tail -n 1 /tmp/unreachable)" >&2
    exit 1
  fi
  sleep 0.5
done
