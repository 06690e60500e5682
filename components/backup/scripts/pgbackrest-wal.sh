#!/bin/bash
# The server's archive_command and restore_command. Asks the backup agent and waits for its answer; see handover.sh. Its
# name must hold "pgbackrest": pgBackRest looks for it in archive_command (error 068).
#   pgbackrest-wal.sh push <segment> <seconds>   0: the segment is in every repository. 1: not within these seconds
#   pgbackrest-wal.sh get <segment> <path> [<repository>]   0: it is at the path. 1: no repository has it, or this one
#                                                has not, by its number
# Environment: VOLUME.
set -uo pipefail
# shellcheck source=components/kubernetes/scripts/clock.sh
. "${BASH_SOURCE%/*}/clock.sh"
# shellcheck source=components/backup/scripts/handover.sh
. "${BASH_SOURCE%/*}/handover.sh"

# wait_for <request> <seconds>: 0 done, 1 missing, 2 no answer within these seconds.
wait_for() {
  local end=$((elapsed + $2))
  until answered "$1" done; do
    ! answered "$1" missing || return 1
    [ "$elapsed" -lt "$end" ] || return 2
    ! hopeless "$1" || return 2
    sleep 0.1
    tick
  done
}

# Seconds of an attempt while the server shuts down. It makes three, or six where it was archiving already.
AT_SHUTDOWN=5

# hopeless <request>: whether a server that shuts down waits for what will not come: an attempt has failed, or nobody
# answers. The segment stays on the disk, and is archived after the next start.
hopeless() {
  local -a lines=()
  [[ $1 == push.* ]] || return 1
  # Both run in the data directory. Line 8 is the postmaster's state (LOCK_FILE_LINE_PM_STATUS in miscadmin.h).
  { mapfile -t lines <postmaster.pid; } 2>/dev/null
  [[ ${lines[7]:-} == stopping* ]] || return 1
  [ "$elapsed" -ge "$AT_SHUTDOWN" ] || [ -s "$handover/$1.error" ]
}

case $1 in
  push)
    request=push.$2
    # PostgreSQL archives one segment after the other: what else is asked for, nobody waits for any more.
    rm -f "$handover"/push.*.{wanted,done,error}
    if ! ask "$request"; then
      echo "archiving: $2 stays on the disk, as the backup agent cannot be asked: nothing can be written to $handover" >&2
      exit 1
    fi
    # PostgreSQL waits for a minute after three failures, so a short fault is not made one.
    if wait_for "$request" "$3"; then
      withdraw "$request"
      exit 0
    fi
    echo "archiving: $2 is not archived after $elapsed s; it stays on the disk, and is tried again: $(complaint "$request")" >&2
    withdraw "$request"
    exit 1
    ;;
  get)
    request=get.$2
    # "Not there" ends the recovery. A repository that does not answer is not that: what it holds would be lost.
    until ask "$request" "${@:4}"; do
      echo "recovery: waiting for $2, as nothing can be written to $handover" >&2
      sleep 10
    done
    while true; do
      wait_for "$request" 60
      case $? in
        0)
          mv -f "$handover/$request.file" "$3"
          status=$?
          break
          ;;
        1)
          status=1
          break
          ;;
        *) echo "recovery: waiting for $2: $(complaint "$request")" >&2 ;;
      esac
    done
    withdraw "$request"
    exit $status
    ;;
  *)
    echo "usage: pgbackrest-wal.sh push <segment> <seconds> | get <segment> <path> [<repository>]" >&2
    exit 2
    ;;
esac
