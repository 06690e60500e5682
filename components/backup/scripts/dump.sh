#!/bin/bash
# Logical dumps: writes the database and the roles into each repository, next to pgBackRest's files, fetches them back and
# compares. Its last line is the proof, or why there is none. Nothing is ever whole on a disk.
# Runs in the server's image; dump-transfer.sh next to it, in the same pod, has rclone. What flows between them goes through
# a pipe in memory.
#   <database>-<time>.dump   pg_dump's custom format
#   globals-<time>.sql       roles and their memberships, without passwords
#   <database>-<time>.json   the proof, with the rows of each table: written last. A dump without it is not one
# Environment: VOLUME (shared with the other container), SUPERUSER_SOCKET, OWNER, DATABASE, REPOSITORIES (as
# repositories.sh), KEEP (dumps that are kept in each), WAIT (seconds to wait for the server, a repository, another dump),
# TIME (seconds for one dump).
# Run by stoppable.sh, which ends it; what a dump that was killed has left, the next one removes.
set -uo pipefail
umask 077
here=${BASH_SOURCE%/*}
# shellcheck source=components/kubernetes/scripts/clock.sh
. "$here/clock.sh"
# shellcheck source=components/backup/scripts/handover.sh
. "$here/handover.sh"
# shellcheck source=components/backup/scripts/repositories.sh
. "$here/repositories.sh"
# shellcheck source=components/server/scripts/superuser.sh
. "$here/superuser.sh"
# shellcheck source=components/backup/scripts/owner.sh
. "$here/owner.sh"

stream=$VOLUME/stream
say() { echo "dump: $*"; }
# conclude <words>: the last line, which the Job's status has too.
conclude() {
  say "$@"
  say "$@" >/dev/termination-log
} 2>/dev/null
# joined: the lines as part of a sentence.
joined() { tr -s '\n\t ' ' ' | cut -c -1200 | sed 's/ $//'; }
mebibytes() { echo "$((($1 + 1048575) / 1048576)) MiB"; }

# Why it failed; and whether trying again is of no use.
words= final=

# finished: whether the request was carried out.
finished() {
  until answered transfer done; do
    if answered transfer failed; then
      words=$(tail -n +2 "$handover/transfer.failed")
      return 1
    fi
    sleep 0.1
  done
}

# transfer <verb> <argument>…: a request without a stream.
transfer() {
  ask transfer "$1" "$number" "${@:2}"
  finished
}

# unblocked <process>: waits for a process at the pipe whose other end may never have been opened.
unblocked() {
  while kill -0 "$1" 2>/dev/null; do
    exec {end}<>"$stream"
    exec {end}>&-
    sleep 0.1
  done
  wait "$1"
}

# send <name> <command>…: what the command writes becomes an object; `sum` is its SHA-256.
send() {
  local name=$1 sender status
  shift
  rm -f "$stream" && mkfifo -m 0600 "$stream" || { words="the pipe between the containers cannot be created" && return 1; }
  ask transfer put "$number" "$name"
  "$@" 2>/tmp/sending | tee "$stream" 2>/dev/null | sha256sum >/tmp/sum &
  sender=$!
  if ! finished; then
    unblocked "$sender"
    return 1
  fi
  # rclone cannot tell an end from a break.
  wait "$sender" || { words=$(joined </tmp/sending) && return 1; }
  read -r sum _ </tmp/sum
}

# fetch <name> <command>…: the command reads an object; `sum` is its SHA-256.
fetch() {
  local name=$1 reader consumer
  shift
  rm -f "$stream" /tmp/copy && mkfifo -m 0600 "$stream" /tmp/copy || { words="the pipe between the containers cannot be created" && return 1; }
  ask transfer get "$number" "$name"
  # To the end, whatever the command reads.
  (
    "$@"
    status=$?
    cat >/dev/null
    exit $status
  ) </tmp/copy 2>/tmp/fetching &
  consumer=$!
  tee /tmp/copy <"$stream" 2>/dev/null | sha256sum >/tmp/sum &
  reader=$!
  if ! finished; then
    unblocked "$reader"
    wait "$consumer"
    return 1
  fi
  wait "$reader"
  wait "$consumer" || { words=$(joined </tmp/fetching) && return 1; }
  read -r sum _ </tmp/sum
}

# objects: those of repository $number, as lines `<bytes>;<name>`, in /tmp/objects.
objects() { transfer list && cp "$handover/transfer.file" /tmp/objects; }

# Times of dumps, the oldest first: of those that were proven, and of all that there is something of.
TIME_PATTERN='[0-9]\{8\}T[0-9]\{6\}Z'
proven() { sed -n "s/^[0-9-]*;$DATABASE-\($TIME_PATTERN\)\.json\$/\1/p" /tmp/objects | sort; }
written() { sed -n "s/^[0-9-]*;\($DATABASE-\|globals-\)\($TIME_PATTERN\)\.\(dump\|sql\|json\)\$/\2/p" /tmp/objects | sort -u; }

# removed <time>…: removes dumps. The proof goes first: what is left of it then counts as half-written.
removed() {
  local time name
  for time; do
    for name in "$DATABASE-$time.json" "$DATABASE-$time.dump" "globals-$time.sql"; do
      ! grep -q ";$name\$" /tmp/objects || transfer delete "$name" || return 1
    done
  done
}

# as_of_snapshot: the database's dump.
as_of_snapshot() {
  PGAPPNAME=transcript-pipeline/dump PGOPTIONS=$owner_options PGCONNECT_TIMEOUT=10 \
    pg_dump -w -h "$SUPERUSER_SOCKET" -U "$OWNER" -d "$DATABASE" -Fc --lock-wait-timeout=5000 --snapshot="$(cat /tmp/snapshot)"
}

# globals: what is outside the database.
globals() {
  PGAPPNAME=transcript-pipeline/dump PGOPTIONS=$superuser_options PGCONNECT_TIMEOUT=10 \
    pg_dumpall -w -h "$SUPERUSER_SOCKET" -U postgres -l postgres --globals-only --no-role-passwords
}

# counted: the rows of each table in the dump that is read, as lines `<rows> TAB <table>`. A table whose rows do not end is
# not counted.
counted() {
  pg_restore --data-only -f - | LC_ALL=C awk '
    copying { if ($0 == "\\.") { printf "%.0f\t%s\n", rows, table; copying = 0 } else rows++; next }
    /^COPY .* FROM stdin;$/ {
      rest = substr($0, 6)
      # Names as pg_dump quotes them, which is as format(%I) does.
      if (match(rest, /^("([^"]|"")*"|[^ ".(]+)\.("([^"]|"")*"|[^ ".(]+)/)) {
        table = substr(rest, 1, RLENGTH); rows = 0; copying = 1
      }
    }' >/tmp/found
}

# complete: whether what is read is a whole file of pg_dumpall's.
complete() { tail -n 5 | grep -q '^-- PostgreSQL database cluster dump complete$' || { echo "it has no end" >&2 && return 1; }; }

# differences: a line for each table that is not in the dump as it was in the database.
differences() {
  awk -F '\t' '
    FILENAME == "/tmp/found" { found[$2] = $1; next }
    !($2 in found) { print "table " $2 " is missing, or not whole, instead of " $1 " rows"; next }
    found[$2] != $1 { print "table " $2 " has " found[$2] " instead of " $1 " rows" }' /tmp/found /tmp/wanted
}

# open_snapshot: opens the session that holds the snapshot, and the one that counts in it.
open_snapshot() {
  rm -f /tmp/snapshot /tmp/dumped /tmp/imported /tmp/tables.json
  as_owner dump "$TIME" "$SUPERUSER_SOCKET" -f "$here/dump-snapshot.sql" >/dev/null 2>/tmp/holding &
  holder=$!
  until [ -e /tmp/snapshot ]; do
    if ! kill -0 "$holder" 2>/dev/null; then
      words=$(joined </tmp/holding)
      case $words in *'may not read'*) final=yes ;; esac
      return 1
    fi
    sleep 0.1
  done
  as_owner dump "$TIME" "$SUPERUSER_SOCKET" -v snapshot=true -v seconds="$TIME" -f "$here/drill-count.sql" \
    >/tmp/counts.json 2>/tmp/counting &
  counter=$!
}

# dumped: one dump into repository $number, from its snapshot to its proof.
dumped() {
  local name status time holder= counter= sent size found proof tables rows
  time=$(date -u +%Y%m%dT%H%M%SZ)
  name=$DATABASE-$time
  open_snapshot || { wait "$holder"; return 1; }
  say "writing $name into repository ${names[number]}"
  send "$name.dump" as_of_snapshot
  status=$?
  [ "$status" = 0 ] || kill "$counter" 2>/dev/null
  wait "$counter" || { [ "$status" != 0 ] || words="the rows cannot be counted: $(joined </tmp/counting)" status=1; }
  touch /tmp/dumped
  wait "$holder"
  [ "$status" = 0 ] || return 1
  sent=$sum
  as_owner dump 300 "$SUPERUSER_SOCKET" -F $'\t' -f - >/tmp/wanted 2>/tmp/counting <<'SQL' || { words=$(joined </tmp/counting) && return 1; }
\set counts `cat /tmp/counts.json`
\set tables `cat /tmp/tables.json`
SELECT coalesce(rows, 'an unknown number of'), name
  FROM json_array_elements_text(:'tables') AS name
  LEFT JOIN json_each_text(:'counts'::json -> 'rows') AS counted (counted_name, rows) ON counted_name = name
 ORDER BY 2;
SQL

  say "reading it back"
  if ! fetch "$name.dump" counted; then
    words="what was written cannot be read back: $words"
    return 1
  fi
  found=$(differences)
  if [ -n "$found" ]; then
    final=yes words="$name was written, and is not what the database was: $(head -n 5 <<<"$found" | paste -sd ';' | joined)"
    return 1
  elif [ "$sum" != "$sent" ]; then
    final=yes words="$name was written, and what comes back is something else: its SHA-256 is $sum instead of $sent"
    return 1
  fi
  send "globals-$time.sql" globals || return 1
  found=$sum
  fetch "globals-$time.sql" complete || { words="the roles cannot be read back: $words" && return 1; }
  [ "$sum" = "$found" ] || { words="the roles were written, and something else comes back" && return 1; }
  objects || return 1
  size=$(sed -n "s/^\([0-9]*\);$name\.dump\$/\1/p" /tmp/objects)
  proof=$(as_owner dump 300 "$SUPERUSER_SOCKET" -v name="$name" -v size="${size:-0}" -v sum="$sent" -f - 2>/tmp/counting <<'SQL'
\set counts `cat /tmp/counts.json`
SELECT json_build_object('dump', :'name', 'bytes', :'size'::bigint, 'sha256', :'sum', 'server', version(), 'rows', :'counts'::json -> 'rows',
                         'migrations', :'counts'::json -> 'migrations');
SQL
  ) || { words=$(joined </tmp/counting) && return 1; }
  send "$name.json" printf '%s\n' "$proof" || return 1
  read -r tables rows < <(awk -F '\t' '{ rows += $1 } END { printf "%d %.0f\n", NR, rows }' /tmp/wanted)
  done_words="$name in repository ${names[number]}: $tables tables with $rows rows, as in the database; $(mebibytes "${size:-0}")"
}

# prepared: whether the repository answers. What killed dumps have left in it is removed.
prepared() {
  local -a left
  objections=()
  reached
  if [ -n "${objections[number]:-}" ]; then
    words=${objections[number]}
    words=${words%%. The WAL waits*}
    return 1
  fi
  objects || return 1
  # Some stores know no such request, and others have nothing to end.
  transfer tidy || say "uploads of killed dumps in repository ${names[number]} were not ended: $(joined <<<"$words")"
  mapfile -t left < <(comm -13 <(proven) <(written))
  [ ${#left[@]} = 0 ] || { say "removing what killed or failed dumps have left: ${left[*]}" && removed "${left[@]}"; }
}

# expired: removes the dumps beyond those that are kept.
expired() {
  local -a old
  objects || return 1
  mapfile -t old < <(proven | head -n -"$KEEP")
  [ ${#old[@]} = 0 ] || { say "removing older dumps: ${old[*]}" && removed "${old[@]}"; }
}

# complaint_of: the words about repository $number.
complaint_of() {
  case $words in
    repository*) joined <<<"$words" ;;
    *) echo "repository ${names[number]}: $(explained "$words" "$number")" ;;
  esac
}

# One at a time, whichever pod it is in.
exec {lock}<"$SUPERUSER_SOCKET"
flock --exclusive --wait "$WAIT" "$lock" || { conclude "FAILED: another dump has been running for $WAIT s" && exit 1; }

repositories
failed=() successful=()
for number in "${numbers[@]}"; do
  tick
  start=$elapsed
  while true; do
    words= final=
    if prepared && dumped; then
      say "proven: $done_words"
      successful+=("$done_words")
      expired || failed+=("a dump was made and proven, and older ones cannot be removed: $(complaint_of)")
      break
    fi
    # A server that is starting, a repository that is away for a moment.
    tick
    if [ -n "$final" ] || [ $((elapsed - start)) -ge "$WAIT" ]; then
      failed+=("$(complaint_of)")
      break
    fi
    say "$(complaint_of); trying again"
    sleep 10
  done
done
if [ ${#failed[@]} -gt 0 ]; then
  conclude "FAILED: $(printf '%s; ' "${failed[@]}" | sed 's/; $//')"
  exit 1
fi
conclude "DONE: $(printf '%s; ' "${successful[@]}" | sed 's/; $//')"
