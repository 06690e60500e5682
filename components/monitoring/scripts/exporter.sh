#!/bin/sh
# Runs postgres_exporter, of any version since 0.16, as the login of a Secret. Runs in its image: POSIX sh, as in busybox.
# Usage: exporter.sh <port> <database, or - for that of the Secret> <file with queries> <collectors: all or none>
# Environment: PGHOST, PGPORT; with TLS PGSSLMODE and PGSSLROOTCERT. For the tests: ROOT (before each path).
# Mounted: /etc/credentials (the login's Secret), and /tmp in memory.
#
# The password is in a file that the exporter reads for each connection, so that a new one needs no restart, and is in no
# environment. A metrics' server that hangs is ended by the container's probe.
set -u
root=${ROOT:-}
credentials=$root/etc/credentials
port=$1 database=$2 queries=$3 collectors=$4
passwords=$root/tmp/$port.pgpass

# For this server alone: whoever reaches the exporter may have it connect to another one (/probe?target=…), which must not
# get the password.
server=$PGHOST:$PGPORT

# remember: writes the password where the exporter reads it, if there is another one.
remember() {
  user=$(cat "$credentials/POSTGRES_USER" 2>/dev/null) || return 0
  password=$(cat "$credentials/POSTGRES_PASSWORD" 2>/dev/null) || return 0
  [ -n "$password" ] || return 0
  (
    umask 077
    printf '%s:*:%s:%s\n' "$server" "$user" "$(printf '%s' "$password" | sed 's/[\\:]/\\&/g')" >"$passwords.new"
  )
  if cmp -s "$passwords.new" "$passwords"; then rm -f "$passwords.new"; else mv -f "$passwords.new" "$passwords"; fi
}

said=
while remember && ! [ -s "$passwords" ]; do
  if [ -z "$said" ]; then echo "exporter: waiting for the password in the Secret"; fi
  said=yes
  sleep 2
done
[ "$database" != - ] || database=$(cat "$credentials/POSTGRES_DB")

# No name is looked up in a schema of the owner's. `extensions`: pg_stat_statements, where only a superuser may create. A
# comma would begin another server.
options="application_name=transcript-pipeline/metrics&connect_timeout=5&statement_timeout=4000"
options="$options&default_transaction_read_only=on&search_path=pg_catalog%2Cextensions&sslmode=${PGSSLMODE:-disable}"
# The exporter's library has no word for the roots of the system: it takes them where none are named.
[ "${PGSSLROOTCERT:-system}" = system ] || options="$options&sslrootcert=$PGSSLROOTCERT"
DATA_SOURCE_NAME="postgresql://$user@$PGHOST:$PGPORT/$database?$options"
unset PGHOST PGPORT PGSSLMODE PGSSLROOTCERT
export DATA_SOURCE_NAME PGPASSFILE="$passwords"

program=$(command -v postgres_exporter || command -v prometheus-postgres-exporter) || {
  echo "exporter: the image has no postgres_exporter"
  exit 127
}
set -- --web.listen-address=":$port" --extend.query-path="$queries" --log.level=warn
# Which collectors there are, and which of them run by themselves, is another list in each version. One that counts sessions
# by names that clients choose would have no end of them.
export PG_EXPORTER_DISABLE_DEFAULT_METRICS=true PG_EXPORTER_DISABLE_SETTINGS_METRICS=true
known=$("$program" --help 2>&1 | sed -n 's/^ *--\(\[no-\]\)\{0,1\}\(collector\.[a-z_]*\)\( .*\)\{0,1\}$/\2/p')
for collector in $known; do
  case $collectors:$collector in
    none:* | *:collector.stat_activity) set -- "$@" "--no-$collector" ;;
    *:collector.stat_statements) set -- "$@" "--$collector" ;;
  esac
done
# Not a file of the image's, or of the folder that it runs in.
echo '{}' >"$root/tmp/config.yml"
"$program" --config.file="$root/tmp/config.yml" "$@" &
child=$!
trap 'kill "$child" 2>/dev/null; wait "$child"; exit 143' TERM INT
while kill -0 "$child" 2>/dev/null; do
  remember
  sleep 5 &
  wait $!
done
wait "$child"
