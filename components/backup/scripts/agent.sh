#!/bin/bash
# The backup agent: does with pgBackRest what the server asks for through the volume: archives its WAL, and fetches WAL
# and whole databases. See handover.sh and repositories.sh. Run by keep-running.sh.
# A drill has an agent of its own, in its pod: its environment has COPY, the folder on the volume for what is restored.
set -uo pipefail
here=${BASH_SOURCE%/*}
say() { echo "backup agent: $*"; }
# shellcheck source=components/kubernetes/scripts/clock.sh
. "$here/clock.sh"
# shellcheck source=components/backup/scripts/handover.sh
. "$here/handover.sh"
# shellcheck source=components/backup/scripts/repositories.sh
. "$here/repositories.sh"

# Each is said once, until it is something else.
declare -A already
said() {
  [ "${already[$1]:-}" = "$2" ] && return
  already[$1]=$2
  [ -z "$2" ] || say "$2"
}

# wal <name>: whether a file of WAL, of a timeline's history or of a backup can have this name.
wal() {
  words="$1 is not the name of a WAL file"
  [[ $1 =~ ^[0-9A-F]{8}([0-9A-F]{16}(\.partial|\.[0-9A-F]{8}\.backup)?|\.history)$ ]]
}

archive() {
  pgbackrest_run --log-level-console=warn archive-push "${blocked[@]}" "$DATA_DIRECTORY/pg_wal/$1"
}

# push <segment>: into every repository, or into those that answer, with what waits behind it.
push() {
  local status
  wal "$1" || return
  everywhere "$1"
  status=$?
  if [ "$status" = 0 ]; then sent=() deaf=(); else ahead; fi
  return "$status"
}

# everywhere <segment>: into every repository. One that is away does not keep it from the others, nor more than walQueue
# from being dropped: what a repository lacks is only made when archiving has failed.
everywhere() {
  local status made=$stanza_made first
  archive "$1"
  status=$?
  if [ "$status" != 0 ]; then
    first=$words
    # What was made may be gone by now, as with a bucket that somebody has removed.
    stanza || { stanza_made= && return 1; }
    # It was there already, and is not why.
    [ "$stanza_made" != "$made" ] || { words=$first && return "$status"; }
    archive "$1" || { stanza_made= && return 1; }
  fi
  case $words in
    *'dropped WAL'*) said queue "WAL IS MISSING FROM THE ARCHIVE: more than backup.walQueue waited on the disk. A full backup closes the gap: npm run backup -- --stack ${IDENTITY#*/} now" ;;
    *) said queue "" ;;
  esac
}

# Seconds for what waits, before the first segment is tried again.
AHEAD_TIME=20
# What waits and is in a repository already, as "<number> <segment>"; and repositories that took nothing, by number.
declare -A sent
declare -a deaf=()

# ahead: what waits, into each repository that answers. PostgreSQL asks for one segment after the other, and not for the
# next before one is everywhere: a repository that is away would keep all later WAL from the others. What was sent ahead
# is found there when PostgreSQL asks for it.
ahead() {
  local number segment ready end words
  local -a tried=()
  [ ${#numbers[@]} -gt 1 ] || return 0
  # One that does not answer takes minutes to say so: it is asked again when no other answers.
  for number in "${numbers[@]}"; do
    [ -n "${objections[number]:-}${deaf[number]:-}" ] || tried+=("$number")
  done
  [ ${#tried[@]} -gt 0 ] || deaf=()
  tick
  end=$((elapsed + AHEAD_TIME))
  for number in "${tried[@]}"; do
    for ready in "$DATA_DIRECTORY"/pg_wal/archive_status/*.ready; do
      segment=${ready##*/} segment=${segment%.ready}
      [ -e "$ready" ] && [ -z "${sent[$number $segment]:-}" ] && wal "$segment" || continue
      tick
      [ "$elapsed" -lt "$end" ] || return 0
      if ! alone_push "$number" "$segment"; then
        deaf[number]=yes
        break
      fi
      sent[$number $segment]=yes
    done
  done
}

# alone_push <number> <segment>: into this repository only, and makes the place in it that a repository which was away at
# the deployment kept from being made.
alone_push() {
  # Nothing is dropped here: it is the other repository that the WAL waits for.
  local -a push=(--log-level-console=warn --archive-push-queue-max=4PiB archive-push "$DATA_DIRECTORY/pg_wal/$2")
  alone "$1" "${push[@]}" && return
  [[ $words == *FileMissingError*archive.info* ]] || return
  alone "$1" --log-level-console=warn --no-online stanza-create && alone "$1" "${push[@]}"
}

# alone <number> <arguments>: pgBackRest, which knows this repository only.
alone() {
  local number=$1 folder=/run/backup/alone file
  shift
  rm -rf "$folder" && mkdir -p "$folder/conf.d" || return
  sed -E "/^repo[0-9]+-/{/^repo$number-/!d}" "$PGBACKREST_CONFIG" >"$folder/pgbackrest.conf" || return
  for file in "$PGBACKREST_CONFIG_INCLUDE_PATH"/repo"$number"-*.conf; do
    [ ! -e "$file" ] || ln -s "$file" "$folder/conf.d/" || return
  done
  PGBACKREST_CONFIG=$folder/pgbackrest.conf PGBACKREST_CONFIG_INCLUDE_PATH=$folder/conf.d pgbackrest_run "$@"
}

# get <segment> [<repository>]: into <request>.file. 1: no repository has it, or this one has not.
get() {
  local status
  wal "$1" || return 2
  pgbackrest_run --log-level-console=warn archive-get "${blocked[@]}" ${2:+"--repo=$2"} "$1" "$handover/get.$1.file"
  status=$?
  [ "$status" = 1 ] || return "$status"
  # pgBackRest also says so when one repository does not have it and another does not answer. A recovery that ends there
  # would lose what the other has. A repository without any archive has nothing.
  grep -E 'repo[0-9]+: \[' <<<"$words" | grep -qv '\[FileMissingError\] unable to load info file' && return 2
  return 1
}

# info: what is in the repositories, as JSON, into <request>.file.
info() {
  pgbackrest_run --log-level-console=off --log-level-stderr=error --output=json info && put "$handover/info.file" "$words"
}

# report: the same with the repositories' names, for monitoring. In the background and without another attempt: a
# repository that does not answer takes minutes, for which no WAL may wait.
reporting=
report() {
  if [ -n "$reporting" ] && kill -0 "$reporting" 2>/dev/null; then return 0; fi
  (
    if pgbackrest_run --log-level-console=off --log-level-stderr=error --output=json info; then
      put "$handover/report.file" "{\"repositories\": \"$REPOSITORIES\", \"info\": $words}"
    fi
    rm -f "$handover/report.wanted"
  ) &
  reporting=$!
}

# restore <directory> <repository> [<time>]: the whole database, into a directory that holds nothing but what an
# interrupted restore has left; and into <request>.file, what its backup is annotated with.
restore() {
  local directory=${1:-} number=${2:-} time=${3:-} options=() status label
  case $directory in
    */../* | */.. | */./* | */. | *//*) words="$directory is not a plain path" && return 2 ;;
    "$DATA_DIRECTORY" | "$DATA_DIRECTORY"/* | "$handover" | "$handover"/* | "$VOLUME"/backup | "$VOLUME"/backup/*)
      words="$directory is in use, and nothing is restored into it" && return 2
      ;;
    "${COPY:-$VOLUME}"/?*) ;;
    *) words="$directory is not a place for it" && return 2 ;;
  esac
  if ! [[ $number =~ ^[0-9]+$ ]] || [ -z "${names[number]:-}" ]; then
    words="there is no repository $number" && return 2
  fi
  [ -z "${objections[number]:-}" ] || { words=${objections[number]} && return 2; }
  # Whoever asked may have ended before it was done: a whole database is not fetched twice in a day.
  if [ -e "$directory/restored" ] && [ -n "$(find "$directory/restored" -mmin -1440)" ] &&
    [ "$(cat "$directory/restored")" = "$*" ]; then
    say "it is restored already"
    return 0
  fi
  rm -f "$handover/restore.file"
  if [ -e "$directory/backup.manifest" ]; then options+=(--delta); else rm -rf "$directory"; fi
  [ -z "$time" ] || options+=(--type=time "--target=$time" --target-action=promote)
  say "restoring from repository ${names[number]}${time:+ to $time}"
  mkdir -p -m 0700 "$directory"
  pgbackrest --stanza="$STANZA" --repo="$number" --pg1-path="$directory" --log-level-console=info "${options[@]}" restore \
    2>&1 | tee /tmp/restore.said
  status=${PIPESTATUS[0]}
  words=$(grep -E 'ERROR|HINT' /tmp/restore.said || tail -n 3 /tmp/restore.said)
  [ "$status" = 0 ] || return "$status"
  # The server's settings come from its ConfigMap and never from its directory: see restore-database.sh.
  sed -i '/^# Recovery settings generated by pgBackRest/,$d' "$directory/postgresql.auto.conf" || return
  printf '%s\n' "$*" >"$directory/restored"
  # What the backup says of the server that it is of; the restored database does not depend on it.
  label=$(sed -nE 's/.*restore backup set ([0-9]{8}-[0-9]{6}F(_[0-9]{8}-[0-9]{6}[DI])?).*/\1/p' /tmp/restore.said | head -n 1)
  [ -z "$label" ] || annotation "$label" >"$handover/restore.file" || rm -f "$handover/restore.file"
}

# annotation <label>: what this backup of repository $number is annotated with, one `<key>: <value>` a line.
annotation() {
  pgbackrest_run --log-level-console=off --repo="$number" --set="$1" info || return
  sed -nE '/annotation\(s\)/,$ s/^ +(image|version|extensions): ([A-Za-z0-9_.+:;,=%@\/-]*)$/\1: \2/p' <<<"$words"
}

# shellcheck source=components/backup/scripts/verify.sh
. "$here/verify.sh"

# alive <request> <complaint>: signs of life for keep-running.sh and for who waits for an answer, while something takes
# long; no longer than the agent lives. The complaint about the attempt before is repeated: the next one may take longer
# than anybody waits.
alive() {
  local since
  tick
  since=$elapsed
  trap 'kill $!; exit' TERM
  while kill -0 $$ 2>/dev/null; do
    touch /run/backup/heartbeat
    sleep 10 &
    wait $!
    tick
    # These may take hours. A restore shows how far it is.
    [ "$1" = restore ] || [ "$1" = verify ] || put "$handover/$1.error" "pgBackRest has been at it for $((elapsed - since)) s: if nothing follows, the repository does not answer, or is slow${2:+. The attempt before: $2}"
  done
}

# answer <request> <command> [<argument>…]: one attempt; the arguments of the request follow. 1: it has failed, and is to
# be tried again.
answer() {
  local request=$1 command=$2 word status=2 beats lines=()
  shift
  # At once: it may be withdrawn and asked again at any moment.
  { mapfile -t lines <"$handover/$request.wanted"; } 2>/dev/null
  word=${lines[0]:-}
  [ -n "$word" ] || return 0
  # Done, and not yet read by whoever asked.
  if answered "$request" done || answered "$request" missing; then return 0; fi
  words=
  if usable; then
    alive "$request" "${already[$1]:-}" &
    beats=$!
    "$@" "${lines[@]:1}"
    status=$?
    kill "$beats" 2>/dev/null
    wait "$beats" 2>/dev/null
    # A directory that is not used is why: more than pgBackRest knows.
    case $command in restore | verify) ;; *) words=${objection:-$words} ;; esac
  else
    words=$objection
  fi
  case "$status $command" in
    '0 '*) put "$handover/$request.done" "$word" ;;
    '1 get') put "$handover/$request.missing" "$word" ;;
    *)
      words=$(explained "$words")
      said "$command" "$words"
      put "$handover/$request.error" "$words"
      return 1
      ;;
  esac
  said "$command" ""
}

repositories
mkdir -p -m 0700 "$handover"
rm -f "$handover"/*.error.*.new
# A drill's scratch space on the volume. It is mounted by itself, and a mount would make it for root.
[ -z "${COPY:-}" ] || mkdir -p -m 0700 "$COPY"
say "ready, for repositories: $REPOSITORIES"
while true; do
  touch /run/backup/heartbeat
  failed=
  for wanted in "$handover"/*.wanted; do
    request=${wanted##*/} request=${request%.wanted}
    [ -e "$wanted" ] || continue
    case $request in
      push.*) answer "$request" push "${request#push.}" ;;
      get.*) answer "$request" get "${request#get.}" ;;
      restore | verify) answer "$request" "$request" ;;
      info) answer "$request" info ;;
      report) report ;;
    esac || failed=1
  done
  if [ -n "$failed" ]; then sleep 2; else sleep 0.1; fi
done
