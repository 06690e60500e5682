#!/bin/bash
# Looks at the figures every ten seconds, over the network as a login that may only monitor, and writes down what is wrong.
# Environment: PGHOST, PGPORT; with TLS PGSSLMODE and PGSSLROOTCERT.
# Mounted: /etc/credentials (the login's Secret), /etc/notify (the rules), /run/notify and /tmp (memory). For the tests:
# ROOT (before each path), PAUSE.
# Run by keep-running.sh, which restarts it when it ends or hangs: nothing here waits longer than ten seconds.
#
# It writes into /run/notify: findings (see judge.awk), state, and `looked`, whose time is that of the last look.
set -uo pipefail
root=${ROOT:-}
state=$root/run/notify
tmp=$root/tmp
here=${BASH_SOURCE%/*}
say() { echo "look: $*"; }

# shellcheck source=components/kubernetes/scripts/clock.sh
. "$here/clock.sh"

# Seconds between two looks, and between two looks at the jobs: a table of the owner's, which may be large.
pause=${PAUSE:-10}
jobs_pause=60
# Where nobody has looked yet: a new server has no figures and no login, and one that starts with its machine may recover.
# Seconds that it has.
patience=300

# ask <database>: runs SQL from standard input. What a session may do to whoever looks: nothing that takes long.
ask() {
  local password
  : >"$tmp/errors"
  password=$(cat "$root/etc/credentials/POSTGRES_PASSWORD") || return 1
  (
    umask 077
    password=${password//\\/\\\\}
    printf '*:*:*:*:%s\n' "${password//:/\\:}" >"$tmp/pgpass"
  )
  PGPASSFILE=$tmp/pgpass PGCONNECT_TIMEOUT=4 PGAPPNAME=transcript-pipeline/notify \
    PGOPTIONS="-c search_path=pg_catalog -c statement_timeout=4s -c default_transaction_read_only=on" \
    timeout 9 psql -X -q -w -At -F $'\t' -v ON_ERROR_STOP=1 -U "$(cat "$root/etc/credentials/POSTGRES_USER")" \
    -d "$1" -f - 2>"$tmp/errors"
}

# A label may hold anything that a name can be, and is one field of a line. What the server wrote more than a minute ago is
# no figure of now, and has no value here: on a disk that cannot be written to it stays as it was. After a crash there is
# none at first.
own_figures() {
  ask postgres <<'SQL'
SELECT name, translate(label, E'\t\r\n', '   '), CASE WHEN at > clock_timestamp() - interval '1 minute' THEN value END
  FROM monitoring.now
UNION ALL
SELECT 'figures_silent_seconds', '', greatest(0, extract(epoch FROM clock_timestamp() - max(at)))
  FROM monitoring.figure HAVING count(*) > 0;
SQL
}

job_figures() {
  ask "$(cat "$root/etc/credentials/POSTGRES_DB")" <<'SQL'
SELECT to_regclass('public.job_counts') IS NOT NULL AS queues
\gset
\if :queues
-- Of thousands of kinds, the first will do.
(SELECT 'jobs_dead', left(translate(kind, E'\t\r\n', '   '), 100), jobs FROM public.job_counts WHERE status = 'dead'
  ORDER BY jobs DESC LIMIT 20)
UNION ALL
(SELECT 'jobs_waiting_seconds', left(translate(kind, E'\t\r\n', '   '), 100),
       greatest(0, extract(epoch FROM now() - oldest_run_at)) FROM public.job_counts WHERE status = 'queued'
  ORDER BY oldest_run_at LIMIT 20);
\endif
SQL
}

# refused: whether the server answered, and this login did not get in, as while a new password is on its way.
refused() {
  grep -q -e 'FATAL: .*\(password authentication\|permission denied\|not permitted\|remaining connection\|too many\)' \
    -e 'certificate verify failed' -e 'ERROR:' "$tmp/errors"
}

# jobs: the figures of the jobs. Where they cannot be read, their lines have no value: it may be as it was.
jobs() {
  if job_figures >"$tmp/jobs.new"; then
    unread=
  else
    if [ -z "$unread" ]; then say "the jobs cannot be counted: $(tail -n 1 "$tmp/errors")"; fi
    unread=yes
    awk -F '\t' -v OFS='\t' '{ print $1, $2, "" }' "$tmp/jobs" >"$tmp/jobs.new"
  fi
  mv -f "$tmp/jobs.new" "$tmp/jobs"
}

# When the server last answered, and when it last had figures of then: by the machine's uptime, and kept for whoever looks
# after this script, or an outage would begin again with it.
: >"$tmp/jobs"
read -r answered read_at 2>/dev/null <"$state/answered" || answered=$((uptime + patience)) read_at=$((uptime + patience))
jobs_at=0
complaint=
unread=

look() {
  local silent stale=0
  tick
  if own_figures >"$tmp/own"; then
    answered=$uptime complaint=
    if awk -F '\t' '$1 == "figures_silent_seconds" && $3 <= 60 { new = 1 } END { exit !new }' "$tmp/own"; then
      read_at=$uptime
    else
      stale=1
    fi
    if [ "$elapsed" -ge "$jobs_at" ]; then
      jobs_at=$((elapsed + jobs_pause))
      jobs
    fi
  else
    stale=1
    : >"$tmp/own"
    if refused; then answered=$uptime; fi
    if [ "$(tail -n 1 "$tmp/errors")" != "$complaint" ]; then
      complaint=$(tail -n 1 "$tmp/errors")
      say "the figures cannot be read: $complaint"
    fi
  fi
  # Of a server that does not answer, nobody expects figures.
  if [ "$answered" = "$uptime" ] && ! grep -q '^figures_silent_seconds' "$tmp/own"; then
    silent=$((uptime - read_at))
    printf 'figures_silent_seconds\t\t%d\n' $((silent > 0 ? silent : 0)) >>"$tmp/own"
  fi
  printf '%d %d\n' "$answered" "$read_at" >"$state/answered"
  silent=$((uptime - answered))
  printf 'database_silent_seconds\t\t%d\n' $((silent > 0 ? silent : 0)) >"$tmp/silence"
  cat "$tmp/own" "$tmp/jobs" "$tmp/silence" >"$tmp/figures"
  touch "$state/state"
  awk -F '\t' -v now="$uptime" -v stale="$stale" -v findings="$state/findings.new" -f "$here/judge.awk" \
    part=rules "$root/etc/notify/rules.tsv" part=state "$state/state" part=figures "$tmp/figures" >"$state/state.new" ||
    return 1
  mv -f "$state/state.new" "$state/state"
  mv -f "$state/findings.new" "$state/findings"
  touch "$state/looked"
}

while true; do
  look
  touch "$state/heartbeat"
  sleep "$pause"
done
