#!/bin/bash
# Tries the configuration in /etc/postgresql before the server gets it: starts this image's own PostgreSQL with it, on a
# scratch directory, within the server's own bounds, and has a superuser and a client log in and write. Problems are one
# line, which a deployment prints: "settings: REFUSED: …".
# Environment: ADDRESS_SPACE (kB that one process may use, as in start-server.sh).
# Mounted: /etc/postgresql (ConfigMap), /scratch, /tmp and /var/run/postgresql (memory).
# Run by stoppable.sh, which ends it and the server with it.
set -uo pipefail

here=${BASH_SOURCE%/*}
SUPERUSER_SOCKET=/var/run/postgresql
data=/scratch/pgdata
# Seconds that a start on an empty directory, and a session, may take: a busy node is slow.
start_time=120
superuser_time=60

say() { echo "settings: $*" >&2; }
refuse() {
  say "REFUSED: $*. Nothing has changed: a running server keeps its settings. Correct database.settings and deploy again; docs/settings-refused.md"
  exit 1
}
# joined: lines as part of a sentence, each once, without blank ones. Kubernetes keeps the last 2048 bytes of what a
# container prints, which must hold the whole refusal.
joined() {
  awk '{ gsub(/[[:space:]]+/, " "); sub(/^ /, ""); sub(/[. ]+$/, "") }
       $0 != "" && !seen[$0]++ { text = text (text == "" ? "" : "; ") $0 }
       END { if (length(text) > 1200) text = substr(text, 1, 1200) "…"; print text }'
}

# shellcheck source=components/server/scripts/superuser.sh
. "$here/superuser.sh"
# as_superuser <psql's arguments>: as the reconciler connects, over the socket, by pg_hba.conf and pg_ident.conf.
as_superuser() {
  superuser settings "-c statement_timeout=50s" -d postgres -At "$@"
  local status=$?
  [ $status -ne 124 ] || echo "it did not end within $superuser_time s, like a transaction that waits for a standby" >&2
  return $status
}

say "trying $(grep -c '^[^#]' /etc/postgresql/postgresql.conf) settings"

# As start-server.sh creates a database. Nothing of it outlives this pod, so nothing is synced.
initdb --no-sync --no-instructions --pgdata="$data" --username=postgres --encoding=UTF8 --locale=C.UTF-8 --data-checksums \
  -c huge_pages=off --auth-local=peer --auth-host=reject >/tmp/initdb 2>&1 ||
  refuse "this image cannot create a database: $(joined </tmp/initdb)"

ulimit -v "$ADDRESS_SPACE" || refuse "this process cannot get $ADDRESS_SPACE kB of address space, as the server does"

# As start-server.sh does, without waiting: nobody else is in this pod.
if [ -s /etc/postgresql/preparation ]; then
  while read -r preparation; do
    bash "$preparation" 0 2>/tmp/refused || refuse "what they need could not be prepared: $(joined </tmp/refused)"
  done </etc/postgresql/preparation
fi

# Added to what is tried. The socket on the volume is not here; the others only decide how the server reports problems,
# and where two settings compete, the file's own is read all the same.
server=(postgres -D "$data" -c config_file=/etc/postgresql/postgresql.conf -c unix_socket_directories="$SUPERUSER_SOCKET"
  -c archive_command= -c lc_messages=C -c log_line_prefix= -c log_min_messages=warning -c log_error_verbosity=default)

# Reads the files and ends: whatever it writes is a problem with them.
if ! "${server[@]}" -C config_file >/dev/null 2>/tmp/refused; then
  refuse "PostgreSQL does not accept these settings: $(joined </tmp/refused)"
fi

# A node that does not overcommit memory refuses a second shared_buffers next to the running server's, which the real
# start, in its place, would get.
if [ "$(cat /proc/sys/vm/overcommit_memory)" = 2 ]; then
  say "this node does not overcommit memory, so the start is tried with little of it, and not whether shared_buffers fits"
  server+=(-c shared_buffers=16MB)
fi

"${server[@]}" 2>/tmp/log >&2 &
postmaster=$!
until pg_isready -q -h 127.0.0.1 -t 3; do
  if ! kill -0 "$postmaster" 2>/dev/null; then
    wait "$postmaster"
    status=$?
    # What it logs while all goes well is marked LOG.
    words=$(grep -v '^LOG:' /tmp/log | joined)
    refuse "PostgreSQL does not start with these settings (status $status): ${words:-$(tail -n 3 /tmp/log | joined)}"
  fi
  [ "$SECONDS" -lt "$start_time" ] ||
    refuse "PostgreSQL started with these settings, but accepted no connection within $start_time s: $(tail -n 5 /tmp/log | joined)"
  sleep 0.1
done

# A small version of the reconciler's work: if it fails here, it would fail in the server, which would never be ready.
as_superuser -f - >/dev/null 2>/tmp/session <<'SQL' || refuse "with these settings the superuser cannot work: $(joined </tmp/session)"
create role settings_check login;
create schema extensions;
SQL
# The extensions that the schema needs load with this image's C library; their settings are known from then on.
for extension in vector uuid-ossp pg_trgm pg_stat_statements; do
  as_superuser -c "create extension \"$extension\" schema extensions" >/dev/null 2>/tmp/session ||
    refuse "extension $extension cannot be created: $(joined </tmp/session)"
done
# Over TCP and with a password, as clients connect, which have their own time limits. The password exists only in this
# pod.
word=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '%s\n%s\n' "$word" "$word" | as_superuser -c '\password settings_check' >/dev/null 2>/tmp/session ||
  refuse "with these settings no role can get a password: $(joined </tmp/session)"
(umask 077 && printf '*:*:*:*:%s\n' "$word" >/tmp/pgpass)
PGPASSFILE=/tmp/pgpass PGOPTIONS="-c statement_timeout=20s" PGCONNECT_TIMEOUT=10 timeout 30 \
  psql -X -q -w -At -h 127.0.0.1 -U settings_check -d postgres -c 'select 1' >/dev/null 2>/tmp/session ||
  refuse "with these settings no client can log in: $(joined </tmp/session)"

tab=$'\t'
as_superuser -F "$tab" -c "load 'vector'" -c "load 'pg_trgm'" -f "$here/settings-in-force.sql" >/tmp/found 2>/tmp/session ||
  refuse "the settings in force cannot be read: $(joined </tmp/session)"
while IFS=$tab read -r kind text; do
  [ "$kind" != unknown ] || say "NOTE: $text, so its value is not checked"
done </tmp/found
if grep -q "^wrong$tab" /tmp/found; then
  refuse "PostgreSQL started without some of these settings: $({ sed -n "s/^wrong$tab//p" /tmp/found && grep -v '^LOG:' /tmp/log; } | joined)"
fi

memory=$(as_superuser -c "select current_setting('shared_memory_size')" 2>/dev/null)
kill -QUIT "$postmaster"
wait "$postmaster"
say "PostgreSQL $(postgres --version | awk '{ print $3 }') runs with these settings, with $memory of shared memory; tried in $SECONDS s"
