#!/bin/bash
# The restore drill: restores each repository's newest backup and its WAL into scratch space, up to a place in the WAL where
# the live database's rows were counted, and compares. Its last line is the proof, or why there is none.
# Runs in the server's image; the agent next to it, in the same pod, has pgBackRest. The copy accepts nobody from
# outside this container, and archives nothing.
# Environment: VOLUME (shared with the agent), COPY and SCRATCH (where the agent and this container see the scratch
# space), SUPERUSER_SOCKET, OWNER, DATABASE, REPOSITORIES (as repositories.sh), DRILL_FREE (percent of the disk that
# must stay free), VERIFY (true: every object is read too), WAIT (seconds to wait for the server, a backup's end, another
# drill), COUNT_TIME (seconds for counting), ARCHIVE_TIME (seconds within which WAL must be archived). With COPY_TIME, a moment, and COPY_REPOSITORY, a name or nothing
# for the first, it is not a drill: the copy of that moment is held for whoever reads in it.
# Run by stoppable.sh, which ends it; what a drill that was killed has left, the next one removes.
set -uo pipefail
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

say() { echo "drill: $*"; }
# In the container's memory.
copy_log=/tmp/copy.log
name= label= target= lost=
server=

# joined: the lines as part of a sentence.
joined() { tr -s '\n\t ' ' ' | cut -c -1200 | sed 's/ $//'; }

# live <psql's arguments>: the superuser's session at the live server.
live() {
  superuser_time=60 superuser drill "-c statement_timeout=50s -c lock_timeout=5s" -d postgres -At "$@"
}

# owner_counts <socket> <psql's arguments>: a session of the owner, with time for counting.
owner_counts() { as_owner drill $((COUNT_TIME + 120)) "$@"; }

stop_copy() {
  [ -n "$server" ] || return 0
  kill -QUIT "$server" 2>/dev/null
  wait "$server" 2>/dev/null
  server=
}

# clear: nothing of a copy stays on the disk.
clear() {
  stop_copy
  rm -rf "${SCRATCH:?}"/* && rm -f "${handover:?}"/*
}

# record <true|false> <words>: for `npm run backup -- status`.
record() {
  tick
  live -v proven="$1" -v repository="$name" -v label="$label" -v target="$target" -v lost="$lost" -v seconds="$elapsed" \
    -v words="$2" -f - >/dev/null 2>/tmp/record <<'SQL'
insert into backup.drill (proven, repository, label, lsn, rpo, seconds, words)
values (:'proven', nullif(:'repository', ''), nullif(:'label', ''), nullif(:'target', '')::pg_lsn, nullif(:'lost', '')::numeric,
        :'seconds', :'words');
delete from backup.drill where n < (select max(n) - 200 from backup.drill);
SQL
}

fail() {
  local words="FAILED${name:+ for repository $name}: $*"
  clear || words+=". What was restored could not be removed"
  [ -n "${COPY_TIME:-}" ] || record false "$words" || say "the live database does not know of it: $(joined </tmp/record)"
  say "$words"
  exit 1
}

# patiently <request>: whether the agent has done it. What fails for half a minute is not a short fault.
patiently() {
  local failing=
  until answered "$1" done; do
    ! answered "$1" missing || return 1
    tick
    if [ ! -s "$handover/$1.error" ]; then
      failing=
    elif [ -z "$failing" ]; then
      failing=$elapsed
    elif [ $((elapsed - failing)) -ge 30 ]; then
      return 1
    fi
    sleep 0.2
  done
}

# mebibytes <bytes>
mebibytes() { echo "$((($1 + 1048575) / 1048576)) MiB"; }

# Held by the copy's processes too, so that none of a killed drill's runs on.
exec {lock}<"$SCRATCH"
flock --exclusive --wait "$WAIT" "$lock" || { say "FAILED: another drill has been running for $WAIT s" && exit 1; }
clear || fail "the scratch space cannot be emptied"

# newest: the newest backup of repository $number, and its size once restored.
newest() {
  live -F ' ' -v repository="$number" -f - <<'SQL'
\set information `cat "$VOLUME"/handover/info.file`
select backup ->> 'label', backup -> 'info' ->> 'size'
  from json_array_elements(:'information') as stanza, json_array_elements(stanza -> 'backup') as backup
 where backup -> 'database' ->> 'repo-key' = :'repository'
 -- By the label's own time, which pgBackRest never lets go back, whatever the clock does.
 order by right(backup ->> 'label', 16) desc
 limit 1;
select 'MESSAGE ' || (repository -> 'status' ->> 'message')
  from json_array_elements(:'information') as stanza, json_array_elements(stanza -> 'repo') as repository
 where repository ->> 'key' = :'repository';
SQL
}

# enough_space <bytes>: whether what must stay free does.
enough_space() {
  local available size keep
  read -r available size < <(df -B1 --output=avail,size "$SCRATCH" | tail -n 1)
  keep=$((size / 100 * DRILL_FREE))
  [ $((available - $1)) -ge "$keep" ] ||
    fail "no space: the copy needs $(mebibytes "$1"), $(mebibytes "$available") of the disk's $(mebibytes "$size") are free, and $DRILL_FREE % ($(mebibytes "$keep")) must stay free. Nothing was restored. Make room (docs/full-disk.md), or set the share: pulumi config set --path backup.drillFree <percent>"
}

# start_copy <setting>…: starts it, with the settings of its recovery, and waits for the recovery's end. Without hot standby
# nobody gets in before.
start_copy() {
  local prepared failing= complaint
  prepared=$(pg_controldata "$SCRATCH/pgdata" | sed -n 's/^max_prepared_xacts setting: *//p')
  rm -rf /tmp/copy && mkdir -m 0700 /tmp/copy
  # What an ALTER SYSTEM has left is for the live server.
  : >"$SCRATCH/pgdata/postgresql.auto.conf"
  echo "local all all peer map=drill" >/tmp/copy/pg_hba.conf
  printf 'drill postgres %s\n' postgres "$OWNER" >/tmp/copy/pg_ident.conf
  cat >/tmp/copy/postgresql.conf <<CONF
listen_addresses = ''
unix_socket_directories = '/tmp'
hba_file = '/tmp/copy/pg_hba.conf'
ident_file = '/tmp/copy/pg_ident.conf'
archive_mode = off
restore_command = 'bash $here/pgbackrest-wal.sh get %f %p $number'
recovery_target_action = promote
$(printf '%s\n' "$@")
hot_standby = off
max_prepared_transactions = ${prepared:-0}
max_connections = 10
shared_buffers = 64MB
maintenance_work_mem = 32MB
max_wal_size = 128MB
min_wal_size = 32MB
max_worker_processes = 2
max_parallel_workers = 0
huge_pages = off
autovacuum = off
jit = off
fsync = off
log_line_prefix = ''
CONF
  postgres -D "$SCRATCH/pgdata" -c config_file=/tmp/copy/postgresql.conf >"$copy_log" 2>&1 &
  server=$!
  until pg_isready -q -h /tmp -t 3; do
    if ! kill -0 "$server" 2>/dev/null; then
      fail "backup $label was restored, and its recovery to $target failed: $(grep -E '^(FATAL|PANIC|ERROR):' "$copy_log" | tail -n 3 | joined)$(grep -o 'recovery: waiting for.*' "$copy_log" | tail -n 1 | joined)"
    fi
    # A repository that does not answer for a moment does not end it.
    complaint=$(cat "$handover"/get.*.error 2>/dev/null)
    tick
    if [ -z "$complaint" ]; then failing=; elif [ -z "$failing" ]; then failing=$elapsed; fi
    if [ -n "$failing" ] && [ $((elapsed - failing)) -ge 30 ]; then
      fail "backup $label was restored, and WAL for its recovery to $target cannot be fetched: $(joined <<<"$complaint")"
    fi
    sleep 0.5
  done
}

# copy <psql's arguments>: the superuser's session at the copy.
copy() {
  superuser_time=60 SUPERUSER_SOCKET=/tmp superuser drill "-c statement_timeout=50s" -d postgres -At "$@"
}

# choose: sets label and size to those of the newest backup in repository $number, if there is room for it.
choose() {
  local found message
  ask info
  patiently info || fail "what is in it cannot be read: $(complaint info)"
  found=$(newest 2>/tmp/newest) || fail "what is in it cannot be read: $(joined </tmp/newest)"
  message=$(sed -n 's/^MESSAGE //p' <<<"$found")
  read -r label size < <(grep -v '^MESSAGE ' <<<"$found")
  [ -n "$label" ] || fail "it has no backup: ${message:-it is empty}. Make one: npm run backup -- now full"
  withdraw info
  # Recovery needs its own WAL next to the data.
  [ "$size" -ge "$live_size" ] || size=$live_size
  enough_space $((size + 320 * 1048576))
}

# prove: restores from repository $number, and compares.
prove() {
  local size held beats differences
  choose
  say "restoring backup $label from repository $name to $target"
  ask restore "$COPY/pgdata" "$number"
  patiently restore || fail "backup $label cannot be restored: $(complaint restore)"
  withdraw restore
  start_copy "recovery_target_lsn = '$target'" "recovery_target_inclusive = off" "recovery_target_timeline = '$timeline'"

  held=$(copy -c "select not pg_is_in_recovery()" 2>/tmp/copy.said) && [ "$held" = t ] ||
    fail "backup $label was restored, and the copy does not answer: $(joined </tmp/copy.said)"
  say "checking every table and index of the copy"
  PGOPTIONS=$superuser_options PGAPPNAME=transcript-pipeline/drill \
    pg_amcheck -h /tmp -U postgres --all --install-missing >/tmp/amcheck 2>&1 ||
    fail "backup $label was restored, and pg_amcheck finds: $(head -n 5 /tmp/amcheck | joined)"

  owner_counts /tmp -v snapshot=false -v seconds=$((COUNT_TIME * 2)) -f "$here/drill-count.sql" >/tmp/found.json 2>/tmp/counting ||
    fail "backup $label was restored, and its rows cannot be counted: $(joined </tmp/counting)"
  differences=$(live -f "$here/drill-compare.sql" 2>/tmp/unreachable) || fail "the counts cannot be compared: $(joined </tmp/unreachable)"
  [ -z "$differences" ] ||
    fail "backup $label was restored to $target, and is not what the live database was: $(head -n 5 <<<"$differences" | paste -sd ';' | joined)"
  beats=$(copy -c "select count(*) from backup.heartbeat where n = $beat" 2>/tmp/copy.said)
  [ "$beats" = 1 ] || fail "backup $label was restored to $target, and lacks heartbeat $beat, whose WAL was archived before: $(joined </tmp/copy.said)"
  clear || fail "what was restored could not be removed"
  proof="PROVEN: backup $label of repository $name, restored to $target: $tables tables with $rows rows and $migrations migrations are what they were in the live database, and pg_amcheck finds nothing. A loss of the disk would have cost the last $lost s"
  [ -z "$uncompared" ] || proof+=". Not compared: ${uncompared:0:300}"
  record true "$proof" || fail "the proof could not be recorded: $(joined </tmp/record)"
  [ "$VERIFY" != true ] || examine
  tick
  say "$proof ($elapsed s)"
}

# examine: whether everything in repository $number is whole, and its WAL is unbroken: older backups too, and every moment.
examine() {
  local found count
  say "reading every object of repository $name"
  ask verify "$number"
  patiently verify || fail "it cannot be read: $(complaint verify)"
  found=$(cat "$handover/verify.file") || fail "what was found in it cannot be read"
  withdraw verify
  [ -n "$found" ] || return 0
  count=$(wc -l <<<"$found")
  say "found in repository $name:"$'\n'"$found"
  fail "the newest backup can be restored, but not everything in the repository is whole: $(head -n 5 <<<"$found" | paste -sd ';' | joined)$([ "$count" -le 5 ] || echo "; and $((count - 5)) more, in this log"). What to do: docs/backups.md"
}

# hold: restores the database to $COPY_TIME, and holds the copy until /tmp/end is there.
hold() {
  local size timeline live_size
  [[ $COPY_TIME =~ ^[0-9TZ:.\ +-]+$ ]] || fail "COPY_TIME is \"$COPY_TIME\", which is not a time"
  for number in "${numbers[@]}"; do
    name=${names[number]}
    [ "${COPY_REPOSITORY:-$name}" != "$name" ] || break
  done
  [ "${COPY_REPOSITORY:-$name}" = "$name" ] || fail "there is no repository $COPY_REPOSITORY. Allowed: ${names[*]}"
  target=$COPY_TIME
  live_size=$(live -c "select sum(pg_database_size(oid)) from pg_database" 2>/tmp/unreachable) ||
    fail "the live database cannot be asked: $(joined </tmp/unreachable)"
  choose
  say "restoring repository $name to $target"
  ask restore "$COPY/pgdata" "$number" "$target"
  patiently restore || fail "it cannot be restored to $target: $(complaint restore)"
  withdraw restore
  start_copy "recovery_target_time = '$target'" "recovery_target_timeline = latest"
  say "READY: the database as it was at $target"
  until [ -e /tmp/end ]; do
    kill -0 "$server" 2>/dev/null || fail "the copy's server has ended: $(tail -n 3 "$copy_log" | joined)"
    sleep 1
  done
  clear || fail "what was restored could not be removed"
  say "ended, and removed"
}

repositories
[ -z "${COPY_TIME:-}" ] || { hold && exit; }

# --- What a loss of the disk would cost now: before anything is done for this drill.
beat=
until [ -n "$beat" ]; do
  tick
  if ! beat=$(live -f "$here/drill-archived.sql" 2>/tmp/unreachable); then
    [ "$elapsed" -lt "$WAIT" ] || fail "the live database cannot be asked: $(joined </tmp/unreachable)"
  elif [ -z "$beat" ]; then
    [ "$elapsed" -lt "$ARCHIVE_TIME" ] || fail "no heartbeat of the live database is in archived WAL. Whether archiving works: npm run backup -- status"
  fi
  [ -n "$beat" ] || sleep 2
done
IFS='|' read -r beat lost <<<"$beat"

# --- What the copy must hold.
say "counting the rows of database $DATABASE"
for attempt in {1..15}; do
  rm -f /tmp/snapshot* /tmp/imported /tmp/target /tmp/wanted.json
  owner_counts "$SUPERUSER_SOCKET" -v snapshot=true -v seconds="$COUNT_TIME" -f "$here/drill-count.sql" >/tmp/wanted.json 2>/tmp/counting &
  counting=$!
  last=false
  [ "$attempt" -lt 15 ] || last=true
  owner_counts "$SUPERUSER_SOCKET" -v last=$last -f "$here/drill-lock.sql" >/dev/null 2>/tmp/locking
  status=$?
  if [ "$status" = 0 ] && [ -e /tmp/snapshot ]; then
    wait "$counting" && [ -s /tmp/wanted.json ] && break
    cp /tmp/counting /tmp/locking
  else
    kill "$counting" 2>/dev/null
    wait "$counting" 2>/dev/null
  fi
  sleep 1
done
[ -s /tmp/wanted.json ] || fail "the live database's rows could not be counted: $(joined </tmp/locking)"
read -r target </tmp/target
# What is compared, what is not, and the timeline.
summary=$(live -F ' ' -f - 2>/tmp/unreachable <<'SQL'
\set wanted `cat /tmp/wanted.json`
\set skipped `cat /tmp/skipped.json`
\set tables `cat /tmp/tables.json`
select count(*), coalesce(sum(value::bigint), 0), coalesce(max(json_array_length(case json_typeof(:'wanted'::json -> 'migrations') when 'array' then :'wanted'::json -> 'migrations' else '[]' end)), 0),
       (select timeline_id from pg_control_checkpoint()), (select sum(pg_database_size(oid)) from pg_database)
  from json_each_text(:'wanted'::json -> 'rows');
select string_agg(name, ', ' order by name)
  from (select json_array_elements_text(:'skipped') as name
        union all
        select json_array_elements_text(:'tables')
        except all
        select json_object_keys(:'wanted'::json -> 'rows')) as not_compared;
SQL
) || fail "the live database cannot be asked: $(joined </tmp/unreachable)"
{ read -r tables rows migrations timeline live_size && read -r uncompared; } <<<"$summary"
# The copy's counts have the same tables.
live -f - >/tmp/tables.new 2>/dev/null <<'SQL' && mv /tmp/tables.new /tmp/tables.json || fail "the live database cannot be asked"
\set wanted `cat /tmp/wanted.json`
select coalesce(json_agg(name), '[]') from json_object_keys(:'wanted'::json -> 'rows') as name;
SQL
[ -z "$uncompared" ] || say "not compared, as they were being written to, took too long, or are another role's: $uncompared"

# --- All of it archived.
segment=$(live -f - 2>/tmp/unreachable <<'SQL'
\set target `cat /tmp/target`
select pg_create_restore_point('transcript-pipeline drill') \g /dev/null
select pg_walfile_name(:'target'::pg_lsn + 1);
select pg_switch_wal() \g /dev/null
SQL
) || fail "WAL could not be switched: $(joined </tmp/unreachable)"
say "waiting until WAL $segment is archived"
tick
end=$((elapsed + ARCHIVE_TIME))
while true; do
  archived=$(live -c "select left(last_archived_wal, 24) >= '$segment' from pg_stat_archiver" 2>/tmp/unreachable)
  [ "$archived" != t ] || break
  tick
  if [ "$elapsed" -ge "$end" ]; then
    fail "WAL $segment was not archived within $ARCHIVE_TIME s$(live -c "select ': ' || last_failed_wal || ' failed at ' || last_failed_time from pg_stat_archiver where last_failed_time > coalesce(last_archived_time, '-infinity')" 2>/dev/null)"
  fi
  sleep 1
done

for number in "${numbers[@]}"; do
  name=${names[number]} label=
  prove
done
