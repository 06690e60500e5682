#!/bin/bash
# Fills an empty data directory from a repository, in place of initdb: asks the backup agent, and waits as long as it
# takes. Run by start-server.sh.
#   restore-database.sh <number of the repository> [<time to recover to>]
# Environment: VOLUME, DIRECTORY (the one to fill).
set -uo pipefail
# shellcheck source=components/backup/scripts/handover.sh
. "${BASH_SOURCE%/*}/handover.sh"
trap 'exit 143' INT TERM

say() { echo "restore: $*" >&2; }
request=restore
say "asking the backup agent for the database: kubectl -n transcript-pipeline logs -f postgres-backup-0"
until ask "$request" "$DIRECTORY" "$@"; do
  say "waiting, as nothing can be written to $handover"
  sleep 10 &
  wait $!
done
until answered "$request" done; do
  sleep 1 &
  wait $!
  [ $((SECONDS % 30)) -ne 0 ] || say "$(du -sm "$DIRECTORY" 2>/dev/null | cut -f 1) MiB restored${last:+; $last}"
  last=
  [ ! -s "$handover/$request.error" ] || last="the last attempt failed: $(complaint "$request")"
done
withdraw "$request"
# What the image lacks does not keep the database from coming back: the rows are there without it.
lacks=
[ ! -e "$handover/restore.file" ] || lacks=$(bash "${BASH_SOURCE%/*}/image-lacks.sh" <"$handover/restore.file")
[ -z "$lacks" ] || say "THE IMAGE LACKS WHAT THE DATABASE NEEDS: $lacks"
# For every start until the recovery is over. The numbers that a standby must have as its primary had them do not matter to a
# server that nobody can ask meanwhile.
{
  echo "restore_command=bash $(readlink -f "${BASH_SOURCE%/*}")/pgbackrest-wal.sh get %f %p"
  echo "hot_standby=off"
  echo "recovery_target_timeline=latest"
  [ -z "${2:-}" ] || printf '%s\n' "recovery_target_time=$2" "recovery_target_action=promote"
} >"$DIRECTORY/recovery.options"
# The agent's note that it is done: what becomes of the directory now is the server's.
rm -f "$DIRECTORY/restored"
sync
say "the base backup is restored; the server goes on with the WAL of the repository"
