#!/bin/bash
# Starts PostgreSQL as PID 1 of its container, on a directory that is known to be the right one and to be free.
# Environment: VOLUME (the mounted directory), IDENTITY (whose data it must be), PGDATA (a directory inside it),
# ADDRESS_SPACE (kB that one process may use).
set -euo pipefail

# PID 1 ignores a signal it has no handler for, and a pod that is told to stop here would wait for its kill. Bash loses
# a SIGINT that comes during a command substitution, so there is none before the server; see stoppable.sh, which cannot
# be used here because the server must become process 1.
trap 'exit 143' INT TERM

say() { echo "start-server: $*" >&2; }
refuse() {
  say "REFUSED: $*"
  exit 1
}

# What this user may not read looks missing, and what it may not write fails later: somebody has copied the data as
# root. An empty directory of root's is different, a place where a disk belongs. $1: what it is, $2: its path.
require_own() {
  refuse "$1 belongs to uid $(stat -c %u "$2"), and the server is uid $EUID. Nothing was written. Give it all to the server, on the node: chown -R $EUID:$EUID <storage.path>"
}
readable() { [ -r "$1" ] && [ -x "$1" ]; }
readable "$VOLUME" && { [ -w "$VOLUME" ] || [ ! -e "$VOLUME/volume.identity" ]; } ||
  require_own "the directory behind $VOLUME" "$VOLUME"
for file in volume.identity server.lock initialize.once; do
  [ ! -e "$VOLUME/$file" ] || [ -O "$VOLUME/$file" ] || require_own "$file in the directory behind $VOLUME" "$VOLUME/$file"
done
[ ! -e "$PGDATA" ] || [ -O "$PGDATA" ] || { readable "$PGDATA" && [ ! -e "$PGDATA/PG_VERSION" ]; } || require_own "$PGDATA" "$PGDATA"
[ ! -e "$PGDATA/PG_VERSION" ] || [ -O "$PGDATA/PG_VERSION" ] || require_own "$PGDATA/PG_VERSION" "$PGDATA/PG_VERSION"
# What the image's tag does not say; if no Job checks it before the server, as with kubectl, it is found here.
sh "${BASH_SOURCE%/*}/check-image.sh" || exit 1
# shellcheck source=components/server/scripts/last-started.sh
. "${BASH_SOURCE%/*}/last-started.sh"

found=
{ read -r -d '' found <"$VOLUME/volume.identity"; } 2>/dev/null || true
[ -n "$found" ] ||
  refuse "the directory behind $VOLUME has no marker volume.identity. The disk is not mounted, the path is wrong, or the directory was never prepared. Nothing was written. Expected: $IDENTITY"
[ "$found" = "$IDENTITY" ] ||
  refuse "the directory behind $VOLUME belongs to $found, and this server is $IDENTITY. Nothing was written."

# Held until the last process of this server is gone, whatever happened to its pod: postgres and all its children
# inherit the descriptor. postmaster.pid cannot do this, because every server is PID 1 of its own container.
exec {lock}>>"$VOLUME/server.lock"
until flock --exclusive --wait 10 "$lock"; do
  say "another server still runs on this directory; waiting for it to end"
done

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  [ ! -e "$PGDATA" ] || refuse "$PGDATA exists but holds no database. Nothing was written."
  [ -e "$VOLUME/initialize.once" ] ||
    refuse "$PGDATA is missing and there is no permission to create a new one. If a new database is wanted: npm run render -- --stack ${IDENTITY#*/}, copy rendered/${IDENTITY#*/}/prepare-storage.sh to the node, and there: sudo sh prepare-storage.sh new-database"
  intended=
  read -r -d '' intended <"$VOLUME/initialize.once" || true
  [ -s /etc/postgresql/initialization ] || [ "$intended" != restore ] ||
    refuse "$PGDATA is to be restored from a backup, and this server is configured to create a new database. Nothing was written. Deploy the restore: pulumi config set --path backup.restoreFrom <repository>, then pulumi up"
  # Nobody can log in before it has the Secrets' passwords: see the pod's readiness probe.
  : >/run/reconcile/first-start
  # Under another name until it is complete: a start that is killed half-way begins again, and a restore continues.
  if [ -s /etc/postgresql/initialization ]; then
    say "restoring the database"
    mapfile -t initialization </etc/postgresql/initialization
    DIRECTORY=$PGDATA.initializing "${initialization[@]}" &
    wait $!
  else
    say "creating a new database"
    rm -rf "$PGDATA.initializing"
    initdb --no-instructions --pgdata="$PGDATA.initializing" --username=postgres --encoding=UTF8 --locale=C.UTF-8 --data-checksums \
      -c huge_pages=off --auth-local=peer --auth-host=reject >&2
  fi
  mv "$PGDATA.initializing" "$PGDATA"
  sync "$VOLUME"
fi
rm -f "$VOLUME/initialize.once"

# PostgreSQL would report another major version too, but not what to do.
read -r -d '' holds <"$PGDATA/PG_VERSION" || true
# "postgres (PostgreSQL) 16.14 (…)"; lastpipe keeps what is read at the end of a pipeline.
shopt -s lastpipe
postgres --version | read -r _ _ version _
runs=${version%%.*}
[ "$holds" = "$runs" ] ||
  refuse "$PGDATA holds a database of PostgreSQL $holds, and this image is PostgreSQL $runs. Nothing was written. Go back to an image of PostgreSQL $holds; docs/upgrades.md says how to leave with every row"

# A second socket, for the superuser's Jobs: they mount the volume read-only, and connect as the operating system's
# user.
mkdir -p -m 0700 "$VOLUME/socket"

# A statement that asks for more fails with "out of memory"; otherwise the kernel would end the whole server, because
# PostgreSQL does not bound a session's memory, which every session can set for itself.
ulimit -v "$ADDRESS_SPACE"

# What the capabilities' files need, such as a certificate: each script waits this long for others in the pod, in seconds.
preparation_time=15
if [ -s /etc/postgresql/preparation ]; then
  mapfile -t preparations </etc/postgresql/preparation
  for preparation in "${preparations[@]}"; do
    bash "$preparation" "$preparation_time" &
    wait $! || say "$preparation failed; PostgreSQL says what is missing"
  done
fi

choose_configuration
# Options of a restored database until it has recovered, one a line; PostgreSQL removes the signal then.
if [ -e "$PGDATA/recovery.signal" ] && [ -e "$PGDATA/recovery.options" ]; then
  say "recovering: nobody gets in until it is done"
  while read -r option; do configuration+=(-c "$option"); done <"$PGDATA/recovery.options"
else
  rm -f "$PGDATA/recovery.options"
fi
# Process 1 loses a signal that comes before it has a handler, and the pod would hang until its grace period ends.
# Blocked, the signal waits: the postmaster receives it once its handlers exist (PostmasterMain, UnBlockSig).
exec env --block-signal=INT --block-signal=TERM postgres -D "$PGDATA" "${configuration[@]}"
